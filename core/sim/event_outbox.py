"""A device's memory for events that must not be lost: kept until the core says that they are stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

BATCH = 200
RESEND_AFTER_S = 2.0


class EventOutbox:
    """Events by number, strictly one more each time, over restarts where they are kept in a file.

    Threads: one.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Open or make the file; None keeps the events in memory only, and counts from 1 again after a restart.

        Raises:
            sqlite3.Error: The file cannot be used.
        """
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file or ":memory:", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        # AUTOINCREMENT: a number is never used twice, also after everything was acknowledged.
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS ob "
            "(seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL, sent REAL NOT NULL)"
        )

    @property
    def last_seq(self) -> int:
        """The highest number given so far; 0 before the first."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'ob'").fetchone()
        return int(row[0]) if row else 0

    def __len__(self) -> int:
        """Return how many events are not acknowledged yet."""
        return int(self._db.execute("SELECT count(*) FROM ob").fetchone()[0])

    def add(self, make_body: Callable[[int], bytes]) -> int:
        """Keep what `make_body` writes for the next number; returns the number."""
        seq = self.last_seq + 1
        self._db.execute("INSERT INTO ob VALUES (?, ?, -1e9)", (seq, make_body(seq)))
        return seq

    def acknowledge(self, seq: int) -> None:
        """Forget everything up to `seq`.

        A number that was never given is somebody else's, from before this outbox was made: it is ignored.
        """
        if seq <= self.last_seq:
            self._db.execute("DELETE FROM ob WHERE seq <= ?", (seq,))

    def take_due(self, now_s: float) -> list[tuple[int, bytes]]:
        """Return the events to be sent now, oldest first, and count them as sent."""
        rows = self._db.execute(
            "SELECT seq, body FROM ob WHERE sent < ? ORDER BY seq LIMIT ?",
            (now_s - RESEND_AFTER_S, BATCH),
        ).fetchall()
        self._db.executemany("UPDATE ob SET sent = ? WHERE seq = ?", [(now_s, seq) for seq, _body in rows])
        return [(int(seq), bytes(body)) for seq, body in rows]

    def forget_sent(self) -> None:
        """Count everything as unsent: the connection is a new one."""
        self._db.execute("UPDATE ob SET sent = -1e9")

    def close(self) -> None:
        """Let the file go."""
        self._db.close()
