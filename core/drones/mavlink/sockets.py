"""Where bytes of MAVLink come from, and the one way out: `send`, which only the active profile of a link uses."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from core.drones.mavlink.address import LinkAddress
from core.drones.mavlink.frames import MAX_FRAME_BYTES
from core.drones.mavlink.tlog import read_tlog_file
from core.drones.model import LinkKind
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, UnavailableError

BATCH_S = 0.02
"""Datagrams wait in the system's buffer for so long: one wake for many of them."""

MAX_BATCH = 400
MAX_DATAGRAM = 9_000
"""A jumbo packet; a drone's are below 1,500 bytes, and what is longer is cut."""

SILENT_S, PROBE_EVERY_S, PROBES = 10, 5, 3
"""A TCP connection that brings nothing is probed by the system, and given up when nobody answers."""

RECEIVE_BYTES = 4 * 1024 * 1024
READ_BYTES = 65_536
CONNECT_TIMEOUT_S = 5.0
SERIAL_TIMEOUT_S = 0.2
MAX_UNSENT_BYTES = 4096
"""What a link does not take is left out: nothing that is asked is worth waiting in a queue."""

LONGEST_GAP_S = 5.0
"""Of a played file: longer silences are cut to it."""

Feed = Callable[[bytes, datetime, str], None]
"""Takes bytes, their arrival and their sender."""


class Source(Protocol):
    """Brings bytes until it ends or is cancelled.

    Attributes:
        where: The address where it listens, where that says more than the settings; empty otherwise.
        n_bytes_sent: What the system took from us; 0 as long as nobody calls `send`.
        can_send: There is somebody at the other end.
    """

    where: str
    n_bytes_sent: int
    can_send: bool

    def send(self, data: bytes, path: str, /) -> None:
        """Send one message to a sender of ours; what cannot go at once is left out."""
        ...

    async def run(self, feed: Feed, on_open: Callable[[], None]) -> None:
        """Open, say so, and hand on what comes.

        Raises:
            OSError: It cannot be opened, or broke.
            ConsoleError: It cannot be opened, with the way out.
        """
        ...


class _Source:
    """What every source has."""

    can_send = True

    def __init__(self, address: LinkAddress, clock: Clock) -> None:
        """Know where, and what time it is."""
        self.where = ""
        self.n_bytes_sent = 0
        self._address = address
        self._clock = clock


class UdpSource(_Source):
    """Listens on a port; each sender is a path of its own."""

    def __init__(self, address: LinkAddress, clock: Clock) -> None:
        """Listen at an address."""
        super().__init__(address, clock)
        self._bound: asyncio.Event = asyncio.Event()
        self._port = 0
        self._socket: socket.socket | None = None

    def send(self, data: bytes, path: str, /) -> None:
        """See `Source.send`."""
        host, _, port = path.rpartition(":")
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self.n_bytes_sent += self._socket.sendto(data, (host, int(port)))

    async def bound_port(self) -> int:
        """Wait until it listens; returns the port."""
        await self._bound.wait()
        return self._port

    async def run(self, feed: Feed, on_open: Callable[[], None]) -> None:
        """See `Source.run`."""
        loop = asyncio.get_running_loop()
        with self._open() as listening:
            self._port = listening.getsockname()[1]
            self._bound.set()
            self.where = f"udp:{self._address.host}:{self._port}"
            on_open()
            while True:
                data, sender = await loop.sock_recvfrom(listening, MAX_DATAGRAM)
                at = self._clock.now()
                for _ in range(MAX_BATCH):
                    feed(data, at, f"{sender[0]}:{sender[1]}")
                    try:
                        data, sender = listening.recvfrom(MAX_DATAGRAM)
                    except OSError:
                        break
                await asyncio.sleep(BATCH_S)

    @contextmanager
    def _open(self) -> Iterator[socket.socket]:
        where = socket.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(where[0], socket.SOCK_DGRAM) as listening:
            listening.setblocking(False)
            with contextlib.suppress(OSError):
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            listening.bind(where[4])
            self._socket = listening
            try:
                yield listening
            finally:
                self._socket = None


class TcpSource(_Source):
    """Connects to a server that speaks MAVLink: a simulator, a modem, or mavlink-router's tap on port 5760."""

    def __init__(self, address: LinkAddress, clock: Clock) -> None:
        """Connect to an address."""
        super().__init__(address, clock)
        self._writer: asyncio.StreamWriter | None = None

    def send(self, data: bytes, _path: str, /) -> None:
        """See `Source.send`."""
        writer = self._writer
        if writer is None or writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            return
        writer.write(data)
        self.n_bytes_sent += len(data)

    async def run(self, feed: Feed, on_open: Callable[[], None]) -> None:
        """See `Source.run`."""
        async with self._connected() as reader:
            on_open()
            while data := await reader.read(READ_BYTES):
                feed(data, self._clock.now(), "")
        raise UnavailableError("The other side closed the connection.", hint="It is tried again by itself.")

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncio.StreamReader]:
        opening = asyncio.open_connection(self._address.host, self._address.port)
        reader, writer = await asyncio.wait_for(opening, CONNECT_TIMEOUT_S)
        _probe_when_silent(writer.get_extra_info("socket"))
        self._writer = writer
        try:
            yield reader
        finally:
            self._writer = None
            writer.close()


