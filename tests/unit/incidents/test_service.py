"""Conditions, alarms, acknowledgements and pictures, on a real store."""

import asyncio
import hashlib
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from core.access import audit
from core.field.model import Device, DeviceState
from core.incidents import ledger, machine
from core.incidents.doubt import CONFIRM_S
from core.incidents.ledger import Measured
from core.incidents.model import (
    Alarm,
    AlarmChanged,
    AlarmState,
    IncidentChanged,
    IncidentStatus,
    Priority,
    Quality,
    Snapshot,
    SourceKind,
)
from core.incidents.policy import condition_of_system
from core.incidents.tuning import AlarmTuning
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError, UnavailableError
from core.kernel.ids import new_id
from core.kernel.zone import set_site_zone
from core.store.tables import AuditRow, ObservationRow
from core.vision.model import Observation, ObservationKind, Phase
from tests.fixtures.room import OLGA, OMAR, VERA, Room, make_condition

KEY = make_condition().condition_key
JPEG = b"\xff\xd8 a picture \xff\xd9"


def raise_one(room: Room, **changes: object) -> Alarm:
    return room.run(room.incidents.raise_condition(make_condition(**changes)))


def acknowledge(room: Room, alarm: Alarm, actor=OLGA, comment: str = "") -> Alarm:
    return room.run(
        room.incidents.acknowledge(
            actor, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version, comment=comment
        )
    )


def observe(room: Room, **changes: object) -> Observation:
    seen = Observation(
        observation_id=new_id(),
        camera_id="ring-north",
        kind=ObservationKind.CONGESTION,
        phase=Phase.BEGIN,
        rule_key="zone-a",
        rule_name="Lane A",
        condition_key="congestion:zone-a",
        pts_s=12.5,
        captured_at=room.clock.now(),
        values={"n_vehicles": 12.0, "density": 0.8, "speed_ratio": 0.2},
    )
    return replace(seen, **changes)


def take(room: Room, observation: Observation, snapshot: Snapshot | None = None) -> Alarm | None:
    return room.run(room.incidents.take_observation(observation, camera_name="Ring North", snapshot=snapshot))


def test_a_condition_becomes_an_incident_an_alarm_a_journal_and_an_audit_row_at_once(room: Room) -> None:
    alarm = raise_one(room)

    assert room.run(room.incidents.open_alarms()) == (alarm,)
    incident = room.run(room.incidents.recent_incidents(10))[0]
    assert (incident.incident_id, incident.status, incident.ended_at) == (alarm.incident_id, IncidentStatus.NEW, None)
    assert [entry.event for entry in room.run(room.incidents.journal(alarm.alarm_id))] == ["raise"]
    assert [entry.action for entry in room.run(audit.recent(room.store))] == ["alarm.raise"]
    assert room.events == [IncidentChanged(incident=incident), AlarmChanged(alarm=alarm)]


def test_nothing_is_published_where_nothing_was_stored(room: Room) -> None:
    room.run(room.store.close())

    with pytest.raises(Exception, match="closed"):
        raise_one(room)

    assert room.events == []


def test_a_condition_that_holds_already_is_left_alone(room: Room) -> None:
    first = raise_one(room)
    room.events.clear()

    assert raise_one(room, detail="13 vehicles") == first
    assert room.events == []
    assert len(room.run(room.incidents.recent_incidents(10))) == 1


def test_the_list_shows_what_calls_first_and_then_the_most_urgent(room: Room) -> None:
    seen = raise_one(room, condition_key="a", priority=Priority.CRITICAL)
    acknowledge(room, seen)
    low = raise_one(room, condition_key="b", priority=Priority.LOW)
    high = raise_one(room, condition_key="c", priority=Priority.HIGH)

    listed = [alarm.alarm_id for alarm in room.run(room.incidents.open_alarms())]

    assert listed == [high.alarm_id, low.alarm_id, seen.alarm_id]
    assert room.run(room.incidents.n_unacknowledged()) == 2


def test_an_acknowledged_alarm_leaves_the_list_when_its_condition_ends(room: Room) -> None:
    acknowledge(room, raise_one(room))

    room.clock.advance(seconds=60)
    ended = room.run(room.incidents.return_condition(KEY))

    assert ended is not None
    assert ended.state is AlarmState.NORMAL
    assert room.run(room.incidents.open_alarms()) == ()
    assert room.run(room.incidents.recent_incidents(1))[0].ended_at == room.clock.now()


