"""Jumps in time under a camera that stands still, on roads of our own making."""

import math
from collections import deque
from datetime import UTC, datetime

import numpy as np
import pytest

from core.vision import collision
from core.vision.collision_evidence import Trace
from core.vision.continuity import jumped_s
from core.vision.model import ObservationKind, Scene, Track
from core.vision.rules import SceneRules
from core.vision.vehicles import Sighting

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FPS = 8.0
HIGH, WIDE = 360, 640
ASPECT = WIDE / HIGH
SIDE = 0.12
"""Height of a car in picture heights; it is twice as long."""

JUMP = 16
"""First picture of another time."""


def texture(height, width, seed):
    blocks = np.random.default_rng(seed).integers(40, 215, (height // 4 + 1, width // 4 + 1), np.uint8)
    return np.kron(blocks, np.ones((4, 4), np.uint8))[:height, :width]


def box(x, y):
    """A car whose bottom centre is at x, y, picture heights."""
    return x - SIDE, y - SIDE, x + SIDE, y


def body(height, width, look, turned):
    """A car's side; of one that turned a share of it looks otherwise."""
    is_other = np.kron(np.random.default_rng(look).random((height // 4 + 1, width // 4 + 1)), np.ones((4, 4))) < turned
    return np.where(is_other[:height, :width], texture(height, width, look + 50), texture(height, width, look))


def show(places, looks, turned=0.0):
    """A picture of cars at their places, each as its look says."""
    picture = texture(HIGH, WIDE, 1)
    for place, look in zip(places, looks, strict=True):
        left, top, right, bottom = (round(side * HIGH) for side in box(*place))
        x, y = max(0, left), max(0, top)
        inside = picture[y:bottom, x:right]
        inside[:] = body(bottom - top, right - left, look, turned)[y - top :, x - left :][
            : inside.shape[0], : inside.shape[1]
        ]
    return picture


def lanes(n, index, *, later_by=0.0):
    """Cars in lanes of their own, each at its speed, each after its own time."""
    t = index / FPS
    return [(0.2 + 0.1 * lane + (0.15 + 0.02 * lane) * t + later_by, 0.2 + 0.15 * lane) for lane in range(n)]


def traffic(n, *, jumps=True):
    """Pictures and traces: at the jump every box goes on, and holds another car."""
    places = [lanes(n, index) for index in range(26)]
    pictures = []
    for index in range(26):
        looks = [lane + (100 if jumps and index >= JUMP else 10) for lane in range(n)]
        pictures.append((index / FPS, show(places[index], looks)))
    return pictures, [trace([row[lane] for row in places]) for lane in range(n)]


def trace(places, first=0):
    track = Track(track_id=1, label="car", score=0.8, bbox_xyxy=(0.0, 0.0, 0.1, 0.1))
    sighting = Sighting(key=1, track=track, ground=(0, 0), size=SIDE, speed=0.0, previous=None, since_s=0.0)
    rows = [((first + index) / FPS, *box(*place), 0.8) for index, place in enumerate(places)]
    return Trace(deque(rows), sighting)


def jump_in(pictures, traces, *, stands_out=False):
    return jumped_s(pictures, traces, 0.6, 3.0, lambda _at_s: stands_out)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_time_jumped_where_no_car_is_found_again(n):
    assert jump_in(*traffic(n)) == JUMP / FPS


@pytest.mark.parametrize("n", [1, 2, 4])
def test_time_did_not_jump_while_cars_drive_on(n):
    assert jump_in(*traffic(n, jumps=False), stands_out=True) is None


def test_cars_that_vanish_and_others_that_come_to_be_elsewhere_are_a_jump():
    before, after = [lanes(2, index) for index in range(JUMP)], [lanes(2, i, later_by=0.9) for i in range(26 - JUMP)]
    pictures = [(index / FPS, show(places, [10, 11])) for index, places in enumerate(before)]
    pictures += [((JUMP + index) / FPS, show(places, [20, 21])) for index, places in enumerate(after)]
    traces = [trace([row[lane] for row in before]) for lane in range(2)]
    # A tracker shows a new vehicle with its second picture.
    traces += [trace([row[lane] for row in after[1:]], JUMP + 1) for lane in range(2)]

    assert jump_in(pictures, traces) == JUMP / FPS


def test_one_car_that_a_bus_hides_is_no_jump():
    pictures, traces = traffic(4, jumps=False)
    pictures = [
        (time_s, picture if index < JUMP else np.vstack([picture[:240], texture(120, WIDE, 77)]))
        for index, (time_s, picture) in enumerate(pictures)
    ]

    assert jump_in(pictures, traces, stands_out=True) is None


def test_pictures_that_the_stream_leaves_out_are_no_jump():
    """Every car turns while two pictures are missing, so that it is found less well after them."""
    _, traces = traffic(4)
    missing = (JUMP, JUMP + 1)
    there = [index for index in range(26) if index not in missing]
    pictures = [
        (index / FPS, show(lanes(4, index), [10, 11, 12, 13], turned=0.25 if index > JUMP else 0.0)) for index in there
    ]
    for each in traces:
        each.rows = deque(each.rows[index] for index in there)

    assert jump_in(pictures, traces) is None


def test_lightning_is_no_jump():
    pictures, traces = traffic(4, jumps=False)
    pictures[JUMP] = (JUMP / FPS, np.full((HIGH, WIDE), 250, np.uint8))

    assert jump_in(pictures, traces, stands_out=True) is None


def test_a_pile_up_in_which_everybody_brakes_at_once_is_no_jump():
    def at(lane, index):
        t = index / FPS
        speed = 0.4 + 0.03 * lane
        # Hard braking from the jump on, and the last two are pushed to a stand between two pictures.
        driven = speed * min(t, 2.0) + (0.0 if lane > 1 else speed * (1 - math.exp(-3 * max(0.0, t - 2.0))) / 3)
        return 0.2 + 0.1 * lane + driven, 0.2 + 0.15 * lane

    places = [[at(lane, index) for lane in range(4)] for index in range(26)]
    pictures = [(index / FPS, show(row, [10, 11, 12, 13])) for index, row in enumerate(places)]
    traces = [trace([row[lane] for row in places]) for lane in range(4)]

    assert jump_in(pictures, traces, stands_out=True) is None


def track(track_id, x, y):
    left, top, right, bottom = box(x, y)
    return Track(track_id=track_id, label="car", score=0.8, bbox_xyxy=(left / ASPECT, top, right / ASPECT, bottom))


def crash(index):
    """Two cars run into each other where their ways cross, and each is pushed off its own."""
    t = index / FPS
    until, after = min(t, 2.0), max(0.0, t - 2.0)
    return [(0.2 + 0.3 * until + 0.06 * after, 0.6 + 0.12 * after), (0.95 + 0.15 * after, 0.3 + 0.14 * until)]


def calls(n_others, *, jumps):
    """Let the rules see the crash among others who drive on; where time jumps, every box holds another car from it."""
    rules, said = SceneRules("camera-1", Scene(), ASPECT), []
    for index in range(44):
        others = [(1.6 - 0.2 * index / FPS, 0.18), (0.1 + 0.22 * index / FPS, 0.97), (0.3 + 0.2 * index / FPS, 0.8)]
        places = crash(index) + others[:n_others]
        looks = [key + (100 if jumps and index > JUMP else 10) for key in range(len(places))]
        tracks = [track(key, *place) for key, place in enumerate(places)]
        said += rules.update(tracks, index / FPS, AT, show(places, looks))
    return [one for one in said if one.kind is ObservationKind.COLLISION and one.confidence >= 0.8]


@pytest.mark.parametrize("n_others", [0, 3])
def test_a_crash_among_others_who_drive_on_calls(n_others):
    assert calls(n_others, jumps=False)


@pytest.mark.parametrize("n_others", [0, 3])
def test_boxes_of_other_cars_after_a_jump_in_time_call_nobody(n_others):
    assert not calls(n_others, jumps=True)


def test_whether_time_jumped_is_asked_once_for_all_vehicles_of_a_picture(monkeypatch):
    asked = []

    def counted(pictures, *rest):
        asked.append(pictures[-1][0])
        return jumped_s(pictures, *rest)

    monkeypatch.setattr(collision, "jumped_s", counted)

    assert calls(3, jumps=False)
    assert len(asked) == len(set(asked)) > 1
