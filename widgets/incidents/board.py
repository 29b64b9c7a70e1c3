"""Work on incidents by keyboard: choose one, assign it, send, arrive, resolve, close; O opens a new one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import partial

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QKeySequence, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.access.model import Colleague, Role
from core.incidents.model import Alarm, Incident, IncidentStatus
from core.incidents.work import DISPOSITION_WORDS, ONLY_RESOLVED, Disposition, IncidentDetail, Step, StepOrder, Unit
from core.incidents.work import refusal as refusal_of
from core.kernel.clock import Clock, SystemClock
from core.kernel.geo import GeoPoint
from widgets.base.focus import order_focus
from widgets.base.search import SearchField
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.theme import look, set_role
from widgets.incidents.choice import Answer
from widgets.incidents.detail import ACTIONS, IncidentView
from widgets.incidents.form import IncidentForm
from widgets.incidents.model import (
    AGE,
    ASSIGNED,
    SHOWN_WORDS,
    STATUS,
    TIMER,
    TITLE,
    IncidentTable,
    Shown,
    describe_incident,
    is_shown,
    n_late,
)
from widgets.incidents.units import UnitsPage

_SIDE_BY_SIDE_EM = 34
_LEAST_EM = 15
_WITH_ASSIGNED_EM, _WITH_AGE_EM, _WITH_STATUS_EM = 44, 35, 27
_WITH_NAMES_EM = 22
"""Width of the list from which its timers have names."""

_SELF = "self"
_OPERATOR = "operator:"
"""Before the name of another operator; units have ids without a colon."""


class _Question(StrEnum):
    ASSIGNEE = "assignee"
    DISPOSITION = "disposition"
    ORIGINAL = "original"
    ALARM = "alarm"
    PUBLISH = "publish"


class IncidentBoard(QWidget):
    """The list, and beside it one incident or the form of a new one.

    Signals:
        incident_selected(object): The `Incident` that is looked at, or None.
        detail_requested(str): Incident id; answered by `show_detail`.
        picture_requested(str): Incident id; answered by `show_picture`.
        step_requested(str, StepOrder, int): Incident id, the step, `Incident.work_version` that was seen.
        duty_requested(str, Duty), unit_requested(Unit, int): As `UnitsPage`; `say_of_units` tells what became of it.
        assignees_requested(): Who can be given an incident; answered by `show_colleagues`.
        open_requested(HandIncident): A new one; answered by `select`, or by `say`.
        publish_requested(str): Incident id; `say` tells what became of it.
        pick_requested(): The next click on the map names the place; answered by `show_position`.
        goto_requested(Incident)
    """

    incident_selected = Signal(object)
    detail_requested = Signal(str)
    picture_requested = Signal(str)
    step_requested = Signal(str, object, int)
    duty_requested = Signal(str, object)
    unit_requested = Signal(object, int)
    assignees_requested = Signal()
    open_requested = Signal(object)
    publish_requested = Signal(str)
    pick_requested = Signal()
    goto_requested = Signal(object)

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._role, self._operator = Role.VIEWER, ""
        self._incidents: dict[str, Incident] = {}
        self._units: dict[str, Unit] = {}
        self._colleagues: tuple[Colleague, ...] = ()
        self._alarms: tuple[Alarm, ...] = ()
        self._attached: frozenset[str] = frozenset()
        self._camera_at_hand = ""
        self._question: _Question | None = None
        self._wanted_id = ""
        self._is_behind = False
        self._model = IncidentTable()
        self._build()
        order_focus(self)
        self.setFocusProxy(self._table)
        self._second = QTimer(self)
        self._second.setInterval(1000)
        self._second.timeout.connect(self._on_second)
        self._refresh()

    @property
    def current(self) -> Incident | None:
        """The incident that is looked at."""
        return self._model.incident(self._table.currentIndex().row())

    @property
    def shown(self) -> Shown:
        """Which incidents the operator wants to see."""
        return Shown(self._shown.currentData())

    @property
    def view(self) -> IncidentView:
        """The incident beside the list."""
        return self._view

    @property
    def form(self) -> IncidentForm:
        """The fields of a new incident."""
        return self._form

    @property
    def listed(self) -> tuple[Incident, ...]:
        """What stands in the list, from top to bottom."""
        if self._is_behind:
            self._refresh()
        return self._model.incidents

    # -- what is shown --------------------------------------------------------------------------------------------

    def show_incidents(self, incidents: Mapping[str, Incident]) -> None:
        """Show these; what is looked at stays where it is in the list's order."""
        self._incidents = dict(incidents)
        self._refresh_where_seen()

    def show_units(self, units: Mapping[str, Unit]) -> None:
        """Offer these units."""
        self._units = dict(units)
        self._refresh_where_seen()

    def show_colleagues(self, colleagues: Iterable[Colleague]) -> None:
        """Offer these operators; a question that is open has them below what it offered before."""
        had, self._colleagues = bool(self._colleagues), tuple(colleagues)
        if self._question is _Question.ASSIGNEE and not had:
            self._ask_assignee()

    def show_alarms(self, alarms: Iterable[Alarm]) -> None:
        """Take the open alarms: they keep their incidents open, and can be attached to others."""
        self._alarms = tuple(alarms)
        self._refresh_where_seen()

    def show_cameras(self, names: Mapping[str, str]) -> None:
        """Offer these cameras for a new incident, by id."""
        self._form.show_cameras(names)

    def show_detail(self, detail: IncidentDetail) -> None:
        """Show an incident's timeline, alarms and pictures."""
        current = self.current
        if current is not None and current.incident_id == detail.incident.incident_id:
            self._attached = frozenset(alarm.alarm_id for alarm in detail.alarms)
        self._view.show_detail(detail)
        self._view.show_time(self._clock.now())

    def show_picture(self, incident_id: str, content: bytes) -> None:
        """Show an incident's picture."""
        self._view.show_picture(incident_id, content)

    def show_no_picture(self, incident_id: str, sentence: str) -> None:
        """Say why an incident's picture is not shown."""
        self._view.show_no_picture(incident_id, sentence)

    def show_position(self, position: GeoPoint) -> None:
        """Take the place of a new incident from the map."""
        self._form.show_position(position)
        self._form.setFocus()

    def show_role(self, role: Role, operator: str) -> None:
        """Offer what this role may do; the node decides."""
        self._role, self._operator = role, operator
        self._unit_page.show_role(role)
        self._refresh()

    def say_of_units(self, sentence: str) -> None:
        """Say what became of the last change of a unit."""
        self._unit_page.say(sentence)

    def show_unit_page(self) -> None:
        """Show who can be sent."""
        self._unit_page.say("")
        self._pages.setCurrentWidget(self._unit_page)
        self._unit_page.setFocus()

    def set_camera_at_hand(self, camera_id: str) -> None:
        """A new incident is offered at this camera: the operator looks at it."""
        self._camera_at_hand = camera_id

    def say(self, sentence: str) -> None:
        """Say what became of the last step."""
        self._view.say(sentence)

    def show_stale(self, sentence: str) -> None:
        """Hatch the list: it is the last one known."""
        self._overlay.show_state(PanelState.STALE, sentence, "The list is the last one known.")

    def show_current(self) -> None:
        """The list is from now again."""
        self._overlay.clear()
        self._refresh()

    def select(self, incident_id: str) -> None:
        """Look at an incident, or at the one that it repeats; the list shows all where it would not have it."""
        incident = self._incidents.get(incident_id)
        if incident is not None and incident.merged_into in self._incidents:
            incident = self._incidents[incident.merged_into]
        self._wanted_id = incident_id if incident is None else incident.incident_id
        if incident is not None and not is_shown(incident, self.shown, self._calling()):
            self._search.clear()
            self._shown.setCurrentIndex(self._shown.findData(Shown.ALL))
        self._refresh()

    def begin_form(self, camera_id: str = "") -> None:
        """Write down a new incident, at a camera where one is named."""
        if self._role < Role.OPERATOR:
            self._view.say("Opening an incident needs the role operator.")
            return
        self._pages.setCurrentWidget(self._form)
        self._form.begin(camera_id or self._camera_at_hand)

    # -- building -------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        gap = look().sizes.gap
        self._view = IncidentView(self)
        self._form = IncidentForm(self)
        self._pages = QStackedWidget(self)
        self._pages.addWidget(self._view)
        self._pages.addWidget(self._form)
        self._unit_page = UnitsPage(self)
        self._unit_page.duty_requested.connect(self.duty_requested)
        self._unit_page.save_requested.connect(self.unit_requested)
        self._unit_page.left.connect(self._leave_form)
        self._pages.addWidget(self._unit_page)
        # Both sides have to do with what there is: the parts of each go on in the next line.
        self._pages.setMinimumWidth(round(look().sizes.body * _LEAST_EM))
        self._split = QSplitter(Qt.Orientation.Horizontal, self)
        self._split.setChildrenCollapsible(False)
        self._split.addWidget(self._build_list())
        self._split.addWidget(self._pages)
        self._split.setStretchFactor(0, 1)
        self._split.setStretchFactor(1, 1)
        self._split.setSizes([440, 560])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, gap * 2, 0, 0)
        column.setSpacing(gap * 2)
        column.addLayout(self._build_head())
        column.addWidget(self._split, 1)
        self._view.action_requested.connect(self._on_action)
        self._view.comment_entered.connect(self._on_comment)
        self._view.chosen.connect(self._on_chosen)
        self._view.choice_left.connect(self._on_choice_left)
        self._view.detach_requested.connect(lambda alarm_id: self._ask_step(Step.DETACH, alarm_id=alarm_id))
        self._view.picture_requested.connect(self.picture_requested)
        self._view.left.connect(self._table.setFocus)
        self._form.open_requested.connect(self._on_open)
        self._form.pick_requested.connect(self.pick_requested)
        self._form.left.connect(self._leave_form)
        for action in ACTIONS:
            self._add_key(action.key, partial(self._on_action, action.key))
        for key, call in (
            ("C", self._view.focus_comment),
            ("O", self.begin_form),
            ("U", self.show_unit_page),
            ("J", lambda: self._go_on(1)),
            ("K", lambda: self._go_on(-1)),
        ):
            self._add_key(key, call)

    def _add_key(self, key: str, call: Callable[[], None]) -> None:
        shortcut = QShortcut(QKeySequence(key), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(call)

    def _build_head(self) -> QHBoxLayout:
        gap = look().sizes.gap
        self._shown = QComboBox(self)
        self._shown.setAccessibleName("Which incidents")
        for shown, words in SHOWN_WORDS.items():
            self._shown.addItem(words, shown)
        self._shown.currentIndexChanged.connect(lambda _row: self._refresh())
        self._search = SearchField("Find an incident", self)
        self._search.query_changed.connect(lambda _query: self._refresh())
        self._search.left.connect(self._table.setFocus)
        self._count = QLabel(self)
        set_role(self._count, "caption")
        self._new = QPushButton("New incident  O", self)
        self._new.setAccessibleName("New incident")
        self._new.clicked.connect(lambda: self.begin_form())
        row = QHBoxLayout()
        row.setContentsMargins(gap * 2, 0, gap * 2, 0)
        row.setSpacing(gap * 2)
        row.addWidget(self._shown)
        row.addWidget(self._search, 1)
        row.addWidget(self._count)
        units = QPushButton("Units  U", self)
        units.setAccessibleName("Units")
        set_role(units, "quiet")
        units.clicked.connect(self.show_unit_page)
        row.addWidget(self._new)
        row.addWidget(units)
        return row

    def _build_list(self) -> QTableView:
        table = self._table = QTableView(self)
        table.setModel(self._model)
        table.setAccessibleName("Incidents")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setMinimumSize(round(look().sizes.body * _LEAST_EM), look().sizes.row * 3)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(look().sizes.row)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(look().sizes.body * 3)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column, em in ((STATUS, 6.5), (TIMER, 11.5), (ASSIGNED, 9), (AGE, 5.5)):
            header.resizeSection(column, round(look().sizes.body * em))
        header.setSectionResizeMode(TITLE, QHeaderView.ResizeMode.Stretch)
        table.selectionModel().currentRowChanged.connect(self._on_row)
        table.doubleClicked.connect(lambda _index: self._on_action("G"))
        table.installEventFilter(self)
        self._overlay = StateOverlay(table.viewport())
        return table

    # -- showing --------------------------------------------------------------------------------------------------

    def _calling(self) -> frozenset[str]:
        return frozenset(alarm.incident_id for alarm in self._alarms)

    def _refresh_where_seen(self) -> None:
        """Leave the work until somebody looks: an alarm must not wait for a list behind another one."""
        self._is_behind = not self.isVisible()
        if not self._is_behind:
            self._refresh()

    def _refresh(self) -> None:
        self._is_behind = False
        kept = self._wanted_id or (self.current.incident_id if self.current is not None else "")
        calling, shown, query = self._calling(), self.shown, self._search.text().strip().casefold()
        listed = [
            one
            for one in self._incidents.values()
            if is_shown(one, shown, calling) and _matches(one, query, self._units)
        ]
        now = self._clock.now()
        if self._model.show_incidents(listed, self._units, now) or self._wanted_id:
            row = self._model.row_of(kept)
            self._table.setCurrentIndex(self._model.index(max(0, row), 0) if listed else QModelIndex())
            if row >= 0:
                self._wanted_id = ""
        self._unit_page.show_units(self._units, self._incidents)
        self._say_state(calling, now)
        self._show_current(now)

    def _say_state(self, calling: frozenset[str], now: datetime) -> None:
        of_shown = dict.fromkeys(Shown, 0)
        for one in self._incidents.values():
            for shown in Shown:
                of_shown[shown] += is_shown(one, shown, calling)
        late = n_late((one for one in self._incidents.values() if is_shown(one, Shown.OPEN, calling)), now)
        words = [f"{of_shown[Shown.OPEN]} open", f"{late} late" if late else ""]
        words.append(f"{of_shown[Shown.UNTOUCHED]} not taken up" if of_shown[Shown.UNTOUCHED] else "")
        self._count.setText("  ·  ".join(word for word in words if word))
        if self._overlay.state is PanelState.STALE:
            return
        if self._model.rowCount():
            self._overlay.clear()
        elif self.shown is Shown.OPEN and not self._search.text():
            self._overlay.show_state(PanelState.EMPTY, "No incident is open.", "O opens one by hand.")
        else:
            self._overlay.show_state(PanelState.EMPTY, "No incident fits.", "Choose another list or search.")

    def _show_current(self, now: datetime) -> None:
        incident = self.current
        if incident is None:
            self._view.show_none()
        else:
            self._view.show_incident(incident, self._units, self._role, now)

    def _on_second(self) -> None:
        now = self._clock.now()
        self._model.show_time(now)
        self._view.show_time(now)
        self._say_state(self._calling(), now)

    # -- what happens ---------------------------------------------------------------------------------------------

    def _on_row(self, index: QModelIndex, _before: QModelIndex) -> None:
        incident = self._model.incident(index.row())
        self._question, self._attached = None, frozenset()
        self._show_current(self._clock.now())
        self.incident_selected.emit(incident)
        if incident is not None:
            self.detail_requested.emit(incident.incident_id)

    def _go_on(self, by: int) -> None:
        row = max(0, min(self._model.rowCount() - 1, self._table.currentIndex().row() + by))
        self._table.setCurrentIndex(self._model.index(row, 0))
        self._table.setFocus()

    def _on_action(self, key: str) -> None:
        incident = self.current
        if incident is None:
            return
        if key == "G":
            self.goto_requested.emit(incident)
            return
        if self._role < Role.OPERATOR:
            self._view.say("Work on incidents needs the role operator.")
            return
        step = next(action.step for action in ACTIONS if action.key == key)
        assert step is not None
        if step is Step.PUBLISH:
            answer = Answer(key="yes", words="Send it out, for everybody who listens")
            self._ask(_Question.PUBLISH, "Publish it as CAP?  Enter sends it, Esc goes back.", [answer])
        elif step in (Step.DEPART, Step.ARRIVE, Step.RESOLVE, Step.REOPEN):
            self._ask_step(step)
        elif refusal := self._early_refusal(incident, step):
            self._view.say(refusal)
        elif step is Step.ASSIGN:
            self.assignees_requested.emit()
            self._ask_assignee()
        elif step is Step.CLOSE:
            self._ask(_Question.DISPOSITION, "What became of it?", _dispositions(incident))
        else:
            answers = self._attachable()
            question = "Which alarm belongs to it?" if answers else "There is no other open alarm to attach."
            self._ask(_Question.ALARM, question, answers)

    def _early_refusal(self, incident: Incident, step: Step) -> str:
        """Refuse a key that the state does not know before anything is asked."""
        filled = StepOrder(
            step=step, comment="-", operator="-", disposition=Disposition.NO_ACTION, alarm_id="-", unit_id="-"
        )
        return refusal_of(incident, filled)

    def _ask(self, question: _Question, words: str, answers: list[Answer]) -> None:
        self._question = question
        self._view.choose(words, answers)

    def _ask_assignee(self) -> None:
        self._ask(_Question.ASSIGNEE, "Who takes it?  Enter or its figure chooses, Esc goes back.", self._assignees())

    def _assignees(self) -> list[Answer]:
        """Return who can take it: free units first, then whoever sits here; off-duty units are not offered.

        Other operators come last: what is asked of the node meanwhile moves nothing above them.
        """
        answers = []
        current = self.current
        offered = [unit for unit in self._units.values() if unit.is_offered]
        for unit in sorted(offered, key=lambda unit: (bool(unit.incident_id), unit.call_sign.casefold())):
            busy = self._incidents.get(unit.incident_id)
            is_here = current is not None and unit.incident_id == current.incident_id
            reason = "" if not unit.incident_id or is_here else f"at {busy.title if busy else 'another incident'}"
            answers.append(Answer(key=unit.unit_id, words=f"{unit.call_sign}, {unit.kind}", reason=reason))
        free = sum(not answer.reason for answer in answers)
        answers.insert(free, Answer(key=_SELF, words=f"{self._operator or 'This desk'}, without a unit"))
        return answers + self._other_operators()

    def _other_operators(self) -> list[Answer]:
        current = self.current
        others = [one for one in self._colleagues if one.name != self._operator]
        others.sort(key=lambda one: (not one.desks, one.name.casefold()))
        return [
            Answer(
                key=f"{_OPERATOR}{one.name}",
                words=f"{one.name}, {one.role.name.lower()}{' at ' if one.desks else ''}{', '.join(one.desks)}",
                reason=_why_not(one, current),
            )
            for one in others
        ]

    def _attachable(self) -> list[Answer]:
        alarms = [alarm for alarm in self._alarms if alarm.alarm_id not in self._attached]
        alarms.sort(key=lambda alarm: (alarm.priority, -alarm.raised_at.timestamp()))
        return [Answer(key=alarm.alarm_id, words=f"{alarm.title}, {alarm.source_name}") for alarm in alarms]

    def _originals(self, incident: Incident) -> list[Answer]:
        others = [one for one in self._incidents.values() if not one.is_closed and one is not incident]
        others.sort(key=lambda one: abs((one.began_at - incident.began_at).total_seconds()))
        return [Answer(key=one.incident_id, words=describe_incident(one)) for one in others[:20]]

    def _on_chosen(self, key: str) -> None:
        question, self._question = self._question, None
        incident = self.current
        if incident is None:
            return
        match question:
            case _Question.ASSIGNEE if key.startswith(_OPERATOR):
                # Its unit goes on: only who looks after it is another one.
                step = Step.ASSIGN if incident.status is IncidentStatus.NEW else Step.HAND_ON
                self._ask_step(step, operator=key.removeprefix(_OPERATOR))
            case _Question.ASSIGNEE:
                unit_id = "" if key == _SELF else key
                self._ask_step(Step.ASSIGN, unit_id=unit_id, operator=self._operator)
            case _Question.PUBLISH:
                self.publish_requested.emit(incident.incident_id)
            case _Question.ALARM:
                self._ask_step(Step.ATTACH, alarm_id=key)
            case _Question.ORIGINAL:
                self._ask_step(Step.CLOSE, disposition=Disposition.DUPLICATE, duplicate_of=key)
            case _Question.DISPOSITION if Disposition(key) is Disposition.DUPLICATE:
                answers = self._originals(incident)
                words = "Which one tells it already?" if answers else "No other incident is open: it repeats none."
                self._ask(_Question.ORIGINAL, words, answers)
                return
            case _:
                self._ask_step(Step.CLOSE, disposition=Disposition(key))
        self._table.setFocus()

    def _on_choice_left(self) -> None:
        self._question = None
        self._table.setFocus()

    def _ask_step(
        self,
        step: Step,
        *,
        unit_id: str = "",
        operator: str = "",
        disposition: Disposition | None = None,
        duplicate_of: str = "",
        alarm_id: str = "",
    ) -> None:
        """Refuse here what the table refuses, so that the sentence is there at once; the node decides."""
        incident = self.current
        if incident is None:
            return
        order = StepOrder(
            step=step,
            comment=self._view.comment_draft,
            unit_id=unit_id,
            operator=operator,
            disposition=disposition,
            duplicate_of=duplicate_of,
            alarm_id=alarm_id,
        )
        sentence = refusal_of(incident, order)
        self._view.say(sentence)
        if sentence:
            if not order.comment and "rite" in sentence:
                self._view.focus_comment()
            return
        self._view.clear_comment()
        self.step_requested.emit(incident.incident_id, order, incident.work_version)

    def _on_comment(self, text: str) -> None:
        if text:
            self._ask_step(Step.COMMENT)
        self._table.setFocus()

    def _on_open(self, wanted: object) -> None:
        self.open_requested.emit(wanted)
        self._leave_form()

    def _leave_form(self) -> None:
        self._pages.setCurrentWidget(self._view)
        self._table.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Enter in the list shows the place; the list shows the columns that fit."""
        if watched is self._table and event.type() == QEvent.Type.Resize:
            self._fit_columns()
        if watched is not self._table or not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            return False
        self._on_action("G")
        return True

    def _fit_columns(self) -> None:
        em = self._table.width() / look().sizes.body
        is_brief = em < _WITH_NAMES_EM
        self._model.set_brief(is_brief)
        self._table.setColumnWidth(TIMER, round(look().sizes.body * (6.5 if is_brief else 11.5)))
        self._table.setColumnHidden(ASSIGNED, em < _WITH_ASSIGNED_EM)
        self._table.setColumnHidden(AGE, em < _WITH_AGE_EM)
        self._table.setColumnHidden(STATUS, em < _WITH_STATUS_EM)

    def changeEvent(self, event: QEvent) -> None:
        """Take the new theme."""
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_model"):
            self._model.refresh_look()
        super().changeEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the incident below the list where there is no room beside it."""
        super().resizeEvent(event)
        is_wide = self.width() >= look().sizes.body * _SIDE_BY_SIDE_EM
        self._split.setOrientation(Qt.Orientation.Horizontal if is_wide else Qt.Orientation.Vertical)

    def showEvent(self, event: QShowEvent) -> None:
        """Let the timers run while somebody looks."""
        super().showEvent(event)
        if self._is_behind:
            self._refresh()
        self._on_second()
        self._second.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop the timers."""
        super().hideEvent(event)
        self._second.stop()


def _matches(incident: Incident, query: str, units: Mapping[str, Unit]) -> bool:
    if not query:
        return True
    unit = units.get(incident.unit_id)
    parts = (incident.title, incident.source_name, incident.operator, incident.text, unit.call_sign if unit else "")
    return all(word in " ".join(parts).casefold() for word in query.split())


def _why_not(colleague: Colleague, incident: Incident | None) -> str:
    if incident is not None and incident.operator == colleague.name:
        return "has it already"
    return "" if colleague.desks else "not signed in"


def _dispositions(incident: Incident) -> list[Answer]:
    """Return what can be said of it now, the likely one first."""
    return [
        Answer(
            key=disposition.value,
            words=DISPOSITION_WORDS[disposition],
            reason="resolve it first" if disposition in ONLY_RESOLVED and incident.status != "resolved" else "",
        )
        for disposition in Disposition
    ]
