"""What people do with alarms: shelve, reset, take back, take out of service, tick; and what then happens by itself."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from core.access import audit
from core.field.model import Device, DeviceState
from core.incidents import ledger, machine
from core.incidents.handling import Meant
from core.incidents.holds import Holds, HoldsChanged
from core.incidents.model import Alarm, AlarmChanged, AlarmState, ClosedUnheard, Priority, Quality, Shelving, SourceKind
from core.incidents.rules.book import RuleBook
from core.incidents.rules.model import (
    AlarmRule,
    Escalation,
    Limits,
    RoleName,
    RulesChanged,
    RuleSet,
    RulesInForce,
)
from core.incidents.suppression import PlannedWorks, Reach, Source, SuppressionRule, Window
from core.incidents.tuning import SHELVE_REASONS, AlarmTuning
from core.kernel.clock import FakeClock
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError
from core.kernel.geo import GeoPoint
from core.kernel.zone import set_site_zone
from core.store.tables import AlarmRow
from tests.fixtures.room import OLGA, OMAR, SUSI, VERA, Room, make_condition

KEY = make_condition().condition_key
REASON = SHELVE_REASONS[0]
HOUR_S = 3600.0
RING_NORTH = Source(kind=SourceKind.CAMERA, source_id="ring-north")


def raise_one(room: Room, **changes: object) -> Alarm:
    alarm = room.run(room.incidents.raise_condition(make_condition(**changes)))
    assert alarm is not None
    return alarm


def return_one(room: Room, key: str = KEY) -> Alarm:
    alarm = room.run(room.incidents.return_condition(key))
    assert alarm is not None
    return alarm


def meant(alarm: Alarm) -> Meant:
    return Meant(alarm_id=alarm.alarm_id, occurrence=alarm.occurrence, version=alarm.version)


def now(room: Room, alarm: Alarm) -> Alarm:
    return room.run(room.store.read(lambda s: ledger.alarm_of(s.get_one(AlarmRow, alarm.alarm_id))))


def acknowledge(room: Room, alarm: Alarm, actor=OLGA) -> Alarm:
    return room.run(
        room.incidents.acknowledge(actor, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version)
    )


def shelve(room: Room, alarm: Alarm, *, actor=OLGA, for_s: float = HOUR_S, **more) -> Alarm:
    return room.run(room.handling.shelve(actor, meant(alarm), for_s=for_s, reason=REASON, **more))


def book_of(*rules: AlarmRule) -> RuleBook:
    return RuleBook(RulesInForce(rules=RuleSet(rules=rules), version=1))


@pytest.fixture
def crash(room: Room) -> Alarm:
    """A collision: its rule latches."""
    return raise_one(room, kind="collision", priority=Priority.CRITICAL)


# -- shelving -------------------------------------------------------------------------------------------------------


def test_a_shelved_alarm_is_listed_and_does_not_call(room: Room) -> None:
    alarm = shelve(room, raise_one(room))

    assert (alarm.state, alarm.is_open, alarm.is_calling) == (AlarmState.SHELVED, True, False)
    assert (alarm.shelved_by, alarm.shelve_reason) == ("olga", REASON)
    assert alarm.shelved_until == room.clock.now() + timedelta(hours=1)


def test_a_shelved_alarm_calls_again_when_its_time_is_over(room: Room) -> None:
    alarm = shelve(room, acknowledge(room, raise_one(room)))

    room.pass_time(HOUR_S - 1)
    before = now(room, alarm)
    room.pass_time(1)
    after = now(room, alarm)

    assert before.state is AlarmState.SHELVED
    assert (after.state, after.n_calls) == (AlarmState.UNACKNOWLEDGED, alarm.n_calls + 1)


def test_what_is_held_is_not_acknowledged_and_says_who_holds_it(room: Room) -> None:
    alarm = shelve(room, raise_one(room))

    with pytest.raises(BadInputError, match="olga shelved it until 2026-01-01 13:00 UTC"):
        acknowledge(room, alarm, OMAR)


def test_until_when_an_alarm_is_held_is_said_in_the_time_of_the_site(room: Room) -> None:
    alarm = shelve(room, raise_one(room))
    set_site_zone("Asia/Tokyo")

    with pytest.raises(BadInputError, match=r"olga shelved it until 2026-01-01 22:00\+09:00"):
        acknowledge(room, alarm, OMAR)


def test_who_unshelves_by_hand_has_seen_the_alarm(room: Room) -> None:
    alarm = shelve(room, raise_one(room))

    back = room.run(room.handling.unshelve(OMAR, meant(alarm)))

    assert (back.state, back.acknowledged_by) == (AlarmState.ACKNOWLEDGED, "omar")


def test_a_shelved_alarm_that_is_over_when_its_time_ends_is_gone(room: Room) -> None:
    alarm = shelve(room, raise_one(room))
    return_one(room)

    room.pass_time(HOUR_S)

    assert now(room, alarm).state is AlarmState.NORMAL
    assert room.run(room.incidents.open_alarms()) == ()


def test_no_repeat_makes_a_shelving_longer(room: Room) -> None:
    alarm = shelve(room, raise_one(room))
    for _ in range(5):
        room.pass_time(600)
        return_one(room)
        raise_one(room)

    held = now(room, alarm)

    assert held.state is AlarmState.SHELVED
    assert held.shelved_until == alarm.shelved_until


def test_a_shelving_goes_on_through_a_restart_and_ends_in_time(room: Room) -> None:
    alarm = shelve(room, raise_one(room))
    room.clock.advance(seconds=HOUR_S / 2)

    room.restart()
    room.run(room.incidents.start())
    room.run(room.keeper.start())
    raise_one(room)
    room.pass_time(HOUR_S / 2 - 1)
    held = now(room, alarm).state
    room.pass_time(1)

    assert held is AlarmState.SHELVED
    assert now(room, alarm).state is AlarmState.UNACKNOWLEDGED


def test_a_wall_clock_that_is_set_ends_no_shelving(room: Room) -> None:
    alarm = shelve(room, raise_one(room))

    room.clock._now += timedelta(days=2)
    room.pass_time(60)

    assert now(room, alarm).state is AlarmState.SHELVED


def test_shelved_until_it_returns_ends_with_the_return(room: Room) -> None:
    shelve(room, raise_one(room), shelving=Shelving.ONE_SHOT)

    over = return_one(room)
    room.clock.advance(seconds=900)
    again = raise_one(room)

    assert over.state is AlarmState.NORMAL
    assert again.is_calling


def test_what_becomes_more_urgent_is_shelved_no_more(room: Room) -> None:
    shelve(room, raise_one(room))

    worse = raise_one(room, priority=Priority.CRITICAL)

    assert (worse.state, worse.shelved_until, worse.priority) == (AlarmState.UNACKNOWLEDGED, None, Priority.CRITICAL)


@pytest.mark.parametrize(
    ("priority", "actor", "longest_s"),
    [
        (Priority.CRITICAL, SUSI, 900),
        (Priority.HIGH, OLGA, 3600),
        (Priority.MEDIUM, OLGA, 8 * 3600),
        (Priority.LOW, OLGA, 24 * 3600),
    ],
)
def test_each_priority_has_a_longest_shelving(room: Room, priority: Priority, actor, longest_s: float) -> None:
    alarm = raise_one(room, priority=priority)

    with pytest.raises(BadInputError, match="at most"):
        shelve(room, alarm, actor=actor, for_s=longest_s + 1)

    assert shelve(room, alarm, actor=actor, for_s=longest_s).state is AlarmState.SHELVED


def test_an_operator_does_not_shelve_what_is_critical(room: Room) -> None:
    with pytest.raises(NotPermittedError, match="only a supervisor"):
        shelve(room, raise_one(room, priority=Priority.CRITICAL), for_s=60)


def test_what_says_that_nothing_is_recorded_cannot_be_shelved(room: Room) -> None:
    alarm = raise_one(room, kind="database", priority=Priority.CRITICAL, source_kind=SourceKind.SYSTEM)

    with pytest.raises(BadInputError, match="cannot be shelved"):
        shelve(room, alarm, actor=SUSI, for_s=60)


def test_a_reason_is_one_of_the_list(room: Room) -> None:
    alarm = raise_one(room)

    with pytest.raises(BadInputError, match="no reason"):
        room.run(room.handling.shelve(OLGA, meant(alarm), for_s=60, reason="I do not like it"))


def test_shelvings_that_end_at_once_call_one_after_the_other(room: Room) -> None:
    for number in range(4):
        shelve(room, raise_one(room, condition_key=f"camera/c{number}/jam"))

    n_calling = []
    for seconds in (HOUR_S, 5, 5, 5):
        room.pass_time(seconds)
        n_calling.append(room.run(room.incidents.n_unacknowledged()))

    assert n_calling == [1, 2, 3, 4]


# -- latched --------------------------------------------------------------------------------------------------------


def test_a_latched_alarm_stands_until_it_is_acknowledged_and_reset(room: Room, crash: Alarm) -> None:
    over = return_one(room)
    seen = acknowledge(room, over)
    reset = room.run(room.handling.reset(OLGA, meant(seen)))

    assert [one.state for one in (over, seen, reset)] == [
        AlarmState.LATCHED_UNACKNOWLEDGED,
        AlarmState.LATCHED_ACKNOWLEDGED,
        AlarmState.NORMAL,
    ]


def test_only_who_the_rule_names_resets_a_latched_alarm(room: Room, crash: Alarm) -> None:
    rules = book_of(AlarmRule(rule_id=crash.rule_id, limits=Limits(is_latching=True, reset_role=RoleName.SUPERVISOR)))
    room.tunings.replace(rules.tunings)
    seen = acknowledge(room, return_one(room))

    with pytest.raises(NotPermittedError, match="needs a supervisor"):
        room.run(room.handling.reset(OLGA, meant(seen)))

    assert not room.run(room.handling.limits(OLGA, seen.alarm_id)).may_reset
    assert room.run(room.handling.reset(SUSI, meant(seen))).state is AlarmState.NORMAL


# -- escalated ------------------------------------------------------------------------------------------------------


def test_an_escalation_calls_again_and_the_journal_says_whom(room: Room, crash: Alarm) -> None:
    rules = book_of(
        AlarmRule(
            rule_id=crash.rule_id,
            escalation=Escalation(after_s=60, roles=(RoleName.OPERATOR, RoleName.SUPERVISOR), recipients=("leader",)),
        )
    )
    room.tunings.replace(rules.tunings)
    room.run(room.keeper.start())

    room.pass_time(60)
    room.pass_time(60)

    (alarm,) = room.run(room.incidents.open_alarms())
    calls = [entry.comment for entry in room.run(room.incidents.journal(crash.alarm_id)) if entry.event == "escalate"]
    assert (alarm.escalation_level, alarm.n_calls) == (2, crash.n_calls + 2)
    assert calls == ["operator, leader", "supervisor"]


def test_an_acknowledge_that_meets_an_escalation_counts(room: Room, crash: Alarm) -> None:
    room.run(room.handling.escalate(OLGA, meant(crash)))

    assert acknowledge(room, crash).state is AlarmState.ACKNOWLEDGED


def test_calls_are_numbered_as_the_alarm_numbers_them(room: Room, crash: Alarm) -> None:
    room.pass_time(30)
    escalated = room.run(room.handling.escalate(OLGA, meant(crash)))

    calls = room.run(room.incidents.recent_calls())

    assert calls == tuple(
        ((crash.alarm_id, crash.occurrence, number), at)
        for number, at in ((1, crash.raised_at), (2, escalated.changed_at))
    )
    assert escalated.n_calls == 2


def test_an_active_alarm_is_not_reset(room: Room, crash: Alarm) -> None:
    with pytest.raises(BadInputError, match="still active"):
        room.run(room.handling.reset(OLGA, meant(acknowledge(room, crash))))


def test_a_latched_alarm_nobody_has_seen_is_not_reset(room: Room, crash: Alarm) -> None:
    with pytest.raises(BadInputError, match="not acknowledged"):
        room.run(room.handling.reset(OLGA, meant(return_one(room))))


def test_a_rule_may_leave_the_reset_to_a_supervisor(room: Room, crash: Alarm) -> None:
    room.tunings.replace({"collision": AlarmTuning(is_latching=True, reset_role=SUSI.role)})
    seen = acknowledge(room, return_one(room))

    with pytest.raises(NotPermittedError):
        room.run(room.handling.reset(OLGA, meant(seen)))
    assert room.run(room.handling.reset(SUSI, meant(seen))).state is AlarmState.NORMAL


# -- taking an acknowledge back -------------------------------------------------------------------------------------


def test_an_acknowledge_is_taken_back_with_a_reason_and_without_a_new_sound(room: Room) -> None:
    alarm = raise_one(room)
    seen = acknowledge(room, alarm)

    back = room.run(room.handling.unacknowledge(OLGA, meant(seen), reason="Wrong row"))

    assert (back.state, back.n_calls) == (AlarmState.UNACKNOWLEDGED, alarm.n_calls)
    assert room.run(room.incidents.journal(alarm.alarm_id))[-1].comment == "Wrong row"


def test_only_the_same_operator_or_a_supervisor_takes_it_back(room: Room) -> None:
    seen = acknowledge(room, raise_one(room))

    with pytest.raises(NotPermittedError, match="olga acknowledged"):
        room.run(room.handling.unacknowledge(OMAR, meant(seen), reason="Wrong row"))
    assert room.run(room.handling.unacknowledge(SUSI, meant(seen), reason="Wrong row")).is_calling


def test_after_ten_minutes_an_acknowledge_stays(room: Room) -> None:
    seen = acknowledge(room, raise_one(room))
    room.clock.advance(seconds=601)

    with pytest.raises(BadInputError, match="10 minutes"):
        room.run(room.handling.unacknowledge(OLGA, meant(seen), reason="Wrong row"))


@pytest.mark.parametrize("holder", ["works", "supervisor", "operator"])
def test_an_acknowledge_of_what_was_held_meanwhile_is_not_taken_back_and_that_is_said(room: Room, holder: str) -> None:
    seen = acknowledge(room, raise_one(room))
    match holder:
        case "works":
            plan(room)
        case "supervisor":
            take_out(room, seen)
        case "operator":
            shelve(room, seen)
    room.pass_time(1)
    held = now(room, seen)

    with pytest.raises(BadInputError, match=r"is held and does not call: \w"):
        room.run(room.handling.unacknowledge(OLGA, meant(seen), reason="Wrong row"))

    assert now(room, seen) == held
    assert "Wrong row" not in {entry.comment for entry in room.run(room.incidents.journal(seen.alarm_id))}


# -- escalation and calling again -----------------------------------------------------------------------------------


def test_a_critical_alarm_that_nobody_acknowledges_is_escalated_every_minute_up_to_the_last_level(room: Room) -> None:
    alarm = raise_one(room, priority=Priority.CRITICAL)

    levels = []
    for seconds in (59, 1, 60, 60, 600):
        room.pass_time(seconds)
        levels.append(now(room, alarm).escalation_level)

    assert levels == [0, 1, 2, 3, 3]


def test_a_critical_alarm_that_is_over_before_anybody_saw_it_is_escalated_until_somebody_has(room: Room) -> None:
    ended = raise_one(room, priority=Priority.CRITICAL, condition_key="ended")
    room.pass_time(30)
    room.run(room.incidents.return_condition("ended"))
    moment = make_condition(priority=Priority.CRITICAL, condition_key="moment")
    alert = room.run(room.incidents.raise_moment(moment, lambda _session: True))
    assert alert is not None

    levels = []
    for seconds in (29, 1, 30, 30):
        room.pass_time(seconds)
        levels.append((now(room, ended).escalation_level, now(room, alert).escalation_level))
    acknowledge(room, now(room, ended))
    acknowledge(room, now(room, alert))
    room.pass_time(600)

    assert levels == [(0, 0), (1, 0), (1, 1), (2, 1)]
    assert room.run(room.incidents.open_alarms()) == ()


def test_an_acknowledge_ends_the_escalation_and_may_name_what_was_seen_before_it(room: Room) -> None:
    alarm = raise_one(room, priority=Priority.CRITICAL)
    room.pass_time(60)

    seen = acknowledge(room, alarm)
    room.pass_time(600)

    assert (seen.state, seen.escalation_level) == (AlarmState.ACKNOWLEDGED, 0)
    assert now(room, alarm).escalation_level == 0


def test_what_stays_active_for_long_after_its_acknowledge_calls_again(room: Room) -> None:
    alarm = acknowledge(room, raise_one(room, priority=Priority.CRITICAL))

    room.pass_time(1799)
    quiet = now(room, alarm).state
    room.pass_time(1)
    again = now(room, alarm)

    assert quiet is AlarmState.ACKNOWLEDGED
    assert (again.state, again.n_calls) == (AlarmState.UNACKNOWLEDGED, 2)


def test_a_medium_alarm_is_neither_escalated_nor_called_again(room: Room) -> None:
    waiting = raise_one(room)
    seen = acknowledge(room, raise_one(room, condition_key="b"))

    room.pass_time(12 * HOUR_S)

    assert now(room, waiting).escalation_level == 0
    assert now(room, seen).state is AlarmState.ACKNOWLEDGED


# -- out of service -------------------------------------------------------------------------------------------------


def take_out(room: Room, alarm: Alarm, *, hours: float = 8) -> Alarm:
    until = room.clock.now() + timedelta(hours=hours)
    return room.run(room.handling.set_out_of_service(SUSI, meant(alarm), reason="Lens is replaced", until=until))


def test_an_alarm_out_of_service_says_who_why_and_until_when(room: Room) -> None:
    alarm = take_out(room, raise_one(room))

    assert (alarm.state, alarm.is_calling) == (AlarmState.OUT_OF_SERVICE, False)
    assert (alarm.out_of_service_by, alarm.out_of_service_reason) == ("susi", "Lens is replaced")
    assert [one.owner for one in room.run(room.handling.out_of_service())] == ["susi"]


def test_a_source_that_has_no_alarm_now_can_be_taken_out_and_never_calls(room: Room) -> None:
    until = room.clock.now() + timedelta(hours=8)
    room.run(
        room.handling.set_source_out_of_service(
            SUSI, SourceKind.CAMERA, "ring-north", name="Ring North", reason="Mast is moved", until=until
        )
    )

    alarm = raise_one(room)

    assert (alarm.state, alarm.n_calls) == (AlarmState.OUT_OF_SERVICE, 0)
    assert [entry.event for entry in room.run(room.incidents.journal(alarm.alarm_id))] == ["raise"]


def test_a_source_comes_back_when_the_end_that_was_set_has_come(room: Room) -> None:
    alarm = take_out(room, raise_one(room))

    room.pass_time(8 * HOUR_S)

    assert now(room, alarm).state is AlarmState.UNACKNOWLEDGED
    assert room.run(room.handling.out_of_service()) == ()


def test_who_puts_it_back_by_hand_has_seen_it_and_the_next_one_calls(room: Room) -> None:
    alarm = take_out(room, raise_one(room))

    back = room.run(room.handling.return_to_service(SUSI, meant(alarm)))
    return_one(room)
    again = raise_one(room)

    assert (back.state, back.acknowledged_by) == (AlarmState.ACKNOWLEDGED, "susi")
    assert again.is_calling


def test_only_a_supervisor_takes_out_of_service_and_only_with_an_end_to_come(room: Room) -> None:
    alarm = raise_one(room)
    later = room.clock.now() + timedelta(hours=1)

    with pytest.raises(NotPermittedError):
        room.run(room.handling.set_out_of_service(OLGA, meant(alarm), reason="x", until=later))
    with pytest.raises(BadInputError, match="past"):
        room.run(room.handling.set_out_of_service(SUSI, meant(alarm), reason="x", until=room.clock.now()))
    with pytest.raises(BadInputError, match="31 days"):
        room.run(room.handling.set_out_of_service(SUSI, meant(alarm), reason="x", until=later + timedelta(days=40)))


# -- suppression by design ------------------------------------------------------------------------------------------


def lose_broker(room: Room) -> Alarm:
    return raise_one(
        room, condition_key="system/broker", kind="broker", source_kind=SourceKind.SYSTEM, priority=Priority.HIGH
    )


def lose_device(room: Room, number: int = 1) -> Alarm:
    room.tunings.replace({"device_lost": AlarmTuning(), "gateway_lost": AlarmTuning()})
    return raise_one(
        room,
        condition_key=f"device/north/post-{number}/device_lost",
        kind="device_lost",
        source_kind=SourceKind.DEVICE,
        source_id=f"north/post-{number}",
        priority=Priority.LOW,
    )


def test_a_lost_gateway_holds_what_lies_behind_it_and_the_rule_is_named(room: Room) -> None:
    before = lose_device(room, 1)
    raise_one(room, condition_key="g", kind="gateway_lost", source_kind=SourceKind.DEVICE, source_id="north/gate")
    after = lose_device(room, 2)
    elsewhere = raise_one(
        room, condition_key="s", kind="device_lost", source_kind=SourceKind.DEVICE, source_id="south/post-1"
    )

    assert now(room, before).suppressed_by == after.suppressed_by == "behind-gateway"
    assert (after.state, after.n_calls) == (AlarmState.SUPPRESSED, 0)
    assert elsewhere.is_calling


def test_a_place_without_power_holds_the_cameras_near_by_and_no_others(room: Room) -> None:
    here = GeoPoint(54.0, 12.0)
    raise_one(
        room, condition_key="p", kind="site_power_lost", source_kind=SourceKind.DEVICE, source_id="g/1", position=here
    )
    cameras = [
        raise_one(room, condition_key=key, kind="camera_lost", source_id=key, position=position)
        for key, position in (("near", GeoPoint(54.001, 12.0)), ("far", GeoPoint(54.01, 12.0)), ("unplaced", None))
    ]

    assert [alarm.suppressed_by for alarm in cameras] == ["site-power", "", ""]


def test_a_gateway_that_is_lost_calls_as_one(room: Room) -> None:
    gateway = Device(device_id="north/gate", kind="gateway", name="Gate", state=DeviceState.LOST)
    post = Device(device_id="north/post-1", kind="station", name="Post", state=DeviceState.LOST)

    room.run(room.incidents.take_device_state(post))
    room.run(room.incidents.take_device_state(gateway))
    room.pass_time(5)
    room.pass_time(10)

    listed = {alarm.kind: alarm.state for alarm in room.run(room.incidents.open_alarms())}
    assert listed == {"gateway_lost": AlarmState.UNACKNOWLEDGED, "device_lost": AlarmState.SUPPRESSED}


def test_what_was_suppressed_calls_a_moment_after_its_cause_is_over_if_it_still_holds(room: Room) -> None:
    lose_broker(room)
    device = lose_device(room)
    return_one(room, "system/broker")

    room.pass_time(1)
    held = now(room, device).state
    room.pass_time(30)

    assert held is AlarmState.SUPPRESSED
    assert now(room, device).state is AlarmState.UNACKNOWLEDGED


def test_what_came_and_went_behind_its_cause_leaves_no_call(room: Room) -> None:
    lose_broker(room)
    device = lose_device(room)
    return_one(room, device.condition_key)
    return_one(room, "system/broker")

    room.pass_time(1)
    room.pass_time(30)

    assert now(room, device).state is AlarmState.NORMAL


def test_what_had_called_before_it_was_suppressed_still_waits_for_its_acknowledge(room: Room) -> None:
    device = lose_device(room)
    lose_broker(room)
    return_one(room, device.condition_key)
    return_one(room, "system/broker")

    room.pass_time(1)
    room.pass_time(30)

    assert now(room, device).state is AlarmState.RETURNED_UNACKNOWLEDGED


def make_works(room: Room, *, starts_in_s: float = 0.0, **changes) -> PlannedWorks:
    since = room.clock.now() + timedelta(seconds=starts_in_s)
    made = PlannedWorks(
        works_id="",
        title="Ring resurfacing",
        sources=frozenset({RING_NORTH}),
        kinds=frozenset({"congestion"}),
        since=since,
        until=since + timedelta(hours=4),
        by="",
        reason="New asphalt",
    )
    return replace(made, **changes)


def plan(room: Room, actor=SUSI, *, starts_in_s: float = 0.0, **changes) -> PlannedWorks:
    return room.run(room.handling.plan_works(actor, make_works(room, starts_in_s=starts_in_s, **changes)))


def told_holds(room: Room) -> Holds:
    return [event.holds for event in room.events if isinstance(event, HoldsChanged)][-1]


def audited(room: Room) -> list[tuple[str, str, str]]:
    """Return the newest first."""
    return [(row.actor, row.action, row.subject) for row in room.run(audit.recent(room.store))]


def test_works_say_who_planned_them_and_every_console_is_told(room: Room) -> None:
    works = plan(room, starts_in_s=600)

    assert works.by == "susi"
    assert told_holds(room).works == (works,)
    assert audited(room)[0] == ("susi", "alarm.plan_works", "Ring resurfacing")


def test_works_concern_sources_of_several_kinds(room: Room) -> None:
    station = Source(kind=SourceKind.STATION, source_id="ring/one")
    plan(room, sources=frozenset({RING_NORTH, station}), kinds=frozenset())

    by_camera = raise_one(room)
    by_station = raise_one(room, condition_key="s", source_kind=SourceKind.STATION, source_id="ring/one")
    other = raise_one(room, condition_key="o", source_kind=SourceKind.DEVICE, source_id="ring/two")

    assert {by_camera.suppressed_by, by_station.suppressed_by} == {"works: Ring resurfacing"}
    assert other.is_calling


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": " "}, "Nothing was written"),
        ({"reason": ""}, "Nothing was written"),
        ({"sources": frozenset()}, "name no source"),
        ({"until": FakeClock().now()}, "lies in the past"),
        ({"until": FakeClock().now() + timedelta(days=40)}, "longer than 31 days"),
    ],
)
def test_works_that_cannot_be_are_refused_with_a_sentence(room: Room, changes, sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        plan(room, **changes)

    assert room.run(room.handling.works()) == ()


def test_operators_neither_plan_works_nor_end_them(room: Room) -> None:
    works = plan(room)

    with pytest.raises(NotPermittedError):
        plan(room, OLGA)
    with pytest.raises(NotPermittedError):
        room.run(room.handling.end_works(OLGA, works.works_id, version=works.version))

    assert room.run(room.handling.works()) == (works,)


def test_works_that_are_over_stay_in_the_list_of_past_ones_with_who_ended_them(room: Room) -> None:
    ended, called_off, done = (
        plan(room, title=title, starts_in_s=at) for title, at in (("A", 0), ("B", 600), ("C", 0))
    )
    room.pass_time(60)
    room.run(room.handling.end_works(SUSI, ended.works_id, version=ended.version))
    room.pass_time(60)
    room.run(room.handling.end_works(SUSI, called_off.works_id, version=called_off.version))
    room.pass_time(4 * HOUR_S)

    past = room.run(room.handling.past_works())

    assert [(one.title, one.ended_by) for one in past] == [("C", ""), ("B", "susi"), ("A", "susi")]
    assert past[1].until < past[1].since, "called off before it began"
    assert past[0].works_id == done.works_id
    assert told_holds(room).works == (), "consoles are told that the last one is over"


def test_two_supervisors_do_not_end_the_same_works_twice(room: Room) -> None:
    works = plan(room)
    room.run(room.handling.end_works(SUSI, works.works_id, version=works.version))

    with pytest.raises(BadInputError, match="are over"):
        room.run(room.handling.end_works(SUSI, works.works_id, version=works.version))


def test_a_station_that_is_out_of_service_calls_neither_as_a_device_nor_for_its_jam(room: Room) -> None:
    until = room.clock.now() + timedelta(hours=1)
    jam = raise_one(room, condition_key="jam", source_kind=SourceKind.STATION, source_id="ring/one")
    hold = room.run(
        room.handling.set_source_out_of_service(
            SUSI, SourceKind.DEVICE, "ring/one", name="Ring 1", reason="Road is dug up", until=until
        )
    )
    lost = raise_one(room, condition_key="lost", source_kind=SourceKind.DEVICE, source_id="ring/one")
    held = [now(room, one).state for one in (jam, lost)]
    room.run(room.handling.return_source_to_service(SUSI, hold.hold_id, version=hold.version))

    assert held == [AlarmState.OUT_OF_SERVICE, AlarmState.OUT_OF_SERVICE]
    assert all(now(room, one).state is AlarmState.ACKNOWLEDGED for one in (jam, lost))


def test_consoles_are_told_what_is_out_of_service_without_an_alarm_until_its_end(room: Room) -> None:
    until = room.clock.now() + timedelta(hours=1)
    hold = room.run(
        room.handling.set_source_out_of_service(
            SUSI, SourceKind.CAMERA, "ring-north", name="Ring North", reason="Lens", until=until
        )
    )
    before = told_holds(room)
    room.pass_time(HOUR_S)

    assert before.services == (hold,)
    assert told_holds(room).services == ()


def test_planned_works_hold_what_they_explain_from_their_begin_to_their_end(room: Room) -> None:
    plan(room, starts_in_s=600)
    alarm = raise_one(room)
    states = []
    for seconds in (599, 1, 4 * HOUR_S, 30):
        room.pass_time(seconds)
        states.append(now(room, alarm).state)

    assert alarm.is_calling
    assert states == [
        AlarmState.UNACKNOWLEDGED,
        AlarmState.SUPPRESSED,
        AlarmState.SUPPRESSED,
        AlarmState.UNACKNOWLEDGED,
    ]


def test_works_that_are_called_off_hold_nothing_any_more(room: Room) -> None:
    works = plan(room)
    alarm = raise_one(room)
    room.pass_time(1)

    room.run(room.handling.end_works(SUSI, works.works_id, version=works.version))
    room.pass_time(1)
    room.pass_time(30)

    assert alarm.suppressed_by == "works: Ring resurfacing"
    assert now(room, alarm).is_calling


def test_hours_of_a_rule_hold_what_stands_already_and_let_it_go_at_their_end(room: Room) -> None:
    hours = Window(begin=local(room, 60), end=local(room, 180))
    rule = SuppressionRule(
        rule_id="school-run",
        title="School run",
        causes=frozenset(),
        kinds=frozenset(),
        reach=Reach.EVERYWHERE,
        windows=(hours,),
        of_rule="congestion",
    )
    room.tunings.suppression = (rule,)
    alarm = raise_one(room)
    states = []
    for seconds in (60, 3600, 7200, 60):
        room.pass_time(seconds)
        states.append(now(room, alarm).state)

    assert states == [
        AlarmState.UNACKNOWLEDGED,
        AlarmState.SUPPRESSED,
        AlarmState.SUPPRESSED,
        AlarmState.UNACKNOWLEDGED,
    ]


def test_a_suppression_that_is_put_in_force_holds_what_stands_already(room: Room) -> None:
    jam = raise_one(room)
    raise_one(room, condition_key="flood", kind="street_flooded")
    room.pass_time(1)

    rule = SuppressionRule(
        rule_id="flooded",
        title="Street flooded",
        causes=frozenset({"street_flooded"}),
        kinds=frozenset({"congestion"}),
        reach=Reach.EVERYWHERE,
    )
    room.tunings.suppression = (rule,)
    room.pass_time(1)

    assert now(room, jam).suppressed_by == "flooded"


def local(room: Room, minutes: int) -> str:
    """Return the time of day at the node's place in so many minutes."""
    return f"{(room.clock.now() + timedelta(minutes=minutes)).astimezone():%H:%M}"


