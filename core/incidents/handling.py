"""What people do with alarms beside acknowledging: take back, reset, shelve, take out of service, tick, plan works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import Actor, Role
from core.access.permission import ROLE_NAMES, require
from core.incidents import events, holds, ledger
from core.incidents.events import Event
from core.incidents.holds import Holds, HoldsChanged, OutOfService
from core.incidents.model import Alarm, AlarmState, Shelving, SourceKind
from core.incidents.suppression import PlannedWorks
from core.incidents.tuning import SHELVE_REASONS, AlarmTuning, Tunings
from core.incidents.writer import AlarmWriter, Changed
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError
from core.kernel.ids import new_id
from core.kernel.zone import write_site
from core.store.engine import Store
from core.store.rows import check_version, storable, words_of
from core.store.tables import AlarmRow, OutOfServiceRow, PlannedWorksRow

UNACKNOWLEDGE_WITHIN = timedelta(minutes=10)
LONGEST_OUT_OF_SERVICE = timedelta(days=31)
LONGEST_WORKS = timedelta(days=31)
MAX_TEXT = 500
MAX_PAST_WORKS = 500
_LOOK_AGAIN = "Look at the list again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """Which alarm somebody means, as they saw it."""

    alarm_id: str
    occurrence: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What somebody may do with one alarm.

    Attributes:
        shelve_reasons: To choose from.
        longest_shelving_s: 0 where this role may not shelve it.
        may_reset: Once it is over and acknowledged.
        is_comment_needed: An acknowledge must say something.
    """

    shelve_reasons: tuple[str, ...]
    longest_shelving_s: float
    may_reset: bool
    is_comment_needed: bool


