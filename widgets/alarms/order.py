"""Which alarms are shown, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from core.incidents.model import Alarm, AlarmState, Priority

STRIP_LENGTH = 3

STATE_WORDS = {
    AlarmState.UNACKNOWLEDGED: "Unacknowledged",
    AlarmState.ACKNOWLEDGED: "Acknowledged",
    AlarmState.RETURNED_UNACKNOWLEDGED: "Returned, unacknowledged",
    AlarmState.NORMAL: "Normal",
}


class Choice(StrEnum):
    """Which states the list shows; the value is what the operator reads."""

    OPEN = "All open"
    CALLING = "Unacknowledged"
    ACTIVE = "Active"
    ACKNOWLEDGED = "Acknowledged"
    RETURNED = "Returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFilter:
    """What the operator wants to see.

    Attributes:
        query: Every word of it must stand somewhere in source, title, kind, person or comment.
    """

    query: str = ""
    choice: Choice = Choice.OPEN

    @property
    def is_narrow(self) -> bool:
        """Whether it may hide an open alarm."""
        return bool(self.query.strip()) or self.choice is not Choice.OPEN


def urgency(alarm: Alarm) -> tuple[bool, int, float, str]:
    """Return the sort key of the list: unacknowledged first, then priority, then the newest."""
    return not alarm.is_calling, int(alarm.priority), -alarm.raised_at.timestamp(), alarm.alarm_id


def is_chosen(alarm: Alarm, choice: Choice) -> bool:
    """Whether an alarm is in one of the chosen states."""
    if not alarm.is_open:
        return False
    if choice is Choice.CALLING:
        return alarm.is_calling
    if choice is Choice.ACTIVE:
        return alarm.is_active
    if choice is Choice.ACKNOWLEDGED:
        return alarm.is_acknowledged
    if choice is Choice.RETURNED:
        return not alarm.is_active
    return True


def matches(alarm: Alarm, wanted: AlarmFilter) -> bool:
    """Whether the list shows an alarm."""
    if not is_chosen(alarm, wanted.choice):
        return False
    words = wanted.query.casefold().split()
    if not words:
        return True
    text = "\n".join(
        (alarm.source_name, alarm.title, alarm.kind, alarm.acknowledged_by, alarm.comment, alarm.state.value)
    ).casefold()
    return all(word in text for word in words)


def arranged(alarms: Iterable[Alarm], wanted: AlarmFilter) -> list[Alarm]:
    """Return what the list shows, in its order."""
    return sorted((alarm for alarm in alarms if matches(alarm, wanted)), key=urgency)


def calling_counts(alarms: Iterable[Alarm]) -> dict[Priority, int]:
    """Count unacknowledged alarms by priority; every priority is in it."""
    counts = dict.fromkeys(Priority, 0)
    for alarm in alarms:
        if alarm.is_calling:
            counts[alarm.priority] += 1
    return counts


def strip_alarms(alarms: Iterable[Alarm]) -> tuple[Alarm, ...]:
    """Return what the strip shows: the three most urgent unacknowledged alarms, newest first within a priority."""
    return tuple(sorted((alarm for alarm in alarms if alarm.is_calling), key=urgency)[:STRIP_LENGTH])