# -- who, what and when ---------------------------------------------------------------------------------------------


def test_a_viewer_changes_nothing(room: Room) -> None:
    alarm = raise_one(room)
    until = room.clock.now() + timedelta(hours=1)
    for verb in (
        room.handling.unacknowledge(VERA, meant(alarm), reason="x"),
        room.handling.reset(VERA, meant(alarm)),
        room.handling.shelve(VERA, meant(alarm), for_s=60, reason=REASON),
        room.handling.unshelve(VERA, meant(alarm)),
        room.handling.tick(VERA, meant(alarm), step="Call the police", is_done=True),
        room.handling.set_out_of_service(VERA, meant(alarm), reason="x", until=until),
        room.handling.return_to_service(VERA, meant(alarm)),
    ):
        with pytest.raises(NotPermittedError):
            room.run(verb)

    assert now(room, alarm) == alarm


def test_no_verb_reaches_a_later_occurrence(room: Room) -> None:
    first = raise_one(room)
    return_one(room)
    room.clock.advance(seconds=400)
    second = raise_one(room)
    until = room.clock.now() + timedelta(hours=1)

    for verb in (
        room.handling.shelve(OLGA, meant(first), for_s=60, reason=REASON),
        room.handling.tick(OLGA, meant(first), step="Call the police", is_done=True),
        room.handling.set_out_of_service(SUSI, meant(first), reason="x", until=until),
    ):
        with pytest.raises(StaleWriteError, match="called again"):
            room.run(verb)

    assert second.occurrence != first.occurrence
    assert now(room, second) == second


