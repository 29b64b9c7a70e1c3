"""Raster tiles from a tile server, kept on disk; off unless the settings name a server."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from core.kernel.errors import BadInputError, UnavailableError
from widgets.map.tile_grid import TileKey
from widgets.map.tile_source import TileSetInfo

_MAX_TILE_BYTES = 2 * 1024 * 1024
_USER_AGENT = "Watchfloor (operations console)"


class XyzServer:
    """Tiles from a URL template with {z}, {x} and {y}.

    A tile on disk is shown at once; one older than `keep_s` is fetched again, and still shown when that fails.

    Raises:
        BadInputError: The template is not an http(s) address with the three places.
    """

    def __init__(
        self,
        template: str,
        cache_folder: Path,
        *,
        max_zoom: int = 19,
        attribution: str = "",
        timeout_s: float = 5.0,
        keep_s: float = 7 * 86_400.0,
        max_cache_bytes: int = 256 * 1024 * 1024,
        pause_s: float = 15.0,
    ) -> None:
        if not template.startswith(("https://", "http://")) or any(p not in template for p in ("{z}", "{x}", "{y}")):
            raise BadInputError(
                f"The map server address {template!r} is not usable.",
                hint="It looks like https://tiles.example/{z}/{x}/{y}.png.",
            )
        self._template = template
        self._folder = cache_folder / hashlib.blake2b(template.encode(), digest_size=8).hexdigest()
        self._timeout_s, self._keep_s, self._pause_s = timeout_s, keep_s, pause_s
        self._max_cache_bytes = max_cache_bytes
        self._info = TileSetInfo(
            name="Map server", min_zoom=0, max_zoom=max_zoom, attribution=attribution, is_remote=True
        )
        self._lock = threading.Lock()
        self._paused_until = 0.0
        self._n_written = 0
        self._is_closed = False

    @property
    def info(self) -> TileSetInfo:
        """What is known about the server's tiles."""
        return self._info

    def read(self, key: TileKey) -> bytes | None:
        """Return an encoded picture from disk or from the server, or None where the server has none.

        Raises:
            UnavailableError: The server does not answer and the tile is not on disk.
        """
        if self._is_closed:
            return None
        file = self._folder / str(key.zoom) / str(key.x) / f"{key.y}.tile"
        kept, age_s = _read_kept(file)
        if kept is not None and age_s < self._keep_s:
            return kept
        try:
            fetched = self._fetch(key)
        except UnavailableError:
            if kept is not None:
                return kept
            raise
        if fetched is not None:
            self._keep(file, fetched)
        return fetched

    def close(self) -> None:
        """Start no further request."""
        self._is_closed = True

    def _fetch(self, key: TileKey) -> bytes | None:
        if time.monotonic() < self._paused_until:
            raise self._unavailable("it did not answer a moment ago")
        url = self._template.replace("{z}", str(key.zoom)).replace("{x}", str(key.x)).replace("{y}", str(key.y))
        request = urllib.request.Request(url, headers={"User-Agent": _USER_AGENT})  # noqa: S310 - checked in __init__
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                data: bytes = answer.read(_MAX_TILE_BYTES + 1)
        except urllib.error.HTTPError as error:
            if error.code in {204, 404}:
                return None
            self._paused_until = time.monotonic() + self._pause_s
            raise self._unavailable(f"it answers {error.code}") from error
        except (OSError, ValueError) as error:
            # Not once per tile: a dead server would hold both workers for ever.
            self._paused_until = time.monotonic() + self._pause_s
            raise self._unavailable(str(getattr(error, "reason", error)) or type(error).__name__) from error
        if len(data) > _MAX_TILE_BYTES:
            raise self._unavailable("a tile is larger than 2 MiB")
        return data or None

    def _keep(self, file: Path, data: bytes) -> None:
        """Write beside and rename, so that a reader never sees half a tile; a full disk is no reason to show none."""
        beside = file.with_suffix(f".{threading.get_ident()}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(data)
            os.replace(beside, file)
        except OSError:
            beside.unlink(missing_ok=True)
            return
        with self._lock:
            self._n_written += 1
            is_due = self._n_written % 256 == 1
        if is_due:
            _prune(self._folder, self._max_cache_bytes)

    def _unavailable(self, why: str) -> UnavailableError:
        return UnavailableError(
            f"The map server cannot be reached: {why}.",
            hint="Parts seen before are shown; check the network, or choose a map file in the settings.",
        )


def _read_kept(file: Path) -> tuple[bytes | None, float]:
    try:
        age_s = time.time() - file.stat().st_mtime
        return file.read_bytes(), age_s
    except OSError:
        return None, 0.0


def _prune(folder: Path, max_bytes: int) -> None:
    """Delete the oldest tiles until the rest fits."""
    found = []
    for file in folder.rglob("*.tile"):
        try:
            stat = file.stat()
        except OSError:
            continue
        found.append((stat.st_mtime, stat.st_size, file))
    total = sum(size for _, size, _ in found)
    for _, size, file in sorted(found, key=lambda entry: entry[0]):
        if total <= max_bytes:
            return
        file.unlink(missing_ok=True)
        total -= size
