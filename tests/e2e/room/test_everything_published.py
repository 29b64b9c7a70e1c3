"""What a whole node publishes and listens to is in the AsyncAPI document and fits its schema: found, not listed."""

import json
import re
import threading

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.fixtures.processes import wait_until
from tests.fixtures.schemas import channel_of, channels_of, complaints, document, is_json, model_of, operation_of

ADAPTERS = ("adapters.frigate=true", "adapters.sparkplug=true", "adapters.home_assistant=true")
CAP_TOPICS = ("cap.topic=cap/in", "cap.publish_topic=cap/out")

SAID_BY_A_DEMO = {
    *("birth", "status", "state", "hostState", "hostRebirth", "ping", "alarm", "homeAssistantConfig"),
    *("cameraBirth", "cameraStatus", "cameraState"),
    *("availabilityBirth", "availabilityStatus", "availabilityState"),
}
"""At least; commands, twins, events and drones are said in tests/e2e/field/test_schemas.py."""


class Spy:
    """Keeps the last message of every topic on the broker."""

    def __init__(self, broker):
        self.heard, self.lock = {}, threading.Lock()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="spy", protocol=mqtt.MQTTv5)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()

    def _on_message(self, _client, _data, message):
        with self.lock:
            self.heard.setdefault(channel_of(message.topic) or message.topic, {})[message.topic] = (
                bytes(message.payload),
                message.qos,
            )

    def channels(self):
        with self.lock:
            return set(self.heard)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def subscribed(log, client):
    """Return the filters that a client asked Mosquitto for, by its log."""
    found, is_of_client = set(), False
    for line in log.splitlines():
        if "Received SUBSCRIBE from" in line:
            is_of_client = client in line
        elif is_of_client and (match := re.search(r"\t(\S+) \(QoS \d\)", line)):
            found.add(match.group(1))
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_all_that_a_demo_publishes_and_listens_to_is_described_and_fits_its_schema(start_node, mosquitto):
    spy = Spy(mosquitto)
    broker = (f"broker.host={mosquitto.host}", f"broker.port={mosquitto.port}", "site.tenant=city")
    try:
        start_node(*broker, *ADAPTERS, *CAP_TOPICS, demo=True)
        wait_until(lambda: spy.channels() >= SAID_BY_A_DEMO, timeout_s=200.0, what="the demo to say everything")
    finally:
        spy.close()

    unknown = spy.channels() - set(document()["channels"])
    assert unknown == set(), "describe these topics in core/gateway/asyncapi.py"
    for channel, topics in spy.heard.items():
        for topic, (payload, qos) in topics.items():
            if payload and is_json(channel):
                assert complaints(model_of(channel), json.loads(payload)) == [], topic
            assert qos == operation_of(channel)["bindings"]["mqtt"]["qos"], topic
    filters = subscribed(mosquitto.log, "watchfloor-city-")
    assert len(filters) > 10
    assert [one for one in filters if not channels_of(one, "receive")] == []


def test_a_subscription_that_nobody_described_is_found():
    assert channels_of("watchfloor/v1/city/+/+/evt", "receive") == ["evt"]
    assert channels_of("watchfloor/v1/city/_ping/core-1", "receive") == ["ping"]
    assert channels_of("watchfloor/v1/city/+/+/weather", "receive") == []
    assert channels_of("zigbee2mqtt/#", "receive") == []
