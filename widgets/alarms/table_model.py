"""The rows of the alarm list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QFont

from core.incidents.model import Alarm, Priority, Quality
from core.kernel.clock import Clock
from widgets.alarms.order import (
    QUALITY_WORDS,
    STATE_WORDS,
    AlarmFilter,
    Place,
    Tab,
    arranged,
    arranged_by_group,
    calling_counts,
    hold_text,
    remark,
    tab_counts,
)
from widgets.base.symbols import PRIORITY_WORDS
from widgets.base.theme import look
from widgets.base.times import format_age, format_instant, format_raised

ALARM_ROLE = int(Qt.ItemDataRole.UserRole) + 1
PLACE_ROLE = ALARM_ROLE + 1
"""`Place` of an alarm in its group, while there is a flood."""

ANSWER_EXPECTED_S = 5.0
MOST_RUNS = 8
"""New alarms that stand in more places than these come with a change of layout."""

Index = QModelIndex | QPersistentModelIndex


class Column(IntEnum):
    """Columns from the left."""

    PRIORITY = 0
    RAISED = 1
    AGE = 2
    SOURCE = 3
    TITLE = 4
    STATE = 5
    REPEATS = 6
    PERSON = 7
    COMMENT = 8


HEADINGS = {
    Column.PRIORITY: "Prio",
    Column.RAISED: "Raised",
    Column.AGE: "Age",
    Column.SOURCE: "Source",
    Column.TITLE: "Alarm",
    Column.STATE: "State",
    Column.REPEATS: "Rep.",
    Column.PERSON: "Acknowledged by",
    Column.COMMENT: "Remark",
}
_RIGHT = {Column.AGE, Column.REPEATS}

# For each cell that is painted a view asks for seven roles: what costs nothing here is a third of the list's paint.
_COLUMNS = tuple(Column)
_ALIGNMENTS = {
    column: int(
        (Qt.AlignmentFlag.AlignRight if column in _RIGHT else Qt.AlignmentFlag.AlignLeft)
        | Qt.AlignmentFlag.AlignVCenter
    )
    for column in Column
}
_DISPLAY_ROLE = int(Qt.ItemDataRole.DisplayRole)
_FONT_ROLE = int(Qt.ItemDataRole.FontRole)
_FOREGROUND_ROLE = int(Qt.ItemDataRole.ForegroundRole)
_ALIGNMENT_ROLE = int(Qt.ItemDataRole.TextAlignmentRole)
_TIP_ROLE = int(Qt.ItemDataRole.ToolTipRole)
_SPOKEN_ROLE = int(Qt.ItemDataRole.AccessibleTextRole)
_ROLES = frozenset(
    {
        *(_DISPLAY_ROLE, _FONT_ROLE, _FOREGROUND_ROLE, _ALIGNMENT_ROLE, _TIP_ROLE, _SPOKEN_ROLE),
        *(ALARM_ROLE, PLACE_ROLE),
    }
)


class AlarmTableModel(QAbstractTableModel):
    """Open alarms, filtered and in the order of urgency; whoever holds an index keeps the same alarm when rows move."""

    def __init__(self, clock: Clock, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clock = clock
        self._alarms: dict[str, Alarm] = {}
        self._rows: list[Alarm] = []
        self._row_of: dict[str, int] = {}
        self._history: dict[str, Alarm] = {}
        self._filter = AlarmFilter()
        self._site_of: Callable[[Alarm], str] | None = None
        self._has_remarks_in_title = False
        self._places: dict[str, Place] = {}
        self._sent: dict[str, tuple[int, float]] = {}

    # -- contents

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Every open alarm, shown or not."""
        return tuple(self._alarms.values())

    @property
    def filter(self) -> AlarmFilter:
        """What is shown."""
        return self._filter

    def counts(self) -> dict[Priority, int]:
        """Count what calls, by priority, whatever the filter hides."""
        return calling_counts(self._alarms.values())

    def replace(self, alarms: Iterable[Alarm]) -> None:
        """Take over the whole list."""
        self._alarms = {alarm.alarm_id: alarm for alarm in alarms if alarm.is_open}
        self._forget_answered()
        self._arrange()

    def apply(self, changed: Iterable[Alarm], removed: Iterable[str] = ()) -> None:
        """Take over changes; an alarm that is no longer open leaves, an older version is not let in."""
        for alarm in changed:
            known = self._alarms.get(alarm.alarm_id)
            if known is not None and known.version > alarm.version:
                continue
            if alarm.is_open:
                self._alarms[alarm.alarm_id] = alarm
            else:
                self._alarms.pop(alarm.alarm_id, None)
        for alarm_id in removed:
            self._alarms.pop(alarm_id, None)
        self._forget_answered()
        self._arrange()

    def show_history(self, alarms: Iterable[Alarm]) -> None:
        """Take over what the tab of the history holds."""
        self._history = {alarm.alarm_id: alarm for alarm in alarms}
        self._arrange()

    def tab_counts(self) -> dict[Tab, int]:
        """Count the alarms of each tab, whatever the filter hides."""
        return tab_counts(self._alarms.values()) | {Tab.HISTORY: len(self._history)}

    def set_filter(self, wanted: AlarmFilter) -> None:
        """Show something else."""
        if wanted != self._filter:
            self._filter = wanted
            self._arrange()

    def put_remarks_in_title(self, is_wanted: bool) -> None:
        """Write what is odd about an alarm beside its title, where its own column has no room."""
        if is_wanted is not self._has_remarks_in_title:
            self._has_remarks_in_title = is_wanted
            self.dataChanged.emit(self.index(0, Column.TITLE), self.index(len(self._rows) - 1, Column.TITLE))

    def group_by(self, site_of: Callable[[Alarm], str] | None) -> None:
        """Stand together by site and kind, as in a flood; None goes back to the order of urgency."""
        if site_of is not self._site_of:
            self._site_of = site_of
            self._arrange()

    def alarm_at(self, row: int) -> Alarm | None:
        """Return the alarm of a row."""
        return self._rows[row] if 0 <= row < len(self._rows) else None

    def row_of(self, alarm_id: str) -> int | None:
        """Return the row of an alarm; None where the filter hides it."""
        return self._row_of.get(alarm_id)

    def alarm(self, alarm_id: str) -> Alarm | None:
        """Return an alarm, shown or not."""
        return self._alarms.get(alarm_id) or self._history.get(alarm_id)

    # -- acknowledges on their way

    def mark_sent(self, alarm_id: str) -> None:
        """Show that an acknowledge is on its way, until the row changes."""
        alarm = self._alarms.get(alarm_id)
        if alarm is not None:
            self._sent[alarm_id] = (alarm.version, self._clock.monotonic())
            self._tell(alarm_id)

    def clear_sent(self, alarm_id: str) -> None:
        """Take the mark away, as when the acknowledge was refused."""
        if self._sent.pop(alarm_id, None) is not None:
            self._tell(alarm_id)

    def sent_text(self, alarm_id: str) -> str:
        """Return "sent…" while an answer is on its way, "sent, no answer" after 5 s, else nothing."""
        sent = self._sent.get(alarm_id)
        if sent is None:
            return ""
        return "sent…" if self._clock.monotonic() - sent[1] < ANSWER_EXPECTED_S else "sent, no answer"

    def _forget_answered(self) -> None:
        for alarm_id, (version, _) in tuple(self._sent.items()):
            alarm = self._alarms.get(alarm_id)
            if alarm is None or alarm.version != version:
                del self._sent[alarm_id]

    def _tell(self, alarm_id: str) -> None:
        row = self._row_of.get(alarm_id)
        if row is not None:
            self.dataChanged.emit(self.index(row, 0), self.index(row, len(Column) - 1))

    def _in_order(self) -> list[Alarm]:
        if self._filter.tab is Tab.HISTORY:
            self._places = {}
            # What is open stands there as it is now.
            return arranged([self._alarms.get(key, kept) for key, kept in self._history.items()], self._filter)
        if self._site_of is None:
            self._places = {}
            return arranged(self._alarms.values(), self._filter)
        found = arranged_by_group(self._alarms.values(), self._filter, self._site_of)
        self._places = {alarm.alarm_id: place for alarm, place in found}
        return [alarm for alarm, _ in found]

    def _arrange(self) -> None:
        places = self._places
        rows = self._in_order()
        is_same_order = len(rows) == len(self._rows) and all(
            new.alarm_id == old.alarm_id for new, old in zip(rows, self._rows, strict=True)
        )
        if is_same_order:
            changed = [row for row, (new, old) in enumerate(zip(rows, self._rows, strict=True)) if new is not old]
            self._rows = rows
            if changed:
                self.dataChanged.emit(self.index(changed[0], 0), self.index(changed[-1], len(Column) - 1))
            return
        new = self._runs_of_new(rows)
        if 0 < len(new) <= MOST_RUNS:
            self._insert(rows, new, places)
            return
        self.layoutAboutToBeChanged.emit()
        held = self.persistentIndexList()
        held_ids = [self._rows[index.row()].alarm_id for index in held]
        self._rows = rows
        self._row_of = {alarm.alarm_id: row for row, alarm in enumerate(rows)}
        moved = []
        for index, alarm_id in zip(held, held_ids, strict=True):
            row = self._row_of.get(alarm_id)
            moved.append(self.index(row, index.column()) if row is not None else QModelIndex())
        self.changePersistentIndexList(held, moved)
        self.layoutChanged.emit()

    def _runs_of_new(self, rows: list[Alarm]) -> list[tuple[int, int]]:
        """Return the first and last row of each run of new alarms; none where that is not all that is otherwise."""
        known = self._row_of
        if [alarm.alarm_id for alarm in rows if alarm.alarm_id in known] != [one.alarm_id for one in self._rows]:
            return []
        runs: list[tuple[int, int]] = []
        for row, alarm in enumerate(rows):
            if alarm.alarm_id in known:
                continue
            if runs and runs[-1][1] == row - 1:
                runs[-1] = (runs[-1][0], row)
            else:
                runs.append((row, row))
        return runs

    def _insert(self, rows: list[Alarm], runs: list[tuple[int, int]], places_before: dict[str, Place]) -> None:
        """Let new rows in, from the top; after a change of layout the view would paint all rows a second time."""
        for first, last in runs:
            self.beginInsertRows(QModelIndex(), first, last)
            self._rows = [*self._rows[:first], *rows[first : last + 1], *self._rows[first:]]
            self.endInsertRows()
        known, kept = self._row_of, self._rows
        self._rows = rows
        self._row_of = {alarm.alarm_id: row for row, alarm in enumerate(rows)}
        changed = [
            row
            for row, (alarm, old) in enumerate(zip(rows, kept, strict=True))
            if alarm is not old
            or (
                alarm.alarm_id in known
                and _is_told_apart(places_before.get(alarm.alarm_id), self._places.get(alarm.alarm_id))
            )
        ]
        if changed:
            self.dataChanged.emit(self.index(changed[0], 0), self.index(changed[-1], len(Column) - 1))

    # -- Qt

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Return the number of alarms that are shown."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Return the number of columns."""
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the heading of a column."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADINGS[Column(section)]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _ALIGNMENTS[Column(section)]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return text, alignment, weight and the alarm itself."""
        if role not in _ROLES:
            return None
        alarm = self.alarm_at(index.row()) if index.isValid() else None
        if alarm is None:
            return None
        if role == ALARM_ROLE:
            return alarm
        column = _COLUMNS[index.column()]
        if role == _ALIGNMENT_ROLE:
            return _ALIGNMENTS[column]
        if role == _FONT_ROLE:
            is_strong = alarm.is_calling and column in (Column.SOURCE, Column.TITLE)
            return look().font(weight=QFont.Weight.DemiBold) if is_strong else None
        if role == _FOREGROUND_ROLE:
            return look().color("text" if alarm.is_calling else "text_secondary")
        if role == _DISPLAY_ROLE:
            return self._text(alarm, column)
        if role == PLACE_ROLE:
            return self._places.get(alarm.alarm_id)
        if role == _TIP_ROLE:
            return self._tip(alarm, column)
        return self._spoken(alarm, column)

    def _text(self, alarm: Alarm, column: Column) -> str:
        now = self._clock.now()
        if column is Column.PRIORITY:
            return str(int(alarm.priority))
        if column is Column.RAISED:
            return format_raised(alarm.raised_at, now)
        if column is Column.AGE:
            return age_text(alarm, now)
        if column is Column.SOURCE:
            return alarm.source_name
        if column is Column.TITLE:
            title = grouped_title(alarm, self._places.get(alarm.alarm_id))
            odd = remark(alarm) if self._has_remarks_in_title else ""
            return f"{odd} · {title.strip()}" if odd else title
        if column is Column.STATE:
            return self.sent_text(alarm.alarm_id) or alarm.state.value
        if column is Column.REPEATS:
            return f"×{alarm.n_repeats}" if alarm.n_repeats else ""  # noqa: RUF001
        if column is Column.PERSON:
            return f"{alarm.acknowledged_by} · {alarm.acknowledged_desk}".strip(" ·")
        return " · ".join(part for part in (hold_text(alarm, now), remark(alarm), alarm.comment) if part)

    def _tip(self, alarm: Alarm, column: Column) -> str | None:
        if column is Column.STATE:
            held = hold_text(alarm, self._clock.now())
            return f"{STATE_WORDS[alarm.state]} ({held})" if held else STATE_WORDS[alarm.state]
        if column in (Column.RAISED, Column.AGE):
            return format_instant(alarm.raised_at)
        if column in (Column.TITLE, Column.COMMENT, Column.SOURCE):
            return self._text(alarm, column)
        return None

    def _spoken(self, alarm: Alarm, column: Column) -> str:
        if column is Column.PRIORITY:
            quality = f", {QUALITY_WORDS[alarm.quality]}" if alarm.quality is not Quality.GOOD else ""
            return f"Priority {int(alarm.priority)}, {PRIORITY_WORDS[alarm.priority].lower()}{quality}"
        if column is Column.STATE:
            return self.sent_text(alarm.alarm_id) or STATE_WORDS[alarm.state]
        return f"{HEADINGS[column]} {self._text(alarm, column)}"


def grouped_title(alarm: Alarm, place: Place | None) -> str:
    """Write the title; in a flood the first of a group says of how many, and the others stand further in."""
    if place is None or place.of == 1:
        return alarm.title
    return f"First of {place.of}:  {alarm.title}" if place.number == 1 else f"      {alarm.title}"


def _is_told_apart(before: Place | None, now: Place | None) -> bool:
    """Whether a title is written otherwise in another place of a group."""
    if before is None or now is None:
        return before is not now
    return before != now and 1 in (before.number, now.number, before.of, now.of)


def age_text(alarm: Alarm, now: datetime) -> str:
    """Write how long ago an alarm was raised, in whole seconds."""
    return format_age(max(0.0, float(int((now - alarm.raised_at).total_seconds())))).replace(".0 s", " s")
