"""The newest times that were signed well, kept over restarts: what was recorded before one is not believed after it."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)

Stream = tuple[int, int, int]
"""Link number of the signature, system and component."""

Times = Mapping[Stream, int]
"""Newest time of each stream [10 µs since 2015]."""


class _Kept(msgspec.Struct, frozen=True):
    """Of one link; of another key than the present one they say nothing."""

    key: str
    times: tuple[tuple[int, int, int, int], ...]
    """Stream and time."""


class SignedTimes:
    """Reads and writes them.

    Threads: any, one at a time.
    """

    def __init__(self, file: Path) -> None:
        """Keep them in a file, which is read now.

        A file that cannot be read is logged: then everything is believed once more that is newer than what is heard.
        """
        self._file = file
        self._kept: dict[str, _Kept] = {}
        try:
            self._kept = msgspec.json.decode(file.read_bytes(), type=dict[str, _Kept])
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError) as error:
            log.error("the newest signed times of drones cannot be read (%s): old messages may be believed", error)

    def of(self, link_id: str, key: bytes) -> dict[Stream, int]:
        """Return the newest times of a link that were signed with a key."""
        kept = self._kept.get(link_id)
        if kept is None or kept.key != _fingerprint(key):
            return {}
        return {(link, system, component): at for link, system, component, at in kept.times}

    def keep(self, heard: Mapping[str, tuple[bytes, Times]]) -> bool:
        """Write the times of links, by link with its key; returns whether anything was new.

        Raises:
            OSError: The disk does not take them.
        """
        kept = {
            link_id: _Kept(_fingerprint(key), tuple((*stream, at) for stream, at in times.items()))
            for link_id, (key, times) in heard.items()
            if times
        }
        fresh = self._kept | kept
        if fresh == self._kept:
            return False
        self._file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._file.with_suffix(".new")
        with unfinished.open("wb") as file:
            file.write(msgspec.json.encode(fresh))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._file)
        self._kept = fresh
        return True


def _fingerprint(key: bytes) -> str:
    """Return what tells keys apart and says nothing of them."""
    return hashlib.sha256(b"watchfloor" + key).hexdigest()[:16]
