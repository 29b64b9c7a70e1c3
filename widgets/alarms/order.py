"""Which alarms are shown, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.incidents.holds import OutOfService
from core.incidents.model import Alarm, AlarmMark, AlarmState, Priority, Quality, Shelving
from widgets.base.times import format_raised

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


class Tab(StrEnum):
    """Parts of the list; the value is what the operator reads."""

    ACTIVE = "Active"
    SHELVED = "Shelved"
    SUPPRESSED = "Suppressed"
    OUT_OF_SERVICE = "Out of service"
    HISTORY = "History"


HELD_TABS = {
    AlarmState.SHELVED: Tab.SHELVED,
    AlarmState.SUPPRESSED: Tab.SUPPRESSED,
    AlarmState.OUT_OF_SERVICE: Tab.OUT_OF_SERVICE,
}
HELD_LETTERS = {Tab.SHELVED: "S", Tab.SUPPRESSED: "D", Tab.OUT_OF_SERVICE: "O"}
"""What stands in the hollow symbol of what is held."""

QUALITY_WORDS = {
    Quality.GOOD: "",
    Quality.UNCERTAIN: "uncertain",
    Quality.BAD: "bad values",
    Quality.STALE: "unconfirmed, last known state",
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
        choice: Of the tab of active alarms alone.
    """

    query: str = ""
    choice: Choice = Choice.OPEN
    tab: Tab = Tab.ACTIVE

    @property
    def is_narrow(self) -> bool:
        """Whether it may hide something of its tab."""
        return bool(self.query.strip()) or (self.tab is Tab.ACTIVE and self.choice is not Choice.OPEN)


def tab_of(alarm: Alarm) -> Tab:
    """Return the tab that an alarm stands in now."""
    return HELD_TABS.get(alarm.state, Tab.ACTIVE if alarm.is_open else Tab.HISTORY)


def tab_counts(alarms: Iterable[Alarm]) -> dict[Tab, int]:
    """Count open alarms by tab; every tab is in it."""
    found = Counter(tab_of(alarm) for alarm in alarms)
    return {tab: found[tab] for tab in Tab}


def silent_services(services: tuple[OutOfService, ...], alarms: Iterable[Alarm]) -> tuple[OutOfService, ...]:
    """Return what is out of service and has no alarm that says so."""
    standing = [alarm for alarm in alarms if alarm.state is AlarmState.OUT_OF_SERVICE] if services else []
    return tuple(hold for hold in services if not any(hold.covers(alarm) for alarm in standing))


def hold_text(alarm: Alarm, now: datetime) -> str:
    """Write who holds an alarm, why and until when; empty where nothing holds it."""
    state = alarm.state
    if state is AlarmState.OUT_OF_SERVICE:
        return _joined(alarm.out_of_service_by, _until(alarm.out_of_service_until, now), alarm.out_of_service_reason)
    if state is AlarmState.SUPPRESSED:
        return f"by {alarm.suppressed_by}"
    if state is AlarmState.SHELVED:
        once = "until it returns" if alarm.shelving is Shelving.ONE_SHOT else ""
        return _joined(alarm.shelved_by, _until(alarm.shelved_until, now), once, alarm.shelve_reason)
    return ""


def remark(alarm: Alarm) -> str:
    """Write what is odd about the alarm itself: marks, a doubtful source, how far it was escalated."""
    escalated = f"escalated {alarm.escalation_level}×" if alarm.escalation_level else ""  # noqa: RUF001
    marks = ", ".join(mark.value for mark in AlarmMark if mark in alarm.marks)
    return _joined(escalated, marks, QUALITY_WORDS[alarm.quality])


def _until(at: datetime | None, now: datetime) -> str:
    return f"until {format_raised(at, now)}" if at is not None else ""


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def urgency(alarm: Alarm) -> tuple[bool, int, float, str]:
    """Return the sort key of the list: unacknowledged first, then priority, then the newest."""
    return not alarm.is_calling, int(alarm.priority), -alarm.raised_at.timestamp(), alarm.alarm_id


def _newest(alarm: Alarm) -> tuple[float, str]:
    return -alarm.raised_at.timestamp(), alarm.alarm_id


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
    """Whether the list shows an alarm; in the history everything of it stands, open or not."""
    if wanted.tab is not Tab.HISTORY and tab_of(alarm) is not wanted.tab:
        return False
    if wanted.tab is Tab.ACTIVE and not is_chosen(alarm, wanted.choice):
        return False
    words = wanted.query.casefold().split()
    if not words:
        return True
    text = "\n".join(
        (
            *(alarm.source_name, alarm.title, alarm.kind, alarm.acknowledged_by, alarm.comment, alarm.state.value),
            *(alarm.shelved_by, alarm.shelve_reason, alarm.suppressed_by, alarm.out_of_service_by),
            *(alarm.out_of_service_reason, remark(alarm)),
        )
    ).casefold()
    return all(word in text for word in words)


def arranged(alarms: Iterable[Alarm], wanted: AlarmFilter) -> list[Alarm]:
    """Return what the list shows, in its order; the history has the newest first."""
    if wanted.tab is Tab.HISTORY:
        return sorted((alarm for alarm in alarms if matches(alarm, wanted)), key=_newest)
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
