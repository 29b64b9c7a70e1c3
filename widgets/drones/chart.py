"""How quantities of a drone went in the last minutes: choose any two, silence is a gap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QSignalBlocker, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.drones.model import QUANTITIES
from widgets.base.theme import look, set_role
from widgets.drones.history import BATTERY_KEY, QuantityHistory
from widgets.drones.words import UNKNOWN
from widgets.scene.fields import choice_field

SPANS_S = (("1 minute", 60.0), ("5 minutes", 300.0), ("10 minutes", 600.0))
_TWO_EM = 9
"""From so many letters of height two charts can be read."""

FIRST_KEYS = ("altitude_home_m", "ground_speed_mps")


class QuantityCharts(QWidget):
    """Two charts over one time.

    `show_at` draws them as of an instant: of now, or of the moment that is replayed.
    """

    def __init__(self, history: QuantityHistory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history = history
        self._drone_id = ""
        self._at: datetime | None = None
        self._span = choice_field("Time that the charts cover", self)
        for title, span_s in SPANS_S:
            self._span.addItem(title, span_s)
        self._span.setCurrentIndex(1)
        self._charts = tuple(_Chart(history, key, self) for key in FIRST_KEYS)
        self._charts[0].hideAxis("bottom")
        head = QHBoxLayout()
        head.setSpacing(look().sizes.gap * 2)
        for chart in self._charts:
            head.addWidget(chart.choice, 2)
        head.addWidget(self._span, 1)
        column = QVBoxLayout(self)
        gap = look().sizes.gap
        column.setContentsMargins(gap * 2, gap, gap * 2, gap)
        column.setSpacing(gap)
        column.addLayout(head)
        for chart in self._charts:
            column.addWidget(chart, 1)
            chart.choice.currentIndexChanged.connect(self._redraw)
        self._span.currentIndexChanged.connect(self._redraw)

    def show_drone(self, drone_id: str) -> None:
        """Chart another drone."""
        if drone_id != self._drone_id:
            self._drone_id = drone_id
            self._redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave the second chart away where two could not be read."""
        super().resizeEvent(event)
        has_room = self.height() >= look().sizes.body * _TWO_EM
        for part in (self._charts[1], self._charts[1].choice):
            part.setVisible(has_room)
        self._charts[0].showAxis("bottom", not has_room)

    def show_history(self, history: QuantityHistory) -> None:
        """Chart what stands in another history: that of a replay, or again that of now."""
        if history is not self._history:
            self._history = history
            for chart in self._charts:
                chart.history = history
            self._redraw()

    def show_at(self, at: datetime) -> None:
        """Draw up to an instant."""
        self._at = at
        if self.isVisible():
            self._redraw()

    def choose(self, at: int, key: str) -> None:
        """Chart another quantity in the first (0) or second (1) chart."""
        self._charts[at].choose(key)

    def said(self, at: int) -> str:
        """Return what a chart says in words."""
        return str(self._charts[at].accessibleDescription())

    def _redraw(self) -> None:
        for chart in self._charts:
            chart.offer(self._history.keys(self._drone_id))
            chart.draw(self._drone_id, self._at, float(self._span.currentData()))


class _MinutesAgo(pg.AxisItem):  # type: ignore[misc] # pyqtgraph has no types
    def tickStrings(self, values: Sequence[float], _scale: float, _spacing: float) -> list[str]:
        """Write how long ago, with its unit."""
        return ["now" if value == 0.0 else f"{value:g} min" for value in values]


