"""The node's door for consoles: verbs in, answers and live pushes out."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import ipaddress
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_type_hints

import msgspec

from core.kernel.errors import BadInputError, ConsoleError, NotPermittedError
from core.link import protocol

log = logging.getLogger(__name__)

Verb = Callable[..., Awaitable[Any]]
MAX_PEERS = 64
MAX_UNSENT_BYTES = 8 * 1024 * 1024
SIGN_IN_TIMEOUT_S = 300.0


class Peer:
    """One connected console.

    Attributes:
        state: Whatever the verbs keep about it; the server only asks `is_trusted`.
        is_trusted: Somebody is signed in: larger messages and every verb are allowed.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        """Serve the console behind `writer`."""
        self._writer = writer
        self.state: dict[str, Any] = {}
        self.is_trusted = False
        name = writer.get_extra_info("peername")
        self.address = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "?"

    def push(self, topic: str, data: Any) -> None:
        """Send without waiting; a console that does not read is cut off and starts afresh with a snapshot."""
        self._send(protocol.encode(["p", topic, data]))

    def push_encoded(self, frame: bytes) -> None:
        """Send an already framed push: the same bytes for every console."""
        self._send(frame)

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.close()

    def _send(self, frame: bytes) -> None:
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.warning("console %s does not read, its connection is ended", self.address)
            transport.abort()
            return
        self._writer.write(frame)


class LinkServer:
    """Accepts consoles and runs verbs.

    A verb is `async def verb(peer, *, name: type, ...)`; its arguments are checked against the annotations. Verbs whose
    name is in `open_verbs` run before sign-in, all others need `peer.is_trusted`.
    """

    def __init__(
        self,
        verbs: Mapping[str, Verb],
        *,
        open_verbs: frozenset[str],
        on_gone: Callable[[Peer], None] = lambda _peer: None,
        on_waiting: Callable[[bool], None] = lambda _is_waiting: None,
    ) -> None:
        """Serve `verbs`.

        `on_gone` hears of every connection that ended, `on_waiting` when a console begins to wait for an answer, and
        when none does any more.
        """
        self._verbs = {name: (verb, _arguments_of(verb)) for name, verb in verbs.items()}
        self._open_verbs = open_verbs
        self._on_gone = on_gone
        self._on_waiting = on_waiting
        self._n_waiting = 0
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.peers: set[Peer] = set()
        self.n_errors = 0

    @property
    def is_waited_for(self) -> bool:
        """Some console waits for an answer."""
        return self._n_waiting > 0

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen, beside what is listened to already; returns the port.

        Raises:
            BadInputError: Another address than loopback without TLS, or the port is taken.
        """
        if tls is None and not _is_loopback(host):
            raise BadInputError(
                f"The node does not listen on {host} without a certificate.",
                hint="Set link.certificate_file and link.key_file, or link.host = '127.0.0.1'.",
            )
        try:
            server = await asyncio.start_server(self._serve, host, port, ssl=tls)
        except OSError as error:
            raise BadInputError(
                f"The node cannot listen on {host}:{port} ({error.strerror or error}).",
                hint="Choose another link.port or end the program that uses it.",
            ) from error
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close every connection and wait for the verbs in progress."""
        for server in self._servers:
            server.close()
        for peer in tuple(self.peers):
            peer.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.wait_closed(), 2.0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self.peers) >= MAX_PEERS:
            log.warning("a console is refused: %d are connected already", MAX_PEERS)
            writer.close()
            return
        peer = Peer(writer)
        self.peers.add(peer)
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            await self._read_requests(peer, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError, asyncio.CancelledError):
            pass  # The console closed, went away or stayed silent; or the node stops.
        except BadInputError as error:
            log.warning("console %s is cut off: %s", peer.address, error)
        finally:
            self.peers.discard(peer)
            if task is not None:
                self._tasks.discard(task)
            peer.close()
            self._on_gone(peer)

    async def _read_requests(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                if peer.is_trusted:
                    body = await protocol.read_message(reader, max_bytes=protocol.MAX_FRAME_BYTES)
                else:
                    limit = protocol.MAX_FRAME_BYTES_BEFORE_SIGN_IN
                    body = await asyncio.wait_for(protocol.read_message(reader, max_bytes=limit), SIGN_IN_TIMEOUT_S)
                if body[0] != "q" or len(body) != 4 or not isinstance(body[1], int):
                    raise BadInputError("The console sent something that is no request.")
                # Verbs may take a while (a camera test): they must not hold up an acknowledge behind them.
                task = asyncio.create_task(self._answer(peer, writer, body[1], body[2], body[3]))
                running.add(task)
                task.add_done_callback(running.discard)
        finally:
            for task in running:
                task.cancel()

    async def _answer(self, peer: Peer, writer: asyncio.StreamWriter, number: int, name: Any, args: Any) -> None:
        self._n_waiting += 1
        if self._n_waiting == 1:
            self._on_waiting(True)
        try:
            frame = protocol.encode(["a", number, await self._run(peer, name, args)])
        except ConsoleError as error:
            frame = protocol.encode(["e", number, error.kind, error.message, error.hint])
        except asyncio.CancelledError:
            raise
        except Exception:
            # The door for errors of the node: the console gets a sentence, the log the trace.
            self.n_errors += 1
            log.exception("verb %s failed", name)
            frame = protocol.encode(["e", number, "bug", "Something broke in the node.", "The log has the details."])
        finally:
            self._n_waiting -= 1
            if self._n_waiting == 0:
                self._on_waiting(False)
        if not writer.transport.is_closing():
            writer.write(frame)

    async def _run(self, peer: Peer, name: Any, args: Any) -> Any:
        if not isinstance(name, str) or name not in self._verbs:
            raise BadInputError(f"The node has no verb {name!r}.", hint="Console and node are of different versions.")
        if name not in self._open_verbs and not peer.is_trusted:
            raise NotPermittedError("Nobody is signed in at this console.", hint="Sign in first.")
        verb, kind = self._verbs[name]
        try:
            checked = msgspec.convert(args, kind)
        except msgspec.ValidationError as error:
            raise BadInputError(f"The request {name} does not fit: {error}.") from error
        return await verb(peer, **{field: getattr(checked, field) for field in kind.__struct_fields__})


def _arguments_of(verb: Verb) -> type[msgspec.Struct]:
    """Build the type that checks a verb's keyword arguments."""
    hints = get_type_hints(verb)
    fields: list[Any] = []
    for parameter in inspect.signature(verb).parameters.values():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        kind = hints[parameter.name]
        if parameter.default is inspect.Parameter.empty:
            fields.append((parameter.name, kind))
        else:
            fields.append((parameter.name, kind, parameter.default))
    return msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
