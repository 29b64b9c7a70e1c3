"""Icons from resources/icons, tinted by a token of the theme."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from PySide6.QtCore import QByteArray, QEvent, QFile, QIODevice, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QToolButton, QWidget

import resources
from widgets.base.theme import look, set_role

_SIDES_PX = (16, 20, 24, 32, 48)

# What a button shows while its drawing does not ship.
_GLYPHS = {
    "close": "✕",
    "plus": "+",
    "add": "+",
    "search": "⌕",
    "settings": "⚙",
    "previous": "←",
    "next": "→",
    "refresh": "↻",
    "warning": "!",
}


def icon(name: str, tint: str = "text_secondary") -> QIcon:
    """Return resources/icons/NAME.svg in the colour of a token; a text glyph where the file is missing or no drawing.

    The icon belongs to the theme it was made under: make it anew on `QEvent.Type.StyleChange`, or use `IconButton`.
    """
    made = QIcon()
    for side in _SIDES_PX:
        made.addPixmap(icon_pixmap(name, side, tint))
    made.addPixmap(icon_pixmap(name, 20, "text_disabled"), QIcon.Mode.Disabled)
    return made


def icon_pixmap(name: str, side_px: int, tint: str = "text_secondary") -> QPixmap:
    """Return one size of an icon; see `icon`."""
    color = look().color(tint)
    image = _tinted(name, side_px, color.rgba())
    if not image.isNull():
        return QPixmap.fromImage(image)
    pixmap = QPixmap(side_px, side_px)
    pixmap.fill(Qt.GlobalColor.transparent)
    with QPainter(pixmap) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _paint_glyph(painter, name, side_px, color)
    return pixmap


@lru_cache(maxsize=1024)
def _tinted(name: str, side_px: int, rgba: int) -> QImage:
    """Return a drawing in one colour; null where there is none. Every button asks again whenever docks are moved."""
    drawing = _drawing(name)
    if drawing.isEmpty():
        return QImage()
    image = QImage(side_px, side_px, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    with QPainter(image) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        QSvgRenderer(drawing).render(painter, QRectF(0, 0, side_px, side_px))
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
        painter.fillRect(image.rect(), QColor.fromRgba(rgba))
    return image


def read_drawings() -> Iterator[None]:
    """Read all drawings, so that no panel has to wait for its own when it is made; yields after each."""
    for file in resources.path("icons").glob("*.svg"):
        _drawing(file.stem)
        yield


@lru_cache(maxsize=512)
def _drawing(name: str) -> QByteArray:
    try:
        file = QFile(str(resources.path(f"icons/{name}.svg")))
    except FileNotFoundError:
        return QByteArray()
    if not file.open(QIODevice.OpenModeFlag.ReadOnly):
        return QByteArray()
    content = file.readAll()
    return content if QSvgRenderer(content).isValid() else QByteArray()


def _paint_glyph(painter: QPainter, name: str, side_px: int, color: QColor) -> None:
    painter.setFont(look().font(max(8, round(side_px * 0.8))))
    painter.setPen(color)
    painter.drawText(QRectF(0, 0, side_px, side_px), Qt.AlignmentFlag.AlignCenter, _GLYPHS.get(name, name[:1].upper()))


class IconButton(QToolButton):
    """A quiet button with an icon; its name is its tool tip and what a screen reader says."""

    def __init__(self, icon_name: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon_name = icon_name
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        set_role(self, "quiet")
        self._tint()

    def set_icon_name(self, icon_name: str) -> None:
        """Show another icon."""
        self._icon_name = icon_name
        self._tint()

    def _tint(self) -> None:
        side = look().sizes.icon
        self.setIcon(icon(self._icon_name))
        self.setIconSize(QSize(side, side))

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme's colour."""
        if event.type() == QEvent.Type.StyleChange:
            self._tint()
        super().changeEvent(event)
