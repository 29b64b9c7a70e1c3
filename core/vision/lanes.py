"""Lanes as the rules use them: who is in one, how far along it, and which way."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.vision.geometry import Point, are_inside, scale_points
from core.vision.model import VEHICLE_LABELS, Lane, ObservationKind
from core.vision.scene_rule import Moment, Place, place_of
from core.vision.vehicles import Sighting


class LaneShape:
    """One lane, in picture heights.

    Attributes:
        length: From `start` to `end`.
    """

    def __init__(self, lane: Lane, aspect: float) -> None:
        """Lay polygon and axis; a lane whose start is its end has no direction and holds nobody."""
        self.lane = lane
        self.place: Place = place_of(lane)
        self._aspect = aspect
        self._labels = frozenset(lane.labels or VEHICLE_LABELS)
        self._polygon = scale_points(lane.polygon, aspect)
        start, end = scale_points((lane.start, lane.end), aspect)
        axis = end - start
        self.length = float(np.hypot(*axis))
        self._start: Point = (float(start[0]), float(start[1]))
        self._unit: Point = (float(axis[0]), float(axis[1]))
        if self.length:
            self._unit = (self._unit[0] / self.length, self._unit[1] / self.length)

    @property
    def unit(self) -> Point:
        """The way traffic drives, of length 1."""
        return self._unit

    def condition(self, kind: ObservationKind) -> str:
        """Return the condition key of a kind in this lane; a zone of the same key has another."""
        return f"{kind.value}:lane/{self.lane.key}"

    def holds(self, points: Sequence[Point]) -> list[bool]:
        """Tell which ground points lie in the lane."""
        if not points or not self.length:
            return [False] * len(points)
        return [bool(is_in) for is_in in are_inside(np.array(points, np.float64), self._polygon)]

    def inside(self, sightings: Sequence[Sighting]) -> tuple[Sighting, ...]:
        """Return the vehicles of the lane's classes whose ground point lies in it."""
        chosen = [sighting for sighting in sightings if sighting.track.label in self._labels]
        held = self.holds([sighting.ground for sighting in chosen])
        return tuple(sighting for sighting, is_in in zip(chosen, held, strict=True) if is_in)

    def inside_at(self, moment: Moment) -> tuple[Sighting, ...]:
        """Return `inside` for a picture; several rules ask, one works it out."""
        found = moment.in_lane.get(self.lane.key)
        if found is None:
            found = moment.in_lane[self.lane.key] = self.inside(moment.sightings)
        return found

    def along(self, point: Point) -> float:
        """Return how far along the lane a point is, 0 at its start, in picture heights."""
        return (point[0] - self._start[0]) * self._unit[0] + (point[1] - self._start[1]) * self._unit[1]

    def velocity(self, sighting: Sighting) -> Point:
        """Return the speed along the lane (negative: against it) and across it, in picture heights per second."""
        vx, vy = sighting.track.velocity_xy[0] * self._aspect, sighting.track.velocity_xy[1]
        return vx * self._unit[0] + vy * self._unit[1], vx * self._unit[1] - vy * self._unit[0]

    def agreement(self, sighting: Sighting) -> float:
        """Return the cosine between a vehicle's movement and the lane: 1 along it, -1 against it, 0 at rest."""
        along, across = self.velocity(sighting)
        speed = math.hypot(along, across)
        return along / speed if speed > 1e-9 else 0.0


def footing(sighting: Sighting, aspect: float) -> tuple[Point, Point, Point]:
    """Return three points under a vehicle: a fifth, the middle and four fifths of its box, on its lower edge."""
    x1, _, x2, y2 = sighting.track.bbox_xyxy
    left, right = (x1 + 0.2 * (x2 - x1)) * aspect, (x1 + 0.8 * (x2 - x1)) * aspect
    return (left, y2), sighting.ground, (right, y2)
