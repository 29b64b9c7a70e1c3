"""What devices send and what we send them: checked here, at the edge, and nowhere else."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    field_validator,
)

from core.kernel.errors import BadInputError

MAX_PAYLOAD_BYTES = 256 * 1024
MAX_DEPTH = 12
MAX_ITEMS = 20_000
MAX_TWIN_KEYS = 128
MAJOR_VERSION = 1

Text = Annotated[str, Field(max_length=200)]
Ident = Annotated[str, Field(max_length=64)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Seq = Annotated[int, Field(ge=0, lt=2**62)]


class PayloadError(BadInputError):
    """A payload cannot be used; the sentence says why."""

    kind = "bad_input"


class Quality(StrEnum):
    """What a device thinks of its own values."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"


def _at(value: object) -> object:
    # Some devices send epoch milliseconds; anything pydantic would guess from a number is refused otherwise.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    try:
        return datetime.fromtimestamp(value / 1000.0, UTC)
    except (OverflowError, OSError, ValueError):
        raise ValueError(f"{value} is not an instant in epoch milliseconds") from None


def _to_utc(value: datetime) -> datetime:
    # Far ends of the calendar overflow as soon as anyone computes with them.
    if not 2000 <= value.year <= 2200:
        raise ValueError(f"the year {value.year} is not plausible")
    return value.astimezone(UTC)


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_at),
    AfterValidator(_to_utc),
    WithJsonSchema(
        {
            "description": "ISO 8601 with an offset, or epoch milliseconds",
            "anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}],
        }
    ),
]


