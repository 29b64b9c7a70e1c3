"""A knock: how a vehicle's own pixels changed their movement within a third of a second.

A network's box is off by a pixel or two in every picture, so a change of movement is seen in boxes only over a second,
and a vehicle that is seen for less, or that nobody finds again after an impact, is never judged. Corners inside its box
are followed to a tenth of a pixel: two pictures before a moment and two after it are enough. Boxes say where to look:
corners of all vehicles in all pictures would cost as much as a tenth of the network.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.vision.collision_evidence import BORDER, Row, Vector, clearness, median_of, size_of
from core.vision.scene_rule import Grey

_KEEP_S = 1.8
_N_SIDE = 2
"""Pictures on each side of the moment."""

_LONGEST_STEP_S = 0.4
_LEAST_WIDTH_PX = 320
"""In a smaller picture a vehicle has no corners to follow."""

_HINT = 0.9
"""Change of the box's movement, sizes per second, from which the pixels are asked."""

_MOVES_AT = 0.6
_UNSTEADY, _SLACK = 0.6, 0.2
"""Share of its speed, and sizes per second, by which the steps before may differ, and the box and its corners."""

_HELD, _GOES_ON = 0.1, 0.35
"""Corners that stand at once while the box goes on, as shares of the speed before: they are of a pole before it."""

_GROWTH = (0.85, 1.0, 1.15)
"""What coming nearer or going away does to a speed on the picture within a third of a second."""

_CLIPPED = 0.12
_N_CORNERS, _FEWEST_CORNERS, _LEAST_SHARE = 24, 4, 0.2
_QUALITY, _APART = 0.02, 0.08
_RETURNS_PX = 0.8
"""A corner that is followed there and back comes home this nearly, or it was lost."""

_BESIDE_BOX_PX = 2.0
"""From so near a corner comes to the same place."""

_WINDOW_PX, _REACH, _LEAST_REACH_PX = 13, 1.2, 24
_N_KEPT_STEPS = 256


_Picture = tuple[float, Grey]
"""With its time."""


@dataclass(frozen=True, slots=True)
class _Step:
    """Movement from one picture to the next, picture heights per second.

    Attributes:
        spread: How far half of the corners are off it.
        box: Movement of the middle of the box.
    """

    velocity: Vector
    spread: float
    box: Vector


class KnockSense:
    """The last two seconds of one camera's pictures."""

    def __init__(self) -> None:
        """Start without a picture."""
        self._pictures: deque[_Picture] = deque()
        self._steps: dict[tuple[float, Row], _Step | None] = {}

    def see(self, now_s: float, picture: NDArray[np.uint8] | None) -> None:
        """Take one picture, shape (h, w, 3) or (h, w); of a small one, or none, nothing can be told."""
        if picture is None or max(picture.shape[:2]) < _LEAST_WIDTH_PX:
            self._pictures.clear()
            return
        # A copy: the caller's memory may hold the next picture soon.
        self._pictures.append((now_s, np.array(picture if picture.ndim == 2 else picture[:, :, 1], order="C")))
        while now_s - self._pictures[0][0] > _KEEP_S:
            self._pictures.popleft()

    def forget(self) -> None:
        """Begin anew after a cut or a gap."""
        self._pictures.clear()

    @property
    def pictures(self) -> tuple[tuple[float, Grey], ...]:
        """What it holds, oldest first, each with its time."""
        return tuple(self._pictures)

    def knock(self, rows: Sequence[Row], at_s: float) -> float:
        """Return the change of movement at a moment that no driver makes, sizes per second; 0 where there is none.

        Args:
            rows: Of one vehicle around the moment, oldest first.
            at_s: The moment: the time of one of the rows.
        """
        around = _around(rows, at_s)
        if around is None or _hint(*around) < _HINT:
            return 0.0
        until, since = around
        following = [*since, None][: _N_SIDE + 1]
        if not all(self._pictures_of(*step) for step in [*pairwise(until), *pairwise(following)]):
            return 0.0
        chosen = [*until, *since[1:]]
        clear, size = clearness(chosen), size_of(chosen[: 2 * _N_SIDE])
        if not clear:
            return 0.0
        before = self._steps_of(until)
        if len(until) == _N_SIDE and before:
            before = [*self._step_to(until[0], before[0].box), *before]
        # Following costs more than all else: what came after is looked at only where something drove there before.
        if len(before) < _N_SIDE or not _drove(before, size):
            return 0.0
        after = self._steps_of(following)
        return clear * _weigh(before, after, size) if len(after) >= _N_SIDE else 0.0

    def _steps_of(self, rows: Sequence[Row | None]) -> list[_Step]:
        """Return the steps from each row to the next, up to the first that cannot be told."""
        steps: list[_Step] = []
        for row, following in pairwise(rows):
            step = None if row is None else self._step(row, following)
            if step is None:
                break
            steps.append(step)
        return steps

    def _step_to(self, row: Row, box: Vector) -> list[_Step]:
        """Return how a vehicle came to where it was first seen: a tracker shows it with its second picture only."""
        index = next((index for index, (time_s, _) in enumerate(self._pictures) if abs(time_s - row[0]) < 1e-6), None)
        if not index:
            return []
        (start_s, start), (end_s, end) = self._pictures[index - 1], self._pictures[index]
        if start.shape != end.shape or end_s - start_s > _LONGEST_STEP_S:
            return []
        dt_s = end_s - start_s
        x, y = box[0] * dt_s, box[1] * dt_s
        earlier = (start_s, row[1] - x, row[2] - y, row[3] - x, row[4] - y, row[5])
        back = _follow(end, start, row, earlier, dt_s)
        return [] if back is None else [_Step((-back.velocity[0], -back.velocity[1]), back.spread, box)]

    def _step(self, row: Row, following: Row | None) -> _Step | None:
        pictures = self._pictures_of(row, following)
        if pictures is None:
            return None
        (start_s, start), (end_s, end) = pictures
        key = (end_s, row)
        if key not in self._steps:
            if len(self._steps) >= _N_KEPT_STEPS:
                self._steps.clear()
            self._steps[key] = _follow(start, end, row, following, end_s - start_s)
        return self._steps[key]

    def _pictures_of(self, row: Row | None, following: Row | None) -> tuple[_Picture, _Picture] | None:
        """Return the picture of a row and the next one; None where nobody can be followed from one to the other."""
        if row is None:
            return None
        first = next((index for index, (at_s, _) in enumerate(self._pictures) if abs(at_s - row[0]) < 1e-6), None)
        if first is None or first + 1 >= len(self._pictures):
            return None
        start, end = self._pictures[first], self._pictures[first + 1]
        if start[1].shape != end[1].shape or end[0] - start[0] > _LONGEST_STEP_S or _is_cut_off(row, start[1].shape):
            return None
        return None if following is not None and abs(following[0] - end[0]) > 1e-6 else (start, end)


