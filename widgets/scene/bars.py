"""Above and below every surface that one draws on: undo and redo, the view; what was changed, and saving it."""

from __future__ import annotations

from PySide6.QtGui import QUndoStack
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from widgets.base.icons import IconButton
from widgets.base.theme import look, set_role
from widgets.scene.fields import text_field


class StepButtons(QWidget):
    """Undo, redo, hold the picture, show everything, use the whole window; the editor connects them."""

    def __init__(self, everything: str, parent: QWidget | None = None) -> None:
        """Name what is fitted into the window, e.g. "the whole picture"."""
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look().sizes.gap)
        self.undo = IconButton("undo", "Undo (Ctrl+Z)", self)
        self.redo = IconButton("redo", "Do again (Ctrl+Shift+Z)", self)
        self.freeze = IconButton("pause", "Hold the picture (F)", self)
        self.freeze.setCheckable(True)
        self.fit = IconButton("fit", f"Show {everything} (0)", self)
        self.enlarge = IconButton("expand", "Use the whole window (F11)", self)
        self.enlarge.setCheckable(True)
        for button in (self.undo, self.redo, self.freeze, self.fit, self.enlarge):
            row.addWidget(button)

    def show_steps(self, stack: QUndoStack, *, is_editable: bool) -> None:
        """Say what can be undone and done again."""
        self.undo.setEnabled(is_editable and stack.canUndo())
        self.redo.setEnabled(is_editable and stack.canRedo())
        self.undo.setToolTip(f"Undo: {stack.undoText()} (Ctrl+Z)" if stack.canUndo() else "Undo (Ctrl+Z)")
        self.redo.setToolTip(f"Again: {stack.redoText()} (Ctrl+Shift+Z)" if stack.canRedo() else "Do again")

    def show_frozen(self, is_frozen: bool) -> None:
        """Show whether the picture is held."""
        self.freeze.set_icon_name("play" if is_frozen else "pause")
        self.freeze.setToolTip("Let the picture run (F)" if is_frozen else "Hold the picture (F)")


class Footer(QFrame):
    """What is not saved yet, and why it was changed; the editor connects its parts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "panel")
        gap = look().sizes.gap
        row = QHBoxLayout(self)
        row.setContentsMargins(gap * 2, gap, gap * 2, gap)
        row.setSpacing(gap * 2)
        self.state = QLabel(self)
        self.note = text_field("What was changed, and why", 400)
        self.note.setPlaceholderText("What was changed, and why (optional)")
        self.discard = QPushButton("Discard", self)
        self.discard.setToolTip("Go back to what is saved; Ctrl+Z brings it back")
        self.save = QPushButton("Save", self)
        set_role(self.save, "primary")
        row.addWidget(self.state)
        row.addWidget(self.note, 1)
        row.addWidget(self.discard)
        row.addWidget(self.save)
