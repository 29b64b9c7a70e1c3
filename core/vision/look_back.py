"""The last seconds of a camera in memory, so that an alarm can show what was before it."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass, field

from core.kernel.errors import ConsoleError
from core.media.convert import to_jpeg
from core.media.stream import StreamFrame

BEFORE_S = AFTER_S = 10.0
LATE_S = 5.0
"""So late a clip may be asked for without missing its beginning."""

SIZE_WH = (640, 360)
QUALITY = 70
EVERY_S, EVERY_QUIET_S, EVERY_ALARM_S = 0.5, 2.0, 0.25
"""A picture is kept so often while something moves, while nothing does, and while a clip is being taken."""

MAX_CLIPS = 4
"""Clips of one camera at the same time; more alarms share them."""

ClipPicture = tuple[float, bytes]
"""Wall time [s since 1970] and JPEG."""


@dataclass(slots=True)
class _Taking:
    clip_id: str
    until_s: float
    pictures: list[ClipPicture] = field(default_factory=list)


class LookBack:
    """Keeps small pictures of ten seconds, and takes clips of ten more.

    Threads: `take` on the camera's own, `begin` and `finished` on any other.
    """

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._lock = threading.Lock()
        self._kept: deque[tuple[float, ClipPicture]] = deque()
        self._taking: list[_Taking] = []
        self._due_s = 0.0

    def take(self, frame: StreamFrame, *, is_quiet: bool) -> None:
        """Keep a picture where one is due; one that cannot be encoded is left out."""
        now_s = frame.received_s
        if now_s < self._due_s:
            return
        every_s = EVERY_ALARM_S if self._taking else EVERY_QUIET_S if is_quiet else EVERY_S
        self._due_s = now_s + every_s
        try:
            picture = (frame.captured_at.timestamp(), to_jpeg(frame.frame, SIZE_WH, QUALITY))
        except (ConsoleError, ValueError, OSError, ArithmeticError):
            return
        with self._lock:
            self._kept.append((now_s, picture))
            while self._kept and self._kept[0][0] < now_s - BEFORE_S - LATE_S:
                self._kept.popleft()
            for taking in self._taking:
                # Clips are fetched once a second: until then they are taken, though their time may be over.
                if now_s <= taking.until_s:
                    taking.pictures.append(picture)

    def drop_since(self, captured_s: float) -> None:
        """Forget what was seen from this wall time [s since 1970] on, in clips that are being taken as well."""
        with self._lock:
            self._kept = deque(kept for kept in self._kept if kept[1][0] < captured_s)
            for taking in self._taking:
                taking.pictures = [picture for picture in taking.pictures if picture[0] < captured_s]

    def begin(self, clip_id: str, now_s: float, *, ago_s: float = 0.0) -> bool:
        """Take a clip from ten seconds before something to ten seconds after; False where too many are being taken.

        Of what happened longer ago than is kept, there is less, or nothing.
        """
        happened_s = now_s - ago_s
        with self._lock:
            if len(self._taking) >= MAX_CLIPS or any(taking.clip_id == clip_id for taking in self._taking):
                return False
            until_s = happened_s + AFTER_S
            kept = [picture for at_s, picture in self._kept if happened_s - BEFORE_S <= at_s <= until_s]
            self._taking.append(_Taking(clip_id=clip_id, until_s=until_s, pictures=kept))
            self._due_s = 0.0
            return True

    def finished(self, now_s: float) -> list[tuple[str, tuple[ClipPicture, ...]]]:
        """Return the clips whose time is over, each once; without a picture where the camera gave none."""
        with self._lock:
            over = [taking for taking in self._taking if taking.until_s <= now_s]
            self._taking = [taking for taking in self._taking if taking.until_s > now_s]
        return [(taking.clip_id, tuple(taking.pictures)) for taking in over]

    def broken_off(self) -> list[tuple[str, tuple[ClipPicture, ...]]]:
        """Return the clips that are being taken, as far as they are: no picture comes any more."""
        return self.finished(math.inf)
