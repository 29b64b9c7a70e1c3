"""A field device: its line to the broker, its birth, states, events, commands and twin.

Give it streams, measurements and commands by overriding the methods of the first section. Everything it does happens in
`turn`, `on_readable` and `on_writable`, which `core.field.client.runner` calls; nothing here blocks for longer than a
connection takes to be refused.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import random
import socket
import sqlite3
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from core.field.client.host_clock import HostClock
from core.field.client.memory import CommandMemory, Facts, open_memory
from core.field.client.outbox import EventOutbox, Worth
from core.field.kinds.base import DeviceKind
from core.field.payloads import (
    Birth,
    Command,
    CommandInfo,
    CommandResult,
    Envelope,
    EvtAck,
    HostState,
    Location,
    PayloadError,
    Status,
    StreamInfo,
    TwinMeta,
    TwinState,
    read,
    write,
)
from core.field.retry import retry_delay_s
from core.field.settings import BrokerSettings
from core.field.topics import (
    OWN_GROUPS,
    ROOT,
    VERSION,
    Channel,
    DeviceTopic,
    HostChannel,
    HostTopic,
    TopicError,
    build,
    parse,
)
from core.kernel.clock import Clock, SystemClock
from core.kernel.errors import ConsoleError
from core.kernel.ids import new_id

log = logging.getLogger(__name__)

KEEPALIVE_S = 10
WILL_DELAY_S = 10
SESSION_EXPIRY_S = 60
CONNECT_TIMEOUT_S = 2.0
CONNACK_TIMEOUT_S = 4.0
STABLE_AFTER_S = 10.0
HOST_SPEAKS_WITHIN_S = 0.5
REBIRTH_WITHIN_S = 10.0
RESULT_EXPIRY_S = 60
TELE_EXPIRY_S = 10
REFUSED_RETRY_S = 30.0
TELL_DROPPED_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """Who a device is.

    Attributes:
        group, device: Parts of its topics, each of [a-z0-9-]{1,32}.
    """

    group: str
    device: str
    name: str
    model: str = ""
    firmware: str = ""
    location: Location | None = None


@dataclass(slots=True)
class Dialect:
    """Which version of MQTT the broker answers to; devices at one broker share what one of them finds out."""

    protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5
    is_sure: bool = False

    def try_other(self, failed: MQTTProtocolVersion) -> None:
        """Note that the broker does not answer to a version; of many devices that find out, the first one counts."""
        if self.is_sure or failed != self.protocol:
            return
        is_five = failed == MQTTProtocolVersion.MQTTv5
        self.protocol = MQTTProtocolVersion.MQTTv311 if is_five else MQTTProtocolVersion.MQTTv5


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How devices reach their broker."""

    broker: BrokerSettings
    password: str = ""
    tls: ssl.SSLContext | None = None


