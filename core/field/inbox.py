"""What waits between the link's thread and the loop: bounded, and it knows what may be lost."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from core.field.topics import ROOT

MAX_WAITING = 20_000
OURS = f"{ROOT}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One message as it came from the broker.

    Attributes:
        is_retained: It was waiting on the broker: no sign of life.
        mid: Packet id to acknowledge; None where the link has done so already.
        connection: Number of the connection it came on; packet ids mean nothing on the next one.
    """

    topic: str
    payload: bytes
    qos: int
    is_retained: bool
    received_at: datetime
    mid: int | None = None
    connection: int = 0


def is_event(topic: str) -> bool:
    """Tell whether a message on `topic` must not be lost."""
    return topic.startswith(OURS) and topic.endswith(("/evt", "/cmd/res"))


class Inbox:
    """Messages on their way to the loop, in order of arrival.

    Telemetry is newest-wins by topic always; other state only while the inbox is over its bound, and what then
    still does not fit is dropped and counted. Events are never dropped here: the broker's window (receive maximum)
    bounds them.

    Threads: any thread may call any method.
    """

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        """Hold `max_waiting` messages before state becomes newest-wins, twice as many before it is dropped."""
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, int], Inbound] = {}
        self._number = 0
        self._n_events = 0
        self._n_replaced = 0
        self._n_dropped = 0

    @property
    def n_overflow(self) -> int:
        """State messages that were replaced or dropped because the loop did not keep up."""
        return self._n_replaced + self._n_dropped

    @property
    def n_dropped(self) -> int:
        """Messages that were thrown away with no newer one in their place."""
        return self._n_dropped

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def put(self, message: Inbound) -> bool:
        """Add a message; True where the inbox was empty, so that the loop has to be woken."""
        with self._lock:
            was_empty = not self._waiting
            if is_event(message.topic):
                self._waiting[self._next_key(message.topic)] = message
                self._n_events += 1
                return was_empty
            n_states = len(self._waiting) - self._n_events
            is_over = n_states >= self._max_waiting
            if not is_over and "/tele/" not in message.topic:
                self._waiting[self._next_key(message.topic)] = message
                return was_empty
            key = (message.topic, 0)
            replaced = self._waiting.pop(key, None)
            if is_over and replaced is not None:
                self._n_replaced += 1
            if replaced is None and n_states >= 2 * self._max_waiting:
                self._n_dropped += 1
                return was_empty
            self._waiting[key] = message
            return was_empty

    def take(self, n_most: int) -> list[Inbound]:
        """Remove and return the oldest `n_most` messages."""
        with self._lock:
            keys = [key for key, _ in zip(self._waiting, range(n_most), strict=False)]
            self._n_events -= sum(is_event(topic) for topic, _ in keys)
            return [self._waiting.pop(key) for key in keys]

    def _next_key(self, topic: str) -> tuple[str, int]:
        self._number += 1
        return (topic, self._number)
