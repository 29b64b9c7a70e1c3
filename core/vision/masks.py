"""Parts of the picture where nothing is detected: parked rows, posters, reflections."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.vision.geometry import are_inside
from core.vision.model import MaskKind, Scene, Track


class IgnoreMasks:
    """The ignore masks of one camera."""

    def __init__(self, scene: Scene) -> None:
        """Lay the polygons."""
        self._polygons = [np.array(mask.polygon, np.float64) for mask in scene.masks if mask.kind is MaskKind.IGNORE]

    def outside(self, tracks: Sequence[Track]) -> tuple[Track, ...]:
        """Return those that do not stand in a mask, by their ground points."""
        if not self._polygons or not tracks:
            return tuple(tracks)
        points = np.array([((t.bbox_xyxy[0] + t.bbox_xyxy[2]) / 2, t.bbox_xyxy[3]) for t in tracks])
        is_masked = np.zeros(len(tracks), bool)
        for polygon in self._polygons:
            is_masked |= are_inside(points, polygon)
        return tuple(track for track, is_left_out in zip(tracks, is_masked, strict=True) if not is_left_out)
