"""Lots as geometry: bays, painted lines, levels and surroundings in metres. No Qt, no VTK.

The scene's x points east, y north, z up. Lots lie where they are on the earth as long as one can see them together,
else side by side.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from core.parking.model import Bay, BayKind, Lot, Outline, Surrounding, SurroundingKind
from core.parking.plans import BAY_LENGTH_M, BAY_WIDTH_M, LANE_WIDTH_M, Row, bays_of, on_plan
from widgets.twin.faces import Faces, Material, Mesh, at_height, different_lines, strips
from widgets.twin.surroundings import add_green, add_lamps, dashes_along

Floats = NDArray[np.float64]
BayKey = tuple[str, str]
"""Lot and bay."""

KINDS = tuple(BayKind)
TOGETHER_M = 1500.0
"""Lots farther apart than this are shown side by side: nobody sees a bay across a city."""

GAP_M = 24.0
MARGIN_M = 2.0
ASPHALT_Z, LANE_Z, FLOOR_Z, MARK_Z = -0.12, -0.06, 0.0, 0.09
"""Heights over the level's ground [m]: far enough apart that none shines through another from 500 m."""

EARTH_Z = -0.2
EARTH_M = 9.0
"""So far the ground goes on around all lots."""

MOUTH_M = 0.55
"""So far before a bay its label is written."""

APART_SHARE = 1.1
"""Of a level's shorter side: so far apart levels are pulled, that one sees each from half above."""

SLAB_M = 0.3
BAYS_PER_ROW = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class LotPlace:
    """Where one lot lies in the scene.

    Attributes:
        first, n_bays: Its bays in the scene's arrays.
        low, high: Opposite corners of the box around it [m], shape (3,).
        hull: Corners of its ground [m], shape (4, 3).
        n_undrawn: Bays that nobody drew; they stand in rows, in the order of the list.
        levels: Numbers of its levels that carry anything, from below.
    """

    lot_id: str
    name: str
    first: int
    n_bays: int
    low: Floats
    high: Floats
    hull: Floats
    n_undrawn: int
    levels: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeckPlace:
    """One level of one lot: what lies on it hides what is below it.

    Attributes:
        name: Of the level; empty where the lot has no other.
        pad: Corners of its ground, counter-clockwise [m], shape (4, 3).
        indices: Its bays in the scene's arrays.
    """

    lot_id: str
    level: int
    name: str
    pad: Floats
    indices: NDArray[np.intp]

    @property
    def height_m(self) -> float:
        """Of its ground over the scene's."""
        return float(self.pad[0, 2])


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonePlace:
    """Where the bays of one zone lie, for its label."""

    lot_id: str
    zone: str
    level: int
    at: tuple[float, float, float]
    indices: NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinScene:
    """Everything that is drawn, once; what changes is only how bays stand.

    Attributes:
        keys: Lot and bay, in the order of all arrays.
        labels: What is painted on the ground.
        corners: Of the upright box of each bay [m], shape (n, 4, 3); the first two lie where one drives in.
        centres, mouths: Middle, and where a bay's label is written before it [m], shape (n, 3).
        inward_deg: The way one drives in, counter-clockwise from east, shape (n,).
        lengths_m, widths_m: Along it and across, shape (n,).
        levels, kinds: Number of the level, index in `KINDS`, shape (n,).
        floors: One face a bay, by level, with the indices of its bays.
        grounds, bodies, paints: What lies flat, what has a height, and painted lines, by level.
        earth: What lies around and below everything.
        decks: Every level of every lot, from above.
        index: Position of a bay in the arrays.
    """

    lots: tuple[LotPlace, ...]
    zones: tuple[ZonePlace, ...]
    keys: tuple[BayKey, ...]
    labels: tuple[str, ...]
    corners: Floats
    centres: Floats
    mouths: Floats
    inward_deg: Floats
    lengths_m: Floats
    widths_m: Floats
    levels: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    floors: dict[int, tuple[Mesh, NDArray[np.intp]]]
    grounds: dict[int, Mesh]
    bodies: dict[int, Mesh]
    paints: dict[int, Mesh]
    earth: Mesh
    decks: tuple[DeckPlace, ...]
    low: Floats
    high: Floats
    index: dict[BayKey, int] = field(repr=False)

    @property
    def n_bays(self) -> int:
        """How many bays there are."""
        return len(self.keys)

    @property
    def level_numbers(self) -> tuple[int, ...]:
        """Numbers of all levels, from below."""
        return tuple(sorted({*self.grounds, *self.bodies, *self.floors}))

    def lot(self, lot_id: str) -> LotPlace | None:
        """Return a lot's place; None where it is not in the scene."""
        return next((lot for lot in self.lots if lot.lot_id == lot_id), None)

    def top_level_of(self, lot_id: str, top: int | None) -> int | None:
        """Return the level of a lot that is seen where levels above `top` are taken away; None where none is."""
        place = self.lot(lot_id)
        kept = [level for level in place.levels if top is None or level <= top] if place is not None else []
        return max(kept, default=None)

    def levels_shown(self, top: int | None) -> frozenset[int]:
        """Return the levels that are drawn: all, or of each lot the one that is `top` or comes next below it."""
        if top is None:
            return frozenset(self.level_numbers)
        found = (self.top_level_of(lot.lot_id, top) for lot in self.lots)
        return frozenset(level for level in found if level is not None)

    def is_uncovered(self, top: int | None) -> NDArray[np.bool_]:
        """Return the bays that no level of their own lot covers where those above `top` are taken away; shape (n,)."""
        found = np.zeros(self.n_bays, dtype=bool)
        for lot in self.lots:
            here = slice(lot.first, lot.first + lot.n_bays)
            level = self.top_level_of(lot.lot_id, top)
            if level is not None:
                found[here] = self.levels[here] == level
        return found


