"""Whether each desk hears its alarms, as people said: asked for once a month, kept in the shift log and the audit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import Actor, Role
from core.access.permission import require
from core.incidents.shift import Draft, ShiftEntryAdded, ShiftKind, add_entry
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.wire import from_builtins, to_builtins
from core.store.engine import Store
from core.store.rows import storable
from core.store.tables import SettingRow

KEY = "sound_tests"
TEST_EVERY = timedelta(days=31)
FIRST_WITHIN = timedelta(days=1)
"""A new desk is tested within its first day."""

FORGOTTEN_AFTER = timedelta(days=180)
"""A desk that nobody sat at for so long is no desk any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSound:
    """What is known of one desk.

    Attributes:
        seen_at: Somebody sat there.
        tested_at: The test sound was played and somebody answered; None where that never was.
        is_heard: What the answer was.
        by: Who answered.
    """

    desk: str
    first_at: datetime
    seen_at: datetime
    tested_at: datetime | None = None
    is_heard: bool = False
    by: str = ""

    @property
    def due_at(self) -> datetime:
        """From when on a test is asked for."""
        if self.tested_at is None:
            return self.first_at + FIRST_WITHIN
        return self.tested_at + TEST_EVERY if self.is_heard else self.tested_at


class SoundTests:
    """Remembers the tests of every desk.

    Threads: all calls come from the owner's loop.
    """

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._desks: dict[str, DeskSound] = {}

    async def load(self) -> None:
        """Read what is stored.

        Raises:
            UnavailableError: The database is away.
        """
        kept = await self._store.read(_read)
        self._desks = {desk.desk: desk for desk in kept}

    async def see(self, desk: str) -> None:
        """Somebody sits at a desk that is to hear its alarms.

        Raises:
            UnavailableError: The database is away.
        """
        now = self._clock.now()
        known = self._desks.get(desk)
        if known is not None and now - known.seen_at < FIRST_WITHIN:
            return
        made = replace(known, seen_at=now) if known else DeskSound(desk=desk, first_at=now, seen_at=now)
        self._desks[desk] = made
        kept = self._kept(now)
        await self._store.write(lambda session: _write(session, kept, now))

    async def note(self, actor: Actor, *, is_heard: bool) -> DeskSound:
        """Keep what an operator heard of the test sound at their desk.

        Raises:
            NotPermittedError: Below operator.
            UnavailableError: The database is away; nothing was kept.
        """
        require(actor, Role.OPERATOR)
        now = self._clock.now()
        known = self._desks.get(actor.desk) or DeskSound(desk=actor.desk, first_at=now, seen_at=now)
        made = replace(known, seen_at=now, tested_at=now, is_heard=is_heard, by=actor.name)
        kept = {**self._kept(now), actor.desk: made}
        words = "The test sound was heard." if is_heard else "The test sound was NOT heard."

        def run(session: Session) -> ShiftEntryAdded:
            _write(session, kept, now)
            draft = Draft(kind=ShiftKind.SOUND_TEST, text=words, actor=actor.name, desk=actor.desk)
            entry = add_entry(session, draft, now)
            subject = storable(actor.desk) or "a desk without a name"
            audit.append(session, actor, action="desk.sound_test", subject=subject, detail=words, at=now)
            return ShiftEntryAdded(entry=entry)

        added = await self._store.write(run)
        self._desks = kept
        self._bus.publish(added)
        return made

    def due(self) -> Iterator[tuple[str, str, str]]:
        """Yield key, sentence and way out for each desk whose sound has to be tested."""
        now = self._clock.now()
        for desk, known in sorted(self._kept(now).items()):
            if now < known.due_at:
                continue
            where = desk or "a desk without a name"
            if known.tested_at is None:
                words = f"The sound at {where} was never tested."
            elif known.is_heard:
                words = f"The sound at {where} was last tested {(now - known.tested_at).days} days ago."
            else:
                words = f"The test sound at {where} was not heard by {known.by}."
            yield f"sound_test/{desk}", words, "Test it there: the arrow beside Sound, then say whether it was heard."

    def _kept(self, now: datetime) -> dict[str, DeskSound]:
        return {key: desk for key, desk in self._desks.items() if now - desk.seen_at < FORGOTTEN_AFTER}


def _read(session: Session) -> tuple[DeskSound, ...]:
    row = session.get(SettingRow, KEY)
    return () if row is None else from_builtins(row.value, tuple[DeskSound, ...])


def _write(session: Session, desks: dict[str, DeskSound], at: datetime) -> None:
    session.merge(SettingRow(key=KEY, value=to_builtins(tuple(desks.values())), changed_at=at))
