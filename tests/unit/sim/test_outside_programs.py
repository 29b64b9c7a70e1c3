"""The brokers and databases that other tests rely on do what they promise."""

import socket
import ssl
import threading

import paho.mqtt.client as mqtt
import pytest
import sqlalchemy

from tests.fixtures.mosquitto import (  # noqa: F401
    Mosquitto,
    mosquitto,
    mosquitto_mutual_tls,
    mosquitto_persistent,
    mosquitto_with_password,
    start_mosquitto,
)
from tests.fixtures.postgres import postgres_server, postgres_url  # noqa: F401
from tests.fixtures.processes import accepts_connections, wait_until


class Client:
    """A paho client that remembers what happened to it."""

    def __init__(self, broker: Mosquitto, *, username: str = "", password: str = "", tls: ssl.SSLContext | None = None):
        self.connected = threading.Event()
        self.reasons: list[str] = []
        self.received: list[tuple[str, bytes]] = []
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_message = lambda _c, _u, m: self.received.append((m.topic, m.payload))
        if username:
            self._client.username_pw_set(username, password)
        if tls:
            self._client.tls_set_context(tls)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def _on_connect(self, _client, _userdata, _flags, reason, _properties):
        self.reasons.append(str(reason))
        if not reason.is_failure:
            self.connected.set()

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5)

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def test_a_broker_carries_a_message(mosquitto):  # noqa: F811
    client = Client(mosquitto)
    assert client.connected.wait(5)
    client.publish("a/b", "hello", retain=True)
    client.subscribe("a/#")

    wait_until(lambda: client.received == [("a/b", b"hello")], what="the retained message")
    client.close()


def test_a_killed_broker_comes_back_on_its_port(mosquitto):  # noqa: F811
    port = mosquitto.port
    mosquitto.kill()
    assert not accepts_connections(port)

    mosquitto.start()

    assert mosquitto.port == port
    assert accepts_connections(port)


def test_a_frozen_broker_accepts_and_says_nothing_until_it_goes_on(mosquitto):  # noqa: F811
    mosquitto.pause()
    with socket.create_connection((mosquitto.host, mosquitto.port), timeout=1) as raw:
        raw.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test")
        raw.settimeout(0.3)
        with pytest.raises(TimeoutError):
            raw.recv(4)

        mosquitto.resume()

        raw.settimeout(5)
        assert raw.recv(4) == b"\x20\x02\x00\x00"


def test_a_persistent_broker_remembers_retained_messages_over_a_restart(mosquitto_persistent):  # noqa: F811
    before = Client(mosquitto_persistent)
    before.publish("kept", "yes", retain=True)
    before.close()

    mosquitto_persistent.restart()

    after = Client(mosquitto_persistent)
    after.subscribe("kept")
    wait_until(lambda: after.received == [("kept", b"yes")], what="the retained message")
    after.close()


def test_a_broker_with_passwords_refuses_strangers(mosquitto_with_password):  # noqa: F811
    stranger = Client(mosquitto_with_password, username="core", password="wrong")
    wait_until(lambda: "Not authorized" in stranger.reasons, what="the refusal")
    stranger.close()

    friend = Client(mosquitto_with_password, username="core", password="core-secret")
    assert friend.connected.wait(5)
    friend.close()


def test_mutual_tls_lets_in_only_who_carries_a_certificate(mosquitto_mutual_tls):  # noqa: F811
    context = ssl.create_default_context(cafile=str(mosquitto_mutual_tls.ca_file))
    pair = mosquitto_mutual_tls.client_pair("station-01")
    context.load_cert_chain(pair.certificate, pair.key)

    client = Client(mosquitto_mutual_tls, tls=context)

    assert client.connected.wait(5)
    assert "u'station-01'" in mosquitto_mutual_tls.log
    client.close()


def test_every_postgres_test_gets_an_empty_database(postgres_url):  # noqa: F811
    engine = sqlalchemy.create_engine(postgres_url)
    with engine.connect() as connection:
        n_tables = connection.scalar(
            sqlalchemy.text("select count(*) from information_schema.tables where table_schema = 'public'")
        )
        assert n_tables == 0
    engine.dispose()


def test_postgres_comes_back_after_a_power_cut(postgres_server, postgres_url):  # noqa: F811
    postgres_server.kill()
    assert not accepts_connections(postgres_server.port)

    postgres_server.start()

    engine = sqlalchemy.create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("select 1")) == 1
    engine.dispose()
