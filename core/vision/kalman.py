"""A constant-velocity Kalman filter for many boxes at once, in seconds.

Centre x, centre y, width and height move independently, so the covariance of one box is four 2x2 blocks; all boxes are
columns of the same few arrays and a step costs the same few numpy calls whatever their number.

Units: picture heights (x is multiplied by the aspect before it comes here) and seconds of picture time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MEASUREMENT_STD = 0.04
"""Noise of a detector's box edges, in box sizes."""

ACCELERATION_STD = np.array([4.0, 4.0, 2.0, 2.0])
"""White acceleration of cx, cy, w, h in box sizes per s^1.5; a car that comes near the camera grows this fast."""

FIRST_VELOCITY_STD = np.array([8.0, 8.0, 3.0, 3.0])
"""What a vehicle seen once may do, in box sizes per second."""


@dataclass(slots=True)
class BoxStates:
    """Estimates of n boxes; rows are boxes, columns cx, cy, w, h.

    Attributes:
        position: Shape (n, 4).
        velocity: Per second, shape (n, 4).
        var_position, covariance, var_velocity: The 2x2 blocks, each (n, 4).
    """

    position: Array
    velocity: Array
    var_position: Array
    covariance: Array
    var_velocity: Array

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.position)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> BoxStates:
        """Return a copy of some rows."""
        return BoxStates(
            self.position[rows],
            self.velocity[rows],
            self.var_position[rows],
            self.covariance[rows],
            self.var_velocity[rows],
        )

    def put(self, rows: NDArray[np.intp], other: BoxStates) -> None:
        """Overwrite some rows."""
        self.position[rows] = other.position
        self.velocity[rows] = other.velocity
        self.var_position[rows] = other.var_position
        self.covariance[rows] = other.covariance
        self.var_velocity[rows] = other.var_velocity


def start_states(boxes: Array) -> BoxStates:
    """Begin with boxes seen once.

    Args:
        boxes: x1, y1, x2, y2 in picture heights, shape (n, 4).
    """
    position = to_centres(boxes)
    size = sizes(position)[:, None]
    return BoxStates(
        position=position,
        velocity=np.zeros_like(position),
        var_position=np.repeat((2 * MEASUREMENT_STD * size) ** 2, 4, axis=1),
        covariance=np.zeros_like(position),
        var_velocity=(FIRST_VELOCITY_STD * size) ** 2,
    )


def join_states(first: BoxStates, second: BoxStates) -> BoxStates:
    """Return all boxes of both."""
    return BoxStates(
        np.concatenate([first.position, second.position]),
        np.concatenate([first.velocity, second.velocity]),
        np.concatenate([first.var_position, second.var_position]),
        np.concatenate([first.covariance, second.covariance]),
        np.concatenate([first.var_velocity, second.var_velocity]),
    )


def predict(states: BoxStates, dt_s: float) -> BoxStates:
    """Move every box on by `dt_s` seconds.

    Source: continuous white-noise acceleration, Bar-Shalom, Estimation with Applications, eq. 6.2.2-12.
    """
    density = (ACCELERATION_STD * sizes(states.position)[:, None]) ** 2
    position = states.position + states.velocity * dt_s
    position[:, 2:] = np.maximum(position[:, 2:], 1e-4)
    return BoxStates(
        position=position,
        velocity=states.velocity,
        var_position=states.var_position
        + 2 * dt_s * states.covariance
        + dt_s**2 * states.var_velocity
        + density * dt_s**3 / 3,
        covariance=states.covariance + dt_s * states.var_velocity + density * dt_s**2 / 2,
        var_velocity=states.var_velocity + density * dt_s,
    )


def correct(states: BoxStates, boxes: Array) -> BoxStates:
    """Bring every box together with what was measured.

    Args:
        states: Predicted, n boxes.
        boxes: x1, y1, x2, y2 in picture heights, shape (n, 4), one per state.
    """
    measured = to_centres(boxes)
    noise = (MEASUREMENT_STD * sizes(measured)[:, None]) ** 2
    total = states.var_position + noise
    gain_position = states.var_position / total
    gain_velocity = states.covariance / total
    surprise = measured - states.position
    return BoxStates(
        position=states.position + gain_position * surprise,
        velocity=states.velocity + gain_velocity * surprise,
        var_position=(1 - gain_position) * states.var_position,
        covariance=(1 - gain_position) * states.covariance,
        var_velocity=states.var_velocity - gain_velocity * states.covariance,
    )


def forget_velocity(states: BoxStates) -> BoxStates:
    """Keep where the boxes are, and know nothing of how they move; after a gap in the pictures."""
    return start_states(to_corners(states.position))


def to_centres(boxes: Array) -> Array:
    """Turn x1, y1, x2, y2 into cx, cy, w, h; shape (n, 4)."""
    centres = np.empty((len(boxes), 4))
    centres[:, :2] = (boxes[:, :2] + boxes[:, 2:4]) / 2
    centres[:, 2:] = boxes[:, 2:4] - boxes[:, :2]
    return centres


def to_corners(centres: Array) -> Array:
    """Turn cx, cy, w, h into x1, y1, x2, y2; shape (n, 4)."""
    half = centres[:, 2:] / 2
    return np.concatenate([centres[:, :2] - half, centres[:, :2] + half], axis=1)


def sizes(centres: Array) -> Array:
    """Return the side of a square of the same area; shape (n,)."""
    size: Array = np.sqrt(np.maximum(centres[:, 2] * centres[:, 3], 1e-8))
    return size
