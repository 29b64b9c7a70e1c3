"""Many devices changed one portion after the other, so that the room goes on and the operator may stop it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from app.connection import NodeConnection
from core.field.inventory import MAX_AT_ONCE, BulkOutcome
from core.kernel.errors import ConsoleError

_T = TypeVar("_T")


class Portions:
    """One change of many devices.

    Attributes:
        outcomes: Of what was sent so far.
        refused: Why the rest was not sent; empty where all were, or somebody stopped it.
    """

    def __init__(self, connection: NodeConnection, on_progress: Callable[[int, int], None]) -> None:
        """Send over `connection`; `on_progress` hears how many of how many are done."""
        self._connection, self._on_progress = connection, on_progress
        self._is_stopped = False
        self.outcomes: list[BulkOutcome] = []
        self.refused = ""

    def stop(self) -> None:
        """Send no further portion; what was sent counts."""
        self._is_stopped = True

    async def send(self, verb: str, devices: Sequence[_T], **args: Any) -> list[BulkOutcome]:
        """Send all devices as the verb's `devices`; returns the outcomes.

        A refusal ends it; what was done before stays done, and `refused` says why.
        """
        self._on_progress(0, len(devices))
        for first in range(0, len(devices), MAX_AT_ONCE):
            portion = list(devices[first : first + MAX_AT_ONCE])
            if self._is_stopped:
                self.refused = f"Stopped: {len(devices) - first:,} were not sent."
                break
            try:
                self.outcomes += await self._connection.call(verb, list[BulkOutcome], devices=portion, **args)
            except ConsoleError as error:
                self.refused = f"{error.message} {error.hint}".strip()
                break
            self._on_progress(first + len(portion), len(devices))
        return self.outcomes
