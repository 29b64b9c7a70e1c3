import os
import shutil
import signal
import ssl
import stat
import subprocess
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from app.cli import main
from core.field.broker_config import BROKER_USER, BrokerWish, issue_certificate, revoke, write_broker
from tests.fixtures.mosquitto import INSTALL
from tests.fixtures.processes import accepts_connections, end_process, find_program, free_port, tail, wait_until

ROOT = "watchfloor/v1/city"
NOW = datetime.now(UTC)


class GeneratedBroker:
    """A Mosquitto that runs from a folder as `broker-config` made it."""

    def __init__(self, folder: Path, **wish):
        self.folder = folder
        self.port = free_port()
        user = {} if "broker_user" in wish or os.geteuid() != 0 else {"broker_user": "root"}
        write_broker(folder, BrokerWish(hosts=("127.0.0.1",), port=self.port, **user, **wish), NOW)
        self.process = None

    @property
    def log(self):
        return self.folder.parent / f"{self.folder.name}.log"

    def start(self):
        program = find_program("mosquitto", install=INSTALL)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [program, "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
            )
        wait_until(lambda: self.process.poll() is not None or accepts_connections(self.port), what="the broker")
        assert self.process.poll() is None, tail(self.log)

    def reload(self):
        n_reloads = self.log.read_text().count("Reloading config")
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log.read_text().count("Reloading config") > n_reloads, what="the broker to reload")

    def client(self, user, **options):
        place = self.folder / "clients"
        return Client(self, place / f"{user}.crt", place / f"{user}.key", **options)


class Client:
    """A client with a certificate, or with none."""

    def __init__(self, broker, certificate=None, key=None, client_id=""):
        self.heard = []
        self.codes = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
        context = ssl.create_default_context(cafile=broker.folder / "ca.crt")
        if certificate is not None:
            context.load_cert_chain(certificate, key)
        self.client.tls_set_context(context)
        self.client.on_connect = lambda _c, _d, _f, code, _p: self.codes.append(str(code))
        self.client.on_disconnect = lambda _c, _d, _f, code, _p: self.codes.append(f"gone: {code}")
        self.client.on_message = lambda _c, _d, message: self.heard.append(message.topic)
        self.published = {}
        self.client.on_publish = lambda _c, _d, mid, code, _p: self.published.update({mid: str(code)})
        self.subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.broker = broker

    def connect(self):
        """Return the broker's answer, or why there was none."""
        try:
            self.client.connect("127.0.0.1", self.broker.port, 5)
        except OSError as error:
            return str(error)
        self.client.loop_start()
        wait_until(lambda: self.codes, what="an answer of the broker")
        return self.codes[0]

    def listen(self, *names):
        self.subscribed.clear()
        self.client.subscribe([(name, 1) for name in names])
        assert self.subscribed.wait(10)

    def may_write(self, topic, retain=False):
        info = self.client.publish(topic, b"{}", 1, retain)
        wait_until(lambda: info.mid in self.published, what=f"an answer about {topic}")
        return self.published[info.mid] in ("Success", "No matching subscribers")

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def start_generated(tmp_path):
    brokers = []

    def start(folder=None, **wish):
        broker = GeneratedBroker(folder or tmp_path / "broker", **wish)
        brokers.append(broker)
        broker.start()
        return broker

    yield start
    for broker in brokers:
        if broker.process is not None:
            end_process(broker.process)


def test_a_device_writes_its_own_topics_and_nothing_else(start_generated):
    broker = start_generated(devices=("station/s1", "station/s2", "lot/s1"))
    core, device = broker.client("core"), broker.client("station.s1")
    assert core.connect() == device.connect() == "Success"
    core.listen(f"{ROOT}/+/+/evt")

    own = ["birth", "status", "state/flow", "tele/flow", "evt", "cmd/res", "twin/reported", "log"]
    assert all(device.may_write(f"{ROOT}/station/s1/{suffix}") for suffix in own)
    foreign = [
        *(f"{ROOT}/station/s2/evt", f"{ROOT}/lot/s1/evt", "watchfloor/v1/harbour/station/s1/evt", "spBv1.0/x", "x"),
        *(f"{ROOT}/station/s1/cmd", f"{ROOT}/station/s1/evt/ack", f"{ROOT}/_host/core/state", f"{ROOT}/_alarm/1"),
    ]
    assert [topic for topic in foreign if device.may_write(topic)] == []

    device.listen(f"{ROOT}/station/s1/cmd", f"{ROOT}/_host/+/rebirth", f"{ROOT}/station/s2/cmd", "#")
    assert core.may_write(f"{ROOT}/station/s2/cmd")
    assert core.may_write(f"{ROOT}/station/s1/cmd")
    assert core.may_write(f"{ROOT}/_host/core/rebirth")
    wait_until(lambda: f"{ROOT}/_host/core/rebirth" in device.heard, what="the rebirth")
    assert set(device.heard) == {f"{ROOT}/station/s1/cmd", f"{ROOT}/_host/core/rebirth"}
    assert core.heard == [f"{ROOT}/station/s1/evt"]
    device.close()
    core.close()


