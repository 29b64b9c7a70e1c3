"""What lies under the pointer, and to what a point snaps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, Qt
from PySide6.QtGui import QPolygonF

from core.vision.model import PicturePoint
from widgets.scene.sketch import Shape, ShapeRef, Sketch, n_corners, points_of
from widgets.scene.view import PictureView

POINT_PX = 9.0
EDGE_PX = 6.0
SNAP_PX = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the operator works on: a shape and perhaps one of its points, or one road point."""

    ref: ShapeRef | None = None
    corner: int | None = None
    road: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What is under the pointer.

    Attributes:
        new_corner_after: The pointer is on the handle in the middle of a side: a corner can be added behind this one.
    """

    selection: Selection
    new_corner_after: int | None = None


def hit_at(sketch: Sketch, selected: Selection, view: PictureView, at: QPointF) -> Hit | None:
    """Return what a press would take hold of: what is selected comes first, then points, sides, and what lies around.

    Of shapes around the pointer the smallest is meant: it could not be reached otherwise.
    """
    shape = sketch.shape(selected.ref)
    if shape is not None and selected.ref is not None:
        corner = _near(points_of(shape), view, at)
        if corner is not None:
            return Hit(selection=Selection(ref=selected.ref, corner=corner))
    road = road_at(sketch, view, at)
    if road is not None:
        return Hit(selection=Selection(road=road))
    if shape is not None and selected.ref is not None:
        side = _near(middles(shape), view, at)
        if side is not None:
            return Hit(selection=Selection(ref=selected.ref), new_corner_after=side)
    found = [(ref, candidate) for ref, candidate in sketch.shapes() if _is_on(candidate, view, at)]
    found = found or [(ref, candidate) for ref, candidate in sketch.shapes() if _is_in(candidate, view, at)]
    if not found:
        return None
    if any(ref == selected.ref for ref, _ in found):
        return Hit(selection=Selection(ref=selected.ref))
    return Hit(selection=Selection(ref=min(found, key=lambda item: _area(item[1]))[0]))


def road_at(sketch: Sketch, view: PictureView, at: QPointF) -> int | None:
    """Return the road point under the pointer."""
    return _near([point.picture for point in sketch.road], view, at)


def middles(shape: Shape) -> tuple[PicturePoint, ...]:
    """Return the middle of every side of an outline; a line and an arrow have none."""
    corners = points_of(shape)[: n_corners(shape)]
    if not corners:
        return ()
    pairs = zip(corners, (*corners[1:], corners[0]), strict=True)
    return tuple(((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairs)


def side_at(shape: Shape, view: PictureView, at: QPointF) -> int | None:
    """Return behind which corner the side under the pointer begins."""
    corners = [view.to_px(point) for point in points_of(shape)[: n_corners(shape)]]
    for index, start in enumerate(corners):
        if _distance(QLineF(start, corners[(index + 1) % len(corners)]), at) <= EDGE_PX:
            return index
    return None


def snapped(point: PicturePoint, others: Iterable[PicturePoint], view: PictureView) -> PicturePoint:
    """Return the border of the picture or another shape's point where `point` is near to one, else `point`.

    The result lies within the picture.
    """
    at = view.to_px(point)
    for other in others:
        if QLineF(at, view.to_px(other)).length() <= SNAP_PX:
            return other
    rect = view.rect()
    x, y = point
    for edge in (0.0, 1.0):
        x = edge if abs(x - edge) * rect.width() <= SNAP_PX else x
        y = edge if abs(y - edge) * rect.height() <= SNAP_PX else y
    return min(1.0, max(0.0, x)), min(1.0, max(0.0, y))


def _near(points: Iterable[PicturePoint], view: PictureView, at: QPointF) -> int | None:
    distances = [(QLineF(view.to_px(point), at).length(), index) for index, point in enumerate(points)]
    nearest = min(distances, default=(math.inf, 0))
    return nearest[1] if nearest[0] <= POINT_PX else None


def _is_on(shape: Shape, view: PictureView, at: QPointF) -> bool:
    if side_at(shape, view, at) is not None:
        return True
    if not n_corners(shape):
        start, end = (view.to_px(point) for point in points_of(shape))
        return _distance(QLineF(start, end), at) <= EDGE_PX
    return False


def _is_in(shape: Shape, view: PictureView, at: QPointF) -> bool:
    corners = [view.to_px(point) for point in points_of(shape)[: n_corners(shape)]]
    return len(corners) > 2 and QPolygonF(corners).containsPoint(at, Qt.FillRule.OddEvenFill)


def _area(shape: Shape) -> float:
    corners = points_of(shape)[: n_corners(shape)]
    if not corners:
        return 0.0
    pairs = zip(corners, (*corners[1:], corners[0]), strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs))


def _distance(line: QLineF, at: QPointF) -> float:
    if line.length() == 0:
        return QLineF(line.p1(), at).length()
    along = QPointF.dotProduct(at - line.p1(), line.p2() - line.p1()) / line.length() ** 2
    return QLineF(line.pointAt(min(1.0, max(0.0, along))), at).length()
