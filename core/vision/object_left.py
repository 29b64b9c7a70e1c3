"""Something new that lies still in a lane or zone: debris, a lost load, a bag.

A background of the small grey picture is learned slowly; what differs from it, stays the same itself and is no vehicle
or person that the tracker knows, lies there. Light that changes everywhere is taken out first; a shadow darkens what is
under it evenly and is left out; where something went away, the edges are in the background and not in the picture.

Where half of the picture changes at once, or another stream is shown, the ground is learned anew. What lies there stays
known: the ground under it is not learned with it on top, but kept as it was, and it is gone once the place looks so
again in the light of now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.vision.camera_condition import Cadence
from core.vision.geometry import are_inside
from core.vision.model import BBox, ObservationKind, Phase, PicturePoint, Scene
from core.vision.scene_rule import Grey, Moment, Notebook, Place, place_of
from core.vision.tuning import Tuning

KIND = ObservationKind.OBJECT_LEFT
LEARN_S = 6.0
FOLLOW_S = 40.0
NEW_FROM = 18.0
"""Grey levels from the background."""

STILL_WITHIN = 12.0
FLOOD = 0.25
"""Share of the picture that differs at once: light or the camera changed, nothing was left."""

LARGEST = 0.08
COVERED_S = 20.0
"""A standing vehicle that the detector loses for less is still there."""

GONE_AFTER_S = 4.0
_SHADOW = (0.35, 0.95)
_SHADOW_SPREAD = 0.09

RING_PX = 4
"""Around something that lies there: what the light does to the ground under it is taken from there."""

LEAST_RING_PX = 8
GAIN = (0.4, 2.5)
"""Of the light since the ground was learned; what is darker or brighter says nothing about it."""

_Floats = NDArray[np.float32]
_Flags = NDArray[np.bool_]


@dataclass(slots=True)
class _Found:
    """One thing that lies there.

    Attributes:
        under: The whole ground as it was known before it was learned anew; None as long as it is the same one.
    """

    number: int
    place: Place
    pixels: _Flags
    box: BBox
    confidence: float
    under: _Floats | None = None
    gone_s: float = 0.0
    lies_s: float = 0.0


class ObjectLeftRule:
    """Every lane and zone of one camera."""

    def __init__(self, scene: Scene) -> None:
        """Know nothing of the ground yet."""
        tuning = Tuning(scene)
        self._after_s = tuning.value(KIND, "after_s")
        self._size = tuning.value(KIND, "size")
        self._drawn = [(place_of(lane), lane.polygon) for lane in scene.lanes]
        self._drawn += [(place_of(zone), zone.polygon) for zone in scene.zones]
        self._cadence = Cadence(0.5)
        self._ground: _Ground | None = None
        self._shape: tuple[int, ...] = ()
        self._found: list[_Found] = []
        self._n_found = 0

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        grey = moment.fixed_grey
        if not self._drawn or grey is None or (step_s := self._cadence.due(moment.pts_s)) is None or moment.is_unsure:
            return
        if self._ground is None:
            self._ground = _Ground(grey, [polygon for _, polygon in self._drawn])
            self._shape = grey.shape if moment.grey is None else moment.grey.shape
            return
        if moment.grey is not None and moment.grey.shape != self._shape:
            # Another stream has other edges: sharper ones would look like things.
            self._shape = moment.grey.shape
            self._ground.begin_anew(self._found)
        self._ground.take(grey, [s.track.bbox_xyxy for s in moment.sightings], step_s, self._found)
        self._watch_found(self._ground, step_s, note)
        for pixels in self._ground.ripe(self._after_s):
            self._look_at(self._ground, pixels, note)

    def _watch_found(self, ground: _Ground, step_s: float, note: Notebook) -> None:
        for found in tuple(self._found):
            found.lies_s += step_s
            is_visible = not ground.is_covered(found.pixels)
            found.gone_s = found.gone_s + step_s if is_visible and ground.is_clear(found) else 0.0
            # However long it lies: nobody took it away.
            if found.gone_s < GONE_AFTER_S:
                continue
            self._found.remove(found)
            ground.absorb(found.pixels)
            self._write(found, Phase.END, note)

    def _look_at(self, ground: _Ground, pixels: _Flags, note: Notebook) -> None:
        if any((found.pixels & pixels).any() for found in self._found):
            ground.settle(pixels)
            return
        n_pixels, n_least = int(pixels.sum()), max(3, round(self._size * pixels.size))
        confidence = ground.judge(pixels) if n_least <= n_pixels <= LARGEST * pixels.size else None
        if confidence is None:
            ground.absorb(pixels)
            return
        self._n_found += 1
        found = _Found(self._n_found, self._place_of(pixels), pixels, _box_of(pixels), confidence, lies_s=self._after_s)
        self._found.append(found)
        ground.settle(pixels)
        self._write(found, Phase.BEGIN, note)

    def _place_of(self, pixels: _Flags) -> Place:
        box = _box_of(pixels)
        foot = np.array([[(box[0] + box[2]) / 2, box[3]], [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]])
        for place, polygon in self._drawn:
            if are_inside(foot, np.array(polygon, np.float64)).any():
                return place
        return self._drawn[0][0]

    def _write(self, found: _Found, phase: Phase, note: Notebook) -> None:
        note.add(
            KIND,
            phase,
            found.place,
            f"{KIND.value}:{found.place.key}",
            number=found.number,
            bbox_xyxy=found.box,
            confidence=found.confidence,
            values={"standing_s": round(found.lies_s, 1), "size": round(float(found.pixels.mean()), 5)},
        )


class _Ground:
    """The background of one camera, and what has been new and still on it for how long."""

    def __init__(self, grey: Grey, polygons: Sequence[Sequence[PicturePoint]]) -> None:
        height, width = grey.shape
        self.shape = grey.shape
        rows, columns = np.mgrid[0:height, 0:width]
        centres = np.stack([(columns.ravel() + 0.5) / width, (rows.ravel() + 0.5) / height], axis=1)
        watched = np.zeros(height * width, bool)
        for polygon in polygons:
            watched |= are_inside(centres, np.array(polygon, np.float64))
        self._watched: _Flags = watched.reshape(height, width)
        self._background: _Floats = grey.astype(np.float32)
        self._recent: _Floats = self._background.copy()
        self._new_s: _Floats = np.zeros(self.shape, np.float32)
        self._covered_s: _Floats = np.zeros(self.shape, np.float32)
        self._is_known: _Flags = np.zeros(self.shape, bool)
        self._is_new: _Flags = np.zeros(self.shape, bool)
        self._learned_s = 0.0

    def take(self, grey: Grey, boxes: Sequence[BBox], step_s: float, lying: Sequence[_Found]) -> None:
        """Take one look; where something lies, the ground is not learned anew."""
        now = grey.astype(np.float32)
        self._cover(boxes, step_s)
        is_free = self._covered_s <= 0
        gain, offset = self._light(now, is_free)
        level = (now - offset) / gain
        is_still = np.abs(level - self._recent) < STILL_WITHIN
        self._recent += (level - self._recent) * min(1.0, 0.4 * max(1.0, step_s))
        self._learned_s += step_s
        difference = np.abs(level - self._background)
        self._is_new = (difference > NEW_FROM) & is_free & self._is_known
        is_flood = float(self._is_new.mean()) > FLOOD
        if is_flood and self._learned_s > LEARN_S:
            self.begin_anew(lying)
        hides = np.zeros(self.shape, bool)
        for found in lying:
            if found.under is not None:
                hides |= _grown(found.pixels)
        if is_flood or self._learned_s < LEARN_S:
            self._learn(level, is_free & ~hides)
            return
        # Ground that was never seen free is learned when it is: a car drove off that stood there from the beginning.
        is_free &= ~hides
        fresh = is_free & ~self._is_known
        self._background[fresh] = level[fresh]
        self._is_known |= is_free
        self._new_s[self._is_new & is_still & self._watched] += step_s
        self._new_s[is_free & (~self._is_new | ~is_still)] *= 0.5
        follows = is_free & ~self._is_new
        around = [(found, self._around_level(found)) for found in lying if found.under is None]
        self._background[follows] += (level[follows] - self._background[follows]) * min(1.0, step_s / FOLLOW_S)
        for found, before in around:
            # What it hides becomes darker and lighter as the ground around it does.
            hidden = found.pixels & ~follows
            self._background[hidden] *= self._around_level(found) / before

    def _around_level(self, found: _Found) -> float:
        ring = _around(found.pixels, RING_PX) & ~_around(found.pixels, 1)
        return float(np.median(self._background[ring])) + 1.0 if ring.any() else 1.0

    def begin_anew(self, lying: Sequence[_Found]) -> None:
        """Learn the ground anew, apart from where something lies: there it is kept as it was."""
        for found in lying:
            found.under = self._background.copy() if found.under is None else found.under
        self._learned_s = 0.0
        self._is_known[:] = False

    def ripe(self, after_s: float) -> list[_Flags]:
        """Return the parts of the picture that have been new and still for long enough, at least their larger half."""
        ripe = self._new_s >= after_s
        if not ripe.any():
            return []
        # Its rim trembles and is younger than its middle.
        return [part for part in blobs(self._new_s >= 0.4 * after_s) if 2 * int(ripe[part].sum()) >= int(part.sum())]

    def judge(self, pixels: _Flags) -> float | None:
        """Return how sure it is that something lies there; None for a shadow or the place something left."""
        rim = _grown(pixels)
        under, now = self._background, self._recent
        ratio = now[pixels] / np.maximum(under[pixels], 1.0)
        is_dimmed = _SHADOW[0] < float(ratio.mean()) < _SHADOW[1]
        if is_dimmed and float(ratio.std()) < _SHADOW_SPREAD and int(pixels.sum()) > 12:
            return None
        edges_now, edges_before = _edge_sum(now, rim), _edge_sum(under, rim)
        if edges_before > edges_now:
            return None
        contrast = float(np.abs(now[pixels] - under[pixels]).mean())
        area = _box_of(pixels)
        fill = float(pixels.mean()) / max(1e-9, (area[2] - area[0]) * (area[3] - area[1]))
        return (
            0.5
            + 0.2 * min(1.0, (contrast - NEW_FROM) / 30.0)
            + 0.15 * min(1.0, (edges_now - edges_before) / (edges_now + 1e-6) * 1.5)
            + 0.15 * min(1.0, fill / 0.6)
        )

    def absorb(self, pixels: _Flags) -> None:
        """Let it be background from now on."""
        self._background[pixels] = self._recent[pixels]
        self._new_s[pixels] = 0.0

    def settle(self, pixels: _Flags) -> None:
        """It is known and needs no second look."""
        self._new_s[pixels] = 0.0

    def is_covered(self, pixels: _Flags) -> bool:
        """Tell whether something stands in front of it."""
        return float((self._covered_s[pixels] > 0).mean()) > 0.3

    def is_clear(self, found: _Found) -> bool:
        """Tell whether the ground is as it was."""
        if found.under is None:
            return float(self._is_new[found.pixels].mean()) < 0.3
        if self._learned_s < LEARN_S:
            return False
        ring = _around(found.pixels, RING_PX) & ~_around(found.pixels, 1) & self._is_known & (self._covered_s <= 0)
        if int(ring.sum()) < LEAST_RING_PX:
            return False
        gain = (float(np.median(self._recent[ring])) + 1.0) / (float(np.median(found.under[ring])) + 1.0)
        apart = np.abs(self._recent[found.pixels] - gain * found.under[found.pixels])
        return GAIN[0] <= gain <= GAIN[1] and float((apart > NEW_FROM).mean()) < 0.3

    def _cover(self, boxes: Sequence[BBox], step_s: float) -> None:
        """Note where vehicles and people are, for as long as the detector may lose one that stands."""
        self._covered_s -= step_s
        height, width = self.shape
        for x1, y1, x2, y2 in boxes:
            dx, dy = 0.12 * (x2 - x1) + 1 / width, 0.12 * (y2 - y1) + 1 / height
            rows = slice(max(0, int((y1 - dy) * height)), max(0, int((y2 + dy) * height) + 1))
            columns = slice(max(0, int((x1 - dx) * width)), max(0, int((x2 + dx) * width) + 1))
            part = self._covered_s[rows, columns]
            # Who passes covers for a moment, who stays is remembered for longer.
            np.minimum(np.maximum(part, 0.0) + 2 * max(step_s, 0.5), COVERED_S, out=part)

    def _light(self, now: _Floats, is_free: _Flags) -> tuple[float, float]:
        """Return the gain and offset of the light against the background, from all that is free."""
        sample = is_free[::3, ::3]
        ours, theirs = self._background[::3, ::3][sample], now[::3, ::3][sample]
        if ours.size < 50:
            return 1.0, 0.0
        low, middle, high = np.percentile(ours, (15, 50, 85))
        low_now, middle_now, high_now = np.percentile(theirs, (15, 50, 85))
        gain = float(np.clip((high_now - low_now + 10.0) / (high - low + 10.0), 0.5, 2.0))
        return gain, float(middle_now - gain * middle)

    def _learn(self, level: _Floats, is_free: _Flags) -> None:
        rate = np.where(self._is_known, 0.3, 1.0).astype(np.float32)
        self._background[is_free] += (level[is_free] - self._background[is_free]) * rate[is_free]
        self._is_known |= is_free
        self._new_s[:] = 0.0


def blobs(flags: _Flags) -> list[_Flags]:
    """Return the connected parts of a mask, corners included; of a very broken one the first hundred."""
    left = flags.copy()
    parts: list[_Flags] = []
    height, width = flags.shape
    while len(parts) < 100 and left.any():
        seed = int(left.argmax())
        part = np.zeros_like(flags)
        queue = [(seed // width, seed % width)]
        left[queue[0]] = False
        while queue:
            row, column = queue.pop()
            part[row, column] = True
            for y in range(max(0, row - 1), min(height, row + 2)):
                for x in range(max(0, column - 1), min(width, column + 2)):
                    if left[y, x]:
                        left[y, x] = False
                        queue.append((y, x))
        parts.append(part)
    return parts


def _grown(pixels: _Flags) -> _Flags:
    grown = pixels.copy()
    grown[1:] |= pixels[:-1]
    grown[:-1] |= pixels[1:]
    wide = grown.copy()
    wide[:, 1:] |= grown[:, :-1]
    wide[:, :-1] |= grown[:, 1:]
    return wide


def _around(pixels: _Flags, reach_px: int) -> _Flags:
    """Return the pixels and those around them, so far in rows and columns."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    near = np.zeros_like(pixels)
    top, left = max(0, rows[0] - reach_px), max(0, columns[0] - reach_px)
    near[top : rows[-1] + reach_px + 1, left : columns[-1] + reach_px + 1] = True
    return near


def _edge_sum(level: _Floats, pixels: _Flags) -> float:
    """Return the strength of the edges between the pixels of a region."""
    across = np.abs(np.diff(level, axis=1))[pixels[:, 1:] & pixels[:, :-1]]
    down = np.abs(np.diff(level, axis=0))[pixels[1:] & pixels[:-1]]
    return float(across.sum() + down.sum())


def _box_of(pixels: _Flags) -> BBox:
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    height, width = pixels.shape
    return (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )
