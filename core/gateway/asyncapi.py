"""Our grammar for other people's programs: AsyncAPI 3 and JSON Schemas, made from the models that check payloads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from core.field.kinds import find_kinds
from core.field.kinds.base import KindPayload
from core.field.payloads import (
    Birth,
    Command,
    CommandResult,
    Envelope,
    EvtAck,
    HostState,
    Payload,
    Rebirth,
    Status,
    TwinState,
)
from core.field.topics import (
    ALARM_ADDRESS,
    AVAILABILITY_GROUP,
    FLEET_ADDRESS,
    OWN_GROUP,
    PING_ADDRESS,
    VERSION,
    Channel,
    HostChannel,
    address_of,
    own_address_of,
)
from core.gateway.frigate import FrigateEvent
from core.gateway.home_assistant import DiscoveryConfig
from core.gateway.sparkplug import NAMESPACE
from core.incidents.on_broker import AlarmOnBroker

DIALECT = "http://json-schema.org/draft-07/schema#"
BINDING = "0.2.0"
"""Version of AsyncAPI's mqtt binding; its mqtt5 binding is deprecated."""

SCHEMA_FOLDER = "schemas"
_SLUG = {"description": "1 to 32 of the characters a-z, 0-9 and the hyphen"}


JSON, TEXT, PROTOBUF, CAP = "application/json", "text/plain", "application/x-protobuf", "application/cap+xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How the messages of one channel travel.

    Attributes:
        model: Of its payload; None where it is no JSON object.
        is_ours: The core sends it; the others come from devices and other systems.
        is_heard: The core listens to what it sends itself, or others send it as well.
        expiry: Message expiry of MQTT 5; empty where it stays for ever.
        content_type: Of the payload.
    """

    key: str
    address: str
    model: type[Payload] | None
    is_ours: bool
    qos: int
    is_retained: bool
    title: str
    is_heard: bool = False
    expiry: str = ""
    content_type: str = JSON


def _of_our_own(group: str, what: str) -> tuple[Delivery, ...]:
    """Return what this program says of its own cameras, or of its lots for signs, as a device would."""
    of_channel: dict[Channel, tuple[str, type[Payload], str]] = {
        Channel.BIRTH: ("Birth", Birth, "introduced"),
        Channel.STATUS: ("Status", Status, "there, or not any more"),
        Channel.STATE: ("State", Envelope, "measured, with each change and every minute; nobody knows is left out"),
    }
    return tuple(
        Delivery(
            key=f"{group}{word}",
            address=own_address_of(group, channel),
            model=model,
            is_ours=True,
            is_heard=True,
            qos=1,
            is_retained=True,
            title=f"{what}: {said}.",
        )
        for channel, (word, model, said) in of_channel.items()
    )


_LINK: tuple[Delivery, ...] = (
    Delivery(
        key="birth",
        address=address_of(Channel.BIRTH),
        model=Birth,
        is_ours=False,
        qos=1,
        is_retained=True,
        title="A device describes itself: streams, commands, place, and the id of this start.",
    ),
    Delivery(
        key="status",
        address=address_of(Channel.STATUS),
        model=Status,
        is_ours=False,
        qos=1,
        is_retained=True,
        title="Online, a goodbye, or the last will. A will of an earlier start is ignored.",
    ),
    Delivery(
        key="state",
        address=address_of(Channel.STATE),
        model=Envelope,
        is_ours=False,
        qos=1,
        is_retained=True,
        title="The last value of a stream, on change and as a heartbeat.",
    ),
    Delivery(
        key="tele",
        address=address_of(Channel.TELE),
        model=Envelope,
        is_ours=False,
        qos=0,
        is_retained=False,
        expiry="10 s",
        title="Many values a second: the latest wins, any may be lost.",
    ),
    Delivery(
        key="evt",
        address=address_of(Channel.EVT),
        model=Envelope,
        is_ours=False,
        qos=1,
        is_retained=False,
        title="What must not be lost: numbered without a gap, and sent again until it is acknowledged.",
    ),
    Delivery(
        key="evtAck",
        address=address_of(Channel.EVT_ACK),
        model=EvtAck,
        is_ours=True,
        qos=1,
        is_retained=True,
        title="Events up to this number are in the database; published after the commit.",
    ),
    Delivery(
        key="cmd",
        address=address_of(Channel.CMD),
        model=Command,
        is_ours=True,
        qos=1,
        is_retained=False,
        expiry="the command's own time to live",
        title="A command. A device obeys an id once, and never after `exp`.",
    ),
    Delivery(
        key="cmdRes",
        address=address_of(Channel.CMD_RES),
        model=CommandResult,
        is_ours=False,
        qos=1,
        is_retained=False,
        expiry="60 s",
        title="What became of a command. What a broken line may have lost, a device says again when it is back.",
    ),
    Delivery(
        key="twinDesired",
        address=address_of(Channel.TWIN_DESIRED),
        model=TwinState,
        is_ours=True,
        qos=1,
        is_retained=True,
        title="What a device should be set to.",
    ),
    Delivery(
        key="twinReported",
        address=address_of(Channel.TWIN_REPORTED),
        model=TwinState,
        is_ours=False,
        qos=1,
        is_retained=True,
        title="What a device is set to, and which version of `twin/desired` it has looked at.",
    ),
    Delivery(
        key="hostState",
        address=address_of(HostChannel.STATE),
        model=HostState,
        is_ours=True,
        is_heard=True,
        qos=1,
        is_retained=True,
        title="The core is there, or its last will speaks: then devices keep their events.",
    ),
    Delivery(
        key="hostRebirth",
        address=address_of(HostChannel.REBIRTH),
        model=Rebirth,
        is_ours=True,
        qos=1,
        is_retained=False,
        expiry="30 s",
        title="Devices describe themselves again, each after a random part of ten seconds.",
    ),
    Delivery(
        key="alarm",
        address=ALARM_ADDRESS,
        model=AlarmOnBroker,
        is_ours=True,
        is_heard=True,
        qos=1,
        is_retained=True,
        title="The whole state of an alarm; taken away ten minutes after it closed.",
    ),
    Delivery(
        key="fleet",
        address=FLEET_ADDRESS,
        model=Envelope,
        is_ours=True,
        qos=0,
        is_retained=False,
        expiry="10 s",
        title="A drone, whatever link it is heard on, once a second: `DroneState` with `droneId`, `name`, `link`, "
        "`mode`; what is old is left out.",
    ),
)
"""Between this program and devices, and what it tells everybody."""

_OTHERS: tuple[Delivery, ...] = (
    Delivery(
        key="log",
        address=address_of(Channel.LOG),
        model=None,
        content_type=TEXT,
        is_ours=False,
        qos=0,
        is_retained=False,
        title="Whatever a device writes down for people who look at the broker; it is counted and not read.",
    ),
    Delivery(
        key="ping",
        address=PING_ADDRESS,
        model=None,
        content_type=TEXT,
        is_ours=True,
        is_heard=True,
        qos=0,
        is_retained=False,
        expiry="5 s",
        title="The core, or its self-test, talks to itself through the broker: number of the connection and its clock.",
    ),
    *_of_our_own(OWN_GROUP, "What one of our cameras counts, as `TrafficFlowObserved`"),
    *_of_our_own(AVAILABILITY_GROUP, "How many bays of a lot and of its zones are free, as `OffStreetParking`"),
    Delivery(
        key="homeAssistantConfig",
        address="homeassistant/device/{unique}/config",
        model=DiscoveryConfig,
        is_ours=True,
        qos=1,
        is_retained=True,
        title="Home Assistant's discovery of one device; below `adapters.home_assistant_topic` of the settings.",
    ),
    Delivery(
        key="homeAssistantStatus",
        address="homeassistant/status",
        model=None,
        content_type=TEXT,
        is_ours=False,
        qos=1,
        is_retained=False,
        title="Home Assistant is `online` or `offline`.",
    ),
    Delivery(
        key="frigateEvents",
        address="frigate/events",
        model=FrigateEvent,
        is_ours=False,
        qos=1,
        is_retained=False,
        title="What Frigate follows; below `adapters.frigate_topic` of the settings.",
    ),
    Delivery(
        key="frigateAvailable",
        address="frigate/available",
        model=None,
        content_type=TEXT,
        is_ours=False,
        qos=1,
        is_retained=True,
        title="Frigate is `online` or `offline`.",
    ),
    Delivery(
        key="sparkplugNode",
        address=f"{NAMESPACE}/{{sparkplugGroup}}/{{messageType}}/{{edgeNode}}",
        model=None,
        content_type=PROTOBUF,
        is_ours=True,
        is_heard=True,
        qos=0,
        is_retained=False,
        title="Sparkplug B: NBIRTH, NDATA and NDEATH are read; NCMD with `Node Control/Rebirth` is sent.",
    ),
    Delivery(
        key="sparkplugDevice",
        address=f"{NAMESPACE}/{{sparkplugGroup}}/{{messageType}}/{{edgeNode}}/{{edgeDevice}}",
        model=None,
        content_type=PROTOBUF,
        is_ours=False,
        qos=0,
        is_retained=False,
        title="Sparkplug B: DBIRTH, DDATA and DDEATH are read.",
    ),
    Delivery(
        key="capIn",
        address="cap/in",
        model=None,
        content_type=CAP,
        is_ours=False,
        qos=1,
        is_retained=False,
        title="Regional warnings in; on the topic that `cap.topic` of the settings names, none without it.",
    ),
    Delivery(
        key="capOut",
        address="cap/out",
        model=None,
        content_type=CAP,
        is_ours=True,
        qos=1,
        is_retained=False,
        title="Incidents as warnings; on the topic that `cap.publish_topic` of the settings names, none without it.",
    ),
)
"""What is no message between this program and a device."""

DELIVERIES: dict[str, Delivery] = {item.key: item for item in (*_LINK, *_OTHERS)}
"""Every channel of the broker that this program writes to or listens to, by its key in the document."""


def data_models() -> Mapping[str, type[KindPayload]]:
    """Return what an envelope's data may be, by its `type`: the payloads of every device kind."""
    return {name: model for kind in find_kinds().values() for name, model in sorted(kind.payloads.items())}


def make_schemas() -> dict[str, dict[str, Any]]:
    """Return one JSON Schema for each model, by name; they refer to each other as files in one folder."""
    models = {item.model.__name__: item.model for item in DELIVERIES.values() if item.model is not None}
    data = data_models()
    _, whole = models_json_schema(
        [(model, "validation") for model in [*models.values(), *data.values()]], ref_template="{model}.schema.json"
    )
    schemas = {
        name: {"$schema": DIALECT, "$id": f"{name}.schema.json", **body} for name, body in whole["$defs"].items()
    }
    envelope = schemas["Envelope"]
    envelope["allOf"] = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": {"properties": {"data": {"$ref": f"{model.__name__}.schema.json"}}},
        }
        for name, model in data.items()
    ]
    return dict(sorted(schemas.items()))


def make_document() -> dict[str, Any]:
    """Return the AsyncAPI document, as the core sees the field: it receives what devices send."""
    channels, operations, messages = {}, {}, {}
    for item in DELIVERIES.values():
        channels[item.key] = {
            "address": item.address,
            "description": item.title,
            "parameters": _parameters(item.address),
            "messages": {item.key: {"$ref": f"#/components/messages/{item.key}"}},
        }
        ways = ["send"] if item.is_ours else ["receive"]
        operation: dict[str, Any] = {
            "channel": {"$ref": f"#/channels/{item.key}"},
            "summary": item.title,
            "messages": [{"$ref": f"#/channels/{item.key}/messages/{item.key}"}],
            "bindings": {"mqtt": {"qos": item.qos, "retain": item.is_retained, "bindingVersion": BINDING}},
        }
        if item.key == "cmd":
            operation["reply"] = {
                "channel": {"$ref": "#/channels/cmdRes"},
                "messages": [{"$ref": "#/channels/cmdRes/messages/cmdRes"}],
            }
        for way in (*ways, *(["receive"] if item.is_ours and item.is_heard else [])):
            operations[f"{way}{item.key[0].upper()}{item.key[1:]}"] = {"action": way, **operation}
        messages[item.key] = _message(item)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Watchfloor field link",
            "version": VERSION,
            "description": (
                "MQTT 5; MQTT 3.1.1 does without the properties. UTF-8 JSON, numbers are finite, unknown fields "
                "are ignored, and 256 KiB are the most a message may have. QoS counts for each hop only: what must not "
                "be lost is an event, kept by its sender until evt/ack names it. An alert without a usable ts is a "
                "fault of its sender and calls all the same, with the time of its arrival, unless the broker retained "
                "it."
            ),
            "license": {"name": "AGPL-3.0-or-later"},
        },
        "defaultContentType": "application/json",
        "servers": {"broker": _server()},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def write_all(folder: Path) -> list[Path]:
    """Write document and schemas; what is no longer made goes.

    Returns:
        The files.
    """
    schemas = folder / SCHEMA_FOLDER
    schemas.mkdir(parents=True, exist_ok=True)
    made = {folder / name: text for name, text in texts().items()}
    for old in schemas.glob("*.schema.json"):
        if old not in made:
            old.unlink()
    for file, text in made.items():
        file.write_text(text, encoding="utf-8")
    return list(made)


