"""One number every so many minutes: counts of a lot as they came, made into a series that can be foreseen."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

DAY_S = 86_400
WEEK_S = 7 * DAY_S
EPOCH_DAY = date(1970, 1, 1).toordinal()
HOLD_S = 12 * 3600.0
"""A count that nothing follows stands so long, then nobody knows: who reports changes only is silent at night."""

UNKNOWN_SHARE = 0.2
"""With more of its bays unknown than that, how full a lot is is not known."""

STALE_CAPACITY_SHARE = 1.02
"""A lot that holds more than that for a hundredth of its time has more bays than its capacity says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was said of a lot, in any order.

    Attributes:
        at_s: Seconds since 1970, shape (n,).
        n_bays, n_occupied, n_unknown: Shape (n,).
    """

    at_s: FloatArray
    n_bays: FloatArray
    n_occupied: FloatArray
    n_unknown: FloatArray

    @property
    def data_hash(self) -> str:
        """Of every number; the same counts have the same."""
        digest = hashlib.blake2b(digest_size=8)
        for part in (self.at_s, self.n_bays, self.n_occupied, self.n_unknown):
            digest.update(np.ascontiguousarray(part, dtype=np.float64).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidying:
    """What was wrong with the counts, and how often.

    Attributes:
        n_duplicates: Counts of an instant that had one already; the last one stands.
        n_negative: Fewer than no vehicles; left out.
        n_above: More vehicles than bays; taken as full.
        n_unknown: Too many bays of unknown state; left out.
        share_missing: Of the slots between the first and the last count, 0..1.
        stale_capacity: What was said to be the capacity, where more stood there for long; None otherwise.
    """

    n_counts: int = 0
    n_duplicates: int = 0
    n_negative: int = 0
    n_above: int = 0
    n_unknown: int = 0
    share_missing: float = 0.0
    stale_capacity: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """How full a lot was at regular instants.

    Attributes:
        start_s: Instant of the first one, a multiple of `slot_s`.
        share: Occupied bays in capacity, 0..1; NaN where nobody knows. Shape (n,).
        capacity: Bays in all, the newest.
        day: Local date of each instant as its ordinal, shape (n,).
        slot: Which slot of the local day it is, shape (n,).
    """

    start_s: int
    slot_s: int
    time_zone: str
    share: FloatArray
    capacity: float
    day: IntArray
    slot: IntArray
    tidying: Tidying = field(default_factory=Tidying)

    def __len__(self) -> int:
        return len(self.share)

    @property
    def slots_a_day(self) -> int:
        """Slots of a day that is 24 hours long."""
        return DAY_S // self.slot_s

    @property
    def slots_a_week(self) -> int:
        """Slots of seven such days."""
        return WEEK_S // self.slot_s

    @property
    def n_days_known(self) -> int:
        """Local days on which something is known."""
        return len(np.unique(self.day[~np.isnan(self.share)]))

    def at_s(self, index: int) -> int:
        """Return the instant of one of them; may lie beyond the end."""
        return self.start_s + index * self.slot_s

    def index_of(self, at_s: float) -> int:
        """Return the one nearest to an instant; may lie outside."""
        return round((at_s - self.start_s) / self.slot_s)


def held(
    counts: Counts, *, slot_s: int, time_zone: str, until_s: float | None = None, hold_s: float = HOLD_S
) -> Series:
    """Read counts that come with each change: one stands until the next comes, `hold_s` at most.

    Raises:
        ValueError: There is not one count that can be used, or none reaches the next slot.
    """
    at_s, share, capacity, tidying = _tidied(counts)
    end_s = float(at_s[-1]) if until_s is None else max(float(at_s[-1]), until_s)
    grid_s: FloatArray = np.arange(math.ceil(at_s[0] / slot_s), math.floor(end_s / slot_s) + 1) * float(slot_s)
    if len(grid_s) == 0:
        raise ValueError("the counts do not reach the next slot")
    before = np.searchsorted(at_s, grid_s, side="right") - 1
    values = np.where(grid_s - at_s[before] <= hold_s, share[before], np.nan)
    return _series(grid_s, values, slot_s, time_zone, capacity, tidying)


def sampled(counts: Counts, *, slot_s: int, time_zone: str) -> Series:
    """Read counts that come at regular instants: each belongs to the nearest slot, and a slot without one is a gap.

    Raises:
        ValueError: There is not one count that can be used.
    """
    at_s, share, capacity, tidying = _tidied(counts)
    index = np.rint(at_s / slot_s).astype(np.int64)
    grid_s: FloatArray = np.arange(index[0], index[-1] + 1) * float(slot_s)
    values = np.full(len(grid_s), np.nan)
    values[index - index[0]] = share
    return _series(grid_s, values, slot_s, time_zone, capacity, tidying)


def extended(series: Series, n_more: int) -> Series:
    """Return it with instants of which nothing is known yet."""
    grid_s = np.arange(len(series) + n_more, dtype=np.float64) * series.slot_s + series.start_s
    values = np.concatenate([series.share, np.full(n_more, np.nan)])
    return _series(grid_s, values, series.slot_s, series.time_zone, series.capacity, series.tidying)


def cut(series: Series, n_first: int) -> Series:
    """Return the first so many of it: what was known then."""
    return Series(
        start_s=series.start_s,
        slot_s=series.slot_s,
        time_zone=series.time_zone,
        share=series.share[:n_first],
        capacity=series.capacity,
        day=series.day[:n_first],
        slot=series.slot[:n_first],
        tidying=series.tidying,
    )


def local_slots(grid_s: FloatArray, slot_s: int, time_zone: str) -> tuple[IntArray, IntArray]:
    """Return local date (ordinal) and slot of the local day of instants.

    On the day clocks go back, one hour's slots come twice; on the day they go forward, an hour's are missing.
    """
    zone = ZoneInfo(time_zone)
    # Offsets change at full quarters of an hour only.
    quarters, where = np.unique(grid_s // 900, return_inverse=True)
    offsets = np.array([_offset_s(zone, quarter * 900.0) for quarter in quarters])
    local_s = grid_s + offsets[where]
    day = (local_s // DAY_S).astype(np.int64) + EPOCH_DAY
    return day, ((local_s % DAY_S) // slot_s).astype(np.int64)


def _offset_s(zone: ZoneInfo, at_s: float) -> float:
    offset = datetime.fromtimestamp(at_s, UTC).astimezone(zone).utcoffset()
    return offset.total_seconds() if offset is not None else 0.0


def _tidied(counts: Counts) -> tuple[FloatArray, FloatArray, float, Tidying]:
    order = np.argsort(counts.at_s, kind="stable")
    at_s, n_bays = counts.at_s[order], counts.n_bays[order]
    n_occupied, n_unknown = counts.n_occupied[order], counts.n_unknown[order]
    is_last = np.append(np.diff(at_s) > 0, True) if len(at_s) else np.zeros(0, dtype=bool)
    is_negative = (n_occupied < 0) | (n_bays <= 0)
    is_unknown = n_unknown > UNKNOWN_SHARE * n_bays
    is_good = is_last & ~is_negative
    if not is_good.any():
        raise ValueError("not one count can be used")
    said = float(n_bays[is_good][-1])
    known = np.maximum(n_bays - n_unknown, 1.0)
    share = np.clip(n_occupied, 0.0, None) / known
    most = float(np.quantile(share[is_good & ~is_unknown], 0.99)) if (is_good & ~is_unknown).any() else 0.0
    is_stale = most > STALE_CAPACITY_SHARE
    if is_stale:
        share = share / most
    # An unknown count ends the one before it: it is kept as a gap.
    values = np.where(is_unknown, np.nan, np.minimum(share, 1.0))
    tidying = Tidying(
        n_counts=len(at_s),
        n_duplicates=int((~is_last).sum()),
        n_negative=int((is_last & is_negative).sum()),
        n_above=int((is_good & ~is_unknown & (n_occupied > n_bays)).sum()),
        n_unknown=int((is_good & is_unknown).sum()),
        stale_capacity=said if is_stale else None,
    )
    return at_s[is_good], values[is_good], said * most if is_stale else said, tidying


def _series(
    grid_s: FloatArray,
    values: NDArray[np.floating[Any]],
    slot_s: int,
    time_zone: str,
    capacity: float,
    tidying: Tidying,
) -> Series:
    day, slot = local_slots(grid_s, slot_s, time_zone)
    missing = float(np.isnan(values).mean()) if len(values) else 0.0
    return Series(
        start_s=int(grid_s[0]),
        slot_s=slot_s,
        time_zone=time_zone,
        share=values.astype(np.float64),
        capacity=capacity,
        day=day,
        slot=slot,
        tidying=Tidying(
            n_counts=tidying.n_counts,
            n_duplicates=tidying.n_duplicates,
            n_negative=tidying.n_negative,
            n_above=tidying.n_above,
            n_unknown=tidying.n_unknown,
            share_missing=missing,
            stale_capacity=tidying.stale_capacity,
        ),
    )
