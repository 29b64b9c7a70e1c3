"""Flow view: the operator picks a camera, a lane, line or zone, and how far back; the chart shows the minutes.

Below it stands which classes came; for the ways from zone to zone a table takes the place of the chart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, timedelta

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from core.cameras.model import Camera
from core.kernel.clock import Clock, SystemClock
from core.vision.flow import FlowMinute
from core.vision.model import PERSON
from widgets.base.focus import order_focus
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, TextTable
from widgets.base.theme import look, set_role
from widgets.traffic.flow_chart import FlowChart, slots_of
from widgets.traffic.flow_mix import mix_of, n_minutes_of_zones, since_of, ways_of

SPANS = (("1 h", 60), ("3 h", 180), ("12 h", 720))
NOTHING_DRAWN = "No camera has a lane, a zone or a counting line."
DRAW_HINT = "Draw them in the scene editor (Ctrl+Shift+E)."

Place = tuple[str, str, str]
"""Subject (or `PEOPLE`, `PEOPLE_IN`), key and direction, as in `FlowMinute`."""

WAYS: Place = ("od", "", "")
PEOPLE = "people"
"""In the place of the subject: people on foot over a line."""

PEOPLE_IN = "people in"
"""As much, of people on foot into a zone: it may have the key of a line."""


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
        self.place_choice = _choice("Lane, line or zone", 6)
        self.span_choice = _choice("How far back", 3)
        for text, n_minutes in SPANS:
            self.span_choice.addItem(text, n_minutes)
        self.chart = FlowChart(self)
        self.ways = TextTable(
            "Ways from zone to zone",
            (Column(title="Way"), Column(title="Vehicles", is_figure=True), Column(title="Share", is_figure=True)),
            self,
        )
        self._shown = QStackedWidget(self)
        self._shown.addWidget(self.chart)
        self._shown.addWidget(self.ways)
        self.said, self.mix = _sentence(self), _sentence(self)
        self._overlay = StateOverlay(self._shown)
        row = QHBoxLayout()
        row.addWidget(self.camera_choice, 2)
        row.addWidget(self.place_choice, 2)
        row.addWidget(self.span_choice, 0)
        column = QVBoxLayout(self)
        gap = look().sizes.gap * 2
        column.setContentsMargins(gap, gap, gap, gap)
        column.addLayout(row)
        column.addWidget(self._shown, 1)
        column.addWidget(self.said)
        column.addWidget(self.mix)
        self.chart.minute_pointed.connect(self.said.setText)
        self.camera_choice.currentIndexChanged.connect(self._on_camera)
        self.place_choice.currentIndexChanged.connect(self._show)
        self.span_choice.currentIndexChanged.connect(self.ask)
        order_focus(self)
        self.show_cameras(())

    def show_cameras(self, cameras: Iterable[Camera]) -> None:
        """Offer the cameras that measure; what was chosen stays chosen."""
        measuring = sorted((one for one in cameras if one.scene.measures), key=lambda one: one.name)
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
        self._minutes = tuple(minutes)
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
        if tuple(place) == WAYS:
            is_known = self._show_ways()
        else:
            is_known = self._show_chart([one for one in self._minutes if _place_of(one) == tuple(place)])
        if is_known:
            self._overlay.clear()
        else:
            self._overlay.show_state(
                PanelState.EMPTY, "Nothing was measured in this time.", "A minute is shown when it has ended."
            )

    def _show_chart(self, mine: Sequence[FlowMinute]) -> bool:
        totals = [one for one in mine if one.label in ("", PERSON)]
        slots = slots_of(totals, self._clock.now(), self.span_choice.currentData())
        self._shown.setCurrentWidget(self.chart)
        self.said.show()
        self.chart.show_slots(slots)
        self.mix.setText(mix_of(since_of(mine, slots[0].start)).sentence if slots else "")
        return any(slot.measured for slot in slots)

    def _show_ways(self) -> bool:
        n_minutes: int = self.span_choice.currentData()
        since = self._clock.now().astimezone(UTC) - timedelta(minutes=n_minutes + 1)
        mine = since_of(self._minutes, since)
        self._shown.setCurrentWidget(self.ways)
        self.said.hide()
        self.ways.show_lines(ways_of(self._cameras[self.camera_choice.currentData()].scene, mine))
        n_known = min(n_minutes, n_minutes_of_zones(mine))
        self.mix.setText(f"Looked at in {n_known} of the last {n_minutes} minutes" if n_known else "")
        return n_known > 0


def _places_of(camera: Camera) -> dict[Place, str]:
    """Return what a camera measures, and what the operator calls it."""
    lanes: dict[Place, str] = {("lane", lane.key, ""): lane.name for lane in camera.scene.lanes}
    lines: dict[Place, str] = {
        ("line", line.key, way): f"{line.name}, {way}"
        for line in camera.scene.lines
        if line.counts_vehicles
        for way in dict.fromkeys((line.forward_name, line.backward_name))
    }
    people: dict[Place, str] = {
        (PEOPLE, line.key, way): f"{line.name}, {way}: people"
        for line in camera.scene.lines
        if line.counts_people
        for way in dict.fromkeys((line.forward_name, line.backward_name))
    }
    of_vehicles = [zone for zone in camera.scene.zones if zone.counts_vehicles]
    zones: dict[Place, str] = {("zone", zone.key, ""): f"Into {zone.name}" for zone in of_vehicles}
    people_in: dict[Place, str] = {
        (PEOPLE_IN, zone.key, ""): f"Into {zone.name}: people" for zone in camera.scene.zones if zone.counts_people
    }
    ways: dict[Place, str] = {WAYS: "From zone to zone"} if len(of_vehicles) > 1 else {}
    return lanes | lines | people | zones | people_in | ways


def _place_of(minute: FlowMinute) -> Place:
    subject = minute.subject
    if minute.label == PERSON:
        subject = PEOPLE_IN if subject == "zone" else PEOPLE
    return subject, minute.key, minute.direction


def _sentence(parent: QWidget) -> QLabel:
    label = QLabel(parent)
    set_role(label, "secondary")
    label.setWordWrap(True)
    return label


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
