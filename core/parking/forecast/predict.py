"""A lot's future from its series and its fit; with little history plainly, with a wide interval, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from core.parking.forecast.boosting import Trees, add_boosting
from core.parking.forecast.intervals import ASKED, FEWEST, Doubt
from core.parking.forecast.methods import BASELINES, Known, Method, foresee, known
from core.parking.forecast.model import ForecastPoint, MeasuredError
from core.parking.forecast.profile import Occasions
from core.parking.forecast.series import DAY_S, WEEK_S, Series, extended
from core.parking.forecast.training import FEWEST_DAYS, Judged, LotFit

LEAST_DAYS = 2
"""With less, nothing at all is foreseen."""

NEAR_S = 3600
"""Of a lot with little history the last value is said so far ahead; beyond, what was at that time of day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A lot at the moment it is foreseen from.

    Attributes:
        series: Its last instant is now; NaN there where nobody knows how full the lot is.
        fit: None where there was too little history to train.
    """

    series: Series
    fit: LotFit | None
    trees: Trees
    occasions: Occasions

    @property
    def origin(self) -> int:
        """Index of now."""
        return len(self.series) - 1

    def n_ahead(self, at: datetime) -> int:
        """Return how many slots ahead an instant lies, at least 1."""
        return max(1, self.series.index_of(at.timestamp()) - self.origin)


def foresee_points(seen: Seen, instants: Sequence[datetime]) -> tuple[tuple[ForecastPoint, ...], tuple[str, ...]]:
    """Return what is foreseen of some instants, and what the reader must know.

    Args:
        seen: The lot now.
        instants: After now, seven days at most.
    """
    if seen.series.n_days_known < LEAST_DAYS:
        return (), (
            f"Not enough history: something is known of {_days(seen.series.n_days_known)}. "
            f"A forecast begins with {LEAST_DAYS}, and a measured one with {FEWEST_DAYS}.",
        )
    if not instants:
        return (), _notes(seen)
    most = max(seen.n_ahead(at) for at in instants)
    longer = extended(seen.series, most)
    if seen.fit is None:
        return tuple(_plain_point(seen, longer, at) for at in instants), _notes(seen)
    of = known(longer, decay=seen.fit.decay, occasions=seen.occasions)
    return tuple(_point(seen, seen.fit, of, at) for at in instants), _notes(seen)


def measured(fit: LotFit, series: Series) -> tuple[MeasuredError, ...]:
    """Return how well a lot was foreseen while it was trained."""
    return tuple(
        MeasuredError(
            up_to_min=band.n_most * series.slot_s // 60,
            method=band.method.value,
            is_baseline=not band.is_won,
            errors={method.value: error * series.capacity for method, error in band.errors.items()},
            coverage=None if np.isnan(band.doubt.coverage) else band.doubt.coverage,
            n_judged=band.n_judged,
        )
        for band in fit.bands
        if band.n_judged
    )


def _point(seen: Seen, fit: LotFit, of: Known, at: datetime) -> ForecastPoint:
    n_ahead = seen.n_ahead(at)
    share, method, band = _share(seen, fit, of, n_ahead)
    hour = int(of.series.slot[seen.origin + n_ahead]) * of.series.slot_s // 3600
    low, high = band.doubt.interval(share, hour) if len(band.doubt.misses) else (0.0, 1.0)
    baselines = {name: _one(of, name, seen.origin, n_ahead) for name in BASELINES}
    error = band.errors.get(method)
    return ForecastPoint(
        at=at,
        **_in_bays(share, low, high, seen.series.capacity),
        full_probability=_or_none(band.doubt.full_probability(share, hour)),
        method=method.value,
        is_baseline=method in BASELINES,
        last_value=_free(baselines[Method.LAST], seen.series.capacity),
        last_week=_free(baselines[Method.SEASONAL], seen.series.capacity),
        error_bays=None if error is None else error * seen.series.capacity,
        coverage=_or_none(band.doubt.coverage),
        occasion=occasion_at(seen.occasions, of.series, seen.origin + n_ahead),
    )


def _share(seen: Seen, fit: LotFit, of: Known, n_ahead: int) -> tuple[float, Method, Judged]:
    band = fit.at(n_ahead)
    origin = np.array([seen.origin])
    if band.method is Method.BOOSTED:
        share = float(add_boosting(of, seen.trees, origin, n_ahead)[0]) if seen.trees else float("nan")
    else:
        share = float(foresee(of, band.method, origin, n_ahead, persistence=band.persistence)[0])
    if not np.isnan(share):
        return share, band.method, band
    # Today is not known: what is usual, with the doubt of a forecast that knows nothing of today either.
    for method in (Method.PROFILE, Method.SEASONAL, Method.LAST):
        share = _one(of, method, seen.origin, n_ahead)
        if not np.isnan(share):
            return share, method, fit.bands[-1]
    return _mean(seen.series), Method.PROFILE, fit.bands[-1]


def _one(of: Known, method: Method, origin: int, n_ahead: int) -> float:
    return float(foresee(of, method, np.array([origin]), n_ahead)[0])


def _plain_point(seen: Seen, longer: Series, at: datetime) -> ForecastPoint:
    """Say the last value, or what was at that time of day, with how far that was off so far."""
    n_ahead, series = seen.n_ahead(at), seen.series
    now = float(series.share[seen.origin])
    n_back = n_ahead if n_ahead * series.slot_s <= NEAR_S else -(-n_ahead * series.slot_s // DAY_S) * series.slots_a_day
    is_near = n_back == n_ahead and not np.isnan(now)
    share = now if is_near else _at_time_of_day(series, int(longer.slot[seen.origin + n_ahead]))
    misses = series.share[n_back:] - series.share[: len(series) - n_back]
    misses = misses[~np.isnan(misses)]
    if np.isnan(share):
        share = _mean(series)
    low, high, full = 0.0, 1.0, None
    if len(misses) >= FEWEST:
        doubt = Doubt(scale=np.ones(24), misses=misses, alpha=(1.0 - ASKED) / 2)
        (low, high), full = doubt.interval(share, 0), doubt.full_probability(share, 0)
    return ForecastPoint(
        at=at,
        **_in_bays(share, low, high, series.capacity),
        full_probability=full,
        method=Method.LAST.value if is_near else "this time of day so far",
        is_baseline=True,
        last_value=_free(now, series.capacity),
        occasion=occasion_at(seen.occasions, longer, seen.origin + n_ahead),
    )


def occasion_at(occasions: Occasions, series: Series, index: int) -> str:
    """Return the holiday and the events of an instant, in words; empty for none."""
    at_s = series.at_s(index)
    names = [event.name for event in occasions.events if event.begins_s <= at_s < event.ends_s]
    holiday = occasions.days.get(int(series.day[index]))
    return ", ".join(([holiday] if holiday else []) + names)


def _notes(seen: Seen) -> tuple[str, ...]:
    series, notes = seen.series, []
    tidying = series.tidying
    if np.isnan(series.share[-1]):
        notes.append("Nobody knows how full the lot is right now: the forecast goes by what is usual.")
    if seen.fit is None and series.n_days_known >= FEWEST_DAYS:
        notes.append("Not trained yet: a plain baseline is shown, with a wide interval, until the next training.")
    elif seen.fit is None:
        notes.append(
            f"Little history: {_days(series.n_days_known)}. A plain baseline is shown, with a wide interval; "
            f"from {FEWEST_DAYS} days on models are trained and measured."
        )
    elif len(series) * series.slot_s < 5 * WEEK_S:
        notes.append("Less than five weeks of history: days ahead little could be measured.")
    if tidying.stale_capacity is not None:
        notes.append(
            f"The lot is said to have {tidying.stale_capacity:.0f} bays, and holds up to {series.capacity:.0f}: "
            "its capacity is out of date."
        )
    wrong = tidying.n_negative + tidying.n_above
    if wrong > 0.001 * max(tidying.n_counts, 1):
        notes.append(f"{wrong:,} of {tidying.n_counts:,} counts could not be true: below zero, or above the capacity.")
    return tuple(notes)


def _at_time_of_day(series: Series, slot: int) -> float:
    found = series.share[series.slot == slot]
    found = found[~np.isnan(found)]
    return float(found.mean()) if len(found) else float("nan")


def _mean(series: Series) -> float:
    return float(np.nanmean(series.share))


def _in_bays(share: float, low: float, high: float, capacity: float) -> dict[str, float]:
    return {
        "n_free": (1.0 - share) * capacity,
        "low": (1.0 - max(high, share)) * capacity,
        "high": (1.0 - min(low, share)) * capacity,
    }


def _free(share: float, capacity: float) -> float | None:
    return None if np.isnan(share) else (1.0 - share) * capacity


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def _days(n_days: int) -> str:
    return f"{n_days} day" + ("" if n_days == 1 else "s")


def instants_ahead(now: datetime, *, hours: float, step_min: int) -> tuple[datetime, ...]:
    """Return full steps after now."""
    first = (int(now.timestamp()) // (step_min * 60) + 1) * step_min * 60
    n_steps = int(hours * 60 / step_min)
    return tuple(datetime.fromtimestamp(first + i * step_min * 60, UTC) for i in range(n_steps))
