"""Where on earth something is that a rule saw: as the road plane says, where it says it well."""

import math
from dataclasses import replace

import pytest

from core.kernel.geo import GeoPoint
from core.vision.model import Scene, Zone
from core.vision.plane import east_north_m
from tests.unit.vision.roads import watch
from tests.unit.vision.test_measures import PLANE, on_road, pictures

ORIGIN = GeoPoint(lat_deg=54.0, lon_deg=10.0)
ROAD = Zone(
    key="road",
    name="Road",
    polygon=on_road((-4.0, 14.0), (4.0, 14.0), (4.0, 300.0), (-4.0, 300.0)),
    counts_presence=False,
    stopped_after_s=5.0,
)
SCENE = Scene(zones=(ROAD,), plane=replace(PLANE, origin=ORIGIN))


def stops(scene: Scene, at_m: float):
    return [one for one in watch(scene, pictures(lambda _s: (0.0, at_m), seconds=9)) if one.kind == "stopped_vehicle"]


@pytest.mark.parametrize("at_m", [18.0, 30.0, 45.0])
def test_who_stands_on_a_road_that_is_on_the_map_is_seen_where_it_stands(at_m):
    (seen,) = stops(SCENE, at_m)

    assert seen.position is not None
    assert math.dist(east_north_m(ORIGIN, seen.position), (0.0, at_m)) < 5.0


@pytest.mark.parametrize("plane", [None, PLANE], ids=["no plane", "a plane that is not on the map"])
def test_nothing_is_said_where_the_picture_is_not_on_the_map(plane):
    (seen,) = stops(replace(SCENE, plane=plane), 30.0)

    assert seen.position is None


def test_what_is_too_far_away_to_be_placed_well_has_no_position():
    (seen,) = stops(SCENE, 200.0)

    assert seen.position is None
