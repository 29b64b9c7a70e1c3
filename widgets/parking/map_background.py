"""The base map under a plan, opened when somebody first draws on it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QPainter

from core.kernel.geo import GeoPoint
from widgets.base.theme import look
from widgets.map.tile_loader import TileLoader
from widgets.map.tile_painter import TilePainter
from widgets.map.tile_source import TileSource
from widgets.parking.surface import PlanView


class MapBackground(QObject):
    """Tiles around a lot.

    Signals:
        changed(): A tile arrived.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._opener: Callable[[], TileSource] | None = None
        self._loader: TileLoader | None = None
        self._tiles: TilePainter | None = None

    def set_source(self, opener: Callable[[], TileSource] | None) -> None:
        """Name the tiles; they are opened with the first paint."""
        self._opener = opener
        if self._loader is not None:
            self.close()

    def paint(self, painter: QPainter, view: PlanView, origin: GeoPoint, pixel_ratio: float) -> None:
        """Paint the earth around a plan whose origin lies at `origin`."""
        if self._tiles is None:
            self._tiles = self._open()
        self._tiles.paint(painter, view.map_view(origin), pixel_ratio)

    def refresh_look(self) -> None:
        """Take the colours of another theme."""
        if self._tiles is not None:
            self._tiles.set_colors(look().color("map_land"), look().color("map_road_major"))

    def close(self) -> None:
        """Let go of the tiles."""
        if self._loader is not None:
            self._loader.close()
            self._loader.deleteLater()
        self._loader = self._tiles = None

    def _open(self) -> TilePainter:
        self._loader = TileLoader(parent=self)
        tiles = TilePainter(self._loader)
        tiles.set_colors(look().color("map_land"), look().color("map_road_major"))
        for signal in (self._loader.opened, self._loader.arrived):
            signal.connect(lambda _what: self._on_changed())
        if self._opener is not None:
            self._loader.open(self._opener)
        return tiles

    def _on_changed(self) -> None:
        if self._tiles is not None:
            self._tiles.forget()
        self.changed.emit()
