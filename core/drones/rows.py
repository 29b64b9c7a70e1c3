"""Rows of drones, their flights and their tracks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import Actor
from core.drones.model import Drone
from core.kernel.errors import BadInputError, StaleWriteError
from core.kernel.wire import from_builtins, to_builtins
from core.store.rows import storable
from core.store.tables import DroneRow

log = logging.getLogger(__name__)


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
    """Keep drones as they describe themselves; what was saved by a person is not taken back."""
    for drone in drones:
        row = session.get(DroneRow, drone.drone_id)
        if row is None:
            row = DroneRow(drone_id=drone.drone_id, version=0)
            session.add(row)
        row.name, row.document = storable(drone.name), to_builtins(replace(drone, version=0))
        row.changed_at, row.changed_by = at, ""


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
            f"{row.changed_by} saved {row.name} at {row.changed_at:%H:%M:%S} UTC.", hint="Look at it again."
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
