"""One drone as its reports add up: the newest of everything, each with its own age."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from core.drones.ground import distance_m
from core.drones.links import DroneLinks
from core.drones.model import (
    MAX_TEXTS,
    QUANTITIES,
    BatteryPack,
    DroneReport,
    DroneState,
    Gnss,
    LinkHealth,
    Measured,
    Mode,
    Position,
    Signing,
    StatusText,
)
from core.media.parameters import public_address

SAME_TEXT_S = 60.0
"""A text said again within so long is the same one."""

IMPOSSIBLE_MPS, LEAST_JUMP_M = 100.0, 300.0
"""Positions from two senders that are apart faster and farther are those of two drones."""

TWO_DRONES_SHOWN_S = 60.0
JUMPS, JUMPS_WITHIN_S = 3, 30.0
"""A place that somebody jumps away from and comes back to so often is that of another drone."""

MAX_SENDERS = 32
"""Of one drone, whose places are compared."""

NULL_ISLAND_DEG = 1e-6
_OF_PACK = {
    "remaining_percent": (0.0, 100.0),
    "voltage_v": (0.0, 1000.0),
    "current_a": (-2000.0, 2000.0),
    "used_mah": (0.0, 10_000_000.0),
    "temperature_c": (-100.0, 300.0),
    "time_left_s": (0.0, 1_000_000.0),
}
_OF_RECEIVER = {"n_satellites": (0.0, 250.0), "hdop": (0.0, 1000.0), "vdop": (0.0, 1000.0), "accuracy_m": (0.0, 1e6)}
T = TypeVar("T", BatteryPack, Gnss)
V = TypeVar("V")


class LiveDrone:
    """Adds up reports of one drone.

    Threads: the node's loop.
    """

    def __init__(self, drone_id: str) -> None:
        """Start knowing nothing."""
        self._state = DroneState(drone_id=drone_id)
        self._values: dict[str, Measured] = {}
        self._links = DroneLinks()
        self._fixes: dict[tuple[str, str], Position] = {}
        self._places: dict[tuple[str, str], Turns[Position]] = {}
        self._two_drones: tuple[datetime, str] | None = None
        self._is_dressed = True
        self._is_from_before = False
        self.refused: Counter[str] = Counter()
        """Values that were not finite or impossible, by what they were."""

    @property
    def state(self) -> DroneState:
        """Everything known right now."""
        if not self._is_dressed:
            self._dress()
        return self._state

    @property
    def link_ids(self) -> set[str]:
        """The links that it is heard on."""
        return self._links.link_ids

    def remember(self, state: DroneState, now: datetime) -> None:
        """Go on from what was known when the node ended: where it was last heard, and that it flew.

        It is called lost only after it had time to be heard again.
        """
        self._state, self._values = state, dict(state.values)
        self._is_from_before = True
        if state.heartbeat_at is not None:
            self._links.remember(state.heartbeat_at, now)
        self._is_dressed = False

    def name_two(self, at: datetime, sentence: str) -> None:
        """Say for a while that two drones go by this id."""
        self._two_drones = (at, sentence)
        self._is_dressed = False

    def take(self, report: DroneReport, now: datetime) -> int:
        """Add a report; returns how many of its values were refused."""
        n_refused = 0
        is_used = self._links.take(report, now)
        position = self._usable_position(report)
        if position is not None:
            self._look_for_two(report, position)
        if report.has_two_senders or (position is not None and self._jumps(report, position)):
            self._name_two_on_one_way(report)
        if is_used:
            n_refused = self._merge(report, position)
        self._is_dressed = False
        return n_refused

    def watch(self, now: datetime) -> bool:
        """Look at the ages; returns whether something is otherwise than before."""
        is_new = self._links.watch(now)
        if self._two_drones is not None and (now - self._two_drones[0]).total_seconds() > TWO_DRONES_SHOWN_S:
            self._two_drones, is_new = None, True
        if is_new:
            self._is_dressed = False
        return is_new

    def mark(self, *, flight_id: str, airborne_since: datetime | None) -> None:
        """Note which flight is flown."""
        self._state = replace(self._state, flight_id=flight_id, airborne_since=airborne_since)

    def _merge(self, report: DroneReport, position: Position | None) -> int:
        state, at = self._state, report.at
        if self._is_from_before and report.is_heartbeat:
            # Whether it still flies is what it says now.
            state = replace(state, is_armed=None, armed_at=None, landed=None, landed_at=None)
            self._is_from_before = False
        n_refused = self._take_values(report)
        self._state = replace(
            state,
            position=position or state.position,
            home=report.home or state.home,
            batteries=_by_number(state.batteries, tuple(_possible(pack, _OF_PACK) for pack in report.batteries)),
            gnss=_by_number(state.gnss, tuple(_possible(receiver, _OF_RECEIVER) for receiver in report.gnss)),
            mode=state.mode if report.mode is None else Mode(name=report.mode, at=at, is_automatic=report.is_automatic),
            is_armed=state.is_armed if report.is_armed is None else report.is_armed,
            armed_at=state.armed_at if report.is_armed is None else at,
            landed=state.landed if report.landed is None else report.landed,
            landed_at=state.landed_at if report.landed is None else at,
            mission=report.mission or state.mission,
            parts=report.parts or state.parts,
            texts=_joined(state.texts, report.texts),
            is_fence_breached=state.is_fence_breached if report.is_fence_breached is None else report.is_fence_breached,
            footprint=report.footprint or state.footprint,
            video_uri=public_address(report.video_uri) or state.video_uri,
            sent_at=report.sent_at or state.sent_at,
            is_high_latency=report.is_high_latency,
        )
        self._measure_home(at)
        return n_refused

    def _take_values(self, report: DroneReport) -> int:
        n_refused = 0
        for key, value in report.values.items():
            quantity = QUANTITIES.get(key)
            if quantity is None or not quantity.lowest <= value <= quantity.highest:
                self.refused[key[:40]] += 1
                n_refused += 1
                continue
            self._values[key] = Measured(value, report.at)
        return n_refused

    def _measure_home(self, at: datetime) -> None:
        position, home = self._state.position, self._state.home
        if position is not None and home is not None and position.at == at:
            self._values["home_distance_m"] = Measured(distance_m(position.point, home.point), at)

    def _usable_position(self, report: DroneReport) -> Position | None:
        point = report.position
        if point is None:
            return None
        if abs(point.lat_deg) < NULL_ISLAND_DEG and abs(point.lon_deg) < NULL_ISLAND_DEG:
            return None
        accuracy_m = report.accuracy_m
        if accuracy_m is not None and not (math.isfinite(accuracy_m) and accuracy_m >= 0.0):
            accuracy_m = None
        return Position(point=point, at=report.at, accuracy_m=accuracy_m)

    def _look_for_two(self, report: DroneReport, position: Position) -> None:
        """Two senders that are never in the same place are two drones with one name."""
        key = (report.link_id, report.path)
        for other, fix in self._fixes.items():
            if other == key:
                continue
            if is_jump(fix, position):
                apart_m = distance_m(position.point, fix.point)
                senders = " and ".join(sorted(" ".join(part for part in one if part) for one in (key, other)))
                self._two_drones = (
                    report.at,
                    f"Two drones go by this name, {apart_m / 1000.0:,.1f} km apart, heard on {senders}. "
                    "Give each its own system number or id.",
                )
        self._fixes.pop(key, None)
        self._fixes[key] = position
        if len(self._fixes) > MAX_SENDERS:
            # The first one is who spoke longest ago.
            del self._fixes[next(iter(self._fixes))]

    def _jumps(self, report: DroneReport, position: Position) -> bool:
        """Return whether one sender is in two places in turns."""
        key = (report.link_id, report.path)
        places = self._places.get(key)
        if places is None:
            if len(self._places) >= MAX_SENDERS:
                del self._places[next(iter(self._places))]
            places = self._places[key] = Turns(is_jump, JUMPS, JUMPS_WITHIN_S)
        return places.take(position, position.at)

    def _name_two_on_one_way(self, report: DroneReport) -> None:
        where = " ".join(part for part in (report.link_id, report.path) if part)
        self.name_two(
            report.at,
            f"Two drones go by this name on {where}, in turns: what is shown may be of either. "
            "Give each its own system number or id.",
        )

    def _dress(self) -> None:
        links = self._links
        namesake = "" if self._two_drones is None else self._two_drones[1]
        faults = [namesake] if namesake else []
        if links.signing is Signing.BAD:
            faults.append("Its messages carry wrong signatures. Check the link's key, or who sends there.")
        self._state = replace(
            self._state,
            health=links.health,
            heartbeat_at=links.heartbeat_at,
            lost_at=links.lost_at,
            links=links.statuses(),
            values=dict(self._values),
            namesake=namesake,
            faults=tuple(faults),
        )
        self._is_dressed = True


class Turns(Generic[V]):
    """Notices who is, in turns, now one and now another."""

    __slots__ = ("_is_other", "_left", "_newest", "_turned_at", "_within_s")

    def __init__(self, is_other: Callable[[V, V], bool], n: int, within_s: float) -> None:
        """Notice `n` turns within so many seconds, by what tells two apart."""
        self._is_other = is_other
        self._within_s = within_s
        self._newest: V | None = None
        self._left: V | None = None
        self._turned_at: deque[datetime] = deque(maxlen=n)

    def take(self, value: V, at: datetime) -> bool:
        """Go on; returns whether this turn is one of too many."""
        newest, self._newest = self._newest, value
        if newest is None or not self._is_other(newest, value):
            return False
        left, self._left = self._left, newest
        # One turn is a receiver that found itself, or a restart; back to what was left, and away again, are two.
        if left is None or self._is_other(left, value):
            self._turned_at.clear()
            return False
        self._turned_at.append(at)
        return len(self._turned_at) == self._turned_at.maxlen and self.is_recent(at)

    def is_recent(self, at: datetime) -> bool:
        """Return whether the first of the last turns is no longer ago than that."""
        return bool(self._turned_at) and (at - self._turned_at[0]).total_seconds() <= self._within_s


def is_jump(a: Position, b: Position) -> bool:
    """Return whether no drone flies from one place to the other in that time."""
    apart_m = distance_m(a.point, b.point)
    age_s = max(0.1, abs((b.at - a.at).total_seconds()))
    return apart_m > LEAST_JUMP_M and apart_m / age_s > IMPOSSIBLE_MPS


def _possible(said: T, limits: dict[str, tuple[float, float]]) -> T:
    """Take away what cannot be: not finite, or outside its limits; then it is unknown."""
    values = {name: getattr(said, name) for name in limits}
    wrong: dict[str, Any] = {
        name: None for name, value in values.items() if value is not None and not _is_within(value, limits[name])
    }
    return replace(said, **wrong) if wrong else said


def _is_within(value: float, limits: tuple[float, float]) -> bool:
    return math.isfinite(value) and limits[0] <= value <= limits[1]


def _by_number(known: tuple[T, ...], new: tuple[T, ...]) -> tuple[T, ...]:
    if not new:
        return known
    by_number: dict[int, T] = {item.number: item for item in known}
    by_number.update({item.number: item for item in new})
    return tuple(by_number[number] for number in sorted(by_number))


def _joined(known: tuple[StatusText, ...], new: tuple[StatusText, ...]) -> tuple[StatusText, ...]:
    """Add texts; what is said again within a minute moves to the end and counts up."""
    texts = list(known)
    for text in new:
        same = next(
            (
                one
                for one in texts
                if (one.level, one.text) == (text.level, text.text) and (text.at - one.at).total_seconds() < SAME_TEXT_S
            ),
            None,
        )
        if same is not None:
            texts.remove(same)
            text = replace(text, first_at=same.first_at, n_times=same.n_times + text.n_times)
        texts.append(text)
    return tuple(texts[-MAX_TEXTS:])


def is_heard(state: DroneState) -> bool:
    """Return whether a drone speaks right now."""
    return state.health is not LinkHealth.LOST
