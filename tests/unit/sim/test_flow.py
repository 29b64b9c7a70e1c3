"""Figures of the demo city are alike for one seed, plausible, and tell the story of a jam."""

import dataclasses

import pytest

from core.sim.city import load_city
from core.sim.flow import QUIET, LotModel, Scenario, measure_flow

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


def test_a_lot_neither_overflows_nor_stands_still():
    lot = LotModel(CITY.lots[0], share=0.6, seed=1)
    changes = []
    for _ in range(500):
        before = dict(lot.occupied)
        key, is_occupied = lot.step(share=0.88)
        assert {k for k in before if before[k] != lot.occupied[k]} <= {key}
        assert lot.occupied[key] is is_occupied
        changes.append(key)

    assert 0 <= lot.n_free <= 24
    assert len(set(changes)) > 15
    assert 1.5 <= min(lot.pause_s() for _ in range(50)) <= 20


def test_a_lot_goes_on_from_how_its_bays_stood():
    before = {bay.key: number % 3 == 0 for number, bay in enumerate(CITY.lots[0].bays)}

    assert LotModel(CITY.lots[0], share=0.9, seed=1, before=before).occupied == before


def test_a_full_lot_lets_someone_leave():
    lot = LotModel(dataclasses.replace(CITY.lots[0], bays=CITY.lots[0].bays[:1]), share=0.6, seed=1)
    for _ in range(20):
        was = dict(lot.occupied)
        lot.step(share=0.88)
        assert lot.occupied != was
