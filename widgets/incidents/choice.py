"""A question asked in place: a line of words, and answers to choose from by key or click; Esc takes it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from widgets.base.theme import look, set_role

_SHOWN_ROWS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer.

    Attributes:
        key: Given back when it is chosen.
        words: What the operator reads.
        reason: Why it cannot be chosen now; empty where it can.
    """

    key: str
    words: str
    reason: str = ""


class ChoiceList(QWidget):
    """Up and down, Enter or its figure chooses, Esc leaves.

    Signals:
        chosen(str): Key of the answer.
        left(): Nothing was chosen.
        closed(): The question is gone, answered or not; before either of the others.
    """

    closed = Signal()
    chosen = Signal(str)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._question = QLabel(self)
        self._question.setWordWrap(True)
        set_role(self._question, "secondary")
        self._list = QListWidget(self)
        self._list.setAccessibleName("Answers")
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.itemActivated.connect(self._on_item)
        self._list.itemClicked.connect(self._on_item)
        self._list.installEventFilter(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look().sizes.gap)
        column.addWidget(self._question)
        column.addWidget(self._list)
        self.setFocusProxy(self._list)
        self.hide()

    @property
    def answers(self) -> tuple[str, ...]:
        """What the operator reads, line by line."""
        return tuple(self._list.item(row).text() for row in range(self._list.count()))

    def ask(self, question: str, answers: Sequence[Answer]) -> None:
        """Ask; the first answer that can be chosen is marked."""
        self._question.setText(question)
        self._list.setAccessibleName(question)
        self._list.clear()
        for number, answer in enumerate(answers, start=1):
            figure = f"{number}  " if number <= 9 else "    "
            reason = f"  ({answer.reason})" if answer.reason else ""
            item = QListWidgetItem(f"{figure}{answer.words}{reason}")
            item.setData(Qt.ItemDataRole.UserRole, answer.key)
            if answer.reason:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            self._list.addItem(item)
        first = next((row for row, answer in enumerate(answers) if not answer.reason), -1)
        self._list.setCurrentRow(first)
        shown = max(1, min(_SHOWN_ROWS, self._list.count()))
        row = max(look().sizes.row, self._list.sizeHintForRow(0)) if self._list.count() else look().sizes.row
        self._list.setFixedHeight(shown * row + 2 * self._list.frameWidth() + 2)
        self.show()
        self._list.setFocus(Qt.FocusReason.OtherFocusReason)

    def close_question(self) -> None:
        """Take the question away."""
        if not self.isHidden():
            self.hide()
            self.closed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter and figures choose, Esc leaves; other letters do nothing here."""
        if watched is self._list and event.type() == QEvent.Type.ShortcutOverride:
            # The board's own letters must not act while a question is open.
            event.accept()
            return True
        if watched is self._list and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._on_key(event)
        return False

    def _on_key(self, event: QKeyEvent) -> bool:
        if event.key() == Qt.Key.Key_Escape:
            self.close_question()
            self.left.emit()
            return True
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._on_item(self._list.currentItem())
            return True
        number = event.key() - Qt.Key.Key_1
        if 0 <= number < min(9, self._list.count()):
            self._on_item(self._list.item(number))
            return True
        moves = (
            Qt.Key.Key_Up,
            Qt.Key.Key_Down,
            Qt.Key.Key_PageUp,
            Qt.Key.Key_PageDown,
            Qt.Key.Key_Home,
            Qt.Key.Key_End,
        )
        return event.key() not in (*moves, Qt.Key.Key_Tab, Qt.Key.Key_Backtab)

    def _on_item(self, item: QListWidgetItem | None) -> None:
        if item is None or not item.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        self.close_question()
        self.chosen.emit(str(item.data(Qt.ItemDataRole.UserRole)))
