import asyncio
import itertools
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest
from paho.mqtt.publish import multiple

from core.field.broker import BrokerProgram, EmbeddedBroker
from core.field.inbox import Inbound
from core.field.model import LinkState
from core.field.mqtt_link import BATCH, CATCHING_UP_S, GIVE_WAY_S, MqttLink
from core.field.retry import retry_delay_s
from core.kernel.errors import UnavailableError
from tests.e2e.field.rig import ROOT, FieldDevice, settings_for, until
from tests.fixtures.certificates import Authority


class Link:
    """A link with a list of what it heard."""

    def __init__(self, broker, *, password="", read_password=None, **settings):
        self.messages = []
        self.states = []
        self.link = MqttLink(
            settings_for(broker, **settings),
            loop=asyncio.get_running_loop(),
            on_message=self.messages.extend,
            on_state=self.states.append,
            read_password=read_password or (lambda: password),
        )

    async def __aenter__(self):
        self.link.start()
        return self

    async def __aexit__(self, *_):
        assert await asyncio.to_thread(self.link.stop)

    async def reaches(self, state, *, timeout_s=10.0):
        return await until(lambda: self.link.report().state is state, timeout_s=timeout_s, what=f"the state {state}")

    @property
    def reason(self):
        return self.link.report().reason


@pytest.mark.parametrize("protocol", ["auto", "5", "3.1.1"])
def test_a_message_reaches_the_loop(mosquitto, protocol):
    async def run():
        async with Link(mosquitto, protocol=protocol) as link:
            await link.reaches(LinkState.CONNECTED)
            assert link.link.report().protocol == ("MQTT 3.1.1" if protocol == "3.1.1" else "MQTT 5")
            link.link.publish(f"{ROOT}/station/s1/evt", b"{}", qos=1)
            await until(lambda: link.messages)
            assert link.messages[0].payload == b"{}"
            assert link.messages[0].mid is not None
            await until(lambda: link.link.report().round_trip_ms is not None)

    asyncio.run(run())


def test_a_killed_broker_is_found_again_within_two_seconds_of_its_return(mosquitto):
    async def run():
        async with Link(mosquitto) as link:
            await link.reaches(LinkState.CONNECTED)
            for _ in range(3):
                mosquitto.kill()
                await link.reaches(LinkState.DOWN, timeout_s=2)
                await asyncio.to_thread(mosquitto.start)
                assert await link.reaches(LinkState.CONNECTED) <= 2.0
            assert link.link.report().n_reconnects == 3

    asyncio.run(run())


def test_what_was_queued_while_the_broker_was_away_arrives(mosquitto):
    async def run():
        async with Link(mosquitto) as link:
            await link.reaches(LinkState.CONNECTED)
            mosquitto.kill()
            await link.reaches(LinkState.DOWN, timeout_s=2)
            for number in range(50):
                link.link.publish(f"{ROOT}/station/s1/evt", b"%d" % number, qos=1)
            link.link.publish(f"{ROOT}/station/s1/log", b"old", qos=0, expiry_s=0.01)
            await asyncio.to_thread(mosquitto.start)
            await until(lambda: len(link.messages) >= 20)
            link.link.acknowledge(link.messages)
            await until(lambda: len(link.messages) >= 50)
            assert [item.payload for item in link.messages] == [b"%d" % number for number in range(50)]

    asyncio.run(run())


def test_a_frozen_broker_is_noticed_within_eight_seconds_and_does_not_hold_up_the_exit(mosquitto):
    async def run():
        link = Link(mosquitto)
        link.link.start()
        await link.reaches(LinkState.CONNECTED)
        mosquitto.pause()
        for number in range(1000):
            link.link.publish(f"{ROOT}/station/s1/evt", b"%d" % number, qos=1)
        assert await link.reaches(LinkState.STALE, timeout_s=8.0) <= 8.0
        assert "ping" in link.reason
        mosquitto.resume()
        await link.reaches(LinkState.CONNECTED, timeout_s=5.0)
        assert link.link.report().n_reconnects == 0
        mosquitto.pause()
        link.link.publish(f"{ROOT}/station/s1/evt", b"last", qos=1)
        began = time.monotonic()
        assert await asyncio.to_thread(link.link.stop)
        assert time.monotonic() - began <= 3.0

    asyncio.run(run())


