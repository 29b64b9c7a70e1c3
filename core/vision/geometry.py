"""Points, lines and polygons on a picture, in picture heights: x times the aspect, so that lengths are true."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]


def scale_points(points: Sequence[Point], aspect: float) -> NDArray[np.float64]:
    """Turn fractions of the frame into picture heights; shape (n, 2)."""
    scaled: NDArray[np.float64] = np.asarray(points, np.float64).reshape(-1, 2) * np.array([aspect, 1.0])
    return scaled


def are_inside(points: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which points lie in a polygon, by the even-odd rule.

    Args:
        points: Shape (n, 2).
        polygon: Shape (m, 2), open or closed.

    Source: the crossing-number test (Franklin, PNPOLY), vectorised over points and edges.
    """
    if not len(points):
        return np.zeros(0, bool)
    x, y = points[:, 0][:, None], points[:, 1][:, None]
    x1, y1 = polygon[:, 0][None], polygon[:, 1][None]
    x2, y2 = np.roll(polygon[:, 0], -1)[None], np.roll(polygon[:, 1], -1)[None]
    straddles = (y1 > y) != (y2 > y)
    run = np.where(y2 == y1, 1.0, y2 - y1)
    is_left = x < (x2 - x1) * (y - y1) / run + x1
    inside: NDArray[np.bool_] = (straddles & is_left).sum(axis=1) % 2 == 1
    return inside


def distance_to_outline(point: Point, polygon: NDArray[np.float64]) -> float:
    """Return how far a point is from a polygon's outline, inside as outside.

    Args:
        point: In the polygon's units.
        polygon: Shape (m, 2), open or closed.
    """
    along = np.roll(polygon, -1, axis=0) - polygon
    to_point = np.asarray(point) - polygon
    share = (to_point * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-12)
    apart = to_point - np.clip(share, 0.0, 1.0)[:, None] * along
    return float(np.hypot(apart[:, 0], apart[:, 1]).min())


def distance_right_of(point: Point, start: Point, end: Point) -> float:
    """Return the distance of a point from the line through `start` and `end`; positive on its right side, y down.

    Raises:
        ZeroDivisionError: The line has no length.
    """
    dx, dy = end[0] - start[0], end[1] - start[1]
    return (dx * (point[1] - start[1]) - dy * (point[0] - start[0])) / math.hypot(dx, dy)


def position_along(point: Point, start: Point, end: Point) -> float:
    """Return where the point's foot lies on the line: 0 at `start`, 1 at `end`."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    return ((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / (dx * dx + dy * dy)
