"""Pictures that could not be sent, kept on the device until they can; the oldest make room, and are counted."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

_NAME = "%Y%m%dT%H%M%S_%fZ"


class Spool:
    """A folder of JPEGs named by the time they were taken.

    Threads: any.

    Attributes:
        n_dropped: Pictures that made room for newer ones since the start.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        """Use `folder`, with what lies in it from before."""
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._files = sorted(folder.glob("*.jpg"))
        self._sizes = {file: file.stat().st_size for file in self._files}
        self.n_bytes = sum(self._sizes.values())
        self.n_dropped = 0

    def __len__(self) -> int:
        """Count the pictures that are kept."""
        return len(self._files)

    def keep(self, jpeg: bytes, captured_at: datetime) -> None:
        """Keep a picture, and let go of the oldest ones where there is no room.

        Raises:
            OSError: The disk is full or gone.
        """
        with self._lock:
            if len(jpeg) > self._max_bytes:
                self.n_dropped += 1
                return
            while self._files and self.n_bytes + len(jpeg) > self._max_bytes:
                self._remove(self._files[0])
                self.n_dropped += 1
            file = self._folder / f"{captured_at.astimezone(UTC):{_NAME}}.jpg"
            part = file.with_suffix(".part")
            part.write_bytes(jpeg)
            part.replace(file)
            if file not in self._sizes:
                self._files.append(file)
                self._sizes[file] = len(jpeg)
                self.n_bytes += len(jpeg)

    def oldest(self) -> tuple[Path, bytes, datetime] | None:
        """Return the oldest picture and when it was taken; it stays until it is removed.

        What cannot be read, or is not named by a time, is left out and removed.
        """
        with self._lock:
            while self._files:
                file = self._files[0]
                try:
                    captured_at = datetime.strptime(file.stem, _NAME).replace(tzinfo=UTC)
                    return file, file.read_bytes(), captured_at
                except (OSError, ValueError):
                    self._remove(file)
                    self.n_dropped += 1
        return None

    def remove(self, file: Path) -> None:
        """Let go of a picture that has arrived, or that nobody takes."""
        with self._lock:
            if file in self._sizes:
                self._remove(file)

    def _remove(self, file: Path) -> None:
        self._files.remove(file)
        self.n_bytes -= self._sizes.pop(file)
        file.unlink(missing_ok=True)
