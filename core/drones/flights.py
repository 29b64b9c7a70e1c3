"""Flights as they are flown: from take-off to landing, with a thinned track; pure state over time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from core.drones.ground import distance_m
from core.drones.model import QUANTITIES, DroneState, Flight, LinkHealth, Position, TrackPoint
from core.drones.rules import is_airborne
from core.kernel.ids import new_id

LANDED_FOR_S = 3.0
"""On the ground for so long a flight is over; a bounce ends none."""

LOST_FOR_S = 600.0
"""Silent for so long a flight is over, and nobody saw its end."""

LEAST_STEP_M = 2.0
"""Shorter moves are noise of the receiver, and no way."""

POINT_EVERY_S, POINT_EVERY_M, POINT_AT_LEAST_EVERY_S = 1.0, 3.0, 10.0
"""A point is kept so long after the one before if it is so far from it, or after the longest time in any case."""


@dataclass(slots=True)
class FlightLog:
    """The flight of one drone, if it flies.

    Attributes:
        flight: What is flown; None on the ground.
        points: Kept since they were taken away last.
    """

    drone_id: str
    source: str = "live"
    log_file: str = ""
    is_forced: bool = False
    """Everything is one flight, whether it says that it flies or not."""

    flight: Flight | None = None
    points: list[TrackPoint] = field(default_factory=list)
    _battery_percent: float | None = None
    _from: Position | None = None
    _seen: Position | None = None
    _last_point: TrackPoint | None = None
    _ground_since: datetime | None = None
    _heard_before: datetime | None = None
    """Of a flight that was flown when the node ended, until it is heard again: when it was heard last."""

    def resume(self, flight: Flight, newest: TrackPoint | None) -> None:
        """Wait for a flight that was flown when the node ended to be heard again."""
        self.flight = flight
        self._heard_before = flight.began_at if newest is None else newest.at
        if newest is not None:
            self._last_point = newest
            self._from = Position(point=newest.point, at=newest.at)
            if newest.battery_percent is not None:
                self._battery_percent = newest.battery_percent + (flight.battery_used_percent or 0.0)

    def look(self, state: DroneState, now: datetime) -> Flight | None:
        """Go on with what is known now; returns the flight where it begins, ends or is heard again."""
        flies = True if self.is_forced else is_airborne(state)
        if self.flight is None:
            return self._begin(state, now) if flies and state.health is not LinkHealth.LOST else None
        if self._heard_before is not None:
            return self._look_again(self.flight, state, flies, self._heard_before, now)
        if flies is False:
            self._ground_since = self._ground_since or now
            if (now - self._ground_since).total_seconds() >= LANDED_FOR_S:
                return self._end(self._ground_since)
            return None
        self._ground_since = None
        self._go_on(self.flight, state)
        heard_at = state.heartbeat_at or now
        if state.health is LinkHealth.LOST and (now - heard_at).total_seconds() >= LOST_FOR_S:
            return self._end(heard_at, has_lost_end=True)
        return None

    def _look_again(
        self, flight: Flight, state: DroneState, flies: bool | None, heard_before: datetime, now: datetime
    ) -> Flight | None:
        """Look whether a flight goes on after the node was away; what was not heard of it is never made up."""
        is_heard = state.health is not LinkHealth.LOST
        heard_at = state.heartbeat_at if is_heard and state.heartbeat_at is not None else now
        away_s = (heard_at - heard_before).total_seconds()
        if is_heard and flies and away_s < LOST_FOR_S:
            self._heard_before = None
            self.flight = replace(flight, was_interrupted=True)
            return self.flight
        if (is_heard and flies is not None) or away_s >= LOST_FOR_S:
            return self.finish(heard_before, has_lost_end=True)
        return None

    def finish(self, at: datetime, *, has_lost_end: bool = False) -> Flight | None:
        """End a flight whose log is over, or whose drone is not looked at any more."""
        if self.flight is None:
            return None
        if self._heard_before is not None:
            self.flight = replace(self.flight, was_interrupted=True)
        return self._end(self._heard_before or at, has_lost_end=has_lost_end)

    def _begin(self, state: DroneState, now: datetime) -> Flight:
        self._battery_percent = state.battery_percent
        self._from = self._seen = self._last_point = self._ground_since = self._heard_before = None
        self.flight = Flight(
            flight_id=new_id(), drone_id=self.drone_id, began_at=now, source=self.source, log_file=self.log_file
        )
        self._go_on(self.flight, state)
        return self.flight

    def _go_on(self, flight: Flight, state: DroneState) -> None:
        height_m, percent = state.value("altitude_home_m"), state.battery_percent
        if height_m is not None and (flight.max_height_m is None or height_m > flight.max_height_m):
            flight = replace(flight, max_height_m=height_m)
        if self._battery_percent is None:
            self._battery_percent = percent
        elif percent is not None:
            flight = replace(flight, battery_used_percent=max(0.0, self._battery_percent - percent))
        position = state.position
        if position is not None and position is not self._seen and position.at >= flight.began_at:
            self._seen = position
            flight = self._move(flight, state, position)
        self.flight = flight

    def _move(self, flight: Flight, state: DroneState, position: Position) -> Flight:
        if self._from is None:
            self._from = position
        step_m = distance_m(self._from.point, position.point)
        if step_m >= LEAST_STEP_M:
            flight = replace(flight, distance_m=flight.distance_m + step_m)
            self._from = position
        if self._is_due(state, position):
            self._last_point = point_of(state, position)
            self.points.append(self._last_point)
            flight = replace(flight, n_points=flight.n_points + 1)
        return flight

    def _is_due(self, state: DroneState, position: Position) -> bool:
        last = self._last_point
        if last is None:
            return True
        age_s = (position.at - last.at).total_seconds()
        if age_s >= POINT_AT_LEAST_EVERY_S:
            return True
        height_m, before_m = state.value("altitude_home_m"), last.altitude_home_m
        climbed_m = 0.0 if height_m is None or before_m is None else abs(height_m - before_m)
        has_moved = distance_m(last.point, position.point) >= POINT_EVERY_M or climbed_m >= POINT_EVERY_M
        return age_s >= POINT_EVERY_S and has_moved

    def _end(self, at: datetime, *, has_lost_end: bool = False) -> Flight:
        assert self.flight is not None
        ended = replace(self.flight, ended_at=max(at, self.flight.began_at), has_lost_end=has_lost_end)
        self.flight = None
        self._ground_since = self._heard_before = None
        return ended


def point_of(state: DroneState, position: Position) -> TrackPoint:
    """Return what is known at a position; what is old by then is left out."""

    def fresh(key: str) -> float | None:
        measured = state.values.get(key)
        if measured is None or abs((position.at - measured.at).total_seconds()) > QUANTITIES[key].stale_s:
            return None
        return measured.value

    return TrackPoint(
        at=position.at,
        point=position.point,
        altitude_amsl_m=fresh("altitude_amsl_m"),
        altitude_home_m=fresh("altitude_home_m"),
        ground_speed_mps=fresh("ground_speed_mps"),
        heading_deg=fresh("heading_deg"),
        battery_percent=state.fresh_battery_percent(position.at),
    )
