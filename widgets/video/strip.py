"""The line along the top of a tile: alarm, name, state and age, drawn once and kept as a picture."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetrics, QPainter, QPixmap

from widgets.base.symbols import AlarmMark, Flash, paint_bad_quality, paint_mark
from widgets.base.theme import Look
from widgets.video.status import TileStatus

BACKGROUND = QColor(11, 14, 17, 200)


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


def make_strip(text: StripText, width: int, ratio: float, made: Look) -> QPixmap:
    """Draw the strip.

    The age is never left out; where the room ends the delay goes first, then the word LIVE, then the name is shortened.
    """
    sizes, height, gap = made.sizes, strip_height(made), made.sizes.gap
    strip = QPixmap(max(1, round(width * ratio)), max(1, round((height + text.inset) * ratio)))
    strip.setDevicePixelRatio(ratio)
    strip.fill(BACKGROUND)
    painter = QPainter(strip)
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
    font, name_font = made.font(sizes.small), made.font(sizes.small, weight=QFont.Weight.DemiBold)
    needed = QFontMetrics(name_font).horizontalAdvance(text.name) + gap * 3
    word = _fitting(_words(text), QFontMetrics(font), right - left - needed)
    word_width = QFontMetrics(font).horizontalAdvance(word)
    place = QRectF(right - word_width - gap, 0, word_width + 2 * gap, height)
    is_fault = not text.status.is_good and not text.status.is_meant
    if is_fault:
        painter.fillRect(place, QBrush(made.color("quality"), Qt.BrushStyle.BDiagPattern))
        painter.fillRect(place.adjusted(gap // 2, 1, -gap // 2, -1), QColor(11, 14, 17, 225))
    painter.setFont(font)
    painter.setPen(made.color("on_picture" if is_fault else "on_picture_secondary"))
    painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), word)
    right = place.left() - gap * 1.5
    if is_fault and right - left > side * 3:
        paint_bad_quality(painter, QRectF(right - side, middle, side, side), made)
        right -= side + gap * 1.5
    painter.setFont(name_font)
    painter.setPen(made.color("on_picture"))
    cut = QFontMetrics(name_font).elidedText(text.name, Qt.TextElideMode.ElideRight, max(0, round(right - left)))
    painter.drawText(QRectF(left, 0, max(0.0, right - left), height), int(Qt.AlignmentFlag.AlignVCenter), cut)
    painter.end()
    return strip


def _words(text: StripText) -> list[str]:
    """Return what may stand at the right, the longest first."""
    status = text.status
    if not status.is_good:
        return [status.word, status.word.split(" since", 1)[0]]
    longest = [f"delay {text.delay}   {status.word}"] if text.delay else []
    return [*longest, status.word, status.age]


def _fitting(words: list[str], metrics: QFontMetrics, room: float) -> str:
    return next((word for word in words if metrics.horizontalAdvance(word) <= room), words[-1])


def _paint_pin(painter: QPainter, rect: QRectF, made: Look) -> None:
    """Paint a drawing pin: head, collar and point."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(made.color("on_picture"))
    w, h = rect.width(), rect.height()
    painter.drawRect(QRectF(rect.x() + w * 0.25, rect.y(), w * 0.5, h * 0.45))
    painter.drawRect(QRectF(rect.x(), rect.y() + h * 0.45, w, h * 0.14))
    painter.drawRect(QRectF(rect.x() + w * 0.43, rect.y() + h * 0.59, w * 0.14, h * 0.41))
    painter.setBrush(Qt.BrushStyle.NoBrush)
