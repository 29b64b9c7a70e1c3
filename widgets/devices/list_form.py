"""Add devices from a list: what can be used, what cannot and why, then all of them with one button."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core.field.device_list import COLUMNS, BadRow, DeviceList
from core.kernel.portions import BulkOutcome
from widgets.base.file_dialogs import ask_file
from widgets.base.flow import FlowLayout
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role

_FILES = "Lists of devices (*.csv *.geojson *.json)"
_EXPLAINED = (
    f"A CSV file whose first line names its columns ({', '.join(COLUMNS)}; only device_id is needed), or GeoJSON "
    "points with the same names as properties. Rows that cannot be used are listed; the others are added."
)


class DeviceListForm(QWidget):
    """Choose a file, look at what it holds, add it.

    Signals:
        file_chosen(object): A `Path`.
        add_requested(object, str): Tuple of `NewDevice`, and the name of the file.
        undo_requested(object): Tuple of `BulkOutcome` of what was added.
        stop_requested(): What is not sent yet shall not be sent.
        left()
    """

    file_chosen = Signal(object)
    add_requested = Signal(object, str)
    undo_requested = Signal(object)
    stop_requested = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._list: DeviceList | None = None
        self._file_name = ""
        self._added: tuple[BulkOutcome, ...] = ()
        self._lines: dict[str, int] = {}
        self._is_working = False
        gap = look().sizes.gap
        title = QLabel("Add devices from a list", self)
        set_role(title, "title")
        explained = QLabel(_EXPLAINED, self)
        explained.setWordWrap(True)
        set_role(explained, "caption")
        self._choose = QPushButton("Choose a file", self)
        self._choose.clicked.connect(self._on_choose)
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setAccessibleName("What the file holds")
        self._table = TextTable(
            "Rows that were left out",
            (Column(title="Why it was left out"), Column(title="Line", is_figure=True), Column(title="Row", rank=1)),
            self,
        )
        self._progress = QProgressBar(self)
        self._progress.setAccessibleName("Devices sent so far")
        self._progress.setTextVisible(False)
        self._add = QPushButton(self)
        set_role(self._add, "primary")
        self._add.clicked.connect(self.add)
        self._undo = QPushButton("Take them back", self)
        self._undo.clicked.connect(self.take_back)
        self._leave = QPushButton(self)
        self._leave.clicked.connect(self._on_leave)
        buttons = FlowLayout(gap * 2)
        for button in (self._choose, self._add, self._undo, self._leave):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap * 3, gap * 3, gap * 3)
        column.setSpacing(gap * 2)
        for widget in (title, explained, self._said, self._table, self._progress):
            column.addWidget(widget, int(widget is self._table))
        column.addLayout(buttons)
        self.setFocusProxy(self._choose)
        self.start()

    @property
    def n_usable(self) -> int:
        """Devices that the button would add."""
        return 0 if self._list is None else len(self._list.devices)

    @property
    def n_added(self) -> int:
        """Devices that were added and can be taken back."""
        return len(self._added)

    def start(self) -> None:
        """Begin anew, without a file."""
        self._list, self._file_name, self._added, self._is_working = None, "", (), False
        self._said.setText("")
        self._table.show_lines(())
        self._refresh()

    def show_list(self, found: DeviceList, file_name: str) -> None:
        """Show what a file holds."""
        self.start()
        self._list, self._file_name = found, file_name
        n_bad = len(found.bad)
        self._lines = dict(zip((device.device_id for device in found.devices), found.lines, strict=True))
        left_out = f", {n_bad:,} cannot" if n_bad else ""
        self._said.setText(f"{file_name}: {_rows(len(found.devices))} can be used{left_out}.")
        self._show_bad(found.bad)
        self._refresh()

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why a file cannot be used at all."""
        self.start()
        self._said.setText(f"{sentence} {hint}".strip())

    def show_progress(self, n_done: int, n_all: int) -> None:
        """So many of the devices were sent."""
        self._is_working = n_done < n_all
        self._progress.setRange(0, max(1, n_all))
        self._progress.setValue(n_done)
        self._refresh()

    def show_outcomes(self, outcomes: Sequence[BulkOutcome], *, refused: str = "") -> None:
        """Say what became of the devices.

        Args:
            outcomes: Of all that were sent.
            refused: Why the rest was not sent; empty where all were.
        """
        self._is_working = False
        self._added = tuple(outcome for outcome in outcomes if not outcome.reason)
        left_out = [
            BadRow(line=self._lines.get(outcome.device_id, 0), text=outcome.device_id, reason=outcome.reason)
            for outcome in outcomes
            if outcome.reason
        ]
        bad = self._list.bad if self._list is not None else ()
        self._show_bad(sorted((*bad, *left_out), key=lambda row: row.line))
        said = f"{_devices(len(self._added))} added, {len(bad) + len(left_out):,} left out."
        self._said.setText(f"{said} {refused}".strip())
        self._list = None
        self._refresh()

    def show_taken_back(self, n_removed: int, n_kept: int) -> None:
        """Say that what was added is gone again."""
        self._added = ()
        kept = f"; {n_kept:,} stay, somebody has changed them" if n_kept else ""
        self._said.setText(f"{_devices(n_removed)} taken back{kept}.")
        self._refresh()

    def _show_bad(self, bad: Sequence[BadRow]) -> None:
        lines = []
        for number, row in enumerate(bad):
            cells = (row.reason, str(row.line or ""), row.text)
            lines.append(Line(key=str(number), cells=cells, tip=f"{row.reason}\n{row.text}"))
        self._table.show_lines(lines)

    def _refresh(self) -> None:
        n_good = self.n_usable
        self._table.setVisible(bool(self._table.lines))
        self._progress.setVisible(self._is_working)
        self._choose.setEnabled(not self._is_working)
        self._add.setVisible(n_good > 0)
        self._add.setEnabled(not self._is_working)
        self._add.setText(f"Add {_devices(n_good)}")
        self._undo.setVisible(bool(self._added) and not self._is_working)
        self._leave.setText("Stop" if self._is_working else "Done" if self._added else "Cancel")

    def _on_choose(self) -> None:
        ask_file(self, "Choose a list of devices", _FILES, self.file_chosen.emit)

    def add(self) -> None:
        """Ask for what the file holds to be added."""
        if self._list is not None:
            self.add_requested.emit(self._list.devices, self._file_name)

    def take_back(self) -> None:
        """Ask for what was added to be taken back."""
        self.undo_requested.emit(self._added)

    def _on_leave(self) -> None:
        if self._is_working:
            self.stop_requested.emit()
            return
        self.left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc stops what goes on, or leaves."""
        if event.key() == Qt.Key.Key_Escape:
            self._on_leave()
            return
        super().keyPressEvent(event)


def _rows(n_rows: int) -> str:
    return "1 row" if n_rows == 1 else f"{n_rows:,} rows"


def _devices(n_devices: int) -> str:
    return "1 device" if n_devices == 1 else f"{n_devices:,} devices"
