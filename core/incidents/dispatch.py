"""Operators work on incidents: assign, send, resolve, close; every step stored with who, where, when and why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import Actor, Role
from core.access.permission import require
from core.incidents import ledger, work
from core.incidents.evidence import Evidence, save_snapshot
from core.incidents.model import Incident, IncidentChanged, IncidentStatus, Snapshot, SourceKind
from core.incidents.work import (
    Disposition,
    Duty,
    HandIncident,
    IncidentDetail,
    Publication,
    Step,
    StepOrder,
    StepTaken,
    TimelineEntry,
    Unit,
    UnitChanged,
)
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, StaleWriteError, UnavailableError
from core.kernel.ids import new_id
from core.store.engine import Store
from core.store.rows import check_version, place, storable, words_of
from core.store.tables import AlarmRow, IncidentAlarmRow, IncidentRow, IncidentStepRow, UnitRow

MAX_TEXT = 2000
MAX_TITLE = 120
MAX_TIMELINE_ALARMS = 200
"""Of a flood on one incident the newest alarms are told one by one; the list has all."""

_CHANGING_NOTHING = (Step.COMMENT, Step.PUBLISH)

_JOURNAL_WORDS = {
    "raise": "Alarm raised",
    "raise_again": "Alarm raised again",
    "severity_up": "Alarm became more urgent",
    "return": "Alarm returned to normal",
    "acknowledge": "Alarm acknowledged",
    "comment": "Comment on the alarm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What a transaction changed, to be published after its commit; the incident that was asked for comes first."""

    incidents: tuple[Incident, ...] = ()
    units: tuple[Unit, ...] = ()


