"""Carries pictures and tracks from shared memory to the tiles: newest wins, nothing waits, nothing is copied."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject, Qt, QTimer

from core.kernel.errors import ConsoleError
from core.media.ring import LentFrame, RingReader
from widgets.video.model import Picture, Pictures, Tracks

log = logging.getLogger(__name__)

SHORTEST_POLL_MS, LONGEST_POLL_MS = 30, 40
"""What came meanwhile is painted in one go: cameras of 30 pictures a second lose none, and a shorter wait costs."""

_POLL_PART = 0.95
"""Of the time between two pictures of the fastest camera: looking at each of them once shows them evenly."""

_PACED_EVERY_S = 1.0
REOPEN_AFTER_S = 1.0


class _Feed:
    """One camera's ring, how far it was read, and how many pictures a second are written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reader: RingReader | None = None
        self.frame_sequence = 0
        self.track_sequence = 0
        self.retry_at_s = 0.0
        self.fps = 0.0
        self._paced_sequence, self._paced_s = 0, 0.0
        self.pace_due_s = 0.0

    def pace(self, frame: LentFrame) -> None:
        """Count what was written since the last call, read or not."""
        n_written, took_s = frame.sequence - self._paced_sequence, frame.received_s - self._paced_s
        if self._paced_sequence and took_s > 0.0:
            self.fps = n_written / took_s
        self._paced_sequence, self._paced_s = frame.sequence, frame.received_s
        self.pace_due_s = frame.received_s + _PACED_EVERY_S


class Pump(Protocol):
    """Brings pictures to the wall, from wherever they are."""

    n_frames: int
    ages_s: deque[float]

    def set_rings(self, rings: dict[str, str]) -> None:
        """Cameras, and where their pictures lie on the node's machine."""
        ...

    def set_shown(self, camera_ids: tuple[str, ...]) -> None:
        """Bring only these."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class FramePump(QObject):
    """Polls the rings of the cameras that are shown, a little more often than the fastest of them brings pictures.

    Args of the callbacks: camera id and a track set, each one since the last call; then the newest pictures of all
    cameras that have one, at once. They run on the GUI thread and must only store and `update()`.
    """

    def __init__(
        self,
        *,
        on_frames: Callable[[Pictures], None],
        on_tracks: Callable[[str, Tracks], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._on_frames = on_frames
        self._on_tracks = on_tracks
        self._feeds: dict[str, _Feed] = {}
        self._shown: tuple[str, ...] = ()
        self.n_frames = 0
        self.ages_s: deque[float] = deque(maxlen=2000)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(SHORTEST_POLL_MS)
        self._timer.timeout.connect(self._on_poll)

    @property
    def poll_ms(self) -> int:
        """How often it looks."""
        return self._timer.interval()

    def set_rings(self, rings: dict[str, str]) -> None:
        """Use these files; a camera whose file changed is opened anew."""
        for camera_id in tuple(self._feeds):
            if rings.get(camera_id) != str(self._feeds[camera_id].path):
                self._close(camera_id)
        for camera_id, path in rings.items():
            if camera_id not in self._feeds:
                self._feeds[camera_id] = _Feed(Path(path))

    def set_shown(self, camera_ids: tuple[str, ...]) -> None:
        """Read only these."""
        self._shown = camera_ids
        if camera_ids and not self._timer.isActive():
            self._timer.start()
        elif not camera_ids:
            self._timer.stop()

    def close(self) -> None:
        """Let go of every ring."""
        self._timer.stop()
        for camera_id in tuple(self._feeds):
            self._close(camera_id)

    def _close(self, camera_id: str) -> None:
        feed = self._feeds.pop(camera_id)
        if feed.reader is not None:
            feed.reader.close()

    def _on_poll(self) -> None:
        # Each look-up at a QObject costs as much as a call.
        now_s, feeds, ages_s, on_tracks = time.monotonic(), self._feeds, self.ages_s, self._on_tracks
        frames: list[tuple[str, Picture]] = []
        is_paced = False
        for camera_id in self._shown:
            feed = feeds.get(camera_id)
            if feed is None or (feed.reader is None and not self._open(feed, now_s)):
                continue
            reader = feed.reader
            assert reader is not None
            newest = reader.newest_tracks
            if newest != feed.track_sequence:
                found = reader.track_arrays_after(feed.track_sequence)
                for tracks in found:
                    on_tracks(camera_id, tracks)
                # Kept where nothing was found as well: a camera without detection is not searched each time.
                feed.track_sequence = max(newest, found[-1].sequence if found else 0)
            frame = reader.lend_newest(feed.frame_sequence)
            if frame is not None:
                feed.frame_sequence = frame.sequence
                ages_s.append(now_s - frame.received_s)
                frames.append((camera_id, frame))
                if frame.received_s >= feed.pace_due_s:
                    feed.pace(frame)
                    is_paced = True
        if frames:
            self.n_frames += len(frames)
            self._on_frames(frames)
        if is_paced:
            self._set_pace()

    def _set_pace(self) -> None:
        fastest = max((self._feeds[key].fps for key in self._shown if key in self._feeds), default=0.0)
        wanted_ms = int(1000.0 * _POLL_PART / fastest) if fastest > 0.0 else SHORTEST_POLL_MS
        poll_ms = min(LONGEST_POLL_MS, max(SHORTEST_POLL_MS, wanted_ms))
        if poll_ms != self._timer.interval():
            self._timer.setInterval(poll_ms)

    def _open(self, feed: _Feed, now_s: float) -> bool:
        if now_s < feed.retry_at_s:
            return False
        try:
            feed.reader = RingReader.open(feed.path)
        except (OSError, ConsoleError) as error:
            feed.retry_at_s = now_s + REOPEN_AFTER_S
            log.debug("no ring %s yet: %s", feed.path, error)
            return False
        return True
