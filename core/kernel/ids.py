"""Identifiers: ULIDs, so that ids sort by the time they were made."""

from __future__ import annotations

import os
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_lock = threading.Lock()
_last_ms = -1
_last_random = 0


def new_id() -> str:
    """Return a new ULID: 26 characters, strictly increasing within this process.

    Source: the ULID specification (48-bit milliseconds, 80 random bits, Crockford base 32).
    """
    global _last_ms, _last_random
    with _lock:
        now_ms = time.time_ns() // 1_000_000
        if now_ms <= _last_ms:
            # Same millisecond, or the wall clock stepped back: stay monotonic.
            now_ms = _last_ms
            _last_random += 1
        else:
            _last_ms = now_ms
            _last_random = int.from_bytes(os.urandom(10), "big") >> 1
        number = (now_ms << 80) | _last_random
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
