"""The video that a drone says it has: added as a camera by a supervisor, who holds the button."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.access.model import Role
from core.drones.model import Drone, DroneState
from widgets.base.facts import FactList
from widgets.base.hold_button import HoldButton
from widgets.base.theme import look


class VideoOffer(QWidget):
    """There while a drone says where its video is and has no camera.

    Signals:
        wanted(str): Id of the drone whose stream is to be a camera.
    """

    wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._drone_id = ""
        self._facts = FactList(self)
        self._hold = HoldButton("Hold to add as camera", self)
        self._hold.confirmed.connect(lambda: self.wanted.emit(self._drone_id))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look().sizes.gap * 2)
        column.addWidget(self._facts)
        column.addWidget(self._hold)
        self.set_role(Role.VIEWER)
        self.hide()

    @property
    def facts(self) -> dict[str, str]:
        """What is offered; empty where nothing is."""
        return {} if self.isHidden() else self._facts.facts

    def show_offer(self, drone: Drone | None, state: DroneState) -> None:
        """Offer a drone's stream, unless it has a camera."""
        self._drone_id = state.drone_id
        is_there = bool(state.video_uri) and (drone is None or not drone.camera_id)
        if is_there:
            self._facts.show_facts([("It says its video is at", state.video_uri)])
        self.setVisible(is_there)

    def set_role(self, role: Role) -> None:
        """Let a supervisor add it; the node decides."""
        self._hold.setEnabled(role >= Role.SUPERVISOR)
        self._hold.setToolTip(
            "Hold for a second, or press Ctrl+Enter" if role >= Role.SUPERVISOR else "This needs a supervisor."
        )
