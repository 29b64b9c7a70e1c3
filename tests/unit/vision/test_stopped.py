import itertools

import numpy as np

from core.vision.model import ObservationKind, Phase, Scene, Zone
from tests.unit.vision.roads import drive, track_at, watch

ZONE = Zone(
    key="lane",
    name="Lane",
    polygon=((0.0, 0.2), (1.0, 0.2), (1.0, 1.0), (0.0, 1.0)),
    counts_presence=False,
    stopped_after_s=10.0,
)
SCENE = Scene(zones=(ZONE,))
QUIET = [(step / 5, []) for step in range(5 * 70)]
"""Nobody for the first minute: what comes later was not parked before."""


def phases(observations):
    return [(o.phase, round(o.pts_s)) for o in observations if o.kind is ObservationKind.STOPPED_VEHICLE]


def arrive_and_stop(at_s):
    return (0.5, min(0.6, 0.3 + 0.1 * (at_s - 70)))


def after_the_quiet(path, *, seconds, **looks):
    return itertools.chain(QUIET, drive(path, seconds=seconds, from_s=70.0, fps=5, **looks))


def test_a_vehicle_that_stands_long_enough_is_reported_and_its_end_too():
    def path(at_s):
        return arrive_and_stop(at_s) if at_s < 90 else (0.5, 0.6 + 0.1 * (at_s - 90))

    begin, end = watch(SCENE, after_the_quiet(path, seconds=23))

    assert (begin.phase, end.phase) == (Phase.BEGIN, Phase.END)
    assert 82 < begin.pts_s < 84.5
    assert 90 < end.pts_s < 92
    assert begin.condition_key == end.condition_key
    assert begin.values["was_parked"] == 0.0


def test_slow_traffic_that_creeps_is_not_stopped():
    assert watch(SCENE, after_the_quiet(lambda at_s: (0.5, 0.3 + 0.02 * (at_s - 70)), seconds=30)) == []


def test_a_trembling_box_stands():
    random = np.random.default_rng(5)
    jitter = random.normal(0, 0.003, 1000)

    def path(at_s):
        x, y = arrive_and_stop(at_s)
        return x, y + jitter[int(at_s * 5)]

    assert [phase for phase, _ in phases(watch(SCENE, after_the_quiet(path, seconds=30)))] == [Phase.BEGIN]


def test_a_bus_in_front_and_a_new_id_do_not_start_the_clock_again():
    pictures = list(QUIET)
    for step in range(5 * 25):
        at_s = 70 + step / 5
        if 76 <= at_s < 80:
            pictures.append((at_s, []))
            continue
        pictures.append((at_s, [track_at(*arrive_and_stop(at_s), track_id=1 if at_s < 76 else 2)]))

    (begin,) = watch(SCENE, pictures)

    assert 82 < begin.pts_s < 84.5


def test_cars_that_stop_one_after_the_other_at_the_same_place_are_not_one():
    """A queue: each stands for eight seconds, then the next one pulls up."""
    pictures = list(QUIET)
    for number in range(4):
        for step in range(50):
            at_s = 70 + number * 10 + step / 5
            since_s = step / 5
            y = min(0.6, 0.3 + 0.3 * since_s) if since_s < 8.0 else 0.6 + 0.15 * (since_s - 8.0)
            speed = 0.3 if since_s < 1 else (0.15 if since_s >= 8 else 0.0)
            pictures.append((at_s, [track_at(0.5, y, track_id=number, velocity=(0.0, speed))]))

    assert [seen for seen in watch(SCENE, pictures) if seen.kind is ObservationKind.STOPPED_VEHICLE] == []


def test_time_without_pictures_is_not_time_stood():
    before = drive(arrive_and_stop, seconds=8, from_s=70.0, fps=5)
    after = drive(lambda _: (0.5, 0.6), seconds=3, from_s=500.0, fps=5)

    assert watch(SCENE, itertools.chain(QUIET, before, after)) == []


def test_what_stood_there_from_the_first_minute_is_reported_once_as_parked_and_flicker_repeats_nothing():
    def path(at_s):
        return None if at_s % 50 > 10 else (0.5, 0.6)

    seen = watch(SCENE, drive(path, seconds=400, fps=2))

    begins = [o for o in seen if o.phase is Phase.BEGIN]
    assert [o.values["was_parked"] for o in begins] == [1.0]


def test_two_vehicles_side_by_side_are_two_conditions():
    pictures = list(QUIET)
    for step in range(5 * 20):
        at_s = 70 + step / 5
        x, y = arrive_and_stop(at_s)
        pictures.append((at_s, [track_at(x, y, track_id=1), track_at(x + 0.1, y, track_id=2)]))

    seen = watch(SCENE, pictures)

    assert len({o.condition_key for o in seen}) == len(seen) == 2


def test_a_vehicle_that_leaves_the_zone_ends_its_condition():
    zone = Zone(
        key="lane",
        name="Lane",
        polygon=((0.4, 0.2), (0.6, 0.2), (0.6, 0.62), (0.4, 0.62)),
        counts_presence=False,
        stopped_after_s=5.0,
    )

    def path(at_s):
        return arrive_and_stop(at_s) if at_s < 85 else (0.5, min(0.66, 0.6 + 0.1 * (at_s - 85)))

    seen = watch(Scene(zones=(zone,)), after_the_quiet(path, seconds=25))

    assert [phase for phase, _ in phases(seen)] == [Phase.BEGIN, Phase.END]


def test_rules_that_begin_anew_use_no_condition_key_again():
    def path(at_s):
        return arrive_and_stop(at_s)

    runs = [watch(SCENE, after_the_quiet(path, seconds=20)) for _ in range(2)]

    assert [len(seen) for seen in runs] == [1, 1]
    assert runs[0][0].condition_key != runs[1][0].condition_key


def test_jumps_in_time_over_which_a_vehicle_stands_on_do_not_tell_of_it_again():
    """Every five seconds the stream goes on somewhere else: all numbers change, and who drives is elsewhere."""
    pictures = list(QUIET)
    for step in range(5 * 60):
        at_s, era = 70 + step / 5, step // 25
        standing = track_at(*arrive_and_stop(at_s), track_id=10 * era)
        driving = [
            track_at(0.1 + 0.2 * lane, 0.3 + (0.37 * era + 0.12 * at_s) % 0.6, track_id=10 * era + 1 + lane)
            for lane in range(2)
        ]
        # A tracker shows a new vehicle with its second picture.
        pictures.append((at_s, [standing, *driving] if step % 25 else []))

    assert [phase for phase, _ in phases(watch(SCENE, pictures))] == [Phase.BEGIN]
