"""What is one event, and who of its sightings calls."""

import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from core.cameras.model import Camera
from core.incidents.model import AlarmChanged, AlarmState, IncidentStatus, Priority, SourceKind
from core.incidents.policy import call_from
from core.incidents.rules.text import shipped_rules
from core.incidents.same_event import Seen, View, find_event, is_news_beside, is_same_event
from core.kernel.errors import UnavailableError
from core.kernel.geo import GeoPoint
from core.vision.model import Observation, ObservationKind, Phase, RuleSetting, Scene
from core.vision.plane import offset
from tests.fixtures.room import ADA, Room, make_condition
from tests.unit.incidents.test_service import acknowledge, observe
from tests.unit.vision.roads import START_AT

K = ObservationKind
HERE = GeoPoint(lat_deg=54.0, lon_deg=10.0)
BOX = (0.4, 0.4, 0.5, 0.5)


def seen(
    kind=K.STOPPED_VEHICLE,
    *,
    after_s=0.0,
    camera="north",
    box=BOX,
    rule="lane",
    holds=False,
    position=None,
    view=None,
    incident="i-1",
):
    return Seen(
        incident_id=incident,
        camera_id=camera,
        kind=kind,
        rule_key=rule,
        at=START_AT + timedelta(seconds=after_s),
        bbox_xyxy=box,
        holds=holds,
        position=position,
        view=view,
    )


LANE = (0.0, 0.2, 0.6, 0.9)
NEXT_LANE = (0.75, 0.2, 1.0, 0.9)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        pytest.param(seen(K.COLLISION), seen(after_s=20), True, id="who stands after a crash"),
        pytest.param(seen(), seen(K.CONGESTION, after_s=70, box=LANE), True, id="the jam behind it"),
        pytest.param(seen(), seen(box=(0.54, 0.4, 0.64, 0.5)), True, id="beside it, in the next zone"),
        pytest.param(seen(), seen(box=(0.8, 0.8, 0.9, 0.9)), False, id="elsewhere in the picture"),
        pytest.param(seen(), seen(after_s=100), False, id="later, when it was over"),
        pytest.param(seen(box=None), seen(), True, id="no box, same lane"),
        pytest.param(seen(box=None), seen(rule="other"), False, id="no box, another lane"),
        pytest.param(seen(K.WRONG_WAY), seen(K.WRONG_WAY, after_s=5), True, id="the tracker lost it"),
        pytest.param(seen(K.WRONG_WAY), seen(K.WRONG_WAY, after_s=40), False, id="another ghost driver"),
        pytest.param(seen(K.WRONG_WAY), seen(K.COLLISION, after_s=40), True, id="what came of it"),
        pytest.param(seen(K.CAMERA_MOVED, box=None), seen(K.CAMERA_BLINDED, after_s=9, box=None), True, id="a blow"),
        pytest.param(seen(K.CAMERA_MOVED, box=None), seen(K.COLLISION), False, id="a camera is no crash"),
        pytest.param(seen(), seen(camera="south"), False, id="two cameras, places not known"),
        pytest.param(seen(K.COLLISION, holds=True), seen(after_s=150), True, id="the head of the queue at a crash"),
        pytest.param(seen(K.COLLISION), seen(after_s=150), False, id="a breakdown where a crash was cleared away"),
        pytest.param(seen(holds=True), seen(K.CONGESTION, after_s=1200, box=LANE), True, id="a jam that filled late"),
        pytest.param(
            seen(holds=True), seen(K.CONGESTION, after_s=200, box=NEXT_LANE), False, id="a jam in another lane"
        ),
        pytest.param(
            seen(K.CONGESTION, holds=True, box=LANE),
            seen(K.CONGESTION, after_s=300, box=NEXT_LANE),
            True,
            id="a jam that spreads",
        ),
        pytest.param(
            seen(K.CONGESTION, holds=True, box=LANE), seen(K.COLLISION, after_s=900), False, id="a crash in a long jam"
        ),
        pytest.param(
            seen(K.CONGESTION, holds=True, box=LANE), seen(K.OBJECT_LEFT, after_s=900), False, id="a load lost in a jam"
        ),
        pytest.param(seen(holds=True), seen(K.PEDESTRIAN, after_s=400), True, id="the driver gets out"),
        pytest.param(seen(holds=True), seen(K.WRONG_WAY, after_s=400), False, id="a ghost driver passes a breakdown"),
        pytest.param(
            seen(K.PEDESTRIAN, holds=True), seen(K.PEDESTRIAN, after_s=40), False, id="somebody else, while one walks"
        ),
        pytest.param(
            seen(K.WRONG_WAY, holds=True), seen(K.WRONG_WAY, after_s=40), False, id="two ghost drivers one by one"
        ),
    ],
)
def test_same_place_and_same_time_is_one_event(one, other, is_same):
    assert is_same_event(one, other) is is_same
    assert is_same_event(other, one) is is_same


