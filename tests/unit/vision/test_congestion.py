import itertools
from dataclasses import replace

import numpy as np
import pytest

from core.vision.model import ObservationKind, Phase, RuleSetting, Scene, Zone
from tests.unit.vision.roads import track_at, watch

POLYGON = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def zone(hold_s=5.0, **rules):
    return Scene(
        zones=(Zone(key="road", name="Road", polygon=POLYGON, counts_presence=False, congestion_capacity=10, **rules),),
        rules=(RuleSetting(kind="congestion", values={} if hold_s is None else {"hold_s": hold_s}),),
    )


def traffic(n_vehicles, speed, *, seconds, from_s=0.0, fps=5.0, first_id=0, jitter=0.0):
    """`n_vehicles` on a ring road, all at `speed` frame heights per second; who leaves below returns above as new."""
    random = np.random.default_rng(int(from_s) + 1)
    for step in range(round(seconds * fps)):
        at_s = from_s + step / fps
        tracks = []
        for number in range(n_vehicles):
            travelled = 0.1 + number * 0.8 / n_vehicles + speed * (at_s - from_s)
            y, lap = 0.12 + travelled % 0.8, int(travelled / 0.8)
            speed_now = speed * (1 + random.normal(0, jitter)) if jitter else speed
            tracks.append(
                track_at(
                    0.1 + 0.08 * (number % 10), y, track_id=first_id + number + 1000 * lap, velocity=(0.0, speed_now)
                )
            )
        yield at_s, tracks


def phases(observations):
    return [(o.phase, o.pts_s) for o in observations if o.kind is ObservationKind.CONGESTION]


def test_full_and_slow_for_long_enough_begins_and_free_again_ends():
    seen = watch(
        zone(free_flow_speed=0.4),
        itertools.chain(
            traffic(3, 0.4, seconds=20),
            traffic(9, 0.03, seconds=40, from_s=20, first_id=100_000),
            traffic(3, 0.4, seconds=40, from_s=60, first_id=200_000),
        ),
    )

    (begin, began_s), (end, ended_s) = phases(seen)
    assert (begin, end) == (Phase.BEGIN, Phase.END)
    assert 25 < began_s < 36
    assert 68 < ended_s < 80
    assert seen[0].values["density"] > 0.7
    assert seen[0].values["speed_ratio"] < 0.35
    assert len({o.condition_key for o in seen}) == 1


@pytest.mark.parametrize(("hold_s", "red_s", "calls"), [(None, 45, False), (None, 90, True), (30.0, 45, True)])
def test_a_jam_is_told_once_it_has_lasted_as_long_as_the_camera_says(hold_s, red_s, calls):
    """By itself a camera waits for longer than a red light lasts."""
    seen = watch(
        zone(hold_s=hold_s, free_flow_speed=0.4),
        itertools.chain(
            traffic(3, 0.4, seconds=20),
            traffic(9, 0.02, seconds=red_s, from_s=20, first_id=100_000),
            traffic(3, 0.4, seconds=40, from_s=20 + red_s, first_id=200_000),
        ),
    )

    told = phases(seen)
    assert [phase for phase, _ in told] == ([Phase.BEGIN, Phase.END] if calls else [])
    if calls:
        assert told[0][1] == pytest.approx(22 + (hold_s or 60.0), abs=5)


def test_slower_than_what_part_of_free_flow_is_the_cameras_figure():
    def seen(speed_ratio):
        scene = replace(
            zone(free_flow_speed=0.4),
            rules=(RuleSetting(kind="congestion", values={"hold_s": 5.0, "speed_ratio": speed_ratio}),),
        )
        return phases(watch(scene, traffic(9, 0.1, seconds=30)))

    assert len(seen(0.35)) == 1
    assert seen(0.1) == []


@pytest.mark.parametrize(("n_vehicles", "speed"), [(9, 0.4), (2, 0.02)])
def test_full_but_fast_or_slow_but_empty_is_no_congestion(n_vehicles, speed):
    assert phases(watch(zone(free_flow_speed=0.4), traffic(n_vehicles, speed, seconds=60))) == []


def test_figures_that_swing_around_the_limit_do_not_flicker():
    seen = watch(zone(free_flow_speed=0.4), traffic(7, 0.14, seconds=200, jitter=0.4))

    assert len(phases(seen)) <= 1


def test_free_flow_is_learned_from_what_passed():
    learning = traffic(4, 0.5, seconds=60)
    slower = traffic(9, 0.15, seconds=40, from_s=60, first_id=100_000)

    assert [phase for phase, _ in phases(watch(zone(), itertools.chain(learning, slower)))] == [Phase.BEGIN]


def test_a_camera_that_starts_in_a_jam_sees_it_although_it_never_saw_free_flow():
    assert [phase for phase, _ in phases(watch(zone(), traffic(9, 0.005, seconds=60)))] == [Phase.BEGIN]


def test_a_gap_does_not_count_as_time_that_the_jam_held():
    jam = traffic(9, 0.01, seconds=3.0)
    after = traffic(2, 0.4, seconds=10, from_s=600.0, first_id=100_000)

    assert phases(watch(zone(free_flow_speed=0.4), itertools.chain(jam, after))) == []
