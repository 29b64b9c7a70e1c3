"""Draws markers: shape and text say what and how it is, the alarm hues are kept for alarms."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from core.incidents.model import Priority
from widgets.base.conditions import UNTRUSTED, Condition
from widgets.base.symbols import Attention, Flash, paint_bad_quality, paint_priority, paint_priority_plate
from widgets.base.theme import Look
from widgets.map.markers import Cluster, ItemKey, Marker, Scene
from widgets.map.spread import Box, Taken, spread
from widgets.map.sprites import Sprite, SpriteStore
from widgets.map.view import MapView

LABELS_BELOW_M = 6.0
"""Names are written where a pixel is smaller than this [m on the ground]."""

_MAX_LABELS = 120
_MAX_WEDGES = 400
_WEDGE_M = 70.0
_GAP_PX = 2.0
_KEEPS_ITS_PLACE = {"camera": 0, "lot": 1, "station": 2}
"""Of two things at one place, the one named first stays: a camera's wedge must begin at the camera."""


class MarkerPainter:
    """Paints one scene; symbols that look the same are drawn once and kept while they are in use."""

    def __init__(self, look: Look, age_text: Callable[[datetime | None], str]) -> None:
        self._sprites = SpriteStore()
        self._age_text = age_text
        self._moves: dict[ItemKey, tuple[float, float]] = {}
        self._spread_for: tuple[list[Box], Box] | None = None
        self._spread_by: list[tuple[float, float]] = []
        self.set_look(look)

    def set_look(self, look: Look) -> None:
        """Take another theme or size."""
        self._look = look
        self._sprites.clear()
        sizes = look.sizes
        self._value_font = look.font(sizes.small, weight=QFont.Weight.DemiBold)
        self._label_font = look.font(sizes.caption)
        self._value_metrics = QFontMetricsF(self._value_font)
        self._height = max(24.0, round(sizes.body * 1.5))

    def paint(
        self,
        painter: QPainter,
        view: MapView,
        scene: Scene,
        *,
        selected: ItemKey | None,
        flash: Flash,
        pixel_ratio: float,
    ) -> None:
        """Paint clusters, then markers; in the lit half of the flash, what calls the operator glows."""
        self._sprites.begin_paint()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for cluster in scene.clusters:
            x, y = view.to_px(cluster.x_m, cluster.y_m)
            self._put(painter, self._cluster(cluster, pixel_ratio), x, y)
        if len(scene.markers) <= _MAX_WEDGES:
            for marker in scene.markers:
                if marker.kind == "camera" and marker.view_angle_deg > 0:
                    wedge = self._wedge(view, marker, pixel_ratio, is_selected=marker.key == selected)
                    self._put(painter, wedge, *view.to_px(marker.x_m, marker.y_m))
        taken = Taken(2 * len(scene.markers) + 1)
        self._spread(view, scene, taken)
        for marker in scene.markers:
            x, y = self._place(view, marker)
            is_selected = marker.key == selected
            sprite = self._marker(marker, pixel_ratio)
            if marker.key in self._moves:
                self._paint_leader(painter, view, marker)
            if marker.is_calling:
                self._paint_call(painter, sprite, x, y, marker, flash)
            if is_selected:
                self._paint_ring(painter, sprite, x, y)
            self._put(painter, sprite, x, y)
        self._paint_labels(painter, view, scene, selected, taken, pixel_ratio)

    def marker_at(self, view: MapView, scene: Scene, place: QPointF) -> Marker | None:
        """Return the topmost marker whose outline holds a pixel."""
        for marker in reversed(scene.markers):
            x, y = self._place(view, marker)
            # Wide markers reach 70 px at most: most need no sprite to be ruled out.
            if abs(x - place.x()) > self._height * 3 or abs(y - place.y()) > self._height:
                continue
            if self._marker(marker, 1.0).body.translated(x, y).contains(place):
                return marker
        return None

    def _spread(self, view: MapView, scene: Scene, taken: Taken) -> None:
        """Find out which markers stand aside so that none hides another; in a crowd all stay where they are."""
        self._moves = {}
        if len(scene.markers) > _MAX_LABELS:
            return
        # By kind and id, not by urgency: nothing jumps when an alarm comes.
        markers = sorted(scene.markers, key=lambda marker: (_KEEPS_ITS_PLACE.get(marker.kind, 9), marker.key))
        boxes: list[Box] = []
        for marker in markers:
            x, y = view.to_px(marker.x_m, marker.y_m)
            body = self._marker(marker, 1.0).body
            boxes.append((x + body.left(), y + body.top(), x + body.right(), y + body.bottom()))
        window = (0.0, 0.0, view.width_px, view.height_px)
        if (boxes, window) != self._spread_for:
            # While nothing moves and no text grows, the pulse of an alarm repaints the same places.
            self._spread_for = (boxes, window)
            self._spread_by = spread(boxes, _GAP_PX, window, Taken(len(boxes)))
        for marker, box, move in zip(markers, boxes, self._spread_by, strict=True):
            dx, dy = move
            taken.add((box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy))
            if move != (0.0, 0.0):
                self._moves[marker.key] = move

    def _place(self, view: MapView, marker: Marker) -> tuple[int, int]:
        """Return where a marker is drawn: whole pixels, because text that lies between two of them is blurred."""
        x, y = view.to_px(marker.x_m, marker.y_m)
        dx, dy = self._moves.get(marker.key, (0.0, 0.0))
        return round(x + dx), round(y + dy)

    def _paint_leader(self, painter: QPainter, view: MapView, marker: Marker) -> None:
        """Tie a marker that stands aside to where the thing is."""
        x, y = view.to_px(marker.x_m, marker.y_m)
        moved_x, moved_y = self._place(view, marker)
        painter.setPen(QPen(self._look.color("map_marker"), 1.5))
        painter.drawLine(QPointF(x, y), QPointF(moved_x, moved_y))

    def _paint_labels(
        self,
        painter: QPainter,
        view: MapView,
        scene: Scene,
        selected: ItemKey | None,
        taken: Taken,
        pixel_ratio: float,
    ) -> None:
        """Write names where there is room for them; the selected one's, and the age of what is in doubt, always."""
        has_labels = view.ground_m < LABELS_BELOW_M and len(scene.markers) <= _MAX_LABELS
        for marker in reversed(scene.markers):
            is_selected = marker.key == selected
            is_needed = is_selected or marker.condition in UNTRUSTED
            if not is_needed and not has_labels:
                continue
            label = self._label_of(marker, has_name=is_selected or has_labels, pixel_ratio=pixel_ratio)
            if label is None:
                continue
            x, y = self._place(view, marker)
            boxes = _label_boxes(x, y, self._marker(marker, pixel_ratio).body, label.body)
            free = taken.first_free(np.array(boxes))
            if free is None and not is_needed:
                continue
            left, top = boxes[free or 0][:2]
            painter.drawPixmap(QPointF(round(left), round(top)), label.pixmap)

    def _put(self, painter: QPainter, sprite: Sprite, x: float, y: float) -> None:
        painter.drawPixmap(QPointF(x, y) - sprite.middle, sprite.pixmap)

    def _wedge(self, view: MapView, marker: Marker, pixel_ratio: float, *, is_selected: bool) -> Sprite:
        reach = round(max(self._height * 1.25, min(160.0, _WEDGE_M / view.ground_m)))
        half = min(175.0, marker.view_angle_deg / 2)
        is_ok = marker.condition is Condition.OK
        key = ("wedge", reach, marker.heading_deg, half, is_ok, is_selected, pixel_ratio)
        return self._sprites.get(
            key,
            lambda: self._draw_wedge(
                reach, marker.heading_deg, half, pixel_ratio, is_ok=is_ok, is_selected=is_selected
            ),
        )

    def _draw_wedge(
        self, reach: int, heading_deg: float, half_deg: float, pixel_ratio: float, *, is_ok: bool, is_selected: bool
    ) -> Sprite:
        def draw(painter: QPainter) -> None:
            path = QPainterPath()
            # Qt counts counter-clockwise from the east, headings clockwise from the north.
            path.arcTo(QRectF(-reach, -reach, 2 * reach, 2 * reach), 90 - heading_deg + half_deg, -2 * half_deg)
            path.closeSubpath()
            edge = self._look.color("window")
            edge.setAlpha(120)
            # A dark edge below the light one: the wedge shows on any map.
            painter.strokePath(path, QPen(edge, 3))
            color = self._look.color("focus" if is_selected else "map_marker")
            color.setAlpha(70 if is_ok else 30)
            painter.fillPath(path, color)
            color.setAlpha(150 if is_ok else 70)
            painter.setPen(QPen(color, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPath(path)

        return _sprite(QRectF(-reach, -reach, 2 * reach, 2 * reach), QPointF(), pixel_ratio, draw)

    def _paint_call(self, painter: QPainter, sprite: Sprite, x: float, y: float, marker: Marker, flash: Flash) -> None:
        if marker.priority is None:
            return
        is_over = marker.attention is Attention.RETURNED
        is_lit = flash.is_lit(marker.attention)
        priority, ratio = marker.priority, sprite.pixmap.devicePixelRatio()
        key = ("call", sprite.body.getRect(), priority, is_over, is_lit, ratio)

        def draw() -> Sprite:
            if is_over:
                return self._draw_over(sprite.body, priority, ratio, is_lit=is_lit)
            return self._draw_call(sprite.body, priority, ratio, is_lit=is_lit and not self._look.is_reduced_motion)

        self._put(painter, self._sprites.get(key, draw), x, y)

    def _draw_over(self, body: QRectF, priority: Priority, pixel_ratio: float, *, is_lit: bool) -> Sprite:
        """Draw the ring of what called and is over: dashed, and grey in the other half of its slow flash."""
        color = QColor(self._look.theme.priority(priority)) if is_lit else self._look.color("text_disabled")
        radius = body.height() / 2

        def draw(painter: QPainter) -> None:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for pen in (QPen(self._look.color("panel"), 4), QPen(color, 2, Qt.PenStyle.DashLine)):
                painter.setPen(pen)
                painter.drawRoundedRect(body.adjusted(-4, -4, 4, 4), radius, radius)

        return _sprite(body.adjusted(-3, -3, 3, 3), QPointF(), pixel_ratio, draw)

    def _draw_call(self, body: QRectF, priority: Priority, pixel_ratio: float, *, is_lit: bool) -> Sprite:
        color = QColor(self._look.theme.priority(priority))
        radius = body.height() / 2

        def draw(painter: QPainter) -> None:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            if self._look.is_reduced_motion:
                # Nothing flashes: a double outline says the same.
                for pen in (QPen(self._look.color("panel"), 5), QPen(color, 2)):
                    painter.setPen(pen)
                    for grow in (4.0, 8.0):
                        painter.drawRoundedRect(body.adjusted(-grow, -grow, grow, grow), radius, radius)
                return
            # An edge of our own below: a ring is seen on any map.
            for pen in (QPen(self._look.color("panel"), 6), QPen(color, 3)):
                painter.setPen(pen)
                painter.drawRoundedRect(body.adjusted(-4, -4, 4, 4), radius, radius)
            if is_lit:
                glow = QColor(color)
                glow.setAlpha(110)
                painter.setPen(QPen(glow, 7))
                painter.drawRoundedRect(body.adjusted(-10, -10, 10, 10), radius + 8, radius + 8)

        return _sprite(body.adjusted(-3, -3, 3, 3), QPointF(), pixel_ratio, draw)

    def _paint_ring(self, painter: QPainter, sprite: Sprite, x: float, y: float) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(self._look.color("focus"), 2))
        body = sprite.body.translated(x, y)
        painter.drawRoundedRect(body.adjusted(-3, -3, 3, 3), 6, 6)

    def _label_of(self, marker: Marker, *, has_name: bool, pixel_ratio: float) -> Sprite | None:
        age = self._age_text(marker.since) if marker.condition in UNTRUSTED else ""
        text = "  ".join(part for part in (marker.name if has_name else "", age) if part)
        return self._label(text, pixel_ratio) if text else None

    def _label(self, text: str, pixel_ratio: float) -> Sprite:
        return self._sprites.get(("label", text, pixel_ratio), lambda: self._draw_label(text, pixel_ratio))

    def _draw_label(self, text: str, pixel_ratio: float) -> Sprite:
        metrics = QFontMetricsF(self._label_font)
        width, height = math.ceil(metrics.horizontalAdvance(text)) + 8, math.ceil(metrics.height()) + 2

        def draw(painter: QPainter) -> None:
            plate = self._look.color("window")
            plate.setAlpha(205)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(plate)
            painter.drawRoundedRect(QRectF(0, 0, width, height), 3, 3)
            painter.setPen(self._look.color("text"))
            painter.setFont(self._label_font)
            painter.drawText(QRectF(0, 0, width, height), Qt.AlignmentFlag.AlignCenter, text)

        return _sprite(QRectF(0, 0, width, height), QPointF(width / 2, 0), pixel_ratio, draw)

    def _cluster(self, cluster: Cluster, pixel_ratio: float) -> Sprite:
        text = str(cluster.n_items) if cluster.n_items < 10_000 else "9999+"
        has_doubt = cluster.n_untrusted > 0
        return self._sprites.get(
            ("cluster", text, has_doubt, pixel_ratio), lambda: self._draw_cluster(text, has_doubt, pixel_ratio)
        )

    def _draw_cluster(self, text: str, has_doubt: bool, pixel_ratio: float) -> Sprite:
        side = max(self._height, self._value_metrics.horizontalAdvance(text) + 12)
        body = QRectF(-side / 2, -self._height / 2, side, self._height)

        def draw(painter: QPainter) -> None:
            painter.setBrush(self._look.color("raised"))
            painter.setPen(QPen(self._look.color("line_strong"), 1))
            # A second edge behind: a stack, not one thing.
            painter.drawRoundedRect(body.translated(3, -3), self._height / 2, self._height / 2)
            painter.setPen(_outline(self._look, Condition.STALE if has_doubt else Condition.OK))
            painter.drawRoundedRect(body, self._height / 2, self._height / 2)
            painter.setPen(self._look.color("text"))
            painter.setFont(self._value_font)
            painter.drawText(body, Qt.AlignmentFlag.AlignCenter, text)

        return _sprite(body, QPointF(), pixel_ratio, draw)

    def _marker(self, marker: Marker, pixel_ratio: float) -> Sprite:
        key = (marker.kind, marker.condition, marker.text, marker.priority, marker.attention, pixel_ratio)
        return self._sprites.get(key, lambda: self._draw_marker(marker, pixel_ratio))

    def _draw_marker(self, marker: Marker, pixel_ratio: float) -> Sprite:
        height, look = self._height, self._look
        glyph_width = height * 0.72
        text_width = self._value_metrics.horizontalAdvance(marker.text) + height * 0.3 if marker.text else 0.0
        width = max(height, height * 0.28 + glyph_width + text_width)
        body = QRectF(-width / 2, -height / 2, width, height)
        is_hollow = marker.condition in {Condition.DISABLED, Condition.UNKNOWN}

        def draw(painter: QPainter) -> None:
            radius = height / 2 if marker.kind == "station" else 5.0
            painter.setBrush(look.color("window" if is_hollow else "raised"))
            painter.setPen(_outline(look, marker.condition))
            painter.drawRoundedRect(body, radius, radius)
            if marker.condition in UNTRUSTED:
                hatch = look.color("quality")
                hatch.setAlpha(95)
                painter.setBrush(QBrush(hatch, Qt.BrushStyle.BDiagPattern))
                painter.setPen(Qt.PenStyle.NoPen)
                painter.drawRoundedRect(body, radius, radius)
            ink = look.color("text_disabled" if is_hollow else "text")
            glyph = QRectF(body.left() + height * 0.14, body.top() + height * 0.14, glyph_width, height * 0.72)
            _GLYPHS.get(marker.kind, _glyph_device)(painter, glyph, ink)
            if marker.text:
                painter.setPen(ink)
                painter.setFont(self._value_font)
                place = body.adjusted(height * 0.14 + glyph_width, 0, -height * 0.14, 0)
                painter.drawText(place, Qt.AlignmentFlag.AlignCenter, marker.text)
            self._draw_badges(painter, body, marker)

        return _sprite(body, QPointF(), pixel_ratio, draw)

    def _draw_badges(self, painter: QPainter, body: QRectF, marker: Marker) -> None:
        side = self._height * 0.76
        if marker.priority is not None:
            badge = QRectF(body.right() - side * 0.55, body.top() - side * 0.55, side, side)
            paint_priority_plate(painter, badge, marker.priority, self._look)
            paint_priority(
                painter, badge, marker.priority, self._look, is_hollow=marker.attention is not Attention.CALLING
            )
        if marker.condition is Condition.DISABLED:
            painter.setPen(QPen(self._look.color("text_disabled"), 2))
            painter.drawLine(body.bottomLeft() + QPointF(4, -4), body.topRight() + QPointF(-4, 4))
        if marker.condition in UNTRUSTED:
            plate = QRectF(body.left() - side * 0.5, body.top() - side * 0.5, side, side)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._look.color("window"))
            painter.drawEllipse(plate)
            paint_bad_quality(painter, plate, self._look)


