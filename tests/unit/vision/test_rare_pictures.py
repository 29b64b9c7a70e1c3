"""A camera whose pictures come more than three seconds apart: nothing of it is taken for watched, and nothing stays."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from core.media.convert import Letterbox
from core.vision.analyse import CameraAnalyser
from core.vision.model import CountLine, ObservationKind, Phase, Scene, TrackerKind, Zone
from core.vision.rules import SceneRules
from core.vision.tracker import make_tracker
from tests.unit.vision.roads import ASPECT, LABELS, START_AT, box_at, detections, track_at

BOX = Letterbox(scale=1.0, pad_x=0, pad_y=0, content_w=640, content_h=360, frame_w=640, frame_h=360)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
YARD = Zone(
    key="yard",
    name="Yard",
    polygon=((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)),
    stopped_after_s=30.0,
    alarms_presence=True,
)
LINE = CountLine(key="gate", name="Gate", start=(0.1, 0.5), end=(0.9, 0.5), forward_name="in", backward_name="out")
CAR = np.array([[300, 150, 360, 190, 0.9, LABELS.index("car")]], np.float32)


class Watched:
    """One camera, real tracker and rules; `sees` are its pictures' steps and whether a car stands there."""

    def __init__(self, zone: Zone = YARD, kind: TrackerKind = TrackerKind.BYTETRACK) -> None:
        self.at_s = 100.0
        self.told: list[tuple[ObservationKind, Phase]] = []
        self._analyser = CameraAnalyser(
            "cam", Scene(zones=(zone,)), LABELS, kind, aspect=16 / 9, engine_labels=LABELS, wanted_per_s=8.0
        )

    def sees(self, boxes: np.ndarray, *, step_s: float, n: int) -> "Watched":
        for _ in range(n):
            self.at_s += step_s
            seen = self._analyser.update(boxes, BOX, self.at_s, NOW + timedelta(seconds=self.at_s))
            self.told += [(one.kind, one.phase) for one in seen.observations]
        return self

    @property
    def n_inside(self) -> int:
        return self._analyser.inside["yard"]

    @property
    def is_undersampled(self) -> bool:
        return self._analyser.is_undersampled


def of_the_zone(watched):
    return [phase for kind, phase in watched.told if kind is ObservationKind.VEHICLE_IN_ZONE]


@pytest.mark.parametrize("step_s", [3.5, 5.0, 60.0, -5.0])
def test_a_camera_whose_every_step_is_a_gap_is_looked_at_too_rarely(step_s):
    watched = Watched()

    said = [watched.sees(CAR, step_s=step_s, n=1).is_undersampled for _ in range(20)]

    assert all(said[1:])


def test_one_gap_in_a_quick_stream_does_not_make_it_slow():
    watched = Watched().sees(CAR, step_s=0.2, n=50)

    assert watched.sees(CAR, step_s=40.0, n=1).is_undersampled
    assert not any(watched.sees(CAR, step_s=0.2, n=1).is_undersampled for _ in range(20))


def test_a_camera_that_comes_quickly_again_is_believed_again():
    watched = Watched().sees(CAR, step_s=5.0, n=30)

    assert not watched.sees(CAR, step_s=0.2, n=10).is_undersampled


def test_no_second_of_such_a_camera_counts_as_observed():
    rules = SceneRules("cam-1", Scene(lines=(LINE,)), ASPECT, wanted_per_s=8.0)
    for at_s in [*np.arange(0, 120, 5.0), *np.arange(120, 180, 0.2)]:
        rules.update([], float(at_s), START_AT + timedelta(seconds=float(at_s)))

    observed = {one.minute.minute: one.observed_s for one in rules.measures.take_all()}

    assert list(observed) == [2]
    assert observed[2] == pytest.approx(59.0, abs=1.5)


@pytest.mark.parametrize("kind", list(TrackerKind))
@pytest.mark.parametrize("step_s", [1.0, 4.0, 5.0, 60.0])
def test_a_zone_that_is_seen_empty_in_three_looks_ends_its_alarm_however_rare_they_are(step_s, kind):
    watched = Watched(kind=kind).sees(CAR, step_s=step_s, n=20)
    assert of_the_zone(watched) == [Phase.BEGIN]
    assert watched.n_inside == 1

    watched.sees(CAR[:0], step_s=step_s, n=2)
    assert of_the_zone(watched) == [Phase.BEGIN]
    watched.sees(CAR[:0], step_s=step_s, n=max(1, round(4.0 / step_s)))

    assert of_the_zone(watched) == [Phase.BEGIN, Phase.END]
    assert watched.n_inside == 0


