"""Field devices: traffic stations, parking gateways and whatever else speaks MQTT."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.kernel.geo import GeoPoint

OVERFLOW = "OutboxOverflow"
"""Type of the event by which a device says that its outbox was full; its data has `dropped`, a number of messages."""


ALERT = "Alert"
"""Type of the event by which a device calls an operator: FIWARE Smart Data Models, Alert."""

INFORMATIONAL = "informational"
"""Severity of an alert that is only kept."""


class DeviceState(StrEnum):
    """What is known about a device's link."""

    UNKNOWN = "unknown"
    """What is known was not confirmed since the node, or its link to the broker, came back."""

    ONLINE = "online"
    STALE = "stale"
    """It said nothing for longer than its kind may stay silent."""

    LOST = "lost"
    """Its last will was published."""

    OFFLINE = "offline"
    """It said goodbye."""

    DISABLED = "disabled"


class LinkState(StrEnum):
    """What is known about the link to the broker."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    STALE = "stale"
    """Connected, but our own ping does not come back."""

    DOWN = "down"
    REFUSED = "refused"


UNIT_PREFIX = "unit/"
"""How the ids of devices begin that units carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One field device.

    Attributes:
        device_id: "{group}/{device}" of its topics.
        kind: Key of its device kind: "station", "lot", …
        site: Where it belongs, in the operators' words; empty where nobody said.
        tags: Words under which people want to find it.
        n_bad_messages: Payloads that could not be used since the node started.
        commands: Names of those it says it obeys.
        skew_s: Its clock minus ours; None until it was measured. Beyond 5 s its values are uncertain.
    """

    device_id: str
    kind: str
    name: str
    state: DeviceState = DeviceState.UNKNOWN
    is_enabled: bool = True
    position: GeoPoint | None = None
    site: str = ""
    tags: tuple[str, ...] = ()
    last_seen_at: datetime | None = None
    state_since: datetime | None = None
    firmware: str = ""
    n_messages: int = 0
    n_bad_messages: int = 0
    last_error: str = ""
    skew_s: float | None = None
    commands: tuple[str, ...] = ()
    version: int = 1

    @property
    def is_new(self) -> bool:
        """Nobody has named, placed, enabled or disabled it yet."""
        return self.version == 1


def is_unit(device: Device) -> bool:
    """Return whether a device says where a unit is: its group is the units'."""
    return device.device_id.startswith(UNIT_PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedDevice:
    """A device that somebody removed and nobody put back.

    Attributes:
        removal_id: What puts it back.
        is_back: It speaks again, and is there as a new one.
    """

    removal_id: str
    device_id: str
    name: str
    kind: str
    site: str
    removed_at: datetime
    removed_by: str
    is_back: bool = False


class CommandStatus(StrEnum):
    """What became of a command to a device."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    RUNNING = "running"
    DONE = "done"
    REJECTED = "rejected"
    EXPIRED = "expired"
    """Its time ran out before the device got it; nobody obeys it any more."""

    FAILED = "failed"
    TIMEOUT = "timeout"
    """It was sent, and no final answer came within its time."""

    @property
    def is_final(self) -> bool:
        """Nothing more will come."""
        return self not in (CommandStatus.QUEUED, CommandStatus.ACCEPTED, CommandStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCommand:
    """A command on its way to a device, or what became of it.

    Attributes:
        text: What the device said about it, or why there is no answer.
        changed_at: When it got its status.
    """

    command_id: str
    device_id: str
    name: str
    status: CommandStatus
    text: str
    sent_by: str
    created_at: datetime
    expires_at: datetime
    args: dict[str, Any] = field(default_factory=dict)
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOutcome:
    """What became of asking one device of many.

    Attributes:
        reason: Why nothing was sent; empty where `command` is on its way.
    """

    device_id: str
    reason: str = ""
    command: DeviceCommand | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredBy:
    """Who asked for one value of a twin, and when."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value that a device has not taken over.

    Attributes:
        reported: None where the device says nothing about it.
        since: When it was asked for.
        by: Who asked.
    """

    key: str
    desired: Any
    reported: Any
    since: datetime | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """What a device should be set to, and what it says it is set to.

    Attributes:
        version: Of what is desired; every change carries the version it was made on.
        answered_version: Newest desired version that the device has looked at; below `version` it still has to.
    """

    device_id: str
    desired: dict[str, Any] = field(default_factory=dict)
    desired_by: dict[str, DesiredBy] = field(default_factory=dict)
    version: int = 0
    reported: dict[str, Any] = field(default_factory=dict)
    reported_version: int = 0
    reported_at: datetime | None = None
    answered_version: int = 0

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What is desired and not reported, by key."""
        found = []
        for key, value in sorted(self.desired.items()):
            reported = self.reported.get(key)
            if key in self.reported and reported == value:
                continue
            asked = self.desired_by.get(key)
            found.append(
                Difference(
                    key=key,
                    desired=value,
                    reported=reported,
                    since=None if asked is None else asked.at,
                    by="" if asked is None else asked.by,
                )
            )
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldEvent:
    """Something a device must not lose: a count, a detection, an alarm raised at the edge.

    Attributes:
        seq: Strictly one more each time; `UNNUMBERED` where the device gave it no number.
        at: The device's own time, never later than when it was received.
        boot: Start of the device; of an event without a number what tells it from others, made of all it says.
        is_history: Late: stored and charted, never shown as new.
        is_ahead: It calls, and earlier events of its device were missing when it was stored.
        stream: Where the event carries a reading that its device kept for later: the stream it belongs to.
    """

    device_id: str
    seq: int
    event_id: str
    event_type: str
    at: datetime
    received_at: datetime
    boot: str
    is_good: bool
    is_history: bool
    data: dict[str, Any]
    stream: str = ""
    is_ahead: bool = False

    @property
    def is_at_arrival(self) -> bool:
        """Its time is that of its arrival: the device gave none that can be used, or one that lies ahead."""
        return self.at == self.received_at and not self.is_good

    @property
    def is_unnumbered(self) -> bool:
        """It has no place among the others: what is lost of such a device is never noticed."""
        return self.seq == UNNUMBERED


UNNUMBERED = -1
"""Stands for the number of an event that has none; no device can send it."""


def calls_operator(event: FieldEvent) -> bool:
    """Return whether an event calls: what a device gave up, and alerts that are neither late nor only information."""
    if event.event_type == OVERFLOW:
        return isinstance(event.data.get("dropped"), int)
    return event.event_type == ALERT and not event.is_history and event.data.get("severity") != INFORMATIONAL


@dataclass(frozen=True, slots=True, kw_only=True)
class BadSource:
    """Someone who sends what cannot be used.

    Attributes:
        source: A device's id, or the beginning of a topic that is none of ours.
    """

    source: str
    n_messages: int
    last_error: str
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The newest values of one stream of one device.

    Attributes:
        values: Numbers by the names of the device kind's quantities.
        is_good: False where the device doubts its own values or its clock is off.
        is_history: It came late: stored and charted, never announced as new.
    """

    device_id: str
    stream: str
    at: datetime
    values: dict[str, float]
    is_good: bool = True
    is_history: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLosses:
    """What the field said and the database will never hold, since the node started.

    Attributes:
        n_events: Numbered events that their devices no longer had, or that the database refused.
        n_readings: Readings for which there was no room, or that the database refused.
        n_turned_away: Messages of devices beyond the most that are followed.
    """

    n_events: int = 0
    n_readings: int = 0
    n_turned_away: int = 0

    @property
    def n_all(self) -> int:
        """All of them together; 0 where nothing was lost."""
        return self.n_events + self.n_readings + self.n_turned_away


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReport:
    """The broker link, for the health panel."""

    state: LinkState
    address: str
    protocol: str = ""
    reason: str = ""
    since: datetime | None = None
    round_trip_ms: float | None = None
    n_received: int = 0
    n_published: int = 0
    n_reconnects: int = 0
    n_outbox: int = 0
    n_overflow: int = 0
    """Messages replaced, dropped or refused because someone did not keep up."""

    is_embedded: bool = False
    certificate_ends_at: datetime | None = None
    """When the broker's certificate or our own ends, whichever is first; None without TLS."""
