"""Which quantities of stations and lots the console shows, and how they are written.

The names are those of the device kinds (core/field/kinds): FIWARE Smart Data Models, TrafficFlowObserved and
OffStreetParking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from core.field.model import Reading

T = TypeVar("T")

UNKNOWN = "--"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One quantity as it is shown.

    Attributes:
        factor: From the reading's unit to the one shown.
    """

    key: str
    title: str
    unit: str
    decimals: int = 0
    factor: float = 1.0

    def value(self, reading: Reading) -> float | None:
        """Return the number in the unit shown; None where the reading has none."""
        raw = reading.values.get(self.key)
        return None if raw is None else raw * self.factor

    def text(self, value: float | None) -> str:
        """Write a number with its unit; "--" for none."""
        return UNKNOWN if value is None else f"{self.number(value)} {self.unit}".rstrip()

    def number(self, value: float | None) -> str:
        """Write a number alone, where a heading says the unit; "--" for none."""
        return UNKNOWN if value is None else f"{value:.{self.decimals}f}"


SPEED = Figure(key="averageVehicleSpeed", title="Mean speed", unit="km/h")
INTENSITY = Figure(key="intensity", title="Vehicles", unit="veh/min")
OCCUPANCY = Figure(key="occupancy", title="Occupancy", unit="%", factor=100.0)
STATION_FIGURES = (SPEED, INTENSITY, OCCUPANCY)


@dataclass(frozen=True, slots=True, kw_only=True)
class LotFill:
    """How full a lot is.

    Attributes:
        n_unknown: Bays whose state nobody knows right now; neither free nor occupied.
    """

    n_bays: int
    n_occupied: int
    n_unknown: int = 0

    @property
    def n_free(self) -> int:
        """Bays known to be free."""
        return max(0, self.n_bays - self.n_occupied - self.n_unknown)


def lot_fill(reading: Reading) -> LotFill | None:
    """Return how full a lot says it is; None where it does not say."""
    total = reading.values.get("totalSpotNumber")
    free = reading.values.get("availableSpotNumber")
    if total is None or free is None or total <= 0:
        return None
    unknown = reading.values.get("unknownSpotNumber", 0.0)
    return LotFill(n_bays=round(total), n_occupied=max(0, round(total - free - unknown)), n_unknown=round(unknown))


def newest(readings: Iterable[Reading], figure: Callable[[Reading], T | None]) -> T | None:
    """Return a figure of the newest reading that has it."""
    best: tuple[datetime, T] | None = None
    for reading in readings:
        value = figure(reading)
        if value is not None and (best is None or reading.at > best[0]):
            best = reading.at, value
    return None if best is None else best[1]
