"""Faces of a scene, each of a material, and how they are put together. No Qt, no VTK."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PAINT_M = 0.12
PAINT_Z = 0.05


class Material(IntEnum):
    """What a face is made of; its colour is the palette's."""

    ASPHALT = 0
    LANE = 1
    SLAB = 2
    GREEN = 3
    BUILDING = 4
    WALL = 5
    PAINT = 6
    EARTH = 7
    KERB = 8
    TRUNK = 9
    LEAVES = 10
    POST = 11
    LAMP = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """Faces of any number of corners.

    Attributes:
        points: [m], shape (n, 3).
        faces: The number of corners and their indices, one face after the other.
        materials: `Material` of each face, shape (m,).
    """

    points: NDArray[np.float32]
    faces: NDArray[np.int64]
    materials: NDArray[np.uint8]


class Faces:
    """Collects faces of one mesh."""

    def __init__(self) -> None:
        self._points: list[Floats] = []
        self._faces: list[NDArray[np.int64]] = []
        self._materials: list[NDArray[np.uint8]] = []
        self._n_points = 0

    def add_polygon(self, points: Floats, material: Material) -> None:
        """Add one face; points [m], shape (k, 3)."""
        self._faces.append(np.concatenate(([len(points)], np.arange(len(points)) + self._n_points)))
        self._take(points, material, 1)

    def add_quads(self, quads: Floats, material: Material) -> None:
        """Add many faces of four corners; quads [m], shape (n, 4, 3)."""
        n = len(quads)
        faces = np.column_stack((np.full(n, 4), np.arange(4 * n).reshape(n, 4) + self._n_points))
        self._faces.append(faces.ravel())
        self._take(quads.reshape(-1, 3), material, n)

    def add_prism(self, points: Floats, low_m: float, high_m: float, material: Material) -> None:
        """Add a body over an outline; points [m], shape (k, 2)."""
        self.add_polygon(at_height(points, high_m), material)
        following = np.roll(points, -1, axis=0)
        sides = np.stack(
            (
                at_height(points, low_m),
                at_height(following, low_m),
                at_height(following, high_m),
                at_height(points, high_m),
            ),
            1,
        )
        self.add_quads(sides, material)

    def mesh(self) -> Mesh:
        """Return what was collected."""
        return Mesh(
            points=np.concatenate(self._points).astype(np.float32) if self._points else np.zeros((0, 3), np.float32),
            faces=np.concatenate(self._faces).astype(np.int64) if self._faces else np.zeros(0, np.int64),
            materials=np.concatenate(self._materials) if self._materials else np.zeros(0, np.uint8),
        )

    def _take(self, points: Floats, material: Material, n_faces: int) -> None:
        self._points.append(np.asarray(points, dtype=np.float64))
        self._materials.append(np.full(n_faces, material, dtype=np.uint8))
        self._n_points += len(points)


def at_height(points: Floats, height_m: float | Floats) -> Floats:
    """Return points (k, 2) at a height as (k, 3)."""
    return np.column_stack((points, np.broadcast_to(height_m, len(points))))


def different_lines(begins: Floats, ends: Floats) -> NDArray[np.intp]:
    """Return one of each set of lines, from (n, 3) to (n, 3), that lie in the same place whichever way they run."""
    first = np.round(begins, 2) + 0.0
    second = np.round(ends, 2) + 0.0
    is_later = (first[:, 0] > second[:, 0]) | ((first[:, 0] == second[:, 0]) & (first[:, 1] > second[:, 1]))
    lines = np.where(is_later[:, None], np.hstack((second, first)), np.hstack((first, second)))
    return np.sort(np.unique(lines, axis=0, return_index=True)[1])


def strips(begin: Floats, end: Floats) -> Floats:
    """Return painted lines between points (n, 3) as faces (n, 4, 3)."""
    along = end - begin
    length = np.maximum(np.linalg.norm(along[:, :2], axis=1, keepdims=True), 1e-9)
    way = np.column_stack((along[:, :2] / length, np.zeros(len(along))))
    side = np.column_stack((-way[:, 1], way[:, 0], np.zeros(len(way)))) * PAINT_M / 2
    reach = way * PAINT_M / 2
    low, high = begin - reach, end + reach
    strips = np.stack((low - side, high - side, high + side, low + side), axis=1)
    strips[..., 2] += PAINT_Z
    return strips
