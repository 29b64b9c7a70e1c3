"""A track in three dimensions as the drawing process is told it; no Qt, no VTK."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.kernel.geo import EARTH_RADIUS_M
from widgets.twin.model import Rgb, SceneOrder

LEAST_BOX_M = 60.0
GRID_STEPS_M = (10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
MAX_GRID_LINES = 24
MAX_DRAWN = 2000


@dataclass(frozen=True, slots=True)
class ShowTrack(SceneOrder):
    """To the drawing process: draw this track.

    Attributes:
        points: East, north and height [m] around the first one, shape (n, 3), float32; what has no height is left out.
        colors: Of each point, shape (n, 3), uint8.
        marker: Where the drone is, east, north and height [m]; None where nobody knows.
        heading_deg: Where the marker points to; NaN where that is not known.
        ink: Of grid, curtain and marker.
    """

    points: NDArray[np.float32] = field(repr=False)
    colors: NDArray[np.uint8] = field(repr=False)
    marker: tuple[float, float, float] | None
    heading_deg: float
    ink: Rgb

    @property
    def low(self) -> NDArray[np.float64]:
        """The lowest corner of the box around the track [m], shape (3,)."""
        return self._box()[0]

    @property
    def high(self) -> NDArray[np.float64]:
        """The highest corner of that box [m], shape (3,)."""
        return self._box()[1]

    def _box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points = self.points.astype(np.float64) if len(self.points) else np.zeros((1, 3))
        low, high = points.min(axis=0), points.max(axis=0)
        room = np.maximum(0.0, (LEAST_BOX_M - (high - low)) / 2)
        room[2] = 0.0
        low, high = low - room, high + room
        low[2] = min(low[2], 0.0)
        return low, high


def local_points(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points of a track in metres around its first one.

    Args:
        rows: Web Mercator x and y [m], instant [s], height [m], …; shape (n, at least 4).

    Returns:
        East, north, height [m], shape (n, 3); a height that is not known is NaN.
    """
    if not len(rows):
        return np.empty((0, 3))
    # Mercator stretches by 1/cos(latitude), and cosh(y/R) is 1/cos(latitude).
    scale = 1.0 / math.cosh(rows[0, 1] / EARTH_RADIUS_M)
    east_north = (rows[:, :2] - rows[0, :2]) * scale
    return np.column_stack((east_north, rows[:, 3]))


def grid_step_m(low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    """Return how far the lines of the ground lie apart."""
    span = float(max(high[0] - low[0], high[1] - low[1]))
    return next((step for step in GRID_STEPS_M if span / step <= MAX_GRID_LINES), GRID_STEPS_M[-1])


def thinned(n: int) -> NDArray[np.intp]:
    """Return which of n points are drawn: all, or evenly chosen ones with both ends."""
    return np.unique(np.linspace(0, n - 1, min(n, MAX_DRAWN)).astype(np.intp)) if n else np.empty(0, dtype=np.intp)
