"""Keeps what stands at the same place readable: plates that would hide each other are moved apart a little.

No Qt here; boxes are (left, top, right, bottom) in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]

_HALF_STEPS = np.array([(dx, dy) for dx in range(-2, 3) for dy in (0, 1, -1, 2, -2, 3, -3, 4, -4)], dtype=np.float64)
"""Where a plate may go, in halves of its own size; below rather than above."""


class Taken:
    """What is covered already."""

    def __init__(self, n_most: int) -> None:
        """Make room for `n_most` boxes."""
        self._boxes: NDArray[np.float64] = np.empty((n_most, 4))
        self._n_boxes = 0

    def add(self, box: Box) -> None:
        """Cover a box."""
        self._boxes[self._n_boxes] = box
        self._n_boxes += 1

    def first_free(self, boxes: NDArray[np.float64]) -> int | None:
        """Cover the first of these that touches nothing, and return which it is; boxes have the shape (n, 4)."""
        held = self._boxes[: self._n_boxes]
        hits = (
            (held[:, 0] < boxes[:, None, 2])
            & (held[:, 2] > boxes[:, None, 0])
            & (held[:, 1] < boxes[:, None, 3])
            & (held[:, 3] > boxes[:, None, 1])
        )
        free = np.flatnonzero(~hits.any(axis=1))
        if not len(free):
            return None
        found = int(free[0])
        self._boxes[self._n_boxes] = boxes[found]
        self._n_boxes += 1
        return found


def spread(boxes: Sequence[Box], gap_px: float, within: Box, taken: Taken) -> list[tuple[float, float]]:
    """Return how far each box is moved so that it covers no earlier one: as little as it takes.

    Args:
        boxes: The first ones keep their places; one without a free place nearby stays.
        gap_px: Left between two boxes.
        within: No box that is inside is moved across its edge.
        taken: Gets the boxes where they stand in the end.
    """
    moves = []
    for box in boxes:
        step = ((box[2] - box[0] + gap_px) / 2, (box[3] - box[1] + gap_px) / 2)
        tried = _HALF_STEPS * step
        tried = tried[np.argsort(np.abs(tried).sum(axis=1), kind="stable")]
        places = np.array(box) + np.hstack([tried, tried])
        is_in = np.flatnonzero(np.all((places[:, :2] >= within[:2]) & (places[:, 2:] <= within[2:]), axis=1))
        is_in = np.union1d(is_in, [0])  # The first one is where it is now.
        tried = tried[is_in]
        found = taken.first_free(places[is_in])
        if found is None:
            taken.add(box)
        moves.append((0.0, 0.0) if found is None else (float(tried[found, 0]), float(tried[found, 1])))
    return moves
