"""The settings of the selected shape: its name, what counts in it, and the rules that watch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QFormLayout, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from core.vision.model import PERSON, VEHICLE_LABELS, CountLine, Lane, Mask, MaskKind, Zone
from widgets.base.labels import ElidedLabel
from widgets.base.theme import look, set_role
from widgets.scene.fields import (
    NumberField,
    choice_field,
    form_layout,
    show_checked,
    show_choice,
    show_text,
    text_field,
)
from widgets.scene.sketch import Shape, ShapeKind, ShapeRef

_ROWS: dict[ShapeKind, tuple[str, ...]] = {
    ShapeKind.ZONE: ("labels", "people", "counts", "alarms", "detail", "stopped", "capacity", "free_flow"),
    ShapeKind.LINE: ("labels", "people", "forward", "backward", "turn"),
    ShapeKind.LANE: ("labels", "turn"),
    ShapeKind.MASK: ("mask",),
}

_PEOPLE = (
    "Alone: people may walk here, though a lane runs through it. With the alarm below: people in here call. "
    "With vehicles: Loitering, where it is on, watches both. They are counted where the camera looks for them."
)
_PEOPLE_ON_LINE = "On foot; who rides is none of them. They are counted apart from vehicles, whatever the camera shows."
_ALARMED = {"people": "people", "all": "anyone", "vehicles": "a vehicle"}


class ShapeProperties(QWidget):
    """A form for one shape.

    Signals:
        change_requested(object, object, str, str): `ShapeRef`, the changed shape, what was done, and a merge key.
        turn_requested(): Let its direction be the other way round.
        remove_requested(): Take it away.
        named(): Enter was pressed in the name: it is as it should be.
    """

    change_requested = Signal(object, object, str, str)
    turn_requested = Signal()
    remove_requested = Signal()
    named = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ref: ShapeRef | None = None
        self._shape: Shape | None = None
        self._rows: dict[str, QWidget] = {}
        self._build()
        self.show_nothing()

    def show_shape(self, ref: ShapeRef, shape: Shape) -> None:
        """Show a shape's settings."""
        self._ref, self._shape = ref, shape
        self._title.setText(f"{ref.kind.value.capitalize()}: {shape.name or ref.key}")
        self._empty.hide()
        self._body.show()
        show_text(self._name, shape.name)
        self._key.setText(ref.key)
        for row, widget in self._rows.items():
            self._form.setRowVisible(widget, row in _ROWS[ref.kind])
        if isinstance(shape, (Zone, CountLine, Lane)):
            for label, box in self._labels.items():
                show_checked(box, label in shape.labels)
        self._labels[PERSON].setVisible(isinstance(shape, (Zone, CountLine)))
        self._labels[PERSON].setToolTip(_PEOPLE if isinstance(shape, Zone) else _PEOPLE_ON_LINE)
        if isinstance(shape, Zone):
            self._show_zone(shape)
        elif isinstance(shape, CountLine):
            self._people.setText("People on foot are counted apart from vehicles.")
            self._form.setRowVisible(self._people, shape.counts_people)
            show_text(self._forward, shape.forward_name)
            show_text(self._backward, shape.backward_name)
        elif isinstance(shape, Mask):
            show_choice(self._mask, shape.kind)

    def show_nothing(self) -> None:
        """No shape is selected."""
        self._ref = self._shape = None
        self._title.setText("Nothing selected")
        self._body.hide()
        self._empty.show()

    def set_editable(self, is_editable: bool) -> None:
        """Let the settings be changed, or only read."""
        self._body.setEnabled(is_editable)

    def focus_name(self) -> None:
        """Begin with the name: that is what a new shape needs first."""
        self._name.setFocus(Qt.FocusReason.OtherFocusReason)
        self._name.selectAll()

    def _build(self) -> None:
        gap = look().sizes.gap
        self._title = ElidedLabel("", self)
        set_role(self._title, "title")
        self._empty = QLabel("Select a shape on the picture or in the list above.", self)
        self._empty.setWordWrap(True)
        set_role(self._empty, "secondary")
        self._body = QWidget(self)
        self._form = form_layout()
        self._form.setContentsMargins(0, 0, gap, 0)
        self._body.setLayout(self._form)
        self._build_common()
        self._build_zone()
        self._build_direction()
        remove = QPushButton("Remove", self._body)
        remove.setToolTip("Delete")
        remove.clicked.connect(self.remove_requested)
        self._form.addRow("", remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap * 2)
        column.addWidget(self._title)
        column.addWidget(self._empty)
        column.addWidget(self._body)
        column.addStretch(1)

    def _build_common(self) -> None:
        self._name = text_field("Name")
        self._name.textEdited.connect(lambda text: self._edit("name", lambda shape: replace(shape, name=text)))
        self._name.returnPressed.connect(self.named)
        self._key = QLabel(self)
        self._key.setToolTip("Counts and history are kept under this key; it never changes.")
        set_role(self._key, "mono")
        self._mask = choice_field("Kind of mask")
        self._mask.addItem("Privacy: black", MaskKind.PRIVACY)
        self._mask.addItem("Ignore: not detected", MaskKind.IGNORE)
        self._mask.currentIndexChanged.connect(self._on_mask)
        self._labels = {label: QCheckBox(label, self) for label in (*VEHICLE_LABELS, PERSON)}
        boxes = QWidget(self)
        column = QVBoxLayout(boxes)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        title = QLabel("Counts only (none: the camera's vehicles)", boxes)
        title.setWordWrap(True)
        # Rows whose number is known: a form gives lines that depend on the width too little height.
        grid = QGridLayout()
        grid.setSpacing(look().sizes.gap)
        column.addWidget(title)
        column.addLayout(grid)
        for number, (label, box) in enumerate(self._labels.items()):
            box.setAccessibleName(f"Counts {label}")
            box.toggled.connect(self._on_labels)
            grid.addWidget(box, number // 2, number % 2)
        self._form.addRow("Name", self._name)
        self._form.addRow("Key", self._key)
        self._add("mask", "Kind", self._mask)
        self._form.addRow(boxes)
        self._rows["labels"] = boxes
        self._people = QLabel(self)
        set_role(self._people, "caption")
        self._form.addRow(self._people)
        self._rows["people"] = self._people

    def _build_zone(self) -> None:
        self._counts = QCheckBox("Count vehicles inside", self)
        self._counts.toggled.connect(
            lambda on: self._edit("counts", lambda zone: replace(zone, counts_presence=on), "Change what counts")
        )
        self._alarms = QCheckBox("Alarm for a vehicle inside", self)
        self._alarms.toggled.connect(
            lambda on: self._edit("alarms", lambda zone: replace(zone, alarms_presence=on), "Change what calls")
        )
        self._detail = QCheckBox("Look closer: far away", self)
        self._detail.setToolTip(
            "Vehicles are small there: the detector looks at this part of the large stream once more, enlarged. "
            "Costs a second look at each picture. Zones of more than half of the picture gain nothing."
        )
        self._detail.toggled.connect(
            lambda on: self._edit("detail", lambda zone: replace(zone, detail=on), "Change how closely it is looked at")
        )
        self._stopped = _optional("Stopped after", 3600.0, " s", "off", decimals=0)
        self._stopped.valueChanged.connect(
            lambda value: self._edit("stopped", lambda zone: replace(zone, stopped_after_s=value or None))
        )
        self._capacity = _optional("Vehicles that fill it", 500.0, " vehicles", "off", decimals=0)
        self._capacity.valueChanged.connect(
            lambda value: self._edit("capacity", lambda zone: replace(zone, congestion_capacity=value or None))
        )
        self._free_flow = _optional("Speed of free flow", 5.0, " heights/s", "learned", decimals=3)
        self._free_flow.setToolTip("How fast traffic crosses the picture when it flows, in picture heights a second.")
        self._free_flow.valueChanged.connect(
            lambda value: self._edit("free flow", lambda zone: replace(zone, free_flow_speed=value or None))
        )
        for row, box in (("counts", self._counts), ("alarms", self._alarms), ("detail", self._detail)):
            self._form.addRow(box)
            self._rows[row] = box
        self._add("stopped", "Stopped after", self._stopped)
        self._add("capacity", "Full with", self._capacity)
        self._add("free_flow", "Free flow", self._free_flow)

    def _build_direction(self) -> None:
        self._forward = text_field("Name of the arrow's direction", 40)
        self._forward.textEdited.connect(
            lambda text: self._edit("forward", lambda line: replace(line, forward_name=text))
        )
        self._backward = text_field("Name of the other direction", 40)
        self._backward.textEdited.connect(
            lambda text: self._edit("backward", lambda line: replace(line, backward_name=text))
        )
        turn = QPushButton("Turn round", self)
        turn.setToolTip("Let the arrow point the other way (T)")
        turn.clicked.connect(self.turn_requested)
        self._add("forward", "With arrow", self._forward)
        self._add("backward", "Against it", self._backward)
        self._add("turn", "Direction", turn)

    def _add(self, row: str, title: str, field: QWidget) -> None:
        self._form.addRow(title, field)
        self._rows[row] = field

    def _show_zone(self, zone: Zone) -> None:
        self._people.setText(_said_of_people(zone))
        self._form.setRowVisible(self._people, PERSON in zone.labels)
        who = "people" if zone.labels == (PERSON,) else "all" if PERSON in zone.labels else "vehicles"
        self._counts.setText(f"Count {who} inside")
        self._alarms.setText(f"Alarm for {_ALARMED[who]} inside")
        show_checked(self._counts, zone.counts_presence)
        show_checked(self._alarms, zone.alarms_presence)
        show_checked(self._detail, zone.detail)
        self._stopped.show_value(zone.stopped_after_s or 0.0)
        self._capacity.show_value(zone.congestion_capacity or 0.0)
        self._free_flow.show_value(zone.free_flow_speed or 0.0)

    def _edit(self, what: str, change: Callable[[Any], Shape], text: str = "") -> None:
        if self._ref is None or self._shape is None:
            return
        merge_key = f"{what}-{self._ref.kind.value}-{self._ref.key}"
        done = text or f"Change the {what} of {self._shape.name or self._ref.key}"
        self.change_requested.emit(self._ref, change(self._shape), done, merge_key)

    def _on_labels(self) -> None:
        shape = self._shape
        if not isinstance(shape, (Zone, CountLine, Lane)):
            return
        # Classes that another model brought and that have no box here stay.
        others = tuple(label for label in shape.labels if label not in self._labels)
        chosen = tuple(label for label, box in self._labels.items() if box.isChecked())
        self._edit("classes", lambda old: replace(old, labels=(*chosen, *others)))

    def _on_mask(self) -> None:
        kind = MaskKind(self._mask.currentData())
        self._edit("kind", lambda mask: replace(mask, kind=kind))


def _said_of_people(zone: Zone) -> str:
    if zone.is_crossing:
        return "People may walk here."
    return "Calls for people." if zone.calls_for_people else "Loitering, where it is on, watches people."


def _optional(name: str, high: float, suffix: str, without: str, *, decimals: int) -> NumberField:
    """Return a number whose zero says that there is none."""
    field = NumberField(name, 0.0, high, suffix, decimals=decimals)
    field.setSpecialValueText(without)
    return field


def row_titles(form: QFormLayout) -> list[str]:
    """Return the titles of the rows that can be seen."""
    titles = []
    for row in range(form.rowCount()):
        item = form.itemAt(row, QFormLayout.ItemRole.LabelRole)
        label = item.widget() if item is not None else None
        if isinstance(label, QLabel) and form.isRowVisible(row):
            titles.append(label.text())
    return titles
