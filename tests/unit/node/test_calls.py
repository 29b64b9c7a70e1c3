"""Calls to the operator while the database comes and goes."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from core.cameras.model import Camera
from core.field.model import Device, DeviceState, FieldEvent, LinkReport, LinkState, Reading
from core.incidents.model import Condition, Priority, SourceKind
from core.incidents.rules.book import RuleBook
from core.incidents.rules.model import RulesInForce
from core.incidents.tuning import AlarmTuning
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


def run(scenario):
    async def main():
        incidents = Incidents()
        calls = Calls(incidents, folder="/data", find_camera=lambda _id: CAMERA, find_device=lambda _id: None)
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


def test_a_broker_that_is_gone_for_a_moment_calls_nobody(monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr("core.node.calls.time.monotonic", lambda: now_s[0])

    async def scenario(calls, incidents):
        gone = health(link=LinkReport(state=LinkState.DOWN, address="broker:1883", reason="refused"))
        calls.take_health(gone)
        now_s[0] += 3.0
        calls.take_health(gone)
        assert calls._queue.empty()
        now_s[0] += 10.0
        calls.take_health(gone)
        await calls.drain(timeout_s=5)

        assert incidents.done == [("raise", "system/broker")]

    run(scenario)


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


def test_a_rule_of_the_site_puts_another_limit_than_the_kind_declares_from_the_next_reading_on(monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr("core.node.calls.time.monotonic", lambda: now_s[0])
    device = Device(device_id="edge/one", kind="edge-camera", name="One", state=DeviceState.ONLINE)
    rules = [RuleBook(RulesInForce(rules=(), version=1)).tuning_of]

    async def main():
        incidents = Incidents()
        calls = Calls(
            incidents,
            folder="/data",
            find_camera=lambda _id: CAMERA,
            find_device=lambda _id: device,
            find_figures=lambda: rules[0],
        )
        working = asyncio.create_task(calls.work())

        def is_warm(celsius):
            for _ in range(2):
                at = datetime(2026, 1, 1, tzinfo=UTC)
                calls.take_reading(
                    Reading(device_id="edge/one", stream="health", at=at, values={"temperature": celsius})
                )
                now_s[0] += 200.0

        is_warm(70.0)
        await calls.drain(timeout_s=5)
        before = list(incidents.done)
        rules[0] = lambda _condition: AlarmTuning(limit=60.0, deadband=5.0)
        for celsius in (70.0, 57.0):
            is_warm(celsius)
        await calls.drain(timeout_s=5)
        beyond = list(incidents.done)
        is_warm(54.0)
        await calls.drain(timeout_s=5)
        working.cancel()

        assert before == []
        assert [what for what, _ in beyond] == ["raise"]
        assert [what for what, _ in incidents.done] == ["raise", "return"]

    asyncio.run(main())


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
