"""Everything known about one camera or device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from core.access.model import Role
from core.cameras.model import Camera
from core.field.model import Device, DeviceState, Reading
from core.field.sheet import DeviceSheet
from core.field.skew import SKEW_S
from core.kernel.clock import Clock
from core.kernel.geo import GeoPoint
from core.media.model import StreamReport, StreamState
from widgets.base.conditions import ConditionSymbol
from widgets.base.facts import FactList
from widgets.base.flow import FlowLayout
from widgets.base.hold_button import HoldButton
from widgets.base.labels import ElidedLabel
from widgets.base.theme import look, set_role
from widgets.base.times import format_age, format_instant
from widgets.devices.rows import DeviceRow
from widgets.traffic.figures import STATION_FIGURES, UNKNOWN

ROLE_TO_CHANGE = Role.SUPERVISOR
"""What the buttons ask for; the node asks again."""

_NOTHING = "Nothing selected"

_ROLE_WORDS = {
    Role.VIEWER: "viewer",
    Role.OPERATOR: "operator",
    Role.SUPERVISOR: "supervisor",
    Role.ADMINISTRATOR: "administrator",
}


def role_to_switch(kind: str) -> Role:
    """Return who may enable and disable a thing of this kind."""
    return Role.OPERATOR if kind == "camera" else Role.SUPERVISOR


class DeviceDetails(QWidget):
    """Figures of what is selected, and what can be done with it.

    Signals:
        set_enabled_requested(str, str, bool, int): Kind, id, wanted state, version.
        remove_requested(str, str, int): Kind, id, version; the button was held.
        edit_requested(str): Camera id.
        scene_requested(str): Draw on this camera's picture.
        goto_requested(str, str): Kind and id.
        page_requested(str): Open the page of this device.
    """

    set_enabled_requested = Signal(str, str, bool, int)
    remove_requested = Signal(str, str, int)
    edit_requested = Signal(str)
    scene_requested = Signal(str)
    goto_requested = Signal(str, str)
    page_requested = Signal(str)

    def __init__(self, clock: Clock, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock
        self._row: DeviceRow | None = None
        self._role: Role | None = None
        self._build()
        self.show_nothing()

    @property
    def facts(self) -> dict[str, str]:
        """What the operator reads."""
        return self._facts.facts

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; None where nobody is signed in."""
        self._role = role
        self._refresh_buttons()

    def show_nothing(self) -> None:
        """Say that nothing is selected."""
        self._row = None
        self._scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._title.hide()
        self._symbol.hide()
        self._state.setText(_NOTHING)
        self._reason.hide()
        self._facts.hide()
        for button in self._buttons:
            button.hide()

    def show_camera(self, row: DeviceRow, camera: Camera, report: StreamReport | None) -> None:
        """Show a camera and its stream."""
        self._show(row, camera_facts(camera, report))
        sentence = f"{report.reason} {report.hint}".strip() if report is not None and camera.is_enabled else ""
        self._say(sentence)

    def show_device(self, row: DeviceRow, device: Device, readings: Iterable[Reading]) -> None:
        """Show a field device and its newest values."""
        self._show(row, device_facts(device, readings, self._clock))
        self._say(f"Last message that could not be used: {device.last_error}" if device.last_error else "")

    def _build(self) -> None:
        gap = look().sizes.gap
        self._title = ElidedLabel("", self)
        set_role(self._title, "title")
        self._symbol = ConditionSymbol(self)
        self._state = QLabel(self)
        set_role(self._state, "secondary")
        self._state.setWordWrap(True)
        self._reason = QLabel(self)
        self._reason.setWordWrap(True)
        self._reason.setTextFormat(Qt.TextFormat.PlainText)
        self._facts = FactList(self)
        inner = QWidget(self)
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(gap * 3, gap * 3, gap * 3, gap * 3)
        rows.setSpacing(gap * 2)
        rows.addWidget(self._title)
        line = QHBoxLayout()
        line.setSpacing(gap * 2)
        line.addWidget(self._symbol, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self._state, 1)
        rows.addLayout(line)
        rows.addWidget(self._reason)
        rows.addLayout(self._build_buttons())
        rows.addWidget(self._facts)
        rows.addStretch(1)
        self._scroll = scroll = QScrollArea(self)
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

    def hint_height(self) -> int:
        """Return the height of the sentence that is left while nothing is selected [px]."""
        return self.fontMetrics().lineSpacing() + look().sizes.gap * 6

    def _build_buttons(self) -> FlowLayout:
        self._goto = QPushButton("Go to", self)
        self._goto.setToolTip("Show it on the map, and a camera on the wall")
        self._open = QPushButton("Open", self)
        set_role(self._open, "primary")
        self._open.setAccessibleName("Open the device's page")
        self._open.setToolTip("Messages, settings, commands, history and certificate (Alt+Enter)")
        self._open.clicked.connect(self._on_open)
        self._switch = QPushButton("Disable", self)
        self._edit = QPushButton("Edit", self)
        self._scene = QPushButton("Scene", self)
        self._scene.setAccessibleName("Edit scene")
        self._scene.setToolTip("Draw zones, lines, lanes and masks on the picture, and tune the rules")
        self._scene.clicked.connect(self._on_scene)
        self._remove = HoldButton("Hold to remove", self)
        self._buttons: tuple[QPushButton, ...] = (
            self._open,
            self._goto,
            self._switch,
            self._edit,
            self._scene,
            self._remove,
        )
        self._goto.clicked.connect(self._on_goto)
        self._switch.clicked.connect(self._on_switch)
        self._edit.clicked.connect(self._on_edit)
        self._remove.confirmed.connect(self._on_remove)
        row = FlowLayout(look().sizes.gap)
        for button in self._buttons:
            row.addWidget(button)
        return row

    def _show(self, row: DeviceRow, facts: list[tuple[str, str]]) -> None:
        self._row = row
        self._scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._title.setText(row.name)
        self._title.show()
        self._symbol.show_condition(row.condition)
        self._symbol.show()
        self._state.setText(row.state)
        self._facts.show_facts(facts)
        self._facts.show()
        self._switch.setText("Disable" if row.is_enabled else "Enable")
        for button in self._buttons:
            button.show()
        for button in (self._edit, self._scene):
            button.setVisible(row.kind == "camera")
        self._open.setVisible(row.kind != "camera")
        self._refresh_buttons()

    def _say(self, sentence: str) -> None:
        self._reason.setText(sentence)
        self._reason.setVisible(bool(sentence))

    def _refresh_buttons(self) -> None:
        allow(self._switch, self._role, role_to_switch(self._row.kind if self._row is not None else ""), "")
        allow(self._edit, self._role, ROLE_TO_CHANGE, "")
        is_camera = self._row is not None and self._row.kind == "camera"
        # A field device that still speaks makes itself known again.
        returns = "" if is_camera else "; its history stays, and it is listed again as soon as it speaks"
        allow(self._remove, self._role, ROLE_TO_CHANGE, f"Hold for a second, or press Ctrl+Enter{returns}")

    def _on_goto(self) -> None:
        if self._row is not None:
            self.goto_requested.emit(*self._row.key)

    def _on_open(self) -> None:
        if self._row is not None:
            self.page_requested.emit(self._row.item_id)

    def _on_switch(self) -> None:
        if self._row is not None:
            self.set_enabled_requested.emit(*self._row.key, not self._row.is_enabled, self._row.version)

    def _on_edit(self) -> None:
        if self._row is not None:
            self.edit_requested.emit(self._row.item_id)

    def _on_scene(self) -> None:
        if self._row is not None:
            self.scene_requested.emit(self._row.item_id)

    def _on_remove(self) -> None:
        if self._row is not None:
            self.remove_requested.emit(*self._row.key, self._row.version)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new size of text."""
        if event.type() == QEvent.Type.StyleChange:
            self.updateGeometry()
        super().changeEvent(event)


def allow(button: QPushButton, role: Role | None, needed: Role, tip: str) -> None:
    """Enable a button for a role, or say on it why not."""
    button.setEnabled(role is not None and role >= needed)
    if role is None:
        button.setToolTip("Nobody is signed in.")
    elif role < needed:
        button.setToolTip(f"This needs the role {_ROLE_WORDS[needed]}; you are signed in as {_ROLE_WORDS[role]}.")
    else:
        button.setToolTip(tip)


def camera_facts(camera: Camera, report: StreamReport | None) -> list[tuple[str, str]]:
    """Return what is known about a camera, as names and texts."""
    is_live = report is not None and report.state in (StreamState.LIVE, StreamState.STALE)
    return [
        ("Address", camera.address),
        ("Identifier", camera.camera_id),
        ("User", _known(camera.username)),
        ("Password", "kept" if camera.has_password else "none"),
        ("Position", _place(camera.position)),
        ("Looks to", f"{camera.heading_deg:.0f}°, {camera.view_angle_deg:.0f}° wide" if camera.position else UNKNOWN),
        ("In this state for", format_age(report.since_s) if report else UNKNOWN),
        ("Newest picture", _seconds_ago(report.frame_age_s) if report else UNKNOWN),
        ("Picture", f"{report.width} x {report.height} px" if report and report.width else UNKNOWN),
        ("Codec", _known(report.codec) if report else UNKNOWN),
        ("Pictures per second", f"{report.fps:.1f}" if report and is_live else UNKNOWN),
        ("Reconnects", str(report.n_reconnects) if report else UNKNOWN),
        ("Pictures skipped", _of(report.n_dropped, report.n_frames) if report else UNKNOWN),
        ("Detection", _detection(camera, report)),
        (
            "Time per detection",
            f"{report.inference_ms:.0f} ms" if report and is_live and report.inference_ms else UNKNOWN,
        ),
        ("Looks for", ", ".join(camera.labels)),
        ("Tracker", camera.tracker.value),
    ]


def device_facts(
    device: Device, readings: Iterable[Reading], clock: Clock, sheet: DeviceSheet | None = None
) -> list[tuple[str, str]]:
    """Return what is known about a field device, as names and texts; `sheet` is what it says about itself."""
    now = clock.now()
    readings = sorted(readings, key=lambda one: one.stream)
    more = {} if sheet is None else sheet.more

    def ago(at: object) -> str:
        return format_age((now - at).total_seconds()) + " ago" if hasattr(at, "tzinfo") else UNKNOWN  # type: ignore[operator]

    facts = [
        ("Identifier", device.device_id),
        ("Kind", sheet.kind_title if sheet is not None else device.kind),
        ("Model", _known(sheet.model if sheet is not None else "")),
        ("Quality", quality_text(device, readings)),
        ("Clock", clock_text(device)),
        ("Battery", _first_known(_BATTERY, "%", readings, more)),
        ("Signal", _first_known(_SIGNAL, "", readings, more)),
        ("Site", _known(device.site)),
        ("Tags", _known(", ".join(device.tags))),
        ("Last message", ago(device.last_seen_at)),
        ("In this state since", format_instant(device.state_since) if device.state_since else UNKNOWN),
        ("Position", _place(device.position)),
        ("Firmware", _known(device.firmware)),
        ("Messages", str(device.n_messages)),
        ("Unusable messages", str(device.n_bad_messages)),
    ]
    for reading in readings:
        doubt = "" if reading.is_good else ", doubtful"
        facts.append((f"Stream {reading.stream}", f"{ago(reading.at)}{doubt}"))
        facts += [_value_fact(reading, name) for name in reading.values]
    return facts


def clock_text(device: Device) -> str:
    """Say how right a device's clock is."""
    skew_s = device.skew_s
    if skew_s is None:
        return "not measured yet"
    if abs(skew_s) < 0.5:
        return "right to half a second"
    way = "fast" if skew_s > 0 else "slow"
    doubt = "; its values are uncertain until it is set" if abs(skew_s) > SKEW_S else ""
    return f"{abs(skew_s):,.1f} s {way}{doubt}"


