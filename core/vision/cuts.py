"""Pictures that do not follow from the ones before: cuts, loops, and a camera that moves."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from core.vision.scene_rule import Grey, Moment
from core.vision.vehicles import Sighting

WINDOW_S = 0.45
"""A cut is seen late: a tracker gives a new vehicle its number with the second picture."""

_MIN_CHANGES = 3
_ESTABLISHED_S = 0.5
_LARGER_CHANGE = 1.2

_SPREAD = 2.5
"""Sizes of the largest between those who came and went: a crash hides vehicles too, but all in one place."""

_N_USUAL = 12


class CutDetector:
    """Notices that the picture jumped: a loop's seam, an edit, a preset that was driven to.

    Vehicles vanish and others appear in the middle of the road, all at once, and more of the picture changed than
    usual.
    """

    def __init__(self, aspect: float) -> None:
        """Start before the first picture."""
        self._aspect = aspect
        self._known: dict[int, tuple[Sighting, float, float]] = {}
        self._turnover: deque[tuple[float, list[Sighting], list[Sighting], float]] = deque()
        self._usual: deque[float] = deque(maxlen=_N_USUAL)
        self._grey: Grey | None = None
        self._last_s = -math.inf

    def forget(self, gone: Iterable[int]) -> None:
        """Forget vehicles that will not come back; of every picture, also of one that `is_cut` is not asked about."""
        for key in gone:
            self._known.pop(key, None)

    def is_cut(self, vehicles: list[Sighting], moment: Moment) -> bool:
        """Take one picture; return whether the picture jumped within the last `WINDOW_S`."""
        now_s = moment.now_s
        here = {sighting.key for sighting in vehicles}
        appeared: list[Sighting] = []
        if self._known:
            appeared = [each for each in vehicles if each.key not in self._known and self._is_inside(each)]
        vanished = [
            last
            for key, (last, first_s, seen_s) in self._known.items()
            if key not in here and seen_s >= self._last_s - 1e-6 and seen_s - first_s > _ESTABLISHED_S
            if self._is_inside(last)
        ]
        self._remember(vehicles, moment)
        if moment.dt_s == 0:
            # The clock stands still over a gap, so what came before would never grow old.
            self._turnover.clear()
        self._turnover.append((now_s, appeared, vanished, self._change(moment.grey)))
        while now_s - self._turnover[0][0] > WINDOW_S:
            self._turnover.popleft()
        if not self._is_turned_over(len(here)):
            return False
        self._turnover.clear()
        return True

    def _is_turned_over(self, n_here: int) -> bool:
        appeared = [each for entry in self._turnover for each in entry[1]]
        vanished = [each for entry in self._turnover for each in entry[2]]
        change = max(entry[3] for entry in self._turnover)
        changed = [*appeared, *vanished]
        if not changed or change < _LARGER_CHANGE or _spread(changed) < _SPREAD:
            return False
        return bool(appeared and vanished) and len(changed) >= max(_MIN_CHANGES, 0.5 * n_here)

    def _remember(self, vehicles: list[Sighting], moment: Moment) -> None:
        for sighting in vehicles:
            first_s = self._known[sighting.key][1] if sighting.key in self._known else moment.now_s
            self._known[sighting.key] = (sighting, first_s, moment.now_s)
        self._last_s = moment.now_s

    def _change(self, grey: Grey | None) -> float:
        """Return how much more of the picture changed than usual; without pictures anything may have."""
        before, self._grey = self._grey, grey
        if grey is None or before is None or before.shape != grey.shape:
            return math.inf
        change = float(np.abs(grey.astype(np.int16) - before).mean())
        usual = float(np.median(self._usual)) if self._usual else change
        self._usual.append(change)
        return change / max(usual, 1e-6)

    def _is_inside(self, sighting: Sighting) -> bool:
        x1, y1, x2, y2 = sighting.track.bbox_xyxy
        margin = 0.5 * sighting.size
        return x1 * self._aspect > margin and y1 > margin and (1 - x2) * self._aspect > margin and 1 - y2 > margin


def _spread(vehicles: list[Sighting]) -> float:
    """Return the largest distance between two of them, in sizes of the largest."""
    largest = max(sighting.size for sighting in vehicles)
    return max(math.dist(one.ground, two.ground) for one in vehicles for two in vehicles) / largest


_COMPARE_S = 0.5
_MOVES_PX, _TOO_FAR_PX = 2, 16
_SURE = 0.12
"""Height of the correlation's peak; traffic alone stays below, and where it does not the shift is 0."""


class ShiftDetector:
    """Notices that the camera itself moves: wind, a hand, a tour.

    Source: phase correlation, Kuglin and Hines, 1975, on the small grey picture.
    """

    def __init__(self) -> None:
        """Start before the first picture."""
        self._spectra: deque[tuple[float, NDArray[np.complex128]]] = deque()
        self._window: NDArray[np.float64] = np.zeros((0, 0))
        self._moved_s = -math.inf

    def last_moved_s(self, moment: Moment) -> float:
        """Take one picture; return when the camera was last seen to move, minus infinity for never."""
        if moment.grey is None:
            return self._moved_s
        if moment.dt_s == 0:
            self._spectra.clear()
        if moment.grey.shape != self._window.shape:
            self._spectra.clear()
            self._window = np.outer(*(np.hanning(side) for side in moment.grey.shape))
        picture = moment.grey - float(moment.grey.mean())
        self._spectra.append((moment.now_s, np.fft.rfft2(picture * self._window)))
        while len(self._spectra) > 1 and moment.now_s - self._spectra[1][0] >= _COMPARE_S - 0.02:
            self._spectra.popleft()
        if len(self._spectra) > 1 and self._has_moved():
            self._moved_s = moment.now_s
        return self._moved_s

    def _has_moved(self) -> bool:
        product = self._spectra[-1][1] * np.conj(self._spectra[0][1])
        peaks = np.fft.irfft2(product / np.maximum(np.abs(product), 1e-9), self._window.shape)
        row, column = np.unravel_index(int(peaks.argmax()), peaks.shape)
        if peaks[row, column] < _SURE:
            return False
        height, width = peaks.shape
        down, right = min(int(row), height - int(row)), min(int(column), width - int(column))
        return bool(_MOVES_PX <= max(down, right) <= _TOO_FAR_PX)
