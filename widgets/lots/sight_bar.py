"""What the cameras of a lot cannot tell now, above its bays: who waits for an alarm should know that none can come."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from widgets.base.theme import look, set_role

MAX_CAMERAS = 2
"""Of more cameras only the names are said: the bays need the room."""


class SightBar(QFrame):
    """A sentence of each camera; hidden where all of them tell everything."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "strip")
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setTextFormat(Qt.TextFormat.PlainText)
        self._said.setAccessibleName("What cameras cannot tell now")
        set_role(self._said, "caption")
        gap = look().sizes.gap
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 2, gap, gap * 2, gap)
        column.addWidget(self._said)
        self.hide()

    @property
    def text(self) -> str:
        """What the operator reads."""
        return self._said.text()

    def show_notes(self, notes: Mapping[str, str], names: Mapping[str, str]) -> None:
        """Say what each camera cannot tell.

        Args:
            notes: Sentences by camera id; empty where the camera tells everything.
            names: Of cameras, by id.
        """
        said = sorted((names.get(key, key), sentence) for key, sentence in notes.items() if sentence)
        if len(said) > MAX_CAMERAS:
            text = f"{len(said)} cameras do not tell everything: {', '.join(name for name, _ in said)}."
            self._said.setText(f"{text} The panel Bays, Camera, says what.")
        else:
            self._said.setText("\n".join(f"{name}: {sentence}" for name, sentence in said))
        self.setVisible(bool(said))
