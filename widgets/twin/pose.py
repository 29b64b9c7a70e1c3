"""Where the scene is seen from: orbit, pan, zoom, flights, and what lies under a pixel. No Qt, no VTK."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

VIEW_ANGLE_DEG = 32.0
"""Of the picture's height; as a lens of 63 mm sees, so that far bays do not shrink to nothing."""

MIN_ELEVATION_DEG, MAX_ELEVATION_DEG = 6.0, 89.9
MIN_DISTANCE_M, MAX_DISTANCE_M = 6.0, 6000.0
FRAMED_RIM = 1.12
"""So much farther off than needed: names and the legend lie around what is framed."""

N_CENTRINGS = 4

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """A point of the scene that is looked at, and from where.

    Attributes:
        x_m, y_m, z_m: The point in the middle of the picture.
        distance_m: Of the eye to it.
        azimuth_deg: Where one looks to, clockwise from north.
        elevation_deg: Of the eye over the ground; 90 looks straight down.
    """

    x_m: float = 0.0
    y_m: float = 0.0
    z_m: float = 0.0
    distance_m: float = 100.0
    azimuth_deg: float = 20.0
    elevation_deg: float = 40.0

    @property
    def focus(self) -> Vector:
        """The point that is looked at [m], shape (3,)."""
        return np.array((self.x_m, self.y_m, self.z_m))

    @property
    def forward(self) -> Vector:
        """The way one looks, shape (3,), length 1."""
        azimuth, elevation = math.radians(self.azimuth_deg), math.radians(self.elevation_deg)
        flat = math.cos(elevation)
        return np.array((math.sin(azimuth) * flat, math.cos(azimuth) * flat, -math.sin(elevation)))

    @property
    def right(self) -> Vector:
        """To the right in the picture, shape (3,), length 1."""
        azimuth = math.radians(self.azimuth_deg)
        return np.array((math.cos(azimuth), -math.sin(azimuth), 0.0))

    @property
    def up(self) -> Vector:
        """Upwards in the picture, shape (3,), length 1."""
        return np.cross(self.right, self.forward)

    @property
    def eye(self) -> Vector:
        """Where one looks from [m], shape (3,)."""
        return self.focus - self.forward * self.distance_m


def orbit(pose: Pose, turn_deg: float, rise_deg: float) -> Pose:
    """Go around the point that is looked at, and up or down."""
    elevation = min(MAX_ELEVATION_DEG, max(MIN_ELEVATION_DEG, pose.elevation_deg + rise_deg))
    return replace(pose, azimuth_deg=(pose.azimuth_deg + turn_deg) % 360.0, elevation_deg=elevation)


def pan(pose: Pose, right_m: float, ahead_m: float) -> Pose:
    """Move over the ground, as seen from here."""
    azimuth = math.radians(pose.azimuth_deg)
    return replace(
        pose,
        x_m=pose.x_m + right_m * math.cos(azimuth) + ahead_m * math.sin(azimuth),
        y_m=pose.y_m - right_m * math.sin(azimuth) + ahead_m * math.cos(azimuth),
    )


def zoom(pose: Pose, factor: float, towards: Vector | None = None) -> Pose:
    """Come closer (factor above 1) or go away; a point `towards` stays where it is in the picture."""
    distance_m = min(MAX_DISTANCE_M, max(MIN_DISTANCE_M, pose.distance_m / factor))
    if towards is None:
        return replace(pose, distance_m=distance_m)
    kept = distance_m / pose.distance_m
    x_m = towards[0] + (pose.x_m - towards[0]) * kept
    y_m = towards[1] + (pose.y_m - towards[1]) * kept
    return replace(pose, x_m=float(x_m), y_m=float(y_m), distance_m=distance_m)


