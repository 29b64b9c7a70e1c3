"""An operator calls the next level without waiting."""

import pytest

from core.incidents.handling import Meant
from core.incidents.model import AlarmState
from core.kernel.errors import BadInputError, NotPermittedError
from tests.fixtures.room import OLGA, VERA, make_condition


def meant(alarm):
    return Meant(alarm_id=alarm.alarm_id, occurrence=alarm.occurrence, version=alarm.version)


def test_an_operator_escalates_by_hand_and_the_journal_says_so(room):
    alarm = room.run(room.incidents.raise_condition(make_condition()))

    once = room.run(room.handling.escalate(OLGA, meant(alarm)))
    twice = room.run(room.handling.escalate(OLGA, meant(once)))

    assert (once.escalation_level, twice.escalation_level) == (1, 2)
    assert not twice.is_acknowledged
    last = room.run(room.incidents.journal(alarm.alarm_id))[-1]
    assert (last.event, last.actor, last.desk) == ("escalate", "olga", "Desk 1")


def test_what_is_over_and_was_not_seen_is_escalated_by_hand_as_well(room):
    over = room.run(room.incidents.raise_moment(make_condition(), lambda _session: True))

    escalated = room.run(room.handling.escalate(OLGA, meant(over)))

    assert (escalated.state, escalated.escalation_level) == (AlarmState.RETURNED_UNACKNOWLEDGED, 1)
    assert escalated.n_calls == over.n_calls + 1


def test_there_is_nobody_behind_the_last_level(room):
    alarm = room.run(room.incidents.raise_condition(make_condition()))
    for _ in range(3):
        alarm = room.run(room.handling.escalate(OLGA, meant(alarm)))

    with pytest.raises(BadInputError, match="last level"):
        room.run(room.handling.escalate(OLGA, meant(alarm)))


def test_a_viewer_escalates_nothing_and_what_was_seen_is_not_escalated(room):
    alarm = room.run(room.incidents.raise_condition(make_condition()))
    with pytest.raises(NotPermittedError):
        room.run(room.handling.escalate(VERA, meant(alarm)))

    seen = room.run(
        room.incidents.acknowledge(OLGA, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version)
    )
    with pytest.raises(BadInputError, match="does not wait"):
        room.run(room.handling.escalate(OLGA, meant(seen)))
