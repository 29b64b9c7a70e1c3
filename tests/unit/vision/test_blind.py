"""What a camera that sees nothing says: no zeros, and no end of what it last saw."""

from datetime import timedelta

import numpy as np
import pytest

from core.vision.model import (
    AT_THE_CAMERA,
    CountLine,
    Lane,
    ObservationKind,
    Phase,
    PlanePoint,
    RoadPlane,
    Scene,
    Zone,
)
from core.vision.rules import SceneRules
from tests.unit.vision.pictures import after, filmed
from tests.unit.vision.roads import ASPECT, START_AT, track_at

INSTANT = Phase.INSTANT
LINE = CountLine(key="gate", name="Gate", start=(0.1, 0.5), end=(0.9, 0.5))
YARD = Zone(
    key="yard",
    name="Yard",
    polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
    stopped_after_s=5.0,
)


def dark(picture, _at_s):
    return picture * 0.02


def with_a_car(picture, _at_s):
    """As `track_at(0.5, 0.5)` says."""
    picture[72:90, 150:170] = 30.0
    picture[75:79, 153:167] = 200.0
    picture[82:84, 151:155] = picture[82:84, 165:169] = 240.0
    return picture


def seen_until(gone_s, change=lambda picture, _at_s: picture):
    """A car stands there and drives off; the light is what another change makes of it."""
    return lambda picture, at_s: change(with_a_car(picture, at_s) if at_s < gone_s else picture, at_s)


def run(rules, pictures, tracks=lambda _at_s: []):
    """Return all observations and all minutes."""
    seen = []
    for pts_s, picture in pictures:
        seen += rules.update(tracks(pts_s), pts_s, START_AT + timedelta(seconds=pts_s), picture)
    return seen, rules.measures.take_all()


def of_the_scene(observations):
    beside = {*AT_THE_CAMERA, ObservationKind.ZONE_ENTERED}
    return [(one.kind, one.phase) for one in observations if one.kind not in beside]


def observed_s(minutes):
    return {minute.minute.minute: minute.observed_s for minute in minutes if minute.subject == "line"}


def test_a_minute_in_which_the_lens_is_covered_is_a_gap_and_no_zero():
    rules = SceneRules("cam-1", Scene(lines=(LINE,)), ASPECT)

    seen, minutes = run(rules, filmed(180, change=after(30.0, dark, 150.0), fps=2.0))

    assert {one.kind for one in seen} == {ObservationKind.CAMERA_BLINDED}
    # Not even the seconds before anybody was called: nobody saw the road in them.
    assert observed_s(minutes) == pytest.approx({0: 30.0, 2: 27.0}, abs=2.0)
    assert not any(minute.is_complete for minute in minutes)


def test_a_minute_of_a_frozen_picture_is_a_gap_and_no_zero():
    picture = next(iter(filmed(1)))[1]
    rules = SceneRules("cam-1", Scene(lines=(LINE,)), ASPECT)

    seen, minutes = run(rules, ((step / 2, picture) for step in range(2 * 120)))

    assert [one.kind for one in seen] == [ObservationKind.CAMERA_FROZEN]
    assert list(observed_s(minutes)) == [0]
    assert not any(minute.is_complete for minute in minutes)


@pytest.mark.parametrize(
    ("looks_per_s", "wanted_per_s", "is_complete"),
    [(1, 8.0, False), (2, 8.0, False), (5, 8.0, True), (1, 1.0, False), (3, 3.0, True)],
)
def test_a_minute_with_too_few_looks_is_not_complete(looks_per_s, wanted_per_s, is_complete):
    rules = SceneRules("cam-1", Scene(lines=(LINE,)), ASPECT, wanted_per_s=wanted_per_s)
    for step in range(60 * looks_per_s):
        rules.update([], step / looks_per_s, START_AT + timedelta(seconds=step / looks_per_s))

    minutes = rules.measures.take_all()

    assert [minute.is_complete for minute in minutes] == ([True] * 2 if is_complete else [False] * len(minutes))
    assert rules.is_undersampled is not is_complete


def test_a_pause_of_the_detector_is_not_observed():
    rules = SceneRules("cam-1", Scene(lines=(LINE,)), ASPECT, wanted_per_s=8.0)
    for at_s in [*np.arange(0, 20, 0.2), *np.arange(22.5, 60, 0.2)]:
        rules.update([], float(at_s), START_AT + timedelta(seconds=float(at_s)))

    assert observed_s(rules.measures.take_all())[0] == pytest.approx(57.3, abs=0.5)


