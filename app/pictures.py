"""The running picture of one camera, for panels in which something is drawn on it."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from app.pumps import make_pump
from app.room import Room
from widgets.video.model import Picture, Pictures

PICTURE_PERIOD_S = 0.08
"""Drawing needs no more pictures than this, and leaves the processor to the wall."""

VIEW_SETTLE_MS = 200
MIN_VIEW_PX = 1280
"""A picture is asked for at least this wide: it is zoomed into for exact points, and what is drawn belongs to the
camera's large stream, which may show more than the small one."""


class LivePicture(QObject):
    """Asks for pictures of a camera only while its canvas is seen, as large as it is drawn.

    Signals:
        seen(): The canvas is shown.
    """

    seen = Signal()

    def __init__(
        self,
        room: Room,
        panel: str,
        canvas: QWidget,
        camera_id: Callable[[], str],
        on_picture: Callable[[str, QImage], None],
    ) -> None:
        """Hand pictures of the camera that `camera_id` names to `on_picture`; they own their pixels."""
        super().__init__(canvas)
        self._room, self._panel, self._canvas = room, panel, canvas
        self._camera_id, self._on_picture = camera_id, on_picture
        self._shown_s = 0.0
        self._view: dict[str, tuple[int, int]] = {}
        self._pump = make_pump(room.connection, on_frames=self._on_frames, on_tracks=lambda *_: None, parent=self)
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(VIEW_SETTLE_MS)
        self._settling.timeout.connect(self._tell_view)
        room.live.rings_changed.connect(lambda: self._pump.set_rings(room.live.rings))
        room.connection.snapshot_received.connect(lambda _snapshot: self._on_snapshot())
        room.closing.connect(self._pump.close)
        canvas.installEventFilter(self)

    def settle(self) -> None:
        """Another camera is wanted."""
        self._settling.start()

    def _on_snapshot(self) -> None:
        # A node that was restarted knows nothing of what is seen here.
        self._view = {}
        self._settling.start()

    def _on_frames(self, frames: Pictures) -> None:
        for camera_id, frame in frames:
            self._show(camera_id, frame)

    def _show(self, camera_id: str, frame: Picture) -> None:
        now_s = time.monotonic()
        if now_s - self._shown_s < PICTURE_PERIOD_S:
            return
        # The ring may be overwritten while the operator looks at a held picture: it is copied out.
        image = QImage(frame.data, frame.width, frame.height, frame.width * 4, QImage.Format.Format_RGB32).copy()
        if frame.is_intact():
            self._shown_s = now_s
            self._on_picture(camera_id, image)

    def _tell_view(self) -> None:
        """Ask for pictures of this camera as long as it can be seen, as large as it is drawn."""
        sizes: dict[str, tuple[int, int]] = {}
        camera_id = self._camera_id()
        if camera_id and self._canvas.isVisible():
            ratio = self._canvas.devicePixelRatioF()
            width = max(MIN_VIEW_PX, round(self._canvas.width() * ratio))
            sizes = {camera_id: (width, max(width * 9 // 16, round(self._canvas.height() * ratio)))}
        self._pump.set_shown(tuple(sizes))
        if sizes != self._view:
            self._view = sizes
            self._room.ask("room.show", sizes=sizes, panel=self._panel, refused=lambda _error: None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Tell when the picture is seen, hidden, or in another size."""
        if watched is self._canvas and event.type() in (QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide):
            self._settling.start()
            if event.type() == QEvent.Type.Show:
                self.seen.emit()
        return super().eventFilter(watched, event)
