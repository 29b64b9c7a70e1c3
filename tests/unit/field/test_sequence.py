import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.field.model import FieldEvent
from core.field.sequence import MAX_HELD, Arrival, Sequence

AT = datetime(2026, 1, 1, tzinfo=UTC)


def event(seq, *, boot="B1", at=None):
    at = at or AT + timedelta(seconds=seq)
    return FieldEvent(
        device_id="station/a",
        seq=seq,
        event_id="",
        event_type="",
        at=at,
        received_at=at,
        boot=boot,
        is_good=True,
        is_history=False,
        data={},
    )


def offer(sequence, seq, now_s=0.0, **fields):
    arrival, ready = sequence.offer(event(seq, **fields), now_s)
    return arrival, [item.seq for item in ready]


def hear(sequence, since_s, until_s, step_s=1.0):
    """Let the device speak every second, or every `step_s`; returns what is given up for, and when."""
    given_up = []
    for second in range(int(since_s), int(until_s) + 1):
        heard_s = since_s + (second - since_s) // step_s * step_s
        given_up += [(item.seq, second) for item in sequence.give_up_old_gap(float(second), heard_s=heard_s)]
    return given_up


def test_events_in_order_may_be_stored_at_once():
    sequence = Sequence()

    assert [offer(sequence, seq) for seq in (1, 2, 3)] == [(Arrival.IN_ORDER, [seq]) for seq in (1, 2, 3)]


def test_a_device_may_count_from_zero():
    sequence = Sequence()

    assert offer(sequence, 0) == (Arrival.IN_ORDER, [0])
    assert offer(sequence, 1) == (Arrival.IN_ORDER, [1])


def test_what_comes_behind_a_gap_waits_for_what_is_missing():
    sequence = Sequence(taken=10)

    assert offer(sequence, 13) == (Arrival.HELD, [])
    assert offer(sequence, 12) == (Arrival.HELD, [])
    assert offer(sequence, 11) == (Arrival.IN_ORDER, [11, 12, 13])
    assert sequence.gap_age_s(0.0) is None


def test_a_gap_is_given_up_only_after_the_device_has_sent_again_without_it():
    sequence = Sequence(taken=10)

    assert offer(sequence, 50, 0.0) == (Arrival.HELD, [])
    assert offer(sequence, 50, 2.0) == (Arrival.DUPLICATE, [])
    assert offer(sequence, 50, 4.0) == (Arrival.DUPLICATE, [])
    assert offer(sequence, 50, 6.5) == (Arrival.IN_ORDER, [50])
    assert sequence.n_skipped == 39


def test_copies_that_waited_somewhere_and_come_in_one_burst_do_not_say_that_the_rest_is_gone():
    sequence = Sequence(taken=10)
    offer(sequence, 50, 0.0)
    for copy in range(10):
        assert offer(sequence, 50, 7.0 + copy * 0.05) == (Arrival.DUPLICATE, [])


def test_a_gap_is_given_up_after_a_minute_where_a_device_that_is_heard_sends_nothing_again():
    sequence = Sequence(taken=10)
    offer(sequence, 12, 0.0)

    assert hear(sequence, 0, 70) == [(12, 60)]
    assert sequence.n_skipped == 1


def test_the_silence_of_a_device_says_nothing_about_a_gap_however_long_it_is():
    sequence = Sequence(taken=10)
    offer(sequence, 12, 0.0)
    assert hear(sequence, 0, 20) == []

    for second in range(20, 3600):
        assert sequence.give_up_old_gap(float(second), heard_s=20.0) == []
    assert hear(sequence, 3600, 3605) == [], "what waited at both ends comes now"
    assert offer(sequence, 11, 3605.0) == (Arrival.IN_ORDER, [11, 12])
    assert sequence.n_skipped == 0


def test_a_device_that_speaks_rarely_does_not_hold_its_events_back_for_ever():
    sequence = Sequence(taken=10)
    offer(sequence, 12, 0.0)

    assert hear(sequence, 0, 2000, step_s=600.0) == [(12, 1200)]


def test_the_time_in_which_a_device_could_not_be_heard_does_not_age_a_gap():
    sequence = Sequence(taken=10)
    offer(sequence, 12, 0.0)
    sequence.wait_on(500.0)

    assert hear(sequence, 500, 559) == []
    assert offer(sequence, 11, 559.5) == (Arrival.IN_ORDER, [11, 12])
    assert sequence.n_skipped == 0


def test_repetitions_count_from_the_last_silence_on():
    sequence = Sequence(taken=10)
    for now_s in (0.0, 2.0, 4.0):
        offer(sequence, 12, now_s)
    sequence.wait_on(100.0)

    assert offer(sequence, 12, 107.0) == (Arrival.DUPLICATE, [])


def test_a_device_that_introduces_itself_all_the_time_does_not_hold_its_events_back_for_ever():
    sequence = Sequence(taken=10)
    offer(sequence, 12, 0.0)
    for half_minutes in range(1, 20):
        sequence.on_introduction(half_minutes * 30.0)
        if hear(sequence, half_minutes * 30, half_minutes * 30 + 29):
            break

    assert sequence.taken == 12


def test_behind_a_gap_that_is_given_up_the_next_one_has_a_minute_of_its_own():
    sequence = Sequence(taken=10)
    offer(sequence, 12, 0.0)
    offer(sequence, 14, 50.0)

    assert hear(sequence, 0, 130) == [(12, 60), (14, 120)]


def test_what_a_device_said_before_anybody_knew_it_is_no_loss():
    sequence = Sequence()
    offer(sequence, 5000, 0.0)

    assert hear(sequence, 0, 70) == [(5000, 60)]
    assert sequence.n_skipped == 0


def test_a_wiped_device_that_counts_anew_is_not_taken_for_a_repetition():
    sequence = Sequence(taken=9000, last_at=AT, last_boot="B1")

    later = AT + timedelta(hours=1)
    assert offer(sequence, 1, boot="B2", at=later) == (Arrival.IN_ORDER, [1])
    assert sequence.n_resets == 1


def test_a_device_that_restarts_and_sends_old_events_again_stores_nothing_twice():
    sequence = Sequence()
    for seq in (1, 2, 3):
        offer(sequence, seq)

    assert offer(sequence, 2, boot="B2", at=AT + timedelta(seconds=2)) == (Arrival.DUPLICATE, [])


def test_memory_for_what_waits_is_bounded():
    sequence = Sequence(taken=0)
    for seq in range(2, MAX_HELD + 2):
        offer(sequence, seq)

    assert offer(sequence, MAX_HELD + 2) == (Arrival.TURNED_AWAY, [])


@given(st.integers(1, 60), st.integers(0, 2**31), st.floats(0, 0.6))
def test_whatever_is_lost_repeated_and_mixed_up_each_event_is_stored_once_and_in_order(n_events, seed, loss):
    chance = random.Random(seed)
    sequence, stored = Sequence(taken=0), []
    for round_number in range(200):
        missing = [seq for seq in range(1, n_events + 1) if seq > (stored[-1] if stored else 0)]
        if not missing:
            break
        # The last rounds lose nothing: a device sends until it is acknowledged.
        sent = [
            seq for seq in missing for _ in range(chance.randint(1, 2)) if round_number > 50 or chance.random() > loss
        ]
        chance.shuffle(sent)
        for seq in sent:
            stored += offer(sequence, seq, float(round_number) * 0.01)[1]

    assert stored == list(range(1, n_events + 1))
