"""What became of bays and lots over time: rows in, rows out, and a writer that loses nothing to a locked database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import and_, func, insert, select
from sqlalchemy.orm import Session

from core.kernel.errors import BadInputError, ConsoleError
from core.kernel.log import OncePerLoss
from core.parking.model import BayChange, BayState, BayStatus, LotOccupancy
from core.store.engine import Store
from core.store.rows import storable
from core.store.tables import BayChangeRow, LotOccupancyRow

log = logging.getLogger(__name__)

MAX_WAITING = 100_000
"""Rows that wait for the database; of more, the oldest are lost, counted and told."""

ROWS_AT_ONCE = 500
"""Rows of one transaction: the writer serves alarms between two of them."""

RETRY_S = 2.0
MAX_READ = 60_000
"""Changes of one answer: more do not fit through the link."""

_FOR_EVER = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """A change, and the status it led to."""

    change: BayChange
    status: BayStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class LateWord:
    """What a device said of a bay while nobody listened: history, never news.

    Attributes:
        stale_s: So long it holds by itself.
        tells_changes: Who speaks says every change and nothing else, as a sensor; a camera says what it sees now and
            then.
        present: How the bay stood when the word came.
        now: When it came.
    """

    change: BayChange
    stale_s: float
    tells_changes: bool
    present: BayStatus
    now: datetime


class HistoryWriter:
    """Writes changes behind the service, in order, in batches.

    Threads: the owner's loop only.
    """

    def __init__(self, store: Store, on_stored: Callable[[tuple[BayStatus, ...]], None]) -> None:
        """Write to `store`; `on_stored` hears of bays once they are in the database."""
        self._store = store
        self._on_stored = on_stored
        self._bays: list[Told] = []
        self._lots: list[LotOccupancy] = []
        self._late: list[LateWord] = []
        self._task: asyncio.Task[None] | None = None
        self._once = OncePerLoss(log)
        self._is_closed = False
        self._is_again = False
        self.n_lost_rows = 0
        """Rows that were not written, because the database was away for too long."""

    @property
    def n_waiting(self) -> int:
        """Rows that are not in the database yet."""
        return len(self._bays) + len(self._lots) + len(self._late)

    def add(self, bays: Sequence[Told] = (), lots: Sequence[LotOccupancy] = (), late: Sequence[LateWord] = ()) -> None:
        """Take what changed, and what came late; it is written soon."""
        self._bays += bays
        self._lots += lots
        self._late += late
        for waiting in (self._bays, self._lots, self._late):
            n_over = len(waiting) - MAX_WAITING
            if n_over > 0:
                del waiting[:n_over]
                self.n_lost_rows += n_over
        if self.n_waiting and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def close(self) -> None:
        """Write what waits, once; what the database does not take is counted as lost."""
        self._is_closed = True
        if self._task is not None:
            await self._task
        while self.n_waiting and await self._write():
            pass
        self.n_lost_rows += self.n_waiting
        if self.n_waiting:
            log.error("%d changes of bays and lots were not stored: the database is away", self.n_waiting)

    async def _work(self) -> None:
        while self.n_waiting:
            if await self._write():
                continue
            if self._is_closed:
                return
            await asyncio.sleep(RETRY_S)

    async def _write(self) -> bool:
        bays, lots = self._bays[:ROWS_AT_ONCE], self._lots[:ROWS_AT_ONCE]
        self._bays, self._lots = self._bays[len(bays) :], self._lots[len(lots) :]
        # A late word is held against what was known in time: that is written first.
        late = [] if self._bays else self._late[:ROWS_AT_ONCE]
        self._late = self._late[len(late) :]
        try:
            rows = partial(write_rows, bays=bays, lots=lots, late=late, is_again=self._is_again)
            await self._store.write(rows)
        except ConsoleError as error:
            # The database may have taken them all the same, and only its answer was lost.
            self._is_again = True
            self._bays, self._lots, self._late = bays + self._bays, lots + self._lots, late + self._late
            self._once.lost("history", f"changes of bays wait for the database: {error}")
            return False
        self._is_again = False
        self._once.back("history", "changes of bays are stored again")
        if bays:
            self._on_stored(tuple(told.status for told in bays))
        return True


def write_rows(
    session: Session,
    *,
    bays: Sequence[Told],
    lots: Sequence[LotOccupancy],
    late: Sequence[LateWord] = (),
    is_again: bool = False,
) -> None:
    """Write changes; where they may be there already, only those that are not."""
    changes = [told.change for told in bays]
    if is_again:
        changes, lots = _not_stored(session, changes), _not_counted(session, lots)
    _insert_changes(session, changes)
    _insert_counts(session, lots)
    for word in late:
        write_late(session, word)


def _not_stored(session: Session, changes: Sequence[BayChange]) -> list[BayChange]:
    if not changes:
        return []
    first, last = min(one.at for one in changes), max(one.at for one in changes)
    stored = session.scalars(select(BayChangeRow).where(BayChangeRow.at >= first, BayChangeRow.at <= last))
    known = {(row.lot_id, row.bay_id, row.at, row.state, row.is_stale) for row in stored}
    return [one for one in changes if (one.lot_id, one.bay_id, one.at, one.state.value, one.is_stale) not in known]


def _not_counted(session: Session, lots: Sequence[LotOccupancy]) -> list[LotOccupancy]:
    if not lots:
        return []
    first, last = min(lot.at for lot in lots), max(lot.at for lot in lots)
    stored = session.scalars(select(LotOccupancyRow).where(LotOccupancyRow.at >= first, LotOccupancyRow.at <= last))
    known = {(row.lot_id, row.at) for row in stored}
    return [lot for lot in lots if (lot.lot_id, lot.at) not in known]


def _insert_changes(session: Session, changes: Sequence[BayChange]) -> None:
    if not changes:
        return
    session.execute(
        insert(BayChangeRow),
        [
            {
                "lot_id": change.lot_id,
                "bay_id": change.bay_id,
                "at": change.at,
                "state": change.state.value,
                "confidence": change.confidence,
                "source": storable(change.source),
                "is_stale": change.is_stale,
            }
            for change in changes
        ],
    )


def _insert_counts(session: Session, lots: Sequence[LotOccupancy]) -> None:
    if not lots:
        return
    session.execute(
        insert(LotOccupancyRow),
        [
            {
                "lot_id": lot.lot_id,
                "at": lot.at,
                "n_bays": lot.n_bays,
                "n_occupied": lot.n_occupied,
                "n_unknown": lot.n_unknown,
            }
            for lot in lots
        ],
    )


def write_late(session: Session, word: LateWord) -> bool:
    """Put what a device said while nobody listened where it belongs; said once more it changes nothing.

    Where others watched the bay meanwhile, their word stands. A device that spoke before and speaks now has said
    everything in between: what had become stale was known after all. Nothing is said of later than the next thing
    known, and of no longer than a state may hold by itself.

    Returns:
        Whether the history is another one.
    """
    change = word.change
    of_bay = (BayChangeRow.lot_id == change.lot_id, BayChangeRow.bay_id == change.bay_id)
    backwards = select(BayChangeRow).where(*of_bay, BayChangeRow.at <= change.at)
    backwards = backwards.order_by(BayChangeRow.at.desc(), BayChangeRow.bay_change_id.desc())
    last = session.scalars(backwards.limit(1)).first()
    known = session.scalars(backwards.where(BayChangeRow.is_stale.is_(False)).limit(1)).first()
    is_own = known is not None and known.source == change.source
    if last is not None and not last.is_stale:
        is_watched = last.state != BayState.UNKNOWN.value and not is_own
        if is_watched:
            return False
        if last.state == change.state.value:
            return is_own and _hold_on(session, word)
    added: list[BayChange] = []
    if word.tells_changes and known is not None and is_own and last is not None and last.is_stale:
        gone = select(BayChangeRow.at).where(*of_bay, BayChangeRow.at >= known.at, BayChangeRow.at <= change.at)
        before = _change(known)
        added += [replace(before, at=at) for at in session.scalars(gone.where(BayChangeRow.is_stale.is_(True)))]
    added.append(change)
    forwards = select(BayChangeRow).where(*of_bay, BayChangeRow.at > change.at)
    forwards = forwards.order_by(BayChangeRow.at, BayChangeRow.bay_change_id)
    following = session.scalars(forwards.limit(1)).first()
    then_known = session.scalars(forwards.where(BayChangeRow.is_stale.is_(False)).limit(1)).first()
    added += _end_of(word, following, then_known)
    _insert_changes(session, added)
    _hold_on(session, word)
    return True


def _hold_on(session: Session, word: LateWord) -> bool:
    """Let a state hold for as long as it may from now on; returns whether that changes anything."""
    change = word.change
    following = session.scalars(
        select(BayChangeRow)
        .where(BayChangeRow.lot_id == change.lot_id, BayChangeRow.bay_id == change.bay_id, BayChangeRow.at > change.at)
        .order_by(BayChangeRow.at, BayChangeRow.bay_change_id)
        .limit(2)
    ).all()
    if not following or not following[0].is_stale:
        return False
    until = min(change.at + timedelta(seconds=word.stale_s), word.now)
    if len(following) > 1:
        until = min(until, following[1].at)
    if until <= following[0].at:
        return False
    # Nobody confirmed it from then on, as was believed: that began later.
    following[0].at, following[0].state = until, change.state.value
    session.flush()
    return True


def _end_of(word: LateWord, following: BayChangeRow | None, then_known: BayChangeRow | None) -> list[BayChange]:
    """Return what a late word needs behind it, so that it says no more than is known."""
    change, present = word.change, word.present
    until = change.at + timedelta(seconds=word.stale_s)
    if word.tells_changes and then_known is not None and then_known.source == change.source:
        return []
    if following is not None and following.at <= until:
        return []
    if following is None and present.is_known and present.at > change.at:
        return [
            replace(change, at=present.at, state=present.state, confidence=present.confidence, source=present.source)
        ]
    return [replace(change, at=min(until, word.now), is_stale=True)]


def read_newest_lots(session: Session) -> list[LotOccupancy]:
    """Return the newest occupancy of every lot."""
    found = []
    for lot_id in session.scalars(select(LotOccupancyRow.lot_id).distinct()).all():
        query = select(LotOccupancyRow).where(LotOccupancyRow.lot_id == lot_id)
        row = session.scalars(query.order_by(LotOccupancyRow.at.desc()).limit(1)).one()
        found.append(_occupancy(row))
    return found


def read_lot_history(
    session: Session, lot_id: str, since: datetime, until: datetime | None, n_most: int
) -> list[LotOccupancy]:
    """Return how full a lot was, oldest first; of more than `n_most` rows the newest."""
    query = select(LotOccupancyRow).where(LotOccupancyRow.lot_id == lot_id, LotOccupancyRow.at >= since)
    if until is not None:
        query = query.where(LotOccupancyRow.at <= until)
    query = query.order_by(LotOccupancyRow.at.desc(), LotOccupancyRow.lot_occupancy_id.desc()).limit(n_most)
    return [_occupancy(row) for row in session.scalars(query)][::-1]


def read_states_at(session: Session, lot_id: str, at: datetime) -> list[BayChange]:
    """Return the last change of every bay at or before an instant, by bay."""
    newest = (
        select(BayChangeRow.bay_id, func.max(BayChangeRow.at).label("at"))
        .where(BayChangeRow.lot_id == lot_id, BayChangeRow.at <= at)
        .group_by(BayChangeRow.bay_id)
        .subquery()
    )
    query = (
        select(BayChangeRow)
        .join(newest, and_(BayChangeRow.bay_id == newest.c.bay_id, BayChangeRow.at == newest.c.at))
        .where(BayChangeRow.lot_id == lot_id)
        .order_by(BayChangeRow.bay_id, BayChangeRow.bay_change_id)
    )
    # Of two changes at one instant the one that was written last holds.
    return list({row.bay_id: _change(row) for row in session.scalars(query)}.values())


def read_changes(session: Session, lot_id: str, since: datetime, until: datetime) -> list[BayChange]:
    """Return the last change of every bay at or before `since`, then every change until `until`, oldest first.

    Raises:
        BadInputError: More changes than one answer may hold.
    """
    query = (
        select(BayChangeRow)
        .where(BayChangeRow.lot_id == lot_id, BayChangeRow.at > since, BayChangeRow.at <= until)
        .order_by(BayChangeRow.at, BayChangeRow.bay_change_id)
        .limit(MAX_READ + 1)
    )
    found = [_change(row) for row in session.scalars(query)]
    if len(found) > MAX_READ:
        raise BadInputError(f"The bays changed more than {MAX_READ:,} times then.", hint="Choose a shorter time.")
    return [*read_states_at(session, lot_id, since), *found]


def read_newest_bays(session: Session) -> list[BayChange]:
    """Return the last change of every bay of every lot."""
    found: list[BayChange] = []
    for lot_id in session.scalars(select(BayChangeRow.lot_id).distinct()).all():
        found += read_states_at(session, lot_id, _FOR_EVER)
    return found


def status_of(change: BayChange) -> BayStatus:
    """Return how a bay stood after a change."""
    return BayStatus(
        lot_id=change.lot_id,
        bay_id=change.bay_id,
        state=change.state,
        since=change.at,
        at=change.at,
        confidence=change.confidence,
        source=change.source,
        is_stale=change.is_stale,
    )


def _change(row: BayChangeRow) -> BayChange:
    return BayChange(
        lot_id=row.lot_id,
        bay_id=row.bay_id,
        at=row.at,
        state=BayState(row.state),
        confidence=row.confidence,
        source=row.source,
        is_stale=row.is_stale,
    )


def _occupancy(row: LotOccupancyRow) -> LotOccupancy:
    return LotOccupancy(
        lot_id=row.lot_id, n_bays=row.n_bays, n_occupied=row.n_occupied, n_unknown=row.n_unknown, at=row.at
    )
