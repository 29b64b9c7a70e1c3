"""How full a lot or zone is, as a bar: occupied filled, stale cross-hatched, unknown hatched, free empty."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QPainter, QPen

from widgets.base.theme import Look


def paint_fill(
    painter: QPainter,
    rect: QRectF,
    made: Look,
    *,
    n_bays: int,
    n_occupied: int,
    n_unknown: int,
    n_stale: int,
    is_trusted: bool = True,
) -> None:
    """Paint the bar; without bays only its edge, which is dotted where the figures are old."""
    painter.save()
    painter.fillRect(rect, made.color("window"))
    if n_bays > 0:
        left = rect.left()
        n_never = max(0, n_unknown - n_stale)
        for count, brush in (
            (n_occupied, QBrush(made.color("text_secondary" if is_trusted else "text_disabled"))),
            (n_stale, QBrush(made.color("quality"), Qt.BrushStyle.DiagCrossPattern)),
            (n_never, QBrush(made.color("quality"), Qt.BrushStyle.BDiagPattern)),
        ):
            width = min(rect.right() - left, count / n_bays * rect.width())
            if width > 0.0:
                painter.fillRect(QRectF(left, rect.top(), width, rect.height()), brush)
                left += width
    edge = QPen(made.color("line_strong"), 1)
    if not is_trusted:
        edge = QPen(made.color("quality"), 1.5, Qt.PenStyle.DotLine)
    painter.setPen(edge)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(rect)
    painter.restore()