def _probe_when_silent(connection: socket.socket) -> None:
    """Have the system notice that the other side lost its power: who only listens never hears of it otherwise."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", SILENT_S), ("TCP_KEEPINTVL", PROBE_EVERY_S), ("TCP_KEEPCNT", PROBES)):
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


class SerialSource(_Source):
    """Reads a radio at a serial port, on a thread of its own."""

    def __init__(self, address: LinkAddress, clock: Clock) -> None:
        """Read a device."""
        super().__init__(address, clock)
        self._unsent: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def send(self, data: bytes, _path: str, /) -> None:
        """See `Source.send`; the thread that reads the port writes it."""
        if self._unsent.qsize() < MAX_UNSENT_BYTES // MAX_FRAME_BYTES:
            self._unsent.put(data)

    def _count_sent(self, n_bytes: int) -> None:
        self.n_bytes_sent += n_bytes

    async def run(self, feed: Feed, on_open: Callable[[], None]) -> None:
        """See `Source.run`."""
        try:
            import serial
        except ImportError as error:
            raise UnavailableError(
                "Serial ports need the library pyserial, which is not installed here.",
                hint="Install it, or let mavlink-router serve the radio by TCP.",
            ) from error
        device = await asyncio.to_thread(
            serial.serial_for_url, self._address.path, baudrate=self._address.baud, timeout=SERIAL_TIMEOUT_S
        )
        stopping = threading.Event()
        pieces: asyncio.Queue[bytes] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self._unsent = unsent = queue.SimpleQueue[bytes]()
        ways = _SerialWays(loop=loop, unsent=unsent, put=pieces.put_nowait, count=self._count_sent)
        reading = asyncio.create_task(asyncio.to_thread(_serve_serial, device, stopping, ways))
        try:
            on_open()
            while True:
                piece = asyncio.create_task(pieces.get())
                await asyncio.wait({piece, reading}, return_when=asyncio.FIRST_COMPLETED)
                if not piece.done():
                    piece.cancel()
                    reading.result()
                    raise UnavailableError("The serial port is gone.", hint="Check the radio's cable.")
                feed(piece.result(), self._clock.now(), "")
        finally:
            stopping.set()
            with contextlib.suppress(OSError):
                await asyncio.shield(reading)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SerialWays:
    """Between the thread of a serial port and the node's loop."""

    loop: asyncio.AbstractEventLoop
    unsent: queue.SimpleQueue[bytes]
    put: Callable[[bytes], None]
    count: Callable[[int], None]


def _serve_serial(port: Any, stopping: threading.Event, ways: _SerialWays) -> None:
    """Hand on what a port brings, and write what is to go out, until it is told to stop."""
    with contextlib.closing(port):
        while not stopping.is_set():
            data = port.read(1) + port.read(port.in_waiting)
            if data:
                ways.loop.call_soon_threadsafe(ways.put, data)
            with contextlib.suppress(queue.Empty):
                while True:
                    ways.loop.call_soon_threadsafe(ways.count, port.write(ways.unsent.get_nowait()))


class FileSource(_Source):
    """Plays a telemetry log as if it arrived now."""

    can_send = False

    def send(self, data: bytes, path: str, /) -> None:
        """Nobody hears: a file is no drone."""

    async def run(self, feed: Feed, on_open: Callable[[], None]) -> None:
        """See `Source.run`; once through, it holds still."""
        file = Path(self._address.path)
        try:
            entries = await asyncio.to_thread(lambda: list(read_tlog_file(file)))
        except OSError as error:
            raise BadInputError(
                f"The log {file} cannot be read ({error.strerror}).", hint="Check the link's path."
            ) from error
        on_open()
        before: datetime | None = None
        behind_s = 0.0
        for at, data in entries:
            behind_s += 0.0 if before is None else min(LONGEST_GAP_S, max(0.0, (at - before).total_seconds()))
            before = at
            if behind_s >= BATCH_S:
                await asyncio.sleep(behind_s)
                behind_s = 0.0
            feed(data, self._clock.now(), "")
        await asyncio.Event().wait()


_SOURCES: dict[LinkKind, Callable[[LinkAddress, Clock], Source]] = {
    LinkKind.UDP: UdpSource,
    LinkKind.TCP: TcpSource,
    LinkKind.SERIAL: SerialSource,
    LinkKind.FILE: FileSource,
}


def make_source(address: LinkAddress, clock: Clock) -> Source:
    """Return what brings the bytes of a link."""
    return _SOURCES[address.kind](address, clock)
