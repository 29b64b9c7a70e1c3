"""What is drawn onto a picture beside boxes: trails, zones, lanes, lines, labels. From data, never into pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QImage,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
    QPolygonF,
)

from core.vision.model import PERSON, CountLine, Lane, Mask, MaskKind, Scene, Zone, counted_under
from widgets.base.theme import MIN_TEXT_PX, Look
from widgets.video.fragments import Fragments

SMALL_PX = 400
"""Below this width a picture has room for vehicles, numbers and counts, not for names."""

AT_LEAST = "\N{GREATER-THAN OR EQUAL TO} "
"""Stands before a count of a day of which something is missing."""

_SCENE_OPACITY = 0.6
_PLATE_ALPHA = 190
_PIECE_PX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Which parts of the overlay the operator wants to see.

    Attributes:
        hidden_labels: Classes whose boxes and trails are not drawn; what is not named here is.
    """

    boxes: bool = True
    ids: bool = True
    zones: bool = True
    trails: bool = False
    telemetry: bool = True
    hidden_labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Plate:
    """A label as a picture; width and height in pixels of the widget."""

    pixmap: QPixmap
    width: float
    height: float


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
        self._metrics = tuple(QFontMetrics(font) for font in self._fonts)
        self._plates: dict[tuple[str, bool], _Plate] = {}
        self._plates_before: dict[tuple[str, bool], _Plate] = {}
        self._shapes_key: tuple[object, ...] = ()
        self._shapes = Fragments(0)
        self._layer = QPixmap()
        self._names_key: tuple[object, ...] = ()
        self._names: list[tuple[QPointF, QPixmap]] = []
        self._trail_pens = (QPen(QColor(0, 0, 0, 110), 3), QPen(made.color("track_other"), 1.4))
        for pen in self._trail_pens:
            pen.setCosmetic(True)
        self._zone_pen = QPen(made.color("zone"), 1)
        self._lane_pen = QPen(made.color("zone"), 1, Qt.PenStyle.DashLine)
        self._mask_pen = QPen(made.color("on_picture"), 1, Qt.PenStyle.DotLine)
        self._line_pen = QPen(made.color("on_picture"), 1.5)
        self._outline_pen = QPen(QColor(0, 0, 0, 110), 3)
        self._taken: list[QRectF] = []

    def paint_trails(self, painter: QPainter, trails: QPainterPath, picture: QRectF) -> None:
        """Paint where vehicles came from.

        Args:
            painter: On the widget.
            trails: In fractions of the picture.
            picture: Where the whole picture lies.
        """
        painter.save()
        painter.translate(picture.topLeft())
        painter.scale(picture.width(), picture.height())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in self._trail_pens:
            painter.setPen(pen)
            painter.drawPath(trails)
        painter.restore()

    def paint_scene(
        self,
        painter: QPainter,
        scene: Scene,
        counts: Mapping[str, Mapping[str, int]],
        picture: QRectF,
        room: QRectF,
        *,
        gaps: Mapping[str, int] | None = None,
        is_selected: bool = False,
    ) -> None:
        """Paint zones, lanes, counting lines with their live counts, and their names where there is room.

        A small picture shows the counts of its lines only; names come when it is selected or enlarged.

        Args:
            painter: On the widget.
            scene: Zones, lanes, lines and masks.
            counts: Key of line or zone -> direction -> number.
            picture: Where the whole picture lies.
            room: The part of the widget that can be seen.
            gaps: Key of line -> minutes that are missing in its counts: they are the least that there were.
            is_selected: The operator looks at this tile.
        """
        if not has_drawing(scene):
            return
        if (scene, picture, room) != self._shapes_key:
            self._shapes_key = (scene, QRectF(picture), QRectF(room))
            seen = picture.intersected(room)
            self._cut(self._draw_shapes(scene, picture, seen), seen)
            self._names_key = ()
        # Counts change many times a second, what they stand on does not.
        short = frozenset(gaps or ())
        if (counts, short, is_selected) != self._names_key:
            self._names_key = (counts, short, is_selected)
            seen = picture.intersected(room)
            self._names = self._place_names(scene, counts, short, picture, seen, is_selected=is_selected)
        self._shapes.paint(painter, 0, len(self._shapes.values), self._layer)
        for at, piece in self._names:
            painter.drawPixmap(at, piece)

    def _draw_shapes(self, scene: Scene, picture: QRectF, seen: QRectF) -> QImage:
        """Draw zones, lanes and lines once: they change far less often than the picture."""
        ratio = self.pixel_ratio
        made = QImage(
            max(1, round(seen.width() * ratio)),
            max(1, round(seen.height() * ratio)),
            QImage.Format.Format_ARGB32_Premultiplied,
        )
        made.setDevicePixelRatio(ratio)
        made.fill(Qt.GlobalColor.transparent)
        room = QRectF(0, 0, seen.width(), seen.height())
        whole = picture.translated(-seen.topLeft())
        with QPainter(made) as painter:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setOpacity(_SCENE_OPACITY)
            for mask in scene.masks:
                self._paint_mask(painter, mask, whole)
            for zone in scene.zones:
                self._paint_zone(painter, zone, whole)
            for lane in scene.lanes:
                self._paint_lane(painter, lane, whole, room)
            for line in scene.lines:
                self._paint_line(painter, line, whole)
        return made

    def _place_names(
        self,
        scene: Scene,
        counts: Mapping[str, Mapping[str, int]],
        short: frozenset[str],
        picture: QRectF,
        seen: QRectF,
        *,
        is_selected: bool,
    ) -> list[tuple[QPointF, QPixmap]]:
        """Return names and counts as plates, none above another."""
        has_names = is_selected or seen.width() >= SMALL_PX
        self._taken = []
        # Counts rise: what is not asked for again now does not come again.
        self._plates_before, self._plates = self._plates, {}
        found: list[tuple[QPointF, QPixmap] | None] = []
        # Counts first: where there is no room for all, they stay.
        for line in scene.lines:
            middle = QLineF(_on(picture, line.start), _on(picture, line.end)).pointAt(0.5)
            figures = counts.get(line.key, {})
            least = AT_LEAST if line.key in short else ""
            texts = [_figures_text(line, figures, least)]
            if has_names:
                texts.insert(0, f"{line.name}  {texts[0]}".rstrip())
            if seen.width() >= SMALL_PX:
                texts.insert(0, _line_text(line, figures, least))
            fitting = (text for text in texts if text and self._plate_width(text, seen) <= seen.width())
            found.append(self._place_plate(next(fitting, ""), middle, seen))
        for zone in scene.zones if has_names else ():
            text = _zone_text(zone, counts.get(zone.key, {}))
            found.append(self._place_plate(text, _lowest(zone.polygon, picture), seen))
        if has_names:
            found += [self._place_plate(lane.name, _lowest(lane.polygon, picture), seen) for lane in scene.lanes]
        self._plates_before = {}
        return [plate for plate in found if plate is not None]

    def _cut(self, layer: QImage, seen: QRectF) -> None:
        """Note where something is drawn in a layer that is mostly empty: blending nothing costs as much as a line."""
        alpha = np.frombuffer(layer.constBits(), np.uint8).reshape(layer.height(), layer.bytesPerLine())
        alpha = alpha[:, 3 : layer.width() * 4 : 4]
        rows = np.arange(0, alpha.shape[0], _PIECE_PX)
        columns = np.arange(0, alpha.shape[1], _PIECE_PX)
        is_used = np.maximum.reduceat(np.maximum.reduceat(alpha, rows, axis=0), columns, axis=1) > 0
        found = [
            (first * _PIECE_PX, row * _PIECE_PX, min(last * _PIECE_PX, layer.width()), (row + 1) * _PIECE_PX)
            for row, used in enumerate(is_used.tolist())
            for first, last in _runs(used)
        ]
        edges = np.array(found, np.float64).reshape(-1, 4)
        np.minimum(edges[:, 3], layer.height(), out=edges[:, 3])
        self._shapes = Fragments(len(found))
        fragments = self._shapes.values
        fragments[:, 0:2] = (edges[:, :2] + edges[:, 2:]) * (0.5 / self.pixel_ratio) + (seen.left(), seen.top())
        fragments[:, 2:4] = edges[:, :2]
        fragments[:, 4:6] = edges[:, 2:] - edges[:, :2]
        fragments[:, 6:8] = 1.0 / self.pixel_ratio
        layer.setDevicePixelRatio(1.0)
        self._layer = QPixmap.fromImage(layer)

    def _paint_zone(self, painter: QPainter, zone: Zone, picture: QRectF) -> None:
        outline = QPolygonF([_on(picture, point) for point in zone.polygon])
        painter.setPen(self._outline_pen)
        painter.drawPolygon(outline)
        painter.setPen(self._zone_pen)
        painter.drawPolygon(outline)

    def _paint_lane(self, painter: QPainter, lane: Lane, picture: QRectF, room: QRectF) -> None:
        outline = QPolygonF([_on(picture, point) for point in lane.polygon])
        along = QLineF(_on(picture, lane.start), _on(picture, lane.end))
        barb = self._look.sizes.gap * (1.5 if room.width() < SMALL_PX else 2.5)
        for pen, arrow_pen in ((self._outline_pen, self._outline_pen), (self._lane_pen, self._zone_pen)):
            painter.setPen(pen)
            painter.drawPolygon(outline)
            if along.length() > 2 * barb:
                painter.setPen(arrow_pen)
                painter.drawLines(_pointed(along, barb))

    def _paint_mask(self, painter: QPainter, mask: Mask, picture: QRectF) -> None:
        if mask.kind is MaskKind.PRIVACY:
            painter.setPen(self._mask_pen)
            painter.drawPolygon(QPolygonF([_on(picture, point) for point in mask.polygon]))

    def _paint_line(self, painter: QPainter, line: CountLine, picture: QRectF) -> None:
        drawn = QLineF(_on(picture, line.start), _on(picture, line.end))
        painter.setPen(self._outline_pen)
        painter.drawLine(drawn)
        painter.setPen(self._line_pen)
        painter.drawLine(drawn)
        painter.drawLines(_arrow(drawn, self._look.sizes.gap * (1.5 if picture.width() < SMALL_PX else 2.0)))

    def _place_plate(self, text: str, at: QPointF, seen: QRectF) -> tuple[QPointF, QPixmap] | None:
        """Put a plate below a place, or near it where another one stands; without room it is left out."""
        if not text:
            return None
        plate = self._plate(text, is_small=seen.width() < SMALL_PX)
        width, height = plate.width, plate.height
        x = max(seen.left(), min(at.x() - width / 2, seen.right() - width))
        for step in (0, 1, -1, 2, -2, 3, -3):
            y = max(seen.top(), min(at.y() + 3 + step * (height + 1), seen.bottom() - height))
            room = QRectF(round(x), round(y), width, height)
            if not any(room.intersects(other) for other in self._taken):
                self._taken.append(room)
                return room.topLeft(), plate.pixmap
        return None

    def _plate_width(self, text: str, picture: QRectF) -> float:
        return self._size_of(text, is_small=picture.width() < SMALL_PX)[0]

    def _size_of(self, text: str, *, is_small: bool) -> tuple[int, int]:
        """Return width and height of a plate."""
        metrics = self._metrics[is_small]
        return metrics.horizontalAdvance(text) + 2 * self._gap(is_small=is_small) + 2, metrics.height()

    def _gap(self, *, is_small: bool) -> int:
        return self._look.sizes.gap // 2 if is_small else self._look.sizes.gap

    def _plate(self, text: str, *, is_small: bool) -> _Plate:
        key = (text, is_small)
        plate = self._plates.get(key) or self._plates_before.get(key) or self._draw_plate(text, is_small=is_small)
        self._plates[key] = plate
        return plate

    def _draw_plate(self, text: str, *, is_small: bool) -> _Plate:
        width, height = self._size_of(text, is_small=is_small)
        made = QPixmap(round(width * self.pixel_ratio), round(height * self.pixel_ratio))
        made.setDevicePixelRatio(self.pixel_ratio)
        background = QColor(self._look.theme.picture)
        background.setAlpha(_PLATE_ALPHA)
        made.fill(background)
        with QPainter(made) as painter:
            painter.fillRect(QRectF(0, 0, 2, height), self._look.color("zone"))
            painter.setFont(self._fonts[is_small])
            painter.setPen(self._look.color("on_picture"))
            left = 2 + self._gap(is_small=is_small)
            painter.drawText(QRectF(left, 0, width, height), int(Qt.AlignmentFlag.AlignVCenter), text)
        return _Plate(made, made.width() / self.pixel_ratio, made.height() / self.pixel_ratio)


