"""The grammar of our topics: build them, take them apart; nothing else in the program writes a slash.

`watchfloor/v1/{tenant}/{group}/{device}/{suffix}`; what the core itself says lives under groups that begin with an
underscore, which no device can be named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from core.kernel.errors import BadInputError

ROOT = "watchfloor"
VERSION = "v1"
MAX_TOPIC_CHARS = 256

OWN_GROUP = "camera"
"""The group in which this program itself stands: what its cameras measure. Nothing is read from it."""

AVAILABILITY_GROUP = "availability"
"""Ours as well: how many bays are free, for signs."""

FLEET_GROUP = "fleet"
"""Ours as well: where every drone is, for other systems."""

OWN_GROUPS = frozenset({OWN_GROUP, AVAILABILITY_GROUP, FLEET_GROUP})

_SLUG = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_ALARM_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


class TopicError(BadInputError):
    """A topic, or a part of one, is outside the grammar."""

    kind = "bad_input"


class Channel(StrEnum):
    """What a topic carries; the value is its suffix behind the device, without the stream."""

    BIRTH = "birth"
    STATUS = "status"
    STATE = "state"
    TELE = "tele"
    EVT = "evt"
    EVT_ACK = "evt/ack"
    CMD = "cmd"
    CMD_RES = "cmd/res"
    TWIN_DESIRED = "twin/desired"
    TWIN_REPORTED = "twin/reported"
    LOG = "log"


STREAMED = frozenset({Channel.STATE, Channel.TELE})
"""Channels with a stream's name behind them."""

_SUFFIXES = {channel.value: channel for channel in Channel if channel not in STREAMED}

FROM_DEVICE = (
    Channel.BIRTH,
    Channel.STATUS,
    Channel.STATE,
    Channel.TELE,
    Channel.EVT,
    Channel.CMD_RES,
    Channel.TWIN_REPORTED,
    Channel.LOG,
)


class HostChannel(StrEnum):
    """What the core says about itself."""

    STATE = "state"
    REBIRTH = "rebirth"


_HOST_SUFFIXES = {channel.value: channel for channel in HostChannel}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTopic:
    """A topic of one device.

    Attributes:
        stream: Name of the stream; empty outside `STREAMED`.
    """

    tenant: str
    group: str
    device: str
    channel: Channel
    stream: str = ""

    @property
    def device_id(self) -> str:
        """The device's id: "{group}/{device}"."""
        return f"{self.group}/{self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTopic:
    """`_host/{core}/state` or `_host/{core}/rebirth`."""

    tenant: str
    core: str
    channel: HostChannel


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmTopic:
    """`_alarm/{alarmId}`: the whole state of one alarm."""

    tenant: str
    alarm_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PingTopic:
    """`_ping/{core}`: a core talks to itself through the broker."""

    tenant: str
    core: str


Topic = DeviceTopic | HostTopic | AlarmTopic | PingTopic


def is_slug(text: str) -> bool:
    """Tell whether `text` may name a tenant, group, device, stream or core: [a-z0-9-]{1,32}."""
    return _SLUG.fullmatch(text) is not None


def build(topic: Topic) -> str:
    """Write a topic.

    Raises:
        TopicError: A part is outside the grammar; the sentence names it.
    """
    _check_slug("tenant", topic.tenant)
    head = f"{ROOT}/{VERSION}/{topic.tenant}"
    match topic:
        case DeviceTopic():
            _check_slug("group", topic.group)
            _check_slug("device", topic.device)
            tail = f"{head}/{topic.group}/{topic.device}/{topic.channel.value}"
            if topic.channel in STREAMED:
                _check_slug("stream", topic.stream)
                return f"{tail}/{topic.stream}"
            if topic.stream:
                raise TopicError(f"The channel {topic.channel.value!r} has no streams, but {topic.stream!r} was given.")
            return tail
        case HostTopic():
            _check_slug("core", topic.core)
            return f"{head}/_host/{topic.core}/{topic.channel.value}"
        case AlarmTopic():
            if _ALARM_ID.fullmatch(topic.alarm_id) is None:
                raise TopicError(f"The alarm id {topic.alarm_id[:80]!r} cannot stand in a topic.")
            return f"{head}/_alarm/{topic.alarm_id}"
        case PingTopic():
            _check_slug("core", topic.core)
            return f"{head}/_ping/{topic.core}"


