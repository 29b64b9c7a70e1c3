"""Add or change a camera, beside the running room: its address is tested before it is saved."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from core.cameras.model import MOUNT_HEIGHT_M, Camera
from core.kernel.geo import GeoPoint
from core.media.model import EDGE, ProbeResult, SourceSpec
from core.vision.model import DEFAULT_LABELS, LEAST_LOOKS_PER_S, PERSON, VEHICLE_LABELS, TrackerKind
from widgets.base.flow import FlowLayout
from widgets.base.focus import order_focus
from widgets.base.labels import ElidedLabel, hairline
from widgets.base.theme import look, set_role
from widgets.dialogs.address_field import AddressField
from widgets.dialogs.addresses import EXAMPLES, AddressCheck, check_address
from widgets.dialogs.found_cameras import CameraChoice

_BESIDE_EM = 18.5
"""From this many letters of width, fields stand beside their names."""

_MAX_NAME = 64
_THUMBNAIL_WIDTH = 320
_MAX_DETECT_FPS = 30.0
_RARE = f"Below {LEAST_LOOKS_PER_S:g} per second vehicles pass unseen: nothing is counted as complete."


class _Tested(Enum):
    """What is known about the address that stands in the form."""

    NOT = "not tested"
    RUNNING = "testing"
    GOOD = "good"
    BAD = "bad"


class CameraForm(QWidget):
    """A page of fields. Tab goes through it, Ctrl+Enter saves, Esc leaves.

    Signals:
        test_requested(SourceSpec, str): Source and camera id; answered by `show_probe`. With an empty password the node
            uses the one it keeps for that camera.
        save_requested(Camera, object): With the new password, or None to keep the one there is.
        find_requested(): Look for cameras in the network; answered by `fill`.
        scene_requested(str): Draw on this camera's picture.
        position_requested(): Let the map name a position; answered by `show_position`.
        cancelled()
    """

    test_requested = Signal(object, str)
    save_requested = Signal(object, object)
    find_requested = Signal()
    position_requested = Signal()
    scene_requested = Signal(str)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._camera: Camera | None = None
        self._position: GeoPoint | None = None
        self._tested = _Tested.NOT
        self._tested_for: tuple[str, ...] = ()
        self._sub_tested_for: tuple[str, ...] | None = None
        self._awaits_answer = False
        self._is_warned = False
        self._is_saving = False
        self._build()
        order_focus(self)
        self._show_blank("")

    def show_new(self, camera_id: str) -> None:
        """Start with an empty form for a camera of this id."""
        self._show_blank(camera_id)
        self._name.setFocus()

    def _show_blank(self, camera_id: str) -> None:
        # Takes no keys: the form is made while somebody types elsewhere.
        self._show(Camera(camera_id=camera_id, name="", address=""), "Add a camera")
        self._scene.setEnabled(False)
        self._scene.setText("After it is saved")

    def show_camera(self, camera: Camera) -> None:
        """Change a camera; what it already plays needs no test."""
        self._show(camera, f"Edit {camera.name}")
        self._name.setFocus()
        self._scene.setEnabled(True)
        self._scene.setText("Edit the scene")
        self._tested, self._tested_for = _Tested.GOOD, self._source_key()
        self._say("")
        self._refresh()

    def fill(self, choice: CameraChoice) -> None:
        """Take over what a camera said of itself; the address is still to be tested."""
        if not self._name.text().strip():
            self._name.setText(choice.name[:_MAX_NAME])
        self._address.setText(choice.address)
        self._sub.setText(choice.sub_address)
        self._onvif.setText(choice.onvif_address)
        self._user.setText(choice.username)
        self._password.setText(choice.password)
        self._test.setFocus()

    def show_probe(self, result: ProbeResult) -> None:
        """Show what the test found."""
        if self._sub_tested_for is not None:
            is_meant = self._sub_tested_for == self._sub_key()
            self._sub_tested_for = None
            if is_meant:
                self._say_sub(result)
            self._refresh()
            return
        self._awaits_answer = False
        if self._tested is not _Tested.RUNNING:
            self._refresh()
            # The address was changed while the test ran: the answer is about another one.
            return
        self._tested = _Tested.GOOD if result.ok else _Tested.BAD
        self._say(result.message, result.hint)
        self._show_picture(result)
        self._refresh()
        if result.ok:
            self._save.setFocus()

    def show_position(self, position: GeoPoint | None) -> None:
        """Show where the camera stands."""
        self._position = position
        text = "Not on the map" if position is None else f"{position.lat_deg:.5f}, {position.lon_deg:.5f}"
        self._place.setText(text)
        self._clear_place.setEnabled(position is not None)
        for field in (self._heading, self._opening, self._height):
            field.setEnabled(position is not None)

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why the camera was not saved."""
        self._is_saving = False
        self._say(sentence, hint)
        self._refresh()

    def _build(self) -> None:
        gap = look().sizes.gap
        self._title = ElidedLabel("", self)
        set_role(self._title, "heading")
        inner = QWidget(self)
        page = QVBoxLayout(inner)
        page.setContentsMargins(gap * 4, gap * 3, gap * 4, gap * 3)
        page.setSpacing(gap * 3)
        page.addWidget(self._title)
        find = QPushButton("Find cameras", self)
        find.clicked.connect(self.find_requested)
        page.addWidget(find, 0, Qt.AlignmentFlag.AlignLeft)
        source, detection, place = self._build_source(), self._build_detection(), self._build_place()
        self._forms = (source, detection, place)
        page.addLayout(source)
        page.addLayout(self._build_test())
        page.addWidget(hairline(self))
        page.addLayout(detection)
        page.addWidget(hairline(self))
        page.addLayout(place)
        page.addStretch(1)
        self._align_labels()
        scroll = QScrollArea(self)
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(scroll, 1)
        rows.addWidget(hairline(self))
        rows.addLayout(self._build_footer())
        self.setMinimumWidth(look().sizes.body * 13)

    def _align_labels(self) -> None:
        """Let the fields of all groups begin at one edge."""
        found = [
            item.widget()
            for form in self._forms
            for row in range(form.rowCount())
            if (item := form.itemAt(row, QFormLayout.ItemRole.LabelRole)) is not None
        ]
        labels = [label for label in found if label is not None]
        width = max(label.sizeHint().width() for label in labels)
        for label in labels:
            label.setMinimumWidth(width)

    def _build_source(self) -> QFormLayout:
        self._name = _line("Name", _MAX_NAME)
        self._address = AddressField("Address")
        self._address.setPlaceholderText("rtsp://10.0.0.5/stream1")
        self._address_note = QLabel(self)
        self._address_note.setWordWrap(True)
        self._address_note.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self._address_note, "caption")
        self._sub = AddressField("Small stream")
        self._sub.setPlaceholderText("none: the main stream everywhere")
        self._onvif = AddressField("ONVIF address")
        self._onvif.setPlaceholderText("none: the camera is not steered")
        self._onvif.editingFinished.connect(lambda: self._on_other_left(self._onvif))
        self._sub_test = QPushButton("Test", self)
        self._sub_test.setAccessibleName("Test the small stream")
        self._sub_test.clicked.connect(self._on_test_sub)
        self._sub_note = QLabel(self)
        self._sub_note.setWordWrap(True)
        self._sub_note.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self._sub_note, "caption")
        self._user = _line("User", 128)
        self._password = _line("Password", 256)
        self._password.setEchoMode(QLineEdit.EchoMode.Password)
        self._transport = _choice(self)
        self._transport.setAccessibleName("Transport")
        self._transport.addItem("TCP", "tcp")
        self._transport.addItem("UDP", "udp")
        self._name.textChanged.connect(lambda _text: self._refresh())
        self._address.editingFinished.connect(self._on_address_left)
        self._sub.editingFinished.connect(self._on_sub_left)
        self._sub.textChanged.connect(lambda _text: self._on_sub_changed())
        for field in (self._address, self._user, self._password):
            field.textChanged.connect(lambda _text: self._on_source_changed())
        self._transport.currentIndexChanged.connect(lambda _index: self._on_source_changed())
        form = _form()
        form.addRow("Name", self._name)
        form.addRow("Address", self._address)
        form.addRow("", self._address_note)
        sub = QHBoxLayout()
        sub.setSpacing(look().sizes.gap)
        sub.addWidget(self._sub, 1)
        sub.addWidget(self._sub_test)
        form.addRow("Small stream", sub)
        form.addRow("", self._sub_note)
        form.addRow("ONVIF", self._onvif)
        form.addRow("User", self._user)
        form.addRow("Password", self._password)
        form.addRow("Transport", self._transport)
        return form

    def _build_test(self) -> QVBoxLayout:
        self._test = QPushButton("Test address", self)
        self._test.clicked.connect(self._on_test)
        self._answer = QLabel(self)
        self._answer.setWordWrap(True)
        self._answer.setTextFormat(Qt.TextFormat.PlainText)
        self._answer_hint = QLabel(self)
        self._answer_hint.setWordWrap(True)
        self._answer_hint.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self._answer_hint, "secondary")
        self._thumbnail = QLabel(self)
        self._thumbnail.setAccessibleName("Picture from this address")
        column = QVBoxLayout()
        column.setSpacing(look().sizes.gap)
        column.addWidget(self._test, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._answer)
        column.addWidget(self._answer_hint)
        column.addWidget(self._thumbnail)
        return column

    def _build_detection(self) -> QFormLayout:
        self._rate = _number("Detections per second", 0.0, _MAX_DETECT_FPS, " per second", decimals=1)
        self._rate.setSpecialValueText("off")
        self._rate.valueChanged.connect(lambda _value: self._refresh())
        self._rate_note = QLabel(_RARE, self)
        self._rate_note.setWordWrap(True)
        set_role(self._rate_note, "caption")
        self._labels = {label: QCheckBox(label, self) for label in (*VEHICLE_LABELS, PERSON)}
        self._labels[PERSON].setToolTip("Shows and counts people. Rules about people watch for them all the same.")
        boxes = FlowLayout(look().sizes.gap)
        for box in self._labels.values():
            boxes.addWidget(box)
        self._tracker = _choice(self)
        self._tracker.setAccessibleName("Tracker")
        self._tracker.addItem("ByteTrack: light", TrackerKind.BYTETRACK)
        self._tracker.addItem("BoT-SORT: for a moving camera", TrackerKind.BOTSORT)
        form = _form()
        form.addRow("Detection", self._rate)
        form.addRow("", self._rate_note)
        form.addRow("Looks for", boxes)
        form.addRow("Tracker", self._tracker)
        self._scene = QPushButton("Edit the scene", self)
        self._scene.setToolTip("Zones, lines, lanes, masks, the road and the rules, on the live picture")
        self._scene.clicked.connect(self._on_scene)
        form.addRow("Drawn", self._scene)
        return form

    def _build_place(self) -> QFormLayout:
        self._place = QLabel(self)
        pick = QPushButton("Pick on the map", self)
        pick.clicked.connect(self.position_requested)
        self._clear_place = QPushButton("Take off the map", self)
        set_role(self._clear_place, "quiet")
        self._clear_place.clicked.connect(lambda: self.show_position(None))
        buttons = FlowLayout(look().sizes.gap * 2)
        buttons.addWidget(pick)
        buttons.addWidget(self._clear_place)
        self._heading = _number("Looks to", 0.0, 359.0, "°  from north", decimals=0)
        self._heading.setWrapping(True)
        self._opening = _number("Opening", 5.0, 360.0, "°  wide", decimals=0)
        self._height = _number("Mounting height", 0.0, MOUNT_HEIGHT_M[1], " m", decimals=1)
        self._height.setSpecialValueText("not measured")
        self._height.setToolTip("Over the ground below the camera; the twin draws from there what it sees")
        self._site = _line("Site", 200)
        self._site.setPlaceholderText("Where it belongs; may be empty")
        form = _form()
        form.addRow("Site", self._site)
        form.addRow("Position", self._place)
        form.addRow("", buttons)
        form.addRow("Looks to", self._heading)
        form.addRow("Opening", self._opening)
        form.addRow("Mounted", self._height)
        return form

    def _build_footer(self) -> QVBoxLayout:
        gap = look().sizes.gap
        self._why = QLabel(self)
        self._why.setWordWrap(True)
        set_role(self._why, "caption")
        cancel = QPushButton("Cancel", self)
        cancel.clicked.connect(self.cancelled)
        self._untested = QPushButton("Save untested", self)
        self._untested.clicked.connect(self._on_save_untested)
        self._save = QPushButton("Save", self)
        set_role(self._save, "primary")
        self._save.clicked.connect(self._on_save)
        column = QVBoxLayout()
        column.setContentsMargins(gap * 4, gap * 2, gap * 4, gap * 2)
        column.setSpacing(gap)
        column.addWidget(self._why)
        buttons = FlowLayout(gap * 2)
        for button in (self._save, self._untested, cancel):
            buttons.addWidget(button)
        column.addLayout(buttons)
        return column

    def _show(self, camera: Camera, title: str) -> None:
        self._camera = camera
        self._is_saving = self._is_warned = False
        self._sub_tested_for = None
        self._awaits_answer = False
        self._title.setText(title)
        self._name.setText(camera.name)
        self._address.setText(camera.address)
        self._sub.setText(camera.sub_address)
        self._sub.setCursorPosition(0)
        self._on_sub_changed()
        self._onvif.setText(camera.onvif_address)
        self._user.setText(camera.username)
        self._password.clear()
        self._password.setPlaceholderText("kept; type to replace it" if camera.has_password else "none")
        self._transport.setCurrentIndex(max(0, self._transport.findData(camera.transport)))
        self._rate.setValue(camera.detect_fps)
        for label, box in self._labels.items():
            box.setChecked(label in camera.labels)
        self._tracker.setCurrentIndex(max(0, self._tracker.findData(camera.tracker)))
        self._site.setText(camera.site)
        self._heading.setValue(camera.heading_deg % 360)
        self._opening.setValue(camera.view_angle_deg)
        self._height.setValue(camera.mount_height_m or 0.0)
        self.show_position(camera.position)
        self._on_source_changed()

    def _source_key(self) -> tuple[str, ...]:
        return (
            self._address.text().strip(),
            self._user.text(),
            self._password.text(),
            str(self._transport.currentData()),
        )

    def _say(self, sentence: str, hint: str = "") -> None:
        self._answer.setText(sentence)
        self._answer.setVisible(bool(sentence))
        self._answer_hint.setText(hint)
        self._answer_hint.setVisible(bool(hint))

    def _show_picture(self, result: ProbeResult) -> None:
        picture = QPixmap()
        if result.thumbnail_jpeg and picture.loadFromData(result.thumbnail_jpeg):
            width = min(_THUMBNAIL_WIDTH, max(120, self.width() - look().sizes.gap * 8 - look().sizes.body))
            self._thumbnail.setPixmap(picture.scaledToWidth(width, Qt.TransformationMode.SmoothTransformation))
        self._thumbnail.setVisible(not picture.isNull())

    def _refresh(self) -> None:
        address = check_address(self._address.text())
        why = "" if self._name.text().strip() else "A name is needed."
        if not self._chosen_labels() and self._rate.value() > 0:
            why = why or "Choose what to look for, or turn detection off."
        why = why or address.sentence
        sub = self._checked_sub()
        if not sub.is_usable:
            why = why or f"Small stream: {sub.sentence}"
        is_testing = self._tested is _Tested.RUNNING
        is_testing_sub = self._sub_tested_for is not None
        self._test.setEnabled(address.is_usable and not is_testing and not is_testing_sub)
        has_sub = bool(self._sub.text().strip())
        self._sub_test.setEnabled(has_sub and sub.is_usable and not self._awaits_answer and not is_testing_sub)
        self._sub_test.setText("Testing ..." if is_testing_sub else "Test")
        self._test.setText("Testing ..." if is_testing else "Test address")
        is_ready = not why and not self._is_saving
        # Nobody can post for a camera that is not there yet: it gives a picture after it is saved, if at all.
        is_enough = self._tested is _Tested.GOOD or address.plain.startswith(f"{EDGE}:")
        self._save.setEnabled(is_ready and is_enough)
        self._untested.setVisible(not is_enough)
        self._untested.setEnabled(is_ready and not is_testing)
        self._untested.setText("Press again to save untested" if self._is_warned else "Save untested")
        self._save.setText("Saving ..." if self._is_saving else "Save")
        if not why and not is_enough:
            why = "Test the address before saving."
        self._why.setText(why)
        self._save.setToolTip(why or "Ctrl+Enter")
        has_typed = bool(self._address.text().strip())
        self._address_note.setText(address.sentence if has_typed else f"For example {EXAMPLES}.")
        self._address_note.setVisible(bool(self._address_note.text()))
        self._rate_note.setVisible(0 < self._rate.value() < LEAST_LOOKS_PER_S)

    def _on_source_changed(self) -> None:
        key = self._source_key()
        if key != self._tested_for:
            self._tested = _Tested.NOT
            self._tested_for = key
            self._is_warned = False
            self._say("")
            self._thumbnail.hide()
        self._refresh()

    def _on_address_left(self) -> None:
        """Move a password that was pasted with the address to where it is not shown."""
        checked = check_address(self._address.text())
        if not checked.is_usable or not (checked.username or checked.password):
            return
        self._address.setText(checked.plain)
        self._user.setText(checked.username or self._user.text())
        self._password.setText(checked.password or self._password.text())

    def _on_other_left(self, field: QLineEdit) -> None:
        """Do not show a login that was pasted with a second address: it is the first one's."""
        checked = check_address(field.text())
        if checked.is_usable and (checked.username or checked.password):
            field.setText(checked.plain)

    def _on_sub_changed(self) -> None:
        checked = self._checked_sub()
        self._sub_note.setText(checked.sentence)
        self._sub_note.setVisible(not checked.is_usable)
        self._refresh()

    def _on_sub_left(self) -> None:
        """Keep a password out of this address as well; the small stream has the user of the large one."""
        checked = self._checked_sub()
        if checked.is_usable and (checked.username or checked.password):
            self._sub.setText(checked.plain)
            self._user.setText(self._user.text() or checked.username)
            self._password.setText(self._password.text() or checked.password)

    def _on_test_sub(self) -> None:
        self._on_sub_left()
        checked = self._checked_sub()
        if not checked.is_usable or not checked.plain:
            self._sub.setFocus()
            return
        self._sub_tested_for = self._sub_key()
        self._sub_note.setText("Opening the small stream.")
        self._sub_note.setVisible(True)
        self._refresh()
        self._ask(checked.plain)

    def _say_sub(self, result: ProbeResult) -> None:
        size = f"{result.width} x {result.height} px, {result.codec or 'unknown codec'}."
        self._sub_note.setText(size if result.ok else f"{result.message} {result.hint}".strip())
        self._sub_note.setVisible(True)

    def _checked_sub(self) -> AddressCheck:
        """Check the small stream's address; none is as good as a usable one."""
        return check_address(self._sub.text()) if self._sub.text().strip() else AddressCheck()

    def _sub_key(self) -> tuple[str, ...]:
        return (self._sub.text().strip(), *self._source_key()[1:])

    def _ask(self, address: str) -> None:
        self.test_requested.emit(
            SourceSpec(
                address=address,
                username=self._user.text(),
                password=self._password.text(),
                transport=str(self._transport.currentData()),
            ),
            self._camera.camera_id if self._camera is not None else "",
        )

    def _on_test(self) -> None:
        self._on_address_left()
        checked = check_address(self._address.text())
        if not checked.is_usable:
            self._address.setFocus()
            return
        self._tested, self._tested_for = _Tested.RUNNING, self._source_key()
        self._is_warned = False
        self._thumbnail.hide()
        self._say("Opening the address. This takes a few seconds at most.")
        self._awaits_answer = True
        self._refresh()
        self._ask(checked.plain)

    def _on_save_untested(self) -> None:
        if not self._is_warned:
            self._is_warned = True
            self._refresh()
            self._why.setText("Nobody knows yet whether this address gives a picture.")
            return
        self._emit_save()

    def _on_save(self) -> None:
        self._emit_save()

    def _on_scene(self) -> None:
        if self._camera is not None:
            self.scene_requested.emit(self._camera.camera_id)

    def _chosen_labels(self) -> tuple[str, ...]:
        # Classes that another model brought and that have no box here stay.
        kept = () if self._camera is None else self._camera.labels
        others = tuple(label for label in kept if label not in self._labels)
        return (*(label for label, box in self._labels.items() if box.isChecked()), *others)

    def _emit_save(self) -> None:
        if self._camera is None:
            return
        self._on_address_left()
        self._on_sub_left()
        self._is_saving = True
        self._refresh()
        password = self._password.text() or None
        self.save_requested.emit(
            replace(
                self._camera,
                name=self._name.text().strip(),
                address=check_address(self._address.text()).plain,
                sub_address=self._sub.text().strip(),
                onvif_address=self._onvif.text().strip(),
                username=self._user.text(),
                has_password=self._camera.has_password or password is not None,
                transport=str(self._transport.currentData()),
                position=self._position,
                site=self._site.text().strip(),
                heading_deg=self._heading.value(),
                view_angle_deg=self._opening.value(),
                mount_height_m=self._height.value() or None,
                detect_fps=self._rate.value(),
                labels=self._chosen_labels() or DEFAULT_LABELS,
                tracker=TrackerKind(self._tracker.currentData()),
            ),
            password,
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put fields below their names where there is no room beside them."""
        super().resizeEvent(event)
        is_narrow = self.width() < look().sizes.body * _BESIDE_EM
        wanted = QFormLayout.RowWrapPolicy.WrapAllRows if is_narrow else QFormLayout.RowWrapPolicy.DontWrapRows
        for form in self._forms:
            form.setRowWrapPolicy(wanted)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+Enter saves what is ready, Enter tests in the address fields, Esc leaves."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
        elif is_enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            if self._save.isEnabled():
                self._emit_save()
        elif is_enter and self._test.isEnabled() and self.focusWidget() in (self._address, self._user, self._password):
            self._on_test()
        else:
            super().keyPressEvent(event)


def _line(name: str, max_length: int) -> QLineEdit:
    field = QLineEdit()
    field.setAccessibleName(name)
    field.setMaxLength(max_length)
    return field


def _number(name: str, low: float, high: float, suffix: str, *, decimals: int) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setAccessibleName(name)
    field.setRange(low, high)
    field.setDecimals(decimals)
    field.setSuffix(suffix)
    # By itself it would insist on the width of its longest text, and the form would be cut in a narrow panel.
    field.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    return field


def _choice(parent: QWidget) -> QComboBox:
    """Return a list to choose from that does not ask for the width of its longest entry."""
    choice = QComboBox(parent)
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    choice.setMinimumContentsLength(6)
    return choice


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setHorizontalSpacing(look().sizes.gap * 4)
    form.setVerticalSpacing(look().sizes.gap * 2)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form
