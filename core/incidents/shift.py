"""The shift log: what operators write down and what happened to the room; never changed, only corrected below."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import SYSTEM, Actor, Role
from core.access.permission import require
from core.incidents.flood import NO_FLOOD, Flood, looked_at
from core.incidents.model import Alarm, Shelving
from core.incidents.policy import SOURCE_LOST
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError
from core.kernel.zone import UTC_ZONE, write_local
from core.store.engine import Store
from core.store.rows import storable, words_of
from core.store.tables import ShiftEntryRow

log = logging.getLogger(__name__)

MAX_TEXT = 2000
MAX_PAGE = 500
TELL_SINGLY = 5
"""Up to this many losses of one second are told one by one, more in one line."""


class ShiftKind(StrEnum):
    """What an entry is about."""

    NOTE = "note"
    CORRECTION = "correction"
    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    FLOOD = "flood"
    SOURCE = "source"
    """A camera or device was lost, or is back."""

    SHELVED = "shelved"
    OUT_OF_SERVICE = "out_of_service"
    HAND_OVER = "hand_over"
    SOUND_TEST = "sound_test"
    CLOCK = "clock"
    """The clock of the node's machine was set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftEntry:
    """One line of the log.

    Attributes:
        corrects: Number of the entry that this one puts right; 0 where it corrects none.
    """

    entry_id: int
    at: datetime
    kind: ShiftKind
    text: str
    actor: str
    desk: str = ""
    corrects: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftQuery:
    """Which entries are wanted.

    Attributes:
        words: All must be in the text, the name or the desk, in any case of letters.
        kind: Only this one; None for all.
        before_id: Only older ones; 0 for the newest page.
    """

    words: str = ""
    kind: ShiftKind | None = None
    before_id: int = 0
    limit: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftPage:
    """Entries, the newest first."""

    entries: tuple[ShiftEntry, ...] = ()
    has_more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftEntryAdded:
    """An entry was written; published after the commit."""

    entry: ShiftEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An entry that is not stored yet."""

    kind: ShiftKind
    text: str
    actor: str = SYSTEM.name
    desk: str = ""


class ShiftService:
    """Writes the log and finds in it.

    Threads: all calls come from the owner's loop.
    """

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock

    async def write(self, actor: Actor, text: str, *, corrects: int = 0) -> ShiftEntry:
        """Write an entry by hand, or put an earlier one right.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: Nothing was written, or the entry to be corrected is not there.
        """
        require(actor, Role.OPERATOR)
        words = words_of(text, MAX_TEXT)
        if not words:
            raise BadInputError("The entry is empty.", hint="Write what the next shift should know.")
        at = self._clock.now()

        def run(session: Session) -> ShiftEntry:
            if corrects and session.get(ShiftEntryRow, corrects) is None:
                raise BadInputError("There is no such entry.", hint="Look at the log again.")
            kind = ShiftKind.CORRECTION if corrects else ShiftKind.NOTE
            draft = Draft(kind=kind, text=words, actor=actor.name, desk=actor.desk)
            entry = add_entry(session, draft, at, corrects=corrects)
            audit.append(
                session, actor, action=f"shift.{kind.value}", subject=f"Entry {entry.entry_id}", detail=words, at=at
            )
            return entry

        return (await self._commit(lambda session: (run(session),)))[0]

    async def note(self, *drafts: Draft) -> None:
        """Write what happened by itself."""
        if not drafts:
            return
        at = self._clock.now()
        await self._commit(lambda session: tuple(add_entry(session, draft, at) for draft in drafts))

    async def entries(self, query: ShiftQuery) -> ShiftPage:
        """Return a page of the log, the newest first."""
        limit = max(1, min(query.limit, MAX_PAGE))
        found = select(ShiftEntryRow).order_by(ShiftEntryRow.shift_entry_id.desc()).limit(limit + 1)
        if query.before_id:
            found = found.where(ShiftEntryRow.shift_entry_id < query.before_id)
        if query.kind is not None:
            found = found.where(ShiftEntryRow.kind == query.kind.value)
        for word in query.words.split():
            found = found.where(
                ShiftEntryRow.text.icontains(word, autoescape=True)
                | ShiftEntryRow.actor.icontains(word, autoescape=True)
                | ShiftEntryRow.desk.icontains(word, autoescape=True)
            )
        rows = await self._store.read(lambda session: [entry_of(row) for row in session.scalars(found)])
        return ShiftPage(entries=tuple(rows[:limit]), has_more=len(rows) > limit)

    async def _commit(self, run: Callable[[Session], tuple[ShiftEntry, ...]]) -> tuple[ShiftEntry, ...]:
        written = await self._store.write(run)
        for entry in written:
            self._bus.publish(ShiftEntryAdded(entry=entry))
        return written


def add_entry(session: Session, draft: Draft, at: datetime, *, corrects: int = 0) -> ShiftEntry:
    """Add an entry in the caller's transaction."""
    row = ShiftEntryRow(
        at=at,
        kind=draft.kind.value,
        text=storable(draft.text)[:MAX_TEXT],
        actor=storable(draft.actor),
        desk=storable(draft.desk),
        corrects=corrects or None,
    )
    session.add(row)
    session.flush()
    return entry_of(row)


