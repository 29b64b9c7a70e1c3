"""What stands around the roads of the demo city: surfaces, markings, houses, trees, lamps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.make.scenes_meshes import GLASS, LAMP_STREET, LAMP_WINDOW, STEEL, MeshBuilder, Rgb
from app.make.scenes_world import shifted

FloatArray = NDArray[np.floating[Any]]
Line = tuple[tuple[float, float], ...]

WHITE_PAINT: Rgb = (0.86, 0.86, 0.84)
ASPHALT: Rgb = (0.345, 0.35, 0.36)
KERB: Rgb = (0.62, 0.61, 0.59)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Polygons on the ground that are painted together.

    Attributes:
        polygons: East and north [m], each (n, 2).
        material: "plain", "asphalt", "paving", "cobble", "grass", "water", "paint", "concrete" or "gravel".
        opacity: Below 1 what lies beneath shows through.
        soft_m: Blurs the edges by about that much, for stains and wheel tracks.
    """

    polygons: tuple[FloatArray, ...]
    material: str
    rgb: Rgb
    opacity: float = 1.0
    soft_m: float = 0.0


@dataclass(slots=True)
class Scenery:
    """A place being furnished; `rng` makes it the same every time."""

    rng: np.random.Generator
    base_material: str = "grass"
    base_rgb: Rgb = (0.36, 0.42, 0.24)
    layers: list[Layer] = field(default_factory=list)
    mesh: MeshBuilder = field(default_factory=MeshBuilder)

    def paint(
        self, polygons: Sequence[FloatArray], material: str, rgb: Rgb, *, opacity: float = 1.0, soft_m: float = 0.0
    ) -> None:
        """Lay a surface over what is there."""
        self.layers.append(Layer(polygons=tuple(polygons), material=material, rgb=rgb, opacity=opacity, soft_m=soft_m))


