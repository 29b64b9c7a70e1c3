"""The queue as a table, and the words in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from core.incidents.model import kind_words
from core.incidents.review import Outcome, PrecisionReport, ReviewItem, RulePrecision
from widgets.base.table import Line
from widgets.base.theme import look
from widgets.base.times import format_instant, format_raised

_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()

TIME, RULE, CAMERA, CONFIDENCE, OUTCOME = range(5)
_TITLES = ("Time", "Rule", "Camera", "Sure", "Outcome")
OUTCOME_WORDS = {Outcome.TRUE: "true", Outcome.FALSE: "false", Outcome.DUPLICATE: "duplicate"}


_MARKS = {Outcome.TRUE: "✓", Outcome.FALSE: "✗", Outcome.DUPLICATE: "="}


def describe_item(item: ReviewItem) -> str:
    """Say in a line what an incident is: for lists to choose from."""
    at = format_raised(item.incident.began_at, datetime.now(UTC))
    return f"{at}  {item.incident.title}, {item.incident.source_name}"


class ReviewTable(QAbstractTableModel):
    """Incidents, newest first; grows by pages."""

    def __init__(self) -> None:
        super().__init__()
        self._items: list[ReviewItem] = []
        self._rows: dict[str, int] = {}

    @property
    def items(self) -> tuple[ReviewItem, ...]:
        """What stands in the table."""
        return tuple(self._items)

    def item(self, row: int) -> ReviewItem | None:
        """Return the incident of a row."""
        return self._items[row] if 0 <= row < len(self._items) else None

    def row_of(self, incident_id: str) -> int:
        """Return the row of an incident; -1 where it is not in the table."""
        return self._rows.get(incident_id, -1)

    def show_items(self, items: Iterable[ReviewItem]) -> None:
        """Begin anew with these."""
        self.beginResetModel()
        self._items = list(items)
        self._number()
        self.endResetModel()

    def append_items(self, items: Iterable[ReviewItem]) -> None:
        """Add older ones below."""
        fresh = [item for item in items if item.incident.incident_id not in self._rows]
        if fresh:
            first = len(self._items)
            self.beginInsertRows(_NOWHERE, first, first + len(fresh) - 1)
            self._items.extend(fresh)
            self._number()
            self.endInsertRows()

    def is_older_than(self, items: Iterable[ReviewItem]) -> bool:
        """Whether all of these are newer than everything in the table."""
        newest = self._items[0].incident.incident_id if self._items else ""
        return all(item.incident.incident_id > newest for item in items)

    def keep_newest(self, n_rows: int) -> bool:
        """Take away what is below so many rows; returns whether there was anything."""
        if len(self._items) <= n_rows:
            return False
        self.beginRemoveRows(_NOWHERE, n_rows, len(self._items) - 1)
        del self._items[n_rows:]
        self._number()
        self.endRemoveRows()
        return True

    def merge_items(self, items: Iterable[ReviewItem]) -> None:
        """Take in the newest ones: what is new to the table, where it belongs, and what became of the others."""
        items = list(items)
        self.update_items(items)
        for item in items:
            incident_id = item.incident.incident_id
            if incident_id in self._rows:
                continue
            older = (row for row, known in enumerate(self._items) if known.incident.incident_id < incident_id)
            row = next(older, len(self._items))
            self.beginInsertRows(_NOWHERE, row, row)
            self._items.insert(row, item)
            self._number()
            self.endInsertRows()

    def update_items(self, items: Iterable[ReviewItem]) -> list[int]:
        """Show what became of these; the newest version counts. Returns the rows that changed."""
        changed = []
        for item in items:
            row = self.row_of(item.incident.incident_id)
            if row >= 0 and _is_newer(item, self._items[row]):
                self._items[row] = item
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(_TITLES) - 1))
                changed.append(row)
        return changed

    def _number(self) -> None:
        self._rows = {item.incident.incident_id: row for row, item in enumerate(self._items)}

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        """Return the number of incidents."""
        return 0 if parent.isValid() else len(self._items)

    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        """Return the number of columns."""
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a column's title."""
        is_title = orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole
        return _TITLES[section] if is_title else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        item = self._items[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return _cell(item, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join((item.incident.title, item.incident.source_name, format_instant(item.incident.began_at)))
        if role == Qt.ItemDataRole.ForegroundRole and item.outcome is not None:
            return look().color("text_disabled")
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == CONFIDENCE:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None


def _is_newer(item: ReviewItem, known: ReviewItem) -> bool:
    # The incident's first: each rule's answer counts its own versions, and a later picture leaves them as they are.
    return (item.incident.version, item.version) > (known.incident.version, known.version)


def _cell(item: ReviewItem, column: int) -> str:
    incident = item.incident
    if column == TIME:
        return format_raised(incident.began_at, datetime.now(UTC))
    if column == RULE:
        mark = f"{_MARKS[item.outcome]} " if item.outcome is not None else ""
        return mark + kind_words(incident.kind)
    if column == CAMERA:
        return incident.source_name
    if column == CONFIDENCE:
        return f"{item.confidence:.0%}"
    return OUTCOME_WORDS[item.outcome] if item.outcome is not None else "waiting"


def precision_lines(report: PrecisionReport, kind: str) -> tuple[Line, ...]:
    """Return the lines of the measures: every rule, or one rule on each camera and by confidence."""
    if not kind:
        return tuple(_rule_line(rule, kind_words(rule.kind)) for rule in report.rules if not rule.source_id)
    of_kind = [rule for rule in report.rules if rule.kind == kind]
    lines = [_rule_line(rule, rule.source_name if rule.source_id else "All cameras") for rule in of_kind]
    for one in report.bins:
        n = one.n_true + one.n_false
        if one.kind == kind and n:
            name = f"Sure {one.low:.0%} to {one.high:.0%}"
            cells = (name, f"{one.n_true / n:.0%}", "", f"{one.n_true} of {n}", "")
            lines.append(Line(key=f"bin/{one.low}", cells=cells, tip="How often it was right when it was so sure."))
    return tuple(lines)


def _rule_line(rule: RulePrecision, name: str) -> Line:
    n = rule.n_true + rule.n_false
    right = "--" if rule.precision is None else f"{rule.precision:.0%}"
    interval = f"{rule.low:.0%} to {rule.high:.0%}" if n else "--"
    return Line(
        key=f"{rule.kind}/{rule.source_id}",
        cells=(name, right, interval, f"{rule.n_true} of {n}", str(rule.n_waiting)),
        tip=f"{rule.n_true} true, {rule.n_false} false, {rule.n_duplicate} duplicates, {rule.n_waiting} waiting.",
    )
