"""Outlines on a plan or a picture: measured, checked, set in rows, and carried from one surface to another."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np

from core.kernel.errors import BadInputError
from core.parking.model import Outline, Point

MAX_ROW = 200
_TRAILING_NUMBER = re.compile(r"^(.*?)(\d+)$")


class Projection(Protocol):
    """Carries a point from one surface to another."""

    def __call__(self, point: Point) -> Point:
        """Return where the point lies there."""


def area_of(outline: Outline) -> float:
    """Return the area inside, in squares of the outline's own unit; what crosses itself counts partly against itself.

    Source: the shoelace formula.
    """
    return abs(_signed_area(outline))


def middle_of(outline: Outline) -> Point:
    """Return the middle of the corners."""
    return sum(x for x, _ in outline) / len(outline), sum(y for _, y in outline) / len(outline)


def crosses_itself(outline: Outline) -> bool:
    """Tell whether two sides that are no neighbours meet."""
    sides = list(zip(outline, (*outline[1:], outline[0]), strict=True))
    corners = np.asarray(outline, np.float64)
    ends = np.roll(corners, -1, axis=0)
    low, high = np.minimum(corners, ends), np.maximum(corners, ends)
    # Only sides whose upright boxes touch can meet: few of many.
    are_apart = (low[:, None] > high[None]).any(axis=2)
    pairs = np.argwhere(np.triu(~(are_apart | are_apart.T), k=2)).tolist()
    last = len(sides) - 1
    return any(_meet(*sides[first], *sides[second]) for first, second in pairs if (first, second) != (0, last))


def holds(outline: Outline, point: Point) -> bool:
    """Tell whether a point lies inside, by the even-odd rule."""
    x, y = point
    is_inside = False
    for (x1, y1), (x2, y2) in zip(outline, (*outline[1:], outline[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            is_inside = not is_inside
    return is_inside


def row_of(quad: Outline, n_bays: int) -> tuple[Outline, ...]:
    """Divide a row of bays evenly, as it would look in perspective where its sides are not parallel.

    Args:
        quad: Front from the first bay to the last, then the back from the last to the first.
        n_bays: 1 to `MAX_ROW`.

    Raises:
        BadInputError: The corners span no row, or the count is out of bounds.
    """
    if not 1 <= n_bays <= MAX_ROW:
        raise BadInputError(f"A row has 1 to {MAX_ROW} bays; {n_bays} were asked for.")
    if len(quad) != 4 or crosses_itself(quad) or area_of(quad) == 0.0:
        raise BadInputError(
            "These corners span no row.", hint="Set the front from end to end, then the back, beginning where you are."
        )
    unit: Outline = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    carry = carrier(unit, quad)
    edges = [index / n_bays for index in range(n_bays + 1)]
    return tuple(
        (carry((left, 0.0)), carry((right, 0.0)), carry((right, 1.0)), carry((left, 1.0)))
        for left, right in pairwise(edges)
    )


def row_quad(front: tuple[Point, Point], depth: float, angle_deg: float = 90.0) -> Outline:
    """Return the corners of a row by its front and depth; a row lies left of its front as one goes along it, y up.

    Args:
        front: From the first bay's corner to the last one's.
        depth: Across the row, in the points' unit; negative lays it on the other side.
        angle_deg: Between front and the sides of a bay; 90 for a straight row, 45 or 60 where bays stand aslant.
    """
    (x1, y1), (x2, y2) = front
    length = math.hypot(x2 - x1, y2 - y1)
    if length == 0.0:
        return (*front, front[1], front[0])
    along = ((x2 - x1) / length, (y2 - y1) / length)
    lean = depth / math.tan(math.radians(angle_deg)) if angle_deg != 90.0 else 0.0
    dx = along[0] * lean - along[1] * depth
    dy = along[1] * lean + along[0] * depth
    return (x1, y1), (x2, y2), (x2 + dx, y2 + dy), (x1 + dx, y1 + dy)


def carrier(source: Sequence[Point], target: Sequence[Point]) -> Projection:
    """Return the homography through at least four pairs of points; more are met as well as they can be.

    What would lie behind the camera is carried to infinity.

    Raises:
        BadInputError: There are fewer than four pairs, or three of four lie on one line.

    Source: the direct linear transform (Hartley and Zisserman, 2004, section 4.1), normalised.
    """
    hint = "Choose the corners of the lot, or four bays' corners that are far from each other."
    if len(source) != len(target) or len(source) < 4:
        raise BadInputError("Four pairs of points are needed.", hint=hint)
    for points in (source, target):
        if len(source) == 4 and any(_is_flat(points, left_out) for left_out in range(4)):
            raise BadInputError("Three of the four points are on one line.", hint=hint)
    first, from_source = _normalised(source)
    second, from_target = _normalised(target)
    rows = []
    for (x, y), (u, v) in zip(first.tolist(), second.tolist(), strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, -u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, -v])
    solution = np.linalg.svd(np.asarray(rows, np.float64))[2][-1].reshape(3, 3)
    found = np.linalg.inv(from_target) @ solution @ from_source
    # Positive in front of the camera, whichever sign the solution came with.
    matrix = (found * np.sign(found[2] @ np.append(np.asarray(source, np.float64).mean(axis=0), 1.0))).tolist()

    def carry(point: Point) -> Point:
        x, y = point
        u, v, w = (row[0] * x + row[1] * y + row[2] for row in matrix)
        return (u / w, v / w) if w > 1e-12 else (math.inf, math.inf)

    return carry


def labels_from(first: str, n_labels: int, step: int = 1) -> tuple[str, ...]:
    """Count on from a label that ends in a number: "A07" gives A07, A08, …; one without counts from 1.

    Leading zeros stay; a number below zero ends the count at fewer labels.
    """
    found = _TRAILING_NUMBER.match(first)
    head, start, width = (found[1], int(found[2]), len(found[2])) if found else (first, 1, 1)
    numbers = (start + index * step for index in range(n_labels))
    return tuple(f"{head}{number:0{width}d}" for number in numbers if number >= 0)


def label_key(label: str) -> tuple[tuple[int, int | str], ...]:
    """Sort labels as people do: A2 stands before A10."""
    parts = re.split(r"(\d+)", label)
    return tuple((0, int(part)) if part.isdecimal() else (1, part.lower()) for part in parts if part)


def _signed_area(outline: Outline) -> float:
    pairs = zip(outline, (*outline[1:], outline[0]), strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs) / 2


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    return (_side(a, b, c) > 0) != (_side(a, b, d) > 0) and (_side(c, d, a) > 0) != (_side(c, d, b) > 0)


def _is_flat(points: Sequence[Point], left_out: int) -> bool:
    a, b, c = (point for index, point in enumerate(points) if index != left_out)
    longest = max(math.dist(a, b), math.dist(b, c), math.dist(c, a))
    return longest == 0.0 or abs(_side(a, b, c)) / longest**2 < 0.005


def _normalised(points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
    array = np.asarray(points, np.float64)
    middle = array.mean(axis=0)
    spread = float(np.linalg.norm(array - middle, axis=1).mean()) or 1.0
    scale = math.sqrt(2.0) / spread
    matrix = np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1.0]])
    return (array - middle) * scale, matrix
