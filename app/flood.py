"""Whether this desk is flooded with alarms, for everything that presents them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from PySide6.QtCore import QObject, QTimer, Signal

from app.desk_clock import DeskClock
from app.live import LiveModel
from core.incidents.flood import NO_FLOOD, Call, Flood, looked_at, told

LOOK_EVERY_MS = 1000


class FloodWatch(QObject):
    """Counts what calls at this desk.

    Signals:
        changed(object): Another `Flood`.
    """

    changed = Signal(object)

    def __init__(self, live: LiveModel, clock: DeskClock) -> None:
        """Count by the time of the node, which dates the calls: a desk's own clock may be wrong by minutes."""
        super().__init__()
        self._live = live
        self._clock = clock
        self.flood: Flood = NO_FLOOD
        live.alarms_changed.connect(self.look)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_EVERY_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def look(self) -> None:
        """Count anew, as of now."""
        self._show(looked_at(self.flood, self._live.open_alarms(), self._clock.now()))

    def _show(self, flood: Flood) -> None:
        before, self.flood = self.flood, flood
        if flood is not before:
            self.changed.emit(flood)

    def take_calls(self, calls: Iterable[tuple[Call, datetime]]) -> None:
        """Take over what the node's journal says of the last ten minutes."""
        self._show(told(self.flood, calls, self._clock.now()))

    def close(self) -> None:
        """Stop counting."""
        self._timer.stop()
