"""Which counting lines of cameras are entries and exits of the lot, and which way leads in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.parking.model import LineGate
from widgets.base.icons import IconButton
from widgets.base.theme import look, set_role
from widgets.scene.fields import choice_field, fill_choice, show_choice

_NO_LINES = "No camera has a counting line yet: draw one in Scene across the entry, then choose it here."
_LINES = "A camera's counting line counts as counters do. Set the count in Parking once; it goes on from there."


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraLine:
    """A counting line that can be a gate, in the operators' words."""

    camera_id: str
    camera_name: str
    line_key: str
    line_name: str
    forward_name: str
    backward_name: str

    @property
    def title(self) -> str:
        """Camera and line."""
        return f"{self.camera_name}: {self.line_name}"


class GatesForm(QWidget):
    """One row for each gate, and a list of lines that may become one.

    Signals:
        gates_changed(object): Tuple of `LineGate`.
    """

    gates_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._gates: tuple[LineGate, ...] = ()
        self._lines: tuple[CameraLine, ...] = ()
        self._rows: list[QWidget] = []
        self._is_editable = False
        title = QLabel("Gates", self)
        set_role(title, "title")
        self._note = QLabel(_NO_LINES, self)
        self._note.setWordWrap(True)
        set_role(self._note, "caption")
        self._list = QVBoxLayout()
        self._list.setSpacing(look().sizes.gap)
        self._add = choice_field("Add a camera's line as a gate", self)
        self._add.setPlaceholderText("Add a camera's line as a gate")
        self._add.activated.connect(lambda _row: self._on_added())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look().sizes.gap)
        column.addWidget(title)
        column.addWidget(self._note)
        column.addLayout(self._list)
        column.addWidget(self._add)

    def show_gates(self, gates: Sequence[LineGate]) -> None:
        """Show the gates of a lot."""
        if tuple(gates) != self._gates:
            self._gates = tuple(gates)
            self._rebuild()

    def show_lines(self, lines: Sequence[CameraLine]) -> None:
        """Take the counting lines of all cameras."""
        if tuple(lines) != self._lines:
            self._lines = tuple(lines)
            self._rebuild()

    def set_editable(self, is_editable: bool) -> None:
        """Let gates be chosen, or only read."""
        self._is_editable = is_editable
        for row in self._rows:
            row.setEnabled(is_editable)
        self._add.setEnabled(is_editable and self._add.count() > 0)

    def _rebuild(self) -> None:
        for row in self._rows:
            row.hide()
            row.deleteLater()
        lines = {(line.camera_id, line.line_key): line for line in self._lines}
        self._rows = [self._row(gate, lines.get((gate.camera_id, gate.line_key))) for gate in self._gates]
        for row in self._rows:
            self._list.addWidget(row)
            row.show()
        taken = {(gate.camera_id, gate.line_key) for gate in self._gates}
        fill_choice(self._add, [(key, line.title) for key, line in lines.items() if key not in taken])
        self._add.setCurrentIndex(-1)
        self._note.setText(_LINES if self._lines else _NO_LINES)
        self.set_editable(self._is_editable)

    def _row(self, gate: LineGate, line: CameraLine | None) -> QWidget:
        title = line.title if line is not None else f"{gate.camera_id}: {gate.line_key} (not there any more)"
        row = QWidget(self)
        name = QLabel(title, row)
        name.setWordWrap(True)
        way: QComboBox = choice_field(f"Way into the lot over {title}", row)
        way.addItem(f"in: {line.forward_name if line is not None else 'forward'}", True)
        way.addItem(f"in: {line.backward_name if line is not None else 'backward'}", False)
        show_choice(way, gate.is_entry_forward)
        way.activated.connect(lambda _row: self._on_way(gate, is_forward=bool(way.currentData())))
        remove = IconButton("remove", f"Take the gate {title} away", row)
        remove.clicked.connect(lambda: self.gates_changed.emit(tuple(one for one in self._gates if one != gate)))
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(look().sizes.gap)
        layout.addWidget(name, 1)
        layout.addWidget(way, 1)
        layout.addWidget(remove)
        return row

    def _on_way(self, gate: LineGate, *, is_forward: bool) -> None:
        turned = replace(gate, is_entry_forward=is_forward)
        self.gates_changed.emit(tuple(turned if one == gate else one for one in self._gates))

    def _on_added(self) -> None:
        camera_id, line_key = self._add.currentData()
        self.gates_changed.emit((*self._gates, LineGate(camera_id=camera_id, line_key=line_key)))