def is_hint(rows: Sequence[Row], at_s: float) -> bool:
    """Return whether a vehicle's boxes changed their movement so much that its pixels are worth asking.

    Args:
        rows: As `KnockSense.knock` takes them.
        at_s: Likewise.
    """
    around = _around(rows, at_s)
    return around is not None and _hint(*around) >= _HINT


def _around(rows: Sequence[Row], at_s: float) -> tuple[Sequence[Row], Sequence[Row]] | None:
    """Return the rows until a moment and those since, both with its own; None where nothing is on one side of it."""
    middle = next((index for index, row in enumerate(rows) if abs(row[0] - at_s) < 1e-6), None)
    if not middle or middle + 1 >= len(rows):
        return None
    return rows[max(0, middle - _N_SIDE) : middle + 1], rows[middle : middle + _N_SIDE + 1]


def _hint(until: Sequence[Row], since: Sequence[Row]) -> float:
    """Return how much the box changed its movement at the moment that both hold, sizes per second."""
    return math.dist(_way(until), _way(since)) / size_of([since[0]])


def _way(rows: Sequence[Row]) -> Vector:
    """Return the mean movement of the middle of a box, picture heights per second."""
    begin_s, left, top, right, bottom, _ = rows[0]
    end_s, x1, y1, x2, y2, _ = rows[-1]
    return (x1 + x2 - left - right) / 2 / (end_s - begin_s), (y1 + y2 - top - bottom) / 2 / (end_s - begin_s)


def _drove(before: Sequence[_Step], size: float) -> bool:
    """Return whether the corners belong to a vehicle that drove."""
    own, box = _mean([step.velocity for step in before], size), _mean([step.box for step in before], size)
    speed = math.hypot(*own)
    if speed < _MOVES_AT:
        return False
    allowed = _UNSTEADY * speed + _SLACK
    is_unsteady = any(math.dist(_mean([step.velocity], size), own) > allowed / 2 for step in before)
    return not (is_unsteady or math.dist(own, box) > allowed or _parts(before, size, speed))


def _weigh(before: Sequence[_Step], after: Sequence[_Step], size: float) -> float:
    """Return the knock of a vehicle that drove; 0 where the corners do not belong to it any more."""
    own = _mean([step.velocity for step in before], size)
    then, box_then = _mean([step.velocity for step in after], size), _mean([step.box for step in after], size)
    speed = math.hypot(*own)
    if _parts(after, size, speed):
        return 0.0
    if math.hypot(*then) < _HELD * speed and math.hypot(*box_then) > _GOES_ON * speed:
        return 0.0
    return min(_change(own, then, growth) for growth in _GROWTH)


def _parts(steps: Sequence[_Step], size: float, speed: float) -> bool:
    """Return whether corners part over several pictures: a vehicle that was hit turns, and in one of them they may."""
    return sum(step.spread for step in steps) / len(steps) / size > _UNSTEADY * speed


