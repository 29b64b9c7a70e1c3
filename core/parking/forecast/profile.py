"""What a lot usually does: weekday by slot over the last weeks, the newest weighing most; special days apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from core.parking.forecast.series import DAY_S, WEEK_S, FloatArray, IntArray, Series

N_WEEKS = 6
N_SPECIAL = 6
SUNDAY = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSpan:
    """Something at a lot that is not every week.

    Attributes:
        name: Events of the same name are like each other.
        effect: Share of the capacity that it fills beyond what is usual; None learns it from earlier ones.
    """

    name: str
    begins_s: float
    ends_s: float
    effect: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasions:
    """When a lot is not as usual.

    Attributes:
        days: Local date (ordinal) → name of the holiday; days of the same name are like each other.
        events: In any order.
    """

    days: Mapping[int, str] = field(default_factory=dict)
    events: tuple[EventSpan, ...] = ()

    def is_special(self, day: IntArray) -> FloatArray:
        """Return 1 for holidays, shape of `day`."""
        found = np.fromiter(self.days, dtype=np.int64, count=len(self.days))
        return np.isin(day, found).astype(np.float64)

    def during(self, series: Series) -> FloatArray:
        """Return 1 for every instant of a series that lies in an event, shape (n,)."""
        at_s = series.start_s + np.arange(len(series)) * float(series.slot_s)
        inside = np.zeros(len(series))
        for event in self.events:
            inside[(at_s >= event.begins_s) & (at_s < event.ends_s)] = 1.0
        return inside


NOTHING_SPECIAL = Occasions()


def profile(series: Series, *, decay: float, occasions: Occasions = NOTHING_SPECIAL) -> FloatArray:
    """Return what is usual at every instant of a series, from what was known a week before it.

    Only the same local slot of days at least a week earlier is used: a forecast of up to seven days ahead sees nothing
    that came after its origin.

    Args:
        series: With as many unknown instants at its end as are to be foreseen.
        decay: Weight of a week, in that of the week after it; 0..1.
        occasions: A holiday is taken from earlier ones of its name, else from Sundays, and ordinary days leave it out;
            an event adds what earlier ones of its name added.

    Returns:
        Shares, shape (n,); NaN where nothing like it was seen.
    """
    inside = occasions.during(series) > 0
    ordinary = replace(series, share=np.where(inside, np.nan, series.share))
    table, first_day = day_table(ordinary)
    days = np.arange(first_day, first_day + len(table))
    is_special = occasions.is_special(days) > 0
    usual = np.full_like(table, np.nan)
    for row in range(len(days)):
        if is_special[row]:
            usual[row] = _of_special(table, row, occasions.days, days, decay)
            continue
        weeks = _weeks_before(row)
        usual[row] = _of_rows(table, [other for other in weeks if not is_special[other]] or weeks, row, decay)
    found = usual[series.day - first_day, series.slot]
    return _with_events(series, found, occasions.events) if inside.any() else found


def last_week(series: Series) -> FloatArray:
    """Return what was at the same local slot seven days before, shape (n,); NaN where nobody knows."""
    table, first_day = day_table(series)
    row = series.day - first_day - 7
    found = table[np.maximum(row, 0), series.slot]
    return np.where(row >= 0, found, np.nan)


def _with_events(series: Series, usual: FloatArray, events: tuple[EventSpan, ...]) -> FloatArray:
    """Add to the usual what each event adds: as its operator says, else as earlier ones of its name did."""
    at_s = series.start_s + np.arange(len(series)) * float(series.slot_s)
    found = usual.copy()
    beyond = series.share - usual
    for event in events:
        inside = (at_s >= event.begins_s) & (at_s < event.ends_s)
        effect = event.effect
        if effect is None:
            alike = [
                e
                for e in events
                if e.name.casefold() == event.name.casefold() and e.ends_s <= event.begins_s - WEEK_S + DAY_S
            ]
            seen = [beyond[(at_s >= e.begins_s) & (at_s < e.ends_s)] for e in alike]
            known = np.concatenate(seen) if seen else np.zeros(0)
            known = known[~np.isnan(known)]
            effect = float(known.mean()) if len(known) else 0.0
        found[inside] = np.clip(usual[inside] + effect, 0.0, 1.0)
    return found


def day_table(series: Series) -> tuple[FloatArray, int]:
    """Return local days by local slots, shape (days, slots a day), and the ordinal of the first day.

    The mean where a slot comes twice, NaN where it does not come or nobody knows.
    """
    first_day = int(series.day[0])
    n_days = int(series.day[-1]) - first_day + 1
    sums = np.zeros((n_days, series.slots_a_day))
    counts = np.zeros_like(sums)
    known = ~np.isnan(series.share)
    place = (series.day[known] - first_day, series.slot[known])
    np.add.at(sums, place, series.share[known])
    np.add.at(counts, place, 1.0)
    with np.errstate(invalid="ignore"):
        return sums / np.where(counts > 0, counts, np.nan), first_day


def _weeks_before(row: int) -> list[int]:
    return [row - 7 * week for week in range(1, N_WEEKS + 1) if row - 7 * week >= 0]


def _of_rows(table: FloatArray, rows: list[int], row: int, decay: float) -> FloatArray:
    """Return the weighted mean of days, slot by slot; a slot that a day does not know weighs nothing."""
    if not rows:
        return np.full(table.shape[1], np.nan)
    weights = np.array([decay ** ((row - other) / 7 - 1) for other in rows])[:, None]
    found = table[rows]
    known = ~np.isnan(found)
    total = (weights * known).sum(axis=0)
    mean: FloatArray = np.where(known, weights * found, 0.0).sum(axis=0) / np.where(total > 0, total, np.nan)
    return mean


def _of_special(table: FloatArray, row: int, names: Mapping[int, str], days: IntArray, decay: float) -> FloatArray:
    name = names[int(days[row])]
    # As far back as an ordinary day looks at least: a forecast of a week ahead must not see yesterday's.
    alike = [r for r in range(row - 7, -1, -1) if names.get(int(days[r])) == name][:N_SPECIAL]
    sundays = [r for r in _weeks_before(row - (int(days[row]) - 1 - SUNDAY) % 7) if r >= 0]
    from_alike, from_sundays = _of_rows(table, alike, row, 1.0), _of_rows(table, sundays, row, decay)
    return np.where(np.isnan(from_alike), from_sundays, from_alike)
