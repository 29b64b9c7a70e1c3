"""What is being drawn, with what can be undone and whether it differs from what is saved."""

from __future__ import annotations

from typing import Generic, TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

Sketch = TypeVar("Sketch")
"""A frozen value: a scene or a lot in the making."""


class Document(QObject, Generic[Sketch]):
    """Holds the sketch; every change goes through `apply` and can be undone.

    Signals:
        changed(): The sketch is another one.
        state_changed(): What can be undone, or whether there is something to save, is different.
    """

    changed = Signal()
    state_changed = Signal()

    def __init__(self, sketch: Sketch, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sketch = sketch
        self._saved = sketch
        self.stack = QUndoStack(self)
        self.stack.indexChanged.connect(self._on_index)

    @property
    def sketch(self) -> Sketch:
        """What is drawn now."""
        return self._sketch

    @property
    def saved(self) -> Sketch:
        """What was drawn when it was read or saved last."""
        return self._saved

    @property
    def is_dirty(self) -> bool:
        """There is something to save."""
        return self._sketch != self._saved

    def load(self, sketch: Sketch) -> None:
        """Begin anew with what is saved; nothing can be undone."""
        self._saved = sketch
        self.stack.clear()
        self.show(sketch)

    def mark_saved(self, sketch: Sketch) -> None:
        """Remember what is saved; what was done can still be undone."""
        self._saved = sketch
        self.state_changed.emit()

    def apply(self, sketch: Sketch, text: str, merge_key: str = "") -> None:
        """Change the sketch.

        Args:
            sketch: The whole new one.
            text: What was done, e.g. "Move a point"; stands beside "Undo".
            merge_key: Changes that follow each other with the same one are undone together; empty for never.
        """
        if sketch != self._sketch:
            self.stack.push(_Change(self, self._sketch, sketch, text, merge_key))

    def end_merge(self) -> None:
        """Let the next change be undone by itself, whatever its merge key."""
        newest = self.stack.command(self.stack.count() - 1) if self.stack.count() else None
        if isinstance(newest, _Change):
            newest.merge_key = ""

    def _on_index(self, _index: int) -> None:
        self.state_changed.emit()

    def show(self, sketch: Sketch) -> None:
        """Take a sketch without a trace in what can be undone; for the commands."""
        self._sketch = sketch
        self.changed.emit()
        self.state_changed.emit()


class _Change(QUndoCommand, Generic[Sketch]):
    """One step."""

    _ID = 1

    def __init__(self, document: Document[Sketch], before: Sketch, after: Sketch, text: str, merge_key: str) -> None:
        super().__init__(text)
        self._document = document
        self._before = before
        self._after = after
        self.merge_key = merge_key

    def id(self) -> int:
        """Return what makes Qt try to merge two steps."""
        return self._ID if self.merge_key else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take over a step of the same kind."""
        if not isinstance(other, _Change) or other.merge_key != self.merge_key:
            return False
        self._after = other._after
        return True

    def redo(self) -> None:
        """Do it."""
        self._document.show(self._after)

    def undo(self) -> None:
        """Take it back."""
        self._document.show(self._before)
