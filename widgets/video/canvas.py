"""Where the tiles lie: one paint event for all of them, because one for each would cost more than the pictures."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QWidget

from widgets.base.theme import look, picture_look
from widgets.video.boxes import Boxed, BoxPainter
from widgets.video.tile import VideoTile


class WallCanvas(QWidget):
    """Paints the tiles that lie on it; they take the mouse and the keys themselves.

    A tile that changed calls `update` with its place here. Several tiles that changed in one turn of the event loop are
    painted by one painter, each cut off at its own edges.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._tiles: tuple[tuple[VideoTile, QRect], ...] = ()
        self._boxed: list[Boxed | None] = []
        self._boxes: BoxPainter | None = None
        self._covered = QRegion()

    def show_tiles(self, tiles: Sequence[VideoTile]) -> None:
        """Paint exactly these, at the places they have now."""
        self._tiles = tuple((tile, tile.geometry()) for tile in tiles)
        self._boxed = [None] * len(tiles)
        self._covered = QRegion()
        for _, place in self._tiles:
            self._covered += place
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the tiles that lie in what is to be painted, and the gaps between them."""
        region = event.region()
        painter = QPainter(self)
        gaps = region.subtracted(self._covered)
        if not gaps.isEmpty():
            painter.setClipRegion(gaps)
            painter.fillRect(gaps.boundingRect(), look().color("window"))
        tiles, boxed, ratio = self._tiles, self._boxed, self.devicePixelRatioF()
        changed = [at for at, (_, place) in enumerate(tiles) if region.intersects(place)]
        for at in changed:
            boxed[at] = tiles[at][0].settle(ratio)
        boxes = self._box_painter(ratio)
        # Those of unchanged tiles as well: other tiles change each time, and a group of others is worked out anew.
        shown = [at for at, one in enumerate(boxed) if one is not None]
        placed = boxes.place([one for one in boxed if one is not None]) if shown else None
        for at in changed:
            tile, place = tiles[at]
            # A region of one rectangle is painted much faster than one of several.
            painter.setClipRect(place)
            tile.paint_picture(painter)
            if placed is not None and boxed[at] is not None:
                boxes.paint(painter, placed, shown.index(at))
            tile.paint_overlay(painter)
        painter.end()

    def _box_painter(self, ratio: float) -> BoxPainter:
        if self._boxes is None or self._boxes.pixel_ratio != ratio:
            self._boxes = BoxPainter(picture_look(), ratio)
        return self._boxes

    def changeEvent(self, event: QEvent) -> None:
        """Take over another look."""
        if event.type() == QEvent.Type.StyleChange:
            self._boxes = None
        super().changeEvent(event)
