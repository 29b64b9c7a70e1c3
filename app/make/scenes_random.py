"""Places and traffic that no demo camera shows: what the demo detector is trained and judged on.

Half of the places are new roads, half are the demo's own from other masts, in other light and with other traffic.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.make.scenes_camera import Camera
from app.make.scenes_catalogue import SCENES, CameraScene
from app.make.scenes_meshes import VEHICLE_TYPES, paints_of
from app.make.scenes_scenery import (
    WHITE_PAINT,
    Scenery,
    barrier,
    fence,
    hedge,
    house,
    lamp_post,
    post,
    rectangle,
    ribbon,
    road,
    skyline,
    tree,
    wear,
    zebra,
)
from app.make.scenes_world import Lane, Placed, WorldPlan, outlines_touch
from core.vision.model import Scene

MIXES: tuple[dict[str, float], ...] = (
    {
        "saloon": 3,
        "hatch": 3,
        "estate": 2,
        "suv": 2,
        "van": 1,
        "motorcycle": 1.6,
        "bus": 0.8,
        "truck": 0.6,
        "lorry": 0.5,
    },
    {
        "saloon": 1.5,
        "hatch": 1.5,
        "suv": 1,
        "van": 1,
        "bus": 2,
        "truck": 1.2,
        "lorry": 1.2,
        "tanker": 0.8,
        "flatbed": 1,
    },
    {"hatch": 2, "saloon": 2, "motorcycle": 3, "van": 1, "estate": 1, "bus": 0.5},
    {"saloon": 3, "hatch": 3, "estate": 2, "suv": 3, "van": 1.5},
)


def random_scene(rng: np.random.Generator) -> CameraScene:
    """Return a place with its lanes and a camera; traffic comes from `random_traffic`."""
    return _demo_like(rng) if rng.random() < 0.5 else _new_road(rng)


def _jittered(camera: Camera, rng: np.random.Generator) -> Camera:
    position = np.array(camera.position_m) + rng.normal(0, 1, 3) * (2.0, 1.4, 0.7)
    target = (*np.array(camera.target_m), *rng.normal(0, 2.2, 2), 0.0)
    position[2] = float(np.clip(position[2], 6.0, 12.0))
    return Camera(
        position_m=(float(position[0]), float(position[1]), float(position[2])),
        target_m=(float(target[0]), float(target[1]), 0.0),
        vfov_deg=float(np.clip(camera.vfov_deg + rng.normal(0, 4), 32, 56)),
    )


def _demo_like(rng: np.random.Generator) -> CameraScene:
    scene = list(SCENES.values())[int(rng.integers(len(SCENES)))]()
    light = str(rng.choice(["day", "morning", "overcast", "golden", "dusk", scene.light]))
    return replace(scene, camera=_jittered(scene.camera, rng), light=light)


def _new_road(rng: np.random.Generator) -> CameraScene:
    n_left, n_right = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    lane_m = float(rng.uniform(3.1, 3.7))
    has_cross = rng.random() < 0.4
    seed = int(rng.integers(1 << 31))
    speed = 14.0
    mix = MIXES[int(rng.integers(len(MIXES)))]
    lanes = [
        Lane(key=f"l{i}", points=((240, (i + 0.5) * lane_m), (-70, (i + 0.5) * lane_m)), speed_mps=speed, mix=mix)
        for i in range(n_left)
    ]
    lanes += [
        Lane(key=f"r{i}", points=((-70, -(i + 0.5) * lane_m), (240, -(i + 0.5) * lane_m)), speed_mps=speed, mix=mix)
        for i in range(n_right)
    ]
    if has_cross:
        at = float(rng.uniform(10, 30))
        lanes.append(Lane(key="c0", points=((at - lane_m / 2, 120), (at - lane_m / 2, -90)), mix=mix))
        lanes.append(Lane(key="c1", points=((at + lane_m / 2, -90), (at + lane_m / 2, 120)), mix=mix))
    side = float(rng.choice([-1.0, 1.0]))
    edge = (n_left if side > 0 else n_right) * lane_m
    off = float(rng.uniform(-1.0, 12.0))
    y = side * (edge + off)
    height = float(rng.uniform(6.0, 11.5))
    ahead = float(rng.uniform(14, 34))
    camera = Camera(
        position_m=(-8.0, y, height),
        target_m=(-8.0 + ahead, float(rng.uniform(-0.6, 0.5)) * side * edge, 0.0),
        vfov_deg=float(rng.uniform(34, 54)),
    )
    base = (
        ("grass", (0.36, 0.42, 0.24)),
        ("paving", (0.58, 0.57, 0.55)),
        ("gravel", (0.48, 0.45, 0.40)),
        ("grass", (0.45, 0.43, 0.27)),
    )[int(rng.integers(4))]

    def place(s: Scenery) -> None:
        grey = float(s.rng.uniform(0.28, 0.46))
        style = str(s.rng.choice(["solid", "double", "dashed"]))
        road(
            s, ((-70.0, 0.0), (240.0, 0.0)), n_left, n_right, lane_m=lane_m, centre=style, rgb=(grey, grey, grey * 1.02)
        )
        if has_cross:
            road(s, ((at, -90.0), (at, 120.0)), 1, 1, lane_m=lane_m, centre="none", rgb=(grey, grey, grey * 1.02))
            wide = (n_left + n_right) * lane_m
            s.paint(zebra(at - lane_m - 3.2, (n_left - n_right) * lane_m / 2, 0.0, across_m=wide), "paint", WHITE_PAINT)
        elif s.rng.random() < 0.3:
            barrier(s, ((-40.0, 0.0), (200.0, 0.0)), width_m=0.4)
        wear(s, -5, -n_right * lane_m, 50, n_left * lane_m, int(s.rng.integers(4, 24)))
        left, right = n_left * lane_m + 0.8, -n_right * lane_m - 0.8
        if s.rng.random() < 0.6:
            line = ((-70.0, 0.0), (240.0, 0.0))
            s.paint(ribbon(line, left + 1.4, 2.4) + ribbon(line, right - 1.4, 2.4), "paving", (0.58, 0.56, 0.54))
        for foot, sign in ((left, 1.0), (right, -1.0)):
            x = float(s.rng.uniform(4, 14))
            while x < 130:
                kind = s.rng.random()
                if has_cross and abs(x - at) < lane_m + 8:
                    x += 6
                    continue
                if kind < 0.45:
                    tree(s, x, foot + sign * float(s.rng.uniform(3.5, 9)), float(s.rng.uniform(4.5, 9)))
                elif kind < 0.65:
                    w = float(s.rng.uniform(8, 16))
                    house(
                        s,
                        x + w / 2,
                        foot + sign * float(s.rng.uniform(13, 20)),
                        w,
                        11.0,
                        float(s.rng.uniform(5, 15)),
                        has_shops=bool(s.rng.random() < 0.5),
                        pitched=bool(s.rng.random() < 0.4),
                    )
                    x += w
                elif kind < 0.8:
                    lamp_post(s, x, foot + sign * 1.2, 0.0, -sign * 2.0, float(s.rng.uniform(6, 9)))
                elif kind < 0.9:
                    post(s, x, foot + sign * 1.5, 3.0, radius_m=0.06)
                    s.mesh.box(
                        (x - 0.05, foot + sign * 1.5 - 0.4, 2.2),
                        (x + 0.05, foot + sign * 1.5 + 0.4, 3.0),
                        tuple(s.rng.uniform(0.1, 0.9, 3)),
                    )
                x += float(s.rng.uniform(3, 12))
            if s.rng.random() < 0.3:
                hedge(s, 5.0, foot + sign * 3.2, 60.0, foot + sign * 3.2, float(s.rng.uniform(0.6, 1.4)))
            elif s.rng.random() < 0.3:
                fence(s, ((0.0, foot + sign * 2.6), (60.0, foot + sign * 2.6)))
            if s.rng.random() < 0.4:
                # Skips, crates and kiosks: boxes that are not vehicles.
                bx, by = float(s.rng.uniform(8, 40)), foot + sign * float(s.rng.uniform(3.5, 7))
                size = s.rng.uniform((0.6, 0.6, 0.6), (4.0, 2.2, 2.4))
                s.mesh.box((bx, by, 0), (bx + size[0], by + size[1], size[2]), tuple(s.rng.uniform(0.1, 0.8, 3)))
                s.paint(
                    [rectangle(bx - 0.3, by - 0.3, bx + size[0] + 0.3, by + size[1] + 0.3)], "concrete", (0.5, 0.5, 0.5)
                )
        skyline(s, 260.0, 0.0, 1.57, n=20, spread_m=150, tallest_m=50)

    light = str(rng.choice(["day", "day", "morning", "overcast", "golden", "dusk"]))
    return CameraScene(
        key=f"random-{seed}",
        name="Random road",
        camera=camera,
        light=light,
        place=place,
        base=base,
        plan=WorldPlan(seed=seed, duration_s=1.0, lanes=tuple(lanes)),
        watched=Scene(),
    )


def random_traffic(scene: CameraScene, rng: np.random.Generator) -> tuple[Placed, ...]:
    """Return vehicles put down along the lanes with random gaps, some askew, and the scene's parked ones at random."""
    vehicles: list[Placed] = []
    mix = MIXES[int(rng.integers(len(MIXES)))]
    share = np.array(list(mix.values())) / sum(mix.values())
    mean_gap_m = float(rng.choice([2.5, 6.0, 14.0, 30.0]))
    for lane in scene.plan.lanes:
        p = np.array(lane.points)
        s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(p, axis=0).T))])
        at = float(rng.uniform(0, 15))
        while at < s[-1]:
            kind = str(rng.choice(list(mix), p=share))
            half = VEHICLE_TYPES[kind].length_m / 2
            at += half
            x, y = (float(np.interp(at, s, p[:, k])) for k in (0, 1))
            x1, y1 = (float(np.interp(min(at + 2.0, s[-1]), s, p[:, k])) for k in (0, 1))
            x0, y0 = (float(np.interp(max(at - 2.0, 0), s, p[:, k])) for k in (0, 1))
            heading = float(np.arctan2(y1 - y0, x1 - x0))
            askew = rng.random() < 0.04
            heading += float(rng.uniform(-1.2, 1.2)) if askew else float(rng.normal(0, 0.02))
            side = float(rng.normal(0, 0.25 if not askew else 1.0))
            paints = paints_of(kind)
            paint = np.clip(np.array(paints[int(rng.integers(len(paints)))]) + rng.normal(0, 0.04, 3), 0.02, 0.98)
            new = Placed(
                key=f"t{len(vehicles)}",
                kind=kind,
                paint=(float(paint[0]), float(paint[1]), float(paint[2])),
                x_m=x - np.sin(heading) * side,
                y_m=y + np.cos(heading) * side,
                heading_rad=heading,
                speed_mps=8.0,
                is_braking=bool(rng.random() < 0.3),
                lane_key=lane.key,
            )
            near = [v for v in vehicles if abs(v.x_m - new.x_m) < 14 and abs(v.y_m - new.y_m) < 14]
            if not any(outlines_touch(new, v) for v in near):
                vehicles.append(new)
            at += half + 1.2 + float(rng.exponential(mean_gap_m))
    for v in scene.plan.parked:
        if rng.random() < 0.75:
            kind = v.kind if rng.random() < 0.5 else str(rng.choice(["saloon", "hatch", "suv", "estate", "van"]))
            paints = paints_of(kind)
            parked = Placed(
                key=v.key,
                kind=kind,
                paint=paints[int(rng.integers(len(paints)))],
                x_m=v.x_m,
                y_m=v.y_m,
                heading_rad=v.heading_rad,
                speed_mps=0.0,
                is_braking=False,
            )
            if not any(outlines_touch(parked, o) for o in vehicles if abs(o.x_m - v.x_m) < 14):
                vehicles.append(parked)
    return tuple(vehicles)
