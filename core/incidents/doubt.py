"""What was active before a start: it stays so until its source is heard again and says otherwise.

A source that is not heard is never normal. Its alarm is held as the last one known, however long that lasts; only what
has been heard for so long that its rules would have said it again is taken as over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from core.incidents.model import SourceKind

CONFIRM_S = 180.0
"""For so long a source is heard before its silence counts: jams take a minute or two to be seen again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubtful:
    """An active alarm of which no rule has said since the start that it holds."""

    condition_key: str
    kind: str
    source_kind: SourceKind
    source_id: str


Hearing = Callable[[Doubtful], float | None]
"""Tells for how long [s] the source of an alarm must be heard before its silence counts; None while it is not heard."""


def hear_nobody(_doubtful: Doubtful) -> None:
    """Hear no source: whatever is doubtful stays so."""
    return


class Doubts:
    """All that is doubtful; times are monotonic [s].

    Threads: the node's loop.
    """

    def __init__(self) -> None:
        """Begin without doubts."""
        self._doubtful: dict[str, Doubtful] = {}
        self._heard_since_s: dict[str, float] = {}
        self._over: set[str] = set()

    def __contains__(self, condition_key: str) -> bool:
        return condition_key in self._doubtful

    def add(self, found: Iterable[Doubtful]) -> None:
        """Doubt these, from now on and anew."""
        for one in found:
            self._doubtful[one.condition_key] = one
            self._heard_since_s.pop(one.condition_key, None)
            self._over.discard(one.condition_key)

    def discard(self, condition_key: str) -> None:
        """Somebody said how it is."""
        self._doubtful.pop(condition_key, None)
        self._heard_since_s.pop(condition_key, None)
        self._over.discard(condition_key)

    def over(self, hearing: Hearing, now_s: float) -> list[str]:
        """Return, once each, what sources that were heard for long enough, and all that time, did not say again."""
        found = []
        for key, one in self._doubtful.items():
            if key in self._over:
                continue
            needed_s = hearing(one)
            if needed_s is None:
                self._heard_since_s.pop(key, None)
            elif now_s - self._heard_since_s.setdefault(key, now_s) >= needed_s:
                found.append(key)
        self._over.update(found)
        return found
