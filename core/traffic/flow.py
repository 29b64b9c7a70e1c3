"""The minutes that cameras measure: parts of one minute become one row, and writing it twice changes nothing."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.kernel.log import OncePerLoss
from core.store.tables import FlowMinuteRow
from core.traffic.flow_spool import Batch, GivenUp
from core.vision.flow import FlowMinute

log = logging.getLogger(__name__)

Key = tuple[str, str, str, str, str, datetime]
"""Camera, subject, key, direction, label and minute: one row."""

KEPT = timedelta(minutes=10)
"""Parts of a minute come within this time of its end: a worker that was restarted, a clock that was set."""

MAX_WAITING = 50_000
"""Rows that wait in memory at most, where the disk takes none either; the oldest minutes go first."""

_KEY_NAMES = ("camera_id", "subject", "key", "direction", "label", "minute")
_NAMES = tuple(item.name for item in fields(FlowMinute))


def key_of(minute: FlowMinute) -> Key:
    """Return what one row stands for."""
    return minute.camera_id, minute.subject, minute.key, minute.direction, minute.label, minute.minute


def joined(first: FlowMinute, second: FlowMinute) -> FlowMinute:
    """Return two parts of one minute as one; what one of them does not know, the other says."""
    n_first, n_second = first.n_vehicles or 0, second.n_vehicles or 0
    by_vehicles = (float(n_first), float(n_second)) if n_first and n_second else (first.observed_s, second.observed_s)
    by_time = (first.observed_s, second.observed_s)
    has_count = first.n_vehicles is not None or second.n_vehicles is not None
    return replace(
        first,
        observed_s=min(60.0, round(first.observed_s + second.observed_s, 1)),
        n_vehicles=n_first + n_second if has_count else None,
        speed_kmh=_mean(first.speed_kmh, second.speed_kmh, by_vehicles, 1),
        speed_error_kmh=_error(first.speed_error_kmh, second.speed_error_kmh, by_vehicles),
        occupancy=_mean(first.occupancy, second.occupancy, by_time, 4),
        density_per_km=_mean(first.density_per_km, second.density_per_km, by_time, 2),
        queue_m=max((queue for queue in (first.queue_m, second.queue_m) if queue is not None), default=None),
    )


def _mean(first: float | None, second: float | None, weights: tuple[float, float], decimals: int) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    total = sum(weights)
    if total <= 0:
        return round((first + second) / 2, decimals)
    return round((first * weights[0] + second * weights[1]) / total, decimals)


def _error(first: float | None, second: float | None, weights: tuple[float, float]) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    total = sum(weights) or 2.0
    shares = (weights[0] / total, weights[1] / total) if sum(weights) else (0.5, 0.5)
    return round(math.hypot(first * shares[0], second * shares[1]), 1)


def whole(batch: Batch, stored: Iterable[FlowMinute]) -> tuple[FlowMinute, ...]:
    """Return a batch's rows as the database is to have them, oldest first; `stored` is what it has of the parts."""
    known = {key_of(minute): minute for minute in stored}
    for part in batch.parts:
        found = known.get(key_of(part))
        known[key_of(part)] = part if found is None else joined(found, part)
    known.update((key_of(minute), minute) for minute in batch.wholes)
    return tuple(sorted(known.values(), key=lambda minute: minute.minute))


