"""What is drawn onto a picture: boxes, zones, lines and their labels. From data, never into pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen, QPixmap, QPolygonF

from core.vision.model import CountLine, Scene, Zone
from widgets.base.theme import Look
from widgets.video.model import DrawnTrack

_MAX_PLATES = 256
_TINTS = {
    "car": "track_car",
    "bus": "track_bus",
    "truck": "track_truck",
    "motorcycle": "track_two_wheeler",
    "bicycle": "track_two_wheeler",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Which parts of the overlay the operator wants to see."""

    boxes: bool = True
    ids: bool = True
    zones: bool = True


class OverlayPainter:
    """Paints one tile's overlay; keeps its labels as small pictures, because laying out text costs most."""

    def __init__(self, made: Look, pixel_ratio: float) -> None:
        """Keep pens and colours of a look.

        Args:
            made: Make another painter when the look changes.
            pixel_ratio: Device pixels per pixel of the screen the tile is on.
        """
        self._look = made
        self.pixel_ratio = pixel_ratio
        self._font = made.font(made.sizes.caption)
        self._metrics = QFontMetrics(self._font)
        self._plates: dict[tuple[str, str], QPixmap] = {}
        self._shadow = QPen(QColor(0, 0, 0, 150), 3)
        self._shadow.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        self._pens = {token: QPen(made.color(token), 1) for token in {*_TINTS.values(), "track_other"}}
        self._thick = {token: QPen(made.color(token), 3) for token in self._pens}
        self._zone_pen = QPen(made.color("zone"), 1)
        self._line_pen = QPen(made.color("on_picture"), 2)
        self._outline_pen = QPen(QColor(0, 0, 0, 130), 3)

    def paint_tracks(self, painter: QPainter, tracks: Iterable[DrawnTrack], picture: QRectF, shown: Shown) -> None:
        """Paint boxes with class and number.

        A car is a thin frame, a bus and a truck carry a bar along the top, two-wheelers are four corners: the classes
        differ without their tints, and the label says the class in words.
        """
        if not shown.boxes:
            return
        left, top, width, height = picture.x(), picture.y(), picture.width(), picture.height()
        # Labels come last: a frame across a number would make it unreadable.
        labels: list[tuple[QRectF, DrawnTrack]] = []
        for track in tracks:
            x1, y1, x2, y2 = track.bbox_xyxy
            # A box that runs ahead may leave the picture: it ends at the edge.
            x1, y1, x2, y2 = max(0.0, x1), max(0.0, y1), min(1.0, x2), min(1.0, y2)
            if x2 <= x1 or y2 <= y1:
                continue
            box = QRectF(
                round(left + x1 * width),
                round(top + y1 * height),
                round((x2 - x1) * width),
                round((y2 - y1) * height),
            )
            self._paint_box(painter, box, track)
            labels.append((box, track))
        for box, track in labels:
            self._paint_label(painter, box, track, picture, shown)
        painter.setOpacity(1.0)

    def _paint_box(self, painter: QPainter, box: QRectF, track: DrawnTrack) -> None:
        tint = _TINTS.get(track.label, "track_other")
        painter.setOpacity(track.opacity)
        if tint == "track_two_wheeler":
            corners = _corners(box)
            painter.setPen(self._shadow)
            painter.drawLines(corners)
            painter.setPen(self._pens[tint])
            painter.drawLines(corners)
            return
        painter.setPen(self._shadow)
        painter.drawRect(box)
        painter.setPen(self._pens[tint])
        painter.drawRect(box)
        if tint in ("track_bus", "track_truck"):
            painter.setPen(self._thick[tint])
            painter.drawLine(box.topLeft(), box.topRight())

    def _paint_label(self, painter: QPainter, box: QRectF, track: DrawnTrack, picture: QRectF, shown: Shown) -> None:
        text = f"{track.label} {track.track_id}" if shown.ids else track.label
        plate = self._plate(text, _TINTS.get(track.label, "track_other"))
        above = box.top() - plate.height() / self.pixel_ratio
        painter.setOpacity(track.opacity)
        painter.drawPixmap(QPointF(box.left(), above if above >= picture.top() else box.top()), plate)

    def paint_scene(
        self, painter: QPainter, scene: Scene, counts: Mapping[str, Mapping[str, int]], picture: QRectF
    ) -> None:
        """Paint zones and counting lines with their names and live counts."""
        if not scene.zones and not scene.lines:
            return
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for zone in scene.zones:
            self._paint_zone(painter, zone, counts.get(zone.key, {}), picture)
        for line in scene.lines:
            self._paint_line(painter, line, counts.get(line.key, {}), picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_zone(self, painter: QPainter, zone: Zone, counts: Mapping[str, int], picture: QRectF) -> None:
        outline = QPolygonF([_on(picture, point) for point in zone.polygon])
        painter.setPen(self._outline_pen)
        painter.drawPolygon(outline)
        painter.setPen(self._zone_pen)
        painter.drawPolygon(outline)
        text = zone.name + "".join(f"  {n}" for n in counts.values())
        lowest = max(outline.toList(), key=lambda point: point.y())
        self._paint_plate(painter, text, lowest, picture)

    def _paint_line(self, painter: QPainter, line: CountLine, counts: Mapping[str, int], picture: QRectF) -> None:
        drawn = QLineF(_on(picture, line.start), _on(picture, line.end))
        painter.setPen(self._outline_pen)
        painter.drawLine(drawn)
        painter.setPen(self._line_pen)
        painter.drawLine(drawn)
        painter.drawLines(_arrow(drawn, self._look.sizes.gap * 2.0))
        figures = "".join(
            f"  {name} {counts[name]}" for name in (line.forward_name, line.backward_name) if name in counts
        )
        self._paint_plate(painter, line.name + figures, drawn.pointAt(0.5), picture)

    def _paint_plate(self, painter: QPainter, text: str, at: QPointF, picture: QRectF) -> None:
        plate = self._plate(text, "zone")
        width, height = plate.width() / self.pixel_ratio, plate.height() / self.pixel_ratio
        x = max(picture.left(), min(at.x() - width / 2, picture.right() - width))
        y = max(picture.top(), min(at.y() + 3, picture.bottom() - height))
        painter.drawPixmap(QPointF(round(x), round(y)), plate)

    def _plate(self, text: str, token: str) -> QPixmap:
        plate = self._plates.get((text, token))
        if plate is not None:
            return plate
        if len(self._plates) >= _MAX_PLATES:
            self._plates.clear()
        gap = self._look.sizes.gap
        width, height = self._metrics.horizontalAdvance(text) + 2 * gap + 2, self._metrics.height()
        plate = QPixmap(round(width * self.pixel_ratio), round(height * self.pixel_ratio))
        plate.setDevicePixelRatio(self.pixel_ratio)
        plate.fill(QColor(self._look.theme.picture))
        painter = QPainter(plate)
        painter.fillRect(QRectF(0, 0, 2, height), self._look.color(token))
        painter.setFont(self._font)
        painter.setPen(self._look.color("on_picture"))
        painter.drawText(QRectF(2 + gap, 0, width, height), int(Qt.AlignmentFlag.AlignVCenter), text)
        painter.end()
        self._plates[(text, token)] = plate
        return plate


def _on(picture: QRectF, point: tuple[float, float]) -> QPointF:
    return QPointF(picture.x() + point[0] * picture.width(), picture.y() + point[1] * picture.height())


def _corners(box: QRectF) -> list[QLineF]:
    reach = max(3.0, min(box.width(), box.height()) * 0.3)
    x1, y1, x2, y2 = box.left(), box.top(), box.right(), box.bottom()
    return [
        QLineF(x1, y1, x1 + reach, y1),
        QLineF(x1, y1, x1, y1 + reach),
        QLineF(x2, y1, x2 - reach, y1),
        QLineF(x2, y1, x2, y1 + reach),
        QLineF(x1, y2, x1 + reach, y2),
        QLineF(x1, y2, x1, y2 - reach),
        QLineF(x2, y2, x2 - reach, y2),
        QLineF(x2, y2, x2, y2 - reach),
    ]


def _arrow(line: QLineF, length: float) -> list[QLineF]:
    """Return an arrow across the middle of `line` that points the way that counts as forward."""
    middle = line.pointAt(0.5)
    along = line.unitVector()
    dx, dy = along.dx(), along.dy()
    # Forward leads from the left of the line to its right as seen from start to end, y down: (-dy, dx).
    tip = QPointF(middle.x() - dy * length, middle.y() + dx * length)
    foot = QPointF(middle.x() + dy * length, middle.y() - dx * length)
    barb = length * 0.5
    return [
        QLineF(foot, tip),
        QLineF(tip, QPointF(tip.x() + (dy + dx) * barb, tip.y() + (-dx + dy) * barb)),
        QLineF(tip, QPointF(tip.x() + (dy - dx) * barb, tip.y() + (-dx - dy) * barb)),
    ]
