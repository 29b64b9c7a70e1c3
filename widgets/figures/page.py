"""See how the alarm system does: choose a span, read the figures beside what is recommended, export them."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QSplitter, QVBoxLayout, QWidget

from core.incidents.figures import Figures
from widgets.base.focus import order_focus
from widgets.base.labels import ElidedLabel
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_instant
from widgets.figures.hours import HourBars
from widgets.figures.rows import compared_lines, flood_lines, position_lines, priority_lines, top_lines
from widgets.scene.fields import choice_field

SPANS_H = {"Last 8 hours": 8, "Last 24 hours": 24, "Last week": 168, "Last 30 days": 720, "Last 90 days": 2160}
NOTE = (
    "Recommended: ISA-18.2, IEC 62682 and EEMUA 191, for one operator position; shown for comparison only. "
    "Every position of this room is called by every alarm."
)


class FiguresPage(QWidget):
    """Tables of figures.

    Signals:
        figures_requested(int): Hours back from now; answered by `show_figures` or `show_refused`.
        export_requested(object): The `Figures` that are shown.
    """

    figures_requested = Signal(int)
    export_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._figures: Figures | None = None
        self._build()
        order_focus(self)
        self._overlay = StateOverlay(self._body)
        self._overlay.show_state(PanelState.LOADING, "Counting the journal")

    def ask(self) -> None:
        """Count anew."""
        self.figures_requested.emit(int(self._span.currentData()))

    def show_figures(self, figures: Figures) -> None:
        """Show what was counted."""
        self._figures = figures
        self._overlay.clear()
        self._export.setEnabled(True)
        self._head.setText(f"{format_instant(figures.since)} to {format_instant(figures.until)}")
        self._hours.show_counts(figures.since, figures.per_hour)
        for table, lines, most in (
            (self._load, compared_lines(figures), 18),
            (self._priorities, priority_lines(figures), 4),
            (self._top, top_lines(figures), 10),
            (self._positions, position_lines(figures), 6),
            (self._floods, flood_lines(figures), 6),
        ):
            table.show_lines(lines)
            table.set_fitting(most)

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why there are no figures."""
        self._overlay.show_state(PanelState.LOST, sentence, hint)

    def _build(self) -> None:
        gap = look().sizes.gap
        self._span = choice_field("Span of the figures", self)
        for words, hours in SPANS_H.items():
            self._span.addItem(words, hours)
        self._span.setCurrentIndex(1)
        self._span.setMinimumContentsLength(max(map(len, SPANS_H)))
        self._span.currentIndexChanged.connect(lambda _row: self.ask())
        self._again = QPushButton("Count again  Ctrl+F5", self)
        self._again.clicked.connect(self.ask)
        self._export = QPushButton("Export CSV…", self)
        self._export.setEnabled(False)
        self._export.clicked.connect(self._on_export)
        self._head = ElidedLabel("", self)
        set_role(self._head, "secondary")
        row = QHBoxLayout()
        row.setContentsMargins(gap * 3, gap * 2, gap * 3, 0)
        row.setSpacing(gap * 2)
        for part in (self._span, self._again, self._export):
            row.addWidget(part)
        row.addWidget(self._head, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap * 2)
        column.addLayout(row)
        column.addWidget(self._build_body(), 1)
        shortcut = QShortcut(QKeySequence("Ctrl+F5"), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.ask)

    def _build_body(self) -> QWidget:
        self._body = QSplitter(Qt.Orientation.Horizontal, self)
        self._body.setChildrenCollapsible(False)
        note = QLabel(NOTE, self)
        note.setWordWrap(True)
        set_role(note, "caption")
        self._load = TextTable(
            "Load and state of the alarm system",
            (
                Column(title="Figure"),
                Column(title="Value", is_figure=True),
                Column(title="Recommended"),
            ),
            self,
        )
        self._hours = HourBars(self)
        answers = (
            Column(title="Answered", is_figure=True, rank=1),
            Column(title="p50", is_figure=True),
            Column(title="p95", is_figure=True),
        )
        self._priorities = TextTable(
            "Alarms by priority",
            (
                Column(title="Priority"),
                Column(title="Alarms", is_figure=True),
                Column(title="Share", is_figure=True),
                Column(title="Recommended", is_figure=True, rank=2),
                *answers,
            ),
            self,
        )
        self._top = TextTable(
            "Ten most frequent",
            (
                Column(title="Ten most frequent"),
                Column(title="Source", rank=1),
                Column(title="Alarms", is_figure=True),
                Column(title="Share", is_figure=True),
            ),
            self,
        )
        self._positions = TextTable("Answered at each desk", (Column(title="Answered at desk"), *answers), self)
        self._floods = TextTable(
            "Floods",
            (Column(title="Flood"), Column(title="Lasted", is_figure=True), Column(title="Alarms", is_figure=True)),
            self,
        )
        self._body.addWidget(_column(self, note, self._load))
        self._body.addWidget(_column(self, self._hours, self._priorities, self._top, self._positions, self._floods))
        self._body.setSizes([480, 520])
        return self._body

    def _on_export(self) -> None:
        if self._figures is not None:
            self.export_requested.emit(self._figures)


def _column(parent: QWidget, *parts: QWidget) -> QScrollArea:
    gap = look().sizes.gap
    body = QWidget(parent)
    column = QVBoxLayout(body)
    column.setContentsMargins(gap * 3, 0, gap * 3, gap * 2)
    column.setSpacing(gap * 3)
    for part in parts:
        column.addWidget(part)
    column.addStretch(1)
    area = QScrollArea(parent)
    area.setWidget(body)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area
