"""A field for a date or a time of day in which a click is enough to type another hour."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDateTimeEdit, QWidget

_GOES = frozenset({Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Left, Qt.Key.Key_Right})


class MomentEdit(QDateTimeEdit):
    """Year, day, hour or minute is selected as a whole wherever one comes to it: what is typed takes its place.

    Without that a click sets a cursor between digits, and what is typed is refused, because there is no room for it.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lineEdit().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Select what was clicked."""
        done = super().eventFilter(watched, event)
        if event.type() == QEvent.Type.MouseButtonRelease and not self.lineEdit().hasSelectedText():
            self.setSelectedSection(self.currentSection())
            return True
        return done

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Select what the keys came to."""
        super().keyPressEvent(event)
        if event.key() in _GOES and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self.setSelectedSection(self.currentSection())