@dataclass(frozen=True, slots=True)
class Placement:
    """How a lot's plan lies in the scene: turned by its bearing, then moved."""

    east_m: float = 0.0
    north_m: float = 0.0
    bearing_deg: float = 0.0

    def place(self, points: Floats) -> Floats:
        """Return points of the plan, shape (…, 2), as points of the scene, shape (…, 2)."""
        turn = math.radians(self.bearing_deg)
        x, y = points[..., 0], points[..., 1]
        east = x * math.cos(turn) + y * math.sin(turn) + self.east_m
        north = -x * math.sin(turn) + y * math.cos(turn) + self.north_m
        return np.stack((east, north), axis=-1)


def build_scene(lots: Sequence[Lot]) -> TwinScene:
    """Turn lots into geometry; bays that nobody drew stand in rows beside the drawn ones."""
    drawn = [lay_out(lot) for lot in lots]
    building = _Building()
    for (lot, n_undrawn), placement in zip(drawn, placements([lot for lot, _ in drawn]), strict=True):
        building.add(lot, placement, n_undrawn)
    return building.finish()


def is_drawn(outline: Outline) -> bool:
    """Whether an outline covers any ground."""
    if len(outline) < 3 or not all(math.isfinite(value) for corner in outline for value in corner):
        return False
    return abs(_area_m2(np.asarray(outline, dtype=np.float64))) > 0.5


def lay_out(lot: Lot) -> tuple[Lot, int]:
    """Return the lot with an outline for every bay, and how many of them nobody drew."""
    missing = [bay for bay in lot.bays if not is_drawn(bay.outline)]
    if not missing:
        return lot, 0
    drawn = [bay for bay in lot.bays if is_drawn(bay.outline)]
    north_m = max((y for bay in drawn for _, y in bay.outline), default=-LANE_WIDTH_M - BAY_LENGTH_M)
    west_m = min((x for bay in drawn for x, _ in bay.outline), default=0.0)
    rows: dict[tuple[int, str], list[Bay]] = defaultdict(list)
    for bay in missing:
        rows[bay.level, bay.zone].append(bay)
    outlines: dict[str, Outline] = {}
    lanes: list[Surrounding] = []
    low_m: dict[int, float] = defaultdict(lambda: north_m + LANE_WIDTH_M + BAY_LENGTH_M)
    for (level, _), bays in rows.items():
        for begin in range(0, len(bays), 2 * BAYS_PER_ROW):
            chunk = bays[begin : begin + 2 * BAYS_PER_ROW]
            outlines |= _facing_rows(chunk, west_m, low_m[level])
            width_m = min(len(chunk), BAYS_PER_ROW) * BAY_WIDTH_M
            lane = ((west_m, low_m[level]), (west_m + width_m, low_m[level]))
            far = tuple((x, y + LANE_WIDTH_M) for x, y in reversed(lane))
            lanes.append(Surrounding(kind=SurroundingKind.LANE, outline=(*lane, *far), level=level))
            low_m[level] += LANE_WIDTH_M + 2 * BAY_LENGTH_M
    bays_now = tuple(replace(bay, outline=outlines.get(bay.bay_id, bay.outline)) for bay in lot.bays)
    return replace(lot, bays=bays_now, surroundings=(*lot.surroundings, *lanes)), len(missing)


def _facing_rows(bays: Sequence[Bay], west_m: float, low_m: float) -> dict[str, Outline]:
    """Lay up to two rows along a lane whose southern edge is at `low_m`; the first one to its north."""
    found: dict[str, Outline] = {}
    for row, begin in enumerate(range(0, len(bays), BAYS_PER_ROW)):
        chunk = bays[begin : begin + BAYS_PER_ROW]
        start = (west_m, low_m + LANE_WIDTH_M) if row == 0 else (west_m + len(chunk) * BAY_WIDTH_M, low_m)
        made = bays_of(Row(start=start, direction_deg=180.0 * row, n_bays=len(chunk)))
        placed = made if row == 0 else tuple(reversed(made))
        found |= {bay.bay_id: one.outline for bay, one in zip(chunk, placed, strict=True)}
    return found


def placements(lots: Sequence[Lot]) -> tuple[Placement, ...]:
    """Say where each lot lies: by its position where all have one near the others, else one beside the other."""
    positions = [lot.position for lot in lots]
    origin = positions[0] if positions else None
    if origin is not None and all(position is not None for position in positions):
        offsets = [on_plan(position, origin) for position in positions if position is not None]
        if max(math.hypot(x, y) for x, y in offsets) <= TOGETHER_M:
            return tuple(Placement(x, y, lot.bearing_deg) for (x, y), lot in zip(offsets, lots, strict=True))
    found, east_m = [], 0.0
    for lot in lots:
        turned = Placement(bearing_deg=lot.bearing_deg)
        ground = turned.place(_plan_points(lot))
        low, high = ground.min(axis=0), ground.max(axis=0)
        found.append(Placement(east_m - float(low[0]), -float(low[1]), lot.bearing_deg))
        east_m += float(high[0] - low[0]) + GAP_M
    return tuple(found)


def _plan_points(lot: Lot) -> Floats:
    outlines = [bay.outline for bay in lot.bays] + [one.outline for one in lot.surroundings if is_drawn(one.outline)]
    points = [corner for outline in outlines for corner in outline]
    return np.asarray(points or [(0.0, 0.0), (BAY_WIDTH_M, BAY_LENGTH_M)], dtype=np.float64)


def _area_m2(points: Floats) -> float:
    x, y = points[:, 0], points[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def upright_box(points: Floats) -> Floats:
    """Return the smallest rectangle around an outline that is parallel to one of its edges, shape (4, 2).

    It runs counter-clockwise, and its first edge is one of the two shorter ones.
    """
    best: tuple[float, Floats] | None = None
    for edge in np.roll(points, -1, axis=0) - points:
        length = math.hypot(*edge)
        if length < 1e-6:
            continue
        along = edge / length
        across = np.array((-along[1], along[0]))
        u, v = points @ along, points @ across
        area = (u.max() - u.min()) * (v.max() - v.min())
        if best is None or area < best[0] - 1e-9:
            ends = ((u.min(), v.min()), (u.max(), v.min()), (u.max(), v.max()), (u.min(), v.max()))
            best = (area, np.array([along * a + across * b for a, b in ends]))
    if best is None:
        return np.repeat(points[:1], 4, axis=0)
    box = best[1]
    first, second = np.linalg.norm(box[1] - box[0]), np.linalg.norm(box[2] - box[1])
    return box if first <= second else np.roll(box, -1, axis=0)


def hull(points: Floats) -> Floats:
    """Return the convex hull of points (n, 2), counter-clockwise, shape (k, 2).

    Source: Andrew's monotone chain, 1979.
    """
    ordered = sorted({(float(x), float(y)) for x, y in points})
    if len(ordered) < 3:
        return np.array(ordered)

    def half(corners: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        kept: list[tuple[float, float]] = []
        for x, y in corners:
            while len(kept) >= 2:
                (ax, ay), (bx, by) = kept[-2], kept[-1]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                kept.pop()
            kept.append((x, y))
        return kept[:-1]

    return np.array(half(ordered) + half(reversed(ordered)))


def _boxes(outlines: Sequence[Outline]) -> Floats:
    """Return the four corners of every bay, counter-clockwise, as drawn where it has four, shape (n, 4, 2)."""
    boxes = np.zeros((len(outlines), 4, 2))
    fours = [i for i, outline in enumerate(outlines) if len(outline) == 4]
    if fours:
        quads = np.array([outlines[i] for i in fours], dtype=np.float64)
        following = np.roll(quads, -1, axis=1)
        area = (quads[..., 0] * following[..., 1] - quads[..., 1] * following[..., 0]).sum(axis=1)
        quads = np.where(area[:, None, None] < 0.0, quads[:, [1, 0, 3, 2]], quads)
        edges = np.linalg.norm(np.roll(quads, -1, axis=1) - quads, axis=2)
        # One drives in over a short edge; a bay along the kerb is drawn with its long edge first.
        is_long = edges[:, 0] + edges[:, 2] > (edges[:, 1] + edges[:, 3]) * 1.05
        boxes[fours] = np.where(is_long[:, None, None], np.roll(quads, -1, axis=1), quads)
    for i, outline in enumerate(outlines):
        if len(outline) != 4:
            points = np.asarray(outline, dtype=np.float64)
            boxes[i] = upright_box(points if _area_m2(points) > 0 else points[::-1])
    return boxes


def _facing_free_ground(boxes: Floats, levels: NDArray[np.int64]) -> Floats:
    """Turn bays so that one drives in where no other bay lies: nobody says on a plan where the lane is."""
    cell_m = 1.25
    shares = np.array([(a, b) for a in (0.1, 0.3, 0.5, 0.7, 0.9) for b in (0.15, 0.5, 0.85)])
    near, far = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 0]
    inside = boxes[:, None, 0] + near[:, None] * shares[None, :, 1:] + far[:, None] * shares[None, :, :1]

    def cells(points: Floats) -> NDArray[np.int64]:
        grid = np.floor(points / cell_m).astype(np.int64)
        return (grid[..., 0] * 4_000_037 + grid[..., 1]) * 64 + levels.reshape((-1,) + (1,) * (points.ndim - 2))

    taken = np.unique(cells(inside))
    length = np.linalg.norm(far, axis=1, keepdims=True)
    way = far / np.maximum(length, 1e-9)
    before = cells((boxes[:, 0] + boxes[:, 1]) / 2 - way * 1.6)
    behind = cells((boxes[:, 2] + boxes[:, 3]) / 2 + way * 1.6)
    is_turned = np.isin(before, taken) & ~np.isin(behind, taken)
    turned: Floats = np.where(is_turned[:, None, None], np.roll(boxes, -2, axis=1), boxes)
    return turned


class _Building:
    """Puts lot after lot into one scene."""

    def __init__(self) -> None:
        self._grounds: dict[int, Faces] = defaultdict(Faces)
        self._bodies: dict[int, Faces] = defaultdict(Faces)
        self._paints: dict[int, Faces] = defaultdict(Faces)
        self._floors: dict[int, tuple[Faces, list[int]]] = defaultdict(lambda: (Faces(), []))
        self._lots: list[LotPlace] = []
        self._zones: list[ZonePlace] = []
        self._keys: list[BayKey] = []
        self._labels: list[str] = []
        self._corners: list[Floats] = []
        self._levels: list[NDArray[np.int64]] = []
        self._kinds: list[NDArray[np.uint8]] = []
        self._decks: list[DeckPlace] = []

    def add(self, lot: Lot, placement: Placement, n_undrawn: int) -> None:
        """Add one lot whose bays all have outlines."""
        heights = {level.number: level.height_m for level in lot.levels}
        levels = np.array([bay.level for bay in lot.bays], dtype=np.int64)
        base = np.array([heights.get(bay.level, 3.0 * bay.level) for bay in lot.bays], dtype=np.float64)
        outlines = [bay.outline for bay in lot.bays]
        flat = _facing_free_ground(_boxes(outlines), levels) if lot.bays else np.zeros((0, 4, 2))
        corners = np.dstack((placement.place(flat), np.repeat(base[:, None], 4, axis=1)))
        first = len(self._keys)
        self._keys += [(lot.lot_id, bay.bay_id) for bay in lot.bays]
        self._labels += [bay.label or bay.bay_id for bay in lot.bays]
        self._corners.append(corners)
        self._levels.append(levels)
        self._kinds.append(np.array([KINDS.index(bay.kind) for bay in lot.bays], dtype=np.uint8))
        self._add_floors(outlines, corners, placement, levels, base, first)
        self._add_paint(corners, levels)
        self._add_grounds(lot, placement, heights, first)
        self._add_zones(lot, corners, first)
        self._add_place(lot, placement, heights, n_undrawn, first)

    def finish(self) -> TwinScene:
        """Return the scene."""
        corners = np.concatenate(self._corners) if self._corners else np.zeros((0, 4, 3))
        inward = (corners[:, 2] + corners[:, 3] - corners[:, 0] - corners[:, 1]) / 2
        across = (corners[:, 1] + corners[:, 2] - corners[:, 0] - corners[:, 3]) / 2
        lows, highs = [lot.low for lot in self._lots], [lot.high for lot in self._lots]
        return TwinScene(
            lots=tuple(self._lots),
            zones=tuple(self._zones),
            keys=tuple(self._keys),
            labels=tuple(self._labels),
            corners=corners,
            centres=corners.mean(axis=1),
            mouths=_mouths(corners, inward),
            inward_deg=np.degrees(np.arctan2(inward[:, 1], inward[:, 0])),
            lengths_m=np.linalg.norm(inward, axis=1),
            widths_m=np.linalg.norm(across, axis=1),
            levels=np.concatenate(self._levels) if self._levels else np.zeros(0, np.int64),
            kinds=np.concatenate(self._kinds) if self._kinds else np.zeros(0, np.uint8),
            floors={
                level: (faces.mesh(), np.array(indices, dtype=np.intp))
                for level, (faces, indices) in self._floors.items()
            },
            bodies={level: faces.mesh() for level, faces in self._bodies.items()},
            grounds={level: faces.mesh() for level, faces in self._grounds.items()},
            paints={level: faces.mesh() for level, faces in self._paints.items()},
            earth=_earth(self._lots),
            decks=tuple(sorted(self._decks, key=lambda deck: -deck.height_m)),
            low=np.min(lows, axis=0) if lows else np.zeros(3),
            high=np.max(highs, axis=0) if highs else np.array((10.0, 10.0, 1.0)),
            index={key: i for i, key in enumerate(self._keys)},
        )

    def _add_floors(
        self,
        outlines: Sequence[Outline],
        corners: Floats,
        placement: Placement,
        levels: NDArray[np.int64],
        base: Floats,
        first: int,
    ) -> None:
        is_four = np.array([len(outline) == 4 for outline in outlines], dtype=bool)
        lifted = corners + np.array((0.0, 0.0, FLOOR_Z))
        for level in np.unique(levels):
            faces, indices = self._floors[int(level)]
            here = np.flatnonzero((levels == level) & is_four)
            if len(here):
                faces.add_quads(lifted[here], Material.LANE)
                indices += (here + first).tolist()
            for i in np.flatnonzero((levels == level) & ~is_four).tolist():
                outline = placement.place(np.asarray(outlines[i], dtype=np.float64))
                faces.add_polygon(at_height(outline, base[i] + FLOOR_Z), Material.LANE)
                indices.append(i + first)

    def _add_paint(self, corners: Floats, levels: NDArray[np.int64]) -> None:
        """Paint both sides and the back of every bay, once where neighbours share one; where one drives in is none."""
        for level in np.unique(levels):
            here = corners[levels == level]
            begins, ends = here[:, (1, 2, 3)].reshape(-1, 3), here[:, (2, 3, 0)].reshape(-1, 3)
            once = different_lines(begins, ends)
            self._paints[int(level)].add_quads(strips(begins[once], ends[once]), Material.PAINT)

    def _add_grounds(self, lot: Lot, placement: Placement, heights: dict[int, float], first: int) -> None:
        by_level: dict[int, list[Outline]] = defaultdict(list)
        indices: dict[int, list[int]] = defaultdict(list)
        for i, bay in enumerate(lot.bays):
            by_level[bay.level].append(bay.outline)
            indices[bay.level].append(first + i)
        for one in lot.surroundings:
            if is_drawn(one.outline):
                if one.kind is SurroundingKind.LANE:
                    by_level[one.level].append(one.outline)
                self._add_surrounding(one, placement, heights.get(one.level, 3.0 * one.level))
        names = {level.number: level.name for level in lot.levels}
        for level, outlines in by_level.items():
            height_m = heights.get(level, 3.0 * level)
            points = np.asarray([corner for outline in outlines for corner in outline], dtype=np.float64)
            pad = placement.place(_around(points))
            top_m = height_m + ASPHALT_Z
            if height_m > 0.0:
                self._bodies[level].add_prism(pad, top_m - SLAB_M, top_m - 0.02, Material.SLAB)
            self._grounds[level].add_polygon(at_height(pad, top_m), Material.ASPHALT)
            if level == max(by_level):
                add_lamps(self._bodies[level], pad, top_m)
            self._decks.append(
                DeckPlace(
                    lot_id=lot.lot_id,
                    level=level,
                    name=names.get(level, f"Level {level}") if len(by_level) > 1 else "",
                    pad=at_height(pad, height_m),
                    indices=np.array(indices[level], dtype=np.intp),
                )
            )

    def _add_surrounding(self, one: Surrounding, placement: Placement, base_m: float) -> None:
        points = placement.place(np.asarray(one.outline, dtype=np.float64))
        if _area_m2(points) < 0.0 and one.kind is not SurroundingKind.RAMP:
            points = points[::-1]
        faces = self._bodies[one.level]
        match one.kind:
            case SurroundingKind.LANE:
                self._grounds[one.level].add_polygon(at_height(points, base_m + LANE_Z), Material.LANE)
                self._paints[one.level].add_quads(dashes_along(points, base_m + LANE_Z + 0.03), Material.KERB)
            case SurroundingKind.GREEN:
                add_green(faces, points, base_m + ASPHALT_Z, base_m + max(0.08, one.height_m))
            case SurroundingKind.BUILDING:
                faces.add_prism(points, base_m + ASPHALT_Z, base_m + max(3.0, one.height_m), Material.BUILDING)
            case SurroundingKind.WALL:
                faces.add_prism(points, base_m + ASPHALT_Z, base_m + max(0.5, one.height_m), Material.WALL)
            case SurroundingKind.RAMP:
                faces.add_polygon(_sloped(points, base_m + LANE_Z, one.height_m), Material.SLAB)

    def _add_zones(self, lot: Lot, corners: Floats, first: int) -> None:
        by_zone: dict[tuple[str, int], list[int]] = defaultdict(list)
        for i, bay in enumerate(lot.bays):
            by_zone[bay.zone, bay.level].append(i)
        for (zone, level), indices in by_zone.items():
            middle = corners[indices].reshape(-1, 3)
            at = (middle.min(axis=0) + middle.max(axis=0)) / 2
            self._zones.append(
                ZonePlace(
                    lot_id=lot.lot_id,
                    zone=zone,
                    level=level,
                    at=(float(at[0]), float(at[1]), float(at[2])),
                    indices=np.array(indices, dtype=np.intp) + first,
                )
            )

    def _add_place(self, lot: Lot, placement: Placement, heights: dict[int, float], n_undrawn: int, first: int) -> None:
        points = _plan_points(replace(lot, surroundings=tuple(_lanes_of(lot))))
        box = placement.place(_around(points))
        floors = [heights.get(bay.level, 3.0 * bay.level) for bay in lot.bays] or [0.0]
        self._lots.append(
            LotPlace(
                lot_id=lot.lot_id,
                name=lot.name or lot.lot_id,
                first=first,
                n_bays=len(lot.bays),
                low=np.append(box.min(axis=0), min(floors)),
                high=np.append(box.max(axis=0), max(floors) + 2.0),
                hull=at_height(box, min(floors)),
                n_undrawn=n_undrawn,
                levels=tuple(sorted({deck.level for deck in self._decks if deck.lot_id == lot.lot_id})),
            )
        )


def _lanes_of(lot: Lot) -> Iterator[Surrounding]:
    return (one for one in lot.surroundings if one.kind is SurroundingKind.LANE)


def _around(points: Floats) -> Floats:
    """Return the smallest box around points, with a margin, counter-clockwise, shape (4, 2)."""
    corners = hull(points)
    box = upright_box(corners)
    middle = box.mean(axis=0)
    along, across = (box[1] - box[0]) / 2, (box[3] - box[0]) / 2
    wider = 1.0 + MARGIN_M / max(float(np.linalg.norm(along)), 0.1)
    longer = 1.0 + MARGIN_M / max(float(np.linalg.norm(across)), 0.1)
    along, across = along * wider, across * longer
    return np.array(
        (middle - along - across, middle + along - across, middle + along + across, middle - along + across)
    )


def _mouths(corners: Floats, inward: Floats) -> Floats:
    """Return where the labels of bays are written, shape (n, 3)."""
    length = np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-9)
    return np.asarray((corners[:, 0] + corners[:, 1]) / 2 - inward / length * MOUTH_M)


