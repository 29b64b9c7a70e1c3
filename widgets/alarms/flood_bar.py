"""The line above the list that says that more calls come than anybody can answer one by one."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from core.incidents.flood import Flood
from widgets.base.theme import look, set_role

_ADVICE_LINES = 2
"""Where it would need more lines beside the rate, the advice is only said on hover and to screen readers."""

_ADVICE = "Grouped by site and kind, the first of each on top. Only P1 and P2 sound. Nothing is hidden."


class FloodBar(QFrame):
    """Rate, and what is different now; there only during a flood."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "toast")
        gap = look().sizes.gap
        self._rate = QLabel(self)
        set_role(self._rate, "title")
        self._advice = QLabel(_ADVICE, self)
        self._advice.setWordWrap(True)
        for label in (self._rate, self._advice):
            label.setTextFormat(Qt.TextFormat.PlainText)
        row = QHBoxLayout(self)
        row.setContentsMargins(gap * 3, gap, gap * 3, gap)
        row.setSpacing(gap * 4)
        row.addWidget(self._rate)
        row.addWidget(self._advice, 1)
        self.setToolTip(_ADVICE)
        self.hide()

    @property
    def text(self) -> str:
        """What the operator reads; empty where there is no flood."""
        return "" if self.isHidden() else f"{self._rate.text()}. {self._advice.text()}"

    def show_flood(self, flood: Flood, since_text: str) -> None:
        """Show a flood that began at `since_text`, or nothing."""
        is_new = flood.is_on and self.isHidden()
        self._rate.setText(f"Flood: {flood.n_calls} alarms in 10 min, since {since_text}")
        self.setVisible(flood.is_on)
        self.setAccessibleName(self.text)
        if is_new:
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, self.text))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave the advice out where it would stand in a narrow column, and take its height from the list below."""
        super().resizeEvent(event)
        left_px = self.width() - self._rate.sizeHint().width() - look().sizes.gap * 10
        highest_px = self._advice.fontMetrics().lineSpacing() * _ADVICE_LINES + 2
        self._advice.setVisible(left_px > 0 and self._advice.heightForWidth(left_px) <= highest_px)