def access_to(broker: BrokerSettings, *, password: str = "") -> Access:
    """Read the certificates that `broker` names.

    Raises:
        OSError, ssl.SSLError: A certificate cannot be read.
    """
    if not broker.is_tls:
        return Access(broker=broker, password=password)
    context = ssl.create_default_context(cafile=broker.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if broker.cert_file is not None:
        context.load_cert_chain(broker.cert_file, broker.key_file)
    return Access(broker=broker, password=password, tls=context)


class FieldDevice:
    """One device.

    Threads: the runner's only.
    """

    def __init__(
        self,
        info: DeviceInfo,
        access: Access,
        *,
        memory_file: Path | None = None,
        clock: Clock | None = None,
        dialect: Dialect | None = None,
        rebirth_within_s: float = REBIRTH_WITHIN_S,
    ) -> None:
        """Prepare; `power_on` begins.

        Args:
            info: Who it is.
            access: How it reaches the broker.
            memory_file: Outbox, commands and twin over restarts; None keeps them in memory only.
            clock: Of what it measures; the network goes by the system's.
            dialect: Shared by devices at one broker.
            rebirth_within_s: Asked to describe itself again, it waits for a random part of this.
        """
        self.info = info
        self.clock = clock or SystemClock()
        self.n_published = 0
        self.n_connects = 0
        self.is_connected = False
        self.problem = ""
        """Why there is no connection; empty where there is one, or none was tried."""

        self._access = access
        self._memory_file = memory_file
        self._dialect = dialect or Dialect()
        self._rebirth_within_s = rebirth_within_s
        self._random = random.Random()
        self._boot = new_id()
        self._numbers = itertools.count(1)
        self._client: mqtt.Client | None = None
        self._connecting_since_s = self._connected_since_s = self._connect_at_s = 0.0
        self._lost_at_s = 0.0
        self._n_tries = 0
        self._is_plugged = True
        self._is_refused = False
        self._hosts: dict[str, bool] = {}
        self._host_clock = HostClock()
        self._rebirth_at_s: float | None = None
        self._tell_dropped_at_s = 0.0
        self._db: sqlite3.Connection | None = None
        self._outbox: EventOutbox | None = None
        self._commands: CommandMemory | None = None
        self._answers: dict[int, CommandResult] = {}
        """Results on their way to the broker, by the numbers of their packets."""

        self._obeying = ""
        """Id of the command that is being obeyed: how it ended is told in a moment."""

        self._facts: Facts | None = None
        self._desired = TwinState(version=0)

    # -- what kinds of devices differ in --------------------------------------------------------------------------

    def streams(self) -> tuple[StreamInfo, ...]:
        """Describe the streams for the birth."""
        return ()

    def commands(self) -> tuple[CommandInfo, ...]:
        """Describe the commands for the birth."""
        return ()

    def measure(self) -> None:
        """Say what is due; called many times a second while there is power, with or without a line."""

    def tell_state(self) -> None:
        """Say the last value of every stream again: somebody new listens."""

    def listens_to(self) -> tuple[str, ...]:
        """Return topics of the site's own groups whose states this device wants to hear."""
        return ()

    def hear(self, topic: DeviceTopic, envelope: Envelope) -> None:
        """Take a state of the site's own, as asked for in `listens_to`."""

    def obey(self, command: Command) -> CommandResult:
        """Do what is asked, or begin it and return "running": then `finish` ends it. Called once for each command."""
        return CommandResult(id=command.id, status="rejected", code=404, text=f"unknown command {command.name[:64]}")

    def obeyed(self, command: Command, result: CommandResult) -> None:
        """The answer to a command is on its way."""

    def configure(self, desired: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Take over settings, as far as they can be, and return those in force."""
        return {}

    @property
    def is_silent(self) -> bool:
        """It has a line and says nothing."""
        return False

    # -- the line, as the runner sees it --------------------------------------------------------------------------

    @property
    def device_id(self) -> str:
        """Group and device, with a slash between them."""
        return f"{self.info.group}/{self.info.device}"

    @property
    def boot(self) -> str:
        """The id of this start."""
        return self._boot

    @property
    def n_waiting(self) -> int:
        """Messages in the outbox that the core has not acknowledged."""
        return 0 if self._outbox is None else len(self._outbox)

    @property
    def last_seq(self) -> int:
        """The highest number an event of this device ever got."""
        return 0 if self._outbox is None else self._outbox.last_seq

    @property
    def is_host_away(self) -> bool:
        """Every core that ever said something has gone."""
        return bool(self._hosts) and not any(self._hosts.values())

    @property
    def socket(self) -> Any:
        """The connection's socket; None without one."""
        return self._client.socket() if self._client is not None else None

    @property
    def wants_to_write(self) -> bool:
        """Something waits to be sent."""
        return self._client is not None and self._client.want_write()

    @property
    def has_unread(self) -> bool:
        """TLS holds bytes that the socket no longer announces."""
        sock = self.socket
        return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0

    @property
    def is_open(self) -> bool:
        """There is a connection, accepted or not."""
        return self._client is not None

    def power_on(self, *, connect_at_s: float) -> None:
        """Begin a new start and connect from `connect_at_s` (monotonic) on.

        Raises:
            sqlite3.Error, OSError: The memory file cannot be used.
        """
        self._db = open_memory(self._memory_file)
        self._outbox = EventOutbox(self._db)
        self._commands = CommandMemory(self._db)
        self._facts = Facts(self._db)
        self._desired = TwinState(version=self._facts.get("desired_version", 0), state=self._facts.get("desired", {}))
        self._boot = new_id()
        self._connect_at_s = self._lost_at_s = connect_at_s
        if self._desired.version:
            self.configure(self._desired.state)

    def turn(self) -> None:
        """Connect, keep alive, measure, send events: whatever is due."""
        now_s = time.monotonic()
        if not self.is_silent:
            self.measure()
        if self._client is None:
            if self._is_plugged and now_s >= self._connect_at_s:
                self._connect(now_s)
            return
        if self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS or self._client.socket() is None:
            self._lose_line(now_s)
            return
        if not self.is_connected:
            if now_s - self._connecting_since_s > CONNACK_TIMEOUT_S:
                self._lose_line(now_s)
            return
        if self._rebirth_at_s is not None and now_s >= self._rebirth_at_s:
            self.introduce()
        if not self.is_silent:
            self._tell_dropped(now_s)
            self._send_events(now_s)

    def on_readable(self) -> None:
        """Take in what the broker sent."""
        if self._client is None:
            return
        is_read = False
        try:
            is_read = self._client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS
        finally:
            if not is_read:
                # Also where it raised: paho would take up the same packet for ever.
                self._lose_line(time.monotonic())

    def on_writable(self) -> None:
        """Send what waits."""
        if self._client is not None and self._client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lose_line(time.monotonic())

    def unplug(self) -> None:
        """Cut the line without a goodbye, until `plug`."""
        self._is_plugged = False
        self._drop_line()

    def plug(self) -> None:
        """Connect again."""
        self._is_plugged = True
        self._connect_at_s = self._lost_at_s = time.monotonic()

    def restart(self) -> None:
        """Boot again: another boot id, states numbered from one; outbox, commands and twin are remembered."""
        self._drop_line()
        self._boot = new_id()
        self._numbers = itertools.count(1)
        self._connect_at_s = time.monotonic()

    def say_goodbye(self) -> None:
        """Publish `offline`; `hang_up_when_flushed` follows."""
        if self._client is None:
            return
        if not self.is_connected:
            self._drop_line()
            return
        self.publish(Channel.STATUS, write(self._status("offline")), is_retained=True)

    def hang_up_when_flushed(self) -> None:
        """Disconnect once everything is on its way."""
        if self._client is not None and not self._client.want_write():
            self._client.disconnect()
            self._client.loop_write()
            self._drop_line()

    def power_off(self) -> None:
        """End without a word."""
        self._drop_line()
        if self._db is not None:
            self._db.close()
        self._db = self._outbox = self._commands = self._facts = None

    # -- speaking -------------------------------------------------------------------------------------------------

    def topic(self, channel: Channel, stream: str = "") -> str:
        """Return a topic of this device."""
        return build(
            DeviceTopic(
                tenant=self._access.broker.tenant,
                group=self.info.group,
                device=self.info.device,
                channel=channel,
                stream=stream,
            )
        )

    def publish(
        self,
        channel: Channel,
        payload: bytes,
        *,
        stream: str = "",
        is_retained: bool = False,
        expiry_s: int = 0,
    ) -> None:
        """Send with QoS 1 (tele and log with 0); lost where there is no line."""
        self._send(channel, payload, stream=stream, is_retained=is_retained, expiry_s=expiry_s)

    def _send(
        self,
        channel: Channel,
        payload: bytes,
        *,
        stream: str = "",
        is_retained: bool = False,
        expiry_s: int = 0,
        correlation: bytes = b"",
    ) -> int | None:
        """Publish; returns the number of the packet, None where there is no line."""
        if self._client is None or not self.is_connected:
            return None
        qos = 0 if channel in (Channel.TELE, Channel.LOG) else 1
        properties = None
        if self._client.protocol == MQTTProtocolVersion.MQTTv5:
            properties = _properties(PacketTypes.PUBLISH)
            properties.ContentType = "application/json"
            properties.PayloadFormatIndicator = 1
            if expiry_s:
                properties.MessageExpiryInterval = expiry_s
            if correlation:
                properties.CorrelationData = correlation
        sent = self._client.publish(
            self.topic(channel, stream), payload, qos, retain=is_retained, properties=properties
        )
        self.n_published += 1
        return sent.mid

    def tell(self, stream: str, payload_type: str, data: Mapping[str, Any]) -> None:
        """Publish the newest value of a stream; where nobody listens it is kept for later as well."""
        if not self.is_connected or self.is_host_away:
            self._keep(payload_type, data, Worth.MEASUREMENT, stream=stream)
        if self.is_connected:
            self.repeat(stream, payload_type, data)

    def repeat(self, stream: str, payload_type: str, data: Mapping[str, Any]) -> None:
        """Publish the newest value of a stream, or say it once more."""
        envelope = self._envelope(payload_type, data, seq=next(self._numbers))
        self.publish(Channel.STATE, write(envelope), stream=stream, is_retained=True)

    def stream_on(self, stream: str, payload_type: str, data: Mapping[str, Any]) -> None:
        """Publish one of very many values: the latest wins, and any may be lost."""
        envelope = self._envelope(payload_type, data, seq=next(self._numbers))
        self.publish(Channel.TELE, write(envelope), stream=stream, expiry_s=TELE_EXPIRY_S)

    def report(self, payload_type: str, data: Mapping[str, Any]) -> int:
        """Put an event into the outbox, where it stays until the core has stored it; returns its number."""
        return self._keep(payload_type, data, Worth.EVENT)

    def finish(self, result: CommandResult) -> None:
        """Say how a command ended that `obey` only began."""
        assert self._commands is not None
        self._commands.keep(result)
        self._answer(result)

    def tell_settings(self, state: Mapping[str, Any]) -> None:
        """Report the settings in force."""
        assert self._facts is not None
        version = int(self._facts.get("reported_version", 0)) + 1
        self._facts.set("reported_version", version)
        now = self.clock.now()
        said = TwinState(
            version=version,
            state=dict(state),
            meta={key: TwinMeta(ts=now, by=self.device_id) for key in state},
            desired=self._desired.version,
        )
        self._facts.set("reported", said.model_dump(mode="json"))
        self.publish(Channel.TWIN_REPORTED, write(said), is_retained=True)

    def introduce(self) -> None:
        """Publish birth, status, settings, how commands stand that nobody was told of, and the last values."""
        self._rebirth_at_s = None
        info = self.info
        birth = Birth(
            name=info.name,
            model=info.model,
            fw=info.firmware,
            boot=self._boot,
            ts=self.clock.now(),
            location=info.location,
            streams=self.streams(),
            commands=self.commands(),
        )
        self.publish(Channel.BIRTH, write(birth), is_retained=True)
        self.publish(Channel.STATUS, write(self._status("online")), is_retained=True)
        self._repeat_settings()
        if not self.is_silent:
            on_their_way = {result.id for result in self._answers.values()} | {self._obeying}
            for result in self._commands.untold() if self._commands is not None else ():
                if result.id not in on_their_way:
                    self._answer(result)
            self.tell_state()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _keep(self, payload_type: str, data: Mapping[str, Any], worth: Worth, *, stream: str = "") -> int:
        assert self._outbox is not None
        # Written down with the time at which it happened, and sent as it was written down.
        is_late = worth is Worth.MEASUREMENT
        return self._outbox.add(
            lambda seq: write(self._envelope(payload_type, data, seq=seq, stream=stream, is_late=is_late)), worth
        )

    def _envelope(
        self, payload_type: str, data: Mapping[str, Any], *, seq: int, stream: str = "", is_late: bool = False
    ) -> Envelope:
        return Envelope(
            id=new_id(),
            type=payload_type,
            ts=self.clock.now(),
            boot=self._boot,
            seq=seq,
            hist=is_late,
            stream=stream,
            data=dict(data),
        )

    def _status(self, state: Literal["online", "offline", "lost"]) -> Status:
        return Status(state=state, boot=self._boot, ts=self.clock.now())

    def _repeat_settings(self) -> None:
        assert self._facts is not None
        reported = self._facts.get("reported", None)
        if reported is None:
            in_force = self.configure({})
            if in_force:
                self.tell_settings(in_force)
            return
        self.publish(Channel.TWIN_REPORTED, write(TwinState.model_validate(reported)), is_retained=True)

    def _connect(self, now_s: float) -> None:
        broker, protocol = self._access.broker, self._dialect.protocol
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{broker.tenant}-{self.info.group}-{self.info.device}",
            protocol=protocol,
            clean_session=True if protocol != MQTTProtocolVersion.MQTTv5 else None,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_queued_messages_set(2000)
        client.max_inflight_messages_set(100)
        if broker.username:
            client.username_pw_set(broker.username, self._access.password or None)
        if self._access.tls is not None:
            client.tls_set_context(self._access.tls)
        client.on_socket_open = send_at_once
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_publish = self._on_published
        connect, will = None, None
        if protocol == MQTTProtocolVersion.MQTTv5:
            connect, will = _properties(PacketTypes.CONNECT), _properties(PacketTypes.WILLMESSAGE)
            # The will waits as long as the session lives: without one it would come at once.
            connect.SessionExpiryInterval = SESSION_EXPIRY_S
            will.WillDelayInterval = WILL_DELAY_S
        client.will_set(self.topic(Channel.STATUS), write(self._status("lost")), qos=1, retain=True, properties=will)
        self._client = client
        self._connecting_since_s = now_s
        self.n_connects += 1
        try:
            client.connect(broker.host, broker.port, KEEPALIVE_S, properties=connect)
        except (OSError, ValueError) as error:
            self.problem = f"The broker at {broker.address} cannot be reached: {error}."
            self._is_refused = isinstance(error, ssl.SSLError)
            self._client = None
            self._schedule_retry(time.monotonic())

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            name = reason.getName()
            self.problem = f"The broker at {self._access.broker.address} refuses it: {name.lower()}."
            if name != "Unsupported protocol version":
                # It answered: the version is not what it minds.
                self._dialect.is_sure = self._is_refused = True
            return
        self.is_connected = True
        self.problem = ""
        self._connected_since_s = time.monotonic()
        self._dialect.is_sure = True
        # What the hosts said before may be over.
        self._hosts.clear()
        host = f"{ROOT}/{VERSION}/{self._access.broker.tenant}/_host/+"
        client.subscribe(
            [
                (self.topic(Channel.CMD), 1),
                (self.topic(Channel.EVT_ACK), 1),
                (self.topic(Channel.TWIN_DESIRED), 1),
                (f"{host}/{HostChannel.STATE.value}", 1),
                (f"{host}/{HostChannel.REBIRTH.value}", 1),
                *((name, 1) for name in self.listens_to()),
            ]
        )
        if self._outbox is not None:
            self._outbox.forget_sent()
        self.introduce()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        # An exception here would end every device of the runner; what the payload holds was written by others.
        try:
            topic, payload = parse(message.topic), bytes(message.payload)
            match topic:
                case HostTopic(channel=HostChannel.REBIRTH):
                    self._rebirth_at_s = time.monotonic() + self._random.uniform(0, self._rebirth_within_s)
                case HostTopic(core=core) if payload:
                    self._on_host(core, read(payload, HostState))
                case DeviceTopic(group=group, channel=Channel.STATE) if payload and group in OWN_GROUPS:
                    self.hear(topic, read(payload, Envelope))
                case DeviceTopic(channel=Channel.EVT_ACK) if payload:
                    self._on_acknowledged(read(payload, EvtAck))
                case DeviceTopic(channel=Channel.CMD):
                    self._on_command(read(payload, Command))
                case DeviceTopic(channel=Channel.TWIN_DESIRED) if payload:
                    self._on_desired(read(payload, TwinState))
        except (TopicError, PayloadError) as error:
            log.debug("device %s cannot use a message on %s: %s", self.device_id, message.topic, error)
        except sqlite3.Error as error:
            # Whoever sent it sends it again, as long as it is wanted.
            log.warning("device %s leaves a message on %s: its memory fails: %s", self.device_id, message.topic, error)

    def _on_host(self, core: str, said: HostState) -> None:
        self._hosts[core] = said.online
        self._host_clock.note(core, said.epoch, said.timestamp, time.monotonic())

    def _on_acknowledged(self, said: EvtAck) -> None:
        self._host_clock.note(said.host, said.epoch, said.timestamp, time.monotonic())
        if self._outbox is not None:
            self._outbox.acknowledge(said.ack, said.boot)

    def _on_command(self, command: Command) -> None:
        if self.is_silent or self._commands is None:
            return
        known = self._commands.find(command.id)
        if known is not None:
            self._answer(known)
            return
        if self._is_too_late(command):
            result = CommandResult(id=command.id, status="expired", code=408, text="came too late")
        else:
            # Noted before it is done: a device that dies over it must not do it twice.
            self._commands.keep(CommandResult(id=command.id, status="accepted"))
            self._obeying = command.id
            result = self._obey(command)
            self._obeying = ""
        self._commands.keep(result)
        self._answer(result)
        self.obeyed(command, result)

    def _is_too_late(self, command: Command) -> bool:
        """Judge by the device's own clock and, where that is slow, by the core's: MQTT 3.1.1 lets commands wait."""
        is_past = self._host_clock.is_past(command.exp, time.monotonic())
        return is_past or command.exp <= self.clock.now().timestamp() * 1000

    def _obey(self, command: Command) -> CommandResult:
        try:
            return self.obey(command)
        except ConsoleError as error:
            return CommandResult(id=command.id, status="failed", code=500, text=str(error)[:200])

    def _answer(self, result: CommandResult) -> None:
        number = self._send(Channel.CMD_RES, write(result), expiry_s=RESULT_EXPIRY_S, correlation=result.id.encode())
        if number is not None:
            self._answers[number] = result

    def _on_published(self, _client: mqtt.Client, _data: Any, number: int, reason: Any, _properties: Any) -> None:
        result = self._answers.pop(number, None)
        # A broker that has it and nobody to give it to says so, or it was said that every core is away.
        if result is None or reason.value != 0 or self.is_host_away or self._commands is None:
            return
        with contextlib.suppress(sqlite3.Error):
            # Where that is not kept, it is said once more at the next connection.
            self._commands.note_told(result)

    def _on_desired(self, desired: TwinState) -> None:
        assert self._facts is not None
        if desired.version == self._desired.version and desired.state == self._desired.state:
            return
        # A lower version is another core's beginning: the retained message is the only truth there is.
        self._desired = desired
        self._facts.set("desired_version", desired.version)
        self._facts.set("desired", desired.state)
        self.tell_settings(self.configure(desired.state))

    def _tell_dropped(self, now_s: float) -> None:
        if self._outbox is None or self._facts is None or now_s < self._tell_dropped_at_s:
            return
        n_told = int(self._facts.get("n_dropped_told", 0)) if self._outbox.n_dropped else 0
        n_new = self._outbox.n_dropped - n_told
        if n_new > 0:
            self._tell_dropped_at_s = now_s + TELL_DROPPED_EVERY_S
            self._facts.set("n_dropped_told", self._outbox.n_dropped)
            self.report("OutboxOverflow", {"dropped": n_new})

    def _send_events(self, now_s: float) -> None:
        if self._outbox is None or self.is_host_away:
            return
        if not self._hosts and time.monotonic() - self._connected_since_s < HOST_SPEAKS_WITHIN_S:
            # What a host left on the broker comes right after the subscription: it may be away.
            return
        for _seq, body in self._outbox.take_due(now_s):
            self.publish(Channel.EVT, body)

    def _lose_line(self, now_s: float) -> None:
        if self._client is not None and not self.is_connected:
            self.problem = self.problem or f"The broker at {self._access.broker.address} does not let it in."
            self._dialect.try_other(self._client.protocol)
        if self.is_connected and now_s - self._connected_since_s >= STABLE_AFTER_S:
            self._n_tries, self._lost_at_s = 0, now_s
        self._drop_line()
        self._schedule_retry(now_s)

    def _schedule_retry(self, now_s: float) -> None:
        if self._is_refused:
            # What a person has to mend does not get better by asking often.
            self._is_refused = False
            self._connect_at_s = now_s + REFUSED_RETRY_S * self._random.uniform(0.75, 1.25)
            return
        self._connect_at_s = now_s + retry_delay_s(self._n_tries, now_s - self._lost_at_s, self._random.uniform)
        self._n_tries += 1

    def _drop_line(self) -> None:
        """Close the socket without a goodbye."""
        client, self._client = self._client, None
        self.is_connected = False
        self._answers.clear()
        if client is not None:
            sock = client.socket()
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.close()


def streams_of(kind: DeviceKind, *, period_s: float | None = None) -> tuple[StreamInfo, ...]:
    """Describe the streams that a kind declares; at a slower period a device may be silent for longer."""
    first = next(iter(kind.payloads), "")
    return tuple(
        StreamInfo(
            name=stream.key,
            type=stream.type or first,
            smart_data_model=stream.type or first,
            period=period_s,
            stale_s=min(86_400.0, max(stream.stale_s, 3 * (period_s or 0.0))),
        )
        for stream in kind.streams
    )


def send_at_once(_client: mqtt.Client, _data: Any, opened: Any) -> None:
    """Let small packets leave at once, as paho's `on_socket_open`: Nagle's algorithm would hold each up for 40 ms."""
    with contextlib.suppress(OSError):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _properties(kind: int) -> Properties:
    return Properties(kind)  # type: ignore[no-untyped-call]
