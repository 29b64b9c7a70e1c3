"""The alarm's states and what moves it between them: pure functions over one table.

Tests, docs/alarm-states.md and the console's help are made from `TABLE`; what is not in it changes nothing.

Source: ISA-18.2 states over the flags of OPC UA Part 9, as in study/control_room.md 3A.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, StrEnum
from typing import Any

from core.incidents import events
from core.incidents.events import Event, Raised
from core.incidents.model import Alarm, AlarmMark, AlarmState, Shelving

SAME_OCCURRENCE_S = 300.0
"""A condition that comes back this soon after its end is the same occurrence, as long as its incident is open."""


class Trigger(StrEnum):
    """What happened to an alarm, as the journal names it."""

    RAISE = "raise"
    RAISE_AGAIN = "raise_again"
    SEVERITY_UP = "severity_up"
    RETURN = "return"
    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    RESET = "reset"
    REALARM = "realarm"
    ESCALATE = "escalate"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SHELVING_EXPIRED = "shelving_expired"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    TAKE_OUT = "take_out"
    PUT_BACK = "put_back"
    SERVICE_EXPIRED = "service_expired"
    QUALITY = "quality"
    MARK = "mark"
    COMMENT = "comment"
    TICK = "tick"


CALLING_TRIGGERS = frozenset(
    {
        Trigger.RAISE,
        Trigger.RAISE_AGAIN,
        Trigger.SEVERITY_UP,
        Trigger.REALARM,
        Trigger.SHELVING_EXPIRED,
        Trigger.UNSUPPRESS,
        Trigger.SERVICE_EXPIRED,
    }
)
"""They may call the operator anew; an acknowledge that was sent before them does not count."""


class Guard(Enum):
    """What must hold for a row of the table; the value is what people read."""

    ALWAYS = ""
    TAKEN_OUT = "the condition or its source is out of service"
    BY_DESIGN = "a rule suppresses it"
    CHATTERS = "it chatters"
    MORE_URGENT = "more urgent than before"
    MEANT = "this occurrence is meant"
    ACTIVE = "the condition holds"
    SEEN_ACTIVE = "the condition holds, and was acknowledged"
    SEEN = "it was acknowledged"
    UNHEARD = "it never called"
    LATCHED = "the rule latches"
    SEEN_LATCHED = "the rule latches, and it was acknowledged"
    ONE_SHOT = "shelved until it returns"
    ONE_SHOT_LATCHED = "shelved until it returns, and the rule latches"
    SHELVED_TOO = "it is shelved as well"
    SUPPRESSED_TOO = "a rule suppresses it as well"
    NEXT_LEVEL = "the level is the next one"


class Effect(Enum):
    """What a row does beside changing the state; the value is what people read."""

    ACTIVATE = (
        "the condition holds again; a new occurrence where its end lies more than 5 min back, or its incident is closed"
    )
    WORSEN = "the higher priority counts; a new occurrence where its incident is closed"
    RENEW = "a new occurrence where its incident is closed"
    CALL = "calls: sound and flash"
    WAIT = "waits for an acknowledge, without a new sound"
    END = "the condition is over"
    SEE = "user, desk, time and comment are noted; the sound stops"
    CLOSE = "counts as acknowledged"
    UNLATCH = "the latch is released"
    ESCALATE = "the next level is called"
    SHELVE = "put aside until the end that is set; no repeat makes it later"
    UNSHELVE = "the shelving ends"
    SUPPRESS = "the rule's name is shown"
    UNSUPPRESS = "no rule holds it any more"
    TAKE_OUT = "owner, reason and end are noted"
    PUT_BACK = "back in service"
    QUALITY = "the quality is shown; the state stays the last one known"
    MARK = "the mark is shown"
    COMMENT = "the comment is noted"
    TICK = "the step is ticked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table: of those whose source, trigger and guard fit, the first one counts.

    Attributes:
        target: None where the state stays.
    """

    source: frozenset[AlarmState]
    trigger: Trigger
    guard: Guard = Guard.ALWAYS
    target: AlarmState | None
    effects: tuple[Effect, ...]


