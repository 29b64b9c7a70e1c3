"""Pictures from a node on another machine: each shown camera is asked for its newest one, five times a second."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QImage

from core.kernel.errors import ConsoleError
from core.node.model import Picture
from widgets.video.model import Pictures, TrackSet, VideoFrame

log = logging.getLogger(__name__)

POLL_MS = 200


class RemotePump(QObject):
    """Asks again only when the last answer is there: a slow network lowers the rate, it builds no queue."""

    def __init__(
        self,
        call: Callable[..., Awaitable[Any]],
        *,
        on_frames: Callable[[Pictures], None],
        on_tracks: Callable[[str, TrackSet], None],
        parent: QObject | None = None,
    ) -> None:
        """Ask through `call`, a `NodeConnection.call`."""
        super().__init__(parent)
        self._call = call
        self._on_frames = on_frames
        self._on_tracks = on_tracks
        self._sequences: dict[str, int] = {}
        self._shown: tuple[str, ...] = ()
        self._asking: dict[str, asyncio.Task[None]] = {}
        self.n_frames = 0
        self.ages_s: deque[float] = deque(maxlen=2000)
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._on_poll)

    def set_rings(self, rings: dict[str, str]) -> None:
        """Forget cameras that are gone; the files lie on another machine."""
        self._sequences = {key: value for key, value in self._sequences.items() if key in rings}

    def set_shown(self, camera_ids: tuple[str, ...]) -> None:
        """Ask only for these."""
        self._shown = camera_ids
        if camera_ids:
            self._timer.start()
        else:
            self._timer.stop()

    def close(self) -> None:
        """Ask no more."""
        self._timer.stop()
        for task in tuple(self._asking.values()):
            task.cancel()

    def _on_poll(self) -> None:
        for camera_id in self._shown:
            if camera_id not in self._asking:
                task = asyncio.get_event_loop().create_task(self._ask(camera_id))
                self._asking[camera_id] = task
                task.add_done_callback(partial(self._on_answered, camera_id))

    def _on_answered(self, camera_id: str, _task: asyncio.Task[None]) -> None:
        self._asking.pop(camera_id, None)

    async def _ask(self, camera_id: str) -> None:
        try:
            after = self._sequences.get(camera_id, 0)
            picture: Picture = await self._call("room.picture", Picture, camera_id=camera_id, after=after)
        except ConsoleError as error:
            log.debug("no picture of %s: %s", camera_id, error)
            return
        if picture.jpeg:
            self._sequences[camera_id] = picture.sequence
            self._show(camera_id, picture)

    def _show(self, camera_id: str, picture: Picture) -> None:
        image = QImage.fromData(picture.jpeg).convertToFormat(QImage.Format.Format_RGB32)
        if image.isNull():
            log.warning("the node sent a picture of %s that is none", camera_id)
            return
        self._on_tracks(camera_id, TrackSet.of(picture.tracks_pts_s, picture.tracks))
        self.n_frames += 1
        self.ages_s.append(picture.age_s)
        frame = VideoFrame(
            sequence=picture.sequence,
            pts_s=picture.pts_s,
            received_s=time.monotonic() - picture.age_s,
            captured_at_s=picture.captured_at_s,
            width=image.width(),
            height=image.height(),
            data=bytes(image.constBits()),
        )
        self._on_frames([(camera_id, frame)])