def away(east_m, north_m=0.0):
    return offset(HERE, float(east_m), float(north_m))


def looks(heading_deg, at=HERE, *, angle_deg=60.0):
    return View(position=at, heading_deg=heading_deg, view_angle_deg=angle_deg)


@pytest.mark.parametrize(
    ("metres", "after_s", "kinds", "is_same"),
    [
        (40, 10, (K.COLLISION, K.COLLISION), True),
        (40, 10, (K.COLLISION, K.STOPPED_VEHICLE), True),
        (40, 10, (K.CONGESTION, K.WRONG_WAY), False),
        (80, 10, (K.COLLISION, K.COLLISION), False),
        (40, 40, (K.COLLISION, K.COLLISION), False),
    ],
)
def test_two_cameras_see_one_event_where_they_stand_near_each_other_and_nobody_knows_more(
    metres, after_s, kinds, is_same
):
    one = seen(kinds[0], view=View(position=HERE))
    other = seen(
        kinds[1],
        camera="south",
        view=View(position=away(0, metres)),
        after_s=after_s,
        box=(0.9, 0.9, 1.0, 1.0),
    )

    assert is_same_event(one, other) is is_same


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        pytest.param({"view": looks(0)}, {"view": looks(180)}, False, id="one pole, opposite ways"),
        pytest.param({"view": looks(0)}, {"view": looks(40)}, True, id="one pole, nearly the same way"),
        pytest.param({"view": looks(90)}, {"view": looks(270, away(50))}, True, id="face to face"),
        pytest.param({"view": looks(270)}, {"view": looks(90, away(50))}, False, id="back to back"),
        pytest.param(
            {"view": looks(90), "position": away(40)},
            {"view": looks(270, away(80)), "position": away(45)},
            True,
            id="one crash, seen from both sides, 80 m apart",
        ),
        pytest.param(
            {"view": looks(0), "position": away(0, 30)},
            {"view": looks(180), "position": away(0, -30)},
            False,
            id="one pole, opposite ways, both on the map",
        ),
        pytest.param(
            {"view": looks(90), "position": away(40)},
            {"view": looks(270, away(80))},
            True,
            id="what one knows, the other may see",
        ),
        pytest.param(
            {"view": looks(90), "position": away(40)},
            {"view": looks(90, away(80))},
            False,
            id="what one knows, the other cannot see",
        ),
        pytest.param({"view": looks(90), "position": away(40)}, {}, False, id="a camera that nobody placed"),
    ],
)
def test_the_ground_says_what_two_cameras_see_and_then_the_way_they_look(one, other, is_same):
    first, second = seen(K.PEDESTRIAN, **one), seen(K.PEDESTRIAN, camera="south", after_s=10, **other)

    assert is_same_event(first, second) is is_same
    assert is_same_event(second, first) is is_same


def test_another_camera_sees_late_what_still_stands_at_the_same_place():
    crash = seen(K.COLLISION, position=HERE, holds=True)
    stands = seen(camera="south", position=away(10), after_s=150)

    assert is_same_event(crash, stands)
    assert not is_same_event(replace(crash, holds=False), stands)


def test_a_ghost_driver_that_the_next_camera_sees_is_the_same_one():
    first = seen(K.WRONG_WAY, position=HERE)

    assert is_same_event(first, seen(K.WRONG_WAY, camera="south", position=away(300), after_s=10))
    assert not is_same_event(first, seen(K.WRONG_WAY, camera="south", position=away(900), after_s=10))


def test_of_several_events_the_latest_counts():
    known = [seen(incident="old"), seen(incident="new", after_s=30), seen(incident="far", box=(0.9, 0.9, 1, 1))]

    assert find_event(seen(incident="", after_s=40), known) == "new"


# -- in the room ------------------------------------------------------------------------------------------------------


def sighting(room: Room, kind: ObservationKind, phase: Phase = Phase.BEGIN, **changes: object) -> Observation:
    plain = observe(room, kind=kind, phase=phase, condition_key=f"{kind.value}:zone-a", bbox_xyxy=BOX, values={})
    return replace(plain, **changes)