class DispatchService:
    """The one place where the work on incidents changes.

    Threads: all calls come from the owner's loop.
    """

    def __init__(self, store: Store, bus: Bus, clock: Clock, *, evidence: Path) -> None:
        """Keep the pictures of incidents that are opened at a camera in the folder `evidence`."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._evidence = evidence

    # -- incidents ------------------------------------------------------------------------------------------------

    async def open_by_hand(
        self, actor: Actor, wanted: HandIncident, *, source_name: str = "", snapshot: Snapshot | None = None
    ) -> Incident:
        """Write down an incident that no rule saw.

        Args:
            actor: An operator.
            wanted: What happened; without a title its kind is the title.
            source_name: Of the camera it was seen at.
            snapshot: That camera's picture; where it cannot be stored, the incident says so in its text.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: Neither kind nor title was given.
        """
        require(actor, Role.OPERATOR)
        kind, title = words_of(wanted.kind, 64), words_of(wanted.title, MAX_TITLE)
        if not (kind or title):
            raise BadInputError("The incident has no kind and no title.", hint="Say in a word what happened.")
        evidence, note = await self._keep(snapshot)
        text = "\n".join(part for part in (words_of(wanted.text, MAX_TEXT), note) if part)
        at = self._clock.now()

        def run(session: Session) -> _Done:
            row = IncidentRow(
                incident_id=new_id(),
                kind=kind or "other",
                title=title or kind.capitalize(),
                source_kind=(SourceKind.CAMERA if wanted.camera_id else SourceKind.HAND).value,
                source_id=wanted.camera_id or "hand",
                source_name=storable(source_name) or "By hand",
                status=IncidentStatus.NEW.value,
                began_at=at,
                opened_at=at,
                priority=int(wanted.priority),
                text=text,
                taken_up_by=actor.name,
                snapshot_path=evidence.path if evidence else "",
                snapshot_sha256=evidence.sha256 if evidence else "",
            )
            place(row, wanted.position)
            session.add(row)
            session.flush()
            _write_step(session, row, StepOrder(step=Step.OPEN, comment=text), actor, at, before=IncidentStatus.NEW)
            return _Done(incidents=(ledger.incident_of(row),))

        return (await self._commit(run)).incidents[0]

    async def take_step(self, actor: Actor, incident_id: str, order: StepOrder, *, expect_version: int) -> Incident:
        """Take one step of an incident's life; its alarms are not touched.

        Args:
            actor: An operator.
            incident_id: Whose life.
            order: The step and what it needs.
            expect_version: `Incident.work_version` that the operator saw; comments pass whatever it is.

        Raises:
            NotPermittedError: The actor is no operator.
            StaleWriteError: Another operator was faster.
            BadInputError: The table does not know this step from here, or something is missing; with the sentence.
        """
        require(actor, Role.OPERATOR)
        order = replace(order, comment=words_of(order.comment, MAX_TEXT), operator=words_of(order.operator, 64))
        at = self._clock.now()

        def run(session: Session) -> _Done:
            row = _incident(session, incident_id)
            before = ledger.incident_of(row)
            overtaken_by = _last_step_since(session, incident_id, expect_version)
            if overtaken_by is not None and order.step is not Step.COMMENT:
                raise StaleWriteError(_who_was_faster(row, overtaken_by), hint="Look at it once more.")
            sentence = work.refusal(before, order)
            if sentence or order.step in (Step.OPEN, Step.TAKE_IN, Step.PUBLISH):
                raise BadInputError(sentence or "This step is not taken by hand.", hint="Look at its steps.")
            return self._apply(session, row, before, order, actor, at)

        return (await self._commit(run)).incidents[0]

    async def note_published(self, actor: Actor, incident_id: str, detail: str, *, at: datetime) -> Incident:
        """Write into the timeline that an incident was sent out at an instant, and where to.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: There is no such incident.
        """
        require(actor, Role.OPERATOR)

        def run(session: Session) -> _Done:
            row = _incident(session, incident_id)
            row.taken_up_by = row.taken_up_by or actor.name
            order = StepOrder(step=Step.PUBLISH)
            _write_step(session, row, order, actor, at, before=IncidentStatus(row.status), detail=detail)
            return _Done(incidents=(ledger.incident_of(row),))

        return (await self._commit(run)).incidents[0]

    async def published(self, incident_id: str) -> tuple[datetime, ...]:
        """Return when an incident was sent out, the first time first."""
        query = (
            select(IncidentStepRow.at)
            .where(IncidentStepRow.incident_id == incident_id, IncidentStepRow.step == Step.PUBLISH.value)
            .order_by(IncidentStepRow.sequence)
        )
        return await self._store.read(lambda s: tuple(s.scalars(query)))

    async def detail(self, incident_id: str) -> IncidentDetail:
        """Return an incident with its alarms and its timeline.

        Raises:
            BadInputError: There is no such incident.
        """
        return await self._store.read(lambda session: _detail(session, incident_id))

    async def open_incidents(self) -> tuple[Incident, ...]:
        """Return what somebody works on, and what has an open alarm: a console must know these whatever their age."""
        has_open_alarm = exists().where(AlarmRow.incident_id == IncidentRow.incident_id, AlarmRow.is_open)
        query = (
            select(IncidentRow)
            .where(IncidentRow.status != IncidentStatus.CLOSED.value)
            .where(or_(IncidentRow.taken_up_by != "", has_open_alarm))
            .order_by(IncidentRow.incident_id)
        )
        return await self._store.read(lambda s: tuple(ledger.incident_of(row) for row in s.scalars(query)))

    # -- units ----------------------------------------------------------------------------------------------------

    async def units(self) -> tuple[Unit, ...]:
        """Return every unit that was not removed, by call sign."""
        query = select(UnitRow).where(~UnitRow.is_removed).order_by(UnitRow.call_sign)
        return await self._store.read(lambda s: tuple(_unit(s, row) for row in s.scalars(query)))

    async def save_unit(self, actor: Actor, unit: Unit, *, expect_version: int = 0) -> Unit:
        """Add a unit (an empty id) or change one.

        Raises:
            NotPermittedError: The actor is no supervisor.
            StaleWriteError: It was changed meanwhile.
            BadInputError: No call sign, one that another unit has, or an id that is not there.
        """
        require(actor, Role.SUPERVISOR)
        call_sign, kind = words_of(unit.call_sign, 40), words_of(unit.kind, 32)
        if not call_sign:
            raise BadInputError("The unit has no call sign.", hint="Write how it is called on the radio.")
        at = self._clock.now()

        def run(session: Session) -> _Done:
            query = select(UnitRow).where(~UnitRow.is_removed, UnitRow.call_sign == call_sign)
            if any(row.unit_id != unit.unit_id for row in session.scalars(query)):
                raise BadInputError(f"There is a unit {call_sign} already.", hint="Choose another call sign.")
            row = session.get(UnitRow, unit.unit_id) if unit.unit_id else None
            if row is None and unit.unit_id:
                raise BadInputError("There is no such unit.", hint="Look at the list again.")
            if row is None:
                row = UnitRow(unit_id=new_id(), duty=unit.duty.value)
                session.add(row)
            else:
                check_version(row.version, expect_version=expect_version, what=f"Unit {row.call_sign}")
            row.call_sign, row.kind, row.is_removed = call_sign, kind, unit.is_removed
            if row.is_removed:
                _refuse_at_work(session, row)
            session.flush()
            _audit(session, actor, "unit.remove" if row.is_removed else "unit.save", f"{call_sign}", kind, at)
            return _Done(units=(_unit(session, row),))

        return (await self._commit(run)).units[0]

    async def set_duty(self, actor: Actor, unit_id: str, duty: Duty) -> Unit:
        """Say that a unit is on or off duty.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: There is no such unit, or it works on an incident.
        """
        require(actor, Role.OPERATOR)
        at = self._clock.now()

        def run(session: Session) -> _Done:
            row = session.get(UnitRow, unit_id)
            if row is None or row.is_removed:
                raise BadInputError("There is no such unit.", hint="Look at the list again.")
            if duty is Duty.OFF_DUTY:
                _refuse_at_work(session, row)
            if row.duty != duty.value:
                row.duty = duty.value
                session.flush()
                _audit(session, actor, "unit.duty", row.call_sign, duty.value.replace("_", " "), at)
            return _Done(units=(_unit(session, row),))

        return (await self._commit(run)).units[0]

    # -- inside ---------------------------------------------------------------------------------------------------

    def _apply(
        self, session: Session, row: IncidentRow, before: Incident, order: StepOrder, actor: Actor, at: datetime
    ) -> _Done:
        changed: list[Incident] = []
        detail = ""
        match order.step:
            case Step.ASSIGN:
                detail = _assign(session, row, order, at)
            case Step.HAND_ON:
                detail = f"{row.operator or 'nobody'} to {order.operator}"
                row.operator = order.operator
            case Step.DEPART:
                row.en_route_at = at
                detail = _call_sign(session, row.unit_id)
            case Step.ARRIVE:
                row.on_scene_at = at
                row.en_route_at = row.en_route_at or at
                detail = _call_sign(session, row.unit_id)
            case Step.RESOLVE:
                row.resolved_at = at
                if _is_by_hand(session, row):
                    # No alarm of its own will ever say that it is over.
                    row.ended_at = at
            case Step.CLOSE:
                detail = self._close(session, row, order, actor, at, changed)
            case Step.REOPEN:
                row.unit_id = row.operator = row.disposition = ""
                row.assigned_at = row.en_route_at = row.on_scene_at = row.resolved_at = row.closed_at = None
                # The limit for assigning it begins anew.
                row.opened_at = at
                if _is_by_hand(session, row):
                    row.ended_at = None
            case Step.ATTACH:
                detail = _attach(session, row, order.alarm_id, changed, actor, at)
            case Step.DETACH:
                detail = _detach(session, row, order.alarm_id, changed, actor, at)
            case _:
                pass
        row.status = work.NEXT[before.status, order.step].value
        row.taken_up_by = row.taken_up_by or actor.name
        session.flush()
        _write_step(session, row, order, actor, at, before=before.status, detail=detail)
        touched = {unit_id for unit_id in (before.unit_id, row.unit_id) if unit_id}
        units = [found for unit_id in sorted(touched) if (found := session.get(UnitRow, unit_id)) is not None]
        return _Done(
            incidents=(ledger.incident_of(row), *changed), units=tuple(_unit(session, found) for found in units)
        )

    def _close(
        self,
        session: Session,
        row: IncidentRow,
        order: StepOrder,
        actor: Actor,
        at: datetime,
        changed: list[Incident],
    ) -> str:
        assert order.disposition is not None
        row.disposition = order.disposition.value
        row.closed_at = at
        if order.disposition is not Disposition.DUPLICATE:
            return work.DISPOSITION_WORDS[order.disposition]
        target = _incident(session, order.duplicate_of)
        if target.merged_into:
            target = _incident(session, target.merged_into)
        if target.incident_id == row.incident_id:
            raise BadInputError("That one is a duplicate of this one.", hint="Choose another incident.")
        if target.status == IncidentStatus.CLOSED.value:
            raise BadInputError(f"{target.title} is closed already.", hint="Open it again first, or choose another.")
        _merge(session, row, target)
        session.flush()
        taken = StepOrder(step=Step.TAKE_IN, comment=order.comment)
        _write_step(session, target, taken, actor, at, before=IncidentStatus(target.status), detail=_name_of(row))
        changed.append(ledger.incident_of(target))
        return f"{work.DISPOSITION_WORDS[order.disposition]} of {_name_of(target)}"

    async def _keep(self, snapshot: Snapshot | None) -> tuple[Evidence | None, str]:
        if snapshot is None or not snapshot.jpeg:
            return None, ""
        try:
            evidence = await asyncio.to_thread(
                save_snapshot, self._evidence, snapshot.jpeg, at=snapshot.captured_at, name=new_id()
            )
        except UnavailableError as error:
            return None, error.message
        return evidence, ""

    async def _commit(self, run: Callable[[Session], _Done]) -> _Done:
        done = await self._store.write(run)
        for incident in done.incidents:
            self._bus.publish(IncidentChanged(incident=incident))
        for unit in done.units:
            self._bus.publish(UnitChanged(unit=unit))
        return done


def _incident(session: Session, incident_id: str) -> IncidentRow:
    row = session.get(IncidentRow, incident_id)
    if row is None:
        raise BadInputError("There is no such incident.", hint="Look at the list again.")
    return row


def _assign(session: Session, row: IncidentRow, order: StepOrder, at: datetime) -> str:
    names = []
    if order.unit_id:
        unit = session.get(UnitRow, order.unit_id)
        if unit is None or unit.is_removed:
            raise BadInputError("There is no such unit.", hint="Choose another one.")
        if unit.duty != Duty.ON_DUTY.value:
            raise BadInputError(f"{unit.call_sign} is off duty.", hint="Choose another one.")
        elsewhere = _work_of(session, unit.unit_id)
        if elsewhere is not None and elsewhere.incident_id != row.incident_id:
            raise BadInputError(
                f"{unit.call_sign} works on {elsewhere.title}.",
                hint="Choose another unit, or give that incident to another one first.",
            )
        names.append(unit.call_sign)
    if order.operator:
        names.append(order.operator)
    row.unit_id, row.operator = order.unit_id, order.operator
    row.assigned_at, row.en_route_at, row.on_scene_at = at, None, None
    return " and ".join(names)


def _attach(
    session: Session, row: IncidentRow, alarm_id: str, changed: list[Incident], actor: Actor, at: datetime
) -> str:
    """Count an alarm to this incident; where its own is left without any and nobody took that up, it is taken in."""
    alarm = session.get(AlarmRow, alarm_id)
    if alarm is None:
        raise BadInputError("There is no such alarm any more.", hint="Look at the list again.")
    own = _incident(session, alarm.incident_id)
    link = session.get(IncidentAlarmRow, (alarm.alarm_id, alarm.occurrence))
    here = link.incident_id if link is not None else (own.merged_into or own.incident_id)
    if here == row.incident_id:
        raise BadInputError(f"{alarm.title} is attached to it already.")
    if link is not None:
        session.delete(link)
        session.flush()
    if own.incident_id != row.incident_id:
        session.add(IncidentAlarmRow(alarm_id=alarm.alarm_id, occurrence=alarm.occurrence, incident_id=row.incident_id))
    session.flush()
    is_untouched = own.status == IncidentStatus.NEW.value and not own.taken_up_by
    if own.incident_id != row.incident_id and is_untouched and not alarms_of(session, own.incident_id):
        own.status, own.disposition, own.closed_at = IncidentStatus.CLOSED.value, Disposition.DUPLICATE.value, at
        _merge(session, own, row)
        session.flush()
        order = StepOrder(step=Step.CLOSE, disposition=Disposition.DUPLICATE)
        _write_step(session, own, order, actor, at, before=IncidentStatus.NEW, detail=f"Duplicate of {_name_of(row)}")
        changed.append(ledger.incident_of(own))
    return f"{alarm.title}, {alarm.source_name}"


def _detach(
    session: Session, row: IncidentRow, alarm_id: str, changed: list[Incident], actor: Actor, at: datetime
) -> str:
    """Give an attached alarm back to its own incident, which cannot lose it: it would then be nobody's."""
    alarm = session.get(AlarmRow, alarm_id)
    link = None if alarm is None else session.get(IncidentAlarmRow, (alarm.alarm_id, alarm.occurrence))
    if alarm is None or link is None or link.incident_id != row.incident_id:
        raise BadInputError(
            "This alarm belongs to the incident from its beginning.", hint="Attach it to another incident instead."
        )
    session.delete(link)
    session.flush()
    own = _incident(session, alarm.incident_id)
    if own.merged_into == row.incident_id:
        # It was closed only because this alarm left it.
        own.merged_into, own.status, own.disposition, own.closed_at = None, IncidentStatus.NEW.value, "", None
        session.flush()
        _write_step(session, own, StepOrder(step=Step.REOPEN), actor, at, before=IncidentStatus.CLOSED)
        changed.append(ledger.incident_of(own))
    return f"{alarm.title}, {alarm.source_name}"


