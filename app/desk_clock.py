"""How far this desk's own clock is off the node's, which dates everything that is shown."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from PySide6.QtCore import QObject, Signal

from app.live import LiveModel
from core.kernel.clock import Clock, SystemClock
from core.node.model import Health

OFF_FROM, RIGHT_BELOW = timedelta(seconds=5), timedelta(seconds=4)
"""Apart, or a clock that is just so far off would be said again and again."""

N_SAMPLES = 5
N_ENOUGH = 3
"""A window that was busy reads the node's word late, and would take that for a clock that is fast."""


class DeskClock(QObject):
    """A `Clock` that compares the desk's with the node's whenever the node says how it is.

    Signals:
        changed(): The clock is off, by another amount of seconds, or right again.
    """

    changed = Signal()

    def __init__(self, live: LiveModel, clock: Clock | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._live = live
        self._clock = clock or SystemClock()
        self._health: Health | None = None
        self._samples: deque[timedelta] = deque(maxlen=N_SAMPLES)
        self._is_off = False
        self._told_s = 0
        live.health_changed.connect(self._on_health)

    @property
    def off_s(self) -> int:
        """How far the desk's clock is ahead of the node's [s], below zero where it is behind; 0 while it is right."""
        return round(self._ahead().total_seconds()) if len(self._samples) >= N_ENOUGH else 0

    def now(self) -> datetime:
        """Return the time of the node; this desk's own while that is right."""
        now, health = self._clock.now(), self._live.health
        if health is not None and health is not self._health:
            self._health = health
            self._samples.append(now - health.at)
            self._is_off = abs(min(self._samples)) >= (RIGHT_BELOW if self._is_off else OFF_FROM)
        return now - self._ahead()

    def monotonic(self) -> float:
        """Return seconds that never step back."""
        return self._clock.monotonic()

    def _ahead(self) -> timedelta:
        # The way here only adds: the least of several is nearest to the truth.
        return min(self._samples) if self._is_off else timedelta()

    def _on_health(self) -> None:
        self.now()
        if self.off_s != self._told_s:
            self._told_s = self.off_s
            self.changed.emit()


def words_of(off_s: int) -> str:
    """Say how wrong a clock is."""
    seconds = abs(off_s)
    span = f"{seconds} s" if seconds < 120 else f"{seconds // 60:,} min"
    return f"{span} {'fast' if off_s > 0 else 'slow'}"
