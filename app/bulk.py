"""Many things changed one portion after the other, so that the room goes on and the operator may stop it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from app.connection import NodeConnection
from core.kernel.errors import ConsoleError
from core.kernel.portions import MAX_AT_ONCE

_T = TypeVar("_T")


class Portions:
    """One change of many things.

    Attributes:
        refused: Why the rest was not done; empty where all were.
    """

    def __init__(self, connection: NodeConnection, on_progress: Callable[[int, int], None], n_all: int) -> None:
        """Work over `connection`; `on_progress` hears how many of `n_all` are done."""
        self._connection, self._on_progress = connection, on_progress
        self._n_done, self._n_all = 0, n_all
        self._is_stopped = False
        self.refused = ""
        on_progress(0, n_all)

    def stop(self) -> None:
        """Send no further portion; what was sent counts."""
        self._is_stopped = True

    async def send(
        self,
        verb: str,
        things: Sequence[Any],
        kind: type[_T],
        *,
        n_at_once: int = MAX_AT_ONCE,
        named: str = "devices",
        **args: Any,
    ) -> list[_T]:
        """Send all things as the verb's argument `named`; returns the outcomes, each a `kind`, of those that were sent.

        A refusal ends it; what was done before stays done, and `refused` says why.
        """
        outcomes: list[_T] = []
        for first in range(0, len(things), n_at_once):
            portion = list(things[first : first + n_at_once])
            if not self._may_go_on():
                break
            try:
                answer = list[kind]  # type: ignore[valid-type]  # made while running: the caller names the type
                outcomes += await self._connection.call(verb, answer, **{named: portion}, **args)
            except ConsoleError as error:
                self.refused = f"{error.message} {error.hint}".strip()
                break
            self._count(len(portion))
        return outcomes

    def _may_go_on(self) -> bool:
        if self._is_stopped:
            self.refused = f"Stopped: {self._n_all - self._n_done:,} were not done."
        return not self.refused

    def _count(self, n_done: int) -> None:
        self._n_done += n_done
        self._on_progress(self._n_done, self._n_all)
