"""Alarm rules: which conditions call, how urgently, and what to do; changed by supervisors, with a reason."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from app.drafts import DraftKeeper
from app.panel import Area, Making, PanelInfo, Perspective
from app.room import Room
from core.incidents.rules.model import RuleReport, RuleSet, RulesInForce, RuleVersion, TrialRun, TrialState
from core.kernel.errors import ConsoleError
from core.kernel.yaml_text import MAX_CHARACTERS
from widgets.base.file_dialogs import ask_file, ask_target
from widgets.rules.editor import RuleEditor, RulePages

FILES = "Alarm rules (*.yaml *.yml)"
FILE_NAME = "alarm-rules.yaml"
POLL_MS = 300


def create(room: Room) -> Making:
    """Build the pages, then the editor around them, and connect it."""
    pages = RulePages()
    yield
    editor = RuleEditor(pages)
    yield
    return _connect(editor, room)


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

    def on_history() -> None:
        room.ask("rules.history", tuple[RuleVersion, ...], then=editor.show_history, refused=refused)

    def on_version(version: int) -> None:
        room.ask("rules.at", RuleSet, then=editor.show_draft, refused=refused, version=version)

    def on_import() -> None:
        ask_file(editor, "Import alarm rules", FILES, lambda file: _import(room, editor, file))

    def on_export() -> None:
        ask_target(editor, "Export alarm rules", FILE_NAME, FILES, lambda file: _export(room, file))

    live.rules_changed.connect(on_rules)
    room.role_changed.connect(editor.show_role)
    editor.save_requested.connect(on_save)
    _Trial(room, editor)
    editor.history_requested.connect(on_history)
    editor.version_requested.connect(on_version)
    editor.import_requested.connect(on_import)
    editor.export_requested.connect(on_export)
    room.selected.connect(lambda kind, item_id: editor.select(item_id) if kind == "rule" else None)
    editor.show_role(room.role)
    DraftKeeper(room, editor, "rules", RuleSet, editor)
    on_rules()
    return editor


class _Trial(QObject):
    """Has the node try a rule, and asks how far it is; goes with its editor."""

    def __init__(self, room: Room, editor: RuleEditor) -> None:
        super().__init__(editor)
        self._room, self._editor = room, editor
        self._order = 0
        self._rule_id = self._trial_id = ""
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._on_poll)
        editor.try_requested.connect(self._on_try)
        editor.stop_requested.connect(self._on_stop)
        room.closing.connect(self._on_stop)

    def _on_try(self, rules: RuleSet, rule_id: str, days: int) -> None:
        self._on_stop()
        self._rule_id = rule_id
        order, until = self._order, self._room.clock.now()

        def started(trial_id: str) -> None:
            if order != self._order:
                self._end(trial_id)
                return
            self._trial_id = trial_id
            self._poll.start()

        self._room.ask(
            "rules.try",
            str,
            then=started,
            refused=partial(self._on_refused, order),
            rules=rules,
            rule_id=rule_id,
            since=until - timedelta(days=days),
            until=until,
        )

    def _on_poll(self) -> None:
        self._room.ask(
            "rules.trial",
            TrialRun,
            then=self._on_run,
            refused=partial(self._on_refused, self._order),
            trial_id=self._trial_id,
        )

    def _on_run(self, run: TrialRun) -> None:
        if run.trial_id != self._trial_id:
            return
        self._editor.show_trial(self._rule_id, run)
        if run.state is not TrialState.RUNNING:
            self._forget()

    def _on_stop(self) -> None:
        trial_id, rule_id = self._trial_id, self._rule_id
        self._forget()
        if rule_id:
            self._editor.show_trial(rule_id, TrialRun(trial_id=trial_id, state=TrialState.CANCELLED))
        if trial_id:
            self._end(trial_id)

    def _on_refused(self, order: int, error: ConsoleError) -> None:
        if order == self._order:
            self._forget()
            self._editor.show_refused(f"{error.message} {error.hint}".strip())

    def _end(self, trial_id: str) -> None:
        self._room.ask("rules.stop_trial", trial_id=trial_id, refused=lambda _error: None)

    def _forget(self) -> None:
        self._poll.stop()
        self._order += 1
        self._rule_id = self._trial_id = ""


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
