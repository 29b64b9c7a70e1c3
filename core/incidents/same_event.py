"""Whether something that was just seen belongs to an event that is known already: same place, same time.

A crash is seen by several rules one after the other (collision, stopped vehicle, jam) and by every camera that looks
there. It is one incident, named after the most urgent of them. What stands is there for as long as its condition holds,
so that the jam behind it belongs to it whenever it fills.

Two cameras see one thing where the ground says so. Where one of them has no road plane on the map, they see it unless
where they stand and look says that they cannot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.incidents.model import Condition, Priority
from core.kernel.geo import GeoPoint
from core.vision.model import AT_THE_CAMERA, BBox, ObservationKind
from core.vision.plane import east_north_m, offset

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
PASSING = frozenset({ObservationKind.WRONG_WAY, ObservationKind.PEDESTRIAN, ObservationKind.VEHICLE_IN_ZONE})
"""Who does this moves on: a second one at the same place a little later is another event."""

CRASH = frozenset({ObservationKind.COLLISION, ObservationKind.STOPPED_VEHICLE})
STANDING = CRASH | {ObservationKind.OBJECT_LEFT, ObservationKind.PEDESTRIAN}
"""It is in the way while it is there: what comes of it may come late."""

COMES_OF_IT = STANDING | {ObservationKind.CONGESTION}

SAME_PLACE = timedelta(seconds=90)
"""Between two beginnings at one place; of what stands its end counts and not its beginning."""

SAME_PASSER = timedelta(seconds=15)
SAME_CAMERA_FAULT = timedelta(seconds=30)
SEEN_BY_SEVERAL = timedelta(seconds=30)
SEEN_BY_SEVERAL_M = 60.0
"""Between two cameras, and from a camera to what it sees."""

SAME_GROUND_M = 30.0
"""Between two points of the ground: a crash is some metres long, and far away a plane is some metres off."""

DRIVES_M_PER_S = 40.0
"""Of who drives against the traffic: another camera sees them further on."""

NEWS_AGAIN = timedelta(minutes=5)
"""The same once more at a place that called so long ago is news."""

REACH = 0.5
"""Of a box's own sides, by which it is grown before two places are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Where a camera stands and looks.

    Attributes:
        heading_deg: Clockwise from true north.
        view_angle_deg: Horizontal opening; 360 where nobody knows where it looks.
    """

    position: GeoPoint
    heading_deg: float = 0.0
    view_angle_deg: float = 360.0

    def may_see(self, point: GeoPoint) -> bool:
        """Tell whether something may be in the picture."""
        east_m, north_m = east_north_m(self.position, point)
        turn_deg = math.degrees(math.atan2(east_m, north_m)) - self.heading_deg
        is_ahead = abs((turn_deg + 180.0) % 360.0 - 180.0) <= self.view_angle_deg / 2
        return is_ahead and math.hypot(east_m, north_m) <= SEEN_BY_SEVERAL_M

    def looks_where(self, other: View) -> bool:
        """Tell whether two cameras that stand near each other may see the same."""
        if math.hypot(*east_north_m(self.position, other.position)) > SEEN_BY_SEVERAL_M:
            return False
        return any(map(other.may_see, self._points())) or any(map(self.may_see, other._points()))

    def _points(self) -> Iterator[GeoPoint]:
        """Yield points of the ground that it looks at."""
        for step in range(-4, 5):
            way = math.radians(self.heading_deg + self.view_angle_deg / 2 * step / 4)
            for away_m in (10.0, 20.0, 30.0, 40.0, 50.0, 60.0):
                yield offset(self.position, away_m * math.sin(way), away_m * math.cos(way))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One sighting.

    Attributes:
        incident_id: What it belongs to; empty where that is the question.
        rule_key: Zone, lane or line; its box stands for the place where there is no other.
        at: When it began.
        holds: Its condition has not ended.
        position: Of the ground; None where no road plane tells it.
        view: Of its camera; None where nobody placed it.
    """

    incident_id: str
    camera_id: str
    kind: ObservationKind
    rule_key: str
    at: datetime
    bbox_xyxy: BBox | None = None
    holds: bool = False
    position: GeoPoint | None = None
    view: View | None = None


