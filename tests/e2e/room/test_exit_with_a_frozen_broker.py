"""A node with 1,200 devices and a full outbox ends by itself while its broker is frozen, and the next one goes on."""

import asyncio
import json
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from app.bench_exit import N_DEVICES, TENANT, measure_exit
from core.kernel.paths import Folders
from core.kernel.settings import BrokerSection, Settings
from core.node.node import Node
from tests.e2e.field.rig import until
from tests.fixtures.console import NodeProcess
from tests.fixtures.processes import wait_until

EXIT_WITHIN_S = 3.0
"""What a control room is promised: a frozen broker holds nobody up at the end of a shift."""


class Devices:
    """Hears what every device is asked, and answers nothing."""

    def __init__(self, broker):
        self.asked, self.lock = {}, threading.Lock()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda client, *_: client.subscribe(f"watchfloor/v1/{TENANT}/+/+/cmd", 1)
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()

    def _on_message(self, _client, _data, message):
        with self.lock:
            self.asked[json.loads(message.payload)["id"]] = message.topic

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_it_ends_by_itself_with_its_outbox_whole_and_the_next_start_sends_every_command(tmp_path, mosquitto):
    found = asyncio.run(measure_exit(tmp_path))

    assert found.exit_code == 0, "it had to be killed"
    assert found.took_s <= EXIT_WITHIN_S
    assert len(found.expected) == N_DEVICES
    assert found.kept == found.expected

    devices = Devices(mosquitto)
    broker = (f"broker.host={mosquitto.host}", f"broker.port={mosquitto.port}", f"site.tenant={TENANT}")
    node = NodeProcess(tmp_path / "data", *broker)
    try:
        wait_until(lambda: len(devices.asked) >= N_DEVICES, timeout_s=90.0, what="every command to go out")
        assert devices.asked.keys() == found.expected
        assert len(set(devices.asked.values())) == N_DEVICES
    finally:
        node.stop()
        devices.close()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_calls_that_cannot_be_stored_hold_the_end_up_no_longer_than_that(tmp_path, mosquitto):
    async def scenario():
        folders = Folders(data=tmp_path / "data", runtime=tmp_path / "run")
        node = Node(Settings(broker=BrokerSection(host=mosquitto.host, port=mosquitto.port)), folders)
        working = asyncio.create_task(node.run())
        await until(lambda: node.services is not None and node._link is not None, what="the room to be open")
        never = asyncio.Event()
        node._calls._end_later(never.wait)

        began_s = time.monotonic()
        node.stop_soon()
        await working
        return time.monotonic() - began_s

    assert asyncio.run(scenario()) <= EXIT_WITHIN_S
