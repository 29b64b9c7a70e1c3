"""What a device must still know after a power cut: one SQLite file for outbox, commands and twin."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from core.field.payloads import CommandResult

N_COMMANDS_KEPT = 256


def open_memory(file: Path | None) -> sqlite3.Connection:
    """Open or make the file; None keeps everything in memory only. A damaged file is put aside as `.damaged`.

    Raises:
        sqlite3.Error, OSError: The file cannot be used.
    """
    if file is None:
        return _open(":memory:")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _open(str(file))
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        # A device that cannot start because of its own memory helps nobody.
        file.replace(file.with_suffix(".damaged"))
        return _open(str(file))


def _open(name: str) -> sqlite3.Connection:
    db = sqlite3.connect(name, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        # What a power cut can take is what was never acknowledged to anybody.
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(
            """
            CREATE TABLE IF NOT EXISTS ob
                (seq INTEGER PRIMARY KEY AUTOINCREMENT, class INTEGER NOT NULL, body BLOB NOT NULL);
            CREATE INDEX IF NOT EXISTS ob_class ON ob (class, seq);
            CREATE TABLE IF NOT EXISTS command
                (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, status TEXT NOT NULL,
                 code INTEGER NOT NULL, text TEXT NOT NULL, is_told INTEGER NOT NULL DEFAULT 1);
            CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, value BLOB NOT NULL);
            """
        )
        columns = {row[1] for row in db.execute("PRAGMA table_info(command)")}
        if "is_told" not in columns:
            # A file of an earlier program.
            db.execute("ALTER TABLE command ADD COLUMN is_told INTEGER NOT NULL DEFAULT 1")
    except sqlite3.Error:
        db.close()
        raise
    return db


class Facts:
    """Single values by key, as JSON."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Keep them in `db`."""
        self._db = db

    def get(self, key: str, default: Any) -> Any:
        """Return a value, `default` where there is none."""
        row = self._db.execute("SELECT value FROM fact WHERE key = ?", (key,)).fetchone()
        return default if row is None else msgspec.json.decode(row[0])

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        self._db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (key, msgspec.json.encode(value)))


class CommandMemory:
    """The last 256 commands: none is obeyed twice, also where the device died while it obeyed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Keep them in `db`; what an earlier start began and did not finish has failed."""
        self._db = db
        db.execute(
            "UPDATE command SET status = 'failed', code = 500, text = 'the device restarted while it obeyed', "
            "is_told = 0 WHERE status IN ('accepted', 'running')"
        )

    def find(self, command_id: str) -> CommandResult | None:
        """Return what became of a command; None where it was never seen."""
        row = self._db.execute("SELECT status, code, text FROM command WHERE id = ?", (command_id,)).fetchone()
        return None if row is None else CommandResult(id=command_id, status=row[0], code=row[1], text=row[2])

    def keep(self, result: CommandResult) -> None:
        """Note how a command stands, which nobody was told yet; call it with "accepted" before anything is done."""
        self._db.execute(
            "INSERT INTO command (id, status, code, text, is_told) VALUES (?, ?, ?, ?, 0) ON CONFLICT (id) DO UPDATE "
            "SET status = excluded.status, code = excluded.code, text = excluded.text, is_told = 0",
            (result.id, result.status, result.code, result.text),
        )
        self._db.execute(
            "DELETE FROM command WHERE number NOT IN (SELECT number FROM command ORDER BY number DESC LIMIT ?)",
            (N_COMMANDS_KEPT,),
        )

    def untold(self) -> list[CommandResult]:
        """Return how commands stand of which nobody was told yet, the oldest first."""
        rows = self._db.execute("SELECT id, status, code, text FROM command WHERE NOT is_told ORDER BY number")
        return [CommandResult(id=row[0], status=row[1], code=row[2], text=row[3]) for row in rows]

    def note_told(self, result: CommandResult) -> None:
        """Note that somebody was told how a command stands; what changed since is still to be told."""
        self._db.execute(
            "UPDATE command SET is_told = 1 WHERE id = ? AND status = ? AND code = ? AND text = ?",
            (result.id, result.status, result.code, result.text),
        )
