"""Cuts, and a camera that moves, told from pictures of our own making."""

import math

import numpy as np
import pytest

from core.vision.cuts import CutDetector, ShiftDetector
from core.vision.model import Track
from core.vision.scene_rule import Moment
from core.vision.vehicles import Sighting

FPS = 6.0


def last_moved_s(shifts_px):
    """Show a road that lies so far to the right in each picture; return when the camera was said to move."""
    detector = ShiftDetector()
    road = np.random.default_rng(3).integers(40, 215, (90, 160), np.uint8)
    for index, shift_px in enumerate(shifts_px):
        now_s = index / FPS
        moment = Moment(
            (), frozenset(), now_s=now_s, dt_s=min(index, 1) / FPS, pts_s=now_s, picture=np.roll(road, shift_px, 1)
        )
        moved_s = detector.last_moved_s(moment)
    return moved_s


def test_a_camera_that_turns_is_seen_to_move():
    assert last_moved_s([0, 0, 0, 0, 5, 5, 5, 5, 5, 5, 5, 5]) > 4 / FPS


def test_one_picture_that_seems_to_lie_elsewhere_is_no_movement():
    assert last_moved_s([0, 0, 0, 0, 0, 0, 5]) == -math.inf


def sighting(key, x, y, score):
    track = Track(track_id=key, label="car", score=score, bbox_xyxy=(x - 0.03, y - 0.05, x + 0.03, y + 0.05))
    return Sighting(key=key, track=track, ground=(x, y + 0.05), size=0.1, speed=0.0, previous=None, since_s=0.0)


@pytest.mark.parametrize(("score", "is_cut"), [(0.8, True), (0.3, False)])
def test_vehicles_are_exchanged_at_a_cut_only_if_the_network_was_sure_of_them(score, is_cut):
    detector, random, at = CutDetector(1.0), np.random.default_rng(4), 8
    road = random.integers(40, 215, (90, 160), np.uint8)
    for index in range(16):
        # As much as traffic changes from picture to picture, and half as much again at the cut.
        road = road.copy()
        changed = random.permutation(road.size)[: 600 if index == at else 400]
        road.flat[changed] = 255 - road.flat[changed].astype(int)
        places = [(0.2, 0.2), (0.8, 0.8)] if index < at else [(0.2, 0.8), (0.8, 0.2)]
        vehicles = [sighting(key + 10 * (index >= at), x, y, score) for key, (x, y) in enumerate(places)]
        now_s = index / FPS
        last_cut_s = detector.last_cut_s(
            vehicles, Moment(vehicles, frozenset(), now_s=now_s, dt_s=min(index, 1) / FPS, pts_s=now_s, picture=road)
        )

    assert (last_cut_s == at / FPS) is is_cut
