"""The console's way to its node: find or start it, connect, sign in, and come back when it was gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.access.model import Session
from core.kernel.errors import BadInputError, ConsoleError, NotPermittedError, UnavailableError
from core.kernel.paths import Folders
from core.kernel.zone import set_site_zone
from core.link.client import LinkClient
from core.link.protocol import PROTOCOL
from core.node.live import Snapshot
from core.node.model import SiteInfo

log = logging.getLogger(__name__)

NODE_START_TIMEOUT_S = 30.0
FIRST_RETRY_S = 0.25
MAX_RETRY_S = 5.0
READY_POLL_S = 0.05


class ConnectionState(StrEnum):
    """What the window shows instead of, or around, the room."""

    STARTING = "starting"
    CONNECTING = "connecting"
    SIGNED_OUT = "signed_out"
    FIRST_RUN = "first_run"
    SIGNED_IN = "signed_in"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAddress:
    """Where a node listens, and the key that proves we are on its machine."""

    host: str
    port: int
    key: str = ""
    pid: int = 0


class NodeConnection(QObject):
    """Owns the link; everything else asks through `call`.

    Signals:
        state_changed(str, str): ConnectionState and a sentence about it.
        pushed(object): Live changes as plain data.
        snapshot_received(object): A `Snapshot`, after sign-in and after every reconnect.
        session_changed(object): The `Session`, or None.
    """

    state_changed = Signal(str, str)
    pushed = Signal(object)
    snapshot_received = Signal(object)
    session_changed = Signal(object)

    def __init__(
        self, folders: Folders, *, node: str, node_arguments: tuple[str, ...], desk: str, ca_file: str = ""
    ) -> None:
        """Connect to `node` ("host:port"), or to this data folder's own node, which is started when needed."""
        super().__init__()
        self.folders = folders
        self._node = node
        self._node_arguments = node_arguments
        self._ca_file = ca_file
        self.desk = desk
        self.site: SiteInfo | None = None
        self.session: Session | None = None
        self.state = ConnectionState.STARTING
        self.is_remote = False
        self._client: LinkClient | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()
        self._hurry = asyncio.Event()
        self.retry_in_s = FIRST_RETRY_S
        self._wants_demo_sign_in = True
        self._key = ""
        self._held: list[Any] | None = None

    @property
    def machine(self) -> str:
        """Where the node runs, as this console calls it; empty where it is this machine."""
        return self._node.rpartition(":")[0] if self.is_remote else ""

    @property
    def address(self) -> str:
        """The node's as this console was told it, "host:port"; empty for the own one of the data folder."""
        return self._node

    def start(self) -> None:
        """Begin; the state changes tell how it goes."""
        self._task = asyncio.get_event_loop().create_task(self._stay_connected())

    def retry_now(self) -> None:
        """Do not wait for the next try."""
        self._hurry.set()

    async def close(self) -> None:
        """End the link; a node that this console started ends by itself once nobody uses it."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._client is not None:
            await self._client.close()
        if self._child is not None:
            # It notices that no console is left; waiting keeps "no process left behind" true.
            await asyncio.to_thread(_await_end, self._child, 12.0)

    async def call(self, verb: str, kind: type[Any] | None = None, **args: Any) -> Any:
        """Ask the node; raises ConsoleError with the node's sentence."""
        if self._client is None:
            raise UnavailableError("The node is not connected.", hint="The console goes on trying to reach it.")
        return await self._client.call(verb, kind, **args)

    async def sign_in(self, name: str, password: str) -> None:
        """Sign in; raises ConsoleError with the reason."""
        session = await self.call("session.sign_in", Session, name=name, password=password, desk=self.desk)
        await self._enter(session)

    async def create_administrator(self, name: str, password: str) -> None:
        """Make the first account of this installation and sign in with it."""
        await self.call("session.create_administrator", name=name, password=password, desk=self.desk, key=self._key)
        await self.sign_in(name, password)

    async def sign_out(self) -> None:
        """End the session; the window goes back to the door."""
        self._wants_demo_sign_in = False
        with contextlib.suppress(ConsoleError):
            await self.call("session.sign_out")
        self._set_session(None)
        self._set_state(ConnectionState.SIGNED_OUT, "")

    async def _stay_connected(self) -> None:
        delay_s = FIRST_RETRY_S
        while True:
            try:
                address = await self._find_node()
                await self._connect(address)
                delay_s = FIRST_RETRY_S
                await self._gone.wait()
                self.retry_in_s = delay_s * random.uniform(0.7, 1.3)
                self._set_state(ConnectionState.GONE, "The node is gone; the console reconnects by itself.")
            except ConsoleError as error:
                log.info("no node yet: %s", error)
                self.retry_in_s = delay_s * random.uniform(0.7, 1.3)
                self._set_state(
                    ConnectionState.CONNECTING if self.session is None else ConnectionState.GONE, str(error)
                )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), self.retry_in_s)
            self._hurry.clear()
            delay_s = min(MAX_RETRY_S, delay_s * 2)

    async def _find_node(self) -> NodeAddress:
        if self._node:
            host, _, port = self._node.rpartition(":")
            if not host or not port.isdigit():
                raise BadInputError(f"{self._node!r} is no node address.", hint="Write it as host:port.")
            return NodeAddress(host=host, port=int(port))
        found = read_node_file(self.folders.node_file)
        if found is not None and await _answers(found):
            return found
        return await self._start_node()

    async def _start_node(self) -> NodeAddress:
        if self._child is None or self._child.poll() is not None:
            self._set_state(ConnectionState.STARTING, "Starting the node…")
            self._child = subprocess.Popen(
                [*own_command(), "node", "--data", str(self.folders.data), "--while-used", *self._node_arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=None,
            )
        started_s = time.monotonic()
        while time.monotonic() - started_s < NODE_START_TIMEOUT_S:
            found = read_node_file(self.folders.node_file)
            if found is not None and found.pid == self._child.pid:
                return found
            if found is not None and await _answers(found):
                return found  # Another console was faster; its node serves us too.
            if self._child.poll() is not None:
                raise UnavailableError(
                    f"The node ended while it started (exit code {self._child.returncode}).",
                    hint=f"{self.folders.logs / 'node.log'} says why.",
                )
            await asyncio.sleep(0.03)
        raise UnavailableError("The node did not start in time.", hint=f"See {self.folders.logs / 'node.log'}.")

    async def _connect(self, address: NodeAddress) -> None:
        self._gone = asyncio.Event()
        gone = self._gone
        client = LinkClient(on_push=self._on_push, on_gone=lambda _reason: gone.set())
        tls = None
        self.is_remote = address.host not in ("127.0.0.1", "::1", "localhost")
        if self.is_remote:
            tls = ssl.create_default_context(cafile=self._ca_file or None)
        await client.connect(address.host, address.port, tls)
        if self._client is not None:
            await self._client.close()
        self._client = client
        self._key = address.key
        self.site = await client.call("session.hello", SiteInfo, desk=self.desk)
        if self.site.protocol != PROTOCOL:
            raise BadInputError(
                f"The node speaks link version {self.site.protocol}, this console {PROTOCOL}.",
                hint="Install the same version on both.",
            )
        set_site_zone(self.site.timezone)
        while not self.site.is_ready:
            # The node says what it is waiting for: a database that is locked, or still being opened.
            self._set_state(ConnectionState.CONNECTING, " ".join(self.site.notices))
            await asyncio.sleep(READY_POLL_S)
            self.site = await client.call("session.hello", SiteInfo, desk=self.desk)
        await self._open_door()

    async def _open_door(self) -> None:
        """Take the old session up again, use the demo's, or ask who is there."""
        assert self.site is not None
        if self.session is not None:
            try:
                await self._enter(await self.call("session.resume", Session, token=self.session.token))
                return
            except NotPermittedError:
                self._set_session(None)
        if self.site.is_demo and self._wants_demo_sign_in and self._key:
            await self._enter(await self.call("session.demo", Session, key=self._key, desk=self.desk))
            return
        if self.site.needs_administrator:
            self._set_state(ConnectionState.FIRST_RUN, "")
        else:
            self._set_state(ConnectionState.SIGNED_OUT, "")

    async def _enter(self, session: Session) -> None:
        self._set_session(session)
        # Changes that overtake the snapshot are kept and told after it, in their order: none may be lost under it.
        self._held = []
        try:
            self.snapshot_received.emit(await self.call("room.snapshot", Snapshot))
        finally:
            held, self._held = self._held, None
        for data in held:
            self.pushed.emit(data)
        self._set_state(ConnectionState.SIGNED_IN, "")

    def _set_session(self, session: Session | None) -> None:
        self.session = session
        self.session_changed.emit(session)

    def _set_state(self, state: ConnectionState, sentence: str) -> None:
        self.state = state
        self.state_changed.emit(state.value, sentence)

    def _on_push(self, topic: str, data: Any) -> None:
        if topic == "changes" and self._held is not None:
            self._held.append(data)
        elif topic == "changes":
            self.pushed.emit(data)
        elif topic == "signed_out":
            self._set_session(None)
            self._set_state(ConnectionState.SIGNED_OUT, str(data))


def own_command() -> list[str]:
    """Return the command that starts this program, frozen or from the source tree."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    return [sys.executable, str(Path(__file__).resolve().parents[1] / "main.py")]


def read_node_file(path: Path) -> NodeAddress | None:
    """Return what a running node wrote, or None."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return NodeAddress(host=data["host"], port=int(data["port"]), key=data["key"], pid=int(data["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def _answers(address: NodeAddress) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address.host, address.port), 1.0)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _await_end(child: subprocess.Popen[bytes], timeout_s: float) -> None:
    try:
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        log.warning("the node did not end within %.0f s and is terminated", timeout_s)
        child.terminate()
        try:
            child.wait(5.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(5.0)
