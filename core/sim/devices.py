"""The demo city's field devices over MQTT: twelve traffic stations and a parking lot, with the faults of real ones.

They speak the grammar of `core.field.topics` and `core.field.payloads`; one thread drives all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
import queue
import random
import select
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

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
    read,
    write,
)
from core.field.topics import ROOT, VERSION, Channel, DeviceTopic, HostChannel, HostTopic, TopicError, build, parse
from core.kernel.clock import Clock, SystemClock
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.kernel.ids import new_id
from core.sim.city import CityLot, DemoCity, TrafficStation
from core.sim.event_outbox import EventOutbox
from core.sim.flow import LotModel, Scenario, measure_flow

log = logging.getLogger(__name__)

KEEPALIVE_S = 15
WILL_DELAY_S = 10
SESSION_EXPIRY_S = 60
CONNACK_TIMEOUT_S = 4.0
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 15.0
TURN_S = 0.05
STOP_TIMEOUT_S = 3.0
REBIRTH_WITHIN_S = 10.0
LOT_HEARTBEAT_S = 15.0
N_COMMANDS_KEPT = 256
RESULT_EXPIRY_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Broker:
    """How the devices reach the broker."""

    host: str
    port: int
    tenant: str
    username: str
    password: str
    tls: ssl.SSLContext | None


class DeviceFleet:
    """All devices of the city.

    Threads: `start` and `stop` on the owner's loop; everything else from any thread.
    """

    def __init__(
        self,
        city: DemoCity,
        *,
        host: str,
        port: int,
        tenant: str = "city",
        username: str = "",
        password: str = "",
        tls: ssl.SSLContext | None = None,
        clock: Clock | None = None,
        seed: int = 1,
        speed: float = 1.0,
        start_hour: float = 7.6,
        period_s: float = 2.0,
        scenario: Scenario | None = None,
        outbox_folder: Path | None = None,
        rebirth_within_s: float = REBIRTH_WITHIN_S,
    ) -> None:
        """Build the devices; nothing is sent before `start`.

        Args:
            city: Which stations and lots.
            host: Of the broker.
            port: Of the broker.
            tenant: In the topics.
            username: Empty sends none.
            password: Goes with the user name.
            tls: None speaks plain TCP.
            clock: Of the devices; the network goes by the system's.
            seed: The same seed measures the same figures.
            speed: Seconds of the city in one of ours; measurements still come every `period_s`.
            start_hour: Hour of the day in the city when the fleet starts.
            period_s: Between two measurements of a station.
            scenario: What happens; None is a jam and a silent station every five minutes.
            outbox_folder: Where events wait for their acknowledge; None keeps them in memory.
            rebirth_within_s: Devices that are asked to introduce themselves again spread over this time.
        """
        self.clock = clock or SystemClock()
        self.seed, self.speed, self.start_hour = seed, speed, start_hour
        self._began_s = self.clock.monotonic()
        self.rebirth_within_s = rebirth_within_s
        self._outbox_folder = outbox_folder
        self.scenario = scenario or Scenario()
        broker = _Broker(host=host, port=port, tenant=tenant, username=username, password=password, tls=tls)
        self._devices: dict[str, _Device] = {}
        for station in city.stations:
            self._devices[station.key] = _Station(self, broker, station, period_s)
        for lot in city.lots:
            self._devices[lot.key] = _Lot(self, broker, lot)
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._is_ending = threading.Event()
        self._thread: threading.Thread | None = None
        self.protocol = MQTTProtocolVersion.MQTTv5
        """What the devices speak; the other one when the broker does not answer to it."""

        self.is_protocol_known = False

    # Life

    async def start(self) -> None:
        """Start the thread; the devices connect by themselves, and again whenever the broker was away."""
        if self._thread is not None:
            return
        self._is_ending.clear()
        self._began_s = self.clock.monotonic()
        self._thread = threading.Thread(target=self._run, name="demo-devices", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Let every device say goodbye; ends within some seconds whatever the broker does."""
        if self._thread is None:
            return
        self._is_ending.set()
        await asyncio.to_thread(self._thread.join, 2 * STOP_TIMEOUT_S)
        self._thread = None

    # What is known

    @property
    def keys(self) -> tuple[str, ...]:
        """Every device's key."""
        return tuple(self._devices)

    @property
    def n_connected(self) -> int:
        """Devices the broker has accepted."""
        return sum(device.is_connected for device in self._devices.values())

    @property
    def n_published(self) -> int:
        """Messages handed to the broker since the start."""
        return sum(device.n_published for device in self._devices.values())

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return self.clock.monotonic() - self._began_s

    @property
    def city_s(self) -> float:
        """Seconds in the city since the start."""
        return self.elapsed_s * self.speed

    def hour(self, city_s: float) -> float:
        """Return the hour of the day in the city, 0..24."""
        return (self.start_hour + city_s / 3600) % 24

    def n_waiting(self, key: str) -> int:
        """Return how many events of a device are not acknowledged yet."""
        return self._device(key).n_waiting

    def try_other_protocol(self, failed: MQTTProtocolVersion) -> None:
        """Note that the broker does not answer to a version; of many devices that find out, the first one counts."""
        if self.is_protocol_known or failed != self.protocol:
            return
        is_five = failed == MQTTProtocolVersion.MQTTv5
        self.protocol = MQTTProtocolVersion.MQTTv311 if is_five else MQTTProtocolVersion.MQTTv5

    # Faults

    def silence(self, key: str) -> None:
        """Let a device stay connected and say nothing, until `speak`."""
        self._order(key, lambda device: device.set_silent(is_silent=True))

    def speak(self, key: str) -> None:
        """End a silence that `silence` began."""
        self._order(key, lambda device: device.set_silent(is_silent=False))

    def unplug(self, key: str) -> None:
        """Cut a device's line without a goodbye, until `plug`; the broker publishes its last will."""
        self._order(key, lambda device: device.unplug())

    def plug(self, key: str) -> None:
        """Give a device its line back."""
        self._order(key, lambda device: device.plug())

    def restart(self, key: str) -> None:
        """Let a device boot again."""
        self._order(key, lambda device: device.restart())

    def send_raw(self, key: str, channel: Channel, payload: bytes, *, stream: str = "") -> None:
        """Let a device publish these very bytes, however wrong."""
        self._order(key, lambda device: device.publish(channel, payload, stream=stream))

    def call_soon(self, order: Callable[[], None]) -> None:
        """Run `order` on the fleet's thread, at its next turn."""
        self._orders.put(order)

    # The thread

    def _order(self, key: str, order: Callable[[_Device], None]) -> None:
        device = self._device(key)
        self.call_soon(lambda: order(device))

    def _device(self, key: str) -> _Device:
        if key not in self._devices:
            raise BadInputError(f"The demo city has no device {key!r}.", hint=f"Use one of {', '.join(self._devices)}.")
        return self._devices[key]

    def _run(self) -> None:
        devices = tuple(self._devices.values())
        for number, device in enumerate(devices):
            file = self._outbox_folder / f"{device.key}.sqlite3" if self._outbox_folder else None
            device.open(EventOutbox(file), connect_at_s=time.monotonic() + 0.03 * number)
        while not self._is_ending.is_set():
            with contextlib.suppress(queue.Empty):
                while True:
                    self._orders.get_nowait()()
            for device in devices:
                device.turn()
            self._move(devices, TURN_S)
        for device in devices:
            device.say_goodbye()
        give_up_s = time.monotonic() + STOP_TIMEOUT_S
        while any(device.is_open for device in devices) and time.monotonic() < give_up_s:
            self._move(devices, 0.01)
            for device in devices:
                device.hang_up_when_flushed()
        for device in devices:
            device.close()

    def _move(self, devices: Iterable[_Device], timeout_s: float) -> None:
        """Read and write what the sockets are ready for."""
        by_socket = {device.socket: device for device in devices if device.socket is not None}
        if not by_socket:
            time.sleep(timeout_s)
            return
        wanting = [sock for sock, device in by_socket.items() if device.wants_to_write]
        try:
            readable, writable, _ = select.select(list(by_socket), wanting, [], timeout_s)
        except (OSError, ValueError):
            # A socket was closed under us; the device notices on its own turn.
            return
        for sock in readable:
            by_socket[sock].on_readable()
        for sock in writable:
            by_socket[sock].on_writable()


