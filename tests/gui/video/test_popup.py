"""Which alarm is shown on the wall, and which ones wait."""

from core.incidents.model import Priority
from core.kernel.clock import FakeClock
from widgets.video.popup import AlarmQueue, Call, stepped, with_calls, without_current

AT = FakeClock().now()


def call(name, priority=Priority.HIGH):
    return Call(occurrence=name, alarm_id=name, camera_id=f"camera-{name}", title=name, priority=priority, raised_at=AT)


def waiting(queue):
    return [call.occurrence for call in queue.calls]


ALL = (call("a"), call("b"), call("c"))


def test_what_was_waved_away_stays_away_while_the_alarm_goes_on_calling():
    queue = without_current(with_calls(AlarmQueue(), ALL))

    again = with_calls(queue, ALL)

    assert waiting(again) == ["b", "c"]
    assert again.shown == "b"


def test_two_alarms_waved_away_one_after_the_other_both_stay_away():
    queue = without_current(without_current(with_calls(AlarmQueue(), ALL)))

    assert waiting(with_calls(queue, ALL)) == ["c"]


def test_after_the_last_one_in_the_row_the_one_before_it_is_shown():
    queue = without_current(stepped(with_calls(AlarmQueue(), ALL), -1))

    assert queue.shown == "b"


def test_what_was_waved_away_calls_again_with_its_next_occurrence():
    queue = without_current(with_calls(AlarmQueue(), (call("a"),)))
    over = with_calls(queue, ())

    assert over.dismissed == frozenset()
    assert with_calls(queue, (call("a again"),)).shown == "a again"


def test_the_last_one_waved_away_leaves_nothing_to_show():
    assert without_current(with_calls(AlarmQueue(), (call("a"),))).current is None
