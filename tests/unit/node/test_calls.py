"""Calls to the operator while the database comes and goes."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.cameras.model import Camera
from core.drones.model import DroneState, LinkHealth
from core.field.inbox import Inbound
from core.field.model import Device, DeviceState, FieldEvent, FieldLosses, LinkReport, LinkState, Reading
from core.field.service import EventsLost
from core.gateway.frigate import OBJECT, FrigateAdapter
from core.incidents.doubt import Doubtful
from core.incidents.ledger import Measured
from core.incidents.model import Condition, Priority, Quality, SourceKind
from core.incidents.rules.book import RuleBook, shipped_book
from core.incidents.rules.model import AlarmRule, AppliesTo, Consequence, Limits, RuleSet, RulesInForce, TimeToRespond
from core.kernel.clock import FakeClock
from core.kernel.errors import UnavailableError
from core.kernel.ids import new_id
from core.media.model import StreamReport, StreamState
from core.node import conditions
from core.node.calls import LOSSES_END_AFTER_S, UNSTORED_AFTER_S, Calls
from core.node.model import Health, WorkerReport
from core.node.sight import CameraBack, CameraLost
from core.parking.model import BayState, BayStatus, Lot, LotObservation, LotObservationKind
from core.parking.rules import LotCondition, LotRule
from core.parking.sight.model import Sighting, SightingKind, SightInterrupted
from core.vision.messages import Observed
from core.vision.model import Observation, ObservationKind, Phase
from tests.e2e.gateway.test_frigate import event
from tests.fixtures.alarms import alarm

CAMERA = Camera(camera_id="a", name="A", address="synthetic:a")


class Incidents:
    """The incident service's verbs, with a database that can be away."""

    def __init__(self):
        self.done = []
        self.pictures = []
        self.conditions = []
        self.is_away = False
        self.refused = ""
        self.n_tries = 0

    async def _store(self, *what):
        self.n_tries += 1
        if self.is_away:
            raise UnavailableError("The database is away.")
        if self.refused in what:
            raise ValueError("a bug")
        self.done.append(what)

    async def raise_condition(self, condition, picture=None):
        await self._store("raise", condition.condition_key)
        self.pictures += [picture] if picture is not None else []
        self.conditions.append(condition)

    async def raise_moment(self, condition, _claim, _note=None, *, n_times=1):
        await self._store("moment", condition.condition_key)

    async def return_condition(self, key, _measured_at=None):
        await self._store("return", key)

    async def take_observation(self, observation, *, snapshot, **_where):
        await self._store(observation.condition_key, "without a picture" if snapshot is None else "with a picture")

    async def return_missing(self, source_kind, source_id, still_active=()):
        await self._store("return missing", source_id, *still_active)

    async def return_sources(self, sources):
        await self._store("return sources", *sorted(source_id for _kind, source_id in sources))

    async def doubt_source(self, source_kind, source_id, sure=()):
        await self._store("doubt", source_id, *sure)

    async def doubt_conditions(self, condition_keys):
        await self._store("doubt", *sorted(condition_keys))

    async def set_quality(self, source_kind, source_id, quality, sure=()):
        await self._store("quality", source_id)

    async def set_quality_of(self, condition_key, quality):
        await self._store("quality of", condition_key, quality)

    async def take_device_state(self, device):
        await self._store("device", device.state)


def condition(key="system/x"):
    return Condition(
        condition_key=key,
        kind="system",
        title="Fault",
        priority=Priority.HIGH,
        source_kind=SourceKind.SYSTEM,
        source_id="x",
        source_name="Watchfloor",
    )


def doubtful_alarm(key, **changes):
    source = {"source_kind": SourceKind.DEVICE, "source_id": "south/p1", "source_name": "P1"}
    return alarm(alarm_id=key, condition_key=key, **(source | changes))


def health(**changes):
    values = {
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "node_pid": 1,
        "version": "1",
        "loop_lag_p99_ms": 0.0,
        "loop_lag_max_ms": 0.0,
        "database": "SQLite",
        "is_database_ok": True,
        "disk_free_gb": 100.0,
    }
    return Health(**{**values, **changes})


def run(scenario, *, find_device=lambda _id: None, **changes):
    async def main():
        incidents = Incidents()
        calls = Calls(incidents, folder="/data", find_camera=lambda _id: CAMERA, find_device=find_device, **changes)
        working = asyncio.create_task(calls.work())
        await scenario(calls, incidents)
        working.cancel()

    asyncio.run(main())


def test_a_condition_is_raised_once_and_returned_once():
    async def scenario(calls, incidents):
        for _ in range(3):
            calls.raise_condition(condition())
        for _ in range(3):
            calls.return_condition("system/x")
        calls.return_condition("system/never-raised")
        await calls.drain(timeout_s=5)

        assert incidents.done == [("raise", "system/x"), ("return", "system/x")]

    run(scenario)


