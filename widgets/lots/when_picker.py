"""Choose a day of the coming week and a time of day, by keyboard or mouse."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from PySide6.QtCore import QSignalBlocker, Qt, QTime, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLabel, QWidget

from core.kernel.clock import Clock, SystemClock
from widgets.base.flow import FlowLayout
from widgets.base.moment_edit import MomentEdit
from widgets.base.theme import look, set_role
from widgets.scene.fields import choice_field

STEP_MIN = 15


class QuarterEdit(MomentEdit):
    """A time of day; Up and Down go by quarters of an hour where the minutes are."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setDisplayFormat("HH:mm")
        self.setAccessibleName("Time of day")
        self.setWrapping(True)

    def stepBy(self, steps: int) -> None:
        """Step by an hour or by a quarter."""
        if self.currentSection() == self.Section.MinuteSection:
            self.setTime(self.time().addSecs(60 * STEP_MIN * steps))
            return
        super().stepBy(steps)


class WhenPicker(QWidget):
    """A day and a time.

    Signals:
        when_chosen(object): The instant, aware, UTC.
    """

    when_chosen = Signal(object)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._zone = ZoneInfo("UTC")
        name = QLabel("What will it be on", self)
        set_role(name, "secondary")
        name.setMinimumHeight(look().sizes.control)
        self.day = choice_field("Day", self)
        self.day.setMinimumContentsLength(16)
        self.at = QuarterEdit(self)
        row = FlowLayout(look().sizes.gap * 2, self)
        row.setContentsMargins(0, 0, 0, 0)
        for part in (name, self.day, self.at):
            row.addWidget(part)
        self.day.currentIndexChanged.connect(lambda _row: self._tell())
        self.at.timeChanged.connect(lambda _time: self._tell())
        self.set_zone("UTC")
        local = self._now() + timedelta(hours=1)
        with QSignalBlocker(self.at):
            self.at.setTime(QTime(local.hour, local.minute // STEP_MIN * STEP_MIN))

    @property
    def when(self) -> datetime:
        """The chosen instant, UTC; a time of today that is over means now."""
        day = date.fromordinal(int(self.day.currentData()))
        chosen = self.at.time()
        local = datetime.combine(day, time(chosen.hour(), chosen.minute()), self._zone)
        now = self._clock.now()
        return min(max(local.astimezone(UTC), now), now + timedelta(days=7))

    def set_zone(self, time_zone: str) -> None:
        """Take days and times to be meant in this zone; offer the days from today on."""
        self._zone = ZoneInfo(time_zone)
        today = self._now().date()
        days = [today + timedelta(days=ahead) for ahead in range(8)]
        if self.day.count() == len(days) and self.day.itemData(0) == today.toordinal():
            return
        chosen = self.day.currentIndex()
        with QSignalBlocker(self.day):
            self.day.clear()
            for ahead, day in enumerate(days):
                words = ("Today, ", "Tomorrow, ")[ahead] if ahead < 2 else ""
                self.day.addItem(f"{words}{day:%A %d %b}" if not words else f"{words}{day:%a %d %b}", day.toordinal())
            self.day.setCurrentIndex(max(chosen, 0))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ask anew on Return."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._tell()
            return
        super().keyPressEvent(event)

    def _now(self) -> datetime:
        return self._clock.now().astimezone(self._zone)

    def _tell(self) -> None:
        if self.day.currentData() is not None:
            self.when_chosen.emit(self.when)
