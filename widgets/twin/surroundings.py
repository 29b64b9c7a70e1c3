"""What stands around bays besides what was drawn: kerbs and trees on green, lamps at the rim, dashes along a lane.

They say nothing: no bay, no figure and no way to drive is read from them. A lane's dashes have no direction, because
nobody drew one.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from widgets.twin.faces import Faces, Floats, Material, at_height

KERB_M, KERB_HEIGHT_M = 0.22, 0.14
TREE_EVERY_M, TREE_LEAST_M = 7.5, 2.6
TREE_HEIGHT_M = 3.2
"""Young trees: seen from half above they hide no bay behind their strip of green."""

CROWN_SIDES = 6
LAMP_EVERY_M, LAMP_HEIGHT_M, LAMP_INSET_M = 45.0, 4.5, 0.6
DASH_M, DASH_EVERY_M, DASH_WIDTH_M = 1.6, 4.2, 0.10


def add_green(faces: Faces, points: Floats, low_m: float, high_m: float) -> None:
    """Add a strip of green with its kerb, and trees where it is broad enough; points [m], shape (k, 2)."""
    faces.add_prism(_grown(points, KERB_M), low_m, max(low_m + KERB_HEIGHT_M, high_m - 0.04), Material.KERB)
    faces.add_prism(points, low_m, high_m, Material.GREEN)
    for number, at in enumerate(_tree_places(points)):
        _add_tree(faces, at, high_m, number)


def add_lamps(faces: Faces, pad: Floats, ground_m: float) -> None:
    """Add lamps along both longer sides of a level's ground; its corners [m], shape (4, 2)."""
    long_first = np.linalg.norm(pad[1] - pad[0]) >= np.linalg.norm(pad[2] - pad[1])
    corners = pad if long_first else np.roll(pad, -1, axis=0)
    middle = corners.mean(axis=0)
    for begin, end in ((corners[0], corners[1]), (corners[2], corners[3])):
        length_m = float(np.linalg.norm(end - begin))
        inward = middle - (begin + end) / 2
        inward /= max(float(np.linalg.norm(inward)), 1e-9)
        way = (end - begin) / max(length_m, 1e-9)
        n = max(1, round(length_m / LAMP_EVERY_M))
        # From corner to corner: what stands before a row hides some of it.
        for far_m in np.linspace(LAMP_INSET_M, length_m - LAMP_INSET_M, n + 1):
            _add_lamp(faces, begin + way * far_m + inward * LAMP_INSET_M, inward, ground_m)


def dashes_along(points: Floats, height_m: float) -> Floats:
    """Return dashes along the middle of a lane of four corners [m], shape (n, 4, 3); of any other lane none."""
    if len(points) != 4:
        return np.zeros((0, 4, 3))
    long_first = np.linalg.norm(points[1] - points[0]) >= np.linalg.norm(points[2] - points[1])
    corners = points if long_first else np.roll(points, -1, axis=0)
    begin, end = (corners[0] + corners[3]) / 2, (corners[1] + corners[2]) / 2
    length_m = float(np.linalg.norm(end - begin))
    n = int(length_m / DASH_EVERY_M)
    if n < 2:
        return np.zeros((0, 4, 3))
    way = (end - begin) / length_m
    side = np.array((-way[1], way[0])) * DASH_WIDTH_M / 2
    half = way * DASH_M / 2
    middles = begin + np.outer((np.arange(n) + 0.5) / n * length_m, way)
    quads = np.stack([middles - half - side, middles + half - side, middles + half + side, middles - half + side], 1)
    return np.dstack((quads, np.full((n, 4, 1), height_m)))


def _grown(points: Floats, by_m: float) -> Floats:
    """Move the corners of an outline away from its middle."""
    around = points - points.mean(axis=0)
    length = np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-9)
    return np.asarray(points + around / length * by_m * math.sqrt(2.0))


def _tree_places(points: Floats) -> Floats:
    """Return where trees stand, shape (n, 2): a row along the middle of four corners."""
    if len(points) != 4:
        return np.zeros((0, 2))
    first, second = float(np.linalg.norm(points[1] - points[0])), float(np.linalg.norm(points[2] - points[1]))
    if min(first, second) < TREE_LEAST_M:
        return np.zeros((0, 2))
    corners = points if first >= second else np.roll(points, -1, axis=0)
    begin, end = (corners[0] + corners[3]) / 2, (corners[1] + corners[2]) / 2
    n = max(1, round(max(first, second) / TREE_EVERY_M))
    # Not like soldiers: each a little beside its place, always the same way.
    shares = (np.arange(n) + 0.5 + 0.18 * np.sin(np.arange(n) * 2.4)) / n
    return np.asarray(begin + np.outer(shares, end - begin))


def _add_tree(faces: Faces, at: Floats, ground_m: float, number: int) -> None:
    size = 0.85 + 0.15 * math.sin(number * 1.7)
    height_m = TREE_HEIGHT_M * size
    faces.add_prism(_ring(at, 0.11, 4, number), ground_m, ground_m + height_m * 0.4, Material.TRUNK)
    low, wide, high = 0.30 * height_m, 0.52 * height_m, 0.82 * height_m
    rings = [
        at_height(_ring(at, 0.55 * size, CROWN_SIDES, number), ground_m + low),
        at_height(_ring(at, 1.05 * size, CROWN_SIDES, number), ground_m + wide),
        at_height(_ring(at, 0.72 * size, CROWN_SIDES, number), ground_m + high),
    ]
    for lower, upper in pairwise(rings):
        around = np.stack((lower, np.roll(lower, -1, axis=0), np.roll(upper, -1, axis=0), upper), axis=1)
        faces.add_quads(around, Material.LEAVES)
    tip = np.array((at[0], at[1], ground_m + height_m))
    last = rings[-1]
    for i in range(CROWN_SIDES):
        faces.add_polygon(np.stack((last[i], last[(i + 1) % CROWN_SIDES], tip)), Material.LEAVES)


def _add_lamp(faces: Faces, at: Floats, inward: Floats, ground_m: float) -> None:
    top_m = ground_m + LAMP_HEIGHT_M
    faces.add_prism(_ring(at, 0.07, 4, 0), ground_m, top_m, Material.POST)
    side = np.array((-inward[1], inward[0])) * 0.16
    arm = inward * 1.3
    head = np.array((at - side, at + arm - side, at + arm + side, at + side))
    faces.add_prism(head if _is_counter_clockwise(head) else head[::-1], top_m, top_m + 0.12, Material.LAMP)


def _is_counter_clockwise(points: Floats) -> bool:
    following = np.roll(points, -1, axis=0)
    return float((points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum()) > 0.0


def _ring(at: Floats, radius_m: float, n: int, turn: int) -> Floats:
    turns = np.arange(n) * 2 * math.pi / n + turn
    return np.asarray(at + radius_m * np.column_stack((np.cos(turns), np.sin(turns))))