def _label_boxes(x: float, y: float, body: QRectF, label: QRectF) -> list[Box]:
    """Return where a name may stand: below its marker, above, right, left."""
    width, height = label.width(), label.height()
    corners = (
        (x - width / 2, y + body.bottom() + 3),
        (x - width / 2, y + body.top() - 3 - height),
        (x + body.right() + 3, y - height / 2),
        (x + body.left() - 3 - width, y - height / 2),
    )
    return [(left, top, left + width, top + height) for left, top in corners]


def _outline(look: Look, condition: Condition) -> QPen:
    if condition in UNTRUSTED:
        return QPen(look.color("quality"), 2, Qt.PenStyle.DotLine)
    if condition in {Condition.WAITING, Condition.UNKNOWN}:
        return QPen(look.color("line_strong"), 1.5, Qt.PenStyle.DashLine)
    return QPen(look.color("line_strong" if condition is Condition.DISABLED else "map_marker"), 1.5)


def _glyph_camera(painter: QPainter, box: QRectF, ink: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink)
    w, h = box.width(), box.height()
    painter.drawRoundedRect(QRectF(box.left() + w * 0.06, box.top() + h * 0.27, w * 0.56, h * 0.46), 2, 2)
    lens = [(0.66, 0.5), (0.94, 0.28), (0.94, 0.72)]
    painter.drawPolygon(QPolygonF([QPointF(box.left() + w * x, box.top() + h * y) for x, y in lens]))


