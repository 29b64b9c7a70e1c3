"""A device knows from the core's messages what is over at the core, whatever its own clock shows."""

from core.field.client.host_clock import HostClock


def test_before_the_core_said_anything_nothing_is_known_to_be_over():
    assert not HostClock().is_past(0.0, 1e6)


def test_time_goes_on_from_what_the_core_said():
    clock = HostClock()
    clock.note(1_000_000, heard_s=50.0)

    assert not clock.is_past(1_030_000, now_s=79.9)
    assert clock.is_past(1_030_000, now_s=80.0)


def test_what_waited_on_its_way_takes_nothing_back():
    clock = HostClock()
    clock.note(1_000_000, heard_s=50.0)
    clock.note(1_001_000, heard_s=90.0)

    assert clock.is_past(1_030_000, now_s=80.0)


def test_a_core_that_started_again_may_have_set_its_clock_back():
    clock = HostClock()
    clock.begin(3)
    clock.note(9_000_000, heard_s=50.0)
    clock.begin(3)
    assert clock.is_past(1_030_000, now_s=50.0)

    clock.begin(4)
    clock.note(1_000_000, heard_s=60.0)
    assert not clock.is_past(1_030_000, now_s=60.0)
