"""Conditions become incidents and alarms, operators acknowledge them; stored first, published second."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from itertools import islice
from pathlib import Path

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import SYSTEM, Actor, Role
from core.access.permission import require
from core.field.kinds.gateway import KIND as GATEWAY
from core.field.model import Device, DeviceState
from core.incidents import flood, ledger, policy, sightings
from core.incidents.doubt import Doubtful, Doubts, Hearing, hear_nobody
from core.incidents.events import Acknowledged, Commented, Event, Marked, QualityChanged, Unshelved
from core.incidents.evidence import Evidence, discard_snapshot, load_snapshot, save_snapshot
from core.incidents.flood import Call
from core.incidents.handling import Meant, meant_row
from core.incidents.holds import describe_hold, held_error
from core.incidents.model import (
    Alarm,
    CallMoved,
    ClosedUnheard,
    Condition,
    Incident,
    JournalEntry,
    Quality,
    Shelving,
    Snapshot,
    SourceKind,
)
from core.incidents.raising import Raising, keep_past, raise_alarm, raise_all, return_alarm
from core.incidents.rules.book import shipped_tunings
from core.incidents.same_event import View
from core.incidents.signals import NUISANCE, REPEAT_S, Signals, Verdict
from core.incidents.tuning import AlarmTuning, Tunings
from core.incidents.writer import AlarmWriter, Changed, joined
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, StaleWriteError, UnavailableError
from core.kernel.ids import new_id
from core.kernel.zone import write_site
from core.store.engine import Store
from core.store.rows import place_values, storable, words_of
from core.store.tables import AlarmRow, IncidentRow, ObservationRow
from core.vision.model import Observation, Phase

log = logging.getLogger(__name__)

MAX_ROWS = 2000
_SILENT = {
    DeviceState.LOST: "Its connection to the broker broke.",
    DeviceState.STALE: "It has been silent for longer than its kind may be.",
}
MAX_COMMENT_LENGTH = 2000
MAX_TOGETHER = 256
"""Steps that share a transaction of the store."""

MEASURED_LATELY = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A condition that must hold a little longer before it is raised.

    Attributes:
        observation: What it was seen in; None where it did not come from a picture.
        is_doubtful: Its rule has forgotten it since.
    """

    condition: Condition
    snapshot: Snapshot | None = None
    observation: Observation | None = None
    view: View | None = None
    is_doubtful: bool = False


class Step(Enum):
    """What falls due between a rule and its alarm."""

    RAISE = "raise"
    RETURN = "return"
    END_DOUBT = "end doubt"
    MARK = "mark"


