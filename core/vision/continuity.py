"""Whether vehicles go on from one picture to the next: where none does, time jumped while the camera stood still.

A stream that stalls, an encoder that leaves out a group of pictures, a recorder that lost seconds and a file that
begins again show the same street at another time. To a tracker that looks like a crash, and where traffic fills the
picture, hardly more of it changes than in any fifth of a second. But a crash changes how two or three vehicles move: in
the next picture each is still found near where it was going, and so is everybody else. After a jump in time nobody is.

Every vehicle that drives is looked for by its look, in the next picture and in the one before. That takes a tenth of a
millisecond for each, so it is asked only where a collision is about to be told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from core.vision.collision_evidence import Row, Trace, Vector, median_of, size_of
from core.vision.scene_rule import Grey

_DRIVES_AT = 0.5
"""Sizes per second; who stands is found again at any time."""

_WAY_S, _N_WAY = 0.55, 3
"""Where it was going is known of a vehicle seen in so many pictures within so long a time."""

_REACH = 0.8
"""Sizes around where it was going: an impact puts nobody further off within a fifth of a second."""

_SIDE_PX, _LEAST_SIDE_PX = 16, 6
"""To which a vehicle's look is reduced: enough to tell it from the road and from most of the others."""

_FLAT = 5.0
"""Grey levels; what differs less within itself is found anywhere."""

_INSIDE = 0.7
"""Of the vehicle, that has to be in the picture where it is looked for."""

_AROUND_S = 0.85
_FEWEST, _FEWEST_BESIDE = 2, 3
"""Searches at a jump, and beside it."""

_LEAST_DROP, _DROP_OF_ONE = 0.13, 0.4
"""Of the mean correlation at a jump; by chance that of many searches drops by less than that of one."""

_LEAST_DROP_SEEN, _DROP_OF_ONE_SEEN = 0.1, 0.25
"""Where more of the picture changes as well than around it."""

_MOST_LONGER = 2.0
"""Over a step that is longer than others, where the stream left out pictures and said so, looks change by more."""

Picture = tuple[float, Grey]
"""With its time."""


@dataclass(frozen=True, slots=True)
class _Step:
    """How well vehicles are found again from one picture to the next: correlations, each vehicle each way."""

    at_s: float
    lasts_s: float
    found: list[float]


def jumped_s(
    pictures: Sequence[Picture],
    traces: Collection[Trace],
    start_s: float,
    end_s: float,
    stands_out: Callable[[float], bool],
) -> float | None:
    """Return the time of the first picture after the last jump in time; None where vehicles go on all the time.

    Args:
        pictures: Of one camera, oldest first.
        traces: Of its vehicles.
        start_s: Only jumps from here on.
        end_s: Until here. What comes after has to be known as well.
        stands_out: Whether with the picture of a time more changed than with those around it.
    """
    times = [time_s for time_s, _ in pictures]
    steps = [
        _Step(time_s, time_s - times[index], _found(pictures, index + 1, traces))
        for index, time_s in enumerate(times[1:])
    ]
    for index in reversed(range(len(steps))):
        step = steps[index]
        if not start_s <= step.at_s <= end_s or len(step.found) < _FEWEST:
            continue
        longer = step.lasts_s / median_of([other.lasts_s for other in steps])
        least = _least_drop(len(step.found), is_seen=stands_out(step.at_s))
        if _drop(steps, index) > min(_MOST_LONGER, max(1.0, longer)) * least:
            return step.at_s
    return None


def _least_drop(n_searches: int, *, is_seen: bool) -> float:
    least, of_one = (_LEAST_DROP_SEEN, _DROP_OF_ONE_SEEN) if is_seen else (_LEAST_DROP, _DROP_OF_ONE)
    return max(least, of_one / math.sqrt(n_searches))


def _drop(steps: Sequence[_Step], index: int) -> float:
    """Return by how much vehicles are found less well at a step than before it and after it, right beside as well.

    A vehicle that rolls over, and a picture that is broken, are found less well more than once.
    """
    now = steps[index]
    before = [each.found for each in reversed(steps[:index]) if now.at_s - each.at_s <= _AROUND_S]
    after = [each.found for each in steps[index + 1 :] if each.at_s - now.at_s <= _AROUND_S]
    return min(_level(before), _level(after)) - sum(now.found) / len(now.found)


