"""What a source of map tiles is, and how the right reader for an address is found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.kernel.errors import BadInputError
from widgets.map.tile_grid import TileKey


@dataclass(frozen=True, slots=True, kw_only=True)
class TileSetInfo:
    """What a tile set says about itself.

    Attributes:
        bounds_lat_lon: South, west, north, east [deg]; None where it does not say.
        is_remote: Reading a tile asks the network.
    """

    name: str
    min_zoom: int
    max_zoom: int
    attribution: str = ""
    bounds_lat_lon: tuple[float, float, float, float] | None = None
    is_remote: bool = False


class TileSource(Protocol):
    """Encoded tiles by key; `read` is called from several worker threads."""

    @property
    def info(self) -> TileSetInfo:
        """What the set says about itself."""
        ...

    def read(self, key: TileKey) -> bytes | None:
        """Return an encoded picture, or None where the set has no such tile.

        Raises:
            ConsoleError: The file or the server cannot be read.
        """
        ...

    def close(self) -> None:
        """Let go of the file; a later `read` returns None."""
        ...


def open_tiles(path: Path) -> TileSource:
    """Open a tile file by what it contains, not by its name.

    Raises:
        BadInputError: There is no such file, or it is not a raster MBTiles or PMTiles file.
    """
    # Here, because a console that shows no map of one kind needs no reader of it.
    from widgets.map.mbtiles import MbtilesFile
    from widgets.map.pmtiles import PmtilesFile

    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise BadInputError(
            f"The base map {path.name} cannot be opened: {error.strerror or error}.",
            hint="Choose another map file in the settings; cameras and devices are shown without it.",
        ) from error
    if head.startswith(b"SQLite format 3\0"):
        return MbtilesFile(path)
    if head.startswith(b"PMTiles"):
        return PmtilesFile(path)
    raise BadInputError(
        f"The base map {path.name} is neither an MBTiles nor a PMTiles file.",
        hint="Choose another map file in the settings; cameras and devices are shown without it.",
    )
