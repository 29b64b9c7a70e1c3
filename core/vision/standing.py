"""Who stood and is not seen any more: gone, or still there while the detector cannot see it.

A detector loses a vehicle that stands when it grows dark, in rain, behind a glare. That it left is believed when its
place is seen without it: the picture as a whole has as much to see as before, in the same light, and where the vehicle
was, its edges are not; or when somebody else drives where it stood. Until then it may stand there: it is kept.
"""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.vision.camera_condition import Cadence
from core.vision.light import Light, LightSense
from core.vision.model import BBox
from core.vision.scene_rule import Moment
from core.vision.vehicles import STANDING_SPEED, Sighting

SIDE_PX = 24
"""Of a vehicle's part of the picture, whatever its size."""

SHAKE_PX = 2
FOLLOW_S = 10.0
SAME_FROM = 0.5
"""Correlation of edges, from which on the same thing stands there."""

LIGHT_LEFT = 0.6
"""Of the picture's edges and of the brightness around the place, so much has to be left to see that it is empty."""

EMPTY_FOR_S = 4.0
NOT_FOUND_S = 900.0
"""In good light the detector would have found it in this time: what looks the same there never was a vehicle."""

OWN_PLACE = 0.25
"""Sizes around where it stood: nobody else gets there while it does."""

_Floats = NDArray[np.float32]


@dataclass(slots=True)
class _Place:
    """One vehicle's.

    Attributes:
        edges: Of its part of the picture while it was seen, shape (24, 24).
        structure: Mean strength of the edges of the whole picture then [grey levels].
        level: Mean brightness around it then [grey levels].
        empty_s: How long it has been seen without it.
        unseen_s: Since it was seen last.
        not_found_s: Of these, how long it should have been, for its place looked as before and in as much light.
        is_taken: Somebody else drove there since.
    """

    sighting: Sighting
    edges: _Floats
    structure: float
    level: float
    light: Light
    empty_s: float = 0.0
    unseen_s: float = 0.0
    not_found_s: float = 0.0
    is_taken: bool = False

    @property
    def was_left(self) -> bool:
        """Whether it can be believed that the vehicle is not there any more."""
        return self.is_taken or self.empty_s >= EMPTY_FOR_S or self.not_found_s >= NOT_FOUND_S


class StandingPlaces:
    """The places of one camera's vehicles that stand and are told of; used from one thread."""

    def __init__(self) -> None:
        """Know no place yet."""
        self._places: dict[int, _Place] = {}
        self._sense = LightSense()
        self._cadence = Cadence(0.5)

    @property
    def kept(self) -> frozenset[int]:
        """Keys of vehicles that nobody saw leave."""
        return frozenset(key for key, place in self._places.items() if not place.was_left)

    @property
    def unseen(self) -> frozenset[int]:
        """Those of them that are not seen now."""
        return frozenset(key for key, place in self._places.items() if place.unseen_s)

    def update(self, moment: Moment, told: Set[int]) -> None:
        """Take one picture.

        Args:
            moment: After the rules saw it.
            told: Keys of vehicles of which a rule said that they stand, and not that they left.
        """
        for key in self._places.keys() - told:
            del self._places[key]
        if not told:
            return
        seen = {sighting.key: sighting for sighting in moment.sightings}
        for key, place in self._places.items():
            if key in seen:
                place.empty_s = place.unseen_s = place.not_found_s = 0.0
                place.is_taken = False
            elif any(_drives_over(place.sighting, other) for other in moment.sightings):
                place.is_taken = True
        picture, small = moment.picture, moment.grey
        if picture is None or small is None or (step_s := self._cadence.due(moment.pts_s)) is None:
            return
        light = self._sense.take(picture, small, moment.pts_s)
        plane = picture if picture.ndim == 2 else picture[:, :, 1]
        structure = float(_edges(small[::2, ::2].astype(np.float32)).mean())
        for key in told:
            if key in seen:
                self._note(seen[key], plane, structure, light, step_s, is_sure=not moment.is_unsure)
            elif key in self._places:
                self._judge(self._places[key], plane, structure, light, step_s, moment)

    def _note(
        self,
        sighting: Sighting,
        plane: NDArray[np.uint8],
        structure: float,
        light: Light,
        step_s: float,
        *,
        is_sure: bool,
    ) -> None:
        box = sighting.track.bbox_xyxy
        place = self._places.get(sighting.key)
        edges, level = _edges(_part(plane, box)), _level_around(plane, box)
        if place is None or place.light is not light:
            self._places[sighting.key] = _Place(sighting, edges, structure, level, light)
            return
        place.sighting = sighting
        if is_sure:
            share = min(1.0, step_s / FOLLOW_S)
            place.edges += (edges - place.edges) * share
            place.structure += (structure - place.structure) * share
            place.level += (level - place.level) * share

    def _judge(
        self, place: _Place, plane: NDArray[np.uint8], structure: float, light: Light, step_s: float, moment: Moment
    ) -> None:
        place.unseen_s += max(step_s, 1e-3)
        box = place.sighting.track.bbox_xyxy
        is_other_light = light is not place.light
        # In another light it cannot be compared; in a better one the detector would have found it.
        share = 1.0 if is_other_light else LIGHT_LEFT
        sees = (
            not moment.is_unsure
            and (self._sense.is_settled or not is_other_light)
            and structure >= share * place.structure
            and _level_around(plane, box) >= share * place.level
            and not any(_covers(other.track.bbox_xyxy, box) for other in moment.sightings)
        )
        if not sees:
            place.empty_s = 0.0
        elif is_other_light or _likeness(place.edges, _edges(_part(plane, box))) >= SAME_FROM:
            place.empty_s, place.not_found_s = 0.0, place.not_found_s + step_s
        else:
            place.empty_s += step_s


