"""The figure that says whether the window freezes, and what it costs to know it."""

import time
from types import SimpleNamespace

import pytest
from PySide6.QtTest import QTest

import app.lag
from app.lag import MEASURED_PROBE_MS, PROBE_MS, UiLag


def probes_within(lag, wait_ms):
    """Count probes by what they leave behind."""
    before = len(lag._recent_ms)
    QTest.qWait(wait_ms)
    return len(lag._recent_ms) - before


def test_a_window_is_woken_rarely_and_often_only_while_somebody_measures(qapp):
    lag = UiLag()
    lag.start()
    assert probes_within(lag, 1000) <= 1000 / PROBE_MS + 1
    lag.begin_window()
    assert probes_within(lag, 1000) > 2 * 1000 / PROBE_MS
    lag.begin_window()
    assert probes_within(lag, 200) > 0
    lag.stop()


def test_a_loop_that_stands_still_is_late_by_as_long_at_either_pace(qapp):
    for is_measured in (False, True):
        lag = UiLag()
        lag.start()
        if is_measured:
            lag.begin_window()
        QTest.qWait(2 * PROBE_MS + 20)
        time.sleep(0.4)
        QTest.qWait(3 * PROBE_MS)
        lag.stop()
        paused_ms = (MEASURED_PROBE_MS if is_measured else PROBE_MS) + 1
        assert 400 - paused_ms <= lag.max_ms < 1500
        assert lag.overall_max_ms == (lag.max_ms if is_measured else 0.0)


def test_the_switch_to_measuring_is_not_taken_for_lateness(qapp, monkeypatch):
    now_s = [10.0]
    monkeypatch.setattr(app.lag, "time", SimpleNamespace(perf_counter=lambda: now_s[0]))
    lag = UiLag()
    lag.start()
    now_s[0] += PROBE_MS / 2000
    lag.begin_window()
    assert lag._timer.interval() == MEASURED_PROBE_MS
    for late_ms in (0, 30, 0):
        now_s[0] += (MEASURED_PROBE_MS + late_ms) / 1000
        lag._on_probe()
    lag.stop()
    assert lag._window_ms.tolist() == pytest.approx([0.0, 30.0, 0.0], abs=1e-6)
