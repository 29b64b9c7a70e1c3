"""Rows of drones, their flights and their tracks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import Actor
from core.drones.model import Drone, Flight, TrackPoint
from core.kernel.errors import BadInputError, StaleWriteError
from core.kernel.geo import GeoPoint
from core.kernel.wire import from_builtins, to_builtins
from core.kernel.zone import write_site_clock
from core.store.rows import storable
from core.store.tables import DroneFlightRow, DroneRow, DroneTrackRow

log = logging.getLogger(__name__)

LEARNT = ("kind", "autopilot", "system_id", "uid")
"""What a drone says of itself; all else of it is set up by people."""


def read_drones(session: Session) -> tuple[Drone, ...]:
    """Return every drone, by name; one that somebody broke by hand is left out and logged."""
    found = []
    for row in session.scalars(select(DroneRow).order_by(DroneRow.name, DroneRow.drone_id)):
        try:
            found.append(replace(from_builtins(row.document, Drone), version=row.version))
        except (msgspec.ValidationError, ValueError) as error:
            log.error("drone %s cannot be read (%s): it is left out", row.name, error)
    return tuple(found)


def note_drones(session: Session, drones: Sequence[Drone], *, at: datetime) -> None:
    """Keep what drones say of themselves; what people set up stands beside it and is not touched."""
    for drone in drones:
        row = session.get(DroneRow, drone.drone_id, with_for_update=True)
        if row is None:
            document = to_builtins(replace(drone, version=0))
            session.add(
                DroneRow(
                    drone_id=drone.drone_id,
                    version=0,
                    name=storable(drone.name),
                    document=document,
                    changed_at=at,
                    changed_by="",
                )
            )
            continue
        learnt = to_builtins(drone)
        row.document = {**row.document, **{key: learnt[key] for key in LEARNT if key in learnt}}


def with_learnt(drone: Drone, said: Drone) -> Drone:
    """Return a drone as people set it up, with what it says of itself."""
    return replace(drone, **{key: getattr(said, key) for key in LEARNT})


def save_drone(session: Session, actor: Actor, drone: Drone, *, action: str, detail: str, at: datetime) -> Drone:
    """Keep what a person set up.

    Raises:
        StaleWriteError: Somebody else saved meanwhile; the sentence says who and when.
    """
    row = session.get(DroneRow, drone.drone_id, with_for_update=True)
    if row is None:
        row = DroneRow(drone_id=drone.drone_id, version=0)
        session.add(row)
    if row.version != drone.version:
        raise StaleWriteError(
            f"{row.changed_by} saved {row.name} at {write_site_clock(row.changed_at)}.",
            hint="Look at it again.",
        )
    row.name, row.document = storable(drone.name), to_builtins(replace(drone, version=0))
    row.changed_at, row.changed_by, row.version = at, storable(actor.name), drone.version + 1
    audit.append(session, actor, action=action, subject=subject_of(drone), detail=storable(detail), at=at)
    session.flush()
    return replace(drone, version=row.version)


def remove_drone(session: Session, actor: Actor, drone: Drone, *, at: datetime) -> None:
    """Forget a drone; its flights stay."""
    row = session.get(DroneRow, drone.drone_id)
    if row is not None:
        session.delete(row)
    audit.append(session, actor, action="drones.remove", subject=subject_of(drone), detail="removed", at=at)
    session.flush()


def no_drone(drone_id: str) -> BadInputError:
    """Return the error for a drone that is not there."""
    return BadInputError(f"There is no drone {drone_id[:40]!r}.", hint="Look at the list of drones again.")


def subject_of(drone: Drone) -> str:
    """Return what the audit calls a drone."""
    return f"{drone.name} ({drone.drone_id})"


def save_flights(session: Session, flights: Sequence[Flight], points: Sequence[tuple[str, TrackPoint]]) -> None:
    """Keep flights as they stand now, and new points of their tracks, by flight."""
    for flight in flights:
        row = session.get(DroneFlightRow, flight.flight_id)
        if row is None:
            row = DroneFlightRow(flight_id=flight.flight_id, drone_id=flight.drone_id, began_at=flight.began_at)
            session.add(row)
        row.ended_at, row.distance_m, row.max_height_m = flight.ended_at, flight.distance_m, flight.max_height_m
        row.battery_used_percent, row.n_points = flight.battery_used_percent, flight.n_points
        row.source, row.log_file = storable(flight.source), flight.log_file
        row.has_lost_end, row.was_interrupted = flight.has_lost_end, flight.was_interrupted
    session.flush()
    if points:
        session.execute(insert(DroneTrackRow), [_track_row(flight_id, point) for flight_id, point in points])


def read_flights(
    session: Session, *, drone_id: str, since: datetime | None, until: datetime | None, limit: int
) -> tuple[Flight, ...]:
    """Return flights, the newest first; an empty id means every drone."""
    query = select(DroneFlightRow).order_by(DroneFlightRow.began_at.desc()).limit(limit)
    if drone_id:
        query = query.where(DroneFlightRow.drone_id == drone_id)
    if since is not None:
        query = query.where(DroneFlightRow.began_at >= since)
    if until is not None:
        query = query.where(DroneFlightRow.began_at < until)
    return tuple(_flight(row) for row in session.scalars(query))


def read_flight(session: Session, flight_id: str) -> Flight:
    """Return one flight.

    Raises:
        BadInputError: There is none of that id.
    """
    row = session.get(DroneFlightRow, flight_id)
    if row is None:
        raise BadInputError(f"There is no flight {flight_id[:40]!r}.", hint="Look at the list of flights again.")
    return _flight(row)


def read_track(session: Session, flight_id: str) -> tuple[TrackPoint, ...]:
    """Return a flight's points in order."""
    query = select(DroneTrackRow).where(DroneTrackRow.flight_id == flight_id).order_by(DroneTrackRow.at)
    return tuple(_point(row) for row in session.scalars(query))


