"""Pictures that could not be sent, kept on the device for whoever needs them afterwards; the oldest make room."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path


class Spool:
    """A folder of JPEGs named by the time they were taken.

    Threads: one.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        """Use `folder`, with what lies in it from before."""
        self._folder = folder
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._files = sorted(folder.glob("*.jpg"))
        self._sizes = {file: file.stat().st_size for file in self._files}
        self.n_bytes = sum(self._sizes.values())

    def __len__(self) -> int:
        """Count the pictures that are kept."""
        return len(self._files)

    def keep(self, jpeg: bytes, captured_at: datetime) -> None:
        """Keep a picture, and let go of the oldest ones where there is no room.

        Raises:
            OSError: The disk is full or gone.
        """
        if len(jpeg) > self._max_bytes:
            return
        while self._files and self.n_bytes + len(jpeg) > self._max_bytes:
            oldest = self._files.pop(0)
            oldest.unlink(missing_ok=True)
            self.n_bytes -= self._sizes.pop(oldest)
        file = self._folder / f"{captured_at:%Y%m%dT%H%M%S_%fZ}.jpg"
        part = file.with_suffix(".part")
        part.write_bytes(jpeg)
        part.replace(file)
        if file not in self._sizes:
            self._files.append(file)
            self._sizes[file] = len(jpeg)
            self.n_bytes += len(jpeg)
