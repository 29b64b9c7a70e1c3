"""What is painted over a picture of the scene: rings, names, counts, ages, alarms, the compass and the legend.

All of it lies where that picture was seen from, not where the eye has moved to since.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QLinearGradient, QPainter, QPen, QPolygonF

from widgets.base.symbols import AlarmMark, Attention, Flash
from widgets.base.theme import Look as Dress
from widgets.base.theme import look, picture_look
from widgets.base.times import format_age
from widgets.twin import pose as poses
from widgets.twin.board import Board, counts
from widgets.twin.legend import paint_states, states_size
from widgets.twin.model import BaysLook, Options
from widgets.twin.pose import Pose
from widgets.twin.scene import DeckPlace, LotPlace, TwinScene
from widgets.twin.stamps import Stamp, Stamps, paint_plate

NEAR_PX = 30.0
"""A bay as wide as this in the picture carries its label."""

ZONE_PX = 90.0
MAX_LABELS = 220
PLATE_EM = 34
"""A plate is no wider: what is longer goes on beneath."""

LEGEND_EM = 44
"""A narrower picture has no room for the legend of states."""

RIM = QColor(11, 14, 17, 190)


@dataclass(frozen=True, slots=True)
class Legend:
    """What the colours of a figure mean: its name, and both ends of the ramp."""

    title: str
    low: str
    high: str


@dataclass(slots=True, kw_only=True)
class Told:
    """What is said over the scene.

    Attributes:
        board: For ages on labels; None while the scene is not live.
        captions, zone_captions: Instead of counts, under the names of lots and zones.
        misparked: Bays of which one vehicle takes two, by their place in the scene.
        no_position: Names of cameras that see bays, and nobody said where they stand.
    """

    look: BaysLook | None = None
    board: Board | None = None
    alarms: dict[str, AlarmMark] = field(default_factory=dict)
    notice: str = ""
    legend: Legend | None = None
    captions: dict[str, str] = field(default_factory=dict)
    zone_captions: dict[tuple[str, str], str] = field(default_factory=dict)
    no_position: tuple[str, ...] = ()
    flash: Flash = field(default_factory=Flash)

    @property
    def is_by_figure(self) -> bool:
        """Whether bays are coloured by a figure, and none is free or occupied."""
        return self.legend is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One picture of the scene, and how large it is on the screen.

    Attributes:
        ratio: Pixels of the screen for one of the widget's.
        levels: Those that are drawn.
    """

    scene: TwinScene
    options: Options
    pose: Pose
    width_px: int
    height_px: int
    ratio: float
    levels: frozenset[int]

    def place(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where points of the scene, shape (n, 3), lie in the picture, and how far off; as `poses.project`."""
        return poses.project(self.pose, points, self.width_px, self.height_px)

    def px_per_m(self, depth: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how large a metre is at these depths [m]."""
        return poses.px_per_m(np.maximum(depth, 0.1), self.height_px)

    def outline(self, corners: NDArray[np.float64], *, lift_m: float) -> QPolygonF | None:
        """Return an outline in the picture; None where a part of it lies behind the eye."""
        at, depth = self.place(corners + np.array((0.0, 0.0, lift_m)))
        if np.any(depth <= 0.1):
            return None
        return QPolygonF([QPointF(x, y) for x, y in at])

    def is_level_shown(self, level: int) -> bool:
        """Whether a level is drawn."""
        return level in self.levels


class Overlay:
    """Paints over pictures.

    Attributes:
        written: The words that were painted over the last picture, in their order.
    """

    def __init__(self) -> None:
        self._stamps = Stamps()
        self.written: list[str] = []

    def paint(self, painter: QPainter, sight: Sight, told: Told, hovered: int | None, selected: int | None) -> None:
        """Paint everything over one picture.

        Args:
            painter: Of the widget.
            sight: The picture.
            told: What is said.
            hovered: The bay under the pointer, by its place in the scene.
            selected: The bay that is looked at.
        """
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        dress = picture_look() if sum(sight.options.palette.sky) < 3 * 128 else look()
        self.written = []
        _paint_ring(painter, sight, hovered, 1.5)
        _paint_ring(painter, sight, selected, 3.0)
        compass = self._compass(sight, dress)
        taken = [compass[1]]
        self._paint_lots(painter, sight, told, dress, taken)
        self._paint_decks(painter, sight, told, dress, taken)
        self._paint_cameras(painter, sight, dress, taken)
        self._paint_zones(painter, sight, told, dress, taken)
        self._paint_bays(painter, sight, told, dress, taken)
        compass[0].put(painter, compass[1])
        self._paint_legend(painter, sight, told, dress)
        self._paint_notice(painter, sight, told, dress)

    # -- lots and levels ---------------------------------------------------------------------------------------------

    def _paint_lots(self, painter: QPainter, sight: Sight, told: Told, dress: Dress, taken: list[QRectF]) -> None:
        for place in sight.scene.lots:
            shape = sight.outline(place.hull, lift_m=0.0)
            if shape is None:
                continue
            mark = told.alarms.get(place.lot_id)
            if mark is not None:
                _paint_alarm(painter, shape, mark, told.flash)
            box = shape.boundingRect()
            if not box.intersects(QRectF(0, 0, sight.width_px, sight.height_px)):
                continue
            small = QFontMetricsF(dress.font(dress.sizes.small))
            room_px = min(PLATE_EM * dress.sizes.small, sight.width_px - 10.0 * dress.sizes.gap - dress.sizes.body)
            captions = [place.name, *_wrapped(told.captions.get(place.lot_id) or _counts(place, told), small, room_px)]
            if not sight.options.is_apart:
                captions += [_deck_words(deck, told) for deck in _named_decks(sight) if deck.lot_id == place.lot_id]
            if place.n_undrawn:
                captions += _wrapped(f"{place.n_undrawn} bays are not drawn: rows, in their order", small, room_px)
            if told.no_position and place is sight.scene.lots[0]:
                captions += _wrapped(f"No position: {', '.join(told.no_position)}", small, room_px)
            plate = self._stamps.plate(tuple(captions), dress, mark, sight.ratio)
            top = QPointF(box.center().x(), min(box.top(), _top_of(sight, place)) - 10.0)
            self._put_plate(painter, plate, top, sight, told, dress, taken)
            self.written += captions

    def _put_plate(
        self,
        painter: QPainter,
        plate: Stamp,
        at: QPointF,
        sight: Sight,
        told: Told,
        dress: Dress,
        taken: list[QRectF],
    ) -> None:
        """Lay a plate with its lower edge at `at`, within the picture, and below what is there already."""
        gap, width, height = dress.sizes.gap, plate.size.width(), plate.size.height()
        box = QRectF(QPointF(round(at.x() - width / 2), round(at.y() - height)), plate.size)
        head_px = (dress.sizes.title + 8.0 * gap) if told.notice else 3.0 * gap
        if box.top() < head_px:
            # The lot is larger than the picture: its name stands in the corner, as on a sheet.
            box.moveTopLeft(QPointF(3.0 * gap, round(head_px)))
        box.moveLeft(min(max(box.left(), 3.0 * gap), max(3.0 * gap, sight.width_px - width - 3.0 * gap)))
        for other in taken:
            if box.intersects(other):
                box.moveTop(round(other.bottom() + 4))
        taken.append(box)
        plate.put(painter, box)

    def _paint_decks(self, painter: QPainter, sight: Sight, told: Told, dress: Dress, taken: list[QRectF]) -> None:
        """Name every level that stands apart, left of it or above, with its count; else the lot's plate says it."""
        for deck in _named_decks(sight) if sight.options.is_apart else ():
            at, depth = sight.place(deck.pad)
            if np.any(depth <= 0.1):
                continue
            words = _deck_words(deck, told)
            plate = self._stamps.plate((words,), dress, None, sight.ratio)
            box = _beside(plate, at, 3.0 * dress.sizes.gap)
            while any(box.intersects(other) for other in taken):
                box.translate(0.0, 2.0)
            if box.top() < 0 or box.bottom() > sight.height_px or box.left() > sight.width_px:
                continue
            taken.append(box)
            plate.put(painter, box)
            self.written.append(words)

    def _paint_zones(self, painter: QPainter, sight: Sight, told: Told, dress: Dress, taken: list[QRectF]) -> None:
        scene = sight.scene
        if len(scene.zones) <= len(scene.lots):
            return
        at, depth = sight.place(np.array([zone.at for zone in scene.zones]))
        spans = np.array([len(zone.indices) for zone in scene.zones]) * 2.5 / 2 * sight.px_per_m(depth)
        font = dress.font(dress.sizes.small, weight=QFont.Weight.DemiBold)
        inner = QRectF(20, 20, sight.width_px - 40, sight.height_px - 40)
        for zone, (x, y), far, span in zip(scene.zones, at.tolist(), depth.tolist(), spans.tolist(), strict=True):
            if far <= 0.0 or not zone.zone or span < ZONE_PX or not inner.contains(x, y):
                continue
            if not _is_labelled(sight, zone.lot_id, zone.level):
                continue
            caption = told.zone_captions.get((zone.lot_id, zone.zone), "")
            if not caption and told.look is not None and not told.is_by_figure:
                caption = f"{counts(told.look, zone.indices)[0]} free"
            self._write(painter, QPointF(x, y), f"{zone.zone}  {caption}".strip(), font, sight, dress, taken)

    def _paint_cameras(self, painter: QPainter, sight: Sight, dress: Dress, taken: list[QRectF]) -> None:
        """Name every camera where it hangs, and how high."""
        cones = sight.options.cones
        if not cones:
            return
        at, depth = sight.place(np.array([cone.apex for cone in cones]))
        font = dress.font(dress.sizes.small, weight=QFont.Weight.DemiBold)
        for cone, (x, y), far in zip(cones, at.tolist(), depth.tolist(), strict=True):
            if far > 0.0:
                text = f"{cone.name}  {cone.height_m:.1f} m"
                self._write(painter, QPointF(x, y - dress.sizes.body), text, font, sight, dress, taken)

    # -- bays --------------------------------------------------------------------------------------------------------

    def _paint_bays(self, painter: QPainter, sight: Sight, told: Told, dress: Dress, taken: list[QRectF]) -> None:
        scene = sight.scene
        if scene.n_bays == 0:
            return
        at, depth = sight.place(scene.mouths)
        wide = scene.widths_m * sight.px_per_m(depth)
        is_seen = (depth > 0) & (wide >= NEAR_PX) & (at[:, 0] > 0) & (at[:, 0] < sight.width_px)
        is_seen &= (at[:, 1] > 0) & (at[:, 1] < sight.height_px)
        seen = np.flatnonzero(is_seen)
        if not len(seen):
            return
        if not sight.options.is_apart:
            seen = seen[scene.is_uncovered(sight.options.top_level)[seen]]
        font = dress.mono_font(dress.sizes.caption)
        now = datetime.now(UTC)
        for i in seen[np.argsort(depth[seen])][:MAX_LABELS].tolist():
            text = self._label(i, told, now, is_wide=bool(wide[i] >= 1.6 * NEAR_PX), scene=scene)
            self._write(painter, QPointF(*at[i]), text, font, sight, dress, taken)

    def _label(self, i: int, told: Told, now: datetime, *, is_wide: bool, scene: TwinScene) -> str:
        """Return what is written before a bay: what is painted on its ground, and how old an old state is."""
        status = told.board.statuses.get(scene.keys[i]) if told.board is not None else None
        if status is None or not is_wide:
            return scene.labels[i]
        if status.is_stale:
            return f"{scene.labels[i]}  {format_age((now - status.at).total_seconds())} ago"
        return scene.labels[i]

    def _write(
        self,
        painter: QPainter,
        at: QPointF,
        text: str,
        font: QFont,
        sight: Sight,
        dress: Dress,
        taken: list[QRectF],
    ) -> None:
        """Write a label, unless another one is there already."""
        stamp = self._stamps.text(text, font, dress, sight.ratio)
        box = stamp.at(at)
        if any(box.intersects(other) for other in taken):
            return
        taken.append(box)
        stamp.put(painter, box)
        self.written.append(text)

    # -- the rim of the picture --------------------------------------------------------------------------------------

    def _compass(self, sight: Sight, dress: Dress) -> tuple[Stamp, QRectF]:
        stamp = self._stamps.compass(sight.pose.azimuth_deg, dress, sight.ratio)
        gap = 3.0 * dress.sizes.gap
        return stamp, QRectF(QPointF(sight.width_px - stamp.size.width() - gap, gap), stamp.size)

    def _paint_legend(self, painter: QPainter, sight: Sight, told: Told, dress: Dress) -> None:
        """Say what colours mean: the ramp of a figure with both of its ends, or the states of bays."""
        palette = sight.options.palette
        legend = told.legend
        key = (dress.sizes.body, dress.theme.is_dark, palette.sky)
        if legend is not None:
            stamp = self._stamps.made(
                ("ramp", legend, *key),
                sight.ratio,
                lambda: _ramp_size(legend, dress),
                lambda p, size: _paint_ramp(p, size, legend, palette.ramp, dress),
            )
        elif sight.width_px >= LEGEND_EM * dress.sizes.body:
            stamp = self._stamps.made(
                ("states", *key),
                sight.ratio,
                lambda: states_size(dress),
                lambda p, size: paint_states(p, size, palette, dress),
            )
        else:
            return
        gap = 3.0 * dress.sizes.gap
        stamp.put(painter, QRectF(QPointF(gap, round(sight.height_px - stamp.size.height() - gap)), stamp.size))

    def _paint_notice(self, painter: QPainter, sight: Sight, told: Told, dress: Dress) -> None:
        """Frame the picture and say so when it is not what is now."""
        if not told.notice:
            return
        color = dress.color("focus")
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(color, 4.0, Qt.PenStyle.DashLine))
        painter.drawRect(QRectF(2, 2, sight.width_px - 4, sight.height_px - 4))
        painter.setFont(dress.font(dress.sizes.title, weight=QFont.Weight.DemiBold))
        metrics = QFontMetricsF(painter.font())
        gap = dress.sizes.gap
        box = QRectF(0, 0, metrics.horizontalAdvance(told.notice) + 6 * gap, metrics.height() + 2 * gap)
        box.moveTopLeft(QPointF(3 * gap, 3 * gap))
        painter.setPen(QPen(color, 1.5))
        painter.setBrush(dress.color("panel"))
        painter.drawRoundedRect(box, dress.sizes.radius, dress.sizes.radius)
        painter.setPen(dress.color("text"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, told.notice)


def _paint_ring(painter: QPainter, sight: Sight, index: int | None, width_px: float) -> None:
    if index is None or not sight.is_level_shown(int(sight.scene.levels[index])):
        return
    shape = sight.outline(sight.scene.corners[index], lift_m=0.12)
    if shape is None:
        return
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (QPen(RIM, width_px + 2.5), QPen(look().color("focus"), width_px)):
        painter.setPen(pen)
        painter.drawPolygon(shape)


def _paint_alarm(painter: QPainter, shape: QPolygonF, mark: AlarmMark, flash: Flash) -> None:
    is_calling, is_lit = mark.attention is Attention.CALLING, flash.is_lit(mark.attention)
    style = Qt.PenStyle.DashLine if mark.attention is Attention.RETURNED else Qt.PenStyle.SolidLine
    width = (4.0 if is_calling else 2.5) if is_lit else 1.5
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(look().theme.priority(mark.priority)), width, style))
    painter.drawPolygon(shape)
    if is_calling and look().is_reduced_motion:
        painter.setPen(QPen(QColor(11, 14, 17), 1.5))
        painter.drawPolygon(shape)


