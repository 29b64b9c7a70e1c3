"""Counting on oracle tracks: flicker, stops on the line, U-turns, hidden stretches, ids that change, get lost, swap."""

import pytest

from core.sim.bench_count import bench_count, count_scene, knowable_drives, unknowable_drives


@pytest.mark.parametrize("seed", [100, 101, 102])
def test_every_crossing_that_the_boxes_tell_of_is_counted_once_in_its_direction(seed):
    truth, counted = count_scene(knowable_drives(seed), seed)

    assert truth.total() > 5
    assert counted == truth


def test_what_nobody_could_know_stands_apart_from_the_errors():
    assert unknowable_drives(4)
    assert all(drive.hidden[1] > 0 for drive in unknowable_drives(4))

    figures = bench_count(1).figures

    assert figures["count_errors"].value == 0
    assert figures["crossings"].value > 0
    assert "nobody saw" in figures["unseen_turn_errors"].reference
