"""What one sender may ask of the gateway: how often, how much at once, and how soon again after a wrong key.

All times are monotonic seconds. Threads: the owner's loop only.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

N_FREE_FAILURES = 5
FIRST_LOCK_S = 1.0
LONGEST_LOCK_S = 300.0
FORGET_AFTER_S = 3600.0
MAX_REMEMBERED = 10_000
"""Senders; beyond that the one that was silent for longest is forgotten: who invents addresses costs no memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often something may come: `burst` at once, `per_s` in the long run."""

    per_s: float
    burst: float


@dataclass(slots=True)
class Bucket:
    """Counts one sender against a pace."""

    pace: Pace
    level: float = field(init=False)
    at_s: float = 0.0

    def __post_init__(self) -> None:
        """Begin full."""
        self.level = self.pace.burst

    def wait_s(self, now_s: float) -> float:
        """Take one; returns 0, or after how long one will be there."""
        self.level = min(self.pace.burst, self.level + max(0.0, now_s - self.at_s) * self.pace.per_s)
        self.at_s = now_s
        if self.level >= 1.0:
            self.level -= 1.0
            return 0.0
        return (1.0 - self.level) / self.pace.per_s


class Buckets:
    """One bucket for each sender."""

    def __init__(self, pace: Pace) -> None:
        """Give everybody the same pace."""
        self._pace = pace
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def wait_s(self, sender: str, now_s: float) -> float:
        """Take one from the sender's bucket; returns 0, or after how long one will be there."""
        bucket = self._buckets.get(sender)
        if bucket is None:
            bucket = self._buckets[sender] = Bucket(self._pace, at_s=now_s)
            if len(self._buckets) > MAX_REMEMBERED:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(sender)
        return bucket.wait_s(now_s)


@dataclass(slots=True)
class _Failures:
    n: int = 0
    last_s: float = 0.0
    locked_until_s: float = 0.0


class LockOut:
    """Makes whoever guesses keys wait, twice as long with every guess.

    It locks an address together with the key it tried, never the key for everybody, nor the address for other keys:
    one device with an old key must not silence its neighbours behind the same router.
    """

    def __init__(self) -> None:
        """Begin without a grudge."""
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait_s(self, subject: str, now_s: float) -> float:
        """Return for how long the subject is not listened to; 0 where it is."""
        known = self._failures.get(subject)
        return 0.0 if known is None else max(0.0, known.locked_until_s - now_s)

    def note_failure(self, subject: str, now_s: float) -> None:
        """Count a wrong key."""
        known = self._failures.setdefault(subject, _Failures())
        if now_s - known.last_s > FORGET_AFTER_S:
            known.n = 0
        known.n += 1
        known.last_s = now_s
        if known.n > N_FREE_FAILURES:
            doublings = min(known.n - N_FREE_FAILURES - 1, 16)
            known.locked_until_s = now_s + min(LONGEST_LOCK_S, FIRST_LOCK_S * 2.0**doublings)
        self._failures.move_to_end(subject)
        if len(self._failures) > MAX_REMEMBERED:
            self._failures.popitem(last=False)

    def forget(self, subject: str) -> None:
        """Somebody had the right key."""
        self._failures.pop(subject, None)