_N = AlarmState.NORMAL
_U = AlarmState.UNACKNOWLEDGED
_A = AlarmState.ACKNOWLEDGED
_R = AlarmState.RETURNED_UNACKNOWLEDGED
_LU = AlarmState.LATCHED_UNACKNOWLEDGED
_LA = AlarmState.LATCHED_ACKNOWLEDGED
_S = AlarmState.SHELVED
_D = AlarmState.SUPPRESSED
_O = AlarmState.OUT_OF_SERVICE
_PLAIN = (_U, _A, _R, _LU, _LA)
_OPEN = (*_PLAIN, _S, _D, _O)


def _row(
    source: AlarmState | tuple[AlarmState, ...],
    trigger: Trigger,
    guard: Guard,
    target: AlarmState | None,
    *effects: Effect,
) -> Row:
    states = frozenset(source if isinstance(source, tuple) else (source,))
    return Row(source=states, trigger=trigger, guard=guard, target=target, effects=effects)


_T, _G, _E = Trigger, Guard, Effect

TABLE: tuple[Row, ...] = (
    _row(_N, _T.RAISE, _G.TAKEN_OUT, _O),
    _row(_N, _T.RAISE, _G.BY_DESIGN, _D),
    _row(_N, _T.RAISE, _G.CHATTERS, _U, _E.WAIT),
    _row(_N, _T.RAISE, _G.ALWAYS, _U, _E.CALL),
    _row((_R, _LU, _LA), _T.RAISE_AGAIN, _G.TAKEN_OUT, _O, _E.ACTIVATE, _E.TAKE_OUT),
    _row((_R, _LU, _LA), _T.RAISE_AGAIN, _G.BY_DESIGN, _D, _E.ACTIVATE, _E.SUPPRESS),
    _row((_R, _LU, _LA), _T.RAISE_AGAIN, _G.CHATTERS, _U, _E.ACTIVATE, _E.WAIT),
    _row((_R, _LU, _LA), _T.RAISE_AGAIN, _G.ALWAYS, _U, _E.ACTIVATE, _E.CALL),
    _row(_S, _T.RAISE_AGAIN, _G.MORE_URGENT, _U, _E.ACTIVATE, _E.UNSHELVE, _E.CALL),
    _row((_D, _O), _T.RAISE_AGAIN, _G.MORE_URGENT, None, _E.ACTIVATE, _E.UNSHELVE),
    _row((_S, _D, _O), _T.RAISE_AGAIN, _G.ALWAYS, None, _E.ACTIVATE),
    _row((_U, _A), _T.SEVERITY_UP, _G.ALWAYS, _U, _E.WORSEN, _E.CALL),
    _row(_S, _T.SEVERITY_UP, _G.ALWAYS, _U, _E.WORSEN, _E.UNSHELVE, _E.CALL),
    _row((_D, _O), _T.SEVERITY_UP, _G.ALWAYS, None, _E.WORSEN, _E.UNSHELVE),
    _row(_U, _T.RETURN, _G.LATCHED, _LU, _E.END),
    _row(_U, _T.RETURN, _G.ALWAYS, _R, _E.END),
    _row(_A, _T.RETURN, _G.LATCHED, _LA, _E.END),
    _row(_A, _T.RETURN, _G.ALWAYS, _N, _E.END),
    _row(_S, _T.RETURN, _G.ONE_SHOT_LATCHED, _LU, _E.END, _E.UNSHELVE, _E.WAIT),
    _row(_S, _T.RETURN, _G.ONE_SHOT, _N, _E.END, _E.CLOSE, _E.UNSHELVE),
    _row((_D, _O), _T.RETURN, _G.ONE_SHOT, None, _E.END, _E.UNSHELVE),
    _row((_S, _D, _O), _T.RETURN, _G.ALWAYS, None, _E.END),
    _row(_U, _T.ACKNOWLEDGE, _G.MEANT, _A, _E.SEE),
    _row(_R, _T.ACKNOWLEDGE, _G.MEANT, _N, _E.SEE),
    _row(_LU, _T.ACKNOWLEDGE, _G.MEANT, _LA, _E.SEE),
    _row(_A, _T.UNACKNOWLEDGE, _G.MEANT, _U, _E.WAIT),
    _row(_LA, _T.UNACKNOWLEDGE, _G.MEANT, _LU, _E.WAIT),
    _row(_LA, _T.RESET, _G.MEANT, _N, _E.UNLATCH),
    _row(_A, _T.REALARM, _G.ALWAYS, _U, _E.RENEW, _E.CALL),
    _row((_U, _R, _LU), _T.ESCALATE, _G.NEXT_LEVEL, None, _E.CALL, _E.ESCALATE),
    _row(_PLAIN, _T.SHELVE, _G.MEANT, _S, _E.SHELVE),
    _row(_S, _T.UNSHELVE, _G.ACTIVE, _A, _E.CLOSE, _E.UNSHELVE),
    _row(_S, _T.UNSHELVE, _G.LATCHED, _LA, _E.CLOSE, _E.UNSHELVE),
    _row(_S, _T.UNSHELVE, _G.ALWAYS, _N, _E.CLOSE, _E.UNSHELVE),
    _row((_D, _O), _T.UNSHELVE, _G.SHELVED_TOO, None, _E.CLOSE, _E.UNSHELVE),
    _row(_S, _T.SHELVING_EXPIRED, _G.ACTIVE, _U, _E.UNSHELVE, _E.RENEW, _E.CALL),
    _row(_S, _T.SHELVING_EXPIRED, _G.LATCHED, _LU, _E.UNSHELVE, _E.RENEW, _E.CALL),
    _row(_S, _T.SHELVING_EXPIRED, _G.ALWAYS, _N, _E.CLOSE, _E.UNSHELVE),
    _row((_D, _O), _T.SHELVING_EXPIRED, _G.SHELVED_TOO, None, _E.UNSHELVE),
    _row((*_PLAIN, _S, _D), _T.SUPPRESS, _G.ALWAYS, _D, _E.SUPPRESS),
    _row(_O, _T.SUPPRESS, _G.ALWAYS, None, _E.SUPPRESS),
    _row(_D, _T.UNSUPPRESS, _G.SHELVED_TOO, _S, _E.UNSUPPRESS),
    _row(_D, _T.UNSUPPRESS, _G.SEEN_ACTIVE, _A, _E.UNSUPPRESS),
    _row(_D, _T.UNSUPPRESS, _G.ACTIVE, _U, _E.UNSUPPRESS, _E.RENEW, _E.CALL),
    _row(_D, _T.UNSUPPRESS, _G.SEEN_LATCHED, _LA, _E.UNSUPPRESS),
    _row(_D, _T.UNSUPPRESS, _G.LATCHED, _LU, _E.UNSUPPRESS, _E.RENEW, _E.CALL),
    _row(_D, _T.UNSUPPRESS, _G.SEEN, _N, _E.UNSUPPRESS),
    _row(_D, _T.UNSUPPRESS, _G.UNHEARD, _N, _E.UNSUPPRESS, _E.CLOSE),
    _row(_D, _T.UNSUPPRESS, _G.ALWAYS, _R, _E.UNSUPPRESS, _E.WAIT),
    _row(_O, _T.UNSUPPRESS, _G.SUPPRESSED_TOO, None, _E.UNSUPPRESS),
    _row(_OPEN, _T.TAKE_OUT, _G.ALWAYS, _O, _E.TAKE_OUT),
    _row(_O, _T.PUT_BACK, _G.SUPPRESSED_TOO, _D, _E.PUT_BACK),
    _row(_O, _T.PUT_BACK, _G.SHELVED_TOO, _S, _E.PUT_BACK),
    _row(_O, _T.PUT_BACK, _G.ACTIVE, _A, _E.CLOSE, _E.PUT_BACK),
    _row(_O, _T.PUT_BACK, _G.LATCHED, _LA, _E.CLOSE, _E.PUT_BACK),
    _row(_O, _T.PUT_BACK, _G.ALWAYS, _N, _E.CLOSE, _E.PUT_BACK),
    _row(_O, _T.SERVICE_EXPIRED, _G.SUPPRESSED_TOO, _D, _E.PUT_BACK),
    _row(_O, _T.SERVICE_EXPIRED, _G.SHELVED_TOO, _S, _E.PUT_BACK),
    _row(_O, _T.SERVICE_EXPIRED, _G.ACTIVE, _U, _E.PUT_BACK, _E.RENEW, _E.CALL),
    _row(_O, _T.SERVICE_EXPIRED, _G.LATCHED, _LU, _E.PUT_BACK, _E.RENEW, _E.CALL),
    _row(_O, _T.SERVICE_EXPIRED, _G.ALWAYS, _N, _E.CLOSE, _E.PUT_BACK),
    _row(_OPEN, _T.QUALITY, _G.ALWAYS, None, _E.QUALITY),
    _row(_OPEN, _T.MARK, _G.ALWAYS, None, _E.MARK),
    _row(_OPEN, _T.COMMENT, _G.ALWAYS, None, _E.COMMENT),
    _row(_OPEN, _T.TICK, _G.ALWAYS, None, _E.TICK),
)
"""A closed alarm stays closed: the next raise opens another one. Silence is not here: it changes no alarm."""

