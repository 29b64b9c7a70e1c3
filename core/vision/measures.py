"""What one camera measures, minute by minute: counts, speeds, occupancy, density, queues, origins and destinations.

Durations are seconds of pictures that were really there; which minute they belong to is said by the pictures' wall
time. A minute says how much of it was seen (`observed_s`): a gap is not a zero. A wall clock that is set makes minutes
shorter or lets one be seen twice, nothing else; whoever stores them adds the parts up.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from core.vision.classes import labels_sought
from core.vision.flow import FlowMinute
from core.vision.geometry import Point, scale_points
from core.vision.lanes import LaneShape
from core.vision.lines import Crossing, LineCounter
from core.vision.model import PERSON, VEHICLE_LABELS, CountLine, Lane, Scene, Zone
from core.vision.plane import Array, Plane, PlaneError, solve
from core.vision.speed import WINDOW_S, Speed, SpeedMeter
from core.vision.vehicles import PictureClock, Sighting
from core.vision.zones import ZonePresence

MINUTE = timedelta(minutes=1)
LATE_S = 5.0
"""A minute is over when no picture of it came for so long after its end."""

CLOCK_SET_S = 2.0
"""Where wall time and picture time disagree by more than this between two pictures, the clock was set."""

QUEUE_BELOW_KMH, QUEUE_ABOVE_KMH = 8.0, 15.0
"""A vehicle slower than the first is in a queue until it is faster than the second."""

QUEUE_GAP_M = 20.0
"""Between two middles of vehicles of one queue, at most."""

QUEUE_VEHICLES = 2
UNSEEN_S = 3.0
"""Somebody in a queue whom another hides is still in it for this long."""

LEAST_SPEEDS = 3
VEHICLE_LENGTH_M = {"car": 4.5, "bus": 12.0, "truck": 9.0, "motorcycle": 2.2, "bicycle": 1.8}
_USUAL_LENGTH_M = 4.5


class MinuteMeasures:
    """Measures one camera's scene; used from one thread.

    Attributes:
        plane: How the picture lies on the road; None where nobody set it, or where it cannot be used.
        plane_fault: Why there is no road plane although one was set; empty where all is well.
        speeds: What is known in the newest picture, by the vehicles' keys.
    """

    def __init__(
        self,
        camera_id: str,
        scene: Scene,
        aspect: float,
        labels: frozenset[str] = frozenset(VEHICLE_LABELS),
        known: frozenset[str] | None = None,
    ) -> None:
        """Lay out lanes, lines, zones and the road plane.

        Args:
            camera_id: Written into the minutes.
            scene: What was drawn.
            aspect: Width of the picture over its height.
            labels: Classes that the camera looks for: those of what names none of its own.
            known: Classes that the model knows; None where it knows all.
        """
        self.plane_fault = ""
        self.speeds: dict[int, Speed] = {}
        self._camera_id = camera_id
        self._scene = scene
        self._labels, self._known = labels, known
        self.plane = plane = self._solve(scene, aspect)
        self._meter = None if plane is None else SpeedMeter(plane)
        self._lanes = [_LaneMeter(lane, aspect, plane) for lane in scene.lanes]
        self._zones = [(zone, ZonePresence(zone, aspect)) for zone in scene.zones]
        self._been: dict[int, tuple[str, ...]] = {}
        self._open: _Minute | None = None
        self._done: list[FlowMinute] = []
        self._last_at: datetime | None = None

    def update(
        self,
        sightings: Sequence[Sighting],
        counted: Sequence[Sighting],
        gone: Iterable[int],
        crossings: Sequence[tuple[CountLine, Crossing]],
        clock: PictureClock,
        captured_at: datetime,
        *,
        watched_s: float,
        saw_nothing: bool,
        is_unsure: bool,
    ) -> None:
        """Take one picture.

        Args:
            sightings: Everybody who is followed: of them count those whose class a lane or zone names.
            counted: Those of the classes that the camera looks for; they count where no class is named.
            gone: Keys of those that are forgotten from now on.
            crossings: Who crossed a counting line in this picture.
            clock: Of the pictures, already advanced to this one.
            captured_at: Wall time of the picture.
            watched_s: Of the seconds since the last picture, those in which nobody can have passed unseen: none of a
                camera that is blind, or looked at too rarely.
            saw_nothing: As `ZonePresence.update` takes it.
            is_unsure: The picture does not show what was drawn on: nothing is counted or measured in it.
        """
        minute = self._turn_to(captured_at, clock.dt_s, min(watched_s, clock.dt_s))
        self._follow_speeds(() if is_unsure else sightings, gone, clock, begins_anew=clock.is_gap or is_unsure)
        for line, crossing in crossings:
            minute.lines[line.key, crossing.direction, crossing.sighting.track.label] += 1
        for lane in self._lanes:
            who = sightings if lane.names_classes else counted
            if is_unsure:
                lane.break_off()
            else:
                lane.update(minute.lanes[lane.key], who, self.speeds, clock.now_s, watched_s)
            lane.forget(gone)
        self._follow_ways(minute, sightings, counted, gone, clock, saw_nothing=saw_nothing, is_unsure=is_unsure)

    def _follow_speeds(
        self, sightings: Sequence[Sighting], gone: Iterable[int], clock: PictureClock, *, begins_anew: bool
    ) -> None:
        if self._meter is None:
            return
        if begins_anew:
            self._meter.forget_all()
        self.speeds = self._meter.update(sightings, clock.now_s)
        self._meter.forget(gone)

    def use_known(self, known: frozenset[str]) -> None:
        """Go on with a model that knows these classes."""
        self._known = known

    def break_off(self) -> None:
        """Let nobody pass the middle of a lane with the next picture: it does not go on from the last one."""
        for lane in self._lanes:
            lane.break_off()

    def take_ended(self, now: datetime) -> tuple[FlowMinute, ...]:
        """Return the minutes that ended since the last call; also where pictures stopped coming.

        Args:
            now: Wall time.
        """
        if self._open is not None:
            over_s = (now - self._open.start - MINUTE).total_seconds()
            if over_s > LATE_S or over_s < -60.0 - LATE_S:
                self._close()
        return self._take()

    def take_all(self) -> tuple[FlowMinute, ...]:
        """Return what was measured so far, the open minute as well: nothing more will come."""
        self._close()
        return self._take()

    def _solve(self, scene: Scene, aspect: float) -> Plane | None:
        if scene.plane is None:
            return None
        try:
            return solve(scene.plane, aspect)
        except PlaneError as error:
            self.plane_fault = str(error)
            return None

    def _turn_to(self, captured_at: datetime, dt_s: float, watched_s: float) -> _Minute:
        """Give the watched seconds since the last picture to their minutes, and return the one that is now open."""
        start = captured_at.astimezone(UTC).replace(second=0, microsecond=0)
        last, self._last_at = self._last_at, captured_at
        passed_s = 0.0 if last is None else (captured_at - last).total_seconds()
        if self._open is None or self._open.start == start:
            self._open = self._open or _Minute(start)
            self._open.observe(watched_s)
            return self._open
        is_set = abs(passed_s - dt_s) > CLOCK_SET_S
        since_start_s = 0.0 if is_set else min(watched_s, (captured_at - start).total_seconds())
        self._open.observe(watched_s - since_start_s)
        self._close()
        self._open = _Minute(start)
        self._open.observe(since_start_s)
        return self._open

    def _follow_ways(
        self,
        minute: _Minute,
        sightings: Sequence[Sighting],
        counted: Sequence[Sighting],
        gone: Iterable[int],
        clock: PictureClock,
        *,
        saw_nothing: bool,
        is_unsure: bool,
    ) -> None:
        """Count who comes into a zone, and each zone where a vehicle was before, once; people on foot apart."""
        for zone, presence in self._zones:
            key, who = zone.key, sightings if zone.labels else counted
            change = presence.update(who, presence.inside(who), clock, saw_nothing=saw_nothing)
            entered = () if is_unsure else change.entered
            for sighting in entered:
                is_person = sighting.track.label == PERSON
                minute.zones[key, PERSON if is_person else ""] += 1
                if is_person:
                    continue
                been = self._been.get(sighting.key, ())
                if key in been:
                    continue
                for origin in been:
                    minute.ways[f"{origin}>{key}"] += 1
                self._been[sighting.key] = (*been, key)
            # Who came in while nobody saw counts no more than who was found there.
            for sighting in change.found + (change.entered if is_unsure else ()):
                if sighting.track.label == PERSON:
                    continue
                self._been[sighting.key] = tuple(dict.fromkeys((*self._been.get(sighting.key, ()), key)))
            presence.forget(gone)
        for vehicle in gone:
            self._been.pop(vehicle, None)

    def _take(self) -> tuple[FlowMinute, ...]:
        done, self._done = tuple(self._done), []
        return done

    def _close(self) -> None:
        minute, self._open = self._open, None
        if minute is None or (minute.observed_s < 0.5 and minute.is_empty):
            return
        self._done += self._lines_of(minute)
        for lane in self._lanes:
            if not self._sought(lane.lane) - {PERSON}:
                self._done.append(self._not_known(minute, "lane", lane.key))
                continue
            seen = minute.lanes[lane.key]
            n_vehicles = sum(n for label, n in seen.classes.items() if label != PERSON)
            total = self._counted(minute, "lane", lane.key, n_vehicles)
            self._done.append(lane.complete(total, seen, minute.observed_s))
            self._done += [self._counted(minute, "lane", lane.key, n, label=label) for label, n in seen.classes.items()]
        for zone, _ in self._zones:
            self._done += self._zone_of(minute, zone)
        for key, n_vehicles in minute.ways.items():
            self._done.append(self._counted(minute, "od", key, n_vehicles))

    def _lines_of(self, minute: _Minute) -> list[FlowMinute]:
        """Return each line's vehicles and people by direction, zeros too, and each class that came."""
        found = []
        for line in self._scene.lines:
            sought = self._sought(line)
            sees_vehicles = line.counts_vehicles and bool(sought - {PERSON})
            for direction in dict.fromkeys((line.forward_name, line.backward_name)):
                if not sought:
                    found.append(self._not_known(minute, "line", line.key, direction=direction))
                    continue
                classes = {
                    label: n for (key, way, label), n in minute.lines.items() if key == line.key and way == direction
                }
                total = sum(n for label, n in classes.items() if label != PERSON) if sees_vehicles else None
                if PERSON in sought:
                    classes.setdefault(PERSON, 0)
                found.append(self._counted(minute, "line", line.key, total, direction=direction))
                found += [
                    self._counted(minute, "line", line.key, n, direction=direction, label=label)
                    for label, n in classes.items()
                ]
        return found

    def _zone_of(self, minute: _Minute, zone: Zone) -> list[FlowMinute]:
        """Return who came into a zone: vehicles, and people apart where the zone names them; zeros too."""
        sought = self._sought(zone)
        if not sought:
            return [self._not_known(minute, "zone", zone.key)]
        sees_vehicles = zone.counts_vehicles and bool(sought - {PERSON})
        found = [self._counted(minute, "zone", zone.key, minute.zones[zone.key, ""] if sees_vehicles else None)]
        if PERSON in sought:
            n_people = minute.zones[zone.key, PERSON]
            found.append(self._counted(minute, "zone", zone.key, n_people, label=PERSON))
        return found

    def _counted(
        self, minute: _Minute, subject: str, key: str, n_vehicles: int | None, *, direction: str = "", label: str = ""
    ) -> FlowMinute:
        return FlowMinute(
            camera_id=self._camera_id,
            subject=subject,
            key=key,
            minute=minute.start,
            direction=direction,
            label=label,
            observed_s=round(minute.observed_s, 1),
            n_vehicles=n_vehicles,
        )

    def _not_known(self, minute: _Minute, subject: str, key: str, *, direction: str = "") -> FlowMinute:
        """Return the minute of what nobody could see: none of its classes is looked for, or the model knows none."""
        return replace(self._counted(minute, subject, key, None, direction=direction), observed_s=0.0)

    def _sought(self, place: CountLine | Lane | Zone) -> frozenset[str]:
        return labels_sought(place.labels, self._labels, self._known)


