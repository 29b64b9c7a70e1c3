"""Where a camera hangs and how it looks, as a road plane alone tells: height, heading, tilt and opening."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.vision.plane import Plane

LEAST_LEAN = 0.03
"""A camera whose picture hardly leans says nothing of its own opening: that one has to be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraPose:
    """How a camera hangs over the plane it looks at.

    Attributes:
        east_m, north_m: Of the camera, in the plane's metres.
        height_m: Over the plane.
        heading_deg: Where it looks, clockwise from the plane's second axis.
        tilt_deg: Down from the horizon; 90 looks straight down.
        view_angle_deg: Horizontal opening.
    """

    east_m: float
    north_m: float
    height_m: float
    heading_deg: float
    tilt_deg: float
    view_angle_deg: float


def pose_of(plane: Plane, view_angle_deg: float) -> CameraPose | None:
    """Return how the camera hangs that sees this plane; None where no camera could see it like this.

    Args:
        plane: Solved, its ground right-handed.
        view_angle_deg: Taken for granted where the picture looks straight down: it tells no opening then.

    Source: Zhang, A flexible new technique for camera calibration, 2000, section 3.1, with square pixels and the
    optical axis in the middle of the picture.
    """
    to_middle = np.array([[1.0, 0.0, -plane.aspect / 2], [0.0, 1.0, -0.5], [0.0, 0.0, 1.0]])
    homography = to_middle @ plane.to_picture
    # Of the scale that is left free: the plane's middle as large in the third row as in the others.
    homography = homography / np.linalg.norm(homography[:, :2])
    focal = _focal(homography, plane.aspect, view_angle_deg)
    columns = homography / np.array([[focal], [focal], [1.0]])
    scale = (np.linalg.norm(columns[:, 0]) + np.linalg.norm(columns[:, 1])) / 2
    columns = columns / scale
    rough = np.column_stack((columns[:, 0], columns[:, 1], np.cross(columns[:, 0], columns[:, 1])))
    left, _, right = np.linalg.svd(rough)
    turn = left @ right
    if np.linalg.det(turn) < 0.0:
        return None
    at = -turn.T @ columns[:, 2]
    if not np.isfinite(at).all() or at[2] <= 0.0:
        return None
    ahead = turn.T @ np.array((0.0, 0.0, 1.0))
    # One that looks straight down has its heading upwards in the picture.
    flat = ahead[:2] if math.hypot(*ahead[:2]) > 1e-6 else -(turn.T @ np.array((0.0, 1.0, 0.0)))[:2]
    return CameraPose(
        east_m=float(at[0]),
        north_m=float(at[1]),
        height_m=float(at[2]),
        heading_deg=math.degrees(math.atan2(flat[0], flat[1])) % 360.0,
        tilt_deg=math.degrees(math.asin(max(-1.0, min(1.0, -float(ahead[2]))))),
        view_angle_deg=math.degrees(2.0 * math.atan(plane.aspect / 2 / focal)),
    )


def _focal(homography: np.ndarray, aspect: float, view_angle_deg: float) -> float:
    """Return the focal length in picture heights."""
    (a1, a2), (b1, b2), (c1, c2) = homography[:, :2].tolist()
    usual = aspect / 2 / math.tan(math.radians(min(170.0, view_angle_deg)) / 2)
    if math.hypot(c1, c2) < LEAST_LEAN * math.hypot(a1, a2, b1, b2):
        return usual
    # Two columns of a turn: at right angles, and of one length.
    across, along = a1 * a2 + b1 * b2, a1**2 + b1**2 - a2**2 - b2**2
    lean_across, lean_along = c1 * c2, c1**2 - c2**2
    squared = -(across**2 + along**2) / (across * lean_across + along * lean_along or -math.inf)
    return math.sqrt(squared) if squared > 0.0 else usual
