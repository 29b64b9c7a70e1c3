"""Alarms and incidents in rows: every transition goes through `record`, which writes the journal with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from core.access.model import Actor
from core.incidents import events, machine, same_event
from core.incidents.events import Event, Raised, Returned
from core.incidents.evidence import Evidence
from core.incidents.flood import Call
from core.incidents.machine import Trigger
from core.incidents.model import (
    Alarm,
    AlarmMark,
    AlarmState,
    Condition,
    Incident,
    IncidentStatus,
    JournalEntry,
    PictureCall,
    Priority,
    Quality,
    Shelving,
    SourceKind,
)
from core.kernel.ids import new_id
from core.kernel.wire import from_builtins, to_builtins
from core.store.rows import place_values, position_of, storable, within
from core.store.tables import (
    MAX_SOURCE_ID,
    AlarmJournalRow,
    AlarmRow,
    Base,
    IncidentAlarmRow,
    IncidentPictureRow,
    IncidentRow,
    RaiseCountRow,
)
from core.vision.model import ObservationKind

MAX_SOURCES = 500
"""In one statement."""

# Of every alarm in a burst: built once, and past the unit of work, which would take most of the time.
_OPEN_KEYS = select(AlarmRow.condition_key).where(
    AlarmRow.condition_key.in_(bindparam("keys", expanding=True)), AlarmRow.is_open
)
_INSERT_INCIDENT = insert(Base.metadata.tables[IncidentRow.__tablename__])
_INSERT_ALARM = insert(Base.metadata.tables[AlarmRow.__tablename__])
_INSERT_JOURNAL = insert(Base.metadata.tables[AlarmJournalRow.__tablename__])


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What one event did to one alarm."""

    alarm: Alarm
    trigger: Trigger


def find_open(session: Session, condition_key: str) -> AlarmRow | None:
    """Return the one open alarm of a condition."""
    return session.scalar(select(AlarmRow).where(AlarmRow.condition_key == condition_key, AlarmRow.is_open))


def incident_left_open(session: Session, condition: Condition) -> str | None:
    """Return the incident of the last alarm of a condition, or the one that it repeats; None where that is closed."""
    query = (
        select(IncidentRow)
        .join(AlarmRow, AlarmRow.incident_id == IncidentRow.incident_id)
        .where(AlarmRow.source_kind == condition.source_kind.value, AlarmRow.source_id == storable(condition.source_id))
        .where(AlarmRow.condition_key == storable(condition.condition_key))
        .order_by(AlarmRow.raised_at.desc())
        .limit(1)
    )
    row = session.scalars(query).first()
    return None if row is None else open_incident(session, row.incident_id)


def open_incident(session: Session, incident_id: str) -> str | None:
    """Return an incident, or the one that it repeats, where a new call may join it; None where that is closed."""
    row = session.get(IncidentRow, incident_id)
    if row is not None and row.merged_into:
        row = session.get(IncidentRow, row.merged_into)
    return None if row is None or row.status == IncidentStatus.CLOSED.value else row.incident_id


def is_incident_closed(session: Session, row: AlarmRow) -> bool:
    """Tell whether the incident that an alarm counts to is closed: what calls in it would be nobody's work."""
    attached = session.get(IncidentAlarmRow, (row.alarm_id, row.occurrence))
    return open_incident(session, row.incident_id if attached is None else attached.incident_id) is None


def active_since(session: Session, row: AlarmRow) -> datetime:
    """Return when the condition of an alarm began to hold this time."""
    if not row.n_repeats:
        return row.raised_at
    query = select(func.max(AlarmJournalRow.at)).where(
        AlarmJournalRow.alarm_id == row.alarm_id,
        AlarmJournalRow.event.in_([Trigger.RAISE.value, Trigger.RAISE_AGAIN.value]),
    )
    return session.scalar(query) or row.raised_at


