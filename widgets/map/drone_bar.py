"""Above the map, once a drone is there: follow it, colour its track, measure, fence, and how far it is from what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import QEvent, QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from core.drones.ground import distance_m
from core.drones.model import Fence
from core.field.model import Device, DeviceState, is_unit
from core.incidents.model import Incident
from core.incidents.work import Unit
from core.kernel.geo import GeoPoint
from widgets.base.flow import FlowLayout
from widgets.base.labels import ElidedLabel
from widgets.base.theme import look, set_role
from widgets.base.times import format_clock
from widgets.map.ground_tool import Tool, length_words
from widgets.map.tracks import N_TONES, ColorBy, Legend, tone_color
from widgets.scene.fields import NumberField, choice_field

MAX_NEAR, MAX_UNITS = 3, 2
NO_CEILING = "no ceiling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Something that a drone may be sent to or away from."""

    name: str
    distance_m: float


def nearest(
    place: GeoPoint, incidents: Iterable[Incident], units: Iterable[Unit], devices: Iterable[Device]
) -> tuple[Near, ...]:
    """Return the incidents in work and the units around a place, the nearest of each first.

    A unit is where its own device says it is; who is sent to an incident is named with it.
    """
    sent = {unit.incident_id: unit.call_sign for unit in units if unit.incident_id}
    found = [
        Near(
            name=f"{one.title} ({sent[one.incident_id]} sent)" if one.incident_id in sent else one.title,
            distance_m=distance_m(place, one.position),
        )
        for one in incidents
        if one.position is not None and not one.is_closed and one.taken_up_by
    ]
    heard = [
        Near(name=one.name or one.device_id, distance_m=distance_m(place, one.position))
        for one in devices
        if is_unit(one) and one.position is not None and one.state is DeviceState.ONLINE
    ]
    return (*_first(found, MAX_NEAR), *_first(heard, MAX_UNITS))


def _first(near: list[Near], most: int) -> list[Near]:
    return sorted(near, key=lambda one: one.distance_m)[:most]


