"""Rules that begin anew number vehicles and things anew: whoever stands is the same alarm, whoever is new calls."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.cameras.model import Camera
from core.incidents.doubt import Doubtful
from core.incidents.model import Alarm, AlarmState, Quality, SourceKind
from core.vision.model import Observation, ObservationKind, Phase
from tests.fixtures.room import ADA, Room
from tests.unit.incidents.test_closed_events import close
from tests.unit.incidents.test_same_event import sighting, take
from tests.unit.incidents.test_service import acknowledge

K = ObservationKind
HERE = (0.40, 0.40, 0.50, 0.50)
NEARLY_HERE = (0.41, 0.40, 0.51, 0.51)
BEHIND_IT = (0.40, 0.47, 0.52, 0.59)
ELSEWHERE = (0.70, 0.60, 0.85, 0.75)


def one(room: Room, run: str, number: int, box=HERE, kind=K.STOPPED_VEHICLE, **changes: object) -> Observation:
    seen = sighting(room, kind, bbox_xyxy=box, **changes)
    return replace(seen, condition_key=f"{seen.condition_key}:{run}-{number}")


def restart_worker(room: Room, away_s: float = 5.0) -> None:
    room.run(room.incidents.doubt_source(SourceKind.CAMERA, "ring-north"))
    room.clock.advance(seconds=away_s)


def restart_node(room: Room) -> None:
    room.restart()
    room.run(room.incidents.start())


def states(room: Room) -> dict[str, tuple[AlarmState, Quality]]:
    return {alarm.alarm_id: (alarm.state, alarm.quality) for alarm in room.run(room.incidents.open_alarms())}


@pytest.mark.parametrize("restart", [restart_worker, restart_node])
@pytest.mark.parametrize("kind", [K.STOPPED_VEHICLE, K.OBJECT_LEFT, K.LOITERING])
def test_who_was_acknowledged_and_still_stands_is_not_called_again_under_another_number(
    room: Room, restart, kind
) -> None:
    seen = acknowledge(room, take(room, one(room, "before", 7, kind=kind)))
    restart(room)
    room.clock.advance(seconds=155)

    again = one(room, "after", 1, NEARLY_HERE, kind=kind)
    take(room, again)

    assert states(room) == {seen.alarm_id: (AlarmState.ACKNOWLEDGED, Quality.GOOD)}
    assert len(room.run(room.incidents.recent_incidents(10))) == 1

    take(room, replace(again, observation_id="end", phase=Phase.END, bbox_xyxy=None))

    assert states(room) == {}


def test_it_outlives_any_number_of_restarts(room: Room) -> None:
    seen = acknowledge(room, take(room, one(room, "first", 7)))
    for run in ("second", "third", "fourth"):
        restart_worker(room, away_s=150)
        take(room, one(room, run, 1, NEARLY_HERE))

    assert states(room) == {seen.alarm_id: (AlarmState.ACKNOWLEDGED, Quality.GOOD)}


def test_a_new_vehicle_that_gets_the_old_number_calls_and_confirms_nobody(room: Room) -> None:
    left = acknowledge(room, take(room, one(room, "before", 1)))
    restart_worker(room)

    new = take(room, one(room, "after", 1, ELSEWHERE))

    assert new is not None
    assert states(room) == {
        left.alarm_id: (AlarmState.ACKNOWLEDGED, Quality.STALE),
        new.alarm_id: (AlarmState.UNACKNOWLEDGED, Quality.GOOD),
    }


def test_each_doubtful_alarm_is_meant_once(room: Room) -> None:
    known = acknowledge(room, take(room, one(room, "before", 1)))
    restart_worker(room)
    take(room, one(room, "after", 1, NEARLY_HERE))
    restart_of_the_first = one(room, "after", 2, ELSEWHERE)

    other = take(room, restart_of_the_first)

    assert other is not None
    assert other.alarm_id != known.alarm_id
    assert states(room)[other.alarm_id] == (AlarmState.UNACKNOWLEDGED, Quality.GOOD)


def test_of_two_that_stand_one_behind_the_other_each_is_itself(room: Room) -> None:
    first = acknowledge(room, take(room, one(room, "before", 1)))
    room.clock.advance(seconds=200)
    second = acknowledge(room, take(room, one(room, "before", 2, (0.1, 0.7, 0.2, 0.8))))
    restart_worker(room)

    take(room, one(room, "after", 5, (0.1, 0.71, 0.2, 0.81)))

    assert states(room)[first.alarm_id][1] is Quality.STALE
    assert states(room)[second.alarm_id][1] is Quality.GOOD


def test_who_stops_behind_a_doubtful_one_is_another_vehicle(room: Room) -> None:
    known = take(room, one(room, "before", 1))
    restart_worker(room, away_s=150)

    take(room, one(room, "after", 1, BEHIND_IT))

    assert states(room)[known.alarm_id][1] is Quality.STALE


def test_a_rule_that_becomes_surer_after_a_restart_means_the_same_one(room: Room) -> None:
    known = acknowledge(room, take(room, one(room, "before", 1)))
    restart_worker(room)
    take(room, one(room, "after", 3, NEARLY_HERE, confidence=0.7), call_from=0.8)
    assert states(room)[known.alarm_id][1] is Quality.STALE

    take(room, one(room, "after", 3, NEARLY_HERE, confidence=0.9), call_from=0.8)

    assert states(room) == {known.alarm_id: (AlarmState.ACKNOWLEDGED, Quality.GOOD)}


def test_an_impact_after_a_restart_is_another_one_and_calls_in_the_same_incident(room: Room) -> None:
    known = acknowledge(room, take(room, one(room, "before", 1, kind=K.COLLISION)))
    restart_worker(room)

    second = take(room, one(room, "after", 1, kind=K.COLLISION))

    assert second is not None
    assert (second.incident_id, second.state) == (known.incident_id, AlarmState.UNACKNOWLEDGED)


def test_a_ghost_driver_is_the_same_one_for_a_moment_only(room: Room) -> None:
    known = acknowledge(room, take(room, one(room, "before", 1, kind=K.WRONG_WAY)))
    restart_worker(room)

    take(room, one(room, "after", 1, ELSEWHERE, kind=K.WRONG_WAY))
    assert states(room) == {known.alarm_id: (AlarmState.ACKNOWLEDGED, Quality.GOOD)}
    restart_worker(room, away_s=40)
    another = take(room, one(room, "later", 1, kind=K.WRONG_WAY))

    assert another is not None
    assert states(room)[another.alarm_id][0] is AlarmState.UNACKNOWLEDGED


def test_a_try_whose_answer_got_lost_means_the_same_one(room: Room) -> None:
    known = acknowledge(room, take(room, one(room, "before", 1)))
    restart_worker(room)
    again = one(room, "after", 1, NEARLY_HERE, captured_at=room.clock.now() - timedelta(seconds=2))

    take(room, again)
    take(room, again)

    assert states(room) == {known.alarm_id: (AlarmState.ACKNOWLEDGED, Quality.GOOD)}


def left_behind(room: Room) -> tuple[Alarm, Observation]:
    """Let a crash call, and something that was lost in it lie behind it."""
    room.run(room.cameras.add(ADA, Camera(camera_id="ring-north", name="Ring North", address="rtsp://192.0.2.1/a")))
    crash = take(room, one(room, "before", 7, kind=K.COLLISION))
    lost = one(room, "before", 1, kind=K.OBJECT_LEFT)
    assert take(room, lost) is None
    return crash, lost


def end_of(seen: Observation) -> Observation:
    return replace(seen, observation_id=f"end-{seen.observation_id}", phase=Phase.END, bbox_xyxy=None)


def hear_all_but_objects(doubtful: Doubtful) -> float | None:
    return None if doubtful.kind == K.OBJECT_LEFT else 60.0


@pytest.mark.parametrize("restart", [restart_worker, restart_node])
def test_what_lies_behind_another_call_is_called_as_last_known_once_that_one_is_over_after_a_restart(
    room: Room, restart
) -> None:
    left_behind(room)
    restart(room)
    room.incidents.hear_by(hear_all_but_objects)

    for _ in range(3):
        room.pass_time(60)

    (lost,) = [alarm for alarm in room.run(room.incidents.open_alarms()) if alarm.kind == K.OBJECT_LEFT]
    assert (lost.state, lost.quality) == (AlarmState.UNACKNOWLEDGED, Quality.STALE)


@pytest.mark.parametrize("restart", [restart_worker, restart_node])
def test_what_lies_behind_another_call_and_is_seen_again_stays_behind_it(room: Room, restart) -> None:
    crash, _ = left_behind(room)
    restart(room)
    lost = one(room, "after", 1, NEARLY_HERE, kind=K.OBJECT_LEFT)
    assert take(room, lost) is None

    room.run(room.incidents.return_condition(crash.condition_key))

    called = [alarm for alarm in room.run(room.incidents.open_alarms()) if alarm.kind == K.OBJECT_LEFT]
    assert [(alarm.state, alarm.quality) for alarm in called] == [(AlarmState.UNACKNOWLEDGED, Quality.GOOD)]

    take(room, end_of(lost))

    assert [alarm.state for alarm in room.run(room.incidents.open_alarms()) if alarm.kind == K.OBJECT_LEFT] == [
        AlarmState.RETURNED_UNACKNOWLEDGED
    ]


@pytest.mark.parametrize("restart", [restart_worker, restart_node])
def test_what_lay_behind_a_closed_call_and_is_seen_again_is_the_same_alarm(room: Room, restart) -> None:
    crash, _ = left_behind(room)
    close(room, crash)
    room.run(room.incidents.return_condition(crash.condition_key))
    restart(room)

    take(room, one(room, "after", 1, NEARLY_HERE, kind=K.OBJECT_LEFT))

    called = [alarm for alarm in room.run(room.incidents.open_alarms()) if alarm.kind == K.OBJECT_LEFT]
    assert [(alarm.state, alarm.quality) for alarm in called] == [(AlarmState.UNACKNOWLEDGED, Quality.GOOD)]


@pytest.mark.parametrize("restart", [restart_worker, restart_node])
def test_who_is_gone_with_the_call_that_they_stood_behind_is_not_called(room: Room, restart) -> None:
    left_behind(room)
    restart(room)
    room.incidents.hear_by(lambda _doubtful: 60.0)

    for _ in range(3):
        room.pass_time(60)

    assert [alarm.kind for alarm in room.run(room.incidents.open_alarms())] == [K.COLLISION]


def test_what_was_over_behind_another_call_is_not_called_after_a_restart(room: Room) -> None:
    crash, lost = left_behind(room)
    take(room, end_of(lost))
    restart_node(room)

    room.run(room.incidents.return_condition(crash.condition_key))

    assert [alarm.kind for alarm in room.run(room.incidents.open_alarms())] == [K.COLLISION]


def test_a_saved_scene_forgets_nobody_who_stands_behind_another_call(room: Room) -> None:
    crash, _ = left_behind(room)
    room.run(room.incidents.return_where(SourceKind.CAMERA, "ring-north", lambda _one: False))
    restart_worker(room)

    room.run(room.incidents.return_condition(crash.condition_key))

    assert K.OBJECT_LEFT in [alarm.kind for alarm in room.run(room.incidents.open_alarms())]


def test_a_saved_scene_without_the_rule_forgets_what_stood_behind_another_call(room: Room) -> None:
    crash, _ = left_behind(room)
    room.run(room.incidents.return_where(SourceKind.CAMERA, "ring-north", lambda one: one.kind == K.OBJECT_LEFT))
    restart_worker(room)

    room.run(room.incidents.return_condition(crash.condition_key))

    assert [alarm.kind for alarm in room.run(room.incidents.open_alarms())] == [K.COLLISION]
