"""What people say about a device: its name, its site and its place on the map."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QFormLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from core.access.model import Role
from core.field.device_list import MAX_NAME_LENGTH, NewDevice, read_device
from core.field.kinds import find_kinds
from core.field.model import Device
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from widgets.base.flow import FlowLayout
from widgets.base.theme import look, set_role
from widgets.devices.details import ROLE_TO_CHANGE, allow
from widgets.scene.fields import choice_field, form_layout, text_field


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What is written in the form."""

    name: str
    site: str
    tags: tuple[str, ...]
    position: GeoPoint | None


class _Place(QWidget):
    """A position, chosen on the map.

    Signals:
        pick_requested(): The map's next click is meant.
        changed()
    """

    pick_requested = Signal()
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.position: GeoPoint | None = None
        self._said = QLabel(self)
        self.pick = QPushButton("Pick on the map", self)
        self.pick.clicked.connect(self.pick_requested)
        self.clear = QPushButton("Take off the map", self)
        set_role(self.clear, "quiet")
        self.clear.clicked.connect(lambda: self._change(None))
        buttons = FlowLayout(look().sizes.gap * 2)
        buttons.addWidget(self.pick)
        buttons.addWidget(self.clear)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self._said)
        rows.addLayout(buttons)
        self.show_position(None)

    def show_position(self, position: GeoPoint | None) -> None:
        """Show a position without telling anyone."""
        self.position = position
        text = "Not on the map" if position is None else f"{position.lat_deg:.5f}, {position.lon_deg:.5f}"
        self._said.setText(text)

    def take(self, position: GeoPoint) -> None:
        """Take what was clicked on the map."""
        self._change(position)

    def _change(self, position: GeoPoint | None) -> None:
        self.show_position(position)
        self.changed.emit()


class IdentityForm(QWidget):
    """Name, site and position of one device; what is typed stays while the device says something.

    Signals:
        save_requested(object, int): `Identity`, and the version it was made on.
        pick_requested(): The map's next click is meant; answered by `take_position`.
    """

    save_requested = Signal(object, int)
    pick_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._device: Device | None = None
        self._role: Role | None = None
        self._name = text_field("Name", MAX_NAME_LENGTH)
        self._site = text_field("Site", MAX_NAME_LENGTH)
        self._site.setPlaceholderText("Where it belongs; may be empty")
        self._tags = text_field("Tags", 500)
        self._tags.setPlaceholderText("Words to find it by, with commas between them")
        self._place = _Place(self)
        self._place.pick_requested.connect(self.pick_requested)
        self._place.changed.connect(self._refresh)
        for field in (self._name, self._site, self._tags):
            field.textChanged.connect(lambda _text: self._refresh())
            field.returnPressed.connect(self._on_save)
        self._save = QPushButton("Save", self)
        set_role(self._save, "primary")
        self._save.clicked.connect(self._on_save)
        self._undo = QPushButton("Undo", self)
        self._undo.setToolTip("Show what the node has")
        self._undo.clicked.connect(self._show_known)
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setTextFormat(Qt.TextFormat.PlainText)
        buttons = FlowLayout(look().sizes.gap * 2)
        buttons.addWidget(self._save)
        buttons.addWidget(self._undo)
        form = form_layout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow("Name", self._name)
        form.addRow("Site", self._site)
        form.addRow("Tags", self._tags)
        form.addRow("Position", self._place)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addLayout(form)
        rows.addLayout(buttons)
        rows.addWidget(self._said)

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node decides."""
        self._role = role
        self._refresh()

    def show_device(self, device: Device) -> None:
        """Show another device, or what became of this one; what is typed and not saved stays."""
        before, self._device = self._device, device
        if before is None or before.device_id != device.device_id or _identity_of(before) == self._typed:
            self._show_known()
        self._refresh()

    def take_position(self, position: GeoPoint) -> None:
        """Take what was clicked on the map."""
        self._place.take(position)

    def show_saved(self) -> None:
        """The node has it."""
        self._said.setText("Saved.")
        self._said.show()

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why it was not saved; what is typed stays."""
        self._said.setText(f"{sentence} {hint}".strip())
        self._said.show()

    @property
    def _typed(self) -> Identity:
        return Identity(
            name=self._name.text().strip(),
            site=self._site.text().strip(),
            tags=_words(self._tags.text()),
            position=self._place.position,
        )

    def _show_known(self) -> None:
        device = self._device
        if device is None:
            return
        self._place.show_position(device.position)
        self._name.setText(device.name)
        self._site.setText(device.site)
        self._tags.setText(", ".join(device.tags))
        self._said.hide()
        self._refresh()

    def _refresh(self) -> None:
        has_changed = self._device is not None and self._typed != _identity_of(self._device)
        for field in (self._name, self._site, self._tags):
            field.setReadOnly(self._role is None or self._role < ROLE_TO_CHANGE)
        for button in (self._place.pick, self._place.clear):
            allow(button, self._role, ROLE_TO_CHANGE, "")
        allow(self._save, self._role, ROLE_TO_CHANGE, "Enter")
        self._save.setEnabled(self._save.isEnabled() and has_changed and bool(self._name.text().strip()))
        self._save.setVisible(has_changed)
        self._undo.setVisible(has_changed)

    def _on_save(self) -> None:
        if self._device is not None and self._save.isEnabled():
            self.save_requested.emit(self._typed, self._device.version)


