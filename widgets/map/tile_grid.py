"""The tile pyramid over Web Mercator: which tile lies where, and which zoom fits a screen."""

from __future__ import annotations

import math
from typing import NamedTuple

from core.kernel.geo import EARTH_RADIUS_M

WORLD_M = 2 * math.pi * EARTH_RADIUS_M
HALF_WORLD_M = WORLD_M / 2
MAX_ZOOM = 22


class TileKey(NamedTuple):
    """One tile; x to the east, y to the south from the north-west corner (XYZ, not TMS)."""

    zoom: int
    x: int
    y: int


class RectM(NamedTuple):
    """A rectangle in Web Mercator [m]; y grows to the north."""

    left: float
    bottom: float
    right: float
    top: float


def tile_rect(key: TileKey) -> RectM:
    """Return the ground a tile covers."""
    side = WORLD_M / (1 << key.zoom)
    left = key.x * side - HALF_WORLD_M
    top = HALF_WORLD_M - key.y * side
    return RectM(left, top - side, left + side, top)


def tiles_in(rect: RectM, zoom: int) -> list[TileKey]:
    """Return the tiles that touch `rect`, those nearest its centre first."""
    side = WORLD_M / (1 << zoom)
    last = (1 << zoom) - 1
    x0 = max(0, math.floor((rect.left + HALF_WORLD_M) / side))
    x1 = min(last, math.floor((rect.right + HALF_WORLD_M) / side))
    y0 = max(0, math.floor((HALF_WORLD_M - rect.top) / side))
    y1 = min(last, math.floor((HALF_WORLD_M - rect.bottom) / side))
    middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
    keys = [TileKey(zoom, x, y) for y in range(y0, y1 + 1) for x in range(x0, x1 + 1)]
    keys.sort(key=lambda key: (key.x - middle_x) ** 2 + (key.y - middle_y) ** 2)
    return keys


def zoom_for(resolution_m: float, tile_px: int, min_zoom: int, max_zoom: int) -> int:
    """Pick the zoom whose pixels are nearest those of the screen, which cover `resolution_m` Mercator metres each."""
    exact = math.log2(WORLD_M / (tile_px * max(resolution_m, 1e-6)))
    return max(min_zoom, min(max_zoom, round(exact)))


def parent(key: TileKey) -> TileKey | None:
    """Return the tile one zoom out, or None at the top."""
    return TileKey(key.zoom - 1, key.x >> 1, key.y >> 1) if key.zoom > 0 else None


def part_of(ancestor: TileKey, key: TileKey) -> tuple[float, float, float]:
    """Return where `key` lies in `ancestor`: left, top and side, as fractions of the ancestor's side."""
    scale = 1 << (key.zoom - ancestor.zoom)
    return (key.x - ancestor.x * scale) / scale, (key.y - ancestor.y * scale) / scale, 1 / scale