def insert_incidents(session: Session, incidents: Sequence[Incident], confidences: Sequence[float]) -> None:
    """Store new incidents, each with the confidence of the rule that raised it; nobody has worked on them yet."""
    values = [
        {
            "incident_id": one.incident_id,
            "kind": one.kind,
            "title": one.title,
            "source_kind": one.source_kind.value,
            "source_id": one.source_id,
            "source_name": one.source_name,
            "status": one.status.value,
            "began_at": one.began_at,
            "opened_at": one.opened_at,
            "priority": int(one.priority),
            "confidence": confidence,
            "snapshot_path": one.snapshot_path,
            "snapshot_sha256": one.snapshot_sha256,
            **place_values(one.position),
        }
        for one, confidence in zip(incidents, confidences, strict=True)
    ]
    session.connection().execute(_INSERT_INCIDENT, values)


def open_keys(session: Session, condition_keys: Sequence[str]) -> frozenset[str]:
    """Return those of the conditions that have an open alarm."""
    return frozenset(session.connection().execute(_OPEN_KEYS, {"keys": list(condition_keys)}).scalars())


def active_keys_of(session: Session, sources: Collection[tuple[SourceKind, str]]) -> list[str]:
    """Return the keys of all that is active at these sources."""
    by_kind: dict[SourceKind, list[str]] = {}
    for kind, source_id in sorted(sources):
        by_kind.setdefault(kind, []).append(within(storable(source_id), MAX_SOURCE_ID))
    found: list[str] = []
    for kind, ids in by_kind.items():
        for first in range(0, len(ids), MAX_SOURCES):
            found += session.scalars(
                select(AlarmRow.condition_key).where(
                    AlarmRow.source_kind == kind.value,
                    AlarmRow.source_id.in_(ids[first : first + MAX_SOURCES]),
                    AlarmRow.is_active,
                )
            )
    return found


def active_alarms(session: Session, incident_id: str) -> list[AlarmRow]:
    """Return the alarms of an incident whose conditions hold."""
    query = select(AlarmRow).where(AlarmRow.incident_id == incident_id, AlarmRow.is_active)
    return list(session.scalars(query))


def needs_own_call(session: Session, incident_id: str, condition: Condition) -> bool:
    """Tell whether a condition calls although it belongs to an incident that may call already."""
    own = find_open(session, condition.condition_key)
    if own is not None and own.is_active:
        # It calls already, in this incident or in one that is closed.
        return True
    rows = active_alarms(session, incident_id)
    return all(_is_news_beside(row, condition) for row in rows)


def _is_news_beside(row: AlarmRow, condition: Condition) -> bool:
    if row.kind == condition.kind == ObservationKind.COLLISION and row.quality == Quality.STALE and condition.began_at:
        # An impact is never seen twice: the one that nobody confirms was another one.
        return True
    return same_event.is_news_beside(condition, kind=row.kind, priority=Priority(row.priority), called_at=row.raised_at)


def is_most_urgent(session: Session, incident: IncidentRow, condition: Condition) -> bool:
    """Tell whether a condition is what the incident should be named after; what it took in counts as well."""
    merged = select(IncidentRow.incident_id).where(IncidentRow.merged_into == incident.incident_id)
    of_it = or_(AlarmRow.incident_id == incident.incident_id, AlarmRow.incident_id.in_(merged))
    query = select(AlarmRow.priority).where(of_it)
    known = session.scalars(query).all()
    return bool(known) and all(condition.priority < priority for priority in known)


def picture_call(alarm: Alarm) -> dict[str, Any]:
    """Return, as a row keeps it, which call a picture shows: the present one of an alarm."""
    call = PictureCall(kind=alarm.kind, title=alarm.title, occurrence=alarm.occurrence, at=alarm.changed_at)
    return to_builtins(call)  # type: ignore[no-any-return]


def add_picture(session: Session, incident: IncidentRow, evidence: Evidence, alarm: Alarm, priority: Priority) -> None:
    """Keep the picture of a call; the incident shows the newest one of what is as urgent as anything in it."""
    if incident.snapshot_path and priority > incident.priority:
        _keep_beside(session, incident, evidence, picture_call(alarm))
        return
    if incident.snapshot_path:
        shown = Evidence(path=incident.snapshot_path, sha256=incident.snapshot_sha256)
        _keep_beside(session, incident, shown, incident.snapshot_call)
    incident.snapshot_path, incident.snapshot_sha256 = evidence.path, evidence.sha256
    incident.snapshot_call = picture_call(alarm)


