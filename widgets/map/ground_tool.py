"""Points that an operator sets on the map: a way that is measured, or the outline of a fence."""

from __future__ import annotations

import math
from enum import StrEnum
from itertools import pairwise

from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPen, QPolygonF

from core.drones.ground import distance_m
from core.kernel.geo import GeoPoint, to_mercator
from widgets.base.theme import look
from widgets.map.view import MapView

MAX_POINTS = 200
_SENTENCES = {
    "measure": "Click from place to place to measure.  Backspace takes the last one back, Esc ends.",
    "fence": "Click the corners of the fence.  Backspace takes the last one back, Enter closes it, Esc drops it.",
}


class Tool(StrEnum):
    """What the points are for."""

    MEASURE = "measure"
    FENCE = "fence"


class GroundTool(QObject):
    """Collects points.

    Signals:
        changed(): Points or tool are otherwise.
        finished(object): Enter: the points, a tuple of `GeoPoint`.
        ended(): Esc, or finished.
    """

    changed = Signal()
    finished = Signal(object)
    ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tool: Tool | None = None
        self._points: tuple[GeoPoint, ...] = ()

    @property
    def tool(self) -> Tool | None:
        """What is drawn; None where nothing is."""
        return self._tool

    @property
    def points(self) -> tuple[GeoPoint, ...]:
        """What was set so far."""
        return self._points

    @property
    def sentence(self) -> str:
        """What the operator is told; empty where nothing is drawn."""
        if self._tool is None:
            return ""
        length = f"   {length_words(self.length_m)}" if len(self._points) > 1 else ""
        return _SENTENCES[self._tool.value] + length

    @property
    def length_m(self) -> float:
        """Along the points, over ground; around the outline of a fence."""
        ring = (*self._points, self._points[0]) if self._tool is Tool.FENCE and self._points else self._points
        return sum(distance_m(a, b) for a, b in pairwise(ring))

    def start(self, tool: Tool) -> None:
        """Begin to draw."""
        self._tool, self._points = tool, ()
        self.changed.emit()

    def add(self, point: GeoPoint) -> None:
        """Set a point."""
        if len(self._points) < MAX_POINTS:
            self._points = (*self._points, point)
            self.changed.emit()

    def take_back(self) -> None:
        """Take the last point away."""
        self._points = self._points[:-1]
        self.changed.emit()

    def finish(self) -> None:
        """Hand the outline of a fence over; a way that is measured stays as it is."""
        if self._tool is not Tool.FENCE or len(self._points) < 3:
            return
        points = self._points
        self.end()
        self.finished.emit(points)

    def end(self) -> None:
        """Draw no more."""
        if self._tool is None:
            return
        self._tool, self._points = None, ()
        self.changed.emit()
        self.ended.emit()

    def paint(self, painter: QPainter, view: MapView) -> None:
        """Paint the points, and how far it is from one to the next."""
        if self._tool is None or not self._points:
            return
        made = look()
        places = [QPointF(*view.to_px(*to_mercator(point))) for point in self._points]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, width in ((made.color("window"), 5.0), (made.color("focus"), 2.5)):
            painter.setPen(QPen(color, width))
            if self._tool is Tool.FENCE and len(places) > 2:
                painter.drawPolygon(QPolygonF(places))
            else:
                painter.drawPolyline(QPolygonF(places))
        painter.setBrush(made.color("focus"))
        painter.setPen(QPen(made.color("window"), 1.5))
        for place in places:
            painter.drawEllipse(place, 5.0, 5.0)
        painter.setFont(made.font(made.sizes.small, weight=QFont.Weight.DemiBold))
        metrics = QFontMetricsF(painter.font())
        for (a, b), (start, stop) in zip(pairwise(self._points), pairwise(places), strict=True):
            text = length_words(distance_m(a, b))
            box = QRectF(0, 0, metrics.horizontalAdvance(text) + 8, metrics.height())
            if math.hypot(stop.x() - start.x(), stop.y() - start.y()) < box.width():
                continue
            box.moveCenter((start + stop) / 2)
            painter.fillRect(box, made.color("panel"))
            painter.setPen(made.color("text"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        painter.restore()


def length_words(metres: float) -> str:
    """Write a length to the metre, or to ten metres from 10 km on."""
    return f"{metres:,.0f} m" if metres < 10_000 else f"{metres / 1000:,.2f} km"
