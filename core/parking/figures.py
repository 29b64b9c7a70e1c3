"""Turnover, stays, heat and busiest bays, from every change of every bay; a gap is never a zero."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.parking.figures_model import DWELL_ENDS_MIN, BayFigures, Dwell, LotFigures
from core.parking.forecast.series import DAY_S, Counts, FloatArray, IntArray, held, local_slots

HEAT_SLOT_S = 900
"""Every time zone's offset is a multiple of it: a slot lies in one local hour."""

LEAST_KNOWN = 0.1
NO_HEAT: tuple[tuple[float | None, ...], ...] = ((None,) * 24,) * 7


@dataclass(frozen=True, slots=True)
class Change:
    """A bay stood otherwise from an instant on.

    Attributes:
        at_s: Seconds since 1970.
        is_occupied: None where nobody knows, or the bay is closed.
    """

    bay_id: str
    at_s: float
    is_occupied: bool | None


@dataclass(frozen=True, slots=True)
class Span:
    """A bay stood the same for a while.

    Attributes:
        has_begin, has_end: The change was seen: another known state is on its other side.
    """

    bay_id: str
    begin_s: float
    end_s: float
    is_occupied: bool
    has_begin: bool
    has_end: bool


def spans_of(changes: Iterable[Change], *, since_s: float, until_s: float) -> list[Span]:
    """Return the known times of every bay between two instants.

    The changes of each bay come in order of time; the last one at or before `since_s` says how it began.
    """
    by_bay: dict[str, list[Change]] = {}
    for change in changes:
        by_bay.setdefault(change.bay_id, []).append(change)
    found: list[Span] = []
    for bay_id, told in by_bay.items():
        found += _spans_of_bay(bay_id, told, since_s, until_s)
    return found


def _spans_of_bay(bay_id: str, told: Sequence[Change], since_s: float, until_s: float) -> list[Span]:
    steps: list[tuple[float, bool | None]] = [(since_s, None)]
    for change in told:
        at_s = max(change.at_s, since_s)
        if at_s >= until_s:
            break
        if steps[-1][0] == at_s:
            steps.pop()
        if not steps or steps[-1][1] is not change.is_occupied:
            steps.append((at_s, change.is_occupied))
    steps.append((until_s, None))
    found = []
    for i in range(len(steps) - 1):
        begin_s, state = steps[i]
        if state is None:
            continue
        found.append(
            Span(
                bay_id,
                begin_s,
                steps[i + 1][0],
                state,
                has_begin=i > 0 and steps[i - 1][1] is not None,
                has_end=steps[i + 1][1] is not None,
            )
        )
    return found


def figures_of(
    spans: Sequence[Span],
    *,
    lot_id: str,
    zone: str,
    bay_ids: Sequence[str],
    since: datetime,
    until: datetime,
    time_zone: str,
) -> LotFigures:
    """Return the figures of the bays in `bay_ids`: all that count, also those of which nothing was ever heard.

    The spans are those of `spans_of` over the same time.
    """
    since_s, until_s = since.timestamp(), until.timestamp()
    wanted = set(bay_ids)
    chosen = [span for span in spans if span.bay_id in wanted]
    all_s = max(until_s - since_s, 1e-9)
    bays = _by_bay(chosen, bay_ids, all_s)
    known_s = sum(span.end_s - span.begin_s for span in chosen)
    occupied_s = sum(span.end_s - span.begin_s for span in chosen if span.is_occupied)
    n_stays = sum(span.is_occupied and span.has_begin for span in chosen)
    now = [span for span in chosen if span.end_s >= until_s]
    n_occupied = sum(span.is_occupied for span in now)
    return LotFigures(
        lot_id=lot_id,
        zone=zone,
        since=since,
        until=until,
        time_zone=time_zone,
        n_bays=len(wanted),
        n_occupied=n_occupied,
        n_unknown=len(wanted) - len(now),
        known_share=known_s / (all_s * len(wanted)) if wanted else 0.0,
        occupied_share=occupied_s / known_s if known_s > 0 else None,
        turnover=n_stays / (known_s / DAY_S) if known_s > 0 else None,
        heat=_heat_of_spans(chosen, since_s, until_s, time_zone, n_bays=len(wanted)),
        dwell=dwell_of([span for span in chosen if span.is_occupied]),
        bays=bays,
    )


def figures_of_counts(counts: Counts, *, lot_id: str, since: datetime, until: datetime, time_zone: str) -> LotFigures:
    """Return what can be said of a lot that only counts: how full, when, and nothing of stays.

    Raises:
        ValueError: There is not one count that can be used.
    """
    series = held(counts, slot_s=HEAT_SLOT_S, time_zone=time_zone, until_s=until.timestamp())
    first = max(0, series.index_of(since.timestamp()))
    share, day, slot = series.share[first:], series.day[first:], series.slot[first:]
    n_all = max(1, round((until - since).total_seconds() / HEAT_SLOT_S))
    is_known = ~np.isnan(share)
    last = int(np.argmax(counts.at_s))
    return LotFigures(
        lot_id=lot_id,
        zone="",
        since=since,
        until=until,
        time_zone=time_zone,
        n_bays=round(series.capacity),
        n_occupied=round(float(counts.n_occupied[last])),
        n_unknown=round(float(counts.n_unknown[last])),
        known_share=min(1.0, float(is_known.sum()) / n_all),
        occupied_share=float(share[is_known].mean()) if is_known.any() else None,
        turnover=None,
        heat=_heat(np.where(is_known, share, 0.0), is_known.astype(np.float64), day, slot, n_of_all=1.0),
        dwell=Dwell(),
        is_counted=True,
    )


