"""Above what is drawn: which lot and where, undo and redo, files."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QToolButton, QWidget

from core.parking.model import Level
from widgets.base.icons import IconButton
from widgets.base.theme import look, set_role
from widgets.scene.bars import StepButtons
from widgets.scene.fields import choice_field, fill_choice, show_choice


class TopBar(QFrame):
    """The lot, the place, the level, and what else can be done; the editor connects its parts."""

    def __init__(self, steps: StepButtons, parent: QWidget | None = None) -> None:
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
        row.addWidget(steps)
        row.addWidget(self._build_more())

    @property
    def shown_level(self) -> int | None:
        """The level that is chosen; None where the lot has one only."""
        data = self.level.currentData()
        return int(data) if data is not None and self.level.count() > 1 else None

    def show_lots(self, entries: Sequence[tuple[str, str]], lot_id: str) -> None:
        """List lots by id and name; one of them is open."""
        fill_choice(self.lot, entries)
        show_choice(self.lot, lot_id or None)

    def show_places(self, entries: Sequence[tuple[str, str]], place: str) -> None:
        """List where one can draw; one of them is shown."""
        fill_choice(self.place, entries)
        show_choice(self.place, place)

    def show_levels(self, levels: Sequence[Level], *, is_plan: bool) -> None:
        """List the levels of the lot, the highest on top; a picture has none."""
        kept = self.level.currentData()
        ordered = sorted(levels, key=lambda level: -level.number)
        fill_choice(self.level, [(level.number, level.name or f"Level {level.number}") for level in ordered])
        numbers = [level.number for level in ordered]
        if numbers:
            show_choice(self.level, kept if kept in numbers else 0 if 0 in numbers else numbers[-1])
        self.level.setVisible(len(numbers) > 1 and is_plan)

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