def test_a_condition_that_was_never_raised_has_no_end(room: Room) -> None:
    assert room.run(room.incidents.return_condition("camera/none/lost")) is None
    assert room.events == []


def test_the_same_incident_goes_on_when_the_condition_is_back_soon(room: Room) -> None:
    first = raise_one(room)
    room.run(room.incidents.return_condition(KEY))
    room.clock.advance(seconds=100)

    again = raise_one(room)

    assert (again.alarm_id, again.incident_id, again.n_repeats) == (first.alarm_id, first.incident_id, 1)
    assert [incident.ended_at for incident in room.run(room.incidents.recent_incidents(10))] == [None]


def test_a_late_return_of_the_condition_is_another_incident_of_the_same_alarm(room: Room) -> None:
    first = raise_one(room)
    room.run(room.incidents.return_condition(KEY))
    room.clock.advance(seconds=400)

    again = raise_one(room)

    assert again.alarm_id == first.alarm_id
    assert again.occurrence != first.occurrence
    assert len(room.run(room.incidents.recent_incidents(10))) == 2


def test_of_two_operators_the_second_reads_who_was_faster(room: Room) -> None:
    alarm = raise_one(room)
    acknowledge(room, alarm, OLGA)
    room.clock.advance(seconds=12)

    with pytest.raises(StaleWriteError, match=r"olga at Desk 1 acknowledged Congestion in Lane A 12 s ago"):
        acknowledge(room, alarm, OMAR)


def test_two_operators_at_the_same_moment_leave_one_acknowledge(room: Room) -> None:
    alarm = raise_one(room)

    async def both() -> list[object]:
        return await asyncio.gather(
            *(
                room.incidents.acknowledge(
                    actor, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version
                )
                for actor in (OLGA, OMAR)
            ),
            return_exceptions=True,
        )

    first, second = room.run(both())

    assert isinstance(first, Alarm)
    assert isinstance(second, StaleWriteError)
    events = [entry.event for entry in room.run(room.incidents.journal(alarm.alarm_id))]
    assert events == ["raise", "acknowledge"]


def test_a_repeated_request_of_the_same_operator_is_no_error(room: Room) -> None:
    alarm = raise_one(room)

    assert acknowledge(room, alarm) == acknowledge(room, alarm)
    commented = raise_one(room, condition_key="camera/ring-north/congestion:zone-b")
    assert acknowledge(room, commented, comment="Seen") == acknowledge(room, commented, comment="Seen")


def test_a_repeated_request_with_other_words_is_refused_because_they_would_be_lost(room: Room) -> None:
    alarm = raise_one(room)
    seen = acknowledge(room, alarm, comment="Tow truck is called.")

    with pytest.raises(StaleWriteError, match="acknowledged Congestion in Lane A 0 s ago"):
        acknowledge(room, alarm, comment="Police is called.")

    assert room.run(room.incidents.open_alarms()) == (seen,)


def test_a_viewer_cannot_acknowledge(room: Room) -> None:
    alarm = raise_one(room)

    with pytest.raises(NotPermittedError, match="needs an operator"):
        acknowledge(room, alarm, VERA)

    assert room.run(room.incidents.n_unacknowledged()) == 1


def test_an_acknowledge_is_refused_where_the_alarm_called_again_meanwhile(room: Room) -> None:
    alarm = raise_one(room)
    raise_one(room, priority=Priority.CRITICAL)

    with pytest.raises(StaleWriteError, match="called again"):
        acknowledge(room, alarm)


def test_an_acknowledge_of_an_older_occurrence_is_refused(room: Room) -> None:
    alarm = raise_one(room)
    room.run(room.incidents.return_condition(KEY))
    room.clock.advance(seconds=400)
    raise_one(room)

    with pytest.raises(StaleWriteError, match="called again"):
        acknowledge(room, alarm)


def test_an_acknowledge_counts_although_the_condition_ended_meanwhile(room: Room) -> None:
    alarm = raise_one(room)
    room.run(room.incidents.return_condition(KEY))

    assert acknowledge(room, alarm).state is AlarmState.NORMAL


def test_acknowledging_what_is_not_there_is_a_sentence(room: Room) -> None:
    with pytest.raises(BadInputError, match="no such alarm"):
        room.run(room.incidents.acknowledge(OLGA, "gone", occurrence="x", expect_version=1))


