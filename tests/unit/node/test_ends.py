"""What follows from the ends of a worker."""

from core.node.ends import Ends


def test_two_ends_within_ten_minutes_make_a_worker_suspect_however_well_it_runs_in_between():
    assert Ends(ended_s=[0.0, 590.0]).is_suspect(595.0)
    assert not Ends(ended_s=[0.0, 610.0]).is_suspect(615.0)
    assert not Ends(ended_s=[590.0]).is_suspect(595.0)


def test_one_end_is_enough_for_cameras_that_were_just_set_apart():
    assert Ends(ended_s=[100.0], apart_s=50.0).is_suspect(100.0)
    assert not Ends(ended_s=[700.0], apart_s=50.0).is_suspect(700.0)


def test_starts_that_failed_count_for_the_call_and_make_nobody_suspect():
    ends = Ends(unstarted_s=[1.0, 2.0, 3.0])

    assert ends.n_counted == 3
    assert not ends.is_suspect(4.0)


def test_ends_count_for_an_hour_and_calm_is_an_hour_without_any():
    ends = Ends(ended_s=[0.0, 1000.0])
    assert not ends.forget_old(3599.0)
    assert ends.forget_old(3600.0)
    assert ends.n_counted == 1
    assert not ends.is_calm(4599.0)
    assert ends.is_calm(4600.0)
    assert not Ends(apart_s=10.0).is_calm(3000.0)


def test_waits_grow_and_have_an_end_also_after_a_thousand_ends():
    together = [Ends(n_in_row=n).delay_s() for n in (0, 1, 4, 1000)]
    alone = [Ends(ended_s=[0.0] * n).delay_alone_s() for n in (1, 4, 7, 1000)]

    assert together == sorted(together)
    assert (together[0], together[-1]) == (0.1, 10.0)
    assert alone == sorted(alone)
    assert alone[-1] == 300.0
