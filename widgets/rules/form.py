"""One alarm rule as a form: whom it is for, how urgent, its figures, and what to do about its alarms."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from core.incidents.model import Priority, SourceKind
from core.incidents.rules.model import (
    DAY_S,
    AlarmRule,
    AppliesTo,
    Consequence,
    Escalation,
    Guidance,
    Limits,
    Link,
    RoleName,
    Suppression,
    TimeToRespond,
)
from widgets.base.symbols import PrioritySymbol
from widgets.base.theme import look, set_role
from widgets.rules.words import (
    CONSEQUENCE_WORDS,
    LINK_WORDS,
    TIME_WORDS,
    held_of,
    held_text,
    lines_of,
    windows_of,
    windows_text,
    words_of,
)
from widgets.scene.fields import (
    NumberField,
    choice_field,
    form_layout,
    show_checked,
    show_choice,
    show_text,
    text_field,
)

BY_DEFAULT = "as by default"
_UNSET = -1.0
_WEEK_S = 7 * DAY_S


class _Form(QScrollArea):
    """Rows under headings, in a column that scrolls up and down only.

    Signals:
        edited(): Something was changed by hand.
    """

    edited = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        self._body = QWidget(self)
        self._column = QVBoxLayout(self._body)
        self._column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 3)
        self._column.setSpacing(gap * 2)
        self._form: QFormLayout = form_layout()
        self.setWidget(self._body)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(name)

    def set_editable(self, is_editable: bool) -> None:
        """Let the rule be changed, or only read."""
        self._body.setEnabled(is_editable)

    def _section(self, words: str) -> None:
        heading = QLabel(words, self._body)
        set_role(heading, "heading")
        self._form = form_layout()
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self._column.addWidget(heading)
        self._column.addLayout(self._form)

    def _line(self, name: str, tip: str, max_length: int = 200) -> QLineEdit:
        field = text_field(name, max_length)
        field.setPlaceholderText(tip)
        field.textEdited.connect(lambda _text: self.edited.emit())
        self._form.addRow(name, field)
        return field

    def _text(self, name: str, tip: str, n_lines: int) -> QPlainTextEdit:
        field = QPlainTextEdit(self._body)
        field.setAccessibleName(name)
        field.setPlaceholderText(tip)
        field.setTabChangesFocus(True)
        field.setFixedHeight(field.fontMetrics().lineSpacing() * n_lines + look().sizes.gap * 5)
        field.textChanged.connect(self.edited)
        self._form.addRow(name, field)
        return field

    def _number(self, name: str, high: float, suffix: str, *, decimals: int = 0, low: float = 0.0) -> NumberField:
        field = NumberField(name, low, high, suffix, decimals=decimals)
        if low == _UNSET:
            field.setSpecialValueText(BY_DEFAULT)
        field.valueChanged.connect(lambda _value: self.edited.emit())
        self._form.addRow(name, field)
        return field

    def _check(self, name: str) -> QCheckBox:
        box = QCheckBox(name, self._body)
        box.toggled.connect(lambda _checked: self.edited.emit())
        self._form.addRow("", box)
        return box


class RuleForm(_Form):
    """Everything of a rule but its guidance."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Alarm rule", parent)
        self._build_who()
        self._build_raise()
        self._build_wait()
        self._build_held()
        self._column.addStretch(1)

    def _build_who(self) -> None:
        self._section("Which conditions, and how urgent")
        self._id = self._line("Id", "small letters, digits, - _ .", 64)
        self._title = self._line("Title", "{where} is the zone or the source; empty: as the source says", 120)
        self._kinds = self._line("Kinds", "all kinds")
        self._source_kinds = self._line("Source kinds", ", ".join(kind.value for kind in SourceKind))
        self._sources = self._line("Sources", "all sources, or their ids", 2000)
        self._tags = self._line("Tags", "none needed")
        self._quantities = self._line("Numbers", "all, or keys such as batteryLevel")
        self._consequence = choice_field("Consequence", self._body)
        self._consequence.addItem("as the source says", None)
        for consequence, words in CONSEQUENCE_WORDS.items():
            self._consequence.addItem(words, consequence)
        self._time = choice_field("Time to respond", self._body)
        self._time.addItem("as the source says", None)
        for time, words in TIME_WORDS.items():
            self._time.addItem(words, time)
        for choice in (self._consequence, self._time):
            choice.currentIndexChanged.connect(lambda _row: self.edited.emit())
        self._form.addRow("Consequence", self._consequence)
        self._form.addRow("Time to respond", self._time)
        self._symbol = PrioritySymbol(Priority.LOW, self._body)
        self._priority = QLabel(self._body)
        row = QHBoxLayout()
        row.setSpacing(look().sizes.gap * 2)
        row.addWidget(self._symbol)
        row.addWidget(self._priority, 1)
        self._form.addRow("Priority", row)
        self._expected = self._number("Expected per week", 10_000, "", decimals=2)

    def _build_raise(self) -> None:
        self._section("When it is raised and over")
        self._on_delay = self._number("On-delay", _WEEK_S, " s")
        self._off_delay = self._number("Off-delay", _WEEK_S, " s")
        self._n_raises = self._number("Count", 20, " times", low=1)
        self._window = self._number("Within", DAY_S, " s", low=1)
        self._limit = self._line("Limit", "none: as the kind of device says", 20)
        self._deadband = self._number("Deadband", 1_000_000, "", decimals=2)
        self._is_below = self._check("Raised below the limit")
        self._is_latching = self._check("Latches: stands until it is reset")
        self._reset_role = choice_field("Reset by", self._body)
        for role in RoleName:
            self._reset_role.addItem(role.value, role)
        self._reset_role.currentIndexChanged.connect(lambda _row: self.edited.emit())
        self._is_latching.toggled.connect(self._reset_role.setEnabled)
        self._form.addRow("Reset by", self._reset_role)
        self._fleeting = self._number("Fleeting below", _WEEK_S, " s")

    def _build_wait(self) -> None:
        self._section("While it waits")
        self._escalate = self._number("Escalate after", _WEEK_S, " s", low=_UNSET)
        self._roles = self._line("Desks called", "supervisor; or one role for each level, e.g. operator, supervisor")
        self._recipients = self._line("Names", "one for each level, e.g. shift leader, duty officer")
        self._realarm = self._number("Re-alarm after", _WEEK_S, " s", low=_UNSET)
        self._shelve = self._number("Longest shelving", _WEEK_S, " s", low=_UNSET)
        self._can_be_shelved = self._check("May be shelved")
        self._is_comment_needed = self._check("Acknowledge needs a comment")

    def _build_held(self) -> None:
        self._section("Suppressed by design")
        self._held = self._text("While", "camera-lost: camera_lost (same source)", 3)
        self._windows = self._text("Hours", "22:00-06:00 mon, tue", 2)

    def show_rule(self, rule: AlarmRule, *, is_new: bool) -> None:
        """Show a rule; the id of one that is in force stays."""
        with QSignalBlocker(self):
            self._id.setReadOnly(not is_new)
            show_text(self._id, rule.rule_id)
            show_text(self._title, rule.title)
            self._show_applies(rule.applies_to)
            show_choice(self._consequence, rule.consequence)
            show_choice(self._time, rule.time_to_respond)
            self._expected.show_value(rule.expected_per_week)
            self._show_limits(rule.limits)
            self._escalate.show_value(_shown(rule.escalation.after_s))
            show_text(self._roles, ", ".join(rule.escalation.roles))
            show_text(self._recipients, ", ".join(rule.escalation.recipients))
            _show_lines(self._held, held_text(rule.suppression.held_while))
            _show_lines(self._windows, windows_text(rule.suppression.windows))
            self._show_priority(rule)

    def focus_first(self) -> None:
        """Begin with the id: that is what a new rule needs first."""
        self._id.setFocus(Qt.FocusReason.OtherFocusReason)
        self._id.selectAll()

    def rule(self, before: AlarmRule) -> AlarmRule:
        """Return what the form says; the guidance of `before` stays.

        Raises:
            ValueError: With what cannot be read.
        """
        rule = replace(
            before,
            rule_id=self._id.text().strip(),
            title=self._title.text().strip(),
            applies_to=self._applies(),
            # Qt hands a string enumeration back as its text.
            consequence=Consequence(consequence) if (consequence := self._consequence.currentData()) else None,
            time_to_respond=TimeToRespond(time) if (time := self._time.currentData()) else None,
            limits=self._limits(),
            escalation=self._escalation(),
            suppression=Suppression(
                held_while=held_of(self._held.toPlainText()), windows=windows_of(self._windows.toPlainText())
            ),
            expected_per_week=self._expected.value(),
        )
        self._show_priority(rule)
        return rule

    def _show_priority(self, rule: AlarmRule) -> None:
        self._symbol.setVisible(rule.priority is not None)
        if rule.priority is not None:
            self._symbol.set_priority(rule.priority)
        words = "As the source says" if rule.priority is None else rule.priority.name.capitalize()
        self._priority.setText(words)

    def _show_applies(self, applies: AppliesTo) -> None:
        show_text(self._kinds, ", ".join(applies.kinds))
        show_text(self._source_kinds, ", ".join(applies.source_kinds))
        show_text(self._sources, ", ".join(applies.sources))
        show_text(self._tags, ", ".join(applies.tags))
        show_text(self._quantities, ", ".join(applies.quantities))

    def _applies(self) -> AppliesTo:
        kinds = words_of(self._source_kinds.text())
        unknown = [kind for kind in kinds if kind not in set(SourceKind)]
        if unknown:
            raise ValueError(f'"{unknown[0]}" is no kind of source: {", ".join(SourceKind)}.')
        return AppliesTo(
            kinds=words_of(self._kinds.text()),
            source_kinds=tuple(SourceKind(kind) for kind in kinds),
            sources=words_of(self._sources.text()),
            tags=words_of(self._tags.text()),
            quantities=words_of(self._quantities.text()),
        )

    def _escalation(self) -> Escalation:
        roles = words_of(self._roles.text())
        unknown = [role for role in roles if role not in set(RoleName)]
        if unknown:
            raise ValueError(f'"{unknown[0]}" is none of the roles {", ".join(RoleName)}.')
        return Escalation(
            after_s=_said(self._escalate),
            roles=tuple(RoleName(role) for role in roles),
            recipients=words_of(self._recipients.text()),
        )

    def _show_limits(self, limits: Limits) -> None:
        for field, value in (
            (self._on_delay, limits.on_delay_s),
            (self._off_delay, limits.off_delay_s),
            (self._n_raises, limits.n_raises),
            (self._window, limits.window_s),
            (self._deadband, limits.deadband),
            (self._fleeting, limits.fleeting_s),
            (self._realarm, _shown(limits.realarm_s)),
            (self._shelve, _shown(limits.shelve_max_s)),
        ):
            field.show_value(value)
        show_text(self._limit, "" if limits.limit is None else f"{limits.limit:g}")
        show_checked(self._is_below, limits.is_below)
        show_checked(self._is_latching, limits.is_latching)
        show_choice(self._reset_role, limits.reset_role)
        self._reset_role.setEnabled(limits.is_latching)
        show_checked(self._can_be_shelved, limits.can_be_shelved)
        show_checked(self._is_comment_needed, limits.is_comment_needed)

    def _limits(self) -> Limits:
        text = self._limit.text().strip()
        try:
            limit = float(text.replace(",", ".")) if text else None
        except ValueError:
            raise ValueError(f'The limit "{text}" is no number.') from None
        return Limits(
            on_delay_s=self._on_delay.value(),
            off_delay_s=self._off_delay.value(),
            n_raises=round(self._n_raises.value()),
            window_s=self._window.value(),
            limit=limit,
            deadband=self._deadband.value(),
            is_below=self._is_below.isChecked(),
            is_latching=self._is_latching.isChecked(),
            reset_role=self._chosen_reset_role(),
            is_comment_needed=self._is_comment_needed.isChecked(),
            can_be_shelved=self._can_be_shelved.isChecked(),
            shelve_max_s=_said(self._shelve),
            realarm_s=_said(self._realarm),
            fleeting_s=self._fleeting.value(),
        )

    def _chosen_reset_role(self) -> RoleName:
        """Return who may reset it; where nothing latches, nobody has to."""
        return RoleName(self._reset_role.currentData()) if self._is_latching.isChecked() else RoleName.OPERATOR