@dataclass(slots=True)
class _VehicleSpeeds:
    """The speeds of one vehicle in one lane in one minute."""

    weighted_kmh: float = 0.0
    weight: float = 0.0
    n_speeds: int = 0
    first_s: float = 0.0
    last_s: float = 0.0

    def add(self, speed: Speed, now_s: float) -> None:
        weight = 1.0 / max(speed.error_kmh, 0.5) ** 2
        self.weighted_kmh += weight * speed.kmh
        self.weight += weight
        self.first_s = self.first_s if self.n_speeds else now_s
        self.last_s = now_s
        self.n_speeds += 1

    @property
    def kmh(self) -> float:
        return self.weighted_kmh / self.weight

    @property
    def error_kmh(self) -> float:
        # Speeds within one window are made of the same points: they are one reading.
        n_apart = 1.0 + (self.last_s - self.first_s) / WINDOW_S
        return math.sqrt(self.n_speeds / self.weight / n_apart)


@dataclass(slots=True)
class _LaneMinute:
    classes: Counter[str] = field(default_factory=Counter)
    covered_s: float = 0.0
    vehicle_s: float = 0.0
    queue_m: float = 0.0
    speeds: dict[int, _VehicleSpeeds] = field(default_factory=lambda: defaultdict(_VehicleSpeeds))