def test_of_two_consoles_that_acknowledge_at_once_one_wins_and_the_other_is_told_who(room: Room) -> None:
    alarm = raise_one(room)
    told = {"Desk 1": [], "Desk 2": []}
    for seen in told.values():
        room.bus.subscribe(AlarmChanged, lambda event, seen=seen: seen.append(event.alarm))

    async def both():
        def one(actor):
            return room.incidents.acknowledge(
                actor, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version
            )

        return await asyncio.gather(one(OLGA), one(OMAR), return_exceptions=True)

    winner, loser = room.run(both())

    assert winner.acknowledged_by == "olga"
    assert isinstance(loser, StaleWriteError)
    assert "olga at Desk 1 acknowledged" in loser.message
    assert told["Desk 1"] == told["Desk 2"] == [winner] == [now(room, alarm)]


def test_steps_of_the_guidance_are_ticked_and_kept_in_the_journal(room: Room) -> None:
    alarm = raise_one(room)

    done = room.run(room.handling.tick(OLGA, meant(alarm), step="Call the police", is_done=True))
    undone = room.run(room.handling.tick(OLGA, meant(done), step="Call the police", is_done=False))

    again = room.run(room.handling.tick(OLGA, meant(undone), step="Call the police", is_done=False))

    assert (done.ticked, undone.ticked) == (frozenset({"Call the police"}), frozenset())
    assert again == undone, "what is so already is no error"
    words = [entry.comment for entry in room.run(room.incidents.journal(alarm.alarm_id))]
    assert words[-2:] == ["Call the police: done", "Call the police: not done after all"]


