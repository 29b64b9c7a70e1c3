"""Figures of the demo city are alike for one seed, plausible, and tell the story of a jam."""

import dataclasses
import statistics
from datetime import UTC, datetime

import pytest

from core.parking.model import BayState
from core.sim.city import load_city
from core.sim.flow import BUSY_S, MIN_STAY_MIN, QUIET, STAY_MIN, LotModel, Scenario, measure_flow
from core.sim.lots import drawn, market_garage
from core.sim.parking_history import make_history

CITY = load_city()
STATION = CITY.stations[4]


def flow(number=0, *, hour=8.0, jam=0.0, seed=1, station=STATION):
    return measure_flow(station, hour=hour, jam=jam, seed=seed, number=number)


def test_the_same_seed_measures_the_same_and_another_one_does_not():
    assert [flow(n) for n in range(20)] == [flow(n) for n in range(20)]
    assert flow(3, seed=1) != flow(3, seed=2)


@pytest.mark.parametrize("station", CITY.stations, ids=lambda station: station.key)
def test_figures_stay_within_what_a_road_can_carry(station):
    for number in range(0, 600, 7):
        measured = flow(number, hour=number / 25, jam=(number % 10) / 9, station=station)
        assert 0 <= measured.intensity <= 36 * station.n_lanes
        assert 0 <= measured.occupancy <= 1
        assert 3 <= measured.speed_kmh <= station.free_flow_kmh * 1.15


def test_the_morning_is_busier_than_the_night():
    morning = sum(flow(n, hour=7.6).intensity for n in range(30))
    night = sum(flow(n, hour=3.0).intensity for n in range(30))

    assert morning > 5 * night


def test_a_jam_is_slow_and_dense():
    free, jammed = flow(hour=17), flow(hour=17, jam=1.0)

    assert jammed.speed_kmh < 15 < free.speed_kmh
    assert jammed.occupancy > 0.6 > free.occupancy
    assert jammed.intensity < free.intensity


def test_the_jam_begins_after_twenty_seconds_and_dissolves():
    scenario = Scenario()
    severities = {t: scenario.jam("station-05", t) for t in (0, 19, 26, 32, 100, 127, 150, 299)}

    assert severities == {0: 0, 19: 0, 26: 0.5, 32: 1, 100: 1, 127: 0.5, 150: 0, 299: 0}
    assert scenario.jam("station-05", 300 + 40) == 1
    assert scenario.jam("station-01", 40) == 0


def test_one_station_falls_silent_for_a_while():
    scenario = Scenario()

    assert [scenario.is_silent("station-09", t) for t in (0, 59, 61, 119, 121)] == [False, False, True, True, False]
    assert not scenario.is_silent("station-08", 70)
    assert not QUIET.is_silent("station-09", 70)


WEST = drawn(CITY.lots[0])


def lived(lot, *, hours, share, step_s=1.0):
    """Let a lot live; return every change with its time [s]."""
    return [
        (step * step_s, *change)
        for step in range(1, round(hours * 3600 / step_s))
        for change in lot.go_on(step * step_s, share=share)
    ]


def test_a_lot_neither_overflows_nor_stands_still_and_stays_as_full_as_it_is_wanted():
    lot = LotModel(WEST, share=0.6, seed=1)
    changes = lived(lot, hours=40, share=0.6, step_s=10.0)

    now = LotModel(WEST, share=0.6, seed=1).occupied
    n_occupied = []
    for _, bay_id, is_occupied in changes:
        assert now[bay_id] is not is_occupied
        now[bay_id] = is_occupied
        n_occupied.append(sum(now.values()))
    assert now == lot.occupied
    assert len({bay_id for _, bay_id, _ in changes}) == len(WEST.bays)
    assert sum(n_occupied) / len(n_occupied) == pytest.approx(0.6 * len(WEST.bays), rel=0.12)


def test_vehicles_stay_for_minutes_and_hours_and_for_less_where_it_is_limited():
    came, stays = {}, {True: [], False: []}
    limited = {bay.bay_id for bay in WEST.bays if bay.max_stay_min is not None}
    for at_s, bay_id, is_occupied in lived(LotModel(WEST, share=0.6, seed=2), hours=200, share=0.6, step_s=20.0):
        if is_occupied:
            came[bay_id] = at_s
        elif bay_id in came:
            stays[bay_id in limited].append((at_s - came[bay_id]) / 60)

    assert min(stays[True] + stays[False]) >= MIN_STAY_MIN - 0.5
    assert statistics.mean(stays[False]) == pytest.approx(STAY_MIN, rel=0.12)
    assert statistics.mean(stays[True]) == pytest.approx(0.6 * 15, rel=0.25)


def test_the_first_minutes_show_some_vehicles_moving_and_no_rush():
    garage = market_garage()
    changes = lived(LotModel(garage, share=0.6, seed=1), hours=0.5, share=0.6)

    in_begin = sum(at_s < BUSY_S for at_s, _, _ in changes)
    assert 6 <= in_begin <= 30
    assert len(changes) - in_begin < 27 * in_begin / 3


def test_the_seeded_history_of_a_lot_has_the_stays_that_its_sensors_go_on_with():
    history = make_history(WEST, until=datetime(2026, 3, 18, 9, tzinfo=UTC), days=30, time_zone="Europe/Berlin")
    limited = {bay.bay_id for bay in WEST.bays if bay.max_stay_min is not None}
    came, stays = {}, {True: [], False: []}
    for change in history.changes:
        if change.state is BayState.OCCUPIED:
            came.setdefault(change.bay_id, change.at)
        elif (begin := came.pop(change.bay_id, None)) is not None and change.state is BayState.FREE:
            stays[change.bay_id in limited].append((change.at - begin).total_seconds() / 60)

    assert min(stays[True] + stays[False]) >= MIN_STAY_MIN - 0.1
    assert statistics.mean(stays[False]) == pytest.approx(STAY_MIN, rel=0.1)
    assert statistics.mean(stays[True]) == pytest.approx(0.6 * 15, rel=0.3)


def test_a_lot_goes_on_from_how_its_bays_stood():
    before = {bay.bay_id: number % 3 == 0 for number, bay in enumerate(WEST.bays)}

    assert LotModel(WEST, share=0.9, seed=1, before=before).occupied == before


def test_a_full_lot_lets_somebody_leave_and_nobody_in_before():
    lot = LotModel(dataclasses.replace(WEST, bays=WEST.bays[2:3]), share=1.0, seed=1)

    changes = lived(lot, hours=40, share=1.0, step_s=10.0)

    assert len(changes) > 10
    assert [is_occupied for _, _, is_occupied in changes] == [bool(i % 2) for i in range(len(changes))]