@dataclass(slots=True)
class _Minute:
    start: datetime
    observed_s: float = 0.0
    lines: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    zones: Counter[tuple[str, str]] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    lanes: dict[str, _LaneMinute] = field(default_factory=lambda: defaultdict(_LaneMinute))

    def observe(self, seconds: float) -> None:
        self.observed_s = min(60.0, self.observed_s + max(0.0, seconds))

    @property
    def is_empty(self) -> bool:
        return not (self.lines or self.zones or self.ways or any(lane.classes for lane in self.lanes.values()))


@dataclass(frozen=True, slots=True)
class _OnLane:
    """Where a vehicle's footprint lies along a lane [m]."""

    middle_m: float
    length_m: float
    at_s: float


class _LaneMeter:
    """One lane: who passes its middle, how long that is covered, how fast, dense and queued it is."""

    def __init__(self, lane: Lane, aspect: float, plane: Plane | None) -> None:
        self.key = lane.key
        self.lane = lane
        self._aspect = aspect
        self._shape = LaneShape(lane, aspect)
        start, end = scale_points((lane.start, lane.end), aspect)
        self._middle: Point = (float(start[0] + end[0]) / 2, float(start[1] + end[1]) / 2)
        self._counter = LineCounter(_middle_line(lane, aspect), aspect)
        self._road = None if plane is None else _Road.under(lane, aspect, plane)
        self._before: dict[int, _OnLane] = {}
        self._queued: dict[int, _OnLane] = {}

    @property
    def names_classes(self) -> bool:
        """Whether the lane itself says what is measured in it, whatever else the camera looks for."""
        return bool(self.lane.labels)

    def update(
        self,
        minute: _LaneMinute,
        sightings: Sequence[Sighting],
        speeds: dict[int, Speed],
        now_s: float,
        watched_s: float,
    ) -> None:
        for crossing in self._counter.update(sightings):
            minute.classes[crossing.sighting.track.label] += 1
        inside = self._shape.inside(sightings)
        minute.vehicle_s += len(inside) * watched_s
        for sighting in inside:
            speed = speeds.get(sighting.key)
            if speed is not None:
                minute.speeds[sighting.key].add(speed, now_s)
        if self._road is None:
            if any(self._covers_middle(sighting) for sighting in inside):
                minute.covered_s += watched_s
            return
        now = self._road.place(inside, now_s)
        minute.covered_s += self._covered_s(now, watched_s)
        self._before = now
        self._note_queue(now, speeds, now_s)
        minute.queue_m = max(minute.queue_m, _longest_queue(self._queued.values()))

    def break_off(self) -> None:
        self._counter.break_off()
        self._before = {}

    def forget(self, keys: Iterable[int]) -> None:
        self._counter.forget(keys)
        for key in keys:
            self._queued.pop(key, None)

    def complete(self, total: FlowMinute, seen: _LaneMinute, observed_s: float) -> FlowMinute:
        """Add to a lane's counts what else was measured."""
        speed_kmh, error_kmh = self._speed_of(seen)
        density = None
        if self._road is not None and observed_s > 0:
            density = round(seen.vehicle_s / observed_s / (self._road.extent_m / 1000.0), 2)
        return replace(
            total,
            speed_kmh=speed_kmh,
            speed_error_kmh=error_kmh,
            occupancy=round(min(1.0, seen.covered_s / observed_s), 4) if observed_s > 0 else None,
            density_per_km=density,
            queue_m=None if self._road is None else round(seen.queue_m, 1),
        )

    def _speed_of(self, seen: _LaneMinute) -> tuple[float | None, float | None]:
        known = [speeds for speeds in seen.speeds.values() if speeds.n_speeds >= LEAST_SPEEDS]
        if not known or self._road is None:
            return None, None
        mean = sum(speeds.kmh for speeds in known) / len(known)
        by_boxes = math.sqrt(sum(speeds.error_kmh**2 for speeds in known)) / len(known)
        return round(mean, 1), round(math.hypot(by_boxes, mean * self._road.length_error), 1)

    def _covers_middle(self, sighting: Sighting) -> bool:
        """Without a road plane: the lower half of the box stands for the vehicle's footprint."""
        x1, y1, x2, y2 = sighting.track.bbox_xyxy
        is_beside = x1 * self._aspect <= self._middle[0] <= x2 * self._aspect
        return is_beside and (y1 + y2) / 2 <= self._middle[1] <= y2

    def _covered_s(self, now: dict[int, _OnLane], watched_s: float) -> float:
        """Return for how long of the watched seconds somebody stood over the middle, each moving evenly meanwhile."""
        if self._road is None or watched_s <= 0:
            return 0.0
        total_s = 0.0
        for key, there in now.items():
            before = self._before.get(key)
            ahead = self._road.length_m / 2 - there.middle_m
            was_ahead = ahead if before is None else self._road.length_m / 2 - before.middle_m
            total_s += watched_s * _share_within(was_ahead, ahead, there.length_m / 2)
        return min(watched_s, total_s)

    def _note_queue(self, now: dict[int, _OnLane], speeds: dict[int, Speed], now_s: float) -> None:
        for key, there in now.items():
            speed = speeds.get(key)
            if key in self._queued:
                self._queued[key] = there
                if speed is not None and speed.kmh > QUEUE_ABOVE_KMH:
                    del self._queued[key]
            elif speed is not None and speed.kmh < QUEUE_BELOW_KMH:
                self._queued[key] = there
        for key in [key for key, there in self._queued.items() if now_s - there.at_s > UNSEEN_S]:
            del self._queued[key]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Road:
    """A lane on the ground.

    Attributes:
        length_m: From its start to its end.
        extent_m: Of the drawn lane, along that way.
        length_error: Of distances along it, from the plane, as a part of them.
    """

    plane: Plane
    start_m: Array
    unit: Array
    length_m: float
    extent_m: float
    length_error: float

    @staticmethod
    def under(lane: Lane, aspect: float, plane: Plane) -> _Road | None:
        """Return the ground under a lane; None where an end of it is in the sky."""
        ends = scale_points((lane.start, lane.end), aspect)
        ground = plane.ground_of_heights(ends)
        length_m = float(np.linalg.norm(ground[1] - ground[0]))
        if not length_m > 0.5:
            return None
        unit = (ground[1] - ground[0]) / length_m
        reach = plane.ground_of(lane.polygon) @ unit
        (x1, y1), (x2, y2) = ends.tolist()
        return _Road(
            plane=plane,
            start_m=ground[0],
            unit=unit,
            length_m=length_m,
            # A corner in the sky has no place: what is left of the lane then counts.
            extent_m=max(length_m, float(np.nanmax(reach) - np.nanmin(reach))),
            length_error=plane.length_error((x1, y1), (x2, y2)),
        )

    def place(self, sightings: Sequence[Sighting], now_s: float) -> dict[int, _OnLane]:
        """Return where vehicles stand along the lane.

        A box's lower edge is the end of the vehicle that is turned to the camera; its middle is half a length further.
        """
        if not sightings:
            return {}
        places = np.array([sighting.ground for sighting in sightings])
        ground = self.plane.ground_of_heights(places)
        away = -self.plane.jacobians(places)[:, :, 1]
        turned = (away @ self.unit) / np.linalg.norm(away, axis=1)
        near_m = (ground - self.start_m) @ self.unit
        found = {}
        for sighting, along_m, cosine in zip(sightings, near_m.tolist(), turned.tolist(), strict=True):
            length_m = VEHICLE_LENGTH_M.get(sighting.track.label, _USUAL_LENGTH_M)
            if math.isfinite(along_m) and math.isfinite(cosine):
                found[sighting.key] = _OnLane(along_m + cosine * length_m / 2, length_m, now_s)
        return found


