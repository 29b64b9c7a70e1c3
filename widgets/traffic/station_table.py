"""Stations: what every measuring post says now, and how it came to that in the last ten minutes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, QPersistentModelIndex, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QIcon, QKeyEvent, QPainter, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.field.model import Device, Reading
from core.kernel.clock import Clock, SystemClock
from widgets.base.conditions import UNTRUSTED, Condition, condition_icon, device_condition
from widgets.base.sparkline import History, paint_sparkline
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.theme import look
from widgets.base.times import format_age
from widgets.traffic.figures import SPEED, STATION_FIGURES, UNKNOWN, Figure, newest

WINDOW_S = 600.0
_COLUMNS = ("Station", "km/h", "veh/min", "occ. %", "Age", "10 min")
_TIPS = (
    "Measuring post",
    *(f"{figure.title} [{figure.unit}]" for figure in STATION_FIGURES),
    "Time since the newest message",
    "Speed over the last 10 minutes, from zero up",
)
_AGE = 1 + len(STATION_FIGURES)
_LINE = _AGE + 1
_LEAST_EM = {_AGE: 36.0, 3: 30.0, 2: 24.0}
"""A column is left out where the table is narrower than this many times the text size, the least important first."""

_HISTORY_ROLE = Qt.ItemDataRole.UserRole + 1

_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class StationTable(QWidget):
    """All stations with their newest figures.

    Signals:
        station_selected(str): Device id.
        goto_requested(str): Device id: double click or Enter.
    """

    station_selected = Signal(str)
    goto_requested = Signal(str)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._model = _StationModel(self._clock)
        self._view = QTableView(self)
        self._build()
        self._overlay = StateOverlay(self._view.viewport())
        self._ageing = QTimer(self)
        self._ageing.setInterval(1000)
        self._ageing.timeout.connect(self._model.refresh_ages)
        self._refresh_overlay()

    @property
    def view(self) -> QTableView:
        """The table, for focus."""
        return self._view

    def cell(self, device_id: str, column: str) -> str:
        """Return what the operator reads in a cell, by the column's title."""
        row = self._model.row_of(device_id)
        return "" if row < 0 else str(self._model.index(row, _COLUMNS.index(column)).data())

    def show_devices(self, devices: tuple[Device, ...]) -> None:
        """Show the stations among these devices."""
        self._model.show_stations(tuple(device for device in devices if device.kind == "station"))
        self._refresh_overlay()

    def update_devices(self, devices: Iterable[Device]) -> None:
        """Bring the stations among these devices up to date."""
        self._model.update_stations([device for device in devices if device.kind == "station"])

    def update_readings(self, readings: Iterable[Reading]) -> None:
        """Take some newer values."""
        self._model.update_readings(readings)

    def show_readings(self, readings: Mapping[Any, Reading]) -> None:
        """Show the newest values of all streams, and remember them for ten minutes; the keys do not matter."""
        self._model.show_readings(readings)

    def select(self, device_id: str) -> None:
        """Select a station without saying so."""
        row = self._model.row_of(device_id)
        selection = self._view.selectionModel()
        selection.blockSignals(True)
        self._view.setCurrentIndex(self._model.index(row, 0) if row >= 0 else QModelIndex())
        selection.blockSignals(False)
        self._view.viewport().update()

    def _build(self) -> None:
        view = self._view
        view.setModel(self._model)
        view.setItemDelegateForColumn(_LINE, _LineDelegate(self._clock, view))
        view.setAccessibleName("Traffic stations")
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setTabKeyNavigation(False)
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(max(26, round(look().sizes.body * 2)))
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setMinimumSectionSize(look().sizes.body * 2)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.selectionModel().currentRowChanged.connect(self._on_current)
        view.doubleClicked.connect(lambda index: self.goto_requested.emit(self._model.id_at(index)))
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(view)

    def _fit_columns(self) -> None:
        """Leave out what does not fit; a name needs the most, and the line gets a share of what is left."""
        body, width = look().sizes.body, self.width()
        header = self._view.horizontalHeader()
        header.ensurePolished()
        least = {_AGE: body * 4.5, _LINE: max(body * 4.5, width * 0.16)}
        for column in range(1, len(_COLUMNS)):
            self._view.setColumnHidden(column, width < body * _LEAST_EM.get(column, 0.0))
            self._view.setColumnWidth(column, round(max(header.sectionSizeHint(column), least.get(column, body * 3.5))))

    def _refresh_overlay(self) -> None:
        if self._model.rowCount():
            self._overlay.clear()
        else:
            self._overlay.show_state(
                PanelState.EMPTY,
                "No station has spoken yet.",
                "Stations appear with their first message.",
            )

    def _on_current(self, index: QModelIndex) -> None:
        if index.isValid():
            self.station_selected.emit(self._model.id_at(index))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter goes to the selected station."""
        index = self._view.currentIndex()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and index.isValid():
            self.goto_requested.emit(self._model.id_at(index))
            return
        super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme."""
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_ageing"):
            self._model.refresh_look()
            self._view.verticalHeader().setDefaultSectionSize(max(26, round(look().sizes.body * 2)))
            self._fit_columns()
        super().changeEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave out columns that do not fit."""
        super().resizeEvent(event)
        self._fit_columns()

    def showEvent(self, event: QShowEvent) -> None:
        """Tell ages only while someone can read them."""
        super().showEvent(event)
        self._ageing.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop telling ages."""
        super().hideEvent(event)
        self._ageing.stop()


