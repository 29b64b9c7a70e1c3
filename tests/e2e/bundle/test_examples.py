"""What packaging/ hands to a site works as it lies there: settings, broker, database, service."""

import ast
import asyncio
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import URL

from core.field.inbox import Inbound
from core.field.model import LinkState
from core.field.mqtt_link import MqttLink
from core.field.settings import BrokerSettings
from core.kernel.clock import SystemClock
from core.kernel.settings import Settings, load_settings
from core.store.engine import open_store
from tests.fixtures.certificates import Authority
from tests.fixtures.mosquitto import INSTALL
from tests.fixtures.processes import accepts_connections, end_process, find_program, free_port, tail, wait_until

ROOT = Path(__file__).resolve().parents[3]
PACKAGING = ROOT / "packaging"
EXAMPLE = PACKAGING / "watchfloor-provision.example.toml"
MAY_IMPORT_WHAT_IS_LEFT_OUT = (
    # Only a machine with torch comes here; core/vision/engine.py asks first.
    "core/vision/engine_cuda.py",
    # For developers; not shipped.
    "app/make/",
    "app/shots.py",
)
ASKS_FIRST = {
    ("core/parking/forecast/datasets.py", "polars"),
    ("core/parking/sight/classifier.py", "onnxruntime"),
    ("core/vision/engine.py", "onnxruntime"),
    ("core/vision/export.py", "onnx"),
    ("core/vision/export.py", "torch"),
    ("core/vision/export.py", "ultralytics"),
    ("core/vision/quantise.py", "nncf"),
}
"""File and library: where it is missing, a sentence says so, or another way is taken."""


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in tuple(os.environ):
        if name.startswith("WATCHFLOOR_"):
            monkeypatch.delenv(name)


# -- settings -------------------------------------------------------------------------------------------------------


def test_the_example_is_used_without_a_fault_and_changes_nothing():
    settings, faults = load_settings(EXAMPLE)

    assert faults == ()
    assert settings == Settings()


