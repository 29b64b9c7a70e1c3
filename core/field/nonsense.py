"""Who sends what cannot be used: counted, named, and not listened to for a while where it is too much."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.field.model import BadSource

MAX_SOURCES = 1000
BURST = 50.0
PER_S = 5.0
"""So much nonsense at once, and in the long run, is looked at; what is above that only costs time."""

OTHERS = "others"
"""Under this name stands all nonsense once `MAX_SOURCES` senders are known."""


@dataclass(slots=True)
class _Sender:
    n_messages: int = 0
    last_error: str = ""
    last_at: datetime | None = None
    budget: float = BURST
    budget_s: float = 0.0


class Nonsense:
    """Every sender of nonsense, by a device's id or the beginning of its topic.

    Threads: the owner's loop only.
    """

    def __init__(self) -> None:
        """Start with a clean slate."""
        self._senders: dict[str, _Sender] = {}

    def may_speak(self, source: str, now_s: float) -> bool:
        """Tell whether a source's messages are still looked at; one that sends only nonsense has to pause."""
        # Never by the common name of the others: who makes up a thousand names must not silence the innocent.
        sender = self._senders.get(source)
        if sender is None:
            return True
        _refill(sender, now_s)
        return sender.budget >= 1.0

    def note(self, source: str, sentence: str, *, received_at: datetime, now_s: float) -> bool:
        """Count a message that cannot be used; True the first time its sender does so, for the log."""
        name = self._name(source)
        is_first = name not in self._senders
        sender = self._senders.setdefault(name, _Sender(budget_s=now_s))
        _refill(sender, now_s)
        sender.budget = max(0.0, sender.budget - 1.0)
        sender.n_messages += 1
        sender.last_error, sender.last_at = sentence, received_at
        return is_first

    def sources(self) -> tuple[BadSource, ...]:
        """Return who sends what cannot be used, the worst first."""
        found = [
            BadSource(source=name, n_messages=sender.n_messages, last_error=sender.last_error, last_at=sender.last_at)
            for name, sender in self._senders.items()
            if sender.last_at is not None
        ]
        return tuple(sorted(found, key=lambda source: -source.n_messages))

    def _name(self, source: str) -> str:
        return source if source in self._senders or len(self._senders) < MAX_SOURCES else OTHERS


def _refill(sender: _Sender, now_s: float) -> None:
    sender.budget = min(BURST, sender.budget + max(0.0, now_s - sender.budget_s) * PER_S)
    sender.budget_s = now_s
