"""The car and the marks on bays, few faces each, of our own making. No Qt, no VTK.

A car is in metres, its nose towards +y, its wheels at z = 0. A mark lies flat: those that fill a bay reach from -0.5 to
0.5 across and along it; signs are about 1.4 m high, in metres, and are read from where one drives in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.parking.model import BayKind

CAR_LENGTH_M, CAR_WIDTH_M, CAR_HEIGHT_M = 4.3, 1.8, 1.42
ROOF_Z = CAR_HEIGHT_M + 0.04
_RATIO = 2.0
"""Length of a usual bay by its width: marks that fill a bay are made for it."""

Corner = tuple[float, float]
Solid = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """Faces of any number of corners.

    Attributes:
        points: Shape (n, 3), float32.
        faces: The number of corners and their indices, one face after the other.
    """

    points: NDArray[np.float32]
    faces: NDArray[np.int64]


def shape_of(polygons: Iterable[Sequence[Solid]]) -> Shape:
    """Return faces as one shape; corners are shared: light is reckoned for each face, edges stay sharp."""
    points: dict[Solid, int] = {}
    faces: list[int] = []
    for polygon in polygons:
        faces += [len(polygon), *(points.setdefault(_rounded(corner), len(points)) for corner in polygon)]
    return Shape(np.array(list(points), dtype=np.float32).reshape(-1, 3), np.array(faces, dtype=np.int64))


def _rounded(corner: Solid) -> Solid:
    """Return a corner to a tenth of a millimetre."""
    return (round(float(corner[0]), 4), round(float(corner[1]), 4), round(float(corner[2]), 4))


@cache
def car_body() -> Shape:
    """Return what is painted in the car's colour: sides, deck and roof."""
    low = _ring(CAR_WIDTH_M / 2, CAR_LENGTH_M / 2, 0.30, 0.24)
    belt = _ring(CAR_WIDTH_M / 2, CAR_LENGTH_M / 2, 0.34, 0.64)
    deck = _ring(CAR_WIDTH_M / 2 - 0.10, CAR_LENGTH_M / 2 - 0.14, 0.30, 0.86)
    roof = [(x, y, CAR_HEIGHT_M) for x, y, _ in _cabin(0.60, -1.28, 0.22)]
    return shape_of([*_belt(low, belt), *_belt(belt, deck), deck, roof])


@cache
def car_glass() -> Shape:
    """Return what is dark: windows, and the shade below the car."""
    foot = _cabin(0.76, -1.82, 0.98, 0.86)
    roof = _cabin(0.60, -1.28, 0.22, CAR_HEIGHT_M)
    shade = _ring(CAR_WIDTH_M / 2 + 0.02, CAR_LENGTH_M / 2 + 0.02, 0.30, 0.14)
    return shape_of([*_belt(foot, roof), shade, *_belt(shade, _ring(CAR_WIDTH_M / 2, CAR_LENGTH_M / 2, 0.30, 0.24))])


@cache
def far_body() -> Shape:
    """Return a third of `car_body`'s faces: what is left of it from afar."""
    x, y = CAR_WIDTH_M / 2, CAR_LENGTH_M / 2
    low = [(x, -y, 0.14), (x, y, 0.14), (-x, y, 0.14), (-x, -y, 0.14)]
    deck = [(x - 0.08, -y + 0.1, 0.86), (x - 0.08, y - 0.1, 0.86), (0.08 - x, y - 0.1, 0.86), (0.08 - x, 0.1 - y, 0.86)]
    roof = _cabin(0.60, -1.28, 0.22, CAR_HEIGHT_M)
    return shape_of([*_belt(low, deck), deck, roof])


@cache
def far_glass() -> Shape:
    """Return the windows alone."""
    return shape_of(_belt(_cabin(0.76, -1.82, 0.98, 0.87), _cabin(0.60, -1.28, 0.22, CAR_HEIGHT_M)))


@cache
def hatching() -> Shape:
    """Return the stripes over a bay of which nothing is known."""
    stripes = []
    for begin in np.arange(-1.0, 2.0, 0.56):
        band = [(-0.5, begin), (0.5, begin + 1.0), (0.5, begin + 1.22), (-0.5, begin + 0.22)]
        stripes.append(_clipped([(x, y - 0.5) for x, y in band], _RATIO / 2))
    return _filling(stripe for stripe in stripes if len(stripe) > 2)


@cache
def crossing() -> Shape:
    """Return the cross over a closed bay."""
    x, y = 0.40, 0.46 * _RATIO
    return _filling([*_stroke([(-x, -y), (x, y)], 0.13), *_stroke([(-x, y), (x, -y)], 0.13)])


@cache
def frame() -> Shape:
    """Return the whole outline of a bay whose state an operator corrected."""
    x, y = 0.43, 0.45 * _RATIO
    return _filling(_stroke([(-x, -y), (x, -y), (x, y), (-x, y), (-x, -y)], 0.07))


@cache
def pencil() -> Shape:
    """Return the sign of a correction."""
    shaft = _stroke([(-0.20, -0.20), (0.42, 0.42)], 0.24)
    tip = [(-0.62, -0.62), (-0.24, -0.42), (-0.42, -0.24)]
    return _flat([*shaft, tip])


