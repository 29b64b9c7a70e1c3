"""Alarm flood at one operator position: more calls than anybody can answer one by one.

Source: ISA-18.2 and EEMUA 191, as study/control_room.md 3A has them: it begins with more than 10 calls in 10 minutes
and ends with fewer than 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from core.incidents.model import Alarm

WINDOW = timedelta(minutes=10)
BEGINS_ABOVE = 10
ENDS_BELOW = 5

Call = tuple[str, str, int]
"""Alarm, occurrence and number: what called once, as the journal counts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What a position was called for in the last ten minutes.

    Attributes:
        calls: When each call came.
        counted: Calls of every open alarm that are counted, whenever they came, by alarm and occurrence.
        since: When the flood began; None while there is none.
    """

    calls: dict[Call, datetime]
    counted: dict[tuple[str, str], int] = field(default_factory=dict)
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

    Each call counts once, as it does in the figures: a raise, a return of what was over, an escalation, a re-alarm. An
    alarm that was answered has called all the same; what chatters or is held makes no call.
    """
    begin = now - WINDOW
    calls = {call: at for call, at in flood.calls.items() if at > begin}
    counted: dict[tuple[str, str], int] = {}
    for alarm in alarms:
        key = (alarm.alarm_id, alarm.occurrence)
        counted[key] = alarm.n_calls
        known = flood.counted.get(key)
        for number in range((known or 0) + 1, alarm.n_calls + 1):
            at = min(now, _first_called_at(alarm) if known is None else alarm.changed_at)
            if (*key, number) not in calls and at > begin:
                calls[*key, number] = at
    return _judged(flood, calls, counted, now)


def told(flood: Flood, calls: Iterable[tuple[Call, datetime]], now: datetime) -> Flood:
    """Take over what the journal says of the last ten minutes: when what called before this desk was opened did so."""
    begin = now - WINDOW
    known = {call: at for call, at in flood.calls.items() if at > begin}
    return _judged(flood, known | {call: at for call, at in calls if at > begin}, flood.counted, now)


def _judged(flood: Flood, calls: dict[Call, datetime], counted: dict[tuple[str, str], int], now: datetime) -> Flood:
    if flood.since is not None:
        since = None if len(calls) < ENDS_BELOW else flood.since
    else:
        since = now if len(calls) > BEGINS_ABOVE else None
    if (calls, counted, since) == (flood.calls, flood.counted, flood.since):
        return flood
    return replace(flood, calls=calls, counted=counted, since=since)


def _first_called_at(alarm: Alarm) -> datetime:
    """Return when an alarm called that is seen for the first time; of several calls the list knows only the begin."""
    return alarm.calling_since or alarm.raised_at if alarm.n_calls == 1 else alarm.raised_at
