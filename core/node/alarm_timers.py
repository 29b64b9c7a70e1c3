"""What happens to alarms by themselves, part by part: whatever is wrong with one of them, the others go on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from core.kernel.errors import UnavailableError
from core.kernel.log import OncePerLoss

log = logging.getLogger(__name__)

Tick = Callable[[], Awaitable[None]]


class AlarmTimers:
    """Does what has fallen due in each part.

    Threads: the node's loop.
    """

    def __init__(self, parts: Mapping[str, Tick]) -> None:
        """Take the parts in their order, by what they keep, e.g. "delays"."""
        self._parts = dict(parts)
        self._once = OncePerLoss(log)

    async def tick(self) -> None:
        """Call every part once; call it about once a second."""
        for what, tick in self._parts.items():
            try:
                await tick()
            except UnavailableError as error:
                self._once.lost(what, f"the {what} of alarms wait for the database: {error}")
            except Exception:
                # A bug in one of them must not end the timers: nobody would be called until the next start.
                log.exception("the %s of alarms are not kept", what)
            else:
                self._once.back(what, f"the {what} of alarms are kept again")
