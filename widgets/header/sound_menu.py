"""What a desk hears its alarms from: a test, the outputs there are, speech."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

DEFAULT = "System default"


class SoundMenu(QMenu):
    """Opens under the sound button.

    Signals:
        test_requested()
        output_chosen(str): Name of an output; empty for the system's default.
        speech_switched(bool)
    """

    test_requested = Signal()
    output_chosen = Signal(str)
    speech_switched = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Sound", parent)
        self.addAction("Test the sound", self.test_requested.emit)
        self._outputs = self.addMenu("Loudspeaker")
        self._group = QActionGroup(self)
        self._speech = self.addAction("Say new alarms in words")
        self._speech.setCheckable(True)
        self._speech.triggered.connect(self.speech_switched)
        self.setToolTipsVisible(True)
        self.show_outputs((), "")

    def show_outputs(self, names: Iterable[str], chosen: str) -> None:
        """Offer the default and these; a chosen one that is gone stays in the list and says so."""
        known = list(names)
        self._outputs.clear()
        for name in ["", *known, *([chosen] if chosen and chosen not in known else [])]:
            gone = " (not connected)" if name and name not in known else ""
            action = self._outputs.addAction(f"{name or DEFAULT}{gone}")
            action.setCheckable(True)
            action.setChecked(name == chosen)
            action.triggered.connect(lambda _checked=False, name=name: self.output_chosen.emit(name))
            self._group.addAction(action)

    def show_speech(self, is_on: bool, problem: str) -> None:
        """Tick speech; where it cannot be, say why."""
        self._speech.setChecked(is_on)
        self._speech.setEnabled(not problem)
        self._speech.setToolTip(problem)
