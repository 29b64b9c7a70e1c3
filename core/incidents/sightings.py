"""Sightings in rows: which incident they belong to, and where what is doubtful now was seen last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from core.incidents import ledger, same_event
from core.incidents.doubt import Doubtful
from core.incidents.machine import SAME_OCCURRENCE_S
from core.incidents.model import Condition, SourceKind
from core.incidents.policy import key_at, key_of_observation
from core.incidents.same_event import Seen, View
from core.store.rows import position_of
from core.store.tables import AlarmRow, CameraRow, IncidentRow, ObservationRow
from core.vision.model import BBox, Observation, ObservationKind, Phase

MAX_SIGHTINGS = 500


def find_event(session: Session, observation: Observation, view: View | None, behind: Mapping[str, str]) -> str | None:
    """Return the incident that an observation is another sighting of; None where it is the first.

    A condition whose alarm is open keeps to its own incident as long as it is the same occurrence. An incident that is
    closed is the answer only where no open one is: it takes in what calls nobody, and no new call
    (`ledger.open_incident`).

    Args:
        session: Of the store.
        observation: What began.
        view: Of its camera; None where nobody placed it.
        behind: Incidents of conditions that hold behind the call of another one, by condition key.
    """
    own = ledger.find_open(session, key_of_observation(observation))
    is_own = own is not None and _is_same_occurrence(own, observation)
    if own is not None and is_own and not ledger.is_incident_closed(session, own):
        return own.incident_id
    holding = {**behind, **_active(session)}
    known = {row.observation_id: (row, True) for row in _begun(session, holding)}
    for row in _lately(session, observation):
        known.setdefault(row.observation_id, (row, False))
    new = Seen(
        incident_id="",
        camera_id=observation.camera_id,
        kind=observation.kind,
        rule_key=observation.rule_key,
        at=observation.captured_at,
        bbox_xyxy=observation.bbox_xyxy,
        position=observation.position,
        view=view,
    )
    others = {row.camera_id for row, _ in known.values()} - {observation.camera_id}
    views = _views(session, others)
    seen = [_seen(session, row, views.get(row.camera_id), holds=holds) for row, holds in known.values()]
    left_open = {one for one in {known.incident_id for known in seen} if ledger.open_incident(session, one) is not None}
    found = same_event.find_event(new, (one for one in seen if one.incident_id in left_open))
    if found is None and own is not None and is_own:
        return own.incident_id
    return found or same_event.find_event(new, seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What holds behind the call of another one of its event."""

    incident_id: str
    seen: Observation
    camera_name: str
    view: View | None


def all_behind(session: Session) -> list[Behind]:
    """Return what holds behind calls as far as it is stored: it began, joined an incident that calls, and never ended.

    Of cameras that are gone nothing is returned.
    """
    rows = _rows_behind(session, _active(session))
    ids = sorted({row.camera_id for row in rows})
    query = select(CameraRow.camera_id, CameraRow.name).where(CameraRow.camera_id.in_(ids))
    names = {row.camera_id: row.name for row in session.execute(query)}
    views = _views(session, ids)
    return [
        Behind(
            incident_id=row.incident_id or "",
            seen=_observation_of(row),
            camera_name=names[row.camera_id],
            view=views.get(row.camera_id),
        )
        for row in rows
        if row.camera_id in names
    ]


def move_call(session: Session, condition_key: str, left_id: str, incident_id: str) -> None:
    """Let what was seen of a call that left its incident go with it, and what holds behind it as well."""
    last = _begun(session, {condition_key: left_id})[:1]
    for row in (*last, *_rows_behind(session, {condition_key: left_id})):
        row.incident_id = incident_id
    session.flush()


def _rows_behind(session: Session, calling: Mapping[str, str]) -> list[ObservationRow]:
    """Return how what holds behind calls began.

    Args:
        session: Of the store.
        calling: Incident of each condition that calls, by its key.
    """
    if not calling:
        return []
    query = (
        select(ObservationRow)
        .where(ObservationRow.incident_id.in_(sorted(set(calling.values()))))
        .where(ObservationRow.phase == Phase.BEGIN.value)
        .order_by(ObservationRow.captured_at.desc(), ObservationRow.observation_id.desc())
        .limit(MAX_SIGHTINGS)
    )
    last: dict[str, ObservationRow] = {}
    for row in session.scalars(query):
        last.setdefault(key_at(row.camera_id, row.condition_key), row)
    return [row for key, row in last.items() if not _has_called(session, key, row) and not _has_ended(session, row)]


def _has_called(session: Session, condition_key: str, row: ObservationRow) -> bool:
    is_it = exists().where(AlarmRow.condition_key == condition_key, AlarmRow.incident_id == row.incident_id)
    return bool(session.scalar(select(is_it.where(or_(AlarmRow.is_active, AlarmRow.returned_at >= row.captured_at)))))


def _has_ended(session: Session, row: ObservationRow) -> bool:
    is_end = exists().where(
        ObservationRow.camera_id == row.camera_id,
        ObservationRow.captured_at >= row.captured_at,
        ObservationRow.condition_key == row.condition_key,
        ObservationRow.phase == Phase.END.value,
    )
    return bool(session.scalar(select(is_end)))


