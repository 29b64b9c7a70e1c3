"""Reads and decodes map tiles off the GUI thread, and keeps the newest decoded ones."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from core.kernel.errors import ConsoleError
from core.kernel.geo import GeoPoint, to_mercator
from widgets.map.tile_grid import RectM, TileKey, tiles_in
from widgets.map.tile_source import TileSetInfo, TileSource

_N_WORKERS = 2
_MAX_TILE_SIDE_PX = 2048
_RETRY_S = 20.0
_DARK_BELOW = 96
_LUMA = np.array([0.114, 0.587, 0.299], dtype=np.float32)  # blue, green, red: the order in memory


class TileLoader(QObject):
    """Decoded tiles of one source.

    Signals:
        opened(TileSetInfo): The source can be read.
        arrived(TileKey): A wanted tile is decoded, or is known to be missing.
        failed(str, str): Sentence and hint; once for each cause, until a tile can be read again.
    """

    opened = Signal(object)
    arrived = Signal(object)
    failed = Signal(str, str)
    # The ways back from the worker threads; the number tells a source from the one before it.
    _opened_in_worker = Signal(int, object, bool)
    _read_in_worker = Signal(int, object, object)
    _failed_in_worker = Signal(int, object, str, str)

    def __init__(self, *, max_bytes: int = 128 * 1024 * 1024, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._images: OrderedDict[TileKey, QImage] = OrderedDict()
        self._missing: dict[TileKey, float] = {}
        self._pending: dict[TileKey, Future[None]] = {}
        self._generation = 0
        self._source: TileSource | None = None
        self._info: TileSetInfo | None = None
        self._is_dark = False
        self._told = ""
        self._tone: tuple[float, float] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._opened_in_worker.connect(self._on_opened)
        self._read_in_worker.connect(self._on_read)
        self._failed_in_worker.connect(self._on_failed)

    @property
    def info(self) -> TileSetInfo | None:
        """What the open source says about itself; None while there is none."""
        return self._info

    @property
    def n_pending(self) -> int:
        """Tiles asked for and not yet there."""
        return len(self._pending)

    def open(self, opener: Callable[[], TileSource]) -> None:
        """Leave the source before and open another one, in a worker thread."""
        self.clear()
        generation = self._generation
        self._executor().submit(self._open_in_worker, generation, opener)

    def clear(self) -> None:
        """Show nothing."""
        self._generation += 1
        self._drop_tiles()
        self._told = ""
        self._info = None
        if self._source is not None:
            self._source.close()
            self._source = None

    def set_tone(self, saturation: float, lightness: float) -> None:
        """Tone tiles that were not drawn for a dark room: 1, 1 leaves them as they are."""
        tone = None if saturation == 1.0 and lightness == 1.0 else (saturation, lightness)
        if tone == self._tone:
            return
        self._tone = tone
        self._generation += 1
        self._drop_tiles()

    def image(self, key: TileKey) -> QImage | None:
        """Return a decoded tile, if it is here."""
        image = self._images.get(key)
        if image is not None:
            self._images.move_to_end(key)
        return image

    def is_missing(self, key: TileKey) -> bool:
        """Whether the source has no such tile, or could not give it a moment ago."""
        until = self._missing.get(key)
        return until is not None and time.monotonic() < until

    def want(self, keys: list[TileKey]) -> None:
        """Load these, in this order; whatever else was still waiting is dropped."""
        source = self._source
        if source is None:
            return
        wanted = set(keys)
        for key in [key for key in self._pending if key not in wanted]:
            if self._pending[key].cancel():
                del self._pending[key]
        tone = None if self._is_dark else self._tone
        for key in keys:
            if key in self._images or key in self._pending or self.is_missing(key):
                continue
            self._pending[key] = self._executor().submit(self._read, self._generation, source, key, tone)

    def close(self) -> None:
        """Stop the workers; a read under way ends by its own time-out."""
        self.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _executor(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_N_WORKERS, thread_name_prefix="map-tiles")
        return self._pool

    def _drop_tiles(self) -> None:
        for future in self._pending.values():
            future.cancel()
        self._pending.clear()
        self._images.clear()
        self._missing.clear()
        self._n_bytes = 0

    def _open_in_worker(self, generation: int, opener: Callable[[], TileSource]) -> None:
        try:
            source = opener()
        except ConsoleError as error:
            self._tell(self._failed_in_worker, generation, None, error.message, error.hint)
            return
        if not self._tell(self._opened_in_worker, generation, source, _is_drawn_dark(source)):
            source.close()

    def _read(self, generation: int, source: TileSource, key: TileKey, tone: tuple[float, float] | None) -> None:
        try:
            data = source.read(key)
        except ConsoleError as error:
            self._tell(self._failed_in_worker, generation, key, error.message, error.hint)
            return
        self._tell(self._read_in_worker, generation, key, None if data is None else decode(data, tone))

    @staticmethod
    def _tell(signal: object, *values: object) -> bool:
        try:
            signal.emit(*values)  # type: ignore[attr-defined]
        except RuntimeError:
            # The window was closed while we read.
            return False
        return True

    def _on_opened(self, generation: int, source: TileSource, is_dark: bool) -> None:
        if generation != self._generation:
            source.close()
            return
        self._source, self._info = source, source.info
        self._is_dark = is_dark
        self.opened.emit(source.info)

    def _on_read(self, generation: int, key: TileKey, image: QImage | None) -> None:
        if generation != self._generation:
            return
        self._pending.pop(key, None)
        if image is None:
            self._missing[key] = float("inf")
        else:
            self._told = ""
            self._images[key] = image
            self._n_bytes += image.sizeInBytes()
            while self._n_bytes > self._max_bytes and len(self._images) > 1:
                _, oldest = self._images.popitem(last=False)
                self._n_bytes -= oldest.sizeInBytes()
        self.arrived.emit(key)

    def _on_failed(self, generation: int, key: TileKey | None, message: str, hint: str) -> None:
        if generation != self._generation:
            return
        if key is not None:
            self._pending.pop(key, None)
            self._missing[key] = time.monotonic() + _RETRY_S
        if message != self._told:
            self._told = message
            self.failed.emit(message, hint)


def _is_drawn_dark(source: TileSource) -> bool:
    """Look at a tile from the middle of a set: one drawn for a dark room is not toned down again."""
    info = source.info
    if info.is_remote:
        # Not worth a request that may hang; servers give maps for paper.
        return False
    south, west, north, east = info.bounds_lat_lon or (-1.0, -1.0, 1.0, 1.0)
    x_m, y_m = to_mercator(GeoPoint((south + north) / 2, (west + east) / 2))
    key = tiles_in(RectM(x_m, y_m, x_m, y_m), info.min_zoom)[0]
    try:
        data = source.read(key)
    except ConsoleError:
        return False
    image = None if data is None else decode(data, None)
    if image is None:
        return False
    small = image.scaled(8, 8).convertToFormat(QImage.Format.Format_Grayscale8)
    return sum(small.pixelColor(x, y).lightness() for x in range(8) for y in range(8)) / 64 < _DARK_BELOW


def decode(data: bytes, tone: tuple[float, float] | None) -> QImage | None:
    """Decode one tile.

    Args:
        data: PNG, JPEG or WebP.
        tone: Saturation and lightness to keep, 0..1; None leaves the picture as it is.

    Returns:
        32-bit picture, or None where the bytes are no picture of a sensible size.
    """
    image = QImage.fromData(data)
    if image.isNull() or max(image.width(), image.height()) > _MAX_TILE_SIDE_PX:
        return None
    image = image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
    if tone is None:
        return image
    saturation, lightness = tone
    pixels = np.frombuffer(image.bits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    colour = pixels[:, :, :3].astype(np.float32)
    grey = colour @ _LUMA
    toned = (grey[:, :, None] * (1.0 - saturation) + colour * saturation) * lightness
    pixels[:, :, :3] = toned.astype(np.uint8)
    return image