_ROWS: dict[tuple[AlarmState, Trigger], tuple[Row, ...]] = {
    (state, trigger): found
    for state in AlarmState
    for trigger in Trigger
    if (found := tuple(row for row in TABLE if row.trigger is trigger and state in row.source))
}

_TRIGGERS: dict[type[Event], Trigger] = {
    events.Returned: Trigger.RETURN,
    events.Acknowledged: Trigger.ACKNOWLEDGE,
    events.Unacknowledged: Trigger.UNACKNOWLEDGE,
    events.Reset: Trigger.RESET,
    events.Realarmed: Trigger.REALARM,
    events.Escalated: Trigger.ESCALATE,
    events.Shelved: Trigger.SHELVE,
    events.Unshelved: Trigger.UNSHELVE,
    events.ShelvingExpired: Trigger.SHELVING_EXPIRED,
    events.Suppressed: Trigger.SUPPRESS,
    events.Unsuppressed: Trigger.UNSUPPRESS,
    events.TakenOut: Trigger.TAKE_OUT,
    events.PutBack: Trigger.PUT_BACK,
    events.ServiceExpired: Trigger.SERVICE_EXPIRED,
    events.QualityChanged: Trigger.QUALITY,
    events.Marked: Trigger.MARK,
    events.Commented: Trigger.COMMENT,
    events.Ticked: Trigger.TICK,
}


