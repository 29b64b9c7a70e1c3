"""Selecting an alarm arranges the room around it; one key puts everything back."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer

from app.main_window import MainWindow
from app.room import Room
from core.cameras.watching import Watchers
from core.incidents.model import Alarm
from core.incidents.rules.book import RuleBook

SETTLE_MS = 120
"""Stepping through the list with a held key arranges nothing in between."""

PANELS = ("wall", "map")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """What belongs to an alarm.

    Attributes:
        camera_ids: The one that its rule links, then those that see it, the nearest first; empty where none does.
    """

    alarm: Alarm
    camera_ids: tuple[str, ...]


def cameras_of(room: Room, alarm: Alarm) -> tuple[str, ...]:
    """Return the cameras of an alarm: the one that its rule links first, then those that see it, the nearest first."""
    rules = room.live.rules
    rule = None if rules is None else RuleBook(rules).rule_of_alarm(alarm)
    linked = "" if rule is None else rule.guidance.camera
    return Watchers(room.live.cameras.values()).around(alarm, linked)


class Arranger(QObject):
    """Shows cameras, place and panels of the alarm that is selected, and remembers what was there before."""

    def __init__(self, room: Room, window: MainWindow) -> None:
        super().__init__(window)
        self._room = room
        self._window = window
        self._alarm: Alarm | None = None
        self._fronts: tuple[str, ...] | None = None
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(SETTLE_MS)
        self._settling.timeout.connect(self._arrange)
        room.alarm_chosen.connect(self._on_chosen)
        room.put_back_requested.connect(self.put_back)
        room.closing.connect(self._settling.stop)

    @property
    def is_arranged(self) -> bool:
        """Whether the room stands around an alarm."""
        return self._fronts is not None

    def put_back(self) -> None:
        """Show wall, map and panels as they were before the first alarm was selected."""
        self._settling.stop()
        fronts, self._fronts = self._fronts, None
        if fronts is None:
            return
        self._room.put_back.emit()
        if not self._window.has_whole_panel:
            self._window.bring_panels(fronts)

    def _on_chosen(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._settling.start()

    def _would_hide_keys(self, key: str) -> bool:
        """Tell whether the operator went on meanwhile to what stands behind the same tabs."""
        working = self._window.panel_with_keys
        return working != key and working in self._window.stack_of(key)

    def _arrange(self) -> None:
        alarm = self._alarm
        if alarm is None:
            return
        camera_ids = cameras_of(self._room, alarm)
        if self._room.console.arrange_for_alarms:
            if self._fronts is None:
                self._fronts = self._window.fronts()
            self._room.arranged.emit(Arrangement(alarm=alarm, camera_ids=camera_ids))
            if not self._window.has_whole_panel:
                self._window.bring_panels(key for key in PANELS if not self._would_hide_keys(key))
        elif camera_ids:
            self._room.camera_called.emit(camera_ids[0], True)
        self._room.select("alarm", alarm.alarm_id)
