import itertools
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.media.convert import Letterbox
from core.vision.analyse import CameraAnalyser
from core.vision.classes import missing_for_counts
from core.vision.model import CountLine, ObservationKind, Phase, Scene, TrackerKind, Zone
from core.vision.rules import SceneRules
from tests.unit.vision.roads import ASPECT, LABELS, START_AT, drive, track_at, watch
from tests.unit.vision.toy_model import toy_engine

BOX = Letterbox(scale=1.0, pad_x=0, pad_y=0, content_w=640, content_h=360, frame_w=640, frame_h=360)

LINE = CountLine(
    key="road", name="Road", start=(0.2, 0.5), end=(0.8, 0.5), forward_name="towards", backward_name="away"
)
SCENE = Scene(lines=(LINE,))


def directions(observations):
    """Of the crossings; vehicles that turn on the spot, as some below do, may look like an accident as well."""
    return [seen.direction for seen in observations if seen.kind is ObservationKind.LINE_CROSSED]


def test_left_to_right_of_the_line_is_forward_and_the_other_way_backward():
    down = drive(lambda at_s: (0.4, 0.3 + 0.1 * at_s), seconds=4)
    up = drive(lambda at_s: (0.6, 0.7 - 0.1 * at_s), seconds=4)

    assert directions(watch(SCENE, down)) == ["towards"]
    assert directions(watch(SCENE, up)) == ["away"]


def test_a_crossing_says_who_when_and_what():
    (crossing,) = watch(SCENE, drive(lambda at_s: (0.4, 0.3 + 0.1 * at_s), seconds=4, label="bus", track_id=7))

    assert (crossing.label, crossing.track_id, crossing.phase, crossing.rule_key) == ("bus", 7, Phase.INSTANT, "road")
    assert 2.0 <= crossing.pts_s <= 2.4


@pytest.mark.parametrize("fps", [3, 8, 30])
def test_a_vehicle_counts_once_at_any_picture_rate(fps):
    assert len(watch(SCENE, drive(lambda at_s: (0.5, 0.1 + 0.3 * at_s), seconds=2.5, fps=fps))) == 1


def test_who_passes_beside_the_ends_does_not_count():
    assert watch(SCENE, drive(lambda at_s: (0.9, 0.3 + 0.1 * at_s), seconds=4)) == []


def test_a_vehicle_that_trembles_on_the_line_counts_nothing():
    random = np.random.default_rng(1)
    jitter = random.normal(0, 0.003, 1000)

    assert watch(SCENE, drive(lambda at_s: (0.5, 0.5 + jitter[int(at_s * 25)]), seconds=30, fps=25)) == []


def test_one_that_stops_on_the_line_and_goes_on_counts_once():
    random = np.random.default_rng(2)
    jitter = random.normal(0, 0.003, 2000)

    def path(at_s):
        y = min(0.5, 0.3 + 0.1 * at_s) if at_s < 20 else 0.5 + 0.1 * (at_s - 20)
        return 0.5, y + jitter[int(at_s * 25)]

    assert directions(watch(SCENE, drive(path, seconds=24, fps=25))) == ["towards"]


def test_a_u_turn_before_the_line_counts_nothing_and_behind_it_counts_both_ways():
    def turning_at(depth):
        return drive(lambda at_s: (0.4 + 0.03 * at_s, depth - 0.02 * (at_s - 4) ** 2), seconds=8)

    assert watch(SCENE, turning_at(0.495)) == []
    assert directions(watch(SCENE, turning_at(0.6))) == ["towards", "away"]


def test_a_change_of_id_on_the_line_counts_once():
    pictures = []
    for at_s, tracks in drive(lambda at_s: (0.5, 0.3 + 0.1 * at_s), seconds=4):
        new_id = 1 if at_s < 1.9 else 2
        lost = 1.9 <= at_s < 2.3
        pictures.append((at_s, [] if lost else [track_at(0.5, 0.3 + 0.1 * at_s, track_id=new_id, velocity=(0.0, 0.1))]))
        assert tracks

    assert directions(watch(SCENE, pictures)) == ["towards"]


