"""Labels that stay honest: text that is cut says so, and a time says how old it is."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QStyle, QStyleOption, QWidget

from core.kernel.clock import Clock, SystemClock
from widgets.base.times import format_age, format_instant


class ElidedLabel(QLabel):
    """One line of text that ends in "…" where it does not fit; the tool tip then holds all of it."""

    def __init__(
        self,
        text: str = "",
        parent: QWidget | None = None,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__(parent)
        self._mode = mode
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show other text."""
        super().setText(text)
        self.setAccessibleName(text)
        self._refresh_tip()

    def minimumSizeHint(self) -> QSize:
        """Return room for the ellipsis and a few letters."""
        return QSize(self.fontMetrics().horizontalAdvance("xxx…"), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Offer the whole text where it is cut."""
        super().resizeEvent(event)
        self._refresh_tip()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the text, cut to the width."""
        with QPainter(self) as painter:
            option = QStyleOption()
            option.initFrom(self)
            self.style().drawPrimitive(QStyle.PrimitiveElement.PE_Widget, option, painter, self)
            room = self.contentsRect()
            text = self.fontMetrics().elidedText(self.text(), self._mode, room.width())
            painter.setPen(self.palette().color(self.foregroundRole()))
            painter.drawText(room, int(self.alignment() | Qt.TextFlag.TextSingleLine), text)

    def _refresh_tip(self) -> None:
        is_cut = self.fontMetrics().horizontalAdvance(self.text()) > self.contentsRect().width()
        self.setToolTip(self.text() if is_cut else "")


class AgeLabel(QLabel):
    """How long ago something was, told anew every second; "--" for never."""

    def __init__(self, parent: QWidget | None = None, clock: Clock | None = None) -> None:
        super().__init__("--", parent)
        self._clock = clock or SystemClock()
        self._at: datetime | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(1000)
        self._timer.timeout.connect(self.refresh)

    def show_at(self, at: datetime | None) -> None:
        """Tell the age of an aware instant from now on; None for never."""
        self._at = at
        if at is None:
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()
        self.refresh()

    def refresh(self) -> None:
        """Tell the age as of now."""
        if self._at is None:
            self.setText("--")
            self.setToolTip("")
            return
        self.setText(format_age((self._clock.now() - self._at).total_seconds()))
        self.setToolTip(format_instant(self._at))


def hairline(parent: QWidget | None = None) -> QFrame:
    """Return a thin line between two groups."""
    line = QFrame(parent)
    line.setProperty("role", "line")
    line.setFrameShape(QFrame.Shape.NoFrame)
    return line