def row_of(alarm: Alarm | None, event: Event) -> Row | None:
    """Return the row of the table that the event follows; None where it changes nothing."""
    if alarm is None or not alarm.is_open:
        if not isinstance(event, Raised):
            return None
        return _first(_opened(event), AlarmState.NORMAL, Trigger.RAISE, event)
    if _is_known_already(alarm, event):
        return None
    if not isinstance(event, Raised):
        return _first(alarm, alarm.state, _TRIGGERS[type(event)], event)
    trigger = Trigger.SEVERITY_UP if alarm.is_active else Trigger.RAISE_AGAIN
    return _first(alarm, alarm.state, trigger, event)


def trigger_of(alarm: Alarm | None, event: Event) -> Trigger | None:
    """Name what the event does to the alarm; None where it changes nothing."""
    row = row_of(alarm, event)
    return None if row is None else row.trigger


def apply(alarm: Alarm | None, event: Event) -> Alarm | None:
    """Return the alarm after the event; the same object where it changes nothing, None where there is none."""
    row = row_of(alarm, event)
    if row is None:
        return alarm
    if row.trigger is Trigger.RAISE:
        assert isinstance(event, Raised)
        changed = _opened(event)
    else:
        assert alarm is not None
        changed = replace(alarm, changed_at=event.at, version=alarm.version + 1)
    for effect in row.effects:
        changed = _EFFECTS[effect](changed, event)
    # What is held waits for nobody: when it is let go, the row says whether it calls.
    return replace(changed, calling_since=None) if changed.is_suppressed_or_shelved else changed


def replay(journal: Iterable[Event]) -> Alarm | None:
    """Return the alarm that these events, in order, lead to."""
    alarm: Alarm | None = None
    for event in journal:
        alarm = apply(alarm, event)
    return alarm


def _first(alarm: Alarm, state: AlarmState, trigger: Trigger, event: Event) -> Row | None:
    return next((row for row in _ROWS.get((state, trigger), ()) if _GUARDS[row.guard](alarm, event)), None)