def test_every_verb_is_in_the_journal_and_in_the_audit_with_its_person(room: Room, crash: Alarm) -> None:
    seen = acknowledge(room, crash)
    back = room.run(room.handling.unacknowledge(OLGA, meant(seen), reason="Wrong row"))
    held = shelve(room, back, actor=SUSI, for_s=600)
    open_again = room.run(room.handling.unshelve(OMAR, meant(held)))
    out = take_out(room, open_again)
    room.run(room.handling.return_to_service(SUSI, meant(out)))
    reset = room.run(room.handling.reset(OMAR, meant(return_one(room)), comment="Cleared"))

    actions = [(one.action, one.actor) for one in room.run(audit.recent(room.store))][::-1]
    events = room.run(room.store.read(lambda s: ledger.events_of(s, crash.alarm_id)))

    assert actions[1:] == [
        ("alarm.acknowledge", "olga"),
        ("alarm.unacknowledge", "olga"),
        ("alarm.shelve", "susi"),
        ("alarm.unshelve", "omar"),
        ("alarm.out_of_service", "susi"),
        ("alarm.return_to_service", "susi"),
        ("alarm.reset", "omar"),
    ]
    assert machine.replay(events) == reset


def test_limits_say_what_this_person_may_do(room: Room, crash: Alarm) -> None:
    may = {actor.name: room.run(room.handling.limits(actor, crash.alarm_id)) for actor in (VERA, OLGA, SUSI)}

    assert {name: one.longest_shelving_s for name, one in may.items()} == {"vera": 0, "olga": 0, "susi": 900}
    assert {name: one.may_reset for name, one in may.items()} == {"vera": False, "olga": True, "susi": True}
    assert may["susi"].shelve_reasons == SHELVE_REASONS


