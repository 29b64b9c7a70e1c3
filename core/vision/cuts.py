"""Pictures that do not follow from the ones before: cuts, loops, and a camera that moves."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.vision.scene_rule import Grey, Moment
from core.vision.vehicles import Sighting

_WINDOW_S = 0.45
"""So late a tracker gives a new vehicle its number: with the second picture."""

_ESTABLISHED_S = 0.5
_SPREAD = 2.5
"""Sizes of the largest between those who came and went: a crash hides vehicles too, but all in one place."""

_SURE_SCORE = 0.4
"""Of less sure vehicles the network finds and loses some in every picture."""

_AROUND_S = 1.05
_N_AROUND = 2
_LEAP, _STEP, _MORE = 1.75, 2.0, 1.1
"""Of the largest change in the second before, and in the second after: a picture that stands out by itself; one after
which nothing is as it was, if vehicles were exchanged as well; and the least that a cut changes."""

_N_EXCHANGED, _N_EXCHANGED_BY_STEP = 3, 2
_OF_ALL = 0.5
"""Vehicles that came or went at once, and their share."""

_DIFFERS_BY = 20
"""Grey levels; noise, and a codec that starts a picture anew, stay below."""

_NOTHING = 0.003
"""Share of the picture that changes where nobody moves."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A vehicle that was seen: where last, from when to when, and how surely at best."""

    last: Sighting
    first_s: float
    seen_s: float
    best_score: float


@dataclass(frozen=True, slots=True)
class _Step:
    """From one picture to the next.

    Attributes:
        change: Share of the picture that differs; None where it is not known.
    """

    at_s: float
    appeared: tuple[Sighting, ...]
    vanished: tuple[Sighting, ...]
    n_here: int
    change: float | None


class CutDetector:
    """Notices that the picture jumped: a loop's seam, an edit, a recorder that lost seconds, a preset driven to.

    More of the picture changes than in the second before and the second after: by far, or by a little while vehicles
    vanish and others appear in the middle of the road. A crash goes on for longer than one picture and hides vehicles
    in one place only; where traffic is fast and fills the picture, a cut changes hardly more than a fifth of a second
    does. So that the second after is known, a cut is told late, by a second at most.
    """

    def __init__(self, aspect: float) -> None:
        """Start before the first picture."""
        self._aspect = aspect
        self._known: dict[int, _Known] = {}
        self._steps: deque[_Step] = deque()
        self._grey: Grey | None = None
        self._last_s = self._cut_s = -math.inf

    def forget(self, gone: Iterable[int]) -> None:
        """Forget vehicles that will not come back; of every picture, also of one that `last_cut_s` is not told of."""
        for key in gone:
            self._known.pop(key, None)

    def note_cut(self, at_s: float) -> None:
        """Take note of a cut that somebody else found, by the time of the first picture after it."""
        self._cut_s = max(self._cut_s, at_s)

    def stands_out(self, at_s: float) -> bool:
        """Return whether with the picture of a time more changed than with any in the second before and after it."""
        index = next((index for index, step in enumerate(self._steps) if step.at_s == at_s), None)
        return index is not None and min(self._times_around(index) or (0.0,)) >= _MORE

    def last_cut_s(self, vehicles: list[Sighting], moment: Moment) -> float:
        """Take one picture; return the time of the first picture after the last cut, minus infinity for never."""
        if moment.dt_s == 0:
            # The clock stands still over a gap, so what came before would never grow old.
            self._steps.clear()
            self._grey = None
        self._steps.append(self._step(vehicles, moment))
        while moment.now_s - self._steps[0].at_s > 2 * _AROUND_S + _WINDOW_S:
            self._steps.popleft()
        for index in range(_N_AROUND, len(self._steps) - _N_AROUND):
            at_s = self._steps[index].at_s
            if max(self._cut_s, moment.now_s - _AROUND_S) < at_s and self._is_cut(index):
                self._cut_s = at_s
        return self._cut_s

    def _step(self, vehicles: list[Sighting], moment: Moment) -> _Step:
        here = {sighting.key for sighting in vehicles}
        appeared: list[Sighting] = []
        if self._known:
            appeared = [each for each in vehicles if each.key not in self._known and self._is_inside(each)]
            appeared = [each for each in appeared if each.track.score >= _SURE_SCORE]
        vanished = [
            known.last
            for key, known in self._known.items()
            if key not in here and known.seen_s >= self._last_s - 1e-6 and known.seen_s - known.first_s > _ESTABLISHED_S
            if known.best_score >= _SURE_SCORE and self._is_inside(known.last)
        ]
        for sighting in vehicles:
            known = self._known.get(sighting.key)
            first_s = moment.now_s if known is None else known.first_s
            best = max(sighting.track.score, 0.0 if known is None else known.best_score)
            self._known[sighting.key] = _Known(sighting, first_s, moment.now_s, best)
        self._last_s = moment.now_s
        return _Step(moment.now_s, tuple(appeared), tuple(vanished), len(here), self._change(moment.grey))

    def _change(self, grey: Grey | None) -> float | None:
        before, self._grey = self._grey, grey
        if grey is None or before is None or before.shape != grey.shape:
            return None
        return float((np.abs(grey.astype(np.int16) - before) > _DIFFERS_BY).mean()) + _NOTHING

    def _is_cut(self, index: int) -> bool:
        step = self._steps[index]
        times = self._times_around(index)
        if times is None:
            # Rules that are run on tracks alone know nothing of pictures.
            return self._grey is None and self._n_exchanged(step) >= _N_EXCHANGED
        if min(times) >= _LEAP:
            return True
        if min(times) < _MORE:
            return False
        return self._n_exchanged(step) >= (_N_EXCHANGED if times[0] < _STEP else _N_EXCHANGED_BY_STEP)

    def _times_around(self, index: int) -> tuple[float, float] | None:
        """Return the change of a picture over the largest before and over the largest after; None where unknown."""
        step = self._steps[index]
        around = [other for other in self._steps if other is not step and abs(other.at_s - step.at_s) <= _AROUND_S]
        before = [other.change for other in around if other.at_s < step.at_s and other.change is not None]
        after = [other.change for other in around if other.at_s > step.at_s and other.change is not None]
        if step.change is None or min(len(before), len(after)) < _N_AROUND:
            return None
        return step.change / max(before), step.change / max(after)

    def _n_exchanged(self, step: _Step) -> int:
        """Return how many vehicles came and went with a step, all over the picture; 0 where others went on."""
        late = [other for other in self._steps if 0 <= other.at_s - step.at_s <= _WINDOW_S]
        appeared = [each for other in late for each in other.appeared]
        vanished = [each for other in late for each in other.vanished]
        exchanged = [*appeared, *vanished]
        if not appeared or not vanished or _spread(exchanged) < _SPREAD:
            return 0
        return len(exchanged) if len(exchanged) >= _OF_ALL * late[-1].n_here else 0

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
        self._had_moved = False

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
        has_moved = len(self._spectra) > 1 and self._has_moved()
        # Compared over half a second, a camera that moves is seen to in more than one picture; else it was traffic.
        if has_moved and self._had_moved:
            self._moved_s = moment.now_s
        self._had_moved = has_moved
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
