"""Who can be sent: see who is free, say who is on duty; supervisors add and remove units."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.access.model import Role
from core.incidents.model import Incident
from core.incidents.work import Duty, Unit
from widgets.base.flow import FlowLayout
from widgets.base.focus import order_focus
from widgets.base.hold_button import HoldButton
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role

_COLUMNS = (Column(title="Unit"), Column(title="Kind", rank=1), Column(title="Duty"), Column(title="Works on"))
DUTY_WORDS = {Duty.ON_DUTY: "on duty", Duty.OFF_DUTY: "off duty"}


class UnitsPage(QWidget):
    """The table, duty by Enter, and two fields for a new unit; Esc leaves.

    Signals:
        duty_requested(str, Duty): Unit id.
        save_requested(Unit, int): A new one (version 0), or one that is to be removed.
        left()
    """

    duty_requested = Signal(str, object)
    save_requested = Signal(object, int)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._units: dict[str, Unit] = {}
        self._role = Role.VIEWER
        self._build()
        order_focus(self)
        self.setFocusProxy(self._table)

    @property
    def lines(self) -> tuple[Line, ...]:
        """What the operator reads."""
        return self._table.lines

    def show_units(self, units: Mapping[str, Unit], incidents: Mapping[str, Incident]) -> None:
        """Show these units, and what they work on."""
        self._units = dict(units)
        key = self._table.current_key
        ordered = sorted(units.values(), key=lambda unit: unit.call_sign.casefold())
        self._table.show_lines([_line(unit, incidents.get(unit.incident_id)) for unit in ordered])
        ids = [unit.unit_id for unit in ordered]
        if ids:
            row = ids.index(key) if key in ids else 0
            self._table.setCurrentIndex(self._table.model().index(row, 0))

    def show_role(self, role: Role) -> None:
        """Operators say who is on duty, supervisors change the list; the node decides."""
        self._role = role
        self._duty.setEnabled(role >= Role.OPERATOR)
        for widget in (self._remove, self._call_sign, self._kind, self._add):
            widget.setEnabled(role >= Role.SUPERVISOR)
            widget.setToolTip("" if role >= Role.SUPERVISOR else "Changing the list needs the role supervisor.")

    def say(self, sentence: str) -> None:
        """Say what became of the last change."""
        self._note.setText(sentence)
        self._note.setVisible(bool(sentence))

    def _build(self) -> None:
        gap = look().sizes.gap
        heading = QLabel("Units", self)
        set_role(heading, "title")
        self._table = TextTable("Units; Enter changes the duty", _COLUMNS, self)
        self._duty = QPushButton("On or off duty  Enter", self)
        self._duty.setAccessibleName("On or off duty")
        self._duty.clicked.connect(self._on_duty)
        self._remove = HoldButton("Hold to remove", self)
        self._remove.confirmed.connect(self._on_remove)
        back = QPushButton("Leave  Esc", self)
        set_role(back, "quiet")
        back.clicked.connect(self.left)
        buttons = FlowLayout(gap * 2)
        for button in (self._duty, self._remove, back):
            buttons.addWidget(button)
        self._note = QLabel(self)
        self._note.setWordWrap(True)
        self._note.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 2)
        column.setSpacing(gap * 2)
        column.addWidget(heading)
        column.addWidget(self._table, 1)
        column.addLayout(buttons)
        column.addWidget(self._note)
        column.addLayout(self._build_new())

    def _build_new(self) -> QHBoxLayout:
        self._call_sign, self._kind = _field(self, "Call sign of a new unit"), _field(self, "Its kind")
        for field in (self._call_sign, self._kind):
            field.returnPressed.connect(self._on_add)
        self._add = QPushButton("Add", self)
        self._add.clicked.connect(self._on_add)
        row = QHBoxLayout()
        row.setSpacing(look().sizes.gap * 2)
        row.addWidget(self._call_sign, 2)
        row.addWidget(self._kind, 2)
        row.addWidget(self._add)
        return row

    def _on_duty(self) -> None:
        unit = self._units.get(self._table.current_key)
        if unit is not None and self._role >= Role.OPERATOR:
            other = Duty.OFF_DUTY if unit.duty is Duty.ON_DUTY else Duty.ON_DUTY
            self.duty_requested.emit(unit.unit_id, other)

    def _on_remove(self) -> None:
        unit = self._units.get(self._table.current_key)
        if unit is not None:
            gone = Unit(unit_id=unit.unit_id, call_sign=unit.call_sign, kind=unit.kind, duty=unit.duty, is_removed=True)
            self.save_requested.emit(gone, unit.version)

    def _on_add(self) -> None:
        call_sign = self._call_sign.text().strip()
        if not call_sign:
            self.say("Write how the unit is called on the radio.")
            return
        self.save_requested.emit(Unit(unit_id="", call_sign=call_sign, kind=self._kind.text().strip()), 0)
        self._call_sign.clear()
        self._kind.clear()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter changes the duty, Esc leaves."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._table.hasFocus():
            self._on_duty()
        else:
            super().keyPressEvent(event)


def _line(unit: Unit, busy: Incident | None) -> Line:
    works_on = busy.title if busy is not None else "another incident" if unit.incident_id else "free"
    is_free = unit.duty is Duty.ON_DUTY
    return Line(
        key=unit.unit_id,
        cells=(unit.call_sign, unit.kind, DUTY_WORDS[unit.duty], works_on if is_free else "--"),
    )


def _field(parent: QWidget, name: str) -> QLineEdit:
    field = QLineEdit(parent)
    field.setPlaceholderText(name)
    field.setAccessibleName(name)
    field.setMaxLength(40)
    return field
