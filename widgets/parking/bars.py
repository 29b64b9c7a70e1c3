"""Above and below what is drawn: which lot and where, undo and redo, files; what was changed, and saving it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QUndoStack
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QMenu, QPushButton, QToolButton, QWidget

from core.parking.model import Level
from widgets.base.icons import IconButton
from widgets.base.theme import look, set_role
from widgets.scene.fields import choice_field, show_choice, text_field


class TopBar(QFrame):
    """The lot, the place, the level, and what else can be done; the editor connects its parts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "strip")
        gap = look().sizes.gap
        row = QHBoxLayout(self)
        row.setContentsMargins(gap, gap // 2, gap, gap // 2)
        row.setSpacing(gap)
        self.lot = choice_field("Lot", self)
        self.lot.setPlaceholderText("Choose a lot")
        self.lot.setMinimumContentsLength(12)
        self.new = IconButton("plus", "A new lot", self)
        self.place = choice_field("Where to draw", self)
        self.place.setMinimumContentsLength(12)
        self.level = choice_field("Level", self)
        row.addWidget(self.lot, 1)
        row.addWidget(self.new)
        row.addWidget(self.place, 1)
        row.addWidget(self.level)
        self.undo = IconButton("undo", "Undo (Ctrl+Z)", self)
        self.redo = IconButton("redo", "Do again (Ctrl+Shift+Z)", self)
        self.freeze = IconButton("pause", "Hold the picture (F)", self)
        self.freeze.setCheckable(True)
        self.fit = IconButton("fit", "Show everything (0)", self)
        self.enlarge = IconButton("expand", "Use the whole window (F11)", self)
        self.enlarge.setCheckable(True)
        for button in (self.undo, self.redo, self.freeze, self.fit, self.enlarge):
            row.addWidget(button)
        row.addWidget(self._build_more())

    @property
    def shown_level(self) -> int | None:
        """The level that is chosen; None where the lot has one only."""
        data = self.level.currentData()
        return int(data) if data is not None and self.level.count() > 1 else None

    def show_lots(self, entries: Sequence[tuple[str, str]], lot_id: str) -> None:
        """List lots by id and name; one of them is open."""
        _fill(self.lot, entries)
        show_choice(self.lot, lot_id or None)

    def show_places(self, entries: Sequence[tuple[str, str]], place: str) -> None:
        """List where one can draw; one of them is shown."""
        _fill(self.place, entries)
        show_choice(self.place, place)

    def show_levels(self, levels: Sequence[Level], *, is_plan: bool) -> None:
        """List the levels of the lot, the highest on top; a picture has none."""
        kept = self.level.currentData()
        ordered = sorted(levels, key=lambda level: -level.number)
        _fill(self.level, [(level.number, level.name or f"Level {level.number}") for level in ordered])
        numbers = [level.number for level in ordered]
        if numbers:
            show_choice(self.level, kept if kept in numbers else 0 if 0 in numbers else numbers[-1])
        self.level.setVisible(len(numbers) > 1 and is_plan)

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

    def _build_more(self) -> QToolButton:
        more = QToolButton(self)
        more.setText("More")
        more.setAccessibleName("More: import, export, copy, snap")
        more.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(more)
        self.imports = menu.addAction("Import bays from a file")
        self.export = menu.addAction("Export the lot")
        self.export_geo = menu.addAction("Export as GeoJSON")
        menu.addSeparator()
        self.carry = menu.addAction("Copy to another place by four points")
        self.snap = menu.addAction("Snap to grid and corners")
        self.snap.setCheckable(True)
        self.snap.setChecked(True)
        more.setMenu(menu)
        return more


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


def _fill(choice: QComboBox, entries: Sequence[tuple[object, str]]) -> None:
    """List entries without telling anyone; what was chosen stays, where it is still there."""
    listed = [(choice.itemData(row), choice.itemText(row)) for row in range(choice.count())]
    if listed == list(entries):
        return
    kept = choice.currentData()
    with QSignalBlocker(choice):
        choice.clear()
        for data, text in entries:
            choice.addItem(text, data)
        choice.setCurrentIndex(choice.findData(kept))
