"""What the bench of the wall counts."""

from types import SimpleNamespace

import pytest
from PySide6.QtCore import QTimer

from app import bench_wall
from app.bench_wall import measured


def test_a_rate_is_of_the_time_that_was_measured_not_of_the_time_that_was_asked_for(qapp, monkeypatch):
    now_s = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now_s[0], process_time=lambda: 0.5 * now_s[0])
    monkeypatch.setattr(bench_wall, "time", clock)

    def count() -> int:
        if not now_s[0]:
            # A busy slot ends the stretch late, as Qt itself may.
            QTimer.singleShot(1, lambda: now_s.append(now_s.pop() + 0.09))
        return round(now_s[0] * 1e6)

    cost, per_s = measured(0.05, count=count, settle_s=0.0, lag_s=0.0)

    assert per_s == pytest.approx(1e6)
    assert cost.core_percent == pytest.approx(50.0)
