"""Which alarm's camera is brought onto the wall, and which ones wait for it: frozen states and the steps between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from core.incidents.model import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An alarm that calls, and the camera that sees it.

    Attributes:
        occurrence: What an acknowledge or a dismissal is for; a later one calls again.
    """

    occurrence: str
    alarm_id: str
    camera_id: str
    title: str
    priority: Priority
    raised_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmQueue:
    """The alarms that call, most urgent first, and the one that is shown.

    Attributes:
        shown: Occurrence of the alarm whose camera is on the wall; empty where none calls.
        dismissed: Occurrences that the operator has waved away.
    """

    calls: tuple[Call, ...] = ()
    shown: str = ""
    dismissed: frozenset[str] = frozenset()

    @property
    def current(self) -> Call | None:
        """The alarm that is shown."""
        return next((call for call in self.calls if call.occurrence == self.shown), None)

    @property
    def place(self) -> int:
        """Of the alarm that is shown, from 1; 0 where none is."""
        places = [at for at, call in enumerate(self.calls, 1) if call.occurrence == self.shown]
        return places[0] if places else 0

    @property
    def n_more(self) -> int:
        """Alarms that wait beside the one that is shown."""
        return max(0, len(self.calls) - 1)


def with_calls(queue: AlarmQueue, calls: Iterable[Call]) -> AlarmQueue:
    """Take over every alarm that calls now.

    What is shown stays until it is answered; only a more urgent alarm that was not there before takes its place.
    """
    every = tuple(calls)
    kept = queue.dismissed & {call.occurrence for call in every}
    waiting = tuple(
        sorted(
            (call for call in every if call.occurrence not in kept), key=lambda call: (call.priority, call.raised_at)
        )
    )
    known = {call.occurrence for call in queue.calls}
    changed = AlarmQueue(calls=waiting, shown=queue.shown, dismissed=kept)
    current = changed.current
    if current is None:
        return replace(changed, shown=_shown_at(waiting, queue.place))
    new = [call for call in waiting if call.occurrence not in known and call.priority < current.priority]
    return replace(changed, shown=new[0].occurrence) if new else changed


def stepped(queue: AlarmQueue, n: int) -> AlarmQueue:
    """Show the next alarm, or the one before where `n` is negative; around at the ends."""
    if not queue.calls:
        return queue
    return replace(queue, shown=queue.calls[(queue.place - 1 + n) % len(queue.calls)].occurrence)


def chosen(queue: AlarmQueue, camera_id: str) -> AlarmQueue:
    """Show the most urgent alarm of a camera, where it has one."""
    found = next((call for call in queue.calls if call.camera_id == camera_id), None)
    return replace(queue, shown=found.occurrence) if found is not None else queue


def without_current(queue: AlarmQueue) -> AlarmQueue:
    """Wave away what is shown; the alarm itself stays in the list."""
    waiting = tuple(call for call in queue.calls if call.occurrence != queue.shown)
    # `calls` is without what was waved away before: only the next list of every alarm says which of those are over.
    return AlarmQueue(calls=waiting, shown=_shown_at(waiting, queue.place), dismissed=queue.dismissed | {queue.shown})


def _shown_at(calls: tuple[Call, ...], place: int) -> str:
    """Return which alarm follows the one that was shown at a place, from 1."""
    return calls[min(max(0, place - 1), len(calls) - 1)].occurrence if calls else ""