def test_a_wrong_password_is_a_sentence_and_not_a_storm(mosquitto_with_password):
    async def run():
        async with Link(mosquitto_with_password, username="core", password="wrong") as link:
            await link.reaches(LinkState.REFUSED)
            assert "'core'" in link.reason
            assert "password" in link.reason
            assert "wrong" not in link.reason.replace("is wrong", "")
            n_tries = mosquitto_with_password.log.count("New connection")
            await asyncio.sleep(2.0)
            assert mosquitto_with_password.log.count("New connection") == n_tries
        async with Link(mosquitto_with_password, username="core", password="core-secret") as link:
            await link.reaches(LinkState.CONNECTED)

    asyncio.run(run())


def test_a_broker_is_not_asked_while_nobody_can_read_the_password_and_asked_once_it_is_there(mosquitto_with_password):
    passwords = []

    def read():
        if not passwords:
            raise UnavailableError("The password cannot be read: the keyring is locked.")
        return passwords[0]

    async def run():
        async with Link(mosquitto_with_password, username="core", read_password=read) as link:
            await link.reaches(LinkState.DOWN)
            await asyncio.sleep(1.0)
            assert "is not asked. The password cannot be read: the keyring is locked." in link.reason
            assert "not authorised" not in mosquitto_with_password.log
            passwords.append("core-secret")
            await link.reaches(LinkState.CONNECTED)

    asyncio.run(run())


def test_a_broker_that_wants_a_user_says_so(mosquitto_with_password):
    async def run():
        async with Link(mosquitto_with_password) as link:
            await link.reaches(LinkState.REFUSED)
            assert "user name" in link.reason

    asyncio.run(run())


def test_tls_with_a_client_certificate(mosquitto_mutual_tls, tmp_path):
    async def run():
        pair = mosquitto_mutual_tls.client_pair("core")
        ca = mosquitto_mutual_tls.ca_file
        async with Link(
            mosquitto_mutual_tls, is_tls=True, ca_file=ca, cert_file=pair.certificate, key_file=pair.key
        ) as link:
            await link.reaches(LinkState.CONNECTED)
            left = link.link.report().certificate_ends_at - datetime.now(UTC)
            assert timedelta(hours=23) < left < timedelta(hours=25)
        async with Link(mosquitto_mutual_tls, is_tls=True, ca_file=ca) as link:
            await link.reaches(LinkState.REFUSED)
            assert "client certificate" in link.reason
        stranger = Authority(tmp_path / "stranger")
        async with Link(mosquitto_mutual_tls, is_tls=True, ca_file=stranger.certificate) as link:
            await link.reaches(LinkState.REFUSED)
            assert "not to be trusted" in link.reason
        async with Link(mosquitto_mutual_tls, is_tls=True, ca_file=tmp_path / "none.crt") as link:
            await link.reaches(LinkState.REFUSED)
            assert "none.crt" in link.reason

    asyncio.run(run())


def test_plain_mqtt_to_a_tls_port_and_tls_to_a_plain_port_are_named(mosquitto_tls, start_mosquitto):
    async def run():
        async with Link(mosquitto_tls, protocol="5") as link:
            await until(lambda: link.reason)
            assert "TLS" in link.reason
        async with Link(start_mosquitto(), is_tls=True, ca_file=mosquitto_tls.ca_file) as link:
            await until(lambda: link.reason)
            assert "TLS" in link.reason

    asyncio.run(run())


