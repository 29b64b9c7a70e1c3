"""Whether anything moves in a camera's picture: the detector rests while nothing does.

A grey picture of about 100 rows is compared with a running background. The gate only ever saves work: it says "quiet"
where it is sure, and whatever it says, somebody looks every few seconds (`heartbeat_s`). Light that changes at once, a
camera that shakes and the first seconds after a start are "unsure", which is treated like movement.
"""

from __future__ import annotations

from enum import Enum

import av
import numpy as np
from numpy.typing import NDArray

from core.vision.levels import percentiles
from core.vision.model import ObservationKind, Scene
from core.vision.tuning import Tuning

Grey = NDArray[np.uint8]
_Floats = NDArray[np.float32]

N_ROWS = 100
CALIBRATION_S = 2.0
LINGER_S = 2.0
"""After the last movement the rate stays for this long, so that a vehicle is followed until it is gone."""

SOON_S, LATE_S = 2.0, 10.0
"""Longest time without a look, where a rule or a standing vehicle needs one, and elsewhere."""

LIGHTNING_FRACTION = 0.3
SHAKE_CELLS = 0.6
_SHAKE_FRACTION = 0.03
_CELL = 12
_N_CHANGED = 6
"""Changed pixels of the small picture: a vehicle that the network can see at all is larger."""

_PERCENTILES = (4.0, 96.0)
_MAX_GAIN = 3.0
_LEAST_CHANGE, _MOST_CHANGE = 10.0, 28.0
_NOISE_FACTOR = 5.0
_STILL_TAU_S, _MOVING_TAU_S, _NOISE_TAU_S, _CONTRAST_TAU_S = 4.0, 20.0, 10.0, 10.0
_MAX_STEP_S = 1.0

_LUMA_FIRST = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray"})
_NEED_A_LOOK = (
    ObservationKind.STOPPED_VEHICLE,
    ObservationKind.PEDESTRIAN,
    ObservationKind.LOITERING,
    ObservationKind.OBJECT_LEFT,
)


class Movement(Enum):
    """What the gate says about one picture."""

    MOVING = "moving"
    QUIET = "quiet"
    UNSURE = "unsure"
    """Just started, lightning or shake: look as if something moved."""


class MotionGate:
    """The background of one camera; used from one thread."""

    def __init__(self) -> None:
        """Know nothing of the scene yet."""
        self._background: _Floats | None = None
        self._noise: _Floats | None = None
        self._range = (0.0, 255.0)
        self._last_s = 0.0
        self._sure_from_s = 0.0
        self._moved_s = -LINGER_S

    def look(self, grey: Grey, pts_s: float) -> Movement:
        """Compare one picture with the background, and learn from it.

        Args:
            grey: From `small_grey`; another shape than before starts anew.
            pts_s: Picture time. A step back or a gap starts anew.
        """
        dt_s, self._last_s = pts_s - self._last_s, pts_s
        known = self._background
        if known is None or known.shape != grey.shape or not 0 < dt_s <= SOON_S:
            return self._begin(grey, pts_s)
        dt_s = min(dt_s, _MAX_STEP_S)
        picture = grey.astype(np.float32)
        self._follow_contrast(grey, dt_s)
        low, high = self._range
        gain = min(_MAX_GAIN, 255.0 / max(1.0, high - low))
        offset = np.subtract(picture, known, out=picture)
        change = _smooth(np.abs(offset))
        change *= np.float32(gain)
        assert self._noise is not None
        is_changed = change > np.clip(_NOISE_FACTOR * self._noise, _LEAST_CHANGE, _MOST_CHANGE)
        n_changed = int(np.count_nonzero(is_changed))
        if n_changed > LIGHTNING_FRACTION * grey.size:
            return self._begin(grey, pts_s)
        self._learn(offset, change, is_changed, dt_s)
        if n_changed > _SHAKE_FRACTION * grey.size and _spread(is_changed) > SHAKE_CELLS:
            self._sure_from_s = max(self._sure_from_s, pts_s + CALIBRATION_S)
        if n_changed >= _N_CHANGED:
            self._moved_s = pts_s
        if pts_s < self._sure_from_s:
            return Movement.UNSURE
        return Movement.MOVING if pts_s - self._moved_s < LINGER_S else Movement.QUIET

    def _begin(self, grey: Grey, pts_s: float) -> Movement:
        self._background = grey.astype(np.float32)
        self._noise = np.full(grey.shape, _LEAST_CHANGE / _NOISE_FACTOR, np.float32)
        low, high = percentiles(grey, _PERCENTILES)
        self._range = low, high
        self._sure_from_s = pts_s + CALIBRATION_S
        self._moved_s = pts_s - LINGER_S
        return Movement.UNSURE

    def _follow_contrast(self, grey: Grey, dt_s: float) -> None:
        """Stretch what the scene uses of black to white; from every third pixel, which is as good."""
        step = dt_s / _CONTRAST_TAU_S
        low, high = percentiles(grey[::3, ::3], _PERCENTILES)
        was_low, was_high = self._range
        self._range = was_low + step * (low - was_low), was_high + step * (high - was_high)

    def _learn(self, offset: _Floats, change: _Floats, is_changed: NDArray[np.bool_], dt_s: float) -> None:
        assert self._background is not None
        assert self._noise is not None
        calibrates = self._last_s < self._sure_from_s
        still, moving = (0.5, 0.5) if calibrates else (dt_s / _STILL_TAU_S, dt_s / _MOVING_TAU_S)
        offset *= np.where(is_changed, np.float32(moving), np.float32(still))
        self._background += offset
        # What moves through says nothing about how much a place flickers by itself.
        change -= self._noise
        change *= np.where(is_changed, np.float32(0), np.float32(dt_s / _NOISE_TAU_S))
        self._noise += change


