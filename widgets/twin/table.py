"""The same bays as a table: for those who cannot use three dimensions, and where there is no OpenGL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QBrush, QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.parking.model import Bay, BayKind, BayState, BayStatus, Lot
from widgets.base.focus import order_focus
from widgets.base.search import SearchField
from widgets.base.theme import look, set_role
from widgets.base.times import format_age, format_raised
from widgets.lots.words import source_text
from widgets.twin.scene import BayKey
from widgets.twin.words import KIND_WORDS, STATE_WORDS, bay_name, state_words

_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
COLUMNS = ("Bay", "State", "Since", "Confirmed", "Kind", "Zone", "Level", "Lot", "Source", "Confidence")
STATE, CONFIRMED = 1, 3
SORT_ROLE = Qt.ItemDataRole.UserRole
STALE = "stale"


@dataclass(frozen=True, slots=True)
class _Row:
    lot: Lot
    bay: Bay
    level: str

    @property
    def key(self) -> BayKey:
        return (self.lot.lot_id, self.bay.bay_id)


class BayTable(QWidget):
    """The table with its filters.

    Signals:
        bay_picked(str, str): Lot and bay of the row that the operator went to.
        bay_activated(str, str): The operator wants to see it.
    """

    bay_picked = Signal(str, str)
    bay_activated = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Bays as a table")
        self._rows = _Rows()
        self._kept = _Kept(self._rows)
        self.search = SearchField("Bay, zone or lot", self)
        self.state_choice = QComboBox()
        self.state_choice.setAccessibleName("State")
        self.state_choice.addItem("Every state", None)
        for state in BayState:
            self.state_choice.addItem(STATE_WORDS[state], state.value)
        self.state_choice.addItem("Stale", STALE)
        self.kind_choice = QComboBox()
        self.kind_choice.setAccessibleName("Kind")
        self.kind_choice.addItem("Every kind", None)
        for kind in BayKind:
            self.kind_choice.addItem(KIND_WORDS[kind], kind)
        self.said = QLabel()
        set_role(self.said, "secondary")
        self.view = QTableView()
        self._dress_view()
        gap = look().sizes.gap
        row = QHBoxLayout()
        row.setContentsMargins(gap * 2, gap, gap * 2, gap)
        row.setSpacing(gap * 2)
        row.addWidget(self.search, 2)
        row.addWidget(self.state_choice)
        row.addWidget(self.kind_choice)
        row.addWidget(self.said)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.view, 1)
        self.search.query_changed.connect(self._on_filter)
        self.search.left.connect(self.view.setFocus)
        self.state_choice.currentIndexChanged.connect(self._on_filter)
        self.kind_choice.currentIndexChanged.connect(self._on_filter)
        self.view.selectionModel().currentRowChanged.connect(self._on_row)
        self.view.activated.connect(self._on_activated)
        order_focus(self)

    @property
    def n_shown(self) -> int:
        """How many bays pass the filters."""
        return self._kept.rowCount()

    def texts_of(self, key: BayKey) -> dict[str, str]:
        """Return what the operator reads of a bay; empty where it is filtered out."""
        row = self._row_of(key)
        if row < 0:
            return {}
        return {title: self._kept.index(row, column).data() or "" for column, title in enumerate(COLUMNS)}

    def show_lots(self, lots: Sequence[Lot]) -> None:
        """List the bays of these lots."""
        self._rows.show_lots(lots)
        self._say()

    def show_statuses(self, statuses: Mapping[BayKey, BayStatus]) -> None:
        """Show how all bays stand."""
        self._rows.show_statuses(statuses)
        self._on_filter()

    def update_statuses(self, statuses: Iterable[BayStatus]) -> None:
        """Show newer states of some."""
        self._rows.update_statuses(statuses)
        if self.state_choice.currentData() is not None:
            self._on_filter()

    def show_shares(self, words: Mapping[BayKey, str]) -> None:
        """Show what is expected of each bay, instead of states."""
        self._rows.show_words(words)
        self._on_filter()

    def select(self, key: BayKey | None) -> None:
        """Go to a bay, and tell nobody."""
        chosen = self.view.selectionModel()
        chosen.blockSignals(True)
        row = self._row_of(key) if key is not None else -1
        if row < 0:
            self.view.clearSelection()
            self.view.setCurrentIndex(QModelIndex())
        else:
            index = self._kept.index(row, 0)
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            chosen.setCurrentIndex(index, flags)
            self.view.scrollTo(index)
        chosen.blockSignals(False)
        self.view.viewport().update()

    def set_names(self, names: Mapping[str, str]) -> None:
        """Call cameras and devices by their names, by id."""
        self._rows.names = names
        self._rows.refresh_ages()

    def refresh_ages(self) -> None:
        """Tell the ages as of now."""
        self._rows.refresh_ages()

    def _row_of(self, key: BayKey) -> int:
        row = self._rows.row_of(key)
        return self._kept.mapFromSource(self._rows.index(row, 0)).row() if row is not None else -1

    def _dress_view(self) -> None:
        view = self.view
        view.setModel(self._kept)
        view.setAccessibleName("Bays")
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setTabKeyNavigation(False)
        view.setSortingEnabled(True)
        view.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(max(24, round(look().sizes.body * 1.7)))
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        for column, em in enumerate((6.0, 9.0, 7.0, 7.0, 7.5, 4.5, 6.0, 8.0, 10.0, 7.0)):
            view.setColumnWidth(column, round(look().sizes.body * em))

    def _on_filter(self) -> None:
        self._kept.keep(self.search.text().strip(), self.state_choice.currentData(), self.kind_choice.currentData())
        self._say()

    def _say(self) -> None:
        shown, n = self._kept.rowCount(), self._rows.rowCount()
        self.said.setText(f"{n} bays" if shown == n else f"{shown} of {n} bays")

    def _on_row(self, index: QModelIndex) -> None:
        if index.isValid():
            self.bay_picked.emit(*self._rows.key_at(self._kept.mapToSource(index).row()))

    def _on_activated(self, index: QModelIndex) -> None:
        self.bay_activated.emit(*self._rows.key_at(self._kept.mapToSource(index).row()))

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme."""
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "view"):
            self._rows.refresh_look()
            self.view.verticalHeader().setDefaultSectionSize(max(24, round(look().sizes.body * 1.7)))
        super().changeEvent(event)


