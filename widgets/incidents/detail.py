"""One incident whole: how it stands, what is done next, and all that happened, with its alarms and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from core.access.model import Role
from core.incidents.model import Alarm, Incident, PictureCall, Priority
from core.incidents.work import IncidentDetail, Publication, Step, TimelineEntry, Unit, steps_from, timers_of
from widgets.alarms.detail import CommentField, Snapshot
from widgets.alarms.order import STATE_WORDS
from widgets.base.flow import FlowLayout
from widgets.base.labels import ElidedLabel
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.symbols import PrioritySymbol
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_clock, format_instant, format_raised
from widgets.incidents.choice import Answer, ChoiceList
from widgets.incidents.model import assigned_words, status_words
from widgets.incidents.timers import TimerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing an operator can do about an incident, by button and by key.

    Attributes:
        step: That the table of steps must know from the incident's state; None where it is always there.
        is_main: It has a button of its own; the others stand in the menu.
    """

    key: str
    words: str
    tip: str
    step: Step | None = None
    is_main: bool = True


ACTIONS = (
    Action(key="A", words="Assign", tip="To a unit, to yourself or to another operator", step=Step.ASSIGN),
    Action(key="E", words="En route", tip="The unit is on its way", step=Step.DEPART),
    Action(key="S", words="On scene", tip="The unit is there", step=Step.ARRIVE),
    Action(key="R", words="Resolve", tip="Nothing more is to be done on the road", step=Step.RESOLVE),
    Action(key="X", words="Close", tip="Say what became of it", step=Step.CLOSE),
    Action(key="Z", words="Open again", tip="With a comment that says why", step=Step.REOPEN),
    Action(key="L", words="Attach alarm", tip="Let another alarm count to it", step=Step.ATTACH, is_main=False),
    Action(
        key="P",
        words="Publish",
        tip="Send it out as CAP; again, it is an update or a cancel",
        step=Step.PUBLISH,
        is_main=False,
    ),
    Action(key="G", words="Go to", tip="Show its camera and its place on the map", is_main=False),
)
_TIMELINE = (Column(title="What"), Column(title="Time"), Column(title="Who", rank=1))
_ALARMS = (Column(title="Alarm"), Column(title="State"), Column(title="Raised", rank=1))
_TALL_EM = 22


