"""The ways a lot is foreseen, from the plainest on; all of one origin see only what was known then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from core.parking.forecast.profile import NOTHING_SPECIAL, Occasions, last_week, profile
from core.parking.forecast.series import FloatArray, IntArray, Series

DECAYS = (0.35, 0.6, 0.85)
DEFAULT_DECAY = 0.6
PERSISTENCES = tuple(step / 10 for step in range(11))


class Method(StrEnum):
    """How a forecast is made."""

    LAST = "last value"
    SEASONAL = "last week"
    PROFILE = "profile"
    CHANGE = "now + profile change"
    DAMPED = "profile + part of today"
    BOOSTED = "gradient boosting"


BASELINES = (Method.LAST, Method.SEASONAL)
MODELS = (Method.PROFILE, Method.CHANGE, Method.DAMPED, Method.BOOSTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A series with what is usual at each of its instants, also those to come.

    Attributes:
        usual: `profile` of the series, shape (n,).
        week_ago: `last_week` of the series, shape (n,).
        special: 1 on holidays and in events, shape (n,).
    """

    series: Series
    usual: FloatArray
    week_ago: FloatArray
    special: FloatArray


def known(series: Series, *, decay: float = DEFAULT_DECAY, occasions: Occasions = NOTHING_SPECIAL) -> Known:
    """Work out what is usual."""
    return Known(
        series=series,
        usual=profile(series, decay=decay, occasions=occasions),
        week_ago=last_week(series),
        special=np.maximum(occasions.is_special(series.day), occasions.during(series)),
    )


def foresee(
    of: Known, method: Method, origins: IntArray, n_ahead: int | IntArray, *, persistence: float = 0.0
) -> FloatArray:
    """Return a method's shares `n_ahead` slots after each origin; NaN where it has nothing to go by.

    Args:
        of: Long enough to hold every origin's target.
        method: Not `BOOSTED`, which `boosting` adds to `CHANGE`.
        origins: Indices into the series, shape (k,).
        n_ahead: Slots, at least 1; the same for all, or shape (k,).
        persistence: Of `DAMPED`: the part of today's deviation from the profile that is left by then, 0..1.

    Returns:
        Shape (k,), 0..1.
    """
    now: FloatArray = of.series.share[origins]
    usual_then: FloatArray = of.usual[origins + n_ahead]
    if method is Method.LAST:
        return now
    if method is Method.SEASONAL:
        week_ago: FloatArray = of.week_ago[origins + n_ahead]
        return week_ago
    if method is Method.PROFILE:
        return usual_then
    kept = 1.0 if method is Method.CHANGE else persistence
    return np.clip(usual_then + kept * (now - of.usual[origins]), 0.0, 1.0)


def best_decay(series: Series, occasions: Occasions, *, until: int) -> float:
    """Return the decay whose profile was nearest to what came, by mean absolute error before index `until`."""

    def error(decay: float) -> float:
        missed = np.abs(profile(series, decay=decay, occasions=occasions) - series.share)[:until]
        return float(np.nanmean(missed)) if not np.isnan(missed).all() else np.inf

    return min(DECAYS, key=error)


def best_persistence(of: Known, origins: IntArray, n_ahead: IntArray) -> float:
    """Return the persistence with the least mean absolute error over some origins; 0 where none can be judged."""
    if len(origins) == 0:
        return 0.0
    truth = of.series.share[origins + n_ahead]
    is_judged = ~np.isnan(truth + of.series.share[origins] + of.usual[origins] + of.usual[origins + n_ahead])
    if is_judged.sum() < 20:
        return 0.0
    chosen, came = origins[is_judged], truth[is_judged]
    errors = [
        float(np.abs(foresee(of, Method.DAMPED, chosen, n_ahead[is_judged], persistence=part) - came).mean())
        for part in PERSISTENCES
    ]
    return PERSISTENCES[int(np.argmin(errors))]


def features(of: Known, origins: IntArray, n_ahead: int) -> FloatArray:
    """Return what gradient boosting sees of each origin, shape (k, 14); NaN is unknown."""
    series, share, usual = of.series, of.series.share, of.usual
    target = origins + n_ahead

    def before(values: FloatArray, n_slots: int) -> FloatArray:
        index = origins - n_slots
        return np.where(index >= 0, values[np.maximum(index, 0)], np.nan)

    beyond = share - usual
    columns: Sequence[FloatArray] = (
        share[origins],
        beyond[origins],
        share[origins] - before(share, 1),
        share[origins] - before(share, 2),
        before(beyond, 1),
        before(beyond, max(1, 7200 // series.slot_s)),
        before(beyond, series.slots_a_day - n_ahead),
        usual[target] - usual[origins],
        usual[target],
        of.week_ago[target] - of.week_ago[origins],
        np.full(len(origins), n_ahead * series.slot_s / 60.0),
        series.slot[target] * series.slot_s / 3600.0,
        ((series.day[target] - 1) % 7).astype(np.float64),
        of.special[target],
    )
    return np.column_stack(columns)
