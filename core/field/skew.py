"""How wrong a device's clock is, told apart from messages that are merely late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

SKEW_S = 5.0
"""A clock that is off by more makes the device's values uncertain."""

AGREE_S = 2.0
N_AGREEING = 3
N_KEPT = 5
SAMPLE_EVERY_S = 1.0


@dataclass(slots=True)
class ClockWatch:
    """The clock of one device.

    A message can take any time, but none arrives before it was sent. So several messages that were sent at their
    own time and agree tell the clock; what a broker had kept for an outage comes in one burst of differing ages and
    tells nothing; and a message from the future tells at once.

    Attributes:
        skew_s: The device's clock minus ours; None before three messages agreed.
        is_sure: It was measured in the device's present start, or before ours; a clock without a battery begins anew.
        boot: The device's present start; empty where it does not say.
    """

    skew_s: float | None = None
    is_sure: bool = False
    boot: str = ""
    _least_s: float | None = None
    """The clock is ahead of ours by at least so much, as one message of this start showed."""

    _offsets_s: deque[float] = field(default_factory=lambda: deque(maxlen=N_KEPT))
    _sampled_at: datetime | None = None

    @property
    def is_wrong(self) -> bool:
        """It is off by more than `SKEW_S`."""
        return self.skew_s is not None and abs(self.skew_s) > SKEW_S

    def begin(self, boot: str) -> None:
        """The device introduced itself: after another start of it, how its clock was before is only a guess."""
        if self.boot and boot and boot != self.boot:
            self.is_sure, self._least_s = False, None
            self._offsets_s.clear()
        self.boot = boot or self.boot

    def is_of_before(self, boot: str) -> bool:
        """Tell whether a message is of an earlier start of the device."""
        return bool(boot and self.boot) and boot != self.boot

    def note(self, sent_at: datetime, received_at: datetime) -> bool:
        """Take in a message that says when it was sent; True where `skew_s` is another one now."""
        offset_s = (sent_at - received_at).total_seconds()
        self._least_s = offset_s if self._least_s is None else max(self._least_s, offset_s)
        if offset_s > (self.skew_s or 0.0) + AGREE_S:
            return self._begin_at(offset_s, received_at)
        since_s = None if self._sampled_at is None else (received_at - self._sampled_at).total_seconds()
        if since_s is not None and 0.0 <= since_s < SAMPLE_EVERY_S:
            return False
        self._sampled_at = received_at
        self._offsets_s.append(offset_s)
        newest = list(self._offsets_s)[-N_AGREEING:]
        if len(newest) < N_AGREEING or max(newest) - min(newest) > AGREE_S:
            return False
        known, self.skew_s = self.skew_s, max(newest)
        self.is_sure = True
        return known is None or abs(known - self.skew_s) >= 0.05

    def true_age_s(self, sent_at: datetime, received_at: datetime) -> float:
        """Return for how long a message was on its way, as far as the device's clock is known."""
        return (received_at - sent_at).total_seconds() + (self.skew_s or 0.0)

    def least_age_s(self, sent_at: datetime, received_at: datetime) -> float:
        """Return for how long a message of this start was on its way at least, by what is known for certain."""
        if self.is_sure:
            return self.true_age_s(sent_at, received_at)
        # What the device said before it bears its own clock out; where it said nothing, this may be its time.
        age_s = (received_at - sent_at).total_seconds()
        return 0.0 if self._least_s is None else age_s + self._least_s

    def _begin_at(self, offset_s: float, received_at: datetime) -> bool:
        self._offsets_s.clear()
        self._offsets_s.append(offset_s)
        self._sampled_at = received_at
        self.skew_s, self.is_sure = offset_s, True
        return True
