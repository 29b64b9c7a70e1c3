"""`main.py bench recover`: how soon a camera is back on the wall after its worker was killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import msgspec

from app.connection import own_command, read_node_file
from core.access.model import Session
from core.cameras.model import Camera
from core.kernel.bench import BenchResult, Figure
from core.kernel.errors import ConsoleError, UnavailableError
from core.link.client import LinkClient
from core.media.ring import RingReader
from core.node.model import Health
from core.node.supervisor import HEALTHY_AFTER_S

N_KILLS = 3
WAIT_S = 30.0


def bench_recover() -> BenchResult:
    """Kill the vision worker of a running node several times; report the median time to the next picture."""
    with tempfile.TemporaryDirectory() as folder:
        node = subprocess.Popen(
            [*own_command(), "node", "--data", folder, "--while-used", "--set", "vision.model=demo"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            took_s = asyncio.run(_kill_and_wait(Path(folder)))
        finally:
            node.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.wait(15.0)
    reference = f"the slowest of {len(took_s)} took {max(took_s):.2f} s"
    return BenchResult(
        bench="recover",
        figures={"picture_back_s": Figure(value=round(statistics.median(took_s), 2), unit="s", reference=reference)},
    )


async def _kill_and_wait(folder: Path) -> list[float]:
    client = LinkClient(on_push=lambda _topic, _data: None, on_gone=lambda _reason: None)
    await enter_node(client, folder)
    draft = Camera(camera_id="", name="Bench", address="synthetic:bench")
    camera = await client.call("cameras.add", Camera, camera=draft, password="")
    await client.call("room.show", sizes={camera.camera_id: (480, 270)})
    reader = await _ring_of(client, camera.camera_id)
    took_s: list[float] = []
    try:
        await _next_picture(reader, 0)
        for _ in range(N_KILLS):
            if took_s:
                # A worker that ran this long is healthy again: the next restart is not delayed by the last.
                await asyncio.sleep(HEALTHY_AFTER_S + 2.0)
            health = msgspec.convert(await client.call("room.health"), Health)
            pid = next((worker.pid for worker in health.workers if camera.camera_id in worker.camera_ids), None)
            if pid is None:
                raise UnavailableError("The worker is not running.")
            newest = reader.newest_frame(0)
            os.kill(pid, signal.SIGKILL)
            began_s = time.monotonic()
            await asyncio.sleep(0.05)
            late = reader.newest_frame(0) or newest
            await _next_picture(reader, late.sequence if late else 0)
            took_s.append(time.monotonic() - began_s)
    finally:
        reader.close()
        await client.close()
    return took_s


async def enter_node(client: LinkClient, folder: Path) -> None:
    """Make the first administrator of a node that is starting, and sign in as them."""
    deadline = time.monotonic() + WAIT_S
    while True:
        with contextlib.suppress(ConsoleError):
            address = read_node_file(folder / "node.json")
            if address is not None:
                if not client.is_connected:
                    await client.connect(address.host, address.port)
                await client.call(
                    "session.create_administrator",
                    Session,
                    name="bench",
                    password=secrets.token_urlsafe(16),
                    desk="bench",
                    key=address.key,
                )
                return
        if time.monotonic() > deadline:
            raise UnavailableError("The node did not start in time.")
        await asyncio.sleep(0.05)


async def _ring_of(client: LinkClient, camera_id: str) -> RingReader:
    """Open the camera's ring, which is made a moment after the camera was stored."""
    deadline = time.monotonic() + WAIT_S
    while True:
        rings = await client.call("room.rings", dict[str, str])
        with contextlib.suppress(ConsoleError):
            if camera_id in rings:
                return RingReader.open(Path(rings[camera_id]))
        if time.monotonic() > deadline:
            raise UnavailableError("The camera was not taken over by the node.")
        await asyncio.sleep(0.05)


async def _next_picture(reader: RingReader, after: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while reader.newest_frame(after) is None:
        if time.monotonic() > deadline:
            raise UnavailableError("No picture came back.")
        await asyncio.sleep(0.01)
