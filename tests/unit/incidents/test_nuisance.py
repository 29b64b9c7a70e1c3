"""Between a rule and its alarm: delays, counts, and alarms that come too often."""

import pytest

from core.incidents import ledger
from core.incidents.model import AlarmMark, AlarmState, Priority
from core.incidents.timers import Due, Timers
from core.incidents.tuning import AlarmTuning
from core.kernel.errors import UnavailableError
from core.store.tables import AlarmRow
from tests.fixtures.room import OLGA, Room, make_condition

CONDITION = make_condition()
KEY = CONDITION.condition_key


def tune(room: Room, **figures) -> None:
    room.tunings.replace({"congestion": AlarmTuning(**figures)})


def rule_says(room: Room, is_wrong: bool) -> None:
    room.run(room.incidents.raise_condition(CONDITION) if is_wrong else room.incidents.return_condition(KEY))


def listed(room: Room) -> list[AlarmState]:
    return [alarm.state for alarm in room.run(room.incidents.open_alarms())]


def the_alarm(room: Room):
    (alarm,) = room.run(room.incidents.open_alarms())
    return alarm


def acknowledge(room: Room) -> None:
    alarm = the_alarm(room)
    room.run(
        room.incidents.acknowledge(OLGA, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version)
    )


def n_transitions(room: Room) -> int:
    return sum(alarm.version for alarm in room.run(room.store.read(_all_alarms)))


def _all_alarms(session):
    return [ledger.alarm_of(row) for row in session.query(AlarmRow)]


def test_a_condition_shorter_than_the_on_delay_calls_nobody(room: Room) -> None:
    tune(room, on_delay_s=60)
    rule_says(room, True)
    room.pass_time(59)
    rule_says(room, False)
    room.pass_time(60)

    assert listed(room) == []


def test_a_condition_that_lasts_for_the_on_delay_calls(room: Room) -> None:
    tune(room, on_delay_s=60)
    rule_says(room, True)
    room.pass_time(59)
    before = listed(room)
    room.pass_time(1)

    assert (before, listed(room)) == ([], [AlarmState.UNACKNOWLEDGED])


def test_an_end_shorter_than_the_off_delay_is_none(room: Room) -> None:
    tune(room, off_delay_s=120)
    rule_says(room, True)
    rule_says(room, False)
    room.pass_time(119)
    rule_says(room, True)
    room.pass_time(1000)

    assert listed(room) == [AlarmState.UNACKNOWLEDGED]
    assert n_transitions(room) == 1


def test_an_end_that_lasts_for_the_off_delay_returns(room: Room) -> None:
    tune(room, off_delay_s=120)
    rule_says(room, True)
    rule_says(room, False)
    room.pass_time(120)

    assert listed(room) == [AlarmState.RETURNED_UNACKNOWLEDGED]


def test_a_rule_with_a_count_calls_with_the_third_time_in_its_window(room: Room) -> None:
    tune(room, n_raises=3, window_s=60)
    states = []
    for _ in range(3):
        rule_says(room, True)
        states.append(listed(room))
        if states[-1]:
            assert (the_alarm(room).n_calls, the_alarm(room).marks) == (1, frozenset())
        rule_says(room, False)
        room.pass_time(10)

    assert states == [[], [], [AlarmState.UNACKNOWLEDGED]]


def test_three_times_in_a_longer_time_than_the_window_are_not_enough(room: Room) -> None:
    tune(room, n_raises=3, window_s=60)
    for _ in range(6):
        rule_says(room, True)
        rule_says(room, False)
        room.pass_time(40)

    assert listed(room) == []


def test_a_raise_every_ten_seconds_for_ten_minutes_calls_twice_and_is_marked_with_the_third(room: Room) -> None:
    seen = []
    for _ in range(60):
        rule_says(room, True)
        alarm = the_alarm(room)
        seen.append((alarm.n_calls, AlarmMark.CHATTERING in alarm.marks))
        room.pass_time(5)
        rule_says(room, False)
        room.pass_time(5)

    assert seen[:3] == [(1, False), (2, False), (2, True)]
    assert max(n_calls for n_calls, _ in seen) == 2
    assert all(is_marked for _, is_marked in seen[2:])


