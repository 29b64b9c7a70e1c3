"""Sparkplug B in: edge nodes and their devices become devices of ours, their metrics readings.

Births, data and deaths are translated into messages of our own grammar, so that all that holds for our devices (checks,
late data, silence, limits) holds for these as well. Whoever's births or sequence we missed is asked to be born again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeGuard

import msgspec

from core.field.inbox import Inbound
from core.field.kinds.base import MAX_VALUES
from core.field.payloads import PayloadError
from core.field.topics import Channel, device_topic
from core.gateway.adapter import Publish
from core.gateway.names import plain_name, slug_of
from core.gateway.sparkplug_payload import Metric, SparkplugPayload, read_payload, write_rebirth_command
from core.kernel.clock import format_at

NAMESPACE = "spBv1.0"
OUR_GROUP = "sparkplug"
MAX_NODES, MAX_MEMBERS, MAX_STREAMS = 2000, 500, 16
REBIRTH_AT_MOST_EVERY_S = 10.0
N_REBIRTHS_AT_ONCE = 20
"""So many edge nodes are asked in one second: all of them answer with everything they have."""

_TYPES = frozenset({"NBIRTH", "NDEATH", "NDATA", "DBIRTH", "DDEATH", "DDATA"})
_CONTROL = ("bdSeq", "Node Control/", "Device Control/")


@dataclass(slots=True)
class _Member:
    """An edge node itself, or one device behind it.

    Attributes:
        seq: Of the readings made of it; two of them may have been measured in the same millisecond.
        values: The newest number of each metric by stream and key; a metric that did not change is not sent again.
    """

    device_id: str
    boot: str
    seq: int = 0
    names: dict[int, str] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    places: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Node:
    """An edge node whose births we know.

    Attributes:
        bd_seq: Ties a death to the birth it ends.
        seq: Of its last message, 0..255; None after one was missed.
        members: By device name; the node itself under "".
    """

    group: str
    edge: str
    bd_seq: float | None = None
    seq: int | None = None
    is_born: bool = False
    rebirth_s: float = float("-inf")
    wants_rebirth: bool = False
    members: dict[str, _Member] = field(default_factory=dict)


class SparkplugAdapter:
    """Follows every edge node at the broker.

    Threads: the owner's loop only.
    """

    key = "sparkplug"
    title = "Sparkplug B"

    def __init__(
        self,
        *,
        tenant: str,
        to_field: Callable[[list[Inbound]], None],
        publish: Publish,
        now: Callable[[], datetime],
    ) -> None:
        """Hand what was translated to `to_field`; `publish` asks for births."""
        self._tenant = tenant
        self._to_field = to_field
        self._publish = publish
        self._now = now
        self._nodes: dict[tuple[str, str], _Node] = {}
        self._n_gaps = 0

    @property
    def filters(self) -> tuple[tuple[str, int], ...]:
        """Births, data and deaths; not the commands of others."""
        return tuple((f"{NAMESPACE}/+/{kind}/+" + ("/+" if kind[0] == "D" else ""), 1) for kind in sorted(_TYPES))

    @property
    def note(self) -> str:
        """How many it follows."""
        n_members = sum(len(node.members) for node in self._nodes.values() if node.is_born)
        gaps = f", {self._n_gaps} gaps" if self._n_gaps else ""
        return f"{n_members} devices of {sum(node.is_born for node in self._nodes.values())} edge nodes{gaps}"

    def take(self, message: Inbound) -> None:
        """Take a message of an edge node.

        Raises:
            PayloadError: It cannot be used.
        """
        parts = message.topic.split("/")
        if not all(parts) or parts[2] not in _TYPES or len(parts) != (5 if parts[2].startswith("D") else 4):
            raise PayloadError(f"The topic {message.topic[:80]!r} is none of Sparkplug B's.")
        group, kind, edge, *device = parts[1:]
        if message.is_retained:
            raise PayloadError("Sparkplug B allows no retained messages but STATE.")
        payload = read_payload(message.payload)
        node = self._node(group, edge)
        name = device[0] if device else ""
        if kind == "NDEATH":
            self._die(node, payload, message)
            return
        self._count(node, payload, starts=kind == "NBIRTH")
        if kind in ("NBIRTH", "DBIRTH"):
            self._bear(node, name, payload, message)
        elif not node.is_born or name not in node.members:
            node.wants_rebirth = True
        elif kind == "DDEATH":
            self._say_status(node.members.pop(name), "lost", message)
        else:
            self._tell(node, node.members[name], payload.metrics, payload.at, message)

    def connected(self) -> None:
        """Something was missed while the broker was away: ask those we know."""
        for node in self._nodes.values():
            node.wants_rebirth = True
            node.seq = None

    def tick(self, now_s: float) -> None:
        """Ask for the births that are missing, not everybody at once."""
        n_asked = 0
        for node in self._nodes.values():
            if not node.wants_rebirth or now_s - node.rebirth_s < REBIRTH_AT_MOST_EVERY_S:
                continue
            node.wants_rebirth, node.rebirth_s = False, now_s
            topic = f"{NAMESPACE}/{node.group}/NCMD/{node.edge}"
            self._publish(topic, write_rebirth_command(self._now()), expiry_s=REBIRTH_AT_MOST_EVERY_S)
            n_asked += 1
            if n_asked >= N_REBIRTHS_AT_ONCE:
                return

    def _node(self, group: str, edge: str) -> _Node:
        node = self._nodes.get((group, edge))
        if node is None:
            if len(self._nodes) >= MAX_NODES:
                raise PayloadError(f"There are more than {MAX_NODES} edge nodes.")
            node = self._nodes[group, edge] = _Node(group=group, edge=edge)
        return node

    def _count(self, node: _Node, payload: SparkplugPayload, *, starts: bool) -> None:
        """Follow the sequence; a gap means that something was missed, so the whole is asked for again."""
        if payload.seq is None or payload.seq > 255:
            raise PayloadError("The message has no sequence number from 0 to 255.")
        if not starts and node.seq is not None and payload.seq != (node.seq + 1) % 256:
            self._n_gaps += 1
            node.wants_rebirth = True
        node.seq = payload.seq

    def _bear(self, node: _Node, name: str, payload: SparkplugPayload, message: Inbound) -> None:
        if not name:
            node.bd_seq = _bd_seq(payload)
            node.is_born, node.wants_rebirth = True, False
            # What stood behind it before is born again, or is gone.
            for member in [node.members.pop(key) for key in tuple(node.members) if key]:
                self._say_status(member, "lost", message)
        elif not node.is_born:
            node.wants_rebirth = True
            return
        if name not in node.members and len(node.members) >= MAX_MEMBERS:
            raise PayloadError(f"The edge node {node.edge[:40]!r} has more than {MAX_MEMBERS} devices.")
        at = payload.at or message.received_at
        member = node.members[name] = _Member(
            device_id=f"{OUR_GROUP}/{slug_of(node.group, node.edge, name)}",
            boot=f"{node.bd_seq or 0:g}-{at:%Y%m%dT%H%M%S}",
        )
        member.names = {
            metric.alias: metric.name for metric in payload.metrics if metric.alias is not None and metric.name
        }
        title = f"{node.edge} {name}".strip()
        birth = {
            "name": title[:200],
            "model": f"Sparkplug B, {node.group}"[:200],
            "boot": member.boot,
            "ts": format_at(at),
        }
        self._say(member, Channel.BIRTH, birth, message)
        self._say_status(member, "online", message)
        # What a birth names holds now, whenever it was measured.
        now_true = tuple(metric if metric.is_history else replace(metric, at=None) for metric in payload.metrics)
        self._tell(node, member, now_true, payload.at, message)

    def _die(self, node: _Node, payload: SparkplugPayload, message: Inbound) -> None:
        bd_seq = _bd_seq(payload)
        if not node.is_born or (bd_seq is not None and bd_seq != node.bd_seq):
            # The last will of a start before this one.
            return
        for member in node.members.values():
            self._say_status(member, "lost", message)
        node.members.clear()
        node.is_born, node.seq = False, None

    def _tell(
        self, node: _Node, member: _Member, metrics: tuple[Metric, ...], sent_at: datetime | None, message: Inbound
    ) -> None:
        """Turn metrics into readings: what is new of a stream together with what has not changed."""
        changed: dict[str, datetime] = {}
        for metric in metrics:
            name = metric.name or member.names.get(-1 if metric.alias is None else metric.alias, "")
            if not name:
                node.wants_rebirth = True
                continue
            if name.startswith(_CONTROL) or not _is_number(metric.value):
                continue
            place = _place(member, name)
            if place is None:
                continue
            stream, key = place
            at = metric.at or sent_at or message.received_at
            if metric.is_history:
                self._say_values(member, stream, {key: metric.value}, at, message, is_history=True)
                continue
            member.values.setdefault(stream, {})[key] = metric.value
            changed[stream] = max(at, changed.get(stream, at))
        for stream, at in changed.items():
            self._say_values(member, stream, dict(member.values[stream]), at, message, is_history=False)

    def _say_values(
        self,
        member: _Member,
        stream: str,
        values: Mapping[str, float],
        at: datetime,
        message: Inbound,
        *,
        is_history: bool,
    ) -> None:
        member.seq += 1
        body = {"ts": format_at(at), "boot": member.boot, "seq": member.seq, "hist": is_history, "data": values}
        self._say(member, Channel.STATE, body, message, stream)

    def _say_status(self, member: _Member, state: str, message: Inbound) -> None:
        self._say(member, Channel.STATUS, {"state": state, "boot": member.boot}, message)

    def _say(
        self, member: _Member, channel: Channel, body: Mapping[str, object], message: Inbound, stream: str = ""
    ) -> None:
        self._to_field(
            [
                Inbound(
                    topic=device_topic(self._tenant, member.device_id, channel, stream),
                    payload=msgspec.json.encode(body),
                    qos=0,
                    is_retained=False,
                    received_at=message.received_at,
                )
            ]
        )


def _place(member: _Member, name: str) -> tuple[str, str] | None:
    """Return stream and key of a metric: the folder of its name is the stream, and a full one has a successor."""
    known = member.places.get(name)
    if known is not None:
        return known
    folder, slash, key = name.rpartition("/")
    base = plain_name(folder)[:24].strip("-") if slash else ""
    base = base or "metrics"
    taken = list(member.places.values())
    for number in range(1, MAX_STREAMS + 1):
        stream = base if number == 1 else f"{base}-{number}"
        n_there = sum(place[0] == stream for place in taken)
        if n_there < MAX_VALUES and (stream, key[:64]) not in taken:
            found = member.places[name] = (stream, key[:64])
            return found
    return None


def _bd_seq(payload: SparkplugPayload) -> float | None:
    value = next((metric.value for metric in payload.metrics if metric.name == "bdSeq"), None)
    return value if isinstance(value, float) else None


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, float)
