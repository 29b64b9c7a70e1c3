"""What speaks for a collision: how one vehicle moved before a moment and after it, one named figure after the other.

What perspective explains is taken off first: a vehicle that goes away becomes slower on the picture by as much as it
becomes smaller, to the second power at most. A box of which only one side moves was cut by something in front of it,
and says nothing. A pushed vehicle changes its speed, not its place: where the two ways do not meet, it is another
vehicle. All lengths are in sizes of the vehicle.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.vision.vehicles import Sighting

BEFORE_S, AFTER_S = 1.0, 1.0
"""How long the movement is looked at on each side of the moment in question."""

_STEP_S = 0.18
"""Speeds are taken over at least this long: over less the trembling of boxes is larger than the movement."""

_MIN_SPAN_S = 0.35
_VANISHED_S, _N_BEFORE_VANISHING = 0.3, 4
"""Who is not seen any more soon after the moment was seen too little to say that it was pushed."""

_MOVES_AT = 0.6
STANDS_BELOW = 0.3
_PIXEL = 0.02
"""What a network's pixel or two of trembling do to a speed, picture heights per second."""

_NOBODY_JUMPS = 0.5
"""Sizes from one picture to the next: that is a number which another vehicle has now."""

_MOST_JOLT = 4.5
"""Sizes per second: a car that loses 70 km/h at once, seen from the side. A number that jumps loses more."""

_PIXEL_SHAPE = 0.006
"""And to its proportions, natural logarithm times size: of a small box a pixel is much."""

BORDER = 0.006
"""Of the picture, in its heights: what lies nearer may be cut off by it."""

_APART = 0.26
"""Of the area of a vehicle: squares of half its size, and a little."""

_TORN_WITHIN_S = 0.8
_NEAR_TEAR_S = 0.3
_WEAK_SCORE = 0.4

