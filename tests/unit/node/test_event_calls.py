"""What devices raise themselves: called once, whatever is killed in between."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import update

from core.field import event_log, rows
from core.field.event_log import EventCall
from core.field.kinds import find_kinds
from core.field.model import UNNUMBERED, Device, FieldEvent
from core.field.service import EventsLost
from core.incidents.handling import Meant
from core.incidents.model import MOMENTS, AlarmState, Priority
from core.incidents.tuning import SHELVE_REASONS, AlarmTuning
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.node import conditions
from core.node.calls import Calls
from core.store.tables import FieldEventRow
from tests.fixtures.room import OLGA, SUSI

CAMERA = Device(device_id="edge/c1", kind="edge-camera", name="Mast 1", position=GeoPoint(1.0, 2.0))
STOPPED = {"category": "traffic", "subCategory": "carStopped", "severity": "medium"}


def find(device_id):
    if device_id != CAMERA.device_id:
        raise BadInputError("There is no such device.")
    return CAMERA


class Desk:
    """The part of a node between stored events and alarms."""

    def __init__(self, room):
        self.room, self.n_events = room, 0

    def event(self, data=None, *, event_type="Alert", **changes):
        self.n_events += 1
        now = self.room.clock.now()
        made = FieldEvent(
            device_id=CAMERA.device_id,
            seq=self.n_events,
            event_id=f"e{self.n_events}",
            event_type=event_type,
            at=now - timedelta(seconds=1),
            received_at=now + timedelta(milliseconds=self.n_events),
            boot="b1",
            is_good=True,
            is_history=False,
            data=STOPPED if data is None else data,
        )
        return replace(made, **changes)

    def store(self, *events):
        self.room.run(self.room.store.write(lambda s: rows.insert_events(s, events)))

    def waiting(self):
        return self.room.run(self.room.store.read(event_log.waiting_events))

    def call(self, *events):
        """Let a node's calls work off these events."""

        async def forget_waiting(gone):
            def forget(session):
                event_log.claim(session, gone)
                event_log.note_call(session, gone, EventCall.NO_DEVICE)

            await self.room.store.write(forget)

        async def main():
            calls = Calls(
                self.room.incidents,
                folder="",
                find_camera=lambda _id: None,
                find_device=find,
                forget_waiting=forget_waiting,
            )
            working = asyncio.create_task(calls.work())
            for event in events:
                calls.take_field_event(event)
            await calls.drain(timeout_s=5)
            working.cancel()

        self.room.run(main())

    def hear(self, *events):
        """Store events, and call for them as a node does that lives on."""
        self.store(*events)
        self.call(*events)

    def shown(self, device_id=CAMERA.device_id):
        """Return what became of the events of a device, the newest first."""
        kind = find_kinds()["edge-camera"]
        read = partial(event_log.read_events, device_id=device_id, kind=kind, stored_seq=100, n_most=10)
        return [(one.call, one.alarm_id) for one in self.room.run(self.room.store.read(read))]

    def hold(self, how):
        (alarm,) = self.alarms()
        meant = Meant(alarm_id=alarm.alarm_id, occurrence=alarm.occurrence, version=alarm.version)
        self.room.run(how(self.room.handling, meant))

    def alarms(self):
        return self.room.run(self.room.incidents.open_alarms())

    def n_journal(self):
        (alarm,) = self.alarms()
        return len(self.room.run(self.room.incidents.journal(alarm.alarm_id)))


@pytest.fixture
def desk(room):
    return Desk(room)


def test_an_alert_without_a_number_is_an_alarm_that_says_so_and_one_that_is_sent_again_calls_no_more(desk):
    event = desk.event(seq=UNNUMBERED, boot="digest")
    desk.hear(event)
    desk.hear(event)
    (alarm,) = desk.alarms()

    assert "no number" in alarm.detail
    assert (alarm.n_calls, alarm.n_repeats) == (1, 0)
    assert desk.shown() == [(EventCall.CALLED, alarm.alarm_id)]


def test_an_alert_that_has_the_time_of_its_arrival_says_so(desk):
    now = desk.room.clock.now()
    desk.hear(desk.event(at=now, received_at=now, is_good=False))

    (alarm,) = desk.alarms()
    assert f"at {now:%H:%M:%S} UTC (time of arrival)." in alarm.detail


def test_an_alert_of_a_device_is_an_alarm_with_its_words_and_its_severity(desk):
    event = desk.event()
    desk.hear(event)

    (alarm,) = desk.alarms()
    assert (alarm.title, alarm.priority, alarm.source_id) == ("Car stopped: Mast 1", Priority.MEDIUM, "edge/c1")
    assert alarm.condition_key == "device/edge/c1/device_alert:car-stopped"
    assert alarm.state is AlarmState.RETURNED_UNACKNOWLEDGED, "that it lasts, nobody can know"
    assert alarm.detail.endswith("Whether it lasts, it does not say.")
    assert alarm.position == CAMERA.position
    assert alarm.marks == frozenset(), "a moment is not fleeting"
    assert desk.waiting() == []


