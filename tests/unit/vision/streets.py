"""A street made of numbers: four lanes seen from a pole at the roadside, vehicles with a length, a width and a height.

What a camera makes of them is in here on purpose: boxes of tall vehicles lean over the lane beside them, edges tremble,
detections flicker, far vehicles are small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from core.vision.model import Lane, Scene, Track
from tests.unit.vision.roads import ASPECT

HEIGHT_M, OFFSET_M = 9.0, 10.0
TILT_RAD, YAW_RAD, FOCAL = math.radians(15.0), math.radians(-14.0), 1.3
NEAR_M, FAR_M = 18.0, 90.0
LANES_M = {"in-2": -5.25, "in-1": -1.75, "out-1": 1.75, "out-2": 5.25}
"""Middle of each lane; "in" comes towards the camera."""

SIZES_M = {"car": (4.5, 1.8, 1.5), "truck": (12.0, 2.5, 3.8), "bus": (12.0, 2.5, 3.2), "person": (0.4, 0.6, 1.75)}


def to_picture(x_m: float, y_m: float, z_m: float = 0.0) -> tuple[float, float]:
    """Project a point: x to the right of the road's middle, y along the road, z up; fractions of the frame."""
    x, y, z = x_m - OFFSET_M, y_m, z_m - HEIGHT_M
    across = x * math.cos(YAW_RAD) - y * math.sin(YAW_RAD)
    ahead = x * math.sin(YAW_RAD) + y * math.cos(YAW_RAD)
    depth = ahead * math.cos(TILT_RAD) - z * math.sin(TILT_RAD)
    down = -ahead * math.sin(TILT_RAD) - z * math.cos(TILT_RAD)
    return 0.5 + FOCAL * across / depth / ASPECT, 0.5 + FOCAL * down / depth


def box_of(label: str, x_m: float, y_m: float) -> tuple[float, float, float, float]:
    """The box of a vehicle whose middle stands at a place of the road."""
    length, width, height = SIZES_M[label]
    corners = [
        to_picture(x_m + sx * width / 2, y_m + sy * length / 2, z)
        for sx in (-1, 1)
        for sy in (-1, 1)
        for z in (0.0, height)
    ]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def lanes() -> tuple[Lane, ...]:
    drawn = []
    for key, x_m in LANES_M.items():
        corners = ((-1.75, NEAR_M), (1.75, NEAR_M), (1.75, FAR_M), (-1.75, FAR_M))
        polygon = tuple(to_picture(x_m + dx, y) for dx, y in corners)
        near, far = to_picture(x_m, NEAR_M), to_picture(x_m, FAR_M)
        start, end = (far, near) if key.startswith("in") else (near, far)
        drawn.append(Lane(key=key, name=key, polygon=polygon, start=start, end=end))
    return tuple(drawn)


STREET = Scene(lanes=lanes())


@dataclass
class Mover:
    """One vehicle or person: where it is at a time; None before and after."""

    track_id: int
    label: str
    where: Callable[[float], tuple[float, float] | None]
    score: float = 0.75


@dataclass
class _Driver:
    label: str
    lane: str
    speed: float
    wanted: float
    y_m: float
    track_id: int
    length: float = field(init=False)

    def __post_init__(self) -> None:
        self.length = SIZES_M[self.label][0]