def test_a_lost_source_neither_ends_nor_begins_anything(room: Room) -> None:
    alarm = acknowledge(room, raise_one(room))

    room.run(room.incidents.set_quality(SourceKind.CAMERA, "ring-north", Quality.STALE))

    lost = now(room, alarm)
    assert (lost.state, lost.is_active, lost.quality) == (AlarmState.ACKNOWLEDGED, True, Quality.STALE)


# -- what a rule wants, and what nobody hears any more --------------------------------------------------------------


def test_a_rule_that_wants_a_comment_takes_no_acknowledge_without_one(room: Room) -> None:
    room.tunings.replace({"congestion": AlarmTuning(is_comment_needed=True)})
    alarm = raise_one(room)

    with pytest.raises(BadInputError, match="only with a comment"):
        acknowledge(room, alarm)
    seen = room.run(
        room.incidents.acknowledge(
            OLGA, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version, comment="Police is there"
        )
    )

    assert (seen.state, seen.comment) == (AlarmState.ACKNOWLEDGED, "Police is there")


def rule_anew(room: Room, tuning: AlarmTuning) -> None:
    room.tunings.replace({"collision": tuning})
    room.bus.publish(RulesChanged(in_force=RulesInForce(rules=RuleSet(), version=2)))


def test_new_times_of_a_rule_count_for_what_calls_already(room: Room, crash: Alarm) -> None:
    rule_anew(room, AlarmTuning(escalate_s={}))
    room.pass_time(120)
    before = now(room, crash).escalation_level
    rule_anew(room, AlarmTuning(escalate_s={Priority.CRITICAL: 200}))
    room.pass_time(1)
    room.pass_time(80)

    assert (before, now(room, crash).escalation_level) == (0, 1)