def test_a_lost_id_that_comes_back_after_it_was_continued_by_another_counts_once_each():
    """Two ids must never move one vehicle: it would cross the line with every picture."""
    pictures = []
    for step in range(41):
        at_s = step / 10
        tracks = []
        if at_s < 1.0 or at_s > 1.6:
            tracks.append(track_at(0.5, 0.3 + 0.1 * at_s, track_id=1, velocity=(0.0, 0.1)))
        if at_s > 1.2:
            tracks.append(track_at(0.52, 0.3 + 0.1 * (at_s - 0.2), track_id=2, velocity=(0.0, 0.1)))
        pictures.append((at_s, tracks))

    assert directions(watch(SCENE, pictures)) == ["towards", "towards"]


def test_nobody_crosses_during_a_gap_in_the_pictures():
    before = drive(lambda _: (0.5, 0.45), seconds=2)
    after = drive(lambda _: (0.5, 0.6), seconds=2, from_s=60.0)

    assert watch(SCENE, itertools.chain(before, after)) == []


@pytest.mark.parametrize(("step_s", "n_counted"), [(1.0, 1), (2.5, 0)])
def test_nobody_crosses_with_a_step_over_which_no_vehicle_can_be_followed(step_s, n_counted):
    before = drive(lambda at_s: (0.5, 0.3 + 0.08 * at_s), seconds=2)
    after = drive(lambda at_s: (0.5, 0.52 + 0.08 * (at_s - 2 - step_s)), seconds=2, from_s=2 + step_s)

    assert len(watch(SCENE, itertools.chain(before, after))) == n_counted


def test_nobody_crosses_where_pictures_broke_off_and_began_again():
    def pictures():
        return drive(lambda at_s: (0.5, 0.3 + 0.1 * at_s), seconds=4)

    def watched(breaks):
        rules = SceneRules("cam-1", SCENE, ASPECT)
        seen = []
        for pts_s, tracks in pictures():
            if breaks and pts_s == 2.1:
                rules.break_off()
            seen += rules.update(tracks, pts_s, START_AT + timedelta(seconds=pts_s))
        return directions(seen)

    assert watched(breaks=False) == ["towards"]
    assert watched(breaks=True) == []


def test_a_stream_whose_clock_starts_again_goes_on_counting():
    first = drive(lambda at_s: (0.5, 0.3 + 0.1 * at_s), seconds=4, track_id=1)
    again = drive(lambda at_s: (0.5, 0.3 + 0.1 * at_s), seconds=4, track_id=2)

    assert directions(watch(SCENE, itertools.chain(first, again))) == ["towards", "towards"]


def test_only_the_classes_of_the_line_count():
    scene = Scene(lines=(CountLine(key="b", name="B", start=(0.2, 0.5), end=(0.8, 0.5), labels=("bus",)),))
    cars = drive(lambda at_s: (0.4, 0.3 + 0.1 * at_s), seconds=4, label="car")

    assert watch(scene, cars) == []


def named(*labels):
    return Scene(lines=(replace(LINE, labels=labels),))


def walk(label="person"):
    return drive(lambda at_s: (0.4, 0.3 + 0.03 * at_s), seconds=12, label=label, width=0.02)


def test_people_count_where_a_line_names_them_and_only_there():
    assert watch(SCENE, walk()) == []
    (crossing,) = watch(named("person"), walk())

    assert (crossing.label, crossing.direction) == ("person", "towards")
    assert len(watch(named("person", "car"), drive(lambda at_s: (0.4, 0.3 + 0.1 * at_s), seconds=4))) == 1


def test_who_rides_counts_with_what_they_ride_and_not_as_somebody_on_foot():
    ride = [
        (at_s, [rider, replace(rider, track_id=2, label="bicycle")])
        for (at_s, (rider,)) in drive(lambda at_s: (0.4, 0.3 + 0.03 * at_s), seconds=12, label="person", width=0.03)
    ]

    assert [seen.label for seen in watch(named("person", "bicycle"), ride)] == ["bicycle"]
    assert watch(named("person"), ride) == []


@pytest.mark.parametrize(("labels", "counted"), [((), []), (("person",), ["person"]), (("bus",), [])])
def test_a_line_is_told_of_the_classes_that_it_names_whatever_the_camera_shows(labels, counted):
    analyser = CameraAnalyser(
        "cam-1", named(*labels), ("car",), TrackerKind.BYTETRACK, aspect=ASPECT, engine_labels=LABELS
    )
    shown, crossed = [], []
    for step in range(60):
        y = 70 + step * 4
        person = np.array([[300, y, 330, y + 60, 0.8, LABELS.index("person")]], np.float32)
        seen = analyser.update(person, BOX, step / 5, START_AT + timedelta(seconds=step / 5))
        shown += [*seen.tracks, *seen.detections]
        crossed += [one.label for one in seen.observations if one.kind is ObservationKind.LINE_CROSSED]

    assert crossed == counted
    assert shown == []


