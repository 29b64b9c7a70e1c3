"""What is one event, and who of its sightings calls."""

import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from core.incidents.model import AlarmChanged, AlarmState, IncidentStatus, Priority, SourceKind
from core.incidents.policy import call_from
from core.incidents.rules.text import shipped_rules
from core.incidents.same_event import Seen, find_event, is_same_event
from core.kernel.errors import UnavailableError
from core.kernel.geo import GeoPoint
from core.vision.model import Observation, ObservationKind, Phase, RuleSetting, Scene
from core.vision.plane import offset
from tests.fixtures.room import Room
from tests.unit.incidents.test_service import observe
from tests.unit.vision.roads import START_AT

K = ObservationKind
HERE = GeoPoint(lat_deg=54.0, lon_deg=10.0)
BOX = (0.4, 0.4, 0.5, 0.5)


def seen(kind=K.STOPPED_VEHICLE, *, after_s=0.0, camera="north", box=BOX, rule="lane", position=None, incident="i-1"):
    return Seen(
        incident_id=incident,
        camera_id=camera,
        kind=kind,
        rule_key=rule,
        at=START_AT + timedelta(seconds=after_s),
        bbox_xyxy=box,
        position=position,
    )


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        pytest.param(seen(K.COLLISION), seen(after_s=20), True, id="who stands after a crash"),
        pytest.param(seen(), seen(K.CONGESTION, after_s=70, box=(0.0, 0.2, 0.6, 0.9)), True, id="the jam behind it"),
        pytest.param(seen(), seen(box=(0.54, 0.4, 0.64, 0.5)), True, id="beside it, in the next zone"),
        pytest.param(seen(), seen(box=(0.8, 0.8, 0.9, 0.9)), False, id="elsewhere in the picture"),
        pytest.param(seen(), seen(after_s=100), False, id="later"),
        pytest.param(seen(box=None), seen(), True, id="no box, same lane"),
        pytest.param(seen(box=None), seen(rule="other"), False, id="no box, another lane"),
        pytest.param(seen(K.WRONG_WAY), seen(K.WRONG_WAY, after_s=5), True, id="the tracker lost it"),
        pytest.param(seen(K.WRONG_WAY), seen(K.WRONG_WAY, after_s=40), False, id="another ghost driver"),
        pytest.param(seen(K.WRONG_WAY), seen(K.COLLISION, after_s=40), True, id="what came of it"),
        pytest.param(seen(K.CAMERA_MOVED, box=None), seen(K.CAMERA_BLINDED, after_s=9, box=None), True, id="a blow"),
        pytest.param(seen(K.CAMERA_MOVED, box=None), seen(K.COLLISION), False, id="a camera is no crash"),
        pytest.param(seen(), seen(camera="south"), False, id="two cameras, places not known"),
    ],
)
def test_same_place_and_same_time_is_one_event(one, other, is_same):
    assert is_same_event(one, other) is is_same
    assert is_same_event(other, one) is is_same


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
def test_two_cameras_see_one_event_where_they_stand_near_each_other(metres, after_s, kinds, is_same):
    there = offset(HERE, 0.0, float(metres))
    one = seen(kinds[0], position=HERE)
    other = seen(kinds[1], camera="south", position=there, after_s=after_s, box=(0.9, 0.9, 1.0, 1.0))

    assert is_same_event(one, other) is is_same


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
    take(room, sighting(room, K.COLLISION), position=HERE)
    take(room, sighting(room, K.COLLISION, camera_id="ring-south", bbox_xyxy=(0.9, 0.9, 1.0, 1.0)), position=HERE)

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
    take(room, sighting(room, K.COLLISION), position=HERE)
    take(room, sighting(room, K.STOPPED_VEHICLE, camera_id="ring-south"), position=HERE)

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
