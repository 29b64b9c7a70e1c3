"""Events leave a device's outbox when they are stored, and not before."""

from core.field.client.memory import open_memory
from core.field.client.outbox import BATCH, EventOutbox, Worth


def an_outbox(file=None, **limits):
    return EventOutbox(open_memory(file), **limits)


def number(seq: int) -> bytes:
    return str(seq).encode()


def test_events_are_numbered_without_a_gap_and_sent_in_order():
    outbox = an_outbox()

    assert [outbox.add(number) for _ in range(3)] == [1, 2, 3]
    assert outbox.take_due(0.0) == [(1, b"1"), (2, b"2"), (3, b"3")]


def test_what_is_not_acknowledged_is_sent_again_after_two_seconds():
    outbox = an_outbox()
    outbox.add(number)
    outbox.take_due(100.0)

    assert outbox.take_due(101.9) == []
    assert outbox.take_due(102.1) == [(1, b"1")]


def test_an_acknowledge_covers_everything_before_it():
    outbox = an_outbox()
    for _ in range(5):
        outbox.add(number)
    outbox.take_due(0.0)
    outbox.acknowledge(3)
    outbox.forget_sent()

    assert len(outbox) == 2
    assert [seq for seq, _ in outbox.take_due(0.0)] == [4, 5]


def test_an_acknowledge_that_stood_on_the_broker_for_the_memory_before_this_one_takes_nothing_that_was_never_sent():
    outbox = an_outbox()
    for _ in range(30):
        outbox.add(number)
    outbox.acknowledge(20)
    outbox.acknowledge(500)

    assert [seq for seq, _ in outbox.take_due(0.0)] == list(range(1, 31))


def test_an_acknowledge_for_the_memory_before_this_one_takes_nothing_that_was_sent_either():
    outbox = an_outbox()
    for _ in range(30):
        outbox.add(lambda seq: b'{"seq": %d, "boot": "new"}' % seq)
    outbox.take_due(0.0)

    outbox.acknowledge(20, "old")
    assert len(outbox) == 30
    outbox.acknowledge(20, "new")
    assert len(outbox) == 10


def test_an_acknowledge_counts_also_where_the_power_was_away_and_nothing_was_sent_since(tmp_path):
    first = an_outbox(tmp_path / "lot.sqlite3")
    for _ in range(BATCH + 50):
        first.add(lambda seq: b'{"seq": %d, "boot": "b1"}' % seq)
    second = an_outbox(tmp_path / "lot.sqlite3")
    second.acknowledge(BATCH + 40, "b1")

    assert len(second) == 10


def test_an_acknowledge_of_what_was_sent_on_the_connection_before_counts():
    outbox = an_outbox()
    outbox.add(number)
    outbox.take_due(0.0)
    outbox.forget_sent()
    outbox.acknowledge(1)

    assert len(outbox) == 0


def test_numbers_go_on_after_a_restart_also_when_nothing_was_left(tmp_path):
    first = an_outbox(tmp_path / "lot.sqlite3")
    first.add(number)
    first.add(number)
    first.take_due(0.0)
    first.acknowledge(2)

    second = an_outbox(tmp_path / "lot.sqlite3")

    assert len(second) == 0
    assert second.add(number) == 3


def test_a_new_connection_sends_everything_at_once():
    outbox = an_outbox()
    outbox.add(number)
    outbox.take_due(100.0)
    outbox.forget_sent()

    assert outbox.take_due(100.1) == [(1, b"1")]


def test_a_long_outage_is_sent_in_batches():
    outbox = an_outbox()
    for _ in range(BATCH + 5):
        outbox.add(number)

    assert len(outbox.take_due(0.0)) == BATCH
    assert outbox.take_due(0.1) == []
    outbox.acknowledge(100)
    assert [seq for seq, _ in outbox.take_due(0.2)] == [201, 202, 203, 204, 205]


def test_what_was_not_acknowledged_goes_out_again_in_order_before_anything_newer():
    outbox = an_outbox()
    for _ in range(BATCH + 5):
        outbox.add(number)
    outbox.take_due(100.0)
    outbox.acknowledge(150)
    assert [seq for seq, _ in outbox.take_due(101.0)] == list(range(BATCH + 1, BATCH + 6))

    assert [seq for seq, _ in outbox.take_due(103.0)] == list(range(151, BATCH + 6))


def test_a_core_that_answers_slowly_is_not_sent_everything_again():
    outbox = an_outbox()
    for _ in range(10):
        outbox.add(number)
    outbox.take_due(100.0)
    for second in (101.5, 103.0, 104.5):
        outbox.acknowledge(int(second - 100))

        assert outbox.take_due(second) == []


def test_a_full_outbox_gives_up_the_oldest_measurements_first_and_counts_them():
    outbox = an_outbox(max_rows=20)
    for worth in (Worth.EVENT, Worth.MEASUREMENT):
        for _ in range(10):
            outbox.add(number, worth)
    outbox.add(number)

    assert [seq for seq, _ in outbox.take_due(0.0)] == [*range(1, 11), *range(13, 22)]
    assert outbox.n_dropped == 2


def test_a_full_outbox_without_measurements_gives_up_the_oldest_events_and_knows_it_after_a_restart(tmp_path):
    outbox = an_outbox(tmp_path / "lot.sqlite3", max_bytes=300)
    for _ in range(4):
        outbox.add(lambda _seq: b"x" * 100)

    again = an_outbox(tmp_path / "lot.sqlite3")
    assert [seq for seq, _ in again.take_due(0.0)] == []
    assert again.n_dropped == 4