def test_the_example_names_every_setting(tmp_path):
    # Settings that are empty by default cannot be written in TOML: they stand there as comments.
    whole = re.sub(r"^#(?=[a-z_]+ = )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = {(section, key) for section, keys in tomllib.loads(whole).items() for key in keys}
    known = {(section, key) for section, values in Settings().model_dump().items() for key in values}

    assert named == known
    (tmp_path / "whole.toml").write_text(whole, encoding="utf-8")
    assert load_settings(tmp_path / "whole.toml")[1] == ()


# -- the lean program -----------------------------------------------------------------------------------------------


def test_no_module_needs_at_its_import_what_the_lean_program_leaves_out():
    needed = [
        f"{name}: {module}" for name, tree in shipped() for module in imports_at_start(tree) if is_left_out(module)
    ]

    assert needed == []


def test_no_function_uses_what_the_lean_program_leaves_out_without_asking_first_whether_it_is_there():
    used = {
        (name, module.split(".")[0])
        for name, tree in shipped()
        for node in ast.walk(tree)
        for module in modules_of(node)
        if is_left_out(module)
    }

    assert used == ASKS_FIRST


def shipped() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("app", "core", "widgets"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            name = file.relative_to(ROOT).as_posix()
            if not name.startswith(MAY_IMPORT_WHAT_IS_LEFT_OUT):
                yield name, ast.parse(file.read_text(encoding="utf-8"))


def is_left_out(module: str) -> bool:
    return any(module == left_out or module.startswith(f"{left_out}.") for left_out in left_out_modules())


@cache
def left_out_modules() -> tuple[str, ...]:
    lines = (PACKAGING / "excluded.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def modules_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_at_start(tree: ast.AST) -> Iterator[str]:
    """Yield what runs when the module is imported: nothing in functions, nothing for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        yield from modules_of(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not is_for_checkers(node):
            yield from imports_at_start(node)


def is_for_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


# -- broker ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SiteBroker:
    """A Mosquitto with the example's files, apart from port and places."""

    port: int
    authority: Authority


@pytest.fixture
def broker(tmp_path) -> Iterator[SiteBroker]:
    authority = Authority(tmp_path / "authority")
    server = authority.issue_server()
    port = free_port()
    config = (PACKAGING / "mosquitto" / "watchfloor.conf").read_text(encoding="utf-8")
    for old, new in (
        ("listener 8883", f"listener {port} 127.0.0.1"),
        ("/etc/mosquitto/certs/ca.crt", str(authority.certificate)),
        ("/etc/mosquitto/certs/broker.crt", str(server.certificate)),
        ("/etc/mosquitto/certs/broker.key", str(server.key)),
        ("/etc/mosquitto/watchfloor.acl", str(tmp_path / "watchfloor.acl")),
    ):
        assert old in config
        config = config.replace(old, new)
    shutil.copy(PACKAGING / "mosquitto" / "watchfloor.acl", tmp_path)
    (tmp_path / "watchfloor.acl").chmod(0o600)
    # Started as root it would become the user "mosquitto", who cannot read our folder.
    (tmp_path / "site.conf").write_text(("user root\n" if is_root() else "") + config, encoding="utf-8")
    log_file = tmp_path / "mosquitto.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [find_program("mosquitto", install=INSTALL), "-c", str(tmp_path / "site.conf")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    wait_until(lambda: process.poll() is not None or accepts_connections(port), what="mosquitto to listen")
    assert process.poll() is None, tail(log_file)
    yield SiteBroker(port=port, authority=authority)
    end_process(process)


class Client:
    """Somebody with a certificate of that name."""

    def __init__(self, broker: SiteBroker, name: str) -> None:
        pair = broker.authority.issue_client(name)
        self.answers: dict[int, int] = {}
        self.granted: dict[int, int] = {}
        self.heard: list[str] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
        self._client.tls_set(str(broker.authority.certificate), str(pair.certificate), str(pair.key))
        self._client.on_publish = lambda _c, _u, mid, code, _p: self.answers.update({mid: code.value})
        self._client.on_subscribe = lambda _c, _u, mid, codes, _p: self.granted.update({mid: codes[0].value})
        self._client.on_message = lambda _c, _u, message: self.heard.append(message.topic)
        self._client.connect("localhost", broker.port)
        self._client.loop_start()

    def is_let_through(self, topic: str) -> bool:
        """Publish and return whether the broker took it."""
        mid = self._client.publish(topic, b"{}", qos=1).mid
        wait_until(lambda: mid in self.answers, what="the broker's answer")
        return self.answers[mid] < 0x80

    def listen(self, topic: str) -> None:
        _, mid = self._client.subscribe(topic, qos=1)
        wait_until(lambda: mid in self.granted, what="the subscription")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def enter(broker):
    clients: list[Client] = []

    def enter(name: str) -> Client:
        clients.append(Client(broker, name))
        return clients[-1]

    yield enter
    for client in clients:
        client.close()


def test_a_device_writes_its_own_branch_and_no_other(enter):
    device = enter("st-01")
    own = "watchfloor/v1/city/station/st-01"

    for suffix in ("birth", "status", "state/flow", "tele/flow", "evt", "cmd/res", "twin/reported", "log"):
        assert device.is_let_through(f"{own}/{suffix}"), suffix
    for topic in (
        "watchfloor/v1/city/station/st-02/evt",
        f"{own}/cmd",
        f"{own}/evt/ack",
        "watchfloor/v1/city/_alarm/01JD",
        "watchfloor/v1/city/_host/core/state",
        "elsewhere",
    ):
        assert not device.is_let_through(topic), topic


def test_a_device_hears_what_is_meant_for_it_and_nothing_of_others(enter):
    device, other, core = enter("st-01"), enter("st-02"), enter("core")
    device.listen("watchfloor/#")

    for topic in (
        "watchfloor/v1/city/station/st-02/cmd",
        "watchfloor/v1/city/_alarm/01JD",
        "watchfloor/v1/city/_host/core/state",
        "watchfloor/v1/city/station/st-01/cmd",
        "watchfloor/v1/city/station/st-01/evt/ack",
    ):
        assert core.is_let_through(topic)
    assert other.is_let_through("watchfloor/v1/city/station/st-02/evt")
    assert core.is_let_through("watchfloor/v1/city/station/st-01/twin/desired")

    wait_until(lambda: "watchfloor/v1/city/station/st-01/twin/desired" in device.heard, what="the last message")
    assert device.heard == [
        "watchfloor/v1/city/_host/core/state",
        "watchfloor/v1/city/station/st-01/cmd",
        "watchfloor/v1/city/station/st-01/evt/ack",
        "watchfloor/v1/city/station/st-01/twin/desired",
    ]


def test_another_system_reads_alarms_and_writes_nothing(enter):
    display, core = enter("alarm-display"), enter("core")
    display.listen("watchfloor/v1/city/_alarm/+")

    assert core.is_let_through("watchfloor/v1/city/_alarm/01JD")
    wait_until(lambda: display.heard == ["watchfloor/v1/city/_alarm/01JD"], what="the alarm")
    assert not display.is_let_through("watchfloor/v1/city/_alarm/01JD")


CONNECT = bytes.fromhex("10 0e 0004 4d515454 04 02 000a 0002 7831")
"""MQTT 3.1.1, client id "x1", nothing else."""


@pytest.mark.parametrize("has_certificate", [True, False])
def test_nobody_comes_in_without_a_certificate(broker, has_certificate):
    context = ssl.create_default_context(cafile=str(broker.authority.certificate))
    if has_certificate:
        pair = broker.authority.issue_client("st-01")
        context.load_cert_chain(pair.certificate, pair.key)

    answer = b""
    # TLS 1.3 lets a client believe for a moment that it is in; the first read tells.
    with (
        contextlib.suppress(ssl.SSLError, ConnectionError),
        socket.create_connection(("localhost", broker.port)) as raw,
    ):
        raw.settimeout(10.0)
        with context.wrap_socket(raw, server_hostname="localhost") as connection:
            connection.sendall(CONNECT)
            answer = connection.recv(1)

    assert (answer == b"\x20") is has_certificate


def test_the_nodes_own_link_gets_all_it_asks_for(broker, enter):
    pair = broker.authority.issue_client("core")
    settings = BrokerSettings(
        host="localhost",
        port=broker.port,
        is_tls=True,
        ca_file=broker.authority.certificate,
        cert_file=pair.certificate,
        key_file=pair.key,
    )

    async def run() -> None:
        heard: list[Inbound] = []
        link = MqttLink(
            settings, loop=asyncio.get_running_loop(), on_message=heard.extend, on_state=lambda _report: None
        )
        link.start()
        try:
            await until(lambda: link.report().state is LinkState.CONNECTED and link.report().round_trip_ms is not None)
            device = await asyncio.to_thread(enter, "st-01")
            assert await asyncio.to_thread(device.is_let_through, "watchfloor/v1/city/station/st-01/evt")
            await until(lambda: any(message.topic.endswith("/st-01/evt") for message in heard))
        finally:
            await asyncio.to_thread(link.stop)

    asyncio.run(run())


async def until(condition) -> None:
    async with asyncio.timeout(15.0):
        while not condition():
            await asyncio.sleep(0.02)


# -- database -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_sql_makes_an_account_and_a_database_that_the_program_can_use(postgres_server, tmp_path):
    # The throw-away cluster's administrator has the name that the file gives to the account.
    text = (PACKAGING / "postgresql" / "create.sql").read_text(encoding="utf-8")
    site = tmp_path / "create.sql"
    site.write_text(re.sub(r"\bwatchfloor\b", "site", text), encoding="utf-8")
    administrator = postgres_server.url("postgres").replace("+psycopg", "")
    psql = [find_program("psql", install="the package postgresql-client"), "--set", "ON_ERROR_STOP=1", "--quiet"]
    subprocess.run([*psql, "--file", str(site), administrator], check=True, capture_output=True)
    subprocess.run([*psql, "--command", "ALTER ROLE site PASSWORD 'a-secret'", administrator], check=True)
    url = URL.create("postgresql", "site", "a-secret", postgres_server.host, postgres_server.port, "site")

    async def try_it() -> tuple[bool, str]:
        store = open_store(
            url.render_as_string(hide_password=False),
            backups=tmp_path / "backups",
            clock=SystemClock(),
            retry_for_s=2.0,
        )
        try:
            return await store.probe()
        finally:
            await store.close()

    try:
        assert asyncio.run(try_it()) == (True, "")
    finally:
        postgres_server.drop_database("site")
        subprocess.run([*psql, "--command", "DROP ROLE site", administrator], check=True)


# -- service --------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not on this machine")
def test_systemd_understands_the_unit(tmp_path):
    unit = (PACKAGING / "linux" / "watchfloor-node.service").read_text(encoding="utf-8")
    assert "/opt/watchfloor/watchfloor node" in unit
    # It also looks whether the program is there.
    (tmp_path / "watchfloor-node.service").write_text(
        unit.replace("/opt/watchfloor/watchfloor node", f"{sys.executable} node"), encoding="utf-8"
    )

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "watchfloor-node.service")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