class GuidanceForm(_Form):
    """What an operator reads about an alarm of the rule, and the steps of its checklist."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Guidance of the alarm rule", parent)
        self._section("What an operator reads who never had this alarm")
        self._cause = self._text("Cause", "What is usually behind it", 3)
        self._action = self._text("What to do", "The first thing, then the rest", 4)
        self._time_allowed = self._number("Time allowed", _WEEK_S, " s", low=_UNSET)
        self._links: dict[Link, QCheckBox] = {}
        row = QHBoxLayout()
        for link, words in LINK_WORDS.items():
            if link is Link.PAGE:
                # It is there as soon as its address is.
                continue
            box = QCheckBox(words, self._body)
            box.toggled.connect(lambda _checked: self.edited.emit())
            row.addWidget(box)
            self._links[link] = box
        row.addStretch(1)
        self._form.addRow("Shown beside it", row)
        self._camera = self._line("Linked camera", "name or id; empty: the nearest one", 80)
        self._page = self._line("Page", "https://… of the site's handbook", 500)
        self._checklist = self._text("Checklist", "One step in each line; ticks go to the journal", 7)
        self._column.addStretch(1)

    def show_rule(self, rule: AlarmRule) -> None:
        """Show a rule's guidance."""
        guidance = rule.guidance
        with QSignalBlocker(self):
            _show_lines(self._cause, guidance.cause)
            _show_lines(self._action, guidance.action)
            self._time_allowed.show_value(_shown(guidance.time_allowed_s))
            for link, box in self._links.items():
                show_checked(box, link in guidance.links)
            show_text(self._camera, guidance.camera)
            show_text(self._page, guidance.page)
            _show_lines(self._checklist, "\n".join(guidance.checklist))

    def rule(self, before: AlarmRule) -> AlarmRule:
        """Return the rule with what the form says."""
        kept = [link for link in before.guidance.links if link is Link.PAGE or self._links[link].isChecked()]
        added = [link for link, box in self._links.items() if box.isChecked() and link not in kept]
        guidance = Guidance(
            cause=self._cause.toPlainText().strip(),
            action=self._action.toPlainText().strip(),
            time_allowed_s=_said(self._time_allowed),
            links=(*kept, *added),
            camera=self._camera.text().strip(),
            page=self._page.text().strip(),
            checklist=lines_of(self._checklist.toPlainText()),
        )
        return replace(before, guidance=guidance)


def _shown(value: float | None) -> float:
    return _UNSET if value is None else value


def _said(field: NumberField) -> float | None:
    return None if field.value() == _UNSET else field.value()


def _show_lines(field: QPlainTextEdit, text: str) -> None:
    """Show a text without telling anyone, and without moving the cursor of whoever types it."""
    if field.toPlainText().strip() != text.strip():
        with QSignalBlocker(field):
            field.setPlainText(text)
