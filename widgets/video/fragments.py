"""Many pieces of one picture in one call: making an object of Qt for each costs more than painting it."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QPainter, QPixmap
from shiboken6 import wrapInstance

Floats = NDArray[np.float64]

_N_FIELDS = 10


class Fragments:
    """Memory of the layout of `QPainter.PixmapFragment`, written by numpy and read by Qt.

    Attributes:
        values: Shape (n, 10): x and y of the middle [px of the widget]; left, top, width and height in the picture
            [px of it]; how much wider and higher it is painted; 0; opacity, 1 where nobody wrote anything.
    """

    def __init__(self, n: int) -> None:
        self.values: Floats = np.zeros((n, _N_FIELDS))
        self.values[:, -1] = 1.0
        self._starts: dict[int, QPainter.PixmapFragment] = {}

    def paint(self, painter: QPainter, start: int, n: int, picture: QPixmap) -> None:
        """Paint so many of them in their order."""
        if not n:
            return
        first = self._starts.get(start)
        if first is None:
            at = self.values.__array_interface__["data"][0] + start * self.values.strides[0]
            first = self._starts[start] = cast(QPainter.PixmapFragment, wrapInstance(at, QPainter.PixmapFragment))
        painter.drawPixmapFragments(first, n, picture)