def take(room: Room, observation: Observation, **where: object):
    return room.run(room.incidents.take_observation(observation, camera_name="Ring North", **where))


def listed(room: Room) -> list[tuple[str, AlarmState]]:
    return [(alarm.kind, alarm.state) for alarm in room.run(room.incidents.open_alarms())]


def test_a_crash_a_stopped_car_and_a_jam_are_one_incident_and_one_call(room: Room) -> None:
    take(room, sighting(room, K.COLLISION))
    room.clock.advance(seconds=20)
    take(room, sighting(room, K.STOPPED_VEHICLE))
    room.clock.advance(seconds=50)
    take(room, sighting(room, K.CONGESTION))

    assert listed(room) == [("collision", AlarmState.UNACKNOWLEDGED)]
    assert [incident.kind for incident in room.run(room.incidents.recent_incidents(10))] == ["collision"]


def test_an_incident_is_named_after_its_most_severe_sighting_which_calls(room: Room) -> None:
    first = take(room, sighting(room, K.CONGESTION))
    room.clock.advance(seconds=5)

    worse = take(room, sighting(room, K.COLLISION, confidence=0.9))

    assert worse.incident_id == first.incident_id
    assert {kind for kind, _ in listed(room)} == {"collision", "congestion"}
    (incident,) = room.run(room.incidents.recent_incidents(10))
    assert (incident.kind, incident.status) == ("collision", IncidentStatus.NEW)


def test_who_stands_behind_another_call_is_called_when_that_one_ends(room: Room) -> None:
    take(room, sighting(room, K.COLLISION))
    take(room, sighting(room, K.STOPPED_VEHICLE))

    take(room, sighting(room, K.COLLISION, Phase.END))

    assert listed(room) == [
        ("collision", AlarmState.LATCHED_UNACKNOWLEDGED),
        ("stopped_vehicle", AlarmState.UNACKNOWLEDGED),
    ]
    (incident,) = room.run(room.incidents.recent_incidents(10))
    assert incident.ended_at is None


def test_who_left_before_the_other_call_ended_is_not_called(room: Room) -> None:
    take(room, sighting(room, K.COLLISION))
    take(room, sighting(room, K.STOPPED_VEHICLE))
    take(room, sighting(room, K.STOPPED_VEHICLE, Phase.END))

    take(room, sighting(room, K.COLLISION, Phase.END))

    assert listed(room) == [("collision", AlarmState.LATCHED_UNACKNOWLEDGED)]
    (incident,) = room.run(room.incidents.recent_incidents(10))
    assert incident.ended_at is not None


def test_a_restarted_worker_takes_back_who_stood_behind_too(room: Room) -> None:
    take(room, sighting(room, K.COLLISION))
    take(room, sighting(room, K.STOPPED_VEHICLE))

    room.run(room.incidents.return_missing(room.run(room.incidents.open_alarms())[0].source_kind, "ring-north"))
    take(room, sighting(room, K.COLLISION, Phase.END))

    assert listed(room) == [("collision", AlarmState.LATCHED_UNACKNOWLEDGED)]


def test_an_incident_ends_with_the_last_of_its_alarms(room: Room) -> None:
    take(room, sighting(room, K.CONGESTION))
    take(room, sighting(room, K.COLLISION))

    take(room, sighting(room, K.COLLISION, Phase.END))

    (incident,) = room.run(room.incidents.recent_incidents(10))
    assert incident.ended_at is None


def test_two_cameras_that_stand_near_each_other_make_one_incident(room: Room) -> None:
    take(room, sighting(room, K.COLLISION), view=View(position=HERE))
    take(
        room,
        sighting(room, K.COLLISION, camera_id="ring-south", bbox_xyxy=(0.9, 0.9, 1.0, 1.0)),
        view=View(position=HERE),
    )

    assert len(room.run(room.incidents.recent_incidents(10))) == 1
    assert listed(room) == [("collision", AlarmState.UNACKNOWLEDGED)]


def test_a_rule_that_is_not_sure_is_stored_and_calls_nobody_until_it_is(room: Room) -> None:
    assert take(room, sighting(room, K.WRONG_WAY, confidence=0.7), call_from=0.8) is None

    alarm = take(room, sighting(room, K.WRONG_WAY, confidence=0.85), call_from=0.8)

    assert alarm.priority is Priority.CRITICAL
    assert alarm.detail == "85% sure"


