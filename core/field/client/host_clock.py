"""What time it is at the core, as its messages tell: a device's own clock may be wrong."""

from __future__ import annotations

from dataclasses import dataclass

DRIFT = 200e-6
"""By so much two clocks that are in order may run apart: over weeks on one line that is minutes."""


@dataclass(slots=True)
class _Said:
    """The newest word of one core: its clock, and when it was heard by ours."""

    epoch: int = -1
    said_ms: float = float("-inf")
    heard_s: float = 0.0

    def least_ms(self, now_s: float) -> float:
        return self.said_ms + (now_s - self.heard_s) * 1000.0 * (1.0 - DRIFT)


class HostClock:
    """The least that the core's clock can show by now.

    A message is heard after it was written: the core's clock shows at least the time written in it, and what passed
    since it was heard. Whatever waited on its way, the newest of them is the closest. A core whose clock was set back
    begins a new epoch.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._cores: dict[str, _Said] = {}

    def note(self, core: str, epoch: int, said_ms: float | None, heard_s: float) -> None:
        """Take in a time that a core wrote [epoch ms], and when it was heard [s, monotonic]."""
        said = self._cores.setdefault(core, _Said())
        if said_ms is None or epoch < said.epoch:
            return
        if epoch > said.epoch or said_ms >= said.least_ms(heard_s):
            self._cores[core] = _Said(epoch, said_ms, heard_s)

    def is_past(self, instant_ms: float, now_s: float) -> bool:
        """Tell whether an instant [epoch ms] is over for certain, by the clock of a core."""
        return any(instant_ms <= said.least_ms(now_s) for said in self._cores.values())
