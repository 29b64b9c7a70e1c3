"""The life of an incident, its units, and the alarms that count to it, on a real store."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from core.access import audit
from core.incidents import work
from core.incidents.dispatch import DispatchService
from core.incidents.model import Incident, IncidentChanged, IncidentStatus, Priority, Snapshot, SourceKind
from core.incidents.work import (
    NEEDS,
    NEXT,
    PUBLISHED_FOR,
    Disposition,
    Duty,
    HandIncident,
    Need,
    Publication,
    Step,
    StepOrder,
    TimerState,
    Unit,
    UnitChanged,
    timers_of,
)
from core.kernel.errors import BadInputError, ConsoleError, NotPermittedError, StaleWriteError
from core.store.tables import IncidentStepRow
from tests.fixtures.room import OLGA, OMAR, SUSI, VERA, Room, make_condition


@pytest.fixture
def dispatch(room: Room) -> DispatchService:
    return DispatchService(room.store, room.bus, room.clock, evidence=room.folder / "evidence")


@pytest.fixture
def patrol(room, dispatch) -> Unit:
    return room.run(dispatch.save_unit(SUSI, Unit(unit_id="", call_sign="Patrol 1", kind="Patrol")))


@pytest.fixture
def take(room, dispatch):
    """Return a function that takes a step from what the operator sees now."""

    def take_step(incident_id, step, *, actor=OLGA, version=None, **order):
        seen = room.run(dispatch.detail(incident_id)).incident.work_version if version is None else version
        return room.run(dispatch.take_step(actor, incident_id, StepOrder(step=step, **order), expect_version=seen))

    return take_step


def raise_one(room, key="camera/ring-north/congestion:zone-a", **changes):
    return room.run(room.incidents.raise_condition(make_condition(condition_key=key, **changes)))


def by_hand(room, dispatch, **wanted):
    return room.run(
        dispatch.open_by_hand(OLGA, HandIncident(**{"kind": "debris", "title": "Tyre on lane 2", **wanted}))
    )


def steps_of(room, dispatch, incident_id):
    return [entry.what for entry in room.run(dispatch.detail(incident_id)).timeline if not entry.is_alarm]


def test_an_incident_lives_from_new_to_closed_and_its_alarm_never_notices(room, dispatch, patrol, take):
    alarm = raise_one(room)
    statuses = []

    for step, order in (
        (Step.ASSIGN, {"unit_id": patrol.unit_id, "operator": "olga"}),
        (Step.DEPART, {}),
        (Step.ARRIVE, {}),
        (Step.RESOLVE, {"comment": "towed"}),
        (Step.CLOSE, {"disposition": Disposition.TRUE}),
    ):
        room.clock.advance(seconds=30)
        incident = take(alarm.incident_id, step, **order)
        statuses.append(incident.status)

    assert statuses == ["assigned", "en_route", "on_scene", "resolved", "closed"]
    assert incident.disposition == Disposition.TRUE
    assert incident.closed_at == room.clock.now()
    (still,) = room.run(room.incidents.open_alarms())
    assert still == alarm


@pytest.mark.parametrize("camera_id", ["", "ring-north"])
def test_what_was_written_by_hand_ends_once_it_is_resolved_wherever_it_was_seen(room, dispatch, take, camera_id):
    incident = by_hand(room, dispatch, camera_id=camera_id)
    assert incident.ended_at is None
    take(incident.incident_id, Step.ASSIGN, operator="olga")
    room.clock.advance(seconds=30)

    assert take(incident.incident_id, Step.RESOLVE).ended_at == room.clock.now()


def test_what_was_written_by_hand_lasts_again_once_it_is_opened_again(room, dispatch, take):
    incident = by_hand(room, dispatch, camera_id="ring-north")
    take(incident.incident_id, Step.ASSIGN, operator="olga")
    take(incident.incident_id, Step.RESOLVE)

    assert take(incident.incident_id, Step.REOPEN, comment="It still lies there.").ended_at is None


def test_what_a_rule_saw_and_is_over_stays_over_when_it_is_opened_again(room, dispatch, take):
    alarm = raise_one(room)
    take(alarm.incident_id, Step.ASSIGN, operator="olga")
    room.run(room.incidents.return_condition(alarm.condition_key))
    take(alarm.incident_id, Step.RESOLVE)

    assert take(alarm.incident_id, Step.REOPEN, comment="Look at it again.").ended_at == room.clock.now()


def test_what_a_rule_saw_goes_on_after_it_is_resolved_until_its_alarm_returns(room, dispatch, take):
    alarm = raise_one(room)
    take(alarm.incident_id, Step.ASSIGN, operator="olga")

    assert take(alarm.incident_id, Step.RESOLVE).ended_at is None


def test_acknowledging_an_alarm_moves_no_incident(room, dispatch):
    alarm = raise_one(room)
    room.run(
        room.incidents.acknowledge(OLGA, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version)
    )
    room.run(room.incidents.return_condition(alarm.condition_key))

    assert room.run(dispatch.detail(alarm.incident_id)).incident.status is IncidentStatus.NEW


def test_every_step_is_told_with_who_where_when_and_why(room, dispatch, patrol, take):
    incident = by_hand(room, dispatch)
    room.clock.advance(seconds=12)
    take(incident.incident_id, Step.ASSIGN, actor=OMAR, unit_id=patrol.unit_id, comment="nearest")

    opened, assigned = room.run(dispatch.detail(incident.incident_id)).timeline
    assert (opened.what, opened.actor, opened.desk) == ("Opened by hand", "olga", "Desk 1")
    assert (assigned.what, assigned.detail, assigned.comment) == ("Assigned", "Patrol 1", "nearest")
    assert (assigned.actor, assigned.desk, assigned.at) == ("omar", "Desk 2", room.clock.now())
    actions = [entry.action for entry in room.run(audit.recent(room.store))]
    assert actions[:3] == ["incident.assign", "incident.open", "unit.save"]


def test_steps_are_stored_before_they_are_told(room, dispatch, take):
    incident = by_hand(room, dispatch)
    take(incident.incident_id, Step.ASSIGN, operator="olga")

    told = [event.incident for event in room.events if isinstance(event, IncidentChanged)]
    assert [one.status for one in told] == [IncidentStatus.NEW, IncidentStatus.ASSIGNED]
    assert room.run(dispatch.detail(incident.incident_id)).incident == told[-1]


def test_the_database_refuses_to_change_or_remove_a_step(room, dispatch):
    by_hand(room, dispatch)

    for statement in ("UPDATE incident_step SET comment = 'never said'", "DELETE FROM incident_step"):
        with pytest.raises((DBAPIError, ConsoleError)):
            room.run(room.store.write(lambda session, sql=statement: session.execute(text(sql))))


@pytest.mark.parametrize("status", list(IncidentStatus))
@pytest.mark.parametrize("step", [step for step in Step if step not in (Step.OPEN, Step.TAKE_IN, Step.PUBLISH)])
def test_the_table_alone_says_which_steps_there_are(status, step):
    incident = work.Incident(
        incident_id="I",
        kind="debris",
        title="Tyre",
        source_kind=SourceKind.HAND,
        source_id="hand",
        source_name="By hand",
        status=status,
        began_at=work.datetime.fromisoformat("2026-01-01T12:00:00+00:00"),
        unit_id="U",
    )
    order = StepOrder(
        step=step,
        comment="because",
        unit_id="U",
        operator="olga",
        disposition=Disposition.NO_ACTION,
        alarm_id="A",
    )

    assert bool(work.refusal(incident, order)) is ((status, step) not in NEXT)


@pytest.mark.parametrize(
    ("step", "order", "sentence"),
    [
        (Step.ASSIGN, {}, "Choose a unit or an operator"),
        (Step.CLOSE, {}, "what became of it"),
        (Step.CLOSE, {"disposition": Disposition.TRUE}, "resolved before"),
        (Step.CLOSE, {"disposition": Disposition.HANDED_OVER}, "to whom"),
        (Step.CLOSE, {"disposition": Disposition.DUPLICATE}, "which other incident"),
        (Step.COMMENT, {"comment": "  "}, "Write a comment"),
        (Step.DEPART, {}, "not possible now"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(room, dispatch, take, step, order, sentence):
    incident = by_hand(room, dispatch)

    with pytest.raises(BadInputError, match=sentence):
        take(incident.incident_id, step, **order)


def test_nobody_is_on_the_way_where_only_an_operator_is_assigned(room, dispatch, take):
    incident = by_hand(room, dispatch)
    take(incident.incident_id, Step.ASSIGN, operator="olga")

    with pytest.raises(BadInputError, match="No unit"):
        take(incident.incident_id, Step.DEPART)


def test_another_operator_takes_over_and_the_unit_and_its_times_stay(room, dispatch, patrol, take):
    incident = by_hand(room, dispatch)
    take(incident.incident_id, Step.ASSIGN, unit_id=patrol.unit_id, operator="olga")
    before = take(incident.incident_id, Step.DEPART)

    after = take(incident.incident_id, Step.HAND_ON, operator="omar")

    assert replace(after, operator="olga", work_version=before.work_version, version=before.version) == before
    assert after.operator == "omar"
    assert room.run(dispatch.detail(incident.incident_id)).timeline[-1].detail == "olga to omar"
    with pytest.raises(BadInputError, match="Choose an operator"):
        take(incident.incident_id, Step.HAND_ON)


def test_a_viewer_takes_no_step(room, dispatch, take):
    incident = by_hand(room, dispatch)

    with pytest.raises(NotPermittedError):
        take(incident.incident_id, Step.ASSIGN, actor=VERA, operator="vera")


def test_of_two_operators_the_slower_one_hears_who_was_faster(room, dispatch, patrol, take):
    incident = by_hand(room, dispatch)
    take(incident.incident_id, Step.ASSIGN, version=1, unit_id=patrol.unit_id)

    with pytest.raises(StaleWriteError, match="olga at Desk 1 was faster: assigned, Patrol 1"):
        take(incident.incident_id, Step.ASSIGN, actor=OMAR, version=1, operator="omar")


def test_what_an_alarm_does_meanwhile_makes_no_step_stale(room, dispatch, take):
    alarm = raise_one(room)
    room.run(room.incidents.return_condition(alarm.condition_key))

    assert take(alarm.incident_id, Step.ASSIGN, version=0, operator="olga").status is IncidentStatus.ASSIGNED


def test_what_is_only_written_or_sent_out_meanwhile_makes_no_step_stale(room, dispatch, take):
    incident = by_hand(room, dispatch)
    take(incident.incident_id, Step.COMMENT, actor=OMAR, comment="on the left lane")
    room.run(dispatch.note_published(OMAR, incident.incident_id, "Alert", at=room.clock.now()))

    assigned = take(incident.incident_id, Step.ASSIGN, version=1, operator="olga")

    assert (assigned.status, assigned.work_version) == (IncidentStatus.ASSIGNED, 4)


def test_what_others_were_told_of_an_incident_is_known_until_it_is_taken_back(room, dispatch, take):
    incident_id = by_hand(room, dispatch).incident_id

    def publish():
        room.run(dispatch.note_published(OMAR, incident_id, "to the broker", at=room.clock.now()))

    def published():
        return room.run(dispatch.detail(incident_id)).published

    assert published() is None
    publish()
    at = room.clock.now()
    assert published() == Publication(at=at, until=at + PUBLISHED_FOR, is_outdated=False)
    room.clock.advance(seconds=60)
    take(incident_id, Step.COMMENT, comment="on the left lane")
    assert not published().is_outdated
    take(incident_id, Step.CLOSE, disposition=Disposition.NO_ACTION)
    assert (published().at, published().is_outdated) == (at, True)
    publish()
    assert published() is None
    take(incident_id, Step.REOPEN, comment="it lies there again")
    assert published() is None


def test_an_incident_is_opened_again_with_a_reason_and_its_times_begin_anew(room, dispatch, take):
    incident = by_hand(room, dispatch)
    take(incident.incident_id, Step.CLOSE, disposition=Disposition.NO_ACTION)
    room.clock.advance(seconds=600)

    with pytest.raises(BadInputError, match="Write a comment"):
        take(incident.incident_id, Step.REOPEN)
    again = take(incident.incident_id, Step.REOPEN, comment="it lies there again")

    assert (again.status, again.disposition, again.closed_at) == (IncidentStatus.NEW, "", None)
    assert timers_of(again, room.clock.now())[0].seconds == 0


# -- units ------------------------------------------------------------------------------------------------------------


def test_a_unit_off_duty_is_not_offered_and_not_sent(room, dispatch, patrol, take):
    incident = by_hand(room, dispatch)
    room.run(dispatch.set_duty(OLGA, patrol.unit_id, Duty.OFF_DUTY))

    assert [unit.is_offered for unit in room.run(dispatch.units())] == [False]
    with pytest.raises(BadInputError, match="Patrol 1 is off duty"):
        take(incident.incident_id, Step.ASSIGN, unit_id=patrol.unit_id)


def test_a_unit_works_on_one_incident_and_is_free_once_it_is_resolved(room, dispatch, patrol, take):
    first, second = by_hand(room, dispatch), by_hand(room, dispatch, title="Smoke")
    take(first.incident_id, Step.ASSIGN, unit_id=patrol.unit_id)

    assert room.run(dispatch.units())[0].incident_id == first.incident_id
    with pytest.raises(BadInputError, match="Patrol 1 works on Tyre on lane 2"):
        take(second.incident_id, Step.ASSIGN, unit_id=patrol.unit_id)
    with pytest.raises(BadInputError, match="works on"):
        room.run(dispatch.set_duty(OLGA, patrol.unit_id, Duty.OFF_DUTY))

    take(first.incident_id, Step.RESOLVE)
    take(second.incident_id, Step.ASSIGN, unit_id=patrol.unit_id)
    told = [event.unit.incident_id for event in room.events if isinstance(event, UnitChanged)]
    assert room.run(dispatch.units())[0].incident_id == second.incident_id
    assert told == ["", first.incident_id, "", second.incident_id]


def test_only_a_supervisor_makes_units_and_call_signs_are_not_used_twice(room, dispatch, patrol):
    with pytest.raises(NotPermittedError):
        room.run(dispatch.save_unit(OLGA, Unit(unit_id="", call_sign="Tow 1", kind="Tow")))
    with pytest.raises(BadInputError, match="Patrol 1 already"):
        room.run(dispatch.save_unit(SUSI, Unit(unit_id="", call_sign="Patrol 1", kind="Tow")))


# -- alarms and duplicates --------------------------------------------------------------------------------------------


def test_many_alarms_count_to_one_incident_and_an_emptied_record_is_closed_with_it(room, dispatch, take):
    crash = raise_one(room, kind="collision", title="Collision")
    jam = raise_one(room, key="camera/other/congestion:a", source_id="other", title="Jam")

    take(crash.incident_id, Step.ATTACH, alarm_id=jam.alarm_id)

    detail = room.run(dispatch.detail(crash.incident_id))
    assert {alarm.alarm_id for alarm in detail.alarms} == {crash.alarm_id, jam.alarm_id}
    left = room.run(dispatch.detail(jam.incident_id)).incident
    assert (left.status, left.merged_into) == (IncidentStatus.CLOSED, crash.incident_id)
    assert len(room.run(room.incidents.open_alarms())) == 2


def test_a_detached_alarm_is_back_at_its_own_incident(room, dispatch, take):
    crash = raise_one(room, kind="collision", title="Collision")
    jam = raise_one(room, key="camera/other/congestion:a", source_id="other", title="Jam")
    take(crash.incident_id, Step.ATTACH, alarm_id=jam.alarm_id)

    take(crash.incident_id, Step.DETACH, alarm_id=jam.alarm_id)

    own = room.run(dispatch.detail(jam.incident_id))
    assert (own.incident.status, [alarm.alarm_id for alarm in own.alarms]) == ("new", [jam.alarm_id])
    assert [alarm.alarm_id for alarm in room.run(dispatch.detail(crash.incident_id)).alarms] == [crash.alarm_id]
    with pytest.raises(BadInputError, match="from its beginning"):
        take(crash.incident_id, Step.DETACH, alarm_id=crash.alarm_id)


def test_a_duplicate_gives_its_alarms_pictures_and_later_alarms_to_the_other_one(room, dispatch, take):
    first = room.run(
        room.incidents.raise_condition(
            make_condition(), Snapshot(jpeg=b"\xff\xd8 one \xff\xd9", captured_at=room.clock.now())
        )
    )
    second = room.run(
        room.incidents.raise_condition(
            make_condition(condition_key="camera/other/x", source_id="other", priority=Priority.HIGH),
            Snapshot(jpeg=b"\xff\xd8 two \xff\xd9", captured_at=room.clock.now()),
        )
    )

    take(second.incident_id, Step.CLOSE, disposition=Disposition.DUPLICATE, duplicate_of=first.incident_id)

    whole = room.run(dispatch.detail(first.incident_id))
    assert {alarm.alarm_id for alarm in whole.alarms} == {first.alarm_id, second.alarm_id}
    assert whole.pictures == (first.incident_id, second.incident_id)
    assert whole.incident.priority is Priority.HIGH
    assert "Duplicate taken in" in steps_of(room, dispatch, first.incident_id)
    with pytest.raises(BadInputError, match="closed as a duplicate"):
        take(second.incident_id, Step.REOPEN, comment="was it?")
    with pytest.raises(BadInputError, match="duplicate of this one"):
        take(first.incident_id, Step.CLOSE, disposition=Disposition.DUPLICATE, duplicate_of=second.incident_id)


def test_the_timeline_tells_alarms_and_steps_in_order(room, dispatch, take):
    alarm = raise_one(room)
    room.clock.advance(seconds=5)
    take(alarm.incident_id, Step.ASSIGN, operator="olga")
    room.clock.advance(seconds=5)
    room.run(room.incidents.comment(OMAR, alarm.alarm_id, "two lanes blocked"))

    told = [(entry.what, entry.comment) for entry in room.run(dispatch.detail(alarm.incident_id)).timeline]
    assert told == [("Alarm raised", ""), ("Assigned", ""), ("Comment on the alarm", "two lanes blocked")]


def test_a_console_hears_of_open_work_however_old_it_is(room, dispatch, take):
    taken, record = raise_one(room), raise_one(room, key="camera/other/x", source_id="other")
    take(taken.incident_id, Step.ASSIGN, operator="olga")
    for alarm in (taken, record):
        room.run(room.incidents.return_condition(alarm.condition_key))
        room.run(
            room.incidents.acknowledge(
                OLGA, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version + 1
            )
        )

    assert [one.incident_id for one in room.run(dispatch.open_incidents())] == [taken.incident_id]


def test_an_incident_at_a_camera_has_its_picture(room, dispatch):
    incident = room.run(
        dispatch.open_by_hand(
            OLGA,
            HandIncident(kind="smoke", title="", camera_id="ring-north", priority=Priority.HIGH),
            source_name="Ring North",
            snapshot=Snapshot(jpeg=b"\xff\xd8 smoke \xff\xd9", captured_at=room.clock.now()),
        )
    )

    assert (incident.title, incident.source_kind, incident.priority) == ("Smoke", SourceKind.CAMERA, Priority.HIGH)
    assert room.run(room.incidents.snapshot_bytes(incident.incident_id)) == b"\xff\xd8 smoke \xff\xd9"


# -- timers -----------------------------------------------------------------------------------------------------------


def test_the_time_to_assign_runs_near_and_late_against_sixty_seconds(room, dispatch):
    incident = by_hand(room, dispatch)

    def state_after(seconds):
        (timer,) = timers_of(incident, room.clock.now() + timedelta(seconds=seconds))
        return timer.state, timer.seconds

    assert state_after(45) == (TimerState.RUNNING, 45)
    assert state_after(46) == (TimerState.NEAR, 46)
    assert state_after(61) == (TimerState.LATE, 61)


@pytest.mark.parametrize(
    ("name", "known", "limit_s"),
    [
        ("En route", {"assigned_at": 0}, 60),
        ("On scene", {"assigned_at": -30, "en_route_at": 0}, 240),
    ],
)
def test_the_times_to_depart_and_to_arrive_run_against_their_limits(name, known, limit_s):
    opened = datetime(2026, 1, 1, tzinfo=UTC)
    times = {key: opened + timedelta(seconds=seconds) for key, seconds in known.items()}
    incident = Incident(
        incident_id="I",
        kind="fire",
        title="Smoke",
        source_kind=SourceKind.HAND,
        source_id="hand",
        source_name="By hand",
        status=IncidentStatus.ASSIGNED,
        began_at=opened - timedelta(seconds=60),
        unit_id="u1",
        **times,
    )

    def state_after(seconds):
        timers = {timer.name: timer for timer in timers_of(incident, opened + timedelta(seconds=seconds))}
        return timers[name].state

    assert state_after(0.75 * limit_s) is TimerState.RUNNING
    assert state_after(0.75 * limit_s + 1) is TimerState.NEAR
    assert state_after(limit_s) is TimerState.NEAR
    assert state_after(limit_s + 1) is TimerState.LATE


def test_times_that_ended_keep_what_they_took(room, dispatch, patrol, take):
    incident = by_hand(room, dispatch)
    room.clock.advance(seconds=20)
    take(incident.incident_id, Step.ASSIGN, unit_id=patrol.unit_id)
    room.clock.advance(seconds=90)
    take(incident.incident_id, Step.DEPART)
    room.clock.advance(seconds=100)
    arrived = take(incident.incident_id, Step.ARRIVE)

    timers = timers_of(arrived, room.clock.now() + timedelta(hours=1))
    assert [(timer.name, timer.seconds, timer.state) for timer in timers] == [
        ("Assign", 20, TimerState.IN_TIME),
        ("En route", 90, TimerState.OVER),
        ("On scene", 100, TimerState.IN_TIME),
    ]


def test_every_need_of_the_table_has_its_sentence():
    assert {need for needs in NEEDS.values() for need in needs} == set(Need)


@given(st.lists(st.sampled_from(list(Step)), max_size=40))
def test_whatever_is_done_only_opening_again_leaves_a_closed_incident(steps):
    status = IncidentStatus.NEW
    for step in steps:
        after = NEXT.get((status, step), status)
        if status is IncidentStatus.CLOSED and after is not IncidentStatus.CLOSED:
            assert step is Step.REOPEN
        status = after


def test_every_incident_can_be_closed_from_wherever_it_is():
    assert all((status, Step.CLOSE) in NEXT for status in IncidentStatus if status is not IncidentStatus.CLOSED)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from([step for step in Step if step is not Step.TAKE_IN]), max_size=25))
def test_the_timeline_replayed_is_the_incident(room, dispatch, patrol, steps):
    incident = by_hand(room, dispatch)
    for step in steps:
        order = StepOrder(
            step=step,
            comment="because",
            unit_id="" if step is Step.ASSIGN else patrol.unit_id,
            operator="olga",
            disposition=Disposition.NO_ACTION,
            alarm_id="none",
        )
        with contextlib.suppress(BadInputError):
            incident = room.run(
                dispatch.take_step(OLGA, incident.incident_id, order, expect_version=incident.work_version)
            )

    rows = room.run(
        room.store.read(
            lambda session: [
                (row.sequence, row.status_before, row.status_after)
                for row in session.scalars(
                    select(IncidentStepRow)
                    .where(IncidentStepRow.incident_id == incident.incident_id)
                    .order_by(IncidentStepRow.sequence)
                )
            ]
        )
    )
    assert [sequence for sequence, _, _ in rows] == list(range(1, incident.work_version + 1))
    assert rows[-1][2] == incident.status
    assert all(before == after for (_, _, after), (_, before, _) in pairwise(rows))