def _observation_of(row: ObservationRow) -> Observation:
    return Observation(
        observation_id=row.observation_id,
        camera_id=row.camera_id,
        kind=ObservationKind(row.kind),
        phase=Phase(row.phase),
        rule_key=row.rule_key,
        rule_name=row.rule_name,
        condition_key=row.condition_key,
        pts_s=row.pts_s,
        captured_at=row.captured_at,
        label=row.label,
        direction=row.direction,
        track_id=row.track_id,
        bbox_xyxy=_box_of(row),
        confidence=row.confidence,
        values=dict(row.values),
        position=position_of(row),
    )


def _is_same_occurrence(alarm: AlarmRow, observation: Observation) -> bool:
    since = alarm.returned_at
    return since is None or observation.captured_at - since <= timedelta(seconds=SAME_OCCURRENCE_S)


def _active(session: Session) -> dict[str, str]:
    """Return the incident of every condition of a camera that calls, or called, and holds."""
    query = select(AlarmRow.condition_key, AlarmRow.incident_id).where(
        AlarmRow.is_open,
        AlarmRow.is_active,
        AlarmRow.kind.in_(sorted(kind.value for kind in same_event.ON_THE_ROAD)),
    )
    return {row.condition_key: row.incident_id for row in session.execute(query)}


def _lately(session: Session, observation: Observation) -> Iterable[ObservationRow]:
    """Return sightings of about the same time that belong to an incident, the newest first."""
    query = (
        select(ObservationRow)
        .where(ObservationRow.captured_at >= observation.captured_at - same_event.SAME_PLACE)
        .where(ObservationRow.captured_at <= observation.captured_at + same_event.SAME_PLACE)
        .where(ObservationRow.incident_id.is_not(None))
        .order_by(ObservationRow.captured_at.desc(), ObservationRow.observation_id.desc())
        .limit(MAX_SIGHTINGS)
    )
    return session.scalars(query)


def _views(session: Session, camera_ids: Iterable[str]) -> dict[str, View]:
    """Return where cameras stand and look, of those that somebody placed."""
    query = select(CameraRow).where(CameraRow.camera_id.in_(sorted(camera_ids)))
    return {
        row.camera_id: View(position=at, heading_deg=row.heading_deg, view_angle_deg=row.view_angle_deg)
        for row in session.scalars(query)
        if (at := position_of(row)) is not None
    }


def _seen(session: Session, row: ObservationRow, view: View | None, *, holds: bool) -> Seen:
    assert row.incident_id is not None
    if view is None:
        # Its camera is gone: where it stood is known, and not where it looked.
        incident = session.get(IncidentRow, row.incident_id)
        at = None if incident is None else position_of(incident)
        view = None if at is None else View(position=at)
    return Seen(
        incident_id=row.incident_id,
        camera_id=row.camera_id,
        kind=ObservationKind(row.kind),
        rule_key=row.rule_key,
        at=row.captured_at,
        bbox_xyxy=_box_of(row),
        holds=holds,
        position=position_of(row),
        view=view,
    )


def doubtful_of(session: Session, *which: ColumnElement[bool]) -> list[tuple[Doubtful, str]]:
    """Return the alarms that are meant, each with where its condition was seen last, and its rule."""
    alarms = session.scalars(select(AlarmRow).where(*which)).all()
    holding = {row.condition_key: row.incident_id for row in alarms if row.source_kind == SourceKind.CAMERA}
    last: dict[str, ObservationRow] = {}
    for seen in _begun(session, holding):
        last.setdefault(key_at(seen.camera_id, seen.condition_key), seen)
    return [(_doubtful(row, last.get(row.condition_key)), row.rule_id) for row in alarms]


def doubtful_behind(session: Session, holding: Mapping[str, Condition]) -> list[Doubtful]:
    """Return what holds behind calls, by its key, each with where it was seen last."""
    last: dict[str, ObservationRow] = {}
    for row in _rows_behind(session, _active(session)):
        last[key_at(row.camera_id, row.condition_key)] = row
    return [_doubtful(condition, last.get(key)) for key, condition in holding.items()]


def _doubtful(alarm: AlarmRow | Condition, seen: ObservationRow | None) -> Doubtful:
    return Doubtful(
        condition_key=alarm.condition_key,
        kind=alarm.kind,
        source_kind=SourceKind(alarm.source_kind),
        source_id=alarm.source_id,
        rule_key="" if seen is None else seen.rule_key,
        seen_at=None if seen is None else seen.captured_at,
        bbox_xyxy=None if seen is None else _box_of(seen),
    )


def _begun(session: Session, holding: Mapping[str, str]) -> list[ObservationRow]:
    """Return how conditions that hold began, the newest first.

    Args:
        session: Of the store.
        holding: Incident of each condition, by its key.
    """
    if not holding:
        return []
    query = (
        select(ObservationRow)
        .where(ObservationRow.incident_id.in_(sorted(set(holding.values()))))
        .where(ObservationRow.phase == Phase.BEGIN.value)
        .order_by(ObservationRow.captured_at.desc(), ObservationRow.observation_id.desc())
        .limit(MAX_SIGHTINGS)
    )
    rows = session.scalars(query)
    return [row for row in rows if holding.get(key_at(row.camera_id, row.condition_key)) == row.incident_id]


def _box_of(row: ObservationRow) -> BBox | None:
    if row.bbox_xyxy is None:
        return None
    x1, y1, x2, y2 = row.bbox_xyxy
    return x1, y1, x2, y2
