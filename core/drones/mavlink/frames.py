"""Bytes to MAVLink frames: found by their start, held against their checksum, and nothing decoded yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fastcrc.crc16 import mcrf4xx

START_V1, START_V2 = 0xFE, 0xFD
HEADER_V1, HEADER_V2 = 6, 10
CHECKSUM_BYTES, SIGNATURE_BYTES = 2, 13
SIGNED = 0x01
CHECKSUM_SEED = 0xFFFF
MAX_FRAME_BYTES = HEADER_V2 + 255 + CHECKSUM_BYTES + SIGNATURE_BYTES


class Frame(NamedTuple):
    """One message as it came, checked and not decoded.

    Attributes:
        raw: From the start byte to the checksum or signature.
        payload: From this offset in `raw`, `n_payload` bytes.
    """

    raw: bytes
    message_id: int
    system: int
    component: int
    sequence: int
    payload: int
    n_payload: int
    is_signed: bool

    def byte(self, offset: int) -> int:
        """Return a byte of the payload; what was cut off its end is zero."""
        return self.raw[self.payload + offset] if offset < self.n_payload else 0


class FrameSplitter:
    """Finds frames in a stream that may begin, break and go on anywhere.

    A start byte whose checksum is wrong was none: the search goes on behind it, so that one broken byte costs one
    message and not those that follow.
    """

    def __init__(self, checksum_extras: Mapping[int, int]) -> None:
        """Know the seed that each message's checksum ends with, by message number."""
        self._extras = checksum_extras
        self._rest = b""
        self.n_corrupt = 0
        self.n_unknown = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete now."""
        buffer = self._rest + data if self._rest else data
        found: list[Frame] = []
        at, end, is_in_noise = 0, len(buffer), False
        while at < end:
            start = buffer[at]
            if start not in (START_V1, START_V2):
                at = _next_start(buffer, at + 1)
                if not is_in_noise:
                    self.n_corrupt += 1
                is_in_noise = True
                continue
            length = _frame_bytes(buffer, at)
            if length is None or at + length > end:
                break
            frame = self._check(buffer, at, length)
            if frame is None:
                at += 1
                is_in_noise = True
                continue
            is_in_noise = False
            if frame.message_id in self._extras:
                found.append(frame)
            at += length
        self._rest = buffer[at:] if at < end else b""
        return found

    def end(self) -> None:
        """Note that nothing follows: a datagram is over, what is left of it is cut off."""
        if self._rest:
            self.n_corrupt += 1
            self._rest = b""

    def _check(self, buffer: bytes, at: int, length: int) -> Frame | None:
        frame = _cut(buffer, at, length)
        extra = self._extras.get(frame.message_id)
        if extra is None:
            # Without its seed nothing can be checked: believed only where another message, or nothing, follows.
            if at + length < len(buffer) and buffer[at + length] not in (START_V1, START_V2):
                self.n_corrupt += 1
                return None
            self.n_unknown += 1
            return frame
        raw, checked = frame.raw, frame.payload + frame.n_payload
        checksum = mcrf4xx(bytes((extra,)), mcrf4xx(raw[1:checked], CHECKSUM_SEED))
        has_odd_flags = raw[0] == START_V2 and raw[2] & ~SIGNED
        if has_odd_flags or raw[checked] | raw[checked + 1] << 8 != checksum:
            self.n_corrupt += 1
            return None
        return frame


def _next_start(buffer: bytes, at: int) -> int:
    starts = [place for place in (buffer.find(START_V1, at), buffer.find(START_V2, at)) if place >= 0]
    return min(starts, default=len(buffer))


def _frame_bytes(buffer: bytes, at: int) -> int | None:
    """Return how long the frame at a start is; None where that has not come yet."""
    if len(buffer) - at < 3:
        return None
    if buffer[at] == START_V1:
        return HEADER_V1 + buffer[at + 1] + CHECKSUM_BYTES
    signature = SIGNATURE_BYTES if buffer[at + 2] & SIGNED else 0
    return HEADER_V2 + buffer[at + 1] + CHECKSUM_BYTES + signature


def _cut(buffer: bytes, at: int, length: int) -> Frame:
    raw = buffer[at : at + length]
    if raw[0] == START_V1:
        return Frame(raw, raw[5], raw[3], raw[4], raw[2], HEADER_V1, raw[1], False)
    message_id = raw[7] | raw[8] << 8 | raw[9] << 16
    return Frame(raw, message_id, raw[5], raw[6], raw[4], HEADER_V2, raw[1], bool(raw[2] & SIGNED))