class IncidentService:
    """The one place where alarms begin and end.

    Threads: all calls come from the owner's loop.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        *,
        evidence: Path,
        tunings: Tunings | None = None,
        by_rule: Callable[[Condition], Condition] = lambda condition: condition,
    ) -> None:
        """Keep snapshots in the folder `evidence`.

        Alarms follow the figures of `tunings`; `by_rule` gives a condition its rule, title and priority.
        """
        self.tunings = tunings or shipped_tunings()
        self._by_rule = by_rule
        self._store = store
        self._bus = bus
        self._writer = AlarmWriter(store, bus)
        self._clock = clock
        self._evidence = evidence
        self._signals = Signals()
        self._waiting: dict[str, _Waiting] = {}
        self._returns_measured_at: dict[str, datetime] = {}
        """Of numbers whose return waits for its off-delay."""

        self._overdue: deque[tuple[Step, str]] = deque()
        self._doubts = Doubts()
        self._hearing: Hearing = hear_nobody

        self._heard: dict[str, Verdict] = {}
        """What was made of observations that are not stored yet: another try hears the same."""

        self._together: list[tuple[Raising, asyncio.Future[Changed]]] = []
        self._raising_together: asyncio.Task[None] | None = None
        self._keeps_pictures: bool | None = None
        self._again: dict[str, str] = {}
        """Of what cameras saw again under another number: the condition key of its alarm, by the one of now."""

        self._following: dict[str, tuple[str, Condition]] = {}
        """Conditions that hold behind a call of the same event: the incident and the condition, by its key."""

        bus.subscribe(CallMoved, self._on_call_moved)

    def hear_by(self, hearing: Hearing) -> None:
        """Ask `hearing` about the sources of what is doubtful; until then none of them is heard."""
        self._hearing = hearing

    async def start(self) -> tuple[Alarm, ...]:
        """Take over what was active when the node ended, as doubtful until its rule says so again.

        An acknowledge lives through a restart. The rules begin anew and raise again what still holds. What none of them
        says again stays active, as last known, until its source has been heard for long enough to say it.

        Returns:
            The alarms that are doubtful now.
        """
        at, now_s = self._clock.now(), self._clock.monotonic()
        since = at - timedelta(seconds=max(REPEAT_S, self.tunings.longest_window_s))
        came = await self._store.read(lambda s: [*ledger.raises_since(s, since), *ledger.counted_since(s, since)])
        for key, rule_id, kind, raised_at in sorted(came, key=lambda one: one[3]):
            self._signals.note(key, now_s - (at - raised_at).total_seconds(), self.tunings.of(rule_id, kind))
        for one in await self._store.read(sightings.all_behind):
            condition = _condition_of(one.seen, one.camera_name, one.view, 0.0)
            if condition is not None:
                condition = self._by_rule(condition)
                self._following[condition.condition_key] = (one.incident_id, condition)
                self._signals.assume(condition.condition_key, self._tuning(condition))
        await self._doubt_following(self._following)
        return await self._doubt(AlarmRow.is_active.is_(True))

    async def doubt_source(
        self, source_kind: SourceKind, source_id: str, sure: Collection[str] = ()
    ) -> tuple[Alarm, ...]:
        """Take what is active at a source, except for the keys in `sure`, as doubtful until its rule says so again.

        For a source whose worker was started again: an acknowledge lives through that as it does through a restart.

        Returns:
            The alarms that are doubtful now.
        """
        await self._doubt_following(self._behind_at(source_kind, source_id).keys() - set(sure))
        for key, waiting in self._waiting.items():
            condition = waiting.condition
            if waiting.observation and (condition.source_kind, condition.source_id) == (source_kind, source_id):
                self._waiting[key] = replace(waiting, is_doubtful=True)
        self._forget_numbers({(source_kind, source_id)})
        return await self._doubt(
            AlarmRow.is_active.is_(True),
            AlarmRow.source_kind == source_kind.value,
            AlarmRow.source_id == source_id,
            AlarmRow.condition_key.not_in(sorted(sure)),
        )

    async def doubt_conditions(self, condition_keys: Collection[str]) -> tuple[Alarm, ...]:
        """Take what is active of these conditions as doubtful until its rule says so again; as `doubt_source`.

        Returns:
            The alarms that are doubtful now.
        """
        await self._doubt_following([key for key in condition_keys if key in self._following])
        keys = sorted(storable(key) for key in condition_keys)
        return await self._doubt(AlarmRow.is_active.is_(True), AlarmRow.condition_key.in_(keys))

    async def _doubt_following(self, condition_keys: Iterable[str]) -> None:
        """Take who stands behind another call as doubtful: nobody calls for them, and no number may be lost."""
        behind = {key: self._following[key][1] for key in condition_keys}
        if behind:
            self._doubts.add(await self._store.read(lambda s: sightings.doubtful_behind(s, behind)))

    async def _doubt(self, *which: ColumnElement[bool]) -> tuple[Alarm, ...]:
        at = self._clock.now()

        def run(session: Session) -> Changed:
            rows = session.scalars(select(AlarmRow).where(*which)).all()
            found = [ledger.record(session, row, QualityChanged(at=at, quality=Quality.STALE), SYSTEM) for row in rows]
            return Changed(alarms=tuple(one.alarm for one in found if one is not None))

        changed = await self._commit(run)
        found = await self._store.read(lambda s: sightings.doubtful_of(s, *which))
        for doubtful, rule_id in found:
            self._signals.assume(doubtful.condition_key, self.tunings.of(rule_id, doubtful.kind))
        self._doubts.add(doubtful for doubtful, _ in found)
        return changed.alarms

    async def _confirm(self, condition_key: str) -> None:
        """A rule says again what was doubtful since the start."""
        if condition_key not in self._doubts:
            return
        at = self._clock.now()

        def run(session: Session) -> Changed:
            row = ledger.find_open(session, storable(condition_key))
            event = QualityChanged(at=at, quality=Quality.GOOD)
            transition = None if row is None else ledger.record(session, row, event, SYSTEM)
            return Changed() if transition is None else Changed(alarms=(transition.alarm,))

        await self._commit(run)
        self._doubts.discard(condition_key)

    async def raise_condition(self, condition: Condition, snapshot: Snapshot | None = None) -> Alarm | None:
        """Open an alarm for a condition, or note that it holds again; one that holds already is left alone.

        Returns:
            The open alarm of the condition, as stored; None while its rule waits for it to last or to come more often.
        """
        condition = self._by_rule(condition)
        if not await self._is_due(condition, snapshot):
            return None
        evidence, condition = await self._keep_picture(condition, snapshot, name=new_id())
        changed = await self._raise(self._raising(condition, evidence))
        await self._confirm(condition.condition_key)
        return changed.answer

    async def raise_news(self, condition: Condition) -> Alarm | None:
        """Raise what somebody says anew of a condition: it counts to the incident it had, until that is closed.

        Returns:
            As `raise_condition`.
        """
        condition = self._by_rule(condition)
        if not await self._is_due(condition, None):
            return None
        incident_id = await self._store.read(lambda s: ledger.incident_left_open(s, condition))
        changed = await self._raise(self._raising(condition, None, incident_id))
        await self._confirm(condition.condition_key)
        return changed.answer

    async def _is_due(self, condition: Condition, snapshot: Snapshot | None) -> bool:
        """Tell whether a condition is raised now; else it waits or is counted, as its rule says."""
        verdict = self._signals.raised(
            condition.condition_key, self._tuning(condition), self._clock.monotonic(), priority=condition.priority
        )
        if verdict is Verdict.WAIT:
            self._wait(_Waiting(condition=condition, snapshot=snapshot))
        if verdict is Verdict.COUNT:
            await self._keep_count(condition)
        return verdict is Verdict.PASS

    async def _keep_count(self, condition: Condition) -> None:
        at = self._clock.now()
        try:
            await self._store.write(lambda s: self._count(s, condition, at))
        except UnavailableError as error:
            # Not tried again: it would count twice. It is forgotten only by a restart within the window.
            log.warning("that %s came is not stored: %s", condition.condition_key, error)

    def _count(self, session: Session, condition: Condition, at: datetime) -> None:
        keep_since = at - timedelta(seconds=max(REPEAT_S, self.tunings.longest_window_s))
        ledger.count_raise(session, condition, at, keep_since=keep_since)

    def _wait(self, waiting: _Waiting) -> None:
        """Let a condition wait; of one that waits already the most urgent is raised."""
        key = waiting.condition.condition_key
        known = self._waiting.get(key)
        if known is None:
            self._waiting[key] = waiting
        elif waiting.condition.priority < known.condition.priority:
            self._waiting[key] = replace(waiting, snapshot=waiting.snapshot or known.snapshot)
        else:
            self._waiting[key] = replace(known, is_doubtful=False)

    async def raise_moment(
        self,
        condition: Condition,
        claim: Callable[[Session], bool],
        note: Callable[[Session, Alarm | None], None] = lambda _session, _alarm: None,
        *,
        n_times: int = 1,
    ) -> Alarm | None:
        """Call for what happened at one moment, or of which nobody can say how long it lasts.

        Args:
            condition: It.
            claim: Runs in the same transaction and says whether this still has to be called for: a try whose answer
                was lost, or a node that was killed, called already.
            note: Runs in it after, with the alarm as it became; with None where it was counted.
            n_times: How often it happened before this call for all of it.

        Returns:
            The alarm, returned at once; None where it was called for before, or its rule waits for it to come more
            often.
        """
        condition = self._by_rule(condition)
        key, tuning, now_s = condition.condition_key, self._tuning(condition), self._clock.monotonic()
        # More of them at once are as many as the rule wants, and no nuisance.
        n_counted = min(n_times, tuning.n_raises)
        verdict = self._signals.moment(key, tuning, now_s, n_counted)
        raising = self._raising(condition, None, n_more=n_counted)

        def run(session: Session) -> Changed:
            if not claim(session):
                return Changed(is_known=True)
            if verdict is Verdict.COUNT:
                for _ in range(n_counted):
                    self._count(session, condition, raising.at)
                note(session, None)
                return Changed()
            raised = raise_alarm(session, raising, self.tunings)
            ended = return_alarm(session, key, raising.at, self.tunings)
            answer = ended.answer or raised.answer
            if answer is not None:
                note(session, answer)
            return replace(joined((raised, ended)), answer=answer)

        changed = await self._commit(run)
        if not changed.is_known:
            # Not before: what is tried again while the database is away is still one.
            for _ in range(n_counted):
                self._signals.note(key, now_s, tuning)
        return changed.answer

    async def keep_past(self, condition: Condition, ended_at: datetime) -> None:
        """Store what was over before anybody heard of it, as a closed incident; nobody is called."""
        condition, at = self._by_rule(condition), self._clock.now()
        await self._commit(lambda s: keep_past(s, condition, ended_at=ended_at, at=at))

    async def return_condition(self, condition_key: str, measured_at: datetime | None = None) -> Alarm | None:
        """Note that a condition is over; `measured_at` where a number of a device says so.

        Returns:
            The alarm; None where no alarm of it was active, or where its rule waits whether it comes back.
        """
        verdict = self._signals.returned(condition_key, self._clock.monotonic())
        if verdict is Verdict.DROP:
            self._waiting.pop(condition_key, None)
        if verdict is Verdict.WAIT and measured_at is not None:
            self._returns_measured_at[condition_key] = measured_at
        if verdict is not Verdict.PASS:
            return None
        return await self._return_now(condition_key, measured_at)

    async def return_by_word(self, condition_key: str) -> Alarm | None:
        """Note that somebody said a condition is over, or is another one now.

        No rule waits whether it comes back, and how often it came makes it no nuisance.

        Returns:
            The alarm; None where no alarm of it was active.
        """
        self._signals.drop(condition_key)
        self._waiting.pop(condition_key, None)
        return await self._return_now(condition_key)

    async def tick(self) -> None:
        """Pass on what has waited long enough; call it about once a second.

        What cannot be stored although the database is there is given up and logged: the others must not wait for it.

        Raises:
            UnavailableError: The database is away; what is due stays due.
        """
        now_s = self._clock.monotonic()
        self._overdue.extend((Step.RAISE, key) for key in self._signals.due_raises(now_s))
        self._overdue.extend((Step.RETURN, key) for key in self._signals.due_returns(now_s))
        self._overdue.extend((Step.MARK, key) for key in self._signals.marks_changed(now_s))
        await self._work_off()
        for key in self._doubts.over(self._hearing, now_s):
            # Before any of them ends: who is gone as well is not called in its place.
            self._following.pop(key, None)
            self._overdue.append((Step.END_DOUBT, key))
        await self._work_off()
        self._signals.sweep(now_s)

    async def _work_off(self) -> None:
        """Pass on what is overdue."""
        while self._overdue:
            # A burst is one transaction of the store; of one condition one step at a time.
            first: dict[str, tuple[Step, str]] = {}
            for item in islice(self._overdue, MAX_TOGETHER):
                first.setdefault(item[1], item)
            steps = (self._pass_on(step, key) for step, key in first.values())
            errors = await asyncio.gather(*steps, return_exceptions=True)
            for item, error in zip(first.values(), errors, strict=True):
                if isinstance(error, UnavailableError):
                    continue
                self._overdue.remove(item)
                if error is not None:
                    self._give_up(*item, error)
            away = next((error for error in errors if isinstance(error, UnavailableError)), None)
            if away is not None:
                raise away

    def _give_up(self, step: Step, key: str, error: BaseException) -> None:
        log.error("%s of %s could not be stored", step.value, key, exc_info=error)
        if step is Step.RAISE:
            # Its rule may say it again.
            self._waiting.pop(key, None)
            self._signals.forget(key)

    async def _pass_on(self, step: Step, key: str) -> None:
        if step is Step.RAISE:
            await self._raise_waiting(key)
        elif step is Step.RETURN:
            await self._return_now(key, self._returns_measured_at.get(key))
            self._returns_measured_at.pop(key, None)
        elif step is Step.END_DOUBT:
            await self._end_doubt(key)
        else:
            await self._mark(key)

    async def _raise_waiting(self, key: str) -> None:
        waiting = self._waiting.get(key)
        if waiting is None:
            return
        name = new_id() if waiting.observation is None else waiting.observation.observation_id
        evidence, condition = await self._keep_picture(waiting.condition, waiting.snapshot, name=name)
        raising, seen = self._raising(condition, evidence), waiting.observation
        if seen is None:
            changed = await self._raise(raising)
        else:
            behind = self._incidents_behind()
            changed = await self._commit(
                lambda s: self._raise_seen(s, seen, waiting.view, behind, raising), evidence, seen=condition
            )
        await self._follow(condition, changed, has_ended=False)
        if waiting.is_doubtful:
            await self._doubt(AlarmRow.is_active.is_(True), AlarmRow.condition_key == storable(key))
        self._waiting.pop(key, None)

    async def measured_lately(self) -> dict[str, ledger.Measured]:
        """Return which measurements the newest raises and returns followed, by condition key.

        After a restart the broker sends again what the run before had not yet confirmed, though it has called for it.
        """
        return await self._store.read(lambda session: ledger.measured_last(session, MEASURED_LATELY))

    async def _return_now(self, condition_key: str, measured_at: datetime | None = None) -> Alarm | None:
        at = self._clock.now()
        changed = await self._commit(lambda s: self._return_in(s, condition_key, at, measured_at))
        self._doubts.discard(condition_key)
        self._following.pop(condition_key, None)
        if changed.answer is not None and self._following:
            await self._call_next(changed.answer.incident_id)
        return changed.answer

    async def _end_doubt(self, condition_key: str) -> None:
        if condition_key in self._doubts:
            # Nobody said meanwhile that it holds.
            await self._return_now(condition_key)
            self._signals.forget(condition_key)

    def _return_in(
        self, session: Session, condition_key: str, at: datetime, measured_at: datetime | None = None
    ) -> Changed:
        row = ledger.find_open(session, storable(condition_key)) if condition_key in self._doubts else None
        if row is not None:
            # Its source was heard, or nobody would know that it is over.
            ledger.record(session, row, QualityChanged(at=at, quality=Quality.GOOD), SYSTEM)
        return return_alarm(session, condition_key, at, self.tunings, measured_at=measured_at)

    async def _mark(self, condition_key: str) -> None:
        at = self._clock.now()
        marks = self._signals.marks(condition_key, self._clock.monotonic())

        def run(session: Session) -> Changed:
            row = ledger.find_open(session, storable(condition_key))
            if row is None:
                return Changed()
            kept = ledger.alarm_of(row).marks - NUISANCE
            transition = ledger.record(session, row, Marked(at=at, marks=kept | marks), SYSTEM)
            return Changed() if transition is None else Changed(alarms=(transition.alarm,))

        await self._commit(run)

    def _tuning(self, condition: Condition) -> AlarmTuning:
        return self.tunings.of(condition.rule_id, condition.kind)

    def _raising(
        self, condition: Condition, evidence: Evidence | None, event_id: str | None = None, n_more: int = 0
    ) -> Raising:
        return Raising(
            condition=condition,
            at=self._clock.now(),
            evidence=evidence,
            event_id=event_id,
            marks=self._signals.marks(condition.condition_key, self._clock.monotonic(), n_more),
        )

    async def return_missing(
        self, source_kind: SourceKind, source_id: str, still_active: Iterable[str] = ()
    ) -> tuple[Alarm, ...]:
        """Return every active condition of a source that is not among `still_active`.

        For a source whose rules are others now: no end will ever come for what they had begun.
        """
        return await self._return_all({(source_kind, source_id)}, frozenset(still_active))

    async def return_where(
        self, source_kind: SourceKind, source_id: str, is_over: Callable[[Doubtful], bool]
    ) -> tuple[Alarm, ...]:
        """Return what is active at a source and of which `is_over` says that nobody watches for it any more."""
        behind = self._behind_at(source_kind, source_id)
        for one in await self._store.read(lambda s: sightings.doubtful_behind(s, behind)) if behind else ():
            if is_over(one):
                self._following.pop(one.condition_key, None)
        for key, waiting in tuple(self._waiting.items()):
            one = _doubtful_of(waiting)
            if (one.source_kind, one.source_id) == (source_kind, source_id) and is_over(one):
                del self._waiting[key]
                self._signals.forget(key)
        at = self._clock.now()

        def run(session: Session) -> Changed:
            at_source = (AlarmRow.source_kind == source_kind.value, AlarmRow.source_id == source_id)
            found = sightings.doubtful_of(session, AlarmRow.is_active.is_(True), *at_source)
            keys = [one.condition_key for one, _ in found if is_over(one)]
            return joined(self._return_in(session, key, at) for key in keys)

        return await self._commit_returns(run)

    async def return_sources(self, sources: Collection[tuple[SourceKind, str]]) -> tuple[Alarm, ...]:
        """Return every active condition of sources that were removed, however many, in one transaction."""
        return await self._return_all(frozenset(sources), frozenset())

    async def _return_all(
        self, sources: Collection[tuple[SourceKind, str]], kept: Collection[str]
    ) -> tuple[Alarm, ...]:
        self._forget_following(sources, kept)
        for key, waiting in tuple(self._waiting.items()):
            if (waiting.condition.source_kind, waiting.condition.source_id) in sources and key not in kept:
                del self._waiting[key]
                self._signals.forget(key)
        self._forget_numbers(sources)
        at = self._clock.now()

        def run(session: Session) -> Changed:
            keys = [key for key in ledger.active_keys_of(session, sources) if key not in kept]
            return joined(return_alarm(session, key, at, self.tunings) for key in keys)

        return await self._commit_returns(run)

    async def _commit_returns(self, run: Callable[[Session], Changed]) -> tuple[Alarm, ...]:
        """Commit what is over; what waited behind it calls."""
        returned = (await self._commit(run)).alarms
        for alarm in returned:
            self._signals.forget(alarm.condition_key)
            self._doubts.discard(alarm.condition_key)
        await self._call_all_waiting()
        return returned

    async def take_observation(
        self,
        observation: Observation,
        *,
        camera_name: str,
        view: View | None = None,
        snapshot: Snapshot | None = None,
        call_from: float = 0.0,
    ) -> Alarm | None:
        """Store what a scene rule saw and raise or return its alarm in the same transaction.

        The same observation twice changes nothing. Another sighting of an event that calls already joins its incident,
        and calls only where it is more than what is known; it calls later if the other one ends before it.

        Args:
            observation: What was seen.
            camera_name: For the list.
            view: Where its camera stands and looks, as far as it is known.
            snapshot: The picture of it.
            call_from: Confidence below which it is stored and nobody is called.

        Returns:
            The alarm it changed; None where it is only counted or was known already.
        """
        condition = _condition_of(observation, camera_name, view, call_from)
        if condition is not None:
            observation, condition = self._as_known(observation, self._by_rule(condition))
        verdict = self._hear(observation, condition, snapshot, view)
        changed = await self._store_seen(observation, condition, snapshot, view, verdict)
        self._heard.pop(observation.observation_id, None)
        if condition is not None and observation.phase is Phase.BEGIN:
            await self._confirm(condition.condition_key)
        if condition is not None and verdict is Verdict.PASS:
            has_ended = observation.phase is Phase.END
            if has_ended:
                self._doubts.discard(condition.condition_key)
            await self._follow(condition, changed, has_ended=has_ended)
        return changed.answer if changed.alarms else None

    async def take_late(
        self,
        observation: Observation,
        *,
        camera_name: str,
        view: View | None = None,
        snapshot: Snapshot | None = None,
        call_from: float = 0.0,
    ) -> None:
        """Store what a scene rule saw in the run before and could not be stored in it; as `take_observation`.

        It calls whatever its rule waits for, since nobody looked on. What it begins is to be doubted next
        (`doubt_conditions`): the rules have begun anew, and no end may come for it.
        """
        condition = _condition_of(observation, camera_name, view, call_from)
        if condition is not None:
            at = write_site(observation.captured_at, timespec="seconds")
            said = f"{condition.detail}{', ' if condition.detail else ''}seen at {at}, stored late"
            condition = self._by_rule(replace(condition, detail=said))
        changed = await self._store_seen(observation, condition, snapshot, view, Verdict.PASS)
        if condition is None:
            return
        has_ended = observation.phase is Phase.END
        if has_ended:
            self._doubts.discard(condition.condition_key)
        await self._follow(condition, changed, has_ended=has_ended)

    async def _store_seen(
        self,
        observation: Observation,
        condition: Condition | None,
        snapshot: Snapshot | None,
        view: View | None,
        verdict: Verdict,
    ) -> Changed:
        """Store an observation, and in the same transaction what becomes of its alarm."""
        evidence: Evidence | None = None
        if condition is not None and observation.phase is not Phase.END and verdict is Verdict.PASS:
            evidence, condition = await self._keep_picture(condition, snapshot, name=observation.observation_id)
        at = self._clock.now()
        raising = None if condition is None else self._raising(condition, evidence)
        behind = self._incidents_behind()

        def run(session: Session) -> Changed:
            known = session.get(ObservationRow, observation.observation_id)
            if known is not None:
                return Changed(is_known=True, used_evidence=ledger.names_picture(session, known.incident_id, evidence))
            session.add(_observation_row(observation))
            session.flush()
            if raising is not None and verdict is Verdict.COUNT:
                self._count(session, raising.condition, at)
            if raising is None or verdict is not Verdict.PASS:
                return Changed()
            key = raising.condition.condition_key
            if observation.phase is Phase.END:
                return self._return_in(session, key, at)
            changed = self._raise_seen(session, observation, view, behind, raising)
            if observation.phase is Phase.INSTANT and not changed.followed:
                ended = return_alarm(session, key, at, self.tunings)
                return replace(ended, used_evidence=changed.used_evidence)
            return changed

        return await self._commit(run, evidence, seen=condition)

    def _as_known(self, observation: Observation, condition: Condition) -> tuple[Observation, Condition]:
        """Return what was seen under the key of its alarm where a rule numbers anew: no doubtful alarm is meant twice.

        Rules number vehicles and things from 1 in every run, so that one which stands outlives a worker and its number.
        """
        key = condition.condition_key
        known = self._again.get(key)
        if known is None and observation.phase is Phase.BEGIN:
            known = self._doubts.seen_again(observation, taken=self._again.values())
        if known is None:
            return observation, condition
        self._again[key] = known
        said = known.removeprefix(policy.key_at(observation.camera_id, ""))
        return replace(observation, condition_key=said), replace(condition, condition_key=known)

    def _behind_at(self, source_kind: SourceKind, source_id: str) -> dict[str, Condition]:
        """Return what holds at a source behind the call of another one, by its key."""
        return {
            key: condition
            for key, (_, condition) in self._following.items()
            if (condition.source_kind, condition.source_id) == (source_kind, source_id)
        }

    def _forget_following(self, sources: Collection[tuple[SourceKind, str]], kept: Collection[str] = ()) -> None:
        """Nobody at these sources stands behind another call any more, but for the conditions in `kept`."""
        for key, (_, condition) in tuple(self._following.items()):
            if (condition.source_kind, condition.source_id) in sources and key not in kept:
                del self._following[key]

    def _forget_numbers(self, sources: Collection[tuple[SourceKind, str]]) -> None:
        """The rules of these sources number anew."""
        of_cameras = tuple(policy.key_at(one, "") for kind, one in sources if kind is SourceKind.CAMERA)
        self._again = {key: known for key, known in self._again.items() if not key.startswith(of_cameras)}

    def _hear(
        self,
        observation: Observation,
        condition: Condition | None,
        snapshot: Snapshot | None,
        view: View | None,
    ) -> Verdict:
        """Say what becomes of an observation, the same for every try to store it."""
        known = self._heard.get(observation.observation_id)
        if known is not None or condition is None:
            return known or Verdict.PASS
        key, now_s = condition.condition_key, self._clock.monotonic()
        if observation.phase is Phase.BEGIN:
            verdict = self._signals.raised(key, self._tuning(condition), now_s, priority=condition.priority)
        elif observation.phase is Phase.END:
            verdict = self._signals.returned(key, now_s)
        else:
            self._signals.note(key, now_s, self._tuning(condition))
            verdict = Verdict.PASS
        if verdict is Verdict.WAIT and observation.phase is Phase.BEGIN:
            self._wait(_Waiting(condition=condition, snapshot=snapshot, observation=observation, view=view))
        if verdict is Verdict.DROP and observation.phase is Phase.END:
            self._waiting.pop(key, None)
        self._heard[observation.observation_id] = verdict
        return verdict

    def _raise_seen(
        self,
        session: Session,
        observation: Observation,
        view: View | None,
        behind: Mapping[str, str],
        raising: Raising,
    ) -> Changed:
        """Raise what was seen, or let it join the incident of an event that calls already."""
        row = session.get_one(ObservationRow, observation.observation_id)
        event = sightings.find_event(session, observation, view, behind)
        if event is not None and not ledger.needs_own_call(session, event, raising.condition):
            row.incident_id = event
            return Changed(followed=event)
        # A call that joined what an operator has closed would be nobody's work.
        event = None if event is None else ledger.open_incident(session, event)
        changed = raise_alarm(session, replace(raising, event_id=event), self.tunings)
        row.incident_id = None if changed.answer is None else changed.answer.incident_id
        if raising.evidence is None or changed.used_evidence:
            return changed
        # An earlier try, whose answer got lost, may have stored the picture.
        return replace(changed, used_evidence=ledger.names_picture(session, row.incident_id, raising.evidence))

    def _on_call_moved(self, move: CallMoved) -> None:
        """Who stands behind a call goes with it."""
        for key, (incident_id, condition) in self._following.items():
            if incident_id == move.left_id:
                self._following[key] = (move.incident_id, condition)

    def _incidents_behind(self) -> dict[str, str]:
        """Return the incident of every condition that holds behind another one, by its key."""
        return {key: incident_id for key, (incident_id, _) in self._following.items()}

    async def _follow(self, condition: Condition, changed: Changed, *, has_ended: bool) -> None:
        """Call who stands behind a condition that has ended; who calls stands behind nobody any more."""
        if changed.is_known:
            # An earlier try stored it, and may have broken off before the next one was called.
            if has_ended:
                self._following.pop(condition.condition_key, None)
                await self._call_all_waiting()
            return
        if changed.followed:
            return
        self._following.pop(condition.condition_key, None)
        if has_ended and changed.answer is not None:
            await self._call_next(changed.answer.incident_id)

    async def _call_all_waiting(self) -> None:
        for incident_id in sorted({event for event, _ in self._following.values()}):
            await self._call_next(incident_id)

    async def _call_next(self, incident_id: str) -> None:
        waiting = [condition for event, condition in self._following.values() if event == incident_id]
        if not waiting:
            return
        condition = min(waiting, key=lambda one: (one.priority, one.condition_key))
        raising = self._raising(condition, None)

        def run(session: Session) -> Changed:
            if not ledger.needs_own_call(session, incident_id, condition):
                return Changed()
            event_id = ledger.open_incident(session, incident_id)
            changed = raise_alarm(session, replace(raising, event_id=event_id), self.tunings)
            if changed.answer is None or changed.answer.incident_id == incident_id:
                return changed
            # Whoever else stands there stands behind this call now.
            sightings.move_call(session, condition.condition_key, incident_id, changed.answer.incident_id)
            move = CallMoved(left_id=incident_id, incident_id=changed.answer.incident_id)
            return replace(changed, moved=(*changed.moved, move))

        called = await self._commit(run)
        if called.answer is None:
            return
        self._following.pop(condition.condition_key, None)
        if condition.condition_key in self._doubts:
            await self._doubt(AlarmRow.is_active.is_(True), AlarmRow.condition_key == storable(condition.condition_key))

    async def take_device_state(self, device: Device) -> Alarm | None:
        """Raise or return the alarm that a device is lost.

        A goodbye is no loss, and a device that was disabled calls nobody.
        """
        condition = policy.condition_of_source(
            "gateway_lost" if device.kind == GATEWAY.key else "device_lost",
            source_kind=SourceKind.DEVICE,
            source_id=device.device_id,
            source_name=device.name,
            detail=_SILENT.get(device.state, ""),
            position=device.position,
        )
        if device.is_enabled and device.state in _SILENT:
            return await self.raise_condition(condition)
        if not self._signals.knows(condition.condition_key):
            # A thousand new devices need not ask the database whether they were lost.
            return None
        return await self.return_condition(condition.condition_key)

    async def acknowledge(
        self, actor: Actor, alarm_id: str, *, occurrence: str, expect_version: int, comment: str = ""
    ) -> Alarm:
        """Note that an operator has seen an alarm.

        A return or a lost source meanwhile does not matter; a new call does: what the operator saw is then not what
        stands in the list.

        Raises:
            NotPermittedError: The actor is no operator.
            StaleWriteError: Someone was faster, or the condition came back since; with the sentence for the toast.
            BadInputError: There is no such alarm, or its rule wants a comment and there is none.
        """
        require(actor, Role.OPERATOR)
        comment = words_of(comment, MAX_COMMENT_LENGTH)
        at = self._clock.now()

        def run(session: Session) -> Changed:
            row = session.get(AlarmRow, alarm_id)
            if row is None:
                raise BadInputError("There is no such alarm any more.", hint="Look at the list again.")
            if row.is_acknowledged and row.occurrence == occurrence:
                if (row.acknowledged_by, row.acknowledged_desk) != (actor.name, actor.desk):
                    raise StaleWriteError(_who_was_faster(row, at), hint="Nothing more is needed.")
                if comment and comment != ledger.words_of_acknowledge(session, alarm_id):
                    raise StaleWriteError(_who_was_faster(row, at), hint="Write a comment instead.")
                return Changed(answer=ledger.alarm_of(row))
            if row.occurrence != occurrence or ledger.called_since(session, alarm_id, expect_version):
                raise StaleWriteError(
                    f"{row.title} called again since you looked at it.", hint="Look at it once more, then acknowledge."
                )
            if not comment and self.tunings.of_alarm(ledger.alarm_of(row)).is_comment_needed:
                raise BadInputError(
                    f"{row.title} is acknowledged only with a comment.", hint="Write what you found, then acknowledge."
                )
            event = Acknowledged(at=at, occurrence=occurrence, by=actor.name, desk=actor.desk, comment=comment)
            transition = ledger.record(session, row, event, actor)
            if transition is None:
                raise held_error(ledger.alarm_of(row))
            subject = f"{transition.alarm.title} ({alarm_id})"
            audit.append(session, actor, action="alarm.acknowledge", subject=subject, detail=comment, at=at)
            return Changed(answer=transition.alarm, alarms=(transition.alarm,))

        changed = await self._commit(run)
        assert changed.answer is not None
        return changed.answer

    async def comment(self, actor: Actor, alarm_id: str, comment: str) -> Alarm:
        """Write something down beside an open alarm; the newest comment is shown, the journal keeps all.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: There is no such open alarm, or nothing was written.
        """
        require(actor, Role.OPERATOR)
        text = words_of(comment, MAX_COMMENT_LENGTH)
        if not text:
            raise BadInputError("The comment is empty.", hint="Write what the next operator should know.")
        at = self._clock.now()

        def run(session: Session) -> Changed:
            row = session.get(AlarmRow, alarm_id)
            if row is None or not row.is_open:
                raise BadInputError("There is no such alarm any more.", hint="Look at the list again.")
            transition = ledger.record(session, row, Commented(at=at, comment=text), actor)
            assert transition is not None
            subject = f"{transition.alarm.title} ({alarm_id})"
            audit.append(session, actor, action="alarm.comment", subject=subject, detail=text, at=at)
            return Changed(answer=transition.alarm, alarms=(transition.alarm,))

        changed = await self._commit(run)
        assert changed.answer is not None
        return changed.answer

    async def close_unheard(self, actor: Actor, meant: Meant, *, reason: str) -> Alarm:
        """Close an active alarm whose source is not heard and may never be: a source that comes back calls anew.

        What is latched waits for its reset as always.

        Raises:
            NotPermittedError, StaleWriteError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.SUPERVISOR)
        said = words_of(reason, MAX_COMMENT_LENGTH)
        if not said:
            raise BadInputError("Closing it needs a reason.", hint="Say why its source will not tell that it is over.")
        at = self._clock.now()

        def run(session: Session) -> Changed:
            row = meant_row(session, meant)
            alarm = ledger.alarm_of(row)
            if not alarm.is_active:
                raise BadInputError(f"{alarm.title} is over already.", hint="Acknowledge or reset it.")
            if alarm.suppressed_by or alarm.out_of_service_by:
                raise BadInputError(f"{alarm.title} is held: {describe_hold(alarm)}", hint="Look at its tab.")
            if alarm.quality is not Quality.STALE:
                raise BadInputError(f"The source of {alarm.title} is heard.", hint="It tells when this is over.")
            steps: list[Event] = [Commented(at=at, comment=said)]
            if alarm.shelving is not Shelving.UNSHELVED:
                steps.append(Unshelved(at=at, by=actor.name, desk=actor.desk, comment=said))
            for step in steps:
                ledger.record(session, row, step, actor)
            changed = return_alarm(session, alarm.condition_key, at, self.tunings, actor=actor)
            seen = Acknowledged(at=at, occurrence=alarm.occurrence, by=actor.name, desk=actor.desk, comment=said)
            last = ledger.record(session, row, seen, actor)
            subject = f"{alarm.title} ({alarm.alarm_id})"
            audit.append(session, actor, action="alarm.close_unheard", subject=subject, detail=said, at=at)
            answer = changed.answer if last is None else last.alarm
            return replace(changed, answer=answer, alarms=() if answer is None else (answer,))

        changed = await self._commit(run)
        assert changed.answer is not None
        key = changed.answer.condition_key
        self._doubts.discard(key)
        self._signals.forget(key)
        self._following.pop(key, None)
        self._bus.publish(ClosedUnheard(alarm=changed.answer))
        await self._call_next(changed.answer.incident_id)
        return changed.answer

    async def set_quality(
        self, source_kind: SourceKind, source_id: str, quality: Quality, sure: Collection[str] = ()
    ) -> tuple[Alarm, ...]:
        """Mark the open alarms of a source as doubtful while it is lost; their states stay as last known.

        A source that is back makes good only what it has not still to say again since the start. Kinds in `sure` stay
        as they are: they say themselves what is wrong with the source.
        """
        return await self._set_quality(
            quality,
            AlarmRow.source_kind == source_kind.value,
            AlarmRow.source_id == source_id,
            AlarmRow.kind.not_in(sorted(sure)),
        )

    async def set_quality_of(self, condition_key: str, quality: Quality) -> tuple[Alarm, ...]:
        """Do what `set_quality` does for one condition of a source that tells of several."""
        return await self._set_quality(quality, AlarmRow.condition_key == storable(condition_key))

    async def _set_quality(self, quality: Quality, *which: ColumnElement[bool]) -> tuple[Alarm, ...]:
        at = self._clock.now()

        def run(session: Session) -> Changed:
            query = select(AlarmRow).where(AlarmRow.is_open, *which)
            rows = [row for row in session.scalars(query).all() if row.kind not in policy.SOURCE_LOST]
            if quality is Quality.GOOD:
                rows = [row for row in rows if row.condition_key not in self._doubts]
            found = [ledger.record(session, row, QualityChanged(at=at, quality=quality), SYSTEM) for row in rows]
            return Changed(alarms=tuple(one.alarm for one in found if one is not None))

        return (await self._commit(run)).alarms

    async def open_alarms(self) -> tuple[Alarm, ...]:
        """Return what stands in the list: unacknowledged first, then by urgency, newest first."""
        query = (
            select(AlarmRow)
            .where(AlarmRow.is_open)
            .order_by(AlarmRow.is_acknowledged, AlarmRow.priority, AlarmRow.raised_at.desc(), AlarmRow.alarm_id)
        )
        return await self._store.read(lambda s: tuple(ledger.alarm_of(row) for row in s.scalars(query)))

    async def n_unacknowledged(self) -> int:
        """Return how many alarms call."""
        query = (
            select(func.count())
            .select_from(AlarmRow)
            .where(AlarmRow.is_open, ~AlarmRow.is_acknowledged, AlarmRow.calling_since.is_not(None))
        )
        return await self._store.read(lambda s: s.scalar(query) or 0)

    async def recent_calls(self) -> tuple[tuple[Call, datetime], ...]:
        """Return what called within the time over which floods are counted, in order."""
        since = self._clock.now() - flood.WINDOW
        return await self._store.read(lambda s: ledger.calls_since(s, since))

    async def recent_incidents(self, limit: int = 200) -> tuple[Incident, ...]:
        """Return the newest incidents, newest first."""
        query = select(IncidentRow).order_by(IncidentRow.incident_id.desc()).limit(_bounded(limit))
        return await self._store.read(lambda s: tuple(ledger.incident_of(row) for row in s.scalars(query)))

    async def get_incident(self, incident_id: str) -> Incident | None:
        """Return one incident; None where there is none of that id."""

        def run(session: Session) -> Incident | None:
            row = session.get(IncidentRow, incident_id)
            return None if row is None else ledger.incident_of(row)

        return await self._store.read(run)

    async def snapshot_bytes(self, picture_id: str) -> bytes:
        """Return an incident's picture by its id, or another one of its `IncidentDetail.pictures`; empty for none.

        Raises:
            BadInputError: There is no such incident or picture, or the picture is gone or was changed.
        """
        found = await self._store.read(lambda session: ledger.find_picture(session, picture_id))
        if found is None:
            raise BadInputError("There is no such incident.", hint="Look at the list again.")
        if not found.path:
            return b""
        return await asyncio.to_thread(load_snapshot, self._evidence, path=found.path, sha256=found.sha256)

    async def history(
        self,
        *,
        since: datetime,
        until: datetime,
        source_id: str | None = None,
        kind: str | None = None,
        limit: int = 500,
    ) -> tuple[Alarm, ...]:
        """Return the alarms raised in a span of time, open or not, newest first."""
        query = select(AlarmRow).where(AlarmRow.raised_at >= since, AlarmRow.raised_at < until)
        if source_id is not None:
            query = query.where(AlarmRow.source_id == source_id)
        if kind is not None:
            query = query.where(AlarmRow.kind == kind)
        query = query.order_by(AlarmRow.raised_at.desc(), AlarmRow.alarm_id.desc()).limit(_bounded(limit))
        return await self._store.read(lambda s: tuple(ledger.alarm_of(row) for row in s.scalars(query)))

    async def journal(self, alarm_id: str) -> tuple[JournalEntry, ...]:
        """Return every transition of an alarm, in order."""
        return await self._store.read(lambda s: ledger.journal_of(s, alarm_id))

    async def _keep_picture(
        self, condition: Condition, snapshot: Snapshot | None, *, name: str
    ) -> tuple[Evidence | None, Condition]:
        """Write the picture; where that fails the alarm is raised without one and says so.

        Another try for the same `name` writes the same file: a database that is away leaves no heap of copies.
        """
        if snapshot is None or not snapshot.jpeg:
            return None, condition
        try:
            evidence = await asyncio.to_thread(
                save_snapshot, self._evidence, snapshot.jpeg, at=snapshot.captured_at, name=name
            )
        except UnavailableError as error:
            if self._keeps_pictures is not False:
                self._keeps_pictures = False
                log.error("%s", error)
                await self.raise_condition(policy.condition_of_system("evidence", detail=str(error)))
            return None, replace(condition, detail=f"{condition.detail} {error.message}".strip())
        if not self._keeps_pictures:
            # Also after a start: the alarm may be left from the run before.
            self._keeps_pictures = True
            await self.return_condition(policy.condition_of_system("evidence", detail="").condition_key)
        return evidence, condition

    async def _raise(self, raising: Raising) -> Changed:
        """Raise, together with whatever else is raised in this turn of the loop: a burst costs little more than one."""
        answer: asyncio.Future[Changed] = asyncio.get_running_loop().create_future()
        self._together.append((raising, answer))
        if len(self._together) == 1:
            self._raising_together = asyncio.create_task(self._raise_together())
        changed = await answer
        await self._drop_unused(changed, raising.evidence)
        return changed

    async def _raise_together(self) -> None:
        together, self._together = self._together, []
        try:
            changes = await self._writer.commit_all(
                lambda session: raise_all(session, [raising for raising, _ in together], self.tunings)
            )
        except UnavailableError as error:
            for _, answer in together:
                if not answer.done():
                    answer.set_exception(error)
        except Exception:  # noqa: BLE001  one of them cannot be stored: each hears of its own fault
            await asyncio.gather(*(self._raise_alone(raising, answer) for raising, answer in together))
        else:
            for (_, answer), changed in zip(together, changes, strict=True):
                if not answer.done():
                    answer.set_result(changed)

    async def _raise_alone(self, raising: Raising, answer: asyncio.Future[Changed]) -> None:
        try:
            changed = await self._writer.commit(lambda session: raise_alarm(session, raising, self.tunings))
        except Exception as error:  # noqa: BLE001  handed on to whoever asked
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_result(changed)

    async def _commit(
        self, run: Callable[[Session], Changed], evidence: Evidence | None = None, *, seen: Condition | None = None
    ) -> Changed:
        """Write, publish, and remove a picture that turned out not to be needed.

        Where `seen` joins an incident without a call of its own it stands behind another one from then on.
        """
        if self._together:
            # What was raised in this turn is stored first: an end must not overtake its beginning.
            await asyncio.sleep(0)
        changed = await self._writer.commit(run)
        if seen is not None and changed.followed:
            # Before anything else is waited for: the call may end or move in the very next transaction.
            self._following[seen.condition_key] = (changed.followed, seen)
        await self._drop_unused(changed, evidence)
        return changed

    async def _drop_unused(self, changed: Changed, evidence: Evidence | None) -> None:
        if evidence is not None and not changed.used_evidence:
            await asyncio.to_thread(discard_snapshot, self._evidence, evidence)