def test_from_where_on_a_rule_calls_is_the_cameras_own_business() -> None:
    scene = Scene(rules=(RuleSetting(kind="collision", values={"call_from": 0.6}),))

    assert call_from(K.COLLISION, scene) == 0.6
    assert call_from(K.COLLISION, Scene()) == 0.8
    assert call_from(K.CAMERA_MOVED, scene) == 0.0


@pytest.mark.parametrize("kind", sorted(set(K) - {K.ZONE_ENTERED, K.LINE_CROSSED}))
def test_every_rule_has_words_for_its_call(room: Room, kind: ObservationKind) -> None:
    alarm = take(room, sighting(room, kind, rule_key="camera" if kind.startswith("camera") else "zone-a"))

    assert alarm.title.endswith("Ring North" if kind.startswith("camera") else "Lane A")
    rule = shipped_rules().find(kind.value)
    assert rule is not None
    assert alarm.priority is rule.priority


def test_who_stands_behind_a_call_that_is_taken_back_with_its_source_is_called(room: Room) -> None:
    take(room, sighting(room, K.COLLISION), view=View(position=HERE))
    take(room, sighting(room, K.STOPPED_VEHICLE, camera_id="ring-south"), view=View(position=HERE))

    room.run(room.incidents.return_missing(SourceKind.CAMERA, "ring-north"))

    assert listed(room) == [
        ("collision", AlarmState.LATCHED_UNACKNOWLEDGED),
        ("stopped_vehicle", AlarmState.UNACKNOWLEDGED),
    ]


def test_who_stands_behind_is_called_by_the_next_try_where_the_first_broke_off(room: Room) -> None:
    take(room, sighting(room, K.COLLISION))
    take(room, sighting(room, K.STOPPED_VEHICLE))
    ended = sighting(room, K.COLLISION, Phase.END)
    other = sqlite3.connect(room.folder / "watchfloor.sqlite3", isolation_level=None, check_same_thread=False)
    room.bus.subscribe(AlarmChanged, lambda event: other.execute("BEGIN IMMEDIATE"))
    with pytest.raises(UnavailableError):
        take(room, ended)
    other.close()

    take(room, ended)

    assert ("stopped_vehicle", AlarmState.UNACKNOWLEDGED) in listed(room)


def test_a_sighting_that_is_told_twice_still_stands_behind(room: Room) -> None:
    take(room, sighting(room, K.COLLISION))
    behind = sighting(room, K.STOPPED_VEHICLE)
    take(room, behind)
    take(room, behind)

    take(room, sighting(room, K.COLLISION, Phase.END))

    assert ("stopped_vehicle", AlarmState.UNACKNOWLEDGED) in listed(room)


def incidents(room: Room) -> list[str]:
    return [incident.kind for incident in room.run(room.incidents.recent_incidents(10))]


def test_who_stands_at_the_head_of_the_queue_of_a_crash_is_the_crash(room: Room) -> None:
    take(room, sighting(room, K.COLLISION))
    room.clock.advance(seconds=155)

    assert take(room, sighting(room, K.STOPPED_VEHICLE)) is None

    assert incidents(room) == ["collision"]
    assert listed(room) == [("collision", AlarmState.UNACKNOWLEDGED)]


def test_a_jam_that_takes_minutes_to_fill_belongs_to_who_stands_there(room: Room) -> None:
    acknowledge(room, take(room, sighting(room, K.STOPPED_VEHICLE)))
    room.clock.advance(seconds=260)

    take(room, sighting(room, K.CONGESTION, bbox_xyxy=LANE))
    room.clock.advance(seconds=260)
    take(room, sighting(room, K.CONGESTION, bbox_xyxy=NEXT_LANE, condition_key="congestion:lane/next"))

    assert incidents(room) == ["stopped_vehicle"]
    assert listed(room) == [("stopped_vehicle", AlarmState.ACKNOWLEDGED)]


def test_what_happens_where_an_event_has_ended_is_another_one(room: Room) -> None:
    take(room, sighting(room, K.COLLISION))
    room.clock.advance(seconds=100)
    take(room, sighting(room, K.COLLISION, Phase.END))
    room.clock.advance(seconds=50)

    take(room, sighting(room, K.STOPPED_VEHICLE))

    assert sorted(incidents(room)) == ["collision", "stopped_vehicle"]


