"""Signatures of MAVLink 2, verified and never made: who sent a message, and that it is not an old one sent again.

Source: MAVLink guide, "Message signing": 13 bytes behind the checksum are a link number, 48 bits of time in 10 µs, and
the first 48 bits of SHA-256 over the key and everything before them.
"""

from __future__ import annotations

import hashlib
import hmac

from core.drones.mavlink.frames import Frame
from core.drones.mavlink.signed_times import Stream, Times
from core.drones.model import Signing

KEY_BYTES = 32
SIGNATURE_BYTES = 6
MAX_STREAMS = 256
NEW_STREAM_BEHIND = 60 * 100_000
"""A stream that is heard for the first time may be so far behind the newest one [10 µs]."""


def key_of(secret: str) -> bytes:
    """Return the 32 bytes of a key: given as 64 hexadecimal digits, or made of a passphrase as ground stations do."""
    text = secret.strip()
    if len(text) == 2 * KEY_BYTES:
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    return hashlib.sha256(text.encode()).digest()


class SignatureCheck:
    """Verifies the messages of one link."""

    def __init__(self, key: bytes, times: Times | None = None) -> None:
        """Verify with a key of 32 bytes, and believe nothing that is not newer than these times."""
        self._key = key
        self._times: dict[Stream, int] = dict(times or {})
        self._newest = max(self._times.values(), default=0)

    @property
    def signed(self) -> tuple[bytes, Times]:
        """Return the key, and the newest time of each stream."""
        return self._key, dict(self._times)

    @property
    def newest_10us(self) -> int:
        """Return the newest time that was signed well; 0 before the first."""
        return self._newest

    def judge(self, frame: Frame) -> Signing:
        """Return what a message's signature is worth."""
        if not frame.is_signed:
            return Signing.UNSIGNED
        raw = frame.raw
        digest = hashlib.sha256(self._key + raw[:-SIGNATURE_BYTES]).digest()[:SIGNATURE_BYTES]
        if not hmac.compare_digest(digest, raw[-SIGNATURE_BYTES:]):
            return Signing.BAD
        stream = (raw[-13], frame.system, frame.component)
        at = int.from_bytes(raw[-12:-6], "little")
        known = self._times.get(stream)
        if known is None:
            if at + NEW_STREAM_BEHIND < self._newest or len(self._times) >= MAX_STREAMS:
                return Signing.BAD
        elif at <= known:
            return Signing.BAD
        self._times[stream] = at
        self._newest = max(self._newest, at)
        return Signing.GOOD
