"""What a broker really does, tried out: round trip, retained messages, queue of who is away, certificates, persistence.

Everything happens on topics of our own below `_ping`, with sessions that end with the probe.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import ssl
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import paho.mqtt.client as mqtt
import psutil
from cryptography import x509
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from core.field.certificates import days_left
from core.field.settings import BrokerSettings
from core.field.topics import PingTopic, build
from core.kernel.errors import UnavailableError

ANSWER_WITHIN_S = 5.0
QUEUE_WITHIN_S = 15.0
QUIET_S = 1.0
"""After so long without another message no more is coming."""

N_ROUND_TRIPS = 5
N_QUEUED = 1500
"""More than the stock limit of Mosquitto, 1000."""

SLOW_ROUND_TRIP_MS = 250.0
SESSION_S = 120
ENDS_SOON_DAYS = 30.0
LONGEST_AUTOSAVE_S = 300
STOCK_AUTOSAVE_S = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one probe found.

    Attributes:
        hint: What to do; empty where all is well.
    """

    is_well: bool
    message: str
    hint: str = ""


class _Client:
    """A client that moves only while somebody waits for it, so that nothing is left running.

    Threads: the caller's only.
    """

    def __init__(self, settings: BrokerSettings, password: str, name: str, *, is_5: bool, session_s: int = 0) -> None:
        self._settings = settings
        self._is_5 = is_5
        self._session_s = session_s
        self.heard: list[tuple[bytes, bool]] = []
        self._codes: list[str] = []
        self._n_subscribed = 0
        self.n_confirmed = 0
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=None if is_5 else session_s == 0,
            protocol=mqtt.MQTTv5 if is_5 else mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        self._client.max_queued_messages_set(0)
        if settings.username:
            self._client.username_pw_set(settings.username, password or None)
        if settings.is_tls:
            self._client.tls_set_context(_tls_context(settings))
        self._client.on_connect = lambda _c, _d, _f, code, _p: self._codes.append(
            "" if not code.is_failure else code.getName().lower()
        )
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = lambda _c, _d, message: self.heard.append(
            (bytes(message.payload), bool(message.retain))
        )

    def connect(self) -> None:
        """Raises UnavailableError where the broker does not let us in."""
        settings = self._settings
        self._codes.clear()
        try:
            if self._is_5:
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
                properties.SessionExpiryInterval = self._session_s
                self._client.connect(
                    settings.host,
                    settings.port,
                    settings.keepalive_s,
                    clean_start=self._session_s == 0,
                    properties=properties,
                )
            else:
                self._client.connect(settings.host, settings.port, settings.keepalive_s)
        except (OSError, ValueError) as error:
            raise UnavailableError(f"The broker at {settings.address} cannot be reached: {error}.") from error
        if not self.wait(lambda: bool(self._codes)) or self._codes[0]:
            reason = self._codes[0] if self._codes else "no answer"
            raise UnavailableError(f"The broker at {settings.address} does not let the self-test in: {reason}.")

    def subscribe(self, topic: str) -> None:
        n_before = self._n_subscribed
        self._client.subscribe(topic, 1)
        self.wait(lambda: self._n_subscribed > n_before)

    def publish(self, topic: str, payload: bytes, *, is_retained: bool = False) -> None:
        self._client.publish(topic, payload, 1, is_retained)

    def wait(self, condition: Callable[[], bool], within_s: float | None = None) -> bool:
        """Move packets until the condition holds; False where it did not in time."""
        until = time.monotonic() + (ANSWER_WITHIN_S if within_s is None else within_s)
        while not condition():
            if time.monotonic() > until or self._client.loop(0.02) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return condition()
        return True

    def leave(self) -> None:
        """Close the connection; the broker keeps the session for `session_s`."""
        with contextlib.suppress(OSError, ValueError):
            self._client.disconnect()
            self.wait(lambda: not self._client.is_connected(), 1.0)

    def server_certificate_pem(self) -> bytes:
        """Return the broker's certificate; only while connected by TLS."""
        sock = self._client.socket()
        if not isinstance(sock, ssl.SSLSocket):
            return b""
        der = sock.getpeercert(binary_form=True)
        return ssl.DER_cert_to_PEM_cert(der).encode() if der else b""

    def _on_subscribe(self, *_: object) -> None:
        self._n_subscribed += 1

    def _on_publish(self, *_: object) -> None:
        self.n_confirmed += 1