class _Device:
    """One device: its connection, its birth, its events, its commands."""

    group = ""
    model = ""
    commands: tuple[CommandInfo, ...] = (
        CommandInfo(name="identify"),
        CommandInfo(name="restart"),
    )

    def __init__(self, fleet: DeviceFleet, broker: _Broker, key: str, name: str, position: GeoPoint) -> None:
        self.key = key
        self.n_published = 0
        self.n_waiting = 0
        self.is_connected = False
        self._fleet = fleet
        self._broker = broker
        self._name = name
        self._position = position
        self._random = random.Random(f"{fleet.seed}:{key}:line")
        self._boot = new_id()
        self._numbers = itertools.count(1)
        self._client: mqtt.Client | None = None
        self._connecting_since_s = 0.0
        self._connect_at_s = 0.0
        self._retry_s = FIRST_RETRY_S
        self._is_plugged = True
        self._is_muted = False
        self._is_host_away = False
        self._rebirth_at_s: float | None = None
        self._results: OrderedDict[str, CommandResult] = OrderedDict()
        self._outbox: EventOutbox | None = None

    # What kinds of devices differ in

    def streams(self) -> tuple[StreamInfo, ...]:
        """Describe the streams for the birth."""
        raise NotImplementedError

    def measure(self) -> None:
        """Publish what is due."""
        raise NotImplementedError

    def tell_state(self) -> None:
        """Publish the last value of every stream again."""
        raise NotImplementedError

    def obey(self, command: Command) -> CommandResult:
        """Do what is asked."""
        if command.name == "identify":
            return CommandResult(id=command.id, status="done", text=f"{self._name} is blinking")
        if command.name == "restart":
            return CommandResult(id=command.id, status="done", text="restarting")
        return CommandResult(id=command.id, status="rejected", code=404, text=f"unknown command {command.name[:64]}")

    # The line, as the fleet's thread sees it

    @property
    def socket(self) -> Any:
        """The connection's socket; None without one."""
        return self._client.socket() if self._client is not None else None

    @property
    def wants_to_write(self) -> bool:
        """Something waits to be sent."""
        return self._client is not None and self._client.want_write()

    @property
    def is_open(self) -> bool:
        """There is a connection, accepted or not."""
        return self._client is not None

    @property
    def is_silent(self) -> bool:
        """It is connected and says nothing."""
        return self._is_muted or self._fleet.scenario.is_silent(self.key, self._fleet.city_s)

    def open(self, outbox: EventOutbox, *, connect_at_s: float) -> None:
        """Power on."""
        self._outbox = outbox
        self._boot = new_id()
        self._connect_at_s = connect_at_s

    def turn(self) -> None:
        """Connect, keep alive, measure, send events: whatever is due."""
        now_s = time.monotonic()
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
            self._introduce()
        if not self.is_silent:
            self.measure()
            self._send_events(now_s)

    def on_readable(self) -> None:
        """Take in what the broker sent."""
        if self._client is not None and self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lose_line(time.monotonic())

    def on_writable(self) -> None:
        """Send what waits."""
        if self._client is not None and self._client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lose_line(time.monotonic())

    def set_silent(self, *, is_silent: bool) -> None:
        """Say nothing, or speak again."""
        self._is_muted = is_silent

    def unplug(self) -> None:
        """Cut the line."""
        self._is_plugged = False
        self._drop_line()

    def plug(self) -> None:
        """Connect again."""
        self._is_plugged = True
        self._connect_at_s = time.monotonic()

    def restart(self) -> None:
        """Boot again: another boot id, numbers from one; commands that were executed are remembered."""
        self._drop_line()
        self._boot = new_id()
        self._numbers = itertools.count(1)
        self._connect_at_s = time.monotonic()

    def say_goodbye(self) -> None:
        """Publish `offline` and disconnect politely."""
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

    def close(self) -> None:
        """Power off."""
        self._drop_line()
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None

    # Speaking

    def topic(self, channel: Channel, stream: str = "") -> str:
        """Return a topic of this device."""
        return build(
            DeviceTopic(tenant=self._broker.tenant, group=self.group, device=self.key, channel=channel, stream=stream)
        )

    def publish(
        self, channel: Channel, payload: bytes, *, stream: str = "", is_retained: bool = False, expiry_s: int = 0
    ) -> None:
        """Send with QoS 1 (tele and log with 0); lost where there is no line."""
        if self._client is None or not self.is_connected:
            return
        qos = 0 if channel in (Channel.TELE, Channel.LOG) else 1
        properties = None
        if self._client.protocol == MQTTProtocolVersion.MQTTv5:
            properties = _properties(PacketTypes.PUBLISH)
            properties.ContentType = "application/json"
            properties.PayloadFormatIndicator = 1
            if expiry_s:
                properties.MessageExpiryInterval = expiry_s
        self._client.publish(self.topic(channel, stream), payload, qos, retain=is_retained, properties=properties)
        self.n_published += 1

    def tell(self, stream: str, payload_type: str, data: dict[str, Any]) -> None:
        """Publish the newest value of a stream."""
        envelope = self._envelope(payload_type, data, seq=next(self._numbers))
        self.publish(Channel.STATE, write(envelope), stream=stream, is_retained=True)

    def report(self, payload_type: str, data: dict[str, Any]) -> None:
        """Put an event into the outbox; it is sent until the core has stored it."""
        assert self._outbox is not None
        self._outbox.add(lambda seq: write(self._envelope(payload_type, data, seq=seq)))
        self.n_waiting = len(self._outbox)

    # Inside

    def _envelope(self, payload_type: str, data: dict[str, Any], *, seq: int) -> Envelope:
        return Envelope(id=new_id(), type=payload_type, ts=self._fleet.clock.now(), boot=self._boot, seq=seq, data=data)

    def _status(self, state: Any) -> Status:
        return Status(state=state, boot=self._boot, ts=self._fleet.clock.now())

    def _connect(self, now_s: float) -> None:
        protocol = self._fleet.protocol
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{self._broker.tenant}-{self.group}-{self.key}",
            protocol=protocol,
            clean_session=True if protocol != MQTTProtocolVersion.MQTTv5 else None,
            reconnect_on_failure=False,
        )
        client.connect_timeout = 2.0
        client.max_queued_messages_set(2000)
        if self._broker.username:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.tls is not None:
            client.tls_set_context(self._broker.tls)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        connect, will = None, None
        if protocol == MQTTProtocolVersion.MQTTv5:
            connect, will = _properties(PacketTypes.CONNECT), _properties(PacketTypes.WILLMESSAGE)
            # The will waits as long as the session lives: without one it would come at once.
            connect.SessionExpiryInterval = SESSION_EXPIRY_S
            will.WillDelayInterval = WILL_DELAY_S
        client.will_set(self.topic(Channel.STATUS), write(self._status("lost")), qos=1, retain=True, properties=will)
        self._client = client
        self._connecting_since_s = now_s
        try:
            client.connect(self._broker.host, self._broker.port, KEEPALIVE_S, properties=connect)
        except (OSError, ValueError) as error:
            log.debug("device %s cannot reach the broker: %s", self.key, error)
            self._schedule_retry(now_s)
            self._client = None

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.debug("the broker refuses device %s: %s", self.key, reason)
            return
        self.is_connected = True
        self._fleet.is_protocol_known = True
        self._retry_s = FIRST_RETRY_S
        host = f"{ROOT}/{VERSION}/{self._broker.tenant}/_host/+"
        client.subscribe(
            [
                (self.topic(Channel.CMD), 1),
                (self.topic(Channel.EVT_ACK), 1),
                (f"{host}/state", 1),
                (f"{host}/rebirth", 1),
            ]
        )
        if self._outbox is not None:
            self._outbox.forget_sent()
        self._introduce()

    def _introduce(self) -> None:
        """Publish birth, status and the last values."""
        self._rebirth_at_s = None
        birth = Birth(
            name=self._name,
            model=self.model,
            fw="1.4.2",
            boot=self._boot,
            ts=self._fleet.clock.now(),
            location=Location(lat=self._position.lat_deg, lon=self._position.lon_deg),
            streams=self.streams(),
            commands=self.commands,
        )
        self.publish(Channel.BIRTH, write(birth), is_retained=True)
        self.publish(Channel.STATUS, write(self._status("online")), is_retained=True)
        if not self.is_silent:
            self.tell_state()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        # An exception here would end the thread of every device.
        try:
            topic, payload = parse(message.topic), bytes(message.payload)
            match topic:
                case HostTopic(channel=channel):
                    self._on_host(channel, payload)
                case DeviceTopic(channel=Channel.EVT_ACK):
                    self._on_acknowledged(read(payload, EvtAck).ack)
                case DeviceTopic(channel=Channel.CMD):
                    self._on_command(read(payload, Command))
        except (TopicError, PayloadError) as error:
            log.debug("device %s cannot use a message on %s: %s", self.key, message.topic, error)

    def _on_host(self, channel: HostChannel, payload: bytes) -> None:
        if channel is HostChannel.REBIRTH:
            self._rebirth_at_s = time.monotonic() + self._random.uniform(0, self._fleet.rebirth_within_s)
        elif payload:
            self._is_host_away = not read(payload, HostState).online

    def _on_acknowledged(self, seq: int) -> None:
        if self._outbox is not None:
            self._outbox.acknowledge(seq)
            self.n_waiting = len(self._outbox)

    def _on_command(self, command: Command) -> None:
        if self.is_silent:
            return
        known = self._results.get(command.id)
        result = known or self._execute(command)
        self.publish(Channel.CMD_RES, write(result), expiry_s=RESULT_EXPIRY_S)
        if known is None and command.name == "restart" and result.status == "done":
            # Not from within paho's callback: the connection is given up.
            self._fleet.call_soon(self._restart_by_command)

    def _execute(self, command: Command) -> CommandResult:
        is_late = command.exp < self._fleet.clock.now().timestamp() * 1000
        result = (
            CommandResult(id=command.id, status="expired", code=408, text="came too late")
            if is_late
            else self.obey(command)
        )
        self._results[command.id] = result
        if len(self._results) > N_COMMANDS_KEPT:
            self._results.popitem(last=False)
        return result

    def _restart_by_command(self) -> None:
        if self._client is not None:
            # The answer first.
            self._client.loop_write()
        self.restart()

    def _send_events(self, now_s: float) -> None:
        if self._outbox is None or self._is_host_away:
            return
        for _seq, body in self._outbox.take_due(now_s):
            self.publish(Channel.EVT, body)

    def _lose_line(self, now_s: float) -> None:
        if self._client is not None and not self.is_connected:
            self._fleet.try_other_protocol(self._client.protocol)
        self._drop_line()
        self._schedule_retry(now_s)

    def _schedule_retry(self, now_s: float) -> None:
        self._connect_at_s = now_s + self._retry_s * self._random.uniform(0.7, 1.3)
        self._retry_s = min(LAST_RETRY_S, self._retry_s * 1.7)

    def _drop_line(self) -> None:
        """Close the socket without a goodbye."""
        client, self._client = self._client, None
        self.is_connected = False
        if client is not None:
            sock = client.socket()
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.close()


