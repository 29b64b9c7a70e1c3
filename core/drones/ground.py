"""Distances and outlines on the ground around a drone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.kernel.geo import EARTH_RADIUS_M, GeoPoint


def distance_m(a: GeoPoint, b: GeoPoint) -> float:
    """Return the way along the ground [m].

    Source: haversine formula on the sphere of the equator's radius; within 0.6 % of the ellipsoid.
    """
    lat_a, lat_b = math.radians(a.lat_deg), math.radians(b.lat_deg)
    half_lat = math.sin((lat_b - lat_a) / 2.0)
    half_lon = math.sin(math.radians(b.lon_deg - a.lon_deg) / 2.0)
    h = half_lat * half_lat + math.cos(lat_a) * math.cos(lat_b) * half_lon * half_lon
    return 2.0 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))


def is_inside(point: GeoPoint, corners: Sequence[GeoPoint]) -> bool:
    """Return whether a position lies in an outline of some kilometres, not closed, at least three corners.

    Source: crossings of a ray to the east; longitudes are taken around the position, so the date line is no border.
    """
    x, y = 0.0, point.lat_deg
    is_in = False
    places = [((corner.lon_deg - point.lon_deg + 180.0) % 360.0 - 180.0, corner.lat_deg) for corner in corners]
    for (x_a, y_a), (x_b, y_b) in zip(places, (*places[1:], places[0]), strict=True):
        if (y_a > y) != (y_b > y) and x < (x_b - x_a) * (y - y_a) / (y_b - y_a) + x_a:
            is_in = not is_in
    return is_in
