"""Every saved state of the rules: who, when, why and what; look at one, or bring it back."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSplitter, QVBoxLayout, QWidget

from core.incidents.rules.model import RuleVersion
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look
from widgets.base.times import format_instant
from widgets.rules.changes import COLUMNS, lines_of_differences

_COLUMNS = (
    Column(title="Reason"),
    Column(title="Version", is_figure=True),
    Column(title="Who"),
    Column(title="When"),
    Column(title="Rules", is_figure=True, rank=1),
)


class HistoryPage(QWidget):
    """Versions, newest first, and what the selected one changed.

    Signals:
        look_requested(int): Show this version as a draft; nothing is saved.
    """

    look_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        self._versions: tuple[RuleVersion, ...] = ()
        self._table = TextTable("Saved states of the alarm rules", _COLUMNS, self)
        self._table.selectionModel().currentRowChanged.connect(lambda *_: self._on_row())
        self._table.activated.connect(lambda _index: self._on_look())
        self._changes = TextTable("What the saved state changed", COLUMNS, self)
        self._overlay = StateOverlay(self._table.viewport())
        split = QSplitter(Qt.Orientation.Vertical, self)
        split.setChildrenCollapsible(False)
        split.addWidget(self._table)
        split.addWidget(self._changes)
        self._look = QPushButton("Bring back as a draft", self)
        self._look.setToolTip("It counts once it is saved with a reason (Enter)")
        self._look.clicked.connect(self._on_look)
        self._shipped = QPushButton("Program's own rules as a draft", self)
        self._shipped.clicked.connect(lambda: self.look_requested.emit(0))
        row = QHBoxLayout()
        row.setSpacing(gap * 2)
        row.addWidget(self._look)
        row.addWidget(self._shipped)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 2)
        column.setSpacing(gap * 2)
        column.addWidget(split, 1)
        column.addLayout(row)
        self.show_versions(())

    def show_versions(self, versions: tuple[RuleVersion, ...]) -> None:
        """List these, newest first."""
        self._versions = versions
        self._table.show_lines(
            [
                Line(
                    key=str(one.version),
                    cells=(one.reason, str(one.version), one.author, format_instant(one.at), str(one.n_rules)),
                    tip=f"At {one.desk}" if one.desk else "",
                )
                for one in versions
            ]
        )
        if versions:
            self._overlay.clear()
            self._table.selectRow(0)
        else:
            self._overlay.show_state(
                PanelState.EMPTY, "Nothing was changed yet.", "The program's own rules are in force."
            )
        self._on_row()

    def _current(self) -> RuleVersion | None:
        return next((one for one in self._versions if str(one.version) == self._table.current_key), None)

    def _on_row(self) -> None:
        current = self._current()
        self._look.setEnabled(current is not None)
        self._changes.show_lines(() if current is None else lines_of_differences(current.differences))

    def _on_look(self) -> None:
        current = self._current()
        if current is not None:
            self.look_requested.emit(current.version)
