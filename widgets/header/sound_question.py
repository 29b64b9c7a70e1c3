"""After the test sound: whether it was heard, asked beside the room and answered with one key."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from widgets.base.theme import look, set_role

ASKED_FOR_MS = 120_000


class SoundQuestion(QFrame):
    """One line with two answers; it goes by itself after two minutes, which is no answer.

    Signals:
        answered(bool): Whether the test sound was heard.
    """

    answered = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        set_role(self, "card")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._label = QLabel("Was the test sound heard at this desk?", self)
        self._label.setWordWrap(True)
        self._heard = QPushButton("Heard", self)
        self._heard.clicked.connect(lambda: self._answer(is_heard=True))
        self._not_heard = QPushButton("Not heard", self)
        self._not_heard.clicked.connect(lambda: self._answer(is_heard=False))
        row = QHBoxLayout(self)
        row.setContentsMargins(gap * 3, gap, gap * 3, gap)
        row.setSpacing(gap * 2)
        row.addWidget(self._label, 1)
        row.addWidget(self._heard)
        row.addWidget(self._not_heard)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(ASKED_FOR_MS)
        self._timer.timeout.connect(self.hide)
        self.hide()

    def ask(self) -> None:
        """Ask, and let Enter mean that it was heard."""
        self.show()
        self._timer.start()
        self._heard.setFocus(Qt.FocusReason.OtherFocusReason)
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, self._label.text()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc takes the question back; Enter presses the button that has the keys."""
        if event.key() == Qt.Key.Key_Escape:
            self._timer.stop()
            self.hide()
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            (self._not_heard if self._not_heard.hasFocus() else self._heard).click()
            return
        super().keyPressEvent(event)

    def _answer(self, *, is_heard: bool) -> None:
        self._timer.stop()
        self.hide()
        self.answered.emit(is_heard)
