"""Whether the camera itself moved: compared is what lasts in its picture with what was learned of it before.

What was learned outlives the rule (`view.py`): one that begins with what it sees takes a camera that was knocked before
for one that stands right.
"""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from core.vision.camera_condition import Cadence, Held
from core.vision.model import ObservationKind, Scene
from core.vision.scene_rule import Grey, Moment, Notebook
from core.vision.tuning import Tuning
from core.vision.view import STRONGEST_EDGE, LearnedView, pack_edges, print_of_drawing, unpack_edges

_Floats = NDArray[np.float32]


class MovedRule:
    """The picture no longer shows what the zones were drawn on.

    Compared are edges that last: traffic is averaged away over seconds, light does not move edges. A shift is found by
    phase correlation; a view without anything in common by its missing correlation.

    Source: Kuglin and Hines, The phase correlation image alignment method, 1975.
    """

    LEARN_S, FOLLOW_S, RECENT_S = 8.0, 300.0, 2.5
    TELL_S = 300.0
    """So long it follows slow changes before it tells again what it learned."""

    CLEAR, STRANGE = 15.0, 12.0
    """Standard deviations of the correlation: from the first on its peak says where the picture is, below the second it
    has none."""

    UNLIKE = 0.65
    """Of the usual likeness, below which a picture without a peak shows something else."""

    STRUCTURE = 0.4
    """Of the reference's edges that a picture needs to be judged: fog and night are no movement."""

    LEAST_SPREAD = 5.0
    """Standard deviation of edges that are worth learning: a lens cap and the noise of a night have less."""

    def __init__(self, scene: Scene) -> None:
        """Know nothing of the picture yet."""
        tuning = Tuning(scene)
        kind = ObservationKind.CAMERA_MOVED
        self._shift = tuning.value(kind, "shift")
        self._hold_s = tuning.value(kind, "hold_s")
        self._held = Held(kind, self._hold_s, end_s=self._hold_s)
        self._cadence = Cadence(1.0)
        self._reference: _Floats | None = None
        self._recent: _Floats | None = None
        self._learned_s = 0.0
        self._usual_likeness = 0.0
        self._drawn = print_of_drawing(scene)
        self._followed_s = 0.0
        self._was_moved = False
        self._is_news = False

    @property
    def noticed_within_s(self) -> float:
        """How long after it moved this may be told: of what has nothing in common only half the seconds count."""
        return 2 * self._hold_s + 2 * self.RECENT_S

    def start_from(self, view: LearnedView) -> None:
        """Go on from what an earlier rule learned; what was learned of another drawing is left aside."""
        edges = unpack_edges(view.edges)
        if view.drawn != self._drawn or edges is None:
            return
        self._reference, self._recent = edges, None
        self._learned_s, self._usual_likeness = self.LEARN_S, view.likeness
        self._was_moved = view.is_moved
        if view.is_moved:
            self._held.resume()

    def forget(self) -> None:
        """What the camera shows now is right: learn it anew."""
        self._reference = self._recent = None
        self._usual_likeness = self._followed_s = 0.0
        self._is_news = self._was_moved = False
        self._held.drop()

    def take_news(self, told_at: datetime) -> LearnedView | None:
        """Return what is worth keeping: once it settled, every few minutes, and when the camera moved or is back."""
        if not self._is_news or self._reference is None:
            return None
        self._is_news = False
        return LearnedView(
            drawn=self._drawn,
            edges=pack_edges(self._reference),
            likeness=self._usual_likeness,
            is_moved=self._held.has_begun,
            told_at=told_at,
        )

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        grey = moment.fixed_grey
        if grey is None or (step_s := self._cadence.due(moment.pts_s)) is None or moment.shows_nothing:
            return
        edges = _edges(grey, STRONGEST_EDGE)
        if self._reference is None:
            self._reference, self._recent, self._learned_s = edges, edges.copy(), 0.0
            return
        if self._recent is None:
            self._recent = edges.copy()
        self._recent += (edges - self._recent) * (1 - math.exp(-max(step_s, 0.2) / self.RECENT_S))
        if self._learned_s < self.LEARN_S:
            self._learn(edges, step_s)
            return
        if float(self._recent.mean()) < self.STRUCTURE * float(self._reference.mean()):
            return
        self._compare(step_s, moment.height_over_width, note)
        if self._held.has_begun is not self._was_moved:
            self._was_moved = self._held.has_begun
            self._is_news = self._usual_likeness > 0.0

    def _learn(self, edges: _Floats, step_s: float) -> None:
        assert self._reference is not None
        self._learned_s += step_s
        if step_s:
            self._reference += (edges - self._reference) * (step_s / self._learned_s)
        if self._learned_s >= self.LEARN_S and float(self._reference.std()) < self.LEAST_SPREAD:
            self._reference = self._recent = None

    @property
    def is_blind(self) -> bool:
        """Whether the picture shows something else than the scene was drawn on."""
        return self._held.has_begun

    @property
    def is_unsure(self) -> bool:
        """Whether the newest picture shows something else."""
        return self._held.has_begun or self._held.is_wrong

    def _compare(self, step_s: float, height_over_width: float, note: Notebook) -> None:
        assert self._reference is not None
        assert self._recent is not None
        ours, theirs = self._reference - self._reference.mean(), self._recent - self._recent.mean()
        likeness = float((ours * theirs).sum() / math.sqrt(float((ours**2).sum() * (theirs**2).sum()) + 1e-9))
        shift, clear = phase_shift(ours, theirs, height_over_width)
        is_shifted = clear >= self.CLEAR and shift >= self._shift
        # Without a usual likeness the picture never yet was where it should be: nothing says that it was before.
        is_strange = (
            clear < self.STRANGE and self._usual_likeness > 0.0 and likeness < self.UNLIKE * self._usual_likeness
        )
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
        self._followed_s += step_s
        if not self._usual_likeness or self._followed_s >= self.TELL_S:
            self._is_news, self._followed_s = True, 0.0
        share = min(1.0, step_s / self.FOLLOW_S)
        self._reference += (self._recent - self._reference) * share
        self._usual_likeness += (likeness - self._usual_likeness) * (10 * share if self._usual_likeness else 1.0)


def phase_shift(ours: _Floats, theirs: _Floats, height_over_width: float) -> tuple[float, float]:
    """Return how far a picture is shifted against another one.

    Args:
        ours: Mean 0, shape (h, w).
        theirs: Of the same shape.
        height_over_width: Of the pictures, whatever shape they were brought to.

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
    return math.hypot(dx / width, dy / height * height_over_width), peak / (float(correlation.std()) + 1e-9)


def _edges(grey: Grey, strongest: float) -> _Floats:
    small = grey.astype(np.float32)
    edges = np.zeros_like(small)
    edges[1:-1, 1:-1] = np.abs(small[1:-1, 2:] - small[1:-1, :-2]) + np.abs(small[2:, 1:-1] - small[:-2, 1:-1])
    return np.minimum(edges, strongest)
