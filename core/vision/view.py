"""What a camera shows while it stands right: learned by its worker, kept by the node, handed to the next worker.

A worker that begins with what it sees would take a camera that was knocked for one that stands right.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.kernel.wire import to_builtins
from core.vision.light import Light
from core.vision.model import PicturePoint, Scene
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
        drawn: Print of what was drawn on it, as `print_of_view` says; for another drawing it means nothing.
        lit: At most one for each light.
        is_moved: When this was told, the camera showed something else.
        told_at: Wall time.
        shapes: Upright size of the main stream's pictures [px] that things were drawn on: by the print of each private
            part, and by that of all that is drawn. What is not drawn any more stays: it may be drawn again. By
            `print_of_lit` that of the pictures that `lit` was learned on, of whichever stream.
    """

    drawn: str
    lit: tuple[LitView, ...]
    is_moved: bool = False
    told_at: datetime
    shapes: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def kept_for(self, scene: Scene) -> LearnedView | None:
        """Return what of this still holds where `scene` is drawn; None where nothing does.

        Who draws says nothing of what was drawn before on pictures of another shape.
        """
        drawn = print_of_view(scene)
        if self.drawn == drawn:
            return self
        if self.drawn == print_of_drawing(scene):
            # Learned by an earlier version, which went by lines where parts are private, too.
            return replace(self, drawn=drawn)
        return replace(self, drawn=drawn, lit=(), is_moved=False) if self.shapes else None

    def forgotten_for(self, scene: Scene) -> LearnedView | None:
        """Return what of this still holds once somebody said that what the camera shows now is what `scene` is for."""
        gone = prints_of_shapes(scene)
        shapes = {print_: wh for print_, wh in self.shapes.items() if print_ not in gone}
        return replace(self, lit=(), is_moved=False, shapes=shapes) if shapes else None


def print_of_view(scene: Scene) -> str:
    """Return a text that changes when somebody draws on what the camera shows then: a view from before means nothing.

    Who draws a line says nothing of what is private: where parts are, only these count.
    """
    return _print_of(scene.private_parts) if scene.private_parts else print_of_drawing(scene)


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


def print_of_part(part: Sequence[PicturePoint]) -> str:
    """Return a text that changes with where this private part lies."""
    return _print_of(part)


def print_of_lit(scene: Scene) -> str:
    """Return under what `LearnedView.shapes` knows on which pictures it was learned what this scene's camera shows."""
    return _print_of(["lit", print_of_view(scene)])


def prints_of_shapes(scene: Scene) -> frozenset[str]:
    """Return under what `LearnedView.shapes` knows what is drawn here."""
    parts = {print_of_part(part) for part in scene.private_parts} | {print_of_lit(scene)}
    return frozenset(parts | {print_of_drawing(scene)} if scene.is_drawn else parts)


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
