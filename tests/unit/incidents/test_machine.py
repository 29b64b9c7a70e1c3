"""The alarm's state machine, by its table and by its promises."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.incidents.events import Acknowledged, Event, QualityChanged, Raised, Returned
from core.incidents.machine import TABLE, Trigger, apply, replay, trigger_of
from core.incidents.model import Alarm, AlarmState, Priority, Quality
from tests.fixtures.room import make_condition

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def raised(at: datetime = T0, *, occurrence: str = "first", priority: Priority = Priority.MEDIUM) -> Raised:
    return Raised(
        at=at,
        condition=make_condition(priority=priority),
        alarm_id=f"alarm-{occurrence}",
        occurrence=occurrence,
        incident_id=f"incident-{occurrence}",
    )


def acknowledged(at: datetime = T0, *, occurrence: str = "first") -> Acknowledged:
    return Acknowledged(at=at, occurrence=occurrence, by="olga", desk="Desk 1")


def alarm_after(*events: Event) -> Alarm:
    alarm = replay(events)
    assert alarm is not None
    return alarm


UNACK = (raised(),)
ACKED = (raised(), acknowledged())
RTNUN = (raised(), Returned(at=T0))


@pytest.mark.parametrize(
    ("history", "event", "expected"),
    [
        (UNACK, Returned(at=T0), AlarmState.RETURNED_UNACKNOWLEDGED),
        (UNACK, acknowledged(), AlarmState.ACKNOWLEDGED),
        (UNACK, raised(occurrence="again"), AlarmState.UNACKNOWLEDGED),
        (UNACK, raised(priority=Priority.HIGH), AlarmState.UNACKNOWLEDGED),
        (ACKED, Returned(at=T0), AlarmState.NORMAL),
        (ACKED, acknowledged(), AlarmState.ACKNOWLEDGED),
        (ACKED, raised(occurrence="again"), AlarmState.ACKNOWLEDGED),
        (ACKED, raised(priority=Priority.HIGH), AlarmState.UNACKNOWLEDGED),
        (RTNUN, acknowledged(), AlarmState.NORMAL),
        (RTNUN, raised(occurrence="again"), AlarmState.UNACKNOWLEDGED),
        (RTNUN, Returned(at=T0), AlarmState.RETURNED_UNACKNOWLEDGED),
    ],
)
def test_each_event_leads_to_the_state_of_the_standard(
    history: tuple[Event, ...], event: Event, expected: AlarmState
) -> None:
    assert alarm_after(*history, event).state is expected


def test_an_acknowledged_alarm_stays_in_the_list_while_its_condition_holds() -> None:
    alarm = alarm_after(*ACKED)

    assert alarm.is_open
    assert not alarm.is_calling
    assert (alarm.acknowledged_by, alarm.acknowledged_desk) == ("olga", "Desk 1")


def test_a_condition_that_comes_back_soon_is_the_same_occurrence() -> None:
    alarm = alarm_after(*RTNUN, raised(T0 + timedelta(seconds=299), occurrence="second"))

    assert (alarm.occurrence, alarm.incident_id, alarm.n_repeats) == ("first", "incident-first", 1)
    assert alarm.is_calling


def test_a_condition_that_comes_back_soon_to_a_closed_incident_is_a_new_occurrence() -> None:
    again = replace(raised(T0 + timedelta(seconds=1), occurrence="second"), is_incident_closed=True)

    alarm = alarm_after(*RTNUN, again)

    assert (alarm.occurrence, alarm.incident_id, alarm.n_calls) == ("second", "incident-second", 1)
    assert (alarm.alarm_id, alarm.raised_at) == ("alarm-first", again.at)


def test_a_condition_that_grows_more_urgent_in_a_closed_incident_is_a_new_occurrence() -> None:
    worse = replace(raised(priority=Priority.CRITICAL, occurrence="second"), is_incident_closed=True)

    alarm = alarm_after(*ACKED, worse)

    assert (alarm.occurrence, alarm.incident_id, alarm.n_calls) == ("second", "incident-second", 1)
    assert (alarm.state, alarm.priority) == (AlarmState.UNACKNOWLEDGED, Priority.CRITICAL)


def test_a_condition_that_comes_back_late_is_a_new_occurrence_with_its_own_incident() -> None:
    alarm = alarm_after(*RTNUN, raised(T0 + timedelta(seconds=301), occurrence="second"))

    assert (alarm.occurrence, alarm.incident_id, alarm.n_repeats) == ("second", "incident-second", 1)
    assert alarm.alarm_id == "alarm-first"


def test_an_acknowledge_of_the_first_occurrence_does_not_reach_the_second() -> None:
    alarm = alarm_after(*RTNUN, raised(T0 + timedelta(seconds=301), occurrence="second"), acknowledged())

    assert alarm.is_calling


def test_a_closed_alarm_stays_closed_and_the_next_raise_opens_another() -> None:
    closed = alarm_after(*ACKED, Returned(at=T0))

    opened = apply(closed, raised(T0, occurrence="second"))

    assert closed.state is AlarmState.NORMAL
    assert opened is not None
    assert (opened.alarm_id, opened.n_repeats, opened.version) == ("alarm-second", 0, 1)


def test_a_worse_condition_calls_again_and_a_milder_one_does_not_make_it_look_mild() -> None:
    worse = alarm_after(*ACKED, raised(priority=Priority.CRITICAL))

    milder = apply(worse, raised(priority=Priority.LOW))

    assert (worse.priority, worse.is_calling) == (Priority.CRITICAL, True)
    assert milder is worse


def test_a_lost_source_changes_neither_state_nor_call() -> None:
    before = alarm_after(*ACKED)

    lost = apply(before, QualityChanged(at=T0, quality=Quality.STALE))

    assert lost is not None
    assert replace(lost, quality=Quality.GOOD, version=before.version) == before
    assert apply(lost, QualityChanged(at=T0, quality=Quality.GOOD)) == replace(before, version=before.version + 2)


def test_what_changes_nothing_returns_the_very_same_alarm() -> None:
    alarm = alarm_after(*ACKED)

    assert apply(alarm, acknowledged()) is alarm
    assert apply(alarm, QualityChanged(at=T0, quality=Quality.GOOD)) is alarm
    assert apply(None, Returned(at=T0)) is None


def test_no_state_of_the_table_leads_to_normal_while_the_condition_holds() -> None:
    active = {AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED}
    to_normal = {row.trigger for row in TABLE if row.source & active and row.target is AlarmState.NORMAL}

    assert to_normal == {Trigger.RETURN}


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Anything that can happen to a condition, in any order, with time going on."""
    events: list[Event] = []
    at = T0
    occurrences = ["o0"]
    for number in range(draw(st.integers(1, 30))):
        at += timedelta(seconds=draw(st.sampled_from([0, 1, 200, 301, 4000])))
        kind = draw(st.sampled_from(["raise", "return", "acknowledge", "lost", "back"]))
        if kind == "raise":
            occurrences.append(f"o{number}")
            events.append(raised(at, occurrence=occurrences[-1], priority=draw(st.sampled_from(list(Priority)))))
        elif kind == "return":
            events.append(Returned(at=at))
        elif kind == "acknowledge":
            events.append(acknowledged(at, occurrence=draw(st.sampled_from(occurrences))))
        else:
            events.append(QualityChanged(at=at, quality=Quality.GOOD if kind == "back" else Quality.STALE))
    return events


