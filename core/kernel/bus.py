"""Events inside one process: typed, synchronous, on the publisher's thread."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")


class Bus:
    """Hands an event to everyone who asked for its type.

    Threads: all calls come from the owner's loop; other threads cross with `call_soon_threadsafe`.
    """

    def __init__(self) -> None:
        """Start without subscribers."""
        self._handlers: dict[type[Any], list[Callable[[Any], None]]] = defaultdict(list)

    def subscribe(self, event_type: type[T], handler: Callable[[T], None]) -> Callable[[], None]:
        """Call `handler` for every event of exactly this type; returns the way to unsubscribe."""
        self._handlers[event_type].append(handler)

        def unsubscribe() -> None:
            if handler in self._handlers[event_type]:
                self._handlers[event_type].remove(handler)

        return unsubscribe

    def publish(self, event: object) -> None:
        """Hand `event` to its subscribers; one that fails does not keep it from the others."""
        for handler in tuple(self._handlers[type(event)]):
            try:
                handler(event)
            except Exception:
                log.exception("a subscriber of %s failed", type(event).__name__)
