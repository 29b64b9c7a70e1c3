"""The newest picture of each edge camera, as a file in memory that the camera's worker watches."""

from __future__ import annotations

from pathlib import Path


class EdgePictures:
    """Writes whole pictures only: a reader sees the one before or the new one.

    Threads: any; one writer for each camera.
    """

    def __init__(self, folder: Path) -> None:
        """Use `folder`; it is made with the first picture."""
        self._folder = folder

    def put(self, camera_id: str, jpeg: bytes) -> None:
        """Replace a camera's picture.

        Raises:
            OSError: Memory is full.
        """
        file = picture_file(self._folder, camera_id)
        fresh = file.with_suffix(".new")
        try:
            fresh.write_bytes(jpeg)
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(jpeg)
        fresh.replace(file)


def picture_file(folder: Path, camera_id: str) -> Path:
    """Return where a camera's newest picture lies."""
    return folder / f"{camera_id}.jpg"