def test_of_two_times_out_of_service_the_longer_one_counts(room: Room) -> None:
    alarm = raise_one(room)
    week, day = (room.clock.now() + timedelta(days=days) for days in (7, 1))
    room.run(
        room.handling.set_source_out_of_service(
            SUSI, SourceKind.CAMERA, "ring-north", name="Ring North", reason="Mast is moved", until=week
        )
    )
    room.run(room.handling.set_out_of_service(SUSI, meant(now(room, alarm)), reason="Lens is replaced", until=day))

    room.pass_time(24 * HOUR_S)
    after_a_day = now(room, alarm)
    room.pass_time(6 * 24 * HOUR_S)

    assert (after_a_day.state, after_a_day.out_of_service_reason) == (AlarmState.OUT_OF_SERVICE, "Mast is moved")
    assert now(room, alarm).state is AlarmState.UNACKNOWLEDGED


def lose_camera(room: Room, alarm: Alarm) -> Alarm:
    room.run(room.incidents.set_quality(SourceKind.CAMERA, alarm.source_id, Quality.STALE))
    return now(room, alarm)


def test_a_supervisor_closes_what_nobody_hears_and_a_source_that_comes_back_calls_anew(room: Room) -> None:
    closed = []
    room.bus.subscribe(ClosedUnheard, closed.append)
    alarm = lose_camera(room, raise_one(room))

    gone = room.run(room.incidents.close_unheard(SUSI, meant(alarm), reason="The mast was taken down"))
    again = raise_one(room)

    assert (gone.is_open, gone.comment, gone.acknowledged_by) == (False, "The mast was taken down", "susi")
    assert [event.alarm for event in closed] == [gone]
    journal = room.run(room.incidents.journal(alarm.alarm_id))
    assert [(one.event, one.actor) for one in journal[-3:]] == [
        ("comment", "susi"),
        ("return", "susi"),
        ("acknowledge", "susi"),
    ]
    assert again.is_calling
    assert again.alarm_id != gone.alarm_id
    assert room.run(audit.verify(room.store)).ok


