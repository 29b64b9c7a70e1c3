"""Alarm rules: which conditions call, how urgently, and what to do; changed by supervisors, with a reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from app.panel import Area, PanelInfo, Perspective
from app.room import Room
from core.incidents.rules.model import RuleReport, RuleSet, RulesInForce, RuleVersion, TrialReport
from core.kernel.errors import ConsoleError
from core.kernel.yaml_text import MAX_CHARACTERS
from widgets.rules.editor import RuleEditor

FILE_NAME = "alarm-rules.yaml"


def create(room: Room) -> QWidget:
    """Build the editor and connect it."""
    return _connect(RuleEditor(), room)


def _connect(editor: RuleEditor, room: Room) -> QWidget:
    live = room.live

    def on_rules() -> None:
        if live.rules is not None:
            editor.show_in_force(live.rules)

    def refused(error: ConsoleError) -> None:
        editor.show_refused(f"{error.message} {error.hint}".strip())

    def on_save(rules: RuleSet, version: int, reason: str) -> None:
        def saved(in_force: RulesInForce) -> None:
            live.rules = in_force
            editor.show_in_force(in_force)
            room.toast(f"Version {in_force.version} of the alarm rules is in force.")

        room.ask("rules.save", RulesInForce, then=saved, rules=rules, version=version, reason=reason)

    def on_try(rules: RuleSet, rule_id: str, days: int) -> None:
        until = datetime.now(UTC)
        room.ask(
            "rules.try",
            TrialReport,
            then=editor.show_trial,
            refused=refused,
            rules=rules,
            rule_id=rule_id,
            since=until - timedelta(days=days),
            until=until,
        )

    def on_history() -> None:
        room.ask("rules.history", tuple[RuleVersion, ...], then=editor.show_history, refused=refused)

    def on_version(version: int) -> None:
        room.ask("rules.at", RuleSet, then=editor.show_draft, refused=refused, version=version)

    def on_import() -> None:
        _ask_file(editor, QFileDialog.AcceptMode.AcceptOpen, lambda file: _import(room, editor, file))

    def on_export() -> None:
        _ask_file(editor, QFileDialog.AcceptMode.AcceptSave, lambda file: _export(room, file))

    live.rules_changed.connect(on_rules)
    room.role_changed.connect(editor.show_role)
    editor.save_requested.connect(on_save)
    editor.try_requested.connect(on_try)
    editor.history_requested.connect(on_history)
    editor.version_requested.connect(on_version)
    editor.import_requested.connect(on_import)
    editor.export_requested.connect(on_export)
    room.selected.connect(lambda kind, item_id: editor.select(item_id) if kind == "rule" else None)
    editor.show_role(room.role)
    on_rules()
    return editor


def _import(room: Room, editor: RuleEditor, file: Path) -> None:
    try:
        text = file.read_bytes()[: MAX_CHARACTERS + 1].decode("utf-8", "replace")
    except OSError as error:
        room.toast(f"{file.name} cannot be read: {error.strerror}.", "Choose another file.")
        return
    room.ask("rules.check", RuleReport, then=lambda report: editor.show_report(file.name, report), text=text)


def _export(room: Room, file: Path) -> None:
    def write(text: str) -> None:
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            room.toast(f"{file.name} cannot be written: {error.strerror}.", "Choose another folder.")
            return
        room.toast(f"The alarm rules are in {file.name}.")

    room.ask("rules.export", str, then=write)


def _ask_file(parent: QWidget, mode: QFileDialog.AcceptMode, take: Callable[[Path], None]) -> None:
    is_open = mode is QFileDialog.AcceptMode.AcceptOpen
    dialog = QFileDialog(parent, f"{'Import' if is_open else 'Export'} alarm rules", "", "Alarm rules (*.yaml *.yml)")
    dialog.setAcceptMode(mode)
    if not is_open:
        dialog.setDefaultSuffix("yaml")
        dialog.selectFile(FILE_NAME)
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    dialog.fileSelected.connect(lambda name: take(Path(name)))
    dialog.finished.connect(dialog.deleteLater)
    # Beside the room, not in front of it: alarms can be answered meanwhile.
    dialog.setModal(False)
    dialog.show()


PANEL = PanelInfo(
    key="rules",
    title="Rules",
    create=create,
    area=Area.CENTER,
    shortcut="Ctrl+Shift+U",
    icon="settings",
    order=7,
    perspectives=frozenset({Perspective.ALARMS}),
)
