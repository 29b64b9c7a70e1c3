"""The figures that the study sets as bars, on real data."""

import pytest

from core.parking.forecast.evaluate import BARS, BIRMINGHAM, evaluate_birmingham
from tests.fixtures.testdata import testdata


@pytest.mark.slow
@pytest.mark.testdata
def test_birmingham_is_foreseen_within_the_bars_and_its_faults_are_counted():
    found = evaluate_birmingham(testdata(f"parking_series/{BIRMINGHAM}"))

    assert {name: bar["is_met"] for name, bar in found["bars"].items()} == dict.fromkeys(BARS, True)
    assert found["data"]["n_lots"] == 29
    assert found["data"]["n_duplicates"] == 216
    assert found["data"]["n_negative"] == 12
    assert found["data"]["n_above_capacity"] == 373
    for row in found["horizons"].values():
        assert row["mae"] < min(row["baselines"].values())
        assert row["full"]["brier"] < row["full"]["brier_of_base_rate"]
