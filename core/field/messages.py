"""The last messages of each device, as they came and as they were read, for whoever looks for a fault."""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from core.field.inbox import Inbound
from core.field.kinds.base import DeviceKind
from core.field.payloads import Envelope, PayloadError, check, decode
from core.field.topics import Channel, DeviceTopic, TopicError, parse

MESSAGES_EACH = 20
MESSAGES_IN_ALL = 30_000
"""The oldest go first; at 10,000 devices each has its last three at least."""

RAW_BYTES = 1024
"""What is longer is kept cut short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMessage:
    """One message of a device.

    Attributes:
        topic: What stands behind the device's id, "state/flow".
        raw: As it came; cut at `RAW_BYTES`, and what is no text is escaped.
        n_bytes: Of the whole payload.
        is_retained: It stood on the broker, from whenever that was.
        quality: As the device says; empty where it says nothing.
        sent_at: By the device's own clock.
        meaning: Names and texts of what was read in it.
        reason: Why it could not be used, a sentence; empty where it was.
    """

    at: datetime
    topic: str
    raw: str
    n_bytes: int
    is_retained: bool
    quality: str = ""
    sent_at: datetime | None = None
    meaning: tuple[tuple[str, str], ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    message: Inbound
    n_bytes: int
    reason: str


class Messages:
    """The newest messages by device.

    Threads: the owner's loop only.
    """

    def __init__(self, n_each: int = MESSAGES_EACH, n_in_all: int = MESSAGES_IN_ALL) -> None:
        """Keep `n_each` of each device, and `n_in_all` of all together."""
        self._n_each, self._n_in_all = n_each, n_in_all
        self._kept: OrderedDict[int, tuple[str, _Kept]] = OrderedDict()
        self._numbers: dict[str, deque[int]] = {}
        self._next = 0

    def note(self, device_id: str, message: Inbound, reason: str = "") -> None:
        """Keep a message; `reason` says why it could not be used."""
        n_bytes = len(message.payload)
        if n_bytes > RAW_BYTES:
            message = replace(message, payload=message.payload[:RAW_BYTES])
        numbers = self._numbers.setdefault(device_id, deque())
        if len(numbers) >= self._n_each:
            del self._kept[numbers.popleft()]
        elif len(self._kept) >= self._n_in_all:
            _, (other_id, _) = self._kept.popitem(last=False)
            others = self._numbers[other_id]
            others.popleft()
            if not others and other_id != device_id:
                del self._numbers[other_id]
        self._kept[self._next] = (device_id, _Kept(message, n_bytes, reason))
        numbers.append(self._next)
        self._next += 1

    def forget(self, device_id: str) -> None:
        """Let go of a removed device's messages."""
        for number in self._numbers.pop(device_id, ()):
            del self._kept[number]

    def of(self, device_id: str, kind: DeviceKind) -> list[DeviceMessage]:
        """Return a device's messages, newest first, read as its kind reads them."""
        kept = (self._kept[number][1] for number in reversed(self._numbers.get(device_id, ())))
        return [_read(one, kind) for one in kept]


def _read(kept: _Kept, kind: DeviceKind) -> DeviceMessage:
    message = kept.message
    try:
        topic = parse(message.topic)
    except TopicError:
        topic = None
    shown = DeviceMessage(
        at=message.received_at,
        topic="/".join(message.topic.split("/")[5:]) or message.topic,
        raw=message.payload.decode("utf-8", "backslashreplace"),
        n_bytes=kept.n_bytes,
        is_retained=message.is_retained,
        reason=kept.reason,
    )
    if not isinstance(topic, DeviceTopic) or kept.n_bytes > RAW_BYTES:
        return shown
    try:
        value = decode(message.payload)
    except PayloadError:
        return shown
    if topic.channel not in (Channel.STATE, Channel.TELE, Channel.EVT):
        return replace(shown, meaning=tuple((key, _text(item)) for key, item in value.items()))
    try:
        envelope = check(value, Envelope)
    except PayloadError:
        return shown
    return replace(
        shown,
        quality=str(envelope.q.value),
        sent_at=envelope.ts,
        meaning=(*_head(envelope), *meaning_of(kind, envelope.type, envelope.data)),
    )


def meaning_of(kind: DeviceKind, payload_type: str, data: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return names and texts of data: numbers as the kind shows them, everything else as it came."""
    try:
        values = kind.read(payload_type, data)
    except PayloadError:
        values = {}
    known = {one.key: one for one in kind.quantities}
    numbers = []
    for key, value in values.items():
        quantity = known.get(key)
        numbers.append(
            (quantity.title, f"{value:.{quantity.decimals}f} {quantity.unit}".strip())
            if quantity is not None
            else (key, f"{value:g}")
        )
    rest = {key: item for key, item in data.items() if key not in values}
    return (*numbers, *((key, _text(item)) for key, item in rest.items()))


def _head(envelope: Envelope) -> list[tuple[str, str]]:
    head = [("Type", envelope.type)] if envelope.type else []
    head += [("Number", str(envelope.seq))] if envelope.seq is not None else []
    return head


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