class Payload(BaseModel):
    """The base of all payloads: unknown fields are ignored, so that newer devices keep working."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Envelope(Payload):
    """What surrounds the data of state, tele and evt.

    Attributes:
        ts: The device's own clock.
        seq: On evt: strictly one more each time, across boots. On state and tele: rising within one boot.
        hist: Late data: stored and charted, never shown as new.
        stream: On evt: the data is a reading of this stream, which the device kept while nobody listened.
    """

    v: int = MAJOR_VERSION
    id: Ident = ""
    type: Ident = ""
    ts: Instant
    boot: Ident = ""
    seq: Seq | None = None
    q: Annotated[
        Quality,
        WithJsonSchema({"description": "good, uncertain or bad; what else stands here reads as uncertain"}),
    ] = Quality.GOOD
    hist: bool = False
    stream: Ident = ""
    data: dict[str, Any] = Field(default_factory=dict)

    @field_validator("q", mode="before")
    @classmethod
    def _doubt_unknown_words(cls, value: object) -> object:
        return value if value in ("good", "bad") else "uncertain"


class Location(Payload):
    """WGS-84."""

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False)


class StreamInfo(Payload):
    """One stream of a device, as it describes itself."""

    name: Ident
    type: Ident = ""
    unit: Ident = ""
    smart_data_model: Ident = Field(default="", alias="smartDataModel")
    period: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    stale_s: float | None = Field(default=None, gt=0, le=86_400, allow_inf_nan=False)


class CommandInfo(Payload):
    """One command a device obeys."""

    name: Ident
    params: dict[str, Any] = Field(default_factory=dict)


class Birth(Payload):
    """A device describes itself.

    Attributes:
        boot: New at each start; ties a last will to the start it belongs to.
    """

    v: int = MAJOR_VERSION
    name: Text = ""
    model: Text = ""
    fw: Ident = ""
    boot: Ident = ""
    ts: Instant | None = None
    location: Location | None = None
    streams: tuple[StreamInfo, ...] = Field(default=(), max_length=64)
    commands: tuple[CommandInfo, ...] = Field(default=(), max_length=64)


class Status(Payload):
    """A device is there, said goodbye, or its last will speaks."""

    v: int = MAJOR_VERSION
    state: Literal["online", "offline", "lost"]
    boot: Ident = ""
    ts: Instant | None = None


class CommandResult(Payload):
    """What became of a command."""

    id: Ident = Field(min_length=1)
    status: Literal["accepted", "running", "done", "rejected", "expired", "failed"]
    code: int = 0
    text: Text = ""


class EvtAck(Payload):
    """Everything up to `ack` is in the database; the device may forget it.

    Attributes:
        boot: Of the event `ack`; where the device's own event of that number has another one, another outbox is meant.
        timestamp: When it was written, by the core's clock, in epoch milliseconds.
        epoch: As in the core's state: by an earlier one, `timestamp` counts no more.
    """

    ack: int = Field(ge=0)
    host: str
    epoch: int = Field(ge=0)
    boot: Ident = ""
    timestamp: int | None = None


class HostState(Payload):
    """The core is there, or its last will speaks.

    Attributes:
        timestamp: When it was written, by the core's clock, in epoch milliseconds.
        epoch: Higher at each start of the core, and each time its clock was set back: of what it said before, no time
            counts any more.
    """

    online: bool
    timestamp: int
    epoch: int = Field(ge=0)


class Command(Payload):
    """What we ask of a device.

    Attributes:
        exp, timestamp: When it is over and when it was given, by the core's clock, in epoch milliseconds.
    """

    id: str
    name: str
    args: dict[str, Any] = Field(default_factory=dict)
    exp: int
    timestamp: int | None = None
    user: str
    desk: str = ""
    ver: int = MAJOR_VERSION


class TwinMeta(Payload):
    """Who set one value of a twin, and when."""

    ts: Instant
    by: Text = ""


class TwinState(Payload):
    """What a device should be set to, or says it is set to.

    Attributes:
        version: Rises with every change of this side.
        desired: On reported: the newest version of the other side that the device has looked at.
    """

    version: int = Field(ge=0, lt=2**62)
    state: dict[Ident, Any] = Field(default_factory=dict, max_length=MAX_TWIN_KEYS)
    meta: dict[Ident, TwinMeta] = Field(default_factory=dict, max_length=MAX_TWIN_KEYS)
    desired: int = Field(default=0, ge=0, lt=2**62)


class AlarmPayload(Payload):
    """What the field link needs of an alarm on the broker; `core.incidents.on_broker` has all of it."""

    alarm_id: Ident
    version: int
    is_open: bool


class Rebirth(Payload):
    """The core asks every device to describe itself again."""


P = TypeVar("P", bound=Payload)


def decode(payload: bytes) -> dict[str, Any]:
    """Decode a JSON object, bounded in size and depth.

    Raises:
        PayloadError: Too large, not UTF-8, not JSON, not an object, nested too deep, or of a major version not ours.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise PayloadError(
            f"The payload has {len(payload)} bytes; {MAX_PAYLOAD_BYTES} are the most a message may have."
        )
    if b"\\u0000" in payload:
        # PostgreSQL cannot keep it, and no device means it.
        raise PayloadError("The payload holds a NUL character.")
    try:
        value = msgspec.json.decode(payload)
    except UnicodeDecodeError as error:
        raise PayloadError(f"The payload is not UTF-8: {error.reason} at byte {error.start}.") from error
    except RecursionError as error:
        raise PayloadError("The payload is nested deeper than a message may be.") from error
    except msgspec.DecodeError as error:
        raise PayloadError(f"The payload is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise PayloadError(f"The payload is a JSON {type(value).__name__}, not an object.")
    _check_bounds(value)
    _check_version(value.get("v", MAJOR_VERSION))
    return value


def read(payload: bytes, kind: type[P]) -> P:
    """Decode and check a payload.

    Raises:
        PayloadError: It is no `kind`; the sentence names the field.
    """
    return check(decode(payload), kind)


def check(value: dict[str, Any], kind: type[P]) -> P:
    """Check decoded data against `kind`.

    Raises:
        PayloadError: It does not fit; the sentence names the first field that is wrong.
    """
    if isinstance(value.get("v"), str):
        value = {**value, "v": MAJOR_VERSION}
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the payload"
        raise PayloadError(f"The field {where!r} is not usable: {first['msg']}.") from error


def write(payload: Payload) -> bytes:
    """Encode a payload as UTF-8 JSON."""
    return msgspec.json.encode(payload.model_dump(mode="json", by_alias=True))


def _check_version(version: object) -> None:
    major = version
    if isinstance(version, str):
        head = version.partition(".")[0]
        major = int(head) if head.isascii() and head.isdigit() and len(head) < 6 else None
    if isinstance(major, bool) or not isinstance(major, int):
        raise PayloadError("The field 'v' is not a version number.")
    if major != MAJOR_VERSION:
        raise PayloadError(
            f"The device speaks version {major} of our payloads; this program reads version {MAJOR_VERSION}.",
            hint="Update Watchfloor, or set the device to the older version.",
        )


def _check_bounds(value: dict[str, Any]) -> None:
    """Walk without recursion: what came from outside must not decide how deep our stack gets."""
    level: list[Any] = [value]
    n_items = 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            children = node.values() if isinstance(node, dict) else node
            n_items += len(node)
            for child in children:
                if isinstance(child, dict | list):
                    below.append(child)
                elif isinstance(child, float) and not math.isfinite(child):
                    raise PayloadError("The payload holds a number that is not finite.")
        if n_items > MAX_ITEMS:
            raise PayloadError(f"The payload holds more than {MAX_ITEMS} items.")
        if not below:
            return
        level = below
    raise PayloadError(f"The payload is nested deeper than the {MAX_DEPTH} levels a message may have.")
