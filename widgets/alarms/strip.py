"""The alarm strip: the three most urgent unacknowledged alarms, on every window, never covered."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QFontMetrics, QHideEvent, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QLabel, QSizePolicy, QWidget

from core.incidents.model import Alarm, Quality
from core.kernel.clock import Clock, SystemClock
from widgets.alarms.delegates import paint_alarm
from widgets.alarms.gauges import AlarmGauges
from widgets.alarms.order import STRIP_LENGTH, strip_alarms
from widgets.alarms.table_model import age_text
from widgets.base.symbols import FLASH_PERIOD_MS, PRIORITY_WORDS, Flash, flash_at, paint_bad_quality
from widgets.base.theme import look, set_role

_LEAST_SOURCE_EM = 4.0


class StripCell(QAbstractButton):
    """One alarm: symbol, age, source, title."""

    def __init__(self, clock: Clock, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock
        self._alarm: Alarm | None = None
        self._flash = Flash()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setAccessibleName("No alarm")

    @property
    def alarm(self) -> Alarm | None:
        """The alarm that is shown."""
        return self._alarm

    def show_alarm(self, alarm: Alarm) -> None:
        """Show another alarm."""
        self._alarm = alarm
        self.setAccessibleName(f"{PRIORITY_WORDS[alarm.priority]}: {alarm.title}, {alarm.source_name}")
        self.setToolTip(f"{alarm.source_name}: {alarm.title}")
        self.update()

    def set_flash(self, flash: Flash) -> None:
        """Set the halves of the flashes."""
        if flash != self._flash:
            self._flash = flash
            self.update()

    def sizeHint(self) -> QSize:
        """Return the height of a control."""
        return QSize(look().sizes.body * 18, look().sizes.control)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint surface, symbol and one line of text."""
        if self._alarm is None:
            return
        made = look()
        gap = made.sizes.gap
        with QPainter(self) as painter:
            room = QRectF(self.rect())
            painter.fillRect(
                room, made.color("pressed" if self.isDown() else "hover" if self.underMouse() else "raised")
            )
            painter.fillRect(QRectF(0, 0, 3, room.height()), made.color("line_strong"))
            side = min(room.height() - 2 * gap, made.sizes.body * 1.5)
            box = QRectF(gap * 3, (room.height() - side) / 2, side, side)
            paint_alarm(painter, box, self._alarm, made, self._flash)
            left = box.right() + gap * 2
            if self._alarm.quality is not Quality.GOOD:
                paint_bad_quality(painter, box.translated(side + gap, 0), made)
                left += side + gap
            age = age_text(self._alarm, self._clock.now())
            small = made.font(made.sizes.small)
            age_width = QFontMetrics(small).horizontalAdvance(age)
            right = room.right() - gap * 3 - age_width
            source_px = self.source_room(right - left - gap * 2)
            if source_px:
                bold = made.font(weight=QFont.Weight.DemiBold)
                left = self._text(painter, left, self._alarm.source_name, bold, "text", source_px)
            painter.setFont(small)
            painter.setPen(made.color("text_secondary"))
            painter.drawText(QRectF(right, 0, age_width + 2, room.height()), int(Qt.AlignmentFlag.AlignVCenter), age)
            self._text(painter, left, self._alarm.title, made.font(), "text", max(0.0, right - left - gap * 2))
            if self.hasFocus():
                painter.setPen(QPen(made.color("focus"), 2))
                painter.drawRect(room.adjusted(1, 1, -1, -1))

    def source_room(self, room_px: float) -> float:
        """Return how much of the room for both texts the source gets: what the title leaves, or none.

        What happened is read whole before where it did; the tip and the alarm's page have both.
        """
        made = look()
        title = "" if self._alarm is None else self._alarm.title
        left_px = room_px - QFontMetrics(made.font()).horizontalAdvance(title) - made.sizes.gap * 2
        return min(left_px, self.width() * 0.4) if left_px >= made.sizes.body * _LEAST_SOURCE_EM else 0.0

    def _text(self, painter: QPainter, left: float, text: str, font: QFont, color: str, room_px: float) -> float:
        """Write `text` into at most so much room; returns where the next text may begin."""
        metrics = QFontMetrics(font)
        cut = metrics.elidedText(text, Qt.TextElideMode.ElideRight, round(room_px))
        painter.setFont(font)
        painter.setPen(look().color(color))
        width = metrics.horizontalAdvance(cut)
        painter.drawText(QRectF(left, 0, width + 2, self.height()), int(Qt.AlignmentFlag.AlignVCenter), cut)
        return left + width + look().sizes.gap * 2


class AlarmStrip(QWidget):
    """Three cells side by side; a quiet sentence while nothing calls.

    Signals:
        alarm_chosen(object): The `Alarm` that was clicked, or chosen with Enter or Space.
        tab_chosen(str): `Tab.value` of the part of the list to show.
    """

    alarm_chosen = Signal(object)
    tab_chosen = Signal(str)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._n_calling = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        self._cells = [StripCell(self._clock, self) for _ in range(STRIP_LENGTH)]
        self._quiet = QLabel("No unacknowledged alarms", self)
        set_role(self._quiet, "secondary")
        self._quiet.setContentsMargins(look().sizes.gap * 3, 0, 0, 0)
        for cell in self._cells:
            cell.clicked.connect(partial(self._on_clicked, cell))
            row.addWidget(cell, 1)
        row.addWidget(self._quiet, 1)
        self.gauges = AlarmGauges(self)
        self.gauges.tab_chosen.connect(self.tab_chosen)
        row.addWidget(self.gauges)
        self._timer = QTimer(self)
        self._timer.setInterval(FLASH_PERIOD_MS // 2)
        self._timer.timeout.connect(self._on_tick)
        self.show_alarms(())

    @property
    def shown(self) -> tuple[Alarm, ...]:
        """The alarms on the strip, most urgent first."""
        return tuple(cell.alarm for cell in self._cells if cell.alarm is not None and not cell.isHidden())

    def show_alarms(self, alarms: Iterable[Alarm], n_silent: int = 0) -> None:
        """Take over every open alarm, and how much is out of service without one; the strip chooses."""
        kept = tuple(alarms)
        self._n_calling = sum(alarm.is_calling for alarm in kept)
        chosen = strip_alarms(kept)
        for index, cell in enumerate(self._cells):
            cell.setVisible(index < len(chosen))
            if index < len(chosen):
                cell.show_alarm(chosen[index])
        self._quiet.setVisible(not chosen)
        self.gauges.show_alarms(kept, n_silent)
        self.setAccessibleName(f"Alarm strip, {self._n_calling} unacknowledged")
        self.update()

    def _on_clicked(self, cell: StripCell) -> None:
        if cell.alarm is not None:
            self.alarm_chosen.emit(cell.alarm)

    def _on_tick(self) -> None:
        flash = flash_at(self._clock.monotonic(), look())
        for cell in self._cells:
            cell.set_flash(flash)
            if flash.is_on:
                cell.update()

    def sizeHint(self) -> QSize:
        """Return the height of one cell, also while it is empty: nothing below may jump."""
        return QSize(look().sizes.body * 60, look().sizes.control + 2)

    def minimumSizeHint(self) -> QSize:
        """Return the same height."""
        return QSize(look().sizes.body * 12, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the ground."""
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), look().color("panel"))

    def changeEvent(self, event: QEvent) -> None:
        """Take over another look."""
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
        super().changeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """Flash again."""
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop flashing."""
        super().hideEvent(event)
        self._timer.stop()