def _keep_beside(session: Session, incident: IncidentRow, evidence: Evidence, call: dict[str, Any] | None) -> None:
    session.add(
        IncidentPictureRow(
            picture_id=new_id(),
            incident_id=incident.incident_id,
            path=evidence.path,
            sha256=evidence.sha256,
            call=call,
        )
    )


def names_picture(session: Session, incident_id: str | None, evidence: Evidence | None) -> bool:
    """Tell whether a picture is one of an incident's."""
    incident = None if incident_id is None else session.get(IncidentRow, incident_id)
    if incident is None or evidence is None:
        return False
    beside = select(IncidentPictureRow.picture_id).where(
        IncidentPictureRow.incident_id == incident_id, IncidentPictureRow.path == evidence.path
    )
    return incident.snapshot_path == evidence.path or session.scalar(beside) is not None


def find_picture(session: Session, picture_id: str) -> Evidence | None:
    """Return a picture by the id of the incident that shows it, or by its own; None where there is neither.

    Its path is empty where the incident has none.
    """
    incident = session.get(IncidentRow, picture_id)
    if incident is not None:
        return Evidence(path=incident.snapshot_path, sha256=incident.snapshot_sha256)
    beside = session.get(IncidentPictureRow, picture_id)
    return None if beside is None else Evidence(path=beside.path, sha256=beside.sha256)


def pictures_of(session: Session, incident: IncidentRow) -> list[tuple[str, PictureCall | None]]:
    """Return what `find_picture` finds of an incident, each with the call that it shows.

    The one that the incident shows comes first, and then the others, the newest first.
    """
    query = select(IncidentPictureRow).where(IncidentPictureRow.incident_id == incident.incident_id)
    shown = [(incident.incident_id, _call_of(incident.snapshot_call))] if incident.snapshot_path else []
    beside = session.scalars(query.order_by(IncidentPictureRow.picture_id.desc()))
    return [*shown, *((row.picture_id, _call_of(row.call)) for row in beside)]


def picture_of_rule(session: Session, incident: IncidentRow) -> str:
    """Return the newest picture of a call of the rule that an incident is named after; empty where there is none.

    A picture of which nobody noted what it shows is taken for one.
    """
    call = _call_of(incident.snapshot_call)
    if not incident.snapshot_path or call is None or call.kind == incident.kind:
        return incident.incident_id if incident.snapshot_path else ""
    found = (key for key, other in pictures_of(session, incident) if other is not None and other.kind == incident.kind)
    return next(found, "")


def _call_of(kept: dict[str, Any] | None) -> PictureCall | None:
    call: PictureCall | None = None if kept is None else from_builtins(kept, PictureCall)
    return call


def record(session: Session, row: AlarmRow | None, event: Event, actor: Actor) -> Transition | None:
    """Apply an event to an alarm and write the journal in the same transaction.

    Args:
        session: Of `Store.write`; the incident that a raise names must be there already.
        row: The open alarm of the condition; None where there is none.
        event: What happened.
        actor: Who the journal names.

    Returns:
        None where the event changes nothing.
    """
    if row is None:
        return record_new(session, [event], actor)[0] if isinstance(event, events.Raised) else None
    before = alarm_of(row)
    step = machine.row_of(before, event)
    if step is None:
        return None
    # A closed alarm stays as it was: the condition begins another one.
    assert step.trigger is not Trigger.RAISE
    after = machine.apply(before, event)
    assert after is not None
    _write_alarm(row, after)
    # The version counts also where two events of one instant leave every column as it was.
    flag_modified(row, "changed_at")
    session.flush()
    session.connection().execute(_INSERT_JOURNAL, [_journal_values(before, after, step, event, actor)])
    return Transition(alarm=alarm_of(row), trigger=step.trigger)