class NewDeviceForm(QWidget):
    """One device, typed in before it has said anything.

    Signals:
        add_requested(object): A `NewDevice`.
        pick_requested(): The map's next click is meant; answered by `take_position`.
        left()
    """

    add_requested = Signal(object)
    pick_requested = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        title = QLabel("Add a device", self)
        set_role(title, "title")
        self._id = text_field("Identifier", 65)
        self._id.setPlaceholderText("group/device, as in its topics")
        self._name = text_field("Name", MAX_NAME_LENGTH)
        self._kind = choice_field("Kind", self)
        self._kind.addItem("By its group", "")
        for key, kind in sorted(find_kinds().items()):
            self._kind.addItem(kind.title, key)
        self._site = text_field("Site", MAX_NAME_LENGTH)
        self._tags = text_field("Tags", 500)
        self._tags.setPlaceholderText("Words to find it by, with commas between them")
        self._place = _Place(self)
        self._place.pick_requested.connect(self.pick_requested)
        self._enabled = QCheckBox("Enabled", self)
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setTextFormat(Qt.TextFormat.PlainText)
        self._said.setAccessibleName("What is wrong")
        self._add = QPushButton("Add device", self)
        set_role(self._add, "primary")
        self._add.clicked.connect(self._on_add)
        cancel = QPushButton("Cancel", self)
        cancel.clicked.connect(self.left)
        form = form_layout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        rows_of: tuple[tuple[str, QWidget], ...] = (
            ("Identifier", self._id),
            ("Name", self._name),
            ("Kind", self._kind),
            ("Site", self._site),
            ("Tags", self._tags),
            ("Position", self._place),
            ("", self._enabled),
        )
        for words, field in rows_of:
            form.addRow(words, field)
        for field in (self._id, self._name, self._site, self._tags):
            field.returnPressed.connect(self._on_add)
        buttons = FlowLayout(gap * 2)
        buttons.addWidget(self._add)
        buttons.addWidget(cancel)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(gap * 3, gap * 3, gap * 3, gap * 3)
        rows.setSpacing(gap * 2)
        rows.addWidget(title)
        rows.addLayout(form)
        rows.addWidget(self._said)
        rows.addLayout(buttons)
        rows.addStretch(1)
        self.setFocusProxy(self._id)
        self.start()

    def start(self) -> None:
        """Begin with empty fields."""
        for field in (self._id, self._name, self._site, self._tags):
            field.clear()
        self._kind.setCurrentIndex(0)
        self._enabled.setChecked(True)
        self._place.show_position(None)
        self._said.setText("")

    def take_position(self, position: GeoPoint) -> None:
        """Take what was clicked on the map."""
        self._place.take(position)

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why it was not added; what is typed stays."""
        self._said.setText(f"{sentence} {hint}".strip())

    def _on_add(self) -> None:
        position = self._place.position
        fields = {
            "device_id": self._id.text(),
            "name": self._name.text(),
            "kind": str(self._kind.currentData()),
            "site": self._site.text(),
            "tags": self._tags.text(),
            "lat_deg": "" if position is None else str(position.lat_deg),
            "lon_deg": "" if position is None else str(position.lon_deg),
            "enabled": "yes" if self._enabled.isChecked() else "no",
        }
        try:
            device: NewDevice = read_device(fields)
        except BadInputError as error:
            self.show_refused(error.message, error.hint)
            return
        self._said.setText("")
        self.add_requested.emit(device)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc leaves."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            return
        super().keyPressEvent(event)


def _words(text: str) -> tuple[str, ...]:
    """Return what is typed as the node would keep it; the node says what is wrong with it."""
    return tuple(sorted({" ".join(word.lower().split()) for word in text.split(",") if word.strip()}))


def _identity_of(device: Device) -> Identity:
    return Identity(name=device.name, site=device.site, tags=device.tags, position=device.position)
