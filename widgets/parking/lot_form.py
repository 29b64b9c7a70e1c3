"""What is said of the whole lot: name, place on the earth, capacity, devices and levels."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QSpinBox, QVBoxLayout, QWidget

from core.kernel.geo import GeoPoint
from core.parking.checks import MAX_BAYS, MAX_NAME_LENGTH, STALE_S
from core.parking.model import Level, LineGate, Lot
from widgets.base.icons import IconButton
from widgets.base.theme import look, set_role
from widgets.parking.gates_form import GatesForm
from widgets.scene.fields import NumberField, form_layout, show_text, text_field

_STOREY_M = 3.0


class LotForm(QWidget):
    """The lot's own settings.

    Signals:
        change_requested(object, str, str): The new `Lot`, what was done, and a key for merging steps.
        place_requested(): Let the map say where the plan's origin lies.
        remove_requested(): Take the whole lot away.
    """

    change_requested = Signal(object, str, str)
    place_requested = Signal()
    remove_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lot: Lot | None = None
        self._is_editable = False
        self._rows: list[_LevelRow] = []
        self._build()
        self._connect()

    def show_lot(self, lot: Lot | None) -> None:
        """Show this lot."""
        self._lot = lot
        self.setVisible(lot is not None)
        if lot is None:
            return
        show_text(self._name, lot.name)
        show_text(self._site, lot.site)
        at = lot.position
        if not self._position.hasFocus():
            show_text(self._position, f"{at.lat_deg:.6f}, {at.lon_deg:.6f}" if at is not None else "")
        self._bearing.show_value(lot.bearing_deg)
        self._stale.show_value(lot.stale_s)
        self._capacity.blockSignals(True)
        self._capacity.setValue(lot.capacity or 0)
        self._capacity.setSpecialValueText(f"the {len(lot.bays):,} drawn")
        self._capacity.blockSignals(False)
        if not self._devices.hasFocus():
            show_text(self._devices, ", ".join(lot.device_ids))
        self._id.setText(f"Id {lot.lot_id}: devices and signs know the lot by it.")
        self.gates.show_gates(lot.gates)
        self._show_levels(lot.levels)
        self._refresh()

    def show_faults(self, faults: Sequence[str]) -> None:
        """Say what cannot be right about the lot as it is saved."""
        self._faults.setText("\n".join(f"! {fault}" for fault in faults))
        self._faults.setVisible(bool(faults))

    def set_editable(self, is_editable: bool) -> None:
        """Let it be changed, or only looked at."""
        self._is_editable = is_editable
        self._refresh()

    def _build(self) -> None:
        gap = look().sizes.gap
        self._name = text_field("Name of the lot", MAX_NAME_LENGTH)
        self._site = text_field("Site", MAX_NAME_LENGTH)
        self._position = text_field("Latitude, longitude of the plan's origin", 60)
        self._position.setPlaceholderText("latitude, longitude")
        self._place = QPushButton("On the map", self)
        self._place.setToolTip("Click there where the plan's origin lies")
        self._bearing = NumberField("Bearing of the plan's y axis", -360.0, 360.0, "°")
        self._bearing.setToolTip("Clockwise from north")
        self._capacity = QSpinBox(self)
        self._capacity.setAccessibleName("Capacity")
        self._capacity.setRange(0, MAX_BAYS)
        self._stale = NumberField("A state is stale after", STALE_S[0], STALE_S[1], " s", decimals=0)
        self._devices = text_field("Devices of the lot", 4000)
        self._devices.setPlaceholderText("group/device, …")
        self._faults = QLabel(self)
        self._faults.setWordWrap(True)
        self._faults.setTextFormat(Qt.TextFormat.PlainText)
        self._faults.setAccessibleName("What cannot be right about the lot")
        self._faults.hide()
        set_role(self._faults, "field-error")
        self.gates = GatesForm(self)
        self._id = QLabel(self)
        self._id.setWordWrap(True)
        set_role(self._id, "caption")
        form = form_layout()
        for words, field in (
            ("Name", self._name),
            ("Site", self._site),
            ("Origin", self._position),
            ("", self._place),
            ("Bearing", self._bearing),
            ("Capacity", self._capacity),
            ("Stale after", self._stale),
            ("Devices", self._devices),
        ):
            form.addRow(words, field)
        title = QLabel("Levels", self)
        set_role(title, "title")
        self._levels = QVBoxLayout()
        self._levels.setSpacing(gap)
        self._above = QPushButton("Add a level above", self)
        self._below = QPushButton("Add one below", self)
        buttons = QHBoxLayout()
        buttons.addWidget(self._above)
        buttons.addWidget(self._below)
        self._remove = QPushButton("Remove the lot", self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, gap, 0)
        column.setSpacing(gap * 2)
        column.addWidget(self._faults)
        column.addLayout(form)
        column.addWidget(self._id)
        column.addWidget(self.gates)
        column.addWidget(title)
        column.addLayout(self._levels)
        column.addLayout(buttons)
        column.addSpacing(gap * 2)
        column.addWidget(self._remove)
        column.addStretch(1)

    def _connect(self) -> None:
        self._name.textEdited.connect(lambda text: self._change("name", text, "name"))
        self._site.textEdited.connect(lambda text: self._change("site", text.strip(), "site"))
        self._bearing.valueChanged.connect(lambda value: self._change("bearing_deg", value, "bearing"))
        self._capacity.valueChanged.connect(lambda value: self._change("capacity", value or None, "capacity"))
        self._stale.valueChanged.connect(lambda value: self._change("stale_s", value, "time until stale"))
        self._position.editingFinished.connect(self._on_position)
        self._devices.editingFinished.connect(self._on_devices)
        self.gates.gates_changed.connect(self._on_gates)
        self._place.clicked.connect(self.place_requested)
        self._above.clicked.connect(lambda: self._add_level(1))
        self._below.clicked.connect(lambda: self._add_level(-1))
        self._remove.clicked.connect(self.remove_requested)

    def _change(self, name: str, value: Any, words: str) -> None:
        if self._lot is not None:
            changed = replace(self._lot, **{name: value})
            self.change_requested.emit(changed, f"Change the lot's {words}", f"lot-{name}")

    def _on_position(self) -> None:
        if self._lot is None:
            return
        text = self._position.text().strip()
        numbers = re.findall(r"-?\d+(?:\.\d+)?", text)
        try:
            place = GeoPoint(float(numbers[0]), float(numbers[1])) if len(numbers) == 2 else None
        except ValueError:
            place = None
        is_wrong = place is None and bool(text)
        set_role(self._position, "field-error" if is_wrong else "")
        self._position.setToolTip("Write latitude and longitude in degrees: 51.05, 13.74" if is_wrong else "")
        now = self._lot.position
        is_same = place == now or (
            place is not None
            and now is not None
            and abs(place.lat_deg - now.lat_deg) < 1e-6
            and abs(place.lon_deg - now.lon_deg) < 1e-6
        )
        if not is_wrong and not is_same:
            self._change("position", place, "place")

    def _on_devices(self) -> None:
        if self._lot is not None:
            found = tuple(dict.fromkeys(part for part in re.split(r"[,;\s]+", self._devices.text()) if part))
            if found != self._lot.device_ids:
                self._change("device_ids", found, "devices")

    def _on_gates(self, gates: tuple[LineGate, ...]) -> None:
        if self._lot is not None:
            # Each is a step of its own.
            self.change_requested.emit(replace(self._lot, gates=gates), "Change the lot's gates", "")

    def _add_level(self, by: int) -> None:
        if self._lot is None:
            return
        levels = self._lot.levels or (Level(number=0, name="Ground"),)
        number = (max if by > 0 else min)(level.number for level in levels) + by
        beside = next(level for level in levels if level.number == number - by)
        name = f"Level {number}" if number > 0 else f"Basement {-number}"
        added = (*levels, Level(number=number, name=name, height_m=beside.height_m + by * _STOREY_M))
        self._change("levels", tuple(sorted(added, key=lambda level: level.number)), "levels")

    def _show_levels(self, levels: tuple[Level, ...]) -> None:
        if [row.level for row in self._rows] == list(levels):
            return
        if [row.level.number for row in self._rows] == [level.number for level in levels]:
            for row, level in zip(self._rows, levels, strict=True):
                row.show_level(level)
            return
        for row in self._rows:
            row.hide()
            row.deleteLater()
        self._rows = [_LevelRow(level, self._on_level, self._on_level_removed) for level in levels]
        # The highest stands on top, as in the building.
        for row in reversed(self._rows):
            self._levels.addWidget(row)

    def _on_level(self, level: Level) -> None:
        if self._lot is not None:
            kept = tuple(level if one.number == level.number else one for one in self._lot.levels)
            self._change("levels", kept, "levels")

    def _on_level_removed(self, number: int) -> None:
        if self._lot is not None:
            self._change("levels", tuple(one for one in self._lot.levels if one.number != number), "levels")

    def _refresh(self) -> None:
        used = {bay.level for bay in self._lot.bays} if self._lot is not None else set()
        for row in self._rows:
            row.set_usable(is_editable=self._is_editable, has_bays=row.level.number in used)
        self.gates.set_editable(self._is_editable)
        fields: tuple[QWidget, ...] = (self._name, self._site, self._position, self._place, self._bearing)
        for field in (*fields, self._capacity, self._stale, self._devices, self._above, self._below, self._remove):
            field.setEnabled(self._is_editable)


class _LevelRow(QWidget):
    def __init__(self, level: Level, changed: Callable[[Level], None], removed: Callable[[int], None]) -> None:
        super().__init__()
        self.level = level
        self._changed = changed
        number = QLabel(str(level.number), self)
        number.setMinimumWidth(look().sizes.body * 2)
        self._name: QLineEdit = text_field(f"Name of level {level.number}", MAX_NAME_LENGTH)
        self._height = NumberField(f"Height of level {level.number}", -200.0, 500.0, " m")
        self._remove = IconButton("remove", f"Remove level {level.number}", self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(look().sizes.gap)
        row.addWidget(number)
        row.addWidget(self._name, 1)
        row.addWidget(self._height)
        row.addWidget(self._remove)
        self.show_level(level)
        self._name.textEdited.connect(lambda text: self._changed(replace(self.level, name=text)))
        self._height.valueChanged.connect(lambda value: self._changed(replace(self.level, height_m=value)))
        self._remove.clicked.connect(lambda: removed(self.level.number))

    def show_level(self, level: Level) -> None:
        self.level = level
        show_text(self._name, level.name)
        self._height.show_value(level.height_m)

    def set_usable(self, *, is_editable: bool, has_bays: bool) -> None:
        self._name.setEnabled(is_editable)
        self._height.setEnabled(is_editable)
        self._remove.setEnabled(is_editable and not has_bays)
        self._remove.setToolTip("Bays are drawn on it." if has_bays else f"Remove level {self.level.number}")