class _Rows(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self._rows: list[_Row] = []
        self._index: dict[BayKey, int] = {}
        self._statuses: dict[BayKey, BayStatus] = {}
        self._words: Mapping[BayKey, str] | None = None
        self.names: Mapping[str, str] = {}
        """Of cameras and devices, by id."""

        self._icons: dict[str, QIcon] = {}
        self._now = datetime.now(UTC)

    def show_lots(self, lots: Sequence[Lot]) -> None:
        self.beginResetModel()
        self._rows = []
        for lot in lots:
            names = {level.number: level.name for level in lot.levels}
            self._rows += [_Row(lot, bay, names.get(bay.level, str(bay.level))) for bay in lot.bays]
        self._index = {row.key: i for i, row in enumerate(self._rows)}
        self.endResetModel()

    def show_statuses(self, statuses: Mapping[BayKey, BayStatus]) -> None:
        self._statuses, self._words = dict(statuses), None
        self.refresh_ages()

    def update_statuses(self, statuses: Iterable[BayStatus]) -> None:
        self._now = datetime.now(UTC)
        for status in statuses:
            key = (status.lot_id, status.bay_id)
            self._statuses[key] = status
            row = self._index.get(key)
            if row is not None:
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))

    def show_words(self, words: Mapping[BayKey, str]) -> None:
        self._words = words
        self.refresh_ages()

    def refresh_ages(self) -> None:
        self._now = datetime.now(UTC)
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(COLUMNS) - 1))

    def refresh_look(self) -> None:
        self._icons.clear()

    def row_of(self, key: BayKey) -> int | None:
        return self._index.get(key)

    def key_at(self, row: int) -> BayKey:
        return self._rows[row].key

    def passes(self, row: int, query: str, state: str | None, kind: BayKind | None) -> bool:
        one = self._rows[row]
        if kind is not None and one.bay.kind is not kind:
            return False
        if state is not None and self._words is None:
            status = self._statuses.get(one.key)
            is_stale = status is not None and status.is_stale
            now = status.state if status is not None else BayState.UNKNOWN
            if state == STALE:
                if not is_stale:
                    return False
            elif now.value != state or is_stale:
                return False
        if not query:
            return True
        sought = f"{bay_name(one.bay)} {one.bay.bay_id} {one.bay.zone} {one.lot.name}".lower()
        return all(word in sought for word in query.lower().split())

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        status = self._statuses.get(row.key) if self._words is None else None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, status, index.column())
        if role == SORT_ROLE:
            if index.column() == 0:
                return index.row()
            if index.column() == CONFIRMED:
                return status.at.timestamp() if status is not None else 0.0
            return self._text(row, status, index.column())
        if role == Qt.ItemDataRole.DecorationRole and index.column() == STATE and self._words is None:
            return self._icon(status)
        if role == Qt.ItemDataRole.ForegroundRole and (status is None or status.is_stale) and index.column():
            return look().color("text_disabled")
        return None

    def _text(self, row: _Row, status: BayStatus | None, column: int) -> str:
        match COLUMNS[column]:
            case "Bay":
                return bay_name(row.bay)
            case "State":
                return self._words.get(row.key, "--") if self._words is not None else state_words(status)
            case "Kind":
                return KIND_WORDS[row.bay.kind]
            case "Zone":
                return row.bay.zone
            case "Level":
                return row.level
            case "Lot":
                return row.lot.name or row.lot.lot_id
        if status is None:
            return "--"
        match COLUMNS[column]:
            case "Since":
                return format_raised(status.since, self._now)
            case "Confirmed":
                return format_age((self._now - status.at).total_seconds())
            case "Source":
                return source_text(status.source, self.names)
        return f"{status.confidence:.0%}"

    def _icon(self, status: BayStatus | None) -> QIcon:
        state = status.state if status is not None else BayState.UNKNOWN
        is_stale = status is not None and status.is_stale
        name = f"{state.value}/{is_stale}"
        if name not in self._icons:
            self._icons[name] = _state_icon(state, is_stale)
        return self._icons[name]


