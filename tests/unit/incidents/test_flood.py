"""When a position counts as flooded, and when no longer."""

from dataclasses import replace
from datetime import timedelta

from core.incidents.flood import NO_FLOOD, looked_at, told
from tests.fixtures.alarms import AT, alarm


def raised(n, *, at=AT, from_number=0, **changes):
    return [
        alarm(alarm_id=f"A{i}", occurrence=f"o{i}", raised_at=at, changed_at=at, **changes)
        for i in range(from_number, from_number + n)
    ]


def after(**time):
    return AT + timedelta(**time)


def test_ten_calls_in_ten_minutes_are_no_flood_and_eleven_are():
    assert not looked_at(NO_FLOOD, raised(10), AT).is_on

    flood = looked_at(NO_FLOOD, raised(11), AT)
    assert flood.is_on
    assert (flood.n_calls, flood.since) == (11, AT)


def test_eleven_calls_in_more_than_ten_minutes_are_no_flood():
    flood = looked_at(NO_FLOOD, raised(6), AT)

    later = after(minutes=11)
    assert not looked_at(flood, raised(5, at=later, from_number=6), later).is_on


def test_a_flood_lasts_until_fewer_than_five_came_in_ten_minutes():
    flood = looked_at(NO_FLOOD, raised(11), AT)
    flood = looked_at(flood, raised(5, at=after(minutes=6), from_number=20), after(minutes=6))

    assert looked_at(flood, [], after(minutes=11)).is_on
    assert not looked_at(flood, [], after(minutes=16, seconds=1)).is_on


def test_an_alarm_that_was_answered_or_is_over_has_called_all_the_same():
    answered = raised(11, is_acknowledged=True, acknowledged_at=AT)

    assert looked_at(NO_FLOOD, answered, AT).is_on
    flood = looked_at(NO_FLOOD, raised(11), AT)
    assert looked_at(flood, [], after(minutes=1)).n_calls == 11


def test_looking_twice_counts_nothing_twice_and_coming_back_does():
    flood = looked_at(NO_FLOOD, raised(3), AT)
    assert looked_at(flood, raised(3), AT) is flood

    again = [replace(one, n_repeats=1, n_calls=2, changed_at=after(minutes=1)) for one in raised(3)]
    assert looked_at(flood, again, after(minutes=1)).n_calls == 6


def test_what_was_raised_before_this_desk_was_opened_counts_by_its_own_time():
    assert not looked_at(NO_FLOOD, raised(40), after(minutes=30)).is_on


def test_each_number_of_a_call_counts_once_as_the_journal_has_it():
    flood = looked_at(NO_FLOOD, raised(3), AT)

    again = [replace(one, n_calls=3, changed_at=after(minutes=1)) for one in raised(3)]
    flood = looked_at(flood, again, after(minutes=1))

    assert flood.n_calls == 9


def test_what_repeats_without_a_call_counts_once():
    flood = looked_at(NO_FLOOD, raised(3), AT)

    chattering = [replace(one, n_repeats=8, changed_at=after(minutes=1)) for one in raised(3)]

    assert looked_at(flood, chattering, after(minutes=1)).n_calls == 3


def test_a_comment_on_an_old_call_makes_no_new_one():
    flood = looked_at(NO_FLOOD, raised(1), AT)
    later = after(minutes=30)

    flood = looked_at(flood, raised(1), later)
    commented = [replace(one, comment="seen", changed_at=later) for one in raised(1)]

    assert looked_at(flood, commented, later).n_calls == 0


def test_what_was_held_counts_from_when_it_calls():
    held = raised(1, n_calls=0)
    flood = looked_at(NO_FLOOD, held, AT)
    later = after(minutes=30)

    let_go = [replace(one, n_calls=1, calling_since=later, changed_at=later) for one in held]

    assert looked_at(flood, let_go, later).n_calls == 1


def test_the_journal_tells_a_desk_that_was_only_just_opened_what_called_before():
    flood = looked_at(NO_FLOOD, raised(1, n_calls=3), after(minutes=5))
    calls = [(("A0", "o0", number), after(minutes=number)) for number in (1, 2, 3)]
    calls += [(("gone", "x", 1), after(minutes=4)), (("older", "y", 1), after(minutes=-6))]

    flood = told(flood, calls, after(minutes=5))

    assert flood.n_calls == 4
    assert looked_at(flood, [], after(minutes=12)).n_calls == 2