def _merge(session: Session, row: IncidentRow, target: IncidentRow) -> None:
    """Let everything that counted to `row` count to `target`."""
    for earlier in session.scalars(select(IncidentRow).where(IncidentRow.merged_into == row.incident_id)):
        earlier.merged_into = target.incident_id
    row.merged_into = target.incident_id
    for link in session.scalars(select(IncidentAlarmRow).where(IncidentAlarmRow.incident_id == row.incident_id)):
        link.incident_id = target.incident_id
    if row.priority < target.priority:
        target.priority = row.priority


def alarms_of(session: Session, incident_id: str) -> list[AlarmRow]:
    """Return the alarms that count to an incident: its own, those of its duplicates, and what was attached."""
    attached_elsewhere = (
        exists()
        .where(IncidentAlarmRow.alarm_id == AlarmRow.alarm_id, IncidentAlarmRow.occurrence == AlarmRow.occurrence)
        .where(IncidentAlarmRow.incident_id != incident_id)
    )
    attached_here = (
        exists()
        .where(IncidentAlarmRow.alarm_id == AlarmRow.alarm_id, IncidentAlarmRow.occurrence == AlarmRow.occurrence)
        .where(IncidentAlarmRow.incident_id == incident_id)
    )
    merged = select(IncidentRow.incident_id).where(IncidentRow.merged_into == incident_id)
    own = or_(AlarmRow.incident_id == incident_id, AlarmRow.incident_id.in_(merged))
    query = select(AlarmRow).where(or_(attached_here, own & ~attached_elsewhere)).order_by(AlarmRow.raised_at.desc())
    return list(session.scalars(query))