def test_what_happens_while_the_database_is_away_is_stored_in_order_when_it_is_back(monkeypatch):
    monkeypatch.setattr("core.node.calls.RETRY_S", 0.01)

    async def scenario(calls, incidents):
        incidents.is_away = True
        calls.raise_condition(condition("a"))
        calls.raise_condition(condition("b"))
        calls.return_condition("a")
        while incidents.n_tries < 3:
            await asyncio.sleep(0.005)
        assert incidents.done == []

        incidents.is_away = False
        await calls.drain(timeout_s=5)

        assert incidents.done == [("raise", "a"), ("raise", "b"), ("return", "a")]

    run(scenario)


def seen(kind, phase=Phase.BEGIN, *, key="jam", jpeg=b""):
    return Observed(
        observation=Observation(
            observation_id=new_id(),
            camera_id="a",
            kind=kind,
            phase=phase,
            rule_key="zone-a",
            rule_name="Lane A",
            condition_key=key,
            pts_s=1.0,
            captured_at=datetime(2026, 1, 1, tzinfo=UTC),
        ),
        snapshot_jpeg=jpeg,
    )


def test_calls_that_wait_for_the_database_are_told_the_most_urgent_first_until_they_are_stored(monkeypatch):
    monkeypatch.setattr("core.node.calls.RETRY_S", 0.01)
    clock = FakeClock()

    async def scenario(calls, incidents):
        incidents.is_away = True
        calls.raise_condition(conditions.database_down("It is locked."))
        calls.take_observed(seen(ObservationKind.LINE_CROSSED, Phase.INSTANT, key="count"))
        calls.take_observed(seen(ObservationKind.CONGESTION))
        calls.take_observed(seen(ObservationKind.COLLISION, key="crash"))
        calls.take_observed(seen(ObservationKind.COLLISION, Phase.END, key="crash"))
        assert calls.unstored() == ()

        clock.advance(seconds=UNSTORED_AFTER_S)
        assert [(call.title, call.source_name) for call in calls.unstored()] == [
            ("Collision: Lane A", "A"),
            ("Congestion in Lane A", "A"),
        ]

        incidents.is_away = False
        await calls.drain(timeout_s=5)
        assert calls.unstored() == ()

    run(scenario, clock=clock)


def test_calls_that_wait_for_the_database_have_the_title_and_the_priority_of_their_rules():
    clock = FakeClock()
    rule = AlarmRule(
        rule_id="tunnel",
        title="Tunnel blocked: {where}",
        consequence=Consequence.LIFE,
        time_to_respond=TimeToRespond.UNDER_1_MIN,
        applies_to=AppliesTo(kinds=("congestion",)),
    )
    book = RuleBook(RulesInForce(rules=RuleSet(rules=(rule,)), version=1))

    async def scenario(calls, incidents):
        incidents.is_away = True
        calls.take_observed(seen(ObservationKind.CONGESTION))
        clock.advance(seconds=UNSTORED_AFTER_S)

        (call,) = calls.unstored()
        assert (call.title, call.priority) == ("Tunnel blocked: Lane A", Priority.CRITICAL)

    run(scenario, clock=clock, find_book=lambda: book)


def test_while_the_database_is_away_counts_give_way_to_calls_and_calls_to_ends(monkeypatch):
    monkeypatch.setattr("core.node.calls.RETRY_S", 0.01)
    for name, most in (("MAX_WAITING_COUNTED", 1), ("MAX_WAITING", 2), ("MAX_WAITING_ENDS", 3)):
        monkeypatch.setattr(f"core.node.calls.{name}", most)

    async def scenario(calls, incidents):
        incidents.is_away = True
        calls.take_observed(seen(ObservationKind.LINE_CROSSED, Phase.INSTANT, key="first count"))
        calls.take_observed(seen(ObservationKind.LINE_CROSSED, Phase.INSTANT, key="second count"))
        calls.take_observed(seen(ObservationKind.CONGESTION, key="first call"))
        calls.take_observed(seen(ObservationKind.CONGESTION, key="second call"))
        calls.raise_condition(condition())
        calls.take_observed(seen(ObservationKind.CONGESTION, Phase.END, key="end"))
        calls.take_observed(seen(ObservationKind.CONGESTION, Phase.END, key="one end too many"))
        incidents.is_away = False
        await calls.drain(timeout_s=5)
        calls.raise_condition(condition())
        await calls.drain(timeout_s=5)

        assert [what[0] for what in incidents.done] == ["first count", "first call", "end", "raise"]

    run(scenario)


def test_calls_wait_without_their_pictures_where_those_would_fill_the_memory(monkeypatch):
    monkeypatch.setattr("core.node.calls.RETRY_S", 0.01)
    monkeypatch.setattr("core.node.calls.MAX_PICTURE_BYTES", 10)

    async def scenario(calls, incidents):
        incidents.is_away = True
        for key in ("a", "b"):
            calls.take_observed(seen(ObservationKind.CONGESTION, key=key, jpeg=b"8 bytes."))
        incidents.is_away = False
        await calls.drain(timeout_s=5)
        calls.take_observed(seen(ObservationKind.CONGESTION, key="c", jpeg=b"8 bytes."))
        await calls.drain(timeout_s=5)

        assert incidents.done == [("a", "with a picture"), ("b", "without a picture"), ("c", "with a picture")]

    run(scenario)


