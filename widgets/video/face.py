"""What changes on a tile with every picture, apart from its widget: whatever is kept there costs ten times as much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRect, QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap

from core.kernel.clock import Clock
from widgets.video.boxes import Boxed, BoxRoom
from widgets.video.model import Picture, Tracks
from widgets.video.tracks import TrackHistory
from widgets.video.trails import Trails

_KEPT_IMAGES = 3
"""As many as a ring has slots."""


class _Borrowed(NamedTuple):
    """An image over memory of a ring, which comes round again and again."""

    data: memoryview
    size: tuple[int, int]
    image: QImage


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """What stays of a tile while nothing but its picture changes.

    Attributes:
        ratio, width, height: Of the screen and of the picture that it holds for.
        at: Corner of the picture on the canvas; nothing of it is scaled.
        bars: What it leaves free of the tile.
        room: Where its boxes go; None where none are shown.
        corner, strip: Of the tile, and what stands along its top.
        rings: Bars of the rings around it, on the canvas.
        has_more_below, has_more_above: Whether the tile itself paints something below its boxes, and above its strip.
    """

    ratio: float
    width: int
    height: int
    at: QPointF
    bars: tuple[QRectF, ...]
    bar_color: QColor
    room: BoxRoom | None
    corner: QPointF
    strip: QPixmap
    rings: tuple[tuple[QRect, QColor], ...]
    has_more_below: bool
    has_more_above: bool


class TileFace:
    """The picture of one tile, its tracks, and the short way of painting it.

    The tile works everything out and paints itself whenever anything but its picture changed, and leaves here what
    stays until it does so again.

    Attributes:
        ratio: Device pixels per pixel of the screen; 0 before the first paint.
        grey: Of a picture that ages; made when it is painted.
        picture: Where the whole picture lies on the canvas.
        has_trails: Whether trails are kept.
        delay_s: How late pictures reach the screen, smoothed over about a second.
        standing: None until the tile has painted itself.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._images: list[_Borrowed] = []
        self._delayed: Picture | None = None
        self.history = TrackHistory()
        self.trails = Trails()
        self.has_trails = False
        self.ratio = 0.0
        self.frame: Picture | None = None
        self.image: QImage | None = None
        self.grey: QImage | None = None
        self.picture = QRectF()
        self.has_picture = False
        self.is_live = False
        self.delay_s: float | None = None
        self.standing: Standing | None = None

    def clear(self) -> None:
        """Forget picture and tracks: another camera comes."""
        self.frame = self.image = self.grey = self.standing = None
        self.delay_s = self._delayed = None
        self._images.clear()
        self.history.clear()
        self.trails.clear()

    def take(self, frame: Picture) -> None:
        """Keep a newer picture."""
        data, width, height = frame.data, frame.width, frame.height
        self.frame, self.grey = frame, None
        for known in self._images:
            if known.data is data and known.size == (width, height):
                self.image = known.image
                return
        self.image = image = QImage(data, width, height, width * 4, QImage.Format.Format_RGB32)
        if self.ratio:
            image.setDevicePixelRatio(self.ratio)
        if not isinstance(data, memoryview):
            return
        if len(self._images) >= _KEPT_IMAGES:
            del self._images[0]
        self._images.append(_Borrowed(data, (width, height), image))

    def take_renewed(self) -> Picture | None:
        """Keep the camera's newest picture instead of this one, and return it; None where there is none."""
        newer = self.frame.renewed() if self.frame is not None else None
        if newer is not None:
            self.take(newer)
        return newer

    def take_tracks(self, tracks: Tracks) -> None:
        """Keep boxes for the pictures to come."""
        self.history.add(tracks)
        if self.has_trails:
            self.trails.add(tracks)

    def set_ratio(self, ratio: float) -> None:
        """Lie on another screen."""
        self.ratio = ratio
        for image in (self.image, *(known.image for known in self._images)):
            if image is not None:
                image.setDevicePixelRatio(ratio)

    def stands(self, ratio: float) -> bool:
        """Whether nothing but the picture changed; makes sure that it is whole."""
        standing, frame = self.standing, self.frame
        if standing is None or frame is None or standing.ratio != ratio:
            self.standing = None
            return False
        if not frame.is_intact():
            frame = self.take_renewed() or frame
        if frame.width != standing.width or frame.height != standing.height:
            self.standing = None
        return self.standing is not None

    def boxed(self) -> Boxed | None:
        """Return what is boxed on the picture, and where on the canvas, of a tile that stands."""
        standing, frame = self.standing, self.frame
        assert standing is not None and frame is not None  # noqa: PT018
        if standing.room is None:
            return None
        tracks = self.history.at(frame.pts_s)
        return Boxed(tracks, standing.room) if len(tracks) else None

    def paint_picture(self, painter: QPainter, standing: Standing) -> None:
        """Paint the picture; nothing is scaled and nothing cut off."""
        assert self.image is not None
        self.note_delay()
        for bar in standing.bars:
            painter.fillRect(bar, standing.bar_color)
        painter.drawImage(standing.at, self.image)

    def note_delay(self) -> None:
        """Keep how late the picture reaches the screen, once for each."""
        frame = self.frame
        if frame is None or frame is self._delayed:
            return
        self._delayed = frame
        delay_s = max(0.0, self._clock.monotonic() - frame.received_s)
        self.delay_s = delay_s if self.delay_s is None else self.delay_s + 0.1 * (delay_s - self.delay_s)
