"""What covers ground on the map: the areas of regional warnings, and the places of open incidents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPolygonF

from core.incidents.model import Incident, Priority, SourceKind
from core.incidents.warnings import RegionalWarning, circle_ring
from core.kernel.geo import GeoPoint, to_mercator
from widgets.base.symbols import paint_priority, paint_priority_plate
from widgets.base.theme import look
from widgets.map.tile_grid import RectM
from widgets.map.view import MapView

_SYMBOL_PX = 20.0
_BESIDE_PX = 18.0
_LABEL_CHARS = 60
_WITH_MARKER = frozenset({SourceKind.CAMERA, SourceKind.STATION, SourceKind.LOT, SourceKind.DEVICE})
_MAX_LAT_DEG = 85.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A warning's area in Web Mercator metres; `bounds` covers all of its rings."""

    title: str
    priority: Priority
    rings: tuple[tuple[tuple[float, float], ...], ...]
    bounds: RectM


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """An open incident's place in Web Mercator metres; `is_beside` a marker that stands there already."""

    incident_id: str
    title: str
    priority: Priority
    x_m: float
    y_m: float
    is_beside: bool = False

    def px(self, view: MapView) -> tuple[float, float]:
        """Return the middle of its symbol on the screen."""
        x, y = view.to_px(self.x_m, self.y_m)
        return (x - _BESIDE_PX, y - _BESIDE_PX) if self.is_beside else (x, y)


class AreaLayer:
    """Paints areas above the base map, and incidents above the markers; the map tells when."""

    def __init__(self) -> None:
        self._areas: tuple[Area, ...] = ()
        self._spots: tuple[Spot, ...] = ()

    @property
    def areas(self) -> tuple[Area, ...]:
        """The areas, the least urgent first."""
        return self._areas

    @property
    def spots(self) -> tuple[Spot, ...]:
        """The open incidents that have a place of their own."""
        return self._spots

    def set_warnings(self, warnings: Iterable[RegionalWarning]) -> None:
        """Show these warnings' areas."""
        areas = [area for warning in warnings if (area := _area_of(warning)) is not None]
        self._areas = tuple(sorted(areas, key=lambda area: -int(area.priority)))

    def set_incidents(self, incidents: Iterable[Incident]) -> None:
        """Show the open ones that somebody works on; one at a camera or device stands beside its marker."""
        self._spots = tuple(
            Spot(
                incident_id=one.incident_id,
                title=one.title,
                priority=one.priority,
                is_beside=one.source_kind in _WITH_MARKER,
                **dict(zip(("x_m", "y_m"), to_mercator(one.position), strict=True)),
            )
            for one in incidents
            if one.position is not None and not one.is_closed and one.taken_up_by
        )

    def paint_areas(self, painter: QPainter, view: MapView) -> None:
        """Paint what is warned of: tinted, hatched, outlined, with its symbol and title."""
        seen = [area for area in self._areas if _meets(area.bounds, view.rect)]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for area in seen:
            color = QColor(look().theme.priority(area.priority))
            tint, hatch = QColor(color), QColor(color)
            tint.setAlpha(28)
            hatch.setAlpha(60)
            for ring in area.rings:
                outline = QPolygonF([QPointF(*view.to_px(*point)) for point in ring])
                painter.setPen(QPen(look().color("panel"), 4.0))
                painter.setBrush(tint)
                painter.drawPolygon(outline)
                painter.setPen(QPen(color, 2.0, Qt.PenStyle.DashLine))
                painter.setBrush(QBrush(hatch, Qt.BrushStyle.BDiagPattern))
                painter.drawPolygon(outline)
        painter.restore()

    def paint_labels(self, painter: QPainter, view: MapView) -> None:
        """Paint the titles of areas where they are seen, and the incidents."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        used: list[QRectF] = []
        for area in reversed(self._areas):
            if _meets(area.bounds, view.rect):
                self._paint_label(painter, view, area, used)
        for spot in self._spots:
            self._paint_spot(painter, view, spot)
        painter.restore()

    def spot_at(self, view: MapView, place: QPointF) -> Spot | None:
        """Return the incident under the pointer."""
        for spot in reversed(self._spots):
            x, y = spot.px(view)
            if abs(place.x() - x) <= _SYMBOL_PX * 0.7 and abs(place.y() - y) <= _SYMBOL_PX * 0.7:
                return spot
        return None

    def _paint_label(self, painter: QPainter, view: MapView, area: Area, used: list[QRectF]) -> None:
        """Write along the top of what is seen of the area; below what another one wrote there."""
        made = look()
        left, top = view.to_px(max(area.bounds.left, view.rect.left), min(area.bounds.top, view.rect.top))
        right, _ = view.to_px(min(area.bounds.right, view.rect.right), area.bounds.bottom)
        painter.setFont(made.font(made.sizes.small))
        metrics = painter.fontMetrics()
        height = max(_SYMBOL_PX, metrics.height()) + 6
        words = metrics.elidedText(
            area.title[:_LABEL_CHARS], Qt.TextElideMode.ElideRight, round(max(80.0, right - left - _SYMBOL_PX - 24))
        )
        box = QRectF(left + 6, top + 6, _SYMBOL_PX + metrics.horizontalAdvance(words) + 18, height)
        while any(box.intersects(other) for other in used):
            box.translate(0, height + 2)
        used.append(box)
        plate = made.color("panel")
        plate.setAlpha(230)
        painter.setPen(QPen(QColor(made.theme.priority(area.priority)), 1.0))
        painter.setBrush(plate)
        painter.drawRoundedRect(box, 3, 3)
        symbol = QRectF(box.left() + 4, box.center().y() - _SYMBOL_PX / 2, _SYMBOL_PX, _SYMBOL_PX)
        paint_priority(painter, symbol, area.priority, made, is_hollow=True)
        painter.setPen(made.color("text"))
        painter.drawText(box.adjusted(_SYMBOL_PX + 10, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, words)

    def _paint_spot(self, painter: QPainter, view: MapView, spot: Spot) -> None:
        x, y = spot.px(view)
        box = QRectF(x - _SYMBOL_PX / 2, y - _SYMBOL_PX / 2, _SYMBOL_PX, _SYMBOL_PX)
        made = look()
        paint_priority_plate(painter, box.adjusted(-3, -3, 3, 3), spot.priority, made)
        paint_priority(painter, box, spot.priority, made)


def _area_of(warning: RegionalWarning) -> Area | None:
    rings = [*warning.polygons, *(circle_ring(middle, km) for middle, km in warning.circles if km > 0)]
    if not rings:
        return None
    drawn = tuple(tuple(to_mercator(_on_map(point)) for point in ring) for ring in rings)
    xs = [x for ring in drawn for x, _ in ring]
    ys = [y for ring in drawn for _, y in ring]
    bounds = RectM(min(xs), min(ys), max(xs), max(ys))
    return Area(title=warning.title, priority=warning.priority, rings=drawn, bounds=bounds)


def _on_map(point: GeoPoint) -> GeoPoint:
    """Keep a point on the map, which ends before the poles."""
    return GeoPoint(max(-_MAX_LAT_DEG, min(_MAX_LAT_DEG, point.lat_deg)), point.lon_deg)


def _meets(a: RectM, b: RectM) -> bool:
    return a.left < b.right and b.left < a.right and a.bottom < b.top and b.bottom < a.top