def test_what_chatters_stays_one_row_for_an_operator_who_acknowledges_it(room: Room) -> None:
    for number in range(60):
        rule_says(room, True)
        if the_alarm(room).is_calling:
            acknowledge(room)
        room.pass_time(5)
        rule_says(room, False)
        room.pass_time(5)
        assert number < 2 or listed(room) == [AlarmState.ACKNOWLEDGED]

    calls = [event for event in room.events if getattr(getattr(event, "alarm", None), "is_calling", False)]
    assert len({(event.alarm.alarm_id, event.alarm.n_calls) for event in calls}) == 3


def test_what_was_quiet_for_a_minute_has_returned_and_is_marked_no_more(room: Room) -> None:
    for _ in range(4):
        rule_says(room, True)
        rule_says(room, False)
        room.pass_time(5)
    held = the_alarm(room)
    room.pass_time(60)

    assert (held.is_active, AlarmMark.CHATTERING in held.marks) == (True, True)
    assert listed(room) == [AlarmState.RETURNED_UNACKNOWLEDGED]
    room.pass_time(1)
    assert AlarmMark.CHATTERING not in the_alarm(room).marks
    assert AlarmMark.REPEATING in the_alarm(room).marks


def test_three_times_in_ten_minutes_repeats_and_still_calls(room: Room) -> None:
    for _ in range(3):
        rule_says(room, True)
        rule_says(room, False)
        room.pass_time(100)

    assert the_alarm(room).marks >= {AlarmMark.REPEATING}
    assert the_alarm(room).n_calls == 3


def test_what_was_over_before_anybody_could_act_is_fleeting(room: Room) -> None:
    rule_says(room, True)
    room.pass_time(3)
    rule_says(room, False)

    assert the_alarm(room).marks == {AlarmMark.FLEETING}


def test_what_is_active_for_a_day_is_stale_until_it_returns(room: Room) -> None:
    rule_says(room, True)
    room.pass_time(24 * 3600)
    old = the_alarm(room)
    rule_says(room, False)

    assert old.marks == {AlarmMark.STALE}
    assert the_alarm(room).marks == frozenset()


def test_how_often_it_came_is_known_after_a_restart(room: Room) -> None:
    for _ in range(2):
        rule_says(room, True)
        room.pass_time(15)
        rule_says(room, False)
        room.pass_time(5)
    room.restart()
    room.run(room.incidents.start())

    rule_says(room, True)

    assert AlarmMark.CHATTERING in the_alarm(room).marks


def test_a_rule_that_says_it_twice_is_heard_once(room: Room) -> None:
    tune(room, on_delay_s=10)
    rule_says(room, True)
    room.pass_time(6)
    rule_says(room, True)
    room.pass_time(4)

    assert len(listed(room)) == 1


def test_a_worse_condition_is_heard_at_once_while_its_milder_one_waits_to_return(room: Room) -> None:
    tune(room, off_delay_s=120)
    rule_says(room, True)
    acknowledge(room)

    room.run(room.incidents.raise_condition(make_condition(priority=Priority.CRITICAL)))

    assert (the_alarm(room).priority, the_alarm(room).is_calling) == (Priority.CRITICAL, True)


def test_a_deadline_that_was_taken_back_never_falls_due(room: Room) -> None:
    timers, now = Timers(), room.clock.now()
    for number in range(3000):
        timers.arm(f"a{number}", {Due.STALE: now}, now=now, now_s=0.0)
        timers.arm(f"a{number}", {}, now=now, now_s=0.0)
    timers.arm("b", {Due.ESCALATE: now}, now=now, now_s=0.0)

    assert timers.due(1e9) == [("b", Due.ESCALATE)]


def test_of_what_waits_for_its_delay_the_most_urgent_is_raised(room: Room) -> None:
    tune(room, on_delay_s=60)
    rule_says(room, True)
    room.run(room.incidents.raise_condition(make_condition(priority=Priority.CRITICAL)))
    rule_says(room, True)
    room.pass_time(60)

    assert the_alarm(room).priority is Priority.CRITICAL


def test_what_comes_back_worse_within_the_off_delay_calls(room: Room) -> None:
    tune(room, off_delay_s=120)
    rule_says(room, True)
    acknowledge(room)
    rule_says(room, False)
    room.run(room.incidents.raise_condition(make_condition(priority=Priority.CRITICAL)))

    alarm = the_alarm(room)
    assert (alarm.priority, alarm.is_calling) == (Priority.CRITICAL, True)