def test_nobody_listening_is_a_sentence(mosquitto):
    async def run():
        mosquitto.kill()
        async with Link(mosquitto) as link:
            await link.reaches(LinkState.DOWN)
            assert "Nothing listens" in link.reason

    asyncio.run(run())


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_two_cores_of_one_name_say_so_instead_of_fighting_for_ever(mosquitto, protocol):
    async def run():
        async with Link(mosquitto, protocol=protocol) as first, Link(mosquitto, protocol=protocol) as second:
            both = (first, second)
            await until(lambda: any(link.link.report().state is LinkState.REFUSED for link in both), timeout_s=20.0)
            assert any("two cores of one name" in link.reason for link in both)
            n_tries = mosquitto.log.count("New connection")
            await asyncio.sleep(3.0)
            assert mosquitto.log.count("New connection") - n_tries <= 6

    asyncio.run(run())


def test_two_cores_of_different_names_share_a_broker(mosquitto):
    async def run():
        async with Link(mosquitto, core_id="north") as north, Link(mosquitto, core_id="south") as south:
            await north.reaches(LinkState.CONNECTED)
            await south.reaches(LinkState.CONNECTED)
            north.link.publish(f"{ROOT}/station/s1/state/flow", b"{}", qos=1)
            await until(lambda: north.messages and south.messages)

    asyncio.run(run())


def test_the_last_will_says_that_the_core_is_gone(mosquitto):
    async def run():
        async with Link(mosquitto, core_id="watcher") as watcher:
            await watcher.reaches(LinkState.CONNECTED)
            device = FieldDevice(mosquitto)
            heard = []
            device.client.on_message = lambda _c, _d, message: heard.append((message.topic, message.payload))
            await until(device.client.is_connected)
            device.client.subscribe(f"{ROOT}/_host/+/state", 1)
            other = Link(mosquitto, core_id="dying")
            other.link.start()
            await other.reaches(LinkState.CONNECTED)
            await until(lambda: any(b'"online":true' in payload and "dying" in topic for topic, payload in heard))
            await asyncio.to_thread(other.link.stop)
            await until(lambda: any(b'"online":false' in payload and "dying" in topic for topic, payload in heard))
            device.close()

    asyncio.run(run())


@pytest.mark.parametrize("program", list(BrokerProgram))
def test_the_embedded_broker_carries_qos_1_retained_state_and_wills(program, tmp_path):
    async def run():
        embedded = EmbeddedBroker(tmp_path / "broker", program=program)
        address = await embedded.start()
        try:
            credentials = {"username": "core", "password": address.passwords["core"]}
            async with Link(address, **credentials) as link:
                await link.reaches(LinkState.CONNECTED)
                expected = "MQTT 5" if program is BrokerProgram.MOSQUITTO else "MQTT 3.1.1"
                assert link.link.report().protocol == expected
                device = FieldDevice(
                    address,
                    username="field",
                    password=address.passwords["field"],
                    is_5=program is BrokerProgram.MOSQUITTO,
                )
                await until(lambda: any(item.topic.endswith("/status") for item in link.messages))
                device.vanish()
                await until(lambda: any(b"lost" in item.payload for item in link.messages))
            async with Link(address, core_id="late", **credentials) as late:
                await late.reaches(LinkState.CONNECTED)
                await until(lambda: any(item.is_retained and b"lost" in item.payload for item in late.messages))
            async with Link(address, core_id="thief", username="core", password="guess") as thief:
                await thief.reaches(LinkState.REFUSED)
        finally:
            await embedded.stop()
        assert not embedded.is_running

    asyncio.run(run())


def test_the_embedded_broker_is_started_again_when_it_dies(tmp_path):
    async def run():
        embedded = EmbeddedBroker(tmp_path / "broker")
        address = await embedded.start()
        try:
            async with Link(address, username="core", password=address.passwords["core"]) as link:
                await link.reaches(LinkState.CONNECTED)
                embedded._process.kill()
                await link.reaches(LinkState.DOWN, timeout_s=5.0)
                await link.reaches(LinkState.CONNECTED, timeout_s=10.0)
                # It counts once its thread has said so; the link may be there before.
                await until(lambda: embedded.n_restarts == 1)
        finally:
            await embedded.stop()

    asyncio.run(run())