class _Chart(pg.PlotWidget):  # type: ignore[misc]
    """One quantity over time; it cannot be moved by hand, so that its right edge is always the present."""

    def __init__(self, history: QuantityHistory, key: str, parent: QWidget) -> None:
        super().__init__(parent, background=None, axisItems={"bottom": _MinutesAgo(orientation="bottom")})
        self.history = history
        self.choice = choice_field("Quantity", parent)
        self.choice.addItem(title_of(key), key)
        self.setMenuEnabled(False)
        self.setMouseEnabled(x=False, y=False)
        self.hideButtons()
        self.getAxis("bottom").setTickSpacing(1.0, 0.5)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._curve = self.plot([], [], connect="finite")
        self._figure = QLabel(self)
        self._figure.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        set_role(self._figure, "title")
        self._dress()

    def choose(self, key: str) -> None:
        """Chart another quantity."""
        if self.choice.findData(key) < 0:
            self.choice.addItem(title_of(key), key)
        self.choice.setCurrentIndex(self.choice.findData(key))

    def offer(self, keys: tuple[str, ...]) -> None:
        """Offer what was said of the drone, and keep what is chosen."""
        chosen = self.choice.currentData()
        wanted = keys if chosen in keys else (chosen, *keys)
        if [self.choice.itemData(row) for row in range(self.choice.count())] == list(wanted):
            return
        with QSignalBlocker(self.choice):
            self.choice.clear()
            for key in wanted:
                self.choice.addItem(title_of(key), key)
            self.choice.setCurrentIndex(wanted.index(chosen))

    def draw(self, drone_id: str, at: datetime | None, span_s: float) -> None:
        """Draw the quantity up to an instant."""
        key = self.choice.currentData()
        at_s, values = self.history.series(drone_id, key)
        end_s = at.timestamp() if at is not None else (at_s[-1] if at_s.size else 0.0)
        is_in = (at_s >= end_s - span_s) & (at_s <= end_s)
        at_s, values = at_s[is_in], values[is_in]
        self._curve.setData((at_s - end_s) / 60.0, values)
        self.setXRange(-span_s / 60.0, 0.0, padding=0.0)
        known = values[np.isfinite(values)]
        # A scale would say that nothing is zero to one.
        self.getAxis("left").setStyle(showValues=bool(known.size))
        if known.size:
            low, high = float(known.min()), float(known.max())
            room = max(high - low, _least_span(key)) * 0.08
            self.setYRange(low - room, max(high, low + _least_span(key)) + room, padding=0.0)
        text = f"{known[-1]:.{_decimals(key)}f} {unit_of(key)}".strip() if known.size else UNKNOWN
        self._figure.setText(f"{title_of(key)}  {text}")
        self._figure.adjustSize()
        self.setAccessibleName(f"Chart of {title_of(key)}")
        self.setAccessibleDescription(f"{title_of(key)} {text}, {known.size} values in {span_s / 60:g} min")

    def _dress(self) -> None:
        made = look()
        self._curve.setPen(pg.mkPen(made.color("trend"), width=2))
        for name in ("left", "bottom"):
            axis = self.getAxis(name)
            axis.setPen(made.color("line_strong"))
            axis.setTextPen(made.color("text_secondary"))
            axis.setStyle(tickFont=made.font(made.sizes.caption))
        self.getAxis("left").setWidth(round(made.sizes.caption * 4.2))
        self.getAxis("bottom").setHeight(round(made.sizes.caption * 1.9))
        self._figure.move(round(made.sizes.caption * 4.2) + made.sizes.gap * 2, made.sizes.gap)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme."""
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_figure"):
            self._dress()
        super().changeEvent(event)

    def minimumSizeHint(self) -> QSize:
        """Return what a narrow dock gives."""
        body = look().sizes.body
        return QSize(body * 10, body * 4)


def title_of(key: str) -> str:
    """Return what a quantity is called."""
    return "Battery" if key == BATTERY_KEY else QUANTITIES[key].title


def unit_of(key: str) -> str:
    """Return the unit of a quantity."""
    return "%" if key == BATTERY_KEY else QUANTITIES[key].unit


def _decimals(key: str) -> int:
    return 0 if key == BATTERY_KEY else QUANTITIES[key].decimals


def _least_span(key: str) -> float:
    return float(10 ** -_decimals(key)) * 5
