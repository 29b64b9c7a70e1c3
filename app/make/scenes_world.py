"""The traffic of the demo city's camera scenes: vehicles that follow lanes and each other, in plain numpy.

Nothing here draws. A world is a list of lanes, a flow on each and a script of things that go wrong; `simulate` runs it
with a fixed seed and returns where every vehicle is in every picture, so that the truth of a clip can be computed again
without rendering it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.make.scenes_meshes import VEHICLE_TYPES, Rgb, paints_of

FloatArray = NDArray[np.floating[Any]]

FPS = 15
STEP_S = 1 / 30
GAP_M = 2.0
"""Bumper to bumper when standing."""


DEFAULT_MIX = {
    "saloon": 0.26,
    "hatch": 0.24,
    "estate": 0.14,
    "suv": 0.18,
    "van": 0.10,
    "truck": 0.03,
    "motorcycle": 0.05,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A path vehicles drive along, with its traffic.

    Attributes:
        points: East and north [m], at least two; rounded paths are made with `curve`.
        flow_per_h: Vehicles that enter at the start.
        speed_mps: Wished speed; each driver deviates by some 10 %.
        mix: Kind of vehicle to its share.
        until_s: Nobody enters after that time of the clip.
    """

    key: str
    points: tuple[tuple[float, float], ...]
    flow_per_h: float = 0.0
    speed_mps: float = 14.0
    mix: dict[str, float] = field(default_factory=lambda: dict(DEFAULT_MIX))
    until_s: float = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowSection:
    """A stretch of a lane where nobody drives faster, for a while."""

    lane_key: str
    from_m: float
    to_m: float
    from_s: float
    to_s: float
    speed_mps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A stop line with its green times [s of the clip]; red at all other times."""

    lane_key: str
    at_m: float
    green_s: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A vehicle with a part to play.

    Attributes:
        at_m: Where on the lane its middle is at `from_s`, when it appears (clip time, may be negative).
        halt_at_m, halt_s: Stops there for so long; None does not.
        shift_s: Begin and end of moving sideways, and of moving back; `shift_m` is how far (left is positive).
        ignores_traffic: Drives on whatever stands in front.
        waits_until_s: Stands still until then.
    """

    key: str
    kind: str
    lane_key: str
    from_s: float
    at_m: float
    speed_mps: float
    paint: Rgb | None = None
    halt_at_m: float | None = None
    halt_s: float = 0.0
    shift_s: tuple[float, float, float, float] | None = None
    shift_m: float = 0.0
    ignores_traffic: bool = False
    waits_until_s: float | None = None
    stops_at_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A vehicle that stands all the time."""

    key: str
    kind: str
    x_m: float
    y_m: float
    heading_rad: float
    paint: Rgb


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldPlan:
    """Everything `simulate` needs.

    Attributes:
        duration_s: Of the clip after its lead.
        lead_s: How long before time 0 the clip begins; within the warm-up.
    """

    seed: int
    duration_s: float
    lanes: tuple[Lane, ...]
    actors: tuple[Actor, ...] = ()
    parked: tuple[Parked, ...] = ()
    slow_sections: tuple[SlowSection, ...] = ()
    signals: tuple[Signal, ...] = ()
    warm_up_s: float = 30.0
    lead_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One vehicle in one picture."""

    key: str
    kind: str
    paint: Rgb
    x_m: float
    y_m: float
    heading_rad: float
    speed_mps: float
    is_braking: bool
    lane_key: str = ""

    @property
    def label(self) -> str:
        """Class the detector should report."""
        return VEHICLE_TYPES[self.kind].label


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A simulated clip.

    Attributes:
        frames: Vehicles of each picture, `FPS` pictures a second.
        collision_s: When two vehicles first touched, from the clip's begin; None where nobody crashed.
    """

    frames: tuple[tuple[Placed, ...], ...]
    collision_s: float | None


@dataclass(slots=True)
class _Path:
    """Points a metre apart, the way along [m] and the curvature [1/m] over eight metres."""

    points: FloatArray
    s: FloatArray
    bend: FloatArray

    @classmethod
    def of(cls, points: tuple[tuple[float, float], ...]) -> _Path:
        dense = np.array(points, dtype=np.float64)
        s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(dense, axis=0).T))])
        steps = np.arange(0.0, s[-1], 1.0)
        fine = np.stack([np.interp(steps, s, dense[:, 0]), np.interp(steps, s, dense[:, 1])], axis=1)
        fine = np.concatenate([fine, dense[-1:]])
        way = np.concatenate([steps, s[-1:]])
        d = np.gradient(fine, axis=0)
        heading = np.unwrap(np.arctan2(d[:, 1], d[:, 0]))
        bend = np.abs(np.interp(way + 4, way, heading) - np.interp(way - 4, way, heading)) / 8.0
        return cls(fine, way, bend)

    def at(self, s: float) -> tuple[float, float]:
        return float(np.interp(s, self.s, self.points[:, 0])), float(np.interp(s, self.s, self.points[:, 1]))

    def pose(self, s: float, wheelbase_m: float) -> tuple[float, float, float]:
        """Return x, y and heading of a vehicle whose axles both stay on the path."""
        half = wheelbase_m / 2
        front, rear = self._beyond(s + half), self._beyond(s - half)
        heading = float(np.arctan2(front[1] - rear[1], front[0] - rear[0]))
        return (front[0] + rear[0]) / 2, (front[1] + rear[1]) / 2, heading

    def _beyond(self, s: float) -> tuple[float, float]:
        x, y = self.at(s)
        if s < 0:
            d = self.points[1] - self.points[0]
            d /= np.hypot(*d)
            return x + d[0] * s, y + d[1] * s
        if s > self.s[-1]:
            d = self.points[-1] - self.points[-2]
            d /= np.hypot(*d)
            return x + d[0] * (s - self.s[-1]), y + d[1] * (s - self.s[-1])
        return x, y


def curve(*corners: tuple[float, float], radius_m: float) -> tuple[tuple[float, float], ...]:
    """Round the corners of a path with arcs."""
    points: list[tuple[float, float]] = [corners[0]]
    for before, corner, after in zip(corners[:-2], corners[1:-1], corners[2:], strict=True):
        a, c, z = np.array(before), np.array(corner), np.array(after)
        cut = min(radius_m, float(np.hypot(*(a - c))) * 0.5, float(np.hypot(*(z - c))) * 0.5)
        start, end = c + (a - c) / np.hypot(*(a - c)) * cut, c + (z - c) / np.hypot(*(z - c)) * cut
        for t in np.linspace(0, 1, 12):
            p = (1 - t) ** 2 * start + 2 * t * (1 - t) * c + t**2 * end
            points.append((float(p[0]), float(p[1])))
    points.append(corners[-1])
    return tuple(points)


def shifted(points: tuple[tuple[float, float], ...], left_m: float) -> tuple[tuple[float, float], ...]:
    """Return a path that runs beside another one."""
    p = np.array(points)
    d = np.gradient(p, axis=0)
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    q = p + np.stack([-d[:, 1], d[:, 0]], axis=1) * left_m
    return tuple((float(x), float(y)) for x, y in q)


@dataclass(slots=True)
class _Vehicle:
    key: str
    kind: str
    paint: Rgb
    lane_key: str
    s: float
    v: float
    wish: float
    headway_s: float
    actor: Actor | None = None
    a: float = 0.0
    halted_at: float | None = None
    has_crashed: bool = False
    slide_xy: tuple[float, float] = (0.0, 0.0)
    x: float = 0.0
    y: float = 0.0
    heading: float = 0.0
    spin_rad_s: float = 0.0
    lateral: float = 0.0

    @property
    def length(self) -> float:
        return VEHICLE_TYPES[self.kind].length_m


def _paths_meet(a: _Path, b: _Path) -> bool:
    """Return whether vehicles on two paths can touch."""
    apart = np.hypot(a.points[:, None, 0] - b.points[None, :, 0], a.points[:, None, 1] - b.points[None, :, 1])
    return bool(apart.min() < 2.4)


def _smooth(t: float) -> float:
    t = min(1.0, max(0.0, t))
    return t * t * (3 - 2 * t)


def corners_of(vehicle: Placed) -> FloatArray:
    """Return the four corners of a vehicle's outline on the ground, shape (4, 2)."""
    kind = VEHICLE_TYPES[vehicle.kind]
    c, s = np.cos(vehicle.heading_rad), np.sin(vehicle.heading_rad)
    half = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * (kind.length_m / 2, kind.width_m / 2)
    turned: FloatArray = half @ np.array([[c, s], [-s, c]]) + (vehicle.x_m, vehicle.y_m)
    return turned


