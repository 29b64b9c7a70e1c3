"""Average precision and MOTA on cases small enough to be worked out by hand."""

import numpy as np
import pytest

from core.vision.scores import MotScorer, score_detections

LEFT, RIGHT = (0.0, 0.0, 0.2, 0.2), (0.6, 0.6, 0.9, 0.9)
ELSEWHERE = (0.4, 0.0, 0.5, 0.1)


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, len(rows[0]) if rows else 4)


def found(*rows):
    return np.array([(*box, score) for box, score in rows], np.float32).reshape(-1, 5)


def score(found_boxes, labelled, from_score=0.25):
    return score_detections(found_boxes, labelled, from_score=from_score)


def test_finding_everything_and_nothing_else_is_a_precision_of_one():
    perfect = score([found((LEFT, 0.9), (RIGHT, 0.8))], [boxes(LEFT, RIGHT)])

    assert (perfect.ap50, perfect.recall, perfect.precision) == (1.0, 1.0, 1.0)


def test_a_false_box_between_two_right_ones_costs_a_sixth():
    # Precision is 1 up to a recall of 1/2, and 2/3 from there on.
    between = score([found((LEFT, 0.9), (ELSEWHERE, 0.8), (RIGHT, 0.7))], [boxes(LEFT, RIGHT)])

    assert between.ap50 == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_false_box_below_all_right_ones_costs_nothing_of_the_area():
    below = score([found((LEFT, 0.9), (RIGHT, 0.8), (ELSEWHERE, 0.3))], [boxes(LEFT, RIGHT)])

    assert below.ap50 == 1.0
    assert below.precision == pytest.approx(2 / 3)


def test_a_second_box_on_the_same_vehicle_is_false():
    twice = score([found((LEFT, 0.9), (LEFT, 0.8))], [boxes(LEFT)])

    assert twice.precision == 0.5


def test_boxes_that_overlap_by_less_than_half_are_somewhere_else():
    beside = (0.15, 0.0, 0.35, 0.2)

    assert score([found((beside, 0.9))], [boxes(LEFT)]).recall == 0.0


def test_a_weak_box_counts_for_the_area_but_not_for_the_recall():
    weak = score([found((LEFT, 0.1))], [boxes(LEFT)])

    assert (weak.ap50, weak.recall) == (1.0, 0.0)


def test_scores_are_ranked_over_all_pictures_together():
    # The false box of the first picture is surer than the right one of the second.
    two = score([found((ELSEWHERE, 0.9)), found((LEFT, 0.5))], [boxes(), boxes(LEFT)])

    assert two.ap50 == 0.5


def test_a_detector_that_says_nothing_scores_nothing():
    silent = score([np.zeros((0, 5), np.float32)], [boxes(LEFT)])

    assert (silent.ap50, silent.recall, silent.precision) == (0.0, 0.0, 0.0)


def mot(*pictures):
    """Add pictures, each the labelled and the tracked boxes by number."""
    scorer = MotScorer()
    for truth, tracked in pictures:
        scorer.add(list(truth), boxes(*truth.values()), list(tracked), boxes(*tracked.values()))
    return scorer.score()


def test_who_is_followed_without_fault_has_a_mota_of_one():
    result = mot(({1: LEFT}, {7: LEFT}), ({1: LEFT}, {7: LEFT}))

    assert result.mota == 1.0


def test_a_miss_a_false_track_and_a_switch_cost_one_each():
    result = mot(
        ({1: LEFT, 2: RIGHT}, {7: LEFT, 8: RIGHT}),
        ({1: LEFT, 2: RIGHT}, {7: LEFT}),
        ({1: LEFT, 2: RIGHT}, {9: LEFT, 8: RIGHT, 10: ELSEWHERE}),
    )

    assert (result.n_missed, result.n_false, result.n_switches) == (1, 1, 1)
    assert result.mota == pytest.approx(1 - 3 / 6)


def test_two_who_exchange_numbers_are_two_switches():
    result = mot(({1: LEFT, 2: RIGHT}, {7: LEFT, 8: RIGHT}), ({1: LEFT, 2: RIGHT}, {8: LEFT, 7: RIGHT}))

    assert result.n_switches == 2


def test_who_was_matched_stays_matched_though_another_box_fits_better():
    shifted = (0.02, 0.0, 0.22, 0.2)

    result = mot(({1: LEFT}, {7: LEFT}), ({1: LEFT}, {7: shifted, 8: LEFT}))

    assert (result.n_switches, result.n_false) == (0, 1)


def test_a_number_that_comes_back_after_a_gap_is_no_switch():
    result = mot(({1: LEFT}, {7: LEFT}), ({1: LEFT}, {}), ({1: LEFT}, {7: LEFT}))

    assert (result.n_missed, result.n_switches) == (1, 0)
