"""A node's field side and field devices, as real as they can be on one machine."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import select

from core.field.commands import CommandChanged
from core.field.model import Device, LinkReport, LinkState
from core.field.mqtt_link import MqttLink
from core.field.outbox import Outbox
from core.field.ports import AuditHook, no_audit
from core.field.service import (
    DeviceChanged,
    FieldEventReceived,
    FieldService,
    LinkChanged,
    ReadingReceived,
)
from core.field.settings import BrokerSettings
from core.gateway.adapter import Adapter, Gateway
from core.kernel.bus import Bus
from core.kernel.clock import SystemClock, format_at
from core.kernel.ids import new_id
from core.store.engine import Store, open_store, sqlite_url
from core.store.tables import FieldEventRow

ROOT = "watchfloor/v1/city"


async def until(condition: Callable[[], bool], *, timeout_s: float = 30.0, what: str = "the condition") -> float:
    """Wait for `condition()` with the loop running; returns the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout_s, f"waited {timeout_s:g} s for {what}"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


class Node:
    """Store, outbox, service and link, as the node wires them."""

    def __init__(
        self,
        folder: Path,
        settings: BrokerSettings,
        *,
        password: str = "",
        audit: AuditHook = no_audit,
        make_adapters: Callable[["Node"], list[Adapter]] = lambda _node: [],
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.password = password
        self.audit = audit
        self.make_adapters = make_adapters
        self.bus = Bus()
        self.seen: list[object] = []
        for kind in (DeviceChanged, ReadingReceived, FieldEventReceived, CommandChanged, LinkChanged):
            self.bus.subscribe(kind, self.seen.append)

    async def __aenter__(self) -> "Node":
        clock = SystemClock()
        self.store: Store = await asyncio.to_thread(
            open_store, sqlite_url(self.folder / "db.sqlite3"), backups=self.folder, clock=clock
        )
        self.outbox = Outbox(self.folder / "outbox.sqlite3")
        self.service = FieldService(
            store=self.store,
            bus=self.bus,
            clock=clock,
            outbox=self.outbox,
            settings=self.settings,
            audit=self.audit,
        )
        await self.service.prepare()
        self.gateway = Gateway(self.make_adapters(self), clock=clock, to_field=self.service.on_messages)
        self.link = MqttLink(
            self.settings,
            loop=asyncio.get_running_loop(),
            on_message=self.gateway.on_messages,
            on_state=self._on_link_state,
            more_filters=self.gateway.filters,
            read_password=lambda: self.password,
            epoch=self.outbox.epoch,
        )
        await self.service.start(self.link)
        return self

    def _on_link_state(self, report: LinkReport) -> None:
        self.service.on_link_state(report)
        self.gateway.on_link_state(report)

    def device(self, device_id: str = "station/s1") -> Device | None:
        return next((item for item in self.service.devices() if item.device_id == device_id), None)

    def is_state(self, state: LinkState) -> bool:
        return self.link.report().state is state

    async def connected(self) -> None:
        await until(lambda: self.is_state(LinkState.CONNECTED), what="the link to be up")

    async def stored_seqs(self, device_id: str = "station/s1") -> list[int]:
        query = select(FieldEventRow.seq).where(FieldEventRow.device_id == device_id)
        return await self.store.read(
            lambda session: list(session.scalars(query.order_by(FieldEventRow.field_event_id)))
        )

    async def __aexit__(self, *_: object) -> None:
        await self.service.stop()
        await self.store.close()


def settings_for(broker: object, **changes: object) -> BrokerSettings:
    return BrokerSettings(host=broker.host, port=broker.port, **changes)  # type: ignore[attr-defined]


def envelope(data: dict[str, object], *, kind: str = "TrafficFlowObserved", **fields: object) -> bytes:
    return json.dumps({"v": 1, "type": kind, "ts": format_at(datetime.now(UTC)), "data": data, **fields}).encode()


class FieldDevice:
    """A device with an outbox: it keeps every event until the core says that it is stored.

    At most `WINDOW` events are on their way unconfirmed, so that no queue on the way overflows; where no confirmation
    comes for `resend_s` it begins again behind the last confirmed one.
    """

    WINDOW = 500
    STREAMS = ({"name": "flow", "smartDataModel": "TrafficFlowObserved"},)

    def __init__(
        self,
        broker: object,
        device_id: str = "station/s1",
        *,
        username: str = "",
        password: str = "",
        is_5: bool = True,
        resend_s: float = 2.0,
        client_id: str = "",
    ) -> None:
        self.device_id = device_id
        self.boot = new_id()
        self.topic = f"{ROOT}/{device_id}"
        self.lock = threading.RLock()
        self.outbox: dict[int, bytes] = {}
        self.progress_s = time.monotonic()
        self.next_seq = 1
        self.seq = 0
        self.acked = 0
        self.n_resent = 0
        self.resend_s = resend_s
        self.commands: list[dict[str, object]] = []
        self.answers = True
        protocol = mqtt.MQTTv5 if is_5 else mqtt.MQTTv311
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id or new_id(), protocol=protocol)
        if username:
            self.client.username_pw_set(username, password)
        self.client.reconnect_delay_set(1, 1)
        self.client.max_inflight_messages_set(100)
        self.client.will_set(f"{self.topic}/status", self._status("lost"), 1, True)
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.connect_async(broker.host, broker.port, 5)  # type: ignore[attr-defined]
        self.client.loop_start()

    def _status(self, state: str) -> bytes:
        return json.dumps({"state": state, "boot": self.boot, "ts": format_at(datetime.now(UTC))}).encode()

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe(f"{self.topic}/evt/ack", 1)
        client.subscribe(f"{self.topic}/cmd", 1)
        client.publish(
            f"{self.topic}/birth",
            json.dumps(
                {
                    "boot": self.boot,
                    "name": "Bridge Street",
                    "fw": "2.1",
                    "ts": format_at(datetime.now(UTC)),
                    "streams": self.STREAMS,
                    "commands": [{"name": "restart"}],
                    "location": {"lat": 52.1, "lon": 4.3},
                }
            ),
            1,
            True,
        )
        client.publish(f"{self.topic}/status", self._status("online"), 1, True)

    def _on_message(self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if message.topic.endswith("/cmd"):
            command = json.loads(message.payload)
            self.commands.append(command)
            if self.answers:
                client.publish(f"{self.topic}/cmd/res", json.dumps({"id": command["id"], "status": "done"}), 1)
            return
        if message.payload and message.topic.endswith("/evt/ack"):
            with self.lock:
                acked = json.loads(message.payload)["ack"]
                for seq in range(self.acked + 1, acked + 1):
                    self.outbox.pop(seq, None)
                if acked > self.acked:
                    self.acked = acked
                    self.progress_s = time.monotonic()
                self.next_seq = max(self.next_seq, self.acked + 1)
            self.pump()

    def event(self, data: dict[str, object], **fields: object) -> int:
        """Put an event into the outbox and send it as soon as the window allows."""
        with self.lock:
            self.seq += 1
            seq = self.seq
            self.outbox[seq] = envelope(data, id=new_id(), seq=seq, boot=self.boot, **fields)
            if len(self.outbox) == 1:
                self.progress_s = time.monotonic()
        self.pump()
        return seq

    def pump(self) -> None:
        """Send what the window allows."""
        with self.lock:
            while self.client.is_connected() and self.next_seq <= min(self.seq, self.acked + self.WINDOW):
                self.client.publish(f"{self.topic}/evt", self.outbox[self.next_seq], 1)
                self.next_seq += 1

    def resend(self) -> None:
        """Begin again behind the last confirmed event where nothing was confirmed for `resend_s`."""
        with self.lock:
            if self.outbox and time.monotonic() - self.progress_s > self.resend_s and self.client.is_connected():
                self.progress_s = time.monotonic()
                self.n_resent += self.next_seq - self.acked - 1
                self.next_seq = self.acked + 1
        self.pump()

    def vanish(self) -> None:
        """Cut the connection without a word, for good; the last will speaks."""
        sock = self.client.socket()
        self.client._thread_terminate = True
        self.client.drop_out_messages()
        if sock is not None:
            sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.client.disconnect()
        thread = self.client._thread
        self.client._thread_terminate = True
        self.client.drop_out_messages()
        if thread is not None:
            thread.join(3)


def retained(broker: object) -> dict[str, bytes]:
    """Return what stands on the broker, by topic."""
    found: dict[str, bytes] = {}
    has_all = threading.Event()
    marker = f"marker/{new_id()}"

    def on_message(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        if message.topic == marker:
            has_all.set()
        elif message.retain:
            found[message.topic] = message.payload

    with _visit(broker) as client:
        client.on_message = on_message
        client.on_subscribe = lambda *_: client.publish(marker, b"", 1)
        client.subscribe([("watchfloor/#", 1), (marker, 1)])
        assert has_all.wait(10)
    return found


def put_back(broker: object, topic: str, payload: bytes) -> None:
    """Let something stand on the broker again."""
    with _visit(broker) as client:
        client.publish(topic, payload, 1, True).wait_for_publish(10)


@contextlib.contextmanager
def _visit(broker: object) -> Iterator[mqtt.Client]:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=new_id())
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()
