"""Does the gateway serve on this machine? Asked by the self-test: real guard and server, an empty room, no keys."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

from core.gateway.http.app import OPENAPI, guard_app
from core.gateway.http.book import Book
from core.gateway.http.keys import KeyDesk
from core.gateway.http.openapi import empty_room
from core.gateway.http.server import HttpServer
from core.kernel.clock import SystemClock
from core.kernel.errors import UnavailableError

TIMEOUT_S = 10.0


async def serve_once() -> int:
    """Serve on a free port of this machine and ask; returns the number of addresses that are described.

    Raises:
        UnavailableError: It does not answer as it should.
    """
    room = empty_room()
    keys = KeyDesk(cast(Any, None), SystemClock())
    server = HttpServer(guard_app(room, keys=keys, book=Book(keys, room.clock)), host="127.0.0.1", port=0)
    await server.start()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            status, document = await _ask(server, OPENAPI)
    except TimeoutError as error:
        raise UnavailableError("The gateway does not answer on this machine.", hint="Look for a firewall.") from error
    finally:
        await server.stop()
    if status != 200:
        raise UnavailableError(f"The gateway answers with {status} instead of 200.")
    return len(json.loads(document)["paths"])


async def _ask(server: HttpServer, path: str) -> tuple[int, bytes]:
    host, port = server.address.removeprefix("http://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        return int(head.split()[1]), body
    finally:
        writer.close()
