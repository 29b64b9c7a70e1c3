"""One figure of a drone, painted the same everywhere: large, with its unit, struck through with its age once old."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from widgets.base.theme import Look, text_on
from widgets.drones.words import Shown


def paint_figure(painter: QPainter, rect: QRectF, one: Shown, made: Look, *, title: str, digits_px: int) -> None:
    """Paint title, figure, unit and age into `rect`.

    Args:
        painter: Left as it was.
        rect: Title above, figure below; as much as fits of the unit and the age.
        one: What is shown.
        made: The look of the application.
        title: Short, e.g. "Height".
        digits_px: Size of the figure's font; smaller where it would not fit.
    """
    painter.save()
    caption = made.font(made.sizes.caption)
    painter.setFont(caption)
    painter.setPen(made.color("text_secondary"))
    caption_height = QFontMetricsF(caption).height()
    head = QRectF(rect.left(), rect.top(), rect.width(), caption_height)
    painter.drawText(head, _LEFT, f"{title}  {one.age}" if one.age else title)
    font, unit_font = _fitting(one, made, rect.width(), digits_px), caption
    metrics = QFontMetricsF(font)
    line = QRectF(rect.left(), head.bottom(), rect.width(), min(metrics.height(), rect.bottom() - head.bottom()))
    painter.setFont(font)
    painter.setPen(made.color("text" if one.is_present else "text_disabled"))
    painter.drawText(line, _LEFT, one.text)
    width = metrics.horizontalAdvance(one.text)
    if one.value is not None and one.unit:
        painter.setFont(unit_font)
        painter.setPen(made.color("text_secondary" if one.is_present else "text_disabled"))
        painter.drawText(line.adjusted(width + made.sizes.gap * 0.75, metrics.height() * 0.12, 0, 0), _LEFT, one.unit)
    if one.age:
        cross_out(painter, QRectF(line.left(), line.center().y(), width, 0), made)
    painter.restore()


def paint_sending(painter: QPainter, rect: QRectF, words: str, made: Look) -> None:
    """Paint on red that a link sends: nothing else of a drone is red."""
    painter.save()
    painter.fillRect(rect, made.color("critical"))
    painter.setFont(made.font(made.sizes.small, weight=QFont.Weight.DemiBold))
    painter.setPen(QColor(text_on(made.theme.critical)))
    inner = rect.adjusted(made.sizes.gap, 0, -made.sizes.gap, 0)
    cut = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, round(inner.width()))
    painter.drawText(inner, _LEFT, cut)
    painter.restore()


def cross_out(painter: QPainter, line: QRectF, made: Look) -> None:
    """Strike through what is no longer the present."""
    painter.setPen(QPen(made.color("quality"), 2.0))
    painter.drawLine(QPointF(line.left(), line.center().y()), QPointF(line.right(), line.center().y()))


def cross_out_area(painter: QPainter, rect: QRectF, age: str, made: Look) -> None:
    """Cross out an instrument, and say on it how old it is; what it showed last can still be read."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(made.color("quality"), 2.5))
    painter.drawLine(rect.topLeft(), rect.bottomRight())
    painter.drawLine(rect.topRight(), rect.bottomLeft())
    font = made.font(made.sizes.title, weight=QFont.Weight.DemiBold)
    metrics = QFontMetricsF(font)
    text = f"{age} old"
    size = metrics.size(0, text)
    plate = QRectF(0, 0, size.width() + made.sizes.gap * 3, size.height() + made.sizes.gap)
    is_flat = rect.height() < 3 * plate.height()
    below = QPointF(rect.center().x(), rect.top() + rect.height() * 0.82)
    plate.moveCenter(QPointF(rect.left() + rect.width() * 0.82, rect.center().y()) if is_flat else below)
    plate.moveRight(min(plate.right(), rect.right()))
    painter.setPen(QPen(made.color("quality"), 1.0, Qt.PenStyle.DotLine))
    painter.setBrush(made.color("raised"))
    painter.drawRect(plate)
    painter.setFont(font)
    painter.setPen(made.color("text"))
    painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()


def _fitting(one: Shown, made: Look, width: float, digits_px: int) -> QFont:
    unit = QFontMetricsF(made.font(made.sizes.caption)).horizontalAdvance(f" {one.unit}") if one.unit else 0.0
    for size_px in range(digits_px, made.sizes.body, -1):
        font = made.font(size_px, weight=QFont.Weight.DemiBold)
        if QFontMetricsF(font).horizontalAdvance(one.text) + unit <= width:
            return font
    return made.font(made.sizes.body, weight=QFont.Weight.DemiBold)


_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine)
