"""A new lot: its name, and the id that devices know it by."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from core.parking.checks import MAX_NAME_LENGTH
from core.parking.model import Lot
from widgets.base.flow import FlowLayout
from widgets.base.theme import look, set_role
from widgets.scene.fields import choice_field, form_layout, text_field

_ID = re.compile(r"(?=.{1,80}$)[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)?")


class NewLotForm(QWidget):
    """Make a lot, or draw one that already reports counts.

    Signals:
        lot_made(object): A `Lot` that is not saved.
        left()
    """

    lot_made = Signal(object)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        self._taken: frozenset[str] = frozenset()
        title = QLabel("A new lot", self)
        set_role(title, "title")
        self._counted = choice_field("Lot that reports counts already", self)
        self._name = text_field("Name of the new lot", MAX_NAME_LENGTH)
        self._id = text_field("Id of the new lot", MAX_NAME_LENGTH)
        self._form = form_layout()
        self._form.addRow("Reports counts", self._counted)
        self._form.addRow("Name", self._name)
        self._form.addRow("Id", self._id)
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        set_role(self._said, "caption")
        self._make = QPushButton("Begin to draw", self)
        set_role(self._make, "primary")
        leave = QPushButton("Cancel", self)
        buttons = FlowLayout(gap * 2)
        buttons.addWidget(self._make)
        buttons.addWidget(leave)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap * 2)
        column.addWidget(title)
        column.addLayout(self._form)
        column.addWidget(self._said)
        column.addLayout(buttons)
        column.addStretch(1)
        self._counted.activated.connect(lambda _row: self._on_counted())
        self._name.textEdited.connect(self._on_name)
        self._id.textEdited.connect(lambda _text: self._refresh())
        self._name.returnPressed.connect(self._on_make)
        self._make.clicked.connect(self._on_make)
        leave.clicked.connect(self.left)
        self.setFocusProxy(self._name)

    def start(self, counted: Sequence[tuple[str, str]], taken: Sequence[str]) -> None:
        """Begin anew.

        Args:
            counted: Id and name of lots that report counts and are not drawn.
            taken: Ids of the lots that are drawn.
        """
        self._taken = frozenset(taken)
        with QSignalBlocker(self._counted):
            self._counted.clear()
            self._counted.addItem("none of these", "")
            for lot_id, name in counted:
                self._counted.addItem(name, lot_id)
        self._form.setRowVisible(self._counted, bool(counted))
        self._name.clear()
        self._id.clear()
        self._refresh()

    def _on_counted(self) -> None:
        lot_id = str(self._counted.currentData())
        self._id.setText(lot_id)
        if lot_id:
            self._name.setText(self._counted.currentText())
        self._refresh()

    def _on_name(self, text: str) -> None:
        if not self._counted.currentData():
            self._id.setText(re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-"))
        self._refresh()

    def _refresh(self) -> None:
        lot_id, name = self._id.text().strip(), self._name.text().strip()
        said = "Devices, signs and cameras know the lot by its id; it stays as it is."
        if lot_id in self._taken:
            said = f"There is a lot {lot_id} already: choose it above, or take another id."
        elif lot_id and not _ID.fullmatch(lot_id):
            said = "An id has letters, digits, points, - and _; of a device, group/device."
        self._said.setText(said)
        self._make.setEnabled(bool(name) and bool(_ID.fullmatch(lot_id)) and lot_id not in self._taken)

    def _on_make(self) -> None:
        if self._make.isEnabled():
            self.lot_made.emit(Lot(lot_id=self._id.text().strip(), name=self._name.text().strip()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc leaves."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            return
        super().keyPressEvent(event)
