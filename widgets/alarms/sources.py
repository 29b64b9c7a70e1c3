"""Choose cameras, devices, lots and drones: search as one types, tick with Space or a click."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLabel, QListView, QVBoxLayout, QWidget

from core.incidents.model import SourceKind
from core.incidents.suppression import Source
from widgets.base.search import SearchField
from widgets.base.theme import look, set_role

KIND_WORDS = {
    SourceKind.CAMERA: "Camera",
    SourceKind.DEVICE: "Device",
    SourceKind.STATION: "Station",
    SourceKind.LOT: "Lot",
    SourceKind.DRONE: "Drone",
}
_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_MAX_NAMED = 3
_ID_PART = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSource:
    """A source as operators know it."""

    source: Source
    name: str
    site: str = ""

    @property
    def words(self) -> str:
        """What the operator reads and searches in."""
        kind = KIND_WORDS.get(self.source.kind, self.source.kind.value)
        return " · ".join(part for part in (self.name, kind, self.site) if part)


def names_of(sources: Iterable[Source], known: dict[Source, NamedSource]) -> list[str]:
    """Return the names of sources in their order; the id of one that is not there any more."""
    return sorted((known[one].name if one in known else one.source_id for one in sources), key=str.casefold)


def summed_up(names: list[str]) -> str:
    """Write up to three names, and how many more there are."""
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


class _Sources(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.chosen: set[Source] = set()
        self._all: tuple[NamedSource, ...] = ()
        self._query: tuple[str, ...] = ()
        self.shown: list[NamedSource] = []

    def show_sources(self, sources: tuple[NamedSource, ...]) -> None:
        self._all = sources
        self.arrange()

    def set_query(self, query: str) -> None:
        self._query = tuple(query.casefold().split())
        self.arrange()

    def arrange(self) -> None:
        """Put what is chosen on top; nothing jumps while one ticks."""
        self.beginResetModel()
        found = [one for one in self._all if self._fits(one)]
        self.shown = sorted(found, key=lambda one: (one.source not in self.chosen, one.name.casefold()))
        self.endResetModel()

    def _fits(self, one: NamedSource) -> bool:
        words, source_id = one.words.casefold(), one.source.source_id.casefold()
        # A digit or two are in almost every id: whoever types "gate 2" means a name.
        return all(word in words or (len(word) >= _ID_PART and word in source_id) for word in self._query)

    def toggle(self, row: int) -> None:
        if 0 <= row < len(self.shown):
            self.chosen ^= {self.shown[row].source}
            self.dataChanged.emit(self.index(row), self.index(row))

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.shown)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        one = self.shown[index.row()]
        is_chosen = one.source in self.chosen
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return one.words
        if role == Qt.ItemDataRole.CheckStateRole:
            return Qt.CheckState.Checked if is_chosen else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{one.words}, {'chosen' if is_chosen else 'not chosen'}"
        return None


class TickList(QListView):
    """Ticks with Space and with a click anywhere in a row.

    Signals:
        toggled(int): This row.
    """

    toggled = Signal(int)

    def event(self, event: QEvent) -> bool:
        """Let letters be no commands of the list of alarms around it."""
        is_letter = isinstance(event, QKeyEvent) and event.text().isalnum() and not event.modifiers()
        if event.type() == QEvent.Type.ShortcutOverride and is_letter:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Tick with Space; Enter is left to the form."""
        if event.key() == Qt.Key.Key_Space and not event.modifiers():
            self.toggled.emit(self.currentIndex().row())
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape):
            event.ignore()
            return
        super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """The field above searches."""


class SourcePicker(QWidget):
    """The list with its field; what is chosen stays chosen while one searches for the next.

    Signals:
        changed(): Something else is chosen.
    """

    changed = Signal()

    def __init__(self, scope: QWidget, parent: QWidget | None = None) -> None:
        """Let "/" lead to the field from anywhere in `scope`."""
        super().__init__(parent)
        self._known: dict[Source, NamedSource] = {}
        self._model = _Sources(self)
        self._search = SearchField("Find cameras, devices, lots, drones", scope, self)
        self._search.query_changed.connect(self._model.set_query)
        self._list = TickList(self)
        self._list.setModel(self._model)
        self._list.setUniformItemSizes(True)
        self._list.setAccessibleName("Sources; Space ticks")
        self._list.toggled.connect(self._on_toggled)
        self._list.clicked.connect(lambda index: self._on_toggled(index.row()))
        self._search.left.connect(self._on_search_left)
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        set_role(self._said, "secondary")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look().sizes.gap)
        column.addWidget(self._search)
        column.addWidget(self._list, 1)
        column.addWidget(self._said)
        self.setFocusProxy(self._search)
        self._say()

    @property
    def chosen(self) -> frozenset[Source]:
        """What is ticked."""
        return frozenset(self._model.chosen)

    @property
    def chosen_names(self) -> list[tuple[Source, str]]:
        """What is ticked, with its name."""
        chosen = sorted(self._model.chosen, key=lambda one: (one.kind, one.source_id))
        return [(one, self._known[one].name if one in self._known else one.source_id) for one in chosen]

    def show_sources(self, sources: Iterable[NamedSource]) -> None:
        """Offer these."""
        known = {one.source: one for one in sources}
        if known != self._known:
            row = self._list.currentIndex().row()
            current = self._model.shown[row].source if row >= 0 else None
            self._known = known
            self._model.show_sources(tuple(known.values()))
            # Whoever is in the list stays on the line where a device comes in meanwhile.
            at = next((at for at, one in enumerate(self._model.shown) if one.source == current), None)
            if at is not None:
                self._list.setCurrentIndex(self._model.index(at))
            self._say()

    def choose(self, sources: Iterable[Source]) -> None:
        """Tick these and no others, and forget what was searched for."""
        self._model.chosen = set(sources)
        self._search.clear()
        self._model.arrange()
        self._say()
        self.changed.emit()

    def _on_search_left(self) -> None:
        self._list.setFocus(Qt.FocusReason.OtherFocusReason)
        if not self._list.currentIndex().isValid() and self._model.rowCount():
            self._list.setCurrentIndex(self._model.index(0))

    def _on_toggled(self, row: int) -> None:
        self._model.toggle(row)
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        names = names_of(self._model.chosen, self._known)
        self._said.setText(f"{len(names)} chosen: {summed_up(names)}" if names else "None chosen yet.")

    def minimumSizeHint(self) -> QSize:
        """Return room for the field and three lines."""
        sizes = look().sizes
        return QSize(sizes.body * 14, sizes.control + sizes.row * 3 + sizes.body * 2)
