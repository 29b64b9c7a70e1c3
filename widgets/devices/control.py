"""Give a device a command and see what became of it; ask it for other settings and see what it took over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from core.access.model import Role
from core.field.model import CommandStatus, Device, DeviceCommand, Twin
from core.kernel.clock import Clock, SystemClock
from widgets.base.conditions import Condition
from widgets.base.labels import ElidedLabel
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_age, format_raised
from widgets.devices.details import allow
from widgets.traffic.figures import UNKNOWN

N_SHOWN = 50
SKEW_S = 5.0
"""From here on a device's values are uncertain, as `core.field.skew` has it."""

_WORDS = {
    CommandStatus.QUEUED: "on its way",
    CommandStatus.ACCEPTED: "accepted",
    CommandStatus.RUNNING: "running",
    CommandStatus.DONE: "done",
    CommandStatus.REJECTED: "rejected",
    CommandStatus.EXPIRED: "expired",
    CommandStatus.FAILED: "failed",
    CommandStatus.TIMEOUT: "no answer",
}
_NOTHING = "Select a device to command it or to set it up."


class DeviceControl(QWidget):
    """Commands and settings of one device.

    Signals:
        command_requested(str, str, object): Device id, name, arguments by name.
        setting_requested(str, str, object, int): Device id, key, value (None takes a wish back), version.
    """

    command_requested = Signal(str, str, object)
    setting_requested = Signal(str, str, object, int)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._device: Device | None = None
        self._twin: Twin | None = None
        self._role: Role | None = None
        self._build()
        self.show_device(None)

    @property
    def device_id(self) -> str:
        """Of the device that is shown; empty where none is."""
        return "" if self._device is None else self._device.device_id

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node asks again."""
        self._role = role
        self._refresh_buttons()

    def show_device(self, device: Device | None) -> None:
        """Show another device, or how the same one is now."""
        is_other = (device.device_id if device else "") != self.device_id
        self._device = device
        self._title.setText(device.name if device else _NOTHING)
        self._clock_line.setText(clock_text(device) if device else "")
        if is_other:
            self._twin = None
            self.show_commands(())
            self._settings.show_lines([])
            for field in (self._args, self._key, self._value):
                field.clear()
            self._say("")
        self._offer(device.commands if device else ())
        self._refresh_buttons()

    def show_commands(self, commands: Sequence[DeviceCommand]) -> None:
        """Show what was asked of the device, newest first."""
        newest = sorted(commands, key=lambda one: one.command_id, reverse=True)[:N_SHOWN]
        self._commands.show_lines([self._command_line(command) for command in newest])
        self._refresh_answer()

    def show_twin(self, twin: Twin | None) -> None:
        """Show its settings."""
        self._twin = twin
        self._settings.show_lines([] if twin is None else self._setting_lines(twin))

    def _build(self) -> None:
        gap = look().sizes.gap
        self._title = ElidedLabel("", self)
        set_role(self._title, "title")
        self._clock_line = QLabel(self)
        set_role(self._clock_line, "secondary")
        self._clock_line.setWordWrap(True)
        self._body = QWidget(self)
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(gap * 2)
        body.addLayout(self._build_command_row())
        self._reason = QLabel(self._body)
        self._reason.setWordWrap(True)
        self._reason.setTextFormat(Qt.TextFormat.PlainText)
        body.addWidget(self._reason)
        self._commands = TextTable(
            "Commands",
            (
                Column(title="Command"),
                Column(title="Result"),
                Column(title="Time", is_figure=True, rank=1),
                Column(title="By", rank=2),
            ),
            self._body,
        )
        self._commands.selectionModel().currentChanged.connect(lambda *_: self._refresh_answer())
        body.addWidget(self._commands, 1)
        self._answer = QLabel(self._body)
        set_role(self._answer, "secondary")
        self._answer.setWordWrap(True)
        self._answer.setTextFormat(Qt.TextFormat.PlainText)
        body.addWidget(self._answer)
        body.addLayout(self._build_setting_row())
        self._settings = TextTable(
            "Settings",
            (
                Column(title="Setting"),
                Column(title="Is", is_figure=True),
                Column(title="Asked for", is_figure=True),
                Column(title="Since", is_figure=True, rank=1),
                Column(title="By", rank=2),
            ),
            self._body,
        )
        self._settings.clicked.connect(lambda _index: self._on_setting_picked())
        self._settings.activated.connect(lambda _index: self._on_setting_picked())
        body.addWidget(self._settings, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap * 3, gap * 3, gap * 3)
        column.setSpacing(gap * 2)
        column.addWidget(self._title)
        column.addWidget(self._clock_line)
        column.addWidget(self._body, 1)
        column.addStretch(0)

    def _build_command_row(self) -> QHBoxLayout:
        self._name = QComboBox(self._body)
        self._name.setEditable(True)
        self._name.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._name.setAccessibleName("Command")
        self._args = QLineEdit(self._body)
        self._args.setAccessibleName("Arguments")
        self._args.setPlaceholderText("key=value, …")
        self._args.returnPressed.connect(self._on_send)
        self._send = QPushButton("Send", self._body)
        self._send.setAccessibleName("Send the command")
        self._send.clicked.connect(self._on_send)
        return _row(self._name, self._args, self._send)

    def _build_setting_row(self) -> QHBoxLayout:
        self._key = QLineEdit(self._body)
        self._key.setAccessibleName("Setting")
        self._key.setPlaceholderText("setting")
        self._value = QLineEdit(self._body)
        self._value.setAccessibleName("Value")
        self._value.setPlaceholderText("value; empty takes the wish back")
        self._value.returnPressed.connect(self._on_ask)
        self._ask = QPushButton("Ask for it", self._body)
        self._ask.clicked.connect(self._on_ask)
        return _row(self._key, self._value, self._ask)

    def _offer(self, names: tuple[str, ...]) -> None:
        if tuple(self._name.itemText(number) for number in range(self._name.count())) == names:
            return
        self._name.clear()
        self._name.addItems(names)

    def _say(self, sentence: str) -> None:
        self._reason.setText(sentence)
        self._reason.setVisible(bool(sentence))

    def _refresh_buttons(self) -> None:
        for part in (self._name, self._args, self._key, self._value):
            part.setEnabled(self._device is not None)
        allow(self._send, self._role, Role.OPERATOR, "It is repeated until the device answers, for 30 s")
        allow(self._ask, self._role, Role.SUPERVISOR, "The device takes it over as soon as it is there")
        if self._device is None:
            for button in (self._send, self._ask):
                button.setEnabled(False)

    def _command_line(self, command: DeviceCommand) -> Line:
        result = _WORDS[command.status]
        args = ", ".join(f"{key}={value}" for key, value in command.args.items())
        title = f"{command.name} {args}".strip()
        when = format_raised(command.created_at, self._clock.now())
        return Line(
            key=command.command_id,
            cells=(title, result, when, command.sent_by),
            condition=_condition(command.status),
            tip=f"{title}: {result}. {command.text}".strip(),
        )

    def _setting_lines(self, twin: Twin) -> list[Line]:
        open_keys = {item.key for item in twin.differences}
        lines = []
        for key in sorted(twin.desired.keys() | twin.reported.keys()):
            asked = twin.desired_by.get(key)
            since = format_age((self._clock.now() - asked.at).total_seconds()) if asked and key in open_keys else ""
            wanted = _text(twin.desired[key]) if key in twin.desired else ""
            condition = Condition.OK
            if key in open_keys:
                condition = Condition.WAITING if twin.answered_version < twin.version else Condition.LOST
            lines.append(
                Line(
                    key=key,
                    cells=(key, _text(twin.reported.get(key)), wanted, since, asked.by if asked else ""),
                    condition=condition,
                    tip=_setting_tip(condition),
                )
            )
        return lines

    def _refresh_answer(self) -> None:
        """Say in full what became of the chosen command, of the newest where none is chosen."""
        lines = {line.key: line for line in self._commands.lines}
        line = lines.get(self._commands.current_key) or next(iter(lines.values()), None)
        self._answer.setText(line.tip if line else "")
        self._answer.setVisible(line is not None)

    def _on_setting_picked(self) -> None:
        key = self._settings.current_key
        if key and self._twin is not None:
            self._key.setText(key)
            self._value.setText(_text(self._twin.desired.get(key, self._twin.reported.get(key))))
            self._value.setFocus()
            self._value.selectAll()

    def _on_send(self) -> None:
        name = self._name.currentText().strip()
        if self._device is None or not self._send.isEnabled():
            return
        if not name:
            self._say("Name a command.")
            return
        args, wrong = arguments_of(self._args.text())
        if wrong:
            self._say(f"“{wrong}” is no argument: write key=value.")
            return
        self._say("")
        self.command_requested.emit(self._device.device_id, name, args)

    def _on_ask(self) -> None:
        key, text = self._key.text().strip(), self._value.text().strip()
        if self._device is None or not key or not self._ask.isEnabled():
            return
        version = 0 if self._twin is None else self._twin.version
        self.setting_requested.emit(self._device.device_id, key, value_of(text) if text else None, version)


def clock_text(device: Device) -> str:
    """Say how right a device's clock is."""
    skew_s = device.skew_s
    if skew_s is None:
        return "Its clock was not measured yet."
    if abs(skew_s) < 0.5:
        return "Its clock is right to half a second."
    way = "fast" if skew_s > 0 else "slow"
    doubt = "; its values are uncertain until it is set" if abs(skew_s) > SKEW_S else ""
    return f"Its clock is {abs(skew_s):,.1f} s {way}{doubt}."


def arguments_of(text: str) -> tuple[dict[str, Any], str]:
    """Read "key=value, key=value"; returns the arguments and the first piece that is none."""
    found: dict[str, Any] = {}
    for piece in filter(None, (part.strip() for part in text.split(","))):
        key, has_value, value = piece.partition("=")
        if not has_value or not key.strip():
            return {}, piece
        found[key.strip()] = value_of(value.strip())
    return found, ""


def value_of(text: str) -> Any:
    """Read a number, true, false, a list or an object; anything else is text."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _row(first: QWidget, second: QWidget, button: QPushButton) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(look().sizes.gap * 2)
    row.addWidget(first, 2)
    row.addWidget(second, 3)
    row.addWidget(button)
    return row


def _condition(status: CommandStatus) -> Condition:
    if status is CommandStatus.DONE:
        return Condition.OK
    return Condition.LOST if status.is_final else Condition.WAITING


def _setting_tip(condition: Condition) -> str:
    if condition is Condition.WAITING:
        return "The device has not looked at it yet."
    return "The device has looked at it, and is set otherwise." if condition is Condition.LOST else ""


def _text(value: object) -> str:
    if value is None:
        return UNKNOWN
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
