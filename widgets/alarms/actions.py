"""What may be done with an alarm: by its state, by the operator's role, within the figures of its rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache

from core.access.model import Role
from core.incidents.model import Alarm, AlarmState, Quality, Shelving
from core.incidents.rules.book import shipped_tunings
from core.incidents.tuning import Tunings

TAKE_BACK_WITHIN = timedelta(minutes=10)
"""An acknowledge can be taken back for so long."""


@cache
def _figures() -> Tunings:
    """Return the figures before the node has said what may be done."""
    return shipped_tunings()


class Action(StrEnum):
    """The value is the verb of the node, after "alarms."."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    RESET = "reset"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    TAKE_OUT = "set_out_of_service"
    PUT_BACK = "return_to_service"
    CLOSE_UNHEARD = "close_unheard"


ACTION_WORDS = {
    Action.ACKNOWLEDGE: "Acknowledge",
    Action.UNACKNOWLEDGE: "Take back",
    Action.RESET: "Reset",
    Action.SHELVE: "Shelve",
    Action.UNSHELVE: "Unshelve",
    Action.TAKE_OUT: "Out of service",
    Action.PUT_BACK: "Return to service",
    Action.CLOSE_UNHEARD: "Close unheard",
}

_STATES = {
    Action.ACKNOWLEDGE: {
        AlarmState.UNACKNOWLEDGED,
        AlarmState.RETURNED_UNACKNOWLEDGED,
        AlarmState.LATCHED_UNACKNOWLEDGED,
    },
    Action.UNACKNOWLEDGE: {AlarmState.ACKNOWLEDGED, AlarmState.LATCHED_ACKNOWLEDGED},
    Action.RESET: {AlarmState.LATCHED_ACKNOWLEDGED},
    Action.SHELVE: {
        AlarmState.UNACKNOWLEDGED,
        AlarmState.ACKNOWLEDGED,
        AlarmState.RETURNED_UNACKNOWLEDGED,
        AlarmState.LATCHED_UNACKNOWLEDGED,
        AlarmState.LATCHED_ACKNOWLEDGED,
    },
    Action.UNSHELVE: {AlarmState.SHELVED},
    Action.TAKE_OUT: set(AlarmState) - {AlarmState.NORMAL, AlarmState.OUT_OF_SERVICE},
    Action.PUT_BACK: {AlarmState.OUT_OF_SERVICE},
    Action.CLOSE_UNHEARD: {AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.SHELVED},
}
_ROLES = {
    Action.TAKE_OUT: Role.SUPERVISOR,
    Action.PUT_BACK: Role.SUPERVISOR,
    Action.CLOSE_UNHEARD: Role.SUPERVISOR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an operator asks for, with everything that it needs.

    Attributes:
        span: Of a shelving or of a time out of service; nothing for the others.
    """

    action: Action
    reason: str = ""
    comment: str = ""
    span: timedelta = timedelta()
    shelving: Shelving = Shelving.TIMED


def actions_of(alarm: Alarm, role: Role, now: datetime) -> tuple[Action, ...]:
    """Return what this role may do with an alarm as it is now."""
    found = [
        action
        for action, states in _STATES.items()
        if alarm.state in states and role >= _ROLES.get(action, Role.OPERATOR)
    ]
    is_late = alarm.acknowledged_at is None or now - alarm.acknowledged_at > TAKE_BACK_WITHIN
    is_unheard = alarm.is_active and alarm.quality is Quality.STALE
    fits = {Action.UNACKNOWLEDGE: not is_late, Action.CLOSE_UNHEARD: is_unheard}
    return tuple(action for action in found if fits.get(action, True))


def longest_shelving(alarm: Alarm, role: Role) -> timedelta:
    """Return how long this role may shelve an alarm by the shipped figures; nothing where it may not."""
    return _figures().of_alarm(alarm).longest_shelving(alarm.priority, role)
