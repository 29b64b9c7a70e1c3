"""Drawn lots on the map: their ground, and from near each bay as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPolygonF

from core.kernel.geo import to_mercator
from core.parking.model import BayState, BayStatus, Lot
from core.parking.plans import on_ground
from widgets.base.theme import Look, look
from widgets.map.tile_grid import RectM
from widgets.map.view import MapView

LEAST_BAY_PX = 4.0
"""Bays that are narrower are not drawn one by one."""

_MARGIN_M = 1.5
Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class _Ground:
    """A lot in Web Mercator metres.

    Attributes:
        bays: Of the lowest level that one sees from above, by id.
        bay_m: Width of a bay.
    """

    lot: Lot
    outline: Ring
    bounds: RectM
    bays: dict[str, Ring]
    bay_m: float


class LotLayer:
    """Paints lots above the base map and below the markers; the map tells when."""

    def __init__(self) -> None:
        self._grounds: tuple[_Ground, ...] = ()
        self._bays: Mapping[str, Mapping[str, BayStatus]] = {}

    def set_plans(self, plans: Iterable[Lot]) -> None:
        """Show these lots."""
        self._grounds = tuple(ground for plan in plans if (ground := _ground_of(plan)) is not None)

    def set_bays(self, bays: Mapping[str, Mapping[str, BayStatus]]) -> None:
        """Show how bays stand, by lot and bay; the mapping is looked at whenever the map paints."""
        self._bays = bays

    def shows_bays(self, view: MapView) -> bool:
        """Tell whether any bay is drawn by itself."""
        return any(_meets(ground.bounds, view.rect) and _is_near(ground, view) for ground in self._grounds)

    def paint(self, painter: QPainter, view: MapView) -> None:
        """Paint every lot in view."""
        made = look()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for ground in self._grounds:
            if _meets(ground.bounds, view.rect):
                self._paint_lot(painter, view, ground, made)
        painter.restore()

    def _paint_lot(self, painter: QPainter, view: MapView, ground: _Ground, made: Look) -> None:
        plate = QColor(made.color("panel"))
        plate.setAlpha(150)
        painter.setBrush(plate)
        painter.setPen(QPen(made.color("line_strong"), 1.5))
        painter.drawPolygon(_polygon(ground.outline, view))
        if not _is_near(ground, view):
            return
        statuses = self._bays.get(ground.lot.lot_id, {})
        for bay_id, ring in ground.bays.items():
            painter.setBrush(_brush(statuses.get(bay_id), made))
            painter.setPen(QPen(made.color("line_strong"), 1.0))
            shape = _polygon(ring, view)
            painter.drawPolygon(shape)
            status = statuses.get(bay_id)
            if status is not None and status.state is BayState.CLOSED:
                painter.drawLine(shape.at(0), shape.at(2))
                painter.drawLine(shape.at(1), shape.at(3 % shape.size()))


def _is_near(ground: _Ground, view: MapView) -> bool:
    return ground.bay_m >= LEAST_BAY_PX * view.resolution_m


def _brush(status: BayStatus | None, made: Look) -> QBrush:
    """Occupied is filled, free is empty, unknown is hatched, stale is hatched crosswise."""
    if status is None or status.state is BayState.UNKNOWN:
        return QBrush(made.color("quality"), Qt.BrushStyle.BDiagPattern)
    if status.is_stale:
        return QBrush(made.color("quality"), Qt.BrushStyle.DiagCrossPattern)
    if status.state is BayState.OCCUPIED:
        return QBrush(made.color("text_secondary"))
    return QBrush(Qt.BrushStyle.NoBrush)


def _ground_of(lot: Lot) -> _Ground | None:
    origin = lot.position
    drawn = [bay for bay in lot.bays if bay.outline]
    if origin is None or not drawn:
        return None

    def ring(outline: Iterable[tuple[float, float]]) -> Ring:
        return tuple(to_mercator(on_ground(point, origin, lot.bearing_deg)) for point in outline)

    # From above one sees the highest level.
    top = max(bay.level for bay in drawn)
    bays = {bay.bay_id: ring(bay.outline) for bay in drawn if bay.level == top}
    outline = ring(_grown(_hull(np.array([point for bay in drawn for point in bay.outline], dtype=np.float64))))
    xs, ys = [x for x, _ in outline], [y for _, y in outline]
    first = next(iter(bays.values()))
    sides = [float(np.hypot(b[0] - a[0], b[1] - a[1])) for a, b in zip(first, (*first[1:], first[0]), strict=True)]
    return _Ground(lot, outline, RectM(min(xs), min(ys), max(xs), max(ys)), bays, min(sides))


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the convex hull of points, shape (n, 2), counter-clockwise.

    Source: Andrew's monotone chain (1979).
    """
    ordered = sorted(map(tuple, points.tolist()))

    def half(line: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        kept: list[tuple[float, float]] = []
        for point in line:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], point) <= 0.0:
                kept.pop()
            kept.append(point)
        return kept[:-1]

    return np.array([*half(ordered), *half(reversed(ordered))], dtype=np.float64)


def _grown(hull: NDArray[np.float64]) -> list[tuple[float, float]]:
    middle = hull.mean(axis=0)
    away = hull - middle
    length = np.hypot(away[:, 0], away[:, 1])
    return [tuple(point) for point in (middle + away * ((length + _MARGIN_M) / length)[:, None]).tolist()]


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _polygon(ring: Ring, view: MapView) -> QPolygonF:
    return QPolygonF([QPointF(*view.to_px(*point)) for point in ring])


def _meets(a: RectM, b: RectM) -> bool:
    return a.left < b.right and b.left < a.right and a.bottom < b.top and b.bottom < a.top
