from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from core.parking.forecast.series import Counts, held, local_slots, sampled

HOUR = 3600.0


def counts(*rows: tuple[float, float, float], unknown: float = 0.0) -> Counts:
    table = np.asarray(rows, dtype=float)
    return Counts(at_s=table[:, 0], n_bays=table[:, 1], n_occupied=table[:, 2], n_unknown=np.full(len(table), unknown))


def test_a_count_stands_until_the_next_one_comes():
    series = held(counts((0, 10, 2), (2 * HOUR, 10, 7)), slot_s=1800, time_zone="UTC")

    assert series.share.tolist() == [0.2, 0.2, 0.2, 0.2, 0.7]


def test_a_long_silence_is_a_gap_and_never_a_zero():
    series = held(counts((0, 10, 2), (20 * HOUR, 10, 7)), slot_s=3600, time_zone="UTC", hold_s=3 * HOUR)

    assert series.share[3] == 0.2
    assert np.isnan(series.share[4:20]).all()
    assert series.share[20] == 0.7


def test_of_two_counts_of_one_instant_the_last_one_stands():
    series = sampled(counts((0, 10, 2), (0, 10, 5), (1800, 10, 6)), slot_s=1800, time_zone="UTC")

    assert series.share.tolist() == [0.5, 0.6]
    assert series.tidying.n_duplicates == 1


def test_counts_come_in_any_order():
    series = sampled(counts((1800, 10, 6), (0, 10, 2)), slot_s=1800, time_zone="UTC")

    assert series.share.tolist() == [0.2, 0.6]


def test_a_negative_count_is_left_out_and_counted():
    series = sampled(counts((0, 10, 2), (1800, 10, -8), (3600, 10, 3)), slot_s=1800, time_zone="UTC")

    assert np.isnan(series.share[1])
    assert series.tidying.n_negative == 1


def test_more_vehicles_than_bays_are_a_full_lot_and_counted():
    rows = [(1800.0 * i, 10.0, 5.0) for i in range(200)]
    rows[7] = (1800.0 * 7, 10.0, 13.0)
    series = sampled(counts(*rows), slot_s=1800, time_zone="UTC")

    assert series.share[7] == 1.0
    assert series.tidying.n_above == 1
    assert series.tidying.stale_capacity is None


def test_a_lot_that_holds_more_than_its_capacity_for_long_has_a_stale_capacity():
    rows = [(1800.0 * i, 100.0, 120.0 if i % 2 else 30.0) for i in range(200)]
    series = sampled(counts(*rows), slot_s=1800, time_zone="UTC")

    assert series.capacity == pytest.approx(120.0)
    assert series.tidying.stale_capacity == 100.0
    assert series.share[0] == pytest.approx(0.25)


def test_with_too_many_bays_unknown_a_lot_is_not_known():
    series = sampled(counts((0, 10, 2), (1800, 10, 3), unknown=5), slot_s=1800, time_zone="UTC")

    assert np.isnan(series.share).all()
    assert series.tidying.n_unknown == 2


def test_counts_that_cannot_be_used_are_refused():
    with pytest.raises(ValueError, match="not one count"):
        sampled(counts((0, 0, 0)), slot_s=1800, time_zone="UTC")


def test_local_slots_agree_with_the_clock_on_the_wall_over_both_changes_of_clocks():
    zone = ZoneInfo("Europe/Berlin")
    for begin in (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)):
        grid_s = begin.timestamp() + np.arange(0, 72 * HOUR, 1800)
        day, slot = local_slots(grid_s, 1800, "Europe/Berlin")
        walls = [datetime.fromtimestamp(at, zone) for at in grid_s]
        assert day.tolist() == [wall.date().toordinal() for wall in walls]
        assert slot.tolist() == [wall.hour * 2 + wall.minute // 30 for wall in walls]


def test_the_hour_that_comes_twice_is_one_local_hour():
    begin = datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp()
    day, slot = local_slots(begin + np.arange(0, 26 * HOUR, 3600), 3600, "Europe/Berlin")

    on_the_day = slot[day == date(2026, 10, 25).toordinal()]
    assert len(on_the_day) == 25
    assert (on_the_day == 2).sum() == 2
