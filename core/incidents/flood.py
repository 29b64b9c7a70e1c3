"""Alarm flood at one operator position: more calls than anybody can answer one by one.

Source: ISA-18.2 and EEMUA 191, as study/control_room.md 3A has them: it begins with more than 10 calls in 10 minutes
and ends with fewer than 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from core.incidents.model import Alarm

WINDOW = timedelta(minutes=10)
BEGINS_ABOVE = 10
ENDS_BELOW = 5

Call = tuple[str, str, int]
"""Alarm, occurrence and repeat: what called once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What a position was called for in the last ten minutes.

    Attributes:
        calls: When each call came.
        since: When the flood began; None while there is none.
    """

    calls: dict[Call, datetime]
    since: datetime | None = None

    @property
    def is_on(self) -> bool:
        """Whether there is a flood."""
        return self.since is not None

    @property
    def n_calls(self) -> int:
        """Calls of the last ten minutes."""
        return len(self.calls)


NO_FLOOD = Flood(calls={})


def looked_at(flood: Flood, alarms: Iterable[Alarm], now: datetime) -> Flood:
    """Take over the open alarms of a position as of `now`.

    An alarm that was answered counts as well: it called. One that is shelved, suppressed or out of service does not,
    unless it called before.
    """
    begin = now - WINDOW
    calls = {call: at for call, at in flood.calls.items() if at > begin}
    for alarm in alarms:
        call = (alarm.alarm_id, alarm.occurrence, alarm.n_repeats)
        at = min(now, alarm.changed_at if alarm.n_repeats and alarm.is_calling else alarm.raised_at)
        if call not in calls and at > begin and _calls_or_called(alarm):
            calls[call] = at
    if flood.since is not None:
        since = None if len(calls) < ENDS_BELOW else flood.since
    else:
        since = now if len(calls) > BEGINS_ABOVE else None
    if calls == flood.calls and since == flood.since:
        return flood
    return replace(flood, calls=calls, since=since)


def _calls_or_called(alarm: Alarm) -> bool:
    return alarm.is_calling or alarm.acknowledged_at is not None
