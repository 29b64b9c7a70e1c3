"""What a document says: what is wrong in it line by line, and what it would change; then take it as a draft."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSplitter, QVBoxLayout, QWidget

from core.incidents.rules.model import RuleReport
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.rules.changes import COLUMNS, lines_of_differences

_COLUMNS = (Column(title="What is wrong"), Column(title="Line", is_figure=True), Column(title="Rule"))


class ImportPage(QWidget):
    """The report of one document.

    Signals:
        choose_requested(): Choose a file.
        take_requested(object): Make this `RuleSet` the draft.
        export_requested(): Write the rules in force into a file.
    """

    choose_requested = Signal()
    take_requested = Signal(object)
    export_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        self._report: RuleReport | None = None
        self._note = QLabel(self)
        self._note.setWordWrap(True)
        self._problems = TextTable("What is wrong in the document", _COLUMNS, self)
        self._changes = TextTable("What the document would change", COLUMNS, self)
        split = QSplitter(Qt.Orientation.Vertical, self)
        split.setChildrenCollapsible(False)
        split.addWidget(self._problems)
        split.addWidget(self._changes)
        self._choose = QPushButton("Choose a file…", self)
        self._choose.clicked.connect(self.choose_requested)
        self._take = QPushButton("Take as draft", self)
        set_role(self._take, "primary")
        self._take.clicked.connect(self._on_take)
        self._export = QPushButton("Export the rules in force…", self)
        self._export.clicked.connect(self.export_requested)
        row = QHBoxLayout()
        row.setSpacing(gap * 2)
        for button in (self._choose, self._take, self._export):
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 2)
        column.setSpacing(gap * 2)
        column.addWidget(self._note)
        column.addWidget(split, 1)
        column.addLayout(row)
        self._take.setEnabled(False)
        self._note.setText("A YAML document of all rules; see “Change alarm rules” in the handbook for its names.")

    def show_report(self, file_name: str, report: RuleReport) -> None:
        """Show what was read."""
        self._report = report
        n_wrong = sum(not problem.is_warning for problem in report.problems)
        n_warnings = len(report.problems) - n_wrong
        self._problems.show_lines(
            [
                Line(
                    key=f"{problem.line}.{number}",
                    cells=(
                        f"Note: {problem.sentence}" if problem.is_warning else problem.sentence,
                        str(problem.line),
                        problem.rule_id or "--",
                    ),
                )
                for number, problem in enumerate(report.problems)
            ]
        )
        self._changes.show_lines(lines_of_differences(report.differences))
        if report.rules is None:
            words = f"{file_name}: {report.n_read} rules read, {n_wrong} things are wrong. Nothing was taken over."
        elif report.differences:
            words = f"{file_name}: {report.n_read} rules, {len(report.differences)} fields differ, {n_warnings} notes."
        else:
            words = f"{file_name}: the same as the rules in force."
        self._note.setText(words)
        self._take.setEnabled(report.rules is not None and bool(report.differences))

    def _on_take(self) -> None:
        if self._report is not None and self._report.rules is not None:
            self.take_requested.emit(self._report.rules)
