"""Which method foresees which lot best, and how far off it is: judged on its newest weeks, fitted on those before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from core.parking.forecast.boosting import MOST_AHEAD_S, BoostingMissingError, Trees, add_boosting, fit
from core.parking.forecast.intervals import FEWEST, WINDOW, Doubt, adapt, first_alpha, hourly_scale, n_witnesses
from core.parking.forecast.methods import (
    BASELINES,
    DEFAULT_DECAY,
    MODELS,
    Known,
    Method,
    best_decay,
    best_persistence,
    foresee,
    known,
)
from core.parking.forecast.profile import NOTHING_SPECIAL, Occasions
from core.parking.forecast.series import DAY_S, FloatArray, IntArray, Series, cut

BANDS_MIN = (15, 30, 60, 120, 240, 720, 2160, 4320, 10080)
"""Ends of the horizons that are judged apart. Up to four hours each is judged at its end; beyond, at instants all over
it: at whole days ahead the last value would look far better than it is in between."""

FEWEST_DAYS = 21
"""With less, a weekday was seen twice at most: no profile, and nothing to judge it by."""

LONGEST_JUDGED_DAYS = 28
MOST_ORIGINS = 700
N_FOLDS = 2
N_RESAMPLED = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One band of horizons of one lot.

    Attributes:
        n_most: Slots ahead, the most of the band.
        method: The one that is shown.
        persistence: Of `Method.DAMPED`.
        errors: Mean absolute error of each method, share of the capacity.
        is_won: A model beats both baselines; without that a baseline is shown.
        doubt: Of the method that is shown.
        n_judged: Forecasts that were compared with what came.
    """

    n_most: int
    method: Method
    persistence: float
    errors: Mapping[Method, float]
    is_won: bool
    doubt: Doubt
    n_judged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LotFit:
    """All that is fitted to one lot.

    Attributes:
        decay: Of its profile.
        bands: Rising.
    """

    decay: float
    bands: tuple[Judged, ...]

    def at(self, n_ahead: int) -> Judged:
        """Return the band that a horizon lies in; the last one beyond all."""
        return next((band for band in self.bands if n_ahead <= band.n_most), self.bands[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What a training leaves.

    Attributes:
        lots: By the key they came with; lots with too little history are not among them.
        trees: Shared by all lots.
        note: A sentence where something was left out; empty otherwise.
    """

    lots: Mapping[str, LotFit]
    trees: Trees = field(default_factory=Trees)
    note: str = ""


def fit_lots(series: Mapping[str, Series], occasions: Mapping[str, Occasions] | None = None) -> Training:
    """Fit and judge every lot that has enough history.

    Each lot's newest weeks judge what was fitted on the time before them; nothing else does.
    """
    chosen = {key: one for key, one in series.items() if one.n_days_known >= FEWEST_DAYS}
    special = occasions or {}
    drafts = {key: _Draft(one, special.get(key, NOTHING_SPECIAL)) for key, one in chosen.items()}
    note = ""
    try:
        _boost(tuple(drafts.values()))
        trees = fit(*_all_they_may_learn(tuple(drafts.values())))
    except BoostingMissingError as error:
        note = f"Gradient boosting is left out: LightGBM cannot be loaded ({error}). Install libgomp1."
        trees = Trees()
    compared = {key: draft.compare() for key, draft in drafts.items()}
    admitted = {end: _is_admitted([lot[end] for lot in compared.values() if end in lot]) for end in BANDS_MIN}
    return Training(
        lots={key: drafts[key].judge(compared[key], admitted) for key in drafts},
        trees=trees,
        note=note,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    """All methods of one band on the same targets.

    Attributes:
        n_ahead: Slots, shape (k,).
        forecasts, missed: By method, shape (k,).
    """

    origins: IntArray
    n_ahead: IntArray
    persistence: float
    truth: FloatArray
    day: IntArray
    forecasts: Mapping[Method, FloatArray]

    @property
    def missed(self) -> dict[Method, FloatArray]:
        return {method: np.abs(found - self.truth) for method, found in self.forecasts.items()}

    def best(self, methods: Sequence[Method]) -> Method | None:
        """Return the one of least mean absolute error, None where none of them took part."""
        errors = {method: float(e.mean()) for method, e in self.missed.items() if method in methods}
        return min(errors, key=errors.__getitem__) if errors else None


class _Draft:
    """One lot while it is fitted."""

    def __init__(self, series: Series, occasions: Occasions) -> None:
        self.series = series
        self.occasions = occasions
        n_judged_days = int(np.clip(series.n_days_known // 3, 7, LONGEST_JUDGED_DAYS))
        self.begin = max(0, len(series) - n_judged_days * series.slots_a_day)
        self.decay = best_decay(series, occasions, until=self.begin)
        self.of = known(series, decay=self.decay, occasions=occasions)
        self.plain = known(series, decay=DEFAULT_DECAY, occasions=occasions)
        self.boosted: dict[int, FloatArray] = {n: np.full(len(series), np.nan) for n in self.near_steps}

    @property
    def near_steps(self) -> tuple[int, ...]:
        """Horizons that boosting is tried at."""
        slot_s = self.series.slot_s
        return tuple(end * 60 // slot_s for end in BANDS_MIN if slot_s <= end * 60 <= MOST_AHEAD_S)

    def origins(self, first: int, last: int) -> IntArray:
        """Return instants of `[first, last)` at which the lot was known."""
        found = np.arange(max(first, 0), max(min(last, len(self.series)), 0))
        return found[~np.isnan(self.series.share[found])]

    def compare(self) -> dict[int, _Comparison]:
        """Return what every method would have said in the judged time, by end of the band."""
        slot_s = self.series.slot_s
        found = {}
        for begin, end in pairwise((0, *BANDS_MIN)):
            if end * 60 < slot_s:
                continue
            most = end * 60 // slot_s
            least = most if end * 60 <= MOST_AHEAD_S else begin * 60 // slot_s + 1
            comparison = self._compare(least, most)
            if comparison is not None:
                found[end] = comparison
        return found

    def _compare(self, least: int, most: int) -> _Comparison | None:
        n, first = len(self.series), self.begin
        of, persistence = self.of, 0.0
        learning = self.origins(0, self.begin - most)
        if n - most - first < 0.4 * (n - first):
            # Too few targets would be left to judge by: nothing is fitted, so that all of the past may judge.
            of, first = self.plain, 8 * self.series.slots_a_day
        else:
            persistence = best_persistence(of, learning, _spread(least, most, len(learning)))
        origins = self.origins(first, n - most)
        origins = origins[:: max(1, -(-len(origins) // MOST_ORIGINS))]
        n_ahead = _spread(least, most, len(origins))
        truth = self.series.share[origins + n_ahead]
        forecasts = {m: foresee(of, m, origins, n_ahead, persistence=persistence) for m in (*BASELINES, *MODELS[:-1])}
        if least == most and most in self.boosted:
            forecasts[Method.BOOSTED] = self.boosted[most][origins]
        # All are compared on the same targets; a method that knows few of them does not take part.
        enough = max(FEWEST, 0.5 * (~np.isnan(truth)).sum())
        usable = {m: found for m, found in forecasts.items() if (~np.isnan(found + truth)).sum() >= enough}
        if not usable:
            return None
        is_common = ~np.isnan(truth + np.sum(list(usable.values()), axis=0))
        if is_common.sum() < FEWEST:
            return None
        return _Comparison(
            origins=origins[is_common],
            n_ahead=n_ahead[is_common],
            persistence=persistence,
            truth=truth[is_common],
            day=self.series.day[(origins + n_ahead)[is_common]],
            forecasts={m: found[is_common] for m, found in usable.items()},
        )

    def judge(self, compared: Mapping[int, _Comparison], admitted: Mapping[int, bool]) -> LotFit:
        """Choose for every band: a model where models are admitted and it misses least, else a baseline."""
        bands = []
        for end in BANDS_MIN:
            if end * 60 < self.series.slot_s:
                continue
            n_most = end * 60 // self.series.slot_s
            found = compared.get(end)
            bands.append(_unjudged(n_most) if found is None else self._judged(found, n_most, admitted[end]))
        return LotFit(decay=best_decay(self.series, self.occasions, until=len(self.series)), bands=tuple(bands))

    def _judged(self, found: _Comparison, n_most: int, is_admitted: bool) -> Judged:
        method = found.best((*BASELINES, *MODELS) if is_admitted else BASELINES) or found.best(MODELS)
        assert method is not None
        return Judged(
            n_most=n_most,
            method=method,
            persistence=found.persistence,
            errors={m: float(e.mean()) for m, e in found.missed.items()},
            is_won=method in MODELS,
            doubt=doubt_of(self.series, found.origins, found.n_ahead, found.forecasts[method], found.truth),
            n_judged=len(found.truth),
        )


def _spread(least: int, most: int, n: int) -> IntArray:
    """Return horizons all over a band, the same at every call."""
    return np.random.default_rng(most).integers(least, most + 1, size=n)


def _unjudged(n_most: int) -> Judged:
    doubt = Doubt(scale=np.full(24, 0.1), misses=np.zeros(0))
    return Judged(
        n_most=n_most, method=Method.PROFILE, persistence=0.0, errors={}, is_won=False, doubt=doubt, n_judged=0
    )


def doubt_of(series: Series, origins: IntArray, n_ahead: IntArray, forecast: FloatArray, truth: FloatArray) -> Doubt:
    """Return how far off forecasts were that nothing was fitted on; the first third of them only opens the window."""
    misses = truth - forecast
    hours = series.slot[origins + n_ahead] * series.slot_s // 3600
    scale = hourly_scale(misses, hours)
    days_ahead = float(n_ahead.mean()) / series.slots_a_day
    alpha = first_alpha(n_witnesses(misses / scale[hours], series.day[origins + n_ahead], days_ahead))
    n_first = max(FEWEST, len(origins) // 3)
    if len(origins) <= n_first:
        return Doubt(scale=scale, misses=misses / scale[hours], alpha=alpha)
    rest = slice(n_first, None)
    walk = adapt(
        origins=origins[rest],
        n_ahead=n_ahead[rest],
        forecast=forecast[rest],
        truth=truth[rest],
        scale=scale[hours][rest],
        before=misses[:n_first] / scale[hours][:n_first],
        slots_a_day=series.slots_a_day,
        alpha=alpha,
    )
    is_judged = ~np.isnan(walk.low)
    held = (walk.low <= truth[rest]) & (truth[rest] <= walk.high)
    return Doubt(
        scale=scale,
        misses=(misses / scale[hours])[-WINDOW:],
        alpha=walk.alpha,
        coverage=float(held[is_judged].mean()) if is_judged.any() else float("nan"),
        n_judged=int(is_judged.sum()),
    )


def _is_admitted(lots: Sequence[_Comparison]) -> bool:
    """Say whether models beat baselines over all lots by more than chance.

    Whole days are resampled: hours of one day, and lots of one city, are alike. Nineteen of twenty must be a gain.
    """
    gains, days = [], []
    for lot in lots:
        model, baseline = lot.best(MODELS), lot.best(BASELINES)
        if model is None or baseline is None:
            continue
        gains.append(lot.missed[baseline] - lot.missed[model])
        days.append(lot.day)
    if not gains:
        return True
    return _is_gain(np.concatenate(gains), np.concatenate(days))


def _is_gain(gains: FloatArray, day: IntArray) -> bool:
    days, where = np.unique(day, return_inverse=True)
    total, count = np.bincount(where, gains), np.bincount(where)
    drawn = np.random.default_rng(1).integers(0, len(days), size=(N_RESAMPLED, len(days)))
    return bool(np.quantile(total[drawn].sum(axis=1) / count[drawn].sum(axis=1), 0.05) > 0.0)


def _boost(drafts: Sequence[_Draft]) -> None:
    """Fill in what boosting would have said in each fold of the judged time, fitted on the time before that fold."""
    for fold in range(N_FOLDS):
        learners: list[tuple[Known, IntArray]] = []
        steps: list[Sequence[int]] = []
        spans = []
        for draft in drafts:
            n = len(draft.series)
            first = draft.begin + (n - draft.begin) * fold // N_FOLDS
            last = draft.begin + (n - draft.begin) * (fold + 1) // N_FOLDS
            spans.append((first, last))
            learners.append(_known_before(draft, first))
            steps.append(draft.near_steps)
        trees = fit(learners, steps)
        if not trees:
            continue
        for draft, (first, last) in zip(drafts, spans, strict=True):
            for n_ahead in draft.near_steps:
                origins = draft.origins(first, min(last, len(draft.series) - n_ahead))
                if len(origins):
                    draft.boosted[n_ahead][origins] = add_boosting(draft.of, trees, origins, n_ahead)


def _known_before(draft: _Draft, first: int) -> tuple[Known, IntArray]:
    """Return the lot as it was known at index `first`, with the origins whose targets lie before it."""
    of = draft.of
    before = Known(
        series=cut(of.series, first), usual=of.usual[:first], week_ago=of.week_ago[:first], special=of.special[:first]
    )
    most = max(draft.near_steps, default=0)
    return before, draft.origins(7 * DAY_S // draft.series.slot_s, first - most)


def _all_they_may_learn(
    drafts: Sequence[_Draft],
) -> tuple[list[tuple[Known, IntArray]], list[Sequence[int]]]:
    return [_known_before(draft, len(draft.series)) for draft in drafts], [draft.near_steps for draft in drafts]
