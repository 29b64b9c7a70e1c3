"""The monthly test of each desk's sound."""

from datetime import timedelta

import pytest

from core.access import audit
from core.access.model import Actor, Role
from core.incidents.shift import ShiftEntryAdded, ShiftKind, ShiftQuery, ShiftService
from core.incidents.sound_tests import SoundTests
from core.kernel.errors import NotPermittedError
from tests.fixtures.room import OLGA, VERA

DAY_S = 86_400.0


@pytest.fixture
def tests(room):
    return SoundTests(room.store, room.bus, room.clock)


def sentences(tests):
    return [sentence for _, sentence, _ in tests.due()]


def test_a_new_desk_is_asked_for_its_first_test_after_a_day(room, tests):
    room.run(tests.see("Desk 1"))
    assert sentences(tests) == []

    room.clock.advance(seconds=DAY_S)

    assert sentences(tests) == ["The sound at Desk 1 was never tested."]


def test_a_test_that_was_heard_lasts_for_a_month_and_stands_in_log_and_audit(room, tests):
    told = []
    room.bus.subscribe(ShiftEntryAdded, told.append)
    room.run(tests.note(OLGA, is_heard=True))

    assert [(one.entry.kind, one.entry.desk) for one in told] == [(ShiftKind.SOUND_TEST, "Desk 1")]
    newest = room.run(audit.recent(room.store, limit=1))[0]
    assert (newest.action, newest.subject, newest.actor) == ("desk.sound_test", "Desk 1", "olga")
    room.clock.advance(seconds=30 * DAY_S)
    assert sentences(tests) == []
    room.clock.advance(seconds=2 * DAY_S)
    assert sentences(tests) == ["The sound at Desk 1 was last tested 32 days ago."]


def test_a_test_that_was_not_heard_asks_for_another_one_at_once_also_after_a_restart(room, tests):
    room.run(tests.note(OLGA, is_heard=False))
    again = SoundTests(room.store, room.bus, room.clock)
    room.run(again.load())

    assert sentences(again) == ["The test sound at Desk 1 was not heard by olga."]
    found = room.run(ShiftService(room.store, room.bus, room.clock).entries(ShiftQuery(kind=ShiftKind.SOUND_TEST)))
    assert [entry.text for entry in found.entries] == ["The test sound was NOT heard."]

    room.run(again.note(Actor(name="omar", role=Role.OPERATOR, desk="Desk 1"), is_heard=True))
    assert sentences(again) == []


def test_a_desk_at_which_nobody_sat_for_half_a_year_is_forgotten_and_a_viewer_answers_for_nobody(room, tests):
    with pytest.raises(NotPermittedError):
        room.run(tests.note(VERA, is_heard=True))
    room.run(tests.see("Desk 1"))

    room.clock.advance(seconds=timedelta(days=181).total_seconds())

    assert sentences(tests) == []
