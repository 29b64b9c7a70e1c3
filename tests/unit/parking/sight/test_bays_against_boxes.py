"""Which vehicle stands in which bay: boxes against outlines."""

import numpy as np
import pytest

from core.vision.bays import area_in_box, fit, match_bays


def bay(x, y, wide=60.0, deep=40.0):
    """Return an outline seen from a mast: a parallelogram."""
    return np.array([(x, y), (x + wide, y), (x + wide + 15, y + deep), (x + 15, y + deep)], np.float32)


def car_in(outline, score=0.8, height=30.0):
    """Return the box of a car on a bay: it rises over the outline, as seen from a mast."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    return [low[0] + 4, low[1] - height, high[0] - 4, high[1] - 4, score]


def test_a_car_belongs_to_the_bay_it_stands_on_not_to_the_one_behind_that_its_roof_covers():
    near, behind = bay(100, 140), bay(100, 95)

    match = match_bays([near, behind], np.array([car_in(near)]))

    assert match.logits[0] > 1.0
    assert match.logits[1] < -1.0
    assert match.hidden[1] > 0.2


def test_each_car_of_a_full_row_has_its_own_bay():
    row = [bay(100 + 62 * i, 140) for i in range(6)]

    match = match_bays(row, np.array([car_in(one) for one in row]))

    assert match.box_of.tolist() == [0, 1, 2, 3, 4, 5]
    assert (match.logits > 1.0).all()
    assert match.straddles == ()


def test_a_car_in_the_lane_occupies_no_bay():
    match = match_bays([bay(100, 140), bay(162, 140)], np.array([[120.0, 230.0, 190.0, 290.0, 0.9]]))

    assert (match.logits < -1.0).all()


def test_a_car_across_two_bays_takes_both_and_is_told():
    left, right = bay(100, 140), bay(160, 140)
    middle = np.array([car_in((left + right) / 2)])

    match = match_bays([left, right], middle)

    assert len(match.straddles) == 1
    assert set(match.straddles[0][:2]) == {0, 1}
    assert (match.logits > 0).all()


def test_a_bay_behind_a_lorry_is_hidden_not_free():
    near, behind = bay(100, 140), bay(110, 100, wide=40, deep=25)
    lorry = np.array([[90.0, 40.0, 190.0, 180.0, 0.9]])

    match = match_bays([near, behind], lorry)

    assert match.box_of[0] == 0
    assert match.is_hidden.tolist() == [False, True]


def test_a_weak_box_says_less_than_a_strong_one():
    strong, weak = (match_bays([bay(100, 140)], np.array([car_in(bay(100, 140), score)])) for score in (0.8, 0.06))

    assert strong.logits[0] > 0 > weak.logits[0] > match_bays([bay(100, 140)], np.zeros((0, 5))).logits[0]


@pytest.mark.parametrize(("box", "area"), [((0, 0, 10, 10), 50.0), ((0, 0, 5, 10), 12.5), ((20, 20, 30, 30), 0.0)])
def test_the_part_of_a_triangle_inside_a_box(box, area):
    assert area_in_box(np.array([(0.0, 10.0), (10.0, 0.0), (10.0, 10.0)]), box) == pytest.approx(area)


def test_a_box_far_away_fits_nothing():
    assert fit(bay(100, 140), (400, 400, 450, 450)) == 0.0
