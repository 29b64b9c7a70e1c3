"""Figures of lots, each worked out a second time minute by minute, with nothing shared."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from core.parking.figures import Change, dwell_of, figures_of, figures_of_counts, spans_of
from core.parking.figures_model import DWELL_ENDS_MIN
from core.parking.forecast.series import Counts

ZONE = "Europe/Berlin"
BEGIN = datetime(2026, 3, 23, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def at(minutes: float) -> float:
    return BEGIN.timestamp() + 60 * minutes


def figures(changes, *, minutes: int, bays: tuple[str, ...], zone: str = ZONE):
    since, until = BEGIN, BEGIN + timedelta(minutes=minutes)
    spans = spans_of(changes, since_s=since.timestamp(), until_s=until.timestamp())
    return figures_of(spans, lot_id="market", zone="", bay_ids=bays, since=since, until=until, time_zone=zone)


def random_changes(bays: tuple[str, ...], minutes: int, seed: int) -> list[Change]:
    random = np.random.default_rng(seed)
    found = []
    for bay in bays:
        now = -float(random.integers(0, 60))
        while now < minutes:
            found.append(Change(bay, at(now), [True, False, None][random.integers(0, 3)]))
            now += float(random.integers(1, 300))
    return found


def minute_by_minute(changes, bays, minutes):
    """State of every bay at every minute: 1 occupied, 0 free, NaN unknown."""
    table = np.full((len(bays), minutes), np.nan)
    for row, bay in enumerate(bays):
        told = sorted((c for c in changes if c.bay_id == bay), key=lambda c: c.at_s)
        for minute in range(minutes):
            before = [c for c in told if c.at_s <= at(minute)]
            if before and before[-1].is_occupied is not None:
                table[row, minute] = float(before[-1].is_occupied)
    return table


def stays_of(table):
    """(length, begin seen, end seen) of every run of ones."""
    found = []
    for row in table:
        minute = 0
        while minute < len(row):
            if row[minute] != 1.0:
                minute += 1
                continue
            first = minute
            while minute < len(row) and row[minute] == 1.0:
                minute += 1
            found.append(
                (minute - first, first > 0 and row[first - 1] == 0.0, minute < len(row) and row[minute] == 0.0)
            )
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_figure_is_what_counting_minute_by_minute_gives(seed):
    bays, minutes = ("a", "b", "c"), 9 * 1440  # over the change of clocks on 29 March
    changes = random_changes(bays, minutes, seed)
    found, table = figures(changes, minutes=minutes, bays=bays), minute_by_minute(changes, bays, minutes)
    is_known, stays = ~np.isnan(table), stays_of(table)

    assert found.known_share == pytest.approx(is_known.mean())
    assert found.occupied_share == pytest.approx(np.nanmean(table))
    n_begun = sum(begun for _, begun, _ in stays)
    assert found.turnover == pytest.approx(n_begun / (is_known.sum() / 1440))
    assert found.dwell.n_complete == sum(begun and ended for _, begun, ended in stays)
    assert found.dwell.n_cut == sum(begun and not ended for _, begun, ended in stays)
    assert found.dwell.n_without_begin == sum(not begun for _, begun, _ in stays)
    for bay in found.bays:
        row = table[bays.index(bay.bay_id)]
        assert bay.occupied_share == pytest.approx(np.nanmean(row))
        assert bay.n_stays == sum(begun for _, begun, _ in stays_of(row[None]))
    walls = [datetime.fromtimestamp(at(minute), ZoneInfo(ZONE)) for minute in range(minutes)]
    for weekday in range(7):
        for hour in range(24):
            column = [i for i, wall in enumerate(walls) if wall.weekday() == weekday and wall.hour == hour]
            part = table[:, column]
            said = found.heat[weekday][hour]
            if part.size == 0 or np.isnan(part).mean() > 0.9:
                assert said is None
            else:
                assert said == pytest.approx(np.nanmean(part))


def kaplan_meier_by_hand(stays, minutes):
    """Share of stays longer than some minutes: the product over the ends before."""
    left = 1.0
    for end in sorted({length for length, is_end in stays if is_end and length <= minutes}):
        n_at_risk = sum(length >= end for length, _ in stays)
        left *= 1 - sum(length == end and is_end for length, is_end in stays) / n_at_risk
    return left


def test_stays_that_are_not_over_count_as_at_least_so_long():
    random = np.random.default_rng(5)
    stays = [(float(random.integers(1, 500)), bool(random.integers(0, 2))) for _ in range(60)]
    changes, now = [], 0.0
    for length, is_end in stays:
        changes += [Change("a", at(now), False), Change("a", at(now + 1), True)]
        changes.append(Change("a", at(now + 1 + length), False if is_end else None))
        now += length + 2
    found = figures(changes, minutes=int(now), bays=("a",)).dwell

    left = [1.0, *(kaplan_meier_by_hand(stays, end) for end in DWELL_ENDS_MIN), 0.0]
    assert found.shares == pytest.approx([before - after for before, after in pairwise(left)])
    assert sum(found.shares) == pytest.approx(1.0)
    assert found.median_min == min(length for length, _ in stays if kaplan_meier_by_hand(stays, length) <= 0.5)


def test_without_an_end_no_median_is_claimed():
    changes = [Change("a", at(0), False), Change("a", at(10), True)]
    found = figures(changes, minutes=100, bays=("a",)).dwell

    assert (found.n_complete, found.n_cut) == (0, 1)
    assert found.median_min is None


def test_a_bay_nobody_heard_of_is_unknown_and_never_free():
    found = figures([Change("a", at(-5), True)], minutes=600, bays=("a", "b"))

    assert (found.n_occupied, found.n_unknown) == (1, 1)
    assert found.known_share == 0.5
    assert found.occupied_share == 1.0
    assert found.bays[-1].occupied_share is None


def test_hours_nobody_watched_are_not_shown_as_empty():
    changes = [Change("a", at(0), False), Change("a", at(60), None)]
    found = figures(changes, minutes=240, bays=("a",))

    assert found.heat[0][:4] == (0.0, None, None, None)


def test_a_vehicle_that_stood_there_before_is_no_arrival():
    changes = [Change("a", at(-100), True), Change("a", at(30), False), Change("a", at(60), True)]
    found = figures(changes, minutes=1440, bays=("a",))

    assert found.turnover == pytest.approx(1.0)
    assert found.dwell.n_without_begin == 1


def test_the_busiest_bay_comes_first():
    changes = [
        Change("a", at(0), False),
        Change("b", at(0), True),
        Change("c", at(0), False),
        Change("c", at(60), True),
    ]

    assert [bay.bay_id for bay in figures(changes, minutes=120, bays=("a", "b", "c")).bays] == ["b", "c", "a"]


def test_a_lot_that_only_counts_has_heat_and_no_stays():
    counts = Counts(
        at_s=np.array([at(0), at(60), at(120)]),
        n_bays=np.full(3, 10.0),
        n_occupied=np.array([2.0, 8.0, 4.0]),
        n_unknown=np.zeros(3),
    )
    found = figures_of_counts(counts, lot_id="m", since=BEGIN, until=BEGIN + timedelta(hours=3), time_zone=ZONE)

    assert found.is_counted
    assert found.heat[0][:4] == pytest.approx((0.2, 0.8, 0.4, 0.4)) or found.heat[0][:3] == pytest.approx(
        (0.2, 0.8, 0.4)
    )
    assert (found.turnover, found.dwell.n_complete, found.bays) == (None, 0, ())
    assert found.n_occupied == 4


def test_no_stay_at_all_is_said_as_such():
    assert dwell_of([]).shares == ()
