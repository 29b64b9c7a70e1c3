"""A lane of a picture that must stay clear, or what surrounds the bays on the plan."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from core.parking.checks import MAX_NAME_LENGTH
from core.parking.model import Surrounding, SurroundingKind
from widgets.base.theme import look, set_role
from widgets.scene.fields import NumberField, choice_field, form_layout, show_choice, show_text, text_field


class LaneForm(QWidget):
    """One of them.

    Signals:
        rename_requested(str): Another name for the lane of a picture.
        change_requested(object): The new `Surrounding` of the plan.
        remove_requested()
    """

    rename_requested = Signal(str)
    change_requested = Signal(object)
    remove_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        self._around: Surrounding | None = None
        self._title = QLabel(self)
        set_role(self._title, "title")
        self._said = QLabel("A vehicle that stands in it blocks the lane.", self)
        self._said.setWordWrap(True)
        set_role(self._said, "caption")
        self._name = text_field("Name of the lane", MAX_NAME_LENGTH)
        self._kind = choice_field("What it is", self)
        for kind in SurroundingKind:
            self._kind.addItem(kind.value.capitalize(), kind)
        self._height = NumberField("Height", 0.0, 200.0, " m")
        self._form = form_layout()
        self._form.addRow("Name", self._name)
        self._form.addRow("It is a", self._kind)
        self._form.addRow("Height", self._height)
        self._remove = QPushButton("Remove", self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, gap, 0)
        column.setSpacing(gap * 2)
        column.addWidget(self._title)
        column.addWidget(self._said)
        column.addLayout(self._form)
        column.addWidget(self._remove)
        column.addStretch(1)
        self._name.editingFinished.connect(self._on_name)
        self._kind.activated.connect(lambda _row: self._change(kind=SurroundingKind(self._kind.currentData())))
        self._height.valueChanged.connect(lambda value: self._change(height_m=value))
        self._remove.clicked.connect(self.remove_requested)

    def show_lane(self, name: str) -> None:
        """Show a lane of a picture."""
        self._around = None
        self._title.setText(name)
        show_text(self._name, name)
        self._show_rows(is_lane=True)

    def show_surrounding(self, around: Surrounding) -> None:
        """Show what stands on the plan."""
        self._around = around
        self._title.setText(around.kind.value.capitalize())
        show_choice(self._kind, around.kind)
        self._height.show_value(around.height_m)
        self._show_rows(is_lane=False)

    def set_editable(self, is_editable: bool) -> None:
        """Let it be changed, or only looked at."""
        for field in (self._name, self._kind, self._height, self._remove):
            field.setEnabled(is_editable)

    def _show_rows(self, *, is_lane: bool) -> None:
        self._said.setVisible(is_lane)
        self._form.setRowVisible(self._name, is_lane)
        self._form.setRowVisible(self._kind, not is_lane)
        self._form.setRowVisible(self._height, not is_lane)

    def _on_name(self) -> None:
        name = self._name.text().strip()
        if self._around is None and name and name != self._title.text():
            self.rename_requested.emit(name)

    def _change(self, *, kind: SurroundingKind | None = None, height_m: float | None = None) -> None:
        around = self._around
        if around is not None:
            made = replace(around, kind=kind or around.kind)
            self.change_requested.emit(made if height_m is None else replace(made, height_m=height_m))
