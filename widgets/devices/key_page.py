"""Device keys of the HTTP gateway: who holds one, when it was last seen and refused; made, shown once, and revoked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QItemSelection, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QFormLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.access.model import Role
from core.gateway.http.model import GatewayKey, GatewayReport, GatewayState, KeyPurpose, KeyWish, NewKey
from core.kernel.clock import Clock, SystemClock
from widgets.base.flow import FlowLayout
from widgets.base.hold_button import HoldButton
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_age, format_instant
from widgets.devices.details import ROLE_TO_CHANGE, allow
from widgets.scene.fields import choice_field, form_layout, text_field

MAX_DRONE_ID_LENGTH = 48
MAX_NAME_LENGTH = 80
_ONCE = "It is shown this once and kept nowhere: give it to the device now"
_COLUMNS = (
    Column(title="Name"),
    Column(title="Opens", rank=2),
    Column(title="Last seen", is_figure=True),
    Column(title="Taken", is_figure=True, rank=3),
    Column(title="Refused", is_figure=True, rank=1),
)


class KeyPage(QWidget):
    """The keys, and the form for another one.

    Signals:
        add_requested(object): A `KeyWish`.
        revoke_requested(str): Id of a key; the button was held.
        left()
    """

    add_requested = Signal(object)
    revoke_requested = Signal(str)
    left = Signal()

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._keys: dict[str, GatewayKey] = {}
        self._role: Role | None = None
        self._build_list()
        self._build_form()
        gap = look().sizes.gap
        title = QLabel("Device keys", self)
        set_role(title, "title")
        leave = QPushButton("Back to the devices", self)
        leave.clicked.connect(self.left)
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap * 3, gap * 3, gap * 3)
        column.setSpacing(gap * 2)
        for widget in (title, self._gateway):
            column.addWidget(widget)
        column.addWidget(self._table, 1)
        column.addWidget(self._about)
        column.addWidget(self._revoke, 0, Qt.AlignmentFlag.AlignLeft)
        column.addLayout(self._form)
        column.addWidget(self._said)
        column.addWidget(self._token)
        buttons = FlowLayout(gap * 2)
        for button in (self._add, self._copy, leave):
            buttons.addWidget(button)
        column.addLayout(buttons)
        self.setFocusProxy(self._name)
        self.start()

    @property
    def said(self) -> str:
        """What became of the last wish."""
        return self._said.text()

    @property
    def token(self) -> str:
        """The key that was just made; empty where none was."""
        return self._token.text()

    def start(self) -> None:
        """Begin anew: a key that was shown is gone."""
        self._name.clear()
        self._say("")
        self._show_token("")
        self._refresh()

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node decides."""
        self._role = role
        self._refresh()

    def show_gateway(self, report: GatewayReport) -> None:
        """Say where the gateway listens, or why it does not."""
        if report.state is GatewayState.OPEN:
            self._gateway.setText(f"The gateway listens on {report.address}; {report.n_refused:,} requests refused.")
        else:
            self._gateway.setText(report.reason or "The gateway is starting.")

    def show_places(self, lots: Mapping[str, str], cameras: Mapping[str, str]) -> None:
        """Offer these lots and edge cameras, by id and name; what is chosen stays."""
        for choice, places in ((self._lot, lots), (self._camera, cameras)):
            if [choice.itemData(index) for index in range(choice.count())] == list(places):
                continue
            chosen = choice.currentData()
            choice.clear()
            for key, name in places.items():
                choice.addItem(name, key)
            choice.setCurrentIndex(max(0, choice.findData(chosen)) if places else -1)
        self._refresh()

    def prefer(self, lot_id: str, camera_id: str) -> None:
        """Choose this lot and this edge camera, where they are offered."""
        for choice, wanted in ((self._lot, lot_id), (self._camera, camera_id)):
            if choice.findData(wanted) >= 0:
                choice.setCurrentIndex(choice.findData(wanted))

    def show_keys(self, keys: Sequence[GatewayKey]) -> None:
        """Show every key; those that count first."""
        self._keys = {key.key_id: key for key in sorted(keys, key=lambda key: (key.revoked_at is not None, key.name))}
        self._table.show_lines([self._line(key) for key in self._keys.values()])
        self._refresh()

    def show_made(self, made: NewKey) -> None:
        """Show a new key, once."""
        self._name.clear()
        lot = f", with the lot's id {made.key.lot_id}" if made.key.purpose is KeyPurpose.EDGE else ""
        self._say(f"The key of {made.key.name}. {_ONCE}{lot}.")
        self._show_token(made.token)
        self._refresh()

    def show_revoked(self, key: GatewayKey) -> None:
        """Say that a key opens nothing any more."""
        self._show_token("")
        self._say(f"The key of {key.name} opens nothing any more.")

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why nothing was done; what is typed stays."""
        self._say(f"{sentence} {hint}".strip())

    def _build_list(self) -> None:
        self._gateway = QLabel(self)
        self._gateway.setWordWrap(True)
        self._gateway.setTextFormat(Qt.TextFormat.PlainText)
        self._gateway.setAccessibleName("The gateway")
        set_role(self._gateway, "caption")
        self._table = TextTable("Device keys", _COLUMNS, self)
        self._table.selectionModel().selectionChanged.connect(self._on_selected)
        self._about = QLabel(self)
        self._about.setWordWrap(True)
        self._about.setTextFormat(Qt.TextFormat.PlainText)
        self._about.setAccessibleName("The selected key")
        self._revoke = HoldButton("Hold to revoke", self)
        self._revoke.confirmed.connect(lambda: self.revoke_requested.emit(self._table.current_key))

    def _build_form(self) -> None:
        self._name = text_field("Name of the device or system", MAX_NAME_LENGTH)
        self._name.setPlaceholderText("Who will hold the key")
        self._name.textChanged.connect(lambda _text: self._refresh())
        self._name.returnPressed.connect(self._on_add)
        self._purpose = choice_field("What the key opens", self)
        self._purpose.addItem("Pictures of an edge camera", KeyPurpose.EDGE)
        self._purpose.addItem("Reading, for another system", KeyPurpose.READER)
        self._purpose.addItem("State and pictures of a drone", KeyPurpose.DRONE)
        self._purpose.currentIndexChanged.connect(lambda _index: self._refresh())
        self._lot = choice_field("Lot", self)
        self._camera = choice_field("Edge camera", self)
        self._drone = text_field("Id of the drone", MAX_DRONE_ID_LENGTH)
        self._drone.setPlaceholderText("As it is called in its messages: letters, digits and . _ -")
        self._drone.textChanged.connect(lambda _text: self._refresh())
        self._drone.returnPressed.connect(self._on_add)
        self._form = form_layout()
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        for words, field in (
            ("Name", self._name),
            ("Opens", self._purpose),
            ("Lot", self._lot),
            ("Camera", self._camera),
            ("Drone", self._drone),
        ):
            self._form.addRow(words, field)
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setTextFormat(Qt.TextFormat.PlainText)
        self._said.setAccessibleName("What became of it")
        self._token = QLineEdit(self)
        self._token.setReadOnly(True)
        self._token.setAccessibleName("The new key")
        self._add = QPushButton("Make a key", self)
        set_role(self._add, "primary")
        self._add.clicked.connect(self._on_add)
        self._copy = QPushButton("Copy the key", self)
        self._copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.token))

    def _line(self, key: GatewayKey) -> Line:
        return Line(
            key=key.key_id,
            cells=(
                key.name,
                self._opens(key),
                self._seen(key),
                f"{key.n_accepted:,}",
                f"{key.n_refused:,}",
            ),
            tip=key.last_refusal,
        )

    def _opens(self, key: GatewayKey) -> str:
        if key.purpose is KeyPurpose.READER:
            return "reading"
        if key.purpose is KeyPurpose.DRONE:
            return f"drone {key.drone_id}"
        camera = self._camera.itemText(self._camera.findData(key.camera_id)) or key.camera_id
        return f"{camera}, {self._lot.itemText(self._lot.findData(key.lot_id)) or key.lot_id}"

    def _seen(self, key: GatewayKey) -> str:
        if key.revoked_at is not None:
            return "revoked"
        if key.last_seen_at is None:
            return "never"
        return f"{format_age((self._clock.now() - key.last_seen_at).total_seconds())} ago"

    def _refresh(self) -> None:
        key = self._keys.get(self._table.current_key)
        self._about.setText("" if key is None else _about(key))
        self._about.setVisible(key is not None)
        self._revoke.setVisible(key is not None and key.revoked_at is None)
        allow(self._revoke, self._role, ROLE_TO_CHANGE, "Hold for a second, or press Ctrl+Enter")
        is_edge = self._chosen_purpose() is KeyPurpose.EDGE
        for field in (self._lot, self._camera):
            self._form.setRowVisible(field, is_edge)
        self._form.setRowVisible(self._drone, self._chosen_purpose() is KeyPurpose.DRONE)
        allow(self._add, self._role, ROLE_TO_CHANGE, "Enter")
        missing = self._missing(is_edge)
        if missing and self._add.isEnabled():
            self._add.setEnabled(False)
            self._add.setToolTip(missing)

    def _chosen_purpose(self) -> KeyPurpose:
        return KeyPurpose(self._purpose.currentData())

    def _missing(self, is_edge: bool) -> str:
        if not self._name.text().strip():
            return "Name who will hold the key."
        if self._chosen_purpose() is KeyPurpose.DRONE and not self._drone.text().strip():
            return "Say which drone it is."
        if is_edge and self._lot.currentData() is None:
            return "There is no lot yet: draw one first."
        if is_edge and self._camera.currentData() is None:
            return "There is no edge camera yet: add a camera with the address edge:."
        return ""

    def _say(self, text: str) -> None:
        self._said.setText(text)
        self._said.setVisible(bool(text))

    def _show_token(self, token: str) -> None:
        self._token.setText(token)
        self._token.setVisible(bool(token))
        self._copy.setVisible(bool(token))
        if token:
            self._token.setFocus()
            # All of it, with the beginning in sight.
            self._token.setSelection(len(token), -len(token))

    def _on_selected(self, _chosen: QItemSelection, _left: QItemSelection) -> None:
        self._refresh()

    def _on_add(self) -> None:
        if not self._add.isEnabled():
            return
        purpose = self._chosen_purpose()
        is_edge = purpose is KeyPurpose.EDGE
        self.add_requested.emit(
            KeyWish(
                name=self._name.text().strip(),
                purpose=purpose,
                lot_id=self._lot.currentData() if is_edge else "",
                camera_id=self._camera.currentData() if is_edge else "",
                drone_id=self._drone.text().strip() if purpose is KeyPurpose.DRONE else "",
            )
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape goes back."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            return
        super().keyPressEvent(event)


def _about(key: GatewayKey) -> str:
    parts = [f"{key.key_id}, made by {key.created_by} on {format_instant(key.created_at)}."]
    if key.revoked_at is not None:
        parts.append(f"Revoked on {format_instant(key.revoked_at)}.")
    if key.last_address:
        parts.append(f"Last seen at {key.last_address}.")
    parts.append(f"{key.n_accepted:,} requests taken, {key.n_refused:,} refused.")
    if key.last_refusal:
        parts.append(f"Last refused: {key.last_refusal}")
    return " ".join(parts)
