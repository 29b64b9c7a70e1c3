"""Whether something that was just seen belongs to an event that is known already: same place, same time.

A crash is seen by several rules one after the other (collision, stopped vehicle, jam) and by every camera that looks
there. It is one incident, named after the most urgent of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.incidents.model import Priority
from core.kernel.geo import GeoPoint
from core.vision.model import BBox, ObservationKind
from core.vision.plane import east_north_m

ON_THE_ROAD = frozenset(
    {
        ObservationKind.COLLISION,
        ObservationKind.WRONG_WAY,
        ObservationKind.STOPPED_VEHICLE,
        ObservationKind.CONGESTION,
        ObservationKind.PEDESTRIAN,
        ObservationKind.LOITERING,
        ObservationKind.OBJECT_LEFT,
        ObservationKind.VEHICLE_IN_ZONE,
    }
)
AT_THE_CAMERA = frozenset({ObservationKind.CAMERA_MOVED, ObservationKind.CAMERA_BLINDED, ObservationKind.CAMERA_FROZEN})
PASSING = frozenset({ObservationKind.WRONG_WAY, ObservationKind.PEDESTRIAN, ObservationKind.VEHICLE_IN_ZONE})
"""Who does this moves on: a second one at the same place a little later is another event."""

CRASH = frozenset({ObservationKind.COLLISION, ObservationKind.STOPPED_VEHICLE})

SAME_PLACE = timedelta(seconds=90)
"""A jam behind a crash is known a minute after it."""

SAME_PASSER = timedelta(seconds=15)
SAME_CAMERA_FAULT = timedelta(seconds=30)
SEEN_BY_SEVERAL = timedelta(seconds=30)
SEEN_BY_SEVERAL_M = 60.0
REACH = 0.5
"""Of a box's own sides, by which it is grown before two places are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One sighting.

    Attributes:
        incident_id: What it belongs to; empty where that is the question.
        rule_key: Zone, lane or line; its box stands for the place where there is no other.
    """

    incident_id: str
    camera_id: str
    kind: ObservationKind
    rule_key: str
    at: datetime
    bbox_xyxy: BBox | None = None
    position: GeoPoint | None = None


def find_event(new: Seen, known: Iterable[Seen]) -> str | None:
    """Return the incident that a new sighting belongs to: of several the one seen last; None where it is a new one."""
    same = [seen for seen in known if seen.incident_id and is_same_event(new, seen)]
    return max(same, key=lambda seen: (seen.at, seen.incident_id)).incident_id if same else None


def is_same_event(one: Seen, other: Seen) -> bool:
    """Tell whether two sightings are of one event."""
    apart = abs(one.at - other.at)
    if one.camera_id != other.camera_id:
        return _is_seen_by_both(one, other, apart)
    if one.kind in AT_THE_CAMERA or other.kind in AT_THE_CAMERA:
        return one.kind in AT_THE_CAMERA and other.kind in AT_THE_CAMERA and apart <= SAME_CAMERA_FAULT
    if one.kind not in ON_THE_ROAD or other.kind not in ON_THE_ROAD:
        return False
    if apart > (SAME_PASSER if one.kind is other.kind and one.kind in PASSING else SAME_PLACE):
        return False
    if one.bbox_xyxy is None or other.bbox_xyxy is None:
        return one.rule_key == other.rule_key
    return do_touch(one.bbox_xyxy, other.bbox_xyxy)


def needs_own_call(kind: str, priority: Priority, *, than_kind: str, than_priority: Priority) -> bool:
    """Tell whether a sighting of a known event calls the operator although another one of it does already.

    What is less urgent, or the same once more, adds nothing; what is something else and as urgent does.
    """
    return priority < than_priority or (priority == than_priority and kind != than_kind)


def do_touch(one: BBox, other: BBox) -> bool:
    """Tell whether two boxes, each grown by half of its sides, overlap."""
    ax1, ay1, ax2, ay2 = _grown(one)
    bx1, by1, bx2, by2 = _grown(other)
    return ax1 <= bx2 and bx1 <= ax2 and ay1 <= by2 and by1 <= ay2


def _is_seen_by_both(one: Seen, other: Seen, apart: timedelta) -> bool:
    if apart > SEEN_BY_SEVERAL or one.position is None or other.position is None:
        return False
    is_alike = (one.kind is other.kind and one.kind in ON_THE_ROAD) or {one.kind, other.kind} == CRASH
    return is_alike and math.hypot(*east_north_m(one.position, other.position)) <= SEEN_BY_SEVERAL_M


def _grown(box: BBox) -> BBox:
    dx, dy = REACH * (box[2] - box[0]) / 2, REACH * (box[3] - box[1]) / 2
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy
