"""Draw up the demo city: `python app/make/city.py` writes resources/demo/city.json, the same bytes every time.

The streets are the lines of a grid that is turned and bent by `warp`; what is not bent (coast, river, motorway,
railway) is given in metres east and north of the centre.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.parking.plans import on_ground
from core.sim.lots import WATCHED_AT, WATCHED_BEARING_DEG

SEED = 20_261
NAME = "Marenholm"
CENTER_LAT_DEG, CENTER_LON_DEG = 36.0, -30.0
METERS_PER_LAT_DEG = 110_958.0
METERS_PER_LON_DEG = 90_163.0
OUT = Path(__file__).resolve().parents[2] / "resources" / "demo" / "city.json"

Points = NDArray[np.float64]

STEP_U_M, STEP_V_M = 100.0, 80.0
N_U, N_V = (-21, 22), (-14, 24)
MAIN_U = {-13: "West Avenue", -6: "Mill Road", 1: "Market Street", 8: "Station Road", 14: "East Avenue"}
MAIN_V = {-10: "Quay Road", -3: "Tram Street", 3: "Cathedral Street", 9: "Garden Road", 15: "North Avenue"}
OLD_TOWN = (-3, 5, 0, 7)
"""Grid lines around the old town: first and last u, first and last v."""

PARKS = {
    "Maren Park": (-12, -9, 4, 8),
    "Castle Garden": (4, 6, 5, 7),
    "Garden of Winds": (10, 13, 10, 13),
    "Harbour Green": (4, 7, -9, -8),
    "Westfield Common": (-17, -15, -1, 2),
    "Northgate Cemetery": (3, 5, 16, 18),
    "Eastbank Sports Ground": (16, 18, 1, 4),
    "Mill Meadow": (-8, -7, 11, 14),
}
SQUARES = {"Market Square": (1, 2, 2, 3), "Station Square": (7, 8, -4, -3), "Fish Market": (-1, 1, -10, -9)}
LOT_CELL = (-11, -10, -3, -2)

STREET_WORDS = """
Anchor Barley Beacon Birch Bramble Candle Chandler Chapel Clover Cobbler Compass Cooper Coral Crane Curlew
Dolphin Drift Eider Elm Ember Fathom Ferry Flax Foundry Gannet Glass Gorse Granary Hazel Heather Heron Hope
Ivory Juniper Kelp Kestrel Lantern Larch Lime Linen Lobster Maple Mason Meadow Moss Oar Olive Orchard Osprey
Pearl Petrel Pilot Plover Quarry Raven Rope Rowan Saddler Sail Salt Samphire Sandpiper Shell Skipper Slate
Smith Spinner Spruce Starling Tallow Tanner Tern Thistle Tide Tinker Weaver Willow Windlass Wren
"""
STREET_KINDS = ("Street", "Street", "Street", "Lane", "Row", "Way")

RIVER_M = np.array(
    [
        (-150, 4300),
        (-420, 3700),
        (-300, 3100),
        (-560, 2500),
        (-700, 1900),
        (-480, 1350),
        (-560, 850),
        (-780, 420),
        (-640, -60),
        (-380, -420),
        (-420, -800),
        (-260, -1080),
        (-200, -1190),
    ],
    dtype=float,
)
RIVER_WIDTH_M = (24.0, 86.0)
MOTORWAY_M = np.array(
    [
        (-4350, 900),
        (-3600, 1250),
        (-2700, 1620),
        (-1600, 1960),
        (-500, 2060),
        (700, 2010),
        (1800, 1830),
        (2700, 1350),
        (3400, 700),
        (4250, 350),
    ],
    dtype=float,
)
RAIL_M = np.array(
    [
        (860, -300),
        (1100, -290),
        (1500, -200),
        (1950, 120),
        (2300, 700),
        (2500, 1500),
        (2550, 2400),
        (2300, 3200),
        (1700, 3800),
    ],
    dtype=float,
)
# From the west end of the mouth along the quays to its east end.
BASINS_M = {
    "Inner Harbour": [(-330, -1360), (-310, -1075), (190, -1010), (290, -1010), (300, -1308)],
    "Fishing Harbour": [(470, -1296), (455, -1065), (720, -1040), (745, -1282)],
    "Marina": [(1050, -1274), (1060, -1010), (1330, -985), (1380, -1280)],
}
PIERS_M = {
    "North Pier": [(20, -1300), (20, -1020), (75, -1015), (75, -1300)],
    "Ferry Pier": [(-180, -1270), (-185, -1045), (-140, -1040), (-130, -1270)],
    "Fish Quay": [(572, -1300), (568, -1045), (612, -1040), (616, -1300)],
    "Marina Pontoon": [(1180, -1290), (1176, -985), (1196, -985), (1200, -1290)],
    "West Mole": [
        (-560, -1230),
        (-600, -1420),
        (-480, -1720),
        (-150, -1880),
        (-135, -1845),
        (-445, -1690),
        (-555, -1420),
        (-520, -1230),
    ],
    "East Mole": [
        (920, -1290),
        (930, -1500),
        (760, -1760),
        (330, -1900),
        (340, -1865),
        (735, -1725),
        (890, -1490),
        (880, -1290),
    ],
}


@dataclass
class Drawing:
    """What has been drawn so far, in metres; becomes the file."""

    roads: list[tuple[str, str, Points]] = field(default_factory=list)
    areas: list[tuple[str, str, Points]] = field(default_factory=list)
    places: list[tuple[str, str, float, float]] = field(default_factory=list)


def warp(u_m: Points | float, v_m: Points | float) -> Points:
    """Bend the grid: positions in metres for grid coordinates in metres; shape (..., 2)."""
    u, v = np.asarray(u_m, float), np.asarray(v_m, float)
    turn = math.radians(9.0)
    x = u * math.cos(turn) - v * math.sin(turn)
    y = u * math.sin(turn) + v * math.cos(turn)
    x = x + 78 * np.sin(y / 420 + 0.4) + 30 * np.sin((u + v) / 370)
    y = y + 66 * np.sin(x / 520 + 1.1) + 26 * np.sin((u - 1.4 * v) / 430)
    return np.stack([x, y], axis=-1)


def cross(i: float, j: float) -> Points:
    """Return where grid lines i and j meet [m]."""
    return warp(i * STEP_U_M, j * STEP_V_M)


def spline(points: Points, step_m: float = 25.0) -> Points:
    """Return a smooth line through `points` (centripetal Catmull-Rom), a point about every `step_m`."""
    ends = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    out = []
    for p0, p1, p2, p3 in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        n_steps = max(2, int(np.hypot(*(p2 - p1)) / step_m))
        knots = np.concatenate([[0], np.cumsum([np.hypot(*d) ** 0.5 for d in (p1 - p0, p2 - p1, p3 - p2)])])
        t = np.linspace(knots[1], knots[2], n_steps, endpoint=False)[:, None]
        a1 = (knots[1] - t) / (knots[1] - knots[0]) * p0 + (t - knots[0]) / (knots[1] - knots[0]) * p1
        a2 = (knots[2] - t) / (knots[2] - knots[1]) * p1 + (t - knots[1]) / (knots[2] - knots[1]) * p2
        a3 = (knots[3] - t) / (knots[3] - knots[2]) * p2 + (t - knots[2]) / (knots[3] - knots[2]) * p3
        b1 = (knots[2] - t) / (knots[2] - knots[0]) * a1 + (t - knots[0]) / (knots[2] - knots[0]) * a2
        b2 = (knots[3] - t) / (knots[3] - knots[1]) * a2 + (t - knots[1]) / (knots[3] - knots[1]) * a3
        out.append((knots[2] - t) / (knots[2] - knots[1]) * b1 + (t - knots[1]) / (knots[2] - knots[1]) * b2)
    return np.vstack([*out, points[-1:]])


def offset(line: Points, distance_m: float | Points) -> Points:
    """Return the line moved to its left."""
    direction = np.gradient(line, axis=0)
    direction /= np.hypot(direction[:, 0], direction[:, 1])[:, None]
    moved: Points = line + np.stack([-direction[:, 1], direction[:, 0]], axis=1) * np.reshape(distance_m, (-1, 1))
    return moved


def is_inside(points: Points, polygon: Points) -> NDArray[np.bool_]:
    """Tell for each point, shape (n, 2), whether it lies in the polygon (even-odd rule)."""
    x, y = points[:, 0:1], points[:, 1:2]
    x1, y1 = polygon[:, 0], polygon[:, 1]
    x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x1 + (y - y1) * (x2 - x1) / (y2 - y1)
    n_crossed: NDArray[np.int64] = (((y1 > y) != (y2 > y)) & (x < at)).sum(axis=1)
    is_odd: NDArray[np.bool_] = n_crossed % 2 == 1
    return is_odd


def distance_to(points: Points, line: Points) -> NDArray[np.float64]:
    """Return each point's distance to a line [m]."""
    a, b = line[:-1], line[1:]
    ab = b - a
    ap = points[:, None, :] - a[None]
    t = np.clip((ap * ab).sum(-1) / (ab * ab).sum(-1), 0, 1)
    nearest_m: Points = np.hypot(*np.moveaxis(ap - t[..., None] * ab, -1, 0)).min(axis=1)
    return nearest_m


def island_outline() -> Points:
    """Return the coast, counter-clockwise from the east."""
    angle = np.linspace(0, 2 * math.pi, 361)[:-1]
    rough = np.zeros_like(angle)
    rng = np.random.default_rng(SEED)
    for n in range(2, 34):
        rough += rng.normal() / n**1.25 * np.cos(n * angle + rng.uniform(0, 2 * math.pi))
    # The city's own shore is built and nearly straight; nature has the rest.
    is_city = np.exp(-(((angle - 1.5 * math.pi) / 0.42) ** 2))
    radius = 1 + 0.085 * rough * (1 - 0.93 * is_city)
    x = 4700 * radius * np.cos(angle) + 100
    y = 3050 * radius * np.sin(angle) + 1520
    y = np.where(is_city > 0.3, np.maximum(y, -1330 + 60 * np.sin(x / 700)), y)
    return np.stack([x, y], axis=1)


class Ground:
    """Where nothing may be built: water and its banks, tracks, parks."""

    def __init__(self, coast: Points) -> None:
        """Prepare the lines that are asked about."""
        self.coast = coast
        self.river = spline(RIVER_M)
        share = np.linspace(0, 1, len(self.river)) ** 1.4
        self.river_width_m = RIVER_WIDTH_M[0] + share * (RIVER_WIDTH_M[1] - RIVER_WIDTH_M[0])
        self.motorway = spline(MOTORWAY_M)
        self.rail = spline(RAIL_M)

    def is_land(self, points: Points) -> NDArray[np.bool_]:
        """Tell for each point whether it is dry, and some metres from the water."""
        dry = is_inside(points, self.coast) & (distance_to(points, np.vstack([self.coast, self.coast[:1]])) > 35)
        for basin in BASINS_M.values():
            dry &= ~is_inside(points, np.array(basin, float))
            dry &= distance_to(points, np.array([*basin, basin[0]], float)) > 22
        return dry

    def is_river(self, points: Points, margin_m: float) -> NDArray[np.bool_]:
        """Tell for each point whether it is in the river or within `margin_m` of it."""
        gap = np.hypot(*np.moveaxis(points[:, None, :] - self.river[None], -1, 0))
        nearest = gap.argmin(axis=1)
        is_near: NDArray[np.bool_] = gap[np.arange(len(points)), nearest] < self.river_width_m[nearest] / 2 + margin_m
        return is_near

    def is_track(self, points: Points) -> NDArray[np.bool_]:
        """Tell for each point whether motorway or railway need it."""
        return (distance_to(points, self.motorway) < 62) | (distance_to(points, self.rail) < 34)


def ring_line() -> Points:
    """Return the ring road, closed."""
    t = np.linspace(0, 2 * math.pi, 161)
    power = 2 / 3.2
    u = 60 + 1090 * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** power
    v = 190 + 845 * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power
    return warp(u, v)


def cells_of(bounds: tuple[int, int, int, int]) -> set[tuple[int, int]]:
    """Return the grid cells between lines (first u, last u, first v, last v)."""
    return {(i, j) for i in range(bounds[0], bounds[1]) for j in range(bounds[2], bounds[3])}


def frame_of(bounds: tuple[int, int, int, int], inset_m: float = 9.0) -> Points:
    """Return the outline of grid cells, a bit inside their streets."""
    (u0, u1), (v0, v1) = (b * STEP_U_M for b in bounds[:2]), (b * STEP_V_M for b in bounds[2:])
    u0, u1, v0, v1 = u0 + inset_m, u1 - inset_m, v0 + inset_m, v1 - inset_m
    n_u, n_v = (max(2, int((b - a) / 40)) for a, b in ((u0, u1), (v0, v1)))
    us, vs = np.linspace(u0, u1, n_u, endpoint=False), np.linspace(v0, v1, n_v, endpoint=False)
    return np.vstack(
        [
            warp(us, np.full(n_u, v0)),
            warp(np.full(n_v, u1), vs),
            warp(us[::-1] + (u1 - u0) / n_u, np.full(n_u, v1)),
            warp(np.full(n_v, u0), vs[::-1] + (v1 - v0) / n_v),
        ]
    )


class Streets:
    """The grid: which cells are city, which edges are streets, and where its corners are."""

    def __init__(self, ground: Ground) -> None:
        """Find the cells that can be built on."""
        self._rng = np.random.default_rng(SEED + 1)
        self.corners = {(i, j): cross(i, j) for i in range(N_U[0], N_U[1] + 1) for j in range(N_V[0], N_V[1] + 1)}
        self._bend_old_town()
        self.green = {cell for bounds in PARKS.values() for cell in cells_of(bounds)}
        self.paved = {cell for bounds in (*SQUARES.values(), LOT_CELL) for cell in cells_of(bounds)}
        self._ground = ground
        cells = [(i, j) for i in range(*N_U) for j in range(*N_V)]
        middles = np.array([np.mean(self.outline(cell), axis=0) for cell in cells])
        grid = np.array(cells, float) + 0.5
        edge = self._rng.uniform(-0.10, 0.05, len(cells))
        is_city = np.hypot((grid[:, 0] - 0.5) / 19.5, (grid[:, 1] - 3.5) / 15.5) ** 2.6 < 1 + edge
        # The harbour stretches along the shore further than the city behind it.
        is_city |= (np.abs(grid[:, 0] - 2) < 15) & (grid[:, 1] < -3)
        is_city &= ground.is_land(middles)
        self.city = {cell for cell, chosen in zip(cells, is_city, strict=True) if chosen}

    def outline(self, cell: tuple[int, int]) -> Points:
        """Return the four corners of a cell."""
        i, j = cell
        return np.array([self.corners[k] for k in ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1))])

    def is_old_town(self, cell: tuple[int, int]) -> bool:
        """Tell whether a cell belongs to the old town."""
        return OLD_TOWN[0] <= cell[0] < OLD_TOWN[1] and OLD_TOWN[2] <= cell[1] < OLD_TOWN[3]

    def line(self, fixed: int, *, is_u: bool) -> list[Points]:
        """Return the parts of one grid line that are streets."""
        is_main = fixed in (MAIN_U if is_u else MAIN_V)
        along = range(*(N_V if is_u else N_U))
        parts: list[list[Points]] = [[]]
        for k in along:
            a, b = ((fixed, k), (fixed, k + 1)) if is_u else ((k, fixed), (k + 1, fixed))
            sides = ((fixed - 1, k), (fixed, k)) if is_u else ((k, fixed - 1), (k, fixed))
            if self._is_street(self.corners[a], self.corners[b], sides, is_main=is_main):
                parts[-1] += [self.corners[b]] if parts[-1] else [self.corners[a], self.corners[b]]
            elif parts[-1]:
                parts.append([])
        return [np.array(part) for part in parts if len(part) > 1]

    def _is_street(
        self, a: Points, b: Points, sides: tuple[tuple[int, int], tuple[int, int]], *, is_main: bool
    ) -> bool:
        if not any(side in self.city for side in sides):
            return False
        if all(side in self.green for side in sides) and not is_main:
            return False
        samples = a + (b - a) * np.linspace(0, 1, 5)[:, None]
        if not self._ground.is_land(samples).all():
            return False
        if is_main:
            return True
        return not (self._ground.is_river(samples, 24).any() or self._ground.is_track(samples).any())

    def _bend_old_town(self) -> None:
        u0, u1, v0, v1 = OLD_TOWN
        for i in range(u0, u1 + 1):
            for j in range(v0, v1 + 1):
                if i not in MAIN_U and j not in MAIN_V:
                    self.corners[i, j] = self.corners[i, j] + self._rng.uniform(-19, 19, 2)


def draw_ground(drawing: Drawing, ground: Ground) -> None:
    """Draw coast, beaches, harbour, river, forests."""
    drawing.areas.append(("land", NAME, ground.coast))
    for first, last in ((206, 238), (303, 328), (18, 40)):
        shore = ground.coast[first:last]
        middle = np.array([100.0, 1520.0])
        width_m = 42 * np.sin(np.linspace(0, math.pi, len(shore)))[:, None]
        inward = (middle - shore) / np.hypot(*(middle - shore).T)[:, None]
        drawing.areas.append(("beach", "", np.vstack([shore, (shore + inward * width_m)[::-1]])))
    rng = np.random.default_rng(SEED + 2)
    forests = [
        ("Holm Forest", -2500, 2750, 900, 520),
        ("Kestrel Wood", 1250, 3250, 700, 430),
        ("West Wood", -3150, 350, 520, 430),
        ("Lighthouse Wood", 3300, 1750, 520, 560),
        ("", -1500, 3650, 420, 230),
        ("", 3050, -40, 330, 260),
    ]
    angle = np.linspace(0, 2 * math.pi, 49)[:-1]
    for wood, east_m, north_m, half_width_m, half_height_m in forests:
        radius = 1 + sum(rng.normal() * 0.13 / n**0.7 * np.cos(n * angle + rng.uniform(0, 6)) for n in range(2, 9))
        blob = np.stack(
            [east_m + half_width_m * radius * np.cos(angle), north_m + half_height_m * radius * np.sin(angle)], axis=1
        )
        drawing.areas.append(("forest", wood, blob))
    apron = [(-440, -1270), (-420, -1040), (-150, -960), (300, -925), (1450, -905), (1510, -1240), (900, -1275)]
    drawing.areas.append(("industry", "", np.array(apron, float)))
    west, east = (offset(ground.river, side * (ground.river_width_m / 2 + 92)) for side in (-1, 1))
    meadow = np.vstack([east, west[::-1]])[_urban_part(ground.river, twice=True)]
    drawing.areas.append(("park", "", meadow))
    lake = np.stack([-1750 + 260 * np.cos(angle) + 60 * np.cos(3 * angle), 2780 + 150 * np.sin(angle + 0.4)], axis=1)
    drawing.areas.append(("basin", "Mirror Lake", lake))
    half = ground.river_width_m / 2
    banks = np.vstack([offset(ground.river, half), offset(ground.river, -half)[::-1]])
    drawing.areas.append(("river", "Maren", banks))
    drawing.areas += [("basin", name, np.array(points, float)) for name, points in BASINS_M.items()]
    drawing.areas += [("pier", name, np.array(points, float)) for name, points in PIERS_M.items()]


def _urban_part(river: Points, *, twice: bool = False) -> NDArray[np.bool_]:
    """Tell which points of the river lie in the city; `twice` for both banks, there and back."""
    chosen = (river[:, 1] < 1420) & (river[:, 1] > -985)
    return np.concatenate([chosen, chosen[::-1]]) if twice else chosen


def draw_streets(drawing: Drawing, streets: Streets) -> None:
    """Draw the lines of the grid, each with one name."""
    rng = np.random.default_rng(SEED + 3)
    words = list(rng.permutation(STREET_WORDS.split()))
    for is_u in (True, False):
        for fixed in range((N_U if is_u else N_V)[0], (N_U if is_u else N_V)[1] + 1):
            main = (MAIN_U if is_u else MAIN_V).get(fixed)
            name = main or f"{words.pop()} {rng.choice(STREET_KINDS)}"
            drawing.roads += [("main" if main else "street", name, part) for part in streets.line(fixed, is_u=is_u)]
    u0, u1, v0, v1 = OLD_TOWN
    for i in range(u0, u1):
        for j in range(v0, v1):
            if (i, j) in streets.city - streets.green - streets.paved and rng.random() < 0.62:
                a, b, c, d = streets.outline((i, j))
                ends = ((a + b) / 2, (c + d) / 2) if rng.random() < 0.5 else ((b + c) / 2, (d + a) / 2)
                drawing.roads.append(("street", "", np.array(ends)))


def draw_blocks(drawing: Drawing, streets: Streets, ground: Ground) -> None:
    """Draw parks, squares, and a block in every other cell that has room for one."""
    drawing.areas += [("park", name, frame_of(bounds)) for name, bounds in PARKS.items()]
    drawing.areas += [("square", name, frame_of(bounds)) for name, bounds in SQUARES.items()]
    for cell in sorted(streets.city - streets.green - streets.paved):
        outline = streets.outline(cell)
        samples = np.vstack([outline, outline.mean(axis=0)[None], (outline + np.roll(outline, -1, axis=0)) / 2])
        if ground.is_river(samples, 30).any() or ground.is_track(samples).any() or not ground.is_land(samples).all():
            continue
        middle = outline.mean(axis=0)
        toward = middle - outline
        inset_m = 7.5 if streets.is_old_town(cell) else 9.5
        block = outline + toward / np.hypot(*toward.T)[:, None] * inset_m * 1.35
        is_industry = (cell[1] < -7 and cell[0] > 7) or (cell[0] > 15 and cell[1] < -2)
        drawing.areas.append(("industry" if is_industry else "block", "", block))


def draw_long_ways(drawing: Drawing, ground: Ground, streets: Streets, ring: Points) -> None:
    """Draw embankments, ring, motorway with its slip roads, country roads, railway and tram."""
    is_urban = _urban_part(ground.river)
    for name, side in (("West Embankment", -1), ("East Embankment", 1)):
        bank = offset(ground.river, side * (ground.river_width_m / 2 + 13))[is_urban]
        drawing.roads.append(("street", name, bank))
    drawing.roads.append(("ring", "Ring Road", ring))
    drawing.roads.append(("motorway", "M1", ground.motorway))
    exits = {}
    for i in (-13, 1, 14):
        name, start = MAIN_U[i], max((part[-1] for part in streets.line(i, is_u=True)), key=lambda end: end[1])
        gap = np.hypot(*(ground.motorway - start).T)
        meet = ground.motorway[gap.argmin()]
        ahead = ground.motorway[min(gap.argmin() + 12, len(ground.motorway) - 1)]
        behind = ground.motorway[max(gap.argmin() - 12, 0)]
        drawing.roads.append(("main", name, np.array([start, meet, meet + (meet - start) * 0.35])))
        exits[name] = tuple(meet + (meet - start) * 0.35)
        along = (ahead - behind) / np.hypot(*(ahead - behind))
        away = np.array([-along[1], along[0]])
        for forward in (-1, 1):
            for to in (-1, 1):
                slip = np.array(
                    [
                        meet + along * forward * 330,
                        meet + along * forward * 170 + away * to * 52,
                        meet + away * to * 95,
                    ]
                )
                drawing.roads.append(("link", "", spline(slip, 20)))
    west, east = (sorted((tuple(p[k]) for p in streets.line(-3, is_u=False)), key=lambda at: at[0])[k] for k in (0, -1))
    north = exits["Market Street"]
    country = {
        "Lighthouse Road": [(3400, 700), (3900, 1200), (4150, 1900), (3850, 2560)],
        "Shore Road": [west, (-2700, -420), (-3300, -220), (-3950, 300), (-4350, 900)],
        "Holm Road": [exits["West Avenue"], (-2100, 2450), (-2700, 2250), (-3400, 2100), (-3900, 1750)],
        "North Cape Road": [north, (350, 3150), (500, 3600), (330, 4080)],
        "Lake Road": [north, (-500, 2900), (-1250, 2950), (-1500, 3150), (-2200, 3400)],
        "Wood Road": [exits["East Avenue"], (2050, 2700), (1900, 3300), (1200, 3850), (330, 4080)],
        "Quarry Road": [east, (2450, 90), (2900, 60), (3300, -250), (3680, -390)],
    }
    for name, points in country.items():
        drawing.roads.append(("country", name, spline(np.array(points, float), 40)))
    drawing.roads.append(("rail", "", ground.rail))
    yard = [offset(ground.rail[:14], side * 9.0) for side in (-2, -1, 1, 2)]
    drawing.roads += [("rail", "", track) for track in yard]
    hall = np.vstack([offset(ground.rail[:8], 27), offset(ground.rail[:8], -27)[::-1]])
    drawing.areas.append(("station", "Marenholm Central", hall))
    tram = [cross(i, -3) for i in np.arange(-15, 8.01, 0.5)]
    tram += [cross(8, j) for j in np.arange(-2.5, 9.01, 0.5)]
    tram += [cross(i, 9) for i in np.arange(8.5, 16.01, 0.5)]
    drawing.roads.append(("tram", "Tram 1", np.array(tram)))
    drawing.roads.append(("tram", "Tram 2", np.array([cross(1, j) for j in np.arange(-10, 15.01, 0.5)])))


def draw_places(drawing: Drawing) -> None:
    """Write the names that belong to no road."""
    districts = {
        "Old Town": (1.2, 4.6),
        "Harbour": (4.0, -7.0),
        "Westfield": (-15.5, 4.5),
        "Northgate": (0.0, 12.3),
        "Eastbank": (14.8, 6.5),
        "Station Quarter": (10.8, -0.6),
        "Mill Quarter": (-9.2, 0.4),
        "Southquay": (13.0, -6.8),
        "Riverside": (-4.6, -6.2),
        "Gardens": (9.6, 7.4),
    }
    for name, (i, j) in districts.items():
        x, y = cross(i, j)
        drawing.places.append(("district", name, float(x), float(y)))
    drawing.places += [
        ("city", NAME, 100.0, 160.0),
        ("water", "Marenholm Bay", 250.0, -2450.0),
        ("water", "Atlantic Ocean", -3900.0, -3300.0),
        ("water", "North Sound", 900.0, 5400.0),
        ("village", "Holmby", -3900.0, 1790.0),
        ("village", "Lightkeep", 3850.0, 2560.0),
        ("village", "North Cape", 330.0, 4080.0),
        ("village", "Quarry Point", 3680.0, -390.0),
    ]


def heading_deg(start: Points, end: Points) -> float:
    """Return the direction from `start` to `end`, clockwise from north."""
    return round(math.degrees(math.atan2(end[0] - start[0], end[1] - start[1])) % 360, 1)


def lot_plan() -> tuple[Points, list[Points]]:
    """Return the outline of the lot and its bays: two rows of twelve, the aisle between them."""
    (i0, i1, j0, j1), middle = LOT_CELL, cross(LOT_CELL[0] + 0.5, LOT_CELL[2] + 0.5)
    east = cross(i1, (j0 + j1) / 2) - cross(i0, (j0 + j1) / 2)
    east /= np.hypot(*east)
    north = np.array([-east[1], east[0]])

    def rectangle(x0: float, x1: float, y0: float, y1: float) -> Points:
        return np.array([middle + east * x + north * y for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))])

    bays = []
    for y0, y1 in ((-8.5, -3.3), (3.3, 8.5)):
        bays += [rectangle(-15.6 + 2.6 * n, -13.0 + 2.6 * n, y0, y1) for n in range(12)]
    return rectangle(-21, 21, -11.5, 11.5), bays


def to_lat_lon(point: Points) -> tuple[float, float]:
    """Return latitude and longitude [deg] of a position in metres, to a tenth of a metre."""
    return (
        round(CENTER_LAT_DEG + float(point[1]) / METERS_PER_LAT_DEG, 6),
        round(CENTER_LON_DEG + float(point[0]) / METERS_PER_LON_DEG, 6),
    )


def geo(point: Points) -> dict[str, float]:
    """Return a position as the file holds it."""
    lat, lon = to_lat_lon(point)
    return {"lat_deg": lat, "lon_deg": lon}


def supermarket(x_m: float, y_m: float) -> Points:
    """Return the position [m] of a point on the plan of the supermarket's lot, as its camera's scene is built."""
    place = on_ground((x_m, y_m), WATCHED_AT, WATCHED_BEARING_DEG)
    return np.array(
        [(place.lon_deg - CENTER_LON_DEG) * METERS_PER_LON_DEG, (place.lat_deg - CENTER_LAT_DEG) * METERS_PER_LAT_DEG]
    )


def nearest_on(line: Points, point: Points) -> int:
    """Return the index of the point of `line` nearest to `point`."""
    return int(np.hypot(*(line - point).T).argmin())


