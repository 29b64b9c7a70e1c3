"""The figures page against a recomputation that was written apart, row by row."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import update

from core.incidents.figures import read_figures
from core.incidents.machine import Trigger
from core.incidents.model import AlarmState, Priority
from core.kernel.errors import BadInputError
from core.node.bench_figures import BEGIN, fill_history, plain_figures, plain_rows, same_figures
from core.store.tables import AlarmRow
from tests.fixtures.room import OLGA, make_condition


def figures_of(room, since, until):
    return room.run(room.store.read(lambda s: read_figures(s, since=since, until=until)))


@pytest.mark.parametrize("seed", range(6))
def test_every_figure_of_a_random_history_equals_the_recomputation(room, seed):
    chance = random.Random(seed)
    last = room.run(
        room.store.write(lambda s: fill_history(s, n_rows=3000, seed=seed, per_day=chance.choice((200, 3000))))
    )
    rows = room.run(room.store.read(plain_rows))
    length_s = (last - BEGIN).total_seconds()
    spans = [(BEGIN, last + timedelta(seconds=1))]
    for _ in range(5):
        begin_s, end_s = sorted(chance.uniform(0, length_s) for _ in range(2))
        spans.append((BEGIN + timedelta(seconds=begin_s), BEGIN + timedelta(seconds=end_s + 60)))

    for since, until in spans:
        assert same_figures(figures_of(room, since, until), plain_figures(rows, since, until)) == []


def test_a_random_history_has_something_of_everything(room):
    last = room.run(room.store.write(lambda s: fill_history(s, n_rows=6000, seed=1, per_day=3000)))

    found = figures_of(room, BEGIN, last + timedelta(seconds=1))

    assert min(found.n_calls, found.n_chattering, found.n_repeating, found.n_fleeting, found.most_stale) > 0
    assert found.floods
    assert all(found.split.values())
    assert all(n for n, _ in (found.shelved, found.suppressed, found.out_of_service))
    assert [position.desk for position in found.positions] == ["Desk 1", "Desk 2", "Desk 3"]


@pytest.mark.slow
def test_a_million_rows_say_the_same(room):
    last = room.run(room.store.write(lambda s: fill_history(s, n_rows=1_000_000, seed=7)))
    until = last + timedelta(seconds=1)
    rows = room.run(room.store.read(plain_rows))

    assert same_figures(figures_of(room, BEGIN, until), plain_figures(rows, BEGIN, until)) == []


def test_the_recomputation_knows_the_words_of_the_journal():
    """It names states and events itself; if the room's words change it would count nothing and still agree."""
    assert {"UNACK", "RTNUN", "LATCH-UNACK", "SHLVD", "DSUPR", "OOSRV", "ACKED", "NORM"} <= set(AlarmState)
    assert {"raise", "raise_again", "return", "acknowledge"} <= set(Trigger)


def test_what_the_room_journals_is_what_is_counted(room):
    since = room.clock.now()
    alarm = room.run(room.incidents.raise_condition(make_condition()))
    room.clock.advance(seconds=30)
    room.run(
        room.incidents.acknowledge(OLGA, alarm.alarm_id, occurrence=alarm.occurrence, expect_version=alarm.version)
    )
    room.clock.advance(seconds=30)
    room.run(room.incidents.return_condition(alarm.condition_key))

    found = figures_of(room, since, room.clock.now() + timedelta(minutes=9))

    assert (found.n_events, found.n_calls, found.split[Priority.MEDIUM]) == (3, 1, 1)
    assert (found.answers[Priority.MEDIUM].n, found.answers[Priority.MEDIUM].p50_s) == (1, 30.0)
    assert [(one.title, one.n_calls, one.share) for one in found.top] == [("Congestion in Lane A", 1, 1.0)]
    assert (found.positions[0].desk, found.n_waiting, found.n_standing) == ("Desk 1", 0, 0)


def test_a_moment_is_not_fleeting_and_what_was_short_is(room):
    since = room.clock.now()
    room.run(room.incidents.raise_moment(make_condition(condition_key="moment"), lambda _session: True))
    room.run(room.incidents.raise_condition(make_condition(condition_key="short")))
    room.clock.advance(seconds=3)
    room.run(room.incidents.return_condition("short"))
    until = room.clock.now() + timedelta(minutes=9)

    found = figures_of(room, since, until)

    assert found.n_fleeting == 1
    assert same_figures(found, plain_figures(room.run(room.store.read(plain_rows)), since, until)) == []


def test_a_span_without_events_has_figures_too(room):
    found = figures_of(room, BEGIN, BEGIN + timedelta(hours=3))

    assert (found.n_calls, found.per_hour, found.top, found.flood_share) == (0, (0, 0, 0), (), 0.0)


def test_an_empty_or_endless_span_is_refused(room):
    for until in (BEGIN, BEGIN + timedelta(days=401)):
        with pytest.raises(BadInputError, match="400 days"):
            figures_of(room, BEGIN, until)


def test_a_clock_that_was_set_back_leaves_figures(room):
    since = room.clock.now()
    alarm = room.run(room.incidents.raise_condition(make_condition()))
    room.clock.advance(seconds=60)
    room.run(room.incidents.return_condition(alarm.condition_key))
    room.run(
        room.store.write(
            lambda s: s.execute(update(AlarmRow).values(changed_at=since - timedelta(hours=1), is_open=False)) and None
        )
    )

    assert figures_of(room, since, since + timedelta(hours=1)).n_events == 2
