"""The payload of Sparkplug B 3.0, as far as we read and write it.

The message types are described here and made by the protobuf library when this module is imported; numbers are those of
the specification, chapter "Payload Component Definitions". Fields that are not described are skipped by the library.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from core.field.payloads import MAX_PAYLOAD_BYTES, PayloadError

MAX_METRICS = 2000
_PACKAGE = "watchfloor.sparkplug"
_OPTIONAL, _REPEATED = 1, 3
_BOOL, _BYTES, _DOUBLE, _FLOAT, _MESSAGE, _STRING, _UINT32, _UINT64 = 8, 12, 1, 2, 11, 9, 13, 4

_METRIC = (
    ("name", 1, _STRING),
    ("alias", 2, _UINT64),
    ("timestamp", 3, _UINT64),
    ("datatype", 4, _UINT32),
    ("is_historical", 5, _BOOL),
    ("is_null", 7, _BOOL),
    ("int_value", 10, _UINT32),
    ("long_value", 11, _UINT64),
    ("float_value", 12, _FLOAT),
    ("double_value", 13, _DOUBLE),
    ("boolean_value", 14, _BOOL),
    ("string_value", 15, _STRING),
    ("bytes_value", 16, _BYTES),
)
_VALUE_FIELDS = frozenset(name for name, number, _ in _METRIC if number >= 10)

_SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}
"""Int8 to Int64 travel as unsigned numbers, in two's complement."""

BOOLEAN = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of a message.

    Attributes:
        name: Empty where only the alias was sent.
        alias: None where there is none.
        value: A finite number (a boolean counts as 0 or 1), a text, or None for null and for what is no plain value.
    """

    name: str
    alias: int | None
    at: datetime | None
    is_history: bool
    value: float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugPayload:
    """One message.

    Attributes:
        seq: 0..255, or None where there is none (NDEATH).
    """

    at: datetime | None
    seq: int | None
    metrics: tuple[Metric, ...]


def _make_types() -> tuple[type[message.Message], type[message.Message]]:
    file = descriptor_pb2.FileDescriptorProto(name="watchfloor/sparkplug.proto", package=_PACKAGE, syntax="proto2")
    metric = file.message_type.add(name="Metric")
    for name, number, kind in _METRIC:
        metric.field.add(name=name, number=number, type=kind, label=_OPTIONAL)
    payload = file.message_type.add(name="Payload")
    payload.field.add(name="timestamp", number=1, type=_UINT64, label=_OPTIONAL)
    payload.field.add(
        name="metrics",
        number=2,
        type=_MESSAGE,
        label=_REPEATED,
        type_name=f".{_PACKAGE}.Metric",
    )
    payload.field.add(name="seq", number=3, type=_UINT64, label=_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = message_factory.GetMessageClassesForFiles([file.name], pool)
    return found[f"{_PACKAGE}.Payload"], found[f"{_PACKAGE}.Metric"]


_Payload, _Metric = _make_types()


def read_payload(payload: bytes) -> SparkplugPayload:
    """Decode a message.

    Raises:
        PayloadError: It is no Sparkplug B, or larger than we read.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise PayloadError(f"The payload has {len(payload)} bytes; {MAX_PAYLOAD_BYTES} are the most we read.")
    wire: Any = _Payload()
    try:
        wire.ParseFromString(payload)
    except message.DecodeError as error:
        raise PayloadError("The payload is no Sparkplug B.") from error
    if len(wire.metrics) > MAX_METRICS:
        raise PayloadError(f"The payload has more than {MAX_METRICS} metrics.")
    return SparkplugPayload(
        at=_instant(wire.timestamp) if wire.HasField("timestamp") else None,
        seq=int(wire.seq) if wire.HasField("seq") else None,
        metrics=tuple(_metric(item) for item in wire.metrics),
    )


def write_rebirth_command(now: datetime) -> bytes:
    """Return an NCMD that asks an edge node for its births."""
    wire: Any = _Payload(timestamp=int(now.timestamp() * 1000))
    wire.metrics.add(name="Node Control/Rebirth", timestamp=wire.timestamp, datatype=BOOLEAN, boolean_value=True)
    return bytes(wire.SerializeToString())


def _metric(wire: Any) -> Metric:
    if not isinstance(wire.name, str):
        # What is no UTF-8 the library hands over as bytes.
        raise PayloadError("The name of a metric is not UTF-8.")
    return Metric(
        name=wire.name,
        alias=int(wire.alias) if wire.HasField("alias") else None,
        at=_instant(wire.timestamp) if wire.HasField("timestamp") else None,
        is_history=bool(wire.is_historical),
        value=None if wire.is_null else _value(wire),
    )


def _value(wire: Any) -> float | str | None:
    for field, value in wire.ListFields():
        if field.name not in _VALUE_FIELDS:
            continue
        if isinstance(value, str):
            return value[:200]
        if isinstance(value, bytes):
            return None
        number = float(_signed(int(value), wire.datatype) if field.name in ("int_value", "long_value") else value)
        return number if math.isfinite(number) else None
    return None


def _signed(value: int, datatype: int) -> int:
    bits = _SIGNED_BITS.get(datatype)
    if bits is None:
        return value
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _instant(epoch_ms: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(epoch_ms / 1000.0, UTC)
    except (OverflowError, OSError, ValueError):
        return None