def _condition_of(observation: Observation, camera_name: str, view: View | None, call_from: float) -> Condition | None:
    """Return what an observation calls for, where it was seen or else at its camera; None where it is only counted."""
    return policy.condition_of_observation(
        observation,
        camera_name=camera_name,
        position=observation.position or (None if view is None else view.position),
        call_from=call_from,
    )


def _doubtful_of(waiting: _Waiting) -> Doubtful:
    condition, seen = waiting.condition, waiting.observation
    return Doubtful(
        condition_key=condition.condition_key,
        kind=condition.kind,
        source_kind=condition.source_kind,
        source_id=condition.source_id,
        rule_key="" if seen is None else seen.rule_key,
    )


def _observation_row(observation: Observation) -> ObservationRow:
    return ObservationRow(
        observation_id=observation.observation_id,
        camera_id=observation.camera_id,
        kind=observation.kind.value,
        phase=observation.phase.value,
        rule_key=observation.rule_key,
        rule_name=storable(observation.rule_name),
        condition_key=observation.condition_key,
        pts_s=observation.pts_s,
        captured_at=observation.captured_at,
        label=observation.label,
        direction=storable(observation.direction),
        track_id=observation.track_id,
        bbox_xyxy=None if observation.bbox_xyxy is None else list(observation.bbox_xyxy),
        confidence=observation.confidence,
        values={name: value for name, value in observation.values.items() if math.isfinite(value)},
        **place_values(observation.position),
    )


def _who_was_faster(row: AlarmRow, at: datetime) -> str:
    seconds = (at - row.acknowledged_at).total_seconds() if row.acknowledged_at is not None else 0.0
    ago = f"{max(0.0, seconds):.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"
    desk = f" at {row.acknowledged_desk}" if row.acknowledged_desk else ""
    return f"{row.acknowledged_by}{desk} acknowledged {row.title} {ago}."


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_ROWS))
