"""Cells of the alarm list that are shapes: priority and state."""

from __future__ import annotations

from datetime import UTC, datetime

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from core.incidents.model import Alarm, AlarmState, Quality
from widgets.alarms.order import HELD_LETTERS, HELD_TABS, hold_text, remark
from widgets.alarms.table_model import ALARM_ROLE
from widgets.base.symbols import Flash, paint_bad_quality, paint_no_priority, paint_priority
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
    """What happened, and below it where: in a narrow list both can be read, side by side neither could."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the background of the row, then both lines."""
        alarm = index.data(ALARM_ROLE)
        _paint_background(painter, option)
        if not isinstance(alarm, Alarm):
            return
        made = look()
        room = QRectF(option.rect).adjusted(made.sizes.gap * 2, made.sizes.gap * 0.5, -made.sizes.gap, 0)
        half = (room.height() - made.sizes.gap * 0.5) / 2
        weight = QFont.Weight.DemiBold if alarm.is_calling else QFont.Weight.Normal
        lines = (
            (
                str(index.data(Qt.ItemDataRole.DisplayRole)),
                made.font(weight=weight),
                "text" if alarm.is_calling else "text_secondary",
            ),
            (_second_line(alarm), made.font(made.sizes.small), "text_secondary"),
        )
        painter.save()
        for number, (text, font, token) in enumerate(lines):
            painter.setFont(font)
            painter.setPen(made.color(token))
            line = QRectF(room.left(), room.top() + number * half, room.width(), half)
            cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, round(line.width()))
            painter.drawText(line, int(Qt.AlignmentFlag.AlignVCenter), cut)
        painter.restore()


def _second_line(alarm: Alarm) -> str:
    held = hold_text(alarm, datetime.now(UTC))
    return " · ".join(part for part in (alarm.source_name, held, remark(alarm)) if part)


def paint_alarm(painter: QPainter, box: QRectF, alarm: Alarm, made: Look, flash: Flash) -> None:
    """Paint the priority of an alarm as its state has it (study/control_room.md 3A)."""
    is_over = alarm.state is AlarmState.RETURNED_UNACKNOWLEDGED
    if is_over and not flash.is_slow_on:
        paint_no_priority(painter, box, alarm.priority, made)
        return
    is_hollow = is_over or not alarm.is_calling or not flash.is_on
    is_doubled = alarm.is_calling and made.is_reduced_motion
    paint_priority(painter, box, alarm.priority, made, is_hollow=is_hollow, is_doubled=is_doubled)


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
