"""The eight camera scenes of the demo city: the camera, what stands there, who drives and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.make.scenes_camera import Camera, to_fractions
from app.make.scenes_meshes import CAR_PAINTS, LAMP_STREET, LAMP_WINDOW, Rgb
from app.make.scenes_scenery import (
    WHITE_PAINT,
    Scenery,
    arrow,
    barrier,
    beam,
    dashes,
    densified,
    fence,
    hedge,
    house,
    lamp_post,
    lettering,
    post,
    rectangle,
    ribbon,
    road,
    skyline,
    tree,
    wear,
    zebra,
)
from app.make.scenes_world import Actor, Lane, Parked, Signal, SlowSection, WorldPlan, curve
from core.vision.model import CountLine, Mask, MaskKind, Scene, Zone

PAVING: Rgb = (0.60, 0.585, 0.56)
COBBLE: Rgb = (0.50, 0.47, 0.44)
CARS_ONLY = {"saloon": 0.28, "hatch": 0.28, "estate": 0.16, "suv": 0.20, "van": 0.08}
TOWN_MIX = {"saloon": 0.24, "hatch": 0.26, "estate": 0.14, "suv": 0.16, "van": 0.09, "motorcycle": 0.08, "truck": 0.03}
MOTORWAY_MIX = {
    "saloon": 0.26,
    "hatch": 0.18,
    "estate": 0.18,
    "suv": 0.18,
    "van": 0.08,
    "lorry": 0.06,
    "tanker": 0.02,
    "motorcycle": 0.04,
}
HEAVY_MIX = {
    "saloon": 0.16,
    "hatch": 0.14,
    "estate": 0.10,
    "suv": 0.12,
    "van": 0.08,
    "bus": 0.14,
    "truck": 0.08,
    "lorry": 0.08,
    "tanker": 0.04,
    "flatbed": 0.04,
    "motorcycle": 0.02,
}


LEAD_S = 16.0
"""So long nothing goes wrong before a scene in which something does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bay:
    """A marked parking bay.

    Attributes:
        ground: Its four corners, east and north [m].
    """

    key: str
    ground: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraScene:
    """One camera of the demo city.

    Attributes:
        place: Furnishes the surroundings; called with a generator of a fixed seed.
        watched: Zones and lines, without the free-flow speed, which is measured in the world.
        refrain_s: The first seconds of the clip, in which nothing goes wrong and which are played more often than the
            rest; 0 has none.
    """

    key: str
    name: str
    camera: Camera
    light: str
    place: Callable[[Scenery], None]
    base: tuple[str, Rgb]
    plan: WorldPlan
    watched: Scene
    bays: tuple[Bay, ...] = ()
    refrain_s: float = 0.0