@lru_cache(maxsize=65_536)
def parse(text: str) -> Topic:
    """Take a topic apart.

    Raises:
        TopicError: It is none of ours; the sentence says which part is wrong.
    """
    if len(text) > MAX_TOPIC_CHARS:
        raise TopicError(f"A topic of {len(text)} characters is longer than the {MAX_TOPIC_CHARS} the grammar allows.")
    parts = text.split("/")
    if len(parts) < 5 or parts[0] != ROOT or parts[1] != VERSION:
        raise TopicError(f"The topic {text!r} does not begin with {ROOT}/{VERSION}/tenant/group/device.")
    tenant, group = parts[2], parts[3]
    _check_slug("tenant", tenant)
    match (group, parts[4:]):
        case ("_host", [core, suffix]) if suffix in _HOST_SUFFIXES:
            _check_slug("core", core)
            return HostTopic(tenant=tenant, core=core, channel=_HOST_SUFFIXES[suffix])
        case ("_alarm", [alarm_id]) if _ALARM_ID.fullmatch(alarm_id):
            return AlarmTopic(tenant=tenant, alarm_id=alarm_id)
        case ("_ping", [core]):
            _check_slug("core", core)
            return PingTopic(tenant=tenant, core=core)
        case _:
            return _parse_device(text, tenant, group, parts[4:])


def _parse_device(text: str, tenant: str, group: str, rest: list[str]) -> DeviceTopic:
    _check_slug("group", group)
    device, suffix = rest[0], rest[1:]
    _check_slug("device", device)
    if len(suffix) == 2 and suffix[0] in (Channel.STATE.value, Channel.TELE.value):
        _check_slug("stream", suffix[1])
        return DeviceTopic(tenant=tenant, group=group, device=device, channel=Channel(suffix[0]), stream=suffix[1])
    name = "/".join(suffix)
    channel = _SUFFIXES.get(name)
    if channel is None:
        raise TopicError(f"The topic {text!r} ends in {name!r}, which the grammar does not know.")
    return DeviceTopic(tenant=tenant, group=group, device=device, channel=channel)


def address_of(channel: Channel | HostChannel) -> str:
    """Return a channel's topic with its parts as `{names}`, for people and for documents."""
    head = f"{ROOT}/{VERSION}/{{tenant}}"
    if isinstance(channel, HostChannel):
        return f"{head}/_host/{{core}}/{channel.value}"
    tail = f"{head}/{{group}}/{{device}}/{channel.value}"
    return f"{tail}/{{stream}}" if channel in STREAMED else tail


def own_address_of(group: str, channel: Channel) -> str:
    """Return the topic on which this program itself says something, with its parts as `{names}`."""
    address = address_of(channel)
    return address.replace("{group}/{device}", f"{group}/{{{OWN_DEVICES[group]}}}")


ALARM_ADDRESS = f"{ROOT}/{VERSION}/{{tenant}}/_alarm/{{alarmId}}"
FLEET_ADDRESS = f"{ROOT}/{VERSION}/{{tenant}}/{FLEET_GROUP}/{{drone}}/tele/state"
OWN_DEVICES = {OWN_GROUP: "camera", AVAILABILITY_GROUP: "lot"}
"""Of the groups in which this program itself introduces something: what stands for a device there."""

PING_ADDRESS = f"{ROOT}/{VERSION}/{{tenant}}/_ping/{{core}}"


def device_topic(tenant: str, device_id: str, channel: Channel, stream: str = "") -> str:
    """Write a topic of the device with the id "{group}/{device}".

    Raises:
        TopicError: The id is not of that form.
    """
    group, slash, device = device_id.partition("/")
    if not slash:
        raise TopicError(f"The device id {device_id[:80]!r} is not of the form group/device.")
    return build(DeviceTopic(tenant=tenant, group=group, device=device, channel=channel, stream=stream))


def subscriptions(tenant: str, core: str) -> tuple[tuple[str, int], ...]:
    """Return the filters a core listens to, each with its QoS.

    Raises:
        TopicError: The tenant or the core's name is outside the grammar.
    """
    _check_slug("tenant", tenant)
    head = f"{ROOT}/{VERSION}/{tenant}"
    filters = []
    for channel in FROM_DEVICE:
        suffix = f"{channel.value}/+" if channel in STREAMED else channel.value
        filters.append((f"{head}/+/+/{suffix}", 0 if channel in (Channel.TELE, Channel.LOG) else 1))
    filters.append((f"{head}/_alarm/+", 1))
    filters.append((build(PingTopic(tenant=tenant, core=core)), 0))
    return tuple(filters)


def _check_slug(part: str, text: str) -> None:
    if _SLUG.fullmatch(text) is None:
        raise TopicError(
            f"The {part} {text[:80]!r} is not usable in a topic.",
            hint="Use 1 to 32 of the characters a-z, 0-9 and the hyphen.",
        )
