import asyncio
import json
import random
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from core.access.model import SYSTEM, Actor, Role
from core.field.commands import CommandChanged
from core.field.model import CommandStatus, DeviceState, LinkState
from core.field.payloads import AlarmPayload
from core.field.ports import OPERATOR, SUPERVISOR
from core.field.service import FieldEventReceived, ReadingReceived
from core.kernel.errors import BadInputError, NotPermittedError, StaleWriteError
from core.store.tables import DeviceRow, ReadingRow
from tests.e2e.field.rig import ROOT, FieldDevice, Node, envelope, settings_for, until

pytestmark = pytest.mark.timeout(300)


def test_a_birth_makes_a_device_and_its_values_are_shown_and_stored(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            # What is on the broker before is a retained message, and says nothing of whether the device is there.
            await node.connected()
            device = FieldDevice(mosquitto)
            await until(lambda: (found := node.device()) is not None and found.state is DeviceState.ONLINE)
            assert (node.device().name, node.device().kind, node.device().firmware) == (
                "Bridge Street",
                "station",
                "2.1",
            )
            body = envelope({"intensity": 17, "averageVehicleSpeed": 42.1, "occupancy": 0.31})
            device.client.publish(f"{device.topic}/state/flow", body, 1, True)
            await until(lambda: node.service.newest("station/s1") != ())
            assert node.service.newest("station/s1")[0].values["averageVehicleSpeed"] == 42.1
            await until(lambda: any(isinstance(event, ReadingReceived) for event in node.seen))
            await until_count(node, ReadingRow, 1)
            since = datetime.now(UTC) - timedelta(minutes=1)
            history = await node.service.history("station/s1", "flow", since=since)
            assert [reading.values["intensity"] for reading in history] == [17.0]
            device.close()

    asyncio.run(run())


async def until_count(node, table, n_rows, *, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while (
        found := await node.store.read(lambda session: session.scalar(select(func.count()).select_from(table)))
    ) < n_rows:
        assert time.monotonic() < deadline, f"{found} rows of {n_rows}"
        await asyncio.sleep(0.05)


def test_what_stood_on_the_broker_is_there_again_after_a_restart_but_not_taken_for_alive(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            device = FieldDevice(mosquitto)
            await until(lambda: node.device() is not None)
            for number in range(3):
                device.event({"intensity": number})
            device.client.publish(f"{device.topic}/state/flow", envelope({"intensity": 5}), 1, True)
            await until(lambda: node.service.newest("station/s1") != () and device.acked == 3)
            await node.service.rename(SYSTEM, "station/s1", name="North bridge", expect_version=1)
        device.client.publish(f"{device.topic}/birth", b'{"name":"Other","boot":"%s"}' % device.boot.encode(), 1, True)
        device.event({"intensity": 4})
        await until(lambda: not device.client._out_messages)
        device.vanish()
        await asyncio.sleep(0.2)
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            assert node.device().name == "North bridge"
            assert node.device().state in (DeviceState.UNKNOWN, DeviceState.LOST)
            await until(lambda: node.service.newest("station/s1") != ())
            await until(lambda: node.device().state is DeviceState.LOST)
            await until(lambda: node.service.n_events == 1)
            assert await node.stored_seqs() == [1, 2, 3, 4]
            assert node.device().name == "North bridge"

    asyncio.run(run())


def test_the_last_will_of_the_start_before_does_not_mark_a_device_lost_that_is_back(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            await node.connected()
            before = FieldDevice(mosquitto)
            await until(lambda: node.device() is not None)
            after = FieldDevice(mosquitto)
            await until(lambda: node.service._registry.get("station/s1").boot == after.boot)
            n_messages = node.service.n_messages
            before.vanish()
            await until(lambda: node.service.n_messages > n_messages, what="the last will")
            assert node.device().state is DeviceState.ONLINE
            after.vanish()
            await until(lambda: node.device().state is DeviceState.LOST)
            after.close()

    asyncio.run(run())


def test_the_roles_are_those_of_the_access_room():
    assert (OPERATOR, SUPERVISOR) == (Role.OPERATOR, Role.SUPERVISOR)


def test_only_a_supervisor_changes_devices_and_the_second_of_two_is_told(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            device = FieldDevice(mosquitto)
            await until(lambda: node.device() is not None)
            dana = Actor(name="dana", role=Role.OPERATOR)
            with pytest.raises(NotPermittedError):
                await node.service.set_enabled(dana, "station/s1", is_enabled=False, expect_version=1)
            with pytest.raises(NotPermittedError):
                await node.service.send_command(Actor(name="v", role=Role.VIEWER), "station/s1", "reboot")
            with pytest.raises(BadInputError):
                await node.service.set_enabled(SYSTEM, "station/none", is_enabled=False, expect_version=1)
            changed = await node.service.set_enabled(SYSTEM, "station/s1", is_enabled=False, expect_version=1)
            assert (changed.state, changed.version) == (DeviceState.DISABLED, 2)
            with pytest.raises(StaleWriteError):
                await node.service.set_enabled(SYSTEM, "station/s1", is_enabled=True, expect_version=1)

            device.event({"intensity": 1})
            await asyncio.sleep(0.5)
            assert (device.acked, node.service.n_events) == (0, 0)
            await node.service.set_enabled(SYSTEM, "station/s1", is_enabled=True, expect_version=2)
            device.resend_s = 0.1
            device.resend()
            await until(lambda: device.acked == 1)
            device.close()

    asyncio.run(run())


def test_a_command_is_answered_or_runs_out_of_time(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            device = FieldDevice(mosquitto)
            await until(lambda: node.device() is not None)
            sent = await node.service.send_command(SYSTEM, "station/s1", "set-period", {"s": 5}, ttl_s=20)
            await until(lambda: status_of(node, sent.command_id) is CommandStatus.DONE)
            assert device.commands[0]["name"] == "set-period"
            assert device.commands[0]["args"] == {"s": 5}

            device.answers = False
            began = time.monotonic()
            sent = await node.service.send_command(SYSTEM, "station/s1", "reboot", ttl_s=1)
            await until(lambda: status_of(node, sent.command_id) is CommandStatus.TIMEOUT)
            assert time.monotonic() - began <= 2.0
            assert node.service.commands() == ()
            device.close()

    asyncio.run(run())


def status_of(node, command_id):
    found = [event.command for event in node.seen if isinstance(event, CommandChanged)]
    return next((item.status for item in reversed(found) if item.command_id == command_id), None)


def test_a_command_survives_the_end_of_the_core_and_of_the_broker(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            device = FieldDevice(mosquitto)
            await until(lambda: node.device() is not None)
            mosquitto.kill()
            await until(lambda: node.is_state(LinkState.DOWN))
            sent = await node.service.send_command(SYSTEM, "station/s1", "reboot", ttl_s=60)
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            assert [item.command_id for item in node.service.commands()] == [sent.command_id]
            await asyncio.to_thread(mosquitto.start)
            await until(lambda: status_of(node, sent.command_id) is CommandStatus.DONE, timeout_s=20)
            assert {item["id"] for item in device.commands} == {sent.command_id}
            device.close()

    asyncio.run(run())


def test_alarms_stand_on_the_broker_and_what_an_earlier_run_left_is_taken_away(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            await node.connected()
            node.service.publish_alarm(AlarmPayload(alarm_id="01OLD", version=1, is_open=True))
            node.service.publish_alarm(AlarmPayload(alarm_id="01KEPT", version=3, is_open=True))
            await asyncio.sleep(0.3)
        device = FieldDevice(mosquitto)
        standing: dict[str, bytes] = {}
        device.client.on_message = lambda _c, _d, message: standing.__setitem__(message.topic[-6:], message.payload)
        await until(device.client.is_connected)
        device.client.subscribe(f"{ROOT}/_alarm/+", 1)
        await until(lambda: len(standing) == 2)
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            node.service.publish_open_alarms([AlarmPayload(alarm_id="01KEPT", version=4, is_open=True)])
            await until(lambda: standing["/01OLD"] == b"")
            await until(lambda: json.loads(standing["01KEPT"])["version"] == 4)
        device.close()

    asyncio.run(run())


async def chaos(node, broker, *, n_per_s, seconds, n_kills):
    """Let a device send while the broker is killed; returns device and the delays from event to stored [s]."""
    device = FieldDevice(broker, resend_s=1.0)
    await until(lambda: node.device() is not None)
    began = time.monotonic()
    kills = [began + seconds * (number + 1) / (n_kills + 1) for number in range(n_kills)]
    n_sent = n_killed = 0
    while kills or time.monotonic() - began < seconds:
        assert time.monotonic() - began < seconds + 60, f"the node was not back after {n_killed} kills"
        due = int((time.monotonic() - began) * n_per_s)
        while n_sent < due:
            device.event({"intensity": n_sent})
            n_sent += 1
        # A broker that is gone again before anybody was back is one kill, not two.
        if kills and time.monotonic() > kills[0] and node.link.report().n_reconnects >= n_killed:
            kills.pop(0)
            n_killed += 1
            broker.kill()
            await asyncio.to_thread(broker.start)
        device.resend()
        await asyncio.sleep(0.01)
    await until(lambda: node.link.report().n_reconnects >= n_killed)
    deadline = time.monotonic() + 40
    while device.outbox:
        assert time.monotonic() < deadline, f"{len(device.outbox)} events were never confirmed"
        device.resend()
        await asyncio.sleep(0.05)
    return device


@pytest.mark.parametrize(
    ("n_per_s", "seconds", "n_kills"),
    [(300, 9, 3), pytest.param(1000, 60, 9, marks=pytest.mark.slow)],
)
def test_no_event_is_lost_or_doubled_while_the_broker_is_killed(mosquitto, tmp_path, n_per_s, seconds, n_kills):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            device = await chaos(node, mosquitto, n_per_s=n_per_s, seconds=seconds, n_kills=n_kills)
            stored = await node.stored_seqs()
            print(f"{len(stored)} events, {device.n_resent} sent again, {node.service.n_duplicates} repetitions")
            assert stored == list(range(1, device.seq + 1))
            told = [event.event.seq for event in node.seen if isinstance(event, FieldEventReceived)]
            assert told == stored
            assert node.link.report().n_reconnects >= n_kills
            device.close()

    asyncio.run(run())


@pytest.mark.parametrize("n_messages", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_nonsense_is_counted_and_named_and_the_rest_goes_on(mosquitto, tmp_path, n_messages):
    async def run():
        chance = random.Random(7)
        good = envelope({"intensity": 1})
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            victim = FieldDevice(mosquitto, "station/s1")
            await until(lambda: node.device() is not None)
            villain = FieldDevice(mosquitto, "station/evil")
            await until(lambda: node.device("station/evil") is not None)
            shapes = [
                lambda: chance.randbytes(chance.randint(1, 60)),
                lambda: good[: chance.randint(1, len(good) - 1)],
                lambda: b'{"ts":"2026-01-01T00:00:00Z","data":{"intensity":NaN}}',
                lambda: b'{"v":9}',
                lambda: b"[" * 5000,
                lambda: b'{"ts":"0001-01-01T00:00:00+14:00","seq":' + b"9" * 400 + b"}",
                lambda: b"\xff" * 100,
                lambda: b"x" * 300_000 if chance.random() < 0.01 else b"x",
            ]
            tails = ["state/flow", "tele/flow", "evt", "birth", "status", "cmd/res"]
            for number in range(n_messages):
                villain.client.publish(f"{villain.topic}/{chance.choice(tails)}", chance.choice(shapes)(), number % 2)
                if number % 100 == 0:
                    villain.client.publish(f"{ROOT}/station/Evil Name/state/x", b"{}", 1)
                    await asyncio.sleep(0.01)
            # A flood may push a message out of the broker's queue; a device with an outbox does not mind.
            victim.event({"intensity": 1})

            def victim_is_heard():
                victim.resend()
                return victim.acked == 1

            await until(victim_is_heard, timeout_s=120, what="the victim to be heard")
            await until(lambda: not villain.client._out_messages, timeout_s=120, what="the villain to be done")
            victim.client.publish(f"{victim.topic}/state/flow", envelope({"intensity": 9}), 1)
            await until(lambda: node.service.newest("station/s1") != (), what="the victim's state")
            await until(lambda: node.is_state(LinkState.CONNECTED), timeout_s=20)
            worst = {source.source: source.n_messages for source in node.service.bad_sources()}
            assert worst["station/evil"] > n_messages * 0.5
            assert node.device("station/evil").n_bad_messages == worst["station/evil"]
            assert node.device("station/evil").last_error
            assert any("Evil" in source or "station/E" in source for source in worst), worst
            assert node.device().n_bad_messages == 0
            victim.close()
            villain.close()

    asyncio.run(run())


def test_stopping_with_a_frozen_broker_and_work_unsent_takes_three_seconds_at_most(mosquitto, tmp_path):
    async def run():
        node = Node(tmp_path, settings_for(mosquitto))
        async with node:
            device = FieldDevice(mosquitto)
            await until(lambda: node.device() is not None)
            device.close()
            mosquitto.pause()
            sent = await node.service.send_command(SYSTEM, "station/s1", "reboot", ttl_s=60)
            for number in range(1000):
                node.service.publish_alarm(AlarmPayload(alarm_id=f"01A{number}", version=1, is_open=True))
            began = time.monotonic()
        assert time.monotonic() - began <= 3.0
        mosquitto.resume()
        async with Node(tmp_path, settings_for(mosquitto)) as again:
            assert [item.command_id for item in again.service.commands()] == [sent.command_id]

    asyncio.run(run())


def test_the_newest_row_of_a_device_survives(mosquitto, tmp_path):
    async def run():
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            device = FieldDevice(mosquitto)
            await until(lambda: node.device() is not None)
            device.event({"intensity": 1})
            await until(lambda: device.acked == 1)
            device.close()
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            row = await node.store.read(
                lambda session: session.execute(select(DeviceRow.event_seq, DeviceRow.firmware)).one()
            )
            assert tuple(row) == (1, "2.1")

    asyncio.run(run())
