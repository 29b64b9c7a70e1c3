"""A clock of this machine that was set is said once, with its size, and shown for an hour."""

from zoneinfo import ZoneInfo

import pytest

from core.incidents.shift import Draft, ShiftKind
from core.kernel.clock import FakeClock
from core.kernel.paths import Folders
from core.kernel.settings import Settings, SiteSettings
from core.node.clock_watch import ClockWatch
from core.node.node import Node


@pytest.mark.parametrize(
    ("step_s", "said"),
    [
        (-7200.0, "The clock of the node's machine was set back by 7,200 s, to 19:00:01+09:00: times come twice."),
        (3.0, "The clock of the node's machine jumped ahead by 3 s, to 21:00:04+09:00, or it slept so long."),
        (1.0, ""),
    ],
)
def test_a_step_of_the_clock_is_said_once_with_its_size(step_s, said):
    clock = FakeClock()
    watch = ClockWatch(clock, ZoneInfo("Asia/Tokyo"))
    clock.advance(seconds=1.0)
    before = watch.look()
    clock.step(seconds=step_s)

    assert (before, watch.look(), watch.look()) == ("", said, "")
    assert watch.notice == said


def test_a_clock_that_a_time_server_pulls_along_says_nothing():
    clock = FakeClock()
    watch = ClockWatch(clock, ZoneInfo("UTC"))
    for _ in range(60):
        clock.advance(seconds=1.0)
        clock.step(seconds=0.5)

        assert watch.look() == ""


def test_a_clock_that_was_set_stands_in_health_for_an_hour_and_in_the_shift_log_once(tmp_path, caplog):
    clock = FakeClock()
    folders = Folders(data=tmp_path / "data", runtime=tmp_path / "run")
    folders.make()
    node = Node(Settings(site=SiteSettings(time_zone="UTC")), folders, clock=clock)
    clock.step(seconds=-7200.0)
    for _ in range(3):
        node._watch_clock()
        clock.advance(seconds=1.0)
    said = "The clock of the node's machine was set back by 7,200 s, to 10:00:00 UTC: times come twice."

    assert [(one.key, one.message) for one in node.health().notices if one.hint] == [("clock", said)]
    assert node.shift_watch.due(clock.now()) == (Draft(kind=ShiftKind.CLOCK, text=said),)
    assert [one.getMessage() for one in caplog.records if one.name == "core.node.node"] == [said]

    clock.advance(seconds=3600.0)

    assert "clock" not in {one.key for one in node.health().notices}