def test_the_journal_replays_to_the_stored_alarm(room: Room) -> None:
    alarm = raise_one(room)
    room.run(room.incidents.set_quality(SourceKind.CAMERA, "ring-north", Quality.STALE))
    room.run(room.incidents.return_condition(KEY))
    room.clock.advance(seconds=500)
    raise_one(room, priority=Priority.HIGH)
    room.run(room.incidents.set_quality(SourceKind.CAMERA, "ring-north", Quality.GOOD))
    stored = room.run(room.incidents.open_alarms())[0]
    acknowledge(room, stored)
    stored = room.run(room.incidents.open_alarms())[0]

    events = room.run(room.store.read(lambda s: ledger.events_of(s, alarm.alarm_id)))

    assert len(events) == stored.version == 6
    assert machine.replay(events) == stored


def test_a_lost_camera_makes_its_alarms_doubtful_but_not_the_one_that_says_so(room: Room) -> None:
    raise_one(room)
    raise_one(room, condition_key="camera/ring-north/lost", kind="camera_lost")

    changed = room.run(room.incidents.set_quality(SourceKind.CAMERA, "ring-north", Quality.STALE))

    assert [(alarm.kind, alarm.quality, alarm.state) for alarm in changed] == [
        ("congestion", Quality.STALE, AlarmState.UNACKNOWLEDGED)
    ]


def test_a_blind_camera_makes_its_alarms_doubtful_but_not_the_one_that_says_so(room: Room) -> None:
    raise_one(room)
    raise_one(room, condition_key="camera/ring-north/camera_blinded", kind="camera_blinded")

    changed = room.run(
        room.incidents.set_quality(SourceKind.CAMERA, "ring-north", Quality.STALE, sure={"camera_blinded"})
    )

    assert [(alarm.kind, alarm.quality) for alarm in changed] == [("congestion", Quality.STALE)]


def test_the_same_observation_twice_changes_nothing(room: Room) -> None:
    seen = observe(room)
    alarm = take(room, seen)
    room.events.clear()

    assert take(room, seen, Snapshot(jpeg=JPEG, captured_at=room.clock.now())) is None

    assert room.events == []
    assert room.run(room.incidents.open_alarms()) == (alarm,)
    assert [path for path in (room.folder / "evidence").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("kind", "priority"),
    [
        (ObservationKind.CONGESTION, Priority.MEDIUM),
        (ObservationKind.STOPPED_VEHICLE, Priority.HIGH),
        (ObservationKind.VEHICLE_IN_ZONE, Priority.HIGH),
        (ObservationKind.LINE_CROSSED, None),
        (ObservationKind.ZONE_ENTERED, None),
    ],
)
def test_only_what_needs_an_operator_calls_one(room: Room, kind: ObservationKind, priority: Priority | None) -> None:
    alarm = take(room, observe(room, kind=kind))

    assert (alarm.priority if alarm else None) is priority
    assert room.run(room.store.read(lambda s: s.scalar(select(func.count()).select_from(ObservationRow)))) == 1


def test_an_observation_says_its_figures_in_words(room: Room) -> None:
    alarm = take(room, observe(room))

    assert alarm is not None
    assert (alarm.title, alarm.detail) == ("Congestion in Lane A", "12 vehicles, 80% full, 20% of free flow")


def test_a_car_that_stood_there_before_anybody_looked_is_not_urgent(room: Room) -> None:
    parked = observe(room, kind=ObservationKind.STOPPED_VEHICLE, values={"standing_s": 70.0, "was_parked": 1.0})

    alarm = take(room, parked)

    assert alarm is not None
    assert alarm.priority is Priority.LOW


def test_begin_and_end_of_an_observation_raise_and_return_its_alarm(room: Room) -> None:
    take(room, observe(room))

    ended = take(room, observe(room, phase=Phase.END))

    assert ended is not None
    assert ended.state is AlarmState.RETURNED_UNACKNOWLEDGED


def test_a_picture_is_kept_with_its_hash(room: Room) -> None:
    alarm = take(room, observe(room), Snapshot(jpeg=JPEG, captured_at=room.clock.now()))

    assert alarm is not None
    incident = room.run(room.incidents.get_incident(alarm.incident_id))
    assert incident is not None
    assert incident.snapshot_path.startswith("2026/01/01/")
    assert incident.snapshot_sha256 == hashlib.sha256(JPEG).hexdigest()
    assert room.run(room.incidents.snapshot_bytes(alarm.incident_id)) == JPEG


def test_a_database_that_is_away_leaves_no_heap_of_pictures(room: Room) -> None:
    seen, snapshot = observe(room), Snapshot(jpeg=JPEG, captured_at=room.clock.now())
    other = sqlite3.connect(room.folder / "watchfloor.sqlite3", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError):
        take(room, seen, snapshot)
    other.close()

    alarm = take(room, seen, snapshot)

    assert alarm is not None
    assert room.run(room.incidents.snapshot_bytes(alarm.incident_id)) == JPEG
    assert len([path for path in (room.folder / "evidence").rglob("*") if path.is_file()]) == 1


def test_a_try_after_the_stored_one_leaves_its_picture_alone(room: Room) -> None:
    seen, snapshot = observe(room), Snapshot(jpeg=JPEG, captured_at=room.clock.now())
    alarm = take(room, seen, snapshot)
    assert alarm is not None

    take(room, seen, snapshot)

    assert room.run(room.incidents.snapshot_bytes(alarm.incident_id)) == JPEG


def test_a_picture_that_was_changed_on_the_disk_is_not_shown(room: Room) -> None:
    alarm = take(room, observe(room), Snapshot(jpeg=JPEG, captured_at=room.clock.now()))
    assert alarm is not None
    incident = room.run(room.incidents.get_incident(alarm.incident_id))
    assert incident is not None
    (room.folder / "evidence" / incident.snapshot_path).write_bytes(b"another picture")

    with pytest.raises(BadInputError, match="not the one that was stored"):
        room.run(room.incidents.snapshot_bytes(alarm.incident_id))


def test_a_picture_that_cannot_be_written_does_not_keep_the_alarm_back(room: Room) -> None:
    (room.folder / "evidence").write_text("a file where the folder should be")

    alarm = take(room, observe(room), Snapshot(jpeg=JPEG, captured_at=room.clock.now()))

    assert alarm is not None
    assert "snapshot could not be stored" in alarm.detail
    assert room.run(room.incidents.snapshot_bytes(alarm.incident_id)) == b""
    kinds = {open_alarm.kind: open_alarm.priority for open_alarm in room.run(room.incidents.open_alarms())}
    assert kinds == {"congestion": Priority.MEDIUM, "evidence": Priority.HIGH}


def test_the_fault_of_the_pictures_ends_with_the_first_one_that_is_kept(room: Room) -> None:
    snapshot = Snapshot(jpeg=JPEG, captured_at=room.clock.now())
    (room.folder / "evidence").write_text("a file where the folder should be")
    take(room, observe(room), snapshot)
    (room.folder / "evidence").unlink()

    take(room, observe(room, camera_id="other"), snapshot)

    faults = [alarm for alarm in room.run(room.incidents.open_alarms()) if alarm.kind == "evidence"]
    assert [alarm.state for alarm in faults] == [AlarmState.RETURNED_UNACKNOWLEDGED]


def test_an_acknowledge_lives_through_a_restart_where_the_rule_says_it_again(room: Room) -> None:
    alarm = acknowledge(room, raise_one(room))
    room.restart()

    doubtful = room.run(room.incidents.start())
    raise_one(room)
    room.pass_time(3600)

    (stored,) = room.run(room.incidents.open_alarms())
    assert [one.quality for one in doubtful] == [Quality.STALE]
    assert (stored.alarm_id, stored.state, stored.quality) == (alarm.alarm_id, AlarmState.ACKNOWLEDGED, Quality.GOOD)
    assert stored.n_calls == 1


def start_again(room: Room, sources_heard: set[str]) -> None:
    """Restart, hear exactly the sources in `sources_heard`, and look at them once."""
    room.restart()
    room.incidents.hear_by(lambda doubtful: CONFIRM_S if doubtful.source_id in sources_heard else None)
    room.run(room.incidents.start())
    room.pass_time(0)


def test_what_no_rule_says_again_after_a_start_has_returned_once_its_source_was_heard_for_long_enough(
    room: Room,
) -> None:
    alarm = raise_one(room)

    start_again(room, {"ring-north"})
    room.pass_time(179)
    before = room.run(room.incidents.open_alarms())[0]
    room.pass_time(1)

    (stored,) = room.run(room.incidents.open_alarms())
    assert (before.state, before.quality) == (AlarmState.UNACKNOWLEDGED, Quality.STALE)
    assert (stored.alarm_id, stored.state) == (alarm.alarm_id, AlarmState.RETURNED_UNACKNOWLEDGED)
    assert stored.quality is Quality.GOOD


