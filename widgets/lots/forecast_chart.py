"""Free bays from yesterday into the days ahead: what was, what is expected, how sure that is, and the baselines.

Left and Right move from point to point; the line below says its figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.parking.forecast.model import ForecastPoint, LotForecast
from widgets.base.theme import Look, look
from widgets.lots.forecast_words import moment_of

LEGEND = "Line: expected, and what was. Band: {asked:.0%}. Dashes: last value. Dots: last week."
_RIGHT_PX = 8

Past = Sequence[tuple[datetime, float | None]]
"""Instants and free bays; None where nobody knew."""


class ForecastChart(QWidget):
    """Paints a forecast.

    Signals:
        point_pointed(str): The point under the pointer or the cursor, in words.
    """

    point_pointed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._forecast: LotForecast | None = None
        self._past: Past = ()
        self._at = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Forecast of free bays")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_forecast(self, forecast: LotForecast, past: Past) -> None:
        """Show what was and what is expected."""
        self._forecast, self._past = forecast, past
        self._point_at(min(max(self._at, 0), len(forecast.points) - 1))

    def sizeHint(self) -> QSize:
        """Return room for a chart."""
        return QSize(look().sizes.body * 30, look().sizes.body * 14)

    def minimumSizeHint(self) -> QSize:
        """Return what a narrow dock gives."""
        return QSize(look().sizes.body * 16, look().sizes.body * 12)

    def _point_at(self, at: int) -> None:
        self._at = at
        said = ""
        if self._forecast is not None and 0 <= at < len(self._forecast.points):
            said = moment_of(self._forecast, self._forecast.points[at])
        self.setAccessibleDescription(said)
        self.point_pointed.emit(said)
        self.update()

    def changeEvent(self, event: QEvent) -> None:
        """Take the new look."""
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
        super().changeEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move from point to point."""
        n_points = len(self._forecast.points) if self._forecast is not None else 0
        steps = {Qt.Key.Key_Left: self._at - 1, Qt.Key.Key_Right: self._at + 1, Qt.Key.Key_Home: 0}
        steps[Qt.Key.Key_End] = n_points - 1
        wanted = steps.get(Qt.Key(event.key()))
        if wanted is None or not n_points:
            super().keyPressEvent(event)
            return
        self._point_at(min(max(wanted, 0), n_points - 1))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell the point under the pointer."""
        plot, forecast = self._plot(), self._forecast
        if forecast is None or not forecast.points:
            return
        x_of = self._across(plot, forecast)
        x = event.position().x()
        self._point_at(min(range(len(forecast.points)), key=lambda at: abs(x_of(forecast.points[at].at) - x)))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint days, band, baselines, lines, and where now is."""
        made, plot = look(), self._plot()
        with QPainter(self) as painter:
            painter.setFont(made.font(made.sizes.caption))
            forecast = self._forecast
            if forecast is None or not forecast.points:
                return
            x_of, top = self._across(plot, forecast), max(forecast.n_bays, 1)

            def y_of(n_free: float) -> float:
                return plot.bottom() - min(max(n_free, 0.0), top) / top * plot.height()

            self._paint_axes(painter, plot, forecast, x_of, made)
            painter.save()
            painter.setClipRect(plot)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint_band(painter, forecast.points, x_of, y_of, made)
            _paint_line(
                painter, [(x_of(p.at), p.last_value) for p in forecast.points], y_of, _pen(made, Qt.PenStyle.DashLine)
            )
            _paint_line(
                painter, [(x_of(p.at), p.last_week) for p in forecast.points], y_of, _pen(made, Qt.PenStyle.DotLine)
            )
            _paint_line(painter, [(x_of(at), n_free) for at, n_free in self._past], y_of, QPen(made.color("text"), 1.5))
            expected = [(x_of(point.at), point.n_free) for point in forecast.points]
            _paint_line(painter, expected, y_of, QPen(made.color("trend"), 2.0))
            now = x_of(forecast.made_at)
            painter.setPen(QPen(made.color("text_secondary"), 1))
            painter.drawLine(QPointF(now, plot.top()), QPointF(now, plot.bottom()))
            self._paint_cursor(painter, plot, expected, y_of, made.color("focus"))
            painter.restore()

    def _plot(self) -> QRectF:
        metrics = self.fontMetrics()
        left = metrics.horizontalAdvance("0000") + 8
        return QRectF(self.rect()).adjusted(left, 4, -_RIGHT_PX, -metrics.height() - 4)

    def _across(self, plot: QRectF, forecast: LotForecast) -> Callable[[datetime], float]:
        first = min([forecast.made_at, *(at for at, _ in self._past[:1])])
        whole_s = max((forecast.points[-1].at - first).total_seconds(), 1.0)
        return lambda at: plot.left() + (at - first).total_seconds() / whole_s * plot.width()

    def _paint_axes(
        self, painter: QPainter, plot: QRectF, forecast: LotForecast, x_of: Callable[[datetime], float], made: Look
    ) -> None:
        painter.setPen(made.color("text_secondary"))
        labels = QRectF(0, plot.top(), plot.left() - 6, plot.height())
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(labels, right | Qt.AlignmentFlag.AlignTop, f"{forecast.n_bays}")
        painter.drawText(labels, right | Qt.AlignmentFlag.AlignVCenter, f"{forecast.n_bays // 2}")
        painter.drawText(labels, right | Qt.AlignmentFlag.AlignBottom, "0")
        painter.setPen(QPen(made.color("line"), 1))
        painter.drawRect(plot)
        for at, words in self._marks(forecast):
            x = x_of(at)
            painter.setPen(QPen(made.color("line"), 1))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
            painter.setPen(made.color("text_secondary"))
            place = QRectF(x - 50, plot.bottom() + 2, 100, painter.fontMetrics().height())
            if place.left() > 0 and place.right() < self.width():
                painter.drawText(place, Qt.AlignmentFlag.AlignHCenter, words)

    def _marks(self, forecast: LotForecast) -> list[tuple[datetime, str]]:
        """Return where to write a time: every day, or every six hours of two days."""
        zone = ZoneInfo(forecast.time_zone)
        first = min([forecast.made_at, *(at for at, _ in self._past[:1])]).astimezone(zone)
        last = forecast.points[-1].at
        is_long = last - first > timedelta(days=3)
        step = timedelta(hours=24 if is_long else 6)
        at = first.replace(hour=0, minute=0, second=0, microsecond=0)
        found = []
        while at <= last:
            if at > first:
                found.append((at, f"{at:%a %d}" if is_long or at.hour == 0 else f"{at:%H:%M}"))
            at += step
        return found

    def _paint_band(
        self,
        painter: QPainter,
        points: Sequence[ForecastPoint],
        x_of: Callable[[datetime], float],
        y_of: Callable[[float], float],
        made: Look,
    ) -> None:
        above = [QPointF(x_of(point.at), y_of(point.high)) for point in points]
        below = [QPointF(x_of(point.at), y_of(point.low)) for point in points]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(made.color("trend_band"))
        painter.drawPolygon(QPolygonF([*above, *below[::-1]]))

    def _paint_cursor(
        self,
        painter: QPainter,
        plot: QRectF,
        expected: Sequence[tuple[float, float]],
        y_of: Callable[[float], float],
        color: QColor,
    ) -> None:
        if not 0 <= self._at < len(expected):
            return
        x, n_free = expected[self._at]
        painter.setPen(QPen(color, 1))
        painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
        painter.setBrush(color)
        painter.drawEllipse(QPointF(x, y_of(n_free)), 3, 3)


def _pen(made: Look, style: Qt.PenStyle) -> QPen:
    return QPen(made.color("text_secondary"), 1.2, style)


def _paint_line(
    painter: QPainter, points: Sequence[tuple[float, float | None]], y_of: Callable[[float], float], pen: QPen
) -> None:
    """Paint a line that breaks where nothing is known."""
    painter.setPen(pen)
    piece: list[QPointF] = []
    for x, value in (*points, (0.0, None)):
        if value is not None:
            piece.append(QPointF(x, y_of(value)))
            continue
        if len(piece) > 1:
            painter.drawPolyline(QPolygonF(piece))
        piece = []