def test_who_is_missed_in_one_rare_look_is_still_there():
    watched = Watched().sees(CAR, step_s=5.0, n=5)
    for _ in range(5):
        watched.sees(CAR[:0], step_s=5.0, n=1).sees(CAR, step_s=5.0, n=3)

    assert of_the_zone(watched) == [Phase.BEGIN]
    assert watched.n_inside == 1


def test_who_drove_out_of_the_zone_in_sight_of_rare_looks_is_out():
    rules = SceneRules("cam-1", Scene(zones=(YARD,)), ASPECT)
    seen = []
    for look in range(8):
        x = 0.5 if look < 4 else 0.95
        seen += rules.update([track_at(x, 0.5)], 5.0 * look, START_AT + timedelta(seconds=5.0 * look))

    assert [one.phase for one in seen if one.kind is ObservationKind.VEHICLE_IN_ZONE] == [Phase.BEGIN, Phase.END]
    assert rules.n_inside("yard") == 0


def test_a_few_gaps_in_a_quick_stream_end_nothing():
    watched = Watched().sees(CAR, step_s=0.2, n=30)

    watched.sees(CAR[:0], step_s=30.0, n=3).sees(CAR, step_s=0.2, n=30)

    assert of_the_zone(watched) == [Phase.BEGIN]


def test_a_quick_stream_that_grows_rare_ends_what_it_sees_ended():
    watched = Watched().sees(CAR, step_s=0.2, n=50)

    watched.sees(CAR[:0], step_s=5.0, n=10)

    assert of_the_zone(watched) == [Phase.BEGIN, Phase.END]
    assert watched.n_inside == 0


def test_a_camera_that_was_dark_and_looks_rarely_ends_what_it_sees_ended():
    rules = SceneRules("cam-1", Scene(zones=(YARD,)), ASPECT)
    random = np.random.default_rng(4)
    road = random.integers(40, 210, (90, 160, 3), np.uint8)
    seen = []
    for look in range(60):
        at_s = 5.0 * look
        picture = road // 40 if 10 <= look < 14 else np.clip(road + random.integers(0, 6, road.shape), 0, 255)
        tracks = [track_at(0.5, 0.5)] if look < 10 else []
        seen += rules.update(tracks, at_s, START_AT + timedelta(seconds=at_s), picture.astype(np.uint8))

    assert [one.phase for one in seen if one.kind is ObservationKind.VEHICLE_IN_ZONE] == [Phase.BEGIN, Phase.END]


@pytest.fixture(params=list(TrackerKind))
def tracker(request):
    return make_tracker(request.param, labels=LABELS, aspect=ASPECT)


def test_no_number_of_long_ago_comes_back_and_nobody_is_known_at_first_sight(tracker):
    """Every look shows others: none of them can be followed, so none is shown."""
    random = np.random.default_rng(1)
    shown = []
    for look in range(1, 300):
        places = [(x, y) for x in (0.1, 0.5, 0.9) for y in (0.2, 0.5, 0.8)][look % 3 :: 3]
        boxes = [box_at(x + random.uniform(-0.01, 0.01), y + random.uniform(-0.01, 0.01)) for x, y in places]
        shown += tracker.update(detections(*boxes), 2.5 * look)

    assert shown == []


def test_a_number_is_not_given_on_to_who_appears_beside_its_place_after_a_gap(tracker):
    for step in range(20):
        tracker.update(detections(box_at(0.5, 0.5)), step / 5)

    beside = [tracker.update(detections(box_at(0.53, 0.5)), at_s) for at_s in (34.0, 34.2, 34.4)]

    assert beside[0] == ()
    assert [track.track_id for track in beside[-1]] == [2]


def test_who_was_out_of_sight_before_a_gap_is_not_taken_up_again_after_it(tracker):
    for step in range(20):
        tracker.update(detections(box_at(0.5, 0.5)), step / 5)
    tracker.update(detections(), 4.0)

    assert tracker.update(detections(box_at(0.5, 0.5)), 34.0) == ()


def test_a_rarely_looked_at_vehicle_that_stands_keeps_its_number_and_settles(tracker):
    random = np.random.default_rng(7)
    for look in range(1, 40):
        # Somebody else drives by in every look, somewhere else each time.
        passing = box_at(0.1 + 0.2 * (look % 4), 0.9)
        stands = tuple(np.array(box_at(0.5, 0.5)) + random.normal(0, 0.001, 4))
        seen = tracker.update(detections(stands, passing), 5.0 * look)
    assert [track.track_id for track in seen] == [1]

    tracker.update(detections(box_at(0.5, 0.5)), 200.0)
    tracker.update(detections(box_at(0.5, 0.5)), 205.0)

    assert tracker.is_settled
