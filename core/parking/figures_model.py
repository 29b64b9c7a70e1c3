"""What a lot's history says of it, as consoles see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

DWELL_ENDS_MIN = (15, 30, 60, 120, 240, 480, 1440)
"""Ends of the bins of stays; what is longer is the last bin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dwell:
    """How long vehicles stay, those that are not gone yet among them.

    Attributes:
        n_complete: Stays whose begin and end were seen.
        n_cut: Stays that began, and whose end nobody saw: still there, or the bay was unknown meanwhile.
        n_without_begin: Stays whose begin nobody saw; left out.
        shares: Of all stays, by bin of `DWELL_ENDS_MIN` and one for longer ones; empty without any stay.
        median_min, p90_min: None where too many are not gone yet to say.
    """

    n_complete: int = 0
    n_cut: int = 0
    n_without_begin: int = 0
    shares: tuple[float, ...] = ()
    median_min: float | None = None
    p90_min: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BayFigures:
    """One bay.

    Attributes:
        n_stays: That began.
        occupied_share: Of the time its state was known; None where it never was.
        known_share: Of the whole time.
        mean_stay_min: Of those whose begin and end were seen; None without any.
    """

    bay_id: str
    n_stays: int
    occupied_share: float | None
    known_share: float
    mean_stay_min: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LotFigures:
    """What a lot's or a zone's history says of it.

    Attributes:
        zone: Empty for the whole lot.
        n_bays, n_occupied, n_unknown: At `until`.
        known_share: Of all bays' time; what nobody knew counts nowhere else.
        occupied_share: Of the known time; None where nothing was known.
        turnover: Stays that began for each bay and day of known time; None where bays do not speak for themselves.
        heat: Occupied share by weekday (Monday first) and local hour; None where less than a tenth of it was known.
        bays: Of every bay; empty where bays do not speak for themselves.
        is_counted: Only the lot as a whole is counted: nothing is known of bays and stays.
        is_simulated: Nobody parked there: the demonstration's history.
    """

    lot_id: str
    zone: str
    since: datetime
    until: datetime
    time_zone: str
    n_bays: int
    n_occupied: int
    n_unknown: int
    known_share: float
    occupied_share: float | None
    turnover: float | None
    heat: tuple[tuple[float | None, ...], ...]
    dwell: Dwell
    bays: tuple[BayFigures, ...] = ()
    is_counted: bool = False
    is_simulated: bool = False
