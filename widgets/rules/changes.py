"""What is changed and not saved yet, field by field; a reason, then save."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.incidents.rules.model import MAX_REASON_LENGTH, MIN_REASON_LENGTH, Difference, RuleProblem
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.scene.fields import text_field

_MAX_CELL = 40
"""Longer texts are in the tip."""

COLUMNS = (Column(title="Rule"), Column(title="Field"), Column(title="Before"), Column(title="After"))


class ChangesPage(QWidget):
    """Differences, what is wrong, the reason.

    Signals:
        save_requested(str): The reason.
        discard_requested(): Back to the rules in force.
    """

    save_requested = Signal(str)
    discard_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        self._may_save = self._has_changes = self._is_wrong = False
        self._note = QLabel(self)
        self._note.setWordWrap(True)
        self._table = TextTable("What is changed", COLUMNS, self)
        self._reason: QLineEdit = text_field("Reason for the change", MAX_REASON_LENGTH)
        self._reason.setPlaceholderText("Why is it changed?  Enter or Ctrl+S saves")
        self._reason.textChanged.connect(lambda _text: self._refresh())
        self._reason.returnPressed.connect(self.save)
        self._save = QPushButton("Save", self)
        set_role(self._save, "primary")
        self._save.clicked.connect(self.save)
        self._discard = QPushButton("Discard", self)
        self._discard.clicked.connect(self.discard_requested)
        row = QHBoxLayout()
        row.setSpacing(gap * 2)
        row.addWidget(self._reason, 1)
        row.addWidget(self._save)
        row.addWidget(self._discard)
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 2)
        column.setSpacing(gap * 2)
        column.addWidget(self._note)
        column.addWidget(self._table, 1)
        column.addLayout(row)
        self.show_changes((), ())

    def show_changes(self, differences: tuple[Difference, ...], problems: tuple[RuleProblem, ...]) -> None:
        """Show what differs from the rules in force, and what is wrong in it."""
        wrong = [problem for problem in problems if not problem.is_warning]
        self._has_changes, self._is_wrong = bool(differences), bool(wrong)
        self._table.show_lines(lines_of_differences(differences))
        if wrong or problems:
            first = (wrong or list(problems))[0]
            self._note.setText(f"{first.rule_id}: {first.sentence}".removeprefix(": "))
        elif differences:
            self._note.setText("This differs from the rules in force.")
        else:
            self._note.setText("Nothing is changed.")
        self._refresh()

    def set_editable(self, may_save: bool) -> None:
        """Let the change be saved, or say who may."""
        self._may_save = may_save
        self._save.setToolTip("" if may_save else "A supervisor saves alarm rules.")
        self._refresh()

    def save(self) -> None:
        """Ask for the change to be put in force; without a reason, ask for the reason."""
        if not self._can_save():
            self._reason.setFocus()
            return
        self.save_requested.emit(self._reason.text().strip())

    def clear_reason(self) -> None:
        """The change was saved: the next one has a reason of its own."""
        self._reason.clear()

    def _can_save(self) -> bool:
        has_reason = len(self._reason.text().strip()) >= MIN_REASON_LENGTH
        return self._may_save and self._has_changes and not self._is_wrong and has_reason

    def _refresh(self) -> None:
        self._save.setEnabled(self._can_save())
        self._discard.setEnabled(self._has_changes)
        self._reason.setEnabled(self._may_save)


def lines_of_differences(differences: tuple[Difference, ...]) -> tuple[Line, ...]:
    """Return one line for each field."""
    return tuple(
        Line(
            key=f"{one.rule_id}.{one.path}",
            cells=(one.rule_id or "all rules", field_words(one.path), _short(one.before), _short(one.after)),
            tip=f"Before: {one.before or '--'}\nAfter: {one.after or '--'}",
        )
        for one in differences
    )


def _short(text: str) -> str:
    return text if 0 < len(text) <= _MAX_CELL else f"{text[:_MAX_CELL]}…" if text else "--"


def field_words(path: str) -> str:
    """Return "on delay [s]" for "limits.on_delay_s"."""
    name = path.rpartition(".")[2]
    words = name.removesuffix("_s").replace("_", " ")
    return f"{words} [s]" if name.endswith("_s") else words
