"""Messages that go out: numbered, and signed where there is a key; nothing here sends them."""

from __future__ import annotations

import time
from typing import Any

from pymavlink.dialects.v20 import all as generated

SIGNING_EPOCH_S = 1_420_070_400
"""2015-01-01, where times of signatures begin; they count 10 µs."""

SIGNATURE_STREAM = 1


class _Kept:
    """What the generated parser would write."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def write(self, packet: bytes) -> None:
        self.packets.append(bytes(packet))


class Voice:
    """Speaks as one component of one system to one listener, who counts its messages."""

    def __init__(self, system: int, component: int, *, key: bytes | None = None) -> None:
        """Speak under these numbers, 1 to 255; signed with a key of 32 bytes, unsigned with None."""
        self._kept = _Kept()
        self._mav = generated.MAVLink(self._kept, srcSystem=system, srcComponent=component)
        self._signs = key is not None
        if key is not None:
            self._mav.signing.secret_key = key
            self._mav.signing.sign_outgoing = True
            self._mav.signing.link_id = SIGNATURE_STREAM

    @property
    def mav(self) -> Any:
        """The generated parser, whose `…_send` say something; `take` returns it."""
        if self._signs:
            # Never before a time that was used, whatever our clock does.
            self.be_later_than(int((time.time() - SIGNING_EPOCH_S) * 100_000))
        return self._mav

    def be_later_than(self, time_10us: int) -> None:
        """Sign with later times than this one; the listener refuses what is too far behind what it knows."""
        self._mav.signing.timestamp = max(self._mav.signing.timestamp, time_10us + 1)

    def take(self) -> list[bytes]:
        """Return what was said since the last call."""
        packets, self._kept.packets = self._kept.packets, []
        return packets
