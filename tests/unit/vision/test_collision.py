"""Collisions on roads of our own making: what drivers do calls nobody, what they cannot do calls."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from core.vision.model import ObservationKind, Phase, RuleSetting, Scene, Track
from core.vision.rules import SceneRules

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ASPECT = 16 / 9
SIDE = 0.12
"""Height of a car in picture heights; it is twice as long."""


def car(track_id, x, y, *, width=2 * SIDE, height=SIDE):
    """A car whose bottom centre is at x (picture heights), y."""
    box = ((x - width / 2) / ASPECT, y - height, (x + width / 2) / ASPECT, y)
    return Track(track_id=track_id, label="car", score=0.8, bbox_xyxy=box)


def watch(pictures, *, fps=6.0, scene=None, greys=None):
    """Let the rules see pictures, lists of tracks, and return the collisions that call an operator."""
    rules = SceneRules("camera-1", scene or Scene(), ASPECT)
    seen = []
    for index, tracks in enumerate(pictures):
        seen += rules.update(tracks, index / fps, AT, None if greys is None else greys[index])
    return [item for item in seen if item.kind is ObservationKind.COLLISION and item.confidence >= 0.8]


def crash(fps=6.0, seconds=6.0, standing=0.9):
    """A car drives into the side of one that stands across its way, and both are at rest at once."""
    return [
        [car(1, min(standing, 0.3 + 0.35 * index / fps), 0.6), car(2, standing + 2 * SIDE, 0.62)]
        for index in range(int(seconds * fps))
    ]


@pytest.mark.parametrize("fps", [5.0, 6.0, 10.0, 25.0])
def test_a_car_that_is_stopped_by_another_one_calls_within_five_seconds(fps):
    impact_s = 0.6 / 0.35

    said = watch(crash(fps), fps=fps)

    assert said
    assert impact_s <= said[0].pts_s <= impact_s + 5


def test_one_collision_is_one_condition_however_long_the_cars_stay():
    said = watch(crash(seconds=25.0))

    assert len({observation.condition_key for observation in said}) == 1
    assert sum(observation.phase is Phase.BEGIN for observation in said) == 1


def test_the_rule_names_what_it_saw():
    values = watch(crash())[-1].values

    assert values["jolt"] > 1
    assert values["contact"] > 0.5
    assert values["halt"] > 0.5


def crossing(*, other_after):
    """A car is thrown aside by one that crosses its way, which moves like `other_after` from then on."""
    rules, seen = SceneRules("camera-1", Scene(), ASPECT), []
    for t in np.arange(0, 5, 1 / 8):
        until, after = min(t, 2.0), max(0.0, t - 2.0)
        own = car(1, 0.2 + 0.3 * until + 0.06 * after, 0.6 + 0.12 * after)
        other = car(2, 0.95 + other_after[0] * after, 0.3 + 0.14 * until + other_after[1] * after)
        seen += rules.update([own, other], t, AT)
    return max((one.confidence for one in seen if one.kind is ObservationKind.COLLISION), default=0.0)


def test_a_rule_is_surer_where_the_other_vehicle_was_pushed_as_well():
    assert crossing(other_after=(0.15, 0.0)) > 0.8 > crossing(other_after=(0.0, 0.14)) > 0.6


def test_a_car_that_brakes_behind_another_one_calls_nobody():
    def x(t):
        speed, slowing = 0.35, 0.14
        t = min(t, speed / slowing)
        return 0.3 + speed * t - slowing * t * t / 2

    pictures = [[car(1, x(index / 6), 0.6), car(2, 1.0, 0.6)] for index in range(48)]

    assert not watch(pictures)


def test_a_queue_that_stops_and_goes_calls_nobody():
    def x(t, place):
        return 0.3 + place * 2.1 * SIDE + 0.08 * (t - math.sin(1.2 * t) / 1.2)

    pictures = [[car(place, x(index / 6, place), 0.6) for place in range(4)] for index in range(60)]

    assert not watch(pictures)


def test_a_car_that_turns_off_calls_nobody():
    def at(t):
        angle = min(math.pi / 2, max(0.0, (t - 2) / 2.5 * math.pi / 2))
        turned = 0.2 * np.array([math.sin(angle), 1 - math.cos(angle)])
        way = 0.3 + 0.13 * min(t, 2.0)
        after = max(0.0, t - 4.5) * 0.13
        return way + turned[0], 0.4 + turned[1] + after

    pictures = [[car(1, *at(index / 6)), car(2, 0.95, 0.7)] for index in range(40)]

    assert not watch(pictures)


def test_cars_that_pass_behind_each_other_on_two_carriageways_call_nobody():
    pictures = [[car(1, 0.2 + 0.3 * t, 0.6), car(2, 1.5 - 0.3 * t, 0.5)] for t in np.arange(0, 4, 1 / 6)]

    assert not watch(pictures)


def test_a_box_that_a_pole_cuts_in_half_calls_nobody():
    pictures = []
    for t in np.arange(0, 4, 1 / 6):
        left, right = 0.2 + 0.3 * t, 0.2 + 0.3 * t + 2 * SIDE
        if left < 0.9 < right:
            right = 0.9
        pictures.append([car(1, (left + right) / 2, 0.6, width=right - left)])

    assert not watch(pictures)


def test_a_car_that_drives_away_slows_down_on_the_picture_and_calls_nobody():
    pictures = []
    for t in np.arange(0, 5, 1 / 6):
        distance = 1 + 1.2 * t
        pictures.append([car(1, 0.9, 0.2 + 0.7 / distance, width=0.5 / distance, height=0.25 / distance)])

    assert not watch(pictures)


def test_vehicles_that_a_cut_puts_elsewhere_call_nobody():
    first = [
        [car(key, 0.3 + 0.25 * key + 0.05 * t, 0.4 + 0.1 * key) for key in range(4)] for t in np.arange(0, 3, 1 / 6)
    ]
    second = [[car(10 + key, 0.5 + 0.2 * key, 0.45 + 0.1 * key) for key in range(4)] for _ in np.arange(0, 3, 1 / 6)]

    assert not watch(first + second)


def test_a_clock_that_steps_back_starts_again():
    rules = SceneRules("camera-1", Scene(), ASPECT)
    said = []
    for index, tracks in enumerate(crash()):
        said += rules.update(tracks, index / 6 if index < 10 else index / 6 - 100, AT)

    assert not [observation for observation in said if observation.kind is ObservationKind.COLLISION]


def test_a_camera_that_does_not_watch_for_collisions_says_nothing():
    scene = Scene(rules=(RuleSetting(kind="collision", is_enabled=False),))

    assert not watch(crash(), scene=scene)


def test_a_number_that_goes_over_to_oncoming_traffic_calls_nobody():
    # The box turns back at once and faster than it came, and nobody was there to push it.
    pictures = [
        [car(1, 0.3 + 0.25 * t if t < 2 else 0.8 - 0.35 * (t - 2), 0.6), car(2, 1.6, 0.3)]
        for t in np.arange(0, 4, 1 / 6)
    ]

    assert not watch(pictures)


def test_a_box_that_jumps_from_one_vehicle_to_the_next_calls_nobody():
    pictures = [[car(1, 0.3 + 0.25 * t + (0.5 if t > 2 else 0.0), 0.6)] for t in np.arange(0, 4, 1 / 6)]

    assert not watch(pictures)


@pytest.mark.parametrize(("score", "calls"), [(0.8, True), (0.26, False)])
def test_a_car_that_is_lost_in_contact_and_found_again_calls_only_if_the_network_was_sure_of_it(score, calls):
    pictures = [
        [replace(own, score=score) if index < 10 else replace(own, track_id=9), other]
        for index, (own, other) in enumerate(crash())
    ]
    # It is not seen in the picture of the impact.
    pictures[10] = pictures[10][1:]

    assert bool(watch(pictures)) is calls


def test_what_happens_while_vehicles_elsewhere_come_and_go_is_a_seam_of_the_stream():
    loop = [
        [*cars, car(3, 0.3, 0.25), car(4, 1.5, 0.2)] if index < 10 else [*cars, car(13, 0.6, 0.22), car(14, 1.2, 0.3)]
        for index, cars in enumerate(crash())
    ]

    assert not watch(loop)


@pytest.mark.parametrize("fps", [8.0, 12.0])
def test_every_rate_of_a_camera_is_looked_at_often_enough(fps):
    assert watch(crash(fps), fps=fps)


def greys(n_pictures, *, leaps_at=(), flashes_at=(), step_px=3):
    """A road in grey on which a bright van drives; at a leap it is elsewhere, and so is the sun's light on the road."""
    road = np.random.default_rng(1).integers(60, 140, (90, 160), np.uint8)
    found, place = [], 10
    for index in range(n_pictures):
        place = 10 + (place + step_px + (70 if index in leaps_at else 0) - 10) % 120
        picture = road.copy()
        if sum(leap <= index for leap in leaps_at) % 2:
            picture[60:80] += 40
        picture[40:50, place : place + 20] = 200
        if index in flashes_at:
            picture[:] = 250
        found.append(picture)
    return found