def framing(low: Vector, high: Vector, aspect: float, pose: Pose) -> Pose:
    """Return `pose`, its directions kept, moved so that the box from `low` to `high` [m] fills the picture.

    Width of the picture by its height is `aspect`.
    """
    centre = (low + high) / 2
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    found = replace(pose, x_m=float(centre[0]), y_m=float(centre[1]), z_m=float(centre[2]))
    found = replace(found, distance_m=_distance_for(corners, aspect, found))
    for _ in range(N_CENTRINGS):
        # What is near looks larger: the middle of the box is not the middle of its picture.
        around = corners - found.eye
        depth = around @ found.forward
        if np.any(depth <= 0.0):
            break
        sideways, upwards = around @ found.right / depth, around @ found.up / depth
        lean = max(0.25, math.sin(math.radians(found.elevation_deg)))
        right_m = float(sideways.max() + sideways.min()) / 2 * found.distance_m
        ahead_m = float(upwards.max() + upwards.min()) / 2 * found.distance_m / lean
        found = pan(found, right_m, ahead_m)
        found = replace(found, distance_m=_distance_for(corners, aspect, found))
    return found


def _distance_for(corners: Vector, aspect: float, pose: Pose) -> float:
    """Return from how far off all corners are seen, with a rim."""
    around = corners - pose.focus
    tan_y = math.tan(math.radians(VIEW_ANGLE_DEG / 2))
    wide = np.abs(around @ pose.right) / (tan_y * aspect)
    high_up = np.abs(around @ pose.up) / tan_y
    needed = float((np.maximum(wide, high_up) - around @ pose.forward).max())
    return min(MAX_DISTANCE_M, max(MIN_DISTANCE_M, needed * FRAMED_RIM))


def between(begin: Pose, end: Pose, share: float) -> Pose:
    """Return where a flight is; it starts and lands slowly, and turns the short way.

    Args:
        begin: At share 0.
        end: At share 1.
        share: Of the time.
    """
    if share >= 1.0:
        return end
    eased = share * share * (3.0 - 2.0 * share)
    turn_deg = (end.azimuth_deg - begin.azimuth_deg + 180.0) % 360.0 - 180.0

    def mix(a: float, b: float) -> float:
        return a + (b - a) * eased

    return Pose(
        x_m=mix(begin.x_m, end.x_m),
        y_m=mix(begin.y_m, end.y_m),
        z_m=mix(begin.z_m, end.z_m),
        distance_m=begin.distance_m * (end.distance_m / begin.distance_m) ** eased,
        azimuth_deg=(begin.azimuth_deg + turn_deg * eased) % 360.0,
        elevation_deg=mix(begin.elevation_deg, end.elevation_deg),
    )


def px_per_m(depth_m: Vector, height_px: float) -> Vector:
    """Return how large a metre is so far before the eye, in a picture of this height; shape as `depth_m`."""
    return np.asarray(height_px / 2 / math.tan(math.radians(VIEW_ANGLE_DEG / 2)) / depth_m)


def project(pose: Pose, points: Vector, width_px: float, height_px: float) -> tuple[Vector, Vector]:
    """Return where points lie in the picture.

    Args:
        pose: The picture is seen from here.
        points: In the scene [m], shape (n, 3).
        width_px: Of the picture.
        height_px: Of the picture.

    Returns:
        x to the right and y downwards [px], shape (n, 2), and how far before the eye each lies [m], shape (n,); what
        is not before the eye has a depth of 0 or less, and no place.
    """
    around = np.asarray(points, dtype=np.float64) - pose.eye
    depth = around @ pose.forward
    safe = np.where(depth > 1e-6, depth, 1.0)
    scale = height_px / 2 / math.tan(math.radians(VIEW_ANGLE_DEG / 2))
    x = width_px / 2 + around @ pose.right / safe * scale
    y = height_px / 2 - around @ pose.up / safe * scale
    return np.column_stack((x, y)), depth


def ray(pose: Pose, x_px: float, y_px: float, width_px: float, height_px: float) -> Vector:
    """Return the direction in which a pixel lies as seen from the eye, shape (3,), length 1."""
    scale = math.tan(math.radians(VIEW_ANGLE_DEG / 2)) * 2 / height_px
    way = pose.forward + pose.right * (x_px - width_px / 2) * scale - pose.up * (y_px - height_px / 2) * scale
    return np.asarray(way / np.linalg.norm(way))


def on_plane(pose: Pose, way: Vector, height_m: float) -> Vector | None:
    """Return where a ray from the eye meets the plane at this height [m], shape (3,); None where it never does."""
    eye = pose.eye
    if abs(way[2]) < 1e-9:
        return None
    length_m = (height_m - eye[2]) / way[2]
    return np.asarray(eye + way * length_m) if length_m > 0.0 else None
