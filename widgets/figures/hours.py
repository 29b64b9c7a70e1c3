"""Alarms in each hour as bars, with the line of what one position can answer."""

from __future__ import annotations

from datetime import datetime, timedelta

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from widgets.base.theme import look
from widgets.base.times import format_instant

LIMIT = 30
"""Alarms of an hour; more should come in less than one hour of a hundred."""


class HourBars(QWidget):
    """One bar for each hour, or for as many hours as a pixel has room for: then the busiest of them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._since: datetime | None = None
        self._counts: tuple[int, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Alarms per hour")

    def show_counts(self, since: datetime, counts: tuple[int, ...]) -> None:
        """Show the alarms of each hour from `since`."""
        self._since, self._counts = since, counts
        most = max(counts, default=0)
        when = format_instant(since + timedelta(hours=counts.index(most))) if most else "no hour"
        self.setAccessibleDescription(f"{len(counts)} hours; the busiest has {most} alarms, from {when}.")
        self.update()

    def sizeHint(self) -> QSize:
        """Return a strip some lines high."""
        return QSize(200, look().sizes.body * 6)

    def event(self, event: QEvent) -> bool:
        """Say which hour and how many, below the mouse."""
        if isinstance(event, QHelpEvent) and self._counts and self._since is not None:
            hour = min(len(self._counts) - 1, event.pos().x() * len(self._counts) // max(1, self.width()))
            begin = format_instant(self._since + timedelta(hours=hour))
            QToolTip.showText(event.globalPos(), f"{self._counts[hour]} alarms in the hour from {begin}", self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint bars from zero up, the limit as a thin line."""
        made = look()
        with QPainter(self) as painter:
            room = QRectF(self.rect()).adjusted(0, made.sizes.body * 1.4, 0, -1)
            top = max(LIMIT * 1.2, max(self._counts, default=0) * 1.05)
            painter.setFont(made.font(made.sizes.caption))
            painter.setPen(made.color("text_secondary"))
            words = f"Alarms per hour, busiest {max(self._counts, default=0)}; line: {LIMIT}"
            painter.drawText(QRectF(0, 0, self.width(), made.sizes.body * 1.3), Qt.AlignmentFlag.AlignLeft, words)
            painter.fillRect(room, made.color("panel"))
            n_bars = max(1, min(len(self._counts), int(room.width())))
            width = room.width() / n_bars
            for bar in range(n_bars if self._counts else 0):
                begin, end = bar * len(self._counts) // n_bars, (bar + 1) * len(self._counts) // n_bars
                height = max(self._counts[begin : max(begin + 1, end)]) / top * room.height()
                gap = 1.0 if width > 4 else 0.0
                painter.fillRect(
                    QRectF(room.left() + bar * width, room.bottom() - height, width - gap, height), made.color("trend")
                )
            y = room.bottom() - LIMIT / top * room.height()
            painter.setPen(QPen(made.color("text_secondary"), 1, Qt.PenStyle.DashLine))
            painter.drawLine(round(room.left()), round(y), round(room.right()), round(y))
