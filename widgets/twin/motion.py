"""Cars that drive in and out: time-based, and only while they are on their way. No Qt, no VTK."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DRIVE_S = 0.9
"""Of one car into its bay; long enough to be seen, short enough not to be waited for."""


class Cars:
    """How far in its bay the car of each bay is.

    Attributes:
        presence: 0 for no car, 1 for a parked one, shape (n,).
    """

    def __init__(self, n_bays: int) -> None:
        self.presence: NDArray[np.float64] = np.zeros(n_bays)
        self._target: NDArray[np.float64] = np.zeros(n_bays)

    @property
    def is_moving(self) -> bool:
        """Whether a car is on its way."""
        return bool(np.any(self.presence != self._target))

    def head_for(self, is_occupied: NDArray[np.bool_], *, at_once: bool) -> None:
        """Say where cars belong from now on."""
        self._target = is_occupied.astype(np.float64)
        if at_once:
            self.presence = self._target.copy()

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        step = seconds / DRIVE_S
        self.presence += np.clip(self._target - self.presence, -step, step)

    def reach(self, here: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how far cars still stand out of their bays, in lengths of a bay, and how large they have grown."""
        share = self.presence[here]
        eased = share * share * (3.0 - 2.0 * share)
        return 1.0 - eased, np.clip(share * 4.0, 0.0, 1.0)
