from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from core.parking.forecast.boosting import add_boosting, fit
from core.parking.forecast.methods import Method, features, foresee, known
from core.parking.forecast.profile import EventSpan, Occasions, last_week, profile
from core.parking.forecast.series import cut, extended
from tests.fixtures.parking_series import ZONE, make_series

NEAR = 48
WEEK = 7 * 48


def scrambled(series, after):
    """The same series with everything after an index replaced by nonsense."""
    share = series.share.copy()
    share[after + 1 :] = np.random.default_rng(9).uniform(size=len(share) - after - 1)
    return type(series)(**{name: getattr(series, name) for name in series.__slots__} | {"share": share})


@pytest.mark.parametrize("n_ahead", [1, 2, 4, 8, 48, 3 * 48, WEEK])
def test_no_method_and_no_feature_sees_the_future(n_ahead):
    series = make_series(days=49, begin="2026-05-04")
    origin = np.array([35 * 48 + 20])
    occasions = Occasions(days={date(2026, 5, 14).toordinal(): "Ascension", date(2026, 6, 8).toordinal(): "Feast"})
    true, wrong = (known(one, occasions=occasions) for one in (series, scrambled(series, int(origin[0]))))

    for method in (Method.LAST, Method.SEASONAL, Method.PROFILE, Method.CHANGE, Method.DAMPED):
        said = [foresee(of, method, origin, n_ahead, persistence=0.5) for of in (true, wrong)]
        assert said[0] == pytest.approx(said[1])
    if n_ahead <= 8:
        seen = [features(of, origin, n_ahead) for of in (true, wrong)]
        assert seen[0] == pytest.approx(seen[1], nan_ok=True)


def test_an_event_learns_nothing_from_the_future():
    series = make_series(days=42, begin="2026-05-04")
    spans = tuple(
        EventSpan(name="fair", begins_s=series.at_s(day * 48 + 20), ends_s=series.at_s(day * 48 + 30))
        for day in (10, 30, 40)
    )
    origin = 36 * 48
    target = 40 * 48 + 25
    usual = [profile(one, decay=0.6, occasions=Occasions(events=spans)) for one in (series, scrambled(series, origin))]

    assert usual[0][target] == usual[1][target]


def test_the_profile_is_the_weighted_mean_of_the_same_slot_of_earlier_weeks():
    series = make_series(days=28)
    index = 22 * 48 + 25
    weeks = [series.share[index - week * WEEK] for week in (1, 2, 3)]
    weights = [1.0, 0.5, 0.25]

    expected = sum(w * x for w, x in zip(weights, weeks, strict=True)) / sum(weights)
    assert profile(series, decay=0.5)[index] == pytest.approx(expected)


def test_a_week_with_a_gap_weighs_nothing():
    series = make_series(days=28)
    index = 22 * 48 + 25
    series.share[index - WEEK] = np.nan

    weeks = [series.share[index - 2 * WEEK], series.share[index - 3 * WEEK]]
    assert profile(series, decay=0.5)[index] == pytest.approx((0.5 * weeks[0] + 0.25 * weeks[1]) / 0.75)


def test_last_week_is_the_same_time_on_the_wall_also_over_a_change_of_clocks():
    series = make_series(days=21, begin="2026-03-16")
    zone = ZoneInfo(ZONE)
    noon = datetime(2026, 4, 1, 12, tzinfo=zone)
    before = datetime(2026, 3, 25, 12, tzinfo=zone)

    found = last_week(series)[series.index_of(noon.timestamp())]
    assert found == series.share[series.index_of(before.timestamp())]


def test_a_holiday_is_like_sundays_and_later_weeks_leave_it_out():
    series = make_series(days=35, noise=0.0)
    holiday = date(2026, 1, 28)  # a Wednesday
    row = holiday.toordinal() - int(series.day[0])
    at_noon = row * 48 + 25
    series.share[row * 48 : (row + 1) * 48] = 0.0
    occasions = Occasions(days={holiday.toordinal(): "Feast"})
    usual = profile(series, decay=0.6, occasions=occasions)

    sunday = series.share[(6 + 7) * 48 + 25]
    assert usual[at_noon] == pytest.approx(sunday, abs=0.01)
    assert usual[at_noon + WEEK] == pytest.approx(series.share[at_noon - WEEK], abs=0.01)


def test_an_event_adds_what_earlier_ones_of_its_name_added():
    series = make_series(days=42, noise=0.0)
    nights = [day * 48 + 40 for day in (10, 17, 38)]
    for first in nights[:2]:
        series.share[first : first + 6] += 0.3
    spans = tuple(
        EventSpan(name="match", begins_s=series.at_s(first), ends_s=series.at_s(first + 6)) for first in nights
    )
    plain = profile(series, decay=0.6)
    usual = profile(series, decay=0.6, occasions=Occasions(events=spans))

    assert usual[nights[2]] == pytest.approx(series.share[nights[2]] + 0.3, abs=0.02)
    assert plain[nights[2] - 21 * 48 + WEEK] > usual[nights[2] - 21 * 48 + WEEK] + 0.05


def test_an_operator_may_say_what_an_event_adds():
    series = make_series(days=42, noise=0.0)
    first = 38 * 48 + 40
    span = EventSpan(name="fair", begins_s=series.at_s(first), ends_s=series.at_s(first + 4), effect=0.25)

    gained = profile(series, decay=0.6, occasions=Occasions(events=(span,))) - profile(series, decay=0.6)
    assert gained[first : first + 4] == pytest.approx(0.25)
    assert gained[first + 4] == 0.0


def test_now_plus_profile_change_moves_with_what_is_usual():
    of = known(make_series(days=28))
    origin = np.array([24 * 48 + 18])
    expected = of.series.share[origin] + of.usual[origin + 4] - of.usual[origin]

    assert foresee(of, Method.CHANGE, origin, 4) == pytest.approx(np.clip(expected, 0, 1))


def test_our_trees_say_what_lightgbm_says():
    lightgbm = pytest.importorskip("lightgbm")
    from core.parking.forecast import boosting

    of = known(make_series(days=42))
    origins = np.arange(10 * 48, 40 * 48)
    trees = fit([(of, origins)], [(1, 2, 4)])
    rows, missed = boosting._examples([(of, origins)], [(1, 2, 4)])
    theirs = lightgbm.train(dict(boosting.SETTINGS), lightgbm.Dataset(rows, missed), num_boost_round=boosting.N_ROUNDS)
    asked = rows[::7].copy()
    asked[::5, 4] = np.nan

    assert trees.predict(asked) == pytest.approx(theirs.predict(asked), abs=1e-9)


def test_boosting_stays_between_empty_and_full():
    of = known(extended(make_series(days=30), NEAR))
    origins = np.arange(10 * 48, 28 * 48)
    trees = fit([(known(cut(of.series, 30 * 48)), origins)], [(1, 2)])
    said = add_boosting(of, trees, np.array([30 * 48 - 1]), 2)

    assert 0.0 <= said[0] <= 1.0