def dwell_of(stays: Sequence[Span]) -> Dwell:
    """Return how long stays last; those whose end nobody saw last at least as long as they were seen.

    Source: Kaplan and Meier, "Nonparametric estimation from incomplete observations", JASA 1958.
    """
    begun = [span for span in stays if span.has_begin]
    n_complete = sum(span.has_end for span in begun)
    counted = Dwell(n_complete=n_complete, n_cut=len(begun) - n_complete, n_without_begin=len(stays) - len(begun))
    if not begun:
        return counted
    lasted_min = np.array([(span.end_s - span.begin_s) / 60.0 for span in begun])
    is_end = np.array([span.has_end for span in begun])
    times, left = _survival(lasted_min, is_end)
    edges = [1.0, *(_left_after(times, left, end) for end in DWELL_ENDS_MIN), 0.0]
    return replace(
        counted,
        shares=tuple(before - after for before, after in pairwise(edges)),
        median_min=_reached(times, left, 0.5),
        p90_min=_reached(times, left, 0.1),
    )


def _survival(lasted_min: FloatArray, is_end: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Return the lengths at which stays ended, rising, and the share that lasts longer than each."""
    times = np.unique(lasted_min[is_end])
    if len(times) == 0:
        return times, np.zeros(0)
    ordered = np.sort(lasted_min)
    n_at_risk = len(ordered) - np.searchsorted(ordered, times, side="left")
    ended = np.sort(lasted_min[is_end])
    n_ended = np.searchsorted(ended, times, side="right") - np.searchsorted(ended, times, side="left")
    left = np.cumprod(1.0 - n_ended / n_at_risk).astype(np.float64)
    return times, left


def _left_after(times: FloatArray, left: FloatArray, minutes: float) -> float:
    index = int(np.searchsorted(times, minutes, side="right")) - 1
    return 1.0 if index < 0 else float(left[index])


def _reached(times: FloatArray, left: FloatArray, share: float) -> float | None:
    below = np.flatnonzero(left <= share + 1e-9)
    return float(times[below[0]]) if len(below) else None


def _by_bay(spans: Sequence[Span], bay_ids: Sequence[str], all_s: float) -> tuple[BayFigures, ...]:
    by_bay: dict[str, list[Span]] = {bay_id: [] for bay_id in bay_ids}
    for span in spans:
        by_bay[span.bay_id].append(span)
    found = []
    for bay_id, told in by_bay.items():
        known_s = sum(span.end_s - span.begin_s for span in told)
        stays = [span for span in told if span.is_occupied]
        whole = [span.end_s - span.begin_s for span in stays if span.has_begin and span.has_end]
        occupied_s = sum(span.end_s - span.begin_s for span in stays)
        found.append(
            BayFigures(
                bay_id=bay_id,
                n_stays=sum(span.has_begin for span in stays),
                occupied_share=occupied_s / known_s if known_s > 0 else None,
                known_share=known_s / all_s,
                mean_stay_min=sum(whole) / len(whole) / 60.0 if whole else None,
            )
        )
    return tuple(sorted(found, key=lambda bay: (-(bay.occupied_share or 0.0), bay.bay_id)))


def _heat_of_spans(
    spans: Sequence[Span], since_s: float, until_s: float, time_zone: str, *, n_bays: int
) -> tuple[tuple[float | None, ...], ...]:
    first_s = since_s // HEAT_SLOT_S * HEAT_SLOT_S
    edges = np.arange(first_s, until_s + HEAT_SLOT_S, HEAT_SLOT_S, dtype=np.float64)
    if len(edges) < 2 or not spans or n_bays == 0:
        return NO_HEAT
    known, occupied = _seconds(spans, edges), _seconds([span for span in spans if span.is_occupied], edges)
    day, slot = local_slots(edges[:-1], HEAT_SLOT_S, time_zone)
    return _heat(occupied, known, day, slot, n_of_all=float(n_bays * HEAT_SLOT_S))


def _seconds(spans: Sequence[Span], edges: FloatArray) -> FloatArray:
    """Return for how many seconds of each slot bays were in these spans, all bays added; shape (slots,)."""

    def passed(instants: FloatArray) -> FloatArray:
        """Return the seconds since each of the instants, all added, at every edge."""
        ordered = np.sort(instants)
        sums = np.concatenate([[0.0], np.cumsum(ordered)])
        n_before = np.searchsorted(ordered, edges, side="right")
        since: FloatArray = n_before * edges - sums[n_before]
        return since

    begins, ends = (np.array([getattr(span, name) for span in spans]) for name in ("begin_s", "end_s"))
    return np.diff(passed(begins) - passed(ends))


def _heat(
    occupied: FloatArray, known: FloatArray, day: IntArray, slot: IntArray, *, n_of_all: float
) -> tuple[tuple[float | None, ...], ...]:
    cell = ((day - 1) % 7).astype(np.int64) * 24 + (slot * HEAT_SLOT_S // 3600).astype(np.int64)
    occupied_of, known_of = np.bincount(cell, occupied, minlength=168), np.bincount(cell, known, minlength=168)
    all_of = np.bincount(cell, minlength=168) * n_of_all
    return tuple(
        tuple(
            float(occupied_of[i] / known_of[i]) if known_of[i] > 0 and known_of[i] >= LEAST_KNOWN * all_of[i] else None
            for i in range(weekday * 24, weekday * 24 + 24)
        )
        for weekday in range(7)
    )
