"""Boxes and labels of all tiles in one call: thousands a second go onto a wall of sixteen cameras.

Everything is a piece of one picture: a bar of a frame is one pixel of it drawn longer, a label is a word and figures
side by side. Where the pieces go is worked out by numpy for all tiles at once, in the memory that Qt then reads: each
call into Qt, and each object made for one, costs more than what it paints.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPixmap

from widgets.base.theme import MIN_TEXT_PX, Look
from widgets.video.fragments import Floats, Fragments
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
_SHADOW = "shadow"
_END = " "
_BOX_PART, _SMALL_BOX_PART = 0.6, 1.0
"""A label that is much wider than its box would hide the neighbours: it is shortened, then left out."""

_MAX_KEPT = 512
_SHEET_WIDTH_PX, _SHEET_HEIGHT_PX = 512, 64
_NOWHERE = -1e9
_BEYOND_PX = 8
"""So far beyond the edges of a zoomed picture boxes end: their frames cannot be seen there."""

Places = NDArray[np.intp]

# What is known of a box once it has its place. Each piece names four of these: x and y of its middle, width and height.
_X1, _Y1, _X2, _Y2, _WIDTH, _HEIGHT, _MID_X, _MID_Y = range(8)
_LABEL, _TEXT, _LABEL_MID, _IS_LONG, _IS_ANY, _IS_SHORT, _NONE = range(8, 15)
_X1_IN, _Y1_IN, _X2_IN, _Y2_IN, _REACH = range(15, 20)
_N_MARKS = 20

_ACROSS = np.array([(_MID_X, _Y1, _WIDTH, _NONE), (_MID_X, _Y2, _WIDTH, _NONE)])
_DOWN = np.array([(_X1, _MID_Y, _NONE, _HEIGHT), (_X2, _MID_Y, _NONE, _HEIGHT)])
_CORNERS = np.array(
    [
        (_X1_IN, _Y1, _REACH, _NONE),
        (_X2_IN, _Y1, _REACH, _NONE),
        (_X1_IN, _Y2, _REACH, _NONE),
        (_X2_IN, _Y2, _REACH, _NONE),
        (_X1, _Y1_IN, _NONE, _REACH),
        (_X2, _Y1_IN, _NONE, _REACH),
        (_X1, _Y2_IN, _NONE, _REACH),
        (_X2, _Y2_IN, _NONE, _REACH),
    ]
)
# What is added to them. The middle of pixel 7 is 7.5, and from pixel 7 to pixel 9 it is three pixels.
_LINE, _DARK_LINE = np.array([(0.5, 0.5, 1, 1)]), np.array([(0.5, 0.5, 3, 3)])
_BAR_ON_TOP = np.array([(0.5, 0.5, 1, 3), (0.5, 0.5, 1, 1)])
_SIDE = np.array([(0.5, 0.5, 1, -1)])
_CORNER, _DARK_CORNER = np.array([(0.5, 0.5, 1, 1)]), np.array([(1.5, 1.5, 1, 1)])


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxRoom:
    """Where the boxes of one picture go, and which of them; kept by who paints, because more is worked out from it.

    Attributes:
        picture: Where the whole picture lies for the painter; larger than `room` while it is zoomed.
        room: What may be painted on.
        hidden_labels: Classes that are left out.
        has_ids: Whether labels carry the number of the track.
        is_small: Whether there is room for the number only.
        covered_px: What lies on the top of `room`: no label begins there.
    """

    picture: QRectF
    room: QRectF
    hidden_labels: frozenset[str] = frozenset()
    has_ids: bool = True
    is_small: bool = False
    covered_px: int = 0


class Boxed(NamedTuple):
    """The boxes of one picture, and where they go."""

    tracks: DrawnTracks
    room: BoxRoom


class _Pieces(NamedTuple):
    """Some pieces of the sheet.

    Attributes:
        marks: Shape (n, 4), which marks are the middle, width and height of each.
        added: Shape (n, 4), what is added to these.
        sources: Shape (n, 4), left, top, width and height in the sheet [px of it].
    """

    marks: Places
    added: Floats
    sources: Floats


class _Label(NamedTuple):
    """The label of one track.

    Attributes:
        size: Shape (7,) [px of the widget]: how wide a box must be for the long label and for the short one; width of
            the word, and of what stands before the number without it; width of both labels; height.
    """

    pieces: _Pieces
    size: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Plan:
    """What follows from the classes and numbers of a set of tracks, which change far less often than their places.

    Attributes:
        order: Which tracks are drawn; None where it is all of them.
        owners: Shape (n,), which box of the set each piece belongs to.
        sizes: Shape (7, n_boxes), of the labels.
        has_corners: Whether there is a two-wheeler.
    """

    order: Places | None
    pieces: _Pieces
    owners: Places
    sizes: Floats
    has_corners: bool


class _Planned(NamedTuple):
    """The plan of one picture of a group, and what it was made of."""

    track_ids: tuple[int, ...]
    labels: tuple[str, ...]
    room: BoxRoom
    plan: _Plan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _LabelRoom:
    """What is known of the label of each of n boxes before it has its place, shape (n,) [px of the widget].

    Attributes:
        wide_from: Shape (2, n), how wide a box must be for the long label and for the short one.
        long, short: Shape (2, n), how far in the text stands behind word or bar, and how far right the label may begin.
        left, top: Where labels may begin.
        above_from: How low a box must begin for a label above it.
        is_whole: Tops are whole pixels where edges of boxes are.
    """

    wide_from: Floats
    long: Floats
    short: Floats
    left: Floats
    top: Floats
    above_from: Floats
    height: Floats
    half: Floats
    is_whole: bool

    @classmethod
    def of(cls, sizes: Floats, room: Floats) -> _LabelRoom:
        """Work it out from the sizes of labels, as in `_Plan`, and the last four rows of `_edges`."""
        long_from, short_from, word, start, long_width, short_width, height = sizes
        left, top, right, room_height = room
        is_high = height * 3.0 <= room_height
        room_width = right - left
        return cls(
            wide_from=np.array(
                [
                    np.where((long_width <= room_width) & is_high, long_from, np.inf),
                    np.where((short_width <= room_width) & is_high, short_from, np.inf),
                ]
            ),
            long=np.array([word, right - long_width]),
            short=np.array([start, right - short_width]),
            left=left,
            top=top,
            above_from=top + height,
            height=height,
            half=height * 0.5,
            is_whole=bool((top % 1.0 == 0.0).all() and (height % 1.0 == 0.0).all()),
        )


class PlacedBoxes:
    """The boxes of some pictures that are painted together, each ready to be painted onto its own."""

    def __init__(self, plans: Sequence[_Plan], rooms: Sequence[BoxRoom], ratio: float) -> None:
        """Work out what stays while these pictures show these tracks."""
        n_boxes = [plan.sizes.shape[1] for plan in plans]
        n_pieces = [len(plan.owners) for plan in plans]
        firsts = np.cumsum([0, *n_boxes[:-1]])
        self._n = sum(n_boxes)
        self._n_pieces = n_pieces
        self._starts = np.cumsum([0, *n_pieces[:-1]]).tolist()
        self._scale = 1.0 / ratio
        self._orders = [plan.order for plan in plans]
        self._has_corners = any(plan.has_corners for plan in plans)
        self._owners = np.concatenate([plan.owners for plan in plans]) + np.repeat(firsts, n_pieces)
        # One row for each of the four: along a row numpy goes on without looking up.
        which = np.concatenate([plan.pieces.marks for plan in plans]) * self._n + self._owners[:, None]
        self._which = np.ascontiguousarray(which.T)
        self._added = np.ascontiguousarray(np.concatenate([plan.pieces.added for plan in plans]).T)
        self._is_faint = False
        sizes = np.concatenate([plan.sizes for plan in plans], axis=1)
        edges = np.repeat(np.array([_edges(room) for room in rooms]).T, n_boxes, axis=1)
        self._extent, self._corner, self._low, self._high, room = np.split(edges, (4, 8, 12, 16))
        self._labels = _LabelRoom.of(sizes, room)
        marks = self._marks = np.zeros((_N_MARKS, self._n))
        self._edges, self._size = marks[_X1 : _Y2 + 1], marks[_WIDTH : _HEIGHT + 1]
        self._middle, self._shown = marks[_MID_X : _MID_Y + 1], marks[_IS_LONG : _IS_ANY + 1]
        self._fragments = Fragments(sum(n_pieces))
        self._fragments.values[:, 2:6] = np.concatenate([plan.pieces.sources for plan in plans])

    def place(self, tracks: Sequence[DrawnTracks]) -> None:
        """Give the boxes of each picture their places."""
        boxes = [
            one.boxes if order is None else one.boxes[order] for one, order in zip(tracks, self._orders, strict=True)
        ]
        self._mark(np.concatenate(boxes).T)
        values = self._marks.take(self._which)
        values += self._added
        fragments = self._fragments.values
        fragments[:, 0], fragments[:, 1], fragments[:, 6], fragments[:, 7] = values
        was_faint, self._is_faint = self._is_faint, any(one.opacities for one in tracks)
        if self._is_faint:
            every = [np.array(one.opacities) if one.opacities else np.ones(len(one)) for one in tracks]
            kept = [one if order is None else one[order] for one, order in zip(every, self._orders, strict=True)]
            fragments[:, 9] = np.concatenate(kept)[self._owners]
        elif was_faint:
            fragments[:, 9] = 1.0

    def _mark(self, boxes: NDArray[np.float32]) -> None:
        """Work out the marks of all boxes, shape (4, n) in fractions of their pictures.

        One that runs ahead of its picture ends at the edge.
        """
        marks, edges, extent = self._marks, self._edges, self._size
        np.multiply(boxes, self._extent, out=edges)
        np.add(edges, self._corner, out=edges)
        np.maximum(edges, self._low, out=edges)
        np.minimum(edges, self._high, out=edges)
        np.rint(edges, out=edges)
        low, high = edges[:2], edges[2:]
        np.subtract(high, low, out=extent)
        np.add(high, low, out=self._middle)
        np.multiply(self._middle, 0.5, out=self._middle)
        if self._has_corners:
            reach = np.rint(extent.min(axis=0) * 0.3, out=marks[_REACH])
            np.maximum(reach, 3.0, out=reach)
            half = reach * 0.5
            np.add(edges[:2], half, out=marks[_X1_IN : _Y1_IN + 1])
            np.subtract(edges[2:], half, out=marks[_X2_IN : _Y2_IN + 1])
        self._mark_labels(edges[0], edges[1], extent[0])
        if np.minimum.reduce(extent, axis=None, initial=1.0) <= 0.0:
            is_seen = (extent > 0.0).all(axis=0)
            marks[:, ~is_seen] = _NOWHERE
            marks[_WIDTH : _HEIGHT + 1, ~is_seen] = marks[_IS_LONG : _NONE + 1, ~is_seen] = 0.0

    def _mark_labels(self, lefts: Floats, tops: Floats, widths: Floats) -> None:
        """Put the longest label that a box is wide enough for above it, or inside where there is no room above."""
        marks, room = self._marks, self._labels
        is_wide = widths >= room.wide_from
        before, last = np.where(is_wide[0], room.long, room.short)
        # A label of a box at the edge is moved in, so that it can be read.
        left = np.minimum(lefts, last, out=marks[_LABEL])
        np.maximum(left, room.left, out=left)
        np.add(left, before, out=marks[_TEXT])
        top = np.multiply(tops >= room.above_from, room.height, out=marks[_LABEL_MID])
        np.subtract(tops, top, out=top)
        np.maximum(top, room.top, out=top)
        if not room.is_whole:
            np.rint(top, out=top)
        np.add(top, room.half, out=top)
        long, shown = np.multiply(is_wide, self._scale, out=self._shown)
        np.subtract(shown, long, out=marks[_IS_SHORT])

    def paint(self, painter: QPainter, at: int, sheet: QPixmap) -> None:
        """Paint the boxes of one of the pictures."""
        self._fragments.paint(painter, self._starts[at], self._n_pieces[at], sheet)


def _edges(room: BoxRoom) -> tuple[float, ...]:
    """Return what one room gives to each of its boxes [px of the widget], 20 numbers.

    Width and height of the picture twice; its left and top twice; the lowest x1, y1, x2 and y2; the highest ones; left
    and top of where labels may begin; right of the room, and its height.
    """
    picture, within = room.picture, room.room
    extent, corner = (picture.width(), picture.height()) * 2, (picture.x(), picture.y()) * 2
    # The frame of a box at the edge of its picture is seen whole; what lies beyond a zoomed one is not.
    left, top = max(picture.x() + 1, within.x() - _BEYOND_PX), max(picture.y() + 1, within.y() - _BEYOND_PX)
    right = min(picture.x() + picture.width() - 2, within.x() + within.width() + _BEYOND_PX)
    bottom = min(picture.y() + picture.height() - 2, within.y() + within.height() + _BEYOND_PX)
    labels = (
        within.x(),
        max(picture.y(), within.y() + room.covered_px),
        within.x() + within.width(),
        within.height(),
    )
    return (*extent, *corner, left, top, left, top, right, bottom, right, bottom, *labels)


class _Sheet:
    """Colours, words and figures, drawn once side by side in one opaque picture.

    Figures stand alone, so that numbers may rise for weeks and nothing is drawn anew.
    """

    def __init__(self, made: Look, pixel_ratio: float) -> None:
        self._look = made
        self.ratio = pixel_ratio
        self._fonts = (made.font(made.sizes.caption), made.font(MIN_TEXT_PX))
        self._metrics = tuple(QFontMetrics(font) for font in self._fonts)
        self._gaps = (made.sizes.gap, made.sizes.gap // 2)
        self.heights_px = tuple(max(1, round(metrics.height() * pixel_ratio)) for metrics in self._metrics)
        # So that as many words have room in a row on any screen.
        self._width_px = round(_SHEET_WIDTH_PX * max(1.0, pixel_ratio))
        self.picture = self._blank(max(_SHEET_HEIGHT_PX, 2 * max(self.heights_px)))
        self._row_px = max(self.heights_px)
        self._free = (0, 0)
        self._colors: dict[str, tuple[float, ...]] = {}
        self._texts: dict[tuple[str, str, bool], tuple[float, ...]] = {}

    def _blank(self, height_px: int) -> QPixmap:
        sheet = QPixmap(self._width_px, height_px)
        # What is opaque is copied, not blended.
        sheet.fill(QColor(self._look.theme.picture))
        return sheet

    def color(self, token: str) -> tuple[float, ...]:
        """Return left, top, width and height of one pixel that has this colour."""
        known = self._colors.get(token)
        if known is None:
            left, top = self._room_for(1)
            with QPainter(self.picture) as painter:
                shadow = QColor(self._look.theme.picture)
                painter.fillRect(left, top, 1, 1, shadow if token == _SHADOW else self._look.color(token))
            known = self._colors[token] = (left, top, 1, 1)
        return known

    def profile(self, token: str) -> tuple[float, ...]:
        """Return left, top, width and height of a dark pixel, one of this colour and a dark one, side by side."""
        left, top = self._room_for(3)
        with QPainter(self.picture) as painter:
            painter.fillRect(left + 1, top, 1, 1, self._look.color(token))
        return left, top, 3, 1

    def text(self, text: str, token: str, *, is_small: bool) -> tuple[float, ...]:
        """Return left, top, width and height of a text; `token` is the colour of the bar before it, empty for none."""
        known = self._texts.get((text, token, is_small))
        if known is None:
            before = 2 + self._gaps[is_small] if token else 0
            advance = self._gaps[is_small] if text == _END else self._metrics[is_small].horizontalAdvance(text)
            width_px = min(self._width_px, max(1, round((before + advance) * self.ratio)))
            left, top = self._room_for(width_px)
            self._draw(text, token, QRectF(left, top, width_px, self.heights_px[is_small]), is_small=is_small)
            known = self._texts[(text, token, is_small)] = (left, top, width_px, self.heights_px[is_small])
        return known

    def end(self, *, is_small: bool) -> tuple[float, ...]:
        """Return left, top, width and height of what ends a label."""
        return self.text(_END, "", is_small=is_small)

    def _room_for(self, width_px: int) -> tuple[int, int]:
        left, top = self._free
        if left + width_px > self._width_px:
            left, top = 0, top + self._row_px
        if top + self._row_px > self.picture.height():
            old, self.picture = self.picture, self._blank(self.picture.height() * 2)
            with QPainter(self.picture) as painter:
                painter.drawPixmap(0, 0, old)
        self._free = (left + width_px, top)
        return left, top

    def _draw(self, text: str, token: str, place_px: QRectF, *, is_small: bool) -> None:
        with QPainter(self.picture) as painter:
            painter.translate(place_px.topLeft())
            painter.scale(self.ratio, self.ratio)
            width, height = place_px.width() / self.ratio, place_px.height() / self.ratio
            painter.setClipRect(QRectF(0, 0, width, height))
            left = 0
            if token:
                painter.fillRect(QRectF(0, 0, 2, height), self._look.color(token))
                left = 2 + self._gaps[is_small]
            painter.setFont(self._fonts[is_small])
            painter.setPen(self._look.color("on_picture"))
            painter.drawText(QRectF(left, 0, width, height), int(Qt.AlignmentFlag.AlignVCenter), text)


class BoxPainter:
    """Paints boxes with class and number onto pictures.

    A car is a thin frame, a bus and a truck carry a bar along the top, two-wheelers are four corners: the classes
    differ without their tints, and the label says the class in words.
    """

    def __init__(self, made: Look, pixel_ratio: float) -> None:
        """Keep colours of a look; make another painter when the look or the screen changes."""
        self.pixel_ratio = pixel_ratio
        self._sheet = _Sheet(made, pixel_ratio)
        self._frames: dict[str, tuple[_Pieces, _Pieces]] = {}
        self._labels: dict[tuple[str, int, bool, bool], _Label] = {}
        self._plans: dict[tuple[tuple[str, ...], tuple[int, ...], frozenset[str], bool, bool], _Plan] = {}
        self._group: tuple[tuple[object, ...], PlacedBoxes] | None = None
        self._planned: dict[int, _Planned] = {}

    def place(self, pictures: Sequence[Boxed]) -> PlacedBoxes:
        """Give the boxes of some pictures their places; good until the next call.

        Args:
            pictures: None of them above another. Where one is larger than its room the painter must be cut off there.
        """
        plans = [self._plan(at, tracks, room) for at, (tracks, room) in enumerate(pictures)]
        rooms = [room for _, room in pictures]
        key = (*plans, *rooms)
        if self._group is None or self._group[0] != key:
            self._group = key, PlacedBoxes(plans, rooms, self.pixel_ratio)
        group = self._group[1]
        group.place([tracks for tracks, _ in pictures])
        return group

    def paint(self, painter: QPainter, placed: PlacedBoxes, at: int) -> None:
        """Paint the boxes of one of the pictures that were placed together; `painter` has no transform."""
        placed.paint(painter, at, self._sheet.picture)

    def _plan(self, at: int, tracks: DrawnTracks, room: BoxRoom) -> _Plan:
        # The same tracks are seen again and again: then nobody compares their numbers.
        before = self._planned.get(at)
        if (
            before is not None
            and tracks.track_ids is before.track_ids
            and tracks.labels is before.labels
            and room is before.room
        ):
            return before.plan
        plan = self._plan_of(tracks, room)
        self._planned[at] = _Planned(tracks.track_ids, tracks.labels, room, plan)
        return plan

    def _plan_of(self, tracks: DrawnTracks, room: BoxRoom) -> _Plan:
        key = (tracks.labels, tracks.track_ids, room.hidden_labels, room.has_ids, room.is_small)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _MAX_KEPT:
                self._plans.clear()
            plan = self._plans[key] = self._make_plan(tracks, room)
        return plan

    def _make_plan(self, tracks: DrawnTracks, room: BoxRoom) -> _Plan:
        labels, track_ids = tracks.labels, tracks.track_ids
        shown = [at for at, label in enumerate(labels) if label not in room.hidden_labels]
        tokens = [TINTS.get(labels[at], OTHER_TINT) for at in shown]
        frames = [self._frame(token) for token in tokens]
        written = [self._label(labels[at], track_ids[at], has_ids=room.has_ids, is_small=room.is_small) for at in shown]
        # Dark below light, and labels last: a frame across a number would make it unreadable.
        pieces = [dark for dark, _ in frames] + [light for _, light in frames] + [label.pieces for label in written]
        return _Plan(
            order=None if len(shown) == len(labels) else np.array(shown, np.intp),
            pieces=_joined(pieces),
            owners=np.repeat(np.tile(np.arange(len(shown)), 3), [len(one.marks) for one in pieces]),
            sizes=np.array([label.size for label in written]).reshape(-1, 7).T,
            has_corners=_CORNERED in tokens,
        )

    def _frame(self, token: str) -> tuple[_Pieces, _Pieces]:
        """Return what is dark of a frame of three pixels, and the light line of one pixel on it."""
        known = self._frames.get(token)
        if known is None:
            shadow, color = self._sheet.color(_SHADOW), self._sheet.color(token)
            if token == _CORNERED:
                known = _pieces(_CORNERS, _DARK_CORNER, shadow), _pieces(_CORNERS, _CORNER, color)
            else:
                # What goes down touches a line of memory at each pixel: dark, light and dark are painted at once.
                sides = _pieces(_DOWN, _SIDE, self._sheet.profile(token))
                across = _BAR_ON_TOP if token in _BARRED else _LINE
                known = (
                    _joined([_pieces(_ACROSS, _DARK_LINE, shadow), sides]),
                    _pieces(_ACROSS, across, color),
                )
            self._frames[token] = known
        return known

    def _label(self, label: str, track_id: int, *, has_ids: bool, is_small: bool) -> _Label:
        key = (label, track_id, has_ids, is_small)
        known = self._labels.get(key)
        if known is None:
            if len(self._labels) >= 8 * _MAX_KEPT:
                self._labels.clear()
            known = self._labels[key] = self._make_label(label, track_id, has_ids=has_ids, is_small=is_small)
        return known

    def _make_label(self, label: str, track_id: int, *, has_ids: bool, is_small: bool) -> _Label:
        sheet, token = self._sheet, TINTS.get(label, OTHER_TINT)
        found: list[_Pieces] = []

        def put(left: int, x: float, shown: int, source: tuple[float, ...]) -> float:
            """Put a piece `x` from a mark, as large as another mark says; return where the next one begins."""
            width = source[2] / sheet.ratio
            found.append(
                _pieces(np.array([(left, _LABEL_MID, shown, shown)]), np.array([(x + width / 2, 0, 0, 0)]), source)
            )
            return x + width

        # Either of the two begins the label.
        word = put(_LABEL, 0.0, _IS_LONG, sheet.text(f"{label} " if has_ids else label, token, is_small=is_small))
        start = put(_LABEL, 0.0, _IS_SHORT, sheet.text("", token, is_small=is_small))
        rest = 0.0
        for figure in str(track_id) if has_ids else "":
            rest = put(_TEXT, rest, _IS_ANY, sheet.text(figure, "", is_small=is_small))
        rest = put(_TEXT, rest, _IS_ANY, sheet.end(is_small=is_small))
        part = _SMALL_BOX_PART if is_small else _BOX_PART
        long_from = np.inf if is_small else part * (word + rest)
        short_from = part * (start + rest) if has_ids else long_from
        height = sheet.heights_px[is_small] / sheet.ratio
        # Whole pixels, so that a label that is moved in stays on them.
        size = (long_from, short_from, word, start, math.ceil(word + rest), math.ceil(start + rest), height)
        return _Label(_joined(found), np.array(size))


def _pieces(marks: Places, added: Floats, source: tuple[float, ...]) -> _Pieces:
    return _Pieces(
        marks, np.broadcast_to(added, marks.shape), np.broadcast_to(np.array(source, np.float64), marks.shape)
    )


def _joined(pieces: Sequence[_Pieces]) -> _Pieces:
    if not pieces:
        return _Pieces(np.zeros((0, 4), np.intp), np.zeros((0, 4)), np.zeros((0, 4)))
    return _Pieces(*(np.concatenate(parts) for parts in zip(*pieces, strict=True)))
