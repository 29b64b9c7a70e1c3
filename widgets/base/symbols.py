"""Alarm priorities as shapes: nobody has to tell them apart by colour alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.incidents.model import Alarm, AlarmState, Priority
from widgets.base.theme import Look, look, text_on

PRIORITY_WORDS = {
    Priority.CRITICAL: "Critical",
    Priority.HIGH: "High",
    Priority.MEDIUM: "Medium",
    Priority.LOW: "Low",
}

FLASH_PERIOD_MS = 1000
"""One flash a second at most: a third of the limit of WCAG 2.3.1."""

SLOW_FLASH_PERIOD_MS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """Which half of the two flashes it is.

    Attributes:
        is_on: Of what calls, once a second.
        is_slow_on: Of what called and is over, once in two seconds.
    """

    is_on: bool = True
    is_slow_on: bool = True

    def is_lit(self, attention: Attention) -> bool:
        """Tell whether it is the lit half for a mark; what is acknowledged has none."""
        match attention:
            case Attention.CALLING:
                return self.is_on
            case Attention.RETURNED:
                return self.is_slow_on
            case _:
                return False


class Attention(Enum):
    """How a mark of an alarm asks to be looked at, wherever it is drawn."""

    NONE = "none"
    """It is acknowledged: an outline, steady."""

    RETURNED = "returned"
    """It called and is over (RTNUN): an outline and a dashed ring, half as often."""

    CALLING = "calling"
    """It calls (UNACK): filled, once a second."""


def attention_of(alarm: Alarm) -> Attention:
    """Return how the marks of an alarm ask."""
    if not alarm.is_calling:
        return Attention.NONE
    is_over = alarm.state is AlarmState.RETURNED_UNACKNOWLEDGED
    return Attention.RETURNED if is_over else Attention.CALLING


@dataclass(frozen=True, slots=True)
class AlarmMark:
    """What stands for the alarms of one thing: the most urgent one of those that are not acknowledged, if any."""

    priority: Priority
    attention: Attention


def mark_of(alarms: Iterable[Alarm]) -> AlarmMark | None:
    """Return the mark of a thing with these open alarms; None where there is none."""
    most_urgent = min(alarms, key=mark_rank, default=None)
    return None if most_urgent is None else AlarmMark(most_urgent.priority, attention_of(most_urgent))


def mark_rank(alarm: Alarm) -> tuple[bool, int, bool]:
    """Return what orders the alarms of one thing; the first one marks it."""
    attention = attention_of(alarm)
    return attention is Attention.NONE, int(alarm.priority), attention is Attention.RETURNED


def flash_at(now_s: float, made: Look) -> Flash:
    """Return the halves at a monotonic time [s], the same in every window; in reduced motion nothing flashes."""
    now_ms = round(now_s * 1000)
    return Flash(
        is_on=now_ms % FLASH_PERIOD_MS < FLASH_PERIOD_MS // 2 or made.is_reduced_motion,
        is_slow_on=now_ms % SLOW_FLASH_PERIOD_MS < SLOW_FLASH_PERIOD_MS // 2 or made.is_reduced_motion,
    )


def priority_shape(priority: Priority, rect: QRectF) -> QPolygonF | QRectF:
    """Return the outline of a priority's symbol inside `rect`; a circle comes as its square."""
    side = min(rect.width(), rect.height())
    box = QRectF(rect.center().x() - side / 2, rect.center().y() - side / 2, side, side)
    if priority is Priority.HIGH:
        return QPolygonF([QPointF(box.center().x(), box.top()), box.bottomRight(), box.bottomLeft()])
    if priority is Priority.MEDIUM:
        return QPolygonF([box.topLeft(), box.topRight(), QPointF(box.center().x(), box.bottom())])
    if priority is Priority.CRITICAL:
        inset = side * 0.04
        return box.adjusted(inset, inset, -inset, -inset)
    return box


def paint_priority(
    painter: QPainter,
    rect: QRectF,
    priority: Priority,
    made: Look,
    *,
    is_hollow: bool = False,
    is_doubled: bool = False,
) -> None:
    """Paint the symbol of a priority: 1 square, 2 triangle up, 3 triangle down, 4 circle.

    Args:
        painter: Left as it was.
        rect: The symbol fills the largest square in its middle.
        priority: Chooses shape, hue and figure.
        made: The look of the application.
        is_hollow: Outline only: acknowledged, or the dark half of a flash.
        is_doubled: A second outline around it: what stands for flashing in reduced-motion mode.
    """
    color = QColor(made.theme.priority(priority))
    # The figure of an outline stands on the surface behind it, and so is text.
    figure = made.color("text") if is_hollow else QColor(text_on(color.name()))
    _paint(painter, rect, priority, color, figure, is_hollow=is_hollow, is_doubled=is_doubled, made=made)


def paint_no_priority(painter: QPainter, rect: QRectF, priority: Priority, made: Look) -> None:
    """Paint the grey outline of a priority that nothing has right now."""
    grey = made.color("text_disabled")
    _paint(painter, rect, priority, grey, grey, is_hollow=True, is_doubled=False, made=made)