def rectangle(x0: float, y0: float, x1: float, y1: float) -> FloatArray:
    """Return an upright rectangle on the ground."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def ribbon(line: Line, left_m: float, width_m: float) -> list[FloatArray]:
    """Return quads that follow a line at a distance to its left."""
    a, b = np.array(shifted(line, left_m + width_m / 2)), np.array(shifted(line, left_m - width_m / 2))
    return [np.array([a[i], a[i + 1], b[i + 1], b[i]]) for i in range(len(a) - 1)]


def densified(line: Line, step_m: float = 4.0) -> Line:
    """Return the same line with a point every `step_m`."""
    p = np.array(line)
    s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(p, axis=0).T))])
    at = np.linspace(0, s[-1], max(2, round(s[-1] / step_m) + 1))
    return tuple(zip(np.interp(at, s, p[:, 0]).tolist(), np.interp(at, s, p[:, 1]).tolist(), strict=True))


def dashes(line: Line, left_m: float, width_m: float, dash_m: float, gap_m: float) -> list[FloatArray]:
    """Return the strokes of a broken line."""
    p = np.array(shifted(line, left_m))
    s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(p, axis=0).T))])
    strokes = []
    for begin in np.arange(0.0, s[-1] - dash_m, dash_m + gap_m):
        ends = [np.array([np.interp(t, s, p[:, 0]), np.interp(t, s, p[:, 1])]) for t in (begin, begin + dash_m)]
        d = (ends[1] - ends[0]) / dash_m
        n = np.array([-d[1], d[0]]) * width_m / 2
        strokes.append(np.array([ends[0] + n, ends[1] + n, ends[1] - n, ends[0] - n]))
    return strokes


def road(
    s: Scenery,
    line: Line,
    n_left: int,
    n_right: int,
    *,
    lane_m: float = 3.5,
    centre: str = "solid",
    kerb_m: float = 0.25,
    shoulder_m: float = 0.5,
    rgb: Rgb = ASPHALT,
) -> None:
    """Paint a carriageway with lanes left and right of a centre line.

    The centre is "solid", "double", "dashed" or "none".
    """
    line = densified(line)
    left, right = n_left * lane_m + shoulder_m, n_right * lane_m + shoulder_m
    if kerb_m > 0:
        s.paint(ribbon(line, (left - right) / 2, left + right + 2 * kerb_m), "concrete", KERB)
    s.paint(ribbon(line, (left - right) / 2, left + right), "asphalt", rgb)
    for i in range(-n_right, n_left):
        middle = (i + 0.5) * lane_m
        s.paint(
            ribbon(line, middle - 0.8, 0.55) + ribbon(line, middle + 0.8, 0.55),
            "plain",
            (0.27, 0.275, 0.28),
            opacity=0.30,
            soft_m=0.25,
        )
        s.paint(ribbon(line, middle, 0.5), "plain", (0.20, 0.20, 0.20), opacity=0.14, soft_m=0.3)
    strokes: list[FloatArray] = []
    for i in (*range(1, n_left), *range(-n_right + 1, 0)):
        strokes += dashes(line, i * lane_m, 0.13, 3.0, 5.0)
    if centre == "solid":
        strokes += ribbon(line, 0.0, 0.14)
    elif centre == "double":
        strokes += ribbon(line, 0.14, 0.12) + ribbon(line, -0.14, 0.12)
    elif centre == "dashed":
        strokes += dashes(line, 0.0, 0.13, 3.0, 3.0)
    s.paint(strokes, "paint", WHITE_PAINT, opacity=0.88)
    s.paint(
        ribbon(line, left - shoulder_m + 0.08, 0.13) + ribbon(line, -right + shoulder_m - 0.08, 0.13),
        "paint",
        WHITE_PAINT,
        opacity=0.85,
    )


def wear(s: Scenery, x0: float, y0: float, x1: float, y1: float, n: int) -> None:
    """Add repair patches, stains and manholes to a stretch of road."""
    patches, stains, covers = [], [], []
    for _ in range(n):
        x, y = s.rng.uniform(x0, x1), s.rng.uniform(y0, y1)
        turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        wobble = s.rng.uniform(0.6, 1.2, 12)
        stains.append(np.stack([x + 0.9 * wobble * np.cos(turn), y + 0.5 * wobble * np.sin(turn)], axis=1))
        if s.rng.random() < 0.5:
            px, py = s.rng.uniform(x0, x1), s.rng.uniform(y0, y1)
            patches.append(rectangle(px, py, px + s.rng.uniform(1.5, 5), py + s.rng.uniform(0.7, 1.6)))
        if s.rng.random() < 0.4:
            cx, cy = s.rng.uniform(x0, x1), s.rng.uniform(y0, y1)
            covers.append(np.stack([cx + 0.33 * np.cos(turn), cy + 0.33 * np.sin(turn)], axis=1))
    s.paint(patches, "asphalt", (0.29, 0.295, 0.30), opacity=0.8)
    s.paint(stains, "plain", (0.2, 0.2, 0.2), opacity=0.25, soft_m=0.4)
    s.paint(covers, "plain", (0.22, 0.22, 0.23), opacity=0.9)


def arrow(x: float, y: float, heading_rad: float, length_m: float = 4.0) -> list[FloatArray]:
    """Return a straight-on arrow."""
    shape = [
        np.array([(-0.5, -0.08), (0.2, -0.08), (0.2, 0.08), (-0.5, 0.08)]) * (length_m, 1.0),
        np.array([(0.2, -0.38), (0.5, 0.0), (0.2, 0.38)]) * (length_m, 1.0),
    ]
    c, k = np.cos(heading_rad), np.sin(heading_rad)
    return [p @ np.array([[c, k], [-k, c]]) + (x, y) for p in shape]


GLYPHS: dict[str, list[tuple[float, float, float, float]]] = {
    "B": [(0, 0, 0, 1), (0, 1, 0.8, 1), (0.8, 1, 0.8, 0.55), (0, 0.5, 1, 0.5), (1, 0.5, 1, 0), (0, 0, 1, 0)],
    "U": [(0, 1, 0, 0), (0, 0, 1, 0), (1, 0, 1, 1)],
    "S": [(1, 1, 0, 1), (0, 1, 0, 0.5), (0, 0.5, 1, 0.5), (1, 0.5, 1, 0), (1, 0, 0, 0)],
    "P": [(0, 0, 0, 1), (0, 1, 1, 1), (1, 1, 1, 0.5), (1, 0.5, 0, 0.5)],
    "3": [(0, 1, 1, 1), (1, 1, 1, 0), (0, 0, 1, 0), (0.2, 0.5, 1, 0.5)],
    "0": [(0, 0, 0, 1), (0, 1, 1, 1), (1, 1, 1, 0), (1, 0, 0, 0)],
}


def lettering(
    text: str, x: float, y: float, heading_rad: float, *, letter_m: float, stretch: float
) -> list[FloatArray]:
    """Return painted letters that read along a driver's heading; `x, y` is the foot of the middle letter."""
    strokes = []
    c, k = np.cos(heading_rad), np.sin(heading_rad)
    for i, glyph in enumerate(text):
        left = (i - (len(text) - 1) / 2) * letter_m * 1.5 - letter_m / 2
        for x0, y0, x1, y1 in GLYPHS[glyph]:
            a = np.array([y0 * letter_m * stretch, -(left + x0 * letter_m)])
            b = np.array([y1 * letter_m * stretch, -(left + x1 * letter_m)])
            d = (b - a) / np.hypot(*(b - a))
            n = np.array([-d[1], d[0]]) * np.where(abs(d[0]) > abs(d[1]), 0.09, 0.17)
            quad = np.array([a + n, b + n, b - n, a - n])
            strokes.append(quad @ np.array([[c, k], [-k, c]]) + (x, y))
    return strokes


