"""Flow view: the operator picks a camera, a lane or line, and how far back; the chart shows the minutes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.cameras.model import Camera
from core.kernel.clock import Clock, SystemClock
from core.vision.flow import FlowMinute
from widgets.base.focus import order_focus
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.theme import look, set_role
from widgets.traffic.flow_chart import FlowChart, slots_of

SPANS = (("1 h", 60), ("3 h", 180), ("12 h", 720))
NOTHING_DRAWN = "No camera has a lane or a counting line."
DRAW_HINT = "Draw them in the scene editor (Ctrl+Shift+E)."

Place = tuple[str, str, str]
"""Subject, key and direction, as in `FlowMinute`."""


class FlowView(QWidget):
    """Shows what it is given; asks for minutes when the choice changes.

    Signals:
        minutes_requested(str, int): Camera, and how many minutes back.
    """

    minutes_requested = Signal(str, int)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._cameras: dict[str, Camera] = {}
        self._minutes: tuple[FlowMinute, ...] = ()
        self.camera_choice = _choice("Camera", 6)
        self.place_choice = _choice("Lane or line", 6)
        self.span_choice = _choice("How far back", 3)
        for text, n_minutes in SPANS:
            self.span_choice.addItem(text, n_minutes)
        self.chart = FlowChart(self)
        self.said = QLabel(self)
        set_role(self.said, "secondary")
        self.said.setWordWrap(True)
        self._overlay = StateOverlay(self.chart)
        row = QHBoxLayout()
        row.addWidget(self.camera_choice, 2)
        row.addWidget(self.place_choice, 2)
        row.addWidget(self.span_choice, 0)
        column = QVBoxLayout(self)
        gap = look().sizes.gap * 2
        column.setContentsMargins(gap, gap, gap, gap)
        column.addLayout(row)
        column.addWidget(self.chart, 1)
        column.addWidget(self.said)
        self.chart.minute_pointed.connect(self.said.setText)
        self.camera_choice.currentIndexChanged.connect(self._on_camera)
        self.place_choice.currentIndexChanged.connect(self._show)
        self.span_choice.currentIndexChanged.connect(self.ask)
        order_focus(self)
        self.show_cameras(())

    def show_cameras(self, cameras: Iterable[Camera]) -> None:
        """Offer the cameras that measure; what was chosen stays chosen."""
        measuring = sorted((one for one in cameras if one.scene.lanes or one.scene.lines), key=lambda one: one.name)
        if {one.camera_id: one for one in measuring} == self._cameras and self._cameras:
            return
        self._cameras = {one.camera_id: one for one in measuring}
        _fill(self.camera_choice, {one.camera_id: one.name for one in measuring})
        self._on_camera()
        if not measuring:
            self._overlay.show_state(PanelState.EMPTY, NOTHING_DRAWN, DRAW_HINT)

    def select(self, camera_id: str) -> None:
        """Show this camera; nothing where it measures nothing."""
        row = self.camera_choice.findData(camera_id)
        if row >= 0:
            self.camera_choice.setCurrentIndex(row)

    def ask(self) -> None:
        """Ask for the chosen camera's minutes anew."""
        if self.camera_choice.currentData():
            self.minutes_requested.emit(self.camera_choice.currentData(), self.span_choice.currentData())

    def show_minutes(self, camera_id: str, minutes: Sequence[FlowMinute]) -> None:
        """Show what was measured; an answer about a camera that is no longer chosen is left out."""
        if camera_id != self.camera_choice.currentData():
            return
        self._minutes = tuple(one for one in minutes if not one.label)
        self._show()

    def show_refused(self, sentence: str, hint: str) -> None:
        """Say why nothing newer is known."""
        self._overlay.show_state(PanelState.STALE if self._minutes else PanelState.LOST, sentence, hint)

    def _on_camera(self) -> None:
        camera = self._cameras.get(self.camera_choice.currentData() or "")
        self._minutes = ()
        _fill(self.place_choice, {} if camera is None else _places_of(camera))
        self.chart.show_slots(())
        if camera is not None:
            self._overlay.show_state(PanelState.LOADING, "The minutes are being read.")
        self.ask()

    def _show(self) -> None:
        place: Place | None = self.place_choice.currentData()
        if place is None or not self._cameras:
            return
        mine = [one for one in self._minutes if (one.subject, one.key, one.direction) == tuple(place)]
        slots = slots_of(mine, self._clock.now(), self.span_choice.currentData())
        self.chart.show_slots(slots)
        if any(slot.measured for slot in slots):
            self._overlay.clear()
        else:
            self._overlay.show_state(
                PanelState.EMPTY, "Nothing was measured in this time.", "A minute is shown when it has ended."
            )


def _places_of(camera: Camera) -> dict[Place, str]:
    """Return what a camera measures, and what the operator calls it."""
    lanes: dict[Place, str] = {("lane", lane.key, ""): lane.name for lane in camera.scene.lanes}
    lines: dict[Place, str] = {
        ("line", line.key, way): f"{line.name}, {way}"
        for line in camera.scene.lines
        for way in dict.fromkeys((line.forward_name, line.backward_name))
    }
    return lanes | lines


def _choice(name: str, n_characters: int) -> QComboBox:
    choice = QComboBox()
    choice.setAccessibleName(name)
    choice.setToolTip(name)
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    choice.setMinimumContentsLength(n_characters)
    return choice


def _fill(choice: QComboBox, items: Mapping[str, str] | Mapping[Place, str]) -> None:
    """Offer other items without telling anybody; what was chosen stays chosen where it is still there."""
    before = choice.currentData()
    choice.blockSignals(True)
    choice.clear()
    for key, text in items.items():
        choice.addItem(text, key)
    rows = [
        row for row, key in enumerate(items) if key == before or (isinstance(before, list) and key == tuple(before))
    ]
    choice.setCurrentIndex(rows[0] if rows else (0 if items else -1))
    choice.blockSignals(False)
