"""How traffic went from half an hour before an alarm to half an hour after."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.node.model import Trend, TrendPoint
from widgets.base.theme import look
from widgets.base.times import format_clock

AROUND = timedelta(minutes=30)
GAP = timedelta(minutes=3)
"""Where nothing was measured for so long the line is broken."""


class TrendChart(QWidget):
    """A line with a mark at the alarm; digits at its ends."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._trend: Trend | None = None
        self._at: datetime | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.hide()

    @property
    def text(self) -> str:
        """What a screen reader says; empty where there is no trend."""
        return "" if self.isHidden() else self.accessibleName()

    def show_trend(self, trend: Trend | None, at: datetime) -> None:
        """Show a trend around the alarm's instant; None where nothing near by measures."""
        self._trend, self._at = trend, at
        self.setVisible(trend is not None)
        if trend is None:
            return
        before, after = self._value_at(at - AROUND), trend.points[-1].value
        self.setAccessibleName(f"{trend.title}: {before:.0f} {trend.unit} half an hour before, {after:.0f} at last")
        self.updateGeometry()
        self.update()

    def _value_at(self, at: datetime) -> float:
        assert self._trend is not None
        return min(self._trend.points, key=lambda point: abs(point.at - at)).value

    def sizeHint(self) -> QSize:
        """Return a few lines."""
        return QSize(look().sizes.body * 14, round(look().sizes.body * 6.2))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint title, line, the alarm's instant and the bounds."""
        if self._trend is None or self._at is None:
            return
        made = look()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setFont(made.font(made.sizes.caption))
            line_px = painter.fontMetrics().height()
            highest = max(point.value for point in self._trend.points) or 1.0
            painter.setPen(made.color("text_secondary"))
            head = QRectF(0, 0, self.width(), line_px)
            painter.drawText(head, int(Qt.AlignmentFlag.AlignLeft), f"{self._trend.title} [{self._trend.unit}]")
            painter.drawText(head, int(Qt.AlignmentFlag.AlignRight), f"{highest:.0f}")
            plot = QRectF(0, line_px + 2, self.width() - 1, self.height() - 2 * line_px - 6)
            painter.setPen(QPen(made.color("line"), 1))
            painter.drawLine(plot.bottomLeft(), plot.bottomRight())
            middle = plot.center().x()
            painter.setPen(QPen(made.color("text_secondary"), 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(middle, plot.top()), QPointF(middle, plot.bottom()))
            foot = QRectF(0, plot.bottom() + 2, self.width(), line_px)
            painter.setPen(made.color("text_secondary"))
            painter.drawText(foot, int(Qt.AlignmentFlag.AlignLeft), "-30 min")
            painter.drawText(foot, int(Qt.AlignmentFlag.AlignHCenter), format_clock(self._at))
            painter.drawText(foot, int(Qt.AlignmentFlag.AlignRight), "+30 min")
            painter.setPen(QPen(made.color("trend"), 1.8))
            for first, second in pairwise(self._trend.points):
                if second.at - first.at <= GAP:
                    painter.drawLine(self._place(first, plot, highest), self._place(second, plot, highest))
            if len(self._trend.points) == 1:
                painter.drawEllipse(self._place(self._trend.points[0], plot, highest), 2, 2)

    def _place(self, point: TrendPoint, plot: QRectF, highest: float) -> QPointF:
        assert self._at is not None
        share = (point.at - self._at + AROUND) / (2 * AROUND)
        return QPointF(
            plot.left() + share * plot.width(), plot.bottom() - point.value / (highest * 1.1) * plot.height()
        )
