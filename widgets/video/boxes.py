"""Boxes and labels of many tracks in few calls: thousands a second go onto a wall of sixteen cameras.

Making a `QRect` costs more than filling it, and so does each call into Qt. The rectangles lie in one array that numpy
moves, the labels in one picture that is cut up by one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetrics, QPainter, QPen, QPixmap
from shiboken6 import wrapInstance

from widgets.base.theme import MIN_TEXT_PX, Look
from widgets.video.model import DrawnTracks

TINTS = {
    "car": "track_car",
    "bus": "track_bus",
    "truck": "track_truck",
    "motorcycle": "track_two_wheeler",
    "bicycle": "track_two_wheeler",
}
OTHER_TINT = "track_other"

_BARRED = ("track_bus", "track_truck")
_CORNERED = "track_two_wheeler"
_BOX_PART, _SMALL_BOX_PART = 0.6, 1.0
"""A label that is much wider than its box would hide the neighbours: it is shortened, then left out."""

_MAX_PLANS = 64
_ATLAS_WIDTH_PX, _ATLAS_HEIGHT_PX, _MAX_ATLAS_HEIGHT_PX = 512, 64, 256
_N_SIDES, _N_CORNER_BARS = 4, 8
_NO_PEN, _NO_BRUSH = QPen(Qt.PenStyle.NoPen), QBrush(Qt.BrushStyle.NoBrush)

# Rectangles as Qt keeps them: left, top, right and bottom, the last two inclusive. Sides are top, bottom, left, right.
_SIDES = np.array([0, 1, 2, 1, 0, 3, 2, 3, 0, 1, 0, 3, 2, 1, 2, 3])
_FRAME = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, -1, 0, 1, 0, -1], np.int32)
_BAR_ON_TOP = np.array([0, -1, 0, 1, 0, 0, 0, 0, 0, 2, 0, -1, 0, 2, 0, -1], np.int32)
_SHADOW = np.array([-1, -1, 1, 1, -1, -1, 1, 1, -1, 2, 1, -2, -1, 2, 1, -2], np.int32)

Edges = NDArray[np.int32]


class _Rects:
    """QRects that lie in one array."""

    def __init__(self) -> None:
        self._edges: Edges = np.zeros((0, 4), np.int32)
        self.rects: list[QRect] = []

    def take(self, n: int) -> Edges:
        """Return the edges of the first n rectangles, shape (n, 4), to be written."""
        if n > len(self.rects):
            # The rectangles must be gone before the memory they lie in.
            self.rects = []
            self._edges = np.zeros((max(64, 2 * n), 4), np.int32)
            at = self._edges.ctypes.data
            self.rects = [cast(QRect, wrapInstance(at + 16 * place, QRect)) for place in range(len(self._edges))]
        return self._edges[:n]


class _Fragments:
    """Pieces of one picture, of the layout of `QPainter.PixmapFragment`."""

    def __init__(self, scale: float) -> None:
        """Paint each pixel of the picture `scale` pixels of the widget large."""
        self._scale = scale
        self._values = np.zeros((0, 10))
        self.first: QPainter.PixmapFragment | None = None

    def take(self, n: int) -> NDArray[np.float64]:
        """Return the first n pieces, shape (n, 6): middle x and y, then left, top, width, height in the picture."""
        if n > len(self._values):
            self.first = None
            self._values = np.zeros((max(32, 2 * n), 10))
            self._values[:, 6:8] = self._scale
            self._values[:, 9] = 1.0
            self.first = cast(QPainter.PixmapFragment, wrapInstance(self._values.ctypes.data, QPainter.PixmapFragment))
        return self._values[:n, :6]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plan:
    """What follows from the classes of a set of tracks, which seldom change.

    Attributes:
        order: Places of the tracks that are drawn: frames by tint, then two-wheelers; None where that is how they lie.
        labels: Of the tracks in this order.
        n_framed: How many have a frame.
        sides: Shape (n_framed, 16), what is added to their edges.
        runs: Brush, first and last rectangle of each tint.
    """

    order: NDArray[np.intp] | None
    labels: tuple[str, ...]
    n_framed: int
    sides: Edges
    runs: tuple[tuple[QBrush, int, int], ...]


class _Atlas:
    """Labels drawn once, side by side in one opaque picture."""

    def __init__(self, made: Look, pixel_ratio: float, *, is_small: bool) -> None:
        self._look = made
        self._ratio = pixel_ratio
        self._font = made.font(MIN_TEXT_PX if is_small else made.sizes.caption)
        self._metrics = QFontMetrics(self._font)
        self._gap = made.sizes.gap // 2 if is_small else made.sizes.gap
        self.height_px = max(1, round(self._metrics.height() * pixel_ratio))
        # So that as many labels have room on any screen.
        self._width_px, first_px, self._most_px = (
            round(side * max(1.0, pixel_ratio)) for side in (_ATLAS_WIDTH_PX, _ATLAS_HEIGHT_PX, _MAX_ATLAS_HEIGHT_PX)
        )
        self._first_px = max(first_px, 2 * self.height_px)
        self.picture = self._sheet(self._first_px)
        self._places: dict[tuple[str, str], tuple[int, int, int]] = {}
        self._free = (0, 0)
        self.generation = 0

    def _sheet(self, height_px: int) -> QPixmap:
        sheet = QPixmap(self._width_px, height_px)
        # What is opaque is copied, not blended.
        sheet.fill(QColor(self._look.theme.picture))
        return sheet

    def place(self, text: str, token: str) -> tuple[int, int, int]:
        """Return left, top and width of a label in the picture [px of the picture]."""
        known = self._places.get((text, token))
        if known is not None:
            return known
        width = self._metrics.horizontalAdvance(text) + 2 * self._gap + 2
        width_px = min(self._width_px, round(width * self._ratio))
        left, top = self._free
        if left + width_px > self._width_px:
            left, top = 0, top + self.height_px
        if top + self.height_px > self.picture.height():
            self._grow()
            if not self._places:
                left, top = 0, 0
        self._draw(text, token, left, top, width_px)
        self._free = (left + width_px, top)
        self._places[(text, token)] = (left, top, width_px)
        return left, top, width_px

    def _grow(self) -> None:
        """Make room: a larger picture, or where it is large enough a new one: old numbers do not come again."""
        old = self.picture
        if old.height() >= self._most_px:
            self._places.clear()
            self.generation += 1
            self.picture = self._sheet(self._first_px)
            return
        self.picture = self._sheet(old.height() * 2)
        painter = QPainter(self.picture)
        painter.drawPixmap(0, 0, old)
        painter.end()

    def _draw(self, text: str, token: str, left_px: int, top_px: int, width_px: int) -> None:
        painter = QPainter(self.picture)
        painter.translate(left_px, top_px)
        painter.scale(self._ratio, self._ratio)
        width, height = width_px / self._ratio, self.height_px / self._ratio
        painter.setClipRect(QRectF(0, 0, width, height))
        painter.fillRect(QRectF(0, 0, 2, height), self._look.color(token))
        painter.setFont(self._font)
        painter.setPen(self._look.color("on_picture"))
        painter.drawText(QRectF(2 + self._gap, 0, width, height), int(Qt.AlignmentFlag.AlignVCenter), text)
        painter.end()


class BoxPainter:
    """Paints boxes with class and number onto the pictures of one camera.

    A car is a thin frame, a bus and a truck carry a bar along the top, two-wheelers are four corners: the classes
    differ without their tints, and the label says the class in words.
    """

    def __init__(self, made: Look, pixel_ratio: float) -> None:
        """Keep brushes of a look; make another painter when the look or the screen changes."""
        self._look = made
        self._ratio = pixel_ratio
        self._shadow = QBrush(QColor(made.theme.picture))
        self._brushes = {token: QBrush(made.color(token)) for token in (*dict.fromkeys(TINTS.values()), OTHER_TINT)}
        self._light, self._dark = _Rects(), _Rects()
        self._corner_light, self._corner_dark = _Rects(), _Rects()
        self._fragments = _Fragments(1.0 / pixel_ratio)
        self._plans: dict[tuple[tuple[str, ...], frozenset[str]], _Plan] = {}
        self._atlas: _Atlas | None = None
        self._is_small = False
        self._texts: dict[tuple[tuple[int, ...], tuple[str, ...], bool], tuple[int, NDArray[np.float64]]] = {}
        self._placed_on = QRectF()
        self._scale = self._offset = self._low = self._high = np.zeros(4, np.float32)

    def paint(
        self,
        painter: QPainter,
        tracks: DrawnTracks,
        picture: QRectF,
        *,
        hidden_labels: frozenset[str] = frozenset(),
        has_ids: bool = True,
        is_small: bool = False,
    ) -> None:
        """Paint the boxes of one picture.

        Args:
            painter: On the widget; what lies outside of it is cut off.
            tracks: Of this picture.
            picture: Where the whole picture lies; larger than the widget while it is zoomed.
            hidden_labels: Classes that are left out.
            has_ids: Whether labels carry the number of the track.
            is_small: Whether there is room for the number only.
        """
        if is_small is not self._is_small:
            self._is_small, self._atlas = is_small, None
        groups = [(opacity, *self._drawn(part, picture, hidden_labels)) for opacity, part in _by_opacity(tracks)]
        painter.setPen(_NO_PEN)
        for opacity, plan, edges, _ in groups:
            if tracks.opacities:
                painter.setOpacity(opacity)
            self._paint_frames(painter, plan, edges)
        painter.setBrush(_NO_BRUSH)
        # Labels come last: a frame across a number would make it unreadable.
        for opacity, plan, edges, track_ids in groups:
            if tracks.opacities:
                painter.setOpacity(opacity)
            self._paint_labels(painter, plan, edges, track_ids, picture.top(), has_ids=has_ids)
        if tracks.opacities:
            painter.setOpacity(1.0)

    def _drawn(
        self, tracks: DrawnTracks, picture: QRectF, hidden: frozenset[str]
    ) -> tuple[_Plan, Edges, tuple[int, ...]]:
        """Return what is drawn, where, and its numbers: without what is hidden or lies outside of the picture."""
        edges = self._placed(tracks.boxes, picture)
        labels, track_ids = tracks.labels, tracks.track_ids
        has_area = edges[:, 2:] > edges[:, :2]
        if not has_area.all():
            kept = np.flatnonzero(has_area.all(axis=1))
            edges = edges[kept]
            labels = tuple(labels[at] for at in kept.tolist())
            track_ids = tuple(track_ids[at] for at in kept.tolist())
        plan = self._plan(labels, hidden)
        if plan.order is None:
            return plan, edges, track_ids
        return plan, edges[plan.order], tuple(track_ids[at] for at in plan.order.tolist())

    def _placed(self, boxes: NDArray[np.float32], picture: QRectF) -> Edges:
        """Return boxes in whole pixels, shape (n, 4); one that runs ahead of its picture ends at the edge."""
        if picture != self._placed_on:
            x, y, width, height = picture.x(), picture.y(), picture.width(), picture.height()
            self._placed_on = QRectF(picture)
            self._scale = np.array((width, height, width, height), np.float32)
            self._offset = np.array((x, y, x, y), np.float32)
            self._low, self._high = self._offset, self._offset + self._scale
        edges = boxes * self._scale
        edges += self._offset
        np.maximum(edges, self._low, out=edges)
        np.minimum(edges, self._high, out=edges)
        np.rint(edges, out=edges)
        placed: Edges = edges.astype(np.int32)
        return placed

    def _plan(self, labels: tuple[str, ...], hidden: frozenset[str]) -> _Plan:
        plan = self._plans.get((labels, hidden))
        if plan is None:
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            plan = self._plans[(labels, hidden)] = self._make_plan(labels, hidden)
        return plan

    def _make_plan(self, labels: tuple[str, ...], hidden: frozenset[str]) -> _Plan:
        tokens = [TINTS.get(label, OTHER_TINT) for label in labels]
        shown = [at for at, label in enumerate(labels) if label not in hidden]
        framed = sorted((at for at in shown if tokens[at] != _CORNERED), key=lambda at: tokens[at])
        order = framed + [at for at in shown if tokens[at] == _CORNERED]
        runs: list[tuple[QBrush, int, int]] = []
        for place, at in enumerate(framed):
            first = runs.pop()[1] if runs and tokens[framed[place - 1]] == tokens[at] else place * _N_SIDES
            runs.append((self._brushes[tokens[at]], first, (place + 1) * _N_SIDES))
        sides = [_BAR_ON_TOP if tokens[at] in _BARRED else _FRAME for at in framed]
        return _Plan(
            order=None if order == list(range(len(labels))) else np.array(order, np.intp),
            labels=tuple(labels[at] for at in order),
            n_framed=len(framed),
            sides=np.array(sides, np.int32).reshape(-1, 16),
            runs=tuple(runs),
        )

    def _paint_frames(self, painter: QPainter, plan: _Plan, edges: Edges) -> None:
        """Paint frames of one light pixel on a dark one of three: pens cost several times as much as bars."""
        n_framed = plan.n_framed
        if n_framed:
            sides = edges[:n_framed, _SIDES]
            n_rects = n_framed * _N_SIDES
            np.add(sides, _SHADOW, out=self._dark.take(n_rects).reshape(-1, 16))
            np.add(sides, plan.sides, out=self._light.take(n_rects).reshape(-1, 16))
            painter.setBrush(self._shadow)
            painter.drawRects(self._dark.rects[:n_rects])
            rects = self._light.rects
            for brush, first, last in plan.runs:
                painter.setBrush(brush)
                painter.drawRects(rects[first:last])
        if n_framed < len(edges):
            self._paint_corners(painter, edges[n_framed:])

    def _paint_corners(self, painter: QPainter, edges: Edges) -> None:
        n_rects = len(edges) * _N_CORNER_BARS
        bars = self._corner_light.take(n_rects).reshape(-1, _N_CORNER_BARS, 4)
        x1, y1, x2, y2 = edges.T
        reach = np.maximum(3, np.rint(np.minimum(x2 - x1, y2 - y1) * 0.3).astype(np.int32))
        sides = (
            (x1, y1, x1 + reach, y1),
            (x2 - reach, y1, x2, y1),
            (x1, y2, x1 + reach, y2),
            (x2 - reach, y2, x2, y2),
            (x1, y1, x1, y1 + reach),
            (x2, y1, x2, y1 + reach),
            (x1, y2 - reach, x1, y2),
            (x2, y2 - reach, x2, y2),
        )
        for place, side in enumerate(sides):
            bars[:, place] = np.stack(side, axis=1)
        np.add(bars, 1, out=self._corner_dark.take(n_rects).reshape(-1, _N_CORNER_BARS, 4))
        painter.setBrush(self._shadow)
        painter.drawRects(self._corner_dark.rects[:n_rects])
        painter.setBrush(self._brushes[_CORNERED])
        painter.drawRects(self._corner_light.rects[:n_rects])

    def _paint_labels(
        self, painter: QPainter, plan: _Plan, edges: Edges, track_ids: tuple[int, ...], top: float, *, has_ids: bool
    ) -> None:
        if not len(edges):
            return
        places = self._label_places(plan, track_ids, has_ids=has_ids)
        chosen = self._fitting(places, edges)
        is_drawn = chosen < places.shape[1]
        if not is_drawn.all():
            edges, places, chosen = edges[is_drawn], places[is_drawn], chosen[is_drawn]
        n = len(edges)
        if not n:
            return
        atlas, scale = self._open_atlas(), 1.0 / self._ratio
        height = atlas.height_px * scale
        pieces = self._fragments.take(n)
        pieces[:, 2:5] = places[np.arange(n), chosen]
        pieces[:, 5] = atlas.height_px
        pieces[:, 0] = edges[:, 0] + pieces[:, 4] * (0.5 * scale)
        above = edges[:, 1] - height
        pieces[:, 1] = np.rint(np.where(above >= top, above, edges[:, 1])) + 0.5 * height
        assert self._fragments.first is not None
        painter.drawPixmapFragments(self._fragments.first, n, atlas.picture)

    def _fitting(self, places: NDArray[np.float64], edges: Edges) -> NDArray[np.intp]:
        """Return which label each box is wide enough for: 0 the longest, the number of labels for none."""
        part = _SMALL_BOX_PART if self._is_small else _BOX_PART
        fits = (edges[:, 2] - edges[:, 0])[:, None] >= places[:, :, 2] * (part / self._ratio)
        chosen: NDArray[np.intp] = np.where(fits.any(axis=1), fits.argmax(axis=1), places.shape[1])
        return chosen

    def _label_places(self, plan: _Plan, track_ids: tuple[int, ...], *, has_ids: bool) -> NDArray[np.float64]:
        """Return left, top and width of each label in the atlas, shape (n, variants, 3), the longest first."""
        atlas = self._open_atlas()
        key = (track_ids, plan.labels, has_ids)
        known = self._texts.get(key)
        if known is not None and known[0] == atlas.generation:
            return known[1]
        if len(self._texts) >= _MAX_PLANS:
            self._texts.clear()
        words = self._words(plan, track_ids, has_ids=has_ids)
        n_variants = max(1, *map(len, words)) if words else 1
        # Where the picture was full the first labels of this set went with the old ones: once more, into the new one.
        for _ in range(2):
            began = atlas.generation
            places = np.full((len(words), n_variants, 3), np.inf)
            for at, (label, texts) in enumerate(zip(plan.labels, words, strict=True)):
                token = TINTS.get(label, OTHER_TINT)
                for variant, text in enumerate(texts):
                    places[at, variant] = atlas.place(text, token)
            if atlas.generation == began:
                break
        self._texts[key] = (atlas.generation, places)
        return places

    def _words(self, plan: _Plan, track_ids: Iterable[int], *, has_ids: bool) -> list[Sequence[str]]:
        words: list[Sequence[str]] = []
        for label, track_id in zip(plan.labels, track_ids, strict=True):
            number = str(track_id) if has_ids else ""
            texts = [number] if self._is_small else [f"{label} {number}".rstrip(), number]
            words.append([text for text in texts if text])
        return words

    def _open_atlas(self) -> _Atlas:
        if self._atlas is None:
            self._atlas = _Atlas(self._look, self._ratio, is_small=self._is_small)
            self._texts.clear()
        return self._atlas


def _by_opacity(tracks: DrawnTracks) -> list[tuple[float, DrawnTracks]]:
    """Return tracks of one opacity at a time."""
    opacities = tracks.opacities
    if not opacities:
        return [(1.0, tracks)]
    parts = []
    for opacity in dict.fromkeys(opacities):
        chosen = [at for at, one in enumerate(opacities) if one == opacity]
        part = DrawnTracks(
            track_ids=tuple(tracks.track_ids[at] for at in chosen),
            labels=tuple(tracks.labels[at] for at in chosen),
            boxes=tracks.boxes[chosen],
        )
        parts.append((opacity, part))
    return parts
