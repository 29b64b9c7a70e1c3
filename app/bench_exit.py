"""`main.py bench exit`: a node with 1,200 devices and a full outbox is told to end while its broker is frozen.

Between node and broker stands a relay that stops passing anything on: connections stay open and nobody answers, as with
a broker whose machine hangs. Measured is the time until the process has ended by itself, and what its outbox holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.bench_fleet import device_ids, fill_database
from core.field.broker import EmbeddedBroker
from core.field.model import CommandStatus, DeviceCommand
from core.field.outbox import Outbox
from core.field.payloads import Command, write
from core.field.topics import Channel, device_topic
from core.kernel.bench import BenchResult, Figure, usual_environment, wait_until
from core.kernel.errors import BadInputError
from core.kernel.ids import new_id

N_DEVICES = 1200
TTL = timedelta(hours=1)
TENANT = "city"
GIVEN_UP_AFTER_S = 60.0
_LAST_OF_GREETING = b"/_host/core/rebirth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a node ended.

    Attributes:
        took_s: From being told until the process was gone.
        exit_code: None where it had to be killed.
        kept, expected: Ids of the commands in its outbox afterwards, and of those that had to be there.
    """

    took_s: float
    exit_code: int | None
    kept: frozenset[str]
    expected: frozenset[str]


class Relay:
    """Passes bytes between node and broker until it is frozen."""

    def __init__(self, host: str, port: int) -> None:
        """Stand before a broker."""
        self._to = (host, port)
        self._server: asyncio.Server | None = None
        self._moving = asyncio.Event()
        self._moving.set()
        self.port = 0
        self.has_greeted = asyncio.Event()
        """The node has said all that it says to a broker that is new to it, its commands among it."""

    async def start(self) -> None:
        """Listen on a free port of this machine."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def freeze(self) -> None:
        """Pass nothing on any more, and close nothing."""
        self._moving.clear()

    def thaw(self) -> None:
        """Go on."""
        self._moving.set()

    async def stop(self) -> None:
        """Close everything."""
        self.thaw()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_there = await asyncio.open_connection(*self._to)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(self._pass(reader, to_there, is_from_node=True), self._pass(there, writer))
        for one in (writer, to_there):
            one.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_from_node: bool = False
    ) -> None:
        tail = b""
        while data := await reader.read(65_536):
            await self._moving.wait()
            writer.write(data)
            await writer.drain()
            if is_from_node:
                if _LAST_OF_GREETING in tail + data:
                    self.has_greeted.set()
                tail = data[-len(_LAST_OF_GREETING) :]
        writer.close()


def bench_exit() -> BenchResult:
    """Freeze the broker of a node with a full outbox, tell the node to end, and look at what is left.

    Raises:
        BadInputError: The node did not come up.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure_exit(Path(folder)))
    what = f"{N_DEVICES:,} devices, {N_DEVICES:,} unanswered commands, broker frozen a second before"
    return BenchResult(
        bench="exit",
        figures={
            "exit_s": Figure(value=round(found.took_s, 2), unit="s", reference=what),
            "killed": Figure(value=int(found.exit_code is None), unit="processes", reference="did not end by itself"),
            "lost": Figure(
                value=len(found.expected - found.kept), unit="commands", reference="no longer in the outbox"
            ),
        },
    )


async def measure_exit(folder: Path) -> Exit:
    """Do it once, in `folder`.

    Raises:
        BadInputError: The node did not come up.
    """
    (folder / "broker").mkdir()
    broker = EmbeddedBroker(folder / "broker")
    address = await broker.start()
    relay = Relay(address.host, address.port)
    await relay.start()
    data = folder / "data"
    try:
        await fill_database(data, N_DEVICES)
        expected = await fill_outbox(data)
        arguments = (
            *("--set", "broker.host=127.0.0.1", "--set", f"broker.port={relay.port}"),
            *("--set", "broker.username=core", "--set", f"broker.protocol={address.protocol}"),
            *("--set", f"site.tenant={TENANT}", "--set", "vision.model=demo"),
        )
        node = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).resolve().parents[1] / "main.py"),
                "node",
                "--data",
                str(data),
                *arguments,
            ],
            env=usual_environment() | {"WATCHFLOOR_SECRET_BROKER": address.passwords["core"]},
        )
        try:
            await asyncio.wait_for(relay.has_greeted.wait(), GIVEN_UP_AFTER_S)
            relay.freeze()
            await asyncio.sleep(1.0)
            took_s = await _end(node)
        except TimeoutError as error:
            raise BadInputError("The node of the bench did not reach its broker.") from error
        finally:
            exit_code = node.poll()
            if exit_code is None:
                node.kill()
                node.wait()
        return Exit(took_s=took_s, exit_code=exit_code, kept=await ids_in_outbox(data), expected=expected)
    finally:
        await relay.stop()
        await broker.stop()


async def fill_outbox(data: Path) -> frozenset[str]:
    """Leave a command for every device, as a node whose devices do not answer has them; returns their ids."""
    outbox = Outbox(data / "outbox.sqlite3")
    await outbox.open()
    now = datetime.now(UTC)
    kept = []
    for device_id in device_ids(N_DEVICES):
        command = DeviceCommand(
            command_id=new_id(),
            device_id=device_id,
            name="restart",
            status=CommandStatus.QUEUED,
            text="",
            sent_by="bench",
            created_at=now,
            expires_at=now + TTL,
        )
        wire = Command(id=command.command_id, name="restart", exp=int((now + TTL).timestamp() * 1000), user="bench")
        kept.append((command, device_topic(TENANT, device_id, Channel.CMD), write(wire)))
    await outbox.add(kept)
    await outbox.close()
    return frozenset(command.command_id for command, _, _ in kept)


async def ids_in_outbox(data: Path) -> frozenset[str]:
    """Return the ids of the commands that wait in an outbox nobody else uses."""
    outbox = Outbox(data / "outbox.sqlite3")
    found = frozenset(command.command_id for command, _, _ in await outbox.open())
    await outbox.close()
    return found


async def _end(node: subprocess.Popen[bytes]) -> float:
    """Tell a process to end; returns how long it took [s], at most `GIVEN_UP_AFTER_S`."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    os.kill(node.pid, signal.SIGTERM)
    with contextlib.suppress(Exception):
        await wait_until(lambda: node.poll() is not None, "the node's end", every_s=0.01)
    return loop.time() - began_s