def small_grey(frame: av.VideoFrame) -> Grey:
    """Return about 100 rows of a frame's brightness, of two samples each, in the frame's own orientation; a copy."""
    if frame.format.name not in _LUMA_FIRST:
        frame = frame.reformat(width=frame.width, height=frame.height, format="gray")
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8, count=plane.line_size * frame.height)
    luma = rows.reshape(frame.height, plane.line_size)[:, : frame.width]
    step = max(1, round(frame.height / N_ROWS))
    half = step // 2
    first = luma[: frame.height - half : step, : frame.width - half : step]
    second = luma[half::step, half::step]
    n_rows, n_columns = min(len(first), len(second)), min(first.shape[1], second.shape[1])
    mean: Grey = (first[:n_rows, :n_columns] >> 1) + (second[:n_rows, :n_columns] >> 1)
    return mean


def heartbeat_s(scene: Scene, *, n_standing: int) -> float:
    """Return the longest time without a look in a quiet scene.

    Args:
        scene: Its rules may need to see what does not move.
        n_standing: Vehicles that are being followed and stand.
    """
    return SOON_S if n_standing or _needs_a_look(scene) else LATE_S


def _needs_a_look(scene: Scene) -> bool:
    if any(zone.stopped_after_s is not None or zone.alarms_presence for zone in scene.zones):
        return True
    tuning = Tuning(scene)
    return bool(scene.lanes) and any(tuning.is_on(kind) for kind in _NEED_A_LOOK)


def _smooth(picture: _Floats) -> _Floats:
    """Mean of 3 by 3: one noisy pixel is no vehicle."""
    rows = picture.copy()
    rows[1:-1] += picture[:-2] + picture[2:]
    mean = rows.copy()
    mean[:, 1:-1] += rows[:, :-2] + rows[:, 2:]
    mean *= np.float32(1 / 9)
    return mean


def _spread(is_changed: NDArray[np.bool_]) -> float:
    """Return the part of the picture's cells in which anything changed, 0..1."""
    n_rows, n_columns = is_changed.shape[0] // _CELL, is_changed.shape[1] // _CELL
    if not n_rows or not n_columns:
        return 0.0
    cells = is_changed[: n_rows * _CELL, : n_columns * _CELL].reshape(n_rows, _CELL, n_columns, _CELL)
    return float(cells.any(axis=(1, 3)).mean())
