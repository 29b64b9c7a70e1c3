"""Lots that are made of rows."""

import math

import pytest

from core.kernel.geo import GeoPoint
from core.parking.model import BayKind, SurroundingKind
from core.parking.plans import Row, bays_of, garage, on_ground, on_plan, open_lot


def area_m2(outline):
    turned = (*outline[1:], outline[0])
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(outline, turned, strict=True)) / 2


def test_the_first_two_corners_of_a_bay_lie_on_the_lane():
    first, second = bays_of(Row(start=(10.0, 6.0), n_bays=2, prefix="A"))

    assert first.outline == ((10.0, 6.0), (12.5, 6.0), (12.5, 11.0), (10.0, 11.0))
    assert second.outline[0] == (12.5, 6.0)
    assert (first.bay_id, second.bay_id) == ("A01", "A02")


def test_bays_of_a_slanted_row_keep_their_width_and_do_not_overlap():
    bays = bays_of(Row(start=(0.0, 0.0), n_bays=3, slant_deg=60.0))

    assert [area_m2(bay.outline) for bay in bays] == pytest.approx([12.5, 12.5, 12.5], abs=0.01)
    assert bays[1].outline[0] == bays[0].outline[1]


def test_an_accessible_bay_is_as_wide_as_one_needs():
    wide, narrow = bays_of(Row(start=(0.0, 0.0), n_bays=2, kinds={0: BayKind.ACCESSIBLE}))

    assert wide.outline[1] == (3.5, 0.0)
    assert narrow.outline[1] == (6.0, 0.0)


@pytest.mark.parametrize("row", [{"n_bays": 0}, {"n_bays": 1, "width_m": 0.0}, {"n_bays": 1, "slant_deg": 5.0}])
def test_a_row_without_extent_is_refused(row):
    with pytest.raises(ValueError, match="a row needs bays"):
        bays_of(Row(start=(0.0, 0.0), **row))


@pytest.mark.parametrize("n_bays", [1, 24, 501])
def test_an_open_lot_has_as_many_bays_as_were_asked_for_each_with_its_own_id(n_bays):
    lot = open_lot("west", "Lot West", n_bays=n_bays)

    assert len({bay.bay_id for bay in lot.bays}) == n_bays
    assert all(area_m2(bay.outline) > 10.0 for bay in lot.bays)


def test_an_open_lot_has_bays_of_every_kind_and_a_lane_for_each_zone():
    lot = open_lot("west", "Lot West", n_bays=200)

    assert {bay.kind for bay in lot.bays} == set(BayKind)
    lanes = [one for one in lot.surroundings if one.kind is SurroundingKind.LANE]
    assert len(lanes) == len({bay.zone for bay in lot.bays})


def test_a_garage_stacks_its_levels_and_joins_them_by_ramps():
    lot = garage("mall", "Mall", n_levels=3, bays_per_level=60)

    assert [level.height_m for level in lot.levels] == [0.0, 3.0, 6.0]
    assert len({bay.bay_id for bay in lot.bays}) == 180
    ramps = [one for one in lot.surroundings if one.kind is SurroundingKind.RAMP]
    assert [(ramp.level, ramp.height_m) for ramp in ramps] == [(0, 3.0), (1, 3.0)]


@pytest.mark.parametrize("bearing_deg", [0.0, 33.0, 270.0])
def test_what_lies_on_the_plan_lies_on_the_ground(bearing_deg):
    origin = GeoPoint(36.0, -30.0)
    place = on_ground((120.0, 45.0), origin, bearing_deg)

    assert on_plan(place, origin, bearing_deg) == pytest.approx((120.0, 45.0), abs=0.01)


def test_the_plans_y_axis_points_where_its_bearing_says():
    origin = GeoPoint(36.0, -30.0)
    east = on_ground((0.0, 100.0), origin, bearing_deg=90.0)

    assert east.lat_deg == pytest.approx(36.0)
    assert math.radians(east.lon_deg + 30.0) * 6_378_137.0 * math.cos(math.radians(36.0)) == pytest.approx(100.0)