def _top_of(sight: Sight, place: LotPlace) -> float:
    """Return the highest point of a lot in the picture [px]: that of its uppermost level, where it has several."""
    raised = place.hull.copy()
    raised[:, 2] = place.high[2]
    at, depth = sight.place(raised)
    return float(at[depth > 0.1, 1].min()) if np.any(depth > 0.1) else 0.0


def _counts(place: LotPlace, told: Told) -> str:
    here = np.arange(place.first, place.first + place.n_bays)
    if told.look is None or told.is_by_figure:
        return f"{place.n_bays} bays"
    return _count_words(told.look, here)


def _count_words(shown: BaysLook, here: NDArray[np.intp]) -> str:
    free, _, unknown = counts(shown, here)
    known = f"{free} free of {len(here)}" if unknown < len(here) else f"-- free of {len(here)}"
    return f"{known} · {unknown} not known" if unknown else known


def _beside(plate: Stamp, corners_px: NDArray[np.float64], rim_px: float) -> QRectF:
    """Return where a plate lies left of an outline, shape (4, 2); above it where there is no room for that."""
    x, y = corners_px[int(np.argmin(corners_px[:, 0]))].tolist()
    left = x - plate.size.width() - rim_px
    if left >= rim_px:
        return plate.at(QPointF(left + plate.size.width() / 2, y))
    x, y = corners_px[int(np.argmin(corners_px[:, 1]))].tolist()
    box = plate.at(QPointF(x, y - plate.size.height()))
    box.moveLeft(max(rim_px, box.left()))
    box.moveTop(max(rim_px, box.top()))
    return box


