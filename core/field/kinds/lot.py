"""A parking lot: a gateway that counts bays, or bays that speak for themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from core.field.kinds.base import DeviceKind, KindPayload, Number, Quantity, Stream


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

    def values(self) -> dict[str, float]:
        """Return what the message said."""
        found = {
            "totalSpotNumber": self.total_spot_number,
            "availableSpotNumber": self.available_spot_number,
            "unknownSpotNumber": self.unknown_spot_number,
        }
        return {key: float(value) for key, value in found.items() if value is not None}


class ParkingSpot(KindPayload):
    """FIWARE Smart Data Models, ParkingSpot: one bay.

    Attributes:
        status: A closed bay is neither free nor occupied.
    """

    status: Literal["closed", "free", "occupied", "unknown"]

    def values(self) -> dict[str, float]:
        """Return 1 for an occupied bay and 0 for a free one; else only that it is closed, or that nobody knows."""
        if self.status in ("closed", "unknown"):
            return {self.status: 1.0}
        return {"occupied": 1.0 if self.status == "occupied" else 0.0}


KIND = DeviceKind(
    key="lot",
    title="Parking lot",
    groups=frozenset({"lot", "lots", "parking"}),
    streams=(Stream(key="occupancy", title="Occupancy", stale_s=300.0),),
    quantities=(
        Quantity(key="totalSpotNumber", title="Bays", unit="", decimals=0),
        Quantity(key="availableSpotNumber", title="Free bays", unit="", decimals=0),
        Quantity(key="unknownSpotNumber", title="Unknown bays", unit="", decimals=0),
        Quantity(key="occupied", title="Occupied", unit="", decimals=0),
        Quantity(key="unknown", title="Unknown", unit="", decimals=0),
        Quantity(key="closed", title="Closed", unit="", decimals=0),
    ),
    payloads={"OffStreetParking": OffStreetParking, "ParkingSpot": ParkingSpot},
)