def quality_text(device: Device, readings: Iterable[Reading]) -> str:
    """Say how far what a device says can be trusted."""
    if device.state in (DeviceState.STALE, DeviceState.LOST, DeviceState.OFFLINE, DeviceState.UNKNOWN):
        return "old: nothing newer is known"
    doubtful = [reading.stream for reading in readings if not reading.is_good]
    if doubtful:
        return f"uncertain: {', '.join(doubtful)}"
    return "good" if device.last_seen_at is not None else UNKNOWN


_BATTERY = ("batteryLevel", "battery", "battery_percent", "battery_level")
_SIGNAL = ("rssi", "rssi_dbm", "signalStrength", "signal_strength", "signal")


def _first_known(names: tuple[str, ...], unit: str, readings: Iterable[Reading], more: Mapping[str, str]) -> str:
    """Return what the newest readings, or else the birth, say under one of these names."""
    for reading in readings:
        for name in names:
            if name in reading.values:
                value = reading.values[name]
                # FIWARE writes a battery's level as a share.
                is_share = unit == "%" and name == "batteryLevel" and 0 <= value <= 1
                return f"{value * 100 if is_share else value:g} {_unit_of(name, unit)}".strip()
    return next((f"{more[name]} {_unit_of(name, unit)}".strip() for name in names if name in more), UNKNOWN)