def _level(beside: Sequence[Sequence[float]]) -> float:
    """Return how well vehicles are found on one side of a step, right beside it or on the whole; nearest first."""
    all_found: list[float] = []
    level = math.inf
    for found in beside:
        has_enough = len(all_found) >= _FEWEST_BESIDE
        all_found += found
        if not has_enough and all_found:
            level = sum(all_found) / len(all_found)
    return min(level, sum(all_found) / len(all_found)) if all_found else 0.0


def _found(pictures: Sequence[Picture], index: int, traces: Collection[Trace]) -> list[float]:
    """Return how well the vehicles of a picture are found in the one before, and those in the one before in it."""
    (before_s, before), (after_s, after) = pictures[index - 1], pictures[index]
    if before.shape != after.shape:
        return []
    found = []
    for trace in traces:
        if trace.is_weak:
            continue
        rows = trace.between(before_s - _WAY_S, before_s)
        if _drives(rows) and rows[-1][0] >= before_s - 1e-6:
            found.append(_likeness(before, after, rows[-1], _way(rows, after_s - before_s)))
        # A tracker shows a new vehicle with its second picture.
        is_new = index + 1 < len(pictures) and trace.rows[0][0] >= pictures[index + 1][0] - 1e-6
        start_s, start = pictures[index + is_new]
        rows = trace.between(start_s, start_s + _WAY_S)
        if _drives(rows) and rows[0][0] <= start_s + 1e-6 and start.shape == before.shape:
            found.append(_likeness(start, before, rows[0], _way(rows, before_s - start_s)))
    return [likeness for likeness in found if likeness is not None]


def _drives(rows: Sequence[Row]) -> bool:
    """Return whether a vehicle drives, as far as is known."""
    return len(rows) >= _N_WAY and math.hypot(*_way(rows, 1.0)) >= _DRIVES_AT * max(size_of(rows), 1e-6)


def _way(rows: Sequence[Row], dt_s: float) -> Vector:
    """Return how far the middle of a box goes in a time, picture heights."""
    begin_s, left, top, right, bottom, _ = rows[0]
    end_s, x1, y1, x2, y2, _ = rows[-1]
    share = dt_s / (end_s - begin_s) / 2
    return (x1 + x2 - left - right) * share, (y1 + y2 - top - bottom) * share


def _likeness(start: Grey, end: Grey, row: Row, way: Vector) -> float | None:
    """Return the best correlation of a vehicle with what is near where it went; None where it cannot be looked for."""
    import cv2

    high, wide = start.shape
    left, top = max(0, round(row[1] * high)), max(0, round(row[2] * high))
    right, bottom = min(wide, round(row[3] * high)), min(high, round(row[4] * high))
    width, height = right - left, bottom - top
    x, y = way[0] * high, way[1] * high
    inside_x, inside_y = min(wide, right + x) - max(0, left + x), min(high, bottom + y) - max(0, top + y)
    if min(width, height) < _LEAST_SIDE_PX or inside_x < _INSIDE * width or inside_y < _INSIDE * height:
        return None
    size = math.sqrt(width * height)
    reach = _REACH * size
    look = start[top:bottom, left:right]
    place = end[
        max(0, int(top + y - reach)) : int(bottom + y + reach) + 1,
        max(0, int(left + x - reach)) : int(right + x + reach) + 1,
    ]
    share = min(1.0, _SIDE_PX / size)
    look_wh = max(_LEAST_SIDE_PX, round(width * share)), max(_LEAST_SIDE_PX, round(height * share))
    place_wh = round(place.shape[1] * look_wh[0] / width), round(place.shape[0] * look_wh[1] / height)
    if place_wh[0] < look_wh[0] or place_wh[1] < look_wh[1]:
        return None
    small = cv2.resize(look, look_wh, interpolation=cv2.INTER_AREA)
    if float(np.std(small)) < _FLAT:
        return None
    around = cv2.resize(place, place_wh, interpolation=cv2.INTER_AREA)
    return float(cv2.matchTemplate(around, small, cv2.TM_CCOEFF_NORMED).max())
