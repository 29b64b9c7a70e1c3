"""Something that lies in a lane, and everything else that looks new there for a while."""

from dataclasses import replace

import numpy as np
import pytest

from core.vision.model import ObservationKind, Phase, RuleSetting, Scene, Zone
from tests.unit.vision.pictures import HEIGHT, WIDTH, after, filmed, scaled, watch_pictures
from tests.unit.vision.roads import track_at

ROAD = Zone(key="road", name="Road", polygon=((0.0, 0.4), (1.0, 0.4), (1.0, 1.0), (0.0, 1.0)), counts_presence=False)
SCENE = Scene(zones=(ROAD,), rules=(RuleSetting(kind="object_left", is_enabled=True, values={"after_s": 15.0}),))


def objects(pictures, tracks=lambda _: [], scene=SCENE):
    found = watch_pictures(scene, pictures, tracks)
    return [o for o in found if o.kind is ObservationKind.OBJECT_LEFT]


def lies(x=150, y=125, w=20, h=16, dark=35.0):
    """A box with a lid: it has edges of its own."""

    def change(picture, _at_s):
        picture[y : y + h, x : x + w] = dark
        picture[y : y + h // 3, x : x + w] = dark + 110
        return picture

    return change


def test_a_lost_load_calls_and_ends_when_it_is_taken_away():
    begin, end = objects(filmed(120, change=after(30, lies(), until_s=80)))

    assert (begin.phase, end.phase) == (Phase.BEGIN, Phase.END)
    assert 44 < begin.pts_s < 52
    assert 80 < end.pts_s < 90
    assert begin.condition_key == end.condition_key
    assert begin.confidence >= 0.8
    assert begin.bbox_xyxy == pytest.approx((150 / WIDTH, 125 / HEIGHT, 170 / WIDTH, 141 / HEIGHT), abs=0.03)


def test_what_lies_there_for_long_did_not_go_while_it_became_dark_and_ends_when_it_is_taken_away():
    lying = after(30, lies(), until_s=2200)

    def dusk(picture, at_s):
        return lying(picture, at_s) * (1 - 0.4 * min(1.0, at_s / 2000))

    begin, end = objects(filmed(2250, change=dusk, fps=1.0))

    assert (begin.phase, end.phase) == (Phase.BEGIN, Phase.END)
    assert 2200 < end.pts_s < 2215


def lit(picture, _at_s):
    """The sun comes around a house: the left part of the picture, with what lies there, is much brighter."""
    picture[:, : WIDTH * 11 // 20] *= 1.5
    return picture


def glare(picture, _at_s):
    """Lamps on the other side of the road."""
    picture[:, WIDTH * 12 // 20 :] += 90.0
    return picture


@pytest.mark.parametrize("light", [lit, glare])
def test_what_still_lies_there_when_half_the_picture_lights_up_goes_on_until_it_is_taken_away(light):
    lying, lighter = after(20, lies(), until_s=110), after(60, light)

    begin, end = objects(filmed(140, change=lambda picture, at_s: lighter(lying(picture, at_s), at_s)))

    assert (begin.phase, end.phase) == (Phase.BEGIN, Phase.END)
    assert begin.condition_key == end.condition_key
    assert 110 < end.pts_s < 120


def test_what_still_lies_there_when_light_comes_and_goes_goes_on_until_it_is_taken_away():
    lying, lighter = after(20, lies(), until_s=130), after(60, lit, until_s=90)

    begin, end = objects(filmed(150, change=lambda picture, at_s: lighter(lying(picture, at_s), at_s)))

    assert (begin.phase, end.phase) == (Phase.BEGIN, Phase.END)
    assert 130 < end.pts_s < 140


@pytest.mark.parametrize(("main_wh", "sub_wh"), [((640, 360), (640, 352)), ((640, 364), (640, 360))])
def test_what_lies_there_goes_on_through_changes_between_the_streams(main_wh, sub_wh):
    lying = after(20, lies(), until_s=130)
    pictures = (
        (at_s, scaled(picture, main_wh if 50 <= at_s < 90 else sub_wh)) for at_s, picture in filmed(150, change=lying)
    )

    begin, end = objects(pictures)

    assert (begin.phase, end.phase) == (Phase.BEGIN, Phase.END)
    assert 130 < end.pts_s < 140


def test_a_stream_with_sharper_edges_leaves_nothing():
    def shown(picture, at_s):
        return scaled(scaled(picture, (200, 110)), (640, 352)) if 30 <= at_s < 150 else scaled(picture, (640, 360))

    assert objects((at_s, shown(picture, at_s)) for at_s, picture in filmed(230)) == []


@pytest.mark.parametrize(
    "blind",
    [lambda picture, _: picture * 0.02, lambda picture, _: np.roll(picture, 60, axis=1)],
    ids=["dark", "pushed and put right"],
)
def test_what_lies_there_through_a_time_in_which_nothing_could_be_seen_did_not_go(blind):
    lying, hidden = after(20, lies()), after(60, blind, until_s=90)

    found = objects(filmed(200, change=lambda picture, at_s: hidden(lying(picture, at_s), at_s)))

    assert [one.phase for one in found] == [Phase.BEGIN]


def test_traffic_that_drives_over_the_background_leaves_nothing():
    def cars(picture, at_s):
        x = int(60 * at_s) % 450 - 50
        picture[110:140, max(0, x) : max(0, x + 45)] = 40.0
        return picture

    assert objects(filmed(120, change=cars)) == []


def test_what_the_tracker_knows_is_no_object():
    def parked(at_s):
        seen = at_s >= 30 and at_s % 9 > 2
        return [track_at(160 / WIDTH, 141 / HEIGHT, width=22 / WIDTH, height=18 / HEIGHT)] if seen else []

    assert objects(filmed(150, change=after(30, lies())), parked) == []


def test_a_car_that_drives_off_leaves_no_object_where_it_stood():
    def parked(at_s):
        return [track_at(160 / WIDTH, 141 / HEIGHT, width=22 / WIDTH, height=18 / HEIGHT)] if at_s < 40 else []

    stood = after(0, lies(), until_s=40)
    assert objects(filmed(120, change=stood), parked) == []


def test_what_was_there_from_the_beginning_and_goes_is_no_object():
    assert objects(filmed(120, change=after(0, lies(), until_s=40))) == []


def test_a_shadow_is_no_object():
    def shadow(picture, _at_s):
        picture[100:150, 100:160] *= 0.55
        return picture

    assert objects(filmed(120, change=after(30, shadow))) == []


@pytest.mark.parametrize("gain", [0.5, 1.6])
def test_light_that_changes_everywhere_leaves_nothing(gain):
    assert objects(filmed(120, change=after(30, lambda picture, _: picture * gain + 5))) == []


def test_a_camera_that_turns_leaves_nothing():
    assert objects(filmed(120, change=after(30, lambda picture, _: picture[::-1].copy()))) == []


def test_dusk_leaves_nothing():
    def dusk(picture, at_s):
        return picture * np.clip(1 - at_s / 300, 0.3, 1.0)

    assert objects(filmed(250, change=dusk)) == []


def test_what_lies_beside_the_lanes_is_nobodys_business():
    assert objects(filmed(90, change=after(30, lies(y=30)))) == []


def test_something_too_small_is_left_alone():
    scene = replace(
        SCENE,
        rules=(RuleSetting(kind="object_left", is_enabled=True, values={"after_s": 15.0, "size": 0.02}),),
    )
    assert objects(filmed(90, change=after(30, lies())), scene=scene) == []


def test_the_rule_is_off_unless_asked_for():
    assert objects(filmed(90, change=after(30, lies())), scene=Scene(zones=(ROAD,))) == []
