"""A sentence on the picture, laid into the lines that a tile has room for."""

from __future__ import annotations

import re

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPixmap

from widgets.base.theme import Look

_ROOM = 0.22
"""Of a tile's height, what sentences may cover of its picture."""

_MAX_LINES = 3
_PLATE = QColor(11, 14, 17, 225)
_ENDS = (re.compile(r"(?<=[\w%)]{2})\. "), re.compile(r"[:;] "))
"""Of a first sentence, and of what stands in it before the reason."""


def n_lines_for(height: float, made: Look) -> int:
    """Return how many lines of text a tile of this height has room for; at least one."""
    return min(_MAX_LINES, max(1, int(height * _ROOM / _line_height(made))))


def draw_note(text: str, room: int, n_lines: int, ratio: float, made: Look) -> QPixmap:
    """Draw a text, in as many lines as it needs.

    Args:
        text: One or more sentences. Where not all have room, the first one stands alone, or its beginning.
        room: Width of the lines, and how many there are.
        n_lines: As `room`.
        ratio: Of the screen's pixels.
        made: Of the picture.
    """
    font = made.font(made.sizes.caption)
    metrics = QFontMetrics(font)
    lines = _lines_of(text, metrics, max(8, room), n_lines)
    gap, line_height = made.sizes.gap, _line_height(made)
    width = max(metrics.horizontalAdvance(line) for line in lines) + 2 * gap
    plate = QPixmap(round(width * ratio), round((line_height * len(lines) + 2) * ratio))
    plate.setDevicePixelRatio(ratio)
    plate.fill(_PLATE)
    with QPainter(plate) as painter:
        painter.setFont(font)
        painter.setPen(made.color("on_picture"))
        for number, line in enumerate(lines):
            row = QRectF(gap, 1 + number * line_height, width - gap, line_height)
            painter.drawText(row, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), line)
    return plate


def _line_height(made: Look) -> int:
    return QFontMetrics(made.font(made.sizes.caption)).height()


def _lines_of(text: str, metrics: QFontMetrics, room: int, n_lines: int) -> list[str]:
    lines = _wrapped(text, metrics, room)
    for end in _ENDS:
        if len(lines) > n_lines and (found := end.search(text)) is not None:
            text = f"{text[: found.start()]}."
            lines = _wrapped(text, metrics, room)
    kept = [*lines[: n_lines - 1], " ".join(lines[n_lines - 1 :])]
    return [_cut(line, metrics, room) for line in kept if line]


def _cut(line: str, metrics: QFontMetrics, room: int) -> str:
    if metrics.horizontalAdvance(line) <= room:
        return line
    return metrics.elidedText(line, Qt.TextElideMode.ElideRight, room)


def _wrapped(text: str, metrics: QFontMetrics, room: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or metrics.horizontalAdvance(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
