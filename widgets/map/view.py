"""The rectangle of the earth on the screen, and the way between metres and pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.kernel.geo import EARTH_RADIUS_M, GeoPoint, from_mercator
from widgets.map.tile_grid import HALF_WORLD_M, RectM

MIN_RESOLUTION_M = 0.05
"""The nearest one can look: Mercator metres of a pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapView:
    """What is in the window; pixels are device-independent, y down."""

    rect: RectM
    width_px: float
    height_px: float

    @property
    def resolution_m(self) -> float:
        """Mercator metres of one pixel."""
        return (self.rect.right - self.rect.left) / max(self.width_px, 1.0)

    @property
    def ground_m(self) -> float:
        """Metres on the ground of one pixel, at the middle of the view: Mercator stretches by 1/cos(latitude)."""
        middle_y = min(HALF_WORLD_M, max(-HALF_WORLD_M, (self.rect.bottom + self.rect.top) / 2))
        return self.resolution_m / math.cosh(middle_y / EARTH_RADIUS_M)

    def to_px(self, x_m: float, y_m: float) -> tuple[float, float]:
        """Return where a place is drawn."""
        scale = 1.0 / self.resolution_m
        return (x_m - self.rect.left) * scale, (self.rect.top - y_m) * scale

    def to_m(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Return the place under a pixel."""
        return self.rect.left + x_px * self.resolution_m, self.rect.top - y_px * self.resolution_m

    def point_at(self, x_px: float, y_px: float) -> GeoPoint | None:
        """Return the position under a pixel, or None off the map."""
        x_m, y_m = self.to_m(x_px, y_px)
        if abs(x_m) > HALF_WORLD_M or abs(y_m) > HALF_WORLD_M:
            return None
        return from_mercator(x_m, y_m)

    def grown(self, margin_px: float) -> RectM:
        """Return the rectangle with a margin, for symbols that reach in from outside."""
        margin_m = margin_px * self.resolution_m
        return RectM(
            self.rect.left - margin_m, self.rect.bottom - margin_m, self.rect.right + margin_m, self.rect.top + margin_m
        )


def scale_bar(ground_m: float, max_px: float) -> tuple[float, float]:
    """Pick a round length for the scale bar.

    Returns:
        Length on the ground [m]: 1, 2 or 5 times a power of ten; and on the screen [px], at most `max_px`.
    """
    longest_m = max(ground_m, 1e-9) * max_px
    power = 10.0 ** math.floor(math.log10(longest_m))
    length_m = next(step * power for step in (5.0, 2.0, 1.0) if step * power <= longest_m * (1 + 1e-9))
    return length_m, length_m / ground_m


def length_text(length_m: float) -> str:
    """Write a length with its unit, e.g. "200 m" or "5 km"."""
    return f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"


def position_text(point: GeoPoint) -> str:
    """Write a position, e.g. "36.00123° N  30.00045° W"."""
    north = "N" if point.lat_deg >= 0 else "S"
    east = "E" if point.lon_deg >= 0 else "W"
    return f"{abs(point.lat_deg):8.5f}° {north} {abs(point.lon_deg):9.5f}° {east}"
