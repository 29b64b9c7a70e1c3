"""What every quantity of every drone was in the last minutes, as this console heard it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from core.drones.model import QUANTITIES, DroneState

STEP_S = 0.5
N_STEPS = 1200
"""Ten minutes of each quantity: 5 kB, made when it is said for the first time."""

BATTERY_KEY = "battery_percent"
KEYS = (BATTERY_KEY, *QUANTITIES)


class QuantityHistory:
    """Keeps the last ten minutes of drones, by key; silence is a gap, never a line.

    Threads: the GUI's.
    """

    def __init__(self) -> None:
        self._rings: dict[tuple[str, str], NDArray[np.float64]] = {}
        self._heads: dict[tuple[str, str], int] = {}

    def add(self, states: Iterable[DroneState]) -> None:
        """Note what is new; of several values in half a second the newest counts."""
        for state in states:
            for key, measured in state.values.items():
                self._note(state.drone_id, key, measured.at, measured.value)
            percent = state.battery_percent
            if percent is not None:
                self._note(state.drone_id, BATTERY_KEY, max(pack.at for pack in state.batteries), percent)

    def keep_only(self, drone_ids: Collection[str]) -> None:
        """Let go of drones that were removed."""
        for key in [key for key in self._rings if key[0] not in drone_ids]:
            del self._rings[key], self._heads[key]

    def clear(self) -> None:
        """Forget everything: another flight is replayed, or an earlier moment of it."""
        self._rings.clear()
        self._heads.clear()

    def keys(self, drone_id: str) -> tuple[str, ...]:
        """Return what was said of a drone, in the order of `KEYS`."""
        return tuple(key for key in KEYS if (drone_id, key) in self._rings)

    def series(self, drone_id: str, key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return instants [s since 1970] and values, oldest first, shapes (n,); a gap has a NaN in it."""
        ring = self._rings.get((drone_id, key))
        if ring is None:
            return np.empty(0), np.empty(0)
        head = self._heads[drone_id, key]
        rolled = np.roll(ring, -(head + 1), axis=0)
        rolled = rolled[np.isfinite(rolled[:, 0])]
        at_s, values = rolled[:, 0], rolled[:, 1]
        gaps = np.flatnonzero(np.diff(at_s) > _gap_s(key)) + 1
        return np.insert(at_s, gaps, at_s[gaps] - STEP_S), np.insert(values, gaps, np.nan)

    def _note(self, drone_id: str, key: str, at: datetime, value: float) -> None:
        name = (drone_id, key)
        ring = self._rings.get(name)
        if ring is None:
            ring = self._rings[name] = np.full((N_STEPS, 2), np.nan)
            self._heads[name] = -1
        head, at_s = self._heads[name], at.timestamp()
        before_s = ring[head, 0] if head >= 0 else -np.inf
        if at_s < before_s:
            return
        if at_s // STEP_S != before_s // STEP_S:
            head = self._heads[name] = (head + 1) % N_STEPS
        ring[head] = at_s, value


def _gap_s(key: str) -> float:
    quantity = QUANTITIES.get(key)
    return 10.0 if quantity is None else max(2.0, quantity.stale_s)
