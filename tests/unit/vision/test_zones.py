import itertools
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.media.convert import Letterbox
from core.vision.analyse import CameraAnalyser
from core.vision.geometry import are_inside
from core.vision.model import ObservationKind, Phase, Scene, TrackerKind, Zone
from core.vision.rules import SceneRules
from tests.unit.vision.roads import ASPECT, LABELS, START_AT, drive, track_at, watch

SQUARE = ((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))


def zone(**rules):
    return Scene(zones=(Zone(key="lane", name="Lane", polygon=SQUARE, **rules),))


def of_kind(observations, kind):
    return [(round(o.pts_s, 1), o.phase) for o in observations if o.kind is kind]


def test_driving_through_is_one_entry_and_one_exit_with_the_time_inside():
    entry, leave = watch(zone(), drive(lambda at_s: (0.5, 0.3 + 0.1 * at_s), seconds=5))

    assert (entry.phase, leave.phase) == (Phase.INSTANT, Phase.END)
    assert entry.condition_key == leave.condition_key
    assert leave.values["dwell_s"] == pytest.approx(2.0, abs=0.2)


def test_trembling_on_the_border_enters_once():
    random = np.random.default_rng(3)
    jitter = random.normal(0, 0.004, 400)
    seen = watch(zone(), drive(lambda at_s: (0.5, 0.403 + jitter[int(at_s * 10)]), seconds=30))

    assert [o.phase for o in seen].count(Phase.INSTANT) == 1


def test_the_number_inside_follows_who_is_there():
    rules = SceneRules("cam-1", zone(), ASPECT)
    inside = [track_at(0.45, 0.5, track_id=1), track_at(0.55, 0.55, track_id=2), track_at(0.8, 0.5, track_id=3)]
    for step in range(5):
        rules.update(inside, step / 10, START_AT)
    assert rules.n_inside("lane") == 2

    for step in range(5, 40):
        rules.update([], step / 10, START_AT)
    assert rules.n_inside("lane") == 0


def test_an_alarmed_zone_begins_with_the_first_and_ends_with_the_last_vehicle():
    pictures = []
    for step in range(120):
        at_s = step / 10
        tracks = [track_at(0.45, 0.5, track_id=1)] if at_s < 4 else []
        tracks += [track_at(0.55, 0.5, track_id=2)] if 2 < at_s < 7 else []
        pictures.append((at_s, tracks))

    seen = watch(zone(alarms_presence=True, counts_presence=False), pictures)

    phases = of_kind(seen, ObservationKind.VEHICLE_IN_ZONE)
    assert [phase for _, phase in phases] == [Phase.BEGIN, Phase.END]
    assert phases[0][0] < 0.5
    assert 8.5 < phases[1][0] < 11.5
    assert len({o.condition_key for o in seen}) == 1


def test_a_gap_neither_ends_nor_repeats_a_presence():
    scene = zone(alarms_presence=True, counts_presence=False)
    before = drive(lambda _: (0.5, 0.5), seconds=2, track_id=1)
    after = drive(lambda _: (0.5, 0.5), seconds=2, from_s=300.0, track_id=9)

    assert [o.phase for o in watch(scene, itertools.chain(before, after))] == [Phase.BEGIN]


def test_other_classes_do_not_count():
    assert watch(zone(labels=("bus",)), drive(lambda _: (0.5, 0.5), seconds=2)) == []


@given(st.floats(-1, 2), st.floats(-1, 2))
def test_inside_a_triangle_agrees_with_the_signs_of_three_areas(x, y):
    corners = np.array([(0.1, 0.2), (0.9, 0.3), (0.4, 0.9)])
    areas = [
        (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]) for a, b in itertools.pairwise([*corners, corners[0]])
    ]
    if min(abs(area) for area in areas) < 1e-9:
        return

    assert are_inside(np.array([[x, y]]), corners)[0] == (len({area > 0 for area in areas}) == 1)


def test_people_in_a_zone_are_counted_and_neither_alarm_as_vehicles_nor_stand_as_stopped_ones():
    scene = zone(labels=("car", "person"), alarms_presence=True, stopped_after_s=5.0, congestion_capacity=1.0)
    standing = [(step / 5, [track_at(0.5, 0.5, label="person")]) for step in range(150)]
    rules = SceneRules("cam-1", scene, ASPECT, frozenset({"car", "person"}))

    seen = [one for at_s, tracks in standing for one in rules.update(tracks, at_s, START_AT)]

    kinds = {one.kind for one in seen}
    assert ObservationKind.ZONE_ENTERED in kinds
    assert kinds <= {ObservationKind.ZONE_ENTERED, ObservationKind.PEDESTRIAN, ObservationKind.LOITERING}


@pytest.mark.parametrize(
    ("labels", "known", "inside"),
    [(("person",), LABELS, {"lane": 1}), (("bus",), LABELS, {"lane": 0}), (("bus",), LABELS[:1], {})],
)
def test_a_zone_is_told_of_the_classes_that_it_names_and_says_nothing_where_the_model_knows_none(labels, known, inside):
    box = Letterbox(scale=1.0, pad_x=0, pad_y=0, content_w=640, content_h=360, frame_w=640, frame_h=360)
    analyser = CameraAnalyser(
        "cam-1", zone(labels=labels), ("car",), TrackerKind.BYTETRACK, aspect=ASPECT, engine_labels=known
    )
    person = np.array([[310, 140, 330, 190, 0.8, LABELS.index("person")]], np.float32)
    for step in range(20):
        analyser.update(person, box, step / 5, START_AT + timedelta(seconds=step / 5))

    assert analyser.inside == inside
    assert {one.observed_s > 0 for one in analyser.take_last_minutes()} == {bool(inside)}