class _Station(_Device):
    """A traffic station."""

    group = "traffic"
    model = "Holm Sensors TS-4"
    commands = (*_Device.commands, CommandInfo(name="set-period", params={"period_s": "1..60"}))

    def __init__(self, fleet: DeviceFleet, broker: _Broker, station: TrafficStation, period_s: float) -> None:
        super().__init__(fleet, broker, station.key, station.name, station.position)
        self._station = station
        self._period_s = period_s
        # The stations of a city do not measure in step.
        self._phase_s = self._random.random() * period_s
        self._newest = -1
        self._last: dict[str, Any] = {}

    def streams(self) -> tuple[StreamInfo, ...]:
        return (
            StreamInfo(
                name="flow",
                type="TrafficFlowObserved",
                unit="veh/min",
                smart_data_model="TrafficFlowObserved",
                period=self._period_s,
                stale_s=max(10.0, 5 * self._period_s),
            ),
        )

    def measure(self) -> None:
        number = math.floor((self._fleet.elapsed_s - self._phase_s) / self._period_s)
        if number <= self._newest:
            return
        self._newest = number
        # By the time it was due, not by the time it is: the same seed measures the same.
        city_s = (self._phase_s + number * self._period_s) * self._fleet.speed
        flow = measure_flow(
            self._station,
            hour=self._fleet.hour(city_s),
            jam=self._fleet.scenario.jam(self.key, city_s),
            seed=self._fleet.seed,
            number=number,
        )
        self._last = {
            "intensity": flow.intensity,
            "occupancy": flow.occupancy,
            "averageVehicleSpeed": flow.speed_kmh,
            "freeFlowSpeed": self._station.free_flow_kmh,
        }
        self.tell("flow", "TrafficFlowObserved", self._last)

    def tell_state(self) -> None:
        if self._last:
            self.tell("flow", "TrafficFlowObserved", self._last)

    def obey(self, command: Command) -> CommandResult:
        if command.name != "set-period":
            return super().obey(command)
        period_s = command.args.get("period_s")
        if isinstance(period_s, bool) or not isinstance(period_s, int | float) or not 1 <= period_s <= 60:
            return CommandResult(id=command.id, status="rejected", code=422, text="period_s must be from 1 to 60")
        self._period_s = float(period_s)
        self._newest = -1
        self._introduce()
        return CommandResult(id=command.id, status="done", text=f"measuring every {period_s:g} s")


