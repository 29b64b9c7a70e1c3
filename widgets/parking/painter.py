"""Draws bays, lanes, drafts, the plan's grid and numbered points in window pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetrics, QPainter, QPen, QPixmap, QPolygonF

from core.parking.model import BayKind, Outline, Point
from core.parking.shapes import middle_of
from widgets.base.theme import Look
from widgets.map.view import length_text
from widgets.parking.shown import RefKind, Selected, Shape, middles
from widgets.parking.surface import PlanView, Surface
from widgets.scene.strokes import Strokes, fill

KIND_MARKS = {
    BayKind.STANDARD: "",
    BayKind.ACCESSIBLE: "ACC",
    BayKind.EV: "EV",
    BayKind.LOADING: "LOAD",
    BayKind.RESERVED: "RES",
}
_NAME_ROOM = 1.15
"""A name is written where the bay is so many times as wide."""


class BayPainter(Strokes):
    """Paints what is drawn of a lot at one place."""

    def __init__(self, made: Look) -> None:
        """Keep the colours and the font of a look for pictures."""
        super().__init__(made)
        self._font = made.font(made.sizes.caption, weight=QFont.Weight.DemiBold)
        self._metrics = QFontMetrics(self._font)
        self._kept: tuple[tuple[Shape, ...], Surface, float] | None = None
        self._layer = QPixmap()

    def paint_shapes(self, painter: QPainter, shapes: Sequence[Shape], selected: Selected, view: Surface) -> None:
        """Paint all outlines, what is selected last, with its handles.

        What is not selected is painted once and kept: while something is dragged, thousands of others stay as they are.
        """
        chosen = set(selected.refs)
        below = tuple(shape for shape in shapes if shape.ref not in chosen) if chosen else tuple(shapes)
        ratio = painter.device().devicePixelRatioF()
        if self._kept is None or self._kept != (below, view, ratio):
            self._kept = (below, view, ratio)
            self._layer = self._painted(below, view, ratio)
        painter.drawPixmap(QPointF(0, 0), self._layer)
        above = [shape for shape in shapes if shape.ref in chosen]
        self._paint_all(painter, above, view, is_selected=True)
        if len(above) == 1:
            self._paint_handles(painter, above[0], selected.corner, view)

    def _painted(self, shapes: Sequence[Shape], view: Surface, ratio: float) -> QPixmap:
        layer = QPixmap((view.size * ratio).toSize())
        layer.setDevicePixelRatio(ratio)
        layer.fill(Qt.GlobalColor.transparent)
        with QPainter(layer) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint_all(painter, shapes, view, is_selected=False)
        return layer

    def _paint_all(self, painter: QPainter, shapes: Sequence[Shape], view: Surface, *, is_selected: bool) -> None:
        window = QRectF(QPointF(0, 0), view.size).adjusted(-20, -20, 20, 20)
        transform = view.transform()
        for shape in sorted(shapes, key=lambda shape: shape.ref.kind is RefKind.BAY):
            corners = transform.map(_polygon(shape.outline))
            if corners.boundingRect().intersects(window):
                self._paint_shape(painter, shape, corners, is_selected=is_selected)

    def paint_draft(
        self, painter: QPainter, points: Outline, pointer: Point | None, view: Surface, *, can_close: bool
    ) -> None:
        """Paint the corners that are set, with a line to the pointer."""
        pixels = [view.to_px(point) for point in points]
        line = [*pixels, view.to_px(pointer)] if pointer is not None else pixels
        if len(line) > 1:
            self.paint_lines(painter, QPolygonF(line), QPen(self._strong, 1.6), is_closed=False)
        for index, at in enumerate(pixels):
            self.paint_handle(painter, at, is_strong=index == 0 and can_close)

    def paint_row(self, painter: QPainter, bays: Sequence[Outline], labels: Sequence[str], view: Surface) -> None:
        """Paint the bays of a row that is not drawn yet, with the names that they would get."""
        for index, bay in enumerate(bays):
            corners = QPolygonF([view.to_px(point) for point in bay])
            wash = QColor(self._strong)
            wash.setAlpha(40)
            fill(painter, corners, wash)
            self.paint_lines(painter, corners, QPen(self._strong, 1.4), is_closed=True)
            if index < len(labels):
                self._paint_name(painter, corners, labels[index], "", is_selected=True)

    def paint_box(self, painter: QPainter, rect: QRectF) -> None:
        """Paint the rectangle that selects."""
        painter.setPen(QPen(self._strong, 1, Qt.PenStyle.DashLine))
        wash = QColor(self._strong)
        wash.setAlpha(24)
        painter.setBrush(wash)
        painter.drawRect(rect)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def paint_points(self, painter: QPainter, points: Sequence[Point], view: Surface) -> None:
        """Paint numbered points."""
        for number, point in enumerate(points, start=1):
            at = view.to_px(point)
            for pen in (QPen(self._shadow, 4), QPen(self._strong, 1.6)):
                painter.setPen(pen)
                painter.drawLine(at - QPointF(11, 0), at + QPointF(11, 0))
                painter.drawLine(at - QPointF(0, 11), at + QPointF(0, 11))
            painter.drawEllipse(at, 5, 5)
            self.paint_plate(painter, str(number), at + QPointF(9, 7), self._strong)

    def paint_grid(self, painter: QPainter, view: PlanView) -> None:
        """Paint lines of a round distance, the axes stronger, and say the distance."""
        step, seen = view.grid_m(), view.seen()
        thin, strong = QColor(self._ink), QColor(self._ink)
        thin.setAlpha(28)
        strong.setAlpha(80)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for index in range(math.floor(seen.left() / step), math.ceil(seen.right() / step) + 1):
            painter.setPen(QPen(strong if index == 0 else thin, 1))
            painter.drawLine(view.to_px((index * step, seen.top())), view.to_px((index * step, seen.bottom())))
        for index in range(math.floor(seen.top() / step), math.ceil(seen.bottom() / step) + 1):
            painter.setPen(QPen(strong if index == 0 else thin, 1))
            painter.drawLine(view.to_px((seen.left(), index * step)), view.to_px((seen.right(), index * step)))
        painter.restore()
        self.paint_plate(painter, f"Grid {length_text(step)}", QPointF(8, view.size.height() - 28), self._plain)

    def paint_north(self, painter: QPainter, view: PlanView, bearing_deg: float) -> None:
        """Paint an arrow to the north in a corner."""
        turn = math.radians(view.turn_deg - bearing_deg)
        middle = QPointF(view.size.width() - 30, 34)
        tip = QPointF(math.sin(turn) * 16, -math.cos(turn) * 16)
        self.paint_arrow(painter, middle - tip, middle + tip, QPen(self._ink, 1.6))
        self.paint_plate(painter, "N", middle + QPointF(-34, -10), self._ink)

    def _paint_shape(self, painter: QPainter, shape: Shape, corners: QPolygonF, *, is_selected: bool) -> None:
        pen = QPen(self._strong if is_selected else self._plain, 2.0 if is_selected else 1.4)
        wash = QColor(self._strong if is_selected else self._ink)
        wash.setAlpha(46 if is_selected else 16)
        fill(painter, corners, wash)
        if shape.ref.kind is RefKind.LANE:
            hatch = QColor(pen.color())
            hatch.setAlpha(70)
            fill(painter, corners, QBrush(hatch, Qt.BrushStyle.BDiagPattern))
            pen.setDashPattern([5, 3])
        self.paint_lines(painter, corners, pen, is_closed=True)
        self._paint_name(painter, corners, shape.name, KIND_MARKS[shape.kind], is_selected=is_selected)

    def _paint_name(self, painter: QPainter, corners: QPolygonF, name: str, mark: str, *, is_selected: bool) -> None:
        metrics, room = self._metrics, corners.boundingRect()
        if metrics.height() > room.height() and not is_selected:
            return
        lines = [name, mark] if mark and room.height() > metrics.height() * 2.6 else [name]
        width = max(metrics.horizontalAdvance(line) for line in lines)
        is_tight = width * _NAME_ROOM > room.width() or metrics.height() > room.height()
        if is_tight and not is_selected:
            return
        at = QPointF(*middle_of(tuple((point.x(), point.y()) for point in corners.toList())))
        painter.setFont(self._font)
        height = metrics.height() * len(lines)
        box = QRectF(at.x() - width, at.y() - height / 2, 2 * width, height)
        flags = int(Qt.AlignmentFlag.AlignCenter)
        painter.setPen(self._shadow)
        for shift in (QPointF(1, 1), QPointF(-1, 1), QPointF(1, -1), QPointF(-1, -1)):
            painter.drawText(box.translated(shift), flags, "\n".join(lines))
        painter.setPen(self._strong if is_selected else self._ink)
        painter.drawText(box, flags, "\n".join(lines))

    def _paint_handles(self, painter: QPainter, shape: Shape, corner: int | None, view: Surface) -> None:
        for point in middles(shape.outline):
            painter.setPen(QPen(self._shadow, 1))
            painter.setBrush(QColor(255, 255, 255, 120))
            painter.drawEllipse(view.to_px(point), 3, 3)
        for index, point in enumerate(shape.outline):
            self.paint_handle(painter, view.to_px(point), is_strong=index == corner)


@lru_cache(maxsize=50_000)
def _polygon(outline: Outline) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in outline])
