"""One thing done with many devices: what it is, how far it is, and what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QCompleter,
    QFormLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.access.model import Role
from core.field.device_list import MAX_NAME_LENGTH, read_site, tags_of
from core.field.sheet import OfferedCommand
from core.kernel.errors import BadInputError
from widgets.base.conditions import Condition
from widgets.base.file_dialogs import ask_folder
from widgets.base.flow import FlowLayout
from widgets.base.hold_button import HoldButton
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role, wear_sheet
from widgets.devices.command_fields import CommandFields
from widgets.devices.details import ROLE_TO_CHANGE, allow
from widgets.devices.rows import DeviceRow
from widgets.scene.fields import form_layout, text_field


class BulkTask(Enum):
    """What is asked for on a page of its own before it is done with many."""

    EDIT = "Edit"
    COMMAND = "Command"
    CERTIFICATES = "Certificates"

    @property
    def role(self) -> Role:
        """Who may do it; the node asks again."""
        return Role.OPERATOR if self is BulkTask.COMMAND else ROLE_TO_CHANGE

    @property
    def tip(self) -> str:
        """What it does."""
        return {
            BulkTask.EDIT: "Move what is chosen to a site, add tags or take them away",
            BulkTask.COMMAND: "Send one command to all that are chosen",
            BulkTask.CERTIFICATES: "Issue a certificate for each that is chosen",
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkEdit:
    """What is to be changed of many; a site of None is left as it is."""

    site: str | None
    added_tags: tuple[str, ...]
    removed_tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """What became of one of many.

    Attributes:
        text: A sentence or a word.
        condition: `OK` where it was done, `WAITING` while it goes on; others stand first in the list.
    """

    item_id: str
    name: str
    text: str
    condition: Condition


_N_SHORT = 16
_ORDER = {Condition.OK: 2, Condition.WAITING: 1}


class _EditForm(QWidget):
    """Site and tags.

    Signals:
        edit_requested(object): A `BulkEdit`.
        refused(str): What is wrong with what was typed.
    """

    edit_requested = Signal(object)
    refused = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._moves = QCheckBox("Move to the site", self)
        self._site = text_field("Site", MAX_NAME_LENGTH)
        self._site.setPlaceholderText("Empty takes them out of their sites")
        self._site.textEdited.connect(lambda _text: self._moves.setChecked(True))
        self._added = text_field("Add tags", 500)
        self._added.setPlaceholderText("With commas between them")
        self._removed = text_field("Take tags away", 500)
        self._removed.setPlaceholderText("With commas between them")
        self._change = QPushButton("Change them", self)
        set_role(self._change, "primary")
        self._change.clicked.connect(self._on_change)
        form = form_layout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow(self._moves, self._site)
        form.addRow("Add tags", self._added)
        form.addRow("Take tags away", self._removed)
        form.addRow("", self._change)
        self.setLayout(form)
        for line in (self._site, self._added, self._removed):
            line.returnPressed.connect(self._on_change)
        self.setFocusProxy(self._site)

    def start(self, sites: Iterable[str]) -> None:
        """Begin with empty fields; `sites` are offered while one types."""
        completer = QCompleter(sorted(sites), self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._site.setCompleter(completer)
        offered = completer.popup()
        assert offered is not None  # It is a window of its own, outside the one that wears the style sheet.
        wear_sheet(offered)
        self._moves.setChecked(False)
        for line in (self._site, self._added, self._removed):
            line.clear()

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do."""
        allow(self._change, role, BulkTask.EDIT.role, "Enter")

    def _on_change(self) -> None:
        if not self._change.isEnabled():
            return
        try:
            edit = BulkEdit(
                site=read_site(self._site.text()) if self._moves.isChecked() else None,
                added_tags=tags_of(self._added.text()),
                removed_tags=tags_of(self._removed.text()),
            )
        except BadInputError as error:
            self.refused.emit(error.message)
            return
        if edit.site is None and not edit.added_tags and not edit.removed_tags:
            self.refused.emit("Nothing is to be changed: write a site or a tag.")
            return
        self.edit_requested.emit(edit)