def test_one_alarm_that_cannot_be_stored_does_not_keep_the_others_back(caplog):
    async def scenario(calls, incidents):
        incidents.refused = "a"
        calls.raise_condition(condition("a"))
        calls.raise_condition(condition("b"))
        await calls.drain(timeout_s=5)

        assert incidents.done == [("raise", "b")]

    run(scenario)
    assert "an alarm could not be stored" in caplog.text
    caplog.clear()


def test_a_full_disk_and_a_database_that_refuses_call_and_are_taken_back():
    async def scenario(calls, incidents):
        calls.take_health(health(disk_free_gb=0.1, is_database_ok=False, database_reason="locked"))
        calls.take_health(health())
        await calls.drain(timeout_s=5)

        assert incidents.done == [
            ("raise", "system/disk"),
            ("raise", "system/database"),
            ("return", "system/disk"),
            ("return", "system/database"),
        ]

    run(scenario)


def test_a_place_of_regional_warnings_that_gives_none_calls_once_its_rule_has_waited_and_is_taken_back():
    key = "system/warnings_source:url"

    async def scenario(calls, incidents):
        calls.take_warning_places({"url": "It does not answer.", "folder": "It is gone."})
        calls.take_warning_places({"url": "It does not answer."})
        calls.take_warning_places({})
        calls.take_warning_places({})
        await calls.drain(timeout_s=5)

        assert [what for what, about in incidents.done if about == key] == ["raise", "return"]
        assert incidents.done.count(("return", "system/warnings_source:folder")) == 1

    run(scenario)
    rule = shipped_book().rule_of(conditions.warnings_source("url", ""))
    assert (rule.rule_id, rule.limits.on_delay_s) == ("warnings_source", 600)


def test_readings_that_are_lost_call_until_none_were_lost_for_a_minute():
    clock = FakeClock()
    key = "system/field_data_lost"

    async def scenario(calls, incidents):
        calls.take_health(health())
        calls.take_health(health(losses=FieldLosses(n_readings=3)))
        clock.advance(seconds=LOSSES_END_AFTER_S - 1)
        calls.take_health(health(losses=FieldLosses(n_readings=4)))
        clock.advance(seconds=LOSSES_END_AFTER_S - 1)
        calls.take_health(health(losses=FieldLosses(n_readings=4)))
        await calls.drain(timeout_s=5)
        assert incidents.done == [("raise", key)]

        clock.advance(seconds=1)
        calls.take_health(health(losses=FieldLosses(n_readings=4)))
        await calls.drain(timeout_s=5)
        assert incidents.done == [("raise", key), ("return", key)]

    run(scenario, clock=clock)


def test_events_that_are_lost_call_for_their_device():
    lost = EventsLost("d", 12, "It no longer had them.")

    async def scenario(calls, incidents):
        calls.take_events_lost(lost)
        await calls.drain(timeout_s=5)

        key = "device/d/events_lost"
        assert incidents.done == [("moment", key)]

    device = Device(device_id="d", kind="station", name="Bridge")
    run(scenario, find_device=lambda _id: device)
    condition = conditions.events_lost(device, lost)
    assert (condition.title, condition.detail) == (
        "Events lost: Bridge",
        "12 of its events are lost. It no longer had them.",
    )


def test_a_broker_that_is_gone_for_a_moment_calls_nobody():
    clock = FakeClock()

    async def scenario(calls, incidents):
        gone = health(link=LinkReport(state=LinkState.DOWN, address="broker:1883", reason="refused"))
        calls.take_health(gone)
        clock.advance(seconds=3)
        calls.take_health(gone)
        assert calls._queue.empty()
        clock.advance(seconds=10)
        calls.take_health(gone)
        await calls.drain(timeout_s=5)

        assert incidents.done == [("raise", "system/broker")]

    run(scenario, clock=clock)


def test_a_certificate_that_ends_soon_calls_until_a_new_one_is_there():
    async def scenario(calls, incidents):
        now = health().at
        for days in (800, 29, 28, 800):
            link = LinkReport(state=LinkState.CONNECTED, address="b", certificate_ends_at=now + timedelta(days=days))
            calls.take_health(health(link=link))
        await calls.drain(timeout_s=5)

        assert incidents.done == [("raise", "system/certificate"), ("return", "system/certificate")]

    run(scenario)


def test_a_broker_that_goes_changes_no_devices_alarm():
    async def scenario(calls, incidents):
        for state in (DeviceState.ONLINE, DeviceState.UNKNOWN, DeviceState.ONLINE, DeviceState.UNKNOWN):
            calls.take_device(Device(device_id="d", kind="station", name="D", state=state))
        await calls.drain(timeout_s=5)

        assert incidents.done == [("device", DeviceState.ONLINE)]

    run(scenario)


