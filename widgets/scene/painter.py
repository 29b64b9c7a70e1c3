"""Draws shapes, handles, road points and the metre grid onto the picture of the editor."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPolygonF

from core.vision.model import CountLine, Lane, Mask, MaskKind, PicturePoint
from core.vision.plane import Plane
from widgets.scene.draft import Draft, suggested_arrow
from widgets.scene.hits import Selection, middles
from widgets.scene.sketch import Shape, Sketch, n_corners, points_of
from widgets.scene.strokes import Strokes, fill
from widgets.scene.view import PictureView

_GRID_STEPS_M = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_MAX_GRID_LINES = 24
_GRID_SAMPLES = 33
_NAMES_FROM_PX = 420
"""On a smaller picture names would cover what they name."""


class ScenePainter(Strokes):
    """Paints in window pixels: lines keep their width whatever the zoom."""

    def paint_sketch(self, painter: QPainter, sketch: Sketch, selected: Selection, view: PictureView) -> None:
        """Paint all shapes, what is selected last, with its handles."""
        shapes = sorted(sketch.shapes(), key=lambda item: item[0] == selected.ref)
        for ref, shape in shapes:
            self._paint_shape(painter, shape, view, is_selected=ref == selected.ref)
        has_room = view.rect().width() >= _NAMES_FROM_PX
        for ref, shape in shapes:
            if has_room or ref == selected.ref:
                self._paint_name(painter, shape, view)
        chosen = sketch.shape(selected.ref)
        if chosen is not None:
            self._paint_handles(painter, chosen, selected.corner, view)

    def paint_road(self, painter: QPainter, sketch: Sketch, selected: int | None, view: PictureView) -> None:
        """Paint the numbered road points; one without a place on the ground is hollow."""
        for index, point in enumerate(sketch.road):
            at = view.to_px(point.picture)
            color = self._strong if index == selected else self._ink
            for pen in (QPen(self._shadow, 4), QPen(color, 1.6)):
                painter.setPen(pen)
                painter.drawLine(at - QPointF(11, 0), at + QPointF(11, 0))
                painter.drawLine(at - QPointF(0, 11), at + QPointF(0, 11))
            painter.setBrush(color if point.ground_xy_m is not None else Qt.BrushStyle.NoBrush)
            painter.drawEllipse(at, 5, 5)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            self.paint_plate(painter, str(index + 1), at + QPointF(9, 7), color)

    def paint_draft(self, painter: QPainter, draft: Draft, pointer: PicturePoint | None, view: PictureView) -> None:
        """Paint what is being drawn, with a line to the pointer."""
        pen = QPen(self._strong, 1.6)
        points = [view.to_px(point) for point in draft.points]
        if draft.outline:
            self.paint_lines(painter, QPolygonF([view.to_px(p) for p in draft.outline]), pen, is_closed=True)
            start, end = suggested_arrow(draft.outline)
            if not draft.points:
                painter.setOpacity(0.6)
                self.paint_arrow(painter, view.to_px(start), view.to_px(end), pen)
                painter.setOpacity(1.0)
        if pointer is not None and points:
            self.paint_lines(painter, QPolygonF([*points, view.to_px(pointer)]), pen, is_closed=False)
        elif len(points) > 1:
            self.paint_lines(painter, QPolygonF(points), pen, is_closed=False)
        for index, at in enumerate(points):
            self.paint_handle(painter, at, is_strong=index == 0 and draft.can_close)

    def paint_grid(self, painter: QPainter, plane: Plane, sketch: Sketch, view: PictureView) -> None:
        """Paint a grid of metres on the road around its points: it has to lie flat between them."""
        ground = np.array([point.ground_xy_m for point in sketch.road if point.ground_xy_m is not None])
        low, high = ground.min(axis=0), ground.max(axis=0)
        reach = (high - low).max() * 0.35
        low, high = low - reach, high + reach
        step = next((s for s in _GRID_STEPS_M if (high - low).max() / s <= _MAX_GRID_LINES), _GRID_STEPS_M[-1])
        painter.save()
        painter.setClipRect(view.rect())
        for axis in (0, 1):
            for metres in np.arange(math.ceil(low[axis] / step) * step, high[axis] + 1e-9, step):
                along = np.linspace(low[1 - axis], high[1 - axis], _GRID_SAMPLES)
                line = np.empty((_GRID_SAMPLES, 2))
                line[:, axis], line[:, 1 - axis] = metres, along
                self._paint_grid_line(painter, plane.picture_of(line), view)
        painter.restore()
        at = view.rect().intersected(QRectF(QPointF(0, 0), view.size)).bottomLeft()
        self.paint_plate(painter, f"Grid {step:g} m", at + QPointF(8, -26), self._plain)

    def _paint_grid_line(self, painter: QPainter, seen: np.ndarray, view: PictureView) -> None:
        # Far outside of the picture numbers grow without end, and Qt counts in 32 bits.
        is_seen = np.isfinite(seen).all(axis=1) & (np.abs(seen) < 20.0).all(axis=1)
        parts = [
            QLineF(view.to_px((a[0], a[1])), view.to_px((b[0], b[1])))
            for a, b, first, second in zip(
                seen[:-1].tolist(), seen[1:].tolist(), is_seen[:-1].tolist(), is_seen[1:].tolist(), strict=True
            )
            if first and second
        ]
        color = QColor(self._strong)
        color.setAlpha(150)
        painter.setPen(QPen(color, 1))
        painter.drawLines(parts)

    def _paint_shape(self, painter: QPainter, shape: Shape, view: PictureView, *, is_selected: bool) -> None:
        pen = QPen(self._strong if is_selected else self._plain, 2.0 if is_selected else 1.4)
        corners = QPolygonF([view.to_px(point) for point in points_of(shape)[: n_corners(shape)]])
        if isinstance(shape, Mask):
            self._fill_mask(painter, corners, shape.kind)
        elif is_selected and corners.size():
            wash = QColor(self._strong)
            wash.setAlpha(36)
            fill(painter, corners, wash)
        if isinstance(shape, Lane):
            pen.setDashPattern([5, 3])
        if corners.size():
            self.paint_lines(painter, corners, pen, is_closed=True)
        pen.setStyle(Qt.PenStyle.SolidLine)
        if isinstance(shape, Lane):
            self.paint_arrow(painter, view.to_px(shape.start), view.to_px(shape.end), pen)
        if isinstance(shape, CountLine):
            self._paint_count_line(painter, shape, pen, view, is_selected=is_selected)

    def _fill_mask(self, painter: QPainter, corners: QPolygonF, kind: MaskKind) -> None:
        if kind is MaskKind.PRIVACY:
            fill(painter, corners, QColor(0, 0, 0, 215))
            return
        fill(painter, corners, QColor(0, 0, 0, 60))
        fill(painter, corners, QBrush(QColor(255, 255, 255, 110), Qt.BrushStyle.BDiagPattern))

    def _paint_count_line(
        self, painter: QPainter, line: CountLine, pen: QPen, view: PictureView, *, is_selected: bool
    ) -> None:
        drawn = QLineF(view.to_px(line.start), view.to_px(line.end))
        self.paint_lines(painter, QPolygonF([drawn.p1(), drawn.p2()]), pen, is_closed=False)
        middle, along = drawn.pointAt(0.5), drawn.unitVector()
        # Forward leads from the left of the line to its right as seen from start to end, y down: (-dy, dx).
        across = QPointF(-along.dy(), along.dx())
        self.paint_arrow(painter, middle - across * 12, middle + across * 26, pen)
        if is_selected:
            self.paint_plate(painter, line.forward_name, middle + across * 34, pen.color())

    def _paint_handles(self, painter: QPainter, shape: Shape, corner: int | None, view: PictureView) -> None:
        for point in middles(shape):
            at = view.to_px(point)
            painter.setPen(QPen(self._shadow, 1))
            painter.setBrush(QColor(255, 255, 255, 120))
            painter.drawEllipse(at, 3, 3)
        for index, point in enumerate(points_of(shape)):
            self.paint_handle(painter, view.to_px(point), is_strong=index == corner)

    def _paint_name(self, painter: QPainter, shape: Shape, view: PictureView) -> None:
        points: Sequence[PicturePoint] = points_of(shape)
        if n_corners(shape):
            lowest = max(points[: n_corners(shape)], key=lambda point: point[1])
            at = view.to_px(lowest) + QPointF(6, -24)
        else:
            at = view.to_px(points[0]) + QPointF(6, 6)
        self.paint_plate(painter, shape.name, at, self._plain)