def record_new(session: Session, raised: Sequence[events.Raised], actor: Actor) -> list[Transition]:
    """Open the alarms of conditions that have none, as `record` would, in as many statements as for one."""
    found, alarms, journal = [], [], []
    for event in raised:
        step, alarm = machine.row_of(None, event), machine.apply(None, event)
        assert step is not None
        assert alarm is not None
        found.append(Transition(alarm=alarm, trigger=step.trigger))
        alarms.append({"alarm_id": alarm.alarm_id, "version": alarm.version, **_alarm_values(alarm)})
        journal.append(_journal_values(None, alarm, step, event, actor))
    # The journal names its alarm, so the alarm has to be there first.
    connection = session.connection()
    connection.execute(_INSERT_ALARM, alarms)
    connection.execute(_INSERT_JOURNAL, journal)
    return found


def _journal_values(
    before: Alarm | None, after: Alarm, step: machine.Row, event: Event, actor: Actor
) -> dict[str, Any]:
    return {
        "alarm_id": after.alarm_id,
        "sequence": after.version,
        "at": event.at,
        "event": step.trigger.value,
        "occurrence": after.occurrence,
        "state_before": (AlarmState.NORMAL if before is None else before.state).value,
        "state_after": after.state.value,
        "actor": actor.name,
        "desk": actor.desk,
        "priority": int(after.priority),
        "is_call": machine.Effect.CALL in step.effects and not after.is_suppressed_or_shelved,
        "payload": {"type": events.NAMES[type(event)], "event": to_builtins(event)},
    }


def events_of(session: Session, alarm_id: str) -> list[Event]:
    """Return an alarm's events in order, as the journal kept them."""
    query = select(AlarmJournalRow).where(AlarmJournalRow.alarm_id == alarm_id).order_by(AlarmJournalRow.sequence)
    return [_event_of(row.payload) for row in session.scalars(query)]


def called_since(session: Session, alarm_id: str, version: int) -> bool:
    """Tell whether the alarm called anew after the given version."""
    query = select(AlarmJournalRow.event).where(
        AlarmJournalRow.alarm_id == alarm_id, AlarmJournalRow.sequence > version
    )
    return any(Trigger(event) in machine.CALLING_TRIGGERS for event in session.scalars(query))


def words_of_acknowledge(session: Session, alarm_id: str) -> str:
    """Return what the last acknowledge of an alarm said."""
    query = select(AlarmJournalRow.payload).where(
        AlarmJournalRow.alarm_id == alarm_id, AlarmJournalRow.event == Trigger.ACKNOWLEDGE.value
    )
    payload = session.scalar(query.order_by(AlarmJournalRow.sequence.desc()).limit(1))
    return "" if payload is None else str(payload["event"].get("comment", ""))


def raises_since(session: Session, since: datetime) -> list[tuple[str, str, str, datetime]]:
    """Return condition key, rule, kind and instant of every raise since then."""
    query = (
        select(AlarmRow.condition_key, AlarmRow.rule_id, AlarmRow.kind, AlarmJournalRow.at)
        .join(AlarmRow, AlarmRow.alarm_id == AlarmJournalRow.alarm_id)
        .where(AlarmJournalRow.at >= since)
        .where(AlarmJournalRow.event.in_([Trigger.RAISE.value, Trigger.RAISE_AGAIN.value]))
        .order_by(AlarmJournalRow.alarm_journal_id)
    )
    return [(key, rule_id, kind, at) for key, rule_id, kind, at in session.execute(query)]


@dataclass(frozen=True, slots=True)
class Measured:
    """By which numbers a condition came and went last; None where it did not, or where no number said so."""

    raised_at: datetime | None = None
    returned_at: datetime | None = None


def measured_last(session: Session, span: timedelta) -> dict[str, Measured]:
    """Return by condition key which measurements the newest raise and return followed.

    Args:
        session: Of `Store.read`.
        span: Before the newest entry of the journal, whenever that was: a node may have been away for hours.
    """
    newest = session.scalar(select(func.max(AlarmJournalRow.at)))
    if newest is None:
        return {}
    query = (
        select(AlarmRow.condition_key, AlarmJournalRow.payload)
        .join(AlarmRow, AlarmRow.alarm_id == AlarmJournalRow.alarm_id)
        .where(AlarmJournalRow.at >= newest - span)
        .where(AlarmJournalRow.event.in_([Trigger.RAISE.value, Trigger.RAISE_AGAIN.value, Trigger.RETURN.value]))
        .order_by(AlarmJournalRow.alarm_journal_id)
    )
    found: dict[str, Measured] = {}
    for key, payload in session.execute(query):
        event, known = _event_of(payload), found.get(key, Measured())
        if isinstance(event, Raised) and event.condition.measured_at is not None:
            found[key] = replace(known, raised_at=event.condition.measured_at)
        elif isinstance(event, Returned) and event.measured_at is not None:
            found[key] = replace(known, returned_at=event.measured_at)
    return found


