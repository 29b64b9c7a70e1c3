"""What a change of a scene makes of what its rules began: who is not watched for any more, and who is."""

from __future__ import annotations

from core.vision.model import UNREADABLE, WHOLE_PICTURE_KEY, ObservationKind, PicturePoint, Scene, Zone
from core.vision.tuning import RULES, Tuning
from core.vision.view import is_drawn_anew

_Shape = tuple[tuple[PicturePoint, ...], ...]

_KINDS = frozenset(kind.value for kind in ObservationKind)
_TUNED = frozenset(rule.kind for rule in RULES)


def is_over(kind: str, rule_key: str, before: Scene, now: Scene) -> bool:
    """Tell whether nobody watches any more for what a rule began: it is off, or its place is gone or was redrawn.

    Args:
        kind: Of the rule, as in its observations; of anything else a scene says nothing.
        rule_key: Where it was seen; empty where nobody knows any more, which ends nothing.
        before: The scene that it was seen in; where nobody can read one of the two, nobody knows what was changed.
        now: The scene that is in force.
    """
    if kind not in _KINDS or UNREADABLE in (before, now):
        return False
    kind = ObservationKind(kind)
    if kind in _TUNED and not Tuning(now).is_watched(kind):
        return True
    if kind is ObservationKind.CAMERA_MOVED:
        # Who draws elsewhere says that what the camera shows now is right, and its view is learned anew; where parts
        # are private only who draws all of these anew does.
        return is_drawn_anew(before, now)
    if rule_key in ("", WHOLE_PICTURE_KEY):
        return False
    was, still = _watched(before, kind, rule_key), _watched(now, kind, rule_key)
    return not still or (bool(was) and was.isdisjoint(still))


def _watched(scene: Scene, kind: ObservationKind, key: str) -> set[_Shape]:
    """Return what is drawn under a key, where it is watched for this."""
    tuning = Tuning(scene)
    found: set[_Shape] = {(zone.polygon,) for zone in scene.zones if zone.key == key and _asks(zone, kind)}
    found |= {((line.start, line.end),) for line in scene.lines if line.key == key}
    if kind not in _TUNED or tuning.is_on(kind):
        found |= {(lane.polygon, (lane.start, lane.end)) for lane in scene.lanes if lane.key == key}
    return found


def _asks(zone: Zone, kind: ObservationKind) -> bool:
    match kind:
        case ObservationKind.VEHICLE_IN_ZONE:
            return zone.alarms_presence
        case ObservationKind.PEDESTRIAN:
            return zone.calls_for_people
        case ObservationKind.STOPPED_VEHICLE:
            return zone.stopped_after_s is not None
        case ObservationKind.CONGESTION:
            return zone.congestion_capacity is not None
        case _:
            return True
