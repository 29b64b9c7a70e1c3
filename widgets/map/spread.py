"""Keeps what stands at the same place readable: plates that would hide each other are moved apart a little.

No Qt here; boxes are (left, top, right, bottom) in pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]

_STEPS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""Where a plate may go, in its own sizes: it stays, or goes below, above, beside; never further than that."""


class Taken:
    """What is covered already."""

    def __init__(self, n_most: int) -> None:
        """Make room for `n_most` boxes."""
        self._boxes: NDArray[np.float64] = np.empty((n_most, 4))
        self._n_boxes = 0

    def is_free(self, box: Box) -> bool:
        """Whether a box touches nothing that is covered."""
        held = self._boxes[: self._n_boxes]
        left, top, right, bottom = box
        hits = (held[:, 0] < right) & (held[:, 2] > left) & (held[:, 1] < bottom) & (held[:, 3] > top)
        return not bool(hits.any())

    def add(self, box: Box) -> None:
        """Cover a box."""
        self._boxes[self._n_boxes] = box
        self._n_boxes += 1

    def first_free(self, boxes: Iterable[Box]) -> Box | None:
        """Return the first of these that touches nothing, and cover it."""
        for box in boxes:
            if self.is_free(box):
                self.add(box)
                return box
        return None


def spread(boxes: Sequence[Box], gap_px: float, taken: Taken) -> list[tuple[float, float]]:
    """Return how far each box is moved so that it covers no earlier one; one without a free place nearby stays.

    Args:
        boxes: The first ones keep their places.
        gap_px: Left between two boxes.
        taken: Gets the boxes where they stand in the end.
    """
    moves = []
    for left, top, right, bottom in boxes:
        step_x, step_y = right - left + gap_px, bottom - top + gap_px
        tried = [(dx * step_x, dy * step_y) for dx, dy in _STEPS]
        places = [(left + dx, top + dy, right + dx, bottom + dy) for dx, dy in tried]
        found = taken.first_free(places)
        if found is None:
            taken.add(places[0])
            moves.append((0.0, 0.0))
        else:
            moves.append(tried[places.index(found)])
    return moves