def test_a_device_is_judged_when_its_state_changes_and_not_with_every_message():
    async def scenario(calls, incidents):
        for state in (DeviceState.ONLINE, DeviceState.ONLINE, DeviceState.STALE, DeviceState.STALE, DeviceState.ONLINE):
            calls.take_device(Device(device_id="d", kind="station", name="D", state=state))
        await calls.drain(timeout_s=5)

        assert [state for _, state in incidents.done] == [DeviceState.ONLINE, DeviceState.STALE, DeviceState.ONLINE]

    run(scenario)


def test_a_wrong_clock_calls_until_it_is_clearly_right_again():
    async def scenario(calls, incidents):
        for skew_s in (None, -4.9, -5.1, -4.5, -600.0, -3.9, 5.2):
            calls.take_device(Device(device_id="d", kind="station", name="D", skew_s=skew_s))
        await calls.drain(timeout_s=5)

        key = "device/d/device_clock"
        assert [what for what in incidents.done if what[0] != "device"] == [
            ("raise", key),
            ("return", key),
            ("raise", key),
        ]

    run(scenario)


def test_a_device_that_gave_data_up_calls_once_for_each_time_it_says_so():
    def event(kind, **data):
        at = datetime(2026, 1, 1, tzinfo=UTC)
        return FieldEvent(
            device_id="d",
            seq=1,
            event_id="",
            event_type=kind,
            at=at,
            received_at=at,
            boot="",
            is_good=True,
            is_history=False,
            data=data,
        )

    async def scenario(calls, incidents):
        calls.take_field_event(event("OutboxOverflow", dropped=1000))
        calls.take_field_event(event("Count", dropped=5))
        calls.take_field_event(event("OutboxOverflow", dropped="many"))
        await calls.drain(timeout_s=5)

        key = "device/d/device_overflow"
        assert incidents.done == [("moment", key)]

    run(scenario, find_device=lambda _id: Device(device_id="d", kind="station", name="D"))


def test_a_camera_whose_rules_begin_anew_is_still_waited_for_where_it_is_lost_and_a_removed_one_is_not():
    lost = CameraLost(
        camera=CAMERA,
        report=StreamReport(camera_id="a", state=StreamState.LOST),
    )
    key = "camera/a/camera_lost"

    async def scenario(calls, incidents):
        calls.take_camera_lost(lost)
        calls.take_rules_reset("a")
        calls.take_camera_removed("a")
        await calls.drain(timeout_s=5)

        assert [what for what in incidents.done if what[0] != "quality"] == [
            ("raise", key),
            ("return missing", "a", key),
            ("return sources", "a"),
        ]

    run(scenario)


def test_thousands_of_devices_that_are_removed_together_are_one_step_and_hold_no_other_alarm_back():
    async def scenario(calls, incidents):
        for n in range(5000):
            calls.take_device_removed(f"north/p{n}")
        calls.raise_condition(condition("fire"))
        await calls.drain(timeout_s=5)

        assert [what[0] for what in incidents.done] == ["return sources", "raise"]
        assert len(set(incidents.done[0])) == 1 + 5000

    run(scenario)


def test_a_device_that_called_again_between_two_removals_does_not_leave_its_alarm_behind():
    async def scenario(calls, incidents):
        calls.raise_condition(condition("device/north/p1/x"))
        calls.take_device_removed("north/p1")
        calls.raise_condition(condition("device/north/p1/x"))
        calls.take_device_removed("north/p2")
        calls.take_device_removed("north/p1")
        await calls.drain(timeout_s=5)

        assert [(what[0], "north/p1" in what) for what in incidents.done] == [
            ("raise", False),
            ("return sources", True),
            ("raise", False),
            ("return sources", True),
        ]

    run(scenario)


def test_who_is_removed_while_others_are_being_taken_back_is_a_step_of_its_own():
    async def scenario(calls, incidents):
        began, may_end = asyncio.Event(), asyncio.Event()
        take_back = incidents.return_sources

        async def slow(sources):
            seen = set(sources)
            began.set()
            await may_end.wait()
            await take_back(seen)

        incidents.return_sources = slow
        calls.take_device_removed("north/p1")
        await began.wait()
        calls.take_device_removed("north/p2")
        may_end.set()
        await calls.drain(timeout_s=5)

        assert [set(what[1:]) for what in incidents.done] == [{"north/p1"}, {"north/p2"}]

    run(scenario)


def test_a_station_that_was_removed_in_a_jam_and_comes_back_calls_again():
    jam = replace(condition("station/north/p1/station_congestion"), source_kind=SourceKind.STATION)

    async def scenario(calls, incidents):
        for _ in range(2):
            calls.raise_condition(jam)
            calls.take_device_removed("north/p1")
        await calls.drain(timeout_s=5)

        assert [what[0] for what in incidents.done] == ["raise", "return sources"] * 2

    run(scenario)


def worker(state, n_failures, **changes):
    one = WorkerReport(key="detector", state=state, pid=1, n_restarts=40, n_failures=n_failures, reason="It ended.")
    return replace(one, **changes)


