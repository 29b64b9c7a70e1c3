"""What a camera measures by the minute, on a road of which everything is known."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from core.sim.oracle import ASPECT, OracleCamera, OracleVehicle
from core.vision.flow import FlowMinute
from core.vision.model import CountLine, Lane, PlanePoint, RoadPlane, Scene, Track, Zone
from core.vision.rules import SceneRules
from tests.unit.vision.roads import START_AT

CAMERA = OracleCamera(height_m=10.0, tilt_deg=20.0, yaw_deg=0.0)
PLANE = CAMERA.calibrate([(-4.0, 16.0), (4.0, 16.0), (-4.0, 40.0), (4.0, 40.0), (-4.0, 60.0), (4.0, 60.0)])
CAR = OracleVehicle()


def on_road(*ground: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    return tuple(CAMERA.see_point(place) for place in ground)


LANE = Lane(
    key="lane-1",
    name="Lane 1",
    polygon=on_road((-1.75, 15.0), (1.75, 15.0), (1.75, 65.0), (-1.75, 65.0)),
    start=CAMERA.see_point((0.0, 15.0)),
    end=CAMERA.see_point((0.0, 65.0)),
)
LINE = CountLine(key="line-1", name="Line 1", start=CAMERA.see_point((-3.0, 30.0)), end=CAMERA.see_point((3.0, 30.0)))
ZONES = tuple(
    Zone(key=key, name=key, polygon=on_road((-2.0, near), (2.0, near), (2.0, far), (-2.0, far)))
    for key, near, far in (("a", 18.0, 25.0), ("b", 35.0, 45.0), ("c", 50.0, 60.0))
)

Way = Callable[[float], tuple[float, float] | None]
Picture = tuple[float, list[Track]]


def pictures(*ways: Way, seconds: float, fps: float = 10.0, from_s: float = 0.0, label: str = "car") -> list[Picture]:
    """Vehicles on their ways, each a place on the road by time or None."""
    found = []
    for step in range(round(seconds * fps) + 1):
        at_s = from_s + step / fps
        tracks = []
        for number, way in enumerate(ways, start=1):
            here, soon = way(at_s), way(at_s + 0.01)
            box = None if here is None else CAMERA.see_box(here, 0.0, CAR)
            next_box = None if soon is None else CAMERA.see_box(soon, 0.0, CAR)
            if box is None:
                continue
            velocity = (0.0, 0.0)
            if next_box is not None:
                velocity = ((next_box[0] + next_box[2] - box[0] - box[2]) * 50, (next_box[3] - box[3]) * 100)
            tracks.append(Track(track_id=number, label=label, score=0.9, bbox_xyxy=box, velocity_xy=velocity))
        found.append((at_s, tracks))
    return found


def one_by_one(*, every_s: float, mps: float, n_vehicles: int, from_m: float = 14.0, to_m: float = 70.0) -> list[Way]:
    def way(number: int) -> Way:
        def place(at_s: float) -> tuple[float, float] | None:
            y = from_m + (at_s - number * every_s) * mps
            return (0.0, y) if from_m <= y <= to_m else None

        return place

    return [way(number) for number in range(n_vehicles)]


def measure(scene: Scene, seen: Iterable[Picture], at: Callable[[float], datetime] | None = None) -> list[FlowMinute]:
    """Run the rules and return every minute."""
    at = at or (lambda pts_s: START_AT + timedelta(seconds=pts_s))
    rules = SceneRules("cam-1", scene, ASPECT)
    for pts_s, tracks in seen:
        rules.update(tracks, pts_s, at(pts_s))
    return list(rules.measures.take_all())


def of(minutes: list[FlowMinute], subject: str, key: str, direction: str = "", label: str = "") -> list[FlowMinute]:
    return [
        minute
        for minute in minutes
        if (minute.subject, minute.key, minute.direction, minute.label) == (subject, key, direction, label)
    ]


def test_a_minute_of_a_lane_says_what_drove_there():
    cars = one_by_one(every_s=6.0, mps=15.0, n_vehicles=10)

    minutes = measure(Scene(lanes=(LANE,), plane=PLANE), pictures(*cars, seconds=59.9))

    (lane,) = of(minutes, "lane", "lane-1")
    assert lane.n_vehicles == 10
    assert lane.speed_kmh == pytest.approx(54.0, rel=0.05)
    assert lane.speed_error_kmh is not None
    assert 0.0 < lane.speed_error_kmh < 4.0
    # Ten cars of 4.5 m at 15 m/s cover a point for three of sixty seconds; each is 50 m / 15 m/s in 50 m of lane.
    assert lane.occupancy == pytest.approx(0.05, rel=0.2)
    assert lane.density_per_km == pytest.approx(10 * (50 / 15) / 60 / 0.05, rel=0.1)
    assert lane.queue_m == 0.0
    assert lane.is_complete
    assert [minute.n_vehicles for minute in of(minutes, "lane", "lane-1", label="car")] == [10]


def counted_over_lines(minutes):
    return {(minute.direction, minute.label): minute.n_vehicles for minute in minutes if minute.subject == "line"}


def test_lines_count_by_class_and_direction_and_say_zero_where_nobody_came():
    scene = Scene(lines=(LINE,))
    cars = pictures(*one_by_one(every_s=4.0, mps=12.0, n_vehicles=3), seconds=20)

    minutes = measure(scene, cars)

    assert counted_over_lines(minutes) == {("backward", ""): 3, ("backward", "car"): 3, ("forward", ""): 0}


def test_people_over_a_line_are_counted_apart_from_vehicles_and_zero_is_said_too():
    line = replace(LINE, labels=("car", "person"))
    walks = [lambda at_s, begin_m=begin_m: (-2.4, begin_m + at_s) for begin_m in (18.0, 24.0)]
    people = pictures(*walks, seconds=25, label="person")
    cars = pictures(*one_by_one(every_s=4.0, mps=12.0, n_vehicles=3), seconds=25)
    both = [
        (at_s, [*(replace(who, track_id=100 + who.track_id) for who in walking), *driving])
        for (at_s, walking), (_, driving) in zip(people, cars, strict=True)
    ]

    mixed = measure(Scene(lines=(line,)), both)
    only_people = measure(Scene(lines=(replace(line, labels=("person",)),)), people)

    assert counted_over_lines(mixed) == {
        ("backward", ""): 3,
        ("backward", "car"): 3,
        ("backward", "person"): 2,
        ("forward", ""): 0,
        ("forward", "person"): 0,
    }
    assert counted_over_lines(only_people) == {
        ("backward", ""): None,
        ("backward", "person"): 2,
        ("forward", ""): None,
        ("forward", "person"): 0,
    }


def minutes_of(rules: SceneRules, seen: Iterable[Picture]) -> list[FlowMinute]:
    for pts_s, tracks in seen:
        rules.update(tracks, pts_s, START_AT + timedelta(seconds=pts_s))
    return list(rules.measures.take_all())


CARS = frozenset({"car"})
BICYCLES_ONLY = Scene(
    lanes=(replace(LANE, labels=("bicycle",)),),
    lines=(replace(LINE, labels=("bicycle",)),),
    zones=(replace(ZONES[1], labels=("bicycle",)),),
)


def test_what_a_lane_or_zone_names_counts_there_whatever_else_the_camera_looks_for():
    rules = SceneRules("cam-1", BICYCLES_ONLY, ASPECT, CARS)
    ride = pictures(*one_by_one(every_s=5.0, mps=6.0, n_vehicles=3), seconds=30, label="bicycle")

    minutes = minutes_of(rules, ride)

    assert [one.n_vehicles for one in of(minutes, "lane", "lane-1")] == [3]
    assert [one.n_vehicles for one in of(minutes, "zone", "b")] == [3]


@pytest.mark.parametrize(
    ("scene", "labels", "known"),
    [
        (BICYCLES_ONLY, CARS, CARS),
        (Scene(lanes=(LANE,), lines=(LINE,), zones=ZONES[1:2]), CARS, frozenset({"person"})),
        (Scene(lanes=(LANE,), lines=(LINE,), zones=ZONES[1:2]), frozenset({"person"}), None),
        (Scene(lines=(replace(LINE, labels=("person",)),)), CARS, CARS),
    ],
    ids=["named, not known", "the camera's, not known", "no vehicles looked for", "people, not known"],
)
def test_where_nobody_looks_for_what_counts_a_minute_says_nothing_and_no_zero(scene, labels, known):
    rules = SceneRules("cam-1", scene, ASPECT, labels, known=known)

    minutes = minutes_of(rules, pictures(seconds=59.9))

    assert {one.subject for one in minutes} == drawn(scene)
    assert {(one.n_vehicles, one.observed_s, one.occupancy, one.queue_m) for one in minutes} == {
        (None, 0.0, None, None)
    }
    assert rules.inside == {}


def drawn(scene: Scene) -> set[str]:
    return {name for name, places in (("lane", scene.lanes), ("line", scene.lines), ("zone", scene.zones)) if places}


def test_a_line_whose_people_the_model_does_not_know_counts_its_vehicles_and_says_no_zero_of_people():
    rules = SceneRules("cam-1", Scene(lines=(replace(LINE, labels=("car", "person")),)), ASPECT, CARS, known=CARS)

    minutes = minutes_of(rules, pictures(*one_by_one(every_s=4.0, mps=12.0, n_vehicles=3), seconds=59.9))

    assert counted_over_lines(minutes) == {("backward", ""): 3, ("backward", "car"): 3, ("forward", ""): 0}
    assert all(one.is_complete for one in minutes)


def test_a_queue_is_as_long_as_the_row_that_stands():
    def stopping(number: int) -> Way:
        return lambda at_s: (0.0, min(20.0 + 10.0 * at_s, 60.0) - 8.0 * number)

    queue = pictures(*[stopping(number) for number in range(4)], seconds=30)

    (lane,) = of(measure(Scene(lanes=(LANE,), plane=PLANE), queue), "lane", "lane-1")

    # Four cars, 8 m from bumper to bumper: three gaps and one car.
    assert lane.queue_m == pytest.approx(3 * 8.0 + 4.5, abs=1.0)


def test_one_vehicle_that_stands_alone_is_no_queue():
    alone = pictures(lambda _: (0.0, 40.0), seconds=20)

    (lane,) = of(measure(Scene(lanes=(LANE,), plane=PLANE), alone), "lane", "lane-1")

    assert lane.queue_m == 0.0
    assert lane.speed_kmh == pytest.approx(0.0, abs=0.5)
    assert lane.occupancy == pytest.approx(1.0, abs=0.02)


def test_stop_and_go_between_the_two_speeds_neither_begins_nor_ends_a_queue():
    creeping = pictures(
        *[lambda at_s, start=start: (0.0, start + 3.0 * at_s) for start in (20.0, 28.0, 36.0)], seconds=10
    )

    (lane,) = of(measure(Scene(lanes=(LANE,), plane=PLANE), creeping), "lane", "lane-1")

    assert lane.speed_kmh == pytest.approx(10.8, rel=0.1)
    assert lane.queue_m == 0.0


def test_without_a_road_plane_metres_are_not_known_but_counts_and_occupancy_are():
    cars = one_by_one(every_s=6.0, mps=15.0, n_vehicles=5)

    (lane,) = of(measure(Scene(lanes=(LANE,)), pictures(*cars, seconds=40)), "lane", "lane-1")

    assert (lane.speed_kmh, lane.density_per_km, lane.queue_m) == (None, None, None)
    assert lane.n_vehicles == 5
    assert lane.occupancy is not None
    assert 0.01 < lane.occupancy < 0.2


def test_who_was_in_one_zone_and_then_in_another_counts_from_there_to_here():
    cars = one_by_one(every_s=7.0, mps=8.0, n_vehicles=2)

    minutes = measure(Scene(zones=ZONES), pictures(*cars, seconds=25))

    assert {minute.key: minute.n_vehicles for minute in minutes if minute.subject == "od"} == {
        "a>b": 2,
        "a>c": 2,
        "b>c": 2,
    }
    assert [minute.n_vehicles for minute in of(minutes, "zone", "b")] == [2]


def test_people_who_come_into_a_zone_are_counted_apart_from_vehicles_and_go_no_way_from_zone_to_zone():
    zones = tuple(replace(zone, labels=("car", "person")) for zone in ZONES[:2])
    walks = [lambda at_s, begin_m=begin_m: (0.5, begin_m + 1.4 * at_s) for begin_m in (12.0, 15.0, 16.5)]
    people = pictures(*walks, seconds=25, label="person")
    cars = pictures(*one_by_one(every_s=7.0, mps=8.0, n_vehicles=2), seconds=25)
    both = [
        (at_s, [*(replace(who, track_id=100 + who.track_id, bbox_xyxy=small(who)) for who in walking), *driving])
        for (at_s, walking), (_, driving) in zip(people, cars, strict=True)
    ]
    rules = SceneRules("cam-1", Scene(zones=(*zones, replace(ZONES[2], labels=("person",)))), ASPECT)

    minutes = minutes_of(rules, both)

    assert [one.n_vehicles for one in of(minutes, "zone", "a")] == [2]
    assert [one.n_vehicles for one in of(minutes, "zone", "a", label="person")] == [3]
    assert [(one.n_vehicles, one.is_complete) for one in of(minutes, "zone", "c")] == [(None, False)]
    assert [one.n_vehicles for one in of(minutes, "zone", "c", label="person")] == [0]
    assert {one.key: one.n_vehicles for one in minutes if one.subject == "od"} == {"a>b": 2}


def small(who: Track) -> tuple[float, float, float, float]:
    """A person where a vehicle stands."""
    x1, y1, x2, y2 = who.bbox_xyxy
    return (x1 + x2) / 2 - 0.01, y2 - max(0.08, y2 - y1), (x1 + x2) / 2 + 0.01, y2


def test_who_rides_through_a_zone_is_nobody_on_foot():
    zone = replace(ZONES[1], labels=("bicycle", "person"))
    ride = pictures(lambda at_s: (0.0, 28.0 + 1.0 * at_s), seconds=15, label="bicycle")
    both = [(at_s, [*on, *(replace(who, track_id=9, label="person") for who in on)]) for at_s, on in ride]
    rules = SceneRules("cam-1", Scene(zones=(zone,)), ASPECT)

    minutes = minutes_of(rules, both)

    assert [one.n_vehicles for one in of(minutes, "zone", "b")] == [1]
    assert [one.n_vehicles for one in of(minutes, "zone", "b", label="person")] == [0]


def test_minutes_follow_the_wall_clock_and_each_is_whole():
    cars = one_by_one(every_s=5.0, mps=15.0, n_vehicles=36)

    lanes = of(measure(Scene(lanes=(LANE,), plane=PLANE), pictures(*cars, seconds=180)), "lane", "lane-1")

    assert [minute.minute - START_AT for minute in lanes[:3]] == [timedelta(minutes=n) for n in range(3)]
    assert [minute.observed_s for minute in lanes[:3]] == pytest.approx([60.0, 60.0, 60.0], abs=0.2)
    assert sum(minute.n_vehicles or 0 for minute in lanes) == 36


def test_a_camera_that_was_away_for_half_a_minute_says_so():
    away = [picture for picture in pictures(seconds=60) if not 20.0 < picture[0] < 50.0]

    (lane, *_) = of(measure(Scene(lanes=(LANE,)), away), "lane", "lane-1")

    assert lane.observed_s == pytest.approx(30.0, abs=0.5)
    assert not lane.is_complete


def test_a_vehicle_that_crossed_while_nobody_looked_is_not_made_up():
    seen = pictures(lambda at_s: (0.0, 20.0 + 2.0 * at_s), seconds=20)
    away = [picture for picture in seen if not 3.0 < picture[0] < 8.0]

    (line,) = of(measure(Scene(lines=(LINE,)), away), "line", "line-1", direction="backward")

    assert line.n_vehicles == 0
    assert not line.is_complete


@pytest.mark.parametrize("jump_s", [-30.0, -3600.0, 400.0])
def test_picture_time_that_jumps_makes_no_time_and_no_vehicle(jump_s: float):
    cars = one_by_one(every_s=6.0, mps=15.0, n_vehicles=4)
    seen = pictures(*cars, seconds=30)
    jumped = [(at_s + (jump_s if at_s > 15.0 else 0.0), tracks) for at_s, tracks in seen]
    wall = {pts_s: START_AT + timedelta(seconds=at_s) for (pts_s, _), (at_s, _) in zip(jumped, seen, strict=True)}

    minutes = measure(Scene(lanes=(LANE,), plane=PLANE), jumped, at=lambda pts_s: wall[pts_s])

    (lane,) = of(minutes, "lane", "lane-1")
    assert lane.observed_s == pytest.approx(30.0, abs=0.3)
    assert lane.n_vehicles == 4
    assert lane.speed_kmh == pytest.approx(54.0, rel=0.06)


@pytest.mark.parametrize("step_s", [-7200.0, -45.0, 45.0, 7200.0])
def test_a_wall_clock_that_is_set_loses_no_vehicle_and_makes_no_time(step_s: float):
    cars = one_by_one(every_s=4.0, mps=15.0, n_vehicles=20)
    seen = pictures(*cars, seconds=90)

    minutes = measure(
        Scene(lanes=(LANE,), plane=PLANE),
        seen,
        at=lambda pts_s: START_AT + timedelta(seconds=pts_s + (step_s if pts_s > 40.0 else 0.0)),
    )

    lanes = of(minutes, "lane", "lane-1")
    assert sum(minute.n_vehicles or 0 for minute in lanes) == 20
    assert sum(minute.observed_s for minute in lanes) == pytest.approx(90.0, abs=0.5)
    assert all(minute.observed_s <= 60.0 for minute in lanes)


def test_a_minute_ends_by_itself_when_no_picture_comes_any_more():
    rules = SceneRules("cam-1", Scene(lanes=(LANE,)), ASPECT)
    for pts_s, tracks in pictures(seconds=20):
        rules.update(tracks, pts_s, START_AT + timedelta(seconds=pts_s))

    assert rules.measures.take_ended(START_AT + timedelta(seconds=62)) == ()
    (lane,) = rules.measures.take_ended(START_AT + timedelta(seconds=66))
    assert lane.observed_s == pytest.approx(20.0, abs=0.1)
    assert rules.measures.take_ended(START_AT + timedelta(seconds=200)) == ()


def test_points_on_one_line_leave_counts_alone_and_say_why_there_is_no_speed():
    bad = RoadPlane(
        points=tuple(
            PlanePoint(picture=CAMERA.see_point((0.0, y)), ground_xy_m=(0.0, y)) for y in (20.0, 30.0, 40.0, 50.0)
        )
    )
    rules = SceneRules("cam-1", Scene(lanes=(LANE,), plane=bad), ASPECT)
    for pts_s, tracks in pictures(*one_by_one(every_s=6.0, mps=15.0, n_vehicles=3), seconds=25):
        rules.update(tracks, pts_s, START_AT + timedelta(seconds=pts_s))

    (lane,) = of(list(rules.measures.take_all()), "lane", "lane-1")

    assert (lane.n_vehicles, lane.speed_kmh) == (3, None)
    assert "on one line" in rules.measures.plane_fault


def test_noise_and_dropped_pictures_change_a_lanes_figures_little():
    rng = np.random.default_rng(7)
    noisy = []
    for pts_s, tracks in pictures(*one_by_one(every_s=6.0, mps=15.0, n_vehicles=9), seconds=59.9):
        if rng.random() < 0.2:
            continue
        shaken = []
        for track in tracks:
            x1, y1, x2, y2 = (np.array(track.bbox_xyxy) + rng.normal(0, 1 / 720, 4)).tolist()
            shaken.append(
                Track(
                    track_id=track.track_id,
                    label="car",
                    score=0.9,
                    bbox_xyxy=(x1, y1, x2, y2),
                    velocity_xy=track.velocity_xy,
                )
            )
        noisy.append((pts_s, shaken))

    (lane,) = of(measure(Scene(lanes=(LANE,), plane=PLANE), noisy), "lane", "lane-1")

    assert lane.n_vehicles == 9
    assert lane.speed_kmh == pytest.approx(54.0, rel=0.05)
    assert lane.occupancy == pytest.approx(9 * 4.5 / 15 / 60, rel=0.25)
