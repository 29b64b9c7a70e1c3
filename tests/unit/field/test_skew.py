from datetime import UTC, datetime, timedelta

import pytest

from core.field.skew import ClockWatch

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def heard(clock, *, offset_s, at_s):
    received_at = NOON + timedelta(seconds=at_s)
    return clock.note(received_at + timedelta(seconds=offset_s), received_at)


def test_three_messages_that_agree_tell_a_slow_clock_and_one_tells_that_it_was_set():
    clock = ClockWatch()
    for second in range(3):
        assert clock.skew_s is None
        heard(clock, offset_s=-90.0 - 0.1 * second, at_s=second)
    assert clock.skew_s == pytest.approx(-90.0)
    assert clock.is_wrong

    heard(clock, offset_s=-0.1, at_s=4)
    assert not clock.is_wrong


def test_a_message_from_the_future_tells_a_fast_clock_at_once():
    clock = ClockWatch()
    heard(clock, offset_s=3600.0, at_s=0)

    assert clock.skew_s == 3600.0
    for second in range(1, 5):
        heard(clock, offset_s=0.0, at_s=second)
    assert not clock.is_wrong


def test_what_a_broker_kept_for_an_outage_is_late_and_says_nothing_about_the_clock():
    clock = ClockWatch()
    for number in range(300):
        heard(clock, offset_s=-600.0 + 2.0 * number, at_s=0.01 * number)

    assert clock.skew_s is None
    assert clock.true_age_s(NOON - timedelta(seconds=600), NOON) == 600.0


def test_the_age_of_a_message_is_told_apart_from_the_error_of_the_clock():
    clock = ClockWatch()
    for second in range(3):
        heard(clock, offset_s=-3600.0, at_s=second)

    assert clock.true_age_s(NOON - timedelta(seconds=3601), NOON) == pytest.approx(1.0)
    assert clock.true_age_s(NOON - timedelta(seconds=3660), NOON) == pytest.approx(60.0)


def test_an_ordinary_delay_is_no_skew():
    clock = ClockWatch()
    for second, delay_s in enumerate((0.3, 0.1, 1.9, 0.2, 0.4)):
        heard(clock, offset_s=-delay_s, at_s=second)

    assert not clock.is_wrong
    assert -0.3 < clock.skew_s <= 0.0
