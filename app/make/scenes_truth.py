"""What really happens in the camera scenes, computed from the world and never from pictures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import numpy as np

from app.make.scenes_camera import Camera, project
from app.make.scenes_catalogue import CameraScene
from app.make.scenes_meshes import turn_matrix, vehicle_mesh
from app.make.scenes_world import FPS, Placed, Run
from core.vision.model import CountLine, PicturePoint, Scene, Zone
from core.vision.tuning import SHORT_JAMS

BoxXyxy = tuple[float, float, float, float]
STANDING_MPS = 0.2
JAM_MPS, FREE_MPS = 3.0, 6.5
MIN_IN_JAM = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossings:
    """How many vehicles of one class cross a line, each way, in one pass of the clip."""

    line_key: str
    label: str
    n_forward: int
    n_backward: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something an operator should notice.

    Attributes:
        kind: "jam", "collision", "stopped" or "intrusion".
        end_s: When it is over; None where it lasts until the clip ends.
    """

    kind: str
    zone_key: str
    begin_s: float
    end_s: float | None
    vehicle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Everything that is known of one pass of a clip."""

    crossings: tuple[Crossings, ...] = ()
    happenings: tuple[Happening, ...] = ()
    bays_taken_at_start: tuple[str, ...] = ()
    bays_taken_at_end: tuple[str, ...] = ()


@dataclass(slots=True)
class _Seen:
    label: str
    points: dict[int, PicturePoint] = field(default_factory=dict)
    speeds: dict[int, float] = field(default_factory=dict)


def box_of(vehicle: Placed, camera: Camera) -> BoxXyxy | None:
    """Return a vehicle's whole box in fractions, cut at the picture's edge; None where it lies outside.

    Houses and other vehicles may hide part of it.
    """
    mesh = vehicle_mesh(vehicle.kind)
    points = mesh.points @ turn_matrix(vehicle.heading_rad).T + np.array([vehicle.x_m, vehicle.y_m, 0.0])
    uv, depth = project(points, camera)
    if (depth < 1.5).any():
        return None
    low, high = uv.min(axis=0) / camera.size_wh, uv.max(axis=0) / camera.size_wh
    if high[0] <= 0 or high[1] <= 0 or low[0] >= 1 or low[1] >= 1:
        return None
    x1, y1, x2, y2 = (float(v) for v in (*np.clip(low, 0, 1), *np.clip(high, 0, 1)))
    return x1, y1, x2, y2


def _follow(run: Run, camera: Camera) -> dict[str, _Seen]:
    """Return where the ground point of every vehicle is in every picture that shows it."""
    seen: dict[str, _Seen] = {}
    standing: dict[str, tuple[float, float, PicturePoint | None]] = {}
    for i, frame in enumerate(run.frames):
        for v in frame:
            known = standing.get(v.key)
            if known is not None and known[:2] == (v.x_m, v.y_m):
                ground = known[2]
            else:
                box = box_of(v, camera)
                ground = None if box is None else ((box[0] + box[2]) / 2, box[3])
                standing[v.key] = (v.x_m, v.y_m, ground)
            if ground is None or not (0.005 < ground[0] < 0.995 and ground[1] < 0.995):
                continue
            mine = seen.setdefault(v.key, _Seen(label=v.label))
            mine.points[i] = ground
            mine.speeds[i] = v.speed_mps
    return seen


def inside(point: PicturePoint, polygon: tuple[PicturePoint, ...]) -> bool:
    """Return whether a point lies in a polygon (even-odd rule)."""
    x, y = point
    is_in = False
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            is_in = not is_in
    return is_in


def _side(point: PicturePoint, a: PicturePoint, b: PicturePoint) -> float:
    """Return above 0 right of the line from a to b, on a picture whose y runs down."""
    return (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])


def _crossings(line: CountLine, seen: dict[str, _Seen]) -> tuple[Crossings, ...]:
    counts: dict[str, list[int]] = {}
    for vehicle in seen.values():
        frames = sorted(vehicle.points)
        for i, j in itertools.pairwise(frames):
            if j - i > 2:
                continue
            p, q = vehicle.points[i], vehicle.points[j]
            before, after = _side(p, line.start, line.end), _side(q, line.start, line.end)
            if (before < 0) == (after < 0):
                continue
            if (_side(line.start, p, q) < 0) == (_side(line.end, p, q) < 0):
                continue
            counts.setdefault(vehicle.label, [0, 0])[0 if before < 0 else 1] += 1
    return tuple(
        Crossings(line_key=line.key, label=label, n_forward=n[0], n_backward=n[1])
        for label, n in sorted(counts.items())
    )


def _spans(frames: list[int], n_frames: int, join: int = 3) -> list[tuple[int, int | None]]:
    """Return runs of consecutive frames as first and one past last, None where the clip ends first."""
    spans: list[tuple[int, int | None]] = []
    begin = last = frames[0] if frames else 0
    for i in frames[1:]:
        if i - last > join:
            spans.append((begin, last + 1))
            begin = i
        last = i
    if frames:
        spans.append((begin, None if last >= n_frames - join else last + 1))
    return spans


def _at(frame: int) -> float:
    return round(frame / FPS, 2)


def _jams(zone: Zone, seen: dict[str, _Seen], n_frames: int) -> list[Happening]:
    """A jam begins when at least `MIN_IN_JAM` vehicles are in a zone below 3 m/s in the mean; it ends above 6.5 m/s."""
    found: list[Happening] = []
    begin: int | None = None
    for i in range(n_frames):
        speeds = [v.speeds[i] for v in seen.values() if i in v.points and inside(v.points[i], zone.polygon)]
        mean = float(np.mean(speeds)) if speeds else FREE_MPS
        if begin is None and len(speeds) >= MIN_IN_JAM and mean < JAM_MPS:
            begin = i
        elif begin is not None and (mean > FREE_MPS or not speeds):
            found.append(Happening(kind="jam", zone_key=zone.key, begin_s=_at(begin), end_s=_at(i)))
            begin = None
    if begin is not None:
        found.append(Happening(kind="jam", zone_key=zone.key, begin_s=_at(begin), end_s=None))
    return found


def _stops(zone: Zone, seen: dict[str, _Seen], n_frames: int) -> list[Happening]:
    assert zone.stopped_after_s is not None
    found = []
    for key, v in seen.items():
        still = [i for i in sorted(v.points) if v.speeds[i] < STANDING_MPS and inside(v.points[i], zone.polygon)]
        for begin, end in _spans(still, n_frames):
            if ((end if end is not None else n_frames) - begin) / FPS >= zone.stopped_after_s:
                found.append(
                    Happening(
                        kind="stopped",
                        zone_key=zone.key,
                        begin_s=_at(begin),
                        end_s=None if end is None else _at(end),
                        vehicle=key,
                    )
                )
    return found


def _intrusions(zone: Zone, seen: dict[str, _Seen], n_frames: int) -> list[Happening]:
    found = []
    for key, v in seen.items():
        within = [i for i in sorted(v.points) if inside(v.points[i], zone.polygon)]
        for begin, end in _spans(within, n_frames):
            found.append(
                Happening(
                    kind="intrusion",
                    zone_key=zone.key,
                    begin_s=_at(begin),
                    end_s=None if end is None else _at(end),
                    vehicle=key,
                )
            )
    return found


def _taken(scene: CameraScene, frame: tuple[Placed, ...]) -> tuple[str, ...]:
    taken = []
    for bay in scene.bays:
        corners = np.array(bay.ground)
        low, high = corners.min(axis=0), corners.max(axis=0)
        if any((low <= (v.x_m, v.y_m)).all() and ((v.x_m, v.y_m) <= high).all() for v in frame):
            taken.append(bay.key)
    return tuple(taken)


def truth_of(scene: CameraScene, run: Run) -> Truth:
    """Return what a perfect observer of one pass of the clip would report."""
    seen = _follow(run, scene.camera)
    n_frames = len(run.frames)
    happenings: list[Happening] = []
    for zone in scene.watched.zones:
        if zone.congestion_capacity is not None:
            happenings += _jams(zone, seen, n_frames)
        if zone.stopped_after_s is not None:
            happenings += _stops(zone, seen, n_frames)
        if zone.alarms_presence:
            happenings += _intrusions(zone, seen, n_frames)
    if run.collision_s is not None:
        happenings.append(
            Happening(
                kind="collision", zone_key=scene.watched.zones[0].key, begin_s=round(run.collision_s, 2), end_s=None
            )
        )
    return Truth(
        crossings=tuple(c for line in scene.watched.lines for c in _crossings(line, seen)),
        happenings=tuple(sorted(happenings, key=lambda h: h.begin_s)),
        bays_taken_at_start=_taken(scene, run.frames[0]),
        bays_taken_at_end=_taken(scene, run.frames[-1]),
    )


def calibrated(scene: CameraScene, run: Run) -> Scene:
    """Return what the camera watches, with the speed of free traffic in each congestion zone that does not name it."""
    seen = _follow(run, scene.camera)
    wish = {lane.key: lane.speed_mps for lane in scene.plan.lanes}
    lane_of = {v.key: v.lane_key for frame in run.frames for v in frame}
    zones = []
    for zone in scene.watched.zones:
        if zone.congestion_capacity is None or zone.free_flow_speed is not None:
            zones.append(zone)
            continue
        speeds = []
        for key, v in seen.items():
            for i, p in v.points.items():
                q = v.points.get(i + 1)
                if q is None or not inside(p, zone.polygon) or v.speeds[i] < 0.75 * wish.get(lane_of[key], 1e9):
                    continue
                aspect = scene.camera.size_wh[0] / scene.camera.size_wh[1]
                speeds.append(float(np.hypot((q[0] - p[0]) * aspect, q[1] - p[1])) * FPS)
        zones.append(replace(zone, free_flow_speed=round(float(np.median(speeds)), 3) if len(speeds) > 10 else None))
    watches_jams = any(zone.congestion_capacity is not None for zone in zones)
    return replace(scene.watched, zones=tuple(zones), rules=(SHORT_JAMS,) if watches_jams else ())
