"""Rules, time and people at random on a real store: the journal gives what the tables and the figures say."""

import pytest

from tests.fixtures.alarm_life import (
    Life,
    assert_figures_follow_from_the_journal,
    assert_journal_gives_the_tables,
    assert_what_was_answered_is_in_the_journal,
)
from tests.fixtures.room import Room

N_STEPS = 150


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_the_journal_gives_what_the_tables_say(room: Room, seed: int) -> None:
    begin = room.clock.now()
    life = Life(room, seed)

    for _ in range(N_STEPS):
        life.step()

    assert_journal_gives_the_tables(room)
    assert_figures_follow_from_the_journal(room, begin)
    assert_what_was_answered_is_in_the_journal(life)
