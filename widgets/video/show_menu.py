"""What is drawn on the pictures: a menu that stays open while the operator ticks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QMenu, QWidget, QWidgetAction

from core.vision.model import PERSON, VEHICLE_LABELS
from widgets.video.overlay import Shown

_PARTS = (
    ("boxes", "Boxes  B", "Boxes around vehicles (B)", True),
    ("ids", "Numbers  I", "Numbers of tracks (I)", True),
    ("zones", "Zones  Z", "Zones, lanes, lines and counts (Z)", True),
    ("trails", "Trails  R", "Where vehicles came from, over five seconds (R)", False),
    ("telemetry", "Telemetry  D", "What a drone said when the picture was taken (D)", True),
)


class ShowMenu(QMenu):
    """Ticks for the parts of the overlay, for each class, and for the alarm pop-up.

    Signals:
        changed(): Another choice; see `shown`.
        popups_switched(bool): Whether alarms bring their camera.
    """

    changed = Signal()
    popups_switched = Signal(bool)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._parts: dict[str, QCheckBox] = {}
        for key, text, tip, is_on in _PARTS:
            self._parts[key] = self._tick(text, tip, is_on)
            self._parts[key].toggled.connect(self.changed)
        self.addSeparator()
        self._classes: dict[str, QCheckBox] = {}
        for label in (*VEHICLE_LABELS, PERSON):
            self._classes[label] = self._tick(label.capitalize(), f"Boxes around every {label}", is_on=True)
            self._classes[label].toggled.connect(self.changed)
        self.addSeparator()
        self._popups = self._tick("Alarm pop-up", "Alarms bring their camera onto the wall", is_on=True)
        self._popups.toggled.connect(self.popups_switched)

    def _tick(self, text: str, tip: str, is_on: bool) -> QCheckBox:
        tick = QCheckBox(text, self)
        tick.setChecked(is_on)
        tick.setToolTip(tip)
        tick.setAccessibleName(tip)
        action = QWidgetAction(self)
        action.setDefaultWidget(tick)
        self.addAction(action)
        return tick

    @property
    def shown(self) -> Shown:
        """What the operator wants to see."""
        is_on = {key: tick.isChecked() for key, tick in self._parts.items()}
        return Shown(
            boxes=is_on["boxes"],
            ids=is_on["ids"],
            zones=is_on["zones"],
            trails=is_on["trails"],
            telemetry=is_on["telemetry"],
            hidden_labels=frozenset(label for label, tick in self._classes.items() if not tick.isChecked()),
        )

    @property
    def has_popups(self) -> bool:
        """Whether alarms bring their camera."""
        return self._popups.isChecked()

    def toggle(self, key: str) -> None:
        """Switch one part, as by its key."""
        self._parts[key].toggle()

    def restore(self, state: Mapping[str, object]) -> None:
        """Take over what a saved state says; what it does not say is as at first."""
        for key, _, _, is_on in _PARTS:
            self._parts[key].setChecked(bool(state.get(key, is_on)))
        hidden = state.get("hidden_labels")
        self.hide_labels(hidden if isinstance(hidden, list | tuple) else ())
        self._popups.setChecked(bool(state.get("popups", True)))

    def hide_labels(self, labels: Iterable[object]) -> None:
        """Untick exactly these classes."""
        hidden = set(labels)
        for label, tick in self._classes.items():
            tick.setChecked(label not in hidden)
