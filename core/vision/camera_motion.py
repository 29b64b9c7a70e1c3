"""How a camera itself moves between two pictures: swaying masts, presets that are driven to.

Sparse optical flow on a small grey picture and a similarity fitted to it, about 2 ms; `cv2` is imported when the first
picture comes, so that cameras without it never pay for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.vision.kalman import BoxStates

_GREY_WIDTH_PX = 320
_MIN_POINTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """A similarity in fractions of the picture's height: p -> scale * R(angle) p + shift.

    Attributes:
        shift_xy: In picture heights.
    """

    scale: float = 1.0
    angle_rad: float = 0.0
    shift_xy: tuple[float, float] = (0.0, 0.0)


class CameraMotionEstimator:
    """Keeps the last small picture of one camera and compares the next one with it."""

    def __init__(self) -> None:
        """Start without a picture."""
        self._previous: NDArray[np.uint8] | None = None

    def estimate(self, rgb: NDArray[np.uint8]) -> Motion | None:
        """Return the movement since the last picture, or None where it cannot be told.

        Args:
            rgb: Shape (h, w, 3), without borders.
        """
        import cv2

        step = max(1, rgb.shape[1] // _GREY_WIDTH_PX)
        grey: NDArray[np.uint8] = np.ascontiguousarray(rgb[::step, ::step, 1])
        previous, self._previous = self._previous, grey
        if previous is None or previous.shape != grey.shape:
            return None
        corners: Any = cv2.goodFeaturesToTrack(previous, maxCorners=200, qualityLevel=0.01, minDistance=5)
        if corners is None or len(corners) < _MIN_POINTS:
            return None
        moved, status, _ = cv2.calcOpticalFlowPyrLK(previous, grey, corners, None, winSize=(15, 15), maxLevel=2)
        is_found = status.ravel() == 1
        if is_found.sum() < _MIN_POINTS:
            return None
        height = grey.shape[0]
        # RANSAC takes what most of the picture does; vehicles are the outliers.
        matrix, inliers = cv2.estimateAffinePartial2D(
            corners[is_found] / height, moved[is_found] / height, ransacReprojThreshold=1.5 / height
        )
        if matrix is None or inliers.mean() < 0.5:
            return None
        return Motion(
            scale=float(np.hypot(matrix[0, 0], matrix[1, 0])),
            angle_rad=float(np.arctan2(matrix[1, 0], matrix[0, 0])),
            shift_xy=(float(matrix[0, 2]), float(matrix[1, 2])),
        )


def move_states(states: BoxStates, motion: Motion) -> BoxStates:
    """Move predicted boxes along with the camera; sizes scale, velocities turn."""
    cos, sin = np.cos(motion.angle_rad) * motion.scale, np.sin(motion.angle_rad) * motion.scale
    turn = np.array([[cos, -sin], [sin, cos]])
    position, velocity = states.position.copy(), states.velocity.copy()
    position[:, :2] = position[:, :2] @ turn.T + np.array(motion.shift_xy)
    position[:, 2:] *= motion.scale
    velocity[:, :2] = velocity[:, :2] @ turn.T
    velocity[:, 2:] *= motion.scale
    return BoxStates(position, velocity, states.var_position, states.covariance, states.var_velocity)
