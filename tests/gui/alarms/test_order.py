"""Which alarms are shown, in which order."""

from dataclasses import replace

from core.incidents.model import Priority
from tests.gui.alarms.making import make_alarm
from widgets.alarms.order import AlarmFilter, Choice, arranged, arranged_by_group, calling_counts, matches, strip_alarms


def ids(alarms):
    return [alarm.alarm_id for alarm in alarms]


def test_unacknowledged_come_first_then_priority_then_the_newest():
    alarms = [
        make_alarm("acked-critical", Priority.CRITICAL, is_acknowledged=True),
        make_alarm("low", Priority.LOW),
        make_alarm("old-high", Priority.HIGH, age_s=100),
        make_alarm("new-high", Priority.HIGH, age_s=10),
        make_alarm("returned-critical", Priority.CRITICAL, is_active=False),
    ]

    assert ids(arranged(alarms, AlarmFilter())) == [
        "returned-critical",
        "new-high",
        "old-high",
        "low",
        "acked-critical",
    ]


def test_closed_alarms_are_not_listed():
    assert arranged([make_alarm("a", is_active=False, is_acknowledged=True)], AlarmFilter()) == []


def test_every_word_of_the_filter_must_be_found_somewhere():
    alarm = make_alarm("a", source_name="Harbour Road", title="Congestion in zone East")

    assert matches(alarm, AlarmFilter(query="east HARBOUR"))
    assert not matches(alarm, AlarmFilter(query="east tunnel"))


def test_states_can_be_chosen():
    calling = make_alarm("calling")
    acked = make_alarm("acked", is_acknowledged=True)
    returned = make_alarm("returned", is_active=False)
    shown = {choice: ids(arranged([calling, acked, returned], AlarmFilter(choice=choice))) for choice in Choice}

    assert shown == {
        Choice.OPEN: ["calling", "returned", "acked"],
        Choice.CALLING: ["calling", "returned"],
        Choice.ACTIVE: ["calling", "acked"],
        Choice.ACKNOWLEDGED: ["acked"],
        Choice.RETURNED: ["returned"],
    }


def test_counts_name_every_priority():
    alarms = [make_alarm("a", Priority.HIGH), make_alarm("b", Priority.HIGH, is_acknowledged=True)]

    assert calling_counts(alarms) == {
        Priority.CRITICAL: 0,
        Priority.HIGH: 1,
        Priority.MEDIUM: 0,
        Priority.LOW: 0,
    }


def test_the_strip_takes_the_three_most_urgent_that_call():
    alarms = [make_alarm(f"m{i}", Priority.MEDIUM, age_s=i) for i in range(5)]
    alarms += [make_alarm("c", Priority.CRITICAL, age_s=500), make_alarm("x", Priority.CRITICAL, is_acknowledged=True)]

    assert ids(strip_alarms(alarms)) == ["c", "m0", "m1"]


def test_in_a_flood_alarms_stand_by_site_and_kind_with_the_first_out_on_top():
    alarms = [
        make_alarm("late", Priority.HIGH, age_s=5),
        make_alarm("first", Priority.HIGH, age_s=90),
        replace(make_alarm("other-kind", Priority.CRITICAL, age_s=50), kind="collision"),
        make_alarm("acked", Priority.HIGH, age_s=70, is_acknowledged=True),
        replace(make_alarm("elsewhere", Priority.HIGH, age_s=99), source_name="north"),
    ]

    found = arranged_by_group(alarms, AlarmFilter(), lambda alarm: alarm.source_name)

    assert [(alarm.alarm_id, place.number, place.of) for alarm, place in found] == [
        ("other-kind", 1, 1),
        ("elsewhere", 1, 1),
        ("first", 1, 3),
        ("late", 2, 3),
        ("acked", 3, 3),
    ]
    assert {alarm.alarm_id for alarm, _ in found} == {alarm.alarm_id for alarm in alarms}
