"""A device's memory for what must not be lost: kept until the core says that it is stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from enum import IntEnum

import msgspec

from core.field.client.memory import Facts

BATCH = 200
"""So many may be on their way unacknowledged: no queue between here and the core has to hold more."""

RESEND_AFTER_S = 2.0
MAX_ROWS = 1_000_000
MAX_BYTES = 1_000_000_000
DROP_AT_ONCE = 1000


class Worth(IntEnum):
    """What goes first where the outbox is full."""

    MEASUREMENT = 0
    """A reading kept while nobody listened."""

    EVENT = 1


class _Signed(msgspec.Struct):
    """What of a message tells which start of the device wrote it."""

    boot: str | None = None


class EventOutbox:
    """Messages by number, strictly one more each time, over restarts where they are kept in a file.

    Full, it drops the oldest measurements first, then the oldest events, and counts them: `n_dropped`.

    Threads: one.
    """

    def __init__(self, db: sqlite3.Connection, *, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> None:
        """Go on with what `db`, of `open_memory`, holds."""
        self._db = db
        self._max_rows, self._max_bytes = max_rows, max_bytes
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'ob'").fetchone()
        # A number is never used twice, also after everything was acknowledged.
        self.last_seq = int(row[0]) if row else 0
        self._n_rows, self._n_bytes = self._measure()
        self._in_air: dict[int, float] = {}
        self._sent_up_to = 0
        self._ever_sent_up_to = 0
        """Since the power came on: what the core may have."""

        self._has_progress = False
        self._progress_s = float("-inf")
        self._facts = Facts(db)
        self.n_dropped: int = self._facts.get("n_dropped", 0)
        """Messages given up because the outbox was full, ever."""

    def __len__(self) -> int:
        """Return how many are not acknowledged yet."""
        return self._n_rows

    def add(self, make_body: Callable[[int], bytes], worth: Worth = Worth.EVENT) -> int:
        """Keep what `make_body` writes for the next number; returns the number."""
        seq = self.last_seq + 1
        body = make_body(seq)
        self._db.execute("INSERT INTO ob (seq, class, body) VALUES (?, ?, ?)", (seq, int(worth), body))
        self.last_seq = seq
        self._n_rows += 1
        self._n_bytes += len(body)
        if self._n_rows > self._max_rows or self._n_bytes > self._max_bytes:
            self._make_room()
        return seq

    def acknowledge(self, seq: int, boot: str = "") -> None:
        """Forget everything up to `seq`.

        What stands on the broker may be meant for an outbox before this one, whose memory was changed. So the message
        of that number has to be of the start `boot`; where it is not here or does not tell, the number has to have
        been sent since the power came on. What is ignored wrongly is sent again, and acknowledged again.
        """
        own = self._boot_of(seq) if boot else None
        if seq > self._ever_sent_up_to if own is None else own != boot:
            return
        found = self._db.execute("SELECT count(*), sum(length(body)) FROM ob WHERE seq <= ?", (seq,)).fetchone()
        if not found[0]:
            return
        self._db.execute("DELETE FROM ob WHERE seq <= ?", (seq,))
        self._n_rows -= int(found[0])
        self._n_bytes -= int(found[1])
        self._has_progress = True
        for number in [number for number in self._in_air if number <= seq]:
            del self._in_air[number]

    def take_due(self, now_s: float) -> list[tuple[int, bytes]]:
        """Return what is to be sent now, in order, and count it as sent.

        At most `BATCH` are on their way at a time. Where nothing was acknowledged for `RESEND_AFTER_S`, everything
        from the oldest on goes out again; a core that is slow but answers is not sent more than it can take.
        """
        if self._has_progress:
            self._has_progress, self._progress_s = False, now_s
        if self._in_air and now_s - max(self._progress_s, next(iter(self._in_air.values()))) >= RESEND_AFTER_S:
            self.forget_sent()
        if self._n_rows == len(self._in_air):
            return []
        rows = self._db.execute(
            "SELECT seq, body FROM ob WHERE seq > ? ORDER BY seq LIMIT ?", (self._sent_up_to, BATCH - len(self._in_air))
        ).fetchall()
        for seq, _body in rows:
            self._in_air[seq] = now_s
        if rows:
            self._sent_up_to = rows[-1][0]
            self._ever_sent_up_to = max(self._ever_sent_up_to, self._sent_up_to)
        return [(int(seq), bytes(body)) for seq, body in rows]

    def forget_sent(self) -> None:
        """Count everything as unsent: the connection is a new one."""
        self._in_air.clear()
        self._sent_up_to = 0

    def _boot_of(self, seq: int) -> str | None:
        """Return of which start of the device a message is; None where it is not here any more, or does not tell."""
        row = self._db.execute("SELECT body FROM ob WHERE seq = ?", (seq,)).fetchone()
        if row is None:
            return None
        try:
            return msgspec.json.decode(row[0], type=_Signed).boot
        except msgspec.DecodeError:
            return None

    def _make_room(self) -> None:
        n_most = max(1, min(DROP_AT_ONCE, self._max_rows // 10))
        doomed = "SELECT seq FROM ob ORDER BY class, seq LIMIT ?"
        self._db.execute(f"DELETE FROM ob WHERE seq IN ({doomed})", (n_most,))  # noqa: S608
        n_before = self._n_rows
        self._n_rows, self._n_bytes = self._measure()
        self.n_dropped += n_before - self._n_rows
        self._facts.set("n_dropped", self.n_dropped)
        self.forget_sent()

    def _measure(self) -> tuple[int, int]:
        found = self._db.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM ob").fetchone()
        return int(found[0]), int(found[1])
