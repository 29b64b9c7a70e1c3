"""How one quantity of a device went: gaps stay gaps, what came late is marked.

Left and Right move from reading to reading, Home and End to the first and last; the line below says what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from core.field.sheet import History, HistorySlot, OfferedQuantity
from widgets.base.state_overlay import paint_hatching, paint_sentence
from widgets.base.theme import Look, look, set_role
from widgets.base.times import format_clock_minute, format_day_minute, format_second
from widgets.scene.fields import choice_field

SPANS = (("1 hour", 3600.0), ("24 hours", 24 * 3600.0), ("7 days", 7 * 24 * 3600.0))
_LEFT_PX, _RIGHT_PX = 52, 10


class HistoryChart(QWidget):
    """Paints one history.

    Signals:
        slot_pointed(str): What is known at the pointer or the cursor.
    """

    slot_pointed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history: History | None = None
        self._quantity: OfferedQuantity | None = None
        self._sentence = ""
        self._at = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("History")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    @property
    def gaps(self) -> tuple[tuple[datetime, datetime], ...]:
        """Times in which nothing was heard."""
        return gaps_of(self._history) if self._history is not None else ()

    def show_history(self, history: History, quantity: OfferedQuantity) -> None:
        """Show how a quantity went."""
        self._history, self._quantity = history, quantity
        self._sentence = "" if history.slots else "Nothing was heard in this time."
        self.setAccessibleName(f"History of {quantity.title}")
        self._point_at(len(history.slots) - 1)

    def show_sentence(self, sentence: str) -> None:
        """Say why there is nothing to see."""
        self._history, self._sentence = None, sentence
        self._point_at(-1)

    def _point_at(self, at: int) -> None:
        slots = () if self._history is None else self._history.slots
        self._at = max(-1, min(at, len(slots) - 1))
        said = self._sentence
        if self._history is not None and self._quantity is not None and self._at >= 0:
            said = sentence_of(slots[self._at], self._quantity)
        self.setAccessibleDescription(said)
        self.slot_pointed.emit(said)
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for a curve."""
        body = look().sizes.body
        return QSize(body * 24, body * 14)

    def minimumSizeHint(self) -> QSize:
        """Return what a narrow dock gives."""
        body = look().sizes.body
        return QSize(body * 12, body * 7)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new look."""
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
        super().changeEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell what was read nearest to the pointer."""
        history, plot = self._history, self._plot()
        if history is None or not history.slots or plot.width() <= 0:
            return
        x = event.position().x()
        places = [abs(_x(plot, history, slot.start) - x) for slot in history.slots]
        self._point_at(places.index(min(places)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move from reading to reading."""
        n_slots = 0 if self._history is None else len(self._history.slots)
        steps = {Qt.Key.Key_Left: self._at - 1, Qt.Key.Key_Right: self._at + 1, Qt.Key.Key_Home: 0}
        steps[Qt.Key.Key_End] = n_slots - 1
        wanted = steps.get(Qt.Key(event.key()))
        if wanted is None or not n_slots:
            super().keyPressEvent(event)
            return
        self._point_at(max(0, wanted))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the axis, the gaps, the range of each part and its mean."""
        made = look()
        with QPainter(self) as painter:
            painter.setFont(made.font(made.sizes.caption))
            history = self._history
            if history is None or not history.slots:
                self._paint_nothing(painter, made)
            else:
                self._paint_history(painter, history, made)

    def _plot(self) -> QRectF:
        line_px = self.fontMetrics().height()
        return QRectF(self.rect()).adjusted(_LEFT_PX, 6, -_RIGHT_PX, -line_px - 4)

    def _paint_nothing(self, painter: QPainter, made: Look) -> None:
        colors = made.theme.text, made.theme.text_secondary
        paint_sentence(painter, QRectF(self.rect()), self._sentence, "", *colors)

    def _paint_history(self, painter: QPainter, history: History, made: Look) -> None:
        plot = self._plot()
        low, high = _bounds(history.slots)
        decimals = self._quantity.decimals if self._quantity is not None else 1
        painter.setPen(made.color("text_secondary"))
        labels = QRectF(0, plot.top(), _LEFT_PX - 6, plot.height())
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(labels, right | Qt.AlignmentFlag.AlignTop, f"{high:.{decimals}f}")
        painter.drawText(labels, right | Qt.AlignmentFlag.AlignBottom, f"{low:.{decimals}f}")
        for begin, end in gaps_of(history):
            left, stop = _x(plot, history, begin), _x(plot, history, end)
            painter.save()
            painter.setClipRect(QRectF(left, plot.top(), stop - left, plot.height()))
            paint_hatching(painter, QRectF(left, plot.top(), stop - left, plot.height()), made.color("line_strong"))
            painter.restore()
        painter.setPen(QPen(made.color("line"), 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        for piece in pieces_of(history):
            self._paint_piece(painter, plot, history, piece, (low, high), made)
        self._paint_cursor(painter, plot, history, made)
        self._paint_times(painter, plot, history, made)

    def _paint_piece(
        self,
        painter: QPainter,
        plot: QRectF,
        history: History,
        piece: Sequence[HistorySlot],
        bounds: tuple[float, float],
        made: Look,
    ) -> None:
        low, high = bounds

        def place(slot: HistorySlot, value: float) -> QPointF:
            return QPointF(_x(plot, history, slot.start), plot.bottom() - (value - low) / (high - low) * plot.height())

        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(made.color("trend_band"))
        edge = [place(slot, slot.high) for slot in piece] + [place(slot, slot.low) for slot in reversed(piece)]
        painter.drawPolygon(QPolygonF(edge))
        painter.setPen(QPen(made.color("trend"), 1.5))
        painter.drawPolyline(QPolygonF([place(slot, slot.mean) for slot in piece]))
        for slot in piece:
            if slot.is_late:
                # A hollow square: it came late, from the device's outbox.
                painter.setBrush(made.color("panel"))
                middle = place(slot, slot.mean)
                painter.drawRect(QRectF(middle.x() - 2.5, middle.y() - 2.5, 5, 5))
            elif slot.is_doubtful or len(piece) == 1:
                painter.setBrush(Qt.BrushStyle.NoBrush if slot.is_doubtful else made.color("trend"))
                painter.drawEllipse(place(slot, slot.mean), 2.5, 2.5)
        painter.restore()

    def _paint_cursor(self, painter: QPainter, plot: QRectF, history: History, made: Look) -> None:
        if self._at >= 0 and (self.hasFocus() or self.underMouse()):
            x = _x(plot, history, history.slots[self._at].start)
            painter.setPen(QPen(made.color("focus"), 1))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))

    def _paint_times(self, painter: QPainter, plot: QRectF, history: History, made: Look) -> None:
        painter.setPen(made.color("text_secondary"))
        is_long = history.until - history.since > timedelta(hours=25)
        write = format_day_minute if is_long else format_clock_minute
        line = QRectF(plot.left(), plot.bottom() + 2, plot.width(), self.height() - plot.bottom() - 2)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, write(history.since))
        painter.drawText(line, Qt.AlignmentFlag.AlignRight, write(history.until))


class HistoryView(QWidget):
    """Chooses a quantity and a time, and shows how it went.

    Signals:
        history_requested(str, str, float): Stream, key of the quantity, span [s].
    """

    history_requested = Signal(str, str, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._quantities: tuple[OfferedQuantity, ...] = ()
        gap = look().sizes.gap
        self._choice = choice_field("Quantity", self)
        self._span = QComboBox(self)
        self._span.setAccessibleName("Time")
        for words, span_s in SPANS:
            self._span.addItem(words, span_s)
        self._choice.currentIndexChanged.connect(lambda _index: self.ask())
        self._span.currentIndexChanged.connect(lambda _index: self.ask())
        self.chart = HistoryChart(self)
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        set_role(self._said, "caption")
        self.chart.slot_pointed.connect(self._said.setText)
        self._key = QLabel("Band: lowest to highest. Hatched: nothing heard. Square: came late. Ring: doubtful.", self)
        self._key.setWordWrap(True)
        set_role(self._key, "caption")
        line = QHBoxLayout()
        line.setSpacing(gap * 2)
        line.addWidget(self._choice, 1)
        line.addWidget(self._span)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, gap * 2, 0, 0)
        rows.addLayout(line)
        rows.addWidget(self.chart, 1)
        rows.addWidget(self._said)
        rows.addWidget(self._key)
        self.setFocusProxy(self._choice)

    @property
    def has_quantities(self) -> bool:
        """Whether there is something to choose."""
        return bool(self._quantities)

    def start(self) -> None:
        """Begin anew with another device."""
        self._quantities = ()
        self._choice.blockSignals(True)
        self._choice.clear()
        self._choice.blockSignals(False)
        self.chart.show_sentence("")

    def show_quantities(self, quantities: Sequence[OfferedQuantity]) -> None:
        """Offer these; what is chosen stays chosen."""
        if tuple(quantities) == self._quantities:
            return
        chosen = self._chosen
        self._quantities = tuple(quantities)
        several = len({one.stream for one in quantities}) > 1
        self._choice.blockSignals(True)
        self._choice.clear()
        for one in self._quantities:
            unit = f" [{one.unit}]" if one.unit else ""
            self._choice.addItem(f"{one.title}{unit}" + (f", {one.stream}" if several else ""))
        if chosen in self._quantities:
            self._choice.setCurrentIndex(self._quantities.index(chosen))
        self._choice.blockSignals(False)
        if not self._quantities:
            self.chart.show_sentence("This device has not said any number yet.")

    def ask(self) -> None:
        """Ask for what is chosen."""
        chosen = self._chosen
        if chosen is not None:
            self.history_requested.emit(chosen.stream, chosen.key, float(self._span.currentData()))

    def show_history(self, history: History) -> None:
        """Show it, where it is still what is chosen."""
        chosen = self._chosen
        if chosen is not None and (history.stream, history.key) == (chosen.stream, chosen.key):
            self.chart.show_history(history, chosen)

    @property
    def _chosen(self) -> OfferedQuantity | None:
        number = self._choice.currentIndex()
        return self._quantities[number] if 0 <= number < len(self._quantities) else None


def pieces_of(history: History) -> list[list[HistorySlot]]:
    """Return the parts between which nothing was heard for longer than a gap."""
    pieces: list[list[HistorySlot]] = []
    for slot in history.slots:
        if not pieces or (slot.start - pieces[-1][-1].start).total_seconds() > history.gap_s:
            pieces.append([])
        pieces[-1].append(slot)
    return pieces


def gaps_of(history: History) -> tuple[tuple[datetime, datetime], ...]:
    """Return from when to when nothing was heard, the beginning and the end of the time included."""
    pieces = pieces_of(history)
    slot, gap = timedelta(seconds=history.slot_s), timedelta(seconds=history.gap_s)
    begins = [history.since, *(piece[-1].start + slot for piece in pieces)]
    ends = [*(piece[0].start for piece in pieces), history.until]
    return tuple((begin, end) for begin, end in zip(begins, ends, strict=True) if end - begin + slot > gap)


def sentence_of(slot: HistorySlot, quantity: OfferedQuantity) -> str:
    """Return what is known of one part, in one line."""
    unit, decimals = quantity.unit, quantity.decimals
    at = format_second(slot.start)
    words = f"{at}: {slot.mean:.{decimals}f} {unit}".rstrip()
    if slot.n_readings > 1 and slot.low != slot.high:
        words += f" ({slot.low:.{decimals}f} to {slot.high:.{decimals}f}, {slot.n_readings} readings)"
    words += ", came late" if slot.is_late else ""
    return words + (", doubtful" if slot.is_doubtful else "")


def _bounds(slots: Sequence[HistorySlot]) -> tuple[float, float]:
    """Return the ends of the axis: zero is among them unless the curve is far from it."""
    low, high = min(slot.low for slot in slots), max(slot.high for slot in slots)
    if 0 <= low < (high - low) * 2 or low == high >= 0:
        low = 0.0
    room = (high - low) * 0.05 or 1.0
    return (low if low == 0 else low - room), high + room


def _x(plot: QRectF, history: History, at: datetime) -> float:
    share = (at - history.since).total_seconds() / (history.until - history.since).total_seconds()
    return plot.left() + min(1.0, max(0.0, share)) * plot.width()
