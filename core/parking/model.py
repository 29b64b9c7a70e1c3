"""A parking lot as the field reports it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LotOccupancy:
    """How full a lot is.

    Attributes:
        n_unknown: Bays whose state nobody knows right now.
    """

    lot_id: str
    n_bays: int
    n_occupied: int
    n_unknown: int
    at: datetime
