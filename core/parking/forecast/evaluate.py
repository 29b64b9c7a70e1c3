"""How well forecasts of car parks would have been: public series, split by time, everything chosen before the test."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from core.kernel.errors import BadInputError
from core.kernel.wire import to_json
from core.parking.forecast.boosting import add_boosting
from core.parking.forecast.datasets import (
    BIRMINGHAM_ZONE,
    DRESDEN_ZONE,
    read_birmingham,
    read_dresden,
    utc_of,
)
from core.parking.forecast.holiday import holidays_of
from core.parking.forecast.intervals import ASKED, FULL_FREE_SHARE, adapt
from core.parking.forecast.methods import BASELINES, Known, Method, foresee, known
from core.parking.forecast.profile import NOTHING_SPECIAL, Occasions
from core.parking.forecast.series import DAY_S, FloatArray, IntArray, Series, cut, extended, held, sampled
from core.parking.forecast.training import LotFit, Training, fit_lots

BIRMINGHAM, DRESDEN, SIZES = (
    "birmingham_uci.csv.gz",
    "dresden_2025-06_2026-05_events.parquet",
    "germany_meta-data.csv.gz",
)
BARS = {"week ahead": 0.055, "30 min": 0.015, "60 min": 0.023, "2 h": 0.036}
"""Mean absolute error on Birmingham, share of the capacity."""

WITHIN_DAY = {"30 min": 30, "60 min": 60, "2 h": 120, "4 h": 240}
FARTHER = {"1 day": 1440, "3 days": 4320, "7 days": 10080}
SLOT_S = 1800
TEST_FROM, TEST_TO = "2016-12-13", "2016-12-20"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling:
    """An origin that moves on: everything is fitted anew for each fold, on what came before it only.

    Attributes:
        first_day: Local date on which the first fold begins.
        days: Length of a fold.
        history_days: What is fitted on, before each fold.
    """

    first_day: str
    folds: int
    days: int
    history_days: int


ROLLING = Rolling(first_day="2026-05-04", folds=2, days=14, history_days=84)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Forecasts of one lot at one horizon, and what came; all arrays of shape (k,)."""

    lot: str
    method: str
    truth: FloatArray
    forecast: FloatArray
    baselines: Mapping[str, FloatArray]
    low: FloatArray
    high: FloatArray
    full: FloatArray


def run_evaluation(folder: Path, out: TextIO, *, parts: Sequence[str], as_json: bool) -> int:
    """Print the figures of the series in a folder; returns the exit code, 1 where a bar is missed.

    Raises:
        BadInputError: None of the files is there.
        UnavailableError: Parquet files cannot be read here.
    """
    found: dict[str, Any] = {}
    if "birmingham" in parts and (folder / BIRMINGHAM).exists():
        found["birmingham"] = evaluate_birmingham(folder / BIRMINGHAM)
    if "dresden" in parts and (folder / DRESDEN).exists():
        found["dresden"] = evaluate_dresden(folder / DRESDEN, folder / SIZES)
    if not found:
        raise BadInputError(
            f"{folder} holds neither {BIRMINGHAM} nor {DRESDEN}.", hint="Name the folder that the series lie in."
        )
    out.write(to_json(found) + "\n" if as_json else "".join(_table(name, part) for name, part in found.items()))
    missed = [bar for bar in found.get("birmingham", {}).get("bars", {}).values() if not bar["is_met"]]
    return 1 if missed else 0


