"""Whether a camera still looks where it looked when its bays were drawn, by what stands round the bays.

Corners of the picture outside every bay are compared with those of reference pictures. Light changes what a corner
looks like, so a view keeps a few references, of day and of night.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
FloatArray = NDArray[np.floating[Any]]

WIDTH_PX = 720
N_REFERENCES = 6
MIN_INLIERS = 18
MIN_LANDMARKS = 60
"""A view with fewer corners, a bare field, cannot be told from another."""

_STRONG_INLIERS = 60
_N_CORNERS = 1500
_RATIO = 0.8
_REACH_PX = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Where what was drawn lies now.

    Attributes:
        matrix: Similarity from fractions of the drawn picture's width to those of this one, shape (2, 3).
        n_inliers: Landmarks that say so.
    """

    matrix: FloatArray
    n_inliers: int

    def move(self, points: FloatArray) -> FloatArray:
        """Move points in fractions of the width, shape (n, 2)."""
        moved: FloatArray = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        return moved


@dataclass(slots=True)
class _Reference:
    grey: Picture
    points: FloatArray
    looks: Any


class Landmarks:
    """What stands round the bays of one view."""

    def __init__(self, outlines: Sequence[FloatArray], references: Sequence[Picture] = ()) -> None:
        """Begin with the references that are kept; `outlines` are fractions of width and height."""
        self._outlines = outlines
        self._references: list[_Reference] = []
        for grey in references:
            self._add(np.asarray(grey, np.uint8))

    @property
    def references(self) -> list[Picture]:
        """The small grey pictures, for keeping."""
        return [reference.grey for reference in self._references]

    @property
    def is_empty(self) -> bool:
        """Nothing was seen yet."""
        return not self._references

    @property
    def can_tell(self) -> bool:
        """There is enough round the bays to recognise the view by."""
        return any(len(reference.points) >= MIN_LANDMARKS for reference in self._references)

    def learn(self, picture_bgr: Picture) -> None:
        """Take a picture as one that shows the view as it was drawn."""
        self._add(small_grey(picture_bgr))

    def shift(self, picture_bgr: Picture) -> Shift | None:
        """Compare a picture with the references; None where none of them can be recognised in it."""
        grey = small_grey(picture_bgr)
        points, looks = self._corners(grey)
        best: Shift | None = None
        for reference in self._references:
            if reference.grey.shape != grey.shape:
                continue
            found = _similarity(reference, points, looks, grey.shape[1])
            if found is not None and (best is None or found.n_inliers > best.n_inliers):
                best = found
            if best is not None and best.n_inliers >= _STRONG_INLIERS:
                break
        if best is not None and best.n_inliers < _STRONG_INLIERS and _is_still(best):
            # The same view in another light: what was hardly recognised now is known from here on.
            self._add(grey)
        return best

    def _add(self, grey: Picture) -> None:
        points, looks = self._corners(grey)
        self._references.append(_Reference(grey=grey, points=points, looks=looks))
        if len(self._references) > N_REFERENCES:
            # The first is the one that the bays were drawn on.
            del self._references[1]

    def _corners(self, grey: Picture) -> tuple[FloatArray, Any]:
        import cv2

        mask = np.full(grey.shape, 255, np.uint8)
        size = np.array([grey.shape[1], grey.shape[0]], np.float32)
        for outline in self._outlines:
            cv2.fillPoly(mask, [(np.asarray(outline, np.float32) * size).round().astype(np.int32)], 0)
        even = cv2.createCLAHE(2.0, (8, 8)).apply(grey)
        found, looks = cv2.ORB.create(_N_CORNERS, fastThreshold=10).detectAndCompute(even, mask)
        return np.array([corner.pt for corner in found], np.float32).reshape(-1, 2), looks


def small_grey(picture_bgr: Picture) -> Picture:
    """Return the small grey picture that landmarks are looked for in."""
    import cv2

    height, width = picture_bgr.shape[:2]
    small = cv2.resize(picture_bgr, (WIDTH_PX, max(1, round(height * WIDTH_PX / width))), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def _similarity(reference: _Reference, points: FloatArray, looks: Any, width: int) -> Shift | None:
    import cv2

    if reference.looks is None or looks is None or len(points) < MIN_INLIERS:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(reference.looks, looks, k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < _RATIO * pair[1].distance]
    if len(good) < MIN_INLIERS:
        return None
    before = reference.points[[match.queryIdx for match in good]]
    now = points[[match.trainIdx for match in good]]
    matrix, inliers = cv2.estimateAffinePartial2D(before, now, ransacReprojThreshold=_REACH_PX)
    if matrix is None or int(inliers.sum()) < MIN_INLIERS:
        return None
    matrix = matrix.copy()
    matrix[:, 2] /= width
    return Shift(matrix=matrix, n_inliers=int(inliers.sum()))


def _is_still(shift: Shift) -> bool:
    corners = np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 0.6), (1.0, 0.6)])
    return bool(np.abs(shift.move(corners) - corners).max() < 0.004)
