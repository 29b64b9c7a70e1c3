"""Shapes of the demo city: vehicles, houses, trees and street furniture, as plain numpy triangles.

Local axes: x forward, y left, z up, the origin on the ground below the middle. Colours are sRGB 0..1.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
Rgb = tuple[float, float, float]

PAINT: Rgb = (-1.0, -1.0, -1.0)
"""Stands for the colour a vehicle is painted in."""

GLASS: Rgb = (0.10, 0.13, 0.16)
RUBBER: Rgb = (0.07, 0.07, 0.075)
PLASTIC: Rgb = (0.14, 0.14, 0.15)
STEEL: Rgb = (0.55, 0.56, 0.58)

LAMP_NONE, LAMP_HEAD, LAMP_TAIL, LAMP_WINDOW, LAMP_STREET = range(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """Triangles with one normal and one material per vertex.

    Attributes:
        points, normals, rgb: Shape (n, 3), float32. `rgb` holds `PAINT` where the owner's paint goes.
        gloss: How much sky a vertex mirrors, shape (n,).
        lamp: One of the `LAMP_*` kinds, shape (n,), uint8.
        triangles: Shape (m, 3), int32.
        solids: Convex point sets that cast shadows, each (k, 3).
    """

    points: FloatArray
    normals: FloatArray
    rgb: FloatArray
    gloss: FloatArray
    lamp: NDArray[np.uint8]
    triangles: NDArray[np.int32]
    solids: tuple[FloatArray, ...] = ()


def newell(points: FloatArray) -> FloatArray:
    """Return the unit normal of a planar polygon, zero where it has no area; shape (3,). Source: Newell's method."""
    x = y = z = 0.0
    corners = points.tolist()
    for (ax, ay, az), (bx, by, bz) in zip(corners, corners[1:] + corners[:1], strict=True):
        x += ay * bz - az * by
        y += az * bx - ax * bz
        z += ax * by - ay * bx
    length = (x * x + y * y + z * z) ** 0.5
    return np.array([x, y, z]) / length if length > 1e-9 else np.zeros(3)


