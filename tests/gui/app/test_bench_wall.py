"""What the bench of the wall counts."""

import time

import pytest
from PySide6.QtCore import QTimer

from app.bench_wall import measured


def test_a_rate_is_of_the_time_that_was_measured_not_of_the_time_that_was_asked_for(qapp):
    # A busy slot ends the stretch late, as Qt itself may.
    busy = QTimer()
    busy.setSingleShot(True)
    busy.timeout.connect(lambda: _wait_until(time.monotonic() + 0.05))
    busy.start(40)

    _, per_s = measured(0.05, count=lambda: round(time.monotonic() * 1e6), settle_s=0.0)

    assert per_s == pytest.approx(1e6, rel=0.01)


def _wait_until(end_s):
    while time.monotonic() < end_s:
        pass