def evaluate_birmingham(file: Path) -> dict[str, Any]:
    """Train to 12 December, test on the 13th to the 19th: within the day from each half hour, and a blind week."""
    counts = read_birmingham(file)
    series = {lot: sampled(one, slot_s=SLOT_S, time_zone=BIRMINGHAM_ZONE) for lot, one in counts.items()}
    begin_s, end_s = utc_of(TEST_FROM, BIRMINGHAM_ZONE), utc_of(TEST_TO, BIRMINGHAM_ZONE)
    series = {lot: cut(one, max(0, min(len(one), _first_at(one, end_s)))) for lot, one in series.items()}
    past = {lot: cut(one, max(0, min(len(one), _first_at(one, begin_s)))) for lot, one in series.items()}
    training = fit_lots(past)
    figures = {name: _summary(_score_all(series, past, training, minutes)) for name, minutes in WITHIN_DAY.items()}
    figures["week ahead"] = _summary(
        [
            one
            for lot, fit in training.lots.items()
            if (one := _blind_week(lot, series[lot], past[lot], fit)) is not None
        ]
    )
    achieved = {name: figures[name]["mae"] for name in BARS}
    return {
        "test": f"{TEST_FROM}..{TEST_TO} (not included), hours and days as published, share of the capacity",
        "data": _data_of(series, {lot: one.data_hash for lot, one in counts.items()}),
        "n_lots_with_too_little_history": len(series) - len(training.lots),
        "note": training.note,
        "horizons": figures,
        "bars": {
            name: {"bar": bar, "mae": achieved[name], "is_met": achieved[name] <= bar} for name, bar in BARS.items()
        },
    }


def evaluate_dresden(file: Path, sizes: Path, rolling: Rolling = ROLLING) -> dict[str, Any]:
    """Roll the origin through the last weeks; changes are carried forward."""
    counts, stale = read_dresden(file, sizes)
    series = {lot: held(one, slot_s=SLOT_S, time_zone=DRESDEN_ZONE) for lot, one in counts.items()}
    special = Occasions(days=holidays_of("DE", "SN", range(2025, 2027)))
    scored: dict[str, list[Scored]] = {name: [] for name in (*WITHIN_DAY, *FARTHER)}
    n_short: Counter[str] = Counter()
    for fold in range(rolling.folds):
        begin_s = utc_of(rolling.first_day, DRESDEN_ZONE) + fold * rolling.days * DAY_S
        cuts = {lot: _span(one, begin_s, rolling) for lot, one in series.items()}
        spans = {lot: one for lot, one in cuts.items() if one is not None and one.n_days_known >= 7}
        past = {lot: cut(one, _first_at(one, begin_s)) for lot, one in spans.items()}
        training = fit_lots(past, dict.fromkeys(past, special))
        n_short.update(lot for lot in spans if lot not in training.lots)
        for name, minutes in (*WITHIN_DAY.items(), *FARTHER.items()):
            scored[name] += _score_all(spans, past, training, minutes, special)
    return {
        "test": f"{rolling.folds} x {rolling.days} days from {rolling.first_day}, {rolling.history_days} of history",
        "data": _data_of(series, {lot: one.data_hash for lot, one in counts.items()}),
        "stale_capacities": stale,
        "n_lots_with_too_little_history": len(n_short),
        "horizons": {name: _summary(found) for name, found in scored.items()},
    }


def _first_at(series: Series, at_s: float) -> int:
    return math.ceil((at_s - series.start_s) / series.slot_s)


def _span(series: Series, begin_s: float, rolling: Rolling) -> Series | None:
    """Return the history before a fold and the fold itself."""
    first = max(0, _first_at(series, begin_s - rolling.history_days * DAY_S))
    last = min(len(series), _first_at(series, begin_s + rolling.days * DAY_S))
    if last - first < 7 * series.slots_a_day or _first_at(series, begin_s) <= first:
        return None
    return Series(
        start_s=series.at_s(first),
        slot_s=series.slot_s,
        time_zone=series.time_zone,
        share=series.share[first:last],
        capacity=series.capacity,
        day=series.day[first:last],
        slot=series.slot[first:last],
        tidying=series.tidying,
    )


