"""Which alarms are shown, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from core.incidents.model import Alarm, AlarmState, Priority

STRIP_LENGTH = 3

STATE_WORDS = {
    AlarmState.UNACKNOWLEDGED: "Unacknowledged",
    AlarmState.ACKNOWLEDGED: "Acknowledged",
    AlarmState.RETURNED_UNACKNOWLEDGED: "Returned, unacknowledged",
    AlarmState.LATCHED_UNACKNOWLEDGED: "Over, latched, unacknowledged",
    AlarmState.LATCHED_ACKNOWLEDGED: "Over, latched: reset needed",
    AlarmState.SHELVED: "Shelved",
    AlarmState.SUPPRESSED: "Suppressed by design",
    AlarmState.OUT_OF_SERVICE: "Out of service",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an alarm stands among those of its site and kind, while there is a flood.

    Attributes:
        number: 1 for the first-out, the one that was raised before all others.
        of: How many there are.
    """

    number: int
    of: int


def arranged_by_group(
    alarms: Iterable[Alarm], wanted: AlarmFilter, site_of: Callable[[Alarm], str]
) -> list[tuple[Alarm, Place]]:
    """Return what the list shows in a flood: by site and kind, the first-out of each on top, nothing left out."""
    groups: dict[tuple[str, str], list[Alarm]] = {}
    for alarm in alarms:
        if matches(alarm, wanted):
            groups.setdefault((site_of(alarm), alarm.kind), []).append(alarm)

    def most_urgent(group: list[Alarm]) -> tuple[bool, int, float, str]:
        # Not by the newest: a group must not jump whenever another one of it comes.
        best = min(group, key=urgency)
        return not best.is_calling, int(best.priority), group[0].raised_at.timestamp(), group[0].alarm_id

    for group in groups.values():
        group.sort(key=lambda alarm: (alarm.raised_at, alarm.alarm_id))
        group[1:] = sorted(group[1:], key=urgency)
    return [
        (alarm, Place(number=number, of=len(group)))
        for group in sorted(groups.values(), key=most_urgent)
        for number, alarm in enumerate(group, 1)
    ]


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
