"""A plain table of texts with a state symbol in front; for figures, not for lists one works in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    Qt,
)
from PySide6.QtGui import QFocusEvent, QIcon, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from widgets.base.conditions import UNTRUSTED, Condition, condition_icon
from widgets.base.theme import look

_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column; figures stand to the right.

    Attributes:
        rank: Where there is no room, the columns of the highest rank go first; the tip has them. 0 stays.
    """

    title: str
    is_figure: bool = False
    rank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table.

    Attributes:
        key: Stable; a selection stays with it.
        cells: One text for each column.
        tip: Shown over the whole line.
    """

    key: str
    cells: tuple[str, ...]
    condition: Condition | None = None
    tip: str = ""


class TextTable(QTableView):
    """The table; the first column is stretched, and columns that do not fit are left out: no sideways scrolling."""

    def __init__(self, name: str, columns: Sequence[Column], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns = tuple(columns)
        self._lengths: tuple[int, ...] | None = None
        self._fitted_to = 0
        self._lines = _Lines(self._columns)
        self.setModel(self._lines)
        self.setAccessibleName(name)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(look().sizes.body * 3)
        self._fit_rows()

    @property
    def lines(self) -> tuple[Line, ...]:
        """What the operator reads."""
        return self._lines.lines

    @property
    def current_key(self) -> str:
        """Key of the current line; empty where there is none."""
        index = self.currentIndex()
        return self._lines.lines[index.row()].key if index.isValid() else ""

    def select_key(self, key: str) -> bool:
        """Make the line with this key the current one; False where it is not there."""
        row = next((row for row, line in enumerate(self._lines.lines) if line.key == key), None)
        if row is not None:
            self.setCurrentIndex(self._lines.index(row, 0))
        return row is not None

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines; the current one stays current wherever it stands now."""
        current = self.current_key
        self._lines.show_lines(tuple(lines))
        if current != self.current_key:
            self.select_key(current)
        # Measuring asks for every cell: not several times a second, only for texts of other lengths.
        lengths = tuple(max(map(len, cells)) for cells in zip(*(line.cells for line in lines), strict=True))
        if lengths != self._lengths:
            self._lengths = lengths
            self._fit_columns()

    def set_fitting(self, max_lines: int) -> None:
        """Be as high as the lines that are there, up to `max_lines`."""
        self._fitted_to = max_lines
        shown = max(1, min(max_lines, len(self._lines.lines)))
        row = self.verticalHeader().defaultSectionSize()
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + shown * row + 2 * self.frameWidth() + 2)

    def _fit_rows(self) -> None:
        self.verticalHeader().setDefaultSectionSize(max(24, round(look().sizes.body * 1.7)))

    def _fit_columns(self) -> None:
        """Show as many columns as fit, in the order of their rank."""
        header = self.horizontalHeader()
        room = self.viewport().width()
        shown = set(range(len(self._columns)))
        for column in shown:
            # A hidden one has no width to ask for.
            self.setColumnHidden(column, False)

        def needed(column: int) -> int:
            return max(header.sectionSizeHint(column), self.sizeHintForColumn(column))

        widths = {column: needed(column) for column in shown}
        for column in sorted(shown, key=lambda column: (-self._columns[column].rank, -column)):
            if self._columns[column].rank == 0 or sum(widths[one] for one in shown) <= room:
                break
            shown.discard(column)
        for column in range(len(self._columns)):
            self.setColumnHidden(column, column not in shown)
            if column:
                self.setColumnWidth(column, widths[column])

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_lines"):
            self._lines.refresh_look()
            self._fit_rows()
            self._fit_columns()
            if self._fitted_to:
                self.set_fitting(self._fitted_to)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show which line the keys mean: Qt makes one current and does not say so."""
        super().focusInEvent(event)
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        if self.currentIndex().isValid():
            self.selectionModel().select(self.currentIndex(), flags)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show what fits."""
        super().resizeEvent(event)
        self._fit_columns()

    def minimumSizeHint(self) -> QSize:
        """Return room for the head and two lines."""
        return QSize(look().sizes.body * 12, look().sizes.body * 5)


class _Lines(QAbstractTableModel):
    def __init__(self, columns: tuple[Column, ...]) -> None:
        super().__init__()
        self._columns = columns
        self._icons: dict[Condition, QIcon] = {}
        self.lines: tuple[Line, ...] = ()
        self.refresh_look()

    def refresh_look(self) -> None:
        self._icons = {condition: condition_icon(condition, look().sizes.icon) for condition in Condition}

    def show_lines(self, lines: tuple[Line, ...]) -> None:
        before = self.lines
        if [line.key for line in before] != [line.key for line in lines]:
            self.beginResetModel()
            self.lines = lines
            self.endResetModel()
            return
        self.lines = lines
        for row, (old, new) in enumerate(zip(before, lines, strict=True)):
            if old != new:
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(self._columns) - 1))

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.lines)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._columns[section].title
        return self._alignment(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        line = self.lines[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return line.cells[index.column()]
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0 and line.condition is not None:
            return self._icons[line.condition]
        if role == Qt.ItemDataRole.ToolTipRole:
            named = (f"{column.title}: {cell}" for column, cell in zip(self._columns, line.cells, strict=True))
            return "\n".join(part for part in (line.tip, *named) if part)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._alignment(index.column())
        if role == Qt.ItemDataRole.ForegroundRole and index.column() and line.condition in UNTRUSTED:
            return look().color("text_disabled")
        return None

    def _alignment(self, column: int) -> Qt.AlignmentFlag:
        side = Qt.AlignmentFlag.AlignRight if self._columns[column].is_figure else Qt.AlignmentFlag.AlignLeft
        return side | Qt.AlignmentFlag.AlignVCenter
