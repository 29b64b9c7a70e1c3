"""The device tree as Qt wants it: branched by kind, site or state, filtered and sorted here; 10,000 rows stay quick."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from PySide6.QtCore import QMimeData, QModelIndex, QPersistentModelIndex, QSignalBlocker, QSize, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QStandardItem, QStandardItemModel

from core.field.kinds.base import OTHER
from core.kernel.clock import Clock
from widgets.base.conditions import UNTRUSTED, Condition, condition_icon
from widgets.base.theme import look
from widgets.base.times import format_age, format_instant
from widgets.devices.rows import CAMERAS, DeviceRow

CAMERA_MIME = "application/x-watchfloor-camera"
"""Drag data of a camera: its id in UTF-8."""

COLUMNS = ("Name", "State", "Last seen", "Value", "Address")
NAME, STATE, SEEN, VALUE, ADDRESS = range(5)

NO_SITE = "No site"
Branch = tuple[int, str]
Key = tuple[str, str]
"""Kind and id of a thing."""

SLICE = 2500
"""Rows that are put into their branches before the loop may turn."""

_KIND_ORDER = {CAMERAS: 0, OTHER.plural: 2}
_Index = QModelIndex | QPersistentModelIndex
_ORDER = {
    Condition.LOST: 0,
    Condition.STALE: 1,
    Condition.WAITING: 2,
    Condition.UNKNOWN: 3,
    Condition.OK: 4,
    Condition.DISABLED: 5,
}


class GroupBy(Enum):
    """What divides the tree into branches."""

    KIND = "By kind"
    SITE = "By site"
    STATE = "By state"

    def branch_of(self, row: DeviceRow) -> Branch:
        """Return what the branch of a row is sorted by, and its name."""
        if self is GroupBy.KIND:
            return _KIND_ORDER.get(row.group, 1), row.group
        if self is GroupBy.SITE:
            return (0, row.site) if row.site else (1, NO_SITE)
        return _ORDER[row.condition], row.state.capitalize()


class StateFilter(Enum):
    """Which rows the status filter leaves."""

    ALL = "All states"
    DOUBTFUL = "Stale or lost"
    WORKING = "Working"
    DISABLED = "Disabled"

    def lets_pass(self, row: DeviceRow) -> bool:
        """Whether a row is shown."""
        if self is StateFilter.ALL:
            return True
        if self is StateFilter.DOUBTFUL:
            return row.condition in UNTRUSTED or row.condition is Condition.UNKNOWN
        if self is StateFilter.DISABLED:
            return row.condition is Condition.DISABLED
        return row.condition in (Condition.OK, Condition.WAITING)


class DeviceTreeModel(QStandardItemModel):
    """Branches with rows.

    Qt keeps how many rows a branch has, and walks over them without asking: a view looks at each of 10,000 rows
    whenever one comes or goes. What stands in a row is answered here. Rows are empty items, branches are real ones.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(0, len(COLUMNS))
        self._clock = clock
        self._by = GroupBy.KIND
        self._groups: list[Branch] = []
        self._rows: dict[Key, DeviceRow] = {}
        self._shown: list[list[Key]] = []
        self._places: dict[Key, tuple[int, int]] = {}
        self._n_all: list[int] = []
        self._arranged: dict[Branch, list[Key]] = {}
        self._is_arranged = False
        self._is_stirred = False
        """Something changed its place since arranging began."""

        self._arranging = object()
        """The newest arranging; an older one that is still on its way gives up."""

        self._query: tuple[str, ...] = ()
        self._filter = StateFilter.ALL
        self._column, self._order = NAME, Qt.SortOrder.AscendingOrder
        self._icons: dict[Condition, QIcon] = {}
        self._bold = QFont()
        self.refresh_look()

    @property
    def n_shown(self) -> int:
        """Rows that the filters leave."""
        return sum(len(rows) for rows in self._shown)

    @property
    def n_all(self) -> int:
        """All rows."""
        return len(self._rows)

    def show_rows(self, rows: Iterable[DeviceRow]) -> None:
        """Replace everything; only changed lines are drawn anew where the same things stay in view."""
        self._rows = {row.key: row for row in rows}
        self.refresh()

    def update_rows(self, rows: Iterable[DeviceRow]) -> bool:
        """Bring rows up to date that are known already, where they stand.

        Returns:
            True where one may belong elsewhere now; `refresh` looks at the order of all.
        """
        sort_key = _sort_key(self._column)
        has_moved = False
        spans: dict[int, tuple[int, int]] = {}
        for row in rows:
            key = row.key
            before = self._rows.get(key)
            if row == before:
                continue
            self._rows[key] = row
            place = self._places.get(key)
            if place is not None:
                number, line = place
                first, last = spans.get(number, place[1:] * 2)
                spans[number] = min(first, line), max(last, line)
            if before is None or self._by.branch_of(row) != self._by.branch_of(before):
                self._stir()
                has_moved = True
            elif (place is not None) != self._is_shown(row) or sort_key(row) != sort_key(before):
                self._stir()
                has_moved = has_moved or place is not None or self._is_shown(row)
        for number, (first, last) in spans.items():
            self.dataChanged.emit(self._at(number, first, NAME), self._at(number, last, ADDRESS))
        return has_moved

    def refresh(self) -> None:
        """Look at the order of all rows, and show it."""
        self.arrange()
        self.show()

    def arrange(self) -> None:
        """Divide and sort everything; `show` puts it there, which takes as long again."""
        for _ in self.arrange_in_turns():
            pass

    def arrange_in_turns(self) -> Iterator[None]:
        """Divide and sort everything, and yield now and then; what changes meanwhile counts the next time."""
        rows = self._rows
        newest = self._arranging = object()
        self._is_stirred = False
        # In the order of the last time, which is nearly right already: that is what makes sorting quick.
        before = [key for keys in self._arranged.values() for key in keys if key in rows]
        found: dict[Branch, list[Key]] = {}
        for number, key in enumerate(dict.fromkeys([*before, *rows]), 1):
            found.setdefault(self._by.branch_of(rows[key]), []).append(key)
            if number % SLICE == 0:
                yield
                if self._arranging is not newest:
                    return
        by = _sort_key(self._column)
        is_down = self._order is Qt.SortOrder.DescendingOrder
        for keys in found.values():
            keys.sort(key=lambda key: by(rows[key]), reverse=is_down)
            yield
            if self._arranging is not newest:
                return
        self._arranged = {branch: found[branch] for branch in sorted(found)}
        self._is_arranged = not self._is_stirred

    def set_query(self, query: str) -> None:
        """Show rows that hold every word of `query`."""
        self._query = tuple(query.lower().split())
        self.show()

    def set_grouping(self, by: GroupBy) -> None:
        """Divide the tree otherwise, from the next `refresh` on."""
        self._by = by
        self._stir()

    def branch_name(self, number: int) -> str:
        """Return the name of a branch."""
        return self._groups[number][1]

    def set_filter(self, state: StateFilter) -> None:
        """Show rows of these states."""
        self._filter = state
        self.show()

    def refresh_ages(self) -> None:
        """Tell the ages as of now."""
        for number, rows in enumerate(self._shown):
            if rows:
                self.dataChanged.emit(self._at(number, 0, SEEN), self._at(number, len(rows) - 1, SEEN))

    def refresh_look(self) -> None:
        """Take the current theme."""
        self._icons = {condition: condition_icon(condition, look().sizes.icon) for condition in Condition}
        self._bold = look().font(weight=QFont.Weight.DemiBold)

    def row_at(self, index: _Index) -> DeviceRow | None:
        """Return the row of an index; None for a branch."""
        branch = index.parent()
        if not branch.isValid():
            return None
        keys = self._shown[branch.row()]
        return self._rows.get(keys[index.row()]) if index.row() < len(keys) else None

    def get(self, key: tuple[str, str]) -> DeviceRow | None:
        """Return a row by kind and id, shown or not."""
        return self._rows.get(key)

    def index_of(self, key: tuple[str, str]) -> QModelIndex:
        """Return where a row stands; an invalid index where it is not shown."""
        place = self._places.get(key)
        return QModelIndex() if place is None else self._at(*place, NAME)

    def _at(self, group: int, row: int, column: int) -> QModelIndex:
        return self.index(row, column, self.index(group, 0))

    def _is_shown(self, row: DeviceRow) -> bool:
        return self._filter.lets_pass(row) and all(word in row.haystack for word in self._query)

    def _set_shown(self, shown: list[list[Key]]) -> None:
        self._shown = shown
        self._places = {key: (number, line) for number, keys in enumerate(shown) for line, key in enumerate(keys)}

    def _stir(self) -> None:
        self._is_arranged, self._is_stirred = False, True

    def show(self) -> None:
        """Show what the filters leave, in its order."""
        if not self._is_arranged:
            self.arrange()
        self.show_arranged()

    def show_arranged(self) -> None:
        """Show what the filters leave, in the order of the last arranging."""
        is_all = not self._query and self._filter is StateFilter.ALL
        groups, n_all, shown = [], [], []
        for branch, keys in self._arranged.items():
            left = keys if is_all else [key for key in keys if self._is_shown(self._rows[key])]
            if left:
                groups.append(branch)
                n_all.append(len(keys))
                shown.append(left)
        has_same_branches = groups == self._groups and n_all == self._n_all
        if has_same_branches and shown == self._shown:
            self._set_shown(shown)
            for number, keys in enumerate(shown):
                self.dataChanged.emit(self._at(number, 0, NAME), self._at(number, len(keys) - 1, ADDRESS))
        elif has_same_branches and self._is_reordered(shown):
            self._reorder(shown)
        else:
            self.beginResetModel()
            self._set_shown(shown)
            self._groups, self._n_all = groups, n_all
            self._count_rows()
            self.endResetModel()

    def _count_rows(self) -> None:
        """Have a branch item for every branch, with its rows. Who listens hears of the reset around it, and no more."""
        with QSignalBlocker(self):
            self.setRowCount(len(self._groups))
            for number, keys in enumerate(self._shown):
                if self.item(number) is None:
                    branch = QStandardItem()
                    branch.setFlags(Qt.ItemFlag.ItemIsEnabled)
                    branch.setColumnCount(len(COLUMNS))
                    self.setItem(number, branch)
                self.item(number).setRowCount(len(keys))

    def _is_reordered(self, shown: list[list[Key]]) -> bool:
        return [len(keys) for keys in shown] == [len(keys) for keys in self._shown] and all(
            set(after) == set(before) for after, before in zip(shown, self._shown, strict=True)
        )

    def _reorder(self, shown: list[list[Key]]) -> None:
        """Put the same rows into another order; the selection stays with its thing."""
        self.layoutAboutToBeChanged.emit()
        old = self.persistentIndexList()
        keys = [row.key if row is not None else None for row in map(self.row_at, old)]
        self._set_shown(shown)
        for index, key in zip(old, keys, strict=True):
            if key is not None:
                to = self.index_of(key)
                self.changePersistentIndex(index, to.siblingAtColumn(index.column()))
        self.layoutChanged.emit()

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the title of a column."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return None

    def supportedDragActions(self) -> Qt.DropAction:
        """Nothing leaves the tree by being dragged."""
        return Qt.DropAction.CopyAction

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid():
            return None
        row = self.row_at(index)
        if role == Qt.ItemDataRole.SizeHintRole and index.column() == NAME:
            return QSize(0, max(24, round(look().sizes.body * 1.7)))
        if row is None:
            return self._group_data(index, role)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, index.column())
        if role == Qt.ItemDataRole.DecorationRole and index.column() == STATE:
            return self._icons[row.condition]
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._ink(row, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            is_time = index.column() == SEEN and row.seen_at is not None
            return format_instant(row.seen_at) if is_time and row.seen_at else self._text(row, index.column())
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == NAME:
            return f"{row.name}, {row.kind}, {row.state}"
        return None

    def mimeTypes(self) -> list[str]:
        """Return what can be dragged out."""
        return [CAMERA_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData | None:  # type: ignore[override]
        """Return the first camera of `indexes`; None, and nothing is dragged, where there is none."""
        for row in map(self.row_at, indexes):
            if row is not None and row.kind == "camera":
                data = QMimeData()
                data.setData(CAMERA_MIME, row.item_id.encode())
                data.setText(row.name)
                return data
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort within the branches."""
        self._column, self._order = max(0, column), order
        self.refresh()

    def _group_data(self, index: _Index, role: int) -> Any:
        if role == Qt.ItemDataRole.FontRole:
            return self._bold
        if role == Qt.ItemDataRole.DisplayRole and index.column() == NAME:
            number = index.row()
            n_shown, n_all = len(self._shown[number]), self._n_all[number]
            count = str(n_all) if n_shown == n_all else f"{n_shown} of {n_all}"
            return f"{self.branch_name(number)}  {count}"
        return None

    def _ink(self, row: DeviceRow, column: int) -> QColor | None:
        if not row.is_enabled or (column == VALUE and row.condition in UNTRUSTED):
            return look().color("text_disabled")
        return look().color("text_secondary") if column in (SEEN, ADDRESS) else None

    def _text(self, row: DeviceRow, column: int) -> str:
        if column == SEEN:
            return "--" if row.seen_at is None else format_age((self._clock.now() - row.seen_at).total_seconds())
        return (row.name, row.state, "", row.value, row.address)[column]


def _sort_key(column: int) -> Callable[[DeviceRow], tuple[Any, ...]]:
    if column == STATE:
        return lambda row: (_ORDER[row.condition], row.state, row.name)
    if column == SEEN:
        return lambda row: (_seconds(row.seen_at), row.name)
    if column == VALUE:
        return lambda row: (row.value, row.name)
    if column == ADDRESS:
        return lambda row: (row.address,)
    return lambda row: (row.name.lower(), row.item_id)


def _seconds(at: datetime | None) -> float:
    """Return something to sort by: the longest silent first, those never heard before them."""
    return 0.0 if at is None else at.timestamp()
