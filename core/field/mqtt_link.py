"""The link to the broker: paho-mqtt on a thread of our own, never trusted blindly.

We drive paho's packet functions ourselves instead of `loop_start`: paho's own thread ends for good at the first
exception while `is_connected()` stays true, and `loop_stop()` never returns from a frozen broker. Here every call to
paho happens on one thread, each connection gets a client of its own, and the thread ends when it is told to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from core.field.buffered_socket import BufferedSocket
from core.field.certificates import ends_at
from core.field.inbox import OURS, Inbound, Inbox
from core.field.model import LinkReport, LinkState
from core.field.payloads import HostState, write
from core.field.retry import retry_delay_s
from core.field.settings import BrokerSettings
from core.field.topics import HostChannel, HostTopic, PingTopic, build, subscriptions
from core.kernel.clock import Clock, SystemClock
from core.kernel.errors import UnavailableError

log = logging.getLogger(__name__)

PING_EVERY_S = 2.0
PING_STALE_S = 6.0
HALF_OPEN_S = 20.0
CONNECT_TIMEOUT_S = 2.0
CONNACK_TIMEOUT_S = 5.0
FIRST_CONNACK_TIMEOUT_S = 2.0
TICK_S = 0.25
STOP_TIMEOUT_S = 3.0
FLUSH_S = 1.0
SESSION_EXPIRY_S = 3600
RECEIVE_MAXIMUM = 100
MAX_PACKET_BYTES = 1024 * 1024
MAX_IN_FLIGHT = 20
MAX_OUTGOING = 20_000
BATCH = 10
TURN_S = 0.005
"""After so long the loop does something else: what an alarm still needs must not wait for the end of a burst."""

SLOW_RETRY_S = 30.0
STABLE_AFTER_S = 10.0
GIVE_WAY_S = 1.0
GIVE_WAY_STEP_S = 0.02
CATCHING_UP_S = 0.25
"""So long after a message that had stood on the broker, more of them are on their way."""
FIGHT_AFTER, FIGHT_WITHIN_S = 4, 3.0
"""So many connections in a row that lived so shortly: two programs of one name throw each other out."""


PROTOCOL_NAMES = {mqtt.MQTTv5: "MQTT 5", mqtt.MQTTv311: "MQTT 3.1.1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTo:
    """Where an answer is expected, and what it has to carry; MQTT 3.1.1 leaves it out."""

    topic: str
    correlation: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message on its way out."""

    topic: str
    payload: bytes
    qos: int
    is_retained: bool
    expiry_s: float | None
    queued_monotonic: float
    reply: ReplyTo | None = None
    on_done: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class _Ended:
    """Why a connection ended, or never began."""

    state: LinkState
    reason: str
    is_slow: bool = False


class _Client(mqtt.Client):
    """paho's client, over a socket that reads and writes many packets at once."""

    def _create_socket(self) -> BufferedSocket:
        raw = super()._create_socket()
        assert isinstance(raw, socket.socket)
        return BufferedSocket(raw)


