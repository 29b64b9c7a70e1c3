"""Counting lines: every vehicle once for each time it really crosses.

A side is believed only when the ground point is clear of the line by a tenth of the vehicle's size. A vehicle that
stops on the line and trembles, or turns round before it is across, therefore counts nothing; one that crosses, turns
and comes back counts once in each direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.vision.geometry import distance_right_of, position_along, scale_points
from core.vision.model import VEHICLE_LABELS, CountLine
from core.vision.vehicles import Sighting

CLEAR_OF_LINE = 0.1
"""Box sizes from the line at which a side is believed."""

_SPAN_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """One vehicle that crossed; `direction` is the line's own name for it."""

    sighting: Sighting
    direction: str


@dataclass(slots=True)
class _Passage:
    """What is known of one vehicle: the side it was last believed on (-1 left, 1 right, 0 unknown)."""

    side: int
    crossed_within_ends: bool = False


class LineCounter:
    """One line of one camera."""

    def __init__(self, line: CountLine, aspect: float) -> None:
        """Lay the line."""
        self._line = line
        start, end = scale_points((line.start, line.end), aspect).tolist()
        self._start, self._end = (start[0], start[1]), (end[0], end[1])
        self._labels = line.labels or VEHICLE_LABELS
        self._passages: dict[int, _Passage] = {}

    def update(self, sightings: Sequence[Sighting]) -> list[Crossing]:
        """Return who crossed since the last picture."""
        if self._start == self._end:
            return []
        crossings = []
        for sighting in sightings:
            side = self._take(sighting)
            if side and sighting.track.label in self._labels:
                name = self._line.forward_name if side > 0 else self._line.backward_name
                crossings.append(Crossing(sighting=sighting, direction=name))
        return crossings

    def forget(self, keys: Iterable[int]) -> None:
        """Drop what is known of vehicles that are gone."""
        for key in keys:
            self._passages.pop(key, None)

    def break_off(self) -> None:
        """Forget where everybody was: what comes does not go on from there."""
        self._passages.clear()

    def _take(self, sighting: Sighting) -> int:
        """Return the side a vehicle has just reached, or 0."""
        distance = distance_right_of(sighting.ground, self._start, self._end)
        margin = CLEAR_OF_LINE * sighting.size
        side = 1 if distance > 0 else -1
        passage = self._passages.get(sighting.key)
        if passage is None or sighting.previous is None:
            # First seen, or seen again after a gap: nothing is known of how it came here.
            self._passages[sighting.key] = _Passage(side if abs(distance) > margin / 3 else 0)
            return 0
        before = distance_right_of(sighting.previous, self._start, self._end)
        if before * distance <= 0 and before != distance:
            share = before / (before - distance)
            point = (
                sighting.previous[0] + share * (sighting.ground[0] - sighting.previous[0]),
                sighting.previous[1] + share * (sighting.ground[1] - sighting.previous[1]),
            )
            along = position_along(point, self._start, self._end)
            passage.crossed_within_ends = -_SPAN_TOLERANCE <= along <= 1 + _SPAN_TOLERANCE
        if abs(distance) <= margin or side == passage.side:
            return 0
        has_crossed = passage.side != 0 and passage.crossed_within_ends
        passage.side, passage.crossed_within_ends = side, False
        return side if has_crossed else 0
