"""A field that never shows what is typed, and says when Caps Lock seems to be on."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

_MAX_LENGTH = 256


class PasswordField(QLineEdit):
    """Typed text cannot be copied out.

    Signals:
        caps_lock_seen(bool): After a letter: whether it came out in the case that Shift alone does not explain.
    """

    caps_lock_seen = Signal(bool)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setEchoMode(QLineEdit.EchoMode.Password)
        self.setAccessibleName(name)
        self.setMaxLength(_MAX_LENGTH)
        self.setInputMethodHints(
            Qt.InputMethodHint.ImhHiddenText
            | Qt.InputMethodHint.ImhNoPredictiveText
            | Qt.InputMethodHint.ImhNoAutoUppercase
            | Qt.InputMethodHint.ImhSensitiveData
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Look at the case of letters: Qt has no way to ask for Caps Lock on every system."""
        text = event.text()
        if len(text) == 1 and text.isalpha() and text.lower() != text.upper():
            has_shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.caps_lock_seen.emit(text.isupper() is not has_shift)
        super().keyPressEvent(event)