def test_a_class_of_a_line_that_the_model_does_not_know_is_named():
    engine = replace(toy_engine((96, 64)), model_name="road", labels=("car", "bus"))

    assert missing_for_counts(engine, SCENE) == ()
    (said,) = missing_for_counts(engine, named("person", "bicycle", "car"))
    assert said == "The line Road cannot count person, bicycle: the model road does not know them."
    zone = Zone(key="walk", name="Walk", polygon=((0, 0), (1, 0), (1, 1)), labels=("person",))
    assert missing_for_counts(engine, Scene(zones=(zone,))) == (
        "The zone Walk cannot count person: the model road does not know them.",
    )


def test_a_line_without_length_counts_nothing():
    scene = Scene(lines=(CountLine(key="b", name="B", start=(0.5, 0.5), end=(0.5, 0.5)),))

    assert watch(scene, drive(lambda at_s: (0.5, 0.3 + 0.1 * at_s), seconds=4)) == []


def test_what_is_known_of_vehicles_that_are_gone_is_purged():
    rules = SceneRules("cam-1", SCENE, ASPECT)
    for number in range(500):
        rules.update([track_at(0.1 + 0.8 * (number % 2), 0.3, track_id=number, velocity=(0.5, 0.0))], number, START_AT)

    counter = rules._lines[0][1]
    assert len(counter._passages) < 10
    assert len(rules._memory._key_of) < 10


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_counts_in_both_directions_equal_the_true_passages_whatever_the_jitter(seed):
    """Vehicles wander between well separated places on both sides; the oracle counts the changes of side."""
    random = np.random.default_rng(seed)
    places = [random.uniform((0.3, 0.1 + 0.6 * side), (0.7, 0.3 + 0.6 * side)) for side in random.integers(0, 2, 8)]
    truth = Counter(
        "towards" if there[1] > 0.5 else "away"
        for here, there in itertools.pairwise(places)
        if (here[1] > 0.5) != (there[1] > 0.5)
    )
    pictures = []
    for leg, (here, there) in enumerate(itertools.pairwise(places)):
        for step in range(20):
            x, y = here + (there - here) * step / 20 + random.normal(0, 0.002, 2)
            speed = (there - here) / 2
            if random.random() > 0.1:
                pictures.append((leg * 2 + step / 10, [track_at(x, y, velocity=(speed[0], speed[1]))]))

    assert Counter(directions(watch(SCENE, pictures))) == truth


def test_two_vehicles_that_exchange_their_numbers_count_once_each():
    pictures = []
    for step in range(41):
        at_s = step / 10
        first, second = (1, 2) if at_s < 2.0 else (2, 1)
        ahead, behind = 0.34 + 0.1 * at_s, 0.22 + 0.1 * at_s
        pictures.append(
            (
                at_s,
                [
                    track_at(0.5, ahead, track_id=first, velocity=(0.0, 0.1)),
                    track_at(0.5, behind, track_id=second, velocity=(0.0, 0.1)),
                ],
            )
        )

    assert directions(watch(SCENE, pictures)) == ["towards", "towards"]


def test_a_vehicle_that_is_without_a_number_now_and_then_counts_once():
    pictures = []
    for step in range(41):
        at_s = step / 10
        here = track_at(0.5, 0.3 + 0.1 * at_s, track_id=-1 if step % 3 == 0 else 5, velocity=(0.0, 0.1))
        other = track_at(0.3, 0.6, track_id=-1 if step % 4 == 0 else 6)
        pictures.append((at_s, [here, other]))

    assert directions(watch(SCENE, pictures)) == ["towards"]


def test_a_number_that_jumps_to_a_vehicle_far_away_is_nobody_crossing():
    before = drive(lambda _: (0.3, 0.2), seconds=2, track_id=1)
    after = drive(lambda _: (0.7, 0.9), seconds=2, track_id=1, from_s=2.1)

    assert watch(SCENE, itertools.chain(before, after)) == []
