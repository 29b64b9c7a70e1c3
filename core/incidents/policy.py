"""Which conditions call an operator, and how urgently: data first, small functions that fill it in."""

from __future__ import annotations

from dataclasses import dataclass

from core.incidents.model import Condition, Priority, SourceKind
from core.kernel.geo import GeoPoint
from core.vision.model import Observation, ObservationKind


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """How a condition appears in the list; `title` may name {where}, the zone or the source."""

    priority: Priority
    title: str


OBSERVATION_RULES: dict[ObservationKind, AlarmRule] = {
    ObservationKind.CONGESTION: AlarmRule(Priority.MEDIUM, "Congestion in {where}"),
    ObservationKind.STOPPED_VEHICLE: AlarmRule(Priority.HIGH, "Stopped vehicle in {where}"),
    ObservationKind.VEHICLE_IN_ZONE: AlarmRule(Priority.HIGH, "Vehicle in {where}"),
}
"""Crossings and entries are counted, not alarmed: they are not here."""

SOURCE_RULES: dict[str, AlarmRule] = {
    "camera_lost": AlarmRule(Priority.MEDIUM, "Camera lost: {where}"),
    "station_congestion": AlarmRule(Priority.MEDIUM, "Congestion at {where}"),
    "device_lost": AlarmRule(Priority.LOW, "Device lost: {where}"),
}

SYSTEM_RULES: dict[str, AlarmRule] = {
    "database": AlarmRule(Priority.CRITICAL, "The database does not store"),
    "disk": AlarmRule(Priority.CRITICAL, "The disk is full"),
    "evidence": AlarmRule(Priority.HIGH, "Snapshots cannot be stored"),
    "broker": AlarmRule(Priority.HIGH, "No link to the field devices"),
    "worker": AlarmRule(Priority.HIGH, "Detection does not run"),
    "model": AlarmRule(Priority.HIGH, "The detection model cannot be used"),
    "overflow": AlarmRule(Priority.HIGH, "Messages were dropped"),
    "settings": AlarmRule(Priority.HIGH, "A setting cannot be used"),
}


def key_of_observation(observation: Observation) -> str:
    """Return the condition key that an observation begins or ends."""
    return f"camera/{observation.camera_id}/{observation.condition_key}"


def condition_of_observation(
    observation: Observation, *, camera_name: str, position: GeoPoint | None
) -> Condition | None:
    """Return what an observation means for the operator; None where it is only counted."""
    rule = OBSERVATION_RULES.get(observation.kind)
    if rule is None:
        return None
    return Condition(
        condition_key=key_of_observation(observation),
        kind=observation.kind.value,
        title=rule.title.format(where=observation.rule_name or observation.rule_key),
        detail=describe_values(observation.values),
        # A car that stood there before anybody looked is hardly an emergency.
        priority=Priority.LOW if observation.values.get("was_parked") else rule.priority,
        source_kind=SourceKind.CAMERA,
        source_id=observation.camera_id,
        source_name=camera_name,
        position=position,
        began_at=observation.captured_at,
    )


def condition_of_source(
    kind: str,
    *,
    source_kind: SourceKind,
    source_id: str,
    source_name: str,
    detail: str = "",
    position: GeoPoint | None = None,
) -> Condition:
    """Return the condition of a lost or troubled source; `kind` is a key of `SOURCE_RULES`."""
    rule = SOURCE_RULES[kind]
    return Condition(
        condition_key=f"{source_kind}/{source_id}/{kind}",
        kind=kind,
        title=rule.title.format(where=source_name),
        detail=detail,
        priority=rule.priority,
        source_kind=source_kind,
        source_id=source_id,
        source_name=source_name,
        position=position,
    )


def condition_of_system(kind: str, *, detail: str, part: str = "") -> Condition:
    """Return the condition of a fault of the room itself; `kind` is a key of `SYSTEM_RULES`.

    Two faults of the same kind are two alarms where they name different parts, e.g. two workers.
    """
    rule = SYSTEM_RULES[kind]
    return Condition(
        condition_key=f"system/{kind}" + (f":{part}" if part else ""),
        kind=kind,
        title=rule.title,
        detail=detail,
        priority=rule.priority,
        source_kind=SourceKind.SYSTEM,
        source_id=part or kind,
        source_name="Watchfloor",
    )


def describe_values(values: dict[str, float]) -> str:
    """Say a rule's figures in words; figures without words are left out."""
    parts = []
    if "n_vehicles" in values:
        n_vehicles = round(values["n_vehicles"])
        parts.append(f"{n_vehicles} vehicle" + ("" if n_vehicles == 1 else "s"))
    if "density" in values:
        parts.append(f"{values['density']:.0%} full")
    if "speed_ratio" in values:
        parts.append(f"{values['speed_ratio']:.0%} of free flow")
    if "standing_s" in values:
        parts.append(f"standing for {values['standing_s']:.0f} s")
    return ", ".join(parts)
