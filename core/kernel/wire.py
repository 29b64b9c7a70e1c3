"""Frozen dataclasses to bytes and back, for pipes, sockets and JSON."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def to_bytes(value: object) -> bytes:
    """Encode builtins, dataclasses, enums and aware datetimes as MessagePack."""
    return msgspec.msgpack.encode(value)


def from_bytes(data: bytes, kind: type[T]) -> T:
    """Decode and check against `kind`.

    Raises:
        msgspec.ValidationError: The bytes do not hold a `kind`.
        msgspec.DecodeError: The bytes are not MessagePack.
    """
    return msgspec.msgpack.decode(data, type=kind)


def to_builtins(value: object) -> Any:
    """Turn dataclasses into plain dicts, lists and numbers (datetimes become ISO text)."""
    return msgspec.to_builtins(value)


def from_builtins(value: object, kind: type[T]) -> T:
    """Check plain data against `kind` and build it.

    Raises:
        msgspec.ValidationError: It does not fit.
    """
    return msgspec.convert(value, kind, strict=False)


def to_json(value: object) -> str:
    """Encode as one line of JSON."""
    return msgspec.json.encode(value).decode()
