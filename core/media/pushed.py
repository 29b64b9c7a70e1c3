"""Pictures that are pushed to us: the newest one of a camera lies as a JPEG in a file, and is replaced as a whole."""

from __future__ import annotations

import os
import time
from pathlib import Path

import av
from av.error import FFmpegError

from core.kernel.errors import BadInputError, UnavailableError
from core.media.backlog import Backlog
from core.media.hardware import SOFTWARE
from core.media.model import EDGE

LOOK_EVERY_S = 0.05
"""Between two looks at the file, some microseconds each: systems differ in how they tell of a file, and a folder on a
network tells nothing."""

WAIT_S = 0.5
"""One read takes so long where nothing comes."""

OPEN_WAIT_S = 2.0
NEWS_S = 30.0
"""An older file is what was left from before: it is not shown as live."""


class PushedSource:
    """Watches the file of one camera; a `Source`."""

    is_live = True
    is_timed = False
    fps = 0.0
    codec = "mjpeg"
    decoder = SOFTWARE
    # The newest picture takes the place of the one before.
    backlog: Backlog | None = None
    behind_s = 0.0

    def __init__(self, file: Path) -> None:
        """Wait a moment for the first picture.

        Raises:
            UnavailableError: None was pushed lately.
        """
        self.width = self.height = 0
        self.n_bytes = 0
        self.n_broken = 0
        self._file = file
        self._seen: tuple[int, int] | None = None
        self._decoder = av.CodecContext.create("mjpeg", "r")
        # Frame threads would hold back one picture each.
        self._decoder.thread_count = 1
        deadline_s = time.monotonic() + OPEN_WAIT_S
        while not self._has_news():
            if time.monotonic() > deadline_s:
                raise UnavailableError(
                    "No picture was posted for this camera lately.",
                    hint="Start its edge client, and look at its key in Devices.",
                )
            time.sleep(LOOK_EVERY_S)

    def read(self) -> list[av.VideoFrame] | None:
        """Return the newest picture once it is another one; nothing where none comes for a moment."""
        deadline_s = time.monotonic() + WAIT_S
        while (mark := self._mark()) is None or mark == self._seen:
            if time.monotonic() > deadline_s:
                return []
            time.sleep(LOOK_EVERY_S)
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return []
        self._seen = mark
        self.n_bytes += len(data)
        try:
            frames = list(self._decoder.decode(av.Packet(data)))
        except FFmpegError:
            self.n_broken += 1
            return []
        return frames

    def set_keyframes_only(self, only: bool) -> None:
        """Every picture is a whole one."""

    def rewind(self) -> None:
        """Refuse: what was pushed before is gone."""
        raise UnavailableError("Posted pictures cannot be played again.")

    def close(self) -> None:
        """Nothing to hang up."""

    def _mark(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._file)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def _has_news(self) -> bool:
        mark = self._mark()
        return mark is not None and time.time() - mark[0] / 1e9 < NEWS_S


def pushed_file(address: str) -> Path:
    """Return the file behind `edge:PATH`.

    Raises:
        BadInputError: The address names none: only the node knows where it lies.
    """
    path = address.strip()[len(EDGE) + 1 :]
    if not path:
        raise BadInputError(
            "An edge camera cannot be called: its pictures are posted to the node.",
            hint="Save it, make a key for it, and start its edge client.",
        )
    return Path(path)
