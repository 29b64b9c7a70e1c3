"""How long vehicles stay, as one bar for each length."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.parking.figures_model import Dwell
from widgets.base.theme import look
from widgets.lots.forecast_words import dwell_names

NOTHING = "No stay was seen from its begin."


class DwellBars(QWidget):
    """Paints the shares of a `Dwell`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dwell = Dwell()
        self.setAccessibleName("How long vehicles stay")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_dwell(self, dwell: Dwell) -> None:
        """Show these stays."""
        self._dwell = dwell
        said = ", ".join(f"{name} {share:.0%}" for name, share in zip(dwell_names(), dwell.shares, strict=False))
        self.setAccessibleDescription(said or NOTHING)
        self.update()

    def sizeHint(self) -> QSize:
        """Return a line for each bar."""
        return QSize(look().sizes.body * 20, round(look().sizes.body * 1.6) * len(dwell_names()))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint names, bars, percents."""
        made = look()
        with QPainter(self) as painter:
            painter.setFont(made.font(made.sizes.caption))
            names = dwell_names()
            left = max(painter.fontMetrics().horizontalAdvance(name) for name in names) + 8
            right = painter.fontMetrics().horizontalAdvance("100%") + 8
            height = self.height() / len(names)
            most = max(self._dwell.shares, default=0.0) or 1.0
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            if not self._dwell.shares:
                painter.setPen(made.color("text_secondary"))
                painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, NOTHING)
            for row, (name, share) in enumerate(zip(names, self._dwell.shares, strict=False)):
                line = QRectF(0, row * height, self.width(), height)
                painter.setPen(made.color("text_secondary"))
                painter.drawText(line.adjusted(0, 0, -self.width() + left - 6, 0), flags, name)
                wide = (self.width() - left - right) * share / most
                painter.fillRect(QRectF(left, line.top() + 2, max(wide, 1.0), height - 4), made.color("trend"))
                painter.setPen(made.color("text"))
                words = QRectF(left + wide + 4, line.top(), right, height)
                painter.drawText(words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, f"{share:.0%}")
