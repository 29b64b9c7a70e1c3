"""The bays of one lot: how each stands, since when, and whose word it is; some of them are chosen to be corrected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from core.kernel.clock import Clock, SystemClock
from core.parking.model import Bay, BayState, BayStatus, Lot
from widgets.base.theme import look
from widgets.base.times import format_age, format_instant
from widgets.lots.words import KINDS, source_text, state_text

COLUMNS = ("Bay", "State", "Since", "Word of", "Kind", "Where")
_STATE, _SINCE, _SOURCE, _KIND = 1, 2, 3, 4
_WIDTHS_EM = (4.5, 8.0, 6.0, 9.5, 6.5)
_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class BayFilter(Enum):
    """Which bays are listed."""

    ALL = "All bays"
    FREE = "Free"
    OCCUPIED = "Occupied"
    UNKNOWN = "Unknown or stale"
    CLOSED = "Closed"
    CORRECTED = "Corrected"


@dataclass(frozen=True, slots=True)
class _Line:
    bay: Bay
    where: str


class BayTable(QTableView):
    """The table.

    Signals:
        chosen_changed(): Other bays are chosen.
        correction_wanted(): Enter was pressed on what is chosen.
    """

    chosen_changed = Signal()
    correction_wanted = Signal()

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bays = _Bays(clock or SystemClock(), self)
        self.setModel(self._bays)
        self.setAccessibleName("Bays")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self._fit()
        self.selectionModel().selectionChanged.connect(lambda _new, _old: self.chosen_changed.emit())
        self._ages = QTimer(self)
        self._ages.setInterval(1000)
        self._ages.timeout.connect(self._bays.refresh_ages)
        self._ages.start()

    def show_lot(self, lot: Lot | None, statuses: Mapping[str, BayStatus], names: Mapping[str, str]) -> None:
        """List a lot's bays; the same lot again keeps what is chosen."""
        chosen = self.chosen
        self._bays.show_lot(lot, statuses, names)
        self.choose(chosen)

    def filter(self, wanted: BayFilter, query: str, zone: str) -> None:
        """List only some bays."""
        chosen = self.chosen
        self._bays.filter(wanted, query, zone)
        self.choose(chosen)

    def update_bays(self, statuses: Iterable[BayStatus]) -> None:
        """Show bays that stand otherwise."""
        chosen = self.chosen
        if self._bays.update_bays(statuses):
            self.choose(chosen)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Ids of the chosen bays, in the table's order."""
        return tuple(self._bays.bay_id(index.row()) for index in self.selectionModel().selectedRows())

    @property
    def bay_ids(self) -> tuple[str, ...]:
        """Ids of the listed bays."""
        return tuple(self._bays.bay_id(row) for row in range(self._bays.rowCount()))

    def choose(self, bay_ids: Iterable[str]) -> None:
        """Choose bays; those that are not listed stay out."""
        wanted = set(bay_ids)
        if wanted == set(self.chosen):
            return
        model = self.selectionModel()
        model.blockSignals(True)
        model.clear()
        for row, bay_id in enumerate(self.bay_ids):
            if bay_id in wanted:
                index = self._bays.index(row, 0)
                if not model.hasSelection():
                    model.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
                    self.scrollTo(index)
                flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
                model.select(index, flags)
        model.blockSignals(False)
        self.viewport().update()
        self.chosen_changed.emit()

    def keyPressEvent(self, event: Any) -> None:
        """Go on to the correction with Enter."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.chosen:
            self.correction_wanted.emit()
            return
        super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        """Return room for the columns and a dozen bays."""
        return QSize(look().sizes.body * 40, look().sizes.body * 22)

    def minimumSizeHint(self) -> QSize:
        """Return room for some bays."""
        return QSize(look().sizes.body * 18, look().sizes.body * 8)

    def _fit(self) -> None:
        body = look().sizes.body
        for column, ems in enumerate(_WIDTHS_EM):
            self.setColumnWidth(column, round(ems * body))
        self.verticalHeader().setDefaultSectionSize(round(body * 1.8))


class _Bays(QAbstractTableModel):
    def __init__(self, clock: Clock, parent: QWidget) -> None:
        super().__init__(parent)
        self._clock = clock
        self._lot_id = ""
        self._all: tuple[_Line, ...] = ()
        self._shown: list[_Line] = []
        self._rows: dict[str, int] = {}
        self._statuses: dict[str, BayStatus] = {}
        self._names: Mapping[str, str] = {}
        self._filter, self._query, self._zone = BayFilter.ALL, "", ""

    def show_lot(self, lot: Lot | None, statuses: Mapping[str, BayStatus], names: Mapping[str, str]) -> None:
        levels = {level.number: level.name for level in lot.levels} if lot is not None else {}
        has_levels = len(levels) > 1
        self._lot_id = lot.lot_id if lot is not None else ""
        self._all = tuple(_Line(bay, _where(bay, levels, has_levels)) for bay in lot.bays) if lot is not None else ()
        self._statuses, self._names = dict(statuses), names
        self._list()

    def filter(self, wanted: BayFilter, query: str, zone: str) -> None:
        self._filter, self._query, self._zone = wanted, query.casefold(), zone
        self._list()

    def update_bays(self, statuses: Iterable[BayStatus]) -> bool:
        """Take newer states; returns whether other bays are listed now."""
        changed: list[int] = []
        for status in statuses:
            if status.lot_id != self._lot_id:
                continue
            self._statuses[status.bay_id] = status
            if status.bay_id in self._rows:
                changed.append(self._rows[status.bay_id])
        if self._filter is not BayFilter.ALL and [line.bay for line in self._wanted()] != [b.bay for b in self._shown]:
            self._list()
            return True
        if changed:
            self.dataChanged.emit(self.index(min(changed), 0), self.index(max(changed), len(COLUMNS) - 1))
        return False

    def refresh_ages(self) -> None:
        if self._shown:
            self.dataChanged.emit(self.index(0, _SINCE), self.index(len(self._shown) - 1, _SINCE))

    def bay_id(self, row: int) -> str:
        return self._shown[row].bay.bay_id

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return COLUMNS[section] if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._shown):
            return None
        line = self._shown[index.row()]
        status = self._statuses.get(line.bay.bay_id)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._text(line, status, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(status)
        if role == Qt.ItemDataRole.ForegroundRole and (status is None or not status.is_known):
            return look().color("quality") if index.column() == _STATE else None
        return None

    def _text(self, line: _Line, status: BayStatus | None, column: int) -> str:
        if column == 0:
            return line.bay.label or line.bay.bay_id
        if column >= _KIND:
            return KINDS[line.bay.kind] if column == _KIND else line.where
        if status is None:
            return "--"
        if column == _STATE:
            return state_text(status)
        if column == _SINCE:
            return self._age(status.since) if status.source else "--"
        text = source_text(status.source, self._names)
        return f"{text}: {status.reason}" if status.reason else text

    def _tip(self, status: BayStatus | None) -> str:
        if status is None or not status.source:
            return "No camera and no sensor has said anything of this bay yet."
        since, at = format_instant(status.since), format_instant(status.at)
        said = f"Since {since}, confirmed {at}, {status.confidence:.0%} sure."
        if status.seen is not None:
            said += f" Cameras and sensors say: {status.seen.value}."
        return said

    def _age(self, at: datetime) -> str:
        return format_age((self._clock.now() - at).total_seconds())

    def _list(self) -> None:
        wanted = self._wanted()
        if wanted == self._shown:
            if wanted:
                self.dataChanged.emit(self.index(0, 0), self.index(len(wanted) - 1, len(COLUMNS) - 1))
            return
        self.beginResetModel()
        self._shown = wanted
        self._rows = {line.bay.bay_id: row for row, line in enumerate(wanted)}
        self.endResetModel()

    def _wanted(self) -> list[_Line]:
        return [line for line in self._all if self._is_wanted(line)]

    def _is_wanted(self, line: _Line) -> bool:
        bay, status = line.bay, self._statuses.get(line.bay.bay_id)
        if self._zone and bay.zone != self._zone:
            return False
        text = f"{bay.label} {bay.bay_id} {line.where} {KINDS[bay.kind]}".casefold()
        if not all(word in text for word in self._query.split()):
            return False
        if self._filter is BayFilter.ALL:
            return True
        if self._filter is BayFilter.CORRECTED:
            return status is not None and bool(status.reason)
        is_doubtful = status is None or status.is_stale or status.state is BayState.UNKNOWN
        if self._filter is BayFilter.UNKNOWN or status is None or is_doubtful:
            return self._filter is BayFilter.UNKNOWN and is_doubtful
        return status.state.name == self._filter.name


def _where(bay: Bay, levels: Mapping[int, str], has_levels: bool) -> str:
    level = levels.get(bay.level, f"Level {bay.level}") if has_levels else ""
    return ", ".join(part for part in (level, bay.zone) if part) or "--"
