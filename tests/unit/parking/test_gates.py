"""Counters at entry and exit: totals that only rise, and what is said when they do not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.parking.gates import MAX_STEP, Gates

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def gates():
    made = Gates()
    made.take("g", entered=100, left=90, at=AT)
    made.set_count(20, AT)
    return made


def later(seconds):
    return AT + timedelta(seconds=seconds)


def test_a_message_that_is_lost_loses_nothing(gates):
    gates.take("g", entered=103, left=91, at=later(1))
    gates.take("g", entered=110, left=95, at=later(60))

    assert (gates.n_now, gates.n_entered, gates.n_left) == (25, 10, 5)


def test_what_comes_late_counts_nothing(gates):
    gates.take("g", entered=110, left=90, at=later(10))

    assert not gates.take("g", entered=105, left=90, at=later(5))
    assert gates.n_now == 30


def test_a_counter_that_begins_anew_goes_on_and_is_named(gates):
    gates.take("g", entered=2, left=1, at=later(10))

    assert gates.n_now == 21
    assert gates.faults("Quay", 50) == (
        "A counter of Quay began anew 1 times since the count was set. Set the count again, and look at the counters.",
    )


def test_a_counter_that_jumps_is_not_believed_and_named(gates):
    gates.take("g", entered=100 + MAX_STEP + 1, left=90, at=later(10))

    assert gates.n_now == 20
    assert "jumped 1 times" in gates.faults("Quay", 50)[0]


def test_fewer_than_none_and_more_than_fit_are_said_and_not_hidden(gates):
    gates.take("g", entered=100, left=115, at=later(10))
    assert gates.n_now == -5
    assert "5 more vehicles left Quay than were in it." in gates.faults("Quay", 50)[0]

    gates.take("g", entered=190, left=115, at=later(20))
    assert "count 85 vehicles in Quay, which has 50 bays" in gates.faults("Quay", 50)[0]


def test_nobody_knows_how_many_are_inside_before_the_count_was_set():
    gates = Gates()
    gates.take("g", entered=5, left=1, at=AT)

    assert gates.n_now is None
    assert gates.faults("Quay", 1) == ()
    assert gates.figures is not None
    assert Gates().figures is None


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_with_rising_totals_the_count_is_the_first_one_and_what_passed(passages):
    gates, totals = Gates(), {"a": (0, 0), "b": (0, 0)}
    for gate in totals:
        gates.take(gate, entered=0, left=0, at=AT)
    gates.set_count(7, AT)
    for number, (gate, came, went) in enumerate(passages):
        entered, left = totals[gate]
        totals[gate] = (entered + came, left + went)
        gates.take(gate, entered=totals[gate][0], left=totals[gate][1], at=later(number))

    assert gates.n_now == 7 + sum(came - went for _, came, went in passages)
    assert gates.n_restarts == gates.n_jumps == 0
