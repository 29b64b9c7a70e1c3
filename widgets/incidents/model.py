"""The incidents as a table: open work first, the most urgent and oldest on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap

from core.incidents.model import Incident, IncidentStatus, Priority
from core.incidents.work import DISPOSITION_WORDS, STATUS_WORDS, Disposition, TimerState, Unit, timers_of
from widgets.base.symbols import PRIORITY_WORDS, paint_priority
from widgets.base.theme import look
from widgets.base.times import format_age, format_clock, format_instant
from widgets.incidents.timers import telling_timer, timer_brief, timer_icon, timer_short

_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()

TITLE, STATUS, TIMER, ASSIGNED, AGE = range(5)
_TITLES = ("Incident", "Status", "Timer", "Assigned to", "Age")


class Shown(StrEnum):
    """Which incidents the list has."""

    OPEN = "open"
    """Taken up by somebody, or with an open alarm, and not closed."""

    UNTOUCHED = "untouched"
    """Nobody took it up and its alarm is over: only a record so far."""

    CLOSED = "closed"
    ALL = "all"


SHOWN_WORDS = {
    Shown.OPEN: "Open",
    Shown.UNTOUCHED: "Not taken up",
    Shown.CLOSED: "Closed",
    Shown.ALL: "All",
}


def is_shown(incident: Incident, shown: Shown, calling: frozenset[str]) -> bool:
    """Tell whether an incident belongs into the list.

    Args:
        incident: Which one.
        shown: What the operator wants to see.
        calling: Ids of the incidents that have an open alarm.
    """
    if shown is Shown.ALL:
        return True
    if incident.is_closed:
        return shown is Shown.CLOSED
    is_open = bool(incident.taken_up_by) or incident.incident_id in calling
    return is_open if shown is Shown.OPEN else shown is Shown.UNTOUCHED and not is_open


def order_of(incident: Incident) -> tuple[bool, bool, int, float]:
    """Return what the list is sorted by: open before resolved before closed, then urgency, then age."""
    opened = (incident.opened_at or incident.began_at).timestamp()
    if incident.is_closed:
        return True, True, 0, -(incident.closed_at or incident.began_at).timestamp()
    return False, incident.status is IncidentStatus.RESOLVED, int(incident.priority), opened


def status_words(incident: Incident) -> str:
    """Say where the work stands, and what became of it."""
    if incident.is_closed and incident.disposition:
        return f"Closed: {DISPOSITION_WORDS[Disposition(incident.disposition)].lower()}"
    return STATUS_WORDS[incident.status]


def assigned_words(incident: Incident, units: Mapping[str, Unit]) -> str:
    """Say who it is assigned to."""
    unit = units.get(incident.unit_id)
    call_sign = unit.call_sign if unit is not None else "a unit that was removed" if incident.unit_id else ""
    return ", ".join(part for part in (call_sign, incident.operator) if part)


def describe_incident(incident: Incident) -> str:
    """Say in a line what an incident is: for lists to choose from."""
    return f"{format_clock(incident.began_at)}  {incident.title}, {incident.source_name}"


class IncidentTable(QAbstractTableModel):
    """The rows that are shown; a selection stays with its incident."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Incident] = []
        self._units: Mapping[str, Unit] = {}
        self._now: datetime | None = None
        self._is_brief = False
        self._symbols: dict[tuple[Priority, bool], QIcon] = {}

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """What stands in the table."""
        return tuple(self._rows)

    def incident(self, row: int) -> Incident | None:
        """Return the incident of a row."""
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def row_of(self, incident_id: str) -> int:
        """Return the row of an incident; -1 where it is not in the table."""
        return next((row for row, one in enumerate(self._rows) if one.incident_id == incident_id), -1)

    def show_incidents(self, incidents: Iterable[Incident], units: Mapping[str, Unit], now: datetime) -> bool:
        """Show these; returns whether rows came, went or moved, so that the selection must be set again."""
        rows = sorted(incidents, key=order_of)
        self._units, self._now = units, now
        if [one.incident_id for one in rows] == [one.incident_id for one in self._rows]:
            self._rows = rows
            self._changed(TITLE, AGE)
            return False
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()
        return True

    def show_time(self, now: datetime) -> None:
        """Let timers and ages go on."""
        self._now = now
        self._changed(TIMER, AGE)

    def set_brief(self, is_brief: bool) -> None:
        """Leave the names of timers out: there is no room."""
        if is_brief is not self._is_brief:
            self._is_brief = is_brief
            self._changed(TIMER, TIMER)

    def refresh_look(self) -> None:
        """Take another theme."""
        self._symbols.clear()
        self._changed(TITLE, AGE)

    def _changed(self, first: int, last: int) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0, first), self.index(len(self._rows) - 1, last))

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        """Return the number of incidents."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a column's title."""
        is_title = orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole
        return _TITLES[section] if is_title else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        incident = self._rows[index.row()]
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(incident, column)
        if role == Qt.ItemDataRole.DecorationRole:
            return self._icon(incident, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join((incident.title, incident.source_name, format_instant(incident.began_at)))
        if role == Qt.ItemDataRole.AccessibleTextRole and column == TITLE:
            return f"Priority {int(incident.priority)}, {PRIORITY_WORDS[incident.priority].lower()}, {incident.title}"
        if role == Qt.ItemDataRole.ForegroundRole and incident.is_closed:
            return look().color("text_disabled")
        if role == Qt.ItemDataRole.TextAlignmentRole and column == AGE:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def _cell(self, incident: Incident, column: int) -> str:
        if column == TITLE:
            return f"{incident.title}  ·  {incident.source_name}"
        if column == STATUS:
            return status_words(incident)
        if column == ASSIGNED:
            return assigned_words(incident, self._units)
        if self._now is None:
            return ""
        if column == AGE:
            return format_age((self._now - (incident.opened_at or incident.began_at)).total_seconds())
        timer = telling_timer(timers_of(incident, self._now))
        if timer is None or incident.is_closed:
            return ""
        return timer_brief(timer) if self._is_brief else timer_short(timer)

    def _icon(self, incident: Incident, column: int) -> QIcon | None:
        if column == TITLE:
            return self._symbol(incident.priority, is_hollow=bool(incident.taken_up_by) or incident.is_closed)
        if column == TIMER and self._now is not None and not incident.is_closed:
            timer = telling_timer(timers_of(incident, self._now))
            return None if timer is None else timer_icon(timer)
        return None

    def _symbol(self, priority: Priority, *, is_hollow: bool) -> QIcon:
        known = self._symbols.get((priority, is_hollow))
        if known is not None:
            return known
        side = round(look().sizes.body * 1.1)
        pixmap = QPixmap(side * 2, side * 2)
        pixmap.setDevicePixelRatio(2.0)
        pixmap.fill(Qt.GlobalColor.transparent)
        with QPainter(pixmap) as painter:
            paint_priority(painter, QRectF(0, 0, side, side), priority, look(), is_hollow=is_hollow)
        icon = QIcon(pixmap)
        self._symbols[priority, is_hollow] = icon
        return icon


def n_late(incidents: Iterable[Incident], now: datetime) -> int:
    """Return how many open incidents are past a limit."""
    return sum(
        any(timer.state is TimerState.LATE for timer in timers_of(incident, now))
        for incident in incidents
        if not incident.is_closed
    )