def test_what_a_lane_measures_is_of_the_seconds_in_which_it_was_seen():
    lane = Lane(key="lane", name="Lane", polygon=YARD.polygon, start=(0.5, 0.0), end=(0.5, 1.0))
    rules = SceneRules("cam-1", Scene(lanes=(lane,)), ASPECT)
    standing = [track_at(0.5, 0.55)]

    _, minutes = run(rules, filmed(59, change=after(20.0, dark), fps=2.0), lambda at_s: standing if at_s < 20 else [])

    (whole,) = (minute for minute in minutes if minute.subject == "lane" and not minute.label)
    assert whole.observed_s == pytest.approx(20.0, abs=1.0)
    assert whole.occupancy == pytest.approx(1.0, abs=0.05)


def test_who_stood_there_when_the_lens_was_covered_is_not_told_to_have_left():
    rules = SceneRules("cam-1", Scene(zones=(YARD,)), ASPECT)
    change = seen_until(60.0, after(20.0, dark, 100.0))

    before, _ = run(rules, filmed(100, change=change, fps=2.0), lambda at_s: [track_at(0.5, 0.5)] if at_s < 20 else [])
    soon, _ = run(rules, filmed(50, from_s=100.0, fps=2.0))
    later, _ = run(rules, filmed(20, from_s=150.0, fps=2.0))

    stopped = ObservationKind.STOPPED_VEHICLE
    assert of_the_scene(before) == [(stopped, Phase.BEGIN)]
    assert of_the_scene(soon) == []
    assert of_the_scene(later) == [(stopped, Phase.END)]
    assert later[-1].captured_at > START_AT + timedelta(seconds=150)


def test_a_jam_that_is_still_there_when_the_camera_sees_again_never_ended():
    yard = Zone(key="yard", name="Yard", polygon=YARD.polygon, alarms_presence=True)
    rules = SceneRules("cam-1", Scene(zones=(yard,)), ASPECT)

    def there(at_s):
        return [] if 20 <= at_s < 60 else [track_at(0.5, 0.5)]

    seen, _ = run(rules, filmed(200, change=after(20.0, dark, 60.0), fps=2.0), there)

    assert {phase for _, phase in of_the_scene(seen)} == {Phase.BEGIN}


def test_who_is_given_up_in_the_first_seconds_of_light_is_not_told_to_have_left_before_he_could_be_found():
    """Rules forget who was not seen for half a minute."""
    rules = SceneRules("cam-1", Scene(zones=(YARD,)), ASPECT)

    def there(at_s):
        return [track_at(0.5, 0.5)] if 65 <= at_s < 90 or 121 <= at_s < 165 else []

    seen, _ = run(rules, filmed(260, change=seen_until(165.0, after(90.0, dark, 118.5)), fps=2.0), there)

    begin, end = (one for one in seen if one.kind is ObservationKind.STOPPED_VEHICLE)
    assert (begin.phase, end.phase) == (Phase.BEGIN, Phase.END)
    assert end.condition_key == begin.condition_key
    assert end.pts_s > 165.0


def test_who_leaves_soon_after_the_camera_began_is_told_at_once():
    yard = Zone(key="yard", name="Yard", polygon=YARD.polygon, alarms_presence=True)
    rules = SceneRules("cam-1", Scene(zones=(yard,)), ASPECT)

    seen, _ = run(rules, filmed(5, fps=5.0), lambda at_s: [track_at(0.5, 0.5)] if at_s < 0.5 else [])

    assert [phase for _, phase in of_the_scene(seen)] == [Phase.BEGIN, Phase.END]


def test_who_leaves_while_the_camera_sees_is_told_at_once():
    rules = SceneRules("cam-1", Scene(zones=(YARD,)), ASPECT)

    seen, _ = run(
        rules, filmed(60, change=seen_until(15.0), fps=2.0), lambda at_s: [track_at(0.5, 0.5)] if at_s < 15 else []
    )

    assert of_the_scene(seen) == [(ObservationKind.STOPPED_VEHICLE, phase) for phase in (Phase.BEGIN, Phase.END)]


def test_what_ends_while_something_passes_in_front_of_the_lens_is_told_a_moment_later():
    rules = SceneRules("cam-1", Scene(zones=(YARD,)), ASPECT)
    glance = seen_until(15.0, after(43.0, dark, 46.0))

    seen, _ = run(rules, filmed(60, change=glance, fps=2.0), lambda at_s: [track_at(0.5, 0.5)] if at_s < 15 else [])

    (begin, end) = (one for one in seen if one.kind is ObservationKind.STOPPED_VEHICLE)
    assert (begin.phase, end.phase) == (Phase.BEGIN, Phase.END)
    assert 46.0 < end.pts_s < 54.0