def test_what_happens_where_the_picture_leaps_is_a_seam_even_if_every_vehicle_seems_to_go_on():
    n_pictures, impact = len(crash()), int(0.6 / 0.35 * 6)

    assert watch(crash(), greys=greys(n_pictures))
    assert not watch(crash(), greys=greys(n_pictures, leaps_at=[impact]))


def test_a_crash_soon_after_a_seam_calls():
    assert watch(crash(), greys=greys(len(crash()), leaps_at=[3]))


def test_lightning_at_the_moment_of_a_crash_is_no_seam():
    impact = int(0.6 / 0.35 * 6)

    assert watch(crash(), greys=greys(len(crash()), flashes_at=[impact]))


def test_one_vehicle_for_another_where_more_changes_than_for_a_second_is_a_seam():
    impact = int(0.6 / 0.35 * 6)
    pictures = [
        [*cars, car(3, 0.3, 0.25)] if index < impact else [*cars, car(13, 1.3, 0.3)]
        for index, cars in enumerate(crash())
    ]

    assert not watch(pictures, greys=greys(len(pictures), leaps_at=[impact]))


def texture(height, width, seed):
    blocks = np.random.default_rng(seed).integers(40, 215, (height // 4 + 1, width // 4 + 1), np.uint8)
    return np.kron(blocks, np.ones((4, 4), np.uint8))[:height, :width]


def brief_crash(*, thrown_back):
    """A car is seen in five pictures only: it runs into one that stands, and goes on as it is thrown back or not."""
    road, body = texture(360, 640, 1), texture(round(SIDE * 360), round(2 * SIDE * 360), 2)
    pictures, greys = [], []
    for index in range(30):
        x = 0.3 + 0.06 * (min(index, 12) - 6) + (-0.05 if thrown_back else 0.06) * max(0, index - 12)
        grey = road.copy()
        left, top = round((x - SIDE) * 360), round((0.6 - SIDE) * 360)
        seen = body[:, max(0, -left) : 640 - left]
        grey[top : top + body.shape[0], max(0, left) : max(0, left) + seen.shape[1]] = seen
        greys.append(grey)
        pictures.append([car(2, 0.66 + 1.8 * SIDE, 0.61)] + ([car(1, x, 0.6)] if 10 <= index <= 14 else []))
    return pictures, greys


def test_a_car_that_is_seen_for_less_than_a_second_calls_by_its_pixels():
    pictures, greys = brief_crash(thrown_back=True)

    assert watch(pictures, greys=greys)
    assert not watch(pictures)


def test_a_car_that_is_seen_as_briefly_and_drives_on_calls_nobody():
    pictures, greys = brief_crash(thrown_back=False)

    assert not watch(pictures, greys=greys)
