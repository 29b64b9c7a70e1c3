"""The gateway's socket: uvicorn on the node's own loop, without its signals, and with an eye on idle connections."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from typing import Any

import h11
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from core.kernel.errors import BadInputError, UnavailableError

log = logging.getLogger(__name__)

HEADERS_S = 10.0
"""For the line and headers of a request to arrive."""

MAX_CONNECTIONS = 256
MAX_CONNECTIONS_OF_ADDRESS = 64
MAX_HEADER_BYTES = 16_384
MAX_IGNORED_BYTES = 1_000_000
"""Of a refused body so much is read and thrown away, so that its sender gets to the answer; then it is cut."""

KEEP_ALIVE_S = 15
MAX_MESSAGE_BYTES = 2 * 1024 * 1024
"""Of a WebSocket."""

PING_S = 10.0
"""A WebSocket that does not answer for so long is hung up."""

STOP_S = 3.0


class _Config(Config):
    """uvicorn's settings, and how many connections each address has."""

    per_address: Counter[str]


class WatchedProtocol(H11Protocol):
    """A connection that is closed where it says nothing for too long, and where there are too many of its kind."""

    config: _Config
    _deadline: asyncio.TimerHandle | None = None
    _is_counted = False
    _n_ignored = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, or hang up at once."""
        super().connection_made(transport)
        per_address = self.config.per_address
        address = self.client[0] if self.client else ""
        if len(self.connections) > MAX_CONNECTIONS or per_address[address] >= MAX_CONNECTIONS_OF_ADDRESS:
            transport.abort()
            return
        per_address[address] += 1
        self._is_counted = True
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        self._stop_waiting()
        if self._is_counted:
            self._is_counted = False
            _count_down(self.config.per_address, self.client)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over, with its place among those of its address."""
        self._stop_waiting()
        if self._is_counted:
            self._is_counted = False
            _count_down(self.config.per_address, self.client)
        super().handle_websocket_upgrade(event)

    def data_received(self, data: bytes) -> None:
        """Hand on what came; a request that does not get on is not waited for."""
        super().data_received(data)
        if self.transport.get_protocol() is not self:
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._n_ignored = 0
            self._stop_waiting()
            return
        if self._deadline is None:
            self._wait_for_request()
        self._n_ignored += len(data)
        if self._n_ignored > MAX_IGNORED_BYTES:
            self._give_up()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP with a sentence like every other refusal."""
        if self.conn.our_state in {h11.ERROR, h11.CLOSED, h11.MUST_CLOSE} or self.transport.is_closing():
            self.transport.close()
            return
        body = json.dumps({"error": "This is no request that can be read.", "hint": msg}).encode()
        headers = [("content-type", "application/json"), ("connection", "close"), ("content-length", str(len(body)))]
        with contextlib.suppress(h11.LocalProtocolError):
            for event in (
                h11.Response(status_code=400, headers=headers),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _wait_for_request(self) -> None:
        self._deadline = self.loop.call_later(HEADERS_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._stop_waiting()
        self.transport.abort()


class WatchedSocket(WebSocketsSansIOProtocol):
    """A WebSocket that goes on counting as a connection of its address."""

    config: _Config

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Go on counting."""
        super().connection_made(transport)
        self.config.per_address[self.client[0] if self.client else ""] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        _count_down(self.config.per_address, self.client)
        super().connection_lost(exc)


def _count_down(per_address: Counter[str], client: tuple[str, int] | None) -> None:
    address = client[0] if client else ""
    per_address[address] -= 1
    if per_address[address] <= 0:
        del per_address[address]


class _QuietServer(Server):
    """A server that leaves the process's signals to the node."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


class HttpServer:
    """Serves one ASGI application.

    Threads: the owner's loop only.
    """

    def __init__(self, app: Any, *, host: str, port: int, certificate_file: str = "", key_file: str = "") -> None:
        """Open nothing yet."""
        self._app = app
        self._host = host
        self._port = port
        self._certificate_file = certificate_file
        self._key_file = key_file
        self._server: _QuietServer | None = None
        self._task: asyncio.Task[None] | None = None
        self.address = ""

    @property
    def n_connections(self) -> int:
        """Connections that are open now."""
        return len(self._server.server_state.connections) if self._server is not None else 0

    async def start(self) -> None:
        """Listen.

        Raises:
            BadInputError: Another address than loopback without a certificate, or the certificate cannot be used.
            UnavailableError: The port is taken, or the address is not of this machine (yet).
        """
        tls = self._tls()
        listener = self._listen()
        config = _Config(
            self._app,
            http=WatchedProtocol,
            ws=WatchedSocket,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PING_S,
            # Unpacking is work that a sender could make us do.
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=int(STOP_S),
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            ssl_context_factory=(lambda _config, _default: tls) if tls is not None else None,
        )
        config.per_address = Counter()
        self._server = _QuietServer(config)
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[listener]))
        host, port = listener.getsockname()[:2]
        self.address = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.005)
        if self._task.done():
            await self._task
        log.info("the gateway listens on %s", self.address)

    async def wait(self, timeout_s: float) -> bool:
        """Wait so long; True where the server ended by itself meanwhile."""
        if self._task is None:
            return True
        done, _ = await asyncio.wait({self._task}, timeout=timeout_s)
        return bool(done)

    async def stop(self) -> None:
        """End every connection and let the port go."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(self._task), STOP_S + 1.0)
        for connection in tuple(self._server.server_state.connections):
            connection.transport.abort()
        for task in tuple(self._server.server_state.tasks):
            task.cancel()
        if not self._task.done():
            self._task.cancel()
        await asyncio.gather(self._task, *self._server.server_state.tasks, return_exceptions=True)
        self._server = self._task = None
        self.address = ""

    def _tls(self) -> ssl.SSLContext | None:
        if not self._certificate_file:
            if not is_loopback(self._host):
                raise BadInputError(
                    f"The gateway does not listen on {self._host} without a certificate.",
                    hint="Set gateway.certificate_file and gateway.key_file, or gateway.host = '127.0.0.1'.",
                )
            return None
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            tls.load_cert_chain(self._certificate_file, self._key_file or None)
        except (OSError, ssl.SSLError) as error:
            raise BadInputError(
                f"The gateway's certificate {self._certificate_file} cannot be used ({error}).",
                hint="Check gateway.certificate_file and gateway.key_file.",
            ) from error
        return tls

    def _listen(self) -> socket.socket:
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            return socket.create_server((self._host, self._port), family=family, backlog=128)
        except OSError as error:
            raise UnavailableError(
                f"The gateway cannot listen on {self._host}:{self._port} ({error.strerror or error}).",
                hint="End the program that uses the port, or choose another gateway.port.",
            ) from error


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
