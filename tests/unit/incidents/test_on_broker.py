"""An alarm as other systems read it: all of it, described and checked."""

import json
from dataclasses import fields

import msgspec
import pytest
from pydantic import ValidationError

from core.field.payloads import write
from core.incidents.model import Alarm, AlarmMark, AlarmState, Shelving
from core.incidents.on_broker import AlarmOnBroker, on_broker
from core.incidents.rules.book import shipped_tunings
from core.kernel.geo import GeoPoint
from tests.fixtures.alarms import AT, alarm
from tests.fixtures.schemas import complaints

HELD = alarm(
    position=GeoPoint(36.5, -30.25),
    marks=frozenset({AlarmMark.CHATTERING}),
    ticked=frozenset({"Place looked at"}),
    shelving=Shelving.TIMED,
    shelved_until=AT,
    shelved_by="olga",
)


def said(shown):
    return json.loads(write(on_broker(shown, shipped_tunings())))


@pytest.mark.parametrize("shown", [alarm(), HELD], ids=["plain", "held"])
def test_every_field_of_an_alarm_stands_there_as_it_is_and_fits_the_schema(shown):
    value = said(shown)

    assert value.keys() == {field.name for field in fields(Alarm)} | {"state", "is_open", "escalated_to"}
    assert {name: value[name] for name in value.keys() - {"state", "is_open", "escalated_to"}} == json.loads(
        msgspec.json.encode(shown)
    )
    assert (value["state"], value["is_open"]) == (shown.state.value, shown.is_open)
    assert complaints("AlarmOnBroker", value) == []


@pytest.mark.parametrize(
    "change", [{"state": "SLEEPING"}, {"raised_at": None}, {"priority": 9}, {"quality": "fine"}, {"is_active": "maybe"}]
)
def test_what_is_no_alarm_is_refused_by_schema_and_code(change):
    value = {**said(alarm()), **change}

    assert complaints("AlarmOnBroker", value) != []
    with pytest.raises(ValidationError):
        AlarmOnBroker.model_validate(value)


def test_a_field_that_is_missing_is_found():
    value = said(alarm())
    assert AlarmState(value.pop("state")) is AlarmState.UNACKNOWLEDGED

    assert complaints("AlarmOnBroker", value) == ["AlarmOnBroker []: 'state' is a required property"]