def test_a_camera_that_ends_its_process_is_named_in_the_call_which_holds_while_it_runs_in_between():
    culprit = {"key": "3", "is_culprit": True, "camera_ids": ("a",)}

    async def scenario(calls, incidents):
        calls.take_worker(worker("restarting", 1, **culprit))
        calls.take_worker(worker("running", 1, **culprit))
        await calls.drain(timeout_s=5)
        assert ("raise", "system/worker:3") in incidents.done
        assert ("return", "system/worker:3") not in incidents.done
        assert incidents.conditions[-1].detail.startswith("A: This camera ends the process that reads it")

        calls.take_worker(worker("stopped", 0, key="3"))
        await calls.drain(timeout_s=5)
        assert incidents.done[-1] == ("return", "system/worker:3")

    run(scenario)


def test_a_worker_that_ends_three_times_an_hour_calls_and_takes_it_back_once_it_runs_well():

    async def scenario(calls, incidents):
        calls.take_worker(worker("restarting", 1))
        calls.take_worker(worker("running", 1))
        await calls.drain(timeout_s=5)
        assert incidents.done == []

        for _ in range(2):
            calls.take_worker(worker("restarting", 3))
            calls.take_worker(worker("running", 3))
            calls.take_worker(worker("running", 2))
        await calls.drain(timeout_s=5)

        key = "system/worker:detector"
        assert incidents.done == [("raise", key), ("return", key)] * 2

    run(scenario)


def book_with(**limits):
    rule = AlarmRule(rule_id="own", applies_to=AppliesTo(kinds=("device_value",)), limits=Limits(**limits))
    return RuleBook(RulesInForce(rules=RuleSet(rules=(rule,)), version=1))


def measured(device, **values):
    return Reading(device_id=device.device_id, stream="s", at=datetime(2026, 1, 1, tzinfo=UTC), values=values)


class Measuring:
    """A device whose readings come every 200 s, under rules that may change."""

    def __init__(self, device, book):
        self.device, self.book, self.clock = device, book, FakeClock()

    async def take(self, calls, incidents, *readings):
        for values in readings:
            calls.take_reading(measured(self.device, **values))
            self.clock.advance(seconds=200)
        await calls.drain(timeout_s=5)
        return [what for what, _ in incidents.done]

    def run(self, scenario):
        run(scenario, find_device=lambda _id: self.device, find_book=lambda: self.book, clock=self.clock)


EDGE = Device(device_id="edge/one", kind="edge-camera", name="One", state=DeviceState.ONLINE)


def test_a_rule_of_the_site_puts_another_limit_than_the_kind_declares_from_the_next_reading_on():
    site = Measuring(EDGE, RuleBook(RulesInForce(rules=RuleSet(), version=1)))
    warm, warmer, cool = ({"temperature": celsius} for celsius in (57.0, 70.0, 54.0))

    async def scenario(calls, incidents):
        assert await site.take(calls, incidents, warmer, warmer) == []
        site.book = book_with(limit=60.0, deadband=5.0)
        assert await site.take(calls, incidents, warmer, warmer, warm, warm) == ["raise"]
        assert await site.take(calls, incidents, cool, cool) == ["raise", "return"]

    site.run(scenario)


POST = Device(device_id="post/p1", kind="post", name="Post 1", state=DeviceState.ONLINE)
LOAD = "device/post/p1/device_value:s/load"


def second(number):
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)


@pytest.mark.parametrize(
    ("known", "said", "stored"),
    [
        # It ended as raised: the newest reading says so again, which confirms it.
        (Measured(raised_at=second(3), returned_at=second(2)), ((1, 80), (2, 20), (3, 80)), ["raise"]),
        (Measured(raised_at=second(3), returned_at=second(2)), ((2, 20), (3, 80), (4, 20)), ["raise", "return"]),
        # It ended as returned.
        (Measured(raised_at=second(1), returned_at=second(2)), ((1, 80), (2, 20)), []),
        (Measured(raised_at=second(1), returned_at=second(2)), ((1, 80), (2, 20), (3, 80)), ["raise"]),
        (Measured(raised_at=second(1), returned_at=second(2)), ((1, 80), (3, 80)), ["raise"]),
        # The device's clock went back: that is no repetition.
        (Measured(raised_at=second(1), returned_at=second(2)), ((-60, 80),), ["raise"]),
    ],
)
def test_what_the_run_before_called_for_is_not_called_again_where_the_broker_repeats_it(known, said, stored):
    rule = AlarmRule(rule_id="own", applies_to=AppliesTo(quantities=("load",)), limits=Limits(limit=50.0))
    book = RuleBook(RulesInForce(rules=RuleSet(rules=(rule,)), version=1))

    async def scenario(calls, incidents):
        calls.know_measured({LOAD: known})
        for number, load in said:
            values = {"load": float(load)}
            calls.take_reading(Reading(device_id=POST.device_id, stream="s", at=second(number), values=values))
        await calls.drain(timeout_s=5)
        assert incidents.done == [(what, LOAD) for what in stored]

    run(scenario, find_device=lambda _id: POST, find_book=lambda: book)


