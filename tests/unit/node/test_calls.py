"""Calls to the operator while the database comes and goes."""

import asyncio
from datetime import UTC, datetime

from core.cameras.model import Camera
from core.field.model import Device, DeviceState, LinkReport, LinkState
from core.incidents.model import Condition, Priority, SourceKind
from core.kernel.errors import UnavailableError
from core.media.model import StreamReport, StreamState
from core.node.calls import Calls
from core.node.model import Health, WorkerReport
from core.node.sight import CameraLost


class Incidents:
    """The incident service's verbs, with a database that can be away."""

    def __init__(self):
        self.done = []
        self.is_away = False
        self.n_tries = 0

    async def _store(self, *what):
        self.n_tries += 1
        if self.is_away:
            raise UnavailableError("The database is away.")
        self.done.append(what)

    async def raise_condition(self, condition):
        await self._store("raise", condition.condition_key)

    async def return_condition(self, key):
        await self._store("return", key)

    async def return_missing(self, source_kind, source_id, still_active=()):
        await self._store("return missing", source_id, *still_active)

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
        calls = Calls(incidents, folder="/data", find_camera=lambda _id: None, find_device=lambda _id: None)
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


def test_a_device_is_judged_when_its_state_changes_and_not_with_every_message():
    async def scenario(calls, incidents):
        for state in (DeviceState.ONLINE, DeviceState.ONLINE, DeviceState.STALE, DeviceState.STALE, DeviceState.ONLINE):
            calls.take_device(Device(device_id="d", kind="station", name="D", state=state))
        await calls.drain(timeout_s=5)

        assert [state for _, state in incidents.done] == [DeviceState.ONLINE, DeviceState.STALE, DeviceState.ONLINE]

    run(scenario)


def test_a_camera_whose_rules_begin_anew_is_still_waited_for_where_it_is_lost_and_a_removed_one_is_not():
    lost = CameraLost(
        camera=Camera(camera_id="a", name="A", address="synthetic:a"),
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