def has_drawing(scene: Scene) -> bool:
    """Whether anything of a scene is painted."""
    return bool(scene.zones or scene.lines or scene.lanes or scene.masks)


def gap_sentence(line: CountLine, n_minutes: int) -> str:
    """Return why the counts of a line are the least that there were."""
    minutes = "1 minute is" if n_minutes == 1 else f"{n_minutes:,} minutes are"
    return f"{line.name}: {minutes} missing or incomplete since midnight, so its counts are the least that there were."


def _line_text(line: CountLine, counts: Mapping[str, int], least: str) -> str:
    ways = (line.forward_name, line.backward_name)
    names = (counted_under(way, label) for label in ("", PERSON) for way in ways)
    return "  ".join([line.name, *(f"{name} {least}{counts[name]}" for name in names if name in counts)])


def _figures_text(line: CountLine, counts: Mapping[str, int], least: str) -> str:
    ways = (line.forward_name, line.backward_name)
    vehicles = " / ".join(f"{least}{counts[way]}" for way in ways if way in counts)
    people = " / ".join(f"{least}{counts[name]}" for way in ways if (name := counted_under(way, PERSON)) in counts)
    return "  ".join(text for text in (vehicles, people and f"{people} people") if text)


def _zone_text(zone: Zone, counts: Mapping[str, int]) -> str:
    return f"{zone.name}  {counts['inside']}" if "inside" in counts else zone.name


def _on(picture: QRectF, point: tuple[float, float]) -> QPointF:
    return QPointF(picture.x() + point[0] * picture.width(), picture.y() + point[1] * picture.height())


def _lowest(polygon: Iterable[tuple[float, float]], picture: QRectF) -> QPointF:
    return max((_on(picture, point) for point in polygon), key=lambda point: point.y())


def _runs(used: list[bool]) -> list[tuple[int, int]]:
    """Return where runs of True begin and end."""
    edges = [at for at, (a, b) in enumerate(zip([False, *used], [*used, False], strict=True)) if a != b]
    return list(zip(edges[::2], edges[1::2], strict=True))


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


def _pointed(line: QLineF, barb: float) -> list[QLineF]:
    """Return the middle half of `line` with a point at its end."""
    shaft = QLineF(line.pointAt(0.25), line.pointAt(0.75))
    along = line.unitVector()
    dx, dy = along.dx() * barb, along.dy() * barb
    tip = shaft.p2()
    return [
        shaft,
        QLineF(tip, QPointF(tip.x() - dx - dy * 0.6, tip.y() - dy + dx * 0.6)),
        QLineF(tip, QPointF(tip.x() - dx + dy * 0.6, tip.y() - dy - dx * 0.6)),
    ]
