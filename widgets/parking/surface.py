"""What one draws bays on: a camera's picture in fractions, or the plan in metres, also as it lies on the map."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, QSizeF
from PySide6.QtGui import QTransform

from core.kernel.geo import GeoPoint, to_mercator
from core.parking.model import Outline, Point
from widgets.map.tile_grid import RectM
from widgets.map.view import MapView

_MARGIN = 0.88
_MIN_PX_PER_M, _MAX_PX_PER_M = 0.05, 400.0
_EMPTY_PLAN_M = 60.0
GRID_STEPS_M = (0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0)
_MIN_GRID_PX = 22.0


class Surface(Protocol):
    """The way between points that are drawn and pixels of the window; `PictureView` is one as well."""

    @property
    def size(self) -> QSizeF:
        """Of the window [px]."""

    def to_px(self, point: Point) -> QPointF:
        """Return where a point is drawn."""

    def to_point(self, at: QPointF) -> Point:
        """Return the point under a pixel."""

    def transform(self) -> QTransform:
        """Return `to_px` for many points at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A window onto a plan: x to the right and y up [m], turned where it is shown as it lies on the earth.

    Attributes:
        middle: The point of the plan in the middle of the window.
        turn_deg: Clockwise, of the plan's y axis from straight up.
    """

    size: QSizeF
    px_per_m: float = 10.0
    middle: Point = (0.0, 0.0)
    turn_deg: float = 0.0

    def to_px(self, point: Point) -> QPointF:
        """Return where a point of the plan is drawn."""
        right, up = self._turned(point[0] - self.middle[0], point[1] - self.middle[1], self.turn_deg)
        return QPointF(self.size.width() / 2 + right * self.px_per_m, self.size.height() / 2 - up * self.px_per_m)

    def to_point(self, at: QPointF) -> Point:
        """Return the point of the plan under a pixel."""
        right = (at.x() - self.size.width() / 2) / self.px_per_m
        up = (self.size.height() / 2 - at.y()) / self.px_per_m
        x, y = self._turned(right, up, -self.turn_deg)
        return self.middle[0] + x, self.middle[1] + y

    def transform(self) -> QTransform:
        """Return `to_px` for many points at once."""
        turn = math.radians(self.turn_deg)
        cos, sin = math.cos(turn) * self.px_per_m, math.sin(turn) * self.px_per_m
        x, y = self.middle
        dx = self.size.width() / 2 - (x * cos + y * sin)
        dy = self.size.height() / 2 + (y * cos - x * sin)
        return QTransform(cos, sin, sin, -cos, dx, dy)

    def zoomed(self, factor: float, at: QPointF) -> PlanView:
        """Zoom so that the point under `at` stays there."""
        kept = self.to_point(at)
        nearer = replace(self, px_per_m=min(_MAX_PX_PER_M, max(_MIN_PX_PER_M, self.px_per_m * factor)))
        now = nearer.to_point(at)
        return replace(nearer, middle=(nearer.middle[0] + kept[0] - now[0], nearer.middle[1] + kept[1] - now[1]))

    def panned(self, dx_px: float, dy_px: float) -> PlanView:
        """Move the plan with the pointer."""
        dx, dy = self._turned(dx_px / self.px_per_m, -dy_px / self.px_per_m, -self.turn_deg)
        return replace(self, middle=(self.middle[0] - dx, self.middle[1] - dy))

    def fitted(self, outlines: Iterable[Outline]) -> PlanView:
        """Show all of these; a plan without any shows its origin."""
        points = [self._turned(x, y, self.turn_deg) for outline in outlines for x, y in outline]
        if not points:
            side = max(40.0, min(self.size.width(), self.size.height()))
            return replace(self, middle=(0.0, 0.0), px_per_m=side * _MARGIN / _EMPTY_PLAN_M)
        xs, ys = [x for x, _ in points], [y for _, y in points]
        width, height = max(max(xs) - min(xs), 5.0), max(max(ys) - min(ys), 5.0)
        scale = min(max(40.0, self.size.width()) / width, max(40.0, self.size.height()) / height) * _MARGIN
        middle = self._turned((max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2, -self.turn_deg)
        return replace(self, middle=middle, px_per_m=min(_MAX_PX_PER_M / 4, max(_MIN_PX_PER_M, scale)))

    def grid_m(self) -> float:
        """Return the distance of grid lines that can be told apart."""
        return next((step for step in GRID_STEPS_M if step * self.px_per_m >= _MIN_GRID_PX), GRID_STEPS_M[-1])

    def seen(self) -> QRectF:
        """Return the part of the plan that is in the window [m], as an upright rectangle."""
        size = self.size
        corners = [self.to_point(QPointF(x, y)) for x in (0.0, size.width()) for y in (0.0, size.height())]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        return QRectF(QPointF(min(xs), min(ys)), QPointF(max(xs), max(ys)))

    def map_view(self, origin: GeoPoint) -> MapView:
        """Return the part of the earth that is in the window, where the plan's origin lies at `origin`.

        A lot is small: within it Mercator stretches evenly.
        """
        stretch = 1.0 / math.cos(math.radians(origin.lat_deg))
        x_m, y_m = to_mercator(origin)
        east, north = self._turned(*self.middle, self.turn_deg)
        x_m, y_m = x_m + east * stretch, y_m + north * stretch
        half_x = self.size.width() / 2 / self.px_per_m * stretch
        half_y = self.size.height() / 2 / self.px_per_m * stretch
        return MapView(
            rect=RectM(x_m - half_x, y_m - half_y, x_m + half_x, y_m + half_y),
            width_px=self.size.width(),
            height_px=self.size.height(),
        )

    @staticmethod
    def _turned(x: float, y: float, deg: float) -> Point:
        if not deg:
            return x, y
        sine, cosine = math.sin(math.radians(deg)), math.cos(math.radians(deg))
        return x * cosine + y * sine, y * cosine - x * sine