def outlines_touch(a: Placed, b: Placed) -> bool:
    """Return whether two vehicles overlap on the ground (separating axes)."""
    first, second = corners_of(a), corners_of(b)
    for heading in (a.heading_rad, b.heading_rad):
        for axis in ((np.cos(heading), np.sin(heading)), (-np.sin(heading), np.cos(heading))):
            p, q = first @ axis, second @ axis
            if p.max() < q.min() or q.max() < p.min():
                return False
    return True


class World:
    """Vehicles that move on; `step` advances by `STEP_S`."""

    def __init__(self, plan: WorldPlan) -> None:
        self._plan = plan
        self._rng = np.random.default_rng(plan.seed)
        self._paths = {lane.key: _Path.of(lane.points) for lane in plan.lanes}
        self._lanes = {lane.key: lane for lane in plan.lanes}
        self._meeting = {
            (a, b): a != b and _paths_meet(self._paths[a], self._paths[b]) for a in self._paths for b in self._paths
        }
        self._vehicles: list[_Vehicle] = []
        self._by_lane: dict[str, list[_Vehicle]] = {}
        self._in_the_way: dict[str, list[_Vehicle]] = {}
        self._n_spawned = 0
        self._due_s = {lane.key: float(self._rng.exponential(2.0)) - plan.warm_up_s for lane in plan.lanes}
        self._waiting = sorted(plan.actors, key=lambda actor: actor.from_s)
        self.now_s = -plan.warm_up_s
        self.collision_s: float | None = None

    def placed(self) -> tuple[Placed, ...]:
        """Return every vehicle where it is now, the parked ones last."""
        moving = [
            Placed(
                key=v.key,
                kind=v.kind,
                paint=v.paint,
                x_m=v.x,
                y_m=v.y,
                heading_rad=v.heading,
                speed_mps=v.v,
                is_braking=v.a < -0.6 or v.v < 0.3,
                lane_key=v.lane_key,
            )
            for v in self._vehicles
        ]
        parked = [
            Placed(
                key=p.key,
                kind=p.kind,
                paint=p.paint,
                x_m=p.x_m,
                y_m=p.y_m,
                heading_rad=p.heading_rad,
                speed_mps=0.0,
                is_braking=False,
            )
            for p in self._plan.parked
        ]
        return (*moving, *parked)

    def step(self) -> None:
        """Let every vehicle drive on by `STEP_S`."""
        self._let_in()
        self._look_around()
        for vehicle in self._vehicles:
            if not vehicle.has_crashed:
                vehicle.a = self._acceleration(vehicle)
        for vehicle in self._vehicles:
            self._drive(vehicle)
        self._crash()
        self._vehicles = [v for v in self._vehicles if v.s < self._paths[v.lane_key].s[-1] - 0.5 or self._stays(v)]
        self.now_s += STEP_S

    def _look_around(self) -> None:
        """Sort the vehicles by lane, and by whom they can be in the way of."""
        self._by_lane = {key: [v for v in self._vehicles if v.lane_key == key] for key in self._lanes}
        strays = [v for v in self._vehicles if v.has_crashed or abs(v.lateral) > 0.3]
        for key in self._lanes:
            crossing = [v for other, vs in self._by_lane.items() if self._meeting[key, other] for v in vs]
            self._in_the_way[key] = crossing + [v for v in strays if not self._meeting[key, v.lane_key]]

    def _stays(self, v: _Vehicle) -> bool:
        return v.has_crashed or (v.actor is not None and v.actor.stops_at_end)

    def _let_in(self) -> None:
        while self._waiting and self._waiting[0].from_s <= self.now_s:
            actor = self._waiting.pop(0)
            paint = actor.paint or paints_of(actor.kind)[0]
            waits = actor.waits_until_s is not None
            v = _Vehicle(
                actor.key,
                actor.kind,
                paint,
                actor.lane_key,
                actor.at_m,
                0.0 if waits else actor.speed_mps,
                actor.speed_mps,
                1.1,
                actor,
            )
            self._vehicles.append(v)
            self._pose(v)
        for lane in self._plan.lanes:
            if lane.flow_per_h <= 0 or not self._due_s[lane.key] <= self.now_s < lane.until_s:
                continue
            kind = str(self._rng.choice(list(lane.mix), p=np.array(list(lane.mix.values())) / sum(lane.mix.values())))
            length = VEHICLE_TYPES[kind].length_m
            ahead = [v for v in self._vehicles if v.lane_key == lane.key]
            nearest = min(ahead, key=lambda v: v.s, default=None)
            speed = lane.speed_mps * float(self._rng.uniform(0.9, 1.1))
            if nearest is not None:
                gap = nearest.s - (nearest.length + length) / 2
                if gap < GAP_M + 0.9 * min(speed, nearest.v + 2.0):
                    self._due_s[lane.key] = self.now_s + 0.3
                    continue
                speed = min(speed, nearest.v + 1.5) if gap < 25 else speed
            paints = paints_of(kind)
            wish = lane.speed_mps * float(self._rng.uniform(0.9, 1.12)) * (0.92 if length > 6 else 1.0)
            paint = paints[int(self._rng.integers(len(paints)))]
            self._n_spawned += 1
            v = _Vehicle(
                f"v{self._n_spawned}", kind, paint, lane.key, 0.0, speed, wish, float(self._rng.uniform(0.9, 1.4))
            )
            self._vehicles.append(v)
            self._pose(v)
            mean_s = 3600.0 / lane.flow_per_h
            self._due_s[lane.key] = self.now_s + mean_s * 0.35 + float(self._rng.exponential(mean_s * 0.65))

    def _acceleration(self, v: _Vehicle) -> float:
        """Intelligent driver model (Treiber, Hennecke, Helbing 2000) behind leader, signal and script."""
        actor, path = v.actor, self._paths[v.lane_key]
        if actor is not None and actor.waits_until_s is not None and self.now_s < actor.waits_until_s:
            return 0.0
        wish = v.wish
        for slow in self._plan.slow_sections:
            if slow.lane_key == v.lane_key and slow.from_s <= self.now_s < slow.to_s and slow.from_m <= v.s < slow.to_m:
                wish = min(wish, slow.speed_mps)
        wish = min(wish, self._bend_speed(v, path))
        heavy = v.length > 6
        strong, comfortable = (1.0, 2.0) if heavy else (1.8, 2.4)
        free = strong * (1 - (v.v / max(wish, 0.1)) ** 4)
        worst = max(free, -4.0)
        front = v.s + v.length / 2
        obstacles: list[tuple[float, float]] = []
        if actor is None or not actor.ignores_traffic:
            obstacles += self._leaders(v, path)
            for signal in self._plan.signals:
                if signal.lane_key == v.lane_key and front < signal.at_m + 0.5 and not self._is_green(signal):
                    obstacles.append((signal.at_m - front + GAP_M - 0.5, 0.0))
        if actor is not None and actor.halt_at_m is not None and not self._has_rested(v, actor):
            obstacles.append((actor.halt_at_m - v.s + GAP_M, 0.0))
        if actor is not None and actor.stops_at_end:
            obstacles.append((path.s[-1] - v.s + GAP_M, 0.0))
        for gap, speed in obstacles:
            gap = max(gap, 0.1)
            wanted = GAP_M + max(0.0, v.v * v.headway_s + v.v * (v.v - speed) / (2 * np.sqrt(strong * comfortable)))
            worst = min(worst, strong * (1 - (v.v / max(wish, 0.1)) ** 4 - (wanted / gap) ** 2))
        return float(np.clip(worst, -8.0, strong))

    def _bend_speed(self, v: _Vehicle, path: _Path) -> float:
        """Slow down before a bend so that the sideways acceleration stays below 2.5 m/s²."""
        turn = float(np.interp(v.s + 4.0, path.s, path.bend))
        return float(np.sqrt(2.5 / turn)) if turn > 0.006 else 1e3

    def _has_rested(self, v: _Vehicle, actor: Actor) -> bool:
        assert actor.halt_at_m is not None
        if v.halted_at is None:
            if v.v < 0.1 and abs(actor.halt_at_m - v.s) < 1.0:
                v.halted_at = self.now_s
            return False
        return self.now_s - v.halted_at >= actor.halt_s

    def _is_green(self, signal: Signal) -> bool:
        return any(begin <= self.now_s < end for begin, end in signal.green_s)

    def _leaders(self, v: _Vehicle, path: _Path) -> list[tuple[float, float]]:
        """Return gap and speed of whoever stands or drives in front on the own path, whatever lane it belongs to."""
        width = VEHICLE_TYPES[v.kind].width_m
        found = [
            (other.s - v.s - (other.length + v.length) / 2, other.v)
            for other in self._by_lane[v.lane_key]
            if other.s > v.s and abs(other.lateral) < 1.2 and not other.has_crashed
        ]
        for other in self._in_the_way[v.lane_key]:
            if other is v:
                continue
            if other.lane_key == v.lane_key and abs(other.lateral) < 1.2 and not other.has_crashed:
                continue
            if (other.x - v.x) ** 2 + (other.y - v.y) ** 2 > 45**2:
                continue
            reach = other.length / 2 - 0.5
            for along_m in (0.0, reach, -reach):
                x = other.x + along_m * np.cos(other.heading)
                y = other.y + along_m * np.sin(other.heading)
                away = np.hypot(path.points[:, 0] - x, path.points[:, 1] - y)
                i = int(np.argmin(away))
                if away[i] < (width + VEHICLE_TYPES[other.kind].width_m) / 2 + 0.1 and path.s[i] > v.s + 0.5:
                    along = np.cos(other.heading - path.pose(float(path.s[i]), 2.0)[2])
                    found.append((float(path.s[i]) - v.s - v.length / 2 - 1.0, max(0.0, other.v * along)))
        return found

    def _drive(self, v: _Vehicle) -> None:
        if v.has_crashed:
            # Locked wheels on asphalt: about 7 m/s² until it stands.
            speed = max(0.0, v.v - 7.0 * STEP_S)
            v.spin_rad_s *= speed / max(v.v, 1e-6)
            v.a, v.v = -7.0 if speed > 0 else 0.0, speed
            v.x += v.slide_xy[0] * speed * STEP_S
            v.y += v.slide_xy[1] * speed * STEP_S
            v.heading += v.spin_rad_s * STEP_S
            return
        moved = max(0.0, v.v * STEP_S + 0.5 * v.a * STEP_S**2)
        v.v = max(0.0, v.v + v.a * STEP_S)
        v.s += moved
        if v.actor is not None and v.actor.shift_s is not None:
            out_0, out_1, back_0, back_1 = v.actor.shift_s
            share = _smooth((self.now_s - out_0) / (out_1 - out_0)) - _smooth((self.now_s - back_0) / (back_1 - back_0))
            v.lateral = share * v.actor.shift_m
        self._pose(v)

    def _pose(self, v: _Vehicle) -> None:
        path = self._paths[v.lane_key]
        x, y, heading = path.pose(v.s, v.length * 0.58)
        lean = 0.0
        if v.actor is not None and v.actor.shift_s is not None:
            out_0, out_1, back_0, back_1 = v.actor.shift_s
            for begin, end, sign in ((out_0, out_1, 1.0), (back_0, back_1, -1.0)):
                if begin < self.now_s < end:
                    t = (self.now_s - begin) / (end - begin)
                    slope = sign * v.actor.shift_m * 6 * t * (1 - t) / (end - begin)
                    lean = float(np.arctan2(slope, max(v.v, 1.0)))
        v.x, v.y = x - np.sin(heading) * v.lateral, y + np.cos(heading) * v.lateral
        v.heading = heading + lean

    def _crash(self) -> None:
        """Two reckless actors that touch stop each other."""
        reckless = [v for v in self._vehicles if v.actor is not None and v.actor.ignores_traffic]
        if self.collision_s is not None or len(reckless) < 2:
            return
        first, second = reckless[:2]
        by_key = {p.key: p for p in self.placed()}
        if not outlines_touch(by_key[first.key], by_key[second.key]):
            return
        self.collision_s = max(0.0, self.now_s)
        velocity = [np.array([np.cos(v.heading), np.sin(v.heading)]) * v.v for v in (first, second)]
        common = (velocity[0] + velocity[1]) / 2
        for v, own, turn in ((first, velocity[0], 0.9), (second, velocity[1], 1.3)):
            after = common * 0.75 + own * 0.15
            v.has_crashed = True
            v.v = float(np.hypot(*after))
            v.slide_xy = (float(after[0] / max(v.v, 1e-6)), float(after[1] / max(v.v, 1e-6)))
            v.spin_rad_s = turn


def simulate(plan: WorldPlan) -> Run:
    """Run a plan and return what every picture of the clip holds."""
    world = World(plan)
    while world.now_s < -plan.lead_s - STEP_S / 2:
        world.step()
    frames = []
    for _ in range(round((plan.lead_s + plan.duration_s) * FPS)):
        frames.append(world.placed())
        for _ in range(round(1 / FPS / STEP_S)):
            world.step()
    collision_s = None if world.collision_s is None else plan.lead_s + world.collision_s
    return Run(frames=tuple(frames), collision_s=collision_s)


def reseeded(plan: WorldPlan, seed: int) -> WorldPlan:
    """Return the same plan with other traffic."""
    return replace(plan, seed=seed)
