"""The figure that says whether the window freezes, and what it costs to know it."""

from types import SimpleNamespace

import pytest

import app.lag
from app.lag import MEASURED_PROBE_MS, PROBE_MS, UiLag


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now_s=10.0)
    monkeypatch.setattr(app.lag, "time", SimpleNamespace(perf_counter=lambda: clock.now_s))
    return clock


@pytest.fixture
def lag(qapp):
    lag = UiLag()
    yield lag
    lag.stop()


def test_a_window_is_woken_rarely_and_often_only_while_somebody_measures(lag):
    lag.start()
    assert lag._timer.interval() == PROBE_MS
    for _ in range(2):
        lag.begin_window()
        assert lag._timer.isActive()
        assert lag._timer.interval() == MEASURED_PROBE_MS < PROBE_MS


@pytest.mark.parametrize("is_measured", [False, True])
def test_a_window_that_runs_is_probed(lag, qtbot, is_measured):
    lag.start()
    if is_measured:
        lag.begin_window()
    qtbot.waitUntil(lambda: len(lag._recent_ms) >= 3)


@pytest.mark.parametrize("is_measured", [False, True])
def test_a_probe_is_late_by_as_much_as_the_loop_stood_still(lag, clock, is_measured):
    lag.start()
    if is_measured:
        lag.begin_window()
    for late_ms in (0, 400, 0):
        clock.now_s += ((MEASURED_PROBE_MS if is_measured else PROBE_MS) + late_ms) / 1000
        lag._on_probe()
    assert lag.max_ms == pytest.approx(400.0)
    assert lag.overall_max_ms == (lag.max_ms if is_measured else 0.0)


def test_the_switch_to_measuring_is_not_taken_for_lateness(lag, clock):
    lag.start()
    clock.now_s += PROBE_MS / 2000
    lag.begin_window()
    for late_ms in (0, 30, 0):
        clock.now_s += (MEASURED_PROBE_MS + late_ms) / 1000
        lag._on_probe()
    assert lag._window_ms.tolist() == pytest.approx([0.0, 30.0, 0.0], abs=1e-6)