# Plain floats: for six rows of six figures numpy takes ten times as long, and this is done for each vehicle.
Row = tuple[float, float, float, float, float, float]
Vector = tuple[float, float]
Edges = tuple[float, float, float, float]
"""Of x1, y1, x2, y2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for an impact on one vehicle at one moment; lengths in sizes of the vehicle.

    Attributes:
        jolt: Change of movement that neither perspective nor speeding up explains, sizes per second.
        contact: 1 where another vehicle stood on the same ground, 0 half a size away.
        shape: Change of the box's proportions, natural logarithm.
        halt: 1 where it drove before and stands afterwards.
        leap: How far the way before and the way after miss each other.
        torn: 1 where the tracker lost it in contact and found it again under another number.
        rebound: How much of its speed it has backwards afterwards: steel springs back a little, and only who is hit
            by another one goes back as fast as it came.
        pushed_back: 1 where the vehicle it touches was jolted at about the same time: who pushes is pushed.
        is_knock: Its pixels say so as well.
        is_brief: Its pixels alone say so: it was seen for too short a time to compare its boxes.
    """

    jolt: float
    contact: float
    shape: float
    halt: float
    leap: float
    torn: float = 0.0
    rebound: float = 0.0
    pushed_back: float = 0.0
    is_driving: bool = True
    is_knock: bool = False
    is_brief: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Logistic weights of the evidence."""

    offset: float = -5.7
    jolt: float = 3.5
    contact: float = 1.6
    shape: float = 4.7
    halt: float = 2.0
    leap: float = -16.0
    torn: float = 1.0
    rebound: float = -10.0
    pushed_back: float = 2.0


WEIGHTS = Weights()
_TOP_JOLT, _TOP_SHAPE = 2.5, 0.7
_SPRINGS_BACK, _PUSHED_BACK = 0.2, 0.8
"""Of its speed before: what a body springs back from a wall, and what another vehicle can add to it."""


def logit_of(evidence: Evidence, weights: Weights = WEIGHTS) -> float:
    """Weigh the evidence; 0 is as likely as not."""
    return (
        weights.offset
        + weights.jolt * min(evidence.jolt, _TOP_JOLT)
        + weights.contact * evidence.contact
        + weights.shape * min(evidence.shape, _TOP_SHAPE)
        + weights.halt * evidence.halt
        + weights.leap * max(0.0, evidence.leap - 0.15)
        + weights.torn * evidence.torn * evidence.contact
        + weights.pushed_back * evidence.pushed_back * evidence.contact
        + weights.rebound * max(0.0, evidence.rebound - _SPRINGS_BACK - _PUSHED_BACK * evidence.contact)
    )


def confidence_of(logit: float) -> float:
    """Return the probability, 0..1."""
    return 1 / (1 + math.exp(-logit))


@dataclass(slots=True)
class Trace:
    """Where one vehicle was: time, box x1, y1, x2, y2 in picture heights, the detector's score; oldest first.

    Attributes:
        torn_s: When it was lost in contact.
        found_s: When it was found again.
    """

    rows: deque[Row]
    sighting: Sighting
    torn_s: float = -math.inf
    found_s: float = -math.inf

    @property
    def middle(self) -> tuple[float, float]:
        """Where the middle of the box was last."""
        _, x1, y1, x2, y2, _ = self.rows[-1]
        return (x1 + x2) / 2, (y1 + y2) / 2

    @property
    def size(self) -> float:
        """How large it was last."""
        return size_of([self.rows[-1]])

    @property
    def is_weak(self) -> bool:
        """Whether the network is not sure of it, so that it comes and goes by itself."""
        return median_of([row[5] for row in self.rows]) < _WEAK_SCORE

    def lies_inside(self, index: int, aspect: float) -> bool:
        """Return whether a row lies well within the picture, where nobody comes from or goes to."""
        _, x1, y1, x2, y2, _ = self.rows[index]
        return min(x1, y1, aspect - x2, 1 - y2) > 0.5 * size_of([self.rows[index]])

    def between(self, start_s: float, end_s: float) -> list[Row]:
        """Return the rows of a time span."""
        chosen: list[Row] = []
        for row in reversed(self.rows):
            if row[0] < start_s - 1e-6:
                break
            if row[0] <= end_s + 1e-6:
                chosen.append(row)
        chosen.reverse()
        return chosen


def weigh(trace: Trace, at_s: float, aspect: float) -> Evidence | None:
    """Compare a vehicle's movement before and after a moment; None where too little of it was seen.

    Args:
        trace: Of the vehicle; `contact` is left 0.
        at_s: The moment.
        aspect: Width of the picture over its height.
    """
    is_mixed = at_s - BEFORE_S <= trace.torn_s < at_s + AFTER_S
    if is_mixed and not trace.torn_s - _NEAR_TEAR_S <= at_s < trace.found_s + _NEAR_TEAR_S:
        # Two pieces are compared with each other, never a piece with a mixture of both.
        return None
    begin_s, end_s = (max(at_s, trace.found_s - 1e-3), min(at_s, trace.torn_s)) if is_mixed else (at_s, at_s)
    before = _whole(trace.between(at_s - BEFORE_S, end_s), aspect)
    if len(before) < 3:
        return None
    after = _whole(trace.between(begin_s + 1e-3, at_s + AFTER_S), aspect)
    if len(after) < 3:
        return None
    if min(before[-1][0] - before[0][0], after[-1][0] - after[0][0]) < _MIN_SPAN_S:
        return None
    if after[-1][0] < at_s + AFTER_S - _VANISHED_S and len(after) < _N_BEFORE_VANISHING:
        return None
    size_before, size_after = size_of(before[-4:]), size_of(after)
    if not size_before or not size_after:
        return None
    size = math.sqrt(size_before * size_after)
    speed_before, speed_after = _edge_speeds(before), _edge_speeds(after)
    first = math.hypot(*common(speed_before)) / size_before
    is_driving = min(first, _made_good(before) / size_before) >= _MOVES_AT
    if _jump(before, after, speed_before, speed_after) / size > _NOBODY_JUMPS:
        return None
    growth = min(3.0, max(1 / 3, size_after / size_before))
    factors = [growth**power for power in (0.0, 0.5, 1.0, 1.5, 2.0)]
    jolt = min(_jolt(_times(speed_before, factor), speed_after, size) for factor in factors) - _PIXEL / size
    if jolt > _MOST_JOLT:
        return None
    end = math.hypot(*common(_edge_speeds(after[len(after) // 2 :]))) / size_after
    # Two pieces are one vehicle only if the network was sure of each.
    clear = min(clearness(before), clearness(after)) if is_mixed else clearness([*before, *after])
    return Evidence(
        jolt=max(0.0, jolt) * clear,
        contact=0.0,
        shape=max(0.0, abs(_proportion(after[-3:]) - _proportion(before[-3:])) - _PIXEL_SHAPE / size),
        halt=clear * min(1.0, max(0.0, first - end)) if end < STANDS_BELOW else 0.0,
        leap=_leap(before, after, speed_before, speed_after) / size,
        torn=float(abs(trace.torn_s - at_s) < _TORN_WITHIN_S),
        rebound=_rebound(common(speed_before), common(speed_after), size_before, size_after),
        is_driving=is_driving,
    )


def clearness(rows: Sequence[Row]) -> float:
    """Return how sure the network is of a vehicle, 0..1: what it is not sure of moves by itself."""
    return min(1.0, max(0.0, (median_of([row[5] for row in rows]) - 0.25) / 0.2))


def _jump(before: Sequence[Row], after: Sequence[Row], speed_before: Edges, speed_after: Edges) -> float:
    """Return the largest step from one picture to the next that neither the way before nor the way after explains."""
    # From the one to the other: see `_leap`.
    largest = 0.0
    for rows in (before, after):
        for first, second in pairwise(rows):
            miss = _miss(first, second, speed_before)
            if miss > largest:
                largest = max(largest, min(miss, _miss(first, second, speed_after)))
    return largest


def _miss(first: Row, second: Row, speed: Edges) -> float:
    begin_s, x1, y1, x2, y2, _ = first
    end_s, left, top, right, bottom, _ = second
    dt_s = end_s - begin_s
    x = _alike(left - x1 - speed[0] * dt_s, right - x2 - speed[2] * dt_s)
    return math.hypot(x, _alike(top - y1 - speed[1] * dt_s, bottom - y2 - speed[3] * dt_s))


def _rebound(before: Vector, after: Vector, size_before: float, size_after: float) -> float:
    """Return the speed backwards after, over the speed before, each in sizes of its time."""
    length = math.hypot(*before)
    if length < 1e-9:
        return 0.0
    along = (before[0] * after[0] + before[1] * after[1]) / length
    return max(0.0, -along / size_after) / (length / size_before)


def _whole(rows: Sequence[Row], aspect: float) -> list[Row]:
    """Return the rows in which no side of the box is cut off by the picture's border."""
    right, bottom = aspect - BORDER, 1 - BORDER
    return [
        row
        for row in rows
        if row[1] > BORDER
        and row[2] > BORDER
        and row[3] < right
        and row[4] < bottom
        and row[3] - row[1] > 1e-4
        and row[4] - row[2] > 1e-4
    ]


