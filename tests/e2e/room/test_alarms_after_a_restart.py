"""A node that starts again: what was active stays so until its source is heard, on a real broker that is away first."""

import asyncio
import socket
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from core.access.model import Actor, Role
from core.field.model import DeviceState
from core.incidents.handling import Meant
from core.incidents.model import Quality
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


@asynccontextmanager
async def running(tmp_path, port, clock=None):
    folders = Folders(data=tmp_path / "data", runtime=tmp_path / "run")
    node = Node(Settings(broker=BrokerSection(host="127.0.0.1", port=port)), folders, clock=clock)
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
