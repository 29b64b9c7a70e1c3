"""What is wrong with the camera itself: moved, blinded, frozen. Small grey pictures, once or twice a second.

All three compare with what the camera usually shows, learned slowly, so that day and night are no change. They count
picture time of their own: a quiet scene is looked at every ten seconds only, and that is no gap to them.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.vision.model import WHOLE_PICTURE_KEY, ObservationKind, Phase, Scene
from core.vision.scene_rule import Grey, Moment, Notebook, Place, SceneRule
from core.vision.tuning import Tuning

LONG_GAP_S = 12.0
WHOLE_PICTURE = Place(key=WHOLE_PICTURE_KEY, name="")

_Floats = NDArray[np.float32]


@runtime_checkable
class ConditionRule(SceneRule, Protocol):
    """A rule about the camera itself; as long as its condition holds, the others' silence means nothing."""

    @property
    def is_blind(self) -> bool:
        """Whether the picture does not show what the scene was drawn for, for so long that it calls."""
        ...

    @property
    def is_unsure(self) -> bool:
        """Whether the newest picture shows nothing to go by; also before that has lasted."""
        ...


class Cadence:
    """Says when it is time for another look."""

    def __init__(self, every_s: float) -> None:
        """Look at most so often."""
        self._every_s = every_s
        self._last_s: float | None = None

    def due(self, pts_s: float) -> float | None:
        """Return the seconds since the last look, 0 at the start and after a gap; None while it is too early."""
        last = self._last_s
        if last is not None and 0 <= pts_s - last < self._every_s - 0.02:
            return None
        self._last_s = pts_s
        return 0.0 if last is None or not 0 <= pts_s - last <= LONG_GAP_S else pts_s - last


class _Held:
    """A condition that begins after it held, and ends after it did not."""

    def __init__(self, kind: ObservationKind, hold_s: float, end_s: float) -> None:
        self._kind = kind
        self._hold_s, self._end_s = hold_s, end_s
        self._for_s = 0.0
        self.is_wrong = False
        self.has_begun = False
        self._confidence = 0.0

    def take(
        self, is_wrong: bool, step_s: float, note: Notebook, *, confidence: float, values: dict[str, float]
    ) -> None:
        """Take one look; begin or end where it is time."""
        self.is_wrong = is_wrong
        self._for_s = self._for_s + step_s if is_wrong is not self.has_begun else 0.0
        if is_wrong is self.has_begun or self._for_s < (self._end_s if self.has_begun else self._hold_s):
            return
        self.has_begun, self._for_s = not self.has_begun, 0.0
        if self.has_begun:
            self._confidence = confidence
        note.add(
            self._kind,
            Phase.BEGIN if self.has_begun else Phase.END,
            WHOLE_PICTURE,
            self._kind.value,
            confidence=self._confidence,
            values=values,
        )


class BlindedRule:
    """Dark, dazzled, covered, out of focus."""

    DARK_BELOW = 40.0
    DAZZLED_SHARE = 0.6
    FLAT_BELOW = 12.0
    NO_EDGE_BELOW = 6.0
    SOFT_BELOW = 0.35
    """Of the usual strength of the picture's strongest edges."""

    _LEARN_S, _RESIGN_S = 120.0, 1800.0

    def __init__(self, scene: Scene) -> None:
        """Know nothing of the picture yet."""
        hold_s = Tuning(scene).value(ObservationKind.CAMERA_BLINDED, "hold_s")
        self._held = _Held(ObservationKind.CAMERA_BLINDED, hold_s, end_s=2.0)
        self._cadence = Cadence(0.5)
        self._usual: float | None = None

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        if moment.picture is None or moment.grey is None or (step_s := self._cadence.due(moment.pts_s)) is None:
            return
        sharpness = _sharpness(moment.picture)
        cause, confidence = self._judge(moment.grey, sharpness)
        if self._usual is None:
            self._usual = sharpness if not cause else None
        elif step_s:
            tau_s = self._RESIGN_S if cause else self._LEARN_S
            self._usual += (sharpness - self._usual) * min(1.0, step_s / tau_s)
        self._held.take(bool(cause), step_s, note, confidence=confidence, values={cause: 1.0} if cause else {})

    @property
    def is_blind(self) -> bool:
        """Whether nothing has been shown for long enough to call."""
        return self._held.has_begun

    @property
    def is_unsure(self) -> bool:
        """Whether the newest picture shows nothing."""
        return self._held.has_begun or self._held.is_wrong

    def _judge(self, grey: Grey, sharpness: float) -> tuple[str, float]:
        low, high = np.percentile(grey, (5, 99))
        if high < self.DARK_BELOW and high - low < self.DARK_BELOW / 2:
            return "dark", 0.95
        if float(np.mean(grey >= 250)) > self.DAZZLED_SHARE:
            return "dazzled", 0.95
        if high - low < self.FLAT_BELOW or sharpness < self.NO_EDGE_BELOW:
            return "covered", 0.92
        if self._usual is not None and sharpness < self.SOFT_BELOW * self._usual:
            return "soft", 0.85
        return "", 0.0