def test_another_one_that_stops_there_long_after_the_first_calls_again_in_the_same_incident(room: Room) -> None:
    first = acknowledge(room, take(room, sighting(room, K.STOPPED_VEHICLE)))
    room.clock.advance(seconds=240)
    soon = sighting(room, K.STOPPED_VEHICLE, condition_key="stopped_vehicle:zone-a:2")
    assert take(room, soon) is None
    take(room, replace(soon, observation_id="end", phase=Phase.END))
    room.clock.advance(seconds=100)

    late = take(room, sighting(room, K.STOPPED_VEHICLE, condition_key="stopped_vehicle:zone-a:3"))

    assert (late.incident_id, late.state) == (first.incident_id, AlarmState.UNACKNOWLEDGED)


def test_a_condition_whose_alarm_is_open_keeps_to_its_own_incident(room: Room) -> None:
    jam = take(room, sighting(room, K.CONGESTION, bbox_xyxy=LANE))
    room.clock.advance(seconds=200)
    crash = take(room, sighting(room, K.COLLISION))
    take(room, sighting(room, K.CONGESTION, Phase.END))
    room.clock.advance(seconds=20)

    again = take(room, sighting(room, K.CONGESTION, bbox_xyxy=LANE))

    assert crash.incident_id != jam.incident_id
    assert (again.alarm_id, again.incident_id, again.n_repeats) == (jam.alarm_id, jam.incident_id, 1)


def test_of_more_sightings_than_are_looked_at_the_newest_count(room: Room, monkeypatch) -> None:
    monkeypatch.setattr("core.incidents.sightings.MAX_SIGHTINGS", 1)
    take(room, sighting(room, K.OBJECT_LEFT, bbox_xyxy=(0.8, 0.8, 0.9, 0.9), condition_key="object_left:zone-a:1"))
    take(room, sighting(room, K.OBJECT_LEFT, Phase.END, condition_key="object_left:zone-a:1"))
    room.clock.advance(seconds=5)
    take(room, sighting(room, K.COLLISION))
    take(room, sighting(room, K.COLLISION, Phase.END))
    room.clock.advance(seconds=5)

    take(room, sighting(room, K.STOPPED_VEHICLE))

    assert sorted(incidents(room)) == ["collision", "object_left"]


@pytest.mark.parametrize(
    ("kind", "priority", "after_s", "is_news"),
    [
        (K.STOPPED_VEHICLE, Priority.HIGH, 10, False),
        (K.STOPPED_VEHICLE, Priority.HIGH, 301, True),
        (K.STOPPED_VEHICLE, Priority.CRITICAL, 10, True),
        (K.COLLISION, Priority.HIGH, 10, True),
        (K.CONGESTION, Priority.MEDIUM, 3600, False),
    ],
    ids=["the same", "the same much later", "more urgent", "something else as urgent", "less urgent"],
)
def test_what_is_news_beside_a_call_of_the_same_event(kind, priority, after_s, is_news):
    new = make_condition(kind=kind, priority=priority, began_at=START_AT + timedelta(seconds=after_s))

    found = is_news_beside(new, kind=K.STOPPED_VEHICLE, priority=Priority.HIGH, called_at=START_AT)

    assert found is is_news


def place(room: Room, camera_id: str, view: View) -> None:
    camera = Camera(
        camera_id=camera_id,
        name=camera_id,
        address="rtsp://192.0.2.1/stream",
        position=view.position,
        heading_deg=view.heading_deg,
        view_angle_deg=view.view_angle_deg,
    )
    room.run(room.cameras.add(ADA, camera))


def test_two_people_whom_cameras_of_one_pole_see_on_opposite_sides_call_both(room: Room) -> None:
    north, south = looks(0), looks(180)
    place(room, "ring-north", north)
    take(room, sighting(room, K.PEDESTRIAN), view=north)
    room.clock.advance(seconds=20)

    take(room, sighting(room, K.PEDESTRIAN, camera_id="ring-south"), view=south)

    assert listed(room) == 2 * [("pedestrian", AlarmState.UNACKNOWLEDGED)]
    assert incidents(room) == 2 * ["pedestrian"]


def test_one_crash_that_cameras_80_m_apart_see_is_one_incident_which_lies_where_it_happened(room: Room) -> None:
    west, east = looks(90), looks(270, away(80))
    place(room, "ring-north", west)
    alarm = take(room, sighting(room, K.COLLISION, position=away(38)), view=west)
    room.clock.advance(seconds=100)

    take(room, sighting(room, K.STOPPED_VEHICLE, camera_id="ring-south", position=away(44)), view=east)

    assert listed(room) == [("collision", AlarmState.UNACKNOWLEDGED)]
    (incident,) = room.run(room.incidents.recent_incidents(10))
    assert alarm.position == incident.position == away(38)
