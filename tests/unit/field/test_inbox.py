from datetime import UTC, datetime

from core.field.inbox import Inbound, Inbox

AT = datetime(2026, 1, 1, tzinfo=UTC)


def message(topic, payload=b""):
    return Inbound(topic=f"watchfloor/v1/city/{topic}", payload=payload, qos=1, is_retained=False, received_at=AT)


def payloads(inbox):
    return [item.payload for item in inbox.take(1000)]


def test_of_telemetry_only_the_newest_of_each_topic_waits():
    inbox = Inbox()
    for number in range(3):
        inbox.put(message("station/a/tele/flow", b"a%d" % number))
        inbox.put(message("station/b/tele/flow", b"b%d" % number))

    assert payloads(inbox) == [b"a2", b"b2"]
    assert inbox.n_overflow == 0


def test_state_and_events_keep_their_order():
    inbox = Inbox()
    for number in range(3):
        inbox.put(message("station/a/state/flow", b"s%d" % number))
        inbox.put(message("station/a/evt", b"e%d" % number))

    assert payloads(inbox) == [b"s0", b"e0", b"s1", b"e1", b"s2", b"e2"]


def test_a_full_inbox_keeps_every_event_and_the_newest_state():
    inbox = Inbox(max_waiting=10)
    for number in range(100):
        inbox.put(message("station/a/state/flow", b"s%d" % number))
        inbox.put(message("station/a/evt", b"e%d" % number))
    waiting = payloads(inbox)

    assert [item for item in waiting if item.startswith(b"e")] == [b"e%d" % number for number in range(100)]
    assert b"s99" in waiting
    assert len(waiting) < 120
    assert inbox.n_overflow > 0


def test_a_flood_of_topics_is_bounded_and_counted():
    inbox = Inbox(max_waiting=10)
    for number in range(100):
        inbox.put(message(f"station/{number}/state/flow"))

    assert len(inbox) == 20
    assert inbox.n_dropped == 80


def test_the_loop_is_woken_once_for_a_batch():
    inbox = Inbox()

    assert inbox.put(message("station/a/evt"))
    assert not inbox.put(message("station/a/evt"))
    inbox.take(2)
    assert inbox.put(message("station/a/evt"))
