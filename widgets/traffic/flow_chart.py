"""Flow: what one lane or line of a camera measured, minute by minute. A minute that nobody saw is hatched, not zero.

Left and Right move from minute to minute, Home and End to the first and last; the line below says its figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.vision.flow import FlowMinute
from core.vision.model import PERSON
from widgets.base.state_overlay import paint_hatching
from widgets.base.theme import Look, look
from widgets.base.times import format_clock_minute

MINUTE = timedelta(minutes=1)
_LEFT_PX, _RIGHT_PX, _GAP_PX = 44, 8, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One figure of the chart.

    Attributes:
        least_top: The axis reaches at least so far, so that trembling about zero stays small.
        doubt: One standard deviation; None where the figure has none.
    """

    title: str
    value: Callable[[FlowMinute], float | None]
    least_top: float
    is_bar: bool = False
    doubt: Callable[[FlowMinute], float | None] | None = None


STRIPS = (
    Strip(
        title="Vehicles a minute",
        value=lambda one: None if one.n_vehicles is None or one.label == PERSON else float(one.n_vehicles),
        least_top=5.0,
        is_bar=True,
    ),
    Strip(
        title="People a minute",
        value=lambda one: None if one.n_vehicles is None or one.label != PERSON else float(one.n_vehicles),
        least_top=5.0,
        is_bar=True,
    ),
    Strip(
        title="Speed [km/h]",
        value=lambda one: one.speed_kmh,
        least_top=30.0,
        doubt=lambda one: one.speed_error_kmh,
    ),
    Strip(
        title="Occupancy [%]",
        value=lambda one: None if one.occupancy is None else 100.0 * one.occupancy,
        least_top=20.0,
    ),
    Strip(title="Queue [m]", value=lambda one: one.queue_m, least_top=20.0, is_bar=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One minute of the time that is shown; `measured` is None where nobody looked."""

    start: datetime
    measured: FlowMinute | None


def slots_of(minutes: Iterable[FlowMinute], until: datetime, n_minutes: int) -> tuple[Slot, ...]:
    """Return every minute before `until`, oldest first, with what was measured in it.

    Args:
        minutes: Of one lane or line and all classes of vehicles, or of people, in any order.
        until: Now; its own minute has not ended and is left out.
        n_minutes: How many.
    """
    known = (one for one in minutes if one.observed_s > 0 and one.n_vehicles is not None)
    by_start = {one.minute.astimezone(UTC): one for one in known}
    end = until.astimezone(UTC).replace(second=0, microsecond=0)
    starts = (end - MINUTE * back for back in range(n_minutes, 0, -1))
    return tuple(Slot(start=start, measured=by_start.get(start)) for start in starts)


def sentence_of(slot: Slot) -> str:
    """Return what is known of a minute, in one line."""
    at = format_clock_minute(slot.start)
    one = slot.measured
    if one is None:
        return f"{at}: nobody looked; not known"
    parts = [] if one.n_vehicles is None else [f"{one.n_vehicles} {'people' if one.label == PERSON else 'vehicles'}"]
    if one.speed_kmh is not None:
        doubt = "" if one.speed_error_kmh is None else f" ± {one.speed_error_kmh:.1f}"
        parts.append(f"{one.speed_kmh:.0f}{doubt} km/h")
    if one.occupancy is not None:
        parts.append(f"{one.occupancy:.0%} occupied")
    if one.density_per_km is not None:
        parts.append(f"{one.density_per_km:.0f} vehicles/km")
    if one.queue_m is not None:
        parts.append(f"queue {one.queue_m:.0f} m")
    if not one.is_complete:
        parts.append(f"only {one.observed_s:.0f} s seen")
    return f"{at}: {', '.join(parts)}"


class FlowChart(QWidget):
    """Paints the minutes of one lane or line.

    Signals:
        minute_pointed(str): What is known of the minute under the pointer or the cursor.
    """

    minute_pointed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slots: tuple[Slot, ...] = ()
        self._strips: tuple[Strip, ...] = STRIPS[:1]
        self._at = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Flow by the minute")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    @property
    def strips(self) -> tuple[str, ...]:
        """Titles of the figures that are shown: those that anything is known of."""
        return tuple(strip.title for strip in self._strips)

    def show_slots(self, slots: Sequence[Slot]) -> None:
        """Show these minutes."""
        self._slots = tuple(slots)
        known = [slot.measured for slot in slots if slot.measured is not None]
        self._strips = tuple(s for s in STRIPS if any(s.value(one) is not None for one in known)) or STRIPS[:1]
        self._point_at(min(self._at, len(slots) - 1) if self._at >= 0 else len(slots) - 1)

    def _point_at(self, at: int) -> None:
        self._at = max(-1, min(at, len(self._slots) - 1))
        said = sentence_of(self._slots[self._at]) if self._at >= 0 else ""
        self.setAccessibleDescription(said)
        self.minute_pointed.emit(said)
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for four strips."""
        body = look().sizes.body
        return QSize(body * 24, body * 24)

    def minimumSizeHint(self) -> QSize:
        """Return what a narrow dock gives."""
        body = look().sizes.body
        return QSize(body * 14, body * 8)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new look."""
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
        super().changeEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell the minute under the pointer."""
        room = self._plot_of(QRectF(self.rect()))
        if self._slots and room.width() > 0:
            self._point_at(int((event.position().x() - room.left()) / room.width() * len(self._slots)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move from minute to minute."""
        steps = {Qt.Key.Key_Left: self._at - 1, Qt.Key.Key_Right: self._at + 1, Qt.Key.Key_Home: 0}
        steps[Qt.Key.Key_End] = len(self._slots) - 1
        wanted = steps.get(Qt.Key(event.key()))
        if wanted is None or not self._slots:
            super().keyPressEvent(event)
            return
        self._point_at(max(0, wanted))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint strip below strip, all over the same time."""
        made = look()
        with QPainter(self) as painter:
            painter.setFont(made.font(made.sizes.caption))
            line_px = painter.fontMetrics().height()
            height = (self.height() - line_px - 4) / len(self._strips)
            for number, strip in enumerate(self._strips):
                rect = QRectF(0, number * height, self.width(), height)
                painter.setPen(made.color("text_secondary"))
                painter.drawText(rect.adjusted(_LEFT_PX, 0, -_RIGHT_PX, 0), Qt.AlignmentFlag.AlignTop, strip.title)
                plot = self._plot_of(rect.adjusted(0, line_px + 2, 0, -_GAP_PX))
                if plot.height() > 4:
                    self._paint_strip(painter, plot, strip, made)
            self._paint_times(painter, QRectF(0, self.height() - line_px, self.width(), line_px), made)

    def _plot_of(self, rect: QRectF) -> QRectF:
        return rect.adjusted(_LEFT_PX, 0, -_RIGHT_PX, 0)

    def _paint_strip(self, painter: QPainter, plot: QRectF, strip: Strip, made: Look) -> None:
        step = plot.width() / max(1, len(self._slots))
        known = [one for slot in self._slots if (one := slot.measured) is not None]
        top = max([strip.least_top, *(1.1 * (strip.value(one) or 0.0) for one in known)])
        painter.setPen(made.color("text_secondary"))
        labels = QRectF(0, plot.top(), _LEFT_PX - 6, plot.height())
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(labels, right | Qt.AlignmentFlag.AlignTop, f"{top:.0f}")
        painter.drawText(labels, right | Qt.AlignmentFlag.AlignBottom, "0")
        for first, n_slots in _gaps(self._slots):
            gap = QRectF(plot.left() + first * step, plot.top(), n_slots * step, plot.height())
            self._paint_gap(painter, gap, made)
        painter.setPen(QPen(made.color("line"), 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        if strip.is_bar:
            self._paint_bars(painter, plot, strip, top, made)
        else:
            self._paint_line(painter, plot, strip, top, made)
        if self._at >= 0:
            painter.setPen(QPen(made.color("focus"), 1))
            x = plot.left() + (self._at + 0.5) * step
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))

    def _paint_gap(self, painter: QPainter, rect: QRectF, made: Look) -> None:
        painter.save()
        painter.setClipRect(rect)
        paint_hatching(painter, rect, made.color("line_strong"))
        painter.restore()

    def _paint_bars(self, painter: QPainter, plot: QRectF, strip: Strip, top: float, made: Look) -> None:
        """A minute seen in part is hollow: what stands there is not all."""
        step = plot.width() / max(1, len(self._slots))
        for at, slot in enumerate(self._slots):
            value = None if slot.measured is None else strip.value(slot.measured)
            if slot.measured is None or value is None:
                continue
            high = value / top * plot.height()
            bar = QRectF(plot.left() + at * step, plot.bottom() - high, max(1.0, step - 1.0), high)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(made.color("trend"))
            if not slot.measured.is_complete:
                painter.setPen(QPen(made.color("trend"), 1))
                painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(bar)

    def _paint_line(self, painter: QPainter, plot: QRectF, strip: Strip, top: float, made: Look) -> None:
        step = plot.width() / max(1, len(self._slots))
        piece: list[tuple[float, float, float]] = []
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(plot)
        for at, slot in enumerate((*self._slots, None)):
            one = None if slot is None else slot.measured
            value = None if one is None else strip.value(one)
            if one is not None and value is not None:
                doubt = (strip.doubt(one) or 0.0) if strip.doubt is not None else 0.0
                piece.append((plot.left() + (at + 0.5) * step, value, doubt))
                continue
            self._paint_piece(painter, plot, piece, top, made)
            piece = []
        painter.restore()

    def _paint_piece(
        self, painter: QPainter, plot: QRectF, piece: list[tuple[float, float, float]], top: float, made: Look
    ) -> None:
        """Paint minutes that follow each other: the doubt as a band, the figure as a line on it."""
        if not piece:
            return
        down = plot.height() / top

        def points(sign: float) -> list[QPointF]:
            return [QPointF(x, plot.bottom() - (value + sign * doubt) * down) for x, value, doubt in piece]

        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(made.color("trend_band"))
        painter.drawPolygon(QPolygonF([*points(1.0), *points(-1.0)[::-1]]))
        painter.setPen(QPen(made.color("trend"), 1.5))
        painter.drawPolyline(QPolygonF(points(0.0)))
        if len(piece) == 1:
            painter.setBrush(made.color("trend"))
            painter.drawEllipse(points(0.0)[0], 1.5, 1.5)

    def _paint_times(self, painter: QPainter, rect: QRectF, made: Look) -> None:
        if not self._slots:
            return
        painter.setPen(made.color("text_secondary"))
        plot = self._plot_of(rect)
        first, last = (format_clock_minute(slot.start) for slot in (self._slots[0], self._slots[-1]))
        painter.drawText(plot, Qt.AlignmentFlag.AlignLeft, first)
        painter.drawText(plot, Qt.AlignmentFlag.AlignRight, last)


def _gaps(slots: Sequence[Slot]) -> list[tuple[int, int]]:
    """Return where minutes begin that nobody looked at, and how many follow each other."""
    found: list[tuple[int, int]] = []
    for is_gap, members in groupby(enumerate(slots), key=lambda item: item[1].measured is None):
        first, *others = (at for at, _ in members)
        if is_gap:
            found.append((first, 1 + len(others)))
    return found
