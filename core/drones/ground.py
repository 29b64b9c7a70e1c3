"""Distances and outlines on the ground around a drone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.kernel.geo import EARTH_RADIUS_M, GeoPoint

FARTHEST_SEEN_M = 2_000.0
"""Beyond this a camera's picture shows too little to call it seen."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Where a drone's camera is, and where it looks.

    Attributes:
        height_m: Above the ground that it looks at.
        heading_deg: Of the middle of the picture, clockwise from true north.
        pitch_deg: Of the middle of the picture; 0 is the horizon, -90 straight down.
        h_fov_deg, v_fov_deg: Across, and up and down.
    """

    point: GeoPoint
    height_m: float
    heading_deg: float
    pitch_deg: float
    h_fov_deg: float
    v_fov_deg: float


def seen_ground(looking: Looking) -> tuple[GeoPoint, ...]:
    """Return the four corners of flat ground in the picture, clockwise from its upper left; empty where it sees none.

    What lies farther than `FARTHEST_SEEN_M`, or over the horizon, is cut off there.
    """
    if looking.height_m <= 0.0 or not 0.0 < looking.h_fov_deg < 180.0 or not 0.0 < looking.v_fov_deg < 180.0:
        return ()
    across, along = math.tan(math.radians(looking.h_fov_deg / 2)), math.tan(math.radians(looking.v_fov_deg / 2))
    rays = [_ray(looking, right, up) for right, up in _corners(across, along)]
    if all(down <= 0.0 for _, _, down in rays):
        return ()
    return tuple(_landing(looking, ray) for ray in rays)


def moved(point: GeoPoint, east_m: float, north_m: float) -> GeoPoint:
    """Return the place that lies so far away, for ways of some kilometres."""
    lat_deg = point.lat_deg + math.degrees(north_m / EARTH_RADIUS_M)
    across_m = EARTH_RADIUS_M * max(1e-6, math.cos(math.radians(point.lat_deg)))
    lon_deg = point.lon_deg + math.degrees(east_m / across_m)
    return GeoPoint(max(-90.0, min(90.0, lat_deg)), (lon_deg + 180.0) % 360.0 - 180.0)


def _corners(across: float, along: float) -> tuple[tuple[float, float], ...]:
    return ((-across, along), (across, along), (across, -along), (-across, -along))


def _ray(looking: Looking, right: float, up: float) -> tuple[float, float, float]:
    """Return where a corner of the picture looks: east, north, down, of any length."""
    pitch, heading = math.radians(looking.pitch_deg), math.radians(looking.heading_deg)
    forward = math.cos(pitch) - up * math.sin(pitch)
    down = -(math.sin(pitch) + up * math.cos(pitch))
    east = forward * math.sin(heading) + right * math.cos(heading)
    north = forward * math.cos(heading) - right * math.sin(heading)
    return east, north, down


def _landing(looking: Looking, ray: tuple[float, float, float]) -> GeoPoint:
    east, north, down = ray
    along = math.hypot(east, north)
    reach_m = along * looking.height_m / down if down > 0.0 else math.inf
    reach_m = min(reach_m, FARTHEST_SEEN_M)
    share = reach_m / along if along > 1e-9 else 0.0
    return moved(looking.point, east * share, north * share)
