"""A table of what came, and below it the chosen line in full."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QSplitter, QVBoxLayout, QWidget

from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role

_TABLE_ROWS, _TEXT_ROWS = 12, 7
"""How the height is divided at first."""


class ListWithText(QWidget):
    """Lines to choose from, a sentence about the chosen one, and its text; `_show_current` fills these two."""

    def __init__(self, title: str, columns: Sequence[Column], *, text_title: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        self.table = TextTable(title, columns, self)
        self.table.selectionModel().currentChanged.connect(lambda *_: self._show_current())
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setTextFormat(Qt.TextFormat.PlainText)
        self._text = QPlainTextEdit(self)
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._text.setAccessibleName(text_title)
        set_role(self._text, "mono")
        lower = QWidget(self)
        column = QVBoxLayout(lower)
        column.setContentsMargins(0, gap, 0, 0)
        column.addWidget(self._said)
        column.addWidget(self._text, 1)
        split = QSplitter(Qt.Orientation.Vertical, self)
        split.addWidget(self.table)
        split.addWidget(lower)
        split.setChildrenCollapsible(False)
        split.setSizes([_TABLE_ROWS * look().sizes.row, _TEXT_ROWS * look().sizes.row])
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, gap, 0, 0)
        rows.addWidget(split)
        self.setFocusProxy(self.table)

    @property
    def text(self) -> str:
        """What is read of the chosen line."""
        return f"{self._said.text()}\n{self._text.toPlainText()}"

    def _show_lines(self, lines: Sequence[Line]) -> None:
        """Show these; the chosen one stays chosen."""
        before = self.table.current_key
        self.table.show_lines(lines)
        keys = [line.key for line in lines]
        if keys:
            self.table.selectRow(keys.index(before) if before in keys else 0)
        self._show_current()

    def _show_text(self, said: str, text: str) -> None:
        self._said.setText(said)
        self._text.setVisible(True)
        if self._text.toPlainText() != text:
            self._text.setPlainText(text)

    def _show_none(self, said: str) -> None:
        self._said.setText(said)
        self._text.setVisible(False)

    @abstractmethod
    def _show_current(self) -> None:
        """Show the chosen line in full, or that there is none."""
