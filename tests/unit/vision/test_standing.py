"""Who stands and is lost in the dark has not left: his place has to be seen without him."""

import pytest

from core.vision.model import Lane, ObservationKind, Phase, RuleSetting, Scene, Zone
from core.vision.rules import SceneRules
from tests.unit.vision.pictures import filmed
from tests.unit.vision.roads import ASPECT, START_AT, track_at
from tests.unit.vision.test_blind import seen_until, with_a_car

STOPPED = ObservationKind.STOPPED_VEHICLE
WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
IN_A_ZONE = Scene(zones=(Zone(key="yard", name="Yard", polygon=WHOLE, stopped_after_s=5.0),))
IN_A_LANE = Scene(
    lanes=(Lane(key="lane", name="Lane", polygon=WHOLE, start=(0.5, 0.0), end=(0.5, 1.0)),),
    rules=(RuleSetting(kind="stopped_vehicle", values={"after_s": 5.0}),),
)
FOREVER_S = 1e9


def night(picture, at_s, *, falls_s=40.0, dawns_s=FOREVER_S):
    """It grows dark in twenty seconds, not as dark as for a camera that sees nothing."""
    share = min(1.0, max(0.0, (at_s - falls_s) / 20.0))
    if at_s >= dawns_s:
        share = max(0.0, 1.0 - (at_s - dawns_s) / 20.0)
    return picture * (1.0 - 0.6 * share)


def phases(scene, pictures, tracks):
    rules = SceneRules("cam-1", scene, ASPECT)
    seen = []
    for pts_s, picture in pictures:
        seen += rules.update(tracks(pts_s), pts_s, START_AT, picture)
    told = [one for one in seen if one.kind is STOPPED]
    assert len({one.condition_key for one in told}) == 1
    return [(one.phase, round(one.pts_s)) for one in told if one.phase is Phase.END or one is told[0]]


def found(*spans):
    """The detector finds it in these seconds."""
    return lambda at_s: [track_at(0.5, 0.5)] if any(begin <= at_s < end for begin, end in spans) else []


@pytest.mark.parametrize("scene", [IN_A_ZONE, IN_A_LANE], ids=["zone", "lane"])
def test_who_is_lost_as_it_grows_dark_stands_until_the_morning_and_is_the_same_one_then(scene):
    pictures = filmed(300, change=lambda p, t: night(with_a_car(p, t), t, dawns_s=230.0))

    told = phases(scene, pictures, found((0, 50), (250, FOREVER_S)))

    assert [phase for phase, _ in told] == [Phase.BEGIN]


@pytest.mark.parametrize("scene", [IN_A_ZONE, IN_A_LANE], ids=["zone", "lane"])
def test_who_left_in_the_dark_is_told_to_have_left_when_his_place_is_seen_without_him(scene):
    pictures = filmed(300, change=seen_until(150.0, lambda p, t: night(p, t, dawns_s=230.0)))

    _, (phase, at_s) = phases(scene, pictures, found((0, 50)))

    assert phase is Phase.END
    assert 230 <= at_s <= 265


def test_who_stands_in_a_night_that_never_ends_goes_on_standing():
    pictures = filmed(1200, change=lambda p, t: night(with_a_car(p, t), t), fps=0.5)

    assert [phase for phase, _ in phases(IN_A_ZONE, pictures, found((0, 50)))] == [Phase.BEGIN]


def test_who_left_in_good_light_without_being_followed_is_told_half_a_minute_later_as_ever():
    pictures = filmed(80, change=seen_until(30.0))

    _, (phase, at_s) = phases(IN_A_ZONE, pictures, found((0, 30)))

    assert phase is Phase.END
    assert 59 <= at_s <= 64


def test_who_is_hidden_by_a_bus_for_minutes_stands_behind_it():
    def bus(picture, at_s):
        picture = with_a_car(picture, at_s)
        if 30 <= at_s < 150:
            picture[55:110, 110:210] = (180.0, 40.0, 40.0)
        return picture

    def tracks(at_s):
        if not 30 <= at_s < 150:
            return [track_at(0.5, 0.5)]
        return [track_at(0.5, 0.61, track_id=2, label="bus", width=0.31, height=0.3)]

    rules = SceneRules("cam-1", IN_A_ZONE, ASPECT)
    seen = []
    for pts_s, picture in filmed(200, change=bus):
        seen += rules.update(tracks(pts_s), pts_s, START_AT, picture)

    of_the_car = [one.phase for one in seen if one.kind is STOPPED and one.label == "car"]
    assert of_the_car == [Phase.BEGIN]


def test_where_somebody_else_drives_nobody_stands_however_dark_it_is():
    def tracks(at_s):
        if at_s < 50:
            return [track_at(0.5, 0.5)]
        if 120 <= at_s < 124:
            return [track_at(0.5, 0.5 + 0.15 * (at_s - 122), track_id=9, velocity=(0.0, 0.15))]
        return []

    pictures = filmed(170, change=lambda p, t: night(with_a_car(p, t), t), fps=5.0)

    assert [phase for phase, _ in phases(IN_A_ZONE, pictures, tracks)] == [Phase.BEGIN, Phase.END]


def test_what_is_never_found_again_in_good_light_was_no_vehicle():
    pictures = filmed(1200, change=with_a_car, fps=0.5)

    _, (phase, at_s) = phases(IN_A_ZONE, pictures, found((0, 50)))

    assert phase is Phase.END
    assert 940 <= at_s <= 1000