class FrozenRule:
    """The stream goes on, but shows the same picture.

    A still scene is never quite the same twice: the sensor's noise differs. Encoders hide that noise where nothing
    moves, so the longest stillness that ended by itself is remembered, and only three times that is frozen.
    """

    SAME_MAX, SAME_MEAN = 1, 0.01
    NEARLY = 0.1
    """Of the usual difference between two looks: a frozen picture that is encoded anew."""

    _LONGEST_S, _FORGET_S, _LEARN_S = 40.0, 3600.0, 300.0

    def __init__(self, scene: Scene) -> None:
        """Know nothing of the picture yet."""
        self._hold_s = Tuning(scene).value(ObservationKind.CAMERA_FROZEN, "hold_s")
        self._cadence = Cadence(0.5)
        self._last: Grey | None = None
        self._usual = 0.0
        self._same_s = 0.0
        self._natural_s = 0.0
        self._has_begun = False

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        if moment.picture is None or (step_s := self._cadence.due(moment.pts_s)) is None:
            return
        plane = moment.picture if moment.picture.ndim == 2 else moment.picture[:, :, 1]
        sample = np.ascontiguousarray(plane[::3, ::3])
        last, self._last = self._last, sample
        if last is None or last.shape != sample.shape or not step_s:
            return
        change = np.abs(sample.astype(np.int16) - last)
        mean, most = float(change.mean()), int(change.max())
        is_same = most <= self.SAME_MAX and mean < self.SAME_MEAN
        is_near = most <= 6 and self._usual > 0.3 and mean < self.NEARLY * self._usual
        self._natural_s *= math.exp(-step_s / self._FORGET_S)
        if not is_same and not is_near:
            self._usual += (mean - self._usual) * (min(1.0, step_s / self._LEARN_S) if self._usual else 1.0)
            self._moves_again(note)
            return
        self._same_s += step_s
        if not self._has_begun and self._same_s >= max(self._hold_s, 3 * self._natural_s):
            self._has_begun = True
            confidence = 0.75 + 0.1 * is_same + 0.1 * (self._usual > 0.3)
            self._write(Phase.BEGIN, confidence, note)

    @property
    def is_blind(self) -> bool:
        """Whether the picture stands still."""
        return self._has_begun

    @property
    def is_unsure(self) -> bool:
        """As `is_blind`: a quiet road may look the same for seconds."""
        return self._has_begun

    def _moves_again(self, note: Notebook) -> None:
        if self._same_s:
            self._natural_s = min(self._LONGEST_S, max(self._natural_s, self._same_s))
        if self._has_begun:
            self._has_begun = False
            self._write(Phase.END, 0.9, note)
        self._same_s = 0.0

    def _write(self, phase: Phase, confidence: float, note: Notebook) -> None:
        kind = ObservationKind.CAMERA_FROZEN
        values = {"held_s": round(self._same_s, 1)}
        note.add(kind, phase, WHOLE_PICTURE, kind.value, confidence=confidence, values=values)