def read_open_flights(session: Session) -> tuple[tuple[Flight, TrackPoint | None], ...]:
    """Return flights that a node left open when it ended, each with the newest point of its track."""
    rows = session.scalars(select(DroneFlightRow).where(DroneFlightRow.ended_at.is_(None)))
    return tuple((_flight(row), _newest_point(session, row.flight_id)) for row in rows)


def _newest_point(session: Session, flight_id: str) -> TrackPoint | None:
    query = select(DroneTrackRow).where(DroneTrackRow.flight_id == flight_id)
    row = session.scalars(query.order_by(DroneTrackRow.at.desc()).limit(1)).first()
    return None if row is None else _point(row)


_FIGURES = ("altitude_amsl_m", "altitude_home_m", "ground_speed_mps", "heading_deg", "battery_percent")


def _point(row: DroneTrackRow) -> TrackPoint:
    figures = {key: getattr(row, key) for key in _FIGURES}
    return TrackPoint(at=row.at, point=GeoPoint(row.lat_deg, row.lon_deg), **figures)


def _track_row(flight_id: str, point: TrackPoint) -> dict[str, Any]:
    place = {"lat_deg": point.point.lat_deg, "lon_deg": point.point.lon_deg}
    return {"flight_id": flight_id, "at": point.at, **place, **{key: getattr(point, key) for key in _FIGURES}}


def _flight(row: DroneFlightRow) -> Flight:
    return Flight(
        flight_id=row.flight_id,
        drone_id=row.drone_id,
        began_at=row.began_at,
        ended_at=row.ended_at,
        distance_m=row.distance_m,
        max_height_m=row.max_height_m,
        battery_used_percent=row.battery_used_percent,
        n_points=row.n_points,
        source=row.source,
        log_file=row.log_file,
        has_lost_end=row.has_lost_end,
        was_interrupted=row.was_interrupted,
    )
