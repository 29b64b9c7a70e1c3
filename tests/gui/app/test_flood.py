"""The flood of a desk whose own clock is wrong."""

from datetime import UTC, datetime, timedelta

import pytest

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


@pytest.mark.parametrize("ahead_min", [-20, 0, 20])
def test_calls_are_counted_by_the_nodes_clock(live, ahead_min):
    watch = FloodWatch(live, FakeClock(AT + timedelta(minutes=ahead_min)))
    health = Health(
        at=AT, node_pid=1, version="", loop_lag_p99_ms=0, loop_lag_max_ms=0, database="", is_database_ok=True
    )
    calls = tuple(
        alarm(alarm_id=str(number), occurrence=str(number), raised_at=AT, changed_at=AT)
        for number in range(BEGINS_ABOVE + 1)
    )

    live.apply(to_builtins(without_defaults(Changes(health=health))))
    live.apply(to_builtins(without_defaults(Changes(alarms=calls))))

    assert watch.flood.is_on
    watch.close()
