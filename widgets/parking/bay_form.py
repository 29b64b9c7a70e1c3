"""What the selected bays are: ids, kind, zone, level and longest stay; what several share is set for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QPushButton, QSpinBox, QVBoxLayout, QWidget

from core.parking.checks import MAX_ID_LENGTH, MAX_NAME_LENGTH, MAX_STAY_MIN
from core.parking.drawing import name_of
from core.parking.model import Bay, BayKind, Level
from core.parking.shapes import labels_from
from widgets.base.flow import FlowLayout
from widgets.base.theme import look, set_role
from widgets.scene.fields import choice_field, form_layout, show_choice, show_text, text_field

KIND_NAMES = {
    BayKind.STANDARD: "Standard",
    BayKind.ACCESSIBLE: "Accessible",
    BayKind.EV: "EV charging",
    BayKind.LOADING: "Loading",
    BayKind.RESERVED: "Reserved",
}
_STEPS = ((1, "1, 2, 3, …"), (2, "1, 3, 5, …"), (-1, "backwards"))


class BayForm(QWidget):
    """The selected bays.

    Signals:
        change_requested(object, str, str): What makes one `Bay` another, what was done, and a key for merging steps.
        rename_requested(str, str): Of a single bay: its id, and the new one.
        numbers_requested(object): New names for the selected bays, in their order along the row.
        duplicate_requested()
        take_off_requested(): No longer drawn here.
        remove_requested(): No longer in the lot.
    """

    change_requested = Signal(object, str, str)
    rename_requested = Signal(str, str)
    numbers_requested = Signal(object)
    duplicate_requested = Signal()
    take_off_requested = Signal()
    remove_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bays: tuple[Bay, ...] = ()
        self._is_editable = False
        self._is_placed = False
        self._build()
        self._connect()
        self.show_bays((), (), seen="", is_placed=False)

    def show_bays(self, bays: Sequence[Bay], levels: Sequence[Level], *, seen: str, is_placed: bool) -> None:
        """Show these.

        Args:
            bays: The selected ones.
            levels: Of the lot, for their names.
            seen: Who sees them, as a sentence.
            is_placed: They are drawn at the place that is shown.
        """
        self._bays, self._is_placed = tuple(bays), is_placed
        names = {level.number: level.name for level in levels}
        single = bays[0] if len(bays) == 1 else None
        self._title.setText(f"Bay {name_of(single)}" if single else f"{len(bays)} bays")
        self._seen.setText(seen)
        self._seen.setVisible(bool(seen))
        show_text(self._id, single.bay_id if single else "")
        show_text(self._label, single.label if single else "")
        self._label.setPlaceholderText(single.bay_id if single else "")
        show_choice(self._kind, self._shared(lambda bay: bay.kind))
        show_text(self._zone, self._shared(lambda bay: bay.zone) or "")
        self._zone.setPlaceholderText("" if self._shared(lambda bay: bay.zone) is not None else "various")
        self._show_number(self._level, self._shared(lambda bay: bay.level), 0)
        self._show_number(self._stay, self._shared(lambda bay: bay.max_stay_min or 0), 0)
        level = self._shared(lambda bay: bay.level)
        self._level.setSuffix(f"  {names[level]}" if level in names else "")
        for row in (self._id, self._label):
            self._form.setRowVisible(row, single is not None)
        self._numbers.setVisible(len(bays) > 1)
        if len(bays) > 1 and not self._first.hasFocus():
            show_text(self._first, bays[0].bay_id)
        self._refresh()

    def set_editable(self, is_editable: bool) -> None:
        """Let them be changed, or only looked at."""
        self._is_editable = is_editable
        self._refresh()

    def focus_name(self) -> None:
        """Let the bay be named at once."""
        self._label.setFocus()
        self._label.selectAll()

    def _build(self) -> None:
        gap = look().sizes.gap
        self._title, self._seen = QLabel(self), QLabel(self)
        set_role(self._title, "title")
        self._seen.setWordWrap(True)
        set_role(self._seen, "caption")
        self._id = text_field("Id of the bay", MAX_ID_LENGTH)
        self._id.setToolTip("Sensors and history know the bay by its id; other cameras are matched by it.")
        self._label = text_field("Painted on the ground", MAX_NAME_LENGTH)
        self._kind = choice_field("Kind of the bay")
        for kind, name in KIND_NAMES.items():
            self._kind.addItem(name, kind)
        self._zone = text_field("Zone", MAX_NAME_LENGTH)
        self._level = _spin("Level", -20, 50)
        self._stay = _spin("Longest stay", 0, MAX_STAY_MIN)
        self._stay.setSuffix(" min")
        self._stay.setSpecialValueText("any")
        self._form = form_layout()
        for name, field in (
            ("Id", self._id),
            ("Label", self._label),
            ("Kind", self._kind),
            ("Zone", self._zone),
            ("Level", self._level),
            ("Longest stay", self._stay),
        ):
            self._form.addRow(name, field)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, gap, 0)
        column.setSpacing(gap * 2)
        column.addWidget(self._title)
        column.addWidget(self._seen)
        column.addLayout(self._form)
        column.addWidget(self._build_numbers())
        column.addLayout(self._build_buttons())
        column.addStretch(1)

    def _build_numbers(self) -> QWidget:
        self._numbers = QWidget(self)
        self._first = text_field("Id of the first one", MAX_ID_LENGTH)
        self._step = choice_field("Count")
        for step, words in _STEPS:
            self._step.addItem(words, step)
        self._number = QPushButton("Number them", self._numbers)
        self._number.setToolTip("In the order in which they stand, from the first that was selected")
        form = form_layout()
        form.addRow("First id", self._first)
        form.addRow("Count", self._step)
        column = QVBoxLayout(self._numbers)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addWidget(self._number)
        return self._numbers

    def _build_buttons(self) -> FlowLayout:
        buttons = FlowLayout(look().sizes.gap * 2)
        self._duplicate = QPushButton("Duplicate", self)
        self._duplicate.setToolTip("A copy beside it (D)")
        self._take_off = QPushButton("Take off here", self)
        self._take_off.setToolTip("It stays in the lot where another place shows it (Delete)")
        self._remove = QPushButton("Remove from the lot", self)
        self._remove.setToolTip("Everywhere (Shift+Delete)")
        for button in (self._duplicate, self._take_off, self._remove):
            buttons.addWidget(button)
        return buttons

    def _connect(self) -> None:
        self._id.editingFinished.connect(self._on_id)
        self._label.textEdited.connect(lambda text: self._change("label", text.strip(), "label"))
        self._kind.activated.connect(lambda _row: self._change("kind", BayKind(self._kind.currentData()), "kind"))
        self._zone.textEdited.connect(lambda text: self._change("zone", text.strip(), "zone"))
        self._level.valueChanged.connect(lambda value: self._change("level", value, "level"))
        self._stay.valueChanged.connect(lambda value: self._change("max_stay_min", value or None, "longest stay"))
        self._number.clicked.connect(self._on_number)
        self._first.returnPressed.connect(self._on_number)
        self._duplicate.clicked.connect(self.duplicate_requested)
        self._take_off.clicked.connect(self.take_off_requested)
        self._remove.clicked.connect(self.remove_requested)

    def _shared(self, of: Callable[[Bay], Any]) -> Any:
        """Return what all of them have in common; None where they differ."""
        values = {of(bay) for bay in self._bays}
        return next(iter(values)) if len(values) == 1 else None

    def _show_number(self, field: QSpinBox, value: int | None, otherwise: int) -> None:
        field.blockSignals(True)
        field.setValue(value if value is not None else otherwise)
        field.blockSignals(False)

    def _change(self, name: str, value: Any, words: str) -> None:
        def change(bay: Bay) -> Bay:
            return replace(bay, **{name: value})

        what = f"bay {name_of(self._bays[0])}" if len(self._bays) == 1 else f"{len(self._bays)} bays"
        self.change_requested.emit(change, f"Change the {words} of {what}", f"bay-{name}")

    def _on_id(self) -> None:
        if len(self._bays) == 1 and self._id.text().strip() != self._bays[0].bay_id:
            self.rename_requested.emit(self._bays[0].bay_id, self._id.text().strip())

    def _on_number(self) -> None:
        names = labels_from(self._first.text().strip(), len(self._bays), int(self._step.currentData()))
        self.numbers_requested.emit(names)

    def _refresh(self) -> None:
        fields: tuple[QWidget, ...] = (self._id, self._label, self._kind, self._zone, self._level, self._stay)
        for field in (*fields, self._first, self._step, self._number, self._remove):
            field.setEnabled(self._is_editable)
        for button in (self._duplicate, self._take_off):
            button.setEnabled(self._is_editable and self._is_placed)


def _spin(name: str, low: int, high: int) -> QSpinBox:
    field = QSpinBox()
    field.setAccessibleName(name)
    field.setRange(low, high)
    field.setMinimumWidth(look().sizes.body * 6)
    return field
