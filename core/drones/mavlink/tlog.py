"""Telemetry logs of ground stations: each message behind 8 bytes of its arrival, µs since 1970, big endian."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.drones.mavlink.dialect import CHECKSUM_EXTRAS
from core.drones.mavlink.frames import START_V1, START_V2, FrameSplitter

_STAMP = struct.Struct(">Q")
STAMP_BYTES = _STAMP.size
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HIGHEST_US = 7_258_118_400_000_000
"""The year 2200: later stamps are bytes that were taken for one."""


def stamp(at: datetime) -> bytes:
    """Return an arrival as it stands before a message."""
    return _STAMP.pack((at - EPOCH) // timedelta(microseconds=1))


def read_tlog(data: bytes) -> Iterator[tuple[datetime, bytes]]:
    """Yield each message's arrival and bytes; what is broken between two messages is passed over.

    Unknown messages are yielded as well; a log that begins in 1970, because nobody set the clock, keeps its own times.
    """
    at = 0
    while (found := _entry(data, at)) is not None:
        start, length = found
        (us,) = _STAMP.unpack_from(data, start)
        yield EPOCH + timedelta(microseconds=us), data[start + STAMP_BYTES : start + STAMP_BYTES + length]
        at = start + STAMP_BYTES + length


def read_tlog_file(file: Path) -> Iterator[tuple[datetime, bytes]]:
    """As `read_tlog`, of a file."""
    return read_tlog(file.read_bytes())


def _entry(data: bytes, at: int) -> tuple[int, int] | None:
    """Return where the next entry begins and how long its message is; None at the end."""
    while at + STAMP_BYTES + 3 <= len(data):
        length = _message_bytes(data, at + STAMP_BYTES)
        if length is not None and _is_plausible(data, at, length):
            return at, length
        at += 1
    return None


def _message_bytes(data: bytes, at: int) -> int | None:
    if data[at] == START_V1:
        length = 8 + data[at + 1]
    elif data[at] == START_V2:
        length = 12 + data[at + 1] + (13 if data[at + 2] & 1 else 0)
    else:
        return None
    return length if at + length <= len(data) else None


def _is_plausible(data: bytes, at: int, length: int) -> bool:
    (us,) = _STAMP.unpack_from(data, at)
    if us >= _HIGHEST_US:
        return False
    end = at + STAMP_BYTES + length
    is_followed = end + STAMP_BYTES >= len(data) or data[end + STAMP_BYTES] in (START_V1, START_V2)
    return is_followed or bool(FrameSplitter(CHECKSUM_EXTRAS).feed(data[at + STAMP_BYTES : end]))