def _area(camera: Camera, *corners: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    return to_fractions(np.array([(x, y, 0.0) for x, y in corners]), camera)


def _line(
    camera: Camera, key: str, name: str, a: tuple[float, float], b: tuple[float, float], forward: str, backward: str
) -> CountLine:
    start, end = to_fractions(np.array([(*a, 0.0), (*b, 0.0)]), camera)
    return CountLine(key=key, name=name, start=start, end=end, forward_name=forward, backward_name=backward)


def _not_a_vehicle(key: str, name: str, low: tuple[float, float], high: tuple[float, float]) -> Mask:
    """Cover what the demonstration's detector takes for one, as an operator would; corners as fractions."""
    (x0, y0), (x1, y1) = low, high
    return Mask(key=key, name=name, polygon=((x0, y0), (x1, y0), (x1, y1), (x0, y1)), kind=MaskKind.IGNORE)


def _lane(
    key: str,
    a: tuple[float, float],
    b: tuple[float, float],
    flow: float,
    speed: float,
    mix: dict[str, float],
    until_s: float = 1e9,
) -> Lane:
    return Lane(key=key, points=(a, b), flow_per_h=flow, speed_mps=speed, mix=mix, until_s=until_s)


# --- harbour bridge -------------------------------------------------------------------------------------------------


def _harbour_bridge(s: Scenery) -> None:
    deck = ((-70.0, 0.0), (420.0, 0.0))
    s.paint([rectangle(-70, -12.2, 420, 12.2)], "concrete", (0.55, 0.55, 0.54))
    for y in (-4.6, 4.6):
        road(s, ((-70.0, y), (420.0, y)), 1, 1, centre="dashed", kerb_m=0.3, shoulder_m=0.7)
    s.paint(ribbon(densified(deck), 10.4, 2.6) + ribbon(densified(deck), -10.4, 2.6), "asphalt", (0.46, 0.36, 0.33))
    wear(s, 0, -8, 60, 8, 14)
    s.paint([rectangle(x, -12, x + 0.25, 12) for x in (22.0, 62.0, 102.0)], "plain", (0.16, 0.16, 0.16), opacity=0.9)
    barrier(s, ((-40.0, 0.0), (260.0, 0.0)))
    for y in (-12.0, 12.0):
        fence(s, ((-30.0, y), (150.0, y)), height_m=1.2, rgb=(0.30, 0.36, 0.40), every_m=2.5)
        beam(s, (-30, y, 0.15), (260, y, 0.15), width_m=0.35, rgb=(0.58, 0.58, 0.57))
    red: Rgb = (0.60, 0.25, 0.20)
    for x in (58.0, 148.0):
        for y in (-12.6, 12.6):
            s.mesh.box((x - 1.1, y - 0.8, -1), (x + 1.1, y + 0.8, 27), red)
            s.mesh.solids.append(
                np.array([(x + i, y + k, z) for i in (-1.1, 1.1) for k in (-0.8, 0.8) for z in (0, 27)])
            )
        for z in (9.0, 17.5, 26.0):
            beam(s, (x, -12.6, z), (x, 12.6, z), width_m=1.2, rgb=red)
    for y in (-12.5, 12.5):
        xs = np.linspace(-30, 148, 60)
        sag = [_cable_height(float(x)) for x in xs]
        for i in range(len(xs) - 1):
            beam(s, (xs[i], y, sag[i]), (xs[i + 1], y, sag[i + 1]), width_m=0.32, rgb=(0.50, 0.24, 0.20))
            if i % 2 == 0:
                beam(s, (xs[i], y, 0.4), (xs[i], y, sag[i]), width_m=0.09, rgb=(0.48, 0.42, 0.40))
    for i, x in enumerate(range(8, 180, 28)):
        y = 11.6 if i % 2 else -11.6
        lamp_post(s, float(x), y, 0.0, -2.0 if y > 0 else 2.0, 8.5)
    skyline(s, 420.0, 120.0, 1.45, n=60, spread_m=280, tallest_m=62)
    skyline(s, 330.0, -190.0, 1.2, n=22, spread_m=110, tallest_m=34)
    for x, y in ((210.0, 90.0), (235.0, 108.0), (205.0, -88.0)):
        s.mesh.box((x - 1, y - 1, 0), (x + 1, y + 1, 38), (0.62, 0.45, 0.16))
        beam(s, (x - 22, y, 36), (x + 14, y, 40), width_m=1.5, rgb=(0.62, 0.45, 0.16))


def _cable_height(x: float) -> float:
    """Return the main cable's height: from the pylon at 58 m down to both sides and up to the next at 148 m."""
    if x < 58:
        return float(2.0 + 24.5 * ((x + 30) / 88) ** 1.7)
    return float(4.0 + 22.5 * ((x - 103) / 45) ** 2)


def harbour_bridge() -> CameraScene:
    """Free flow on a bridge, both ways."""
    camera = Camera(position_m=(-13.0, -11.5, 9.5), target_m=(17.5, 0.8, 0.0), vfov_deg=42)
    plan = WorldPlan(
        seed=11,
        duration_s=24,
        lanes=(
            _lane("out-slow", (-70, -6.35), (300, -6.35), 900, 15.0, MOTORWAY_MIX),
            _lane("out-fast", (-70, -2.85), (300, -2.85), 780, 18.0, CARS_ONLY),
            _lane("in-slow", (300, 6.35), (-70, 6.35), 900, 15.0, MOTORWAY_MIX),
            _lane("in-fast", (300, 2.85), (-70, 2.85), 780, 18.0, CARS_ONLY),
        ),
    )
    watched = Scene(
        zones=(
            Zone(
                key="outbound",
                name="Outbound",
                polygon=_area(camera, (4, -8.6), (4, -1.0), (52, -1.0), (52, -8.6)),
                stopped_after_s=5.0,
                congestion_capacity=14.0,
            ),
            Zone(
                key="inbound",
                name="Inbound",
                polygon=_area(camera, (9, 1.0), (14, 8.6), (58, 8.6), (58, 1.0)),
                stopped_after_s=5.0,
                congestion_capacity=14.0,
            ),
        ),
        lines=(_line(camera, "deck", "Bridge deck", (19, 8.6), (15, -8.6), "inbound", "outbound"),),
        masks=(_not_a_vehicle("water", "Water", (0.87, 0.94), (1.0, 1.0)),),
    )
    return CameraScene(
        key="cam-harbour-bridge",
        name="Harbour Bridge",
        camera=camera,
        light="golden",
        place=_harbour_bridge,
        base=("water", (0.16, 0.27, 0.32)),
        plan=plan,
        watched=watched,
    )


# --- north gate -----------------------------------------------------------------------------------------------------


def _north_gate(s: Scenery) -> None:
    s.paint([rectangle(-80, -16, 500, 16)], "gravel", (0.50, 0.47, 0.42))
    for sign in (1.0, -1.0):
        line = ((-80.0, sign * 1.2), (500.0, sign * 1.2))
        road(s, line, 3 if sign > 0 else 0, 0 if sign > 0 else 3, centre="none", kerb_m=0.0, shoulder_m=0.6)
        s.paint([rectangle(-80, sign * 12.4, 500, sign * 14.6)], "asphalt", (0.37, 0.37, 0.375))
    wear(s, 0, -12, 70, 12, 26)
    barrier(s, ((-40.0, 0.0), (300.0, 0.0)))
    for y in (-15.0, 15.0):
        for h in (0.45, 0.75):
            beam(s, (-30, y, h), (300, y, h), width_m=0.22, rgb=(0.62, 0.63, 0.64))
        for x in range(-28, 200, 4):
            post(s, float(x), y, 0.7, radius_m=0.06, casts=False)
    for gantry in (76.0,):
        for y in (-15.8, 15.8):
            beam(s, (gantry, y, 0), (gantry, y, 7.6), width_m=0.5, rgb=(0.52, 0.54, 0.56))
        for h in (6.4, 7.4):
            beam(s, (gantry, -15.8, h), (gantry, 15.8, h), width_m=0.35, rgb=(0.52, 0.54, 0.56))
        for y0, y1 in ((2.0, 7.0), (7.6, 12.4), (-6.8, -2.0), (-12.4, -7.4)):
            s.mesh.box((gantry - 0.6, y0, 5.5), (gantry - 0.4, y1, 8.3), (0.08, 0.24, 0.50))
            s.mesh.box((gantry - 0.63, y0 + 0.15, 5.65), (gantry - 0.6, y1 - 0.15, 8.15), (0.10, 0.30, 0.60))
            for k in range(3):
                w = float(s.rng.uniform(0.4, 0.75)) * (y1 - y0)
                s.mesh.box(
                    (gantry - 0.66, y1 - 0.5 - w, 7.5 - k * 0.75),
                    (gantry - 0.63, y1 - 0.5, 7.78 - k * 0.75),
                    (0.9, 0.9, 0.9),
                )
    for x in range(6, 190, 8):
        for sign in (1.0, -1.0):
            for _ in range(2):
                if s.rng.random() < 0.8:
                    y = sign * float(s.rng.uniform(19, 46))
                    tree(s, x + float(s.rng.uniform(-4, 4)), y, float(s.rng.uniform(6, 11)), rgb=(0.22, 0.33, 0.15))
    for sign in (1.0, -1.0):
        hedge(s, 4.0, sign * 17.2, 120.0, sign * 17.2, 1.3, 1.4)
    skyline(s, 420.0, 0.0, 1.57, n=46, spread_m=240, tallest_m=70)


def north_gate() -> CameraScene:
    """A jam that comes and goes on the inbound carriageway."""
    camera = Camera(position_m=(-9.0, 1.4, 10.0), target_m=(22.0, 0.9, 0.0), vfov_deg=44)
    lanes = []
    slow = []
    for i, (y, speed) in enumerate(((2.95, 22.0), (6.45, 20.0), (9.95, 18.0))):
        mix = CARS_ONLY if i == 0 else MOTORWAY_MIX
        lanes.append(_lane(f"in-{i}", (250, y), (-50, y), 2000 - 120 * i, speed, mix))
        lanes.append(_lane(f"out-{i}", (-70, -y), (300, -y), 850 - 120 * i, speed + 2, mix))
        key = f"in-{i}"
        slow.append(SlowSection(lane_key=key, from_m=234, to_m=262, from_s=-1.0, to_s=10.0, speed_mps=0.4 + 0.1 * i))
        # The shock runs upstream faster than the queue alone would: drivers see the brake lights ahead.
        slow.append(SlowSection(lane_key=key, from_m=205, to_m=234, from_s=1.5, to_s=8.5, speed_mps=2.5))
        slow.append(SlowSection(lane_key=key, from_m=180, to_m=205, from_s=3.0, to_s=8.0, speed_mps=5.0))
    plan = WorldPlan(seed=29, duration_s=30, lead_s=LEAD_S, lanes=tuple(lanes), slow_sections=tuple(slow))
    watched = Scene(
        zones=(
            Zone(
                key="inbound",
                name="Inbound carriageway",
                labels=(),
                polygon=_area(camera, (9, 1.2), (9, 11.8), (48, 11.8), (48, 1.2)),
                stopped_after_s=None,
                # Set as an operator would, so that the jam calls within the half minute that the clip lasts.
                congestion_capacity=8.0,
                free_flow_speed=0.14,
            ),
            Zone(
                key="outbound",
                name="Outbound carriageway",
                polygon=_area(camera, (6, -1.2), (6, -11.8), (62, -11.8), (62, -1.2)),
                stopped_after_s=5.0,
                congestion_capacity=21.0,
            ),
        ),
        lines=(
            _line(camera, "inbound", "Inbound", (13, 11.9), (13, 0.8), "inbound", "outbound"),
            _line(camera, "outbound", "Outbound", (15, -0.8), (15, -11.9), "inbound", "outbound"),
        ),
        masks=(_not_a_vehicle("sign", "Direction sign", (0.605, 0.15), (0.645, 0.175)),),
    )
    return CameraScene(
        key="cam-north-gate",
        name="North Gate Motorway",
        camera=camera,
        light="day",
        place=_north_gate,
        base=("grass", (0.36, 0.42, 0.23)),
        plan=plan,
        watched=watched,
        refrain_s=LEAD_S - 2.0,
    )


# --- market cross ---------------------------------------------------------------------------------------------------


def _market_cross(s: Scenery) -> None:
    road(s, ((-120.0, 0.0), (160.0, 0.0)), 1, 1, centre="none", shoulder_m=1.2, kerb_m=0.3)
    road(s, ((0.0, -120.0), (0.0, 160.0)), 1, 1, centre="none", shoulder_m=1.2, kerb_m=0.3)
    s.paint([rectangle(-6.6, -6.6, 6.6, 6.6)], "asphalt", (0.345, 0.35, 0.36))
    for cx in (-1.0, 1.0):
        for cy in (-1.0, 1.0):
            # Rounded corners of the kerb.
            turn = np.linspace(0, np.pi / 2, 9)
            rim = np.stack([cx * (9.2 - 4.5 * np.cos(turn)), cy * (9.2 - 4.5 * np.sin(turn))], axis=1)
            s.paint([np.concatenate([[(cx * 4.6, cy * 4.6)], rim])], "asphalt", (0.345, 0.35, 0.36))
    for heading, x, y in ((0.0, -8.4, 0.0), (0.0, 8.4, 0.0), (np.pi / 2, 0.0, -8.4), (np.pi / 2, 0.0, 8.4)):
        s.paint(zebra(x, y, heading, across_m=9.0), "paint", WHITE_PAINT, opacity=0.88)
    stops = [
        rectangle(-11.4, -4.4, -10.9, 0),
        rectangle(10.9, 0, 11.4, 4.4),
        rectangle(0, -11.4, 4.4, -10.9),
        rectangle(-4.4, 10.9, 0, 11.4),
    ]
    s.paint(stops, "paint", WHITE_PAINT, opacity=0.88)
    for line in (
        ((-120.0, 0.0), (-11.4, 0.0)),
        ((11.4, 0.0), (160.0, 0.0)),
        ((0.0, -120.0), (0.0, -11.4)),
        ((0.0, 11.4), (0.0, 160.0)),
    ):
        s.paint(ribbon(densified(line), 0.0, 0.14), "paint", WHITE_PAINT, opacity=0.88)
    s.paint(
        arrow(-17, -1.75, 0.0) + arrow(1.75, -17, np.pi / 2) + arrow(17, 1.75, np.pi) + arrow(-1.75, 17, -np.pi / 2),
        "paint",
        WHITE_PAINT,
        opacity=0.85,
    )
    wear(s, -30, -4, 40, 4, 12)
    wear(s, -4, -30, 4, 40, 12)
    for x, y, w, d, h in (
        (22.0, 22.0, 18.0, 18.0, 13.0),
        (44.0, 20.0, 20.0, 15.0, 10.0),
        (67.0, 20.0, 20.0, 15.0, 15.0),
        (92.0, 20.0, 24.0, 16.0, 12.0),
        (21.0, 47.0, 16.0, 24.0, 16.0),
        (20.0, 76.0, 15.0, 26.0, 11.0),
    ):
        house(s, x, y, w, d, h, has_shops=True, lit=0.05)
    for x, y, w, d, h in (
        (20.0, -21.0, 16.0, 15.0, 10.0),
        (39.0, -20.0, 17.0, 14.0, 13.0),
        (60.0, -20.0, 20.0, 14.0, 10.0),
        (-21.0, 22.0, 15.0, 16.0, 12.0),
        (-21.0, 42.0, 15.0, 18.0, 9.0),
        (-22.0, 64.0, 15.0, 20.0, 13.0),
    ):
        house(s, x, y, w, d, h, has_shops=True, lit=0.05, pitched=h < 11)
    for x, y in (
        (15.0, -8.2),
        (27.0, -8.2),
        (39.0, -8.2),
        (20.0, 8.4),
        (34.0, 8.4),
        (48.0, 8.4),
        (-8.4, 18.0),
        (-8.4, 32.0),
        (8.4, 30.0),
        (8.4, 44.0),
    ):
        tree(s, x, y, float(s.rng.uniform(4.8, 6.5)), rgb=(0.26, 0.36, 0.14))
    for x, y in ((-6.6, -7.4), (7.4, -6.6), (6.6, 7.4), (-7.4, 6.6)):
        post(s, x, y, 3.4, radius_m=0.07, rgb=(0.22, 0.23, 0.24))
        s.mesh.box((x - 0.17, y - 0.17, 2.5), (x + 0.17, y + 0.17, 3.5), (0.08, 0.08, 0.08))
        for k, rgb in enumerate(((0.10, 0.45, 0.20), (0.25, 0.2, 0.06), (0.75, 0.10, 0.08))):
            s.mesh.box((x - 0.18, y - 0.11, 2.58 + k * 0.3), (x + 0.18, y + 0.11, 2.80 + k * 0.3), rgb)
    lamp_post(s, 10.0, 9.0, -2.0, -2.0, 7.5)
    skyline(s, 170.0, 150.0, 2.35, n=24, spread_m=140, tallest_m=30)


def market_cross() -> CameraScene:
    """A car runs the red light and hits another."""
    camera = Camera(position_m=(-15.5, -15.0, 9.6), target_m=(3.4, 2.6, 0.0), vfov_deg=46)
    hit_s, east_mps, north_mps = 12.5, 12.5, 8.5
    plan = WorldPlan(
        seed=41,
        duration_s=26,
        lead_s=LEAD_S,
        lanes=(
            _lane("east", (-120, -1.75), (150, -1.75), 620, 10.5, TOWN_MIX, until_s=-1.0),
            _lane("west", (150, 1.75), (-120, 1.75), 700, 10.5, TOWN_MIX),
            _lane("north", (1.75, -120), (1.75, 150), 0, 10.0, TOWN_MIX),
            _lane("south", (-1.75, 150), (-1.75, -120), 560, 10.0, TOWN_MIX),
            Lane(key="west-north", points=curve((150, 1.75), (1.75, 1.75), (1.75, 150), radius_m=9.0)),
        ),
        actors=(
            Actor(
                key="runner",
                kind="suv",
                lane_key="east",
                from_s=hit_s - 7,
                at_m=120 + 0.6 - east_mps * 7,
                speed_mps=east_mps,
                paint=CAR_PAINTS[7],
                ignores_traffic=True,
            ),
            Actor(
                key="crosser",
                kind="hatch",
                lane_key="north",
                from_s=hit_s - 5,
                at_m=120 - 1.0 - north_mps * 5,
                speed_mps=north_mps,
                paint=CAR_PAINTS[0],
                ignores_traffic=True,
            ),
            Actor(
                key="turner",
                kind="saloon",
                lane_key="west-north",
                from_s=-6,
                at_m=80,
                speed_mps=9.0,
                paint=CAR_PAINTS[9],
            ),
        ),
        signals=(
            Signal(lane_key="east", at_m=108.6, green_s=((-99, 9.0),)),
            Signal(lane_key="west", at_m=138.6, green_s=((-99, 8.0),)),
            Signal(lane_key="west-north", at_m=138.6, green_s=((-99, 8.0),)),
            Signal(lane_key="south", at_m=138.6, green_s=((-99, -LEAD_S - 1), (10.5, 99.0))),
        ),
    )
    watched = Scene(
        zones=(
            Zone(
                key="junction",
                name="Junction",
                polygon=_area(camera, (-6.5, -6.5), (6.5, -6.5), (6.5, 6.5), (-6.5, 6.5)),
                stopped_after_s=5.0,
            ),
            Zone(
                key="east-arm",
                name="East arm",
                polygon=_area(camera, (11, 0.1), (11, 4.5), (42, 4.5), (42, 0.1)),
                congestion_capacity=5.0,
            ),
        ),
        lines=(
            _line(camera, "east-arm", "East arm", (9.5, 5.0), (9.5, -5.0), "westbound", "eastbound"),
            _line(camera, "north-arm", "North arm", (-5.0, 9.5), (5.0, 9.5), "southbound", "northbound"),
        ),
        masks=(
            _not_a_vehicle("signal", "Signal", (0.50, 0.70), (0.556, 0.765)),
            _not_a_vehicle("east-signal", "Signal of the east arm", (0.755, 0.42), (0.785, 0.45)),
        ),
    )
    return CameraScene(
        key="cam-market-cross",
        name="Market Cross",
        camera=camera,
        light="day",
        place=_market_cross,
        base=("paving", PAVING),
        plan=plan,
        watched=watched,
        refrain_s=LEAD_S,
    )


# --- ring road ------------------------------------------------------------------------------------------------------

RING = curve((-60.0, 26.0), (10.0, -1.0), (70.0, 2.0), (190.0, 60.0), radius_m=60.0)


def _ring_road(s: Scenery) -> None:
    line = densified(RING)
    road(s, tuple(_left_of(line, 2.0)), 3, 0, centre="none", shoulder_m=0.6, kerb_m=0.3)
    road(s, tuple(_left_of(line, -2.0)), 0, 3, centre="none", shoulder_m=0.6, kerb_m=0.3)
    s.paint(ribbon(line, 0.0, 2.4), "grass", (0.36, 0.42, 0.24))
    for offset in (16.4, -16.4):
        s.paint(ribbon(line, offset, 2.6), "paving", PAVING)
    wear(s, 0, -10, 60, 12, 16)
    p = np.array(densified(RING, 9.0))
    d = np.gradient(p, axis=0)
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    n = np.stack([-d[:, 1], d[:, 0]], axis=1)
    for i in range(4, len(p) - 2):
        if p[i, 0] > 26:
            (x0, y0), (x1, y1) = (p[i] - d[i] * 4.4).tolist(), (p[i] + d[i] * 4.4).tolist()
            hedge(s, x0, y0, x1, y1, 0.7, 1.2)
        if i % 2 == 0 and p[i, 0] > 0:
            for side in (18.6, -18.8) if p[i, 0] > 24 else (18.6,):
                x, y = (p[i] + n[i] * side).tolist()
                tree(s, x, y, float(s.rng.uniform(6, 8.5)), rgb=(0.25, 0.33, 0.16))
        if i % 3 == 0 and p[i, 0] > 8:
            (x, y), (reach_x, reach_y) = (p[i] + n[i] * 14.7).tolist(), (-n[i] * 2.2).tolist()
            lamp_post(s, x, y, reach_x, reach_y, 9.0)
    for t, h, w in (
        (30.0, 16.0, 22.0),
        (56.0, 12.0, 22.0),
        (84.0, 20.0, 24.0),
        (112.0, 14.0, 24.0),
        (142.0, 18.0, 26.0),
    ):
        for side, extra in ((34.0, 0.0), (-33.0, 6.0)):
            q = np.array([np.interp(t + 60, np.arange(len(line)) * 4.0, np.array(line)[:, k]) for k in (0, 1)])
            k = int(np.argmin(np.hypot(*(p - q).T)))
            x, y = (q + n[k] * side).tolist()
            house(
                s,
                x,
                y,
                w,
                15.0,
                h - extra * 0.5 + float(s.rng.uniform(-2, 2)),
                turn_rad=float(np.arctan2(d[k, 1], d[k, 0])),
                has_shops=False,
                lit=0.10,
            )
    skyline(s, 330.0, 170.0, 2.1, n=30, spread_m=200, tallest_m=60)


def _left_of(line: tuple[tuple[float, float], ...], left_m: float) -> tuple[tuple[float, float], ...]:
    p = np.array(line)
    d = np.gradient(p, axis=0)
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    q = p + np.stack([-d[:, 1], d[:, 0]], axis=1) * left_m
    return tuple((float(x), float(y)) for x, y in q)


def ring_road() -> CameraScene:
    """Buses and lorries on three lanes each way, made for counting."""
    camera = Camera(position_m=(-2.0, -19.0, 9.5), target_m=(21.0, 1.0, 0.0), vfov_deg=46)
    line = densified(RING)
    lanes = []
    for i, offset in enumerate((3.75, 7.25, 10.75)):
        mix = HEAVY_MIX if i > 0 else CARS_ONLY
        lanes.append(
            Lane(
                key=f"in-{i}",
                points=tuple(reversed(_left_of(line, offset))),
                flow_per_h=1250 - 110 * i,
                speed_mps=15.5 - 1.2 * i,
                mix=mix,
            )
        )
        lanes.append(
            Lane(
                key=f"out-{i}",
                points=_left_of(line, -offset),
                flow_per_h=1250 - 110 * i,
                speed_mps=15.5 - 1.2 * i,
                mix=mix,
            )
        )
    plan = WorldPlan(seed=53, duration_s=26, lanes=tuple(lanes))
    p = np.array(line)
    k = int(np.argmin(np.abs(p[:, 0] - 22)))
    d = (p[k + 1] - p[k - 1]) / np.hypot(*(p[k + 1] - p[k - 1]))
    n = np.array([-d[1], d[0]])
    far, middle, near = p[k] + n * 12.9, p[k], p[k] - n * 12.9
    watched = Scene(
        zones=(
            Zone(
                key="carriageways",
                name="Ring road",
                polygon=_area(
                    camera,
                    *(tuple(p[j] + n * o) for j, o in ((k - 4, -12.9), (k + 7, -12.9), (k + 7, 12.9), (k - 4, 12.9))),
                ),
                stopped_after_s=5.0,
                congestion_capacity=36.0,
            ),
        ),
        lines=(
            _line(camera, "clockwise", "Clockwise", tuple(middle), tuple(near), "wrong way", "clockwise"),
            _line(camera, "anticlockwise", "Anticlockwise", tuple(far), tuple(middle), "anticlockwise", "wrong way"),
        ),
    )
    return CameraScene(
        key="cam-ring-road",
        name="Ring Road",
        camera=camera,
        light="overcast",
        place=_ring_road,
        base=("grass", (0.37, 0.42, 0.26)),
        plan=plan,
        watched=watched,
    )


# --- station square -------------------------------------------------------------------------------------------------


def _station_square(s: Scenery) -> None:
    road(s, ((-120.0, 0.0), (200.0, 0.0)), 1, 2, centre="solid", shoulder_m=0.4, kerb_m=0.3)
    bus_lane = densified(((-120.0, -5.25), (200.0, -5.25)))
    s.paint(ribbon(bus_lane, 0.0, 3.3), "asphalt", (0.52, 0.27, 0.23), opacity=0.9)
    s.paint(
        ribbon(bus_lane, 0.9, 0.5) + ribbon(bus_lane, -0.9, 0.5), "plain", (0.24, 0.2, 0.19), opacity=0.30, soft_m=0.2
    )
    s.paint(ribbon(bus_lane, 1.75, 0.22), "paint", WHITE_PAINT, opacity=0.9)
    for x in (-12.0, 4.0, 24.0, 52.0):
        s.paint(lettering("BUS", x, -5.25, 0.0, letter_m=0.62, stretch=3.0), "paint", WHITE_PAINT, opacity=0.85)
    s.paint(arrow(-5, -1.75, 0.0) + arrow(16, 1.75, np.pi) + arrow(30, -1.75, 0.0), "paint", WHITE_PAINT, opacity=0.85)
    wear(s, -10, -6.5, 50, 3, 14)
    # The station: a long hall with arches, a clock and a glass roof.
    stone: Rgb = (0.74, 0.66, 0.54)
    y0 = -21.0
    s.mesh.box((-24, y0 - 14, 0), (62, y0, 11.0), stone)
    s.mesh.solids.append(np.array([(x, y, z) for x in (-24, 62) for y in (y0 - 14, y0) for z in (0, 11)]))
    for x in np.arange(-21.0, 60.0, 5.4):
        turn = np.linspace(0, np.pi, 11)
        for grow, rgb, lift in ((0.35, (0.84, 0.78, 0.68), 0.04), (0.0, (0.16, 0.20, 0.24), 0.08)):
            arch = [
                (x + 1.7 + grow, y0 + lift, 0.2),
                *((x + (1.7 + grow) * np.cos(t), y0 + lift, 5.2 + (1.7 + grow) * np.sin(t)) for t in turn),
                (x - 1.7 - grow, y0 + lift, 0.2),
            ]
            s.mesh.face(arch, rgb, gloss=0.8 if grow == 0 else 0.0, lamp=LAMP_WINDOW if grow == 0 else 0)
        for k in (-0.6, 0.6):
            s.mesh.box((x + k - 0.05, y0, 0.2), (x + k + 0.05, y0 + 0.14, 6.4), (0.50, 0.46, 0.40))
        s.mesh.box((x - 1.9, y0, 3.9), (x + 1.9, y0 + 0.12, 4.05), (0.50, 0.46, 0.40))
        s.mesh.box((x - 0.75, y0, 8.3), (x + 0.75, y0 + 0.1, 10.0), (0.18, 0.22, 0.26), gloss=0.7)
        s.mesh.box((x + 2.45, y0, 0), (x + 2.95, y0 + 0.35, 10.4), (0.80, 0.73, 0.62))
    s.mesh.box((-24.5, y0 - 0.2, 10.4), (62.5, y0 + 0.7, 11.3), (0.82, 0.76, 0.66))
    s.mesh.box((12.0, y0 - 6, 11), (22.0, y0 + 0.4, 20.5), stone)
    s.mesh.box((11.6, y0 - 6.4, 20.2), (22.4, y0 + 0.8, 20.9), (0.82, 0.76, 0.66))
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for r, rgb, lift in ((2.2, (0.25, 0.24, 0.22), 0.46), (1.95, (0.93, 0.92, 0.88), 0.52)):
        s.mesh.face([(17 + r * np.cos(t), y0 + lift, 16.2 + r * np.sin(t)) for t in turn], rgb)
    beam(s, (17, y0 + 0.58, 16.2), (17, y0 + 0.58, 17.8), width_m=0.18, rgb=(0.1, 0.1, 0.1))
    beam(s, (17, y0 + 0.58, 16.2), (18.0, y0 + 0.58, 15.8), width_m=0.2, rgb=(0.1, 0.1, 0.1))
    s.mesh.face(
        [(-24, y0 - 0.5, 11), (62, y0 - 0.5, 11), (62, y0 - 8, 15), (-24, y0 - 8, 15)], (0.36, 0.42, 0.46), gloss=0.6
    )
    # Bus shelters, trees, people's benches.
    for x in (8.0, 40.0):
        for px in (x, x + 3.0, x + 6.0):
            post(s, px, -9.6, 2.6, radius_m=0.06, rgb=(0.25, 0.27, 0.28))
        s.mesh.box((x - 0.4, -10.2, 2.55), (x + 6.4, -8.2, 2.7), (0.30, 0.36, 0.40), gloss=0.7)
        s.mesh.box((x, -9.7, 0.4), (x + 6.0, -9.62, 2.3), (0.45, 0.55, 0.60), gloss=0.9)
        s.mesh.box((x + 0.8, -9.5, 0.4), (x + 5.2, -9.1, 0.52), (0.42, 0.32, 0.22))
        s.mesh.solids.append(np.array([(a, b, 2.6) for a in (x - 0.4, x + 6.4) for b in (-10.2, -8.2)]))
    for x in (-14.0, -4.0, 24.0, 33.0, 54.0, 64.0):
        tree(s, x, -12.8, float(s.rng.uniform(5.2, 6.4)), rgb=(0.29, 0.36, 0.15))
        s.paint([rectangle(x - 0.8, -13.6, x + 0.8, -12.0)], "gravel", (0.33, 0.28, 0.22))
    for x in (-9.0, 19.0, 47.0):
        lamp_post(s, x, -7.9, 0.0, 2.0, 7.5)
    for x in np.arange(-20, 70, 2.2):
        post(s, float(x), -8.4, 0.8, radius_m=0.06, rgb=(0.18, 0.18, 0.19), casts=False)
    for x, w, h in ((78.0, 20.0, 14.0), (100.0, 20.0, 17.0), (124.0, 22.0, 12.0)):
        house(s, x, -22.0, w, 15.0, h, has_shops=True, lit=0.15)
        house(s, x - 4, 20.0, w, 15.0, h + 2, has_shops=True, lit=0.15)
    skyline(s, 260.0, -20.0, 1.57, n=30, spread_m=130, tallest_m=46)


def station_square() -> CameraScene:
    """A delivery van stops in the bus lane."""
    camera = Camera(position_m=(-8.5, 13.0, 9.0), target_m=(10.5, -4.6, 0.0), vfov_deg=46)
    plan = WorldPlan(
        seed=67,
        duration_s=26,
        lead_s=LEAD_S,
        lanes=(
            _lane("east", (-110, -1.75), (180, -1.75), 760, 11.5, TOWN_MIX),
            _lane("bus", (-110, -5.25), (180, -5.25), 0, 10.5, {"bus": 1.0}),
            _lane("west", (180, 1.75), (-110, 1.75), 760, 11.5, TOWN_MIX),
        ),
        actors=(
            Actor(
                key="bus-1", kind="bus", lane_key="bus", from_s=-9.0, at_m=40, speed_mps=9.5, paint=(0.14, 0.34, 0.62)
            ),
            Actor(
                key="van",
                kind="van",
                lane_key="bus",
                from_s=-1.0,
                at_m=68,
                speed_mps=10.0,
                paint=(0.92, 0.92, 0.91),
                halt_at_m=124.0,
                halt_s=13.0,
            ),
            Actor(
                key="bus-2", kind="bus", lane_key="bus", from_s=14.5, at_m=20, speed_mps=10.0, paint=(0.72, 0.10, 0.12)
            ),
        ),
    )
    watched = Scene(
        zones=(
            Zone(
                key="bus-lane",
                name="Bus lane",
                polygon=_area(camera, (-1, -7.0), (0, -3.6), (48, -3.6), (48, -7.0)),
                stopped_after_s=5.0,
            ),
            Zone(
                key="carriageway",
                name="Carriageway",
                polygon=_area(camera, (0, -3.4), (3, 3.6), (48, 3.6), (48, -3.4)),
                stopped_after_s=5.0,
                congestion_capacity=11.0,
            ),
        ),
        lines=(_line(camera, "square", "Station square", (22, 3.9), (18, -7.2), "westbound", "eastbound"),),
    )
    return CameraScene(
        key="cam-station-square",
        name="Station Square",
        camera=camera,
        light="overcast",
        place=_station_square,
        base=("paving", (0.58, 0.57, 0.55)),
        plan=plan,
        watched=watched,
        refrain_s=LEAD_S,
    )


# --- tram street ----------------------------------------------------------------------------------------------------


def _tram_street(s: Scenery) -> None:
    axis = densified(((-120.0, 0.0), (260.0, 0.0)))
    s.paint(ribbon(axis, 0.0, 15.4), "concrete", (0.60, 0.60, 0.58))
    s.paint(ribbon(axis, 0.0, 14.8), "asphalt", (0.345, 0.35, 0.36))
    s.paint(ribbon(axis, 0.0, 7.2), "concrete", (0.66, 0.65, 0.63))
    s.paint(ribbon(axis, 0.0, 6.9), "cobble", (0.47, 0.43, 0.40))
    for track in (1.7, -1.7):
        s.paint(ribbon(axis, track, 2.3), "concrete", (0.50, 0.485, 0.46), opacity=0.75)
        for rail in (0.72, -0.72):
            s.paint(ribbon(axis, track + rail, 0.20), "plain", (0.16, 0.15, 0.15))
            s.paint(ribbon(axis, track + rail, 0.07), "plain", (0.72, 0.74, 0.77))
    for side in (5.5, -5.5):
        s.paint(
            ribbon(axis, side + 0.8, 0.55) + ribbon(axis, side - 0.8, 0.55),
            "plain",
            (0.26, 0.26, 0.27),
            opacity=0.35,
            soft_m=0.2,
        )
    s.paint(
        ribbon(axis, 3.75, 0.14)
        + ribbon(axis, -3.75, 0.14)
        + dashes(axis, 7.2, 0.12, 1.0, 1.0)
        + dashes(axis, -7.2, 0.12, 1.0, 1.0),
        "paint",
        WHITE_PAINT,
        opacity=0.85,
    )
    s.paint(arrow(8, -5.5, 0.0) + arrow(20, 5.5, np.pi), "paint", WHITE_PAINT, opacity=0.85)
    wear(s, -6, -7, 50, -4, 8)
    for x in range(16, 160, 22):
        for y in (-9.2, 9.2):
            post(s, float(x), y, 6.6, radius_m=0.10, rgb=(0.20, 0.23, 0.22))
        beam(s, (x, -9.2, 6.4), (x, 9.2, 6.4), width_m=0.05, rgb=(0.15, 0.15, 0.16))
    for track in (1.7, -1.7):
        beam(s, (16, track, 5.7), (200, track, 5.7), width_m=0.045, rgb=(0.13, 0.13, 0.14))
    for x in range(4, 130, 22):
        for y in (-8.6, 8.6):
            lamp_post(s, float(x), y, 0.0, 1.6 if y < 0 else -1.6, 6.2)
        tree(s, x + 9.0, 9.6, float(s.rng.uniform(4.5, 5.8)), rgb=(0.25, 0.32, 0.15))
        tree(s, x + 10.0, -9.8, float(s.rng.uniform(4.5, 5.8)), rgb=(0.25, 0.32, 0.15))
    at = -2.0
    while at < 150:
        w = float(s.rng.uniform(11, 18))
        house(s, at + w / 2, 19.5, w - 0.05, 14.0, float(s.rng.uniform(11, 17)), has_shops=True, lit=0.42)
        house(s, at + w / 2 + 4, -19.5, w - 0.05, 14.0, float(s.rng.uniform(11, 17)), has_shops=True, lit=0.42)
        at += w
    skyline(s, 300.0, 0.0, 1.57, n=24, spread_m=90, tallest_m=44)


def tram_street() -> CameraScene:
    """A car overtakes on the tramway."""
    camera = Camera(position_m=(-12.5, -7.6, 8.6), target_m=(12.0, -0.2, 0.0), vfov_deg=44)
    plan = WorldPlan(
        seed=71,
        duration_s=24,
        lead_s=LEAD_S,
        lanes=(
            _lane("east", (-110, -5.5), (220, -5.5), 620, 9.5, TOWN_MIX),
            _lane("west", (220, 5.5), (-110, 5.5), 700, 9.5, TOWN_MIX),
            _lane("reckless", (-110, -5.5), (220, -5.5), 0, 9.5, TOWN_MIX),
        ),
        actors=(
            Actor(
                key="intruder",
                kind="saloon",
                lane_key="reckless",
                from_s=3.0,
                at_m=62,
                speed_mps=8.0,
                paint=CAR_PAINTS[13],
                shift_s=(7.4, 9.4, 18.0, 20.0),
                shift_m=3.9,
                ignores_traffic=True,
            ),
        ),
    )
    watched = Scene(
        zones=(
            Zone(
                key="tramway",
                name="Tramway",
                polygon=_area(camera, (-1, -3.1), (-1, 3.1), (62, 3.1), (62, -3.1)),
                alarms_presence=True,
            ),
            Zone(
                key="eastbound",
                name="Eastbound lane",
                polygon=_area(camera, (0, -7.4), (0, -3.7), (50, -3.7), (50, -7.4)),
                stopped_after_s=5.0,
                congestion_capacity=6.0,
            ),
        ),
        lines=(_line(camera, "street", "Tram street", (16, 7.6), (14, -7.6), "westbound", "eastbound"),),
        masks=(_not_a_vehicle("rails", "Rails at the lower edge", (0.09, 0.955), (0.44, 1.0)),),
    )
    return CameraScene(
        key="cam-tram-street",
        name="Tram Street",
        camera=camera,
        light="dusk",
        place=_tram_street,
        base=("paving", (0.52, 0.50, 0.48)),
        plan=plan,
        watched=watched,
        refrain_s=LEAD_S,
    )


# --- old town -------------------------------------------------------------------------------------------------------


def _old_town(s: Scenery) -> None:
    axis = densified(((-60.0, 0.0), (180.0, 0.0)))
    s.paint(ribbon(axis, 1.0, 10.4), "concrete", (0.56, 0.54, 0.51))
    s.paint(ribbon(axis, 1.0, 9.9), "cobble", COBBLE)
    s.paint(ribbon(axis, 3.4, 0.22) + ribbon(axis, -3.75, 0.3), "cobble", (0.60, 0.58, 0.55))
    s.paint([rectangle(x, 3.45, x + 0.14, 5.7) for x in np.arange(-10, 90, 6.0)], "paint", WHITE_PAINT, opacity=0.7)
    s.paint(lettering("30", 6.0, -1.6, 0.0, letter_m=0.7, stretch=2.4), "paint", WHITE_PAINT, opacity=0.75)
    warm: tuple[Rgb, ...] = (
        (0.82, 0.66, 0.44),
        (0.78, 0.50, 0.38),
        (0.86, 0.78, 0.62),
        (0.70, 0.40, 0.32),
        (0.76, 0.70, 0.58),
        (0.62, 0.66, 0.62),
    )
    for side, first in ((1.0, -6.0), (-1.0, 2.0)):
        x, i = first, 0 if side > 0 else 3
        while x < 88:
            w = float(s.rng.uniform(7.0, 11.0))
            near = 9.0 if side > 0 else 7.6
            house(
                s,
                x + w / 2,
                side * (near + 5.0),
                w - 0.05,
                10.0,
                float(s.rng.uniform(7.5, 11.0)),
                wall=warm[i % 6],
                pitched=True,
                has_shops=i % 2 == 0,
                lit=0.2,
            )
            x += w
            i += 1
    house(s, 108.0, 0.0, 16.0, 26.0, 12.0, wall=(0.74, 0.66, 0.54), pitched=True, lit=0.1)
    s.mesh.box((99.0, 1.0, 0), (105.0, 7.0, 26.0), (0.74, 0.68, 0.58))
    for side_points in (
        [(98.6, 0.6), (105.4, 0.6)],
        [(105.4, 0.6), (105.4, 7.4)],
        [(105.4, 7.4), (98.6, 7.4)],
        [(98.6, 7.4), (98.6, 0.6)],
    ):
        s.mesh.face([(*side_points[0], 26.0), (*side_points[1], 26.0), (102.0, 4.0, 38.0)], (0.28, 0.38, 0.36))
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    s.mesh.face([(98.95, 4 + 1.7 * np.cos(t), 21 + 1.7 * np.sin(t)) for t in turn], (0.92, 0.90, 0.84))
    for x in (9.0, 30.0, 51.0):
        for y in (-4.6, 7.3):
            post(s, x, y, 3.6, radius_m=0.07, rgb=(0.14, 0.16, 0.16))
            s.mesh.box((x - 0.2, y - 0.2, 3.6), (x + 0.2, y + 0.2, 4.1), (0.85, 0.78, 0.6), lamp=LAMP_STREET)
    for x in np.arange(3.0, 70.0, 3.0):
        post(s, float(x), -4.3, 0.75, radius_m=0.07, rgb=(0.16, 0.17, 0.18))
    for x, y in ((16.5, 7.4), (37.0, 7.4), (58.0, 7.4)):
        tree(s, x, y, 4.6, rgb=(0.34, 0.36, 0.13))
    for x in (22.0, 24.5, 27.0):
        s.mesh.box((x, -5.6, 0.0), (x + 1.0, -5.0, 0.55), (0.45, 0.30, 0.22))
        hedge(s, x + 0.1, -5.3, x + 0.9, -5.3, 0.95, 0.5)


def old_town() -> CameraScene:
    """Slow traffic on a cobbled street with parked cars."""
    camera = Camera(position_m=(-12.0, -3.9, 8.2), target_m=(11.0, 0.9, 0.0), vfov_deg=42)
    kinds = ("hatch", "saloon", "suv", "hatch", "estate", "van", "saloon", "hatch")
    parked = tuple(
        Parked(
            key=f"parked-{i}",
            kind=kind,
            x_m=x + 3.1,
            y_m=4.6,
            heading_rad=np.pi,
            paint=CAR_PAINTS[(i * 5 + 3) % len(CAR_PAINTS)],
        )
        for i, (kind, x) in enumerate(zip(kinds, (-4.0, 2.0, 8.0, 20.0, 26.0, 38.0, 44.0, 56.0), strict=True))
    )
    plan = WorldPlan(
        seed=83,
        duration_s=26,
        lanes=(
            _lane("east", (-70, -1.75), (120, -1.75), 520, 6.0, {**TOWN_MIX, "motorcycle": 0.14}),
            _lane("west", (98, 1.65), (-70, 1.65), 520, 6.0, {**TOWN_MIX, "motorcycle": 0.14}),
        ),
        parked=parked,
        warm_up_s=45.0,
    )
    watched = Scene(
        zones=(
            Zone(
                key="street",
                name="Street",
                polygon=_area(camera, (0, -3.6), (0, 3.2), (45, 3.2), (45, -3.6)),
                stopped_after_s=5.0,
                congestion_capacity=11.0,
            ),
        ),
        lines=(_line(camera, "street", "Old town street", (12, 3.2), (12, -3.7), "out of town", "into town"),),
        masks=(
            _not_a_vehicle("lettering", "Speed limit", (0.545, 0.615), (0.585, 0.66)),
            _not_a_vehicle("drain", "Drain", (0.55, 0.955), (0.625, 1.0)),
        ),
    )
    return CameraScene(
        key="cam-old-town",
        name="Old Town",
        camera=camera,
        light="morning",
        place=_old_town,
        base=("paving", (0.60, 0.56, 0.51)),
        plan=plan,
        watched=watched,
    )


# --- lot west -------------------------------------------------------------------------------------------------------

BAY_WIDTH_M, BAY_DEPTH_M, AISLE_M = 2.6, 5.2, 6.6
N_BAYS_A_ROW = 12


def _bay_middle(row: str, i: int) -> tuple[float, float]:
    y = AISLE_M / 2 + BAY_DEPTH_M / 2
    return (i + 0.5) * BAY_WIDTH_M, y if row == "a" else -y


def _lot_west(s: Scenery) -> None:
    wide = N_BAYS_A_ROW * BAY_WIDTH_M
    edge = AISLE_M / 2 + BAY_DEPTH_M
    s.paint(
        [rectangle(-60, -3.9, 0, 3.9), rectangle(-1.5, -edge - 0.8, wide + 3.2, edge + 0.8)],
        "concrete",
        (0.62, 0.61, 0.59),
    )
    s.paint(
        [rectangle(-60, -3.6, 0, 3.6), rectangle(-1.2, -edge - 0.5, wide + 2.9, edge + 0.5)],
        "asphalt",
        (0.36, 0.365, 0.37),
    )
    wear(s, 0, -8, wide, 8, 22)
    marks = []
    for i in range(N_BAYS_A_ROW + 1):
        x = i * BAY_WIDTH_M
        marks += [rectangle(x - 0.06, AISLE_M / 2, x + 0.06, edge), rectangle(x - 0.06, -edge, x + 0.06, -AISLE_M / 2)]
    marks += [rectangle(0, edge - 0.12, wide, edge), rectangle(0, -edge, wide, -edge + 0.12)]
    marks += (
        arrow(3.0, -1.6, 0.0, 3.2)
        + arrow(20.0, -1.6, 0.0, 3.2)
        + arrow(9.0, 1.6, np.pi, 3.2)
        + arrow(27.0, 1.6, np.pi, 3.2)
    )
    marks += dashes(densified(((-50.0, 0.0), (wide, 0.0))), 0.0, 0.10, 1.5, 1.5)
    s.paint(marks, "paint", WHITE_PAINT, opacity=0.88)
    x, y = _bay_middle("a", 0)
    s.paint([rectangle(x - 1.15, y - 2.3, x + 1.15, y + 2.3)], "asphalt", (0.16, 0.34, 0.60), opacity=0.85)
    s.paint(lettering("P", x, y - 0.8, np.pi / 2, letter_m=0.8, stretch=1.6), "paint", WHITE_PAINT, opacity=0.9)
    hedge(s, -1.0, edge + 1.6, wide + 2.6, edge + 1.6, 1.2, 1.3)
    hedge(s, wide + 4.0, -edge, wide + 4.0, edge, 1.1, 1.2)
    s.paint([rectangle(-8, edge + 3.2, 90, edge + 5.6)], "paving", PAVING)
    for k in np.arange(2.0, 44.0, 6.5):
        tree(s, float(k), edge + 8.2, float(s.rng.uniform(5.5, 7.5)), rgb=(0.26, 0.36, 0.15))
    for k in (wide + 8, wide + 13, wide + 18):
        tree(s, float(k), float(s.rng.uniform(-8, 8)), float(s.rng.uniform(5.5, 7.5)), rgb=(0.26, 0.36, 0.15))
    for px in (6.0, 24.0):
        lamp_post(s, px, edge + 1.0, 0.0, -2.2, 6.5)
    # The supermarket the lot belongs to.
    wall: Rgb = (0.76, 0.75, 0.72)
    y0 = edge + 14.0
    s.mesh.box((-6, y0, 0), (46, y0 + 22, 6.5), wall)
    s.mesh.solids.append(np.array([(a, b, z) for a in (-6, 46) for b in (y0, y0 + 22) for z in (0, 6.5)]))
    s.mesh.box((-6.2, y0 - 0.4, 5.2), (46.2, y0, 6.7), (0.16, 0.42, 0.34))
    for k in np.arange(-4.0, 44.0, 4.0):
        s.mesh.box((k, y0 - 0.06, 0.5), (k + 3.2, y0, 3.6), (0.18, 0.23, 0.27), gloss=0.8)
    for k in np.arange(16.0, 25.0, 1.6):
        s.mesh.box((k, y0 - 0.5, 5.55), (k + 1.0, y0 - 0.4, 6.35), (0.92, 0.92, 0.88))
    for px, py, w, d, h in (
        (62.0, 22.0, 16.0, 14.0, 10.0),
        (66.0, -4.0, 14.0, 22.0, 13.0),
        (92.0, 14.0, 18.0, 18.0, 16.0),
    ):
        house(s, px, py, w, d, h, lit=0.05)
    skyline(s, 150.0, 190.0, 2.6, n=40, spread_m=180, tallest_m=36)


def lot_west() -> CameraScene:
    """A car park with arrivals and a departure."""
    camera = Camera(position_m=(-5.5, -15.5, 10.0), target_m=(13.2, -0.4, 0.0), vfov_deg=46)
    free = {("a", 3), ("a", 7), ("a", 8), ("b", 1), ("b", 5), ("b", 9), ("a", 11)}
    leaver = ("b", 6)
    rng = np.random.default_rng(97)
    kinds = list(CARS_ONLY)
    parked = []
    for row in ("a", "b"):
        for i in range(N_BAYS_A_ROW):
            if (row, i) in free or (row, i) == leaver:
                continue
            x, y = _bay_middle(row, i)
            into = np.pi / 2 if row == "a" else -np.pi / 2
            heading = into + (np.pi if rng.random() < 0.35 else 0.0) + float(rng.normal(0, 0.02))
            kind = str(rng.choice(kinds, p=np.array(list(CARS_ONLY.values()))))
            parked.append(
                Parked(
                    key=f"parked-{row}{i + 1:02d}",
                    kind=kind,
                    x_m=x + float(rng.normal(0, 0.08)),
                    y_m=y + float(rng.normal(0, 0.15)),
                    heading_rad=heading,
                    paint=CAR_PAINTS[int(rng.integers(len(CAR_PAINTS)))],
                )
            )
    bays = []
    for row in ("a", "b"):
        for i in range(N_BAYS_A_ROW):
            x, y = _bay_middle(row, i)
            w, d = BAY_WIDTH_M / 2, BAY_DEPTH_M / 2
            bays.append(
                Bay(key=f"{row}{i + 1:02d}", ground=((x - w, y - d), (x + w, y - d), (x + w, y + d), (x - w, y + d)))
            )
    (ax, ay), (bx, by), (cx, cy) = _bay_middle("a", 7), _bay_middle("b", 1), _bay_middle(*leaver)
    plan = WorldPlan(
        seed=89,
        duration_s=28,
        lanes=(
            Lane(key="to-a8", points=curve((-60, -1.6), (ax, -1.6), (ax, ay), radius_m=4.6), speed_mps=4.5),
            Lane(key="to-b2", points=curve((-60, -1.2), (bx, -1.2), (bx, by), radius_m=4.6), speed_mps=4.5),
            Lane(key="from-b7", points=curve((cx, cy), (cx, 1.7), (-60, 1.7), radius_m=4.6), speed_mps=4.5),
        ),
        actors=(
            Actor(
                key="arrival-1",
                kind="suv",
                lane_key="to-a8",
                from_s=0.0,
                at_m=42,
                speed_mps=4.6,
                paint=CAR_PAINTS[6],
                stops_at_end=True,
            ),
            Actor(
                key="departure",
                kind="hatch",
                lane_key="from-b7",
                from_s=-20.0,
                at_m=0.0,
                speed_mps=4.2,
                paint=CAR_PAINTS[8],
                waits_until_s=12.5,
            ),
            Actor(
                key="arrival-2",
                kind="saloon",
                lane_key="to-b2",
                from_s=13.0,
                at_m=32,
                speed_mps=4.2,
                paint=CAR_PAINTS[0],
                stops_at_end=True,
            ),
        ),
        parked=tuple(parked),
        warm_up_s=20.0,
    )
    watched = Scene(
        zones=(
            Zone(
                key="aisle",
                name="Aisle",
                polygon=_area(camera, (0, -3.2), (31.2, -3.2), (31.2, 3.2), (0, 3.2)),
                stopped_after_s=8.0,
            ),
        ),
        lines=(_line(camera, "gate", "Gate", (-0.6, 3.4), (-0.6, -3.4), "out", "in"),),
    )
    return CameraScene(
        key="cam-lot-west",
        name="Supermarket",
        camera=camera,
        light="day",
        place=_lot_west,
        base=("grass", (0.38, 0.45, 0.24)),
        plan=plan,
        watched=watched,
        bays=tuple(bays),
    )


SCENES: dict[str, Callable[[], CameraScene]] = {
    "cam-harbour-bridge": harbour_bridge,
    "cam-north-gate": north_gate,
    "cam-market-cross": market_cross,
    "cam-ring-road": ring_road,
    "cam-station-square": station_square,
    "cam-tram-street": tram_street,
    "cam-old-town": old_town,
    "cam-lot-west": lot_west,
}


def furnished(scene: CameraScene, seed: int = 5) -> Scenery:
    """Return a scene's surroundings, always the same for one seed."""
    scenery = Scenery(rng=np.random.default_rng(seed), base_material=scene.base[0], base_rgb=scene.base[1])
    scene.place(scenery)
    return scenery
