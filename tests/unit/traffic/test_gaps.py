"""How many minutes of a day are missing in what cameras counted."""

from datetime import UTC, datetime, timedelta

import pytest

from core.traffic.gaps import CountedMinutes
from core.vision.flow import FlowMinute

MIDNIGHT = datetime(2026, 1, 1, 23, 0, tzinfo=UTC)


def at(n_minutes, seconds=0.0):
    return MIDNIGHT + timedelta(minutes=n_minutes, seconds=seconds)


def part(n_minutes, observed_s=60.0, **changes):
    return FlowMinute(
        **{"camera_id": "a", "subject": "line", "key": "gate", "minute": at(n_minutes), "observed_s": observed_s}
        | changes
    )


@pytest.fixture
def counted():
    return CountedMinutes(MIDNIGHT)


def missing(counted, now, key="gate"):
    return counted.missing("a", [key], now).get(key, 0)


def test_minutes_of_which_nobody_told_are_missing_from_the_start_of_the_day(counted):
    counted.add([part(3), part(4)])

    assert missing(counted, at(5, 20)) == 3


def test_a_minute_is_not_missing_before_it_is_over_and_could_be_told(counted):
    counted.add([part(0)])

    assert [missing(counted, at(2, seconds)) for seconds in (-1, 14, 15)] == [0, 0, 1]


def test_a_minute_of_which_a_part_was_seen_is_missing_until_the_other_part_comes(counted):
    counted.add([part(0, 30.0)])
    before = missing(counted, at(1, 30))
    counted.add([part(0, 29.0)])

    assert (before, missing(counted, at(1, 30))) == (1, 0)


def test_one_part_that_several_lines_and_classes_tell_counts_once(counted):
    counted.add(
        [part(0, 30.0), part(0, 30.0, label="person"), part(0, 30.0, key="exit"), part(0, 30.0, subject="zone")]
    )

    assert missing(counted, at(1, 30)) == 1


def test_minutes_before_a_line_was_drawn_are_not_missing(counted):
    counted.note_drawn("a", "new", at(7, 30))
    counted.add([part(8)])

    assert missing(counted, at(10, 20), "new") == 1
    assert missing(counted, at(10, 20), "gate") == 9


def test_minutes_of_yesterday_and_of_other_cameras_say_nothing(counted):
    counted.add([part(-1), part(0, camera_id="b")])

    assert missing(counted, at(1, 30)) == 1
    assert counted.missing("b", ["gate"], at(1, 30)) == {}