def _earth(lots: Sequence[LotPlace]) -> Mesh:
    """Return the ground that all lots lie on."""
    faces = Faces()
    if lots:
        low, high = np.min([lot.low for lot in lots], axis=0), np.max([lot.high for lot in lots], axis=0)
        around_m = EARTH_M
        (west, south), (east, north) = low[:2] - around_m, high[:2] + around_m
        box = np.array(((west, south), (east, south), (east, north), (west, north)))
        faces.add_polygon(at_height(box, float(low[2]) + EARTH_Z), Material.EARTH)
    return faces.mesh()


def spread(scene: TwinScene) -> TwinScene:
    """Return the scene with its levels pulled apart, so far that each is seen whole over the one below it."""
    sides = [np.linalg.norm(np.diff(deck.pad, axis=0)[:2], axis=1).min() for deck in scene.decks if deck.name]
    if not sides:
        return scene
    gap_m = float(max(sides)) * APART_SHARE
    numbers = scene.level_numbers
    ground = next((i for i, number in enumerate(numbers) if number >= 0), len(numbers) - 1)
    lifts_m = {number: (i - ground) * gap_m for i, number in enumerate(numbers)}
    by_bay = np.array([lifts_m[int(level)] for level in scene.levels])
    up = np.zeros((scene.n_bays, 3))
    up[:, 2] = by_bay
    lots = tuple(_lifted_lot(lot, lifts_m) for lot in scene.lots)
    return replace(
        scene,
        lots=lots,
        zones=tuple(
            replace(zone, at=(zone.at[0], zone.at[1], zone.at[2] + lifts_m[zone.level])) for zone in scene.zones
        ),
        corners=scene.corners + up[:, None],
        centres=scene.centres + up,
        mouths=scene.mouths + up,
        floors={level: (_lifted(mesh, lifts_m[level]), indices) for level, (mesh, indices) in scene.floors.items()},
        grounds={level: _lifted(mesh, lifts_m[level]) for level, mesh in scene.grounds.items()},
        bodies={level: _lifted(mesh, lifts_m[level]) for level, mesh in scene.bodies.items()},
        paints={level: _lifted(mesh, lifts_m[level]) for level, mesh in scene.paints.items()},
        earth=_lifted(scene.earth, min(lifts_m.values())),
        decks=tuple(replace(deck, pad=deck.pad + np.array((0.0, 0.0, lifts_m[deck.level]))) for deck in scene.decks),
        low=np.min([lot.low for lot in lots], axis=0),
        high=np.max([lot.high for lot in lots], axis=0),
    )


def _lifted_lot(lot: LotPlace, lifts_m: dict[int, float]) -> LotPlace:
    lowest, highest = lifts_m[lot.levels[0]], lifts_m[lot.levels[-1]]
    return replace(
        lot,
        low=lot.low + np.array((0.0, 0.0, lowest)),
        high=lot.high + np.array((0.0, 0.0, highest)),
        hull=lot.hull + np.array((0.0, 0.0, lowest)),
    )


def _lifted(mesh: Mesh, up_m: float) -> Mesh:
    return replace(mesh, points=mesh.points + np.array((0.0, 0.0, up_m), dtype=np.float32))


def _sloped(points: Floats, low_m: float, rise_m: float) -> Floats:
    """Lift an outline from its first edge to the edge across."""
    along = points[1] - points[0]
    across = np.array((-along[1], along[0])) / max(float(np.linalg.norm(along)), 1e-9)
    far = (points - points[0]) @ across
    span = float(np.abs(far).max()) or 1.0
    return np.column_stack((points, low_m + rise_m * np.abs(far) / span))
