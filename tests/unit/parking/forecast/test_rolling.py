"""Car parks that publish changes only, judged from an origin that moves on: as Dresden's are, on weeks made here."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from core.parking.forecast.datasets import DRESDEN_ZONE, read_dresden
from core.parking.forecast.evaluate import DRESDEN, Rolling, evaluate_dresden
from core.parking.forecast.series import held
from tests.fixtures.parking_series import usual_share
from tests.fixtures.testdata import testdata

polars = pytest.importorskip("polars", reason="Parquet files are read with polars")

FIRST = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)  # Monday, 2 March, in Dresden
N_DAYS = 39
MOST = {
    "30 min": 0.0175,
    "60 min": 0.0255,
    "2 h": 0.0385,
    "4 h": 0.056,
    "1 day": 0.087,
    "3 days": 0.102,
    "7 days": 0.100,
}
"""Mean absolute error on Dresden, share of the capacity: as `main.py parking forecast-evaluate` prints it, and some
room for other processors' arithmetic."""

ROLLING = Rolling(first_day="2026-03-30", folds=2, days=5, history_days=28)
SAID = {"square": 100, "arcade": 60, "yard": 0}
TRUE = {"square": 100, "arcade": 90, "yard": 40}
"""Capacities as published, and as they are: the arcade was enlarged, nobody knows the yard's."""

SILENT = ("square", 10, 11)
"""The square said nothing on these days, counted from the first one."""


def free_places(lot, seed):
    """Yield instant and free places with every change; each quarter of an hour is looked at."""
    random = np.random.default_rng(seed)
    drift, before = 0.0, None
    for quarter in range(N_DAYS * 96):
        at = FIRST + timedelta(minutes=15 * quarter)
        drift = 0.95 * drift + random.normal(0.0, 0.008)
        share = np.clip(usual_share(at + timedelta(hours=2)) + drift, 0.0, 1.0)
        free = round(TRUE[lot] * (1 - share))
        if free != before and not (lot == SILENT[0] and SILENT[1] <= quarter // 96 < SILENT[2]):
            before = free
            yield at, lot, free


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    rows = [row for seed, lot in enumerate(SAID) for row in free_places(lot, seed)]
    polars.DataFrame(rows, schema=["timestamp", "place_id", "free"], orient="row").write_parquet(folder / "events")
    sizes = "".join(f"{lot},{said}\n" for lot, said in SAID.items())
    (folder / "sizes.csv").write_text("place_id,num_all\n" + sizes)
    return folder / "events", folder / "sizes.csv"


@pytest.fixture(scope="module")
def judged(published):
    return evaluate_dresden(*published, ROLLING)


def test_a_capacity_that_was_outgrown_is_named_and_a_lot_without_one_is_left_out(published, judged):
    counts, stale = read_dresden(*published)

    assert sorted(counts) == ["arcade", "square"]
    assert {lot: said.split(" → ")[0] for lot, said in stale.items()} == {"arcade": "60"}
    assert 80 <= counts["arcade"].n_bays[0] <= TRUE["arcade"]
    assert judged["stale_capacities"] == stale


def test_a_change_stands_until_the_next_one_and_a_silent_day_is_a_gap(published):
    counts, _ = read_dresden(*published)
    series = held(counts["square"], slot_s=1800, time_zone=DRESDEN_ZONE)

    first = series.index_of((FIRST + timedelta(days=SILENT[1])).timestamp())
    # Half a day after the last change nobody knows any more.
    assert np.isnan(series.share[first + 24 : first + 48]).all()
    assert not np.isnan(series.share[: first - 1]).any()
    assert not np.isnan(series.share[first + 49 :]).any()


def test_every_fold_counts_and_the_forecasts_beat_what_a_driver_would_guess(judged):
    rows = judged["horizons"]

    # No fold is long enough for a week ahead.
    assert {name: row["n_lots"] for name, row in rows.items()} == {**dict.fromkeys(rows, 2), "7 days": 0}
    assert rows["30 min"]["n"] > 2 * ROLLING.folds * 0.9 * 48 * ROLLING.days
    for name in ("30 min", "60 min", "2 h"):
        assert rows[name]["mae"] < min(rows[name]["baselines"].values())
    assert 0.8 < rows["2 h"]["interval"]["coverage"] < 0.98


def test_what_comes_after_a_fold_changes_nothing_of_it(published, tmp_path):
    events, sizes = published
    only_first = Rolling(first_day=ROLLING.first_day, folds=1, days=5, history_days=28)
    end = datetime(2026, 4, 3, 22, 0, tzinfo=UTC)
    table = polars.read_parquet(events)
    later = table.with_columns(
        polars.when(polars.col("timestamp") > end).then(3).otherwise(polars.col("free")).alias("free")
    )
    later.write_parquet(tmp_path / "events")

    known, changed = (evaluate_dresden(file, sizes, only_first) for file in (events, tmp_path / "events"))

    assert known["horizons"] == changed["horizons"]


@pytest.mark.slow
@pytest.mark.testdata
def test_dresden_is_foreseen_as_well_as_is_published_here():
    folder = testdata(f"parking_series/{DRESDEN}").parent
    found = evaluate_dresden(folder / DRESDEN, folder / "germany_meta-data.csv.gz")

    assert (found["data"]["n_lots"], len(found["stale_capacities"])) == (37, 12)
    assert found["n_lots_with_too_little_history"] == 0
    rows = found["horizons"]
    for name, most in MOST.items():
        assert rows[name]["n_lots"] == 36
        assert rows[name]["mae"] <= most
        assert rows[name]["mae"] < min(rows[name]["baselines"].values())
        assert rows[name]["interval"]["coverage"] >= 0.86
        assert rows[name]["full"]["brier"] < rows[name]["full"]["brier_of_base_rate"]