def _drives_over(stood: Sighting, other: Sighting) -> bool:
    is_moving = other.speed > STANDING_SPEED * other.size
    return is_moving and math.dist(stood.ground, other.ground) < OWN_PLACE * min(stood.size, other.size)


def _covers(front: BBox, behind: BBox) -> bool:
    """Tell whether something hides a quarter of a place."""
    width = min(front[2], behind[2]) - max(front[0], behind[0])
    height = min(front[3], behind[3]) - max(front[1], behind[1])
    area = (behind[2] - behind[0]) * (behind[3] - behind[1])
    return width > 0 and height > 0 and width * height > 0.25 * area


def _part(plane: NDArray[np.uint8], box: BBox) -> _Floats:
    """Return a part of the picture, as far as it lies in it, brought to one size; of four samples a pixel."""
    height, width = plane.shape
    x1, y1, x2, y2 = box
    n = 2 * SIDE_PX
    columns = np.clip(((x1 + (np.arange(n) + 0.5) / n * (x2 - x1)) * width).astype(np.intp), 0, width - 1)
    rows = np.clip(((y1 + (np.arange(n) + 0.5) / n * (y2 - y1)) * height).astype(np.intp), 0, height - 1)
    samples = plane[rows[:, None], columns[None]].astype(np.float32)
    mean: _Floats = samples.reshape(SIDE_PX, 2, SIDE_PX, 2).mean(axis=(1, 3))
    return mean


def _edges(grey: _Floats) -> _Floats:
    edges = np.zeros_like(grey)
    edges[1:-1, 1:-1] = np.abs(grey[1:-1, 2:] - grey[1:-1, :-2]) + np.abs(grey[2:, 1:-1] - grey[:-2, 1:-1])
    return edges


def _level_around(plane: NDArray[np.uint8], box: BBox) -> float:
    """Return the middle brightness of what lies around a part: half its size on every side."""
    height, width = plane.shape
    x1, y1, x2, y2 = box
    dx, dy = (x2 - x1) / 2, (y2 - y1) / 2
    left, right = max(0, int((x1 - dx) * width)), min(width, int((x2 + dx) * width) + 1)
    top, bottom = max(0, int((y1 - dy) * height)), min(height, int((y2 + dy) * height) + 1)
    return float(np.median(plane[top:bottom:2, left:right:2])) if right > left and bottom > top else 0.0


def _likeness(known: _Floats, now: _Floats) -> float:
    """Return the best correlation of two parts' edges within a shake of the camera."""
    inner = slice(SHAKE_PX, -SHAKE_PX)
    ours = known[inner, inner] - known[inner, inner].mean()
    best = 0.0
    for dy in range(-SHAKE_PX, SHAKE_PX + 1):
        for dx in range(-SHAKE_PX, SHAKE_PX + 1):
            theirs = now[SHAKE_PX + dy : SIDE_PX - SHAKE_PX + dy, SHAKE_PX + dx : SIDE_PX - SHAKE_PX + dx]
            theirs = theirs - theirs.mean()
            norm = math.sqrt(float((ours**2).sum() * (theirs**2).sum()) + 1e-6)
            best = max(best, float((ours * theirs).sum()) / norm)
    return best