def _is_by_hand(session: Session, row: IncidentRow) -> bool:
    """Tell whether an operator wrote an incident down, at a camera or elsewhere."""
    query = exists().where(IncidentStepRow.incident_id == row.incident_id, IncidentStepRow.step == Step.OPEN.value)
    return bool(session.scalar(select(query)))


def _write_step(
    session: Session,
    row: IncidentRow,
    order: StepOrder,
    actor: Actor,
    at: datetime,
    *,
    before: IncidentStatus,
    detail: str = "",
) -> None:
    """Add one line to the timeline and one to the audit, in the caller's transaction."""
    row.work_version += 1
    session.add(
        IncidentStepRow(
            incident_id=row.incident_id,
            sequence=row.work_version,
            at=at,
            step=order.step.value,
            status_before=before.value,
            status_after=row.status,
            actor=storable(actor.name),
            desk=storable(actor.desk),
            comment=order.comment,
            detail=detail,
        )
    )
    session.flush()
    said = ": ".join(part for part in (detail, order.comment) if part)
    _audit(session, actor, f"incident.{order.step.value}", f"{row.title} ({row.incident_id})", said, at)


def _audit(session: Session, actor: Actor, action: str, subject: str, detail: str, at: datetime) -> None:
    audit.append(session, actor, action=action, subject=subject, detail=detail, at=at)