def count_raise(session: Session, condition: Condition, at: datetime, *, keep_since: datetime) -> None:
    """Keep that a condition came without being raised, and forget what came before `keep_since`."""
    session.execute(delete(RaiseCountRow).where(RaiseCountRow.at < keep_since))
    session.add(
        RaiseCountRow(
            count_id=new_id(),
            condition_key=storable(condition.condition_key),
            rule_id=storable(condition.rule_id or condition.kind),
            kind=storable(condition.kind),
            at=at,
        )
    )


def counted_since(session: Session, since: datetime) -> list[tuple[str, str, str, datetime]]:
    """Return condition key, rule, kind and instant of all that was counted since then, and not raised."""
    query = (
        select(RaiseCountRow.condition_key, RaiseCountRow.rule_id, RaiseCountRow.kind, RaiseCountRow.at)
        .where(RaiseCountRow.at >= since)
        .order_by(RaiseCountRow.at)
    )
    return [(key, rule_id, kind, at) for key, rule_id, kind, at in session.execute(query)]


def calls_since(session: Session, since: datetime) -> tuple[tuple[Call, datetime], ...]:
    """Return every call since then, each with its number among those of its occurrence, and when it came."""
    recent = select(AlarmJournalRow.alarm_id).where(AlarmJournalRow.at > since, AlarmJournalRow.is_call)
    query = (
        select(AlarmJournalRow.alarm_id, AlarmJournalRow.occurrence, AlarmJournalRow.at)
        .where(AlarmJournalRow.alarm_id.in_(recent), AlarmJournalRow.is_call)
        .order_by(AlarmJournalRow.alarm_journal_id)
    )
    numbers: Counter[tuple[str, str]] = Counter()
    found = []
    for alarm_id, occurrence, at in session.execute(query):
        numbers[alarm_id, occurrence] += 1
        if at > since:
            found.append(((alarm_id, occurrence, numbers[alarm_id, occurrence]), at))
    return tuple(found)


def journal_of(session: Session, alarm_id: str) -> tuple[JournalEntry, ...]:
    """Return an alarm's transitions in order, for people."""
    query = select(AlarmJournalRow).where(AlarmJournalRow.alarm_id == alarm_id).order_by(AlarmJournalRow.sequence)
    return tuple(
        JournalEntry(
            alarm_id=row.alarm_id,
            sequence=row.sequence,
            at=row.at,
            event=row.event,
            occurrence=row.occurrence,
            state_before=AlarmState(row.state_before),
            state_after=AlarmState(row.state_after),
            actor=row.actor,
            desk=row.desk,
            comment=_words_of(row.payload["event"]),
        )
        for row in session.scalars(query)
    )


def alarm_of(row: AlarmRow) -> Alarm:
    """Return the frozen alarm of a row."""
    return Alarm(
        alarm_id=row.alarm_id,
        condition_key=row.condition_key,
        occurrence=row.occurrence,
        incident_id=row.incident_id,
        kind=row.kind,
        title=row.title,
        detail=row.detail,
        priority=Priority(row.priority),
        source_kind=SourceKind(row.source_kind),
        source_id=row.source_id,
        source_name=row.source_name,
        is_active=row.is_active,
        is_acknowledged=row.is_acknowledged,
        raised_at=row.raised_at,
        changed_at=row.changed_at,
        returned_at=row.returned_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_desk=row.acknowledged_desk,
        comment=row.comment,
        n_repeats=row.n_repeats,
        position=position_of(row),
        version=row.version,
        rule_id=row.rule_id,
        quality=Quality(row.quality),
        is_latched=row.is_latched,
        n_calls=row.n_calls,
        calling_since=row.calling_since,
        escalation_level=row.escalation_level,
        marks=frozenset(AlarmMark(mark) for mark in row.marks),
        ticked=frozenset(row.ticked),
        shelving=Shelving(row.shelving),
        shelved_until=row.shelved_until,
        shelved_by=row.shelved_by,
        shelve_reason=row.shelve_reason,
        suppressed_by=row.suppressed_by,
        out_of_service_by=row.out_of_service_by,
        out_of_service_reason=row.out_of_service_reason,
        out_of_service_until=row.out_of_service_until,
    )


