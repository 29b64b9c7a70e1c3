"""Where the tiles lie: one paint event for all of them, because one for each would cost more than the pictures."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QWidget

from widgets.base.theme import look, picture_look
from widgets.video.boxes import BoxPainter
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
        self._boxes: BoxPainter | None = None
        self._covered = QRegion()

    def show_tiles(self, tiles: Sequence[VideoTile]) -> None:
        """Paint exactly these, at the places they have now."""
        self._tiles = tuple((tile, tile.geometry()) for tile in tiles)
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
        changed = [(tile, place) for tile, place in self._tiles if region.intersects(place)]
        ratio = self.devicePixelRatioF()
        settled = [tile.settle(ratio) for tile, _ in changed]
        boxes = self._box_painter(ratio)
        boxed = [one for one in settled if one is not None]
        placed, at = boxes.place(boxed) if boxed else None, 0
        for (tile, place), has_boxes in zip(changed, settled, strict=True):
            # A region of one rectangle is painted much faster than one of several.
            painter.setClipRect(place)
            tile.paint_picture(painter)
            if has_boxes is not None and placed is not None:
                boxes.paint(painter, placed, at)
                at += 1
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