@given(histories())
def test_every_state_is_reached_by_its_own_events_only(events: list[Event]) -> None:
    alarm: Alarm | None = None
    for event in events:
        before = alarm
        alarm = apply(alarm, event)
        if before is None or alarm is before or alarm is None:
            continue
        if before.is_active and not alarm.is_active:
            assert isinstance(event, Returned)
        if before.is_calling and not alarm.is_calling:
            assert isinstance(event, Acknowledged)
            assert event.occurrence == before.occurrence
        if isinstance(event, QualityChanged):
            assert alarm.state is before.state
        if before.is_open:
            assert alarm.version == before.version + 1
            assert alarm.alarm_id == before.alarm_id


@given(histories())
def test_replaying_only_what_changed_something_gives_the_same_alarm(events: list[Event]) -> None:
    alarm: Alarm | None = None
    journal: list[Event] = []
    for event in events:
        trigger = trigger_of(alarm, event)
        if trigger is Trigger.RAISE:
            journal.clear()
        if trigger is not None:
            journal.append(event)
        alarm = apply(alarm, event)

    assert replay(journal) == alarm


@given(histories())
def test_an_alarm_that_calls_never_falls_silent_without_an_acknowledge(events: list[Event]) -> None:
    alarm = replay([event for event in events if not isinstance(event, Acknowledged)])

    assert alarm is None or alarm.is_calling