def test_a_shelved_alarm_that_nobody_hears_is_closed_with_its_shelving(room: Room) -> None:
    alarm = lose_camera(room, shelve(room, raise_one(room)))

    assert not room.run(room.incidents.close_unheard(SUSI, meant(alarm), reason="Taken down")).is_open


def test_what_is_latched_waits_for_its_reset_although_nobody_hears_it(room: Room, crash: Alarm) -> None:
    gone = room.run(room.incidents.close_unheard(SUSI, meant(lose_camera(room, crash)), reason="Taken down"))

    assert gone.state is AlarmState.LATCHED_ACKNOWLEDGED


def test_only_what_is_active_and_not_heard_is_closed_and_only_by_a_supervisor_with_a_reason(room: Room) -> None:
    alarm = raise_one(room)

    def close(actor=SUSI, reason="Taken down"):
        return room.run(room.incidents.close_unheard(actor, meant(now(room, alarm)), reason=reason))

    with pytest.raises(BadInputError, match="is heard"):
        close()
    lose_camera(room, alarm)
    with pytest.raises(NotPermittedError):
        close(OLGA)
    with pytest.raises(BadInputError, match="reason"):
        close(reason=" ")
    return_one(room)
    with pytest.raises(BadInputError, match="over already"):
        close()


def test_a_deadline_that_cannot_be_stored_is_given_up_and_the_others_come(
    room: Room, crash: Alarm, monkeypatch
) -> None:
    other = raise_one(
        room, condition_key="camera/b/collision:x", source_id="b", kind="collision", priority=Priority.CRITICAL
    )
    store = ledger.record

    def refuse_one(session, row, event, actor):
        if row is not None and row.alarm_id == crash.alarm_id:
            raise ValueError("a bug")
        return store(session, row, event, actor)

    monkeypatch.setattr(ledger, "record", refuse_one)
    room.pass_time(60)
    room.pass_time(1)

    assert (now(room, crash).escalation_level, now(room, other).escalation_level) == (0, 1)


def test_a_place_without_mains_is_the_last_one_known_while_its_gateway_is_lost(room: Room) -> None:
    room.tunings.replace({})
    at_gateway = {"source_kind": SourceKind.DEVICE, "source_id": "north/gw"}
    mains = raise_one(room, condition_key="device/north/gw/site_power_lost", kind="site_power_lost", **at_gateway)
    lost = raise_one(room, condition_key="device/north/gw/device_lost", kind="device_lost", **at_gateway)

    room.run(room.incidents.set_quality(SourceKind.DEVICE, "north/gw", Quality.STALE))

    assert (now(room, mains).quality, now(room, lost).quality) == (Quality.STALE, Quality.GOOD)
