"""Time as a dependency: production reads the system, tests move it by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Two clocks that must not be mixed: wall time for people, monotonic time for durations."""

    def now(self) -> datetime:
        """Return the wall time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Return the wall time, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return `time.monotonic()`."""
        return time.monotonic()


class FakeClock:
    """A clock that stands still until `advance` is called."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)) -> None:
        """Start at `start` (aware)."""
        self._now = start
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """Return the wall time, aware, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds that never step back."""
        return self._monotonic

    def advance(self, *, seconds: float) -> None:
        """Move both clocks forward."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def step(self, *, seconds: float) -> None:
        """Set the wall clock forward, or back below zero, as NTP does."""
        self._now += timedelta(seconds=seconds)


def parse_at(text: str) -> datetime:
    """Parse an ISO 8601 instant.

    Returns:
        Aware, UTC.

    Raises:
        ValueError: Not ISO 8601, or without an offset.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset")
    return at.astimezone(UTC)


def format_at(at: datetime) -> str:
    """Format an aware instant as ISO 8601 UTC with milliseconds and `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