@dataclass(slots=True)
class MeshBuilder:
    """Collects convex faces; `build` turns them into a `Mesh`."""

    faces: list[FloatArray] = field(default_factory=list)
    normals: list[FloatArray] = field(default_factory=list)
    rgb: list[Rgb] = field(default_factory=list)
    gloss: list[float] = field(default_factory=list)
    lamp: list[int] = field(default_factory=list)
    smooth: list[int] = field(default_factory=list)
    solids: list[FloatArray] = field(default_factory=list)
    n_groups: int = 0

    def face(
        self,
        corners: Any,
        rgb: Rgb,
        *,
        gloss: float = 0.0,
        lamp: int = LAMP_NONE,
        group: int = 0,
        normal: FloatArray | None = None,
    ) -> None:
        """Add one convex face, wound either way (the painter lights both sides); `group` above 0 shares normals."""
        points = np.asarray(corners, dtype=np.float64)
        if normal is None:
            normal = newell(points)
            if not normal.any():
                return
        self.faces.append(points)
        self.normals.append(normal)
        self.rgb.append(rgb)
        self.gloss.append(gloss)
        self.lamp.append(lamp)
        self.smooth.append(group)

    def new_group(self) -> int:
        """Return a fresh smoothing group."""
        self.n_groups += 1
        return self.n_groups

    def box(self, low: Any, high: Any, rgb: Rgb, *, gloss: float = 0.0, lamp: int = LAMP_NONE) -> None:
        """Add an upright box between two corners."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        for corners in (
            [(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)],
            [(x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)],
            [(x0, y1, z0), (x0, y0, z0), (x0, y0, z1), (x0, y1, z1)],
            [(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)],
            [(x1, y1, z0), (x0, y1, z0), (x0, y1, z1), (x1, y1, z1)],
        ):
            self.face(corners, rgb, gloss=gloss, lamp=lamp)

    def loft(self, sections: list[FloatArray], rgbs: list[Rgb], *, gloss: float) -> None:
        """Add a skin over cross-sections along x, back to front; `rgbs` colours each strip of a section."""
        group = self.new_group()
        for rear, front in itertools.pairwise(sections):
            for i, rgb in enumerate(rgbs):
                self.face([rear[i], rear[i + 1], front[i + 1], front[i]], rgb, gloss=gloss, group=group)
        self.face(sections[-1][::-1], rgbs[len(rgbs) // 2], gloss=gloss)
        self.face(sections[0], rgbs[len(rgbs) // 2], gloss=gloss)

    def build(self) -> Mesh:
        """Return the triangles; normals are shared between faces of a group that meet at a blunt angle."""
        points = np.concatenate(self.faces)
        sizes = [len(face) for face in self.faces]
        normals = np.repeat(np.array(self.normals), sizes, axis=0)
        groups = np.repeat(np.array(self.smooth), sizes)
        flat = normals.copy()
        if groups.any():
            keys: dict[tuple[float, ...], list[int]] = {}
            for i in np.flatnonzero(groups):
                keys.setdefault((groups[i], *np.round(points[i], 3)), []).append(int(i))
            for together in keys.values():
                near = flat[together]
                alike = (near @ near.T) > 0.55
                summed = alike @ near
                normals[together] = summed / np.linalg.norm(summed, axis=1, keepdims=True)
        triangles: list[tuple[int, int, int]] = []
        first = 0
        for size in sizes:
            triangles.extend((first, first + k, first + k + 1) for k in range(1, size - 1))
            first += size
        return Mesh(
            points=points.astype(np.float32),
            normals=normals.astype(np.float32),
            rgb=np.repeat(np.array(self.rgb, dtype=np.float32), sizes, axis=0),
            gloss=np.repeat(np.array(self.gloss, dtype=np.float32), sizes),
            lamp=np.repeat(np.array(self.lamp, dtype=np.uint8), sizes),
            triangles=np.array(triangles, dtype=np.int32),
            solids=tuple(self.solids),
        )


def _disc(x: float, y: float, z: float, radius: float, side: float, n: int = 12) -> FloatArray:
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False) * -side
    return np.stack([x + radius * np.cos(turn), np.full(n, y), z + radius * np.sin(turn)], axis=1)


def _wheel(b: MeshBuilder, x: float, y: float, radius: float, width: float) -> None:
    """Add a wheel whose outer face lies at `y`; the sign of `y` says which side."""
    side = 1.0 if y > 0 else -1.0
    outer, inner = _disc(x, y, radius, radius, side, 14), _disc(x, y - side * width, radius, radius, side, 14)
    b.face(outer, RUBBER)
    for i in range(14):
        j = (i + 1) % 14
        b.face([outer[i], inner[i], inner[j], outer[j]], RUBBER)
    b.face(_disc(x, y + side * 0.012, radius, radius * 0.62, side), (0.50, 0.51, 0.53), gloss=0.3)
    b.face(_disc(x, y + side * 0.018, radius, radius * 0.22, side, 8), (0.25, 0.25, 0.26))


def _inset(corners: Any, share: float, lift_m: float) -> FloatArray:
    """Shrink a face towards its middle and lift it off its surface, for panes on a body."""
    points = np.asarray(corners, dtype=np.float64)
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
    normal /= np.linalg.norm(normal)
    middle = points.mean(axis=0)
    inset: FloatArray = middle + (points - middle) * (1 - share) + normal * lift_m
    return inset


def _between(a: Any, b: Any, share: float) -> FloatArray:
    start, end = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return start + (end - start) * share


@dataclass(frozen=True, slots=True, kw_only=True)
class CarForm:
    """Lengths of one car body [m]; x runs forward from the middle."""

    length: float
    width: float
    bonnet_z: float
    belt_z: float
    boot_z: float
    roof_z: float
    screen_base_x: float
    screen_top_x: float
    rear_top_x: float
    rear_base_x: float
    wheel_r: float
    has_rear_panes: bool = True


CAR_FORMS: dict[str, CarForm] = {
    "saloon": CarForm(
        length=4.6, width=1.82, bonnet_z=0.88, belt_z=0.95, boot_z=1.0, roof_z=1.45, screen_base_x=1.0,
        screen_top_x=0.25, rear_top_x=-1.0, rear_base_x=-1.65, wheel_r=0.33,
    ),
    "hatch": CarForm(
        length=4.05, width=1.76, bonnet_z=0.92, belt_z=0.97, boot_z=1.0, roof_z=1.49, screen_base_x=1.05,
        screen_top_x=0.35, rear_top_x=-1.45, rear_base_x=-1.85, wheel_r=0.32,
    ),
    "estate": CarForm(
        length=4.7, width=1.84, bonnet_z=0.90, belt_z=0.97, boot_z=1.0, roof_z=1.50, screen_base_x=1.1,
        screen_top_x=0.4, rear_top_x=-1.85, rear_base_x=-2.2, wheel_r=0.33,
    ),
    "suv": CarForm(
        length=4.55, width=1.90, bonnet_z=1.06, belt_z=1.12, boot_z=1.14, roof_z=1.72, screen_base_x=1.05,
        screen_top_x=0.45, rear_top_x=-1.75, rear_base_x=-2.05, wheel_r=0.38,
    ),
    "van": CarForm(
        length=5.2, width=2.0, bonnet_z=1.18, belt_z=1.25, boot_z=1.3, roof_z=2.25, screen_base_x=1.95,
        screen_top_x=1.35, rear_top_x=-2.5, rear_base_x=-2.54, wheel_r=0.36, has_rear_panes=False,
    ),
}  # fmt: skip


def _car(form: CarForm) -> Mesh:
    b = MeshBuilder()
    half, w, belt = form.length / 2, form.width / 2, form.belt_z
    sill = 0.24 + (form.wheel_r - 0.33) * 2

    def section(x: float, share: float, low: float, mid: float, top: float, shoulder: float = 0.93) -> FloatArray:
        hw = w * share
        return np.array([
            (x, hw * 0.95, low), (x, hw, (low + mid) / 2), (x, hw, mid), (x, hw * shoulder, top),
            (x, -hw * shoulder, top), (x, -hw, mid), (x, -hw, (low + mid) / 2), (x, -hw * 0.95, low),
        ])  # fmt: skip

    boot, bonnet = form.boot_z, form.bonnet_z
    body = [
        section(-half, 0.80, 0.42, 0.62, boot * 0.80),
        section(-half + 0.10, 0.92, 0.30, 0.68, boot * 0.95),
        section(-half + 0.35, 0.98, sill, 0.72, boot),
        section(form.rear_base_x * 0.8, 1.0, sill, 0.74, (boot + belt) / 2),
        section(form.screen_base_x, 1.0, sill, 0.72, belt),
        section((form.screen_base_x + half) / 2, 0.985, sill, 0.70, bonnet),
        section(half - 0.22, 0.93, 0.28, 0.64, bonnet * 0.90),
        section(half - 0.04, 0.83, 0.34, 0.58, bonnet * 0.78),
        section(half, 0.76, 0.42, 0.55, bonnet * 0.66),
    ]
    strips: list[Rgb] = [PLASTIC, PAINT, PAINT, PAINT, PAINT, PAINT, PLASTIC]
    b.loft(body, strips, gloss=0.55)
    b.solids.append(np.concatenate([body[1], body[3], body[4], body[7]]))

    base_w, roof_w = w * 0.90, w * 0.72
    roof = form.roof_z
    fb = [(form.screen_base_x, s * base_w, belt - 0.02) for s in (1, -1)]
    ft = [(form.screen_top_x, s * roof_w, roof - 0.02) for s in (1, -1)]
    rt = [(form.rear_top_x, s * roof_w, roof - 0.04) for s in (1, -1)]
    rb = [(form.rear_base_x, s * base_w, boot - 0.03) for s in (1, -1)]
    crown_f, crown_r = _between(ft[0], ft[1], 0.5), _between(rt[0], rt[1], 0.5)
    crown_f[2] = roof + 0.03
    crown_r[2] = roof
    left = [rb[0], fb[0], ft[0], rt[0]]
    right = [fb[1], rb[1], rt[1], ft[1]]
    screen, rear = [fb[0], fb[1], ft[1], ft[0]], [rb[1], rb[0], rt[0], rt[1]]
    group = b.new_group()
    for face in (left, right, screen, rear):
        b.face(face, PAINT, gloss=0.55)
    b.face([ft[0], crown_f, crown_r, rt[0]][::-1], PAINT, gloss=0.55, group=group)
    b.face([crown_f, ft[1], rt[1], crown_r][::-1], PAINT, gloss=0.55, group=group)
    b.solids.append(np.array([*fb, *ft, *rt, *rb]))

    def pane(corners: Any, share: float = 0.10) -> None:
        points = np.asarray(corners, dtype=np.float64)
        outward = points.mean(axis=0) - np.array([points.mean(axis=0)[0] * 0.4, 0.0, (belt + roof) / 2 - 0.25])
        normal = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
        b.face(_inset(points if normal @ outward > 0 else points[::-1], share, 0.012), GLASS, gloss=1.0)

    pane(screen, 0.09)
    pane(rear, 0.13)
    for side in (0, 1):
        corners = (rb[side], fb[side], ft[side], rt[side])
        split = 0.53 if form.has_rear_panes else 0.74
        low, high = _between(corners[0], corners[1], split), _between(corners[3], corners[2], split)
        pane([low, corners[1], corners[2], high], 0.11)
        if form.has_rear_panes:
            pane([corners[0], low, high, corners[3]], 0.12)
    axle_f, axle_r = half - 0.83, -half + 0.88
    for s in (1.0, -1.0):
        for x in (axle_f, axle_r):
            b.face(_disc(x, s * (w + 0.006), form.wheel_r + 0.02, form.wheel_r * 1.16, s, 14), (0.04, 0.04, 0.045))
            _wheel(b, x, s * (w + 0.02), form.wheel_r, 0.2)
        mirror_x = form.screen_base_x - 0.32
        foot = (mirror_x - 0.07, min(s * base_w, s * (w + 0.14)), belt)
        b.box(foot, (mirror_x + 0.07, max(s * base_w, s * (w + 0.14)), belt + 0.14), PAINT, gloss=0.4)
        zf, zr = bonnet * 0.68, boot * 0.78
        lamp_y = sorted((s * w * 0.42, s * w * 0.80))
        b.box((half - 0.12, lamp_y[0], zf - 0.07), (half + 0.012, lamp_y[1], zf + 0.07), (0.86, 0.88, 0.9),
              gloss=0.8, lamp=LAMP_HEAD)  # fmt: skip
        tail_y = sorted((s * w * 0.50, s * w * 0.86))
        b.box((-half - 0.012, tail_y[0], zr - 0.10), (-half + 0.12, tail_y[1], zr + 0.07), (0.52, 0.05, 0.05),
              gloss=0.4, lamp=LAMP_TAIL)  # fmt: skip
    b.box((half - 0.1, -w * 0.40, 0.36), (half + 0.014, w * 0.40, 0.50), (0.06, 0.06, 0.065))
    b.box((half - 0.1, -0.26, 0.40), (half + 0.025, 0.26, 0.51), (0.85, 0.85, 0.82))
    b.box((-half - 0.02, -0.26, boot * 0.60), (-half + 0.1, 0.26, boot * 0.60 + 0.11), (0.85, 0.85, 0.80))
    b.box((-half - 0.01, -w * 0.7, 0.30), (-half + 0.1, w * 0.7, 0.42), PLASTIC)
    return b.build()


def _coach_sections(length: float, width: float, low: float, high: float, nose: float) -> list[FloatArray]:
    w = width / 2

    def section(x: float, share: float, lift: float) -> FloatArray:
        hw = w * share
        return np.array([
            (x, hw, low), (x, hw, high - 0.22), (x, hw * 0.93, high - 0.05 - lift), (x, hw * 0.75, high - lift),
            (x, -hw * 0.75, high - lift), (x, -hw * 0.93, high - 0.05 - lift), (x, -hw, high - 0.22), (x, -hw, low),
        ])  # fmt: skip

    half = length / 2
    return [
        section(-half, 0.96, 0.10), section(-half + 0.12, 1.0, 0.02), section(half - nose, 1.0, 0.02),
        section(half, 0.95, 0.10),
    ]  # fmt: skip


def _bus() -> Mesh:
    b = MeshBuilder()
    length, width, high = 11.8, 2.52, 3.05
    half, w = length / 2, width / 2
    body = _coach_sections(length, width, 0.32, high, 0.25)
    b.loft(body, [PAINT, PAINT, (0.86, 0.86, 0.86), (0.86, 0.86, 0.86), (0.86, 0.86, 0.86), PAINT, PAINT], gloss=0.4)
    b.solids.append(np.concatenate(body))
    n = 7
    for s in (1.0, -1.0):
        edges = np.linspace(-half + 0.35, half - 0.55, n + 1)
        for i in range(n):
            x0, x1 = edges[i] + 0.05, edges[i + 1] - 0.05
            is_door = s < 0 and i in (n - 1, n // 2)
            z0 = 0.45 if is_door else 1.25
            y = s * (w + 0.012)
            corners = [(x0, y, z0), (x1, y, z0), (x1, y, 2.55), (x0, y, 2.55)]
            b.face(corners[::-1] if s > 0 else corners, GLASS, gloss=1.0)
        y = s * (w + 0.010)
        band = [(-half + 0.1, y, 0.95), (half - 0.3, y, 0.95), (half - 0.3, y, 1.12), (-half + 0.1, y, 1.12)]
        b.face(band[::-1] if s > 0 else band, (0.92, 0.92, 0.92), gloss=0.3)
        for x in (half - 2.6, -half + 3.2):
            arch = _disc(x, s * (w + 0.014), 0.5, 0.60, s, 14)
            arch[:, 2] = np.maximum(arch[:, 2], 0.05)
            b.face(arch, (0.04, 0.04, 0.045))
            _wheel(b, x, s * (w + 0.025), 0.48, 0.3)
        b.box((half - 0.1, min(s * 0.7, s * 1.1), 0.62), (half + 0.02, max(s * 0.7, s * 1.1), 0.82), (0.86, 0.88, 0.9),
              lamp=LAMP_HEAD)  # fmt: skip
        b.box((-half - 0.02, min(s * 0.9, s * 1.15), 0.75), (-half + 0.1, max(s * 0.9, s * 1.15), 1.25),
              (0.52, 0.05, 0.05), lamp=LAMP_TAIL)  # fmt: skip
        b.box((half - 0.15, min(s * w, s * (w + 0.28)), 2.0), (half + 0.05, max(s * w, s * (w + 0.28)), 2.45), PLASTIC)
    f = half + 0.012
    b.face([(f, -1.12, 1.05), (f, 1.12, 1.05), (f, 1.06, 2.50), (f, -1.06, 2.50)], GLASS, gloss=1.0)
    b.face([(f + 0.005, -0.85, 2.55), (f + 0.005, 0.85, 2.55), (f + 0.005, 0.85, 2.82), (f + 0.005, -0.85, 2.82)],
           (0.95, 0.62, 0.12), lamp=LAMP_WINDOW)  # fmt: skip
    r = -half - 0.012
    b.face([(r, 0.95, 1.75), (r, -0.95, 1.75), (r, -0.95, 2.6), (r, 0.95, 2.6)], GLASS, gloss=0.9)
    b.face([(r, 0.8, 0.5), (r, -0.8, 0.5), (r, -0.8, 1.3), (r, 0.8, 1.3)], PLASTIC)
    b.box((-half + 1.0, -0.85, high - 0.05), (-half + 3.2, 0.85, high + 0.22), (0.78, 0.79, 0.80))
    b.box((0.6, -0.75, high - 0.05), (2.6, 0.75, high + 0.16), (0.74, 0.75, 0.76))
    for x in (-1.5, 3.6):
        b.box((x, -0.4, high - 0.03), (x + 0.8, 0.4, high + 0.06), (0.6, 0.61, 0.62))
    return b.build()


def _truck(*, length: float, box_rgb: Rgb, is_tanker: bool, is_flat: bool) -> Mesh:
    b = MeshBuilder()
    half, w = length / 2, 1.25
    cab = 2.1
    sections = [
        np.array([(x, s * w * k, z) for s, z in ((1, 0.55), (1, 2.75), (1, top), (-1, top), (-1, 2.75), (-1, 0.55))])
        for x, k, top in ((half - cab, 1.0, 2.95), (half - 0.35, 1.0, 2.95), (half, 0.96, 2.6))
    ]
    b.loft(sections, [PAINT] * 5, gloss=0.5)
    b.solids.append(np.concatenate(sections))
    f = half + 0.012
    b.face([(f, -1.1, 1.65), (f, 1.1, 1.65), (f, 1.08, 2.50), (f, -1.08, 2.50)], GLASS, gloss=1.0)
    b.face([(f, -0.9, 0.75), (f, 0.9, 0.75), (f, 0.9, 1.4), (f, -0.9, 1.4)], PLASTIC)
    b.box((half - 0.4, -w - 0.01, 0.35), (half + 0.05, w + 0.01, 0.62), PLASTIC)
    for s in (1.0, -1.0):
        y = s * (w + 0.014)
        pane = [(half - 1.5, y, 1.7), (half - 0.4, y, 1.7), (half - 0.4, y, 2.5), (half - 1.5, y, 2.5)]
        b.face(pane[::-1] if s > 0 else pane, GLASS, gloss=1.0)
        b.box((half - 0.2, min(s * w, s * (w + 0.25)), 1.8), (half + 0.0, max(s * w, s * (w + 0.25)), 2.4), PLASTIC)
        b.box((half - 0.1, min(s * 0.75, s * 1.15), 0.66), (half + 0.06, max(s * 0.75, s * 1.15), 0.84),
              (0.86, 0.88, 0.9), lamp=LAMP_HEAD)  # fmt: skip
        b.box((-half - 0.02, min(s * 0.75, s * 1.15), 0.75), (-half + 0.1, max(s * 0.75, s * 1.15), 0.95),
              (0.52, 0.05, 0.05), lamp=LAMP_TAIL)  # fmt: skip
        rear_axles = (-half + 1.2, -half + 2.5) if length > 9 else (-half + 1.6,)
        for x in (half - 1.25, *rear_axles):
            _wheel(b, x, s * (w + 0.015), 0.50, 0.32)
    b.box((-half, -0.9, 0.62), (half - cab, 0.9, 0.95), (0.16, 0.16, 0.17))
    rear, front = -half, half - cab - 0.25
    if is_tanker:
        turn = np.linspace(-np.pi / 2, 1.5 * np.pi, 15)[::-1]
        ring = [np.stack([np.full(15, x), 1.2 * k * np.cos(turn), 2.1 + 1.12 * k * np.sin(turn)], axis=1)
                for x, k in ((rear, 0.8), (rear + 0.25, 1.0), (front - 0.25, 1.0), (front, 0.8))]  # fmt: skip
        b.loft([r[::-1] for r in ring], [box_rgb] * 14, gloss=0.7)
        b.solids.append(np.concatenate(ring))
    elif is_flat:
        b.box((rear, -w, 0.95), (front, w, 1.15), (0.35, 0.30, 0.24))
        b.box((rear, -w, 1.15), (front, -w + 0.06, 1.65), box_rgb)
        b.box((rear, w - 0.06, 1.15), (front, w, 1.65), box_rgb)
        b.box((rear, -w, 1.15), (rear + 0.06, w, 1.65), box_rgb)
        b.box((rear + 0.5, -1.0, 1.15), (front - 1.2, 1.0, 1.95), (0.52, 0.42, 0.30))
        b.solids.append(np.array([(x, y, z) for x in (rear, front) for y in (-w, w) for z in (0.6, 1.7)]))
    else:
        b.box((rear, -w - 0.02, 1.0), (front, w + 0.02, 3.55), box_rgb, gloss=0.15)
        r = rear - 0.012
        b.face([(r, 1.1, 1.1), (r, 0.02, 1.1), (r, 0.02, 3.4), (r, 1.1, 3.4)], tuple(np.multiply(box_rgb, 0.88)))
        b.face([(r, -0.02, 1.1), (r, -1.1, 1.1), (r, -1.1, 3.4), (r, -0.02, 3.4)], tuple(np.multiply(box_rgb, 0.88)))
        for s in (1.0, -1.0):
            y = s * (w + 0.032)
            x0, x1 = rear + (front - rear) * 0.15, rear + (front - rear) * 0.85
            stripe = [(x0, y, 1.9), (x1, y, 1.9), (x1, y, 2.7), (x0, y, 2.7)]
            b.face(stripe[::-1] if s > 0 else stripe, PAINT)
            y = s * (w - 0.1)
            b.box((rear + 3.2, min(y, y - s * 0.04), 0.45), (front - 0.8, max(y, y - s * 0.04), 0.95), (0.5, 0.5, 0.52))
        b.solids.append(np.array([(x, y, z) for x in (rear, front) for y in (-w, w) for z in (0.6, 3.55)]))
    return b.build()


def _motorcycle() -> Mesh:
    b = MeshBuilder()
    for x in (0.72, -0.68):
        for s in (1.0, -1.0):
            _wheel(b, x, s * 0.07, 0.31, 0.07)
    b.box((-0.75, -0.13, 0.42), (0.55, 0.13, 0.72), PLASTIC)
    b.box((0.0, -0.18, 0.68), (0.55, 0.18, 0.95), PAINT, gloss=0.6)
    b.box((-0.95, -0.14, 0.70), (0.0, 0.14, 0.84), (0.09, 0.09, 0.09))
    b.box((0.55, -0.2, 0.75), (0.82, 0.2, 1.12), PAINT, gloss=0.6)
    b.box((0.80, -0.12, 0.82), (0.88, 0.12, 1.0), (0.86, 0.88, 0.9), lamp=LAMP_HEAD)
    b.box((-1.02, -0.10, 0.74), (-0.94, 0.10, 0.86), (0.52, 0.05, 0.05), lamp=LAMP_TAIL)
    b.box((0.42, -0.38, 1.02), (0.50, 0.38, 1.08), PLASTIC)
    jacket: Rgb = (0.15, 0.17, 0.22)
    torso = [
        np.array([(x, s * w, z) for s, z in ((1, z0), (1, z1), (-1, z1), (-1, z0))])
        for x, w, z0, z1 in ((-0.48, 0.20, 0.82, 1.20), (-0.28, 0.25, 0.85, 1.46), (0.02, 0.24, 0.95, 1.46),
                             (0.14, 0.16, 1.10, 1.36))
    ]  # fmt: skip
    b.loft(torso, [jacket, jacket, jacket], gloss=0.1)
    for s in (1.0, -1.0):
        b.box((-0.25, min(s * 0.16, s * 0.30), 0.62), (0.30, max(s * 0.16, s * 0.30), 0.86), (0.12, 0.13, 0.17))
        b.box((-0.1, min(s * 0.16, s * 0.28), 0.28), (0.08, max(s * 0.16, s * 0.28), 0.66), (0.12, 0.13, 0.17))
        b.box((0.0, min(s * 0.24, s * 0.34), 1.08), (0.46, max(s * 0.24, s * 0.34), 1.22), jacket)
    turn = np.linspace(0, 2 * np.pi, 9)
    rings = []
    for k, x in ((0.45, -0.15), (0.95, -0.08), (1.0, 0.04), (0.5, 0.15)):
        rings.append(np.stack([np.full(9, x), 0.145 * k * np.cos(turn), 1.60 + 0.155 * k * np.sin(turn)], axis=1))
    b.loft(rings, [PAINT] * 8, gloss=0.8)
    b.solids.append(np.array([(x, y, z) for x in (-0.9, 0.8) for y in (-0.15, 0.15) for z in (0.05, 0.9)]))
    b.solids.append(np.array([(x, y, z) for x in (-0.4, 0.2) for y in (-0.28, 0.28) for z in (0.8, 1.7)]))
    return b.build()


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleType:
    """What the world needs to know of a kind of vehicle."""

    label: str
    length_m: float
    width_m: float
    height_m: float


VEHICLE_TYPES: dict[str, VehicleType] = {
    "saloon": VehicleType(label="car", length_m=4.6, width_m=1.82, height_m=1.48),
    "hatch": VehicleType(label="car", length_m=4.05, width_m=1.76, height_m=1.52),
    "estate": VehicleType(label="car", length_m=4.7, width_m=1.84, height_m=1.53),
    "suv": VehicleType(label="car", length_m=4.55, width_m=1.90, height_m=1.75),
    "van": VehicleType(label="car", length_m=5.2, width_m=2.0, height_m=2.28),
    "bus": VehicleType(label="bus", length_m=11.8, width_m=2.52, height_m=3.2),
    "truck": VehicleType(label="truck", length_m=8.2, width_m=2.5, height_m=3.55),
    "lorry": VehicleType(label="truck", length_m=11.0, width_m=2.5, height_m=3.55),
    "tanker": VehicleType(label="truck", length_m=9.6, width_m=2.5, height_m=3.25),
    "flatbed": VehicleType(label="truck", length_m=7.6, width_m=2.5, height_m=2.95),
    "motorcycle": VehicleType(label="motorcycle", length_m=2.1, width_m=0.8, height_m=1.76),
}

CAR_PAINTS: tuple[Rgb, ...] = (
    (0.90, 0.90, 0.89), (0.75, 0.77, 0.79), (0.53, 0.55, 0.58), (0.30, 0.32, 0.35), (0.12, 0.12, 0.14),
    (0.16, 0.16, 0.17), (0.62, 0.09, 0.10), (0.75, 0.16, 0.12), (0.12, 0.22, 0.46), (0.20, 0.36, 0.60),
    (0.10, 0.15, 0.28), (0.16, 0.30, 0.24), (0.78, 0.68, 0.48), (0.88, 0.70, 0.12), (0.45, 0.33, 0.24),
    (0.36, 0.52, 0.60), (0.86, 0.45, 0.12), (0.93, 0.93, 0.93), (0.66, 0.66, 0.66),
)  # fmt: skip
BUS_PAINTS: tuple[Rgb, ...] = (
    (0.72, 0.10, 0.12), (0.90, 0.72, 0.14), (0.14, 0.34, 0.62), (0.18, 0.50, 0.34), (0.88, 0.88, 0.86),
    (0.86, 0.42, 0.12),
)  # fmt: skip
TRUCK_PAINTS: tuple[Rgb, ...] = (
    (0.86, 0.86, 0.86), (0.15, 0.28, 0.55), (0.66, 0.12, 0.12), (0.20, 0.42, 0.30), (0.88, 0.55, 0.12),
    (0.32, 0.34, 0.38),
)  # fmt: skip


def paints_of(kind: str) -> tuple[Rgb, ...]:
    """Return the paints a kind of vehicle is sold in."""
    label = VEHICLE_TYPES[kind].label
    return {"bus": BUS_PAINTS, "truck": TRUCK_PAINTS}.get(label, CAR_PAINTS)


@lru_cache(maxsize=32)
def vehicle_mesh(kind: str) -> Mesh:
    """Return the shape of one kind of vehicle, unpainted.

    Raises:
        KeyError: There is no such kind.
    """
    if kind in CAR_FORMS:
        return _car(CAR_FORMS[kind])
    builders: dict[str, Callable[[], Mesh]] = {
        "bus": _bus,
        "motorcycle": _motorcycle,
        "truck": partial(_truck, length=8.2, box_rgb=(0.88, 0.88, 0.87), is_tanker=False, is_flat=False),
        "lorry": partial(_truck, length=11.0, box_rgb=(0.80, 0.81, 0.82), is_tanker=False, is_flat=False),
        "tanker": partial(_truck, length=9.6, box_rgb=(0.74, 0.75, 0.77), is_tanker=True, is_flat=False),
        "flatbed": partial(_truck, length=7.6, box_rgb=(0.45, 0.47, 0.50), is_tanker=False, is_flat=True),
    }
    return builders[kind]()


def turn_matrix(heading_rad: float) -> FloatArray:
    """Return the rotation about the vertical, counter-clockwise from east, shape (3, 3)."""
    c, s = np.cos(heading_rad), np.sin(heading_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]], dtype=np.float32)
