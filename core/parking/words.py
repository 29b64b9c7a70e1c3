"""What a field device of the kind "lot" says, in the words of parking."""

from __future__ import annotations

from core.field.model import FieldEvent, Reading
from core.parking.model import BayState
from core.parking.occupancy import Counted

LOT_KIND = "lot"
SURE, DOUBTFUL = 0.95, 0.6
"""Confidence of a sensor that trusts its own value, and of one that does not."""

MAX_BAY_ID_LENGTH = 64


def bay_state_of(reading: Reading) -> BayState | None:
    """Return how the bay of this stream stands; None where the stream is no bay."""
    values = reading.values
    if "occupied" in values:
        return BayState.OCCUPIED if values["occupied"] > 0.5 else BayState.FREE
    if "closed" in values:
        return BayState.CLOSED
    return BayState.UNKNOWN if "unknown" in values else None


def bay_of(event: FieldEvent) -> tuple[str, BayState] | None:
    """Return the bay that an event tells of and how it stands; None where it is about something else."""
    if event.event_type != "ParkingSpot":
        return None
    status, bay_id = event.data.get("status"), event.data.get("bay") or event.data.get("name")
    if not isinstance(bay_id, str) or not 0 < len(bay_id) <= MAX_BAY_ID_LENGTH or not isinstance(status, str):
        return None
    return (bay_id, BayState(status)) if status in BayState.__members__.values() else None


def permit_of(said: Reading | FieldEvent) -> bool | None:
    """Return whether the vehicle in the bay may stand there; None where nobody said."""
    found = said.values.get("permit") if isinstance(said, Reading) else said.data.get("permit")
    return bool(found) if isinstance(found, bool | int | float) else None


def counted_of(reading: Reading) -> Counted | None:
    """Return what a device counts of its bays; None where this stream counts none."""
    values = reading.values
    if "totalSpotNumber" not in values or "availableSpotNumber" not in values:
        return None
    n_bays, n_free = round(values["totalSpotNumber"]), round(values["availableSpotNumber"])
    n_unknown = round(values.get("unknownSpotNumber", 0.0))
    n_occupied = n_bays - n_unknown - n_free
    if min(n_bays, n_free, n_unknown, n_occupied) < 0:
        fault = (
            f"{reading.device_id} counts {n_free} free and {n_unknown} unknown of {n_bays} bays, which cannot be. "
            "Look at the device; until it is right, its bays are unknown."
        )
        n_bays = max(0, n_bays)
        return Counted(n_bays=n_bays, n_occupied=0, n_unknown=n_bays, at=reading.at, fault=fault)
    return Counted(n_bays=n_bays, n_occupied=n_occupied, n_unknown=n_unknown, at=reading.at)


def gate_of(reading: Reading) -> tuple[int, int] | None:
    """Return the totals of vehicles that entered and left; None where this stream is no gate."""
    values = reading.values
    if "entered" not in values and "left" not in values:
        return None
    return round(values.get("entered", 0.0)), round(values.get("left", 0.0))
