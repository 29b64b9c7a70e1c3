"""What comes to an event that an operator has closed: a new call is work again, what only goes on is not."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from core.cameras.model import Camera
from core.incidents.dispatch import DispatchService
from core.incidents.handling import Meant
from core.incidents.model import (
    Alarm,
    AlarmState,
    Incident,
    IncidentChanged,
    IncidentStatus,
    Priority,
    Snapshot,
    SourceKind,
)
from core.incidents.rules.book import shipped_book
from core.incidents.suppression import PlannedWorks, Source
from core.incidents.tuning import SHELVE_REASONS, AlarmTuning
from core.incidents.work import Disposition, Step, StepOrder
from core.store.tables import ObservationRow
from core.vision.model import Observation, ObservationKind, Phase
from tests.fixtures.alarm_life import assert_journal_gives_the_tables
from tests.fixtures.room import ADA, OLGA, SUSI, Room, make_condition
from tests.unit.incidents.test_same_event import sighting, take

K = ObservationKind


def incident_of(room: Room, alarm: Alarm) -> Incident:
    incident = room.run(room.incidents.get_incident(alarm.incident_id))
    assert incident is not None
    return incident


def dispatch_of(room: Room) -> DispatchService:
    return DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")


def close(room: Room, alarm: Alarm, disposition: Disposition = Disposition.NO_ACTION, duplicate_of: str = "") -> None:
    order = StepOrder(step=Step.CLOSE, disposition=disposition, duplicate_of=duplicate_of)
    version = incident_of(room, alarm).work_version
    room.run(dispatch_of(room).take_step(OLGA, alarm.incident_id, order, expect_version=version))


def test_a_crash_into_who_was_closed_as_no_action_is_an_open_incident(room: Room) -> None:
    stands = take(room, sighting(room, K.STOPPED_VEHICLE))
    close(room, stands)
    room.clock.advance(seconds=1800)

    crash = take(room, sighting(room, K.COLLISION))

    assert (incident_of(room, crash).kind, incident_of(room, crash).status) == ("collision", IncidentStatus.NEW)
    closed = incident_of(room, stands)
    assert (closed.kind, closed.status) == ("stopped_vehicle", IncidentStatus.CLOSED)


def test_what_calls_beside_a_false_alarm_is_an_open_incident(room: Room) -> None:
    false = take(room, sighting(room, K.STOPPED_VEHICLE))
    take(room, sighting(room, K.STOPPED_VEHICLE, Phase.END))
    close(room, false, Disposition.FALSE_ALARM)
    room.clock.advance(seconds=60)

    crash = take(room, sighting(room, K.COLLISION))

    assert incident_of(room, crash).status is IncidentStatus.NEW


@pytest.mark.parametrize(
    ("kind", "key"), [(K.STOPPED_VEHICLE, "stopped_vehicle:zone-a"), (K.CONGESTION, "congestion:zone-a")]
)
def test_what_only_goes_on_opens_nothing_anew(room: Room, kind: ObservationKind, key: str) -> None:
    stands = take(room, sighting(room, K.STOPPED_VEHICLE))
    close(room, stands)
    room.clock.advance(seconds=120)

    assert take(room, sighting(room, kind, condition_key=key)) is None
    take(room, sighting(room, kind, Phase.END, condition_key=key))

    assert len(room.run(room.incidents.recent_incidents(10))) == 1
    assert incident_of(room, stands).status is IncidentStatus.CLOSED


def test_what_stands_behind_a_closed_call_is_an_open_incident_once_it_calls(room: Room) -> None:
    crash = take(room, sighting(room, K.COLLISION))
    take(room, sighting(room, K.STOPPED_VEHICLE))
    close(room, crash)

    take(room, sighting(room, K.COLLISION, Phase.END))

    (stands,) = [alarm for alarm in room.run(room.incidents.open_alarms()) if alarm.kind == "stopped_vehicle"]
    assert stands.state is AlarmState.UNACKNOWLEDGED
    assert incident_of(room, stands).status is IncidentStatus.NEW


def leave_two_behind(room: Room) -> Alarm:
    """Let a crash that was closed end, with who stands there and the jam behind it; returns who calls next."""
    room.run(room.cameras.add(ADA, Camera(camera_id="ring-north", name="Ring North", address="rtsp://192.0.2.1/a")))
    crash = take(room, sighting(room, K.COLLISION))
    take(room, sighting(room, K.STOPPED_VEHICLE))
    take(room, sighting(room, K.CONGESTION))
    close(room, crash)
    take(room, sighting(room, K.COLLISION, Phase.END))
    (stands,) = [alarm for alarm in room.run(room.incidents.open_alarms()) if alarm.kind != "collision"]
    assert stands.kind == "stopped_vehicle"
    return stands


def go_on(_room: Room) -> None:
    """Do nothing in between."""


def restart(room: Room) -> None:
    room.restart()
    room.run(room.incidents.start())


@pytest.mark.parametrize("between", [go_on, restart])
def test_of_several_behind_a_closed_call_each_calls_once_those_before_it_are_over(
    room: Room, between: Callable[[Room], None]
) -> None:
    stands = leave_two_behind(room)
    between(room)

    take(room, sighting(room, K.STOPPED_VEHICLE, Phase.END))

    (jam,) = [alarm for alarm in room.run(room.incidents.open_alarms()) if alarm.kind == "congestion"]
    assert (jam.state, jam.incident_id) == (AlarmState.UNACKNOWLEDGED, stands.incident_id)
    assert incident_of(room, jam).status is IncidentStatus.NEW


def test_of_several_behind_a_closed_call_one_calls_at_a_time(room: Room) -> None:
    leave_two_behind(room)

    room.run(room.incidents.return_missing(SourceKind.CAMERA, "ring-south"))

    assert "congestion" not in {alarm.kind for alarm in room.run(room.incidents.open_alarms())}


def test_a_call_for_a_duplicate_joins_what_it_repeats(room: Room) -> None:
    first = take(room, sighting(room, K.COLLISION, camera_id="ring-south"))
    twin = take(room, sighting(room, K.STOPPED_VEHICLE))
    close(room, twin, Disposition.DUPLICATE, duplicate_of=first.incident_id)
    room.clock.advance(seconds=600)

    crash = take(room, sighting(room, K.COLLISION))

    assert crash.incident_id == first.incident_id


def test_what_a_duplicate_brought_along_names_the_incident(room: Room) -> None:
    jam = take(room, sighting(room, K.CONGESTION, camera_id="ring-south"))
    crash = take(room, sighting(room, K.COLLISION))
    close(room, crash, Disposition.DUPLICATE, duplicate_of=jam.incident_id)
    take(room, sighting(room, K.COLLISION, Phase.END))

    stands = take(room, sighting(room, K.STOPPED_VEHICLE))

    incident = incident_of(room, stands)
    assert (incident.incident_id, incident.priority) == (jam.incident_id, crash.priority)


def test_of_an_open_and_a_closed_event_the_open_one_takes_the_call(room: Room) -> None:
    left = take(room, sighting(room, K.STOPPED_VEHICLE, bbox_xyxy=(0.30, 0.4, 0.40, 0.5)))
    room.clock.advance(seconds=20)
    right = take(
        room, sighting(room, K.STOPPED_VEHICLE, bbox_xyxy=(0.50, 0.4, 0.60, 0.5), condition_key="stopped_vehicle:2")
    )
    close(room, right)

    between = take(room, sighting(room, K.COLLISION, bbox_xyxy=(0.38, 0.4, 0.52, 0.5)))

    assert between.incident_id == left.incident_id != right.incident_id


def test_what_comes_back_joins_an_open_event_there_before_its_own_closed_one(room: Room) -> None:
    stands = take(room, sighting(room, K.STOPPED_VEHICLE))
    take(room, sighting(room, K.STOPPED_VEHICLE, Phase.END))
    close(room, stands)
    room.clock.advance(seconds=100)
    crash = take(room, sighting(room, K.COLLISION))
    assert crash.incident_id != stands.incident_id
    room.clock.advance(seconds=20)

    assert take(room, sighting(room, K.STOPPED_VEHICLE)) is None
    take(room, sighting(room, K.COLLISION, Phase.END))

    again = next(one for one in room.run(room.incidents.open_alarms()) if one.alarm_id == stands.alarm_id)
    assert (again.state, again.incident_id) == (AlarmState.UNACKNOWLEDGED, crash.incident_id)


@pytest.mark.parametrize(
    ("kind", "disposition"),
    [(K.CONGESTION, Disposition.NO_ACTION), (K.VEHICLE_IN_ZONE, Disposition.FALSE_ALARM)],
)
def test_what_comes_back_soon_after_it_was_closed_is_an_open_incident(
    room: Room, kind: ObservationKind, disposition: Disposition
) -> None:
    def picture(of: bytes) -> Snapshot:
        return Snapshot(jpeg=b"\xff\xd8 " + of + b" \xff\xd9", captured_at=room.clock.now())

    first = take(room, sighting(room, kind), snapshot=picture(b"first"))
    take(room, sighting(room, kind, Phase.END))
    close(room, first, disposition)
    ended = incident_of(room, first).ended_at
    room.clock.advance(seconds=120)

    again = take(room, sighting(room, kind), snapshot=picture(b"again"))

    assert (again.alarm_id, again.state, again.n_calls) == (first.alarm_id, AlarmState.UNACKNOWLEDGED, 1)
    assert again.occurrence != first.occurrence
    incident = incident_of(room, again)
    assert (incident.status, incident.opened_at) == (IncidentStatus.NEW, room.clock.now())
    assert b"again" in room.run(room.incidents.snapshot_bytes(incident.incident_id))
    closed = incident_of(room, first)
    assert (closed.status, closed.ended_at) == (IncidentStatus.CLOSED, ended)
    assert b"first" in room.run(room.incidents.snapshot_bytes(closed.incident_id))


def test_what_no_camera_sees_and_comes_back_soon_is_an_open_incident(room: Room) -> None:
    first = room.run(room.incidents.raise_condition(make_condition()))
    room.run(room.incidents.return_condition(first.condition_key))
    close(room, first)
    room.clock.advance(seconds=120)

    again = room.run(room.incidents.raise_condition(make_condition()))

    assert incident_of(room, again).status is IncidentStatus.NEW
    assert incident_of(room, first).status is IncidentStatus.CLOSED


def test_what_comes_back_soon_while_its_incident_is_open_keeps_it(room: Room) -> None:
    first = room.run(room.incidents.raise_condition(make_condition()))
    room.run(room.incidents.return_condition(first.condition_key))
    room.clock.advance(seconds=120)

    again = room.run(room.incidents.raise_condition(make_condition()))

    assert (again.occurrence, again.incident_id, again.n_calls) == (first.occurrence, first.incident_id, 2)


def test_what_was_attached_counts_to_the_incident_that_it_was_attached_to(room: Room) -> None:
    other = room.run(room.incidents.raise_condition(make_condition(condition_key="other", source_id="ring-south")))
    first = room.run(room.incidents.raise_condition(make_condition()))
    room.run(room.incidents.return_condition(first.condition_key))
    order = StepOrder(step=Step.ATTACH, alarm_id=first.alarm_id)
    version = incident_of(room, other).work_version
    room.run(dispatch_of(room).take_step(OLGA, other.incident_id, order, expect_version=version))
    room.clock.advance(seconds=60)

    again = room.run(room.incidents.raise_condition(make_condition()))
    assert again.occurrence == first.occurrence

    room.run(room.incidents.return_condition(first.condition_key))
    close(room, other)
    room.clock.advance(seconds=60)
    anew = room.run(room.incidents.raise_condition(make_condition()))
    assert anew.occurrence != first.occurrence
    assert incident_of(room, anew).status is IncidentStatus.NEW


def put_aside(room: Room, alarm: Alarm) -> None:
    """Shelve it for a minute."""
    meant = Meant(alarm_id=alarm.alarm_id, occurrence=alarm.occurrence, version=alarm.version)
    room.run(room.handling.shelve(OLGA, meant, for_s=60, reason=SHELVE_REASONS[0]))


def take_out(room: Room, alarm: Alarm) -> None:
    """Take it out of service for a minute."""
    meant = Meant(alarm_id=alarm.alarm_id, occurrence=alarm.occurrence, version=alarm.version)
    until = room.clock.now() + timedelta(seconds=60)
    room.run(room.handling.set_out_of_service(SUSI, meant, reason="works", until=until))


def announce_works(room: Room, alarm: Alarm) -> None:
    """Let works of a minute hold it."""
    works = PlannedWorks(
        works_id="",
        title="Works",
        sources=frozenset({Source(kind=alarm.source_kind, source_id=alarm.source_id)}),
        since=room.clock.now(),
        until=room.clock.now() + timedelta(seconds=60),
        by="susi",
        reason="lines",
    )
    room.run(room.handling.plan_works(SUSI, works))
    room.pass_time(1)


def acknowledge(room: Room, alarm: Alarm) -> None:
    """Let its rule call again after a while."""
    rules = room.tunings
    rules.replace({**shipped_book().tunings, "congestion": AlarmTuning(realarm_s={Priority.MEDIUM: 90.0})})
    room.run(
        room.incidents.acknowledge(OLGA, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version)
    )


@pytest.mark.parametrize("hold", [put_aside, take_out, announce_works, acknowledge])
def test_what_time_lets_call_anew_in_a_closed_incident_is_an_open_one(
    room: Room, hold: Callable[[Room, Alarm], None]
) -> None:
    first = room.run(room.incidents.raise_condition(make_condition()))
    hold(room, first)
    close(room, first)

    for _ in range(3):
        room.pass_time(60)

    (again,) = room.run(room.incidents.open_alarms())
    assert (again.alarm_id, again.state, again.n_calls) == (first.alarm_id, AlarmState.UNACKNOWLEDGED, 1)
    assert again.occurrence != first.occurrence
    opened, closed = incident_of(room, again), incident_of(room, first)
    assert (opened.status, opened.title, opened.ended_at) == (IncidentStatus.NEW, first.title, None)
    assert closed.status is IncidentStatus.CLOSED
    assert closed.ended_at is not None
    told = [event.incident for event in room.events if isinstance(event, IncidentChanged)]
    assert opened in told
    assert closed in told
    assert_journal_gives_the_tables(room)


@pytest.mark.parametrize("hold", [put_aside, take_out, announce_works, acknowledge])
def test_what_time_lets_call_anew_keeps_an_open_incident(room: Room, hold: Callable[[Room, Alarm], None]) -> None:
    first = room.run(room.incidents.raise_condition(make_condition()))
    hold(room, first)

    for _ in range(3):
        room.pass_time(60)

    (again,) = room.run(room.incidents.open_alarms())
    assert (again.state, again.n_calls) == (AlarmState.UNACKNOWLEDGED, 2)
    assert (again.occurrence, again.incident_id) == (first.occurrence, first.incident_id)


def test_what_grows_more_urgent_in_a_closed_incident_is_an_open_one(room: Room) -> None:
    first = room.run(room.incidents.raise_condition(make_condition()))
    close(room, first)
    room.clock.advance(seconds=60)

    worse = room.run(room.incidents.raise_condition(make_condition(priority=Priority.HIGH, title="Long congestion")))

    assert (worse.alarm_id, worse.state, worse.n_calls) == (first.alarm_id, AlarmState.UNACKNOWLEDGED, 1)
    opened, closed = incident_of(room, worse), incident_of(room, first)
    assert (opened.status, opened.title, opened.priority) == (IncidentStatus.NEW, "Long congestion", Priority.HIGH)
    assert (closed.status, closed.title, closed.ended_at) == (IncidentStatus.CLOSED, first.title, room.clock.now())
    assert_journal_gives_the_tables(room)


def test_what_comes_of_a_call_that_left_a_closed_incident_joins_its_open_one(room: Room) -> None:
    stands = take(room, sighting(room, K.STOPPED_VEHICLE))
    put_aside(room, stands)
    close(room, stands)
    room.pass_time(61)
    (again,) = room.run(room.incidents.open_alarms())
    room.clock.advance(seconds=300)

    assert take(room, sighting(room, K.CONGESTION)) is None

    take(room, sighting(room, K.STOPPED_VEHICLE, Phase.END))
    assert {one.incident_id for one in room.run(room.incidents.open_alarms())} == {again.incident_id}


def test_who_stands_behind_a_call_that_left_a_closed_incident_calls_after_it(room: Room) -> None:
    stands = take(room, sighting(room, K.STOPPED_VEHICLE))
    room.clock.advance(seconds=30)
    assert take(room, sighting(room, K.CONGESTION)) is None
    put_aside(room, stands)
    close(room, stands)
    room.pass_time(61)

    take(room, sighting(room, K.STOPPED_VEHICLE, Phase.END))

    (again,) = [one for one in room.run(room.incidents.open_alarms()) if one.alarm_id == stands.alarm_id]
    (jam,) = [one for one in room.run(room.incidents.open_alarms()) if one.kind == "congestion"]
    assert jam.incident_id == again.incident_id != stands.incident_id


async def take_and_meanwhile(room: Room, seen: Observation, *steps: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Take what was seen, and these steps between its transaction and the removal of its picture, which takes long."""
    loop, may_go_on = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(max_workers=1))
    snapshot = Snapshot(jpeg=b"\xff\xd8 seen \xff\xd9", captured_at=seen.captured_at)
    taking = asyncio.create_task(room.incidents.take_observation(seen, camera_name="Ring North", snapshot=snapshot))
    await asyncio.sleep(0)
    # The picture is being written; whatever comes after it on that thread waits.
    holding_up = loop.run_in_executor(None, may_go_on.wait)
    try:
        while not await room.store.read(lambda s: s.get(ObservationRow, seen.observation_id) is not None):
            pass
        for step in steps:
            await step()
        assert not taking.done()
    finally:
        may_go_on.set()
        await asyncio.gather(taking, holding_up)


def test_who_came_while_the_call_before_it_left_a_closed_incident_calls_after_it(room: Room) -> None:
    stands = take(room, sighting(room, K.STOPPED_VEHICLE))
    put_aside(room, stands)
    close(room, stands)
    jam = sighting(room, K.CONGESTION)
    room.clock.advance(seconds=61)

    room.run(take_and_meanwhile(room, jam, room.keeper.tick))
    take(room, sighting(room, K.STOPPED_VEHICLE, Phase.END))

    assert {alarm.kind for alarm in room.run(room.incidents.open_alarms())} == {"stopped_vehicle", "congestion"}


def test_who_came_while_the_call_before_it_ended_calls(room: Room) -> None:
    take(room, sighting(room, K.STOPPED_VEHICLE))
    ended = sighting(room, K.STOPPED_VEHICLE, Phase.END)

    async def end() -> None:
        await room.incidents.take_observation(ended, camera_name="Ring North")

    room.run(take_and_meanwhile(room, sighting(room, K.CONGESTION), end))

    assert {alarm.kind for alarm in room.run(room.incidents.open_alarms())} == {"stopped_vehicle", "congestion"}
