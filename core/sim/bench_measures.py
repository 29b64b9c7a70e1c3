"""Benchmarks of what cameras measure: speed and counts, held against roads of which everything is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from core.kernel.bench import BenchResult, Figure
from core.sim.oracle import ASPECT, FRAME_HEIGHT_PX, OracleCamera, OracleVehicle
from core.vision.decode import overlap
from core.vision.model import TrackerKind
from core.vision.plane import solve
from core.vision.speed import SpeedMeter
from core.vision.tracker import make_tracker
from core.vision.vehicles import PictureClock, VehicleMemory

LABELS = ("car", "bus", "truck", "motorcycle")
SCENE_S = 12.0
DROPPED = 0.2
NOISE_PX = 1.0
LANE_M = 3.5

_VEHICLES = (
    OracleVehicle(),
    OracleVehicle(),
    OracleVehicle(length_m=5.2, width_m=1.9, height_m=1.9),
    OracleVehicle(length_m=9.0, width_m=2.5, height_m=3.2),
)
_SAME_BOX = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedScene:
    """One road seen by one camera.

    Attributes:
        beside_m: The camera's foot, to the right of the first lane's middle; negative to the left.
        fps: Pictures a second before some are dropped.
    """

    camera: OracleCamera
    beside_m: float
    n_lanes: int
    fps: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedReading:
    """What was measured of one vehicle in one picture, and the truth."""

    kmh: float
    error_kmh: float
    true_kmh: float


def speed_scenes() -> tuple[SpeedScene, ...]:
    """Return roads over camera height, tilt, yaw, lanes and picture rate."""
    scenes = []
    for index, (height_m, tilt_deg, yaw_deg) in enumerate(product((5.0, 8.0, 12.0), (12.0, 20.0, 30.0), (-20, 0, 20))):
        scenes.append(
            SpeedScene(
                camera=OracleCamera(height_m=height_m, tilt_deg=tilt_deg, yaw_deg=float(yaw_deg)),
                beside_m=(6.0, 0.0, -6.0)[index % 3],
                n_lanes=1 + (index + index // 3) % 3,
                fps=(5.0, 8.0, 10.0, 12.0, 15.0)[index % 5],
                seed=index,
            )
        )
    return tuple(scenes)


def bench_speed(scenes: Sequence[SpeedScene] | None = None) -> BenchResult:
    """Measure speeds of oracle vehicles through the tracker, as the worker would.

    Every second lane drives towards the camera, at 15 to 120 km/h; boxes carry one pixel of noise on each edge, the six
    road points as well; a fifth of the pictures is dropped.
    """
    readings: list[SpeedReading] = []
    n_vehicles, n_measured = 0, 0
    for scene in scenes or speed_scenes():
        found, n_seen, n_known = measure_scene(scene)
        readings += found
        n_vehicles += n_seen
        n_measured += n_known
    true = np.array([reading.true_kmh for reading in readings])
    off = np.array([reading.kmh for reading in readings]) - true
    share = np.abs(off) / true
    doubt = np.array([reading.error_kmh for reading in readings])
    named = f"{len(scenes or speed_scenes())} oracle scenes, {n_vehicles} vehicles, {len(readings)} readings"
    return BenchResult(
        bench="speed",
        figures={
            "median_error": Figure(value=_percent(share, 50), unit="%", reference=f"{named} (<= 5 %)"),
            "p95_error": Figure(value=_percent(share, 95), unit="%", reference=f"{named} (<= 12 %)"),
            "bias": Figure(value=round(100 * float(np.mean(off / true)), 2), unit="%", reference=f"{named} (0 %)"),
            "within_one_deviation": Figure(
                value=round(100 * float(np.mean(np.abs(off) <= doubt)), 1), unit="%", reference="of readings (68 %)"
            ),
            "within_two_deviations": Figure(
                value=round(100 * float(np.mean(np.abs(off) <= 2 * doubt)), 1), unit="%", reference="of readings (95 %)"
            ),
            "measured_vehicles": Figure(
                value=round(100 * n_measured / max(n_vehicles, 1), 1),
                unit="%",
                reference="of vehicles seen for 1 s or longer",
            ),
        },
    )


def measure_scene(scene: SpeedScene) -> tuple[list[SpeedReading], int, int]:
    """Drive one scene.

    Returns:
        All readings; vehicles that were seen for a second or longer; those of them that got a speed.
    """
    rng = np.random.default_rng(scene.seed)
    near_m = _nearest_m(scene.camera)
    middle_m = -scene.beside_m + LANE_M * (scene.n_lanes - 1) / 2
    points = [(middle_m + x, near_m + y) for y in (2.0, 14.0, 32.0) for x in (-4.0, 4.0)]
    plane = solve(scene.camera.calibrate(points, noise_px=NOISE_PX, rng=rng), ASPECT)
    tracker = make_tracker(TrackerKind.BYTETRACK, labels=LABELS, aspect=ASPECT)
    memory, clock, meter = VehicleMemory(ASPECT), PictureClock(), SpeedMeter(plane)
    readings: list[SpeedReading] = []
    seen_s: dict[int, float] = {}
    measured: set[int] = set()
    for pts_s, truth in _drive(scene, near_m, rng):
        boxes = np.array([box for _, _, box in truth]).reshape(-1, 4)
        noisy = _with_noise(boxes, rng)
        clock.advance(pts_s)
        sightings, gone = memory.update(tracker.update(noisy, pts_s), clock)
        speeds = meter.update(sightings, clock.now_s)
        meter.forget(gone)
        for vehicle, _, _ in truth:
            seen_s[vehicle] = seen_s.get(vehicle, 0.0) + clock.dt_s
        tracked = np.array([sighting.track.bbox_xyxy for sighting in sightings], np.float32).reshape(-1, 4)
        shared = overlap(tracked, boxes.astype(np.float32))
        for row, sighting in enumerate(sightings):
            speed = speeds.get(sighting.key)
            if speed is None or not len(truth) or shared[row].max() < _SAME_BOX:
                continue
            vehicle, true_kmh, _ = truth[int(shared[row].argmax())]
            measured.add(vehicle)
            x, y = sighting.ground
            plane_error = plane.length_error((x, y), (x, y + 0.01)) * speed.kmh
            readings.append(
                SpeedReading(kmh=speed.kmh, error_kmh=math.hypot(speed.error_kmh, plane_error), true_kmh=true_kmh)
            )
    long_seen = {vehicle for vehicle, seconds in seen_s.items() if seconds >= 1.0}
    return readings, len(long_seen), len(long_seen & measured)


def _drive(
    scene: SpeedScene, near_m: float, rng: np.random.Generator
) -> Iterator[tuple[float, list[tuple[int, float, tuple[float, float, float, float]]]]]:
    """Yield picture times with the vehicles in sight: number, speed [km/h] and true box."""
    vehicles = []
    for lane in range(scene.n_lanes):
        lane_kmh, starts_s = rng.uniform(25.0, 110.0), -8.0
        while starts_s < SCENE_S:
            kmh = max(15.0, lane_kmh * rng.uniform(0.9, 1.1))
            vehicles.append((lane, kmh, starts_s, _VEHICLES[rng.integers(len(_VEHICLES))]))
            # Nobody catches up with the one in front within the picture.
            starts_s += rng.uniform(2.5, 5.0) + 20.0 / lane_kmh
    far_m = near_m + 70.0
    for step in range(int(SCENE_S * scene.fps)):
        if rng.random() < DROPPED:
            continue
        pts_s = step / scene.fps
        truth = []
        for number, (lane, kmh, starts_s, vehicle) in enumerate(vehicles):
            driven_m = (pts_s - starts_s) * kmh / 3.6
            comes = lane % 2 == 1
            y = far_m - driven_m if comes else near_m - 10.0 + driven_m
            if not near_m - 12.0 < y < far_m + 1.0:
                continue
            place = (-scene.beside_m + lane * LANE_M, y)
            box = scene.camera.see_box(place, math.pi if comes else 0.0, vehicle)
            if box is not None and (box[2] - box[0]) * ASPECT * FRAME_HEIGHT_PX > 10:
                truth.append((number, kmh, box))
        yield pts_s, truth


def _nearest_m(camera: OracleCamera) -> float:
    """Return how far ahead of the camera the road comes into the picture."""
    lowest = math.radians(camera.tilt_deg) + math.atan(0.5 / camera.focal)
    return camera.height_m / math.tan(lowest)


def _with_noise(boxes: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    noise = rng.normal(0.0, NOISE_PX / FRAME_HEIGHT_PX, boxes.shape)
    noise[:, [0, 2]] /= ASPECT
    rows = np.column_stack((np.clip(boxes + noise, 0, 1), np.full(len(boxes), 0.8), np.zeros(len(boxes))))
    return rows.astype(np.float32)


def _percent(shares: NDArray[np.float64], percentile: float) -> float:
    return round(100 * float(np.percentile(shares, percentile)), 2) if len(shares) else math.nan
