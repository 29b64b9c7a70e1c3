"""A device knows from the core's messages what is over at the core, whatever its own clock shows."""

from core.field.client.host_clock import HostClock


def heard(*words, core="north"):
    clock = HostClock()
    for epoch, said_ms, heard_s in words:
        clock.note(core, epoch, said_ms, heard_s)
    return clock


def test_before_the_core_said_anything_nothing_is_known_to_be_over():
    assert not HostClock().is_past(0.0, 1e6)


def test_time_goes_on_from_what_the_core_said():
    clock = heard((1, 1_000_000, 50.0))

    assert not clock.is_past(1_030_000, now_s=79.9)
    assert clock.is_past(1_030_000, now_s=80.1)


def test_what_waited_on_its_way_takes_nothing_back():
    clock = heard((1, 1_000_000, 50.0), (1, 1_001_000, 90.0))

    assert clock.is_past(1_030_000, now_s=80.1)


def test_a_core_whose_epoch_is_another_may_have_set_its_clock_back():
    clock = heard((3, 9_000_000, 50.0))
    assert clock.is_past(1_030_000, now_s=50.0)

    clock.note("north", 4, 1_000_000, 60.0)
    assert not clock.is_past(1_030_000, now_s=60.0)


def test_what_a_core_said_in_an_earlier_epoch_counts_no_more_also_where_it_comes_after():
    clock = heard((4, 1_000_000, 60.0), (3, 9_000_000, 61.0))

    assert not clock.is_past(1_030_000, now_s=61.0)


def test_another_core_counts_its_epochs_for_itself():
    clock = heard((40, 1_000_000, 60.0), core="south")
    clock.note("north", 3, 9_000_000, 60.0)
    assert clock.is_past(1_030_000, now_s=60.0)

    clock.note("north", 4, 1_000_000, 60.0)
    assert not clock.is_past(1_030_000, now_s=60.0)


def test_two_clocks_that_run_apart_as_good_ones_do_make_no_command_late_after_a_month_on_one_line():
    clock = HostClock()
    for minute in range(30 * 24 * 60):
        clock.note("north", 1, minute * 60_000 * (1 - 50e-6), heard_s=60.0 * minute)
    now_ms = minute * 60_000 * (1 - 50e-6)

    assert not clock.is_past(now_ms + 5000, now_s=60.0 * minute)
    assert clock.is_past(now_ms - 1000, now_s=60.0 * minute)
