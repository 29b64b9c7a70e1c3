"""What becomes a condition, in words; how urgent it is and what else it follows stands in the alarm rules."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from core.incidents.model import Condition, Priority, SourceKind, kind_words
from core.incidents.rules.book import RuleBook, shipped_book
from core.kernel.geo import GeoPoint
from core.vision.model import AT_THE_CAMERA, WHOLE_PICTURE_KEY, Observation, ObservationKind, Phase, Scene
from core.vision.tuning import Tuning

CALLING_KINDS = frozenset(
    {
        ObservationKind.CONGESTION,
        ObservationKind.STOPPED_VEHICLE,
        ObservationKind.VEHICLE_IN_ZONE,
        ObservationKind.COLLISION,
        ObservationKind.WRONG_WAY,
        ObservationKind.PEDESTRIAN,
        ObservationKind.OBJECT_LEFT,
        ObservationKind.LOITERING,
        ObservationKind.CAMERA_MOVED,
        ObservationKind.CAMERA_BLINDED,
        ObservationKind.CAMERA_FROZEN,
    }
)
"""Crossings and entries are counted, not alarmed: they are not here."""

SOURCE_LOST = frozenset(
    {"camera_lost", "device_lost", "gateway_lost", "devices_lost", "drone_link_lost", "drone_missing"}
)
"""They say that a source is lost, and are certain as long as it is; any other alarm of it is the last one known."""

WAS_PARKED = "was_parked"
"""Tag of a vehicle that stood there before anybody looked."""

CAUSES = {
    "dark": "the picture is dark",
    "dazzled": "light blinds the camera",
    "covered": "the lens is covered",
    "soft": "the picture is out of focus",
}
"""Why a camera is blind, by the name of the rule's figure."""


def key_of_observation(observation: Observation) -> str:
    """Return the condition key that an observation begins or ends."""
    return key_at(observation.camera_id, observation.condition_key)


def key_at(camera_id: str, condition_key: str) -> str:
    """Return the condition key of what the rules of a camera call so."""
    return f"camera/{camera_id}/{condition_key}"


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
    is_sure = observation.phase is Phase.END or observation.confidence >= call_from
    if observation.kind not in CALLING_KINDS or not is_sure:
        return None
    is_of_place = observation.kind not in AT_THE_CAMERA and observation.rule_key != WHOLE_PICTURE_KEY
    where = observation.rule_name or observation.rule_key if is_of_place else camera_name
    detail = describe_values(observation.values)
    if observation.confidence < 1.0:
        detail = f"{detail}{', ' if detail else ''}{observation.confidence:.0%} sure"
    return _by_shipped_rule(
        condition_key=key_of_observation(observation),
        kind=observation.kind.value,
        where=where,
        tags=frozenset({WAS_PARKED} if observation.values.get(WAS_PARKED) else ()),
        detail=detail,
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
    tags: frozenset[str] = frozenset(),
    where: str = "",
) -> Condition:
    """Return the condition of a lost or troubled source, or of one place of it, `where`."""
    return _by_shipped_rule(
        condition_key=f"{source_kind}/{source_id}/{kind}",
        kind=kind,
        where=where,
        detail=detail,
        tags=tags,
        source_kind=source_kind,
        source_id=source_id,
        source_name=source_name,
        position=position,
    )


def condition_of_system(kind: str, *, detail: str, part: str = "", tags: frozenset[str] = frozenset()) -> Condition:
    """Return the condition of a fault of the room itself.

    Two faults of the same kind are two alarms where they name different parts, e.g. two workers.
    """
    return _by_shipped_rule(
        condition_key=f"system/{kind}" + (f":{part}" if part else ""),
        kind=kind,
        detail=detail,
        tags=tags,
        source_kind=SourceKind.SYSTEM,
        source_id=part or kind,
        source_name="Watchfloor",
    )


def _by_shipped_rule(
    *,
    condition_key: str,
    kind: str,
    detail: str,
    source_kind: SourceKind,
    source_id: str,
    source_name: str,
    where: str = "",
    tags: frozenset[str] = frozenset(),
    position: GeoPoint | None = None,
    began_at: datetime | None = None,
    confidence: float = 1.0,
) -> Condition:
    """Return a condition as the program's own rules name and rank it; the site's are applied where it is raised."""
    return _shipped_book().applied(
        Condition(
            condition_key=condition_key,
            kind=kind,
            title=kind_words(kind),
            detail=detail,
            priority=Priority.MEDIUM,
            source_kind=source_kind,
            source_id=source_id,
            source_name=source_name,
            position=position,
            began_at=began_at,
            confidence=confidence,
            where=where,
            tags=tags,
        )
    )


@cache
def _shipped_book() -> RuleBook:
    return shipped_book()


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
