"""Planned works: what is done where, from when to when and why, so that the alarms it explains call nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QKeySequence, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.access.model import Role
from core.incidents.model import Alarm, kind_words
from core.incidents.suppression import PlannedWorks, Source
from core.kernel.clock import Clock, SystemClock
from widgets.alarms.kinds import KindPicker
from widgets.alarms.sources import NamedSource, SourcePicker, names_of, summed_up
from widgets.base.focus import order_focus
from widgets.base.labels import ElidedLabel
from widgets.base.moment_edit import MomentEdit
from widgets.base.search import SearchField
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_age, format_minute

USUAL_SPAN = timedelta(hours=4)
_BESIDE_EM = 60
_TICK_MS = 5000
_ONLY_SUPERVISOR = "Planning works needs the role supervisor."
_COLUMNS = (
    Column(title="Works"),
    Column(title="State"),
    Column(title="From", rank=1),
    Column(title="To"),
    Column(title="Sources", rank=4),
    Column(title="Owner", rank=2),
    Column(title="Reason", rank=3),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorksDraft:
    """What a supervisor wants to announce."""

    title: str
    sources: frozenset[Source]
    since: datetime
    until: datetime
    reason: str
    kinds: frozenset[str] = frozenset()


def state_words(works: PlannedWorks, now: datetime) -> str:
    """Say whether works go on, are to come or are over."""
    if works.ended_by and works.until <= now:
        return f"{'Called off' if works.until < works.since else 'Ended early'} by {works.ended_by}"
    if works.until <= now:
        return "Over"
    return "Going on" if works.since <= now else "To come"


class WorksForm(QScrollArea):
    """Fields in the place of the detail; Ctrl+Enter plans the works, Esc leaves.

    Signals:
        plan_requested(WorksDraft)
        left()
    """

    plan_requested = Signal(object)
    left = Signal()

    def __init__(self, clock: Clock, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock
        self._body = QWidget(self)
        self._build(self._body)
        self.setWidget(self._body)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        order_focus(self._body)
        self.setFocusProxy(self._title)

    def begin(self, like: PlannedWorks | None = None) -> None:
        """Start with empty fields, or with what was planned once."""
        now = self._clock.now()
        span = USUAL_SPAN if like is None or like.until <= like.since else like.until - like.since
        self._title.setText("" if like is None else like.title)
        self._reason.setText("" if like is None else like.reason)
        self.sources.choose(frozenset() if like is None else like.sources)
        self.kinds.choose(frozenset() if like is None else like.kinds)
        self._since.set_moment(now)
        self._until.set_moment(now + span)
        self._error.hide()
        self._refresh()
        self._title.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_refused(self, sentence: str) -> None:
        """Say why the works are not planned; the fields stay as they are."""
        self._error.setText(sentence)
        self._error.setAccessibleName(sentence)
        self._error.show()
        self.ensureWidgetVisible(self._error)

    def _build(self, body: QWidget) -> None:
        gap = look().sizes.gap
        heading = QLabel("Plan works", body)
        set_role(heading, "title")
        self._title, self._reason = QLineEdit(body), QLineEdit(body)
        self._title.setPlaceholderText("What is done, e.g. resurfacing of the ring road")
        self._reason.setPlaceholderText("Why its alarms are expected")
        for field in (self._title, self._reason):
            field.setMaxLength(500)
            field.textChanged.connect(self._refresh)
        self.sources = SourcePicker(self, body)
        self.sources.changed.connect(self._refresh)
        self.kinds = KindPicker(body)
        self.kinds.changed.connect(self._refresh)
        self._since, self._until = MomentEdit(body), MomentEdit(body)
        for moment in (self._since, self._until):
            moment.setDisplayFormat("yyyy-MM-dd HH:mm")
            moment.dateTimeChanged.connect(self._refresh)
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setHorizontalSpacing(gap * 3)
        form.setVerticalSpacing(gap * 2)
        rows = (
            *(("Works", self._title), ("Reason", self._reason), ("Sources", self.sources)),
            *(("From", self._since), ("To", self._until), ("Kinds", self.kinds)),
        )
        for name, row in rows:
            row.setAccessibleName(name)
            form.addRow(name, row)
        self._said, self._error = QLabel(body), QLabel(body)
        set_role(self._said, "secondary")
        set_role(self._error, "field-error")
        for label in (self._said, self._error):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
        self._error.hide()
        column = QVBoxLayout(body)
        column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 2)
        column.setSpacing(gap * 2)
        column.addWidget(heading)
        column.addLayout(form, 1)
        for label in (self._said, self._error):
            column.addWidget(label)
        column.addLayout(self._build_buttons(body))

    def _build_buttons(self, body: QWidget) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(look().sizes.gap * 2)
        self._do = QPushButton("Plan  Ctrl+Enter", body)
        self._do.setAccessibleName("Plan these works")
        set_role(self._do, "primary")
        self._do.clicked.connect(self._on_plan)
        back = QPushButton("Leave  Esc", body)
        set_role(back, "quiet")
        back.clicked.connect(self.left)
        row.addWidget(self._do)
        row.addWidget(back)
        row.addStretch(1)
        return row

    def _refresh(self) -> None:
        missing = [
            name
            for name, is_there in (
                ("what is done", bool(self._title.text().strip())),
                ("why", bool(self._reason.text().strip())),
                ("which sources", bool(self.sources.chosen)),
            )
            if not is_there
        ]
        span_s = (self._until.moment - max(self._since.moment, self._clock.now())).total_seconds()
        if missing:
            self._said.setText(f"Still to say: {', '.join(missing)}.")
        elif span_s <= 0:
            self._said.setText("The end lies before the begin, or in the past.")
        else:
            self._said.setText(
                f"For {format_age(span_s)} {'these' if self.kinds.chosen else 'all'} kinds of alarms of these sources"
                " do not call. They are listed as suppressed by design, with the name of the works."
                + "".join(f" {moment.note}" for moment in (self._since, self._until) if moment.note)
            )
        self._do.setEnabled(not missing and span_s > 0)

    def _on_plan(self) -> None:
        if self._do.isEnabled():
            self._error.hide()
            self.plan_requested.emit(
                WorksDraft(
                    title=self._title.text().strip(),
                    sources=self.sources.chosen,
                    since=self._since.moment,
                    until=self._until.moment,
                    reason=self._reason.text().strip(),
                    kinds=self.kinds.chosen,
                )
            )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Plan with Ctrl+Enter, leave with Esc."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif is_enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._on_plan()
        else:
            super().keyPressEvent(event)


class WorksPage(QWidget):
    """The list of works, and beside it one of them or the form; N plans, X ends, P plans the same again.

    Signals:
        plan_requested(WorksDraft): Answered by `show_planned` or `show_refused`.
        end_requested(PlannedWorks)
        past_requested(): Answered by `show_past`.
    """

    plan_requested = Signal(object)
    end_requested = Signal(object)
    past_requested = Signal()

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._role = Role.VIEWER
        self._works: tuple[PlannedWorks, ...] = ()
        self._past: tuple[PlannedWorks, ...] = ()
        self._known: dict[Source, NamedSource] = {}
        self._alarms: tuple[Alarm, ...] = ()
        self._query: tuple[str, ...] = ()
        self._build()
        order_focus(self)
        self._bind_keys()
        self._tick_timer = QTimer(self)
        self._tick_timer.setInterval(_TICK_MS)
        self._tick_timer.timeout.connect(self._show)
        self.setAccessibleName("Planned works")
        self.setFocusProxy(self._table)
        self._show()

    @property
    def lines(self) -> tuple[Line, ...]:
        """What the operator reads."""
        return self._table.lines

    @property
    def current(self) -> PlannedWorks | None:
        """The works that are looked at."""
        key = self._table.current_key
        return next((one for one in (*self._works, *self._past) if one.works_id == key), None)

    @property
    def form(self) -> WorksForm:
        """The fields of new works."""
        return self._form

    @property
    def detail_text(self) -> str:
        """What is said about the works that are looked at."""
        return self._detail.text()

    def show_works(self, works: Iterable[PlannedWorks]) -> None:
        """Take over what goes on and what is to come; asks for what is over where it is otherwise than before."""
        now_there = tuple(works)
        if now_there != self._works:
            self._works = now_there
            self.past_requested.emit()
        self._show()

    def show_past(self, works: Iterable[PlannedWorks]) -> None:
        """Take over what is over, the last to end first."""
        self._past = tuple(works)
        self._show()

    def show_sources(self, sources: Iterable[NamedSource]) -> None:
        """Take over what works can concern."""
        self._known = {one.source: one for one in sources}
        self._form.sources.show_sources(self._known.values())
        self._show()

    def show_kinds(self, kinds: Iterable[str]) -> None:
        """Take over the kinds to which works can be limited."""
        self._form.kinds.show_kinds(kinds)

    def show_alarms(self, alarms: Iterable[Alarm]) -> None:
        """Say beside works which alarms they hold."""
        held = tuple(alarm for alarm in alarms if alarm.suppressed_by)
        if held != self._alarms:
            self._alarms = held
            self._show_detail()

    def show_role(self, role: Role) -> None:
        """Offer what this role may do; the node decides."""
        self._role = role
        if role < Role.SUPERVISOR:
            self._leave_form()
        self._refresh_buttons()

    def show_planned(self, works: PlannedWorks) -> None:
        """The works are planned: back to the list, with them selected."""
        self._leave_form()
        if works not in self._works:
            self._works = (*self._works, works)
            self._show()
        self._table.select_key(works.works_id)

    def show_refused(self, sentence: str) -> None:
        """Say why they are not."""
        self._form.show_refused(sentence)

    def begin(self, like: PlannedWorks | None = None) -> None:
        """Open the form."""
        if self._role < Role.SUPERVISOR:
            return
        self._pages.setCurrentWidget(self._form)
        self._arrange()
        self._form.begin(like)

    def _build(self) -> None:
        gap = look().sizes.gap
        bar = QFrame(self)
        set_role(bar, "strip")
        row = QHBoxLayout(bar)
        row.setContentsMargins(gap * 2, gap, gap * 2, gap)
        row.setSpacing(gap * 2)
        self._search = SearchField("Find works", self, bar)
        self._search.query_changed.connect(self._on_query)
        self._summary = QLabel(bar)
        set_role(self._summary, "secondary")
        self._new = QPushButton("Plan works  N", bar)
        self._new.setAccessibleName("Plan works")
        set_role(self._new, "primary")
        self._new.clicked.connect(lambda: self.begin())
        for widget, stretch in ((self._search, 1), (self._summary, 0), (self._new, 0)):
            row.addWidget(widget, stretch)
        self._table = TextTable("Planned works: going on, to come, over", _COLUMNS, self)
        self._table.selectionModel().currentChanged.connect(lambda _now, _before: self._show_detail())
        self._table.model().modelReset.connect(self._show_detail)
        self._search.left.connect(self._table.setFocus)
        self._overlay = StateOverlay(self._table.viewport())
        self._form = WorksForm(self._clock, self)
        self._form.left.connect(self._leave_form)
        self._form.plan_requested.connect(self.plan_requested)
        self._pages = QStackedWidget(self)
        self._pages.addWidget(self._build_detail())
        self._pages.addWidget(self._form)
        self._left = QWidget(self)
        column = QVBoxLayout(self._left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self._table, 1)
        self._splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(self._left)
        self._splitter.addWidget(self._pages)
        self._splitter.setStretchFactor(0, 3)
        self._splitter.setStretchFactor(1, 2)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._splitter)

    def _build_detail(self) -> QWidget:
        gap = look().sizes.gap
        page = QWidget(self)
        self._heading, self._detail = ElidedLabel("", page), QLabel(page)
        set_role(self._heading, "title")
        self._detail.setTextFormat(Qt.TextFormat.PlainText)
        self._detail.setWordWrap(True)
        self._detail.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self._end = QPushButton("End now  X", page)
        self._end.setAccessibleName("End these works now")
        self._end.clicked.connect(self._on_end)
        self._again = QPushButton("Plan again  P", page)
        self._again.setAccessibleName("Plan the same works again")
        set_role(self._again, "quiet")
        self._again.clicked.connect(self._on_again)
        buttons = QHBoxLayout()
        buttons.setSpacing(gap * 2)
        for button in (self._end, self._again):
            buttons.addWidget(button)
        buttons.addStretch(1)
        inner = QWidget(page)
        inner_column = QVBoxLayout(inner)
        inner_column.setContentsMargins(gap * 3, gap * 2, gap * 3, gap * 2)
        inner_column.setSpacing(gap * 2)
        inner_column.addWidget(self._heading)
        inner_column.addLayout(buttons)
        inner_column.addWidget(self._detail)
        inner_column.addStretch(1)
        scroll = QScrollArea(page)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidgetResizable(True)
        scroll.setWidget(inner)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll)
        return page

    def _bind_keys(self) -> None:
        for key, act in (("N", self.begin), ("X", self._on_end), ("P", self._on_again)):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.setAutoRepeat(False)
            shortcut.activated.connect(act)

    def _show(self) -> None:
        now = self._clock.now()
        ids = {one.works_id for one in self._works}
        listed = [one for one in (*self._works, *self._past) if one.works_id not in ids or one in self._works]
        self._table.show_lines([line for one in listed if self._fits(line := self._line(one, now))])
        going = sum(one.since <= now < one.until for one in self._works)
        self._summary.setText(f"{going} going on · {len(self._works) - going} to come")
        if self._table.lines:
            self._overlay.clear()
        elif self._query:
            self._overlay.show_state(PanelState.EMPTY, "No works match.", "Esc in the field clears it.")
        else:
            self._overlay.show_state(
                PanelState.EMPTY, "No works are planned.", "What is planned here calls nobody while it goes on."
            )
        self._show_detail()

    def _line(self, works: PlannedWorks, now: datetime) -> Line:
        names = names_of(works.sources, self._known)
        cells = (
            *(works.title, state_words(works, now), format_minute(works.since), format_minute(works.until)),
            *(summed_up(names), works.by, works.reason),
        )
        return Line(key=works.works_id, cells=cells)

    def _fits(self, line: Line) -> bool:
        text = "\n".join(line.cells).casefold()
        return all(word in text for word in self._query)

    def _show_detail(self) -> None:
        works, now = self.current, self._clock.now()
        self._heading.setVisible(works is not None)
        if works is None:
            self._heading.setText("")
            self._detail.setText("Select works to read what they concern.")
        else:
            names = names_of(works.sources, self._known)
            held = [_words(one) for one in self._alarms if one.suppressed_by == works.rule_id]
            self._heading.setText(works.title)
            parts = [
                f"{state_words(works, now)}. From {format_minute(works.since)} to {format_minute(works.until)},"
                f" by {works.by}.",
                f"Reason: {works.reason}" if works.reason else "",
                f"Only these kinds: {', '.join(sorted(map(kind_words, works.kinds)))}" if works.kinds else "",
                f"Sources ({len(names)}): {', '.join(names)}",
                f"Alarms it holds ({len(held)}): {'; '.join(held)}" if held else "",
            ]
            self._detail.setText("\n".join(part for part in parts if part))
        self._refresh_buttons()

    def _refresh_buttons(self) -> None:
        works, may = self.current, self._role >= Role.SUPERVISOR
        is_over = works is None or works.until <= self._clock.now()
        self._new.setEnabled(may)
        self._end.setEnabled(may and not is_over)
        self._end.setText("Call off  X" if works is not None and works.since > self._clock.now() else "End now  X")
        self._again.setEnabled(may and works is not None)
        for button in (self._new, self._end, self._again):
            button.setToolTip("" if may else _ONLY_SUPERVISOR)

    def _arrange(self) -> None:
        """Put the detail beside the list, or below it; the form has the whole page where there is no room for both."""
        is_wide = self.width() >= look().sizes.body * _BESIDE_EM
        wanted = Qt.Orientation.Horizontal if is_wide else Qt.Orientation.Vertical
        if self._splitter.orientation() is not wanted:
            self._splitter.setOrientation(wanted)
        is_form = self._pages.currentWidget() is self._form
        self._left.setVisible(is_wide or not is_form)

    def _on_query(self, query: str) -> None:
        self._query = tuple(query.casefold().split())
        self._show()

    def _on_end(self) -> None:
        works = self.current
        if works is not None and self._end.isEnabled():
            self.end_requested.emit(works)

    def _on_again(self) -> None:
        if self.current is not None:
            self.begin(self.current)

    def _leave_form(self) -> None:
        if self._pages.currentWidget() is not self._form:
            return
        self._pages.setCurrentIndex(0)
        self._arrange()
        self._table.setFocus(Qt.FocusReason.OtherFocusReason)

    def showEvent(self, event: QShowEvent) -> None:
        """Let works begin as time goes by."""
        super().showEvent(event)
        self._show()
        self._tick_timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody looks."""
        super().hideEvent(event)
        self._tick_timer.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Find a place for the detail."""
        super().resizeEvent(event)
        self._arrange()

    def changeEvent(self, event: QEvent) -> None:
        """Find it anew for another text size."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_splitter"):
            self._arrange()


def _words(alarm: Alarm) -> str:
    return alarm.title if alarm.source_name in alarm.title else f"{alarm.title}, {alarm.source_name}"
