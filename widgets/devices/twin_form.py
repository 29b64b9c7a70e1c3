"""What a device should be set to and what it says it is set to: the difference, since when, and another wish."""

from __future__ import annotations

import json
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.access.model import Role
from core.field.model import Twin
from core.kernel.clock import Clock
from widgets.base.conditions import Condition
from widgets.base.flow import FlowLayout
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_age
from widgets.devices.details import ROLE_TO_CHANGE, allow

_COLUMNS = (
    Column(title="Setting"),
    Column(title="Desired"),
    Column(title="Is"),
    Column(title="Since", rank=1),
)


class TwinForm(QWidget):
    """The twin of one device.

    Signals:
        change_requested(object, int): Settings by name, None takes a wish back; and the version they were made on.
    """

    change_requested = Signal(object, int)

    def __init__(self, clock: Clock, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock
        self._twin: Twin | None = None
        self._begun_on = 0
        gap = look().sizes.gap
        self._said = _wrapped(self)
        self.table = TextTable("Settings, desired and reported", _COLUMNS, self)
        self.table.selectionModel().currentChanged.connect(lambda *_: self._on_chosen())
        self._key = QLineEdit(self)
        self._key.setAccessibleName("Name of the setting")
        self._key.setPlaceholderText("Setting")
        self._key.setMaxLength(64)
        self._value = QLineEdit(self)
        self._value.setAccessibleName("Desired value")
        self._value.setPlaceholderText('Desired value: 10, true, "text"')
        self._value.textEdited.connect(lambda _text: self._on_edited())
        self._key.textEdited.connect(lambda _text: self._on_edited())
        self._value.returnPressed.connect(self._on_ask)
        self._ask = QPushButton("Ask for it", self)
        set_role(self._ask, "primary")
        self._ask.clicked.connect(self._on_ask)
        self._take_back = QPushButton("Take the wish back", self)
        self._take_back.clicked.connect(self._on_take_back)
        self._answer = _wrapped(self)
        self._answer.setAccessibleName("What became of it")
        buttons = FlowLayout(gap * 2)
        buttons.addWidget(self._ask)
        buttons.addWidget(self._take_back)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, gap * 2, 0, 0)
        rows.setSpacing(gap * 2)
        rows.addWidget(self._said)
        rows.addWidget(self.table, 1)
        rows.addWidget(self._key)
        rows.addWidget(self._value)
        rows.addLayout(buttons)
        rows.addWidget(self._answer)
        self.setFocusProxy(self._value)
        self.show_role(None)

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node decides."""
        allow(self._ask, role, ROLE_TO_CHANGE, "Enter")
        allow(self._take_back, role, ROLE_TO_CHANGE, "The device keeps what it has")

    def start(self) -> None:
        """Begin anew with another device."""
        self._twin = None
        for field in (self._key, self._value):
            with QSignalBlocker(field):
                field.clear()
        self._answer.setText("")
        self.table.show_lines(())
        self._said.setText("")

    def show_twin(self, twin: Twin) -> None:
        """Show a twin; what is typed stays."""
        is_typing = bool(self._value.text())
        before, self._twin = self._twin, twin
        if before is None or not is_typing:
            self._begun_on = twin.version
        differs = {one.key: one for one in twin.differences}
        lines = []
        for key in sorted(twin.desired.keys() | twin.reported.keys()):
            different = differs.get(key)
            age = ""
            if different is not None and different.since is not None:
                age = format_age((self._clock.now() - different.since).total_seconds())
            cells = (key, _text(twin.desired, key), _text(twin.reported, key), age or ("yes" if different else ""))
            tip = f"Asked for by {different.by}" if different is not None and different.by else ""
            lines.append(Line(key=key, cells=cells, condition=Condition.STALE if different else Condition.OK, tip=tip))
        self.table.show_lines(lines)
        self._said.setText(_sentence(twin, len(differs), self._clock))

    def show_done(self) -> None:
        """The node has it."""
        self._value.clear()
        self._begun_on = self._twin.version if self._twin is not None else 0
        self._answer.setText("The node keeps it and tells the device; what it makes of it is reported above.")

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why nothing was changed; what is typed stays, and counts for what is shown now."""
        self._answer.setText(f"{sentence} {hint}".strip())
        self._begun_on = self._twin.version if self._twin is not None else 0

    def _on_edited(self) -> None:
        self._answer.setText("")

    def _on_chosen(self) -> None:
        key = self.table.current_key
        if self._twin is None or not key:
            return
        self._key.setText(key)
        known = self._twin.desired if key in self._twin.desired else self._twin.reported
        self._value.setText(_text(known, key))
        self._begun_on = self._twin.version

    def _on_ask(self) -> None:
        key = self._key.text().strip()
        if not self._ask.isEnabled() or self._twin is None:
            return
        if not key or not self._value.text().strip():
            self._answer.setText("Name a setting and a value.")
            return
        self.change_requested.emit({key: value_of(self._value.text())}, self._begun_on)

    def _on_take_back(self) -> None:
        key = self._key.text().strip()
        if self._twin is None or key not in self._twin.desired:
            self._answer.setText("Nobody asked for this setting: choose one with a desired value.")
            return
        self.change_requested.emit({key: None}, self._begun_on)


def value_of(text: str) -> Any:
    """Return what is meant by a typed value: JSON where it is some, text where it is not."""
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()


def _text(values: dict[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else "--"


def _sentence(twin: Twin, n_differences: int, clock: Clock) -> str:
    if not twin.desired and not twin.reported:
        return "Nobody asked this device for settings, and it reports none."
    if twin.reported_at is None:
        return "The device has reported no settings yet."
    age = format_age((clock.now() - twin.reported_at).total_seconds())
    if twin.answered_version < twin.version:
        return f"The device has not looked at the newest wish yet. It reported {age} ago."
    if n_differences:
        words = "1 setting differs" if n_differences == 1 else f"{n_differences} settings differ"
        return f"{words} from what is desired, and the device has looked at it. It reported {age} ago."
    return f"The device is set as desired. It reported {age} ago."


def _wrapped(parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