def test_a_deadband_of_a_rule_goes_with_the_limit_that_the_kind_declares():
    site = Measuring(EDGE, book_with(deadband=15.0))
    hot, warm, cool = ({"temperature": celsius} for celsius in (80.0, 65.0, 55.0))

    async def scenario(calls, incidents):
        assert await site.take(calls, incidents, hot, hot, warm, warm) == ["raise"]
        assert await site.take(calls, incidents, cool, cool) == ["raise", "return"]

    site.run(scenario)


def test_a_limit_that_is_moved_beyond_what_stands_takes_the_call_back():
    site = Measuring(EDGE, book_with(limit=60.0))
    warm = {"temperature": 70.0}

    async def scenario(calls, incidents):
        assert await site.take(calls, incidents, warm, warm) == ["raise"]
        site.book = book_with(limit=80.0)
        assert await site.take(calls, incidents, warm, warm) == ["raise", "return"]

    site.run(scenario)


def test_a_rule_that_names_a_number_gives_a_device_of_any_kind_a_limit_with_its_deadband():
    level = AlarmRule(
        rule_id="flood",
        applies_to=AppliesTo(kinds=("device_value",), quantities=("level_m",), tags=("gauge",)),
        limits=Limits(limit=3.0, deadband=0.5),
    )
    site = Measuring(
        Device(device_id="gauge/bridge", kind="other", name="Bridge", state=DeviceState.ONLINE),
        RuleBook(RulesInForce(rules=RuleSet(rules=(level,)), version=1)),
    )

    async def scenario(calls, incidents):
        low, high, falling = ({"level_m": metres, "flow": 99.0} for metres in (2.4, 3.2, 2.7))
        assert await site.take(calls, incidents, low, high, falling) == ["raise"]
        assert incidents.conditions[0].title == "level_m: Bridge"
        assert incidents.conditions[0].detail == "level_m: 3.2, above 3"
        assert await site.take(calls, incidents, low) == ["raise", "return"]
        await site.take(calls, incidents, high)
        site.book = RuleBook(RulesInForce(rules=RuleSet(), version=2))
        assert await site.take(calls, incidents, high) == ["raise", "return"] * 2

    site.run(scenario)


def test_what_was_active_before_the_start_is_taken_back_by_the_first_word_that_it_is_good():
    async def scenario(calls, incidents):
        calls.doubt([doubtful_alarm("system/broker"), doubtful_alarm("system/disk")])

        calls.take_health(health())
        calls.take_health(health())
        await calls.drain(timeout_s=5)

        assert incidents.done == [("return", "system/disk")]

    run(scenario)


def test_a_clock_that_nobody_has_measured_is_not_right_again():
    async def scenario(calls, incidents):
        device = Device(device_id="south/p1", kind="other", name="P1", state=DeviceState.UNKNOWN)
        calls.doubt([doubtful_alarm("device/south/p1/device_clock")])

        calls.take_device(device)
        calls.take_device(replace(device, state=DeviceState.ONLINE, skew_s=0.2))
        await calls.drain(timeout_s=5)

        assert [what for what in incidents.done if what[0] == "return"] == [("return", "device/south/p1/device_clock")]

    run(scenario)


def test_a_lost_device_makes_what_it_called_for_doubtful_and_one_without_alarms_asks_for_nothing():
    async def scenario(calls, incidents):
        calls.know(doubtful_alarm("device/south/p1/device_value:flow/x"))
        for device_id in ("south/p1", "south/p2"):
            for state in (DeviceState.ONLINE, DeviceState.UNKNOWN):
                calls.take_device(Device(device_id=device_id, kind="other", name="P", state=state))
        await calls.drain(timeout_s=5)

        assert [what for what in incidents.done if what[0] == "quality"] == [("quality", "south/p1")] * 2

    run(scenario)


def test_a_drone_that_is_heard_no_more_makes_what_it_called_for_doubtful_once():
    async def scenario(calls, incidents):
        calls.know(doubtful_alarm("drone/d1/drone_fence", source_kind=SourceKind.DRONE, source_id="d1"))
        lost = DroneState(drone_id="d1")

        calls.take_drones([lost])
        calls.take_drones([lost, replace(lost, drone_id="d2")])
        calls.take_drones([replace(lost, health=LinkHealth.LIVE)])
        await calls.drain(timeout_s=5)

        assert incidents.done == [("quality", "d1")] * 2

    run(scenario)


def test_the_number_of_an_alarm_is_told_again_only_well_within_its_limit():
    device = Device(device_id="edge/e1", kind="edge-camera", name="E1", state=DeviceState.ONLINE)
    slow = Doubtful(
        condition_key="device/edge/e1/device_value:vitals/framesPerSecond",
        kind="device_value",
        source_kind=SourceKind.DEVICE,
        source_id="edge/e1",
    )

    async def scenario(calls, _incidents):
        told = []
        for fps in (None, 6.0, 8.0):
            if fps is not None:
                at = datetime(2026, 1, 1, tzinfo=UTC)
                values = {"framesPerSecond": fps}
                calls.take_reading(Reading(device_id="edge/e1", stream="vitals", at=at, values=values))
            told.append(calls.is_measured(slow))

        assert told == [False, False, True]
        assert calls.is_measured(replace(slow, condition_key="device/edge/e1/device_value:vitals/other")) is None

    run(scenario, find_device=lambda _id: device)


