"""What to do about the selected alarm: cause, action, time allowed, and steps that are ticked into the journal."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from core.access.model import Role
from core.incidents.machine import Trigger
from core.incidents.model import Alarm, JournalEntry
from core.incidents.rules.book import RuleBook, shipped_book, tuning_of_rule
from core.incidents.rules.model import AlarmRule, Link, RulesInForce
from widgets.base.theme import look, set_role
from widgets.base.times import format_instant
from widgets.rules.words import LINK_WORDS, TIME_WORDS, duration_words

LINK_TIPS = {
    Link.CAMERA: "Show the camera of the rule, or else the nearest one, on the wall",
    Link.MAP: "Show the place in the middle of the map",
    Link.TREND: "Show half an hour before and after",
    Link.PAGE: "Open the page of the rule in the browser",
}


class AlarmGuidance(QWidget):
    """The guidance of the rule that an alarm follows.

    Signals:
        tick_requested(Alarm, str, bool): The alarm as it is shown, the step, and whether it is done.
        journal_requested(str): Alarm id: who ticked what, and when; answered by `show_journal`.
        link_requested(Alarm, Guidance, Link): Show what the rule links.
    """

    tick_requested = Signal(object, str, bool)
    journal_requested = Signal(str)
    link_requested = Signal(object, object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._book: RuleBook | None = None
        self._alarm: Alarm | None = None
        self._role = Role.VIEWER
        self._told: dict[str, str] = {}
        self._sent: set[str] = set()
        self._boxes: dict[str, QCheckBox] = {}
        self._marks: dict[str, QLabel] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look().sizes.gap)
        self._heading = _label("caption", self)
        self._action = _label("", self)
        self._cause = _label("secondary", self)
        self._steps = QVBoxLayout()
        self._steps.setSpacing(look().sizes.gap)
        self._links = {link: self._link_button(link) for link in Link}
        row = QHBoxLayout()
        row.setSpacing(look().sizes.gap)
        for button in self._links.values():
            row.addWidget(button)
        row.addStretch(1)
        for part in (self._heading, self._action, self._cause):
            column.addWidget(part)
        column.addLayout(row)
        column.addLayout(self._steps)

    @property
    def steps(self) -> dict[str, bool]:
        """The checklist as the operator sees it: whether each step is ticked."""
        return {step: box.isChecked() for step, box in self._boxes.items()}

    @property
    def next_step(self) -> QCheckBox | None:
        """The first box that is not ticked, else the last one; None where there is no checklist."""
        boxes = [box for box in self._boxes.values() if box.isEnabled()]
        return next((box for box in boxes if not box.isChecked()), boxes[-1] if boxes else None)

    def show_rules(self, in_force: RulesInForce) -> None:
        """Follow these rules."""
        self._book = RuleBook(in_force)
        if self._alarm is not None:
            self.show_alarm(self._alarm)

    def show_role(self, role: Role) -> None:
        """Let operators tick."""
        self._role = role
        self._refresh()

    def show_alarm(self, alarm: Alarm) -> None:
        """Show what to do about an alarm, or a newer version of the one that is shown."""
        before, self._alarm = self._alarm, alarm
        is_other = before is None or (before.alarm_id, before.occurrence) != (alarm.alarm_id, alarm.occurrence)
        if is_other:
            self._told = {}
        rule = self._rule_of(alarm)
        self._show_words(rule)
        self._show_steps(() if rule is None else rule.guidance.checklist)
        self._refresh()
        has_new_ticks = before is None or before.ticked != alarm.ticked
        if self._boxes and alarm.ticked and (is_other or has_new_ticks):
            self.journal_requested.emit(alarm.alarm_id)

    def show_journal(self, alarm_id: str, entries: Iterable[JournalEntry]) -> None:
        """Say who ticked each step, and when."""
        alarm = self._alarm
        if alarm is None or alarm.alarm_id != alarm_id:
            return
        for entry in entries:
            if entry.event == Trigger.TICK and entry.occurrence == alarm.occurrence:
                step = next((step for step in self._boxes if entry.comment.startswith(f"{step}: ")), "")
                at = f" · {entry.desk}" if entry.desk else ""
                self._told[step] = f"{entry.actor}{at}, {format_instant(entry.at)}"
        self._refresh()

    def show_refused(self, alarm_id: str) -> None:
        """A tick was refused: show the steps as they are."""
        if self._alarm is not None and self._alarm.alarm_id == alarm_id:
            self._refresh()

    def _rule_of(self, alarm: Alarm) -> AlarmRule | None:
        # Reading the shipped rules takes a while, and the rules in force are most often there first.
        self._book = self._book or shipped_book()
        return self._book.rule_of_alarm(alarm)

    def _show_words(self, rule: AlarmRule | None) -> None:
        if rule is None:
            self._heading.setText("What to do")
            self._action.setText("No rule says what to do about this alarm.")
            self._cause.hide()
            self._show_links(())
            return
        guidance = rule.guidance
        allowed = ""
        if guidance.time_allowed_s:
            allowed = f" within {duration_words(guidance.time_allowed_s)}"
        elif rule.time_to_respond is not None:
            allowed = f", {TIME_WORDS[rule.time_to_respond]}"
        self._heading.setText(f"What to do{allowed}")
        self._action.setText(guidance.action)
        self._show_links(guidance.shown)
        cause = f"Cause: {guidance.cause}" if guidance.cause else ""
        lines = (cause, self._escalation_words(rule))
        self._cause.setText("\n".join(line for line in lines if line))
        self._cause.setVisible(bool(self._cause.text()))

    def _escalation_words(self, rule: AlarmRule) -> str:
        """Say who is called next, or was called last, while nobody acknowledges."""
        alarm, tuning = self._alarm, tuning_of_rule(rule)
        if alarm is None or not alarm.is_calling:
            return ""
        level = alarm.escalation_level
        called = ", ".join(dict.fromkeys(tuning.escalation_words(one) for one in range(1, level + 1)))
        words = f"Called: {called}." if called else ""
        is_meant = bool(rule.escalation.recipients or rule.escalation.roles or tuning.escalate_s[alarm.priority])
        if level >= tuning.max_escalation or not is_meant:
            return words
        return f"{words} Next: {tuning.escalation_words(level + 1)}.".strip()

    def _link_button(self, link: Link) -> QPushButton:
        button = QPushButton(LINK_WORDS[link], self)
        button.setAccessibleName(f"Show {LINK_WORDS[link].lower()}")
        button.setToolTip(LINK_TIPS[link])
        button.clicked.connect(lambda: self._on_link(link))
        button.hide()
        return button

    def _show_links(self, links: tuple[Link, ...]) -> None:
        for link, button in self._links.items():
            button.setVisible(link in links)

    def _on_link(self, link: Link) -> None:
        rule = None if self._alarm is None else self._rule_of(self._alarm)
        if rule is not None:
            self.link_requested.emit(self._alarm, rule.guidance, link)

    def _show_steps(self, steps: tuple[str, ...]) -> None:
        if tuple(self._boxes) == steps:
            return
        for widget in (*self._boxes.values(), *self._marks.values()):
            self._steps.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self._boxes, self._marks = {}, {}
        for step in steps:
            box, mark = QCheckBox(step, self), _label("caption", self)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            box.setToolTip(step)
            box.clicked.connect(lambda is_done, step=step: self._on_clicked(step, is_done))
            self._steps.addWidget(box)
            self._steps.addWidget(mark)
            self._boxes[step], self._marks[step] = box, mark

    def _refresh(self) -> None:
        alarm = self._alarm
        if alarm is None:
            return
        self._sent.clear()
        for step, box in self._boxes.items():
            with QSignalBlocker(box):
                box.setChecked(step in alarm.ticked)
            box.setEnabled(alarm.is_open and self._role >= Role.OPERATOR)
            who = self._told.get(step, "") if step in alarm.ticked else ""
            self._marks[step].setText(who)
            self._marks[step].setVisible(bool(who))
            box.setAccessibleDescription(who)

    def _on_clicked(self, step: str, is_done: bool) -> None:
        if self._alarm is None or step in self._sent:
            with QSignalBlocker(self._boxes[step]):
                self._boxes[step].setChecked(not is_done)
            return
        # It counts when the committed event comes back, here as on every other console. The box stays enabled: the keys
        # would leave it else.
        self._sent.add(step)
        self._marks[step].setText("sent…")
        self._marks[step].show()
        self.tick_requested.emit(self._alarm, step, is_done)


def _label(role: str, parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        set_role(label, role)
    return label
