"""Events leave a device's outbox when they are stored, and not before."""

from core.sim.event_outbox import BATCH, EventOutbox


def number(seq: int) -> bytes:
    return str(seq).encode()


def test_events_are_numbered_without_a_gap_and_sent_in_order():
    outbox = EventOutbox()

    assert [outbox.add(number) for _ in range(3)] == [1, 2, 3]
    assert outbox.take_due(0.0) == [(1, b"1"), (2, b"2"), (3, b"3")]


def test_what_is_not_acknowledged_is_sent_again_after_two_seconds():
    outbox = EventOutbox()
    outbox.add(number)
    outbox.take_due(100.0)

    assert outbox.take_due(101.9) == []
    assert outbox.take_due(102.1) == [(1, b"1")]


def test_an_acknowledge_covers_everything_before_it():
    outbox = EventOutbox()
    for _ in range(5):
        outbox.add(number)
    outbox.acknowledge(3)

    assert len(outbox) == 2
    assert [seq for seq, _ in outbox.take_due(0.0)] == [4, 5]


def test_an_acknowledge_from_before_this_outbox_is_ignored():
    outbox = EventOutbox()
    outbox.add(number)
    outbox.acknowledge(500)

    assert len(outbox) == 1


def test_numbers_go_on_after_a_restart_also_when_nothing_was_left(tmp_path):
    first = EventOutbox(tmp_path / "lot.sqlite3")
    first.add(number)
    first.add(number)
    first.acknowledge(2)
    first.close()

    second = EventOutbox(tmp_path / "lot.sqlite3")

    assert len(second) == 0
    assert second.add(number) == 3
    second.close()


def test_a_new_connection_sends_everything_at_once():
    outbox = EventOutbox()
    outbox.add(number)
    outbox.take_due(100.0)
    outbox.forget_sent()

    assert outbox.take_due(100.1) == [(1, b"1")]


def test_a_long_outage_is_sent_in_batches():
    outbox = EventOutbox()
    for _ in range(BATCH + 5):
        outbox.add(number)

    assert len(outbox.take_due(0.0)) == BATCH
    assert len(outbox.take_due(0.0)) == 5
