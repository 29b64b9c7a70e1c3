"""The pure-Python broker inside the guardian process; nothing else imports amqtt."""

from __future__ import annotations

import asyncio
import hmac
import logging
import logging.handlers
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from amqtt.broker import Broker
from amqtt.errors import AMQTTError
from amqtt.plugins.base import BaseAuthPlugin

from core.field.broker import LOOPBACK, MAX_LOG_BYTES

SESSION_EXPIRY_S = 3600


class PasswordPlugin(BaseAuthPlugin):  # type: ignore[misc]
    """Lets in the users of this run, nobody else."""

    @dataclass
    class Config:
        """Passwords by user name."""

        passwords: dict[str, str] = field(default_factory=dict)

    async def authenticate(self, *, session: Any) -> bool:
        """Compare the password without telling by the time how much of it was right."""
        expected = self.config.passwords.get(session.username or "")
        given = session.password or ""
        return expected is not None and hmac.compare_digest(expected.encode(), given.encode())


def serve(folder: Path, port: int, passwords: dict[str, str], pipe: Connection) -> None:
    """Serve until the pipe closes."""
    handler = logging.handlers.RotatingFileHandler(
        folder / "broker.log", maxBytes=MAX_LOG_BYTES, backupCount=1, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    asyncio.run(_serve(port, passwords, pipe))


async def _serve(port: int, passwords: dict[str, str], pipe: Connection) -> None:
    plugin = f"{PasswordPlugin.__module__}.{PasswordPlugin.__qualname__}"
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{LOOPBACK}:{port}"}},
            "session_expiry_interval": SESSION_EXPIRY_S,
            "plugins": {plugin: {"passwords": passwords}},
        }
    )
    try:
        await broker.start()
    except AMQTTError as error:
        pipe.send(f"the built-in broker cannot listen on port {port} ({error})")
        return
    pipe.send("")
    await asyncio.to_thread(_wait_for_end, pipe)
    await asyncio.wait_for(broker.shutdown(), 2.0)


def _wait_for_end(pipe: Connection) -> None:
    while True:
        try:
            pipe.recv()
        except (EOFError, OSError):
            return
