"""A quiet picture re-confirms who stands there; nobody is missed for want of a look."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from core.media.convert import Letterbox
from core.vision.analyse import CameraAnalyser
from core.vision.model import ObservationKind, Scene, TrackerKind, Zone
from core.vision.tracker import LOST_S, make_tracker
from tests.unit.vision.roads import ASPECT, LABELS, box_at, detections

BOX = Letterbox(scale=1.0, pad_x=0, pad_y=0, content_w=640, content_h=360, frame_w=640, frame_h=360)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
CAR = LABELS.index("car")


@pytest.fixture(params=list(TrackerKind))
def tracker(request):
    return make_tracker(request.param, labels=LABELS, aspect=ASPECT)


def park(tracker):
    random = np.random.default_rng(7)
    for step in range(15):
        shake = random.normal(0, 0.001, 4)
        tracks = tracker.update(detections(tuple(np.array(box_at(0.5, 0.5)) + shake)), step / 5)
    return tracks


def test_a_parked_vehicle_keeps_its_id_over_minutes_without_a_look(tracker):
    (parked,) = park(tracker)
    for step in range(15, 315):
        (held,) = tracker.hold(step / 5)

    (found,) = tracker.update(detections(box_at(0.5, 0.5)), 63.0)

    assert held.track_id == found.track_id == parked.track_id
    assert held.bbox_xyxy == pytest.approx(parked.bbox_xyxy, abs=0.01)


def test_a_parked_vehicle_is_settled_and_a_driving_one_is_not(tracker):
    park(tracker)
    assert tracker.is_settled

    for step in range(15, 25):
        tracker.update(detections(box_at(0.5 + 0.01 * (step - 15), 0.5)), step / 5)

    assert not tracker.is_settled


def test_a_vehicle_out_of_sight_is_not_settled_until_it_is_forgotten(tracker):
    park(tracker)
    tracker.update(detections(), 3.0)
    assert not tracker.is_settled

    tracker.update(detections(), 3.0 + LOST_S + 0.1)

    assert tracker.is_settled


def test_who_left_is_gone_with_the_next_look(tracker):
    park(tracker)
    for step in range(15, 25):
        tracker.hold(step / 5)

    assert tracker.update(detections(), 5.0) == ()


def test_a_standing_vehicle_is_reported_although_nobody_looks_again():
    zone = Zone(key="a", name="A", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), stopped_after_s=10.0)
    analyser = CameraAnalyser(
        "cam", Scene(zones=(zone,)), LABELS, TrackerKind.BYTETRACK, aspect=16 / 9, engine_labels=LABELS
    )
    boxes = np.array(
        [[300 - 8 * max(0, 6 - step), 150, 360 - 8 * max(0, 6 - step), 190, 0.8, CAR] for step in range(25)]
    )
    for step, box in enumerate(boxes.astype(np.float32)):
        analyser.update(box[None], BOX, step / 5, NOW + timedelta(seconds=step / 5))
    assert analyser.is_settled

    seen = [
        observation.kind
        for step in range(25, 120)
        for observation in analyser.hold(step / 5, NOW + timedelta(seconds=step / 5)).observations
    ]

    assert seen == [ObservationKind.STOPPED_VEHICLE]