class IncidentView(QWidget):
    """Head, timers, actions, the comment that goes with the next step, and three tabs.

    Signals:
        action_requested(str): Key of one of `ACTIONS`.
        comment_entered(str): Enter in the comment field.
        chosen(str): The answer to what `choose` asked.
        choice_left(): Esc took the question back.
        detach_requested(str): Alarm id; Delete in the list of alarms.
        picture_requested(str): Which of `IncidentDetail.pictures` is wanted.
        left(): Back to the list.
    """

    action_requested = Signal(str)
    comment_entered = Signal(str)
    chosen = Signal(str)
    choice_left = Signal()
    detach_requested = Signal(str)
    picture_requested = Signal(str)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._incident: Incident | None = None
        self._publication: Publication | None = None
        self._pictures: tuple[str, ...] = ()
        self._picture_calls: dict[str, PictureCall | None] = {}
        self._shown_picture = ""
        self._build()
        self._overlay = StateOverlay(self)
        self.show_none()

    @property
    def comment_draft(self) -> str:
        """What stands in the comment field; it goes along with the next step."""
        return self._comment.text().strip()

    @property
    def timeline(self) -> tuple[Line, ...]:
        """What the operator reads of what happened."""
        return self._timeline.lines

    @property
    def choice(self) -> ChoiceList:
        """The question that is asked in place."""
        return self._choice

    @property
    def has_picture(self) -> bool:
        """A picture is shown."""
        return self._picture.has_picture

    def show_incident(self, incident: Incident, units: Mapping[str, Unit], role: Role, now: datetime) -> None:
        """Show an incident, or a newer version of the one that is shown."""
        is_other = self._incident is None or self._incident.incident_id != incident.incident_id
        self._incident = incident
        if is_other:
            self._comment.clear()
            self._choice.close_question()
            self._timeline.show_lines(())
            self._alarms.show_lines(())
            self._pictures, self._shown_picture = (), ""
            self._say_picture_of(None)
            self._publication = None
            self._picture.show_nothing("No picture")
            self.say("")
        self._overlay.clear()
        self._symbol.set_priority(incident.priority)
        self._symbol.set_hollow(incident.is_closed)
        self._title.setText(incident.title)
        who = assigned_words(incident, units)
        parts = (status_words(incident), who, incident.source_name, format_raised(incident.began_at, now))
        self._facts.setText("  ·  ".join(part for part in parts if part))
        self._facts.setToolTip(format_instant(incident.began_at))
        self._text.setText(incident.text)
        self._text.setVisible(bool(incident.text))
        self.show_time(now)
        self._show_actions(incident, role)

    def show_detail(self, detail: IncidentDetail) -> None:
        """Show timeline, alarms and pictures, if it is still the one that is looked at."""
        if self._incident is None or detail.incident.incident_id != self._incident.incident_id:
            return
        self._timeline.show_lines([_entry_line(number, entry) for number, entry in enumerate(detail.timeline)][::-1])
        self._alarms.show_lines([_alarm_line(alarm) for alarm in detail.alarms])
        self._tabs.setTabText(1, f"Alarms ({len(detail.alarms)})")
        has_others = detail.pictures != self._pictures
        self._pictures = detail.pictures
        self._picture_calls = dict(zip(detail.pictures, detail.picture_calls, strict=False))
        self._tabs.setTabText(2, f"Pictures ({len(detail.pictures)})")
        self._publication = detail.published
        if detail.pictures and has_others:
            # A call that joined it brought another one, which is shown first.
            self._want_picture(detail.pictures[0])

    def show_picture(self, incident_id: str, content: bytes) -> None:
        """Show a picture, if it is the one that is wanted."""
        if incident_id == self._shown_picture:
            if content:
                self._picture.show_picture(content)
            else:
                self._picture.show_nothing("This picture is gone.")

    def show_no_picture(self, incident_id: str, sentence: str) -> None:
        """Say why a picture is not shown, if it is the one that is wanted."""
        if incident_id == self._shown_picture:
            self._picture.show_nothing(sentence)

    @property
    def picture_words(self) -> str:
        """Which call the picture shows, as the operator reads it; empty where nobody noted it."""
        return self._picture_call.text()

    @property
    def published(self) -> str:
        """What the operator reads of what others were told."""
        return self._published.text()

    def show_time(self, now: datetime) -> None:
        """Let the timers go on, and what others were told grow old."""
        if self._incident is None:
            return
        self._timers.show_timers(timers_of(self._incident, now))
        words = "" if self._publication is None else _published_words(self._publication, self._incident, now)
        self._published.setText(words)
        self._published.setVisible(bool(words))

    def show_none(self) -> None:
        """Say that nothing is selected."""
        self._incident = None
        self._overlay.show_state(PanelState.EMPTY, "No incident selected", "O opens a new one.")

    def choose(self, question: str, answers: Sequence[Answer]) -> None:
        """Ask in place; where there is nothing to choose from, say so."""
        if not answers:
            self.say(question)
            return
        self.say("")
        self._tabs.hide()
        self._choice.ask(question, answers)

    def say(self, sentence: str) -> None:
        """Show a sentence below the actions; nothing takes it away again."""
        self._note.setText(sentence)
        self._note.setVisible(bool(sentence))

    def focus_comment(self) -> None:
        """Let the operator write."""
        if self._incident is not None and self._comment.isEnabled():
            self._comment.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def clear_comment(self) -> None:
        """Empty the field: what stood there was sent."""
        self._comment.clear()

    # -- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        gap = look().sizes.gap
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap, gap * 2, gap * 2)
        column.setSpacing(round(gap * 1.5))
        head = QHBoxLayout()
        head.setSpacing(gap * 2)
        self._symbol = PrioritySymbol(Priority.LOW, self)
        self._title = ElidedLabel("", self)
        set_role(self._title, "title")
        head.addWidget(self._symbol)
        head.addWidget(self._title, 1)
        self._facts, self._text, self._note = _wrapped(self, "secondary"), _wrapped(self), _wrapped(self)
        self._published = _wrapped(self)
        self._published.hide()
        self._note.hide()
        self._timers = TimerRow(self)
        self._choice = ChoiceList(self)
        self._choice.closed.connect(self._on_choice_closed)
        self._choice.chosen.connect(self.chosen)
        self._choice.left.connect(self.choice_left)
        self._comment = CommentField(self)
        self._comment.setPlaceholderText("Comment   C")
        self._comment.setToolTip("Enter saves it; a step takes it along.")
        self._comment.setAccessibleName("Comment on the incident; Enter saves it, a step takes it along")
        self._comment.setMaxLength(2000)
        self._comment.returnPressed.connect(lambda: self.comment_entered.emit(self.comment_draft))
        self._comment.left.connect(self.left)
        column.addLayout(head)
        for part in (self._facts, self._text, self._published, self._timers):
            column.addWidget(part)
        column.addLayout(self._build_actions())
        for below in (self._note, self._choice, self._comment):
            column.addWidget(below)
        column.addWidget(self._build_tabs(), 1)

    def _build_actions(self) -> FlowLayout:
        row = FlowLayout(look().sizes.gap * 2)
        self._buttons: dict[str, QPushButton] = {}
        self._entries: dict[str, QAction] = {}
        menu = QMenu(self)
        for action in ACTIONS:
            ask = partial(self.action_requested.emit, action.key)
            if not action.is_main:
                entry = self._entries[action.key] = menu.addAction(f"{action.words}   {action.key}")
                entry.setToolTip(action.tip)
                entry.triggered.connect(lambda _checked=False, ask=ask: ask())
                continue
            button = self._buttons[action.key] = QPushButton(f"{action.words}  {action.key}", self)
            button.setAccessibleName(action.words)
            button.clicked.connect(lambda _checked=False, ask=ask: ask())
            row.addWidget(button)
        more = QPushButton("More", self)
        more.setAccessibleName("More: attach an alarm, publish, go to")
        more.setMenu(menu)
        row.addWidget(more)
        return row

    def _build_tabs(self) -> QTabWidget:
        self._timeline = TextTable("Timeline, the newest first", _TIMELINE, self)
        self._alarms = TextTable("Alarms of the incident; Delete detaches one", _ALARMS, self)
        self._alarms.installEventFilter(self)
        self._picture = Snapshot(self)
        self._picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._picture.setAccessibleName("No picture")
        pictures = QWidget(self)
        column = QVBoxLayout(pictures)
        column.setContentsMargins(0, 0, 0, 0)
        self._picture_call = _wrapped(pictures, "secondary")
        self._picture_call.hide()
        column.addWidget(self._picture_call)
        column.addWidget(self._picture, 1)
        self._next_picture = QPushButton("Next picture", pictures)
        self._next_picture.clicked.connect(self._on_next_picture)
        column.addWidget(self._next_picture)
        self._tabs = QTabWidget(self)
        self._tabs.setAccessibleName("Parts of the incident")
        self._tabs.tabBar().setAccessibleName("Timeline, alarms and pictures")
        for page, title in ((self._timeline, "Timeline"), (self._alarms, "Alarms"), (pictures, "Pictures")):
            self._tabs.addTab(page, title)
        return self._tabs

    def _show_actions(self, incident: Incident, role: Role) -> None:
        known = steps_from(incident.status)
        is_allowed = role >= Role.OPERATOR
        next_key = _NEXT_KEYS.get(incident.status.value, "")
        for action in ACTIONS:
            is_possible = action.step is None or action.step in known
            if action.step in (Step.DEPART, Step.ARRIVE) and not incident.unit_id:
                is_possible = False
            may = action.step is None or is_allowed
            if not action.is_main:
                self._entries[action.key].setVisible(is_possible)
                self._entries[action.key].setEnabled(may)
                continue
            button = self._buttons[action.key]
            button.setVisible(is_possible)
            button.setEnabled(may)
            button.setToolTip(action.tip if may else "Work on incidents needs the role operator.")
            set_role(button, "primary" if action.key == next_key else "")
        self._comment.setEnabled(is_allowed)

    def _on_choice_closed(self) -> None:
        self._tabs.show()

    def _want_picture(self, incident_id: str) -> None:
        self._shown_picture = incident_id
        self._say_picture_of(self._picture_calls.get(incident_id))
        self._next_picture.setVisible(len(self._pictures) > 1)
        self._picture.show_nothing("Loading the picture")
        self.picture_requested.emit(incident_id)

    def _say_picture_of(self, call: PictureCall | None) -> None:
        self._picture_call.setText("" if call is None else f"{call.title}, called {format_clock(call.at)}")
        self._picture_call.setToolTip("" if call is None else format_instant(call.at))
        self._picture_call.setVisible(call is not None)

    def _on_next_picture(self) -> None:
        if self._pictures:
            at = self._pictures.index(self._shown_picture) if self._shown_picture in self._pictures else -1
            self._want_picture(self._pictures[(at + 1) % len(self._pictures)])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Delete in the list of alarms detaches one."""
        if watched is not self._alarms or not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        if event.key() != Qt.Key.Key_Delete or not self._alarms.current_key:
            return False
        self.detach_requested.emit(self._alarms.current_key)
        return True


_NEXT_KEYS = {"new": "A", "assigned": "E", "en_route": "S", "on_scene": "R", "resolved": "X"}
"""What usually comes next, by the incident's state: its button is the first one that is seen."""


