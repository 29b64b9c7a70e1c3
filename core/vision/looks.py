"""Pictures on their way to the detector: one mapped file for each camera, written by its worker, read by the detector.

No lock is shared (`core.media.seqlock`): a worker that dies in the middle of a picture costs that picture. Messages
about the pictures go through a socket and are small.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.kernel.errors import BadInputError, UnavailableError
from core.media.seqlock import (
    PAGE_BYTES,
    SLOT_HEADER_BYTES,
    begin_write,
    end_write,
    fence,
    on_page,
    reserve_pages,
)

Picture = NDArray[np.uint8]
Pictures = NDArray[np.uint8]

N_SLOTS = 3
N_MOST = 2
"""Pictures of one look: the whole frame, and one detail of it."""

_MAGIC = int.from_bytes(b"WFLLOOK\x01", "little")
_W_MAGIC, _W_WIDTH, _W_HEIGHT = range(3)
_S_LOCK, _S_SEQUENCE, _S_N_PICTURES = range(3)
_numbers = itertools.count(1)


def remove_left(folder: Path, camera_id: str) -> None:
    """Remove what a worker that was killed left of a camera: each file holds megabytes of memory."""
    pattern = re.compile(rf"{re.escape(camera_id)}\.\d+-\d+\.looks")
    for path in folder.glob("*.looks"):
        if pattern.fullmatch(path.name):
            with contextlib.suppress(OSError):
                path.unlink()


def _slot_bytes(wh: tuple[int, int]) -> int:
    return on_page(SLOT_HEADER_BYTES + N_MOST * wh[0] * wh[1] * 3)


class LookWriter:
    """The worker's side; one thread writes, any closes."""

    def __init__(self, folder: Path, camera_id: str, wh: tuple[int, int]) -> None:
        """Make an empty file in place of any that is left of this camera; pages never written cost no memory.

        Args:
            folder: On a memory file system where there is one.
            camera_id: Part of the file's name.
            wh: The network's input [px].

        Raises:
            UnavailableError: There is no room for it.
        """
        self.wh = wh
        remove_left(folder, camera_id)
        # A name of its own: a detector that still reads the last file keeps reading that one; and sequences of its own,
        # so that a late answer to the last file is none to this one.
        number = next(_numbers)
        self.path = folder / f"{camera_id}.{os.getpid()}-{number}.looks"
        n_bytes = PAGE_BYTES + N_SLOTS * _slot_bytes(wh)
        try:
            with open(self.path, "wb") as file:
                if os.name == "posix":
                    os.fchmod(file.fileno(), 0o600)
                file.truncate(n_bytes)
            self._descriptor = os.open(self.path, os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
            self._map = mmap.mmap(self._descriptor, n_bytes)
        except OSError as error:
            raise UnavailableError(
                f"No memory for the detector's pictures of camera {camera_id}: {error.strerror}.",
                hint="Make /dev/shm larger (containers: --shm-size).",
            ) from error
        self._bytes = memoryview(self._map)
        self._words = self._bytes.cast("Q")
        self._pixels = np.frombuffer(self._bytes, np.uint8)
        self._words[_W_WIDTH], self._words[_W_HEIGHT] = wh
        self._words[_W_MAGIC] = _MAGIC
        self._reserved: dict[int, int] = {}
        self._sequence = number << 32

    def write(self, pictures: Sequence[Picture]) -> int:
        """Put one look's pictures, each (h, w, 3) RGB, into the oldest slot; return its sequence.

        Raises:
            UnavailableError: The memory file system is full.
        """
        width, height = self.wh
        sequence = self._sequence + 1
        at = PAGE_BYTES + sequence % N_SLOTS * _slot_bytes(self.wh)
        n_bytes = width * height * 3
        needed = SLOT_HEADER_BYTES + len(pictures) * n_bytes
        if needed > self._reserved.get(at, 0):
            reserve_pages(
                self._descriptor, at, needed, what="the detector's pictures", way_out="detect on fewer cameras"
            )
            self._reserved[at] = needed
        slot = at // 8
        begin_write(self._words, slot)
        self._words[slot + _S_SEQUENCE] = sequence
        self._words[slot + _S_N_PICTURES] = len(pictures)
        for number, picture in enumerate(pictures):
            start = at + SLOT_HEADER_BYTES + number * n_bytes
            np.copyto(self._pixels[start : start + n_bytes].reshape(height, width, 3), picture)
        end_write(self._words, slot)
        self._sequence = sequence
        return sequence

    def close(self) -> None:
        """Let go of the file and remove it; a reader keeps what it has mapped."""
        with contextlib.suppress(OSError):  # Windows keeps the file while the detector has it mapped.
            self.path.unlink()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class LookReader:
    """The detector's side; read-only, never waits. Used from one thread."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            UnavailableError: It is not there.
            BadInputError: It is none of this version.
        """
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                self._map = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise UnavailableError(f"The pictures {path} cannot be opened: {error}.") from error
        self._bytes = memoryview(self._map)
        self._words = self._bytes.cast("Q")
        self.wh = (self._words[_W_WIDTH], self._words[_W_HEIGHT]) if size >= PAGE_BYTES else (0, 0)
        if self._words[_W_MAGIC] != _MAGIC or size != PAGE_BYTES + N_SLOTS * _slot_bytes(self.wh):
            raise BadInputError(f"{path} holds no pictures for the detector.", hint="Restart the node.")
        self._pixels = np.frombuffer(self._bytes, np.uint8)

    def read(self, sequence: int) -> Pictures | None:
        """Copy one look, shape (n, h, w, 3); None where it has been overwritten."""
        width, height = self.wh
        at = PAGE_BYTES + sequence % N_SLOTS * _slot_bytes(self.wh)
        slot = at // 8
        lock = self._words[slot + _S_LOCK]
        fence()
        n_pictures = self._words[slot + _S_N_PICTURES]
        if lock % 2 or self._words[slot + _S_SEQUENCE] != sequence or not 0 < n_pictures <= N_MOST:
            return None
        start = at + SLOT_HEADER_BYTES
        n_bytes = n_pictures * width * height * 3
        copy = self._pixels[start : start + n_bytes].reshape(n_pictures, height, width, 3).copy()
        fence()
        return copy if self._words[slot + _S_LOCK] == lock else None