def doubt(key, kind="system", source_kind=SourceKind.SYSTEM, source_id="x"):
    return Doubtful(condition_key=key, kind=kind, source_kind=source_kind, source_id=source_id)


def test_a_condition_waits_until_all_that_was_said_of_it_is_stored(monkeypatch):
    monkeypatch.setattr("core.node.calls.RETRY_S", 0.01)
    # A worker that began anew has numbers of its own: what stands may be what it begins.
    of_before = doubt("camera/a/stopped_vehicle:7", ObservationKind.STOPPED_VEHICLE, SourceKind.CAMERA, "a")
    waiting = [doubt("system/x"), of_before]
    others = [doubt("system/y"), replace(of_before, source_id="b"), replace(of_before, kind=ObservationKind.LOITERING)]

    async def scenario(calls, incidents):
        incidents.is_away = True
        calls.raise_condition(condition())
        calls.return_condition("system/x")
        calls.take_observed(seen(ObservationKind.STOPPED_VEHICLE, key="stopped_vehicle:1"))
        calls.take_observed(seen(ObservationKind.LOITERING, Phase.END, key="loitering:1"))
        while not incidents.n_tries:
            await asyncio.sleep(0.005)
        assert [calls.is_waiting(one) for one in (*waiting, *others)] == [True, True, False, False, False]

        incidents.is_away = False
        await calls.drain(timeout_s=5)

        assert not any(calls.is_waiting(one) for one in waiting)

    run(scenario)


def test_what_is_wrong_at_a_lot_is_raised_with_its_picture_and_returned():
    found = LotCondition(
        rule=LotRule.MISPARKED,
        lot=Lot(lot_id="quay", name="Quay"),
        place="A1+A2",
        where="bays A1 and A2",
        is_begin=True,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        snapshot_jpeg=b"jpeg",
    )

    async def scenario(calls, incidents):
        calls.take_lot_condition(found)
        calls.take_lot_condition(found)
        calls.take_lot_condition(replace(found, is_begin=False))
        await calls.drain(timeout_s=5)

        key = "lot/quay/bay_misparked:A1+A2"
        assert incidents.done == [("raise", key), ("return", key)]
        assert [picture.jpeg for picture in incidents.pictures] == [b"jpeg"]

    run(scenario)


def test_a_disk_that_fills_up_further_is_called_as_what_it_is_now():
    async def scenario(calls, incidents):
        for free_gb in (1.9, 1.8, 0.1, 0.1):
            calls.take_health(health(disk_free_gb=free_gb))
        await calls.drain(timeout_s=5)

        assert [found.priority for found in incidents.conditions] == [Priority.HIGH, Priority.CRITICAL]

    run(scenario)


def test_a_call_that_could_not_be_stored_is_made_again_when_it_is_said_again():
    async def scenario(calls, incidents):
        incidents.refused = "system/x"
        calls.raise_condition(condition())
        await calls.drain(timeout_s=5)
        incidents.refused = ""

        calls.raise_condition(condition())
        await calls.drain(timeout_s=5)

        assert incidents.done == [("raise", "system/x")]

    run(scenario)


def test_an_alarm_that_is_stored_after_its_device_was_lost_is_the_last_one_known():
    async def scenario(calls, incidents):
        calls.take_device(Device(device_id="south/p1", kind="other", name="P1", state=DeviceState.LOST))
        calls.know(doubtful_alarm("device/south/p1/device_value:flow/x"))
        calls.know(doubtful_alarm("device/south/p1/device_lost", kind="device_lost"))
        await calls.drain(timeout_s=5)

        told = [what for what in incidents.done if what[0] == "quality of"]
        assert told == [("quality of", "device/south/p1/device_value:flow/x", Quality.STALE)]

    run(scenario)


def test_what_is_called_at_a_lot_is_as_known_as_its_bays():
    heard = {"A1": True}
    alarm = doubtful_alarm(
        "lot/quay/bay_overstay:A1", kind="bay_overstay", source_kind=SourceKind.LOT, source_id="quay"
    )
    at = datetime(2026, 1, 1, tzinfo=UTC)
    bay = BayStatus(
        lot_id="quay", bay_id="A1", state=BayState.OCCUPIED, since=at, at=at, confidence=1.0, source="camera:a"
    )

    async def scenario(calls, incidents):
        calls.hear_by(lambda doubtful: heard[doubtful.condition_key[-2:]])
        calls.know(alarm)
        calls.tell_quality()
        heard["A1"] = False
        calls.take_bays([replace(bay, bay_id="A2")])
        calls.tell_quality()
        await calls.drain(timeout_s=5)
        assert incidents.done == []

        calls.take_bays([replace(bay, is_stale=True)])
        calls.tell_quality()
        calls.know(replace(alarm, quality=Quality.STALE, version=2))
        heard["A1"] = True
        calls.tell_quality()
        calls.tell_quality()
        await calls.drain(timeout_s=5)

        key = alarm.condition_key
        assert incidents.done == [("quality of", key, Quality.STALE), ("quality of", key, Quality.GOOD)]

    run(scenario)


