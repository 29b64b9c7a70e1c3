"""What devices raise themselves: a stored event becomes a call, once, also where the node is killed in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from core.field import event_log
from core.field.event_log import EventCall
from core.field.model import OVERFLOW, Device, FieldEvent
from core.incidents.model import Alarm, AlarmState, Condition
from core.incidents.service import IncidentService
from core.kernel.errors import BadInputError
from core.kernel.zone import UTC_ZONE
from core.node import conditions

MAX_SORTS = 16
"""Sorts of alerts that one device has alarms of its own for; what it invents beyond is one more alarm."""

MAX_AHEAD = 20_000

ForgetWaiting = Callable[[Sequence[FieldEvent]], Awaitable[None]]


async def forget_nothing(_events: Sequence[FieldEvent]) -> None:
    """Let them wait."""


class EventCalls:
    """Calls for events of devices; that what they say lasts, nobody can know.

    What comes while the call of another event of the same sort waits for the database is one call with it. In the
    database every event waits until its call is stored, in one transaction with it.

    Threads: the node's loop.
    """

    def __init__(
        self,
        incidents: IncidentService,
        *,
        find_device: Callable[[str], Device],
        forget_waiting: ForgetWaiting,
        later: Callable[[str, Callable[[], Coroutine[Any, Any, None]]], bool],
        zone: ZoneInfo = UTC_ZONE,
    ) -> None:
        """Prepare.

        Args:
            incidents: Where calls go.
            find_device: By its id.
            forget_waiting: Lets events of removed devices wait no longer.
            later: Queues a step in a lane; False where too many wait.
            zone: In which alarms say when something was.
        """
        self._zone = zone
        self._incidents, self._find_device, self._later = incidents, find_device, later
        self._forget_waiting = forget_waiting
        self._waiting: dict[str, list[tuple[FieldEvent, Condition | None]]] = {}
        self._sorts: defaultdict[str, set[str]] = defaultdict(set)
        self._ahead: set[tuple[str, int, str]] = set()
        """What was called for out of its turn."""

    def take(self, event: FieldEvent) -> None:
        """Call for an event that calls; for one that came out of its turn not once more in its turn."""
        key = (event.device_id, event.seq, event.boot)
        if key in self._ahead:
            if not event.is_ahead:
                self._ahead.discard(key)
            return
        condition = self._condition(event)
        lane = f"event/{event.device_id}" if condition is None else condition.condition_key
        waiting = self._waiting.get(lane)
        if waiting is not None:
            waiting.append((event, condition))
            self._note_ahead(event)
            return
        batch = self._waiting[lane] = [(event, condition)]
        if not self._later(lane, partial(self._store, lane, batch)):
            # It waits in the database for the next start.
            del self._waiting[lane]
        else:
            self._note_ahead(event)

    def _note_ahead(self, event: FieldEvent) -> None:
        if event.is_ahead and not event.is_unnumbered and len(self._ahead) < MAX_AHEAD:
            self._ahead.add((event.device_id, event.seq, event.boot))

    def forget(self, device_id: str) -> None:
        """A device was removed."""
        self._sorts.pop(device_id, None)
        self._ahead = {key for key in self._ahead if key[0] != device_id}

    def _condition(self, event: FieldEvent) -> Condition | None:
        """Return what an event calls for; None where its device was removed meanwhile."""
        try:
            device = self._find_device(event.device_id)
        except BadInputError:
            return None
        if event.event_type == OVERFLOW:
            return conditions.device_overflow(device, event)
        found = conditions.device_alert(device, event, self._zone)
        sorts = self._sorts[event.device_id]
        if found.condition_key not in sorts and len(sorts) >= MAX_SORTS:
            return conditions.device_alert_beyond(found)
        sorts.add(found.condition_key)
        return found

    async def _store(self, lane: str, batch: list[tuple[FieldEvent, Condition | None]]) -> None:
        if self._waiting.get(lane) is batch:
            # What comes from now on is a step of its own.
            del self._waiting[lane]
        events = [event for event, _ in batch]
        found = [condition for _, condition in batch if condition is not None]
        if not found:
            await self._forget_waiting(events)
            return
        most_urgent = min(reversed(found), key=lambda one: one.priority)

        def note(session: Session, alarm: Alarm | None) -> None:
            if alarm is None:
                event_log.note_call(session, events, EventCall.COUNTED)
            else:
                event_log.note_call(session, events, _HELD.get(alarm.state, EventCall.CALLED), alarm.alarm_id)

        await self._incidents.raise_moment(
            most_urgent, partial(event_log.claim, events=events), note, n_times=len(found)
        )


_HELD = {
    AlarmState.SHELVED: EventCall.SHELVED,
    AlarmState.SUPPRESSED: EventCall.SUPPRESSED,
    AlarmState.OUT_OF_SERVICE: EventCall.OUT_OF_SERVICE,
}
