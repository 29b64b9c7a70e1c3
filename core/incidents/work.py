"""The life of an incident: its steps as a table, what each step needs, and how long it may take.

Alarms have a life of their own: no step acknowledges one, and no acknowledge moves an incident.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from core.incidents.model import Alarm, Incident, IncidentStatus, PictureCall, Priority
from core.kernel.geo import GeoPoint


class Step(StrEnum):
    """What an operator does with an incident, as its timeline names it."""

    OPEN = "open"
    ASSIGN = "assign"
    HAND_ON = "hand_on"
    """Another operator looks after it from here on; its unit and its times stay."""

    DEPART = "depart"
    ARRIVE = "arrive"
    RESOLVE = "resolve"
    CLOSE = "close"
    REOPEN = "reopen"
    COMMENT = "comment"
    ATTACH = "attach"
    DETACH = "detach"
    TAKE_IN = "take_in"
    """Another incident was closed as a duplicate of this one: its alarms count here from now on."""

    PUBLISH = "publish"
    """It was sent out as CAP."""


class Disposition(StrEnum):
    """What became of an incident."""

    TRUE = "true"
    FALSE_ALARM = "false_alarm"
    DUPLICATE = "duplicate"
    NO_ACTION = "no_action"
    HANDED_OVER = "handed_over"
    TEST = "test"


class Need(StrEnum):
    """What must be there before a step is taken."""

    ASSIGNEE = "assignee"
    OPERATOR = "operator"
    UNIT = "unit"
    COMMENT = "comment"
    DISPOSITION = "disposition"
    ALARM = "alarm"


class Duty(StrEnum):
    """Whether a unit can be sent."""

    ON_DUTY = "on_duty"
    OFF_DUTY = "off_duty"


_N, _A, _E, _S, _R, _C = (
    IncidentStatus.NEW,
    IncidentStatus.ASSIGNED,
    IncidentStatus.EN_ROUTE,
    IncidentStatus.ON_SCENE,
    IncidentStatus.RESOLVED,
    IncidentStatus.CLOSED,
)

NEXT: dict[tuple[IncidentStatus, Step], IncidentStatus] = {
    **{(status, Step.ASSIGN): _A for status in (_N, _A, _E, _S)},
    **{(status, Step.HAND_ON): status for status in (_A, _E, _S)},
    (_A, Step.DEPART): _E,
    (_A, Step.ARRIVE): _S,
    (_E, Step.ARRIVE): _S,
    **{(status, Step.RESOLVE): _R for status in (_A, _E, _S)},
    **{(status, Step.CLOSE): _C for status in (_N, _A, _E, _S, _R)},
    **{(status, Step.REOPEN): _N for status in (_R, _C)},
    **{(status, step): status for status in (_N, _A, _E, _S, _R) for step in (Step.ATTACH, Step.DETACH, Step.TAKE_IN)},
    **{(status, step): status for status in IncidentStatus for step in (Step.COMMENT, Step.PUBLISH)},
}
"""Whatever is not here is refused with a sentence."""

NEEDS: dict[Step, tuple[Need, ...]] = {
    Step.ASSIGN: (Need.ASSIGNEE,),
    Step.HAND_ON: (Need.OPERATOR,),
    Step.DEPART: (Need.UNIT,),
    Step.ARRIVE: (Need.UNIT,),
    Step.CLOSE: (Need.DISPOSITION,),
    Step.REOPEN: (Need.COMMENT,),
    Step.COMMENT: (Need.COMMENT,),
    Step.ATTACH: (Need.ALARM,),
    Step.DETACH: (Need.ALARM,),
}

ONLY_RESOLVED = frozenset({Disposition.TRUE})
"""What really happened is resolved before it is closed; the others need nobody on the road."""

NEED_COMMENT = frozenset({Disposition.HANDED_OVER})
"""To whom."""

AT_WORK = frozenset({_A, _E, _S})
"""In these states the unit of an incident is not free."""

STATUS_WORDS: dict[IncidentStatus, str] = {
    _N: "New",
    _A: "Assigned",
    _E: "En route",
    _S: "On scene",
    _R: "Resolved",
    _C: "Closed",
}
DISPOSITION_WORDS: dict[Disposition, str] = {
    Disposition.TRUE: "True",
    Disposition.FALSE_ALARM: "False alarm",
    Disposition.DUPLICATE: "Duplicate",
    Disposition.NO_ACTION: "No action needed",
    Disposition.HANDED_OVER: "Handed over",
    Disposition.TEST: "Test or exercise",
}
STEP_WORDS: dict[Step, str] = {
    Step.OPEN: "Opened by hand",
    Step.ASSIGN: "Assigned",
    Step.HAND_ON: "Handed on",
    Step.DEPART: "En route",
    Step.ARRIVE: "On scene",
    Step.RESOLVE: "Resolved",
    Step.CLOSE: "Closed",
    Step.REOPEN: "Opened again",
    Step.COMMENT: "Comment",
    Step.ATTACH: "Alarm attached",
    Step.DETACH: "Alarm detached",
    Step.TAKE_IN: "Duplicate taken in",
    Step.PUBLISH: "Published as CAP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit or crew that can be sent; who is in it is nobody's business here.

    Attributes:
        call_sign: As it is called on the radio.
        kind: Patrol, tow, fire, road crew: any word of the site.
        incident_id: What it works on right now; empty while it is free.
    """

    unit_id: str
    call_sign: str
    kind: str
    duty: Duty = Duty.ON_DUTY
    is_removed: bool = False
    incident_id: str = ""
    version: int = 1

    @property
    def is_offered(self) -> bool:
        """It can be sent: on duty and there."""
        return self.duty is Duty.ON_DUTY and not self.is_removed


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOrder:
    """A step as an operator asks for it; only what the step needs is looked at.

    Attributes:
        duplicate_of: With disposition DUPLICATE: the incident that tells it already.
        alarm_id: With ATTACH and DETACH.
    """

    step: Step
    comment: str = ""
    unit_id: str = ""
    operator: str = ""
    disposition: Disposition | None = None
    duplicate_of: str = ""
    alarm_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandIncident:
    """An incident as an operator writes it down; with a camera, it has that camera's picture and place."""

    kind: str
    title: str
    text: str = ""
    priority: Priority = Priority.MEDIUM
    position: GeoPoint | None = None
    camera_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One line of an incident's timeline.

    Attributes:
        what: In words: "Assigned", "Alarm raised".
        detail: Who or what it was about.
        is_alarm: It comes from an alarm's journal, not from an operator's step.
    """

    at: datetime
    what: str
    detail: str = ""
    actor: str = ""
    desk: str = ""
    comment: str = ""
    is_alarm: bool = False


PUBLISHED_FOR = timedelta(hours=1)
"""What we send out as CAP is over for others after this; what lasts longer is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What others were told of an incident as CAP, and nobody took back.

    Attributes:
        until: It is over for them by itself then.
        is_outdated: It has gone on since: they know it as it was.
    """

    at: datetime
    until: datetime
    is_outdated: bool


@dataclass(frozen=True, slots=True)
class StepTaken:
    """One step of an incident's life, as far as it matters to what was published."""

    at: datetime
    step: Step
    status: IncidentStatus