class Street:
    """Traffic on all four lanes.

    Args:
        per_minute: Vehicles that arrive on each lane.
        light_s: Seconds of a cycle whose first half is red; None without a light.
        blocked: Lane and place [m] where nobody gets past.
    """

    def __init__(
        self,
        *,
        per_minute: float = 8.0,
        speed: float = 14.0,
        light_s: float | None = None,
        light_m: float = 40.0,
        blocked: dict[str, float] | None = None,
        flicker: float = 0.05,
        noise: float = 0.002,
        seed: int = 1,
    ) -> None:
        self._random = np.random.default_rng(seed)
        self._per_minute, self._speed = per_minute, speed
        self._light_s, self._light_m = light_s, light_m
        self._blocked = blocked or {}
        self._flicker, self._noise = flicker, noise
        self._drivers: list[_Driver] = []
        self._next_id = 1
        self._boxes: dict[int, tuple[float, float]] = {}

    def pictures(
        self, seconds: float, *, from_s: float = 0.0, fps: float = 5.0, others: tuple[Mover, ...] = ()
    ) -> Iterator[tuple[float, list[Track]]]:
        """Yield picture times and tracks."""
        for step in range(round(seconds * fps)):
            at_s = from_s + step / fps
            self._drive(at_s, 1 / fps)
            tracks = [
                self._track(driver.track_id, driver.label, LANES_M[driver.lane], driver.y_m, 0.75, 1 / fps)
                for driver in self._drivers
            ]
            for mover in others:
                place = mover.where(at_s)
                if place is not None:
                    tracks.append(self._track(mover.track_id, mover.label, *place, mover.score, 1 / fps))
            yield at_s, [track for track in tracks if track is not None and self._random.random() > self._flicker]

    def _track(self, track_id: int, label: str, x_m: float, y_m: float, score: float, dt_s: float) -> Track | None:
        box = box_of(label, x_m, y_m)
        ground = ((box[0] + box[2]) / 2, box[3])
        before = self._boxes.get(track_id, ground)
        self._boxes[track_id] = ground
        if not (0.0 < ground[0] < 1.0 and 0.05 < ground[1] < 1.0):
            return None
        height = box[3] - box[1]
        x1, y1, x2, y2 = (value + self._random.normal(0, self._noise + 0.02 * height) for value in box)
        return Track(
            track_id=track_id,
            label=label,
            score=float(np.clip(self._random.normal(score, 0.07), 0.1, 0.98)),
            bbox_xyxy=(x1, y1, x2, y2),
            velocity_xy=((ground[0] - before[0]) / dt_s, (ground[1] - before[1]) / dt_s),
        )

    def _drive(self, at_s: float, dt_s: float) -> None:
        for lane in LANES_M:
            is_in = lane.startswith("in")
            queue = sorted((d for d in self._drivers if d.lane == lane), key=lambda d: d.y_m, reverse=not is_in)
            entry = FAR_M + 20 if is_in else NEAR_M - 14
            has_room = not queue or abs(queue[-1].y_m - entry) > 25
            if has_room and self._random.random() < self._per_minute / 60 * dt_s:
                label = str(self._random.choice(["car", "car", "car", "car", "truck", "bus"]))
                wanted = self._speed * self._random.uniform(0.85, 1.15)
                self._drivers.append(_Driver(label, lane, wanted, wanted, entry, self._next_id))
                self._next_id += 1
            ahead: float | None = None
            for driver in queue:
                self._advance(driver, ahead, is_in, at_s, dt_s)
                ahead = driver.y_m + (driver.length / 2 if is_in else -driver.length / 2)
        self._drivers = [d for d in self._drivers if NEAR_M - 15 < d.y_m < FAR_M + 25]

    def _advance(self, driver: _Driver, ahead: float | None, is_in: bool, at_s: float, dt_s: float) -> None:
        sign = -1.0 if is_in else 1.0
        front = driver.y_m + sign * driver.length / 2
        stops = [] if ahead is None else [ahead]
        is_red = self._light_s is not None and at_s % self._light_s < self._light_s / 2
        if is_red and sign * (self._light_m - front) > 0:
            stops.append(self._light_m)
        if driver.lane in self._blocked and sign * (self._blocked[driver.lane] - front) > 0:
            stops.append(self._blocked[driver.lane])
        gap = min((sign * (stop - front) for stop in stops), default=1e9) - 2.0
        allowed = math.sqrt(max(0.0, 2 * 3.0 * gap)) if gap < 60 else driver.wanted
        driver.speed = max(0.0, min(driver.wanted, allowed, driver.speed + 2.0 * dt_s))
        driver.y_m += sign * driver.speed * dt_s
