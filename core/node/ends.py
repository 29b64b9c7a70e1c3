"""How often a worker ended without being asked to: who is suspect, who is calm, who is tried again when."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

FIRST_DELAY_S = 0.1
MAX_DELAY_S = 10.0
ALONE_MAX_DELAY_S = 300.0
"""Where one camera ends its process again and again: nobody else waits for it."""

SUSPECT_WITHIN_S = 600.0
COUNTED_FOR_S = 3600.0
CALM_AFTER_S = 3600.0
"""So long without an end, and its cameras are read together with others again."""


@dataclass(eq=False)
class Ends:
    """Ends of one worker that nobody asked for, and starts of it that failed, of the last hour; monotonic times.

    Attributes:
        n_in_row: Since it last ran well.
        apart_s: When it was set apart from cameras that may be innocent; of its own cameras that was an end, too.
    """

    ended_s: list[float] = field(default_factory=list)
    unstarted_s: list[float] = field(default_factory=list)
    apart_s: float | None = None
    n_in_row: int = 0

    @property
    def n_counted(self) -> int:
        """Ends and failed starts within the hour."""
        return len(self.ended_s) + len(self.unstarted_s)

    def forget_old(self, now_s: float) -> bool:
        """Count what is older than an hour no longer; returns whether there was such."""
        n_before = self.n_counted
        self.ended_s = [at_s for at_s in self.ended_s if now_s - at_s < COUNTED_FOR_S]
        self.unstarted_s = [at_s for at_s in self.unstarted_s if now_s - at_s < COUNTED_FOR_S]
        return self.n_counted < n_before

    def is_suspect(self, now_s: float) -> bool:
        """Whether one of its cameras is likely to end it: that happened twice within ten minutes."""
        ends = self.ended_s if self.apart_s is None else [*self.ended_s, self.apart_s]
        return sum(now_s - at_s < SUSPECT_WITHIN_S for at_s in ends) > 1

    def is_calm(self, now_s: float) -> bool:
        """Whether it ran for an hour without an end."""
        last_s = max((*self.ended_s, *self.unstarted_s, self.apart_s or -math.inf), default=-math.inf)
        return now_s - last_s >= CALM_AFTER_S

    def delay_s(self) -> float:
        """How long to wait before the next start."""
        # The first restart comes at once: a black wall is worse than a wasted start.
        return min(MAX_DELAY_S, FIRST_DELAY_S * 3.0 ** min(self.n_in_row, 9))

    def delay_alone_s(self) -> float:
        """The same for a camera that ends its process again and again, however long it runs in between."""
        return min(ALONE_MAX_DELAY_S, FIRST_DELAY_S * 3.0 ** min(self.n_counted, 9))
