"""How full a lot usually is, by weekday and hour; the arrow keys move from hour to hour. Hatched is not known."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.parking.figures_model import LotFigures
from widgets.base.state_overlay import paint_hatching
from widgets.base.theme import Look, look
from widgets.lots.forecast_words import WEEKDAYS, cell_of

_HOURS_SHOWN = (0, 6, 12, 18)


class HeatMap(QWidget):
    """Paints seven rows of twenty-four hours.

    Signals:
        cell_pointed(str): What is known of the hour under the pointer or the cursor.
    """

    cell_pointed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._figures: LotFigures | None = None
        self._at = (0, 12)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Occupied by weekday and hour")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_figures(self, figures: LotFigures) -> None:
        """Show the hours of these figures."""
        self._figures = figures
        self._point_at(*self._at)

    def sizeHint(self) -> QSize:
        """Return room for eight lines."""
        body = look().sizes.body
        return QSize(body * 24, round(body * 1.75) * 8)

    def minimumSizeHint(self) -> QSize:
        """Return what a narrow dock gives."""
        return QSize(look().sizes.body * 16, self.sizeHint().height())

    def _point_at(self, weekday: int, hour: int) -> None:
        self._at = (min(max(weekday, 0), 6), min(max(hour, 0), 23))
        said = "" if self._figures is None else cell_of(self._figures, *self._at)
        self.setAccessibleDescription(said)
        self.cell_pointed.emit(said)
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        """Take the new look."""
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
        super().changeEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell the hour under the pointer."""
        plot = self._plot()
        if plot.contains(event.position()):
            self._point_at(
                int((event.position().y() - plot.top()) / plot.height() * 7),
                int((event.position().x() - plot.left()) / plot.width() * 24),
            )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move from hour to hour and from day to day."""
        weekday, hour = self._at
        steps = {
            Qt.Key.Key_Left: (weekday, hour - 1),
            Qt.Key.Key_Right: (weekday, hour + 1),
            Qt.Key.Key_Up: (weekday - 1, hour),
            Qt.Key.Key_Down: (weekday + 1, hour),
        }
        wanted = steps.get(Qt.Key(event.key()))
        if wanted is None:
            super().keyPressEvent(event)
            return
        self._point_at(*wanted)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the cells, the fuller the stronger."""
        made, plot = look(), self._plot()
        with QPainter(self) as painter:
            painter.setFont(made.font(made.sizes.caption))
            self._paint_axes(painter, plot, made)
            if self._figures is not None:
                for weekday in range(7):
                    for hour in range(24):
                        self._paint_cell(
                            painter, self._cell(plot, weekday, hour), self._figures.heat[weekday][hour], made
                        )
                if self.hasFocus() or self.underMouse():
                    painter.setPen(QPen(made.color("focus"), 2))
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.drawRect(self._cell(plot, *self._at))

    def _plot(self) -> QRectF:
        metrics = self.fontMetrics()
        return QRectF(self.rect()).adjusted(metrics.horizontalAdvance("Wed") + 8, metrics.height() + 2, -2, -2)

    def _cell(self, plot: QRectF, weekday: int, hour: int) -> QRectF:
        width, height = plot.width() / 24, plot.height() / 7
        return QRectF(plot.left() + hour * width, plot.top() + weekday * height, width - 1, height - 1)

    def _paint_axes(self, painter: QPainter, plot: QRectF, made: Look) -> None:
        painter.setPen(made.color("text_secondary"))
        for weekday, name in enumerate(WEEKDAYS):
            row = self._cell(plot, weekday, 0)
            words = QRectF(0, row.top(), plot.left() - 6, row.height())
            painter.drawText(words, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, name[:3])
        for hour in _HOURS_SHOWN:
            left = self._cell(plot, 0, hour).left()
            painter.drawText(QRectF(left, 0, 60, plot.top()), Qt.AlignmentFlag.AlignLeft, f"{hour:02d}:00")

    def _paint_cell(self, painter: QPainter, cell: QRectF, share: float | None, made: Look) -> None:
        if share is None:
            paint_hatching(painter, cell, made.color("line_strong"))
            return
        painter.fillRect(cell, _between(made.color("raised"), made.color("trend"), share))
        words = f"{100 * share:.0f}"
        if painter.fontMetrics().horizontalAdvance("100") <= cell.width() - 2:
            painter.setPen(made.color("window" if share > 0.5 else "text"))
            painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, words)


def _between(low: QColor, high: QColor, part: float) -> QColor:
    part = min(max(part, 0.0), 1.0)
    red, green, blue = (
        round(a + (b - a) * part)
        for a, b in ((low.red(), high.red()), (low.green(), high.green()), (low.blue(), high.blue()))
    )
    return QColor(red, green, blue)