def incident_of(row: IncidentRow) -> Incident:
    """Return the frozen incident of a row."""
    return Incident(
        incident_id=row.incident_id,
        kind=row.kind,
        title=row.title,
        source_kind=SourceKind(row.source_kind),
        source_id=row.source_id,
        source_name=row.source_name,
        status=IncidentStatus(row.status),
        began_at=row.began_at,
        ended_at=row.ended_at,
        position=position_of(row),
        snapshot_path=row.snapshot_path,
        snapshot_sha256=row.snapshot_sha256,
        priority=Priority(row.priority),
        text=row.text,
        unit_id=row.unit_id,
        operator=row.operator,
        disposition=row.disposition,
        merged_into=row.merged_into or "",
        taken_up_by=row.taken_up_by,
        opened_at=row.opened_at,
        assigned_at=row.assigned_at,
        en_route_at=row.en_route_at,
        on_scene_at=row.on_scene_at,
        resolved_at=row.resolved_at,
        closed_at=row.closed_at,
        work_version=row.work_version,
        version=row.version,
    )


def _event_of(payload: dict[str, Any]) -> Event:
    kind: Any = events.TYPES[payload["type"]]
    event: Event = from_builtins(payload["event"], kind)
    return event


def _words_of(event: dict[str, Any]) -> str:
    """Return what a person said: a reason, a comment, or both; of an escalation who it calls."""
    said = (event.get("reason"), event.get("service", {}).get("reason"), event.get("step"), event.get("to"))
    reason = next(filter(None, said), "")
    return ": ".join(str(part) for part in (reason, event.get("comment", "")) if part)


def _write_alarm(row: AlarmRow, alarm: Alarm) -> None:
    for name, value in _alarm_values(alarm).items():
        setattr(row, name, value)


def _alarm_values(alarm: Alarm) -> dict[str, Any]:
    return {
        "condition_key": alarm.condition_key,
        "occurrence": alarm.occurrence,
        "incident_id": alarm.incident_id,
        "kind": alarm.kind,
        "title": alarm.title,
        "detail": alarm.detail,
        "priority": int(alarm.priority),
        "source_kind": alarm.source_kind.value,
        "source_id": alarm.source_id,
        "source_name": alarm.source_name,
        "is_active": alarm.is_active,
        "is_acknowledged": alarm.is_acknowledged,
        "is_open": alarm.is_open,
        "raised_at": alarm.raised_at,
        "changed_at": alarm.changed_at,
        "returned_at": alarm.returned_at,
        "acknowledged_at": alarm.acknowledged_at,
        "acknowledged_by": alarm.acknowledged_by,
        "acknowledged_desk": alarm.acknowledged_desk,
        "comment": alarm.comment,
        "n_repeats": alarm.n_repeats,
        "rule_id": alarm.rule_id,
        "quality": alarm.quality.value,
        "is_latched": alarm.is_latched,
        "n_calls": alarm.n_calls,
        "calling_since": alarm.calling_since,
        "escalation_level": alarm.escalation_level,
        "marks": sorted(mark.value for mark in alarm.marks),
        "ticked": sorted(alarm.ticked),
        "shelving": alarm.shelving.value,
        "shelved_until": alarm.shelved_until,
        "shelved_by": alarm.shelved_by,
        "shelve_reason": alarm.shelve_reason,
        "suppressed_by": alarm.suppressed_by,
        "out_of_service_by": alarm.out_of_service_by,
        "out_of_service_reason": alarm.out_of_service_reason,
        "out_of_service_until": alarm.out_of_service_until,
        **place_values(alarm.position),
    }
