"""The console's end of the link."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from typing import Any, TypeVar, overload

import msgspec

from core.kernel.errors import BadInputError, UnavailableError, error_of_kind
from core.link import protocol

log = logging.getLogger(__name__)
T = TypeVar("T")
ANSWER_TIMEOUT_S = 20.0


class LinkClient:
    """One connection to a node; made anew for every attempt.

    Threads: everything on the loop that called `connect`.
    """

    def __init__(self, *, on_push: Callable[[str, Any], None], on_gone: Callable[[str], None]) -> None:
        """`on_push(topic, data)` hears live changes, `on_gone(reason)` the end of the connection, once."""
        self._on_push = on_push
        self._on_gone = on_gone
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0

    @property
    def is_connected(self) -> bool:
        """The connection stands as far as this side knows."""
        return self._writer is not None and not self._writer.transport.is_closing()

    async def connect(self, host: str, port: int, tls: ssl.SSLContext | None = None, *, timeout_s: float = 5.0) -> None:
        """Open the connection.

        Raises:
            UnavailableError: Nobody answers there.
        """
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port, ssl=tls), timeout_s)
        except (OSError, TimeoutError) as error:
            raise UnavailableError(
                f"The node at {host}:{port} does not answer ({error or 'timed out'}).",
                hint="Is it running? The console goes on trying.",
            ) from error
        self._writer = writer
        self._task = asyncio.create_task(self._read(reader))

    async def close(self) -> None:
        """End the connection; open requests fail."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._writer is not None:
            self._writer.close()

    @overload
    async def call(self, verb: str, kind: type[T], **args: Any) -> T: ...
    @overload
    async def call(self, verb: str, kind: None = None, **args: Any) -> Any: ...

    async def call(self, verb: str, kind: type[Any] | None = None, **args: Any) -> Any:
        """Ask the node.

        Args:
            verb: Name of the verb.
            kind: Type of the answer; None leaves it as plain data.
            args: Its arguments; dataclasses are allowed.

        Raises:
            ConsoleError: The node refused, with its sentence; UnavailableError when the link is gone or slow.
        """
        if self._writer is None or self._writer.transport.is_closing():
            raise UnavailableError("The node is not connected.", hint="The console goes on trying to reach it.")
        self._number += 1
        number = self._number
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        body = ["q", number, verb, msgspec.to_builtins(args, builtin_types=(bytes,))]
        try:
            self._writer.write(protocol.encode(body))
            answer = await asyncio.wait_for(future, ANSWER_TIMEOUT_S)
        except TimeoutError as error:
            raise UnavailableError(f"The node did not answer {verb} within {ANSWER_TIMEOUT_S:.0f} s.") from error
        finally:
            self._waiting.pop(number, None)
        if kind is None:
            return answer
        try:
            return msgspec.convert(answer, kind)
        except msgspec.ValidationError as error:
            raise BadInputError(
                f"The node answered {verb} in a way this console does not know ({error}).",
                hint="Console and node are of different versions.",
            ) from error

    async def _read(self, reader: asyncio.StreamReader) -> None:
        reason = "the connection to the node ended"
        try:
            while True:
                body = await protocol.read_message(reader, max_bytes=protocol.MAX_FRAME_BYTES)
                if body[0] == "p":
                    self._on_push(body[1], body[2])
                    # Several that came at once are told in turns of their own: each may be about thousands of devices.
                    await asyncio.sleep(0)
                elif body[0] == "a":
                    self._settle(body[1], body[2], None)
                elif body[0] == "e":
                    self._settle(body[1], None, error_of_kind(body[2], body[3], body[4]))
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            pass
        except BadInputError as error:
            reason = str(error)
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(
                        UnavailableError("The node is gone.", hint="The console reconnects by itself.")
                    )
            if self._writer is not None:
                self._writer.close()
            self._on_gone(reason)

    def _settle(self, number: int, result: Any, error: Exception | None) -> None:
        future = self._waiting.get(number)
        if future is None or future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
