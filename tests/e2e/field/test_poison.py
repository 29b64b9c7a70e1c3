import asyncio
import random
import socket

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.e2e.field.rig import ROOT, FieldDevice, Node, envelope, settings_for, until

CERTAINLY_UNUSABLE_TOPICS = [
    *(
        "station/Evil Name/state/x",
        "station/s\u00fc\u00df/evt",
        "_host/x/evt",
        "a//birth",
        "/b/birth",
        "sta tion/x/evt",
    ),
    *("x/y/state/UPPER", "station/" + "l" * 200 + "/evt", "\U0001f6a8/\U0001f6a8/evt", "station/s1.x/cmd/res"),
]


class Villain:
    """Sends nonsense with QoS 1, a bounded window at a time, so that no queue on the way overflows."""

    def __init__(self, broker, seed):
        self.chance = random.Random(seed)
        self.good = envelope({"intensity": 1}, seq=1, id="x")
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"villain-{seed}", protocol=mqtt.MQTTv5)
        self.client.max_inflight_messages_set(100)
        self.client.connect(broker.host, broker.port, 30)
        self.client.loop_start()
        self.n_sent = 0

    def payload(self):
        """Return bytes that no reader may accept: none of them is whole JSON of the right shape."""
        chance = self.chance
        return chance.choice(
            [
                lambda: b"\xff" + chance.randbytes(chance.randint(0, 80)),
                lambda: self.good[: chance.randint(1, len(self.good) - 1)],
                lambda: self.good.replace(b'"intensity": 1', b'"intensity": NaN'),
                lambda: self.good.replace(b'"intensity": 1', b'"intensity": 1e999'),
                lambda: self.good.replace(b'"v": 1', b'"v": 9'),
                lambda: self.good.replace(b'"ts": "20', b'"ts": "90'),
                lambda: self.good.replace(b"Traffic", b"\xc3\x28"),
                lambda: self.good.replace(b"Traffic", b"\\u0000"),
                lambda: b"[" * chance.randint(1, 6000),
                lambda: b'{"a":' * 2000 + b"1" + b"}" * 2000,
                lambda: b'{"boot":[],"seq":' + b"9" * 400 + b"}",
                lambda: b"x" * (300_000 if chance.random() < 0.005 else 3),
            ]
        )()

    def send(self):
        """Send one message: of a device that is known, of one that never said anything, or on no topic of ours."""
        chance = self.chance
        where = chance.random()
        if where < 0.15:
            topic = f"watchfloor/v1/city/{chance.choice(CERTAINLY_UNUSABLE_TOPICS)}"
        else:
            device = "station/evil" if where < 0.6 else f"station/ghost-{chance.randint(1, 40)}"
            topic = f"{ROOT}/{device}/{chance.choice(['state/flow', 'evt', 'birth', 'status', 'cmd/res'])}"
        self.client.publish(topic, self.payload(), 1)
        self.n_sent += 1

    @property
    def n_on_the_way(self):
        return len(self.client._out_messages)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def spoil_connections(broker, chance, n_times):
    """Talk to the broker as no client may: random bytes, and a topic that is no UTF-8."""
    connect = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04" + b"evil"
    for number in range(n_times):
        with socket.create_connection((broker.host, broker.port)) as raw:
            body = b"\x00\x17watchfloor/v1/city/\xff\xfe\x00+" + chance.randbytes(20)
            raw.sendall(connect + b"\x30" + bytes([len(body)]) + body if number % 2 else chance.randbytes(200))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize(
    "n_messages", [3_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_nonsense_crashes_nothing_is_all_counted_and_its_senders_are_named(
    start_mosquitto, tmp_path, n_messages, protocol
):
    broker = start_mosquitto(extra_config="max_queued_messages 200000\nmax_inflight_messages 1000")

    async def run():
        async with Node(tmp_path, settings_for(broker, protocol=protocol)) as node:
            await node.connected()
            evil, victim = FieldDevice(broker, "station/evil"), FieldDevice(broker)
            await until(lambda: node.device() is not None and node.device("station/evil") is not None)
            villain = Villain(broker, seed=n_messages)
            n_counted = lambda: sum(source.n_messages for source in node.service.bad_sources())  # noqa: E731
            spoil_connections(broker, villain.chance, 20)
            while villain.n_sent < n_messages:
                villain.send()
                if villain.n_sent % 50 == 0:
                    await until(lambda: villain.n_on_the_way < 500 and villain.n_sent - n_counted() < 5_000)
            await until(lambda: n_counted() == n_messages, timeout_s=120, what=f"{n_messages} to be counted")

            victim.event({"intensity": 1})
            await until(lambda: victim.acked == 1, what="the victim to be heard")
            victim.client.publish(f"{victim.topic}/state/flow", envelope({"intensity": 9}), 1)
            await until(lambda: node.service.newest("station/s1"), what="the victim's state")
            assert n_counted() == n_messages
            assert node.link.report().n_reconnects == 0
            assert node.device().n_bad_messages == 0

            worst = {source.source: source for source in node.service.bad_sources()}
            assert node.device("station/evil").n_bad_messages == worst["station/evil"].n_messages
            assert "not listened to" in worst["station/evil"].last_error
            assert "station/ghost-1" in worst
            assert any("Evil Name" in source for source in worst)
            for client in (evil, victim, villain):
                client.close()

    asyncio.run(run())
