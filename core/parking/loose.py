"""Lots nobody has drawn: a device that counts its bays, or one whose bays speak for themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from core.parking.checks import MAX_BAYS
from core.parking.model import BayState, LotOccupancy, OccupancyBasis
from core.parking.occupancy import Counted


@dataclass(slots=True)
class LooseLot:
    """One device, as a lot of its own."""

    device_id: str
    is_counting: bool = False
    newest: LotOccupancy | None = None
    _bays: dict[str, tuple[datetime, BayState]] = field(default_factory=dict)

    def take_count(self, counted: Counted) -> LotOccupancy | None:
        """Take what the device counts; returns the occupancy if it is news."""
        # A gateway that counts knows of more bays than have spoken.
        self.is_counting = True
        return self._take(occupancy_of(self.device_id, counted))

    def take_bay(self, bay_id: str, state: BayState, at: datetime) -> LotOccupancy | None:
        """Take what one bay says; returns the occupancy if it is news."""
        known = self._bays.get(bay_id)
        if (known is not None and at < known[0]) or (known is None and len(self._bays) >= MAX_BAYS):
            return None
        self._bays[bay_id] = (at, state)
        if self.is_counting:
            return None
        states = [item for _, item in self._bays.values() if item is not BayState.CLOSED]
        return self._take(
            LotOccupancy(
                lot_id=self.device_id,
                n_bays=len(states),
                n_occupied=states.count(BayState.OCCUPIED),
                n_unknown=states.count(BayState.UNKNOWN),
                n_closed=len(self._bays) - len(states),
                basis=OccupancyBasis.BAYS,
                at=max(said_at for said_at, _ in self._bays.values()),
            )
        )

    def _take(self, occupancy: LotOccupancy) -> LotOccupancy | None:
        known = self.newest
        if known is not None and occupancy.at < known.at:
            return None
        self.newest = occupancy
        return None if known is not None and figures(known) == figures(occupancy) else occupancy


def occupancy_of(lot_id: str, counted: Counted) -> LotOccupancy:
    """Return how full a lot is by what its device counts."""
    return LotOccupancy(
        lot_id=lot_id,
        n_bays=counted.n_bays,
        n_occupied=counted.n_occupied,
        n_unknown=counted.n_unknown,
        at=counted.at,
        faults=(counted.fault,) if counted.fault else (),
    )


def figures(occupancy: LotOccupancy) -> tuple[int, int, int]:
    """Return what a row of the history holds beside its instant."""
    return occupancy.n_bays, occupancy.n_occupied, occupancy.n_unknown
