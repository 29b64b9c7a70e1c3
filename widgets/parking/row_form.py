"""How the row that is being drawn is divided, numbered and named."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLabel, QSpinBox, QVBoxLayout, QWidget

from core.parking.checks import MAX_ID_LENGTH, MAX_NAME_LENGTH
from core.parking.model import BayKind
from core.parking.shapes import MAX_ROW, labels_from
from widgets.base.theme import look, set_role
from widgets.parking.bay_form import KIND_NAMES
from widgets.parking.drafts import RowSettings
from widgets.scene.fields import NumberField, choice_field, form_layout, show_text, text_field

_STEPS = ((1, "1, 2, 3, …"), (2, "1, 3, 5, …"), (-1, "backwards"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowNames:
    """What the bays of a row are called and are.

    Attributes:
        ids: In the order of the row; fewer than asked for where a count ended below zero.
    """

    ids: tuple[str, ...]
    kind: BayKind
    zone: str


class RowForm(QWidget):
    """A row in the making.

    Signals:
        changed(): Any of it.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        self._is_plan = True
        title = QLabel("A row of bays", self)
        set_role(title, "title")
        self._count = QSpinBox(self)
        self._count.setAccessibleName("Bays in the row")
        self._count.setRange(1, MAX_ROW)
        self._count.setValue(10)
        self._back = choice_field("Back of the row", self)
        self._back.addItem("By its depth", True)
        self._back.addItem("By two more corners", False)
        self._depth = NumberField("Depth of a bay", 0.5, 30.0, " m", decimals=2)
        self._depth.setValue(5.0)
        self._angle = NumberField("Angle to the front", 20.0, 160.0, "°", decimals=0)
        self._angle.setValue(90.0)
        self._first = text_field("Id of the first bay", MAX_ID_LENGTH)
        self._step = choice_field("Count", self)
        for step, words in _STEPS:
            self._step.addItem(words, step)
        self._kind = choice_field("Kind of the row's bays", self)
        for kind, name in KIND_NAMES.items():
            self._kind.addItem(name, kind)
        self._zone = text_field("Zone of the row", MAX_NAME_LENGTH)
        self._names = QLabel(self)
        self._names.setWordWrap(True)
        set_role(self._names, "caption")
        self._form = form_layout()
        for words, field in (
            ("Bays", self._count),
            ("Back", self._back),
            ("Depth", self._depth),
            ("Angle", self._angle),
            ("First id", self._first),
            ("Count", self._step),
            ("Kind", self._kind),
            ("Zone", self._zone),
        ):
            self._form.addRow(words, field)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, gap, 0)
        column.setSpacing(gap * 2)
        column.addWidget(title)
        column.addLayout(self._form)
        column.addWidget(self._names)
        column.addStretch(1)
        self._connect()

    @property
    def settings(self) -> RowSettings:
        """How a row is divided."""
        return RowSettings(
            n_bays=self._count.value(),
            has_depth=self._is_plan and bool(self._back.currentData()),
            depth_m=self._depth.value(),
            angle_deg=self._angle.value(),
        )

    @property
    def names(self) -> RowNames:
        """What its bays are called and are."""
        ids = labels_from(self._first.text().strip(), self._count.value(), int(self._step.currentData()))
        return RowNames(ids=ids, kind=BayKind(self._kind.currentData()), zone=self._zone.text().strip())

    def show_place(self, *, is_plan: bool) -> None:
        """Offer what this place can: a picture knows no metres."""
        self._is_plan = is_plan
        self._refresh()

    def show_first(self, bay_id: str) -> None:
        """Suggest the id of the first bay."""
        show_text(self._first, bay_id)
        self._refresh()

    def show_taken(self, sentence: str) -> None:
        """Say what is the matter with the ids; empty where nothing is."""
        ids = self.names.ids
        span = f"{ids[0]} to {ids[-1]}" if len(ids) > 1 else "".join(ids)
        self._names.setText(sentence or f"{span}.")

    def focus_count(self) -> None:
        """Let the count be typed at once."""
        self._count.setFocus()
        self._count.selectAll()

    def _connect(self) -> None:
        for spin in (self._count, self._depth, self._angle):
            spin.valueChanged.connect(lambda _value: self._refresh())
        boxes: tuple[QComboBox, ...] = (self._back, self._step, self._kind)
        for box in boxes:
            box.activated.connect(lambda _row: self._refresh())
        self._first.textEdited.connect(lambda _text: self._refresh())
        self._zone.textEdited.connect(lambda _text: self._refresh())
        self._refresh()

    def _refresh(self) -> None:
        has_depth = self.settings.has_depth
        self._form.setRowVisible(self._back, self._is_plan)
        self._form.setRowVisible(self._depth, has_depth)
        self._form.setRowVisible(self._angle, has_depth)
        self.changed.emit()
