"""A field for an address: one that is longer than the field shows its host, and is whole in its tip."""

from __future__ import annotations

from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from core.media.parameters import public_address

_MAX_LENGTH = 1024


class AddressField(QLineEdit):
    """Shows the beginning of its text unless somebody types in it."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setMaxLength(_MAX_LENGTH)
        self.textChanged.connect(lambda text: self.setToolTip(public_address(text)))

    def setText(self, text: str | None) -> None:
        """Put an address in."""
        super().setText(text)
        self.setCursorPosition(0)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Go back to the beginning."""
        super().focusOutEvent(event)
        self.setCursorPosition(0)