def _is_known_already(alarm: Alarm, event: Event) -> bool:
    match event:
        case Raised():
            return alarm.is_active and event.condition.priority >= alarm.priority
        case events.Returned():
            return not alarm.is_active
        case events.QualityChanged():
            return event.quality is alarm.quality
        case events.Marked():
            return event.marks == alarm.marks
        case events.Suppressed():
            return event.rule_id == alarm.suppressed_by
        case events.Ticked():
            return event.is_done is (event.step in alarm.ticked)
        case _:
            return False


_GUARDS: dict[Guard, Callable[[Alarm, Any], bool]] = {
    Guard.ALWAYS: lambda _alarm, _event: True,
    Guard.TAKEN_OUT: lambda _alarm, event: event.out_of_service is not None,
    Guard.BY_DESIGN: lambda _alarm, event: bool(event.suppressed_by),
    Guard.CHATTERS: lambda _alarm, event: AlarmMark.CHATTERING in event.marks,
    Guard.MORE_URGENT: lambda alarm, event: event.condition.priority < alarm.priority,
    Guard.MEANT: lambda alarm, event: event.occurrence == alarm.occurrence,
    Guard.ACTIVE: lambda alarm, _event: alarm.is_active,
    Guard.SEEN_ACTIVE: lambda alarm, _event: alarm.is_active and alarm.is_acknowledged,
    Guard.SEEN: lambda alarm, _event: alarm.is_acknowledged,
    Guard.UNHEARD: lambda alarm, _event: alarm.n_calls == 0,
    Guard.LATCHED: lambda alarm, _event: alarm.is_latched,
    Guard.SEEN_LATCHED: lambda alarm, _event: alarm.is_latched and alarm.is_acknowledged,
    Guard.ONE_SHOT: lambda alarm, _event: alarm.shelving is Shelving.ONE_SHOT,
    Guard.ONE_SHOT_LATCHED: lambda alarm, _event: alarm.shelving is Shelving.ONE_SHOT and alarm.is_latched,
    Guard.SHELVED_TOO: lambda alarm, _event: alarm.shelving is not Shelving.UNSHELVED,
    Guard.SUPPRESSED_TOO: lambda alarm, _event: bool(alarm.suppressed_by),
    Guard.NEXT_LEVEL: lambda alarm, event: event.level == alarm.escalation_level + 1,
}


def _opened(event: Raised) -> Alarm:
    condition, service = event.condition, event.out_of_service
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
        is_latched=event.is_latching,
        n_calls=0,
        marks=event.marks,
        suppressed_by=event.suppressed_by,
        out_of_service_by="" if service is None else service.by,
        out_of_service_reason="" if service is None else service.reason,
        out_of_service_until=None if service is None else service.until,
    )


def _activate(alarm: Alarm, event: Raised) -> Alarm:
    condition = event.condition
    again = replace(
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
        n_repeats=alarm.n_repeats + 1,
        is_latched=alarm.is_latched or event.is_latching,
        marks=event.marks,
    )
    since = alarm.returned_at or alarm.raised_at
    if event.at - since <= timedelta(seconds=SAME_OCCURRENCE_S) and not event.is_incident_closed:
        return again
    return _begun_anew(again, event)


def _begun_anew(alarm: Alarm, event: Raised | events.LetGo) -> Alarm:
    return replace(
        alarm,
        occurrence=event.occurrence,
        incident_id=event.incident_id,
        raised_at=event.at,
        n_calls=0,
        calling_since=None,
        escalation_level=0,
        ticked=frozenset(),
    )


def _renew(alarm: Alarm, event: events.LetGo) -> Alarm:
    return _begun_anew(alarm, event) if event.incident_id else alarm


def _worsen(alarm: Alarm, event: Raised) -> Alarm:
    condition = event.condition
    worse = replace(
        alarm,
        priority=condition.priority,
        title=condition.title,
        detail=condition.detail,
        is_acknowledged=False,
        acknowledged_at=None,
        acknowledged_by="",
        acknowledged_desk="",
        calling_since=None,
        comment="",
    )
    return _begun_anew(worse, event) if event.is_incident_closed else worse


def _call(alarm: Alarm, event: Event) -> Alarm:
    return replace(_wait(alarm, event), n_calls=alarm.n_calls + 1)


