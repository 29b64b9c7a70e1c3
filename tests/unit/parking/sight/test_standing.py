"""Vehicles that stand where they must not."""

from datetime import UTC, datetime, timedelta

import numpy as np

from core.parking.model import BayView
from core.parking.sight.model import SightingKind
from core.parking.sight.standing import Standing, strays_of_boxes
from core.vision.bays import match_bays

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
WH = (1000, 500)
BAYS = ("a", "b")
OUTLINES = [np.array([(x, 100), (x + 60, 100), (x + 60, 150), (x, 150)], np.float32) for x in (100, 160)]
LANE = ((0.0, 0.6), (1.0, 0.6), (1.0, 0.9), (0.0, 0.9))
IN_LANE = (300.0, 300.0, 380.0, 400.0, 0.8)
FARTHER_ON = (600.0, 300.0, 680.0, 400.0, 0.8)
ACROSS = (132.0, 80.0, 188.0, 148.0, 0.8)


def make():
    return Standing("lot", BayView(camera_id="cam", lanes={"Aisle": LANE}))


def see(standing, boxes, seconds):
    """Show boxes every two seconds up to an instant; return what was told."""
    told = []
    array = np.array(boxes, np.float32).reshape(-1, 5)
    for second in range(seconds[0], seconds[1], 2):
        strays = strays_of_boxes(match_bays(OUTLINES, array), array, BAYS, {"Aisle": np.array(LANE) * WH})
        told += standing.take(strays, START + timedelta(seconds=second))
    return [(one.kind, one.holds, one.lane or one.bay_ids) for one in told]


def test_a_vehicle_that_stays_in_a_lane_is_told_once_and_its_end_as_well():
    standing = make()

    assert see(standing, [IN_LANE], (0, 28)) == []
    assert see(standing, [IN_LANE], (28, 60)) == [(SightingKind.BLOCKED_LANE, True, "Aisle")]
    assert see(standing, [], (60, 80)) == [(SightingKind.BLOCKED_LANE, False, "Aisle")]


def test_vehicles_that_drive_through_block_nothing():
    standing = make()

    for second in range(0, 90, 2):
        box = (20.0 + 9 * second, 300.0, 100.0 + 9 * second, 400.0, 0.8)
        assert see(standing, [box], (second, second + 2)) == []


def test_a_vehicle_across_two_bays_is_told_with_both():
    assert see(make(), [ACROSS], (0, 40)) == [(SightingKind.MISPARKED, True, BAYS)]


def test_a_vehicle_in_its_own_bay_is_nothing():
    assert see(make(), [(104.0, 80.0, 156.0, 148.0, 0.9)], (0, 60)) == []


def test_a_short_look_away_ends_nothing():
    standing = make()
    see(standing, [IN_LANE], (0, 40))

    assert see(standing, [], (40, 46)) == []
    assert see(standing, [IN_LANE], (46, 70)) == []


def test_two_vehicles_in_one_lane_block_it_as_one_does():
    assert see(make(), [IN_LANE, FARTHER_ON], (0, 40)) == [(SightingKind.BLOCKED_LANE, True, "Aisle")]


def test_a_lane_stays_blocked_until_the_last_vehicle_has_left():
    standing = make()
    see(standing, [IN_LANE, FARTHER_ON], (0, 40))

    assert see(standing, [FARTHER_ON], (40, 80)) == []
    assert see(standing, [], (80, 100)) == [(SightingKind.BLOCKED_LANE, False, "Aisle")]


def test_who_has_left_is_over_also_where_nothing_changes_in_the_picture_afterwards():
    standing = make()
    see(standing, [IN_LANE], (0, 60))

    see(standing, [], (60, 62))
    told = [one for second in range(62, 80, 2) for one in standing.hold(START + timedelta(seconds=second))]

    assert [(one.kind, one.holds) for one in told] == [(SightingKind.BLOCKED_LANE, False)]


def test_who_stands_in_a_picture_that_does_not_change_stays():
    standing = make()
    see(standing, [IN_LANE], (0, 60))

    assert [one for second in range(60, 90, 2) for one in standing.hold(START + timedelta(seconds=second))] == []