def _mean(velocities: Sequence[Vector], size: float) -> Vector:
    n = len(velocities) * size
    return sum(x for x, _ in velocities) / n, sum(y for _, y in velocities) / n


def _change(before: Vector, after: Vector, growth: float) -> float:
    """Return the length of the change without what is speeding up: that drivers do."""
    x, y = after[0] - growth * before[0], after[1] - growth * before[1]
    along = max(0.0, (x * before[0] + y * before[1]) / math.hypot(*before))
    return math.sqrt(max(0.0, x * x + y * y - along * along))


def _follow(start: Grey, end: Grey, row: Row, following: Row | None, dt_s: float) -> _Step | None:
    """Follow a vehicle's corners from one picture to the next; None where too few are found again."""
    import cv2

    height, width = start.shape
    if _is_cut_off(row, start.shape):
        return None
    x1, y1, x2, y2 = (side * height for side in row[1:5])
    box = (0.0, 0.0)
    if following is not None:
        box = (
            (following[1] + following[3] - row[1] - row[3]) / 2 * height,
            (following[2] + following[4] - row[2] - row[4]) / 2 * height,
        )
    # Around the vehicle only: the pyramid of a whole picture costs more than following.
    reach = max(_LEAST_REACH_PX, _REACH * max(x2 - x1, y2 - y1))
    left, top = max(0, int(x1 - reach)), max(0, int(y1 - reach))
    right, bottom = min(width, int(x2 + reach)), min(height, int(y2 + reach))
    first, second = (np.ascontiguousarray(grey[top:bottom, left:right]) for grey in (start, end))
    inner_x, inner_y = _CLIPPED * (x2 - x1), _CLIPPED * (y2 - y1)
    column, line = max(0, int(x1 + inner_x) - left), max(0, int(y1 + inner_y) - top)
    inside = first[line : int(y2 - inner_y) + 1 - top, column : int(x2 - inner_x) + 1 - left]
    if min(inside.shape) < 5:
        return None
    apart = max(2.0, _APART * min(x2 - x1, y2 - y1))
    found = cv2.goodFeaturesToTrack(np.ascontiguousarray(inside), _N_CORNERS, _QUALITY, apart)
    if found is None:
        return None
    corners = np.asarray(found, np.float32).reshape(-1, 2) + np.array([column, line], np.float32)
    moved = _moved(first, second, corners, box)
    if len(moved) < max(_FEWEST_CORNERS, _LEAST_SHARE * len(corners)):
        return None
    x, y = median_of(moved[:, 0].tolist()), median_of(moved[:, 1].tolist())
    spread = median_of(np.hypot(moved[:, 0] - x, moved[:, 1] - y).tolist())
    scale = 1 / (height * dt_s)
    return _Step((x * scale, y * scale), spread * scale, (box[0] * scale, box[1] * scale))


def _is_cut_off(row: Row, shape: tuple[int, ...]) -> bool:
    height, width = shape
    return min(row[1], row[2], width / height - row[3], 1 - row[4]) < BORDER


def _moved(first: Grey, second: Grey, corners: NDArray[np.float32], box: Vector) -> NDArray[np.float32]:
    """Return how far the corners moved [px], shape (k, 2), of those that are found again.

    Twice: from where they were, for the box may be wrong, and from where the box went, for that may be far. Who is
    found where the box went is not looked for from there again.
    """
    off = np.array(box, np.float32)
    end, error = _there_and_back(first, second, corners, np.zeros(2, np.float32), 3)
    again = np.flatnonzero(np.isinf(error) | (np.abs(end - corners - off).max(axis=1) > _BESIDE_BOX_PX))
    if again.size:
        other_end, other_error = _there_and_back(first, second, corners[again], off, 1)
        is_better = other_error < error[again]
        end[again[is_better]], error[again[is_better]] = other_end[is_better], other_error[is_better]
    moved: NDArray[np.float32] = (end - corners)[np.isfinite(error)]
    return moved


def _there_and_back(
    first: Grey, second: Grey, corners: NDArray[np.float32], off: NDArray[np.float32], n_levels: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where corners are that are looked for `off` from where they were, and how unlike; infinite where lost."""
    import cv2

    window, flags = (_WINDOW_PX, _WINDOW_PX), cv2.OPTFLOW_USE_INITIAL_FLOW
    end, is_there, error = cv2.calcOpticalFlowPyrLK(
        first, second, corners, corners + off, winSize=window, maxLevel=n_levels, flags=flags
    )
    home, is_back, _ = cv2.calcOpticalFlowPyrLK(
        second, first, end, end - off, winSize=window, maxLevel=n_levels, flags=flags
    )
    is_found = (is_there.ravel() == 1) & (is_back.ravel() == 1)
    is_found &= np.abs(home - corners).max(axis=1) < _RETURNS_PX
    return end, np.where(is_found, error.ravel(), np.float32(np.inf))
