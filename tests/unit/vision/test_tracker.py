import math

import numpy as np
import pytest

from core.vision.camera_motion import Motion
from core.vision.model import TrackerKind
from core.vision.tracker import LOST_S, make_tracker
from tests.unit.vision.roads import ASPECT, LABELS, box_at, detections

KINDS = list(TrackerKind)


@pytest.fixture(params=KINDS)
def tracker(request):
    return make_tracker(request.param, labels=LABELS, aspect=ASPECT)


def ids(tracks):
    return [track.track_id for track in tracks]


@pytest.mark.parametrize("fps", [5, 8, 15, 30])
def test_a_fast_vehicle_keeps_its_id_at_any_picture_rate(tracker, fps):
    seen = set()
    for step in range(2 * fps):
        y = 0.15 + 0.4 * step / fps
        seen.update(ids(tracker.update(detections(box_at(0.5, y)), step / fps)))

    assert len(seen) == 1


def test_velocity_is_that_of_the_ground_point_in_fractions_per_second(tracker):
    for step in range(20):
        tracks = tracker.update(detections(box_at(0.3 + 0.02 * step, 0.5 + 0.01 * step)), step / 10)

    assert tracks[0].velocity_xy == pytest.approx((0.2, 0.1), abs=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_thirty_crossing_vehicles_with_trembling_and_missing_boxes_keep_their_ids(tracker, seed):
    random = np.random.default_rng(seed)
    lanes = np.linspace(0.1, 0.95, 10)
    start = random.uniform(0.0, 1.0, (10, 3)) * 0.2 + np.array([0.05, 0.38, 0.71])
    direction = np.where(np.arange(10) % 2, 1, -1)[:, None]
    owners: dict[int, set[tuple[int, int]]] = {}
    for step in range(80):
        x = start + direction * 0.006 * step
        boxes, truth = [], []
        for lane, column in np.ndindex(10, 3):
            centre = x[lane, column] % 1.3 - 0.15
            if not 0.03 < centre < 0.97 or random.random() < 0.1:
                continue
            box = np.array(box_at(centre, lanes[lane], height=0.06)) + random.normal(0, 0.0015, 4)
            boxes.append(tuple(box))
            truth.append((lane, column))
        for track in tracker.update(detections(*boxes), step / 10):
            middle = np.array([(track.bbox_xyxy[0] + track.bbox_xyxy[2]) / 2, track.bbox_xyxy[3]])
            nearest = min(
                range(len(boxes)),
                key=lambda i: math.dist(middle, ((boxes[i][0] + boxes[i][2]) / 2, boxes[i][3])),
            )
            owners.setdefault(track.track_id, set()).add(truth[nearest])

    assert [owner for owner in owners.values() if len(owner) > 1] == []


def test_a_vehicle_that_flickers_between_car_and_truck_is_one_track_named_by_most_votes(tracker):
    seen = set()
    for step in range(30):
        label = "truck" if step % 3 == 0 else "car"
        tracks = tracker.update(detections(box_at(0.2 + 0.01 * step, 0.5), label=label), step / 10)
        seen.update(ids(tracks))

    assert len(seen) == 1
    assert tracks[0].label == "car"


def test_a_person_never_continues_the_track_of_a_car(tracker):
    for step in range(5):
        tracker.update(detections(box_at(0.5, 0.5)), step / 10)
    for step in range(5, 9):
        tracks = tracker.update(detections(box_at(0.5, 0.5), label="person"), step / 10)

    assert [track.label for track in tracks] == ["person"]
    assert ids(tracks) != [1]


def test_weak_boxes_hold_a_vehicle_but_start_none(tracker):
    for step in range(5):
        tracker.update(detections(box_at(0.5, 0.5)), step / 10)
    for step in range(5, 40):
        weak = detections(box_at(0.5, 0.5), box_at(0.2, 0.8), score=0.15)
        tracks = tracker.update(weak, step / 10)

    assert ids(tracks) == [1]


@pytest.mark.parametrize("fps", [5, 25])
def test_forgetting_goes_by_picture_time_not_by_the_number_of_pictures(tracker, fps):
    def run(away_s: float) -> bool:
        fresh = make_tracker(TrackerKind.BYTETRACK, labels=LABELS, aspect=ASPECT)
        standing = detections(box_at(0.5, 0.5))
        at_s = 0.0
        for _ in range(10):
            fresh.update(standing, at_s)
            at_s += 1 / fps
        for _ in range(round(away_s * fps)):
            fresh.update(detections(), at_s)
            at_s += 1 / fps
        for _ in range(3):
            tracks = fresh.update(standing, at_s)
            at_s += 1 / fps
        return ids(tracks) == [1]

    assert run(away_s=LOST_S - 0.5)
    assert not run(away_s=LOST_S + 0.5)


def test_after_a_gap_a_standing_vehicle_is_the_same_and_nothing_moves_on(tracker):
    for step in range(20):
        tracker.update(detections(box_at(0.2 + 0.01 * step, 0.5), box_at(0.8, 0.9)), step / 10)

    tracks = tracker.update(detections(box_at(0.8, 0.9)), 30.0)

    assert ids(tracks) == [2]
    assert tracks[0].velocity_xy == pytest.approx((0.0, 0.0), abs=0.02)


def test_a_clock_that_steps_back_is_a_gap_and_no_id_comes_twice(tracker):
    seen = []
    for epoch in range(3):
        for step in range(10):
            tracks = tracker.update(detections(box_at(0.2 + 0.25 * epoch, 0.5)), step / 10)
        seen += ids(tracks)

    assert seen == sorted(set(seen))


def test_boxes_are_compared_in_true_proportions():
    """On a portrait picture a step of 0.1 sideways is short, on a wide one it is long."""
    portrait = make_tracker(TrackerKind.BYTETRACK, labels=LABELS, aspect=9 / 16)
    for step in range(12):
        tracks = portrait.update(detections(box_at(0.3 + 0.04 * step, 0.5, width=0.12, height=0.07)), step / 5)

    assert ids(tracks) == [1]


def test_broken_numbers_from_a_network_are_dropped(tracker):
    good = detections(box_at(0.5, 0.5))
    bad = good.copy()
    bad[0, 2] = np.nan
    tracker.update(np.concatenate([bad, good]), 0.0)

    assert ids(tracker.update(np.concatenate([bad, good]), 0.1)) == [1]


def test_botsort_follows_a_camera_that_is_turned_and_bytetrack_does_not():
    shift = 0.12

    def run(kind: TrackerKind) -> int:
        tracker = make_tracker(kind, labels=LABELS, aspect=ASPECT)
        for step in range(10):
            tracker.update(detections(box_at(0.4, 0.5), box_at(0.4 + shift, 0.5)), step / 10)
        moved = detections(box_at(0.4 + shift, 0.5), box_at(0.4 + 2 * shift, 0.5))
        tracks = tracker.update(moved, 1.0, Motion(shift_xy=(shift * ASPECT, 0.0)))
        return min(tracks, key=lambda track: track.bbox_xyxy[0]).track_id

    assert run(TrackerKind.BOTSORT) == 1
    assert run(TrackerKind.BYTETRACK) != 1
