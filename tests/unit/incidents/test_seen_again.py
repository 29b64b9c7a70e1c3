"""Rules that begin anew number vehicles and things anew: whoever stands is the same alarm, whoever is new calls."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.incidents.model import AlarmState, Quality, SourceKind
from core.vision.model import Observation, ObservationKind, Phase
from tests.fixtures.room import Room
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
