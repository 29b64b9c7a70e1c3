"""Whether this machine's clock was set: times from before and after do not fit together, and people should know."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from core.kernel.clock import Clock
from core.kernel.zone import write_local_clock

STEP_S = 2.0
"""Between two looks wall time and monotonic time may come apart by less: time servers pull a clock along slowly."""

SHOWN_S = 3600.0
"""So long *Health* says it; the shift log keeps it."""

HINT = "See that a time server (NTP) sets this machine's clock, and read times around then with care."


class ClockWatch:
    """Looks once a second; each step is told once."""

    def __init__(self, clock: Clock, zone: ZoneInfo) -> None:
        """Take the clock as it is now for right."""
        self._clock = clock
        self._zone = zone
        self._ahead_s = self._read_ahead_s()
        self._said, self._said_s = "", 0.0

    def look(self) -> str:
        """Return what happened to the clock since the last look, in a sentence; empty where it only went on."""
        before_s, self._ahead_s = self._ahead_s, self._read_ahead_s()
        step_s = self._ahead_s - before_s
        if abs(step_s) < STEP_S:
            return ""
        at = write_local_clock(self._clock.now(), self._zone, timespec="seconds")
        if step_s < 0:
            self._said = f"The clock of the node's machine was set back by {-step_s:,.0f} s, to {at}: times come twice."
        else:
            self._said = (
                f"The clock of the node's machine jumped ahead by {step_s:,.0f} s, to {at}, or it slept so long."
            )
        self._said_s = self._clock.monotonic()
        return self._said

    @property
    def notice(self) -> str:
        """The newest step, for an hour; empty where there was none."""
        return self._said if self._clock.monotonic() - self._said_s < SHOWN_S else ""

    def _read_ahead_s(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()
