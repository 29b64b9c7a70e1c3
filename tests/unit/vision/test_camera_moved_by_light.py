"""Night, infra-red and snow are no movement, and no light hides one: each light has a view of its own."""

from datetime import timedelta

import numpy as np
import pytest

from core.vision.light import Light
from core.vision.model import Mask, ObservationKind, Phase, Scene, Zone
from core.vision.rules import SceneRules
from tests.unit.vision.pictures import filmed, scaled, street
from tests.unit.vision.roads import ASPECT, START_AT

MOVED = ObservationKind.CAMERA_MOVED
YARD = Zone(key="yard", name="Yard", polygon=((0.1, 0.1), (0.5, 0.1), (0.5, 0.5)))
DRAWN = Scene(zones=(YARD,))
ROWS, COLUMNS = np.mgrid[0:180, 0:320]


def by_day(picture, _at_s):
    return picture * (1.1, 1.0, 0.8)


def by_night(picture, at_s, *, n_lamps=2, ambient=0.06, seed=4):
    """A few lamps light parts of the street, windows are lit that were dark by day, and headlights pass."""
    random = np.random.default_rng(seed)
    light = np.full((180, 320), ambient)
    for _ in range(n_lamps):
        x, y = random.uniform(0, 320), random.uniform(72, 180)
        light += 0.7 * np.exp(-((COLUMNS - x) ** 2 + (ROWS - y) ** 2) / (2 * 30.0**2))
    night = picture * light[:, :, None] * (1.15, 1.0, 0.7)
    for _ in range(40):
        x, y = int(random.integers(0, 312)), int(random.integers(0, 81))
        night[y : y + 3, x : x + 4] = (250.0, 230.0, 180.0)
    car = int(at_s * 40) % 320
    night[120:124, car : car + 8] = 255.0
    return night


def by_a_night_that_shows_other_things(picture, at_s):
    random = np.random.default_rng(7)
    night = by_night(picture, at_s, n_lamps=0, ambient=0.0)
    for _ in range(60):
        x, y = int(random.integers(0, 300)), int(random.integers(0, 170))
        night[y : y + 4, x : x + 12] = (200.0, 170.0, 110.0)
    return night


def infrared(picture, _at_s):
    """Another reflectance of everything, seen by a lamp beside the lens."""
    level = 110 + 90 * np.sin(picture / 17.0)
    return level * (0.1 + 0.9 * np.exp(-((COLUMNS - 160.0) ** 2 + (ROWS - 135.0) ** 2) / (2 * 60.0**2)))[:, :, None]


def infrared_that_shows_other_things(_picture, _at_s):
    return street(seed=12)[:, ::-1] * 0.8


def with_snow(picture, at_s):
    """Most of the ground is white; what stands upright is left."""
    snow = by_day(picture, at_s)
    random = np.random.default_rng(3)
    for _ in range(14):
        x, y = int(random.integers(0, 250)), int(random.integers(0, 150))
        snow[y : y + 30, x : x + 70] = (235.0, 238.0, 245.0)
    return snow


def elsewhere(picture, at_s):
    return by_day(street(seed=9)[::-1, ::-1], at_s)


def elsewhere_and_dark(picture, at_s):
    return elsewhere(picture, at_s) * 0.35


def elsewhere_by_night(picture, at_s):
    return by_night(street(seed=9)[::-1, ::-1], at_s, n_lamps=4, seed=5)


def pushed(change):
    return lambda picture, at_s: np.roll(change(picture, at_s), 26, axis=1)


def dusk(picture, at_s, *, from_s=20.0, until_s=140.0):
    share = min(1.0, max(0.0, (at_s - from_s) / (until_s - from_s)))
    return (1 - share) * by_day(picture, at_s) + share * by_night(picture, at_s)


class Site:
    """One camera over days; a worker ends and the next begins where `restart` says so."""

    def __init__(self, scene=DRAWN):
        self.scene = scene
        self.now_s = 0.0
        self.day = 0
        self.view = None
        self.restart()

    def restart(self, *, days_later=0):
        self.day += days_later
        self.rules = SceneRules("cam-1", self.scene, ASPECT)
        if self.view is not None:
            self.rules.start_from(self.view)

    def watch(self, seconds, change):
        """Return how many seconds after the first picture "moved" began and ended."""
        seen = []
        for pts_s, picture in filmed(seconds, from_s=self.now_s, change=change, fps=1.0):
            at = START_AT + timedelta(days=self.day, seconds=pts_s)
            seen += self.rules.update((), pts_s, at, picture)
            self.view = self.rules.take_view(at) or self.view
        assert {one.kind for one in seen} <= {MOVED}
        told = [(one.phase, one.pts_s - self.now_s) for one in seen]
        self.now_s += seconds
        return told


@pytest.fixture
def site():
    site = Site()
    assert site.watch(20, by_day) == []
    return site


def assert_called(told, *, within_s):
    assert [phase for phase, _ in told] == [Phase.BEGIN]
    assert told[0][1] <= within_s


