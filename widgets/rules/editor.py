"""Change the alarm rules: choose one, change its form, see what differs, try it on history, save with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QLabel, QPushButton, QSplitter, QTabWidget, QVBoxLayout, QWidget

from core.access.model import Role
from core.incidents.rules.model import (
    AlarmRule,
    Guidance,
    RuleProblem,
    RuleReport,
    RuleSet,
    RulesInForce,
    RuleVersion,
    TrialRun,
)
from core.incidents.rules.text import check_rules, differences
from widgets.base.flow import FlowLayout
from widgets.base.focus import order_focus
from widgets.base.kept_draft import KeptDraft, closing_words
from widgets.base.search import SearchField
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.rules.changes import ChangesPage
from widgets.rules.form import GuidanceForm, RuleForm
from widgets.rules.history import HistoryPage
from widgets.rules.import_page import ImportPage
from widgets.rules.trial_page import TrialPage
from widgets.rules.words import limits_words, priority_words, rule_name
from widgets.scene.draft_offer import DraftOffer
from widgets.scene.notice import Answer, Notice

_COLUMNS = (Column(title="Alarm rule"), Column(title="P", is_figure=True), Column(title="Figures", rank=1))
_LEAST_EM = 13
"""Room for the names of the rules, in letters."""
_NEW_ID = "new_rule"
_NAME = "The alarm rules"


class RuleEditor(QWidget):
    """The list, the form and what can be done with them. / searches, Ctrl+S saves, Ctrl+T tries, Ctrl+N makes one.

    Signals:
        save_requested(RuleSet, int, str): Rules, version they began from, reason.
        try_requested(RuleSet, str, int): Rules, id of the one that is tried, days back.
        stop_requested(): End the trial that goes on, if one does.
        history_requested(): Answered by `show_history`.
        version_requested(int): Answered by `show_draft`.
        import_requested(), export_requested()
        draft_changed(): The draft is another one, or it is saved or discarded.
        opened(str): The rules in force are there.
    """

    save_requested = Signal(object, int, str)
    try_requested = Signal(object, str, int)
    stop_requested = Signal()
    history_requested = Signal()
    version_requested = Signal(int)
    import_requested = Signal()
    export_requested = Signal()
    draft_changed = Signal()
    opened = Signal(str)

    def __init__(self, pages: RulePages | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pages = pages or RulePages()
        self._in_force: RulesInForce | None = None
        self._draft = RuleSet()
        self._base_version = 0
        self._current_id = ""
        self._fault = ""
        self._role = Role.VIEWER
        self.draft_fault = ""
        """Why the draft cannot be kept on the disk; empty where it can."""

        self._build()
        order_focus(self)
        self.setFocusProxy(self._list)
        self._overlay = StateOverlay(self)
        self._overlay.show_state(PanelState.LOADING, "Loading the alarm rules")

    @property
    def draft(self) -> RuleSet:
        """The rules as they would be saved."""
        return self._draft

    @property
    def is_dirty(self) -> bool:
        """Whether something is changed and not saved."""
        return self._in_force is not None and bool(differences(self._in_force.rules, self._draft))

    @property
    def open_id(self) -> str:
        """What a draft is kept by; empty before the rules in force are there."""
        return "" if self._in_force is None else "alarm-rules"

    @property
    def may_edit(self) -> bool:
        """The rules may be changed here."""
        return self._role >= Role.SUPERVISOR

    @property
    def is_offering(self) -> bool:
        """A draft is offered, and nobody has answered yet, whatever is shown meanwhile."""
        return self._offer.is_open

    def saved_and_drawn(self) -> tuple[RuleSet, RuleSet]:
        """Return the rules in force, and the draft."""
        return self._draft if self._in_force is None else self._in_force.rules, self._draft

    def offer_draft(self, kept: KeptDraft[RuleSet], answered: Callable[[bool], None]) -> None:
        """Let what was changed here before and not saved be taken up, or discarded; `answered` hears which."""
        self._offer.begin(kept, lambda: _NAME[:1].lower() + _NAME[1:], answered)
        self._say_what_stands()

    def ask_before_closing(self, answered: Callable[[bool], None]) -> None:
        """Ask what becomes of what is not saved; `answered` hears whether the window is to be closed then."""

        def discard() -> None:
            self._on_discard()
            answered(True)

        def look() -> None:
            answered(False)
            self._on_save_key()

        answers: list[Answer] = [("Stay here", lambda: answered(False))]
        if self.may_edit:
            # Who may not edit may leave the draft of who may, and throws nothing of it away.
            answers[:0] = [("Save them with a reason", look), ("Discard them and close", discard)]
        self.notice.ask(closing_words(_NAME, self.draft_fault).replace(" has ", " have ", 1), answers)

    def show_in_force(self, in_force: RulesInForce) -> None:
        """Show the rules that the room follows; a draft that was begun stays, and says what it was begun from."""
        had_changes, is_first = self.is_dirty, self._in_force is None
        self._in_force = in_force
        self._overlay.clear()
        if had_changes and in_force.rules != self._draft:
            self._refresh()
            return
        self._draft, self._base_version = in_force.rules, in_force.version
        self.pages.changes.clear_reason()
        self._select(self._current_id)
        if is_first:
            self.opened.emit(self.open_id)

    def show_role(self, role: Role) -> None:
        """Let a supervisor change the rules, and everybody look."""
        self._role = role
        may = role >= Role.SUPERVISOR
        for form in (self.pages.form, self.pages.guidance):
            form.set_editable(may)
        for button in (self._new, self._copy, self._up, self._down, self._remove):
            button.setEnabled(may)
        self.pages.changes.set_editable(may)
        self._say_what_stands()

    def show_draft(self, rules: RuleSet) -> None:
        """Take rules as a draft: of the history, or of a document."""
        self._draft = rules
        if self._in_force is not None:
            self._base_version = self._in_force.version
        self._fault = ""
        self._select(self._current_id)
        self.pages.setCurrentWidget(self.pages.changes)

    def show_history(self, versions: tuple[RuleVersion, ...]) -> None:
        """Show what was saved."""
        self.pages.history.show_versions(versions)

    def show_report(self, file_name: str, report: RuleReport) -> None:
        """Show what a document says."""
        self.pages.document.show_report(file_name, report)
        self.pages.setCurrentWidget(self.pages.document)

    def show_trial(self, rule_id: str, run: TrialRun) -> None:
        """Show how far the trial of a rule is, or its result."""
        rule = self._draft.find(rule_id)
        self.pages.trial.show_run(rule_name(rule) if rule else rule_id, run)

    def show_refused(self, sentence: str) -> None:
        """Say why the node did not do what was asked."""
        self.pages.trial.show_nothing(sentence)
        self._status.setText(sentence)

    def select(self, rule_id: str) -> None:
        """Go to a rule."""
        self._search.clear()
        self._select(rule_id)

    # -- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        gap = look().sizes.gap
        split = QSplitter(Qt.Orientation.Horizontal, self)
        split.setChildrenCollapsible(False)
        split.addWidget(self._build_side())
        split.addWidget(self.pages)
        split.setStretchFactor(0, 2)
        split.setStretchFactor(1, 3)
        split.setSizes([400, 600])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, gap * 2, 0, 0)
        self.notice = Notice(self)
        self.notice.answered.connect(self._say_what_stands)
        self._offer: DraftOffer[RuleSet] = DraftOffer(
            self.notice, lambda: self.saved_and_drawn()[0], self.show_draft, self._in_the_way
        )
        column.addWidget(self.notice)
        column.addWidget(split, 1)
        pages = self.pages
        pages.form.edited.connect(self._on_edited)
        pages.guidance.edited.connect(self._on_edited)
        pages.changes.save_requested.connect(self._on_save)
        pages.changes.discard_requested.connect(self._on_discard)
        pages.trial.try_requested.connect(self._on_try)
        pages.trial.stop_requested.connect(self.stop_requested)
        pages.history.look_requested.connect(self.version_requested)
        pages.document.choose_requested.connect(self.import_requested)
        pages.document.export_requested.connect(self.export_requested)
        pages.document.take_requested.connect(self.show_draft)
        pages.currentChanged.connect(lambda _index: self._on_page())
        for key, call in (
            ("Ctrl+S", self._on_save_key),
            ("Ctrl+T", self._on_try_key),
            ("Ctrl+N", self._on_new),
            ("Ctrl+D", self._on_copy),
            ("Alt+Up", lambda: self._move(-1)),
            ("Alt+Down", lambda: self._move(1)),
        ):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(call)

    def _build_side(self) -> QWidget:
        gap = look().sizes.gap
        side = QWidget(self)
        side.setMinimumWidth(look().sizes.body * _LEAST_EM)
        self._search = SearchField("Search rules", self, side)
        self._search.query_changed.connect(lambda _text: self._show_list())
        self._list = TextTable("Alarm rules", _COLUMNS, side)
        self._list.selectionModel().currentRowChanged.connect(lambda *_: self._on_row())
        self._search.left.connect(self._list.setFocus)
        self._status = QLabel(side)
        self._status.setWordWrap(True)
        set_role(self._status, "caption")
        buttons = FlowLayout(gap)
        self._new = _quiet("New", "A rule of its own, before all others (Ctrl+N)", self._on_new, side)
        self._copy = _quiet("Copy", "A copy before it, e.g. for single sources (Ctrl+D)", self._on_copy, side)
        self._up = _quiet("Up", "The first rule that fits counts (Alt+Up)", lambda: self._move(-1), side)
        self._down = _quiet("Down", "The first rule that fits counts (Alt+Down)", lambda: self._move(1), side)
        self._remove = _quiet("Remove", "It counts once it is saved", self._on_remove, side)
        for button in (self._new, self._copy, self._up, self._down, self._remove):
            buttons.addWidget(button)
        column = QVBoxLayout(side)
        column.setContentsMargins(gap * 2, 0, 0, gap * 2)
        column.setSpacing(gap * 2)
        column.addWidget(self._search)
        column.addWidget(self._list, 1)
        column.addWidget(self._status)
        column.addLayout(buttons)
        return side

    # -- what is shown --------------------------------------------------------------------------------------------

    def _select(self, rule_id: str) -> None:
        known = self._draft.find(rule_id)
        if known is None and self._draft.rules:
            known = self._draft.rules[0]
        self._current_id = known.rule_id if known else ""
        self._show_list()
        self._show_form()
        self._refresh()

    def _show_list(self) -> None:
        words = self._search.text().strip().lower().split()
        changed = (
            set() if self._in_force is None else {d.rule_id for d in differences(self._in_force.rules, self._draft)}
        )
        lines = [
            Line(
                key=rule.rule_id,
                cells=(
                    f"{rule_name(rule)}{'  (changed)' if rule.rule_id in changed else ''}",
                    "--" if rule.priority is None else str(rule.priority.value),
                    limits_words(rule),
                ),
                tip=f"{rule.rule_id}, priority {priority_words(rule)}",
            )
            for rule in self._draft
            if all(word in _searched(rule) for word in words)
        ]
        self._list.selectionModel().blockSignals(True)
        self._list.show_lines(lines)
        row = next((row for row, line in enumerate(lines) if line.key == self._current_id), -1)
        if row >= 0:
            self._list.selectRow(row)
        self._list.selectionModel().blockSignals(False)
        self._list.viewport().update()

    def _show_form(self) -> None:
        rule = self._draft.find(self._current_id)
        self.pages.form.setVisible(rule is not None)
        if rule is not None:
            is_new = self._in_force is None or self._in_force.rules.find(rule.rule_id) is None
            self.pages.form.show_rule(rule, is_new=is_new)
            self.pages.guidance.show_rule(rule)

    def _refresh(self) -> None:
        if self._in_force is None:
            return
        found = differences(self._in_force.rules, self._draft)
        problems = check_rules(self._draft) if found else ()
        if self._fault:
            problems = (RuleProblem(line=0, rule_id=self._current_id, sentence=self._fault), *problems)
        self.pages.changes.show_changes(found, problems)
        self.pages.name_changes(len(found))
        version = self._in_force.version
        in_force = f"Version {version} is in force." if version else "The program's own rules are in force."
        if found and self._base_version != version:
            self._status.setText(f"{in_force} Your draft began from version {self._base_version}: discard or copy it.")
        elif self._fault:
            self._status.setText(self._fault)
        else:
            self._status.setText(f"{in_force} {len(found)} changed here, not saved." if found else in_force)
        if not found and not self._offer.is_shown:
            self.notice.clear()
        self._say_what_stands()
        self.draft_changed.emit()

    def _say_what_stands(self) -> None:
        """Keep an offer in sight, once what was said meanwhile is answered."""
        self._offer.show(self.may_edit)

    def _in_the_way(self) -> str:
        """Return what taking a draft up would throw away: here nothing can be undone."""
        return "What you changed since is replaced by the draft, and cannot be brought back." if self.is_dirty else ""

    # -- what the supervisor does ---------------------------------------------------------------------------------

    def _on_row(self) -> None:
        if self._list.current_key and self._list.current_key != self._current_id:
            self._current_id = self._list.current_key
            self._fault = ""
            self._show_form()
            self.stop_requested.emit()
            self.pages.trial.show_nothing("Not tried yet.")

    def _on_edited(self) -> None:
        before = self._draft.find(self._current_id)
        if before is None or self._role < Role.SUPERVISOR:
            return
        try:
            after = self.pages.guidance.rule(self.pages.form.rule(before))
        except ValueError as error:
            self._fault = str(error)
            self._refresh()
            return
        self._fault = ""
        self._draft = replace(self._draft, rules=tuple(after if rule is before else rule for rule in self._draft.rules))
        self._current_id = after.rule_id
        self._show_list()
        self._refresh()

    def _on_new(self) -> None:
        self._insert(AlarmRule(rule_id=self._free_id(_NEW_ID), guidance=Guidance(action="")), 0)

    def _on_copy(self) -> None:
        rule = self._draft.find(self._current_id)
        if rule is not None:
            self._insert(replace(rule, rule_id=self._free_id(rule.rule_id)), self._draft.rules.index(rule))

    def _insert(self, rule: AlarmRule, row: int) -> None:
        if self._role < Role.SUPERVISOR:
            return
        rules = self._draft.rules
        self._draft = replace(self._draft, rules=(*rules[:row], rule, *rules[row:]))
        self._search.clear()
        self._select(rule.rule_id)
        self.pages.setCurrentWidget(self.pages.form)
        self.pages.form.focus_first()

    def _free_id(self, wanted: str) -> str:
        known = {rule.rule_id for rule in self._draft}
        if wanted not in known:
            return wanted
        return next(name for number in range(2, len(known) + 3) if (name := f"{wanted}_{number}") not in known)

    def _on_remove(self) -> None:
        rule = self._draft.find(self._current_id)
        if rule is None or self._role < Role.SUPERVISOR:
            return
        row = self._draft.rules.index(rule)
        self._draft = replace(self._draft, rules=tuple(one for one in self._draft.rules if one is not rule))
        left = self._draft.rules
        self._select(left[min(row, len(left) - 1)].rule_id if left else "")

    def _move(self, step: int) -> None:
        rule = self._draft.find(self._current_id)
        if rule is None or self._role < Role.SUPERVISOR:
            return
        rules = list(self._draft.rules)
        row = rules.index(rule)
        to = row + step
        if 0 <= to < len(rules):
            rules[row], rules[to] = rules[to], rules[row]
            self._draft = replace(self._draft, rules=tuple(rules))
            self._select(rule.rule_id)

    def _on_page(self) -> None:
        if self.pages.currentWidget() is self.pages.history:
            self.history_requested.emit()

    def _on_save_key(self) -> None:
        self.pages.setCurrentWidget(self.pages.changes)
        self.pages.changes.save()

    def _on_save(self, reason: str) -> None:
        self.save_requested.emit(self._draft, self._base_version, reason)

    def _on_discard(self) -> None:
        if self._in_force is not None:
            self._draft, self._base_version, self._fault = self._in_force.rules, self._in_force.version, ""
            self._select(self._current_id)

    def _on_try_key(self) -> None:
        self.pages.setCurrentWidget(self.pages.trial)
        self.pages.trial.start()

    def _on_try(self, days: int) -> None:
        if self._current_id:
            self.try_requested.emit(self._draft, self._current_id, days)


class RulePages(QTabWidget):
    """What belongs to the selected rule, and to all of them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Alarm rule")
        self.tabBar().setAccessibleName("Pages of the alarm rules")
        set_role(self.tabBar(), "compact")
        self.form = RuleForm(self)
        self.guidance = GuidanceForm(self)
        self.trial = TrialPage(self)
        self.changes = ChangesPage(self)
        self.history = HistoryPage(self)
        self.document = ImportPage(self)
        for page, name in (
            (self.form, "Rule"),
            (self.guidance, "Guidance"),
            (self.trial, "Try"),
            (self.changes, "Changes"),
            (self.history, "History"),
            (self.document, "File"),
        ):
            self.addTab(page, name)

    def name_changes(self, n_changes: int) -> None:
        """Say on the tab how much is not saved."""
        self.setTabText(self.indexOf(self.changes), f"Changes ({n_changes})" if n_changes else "Changes")


def _quiet(words: str, tip: str, call: Callable[[], None], parent: QWidget) -> QPushButton:
    button = QPushButton(words, parent)
    button.setToolTip(tip)
    set_role(button, "quiet")
    button.clicked.connect(lambda: call())
    return button


def _searched(rule: AlarmRule) -> str:
    parts = (rule.rule_id, rule.title, *rule.applies_to.kinds, *rule.applies_to.sources, priority_words(rule))
    return " ".join(parts).lower()
