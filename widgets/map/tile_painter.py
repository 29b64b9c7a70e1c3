"""Paints the base map from the tiles that are here, and says which ones it lacks."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap

from widgets.map.tile_grid import RectM, TileKey, parent, part_of, tile_rect, tiles_in, zoom_for
from widgets.map.tile_loader import TileLoader
from widgets.map.view import MapView, scale_bar

_MAX_TILES = 220
_MAX_UP = 8


class TilePainter:
    """One picture of the base map, kept until the view moves or a tile arrives."""

    def __init__(self, loader: TileLoader) -> None:
        self._loader = loader
        self._tile_px = 256
        self._picture = QPixmap()
        self._of: MapView | None = None
        self._land = QColor()
        self._grid = QColor()

    def set_colors(self, land: QColor, grid: QColor) -> None:
        """Set what lies where there is no tile."""
        self._land, self._grid = land, grid
        self.forget()

    def forget(self) -> None:
        """Paint anew: a tile arrived, or the source changed."""
        self._of = None

    def paint(self, painter: QPainter, view: MapView, pixel_ratio: float) -> None:
        """Paint the base map of `view` at the painter's origin."""
        if self._of != view or self._picture.devicePixelRatio() != pixel_ratio:
            self._compose(view, pixel_ratio)
            self._of = view
        painter.drawPixmap(QPointF(0, 0), self._picture)

    def _compose(self, view: MapView, pixel_ratio: float) -> None:
        width, height = math.ceil(view.width_px * pixel_ratio), math.ceil(view.height_px * pixel_ratio)
        if (self._picture.width(), self._picture.height()) != (width, height):
            # Kept as long as the size is: PySide leaves references behind for every painter on a new pixmap.
            self._picture = QPixmap(max(1, width), max(1, height))
        self._picture.setDevicePixelRatio(pixel_ratio)
        self._picture.fill(self._land)
        with QPainter(self._picture) as painter:
            if self._loader.info is None:
                self._paint_grid(painter, view)
            else:
                self._paint_tiles(painter, view, pixel_ratio)

    def _paint_tiles(self, painter: QPainter, view: MapView, pixel_ratio: float) -> None:
        info = self._loader.info
        if info is None:
            return
        zoom = zoom_for(view.resolution_m / pixel_ratio, self._tile_px, info.min_zoom, info.max_zoom)
        keys = tiles_in(view.rect, zoom)
        while len(keys) > _MAX_TILES and zoom > info.min_zoom:
            zoom -= 1
            keys = tiles_in(view.rect, zoom)
        keys = keys[:_MAX_TILES]
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        wanted: dict[TileKey, None] = {}
        for key in keys:
            image = self._loader.image(key)
            if image is not None:
                painter.drawImage(_target(tile_rect(key), view, pixel_ratio), image)
                # A set of 512 px tiles is a zoom sharper than it says.
                self._tile_px = image.width()
                wanted.setdefault(key)
                continue
            self._paint_ancestor(painter, key, view, pixel_ratio, wanted, info.min_zoom)
        self._loader.want(list(wanted))

    def _paint_ancestor(
        self,
        painter: QPainter,
        key: TileKey,
        view: MapView,
        pixel_ratio: float,
        wanted: dict[TileKey, None],
        min_zoom: int,
    ) -> None:
        """Paint the part of a coarser tile, until the right one is here; ask for the coarser one where none is."""
        is_asked = False
        above: TileKey | None = key
        for _ in range(_MAX_UP):
            if above is None or above.zoom < min_zoom:
                return
            image = self._loader.image(above)
            if image is not None:
                left, top, side = part_of(above, key)
                size = image.width()
                source = QRectF(left * size, top * size, side * size, side * size)
                painter.drawImage(_target(tile_rect(key), view, pixel_ratio), image, source)
                wanted.setdefault(above)
                return
            if not is_asked and not self._loader.is_missing(above):
                wanted.setdefault(above)
                is_asked = True
            above = parent(above)

    def _paint_grid(self, painter: QPainter, view: MapView) -> None:
        """Paint lines a round distance apart, so that one sees the map move."""
        step_m, _ = scale_bar(view.resolution_m, 160.0)
        painter.setPen(QPen(self._grid, 1, Qt.PenStyle.DotLine))
        rect = view.rect
        for index in range(math.ceil(rect.left / step_m), math.floor(rect.right / step_m) + 1):
            x, _ = view.to_px(index * step_m, 0)
            painter.drawLine(QPointF(round(x) + 0.5, 0), QPointF(round(x) + 0.5, view.height_px))
        for index in range(math.ceil(rect.bottom / step_m), math.floor(rect.top / step_m) + 1):
            _, y = view.to_px(0, index * step_m)
            painter.drawLine(QPointF(0, round(y) + 0.5), QPointF(view.width_px, round(y) + 0.5))


def _target(rect: RectM, view: MapView, pixel_ratio: float) -> QRectF:
    """Return where a tile is drawn, on whole physical pixels: fractions would show as seams."""
    left, top = view.to_px(rect.left, rect.top)
    right, bottom = view.to_px(rect.right, rect.bottom)

    def snapped(value: float) -> float:
        return round(value * pixel_ratio) / pixel_ratio

    x, y = snapped(left), snapped(top)
    return QRectF(x, y, snapped(right) - x, snapped(bottom) - y)
