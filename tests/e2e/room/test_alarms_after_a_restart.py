"""A node that starts again: what was active stays so until its source is heard, on a real broker that is away first."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from datetime import timedelta

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from core.access.model import Actor, Role
from core.field.model import DeviceState, LinkState
from core.incidents.handling import Meant
from core.incidents.model import Quality
from core.incidents.shift import ShiftKind, ShiftQuery
from core.kernel.clock import SystemClock
from core.kernel.paths import Folders
from core.kernel.settings import BrokerSection, Settings
from core.node.node import Node
from tests.e2e.field.rig import FieldDevice, envelope, until

GATEWAY = "gateway/g1"
POWER = "site_power_lost"


class Cabinet(FieldDevice):
    """A gateway that says whether the mains feed it."""

    STREAMS = ({"name": "cabinet", "smartDataModel": "Device"},)

    def say(self, **data):
        self.client.publish(f"{self.topic}/state/cabinet", envelope(data, kind="Device"), 1)

    def fall_silent(self):
        self.client.publish(f"{self.topic}/status", self._status("lost"), 1, True)

    def come_back(self):
        self.client.publish(f"{self.topic}/status", self._status("online"), 1, True)


class LaterClock(SystemClock):
    """The machine's clock, set forward by a test."""

    later_s = 0.0

    def now(self):
        return super().now() + timedelta(seconds=self.later_s)

    def monotonic(self):
        return super().monotonic() + self.later_s


class SlowNode(Node):
    """A node whose warnings take so long to read that its alarms are confirmed meanwhile."""

    async def _open_cap(self, services, link):
        await eventually(lambda: lost_alarm(services, Quality.GOOD), "the confirmation")
        await super()._open_cap(services, link)


async def eventually(ask, what):
    try:
        async with asyncio.timeout(30.0):
            while not (found := await ask()):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited for {what} in vain") from None
    return found


async def lost_alarm(services, quality):
    alarms = await services.incidents.open_alarms()
    return next((one for one in alarms if one.kind == "gateway_lost" and one.quality is quality), None)


@asynccontextmanager
async def running(tmp_path, port, clock=None, make=Node):
    folders = Folders(data=tmp_path / "data", runtime=tmp_path / "run")
    node = make(Settings(broker=BrokerSection(host="127.0.0.1", port=port)), folders, clock=clock)
    working = asyncio.create_task(node.run())
    await until(lambda: node.services is not None and node._link is not None, what="the room to be open")
    yield node
    node.stop_soon()
    await working


async def power_alarm(node):
    return next((alarm for alarm in await node.services.incidents.open_alarms() if alarm.kind == POWER), None)


async def found(node, fits):
    alarm = None
    async with asyncio.timeout(30.0):
        while alarm is None or not fits(alarm):
            await asyncio.sleep(0.05)
            alarm = await power_alarm(node)
    return alarm


@pytest.fixture
def nobody_listens():
    """A port that refuses."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        yield door.getsockname()[1]


@pytest.mark.slow
def test_an_alarm_outlives_a_restart_and_a_broker_that_is_away_and_ends_with_the_devices_own_word(
    mosquitto, nobody_listens, tmp_path
):
    async def scenario():
        gateway = Cabinet(mosquitto, GATEWAY)
        async with running(tmp_path, mosquitto.port) as node:

            def known():
                return any(one.device_id == GATEWAY for one in node.services.field.devices())

            await until(known, what="the gateway")
            gateway.say(mainsPower=0)
            raised = await found(node, lambda alarm: alarm.is_active)
        assert raised.quality is Quality.GOOD

        clock = LaterClock()
        async with running(tmp_path, nobody_listens, clock) as node:
            clock.later_s = 3600.0
            for _ in range(2):
                await node.services.incidents.tick()
            held = await power_alarm(node)
        assert (held.alarm_id, held.is_active, held.quality) == (raised.alarm_id, True, Quality.STALE)

        async with running(tmp_path, mosquitto.port) as node:
            gateway.say(rssi=0.5)
            await until(lambda: node.services.field.device(GATEWAY).state is DeviceState.ONLINE, what="its word")
            await node.services.incidents.tick()
            unsaid = await power_alarm(node)
            gateway.say(mainsPower=1)
            over = await found(node, lambda alarm: not alarm.is_active)
        assert (unsaid.is_active, unsaid.quality) == (True, Quality.STALE)
        assert (over.alarm_id, over.quality) == (raised.alarm_id, Quality.GOOD)
        gateway.close()

    asyncio.run(scenario())


@pytest.mark.slow
def test_what_a_lost_device_called_for_is_closed_by_a_supervisor_and_calls_anew_when_it_is_back(mosquitto, tmp_path):
    supervisor = Actor(name="susi", role=Role.SUPERVISOR, desk="Desk 1")

    async def scenario():
        gateway = Cabinet(mosquitto, GATEWAY)
        async with running(tmp_path, mosquitto.port) as node:
            await until(lambda: [one for one in node.services.field.devices() if one.device_id == GATEWAY], what="it")
            gateway.say(mainsPower=0)
            await found(node, lambda alarm: alarm.is_active)
            gateway.fall_silent()
            held = await found(node, lambda alarm: alarm.quality is Quality.STALE)

            meant = Meant(alarm_id=held.alarm_id, occurrence=held.occurrence, version=held.version)
            closed = await node.services.incidents.close_unheard(supervisor, meant, reason="The cabinet is gone")
            listed = await power_alarm(node)
            gateway.come_back()
            gateway.say(mainsPower=0)
            again = await found(node, lambda alarm: alarm.is_active)
        assert (closed.is_open, listed) == (False, None)
        assert again.alarm_id != closed.alarm_id
        assert again.is_calling
        gateway.close()

    asyncio.run(scenario())


@pytest.mark.slow
def test_a_start_tells_nothing_as_new_and_leaves_no_older_state_on_the_broker(mosquitto, tmp_path):
    standing: dict[str, dict] = {}

    def keep(_client, _data, message):
        standing[message.topic.rpartition("/")[2]] = json.loads(message.payload or b"{}")

    async def told(node):
        page = await node.services.shift.entries(ShiftQuery(kind=ShiftKind.SOURCE))
        return [entry.text for entry in page.entries]

    async def scenario():
        gateway, clock = Cabinet(mosquitto, GATEWAY), LaterClock()
        async with running(tmp_path, mosquitto.port, clock) as node:
            await until(lambda: [one for one in node.services.field.devices() if one.device_id == GATEWAY], what="it")
            gateway.fall_silent()
            await until(lambda: node.services.field.device(GATEWAY).state is DeviceState.LOST, what="its loss")
            clock.later_s = 60.0
            await eventually(lambda: lost_alarm(node.services, Quality.GOOD), "the alarm")
            before = await eventually(lambda: told(node), "the entry")

        listener = mqtt.Client(CallbackAPIVersion.VERSION2)
        listener.on_message = keep
        listener.connect(mosquitto.host, mosquitto.port)
        listener.subscribe("watchfloor/v1/city/_alarm/+", 1)
        listener.loop_start()
        async with running(tmp_path, mosquitto.port, clock, make=SlowNode) as node:
            alarm = await eventually(lambda: lost_alarm(node.services, Quality.GOOD), "the confirmation")
            await until(lambda: node.services.field.link_report().state is LinkState.CONNECTED, what="the broker")
            await asyncio.sleep(2.5)
            after, shown = await told(node), standing[alarm.alarm_id]
        listener.loop_stop()
        listener.disconnect()
        gateway.close()
        assert after == before
        assert (shown["version"], shown["quality"]) == (alarm.version, "good")

    asyncio.run(scenario())
