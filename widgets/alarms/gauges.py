"""Beside the alarm strip: how many calls came in ten minutes, and how much is held."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

from core.incidents.flood import BEGINS_ABOVE, NO_FLOOD, Flood
from core.incidents.model import Alarm
from widgets.alarms.delegates import paint_held
from widgets.alarms.order import HELD_LETTERS, Tab, tab_counts
from widgets.base.theme import look, set_role


class HeldGauge(QToolButton):
    """A hollow S, D or O and how many stand there."""

    def __init__(self, tab: Tab, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tab = tab
        self.count = -1
        set_role(self, "gauge")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_count(self, count: int) -> None:
        """Show a number."""
        if count != self.count:
            self.count = count
            self.setAccessibleName(f"{self._tab.value}: {count} alarms")
            self.setToolTip(f"{self._tab.value}: {count} alarms")
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """Return room for symbol and number."""
        made = look()
        digits = "0" * max(1, len(str(self.count)))
        return QSize(round(made.sizes.body * 1.9) + self.fontMetrics().horizontalAdvance(digits), made.sizes.control)

    def minimumSizeHint(self) -> QSize:
        """Return the same: a count is not cut."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint symbol and number."""
        super().paintEvent(event)
        made = look()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            side = made.sizes.body * 1.05
            box = QRectF(made.sizes.gap, (self.height() - side) / 2, side, side)
            paint_held(painter, box, HELD_LETTERS[self._tab], made.color("shelved"))
            painter.setFont(made.font())
            painter.setPen(made.color("text" if self.count else "text_disabled"))
            text = QRectF(self.rect()).adjusted(box.right() + made.sizes.gap, 0, 0, 0)
            painter.drawText(text, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), str(self.count))


class AlarmGauges(QWidget):
    """Rate and held alarms; a click leads to them.

    Signals:
        tab_chosen(str): `Tab.value` of the part of the list to show.
    """

    tab_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rate = QToolButton(self)
        set_role(self._rate, "gauge")
        self._rate.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._rate.clicked.connect(lambda: self.tab_chosen.emit(Tab.ACTIVE.value))
        self._held = {tab: HeldGauge(tab, self) for tab in HELD_LETTERS}
        row = QHBoxLayout(self)
        row.setContentsMargins(look().sizes.gap, 0, look().sizes.gap, 0)
        row.setSpacing(0)
        row.addWidget(self._rate)
        for tab, gauge in self._held.items():
            gauge.clicked.connect(lambda _checked=False, tab=tab: self.tab_chosen.emit(tab.value))
            row.addWidget(gauge)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.show_flood(NO_FLOOD)
        self.show_alarms(())

    @property
    def rate_text(self) -> str:
        """What the operator reads about the rate."""
        return self._rate.text()

    def count(self, tab: Tab) -> int:
        """Return how many alarms are held that way."""
        return self._held[tab].count

    def show_alarms(self, alarms: Iterable[Alarm], n_silent: int = 0) -> None:
        """Count what is held, and what is out of service and has no alarm."""
        counts = tab_counts(alarms)
        counts[Tab.OUT_OF_SERVICE] += n_silent
        for tab, gauge in self._held.items():
            gauge.show_count(counts[tab])

    def show_flood(self, flood: Flood) -> None:
        """Show the calls of the last ten minutes."""
        self._rate.setText(f"Flood {flood.n_calls}/10 min" if flood.is_on else f"{flood.n_calls}/10 min")
        font = look().font(weight=QFont.Weight.Bold if flood.is_on else QFont.Weight.Normal)
        self._rate.setFont(font)
        words = f"{flood.n_calls} alarms called at this desk in 10 minutes; more than {BEGINS_ABOVE} is a flood"
        self._rate.setAccessibleName(words)
        self._rate.setToolTip(words)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new size."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
