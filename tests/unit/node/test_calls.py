"""Calls to the operator while the database comes and goes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.cameras.model import Camera
from core.drones.model import DroneState, LinkHealth
from core.field.model import Device, DeviceState, FieldEvent, LinkReport, LinkState, Reading
from core.incidents.doubt import Doubtful
from core.incidents.model import Alarm, Condition, Priority, SourceKind
from core.incidents.rules.book import RuleBook
from core.incidents.rules.model import AlarmRule, AppliesTo, Limits, RuleSet, RulesInForce
from core.kernel.clock import FakeClock
from core.kernel.errors import UnavailableError
from core.kernel.ids import new_id
from core.media.model import StreamReport, StreamState
from core.node.calls import Calls
from core.node.model import Health, WorkerReport
from core.node.sight import CameraLost
from core.parking.model import Lot
from core.parking.rules import LotCondition, LotRule
from core.vision.messages import Observed
from core.vision.model import Observation, ObservationKind, Phase

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

    async def return_condition(self, key):
        await self._store("return", key)

    async def take_observation(self, observation, *, snapshot, **_where):
        await self._store(observation.condition_key, "without a picture" if snapshot is None else "with a picture")

    async def return_missing(self, source_kind, source_id, still_active=()):
        await self._store("return missing", source_id, *still_active)

    async def doubt_source(self, source_kind, source_id, sure=()):
        await self._store("doubt", source_id, *sure)

    async def set_quality(self, source_kind, source_id, quality):
        await self._store("quality", source_id)

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
    at = datetime(2026, 1, 1, tzinfo=UTC)
    alarm = Alarm(
        alarm_id=key,
        condition_key=key,
        occurrence="o",
        incident_id="i",
        kind="x",
        title="X",
        detail="",
        priority=Priority.LOW,
        source_kind=SourceKind.DEVICE,
        source_id="south/p1",
        source_name="P1",
        is_active=True,
        is_acknowledged=False,
        raised_at=at,
        changed_at=at,
    )
    return replace(alarm, **changes)


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
        calls._find_device = lambda _id: Device(device_id="d", kind="station", name="D")
        calls.take_field_event(event("OutboxOverflow", dropped=1000))
        calls.take_field_event(event("Count", dropped=5))
        calls.take_field_event(event("OutboxOverflow", dropped="many"))
        await calls.drain(timeout_s=5)

        key = "device/d/device_overflow"
        assert incidents.done == [("raise", key), ("return", key)]

    run(scenario)


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
            ("return missing", "a"),
        ]

    run(scenario)


def test_a_worker_that_ends_again_and_again_calls_and_takes_it_back_once_it_runs_well():
    def worker(state, n_failures):
        return WorkerReport(
            key="detector", state=state, pid=1, n_restarts=40, n_failures=n_failures, reason="It ended."
        )

    async def scenario(calls, incidents):
        calls.take_worker(worker("restarting", 1))
        calls.take_worker(worker("running", 1))
        await calls.drain(timeout_s=5)
        assert incidents.done == []

        for _ in range(2):
            calls.take_worker(worker("restarting", 3))
            calls.take_worker(worker("running", 3))
            calls.take_worker(worker("running", 0))
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