def zebra(x: float, y: float, heading_rad: float, *, across_m: float, depth_m: float = 3.2) -> list[FloatArray]:
    """Return the bars of a crossing over a road of `across_m` whose traffic runs along `heading_rad`."""
    bars = []
    c, k = np.cos(heading_rad), np.sin(heading_rad)
    for at in np.arange(-across_m / 2 + 0.25, across_m / 2 - 0.4, 1.0):
        bar = rectangle(-depth_m / 2, at, depth_m / 2, at + 0.5)
        bars.append(bar @ np.array([[c, k], [-k, c]]) + (x, y))
    return bars


def _placed(points: Any, x: float, y: float, turn_rad: float) -> FloatArray:
    p = np.asarray(points, dtype=np.float64)
    c, k = np.cos(turn_rad), np.sin(turn_rad)
    out = p.copy()
    out[:, 0] = p[:, 0] * c - p[:, 1] * k + x
    out[:, 1] = p[:, 0] * k + p[:, 1] * c + y
    return out


def _across(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the cross product of two vectors; numpy's own takes ten times as long on one pair."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


WALLS: tuple[Rgb, ...] = (
    (0.80, 0.74, 0.62),
    (0.76, 0.62, 0.50),
    (0.70, 0.46, 0.36),
    (0.84, 0.80, 0.74),
    (0.66, 0.64, 0.60),
    (0.78, 0.70, 0.46),
    (0.62, 0.36, 0.28),
    (0.72, 0.74, 0.72),
    (0.58, 0.62, 0.64),
    (0.86, 0.78, 0.66),
)
TILES: tuple[Rgb, ...] = ((0.52, 0.28, 0.20), (0.44, 0.24, 0.19), (0.30, 0.31, 0.33), (0.38, 0.33, 0.30))


def house(
    s: Scenery,
    x: float,
    y: float,
    width_m: float,
    depth_m: float,
    height_m: float,
    *,
    turn_rad: float = 0.0,
    wall: Rgb | None = None,
    pitched: bool = False,
    has_shops: bool = False,
    lit: float = 0.25,
) -> None:
    """Put up a house with windows on all sides; `x, y` is its middle, `width_m` runs along `turn_rad`."""
    b, rng = s.mesh, s.rng
    wall = wall or WALLS[int(rng.integers(len(WALLS)))]
    w, d, h = width_m / 2, depth_m / 2, height_m
    footprint = [(-w, -d), (w, -d), (w, d), (-w, d)]
    storeys = max(1, round(h / 3.2))
    storey_m = h / storeys
    trim: Rgb = tuple(np.clip(np.multiply(wall, 1.12), 0, 0.95))
    for i in range(4):
        (ax, ay), (bx, by) = footprint[i], footprint[(i + 1) % 4]
        run = np.array([bx - ax, by - ay])
        long = float(np.hypot(*run))
        run /= long
        out = np.array([run[1], -run[0]])

        def at(t: float, z: float, lift: float, ax=ax, ay=ay, run=run, out=out) -> tuple[float, float, float]:  # type: ignore[no-untyped-def]
            return (ax + run[0] * t + out[0] * lift, ay + run[1] * t + out[1] * lift, z)

        def quad(t0: float, z0: float, t1: float, z1: float, lift: float, rgb: Rgb, at=at, **how: Any) -> None:  # type: ignore[no-untyped-def]
            b.face(
                _placed([at(t0, z0, lift), at(t1, z0, lift), at(t1, z1, lift), at(t0, z1, lift)], x, y, turn_rad),
                rgb,
                **how,
            )

        for k in range(storeys):
            shade = 1.0 - 0.10 * (k == 0)
            quad(0, k * storey_m, long, (k + 1) * storey_m, 0.0, tuple(np.multiply(wall, shade)))
        n = max(1, int(long // 2.7))
        pitch = long / n
        for k in range(storeys):
            z0 = k * storey_m
            if k > 0:
                quad(0, z0 - 0.08, long, z0 + 0.08, 0.06, trim)
            for j in range(n):
                t = (j + 0.5) * pitch
                glow = LAMP_WINDOW if rng.random() < lit else 0
                pane: Rgb = tuple(np.multiply(GLASS, rng.uniform(0.8, 1.9)))
                if k == 0 and has_shops:
                    quad(t - pitch * 0.42, 0.3, t + pitch * 0.42, storey_m * 0.78, 0.03, pane, gloss=0.8, lamp=glow)
                    sign: Rgb = tuple(rng.uniform(0.15, 0.7, 3))
                    quad(t - pitch * 0.46, storey_m * 0.80, t + pitch * 0.46, storey_m * 0.97, 0.12, sign)
                    continue
                half = min(0.62, pitch * 0.26)
                quad(t - half - 0.12, z0 + 0.85, t + half + 0.12, z0 + storey_m * 0.83 + 0.1, 0.025, trim)
                quad(t - half, z0 + 0.95, t + half, z0 + storey_m * 0.83, 0.045, pane, gloss=0.7, lamp=glow)
                quad(t - 0.03, z0 + 0.95, t + 0.03, z0 + storey_m * 0.83, 0.055, trim)
                quad(t - half - 0.2, z0 + 0.78, t + half + 0.2, z0 + 0.90, 0.12, trim)
        quad(-0.2, h - 0.25, long + 0.2, h + 0.15, 0.25, trim)
    if pitched:
        tile = TILES[int(rng.integers(len(TILES)))]
        ridge = h + min(d, 5.0) * 0.8
        o = 0.4
        for side in (-1.0, 1.0):
            b.face(
                _placed(
                    [(-w - o, side * (d + o), h), (w + o, side * (d + o), h), (w + o, 0, ridge), (-w - o, 0, ridge)],
                    x,
                    y,
                    turn_rad,
                ),
                tile,
            )
        for end in (-w, w):
            b.face(_placed([(end, -d, h), (end, d, h), (end, 0, ridge)], x, y, turn_rad), wall)
        cx = float(rng.uniform(-w * 0.6, w * 0.6))
        chimney = MeshBuilder()
        chimney.box((cx - 0.4, 0.6, ridge - 1.6), (cx + 0.4, 1.4, ridge + 0.7), (0.46, 0.30, 0.25))
        for face, rgb in zip(chimney.faces, chimney.rgb, strict=True):
            b.face(_placed(face, x, y, turn_rad), rgb)
        top = [(-w, 0.0, ridge), (w, 0.0, ridge)]
    else:
        b.face(_placed([(px, py, h) for px, py in footprint], x, y, turn_rad), (0.42, 0.42, 0.42))
        top = []
    solid = [(px, py, z) for px, py in footprint for z in (0.0, h)] + top
    b.solids.append(_placed(solid, x, y, turn_rad))


def tree(s: Scenery, x: float, y: float, height_m: float = 7.0, *, rgb: Rgb = (0.24, 0.34, 0.14)) -> None:
    """Plant a leafy tree."""
    b, rng = s.mesh, s.rng
    trunk = height_m * 0.38
    post(s, x, y, trunk, radius_m=0.11 + height_m * 0.012, rgb=(0.26, 0.21, 0.16), casts=True)
    crown = height_m * 0.30
    tint = np.array(rgb) * rng.uniform(0.85, 1.2) + rng.uniform(-0.02, 0.02, 3)
    for _ in range(7):
        middle = np.array([x, y, height_m * 0.64]) + rng.normal(0, 1, 3) * (crown * 0.42, crown * 0.42, crown * 0.34)
        radius = crown * float(rng.uniform(0.5, 0.8))
        n = 110
        directions = rng.normal(0, 1, (n, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        for direction in directions:
            at = middle + direction * radius * float(rng.uniform(0.75, 1.05))
            p = _across(direction, rng.normal(0, 1, 3))
            p /= np.sqrt(p @ p)
            q = _across(direction, p)
            size = float(rng.uniform(0.13, 0.30)) * height_m / 7.0
            tilt = direction * float(rng.uniform(-0.5, 0.5))
            # Deep and low leaves are darker: the crown shades itself.
            depth = 0.62 + 0.38 * np.clip((at[2] - height_m * 0.45) / (height_m * 0.5), 0, 1)
            rgb_leaf = tuple(np.clip(tint * depth * rng.uniform(0.75, 1.25), 0.02, 0.9))
            b.face(
                [at + p * size, at + (q + tilt) * size, at - p * size, at - (q + tilt) * size],
                rgb_leaf,
                normal=direction * 0.8 + (0, 0, 0.35),
            )
        turn = np.linspace(0, 2 * np.pi, 9, endpoint=False)
        for lift in (-0.5, 0.5):
            b.solids.append(
                middle
                + np.stack(
                    [radius * 0.85 * np.cos(turn), radius * 0.85 * np.sin(turn), 0 * turn + lift * radius], axis=1
                )
            )


def hedge(s: Scenery, x0: float, y0: float, x1: float, y1: float, height_m: float = 1.0, width_m: float = 1.0) -> None:
    """Plant a hedge or shrubs along a line."""
    b, rng = s.mesh, s.rng
    long = float(np.hypot(x1 - x0, y1 - y0))
    n = int(long * 40)
    at = rng.uniform(0, 1, n)
    d = np.array([x1 - x0, y1 - y0]) / long
    for t in at:
        side = float(rng.uniform(-0.5, 0.5)) * width_m
        z = float(np.sqrt(rng.uniform(0.02, 1))) * height_m
        p = np.array([x0 + d[0] * long * t - d[1] * side, y0 + d[1] * long * t + d[0] * side, z])
        u, v = rng.normal(0, 0.16, 3), rng.normal(0, 0.16, 3)
        tone = (0.55 + 0.5 * z / height_m) * rng.uniform(0.8, 1.2)
        b.face(
            [p + u, p + v, p - u, p - v],
            tuple(np.clip(np.multiply((0.24, 0.33, 0.15), tone), 0, 1)),
            normal=np.array([0.2 * rng.normal(), 0.2 * rng.normal(), 0.9]),
        )
    side_xy = np.array([-d[1], d[0]]) * width_m / 2
    ends = [np.array([x0, y0]), np.array([x1, y1])]
    b.solids.append(np.array([(*(e + k * side_xy), z) for e in ends for k in (-1, 1) for z in (0.0, height_m * 0.9)]))


def post(
    s: Scenery,
    x: float,
    y: float,
    height_m: float,
    *,
    radius_m: float = 0.08,
    rgb: Rgb = STEEL,
    foot_m: float = 0.0,
    casts: bool = True,
) -> None:
    """Put up a round post."""
    b = s.mesh
    turn = np.linspace(0, 2 * np.pi, 9)
    group = b.new_group()
    ring = np.stack([x + radius_m * np.cos(turn), y + radius_m * np.sin(turn)], axis=1)
    for i in range(8):
        b.face(
            [(*ring[i], foot_m), (*ring[i + 1], foot_m), (*ring[i + 1], height_m), (*ring[i], height_m)],
            rgb,
            group=group,
            gloss=0.2,
        )
    if casts:
        b.solids.append(np.array([(*p, z) for p in ring[:8:2] for z in (foot_m, height_m)]))


def beam(s: Scenery, start: Any, end: Any, *, width_m: float = 0.1, rgb: Rgb = STEEL, lamp: int = 0) -> None:
    """Add a square bar between two points in space."""
    a, z = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    d = (z - a) / np.linalg.norm(z - a)
    u = np.cross(d, (0.0, 0.0, 1.0)) if abs(d[2]) < 0.95 else np.array([1.0, 0.0, 0.0])
    u = u / np.linalg.norm(u) * width_m / 2
    v = np.cross(d, u)
    ring = [u + v, u - v, -u - v, -u + v]
    for i in range(4):
        j = (i + 1) % 4
        s.mesh.face([a + ring[i], z + ring[i], z + ring[j], a + ring[j]], rgb, lamp=lamp)
    s.mesh.face([z + r for r in ring], rgb, lamp=lamp)
    s.mesh.face([a + r for r in ring], rgb, lamp=lamp)
    s.mesh.solids.append(np.array([p + r for p in (a, z) for r in ring]))


def lamp_post(s: Scenery, x: float, y: float, reach_x: float, reach_y: float, height_m: float = 8.0) -> None:
    """Put up a street lamp whose arm reaches over the road."""
    post(s, x, y, height_m, radius_m=0.09, rgb=(0.36, 0.37, 0.38))
    end = (x + reach_x, y + reach_y, height_m + 0.25)
    beam(s, (x, y, height_m - 0.1), end, width_m=0.09, rgb=(0.36, 0.37, 0.38))
    reach = float(np.hypot(reach_x, reach_y))
    tip = (end[0] + 0.7 * reach_x / reach, end[1] + 0.7 * reach_y / reach, end[2])
    beam(s, end, tip, width_m=0.26, rgb=(0.75, 0.75, 0.72), lamp=LAMP_STREET)


def fence(
    s: Scenery, line: Line, *, height_m: float = 1.0, rgb: Rgb = STEEL, every_m: float = 2.0, rails: int = 3
) -> None:
    """Put up a railing along a line."""
    p = np.array(densified(line, every_m))
    for x, y in p:
        beam(s, (x, y, 0.0), (x, y, height_m), width_m=0.08, rgb=rgb)
    for a, z in itertools.pairwise(p):
        for k in range(rails):
            h = height_m * (1 - k * 0.9 / rails)
            beam(s, (*a, h), (*z, h), width_m=0.07, rgb=rgb)


def barrier(
    s: Scenery, line: Line, *, height_m: float = 0.85, width_m: float = 0.5, rgb: Rgb = (0.60, 0.60, 0.58)
) -> None:
    """Put up a concrete barrier along a line."""
    p = np.array(densified(line, 6.0))
    b = s.mesh
    for a, z in itertools.pairwise(p):
        d = (z - a) / np.hypot(*(z - a))
        n = np.array([-d[1], d[0]])
        profile = [(-0.5, 0.0), (-0.25, 0.35), (-0.18, 1.0), (0.18, 1.0), (0.25, 0.35), (0.5, 0.0)]
        ring_a = [(*(a + n * k * width_m), h * height_m) for k, h in profile]
        ring_z = [(*(z + n * k * width_m), h * height_m) for k, h in profile]
        for i in range(5):
            b.face([ring_a[i], ring_z[i], ring_z[i + 1], ring_a[i + 1]], rgb)
        b.solids.append(np.array([*ring_a, *ring_z]))


def skyline(s: Scenery, x: float, y: float, along_rad: float, *, n: int, spread_m: float, tallest_m: float) -> None:
    """Put far, plain blocks across the horizon."""
    for _ in range(n):
        t, back = s.rng.uniform(-spread_m, spread_m), s.rng.uniform(0, spread_m * 0.35)
        px = x + np.cos(along_rad) * t - np.sin(along_rad) * back
        py = y + np.sin(along_rad) * t + np.cos(along_rad) * back
        w, h = s.rng.uniform(12, 34), s.rng.uniform(0.25, 1.0) ** 1.6 * tallest_m
        tone = s.rng.uniform(0.45, 0.72)
        rgb: Rgb = (tone, tone * 0.97, tone * 0.93)
        s.mesh.box((px - w / 2, py - w / 2, 0), (px + w / 2, py + w / 2, h), rgb)
        for z in np.arange(3.0, h - 2, 4.0):
            s.mesh.box(
                (px - w / 2 - 0.1, py - w / 2 - 0.1, z),
                (px + w / 2 + 0.1, py + w / 2 + 0.1, z + 1.5),
                (0.25, 0.29, 0.33),
                gloss=0.6,
            )