def publication_of(steps: Iterable[StepTaken]) -> Publication | None:
    """Return what others know of an incident by its steps, the oldest first; None where that is nothing."""
    told: StepTaken | None = None
    now = None
    for one in steps:
        now = one.status
        if one.step is Step.PUBLISH:
            told = one
    if told is None or told.status is IncidentStatus.CLOSED:
        return None
    return Publication(at=told.at, until=told.at + PUBLISHED_FOR, is_outdated=now is not told.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentDetail:
    """All there is to know of one incident.

    Attributes:
        alarms: Attached to it or to what it took in, open or not; the newest first.
        pictures: Ids of what shows it, of its duplicates as well: an incident's for the picture that it shows, then
            those of its earlier or less urgent calls, the newest first.
        picture_calls: Which call each of `pictures` shows; None where nobody noted it, or an operator took it.
        timeline: Oldest first.
        published: None where others were told nothing, or it was taken back.
    """

    incident: Incident
    alarms: tuple[Alarm, ...] = ()
    pictures: tuple[str, ...] = ()
    picture_calls: tuple[PictureCall | None, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    published: Publication | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitChanged:
    """A unit changed or became free or busy; published after the commit."""

    unit: Unit


def refusal(incident: Incident, order: StepOrder) -> str:
    """Return why this step cannot be taken now, as a sentence; empty where it can."""
    words = STATUS_WORDS[incident.status].lower()
    if (incident.status, order.step) not in NEXT:
        return f"The incident is {words}: {_STEP_VERBS[order.step]} is not possible now."
    if order.step is Step.REOPEN and incident.merged_into:
        return "It was closed as a duplicate: its alarms stand with the other incident."
    for need in NEEDS.get(order.step, ()):
        if not _has(need, incident, order):
            return _MISSING[need]
    if order.step is Step.CLOSE and order.disposition is not None:
        return _closing_refusal(incident, order, order.disposition)
    return ""


def _closing_refusal(incident: Incident, order: StepOrder, disposition: Disposition) -> str:
    if disposition in ONLY_RESOLVED and incident.status is not IncidentStatus.RESOLVED:
        return "What really happened is resolved before it is closed."
    if disposition in NEED_COMMENT and not order.comment:
        return "Write to whom it is handed over."
    if disposition is Disposition.DUPLICATE and order.duplicate_of in ("", incident.incident_id):
        return "Say which other incident it repeats."
    return ""


def steps_from(status: IncidentStatus) -> tuple[Step, ...]:
    """Return the steps that the table knows from a state, in the order of a life."""
    return tuple(step for step in Step if (status, step) in NEXT)


class TimerState(StrEnum):
    """How a span of time stands against its limit."""

    WAITING = "waiting"
    """It has not begun."""

    RUNNING = "running"
    NEAR = "near"
    """More than three quarters of the limit are gone."""

    LATE = "late"
    IN_TIME = "in_time"
    """It ended within its limit."""

    OVER = "over"
    """It ended after its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """One span of an incident's life against its limit.

    Attributes:
        seconds: So far, or what it took; None where it has not begun.
    """

    name: str
    limit_s: float
    state: TimerState
    seconds: float | None = None


TO_ASSIGN_S = 60.0
"""Source: NFPA 1225, call processing within 60 s."""

TO_DEPART_S = 60.0
"""Source: NFPA 1710, turnout within 60 s."""

TO_ARRIVE_S = 240.0
"""Source: NFPA 1710, travel of the first unit within 240 s."""

NEAR_SHARE = 0.75


def timers_of(incident: Incident, now: datetime) -> tuple[Timer, ...]:
    """Return time to assign, to depart and to arrive; what was passed over ends with the next step that is known."""
    opened = incident.opened_at or incident.began_at
    ended = incident.resolved_at or incident.closed_at
    arrived = incident.on_scene_at or ended
    departed = incident.en_route_at or arrived
    assigned = incident.assigned_at or departed
    is_sent = bool(incident.unit_id)
    timers = [_timer("Assign", TO_ASSIGN_S, opened, assigned, now)]
    if is_sent or incident.en_route_at is not None:
        timers.append(_timer("En route", TO_DEPART_S, incident.assigned_at, departed, now))
        timers.append(_timer("On scene", TO_ARRIVE_S, incident.en_route_at, arrived, now))
    return tuple(timers)


def _timer(name: str, limit_s: float, begin: datetime | None, end: datetime | None, now: datetime) -> Timer:
    if begin is None:
        return Timer(name=name, limit_s=limit_s, state=TimerState.WAITING)
    seconds = max(0.0, ((end or now) - begin).total_seconds())
    if end is not None:
        state = TimerState.IN_TIME if seconds <= limit_s else TimerState.OVER
    elif seconds > limit_s:
        state = TimerState.LATE
    else:
        state = TimerState.NEAR if seconds > limit_s * NEAR_SHARE else TimerState.RUNNING
    return Timer(name=name, limit_s=limit_s, state=state, seconds=seconds)


def _has(need: Need, incident: Incident, order: StepOrder) -> bool:
    if need is Need.ASSIGNEE:
        return bool(order.unit_id or order.operator)
    if need is Need.OPERATOR:
        return bool(order.operator)
    if need is Need.UNIT:
        return bool(incident.unit_id)
    if need is Need.COMMENT:
        return bool(order.comment)
    if need is Need.DISPOSITION:
        return order.disposition is not None
    return bool(order.alarm_id)


_MISSING = {
    Need.ASSIGNEE: "Choose a unit or an operator.",
    Need.OPERATOR: "Choose an operator.",
    Need.UNIT: "No unit is assigned: nobody can be on the way.",
    Need.COMMENT: "Write a comment with it.",
    Need.DISPOSITION: "Say what became of it.",
    Need.ALARM: "Choose an alarm.",
}
_STEP_VERBS = {
    Step.OPEN: "opening it",
    Step.ASSIGN: "assigning it",
    Step.HAND_ON: "handing it on",
    Step.DEPART: "sending the unit",
    Step.ARRIVE: "arriving",
    Step.RESOLVE: "resolving it",
    Step.CLOSE: "closing it",
    Step.REOPEN: "opening it again",
    Step.COMMENT: "a comment",
    Step.ATTACH: "attaching an alarm",
    Step.DETACH: "detaching an alarm",
    Step.TAKE_IN: "taking another one in",
    Step.PUBLISH: "publishing it",
}