class MqttLink:
    """One connection to one broker, kept up.

    Messages reach `on_message` on the loop, in batches and in order. Those that must not be lost stay unacknowledged
    until `acknowledge` is called. `on_state` hears of every change of state, on the loop.

    Threads: `publish`, `acknowledge` and `report` may be called from any thread.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[[list[Inbound]], None],
        on_state: Callable[[LinkReport], None],
        read_password: Callable[[], str] = str,
        epoch: int = 1,
        clock: Clock | None = None,
        more_filters: tuple[tuple[str, int], ...] = (),
    ) -> None:
        """Prepare; `start` connects. The epoch is higher at each start of this core; see `begin_epoch`.

        `more_filters` are listened to where the broker allows it; each comes with its QoS. `read_password` is asked on
        the link's thread before each try; while it raises `UnavailableError` the broker is not asked at all.
        """
        self._settings = settings
        self._read_password = read_password
        self._epoch = epoch
        self._loop = loop
        self._on_message = on_message
        self._on_state = on_state
        self._clock = clock or SystemClock()
        self._inbox = Inbox()
        self._host_topic = build(HostTopic(tenant=settings.tenant, core=settings.core_id, channel=HostChannel.STATE))
        self._filters = subscriptions(settings.tenant, settings.core_id)
        self._wishes = (*more_filters, (self._host_topic, 0))
        self._wanted = (*self._filters, *self._wishes)
        self._refused_filters: tuple[str, ...] = ()
        self._ping_topic = build(PingTopic(tenant=settings.tenant, core=settings.core_id))

        self._lock = threading.Lock()
        self._outgoing: dict[object, Outgoing] = {}
        self._acks: deque[tuple[int, int]] = deque()
        self._report = LinkReport(
            state=LinkState.CONNECTING,
            address=settings.address,
            since=self._clock.now(),
            is_embedded=settings.is_embedded,
        )
        self._n_received = 0
        self._n_published = 0
        self._n_refused = 0

        self._is_stopping = threading.Event()
        self._is_way_free = threading.Event()
        self._is_way_free.set()
        self._thread: threading.Thread | None = None
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)

        # From here on: the link's thread only.
        self._protocol = mqtt.MQTTv311 if settings.protocol == "3.1.1" else mqtt.MQTTv5
        self._is_protocol_sure = settings.protocol != "auto"
        self._connection = 0
        self._n_connected = 0
        self._unacked: dict[int, Outgoing] = {}
        self._ended: _Ended | None = None
        self._is_connected = False
        self._has_news = False
        self._retained_s = float("-inf")
        """When the last message came that had stood on the broker; long ago once a live one came after it."""

        self._gives_way_until_s: float | None = None
        self._socket_error = ""
        self._own_states: deque[bytes] = deque(maxlen=64)
        self._is_state_ours = False
        self._has_rival = False
        """Somebody else speaks as this core: our own state on the broker was not written by us."""

        self._pinged_at = 0.0
        self._heard_at = 0.0
        """Our own ping came back, or what stands before it at the broker came."""

    # -- for everyone ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread; it connects and keeps connected until `stop`."""
        self._is_stopping.clear()
        self._thread = threading.Thread(target=self._run, name="mqtt-link", daemon=True)
        self._thread.start()

    def stop(self) -> bool:
        """Say goodbye and end the thread, within 3 s whatever the broker does; False where it had to be left."""
        self._is_stopping.set()
        self._wake()
        if self._thread is None:
            return True
        self._thread.join(STOP_TIMEOUT_S - 0.25)
        # A name look-up can block for longer than anyone wants to wait; the thread is a daemon and does no harm.
        return not self._thread.is_alive()

    def watch(self) -> None:
        """Start the thread again if it died; call it once a second."""
        if self._thread is None or self._thread.is_alive() or self._is_stopping.is_set():
            return
        log.error("the MQTT link's thread died and is started again")
        self._set_state(LinkState.DOWN, "The link's thread died and is started again.")
        self.start()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        is_retained: bool = False,
        expiry_s: float | None = None,
        reply: ReplyTo | None = None,
        on_done: Callable[[], None] | None = None,
    ) -> bool:
        """Queue a message; it is sent when the link is up, or forgotten `expiry_s` after now.

        Of retained messages only the newest of each topic is kept. `on_done` is called on the loop once the broker
        has the message, where its QoS is 1. False where the queue is full.
        """
        message = Outgoing(
            topic=topic,
            payload=payload,
            qos=qos,
            is_retained=is_retained,
            expiry_s=expiry_s,
            queued_monotonic=time.monotonic(),
            reply=reply,
            on_done=on_done,
        )
        key: object = topic if is_retained else object()
        with self._lock:
            if key not in self._outgoing and len(self._outgoing) >= MAX_OUTGOING:
                self._n_refused += 1
                return False
            self._outgoing.pop(key, None)
            self._outgoing[key] = message
        self._wake()
        return True

    def say_online(self) -> None:
        """Say once more that this core is there, and what its clock shows; nothing while there is no connection."""
        if self._is_connected and not self._is_stopping.is_set():
            self._publish_host_state(is_online=True)

    def begin_epoch(self, epoch: int) -> None:
        """Say that what this core's clock showed before counts no more: it was set back."""
        self._epoch = epoch
        self.say_online()

    def acknowledge(self, messages: Iterable[Inbound]) -> None:
        """Tell the broker that these are stored; call it after the commit."""
        self._acks.extend((message.connection, message.mid) for message in messages if message.mid is not None)
        self._wake()

    def give_way(self, is_needed: bool) -> None:
        """Leave what stands on the broker there while somebody waits for an answer, and for `GIVE_WAY_S` at most.

        What is live is never held up by it.
        """
        if is_needed:
            self._is_way_free.clear()
        else:
            self._is_way_free.set()

    @property
    def refused_filters(self) -> tuple[str, ...]:
        """Of `more_filters`, those that the broker does not let us read."""
        return self._refused_filters

    def report(self) -> LinkReport:
        """Return how the link is."""
        return replace(
            self._report,
            n_received=self._n_received,
            n_published=self._n_published,
            n_overflow=self._inbox.n_overflow + self._n_refused,
        )

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        n_tries = n_short = 0
        lost_at = time.monotonic()
        while not self._is_stopping.is_set():
            began_at = time.monotonic()
            try:
                ended = self._serve()
            except Exception:
                # Supervisor: whatever a packet did to paho or to us, the room keeps its link.
                log.exception("the MQTT link stumbled and reconnects")
                ended = _Ended(LinkState.DOWN, "The link stumbled over a message; the log says where.")
            was_connected, self._is_connected = self._is_connected, False
            self._requeue_unacked()
            if self._is_stopping.is_set():
                break
            now = time.monotonic()
            if was_connected and now - began_at >= STABLE_AFTER_S:
                n_tries, n_short, lost_at = 0, 0, now
                self._has_rival = False
            elif was_connected and ended.state is LinkState.DOWN and now - began_at < FIGHT_WITHIN_S:
                n_short += 1
                if n_short >= FIGHT_AFTER and self._has_rival:
                    n_short, self._has_rival = 0, False
                    ended = self._taken_over()
            else:
                # A broker that is gone for a moment refuses a try in between; one that throws us out does not.
                n_short = 0
            self._set_state(ended.state, ended.reason)
            delay_s = retry_delay_s(n_tries, now - lost_at)
            if ended.is_slow:
                delay_s = SLOW_RETRY_S * random.uniform(0.75, 1.25)
            self._is_stopping.wait(delay_s)
            n_tries += 1
        self._set_state(LinkState.DOWN, "Closed.")

    def _serve(self) -> _Ended:
        """Connect and serve one connection until it ends."""
        self._connection += 1
        self._ended = None
        self._socket_error = ""
        try:
            client = self._make_client()
            error = self._connect(client)
        except UnavailableError as unread:
            return _Ended(LinkState.DOWN, f"The broker at {self._settings.address} is not asked. {unread.message}")
        except (OSError, ValueError) as problem:
            return self._explain(problem)
        if error != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return _Ended(LinkState.DOWN, f"The broker at {self._settings.address} closed the connection at once.")
        opened = client.socket()
        try:
            with selectors.DefaultSelector() as selector:
                return self._pump_until_end(client, selector)
        finally:
            # No DISCONNECT here: where we did not mean to leave, the last will has to speak.
            if opened is not None:
                with contextlib.suppress(OSError):
                    opened.close()

    def _pump_until_end(self, client: mqtt.Client, selector: selectors.BaseSelector) -> _Ended:
        sock = client.socket()
        if not isinstance(sock, BufferedSocket):
            return self._lost()
        selector.register(sock, selectors.EVENT_READ)
        selector.register(self._wake_reader, selectors.EVENT_READ)
        # Small packets in both directions: Nagle's algorithm would hold each up for 40 ms.
        sock.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began_at = time.monotonic()
        mask = selectors.EVENT_READ
        leave_at: float | None = None
        while True:
            if client.socket() is None:
                # Sending found it broken, and paho closed it.
                return self._ended or self._lost()
            if not self._flush(sock):
                return self._ended or self._lost()
            has_unsent = client.want_write() or sock.has_unsent
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if has_unsent else 0)
            if wanted != mask:
                selector.modify(sock, wanted)
                mask = wanted
            has_pending = sock.n_pending > 0
            ready = {key.fileobj: events for key, events in selector.select(0.0 if has_pending else TICK_S)}
            if self._wake_reader in ready:
                with contextlib.suppress(BlockingIOError):
                    self._wake_reader.recv(65_536)
            if (has_pending or ready.get(sock, 0) & selectors.EVENT_READ) and not self._gives_way():
                self._read(client)
            if client.socket() is not None and ready.get(sock, 0) & selectors.EVENT_WRITE:
                client.loop_write()
            if client.socket() is None or self._ended is not None:
                return self._ended or self._lost()
            client.loop_misc()
            now = time.monotonic()
            if self._is_connected:
                self._send(client)
                self._ping(client, now)
            elif now - began_at > (CONNACK_TIMEOUT_S if self._is_protocol_sure else FIRST_CONNACK_TIMEOUT_S):
                return self._no_answer()
            if self._is_connected and now - self._heard_at > HALF_OPEN_S:
                return self._unanswered()
            if self._is_stopping.is_set():
                if not self._is_connected:
                    return _Ended(LinkState.DOWN, "Closed.")
                if leave_at is None:
                    leave_at = now + FLUSH_S
                    self._publish_host_state(is_online=False)
                    continue
                if now >= leave_at or not (self._outgoing or self._unacked or client.want_write()):
                    client.disconnect()
                    return _Ended(LinkState.DOWN, "Closed.")

    def _gives_way(self) -> bool:
        """Wait a moment where a console waits; True where it still does, and what comes next can wait longer."""
        if self._is_way_free.is_set():
            self._gives_way_until_s = None
            return False
        now = time.monotonic()
        if self._gives_way_until_s is None:
            if now - self._retained_s >= CATCHING_UP_S:
                return False
            self._gives_way_until_s = now + GIVE_WAY_S
        if now >= self._gives_way_until_s or self._is_stopping.is_set():
            return False
        return not self._is_way_free.wait(GIVE_WAY_STEP_S)

    def _flush(self, sock: BufferedSocket) -> bool:
        """Send what waits; False where the connection is broken."""
        try:
            sock.flush()
        except OSError as error:
            self._socket_error = str(error)
            return False
        return True

    def _read(self, client: mqtt.Client) -> None:
        """Read packets while there are messages, without starving what goes out; wake the loop once for all."""
        try:
            for _ in range(64):
                n_before = self._n_received
                if client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or self._n_received == n_before:
                    return
        finally:
            if self._has_news:
                self._has_news = False
                self._call_on_loop(self._drain)

    def _send(self, client: mqtt.Client) -> None:
        while self._acks:
            connection, mid = self._acks.popleft()
            if connection == self._connection:
                client.ack(mid, 1)
        now = time.monotonic()
        while len(self._unacked) < MAX_IN_FLIGHT:
            with self._lock:
                if not self._outgoing:
                    return
                key = next(iter(self._outgoing))
                message = self._outgoing.pop(key)
            left_s = None
            if message.expiry_s is not None:
                left_s = message.expiry_s - (now - message.queued_monotonic)
                if left_s <= 0:
                    continue
            properties = self._publish_properties(message.topic, left_s, message.reply)
            info = client.publish(message.topic, message.payload, message.qos, message.is_retained, properties)
            self._n_published += 1
            if message.qos > 0:
                self._unacked[info.mid] = message

    def _ping(self, client: mqtt.Client, now: float) -> None:
        if now - self._pinged_at >= PING_EVERY_S:
            self._pinged_at = now
            client.publish(
                self._ping_topic,
                f"{self._connection} {now:.6f}".encode(),
                0,
                False,
                self._publish_properties(self._ping_topic, 5.0),
            )
        if now - self._heard_at > PING_STALE_S and self._report.state is LinkState.CONNECTED:
            self._set_state(
                LinkState.STALE,
                f"The broker at {self._settings.address} holds the connection, but our own ping does not come back.",
            )

    def _requeue_unacked(self) -> None:
        """What the broker did not confirm goes out first on the next connection."""
        with self._lock:
            waiting = self._outgoing
            self._outgoing = {}
            for message in self._unacked.values():
                if not (message.is_retained and message.topic in waiting):
                    self._outgoing[message.topic if message.is_retained else object()] = message
            self._outgoing.update(waiting)
        self._unacked.clear()
        self._acks.clear()

    # -- connecting -----------------------------------------------------------------------------------------------

    def _make_client(self) -> mqtt.Client:
        settings = self._settings
        is_5 = self._protocol == mqtt.MQTTv5
        will_properties = Properties(PacketTypes.WILLMESSAGE) if is_5 else None  # type: ignore[no-untyped-call]
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=None if is_5 else False,
            protocol=self._protocol,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(MAX_IN_FLIGHT)
        if settings.username:
            client.username_pw_set(settings.username, self._read_password() or None)
        if settings.is_tls:
            client.tls_set_context(self._tls_context())
        client.will_set(self._host_topic, self._host_payload(is_online=False), 1, True, will_properties)
        client.on_connect = self._guarded(self._on_connect)
        client.on_disconnect = self._guarded(self._on_disconnect)
        client.on_subscribe = self._guarded(self._on_subscribe)
        client.on_publish = self._guarded(self._on_publish)
        client.on_message = self._guarded(self._on_packet)
        client.on_log = self._guarded(self._on_log)
        return client

    def _connect(self, client: mqtt.Client) -> MQTTErrorCode:
        settings = self._settings
        if self._protocol != mqtt.MQTTv5:
            return client.connect(settings.host, settings.port, settings.keepalive_s)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.MaximumPacketSize = MAX_PACKET_BYTES
        return client.connect(
            settings.host, settings.port, settings.keepalive_s, clean_start=False, properties=properties
        )

    def _tls_context(self) -> ssl.SSLContext:
        settings = self._settings
        for file in (settings.ca_file, settings.cert_file, settings.key_file):
            if file is not None and not file.is_file():
                raise FileNotFoundError(f"the certificate file {file} is missing")
        context = ssl.create_default_context(cafile=settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
        return context

    def _publish_properties(
        self, topic: str, expiry_s: float | None, reply: ReplyTo | None = None
    ) -> Properties | None:
        if self._protocol != mqtt.MQTTv5:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if topic.startswith(OURS):
            # What adapters send may be anything.
            properties.PayloadFormatIndicator = 1
            properties.ContentType = "application/json"
        if expiry_s is not None:
            properties.MessageExpiryInterval = max(1, round(expiry_s))
        if reply is not None:
            properties.ResponseTopic = reply.topic
            properties.CorrelationData = reply.correlation
        return properties

    def _host_payload(self, *, is_online: bool) -> bytes:
        timestamp = int(self._clock.now().timestamp() * 1000)
        payload = write(HostState(online=is_online, timestamp=timestamp, epoch=self._epoch))
        self._own_states.append(payload)
        return payload

    def _publish_host_state(self, *, is_online: bool) -> None:
        self.publish(self._host_topic, self._host_payload(is_online=is_online), qos=1, is_retained=True)

    # -- paho's callbacks, all on the link's thread ---------------------------------------------------------------

    def _guarded(self, callback: Callable[..., None]) -> Callable[..., None]:
        """An exception that leaves a callback would end the connection in the middle of a packet."""

        def call(*args: Any) -> None:
            try:
                callback(*args)
            except Exception:
                log.exception("a callback of the MQTT link failed")

        return call

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        if code.is_failure:
            self._ended = self._refusal(code)
            return
        self._is_protocol_sure = True
        if self._protocol == mqtt.MQTTv5:
            client.subscribe([(name, SubscribeOptions(qos=qos)) for name, qos in self._wanted])
        else:
            client.subscribe(list(self._wanted))

    def _on_subscribe(
        self, client: mqtt.Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        denied = [wanted for wanted, code in zip(self._wanted, codes, strict=False) if code.is_failure]
        self._refused_filters = tuple(name for name, qos in denied if (name, qos) in self._wishes)
        refused = [name for name, qos in denied if (name, qos) in self._filters]
        if refused:
            self._ended = _Ended(
                LinkState.REFUSED,
                f"The broker at {self._settings.address} does not let {self._who()} read {refused[0]}: "
                "its access list has to allow it.",
                is_slow=True,
            )
            return
        self._is_connected = True
        # From here on nobody asks why connecting failed; writing every packet down costs as much as reading it.
        client.on_log = None
        self._heard_at = time.monotonic()
        self._pinged_at = 0.0
        self._n_connected += 1
        self._publish_host_state(is_online=True)
        with self._lock:
            self._report = replace(
                self._report,
                protocol=PROTOCOL_NAMES[self._protocol],
                n_reconnects=self._n_connected - 1,
                certificate_ends_at=self._certificate_end(client),
            )
        self._set_state(LinkState.CONNECTED, "")

    def _certificate_end(self, client: mqtt.Client) -> datetime | None:
        """Return when the first of both certificates ends; one that cannot be read is no reason to stay away."""
        opened = client.socket()
        sock = opened.raw if isinstance(opened, BufferedSocket) else opened
        if not isinstance(sock, ssl.SSLSocket):
            return None
        ends = []
        with contextlib.suppress(ValueError, OSError):
            der = sock.getpeercert(binary_form=True)
            if der is not None:
                ends.append(ends_at(ssl.DER_cert_to_PEM_cert(der).encode()))
        with contextlib.suppress(ValueError, OSError):
            if self._settings.cert_file is not None:
                ends.append(ends_at(self._settings.cert_file.read_bytes()))
        return min(ends, default=None)

    def _on_disconnect(
        self, _client: object, _data: object, flags: mqtt.DisconnectFlags, code: ReasonCode, _properties: object
    ) -> None:
        if not flags.is_disconnect_packet_from_server or self._ended is not None:
            return
        if code.getName() == "Session taken over":
            self._ended = self._taken_over()
            return
        self._ended = _Ended(
            LinkState.DOWN, f"The broker at {self._settings.address} ended the connection: {code.getName().lower()}."
        )

    def _on_publish(self, _client: object, _data: object, mid: int, code: ReasonCode, _properties: object) -> None:
        message = self._unacked.pop(mid, None)
        if message is not None and code.is_failure and code.getName() != "No matching subscribers":
            self._n_refused += 1
            log.warning("the broker refused a message on %s: %s", message.topic, code.getName())
        elif message is not None and message.on_done is not None:
            self._call_on_loop(message.on_done)

    def _on_packet(self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self._n_received += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\ufffd"
        if topic == self._ping_topic:
            self._on_pong(bytes(message.payload))
            return
        if topic == self._host_topic:
            self._on_own_state(bytes(message.payload))
            return
        if message.retain:
            self._heard_at = self._retained_s = time.monotonic()
        else:
            self._retained_s = float("-inf")
        has_to_be_stored = message.qos == 1 and topic.startswith(OURS) and topic.endswith("/evt")
        if message.qos > 0 and not has_to_be_stored:
            client.ack(message.mid, message.qos)
        was_empty = self._inbox.put(
            Inbound(
                topic=topic,
                payload=bytes(message.payload),
                qos=message.qos,
                is_retained=bool(message.retain),
                received_at=self._clock.now(),
                mid=message.mid if has_to_be_stored else None,
                connection=self._connection,
            )
        )
        self._has_news |= was_empty

    def _on_own_state(self, payload: bytes) -> None:
        """What stands there before our first word was left by an earlier run; what is not ours after it, by a rival."""
        if payload in self._own_states:
            self._is_state_ours = True
        elif self._is_state_ours:
            self._has_rival = True

    def _on_pong(self, payload: bytes) -> None:
        connection, _, sent = payload.decode("ascii", "replace").partition(" ")
        if connection != str(self._connection):
            return
        now = self._heard_at = time.monotonic()
        round_trip_ms = max(0.0, (now - float(sent)) * 1000.0)
        with self._lock:
            self._report = replace(self._report, round_trip_ms=round_trip_ms)
        if self._report.state is LinkState.STALE:
            self._set_state(LinkState.CONNECTED, "")

    def _on_log(self, _client: object, _data: object, level: int, text: str) -> None:
        if level == mqtt.MQTT_LOG_ERR:
            self._socket_error = text

    # -- sentences ------------------------------------------------------------------------------------------------

    def _who(self) -> str:
        return f"the user {self._settings.username!r}" if self._settings.username else "anonymous clients"

    def _refusal(self, code: ReasonCode) -> _Ended:
        address, name = self._settings.address, code.getName()
        if name in ("Bad user name or password", "Not authorized", "Bad authentication method"):
            reason = (
                f"The broker at {address} refuses the user {self._settings.username!r}: user name or password is wrong."
                if self._settings.username
                else f"The broker at {address} wants a user name and a password, and the settings name none."
            )
            return _Ended(LinkState.REFUSED, reason, is_slow=True)
        if name == "Unsupported protocol version":
            return self._other_protocol(f"The broker at {address} does not speak {PROTOCOL_NAMES[self._protocol]}.")
        is_busy = name in ("Server unavailable", "Server busy")
        return _Ended(
            LinkState.DOWN if is_busy else LinkState.REFUSED,
            f"The broker at {address} refuses the connection: {name.lower()}.",
            is_slow=not is_busy,
        )

    def _taken_over(self) -> _Ended:
        """Some brokers say so, others just close the old connection, again and again."""
        return _Ended(
            LinkState.REFUSED,
            f"Another program seems to be signed in to the broker at {self._settings.address} as "
            f"{self._settings.client_id!r}: two cores of one name must not run.",
            is_slow=True,
        )

    def _no_answer(self) -> _Ended:
        return self._other_protocol(f"The broker at {self._settings.address} took the connection but does not answer.")

    def _unanswered(self) -> _Ended:
        return _Ended(LinkState.DOWN, f"The broker at {self._settings.address} stopped answering.")

    def _lost(self) -> _Ended:
        address = self._settings.address
        if self._is_connected and time.monotonic() - self._heard_at > PING_STALE_S:
            # paho heard nothing for twice the keepalive, and hung up.
            return self._unanswered()
        if self._is_connected:
            return _Ended(LinkState.DOWN, f"The connection to the broker at {address} broke.")
        if self._settings.is_tls and any(word in self._socket_error.lower() for word in ("alert", "certificate")):
            return _Ended(
                LinkState.REFUSED,
                f"The broker at {address} refuses our TLS: it wants a client certificate that it trusts.",
                is_slow=True,
            )
        if self._settings.is_tls:
            return _Ended(LinkState.DOWN, f"The broker at {address} closed the connection before it let us in.")
        return self._other_protocol(
            f"The broker at {address} closed the connection before it let us in; perhaps it speaks TLS on this port."
        )

    def _other_protocol(self, reason: str) -> _Ended:
        """Silence is how some brokers answer to MQTT 5: try the other version, until one of them has worked."""
        if self._is_protocol_sure:
            return _Ended(LinkState.DOWN, reason)
        self._protocol = mqtt.MQTTv311 if self._protocol == mqtt.MQTTv5 else mqtt.MQTTv5
        return _Ended(LinkState.CONNECTING, f"{reason} Trying {PROTOCOL_NAMES[self._protocol]}.")

    def _explain(self, error: OSError | ValueError) -> _Ended:
        address = self._settings.address
        match error:
            case ssl.SSLCertVerificationError():
                reason = f"The certificate of the broker at {address} is not to be trusted: {error.verify_message}."
                return _Ended(LinkState.REFUSED, reason, is_slow=True)
            case ssl.SSLEOFError() | ConnectionResetError() | BrokenPipeError():
                reason = f"The broker at {address} broke off the connection"
                hint = "; perhaps it does not speak TLS on this port." if self._settings.is_tls else "."
                return _Ended(LinkState.DOWN, reason + hint)
            case ssl.SSLError():
                what = (error.reason or str(error)).lower().replace("_", " ")
                reason = f"TLS with the broker at {address} failed: {what}."
                return _Ended(LinkState.REFUSED, reason, is_slow=True)
            case FileNotFoundError():
                return _Ended(LinkState.REFUSED, f"The broker cannot be reached: {error}.", is_slow=True)
            case socket.gaierror():
                return _Ended(LinkState.DOWN, f"Nobody knows the broker's name {self._settings.host!r}.")
            case ConnectionRefusedError():
                return _Ended(LinkState.DOWN, f"Nothing listens at the broker's address {address}.")
            case TimeoutError():
                return _Ended(LinkState.DOWN, f"The broker at {address} cannot be reached: no answer.")
            case _:
                return _Ended(LinkState.DOWN, f"The broker at {address} cannot be reached: {error}.")

    # -- to the loop ----------------------------------------------------------------------------------------------

    def _set_state(self, state: LinkState, reason: str) -> None:
        with self._lock:
            before = self._report
            if before.state is state and before.reason == reason:
                return
            since: datetime | None = before.since if before.state is state else self._clock.now()
            self._report = replace(before, state=state, reason=reason, since=since)
            if state is not LinkState.CONNECTED:
                self._report = replace(self._report, round_trip_ms=None)
        if before.state is not state:
            is_expected = state in (LinkState.CONNECTED, LinkState.CONNECTING) or self._is_stopping.is_set()
            level = logging.INFO if is_expected else logging.WARNING
            log.log(level, "broker link %s: %s", state.value, reason or self._settings.address)
        self._call_on_loop(self._tell_state)

    def _tell_state(self) -> None:
        self._on_state(self.report())

    def _drain(self) -> None:
        until = time.monotonic() + TURN_S
        while batch := self._inbox.take(BATCH):
            self._on_message(batch)
            if time.monotonic() >= until:
                break
        if len(self._inbox) > 0:
            # The rest waits for its turn, so that a flood does not hold up the loop.
            self._loop.call_soon(self._drain)

    def _call_on_loop(self, callback: Callable[[], None]) -> None:
        # The loop may have closed while we were on our way.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)

    def _wake(self) -> None:
        # A full pipe means that the thread has been woken already.
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_writer.send(b"\0")