class MovedRule:
    """The picture no longer shows what the zones were drawn on.

    Compared are edges that last: traffic is averaged away over seconds, light does not move edges. A shift is found by
    phase correlation; a view without anything in common by its missing correlation.

    Source: Kuglin and Hines, The phase correlation image alignment method, 1975.
    """

    LEARN_S, FOLLOW_S, RECENT_S = 8.0, 300.0, 2.5
    STRONGEST = 40.0
    CLEAR, STRANGE = 15.0, 12.0
    """Standard deviations of the correlation: from the first on its peak says where the picture is, below the second it
    has none."""

    UNLIKE = 0.65
    """Of the usual likeness, below which a picture without a peak shows something else."""

    STRUCTURE = 0.4
    """Of the reference's edges that a picture needs to be judged: fog and night are no movement."""

    def __init__(self, scene: Scene) -> None:
        """Know nothing of the picture yet."""
        tuning = Tuning(scene)
        kind = ObservationKind.CAMERA_MOVED
        self._shift = tuning.value(kind, "shift")
        self._held = _Held(kind, tuning.value(kind, "hold_s"), end_s=tuning.value(kind, "hold_s"))
        self._cadence = Cadence(1.0)
        self._reference: _Floats | None = None
        self._recent: _Floats | None = None
        self._learned_s = 0.0
        self._usual_likeness = 0.0

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        if moment.grey is None or (step_s := self._cadence.due(moment.pts_s)) is None:
            return
        edges = _edges(moment.grey, self.STRONGEST)
        if self._reference is None or self._recent is None or self._reference.shape != edges.shape:
            self._reference, self._recent, self._learned_s = edges, edges.copy(), 0.0
            return
        self._recent += (edges - self._recent) * (1 - math.exp(-max(step_s, 0.2) / self.RECENT_S))
        if self._learned_s < self.LEARN_S:
            self._learned_s += step_s
            if step_s:
                self._reference += (edges - self._reference) * (step_s / self._learned_s)
            return
        if float(self._recent.mean()) < self.STRUCTURE * float(self._reference.mean()):
            return
        self._compare(step_s, note)

    @property
    def is_blind(self) -> bool:
        """Whether the picture shows something else than the scene was drawn on."""
        return self._held.has_begun

    @property
    def is_unsure(self) -> bool:
        """Whether the newest picture shows something else."""
        return self._held.has_begun or self._held.is_wrong

    def _compare(self, step_s: float, note: Notebook) -> None:
        assert self._reference is not None
        assert self._recent is not None
        ours, theirs = self._reference - self._reference.mean(), self._recent - self._recent.mean()
        likeness = float((ours * theirs).sum() / math.sqrt(float((ours**2).sum() * (theirs**2).sum()) + 1e-9))
        shift, clear = phase_shift(ours, theirs)
        is_shifted = clear >= self.CLEAR and shift >= self._shift
        is_strange = clear < self.STRANGE and likeness < self.UNLIKE * self._usual_likeness
        if clear >= self.CLEAR and not is_shifted:
            self._follow(step_s, likeness)
            is_wrong = False
        else:
            # Neither here nor there: what held goes on to hold.
            is_wrong = is_shifted or is_strange or self._held.has_begun
        # A view with nothing in common is believed more slowly: half the seconds count.
        self._held.take(
            is_wrong,
            step_s if is_shifted or not is_wrong else step_s / 2,
            note,
            confidence=min(0.98, 0.8 + 0.005 * clear) if is_shifted else 0.85,
            values={"shift": round(shift, 4)} if is_shifted else {},
        )

    def _follow(self, step_s: float, likeness: float) -> None:
        """Learn on, day into night, while the picture is where it should be."""
        assert self._reference is not None
        assert self._recent is not None
        share = min(1.0, step_s / self.FOLLOW_S)
        self._reference += (self._recent - self._reference) * share
        self._usual_likeness += (likeness - self._usual_likeness) * (10 * share if self._usual_likeness else 1.0)


def phase_shift(ours: _Floats, theirs: _Floats) -> tuple[float, float]:
    """Return how far a picture is shifted against another one.

    Args:
        ours: Mean 0, shape (h, w).
        theirs: Of the same shape.

    Returns:
        Shift as a part of the width, and how clear that is: the height of the peak in standard deviations.
    """
    height, width = ours.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    cross = np.fft.rfft2(theirs * window) * np.conj(np.fft.rfft2(ours * window))
    correlation = np.fft.irfft2(cross / (np.abs(cross) + 1e-6), s=ours.shape)
    # One pixel of blur: a shift by half a pixel spreads its peak over four.
    correlation = np.mean([np.roll(correlation, step, axis) for step in (-1, 0, 1) for axis in (0, 1)], axis=0)
    row, column = np.unravel_index(int(correlation.argmax()), correlation.shape)
    dy, dx = (row + height // 2) % height - height // 2, (column + width // 2) % width - width // 2
    peak = float(correlation[row, column])
    return math.hypot(dx, dy) / width, peak / (float(correlation.std()) + 1e-9)


def _edges(grey: Grey, strongest: float) -> _Floats:
    small = grey.astype(np.float32)
    edges = np.zeros_like(small)
    edges[1:-1, 1:-1] = np.abs(small[1:-1, 2:] - small[1:-1, :-2]) + np.abs(small[2:, 1:-1] - small[:-2, 1:-1])
    return np.minimum(edges, strongest)


def _sharpness(picture: NDArray[np.uint8]) -> float:
    """Return the strength of the strongest edges, at the picture's own resolution, on every fourth row."""
    plane = picture if picture.ndim == 2 else picture[:, :, 1]
    rows = plane[::4].astype(np.int16)
    return float(np.percentile(np.abs(rows[:, 1:] - rows[:, :-1]), 99.5))