def texts() -> dict[str, str]:
    """Return every file's text by its path below the folder."""
    made = {"asyncapi.json": _text(make_document())}
    made |= {f"{SCHEMA_FOLDER}/{name}.schema.json": _text(body) for name, body in make_schemas().items()}
    return made


def _message(item: Delivery) -> dict[str, Any]:
    binding: dict[str, Any] = {
        "payloadFormatIndicator": int(item.content_type != PROTOBUF),
        "contentType": item.content_type,
        "bindingVersion": BINDING,
    }
    message: dict[str, Any] = {
        "name": item.key,
        "title": item.key if item.model is None else item.model.__name__,
        "summary": item.title,
        "contentType": item.content_type,
        "bindings": {"mqtt": binding},
    }
    if item.model is not None:
        message["payload"] = {
            "schemaFormat": "application/schema+json;version=draft-07",
            "schema": {"$ref": f"./{SCHEMA_FOLDER}/{item.model.__name__}.schema.json"},
        }
    if item.expiry:
        message["description"] = f"Expires on the broker after {item.expiry}."
    if item.key in ("cmd", "cmdRes"):
        message["correlationId"] = {
            "description": "The command's ULID; also the correlation data of MQTT 5",
            "location": "$message.payload#/id",
        }
        binding["correlationData"] = {"type": "string", "maxLength": 64}
    if item.key == "cmd":
        binding["responseTopic"] = DELIVERIES["cmdRes"].address
    return message


def _server() -> dict[str, Any]:
    return {
        "host": "{host}:{port}",
        "protocol": "mqtt",
        "protocolVersion": "5",
        "description": "With TLS on port 8883 as `main.py broker-config` sets it up; each device has a certificate.",
        "variables": {"host": {"default": "localhost"}, "port": {"default": "8883"}},
        "bindings": {
            "mqtt": {
                "clientId": "tenant-group-device",
                "cleanSession": True,
                "keepAlive": 10,
                "sessionExpiryInterval": 60,
                "maximumPacketSize": 1024 * 1024,
                "lastWill": {
                    "topic": DELIVERIES["status"].address,
                    "qos": 1,
                    "retain": True,
                    "message": '{"state": "lost", "boot": "…", "ts": "…"}',
                },
                "bindingVersion": BINDING,
            }
        },
    }


def _parameters(address: str) -> dict[str, Any]:
    return {part[1:-1]: _SLUG for part in address.split("/") if part.startswith("{")}


def _text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