@pytest.mark.parametrize(
    ("light", "is_open"),
    [
        (by_night, False),
        (by_a_night_that_shows_other_things, True),
        (infrared, False),
        (infrared_that_shows_other_things, True),
        (with_snow, False),
    ],
)
def test_who_begins_anew_in_another_light_calls_nobody(site, light, is_open):
    site.restart()

    assert site.watch(100, light) == []
    assert site.rules.is_view_open is is_open
    assert not site.rules.is_moved


@pytest.mark.parametrize("light", [infrared, infrared_that_shows_other_things])
def test_a_switch_to_infrared_and_back_is_no_movement(site, light):
    assert site.watch(80, light) == []
    assert site.watch(40, by_day) == []
    assert not site.rules.is_view_open


def test_a_light_that_cannot_be_judged_is_no_sight_that_is_learned(site):
    site.watch(100, by_a_night_that_shows_other_things)

    assert [one.light for one in site.view.lit] == [Light.DAY]


def test_day_and_night_are_both_known_once_the_camera_saw_it_grow_dark(site):
    assert site.watch(200, dusk) == []
    assert {one.light for one in site.view.lit} == {Light.DAY, Light.NIGHT}

    for light in (by_night, by_day):
        site.restart()
        assert site.watch(40, light) == []
        assert not site.rules.is_view_open


@pytest.mark.parametrize("light", [pushed(by_day), pushed(by_night), elsewhere, elsewhere_by_night])
def test_who_begins_anew_with_a_camera_that_was_turned_calls_by_day_and_by_night(site, light):
    site.watch(200, dusk)
    site.restart()

    assert_called(site.watch(40, light), within_s=13.0)


@pytest.mark.parametrize("turned", [elsewhere, elsewhere_and_dark, pushed(by_day)])
def test_a_camera_that_is_turned_while_somebody_watches_calls_whatever_it_shows_now(site, turned):
    assert_called(site.watch(40, turned), within_s=15.0)


def test_what_was_called_holds_in_a_light_that_cannot_be_judged_and_ends_when_it_is_put_right(site):
    site.watch(40, elsewhere)
    site.restart()

    assert [phase for phase, _ in site.watch(60, by_a_night_that_shows_other_things)] == [Phase.BEGIN]
    assert site.rules.is_moved
    assert [phase for phase, _ in site.watch(40, by_day)] == [Phase.END]


def test_what_was_last_seen_weeks_ago_is_no_reason_to_call_where_nothing_is_alike(site):
    site.restart(days_later=2)
    assert_called(site.watch(40, elsewhere), within_s=13.0)

    late = Site()
    late.watch(20, by_day)
    late.restart(days_later=30)
    assert late.watch(100, elsewhere) == []
    assert late.rules.is_view_open


def test_a_shift_is_one_however_old_what_was_learned_is(site):
    site.restart(days_later=30)

    assert_called(site.watch(40, pushed(by_day)), within_s=10.0)


def blackened(change, scene):
    def masked(picture, at_s):
        shown = change(picture, at_s)
        for mask in scene.masks:
            (left, top), _, (right, bottom), _ = mask.polygon
            shown[round(top * 180) : round(bottom * 180), round(left * 320) : round(right * 320)] = 0.0
        return shown

    return masked


def test_privacy_masks_stay_where_they_are_and_hide_no_movement():
    corners = [(x / 8 + 0.03, y / 5 + 0.04) for x in range(8) for y in range(5) if (x + y) % 2]
    masks = tuple(
        Mask(
            key=f"m{number}",
            name="Window",
            polygon=((x, y), (x + 0.08, y), (x + 0.08, y + 0.12), (x, y + 0.12)),
        )
        for number, (x, y) in enumerate(corners)
    )
    site = Site(Scene(zones=(YARD,), masks=masks))
    site.watch(20, blackened(by_day, site.scene))

    assert_called(site.watch(40, blackened(elsewhere, site.scene)), within_s=15.0)


def test_what_was_kept_before_lights_were_told_apart_still_tells_a_shift(site):
    (day,) = site.view.lit
    site.view = type(site.view)(
        drawn=site.view.drawn,
        lit=(type(day)(light=Light.UNKNOWN, edges=day.edges, likeness=day.likeness, seen_at=day.seen_at),),
        told_at=site.view.told_at,
    )
    site.restart()
    assert_called(site.watch(40, pushed(by_day)), within_s=10.0)

    site.watch(40, by_day)
    assert [one.light for one in site.view.lit] == [Light.DAY]


def test_both_streams_of_a_camera_are_in_one_light(site):
    rules = site.rules
    for pts_s, picture in filmed(60, from_s=site.now_s, change=by_day):
        wh = (640, 352) if pts_s % 20 < 10 else (640, 360)
        assert rules.update((), pts_s, START_AT + timedelta(seconds=pts_s), scaled(picture, wh)) == []
    assert not rules.is_view_open
