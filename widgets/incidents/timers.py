"""How an incident stands against its limits, by colour, shape and text."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.incidents.model import Priority
from core.incidents.work import Timer, TimerState
from widgets.base.symbols import priority_shape
from widgets.base.theme import Look, look

_ENDED = frozenset({TimerState.IN_TIME, TimerState.OVER})


def clock_words(seconds: float) -> str:
    """Write a span as minutes and seconds, with hours where there are any: "00:45", "1:02:45"."""
    whole = int(max(0.0, seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes:02d}:{left:02d}"


def timer_words(timer: Timer) -> str:
    """Say how a timer stands: "Assign 00:45 of 01:00", "Assign late by 00:20"."""
    if timer.seconds is None:
        return f"{timer.name} --"
    over = timer.seconds - timer.limit_s
    match timer.state:
        case TimerState.LATE:
            return f"{timer.name} late by {clock_words(over)}"
        case TimerState.OVER:
            return f"{timer.name} took {clock_words(timer.seconds)}, {clock_words(over)} over"
        case TimerState.IN_TIME:
            return f"{timer.name} took {clock_words(timer.seconds)}"
    return f"{timer.name} {clock_words(timer.seconds)} of {clock_words(timer.limit_s)}"


def timer_short(timer: Timer) -> str:
    """Say it in a cell of a list: "Assign 00:45", "Assign late 00:20"."""
    if timer.seconds is None:
        return f"{timer.name} --"
    if timer.state in (TimerState.LATE, TimerState.OVER):
        return f"{timer.name} late {clock_words(timer.seconds - timer.limit_s)}"
    return f"{timer.name} {clock_words(timer.seconds)}"


def timer_brief(timer: Timer) -> str:
    """Say it where there is no room for its name, which the shape's tip has: "00:45", "late 00:20"."""
    return timer_short(timer).removeprefix(f"{timer.name} ")


def telling_timer(timers: Iterable[Timer]) -> Timer | None:
    """Return the timer that matters now: the one that runs, else the last one that ended."""
    known = [timer for timer in timers if timer.state is not TimerState.WAITING]
    running = [timer for timer in known if timer.state not in _ENDED]
    return running[0] if running else known[-1] if known else None


def timer_color(state: TimerState, made: Look) -> QColor:
    """Return the hue: late is as urgent as an alarm of high priority, near as one of medium."""
    if state is TimerState.LATE:
        return QColor(made.theme.priority(Priority.HIGH))
    if state is TimerState.NEAR:
        return QColor(made.theme.priority(Priority.MEDIUM))
    return made.color("text" if state is TimerState.RUNNING else "text_secondary")


def timer_icon(timer: Timer) -> QIcon:
    """Return the shape of a timer for a cell of a list."""
    side = look().sizes.body
    pixmap = QPixmap(side * 2, side * 2)
    pixmap.setDevicePixelRatio(2.0)
    pixmap.fill(Qt.GlobalColor.transparent)
    with QPainter(pixmap) as painter:
        paint_timer(painter, QRectF(1, 1, side - 2, side - 2), timer, look())
    return QIcon(pixmap)


def paint_timer(painter: QPainter, rect: QRectF, timer: Timer, made: Look) -> None:
    """Paint the shape: a filling circle while it runs, ▼ near the limit, ▲ past it, ✓ ended in time, ✗ ended late."""
    color = timer_color(timer.state, made)
    side = min(rect.width(), rect.height())
    box = QRectF(rect.center().x() - side / 2, rect.center().y() - side / 2, side, side)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if timer.state in (TimerState.LATE, TimerState.NEAR):
        shape = priority_shape(Priority.HIGH if timer.state is TimerState.LATE else Priority.MEDIUM, box)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        assert isinstance(shape, QPolygonF)
        painter.drawPolygon(shape)
    elif timer.state in _ENDED:
        painter.setPen(QPen(color, max(1.5, side * 0.13), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        _draw_mark(painter, box, is_check=timer.state is TimerState.IN_TIME)
    else:
        painter.setPen(QPen(color, 1.4))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(box.adjusted(1, 1, -1, -1))
        share = 0.0 if timer.seconds is None else min(1.0, timer.seconds / timer.limit_s)
        painter.setBrush(color)
        painter.drawPie(box.adjusted(1, 1, -1, -1), 90 * 16, round(-360 * 16 * share))
    painter.restore()


def _draw_mark(painter: QPainter, box: QRectF, *, is_check: bool) -> None:
    def at(x: float, y: float) -> QPointF:
        return QPointF(box.left() + x * box.width(), box.top() + y * box.height())

    if is_check:
        painter.drawPolyline([at(0.15, 0.55), at(0.4, 0.8), at(0.85, 0.25)])
    else:
        painter.drawLine(at(0.2, 0.2), at(0.8, 0.8))
        painter.drawLine(at(0.8, 0.2), at(0.2, 0.8))


class TimerRow(QWidget):
    """The timers of one incident, side by side; those that do not fit go on in the next line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._timers: tuple[Timer, ...] = ()
        self._write = timer_words
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_timers(self, timers: Iterable[Timer]) -> None:
        """Show these."""
        n_before = len(self._timers)
        self._timers = tuple(timers)
        self.setAccessibleName("; ".join(timer_words(timer) for timer in self._timers) or "No timers")
        self.setToolTip("\n".join(timer_words(timer) for timer in self._timers))
        # A clock that goes on needs more room, and another line with it.
        if n_before != len(self._timers) or self.heightForWidth(self.width()) != self.height():
            self.updateGeometry()
        self.update()

    def heightForWidth(self, width: int) -> int:
        """Return the height of all lines; where they do not fit into one, they are written short."""
        self._write = timer_words
        places = self._places(width)
        if places and places[-1].top() > 0:
            self._write = timer_short
        places = self._places(width)
        return round(places[-1].bottom()) + 1 if places else 0

    def sizeHint(self) -> QSize:
        """Return one line."""
        return QSize(200, self.heightForWidth(max(200, self.width())))

    def _places(self, width: int) -> list[QRectF]:
        made = look()
        height, gap, icon_px = made.sizes.body * 1.6, made.sizes.gap * 4, made.sizes.body
        x, y, places = 0.0, 0.0, []
        for timer in self._timers:
            needed = icon_px + made.sizes.gap + self.fontMetrics().horizontalAdvance(self._write(timer)) + 2
            if x and x + needed > width:
                x, y = 0.0, y + height
            places.append(QRectF(x, y, needed, height))
            x += needed + gap
        return places

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint shapes and words."""
        made = look()
        self.heightForWidth(self.width())
        with QPainter(self) as painter:
            for timer, place in zip(self._timers, self._places(self.width()), strict=True):
                side = made.sizes.body * 0.9
                paint_timer(painter, QRectF(place.left(), place.center().y() - side / 2, side, side), timer, made)
                words = place.adjusted(made.sizes.body + made.sizes.gap, 0, 0, 0)
                is_ended = timer.state in _ENDED or timer.state is TimerState.WAITING
                painter.setPen(made.color("text_secondary" if is_ended else "text"))
                painter.drawText(words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self._write(timer))
