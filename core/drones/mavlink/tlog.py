"""Telemetry logs of ground stations: each message behind 8 bytes of its arrival, µs since 1970, big endian."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from core.drones.mavlink.dialect import CHECKSUM_EXTRAS
from core.drones.mavlink.frames import START_V1, START_V2, FrameSplitter

Bytes = bytes | mmap.mmap
_STAMP = struct.Struct(">Q")
STAMP_BYTES = _STAMP.size
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HIGHEST_US = 7_258_118_400_000_000
"""The year 2200: later stamps are bytes that were taken for one."""


def stamp(at: datetime) -> bytes:
    """Return an arrival as it stands before a message."""
    return _STAMP.pack((at - EPOCH) // timedelta(microseconds=1))


def read_tlog(data: Bytes, first: int = 0) -> Iterator[tuple[datetime, bytes]]:
    """Yield each message's arrival and bytes from a place on; what is broken between two messages is passed over.

    Unknown messages are yielded as well; a log that begins in 1970, because nobody set the clock, keeps its own times.
    """
    at = first
    while (found := _entry(data, at)) is not None:
        start, length = found
        (us,) = _STAMP.unpack_from(data, start)
        yield EPOCH + timedelta(microseconds=us), data[start + STAMP_BYTES : start + STAMP_BYTES + length]
        at = start + STAMP_BYTES + length


def read_tlog_file(file: Path) -> Iterator[tuple[datetime, bytes]]:
    """As `read_tlog`, of a file; what is not looked at is not in memory."""
    with file.open("rb") as log, mapped(log) as data:
        yield from read_tlog(data)


@contextmanager
def mapped(log: IO[bytes]) -> Iterator[Bytes]:
    """Map a file that is open for reading."""
    if os.fstat(log.fileno()).st_size == 0:
        yield b""
        return
    with mmap.mmap(log.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def _entry(data: Bytes, at: int) -> tuple[int, int] | None:
    """Return where the next entry begins and how long its message is; None at the end."""
    while at + STAMP_BYTES + 3 <= len(data):
        length = _message_bytes(data, at + STAMP_BYTES)
        if length is not None and _is_plausible(data, at, length):
            return at, length
        at += 1
    return None


def _message_bytes(data: Bytes, at: int) -> int | None:
    if data[at] == START_V1:
        length = 8 + data[at + 1]
    elif data[at] == START_V2:
        length = 12 + data[at + 1] + (13 if data[at + 2] & 1 else 0)
    else:
        return None
    return length if at + length <= len(data) else None


def _is_plausible(data: Bytes, at: int, length: int) -> bool:
    (us,) = _STAMP.unpack_from(data, at)
    if us >= _HIGHEST_US:
        return False
    end = at + STAMP_BYTES + length
    is_followed = end + STAMP_BYTES >= len(data) or data[end + STAMP_BYTES] in (START_V1, START_V2)
    return is_followed or bool(FrameSplitter(CHECKSUM_EXTRAS).feed(data[at + STAMP_BYTES : end]))
