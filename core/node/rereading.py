"""Something that is read anew after changes: once for many that come together, and again until it could be read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

from core.kernel.clock import Clock
from core.node.standing_work import StandingWork

AGAIN_S = 3.0
"""How long after a reading that failed the next one comes."""


class Rereading:
    """Reads one thing for as long as what was read last is older than the newest change.

    Threads: the node's loop.
    """

    def __init__(
        self,
        part: str,
        read: Callable[[], Awaitable[None]],
        *,
        standing: StandingWork,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[Any]],
        clock: Clock,
    ) -> None:
        """Read nothing yet; faults are told by the name `part`."""
        self._part = part
        self._read = read
        self._standing = standing
        self._spawn = spawn
        self._clock = clock
        self._is_dirty = self._has_change = False
        self._task: asyncio.Task[Any] | None = None
        self.failing_since: datetime | None = None
        """When the first reading of a change was tried that could not be read since; None where none waits."""

    def soon(self) -> None:
        """Something changed: read it, once more where a reading is going on."""
        self._has_change = True
        self.again()

    def again(self) -> None:
        """Read it though nobody changed it: what goes with it may be there now."""
        self._is_dirty = True
        if self._task is None or self._task.done():
            self._task = self._spawn(self._work())

    async def _work(self) -> None:
        while self._is_dirty:
            is_change, self._is_dirty, self._has_change = self._has_change, False, False
            began_at = self._clock.now()
            if await self._standing.tick(self._part, self._read):
                self.failing_since = None
                continue
            if is_change:
                self.failing_since = self.failing_since or began_at
                self._has_change = True
            self._is_dirty = True
            await asyncio.sleep(AGAIN_S)
