"""How long to wait before the next try to connect: the same for the core and for every device."""

from __future__ import annotations

import random
from collections.abc import Callable

SHORT_OUTAGE_S = 60.0
SHORT_OUTAGE_DELAY_S = 1.5
MAX_DELAY_S = 30.0


def retry_delay_s(n_tries: int, outage_s: float, pick: Callable[[float, float], float] = random.uniform) -> float:
    """Return how long to wait before the next try: full jitter, 0.5 s doubling to 30 s.

    In the first minute no wait is longer than 1.5 s: a broker that comes back from a restart is found within 2 s.
    """
    ceiling = min(MAX_DELAY_S, 0.5 * 2.0 ** min(n_tries, 10))
    if outage_s < SHORT_OUTAGE_S:
        ceiling = min(ceiling, SHORT_OUTAGE_DELAY_S)
    return max(0.05, pick(0.0, ceiling))
