"""Work that goes on for as long as the node does: what fails in it is told, ends nothing else, and begins anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from core.kernel.clock import Clock
from core.kernel.errors import UnavailableError

log = logging.getLogger(__name__)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
WELL_AFTER_S = 120.0
"""A part that has not failed for so long is well again; longer than any wait between two tries."""

_MAX_SAID = 200


class StandingWork:
    """Keeps the parts of a node going that nobody would miss until they are needed."""

    def __init__(self, clock: Clock, on_fault: Callable[[str, str], None], on_well: Callable[[str], None]) -> None:
        """Tell of faults by the part's name and a sentence, of each one, and once of a part that is well again."""
        self._clock = clock
        self._on_fault, self._on_well = on_fault, on_well
        self._failed: dict[str, tuple[float, str]] = {}
        """When each part failed last, and how."""

    async def keep(self, part: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do work that ends with the node, or where it has nothing to do; after a fault it begins anew."""
        wait_s = FIRST_WAIT_S
        while True:
            began_s = self._clock.monotonic()
            if await self.tick(part, work):
                return
            if self._clock.monotonic() - began_s > LONGEST_WAIT_S:
                wait_s = FIRST_WAIT_S
            await asyncio.sleep(wait_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 2.0)

    async def tick(self, part: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Do one step of what is done again and again; returns whether it was done."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - logged, told and tried again
            # A bug must not end for good what nobody looks at, nor what comes after it.
            self._take(part, error)
            return False
        return True

    def step(self, part: str, work: Callable[[], None]) -> None:
        """Do one step that waits for nothing."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - logged, told and tried again
            self._take(part, error)

    def watch(self) -> None:
        """Tell of parts that are well again; call it about once a second."""
        now_s = self._clock.monotonic()
        for part in [part for part, (failed_s, _) in self._failed.items() if now_s - failed_s > WELL_AFTER_S]:
            del self._failed[part]
            log.info("%s: well again", part)
            self._on_well(part)

    def _take(self, part: str, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"[:_MAX_SAID]
        is_news = self._failed.get(part, (0.0, ""))[1] != said
        self._failed[part] = (self._clock.monotonic(), said)
        if isinstance(error, UnavailableError):
            # What is away, e.g. the database, has an alarm of its own.
            if is_news:
                log.warning("%s: waits for what is away: %s", part, error)
            return
        if is_news:
            log.error("%s: failed and begins anew", part, exc_info=error)
        self._on_fault(part, f"{part}: {said}. It begins anew by itself; the log says more.")
