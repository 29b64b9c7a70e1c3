"""Where the tiles lie: one paint event for all of them, because one for each would cost more than the pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from PySide6.QtCore import QEvent, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QRegion, QResizeEvent
from PySide6.QtWidgets import QWidget

from widgets.base.theme import look, picture_look
from widgets.video.boxes import Boxed, BoxPainter, PlacedBoxes
from widgets.video.face import TileFace
from widgets.video.strip import StripPainter
from widgets.video.tile import VideoTile, paint_no_picture

_KEPT_REGIONS = 512


class _Place(NamedTuple):
    """One tile, and where it lies."""

    tile: VideoTile
    face: TileFace
    rect: QRect


class _Places(NamedTuple):
    """Some of the tiles, and what they cover."""

    region: QRegion
    at: tuple[int, ...]


class WallCanvas(QWidget):
    """Paints the tiles that lie on it; they take the mouse and the keys themselves.

    A tile that changed calls `update` with its place here, and the wall `show_pictures` for all that have newer
    pictures. Those of one turn of the event loop are painted by one painter, each cut off at its own edges.

    Signals:
        resized(): The tiles must be placed anew.
        ratio_changed(): It lies on a screen of another density.
    """

    resized = Signal()
    ratio_changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._tiles: tuple[_Place, ...] = ()
        self._numbers: dict[TileFace, int] = {}
        self._boxed: list[Boxed | None] = []
        self._made: tuple[BoxPainter, StripPainter] | None = None
        self._ratio = 0.0
        self._covered = QRegion()
        # Which tiles have newer pictures, a bit for each.
        self._wanted = 0
        self._known: dict[int, _Places] = {}

    def show_tiles(self, tiles: Sequence[VideoTile]) -> None:
        """Paint exactly these, at the places they have now."""
        self._tiles = tuple(_Place(tile, tile.face, tile.geometry()) for tile in tiles)
        self._numbers = {place.face: at for at, place in enumerate(self._tiles)}
        self._boxed = [None] * len(tiles)
        self._wanted = 0
        self._known.clear()
        self._covered = self._places(range(len(tiles))).region
        self.update()

    def show_pictures(self, faces: Iterable[TileFace]) -> None:
        """Paint these in the next turn: their pictures are newer, and nothing else of them changed."""
        numbers, wanted = self._numbers, self._wanted
        for face in faces:
            number = numbers.get(face)
            if number is not None:
                wanted |= 1 << number
        if wanted:
            self._wanted = wanted
            self.update(self._places_of(wanted).region)

    def _places_of(self, wanted: int) -> _Places:
        known = self._known.get(wanted)
        if known is None:
            if len(self._known) >= _KEPT_REGIONS:
                self._known.clear()
            at = [number for number in range(len(self._tiles)) if wanted >> number & 1]
            known = self._known[wanted] = self._places(at)
        return known

    def _places(self, at: Iterable[int]) -> _Places:
        numbers, region = tuple(at), QRegion()
        for number in numbers:
            region += self._tiles[number].rect
        return _Places(region, numbers)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the tiles that lie in what is to be painted, and the gaps between them.

        What goes wrong with one camera leaves the pictures of the others, and its own tile says so.
        """
        region = event.region()
        faults: dict[int, Exception] = {}
        with QPainter(self) as painter:
            places = self._places_of(self._wanted)
            self._wanted = 0
            # Where it is just what newer pictures asked for, nobody need look for it.
            changed = places.at if places.region == region else self._changed(painter, region)
            tiles, boxed, ratio = self._tiles, self._boxed, self.devicePixelRatioF()
            for at in changed:
                tile, face, _ = tiles[at]
                try:
                    boxed[at] = face.boxed() if face.stands(ratio) else tile.settle(ratio)
                except Exception as error:  # noqa: BLE001 - told once the others are painted
                    boxed[at], faults[at] = None, error
            unsettled = frozenset(faults)
            boxes, strips = self._painters(ratio)
            # Those of unchanged tiles as well: other tiles change each time, and a group of others is worked out anew.
            pictures = [one for one in boxed if one is not None]
            try:
                placed = boxes.place(pictures) if pictures else None
            except Exception:  # noqa: BLE001 - whose they are is found out, and told
                placed = self._place_apart(boxes, faults)
            shown = [at for at, one in enumerate(boxed) if one is not None]
            for at in changed:
                tile, face, rect = tiles[at]
                # A region of one rectangle is painted much faster than one of several.
                painter.setClipRect(rect)
                if at in unsettled:
                    _paint_fault(painter, rect)
                    continue
                try:
                    standing = face.standing
                    if standing is not None:
                        face.paint_picture(painter, standing)
                        if standing.has_more_below:
                            tile.paint_below(painter)
                    else:
                        tile.paint_picture(painter)
                    if placed is not None and boxed[at] is not None:
                        boxes.paint(painter, placed, shown.index(at))
                    if standing is None:
                        tile.paint_overlay(painter, strips)
                        continue
                    painter.drawPixmap(standing.corner, standing.strip)
                    if standing.has_more_above:
                        tile.paint_marks(painter)
                    for bar, color in standing.rings:
                        painter.fillRect(bar, color)
                    frame = face.frame
                    if frame is not None and not frame.is_intact():
                        tile.paint_again_if_torn()
                except Exception as error:  # noqa: BLE001 - told once the others are painted
                    faults.setdefault(at, error)
                    # Whatever it was set to, the next tile finds it as new.
                    painter.end()
                    painter.begin(self)
                    painter.setClipRect(rect)
                    _paint_fault(painter, rect)
        for fault in faults.values():
            sys.excepthook(type(fault), fault, fault.__traceback__)

    def _place_apart(self, boxes: BoxPainter, faults: dict[int, Exception]) -> PlacedBoxes | None:
        """Place the boxes of all tiles but of those whose boxes cannot be placed; these keep their pictures.

        None where there are no others, or where only all together cannot be placed: then nothing is boxed this time.
        """
        for at, one in enumerate(self._boxed):
            if one is not None:
                try:
                    boxes.place([one])
                except Exception as error:  # noqa: BLE001 - told once the others are painted
                    self._boxed[at] = None
                    faults.setdefault(at, error)
        pictures = [one for one in self._boxed if one is not None]
        try:
            return boxes.place(pictures) if pictures else None
        except Exception as error:  # noqa: BLE001 - told once the others are painted
            faults.setdefault(len(self._boxed), error)
            return None

    def _changed(self, painter: QPainter, region: QRegion) -> Sequence[int]:
        """Paint the gaps of a region, and return the tiles that lie in it."""
        gaps = region.subtracted(self._covered)
        if not gaps.isEmpty():
            painter.setClipRegion(gaps)
            painter.fillRect(gaps.boundingRect(), look().color("window"))
        return [at for at, place in enumerate(self._tiles) if region.intersects(place.rect)]

    def _painters(self, ratio: float) -> tuple[BoxPainter, StripPainter]:
        if ratio != self._ratio:
            self._ratio = ratio
            self.ratio_changed.emit()
            self._made = None
        if self._made is None:
            made = picture_look()
            self._made = BoxPainter(made, ratio), StripPainter(made, ratio)
        return self._made

    def changeEvent(self, event: QEvent) -> None:
        """Take over another look."""
        if event.type() == QEvent.Type.StyleChange:
            self._made = None
        super().changeEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Say that the tiles must be placed anew."""
        super().resizeEvent(event)
        self.resized.emit()


def _paint_fault(painter: QPainter, rect: QRect) -> None:
    """Paint over a tile that could not be painted: what was there before would look like a live picture."""
    paint_no_picture(painter, QRectF(rect), "This tile cannot be painted.", "Help copies the report of what broke.")