def test_a_count_over_an_hour_is_kept_for_an_hour(room: Room) -> None:
    tune(room, n_raises=3, window_s=3600)
    for _ in range(3):
        rule_says(room, True)
        rule_says(room, False)
        room.pass_time(1000)

    assert [alarm.n_calls for alarm in room.run(room.incidents.open_alarms())] == [1]


def test_a_repeat_that_was_over_before_anybody_could_act_is_fleeting(room: Room) -> None:
    rule_says(room, True)
    room.pass_time(30)
    rule_says(room, False)
    room.pass_time(30)
    assert the_alarm(room).marks == frozenset()

    rule_says(room, True)
    room.pass_time(3)
    rule_says(room, False)

    assert the_alarm(room).marks == {AlarmMark.FLEETING}


def test_a_step_that_cannot_be_stored_is_given_up_and_the_others_are_taken(room: Room, monkeypatch, caplog) -> None:
    tune(room, on_delay_s=60)
    rule_says(room, True)
    room.run(room.incidents.raise_condition(make_condition(condition_key="camera/b/congestion:x", source_id="b")))
    store = ledger.record_new

    def refuse_one(session, raised, actor):
        if any(event.condition.condition_key == KEY for event in raised):
            raise ValueError("a bug")
        return store(session, raised, actor)

    monkeypatch.setattr(ledger, "record_new", refuse_one)
    room.pass_time(60)
    assert [alarm.source_id for alarm in room.run(room.incidents.open_alarms())] == ["b"]

    monkeypatch.setattr(ledger, "record_new", store)
    rule_says(room, True)
    room.pass_time(60)
    assert len(listed(room)) == 2


def test_what_was_counted_before_a_restart_counts(room: Room) -> None:
    tune(room, n_raises=3, window_s=3600)
    for _ in range(2):
        rule_says(room, True)
        rule_says(room, False)
        room.pass_time(900)
    room.restart()
    tune(room, n_raises=3, window_s=3600)
    room.run(room.incidents.start())

    rule_says(room, True)

    assert listed(room) == [AlarmState.UNACKNOWLEDGED]


def test_a_moment_that_is_tried_again_while_the_database_is_away_is_one(room: Room) -> None:
    def is_away(_session):
        raise UnavailableError("The database is away.")

    for _ in range(4):
        with pytest.raises(UnavailableError):
            room.run(room.incidents.raise_moment(CONDITION, is_away))
    room.run(room.incidents.raise_moment(CONDITION, lambda _session: True))
    room.pass_time(1)

    assert (the_alarm(room).n_calls, the_alarm(room).marks) == (1, frozenset())


def test_moments_that_come_again_and_again_are_marked_with_the_third(room: Room) -> None:
    seen = []
    for _ in range(4):
        room.run(room.incidents.raise_moment(CONDITION, lambda _session: True))
        seen.append((the_alarm(room).n_calls, AlarmMark.CHATTERING in the_alarm(room).marks))
        room.pass_time(10)

    assert seen == [(1, False), (2, False), (2, True), (2, True)]


def test_a_count_of_moments_calls_with_the_third_also_where_a_restart_lies_between(room: Room) -> None:
    tune(room, n_raises=3, window_s=600)
    for _ in range(2):
        room.run(room.incidents.raise_moment(CONDITION, lambda _session: True))
        room.pass_time(20)
    before = listed(room)
    room.restart()
    tune(room, n_raises=3, window_s=600)
    room.run(room.incidents.start())
    room.run(room.incidents.raise_moment(CONDITION, lambda _session: True))

    assert (before, listed(room)) == ([], [AlarmState.RETURNED_UNACKNOWLEDGED])
    assert (the_alarm(room).n_calls, the_alarm(room).marks) == (1, frozenset())


def test_as_many_moments_at_once_as_the_rule_counts_call_at_once(room: Room) -> None:
    tune(room, n_raises=3, window_s=600)
    room.run(room.incidents.raise_moment(CONDITION, lambda _session: True, n_times=300))

    assert (the_alarm(room).n_calls, the_alarm(room).marks) == (1, frozenset())
