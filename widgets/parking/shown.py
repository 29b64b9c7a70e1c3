"""What the canvas shows of a lot at one place: outlines with their names, and which of them are selected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QPolygonF

from core.parking.drawing import PLAN, lanes_at, name_of, outlines_at
from core.parking.model import BayKind, Lot, Outline, Point
from core.parking.shapes import area_of, middle_of
from widgets.parking.surface import Surface

POINT_PX = 9.0
EDGE_PX = 6.0
SNAP_PX = 8.0


class RefKind(StrEnum):
    """What an outline is of."""

    BAY = "bay"
    LANE = "lane"


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Names one outline: a bay by its id, a lane by its name."""

    kind: RefKind
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One outline with what is written on it."""

    ref: Ref
    outline: Outline
    name: str
    kind: BayKind = BayKind.STANDARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What the operator works on; a corner only of a single outline."""

    refs: tuple[Ref, ...] = ()
    corner: int | None = None

    @property
    def bay_ids(self) -> tuple[str, ...]:
        """The selected bays."""
        return tuple(ref.key for ref in self.refs if ref.kind is RefKind.BAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What is under the pointer: an outline, perhaps one of its corners, or the middle of the side behind a corner."""

    ref: Ref
    corner: int | None = None
    new_corner_after: int | None = None


def shapes_of(lot: Lot, place: str, level: int | None) -> tuple[Shape, ...]:
    """Return the outlines of a place; on the plan those of one level, of all levels where it is None."""
    bays = {bay.bay_id: bay for bay in lot.bays}
    is_shown = {key for key, bay in bays.items() if place != PLAN or level is None or bay.level == level}
    shapes = [
        Shape(ref=Ref(RefKind.BAY, key), outline=outline, name=name_of(bays[key]), kind=bays[key].kind)
        for key, outline in outlines_at(lot, place).items()
        if key in is_shown
    ]
    for key, outline in lanes_at(lot, place).items():
        around = lot.surroundings[int(key) - 1] if place == PLAN else None
        if around is not None and level is not None and around.level != level:
            continue
        name = around.kind.value.capitalize() if around is not None else key
        shapes.append(Shape(ref=Ref(RefKind.LANE, key), outline=outline, name=name))
    return tuple(shapes)


def hit_at(shapes: tuple[Shape, ...], selected: Selected, view: Surface, at: QPointF) -> Hit | None:
    """Return what a press would take hold of: handles of the selected one first, then the smallest outline around."""
    if len(selected.refs) == 1:
        chosen = next((shape for shape in shapes if shape.ref == selected.refs[0]), None)
        if chosen is not None:
            corner = _near(chosen.outline, view, at, POINT_PX)
            if corner is not None:
                return Hit(ref=chosen.ref, corner=corner)
            side = _near(middles(chosen.outline), view, at, EDGE_PX)
            if side is not None:
                return Hit(ref=chosen.ref, new_corner_after=side)
    # A lane may cover the whole lot: it is taken hold of by its border, unless it is selected already.
    found = [
        shape
        for shape in near(shapes, view, at, EDGE_PX)
        if (shape.ref.kind is RefKind.BAY or shape.ref in selected.refs or side_at(shape.outline, view, at) is not None)
        and is_on(shape.outline, view, at)
    ]
    if not found:
        return None
    return Hit(ref=min(found, key=lambda shape: (shape.ref not in selected.refs, area_of(shape.outline))).ref)


@lru_cache(maxsize=50_000)
def box_of(outline: Outline) -> tuple[float, float, float, float]:
    """Return the least and the greatest x and y of an outline, as x, y, x, y."""
    xs, ys = [x for x, _ in outline], [y for _, y in outline]
    return min(xs), min(ys), max(xs), max(ys)


def near(shapes: Iterable[Shape], view: Surface, at: QPointF, reach_px: float) -> list[Shape]:
    """Return the outlines whose box reaches to within so many pixels; the others need no closer look."""
    x, y = view.to_point(at)
    # A plan may be turned, and a picture's sides differ.
    ways = [view.to_point(at + step * reach_px) for step in (QPointF(1, 1), QPointF(1, -1))]
    dx, dy = max(abs(one[0] - x) for one in ways), max(abs(one[1] - y) for one in ways)
    found = []
    for shape in shapes:
        left, low, right, high = box_of(shape.outline)
        if left - dx <= x <= right + dx and low - dy <= y <= high + dy:
            found.append(shape)
    return found


def within(shapes: tuple[Shape, ...], view: Surface, rect: QRectF) -> tuple[Ref, ...]:
    """Return the bays whose middle lies in a rectangle of the window."""
    return tuple(
        shape.ref
        for shape in shapes
        if shape.ref.kind is RefKind.BAY and rect.contains(view.to_px(middle_of(shape.outline)))
    )


def middles(outline: Outline) -> Outline:
    """Return the middle of every side."""
    pairs = zip(outline, (*outline[1:], outline[0]), strict=True)
    return tuple(((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairs)


def side_at(outline: Outline, view: Surface, at: QPointF) -> int | None:
    """Return behind which corner the side under the pointer begins."""
    corners = [view.to_px(point) for point in outline]
    for index, start in enumerate(corners):
        if _distance(QLineF(start, corners[(index + 1) % len(corners)]), at) <= EDGE_PX:
            return index
    return None


def is_on(outline: Outline, view: Surface, at: QPointF) -> bool:
    """Tell whether a pixel is on an outline or in it."""
    corners = QPolygonF([view.to_px(point) for point in outline])
    return corners.containsPoint(at, Qt.FillRule.OddEvenFill) or side_at(outline, view, at) is not None


def snapped(point: Point, others: tuple[Shape, ...], view: Surface) -> Point | None:
    """Return another outline's corner that is near to a point; None where there is none."""
    at = view.to_px(point)
    corners = (corner for shape in near(others, view, at, SNAP_PX) for corner in shape.outline)
    best = min(((QLineF(at, view.to_px(corner)).length(), corner) for corner in corners), default=None)
    return best[1] if best is not None and best[0] <= SNAP_PX else None


def _near(points: Outline, view: Surface, at: QPointF, reach_px: float) -> int | None:
    distances = [(QLineF(view.to_px(point), at).length(), index) for index, point in enumerate(points)]
    nearest = min(distances, default=(reach_px + 1, 0))
    return nearest[1] if nearest[0] <= reach_px else None


def _distance(line: QLineF, at: QPointF) -> float:
    if line.length() == 0:
        return QLineF(line.p1(), at).length()
    along = QPointF.dotProduct(at - line.p1(), line.p2() - line.p1()) / line.length() ** 2
    return QLineF(line.pointAt(min(1.0, max(0.0, along))), at).length()
