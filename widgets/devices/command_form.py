"""Commands to a device: what it offers, its arguments, for how long it may be obeyed, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from core.access.model import Role
from core.field.model import CommandStatus, DeviceCommand
from core.field.sheet import OfferedCommand
from widgets.base.conditions import Condition
from widgets.base.hold_button import HoldButton
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look
from widgets.base.times import format_age, format_clock, format_instant
from widgets.devices.details import allow
from widgets.devices.twin_form import value_of
from widgets.scene.fields import NumberField, choice_field, form_layout

DEFAULT_TTL_S = 30.0
STATUS_WORDS = {
    CommandStatus.QUEUED: "waits",
    CommandStatus.ACCEPTED: "accepted",
    CommandStatus.RUNNING: "runs",
    CommandStatus.DONE: "done",
    CommandStatus.REJECTED: "rejected",
    CommandStatus.EXPIRED: "expired",
    CommandStatus.FAILED: "failed",
    CommandStatus.TIMEOUT: "no answer",
}
_CONDITIONS = {
    CommandStatus.DONE: Condition.OK,
    CommandStatus.QUEUED: Condition.WAITING,
    CommandStatus.ACCEPTED: Condition.WAITING,
    CommandStatus.RUNNING: Condition.WAITING,
}
_COLUMNS = (Column(title="Command"), Column(title="Result"), Column(title="Sent", rank=1), Column(title="By", rank=2))


class CommandForm(QWidget):
    """Chooses a command, sends it, lists what became of those before.

    Signals:
        send_requested(str, object, float): Name, arguments by name, time to live [s].
    """

    send_requested = Signal(str, object, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._offered: tuple[OfferedCommand, ...] = ()
        self._args: dict[str, QLineEdit] = {}
        self._commands: dict[str, DeviceCommand] = {}
        self._role: Role | None = None
        gap = look().sizes.gap
        self._choice = choice_field("Command", self)
        self._choice.currentIndexChanged.connect(lambda _index: self._show_params())
        self._ttl = NumberField("May be obeyed for", 1.0, 3600.0, " s", decimals=0)
        self._ttl.setValue(DEFAULT_TTL_S)
        self._ttl.setToolTip("After this time the device must not obey it any more")
        self._form = form_layout()
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self._form.addRow("Command", self._choice)
        self._form.addRow("May be obeyed for", self._ttl)
        self._send = HoldButton("Hold to send", self)
        self._send.confirmed.connect(self._on_send)
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setTextFormat(Qt.TextFormat.PlainText)
        self._said.setAccessibleName("What became of the command")
        self.table = TextTable("Commands and their results, the newest first", _COLUMNS, self)
        self.table.selectionModel().currentChanged.connect(lambda *_: self._say_chosen())
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, gap * 2, 0, 0)
        rows.setSpacing(gap * 2)
        rows.addLayout(self._form)
        rows.addWidget(self._send, 0, Qt.AlignmentFlag.AlignLeft)
        rows.addWidget(self._said)
        rows.addWidget(self.table, 1)
        self.setFocusProxy(self._choice)
        self.start()

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node decides."""
        self._role = role
        allow(self._send, role, Role.OPERATOR, "Hold for a second, or press Ctrl+Enter")
        if not self._offered:
            self._send.setEnabled(False)

    def start(self) -> None:
        """Begin anew with another device."""
        self._commands = {}
        self.table.show_lines(())
        self.show_offered(())
        self._said.setText("")

    def show_offered(self, offered: Sequence[OfferedCommand]) -> None:
        """Offer these; what is typed stays while they are the same."""
        if self._choice.count() and tuple(offered) == self._offered:
            return
        self._offered = tuple(offered)
        self._choice.clear()
        for command in self._offered:
            self._choice.addItem(command.name, command.name)
        if not self._offered:
            self._choice.addItem("This device offers none", "")
        self._choice.setEnabled(bool(self._offered))
        self.show_role(self._role)

    def show_commands(self, commands: Iterable[DeviceCommand]) -> None:
        """Add these to what is known, or bring it up to date."""
        for command in commands:
            known = self._commands.get(command.command_id)
            if known is None or not known.status.is_final:
                self._commands[command.command_id] = command
        newest = sorted(self._commands.values(), key=lambda one: one.created_at, reverse=True)
        self.table.show_lines([_line(command) for command in newest])
        self._say_chosen()

    def _say_chosen(self) -> None:
        """Say in full what became of the chosen command; of the newest where none is chosen."""
        newest = max(self._commands.values(), key=lambda one: one.created_at, default=None)
        command = self._commands.get(self.table.current_key, newest)
        if command is not None:
            self._said.setText(_sentence(command))

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why nothing was sent."""
        self._said.setText(f"{sentence} {hint}".strip())

    def _show_params(self) -> None:
        for field in self._args.values():
            self._form.removeRow(field)
        self._args = {}
        command = self._chosen
        for name, schema in (command.params if command is not None else {}).items():
            field = QLineEdit(self)
            field.setAccessibleName(name)
            field.setPlaceholderText(_expected(schema))
            self._form.insertRow(self._form.rowCount() - 1, name, field)
            self._args[name] = field

    @property
    def _chosen(self) -> OfferedCommand | None:
        return next((one for one in self._offered if one.name == self._choice.currentData()), None)

    def _on_send(self) -> None:
        command = self._chosen
        if command is None or not self._send.isEnabled():
            return
        args = {name: value_of(field.text()) for name, field in self._args.items() if field.text().strip()}
        for name, value in args.items():
            if trouble := _trouble(name, value, command.params[name]):
                self._said.setText(trouble)
                self._args[name].setFocus()
                return
        self._said.setText(f"{command.name} is being sent.")
        self.send_requested.emit(command.name, args, self._ttl.value())


def _line(command: DeviceCommand) -> Line:
    args = f" {json.dumps(command.args, ensure_ascii=False)}" if command.args else ""
    return Line(
        key=command.command_id,
        cells=(
            f"{command.name}{args}",
            STATUS_WORDS[command.status],
            format_clock(command.created_at),
            command.sent_by,
        ),
        condition=_CONDITIONS.get(command.status, Condition.LOST),
        tip=f"{_sentence(command)} {format_instant(command.created_at)}",
    )


def _sentence(command: DeviceCommand) -> str:
    words = f"{command.name}: {STATUS_WORDS[command.status]}"
    if command.status.is_final and command.changed_at is not None:
        took = format_age((command.changed_at - command.created_at).total_seconds())
        words += f", after {took}"
    return f"{words}. {command.text}".strip()


def _expected(schema: Any) -> str:
    """Say what an argument has to be, by its JSON Schema."""
    if not isinstance(schema, Mapping):
        return ""
    if isinstance(schema.get("enum"), list):
        return " or ".join(str(one) for one in schema["enum"])
    low, high = schema.get("minimum"), schema.get("maximum")
    words = str(schema.get("type", ""))
    if low is not None or high is not None:
        words += f", {'' if low is None else low} to {'' if high is None else high}"
    return str(schema.get("description", "")) or words


def _trouble(name: str, value: Any, schema: Any) -> str:
    """Return what is wrong with an argument; the device judges all of it."""
    if not isinstance(schema, Mapping):
        return ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if schema.get("type") in ("number", "integer") and not is_number:
        return f"{name} has to be a number."
    low, high = schema.get("minimum"), schema.get("maximum")
    if is_number and ((low is not None and value < low) or (high is not None and value > high)):
        return f"{name} has to be {_expected(schema)}."
    if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
        return f"{name} has to be {_expected(schema)}."
    return ""
