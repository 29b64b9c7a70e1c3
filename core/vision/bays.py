"""Vehicles' boxes against outlines on the ground: which vehicle stands in which bay, and how surely.

A box reaches as high as the vehicle, its outline on the ground does not: only the lower part of a box, no higher than
the bay is deep in the picture, is compared with the bay. Lengths are pixels of the picture, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.vision.assignment import assign

FloatArray = NDArray[np.floating[Any]]

MIN_FIT = 0.14
"""Below, a vehicle stands elsewhere: half-way, in ratio, between its own bay (0.25 and more, also where bays are drawn
carelessly) and the bay beside (hardly ever above 0.08)."""

MIN_SCORE = 0.08
"""Score of a box at which vehicle and no vehicle are equally likely, where the box fits a bay."""

MISSED_LOGIT = -3.5
"""Log odds of a vehicle where no box was found."""

_STEEPNESS = 2.5
_STRADDLES_COVER = 0.3
_STRADDLES_RATIO = 0.6
_HIDDEN_COVER = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class BayMatch:
    """What the boxes of one picture say of the bays.

    Attributes:
        logits: Log odds that a vehicle stands in each bay, shape (n_bays,).
        box_of: Index of the box that stands in each bay, -1 for none, shape (n_bays,).
        hidden: Share of each bay that vehicles of other bays cover in the picture, shape (n_bays,).
        straddles: Pairs of bays that one vehicle stands across, and its box.
    """

    logits: FloatArray
    box_of: NDArray[np.int64]
    hidden: FloatArray
    straddles: tuple[tuple[int, int, int], ...]

    @property
    def is_hidden(self) -> NDArray[np.bool_]:
        """Bays of which so little is seen that an empty one looks like an occupied one; shape (n_bays,)."""
        unseen: NDArray[np.bool_] = (self.box_of < 0) & (self.hidden > _HIDDEN_COVER)
        return unseen


def area_of(polygon: FloatArray) -> float:
    """Return the area of a simple polygon, shape (n, 2)."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def area_in_box(polygon: FloatArray, box: Sequence[float] | FloatArray) -> float:
    """Return the area of the part of a polygon inside an upright box. Source: Sutherland and Hodgman (1974)."""
    points = [(float(x), float(y)) for x, y in polygon]
    for axis, limit, sign in ((0, box[0], 1), (0, box[2], -1), (1, box[1], 1), (1, box[3], -1)):
        kept: list[tuple[float, float]] = []
        for a, b in zip(points[-1:] + points[:-1], points, strict=True):
            a_in, b_in = (a[axis] - limit) * sign >= 0, (b[axis] - limit) * sign >= 0
            if a_in != b_in:
                share = (limit - a[axis]) / (b[axis] - a[axis])
                kept.append((a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share))
            if b_in:
                kept.append(b)
        if len(kept) < 3:
            return 0.0
        points = kept
    return area_of(np.array(points))


def ground_part(box: Sequence[float] | FloatArray, depth_px: float) -> tuple[float, float, float, float]:
    """Return the lower part of a box, at most `depth_px` high."""
    x1, y1, x2, y2 = (float(v) for v in box[:4])
    return x1, max(y1, y2 - depth_px), x2, y2


def fit(outline: FloatArray, box: Sequence[float] | FloatArray) -> float:
    """Return how well a vehicle's box stands on a bay's outline, 0..1: share of the bay covered, and equal extent."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    ground = ground_part(box, float(high[1] - low[1]))
    wide = min(ground[2], high[0]) - max(ground[0], low[0])
    tall = min(ground[3], high[1]) - max(ground[1], low[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    shared = wide * tall
    both = (ground[2] - ground[0]) * (ground[3] - ground[1]) + float(np.prod(high - low)) - shared
    cover = area_in_box(outline, ground) / max(area_of(outline), 1e-9)
    return float(np.sqrt(cover * shared / max(both, 1e-9)))


def match_bays(outlines: Sequence[FloatArray], boxes: FloatArray) -> BayMatch:
    """Give each vehicle to the one bay that it fits best, all together as well as possible.

    Args:
        outlines: Of the bays [px], each (n, 2).
        boxes: Vehicles' x1, y1, x2, y2 [px] and score, shape (k, 5) or wider.
    """
    n_bays = len(outlines)
    logits = np.full(n_bays, MISSED_LOGIT)
    box_of = np.full(n_bays, -1, np.int64)
    if not n_bays or not len(boxes):
        return BayMatch(logits=logits, box_of=box_of, hidden=np.zeros(n_bays), straddles=())
    fits = np.array([[fit(outline, box) for box in boxes] for outline in outlines])
    # Among vehicles that fit alike the one that is surer goes first.
    rows, columns = assign(-fits * (0.5 + 0.5 * boxes[:, 4]))
    for row, column in zip(rows, columns, strict=True):
        value = _logit(float(fits[row, column]), float(boxes[column, 4]))
        if value > MISSED_LOGIT:
            logits[row], box_of[row] = value, column
    stands = np.where(logits > 0, box_of, -1)
    straddles = _straddles(outlines, boxes, stands)
    for _, beside, _box in straddles:
        logits[beside] = max(logits[beside], 1.0)
    return BayMatch(logits=logits, box_of=stands, hidden=_hidden(outlines, boxes, stands), straddles=straddles)


def _logit(fit_value: float, score: float) -> float:
    if fit_value < 0.02:
        return MISSED_LOGIT
    return max(MISSED_LOGIT, _STEEPNESS * float(np.log(min(fit_value / MIN_FIT, score / MIN_SCORE))))


def _straddles(
    outlines: Sequence[FloatArray], boxes: FloatArray, box_of: NDArray[np.int64]
) -> tuple[tuple[int, int, int], ...]:
    """Find vehicles whose middle lies as near to an empty bay's middle as to that of their own."""
    found = []
    middles = np.array([outline.mean(axis=0) for outline in outlines])
    for bay in np.flatnonzero(box_of >= 0).tolist():
        box = boxes[box_of[bay]]
        ground = ground_part(box, float(np.ptp(outlines[bay][:, 1])))
        at = np.array([(ground[0] + ground[2]) / 2, (ground[1] + ground[3]) / 2])
        away = np.linalg.norm(middles - at, axis=1)
        for beside in np.argsort(away)[:3].tolist():
            if beside == bay or box_of[beside] >= 0 or away[bay] < _STRADDLES_RATIO * away[beside]:
                continue
            covers = [area_in_box(outlines[i], ground) / max(area_of(outlines[i]), 1e-9) for i in (bay, beside)]
            if min(covers) >= _STRADDLES_COVER:
                found.append((bay, beside, int(box_of[bay])))
                break
    return tuple(found)


def _hidden(outlines: Sequence[FloatArray], boxes: FloatArray, box_of: NDArray[np.int64]) -> FloatArray:
    """Return how much of each bay the largest vehicle of another bay covers."""
    hidden = np.zeros(len(outlines))
    others = {int(box): int(bay) for bay, box in enumerate(box_of) if box >= 0}
    for index, outline in enumerate(outlines):
        area = max(area_of(outline), 1e-9)
        covers = [area_in_box(outline, boxes[box][:4]) / area for box, bay in others.items() if bay != index]
        hidden[index] = max(covers, default=0.0)
    return hidden
