"""Where the picture stands in the window: zoomed, panned, and the way between its fractions and pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF, QSizeF
from PySide6.QtGui import QTransform

from core.vision.model import PicturePoint

MAX_ZOOM = 16.0
MARGIN_PX = 14.0
"""Around a picture that fits: its border can be reached with the pointer, and seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureView:
    """A window onto a picture.

    Attributes:
        aspect: Width over height of the picture.
        zoom: 1 where the whole picture fits.
        middle: The point of the picture in the middle of the window.
    """

    size: QSizeF
    aspect: float = 16 / 9
    zoom: float = 1.0
    middle: PicturePoint = (0.5, 0.5)

    def rect(self) -> QRectF:
        """Return where the whole picture lies [px], also beyond the window."""
        width = max(40.0, self.size.width() - 2 * MARGIN_PX)
        height = max(40.0, self.size.height() - 2 * MARGIN_PX)
        fitted = QSizeF(min(width, height * self.aspect), min(height, width / self.aspect)) * self.zoom
        left = self.size.width() / 2 - self.middle[0] * fitted.width()
        top = self.size.height() / 2 - self.middle[1] * fitted.height()
        return QRectF(left, top, fitted.width(), fitted.height())

    def to_px(self, point: PicturePoint) -> QPointF:
        """Return where a point of the picture is drawn."""
        rect = self.rect()
        return QPointF(rect.x() + point[0] * rect.width(), rect.y() + point[1] * rect.height())

    def to_point(self, at: QPointF) -> PicturePoint:
        """Return the point under a pixel, also outside of the picture."""
        rect = self.rect()
        return (at.x() - rect.x()) / rect.width(), (at.y() - rect.y()) / rect.height()

    def transform(self) -> QTransform:
        """Return `to_px` for many points at once."""
        rect = self.rect()
        return QTransform(rect.width(), 0.0, 0.0, rect.height(), rect.x(), rect.y())

    def zoomed(self, factor: float, at: QPointF) -> PictureView:
        """Zoom so that the point under `at` stays there."""
        kept = self.to_point(at)
        nearer = replace(self, zoom=min(MAX_ZOOM, max(1.0, self.zoom * factor)))
        now = nearer.to_point(at)
        return replace(
            nearer, middle=(nearer.middle[0] + kept[0] - now[0], nearer.middle[1] + kept[1] - now[1])
        ).settled()

    def panned(self, dx_px: float, dy_px: float) -> PictureView:
        """Move the picture with the pointer."""
        rect = self.rect()
        return replace(
            self, middle=(self.middle[0] - dx_px / rect.width(), self.middle[1] - dy_px / rect.height())
        ).settled()

    def settled(self) -> PictureView:
        """Keep the picture in the window: what fits stands in the middle."""
        half = 0.5 / self.zoom
        x, y = (min(1.0 - half, max(half, part)) for part in self.middle)
        return replace(self, middle=(x, y))
