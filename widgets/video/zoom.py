"""Which part of a picture a tile shows: wheel and drag move it, the picture never leaves the tile."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize

from core.media.ring import MAX_PICTURE_WH

MAX_FACTOR = 12.0
STEP = 1.25
"""One notch of a wheel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zoom:
    """A part of the picture.

    Attributes:
        factor: 1 shows all of it.
        center: Of the part that is seen, fractions of the picture.
    """

    factor: float = 1.0
    center: tuple[float, float] = (0.5, 0.5)

    @property
    def is_whole(self) -> bool:
        """Whether all of the picture is seen."""
        return self.factor <= 1.0


WHOLE = Zoom()


def zoomed(zoom: Zoom, factor: float, at: QPointF, room: QRectF) -> Zoom:
    """Zoom by `factor` so that what lies under the pointer stays there.

    Args:
        zoom: What is shown now.
        factor: Above 1 nearer, below 1 further away.
        at: The pointer.
        room: Where the whole picture lies while it is not zoomed.
    """
    if room.isEmpty():
        return zoom
    u, v = (at.x() - room.x()) / room.width() - 0.5, (at.y() - room.y()) / room.height() - 0.5
    changed = max(1.0, min(MAX_FACTOR, zoom.factor * factor))
    x = zoom.center[0] + u / zoom.factor - u / changed
    y = zoom.center[1] + v / zoom.factor - v / changed
    return _kept_inside(changed, x, y)


def panned(zoom: Zoom, by: QPointF, room: QRectF) -> Zoom:
    """Drag the picture by so many pixels."""
    if room.isEmpty():
        return zoom
    x = zoom.center[0] - by.x() / room.width() / zoom.factor
    y = zoom.center[1] - by.y() / room.height() / zoom.factor
    return _kept_inside(zoom.factor, x, y)


def picture_rect(zoom: Zoom, room: QRectF) -> QRectF:
    """Return where the whole picture lies; most of it is outside of the tile while it is zoomed."""
    width, height = room.width() * zoom.factor, room.height() * zoom.factor
    middle = room.center()
    return QRectF(middle.x() - zoom.center[0] * width, middle.y() - zoom.center[1] * height, width, height)


def seen_part(zoom: Zoom) -> QRectF:
    """Return what is seen, in fractions of the picture."""
    side = 1.0 / zoom.factor
    return QRectF(zoom.center[0] - side / 2, zoom.center[1] - side / 2, side, side)


def wanted_size(room: QSize, zoom: Zoom) -> QSize:
    """Return how large the camera's picture should be for this part of it to be sharp [px of the screen].

    Never smaller than the tile, and not larger than what a ring holds.
    """
    if zoom.is_whole:
        return room
    most = min(MAX_PICTURE_WH[0] / room.width(), MAX_PICTURE_WH[1] / room.height())
    factor = max(1.0, min(zoom.factor, most))
    return QSize(round(room.width() * factor), round(room.height() * factor))


def _kept_inside(factor: float, x: float, y: float) -> Zoom:
    if factor <= 1.0:
        return WHOLE
    half = 0.5 / factor
    return Zoom(factor=factor, center=(max(half, min(1.0 - half, x)), max(half, min(1.0 - half, y))))
