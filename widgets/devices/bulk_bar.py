"""What can be done with several devices at once, how far it is, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QLabel, QProgressBar, QPushButton, QWidget

from core.access.model import Role
from widgets.base.flow import FlowLayout
from widgets.base.hold_button import HoldButton
from widgets.base.theme import look
from widgets.devices.details import ROLE_TO_CHANGE, allow
from widgets.devices.rows import DeviceRow


class BulkBar(QFrame):
    """Shown while more than one row is chosen, and until its last action was undone or put away.

    Signals:
        enable_requested(object, bool): Tuple of `DeviceRow`, wanted state.
        remove_requested(object): Tuple of `DeviceRow`; the button was held.
        undo_requested()
        stop_requested()
    """

    enable_requested = Signal(object, bool)
    remove_requested = Signal(object)
    undo_requested = Signal()
    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[DeviceRow, ...] = ()
        self._is_working = self._can_undo = False
        gap = look().sizes.gap
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setAccessibleName("What was done with the chosen devices")
        self._enable = QPushButton("Enable", self)
        self._enable.clicked.connect(lambda: self.enable_requested.emit(self._rows, True))
        self._disable = QPushButton("Disable", self)
        self._disable.clicked.connect(lambda: self.enable_requested.emit(self._rows, False))
        self._remove = HoldButton("Hold to remove", self)
        self._remove.confirmed.connect(lambda: self.remove_requested.emit(self._rows))
        self._undo = QPushButton("Undo", self)
        self._undo.clicked.connect(self.undo_requested)
        self._stop = QPushButton("Stop", self)
        self._stop.clicked.connect(self.stop_requested)
        self._progress = QProgressBar(self)
        self._progress.setTextVisible(False)
        self._progress.setAccessibleName("Devices done so far")
        self._progress.setMaximumWidth(look().sizes.body * 12)
        flow = FlowLayout(gap * 2, self)
        flow.setContentsMargins(gap * 2, gap, gap * 2, gap * 2)
        for widget in (self._said, self._enable, self._disable, self._remove, self._undo, self._progress, self._stop):
            flow.addWidget(widget)
        self._refresh()

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node decides."""
        for button, words in ((self._enable, "Enable"), (self._disable, "Disable"), (self._remove, "Remove")):
            allow(button, role, ROLE_TO_CHANGE, f"{words} what is chosen")

    def show_rows(self, rows: Sequence[DeviceRow]) -> None:
        """Offer what can be done with these."""
        self._rows = tuple(rows)
        if not self._is_working and len(rows) > 1:
            self._said.setText(f"{len(rows):,} chosen")
            self._can_undo = False
        self._refresh()

    def show_progress(self, n_done: int, n_all: int) -> None:
        """So many were done."""
        self._is_working, self._can_undo = n_done < n_all, False
        self._progress.setRange(0, max(1, n_all))
        self._progress.setValue(n_done)
        self._said.setText(f"{n_done:,} of {n_all:,}")
        self._refresh()

    def show_done(self, sentence: str, *, can_undo: bool) -> None:
        """Say what became of it."""
        self._is_working, self._can_undo = False, can_undo
        self._said.setText(sentence)
        self._refresh()

    def put_away(self) -> None:
        """Nothing to say any more."""
        self._rows, self._is_working, self._can_undo = (), False, False
        self._said.setText("")
        self._refresh()

    def _refresh(self) -> None:
        has_many = len(self._rows) > 1 and not self._is_working
        for button in (self._enable, self._disable, self._remove):
            button.setVisible(has_many)
        self._undo.setVisible(self._can_undo)
        self._progress.setVisible(self._is_working)
        self._stop.setVisible(self._is_working)
        self.setVisible(has_many or self._is_working or self._can_undo or bool(self._said.text()))
