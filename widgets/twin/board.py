"""What is known of every bay of a scene, as arrays that follow live changes one by one. No Qt, no VTK."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.parking.model import BayState, BayStatus
from widgets.twin.model import BaysLook, Shown, plain_look
from widgets.twin.scene import BayKey, TwinScene

SHOWN = {
    BayState.UNKNOWN: Shown.UNKNOWN,
    BayState.FREE: Shown.FREE,
    BayState.OCCUPIED: Shown.OCCUPIED,
    BayState.CLOSED: Shown.CLOSED,
}


class Board:
    """How the bays of one scene stand; a bay of which nobody said anything is unknown."""

    def __init__(self, scene: TwinScene) -> None:
        self._scene = scene
        self.shown: NDArray[np.uint8] = np.full(scene.n_bays, Shown.UNKNOWN, dtype=np.uint8)
        self.is_stale: NDArray[np.bool_] = np.zeros(scene.n_bays, dtype=bool)
        self.is_corrected: NDArray[np.bool_] = np.zeros(scene.n_bays, dtype=bool)
        self._misparked: NDArray[np.intp] = np.zeros((0, 2), dtype=np.intp)
        self.statuses: dict[BayKey, BayStatus] = {}

    def take(self, statuses: Iterable[BayStatus]) -> bool:
        """Take newer states; returns whether anything looks otherwise than before."""
        is_changed = False
        for status in statuses:
            key = (status.lot_id, status.bay_id)
            i = self._scene.index.get(key)
            if i is None:
                continue
            self.statuses[key] = status
            shown, is_corrected = SHOWN[status.state], bool(status.reason)
            before = (self.shown[i], self.is_stale[i], self.is_corrected[i])
            if before != (shown, status.is_stale, is_corrected):
                self.shown[i], self.is_stale[i], self.is_corrected[i] = shown, status.is_stale, is_corrected
                is_changed = True
        return is_changed

    def start_from(self, statuses: Iterable[BayStatus]) -> None:
        """Forget what was known before."""
        self.shown[:] = Shown.UNKNOWN
        self.is_stale[:] = False
        self.is_corrected[:] = False
        self.statuses.clear()
        self.take(statuses)

    def set_misparked(self, pairs: Iterable[tuple[BayKey, BayKey]]) -> None:
        """Say which two bays one vehicle takes; those that are not in the scene are left out."""
        index = self._scene.index
        known = [(index[a], index[b]) for a, b in pairs if a in index and b in index]
        self._misparked = np.array(sorted(known), dtype=np.intp).reshape(-1, 2)

    def look(self) -> BaysLook:
        """Return how the bays stand; where a bay of a pair is known to be empty, no vehicle stands across them."""
        both = (self.shown[self._misparked] == Shown.OCCUPIED).all(axis=1)
        return replace(
            plain_look(self.shown.copy()),
            is_stale=self.is_stale.copy(),
            is_corrected=self.is_corrected.copy(),
            misparked=self._misparked[both],
        )


def look_by_share(scene: TwinScene, shares: Mapping[BayKey, float]) -> BaysLook:
    """Return bays coloured by a figure 0..1; a bay that has none is unknown."""
    shown = np.full(scene.n_bays, Shown.UNKNOWN, dtype=np.uint8)
    values = np.zeros(scene.n_bays, dtype=np.float32)
    for key, share in shares.items():
        i = scene.index.get(key)
        if i is not None:
            shown[i], values[i] = Shown.SHARE, share
    return replace(plain_look(shown), shares=values)


def counts(look: BaysLook, indices: NDArray[np.intp]) -> tuple[int, int, int]:
    """Return how many of these bays are free, occupied and neither known; what is old counts as not known."""
    shown, is_stale = look.shown[indices], look.is_stale[indices]
    n_free = int(np.count_nonzero((shown == Shown.FREE) & ~is_stale))
    n_occupied = int(np.count_nonzero((shown == Shown.OCCUPIED) & ~is_stale))
    n_closed = int(np.count_nonzero((shown == Shown.CLOSED) & ~is_stale))
    return n_free, n_occupied, len(indices) - n_free - n_occupied - n_closed