def _made_good(rows: Sequence[Row]) -> float:
    """Return how far the middle of the box came in a second, whatever it did in between."""
    begin_s, left, top, right, bottom, _ = rows[0]
    end_s, x1, y1, x2, y2, _ = rows[-1]
    return math.hypot((x1 - left + x2 - right) / 2, (y1 - top + y2 - bottom) / 2) / (end_s - begin_s)


def touching(first: Sequence[float], second: Sequence[float]) -> float:
    """Return 1 where two boxes stand on the same ground, 0 where half a size or more is between them.

    Args:
        first: x1, y1, x2, y2 in picture heights.
        second: Likewise.
    """
    left_1, top_1, right_1, bottom_1 = first
    left_2, top_2, right_2, bottom_2 = second
    area_1 = max(1e-8, (right_1 - left_1) * (bottom_1 - top_1))
    area_2 = max(1e-8, (right_2 - left_2) * (bottom_2 - top_2))
    gap = max(0.0, left_1 - right_2, left_2 - right_1)
    # Most stand apart, and this is asked of each with each.
    if gap * gap > _APART * area_1 or gap * gap > _APART * area_2:
        return 0.0
    side_1, side_2 = math.sqrt(area_1), math.sqrt(area_2)
    size = min(side_1, side_2)
    if max(side_1, side_2) > 2.5 * size:
        return 0.0
    across = gap / size
    # Boxes that cover each other belong to vehicles one behind the other unless their feet are level.
    along = max(0.0, abs(bottom_1 - bottom_2) / size - 0.25)
    return max(0.0, 1 - 2 * math.hypot(across, along))


