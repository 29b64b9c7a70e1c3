"""What is wrong with the camera itself: blinded or frozen; `camera_moved.py` has the third. Looks come once a second.

All three compare with what the camera usually shows, learned slowly, so that day and night are no change. They count
picture time of their own: a quiet scene is looked at every ten seconds only, and that is no gap to them. They need no
detector: where none looks, they go by pictures that nobody searched for vehicles.
"""

from __future__ import annotations

import math
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.vision.levels import percentiles
from core.vision.model import WHOLE_PICTURE_KEY, ObservationKind, Phase, Scene
from core.vision.scene_rule import Grey, Moment, Notebook, Place, SceneRule
from core.vision.tuning import Tuning

LONG_GAP_S = 12.0
RARE_PICTURES_S = 60.0
"""A gap to the rules about the camera itself, for which a few pictures are enough: some key frames come as rarely."""

LATE_S = 30.0
"""An answer of a slow detector is about a picture from less than so long ago; what goes back further is a new film."""

WHOLE_PICTURE = Place(key=WHOLE_PICTURE_KEY, name="")


@runtime_checkable
class ConditionRule(SceneRule, Protocol):
    """A rule about the camera itself; as long as its condition holds, the others' silence means nothing."""

    kind: ClassVar[ObservationKind]

    @property
    def is_blind(self) -> bool:
        """Whether the picture does not show what the scene was drawn for, for so long that it calls."""
        ...

    @property
    def is_unsure(self) -> bool:
        """Whether the newest picture shows nothing to go by; also before that has lasted."""
        ...

    @property
    def wavers(self) -> bool:
        """Whether the newest picture speaks against what is told: more of them would say which is right."""
        ...

    def say_again(self) -> None:
        """Tell once more what holds, where it still does: what was told before is doubted."""
        ...


class Cadence:
    """Says when it is time for another look."""

    def __init__(self, every_s: float, gap_s: float = LONG_GAP_S) -> None:
        """Look at most so often; what is further apart than a gap says nothing of the seconds between."""
        self._every_s, self._gap_s = every_s, gap_s
        self._last_s: float | None = None

    def due(self, pts_s: float) -> float | None:
        """Return the seconds since the last look, 0 at the start and after a gap; None while it is too early.

        So it is for a picture from before the last look, which comes late.
        """
        last = self._last_s
        if last is not None and -LATE_S < pts_s - last < self._every_s - 0.02:
            return None
        self._last_s = pts_s
        return 0.0 if last is None or not 0 <= pts_s - last <= self._gap_s else pts_s - last


