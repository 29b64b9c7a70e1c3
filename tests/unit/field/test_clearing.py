"""What is to be taken away from the broker is taken away, also where another message came between."""

from core.field.clearing import AGAIN_AFTER_S, Clearing
from core.kernel.clock import FakeClock

TOPIC = "watchfloor/v1/city/camera/cam-1/status"


def test_what_the_broker_never_confirmed_is_handed_over_again_and_done_with_only_then():
    clock, sent = FakeClock(), []

    def send(topic, on_done):
        sent.append((topic, on_done))
        return True

    clearing = Clearing(send, clock)
    clearing.want(TOPIC)
    # Another message of the same topic takes its place in the link's queue: nobody calls `on_done`.
    clock.advance(seconds=AGAIN_AFTER_S - 1)
    clearing.send_some()
    assert len(sent) == 1

    clock.advance(seconds=1)
    clearing.send_some()
    assert [topic for topic, _ in sent] == [TOPIC, TOPIC]
    sent[-1][1]()
    assert clearing.take_unsaved().done == (TOPIC,)
    clock.advance(seconds=AGAIN_AFTER_S)
    clearing.send_some()
    assert len(sent) == 2