class BrokerProbe:
    """One visit to a broker; each method is one question."""

    def __init__(self, settings: BrokerSettings, password: str) -> None:
        """Prepare for a broker that `settings` name; each question connects anew."""
        self._settings = settings
        self._password = password
        self._is_5 = settings.protocol != "3.1.1"
        self._is_protocol_sure = settings.protocol != "auto"
        # Unguessable, so that two self-tests at once do not hear each other.
        self._name = f"self-test-{secrets.token_hex(4)}"
        self._topic = build(PingTopic(tenant=settings.tenant, core=self._name))

    def round_trip(self) -> Finding:
        """Send a message with QoS 1 to ourselves, some times.

        Raises:
            UnavailableError: The broker does not let us in.
        """
        with self._client("round") as client:
            client.subscribe(self._topic)
            took_ms = []
            for number in range(N_ROUND_TRIPS):
                began = time.perf_counter()
                client.publish(self._topic, b"%d" % number)
                if not client.wait(lambda n=number: len(client.heard) > n):  # type: ignore[misc]
                    return Finding(
                        is_well=False,
                        message="A message with QoS 1 does not come back.",
                        hint=f"Let this user read and write {self._topic.rpartition('/')[0]}/# in the access list.",
                    )
                took_ms.append((time.perf_counter() - began) * 1000.0)
        middle_ms = statistics.median(took_ms)
        if middle_ms > SLOW_ROUND_TRIP_MS:
            return Finding(
                is_well=False,
                message=f"A message with QoS 1 takes {middle_ms:.0f} ms to the broker and back.",
                hint="Look at the network and at the load of the broker's machine.",
            )
        return Finding(is_well=True, message=f"QoS 1 to the broker and back in {middle_ms:.1f} ms.")

    def retained(self) -> Finding:
        """Leave a retained message and come back for it.

        Raises:
            UnavailableError: The broker does not let us in.
        """
        topic = self._topic
        with self._client("left") as writer:
            writer.publish(topic, b"kept", is_retained=True)
            writer.wait(lambda: writer.n_confirmed >= 1)
        with self._client("came") as reader:
            reader.subscribe(topic)
            was_kept = reader.wait(lambda: (b"kept", True) in reader.heard, 2.0)
            reader.publish(topic, b"", is_retained=True)
            reader.wait(lambda: reader.n_confirmed >= 1)
        if was_kept:
            return Finding(is_well=True, message="Retained messages are kept.")
        return Finding(
            is_well=False,
            message="The broker does not keep retained messages: after a start nobody knows how devices are.",
            hint="Set retain_available true, and let this user write what it reads.",
        )

    def queue(self) -> Finding:
        """Send more messages to a session that is away than the stock limit holds, and count what is kept.

        Raises:
            UnavailableError: The broker does not let us in.
        """
        self._connect("away").leave()
        reader = self._make_client("away", SESSION_S)
        reader.connect()
        reader.subscribe(self._topic)
        reader.leave()
        with self._client("busy") as writer:
            for number in range(N_QUEUED):
                writer.publish(self._topic, b"%d" % number)
            writer.wait(lambda: writer.n_confirmed >= N_QUEUED, QUEUE_WITHIN_S)
            n_sent = writer.n_confirmed
        reader.connect()
        n_before = -1
        while len(reader.heard) < n_sent and len(reader.heard) > n_before:
            n_before = len(reader.heard)
            reader.wait(lambda n=n_before: len(reader.heard) > n, QUIET_S)  # type: ignore[misc]
        n_kept = len({payload for payload, _ in reader.heard})
        reader.leave()
        # One that starts anew under that name takes the kept session away.
        again = self._make_client("away")
        again.connect()
        again.leave()
        if n_sent < N_QUEUED:
            return Finding(
                is_well=False,
                message=f"The broker took only {n_sent} of {N_QUEUED} messages in {QUEUE_WITHIN_S:.0f} s.",
                hint="Look at its load; a real Mosquitto takes thousands a second.",
            )
        if n_kept < n_sent:
            return Finding(
                is_well=False,
                message=f"The broker keeps {n_kept} of {n_sent} messages for a node that is away and drops the rest.",
                hint="Set max_queued_messages 100000 in mosquitto.conf; the stock limit is 1000.",
            )
        return Finding(is_well=True, message=f"At least {n_kept} messages wait for a node that is away.")

    def certificates(self, now: datetime) -> Finding:
        """Look at the broker's certificate and at our own.

        Raises:
            UnavailableError: The broker does not let us in; the sentence says what is wrong with the chain.
        """
        settings = self._settings
        if not settings.is_tls:
            if is_this_machine(settings.host):
                return Finding(is_well=True, message="No TLS, and none is needed on this machine.")
            return Finding(
                is_well=False,
                message=f"The connection to {settings.address} is not encrypted: passwords and commands can be read.",
                hint="Set up TLS with broker-config, and set broker.tls.",
            )
        with self._client("tls") as client:
            found = [("The broker's", client.server_certificate_pem())]
        if settings.cert_file is not None:
            found.append(("Our own", settings.cert_file.read_bytes()))
        left = [(whose, days_left(pem, now)) for whose, pem in found if pem]
        for whose, days in left:
            if days < ENDS_SOON_DAYS:
                when = f"ends in {days:.0f} days" if days >= 0 else f"ended {-days:.0f} days ago"
                return Finding(
                    is_well=False,
                    message=f"{whose} certificate {when}.",
                    hint="Run broker-config again, copy what is new and restart the broker.",
                )
        signer = _issuer(found[0][1])
        ends = ", ".join(f"{whose.lower()} for {days:.0f} days" for whose, days in left)
        return Finding(is_well=True, message=f"The chain is whole, signed by {signer}; valid: {ends}.")

    def persistence(self) -> Finding:
        """Say whether what the broker keeps survives its end, as far as that can be seen from here."""
        settings = self._settings
        process = _process_at(settings.port) if is_this_machine(settings.host) else None
        config = _config_of(process) if process is not None else None
        if process is None or config is None:
            return Finding(
                is_well=True,
                message="Whether it saves what it keeps cannot be seen from here: "
                "its file needs persistence true and autosave_interval 30.",
            )
        return judge_persistence(config, Path(process.cwd()), _uid_of(process))

    def _make_client(self, name: str, session_s: int = 0) -> _Client:
        return _Client(self._settings, self._password, f"{self._name}-{name}", is_5=self._is_5, session_s=session_s)

    def _connect(self, name: str) -> _Client:
        """Connect with the version of MQTT that the broker speaks; which one that is, the first visit finds out."""
        client = self._make_client(name)
        try:
            client.connect()
        except UnavailableError:
            if self._is_protocol_sure:
                raise
            self._is_5 = False
            client = self._make_client(name)
            client.connect()
        self._is_protocol_sure = True
        return client

    @contextlib.contextmanager
    def _client(self, name: str) -> Iterator[_Client]:
        client = self._connect(name)
        try:
            yield client
        finally:
            client.leave()


