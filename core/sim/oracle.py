"""A camera whose place is known exactly, and vehicles made of boxes on a flat road: what measures are held against.

The ground's x runs to the right of the road's way and y along it [m]; the camera's foot is at (0, 0).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.vision.model import BBox, PicturePoint, PlanePoint, RoadPlane

ASPECT = 16 / 9
FRAME_HEIGHT_PX = 720

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleVehicle:
    """The box that a vehicle fills [m]; a saloon car unless said otherwise."""

    length_m: float = 4.5
    width_m: float = 1.8
    height_m: float = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleCamera:
    """A pinhole camera over the road.

    Attributes:
        tilt_deg: Below the horizon.
        yaw_deg: To the right of the road's way.
        focal: Focal length in picture heights; 1.2 is a lens of 45 degrees top to bottom.
    """

    height_m: float
    tilt_deg: float
    yaw_deg: float
    focal: float = 1.2

    def see(self, points_m: Array) -> Array:
        """Return where points x, y, z [m] are seen, fractions of the frame, shape (n, 2); NaN behind the camera."""
        tilt, yaw = math.radians(self.tilt_deg), math.radians(self.yaw_deg)
        right = np.array([math.cos(yaw), -math.sin(yaw), 0.0])
        ahead = np.array([math.sin(yaw) * math.cos(tilt), math.cos(yaw) * math.cos(tilt), -math.sin(tilt)])
        down = np.cross(ahead, right)
        beside = np.asarray(points_m, np.float64) - np.array([0.0, 0.0, self.height_m])
        depth = beside @ ahead
        depth = np.where(depth > 0.1, depth, np.nan)
        x = 0.5 + self.focal * (beside @ right) / depth / ASPECT
        y = 0.5 + self.focal * (beside @ down) / depth
        return np.column_stack((x, y))

    def see_point(self, ground_m: tuple[float, float]) -> PicturePoint:
        """Return where a point of the road is seen."""
        x, y = self.see(np.array([[*ground_m, 0.0]]))[0].tolist()
        return x, y

    def see_box(self, place_m: tuple[float, float], heading_rad: float, vehicle: OracleVehicle) -> BBox | None:
        """Return the box of a vehicle, cut at the picture's edge; None where less than half of it is to be seen.

        Args:
            place_m: Middle of its footprint.
            heading_rad: Clockwise from the road's way.
            vehicle: How large it is.
        """
        along = np.array([math.sin(heading_rad), math.cos(heading_rad)])
        across = np.array([along[1], -along[0]])
        corners = [
            [*(np.array(place_m) + a * along * vehicle.length_m / 2 + b * across * vehicle.width_m / 2), z]
            for a in (-1, 1)
            for b in (-1, 1)
            for z in (0.0, vehicle.height_m)
        ]
        seen = self.see(np.array(corners))
        if np.isnan(seen).any():
            return None
        whole = np.concatenate((seen.min(axis=0), seen.max(axis=0)))
        cut = np.clip(whole, 0.0, 1.0)
        area, shown = np.prod(whole[2:] - whole[:2]), np.prod(cut[2:] - cut[:2])
        if shown < 0.5 * area:
            return None
        x1, y1, x2, y2 = cut.tolist()
        return x1, y1, x2, y2

    def calibrate(
        self, ground_m: Sequence[tuple[float, float]], *, noise_px: float = 0.0, rng: np.random.Generator | None = None
    ) -> RoadPlane:
        """Return the road plane as an operator would set it on these places, clicks off by `noise_px`."""
        chance = rng or np.random.default_rng(0)
        points = []
        for place in ground_m:
            x, y = self.see_point(place)
            off_x, off_y = (chance.normal(0.0, 1.0, 2) * noise_px / FRAME_HEIGHT_PX).tolist()
            points.append(PlanePoint(picture=(x + off_x / ASPECT, y + off_y), ground_xy_m=place))
        return RoadPlane(points=tuple(points))
