"""A field for a date or a time of day in which a click is enough to type another hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from PySide6.QtCore import QDate, QDateTime, QEvent, QObject, Qt, QTime, QTimeZone
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDateTimeEdit, QWidget

from core.kernel.zone import from_site, to_site
from widgets.base.times import format_clock_minute

_STEPS = {
    QDateTimeEdit.Section.HourSection: timedelta(hours=1),
    QDateTimeEdit.Section.MinuteSection: timedelta(minutes=1),
}
_GOES = frozenset({Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Left, Qt.Key.Key_Right})


class MomentEdit(QDateTimeEdit):
    """Year, day, hour or minute is selected as a whole wherever one comes to it: what is typed takes its place.

    Without that a click sets a cursor between digits, and what is typed is refused, because there is no room for it.

    It shows the clock on the wall of the site. Qt sees that as a time in UTC, which leaves no hour out and has none
    twice; in its own zone it would change what the site's wall shows and this machine's does not.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lineEdit().installEventFilter(self)
        self.setTimeZone(QTimeZone.utc())
        self._set_at: datetime | None = None

    @property
    def moment(self) -> datetime:
        """The instant that is shown, UTC; of an hour that the wall shows twice the first, unless the other was set."""
        wall = self._wall
        if self._set_at is not None and _wall_of(self._set_at) == wall:
            return self._set_at
        return from_site(wall)

    @property
    def note(self) -> str:
        """Which instant is meant, where the wall does not say it; else nothing."""
        wall, said = f"{self._wall:%H:%M}", format_clock_minute(self.moment)
        if said == wall:
            return ""
        if said.startswith(wall):
            return f"{wall} comes twice that night: {said} is meant, Up and Down lead to the other."
        return f"{wall} does not come that night: {said} is meant."

    def set_moment(self, at: datetime) -> None:
        """Show an aware instant."""
        self._set_at = at.astimezone(UTC).replace(microsecond=0)
        wall = _wall_of(self._set_at)
        day, time = QDate(wall.year, wall.month, wall.day), QTime(wall.hour, wall.minute, wall.second)
        self.setDateTime(QDateTime(day, time, QTimeZone.utc()))

    def stepBy(self, steps: int) -> None:
        """Step hours and minutes as they go by, also where the wall leaves an hour out or shows it twice."""
        section = self.currentSection()
        if self._set_at is None or section not in _STEPS:
            super().stepBy(steps)
            return
        at = self.moment + steps * _STEPS[section]
        is_same_wall = _wall_of(at) == _wall_of(self.moment)
        self.set_moment(at)
        self.setSelectedSection(section)
        if is_same_wall:
            # Qt tells only what it sees change.
            self.dateTimeChanged.emit(self.dateTime())

    @property
    def _wall(self) -> datetime:
        shown = self.dateTime()
        day, time = shown.date(), shown.time()
        return datetime(day.year(), day.month(), day.day(), time.hour(), time.minute(), time.second())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Select what was clicked."""
        done = super().eventFilter(watched, event)
        if event.type() == QEvent.Type.MouseButtonRelease and not self.lineEdit().hasSelectedText():
            self.setSelectedSection(self.currentSection())
            return True
        return done

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Select what the keys came to."""
        super().keyPressEvent(event)
        if event.key() in _GOES and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self.setSelectedSection(self.currentSection())


def _wall_of(at: datetime) -> datetime:
    return to_site(at).replace(tzinfo=None, fold=0)
