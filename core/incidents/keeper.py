"""What happens to alarms by themselves: shelving and service end, nobody acknowledges, a suppression begins or ends."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access.model import SYSTEM
from core.incidents import events, holds, ledger
from core.incidents.events import Event, LetGo
from core.incidents.holds import Holds, HoldsChanged
from core.incidents.model import Alarm, AlarmChanged, AlarmMark
from core.incidents.raising import let_go
from core.incidents.rules.model import RulesChanged
from core.incidents.suppression import SuppressionRule, find_rule
from core.incidents.timers import Due, Timers, deadlines_of
from core.incidents.tuning import Tunings
from core.incidents.writer import AlarmWriter, Changed, joined
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import UnavailableError
from core.store.engine import Store
from core.store.tables import AlarmRow

log = logging.getLogger(__name__)

SPREAD_S = 5.0
"""Of alarms whose shelving ends at once, one calls after the other."""

RELEASE_AFTER_S = 30.0
"""What was suppressed is let go this long after its cause is over: what lay behind it comes back a little later."""

MAX_BATCH = 200


class AlarmKeeper:
    """Waits for the deadlines of all open alarms, and applies what suppresses by design.

    Threads: the node's loop.
    """

    def __init__(self, store: Store, bus: Bus, clock: Clock, tunings: Tunings) -> None:
        """Hear of every change on `bus`; nothing is read before `start`."""
        self._store = store
        self._writer = AlarmWriter(store, bus)
        self._clock = clock
        self._tunings = tunings
        self._timers = Timers()
        self._releases_s: dict[str, float] = {}
        self._judged: tuple[tuple[SuppressionRule, ...], frozenset[tuple[str, ...]]] | None = None
        self._next_release_s = float("-inf")
        self._bus = bus
        self._told = Holds()
        bus.subscribe(AlarmChanged, lambda event: self._arm((event.alarm,)))
        self._is_ruled_anew = False
        bus.subscribe(HoldsChanged, self._on_holds)
        bus.subscribe(RulesChanged, self._on_rules)

    async def start(self) -> None:
        """Arm the deadlines that are stored; those that passed while the node was away fall due at once."""
        query = select(AlarmRow).where(AlarmRow.is_open)
        self._arm(await self._store.read(lambda s: tuple(ledger.alarm_of(row) for row in s.scalars(query))))

    async def tick(self) -> None:
        """Do what has fallen due; call it about once a second.

        Raises:
            UnavailableError: The database is away; what is due stays due.
        """
        if self._is_ruled_anew:
            # Alarms that stand follow the figures that are in force now.
            await self.start()
            self._is_ruled_anew = False
        now_s = self._clock.monotonic()
        chosen = self._spread(self._timers.due(now_s), now_s)[:MAX_BATCH]
        if chosen:
            await self._fire(chosen)
        await self._keep_suppression(now_s)

    def _spread(self, due: Iterable[tuple[str, Due]], now_s: float) -> list[tuple[str, Due]]:
        """Let one shelving end now and leave the others due: together they would be a flood of our own making."""
        found = []
        for alarm_id, what in due:
            if what is Due.UNSHELVE:
                if now_s < self._next_release_s:
                    continue
                self._next_release_s = now_s + SPREAD_S
            found.append((alarm_id, what))
        return found

    async def _fire(self, due: list[tuple[str, Due]]) -> None:
        """Do what is due; what cannot be stored although the database is there is given up and logged."""
        try:
            await self._fire_together(due)
        except UnavailableError:
            raise
        except Exception:
            # One that cannot be stored must not keep back the others, nor come again every second.
            if len(due) > 1:
                for one in due:
                    await self._fire([one])
                return
            alarm_id, what = due[0]
            log.exception("%s of the alarm %s could not be stored", what.value, alarm_id)
            self._timers.disarm(alarm_id, what)

    async def _fire_together(self, due: list[tuple[str, Due]]) -> None:
        at = self._clock.now()

        def run(session: Session) -> Changed:
            done: list[Changed] = []
            for alarm_id, what in due:
                row = session.get(AlarmRow, alarm_id)
                event = None if row is None else self._event_of(session, what, ledger.alarm_of(row), at)
                if row is not None and event is not None:
                    done.append(_record(session, row, event))
            return joined(done)

        changed = await self._writer.commit(run)
        known = {alarm.alarm_id for alarm in changed.alarms}
        for alarm_id, what in due:
            if alarm_id not in known:
                # Nothing came of it: whatever armed it is gone.
                self._timers.disarm(alarm_id, what)

    def _on_holds(self, event: HoldsChanged) -> None:
        self._told = event.holds

    def _on_rules(self, _event: RulesChanged) -> None:
        self._is_ruled_anew = True

    def _event_of(self, session: Session, due: Due, alarm: Alarm, at: datetime) -> Event | None:
        """Return what happens to an alarm now; None where that is not due any more."""
        if due not in deadlines_of(alarm, self._tunings.of_alarm(alarm)):
            return None
        match due:
            case Due.UNSHELVE:
                return events.ShelvingExpired(at=at)
            case Due.SERVICE:
                left = holds.in_force(session, (), at).service_for(alarm)
                if left is not None and left.until != alarm.out_of_service_until:
                    # Its source, or it by itself, was taken out for longer.
                    return events.TakenOut(at=at, service=left)
                return events.ServiceExpired(at=at)
            case Due.ESCALATE:
                level = alarm.escalation_level + 1
                to = self._tunings.of_alarm(alarm).escalation_words(level)
                return events.Escalated(at=at, level=level, to=to)
            case Due.REALARM:
                return events.Realarmed(at=at)
            case Due.STALE:
                return events.Marked(at=at, marks=alarm.marks | {AlarmMark.STALE})

    def _arm(self, alarms: Iterable[Alarm]) -> None:
        now, now_s = self._clock.now(), self._clock.monotonic()
        for alarm in alarms:
            deadlines = deadlines_of(alarm, self._tunings.of_alarm(alarm)) if alarm.is_open else {}
            self._timers.arm(alarm.alarm_id, deadlines, now=now, now_s=now_s)
            if not alarm.suppressed_by:
                self._releases_s.pop(alarm.alarm_id, None)

    # -- suppression by design ------------------------------------------------------------------------------------

    async def _keep_suppression(self, now_s: float) -> None:
        at, rules = self._clock.now(), self._tunings.suppression
        causes, held = await self._store.read(lambda s: (holds.causes(s, rules), holds.holds_at(s, at)))
        works = held.works
        if held != self._told:
            # Its time is over; what somebody did was told at once.
            self._told = held
            self._bus.publish(HoldsChanged(holds=held))
        in_force = frozenset((cause.kind, cause.condition_key) for cause in causes) | frozenset(
            (one.works_id, str(one.version)) for one in works if one.since <= at
        )
        in_force |= frozenset((rule.rule_id, "hours") for rule in rules if rule.is_hour(at))
        has_due = any(due_s <= now_s for due_s in self._releases_s.values())
        if (rules, in_force) == self._judged and not has_due:
            return

        def judge(session: Session) -> dict[str, str]:
            """Return the rule of every alarm whose rule is another now."""
            query = select(AlarmRow).where(AlarmRow.is_open)
            alarms = session.scalars(query if in_force else query.where(AlarmRow.suppressed_by != ""))
            judged = (
                (alarm, find_rule(alarm, causes, rules=rules, works=works, now=at))
                for alarm in map(ledger.alarm_of, alarms)
            )
            return {alarm.alarm_id: rule_id for alarm, rule_id in judged if rule_id != alarm.suppressed_by}

        # There may be thousands of both: not on the loop.
        changed = await self._store.read(judge)
        self._releases_s = {key: due_s for key, due_s in self._releases_s.items() if changed.get(key) == ""}
        wanted = {key: rule_id for key, rule_id in changed.items() if rule_id or self._is_over(key, now_s)}
        if wanted:
            await self._suppress(wanted, at)
        self._judged = (rules, in_force)

    def _is_over(self, alarm_id: str, now_s: float) -> bool:
        return self._releases_s.setdefault(alarm_id, now_s + RELEASE_AFTER_S) <= now_s

    async def _suppress(self, wanted: dict[str, str], at: datetime) -> None:
        """Give every alarm the rule that holds it; none where it is let go."""

        def run(session: Session) -> Changed:
            done = []
            for alarm_id, rule_id in wanted.items():
                row = session.get(AlarmRow, alarm_id)
                event: Event = events.Suppressed(at=at, rule_id=rule_id) if rule_id else events.Unsuppressed(at=at)
                if row is not None:
                    done.append(_record(session, row, event))
            return joined(done)

        await self._writer.commit(run)


def _record(session: Session, row: AlarmRow, event: Event) -> Changed:
    if isinstance(event, LetGo):
        return let_go(session, row, event)
    transition = ledger.record(session, row, event, SYSTEM)
    return Changed() if transition is None else Changed(alarms=(transition.alarm,))
