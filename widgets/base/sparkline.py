"""The last minutes of one figure as a line: how it came to be what it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.base.theme import Look, look

Sample = tuple[float, float]
"""Monotonic or epoch seconds, and the value."""


N_SAMPLES = 240
"""More than a line of a few hundred pixels can show; a hundred stations keep theirs all day."""


class History:
    """The samples of one figure within a window; older ones are forgotten, and of a rush only the newest is kept."""

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._samples: deque[Sample] = deque()
        self._spacing_s = window_s / N_SAMPLES

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Oldest first."""
        return tuple(self._samples)

    def add(self, at_s: float, value: float) -> None:
        """Add a sample; one that is not newer than the last is left out."""
        if self._samples and at_s <= self._samples[-1][0]:
            return
        if len(self._samples) > 1 and at_s - self._samples[-2][0] < self._spacing_s:
            self._samples.pop()
        self._samples.append((at_s, value))
        while self._samples and self._samples[0][0] < at_s - self.window_s:
            self._samples.popleft()


def paint_sparkline(
    painter: QPainter, rect: QRectF, samples: Sequence[Sample], now_s: float, window_s: float, made: Look
) -> None:
    """Paint the samples of the last `window_s` into `rect`, from zero up; a gap of three periods breaks the line."""
    painter.save()
    painter.setPen(QPen(made.color("line"), 1))
    painter.drawLine(rect.bottomLeft(), rect.bottomRight())
    shown = [sample for sample in samples if sample[0] >= now_s - window_s]
    if len(shown) > 1:
        top = max(1e-9, max(value for _, value in shown)) * 1.1
        steps = sorted(b[0] - a[0] for a, b in pairwise(shown))
        longest_s = steps[len(steps) // 2] * 3.5
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(made.color("trend"), 1.5))
        for piece in _pieces(shown, longest_s):
            points = [
                QPointF(
                    rect.right() - (now_s - at) / window_s * rect.width(),
                    rect.bottom() - max(0.0, value) / top * rect.height(),
                )
                for at, value in piece
            ]
            painter.drawPolyline(QPolygonF(points))
        at, value = shown[-1]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(made.color("text"))
        x = rect.right() - (now_s - at) / window_s * rect.width()
        painter.drawEllipse(QPointF(x, rect.bottom() - max(0.0, value) / top * rect.height()), 2.0, 2.0)
    painter.restore()


def _pieces(samples: Iterable[Sample], longest_s: float) -> list[list[Sample]]:
    pieces: list[list[Sample]] = []
    for sample in samples:
        if not pieces or sample[0] - pieces[-1][-1][0] > longest_s:
            pieces.append([])
        pieces[-1].append(sample)
    return pieces


class Sparkline(QWidget):
    """One history in a layout."""

    def __init__(self, name: str, window_s: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.history = History(window_s)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def add(self, at_s: float, value: float) -> None:
        """Add a sample."""
        self.history.add(at_s, value)
        self.update()

    def sizeHint(self) -> QSize:
        """Return two lines of text."""
        body = look().sizes.body
        return QSize(body * 8, body * 2)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new size."""
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the line."""
        with QPainter(self) as painter:
            samples = self.history.samples
            now_s = samples[-1][0] if samples else 0.0
            room = QRectF(self.rect()).adjusted(2, 3, -4, -2)
            paint_sparkline(painter, room, samples, now_s, self.history.window_s, look())
