"""What breaks is told, and the program goes on."""

import logging
import sys

import pytest
from PySide6.QtCore import QtMsgType

from app import report
from app.report import ErrorDoor


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now_s = 100.0

        def monotonic(self):
            return self.now_s

    clock = Clock()
    monkeypatch.setattr(report, "time", clock)
    monkeypatch.setattr(report, "_qt_told", report._Told())
    return clock


def break_here(door, number=1):
    try:
        raise ValueError(f"no camera {number}")
    except ValueError:
        door.take(*sys.exc_info())


def break_elsewhere(door):
    try:
        raise KeyError("c9")
    except KeyError:
        door.take(*sys.exc_info())


def test_a_fault_that_comes_sixty_times_a_second_is_told_once_a_minute_and_counted(qapp, clock, caplog):
    door, told = ErrorDoor(), []
    door.broke.connect(told.append)
    with caplog.at_level(logging.ERROR):
        for number in range(100):
            clock.now_s += 1 / 60
            break_here(door, number)
        break_elsewhere(door)
        assert (door.n_errors, len(told), len(caplog.records)) == (101, 2, 2)
        assert "no camera 0" in told[0]
        assert "KeyError" in told[1]
        clock.now_s += report.REPEAT_S
        break_here(door, 100)
    assert "99 times more" in caplog.records[-1].getMessage()
    assert "no camera 100" in caplog.records[-1].getMessage()
    assert len(told) == 3


def test_the_newest_fault_can_be_copied_also_where_it_was_not_told(qapp, clock):
    door = ErrorDoor()
    break_here(door, 1)
    break_here(door, 2)
    assert "no camera 2" in door.newest_report


def shared():
    raise ValueError("a helper of both")


def test_what_two_panels_break_in_a_helper_of_both_is_told_of_each(qapp, clock, caplog):
    door = ErrorDoor()

    def first():
        shared()

    def second():
        shared()

    with caplog.at_level(logging.ERROR):
        for panel in (first, second, first):
            try:
                panel()
            except ValueError:
                door.take(*sys.exc_info())
    assert ["first" in record.getMessage() for record in caplog.records] == [True, False]


def test_what_qt_says_again_and_again_is_logged_once_a_minute(clock, caplog):
    say, kind = report._log_qt_message, QtMsgType.QtWarningMsg
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            say(kind, None, "QPainter::end: Painter ended with 1 saved states")
        say(kind, None, "something else")
        assert len(caplog.records) == 2
        clock.now_s += report.REPEAT_S
        say(kind, None, "QPainter::end: Painter ended with 1 saved states")
    assert "49 times more" in caplog.records[-1].getMessage()


def test_what_was_told_is_not_kept_without_end(clock):
    told = report._Told()
    for number in range(3 * report.MAX_TOLD):
        assert told.n_untold(f"fault {number}") == 0
    assert len(told._told_s) <= report.MAX_TOLD