class _StationModel(QAbstractTableModel):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._stations: list[Device] = []
        self._rows: dict[str, int] = {}
        self._readings: dict[str, dict[str, Reading]] = {}
        self._histories: dict[str, History] = {}
        self._icons: dict[Condition, QIcon] = {}
        self.refresh_look()

    def refresh_look(self) -> None:
        self._icons = {condition: condition_icon(condition, look().sizes.icon) for condition in Condition}

    def show_stations(self, stations: tuple[Device, ...]) -> None:
        ordered = sorted(stations, key=lambda station: (station.name.lower(), station.device_id))
        if [one.device_id for one in ordered] != list(self._rows):
            self.beginResetModel()
            self._stations, self._rows = ordered, {one.device_id: row for row, one in enumerate(ordered)}
            self.endResetModel()
            return
        self._stations = ordered
        self._touch(0, _LINE)

    def update_stations(self, stations: Iterable[Device]) -> None:
        rows = [(self._rows.get(station.device_id), station) for station in stations]
        if any(row is None or self._stations[row].name != station.name for row, station in rows):
            fresh = {station.device_id: station for _, station in rows}
            self.show_stations(tuple(({one.device_id: one for one in self._stations} | fresh).values()))
            return
        for row, station in rows:
            if row is not None:
                self._stations[row] = station
        self._touch(0, _LINE)

    def show_readings(self, readings: Mapping[Any, Reading]) -> None:
        self._readings = {}
        self.update_readings(readings.values())

    def update_readings(self, readings: Iterable[Reading]) -> None:
        for reading in readings:
            self._readings.setdefault(reading.device_id, {})[reading.stream] = reading
            speed = SPEED.value(reading)
            if speed is not None:
                history = self._histories.setdefault(reading.device_id, History(WINDOW_S))
                history.add(reading.at.timestamp(), speed)
        self._touch(1, _LINE)

    def refresh_ages(self) -> None:
        self._touch(_AGE, _LINE)

    def row_of(self, device_id: str) -> int:
        return self._rows.get(device_id, -1)

    def id_at(self, index: _Index) -> str:
        return self._stations[index.row()].device_id

    def _touch(self, first: int, last: int) -> None:
        if self._stations:
            self.dataChanged.emit(self.index(0, first), self.index(len(self._stations) - 1, last))

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._stations)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return _TIPS[section]
        return _alignment(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        station, column = self._stations[index.row()], index.column()
        condition = device_condition(station)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(station, column)
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            return self._icons[condition]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.ForegroundRole and column and condition is not Condition.OK:
            return look().color("text_disabled")
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(station, condition)
        if role == _HISTORY_ROLE:
            return self._histories.get(station.device_id)
        return None

    def _text(self, station: Device, column: int) -> str:
        if column == 0:
            return station.name
        if column == _AGE:
            at = newest(self._readings.get(station.device_id, {}).values(), lambda reading: reading.at)
            return UNKNOWN if at is None else format_age((self._clock.now() - at).total_seconds())
        if column == _LINE:
            return ""
        figure: Figure = STATION_FIGURES[column - 1]
        return figure.number(newest(self._readings.get(station.device_id, {}).values(), figure.value))

    def _tip(self, station: Device, condition: Condition) -> str:
        """Say everything, with units: a narrow table leaves columns out."""
        readings = self._readings.get(station.device_id, {}).values()
        lines = [station.name]
        lines += [f"{figure.title}: {figure.text(newest(readings, figure.value))}" for figure in STATION_FIGURES]
        lines.append(f"Age: {self._text(station, _AGE)}")
        if condition in UNTRUSTED:
            lines.append(f"{station.name} is {condition.value}: these are its last values.")
        return "\n".join(lines)


class _LineDelegate(QStyledItemDelegate):
    """Paints the last ten minutes. Painted by hand: a plot widget in each row would cost a window each."""

    def __init__(self, clock: Clock, parent: QWidget) -> None:
        super().__init__(parent)
        self._clock = clock

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Paint the cell, then the line."""
        super().paint(painter, option, index)
        history = index.data(_HISTORY_ROLE)
        if history is None:
            return
        room = QRectF(option.rect).adjusted(8, 5, -10, -5)
        paint_sparkline(painter, room, history.samples, self._clock.now().timestamp(), WINDOW_S, look())


def _alignment(column: int) -> Qt.AlignmentFlag:
    is_figure = 0 < column < _LINE
    return (Qt.AlignmentFlag.AlignRight if is_figure else Qt.AlignmentFlag.AlignLeft) | Qt.AlignmentFlag.AlignVCenter
