"""How far a forecast may be off: adaptive conformal intervals for each lot and horizon, and the chance that it is full.

Source: Gibbs and Candès, "Adaptive conformal inference under distribution shift", NeurIPS 2021; on residuals divided by
what is usual at that hour, as in Lei et al., "Distribution-free predictive inference for regression", JASA 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.parking.forecast.series import FloatArray, IntArray

ASKED = 0.9
GAMMA = 0.03
GAMMA_HOURS = 4
"""Farther ahead, the more forecasts are under way together, the less each of them teaches."""

WINDOW = 400
FEWEST = 30
LEAST_SCALE = 0.005
FULL_FREE_SHARE = 0.02
"""A lot with less of its bays free than that is full: who arrives finds no place without waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What is known of a method's misses at one horizon.

    Attributes:
        scale: Mean absolute miss by local hour of the target, shape (24,).
        misses: The newest, truth minus forecast in `scale`, shape (k,).
        alpha: Share that may lie outside, as adapted to what came.
        coverage: Share of the judged intervals that held what came; NaN where too few were judged.
        n_judged: Intervals that were judged.
    """

    scale: FloatArray
    misses: FloatArray
    alpha: float = 1.0 - ASKED
    coverage: float = float("nan")
    n_judged: int = 0

    def interval(self, share: float, hour: int) -> tuple[float, float]:
        """Return the share's lower and upper end, 0..1."""
        low, high = quantiles(self.misses, self.alpha)
        scale = float(self.scale[hour])
        return max(0.0, min(share + low * scale, 1.0)), min(1.0, max(share + high * scale, 0.0))

    def full_probability(self, share: float, hour: int) -> float:
        """Return how often a lot was full where this was forecast, 0..1."""
        came = share + self.misses * float(self.scale[hour])
        return float((came > 1.0 - FULL_FREE_SHARE).mean()) if len(came) else float("nan")


def quantiles(misses: FloatArray, alpha: float) -> tuple[float, float]:
    """Return the ends that leave `alpha` outside, half on each side; beyond what was seen once `alpha` asks for it."""
    if len(misses) == 0:
        return -np.inf, np.inf
    side = alpha / 2
    low, high = np.quantile(misses, [max(side, 0.0), min(1.0 - side, 1.0)])
    if side * len(misses) < 1.0:
        return min(float(low), 0.0) * 1.25, max(float(high), 0.0) * 1.25
    return float(low), float(high)


def n_witnesses(misses: FloatArray, days: IntArray, days_ahead: float) -> float:
    """Return how many independent misses these are worth.

    The hours of a day are one witness, not many. Days that are wrong alike are fewer again, by their autocorrelation
    from one to the next, down to one witness for each span of the horizon: what is foreseen for three days on can be
    wrong for three days together.

    Args:
        misses: Shape (k,).
        days: Of the targets, shape (k,).
        days_ahead: Mean of the horizons.

    Source: Bayley and Hammersley, "The effective number of independent observations in an autocorrelated time
    series", Supplement to JRSS 1946; for a first-order process.
    """
    _, where = np.unique(days, return_inverse=True)
    daily = np.bincount(where, misses) / np.bincount(where)
    n_days = len(daily)
    if n_days < 3 or days_ahead < 1.0:
        return float(max(1, n_days))
    around = daily - daily.mean()
    alike = float((around[1:] * around[:-1]).sum() / max((around**2).sum(), 1e-12))
    worth = n_days * (1.0 - alike) / (1.0 + alike) if alike > 0.0 else n_days
    return float(np.clip(worth, max(1.0, n_days / days_ahead), n_days))


def first_alpha(n_witnesses: float) -> float:
    """Return what may lie outside before anything is learned."""
    return max(0.0, 1.0 - ASKED * (1.0 + 1.0 / max(n_witnesses, 1.0)))


def hourly_scale(misses: FloatArray, hours: IntArray) -> FloatArray:
    """Return the mean absolute miss of each local hour, drawn to the mean of all where few were seen; shape (24,)."""
    size = np.abs(misses)
    overall = float(size.mean()) if len(size) else 0.1
    sums, counts = np.bincount(hours, size, minlength=24), np.bincount(hours, minlength=24)
    # Hours next to each other are alike.
    sums = sums + 0.5 * (np.roll(sums, 1) + np.roll(sums, -1))
    counts = counts + 0.5 * (np.roll(counts, 1) + np.roll(counts, -1))
    return np.maximum((sums + 10.0 * overall) / (counts + 10.0), LEAST_SCALE)


@dataclass(frozen=True, slots=True)
class Walk:
    """What adaptive intervals would have been, one after the other.

    Attributes:
        low, high, full: Ends and chance of a full lot, shape (k,); NaN where too little was known yet.
        alpha: As adapted after the last of them.
    """

    low: FloatArray
    high: FloatArray
    full: FloatArray
    alpha: float


def adapt(
    *,
    origins: IntArray,
    n_ahead: IntArray,
    forecast: FloatArray,
    truth: FloatArray,
    scale: FloatArray,
    before: FloatArray,
    slots_a_day: int,
    alpha: float = 1.0 - ASKED,
) -> Walk:
    """Walk through origins in order of time; what came is learned only once it came.

    Args:
        origins: Rising, shape (k,).
        n_ahead: Slots from each origin to its target, shape (k,).
        forecast: Shape (k,).
        truth: Shape (k,).
        scale: Of each target, shape (k,).
        before: Misses in `scale` from before the first origin, oldest first.
        slots_a_day: What the horizons are counted in.
        alpha: To begin with.
    """
    window = list(before[-WINDOW:])
    low, high, full = (np.full(len(origins), np.nan) for _ in range(3))
    n_learned = 0
    for i, origin in enumerate(origins):
        while n_learned < i and origins[n_learned] + n_ahead[n_learned] <= origin:
            window.append(float((truth[n_learned] - forecast[n_learned]) / scale[n_learned]))
            if not np.isnan(low[n_learned]):
                is_outside = not low[n_learned] <= truth[n_learned] <= high[n_learned]
                gamma = GAMMA * min(1.0, slots_a_day * GAMMA_HOURS / 24.0 / n_ahead[n_learned])
                alpha = float(np.clip(alpha + gamma * (1.0 - ASKED - is_outside), 0.0, 0.5))
            n_learned += 1
        if len(window) < FEWEST:
            continue
        misses = np.asarray(window[-WINDOW:])
        doubt = Doubt(scale=np.full(24, scale[i]), misses=misses, alpha=alpha)
        low[i], high[i] = doubt.interval(float(forecast[i]), 0)
        full[i] = doubt.full_probability(float(forecast[i]), 0)
    return Walk(low, high, full, alpha)
