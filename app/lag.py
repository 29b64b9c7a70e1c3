"""How late the window's event loop is: the figure that says whether it freezes."""

from __future__ import annotations

import logging
import math
import time
from array import array
from collections import deque
from collections.abc import Iterable

from PySide6.QtCore import QObject, Qt, QTimer

log = logging.getLogger(__name__)

PROBE_MS = 100
"""Each probe wakes a window that may have nothing to do: fifty a second took nearly one percent of a core."""

MEASURED_PROBE_MS = 20
WINDOW = 300
"""Probes kept for the health panel: 30 s of them, and 6 s where somebody measures."""

LOGGED_FROM_MS = 250.0


class UiLag(QObject):
    """Probes the loop ten times a second, and fifty times while somebody measures."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._recent_ms: deque[float] = deque(maxlen=WINDOW)
        self._window_ms: array[float] | None = None
        self._due_s = 0.0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(PROBE_MS)
        self._timer.timeout.connect(self._on_probe)

    def start(self) -> None:
        """Begin to probe."""
        self._due_s = time.perf_counter() + self._timer.interval() / 1000.0
        self._timer.start()

    def stop(self) -> None:
        """End probing."""
        self._timer.stop()

    def begin_window(self) -> None:
        """Keep every probe from here on, for `overall_p99_ms`; what was kept before is forgotten."""
        self._window_ms = array("d")
        if self._timer.interval() != MEASURED_PROBE_MS:
            # This begins to count anew, where it runs.
            self._timer.setInterval(MEASURED_PROBE_MS)
            self._due_s = time.perf_counter() + self._timer.interval() / 1000.0

    @property
    def p99_ms(self) -> float:
        """99th percentile of the last 30 s [ms]."""
        return nearest_rank(self._recent_ms, 0.99)

    @property
    def max_ms(self) -> float:
        """Largest of the last 30 s [ms]."""
        return max(self._recent_ms, default=0.0)

    @property
    def overall_p99_ms(self) -> float:
        """99th percentile since `begin_window` [ms]; 0.0 without one."""
        return nearest_rank(self._window_ms or (), 0.99)

    @property
    def overall_max_ms(self) -> float:
        """Largest since `begin_window` [ms]; 0.0 without one."""
        return max(self._window_ms or (), default=0.0)

    def _on_probe(self) -> None:
        now_s = time.perf_counter()
        lag_ms = max(0.0, (now_s - self._due_s) * 1000.0)
        self._due_s = now_s + self._timer.interval() / 1000.0
        self._recent_ms.append(lag_ms)
        # A console runs for weeks and nobody asks: only a measurement pays for its probes.
        if self._window_ms is not None:
            self._window_ms.append(lag_ms)
        if lag_ms > LOGGED_FROM_MS:
            log.warning("the window was busy for %.0f ms", lag_ms)


def nearest_rank(values: Iterable[float], share: float) -> float:
    """Return the nearest-rank percentile; 0.0 for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
