import sys

import numpy as np
import pytest

from core.parking.forecast.intervals import ASKED, Doubt, adapt, first_alpha, hourly_scale, n_witnesses
from core.parking.forecast.methods import BASELINES, Method
from core.parking.forecast.series import cut
from core.parking.forecast.training import fit_lots
from tests.fixtures.parking_series import make_series


@pytest.fixture(scope="module")
def trained():
    return fit_lots({"market": make_series(days=56, seed=2)})


def test_each_horizon_is_judged_and_the_baselines_are_told(trained):
    for band in trained.lots["market"].bands:
        assert band.n_judged > 30
        assert set(BASELINES) <= set(band.errors)


def test_a_lot_with_a_rhythm_is_foreseen_better_than_by_its_last_value(trained):
    hours = trained.lots["market"].at(4)

    assert hours.is_won
    assert hours.errors[hours.method] < 0.5 * hours.errors[Method.LAST]


def test_what_is_shown_is_what_missed_least(trained):
    for band in trained.lots["market"].bands:
        assert band.errors[band.method] == min(band.errors.values())


def test_intervals_hold_about_as_much_as_they_promise(trained):
    for band in trained.lots["market"].bands:
        assert band.doubt.coverage == pytest.approx(ASKED, abs=0.08)


def test_a_lot_of_pure_noise_shows_a_baseline():
    series = make_series(days=56)
    series.share[:] = np.repeat(np.random.default_rng(4).uniform(size=len(series) // 48 + 1), 48)[: len(series)]

    near = fit_lots({"odd": series}).lots["odd"].at(2)
    assert near.method in BASELINES
    assert not near.is_won


def test_a_lot_with_little_history_is_left_out():
    assert fit_lots({"new": make_series(days=10)}).lots == {}


def test_the_same_data_give_the_same_training(trained):
    again = fit_lots({"market": make_series(days=56, seed=2)})

    assert again.trees == trained.trees
    assert [band.errors for band in again.lots["market"].bands] == [b.errors for b in trained.lots["market"].bands]


def test_what_comes_after_the_training_changes_nothing_of_it(trained):
    longer = make_series(days=63, seed=2)

    assert fit_lots({"market": cut(longer, 56 * 48)}).trees == trained.trees


def test_intervals_widen_while_they_miss():
    truth = np.concatenate([np.full(60, 0.5), np.full(60, 0.9)])
    walk = adapt(
        origins=np.arange(120),
        n_ahead=np.ones(120, dtype=int),
        forecast=np.full(120, 0.5),
        truth=truth,
        scale=np.full(120, 0.01),
        before=np.random.default_rng(1).normal(size=100),
        slots_a_day=48,
    )

    assert walk.high[59] < 0.6
    assert walk.high[119] >= 0.9


def test_an_interval_learns_of_a_target_only_once_it_came():
    truth = np.concatenate([np.full(10, 0.5), np.full(30, 0.9)])
    walks = [
        adapt(
            origins=np.arange(40),
            n_ahead=np.full(40, 8),
            forecast=np.full(40, 0.5),
            truth=one,
            scale=np.full(40, 0.01),
            before=np.random.default_rng(1).normal(size=100),
            slots_a_day=48,
        )
        for one in (truth, np.full(40, 0.5))
    ]

    assert walks[0].high[17] == walks[1].high[17]
    assert walks[0].high[19] > walks[1].high[19]


def test_days_that_are_wrong_alike_are_fewer_witnesses():
    days = np.repeat(np.arange(28), 24)
    noise = np.random.default_rng(2).normal(size=28)
    drifting = np.cumsum(noise)

    assert n_witnesses(np.repeat(noise, 24), days, 5.0) > 20.0
    assert 28 / 5.0 <= n_witnesses(np.repeat(drifting, 24), days, 5.0) < 14.0
    assert n_witnesses(np.repeat(drifting, 24), days, 0.25) == 28.0
    assert first_alpha(5.6) < first_alpha(28.0) == pytest.approx(1.0 - 0.9 * (1.0 + 1.0 / 28))


def test_a_run_of_alike_days_narrows_far_forecasts_less_than_near_ones():
    truth = np.random.default_rng(3).normal(0.5, 0.01, size=900)

    def alpha_after(n_ahead):
        return adapt(
            origins=np.arange(900),
            n_ahead=np.full(900, n_ahead),
            forecast=np.full(900, 0.5),
            truth=truth,
            scale=np.full(900, 0.05),
            before=np.random.default_rng(1).normal(size=100),
            slots_a_day=48,
            alpha=0.05,
        ).alpha

    assert 0.05 < alpha_after(7 * 48) < alpha_after(8)


def test_the_chance_of_a_full_lot_is_how_often_it_was_full_where_this_was_said():
    doubt = Doubt(scale=np.full(24, 0.01), misses=np.array([-1.0, 0.0, 1.0, 5.0]))

    assert doubt.full_probability(0.95, 12) == 0.25
    assert doubt.full_probability(0.999, 12) == 1.0
    assert doubt.full_probability(0.2, 12) == 0.0


def test_nights_that_are_foreseen_well_have_narrow_intervals():
    hours = np.tile(np.arange(24), 20)
    misses = np.where(hours < 6, 0.002, 0.2)

    scale = hourly_scale(misses, hours)
    assert scale[3] < 0.3 * scale[14]


def test_without_lightgbm_boosting_is_left_out_and_that_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    found = fit_lots({"market": make_series(days=35)})

    assert not found.trees
    assert "libgomp1" in found.note
    assert Method.BOOSTED not in found.lots["market"].at(2).errors
    assert found.lots["market"].at(4).is_won