def test_what_ends_while_the_picture_shows_something_else_is_held_back_before_anybody_is_called():
    rules = SceneRules("cam-1", Scene(zones=(YARD,)), ASPECT)
    turned = after(43.0, lambda picture, _at_s: np.roll(picture, 60, axis=1))

    seen, _ = run(rules, filmed(90, change=turned, fps=2.0), lambda at_s: [track_at(0.5, 0.5)] if at_s < 15 else [])

    assert [one.kind for one in seen if one.kind in AT_THE_CAMERA] == [ObservationKind.CAMERA_MOVED]
    assert of_the_scene(seen) == [(ObservationKind.STOPPED_VEHICLE, Phase.BEGIN)]


def test_a_camera_that_was_moved_counts_and_measures_nothing_until_it_is_put_right():
    lane = Lane(key="lane", name="Lane", polygon=YARD.polygon, start=(0.5, 0.0), end=(0.5, 1.0))
    ground = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
    plane = RoadPlane(points=tuple(PlanePoint(picture=(x, y), ground_xy_m=(10 * x, 40 * y)) for x, y in ground))
    rules = SceneRules("cam-1", Scene(lines=(LINE,), lanes=(lane,), zones=(INNER,), plane=plane), ASPECT)
    turned = after(60.0, lambda picture, _at_s: np.roll(picture, 60, axis=1), 180.0)

    def driving(at_s):
        """One after the other down the picture, ten seconds each."""
        return [track_at(0.5, 0.1 + 0.08 * (at_s % 10), track_id=1 + int(at_s // 10), velocity=(0.0, 0.08))]

    seen, minutes = run(rules, filmed(240, change=turned, fps=4.0), driving)

    crossed = [one.pts_s for one in seen if one.kind is ObservationKind.LINE_CROSSED]
    entered = [one.pts_s for one in seen if one.kind is ObservationKind.ZONE_ENTERED and one.phase is INSTANT]
    moved = [one.pts_s for one in seen if one.kind is ObservationKind.CAMERA_MOVED]
    assert len(moved) == 2
    for counted in (crossed, entered):
        assert len(counted) >= 9
        assert not any(65 < at_s < moved[1] for at_s in counted)
    while_moved = [one for one in minutes if one.minute == START_AT + timedelta(seconds=120)]
    assert all(not one.n_vehicles and one.speed_kmh is None and not one.queue_m for one in while_moved)
    first = [one for one in minutes if one.minute == START_AT]
    assert {one.subject: one.n_vehicles for one in first if one.direction != "backward" and not one.label} == {
        "line": 6,
        "lane": 6,
        "zone": 6,
    }


INNER = Zone(key="inner", name="Inner", polygon=((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)))
OUTER = Zone(key="outer", name="Outer", polygon=((0.85, 0.2), (1.0, 0.2), (1.0, 0.8), (0.85, 0.8)))


def entries(observations, minutes):
    """How often somebody came into a zone: as told, and as measured."""
    told = [one.rule_key for one in observations if one.kind is ObservationKind.ZONE_ENTERED and one.phase is INSTANT]
    return told, sum(one.n_vehicles for one in minutes if one.subject == "zone" and not one.label)


@pytest.mark.parametrize("dark_s", [1.5, 4.0, 28.5, 60.0])
def test_who_stands_in_a_zone_through_the_dark_is_not_counted_again(dark_s):
    rules = SceneRules("cam-1", Scene(zones=(INNER,)), ASPECT)
    light_at_s = 10.0 + dark_s

    def there(at_s):
        return [] if 10 <= at_s < light_at_s + 2.0 else [track_at(0.5, 0.5)]

    told, measured = entries(*run(rules, filmed(light_at_s + 20, change=after(10.0, dark, light_at_s), fps=4.0), there))

    assert told == ["inner"]
    assert measured == 1
    assert rules.n_inside("inner") == 1


def test_who_drives_into_a_zone_in_the_first_seconds_of_light_is_counted():
    rules = SceneRules("cam-1", Scene(zones=(INNER,)), ASPECT)

    def there(at_s):
        return [track_at(0.1 + 0.05 * (at_s - 41.0), 0.5)] if at_s >= 41.0 else []

    told, _ = entries(*run(rules, filmed(48, change=after(10.0, dark, 40.0), fps=4.0), there))

    assert told == ["inner"]


def test_who_stood_in_a_zone_through_the_dark_came_from_there():
    rules = SceneRules("cam-1", Scene(zones=(INNER, OUTER)), ASPECT)

    def there(at_s):
        if 10 <= at_s < 72:
            return []
        return [track_at(min(0.92, 0.5 + 0.06 * max(0.0, at_s - 76)), 0.5)]

    seen, minutes = run(rules, filmed(90, change=after(10.0, dark, 70.0), fps=4.0), there)

    assert entries(seen, minutes)[0] == ["inner", "outer"]
    assert [one.key for one in minutes if one.subject == "od"] == ["inner>outer"]
