"""What the core sends and must not lose: commands, kept in a file of their own until they are answered or expired."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from core.field.model import CommandStatus, DeviceCommand
from core.kernel.clock import format_at, parse_at
from core.kernel.errors import UnavailableError
from core.store.rows import storable

T = TypeVar("T")

_TABLES = """
CREATE TABLE IF NOT EXISTS command (
    command_id TEXT PRIMARY KEY, device_id TEXT NOT NULL, name TEXT NOT NULL, topic TEXT NOT NULL,
    body BLOB NOT NULL, status TEXT NOT NULL, text TEXT NOT NULL, sent_by TEXT NOT NULL,
    created_at TEXT NOT NULL, expires_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class Outbox:
    """Commands on their way, in SQLite with every commit on the disk before it counts.

    Threads: the owner's loop; the file is touched on a thread of the outbox's own.
    """

    def __init__(self, file: Path) -> None:
        """Keep the commands in `file`; `open` makes it."""
        self._file = file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._connection: sqlite3.Connection | None = None
        self.epoch = 0
        """Number of this start of the core, or of the last time its clock was set back; higher than all before."""

    async def open(self) -> list[tuple[DeviceCommand, str, bytes]]:
        """Open the file and return what was not settled when the core last ended: command, topic, body.

        Raises:
            UnavailableError: The file cannot be used.
        """
        return await self._run(self._open)

    async def add(self, kept: Sequence[tuple[DeviceCommand, str, bytes]]) -> None:
        """Keep commands with their topics and bodies, all or none; they count as sent from here on.

        Raises:
            UnavailableError: The file cannot be written.
        """
        await self._run(lambda: self._add(kept))

    async def note(self, commands: Sequence[DeviceCommand]) -> None:
        """Keep what became of commands.

        Raises:
            UnavailableError: The file cannot be written.
        """
        await self._run(lambda: self._note(commands))

    async def settle(self, command_ids: Sequence[str]) -> None:
        """Forget commands: how each ended is in the database.

        Raises:
            UnavailableError: The file cannot be written.
        """
        await self._run(lambda: self._settle(command_ids))

    async def begin_epoch(self) -> None:
        """Let what is said from now on be told apart from what was said before.

        Raises:
            UnavailableError: The file cannot be written.
        """
        self.epoch = await self._run(self._next_epoch)

    async def close(self) -> None:
        """Let the file go."""
        with contextlib.suppress(UnavailableError):
            await self._run(self._close)
        self._thread.shutdown(wait=True)

    async def _run(self, fn: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, fn)
        except (sqlite3.Error, OSError) as error:
            raise UnavailableError(
                f"The outbox {self._file} cannot be used: {error}.", hint="Check the disk and the folder's permissions."
            ) from error

    def _open(self) -> list[tuple[DeviceCommand, str, bytes]]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connect()
        except sqlite3.DatabaseError:
            # A damaged outbox must not keep the room shut; the file is kept for whoever wants to look.
            self._close()
            self._file.replace(self._file.with_suffix(".damaged"))
            self._connect()
        self.epoch = self._next_epoch()
        rows = self._db().execute(
            "SELECT command_id, device_id, name, status, text, sent_by, created_at, expires_at, topic, body "
            "FROM command ORDER BY command_id"
        )
        return [(_command(row[:8]), str(row[8]), bytes(row[9])) for row in rows]

    def _next_epoch(self) -> int:
        with self._db() as db:
            db.execute("INSERT INTO fact VALUES ('epoch', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1")
            return int(db.execute("SELECT value FROM fact WHERE key = 'epoch'").fetchone()[0])

    def _connect(self) -> None:
        self._connection = sqlite3.connect(self._file, check_same_thread=False, timeout=5.0)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_TABLES)

    def _add(self, kept: Sequence[tuple[DeviceCommand, str, bytes]]) -> None:
        values = [
            (
                command.command_id,
                command.device_id,
                command.name,
                topic,
                body,
                command.status.value,
                command.text,
                command.sent_by,
                format_at(command.created_at),
                format_at(command.expires_at),
            )
            for command, topic, body in kept
        ]
        with self._db() as db:
            db.executemany("INSERT INTO command VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def _note(self, commands: Sequence[DeviceCommand]) -> None:
        values = [(command.status.value, storable(command.text), command.command_id) for command in commands]
        with self._db() as db:
            db.executemany("UPDATE command SET status = ?, text = ? WHERE command_id = ?", values)

    def _settle(self, command_ids: Sequence[str]) -> None:
        with self._db() as db:
            db.executemany("DELETE FROM command WHERE command_id = ?", [(command_id,) for command_id in command_ids])

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.ProgrammingError("the outbox is not open")
        return self._connection


def _command(row: tuple[str, ...]) -> DeviceCommand:
    command_id, device_id, name, status, text, sent_by, created_at, expires_at = row
    return DeviceCommand(
        command_id=command_id,
        device_id=device_id,
        name=name,
        status=CommandStatus(status),
        text=text,
        sent_by=sent_by,
        created_at=_at(created_at),
        expires_at=_at(expires_at),
    )


def _at(text: str) -> datetime:
    return parse_at(text.replace("Z", "+00:00"))