def paint_mark(painter: QPainter, rect: QRectF, mark: AlarmMark, made: Look, flash: Flash) -> None:
    """Paint the symbol of an alarm as its state has it (study/control_room.md 3A)."""
    is_lit = made.is_reduced_motion or flash.is_lit(mark.attention)
    if mark.attention is Attention.RETURNED and not is_lit:
        paint_no_priority(painter, rect, mark.priority, made)
        return
    is_hollow = mark.attention is not Attention.CALLING or not is_lit
    is_doubled = mark.attention is not Attention.NONE and made.is_reduced_motion
    paint_priority(painter, rect, mark.priority, made, is_hollow=is_hollow, is_doubled=is_doubled)


def paint_priority_plate(painter: QPainter, rect: QRectF, priority: Priority, made: Look) -> None:
    """Lay a surface of the program under a symbol that would else stand on a map of any colour."""
    plate = made.color("panel")
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(plate, 3.0, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    painter.setBrush(plate)
    _draw(painter, priority, rect)
    painter.restore()


def _paint(
    painter: QPainter,
    rect: QRectF,
    priority: Priority,
    color: QColor,
    figure: QColor,
    *,
    is_hollow: bool,
    is_doubled: bool,
    made: Look,
) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    side = min(rect.width(), rect.height())
    stroke = max(1.5, side * 0.09)
    square = QRectF(rect.center().x() - side / 2, rect.center().y() - side / 2, side, side)
    if is_doubled:
        painter.setPen(QPen(color, max(1.0, stroke * 0.7)))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        _draw(painter, priority, square.adjusted(0.5, 0.5, -0.5, -0.5))
        inset = side * 0.16
        square = square.adjusted(inset, inset * (1.4 if priority is Priority.HIGH else 1.0), -inset, -inset)
        if priority is Priority.MEDIUM:
            square.adjust(0, -inset * 0.2, 0, -inset * 0.4)
    if is_hollow:
        half = stroke / 2
        square = square.adjusted(half, half, -half, -half)
        painter.setPen(QPen(color, stroke, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.MiterJoin))
        painter.setBrush(Qt.BrushStyle.NoBrush)
    else:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
    _draw(painter, priority, square)
    font = made.font(max(7, round(square.height() * (0.62 if priority in (Priority.CRITICAL, Priority.LOW) else 0.5))))
    font.setWeight(QFont.Weight.Bold)
    painter.setFont(font)
    painter.setPen(figure)
    painter.drawText(_figure_box(priority, square), Qt.AlignmentFlag.AlignCenter, str(int(priority)))
    painter.restore()


def paint_bad_quality(painter: QPainter, rect: QRectF, made: Look) -> None:
    """Paint the dotted "?" of a state that is only the last one known."""
    color = QColor(made.theme.quality)
    side = min(rect.width(), rect.height())
    square = QRectF(rect.center().x() - side / 2, rect.center().y() - side / 2, side, side).adjusted(1, 1, -1, -1)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(color, max(1.4, side * 0.09))
    pen.setStyle(Qt.PenStyle.CustomDashLine)
    pen.setDashPattern([0.2, 2.0])
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(square)
    font = made.font(max(7, round(square.height() * 0.66)))
    font.setWeight(QFont.Weight.Bold)
    painter.setFont(font)
    painter.drawText(square, Qt.AlignmentFlag.AlignCenter, "?")
    painter.restore()


def _draw(painter: QPainter, priority: Priority, square: QRectF) -> None:
    shape = priority_shape(priority, square)
    if isinstance(shape, QPolygonF):
        painter.drawPolygon(shape)
    elif priority is Priority.LOW:
        painter.drawEllipse(shape)
    else:
        painter.drawRoundedRect(shape, 1.5, 1.5)


def _figure_box(priority: Priority, square: QRectF) -> QRectF:
    # The optical middle of a triangle lies a sixth away from the middle of its box.
    shift = square.height() / 6
    if priority is Priority.HIGH:
        return square.translated(0, shift)
    if priority is Priority.MEDIUM:
        return square.translated(0, -shift)
    return square


class PrioritySymbol(QWidget):
    """One symbol in a layout, with the priority's word as its accessible name."""

    def __init__(self, priority: Priority, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._priority = priority
        self._is_hollow = False
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.set_priority(priority)

    def set_priority(self, priority: Priority) -> None:
        """Show another priority."""
        self._priority = priority
        self.setAccessibleName(f"Priority {int(priority)}, {PRIORITY_WORDS[priority].lower()}")
        self.update()

    def set_hollow(self, is_hollow: bool) -> None:
        """Show the outline only, as for what nobody has to look at."""
        if is_hollow is not self._is_hollow:
            self._is_hollow = is_hollow
            self.update()

    def sizeHint(self) -> QSize:
        """Return the edge of an icon."""
        side = round(look().sizes.body * 1.3)
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the shape."""
        with QPainter(self) as painter:
            paint_priority(painter, QRectF(self.rect()), self._priority, look(), is_hollow=self._is_hollow)