class Held:
    """A condition that begins after it held, and ends after it did not.

    One picture says nothing of the seconds before it, and two that are far apart say little of those between them: what
    lasts is seen in three at least.
    """

    def __init__(self, kind: ObservationKind, hold_s: float, end_s: float) -> None:
        self._kind = kind
        self._hold_s, self._end_s = hold_s, end_s
        self._for_s = 0.0
        self.is_wrong = False
        self.has_begun = False
        self._was_against = False
        self._must_repeat = False
        self._confidence = 0.0

    @property
    def wavers(self) -> bool:
        """Whether the newest look speaks against what is told."""
        return self._was_against

    def resume(self) -> None:
        """It holds since before this run: it is said once more where it still does, and ends where it does not."""
        self.has_begun = self._must_repeat = True

    def say_again(self) -> None:
        """Say it once more where it holds and still does."""
        self._must_repeat = self.has_begun

    def drop(self) -> None:
        """It never was: no end is written."""
        self.is_wrong = self.has_begun = self._was_against = self._must_repeat = False
        self._for_s = 0.0

    def take(
        self, is_wrong: bool, step_s: float, note: Notebook, *, confidence: float, values: dict[str, float]
    ) -> None:
        """Take one look; begin or end where it is time."""
        self.is_wrong = is_wrong
        needed_s = self._end_s if self.has_begun else self._hold_s
        was_against, self._was_against = self._was_against, is_wrong is not self.has_begun
        self._for_s = self._for_s + min(step_s, needed_s / 2) if was_against and self._was_against else 0.0
        is_repeated = is_wrong and self._must_repeat
        if not is_repeated:
            if not self._was_against or self._for_s < needed_s:
                return
            self.has_begun, self._for_s = not self.has_begun, 0.0
            self._was_against = False
        self._must_repeat = False
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

    kind: ClassVar[ObservationKind] = ObservationKind.CAMERA_BLINDED

    DARK_BELOW = 40.0
    DAZZLED_SHARE = 0.6
    FLAT_BELOW = 12.0
    NO_EDGE_BELOW = 6.0
    SOFT_BELOW = 0.35
    """Of the usual strength of the picture's strongest edges."""

    SAME_SIZE = 0.05
    """Of the longer side, by how much pictures of one size may differ."""

    _LEARN_S, _RESIGN_S = 120.0, 1800.0

    def __init__(self, scene: Scene) -> None:
        """Know nothing of the picture yet."""
        hold_s = Tuning(scene).value(ObservationKind.CAMERA_BLINDED, "hold_s")
        self._held = Held(ObservationKind.CAMERA_BLINDED, hold_s, end_s=2.0)
        self._cadence = Cadence(0.5, RARE_PICTURES_S)
        self._usual: float | None = None
        self._size_px = 0

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        self._look(moment, note)
        moment.shows_nothing = self.is_unsure

    def _look(self, moment: Moment, note: Notebook) -> None:
        if moment.picture is None or moment.grey is None or (step_s := self._cadence.due(moment.pts_s)) is None:
            return
        self._note_size(max(moment.picture.shape[:2]))
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

    @property
    def wavers(self) -> bool:
        """Whether the newest picture speaks against what is told."""
        return self._held.wavers

    def say_again(self) -> None:
        """Tell once more what holds, where it still does."""
        self._held.say_again()

    def _note_size(self, size_px: int) -> None:
        """Another network takes its pictures in another size, and the same edges are softer in a larger one.

        The two streams of a camera differ by a few lines: that is no other size.
        """
        known_px = self._size_px
        if known_px and abs(size_px - known_px) <= self.SAME_SIZE * known_px:
            return
        self._size_px = size_px
        if self._usual is not None:
            # What is wrong now must not be learned as usual.
            self._usual = min(2.0, known_px / size_px) * self._usual if self.is_unsure else None

    def _judge(self, grey: Grey, sharpness: float) -> tuple[str, float]:
        low, high = percentiles(grey, (5.0, 99.0))
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

    kind: ClassVar[ObservationKind] = ObservationKind.CAMERA_FROZEN

    SAME_MAX, SAME_MEAN = 1, 0.01
    NEARLY = 0.1
    """Of the usual difference between two looks: a frozen picture that is encoded anew."""

    _LONGEST_S, _FORGET_S, _LEARN_S = 40.0, 3600.0, 300.0

    def __init__(self, scene: Scene) -> None:
        """Know nothing of the picture yet."""
        self._hold_s = Tuning(scene).value(ObservationKind.CAMERA_FROZEN, "hold_s")
        self._cadence = Cadence(0.5, RARE_PICTURES_S)
        self._last: Grey | None = None
        self._usual = 0.0
        self._same_s, self._n_same = 0.0, 0
        self._natural_s = 0.0
        self._has_begun = self._must_repeat = False

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
        self._n_same += 1
        lasts = self._n_same > 1 and self._same_s >= max(self._hold_s, 3 * self._natural_s)
        if self._must_repeat or (lasts and not self._has_begun):
            self._has_begun, self._must_repeat = True, False
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

    @property
    def wavers(self) -> bool:
        """Whether the picture stands still since lately."""
        return self._n_same > 0 and not self._has_begun

    def say_again(self) -> None:
        """Tell once more that the picture stands still, where it still does."""
        self._must_repeat = self._has_begun

    def _moves_again(self, note: Notebook) -> None:
        if self._same_s:
            self._natural_s = min(self._LONGEST_S, max(self._natural_s, self._same_s))
        if self._has_begun:
            self._has_begun = self._must_repeat = False
            self._write(Phase.END, 0.9, note)
        self._same_s, self._n_same = 0.0, 0

    def _write(self, phase: Phase, confidence: float, note: Notebook) -> None:
        kind = ObservationKind.CAMERA_FROZEN
        values = {"held_s": round(self._same_s, 1)}
        note.add(kind, phase, WHOLE_PICTURE, kind.value, confidence=confidence, values=values)


def _sharpness(picture: NDArray[np.uint8]) -> float:
    """Return the strength of the strongest edges, at the picture's own resolution, on every fourth row."""
    plane = picture if picture.ndim == 2 else picture[:, :, 1]
    rows = plane[::4].astype(np.int16)
    return percentiles(np.abs(rows[:, 1:] - rows[:, :-1]), (99.5,))[0]
