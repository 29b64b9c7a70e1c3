"""The whole state of an alarm as other systems read it on the broker."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from pydantic import create_model

from core.field.payloads import AlarmPayload
from core.incidents.model import Alarm, AlarmState
from core.incidents.tuning import Tunings

_NAMES = tuple(field.name for field in fields(Alarm))
_HINTS = get_type_hints(Alarm)
_FIELDS: dict[str, Any] = {name: (_HINTS[name], ...) for name in _NAMES if name not in AlarmPayload.model_fields}

AlarmOnBroker: type[AlarmPayload] = create_model(
    "AlarmOnBroker",
    __base__=AlarmPayload,
    __doc__="The whole state of an alarm, retained for other systems; an empty payload takes it away.",
    **_FIELDS,
    state=(AlarmState, ...),
    escalated_to=(str, ...),
)
"""Every field of `Alarm`, so that none can be forgotten, with the state that they add up to and whom it went to."""


def on_broker(alarm: Alarm, tunings: Tunings) -> AlarmPayload:
    """Return an alarm as it stands on the broker."""
    values = {name: getattr(alarm, name) for name in _NAMES}
    escalated_to = tunings.of_alarm(alarm).escalation_words(alarm.escalation_level)
    return AlarmOnBroker(**values, state=alarm.state, is_open=alarm.is_open, escalated_to=escalated_to)
