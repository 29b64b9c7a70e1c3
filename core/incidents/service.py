"""Conditions become incidents and alarms, operators acknowledge them; stored first, published second."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import SYSTEM, Actor, Role
from core.access.permission import require
from core.field.model import Device, DeviceState
from core.incidents import ledger, machine, policy
from core.incidents.events import Acknowledged, Commented, QualityChanged, Raised, Returned
from core.incidents.evidence import Evidence, discard_snapshot, load_snapshot, save_snapshot
from core.incidents.model import (
    Alarm,
    AlarmChanged,
    Condition,
    Incident,
    IncidentChanged,
    IncidentStatus,
    JournalEntry,
    Quality,
    Snapshot,
    SourceKind,
)
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, StaleWriteError, UnavailableError
from core.kernel.geo import GeoPoint
from core.kernel.ids import new_id
from core.store.engine import Store
from core.store.rows import place, storable
from core.store.tables import AlarmRow, IncidentRow, ObservationRow
from core.vision.model import Observation, Phase

log = logging.getLogger(__name__)

MAX_ROWS = 2000
_SILENT = {
    DeviceState.LOST: "Its connection to the broker broke.",
    DeviceState.STALE: "It has been silent for longer than its kind may be.",
}
MAX_COMMENT_LENGTH = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changed:
    """What a transaction changed, to be published after its commit.

    Attributes:
        answer: The alarm that was asked about, changed or not.
        followed: The incident that a sighting joined without a call of its own.
        is_known: It was stored before, by a try whose answer got lost.
    """

    answer: Alarm | None = None
    alarms: tuple[Alarm, ...] = ()
    incidents: tuple[Incident, ...] = ()
    used_evidence: bool = False
    followed: str = ""
    is_known: bool = False


class IncidentService:
    """The one place where alarms change.

    Threads: all calls come from the owner's loop.
    """

    def __init__(self, store: Store, bus: Bus, clock: Clock, *, evidence: Path) -> None:
        """Keep snapshots in the folder `evidence`."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._evidence = evidence
        self._keeps_pictures: bool | None = None
        self._following: dict[str, tuple[str, Condition]] = {}
        """Conditions that hold behind a call of the same event: the incident and the condition, by its key."""

    async def start(self) -> tuple[Alarm, ...]:
        """Return every condition that was active when the node ended.

        The rules begin anew and raise again what still holds; of the rest nobody would ever hear the end.
        """
        at = self._clock.now()

        def run(session: Session) -> _Changed:
            keys = session.scalars(select(AlarmRow.condition_key).where(AlarmRow.is_active)).all()
            return _joined(self._return(session, key, at) for key in keys)

        return (await self._commit(run)).alarms

    async def raise_condition(self, condition: Condition, snapshot: Snapshot | None = None) -> Alarm:
        """Open an alarm for a condition, or note that it holds again; one that holds already is left alone.

        Returns:
            The open alarm of the condition, as stored.
        """
        evidence, condition = await self._keep_picture(condition, snapshot, name=new_id())
        changed = await self._commit(lambda s: self._raise(s, condition, evidence), evidence)
        assert changed.answer is not None
        return changed.answer

    async def return_condition(self, condition_key: str) -> Alarm | None:
        """Note that a condition is over.

        Returns:
            The alarm; None where no alarm of it was active.
        """
        at = self._clock.now()
        return (await self._commit(lambda s: self._return(s, condition_key, at))).answer

    async def return_missing(
        self, source_kind: SourceKind, source_id: str, still_active: Iterable[str] = ()
    ) -> tuple[Alarm, ...]:
        """Return every active condition of a source that is not among `still_active`.

        For a source whose rules began anew (a worker restarted) or that was removed: no end will ever come for what
        they had begun.
        """
        kept = frozenset(still_active)
        for key, (_, condition) in tuple(self._following.items()):
            if (condition.source_kind, condition.source_id) == (source_kind, source_id) and key not in kept:
                del self._following[key]
        at = self._clock.now()

        def run(session: Session) -> _Changed:
            query = select(AlarmRow.condition_key).where(
                AlarmRow.source_kind == source_kind.value, AlarmRow.source_id == source_id, AlarmRow.is_active
            )
            return _joined(self._return(session, key, at) for key in session.scalars(query).all() if key not in kept)

        returned = (await self._commit(run)).alarms
        await self._call_all_waiting()
        return returned

    async def take_observation(
        self,
        observation: Observation,
        *,
        camera_name: str,
        position: GeoPoint | None = None,
        snapshot: Snapshot | None = None,
        call_from: float = 0.0,
    ) -> Alarm | None:
        """Store what a scene rule saw and raise or return its alarm in the same transaction.

        The same observation twice changes nothing. Another sighting of an event that calls already joins its incident,
        and calls only where it is more than what is known; it calls later if the other one ends before it.

        Args:
            observation: What was seen.
            camera_name: For the list.
            position: Where, as far as it is known.
            snapshot: The picture of it.
            call_from: Confidence below which it is stored and nobody is called.

        Returns:
            The alarm it changed; None where it is only counted or was known already.
        """
        condition = policy.condition_of_observation(
            observation, camera_name=camera_name, position=position, call_from=call_from
        )
        evidence: Evidence | None = None
        if condition is not None and observation.phase is not Phase.END:
            evidence, condition = await self._keep_picture(condition, snapshot, name=observation.observation_id)
        at = self._clock.now()

        def run(session: Session) -> _Changed:
            known = session.get(ObservationRow, observation.observation_id)
            if known is not None:
                return _Changed(is_known=True, used_evidence=_names(session, known.incident_id, evidence))
            row = _observation_row(observation)
            session.add(row)
            session.flush()
            if condition is None:
                return _Changed()
            if observation.phase is Phase.END:
                return self._return(session, condition.condition_key, at)
            event = ledger.find_event(session, observation, position)
            if event is not None and not ledger.needs_own_call(session, event, condition):
                row.incident_id = event
                return _Changed(followed=event)
            changed = self._raise(session, condition, evidence, event)
            row.incident_id = None if changed.answer is None else changed.answer.incident_id
            if observation.phase is Phase.INSTANT:
                ended = self._return(session, condition.condition_key, at)
                return replace(ended, used_evidence=changed.used_evidence)
            return changed

        changed = await self._commit(run, evidence)
        if condition is not None:
            await self._follow(condition, changed, has_ended=observation.phase is Phase.END)
        return changed.answer if changed.alarms else None

    async def _follow(self, condition: Condition, changed: _Changed, *, has_ended: bool) -> None:
        """Remember a condition that stands behind another one of its event, and call it when that one has ended."""
        if changed.is_known:
            # An earlier try stored it, and may have broken off before the next one was called.
            if has_ended:
                self._following.pop(condition.condition_key, None)
                await self._call_all_waiting()
            return
        if changed.followed:
            self._following[condition.condition_key] = (changed.followed, condition)
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

        def run(session: Session) -> _Changed:
            if not ledger.needs_own_call(session, incident_id, condition):
                return _Changed()
            return self._raise(session, condition, None, incident_id)

        if (await self._commit(run)).alarms:
            self._following.pop(condition.condition_key, None)

    async def take_device_state(self, device: Device) -> Alarm | None:
        """Raise or return the alarm that a device is lost.

        A goodbye is no loss, and a device that was disabled calls nobody.
        """
        condition = policy.condition_of_source(
            "device_lost",
            source_kind=SourceKind.DEVICE,
            source_id=device.device_id,
            source_name=device.name,
            detail=_SILENT.get(device.state, ""),
            position=device.position,
        )
        if device.is_enabled and device.state in _SILENT:
            return await self.raise_condition(condition)
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
            BadInputError: There is no such alarm.
        """
        require(actor, Role.OPERATOR)
        comment = storable(comment).strip()[:MAX_COMMENT_LENGTH]
        at = self._clock.now()

        def run(session: Session) -> _Changed:
            row = session.get(AlarmRow, alarm_id)
            if row is None:
                raise BadInputError("There is no such alarm any more.", hint="Look at the list again.")
            if row.is_acknowledged and row.occurrence == occurrence:
                if (row.acknowledged_by, row.acknowledged_desk) == (actor.name, actor.desk):
                    return _Changed(answer=ledger.alarm_of(row))
                raise StaleWriteError(_who_was_faster(row, at), hint="Nothing more is needed.")
            if row.occurrence != occurrence or ledger.called_since(session, alarm_id, expect_version):
                raise StaleWriteError(
                    f"{row.title} called again since you looked at it.", hint="Look at it once more, then acknowledge."
                )
            event = Acknowledged(at=at, occurrence=occurrence, by=actor.name, desk=actor.desk, comment=comment)
            transition = ledger.record(session, row, event, actor)
            assert transition is not None
            subject = f"{transition.alarm.title} ({alarm_id})"
            audit.append(session, actor, action="alarm.acknowledge", subject=subject, detail=comment, at=at)
            return _Changed(answer=transition.alarm, alarms=(transition.alarm,))

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
        text = storable(comment).strip()[:MAX_COMMENT_LENGTH]
        if not text:
            raise BadInputError("The comment is empty.", hint="Write what the next operator should know.")
        at = self._clock.now()

        def run(session: Session) -> _Changed:
            row = session.get(AlarmRow, alarm_id)
            if row is None or not row.is_open:
                raise BadInputError("There is no such alarm any more.", hint="Look at the list again.")
            transition = ledger.record(session, row, Commented(at=at, comment=text), actor)
            assert transition is not None
            subject = f"{transition.alarm.title} ({alarm_id})"
            audit.append(session, actor, action="alarm.comment", subject=subject, detail=text, at=at)
            return _Changed(answer=transition.alarm, alarms=(transition.alarm,))

        changed = await self._commit(run)
        assert changed.answer is not None
        return changed.answer

    async def set_quality(self, source_kind: SourceKind, source_id: str, quality: Quality) -> tuple[Alarm, ...]:
        """Mark the open alarms of a source as doubtful while it is lost; their states stay as last known."""
        at = self._clock.now()

        def run(session: Session) -> _Changed:
            query = select(AlarmRow).where(
                AlarmRow.is_open, AlarmRow.source_kind == source_kind.value, AlarmRow.source_id == source_id
            )
            # Not the alarm that says that the source is lost: that one is certain.
            rows = [row for row in session.scalars(query).all() if not row.kind.endswith("_lost")]
            found = [ledger.record(session, row, QualityChanged(at=at, quality=quality), SYSTEM) for row in rows]
            return _Changed(alarms=tuple(one.alarm for one in found if one is not None))

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
        query = select(func.count()).select_from(AlarmRow).where(AlarmRow.is_open, ~AlarmRow.is_acknowledged)
        return await self._store.read(lambda s: s.scalar(query) or 0)

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

    async def snapshot_bytes(self, incident_id: str) -> bytes:
        """Return an incident's picture; empty where it has none.

        Raises:
            BadInputError: There is no such incident, or the picture is gone or was changed.
        """
        incident = await self.get_incident(incident_id)
        if incident is None:
            raise BadInputError("There is no such incident.", hint="Look at the list again.")
        if not incident.snapshot_path:
            return b""
        return await asyncio.to_thread(
            load_snapshot, self._evidence, path=incident.snapshot_path, sha256=incident.snapshot_sha256
        )

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

    def _raise(
        self, session: Session, condition: Condition, evidence: Evidence | None, event_id: str | None = None
    ) -> _Changed:
        """Raise an alarm, on the incident `event_id` where the condition belongs to one that is known."""
        at = self._clock.now()
        condition = _storable_condition(condition)
        row = ledger.find_open(session, condition.condition_key)
        before = None if row is None else ledger.alarm_of(row)
        event = Raised(
            at=at, condition=condition, alarm_id=new_id(), occurrence=new_id(), incident_id=event_id or new_id()
        )
        after = machine.apply(before, event)
        assert after is not None
        if after is before:
            return _Changed(answer=after)
        # The alarm names its incident, so the incident has to be there first.
        known = session.get(IncidentRow, after.incident_id)
        if known is None:
            incident = _incident_row(after.incident_id, condition, at)
            session.add(incident)
        else:
            incident = known
            incident.ended_at = None
            if ledger.is_most_urgent(session, incident, condition):
                incident.kind, incident.title = condition.kind, condition.title
                incident.confidence = condition.confidence
                incident.priority = int(condition.priority)
        takes_picture = evidence is not None and not incident.snapshot_path
        if evidence is not None and takes_picture:
            incident.snapshot_path, incident.snapshot_sha256 = evidence.path, evidence.sha256
        session.flush()
        transition = ledger.record(session, row, event, SYSTEM)
        assert transition is not None
        audit.append(
            session,
            SYSTEM,
            action="alarm.raise",
            subject=f"{after.title} ({after.alarm_id})",
            detail=f"{transition.trigger}, {after.priority.name.lower()}, {after.source_name}",
            at=at,
        )
        return _Changed(
            answer=transition.alarm,
            alarms=(transition.alarm,),
            incidents=(ledger.incident_of(incident),),
            used_evidence=takes_picture,
        )

    def _return(self, session: Session, condition_key: str, at: datetime) -> _Changed:
        row = ledger.find_open(session, storable(condition_key))
        transition = None if row is None else ledger.record(session, row, Returned(at=at), SYSTEM)
        if transition is None:
            return _Changed()
        incident = session.get_one(IncidentRow, transition.alarm.incident_id)
        if not ledger.active_alarms(session, incident.incident_id):
            incident.ended_at = at
        session.flush()
        return _Changed(answer=transition.alarm, alarms=(transition.alarm,), incidents=(ledger.incident_of(incident),))

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

    async def _commit(self, run: Callable[[Session], _Changed], evidence: Evidence | None = None) -> _Changed:
        """Write, publish, and remove a picture that turned out not to be needed."""
        changed = await self._store.write(run)
        self._publish(changed)
        if evidence is not None and not changed.used_evidence:
            await asyncio.to_thread(discard_snapshot, self._evidence, evidence)
        return changed

    def _publish(self, changed: _Changed) -> None:
        for incident in changed.incidents:
            self._bus.publish(IncidentChanged(incident=incident))
        for alarm in changed.alarms:
            self._bus.publish(AlarmChanged(alarm=alarm))


def _names(session: Session, incident_id: str | None, evidence: Evidence | None) -> bool:
    incident = None if incident_id is None else session.get(IncidentRow, incident_id)
    return incident is not None and evidence is not None and incident.snapshot_path == evidence.path


def _joined(changes: Iterable[_Changed]) -> _Changed:
    parts = list(changes)
    return _Changed(
        alarms=tuple(alarm for part in parts for alarm in part.alarms),
        incidents=tuple(incident for part in parts for incident in part.incidents),
    )


def _storable_condition(condition: Condition) -> Condition:
    # The journal keeps the whole event as JSON, and names come from devices and from people.
    return replace(
        condition,
        condition_key=storable(condition.condition_key),
        title=storable(condition.title),
        detail=storable(condition.detail),
        source_id=storable(condition.source_id),
        source_name=storable(condition.source_name),
    )


def _incident_row(incident_id: str, condition: Condition, at: datetime) -> IncidentRow:
    row = IncidentRow(
        incident_id=incident_id,
        kind=condition.kind,
        title=condition.title,
        source_kind=condition.source_kind.value,
        source_id=condition.source_id,
        source_name=condition.source_name,
        status=IncidentStatus.NEW.value,
        began_at=condition.began_at or at,
        opened_at=at,
        priority=int(condition.priority),
        confidence=condition.confidence,
        snapshot_path="",
        snapshot_sha256="",
    )
    place(row, condition.position)
    return row


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
    )


def _who_was_faster(row: AlarmRow, at: datetime) -> str:
    seconds = (at - row.acknowledged_at).total_seconds() if row.acknowledged_at is not None else 0.0
    ago = f"{max(0.0, seconds):.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"
    desk = f" at {row.acknowledged_desk}" if row.acknowledged_desk else ""
    return f"{row.acknowledged_by}{desk} acknowledged {row.title} {ago}."


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_ROWS))
