"""Putting a device's events in order, each once: duplicates go, gaps wait, a new outbox is noticed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from core.field.model import FieldEvent

GAP_REPEATS = 3
REPEAT_APART_S = 1.0
"""What comes again sooner waited somewhere: the device has not sent again in between."""

GAP_AFTER_S = 6.0
GAP_AT_MOST_S = 60.0
VOUCHES_S = 30.0
"""A word of a device says for so long before it that the device could have sent what is missing.

One whose line is dead at both ends stays online for the broker until one and a half of its keepalive: it says nothing.
"""

MAX_INTRODUCTIONS = 5
MADE_UP = "~"
"""What begins so stands for a start of a device that does not tell its starts."""

MAX_HELD = 2000


class Arrival(StrEnum):
    """What an event turned out to be."""

    IN_ORDER = "in_order"
    DUPLICATE = "duplicate"
    HELD = "held"
    """Something before it is missing; the device sends that again."""

    TURNED_AWAY = "turned_away"
    """Too much is held already; the device sends it again."""


@dataclass(slots=True)
class Sequence:
    """The events of one device.

    Attributes:
        taken: Highest event up to which nothing is missing, stored or on its way to the store; None before the first.
        n_skipped: Events the device no longer had.
        n_resets: Times its outbox began anew.
        made_up_boot: Of a device that does not tell its starts and has begun to count anew: its present one.
    """

    taken: int | None = None
    last_at: datetime | None = None
    last_boot: str = ""
    n_skipped: int = 0
    n_resets: int = 0
    made_up_boot: str = ""
    held: dict[int, FieldEvent] = field(default_factory=dict)
    _gap_since_s: float | None = None
    _heard_until_s: float = 0.0
    _heard_for_s: float = 0.0
    """Of the time in which something has been missing, that in which the device could be heard."""

    _lowest_seen: tuple[int, int] = (0, 0)
    _repeat_s: float = float("-inf")
    _n_introductions: int = 0

    def offer(self, event: FieldEvent, now_s: float) -> tuple[Arrival, list[FieldEvent]]:
        """Take an event in; returns what it is and the events that may be stored now, in order."""
        if self._is_new_outbox(event):
            self.begin_anew()
        if self.taken is not None and event.seq <= self.taken:
            return Arrival.DUPLICATE, []
        # A device may number its first event 0 or 1.
        is_next = event.seq <= 1 if self.taken is None else event.seq == self.taken + 1
        if is_next:
            return Arrival.IN_ORDER, self._release(event, now_s)
        if event.seq in self.held:
            self._note_repeat(event.seq, now_s)
            if self._is_gap_given_up(now_s):
                return Arrival.IN_ORDER, self._skip_gap(now_s)
            return Arrival.DUPLICATE, []
        if len(self.held) >= MAX_HELD:
            return Arrival.TURNED_AWAY, []
        self.held[event.seq] = event
        if self._gap_since_s is None:
            self._begin_gap(now_s)
        self._note_repeat(event.seq, now_s)
        return Arrival.HELD, []

    def is_newer(self, event: FieldEvent) -> bool:
        """Tell whether an event happened after all that are taken, by the device's clock."""
        return self.last_at is not None and event.at > self.last_at + timedelta(seconds=1)

    def is_missing_before(self, seq: int) -> bool:
        """Tell whether an event waits for what is missing before it."""
        return self.taken is None or seq > self.taken

    def gap_age_s(self, now_s: float) -> float | None:
        """Return for how long something has been missing; None where nothing is."""
        return None if self._gap_since_s is None else now_s - self._gap_since_s

    def begin_anew(self) -> None:
        """The device has another outbox, which counts from the beginning."""
        self.n_resets += 1
        self.forget_untaken(None)

    def wait_on(self, now_s: float) -> None:
        """The device cannot be heard: that what is missing does not come says nothing, and its time begins anew."""
        if self._gap_since_s is not None:
            self._begin_gap(now_s)
            self._lowest_seen = (0, 0)

    def on_introduction(self, now_s: float) -> None:
        """The device connected or started: what is missing may come with all that it sends now.

        One that introduces itself all the time does not hold up its own events for ever.
        """
        if (self.gap_age_s(now_s) or 0.0) >= REPEAT_APART_S and self._n_introductions < MAX_INTRODUCTIONS:
            self._n_introductions += 1
            self.wait_on(now_s)

    def give_up_old_gap(self, now_s: float, *, heard_s: float) -> list[FieldEvent]:
        """Return the held events where what is missing will not come any more.

        Call it once a second; `heard_s` is when the device spoke last.
        """
        if self._gap_since_s is None:
            return []
        if heard_s > self._heard_until_s:
            self._heard_for_s += min(heard_s - self._heard_until_s, VOUCHES_S)
            self._heard_until_s = heard_s
        return [] if self._heard_for_s < GAP_AT_MOST_S else self._skip_gap(now_s)

    def forget_untaken(self, stored: int | None) -> None:
        """Go back to what is stored: the device sends the rest again."""
        self.taken = stored
        self.held.clear()
        self._end_gap()

    def _is_new_outbox(self, event: FieldEvent) -> bool:
        """A wiped device starts to count again: an old number with a newer time, from another start of the device.

        An event that is merely sent again carries the time at which it happened.
        """
        if self.taken is None or event.seq > self.taken:
            return False
        return event.boot != self.last_boot and self.is_newer(event)

    def _release(self, event: FieldEvent, now_s: float) -> list[FieldEvent]:
        ready = [event]
        while ready[-1].seq + 1 in self.held:
            ready.append(self.held.pop(ready[-1].seq + 1))
        self._take(ready)
        self._end_gap()
        if self.held:
            # Behind it something else is missing.
            self._begin_gap(now_s)
        return ready

    def _take(self, ready: list[FieldEvent]) -> None:
        self.taken = ready[-1].seq
        self.last_boot = ready[-1].boot
        newest = max(event.at for event in ready)
        self.last_at = newest if self.last_at is None else max(self.last_at, newest)

    def _note_repeat(self, seq: int, now_s: float) -> None:
        lowest = min(self.held)
        known, n_times = self._lowest_seen
        if seq != lowest or (known == lowest and now_s - self._repeat_s < REPEAT_APART_S):
            return
        self._repeat_s = now_s
        self._lowest_seen = (lowest, n_times + 1 if known == lowest else 1)

    def _is_gap_given_up(self, now_s: float) -> bool:
        """The device has sent again and again, and the missing ones were never among it: it no longer has them."""
        if self._gap_since_s is None:
            return False
        return self._lowest_seen[1] >= GAP_REPEATS and now_s - self._gap_since_s >= GAP_AFTER_S

    def _skip_gap(self, now_s: float) -> list[FieldEvent]:
        lowest = min(self.held)
        if self.taken is not None or self.n_resets:
            self.n_skipped += lowest - (1 if self.taken is None else self.taken + 1)
        # Of a device that nobody knew, what came before was another core's.
        return self._release(self.held.pop(lowest), now_s)

    def _begin_gap(self, now_s: float) -> None:
        self._gap_since_s = self._heard_until_s = now_s
        self._heard_for_s = 0.0

    def _end_gap(self) -> None:
        self._gap_since_s = None
        self._lowest_seen = (0, 0)
        self._n_introductions = 0