def _unit_of(name: str, unit: str) -> str:
    return "dBm" if name.startswith("rssi") else unit


def _value_fact(reading: Reading, name: str) -> tuple[str, str]:
    figure = next((one for one in STATION_FIGURES if one.key == name), None)
    if figure is not None:
        return figure.title, figure.text(figure.value(reading))
    return name, f"{reading.values[name]:.5g}"


def _detection(camera: Camera, report: StreamReport | None) -> str:
    if camera.detect_fps <= 0:
        return "off"
    wanted = f"{camera.detect_fps:g} per second wanted"
    return (
        f"{report.detect_fps:.1f} per second, {wanted}"
        if report is not None and report.state is StreamState.LIVE
        else f"{UNKNOWN}, {wanted}"
    )


def _known(text: str) -> str:
    return text or UNKNOWN


def _of(part: int, whole: int) -> str:
    share = f"  ({100 * part / whole:.1f} %)" if whole else ""
    return f"{part} of {whole}{share}"


def _seconds_ago(age_s: float | None) -> str:
    return UNKNOWN if age_s is None else f"{format_age(age_s)} ago"


def _place(point: GeoPoint | None) -> str:
    return UNKNOWN if point is None else f"{point.lat_deg:.5f}, {point.lon_deg:.5f}"