def test_an_alarm_whose_source_is_not_heard_after_a_start_stays_active_for_as_long_as_that_lasts(room: Room) -> None:
    alarm = acknowledge(room, raise_one(room))

    start_again(room, set())
    for _ in range(3):
        room.pass_time(24 * 3600)

    (stored,) = room.run(room.incidents.open_alarms())
    assert (stored.alarm_id, stored.is_active, stored.quality) == (alarm.alarm_id, True, Quality.STALE)


def test_a_source_that_is_lost_again_before_it_was_heard_for_long_enough_says_nothing(room: Room) -> None:
    raise_one(room)
    heard = {"ring-north"}

    start_again(room, heard)
    room.pass_time(170)
    heard.clear()
    room.pass_time(1)
    heard.add("ring-north")
    room.pass_time(1)
    room.pass_time(179)
    before = room.run(room.incidents.open_alarms())[0].is_active
    room.pass_time(1)

    assert before
    assert not room.run(room.incidents.open_alarms())[0].is_active


def test_a_source_that_is_heard_again_makes_good_only_what_is_said_again(room: Room) -> None:
    raise_one(room)
    raise_one(room, condition_key="camera/ring-north/stopped_vehicle:zone-a:7")
    start_again(room, set())

    raise_one(room)
    room.run(room.incidents.set_quality(SourceKind.CAMERA, "ring-north", Quality.STALE))
    room.run(room.incidents.set_quality(SourceKind.CAMERA, "ring-north", Quality.GOOD))

    qualities = {alarm.condition_key: alarm.quality for alarm in room.run(room.incidents.open_alarms())}
    assert qualities == {KEY: Quality.GOOD, "camera/ring-north/stopped_vehicle:zone-a:7": Quality.STALE}


def test_an_end_that_is_heard_after_a_restart_counts_at_once(room: Room) -> None:
    acknowledge(room, raise_one(room))
    room.restart()
    room.run(room.incidents.start())

    ended = room.run(room.incidents.return_condition(KEY))

    assert ended is not None
    assert ended.state is AlarmState.NORMAL


def test_a_condition_that_a_camera_sees_again_after_a_restart_is_the_same_alarm(room: Room) -> None:
    alarm = take(room, observe(room))
    room.restart()
    room.run(room.incidents.start())

    take(room, observe(room))

    (stored,) = room.run(room.incidents.open_alarms())
    assert alarm is not None
    assert (stored.alarm_id, stored.quality, stored.n_repeats) == (alarm.alarm_id, Quality.GOOD, 0)


def test_an_acknowledge_lives_through_the_restart_of_a_worker(room: Room) -> None:
    seen = acknowledge(room, take(room, observe(room)))
    elsewhere = take(room, observe(room, camera_id="other"))

    doubtful = room.run(room.incidents.doubt_source(SourceKind.CAMERA, "ring-north"))
    take(room, observe(room))
    room.pass_time(180)

    listed = {alarm.alarm_id: alarm for alarm in room.run(room.incidents.open_alarms())}
    assert [alarm.alarm_id for alarm in doubtful] == [seen.alarm_id]
    assert (listed[seen.alarm_id].state, listed[seen.alarm_id].quality) == (AlarmState.ACKNOWLEDGED, Quality.GOOD)
    assert elsewhere is not None
    assert listed[elsewhere.alarm_id] == elsewhere


def test_what_no_rule_says_again_after_the_restart_of_a_worker_is_returned(room: Room) -> None:
    acknowledge(room, take(room, observe(room)))

    room.incidents.hear_by(lambda _doubtful: CONFIRM_S)
    room.run(room.incidents.doubt_source(SourceKind.CAMERA, "ring-north"))
    room.pass_time(0)
    room.pass_time(180)

    assert room.run(room.incidents.open_alarms()) == ()


