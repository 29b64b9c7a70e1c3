"""What a camera shows while it stands right: learned by its worker, kept by the node, handed to the next worker.

A worker that begins with what it sees would take a camera that was knocked for one that stands right.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.kernel.wire import to_builtins
from core.vision.light import Light
from core.vision.model import Scene
from core.vision.scene_rule import FIXED_WH_PX

STRONGEST_EDGE = 40.0
"""Grey levels; stronger edges count as much."""

Edges = NDArray[np.float32]
"""Strength of a small picture's edges [grey levels], shape (90, 160)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LitView:
    """What one camera shows in one light while it stands right.

    Attributes:
        edges: That last, as `pack_edges` writes them.
        likeness: That its pictures usually have with them.
        seen_at: Wall time when the camera was last sure to show it.
    """

    light: Light
    edges: bytes = field(repr=False)
    likeness: float
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedView:
    """What one camera shows while it stands right.

    Attributes:
        drawn: Print of what was drawn on it, as `print_of_drawing` says; for another drawing it means nothing.
        lit: At most one for each light.
        is_moved: When this was told, the camera showed something else.
        told_at: Wall time.
        masked_wh: Upright size of the pictures [px] that its privacy masks belong to; known as long as the node runs.
        masks: Print of these, as `print_of_masks` says; for other ones `masked_wh` means nothing.
    """

    drawn: str
    lit: tuple[LitView, ...]
    is_moved: bool = False
    told_at: datetime
    masked_wh: tuple[int, int] | None = None
    masks: str = ""

    def kept_for(self, scene: Scene) -> LearnedView | None:
        """Return what of this still holds where `scene` is drawn; None where nothing does.

        Who draws a line says nothing of the privacy masks: they go on belonging to pictures of the shape they had.
        """
        drawn = print_of_drawing(scene)
        if self.drawn == drawn:
            return self
        if self.masked_wh is None or self.masks != print_of_masks(scene):
            return None
        return replace(self, drawn=drawn, lit=(), is_moved=False)


def print_of_drawing(scene: Scene) -> str:
    """Return a text that changes with what is drawn where: not with names, nor with how rules are tuned."""
    drawn = {
        "zones": [zone.polygon for zone in scene.zones],
        "lines": [(line.start, line.end) for line in scene.lines],
        "lanes": [(lane.polygon, lane.start, lane.end) for lane in scene.lanes],
        "masks": [(mask.polygon, mask.kind) for mask in scene.masks],
        "plane": scene.plane,
    }
    return _print_of(drawn)


def print_of_masks(scene: Scene) -> str:
    """Return a text that changes with what of the picture is private."""
    return _print_of(scene.private_parts)


def _print_of(drawn: object) -> str:
    return hashlib.sha256(msgspec.json.encode(to_builtins(drawn))).hexdigest()


def pack_edges(edges: Edges) -> bytes:
    """Return edges as bytes, a step for each sixth of a grey level."""
    levels = np.rint(edges * (255.0 / STRONGEST_EDGE))
    return zlib.compress(np.clip(levels, 0, 255).astype(np.uint8).tobytes())


def unpack_edges(packed: bytes) -> Edges | None:
    """Return packed edges; None where these are not all of them."""
    width, height = FIXED_WH_PX
    try:
        levels = np.frombuffer(zlib.decompress(packed), np.uint8)
    except zlib.error:
        return None
    if levels.size != width * height:
        return None
    return levels.reshape(height, width).astype(np.float32) * np.float32(STRONGEST_EDGE / 255.0)