def test_a_critical_alert_that_nobody_acknowledges_is_escalated_until_somebody_does_and_is_gone_then(desk):
    desk.hear(desk.event({**STOPPED, "severity": "critical"}))

    levels = []
    for seconds in (59, 1, 60, 60, 600):
        desk.room.pass_time(seconds)
        levels += [alarm.escalation_level for alarm in desk.alarms()]
    (alarm,) = desk.alarms()
    desk.room.run(
        desk.room.incidents.acknowledge(OLGA, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version)
    )

    assert levels == [0, 1, 2, 3, 3]
    assert alarm.is_calling
    assert desk.alarms() == ()


def test_an_alert_is_escalated_by_hand(desk):
    desk.hear(desk.event())

    (alarm,) = desk.alarms()
    meant = Meant(alarm_id=alarm.alarm_id, occurrence=alarm.occurrence, version=alarm.version)
    assert desk.room.run(desk.room.handling.escalate(OLGA, meant)).escalation_level == 1


def test_an_alert_whose_time_is_uncertain_calls_and_says_so(desk):
    desk.hear(desk.event(is_good=False))

    (alarm,) = desk.alarms()
    assert alarm.is_calling
    assert "not to be trusted" in alarm.detail


def test_an_alert_that_came_ahead_of_what_is_missing_calls_once_and_says_so_also_after_a_restart(desk):
    event = desk.event()
    desk.store(replace(event, is_ahead=True))
    left = desk.waiting()
    desk.call(*left)
    (alarm,) = desk.alarms()

    desk.hear(event)

    assert [one.is_ahead for one in left] == [True]
    assert "Earlier events of it are missing." in alarm.detail
    assert desk.alarms() == (alarm,), "what came in its turn later is the same event"


@pytest.mark.parametrize(
    ("severity", "priority"),
    [("critical", 1), ("high", 2), ("medium", 3), ("low", 4), ("unheard of", 3), (["x"], 3), (None, 3)],
)
def test_its_severity_is_its_priority_and_one_that_nobody_knows_is_medium(desk, severity, priority):
    desk.hear(desk.event({**STOPPED, "severity": severity}))

    assert [alarm.priority for alarm in desk.alarms()] == [priority]


@pytest.mark.parametrize(
    "change",
    [{"is_history": True}, {"data": {**STOPPED, "severity": "informational"}}, {"event_type": "Count"}],
    ids=["late", "informational", "a count"],
)
def test_what_is_late_or_only_information_is_stored_and_calls_nobody(desk, change):
    event = desk.event(**change)
    desk.hear(event)

    assert desk.alarms() == ()
    assert desk.waiting() == []


def test_a_burst_of_one_sort_is_one_alarm_and_the_most_urgent_counts(desk):
    events = [desk.event() for _ in range(300)] + [desk.event({**STOPPED, "severity": "high"})]
    desk.hear(*events)

    (alarm,) = desk.alarms()
    assert alarm.priority is Priority.HIGH
    assert desk.n_journal() == 2, "raised and returned once"
    assert desk.waiting() == []


def test_a_rule_that_counts_alerts_counts_each_also_of_a_burst(desk):
    desk.room.tunings.replace({"device_alert": AlarmTuning(n_raises=5, window_s=600)})
    desk.hear(*(desk.event() for _ in range(3)))
    before = (desk.alarms(), desk.waiting())

    desk.hear(desk.event(), desk.event())

    assert before == ((), [])
    (alarm,) = desk.alarms()
    assert alarm.n_calls == 1
    assert desk.shown() == [(EventCall.CALLED, alarm.alarm_id)] * 2 + [(EventCall.COUNTED, "")] * 3


def test_a_rule_that_counts_alerts_counts_one_that_came_ahead_once(desk):
    desk.room.tunings.replace({"device_alert": AlarmTuning(n_raises=3, window_s=600)})
    first, second = desk.event(), desk.event()
    ahead = replace(first, is_ahead=True)
    desk.store(ahead, second)

    desk.call(ahead, first, second)

    assert desk.alarms() == ()
    desk.hear(desk.event())
    assert len(desk.alarms()) == 1


def test_what_happens_at_one_moment_is_what_rules_know_as_that(desk):
    lost = conditions.events_lost(CAMERA, EventsLost(CAMERA.device_id, 1, "It no longer had it."))
    gave_up = conditions.device_overflow(CAMERA, desk.event({"dropped": 5}, event_type="OutboxOverflow"))

    assert {lost.kind, gave_up.kind, conditions.device_alert(CAMERA, desk.event()).kind} == MOMENTS