class FlowLedger:
    """What is known of the last minutes, whole; what of it the database does not have yet.

    The rows of a minute are read once before they are first written, so that a node that was restarted within a minute
    adds to what the one before had stored. From then on whole rows are written: twice is as good as once.
    """

    def __init__(self) -> None:
        """Start with nothing known and nothing to write."""
        self._once = OncePerLoss(log)
        self._known: dict[Key, FlowMinute] = {}
        self._read: set[Key] = set()
        self._waiting: set[Key] = set()
        self.given_up = GivenUp()

    def add(self, minutes: Iterable[FlowMinute]) -> None:
        """Take parts of minutes as the workers measured them."""
        for minute in minutes:
            key = key_of(minute)
            known = self._known.get(key)
            self._known[key] = minute if known is None else joined(known, minute)
            self._waiting.add(key)
        if len(self._waiting) > MAX_WAITING:
            oldest = sorted(self._waiting, key=lambda key: key[-1])[: len(self._waiting) - MAX_WAITING]
            self._once.lost(
                "minutes", f"more than {MAX_WAITING:,} minutes wait for the database; the oldest are given up"
            )
            why = "the database is away, and the disk keeps nothing either."
            self.given_up.note(len(oldest), oldest[0][-1], oldest[-1][-1], why)
            for key in oldest:
                self._drop(key)

    def take_old(self, before: datetime | None) -> Batch:
        """Take out what waits of the minutes before this one, of all where it is None; `give_back` undoes it."""
        keys = [key for key in self._waiting if before is None or key[-1] < before]
        parts = tuple(self._known[key] for key in keys if key not in self._read)
        wholes = tuple(self._known[key] for key in keys if key in self._read)
        for key in keys:
            self._drop(key)
        return Batch(parts=parts, wholes=wholes)

    def give_back(self, batch: Batch) -> None:
        """Take what `take_old` took out; what came meanwhile is joined with it."""
        self._read.update(key_of(minute) for minute in batch.wholes)
        self.add((*batch.parts, *batch.wholes))

    def unread(self) -> tuple[Key, ...]:
        """Return the rows that wait and that the database has not been asked for yet."""
        return tuple(self._waiting - self._read)

    def take_stored(self, asked: Iterable[Key], stored: Iterable[FlowMinute]) -> None:
        """Take what the database has of the rows it was asked for."""
        for minute in stored:
            key = key_of(minute)
            if key in self._known and key not in self._read:
                self._known[key] = joined(minute, self._known[key])
        self._read.update(key for key in asked if key in self._known)

    def waiting(self) -> tuple[FlowMinute, ...]:
        """Return the rows to write, oldest first."""
        return tuple(self._known[key] for key in sorted(self._waiting, key=lambda key: key[-1]) if key in self._read)

    def note_written(self, minutes: Iterable[FlowMinute], now: datetime) -> None:
        """These rows are in the database; what changed since then waits on."""
        self._once.back("minutes", "what was measured is stored again")
        for minute in minutes:
            key = key_of(minute)
            if self._known.get(key) == minute:
                self._waiting.discard(key)
        for key in [key for key in self._known if key not in self._waiting and abs(now - key[-1]) > KEPT]:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        self._known.pop(key, None)
        self._read.discard(key)
        self._waiting.discard(key)


def read_rows(session: Session, keys: Iterable[Key]) -> list[FlowMinute]:
    """Return what the database has of these rows."""
    wanted = set(keys)
    # A little more than is wanted, for a statement that is the same for any number of keys.
    query = select(FlowMinuteRow).where(
        FlowMinuteRow.camera_id.in_({key[0] for key in wanted}), FlowMinuteRow.minute.in_({key[-1] for key in wanted})
    )
    return [found for row in session.scalars(query) if key_of(found := _from_row(row)) in wanted]


def write_rows(session: Session, minutes: Iterable[FlowMinute]) -> None:
    """Write whole rows over what is there, but for rows that are newer there: a row only ever grows."""
    table = cast(Table, FlowMinuteRow.__table__)
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    for minute in minutes:
        statement = insert(table).values(**{name: getattr(minute, name) for name in _NAMES})
        new = statement.excluded
        session.execute(
            statement.on_conflict_do_update(
                index_elements=list(_KEY_NAMES),
                set_={name: new[name] for name in _NAMES if name not in _KEY_NAMES},
                where=(table.c.observed_s <= new.observed_s)
                & (func.coalesce(table.c.n_vehicles, 0) <= func.coalesce(new.n_vehicles, 0)),
            )
        )


def read_since(session: Session, since: datetime, camera_id: str, n_most: int) -> list[FlowMinute]:
    """Return minutes from `since` on, oldest first; of one camera, or of all where `camera_id` is empty.

    A class that came in one part of a minute only was watched for in all of it: each row says what its minute says, but
    for what nobody looked for.
    """
    query = select(FlowMinuteRow).where(FlowMinuteRow.minute >= since)
    if camera_id:
        query = query.where(FlowMinuteRow.camera_id == camera_id)
    # The newest are wanted where there are more than fit.
    query = query.order_by(FlowMinuteRow.minute.desc(), FlowMinuteRow.flow_minute_id.desc()).limit(n_most)
    found = [_from_row(row) for row in session.scalars(query)][::-1]
    seen_s: dict[tuple[str, datetime], float] = {}
    for minute in found:
        place = minute.camera_id, minute.minute
        seen_s[place] = max(minute.observed_s, seen_s.get(place, 0.0))
    return [
        minute
        if minute.n_vehicles is None and not minute.observed_s
        else replace(minute, observed_s=seen_s[minute.camera_id, minute.minute])
        for minute in found
    ]


def _from_row(row: FlowMinuteRow) -> FlowMinute:
    return FlowMinute(**{name: getattr(row, name) for name in _NAMES})
