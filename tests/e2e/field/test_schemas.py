"""Every payload of a real exchange fits what is published: at the codec on both sides, and on the wire."""

import asyncio
import json
import threading

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from core.access.model import SYSTEM
from core.drones.model import DroneState, LinkHealth, Measured
from core.field.client.device import Access, DeviceInfo
from core.field.client.runner import FieldRunner
from core.field.client.simulate import SimulatedDevice
from core.field.kinds import find_kinds
from core.field.kinds.base import KindPayload
from core.field.model import DeviceState
from core.field.payloads import Payload
from core.field.settings import BrokerSettings
from core.field.topics import ROOT
from core.incidents.on_broker import on_broker
from core.incidents.rules.book import shipped_tunings
from core.kernel.clock import SystemClock
from core.node.drone_topics import DroneTopics
from tests.e2e.field.rig import Node, settings_for, until
from tests.fixtures.alarms import alarm
from tests.fixtures.schemas import channel_of, complaints, document, is_json, model_of, operation_of


class Spy:
    """Hears everything on the broker."""

    def __init__(self, broker):
        self.heard, self.lock = [], threading.Lock()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda client, *_: client.subscribe("watchfloor/#", 1)
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()

    def _on_message(self, _client, _data, message):
        with self.lock:
            self.heard.append((message.topic, bytes(message.payload), message.qos, message.retain, message.properties))

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def codec(monkeypatch):
    """Everything that was checked or written, by model, and what the schemas say against it."""
    seen, wrong = set(), []
    check, dump = Payload.model_validate.__func__, Payload.model_dump

    def validate(cls, value, **options):
        found = check(cls, value, **options)
        seen.add(("accepted", cls.__name__))
        if not issubclass(cls, KindPayload) or cls.__module__.startswith("core."):
            wrong.extend(complaints(cls.__name__, value))
        return found

    def write(self, **options):
        value = dump(self, **options)
        if options.get("mode") == "json":
            seen.add(("emitted", type(self).__name__))
            wrong.extend(complaints(type(self).__name__, json.loads(json.dumps(value))))
        return value

    monkeypatch.setattr(Payload, "model_validate", classmethod(validate))
    monkeypatch.setattr(Payload, "model_dump", write)
    return seen, wrong


def say_a_drone(node):
    """Tell of a drone as the node does, whatever link it was heard on."""
    now = SystemClock().now()
    height = Measured(30.5, now)
    topics = DroneTopics(tenant=node.settings.tenant, boot="night", publish=node.link.publish)
    topics.note((DroneState(drone_id="quad-2", health=LinkHealth.LIVE, values={"altitude_home_m": height}),))
    topics.tell({}, now)


def test_every_payload_of_a_real_exchange_fits_what_is_published(mosquitto, tmp_path, codec):
    seen, wrong = codec
    kinds = [kind for kind in find_kinds().values() if kind.simulate]

    async def exchange():
        access = Access(broker=BrokerSettings(host=mosquitto.host, port=mosquitto.port))
        devices = {
            kind.key: SimulatedDevice(
                kind,
                DeviceInfo(group=kind.key, device="sim-1", name=kind.title),
                access,
                period_s=0.1,
                seed="2",
            )
            for kind in kinds
        }
        runner = FieldRunner([*devices.values()])
        async with Node(tmp_path, settings_for(mosquitto)) as node:
            runner.start()
            try:
                ids = [f"{key}/sim-1" for key in devices]
                await until(lambda: all((found := node.device(i)) and found.state is DeviceState.ONLINE for i in ids))
                for device_id in ids:
                    await node.service.send_command(SYSTEM, device_id, "identify")
                    await node.service.send_command(SYSTEM, device_id, "fly")
                    await node.service.set_desired(SYSTEM, device_id, {"period_s": 0.2}, expect_version=0)
                runner.call_soon(lambda: devices["station"].stream_on("flow", "TrafficFlowObserved", {"intensity": 1}))
                say_a_drone(node)
                node.service.publish_alarm(on_broker(alarm(), shipped_tunings()))
                await until(lambda: node.service.commands() == () and node.service.n_events > 3)
                await until(lambda: all(node.service.twin(i).answered_version == 1 for i in ids))
                await until(lambda: not any(device.n_waiting for device in devices.values()))
            finally:
                await asyncio.to_thread(runner.stop)

    spy = Spy(mosquitto)
    try:
        asyncio.run(exchange())
    finally:
        spy.close()

    assert wrong == []
    assert {name for way, name in seen if way == "emitted"} >= {
        *(
            "Birth",
            "Status",
            "Envelope",
            "EvtAck",
            "Command",
            "CommandResult",
            "TwinState",
            "HostState",
            "Rebirth",
            "AlarmOnBroker",
        )
    }
    assert {name for way, name in seen if way == "accepted"} >= {"Birth", "Envelope", "EvtAck", "Command", "TwinState"}
    channels = set()
    for topic, payload, qos, is_retained, properties in spy.heard:
        channel = channel_of(topic)
        assert channel, f"{topic} is not described"
        channels.add(channel)
        if not is_json(channel):
            continue
        assert complaints(model_of(channel), json.loads(payload)) == []
        assert qos == operation_of(channel)["bindings"]["mqtt"]["qos"], topic
        assert properties.ContentType == "application/json"
        if channel in ("cmd", "cmdRes"):
            assert properties.CorrelationData == json.loads(payload)["id"].encode()
        assert not is_retained or operation_of(channel)["bindings"]["mqtt"]["retain"]
    described = {key for key, channel in document()["channels"].items() if channel["address"].startswith(ROOT)}
    assert channels == {key for key in described if not key.startswith(("camera", "availability"))} - {"log"}
