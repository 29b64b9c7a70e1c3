"""The field as the room sees it: devices, readings, events, commands; commit first, acknowledge second."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import logging
import math
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.field import event_log, rows
from core.field.clearing import Clearing, ClearingChanges, Remains, gone_by_its_clock, is_from_before, save_clearing
from core.field.commands import Commands
from core.field.device_list import NewDevice
from core.field.event_log import DeviceEvent, EventCall
from core.field.inbox import Inbound
from core.field.inventory import (
    Change,
    DeviceAt,
    DeviceEdit,
    Inventory,
    enabling,
    moving,
    renaming,
    siting,
    tagging,
)
from core.field.messages import DeviceMessage, Messages
from core.field.model import (
    UNNUMBERED,
    BadSource,
    CommandOutcome,
    Device,
    DeviceCommand,
    DeviceState,
    FieldEvent,
    FieldLosses,
    LinkReport,
    LinkState,
    Reading,
    RemovedDevice,
    Twin,
    calls_operator,
)
from core.field.mqtt_link import ReplyTo
from core.field.outbox import Outbox
from core.field.payloads import (
    AlarmPayload,
    Birth,
    CommandResult,
    Envelope,
    EvtAck,
    Payload,
    PayloadError,
    Quality,
    Rebirth,
    Status,
    TwinState,
    check,
    decode,
    write,
)
from core.field.ports import Actor, AuditHook, no_audit
from core.field.registry import MAX_DEVICES, Registry, Tracked
from core.field.removals import Restored, load_removed
from core.field.sequence import MADE_UP, Arrival
from core.field.sequence import Sequence as EventSequence
from core.field.settings import BrokerSettings
from core.field.sheet import MAX_READINGS, N_SLOTS, DeviceSheet, History, history_of, sheet_of
from core.field.topics import (
    OWN_GROUPS,
    AlarmTopic,
    Channel,
    DeviceTopic,
    HostChannel,
    HostTopic,
    TopicError,
    build,
    device_topic,
    parse,
)
from core.field.twins import Twins, save_reported
from core.kernel.bus import Bus
from core.kernel.clock import Clock, format_at
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.kernel.geo import GeoPoint
from core.kernel.ids import new_id
from core.kernel.portions import BulkOutcome, check_portion
from core.store.engine import Store
from core.store.tables import DeviceRow, ReadingRow

log = logging.getLogger(__name__)

TICK_S = 0.1
WRITE_EVERY_S = 0.5
LOOK_EVERY_S = 1.0
KEEP_SEEN_EVERY_S = 60.0
GAP_ACK_AFTER_S = 2.0
CALLS_AHEAD_AFTER_S = 1.0
"""An event that calls an operator waits no longer for what is missing before it."""

GATHER_S = 0.01
ACK_EVERY_S = 0.25
ACK_AFTER_N = 50
"""A device hears of its stored events at once, but then only so often: its window is four times as wide."""

REBIRTH_AT_MOST_EVERY_S = 30.0
TIME_AT_MOST_EVERY_S = 30.0
SET_BACK_S = 1.0
CLOSED_ALARM_STAYS_S = 600.0
MAX_EVENTS_WAITING = 20_000
MAX_REUSED = 200
"""Of one device, between two looks into the database."""

MAX_READINGS_WAITING = 20_000
EVENTS_PER_WRITE = 1000
DEVICES_PER_WRITE = 500
READINGS_PER_WRITE, MOST_WRITES = 100, 8
"""Readings of one transaction, and more of them where these would be too many transactions."""

WRITE_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A device is new, or something about it changed."""

    device: Device


@dataclass(frozen=True, slots=True)
class DeviceRemoved:
    """A device was taken out of the list."""

    device_id: str


@dataclass(frozen=True, slots=True)
class ReadingReceived:
    """A stream has a newer value; at most ten times a second for each stream."""

    kind: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class LateReading:
    """A reading came late, or was kept while nobody listened: it belongs to the past, and is never news."""

    kind: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class FieldEventReceived:
    """An event from the field is in the database."""

    kind: str
    event: FieldEvent


@dataclass(frozen=True, slots=True)
class EventCameAhead:
    """An event that calls is in the database while earlier ones of its device are missing, or has no number at all.

    One that has a number is told of once more as `FieldEventReceived`, in its turn.
    """

    event: FieldEvent


@dataclass(frozen=True, slots=True)
class EventsLost:
    """Events of a device are not in the database and will not come any more; `reason` is a sentence."""

    device_id: str
    n_events: int
    reason: str


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The link to the broker is in another state."""

    report: LinkReport


class Link(Protocol):
    """What the service needs of `MqttLink`."""

    def start(self) -> None:
        """Connect and stay connected."""
        ...

    def stop(self) -> bool:
        """Leave; blocks for 3 s at most."""
        ...

    def watch(self) -> None:
        """Start the thread again if it died."""
        ...

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
        """Queue a message; `on_done` is called once the broker has it."""
        ...

    def acknowledge(self, messages: Iterable[Inbound]) -> None:
        """Tell the broker that these are stored."""
        ...

    def say_online(self) -> None:
        """Say once more that this core is there, and what its clock shows."""
        ...

    def begin_epoch(self, epoch: int) -> None:
        """Say that what this core's clock showed before counts no more: it was set back."""
        ...

    def report(self) -> LinkReport:
        """Return how the link is."""
        ...


_ReadingKey = tuple[str, str, datetime]


def _key_of(reading: Reading) -> _ReadingKey:
    return reading.device_id, reading.stream, reading.at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unwritten:
    """What the database does not know yet; `devices` with what their rows are to hold."""

    devices: list[tuple[Tracked, dict[str, Any]]]
    readings: list[Reading] = field(default_factory=list)
    twins: list[Twin] = field(default_factory=list)
    clearing: ClearingChanges = field(default_factory=ClearingChanges)

    def __bool__(self) -> bool:
        return bool(self.readings or self.devices or self.twins or self.clearing)

    def parts(self) -> list[_Unwritten]:
        """Return it in as many parts as transactions: between two of them an alarm is stored."""
        n_each = max(READINGS_PER_WRITE, math.ceil(len(self.readings) / MOST_WRITES))
        runs = [self.readings[begin : begin + n_each] for begin in range(0, len(self.readings), n_each)]
        first = replace(self, readings=runs[0] if runs else [])
        others = [_Unwritten(readings=run, devices=[], twins=[], clearing=ClearingChanges()) for run in runs[1:]]
        return [first, *others]


@dataclass(slots=True)
class _Alarm:
    """An alarm on the broker; `clear_at_s` once it is closed."""

    version: int
    payload: bytes
    clear_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Stored:
    """Up to which event of a device everything is in the database, and the start of the device that event is of."""

    seq: int
    boot: str


@dataclass(slots=True)
class _Ack:
    """What a device has not been told yet of its stored events; `told_s` is monotonic."""

    told_s: float = float("-inf")
    n_untold: int = 0


