"""Places on the earth and on the map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EARTH_RADIUS_M = 6_378_137.0
MAX_MERCATOR_LAT_DEG = 85.051_128_779_806_6


@dataclass(frozen=True, slots=True)
class GeoPoint:
    """A WGS-84 position."""

    lat_deg: float
    lon_deg: float

    def __post_init__(self) -> None:
        """Refuse positions that are not on the earth."""
        if not (math.isfinite(self.lat_deg) and math.isfinite(self.lon_deg)):
            raise ValueError(f"position {self.lat_deg}, {self.lon_deg} is not finite")
        if abs(self.lat_deg) > 90.0 or abs(self.lon_deg) > 180.0:
            raise ValueError(f"position {self.lat_deg}, {self.lon_deg} is off the earth")


def to_mercator(point: GeoPoint) -> tuple[float, float]:
    """Project to Web Mercator.

    Returns:
        x east and y north [m]. Latitudes beyond the projection's edge are clamped to it.

    Source: EPSG method 1024 (Popular Visualisation Pseudo-Mercator).
    """
    lat = max(-MAX_MERCATOR_LAT_DEG, min(MAX_MERCATOR_LAT_DEG, point.lat_deg))
    x = math.radians(point.lon_deg) * EARTH_RADIUS_M
    y = math.log(math.tan(math.pi / 4 + math.radians(lat) / 2)) * EARTH_RADIUS_M
    return x, y


def to_mercator_many(points: Sequence[GeoPoint]) -> NDArray[np.float64]:
    """Project many positions at once, as `to_mercator` does.

    Returns:
        x east and y north [m], shape (n, 2).
    """
    lat = np.radians(np.fromiter((point.lat_deg for point in points), dtype=np.float64, count=len(points)))
    lon = np.radians(np.fromiter((point.lon_deg for point in points), dtype=np.float64, count=len(points)))
    edge = math.radians(MAX_MERCATOR_LAT_DEG)
    y = np.log(np.tan(np.pi / 4 + np.clip(lat, -edge, edge) / 2))
    return np.column_stack((lon, y)) * EARTH_RADIUS_M


def from_mercator(x_m: float, y_m: float) -> GeoPoint:
    """Invert `to_mercator`."""
    lon = math.degrees(x_m / EARTH_RADIUS_M)
    lat = math.degrees(2 * math.atan(math.exp(y_m / EARTH_RADIUS_M)) - math.pi / 2)
    return GeoPoint(lat, max(-180.0, min(180.0, lon)))