class _CommandPart(QWidget):
    """One command for all.

    Signals:
        send_requested(object): A `CommandWish`.
        refused(str): What is wrong with what was typed.
    """

    send_requested = Signal(object)
    refused = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._role: Role | None = None
        self._fields = CommandFields(self)
        self._send = HoldButton("Hold to send", self)
        self._send.confirmed.connect(self._on_send)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(look().sizes.gap * 2)
        rows.addWidget(self._fields)
        rows.addWidget(self._send, 0, Qt.AlignmentFlag.AlignLeft)
        self.setFocusProxy(self._fields)

    def show_offered(self, offered: Sequence[OfferedCommand]) -> None:
        """Offer what at least one of them obeys."""
        self._fields.show_offered(offered, "None of them offers one")
        self.show_role(self._role)

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do."""
        self._role = role
        allow(self._send, role, BulkTask.COMMAND.role, "Hold for a second, or press Ctrl+Enter")
        if not self._fields.has_offer:
            self._send.setEnabled(False)

    def _on_send(self) -> None:
        wish, trouble = self._fields.read()
        if wish is None:
            self.refused.emit(trouble)
        else:
            self.send_requested.emit(wish)


class _CertificatePart(QWidget):
    """Certificates for all.

    Signals:
        issue_requested(str): Folder in which the files shall lie.
    """

    issue_requested = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        explained = QLabel(
            "Each device gets a certificate and a key of its own; the one it had no longer counts when the broker next "
            "reads its files. The keys are shown to nobody and lie nowhere else than in the folder you choose.",
            self,
        )
        explained.setWordWrap(True)
        self._issue = QPushButton("Choose a folder and issue", self)
        self._issue.clicked.connect(self._on_issue)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(look().sizes.gap * 2)
        rows.addWidget(explained)
        rows.addWidget(self._issue, 0, Qt.AlignmentFlag.AlignLeft)
        self.setFocusProxy(self._issue)

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do."""
        allow(self._issue, role, BulkTask.CERTIFICATES.role, "Choose where the files shall lie")

    def _on_issue(self) -> None:
        ask_folder(self, "Choose a folder for the certificates", self.issue_requested.emit)