def test_only_the_conditions_that_are_named_become_doubtful(room: Room) -> None:
    lane, full = (raise_one(room, condition_key=f"lot/quay/{kind}") for kind in ("lot_lane_blocked:Fire", "lot_full"))

    doubtful = room.run(room.incidents.doubt_conditions({lane.condition_key, "lot/quay/never_raised"}))

    assert [(alarm.alarm_id, alarm.is_active, alarm.quality) for alarm in doubtful] == [
        (lane.alarm_id, True, Quality.STALE)
    ]
    listed = {alarm.alarm_id: alarm for alarm in room.run(room.incidents.open_alarms())}
    assert listed[full.alarm_id] == full


def test_a_worker_that_does_not_come_back_ends_no_alarm(room: Room) -> None:
    seen = acknowledge(room, take(room, observe(room)))

    room.run(room.incidents.doubt_source(SourceKind.CAMERA, "ring-north"))
    room.pass_time(3600)

    (stored,) = room.run(room.incidents.open_alarms())
    assert (stored.alarm_id, stored.is_active, stored.quality) == (seen.alarm_id, True, Quality.STALE)


def test_conditions_that_a_source_no_longer_has_are_returned(room: Room) -> None:
    raise_one(room)
    raise_one(room, condition_key="camera/ring-north/stopped_vehicle:zone-a:7")
    raise_one(room, condition_key="camera/other/congestion:zone-a", source_id="other")

    changed = room.run(room.incidents.return_missing(SourceKind.CAMERA, "ring-north", {KEY}))

    assert [alarm.condition_key for alarm in changed] == ["camera/ring-north/stopped_vehicle:zone-a:7"]


