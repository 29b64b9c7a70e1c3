"""Vehicles across two bays and in lanes, told by look alone: where no detector sees a vehicle, straight from above.

Of two bays side by side it is known what each looks like empty. A vehicle across them changes the halves that touch and
leaves the outer ones as they are; one in its own bay, and its shadow, change the middle or the outer half as well. The
classifier must see a vehicle on the seam, too. A lane is looked at in pieces of a bay's size, each with its own learnt
empty look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.parking.sight.classifier import CELLS, BayClassifier, EmptyLook, small_looks
from core.parking.sight.patches import cut_patches, quad_of
from core.parking.sight.standing import Stray
from core.vision.geometry import are_inside

Picture = NDArray[np.uint8]
FloatArray = NDArray[np.floating[Any]]

CHANGED, UNCHANGED = 2.0, 1.0
"""Distance from the learnt empty look, in its own spread."""

SEAM_LOGIT, LANE_LOGIT = -0.5, 0.5
"""What the classifier says at least of a seam, and of a lane, where the learnt look is changed as by a vehicle."""

MAX_PIECES = 120
"""Of all lanes of a view: what is long is looked at in larger steps."""

STILL_SEEN = 0.3
"""Likeness from which a side is only darker or brighter than it was: a vehicle hides the line between two bays."""

_SIDE = 5
"""Columns of the touching side."""

_LEARN_LOGIT = 2.0
_GAP = 0.3
"""Of a bay's width: bays whose sides are farther apart do not touch."""

_LEAST_OF_BAY = 0.7
"""A lane that is narrower or shorter, in a bay's size, holds no vehicle."""

_BESIDE = 2.5
"""Of a bay's width: what lies farther away is no neighbour."""

_TOUCHING, _OUTER, _MIDDLE = slice(8, 11), slice(2, 6), slice(2, CELLS - 2)
"""Columns of a bay's small look, its neighbour to the right: the side that touches, the half that does not without
the line at its edge; and all but the margin."""

