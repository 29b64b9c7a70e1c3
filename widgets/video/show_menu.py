"""What is drawn on the pictures: a menu that stays open while the operator ticks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtGui import QAction
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
_USUAL = (*VEHICLE_LABELS, PERSON)
"""Classes that have a tick as long as nobody knows what the cameras look for."""


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
        self._hidden: set[str] = set()
        self._below_classes = self.addSeparator()
        self.offer_classes(())
        self._popups = self._tick("Alarm pop-up", "Alarms bring their camera onto the wall", is_on=True)
        self._popups.toggled.connect(self.popups_switched)

    def _tick(self, text: str, tip: str, is_on: bool, before: QAction | None = None) -> QCheckBox:
        tick = QCheckBox(text, self)
        tick.setChecked(is_on)
        tick.setToolTip(tip)
        tick.setAccessibleName(tip)
        action = QWidgetAction(self)
        action.setDefaultWidget(tick)
        if before is None:
            self.addAction(action)
        else:
            self.insertAction(before, action)
        return tick

    def offer_classes(self, labels: Iterable[str]) -> None:
        """Have a tick for each of these classes, the usual ones first; for the usual ones where there is none.

        What was unticked stays hidden, also while it has no tick.
        """
        wanted = set(labels) or set(_USUAL)
        ordered = (*(label for label in _USUAL if label in wanted), *sorted(wanted.difference(_USUAL)))
        if ordered == tuple(self._classes):
            return
        for action in self.actions():
            if isinstance(action, QWidgetAction) and action.defaultWidget() in self._classes.values():
                self.removeAction(action)
                action.deleteLater()
        self._classes = {label: self._class_tick(label) for label in ordered}

    def _class_tick(self, label: str) -> QCheckBox:
        text, tip = label[:1].upper() + label[1:], f"Boxes around every {label}"
        tick = self._tick(text, tip, label not in self._hidden, self._below_classes)
        tick.toggled.connect(lambda is_on: self._on_class(label, is_on))
        return tick

    def _on_class(self, label: str, is_on: bool) -> None:
        if is_on:
            self._hidden.discard(label)
        else:
            self._hidden.add(label)
        self.changed.emit()

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
            hidden_labels=frozenset(self._hidden),
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
        hidden = {str(label) for label in labels}
        if hidden == self._hidden:
            return
        self._hidden = hidden
        for label, tick in self._classes.items():
            with QSignalBlocker(tick):
                tick.setChecked(label not in hidden)
        self.changed.emit()