class _Kept(QSortFilterProxyModel):
    """The rows that pass the filters."""

    def __init__(self, rows: _Rows) -> None:
        super().__init__()
        self._rows = rows
        self._wanted: tuple[str, str | None, BayKind | None] = ("", None, None)
        self.setSourceModel(rows)
        self.setSortRole(SORT_ROLE)
        # States change ten times a second: a list that is sorted anew under the pointer cannot be read.
        self.setDynamicSortFilter(False)

    def keep(self, query: str, state: str | None, kind: BayKind | None) -> None:
        self.beginFilterChange()
        self._wanted = (query, state, kind)
        self.endFilterChange(QSortFilterProxyModel.Direction.Rows)

    def filterAcceptsRow(self, row: int, parent: _Index) -> bool:
        query, state, kind = self._wanted
        return not (query or state or kind) or self._rows.passes(row, query, state, kind)


def _state_icon(state: BayState, is_stale: bool) -> QIcon:
    """Return a bay as the scene draws it: full, empty, hatched, crossed out, or with a dotted outline."""
    size = look().sizes.icon
    pixmap = QPixmap(size * 2, size * 2)
    pixmap.setDevicePixelRatio(2.0)
    pixmap.fill(Qt.GlobalColor.transparent)
    with QPainter(pixmap) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(size * 0.22, 1.5, size * 0.56, size - 3.0)
        quality, text = look().color("quality"), look().color("text_secondary")
        is_doubtful = is_stale or state is BayState.UNKNOWN
        outline = Qt.PenStyle.DotLine if is_stale else Qt.PenStyle.SolidLine
        painter.setPen(QPen(quality if is_doubtful else text, 1.3, outline))
        fill: QBrush | QColor | Qt.BrushStyle = Qt.BrushStyle.NoBrush
        if state is BayState.UNKNOWN:
            fill = QBrush(quality, Qt.BrushStyle.BDiagPattern)
        painter.setBrush(fill)
        painter.drawRect(box)
        if state is BayState.OCCUPIED:
            inner = box.adjusted(2.0, 2.0, -2.0, -2.0)
            painter.fillRect(inner, look().color("text_disabled") if is_stale else look().color("text"))
        if state is BayState.CLOSED:
            painter.drawLine(QPointF(box.left(), box.top()), QPointF(box.right(), box.bottom()))
            painter.drawLine(QPointF(box.left(), box.bottom()), QPointF(box.right(), box.top()))
    return QIcon(pixmap)
