"""Raster tiles from an MBTiles file (MBTiles 1.3: SQLite, rows counted from the south)."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from core.kernel.errors import BadInputError
from widgets.map.tile_grid import MAX_ZOOM, TileKey
from widgets.map.tile_source import TileSetInfo

_HINT = "Copy the map file again, or choose another one in the settings."


class MbtilesFile:
    """One MBTiles file, read-only.

    Raises:
        BadInputError: Not an MBTiles file, damaged, or a vector map.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        # `immutable`: maps lie on read-only media, and nobody writes one while the room runs.
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        try:
            self._connection: sqlite3.Connection | None = sqlite3.connect(uri, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        try:
            self._info = self._read_info(self._connection)
        except (sqlite3.Error, ValueError) as error:
            self._connection.close()
            raise self._unusable(error) from error
        except BadInputError:
            self._connection.close()
            raise

    @property
    def info(self) -> TileSetInfo:
        """What the file says about itself."""
        return self._info

    def read(self, key: TileKey) -> bytes | None:
        """Return an encoded picture, or None where the file has no such tile.

        Raises:
            BadInputError: The file is damaged.
        """
        tms_row = (1 << key.zoom) - 1 - key.y
        with self._lock:
            if self._connection is None:
                return None
            try:
                row = self._connection.execute(
                    "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?",
                    (key.zoom, key.x, tms_row),
                ).fetchone()
            except sqlite3.Error as error:
                raise self._unusable(error) from error
        return row[0] if row is not None and isinstance(row[0], bytes) else None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _read_info(self, connection: sqlite3.Connection) -> TileSetInfo:
        rows = connection.execute("SELECT name, value FROM metadata").fetchall()
        said = {str(name): str(value) for name, value in rows}
        if said.get("format", "") in {"pbf", "mvt"}:
            raise BadInputError(
                f"The base map {self._path.name} holds vector tiles; this map shows pictures (PNG, JPEG, WebP).",
                hint="Export the map as raster tiles.",
            )
        # The declared zooms are optional and sometimes wrong: ask the index.
        low, high = connection.execute("SELECT min(zoom_level), max(zoom_level) FROM tiles").fetchone()
        if low is None:
            raise BadInputError(f"The base map {self._path.name} holds no tiles.", hint=_HINT)
        return TileSetInfo(
            name=said.get("name", self._path.stem),
            min_zoom=max(0, int(low)),
            max_zoom=min(MAX_ZOOM, int(high)),
            attribution=said.get("attribution", ""),
            bounds_lat_lon=_bounds(said.get("bounds", "")),
        )

    def _unusable(self, error: Exception) -> BadInputError:
        return BadInputError(f"The base map {self._path.name} cannot be read: {error}.", hint=_HINT)


def _bounds(text: str) -> tuple[float, float, float, float] | None:
    """Parse "west,south,east,north" into south, west, north, east; None where it is not that."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        return None
    if not (-90 <= south < north <= 90 and -180 <= west < east <= 180):
        return None
    return south, west, north, east
