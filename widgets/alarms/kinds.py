"""Choose kinds of alarms: tick with Space or a click; none ticked means all."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core.incidents.model import kind_words
from widgets.alarms.sources import TickList
from widgets.base.theme import look, set_role

_N_LINES = 4


class KindPicker(QWidget):
    """A list of kinds and what it means that these are ticked.

    Signals:
        changed(): Another choice.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chosen: frozenset[str] = frozenset()
        self._known: tuple[str, ...] = ()
        self._model = QStandardItemModel(self)
        self._list = TickList(self)
        self._list.setModel(self._model)
        self._list.setUniformItemSizes(True)
        self._list.setAccessibleName("Kinds of alarms; Space ticks, none means all")
        self._list.setFixedHeight(round(look().sizes.body * 1.9 * _N_LINES))
        self._list.toggled.connect(self._on_toggled)
        self._list.clicked.connect(lambda index: self._on_toggled(index.row()))
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        set_role(self._said, "secondary")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look().sizes.gap)
        column.addWidget(self._list)
        column.addWidget(self._said)
        self.setFocusProxy(self._list)
        self._say()

    @property
    def chosen(self) -> frozenset[str]:
        """The ticked kinds; empty means all."""
        return self._chosen

    def show_kinds(self, kinds: Iterable[str]) -> None:
        """Offer these, and what is ticked already."""
        known = tuple(sorted(set(kinds), key=kind_words))
        if known != self._known:
            self._known = known
            self._fill()

    def choose(self, kinds: Iterable[str]) -> None:
        """Tick these and no others."""
        self._chosen = frozenset(kinds)
        self._fill()
        self.changed.emit()

    def _fill(self) -> None:
        row = self._list.currentIndex().row()
        self._model.clear()
        for kind in sorted({*self._known, *self._chosen}, key=kind_words):
            item = QStandardItem(kind_words(kind))
            item.setData(kind)
            item.setEditable(False)
            self._model.appendRow(item)
            self._tick(item)
        self._list.setCurrentIndex(self._model.index(row, 0) if row >= 0 else QModelIndex())
        self._say()

    def _tick(self, item: QStandardItem) -> None:
        is_chosen = item.data() in self._chosen
        item.setCheckState(Qt.CheckState.Checked if is_chosen else Qt.CheckState.Unchecked)
        item.setAccessibleText(f"{item.text()}, {'chosen' if is_chosen else 'not chosen'}")

    def _on_toggled(self, row: int) -> None:
        item = self._model.item(row)
        if item is not None:
            self._chosen ^= {item.data()}
            self._tick(item)
            self._say()
            self.changed.emit()

    def _say(self) -> None:
        names = ", ".join(kind_words(kind) for kind in sorted(self._chosen, key=kind_words))
        self._said.setText(f"Only: {names}." if names else "All kinds of alarms; tick some to hold only these.")
