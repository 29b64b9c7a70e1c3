"""Strokes of what is drawn over a picture: in window pixels, so that lines keep their width whatever the zoom."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetrics, QPainter, QPen, QPolygonF

from widgets.base.theme import Look

_HANDLE_PX = 4.5


class Strokes:
    """Outlines, arrows, handles and plates in the colours of a look."""

    def __init__(self, made: Look) -> None:
        """Keep the colours of a look for pictures."""
        self._look = made
        self._plain = made.color("zone")
        self._strong = made.color("focus")
        self._ink = made.color("on_picture")
        self._shadow = QColor(0, 0, 0, 150)

    def paint_lines(self, painter: QPainter, points: QPolygonF, pen: QPen, *, is_closed: bool) -> None:
        """Paint an outline or a line, with a shadow that keeps it apart from any picture."""
        painter.setBrush(Qt.BrushStyle.NoBrush)
        draw = painter.drawPolygon if is_closed else painter.drawPolyline
        painter.setPen(QPen(self._shadow, pen.widthF() + 2.4))
        draw(points)
        painter.setPen(pen)
        draw(points)

    def paint_handle(self, painter: QPainter, at: QPointF, *, is_strong: bool) -> None:
        """Paint a square that can be dragged."""
        side = _HANDLE_PX + (2 if is_strong else 0)
        painter.setPen(QPen(self._look.color("picture"), 1))
        painter.setBrush(self._strong if is_strong else self._ink)
        painter.drawRect(QRectF(at.x() - side, at.y() - side, 2 * side, 2 * side))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def paint_plate(self, painter: QPainter, text: str, at: QPointF, color: QColor) -> None:
        """Write on a dark plate that stays in the window."""
        font = self._look.font(self._look.sizes.caption, weight=QFont.Weight.DemiBold)
        metrics = QFontMetrics(font)
        width, height = metrics.horizontalAdvance(text) + 10, metrics.height() + 2
        window = painter.window()
        left = min(max(2.0, at.x()), max(2.0, window.width() - width - 2.0))
        top = min(max(2.0, at.y()), max(2.0, window.height() - height - 2.0))
        plate = QRectF(round(left), round(top), width, height)
        painter.fillRect(plate, QColor(11, 14, 17, 200))
        painter.fillRect(QRectF(plate.left(), plate.top(), 2, height), color)
        painter.setFont(font)
        painter.setPen(self._ink)
        painter.drawText(plate.adjusted(6, 0, 0, 0), int(Qt.AlignmentFlag.AlignVCenter), text)

    def paint_arrow(self, painter: QPainter, start: QPointF, end: QPointF, pen: QPen) -> None:
        """Paint an arrow."""
        shaft = QLineF(start, end)
        if shaft.length() < 1:
            return
        back = QLineF(end, start).unitVector()
        barb = QPointF(back.dx(), back.dy()) * 9
        side = QPointF(-back.dy(), back.dx()) * 5
        lines = [shaft, QLineF(end, end + barb + side), QLineF(end, end + barb - side)]
        for one in (QPen(self._shadow, pen.widthF() + 2.4), QPen(pen.color(), pen.widthF())):
            painter.setPen(one)
            painter.drawLines(lines)

    def paint_aim(self, painter: QPainter, at: QPointF) -> None:
        """Paint the cross that the arrow keys move."""
        for pen in (QPen(self._shadow, 3), QPen(self._strong, 1)):
            painter.setPen(pen)
            painter.drawLine(at - QPointF(16, 0), at + QPointF(16, 0))
            painter.drawLine(at - QPointF(0, 16), at + QPointF(0, 16))


def fill(painter: QPainter, corners: QPolygonF, brush: QBrush | QColor) -> None:
    """Fill an outline."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(brush)
    painter.drawPolygon(corners)
    painter.setBrush(Qt.BrushStyle.NoBrush)