@cache
def dashes() -> Shape:
    """Return the dotted outline of a bay whose state is old."""
    found: list[list[Corner]] = []
    x, y, width = 0.44, 0.46 * _RATIO, 0.09
    for a, b, n in (((-x, -y), (x, -y), 3), ((-x, y), (x, y), 3), ((-x, -y), (-x, y), 6), ((x, -y), (x, y), 6)):
        for i in range(n):
            begin, end = (i + 0.12) / n, (i + 0.68) / n
            found += _stroke([_mix(a, b, begin), _mix(a, b, end)], width)
    return _filling(found)


@cache
def question() -> Shape:
    """Return "?": nobody knows."""
    bow = [(0.34 * math.cos(math.radians(a)), 0.36 + 0.34 * math.sin(math.radians(a))) for a in range(170, -61, -33)]
    return _flat([*_stroke([*bow, (0.0, -0.02), (0.0, -0.28)], 0.17), _disc((0.0, -0.55), 0.12)])


@cache
def sign(kind: BayKind) -> Shape:
    """Return the sign of a kind of bay.

    Raises:
        KeyError: A standard bay has none.
    """
    return _flat(_SIGNS[kind])


def _ring(half_width: float, half_length: float, corner: float, z: float) -> list[Solid]:
    x, y, c = half_width, half_length, corner
    flat = [(x, -y + c), (x, y - c), (x - c, y), (-x + c, y), (-x, y - c), (-x, -y + c), (-x + c, -y), (x - c, -y)]
    return [(a, b, z) for a, b in flat]


def _cabin(half_width: float, rear: float, front: float, z: float = 0.0) -> list[Solid]:
    return [(half_width, rear, z), (half_width, front, z), (-half_width, front, z), (-half_width, rear, z)]


def _belt(low: Sequence[Solid], high: Sequence[Solid]) -> list[list[Solid]]:
    n = len(low)
    return [[low[i], low[(i + 1) % n], high[(i + 1) % n], high[i]] for i in range(n)]


def _stroke(line: Sequence[Corner], width: float) -> list[list[Corner]]:
    """Return a broad line as one face for each of its parts, a little overlapping at the joints."""
    faces = []
    for (x0, y0), (x1, y1) in pairwise(line):
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        ux, uy = (x1 - x0) / length, (y1 - y0) / length
        sx, sy = -uy * width / 2, ux * width / 2
        ex, ey = ux * width * 0.3, uy * width * 0.3
        faces.append(
            [
                (x0 - ex - sx, y0 - ey - sy),
                (x1 + ex - sx, y1 + ey - sy),
                (x1 + ex + sx, y1 + ey + sy),
                (x0 - ex + sx, y0 - ey + sy),
            ]
        )
    return faces


def _disc(at: Corner, radius: float, n: int = 8) -> list[Corner]:
    turns = (2 * math.pi * i / n for i in range(n))
    return [(at[0] + radius * math.cos(turn), at[1] + radius * math.sin(turn)) for turn in turns]


def _arc(at: Corner, radius: float, begin_deg: int, end_deg: int) -> list[Corner]:
    turns = [math.radians(a) for a in np.linspace(begin_deg, end_deg, 8)]
    return [(at[0] + radius * math.cos(turn), at[1] + radius * math.sin(turn)) for turn in turns]


def _mix(a: Corner, b: Corner, share: float) -> Corner:
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)


def _clipped(polygon: list[Corner], half_length: float) -> list[Corner]:
    """Cut away what lies beyond both ends."""
    for side in (1.0, -1.0):
        kept: list[Corner] = []
        for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
            inside_a, inside_b = side * a[1] <= half_length, side * b[1] <= half_length
            if inside_a:
                kept.append(a)
            if inside_a != inside_b:
                kept.append(_mix(a, b, (side * half_length - a[1]) / (b[1] - a[1])))
        polygon = kept
        if len(polygon) < 3:
            return []
    return polygon


def _filling(polygons: Iterable[Sequence[Corner]]) -> Shape:
    return shape_of([[(x, y / _RATIO, 0.0) for x, y in polygon] for polygon in polygons])


def _flat(polygons: Iterable[Sequence[Corner]]) -> Shape:
    return shape_of([[(x, y, 0.0) for x, y in polygon] for polygon in polygons])


_SIGNS: dict[BayKind, list[list[Corner]]] = {
    BayKind.ACCESSIBLE: [
        _disc((-0.12, 0.60), 0.15),
        *_stroke([(-0.12, 0.38), (-0.12, -0.04), (0.26, -0.04), (0.42, -0.48)], 0.16),
        *_stroke(_arc((-0.08, -0.28), 0.38, 118, 352), 0.12),
    ],
    BayKind.EV: [
        [(0.20, 0.75), (-0.40, -0.10), (0.12, -0.10)],
        [(-0.20, -0.75), (0.40, 0.10), (-0.12, 0.10)],
    ],
    BayKind.LOADING: [
        *_stroke([(-0.45, -0.45), (0.45, -0.45), (0.45, 0.45), (-0.45, 0.45), (-0.45, -0.45)], 0.13),
        *_stroke([(0.0, 0.45), (0.0, -0.02)], 0.20),
    ],
    BayKind.RESERVED: [
        *_stroke([(-0.28, -0.62), (-0.28, 0.62)], 0.17),
        *_stroke([(-0.28, 0.60), (0.14, 0.60), (0.32, 0.44), (0.32, 0.20), (0.14, 0.04), (-0.28, 0.04)], 0.16),
        *_stroke([(0.02, 0.04), (0.34, -0.62)], 0.17),
    ],
}
