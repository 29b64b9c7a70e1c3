"""What is known of the last minutes, whole, and what of it the database does not have yet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from sqlalchemy.orm import Session

from core.kernel.log import OncePerLoss
from core.traffic.flow_spool import GivenUp

log = logging.getLogger(__name__)

Key = tuple[tuple[str, ...], datetime]
"""What of which camera, the camera first, and the minute: one row."""

KEPT = timedelta(minutes=10)
"""Parts of a minute come within this time of its end: a worker that was restarted, a clock that was set."""

MAX_WAITING = 50_000
"""Rows that wait in memory at most, where the disk takes none either; the oldest minutes go first."""


class OfAMinute(Protocol):
    """A row of one minute."""

    @property
    def minute(self) -> datetime:
        """The minute's begin."""


RowT = TypeVar("RowT", bound=OfAMinute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows(Generic[RowT]):
    """How rows of one table are told apart, joined, read and written.

    Attributes:
        key_of: What one row stands for.
        joined: Two parts of one minute as one.
        read: What the database has of these rows.
        write: Whole rows into the database; twice is as good as once, and what is newer there stays.
    """

    key_of: Callable[[RowT], Key]
    joined: Callable[[RowT, RowT], RowT]
    read: Callable[[Session, Iterable[Key]], list[RowT]]
    write: Callable[[Session, Iterable[RowT]], None]

    def whole(self, parts: Iterable[RowT], wholes: Iterable[RowT], stored: Iterable[RowT]) -> tuple[RowT, ...]:
        """Return rows as the database is to have them, oldest first; `stored` is what it has of the parts."""
        known = {self.key_of(row): row for row in stored}
        for part in parts:
            found = known.get(self.key_of(part))
            known[self.key_of(part)] = part if found is None else self.joined(found, part)
        known.update((self.key_of(row), row) for row in wholes)
        return tuple(sorted(known.values(), key=lambda row: row.minute))


class Ledger(Generic[RowT]):
    """What is known of the last minutes, whole; what of it the database does not have yet.

    The rows of a minute are read once before they are first written, so that a node that was restarted within a minute
    adds to what the one before had stored. From then on whole rows are written: twice is as good as once.
    """

    def __init__(self, rows: Rows[RowT], given_up: GivenUp) -> None:
        """Start with nothing known and nothing to write; rows for which there is no room are noted in `given_up`."""
        self._rows = rows
        self._once = OncePerLoss(log)
        self._known: dict[Key, RowT] = {}
        self._read: set[Key] = set()
        self._waiting: set[Key] = set()
        self._given_up = given_up

    def add(self, minutes: Iterable[RowT]) -> None:
        """Take parts of minutes as the workers measured them."""
        for minute in minutes:
            key = self._rows.key_of(minute)
            known = self._known.get(key)
            self._known[key] = minute if known is None else self._rows.joined(known, minute)
            self._waiting.add(key)
        if len(self._waiting) > MAX_WAITING:
            oldest = sorted(self._waiting, key=lambda key: key[-1])[: len(self._waiting) - MAX_WAITING]
            self._once.lost("minutes", f"more than {MAX_WAITING:,} rows wait in memory; the oldest are given up")
            why = f"it could not be stored, and memory has room for {MAX_WAITING:,} rows."
            self._given_up.note(len(oldest), oldest[0][-1], oldest[-1][-1], why)
            for key in oldest:
                self._drop(key)

    def take_old(self, before: datetime | None) -> tuple[tuple[RowT, ...], tuple[RowT, ...]]:
        """Take out what waits of the minutes before this one, of all where it is None; `give_back` undoes it.

        Returns:
            Parts, to be joined with what the database has of the same minutes, and whole rows.
        """
        keys = [key for key in self._waiting if before is None or key[-1] < before]
        parts = tuple(self._known[key] for key in keys if key not in self._read)
        wholes = tuple(self._known[key] for key in keys if key in self._read)
        for key in keys:
            self._drop(key)
        return parts, wholes

    def give_back(self, parts: Iterable[RowT], wholes: Iterable[RowT]) -> None:
        """Take what `take_old` took out; what came meanwhile is joined with it."""
        whole = tuple(wholes)
        self._read.update(self._rows.key_of(row) for row in whole)
        self.add((*parts, *whole))

    def unread(self, after: datetime) -> tuple[Key, ...]:
        """Return the rows after this minute that wait and that the database has not been asked for yet."""
        return tuple(key for key in self._waiting - self._read if key[-1] > after)

    def take_stored(self, asked: Iterable[Key], stored: Iterable[RowT]) -> None:
        """Take what the database has of the rows it was asked for."""
        for minute in stored:
            key = self._rows.key_of(minute)
            if key in self._known and key not in self._read:
                self._known[key] = self._rows.joined(minute, self._known[key])
        self._read.update(key for key in asked if key in self._known)

    def waiting(self, after: datetime) -> tuple[RowT, ...]:
        """Return the rows to write of the minutes after this one, oldest first."""
        keys = sorted((key for key in self._waiting & self._read if key[-1] > after), key=lambda key: key[-1])
        return tuple(self._known[key] for key in keys)

    def note_written(self, minutes: Iterable[RowT], now: datetime) -> None:
        """These rows are in the database; what changed since then waits on."""
        self._once.back("minutes", "what was measured is stored again")
        for minute in minutes:
            key = self._rows.key_of(minute)
            if self._known.get(key) == minute:
                self._waiting.discard(key)
        for key in [key for key in self._known if key not in self._waiting and abs(now - key[-1]) > KEPT]:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        self._known.pop(key, None)
        self._read.discard(key)
        self._waiting.discard(key)
