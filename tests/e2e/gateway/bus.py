"""A link with a gateway on a real broker, and a plain client that plays the other system."""

import asyncio
import json

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from core.field.model import LinkState
from core.field.mqtt_link import MqttLink
from core.gateway.adapter import Gateway
from core.kernel.clock import FakeClock
from core.kernel.ids import new_id
from tests.e2e.field.rig import settings_for, until


class Bus:
    """Adapters as a node has them, and what went on to the field."""

    def __init__(self, broker, make_adapters, **settings):
        self.clock = FakeClock()
        self.for_field = []
        self.broker = broker
        adapters = make_adapters(lambda *args, **options: self.link.publish(*args, **options))
        self.gateway = Gateway(adapters, clock=self.clock, to_field=self.for_field.extend)
        self.link = MqttLink(
            settings_for(broker, **settings),
            loop=asyncio.get_running_loop(),
            on_message=self.gateway.on_messages,
            on_state=self.gateway.on_link_state,
            more_filters=self.gateway.filters,
        )

    async def __aenter__(self):
        self.link.start()
        await until(lambda: self.link.report().state is LinkState.CONNECTED)
        return self

    async def __aexit__(self, *_):
        await asyncio.to_thread(self.link.stop)

    @property
    def report(self):
        return self.gateway.reports(self.link.refused_filters)[0]


class Peer:
    """The other system."""

    def __init__(self, broker):
        self.heard = {}
        self.messages = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=new_id(), protocol=mqtt.MQTTv5)
        self.client.on_message = self._on_message
        self.client.connect(broker.host, broker.port, 30)
        self.client.loop_start()

    def _on_message(self, _client, _data, message):
        self.heard[message.topic] = message.payload
        self.messages.append((message.topic, message.payload, bool(message.retain)))

    def say(self, topic, payload, retain=False):
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.client.publish(topic, body, 1, retain)

    def listen(self, topic):
        self.client.subscribe(topic, 1)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