class DroneBar(QFrame):
    """The bar.

    Signals:
        follow_changed(bool): Keep the selected drone in the middle of the map.
        color_changed(object): `ColorBy`.
        tool_wanted(object): `Tool`, or None to stop drawing.
        fence_closed(): The outline is done.
        fence_removed(): The selected drone may fly anywhere.
    """

    follow_changed = Signal(bool)
    color_changed = Signal(object)
    tool_wanted = Signal(object)
    fence_closed = Signal()
    fence_removed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "strip")
        self._may_fence = False
        self._has_drone = False
        self._has_fence = False
        gap = look().sizes.gap
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 2, gap, gap * 2, gap)
        column.setSpacing(gap)
        controls = QWidget(self)
        self._flow = FlowLayout(gap, controls)
        self._follow = _toggle("Follow", "Keep the drone in the middle of the map")
        self._color = choice_field("Colour of the track")
        self._color.setMinimumContentsLength(13)
        self._color.addItem("Track by height", ColorBy.HEIGHT)
        self._color.addItem("Track by speed", ColorBy.SPEED)
        self._legend = _Ramp()
        self._measure = _toggle("Measure", "Measure from place to place")
        self._fence = _toggle("Fence", "Draw where this drone may fly")
        self._ceiling = NumberField("Ceiling above home", 0.0, 10_000.0, " m", decimals=0)
        self._ceiling.setSpecialValueText(NO_CEILING)
        self._close = QPushButton("Close the fence")
        self._remove = QPushButton("Remove the fence")
        for part in (
            self._follow,
            self._color,
            self._legend,
            self._measure,
            self._fence,
            self._ceiling,
            self._close,
            self._remove,
        ):
            self._flow.addWidget(part)
        self._near = ElidedLabel("", self)
        set_role(self._near, "secondary")
        column.addWidget(controls)
        column.addWidget(self._near)
        self._follow.toggled.connect(self.follow_changed)
        self._color.currentIndexChanged.connect(lambda _row: self.color_changed.emit(self._color.currentData()))
        self._measure.toggled.connect(lambda is_on: self.tool_wanted.emit(Tool.MEASURE if is_on else None))
        self._fence.toggled.connect(lambda is_on: self.tool_wanted.emit(Tool.FENCE if is_on else None))
        self._close.clicked.connect(self.fence_closed)
        self._remove.clicked.connect(self.fence_removed)
        self.show_tool(None, 0)

    @property
    def near(self) -> str:
        """The distances that the operator reads."""
        return self._near.text()

    @property
    def ceiling_m(self) -> float | None:
        """How high the fence that is drawn shall be; None for no limit."""
        return self._ceiling.value() or None

    def set_may_fence(self, may_fence: bool) -> None:
        """Offer to draw fences to who may."""
        self._may_fence = may_fence
        self._offer()

    def show_selected(self, name: str, fence: Fence | None) -> None:
        """Work on another drone; an empty name for none."""
        self._has_drone, self._has_fence = bool(name), fence is not None
        self._fence.setToolTip(f"Draw where {name} may fly" if name else "Choose a drone first")
        self._offer()

    def show_tool(self, tool: Tool | None, n_points: int) -> None:
        """Show what is drawn, and how far it is."""
        with QSignalBlocker(self._measure), QSignalBlocker(self._fence):
            self._measure.setChecked(tool is Tool.MEASURE)
            self._fence.setChecked(tool is Tool.FENCE)
        is_fencing = tool is Tool.FENCE
        self._ceiling.setVisible(is_fencing)
        self._close.setVisible(is_fencing)
        self._close.setEnabled(n_points >= 3)
        self._offer()

    def show_follow(self, is_on: bool) -> None:
        """Show whether the map follows."""
        with QSignalBlocker(self._follow):
            self._follow.setChecked(is_on)

    def show_legend(self, legend: Legend | None) -> None:
        """Show what the colours mean."""
        self._legend.show_legend(legend)

    def show_near(
        self, name: str, home_m: float | None, near: Iterable[Near], *, old_at: datetime | None = None
    ) -> None:
        """Tell how far the selected drone is from what; an empty name tells nothing.

        Args:
            name: Of the drone.
            home_m: Its way home; None where that is not known.
            near: What is near to it.
            old_at: When it was there, where that is not the present.
        """
        if old_at is not None:
            name = f"{name}, last known at {format_clock(old_at)}"
        parts = [] if home_m is None else [f"home {length_words(home_m)}"]
        parts += [f"{one.name} {length_words(one.distance_m)}" for one in near]
        text = f"{name}:  {'  ·  '.join(parts)}" if name and parts else ""
        if text != self._near.text():
            self._near.setText(text)
        self._near.setVisible(bool(text))

    def _offer(self) -> None:
        self._follow.setEnabled(self._has_drone)
        self._fence.setEnabled(self._has_drone and self._may_fence)
        self._remove.setVisible(self._has_fence and self._may_fence and not self._fence.isChecked())


class _Ramp(QWidget):
    """The tones of the track with the values at their ends."""

    def __init__(self) -> None:
        super().__init__()
        self._legend: Legend | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Legend of the track")

    def show_legend(self, legend: Legend | None) -> None:
        """Show what the ends mean."""
        if legend == self._legend:
            return
        self._legend = legend
        low, high, unit = self._words()
        self.setAccessibleDescription(f"From {low} to {high} {unit}")
        self.update()

    def _words(self) -> tuple[str, str, str]:
        legend = self._legend
        if legend is None or legend.low is None or legend.high is None:
            return "--", "--", "" if legend is None else legend.unit
        return f"{legend.low:.0f}", f"{legend.high:.0f}", legend.unit

    def sizeHint(self) -> QSize:
        """Return room for the tones and both figures."""
        sizes = look().sizes
        return QSize(sizes.body * 11, sizes.control)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new size of text."""
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the tones."""
        made, sizes = look(), look().sizes
        low, high, unit = self._words()
        with QPainter(self) as painter:
            painter.setFont(made.font(sizes.small))
            painter.setPen(made.color("text_secondary"))
            side, end = sizes.body * 2.0, sizes.body * 3.6
            middle = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(
                QRectF(0, 0, side - sizes.gap, self.height()), int(middle | Qt.AlignmentFlag.AlignRight), low
            )
            painter.drawText(
                QRectF(self.width() - end + sizes.gap, 0, end, self.height()), int(middle), f"{high} {unit}"
            )
            bar = QRectF(side, self.height() / 2 - sizes.gap, self.width() - side - end, sizes.gap * 2)
            for tone in range(N_TONES):
                part = QRectF(
                    bar.left() + bar.width() * tone / N_TONES, bar.top(), bar.width() / N_TONES + 1, bar.height()
                )
                painter.fillRect(part, tone_color(tone, made))


def _toggle(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    set_role(button, "quiet")
    return button