def test_a_number_that_was_closed_while_its_device_was_lost_calls_anew_when_it_is_still_beyond():
    site = Measuring(EDGE, book_with(limit=60.0))
    hot = {"temperature": 70.0}

    async def scenario(calls, incidents):
        assert await site.take(calls, incidents, hot, hot) == ["raise"]
        key = "device/edge/one/device_value:s/temperature"
        calls.take_closed(doubtful_alarm(key, kind="device_value", source_id="edge/one"))
        assert await site.take(calls, incidents, hot, hot) == ["raise", "raise"]

    site.run(scenario)


def test_what_frigate_saw_is_the_last_one_known_while_it_is_offline_and_calls_anew_once_it_was_closed():
    async def scenario(calls, incidents):
        frigate = FrigateAdapter(
            topic="frigate",
            zones=(),
            cameras=lambda: (CAMERA,),
            raise_condition=calls.raise_condition,
            return_condition=calls.return_condition,
            keep_past=calls.keep_past,
            now_s=lambda: 0.0,
        )
        calls.follow(frigate)
        calls.hear_by(lambda _doubtful: calls.is_frigate_heard())

        def hear(topic, words):
            at = datetime(2026, 1, 1, tzinfo=UTC)
            frigate.take(Inbound(topic=f"frigate/{topic}", payload=words, qos=1, is_retained=False, received_at=at))
            calls.tell_quality()

        hear("events", json.dumps(event(camera="A")).encode())
        key = "camera/a/frigate:driveway:car"
        alarm = doubtful_alarm(key, kind=OBJECT, source_kind=SourceKind.CAMERA, source_id="a")
        calls.know(alarm)
        hear("available", b"online")
        hear("available", b"offline")
        calls.know(replace(alarm, quality=Quality.STALE, version=2))
        calls.take_closed(alarm)
        hear("events", json.dumps(event("update", camera="A")).encode())
        await calls.drain(timeout_s=5)

        assert incidents.done == [("raise", key), ("quality of", key, Quality.STALE), ("raise", key)]


def test_a_camera_that_comes_back_blind_is_not_made_good_before_it_sees():
    qualities = []

    async def scenario(calls, incidents):
        async def set_quality(_source_kind, source_id, quality, sure=()):
            qualities.append((source_id, quality, "camera_blinded" in sure))

        incidents.set_quality = set_quality
        calls.take_camera_blind("a")
        calls.take_camera_back(CameraBack(camera_id="a"))
        calls.take_camera_sighted("a")
        await calls.drain(timeout_s=5)

    run(scenario)

    assert qualities == [("a", Quality.STALE, True), ("a", Quality.STALE, True), ("a", Quality.GOOD, False)]


def test_a_camera_is_blind_as_long_as_an_alarm_says_so_also_after_a_restart():
    async def scenario(calls, _incidents):
        covered = doubtful_alarm("c", kind="camera_blinded", source_kind=SourceKind.CAMERA, source_id="a")
        calls.know(covered)
        was_blind = calls.is_blind("a"), calls.is_blind("b")
        calls.know(replace(covered, is_active=False))

        assert was_blind == (True, False)
        assert not calls.is_blind("a")

    run(scenario)


def test_what_nobody_looks_at_for_a_moment_is_doubted_and_said_again_or_returned():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    blind = Sighting(lot_id="quay", camera_id="c1", kind=SightingKind.BLIND_VIEW, at=at)
    lane = LotCondition(
        rule=LotRule.LANE_BLOCKED, lot=Lot(lot_id="quay", name="Quay"), place="Fire", where="", is_begin=True, at=at
    )
    in_lane = LotObservation(
        kind=LotObservationKind.LANE_BLOCKED,
        lot_id="quay",
        place="Fire",
        camera_id="c1",
        is_begin=True,
        at=at,
        confidence=0.9,
    )

    async def scenario(calls, incidents):
        calls.raise_condition(conditions.view_troubled(blind, "Quay", "Mast"))
        calls.take_lot_condition(lane)
        calls.take_sight_interrupted(SightInterrupted(views=(blind,), observations=(in_lane,)))
        calls.take_lot_condition(lane)
        calls.return_condition("lot/quay/bays_blind:c1")
        await calls.drain(timeout_s=5)

        blind_key, lane_key = "lot/quay/bays_blind:c1", "lot/quay/lot_lane_blocked:Fire"
        assert incidents.done == [
            ("raise", blind_key),
            ("raise", lane_key),
            ("doubt", blind_key, lane_key),
            ("raise", lane_key),
            ("return", blind_key),
        ]

    run(scenario)