def _wait(alarm: Alarm, event: Event) -> Alarm:
    # Who waits already goes on waiting: what comes back again and again is escalated all the same.
    is_waiting = alarm.calling_since is not None
    return replace(
        alarm,
        is_acknowledged=False,
        acknowledged_at=None,
        acknowledged_by="",
        acknowledged_desk="",
        calling_since=alarm.calling_since if is_waiting else event.at,
        escalation_level=alarm.escalation_level if is_waiting else 0,
    )


def _end(alarm: Alarm, event: events.Returned) -> Alarm:
    marks = alarm.marks - {AlarmMark.STALE}
    if event.is_fleeting and not alarm.is_acknowledged:
        marks |= {AlarmMark.FLEETING}
    return replace(alarm, is_active=False, returned_at=event.at, marks=marks)


def _see(alarm: Alarm, event: events.Acknowledged) -> Alarm:
    return replace(
        alarm,
        is_acknowledged=True,
        calling_since=None,
        escalation_level=0,
        acknowledged_at=event.at,
        acknowledged_by=event.by,
        acknowledged_desk=event.desk,
        # What was written down before stays, where the acknowledge itself says nothing.
        comment=event.comment or alarm.comment,
    )


def _close(alarm: Alarm, event: Any) -> Alarm:
    if alarm.is_acknowledged:
        return replace(alarm, calling_since=None, escalation_level=0)
    return replace(
        alarm,
        is_acknowledged=True,
        calling_since=None,
        escalation_level=0,
        acknowledged_at=event.at,
        acknowledged_by=getattr(event, "by", alarm.shelved_by or alarm.out_of_service_by),
        acknowledged_desk=getattr(event, "desk", ""),
    )


def _shelve(alarm: Alarm, event: events.Shelved) -> Alarm:
    return replace(
        alarm,
        shelving=event.shelving,
        shelved_until=event.until,
        shelved_by=event.by,
        shelve_reason=event.reason,
        comment=event.comment or alarm.comment,
    )


def _unshelve(alarm: Alarm, _event: Event) -> Alarm:
    return replace(alarm, shelving=Shelving.UNSHELVED, shelved_until=None, shelved_by="", shelve_reason="")


def _suppress(alarm: Alarm, event: Any) -> Alarm:
    rule_id = event.suppressed_by if isinstance(event, Raised) else event.rule_id
    return replace(alarm, suppressed_by=rule_id)


def _take_out(alarm: Alarm, event: Any) -> Alarm:
    service: events.Service = getattr(event, "out_of_service", None) or event.service
    return replace(
        alarm,
        out_of_service_by=service.by,
        out_of_service_reason=service.reason,
        out_of_service_until=service.until,
    )


def _put_back(alarm: Alarm, _event: Event) -> Alarm:
    return replace(alarm, out_of_service_by="", out_of_service_reason="", out_of_service_until=None)


def _tick(alarm: Alarm, event: events.Ticked) -> Alarm:
    done = alarm.ticked | {event.step} if event.is_done else alarm.ticked - {event.step}
    return replace(alarm, ticked=done)


_EFFECTS: dict[Effect, Callable[[Alarm, Any], Alarm]] = {
    Effect.ACTIVATE: _activate,
    Effect.WORSEN: _worsen,
    Effect.RENEW: _renew,
    Effect.CALL: _call,
    Effect.WAIT: _wait,
    Effect.END: _end,
    Effect.SEE: _see,
    Effect.CLOSE: _close,
    Effect.UNLATCH: lambda alarm, _event: replace(alarm, is_latched=False),
    Effect.ESCALATE: lambda alarm, event: replace(alarm, escalation_level=event.level),
    Effect.SHELVE: _shelve,
    Effect.UNSHELVE: _unshelve,
    Effect.SUPPRESS: _suppress,
    Effect.UNSUPPRESS: lambda alarm, _event: replace(alarm, suppressed_by=""),
    Effect.TAKE_OUT: _take_out,
    Effect.PUT_BACK: _put_back,
    Effect.QUALITY: lambda alarm, event: replace(alarm, quality=event.quality),
    Effect.MARK: lambda alarm, event: replace(alarm, marks=event.marks),
    Effect.COMMENT: lambda alarm, event: replace(alarm, comment=event.comment),
    Effect.TICK: _tick,
}
