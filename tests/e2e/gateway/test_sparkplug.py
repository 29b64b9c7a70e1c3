import asyncio
import json
import struct
from datetime import UTC, datetime

import pytest

from core.field.model import DeviceState
from core.gateway.sparkplug import SparkplugAdapter
from core.kernel.clock import SystemClock
from tests.e2e.field.rig import Node, settings_for, until
from tests.e2e.gateway.bus import Peer

DOUBLE, INT32, BOOLEAN, STRING = 10, 3, 11, 12


# The wire format by hand, as the specification numbers its fields, so that our own description is checked by another.


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def number_field(field, value):
    return varint(field << 3) + varint(value)


def bytes_field(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def metric(name="", value=None, *, alias=None, kind=DOUBLE, at_ms=None, is_history=False, is_null=False):
    out = bytes_field(1, name.encode()) if name else b""
    out += number_field(2, alias) if alias is not None else b""
    out += number_field(3, at_ms) if at_ms is not None else b""
    out += (
        number_field(4, kind) + (number_field(5, 1) if is_history else b"") + (number_field(7, 1) if is_null else b"")
    )
    match kind:
        case 10 if value is not None:
            out += varint(13 << 3 | 1) + struct.pack("<d", value)
        case 3 | 8 if value is not None:
            out += number_field(10 if kind == 3 else 11, value & 0xFFFFFFFF)
        case 11:
            out += number_field(14, int(value))
        case 12:
            out += bytes_field(15, value.encode())
    return bytes_field(2, out)


def payload(seq, *metrics):
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    return number_field(1, now_ms) + b"".join(metrics) + (number_field(3, seq) if seq is not None else b"")


def bd_seq(number):
    return metric("bdSeq", number, kind=8)


class Plant:
    """An edge node with one device, as a plant has them."""

    ROOT = "spBv1.0/Plant 1"

    def __init__(self, broker):
        self.peer = Peer(broker)
        self.peer.listen(f"{self.ROOT}/NCMD/#")
        self.seq = 0

    def say(self, kind, *metrics, device=""):
        topic = f"{self.ROOT}/{kind}/Edge" + (f"/{device}" if device else "")
        self.peer.say(topic, payload(self.seq, *metrics))
        self.seq = (self.seq + 1) % 256

    def bear(self, bd=0):
        self.seq = 0
        self.say("NBIRTH", bd_seq(bd), metric("Node Control/Rebirth", False, kind=BOOLEAN))
        self.say(
            "DBIRTH", metric("Tank/Level", 4.5, alias=7), metric("Tank/Pump on", True, kind=BOOLEAN), device="Pump"
        )

    def die(self, bd=0):
        self.peer.say(f"{self.ROOT}/NDEATH/Edge", payload(None, bd_seq(bd)))

    @property
    def rebirths(self):
        return [body for topic, body, _ in self.peer.messages if topic == f"{self.ROOT}/NCMD/Edge"]


class Site(Node):
    """A node with the adapter."""

    def __init__(self, folder, broker):
        super().__init__(folder, settings_for(broker), make_adapters=self.make)

    def make(self, _node):
        adapter = SparkplugAdapter(
            tenant="city",
            to_field=self.service.on_messages,
            publish=lambda *args, **options: self.link.publish(*args, **options),
            now=SystemClock().now,
        )
        return [adapter]

    @property
    def pump(self):
        return next((item for item in self.service.devices() if item.name == "Edge Pump"), None)

    @property
    def values(self):
        readings = self.service.newest(self.pump.device_id) if self.pump else ()
        return {key: value for reading in readings for key, value in reading.values.items()}


def on_site(broker, tmp_path, body):
    async def run():
        async with Site(tmp_path, broker) as site:
            await site.connected()
            plant = Plant(broker)
            await until(plant.peer.client.is_connected)
            try:
                await body(site, plant, site.gateway)
            finally:
                plant.peer.close()

    asyncio.run(run())


def test_a_device_is_born_with_its_values_and_only_what_changes_is_sent_after_that(mosquitto, tmp_path):
    async def body(site, plant, gateway):
        plant.bear()
        await until(lambda: site.values == {"Level": 4.5, "Pump on": 1.0})
        assert site.pump.state is DeviceState.ONLINE
        assert site.pump.device_id.startswith("sparkplug/")

        plant.say("DDATA", metric(alias=7, value=5.25), device="Pump")
        await until(lambda: site.values == {"Level": 5.25, "Pump on": 1.0})
        assert gateway.reports()[0].note == "2 devices of 1 edge nodes"
        assert gateway.reports()[0].n_bad_messages == 0

    on_site(mosquitto, tmp_path, body)


def test_a_death_loses_the_node_and_all_behind_it_but_not_the_start_that_came_after(mosquitto, tmp_path):
    async def body(site, plant, _gateway):
        plant.bear(bd=1)
        await until(lambda: site.pump is not None and site.pump.state is DeviceState.ONLINE)
        plant.bear(bd=2)
        plant.die(bd=1)
        plant.say("DDATA", metric(alias=7, value=9.0), device="Pump")
        await until(lambda: site.values.get("Level") == 9.0)
        assert site.pump.state is DeviceState.ONLINE
        plant.die(bd=2)
        await until(lambda: site.pump.state is DeviceState.LOST)

    on_site(mosquitto, tmp_path, body)


def test_a_missing_message_and_an_unknown_device_are_answered_with_one_request_for_births(mosquitto, tmp_path):
    async def body(site, plant, gateway):
        plant.seq = 40
        plant.say("DDATA", metric(alias=7, value=1.0), device="Pump")
        await until(lambda: gateway.reports()[0].n_messages == 1)
        gateway.tick()
        await until(lambda: plant.rebirths)
        assert b"Node Control/Rebirth" in plant.rebirths[0]
        assert site.pump is None

        plant.bear()
        await until(lambda: site.pump is not None)
        plant.seq += 3
        plant.say("DDATA", metric(alias=7, value=2.0), device="Pump")
        await until(lambda: "1 gaps" in gateway.reports()[0].note)
        gateway.tick()
        assert len(plant.rebirths) == 1, "asked again too soon"

    on_site(mosquitto, tmp_path, body)


def test_signed_numbers_nulls_texts_and_history(mosquitto, tmp_path):
    async def body(site, plant, _gateway):
        plant.bear()
        await until(lambda: site.pump is not None)
        old_ms = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
        plant.say(
            "DDATA",
            metric("Outside/Temperature", -12, kind=INT32),
            metric("Outside/Gone", is_null=True),
            metric("Outside/Words", "wet", kind=STRING),
            metric(alias=7, value=0.5, at_ms=old_ms, is_history=True),
            metric("Outside/Nonsense", float("nan")),
            device="Pump",
        )
        await until(lambda: site.values.get("Temperature") == -12.0)
        assert set(site.values) == {"Level", "Pump on", "Temperature"}
        assert site.values["Level"] == 4.5, "what is history never replaces what is"

    on_site(mosquitto, tmp_path, body)


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("spBv1.0/G/NBIRTH/E", b"\xff\xff\xff"),
        ("spBv1.0/G/NDATA/E", payload(300)),
        ("spBv1.0/G/NDATA/E", json.dumps({"seq": 1}).encode()),
        ("spBv1.0/G/DDATA/E/", payload(1)),
        ("spBv1.0/G/NDATA/E", b"x" * 300_000),
    ],
)
def test_nonsense_is_counted_and_named(mosquitto, tmp_path, topic, body):
    async def check(site, plant, gateway):
        plant.peer.say(topic, body)
        await until(lambda: gateway.reports()[0].n_bad_messages == 1)
        assert gateway.bad_sources()[0].source == topic
        plant.bear()
        await until(lambda: site.pump is not None)

    on_site(mosquitto, tmp_path, check)