class FieldService:
    """Devices and what they say.

    Make it, make the link with `on_messages` and `on_link_state` as its callbacks, then `start` it with that link.

    Threads: the owner's loop only.
    """

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        outbox: Outbox,
        settings: BrokerSettings,
        audit: AuditHook = no_audit,
    ) -> None:
        """Prepare; nothing is read or sent before `start`."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._outbox = outbox
        self._settings = settings
        self._audit = audit
        self._registry = Registry()
        self._messages = Messages()
        self._link: Link | None = None
        self._sequences: dict[str, EventSequence] = {}
        self._stored: dict[str, _Stored] = {}
        self._events: list[tuple[FieldEvent, Inbound | None]] = []
        self._in_write: dict[str, int] = {}
        """Of the events that are being written, the last number of each device."""

        self._may_call: dict[rows.EventKey, tuple[float, FieldEvent]] = {}
        """Events that call and wait for what is missing before them, each with when it is stored all the same."""

        self._ahead: list[tuple[FieldEvent, Inbound | None]] = []
        self._has_events = asyncio.Event()
        self._fresh: dict[tuple[str, str], Reading] = {}
        self._told: set[tuple[str, str]] = set()
        self._to_write: dict[_ReadingKey, Reading] = {}
        self._alarms: dict[str, _Alarm] = {}
        self._are_alarms_known = False
        self._own: dict[str, bytes] = {}
        self._commands = Commands(
            store=store,
            bus=bus,
            clock=clock,
            outbox=outbox,
            tenant=settings.tenant,
            audit=audit,
            send=self._send_command,
        )
        self._twins = Twins(
            store=store,
            bus=bus,
            clock=clock,
            tenant=settings.tenant,
            audit=audit,
            publish=lambda topic, payload: self._publish(topic, payload, qos=1, is_retained=True),
        )
        self._acks: dict[str, _Ack] = {}
        self._stored_s = float("-inf")
        self._clearing = Clearing(self._take_away, clock)
        self._inventory = Inventory(
            store=store, clock=clock, audit=audit, values_of=self._values_of, remains_of=self._remains_of
        )
        self._gap_acks: dict[str, float] = {}
        self._repeated: dict[str, _Stored] = {}
        self._doubted: dict[str, _Stored] = {}
        self._reused: dict[str, dict[int, FieldEvent]] = {}
        """Of devices that do not tell their starts: events with an old number and a newer time."""

        self._tasks: list[asyncio.Task[None]] = []
        self._looked_s = float("-inf")
        self._kept_s, self._kept_at = clock.monotonic(), clock.now()
        self._rebirth_s = float("-inf")
        self._wants_rebirth = False
        self._time_s = float("-inf")
        self._wants_time = False
        self._clock_ahead_s = float("-inf")
        """The most that the wall clock was ahead of the monotonic one in this epoch."""

        self._was_set_back = False
        self._has_to_write = asyncio.Event()
        self._was_connected = False
        self._hears = False
        """The broker answers: silence is then a device's own."""

        self.n_messages = 0
        self.n_events = 0
        """Events stored."""

        self.n_duplicates = 0
        self._losses = FieldLosses()

    # -- life -----------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Read what the store and the outbox know; before the link is made, which needs the outbox's epoch.

        Raises:
            UnavailableError: The database or the outbox cannot be used.
        """
        await self._commands.load()
        await self._twins.load()
        await self._store.read(self._clearing.load)
        known, cursors = await self._store.read(rows.load)
        now_s = self._clock.monotonic()
        for device, boot, birth in known:
            self._registry.restore(device, boot=boot, birth=birth, now_s=now_s)
            if birth:
                # What it says about itself decides its kind and how long it may be silent.
                self._rebuild(device.device_id, birth)
        for device_id, last in cursors.items():
            self._count_on(device_id, last)
        self._registry.take_changed()

    async def start(self, link: Link) -> None:
        """Connect, and keep everything moving until `stop`."""
        self._link = link
        link.start()
        self._tasks = [
            asyncio.create_task(self._forever(self._write_events, "field-events"), name="field-events"),
            asyncio.create_task(self._forever(self._turn_forever, "field-turn"), name="field-turn"),
            asyncio.create_task(self._forever(self._write_forever, "field-write"), name="field-write"),
        ]

    async def stop(self) -> None:
        """Say goodbye, write what is waiting and end; within some seconds whatever the broker does."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        if self._link is None:
            await self._write_what_waits()
        else:
            # A broker that hangs takes its second, and nothing waits for it meanwhile.
            await asyncio.gather(asyncio.to_thread(self._link.stop), self._write_what_waits())
            # What came while we said goodbye.
            await self._write_what_waits()
        await self._commands.close()

    async def _write_what_waits(self) -> None:
        # What cannot be written now, its devices keep.
        with contextlib.suppress(ConsoleError, SQLAlchemyError):
            await self._write_ahead()
            await self._write_some_events()
        with contextlib.suppress(ConsoleError):
            await self._write_readings()

    async def _forever(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Supervise a task: a fault of one turn must not end the field for good."""
        while True:
            try:
                await work()
            except Exception:
                log.exception("the task %s failed and goes on", name)
                await asyncio.sleep(WRITE_PAUSE_S)

    # -- what can be asked ----------------------------------------------------------------------------------------

    def devices(self) -> tuple[Device, ...]:
        """Return all devices, by id."""
        return self._registry.devices()

    def device(self, device_id: str) -> Device:
        """Return one device.

        Raises:
            BadInputError: Nobody knows it.
        """
        return self._tracked(device_id).device

    def newest(self, device_id: str) -> tuple[Reading, ...]:
        """Return the newest reading of each of a device's streams."""
        return self._registry.newest(device_id)

    def readings(self) -> tuple[Reading, ...]:
        """Return the newest reading of every stream."""
        return self._registry.readings()

    def commands(self) -> tuple[DeviceCommand, ...]:
        """Return the commands without a final answer."""
        return self._commands.pending()

    async def command_history(self, device_id: str = "", *, n_most: int = 200) -> list[DeviceCommand]:
        """Return a device's commands with what became of them, newest first; those of all devices for an empty id.

        Raises:
            UnavailableError: The database is away.
        """
        return await self._commands.history(device_id, n_most=n_most)

    def twin(self, device_id: str) -> Twin:
        """Return what a device should be set to and what it says it is set to.

        Raises:
            BadInputError: Nobody knows the device.
        """
        self._tracked(device_id)
        return self._twins.get(device_id)

    def twins(self) -> tuple[Twin, ...]:
        """Return every twin that holds something."""
        return self._twins.all()

    def messages(self, device_id: str) -> list[DeviceMessage]:
        """Return a device's last messages, newest first.

        Raises:
            BadInputError: Nobody knows the device.
        """
        return self._messages.of(device_id, self._tracked(device_id).kind)

    async def events(self, device_id: str, *, n_most: int = 200) -> list[DeviceEvent]:
        """Return a device's stored events, the newest first.

        Raises:
            BadInputError: Nobody knows the device.
            UnavailableError: The database is away.
        """
        kind, stored = self._tracked(device_id).kind, self._stored.get(device_id)
        stored_seq = 0 if stored is None else stored.seq
        return await self._store.read(
            lambda s: event_log.read_events(s, device_id, kind, stored_seq=stored_seq, n_most=n_most)
        )

    async def waiting_events(self) -> list[FieldEvent]:
        """Return the events whose call an earlier run did not store, in the order in which they came.

        Raises:
            UnavailableError: The database is away.
        """
        return await self._store.read(event_log.waiting_events)

    async def forget_waiting(self, events: Sequence[FieldEvent]) -> None:
        """Call nobody for these events: their device is gone.

        Raises:
            UnavailableError: The database is away.
        """

        def forget(session: Session) -> None:
            if event_log.claim(session, events):
                event_log.note_call(session, events, EventCall.NO_DEVICE)

        await self._store.write(forget)

    def sheet(self, device_id: str) -> DeviceSheet:
        """Return what a device says about itself.

        Raises:
            BadInputError: Nobody knows the device.
        """
        return sheet_of(self._tracked(device_id), self._registry.newest(device_id))

    def bad_sources(self) -> tuple[BadSource, ...]:
        """Return who sends what cannot be used, the worst first."""
        return self._registry.bad_sources()

    def link_report(self) -> LinkReport | None:
        """Return how the link to the broker is."""
        if self._link is None:
            return None
        return replace(self._link.report(), n_outbox=len(self._commands))

    def losses(self) -> FieldLosses:
        """Return what was said and will never be in the database, since the start."""
        return replace(self._losses, n_turned_away=self._registry.n_turned_away)

    async def history(self, device_id: str, stream: str, *, since: datetime, n_most: int = 5000) -> list[Reading]:
        """Return a stream's stored readings from `since` on, oldest first, at most the newest `n_most`.

        Raises:
            UnavailableError: The database is away.
        """

        def read(session: Session) -> list[Reading]:
            query = (
                select(ReadingRow)
                .where(ReadingRow.device_id == device_id, ReadingRow.stream == stream, ReadingRow.at >= since)
                .order_by(ReadingRow.at.desc())
                .limit(n_most)
            )
            return [
                Reading(
                    device_id=row.device_id,
                    stream=row.stream,
                    at=row.at,
                    values=row.values,
                    is_good=row.is_good,
                    is_history=row.is_history,
                )
                for row in session.scalars(query)
            ][::-1]

        return await self._store.read(read)

    async def quantity_history(self, device_id: str, stream: str, key: str, *, span_s: float) -> History:
        """Return how one quantity went over the last `span_s`, in at most `N_SLOTS` parts.

        Raises:
            BadInputError: Nobody knows the device.
            UnavailableError: The database is away.
        """
        tracked = self._tracked(device_id)
        until = self._clock.now()
        slot_s = span_s / N_SLOTS
        base = History(
            device_id=device_id,
            stream=stream,
            key=key,
            since=until - timedelta(seconds=span_s),
            until=until,
            slot_s=slot_s,
            gap_s=max(tracked.stale_s, slot_s) + slot_s,
        )
        columns = (ReadingRow.at, ReadingRow.values, ReadingRow.is_good, ReadingRow.is_history)

        def read(session: Session) -> History:
            query = (
                select(*columns)
                .where(ReadingRow.device_id == device_id, ReadingRow.stream == stream, ReadingRow.at >= base.since)
                .order_by(ReadingRow.at.desc())
                .limit(MAX_READINGS)
            )
            found = [(at, values, good, late) for at, values, good, late in session.execute(query)]
            return history_of(found, base=replace(base, is_cut=len(found) == MAX_READINGS))

        return await self._store.read(read)

    # -- what an operator may do ----------------------------------------------------------------------------------

    async def set_enabled(self, actor: Actor, device_id: str, *, is_enabled: bool, expect_version: int) -> Device:
        """Listen to a device, or not any more; what a disabled device says waits in its own outbox.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Nobody knows the device.
            StaleWriteError: Someone else was faster.
        """
        return await self._change(actor, device_id, expect_version, enabling(is_enabled))

    async def add_devices(self, actor: Actor, devices: Sequence[NewDevice], *, source: str = "") -> list[BulkOutcome]:
        """Add devices that are not there yet; see `Inventory.add`."""
        if len(self._registry.devices()) + len(devices) > MAX_DEVICES:
            raise BadInputError(f"More than {MAX_DEVICES} devices are not followed.", hint="Remove some first.")
        added, outcomes = await self._inventory.add(actor, devices, source=source)
        for device in added:
            self._clearing.come_back(device.device_id)
            self._registry.add(device, now_s=self._clock.monotonic())
        self._tell_changed()
        return outcomes

    async def edit_devices(self, actor: Actor, edits: Sequence[DeviceEdit]) -> list[BulkOutcome]:
        """Change many devices, each as it says; see `Inventory.edit`."""
        changed, outcomes = await self._inventory.edit(actor, edits)
        for device in changed:
            tracked = self._registry.get(device.device_id)
            if tracked is not None:
                tracked.is_stored = True
                self._registry.replace_device(device)
        self._tell_changed()
        return outcomes

    async def remove_devices(self, actor: Actor, devices: Sequence[DeviceAt]) -> list[BulkOutcome]:
        """Take devices out of the list, and what they left on the broker; see `Inventory.remove`.

        A device that is still out there comes back as a new one with its next message: disable it instead.
        """
        outcomes, remains = await self._inventory.remove(actor, devices)
        for one in remains:
            self._clearing.add(one)
        for outcome in outcomes:
            tracked = self._registry.get(outcome.device_id)
            if tracked is not None and not outcome.reason:
                self._forget_device(tracked)
        return outcomes

    async def removed_devices(self) -> list[RemovedDevice]:
        """Return the devices that were removed and not put back, the newest first.

        Raises:
            UnavailableError: The database is away.
        """
        removed = await self._store.read(load_removed)
        return [replace(one, is_back=self._registry.get(one.device_id) is not None) for one in removed]

    async def restore_devices(self, actor: Actor, removal_ids: Sequence[str]) -> list[BulkOutcome]:
        """Put removed devices back as they were; see `Inventory.restore`. Each is asked to describe itself again."""
        if len(self._registry.devices()) + len(removal_ids) > MAX_DEVICES:
            raise BadInputError(f"More than {MAX_DEVICES} devices are not followed.", hint="Remove some first.")
        found, outcomes = await self._inventory.restore(actor, removal_ids)
        for one in found:
            self._take_back(one)
        self._tell_changed()
        if found:
            self._wants_rebirth = True
            self._ask_for_births(self._clock.monotonic())
        return outcomes

    def _take_back(self, found: Restored) -> None:
        device_id, now_s = found.device.device_id, self._clock.monotonic()
        self._clearing.come_back(device_id)
        tracked = self._registry.get(device_id)
        if tracked is None:
            self._registry.restore(found.device, boot=found.boot, birth=dict(found.birth), now_s=now_s)
            if found.birth:
                self._rebuild(device_id, dict(found.birth))
            self._registry.mark(device_id)
        else:
            tracked.is_stored = True
            self._registry.replace_device(found.device)
        if found.last_event is not None and device_id not in self._sequences:
            self._count_on(device_id, found.last_event)
        if found.twin is not None:
            self._twins.take_back(found.twin)

    def _count_on(self, device_id: str, last: rows.LastEvent) -> None:
        """Go on after the event of a device that was stored last."""
        self._sequences[device_id] = EventSequence(
            taken=last.seq,
            last_at=last.at,
            last_boot=last.boot,
            made_up_boot=last.boot if last.boot.startswith(MADE_UP) else "",
        )
        self._stored[device_id] = _Stored(last.seq, last.boot)

    def _forget_device(self, tracked: Tracked) -> None:
        device_id = tracked.device.device_id
        self._registry.forget(device_id)
        self._twins.forget(device_id)
        self._messages.forget(device_id)
        self._acks.pop(device_id, None)
        self._gap_acks.pop(device_id, None)
        self._repeated.pop(device_id, None)
        self._reused.pop(device_id, None)
        # How far its events are stored is kept: should it still be out there, it goes on counting.
        self._bus.publish(DeviceRemoved(device_id))

    def _tell_changed(self) -> None:
        for device in self._registry.take_changed():
            self._bus.publish(DeviceChanged(device))

    def _values_of(self, device_id: str) -> dict[str, Any] | None:
        tracked = self._registry.get(device_id)
        return None if tracked is None else rows.device_values(tracked)

    def _remains_of(self, device_id: str) -> Remains | None:
        tracked = self._registry.get(device_id)
        if tracked is None:
            return None
        return Remains(
            device_id=device_id,
            gone_at=gone_by_its_clock(self._clock.now(), tracked.device.skew_s),
            topics=_retained_topics(self._settings.tenant, tracked),
        )

    def _take_away(self, topic: str, on_done: Callable[[], None]) -> bool:
        link = self._link
        return link is not None and link.publish(topic, b"", qos=1, is_retained=True, on_done=on_done)

    async def rename(self, actor: Actor, device_id: str, *, name: str, expect_version: int) -> Device:
        """Give a device a name that its own description does not overwrite.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Nobody knows the device, or the name is empty or longer than 200 characters.
            StaleWriteError: Someone else was faster.
        """
        return await self._change(actor, device_id, expect_version, renaming(name))

    async def move(self, actor: Actor, device_id: str, *, position: GeoPoint | None, expect_version: int) -> Device:
        """Place a device on the map.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Nobody knows the device.
            StaleWriteError: Someone else was faster.
        """
        return await self._change(actor, device_id, expect_version, moving(position))

    async def set_site(self, actor: Actor, device_id: str, *, site: str, expect_version: int) -> Device:
        """Say where a device belongs; an empty text takes it out of its site.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Nobody knows the device, or the text cannot be shown.
            StaleWriteError: Someone else was faster.
        """
        return await self._change(actor, device_id, expect_version, siting(site))

    async def set_tags(self, actor: Actor, device_id: str, *, tags: Sequence[str], expect_version: int) -> Device:
        """Say under which words a device is found.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Nobody knows the device, or a tag cannot be used.
            StaleWriteError: Someone else was faster.
        """
        return await self._change(actor, device_id, expect_version, tagging(tags))

    async def send_command(
        self, actor: Actor, device_id: str, name: str, args: Mapping[str, Any] | None = None, *, ttl_s: float = 30.0
    ) -> DeviceCommand:
        """Send a command; it is kept and repeated until the device answers or `ttl_s` is over.

        Raises:
            NotPermittedError: Below operator.
            BadInputError: Nobody knows the device, it is disabled, or the command cannot be written down.
            UnavailableError: The outbox or the database cannot be written; nothing was sent.
        """
        self._watch_clock(self._clock.monotonic())
        command = await self._commands.send(actor, self._tracked(device_id).device, name, args, ttl_s=ttl_s)
        self._tick_commands()
        return command

    async def send_commands(
        self,
        actor: Actor,
        device_ids: Sequence[str],
        name: str,
        args: Mapping[str, Any] | None = None,
        *,
        ttl_s: float = 30.0,
    ) -> list[CommandOutcome]:
        """Send one command to many devices; see `Commands.send_many`.

        Raises:
            NotPermittedError: Below operator.
            BadInputError: Too many at once.
            UnavailableError: The outbox or the database cannot be written; nothing was sent.
        """
        check_portion(len(device_ids), "devices")
        known = [tracked.device for tracked in map(self._registry.get, device_ids) if tracked is not None]
        there = {device.device_id for device in known}
        gone = [
            CommandOutcome(device_id=device_id, reason="There is no such device any more.")
            for device_id in device_ids
            if device_id not in there
        ]
        self._watch_clock(self._clock.monotonic())
        outcomes = await self._commands.send_many(actor, known, name, args, ttl_s=ttl_s)
        self._tick_commands()
        return outcomes + gone

    async def set_desired(
        self, actor: Actor, device_id: str, changes: Mapping[str, Any], *, expect_version: int
    ) -> Twin:
        """Ask a device for other settings; a value of None takes a wish back.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Nobody knows the device, or the settings cannot be written down.
            StaleWriteError: Someone else was faster.
            UnavailableError: The database is away; nothing was changed.
        """
        return await self._twins.set_desired(
            actor, self._tracked(device_id).device, changes, expect_version=expect_version
        )

    # -- alarms on the broker -------------------------------------------------------------------------------------

    def publish_alarm(self, alarm: AlarmPayload) -> None:
        """Put an alarm's full state on the broker, retained; a closed one is taken away after ten minutes.

        An older state than the one that stands there is left out.

        Raises:
            BadInputError: The id cannot stand in a topic.
        """
        topic = self._alarm_topic(alarm.alarm_id)
        known = self._alarms.get(topic)
        if known is not None and alarm.version < known.version:
            return
        entry = _Alarm(alarm.version, write(alarm))
        if not alarm.is_open:
            entry.clear_at_s = self._clock.monotonic() + CLOSED_ALARM_STAYS_S
        self._alarms[topic] = entry
        self._publish(topic, entry.payload, qos=1, is_retained=True)

    def publish_open_alarms(self, alarms: Iterable[AlarmPayload]) -> None:
        """Put all open alarms on the broker and take away what an earlier run left there.

        Once, before `start`: what stands at the broker comes with the first connection, and only then.
        """
        for alarm in alarms:
            self.publish_alarm(alarm)
        self._are_alarms_known = True

    def _alarm_topic(self, alarm_id: str) -> str:
        return build(AlarmTopic(tenant=self._settings.tenant, alarm_id=alarm_id))

    def _on_alarm(self, topic: str, message: Inbound) -> None:
        if self._are_alarms_known and message.is_retained and message.payload and topic not in self._alarms:
            self._publish(topic, b"", qos=1, is_retained=True)

    def _clear_closed_alarms(self, now_s: float) -> None:
        for topic, entry in list(self._alarms.items()):
            if entry.clear_at_s is not None and now_s >= entry.clear_at_s:
                del self._alarms[topic]
                self._publish(topic, b"", qos=1, is_retained=True)

    # -- what this node measures ----------------------------------------------------------------------------------

    def publish_own(self, topic: DeviceTopic, payload: Payload | None) -> None:
        """Put what one of our own cameras or lots says on the broker, retained; None takes it away.

        Raises:
            TopicError: A part of the topic is outside the grammar.
            ValueError: The topic is of no group of our own.
        """
        if topic.group not in OWN_GROUPS:
            raise ValueError(f"{topic.device_id} is not ours")
        name = build(topic)
        if payload is None:
            self._own.pop(name, None)
            self._clearing.want(name)
            return
        self._clearing.drop(name)
        self._own[name] = write(payload)
        self._publish(name, self._own[name], qos=1, is_retained=True)

    # -- from the link --------------------------------------------------------------------------------------------

    def on_link_state(self, report: LinkReport) -> None:
        """The link is in another state; the link's `on_state`."""
        is_connected = report.state in (LinkState.CONNECTED, LinkState.STALE)
        if is_connected and not self._was_connected:
            self._greet()
        self._was_connected = is_connected
        self._listen(is_answering=report.state is LinkState.CONNECTED)
        self._bus.publish(LinkChanged(replace(report, n_outbox=len(self._commands))))

    def _greet(self) -> None:
        """The broker may be another one, or have forgotten everything: say all that has to stand there."""
        for topic, entry in self._alarms.items():
            self._publish(topic, entry.payload, qos=1, is_retained=True)
        for name, payload in self._own.items():
            self._publish(name, payload, qos=1, is_retained=True)
        for device_id in self._stored:
            self._acknowledge_device(device_id)
        self._twins.publish_all_desired()
        self._commands.send_again()

    def _listen(self, *, is_answering: bool) -> None:
        """While the broker does not answer nothing is confirmed; once it does, every device is asked anew."""
        if self._hears and not is_answering:
            self._registry.lose_sight(self._clock.now())
        if is_answering and not self._hears:
            now_s = self._clock.monotonic()
            self._registry.begin_to_listen(now_s)
            for sequence in self._sequences.values():
                sequence.wait_on(now_s)
            self._wants_rebirth = True
            self._ask_for_births(now_s)
        self._hears = is_answering

    def _ask_for_births(self, now_s: float) -> None:
        """Ask every device to describe itself; what comes too soon after the last time waits for its turn."""
        if not self._wants_rebirth or now_s - self._rebirth_s < REBIRTH_AT_MOST_EVERY_S:
            return
        self._wants_rebirth, self._rebirth_s = False, now_s
        settings = self._settings
        topic = build(HostTopic(tenant=settings.tenant, core=settings.core_id, channel=HostChannel.REBIRTH))
        self._publish(topic, write(Rebirth()), qos=1, expiry_s=30.0)

    def _tell_time(self, now_s: float) -> None:
        """Tell devices that came what our clock shows: by it, and not by their own, a command comes too late."""
        if self._wants_time and now_s - self._time_s >= TIME_AT_MOST_EVERY_S and self._link is not None:
            self._wants_time, self._time_s = False, now_s
            self._link.say_online()

    def on_messages(self, batch: Sequence[Inbound]) -> None:
        """Take in a batch; the link's `on_message`. Never raises for what a message holds."""
        now_s = self._clock.monotonic()
        for message in batch:
            self.n_messages += 1
            try:
                topic = parse(message.topic)
            except TopicError as error:
                self._on_bad(message.topic[:48], str(error), message, now_s)
                continue
            match topic:
                case DeviceTopic():
                    self._on_device_message(topic, message, now_s)
                case AlarmTopic():
                    self._on_alarm(message.topic, message)

    def _on_device_message(self, topic: DeviceTopic, message: Inbound, now_s: float) -> None:
        if topic.group in OWN_GROUPS:
            self._done(message)
            return
        device_id = topic.device_id
        if not message.payload and topic.channel is not Channel.EVT:
            # A retained message was cleared.
            return
        if not self._registry.may_speak(device_id, now_s):
            self._on_bad(device_id, "It sends so much nonsense that it is not listened to for a while.", message, now_s)
            return
        try:
            self._dispatch(topic, message, now_s)
        except PayloadError as error:
            self._messages.note(device_id, message, str(error))
            self._on_bad(device_id, str(error), message, now_s)
            return
        self._messages.note(device_id, message)

    def _dispatch(self, topic: DeviceTopic, message: Inbound, now_s: float) -> None:
        if topic.channel is Channel.LOG:
            return
        value = decode(message.payload)
        payload, is_timed = _checked(value, topic.channel, message)
        if self._is_of_before_removal(topic, payload, message):
            self._done(message)
            return
        tracked = self._registry.track(topic.device_id, now_s=now_s)
        if tracked is None:
            self._done(message)
            return
        if not tracked.device.is_enabled:
            # Its events stay unacknowledged end to end, so that its outbox keeps them; the hop is done with.
            self._done(message)
            return
        is_live = not message.is_retained
        match payload:
            case Birth():
                self._registry.on_birth(tracked, payload, value, received_at=message.received_at, is_live=is_live)
            case Status():
                self._on_status(tracked, payload, message, is_live)
            case CommandResult():
                self._commands.on_result(topic.device_id, payload)
            case TwinState():
                self._twins.on_reported(topic.device_id, payload, message.received_at, is_retained=message.is_retained)
            case Envelope() if topic.channel is Channel.EVT:
                self._on_event(tracked, payload, message, now_s, is_timed=is_timed)
            case Envelope():
                self._on_values(tracked, topic.stream, payload, message)
        if is_live and isinstance(payload, Birth | Status):
            self._on_introduction(tracked, payload, message, now_s)
        if is_live and not isinstance(payload, Status):
            sent_at = payload.ts if isinstance(payload, Envelope) and is_timed and not payload.hist else None
            self._registry.on_alive(tracked, now_s=now_s, received_at=message.received_at, sent_at=sent_at)

    def _is_of_before_removal(self, topic: DeviceTopic, payload: Payload, message: Inbound) -> bool:
        """Tell whether a removed device left this behind, and take it away; what it says since brings it back."""
        gone_at = self._clearing.gone_at(topic.device_id)
        if gone_at is None:
            return False
        # A goodbye stands on the broker also where we hear it live.
        is_left = message.is_retained or (isinstance(payload, Status) and payload.state != "online")
        if not is_from_before(getattr(payload, "ts", None), gone_at, is_retained=is_left):
            self._clearing.come_back(topic.device_id)
            return False
        if topic.channel in _RETAINED:
            self._publish(message.topic, b"", qos=1, is_retained=True)
        return True

    def _on_status(self, tracked: Tracked, status: Status, message: Inbound, is_live: bool) -> None:
        self._registry.on_status(tracked, status, received_at=message.received_at, is_live=is_live)
        if is_live and status.state == "online":
            self._registry.on_alive(
                tracked, now_s=self._clock.monotonic(), received_at=message.received_at, sent_at=None
            )

    def _on_introduction(self, tracked: Tracked, payload: Birth | Status, message: Inbound, now_s: float) -> None:
        # A last will was written when the connection began, and speaks long after.
        is_will = isinstance(payload, Status) and payload.state == "lost"
        if payload.ts is not None and not is_will:
            self._registry.on_clock(tracked, payload.ts, message.received_at)
        self._wants_time |= isinstance(payload, Birth)
        sequence = self._sequences.get(tracked.device.device_id)
        if sequence is not None and (isinstance(payload, Birth) or payload.state == "online"):
            sequence.on_introduction(now_s)

    def _on_values(self, tracked: Tracked, stream: str, envelope: Envelope, message: Inbound) -> None:
        found = self._registry.on_values(
            tracked, stream, envelope, received_at=message.received_at, is_retained=message.is_retained
        )
        if found is None:
            return
        reading, is_newest = found
        # The last value that stands on the broker is shown with its age; what else comes late is only stored.
        if is_newest and (message.is_retained or not reading.is_history):
            self._tell(reading, tracked)
        elif reading.is_history and not message.is_retained:
            self._bus.publish(LateReading(tracked.kind.key, reading))
        if not message.is_retained:
            # A retained one was stored when it was live, or by the run before.
            self._keep_reading(reading)

    def _tell(self, reading: Reading, tracked: Tracked) -> None:
        """Tell of a reading at once, or with the next tick where its stream was told of since the last one."""
        key = (reading.device_id, reading.stream)
        if key in self._told:
            self._fresh[key] = reading
            return
        self._told.add(key)
        self._bus.publish(ReadingReceived(tracked.kind.key, reading))

    def _keep_reading(self, reading: Reading) -> None:
        if len(self._to_write) >= MAX_READINGS_WAITING:
            self._lose_readings(1)
            return
        self._to_write[_key_of(reading)] = reading

    def _lose_readings(self, n_readings: int) -> None:
        self._losses = replace(self._losses, n_readings=self._losses.n_readings + n_readings)

    def _on_bad(self, source: str, sentence: str, message: Inbound, now_s: float) -> None:
        self._done(message)
        if self._registry.on_bad(source, sentence, received_at=message.received_at, now_s=now_s):
            log.warning("a message of %s cannot be used: %s (more of it is only counted)", source, sentence)

    def _done(self, message: Inbound) -> None:
        if message.mid is not None and self._link is not None:
            self._link.acknowledge([message])

    # -- events: commit, then acknowledge -------------------------------------------------------------------------

    def _on_event(
        self, tracked: Tracked, envelope: Envelope, message: Inbound, now_s: float, *, is_timed: bool
    ) -> None:
        if not is_timed:
            self._note_untimed(tracked, envelope, message, now_s)
        if envelope.seq is None:
            self._on_unnumbered_event(tracked, envelope, message, now_s, is_timed=is_timed)
            return
        device_id = tracked.device.device_id
        sequence = self._sequences.setdefault(device_id, EventSequence())
        boot = envelope.boot or sequence.made_up_boot
        event = self._event_of(tracked, envelope, message, seq=envelope.seq, boot=boot)
        if not envelope.boot and device_id in self._reused:
            # Before it is known whether it counts anew, nothing of it has its place.
            self._done(message)
            self._note_reused(event)
            return
        n_resets, n_skipped = sequence.n_resets, sequence.n_skipped
        arrival, ready = sequence.offer(event, now_s)
        if sequence.n_resets != n_resets:
            self._stored.pop(device_id, None)
            log.warning("%s began to count its events anew at %d", device_id, event.seq)
        self._tell_skipped(device_id, sequence.n_skipped - n_skipped)
        if (
            arrival in (Arrival.IN_ORDER, Arrival.HELD)
            and is_timed
            and not event.is_history
            and not tracked.clock.is_of_before(envelope.boot)
        ):
            self._registry.on_clock(tracked, envelope.ts, message.received_at)
        # The hop to the broker is done with; what is missing end to end, the device sends again.
        if arrival is not Arrival.IN_ORDER:
            self._done(message)
        if arrival is Arrival.DUPLICATE:
            self.n_duplicates += 1
            self._gap_acks.setdefault(device_id, now_s + LOOK_EVERY_S)
            self._repeated[device_id] = _Stored(event.seq, event.boot)
            if not envelope.boot and sequence.is_newer(event):
                self._note_reused(event)
        if arrival is Arrival.HELD:
            self._gap_acks.setdefault(device_id, now_s + GAP_ACK_AFTER_S)
        if arrival in (Arrival.HELD, Arrival.TURNED_AWAY) and calls_operator(event):
            self._note_that_it_calls(event, now_s)
        self._queue_events(ready, message)

    def _event_of(self, tracked: Tracked, envelope: Envelope, message: Inbound, *, seq: int, boot: str) -> FieldEvent:
        return FieldEvent(
            device_id=tracked.device.device_id,
            seq=seq,
            event_id=envelope.id,
            event_type=envelope.type,
            at=min(envelope.ts, message.received_at),
            received_at=message.received_at,
            boot=boot,
            is_good=envelope.q is Quality.GOOD and self._registry.is_trusted(tracked, envelope, message.received_at),
            is_history=self._registry.is_late_event(tracked, envelope, message.received_at),
            data=envelope.data,
            stream=envelope.stream,
        )

    def _note_untimed(self, tracked: Tracked, envelope: Envelope, message: Inbound, now_s: float) -> None:
        """Count an event whose time the grammar refuses, and which has the time of its arrival.

        Raises:
            PayloadError: It calls nobody.
        """
        if not calls_operator(self._event_of(tracked, envelope, message, seq=UNNUMBERED, boot="")):
            raise PayloadError("An event needs the field 'ts'.")
        device_id, said = tracked.device.device_id, f"{_UNTIMED}: it calls, with the time at which it arrived."
        if self._registry.on_bad(device_id, said, received_at=message.received_at, now_s=now_s):
            log.warning("%s: %s (more of it is only counted)", device_id, said)

    def _on_unnumbered_event(
        self, tracked: Tracked, envelope: Envelope, message: Inbound, now_s: float, *, is_timed: bool
    ) -> None:
        """Count an event that the grammar refuses, and call for it all the same: somebody may need help.

        Raises:
            PayloadError: It calls nobody.
        """
        # What is the same in every byte is one event that was sent again.
        # Without a time it may as well be the next one, which has to call.
        when = b"" if is_timed else format_at(message.received_at).encode()
        digest = hashlib.sha256(message.payload + when).hexdigest()[:32]
        event = self._event_of(tracked, envelope, message, seq=UNNUMBERED, boot=digest)
        if not calls_operator(event):
            raise PayloadError("An event needs the field 'seq'.")
        sentence = "An alert came without the field 'seq': it calls, but what is lost of this device nobody notices."
        # What has no time either is counted already.
        if is_timed and self._registry.on_bad(event.device_id, sentence, received_at=message.received_at, now_s=now_s):
            log.warning("%s: %s (more of it is only counted)", event.device_id, sentence)
        if len(self._ahead) >= MAX_EVENTS_WAITING:
            self._done(message)
            self._tell_lost(event.device_id, 1, "The database is away, and too many alerts wait for it.")
            return
        self._ahead.append((event, message))
        self._has_events.set()

    def _note_that_it_calls(self, event: FieldEvent, now_s: float) -> None:
        if len(self._may_call) < MAX_EVENTS_WAITING:
            key = (event.device_id, event.seq, event.boot)
            self._may_call.setdefault(key, (now_s + CALLS_AHEAD_AFTER_S, event))

    def _note_reused(self, event: FieldEvent) -> None:
        doubtful = self._reused.setdefault(event.device_id, {})
        if len(doubtful) < MAX_REUSED:
            doubtful.setdefault(event.seq, event)

    async def _look_up_reused(self) -> None:
        """Tell repetitions from the events of a device that counts anew and does not say that it started.

        Raises:
            UnavailableError: The database is away; they wait on.
        """
        for device_id, doubtful in list(self._reused.items()):
            stored = self._stored.get(device_id)
            asked = [event for event in doubtful.values() if stored is not None and event.seq <= stored.seq]
            if not asked:
                # What they may repeat is on its way to the database.
                continue
            reused = await self._store.read(partial(rows.find_reused, events=asked))
            with_come_since = self._reused.pop(device_id, {})
            if reused:
                self._begin_made_up_start(device_id)
            self._offer_doubtful(device_id, with_come_since)

    def _begin_made_up_start(self, device_id: str) -> None:
        sequence = self._sequences[device_id]
        sequence.begin_anew()
        sequence.made_up_boot = f"{MADE_UP}{new_id()}"
        self._stored.pop(device_id, None)
        # What was doubted of it is answered.
        self._repeated.pop(device_id, None)
        self._doubted.pop(device_id, None)
        self._gap_acks.pop(device_id, None)
        log.warning("%s began to count its events anew and tells no start", device_id)

    def _offer_doubtful(self, device_id: str, events: Mapping[int, FieldEvent]) -> None:
        sequence, now_s = self._sequences[device_id], self._clock.monotonic()
        for _, told in sorted(events.items()):
            event = replace(told, boot=sequence.made_up_boot)
            n_skipped = sequence.n_skipped
            arrival, ready = sequence.offer(event, now_s)
            self._tell_skipped(device_id, sequence.n_skipped - n_skipped)
            if arrival is Arrival.HELD and calls_operator(event):
                self._note_that_it_calls(event, now_s)
            self._events += [(one, None) for one in ready]
        self._has_events.set()

    def _call_ahead(self, now_s: float) -> None:
        """Let what calls wait no longer for what is missing before it: its order is kept for everything else."""
        due = [key for key, (due_s, _) in self._may_call.items() if now_s >= due_s]
        for key in due:
            _, event = self._may_call.pop(key)
            sequence = self._sequences.get(event.device_id)
            if sequence is not None and sequence.is_missing_before(event.seq):
                self._ahead.append((replace(event, is_ahead=True), None))
                self._has_events.set()

    def _queue_events(self, ready: Sequence[FieldEvent], message: Inbound) -> None:
        if not ready:
            return
        if len(self._events) + len(ready) > MAX_EVENTS_WAITING:
            self._done(message)
            self._forget_waiting_events()
            return
        # Those that were held had their own messages, which are done with.
        self._events += [(event, None) for event in ready[:-1]]
        self._events.append((ready[-1], message))
        self._has_events.set()

    def _forget_waiting_events(self) -> None:
        """The database has been away for so long that memory would fill: the devices keep what we let go."""
        log.error("%d events could not be stored for too long; their devices will send them again", len(self._events))
        self._release_hop()
        for device_id, sequence in self._sequences.items():
            stored = self._stored.get(device_id)
            # A write that runs either succeeds or puts its events back.
            sequence.forget_untaken(self._in_write.get(device_id, None if stored is None else stored.seq))
        self._events.clear()

    def _release_hop(self) -> None:
        """Acknowledge to the broker what waits for the database, or its window fills and live state stops as well."""
        if self._link is not None:
            waiting = (*self._ahead, *self._events)
            self._link.acknowledge(message for _, message in waiting if message is not None)
        self._events = [(event, None) for event, _ in self._events]
        self._ahead = [(event, None) for event, _ in self._ahead]

    async def _write_events(self) -> None:
        await self._has_events.wait()
        self._has_events.clear()
        if self._clock.monotonic() - self._stored_s < GATHER_S:
            # Many come: one transaction for several of them. A single one is not held up.
            await asyncio.sleep(GATHER_S)
        n_most = EVENTS_PER_WRITE
        while self._events or self._ahead:
            try:
                await self._write_ahead()
                await self._write_some_events(n_most)
            except UnavailableError:
                self._release_hop()
                await asyncio.sleep(WRITE_PAUSE_S)
            except SQLAlchemyError:
                if n_most > 1:
                    # One of them cannot be stored: find it.
                    n_most = 1
                    continue
                event, message = self._events.pop(0)
                if message is not None:
                    self._done(message)
                log.exception("the event %d of %s cannot be stored: %r", event.seq, event.device_id, event.data)
                self._tell_lost(event.device_id, 1, f"The database refuses the event {event.seq}; the log holds it.")

    async def _write_ahead(self) -> None:
        """Store what has no turn, or comes out of it: no cursor moves and nothing is acknowledged end to end.

        Raises:
            UnavailableError: The database is away; they wait on.
        """
        batch, self._ahead = self._ahead, []
        by_id = {event.device_id: self._registry.get(event.device_id) for event, _ in batch}
        unsaved = [tracked for tracked in by_id.values() if tracked is not None and not tracked.is_stored]
        new = [rows.device_values(tracked) for tracked in unsaved]
        now = self._clock.now()

        def store(session: Session, events: Sequence[FieldEvent]) -> None:
            rows.insert_devices(session, new, now)
            rows.insert_events(session, events)

        try:
            refused = await self._store.write_each([event for event, _ in batch], store)
        except BaseException:
            self._ahead[:0] = batch
            raise
        if not refused:
            for tracked in unsaved:
                tracked.is_stored = True
        for event, message in batch:
            if message is not None:
                self._done(message)
            if event not in refused:
                self._bus.publish(EventCameAhead(event))
            elif event.is_unnumbered:
                # Others are kept by their device, and come in their turn.
                self._tell_lost(event.device_id, 1, "The database refuses it; the log holds it.")

    async def _write_some_events(self, n_most: int = EVENTS_PER_WRITE) -> None:
        """Store the oldest events and tell their devices.

        Raises:
            UnavailableError: The database is away; the events wait on.
            SQLAlchemyError: One of them cannot be stored; all wait on.
        """
        batch = self._events[:n_most]
        if not batch:
            return
        del self._events[: len(batch)]
        events = [event for event, _ in batch]
        cursors = {event.device_id: event.seq for event in events}
        n_resets = {device_id: self._n_resets(device_id) for device_id in cursors}
        self._in_write = cursors
        try:
            readings = await self._store_events(events, cursors)
        except BaseException:
            self._events[:0] = batch
            raise
        finally:
            self._in_write = {}
        self.n_events += len(batch)
        for event in events:
            # A device that began anew meanwhile counts from the beginning: this was its outbox before.
            if self._n_resets(event.device_id) == n_resets[event.device_id]:
                self._stored[event.device_id] = _Stored(event.seq, event.boot)
        if self._link is not None:
            self._link.acknowledge(message for _, message in batch if message is not None)
        self._stored_s = self._clock.monotonic()
        self._acknowledge_stored(events)
        for event in events:
            found = self._registry.get(event.device_id)
            self._bus.publish(FieldEventReceived(found.kind.key if found else "other", event))
        for reading in readings:
            found = self._registry.get(reading.device_id)
            self._bus.publish(LateReading(found.kind.key if found else "other", reading))

    def _n_resets(self, device_id: str) -> int:
        sequence = self._sequences.get(device_id)
        return 0 if sequence is None else sequence.n_resets

    async def _store_events(self, events: Sequence[FieldEvent], cursors: Mapping[str, int]) -> list[Reading]:
        """Store events, what they measured, how far they go and their devices; returns what they measured."""
        readings = [reading for reading in map(self._reading_of, events) if reading is not None]
        unsaved = [tracked for tracked in map(self._registry.get, cursors) if tracked and not tracked.is_stored]
        now = self._clock.now()
        new = [rows.device_values(tracked) for tracked in unsaved]

        def store(session: Session) -> None:
            rows.insert_devices(session, new, now)
            rows.insert_events(session, events)
            rows.insert_readings(session, readings)
            session.execute(
                update(DeviceRow.__table__)  # type: ignore[arg-type]
                .where(DeviceRow.__table__.c.device_id == bindparam("b_device_id"))
                .values(event_seq=bindparam("b_seq")),
                [{"b_device_id": device_id, "b_seq": seq} for device_id, seq in cursors.items()],
            )

        await self._store.write(store)
        for tracked in unsaved:
            tracked.is_stored = True
        return readings

    def _reading_of(self, event: FieldEvent) -> Reading | None:
        """Return the reading that a device kept in its outbox while nobody listened."""
        tracked = self._registry.get(event.device_id)
        if tracked is None or not event.stream:
            return None
        try:
            values = tracked.kind.read(event.event_type, event.data)
        except PayloadError as error:
            self._registry.on_bad(
                event.device_id, str(error), received_at=event.received_at, now_s=self._clock.monotonic()
            )
            return None
        if not values:
            return None
        return Reading(
            device_id=event.device_id,
            stream=event.stream,
            at=event.at,
            values=values,
            is_good=event.is_good,
            is_history=True,
        )

    def _acknowledge_stored(self, events: Iterable[FieldEvent]) -> None:
        now_s = self._clock.monotonic()
        for event in events:
            self._acks.setdefault(event.device_id, _Ack()).n_untold += 1
        for device_id in {event.device_id for event in events}:
            ack = self._acks[device_id]
            if ack.n_untold >= ACK_AFTER_N or now_s - ack.told_s >= ACK_EVERY_S:
                self._acknowledge_device(device_id)

    def _tell_due_acks(self, now_s: float) -> None:
        for device_id, ack in self._acks.items():
            if ack.n_untold and now_s - ack.told_s >= ACK_EVERY_S:
                self._acknowledge_device(device_id)

    def _acknowledge_device(self, device_id: str) -> None:
        """Tell a device up to where its events are stored."""
        stored = self._stored.get(device_id)
        if device_id in self._reused:
            # It would take that for what it says now.
            return
        if stored is None or self._registry.get(device_id) is None:
            # Who was removed is told when it speaks again; nothing must stand there until then.
            return
        ack = self._acks.setdefault(device_id, _Ack())
        ack.n_untold, ack.told_s = 0, self._clock.monotonic()
        self._publish_ack(device_id, stored, is_retained=True)

    def _acknowledge_repeated(self, device_id: str) -> None:
        """Tell a device that has what it sent again: it may not remember that it ever sent what came after."""
        if device_id in self._reused:
            # It may be another event that has this number.
            return
        repeated, stored = self._repeated.pop(device_id, None), self._stored.get(device_id)
        if repeated is None or stored is None or repeated.seq > stored.seq:
            return
        if repeated.boot != stored.boot:
            self._doubted[device_id] = repeated
        elif repeated.seq < stored.seq:
            self._publish_ack(device_id, repeated, is_retained=False)

    async def _look_up_doubted(self) -> None:
        """Tell repetitions from the events of another memory whose clock is behind: those the database never saw.

        Raises:
            UnavailableError: The database is away; what is not acknowledged comes again.
        """
        doubted, self._doubted = self._doubted, {}
        if not doubted:
            return
        keys = [(device_id, said.seq, said.boot) for device_id, said in doubted.items()]
        known = await self._store.read(lambda session: rows.find_events(session, keys))
        for key in keys:
            device_id, seq, boot = key
            if not boot and self._sequences[device_id].made_up_boot:
                continue  # That it counts anew was found meanwhile.
            if key in known:
                self._publish_ack(device_id, doubted[device_id], is_retained=False)
                continue
            self._sequences[device_id].begin_anew()
            self._stored.pop(device_id, None)
            log.warning("%s began to count its events anew before %d", device_id, seq)

    def _publish_ack(self, device_id: str, stored: _Stored, *, is_retained: bool) -> None:
        host, epoch = self._settings.core_id, self._outbox.epoch
        now_ms = int(self._clock.now().timestamp() * 1000)
        boot = "" if stored.boot.startswith(MADE_UP) else stored.boot
        payload = write(EvtAck(ack=stored.seq, boot=boot, host=host, epoch=epoch, timestamp=now_ms))
        topic = device_topic(self._settings.tenant, device_id, Channel.EVT_ACK)
        self._publish(topic, payload, qos=1, is_retained=is_retained)

    def _mend_gaps(self, now_s: float) -> None:
        for device_id, due_s in list(self._gap_acks.items()):
            if now_s >= due_s and device_id not in self._reused:
                del self._gap_acks[device_id]
                self._acknowledge_device(device_id)
                self._acknowledge_repeated(device_id)
        for device_id, sequence in self._sequences.items():
            if sequence.gap_age_s(now_s) is not None:
                self._mend_gap(device_id, sequence, now_s)

    def _mend_gap(self, device_id: str, sequence: EventSequence, now_s: float) -> None:
        tracked = self._registry.get(device_id)
        if not self._hears or tracked is None or tracked.device.state is not DeviceState.ONLINE:
            sequence.wait_on(now_s)
            return
        n_skipped = sequence.n_skipped
        ready = sequence.give_up_old_gap(now_s, heard_s=tracked.seen_s)
        if ready:
            self._tell_skipped(device_id, sequence.n_skipped - n_skipped)
            self._events += [(event, None) for event in ready]
            self._has_events.set()

    def _tell_skipped(self, device_id: str, n_skipped: int) -> None:
        if n_skipped:
            self._tell_lost(device_id, n_skipped, "It was heard for a while, and no longer had them.")

    def _tell_lost(self, device_id: str, n_events: int, reason: str) -> None:
        self._losses = replace(self._losses, n_events=self._losses.n_events + n_events)
        log.error("%d events of %s are lost: %s", n_events, device_id, reason)
        self._bus.publish(EventsLost(device_id, n_events, reason))

    # -- what moves by itself -------------------------------------------------------------------------------------

    async def _turn_forever(self) -> None:
        while True:
            self._turn()
            await asyncio.sleep(TICK_S)

    async def _write_forever(self) -> None:
        # Apart from the turns: a database that is away holds up nothing but what is for it.
        while True:
            self._has_to_write.clear()
            await self._write_what_is_due()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._has_to_write.wait(), WRITE_EVERY_S)

    async def tick(self) -> None:
        """Turn once, and write what waits."""
        self._turn()
        await self._write_what_is_due()

    def _watch_clock(self, now_s: float) -> None:
        """Notice that the clock was set back: by what it showed before, devices take every command for too late."""
        ahead_s = self._clock.now().timestamp() - now_s
        if ahead_s < self._clock_ahead_s - SET_BACK_S:
            log.warning("the clock was set back by %.1f s: a new epoch begins", self._clock_ahead_s - ahead_s)
            self._clock_ahead_s, self._was_set_back = ahead_s, True
            self._has_to_write.set()
        self._clock_ahead_s = max(self._clock_ahead_s, ahead_s)

    async def _begin_epoch(self) -> None:
        if not self._was_set_back or self._link is None:
            return
        await self._outbox.begin_epoch()
        self._was_set_back = False
        self._link.begin_epoch(self._outbox.epoch)
        self._tick_commands()

    def _tick_commands(self) -> None:
        """Send commands; none before devices heard of a new epoch, or they would take it for too late."""
        self._commands.tick(is_connected=self._was_connected and not self._was_set_back)

    async def _write_what_is_due(self) -> None:
        with contextlib.suppress(UnavailableError):
            await self._begin_epoch()
        with contextlib.suppress(UnavailableError):
            await self._write_readings()
        with contextlib.suppress(UnavailableError):
            await self._look_up_doubted()
        with contextlib.suppress(UnavailableError):
            await self._look_up_reused()

    def _turn(self) -> None:
        """Publish what is fresh, look after silence, gaps, commands and the link."""
        now_s = self._clock.monotonic()
        self._watch_clock(now_s)
        fresh, self._fresh = self._fresh, {}
        self._told = set(fresh)
        for reading in fresh.values():
            tracked = self._registry.get(reading.device_id)
            self._bus.publish(ReadingReceived(tracked.kind.key if tracked else "other", reading))
        self._tick_commands()
        self._tell_due_acks(now_s)
        self._call_ahead(now_s)
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._look(now_s)
        for device in self._registry.take_changed():
            self._bus.publish(DeviceChanged(device))

    def _look(self, now_s: float) -> None:
        if self._link is not None:
            self._link.watch()
        if self._hears:
            self._registry.check_silence(now_s, self._clock.now())
            self._ask_for_births(now_s)
            self._tell_time(now_s)
        self._mend_gaps(now_s)
        self._clear_closed_alarms(now_s)
        self._clearing.send_some()
        counted = self._registry.take_counted()
        for device in counted:
            self._bus.publish(DeviceChanged(device))
        if now_s - self._kept_s >= KEEP_SEEN_EVERY_S:
            self._registry.keep_seen(since=self._kept_at)
            self._kept_s, self._kept_at = now_s, self._clock.now()

    async def _write_readings(self) -> None:
        """Write the devices that changed and the readings that wait.

        Raises:
            UnavailableError: The database is away; all of it waits on, as far as there is room.
        """
        unsaved = self._registry.take_unsaved()
        try:
            # In parts: who signs in meanwhile, or an alarm, waits for one of them and not for ten thousand devices.
            while len(unsaved) > DEVICES_PER_WRITE:
                part, unsaved = unsaved[:DEVICES_PER_WRITE], unsaved[DEVICES_PER_WRITE:]
                await self._write(self._as_they_are(part))
        except (UnavailableError, asyncio.CancelledError):
            self._registry.put_back(unsaved)
            raise
        readings, self._to_write = list(self._to_write.values()), {}
        waiting = replace(
            self._as_they_are(unsaved),
            readings=readings,
            twins=self._twins.take_unsaved(),
            clearing=self._clearing.take_unsaved(),
        )
        if waiting:
            await self._write(waiting)

    def _as_they_are(self, unsaved: Iterable[Tracked]) -> _Unwritten:
        """Return the devices with what they are now, apart from those that were removed meanwhile."""
        still = (tracked for tracked in unsaved if self._registry.get(tracked.device.device_id) is tracked)
        return _Unwritten(devices=[(tracked, rows.device_values(tracked)) for tracked in still])

    async def _write(self, waiting: _Unwritten) -> None:
        parts = waiting.parts()
        for number, part in enumerate(parts):
            try:
                await self._write_part(part, self._clock.now())
            except (UnavailableError, asyncio.CancelledError):
                for left in reversed(parts[number:]):
                    self._put_back(left)
                raise

    async def _write_part(self, part: _Unwritten, now: datetime) -> None:
        def store(session: Session) -> None:
            _save_devices(session, part.devices, now)
            rows.insert_readings(session, part.readings)
            save_reported(session, part.twins)
            save_clearing(session, part.clearing)

        try:
            await self._store.write(store)
        except SQLAlchemyError:
            await self._write_apart(part, now)
        else:
            _mark_stored(part.devices)

    async def _write_apart(self, waiting: _Unwritten, now: datetime) -> None:
        """Something of it cannot be stored: find it, and store the rest."""
        each = self._store.write_each
        refused = await each(waiting.devices, lambda session, some: _save_devices(session, some, now))
        refused_ids = {tracked.device.device_id for tracked, _ in refused}
        _mark_stored([one for one in waiting.devices if one[0].device.device_id not in refused_ids])
        self._lose_readings(len(await each(waiting.readings, rows.insert_readings)))
        await each(waiting.twins, save_reported)
        await each([waiting.clearing], lambda session, some: save_clearing(session, some[0]))

    def _put_back(self, waiting: _Unwritten) -> None:
        self._registry.put_back(tracked for tracked, _ in waiting.devices)
        self._twins.put_back(waiting.twins)
        self._clearing.put_back(waiting.clearing)
        readings = {_key_of(reading): reading for reading in waiting.readings} | self._to_write
        self._to_write = dict(itertools.islice(readings.items(), MAX_READINGS_WAITING))
        self._lose_readings(len(readings) - len(self._to_write))

    # -- helpers --------------------------------------------------------------------------------------------------

    async def _change(self, actor: Actor, device_id: str, expect_version: int, change: Change) -> Device:
        tracked = self._tracked(device_id)
        seen = DeviceAt(device_id=device_id, version=expect_version)
        stored = await self._inventory.change(actor, seen, change)
        tracked.is_stored = True
        device = self._registry.replace_device(stored)
        self._registry.take_changed()
        self._bus.publish(DeviceChanged(device))
        return device

    def _tracked(self, device_id: str) -> Tracked:
        tracked = self._registry.get(device_id)
        if tracked is None:
            raise BadInputError(f"There is no device {device_id[:80]!r}.")
        return tracked

    def _rebuild(self, device_id: str, birth: dict[str, Any]) -> None:
        tracked = self._registry.get(device_id)
        with contextlib.suppress(PayloadError):
            if tracked is not None:
                self._registry.on_birth(
                    tracked, check(birth, Birth), birth, received_at=self._clock.now(), is_live=False
                )

    def _publish(
        self, topic: str, payload: bytes, *, qos: int, is_retained: bool = False, expiry_s: float | None = None
    ) -> None:
        if self._link is not None:
            self._link.publish(topic, payload, qos=qos, is_retained=is_retained, expiry_s=expiry_s)

    def _send_command(self, topic: str, payload: bytes, *, expiry_s: float, reply: ReplyTo) -> bool:
        link = self._link
        return link is not None and link.publish(topic, payload, qos=1, expiry_s=expiry_s, reply=reply)


