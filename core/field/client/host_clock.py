"""What time it is at the core, as its messages tell: a device's own clock may be wrong."""

from __future__ import annotations


class HostClock:
    """The least that the core's clock can show by now.

    A message is heard after it was written: the core's clock shows at least the time written in it, and what passed
    since it was heard. Whatever waited on its way, the newest of them is the closest.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._epoch = -1
        self._ahead_ms = float("-inf")

    def note(self, said_ms: float | None, heard_s: float) -> None:
        """Take in a time that the core wrote [epoch ms], and when it was heard [s, monotonic]."""
        if said_ms is not None:
            self._ahead_ms = max(self._ahead_ms, said_ms - heard_s * 1000.0)

    def begin(self, epoch: int) -> None:
        """The core is of another start: its clock may have been set."""
        if epoch > self._epoch:
            self._epoch, self._ahead_ms = epoch, float("-inf")

    def is_past(self, instant_ms: float, now_s: float) -> bool:
        """Tell whether an instant [epoch ms] is over for certain, by the core's clock."""
        return instant_ms <= self._ahead_ms + now_s * 1000.0
