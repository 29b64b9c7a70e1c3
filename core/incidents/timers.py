"""What will happen to an alarm if nobody does anything: deadlines that are stored, waited for on the monotonic clock.

A deadline follows from the alarm as it is stored, so it survives a restart, and no repeat makes it later. Once it is
armed it counts on the monotonic clock: a wall clock that is set moves nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from core.incidents.model import Alarm, AlarmMark, AlarmState, Shelving
from core.incidents.tuning import AlarmTuning

STALE_AFTER = timedelta(hours=24)
MAX_LEFT = 1000


class Due(StrEnum):
    """What falls due."""

    UNSHELVE = "unshelve"
    SERVICE = "service"
    ESCALATE = "escalate"
    REALARM = "realarm"
    STALE = "stale"


@dataclass(frozen=True, slots=True, order=True)
class _Armed:
    due_s: float
    alarm_id: str
    due: Due
    at: datetime


def deadlines_of(alarm: Alarm, tuning: AlarmTuning) -> dict[Due, datetime]:
    """Return when what would happen to an alarm that stays as it is."""
    found: dict[Due, datetime] = {}
    if alarm.shelving is not Shelving.UNSHELVED and alarm.shelved_until is not None:
        found[Due.UNSHELVE] = alarm.shelved_until
    if alarm.out_of_service_by and alarm.out_of_service_until is not None:
        found[Due.SERVICE] = alarm.out_of_service_until
    if alarm.is_active and AlarmMark.STALE not in alarm.marks:
        found[Due.STALE] = alarm.raised_at + STALE_AFTER
    escalate_s = tuning.escalate_s.get(alarm.priority, 0.0)
    since = alarm.calling_since if alarm.is_calling else None
    if since is not None and escalate_s and alarm.escalation_level < tuning.max_escalation:
        found[Due.ESCALATE] = since + timedelta(seconds=escalate_s * (alarm.escalation_level + 1))
    realarm_s = tuning.realarm_s.get(alarm.priority, 0.0)
    if alarm.state is AlarmState.ACKNOWLEDGED and alarm.acknowledged_at is not None and realarm_s:
        found[Due.REALARM] = alarm.acknowledged_at + timedelta(seconds=realarm_s)
    return found


class Timers:
    """The deadlines of all open alarms.

    Threads: the node's loop.
    """

    def __init__(self) -> None:
        self._heap: list[_Armed] = []
        self._armed: dict[tuple[str, Due], _Armed] = {}
        self._by_alarm: dict[str, set[Due]] = {}

    def __len__(self) -> int:
        return len(self._armed)

    def arm(self, alarm_id: str, deadlines: dict[Due, datetime], *, now: datetime, now_s: float) -> None:
        """Wait for these and no other deadlines of an alarm; one that is armed already keeps its time."""
        for due in self._by_alarm.pop(alarm_id, set()) - deadlines.keys():
            del self._armed[alarm_id, due]
        if not deadlines:
            return
        self._by_alarm[alarm_id] = set(deadlines)
        for due, at in deadlines.items():
            known = self._armed.get((alarm_id, due))
            if known is not None and known.at == at:
                continue
            self._push(_Armed(now_s + max(0.0, (at - now).total_seconds()), alarm_id, due, at))

    def disarm(self, alarm_id: str, due: Due) -> None:
        """Wait for one deadline of an alarm no more."""
        if self._armed.pop((alarm_id, due), None) is not None:
            self._by_alarm[alarm_id].discard(due)

    def due(self, now_s: float) -> Iterable[tuple[str, Due]]:
        """Return what has come, the earliest first; it stays due until the alarm is armed anew."""
        found = []
        while self._heap and self._heap[0].due_s <= now_s:
            armed = heapq.heappop(self._heap)
            if self._armed.get((armed.alarm_id, armed.due)) is armed:
                found.append(armed)
        for armed in found:
            heapq.heappush(self._heap, armed)
        return [(armed.alarm_id, armed.due) for armed in found]

    def _push(self, armed: _Armed) -> None:
        self._armed[armed.alarm_id, armed.due] = armed
        heapq.heappush(self._heap, armed)
        if len(self._heap) > 2 * len(self._armed) + MAX_LEFT:
            # Most deadlines never come: what was disarmed would stay until its hour.
            self._heap = list(self._armed.values())
            heapq.heapify(self._heap)
