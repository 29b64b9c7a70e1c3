"""The alarm's states and what moves it between them: pure functions, one table.

Source: ISA-18.2 states; the transitions of study/control_room.md 3A that this program uses so far.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from core.incidents.model import Alarm, AlarmState, Condition, Quality

SAME_OCCURRENCE_S = 300.0
"""A condition that comes back this soon after its end is the same occurrence."""


class Trigger(StrEnum):
    """What happened to an alarm, as the journal names it."""

    RAISE = "raise"
    RAISE_AGAIN = "raise_again"
    SEVERITY_UP = "severity_up"
    RETURN = "return"
    ACKNOWLEDGE = "acknowledge"
    QUALITY = "quality"
    COMMENT = "comment"


_U, _A, _R, _N = (
    AlarmState.UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.RETURNED_UNACKNOWLEDGED,
    AlarmState.NORMAL,
)

NEXT: dict[tuple[AlarmState, Trigger], AlarmState] = {
    (_U, Trigger.SEVERITY_UP): _U,
    (_U, Trigger.RETURN): _R,
    (_U, Trigger.ACKNOWLEDGE): _A,
    (_A, Trigger.SEVERITY_UP): _U,
    (_A, Trigger.RETURN): _N,
    (_R, Trigger.RAISE_AGAIN): _U,
    (_R, Trigger.ACKNOWLEDGE): _N,
}
"""Whatever is not here changes nothing. A closed alarm stays closed: the next raise opens another one."""

CALLING_TRIGGERS = frozenset({Trigger.RAISE, Trigger.RAISE_AGAIN, Trigger.SEVERITY_UP})
"""They call the operator anew; an acknowledge that was sent before them does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The condition holds.

    Attributes:
        alarm_id, occurrence, incident_id: Used where this raise opens an alarm or a new occurrence.
    """

    at: datetime
    condition: Condition
    alarm_id: str
    occurrence: str
    incident_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The condition is over."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """An operator has seen this occurrence; it says nothing about any other."""

    at: datetime
    occurrence: str
    by: str
    desk: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityChanged:
    """The source was lost, or is back; the state stays the last one known."""

    at: datetime
    quality: Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class Commented:
    """An operator wrote something down; the state stays."""

    at: datetime
    comment: str


Event = Raised | Returned | Acknowledged | QualityChanged | Commented


def trigger_of(alarm: Alarm | None, event: Event) -> Trigger | None:
    """Name what the event does to the alarm; None where it changes nothing."""
    if alarm is None or not alarm.is_open:
        return Trigger.RAISE if isinstance(event, Raised) else None
    match event:
        case Raised():
            if not alarm.is_active:
                trigger = Trigger.RAISE_AGAIN
            elif event.condition.priority < alarm.priority:
                trigger = Trigger.SEVERITY_UP
            else:
                return None
        case Returned():
            trigger = Trigger.RETURN
        case Acknowledged():
            if event.occurrence != alarm.occurrence:
                return None
            trigger = Trigger.ACKNOWLEDGE
        case QualityChanged():
            return None if event.quality is alarm.quality else Trigger.QUALITY
        case Commented():
            return Trigger.COMMENT
    return trigger if (alarm.state, trigger) in NEXT else None


def apply(alarm: Alarm | None, event: Event) -> Alarm | None:
    """Return the alarm after the event; the same object where it changes nothing, None where there is none."""
    trigger = trigger_of(alarm, event)
    if trigger is None:
        return alarm
    if alarm is None or trigger is Trigger.RAISE:
        assert isinstance(event, Raised)
        return _opened(event)
    changed = replace(alarm, changed_at=event.at, version=alarm.version + 1)
    match event:
        case Raised():
            return _raised_again(changed, event, trigger)
        case Returned():
            return replace(changed, is_active=False, returned_at=event.at)
        case Acknowledged():
            return replace(
                changed,
                is_acknowledged=True,
                calling_since=None,
                acknowledged_at=event.at,
                acknowledged_by=event.by,
                acknowledged_desk=event.desk,
                # What was written down before stays, where the acknowledge itself says nothing.
                comment=event.comment or alarm.comment,
            )
        case QualityChanged():
            return replace(changed, quality=event.quality)
        case Commented():
            return replace(changed, comment=event.comment)


def replay(events: Iterable[Event]) -> Alarm | None:
    """Return the alarm that these events, in order, lead to."""
    alarm: Alarm | None = None
    for event in events:
        alarm = apply(alarm, event)
    return alarm


def _opened(event: Raised) -> Alarm:
    condition = event.condition
    return Alarm(
        alarm_id=event.alarm_id,
        condition_key=condition.condition_key,
        occurrence=event.occurrence,
        incident_id=event.incident_id,
        kind=condition.kind,
        title=condition.title,
        detail=condition.detail,
        priority=condition.priority,
        source_kind=condition.source_kind,
        source_id=condition.source_id,
        source_name=condition.source_name,
        is_active=True,
        is_acknowledged=False,
        raised_at=event.at,
        changed_at=event.at,
        position=condition.position,
        rule_id=condition.rule_id or condition.kind,
        calling_since=event.at,
    )


def _raised_again(alarm: Alarm, event: Raised, trigger: Trigger) -> Alarm:
    condition = event.condition
    calling = replace(
        alarm,
        is_active=True,
        is_acknowledged=False,
        returned_at=None,
        acknowledged_at=None,
        acknowledged_by="",
        acknowledged_desk="",
        comment="",
        # The list shows the worst since the last acknowledge.
        priority=min(alarm.priority, condition.priority),
        title=condition.title,
        detail=condition.detail,
        n_repeats=alarm.n_repeats + (trigger is Trigger.RAISE_AGAIN),
        n_calls=alarm.n_calls + 1,
        calling_since=event.at,
    )
    since = alarm.returned_at or alarm.raised_at
    if trigger is Trigger.SEVERITY_UP or event.at - since <= timedelta(seconds=SAME_OCCURRENCE_S):
        return calling
    return replace(calling, occurrence=event.occurrence, incident_id=event.incident_id, raised_at=event.at, n_calls=1)
