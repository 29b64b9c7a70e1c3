"""Parts of the picture where nothing is detected: parked rows, posters, reflections, and the black of privacy masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.vision.geometry import are_inside
from core.vision.model import MaskKind, Scene, Track


class IgnoreMasks:
    """The masks of one camera."""

    def __init__(self, scene: Scene) -> None:
        """Lay the polygons."""
        self._ignored = _polygons(scene, MaskKind.IGNORE)
        self._black = _polygons(scene, MaskKind.PRIVACY)

    def outside(self, tracks: Sequence[Track]) -> tuple[Track, ...]:
        """Return those that do not stand in an ignore mask, by their ground points, nor have their middle in the black.

        A black rectangle looks like the back of a lorry to a detector.
        """
        if not tracks or not (self._ignored or self._black):
            return tuple(tracks)
        boxes = np.array([track.bbox_xyxy for track in tracks], np.float64)
        across = (boxes[:, 0] + boxes[:, 2]) / 2
        grounds = np.column_stack((across, boxes[:, 3]))
        middles = np.column_stack((across, (boxes[:, 1] + boxes[:, 3]) / 2))
        is_masked = np.zeros(len(tracks), bool)
        for points, polygons in ((grounds, self._ignored), (middles, self._black)):
            for polygon in polygons:
                is_masked |= are_inside(points, polygon)
        return tuple(track for track, is_left_out in zip(tracks, is_masked, strict=True) if not is_left_out)


def _polygons(scene: Scene, kind: MaskKind) -> list[npt.NDArray[np.float64]]:
    return [np.array(mask.polygon, np.float64) for mask in scene.masks if mask.kind is kind]