def _published_words(told: Publication, incident: Incident, now: datetime) -> str:
    """Say what others know of an incident, and what is to be done about it; empty where that is nothing."""
    until = format_clock(told.until)
    if now >= told.until:
        return "" if incident.is_closed else f"Published as CAP, and over for others since {until}: P sends it again."
    if incident.is_closed:
        return f"Closed, and still published as CAP until {until}: P takes it back."
    if told.is_outdated:
        return f"Published as CAP until {until}, and changed since: P sends an update."
    return f"Published as CAP until {until}."


def _entry_line(number: int, entry: TimelineEntry) -> Line:
    said = "  ·  ".join(part for part in (entry.what, entry.detail, entry.comment) if part)
    who = f"{entry.actor}, {entry.desk}" if entry.desk else entry.actor
    return Line(key=str(number), cells=(said, format_clock(entry.at), who), tip=format_instant(entry.at))


def _alarm_line(alarm: Alarm) -> Line:
    return Line(
        key=alarm.alarm_id,
        cells=(f"{alarm.title}, {alarm.source_name}", STATE_WORDS[alarm.state], format_clock(alarm.raised_at)),
        tip=alarm.detail,
    )


def _wrapped(parent: QWidget, role: str = "") -> QLabel:
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        set_role(label, role)
    return label