def _share_within(before: float, after: float, reach: float) -> float:
    """Return for which part of an even way from `before` to `after` the distance to 0 was at most `reach`."""
    low, high = min(before, after), max(before, after)
    if high - low < 1e-9:
        return 1.0 if abs(after) <= reach else 0.0
    return max(0.0, min(high, reach) - max(low, -reach)) / (high - low)


def _longest_queue(queued: Iterable[_OnLane]) -> float:
    """Return the length of the longest row of vehicles that stand close behind each other; one alone is no queue."""
    longest_m = 0.0
    row: list[_OnLane] = []
    for there in sorted(queued, key=lambda vehicle: vehicle.middle_m):
        if row and there.middle_m - row[-1].middle_m > QUEUE_GAP_M:
            row = []
        row.append(there)
        if len(row) >= QUEUE_VEHICLES:
            span_m = row[-1].middle_m - row[0].middle_m
            longest_m = max(longest_m, span_m + (row[0].length_m + row[-1].length_m) / 2)
    return longest_m


def _middle_line(lane: Lane, aspect: float) -> CountLine:
    """Return a line across a lane's middle, from edge to edge; on its right side is the lane's end."""
    start, end = scale_points((lane.start, lane.end), aspect)
    middle, axis = (start + end) / 2, end - start
    across = np.array([axis[1], -axis[0]]) / max(float(np.hypot(*axis)), 1e-9)
    polygon = scale_points(lane.polygon, aspect)
    cuts = []
    for corner, following in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        run = float((following - corner) @ axis)
        share = -float((corner - middle) @ axis) / run if run else -1.0
        if 0 <= share <= 1:
            cuts.append(float((corner + share * (following - corner) - middle) @ across))
    left = max((cut for cut in cuts if cut < 0), default=-0.05)
    right = min((cut for cut in cuts if cut > 0), default=0.05)
    ends = [(middle + reach * across) / np.array([aspect, 1.0]) for reach in (left, right)]
    (x1, y1), (x2, y2) = (point.tolist() for point in ends)
    return CountLine(key=lane.key, name=lane.name, start=(x1, y1), end=(x2, y2), labels=lane.labels)
