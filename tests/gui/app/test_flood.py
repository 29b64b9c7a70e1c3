"""A desk whose own clock is wrong: it says so, and counts and sets by the clock of the node."""

from datetime import UTC, datetime, timedelta

import pytest

from app.desk_clock import DeskClock, words_of
from app.flood import FloodWatch
from app.live import LiveModel
from core.incidents.flood import BEGINS_ABOVE
from core.kernel.clock import FakeClock
from core.kernel.wire import to_builtins
from core.node.live import Changes, without_defaults
from core.node.model import Health
from tests.fixtures.alarms import alarm

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def live(qtbot):
    model = LiveModel()
    yield model
    model.close()


def say(live, at):
    health = Health(
        at=at, node_pid=1, version="", loop_lag_p99_ms=0, loop_lag_max_ms=0, database="", is_database_ok=True
    )
    live.apply(to_builtins(without_defaults(Changes(health=health))))


@pytest.mark.parametrize(
    ("ahead_s", "off_s", "words"), [(-125, -125, "2 min slow"), (-4, 0, ""), (4, 0, ""), (7, 7, "7 s fast")]
)
def test_a_clock_that_is_off_is_said_and_what_is_set_follows_the_node(live, qtbot, ahead_s, off_s, words):
    clock = FakeClock(AT + timedelta(seconds=ahead_s))
    desk, told = DeskClock(live, clock), []
    desk.changed.connect(lambda: told.append(desk.off_s))
    for n in range(4):
        with qtbot.waitSignal(live.health_changed):
            say(live, AT + timedelta(seconds=n))
        clock.advance(seconds=1)

    assert desk.off_s == off_s
    assert told == ([off_s] if off_s else [])
    assert desk.now() == (AT + timedelta(seconds=4) if off_s else clock.now())
    if words:
        assert words_of(off_s) == words


def test_a_window_that_was_busy_takes_no_clock_for_fast(live, qtbot):
    clock = FakeClock(AT)
    desk = DeskClock(live, clock)
    for n, late_s in enumerate((9, 0, 12, 8, 9)):
        clock.step(seconds=(AT + timedelta(seconds=n + late_s) - clock.now()).total_seconds())
        with qtbot.waitSignal(live.health_changed):
            say(live, AT + timedelta(seconds=n))

    assert desk.off_s == 0


def test_a_clock_about_as_far_off_as_is_let_pass_is_said_once(live, qtbot):
    clock = FakeClock(AT)
    desk, told = DeskClock(live, clock), []
    desk.changed.connect(lambda: told.append(desk.off_s))
    for n in range(30):
        late_s = 4.99 if n % 6 == 5 else 5.01
        clock.step(seconds=(AT + timedelta(seconds=n + late_s) - clock.now()).total_seconds())
        with qtbot.waitSignal(live.health_changed):
            say(live, AT + timedelta(seconds=n))

    assert told == [5]


def test_a_clock_that_was_set_right_is_right(live, qtbot):
    clock = FakeClock(AT + timedelta(seconds=9))
    desk, told = DeskClock(live, clock), []
    desk.changed.connect(lambda: told.append(desk.off_s))
    for n in range(10):
        if n == 5:
            clock.step(seconds=-8.9)
        with qtbot.waitSignal(live.health_changed):
            say(live, AT + timedelta(seconds=n))
        clock.advance(seconds=1)

    assert told == [9, 0]
    assert desk.now() == clock.now()


@pytest.mark.parametrize("ahead_min", [-20, 0, 20])
def test_calls_are_counted_by_the_nodes_clock(live, ahead_min):
    watch = FloodWatch(live, DeskClock(live, FakeClock(AT + timedelta(minutes=ahead_min))))
    calls = tuple(
        alarm(alarm_id=str(number), occurrence=str(number), raised_at=AT, changed_at=AT)
        for number in range(BEGINS_ABOVE + 1)
    )

    say(live, AT)
    live.apply(to_builtins(without_defaults(Changes(alarms=calls))))

    assert watch.flood.is_on
    watch.close()
