"""An alarm begins, comes back and ends, each in one transaction with its incident, journal and audit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import SYSTEM, Actor
from core.incidents import holds, ledger, machine, sightings
from core.incidents.events import LetGo, Raised, Returned, Suppressed
from core.incidents.evidence import Evidence
from core.incidents.model import Alarm, AlarmMark, CallMoved, Condition, Incident, IncidentStatus
from core.incidents.tuning import Tunings
from core.incidents.work import Disposition
from core.incidents.writer import Changed
from core.kernel.ids import new_id
from core.store.rows import storable, within
from core.store.tables import MAX_SOURCE_ID, AlarmRow, IncidentRow

HISTORICAL = "Historical: it was over when it was heard of, and nobody was called."


@dataclass(frozen=True, slots=True, kw_only=True)
class Raising:
    """One condition that begins.

    Attributes:
        event_id: Incident that it belongs to; None where it begins one of its own.
        marks: What is wrong with the alarm itself, as known when this was asked.
    """

    condition: Condition
    at: datetime
    evidence: Evidence | None = None
    event_id: str | None = None
    marks: frozenset[AlarmMark] = frozenset()


def raise_alarm(session: Session, raising: Raising, tunings: Tunings) -> Changed:
    """Open the alarm of a condition, or note that it holds again; what holds already is left alone."""
    return raise_all(session, [raising], tunings)[0]


def raise_all(session: Session, raisings: Sequence[Raising], tunings: Tunings) -> tuple[Changed, ...]:
    """Do for each what `raise_alarm` does, in their order; what is new side by side takes as many statements as one."""
    raisings = [replace(one, condition=storable_condition(one.condition)) for one in raisings]
    known = set(ledger.open_keys(session, [one.condition.condition_key for one in raisings]))
    is_cause = frozenset[str]().union(*(rule.causes for rule in tunings.suppression)).__contains__
    found: list[Changed] = []
    together: list[Raising] = []
    for raising in raisings:
        key = raising.condition.condition_key
        if raising.event_id is None and key not in known:
            together.append(raising)
            known.add(key)
            if not is_cause(raising.condition.kind):
                continue
            # It may hold those that come after it.
            found += _raise_new(session, together, tunings)
        else:
            found += _raise_new(session, together, tunings)
            found.append(_raise_one(session, raising, tunings))
        together = []
    return (*found, *_raise_new(session, together, tunings))


def _raise_new(session: Session, raisings: Sequence[Raising], tunings: Tunings) -> list[Changed]:
    """Open alarms and incidents of conditions that have none; only the last one may hold others."""
    if not raisings:
        return []
    in_force = holds.in_force(session, tunings.suppression, raisings[0].at)
    happened = [_raised(raising, in_force, tunings) for raising in raisings]
    incidents = [_incident(event.incident_id, one) for event, one in zip(happened, raisings, strict=True)]
    # An alarm names its incident, so the incident has to be there first.
    ledger.insert_incidents(session, incidents, [one.condition.confidence for one in raisings])
    transitions = ledger.record_new(session, happened, SYSTEM)
    for transition, incident in zip(transitions, incidents, strict=True):
        if incident.snapshot_path:
            row = session.get_one(IncidentRow, incident.incident_id)
            row.snapshot_call = ledger.picture_call(transition.alarm)
    _audit(session, transitions, raisings[-1].at)
    return [
        Changed(
            answer=transition.alarm,
            alarms=(transition.alarm, *_suppress_behind(session, transition.alarm, tunings, raising.at)),
            incidents=(incident,),
            used_evidence=raising.evidence is not None,
        )
        for transition, incident, raising in zip(transitions, incidents, raisings, strict=True)
    ]


def _raise_one(session: Session, raising: Raising, tunings: Tunings) -> Changed:
    """Raise a condition whose alarm may be open, or whose incident may be there."""
    condition = raising.condition
    row = ledger.find_open(session, condition.condition_key)
    before = None if row is None else ledger.alarm_of(row)
    event = replace(
        _raised(raising, holds.in_force(session, tunings.suppression, raising.at), tunings),
        is_incident_closed=row is not None and ledger.is_incident_closed(session, row),
    )
    after = machine.apply(before, event)
    assert after is not None
    if after is before:
        return Changed(answer=after)
    # The alarm names its incident, so the incident has to be there first.
    incident = _open_incident(session, after, condition, raising)
    is_new_call = before is None or before.occurrence != after.occurrence
    takes_picture = raising.evidence is not None and (is_new_call or not incident.snapshot_path)
    if raising.evidence is not None and takes_picture:
        ledger.add_picture(session, incident, raising.evidence, after, condition.priority)
    session.flush()
    transition = ledger.record(session, row, event, SYSTEM)
    assert transition is not None
    _audit(session, [transition], raising.at)
    left = None if before is None or not before.is_active else _leave(session, before, after, raising.at)
    return Changed(
        answer=transition.alarm,
        alarms=(transition.alarm, *_suppress_behind(session, transition.alarm, tunings, raising.at)),
        incidents=(*(() if left is None else (left,)), ledger.incident_of(incident)),
        used_evidence=takes_picture,
        moved=() if left is None else (CallMoved(left_id=left.incident_id, incident_id=after.incident_id),),
    )


def let_go(session: Session, row: AlarmRow, event: LetGo) -> Changed:
    """Record what time does to an alarm; what calls anew by it and counts to a closed incident has one of its own."""
    before = ledger.alarm_of(row)
    if ledger.is_incident_closed(session, row):
        event = replace(event, occurrence=new_id(), incident_id=new_id())
    after = machine.apply(before, event)
    assert after is not None
    opened = None
    if after.incident_id != before.incident_id:
        # The alarm names its incident, so the incident has to be there first.
        opened = replace(_incident_again(after, event.at), ended_at=after.returned_at)
        confidence = session.get_one(IncidentRow, before.incident_id).confidence
        ledger.insert_incidents(session, [opened], [confidence])
        session.get_one(IncidentRow, opened.incident_id).ended_at = opened.ended_at
        session.flush()
    transition = ledger.record(session, row, event, SYSTEM)
    if transition is None:
        return Changed()
    if opened is None:
        return Changed(alarms=(transition.alarm,))
    left = _leave(session, before, after, event.at) if before.is_active else None
    return Changed(
        alarms=(transition.alarm,),
        incidents=(*(() if left is None else (left,)), opened),
        moved=() if left is None else (CallMoved(left_id=left.incident_id, incident_id=after.incident_id),),
    )


def _leave(session: Session, before: Alarm, after: Alarm, at: datetime) -> Incident | None:
    """End the incident that an active alarm left, where nothing else in it holds; None where it left none."""
    if before.incident_id == after.incident_id:
        return None
    row = session.get_one(IncidentRow, before.incident_id)
    if not ledger.active_alarms(session, row.incident_id):
        row.ended_at = at
    sightings.move_call(session, after.condition_key, before.incident_id, after.incident_id)
    return ledger.incident_of(row)


def _raised(raising: Raising, in_force: holds.InForce, tunings: Tunings) -> Raised:
    condition = raising.condition
    return Raised(
        at=raising.at,
        condition=condition,
        alarm_id=new_id(),
        occurrence=new_id(),
        incident_id=raising.event_id or new_id(),
        is_latching=tunings.of(condition.rule_id, condition.kind).is_latching,
        marks=raising.marks,
        suppressed_by=in_force.rule_for(condition),
        out_of_service=in_force.service_for(condition),
    )


def _audit(session: Session, transitions: Iterable[ledger.Transition], at: datetime) -> None:
    lines = [
        audit.Line(
            action="alarm.raise",
            subject=f"{alarm.title} ({alarm.alarm_id})",
            detail=f"{trigger}, {alarm.priority.name.lower()}, {alarm.source_name}",
        )
        for alarm, trigger in ((one.alarm, one.trigger) for one in transitions)
    ]
    audit.append_all(session, SYSTEM, lines, at=at)


def return_alarm(
    session: Session,
    condition_key: str,
    at: datetime,
    tunings: Tunings,
    *,
    actor: Actor = SYSTEM,
    measured_at: datetime | None = None,
) -> Changed:
    """Note that a condition is over, or that `actor` says so; nothing where no alarm of it is active."""
    row = ledger.find_open(session, storable(condition_key))
    if row is None:
        return Changed()
    active_s = (at - ledger.active_since(session, row)).total_seconds()
    is_fleeting = 0 < active_s < tunings.of(row.rule_id, row.kind).fleeting_s
    returned = Returned(at=at, is_fleeting=is_fleeting, measured_at=measured_at)
    transition = ledger.record(session, row, returned, actor)
    if transition is None:
        return Changed()
    incident = session.get_one(IncidentRow, transition.alarm.incident_id)
    if not ledger.active_alarms(session, incident.incident_id):
        incident.ended_at = at
    session.flush()
    return Changed(answer=transition.alarm, alarms=(transition.alarm,), incidents=(ledger.incident_of(incident),))


def keep_past(session: Session, condition: Condition, *, ended_at: datetime, at: datetime) -> Changed:
    """Store what was over before anybody heard of it: a closed incident that is marked as historical, without alarm."""
    condition = storable_condition(condition)
    incident = replace(_incident(new_id(), Raising(condition=condition, at=at)), status=IncidentStatus.CLOSED)
    ledger.insert_incidents(session, [incident], [condition.confidence])
    row = session.get_one(IncidentRow, incident.incident_id)
    row.ended_at, row.closed_at, row.text = ended_at, at, HISTORICAL
    row.disposition = Disposition.NO_ACTION.value
    session.flush()
    return Changed(incidents=(ledger.incident_of(row),))


def storable_condition(condition: Condition) -> Condition:
    """Return a condition as the database can keep it: the journal holds all of it, and names come from outside."""
    return replace(
        condition,
        condition_key=storable(condition.condition_key),
        title=storable(condition.title),
        detail=storable(condition.detail),
        # A setting is named by its file, whose path may be long.
        source_id=within(storable(condition.source_id), MAX_SOURCE_ID),
        source_name=storable(condition.source_name),
    )


def _suppress_behind(session: Session, cause: Alarm, tunings: Tunings, at: datetime) -> tuple[Alarm, ...]:
    """Hold what the new alarm explains and what called before it."""
    explained = frozenset[str]().union(*(rule.kinds for rule in tunings.suppression if cause.kind in rule.causes))
    if not explained:
        return ()
    query = select(AlarmRow).where(AlarmRow.is_open, AlarmRow.kind.in_(sorted(explained)), AlarmRow.suppressed_by == "")
    found = []
    in_force = holds.in_force(session, tunings.suppression, at)
    for row in session.scalars(query).all():
        rule_id = in_force.rule_for(ledger.alarm_of(row))
        transition = ledger.record(session, row, Suppressed(at=at, rule_id=rule_id), SYSTEM) if rule_id else None
        if transition is not None:
            found.append(transition.alarm)
    return tuple(found)


def _open_incident(session: Session, alarm: Alarm, condition: Condition, raising: Raising) -> IncidentRow:
    known = session.get(IncidentRow, alarm.incident_id)
    if known is None:
        opened = _incident(alarm.incident_id, replace(raising, evidence=None))
        ledger.insert_incidents(session, [opened], [condition.confidence])
        return session.get_one(IncidentRow, alarm.incident_id)
    known.ended_at = None
    if ledger.is_most_urgent(session, known, condition):
        known.kind, known.title = condition.kind, condition.title
        known.confidence = condition.confidence
        known.priority = int(condition.priority)
    return known


def _incident_again(alarm: Alarm, at: datetime) -> Incident:
    return Incident(
        incident_id=alarm.incident_id,
        kind=alarm.kind,
        title=alarm.title,
        source_kind=alarm.source_kind,
        source_id=alarm.source_id,
        source_name=alarm.source_name,
        status=IncidentStatus.NEW,
        began_at=at,
        opened_at=at,
        position=alarm.position,
        priority=alarm.priority,
    )


def _incident(incident_id: str, raising: Raising) -> Incident:
    condition, evidence = raising.condition, raising.evidence
    return Incident(
        incident_id=incident_id,
        kind=condition.kind,
        title=condition.title,
        source_kind=condition.source_kind,
        source_id=condition.source_id,
        source_name=condition.source_name,
        status=IncidentStatus.NEW,
        began_at=condition.began_at or raising.at,
        opened_at=raising.at,
        position=condition.position,
        priority=condition.priority,
        snapshot_path="" if evidence is None else evidence.path,
        snapshot_sha256="" if evidence is None else evidence.sha256,
    )
