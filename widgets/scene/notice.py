"""A line above the picture that says what is in the way and offers what to do: never a box in front of the room."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from widgets.base.theme import look, set_role

Answer = tuple[str, Callable[[], None]]


class Notice(QFrame):
    """One sentence with answers as buttons; the answer that was given takes it away.

    Signals:
        answered(): An answer was given and carried out.
    """

    answered = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "toast")
        gap = look().sizes.gap
        self._label = QLabel(self)
        self._label.setWordWrap(True)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(gap * 2)
        row = QHBoxLayout(self)
        row.setContentsMargins(gap * 3, gap, gap * 2, gap)
        row.setSpacing(gap * 3)
        row.addWidget(self._label, 1)
        row.addLayout(self._buttons)
        self.hide()

    @property
    def text(self) -> str:
        """What the operator reads; empty while there is nothing."""
        return "" if self.isHidden() else self._label.text()

    def ask(self, sentence: str, answers: Sequence[Answer]) -> None:
        """Show a sentence with its answers; the keys stay where they are, Tab reaches the buttons."""
        while (item := self._buttons.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._label.setText(sentence)
        for words, act in answers:
            button = QPushButton(words, self)
            button.clicked.connect(lambda _checked=False, chosen=act: self._on_answer(chosen))
            self._buttons.addWidget(button)
            button.show()
        self.setAccessibleName(sentence)
        self.show()
        self.updateGeometry()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, sentence))

    def say(self, sentence: str) -> None:
        """Show a sentence that can only be dismissed."""
        self.ask(sentence, [("Dismiss", lambda: None)])

    def clear(self) -> None:
        """Take the sentence away."""
        self.hide()

    def _on_answer(self, act: Callable[[], None]) -> None:
        self.hide()
        act()
        self.answered.emit()
