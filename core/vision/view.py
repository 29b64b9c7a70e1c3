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
from core.vision.model import UNREADABLE, PicturePoint, Scene
from core.vision.scene_rule import FIXED_WH_PX

STRONGEST_EDGE = 40.0
"""Grey levels; stronger edges count as much."""

Edges = NDArray[np.float32]
"""Strength of a small picture's edges [grey levels], shape (90, 160)."""

Visible = NDArray[np.bool_]
"""Which of them are of the scene and not of what is painted over it, shape (90, 160)."""


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


LIT = "lit"
"""Under this `LearnedView.shapes` knows on which pictures it was learned what the camera shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedView:
    """What one camera shows while it stands right.

    Attributes:
        drawn: What was drawn on it, as `prints_of_view` says. Where nothing of that is drawn any more it means nothing.
        lit: At most one for each light.
        is_moved: When this was told, the camera showed something else.
        is_open: When this was told it had been impossible for a while to judge whether the camera moved.
        told_at: Wall time.
        shapes: Upright size of the main stream's pictures [px] that things were drawn on: by the print of each private
            part, and by that of all that is drawn. What is not drawn any more stays: it may be drawn again. By
            `LIT` that of the pictures that `lit` was learned on, of whichever stream.
    """

    drawn: frozenset[str]
    lit: tuple[LitView, ...]
    is_moved: bool = False
    is_open: bool = False
    told_at: datetime
    shapes: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def kept_for(self, scene: Scene) -> LearnedView | None:
        """Return what of this still holds where `scene` is drawn; None where nothing does.

        Who draws one private part anew says nothing of the others, nor of what was drawn before on pictures of another
        shape.
        """
        drawn = prints_of_view(scene)
        # Nobody drew anew where nobody can read what is drawn.
        if scene == UNREADABLE or not self.drawn.isdisjoint(drawn):
            return self
        if print_of_drawing(scene) in self.drawn:
            # Learned by an earlier version, which went by lines where parts are private, too.
            return replace(self, drawn=drawn)
        return replace(self, drawn=drawn, lit=(), is_moved=False, is_open=False) if self.shapes else None

    def forgotten_for(self, scene: Scene) -> LearnedView | None:
        """Return what of this still holds once somebody said that what the camera shows now is what `scene` is for."""
        gone = prints_of_shapes(scene)
        shapes = {print_: wh for print_, wh in self.shapes.items() if print_ not in gone}
        return replace(self, lit=(), is_moved=False, is_open=False, shapes=shapes) if shapes else None


def prints_of_view(scene: Scene) -> frozenset[str]:
    """Return texts of which none is left once somebody drew all anew: on what the camera shows then.

    Who draws a line says nothing of what is private: where parts are, only these count, each by itself.
    """
    return frozenset(map(print_of_part, scene.private_parts)) or frozenset({print_of_drawing(scene)})


def is_drawn_anew(before: Scene, now: Scene) -> bool:
    """Tell whether a view that was learned for one scene means nothing to the other, as far as both can be read."""
    return UNREADABLE not in (before, now) and prints_of_view(before).isdisjoint(prints_of_view(now))


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


def prints_of_shapes(scene: Scene) -> frozenset[str]:
    """Return under what `LearnedView.shapes` knows what is drawn here."""
    parts = {print_of_part(part) for part in scene.private_parts} | {LIT}
    return frozenset(parts | {print_of_drawing(scene)} if scene.is_drawn else parts)


def _print_of(drawn: object) -> str:
    return hashlib.sha256(msgspec.json.encode(to_builtins(drawn))).hexdigest()


def pack_edges(edges: Edges, visible: Visible) -> bytes:
    """Return edges as bytes, a step for each sixth of a grey level, and behind them which of them were seen."""
    levels = np.rint(edges * (255.0 / STRONGEST_EDGE))
    return zlib.compress(np.clip(levels, 0, 255).astype(np.uint8).tobytes() + np.packbits(visible).tobytes())


def unpack_edges(packed: bytes) -> tuple[Edges, Visible] | None:
    """Return packed edges and which of them were seen; None where these are not all of them."""
    width, height = FIXED_WH_PX
    n_edges = width * height
    try:
        read = np.frombuffer(zlib.decompress(packed), np.uint8)
    except zlib.error:
        return None
    visible = np.ones((height, width), np.bool_)
    if read.size == n_edges + n_edges // 8:
        visible = np.unpackbits(read[n_edges:]).astype(np.bool_).reshape(height, width)
    elif read.size != n_edges:  # An earlier version kept the edges alone.
        return None
    levels = read[:n_edges].reshape(height, width)
    return levels.astype(np.float32) * np.float32(STRONGEST_EDGE / 255.0), visible
