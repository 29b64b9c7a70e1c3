"""What can be done with several devices at once, how far it is, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from core.access.model import Role
from widgets.base.flow import FlowLayout
from widgets.base.hold_button import HoldButton
from widgets.base.theme import look, set_role
from widgets.devices.bulk_page import BulkTask
from widgets.devices.details import ROLE_TO_CHANGE, allow
from widgets.devices.rows import DeviceRow


class BulkBar(QFrame):
    """Shown while more than one row is chosen, and until what its last action said was put away.

    Signals:
        chosen(): More than one row is chosen; what answers the other signals must stand now.
        enable_requested(object, bool): Tuple of `DeviceRow`, wanted state.
        task_requested(object, object): `BulkTask`, tuple of `DeviceRow`.
        remove_requested(object): Tuple of `DeviceRow`; the button was held.
        undo_requested()
        stop_requested()
        results_requested(): Show what became of each.
    """

    chosen = Signal()
    enable_requested = Signal(object, bool)
    task_requested = Signal(object, object)
    remove_requested = Signal(object)
    undo_requested = Signal()
    stop_requested = Signal()
    results_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[DeviceRow, ...] = ()
        self._is_working = self._can_undo = self._has_results = False
        gap = look().sizes.gap
        self._chosen = QLabel(self)
        self._enable = QPushButton("Enable", self)
        self._enable.clicked.connect(lambda: self.enable_requested.emit(self._rows, True))
        self._disable = QPushButton("Disable", self)
        self._disable.clicked.connect(lambda: self.enable_requested.emit(self._rows, False))
        self._tasks = {task: self._task_button(task) for task in BulkTask}
        self._remove = HoldButton("Hold to remove", self)
        self._remove.confirmed.connect(lambda: self.remove_requested.emit(self._rows))
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setAccessibleName("What was done with the chosen devices")
        self._undo = QPushButton("Undo", self)
        self._undo.clicked.connect(self.undo_requested)
        self._results = QPushButton("Results", self)
        self._results.setToolTip("What became of each")
        self._results.clicked.connect(self.results_requested)
        self._stop = QPushButton("Stop", self)
        self._stop.clicked.connect(self.stop_requested)
        self._close = QPushButton("Put away", self)
        set_role(self._close, "quiet")
        self._close.clicked.connect(self.put_away)
        self._progress = QProgressBar(self)
        self._progress.setTextVisible(False)
        self._progress.setAccessibleName("Devices done so far")
        self._progress.setMaximumWidth(look().sizes.body * 12)
        self._actions = (self._chosen, self._enable, self._disable, *self._tasks.values(), self._remove)
        lines = QVBoxLayout(self)
        lines.setContentsMargins(gap * 2, gap, gap * 2, gap * 2)
        lines.setSpacing(gap)
        for widgets in (
            self._actions,
            (self._said, self._progress, self._stop, self._undo, self._results, self._close),
        ):
            flow = FlowLayout(gap * 2)
            for widget in widgets:
                flow.addWidget(widget)
            lines.addLayout(flow)
        self._refresh()

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node decides."""
        for button, words in ((self._enable, "Enable"), (self._disable, "Disable"), (self._remove, "Remove")):
            allow(button, role, ROLE_TO_CHANGE, f"{words} what is chosen")
        for task, button in self._tasks.items():
            allow(button, role, task.role, task.tip)

    def show_rows(self, rows: Sequence[DeviceRow]) -> None:
        """Offer what can be done with these; what the last action said stays."""
        self._rows = tuple(rows)
        if len(rows) > 1:
            self.chosen.emit()
        self._chosen.setText(f"{len(rows):,} chosen")
        self._refresh()

    def show_progress(self, n_done: int, n_all: int) -> None:
        """So many were done."""
        self._is_working, self._can_undo, self._has_results = n_done < n_all, False, False
        self._progress.setRange(0, max(1, n_all))
        self._progress.setValue(n_done)
        self._said.setText(f"{n_done:,} of {n_all:,}")
        self._refresh()

    def show_done(self, sentence: str, *, can_undo: bool) -> None:
        """Say what became of it; stays until something else is done, or somebody puts it away."""
        self._is_working, self._can_undo, self._has_results = False, can_undo, True
        self._said.setText(sentence)
        self._refresh()

    def put_away(self) -> None:
        """Nothing to say any more; what was done stays done."""
        self._is_working = self._can_undo = self._has_results = False
        self._said.setText("")
        self._refresh()

    def _task_button(self, task: BulkTask) -> QPushButton:
        button = QPushButton(task.value, self)
        button.clicked.connect(lambda: self.task_requested.emit(task, self._rows))
        return button

    def _refresh(self) -> None:
        has_many = len(self._rows) > 1 and not self._is_working
        has_said = bool(self._said.text())
        for widget in self._actions:
            widget.setVisible(has_many)
        self._said.setVisible(has_said)
        self._undo.setVisible(self._can_undo)
        self._results.setVisible(self._has_results)
        self._close.setVisible(self._has_results)
        self._progress.setVisible(self._is_working)
        self._stop.setVisible(self._is_working)
        self.setVisible(has_many or has_said)