def _named_decks(sight: Sight) -> list[DeckPlace]:
    """Return the levels that are drawn of lots with several, from above."""
    return [deck for deck in sight.scene.decks if deck.name and sight.is_level_shown(deck.level)]


def _deck_words(deck: DeckPlace, told: Told) -> str:
    if told.look is None or told.is_by_figure or not len(deck.indices):
        return deck.name
    return f"{deck.name}   {_count_words(told.look, deck.indices)}"


def _is_labelled(sight: Sight, lot_id: str, level: int) -> bool:
    """Whether nothing of its own lot lies over a level, as it is drawn."""
    if not sight.is_level_shown(level):
        return False
    return sight.options.is_apart or level == sight.scene.top_level_of(lot_id, sight.options.top_level)


def _ramp_size(legend: Legend, dress: Dress) -> QSizeF:
    gap, metrics = dress.sizes.gap, QFontMetricsF(dress.font(dress.sizes.small))
    width = max(
        dress.sizes.body * 12.0,
        metrics.horizontalAdvance(legend.title),
        metrics.horizontalAdvance(f"{legend.low}      {legend.high}"),
    )
    return QSizeF(width + 4 * gap, metrics.height() * 2 + dress.sizes.body + 4 * gap)


def _paint_ramp(
    painter: QPainter, size: QSizeF, legend: Legend, ramp: tuple[tuple[int, int, int], ...], dress: Dress
) -> None:
    gap, box = dress.sizes.gap, QRectF(QPointF(0.0, 0.0), size)
    paint_plate(painter, box, dress, dress.color("line_strong"))
    painter.setFont(dress.font(dress.sizes.small))
    metrics = QFontMetricsF(painter.font())
    inner = box.adjusted(2 * gap, gap, -2 * gap, -gap)
    painter.setPen(dress.color("text"))
    painter.drawText(inner, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, legend.title)
    bar = QRectF(inner.left(), inner.top() + metrics.height() + gap, inner.width(), dress.sizes.body)
    shades = QLinearGradient(bar.topLeft(), bar.topRight())
    for i, color in enumerate(ramp):
        shades.setColorAt(i / (len(ramp) - 1), QColor(*color))
    painter.fillRect(bar, shades)
    painter.setPen(dress.color("text_secondary"))
    painter.drawText(inner, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft, legend.low)
    painter.drawText(inner, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignRight, legend.high)


def _wrapped(text: str, metrics: QFontMetricsF, room_px: float) -> list[str]:
    """Break a text between words so that each line fits; a longer word has a line of its own."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and metrics.horizontalAdvance(longer) > room_px:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
