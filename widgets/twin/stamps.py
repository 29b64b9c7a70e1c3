"""Labels, plates and the compass, painted once and then stamped: a moving scene is labelled anew with every picture."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from widgets.base.symbols import AlarmMark, Attention, paint_priority
from widgets.base.theme import Look as Dress

MAX_STAMPS = 1200
RIM_PX = 3.0
TURN_STEP_DEG = 2
"""Of the compass."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Something painted, and how large it is on the screen."""

    pixmap: QPixmap
    size: QSizeF

    def at(self, middle: QPointF) -> QRectF:
        """Return where it lies around a point, on whole pixels."""
        box = QRectF(QPointF(0.0, 0.0), self.size)
        box.moveCenter(middle)
        box.moveTopLeft(QPointF(round(box.left()), round(box.top())))
        return box

    def put(self, painter: QPainter, box: QRectF) -> None:
        """Paint it there."""
        painter.drawPixmap(box.topLeft(), self.pixmap)


class Stamps:
    """Everything that was painted lately; the oldest goes first."""

    def __init__(self) -> None:
        self._made: OrderedDict[Hashable, Stamp] = OrderedDict()

    def text(self, text: str, font: QFont, dress: Dress, ratio: float) -> Stamp:
        """Return a word with a rim that is read on any ground."""

        def paint(painter: QPainter, size: QSizeF) -> None:
            metrics = QFontMetricsF(font)
            path = QPainterPath()
            path.addText(RIM_PX, size.height() / 2 + metrics.capHeight() / 2, font, text)
            painter.strokePath(
                path, QPen(dress.color("window"), RIM_PX, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
            )
            painter.fillPath(path, dress.color("text"))

        def measure() -> QSizeF:
            metrics = QFontMetricsF(font)
            return QSizeF(metrics.horizontalAdvance(text) + 2 * RIM_PX, metrics.height())

        return self.made(("text", text, font.key(), dress.theme.is_dark), ratio, measure, paint)

    def plate(self, lines: tuple[str, ...], dress: Dress, mark: AlarmMark | None, ratio: float) -> Stamp:
        """Return a title and what is below it on a plate, with the symbol of an alarm where there is one."""
        fonts = [dress.font(dress.sizes.body, weight=QFont.Weight.DemiBold), dress.font(dress.sizes.small)]
        metrics = [QFontMetricsF(fonts[min(i, 1)]) for i in range(len(lines))]
        gap = dress.sizes.gap
        symbol = dress.sizes.body + 2 * gap if mark is not None else 0

        def measure() -> QSizeF:
            width = max(m.horizontalAdvance(line) for m, line in zip(metrics, lines, strict=True)) + 4 * gap + symbol
            return QSizeF(width, sum(m.height() for m in metrics) + 2 * gap)

        def paint(painter: QPainter, size: QSizeF) -> None:
            line_color = dress.color("line_strong") if mark is None else QColor(dress.theme.priority(mark.priority))
            paint_plate(painter, QRectF(QPointF(0.0, 0.0), size), dress, line_color)
            if mark is not None:
                side = float(dress.sizes.body)
                is_hollow = mark.attention is not Attention.CALLING
                paint_priority(painter, QRectF(2 * gap, gap, side, side), mark.priority, dress, is_hollow=is_hollow)
            top = float(gap)
            for i, (line, m) in enumerate(zip(lines, metrics, strict=True)):
                painter.setFont(fonts[min(i, 1)])
                painter.setPen(dress.color("text" if i == 0 else "text_secondary"))
                painter.drawText(QPointF(2 * gap + symbol, top + m.ascent()), line)
                top += m.height()

        return self.made(("plate", lines, mark, dress.sizes.body, dress.theme.is_dark), ratio, measure, paint)

    def compass(self, azimuth_deg: float, dress: Dress, ratio: float) -> Stamp:
        """Return where north is in a picture that looks to `azimuth_deg`."""
        turned = round(azimuth_deg / TURN_STEP_DEG) * TURN_STEP_DEG % 360
        side = dress.sizes.body * 2.2

        def paint(painter: QPainter, size: QSizeF) -> None:
            _paint_compass(painter, size.width(), turned, dress)

        return self.made(("compass", turned, side, dress.theme.is_dark), ratio, lambda: QSizeF(side, side), paint)

    def made(
        self,
        key: Hashable,
        ratio: float,
        measure: Callable[[], QSizeF],
        paint: Callable[[QPainter, QSizeF], None],
    ) -> Stamp:
        """Return what was painted under a key for a screen of this pixel ratio; paint it where it was not."""
        found = self._made.get((key, ratio))
        if found is not None:
            self._made.move_to_end((key, ratio))
            return found
        size = measure()
        pixmap = QPixmap(math.ceil(size.width() * ratio), math.ceil(size.height() * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        with QPainter(pixmap) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            paint(painter, size)
        stamp = self._made[key, ratio] = Stamp(pixmap, size)
        while len(self._made) > MAX_STAMPS:
            self._made.popitem(last=False)
        return stamp


def paint_plate(painter: QPainter, box: QRectF, dress: Dress, line_color: QColor) -> None:
    """Paint an empty plate."""
    plate = dress.color("panel")
    plate.setAlpha(225)
    painter.setPen(QPen(line_color))
    painter.setBrush(plate)
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), dress.sizes.radius, dress.sizes.radius)


def _paint_compass(painter: QPainter, side: float, azimuth_deg: float, dress: Dress) -> None:
    radius, middle = side / 2 - 1.0, QPointF(side / 2, side / 2)
    turn = math.radians(-azimuth_deg)
    north = QPointF(math.sin(turn), -math.cos(turn))
    aside = QPointF(-north.y(), north.x())
    plate = dress.color("panel")
    plate.setAlpha(200)
    painter.setPen(QPen(dress.color("line_strong")))
    painter.setBrush(plate)
    painter.drawEllipse(middle, radius, radius)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(dress.color("text"))
    tip, foot = middle + north * radius * 0.82, middle + north * radius * 0.30
    painter.drawPolygon(QPolygonF([tip, foot + aside * radius * 0.26, foot - aside * radius * 0.26]))
    painter.setFont(dress.font(dress.sizes.caption, weight=QFont.Weight.DemiBold))
    painter.setPen(dress.color("text"))
    letter = middle - north * radius * 0.18
    painter.drawText(QRectF(letter.x() - 12, letter.y() - 10, 24, 20), Qt.AlignmentFlag.AlignCenter, "N")
