"""What is drawn onto a picture: boxes, zones, lines and their labels. From data, never into pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen, QPixmap, QPolygonF

from core.vision.model import CountLine, Scene, Zone
from widgets.base.theme import MIN_TEXT_PX, Look
from widgets.video.model import DrawnTrack

_MAX_PLATES = 256
SMALL_PX = 400
"""Below this width a picture has room for vehicles, numbers and counts, not for names."""

_SCENE_OPACITY = 0.6
_PLATE_ALPHA = 190
_BOX_PART, _SMALL_BOX_PART = 0.6, 1.0
"""A label that is much wider than its box would hide the neighbours: it is shortened, then left out."""

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
        self._fonts = (made.font(made.sizes.caption), made.font(MIN_TEXT_PX))
        self._plates: dict[tuple[str, str, bool], QPixmap] = {}
        self._scene_key: tuple[object, ...] = ()
        self._scene = QPixmap()
        self._shadow = QColor(made.theme.picture)
        self._tints = {token: made.color(token) for token in {*_TINTS.values(), "track_other"}}
        self._zone_pen = QPen(made.color("zone"), 1)
        self._line_pen = QPen(made.color("on_picture"), 1.5)
        self._outline_pen = QPen(QColor(0, 0, 0, 110), 3)
        self._taken: list[QRectF] = []

    def paint_tracks(self, painter: QPainter, tracks: Iterable[DrawnTrack], picture: QRectF, shown: Shown) -> None:
        """Paint boxes with class and number.

        A car is a thin frame, a bus and a truck carry a bar along the top, two-wheelers are four corners: the classes
        differ without their tints, and the label says the class in words.
        """
        if not shown.boxes:
            return
        placed = [(box, track) for track in tracks if not (box := _placed(track, picture)).isEmpty()]
        # Filled bars in few calls: a pen that is not opaque costs ten times as much, and there are hundreds of boxes a
        # second.
        for opacity in {track.opacity for _, track in placed}:
            painter.setOpacity(opacity)
            self._paint_boxes(painter, [(box, track) for box, track in placed if track.opacity == opacity])
        # Labels come last: a frame across a number would make it unreadable.
        for box, track in placed:
            painter.setOpacity(track.opacity)
            self._paint_label(painter, box, track, picture, shown)
        painter.setOpacity(1.0)

    def _paint_boxes(self, painter: QPainter, placed: list[tuple[QRect, DrawnTrack]]) -> None:
        dark: list[QRect] = []
        by_tint: dict[str, list[QRect]] = {}
        for box, track in placed:
            tint = _TINTS.get(track.label, "track_other")
            bars = by_tint.setdefault(tint, [])
            if tint == "track_two_wheeler":
                corners = _corners(box)
                dark += [bar.translated(1, 1) for bar in corners]
                bars += corners
                continue
            dark += _frame(box.adjusted(-1, -1, 1, 1), 3)
            bars += _frame(box, 1)
            if tint in ("track_bus", "track_truck"):
                bars.append(QRect(box.x(), box.y() - 1, box.width() + 1, 3))
        painter.setPen(Qt.PenStyle.NoPen)
        for color, bars in ((self._shadow, dark), *((self._tints[tint], bars) for tint, bars in by_tint.items())):
            painter.setBrush(color)
            painter.drawRects(bars)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_label(self, painter: QPainter, box: QRect, track: DrawnTrack, picture: QRectF, shown: Shown) -> None:
        plate = self._track_plate(box, track, picture, shown)
        if plate is None:
            return
        above = box.top() - plate.height() / self.pixel_ratio
        painter.drawPixmap(QPointF(box.left(), above if above >= picture.top() else box.top()), plate)

    def _track_plate(self, box: QRect, track: DrawnTrack, picture: QRectF, shown: Shown) -> QPixmap | None:
        """Return the longest label that suits the box: class and number, the number alone, or none."""
        is_small = picture.width() < SMALL_PX
        number = str(track.track_id) if shown.ids else ""
        part = _SMALL_BOX_PART if is_small else _BOX_PART
        texts = [number] if is_small else [f"{track.label} {number}".rstrip(), number]
        token = _TINTS.get(track.label, "track_other")
        for text in texts:
            plate = self._plate(text, token, is_small=is_small) if text else None
            if plate is not None and box.width() >= part * plate.width() / self.pixel_ratio:
                return plate
        return None

    def paint_scene(
        self,
        painter: QPainter,
        scene: Scene,
        counts: Mapping[str, Mapping[str, int]],
        picture: QRectF,
        *,
        is_selected: bool = False,
    ) -> None:
        """Paint zones and counting lines with their live counts, and their names where there is room.

        A small picture shows the counts of its lines only; names come when it is selected or enlarged.
        """
        if not scene.zones and not scene.lines:
            return
        has_names = is_selected or picture.width() >= SMALL_PX
        key = (scene, picture.width(), picture.height(), repr(counts), has_names)
        if key != self._scene_key:
            self._scene_key = key
            self._scene = self._make_scene(scene, counts, picture, has_names=has_names)
        painter.drawPixmap(picture.topLeft(), self._scene)

    def _make_scene(
        self, scene: Scene, counts: Mapping[str, Mapping[str, int]], picture: QRectF, *, has_names: bool
    ) -> QPixmap:
        """Draw zones and lines once: they change far less often than the picture."""
        ratio = self.pixel_ratio
        made = QPixmap(max(1, round(picture.width() * ratio)), max(1, round(picture.height() * ratio)))
        made.setDevicePixelRatio(ratio)
        made.fill(Qt.GlobalColor.transparent)
        room = QRectF(0, 0, picture.width(), picture.height())
        painter = QPainter(made)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(_SCENE_OPACITY)
        for zone in scene.zones:
            self._paint_zone(painter, zone, room)
        for line in scene.lines:
            self._paint_line(painter, line, room)
        painter.setOpacity(1.0)
        self._taken = []
        # Counts first: where there is no room for all, they stay.
        for line in scene.lines:
            middle = QLineF(_on(room, line.start), _on(room, line.end)).pointAt(0.5)
            figures = counts.get(line.key, {})
            texts = [_figures_text(line, figures)]
            if has_names:
                texts.insert(0, f"{line.name}  {texts[0]}".rstrip())
            if room.width() >= SMALL_PX:
                texts.insert(0, _line_text(line, figures))
            fitting = (text for text in texts if text and self._plate_width(text, room) <= room.width())
            self._paint_plate(painter, next(fitting, ""), middle, room)
        for zone in scene.zones if has_names else ():
            lowest = max((_on(room, point) for point in zone.polygon), key=lambda point: point.y())
            self._paint_plate(painter, _zone_text(zone, counts.get(zone.key, {})), lowest, room)
        painter.end()
        return made

    def _paint_zone(self, painter: QPainter, zone: Zone, picture: QRectF) -> None:
        outline = QPolygonF([_on(picture, point) for point in zone.polygon])
        painter.setPen(self._outline_pen)
        painter.drawPolygon(outline)
        painter.setPen(self._zone_pen)
        painter.drawPolygon(outline)

    def _paint_line(self, painter: QPainter, line: CountLine, picture: QRectF) -> None:
        drawn = QLineF(_on(picture, line.start), _on(picture, line.end))
        painter.setPen(self._outline_pen)
        painter.drawLine(drawn)
        painter.setPen(self._line_pen)
        painter.drawLine(drawn)
        painter.drawLines(_arrow(drawn, self._look.sizes.gap * (1.5 if picture.width() < SMALL_PX else 2.0)))

    def _paint_plate(self, painter: QPainter, text: str, at: QPointF, picture: QRectF) -> None:
        """Paint a plate below a place, or near it where another one stands; without room it is left out."""
        if not text:
            return
        plate = self._plate(text, "zone", is_small=picture.width() < SMALL_PX)
        width, height = plate.width() / self.pixel_ratio, plate.height() / self.pixel_ratio
        x = max(picture.left(), min(at.x() - width / 2, picture.right() - width))
        for step in (0, 1, -1, 2, -2, 3, -3):
            y = max(picture.top(), min(at.y() + 3 + step * (height + 1), picture.bottom() - height))
            room = QRectF(round(x), round(y), width, height)
            if not any(room.intersects(other) for other in self._taken):
                self._taken.append(room)
                painter.drawPixmap(room.topLeft(), plate)
                return

    def _plate_width(self, text: str, picture: QRectF) -> float:
        return self._plate(text, "zone", is_small=picture.width() < SMALL_PX).width() / self.pixel_ratio

    def _plate(self, text: str, token: str, *, is_small: bool) -> QPixmap:
        plate = self._plates.get((text, token, is_small))
        if plate is not None:
            return plate
        if len(self._plates) >= _MAX_PLATES:
            self._plates.clear()
        font = self._fonts[is_small]
        metrics = QFontMetrics(font)
        gap = self._look.sizes.gap // 2 if is_small else self._look.sizes.gap
        width, height = metrics.horizontalAdvance(text) + 2 * gap + 2, metrics.height()
        plate = QPixmap(round(width * self.pixel_ratio), round(height * self.pixel_ratio))
        plate.setDevicePixelRatio(self.pixel_ratio)
        background = QColor(self._look.theme.picture)
        background.setAlpha(_PLATE_ALPHA)
        plate.fill(background)
        painter = QPainter(plate)
        painter.fillRect(QRectF(0, 0, 2, height), self._look.color(token))
        painter.setFont(font)
        painter.setPen(self._look.color("on_picture"))
        painter.drawText(QRectF(2 + gap, 0, width, height), int(Qt.AlignmentFlag.AlignVCenter), text)
        painter.end()
        self._plates[(text, token, is_small)] = plate
        return plate


def _line_text(line: CountLine, counts: Mapping[str, int]) -> str:
    figures = (f"{name} {counts[name]}" for name in (line.forward_name, line.backward_name) if name in counts)
    return "  ".join([line.name, *figures])


def _figures_text(line: CountLine, counts: Mapping[str, int]) -> str:
    return " / ".join(str(counts[name]) for name in (line.forward_name, line.backward_name) if name in counts)


def _zone_text(zone: Zone, counts: Mapping[str, int]) -> str:
    return f"{zone.name}  {counts['inside']}" if "inside" in counts else zone.name


def _on(picture: QRectF, point: tuple[float, float]) -> QPointF:
    return QPointF(picture.x() + point[0] * picture.width(), picture.y() + point[1] * picture.height())


def _placed(track: DrawnTrack, picture: QRectF) -> QRect:
    """Return a box in whole pixels; one that runs ahead of its picture ends at the edge."""
    x1, y1, x2, y2 = (max(0.0, min(1.0, edge)) for edge in track.bbox_xyxy)
    left, top = round(picture.x() + x1 * picture.width()), round(picture.y() + y1 * picture.height())
    return QRect(
        left,
        top,
        round(picture.x() + x2 * picture.width()) - left,
        round(picture.y() + y2 * picture.height()) - top,
    )


def _frame(box: QRect, width: int) -> list[QRect]:
    """Return the four sides of a frame as bars; like a pen's, its right and lower side lie one pixel outside."""
    x, y, w, h = box.x(), box.y(), box.width() + 1, box.height() + 1
    return [
        QRect(x, y, w, width),
        QRect(x, y + h - width, w, width),
        QRect(x, y + width, width, h - 2 * width),
        QRect(x + w - width, y + width, width, h - 2 * width),
    ]


def _corners(box: QRect) -> list[QRect]:
    reach = max(3, round(min(box.width(), box.height()) * 0.3)) + 1
    x1, y1, x2, y2 = box.x(), box.y(), box.x() + box.width() + 1, box.y() + box.height() + 1
    return [
        QRect(x1, y1, reach, 1),
        QRect(x1, y1 + 1, 1, reach - 1),
        QRect(x2 - reach, y1, reach, 1),
        QRect(x2 - 1, y1 + 1, 1, reach - 1),
        QRect(x1, y2 - 1, reach, 1),
        QRect(x1, y2 - reach, 1, reach - 1),
        QRect(x2 - reach, y2 - 1, reach, 1),
        QRect(x2 - 1, y2 - reach, 1, reach - 1),
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
