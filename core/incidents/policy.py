"""Which conditions call an operator, and how urgently: data first, small functions that fill it in."""

from __future__ import annotations

from dataclasses import dataclass

from core.incidents.model import Condition, Priority, SourceKind
from core.incidents.same_event import AT_THE_CAMERA
from core.kernel.geo import GeoPoint
from core.vision.model import WHOLE_PICTURE_KEY, Observation, ObservationKind, Phase, Scene
from core.vision.tuning import Tuning


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """How a condition appears in the list; `title` may name {where}, the zone or the source."""

    priority: Priority
    title: str


OBSERVATION_RULES: dict[ObservationKind, AlarmRule] = {
    ObservationKind.CONGESTION: AlarmRule(Priority.MEDIUM, "Congestion in {where}"),
    ObservationKind.STOPPED_VEHICLE: AlarmRule(Priority.HIGH, "Stopped vehicle in {where}"),
    ObservationKind.VEHICLE_IN_ZONE: AlarmRule(Priority.HIGH, "Vehicle in {where}"),
    ObservationKind.COLLISION: AlarmRule(Priority.CRITICAL, "Collision: {where}"),
    ObservationKind.WRONG_WAY: AlarmRule(Priority.CRITICAL, "Wrong way: {where}"),
    ObservationKind.PEDESTRIAN: AlarmRule(Priority.HIGH, "Person on the carriageway: {where}"),
    ObservationKind.OBJECT_LEFT: AlarmRule(Priority.HIGH, "Object lies in {where}"),
    ObservationKind.LOITERING: AlarmRule(Priority.MEDIUM, "Loitering in {where}"),
    ObservationKind.CAMERA_MOVED: AlarmRule(Priority.MEDIUM, "Camera moved: {where}"),
    ObservationKind.CAMERA_BLINDED: AlarmRule(Priority.MEDIUM, "Camera blinded: {where}"),
    # Worse than a lost camera: it looks as if it worked.
    ObservationKind.CAMERA_FROZEN: AlarmRule(Priority.HIGH, "Picture frozen: {where}"),
}
"""Crossings and entries are counted, not alarmed: they are not here."""

CAUSES = {
    "dark": "the picture is dark",
    "dazzled": "light blinds the camera",
    "covered": "the lens is covered",
    "soft": "the picture is out of focus",
}
"""Why a camera is blind, by the name of the rule's figure."""

SOURCE_RULES: dict[str, AlarmRule] = {
    "camera_lost": AlarmRule(Priority.MEDIUM, "Camera lost: {where}"),
    "station_congestion": AlarmRule(Priority.MEDIUM, "Congestion at {where}"),
    "device_lost": AlarmRule(Priority.LOW, "Device lost: {where}"),
    "device_clock": AlarmRule(Priority.LOW, "Clock wrong: {where}"),
    "device_value": AlarmRule(Priority.LOW, "Limit passed: {where}"),
    "device_overflow": AlarmRule(Priority.LOW, "Device gave up data: {where}"),
}

SYSTEM_RULES: dict[str, AlarmRule] = {
    "database": AlarmRule(Priority.CRITICAL, "The database does not store"),
    "disk": AlarmRule(Priority.CRITICAL, "The disk is full"),
    "evidence": AlarmRule(Priority.HIGH, "Snapshots cannot be stored"),
    "broker": AlarmRule(Priority.HIGH, "No link to the field devices"),
    "worker": AlarmRule(Priority.HIGH, "Detection does not run"),
    "model": AlarmRule(Priority.HIGH, "The detection model cannot be used"),
    "overflow": AlarmRule(Priority.HIGH, "Messages were dropped"),
    "sound": AlarmRule(Priority.HIGH, "Alarms are not heard"),
    "settings": AlarmRule(Priority.HIGH, "A setting cannot be used"),
}


def key_of_observation(observation: Observation) -> str:
    """Return the condition key that an observation begins or ends."""
    return f"camera/{observation.camera_id}/{observation.condition_key}"


def call_from(kind: ObservationKind, scene: Scene) -> float:
    """Return the confidence from which a rule calls the operator on a camera; 0 where that cannot be tuned."""
    try:
        return Tuning(scene).value(kind, "call_from")
    except KeyError:
        return 0.0


def condition_of_observation(
    observation: Observation, *, camera_name: str, position: GeoPoint | None, call_from: float = 0.0
) -> Condition | None:
    """Return what an observation means for the operator; None where it is only counted, or the rule not sure enough.

    An end is always a condition: it takes back what was called, whatever it was sure of.
    """
    rule = OBSERVATION_RULES.get(observation.kind)
    if rule is None or (observation.phase is not Phase.END and observation.confidence < call_from):
        return None
    is_of_place = observation.kind not in AT_THE_CAMERA and observation.rule_key != WHOLE_PICTURE_KEY
    where = observation.rule_name or observation.rule_key if is_of_place else camera_name
    detail = describe_values(observation.values)
    if observation.confidence < 1.0:
        detail = f"{detail}{', ' if detail else ''}{observation.confidence:.0%} sure"
    return Condition(
        condition_key=key_of_observation(observation),
        kind=observation.kind.value,
        title=rule.title.format(where=where),
        detail=detail,
        # A car that stood there before anybody looked is hardly an emergency.
        priority=Priority.LOW if observation.values.get("was_parked") else rule.priority,
        source_kind=SourceKind.CAMERA,
        source_id=observation.camera_id,
        source_name=camera_name,
        position=position,
        began_at=observation.captured_at,
        confidence=observation.confidence,
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
    if "n_people" in values:
        n_people = round(values["n_people"])
        parts.append("1 person" if n_people == 1 else f"{n_people} people")
    if "lengths" in values:
        parts.append(f"{values['lengths']:.0f} vehicle lengths")
    if "dwell_s" in values:
        parts.append(f"there for {values['dwell_s']:.0f} s")
    if "shift" in values:
        parts.append(f"by {values['shift']:.0%} of the picture's width")
    parts += [words for name, words in CAUSES.items() if values.get(name)]
    return ", ".join(parts)