_RETAINED = (
    Channel.BIRTH,
    Channel.STATUS,
    Channel.STATE,
    Channel.EVT_ACK,
    Channel.TWIN_DESIRED,
    Channel.TWIN_REPORTED,
)


def _checked(value: dict[str, Any], channel: Channel, message: Inbound) -> tuple[_Said, bool]:
    """Check what a device says.

    Returns:
        What it says, and whether its time is its own: an event whose time cannot be used has that of its arrival.

    Raises:
        PayloadError: It cannot be used.
    """
    try:
        return check(value, _MODELS[channel]), True
    except PayloadError as error:
        if channel is not Channel.EVT:
            raise
        try:
            event = check({**value, "ts": message.received_at}, Envelope)
        except PayloadError:
            # It is not its time, or not its time alone.
            raise error from None
    if message.is_retained:
        raise PayloadError(f"{_UNTIMED}, and the broker kept it: nobody knows for how long, so it calls nobody.")
    return event.model_copy(update={"q": Quality.UNCERTAIN}), False


def _retained_topics(tenant: str, tracked: Tracked) -> tuple[str, ...]:
    """Return the topics on which something of a device may stand at the broker."""
    device_id = tracked.device.device_id
    plain = [device_topic(tenant, device_id, channel) for channel in _RETAINED if channel is not Channel.STATE]
    return (*plain, *(device_topic(tenant, device_id, Channel.STATE, stream) for stream in tracked.newest))


def _save_devices(session: Session, devices: Sequence[tuple[Tracked, dict[str, Any]]], now: datetime) -> None:
    rows.insert_devices(session, [values for tracked, values in devices if not tracked.is_stored], now)
    rows.update_devices(session, [values for tracked, values in devices if tracked.is_stored])


def _mark_stored(devices: Iterable[tuple[Tracked, dict[str, Any]]]) -> None:
    for tracked, _ in devices:
        tracked.is_stored = True


_Said = Birth | Status | Envelope | CommandResult | TwinState
_UNTIMED = "An event came without a time ('ts') that can be used"
_MODELS: dict[Channel, type[_Said]] = {
    Channel.BIRTH: Birth,
    Channel.STATUS: Status,
    Channel.STATE: Envelope,
    Channel.TELE: Envelope,
    Channel.EVT: Envelope,
    Channel.CMD_RES: CommandResult,
    Channel.TWIN_REPORTED: TwinState,
}
