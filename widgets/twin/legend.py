"""The legend of states: how each bay looks in the scene, and what that means."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetricsF, QPainter, QPen

from widgets.base.theme import Look as Dress
from widgets.twin.model import Palette, Rgb
from widgets.twin.stamps import paint_plate

STATES = ("Free", "Occupied", "Unknown", "Stale", "Closed", "Corrected")


def states_size(dress: Dress) -> QSizeF:
    """Return how much room the legend takes."""
    gap, metrics = dress.sizes.gap, QFontMetricsF(dress.font(dress.sizes.small))
    words = sum(metrics.horizontalAdvance(word) for word in STATES)
    return QSizeF(words + len(STATES) * (_swatch_px(dress) + 4 * gap) + 2 * gap, metrics.height() + 3 * gap)


def paint_states(painter: QPainter, size: QSizeF, palette: Palette, dress: Dress) -> None:
    """Paint a swatch and a word for every state, one beside the other."""
    gap, side = dress.sizes.gap, _swatch_px(dress)
    paint_plate(painter, QRectF(QPointF(0.0, 0.0), size), dress, dress.color("line_strong"))
    font = dress.font(dress.sizes.small)
    metrics = QFontMetricsF(font)
    x = 2.0 * gap
    for word in STATES:
        box = QRectF(round(x), round((size.height() - side * 1.3) / 2), side, round(side * 1.3))
        _paint_swatch(painter, box, word, palette)
        painter.setFont(font)
        painter.setPen(dress.color("text"))
        words = QRectF(box.right() + gap, 0.0, metrics.horizontalAdvance(word) + 2, size.height())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, word)
        x += side + metrics.horizontalAdvance(word) + 4 * gap


def _swatch_px(dress: Dress) -> float:
    return float(round(dress.sizes.small * 0.9))


def _paint_swatch(painter: QPainter, box: QRectF, word: str, palette: Palette) -> None:
    """Paint one bay as the scene shows it."""
    grounds = {
        "Free": palette.floor_free,
        "Unknown": palette.floor_unknown,
        "Stale": palette.floor_stale,
        "Closed": palette.floor_closed,
        "Corrected": palette.floor_free,
    }
    painter.setPen(QPen(_color(palette.paint), 1.0))
    painter.setBrush(_color(grounds.get(word, palette.floor_occupied)))
    painter.drawRect(box)
    inner = box.adjusted(2.5, 2.5, -2.5, -2.5)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    match word:
        case "Occupied":
            painter.fillRect(box.adjusted(3, 2.5, -3, -2.5), _color(palette.car))
        case "Unknown":
            painter.fillRect(inner, QBrush(_color(palette.quality), Qt.BrushStyle.BDiagPattern))
        case "Stale":
            painter.setPen(QPen(_color(palette.quality), 1.4, Qt.PenStyle.DotLine))
            painter.drawRect(inner)
        case "Closed":
            painter.setPen(QPen(_color(palette.cross), 1.6))
            painter.drawLine(inner.topLeft(), inner.bottomRight())
            painter.drawLine(inner.bottomLeft(), inner.topRight())
        case "Corrected":
            painter.setPen(QPen(_color(palette.corrected), 1.6))
            painter.drawRect(inner)


def _color(color: Rgb) -> QColor:
    return QColor(*color)
