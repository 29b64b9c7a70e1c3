"""Find a camera in the network: choose one, sign in to it, take its streams over into the form."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.cameras.address import complete_onvif
from core.cameras.onvif.model import CameraDescription, Discovery, FoundCamera, StreamProfile
from widgets.base.conditions import Condition
from widgets.base.flow import FlowLayout
from widgets.base.labels import ElidedLabel, hairline
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.dialogs.address_field import AddressField

_COLUMNS = (Column(title="Camera"), Column(title="Model", rank=2), Column(title="Address", rank=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraChoice:
    """What goes into the camera form.

    Attributes:
        sub_address: Empty where only one stream is taken.
    """

    name: str
    address: str
    sub_address: str
    onvif_address: str
    username: str
    password: str

    def __repr__(self) -> str:
        """Leave the password out."""
        return f"CameraChoice({self.name!r}, {self.address!r})"


class FoundCameras(QWidget):
    """A page: the list above, the chosen camera below. Enter asks the camera, Ctrl+Enter takes it, Esc leaves.

    A webcam needs no question: Enter takes it.

    Signals:
        search_requested(): Answered by `show_found`.
        describe_requested(int, str, str, str): Number of the question, address, user and password; answered by
            `show_description` or `show_refused` with that number.
        chosen(CameraChoice)
        cancelled()
    """

    search_requested = Signal()
    describe_requested = Signal(int, str, str, str)
    chosen = Signal(object)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found: tuple[FoundCamera, ...] = ()
        self._names: dict[str, str] = {}
        self._description: CameraDescription | None = None
        self._asked_address = ""
        self._n_asked = 0
        self._is_searching = self._is_asking = False
        self._build()
        self._refresh()

    def start(self) -> None:
        """Look for cameras from the beginning."""
        self._forget_description()
        self._password.clear()
        self._on_search()
        self._table.setFocus()

    def show_camera_names(self, names: dict[str, str]) -> None:
        """Take the names of the cameras that were added already, by id."""
        self._names = dict(names)
        self._show_lines()

    def show_found(self, found: Discovery) -> None:
        """Show who answered."""
        self._is_searching = False
        self._found = found.cameras
        self._show_lines()
        n_new = sum(not camera.camera_id for camera in self._found)
        n_found = len(self._found)
        sentence = f"{n_found} camera{'' if n_found == 1 else 's'} found, {n_new} not added yet. {found.notice}"
        self._note.setText(sentence.strip())
        self._refresh()

    def show_search_failed(self, sentence: str, hint: str = "") -> None:
        """Say why nobody was asked."""
        self._is_searching = False
        self._note.setText(f"{sentence} {hint}".strip())
        self._refresh()

    def show_description(self, number: int, description: CameraDescription) -> None:
        """Show what the camera is, and offer its streams; an answer to an earlier question is of another camera."""
        if not self._is_asking or number != self._n_asked:
            return
        self._is_asking = False
        self._description = description
        maker = " ".join(part for part in (description.maker, description.model) if part)
        head = "PTZ head" if description.has_ptz else "no PTZ head"
        firmware = f"firmware {description.firmware}" if description.firmware else ""
        self._say(", ".join(part for part in (maker, firmware, head) if part) + ".", description.notice)
        self._main.clear()
        self._sub.clear()
        self._sub.addItem("None: the main stream everywhere", "")
        for profile in description.profiles:
            self._main.addItem(_describe_profile(profile), profile.token)
            self._sub.addItem(_describe_profile(profile), profile.token)
        self._main.setCurrentIndex(max(0, self._main.findData(description.main)))
        self._sub.setCurrentIndex(max(0, self._sub.findData(description.sub)))
        self._refresh()
        self._take.setFocus()

    def show_refused(self, number: int, sentence: str, hint: str = "") -> None:
        """Say why the camera did not tell."""
        if not self._is_asking or number != self._n_asked:
            return
        self._is_asking = False
        self._say(sentence, hint)
        self._refresh()
        (self._password if self._user.text() else self._user).setFocus()

    def _build(self) -> None:
        gap = look().sizes.gap
        title = ElidedLabel("Find cameras", self)
        set_role(title, "heading")
        self._search = QPushButton("Search again", self)
        self._search.clicked.connect(self._on_search)
        self._note = QLabel(self)
        self._note.setWordWrap(True)
        self._note.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self._note, "caption")
        self._table = TextTable("Cameras in the network", _COLUMNS, self)
        self._table.selectionModel().currentRowChanged.connect(lambda *_: self._on_row())
        self._table.doubleClicked.connect(lambda _index: self._on_ask())
        self._overlay = StateOverlay(self._table.viewport())
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 4, gap * 3, gap * 4, gap * 2)
        column.setSpacing(gap * 2)
        column.addWidget(title)
        column.addWidget(self._note)
        column.addWidget(self._table, 1)
        column.addWidget(hairline(self))
        column.addLayout(self._build_login())
        column.addLayout(self._build_streams())
        column.addLayout(self._build_buttons())
        self.setMinimumWidth(look().sizes.body * 13)

    def _build_login(self) -> QFormLayout:
        self._address = AddressField("ONVIF address")
        self._address.setPlaceholderText("http://10.0.0.5/onvif/device_service")
        self._user = _line("User", 128)
        self._password = _line("Password", 256)
        self._password.setEchoMode(QLineEdit.EchoMode.Password)
        for field in (self._address, self._user, self._password):
            field.textEdited.connect(lambda _text: self._forget_description())
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setVerticalSpacing(look().sizes.gap)
        form.addRow("Address", self._address)
        form.addRow("User", self._user)
        form.addRow("Password", self._password)
        return form

    def _build_streams(self) -> QVBoxLayout:
        self._answer, self._hint = QLabel(self), QLabel(self)
        set_role(self._hint, "secondary")
        for label in (self._answer, self._hint):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.hide()
        self._main, self._sub = _choice("Main stream"), _choice("Small stream")
        self._streams = QWidget(self)
        form = QFormLayout(self._streams)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Main", self._main)
        form.addRow("Small", self._sub)
        column = QVBoxLayout()
        column.setSpacing(look().sizes.gap)
        for widget in (self._answer, self._hint, self._streams):
            column.addWidget(widget)
        return column

    def _build_buttons(self) -> FlowLayout:
        self._ask = QPushButton("Ask this camera", self)
        self._ask.clicked.connect(self._on_ask)
        self._take = QPushButton("Use this camera", self)
        set_role(self._take, "primary")
        self._take.clicked.connect(self._on_take)
        back = QPushButton("Back", self)
        back.clicked.connect(self.cancelled)
        buttons = FlowLayout(look().sizes.gap * 2)
        for button in (self._take, self._ask, self._search, back):
            buttons.addWidget(button)
        return buttons

    def _show_lines(self) -> None:
        lines = []
        for index, camera in enumerate(self._found):
            model = " ".join(part for part in (camera.maker, camera.model) if part)
            owner = self._names.get(camera.camera_id, camera.camera_id)
            name = camera.name or model or _host(camera.address)
            lines.append(
                Line(
                    key=str(index),
                    cells=(
                        name if not owner else f"{name} (added: {owner})",
                        "Webcam of the node's machine" if camera.is_plugged_in else model,
                        camera.address if camera.is_plugged_in else _host(camera.address),
                    ),
                    condition=Condition.DISABLED if camera.camera_id else Condition.OK,
                    tip=" ".join(part for part in (camera.location, camera.address) if part),
                )
            )
        self._table.show_lines(lines)

    def _chosen_camera(self) -> FoundCamera | None:
        key = self._table.current_key
        return self._found[int(key)] if key and int(key) < len(self._found) else None

    def _chosen_webcam(self) -> FoundCamera | None:
        camera = self._chosen_camera()
        is_meant = camera is not None and camera.is_plugged_in and camera.address == self._address.text()
        return camera if is_meant else None

    def _say(self, sentence: str, hint: str = "") -> None:
        self._answer.setText(sentence)
        self._answer.setVisible(bool(sentence))
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))

    def _forget_description(self) -> None:
        self._description, self._is_asking = None, False
        self._say("")
        self._refresh()

    def _refresh(self) -> None:
        self._search.setEnabled(not self._is_searching)
        self._search.setText("Searching ..." if self._is_searching else "Search again")
        is_plugged_in = self._chosen_webcam() is not None
        self._ask.setEnabled(bool(self._address.text().strip()) and not self._is_asking and not is_plugged_in)
        self._ask.setText("Asking ..." if self._is_asking else "Ask this camera")
        self._streams.setVisible(self._description is not None)
        self._take.setEnabled(self._description is not None or is_plugged_in)
        if self._found:
            self._overlay.clear()
        elif self._is_searching:
            self._overlay.show_state(PanelState.LOADING, "Asking the network.", "This takes three seconds.")
        else:
            self._overlay.show_state(
                PanelState.EMPTY,
                "No camera answered.",
                "Switch ONVIF on in the camera, or type its address below: a router does not pass the question on.",
            )

    def _on_search(self) -> None:
        self._is_searching, self._found = True, ()
        self._show_lines()
        self._note.setText("")
        self._refresh()
        self.search_requested.emit()

    def _on_row(self) -> None:
        camera = self._chosen_camera()
        if camera is not None and camera.address != self._address.text():
            self._address.setText(camera.address)
            self._password.clear()
            self._forget_description()

    def _on_ask(self) -> None:
        if self._chosen_webcam() is not None:
            self._on_take()
            return
        address = complete_onvif(self._address.text())
        if not address or self._is_asking:
            return
        self._asked_address = address
        self._n_asked += 1
        self._is_asking, self._description = True, None
        self._say("Asking the camera.")
        self._refresh()
        self.describe_requested.emit(self._n_asked, address, self._user.text(), self._password.text())

    def _on_take(self) -> None:
        webcam = self._chosen_webcam()
        if webcam is not None:
            self.chosen.emit(
                CameraChoice(
                    name=webcam.name, address=webcam.address, sub_address="", onvif_address="", username="", password=""
                )
            )
            return
        description = self._description
        main = description.profile(str(self._main.currentData())) if description is not None else None
        if description is None or main is None:
            return
        sub = description.profile(str(self._sub.currentData()))
        camera = self._chosen_camera()
        is_of_list = camera is not None and camera.address == self._asked_address
        name = camera.name if camera is not None and is_of_list else ""
        self.chosen.emit(
            CameraChoice(
                name=name or " ".join(part for part in (description.maker, description.model) if part),
                address=main.address,
                sub_address=sub.address if sub is not None and sub.token != main.token else "",
                onvif_address=description.address,
                username=self._user.text(),
                password=self._password.text(),
            )
        )
        self._password.clear()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter asks or takes, Esc leaves."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
        elif is_enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._on_take()
        elif is_enter:
            self._on_ask()
        else:
            super().keyPressEvent(event)


def _describe_profile(profile: StreamProfile) -> str:
    size = f"{profile.width} x {profile.height}" if profile.width else "unknown size"
    rate = f", {profile.fps:.0f}/s" if profile.fps else ""
    return f"{size}, {profile.codec}{rate}  ({profile.name})"


def _host(address: str) -> str:
    return address.partition("://")[2].partition("/")[0]


def _line(name: str, max_length: int) -> QLineEdit:
    field = QLineEdit()
    field.setAccessibleName(name)
    field.setMaxLength(max_length)
    return field


def _choice(name: str) -> QComboBox:
    choice = QComboBox()
    choice.setAccessibleName(name)
    choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    choice.setMinimumContentsLength(6)
    return choice