def test_what_thousands_of_removed_sources_were_called_for_ends_in_one_transaction(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {(SourceKind.DEVICE, f"north/p{n}") for n in range(5000)}
    for source in ("north/p7", "north/p4999", "south/p7"):
        raise_one(room, condition_key=f"device/{source}/x", source_kind=SourceKind.DEVICE, source_id=source)
    writes: list[object] = []
    write = room.store.write
    monkeypatch.setattr(room.store, "write", lambda fn: writes.append(fn) or write(fn))

    changed = room.run(room.incidents.return_sources(gone))

    assert sorted(alarm.source_id for alarm in changed) == ["north/p4999", "north/p7"]
    assert len(writes) == 1


def test_a_lost_device_calls_after_a_moment_and_a_goodbye_does_not(room: Room) -> None:
    device = Device(device_id="north/post-1", kind="station", name="Post 1", state=DeviceState.LOST)

    at_once = room.run(room.incidents.take_device_state(device))
    room.clock.advance(seconds=15)
    room.run(room.incidents.tick())
    (lost,) = room.run(room.incidents.open_alarms())
    gone = room.run(room.incidents.take_device_state(replace(device, state=DeviceState.OFFLINE)))

    assert at_once is None
    assert (lost.priority, lost.is_active) == (Priority.LOW, True)
    assert gone is not None
    assert not gone.is_active


def test_the_history_finds_alarms_by_time_source_and_kind(room: Room) -> None:
    early = room.clock.now()
    raise_one(room)
    room.clock.advance(seconds=3600)
    raise_one(room, condition_key="camera/other/lost", source_id="other", kind="camera_lost")
    late = room.clock.now()
    room.clock.advance(seconds=1)

    def history(**wanted: object) -> list[str]:
        found = room.run(room.incidents.history(**({"since": early, "until": room.clock.now()} | wanted)))
        return [alarm.source_id for alarm in found]

    assert history() == ["other", "ring-north"]
    assert history(since=late) == ["other"]
    assert history(source_id="ring-north") == ["ring-north"]
    assert history(kind="camera_lost") == ["other"]


def test_text_that_no_database_can_keep_does_not_stop_an_alarm(room: Room) -> None:
    alarm = raise_one(room, title="Zone \x00 \ud800", detail="\x00")

    assert alarm.title == "Zone  ?"


def test_every_raise_and_every_acknowledge_stands_in_a_sound_audit(room: Room) -> None:
    acknowledge(room, raise_one(room))

    verdict = room.run(audit.verify(room.store))
    actions = room.run(room.store.read(lambda s: list(s.scalars(select(AuditRow.action).order_by(AuditRow.sequence)))))

    assert verdict.ok, verdict.reason
    assert actions == ["alarm.raise", "alarm.acknowledge"]


def test_a_comment_is_kept_with_its_author_and_does_not_acknowledge(room: Room) -> None:
    alarm = raise_one(room)

    commented = room.run(room.incidents.comment(OLGA, alarm.alarm_id, "Tow truck is called."))

    assert commented.comment == "Tow truck is called."
    assert commented.is_calling
    last = room.run(room.incidents.journal(alarm.alarm_id))[-1]
    assert (last.event, last.actor, last.comment) == ("comment", OLGA.name, "Tow truck is called.")
    assert acknowledge(room, alarm).comment == "Tow truck is called.", "an acknowledge without words keeps it"


def test_a_viewer_writes_no_comments_and_nobody_writes_empty_ones(room: Room) -> None:
    alarm = raise_one(room)

    with pytest.raises(NotPermittedError):
        room.run(room.incidents.comment(VERA, alarm.alarm_id, "Hello"))
    with pytest.raises(BadInputError, match="empty"):
        room.run(room.incidents.comment(OLGA, alarm.alarm_id, "  "))


def test_a_device_of_which_nothing_stands_asks_nothing_of_the_database_and_one_that_was_lost_does(room, monkeypatch):
    here = Device(device_id="air/a", kind="other", name="A", state=DeviceState.ONLINE)
    room.run(room.incidents.take_device_state(replace(here, device_id="air/b", state=DeviceState.LOST)))
    asked = []
    write = room.store.write
    monkeypatch.setattr(room.store, "write", lambda run: (asked.append(run), write(run))[1])

    assert room.run(room.incidents.take_device_state(here)) is None
    assert asked == []
    room.pass_time(60)
    returned = room.run(room.incidents.take_device_state(replace(here, device_id="air/b")))
    assert returned is not None
    assert not returned.is_active


def test_sources_with_long_names_are_stored_as_what_they_end_with_and_stay_apart(room):
    parts = [f"/srv/{letter}/{'long/' * 40}watchfloor.toml:vision.wrong" for letter in "ab"]
    alarms = [
        room.run(room.incidents.raise_condition(condition_of_system("settings", part=part, detail="")))
        for part in parts
    ]

    assert [len(alarm.source_id) for alarm in alarms] == [80, 80]
    assert alarms[0].source_id != alarms[1].source_id
    assert all(alarm.source_id.endswith("watchfloor.toml:vision.wrong") for alarm in alarms)
    assert not room.run(room.incidents.return_condition(alarms[0].condition_key)).is_active


def test_by_which_numbers_conditions_came_and_went_lately_is_known_after_a_restart(room):
    at = room.clock.now()
    for key in ("device/a", "device/b"):
        condition = make_condition(condition_key=key, measured_at=at + timedelta(seconds=1))
        room.run(room.incidents.raise_condition(condition))
    room.run(room.incidents.return_condition("device/a", at + timedelta(seconds=2)))
    room.run(room.incidents.raise_condition(make_condition(condition_key="camera/c")))
    room.restart()

    assert room.run(room.incidents.measured_lately()) == {
        "device/a": Measured(at + timedelta(seconds=1), at + timedelta(seconds=2)),
        "device/b": Measured(at + timedelta(seconds=1), None),
    }
    # However long nobody kept the journal; only what came after it makes it old.
    room.clock.advance(seconds=7200.0)
    assert len(room.run(room.incidents.measured_lately())) == 2
    room.run(room.incidents.raise_condition(make_condition(condition_key="camera/d")))
    assert room.run(room.incidents.measured_lately()) == {}


def test_a_return_that_waited_for_its_off_delay_is_known_by_its_measurement_too(room):
    at = room.clock.now()
    room.tunings.replace({"congestion": AlarmTuning(off_delay_s=10.0)})
    room.run(room.incidents.raise_condition(make_condition(condition_key="device/a", measured_at=at)))
    room.run(room.incidents.return_condition("device/a", at + timedelta(seconds=1)))
    room.pass_time(11.0)

    assert room.run(room.incidents.measured_lately()) == {"device/a": Measured(at, at + timedelta(seconds=1))}


def test_what_is_stored_late_says_the_day_and_the_time_at_the_site(room):
    set_site_zone("America/New_York")
    at = datetime(2026, 3, 9, 3, 59, 12, tzinfo=UTC)

    room.run(room.incidents.take_late(replace(observe(room), captured_at=at), camera_name="Ring North"))

    (alarm,) = room.run(room.incidents.open_alarms())
    assert alarm.detail.endswith(", seen at 2026-03-08 23:59:12-04:00, stored late")
