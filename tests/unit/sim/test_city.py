"""The demo city is one that other rooms can rely on."""

import math

import pytest

from core.field.topics import is_slug
from core.kernel.errors import BadInputError
from core.sim.city import AreaClass, RoadClass, load_city

CITY = load_city()
CAMERAS = {
    "cam-harbour-bridge",
    "cam-north-gate",
    "cam-market-cross",
    "cam-ring-road",
    "cam-station-square",
    "cam-tram-street",
    "cam-old-town",
    "cam-lot-west",
}


def distance_m(a, b):
    return math.hypot((a[0] - b[0]) * 110_958, (a[1] - b[1]) * 90_163)


def test_the_city_lies_in_the_open_atlantic():
    south, west, north, east = CITY.bounds

    assert (round(CITY.center.lat_deg), round(CITY.center.lon_deg)) == (36, -30)
    assert distance_m((south, west), (north, west)) == pytest.approx(4000, abs=50)
    assert distance_m((south, west), (south, east)) == pytest.approx(4000, abs=50)


def test_it_has_the_furniture_the_demo_needs():
    assert {camera.key for camera in CITY.cameras} == CAMERAS
    assert [station.key for station in CITY.stations] == [f"station-{n:02}" for n in range(1, 13)]
    (lot,) = CITY.lots
    assert (lot.key, len(lot.bays), len({bay.key for bay in lot.bays})) == ("lot-west", 24, 24)
    assert {road.road_class for road in CITY.roads} == set(RoadClass)
    assert {area.area_class for area in CITY.areas} == set(AreaClass)


def test_every_key_may_stand_in_a_topic():
    keys = [thing.key for thing in (*CITY.cameras, *CITY.stations, *CITY.lots)]

    assert all(is_slug(key) for key in keys)
    assert len(keys) == len(set(keys))


def test_everything_stands_within_the_city():
    south, west, north, east = CITY.bounds
    for thing in (*CITY.cameras, *CITY.stations, *CITY.lots):
        assert south < thing.position.lat_deg < north + 0.002, thing.key
        assert west < thing.position.lon_deg < east, thing.key


@pytest.mark.parametrize("station", CITY.stations, ids=lambda station: station.key)
def test_a_station_stands_on_the_road_it_watches(station):
    here = (station.position.lat_deg, station.position.lon_deg)
    points = []
    for road in CITY.roads:
        if road.name == station.road:
            for a, b in zip(road.line, road.line[1:], strict=False):
                points += [(a[0] + (b[0] - a[0]) * k / 9, a[1] + (b[1] - a[1]) * k / 9) for k in range(10)]

    assert min(distance_m(here, point) for point in points) < 25


def test_a_file_that_is_no_city_is_refused_with_a_sentence(tmp_path):
    file = tmp_path / "city.json"
    file.write_text('{"name": "Nowhere"}')

    with pytest.raises(BadInputError, match=r"city\.json holds no city"):
        load_city(file)
