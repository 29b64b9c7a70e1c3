"""Commands to a device: what it offers, its arguments, for how long it may be obeyed, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core.access.model import Role
from core.field.model import CommandStatus, DeviceCommand
from core.field.sheet import OfferedCommand
from widgets.base.conditions import Condition
from widgets.base.hold_button import HoldButton
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look
from widgets.base.times import format_age, format_clock, format_instant
from widgets.devices.command_fields import CommandFields
from widgets.devices.details import allow

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
CONDITIONS = {
    CommandStatus.DONE: Condition.OK,
    CommandStatus.QUEUED: Condition.WAITING,
    CommandStatus.ACCEPTED: Condition.WAITING,
    CommandStatus.RUNNING: Condition.WAITING,
}
_COLUMNS = (Column(title="Command"), Column(title="Result"), Column(title="Sent", rank=1), Column(title="By", rank=2))


class CommandForm(QWidget):
    """Chooses a command, sends it, lists what became of those before.

    Signals:
        send_requested(object): A `CommandWish`.
    """

    send_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._commands: dict[str, DeviceCommand] = {}
        self._role: Role | None = None
        gap = look().sizes.gap
        self.fields = CommandFields(self)
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
        rows.addWidget(self.fields)
        rows.addWidget(self._send, 0, Qt.AlignmentFlag.AlignLeft)
        rows.addWidget(self._said)
        rows.addWidget(self.table, 1)
        self.setFocusProxy(self.fields)
        self.start()

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node decides."""
        self._role = role
        allow(self._send, role, Role.OPERATOR, "Hold for a second, or press Ctrl+Enter")
        if not self.fields.has_offer:
            self._send.setEnabled(False)

    def start(self) -> None:
        """Begin anew with another device."""
        self._commands = {}
        self.table.show_lines(())
        self.show_offered(())
        self._said.setText("")

    def show_offered(self, offered: Sequence[OfferedCommand]) -> None:
        """Offer these; what is typed stays while they are the same."""
        self.fields.show_offered(offered, "This device offers none")
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
            self._said.setText(sentence_of(command))

    def show_refused(self, sentence: str, hint: str = "") -> None:
        """Say why nothing was sent."""
        self._said.setText(f"{sentence} {hint}".strip())

    def _on_send(self) -> None:
        if not self._send.isEnabled():
            return
        wish, trouble = self.fields.read()
        if wish is None:
            self._said.setText(trouble)
            return
        self._said.setText(f"{wish.name} is being sent.")
        self.send_requested.emit(wish)


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
        condition=CONDITIONS.get(command.status, Condition.LOST),
        tip=f"{sentence_of(command)} {format_instant(command.created_at)}",
    )


def sentence_of(command: DeviceCommand) -> str:
    """Say what became of a command, and after what time."""
    words = f"{command.name}: {STATUS_WORDS[command.status]}"
    if command.status.is_final and command.changed_at is not None:
        took = format_age((command.changed_at - command.created_at).total_seconds())
        words += f", after {took}"
    return f"{words}. {command.text}".strip()