def _glyph_station(painter: QPainter, box: QRectF, ink: QColor) -> None:
    """A dial, as on a speedometer."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(ink, 1.8, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    dial = box.adjusted(box.width() * 0.12, box.height() * 0.16, -box.width() * 0.12, -box.height() * 0.08)
    painter.drawArc(dial, -20 * 16, 220 * 16)
    painter.drawLine(dial.center() + QPointF(0, 1), dial.center() + QPointF(dial.width() * 0.26, -dial.height() * 0.28))


def _glyph_lot(painter: QPainter, box: QRectF, ink: QColor) -> None:
    font = QFont(painter.font())
    font.setPixelSize(max(12, round(box.height() * 0.95)))
    font.setWeight(QFont.Weight.Bold)
    painter.setFont(font)
    painter.setPen(ink)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "P")


def _glyph_device(painter: QPainter, box: QRectF, ink: QColor) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(ink, 1.8))
    half = box.width() * 0.3
    middle = box.center()
    painter.drawPolygon(
        QPolygonF(
            [
                middle + QPointF(0, -half),
                middle + QPointF(half, 0),
                middle + QPointF(0, half),
                middle + QPointF(-half, 0),
            ]
        )
    )


_GLYPHS: dict[str, Callable[[QPainter, QRectF, QColor], None]] = {
    "camera": _glyph_camera,
    "station": _glyph_station,
    "lot": _glyph_lot,
}


def _sprite(body: QRectF, middle: QPointF, pixel_ratio: float, draw: Callable[[QPainter], None]) -> Sprite:
    """Draw into a pixmap with room for badges around `body`."""
    room = body.adjusted(-12, -12, 12, 12) if middle.isNull() else body
    pixmap = QPixmap(math.ceil(room.width() * pixel_ratio), math.ceil(room.height() * pixel_ratio))
    pixmap.setDevicePixelRatio(pixel_ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    with QPainter(pixmap) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(-room.topLeft())
        draw(painter)
    return Sprite(pixmap=pixmap, middle=middle - room.topLeft(), body=body)