def common(edges: Edges) -> Vector:
    """Return what both sides of a box do alike, x and y: nothing where only one side moves."""
    left, top, right, bottom = edges
    return _alike(left, right), _alike(top, bottom)


def _alike(near: float, far: float) -> float:
    if near * far <= 0:
        return 0.0
    return near if abs(near) < abs(far) else far


def _times(edges: Edges, factor: float) -> Edges:
    left, top, right, bottom = edges
    return left * factor, top * factor, right * factor, bottom * factor


def _jolt(expected: Edges, seen: Edges, size: float) -> float:
    x, y = common((seen[0] - expected[0], seen[1] - expected[1], seen[2] - expected[2], seen[3] - expected[3]))
    x, y = x / size, y / size
    way_x, way_y = common(expected)
    length = math.hypot(way_x, way_y)
    along = (x * way_x + y * way_y) / length if length > 1e-9 else 0.0
    if along > 0:
        # Drivers speed up as they like; what comes towards the camera seems to as well.
        x, y = x - along * way_x / length, y - along * way_y / length
    return math.hypot(x, y)


def _edge_speeds(rows: Sequence[Row]) -> Edges:
    """Return the median speed of each side of the box; one jump of the box does not move it."""
    lefts: list[float] = []
    tops: list[float] = []
    rights: list[float] = []
    bottoms: list[float] = []
    at, n_rows = 0, len(rows)
    for begin_s, x1, y1, x2, y2, _ in rows:
        while at < n_rows and rows[at][0] - begin_s < _STEP_S:
            at += 1
        if at == n_rows:
            break
        end_s, left, top, right, bottom, _ = rows[at]
        dt_s = end_s - begin_s
        lefts.append((left - x1) / dt_s)
        tops.append((top - y1) / dt_s)
        rights.append((right - x2) / dt_s)
        bottoms.append((bottom - y2) / dt_s)
    if not lefts:
        return 0.0, 0.0, 0.0, 0.0
    return median_of(lefts), median_of(tops), median_of(rights), median_of(bottoms)


def _leap(before: Sequence[Row], after: Sequence[Row], speed_before: Edges, speed_after: Edges) -> float:
    """Return how far the two ways miss each other between the last row before and the first after."""
    start_s, *start = (sorted(column)[1] for column in zip(*(row[:5] for row in before[-3:]), strict=True))
    end_s, *end = (sorted(column)[1] for column in zip(*(row[:5] for row in after[:3]), strict=True))
    misses = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        at_s = before[-1][0] + share * (after[0][0] - before[-1][0])
        since_s, until_s = at_s - start_s, at_s - end_s
        left, top, right, bottom = (
            (there + speed_there * until_s) - (here + speed_here * since_s)
            for there, speed_there, here, speed_here in zip(end, speed_after, start, speed_before, strict=True)
        )
        misses.append(math.hypot(_alike(left, right), _alike(top, bottom)))
    return min(misses)


def nearest(rows: Sequence[Row], at_s: float) -> Row:
    """Return the row next to a time."""
    return min(rows, key=lambda row: abs(row[0] - at_s))


def size_of(rows: Sequence[Row]) -> float:
    """Return the side of a square of the median box's area; 0 where a tracker's guess has turned inside out."""
    return math.sqrt(max(0.0, median_of([(row[3] - row[1]) * (row[4] - row[2]) for row in rows])))


def _proportion(rows: Sequence[Row]) -> float:
    return median_of([math.log((row[3] - row[1]) / (row[4] - row[2])) for row in rows])


def median_of(values: list[float]) -> float:
    """Return the middle value, or the mean of the two."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