def judge_persistence(config: dict[str, str], cwd: Path, uid: int | None) -> Finding:
    """Judge the settings of a Mosquitto on this machine.

    Args:
        config: Its settings by name.
        cwd: What relative paths start from.
        uid: The user it runs as; None where that is unknown.
    """
    if config.get("persistence", "false") != "true":
        return Finding(
            is_well=False,
            message="The broker saves nothing: after its restart sessions, queues and retained messages are gone.",
            hint="Set persistence true and persistence_location in mosquitto.conf.",
        )
    folder = cwd / config.get("persistence_location", ".")
    try:
        owner = folder.stat()
    except OSError as error:
        return Finding(
            is_well=False,
            message=f"The broker is to save in {folder}, which cannot be used ({error.strerror}).",
            hint="Make the folder and give it to the broker's user.",
        )
    if uid not in (None, 0) and owner.st_uid != uid and not owner.st_mode & 0o022:
        return Finding(
            is_well=False,
            message=f"The broker may not write {folder}, where it is to save: the folder belongs to another user.",
            hint=f"chown it to the broker's user, and chmod 700 {folder}.",
        )
    autosave_s = int(config.get("autosave_interval", STOCK_AUTOSAVE_S))
    if autosave_s == 0 or autosave_s > LONGEST_AUTOSAVE_S:
        how_often = f"only every {autosave_s} s" if autosave_s else "only when it ends in peace"
        return Finding(
            is_well=False,
            message=f"The broker saves {how_often}: a power cut costs all since then.",
            hint="Set autosave_interval 30 in mosquitto.conf.",
        )
    return Finding(is_well=True, message=f"It saves every {autosave_s} s in {folder}.")


def is_this_machine(host: str) -> bool:
    """Tell whether a broker's host is the machine we run on."""
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    own = {item.address.partition("%")[0] for items in psutil.net_if_addrs().values() for item in items}
    return bool(addresses & (own | {"127.0.0.1", "::1"}))


def _process_at(port: int) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return psutil.Process(connection.pid)
    return None


def _config_of(process: psutil.Process) -> dict[str, str] | None:
    """Return a Mosquitto's settings; None where it is another program, or they cannot be read."""
    with contextlib.suppress(psutil.Error, OSError, ValueError, IndexError):
        if "mosquitto" not in process.name():
            return None
        words = process.cmdline()
        cwd = Path(process.cwd())
        return _read_config(cwd / words[words.index("-c") + 1], cwd) if "-c" in words else {}
    return None


def _read_config(file: Path, cwd: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.strip().partition(" ")
        if name == "include_dir":
            for more in sorted((cwd / value.strip()).glob("*.conf")):
                found |= _read_config(more, cwd)
        elif name and not name.startswith("#"):
            found[name] = value.strip()
    return found


def _uid_of(process: psutil.Process) -> int | None:
    with contextlib.suppress(psutil.Error, AttributeError):
        return int(process.uids().effective)
    return None


def _issuer(pem: bytes) -> str:
    names = x509.load_pem_x509_certificate(pem).issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else "an authority without a name"


def _tls_context(settings: BrokerSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"The certificates for the broker cannot be used: {error}.") from error
    return context