def furniture(ground: Ground, ring: Points) -> dict[str, object]:
    """Return cameras, stations and the lot."""
    quay = np.array([cross(i, -10) for i in np.arange(-9, 3, 0.1)])
    bridge = quay[np.hypot(*(quay[:, None] - ground.river[None]).transpose(2, 0, 1)).min(axis=1).argmin()]
    market_street = np.array([cross(1, j) for j in np.arange(6, 18, 0.1)])
    gap = np.hypot(*(market_street[:, None] - ring[None]).transpose(2, 0, 1)).min(axis=1)
    gate = market_street[gap.argmin()]
    east = ring[nearest_on(ring, np.array([1350.0, 150.0]))]
    lot_outline, bays = lot_plan()
    sights = {
        "cam-harbour-bridge": ("Harbour Bridge", bridge, cross(1, -10), 62.0),
        "cam-north-gate": ("North Gate", gate, cross(1, 16), 58.0),
        "cam-market-cross": ("Market Cross", cross(1, 3), cross(-3, 3), 70.0),
        "cam-ring-road": ("Ring Road East", east, ring[(nearest_on(ring, east) + 5) % len(ring)], 55.0),
        "cam-station-square": ("Station Square", cross(8, -3), cross(7, -4), 74.0),
        "cam-tram-street": ("Tram Street", cross(4.4, -3), cross(1, -3), 52.0),
        "cam-old-town": ("Old Town", cross(-1, 3), cross(-2, 5), 66.0),
        "cam-lot-west": ("Supermarket", supermarket(-5.5, -15.5), supermarket(13.2, -0.4), 78.0),
    }
    sides = {"north": (0, 1250), "west": (-1250, 200), "south": (250, -500), "east": (1250, 330)}
    ring_at = {side: ring[nearest_on(ring, np.array(at, float))] for side, at in sides.items()}
    posts = [
        ("M1 West", ground.motorway[nearest_on(ground.motorway, np.array([-1500.0, 1960.0]))], "M1", 3, 110.0),
        ("M1 East", ground.motorway[nearest_on(ground.motorway, np.array([1650.0, 1860.0]))], "M1", 3, 110.0),
        ("Ring North", ring_at["north"], "Ring Road", 2, 70.0),
        ("Ring West", ring_at["west"], "Ring Road", 2, 70.0),
        ("Ring East", ring_at["east"], "Ring Road", 2, 70.0),
        ("Station Road", cross(8, 0.5), "Station Road", 2, 50.0),
        ("Ring South", ring_at["south"], "Ring Road", 2, 70.0),
        ("Market Street North", cross(1, 7.5), "Market Street", 1, 50.0),
        ("Harbour Bridge", bridge, "Quay Road", 2, 50.0),
        ("Tram Street", cross(-3.5, -3), "Tram Street", 1, 40.0),
        ("Mill Road", cross(-6, 9.5), "Mill Road", 1, 50.0),
        ("West Avenue", cross(-13, 6.5), "West Avenue", 1, 50.0),
    ]
    return {
        "cameras": [
            {
                "key": key,
                "name": name,
                "position": geo(at),
                "heading_deg": heading_deg(at, aim),
                "view_angle_deg": angle,
            }
            for key, (name, at, aim, angle) in sights.items()
        ],
        "stations": [
            {
                "key": f"station-{n:02}",
                "name": name,
                "position": geo(at),
                "road": road,
                "n_lanes": n_lanes,
                "free_flow_kmh": free_flow_kmh,
            }
            for n, (name, at, road, n_lanes, free_flow_kmh) in enumerate(posts, start=1)
        ],
        "lots": [
            {
                "key": "lot-west",
                "name": "Lot West",
                "position": geo(lot_outline.mean(axis=0)),
                "outline": [to_lat_lon(point) for point in lot_outline],
                "bays": [
                    {"key": f"bay-{n:02}", "outline": [to_lat_lon(point) for point in bay]}
                    for n, bay in enumerate(bays, start=1)
                ],
            }
        ],
    }


def make_city() -> dict[str, object]:
    """Return the whole city as the file holds it."""
    coast = island_outline()
    ground = Ground(coast)
    streets = Streets(ground)
    ring = ring_line()
    drawing = Drawing()
    draw_ground(drawing, ground)
    draw_blocks(drawing, streets, ground)
    draw_streets(drawing, streets)
    draw_long_ways(drawing, ground, streets, ring)
    draw_places(drawing)
    drawing.areas.append(("lot", "Lot West", lot_plan()[0]))
    south_west, north_east = (to_lat_lon(np.array(corner)) for corner in ((-2000.0, -1900.0), (2000.0, 2100.0)))
    return {
        "name": NAME,
        "center": {"lat_deg": CENTER_LAT_DEG, "lon_deg": CENTER_LON_DEG},
        "bounds": [*south_west, *north_east],
        "roads": [
            {"road_class": kind, "name": name, "line": [to_lat_lon(point) for point in line]}
            for kind, name, line in drawing.roads
        ],
        "areas": [
            {"area_class": kind, "name": name, "outline": [to_lat_lon(point) for point in outline]}
            for kind, name, outline in drawing.areas
        ],
        "places": [
            {"kind": kind, "name": name, "position": geo(np.array([x, y]))} for kind, name, x, y in drawing.places
        ],
        **furniture(ground, ring),
    }


def main() -> None:
    """Write the file."""
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(make_city(), separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