def _detail(session: Session, incident_id: str) -> IncidentDetail:
    row = _incident(session, incident_id)
    alarms = alarms_of(session, incident_id)
    merged = list(session.scalars(select(IncidentRow).where(IncidentRow.merged_into == incident_id)))
    entries = [*_steps(session, incident_id), *_alarm_entries(session, alarms[:MAX_TIMELINE_ALARMS])]
    pictures = [found for one in (row, *merged) for found in ledger.pictures_of(session, one)]
    return IncidentDetail(
        incident=ledger.incident_of(row),
        alarms=tuple(ledger.alarm_of(alarm) for alarm in alarms),
        pictures=tuple(picture_id for picture_id, _ in pictures),
        picture_calls=tuple(call for _, call in pictures),
        timeline=tuple(sorted(entries, key=lambda entry: entry.at)),
        published=_published(session, incident_id),
    )


def _published(session: Session, incident_id: str) -> Publication | None:
    steps = IncidentStepRow
    query = select(steps.at, steps.step, steps.status_after).where(steps.incident_id == incident_id)
    found = session.execute(query.order_by(steps.sequence))
    return work.publication_of(StepTaken(at, Step(step), IncidentStatus(status)) for at, step, status in found)


def _steps(session: Session, incident_id: str) -> Iterable[TimelineEntry]:
    query = select(IncidentStepRow).where(IncidentStepRow.incident_id == incident_id).order_by(IncidentStepRow.sequence)
    for row in session.scalars(query):
        yield TimelineEntry(
            at=row.at,
            what=work.STEP_WORDS[Step(row.step)],
            detail=row.detail,
            actor=row.actor,
            desk=row.desk,
            comment=row.comment,
        )


