"""What is done again and again only while somebody can see it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QWidget


class WhileSeen(QTimer):
    """Does something when its widget is shown, and from then on in steps, until it is hidden."""

    def __init__(self, widget: QWidget, interval_ms: int, act: Callable[[], None], at_show: Callable[[], None]) -> None:
        super().__init__(widget)
        self._at_show = at_show
        self.setInterval(interval_ms)
        self.timeout.connect(act)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Begin with the widget, and end with it."""
        if watched is self.parent():
            if event.type() == QEvent.Type.Show:
                self._at_show()
                self.start()
            elif event.type() == QEvent.Type.Hide:
                self.stop()
        return False
