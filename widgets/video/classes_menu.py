"""Which classes of vehicles are boxed: a menu that stays open while the operator ticks."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QMenu, QWidget, QWidgetAction

from core.vision.model import VEHICLE_LABELS

OTHERS = ("person",)


class ClassesMenu(QMenu):
    """One tick for each class.

    Signals:
        changed(): Another choice; see `hidden`.
    """

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._ticks: dict[str, QCheckBox] = {}
        for label in (*VEHICLE_LABELS, *OTHERS):
            tick = QCheckBox(label.capitalize(), self)
            tick.setChecked(True)
            tick.setAccessibleName(f"Boxes around every {label}")
            tick.toggled.connect(self.changed)
            action = QWidgetAction(self)
            action.setDefaultWidget(tick)
            self.addAction(action)
            self._ticks[label] = tick

    @property
    def hidden(self) -> frozenset[str]:
        """Classes that are not boxed."""
        return frozenset(label for label, tick in self._ticks.items() if not tick.isChecked())

    def hide_labels(self, labels: Iterable[str]) -> None:
        """Untick exactly these."""
        hidden = set(labels)
        for label, tick in self._ticks.items():
            tick.setChecked(label not in hidden)
