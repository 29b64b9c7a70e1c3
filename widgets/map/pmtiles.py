"""Raster tiles from a PMTiles file (PMTiles specification 3.4: one file, directories in Hilbert order)."""

from __future__ import annotations

import bisect
import json
import struct
import threading
import zlib
from pathlib import Path
from typing import NamedTuple

from core.kernel.errors import BadInputError
from widgets.map.tile_grid import MAX_ZOOM, TileKey
from widgets.map.tile_source import TileSetInfo

_HINT = "Copy the map file again, or choose another one in the settings."
_HEADER = struct.Struct("<7sB11QBBBBBB4iB2i")
_MAX_DIRECTORY_BYTES = 64 * 1024 * 1024
_MAX_TILE_BYTES = 8 * 1024 * 1024
_MAX_DEPTH = 4
_NONE, _GZIP = 1, 2
_RASTER_TYPES = {2: "PNG", 3: "JPEG", 4: "WebP"}


class _Directory(NamedTuple):
    """One directory: four columns of the same length, tile ids ascending."""

    tile_ids: list[int]
    run_lengths: list[int]
    lengths: list[int]
    offsets: list[int]


class PmtilesFile:
    """One PMTiles file of version 3.

    Raises:
        BadInputError: Another version, damaged, compressed in a way we do not read, or a vector map.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._leaves: dict[int, _Directory] = {}
        self._file = path.open("rb")
        try:
            self._read_header()
        except BadInputError:
            self._file.close()
            raise
        except (ValueError, IndexError, struct.error, zlib.error, OSError) as error:
            self._file.close()
            raise self._damaged(error) from error

    @property
    def info(self) -> TileSetInfo:
        """What the file says about itself."""
        return self._info

    def read(self, key: TileKey) -> bytes | None:
        """Return an encoded picture, or None where the file has no such tile.

        Raises:
            BadInputError: The file is damaged.
        """
        if not self._info.min_zoom <= key.zoom <= self._info.max_zoom:
            return None
        tile_id = hilbert_id(key)
        with self._lock:
            if self._file.closed:
                return None
            try:
                directory = self._root
                for _ in range(_MAX_DEPTH):
                    index = bisect.bisect_right(directory.tile_ids, tile_id) - 1
                    if index < 0:
                        return None
                    run, length, offset = (
                        directory.run_lengths[index],
                        directory.lengths[index],
                        directory.offsets[index],
                    )
                    if run > 0:
                        if tile_id >= directory.tile_ids[index] + run:
                            return None
                        data = self._bytes_at(self._data_offset + offset, length, _MAX_TILE_BYTES)
                        return _unpack(data, self._tile_compression, _MAX_TILE_BYTES)
                    directory = self._leaf(offset, length)
            except (ValueError, IndexError, zlib.error, OSError) as error:
                raise self._damaged(error) from error
        raise self._damaged(ValueError("its directories are nested too deep"))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()

    def _read_header(self) -> None:
        raw = self._file.read(_HEADER.size)
        magic, version, *rest = _HEADER.unpack(raw)
        root_offset, root_length, meta_offset, meta_length, leaf_offset, _, data_offset, *more = rest
        _, _, _, _, _, compression, tile_compression, tile_type, low, high, *place = more
        if magic != b"PMTiles" or version != 3:
            raise BadInputError(
                f"The base map {self._path.name} is PMTiles version {version}; version 3 is read.", hint=_HINT
            )
        if tile_type not in _RASTER_TYPES:
            raise BadInputError(
                f"The base map {self._path.name} does not hold pictures; this map shows PNG, JPEG and WebP tiles.",
                hint="Export the map as raster tiles.",
            )
        if {compression, tile_compression} - {0, _NONE, _GZIP}:
            raise BadInputError(
                f"The base map {self._path.name} is compressed in a way that is not read here.",
                hint="Convert it with gzip or without compression.",
            )
        self._compression, self._tile_compression = compression, tile_compression
        self._leaf_offset, self._data_offset = leaf_offset, data_offset
        self._root = self._directory(root_offset, root_length)
        said = self._metadata(meta_offset, meta_length)
        west, south, east, north = (value / 1e7 for value in place[:4])
        is_sane = -90 <= south < north <= 90 and -180 <= west < east <= 180
        self._info = TileSetInfo(
            name=str(said.get("name", self._path.stem)),
            min_zoom=low,
            max_zoom=min(MAX_ZOOM, high),
            attribution=str(said.get("attribution", "")),
            bounds_lat_lon=(south, west, north, east) if is_sane else None,
        )

    def _metadata(self, offset: int, length: int) -> dict[str, object]:
        """Read the optional description; one that is damaged is no reason to show no map."""
        try:
            data = _unpack(self._bytes_at(offset, length, _MAX_TILE_BYTES), self._compression, _MAX_TILE_BYTES)
            said = json.loads(data) if data else {}
        except (ValueError, zlib.error):
            return {}
        return said if isinstance(said, dict) else {}

    def _leaf(self, offset: int, length: int) -> _Directory:
        if offset not in self._leaves:
            if len(self._leaves) > 256:
                self._leaves.clear()
            self._leaves[offset] = self._directory(self._leaf_offset + offset, length)
        return self._leaves[offset]

    def _directory(self, offset: int, length: int) -> _Directory:
        packed = self._bytes_at(offset, length, _MAX_DIRECTORY_BYTES)
        return _parse_directory(_unpack(packed, self._compression, _MAX_DIRECTORY_BYTES))

    def _bytes_at(self, offset: int, length: int, limit: int) -> bytes:
        if length > limit:
            raise ValueError(f"an entry of {length} bytes")
        self._file.seek(offset)
        data = self._file.read(length)
        if len(data) != length:
            raise ValueError("it ends too early")
        return data

    def _damaged(self, error: Exception) -> BadInputError:
        return BadInputError(f"The base map {self._path.name} is damaged: {error}.", hint=_HINT)


def hilbert_id(key: TileKey) -> int:
    """Return the PMTiles id of a tile: its place on the Hilbert curves of all zooms in turn.

    Source: PMTiles specification 3, section "Tile ID"; the curve after Hamilton's xy2d.
    """
    x, y, distance = key.x, key.y, 0
    for level in range(key.zoom - 1, -1, -1):
        side = 1 << level
        right, down = int(bool(x & side)), int(bool(y & side))
        distance += side * side * ((3 * right) ^ down)
        if not down:
            if right:
                x, y = side - 1 - (x & (side - 1)), side - 1 - (y & (side - 1))
            x, y = y, x
    return ((1 << (2 * key.zoom)) - 1) // 3 + distance


def _unpack(data: bytes, compression: int, limit: int) -> bytes:
    if compression != _GZIP:
        return data
    inflater = zlib.decompressobj(wbits=31)
    plain = inflater.decompress(data, limit)
    if inflater.unconsumed_tail:
        raise ValueError(f"an entry that unpacks to more than {limit} bytes")
    return plain


def _parse_directory(data: bytes) -> _Directory:
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number longer than 64 bits")

    count = varint()
    if count > len(data):
        raise ValueError(f"a directory of {count} entries in {len(data)} bytes")
    tile_ids, last = [], 0
    for _ in range(count):
        last += varint()
        tile_ids.append(last)
    run_lengths = [varint() for _ in range(count)]
    lengths = [varint() for _ in range(count)]
    offsets: list[int] = []
    for index in range(count):
        value = varint()
        # 0 means: right behind the entry before.
        offsets.append(offsets[-1] + lengths[index - 1] if value == 0 and index else value - 1)
    return _Directory(tile_ids, run_lengths, lengths, offsets)
