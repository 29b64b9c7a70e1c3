"""See what a lot's history says of it and what is expected: choose lot, zone and time, read, ask, export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from core.kernel.clock import Clock
from core.kernel.zone import to_site
from core.parking.figures_model import LotFigures
from core.parking.forecast.model import LotForecast
from widgets.base.flow import FlowLayout
from widgets.base.focus import order_focus
from widgets.base.labels import ElidedLabel
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_minute
from widgets.lots.calendar_form import CalendarForm
from widgets.lots.dwell_bars import DwellBars
from widgets.lots.forecast_chart import LEGEND, ForecastChart, Past
from widgets.lots.forecast_words import SIMULATED, answer_of, bay_lines, fact_lines, ground_of, measured_lines
from widgets.lots.heat_map import HeatMap
from widgets.lots.when_picker import WhenPicker
from widgets.scene.fields import choice_field

SPANS_DAYS = {"Last 7 days": 7, "Last 4 weeks": 28, "Last 12 weeks": 84}
AHEAD_H = {"Next 24 hours": 24, "Next 3 days": 72, "Next 7 days": 168}
SIDE_BY_SIDE_EM = 62
"""From this width on, in letters, the figures stand beside the forecast, and below it in less."""

WHOLE_LOT = "Whole lot"
NO_LOTS, DRAW_HINT = "There is no lot yet.", "Draw one in Bays, or let a device count."


class ParkingFiguresPage(QWidget):
    """Forecast on one side, figures on the other.

    Signals:
        figures_requested(str, str, int): Lot, zone, days back; answered by `show_figures` or `show_refused`.
        forecast_requested(str, str, int): Lot, zone, hours ahead; answered by `show_forecast` or `show_refused`.
        when_asked(str, str, object): Lot, zone and an instant; answered by `show_answer` or `show_no_answer`.
        training_requested(): Train all lots anew.
        export_requested(object, object): The figures and the forecast that are shown.
    """

    figures_requested = Signal(str, str, int)
    forecast_requested = Signal(str, str, int)
    when_asked = Signal(str, str, object)
    training_requested = Signal()
    export_requested = Signal(object, object)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._figures: LotFigures | None = None
        self._forecast: LotForecast | None = None
        self._zones: dict[str, tuple[str, ...]] = {}
        self._labels: dict[str, dict[str, str]] = {}
        self.when = WhenPicker(clock)
        self.calendar = CalendarForm(clock)
        self._build()
        order_focus(self)
        self._overlay = StateOverlay(self._area)
        self._overlay.show_state(PanelState.EMPTY, NO_LOTS, DRAW_HINT)

    @property
    def place(self) -> tuple[str, str]:
        """Chosen lot and zone; the lot is empty where there is none."""
        return self.lot.currentData() or "", self.zone.currentData() or ""

    def show_lots(
        self,
        names: Mapping[str, str],
        zones: Mapping[str, Sequence[str]],
        labels: Mapping[str, Mapping[str, str]],
    ) -> None:
        """Offer lots by id and name, their zones, and what is painted on their bays; what was chosen stays chosen."""
        self._labels = {lot_id: dict(one) for lot_id, one in labels.items()}
        found = {lot_id: tuple(one) for lot_id, one in zones.items()}
        if found == self._zones and [self.lot.itemText(row) for row in range(self.lot.count())] == list(names.values()):
            return
        self._zones = found
        before = self.place
        with QSignalBlocker(self.lot):
            self.lot.clear()
            for lot_id, name in names.items():
                self.lot.addItem(name, lot_id)
            self.lot.setCurrentIndex(max(0, self.lot.findData(before[0])) if names else -1)
        self.calendar.show_lots(names)
        self._fill_zones(before[1])
        if not names:
            self._overlay.show_state(PanelState.EMPTY, NO_LOTS, DRAW_HINT)
        elif self.place != before:
            self.ask()

    def select(self, lot_id: str) -> None:
        """Show this lot; nothing where it is unknown."""
        row = self.lot.findData(lot_id)
        if row >= 0:
            self.lot.setCurrentIndex(row)

    def ask(self) -> None:
        """Ask for everything anew."""
        lot_id, zone = self.place
        if not lot_id:
            return
        if self._figures is None:
            self._overlay.show_state(PanelState.LOADING, "The history is being read.")
        self.figures_requested.emit(lot_id, zone, int(self.span.currentData()))
        self._ask_ahead()

    def show_figures(self, figures: LotFigures) -> None:
        """Show what the history says; an answer about a place that is no longer chosen is left out."""
        if (figures.lot_id, figures.zone) != self.place:
            return
        self._figures = figures
        self._overlay.clear()
        self._export.setEnabled(True)
        self._simulated.setVisible(figures.is_simulated)
        self._span_said.setText(
            f"{to_site(figures.since):%Y-%m-%d} to {to_site(figures.until):%Y-%m-%d}, {figures.time_zone}"
            + ("; the lot only counts: nothing is known of bays and stays" if figures.is_counted else "")
        )
        self.facts.show_lines(fact_lines(figures))
        self.facts.set_fitting(9)
        self.heat.show_figures(figures)
        self.dwell.show_dwell(figures.dwell)
        self.bays.show_lines(bay_lines(figures, self._labels.get(figures.lot_id, {})))
        self.bays.set_fitting(10)
        for part in (self.dwell, self._dwell_title, self.bays, self._bays_title):
            part.setVisible(not figures.is_counted)

    def show_forecast(self, forecast: LotForecast, past: Past) -> None:
        """Show what is expected; an answer about a place that is no longer chosen is left out."""
        if (forecast.lot_id, forecast.zone) != self.place:
            return
        self._forecast = forecast
        self.when.set_zone(forecast.time_zone)
        self.calendar.propose()
        self.chart.show_forecast(forecast, past)
        has_points = bool(forecast.points)
        for part in (self.chart, self._pointed, self._legend):
            part.setVisible(has_points)
        self._legend.setText(LEGEND.format(asked=forecast.asked))
        self._notes.setText("\n".join(forecast.notes))
        self._notes.setVisible(bool(forecast.notes))
        self.measured.show_lines(measured_lines(forecast))
        self.measured.set_fitting(10)
        self.measured.setVisible(bool(forecast.measured))
        self._measured_title.setVisible(bool(forecast.measured))
        trained = "never" if forecast.trained_at is None else format_minute(forecast.trained_at)
        self._trained.setText(
            f"Trained {trained}, {forecast.n_days} days of history, data {forecast.data_hash or '--'}"
        )

    def show_answer(self, forecast: LotForecast) -> None:
        """Answer what was asked of one instant."""
        if (forecast.lot_id, forecast.zone) != self.place:
            return
        if not forecast.points:
            self.show_no_answer(" ".join(forecast.notes))
            return
        point = forecast.points[-1]
        self.answer.setText(answer_of(forecast, point))
        self._ground.setText(ground_of(point))

    def show_no_answer(self, sentence: str) -> None:
        """Say why there is none."""
        self.answer.setText(sentence)
        self._ground.setText("")

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why nothing newer is known."""
        self._overlay.show_state(PanelState.STALE if self._figures else PanelState.LOST, sentence, hint)

    def show_training(self, sentence: str) -> None:
        """Say how training stands."""
        self._training_said.setText(sentence)
        self._training_said.setVisible(bool(sentence))

    def show_roles(self, *, may_edit: bool, may_train: bool) -> None:
        """Let only those act who may."""
        self.calendar.show_role(may_edit=may_edit)
        self._train.setEnabled(may_train)
        self._train.setToolTip("" if may_train else "A supervisor may train anew.")

    # -- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self._body = QWidget(self)
        self._columns = QBoxLayout(QBoxLayout.Direction.LeftToRight, self._body)
        gap = look().sizes.gap
        self._columns.setContentsMargins(gap * 3, gap, gap * 3, gap * 3)
        self._columns.setSpacing(gap * 6)
        self._columns.addWidget(self._build_forecast(), 1)
        self._columns.addWidget(self._build_figures(), 1)
        self._area = QScrollArea(self)
        self._area.setWidget(self._body)
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap * 2)
        column.addWidget(self._build_head())
        column.addWidget(self._area, 1)
        shortcut = QShortcut(QKeySequence("F5"), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.ask)

    def _build_head(self) -> QWidget:
        gap = look().sizes.gap
        self.lot, self.zone = choice_field("Lot", self), choice_field("Zone", self)
        self.span = choice_field("Span of the figures", self)
        for words, days in SPANS_DAYS.items():
            self.span.addItem(words, days)
        self.span.setCurrentIndex(1)
        for choice, letters in ((self.lot, 14), (self.zone, 10), (self.span, 11)):
            choice.setMinimumContentsLength(letters)
        self._export = QPushButton("Export CSV…", self)
        self._export.setEnabled(False)
        self._simulated = QLabel(SIMULATED, self)
        set_role(self._simulated, "chip")
        self._simulated.setMinimumHeight(look().sizes.control)
        self._simulated.setToolTip("Nobody parked there: the demonstration's own history.")
        self._simulated.hide()
        head = QWidget(self)
        room = QVBoxLayout(head)
        room.setContentsMargins(gap * 3, gap * 2, gap * 3, 0)
        row = FlowLayout(gap * 2)
        room.addLayout(row)
        for part in (self.lot, self.zone, self.span, self._export, self._simulated):
            row.addWidget(part)
        self.lot.currentIndexChanged.connect(self._on_lot)
        self.zone.currentIndexChanged.connect(lambda _row: self._on_place())
        self.span.currentIndexChanged.connect(lambda _row: self.ask())
        self._export.clicked.connect(lambda: self.export_requested.emit(self._figures, self._forecast))
        return head

    def _build_forecast(self) -> QWidget:
        self.ahead = choice_field("How far ahead", self)
        for words, hours in AHEAD_H.items():
            self.ahead.addItem(words, hours)
        self.ahead.setMinimumContentsLength(12)
        self.answer = _text(self, "title")
        self.answer.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.answer.setAccessibleName("What is expected then")
        self._ground, self._notes = _text(self, "secondary"), _text(self, "secondary")
        self.chart = ForecastChart(self)
        self.chart.setMinimumHeight(look().sizes.body * 14)
        self._pointed, self._legend = ElidedLabel("", self), _text(self, "caption")
        self.measured = TextTable(
            "Measured error",
            (
                Column(title="Up to"),
                Column(title="Shown"),
                Column(title="Off by", is_figure=True),
                Column(title="Last value", is_figure=True, rank=1),
                Column(title="Last week", is_figure=True, rank=1),
                Column(title="90 % held", is_figure=True, rank=2),
            ),
            self,
        )
        self._measured_title = _title("Bays off on average, as measured", self)
        self._trained, self._training_said = _text(self, "caption"), _text(self, "caption")
        self._training_said.hide()
        self._train = QPushButton("Train anew", self)
        self._train.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._train.clicked.connect(self.training_requested)
        self.chart.point_pointed.connect(self._pointed.setText)
        self.when.when_chosen.connect(lambda when: self.when_asked.emit(*self.place, when))
        self.ahead.currentIndexChanged.connect(lambda _row: self._ask_ahead())
        trained = QHBoxLayout()
        trained.addWidget(self._trained, 1)
        trained.addWidget(self._train)
        head = QHBoxLayout()
        head.addWidget(_title("Free bays expected", self), 1)
        head.addWidget(self.ahead)
        return _column(
            self,
            self.when,
            self.answer,
            self._ground,
            head,
            self.chart,
            self._pointed,
            self._legend,
            self._notes,
            self._measured_title,
            self.measured,
            trained,
            self._training_said,
            _title("Calendar", self),
            self.calendar,
        )

    def _build_figures(self) -> QWidget:
        self._span_said, self._cell = _text(self, "caption"), ElidedLabel("", self)
        self.facts = TextTable("Figures", (Column(title="Figure"), Column(title="Value", is_figure=True)), self)
        self.heat, self.dwell = HeatMap(self), DwellBars(self)
        self.heat.cell_pointed.connect(self._cell.setText)
        self.bays = TextTable(
            "Busiest bays",
            (
                Column(title="Bay"),
                Column(title="Occupied", is_figure=True),
                Column(title="Stays", is_figure=True),
                Column(title="Mean stay", is_figure=True, rank=1),
                Column(title="Known", is_figure=True, rank=2),
            ),
            self,
        )
        self._dwell_title, self._bays_title = _title("How long they stay", self), _title("Busiest bays", self)
        return _column(
            self,
            self._span_said,
            _title("Occupied by weekday and hour [%]", self),
            self.heat,
            self._cell,
            self.facts,
            self._dwell_title,
            self.dwell,
            self._bays_title,
            self.bays,
        )

    def _fill_zones(self, chosen: str) -> None:
        with QSignalBlocker(self.zone):
            self.zone.clear()
            self.zone.addItem(WHOLE_LOT, "")
            for zone in self._zones.get(self.lot.currentData() or "", ()):
                self.zone.addItem(zone, zone)
            self.zone.setCurrentIndex(max(0, self.zone.findData(chosen)))
            self.zone.setEnabled(self.zone.count() > 1)

    def _on_lot(self) -> None:
        self._fill_zones("")
        self._on_place()

    def _on_place(self) -> None:
        self._figures = self._forecast = None
        self.show_no_answer("")
        self.ask()

    def _ask_ahead(self) -> None:
        lot_id, zone = self.place
        if lot_id:
            self.forecast_requested.emit(lot_id, zone, int(self.ahead.currentData()))
            self.when_asked.emit(lot_id, zone, self.when.when)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Stand side by side where there is room."""
        super().resizeEvent(event)
        is_wide = self.width() >= SIDE_BY_SIDE_EM * look().sizes.body
        way = QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        self._columns.setDirection(way)
        for place in range(self._columns.count()):
            self._columns.setStretch(place, 1 if is_wide else 0)


def _text(parent: QWidget, role: str) -> QLabel:
    label = QLabel("", parent)
    label.setWordWrap(True)
    set_role(label, role)
    return label


def _title(words: str, parent: QWidget) -> QLabel:
    label = QLabel(words, parent)
    set_role(label, "heading")
    return label


def _column(parent: QWidget, *parts: QWidget | QHBoxLayout) -> QWidget:
    body = QWidget(parent)
    column = QVBoxLayout(body)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(look().sizes.gap * 2)
    for part in parts:
        if isinstance(part, QWidget):
            column.addWidget(part)
        else:
            column.addLayout(part)
    column.addStretch(1)
    return body


def free_of(n_bays: int, n_occupied: int, n_unknown: int) -> float | None:
    """Return free bays of a moment that was; None where a fifth of them or more was unknown."""
    return None if n_unknown > 0.2 * n_bays else float(max(0, n_bays - n_occupied - n_unknown))


def thinned(past: Sequence[tuple[datetime, float | None]], n_most: int = 400) -> list[tuple[datetime, float | None]]:
    """Return as many instants as a chart can show."""
    step = max(1, len(past) // n_most)
    return list(past[::step])