class AlarmHandling:
    """The verbs of operators and supervisors; each checks the role, the occurrence and the version, and is audited.

    Threads: all calls come from the owner's loop.
    """

    def __init__(self, store: Store, bus: Bus, clock: Clock, tunings: Tunings) -> None:
        """Alarms follow the figures of `tunings`."""
        self._store = store
        self._bus = bus
        self._writer = AlarmWriter(store, bus)
        self._clock = clock
        self._tunings = tunings

    async def unacknowledge(self, actor: Actor, meant: Meant, *, reason: str) -> Alarm:
        """Take back an acknowledge that was a mistake: within 10 minutes, by the same person or a supervisor.

        Raises:
            NotPermittedError, StaleWriteError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.OPERATOR)
        said = _text(reason, "Say why the acknowledge is taken back.")
        at = self._clock.now()

        def make(alarm: Alarm) -> Event:
            if not alarm.is_acknowledged or alarm.acknowledged_at is None:
                raise BadInputError(f"{alarm.title} is not acknowledged.", hint=_LOOK_AGAIN)
            if at - alarm.acknowledged_at > UNACKNOWLEDGE_WITHIN:
                raise BadInputError(
                    f"{alarm.title} was acknowledged more than 10 minutes ago.", hint="Write a comment instead."
                )
            if alarm.acknowledged_by != actor.name and actor.role < Role.SUPERVISOR:
                raise NotPermittedError(
                    f"{alarm.acknowledged_by} acknowledged {alarm.title}.",
                    hint="Only the same person or a supervisor takes that back.",
                )
            return events.Unacknowledged(at=at, occurrence=meant.occurrence, by=actor.name, comment=said)

        return await self._do(actor, meant, make, action="alarm.unacknowledge", detail=said)

    async def reset(self, actor: Actor, meant: Meant, *, comment: str = "") -> Alarm:
        """Let go an alarm that stands although its condition is over.

        Raises:
            NotPermittedError, StaleWriteError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.OPERATOR)
        at = self._clock.now()
        said = words_of(comment, MAX_TEXT)

        def make(alarm: Alarm) -> Event:
            role = self._tunings.of_alarm(alarm).reset_role
            if actor.role < role:
                raise NotPermittedError(
                    f"Resetting {alarm.title} needs {ROLE_NAMES[role]}.", hint="Ask a supervisor to reset it."
                )
            if not alarm.is_latched:
                raise BadInputError(f"{alarm.title} is not latched: there is nothing to reset.", hint=_LOOK_AGAIN)
            if alarm.is_active:
                raise BadInputError(f"{alarm.title} is still active.", hint="Reset it once its condition is over.")
            if alarm.state is not AlarmState.LATCHED_ACKNOWLEDGED:
                raise BadInputError(f"{alarm.title} is not acknowledged yet.", hint="Acknowledge it first.")
            return events.Reset(at=at, occurrence=meant.occurrence, by=actor.name, comment=said)

        return await self._do(actor, meant, make, action="alarm.reset", detail=said)

    async def shelve(
        self,
        actor: Actor,
        meant: Meant,
        *,
        for_s: float,
        reason: str,
        shelving: Shelving = Shelving.TIMED,
        comment: str = "",
    ) -> Alarm:
        """Put an alarm aside for a time, or until it returns and no longer than that time.

        Raises:
            NotPermittedError, StaleWriteError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.OPERATOR)
        if reason not in SHELVE_REASONS:
            raise BadInputError(f"{reason or 'Nothing'!r} is no reason to shelve.", hint="Choose one of the list.")
        if shelving is Shelving.UNSHELVED or not for_s > 0:
            raise BadInputError("Shelving needs a time.", hint="Say for how long.")
        at = self._clock.now()
        said = words_of(comment, MAX_TEXT)

        def make(alarm: Alarm) -> Event:
            if alarm.is_suppressed_or_shelved:
                raise BadInputError(f"{alarm.title} is held already: {holds.describe_hold(alarm)}", hint=_LOOK_AGAIN)
            longest = self._tunings.of_alarm(alarm).longest_shelving(alarm.priority, actor.role)
            _check_shelving(alarm, timedelta(seconds=for_s), longest, self._tunings.of_alarm(alarm))
            return events.Shelved(
                at=at,
                occurrence=meant.occurrence,
                shelving=shelving,
                until=at + timedelta(seconds=for_s),
                by=actor.name,
                reason=reason,
                comment=said,
            )

        detail = f"{shelving}, {for_s / 60:.0f} min: {reason}" + (f": {said}" if said else "")
        return await self._do(actor, meant, make, action="alarm.shelve", detail=detail)

    async def unshelve(self, actor: Actor, meant: Meant, *, comment: str = "") -> Alarm:
        """End a shelving by hand; whoever does so has seen the alarm, so it does not call.

        Raises:
            NotPermittedError, StaleWriteError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.OPERATOR)
        at = self._clock.now()
        said = words_of(comment, MAX_TEXT)

        def make(alarm: Alarm) -> Event:
            if alarm.shelving is Shelving.UNSHELVED:
                raise BadInputError(f"{alarm.title} is not shelved.", hint=_LOOK_AGAIN)
            return events.Unshelved(at=at, by=actor.name, desk=actor.desk, comment=said)

        return await self._do(actor, meant, make, action="alarm.unshelve", detail=said)

    async def tick(self, actor: Actor, meant: Meant, *, step: str, is_done: bool) -> Alarm:
        """Note that a step of the guidance was done, or is not done after all.

        Raises:
            NotPermittedError, StaleWriteError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.OPERATOR)
        said = _text(step, "Name the step.")
        at = self._clock.now()
        done = "done" if is_done else "not done after all"

        def make(alarm: Alarm) -> Event | None:
            if is_done is (said in alarm.ticked):
                return None
            return events.Ticked(at=at, step=said, is_done=is_done, comment=done)

        return await self._do(actor, meant, make, action="alarm.tick", detail=f"{said}: {done}")

    async def escalate(self, actor: Actor, meant: Meant) -> Alarm:
        """Call the next level now, without waiting for the time of the rule.

        Raises:
            NotPermittedError, StaleWriteError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.OPERATOR)
        at = self._clock.now()

        def make(alarm: Alarm) -> Event:
            if not alarm.is_calling:
                raise BadInputError(
                    f"{alarm.title} does not wait for an answer.", hint="Only what nobody acknowledged is escalated."
                )
            tuning, level = self._tunings.of_alarm(alarm), alarm.escalation_level + 1
            if level > tuning.max_escalation:
                raise BadInputError(f"{alarm.title} is at the last level already.", hint="Acknowledge it, or call.")
            return events.Escalated(at=at, level=level, to=tuning.escalation_words(level))

        return await self._do(actor, meant, make, action="alarm.escalate", detail="by hand")

    async def limits(self, actor: Actor, alarm_id: str) -> Limits:
        """Return what this person may do with an alarm.

        Raises:
            BadInputError: There is no such open alarm.
        """
        alarm = await self._store.read(lambda s: ledger.alarm_of(_open_row(s, alarm_id)))
        tuning = self._tunings.of_alarm(alarm)
        is_operator = actor.role >= Role.OPERATOR
        return Limits(
            shelve_reasons=SHELVE_REASONS,
            longest_shelving_s=tuning.longest_shelving(alarm.priority, actor.role).total_seconds()
            if is_operator
            else 0.0,
            may_reset=is_operator and actor.role >= tuning.reset_role,
            is_comment_needed=tuning.is_comment_needed,
        )

    # -- out of service -------------------------------------------------------------------------------------------

    async def set_out_of_service(self, actor: Actor, meant: Meant, *, reason: str, until: datetime) -> Alarm:
        """Take the condition of an alarm out of service until an end that is named.

        Raises:
            NotPermittedError, StaleWriteError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.SUPERVISOR)
        at = self._clock.now()
        said = _check_end(reason, at, until, LONGEST_OUT_OF_SERVICE)

        def run(session: Session) -> Changed:
            alarm = ledger.alarm_of(meant_row(session, meant))
            hold = OutOfService(
                hold_id=new_id(),
                condition_key=alarm.condition_key,
                source_kind=alarm.source_kind,
                source_id=alarm.source_id,
                source_name=alarm.source_name,
                owner=actor.name,
                reason=said,
                since=at,
                until=until,
            )
            return self._take_out(session, actor, hold, subject=f"{alarm.title} ({alarm.alarm_id})")

        return _answer(await self._commit_holds(run), meant.alarm_id)

    async def set_source_out_of_service(
        self, actor: Actor, source_kind: SourceKind, source_id: str, *, name: str, reason: str, until: datetime
    ) -> OutOfService:
        """Take a whole source out of service, also one that has no alarm now.

        Raises:
            NotPermittedError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.SUPERVISOR)
        at = self._clock.now()
        hold = OutOfService(
            hold_id=new_id(),
            condition_key="",
            source_kind=source_kind,
            source_id=_text(source_id, "Name the source.")[:80],
            source_name=_text(name, "Name the source."),
            owner=actor.name,
            reason=_check_end(reason, at, until, LONGEST_OUT_OF_SERVICE),
            since=at,
            until=until,
        )
        await self._commit_holds(
            lambda s: self._take_out(s, actor, hold, subject=f"{name} ({source_kind}/{source_id})")
        )
        return hold

    async def return_to_service(self, actor: Actor, meant: Meant, *, comment: str = "") -> Alarm:
        """Put an alarm's condition, and its source where that is out of service, back into service.

        Raises:
            NotPermittedError, StaleWriteError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.SUPERVISOR)
        at = self._clock.now()
        said = words_of(comment, MAX_TEXT)

        def run(session: Session) -> Changed:
            alarm = ledger.alarm_of(meant_row(session, meant))
            if not alarm.out_of_service_by:
                raise BadInputError(f"{alarm.title} is in service.", hint=_LOOK_AGAIN)
            held = holds.covering(session, alarm)
            audit.append(
                session,
                actor,
                action="alarm.return_to_service",
                subject=f"{alarm.title} ({alarm.alarm_id})",
                detail=said,
                at=at,
            )
            changed = self._put_back(session, actor, held, at, said)
            if any(one.alarm_id == alarm.alarm_id for one in changed.alarms):
                return changed
            # Its row is gone already: the alarm alone still says so.
            row = session.get_one(AlarmRow, alarm.alarm_id)
            back = ledger.record(session, row, _put_back_event(actor, at, said), actor)
            return Changed(alarms=(*changed.alarms, *(() if back is None else (back.alarm,))))

        return _answer(await self._commit_holds(run), meant.alarm_id)

    async def return_source_to_service(self, actor: Actor, hold_id: str, *, version: int, comment: str = "") -> None:
        """Put back what one row took out of service.

        Raises:
            NotPermittedError, StaleWriteError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.SUPERVISOR)
        at = self._clock.now()
        said = words_of(comment, MAX_TEXT)

        def run(session: Session) -> Changed:
            row = session.get(OutOfServiceRow, hold_id)
            if row is None:
                raise BadInputError("It is in service already.", hint=_LOOK_AGAIN)
            check_version(row.version, expect_version=version, what=row.source_name)
            subject = f"{row.source_name} ({row.condition_key or f'{row.source_kind}/{row.source_id}'})"
            audit.append(session, actor, action="alarm.return_to_service", subject=subject, detail=said, at=at)
            return self._put_back(session, actor, [row], at, said)

        await self._commit_holds(run)

    async def out_of_service(self) -> tuple[OutOfService, ...]:
        """Return all that is out of service, the first to come back first."""
        at = self._clock.now()
        return await self._store.read(lambda s: holds.out_of_service(s, at))

    def _take_out(self, session: Session, actor: Actor, hold: OutOfService, *, subject: str) -> Changed:
        session.add(
            OutOfServiceRow(
                hold_id=hold.hold_id,
                condition_key=hold.condition_key,
                source_kind=hold.source_kind.value,
                source_id=hold.source_id,
                source_name=hold.source_name,
                owner=hold.owner,
                reason=hold.reason,
                since=hold.since,
                until=hold.until,
            )
        )
        session.flush()
        event = events.TakenOut(at=hold.since, service=hold.service)
        found = [ledger.record(session, row, event, actor) for row in holds.alarms_under(session, hold)]
        detail = f"until {write_site(hold.until)}: {hold.reason}"
        audit.append(session, actor, action="alarm.out_of_service", subject=subject, detail=detail, at=hold.since)
        return Changed(alarms=tuple(one.alarm for one in found if one is not None))

    def _put_back(
        self, session: Session, actor: Actor, rows: list[OutOfServiceRow], at: datetime, said: str
    ) -> Changed:
        under: dict[str, AlarmRow] = {}
        for row in rows:
            under |= {alarm.alarm_id: alarm for alarm in holds.alarms_under(session, holds.hold_of(row))}
            session.delete(row)
        session.flush()
        # Another row may hold some of them still.
        left = holds.in_force(session, (), at)
        free = [row for row in under.values() if left.service_for(ledger.alarm_of(row)) is None]
        found = [ledger.record(session, row, _put_back_event(actor, at, said), actor) for row in free]
        return Changed(alarms=tuple(one.alarm for one in found if one is not None))

    # -- planned works --------------------------------------------------------------------------------------------

    async def plan_works(self, actor: Actor, works: PlannedWorks) -> PlannedWorks:
        """Announce works: the alarms of their sources are suppressed by design from their begin to their end.

        Raises:
            NotPermittedError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.SUPERVISOR)
        at = self._clock.now()
        since = max(at, works.since)
        _check_end(works.title, since, works.until, LONGEST_WORKS, hint="Say what is done.")
        _text(works.reason, "Say why.")
        if not works.sources:
            raise BadInputError("The works name no source.", hint="Choose the cameras or devices they concern.")

        def run(session: Session) -> PlannedWorks:
            row = PlannedWorksRow(
                works_id=new_id(),
                title=storable(works.title).strip()[:MAX_TEXT],
                sources=sorted([one.kind.value, storable(one.source_id)] for one in works.sources),
                kinds=sorted(storable(one) for one in works.kinds),
                since=since,
                until=works.until,
                owner=actor.name,
                reason=storable(works.reason).strip()[:MAX_TEXT],
            )
            session.add(row)
            session.flush()
            n_sources = len(works.sources)
            detail = f"{write_site(since)} to {write_site(works.until)}, {n_sources} sources: {row.reason}"
            audit.append(session, actor, action="alarm.plan_works", subject=row.title, detail=detail, at=at)
            return holds.works_of(row)

        planned = await self._store.write(run)
        await self._tell_holds()
        return planned

    async def end_works(self, actor: Actor, works_id: str, *, version: int) -> None:
        """End works, or call them off.

        Raises:
            NotPermittedError, StaleWriteError, BadInputError: With the sentence for the toast.
        """
        require(actor, Role.SUPERVISOR)
        at = self._clock.now()

        def run(session: Session) -> None:
            row = session.get(PlannedWorksRow, works_id)
            if row is None or row.until <= at:
                raise BadInputError("These works are over.", hint=_LOOK_AGAIN)
            check_version(row.version, expect_version=version, what=row.title)
            row.until, row.ended_by = at, actor.name
            session.flush()
            audit.append(session, actor, action="alarm.end_works", subject=row.title, at=at)

        await self._store.write(run)
        await self._tell_holds()

    async def works(self) -> tuple[PlannedWorks, ...]:
        """Return works that go on or are still to come."""
        at = self._clock.now()
        return await self._store.read(lambda s: holds.works(s, at))

    async def past_works(self, *, limit: int = MAX_PAST_WORKS) -> tuple[PlannedWorks, ...]:
        """Return works that are over, the last to end first."""
        at, at_most = self._clock.now(), max(0, min(limit, MAX_PAST_WORKS))
        return await self._store.read(lambda s: holds.past_works(s, at, limit=at_most))

    async def holds(self) -> Holds:
        """Return what is out of service, and works that go on or are still to come."""
        at = self._clock.now()
        return await self._store.read(lambda s: holds.holds_at(s, at))

    async def _commit_holds(self, run: Callable[[Session], Changed]) -> Changed:
        changed = await self._writer.commit(run)
        await self._tell_holds()
        return changed

    async def _tell_holds(self) -> None:
        self._bus.publish(HoldsChanged(holds=await self.holds()))

    async def _do(
        self, actor: Actor, meant: Meant, make: Callable[[Alarm], Event | None], *, action: str, detail: str
    ) -> Alarm:
        """Check what is meant, record what `make` returns for it, and audit it; nothing where it is so already.

        Raises:
            BadInputError: The state of the alarm does not let it happen: something holds it since somebody looked.
        """
        at = self._clock.now()

        def run(session: Session) -> Changed:
            row = meant_row(session, meant)
            alarm = ledger.alarm_of(row)
            event = make(alarm)
            if event is None:
                return Changed(answer=alarm)
            transition = ledger.record(session, row, event, actor)
            if transition is None:
                raise holds.held_error(alarm)
            audit.append(
                session, actor, action=action, subject=f"{alarm.title} ({alarm.alarm_id})", detail=detail, at=at
            )
            return Changed(answer=transition.alarm, alarms=(transition.alarm,))

        return _answer(await self._writer.commit(run), meant.alarm_id)


def _check_shelving(alarm: Alarm, wanted: timedelta, longest: timedelta, tuning: AlarmTuning) -> None:
    if wanted <= longest:
        return
    if longest:
        raise BadInputError(
            f"{alarm.title} may be shelved for {_span(longest)} at most.", hint="Choose a shorter time."
        )
    if tuning.longest_shelving(alarm.priority, Role.SUPERVISOR):
        raise NotPermittedError(
            f"{alarm.title} is {alarm.priority.name.lower()}: only a supervisor shelves it.", hint="Ask a supervisor."
        )
    raise BadInputError(f"{alarm.title} cannot be shelved.", hint="Acknowledge it, and have its cause mended.")


def meant_row(session: Session, meant: Meant) -> AlarmRow:
    """Return the open alarm that is meant.

    Raises:
        BadInputError: There is none any more.
        StaleWriteError: It called again since somebody looked at it.
    """
    row = _open_row(session, meant.alarm_id)
    if row.occurrence != meant.occurrence or ledger.called_since(session, meant.alarm_id, meant.version):
        raise StaleWriteError(
            f"{row.title} called again since you looked at it.", hint="Look at it once more, then decide."
        )
    return row


def _open_row(session: Session, alarm_id: str) -> AlarmRow:
    row = session.scalar(select(AlarmRow).where(AlarmRow.alarm_id == alarm_id, AlarmRow.is_open))
    if row is None:
        raise BadInputError("There is no such alarm any more.", hint=_LOOK_AGAIN)
    return row


def _put_back_event(actor: Actor, at: datetime, said: str) -> events.PutBack:
    return events.PutBack(at=at, by=actor.name, desk=actor.desk, comment=said)


def _answer(changed: Changed, alarm_id: str) -> Alarm:
    found = next((alarm for alarm in changed.alarms if alarm.alarm_id == alarm_id), changed.answer)
    assert found is not None
    return found


def _text(text: str, hint: str) -> str:
    said = words_of(text, MAX_TEXT)
    if not said:
        raise BadInputError("Nothing was written.", hint=hint)
    return said


def _check_end(reason: str, at: datetime, until: datetime, longest: timedelta, *, hint: str = "Say why.") -> str:
    if until <= at:
        raise BadInputError("The end lies in the past.", hint="Choose a later end.")
    if until - at > longest:
        raise BadInputError(f"That is longer than {longest.days} days.", hint="Choose an earlier end, and prolong it.")
    return _text(reason, hint)


def _span(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:g} h"
