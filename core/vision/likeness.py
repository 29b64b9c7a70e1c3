"""How much of one small picture's edges is found in another, and where.

Two ways, for light changes much of a picture and leaves its edges where they are: the whole picture against the whole
by phase correlation, which also says how far it is shifted; and many small parts by themselves, each of which says
where it is seen best. Of a camera that stands still many parts agree although most of the picture is dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.vision.geometry import are_inside
from core.vision.model import PicturePoint
from core.vision.scene_rule import FIXED_WH_PX, Grey
from core.vision.view import STRONGEST_EDGE, Edges, Visible

CLEAR = 15.0
"""Standard deviations of the correlation, from which on its peak says where the picture is."""

PART_PX, REACH_PX = 20, 8
"""Side of a part, and how far around its place it is looked for."""

LEAST_SPREAD = 4.0
"""Standard deviation of the edges of a part that can be found again."""

LEAST_PARTS, LEAST_AGREEING = 8, 5
"""Of fewer parts nothing can be said, and fewer that agree may do so by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a picture has in common with a known one.

    Attributes:
        likeness: Correlation of the edges where they stand, -1..1.
        shift: As a part of the width.
        clear: How sure that is: the height of the correlation's peak in standard deviations.
    """

    likeness: float
    shift: float
    clear: float


def edges_of(grey: Grey) -> Edges:
    """Return the strength of the edges of a picture of `FIXED_WH_PX`."""
    small = grey.astype(np.float32)
    edges = np.zeros_like(small)
    edges[1:-1, 1:-1] = np.abs(small[1:-1, 2:] - small[1:-1, :-2]) + np.abs(small[2:, 1:-1] - small[:-2, 1:-1])
    return np.minimum(edges, STRONGEST_EDGE)


def visible_beside(polygons: Sequence[Sequence[PicturePoint]]) -> Visible:
    """Return which edges are of the scene and not of what is painted over it, shape (90, 160).

    A mask stays where it is when its camera is turned.
    """
    width, height = FIXED_WH_PX
    rows, columns = np.mgrid[0:height, 0:width]
    centres = np.stack([(columns.ravel() + 0.5) / width, (rows.ravel() + 0.5) / height], axis=1)
    hidden = np.zeros(height * width, bool)
    for polygon in polygons:
        hidden |= are_inside(centres, np.array(polygon, np.float64))
    grown = hidden.reshape(height, width)
    for _ in range(2):
        before = grown.copy()
        grown[1:] |= before[:-1]
        grown[:-1] |= before[1:]
        grown[:, 1:] |= before[:, :-1]
        grown[:, :-1] |= before[:, 1:]
    return ~grown


def compare(known: Edges, now: Edges, visible: Visible, height_over_width: float) -> Match:
    """Return what the edges of now have in common with known ones.

    Args:
        known: Shape (90, 160).
        now: Of the same shape.
        visible: From `visible_beside`.
        height_over_width: Of the pictures, whatever shape they were brought to.
    """
    ours, theirs = _about_zero(known, visible), _about_zero(now, visible)
    shift, clear = phase_shift(ours, theirs, height_over_width)
    return Match(likeness=_correlation(ours, theirs), shift=shift, clear=clear)


def likeness_of(known: Edges, now: Edges, visible: Visible) -> float:
    """Return the `likeness` of a match alone."""
    return _correlation(_about_zero(known, visible), _about_zero(now, visible))


def _about_zero(edges: Edges, visible: Visible) -> Edges:
    if not visible.any():
        return np.zeros_like(edges)
    return np.where(visible, edges - edges[visible].mean(), np.float32(0))


def _correlation(ours: Edges, theirs: Edges) -> float:
    return float((ours * theirs).sum() / math.sqrt(float((ours**2).sum() * (theirs**2).sum()) + 1e-9))


def phase_shift(ours: Edges, theirs: Edges, height_over_width: float) -> tuple[float, float]:
    """Return how far a picture is shifted against another one, and how clear that is; see `Match`.

    Args:
        ours: Mean 0, shape (h, w).
        theirs: Of the same shape.
        height_over_width: Of the pictures, whatever shape they were brought to.

    Source: Kuglin and Hines, The phase correlation image alignment method, 1975.
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


def agreeing(known: Edges, now: Edges, visible: Visible) -> float:
    """Return how many of a picture's parts are seen best where they were, 0..1; 0 where too few can say so.

    Of a street against any other one a seventh agrees at most. The rim is left out: a clock that is burnt in stays
    where it is when its camera is turned.

    Args:
        known: Shape (90, 160).
        now: Of one picture: in an average, traces of what was shown before agree with that.
        visible: From `visible_beside`.
    """
    height, width = now.shape
    size, reach = PART_PX, REACH_PX
    reached = size + 2 * reach
    corners = [
        (y, x)
        for y in range(reach + 2, height - size - reach + 1, size)
        for x in range(reach, width - size - reach + 1, size)
        if visible[y : y + size, x : x + size].all() and float(now[y : y + size, x : x + size].std()) >= LEAST_SPREAD
    ]
    if len(corners) < LEAST_PARTS:
        return 0.0
    ours, theirs = _against_those_around(known), _against_those_around(now)
    parts = np.stack([theirs[y : y + size, x : x + size] for y, x in corners])
    parts -= parts.mean(axis=(1, 2), keepdims=True)
    around = np.stack([ours[y - reach :, x - reach :][:reached, :reached] for y, x in corners])
    wh = (reached, reached)
    found = np.fft.irfft2(np.fft.rfft2(around, s=wh) * np.conj(np.fft.rfft2(parts, s=wh)), s=wh)
    places = 2 * reach + 1
    spread = _sums(around**2, size) - _sums(around, size) ** 2 / size**2
    found = found[:, :places, :places] / np.sqrt(np.maximum(spread, 1e-3))
    best = found.reshape(len(corners), -1).argmax(axis=1)
    rows, columns = np.abs(best // places - reach), np.abs(best % places - reach)
    n_agreeing = int(((rows <= 1) & (columns <= 1)).sum())
    return n_agreeing / len(corners) if n_agreeing >= LEAST_AGREEING else 0.0


def _against_those_around(edges: Edges) -> Edges:
    """Return edges against those around them: what lies in the dark counts as what stands under a lamp."""
    reach = 9
    side = 2 * reach + 1
    padded = np.pad(edges, reach, mode="reflect")
    mean = _sums(padded[None], side)[0] / side**2
    return np.asarray(np.minimum(edges / (mean + 2.0), 3.0), np.float32)


def _sums(pictures: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the sums over all squares of a side, shape (n, h - side + 1, w - side + 1)."""
    total = np.pad(pictures, ((0, 0), (1, 0), (1, 0))).astype(np.float64).cumsum(axis=1).cumsum(axis=2)
    sums = total[:, side:, side:] - total[:, :-side, side:] - total[:, side:, :-side] + total[:, :-side, :-side]
    return np.asarray(sums, np.float32)