def find_event(new: Seen, known: Iterable[Seen]) -> str | None:
    """Return the incident that a new sighting belongs to: of several the last to begin; None where it is a new one."""
    same = [seen for seen in known if seen.incident_id and is_same_event(new, seen)]
    return max(same, key=lambda seen: (seen.at, seen.incident_id)).incident_id if same else None


def is_same_event(one: Seen, other: Seen) -> bool:
    """Tell whether two sightings are of one event."""
    if one.camera_id != other.camera_id:
        return _is_seen_by_both(one, other)
    apart = abs(one.at - other.at)
    if one.kind in AT_THE_CAMERA or other.kind in AT_THE_CAMERA:
        return one.kind in AT_THE_CAMERA and other.kind in AT_THE_CAMERA and apart <= SAME_CAMERA_FAULT
    if one.kind not in ON_THE_ROAD or other.kind not in ON_THE_ROAD:
        return False
    if apart > (SAME_PASSER if one.kind is other.kind and one.kind in PASSING else SAME_PLACE) and not _outlasts(
        one, other
    ):
        return False
    if one.bbox_xyxy is None or other.bbox_xyxy is None:
        return one.rule_key == other.rule_key
    return do_touch(one.bbox_xyxy, other.bbox_xyxy)


def _outlasts(one: Seen, other: Seen) -> bool:
    """Tell whether the first of two sightings still stands there, and the later one may come of it."""
    first, then = sorted((one, other), key=lambda seen: seen.at)
    if not first.holds or (first.kind is then.kind and first.kind in PASSING):
        return False
    if first.kind is ObservationKind.CONGESTION:
        # A jam spreads to the next lane; what happens in it is an event of its own.
        return then.kind is ObservationKind.CONGESTION
    return first.kind in STANDING and then.kind in COMES_OF_IT


def is_news_beside(condition: Condition, *, kind: str, priority: Priority, called_at: datetime) -> bool:
    """Tell whether a sighting of a known event calls the operator although another one of it called already.

    What is less urgent, or the same once more, adds nothing; what is something else and as urgent does, and so does
    the same a long time later.

    Args:
        condition: The sighting.
        kind: Of the other one.
        priority: The same.
        called_at: The same.
    """
    if condition.kind != kind:
        return condition.priority <= priority
    is_again = condition.began_at is not None and condition.began_at - called_at > NEWS_AGAIN
    return condition.priority < priority or is_again


def do_touch(one: BBox, other: BBox) -> bool:
    """Tell whether two boxes, each grown by half of its sides, overlap."""
    ax1, ay1, ax2, ay2 = _grown(one)
    bx1, by1, bx2, by2 = _grown(other)
    return ax1 <= bx2 and bx1 <= ax2 and ay1 <= by2 and by1 <= ay2


def offset_of(one: BBox, other: BBox) -> float:
    """Return how far apart the ground points of two boxes are, in sides of the larger box."""
    across = abs(one[0] + one[2] - other[0] - other[2]) / 2 / max(one[2] - one[0], other[2] - other[0], 1e-9)
    return max(across, abs(one[3] - other[3]) / max(one[3] - one[1], other[3] - other[1], 1e-9))


def _is_seen_by_both(one: Seen, other: Seen) -> bool:
    if not ((one.kind is other.kind and one.kind in ON_THE_ROAD) or {one.kind, other.kind} == CRASH):
        return False
    apart = abs(one.at - other.at)
    if one.position is not None and other.position is not None:
        way_m = SAME_GROUND_M
        if one.kind is ObservationKind.WRONG_WAY:
            way_m += DRIVES_M_PER_S * apart.total_seconds()
        is_near = math.hypot(*east_north_m(one.position, other.position)) <= way_m
        return is_near and (apart <= SEEN_BY_SEVERAL or _outlasts(one, other))
    if apart > SEEN_BY_SEVERAL or one.view is None or other.view is None:
        return False
    if one.position is not None:
        return other.view.may_see(one.position)
    if other.position is not None:
        return one.view.may_see(other.position)
    return one.view.looks_where(other.view)


def _grown(box: BBox) -> BBox:
    dx, dy = REACH * (box[2] - box[0]) / 2, REACH * (box[3] - box[1]) / 2
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy
