"""Cells of the alarm list that are shapes: priority and state."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from core.incidents.model import Alarm, AlarmState, Quality
from core.kernel.clock import Clock
from widgets.alarms.order import HELD_LETTERS, HELD_TABS, Place, hold_text, remark
from widgets.alarms.table_model import ALARM_ROLE, PLACE_ROLE, Column, age_text
from widgets.base.symbols import AlarmMark, Flash, attention_of, paint_bad_quality, paint_mark
from widgets.base.theme import Look, look


class PriorityDelegate(QStyledItemDelegate):
    """The symbol of a priority: filled and flashing while it calls, an outline once it is over or acknowledged."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.flash = Flash()

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the background of the row, then the symbol."""
        alarm = index.data(ALARM_ROLE)
        _paint_background(painter, option)
        if not isinstance(alarm, Alarm):
            return
        made = look()
        rect = QRectF(option.rect)
        side = min(rect.height() - made.sizes.gap * 1.5, made.sizes.body * 1.45)
        box = QRectF(rect.left() + made.sizes.gap * 2, rect.center().y() - side / 2, side, side)
        paint_alarm(painter, box, alarm, made, self.flash)
        if alarm.quality is not Quality.GOOD:
            paint_bad_quality(painter, box.translated(side + made.sizes.gap, 0), made)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return room for two symbols."""
        sizes = look().sizes
        return QSize(round(sizes.body * 3.4) + sizes.gap * 3, sizes.row)


class StateDelegate(QStyledItemDelegate):
    """The ISA-18.2 mnemonic with a shape.

    Disc unacknowledged, tick acknowledged, ring returned; diamond latched, filled while it calls; a hollow square with
    S, D or O for shelved, suppressed by design, out of service.
    """

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the background of the row, then shape and text."""
        alarm = index.data(ALARM_ROLE)
        _paint_background(painter, option)
        if not isinstance(alarm, Alarm):
            return
        made = look()
        rect = QRectF(option.rect)
        is_held = alarm.is_suppressed_or_shelved
        color = made.color("shelved" if is_held else "text" if alarm.is_calling else "text_secondary")
        side = made.sizes.body * (0.95 if is_held else 0.62)
        shape = QRectF(rect.left() + made.sizes.gap * 2, rect.center().y() - side / 2, side, side)
        paint_state(painter, shape, alarm.state, color)
        if is_held:
            color = made.color("text_secondary")
        text = str(index.data(Qt.ItemDataRole.DisplayRole))
        is_sent = text.startswith("sent")
        font = made.font(weight=QFont.Weight.DemiBold if alarm.is_calling and not is_sent else QFont.Weight.Normal)
        font.setItalic(is_sent)
        painter.save()
        painter.setFont(font)
        painter.setPen(color)
        room = rect.adjusted(made.sizes.gap * 3.5 + side, 0, -made.sizes.gap, 0)
        if painter.fontMetrics().horizontalAdvance(text) > room.width():
            text = text.replace("LATCH-", "L-")
        cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, round(room.width()))
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), cut)
        painter.restore()


class TwoLineDelegate(QStyledItemDelegate):
    """What happened over the whole width, and below it state, age and place: side by side none could be read."""

    def __init__(self, clock: Clock, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clock = clock

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the background of the row, then both lines."""
        alarm = index.data(ALARM_ROLE)
        _paint_background(painter, option)
        if not isinstance(alarm, Alarm):
            return
        made = look()
        place = index.data(PLACE_ROLE)
        is_further_in = isinstance(place, Place) and place.number > 1
        left = made.sizes.gap * (4 if is_further_in else 2)
        room = QRectF(option.rect).adjusted(left, made.sizes.gap * 0.5, -made.sizes.gap, 0)
        half = (room.height() - made.sizes.gap * 0.5) / 2
        upper, lower = (QRectF(room.left(), room.top() + number * half, room.width(), half) for number in (0, 1))
        weight = QFont.Weight.DemiBold if alarm.is_calling else QFont.Weight.Normal
        painter.save()
        painter.setPen(made.color("text" if alarm.is_calling else "text_secondary"))
        _write(painter, upper, alarm.title, made.font(weight=weight))
        side = made.sizes.small * (0.95 if alarm.is_suppressed_or_shelved else 0.62)
        shape = QRectF(lower.left(), lower.center().y() - side / 2, side, side)
        color = made.color("text_secondary")
        paint_state(painter, shape, alarm.state, color)
        painter.setPen(color)
        state = str(index.sibling(index.row(), Column.STATE).data(Qt.ItemDataRole.DisplayRole))
        line = second_line(alarm, state, place if isinstance(place, Place) else None, self._clock.now())
        _write(painter, lower.adjusted(side + made.sizes.gap * 1.5, 0, 0, 0), line, made.font(made.sizes.small))
        painter.restore()


def _write(painter: QPainter, room: QRectF, text: str, font: QFont) -> None:
    painter.setFont(font)
    cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, round(room.width()))
    painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), cut)


def second_line(alarm: Alarm, state: str, place: Place | None, now: datetime) -> str:
    """Write what a row of two lines says below its title; what is held says by whom and until when first."""
    is_first = place is not None and place.number == 1 and place.of > 1
    first_of = f"first of {place.of}" if place is not None and is_first else ""
    held = hold_text(alarm, now)
    told = (held, alarm.source_name) if held else (state, age_text(alarm, now), first_of, alarm.source_name)
    return " · ".join(part for part in (*told, remark(alarm)) if part)


def paint_alarm(painter: QPainter, box: QRectF, alarm: Alarm, made: Look, flash: Flash) -> None:
    """Paint the priority of an alarm as its state has it (study/control_room.md 3A)."""
    paint_mark(painter, box, AlarmMark(alarm.priority, attention_of(alarm)), made, flash)


def paint_state(painter: QPainter, box: QRectF, state: AlarmState, color: QColor) -> None:
    """Paint the shape of an alarm state."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(color, max(1.5, box.height() * 0.16)))
    if state in HELD_TABS:
        paint_held(painter, box, HELD_LETTERS[HELD_TABS[state]], color)
    elif state in (AlarmState.LATCHED_UNACKNOWLEDGED, AlarmState.LATCHED_ACKNOWLEDGED):
        is_calling = state is AlarmState.LATCHED_UNACKNOWLEDGED
        painter.setBrush(color if is_calling else Qt.BrushStyle.NoBrush)
        middle = box.center()
        corners = (
            QPointF(middle.x(), box.top() - 1),
            QPointF(box.right() + 1, middle.y()),
            QPointF(middle.x(), box.bottom() + 1),
            QPointF(box.left() - 1, middle.y()),
        )
        painter.drawPolygon(corners)
    elif state is AlarmState.UNACKNOWLEDGED:
        painter.setBrush(color)
        painter.drawEllipse(box)
    elif state is AlarmState.RETURNED_UNACKNOWLEDGED:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(box)
    else:
        painter.drawPolyline(
            [
                QPointF(box.left(), box.center().y()),
                QPointF(box.left() + box.width() * 0.38, box.bottom() - box.height() * 0.1),
                QPointF(box.right(), box.top() + box.height() * 0.08),
            ]
        )
    painter.restore()


def paint_held(painter: QPainter, box: QRectF, letter: str, color: QColor) -> None:
    """Paint the hollow square of what is held, with its letter."""
    painter.setPen(QPen(color, max(1.3, box.height() * 0.09)))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(box, 2, 2)
    font = look().font(max(8, round(box.height() * 0.68)), weight=QFont.Weight.Bold)
    painter.setFont(font)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, letter)


def _paint_background(painter: QPainter, option: QStyleOptionViewItem) -> None:
    widget = option.widget
    if isinstance(widget, QWidget):
        widget.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, widget)