class _Lot(_Device):
    """A parking lot's gateway: an event for every bay that changes, and the sum as a state."""

    group = "parking"
    model = "Holm Sensors PG-1"

    def __init__(self, fleet: DeviceFleet, broker: _Broker, lot: CityLot) -> None:
        super().__init__(fleet, broker, lot.key, lot.name, lot.position)
        self._bays = LotModel(lot, hour=fleet.start_hour, seed=fleet.seed)
        self._change_at_s: float | None = None
        self._heartbeat_at_s = 0.0

    def streams(self) -> tuple[StreamInfo, ...]:
        return (
            StreamInfo(
                name="occupancy",
                type="OffStreetParking",
                unit="bays",
                smart_data_model="OffStreetParking",
                period=LOT_HEARTBEAT_S,
                stale_s=3 * LOT_HEARTBEAT_S,
            ),
        )

    def measure(self) -> None:
        now_s = self._fleet.clock.monotonic()
        if self._change_at_s is None:
            self._change_at_s = now_s + self._bays.pause_s()
        if now_s >= self._change_at_s:
            self._change_at_s = now_s + self._bays.pause_s()
            bay, is_occupied = self._bays.step(hour=self._fleet.hour(self._fleet.city_s))
            data = {"name": bay, "status": "occupied" if is_occupied else "free", "refParkingSite": self.key}
            self.report("ParkingSpot", data)
            self.tell_state()
        elif now_s >= self._heartbeat_at_s:
            self.tell_state()

    def tell_state(self) -> None:
        self._heartbeat_at_s = self._fleet.clock.monotonic() + LOT_HEARTBEAT_S
        n_bays = len(self._bays.occupied)
        self.tell(
            "occupancy",
            "OffStreetParking",
            {"totalSpotNumber": n_bays, "availableSpotNumber": self._bays.n_free, "unknownSpotNumber": 0},
        )


def _properties(kind: int) -> Properties:
    return Properties(kind)  # type: ignore[no-untyped-call]