class BulkPage(QWidget):
    """Asks for what is needed, then lists what became of each; what was not done stands first.

    Signals:
        edit_requested(object): A `BulkEdit`.
        send_requested(object): A `CommandWish`.
        issue_requested(str): Folder for the files of certificates.
        undo_requested()
        stop_requested()
        left()
    """

    edit_requested = Signal(object)
    send_requested = Signal(object)
    issue_requested = Signal(str)
    undo_requested = Signal()
    stop_requested = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_working = self._can_undo = False
        self._texts: dict[str, str] = {}
        gap = look().sizes.gap
        self._title = QLabel(self)
        set_role(self._title, "title")
        self._edit, self._command, self._certificates = _EditForm(self), _CommandPart(self), _CertificatePart(self)
        self._edit.edit_requested.connect(self.edit_requested)
        self._command.send_requested.connect(self.send_requested)
        self._certificates.issue_requested.connect(self.issue_requested)
        for form in (self._edit, self._command):
            form.refused.connect(self.show_refused)
        self._parts: dict[BulkTask, QWidget] = {
            BulkTask.EDIT: self._edit,
            BulkTask.COMMAND: self._command,
            BulkTask.CERTIFICATES: self._certificates,
        }
        self._said = QLabel(self)
        self._said.setWordWrap(True)
        self._said.setTextFormat(Qt.TextFormat.PlainText)
        self._said.setAccessibleName("What became of it")
        self._progress = QProgressBar(self)
        self._progress.setAccessibleName("Devices done so far")
        self._progress.setTextVisible(False)
        self.table = TextTable(
            "What became of each device",
            (Column(title="Device"), Column(title="Result"), Column(title="Identifier", rank=1)),
            self,
        )
        self.table.selectionModel().currentChanged.connect(lambda *_: self._say_chosen())
        self._about = QLabel(self)
        self._about.setWordWrap(True)
        self._about.setTextFormat(Qt.TextFormat.PlainText)
        self._about.setAccessibleName("What became of the chosen device")
        self._stop = QPushButton("Stop", self)
        self._stop.clicked.connect(self.stop_requested)
        self._undo = QPushButton("Undo", self)
        self._undo.clicked.connect(self.undo_requested)
        self._leave = QPushButton("Back to the devices", self)
        self._leave.clicked.connect(self.left)
        buttons = FlowLayout(gap * 2)
        for button in (self._stop, self._undo, self._leave):
            buttons.addWidget(button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(gap * 3, gap * 3, gap * 3, gap * 3)
        rows.setSpacing(gap * 2)
        for widget in (self._title, *self._parts.values(), self._said, self._progress):
            rows.addWidget(widget)
        rows.addWidget(self.table, 1)
        rows.addWidget(self._about)
        rows.addLayout(buttons)
        rows.addStretch(0)
        self._show_part(None)
        self._refresh()

    @property
    def said(self) -> str:
        """What became of it."""
        return self._said.text()

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node decides."""
        for part in (self._edit, self._command, self._certificates):
            part.show_role(role)

    def start(self, task: BulkTask, rows: Sequence[DeviceRow], sites: Iterable[str]) -> None:
        """Ask for what is to be done with these."""
        words = {BulkTask.EDIT: "Edit", BulkTask.COMMAND: "Command to", BulkTask.CERTIFICATES: "Certificates for"}
        self._title.setText(f"{words[task]} {len(rows):,} devices")
        if task is BulkTask.EDIT:
            self._edit.start(sites)
        self._show_part(task)
        self._is_working = self._can_undo = False
        self._said.setText("")
        self.show_results(())
        self.setFocusProxy(self._parts[task])

    def show_report(self) -> None:
        """Show nothing but what became of the last thing that was done."""
        self._title.setText("What became of each device")
        self._show_part(None)
        self.setFocusProxy(self.table)

    def show_offered(self, offered: Sequence[OfferedCommand]) -> None:
        """Offer what at least one of the chosen devices obeys."""
        self._command.show_offered(offered)

    def show_refused(self, sentence: str) -> None:
        """Say why nothing was done."""
        self._said.setText(sentence)
        self._refresh()

    def show_progress(self, n_done: int, n_all: int) -> None:
        """So many were done."""
        self._is_working, self._can_undo = n_done < n_all, False
        self._progress.setRange(0, max(1, n_all))
        self._progress.setValue(n_done)
        self._said.setText(f"{n_done:,} of {n_all:,}")
        self._refresh()

    def show_results(self, results: Iterable[BulkResult]) -> None:
        """List what became of each, what was not done first."""
        ordered = sorted(results, key=lambda one: (_ORDER.get(one.condition, 0), one.name, one.item_id))
        self.table.show_lines(
            [
                Line(
                    key=one.item_id,
                    cells=(one.name, _short(one.text), one.item_id),
                    condition=one.condition,
                    tip=f"{one.name} ({one.item_id})\n{one.text}",
                )
                for one in ordered
            ]
        )
        self._texts = {one.item_id: f"{one.name}: {one.text}" for one in ordered}
        self._say_chosen()
        self._refresh()

    def show_done(self, sentence: str, *, can_undo: bool) -> None:
        """Say what became of all."""
        self._is_working, self._can_undo = False, can_undo
        self._said.setText(sentence)
        self._refresh()

    def _show_part(self, task: BulkTask | None) -> None:
        for one, part in self._parts.items():
            part.setVisible(one is task)

    def _say_chosen(self) -> None:
        """Say in full what became of the chosen device; the table has room for its first words."""
        self._about.setText(self._texts.get(self.table.current_key, ""))
        self._about.setVisible(bool(self._about.text()))

    def _refresh(self) -> None:
        for part in self._parts.values():
            part.setEnabled(not self._is_working)
        self._said.setVisible(bool(self._said.text()))
        self._progress.setVisible(self._is_working)
        self._stop.setVisible(self._is_working)
        self._undo.setVisible(self._can_undo)
        self.table.setVisible(bool(self.table.lines))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc stops what goes on, or leaves."""
        if event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self._is_working:
            self.stop_requested.emit()
        else:
            self.left.emit()


def _short(text: str) -> str:
    return text if len(text) <= _N_SHORT else f"{text[: _N_SHORT - 1].rstrip()}…"
