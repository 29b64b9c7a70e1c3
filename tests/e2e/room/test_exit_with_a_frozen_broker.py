"""A node with 1,200 devices and a full outbox ends by itself while its broker is frozen, and the next one goes on."""

import asyncio
import json
import threading

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from app.bench_exit import N_DEVICES, TENANT, measure_exit
from tests.fixtures.console import NodeProcess
from tests.fixtures.processes import wait_until


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
