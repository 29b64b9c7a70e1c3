"""Devices that were removed: who did it and when, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QLabel, QPushButton, QVBoxLayout, QWidget

from core.access.model import Role
from core.field.model import RemovedDevice
from widgets.base.conditions import Condition
from widgets.base.flow import FlowLayout
from widgets.base.search import SearchField
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_instant
from widgets.devices.details import ROLE_TO_CHANGE, allow

_EXPLAINED = (
    "What a removed device said, and what was done with it, stays. Putting one back gives it its name, site, tags, "
    "place and wanted settings again; one that speaks again as a new device keeps what it has said since."
)
_COLUMNS = (
    Column(title="Device"),
    Column(title="Removed"),
    Column(title="By", rank=1),
    Column(title="Site", rank=2),
    Column(title="Identifier", rank=3),
)


class RemovedPage(QWidget):
    """The list, and a button that puts back what is chosen in it.

    Signals:
        restore_requested(object): Tuple of `RemovedDevice`.
        left()
    """

    restore_requested = Signal(object)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._removed: dict[str, RemovedDevice] = {}
        self._role: Role | None = None
        gap = look().sizes.gap
        title = QLabel("Removed devices", self)
        set_role(title, "title")
        explained = QLabel(_EXPLAINED, self)
        explained.setWordWrap(True)
        set_role(explained, "caption")
        self._search = SearchField("Find a removed device", self)
        self._search.query_changed.connect(lambda _query: self._refresh())
        self.table = TextTable("Removed devices, the newest first", _COLUMNS, self)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._refresh_buttons())
        self._search.left.connect(self.table.setFocus)
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setAccessibleName("What is removed")
        self._restore = QPushButton("Put back", self)
        set_role(self._restore, "primary")
        self._restore.clicked.connect(self._on_restore)
        leave = QPushButton("Back to the devices", self)
        leave.clicked.connect(self.left)
        buttons = FlowLayout(gap * 2)
        for button in (self._restore, leave):
            buttons.addWidget(button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(gap * 3, gap * 3, gap * 3, gap * 3)
        rows.setSpacing(gap * 2)
        for widget in (title, explained, self._search, self._said):
            rows.addWidget(widget)
        rows.addWidget(self.table, 1)
        rows.addLayout(buttons)
        self.setFocusProxy(self.table)
        self.show_removed(())

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node decides."""
        self._role = role
        self._refresh_buttons()

    def show_removed(self, removed: Sequence[RemovedDevice]) -> None:
        """Show these."""
        self._removed = {one.removal_id: one for one in removed}
        self._refresh()

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why there is no list."""
        self._said.setText(f"{sentence} {hint}".strip())

    def _refresh(self) -> None:
        words = self._search.text().lower().split()
        shown = [one for one in self._removed.values() if all(word in _haystack(one) for word in words)]
        self.table.show_lines([_line(one) for one in shown])
        self._said.setText(f"{len(shown):,} of {len(self._removed):,}" if self._removed else "Nothing is removed.")
        self._refresh_buttons()

    def _chosen(self) -> tuple[RemovedDevice, ...]:
        lines = self.table.lines
        keys = [lines[index.row()].key for index in self.table.selectionModel().selectedRows()]
        return tuple(self._removed[key] for key in keys)

    def _refresh_buttons(self) -> None:
        n_chosen = len(self.table.selectionModel().selectedRows())
        allow(self._restore, self._role, ROLE_TO_CHANGE, "Choose several with Shift, Ctrl or Ctrl+A")
        self._restore.setEnabled(self._restore.isEnabled() and n_chosen > 0)
        self._restore.setText(f"Put {n_chosen:,} back" if n_chosen > 1 else "Put back")

    def _on_restore(self) -> None:
        if chosen := self._chosen():
            self.restore_requested.emit(chosen)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter puts back, Esc leaves."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._restore.isEnabled():
            self._on_restore()
        else:
            super().keyPressEvent(event)


def _haystack(one: RemovedDevice) -> str:
    return f"{one.name} {one.device_id} {one.site} {one.removed_by} {one.kind}".lower()


def _line(one: RemovedDevice) -> Line:
    at = format_instant(one.removed_at)
    back = "\nIt speaks again, as a new device." if one.is_back else ""
    return Line(
        key=one.removal_id,
        cells=(one.name, at, one.removed_by, one.site, one.device_id),
        condition=Condition.OK if one.is_back else Condition.DISABLED,
        tip=f"{one.name} ({one.device_id})\nRemoved by {one.removed_by}, {at}{back}",
    )