def entry_of(row: ShiftEntryRow) -> ShiftEntry:
    """Return the frozen entry of a row."""
    return ShiftEntry(
        entry_id=row.shift_entry_id,
        at=row.at,
        kind=ShiftKind(row.kind),
        text=row.text,
        actor=row.actor,
        desk=row.desk,
        corrects=row.corrects or 0,
    )


class ShiftWatch:
    """Notices what the log should tell of alarms: held ones, lost sources, floods."""

    def __init__(self, zone: ZoneInfo = UTC_ZONE) -> None:
        """Write times as people of `zone` read them."""
        self._zone = zone
        self._open: dict[str, Alarm] = {}
        self._fresh: dict[str, Alarm] = {}
        self._drafts: list[Draft] = []
        self._lost: list[str] = []
        self._back: list[str] = []
        self._flood: Flood = NO_FLOOD

    def know(self, alarm: Alarm) -> None:
        """Take an alarm as it stands, without an entry: the node has just started."""
        if alarm.is_open:
            self._open[alarm.alarm_id] = alarm

    def add(self, *drafts: Draft) -> None:
        """Let these be written next."""
        self._drafts += drafts

    def take(self, alarm: Alarm) -> None:
        """Take a change of an alarm."""
        before = self._open.pop(alarm.alarm_id, None)
        if alarm.is_open:
            self._open[alarm.alarm_id] = self._fresh[alarm.alarm_id] = alarm
        name = f"{alarm.title}, {alarm.source_name}"
        was_held = before is not None and before.shelving is not Shelving.UNSHELVED
        if (alarm.shelving is not Shelving.UNSHELVED) is not was_held:
            self._tell_shelving(alarm, name, was_shelved=was_held)
        was_out = before is not None and bool(before.out_of_service_by)
        if bool(alarm.out_of_service_by) is not was_out:
            self._tell_service(alarm, name, was_out=was_out)
        if alarm.kind in SOURCE_LOST:
            was_active = before is not None and before.is_active
            if alarm.is_active and not was_active:
                self._lost.append(alarm.source_name)
            elif was_active and not alarm.is_active:
                self._back.append(alarm.source_name)

    def due(self, now: datetime) -> tuple[Draft, ...]:
        """Return what is to be written now, and forget it."""
        drafts, self._drafts = self._drafts, []
        for names, words in ((self._lost, "lost"), (self._back, "back")):
            drafts += _source_drafts(names, words)
            names.clear()
        # What did not change since the last look has been counted: of 10,000 open alarms few are looked at.
        before, self._flood = self._flood, looked_at(self._flood, self._fresh.values(), now)
        self._fresh.clear()
        if before.since is None and self._flood.since is not None:
            drafts.append(Draft(kind=ShiftKind.FLOOD, text=f"Alarm flood began: {self._flood.n_calls} in 10 minutes."))
        elif before.since is not None and self._flood.since is None:
            minutes = (now - before.since).total_seconds() / 60
            drafts.append(Draft(kind=ShiftKind.FLOOD, text=f"Alarm flood ended after {minutes:.0f} min."))
        return tuple(drafts)

    def _tell_shelving(self, alarm: Alarm, name: str, *, was_shelved: bool) -> None:
        if was_shelved:
            self._drafts.append(Draft(kind=ShiftKind.SHELVED, text=f"No longer shelved: {name}."))
            return
        until = f" until {write_local(alarm.shelved_until, self._zone)}" if alarm.shelved_until is not None else ""
        reason = f" ({alarm.shelve_reason})" if alarm.shelve_reason else ""
        text = f"Shelved{until}: {name}{reason}."
        self._drafts.append(Draft(kind=ShiftKind.SHELVED, text=text, actor=alarm.shelved_by or SYSTEM.name))

    def _tell_service(self, alarm: Alarm, name: str, *, was_out: bool) -> None:
        if was_out:
            self._drafts.append(Draft(kind=ShiftKind.OUT_OF_SERVICE, text=f"Back in service: {name}."))
            return
        until = alarm.out_of_service_until
        words = f" until {write_local(until, self._zone)}" if until is not None else ""
        reason = f" ({alarm.out_of_service_reason})" if alarm.out_of_service_reason else ""
        text = f"Out of service{words}: {name}{reason}."
        self._drafts.append(Draft(kind=ShiftKind.OUT_OF_SERVICE, text=text, actor=alarm.out_of_service_by))


def _source_drafts(names: list[str], words: str) -> list[Draft]:
    if len(names) <= TELL_SINGLY:
        return [Draft(kind=ShiftKind.SOURCE, text=f"{name} is {words}.") for name in names]
    shown = ", ".join(names[:TELL_SINGLY])
    text = f"{len(names)} sources are {words}: {shown} and {len(names) - TELL_SINGLY} more."
    return [Draft(kind=ShiftKind.SOURCE, text=text)]
