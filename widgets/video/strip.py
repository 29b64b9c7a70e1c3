"""The line along the top of a tile: alarm, name, state and age, drawn once and kept as a picture."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetrics, QPainter, QPixmap

from widgets.base.symbols import AlarmMark, Flash, paint_bad_quality, paint_mark
from widgets.base.theme import Look
from widgets.video.status import TileStatus

BACKGROUND = QColor(11, 14, 17, 200)
_MAX_KEPT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class StripText:
    """What stands in the strip.

    Attributes:
        delay: How late pictures are shown, "45 ms"; empty where it is not known.
        is_lit: It is the lit half of the flash of the alarm's sign.
        inset: What rings around the tile cover of its edges beyond the margin that is there anyway.
    """

    name: str
    status: TileStatus
    delay: str = ""
    alarm: AlarmMark | None = None
    is_lit: bool = True
    is_pinned: bool = False
    inset: int = 0


def strip_height(made: Look) -> int:
    """Return the strip's height in pixels of the widget."""
    return round(made.sizes.small * 1.7)


class StripPainter:
    """Draws the strips of all tiles of a wall; words that it has written once are kept, for they come again elsewhere.

    Args:
        made: Make another painter when the look or the screen changes.
        ratio: Device pixels per pixel of the screen.
    """

    def __init__(self, made: Look, ratio: float) -> None:
        self._look = made
        self.ratio = ratio
        small = made.sizes.small
        self._fonts = (made.font(small), made.font(small, weight=QFont.Weight.DemiBold))
        self._metrics = tuple(QFontMetrics(font) for font in self._fonts)
        self._written: dict[tuple[str, bool, str], QPixmap] = {}
        self._advances: dict[tuple[str, bool], int] = {}

    def make(self, text: StripText, width: int) -> QPixmap:
        """Draw a strip of a width in pixels of the widget.

        The age is never left out; where the room ends the delay goes first, then the word LIVE, then the name is
        shortened.
        """
        made, ratio = self._look, self.ratio
        height, gap = strip_height(made), made.sizes.gap
        strip = QPixmap(max(1, round(width * ratio)), max(1, round((height + text.inset) * ratio)))
        strip.setDevicePixelRatio(ratio)
        strip.fill(BACKGROUND)
        with QPainter(strip) as painter:
            painter.translate(0, text.inset)
            left, right = float(gap * 2 + text.inset), float(width - gap * 2 - text.inset)
            side = height - 2 * max(2, gap // 2)
            middle = (height - side) / 2
            if text.alarm is not None:
                sign = QRectF(left, middle, side, side)
                paint_mark(painter, sign, text.alarm, made, Flash(is_on=text.is_lit, is_slow_on=text.is_lit))
                left += side + gap * 1.5
            if text.is_pinned:
                _paint_pin(painter, QRectF(left, middle, side * 0.7, side), made)
                left += side * 0.7 + gap * 1.5
            needed = self._advance(text.name, is_name=True) + gap * 3
            word = self._fitting(_words(text), right - left - needed)
            word_width = self._advance(word, is_name=False)
            place = QRectF(right - word_width - gap, 0, word_width + 2 * gap, height)
            is_fault = not text.status.is_good and not text.status.is_meant
            if is_fault:
                painter.fillRect(place, QBrush(made.color("quality"), Qt.BrushStyle.BDiagPattern))
                painter.fillRect(place.adjusted(gap // 2, 1, -gap // 2, -1), QColor(11, 14, 17, 225))
            token = "on_picture" if is_fault else "on_picture_secondary"
            painter.drawPixmap(QPointF(right - word_width, 0), self._write(word, token, is_name=False))
            right = place.left() - gap * 1.5
            if is_fault and right - left > side * 3:
                paint_bad_quality(painter, QRectF(right - side, middle, side, side), made)
                right -= side + gap * 1.5
            painter.drawPixmap(
                QPointF(left, 0), self._write(self._cut(text.name, right - left), "on_picture", is_name=True)
            )
        return strip

    def _fitting(self, words: list[str], room: float) -> str:
        return next((word for word in words if self._advance(word, is_name=False) <= room), words[-1])

    def _cut(self, name: str, room: float) -> str:
        if self._advance(name, is_name=True) <= room:
            return name
        return self._metrics[True].elidedText(name, Qt.TextElideMode.ElideRight, max(0, round(room)))

    def _advance(self, text: str, *, is_name: bool) -> int:
        known = self._advances.get((text, is_name))
        if known is None:
            if len(self._advances) >= _MAX_KEPT:
                self._advances.clear()
            known = self._advances[(text, is_name)] = self._metrics[is_name].horizontalAdvance(text)
        return known

    def _write(self, text: str, token: str, *, is_name: bool) -> QPixmap:
        """Return a text as high as the strip: laying it out costs more than the rest of a strip."""
        key = (text, is_name, token)
        known = self._written.get(key)
        if known is not None:
            return known
        if len(self._written) >= _MAX_KEPT:
            self._written.clear()
        # Letters may lean over the edge of the last one.
        width, height = self._advance(text, is_name=is_name) + self._look.sizes.gap, strip_height(self._look)
        made = QPixmap(max(1, round(width * self.ratio)), max(1, round(height * self.ratio)))
        made.setDevicePixelRatio(self.ratio)
        made.fill(Qt.GlobalColor.transparent)
        with QPainter(made) as painter:
            painter.setFont(self._fonts[is_name])
            painter.setPen(self._look.color(token))
            painter.drawText(QRectF(0, 0, width, height), int(Qt.AlignmentFlag.AlignVCenter), text)
        self._written[key] = made
        return made


def _words(text: StripText) -> list[str]:
    """Return what may stand at the right, the longest first."""
    status = text.status
    if not status.is_good:
        return [status.word, status.word.split(" since", 1)[0]]
    longest = [f"delay {text.delay}   {status.word}"] if text.delay else []
    return [*longest, status.word, status.age]


def _paint_pin(painter: QPainter, rect: QRectF, made: Look) -> None:
    """Paint a drawing pin: head, collar and point."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(made.color("on_picture"))
    w, h = rect.width(), rect.height()
    painter.drawRect(QRectF(rect.x() + w * 0.25, rect.y(), w * 0.5, h * 0.45))
    painter.drawRect(QRectF(rect.x(), rect.y() + h * 0.45, w, h * 0.14))
    painter.drawRect(QRectF(rect.x() + w * 0.43, rect.y() + h * 0.59, w * 0.14, h * 0.41))
    painter.setBrush(Qt.BrushStyle.NoBrush)
