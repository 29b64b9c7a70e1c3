"""Who changed what is drawn, and when; an old version can be looked at and brought back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from widgets.base.flow import FlowLayout
from widgets.base.theme import look, set_role
from widgets.base.times import format_minute


class Version(Protocol):
    """A saved version: of a camera's scene, or of a lot."""

    @property
    def number(self) -> int:
        """1, 2, 3, …; the highest is what counts now."""

    @property
    def at(self) -> datetime:
        """When it was saved."""

    @property
    def actor(self) -> str:
        """Who saved it; empty where nobody knows."""

    @property
    def note(self) -> str:
        """In the author's words; may be empty."""


class VersionsList(QWidget):
    """The versions of one drawing, the newest first.

    Signals:
        look_requested(int): Show this version instead of what is drawn now.
        restore_requested(int): Make it the newest again.
    """

    look_requested = Signal(int)
    restore_requested = Signal(int)

    def __init__(self, what: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        self._is_editable = False
        self._note = QLabel(self)
        self._note.setWordWrap(True)
        set_role(self._note, "caption")
        self._list = QListWidget(self)
        self._list.setAccessibleName(f"Versions of this {what}")
        self._list.setWordWrap(True)
        self._list.setSpacing(gap)
        self._list.itemActivated.connect(lambda _item: self._on_look())
        self._list.currentItemChanged.connect(lambda *_: self._refresh())
        self._look_at = QPushButton("Look at it", self)
        self._look_at.clicked.connect(self._on_look)
        self._restore = QPushButton("Restore", self)
        self._restore.clicked.connect(self._on_restore)
        buttons = FlowLayout(gap * 2)
        buttons.addWidget(self._look_at)
        buttons.addWidget(self._restore)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(gap * 2)
        column.addWidget(self._note)
        column.addWidget(self._list, 1)
        column.addLayout(buttons)
        self.show_versions(())

    def show_versions(self, versions: Sequence[Version]) -> None:
        """List these."""
        self._list.clear()
        for index, version in enumerate(versions):
            who = version.actor or "unknown"
            now = "  (now)" if index == 0 else ""
            text = f"{version.number}{now}  {who}, {format_minute(version.at)}"
            item = QListWidgetItem(f"{text}\n{version.note}" if version.note else text)
            item.setData(Qt.ItemDataRole.UserRole, version.number)
            self._list.addItem(item)
        self._note.setText("Every save makes a version." if versions else "No versions yet: every save makes one.")
        self._refresh()

    def set_editable(self, is_editable: bool) -> None:
        """Let versions be restored, or only looked at."""
        self._is_editable = is_editable
        self._refresh()

    def _refresh(self) -> None:
        row = self._list.currentRow()
        self._look_at.setEnabled(row >= 0)
        self._restore.setEnabled(self._is_editable and row > 0)
        self._restore.setToolTip("" if row > 0 else "Choose an older version.")

    def _chosen(self) -> int | None:
        item = self._list.currentItem()
        return int(item.data(Qt.ItemDataRole.UserRole)) if item is not None else None

    def _on_look(self) -> None:
        number = self._chosen()
        if number is not None:
            self.look_requested.emit(number)

    def _on_restore(self) -> None:
        number = self._chosen()
        if number is not None:
            self.restore_requested.emit(number)