def test_a_broker_that_never_answers_is_a_sentence_and_both_versions_are_tried():
    class Mute:
        host = "127.0.0.1"

    async def run():
        server = socket.create_server(("127.0.0.1", 0))
        broker = Mute()
        broker.port = server.getsockname()[1]
        try:
            async with Link(broker) as link:
                await until(lambda: "does not answer" in link.reason and "3.1.1" in link.reason)
                await until(lambda: "Trying MQTT 5" in link.reason)
        finally:
            server.close()

    asyncio.run(run())


def test_a_burst_leaves_the_loop_to_others_in_between(mosquitto):
    async def run():
        link = Link(mosquitto).link
        n_heard = 0

        def hear(batch):
            nonlocal n_heard
            n_heard += len(batch)
            time.sleep(0.0005 * len(batch))

        link._on_message = hear
        for number in range(1000):
            topic = f"{ROOT}/station/s{number}/state/flow"
            link._inbox.put(
                Inbound(topic=topic, payload=b"{}", qos=1, is_retained=False, received_at=datetime.now(UTC))
            )
        link._drain()
        heard_by_turn = [0, n_heard]
        while n_heard < 1000:
            await asyncio.sleep(0)
            heard_by_turn.append(n_heard)

        assert max(after - before for before, after in itertools.pairwise(heard_by_turn)) <= 2 * BATCH

    asyncio.run(run())


def test_an_exception_in_a_callback_leaves_the_link_alive(mosquitto):
    async def run():
        async with Link(mosquitto) as link:
            await link.reaches(LinkState.CONNECTED)
            link.link._inbox.put = lambda _message: 1 / 0
            for _ in range(3):
                link.link.publish(f"{ROOT}/station/s1/state/flow", b"{}", qos=1)
            await until(lambda: link.link.report().n_received >= 4)
            del link.link._inbox.put
            link.link.publish(f"{ROOT}/station/s1/state/flow", b"{}", qos=1)
            await until(lambda: link.messages)
            assert link.link.report().state is LinkState.CONNECTED

    asyncio.run(run())


def test_waits_between_tries_are_jittered_and_bounded():
    longest = [retry_delay_s(n, outage_s=0.0, pick=lambda _low, high: high) for n in range(12)]
    later = [retry_delay_s(n, outage_s=100.0, pick=lambda _low, high: high) for n in range(12)]

    assert longest[0] == 0.5
    assert max(longest) == 1.5
    assert later == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0] + [30.0] * 6
    assert retry_delay_s(5, 100.0, pick=lambda low, _high: low) > 0


N_STANDING = 1000
"""As many as Mosquitto keeps for one client where nobody has told it more."""


def leave_standing(broker):
    """Leave retained messages on a broker, as a fleet does."""
    told = [(f"{ROOT}/station/s{number}/status", b'{"state": "online"}', 1, True) for number in range(N_STANDING)]
    multiple(told, hostname=broker.host, port=broker.port)


def test_what_stands_on_the_broker_waits_for_whom_waits_and_comes_after_that(mosquitto):
    async def run():
        await asyncio.to_thread(leave_standing, mosquitto)
        async with Link(mosquitto) as link:
            link.link.give_way(True)
            await until(lambda: link.messages)
            await asyncio.sleep(GIVE_WAY_S / 2)
            assert len(link.messages) < N_STANDING / 2

            link.link.give_way(False)

            await until(lambda: len(link.messages) == N_STANDING)
            assert len({message.topic for message in link.messages}) == N_STANDING

    asyncio.run(run())


def test_what_stands_on_the_broker_comes_also_to_whom_never_stops_waiting(mosquitto):
    async def run():
        await asyncio.to_thread(leave_standing, mosquitto)
        async with Link(mosquitto) as link:
            link.link.give_way(True)
            await until(lambda: len(link.messages) == N_STANDING)

    asyncio.run(run())


def test_what_is_live_waits_for_nobody(mosquitto):
    async def run():
        async with Link(mosquitto) as link:
            await link.reaches(LinkState.CONNECTED)
            await asyncio.sleep(CATCHING_UP_S)
            link.link.give_way(True)
            link.link.publish(f"{ROOT}/station/s1/evt", b"{}", qos=1)
            assert await until(lambda: link.messages) < GIVE_WAY_S / 2

    asyncio.run(run())