def test_a_device_that_invents_sorts_has_no_alarm_for_each(desk):
    desk.hear(*(desk.event({**STOPPED, "subCategory": f"sort{n}"}) for n in range(60)))

    titles = {alarm.title for alarm in desk.alarms()}
    assert len(titles) == 17
    assert "More alerts: Mast 1" in titles


def test_a_node_that_is_killed_between_the_event_and_its_alarm_calls_at_its_next_start(desk):
    event = desk.event()
    desk.store(event)

    left = desk.waiting()
    assert left == [event]
    desk.call(*left)

    assert [alarm.title for alarm in desk.alarms()] == ["Car stopped: Mast 1"]
    assert desk.waiting() == []


def test_a_call_whose_answer_was_lost_is_not_made_again(desk):
    events = [desk.event(), desk.event()]
    desk.hear(*events)
    before = desk.n_journal()

    desk.call(*events)

    assert desk.n_journal() == before
    assert desk.waiting() == []


def test_alarm_and_event_are_stored_together_or_not_at_all(desk, monkeypatch):
    event = desk.event()

    def break_off(*_args):
        raise OSError("killed here")

    monkeypatch.setattr("core.incidents.service.return_alarm", break_off)
    desk.hear(event)
    assert (desk.alarms(), desk.waiting()) == ((), [event])

    monkeypatch.undo()
    desk.call(*desk.waiting())
    assert len(desk.alarms()) == 1


def test_the_same_thing_seen_again_later_counts_up_and_calls_again(desk):
    desk.hear(desk.event())
    desk.hear(desk.event())

    (alarm,) = desk.alarms()
    assert alarm.n_repeats == 1


def test_the_event_of_a_device_that_was_removed_meanwhile_waits_no_longer(desk):
    event = replace(desk.event(), device_id="edge/gone")
    desk.hear(event)

    assert desk.alarms() == ()
    assert desk.waiting() == []


def test_what_is_lost_for_good_calls_also_where_it_comes_late(desk):
    event = desk.event({"dropped": 5}, event_type="OutboxOverflow", is_history=True)
    desk.store(event)

    assert desk.waiting() == [event]
    desk.call(event)
    assert [alarm.kind for alarm in desk.alarms()] == ["device_overflow"]


def test_events_are_listed_newest_first_in_words_also_where_a_device_counts_anew(desk):
    old = [desk.event({"count": n}, event_type="Count", boot="b0", seq=100 + n) for n in range(5)]
    fresh = [desk.event(seq=1), desk.event(seq=2, is_history=True)]
    desk.store(*old)
    desk.store(*fresh)

    kind = find_kinds()["edge-camera"]
    found = desk.room.run(
        desk.room.store.read(lambda s: event_log.read_events(s, "edge/c1", kind, stored_seq=2, n_most=4))
    )

    assert [(one.seq, one.is_late, one.call) for one in found] == [
        (2, True, EventCall.NONE),
        (1, False, EventCall.WAITING),
        (104, False, EventCall.NONE),
        (103, False, EventCall.NONE),
    ]
    assert found[1].title == "Car stopped"
    assert dict(found[1].meaning) == {"Category": "Traffic", "Sub category": "Car stopped", "Severity": "Medium"}


def test_what_became_of_a_call_is_noted_with_it_and_stays_so(desk):
    desk.hear(desk.event())
    (alarm,) = desk.alarms()
    assert desk.shown() == [(EventCall.CALLED, alarm.alarm_id)]

    desk.hold(lambda handling, meant: handling.shelve(OLGA, meant, for_s=60.0, reason=SHELVE_REASONS[0]))
    desk.hear(desk.event())
    until = desk.room.clock.now() + timedelta(hours=1)
    desk.hold(lambda handling, meant: handling.set_out_of_service(SUSI, meant, reason="repaired", until=until))
    shelved, called = (EventCall.SHELVED, alarm.alarm_id), (EventCall.CALLED, alarm.alarm_id)
    desk.hear(desk.event())

    assert desk.shown() == [(EventCall.OUT_OF_SERVICE, alarm.alarm_id), shelved, called]


def test_of_an_event_whose_device_was_removed_or_that_an_earlier_version_stored_nobody_says_that_it_called(desk):
    desk.hear(replace(desk.event(), device_id="edge/gone"))
    assert desk.shown("edge/gone") == [(EventCall.NO_DEVICE, "")]

    desk.store(desk.event())
    desk.room.run(desk.room.store.write(lambda s: s.execute(update(FieldEventRow).values(is_waiting=False))))
    assert desk.shown() == [(EventCall.UNKNOWN, "")]


@pytest.mark.parametrize(
    ("name", "words"),
    [("carStopped", "Car stopped"), ("CO2High", "CO2 high"), ("road-closed", "Road closed"), ("12 %", "12 %")],
)
def test_names_of_payloads_are_read_as_words(name, words):
    assert event_log.in_words(name) == words