_CHANGED_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seam:
    """Two bays side by side.

    Attributes:
        bays: Their numbers in the view.
        is_right: Of each, whether the other one lies at its right, as its patch is cut.
        outline: A bay's outline moved onto the line between them [px].
    """

    bays: tuple[int, int]
    is_right: tuple[bool, bool]
    outline: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of a lane as large as a bay.

    Attributes:
        key: What its empty look is remembered under.
        outline: [px].
    """

    lane: str
    key: str
    outline: FloatArray


class StrayWatch:
    """Finds vehicles that stand astray on pictures of one view; used from one thread."""

    def __init__(self, bay_ids: Sequence[str], lanes: Mapping[str, FloatArray], empties: dict[str, EmptyLook]) -> None:
        """Begin with what was learnt.

        Args:
            bay_ids: In the order of the outlines that come with each picture.
            lanes: As they are drawn, fractions of the picture; names the pieces' looks.
            empties: Empty looks of the lanes' pieces; changed with every picture.
        """
        self._bay_ids, self._empties = tuple(bay_ids), empties
        self._names = {name: f"{name}:{_digest(outline)}" for name, outline in lanes.items()}
        wanted = tuple(self._names.values())
        for key in [key for key in empties if not key.startswith(wanted)] if wanted else list(empties):
            del empties[key]
        self._places: tuple[bytes, list[_Seam], list[_Piece]] = (b"", [], [])
        self.note = ""
        """What cannot be told yet, in a sentence or two; empty where everything can."""

    def find(
        self,
        picture_bgr: Picture,
        outlines: Sequence[FloatArray],
        lanes: Mapping[str, FloatArray],
        bay_empties: Sequence[EmptyLook],
        classifier: BayClassifier,
    ) -> list[Stray]:
        """Look at one picture, and learn from it what lanes look like without a vehicle.

        Args:
            picture_bgr: Shape (h, w, 3).
            outlines: Of the bays, where they lie now [px].
            lanes: By name, where they lie now [px].
            bay_empties: What is learnt of each bay.
            classifier: Judges seams and pieces as it judges bays.
        """
        seams, pieces = self._places_of(outlines, lanes)
        patches = cut_patches(
            picture_bgr, [*outlines, *(seam.outline for seam in seams), *(piece.outline for piece in pieces)]
        )
        logits, looks = classifier.logits(patches), small_looks(patches)
        n_bays, n_seams = len(outlines), len(seams)
        found = [
            self._across(seam, outlines, float(logits[n_bays + i]))
            for i, seam in enumerate(seams)
            if logits[n_bays + i] >= SEAM_LOGIT and _is_across(seam, looks, bay_empties)
        ]
        first = n_bays + n_seams
        for piece, logit, look in zip(pieces, logits[first:], looks[first:], strict=True):
            empty = self._empties.setdefault(piece.key, EmptyLook.unknown())
            if logit >= LANE_LOGIT and empty.is_known and _changed_share(look, empty) >= _CHANGED_SHARE:
                found.append(Stray(box=_box_of([piece.outline]), score=_share(float(logit)), lane=piece.lane))
            elif logit < -_LEARN_LOGIT:
                empty.learn(look)
        self.note = self._say(seams, pieces, bay_empties)
        return found

    def _places_of(
        self, outlines: Sequence[FloatArray], lanes: Mapping[str, FloatArray]
    ) -> tuple[list[_Seam], list[_Piece]]:
        """Return seams and pieces; they stay as they are while the camera does."""
        where = np.concatenate([*outlines, *lanes.values()]).tobytes()
        if where != self._places[0]:
            self._places = (where, _seams(outlines), _pieces(outlines, lanes, self._names))
        return self._places[1], self._places[2]

    def _across(self, seam: _Seam, outlines: Sequence[FloatArray], logit: float) -> Stray:
        names = tuple(sorted(self._bay_ids[bay] for bay in seam.bays))
        box = _box_of([seam.outline, *(outlines[bay] for bay in seam.bays)])
        return Stray(box=box, score=_share(logit), bay_ids=names)

    def _say(self, seams: Sequence[_Seam], pieces: Sequence[_Piece], bay_empties: Sequence[EmptyLook]) -> str:
        said = []
        n_known = sum(all(bay_empties[bay].is_known for bay in seam.bays) for seam in seams)
        if not seams and len(self._bay_ids) > 1:
            said.append("Misparked vehicles are not told here: no two bays are drawn side by side.")
        elif n_known < len(seams):
            said.append(
                f"Misparked vehicles are told where both bays were seen empty: at {n_known} of {len(seams)} pairs "
                "so far."
            )
        for name in self._names:
            mine = [piece for piece in pieces if piece.lane == name]
            n_known = sum(self._empties[piece.key].is_known for piece in mine)
            if not mine:
                said.append(f"The lane {name} is smaller than a vehicle and is not watched.")
            elif n_known < len(mine):
                said.append(f"The lane {name} is watched where it was seen clear: {n_known / len(mine):.0%} so far.")
        return " ".join(said)


def _seams(outlines: Sequence[FloatArray]) -> list[_Seam]:
    """Return every pair of bays that touch at their long sides."""
    quads = [quad_of(np.asarray(outline, np.float32)) for outline in outlines]
    middles = np.array([quad.mean(axis=0) for quad in quads])
    widths = np.array([np.linalg.norm(quad[1] - quad[0]) for quad in quads])
    found = []
    for one in range(len(quads)):
        away = np.linalg.norm(middles[one + 1 :] - middles[one], axis=1)
        for other in (np.flatnonzero(away < _BESIDE * widths[one]) + one + 1).tolist():
            seam = _seam(one, other, quads[one], quads[other])
            found += [seam] if seam is not None else []
    return found


def _seam(one: int, other: int, first: FloatArray, second: FloatArray) -> _Seam | None:
    width = min(float(np.linalg.norm(first[1] - first[0])), float(np.linalg.norm(second[1] - second[0])))
    sides, is_right = [], []
    for quad, beside in ((first, second), (second, first)):
        left, right = quad[[0, 3]], quad[[1, 2]]
        middle = beside.mean(axis=0)
        is_right.append(bool(np.linalg.norm(right.mean(0) - middle) < np.linalg.norm(left.mean(0) - middle)))
        sides.append(right if is_right[-1] else left)
    straight, turned = (float(np.linalg.norm(sides[0] - side, axis=1).max()) for side in (sides[1], sides[1][::-1]))
    if min(straight, turned) > _GAP * width:
        return None
    mids = [np.array([(quad[0] + quad[1]) / 2, (quad[3] + quad[2]) / 2]) for quad in (first, second)]
    if turned < straight:
        mids[1] = mids[1][::-1]
    outline = np.array([mids[0][0], mids[1][0], mids[1][1], mids[0][1]], np.float32)
    return _Seam(bays=(one, other), is_right=(is_right[0], is_right[1]), outline=outline)


def _is_across(seam: _Seam, looks: FloatArray, empties: Sequence[EmptyLook]) -> bool:
    for bay, is_right in zip(seam.bays, seam.is_right, strict=True):
        empty = empties[bay]
        if not empty.is_known:
            return False
        columns = np.median(_away(looks[bay], empty)[_MIDDLE], axis=0)
        columns = columns if is_right else columns[::-1]
        if float(np.median(columns[_TOUCHING])) < CHANGED or float(np.median(columns[_OUTER])) > UNCHANGED:
            return False
        side = slice(CELLS - _SIDE, CELLS) if is_right else slice(0, _SIDE)
        # A line shows through a shadow; a vehicle hides it.
        if (empty.likeness(looks[bay], (_MIDDLE, side)) or 0.0) > STILL_SEEN:
            return False
    return True


def _away(look: FloatArray, empty: EmptyLook) -> FloatArray:
    """Return how unlike its empty look each cell is, in brightness or colour, shape (CELLS, CELLS)."""
    away: FloatArray = empty.away(look).max(axis=0)
    return away


def _changed_share(look: FloatArray, empty: EmptyLook) -> float:
    return float((_away(look, empty)[_MIDDLE, _MIDDLE] >= CHANGED).mean())


def _pieces(outlines: Sequence[FloatArray], lanes: Mapping[str, FloatArray], names: Mapping[str, str]) -> list[_Piece]:
    """Cut lanes into overlapping pieces of a bay's size, along each lane."""
    if not outlines or not lanes:
        return []
    quads = [quad_of(np.asarray(outline, np.float32)) for outline in outlines]
    sides = np.array([[np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[2] - quad[1])] for quad in quads])
    short, long = (float(value) for value in np.median(sides, axis=0))
    for step in (0.5, 0.75, 1.0, 1.5, 2.0, 4.0):
        found = [
            _Piece(lane=name, key=f"{names[name]}:{step}:{number}", outline=outline)
            for name, lane in lanes.items()
            for number, outline in enumerate(_cut_lane(lane, short, long, step))
        ]
        if len(found) <= MAX_PIECES:
            return found
    return found[:MAX_PIECES]


