"""Logs that are brought in: the flights of every drone in them, and what of them could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from core.drones.flights import FlightLog
from core.drones.log_files import read_log
from core.drones.merge import LiveDrone
from core.drones.model import MAX_ID_LENGTH, DroneReport, Flight, TrackPoint

IMPORTED = "imported"
VEHICLE = "#"
"""Behind the name of a log of several drones: which of them."""

_MAVLINK_PREFIX = "mav-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLog:
    """What a log holds."""

    flights: tuple[Flight, ...]
    points: tuple[tuple[str, TrackPoint], ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Vehicle:
    """One drone of a log."""

    drone_id: str
    log_file: str
    source: str
    at: datetime
    live: LiveDrone = field(init=False)
    flight_log: FlightLog = field(init=False)
    whole: FlightLog = field(init=False)
    flights: list[Flight] = field(default_factory=list)
    points: list[tuple[str, TrackPoint]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.live = LiveDrone(self.drone_id)
        self.flight_log = FlightLog(self.drone_id, source=self.source, log_file=self.log_file)
        self.whole = FlightLog(self.drone_id, source=self.source, log_file=self.log_file, is_forced=True)

    def take(self, report: DroneReport) -> None:
        """Go on with what it says."""
        self.at = report.at
        self.live.take(of_drone(report, self.drone_id), self.at)
        self.whole.look(self.live.state, self.at)
        turn = self.flight_log.look(self.live.state, self.at)
        current = turn or self.flight_log.flight
        if current is not None:
            self.points += [(current.flight_id, point) for point in self.flight_log.points]
            self.flight_log.points.clear()
        if turn is not None and turn.ended_at is not None:
            self.flights.append(turn)

    def end(self) -> None:
        """End what is flown still; where nobody took off all of it is one flight."""
        has_flown = self.flights or self.flight_log.flight
        for one in (self.flight_log, *(() if has_flown else (self.whole,))):
            ended = one.finish(self.at)
            if ended is not None and ended.n_points:
                self.flights.append(ended)
                self.points += [(ended.flight_id, point) for point in one.points]


def flights_of(file: Path, name: str, kept_as: str, drone_id: str) -> ReadLog:
    """Read a log.

    Args:
        file: Where it lies.
        name: What its owner calls it.
        kept_as: How its flights name it.
        drone_id: Whose flights these are; of a log of several drones those of the one of that id, or of the first.
            Empty makes ids of the file's name.

    Raises:
        BadInputError: It is no log, or holds nothing of a drone.
    """
    notes: list[str] = []
    vehicles: dict[str, _Vehicle] = {}
    for report in read_log(file, notes):
        key = report.drone_id
        vehicle = vehicles.get(key)
        if vehicle is None:
            own_id = _id_of(key, name, is_first=not vehicles)
            log_file = f"{kept_as}{VEHICLE}{key}" if key else kept_as
            vehicle = vehicles[key] = _Vehicle(own_id, log_file, name, report.at)
        vehicle.take(report)
    for vehicle in vehicles.values():
        vehicle.end()
    flights = [(key, flight) for key, vehicle in vehicles.items() for flight in vehicle.flights]
    if drone_id:
        meant = drone_id if drone_id in vehicles else next(iter(vehicles))
        flights = [(key, replace(flight, drone_id=drone_id) if key == meant else flight) for key, flight in flights]
    if len(vehicles) > 1:
        notes.append(f"It holds {len(vehicles)} drones ({', '.join(vehicles)}); each has its own flights.")
    return ReadLog(
        flights=tuple(flight for _, flight in flights),
        points=tuple(point for vehicle in vehicles.values() for point in vehicle.points),
        notes=tuple(notes),
    )


def reports_of_vehicle(file: Path, vehicle: str, drone_id: str) -> Iterator[DroneReport]:
    """Yield what a log says of one of its drones, of the first where none is named, under the id that it has here."""
    for report in read_log(file):
        vehicle = vehicle or report.drone_id
        if report.drone_id == vehicle:
            yield of_drone(report, drone_id)


def of_drone(report: DroneReport, drone_id: str) -> DroneReport:
    """Return a report of a log under the id that its drone has here."""
    return replace(report, drone_id=drone_id)


def system_of_id(vehicle: str) -> int | None:
    """Return the system number of a drone of a log; None where the log holds one drone without a number."""
    number = vehicle.removeprefix(_MAVLINK_PREFIX).partition("-")[0]
    return int(number) if vehicle.startswith(_MAVLINK_PREFIX) and number.isdecimal() else None


def _id_of(key: str, name: str, *, is_first: bool) -> str:
    base = f"file {Path(name).stem}"
    return base[:MAX_ID_LENGTH] if is_first else f"{base[: MAX_ID_LENGTH - len(key) - 1]} {key}"