def _score_all(
    series: Mapping[str, Series],
    past: Mapping[str, Series],
    training: Training,
    minutes: int,
    occasions: Occasions = NOTHING_SPECIAL,
) -> list[Scored]:
    found = []
    for lot, fit in training.lots.items():
        of = known(series[lot], decay=fit.decay, occasions=occasions)
        scored = _score(lot, of, len(past[lot]), fit, training, minutes * 60 // SLOT_S)
        if scored is not None:
            found.append(scored)
    return found


def _score(lot: str, of: Known, n_past: int, fit: LotFit, training: Training, n_ahead: int) -> Scored | None:
    judged, series = fit.at(n_ahead), of.series
    origins = np.arange(n_past, len(series) - n_ahead)
    truth = series.share[origins + n_ahead]
    forecast = _by(judged.method, of, origins, n_ahead, judged.persistence, training)
    baselines = {method.value: foresee(of, method, origins, n_ahead) for method in BASELINES}
    # A half hour that a baseline cannot speak of is left out for all: they are compared on the same.
    usable = ~np.isnan(truth + forecast + sum(baselines.values()))
    if not usable.any():
        return None
    chosen = origins[usable]
    hours = series.slot[chosen + n_ahead] * series.slot_s // 3600
    walk = adapt(
        origins=chosen,
        n_ahead=np.full(len(chosen), n_ahead),
        forecast=forecast[usable],
        truth=truth[usable],
        scale=judged.doubt.scale[hours],
        before=judged.doubt.misses,
        slots_a_day=series.slots_a_day,
        alpha=judged.doubt.alpha,
    )
    return Scored(
        lot=lot,
        method=judged.method.value,
        truth=truth[usable],
        forecast=forecast[usable],
        baselines={name: one[usable] for name, one in baselines.items()},
        low=walk.low,
        high=walk.high,
        full=walk.full,
    )


def _blind_week(lot: str, series: Series, past: Series, fit: LotFit) -> Scored | None:
    """Foresee the whole week from the last count before it."""
    targets = np.arange(len(past), len(series))
    targets = targets[~np.isnan(series.share[targets])]
    if len(targets) == 0:
        return None
    of = known(extended(past, len(series) - len(past)), decay=fit.decay)
    origin = int(np.flatnonzero(~np.isnan(past.share))[-1])
    forecast, low, high, full = (np.full(len(targets), np.nan) for _ in range(4))
    used: Counter[str] = Counter()
    for i, target in enumerate(targets):
        n_ahead = int(target) - origin
        judged = fit.at(n_ahead)
        used[judged.method.value] += 1
        # Boosting reaches hours ahead, never into the next day.
        method = Method.DAMPED if judged.method is Method.BOOSTED else judged.method
        forecast[i] = foresee(of, method, np.array([origin]), n_ahead, persistence=judged.persistence)[0]
        hour = int(series.slot[target]) * series.slot_s // 3600
        low[i], high[i] = judged.doubt.interval(float(forecast[i]), hour)
        full[i] = judged.doubt.full_probability(float(forecast[i]), hour)
    baselines = {
        Method.LAST.value: np.full(len(targets), past.share[origin]),
        Method.SEASONAL.value: of.week_ago[targets],
    }
    usable = ~np.isnan(forecast + sum(baselines.values()))
    if not usable.any():
        return None
    return Scored(
        lot=lot,
        method=used.most_common(1)[0][0],
        truth=series.share[targets][usable],
        forecast=forecast[usable],
        baselines={name: one[usable] for name, one in baselines.items()},
        low=low[usable],
        high=high[usable],
        full=full[usable],
    )


def _by(
    method: Method, of: Known, origins: IntArray, n_ahead: int, persistence: float, training: Training
) -> FloatArray:
    if method is Method.BOOSTED:
        return add_boosting(of, training.trees, origins, n_ahead)
    return foresee(of, method, origins, n_ahead, persistence=persistence)


def _by_lot(scored: Sequence[Scored]) -> list[Scored]:
    """Join what is scored of the same lot in several folds."""
    parts: dict[str, list[Scored]] = {}
    for one in scored:
        parts.setdefault(one.lot, []).append(one)

    def joined(folds: Sequence[Scored], of: Callable[[Scored], FloatArray]) -> FloatArray:
        return np.concatenate([of(fold) for fold in folds])

    return [
        Scored(
            lot=lot,
            method=folds[-1].method,
            truth=joined(folds, lambda one: one.truth),
            forecast=joined(folds, lambda one: one.forecast),
            baselines={name: np.concatenate([fold.baselines[name] for fold in folds]) for name in folds[0].baselines},
            low=joined(folds, lambda one: one.low),
            high=joined(folds, lambda one: one.high),
            full=joined(folds, lambda one: one.full),
        )
        for lot, folds in parts.items()
    ]


def _summary(scored: Sequence[Scored]) -> dict[str, Any]:
    """Put all lots together: pooled errors beside the mean over lots, and the worst lot by name."""
    if not scored:
        return {"n": 0, "n_lots": 0}
    lots = _by_lot(scored)

    def pooled(of: Callable[[Scored], Any]) -> Any:
        return np.concatenate([of(one) for one in lots])

    missed = pooled(lambda one: one.forecast - one.truth)
    is_judged = ~np.isnan(pooled(lambda one: one.low))
    held = pooled(lambda one: ((one.low <= one.truth) & (one.truth <= one.high)).astype(np.float64))
    full, is_full = pooled(lambda one: one.full), pooled(lambda one: one.truth > 1.0 - FULL_FREE_SHARE)
    has_chance = ~np.isnan(full)
    by_lot = {one.lot: float(np.abs(one.forecast - one.truth).mean()) for one in lots}
    covered = {
        one.lot: float(((one.low <= one.truth) & (one.truth <= one.high))[~np.isnan(one.low)].mean())
        for one in lots
        if (~np.isnan(one.low)).sum() >= 30
    }
    worst, least = max(by_lot, key=by_lot.__getitem__), min(covered, key=covered.__getitem__, default="")
    base_rate = float(is_full.mean())
    return {
        "n": len(missed),
        "n_lots": len(lots),
        "mae": round(float(np.mean(list(by_lot.values()))), 5),
        "mae_pooled": round(float(np.abs(missed).mean()), 5),
        "rmse_pooled": round(float(np.sqrt((missed**2).mean())), 5),
        "baselines": {
            name: round(float(np.mean([np.abs(one.baselines[name] - one.truth).mean() for one in lots])), 5)
            for name in lots[0].baselines
        },
        "worst_lot": {"lot": worst, "mae": round(by_lot[worst], 5)},
        "interval": {
            "asked": ASKED,
            "coverage": round(float(held[is_judged].mean()), 4) if is_judged.any() else None,
            "mean_width": round(float(pooled(lambda one: one.high - one.low)[is_judged].mean()), 4)
            if is_judged.any()
            else None,
            "worst_lot": {"lot": least, "coverage": round(covered[least], 4)} if least else None,
        },
        "full": {
            "free_share_below": FULL_FREE_SHARE,
            "base_rate": round(base_rate, 4),
            "brier": round(float(((full - is_full)[has_chance] ** 2).mean()), 5) if has_chance.any() else None,
            "brier_of_base_rate": round(base_rate * (1 - base_rate), 5),
        },
        "methods": dict(Counter(one.method for one in scored)),
    }


def _data_of(series: Mapping[str, Series], hashes: Mapping[str, str]) -> dict[str, Any]:
    parts = [one.tidying for one in series.values()]
    return {
        "n_lots": len(series),
        "n_counts": sum(part.n_counts for part in parts),
        "n_duplicates": sum(part.n_duplicates for part in parts),
        "n_negative": sum(part.n_negative for part in parts),
        "n_above_capacity": sum(part.n_above for part in parts),
        "stale_capacities": {lot: round(one.capacity) for lot, one in series.items() if one.tidying.stale_capacity},
        "hash": hashlib.blake2b("".join(hashes[lot] for lot in sorted(hashes)).encode(), digest_size=8).hexdigest(),
    }


def _table(name: str, part: Mapping[str, Any]) -> str:
    lines = [f"{name}: {part['test']}", f"  data: {part['data']}"]
    lines.append(
        f"  {'ahead':<11}{'shown':>8}{'last value':>12}{'last week':>11}{'90 % held':>11}{'worst':>8}  Brier full"
    )
    for horizon, row in part["horizons"].items():
        if not row["n"]:
            continue
        base, interval, full = row["baselines"], row["interval"], row["full"]
        worst = interval["worst_lot"]["coverage"] if interval["worst_lot"] else float("nan")
        lines.append(
            f"  {horizon:<11}{row['mae']:>8.4f}{base['last value']:>12.4f}{base['last week']:>11.4f}"
            f"{interval['coverage'] or float('nan'):>11.3f}{worst:>8.3f}"
            f"  {full['brier']} (base rate alone {full['brier_of_base_rate']})"
        )
    for bar, found in part.get("bars", {}).items():
        lines.append(f"  {bar}: {found['mae']:.4f}, at most {found['bar']}: {'met' if found['is_met'] else 'MISSED'}")
    return "\n".join(lines) + "\n"