def test_who_has_no_certificate_of_this_authority_does_not_get_in(start_generated, tmp_path):
    broker = start_generated()
    for stranger in (Client(broker), other_authoritys_client(broker, tmp_path)):
        assert stranger.connect() != "Success"
        stranger.close()


def other_authoritys_client(broker, tmp_path):
    other = tmp_path / "other"
    write_broker(other, BrokerWish(hosts=("127.0.0.1",), broker_user="root" if os.geteuid() == 0 else ""), NOW)
    return Client(broker, other / "clients/core.crt", other / "clients/core.key")


def test_a_new_device_gets_in_and_one_that_is_taken_back_loses_its_rights_at_the_next_reload(start_generated, tmp_path):
    broker = start_generated(devices=("station/s1",))
    device = broker.client("station.s1")
    assert device.connect() == "Success"
    assert device.may_write(f"{ROOT}/station/s1/evt")
    issued = issue_certificate(broker.folder, "station/new", NOW)
    (tmp_path / "new.crt").write_text(issued.certificate_pem)
    (tmp_path / "new.key").write_text(issued.key_pem)
    certificate, key = (
        shutil.copy(broker.folder / "clients" / f"station.s1.{end}", tmp_path) for end in ("crt", "key")
    )
    revoke(broker.folder, ["station/s1"], NOW)

    broker.reload()

    newcomer = Client(broker, tmp_path / "new.crt", tmp_path / "new.key")
    assert newcomer.connect() == "Success"
    assert newcomer.may_write(f"{ROOT}/station/new/evt")
    assert len(device.codes) > 1 or not device.may_write(f"{ROOT}/station/s1/evt")
    device.close()
    again = Client(broker, certificate, key)
    assert again.connect() != "Success"
    again.close()
    newcomer.close()


def test_what_was_saved_survives_a_kill(start_generated):
    broker = start_generated(devices=("station/s1",))
    device, core = broker.client("station.s1"), broker.client("core", client_id="keeps-its-session")
    assert device.connect() == "Success"
    assert device.may_write(f"{ROOT}/station/s1/birth", retain=True)
    device.close()
    broker.process.send_signal(signal.SIGUSR1)  # What autosave_interval does by the clock.
    wait_until(lambda: (broker.folder / "data/mosquitto.db").exists(), what="the broker to save")
    saved = broker.folder / "data/mosquitto.db"
    assert stat.S_IMODE(saved.stat().st_mode) & 0o077 == 0
    broker.process.kill()
    broker.process.wait(5)

    broker.start()

    assert core.connect() == "Success"
    core.listen(f"{ROOT}/+/+/birth")
    wait_until(lambda: core.heard, what="the retained birth")
    core.close()


def test_the_command_makes_adds_and_takes_back_and_says_what_is_left_to_do(tmp_path, capsys):
    (tmp_path / "devices.csv").write_text("id,name\nstation/s1,Bridge\nstation/s2,Mill\n")
    user = ["--user", "root"] if os.geteuid() == 0 else []
    out = ["broker-config", "--out", str(tmp_path / "broker")]

    assert main([*out, "--host", "127.0.0.1", "--devices", str(tmp_path / "devices.csv"), "lot/p1", *user]) == 0
    said = capsys.readouterr().out
    assert "4 new certificates" in said
    assert 'certificate_file = "' in said
    assert main([*out, "--devices", "lot/p2"]) == 0
    assert "1 new certificate for" in capsys.readouterr().out
    assert main([*out, "--revoke", "lot/p1"]) == 0
    assert "Taken back: lot.p1" in capsys.readouterr().out
    assert main([*out, "--devices", "nobody.csv"]) == 1
    assert "no file nobody.csv" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files to the broker's user")
def test_started_as_root_the_broker_runs_and_saves_as_its_own_user(start_generated):
    outside = Path(tempfile.mkdtemp())
    try:
        outside.chmod(0o755)
        broker = start_generated(outside / "broker", broker_user=BROKER_USER)
        status = Path(f"/proc/{broker.process.pid}/status").read_text()
        assert "Uid:\t0" not in status
        core = broker.client("core")
        assert core.connect() == "Success"
        assert core.may_write(f"{ROOT}/_host/core/state", retain=True)
        core.close()
        end_process(broker.process)
        saved = broker.folder / "data/mosquitto.db"
        assert saved.stat().st_uid != 0
        broker.start()
        before, after = broker.client("core"), broker.client("core")
        assert before.connect() == "Success"
        before.close()
        broker.reload()
        assert after.connect() == "Success"
        after.close()
    finally:
        shutil.rmtree(outside)
