"""Where the tiles lie: one paint event for all of them, because one for each would cost more than the pictures."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QWidget

from widgets.base.theme import look
from widgets.video.tile import VideoTile


class WallCanvas(QWidget):
    """Paints the tiles that lie on it; they take the mouse and the keys themselves.

    A tile that changed calls `update` with its place here. Several tiles that changed in one turn of the event loop are
    painted by one painter, each cut off at its own edges.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._tiles: tuple[VideoTile, ...] = ()
        self._covered = QRegion()

    def show_tiles(self, tiles: Sequence[VideoTile]) -> None:
        """Paint exactly these, at the places they have now."""
        self._tiles = tuple(tiles)
        self._covered = QRegion()
        for tile in self._tiles:
            self._covered += tile.geometry()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the tiles that lie in what is to be painted, and the gaps between them."""
        region = event.region()
        painter = QPainter(self)
        gaps = region.subtracted(self._covered)
        if not gaps.isEmpty():
            painter.setClipRegion(gaps)
            painter.fillRect(gaps.boundingRect(), look().color("window"))
        changed = [(tile, place) for tile in self._tiles if region.intersects(place := tile.geometry())]
        # A picture takes the processor's caches; what is drawn on all of them afterwards finds its own there again.
        for paint in (VideoTile.paint_picture, VideoTile.paint_overlay):
            for tile, place in changed:
                # A region of one rectangle is painted much faster than one of several.
                painter.setClipRect(place)
                painter.translate(place.topLeft())
                paint(tile, painter)
                painter.resetTransform()
        painter.end()