def _alarm_entries(session: Session, alarms: Iterable[AlarmRow]) -> Iterable[TimelineEntry]:
    for alarm in alarms:
        for entry in ledger.journal_of(session, alarm.alarm_id):
            yield TimelineEntry(
                at=entry.at,
                what=_JOURNAL_WORDS.get(entry.event, f"Alarm: {entry.event.replace('_', ' ')}"),
                detail=f"{alarm.title}, {alarm.source_name}",
                actor=entry.actor,
                desk=entry.desk,
                comment=entry.comment,
                is_alarm=True,
            )


def _unit(session: Session, row: UnitRow) -> Unit:
    busy = _work_of(session, row.unit_id)
    return Unit(
        unit_id=row.unit_id,
        call_sign=row.call_sign,
        kind=row.kind,
        duty=Duty(row.duty),
        is_removed=row.is_removed,
        incident_id="" if busy is None else busy.incident_id,
        version=row.version,
    )


def _work_of(session: Session, unit_id: str) -> IncidentRow | None:
    states = [status.value for status in work.AT_WORK]
    return session.scalars(
        select(IncidentRow).where(IncidentRow.unit_id == unit_id, IncidentRow.status.in_(states)).limit(1)
    ).first()


def _refuse_at_work(session: Session, row: UnitRow) -> None:
    busy = _work_of(session, row.unit_id)
    if busy is not None:
        raise BadInputError(f"{row.call_sign} works on {busy.title}.", hint="Resolve that incident first.")


def _call_sign(session: Session, unit_id: str) -> str:
    row = session.get(UnitRow, unit_id)
    return "" if row is None else row.call_sign


def _name_of(row: IncidentRow) -> str:
    return f"{row.title}, {row.source_name}"


def _last_step_since(session: Session, incident_id: str, version: int) -> IncidentStepRow | None:
    """Return the newest step after a version; what was only written or sent out changes nothing for anybody."""
    query = (
        select(IncidentStepRow)
        .where(IncidentStepRow.incident_id == incident_id, IncidentStepRow.sequence > version)
        .where(IncidentStepRow.step.not_in([step.value for step in _CHANGING_NOTHING]))
        .order_by(IncidentStepRow.sequence.desc())
        .limit(1)
    )
    return session.scalars(query).first()


def _who_was_faster(row: IncidentRow, step: IncidentStepRow) -> str:
    desk = f" at {step.desk}" if step.desk else ""
    return f"{step.actor}{desk} was faster: {work.STEP_WORDS[Step(step.step)].lower()}, {step.detail or row.title}."
