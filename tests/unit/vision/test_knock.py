"""Knocks on pictures of our own making: a textured vehicle on a textured road, and boxes that tremble over it."""

import math

import numpy as np
import pytest

from core.vision.knock import KnockSense

HEIGHT, WIDTH = 360, 640
CAR_PX = 48
SIZE = CAR_PX / HEIGHT
STEP_S = 1 / 6


def texture(height, width, seed):
    """Blocks of four pixels, as a road or a bodywork has corners."""
    blocks = np.random.default_rng(seed).integers(40, 215, (height // 4 + 1, width // 4 + 1), np.uint8)
    return np.kron(blocks, np.ones((4, 4), np.uint8))[:height, :width]


ROAD, CAR = texture(HEIGHT, WIDTH, 1), texture(CAR_PX, CAR_PX, 2)


def picture(x_px, *, pole_px=None):
    """The car's middle at `x_px`; a pole as wide as a car hides it at `pole_px`."""
    seen = ROAD.copy()
    left = round(x_px) - CAR_PX // 2
    seen[150 : 150 + CAR_PX, left : left + CAR_PX] = CAR
    if pole_px is not None:
        seen[:, pole_px - CAR_PX : pole_px + CAR_PX] = ROAD[:, pole_px - CAR_PX : pole_px + CAR_PX]
    return seen


def row(time_s, x_px, *, score=0.8):
    left, right = (x_px - CAR_PX / 2) / HEIGHT, (x_px + CAR_PX / 2) / HEIGHT
    return (time_s, left, 150 / HEIGHT, right, (150 + CAR_PX) / HEIGHT, score)


def knock(places_px, *, boxes_px=None, pole_px=None, score=0.8):
    """Show the car at places, one for each picture, and ask about the third."""
    sense, rows = KnockSense(), []
    for index, (place_px, box_px) in enumerate(zip(places_px, boxes_px or places_px, strict=True)):
        sense.see(index * STEP_S, picture(place_px, pole_px=pole_px))
        rows.append(row(index * STEP_S, box_px, score=score))
    return sense.knock(rows, 2 * STEP_S)


def test_a_car_that_is_thrown_back_is_knocked_by_both_its_speeds():
    speed = 16 / CAR_PX / STEP_S

    assert knock([200, 216, 232, 216, 200]) == pytest.approx(speed * (1 + 0.85), rel=0.05)


def test_one_that_is_lost_after_two_pictures_is_knocked_too():
    sense = KnockSense()
    for index, place_px in enumerate([200, 216, 232, 216, 200]):
        sense.see(index * STEP_S, picture(place_px))
    rows = [row(index * STEP_S, place_px) for index, place_px in enumerate([200, 216, 232, 216])]

    assert sense.knock(rows, 2 * STEP_S) > 2.5


def test_one_that_was_found_only_a_picture_before_is_knocked_too():
    sense = KnockSense()
    for index, place_px in enumerate([200, 216, 232, 216, 200]):
        sense.see(index * STEP_S, picture(place_px))
    rows = [row((index + 1) * STEP_S, place_px) for index, place_px in enumerate([216, 232, 216, 200])]

    assert sense.knock(rows, 2 * STEP_S) == pytest.approx(knock([200, 216, 232, 216, 200]), rel=0.05)


def test_one_that_stood_until_it_was_found_is_not_knocked():
    sense = KnockSense()
    for index, place_px in enumerate([216, 216, 232, 216, 200]):
        sense.see(index * STEP_S, picture(place_px))
    rows = [row((index + 1) * STEP_S, place_px) for index, place_px in enumerate([216, 232, 216, 200])]

    assert sense.knock(rows, 2 * STEP_S) == 0


def test_a_box_that_trembles_over_a_car_that_drives_on_is_no_knock():
    assert knock([200, 212, 224, 236, 248], boxes_px=[198, 214, 230, 232, 236]) < 0.5


def test_hard_braking_is_no_knock_worth_the_name():
    # 8 m/s² of a car that is 2.6 m from edge to edge of its square, from 50 km/h.
    def place(time_s):
        return 150 + CAR_PX / 2.6 * (13.9 * time_s - 4 * max(0.0, time_s - 2 * STEP_S) ** 2)

    assert knock([place(index * STEP_S) for index in range(5)]) < 1.1


def test_corners_of_a_pole_that_the_car_passes_behind_are_no_knock():
    assert knock([200, 224, 248, 272, 296], boxes_px=[200, 224, 248, 260, 272], pole_px=300) == 0


def test_what_the_network_is_not_sure_of_is_no_knock():
    assert knock([200, 216, 232, 216, 200], score=0.2) == 0


@pytest.mark.parametrize("side_px", [None, 160])
def test_without_a_picture_or_in_a_small_one_nothing_is_told(side_px):
    sense = KnockSense()
    rows = [row(index * STEP_S, place_px) for index, place_px in enumerate([200, 216, 232, 216, 200])]
    for index in range(5):
        sense.see(index * STEP_S, None if side_px is None else np.zeros((side_px * 9 // 16, side_px), np.uint8))

    assert sense.knock(rows, 2 * STEP_S) == 0


def test_a_moment_before_the_pictures_began_is_not_judged():
    sense = KnockSense()
    rows = [row(index * STEP_S, place_px) for index, place_px in enumerate([200, 216, 232, 216, 200])]
    for index, place_px in enumerate([216, 232, 216, 200]):
        sense.see((index + 1) * STEP_S, picture(place_px))

    assert sense.knock(rows, 2 * STEP_S) == 0


def test_pictures_are_kept_for_two_seconds_only():
    sense = KnockSense()
    rows = [row(index * STEP_S, place_px) for index, place_px in enumerate([200, 216, 232, 216, 200])]
    for index in range(math.ceil(2.5 / STEP_S)):
        sense.see(index * STEP_S, picture([200, 216, 232, 216, 200][min(index, 4)]))

    assert sense.knock(rows, 2 * STEP_S) == 0
