"""Knocking at a camera that is away: noticing its return at once, without setting up a stream over and over."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.media.parameters import public_address
from core.media.source import address_kind

PERIOD_S = 0.2
"""Between two knocks in the first minute of an outage."""

LATE_PERIOD_S = 1.0
EAGER_FOR_S = 60.0

_CONNECT_TIMEOUT_S = 0.6
_ANSWER_TIMEOUT_S = 3.0
_AT_ONCE_S = 0.3
_SLICE_S = 0.05
# Cameras that share a switch come back together: they are not called in the same instant.
_MAX_JITTER_S = 0.05
_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Door:
    """Where a camera listens.

    Attributes:
        question: What it answers when it is well; empty where a connection says enough.
    """

    host: str
    port: int
    question: bytes = b""


def door_of(address: str) -> Door | None:
    """Return where to knock; None for files, webcams and made-up pictures."""
    scheme = address_kind(address)
    if scheme not in _DEFAULT_PORTS:
        return None
    plain = public_address(address)
    parts = urlsplit(plain)
    question = f"OPTIONS {plain} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode() if scheme == "rtsp" else b""
    return Door(parts.hostname or "", parts.port or _DEFAULT_PORTS[scheme], question)


def wait_for_return(
    door: Door, wait_s: float, *, out_for_s: float, stopping: threading.Event, note: Callable[[], None]
) -> None:
    """Wait `wait_s`, or less where a camera that was silent begins to answer.

    A camera that answers the first knock at once was there all the time: its trouble is another one, and calling it
    earlier would not help.

    Args:
        door: Where to knock.
        wait_s: At most so long.
        out_for_s: How long it has been away already; knocks become rarer.
        stopping: Ends the wait.
        note: Called before each knock: resolving a name may hang.
    """
    began_s = time.monotonic()
    is_first = True
    while not stopping.is_set() and (left_s := began_s + wait_s - time.monotonic()) > 0:
        note()
        knocked_s = time.monotonic()
        if _answers(door, min(left_s, _ANSWER_TIMEOUT_S), stopping):
            if is_first and time.monotonic() - knocked_s < _AT_ONCE_S:
                stopping.wait(max(0.0, began_s + wait_s - time.monotonic()))
            else:
                stopping.wait(random.uniform(0.0, _MAX_JITTER_S))
            return
        is_first = False
        away_s = out_for_s + time.monotonic() - began_s
        period_s = PERIOD_S if away_s < EAGER_FOR_S else LATE_PERIOD_S
        stopping.wait(min(max(0.0, knocked_s + period_s - time.monotonic()), left_s))


def _answers(door: Door, timeout_s: float, stopping: threading.Event) -> bool:
    deadline_s = time.monotonic() + timeout_s
    try:
        line = socket.create_connection((door.host, door.port), timeout=min(timeout_s, _CONNECT_TIMEOUT_S))
    except (OSError, UnicodeError):
        return False
    with line, contextlib.suppress(OSError):
        if not door.question:
            return True
        line.sendall(door.question)
        line.settimeout(_SLICE_S)
        while time.monotonic() < deadline_s and not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                return bool(line.recv(1))
    return False