def _cut_lane(lane: FloatArray, short: float, long: float, step: float) -> list[FloatArray]:
    """Return pieces that lie along the lane, and across it where it is wide enough."""
    import cv2

    box = quad_of(cv2.boxPoints(cv2.minAreaRect(np.asarray(lane, np.float32))))
    across, along = box[1] - box[0], box[3] - box[0]
    width, length = float(np.linalg.norm(across)), float(np.linalg.norm(along))
    if min(width, length) < 1.0:
        return []
    across, along = across / width, along / length
    found = []
    for wide, deep in ((short, long), (long, short)):
        if width < _LEAST_OF_BAY * wide or length < _LEAST_OF_BAY * deep:
            continue
        half_x, half_y = across * min(wide, width) / 2, along * min(deep, length) / 2
        for x in _places(width, min(wide, width), step * wide):
            for y in _places(length, min(deep, length), step * deep):
                middle = box[0] + across * x + along * y
                corners = [-half_x - half_y, half_x - half_y, half_x + half_y, half_y - half_x]
                piece = middle + np.array(corners)
                inner = np.vstack([middle[None], middle + 0.85 * (piece - middle)])
                if are_inside(inner, np.asarray(lane, np.float64)).sum() >= 4:
                    found.append(piece.astype(np.float32))
    return found


def _places(length: float, piece: float, step: float) -> FloatArray:
    n_places = 1 + int(np.ceil((length - piece) / step - 1e-6))
    places: FloatArray = np.linspace(piece / 2, length - piece / 2, n_places)
    return places


def _box_of(outlines: Sequence[FloatArray]) -> tuple[float, float, float, float]:
    points = np.concatenate(outlines)
    (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return x1, y1, x2, y2


def _share(logit: float) -> float:
    return float(1.0 / (1.0 + np.exp(-logit)))


def _digest(outline: FloatArray) -> str:
    return hashlib.sha256(np.round(np.asarray(outline, np.float64), 5).tobytes()).hexdigest()[:10]
