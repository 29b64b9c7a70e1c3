"""A parking lot: a gateway that counts bays, or bays that speak for themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.field.kinds.base import DeviceKind, KindPayload, Moment, Number, Quantity, Said, Stream


class OffStreetParking(KindPayload):
    """FIWARE Smart Data Models, OffStreetParking: the fields we use.

    Attributes:
        unknown_spot_number: Bays whose state nobody knows right now; ours, the model has no word for them.
    """

    total_spot_number: Annotated[Number, Field(alias="totalSpotNumber", ge=0, le=100_000)] = None
    available_spot_number: Annotated[Number, Field(alias="availableSpotNumber", ge=0, le=100_000)] = None
    unknown_spot_number: Annotated[Number, Field(alias="unknownSpotNumber", ge=0, le=100_000)] = None

    @model_validator(mode="after")
    def _bays_add_up(self) -> OffStreetParking:
        if self.total_spot_number is not None:
            spoken_for = (self.available_spot_number or 0.0) + (self.unknown_spot_number or 0.0)
            if spoken_for > self.total_spot_number:
                raise ValueError(f"{spoken_for:g} bays are free or unknown, but the lot has {self.total_spot_number:g}")
        return self


class ParkingSpot(KindPayload):
    """FIWARE Smart Data Models, ParkingSpot: one bay.

    Attributes:
        status: A closed bay is neither free nor occupied.
        permit: Whether the vehicle in the bay may stand there, where a reader or charger knows; ours.
    """

    status: Literal["closed", "free", "occupied", "unknown"]
    permit: bool | None = None

    def values(self) -> dict[str, float]:
        """Return 1 for an occupied bay and 0 for a free one; else only that it is closed, or that nobody knows."""
        if self.status in ("closed", "unknown"):
            return {self.status: 1.0}
        said = {"occupied": 1.0 if self.status == "occupied" else 0.0}
        return said if self.permit is None else said | {"permit": float(self.permit)}


class GateCount(KindPayload):
    """A counter at an entry or exit; ours.

    Attributes:
        entered, left: Vehicles since the counter was switched on: a message that is lost loses nothing.
    """

    entered: Annotated[Number, Field(ge=0, lt=2**53)] = None
    left: Annotated[Number, Field(ge=0, lt=2**53)] = None


N_SIMULATED_BAYS = 40


def simulate(moment: Moment) -> Iterable[Said]:
    """Say how full a lot of 40 bays is, and which bay just changed: full over noon, empty at night."""
    share = 0.1 + 0.8 * max(0.0, math.sin(math.pi * (moment.hour - 6.0) / 14.0)) if 6 <= moment.hour <= 20 else 0.1
    n_taken = min(N_SIMULATED_BAYS, max(0, round(moment.random.gauss(share * N_SIMULATED_BAYS, 1.0))))
    yield Said(
        stream="occupancy",
        type="OffStreetParking",
        data={
            "totalSpotNumber": N_SIMULATED_BAYS,
            "availableSpotNumber": N_SIMULATED_BAYS - n_taken,
            "unknownSpotNumber": 0,
        },
    )
    n_entered = round(moment.elapsed_s / 40.0)
    yield Said(stream="gate", type="GateCount", data={"entered": n_entered, "left": max(0, n_entered - n_taken)})
    if moment.random.random() < 0.3:
        status = "occupied" if moment.random.random() < share else "free"
        bay = f"bay-{moment.random.randint(1, N_SIMULATED_BAYS):02}"
        yield Said(type="ParkingSpot", data={"name": bay, "status": status})


KIND = DeviceKind(
    key="lot",
    title="Parking lot",
    plural="Lots",
    groups=frozenset({"lot", "lots", "parking"}),
    streams=(
        Stream(key="occupancy", title="Occupancy", stale_s=300.0),
        Stream(key="gate", title="Gate", stale_s=300.0, type="GateCount"),
    ),
    quantities=(
        Quantity(key="totalSpotNumber", title="Bays", unit="", decimals=0),
        Quantity(key="availableSpotNumber", title="Free bays", unit="", decimals=0),
        Quantity(key="unknownSpotNumber", title="Unknown bays", unit="", decimals=0),
        Quantity(key="occupied", title="Occupied", unit="", decimals=0),
        Quantity(key="unknown", title="Unknown", unit="", decimals=0),
        Quantity(key="closed", title="Closed", unit="", decimals=0),
        Quantity(key="permit", title="Permit", unit="", decimals=0),
        Quantity(key="entered", title="Entered", unit="", decimals=0),
        Quantity(key="left", title="Left", unit="", decimals=0),
    ),
    payloads={"OffStreetParking": OffStreetParking, "ParkingSpot": ParkingSpot, "GateCount": GateCount},
    simulate=simulate,
)
