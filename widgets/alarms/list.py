"""The alarm list: the operator sees what calls, acknowledges, comments, and goes there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import timedelta
from enum import Enum

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QSize,
    Qt,
    QTimer,
    Signal,
    SignalInstance,
)
from PySide6.QtGui import QFont, QFontMetrics, QHideEvent, QKeyEvent, QKeySequence, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QTabBar,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.access.model import Role
from core.incidents.flood import NO_FLOOD, Flood
from core.incidents.handling import Limits
from core.incidents.holds import OutOfService
from core.incidents.model import Alarm, AlarmState, Clip, ClipInfo
from core.incidents.suppression import Source
from core.kernel.clock import Clock, SystemClock
from core.kernel.settings import KeySettings
from core.node.model import Trend
from widgets.alarms.action_bar import ActionBar
from widgets.alarms.actions import Action, Answer, actions_of, longest_shelving
from widgets.alarms.delegates import PriorityDelegate, StateDelegate, TwoLineDelegate
from widgets.alarms.detail import AlarmDetail
from widgets.alarms.flood_bar import FloodBar
from widgets.alarms.keys import BUTTON_KEYS, Keymap, keymap_of
from widgets.alarms.order import HELD_LETTERS, Choice, Tab, silent_services, strip_alarms, tab_of
from widgets.alarms.service import ServiceView
from widgets.alarms.sources import NamedSource
from widgets.alarms.table_model import AlarmTableModel, Column
from widgets.base.search import SearchField
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.symbols import FLASH_PERIOD_MS, flash_at
from widgets.base.theme import look, set_role
from widgets.base.times import format_clock

_WITH_CHILDREN = Qt.ShortcutContext.WidgetWithChildrenShortcut
BATCH_MS = 100
"""Changes are shown together at most this often."""

AT_ONCE = 3
"""So many new alarms are painted before everything else; a burst waits its turn, or it would take longer as a whole."""

_LONG_TABS_EM, _LETTERS_EM = 62, 30
_CHOICE_EM = 50
_BUTTONS_EM = 14
"""What the buttons take that stand in the bar where the detail has no room."""

_WITH_FLOOD_EM = 24
"""From this height on the line of a flood stays while something is asked."""

_BESIDE_SHARE = 0.31
_BESIDE_EM = 41
_BELOW_EM = 30
"""From this many letters of width the detail stands beside the list, else from this many of height below it."""


class Place(Enum):
    """Where the selected alarm's detail stands."""

    BESIDE = "beside"
    BELOW = "below"
    BAR = "bar"
    """Nowhere, for want of room: buttons in the bar, a line for a comment that comes with C."""


class AlarmTable(QTableView):
    """Rows of whole alarms."""

    def keyboardSearch(self, search: str) -> None:
        """Letters are commands here; searching is the filter field's part."""

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """Scroll by rows, at the end of the list as well."""
        super().scrollContentsBy(dx, dy)
        self._begin_with_a_row()

    def updateGeometries(self) -> None:
        """Keep to rows in another size."""
        super().updateGeometries()
        self._begin_with_a_row()

    def _begin_with_a_row(self) -> None:
        """Leave what is no whole row empty below the last one: Qt would cut the first one by as much."""
        header, row = self.verticalHeader(), self.verticalScrollBar().value()
        if header.offset() != header.sectionPosition(row):
            header.setOffsetToSectionPosition(row)
            self.viewport().update()

    def paint_now(self) -> None:
        """Paint the rows as they are, before this returns."""
        # A layout that still waits would have all of them painted once more.
        self.executeDelayedItemsLayout()
        self.viewport().repaint()


class AlarmList(QWidget):
    """All open alarms, with the selected one beside or below.

    What its keys do stands in `keys`; / filters, Esc steps out.

    Signals:
        acknowledge_requested(str, str, int, str): Alarm id, occurrence, version, comment.
        answer_requested(object, object): The `Alarm` as it was seen, and the `Answer`.
        history_requested(): The history is looked at; answer with `show_history`.
        incident_requested(object): Show the incident of this `Alarm`.
        escalate_requested(object): Call the next level for this `Alarm` now.
        comment_requested(str, str, int, str): The same, for a comment alone.
        goto_requested(object): The `Alarm` to show on wall and map.
        selection_changed(object): The one selected `Alarm`, or None.
        limits_requested(str): Alarm id; answer with `show_limits`.
        snapshot_requested(str, str): Alarm id and incident id; answer with `show_snapshot` and `show_clips`.
        clip_requested(str, str, str, str): Alarm id, incident id, camera id and `ClipInfo.occurrence`; answer with
            `show_clip`.
        take_out_requested(object, str, object): `list[tuple[Source, str]]` with names, reason, how long they are to be
            out of service.
        service_back_requested(object): This `OutOfService` is to be put back into service.
        silence_requested(): No sound for a minute.
        put_back_requested(): The room is to be as it was before an alarm arranged it.
        counts_changed(object): `dict[Priority, int]` of unacknowledged alarms.
    """

    acknowledge_requested = Signal(str, str, int, str)
    answer_requested = Signal(object, object)
    history_requested = Signal()
    incident_requested = Signal(object)
    escalate_requested = Signal(object)
    comment_requested = Signal(str, str, int, str)
    goto_requested = Signal(object)
    selection_changed = Signal(object)
    limits_requested = Signal(str)
    snapshot_requested = Signal(str, str)
    clip_requested = Signal(str, str, str, str)
    take_out_requested = Signal(object, str, object)
    service_back_requested = Signal(object)
    silence_requested = Signal()
    put_back_requested = Signal()
    counts_changed = Signal(object)

    def __init__(
        self,
        clock: Clock | None = None,
        parent: QWidget | None = None,
        *,
        site_of: Callable[[Alarm], str] = lambda _alarm: "",
        keymap: Keymap | None = None,
    ) -> None:
        """Build the list; `site_of` names where an alarm belongs to, for the groups of a flood."""
        super().__init__(parent)
        defaults = KeySettings().model_dump()
        self._keymap = keymap or keymap_of(defaults, defaults)
        self._clock = clock or SystemClock()
        self._site_of = site_of
        self._role = Role.OPERATOR
        self._limits: dict[str, Limits] = {}
        self._flood = NO_FLOOD
        self._services: tuple[OutOfService, ...] = ()
        self._model = AlarmTableModel(self._clock, self)
        self._changed: dict[str, Alarm] = {}
        self._removed: set[str] = set()
        self._selected_id: str | None = None
        self._detailed: tuple[Alarm, str, Collection[Action]] | None = None
        """What the pane shows of the selected one."""

        self._is_waiting = True
        self._is_changing = False
        self._build()
        self._bind_keys()
        self._batch_timer = self._make_timer(BATCH_MS, self._apply_changes)
        self._batch_timer.setSingleShot(True)
        self._tick_timer = self._make_timer(FLASH_PERIOD_MS // 2, self._on_tick)
        self.setAccessibleName("Alarms")
        self._after_change()

    def _make_timer(self, interval_ms: int, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(interval_ms)
        timer.timeout.connect(slot)
        return timer

    def _build(self) -> None:
        gap = look().sizes.gap
        bar = QFrame(self)
        set_role(bar, "strip")
        row = QHBoxLayout(bar)
        row.setContentsMargins(gap * 2, gap, gap * 2, gap)
        row.setSpacing(gap * 2)
        self._tabs = self._build_tabs(bar)
        self._search = SearchField("Filter alarms", self, bar)
        self._search.query_changed.connect(self._on_query)
        self._choice = QComboBox(bar)
        self._choice.addItems([choice.value for choice in Choice])
        self._choice.setAccessibleName("States that are shown")
        self._choice.currentTextChanged.connect(self._on_choice)
        self._choice.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._summary = QLabel(bar)
        set_role(self._summary, "secondary")
        self._bar_acknowledge = QPushButton("Acknowledge", bar)
        set_role(self._bar_acknowledge, "primary")
        self._bar_acknowledge.setToolTip(f"Acknowledge ({self._keymap.text('acknowledge')})")
        self._bar_acknowledge.clicked.connect(self.acknowledge_selected)
        self._bar_goto = QPushButton("Go to", bar)
        self._bar_goto.setToolTip(f"Show camera and map ({self._keymap.text('go_to')})")
        self._bar_goto.clicked.connect(self._on_goto)
        row.addWidget(self._tabs)
        row.addWidget(self._search, 1)
        for widget in (self._choice, self._summary, self._bar_acknowledge, self._bar_goto):
            row.addWidget(widget)
        self._table = self._build_table()
        self._search.left.connect(self._table.setFocus)
        self._overlay = StateOverlay(self._table.viewport())
        self._detail = AlarmDetail(self)
        self._detail.acknowledge_clicked.connect(self.acknowledge_selected)
        self._detail.goto_clicked.connect(self._on_goto)
        self._detail.action_clicked.connect(self.begin)
        self._detail.put_back_clicked.connect(self.put_back_requested)
        self._detail.comment_entered.connect(self._on_comment)
        self._detail.left.connect(self._on_detail_left)
        self._detail.clip_wanted.connect(self._on_clip_wanted)
        self._place = Place.BESIDE
        self._is_commenting = False
        self._acknowledged_by_comment = ""
        """The alarm whose acknowledge waits for its comment."""

        self._splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self._splitter.setChildrenCollapsible(False)
        left = QWidget(self._splitter)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        self._flood_bar = FloodBar(left)
        column.addWidget(self._flood_bar)
        self._action_bar = ActionBar(left)
        self._action_bar.answered.connect(self._on_answered)
        self._action_bar.left.connect(self._leave_action)
        column.addWidget(self._action_bar)
        self._service = ServiceView(self._keymap.text("out_of_service"), left)
        self._service.take_out_requested.connect(self.take_out_requested)
        self._service.put_back_requested.connect(self.service_back_requested)
        self._service.page_changed.connect(self._show_parts)
        self._service.hide()
        column.addWidget(self._service, 1)
        column.addWidget(self._table, 1)
        self._splitter.addWidget(left)
        self._splitter.addWidget(self._detail)
        self._splitter.setStretchFactor(0, 5)
        self._splitter.setStretchFactor(1, 3)
        self._splitter.splitterMoved.connect(lambda _place, _index: self._fit_columns())
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._splitter)

    def _build_tabs(self, parent: QWidget) -> QTabBar:
        tabs = QTabBar(parent)
        set_role(tabs, "compact")
        tabs.setDrawBase(False)
        tabs.setExpanding(False)
        tabs.setUsesScrollButtons(False)
        # Its names follow the width of the list, so it must not hold the list wide.
        tabs.setMinimumWidth(look().sizes.body)
        tabs.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        tabs.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        tabs.setAccessibleName("Parts of the list")
        for tab in Tab:
            tabs.addTab(tab.value)
        tabs.currentChanged.connect(self._on_tab)
        return tabs

    def _build_table(self) -> AlarmTable:
        sizes = look().sizes
        table = AlarmTable(self)
        table.setModel(self._model)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        # By rows: the one at the top is never cut.
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerItem)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setCornerButtonEnabled(False)
        table.setAccessibleName("Open alarms")
        table.setMinimumHeight(sizes.row)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(sizes.row)
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setMinimumSectionSize(sizes.body * 2)
        self._priority_delegate = PriorityDelegate(table)
        table.setItemDelegateForColumn(Column.PRIORITY, self._priority_delegate)
        table.setItemDelegateForColumn(Column.STATE, StateDelegate(table))
        self._two_line_delegate = TwoLineDelegate(self._clock, table)
        header.setSectionResizeMode(Column.TITLE, QHeaderView.ResizeMode.Stretch)
        table.selectionModel().selectionChanged.connect(self._on_selection)
        table.doubleClicked.connect(lambda _: self._on_goto())
        return table

    def _fit_columns(self) -> None:
        """Leave out what does not fit; the others get what their texts need in the present font, the title the rest."""
        sizes = look().sizes
        metrics = QFontMetrics(look().font())
        width = self._table.width()
        header = self._table.horizontalHeader()
        header.setFixedHeight(round(sizes.caption * 1.3) + sizes.gap * 2 + 2)
        self._set_two_lines(is_on=width < sizes.body * _ONE_LINE_EM)
        widths = {Column.PRIORITY: round(sizes.body * 3.2) + sizes.gap * 2}
        for column, text in _WIDEST.items():
            self._table.setColumnHidden(column, width < sizes.body * _LEAST_EM.get(column, 0))
            widths[column] = metrics.horizontalAdvance(text) + sizes.gap * 6
        longest = _WIDEST[Column.STATE] if width >= sizes.body * _LEAST_EM[Column.PERSON] else "L-UNACK"
        self._fit_held(width / sizes.body)
        is_one_line = width >= sizes.body * _ONE_LINE_EM
        self._model.put_remarks_in_title(is_one_line and self._table.isColumnHidden(Column.COMMENT))
        state = QFontMetrics(look().font(weight=QFont.Weight.DemiBold)).horizontalAdvance(longest)
        widths[Column.STATE] = state + round(sizes.body * 0.7) + sizes.gap * 6
        widths[Column.SOURCE] = max(round(sizes.body * 5.5), min(widths[Column.SOURCE], round(width * 0.21)))
        for column, wanted in widths.items():
            # A column that gets another width on the way to its own has the whole list painted once more.
            if self._table.columnWidth(column) != wanted:
                self._table.setColumnWidth(column, wanted)

    def _fit_held(self, width_em: float) -> None:
        """Where alarms are held, by whom, why and until when matters more than age and mnemonic."""
        if self._model.filter.tab not in HELD_LETTERS or width_em >= _LEAST_EM[Column.COMMENT]:
            return
        for column in (Column.AGE, Column.REPEATS, Column.PERSON, Column.STATE):
            self._table.setColumnHidden(column, True)
        has_room = width_em >= _ONE_LINE_EM
        self._table.setColumnHidden(Column.COMMENT, not has_room)
        if has_room:
            self._table.setColumnWidth(Column.COMMENT, round(self._table.width() * 0.42))

    def _set_two_lines(self, *, is_on: bool) -> None:
        """Write the source below the title, where side by side both would be cut."""
        sizes = look().sizes
        self._table.verticalHeader().setDefaultSectionSize(round(sizes.row * 1.5) if is_on else sizes.row)
        delegate = self._two_line_delegate if is_on else self._table.itemDelegate()
        if self._table.itemDelegateForColumn(Column.TITLE) is not delegate:
            self._table.setItemDelegateForColumn(Column.TITLE, delegate)

    @property
    def _has_two_lines(self) -> bool:
        return self._table.itemDelegateForColumn(Column.TITLE) is self._two_line_delegate

    def _arrange(self) -> None:
        """Put the detail where there is room for it; without a selection the list has all of it."""
        body = look().sizes.body
        if self.width() >= body * _BESIDE_EM:
            self._place = Place.BESIDE
        else:
            self._place = Place.BELOW if self.height() >= body * _BELOW_EM else Place.BAR
        is_beside = self._place is Place.BESIDE
        wanted = Qt.Orientation.Horizontal if is_beside else Qt.Orientation.Vertical
        if self._splitter.orientation() is not wanted:
            self._splitter.setOrientation(wanted)
        is_selected = self._detail.alarm_id is not None
        is_bar = self._place is Place.BAR
        self._is_commenting = self._is_commenting and is_bar and is_selected
        self._detail.set_only_comment(is_bar)
        is_shown = is_selected and (not is_bar or self._is_commenting)
        if is_shown is self._detail.isHidden():
            self._detail.setVisible(is_shown)
            if is_shown and not is_bar:
                share = _BESIDE_SHARE if is_beside else 0.45
                whole = self._splitter.width() if is_beside else self._splitter.height()
                self._splitter.setSizes([round(whole * (1.0 - share)), round(whole * share)])
        for widget in (self._bar_acknowledge, self._bar_goto):
            widget.setVisible(is_bar and is_selected)
        has_room = self._has_room_for_choice
        self._choice.setVisible(has_room and self._model.filter.tab is Tab.ACTIVE)
        self._summary.setVisible(has_room and not (is_bar and is_selected))
        self._name_tabs()
        self._fit_columns()

    def _bind_keys(self) -> None:
        acts: dict[str, Callable[[], object]] = {
            "acknowledge": self.acknowledge_selected,
            "acknowledge_page": self.acknowledge_visible,
            "shelve": self._on_shelve,
            "unacknowledge": lambda: self.begin(Action.UNACKNOWLEDGE),
            "reset": lambda: self.begin(Action.RESET),
            "close_unheard": lambda: self.begin(Action.CLOSE_UNHEARD),
            "out_of_service": self._on_service,
            "escalate": lambda: self._for_selected(self.escalate_requested),
            "make_incident": lambda: self._for_selected(self.incident_requested),
            "comment": self._on_comment_wanted,
            "tick": self._on_tick_wanted,
            "go_to": self._on_goto,
            "next": lambda: self.step_calling(1),
            "previous": lambda: self.step_calling(-1),
            "silence": self.silence_requested.emit,
        }
        for name, act in acts.items():
            for keys in self._keymap.of(name):
                is_for_rows = keys in BUTTON_KEYS
                shortcut = QShortcut(QKeySequence(keys), self._table if is_for_rows else self)
                context = Qt.ShortcutContext.WidgetShortcut if is_for_rows else _WITH_CHILDREN
                shortcut.setContext(context)
                shortcut.setAutoRepeat(name in ("next", "previous"))
                shortcut.activated.connect(act)

    # -- what is shown

    @property
    def model(self) -> AlarmTableModel:
        """The rows."""
        return self._model

    @property
    def table(self) -> AlarmTable:
        """The view of the rows."""
        return self._table

    @property
    def service(self) -> ServiceView:
        """What is out of service."""
        return self._service

    @property
    def detail(self) -> AlarmDetail:
        """The pane of the selected alarm."""
        return self._detail

    def show_alarms(self, alarms: Iterable[Alarm]) -> None:
        """Take over the whole list at once."""
        self._batch_timer.stop()
        self._changed.clear()
        self._removed.clear()
        self._is_waiting = False
        alarms = tuple(alarms)
        n_new = sum(alarm.is_calling and self._model.row_of(alarm.alarm_id) is None for alarm in alarms)
        self._with_kept_place(lambda: self._model.replace(alarms))
        if 0 < n_new <= AT_ONCE and self.isVisible():
            # What calls is painted first; the map and all other panels come after it.
            self._table.paint_now()

    def show_changes(self, changed: Iterable[Alarm], removed: Iterable[str] = ()) -> None:
        """Take over changes; those of 100 ms are shown together."""
        for alarm in changed:
            known = self._changed.get(alarm.alarm_id)
            if known is None or known.version <= alarm.version:
                self._changed[alarm.alarm_id] = alarm
                self._removed.discard(alarm.alarm_id)
        for alarm_id in removed:
            self._changed.pop(alarm_id, None)
            self._removed.add(alarm_id)
        if not self._batch_timer.isActive():
            self._batch_timer.start()

    def show_history(self, alarms: Iterable[Alarm]) -> None:
        """Show these in the tab of the history, the newest first."""
        kept = tuple(alarms)
        self._with_kept_place(lambda: self._model.show_history(kept))

    def show_limits(self, alarm_id: str, limits: Limits) -> None:
        """Take over what the node allows this operator for an alarm; before that the shipped figures count."""
        self._limits[alarm_id] = limits

    def show_role(self, role: Role) -> None:
        """Offer what this role may do."""
        self._role = role
        self._service.show_role(role)
        self._refresh_detail()

    def show_services(self, services: Iterable[OutOfService]) -> None:
        """Take over what is out of service; what has no alarm is listed and counted as well."""
        self._services = tuple(services)
        self._after_change()

    def show_sources(self, sources: Iterable[NamedSource]) -> None:
        """Take over what can be taken out of service."""
        self._service.show_sources(sources)

    def take_out_sources(self, chosen: Iterable[Source] = ()) -> None:
        """Ask what is to be taken out of service, with these ticked already."""
        if self._role >= Role.SUPERVISOR:
            self.show_tab(Tab.OUT_OF_SERVICE)
            self._service.begin(chosen)

    def show_tab(self, tab: Tab) -> None:
        """Bring a part of the list to the front."""
        self._tabs.setCurrentIndex(list(Tab).index(tab))

    def show_snapshot(self, alarm_id: str, content: bytes) -> None:
        """Show the picture that was asked for; one that comes too late is ignored, empty bytes mean there is none."""
        if alarm_id == self._detail.alarm_id:
            self._detail.show_snapshot(content)

    def show_clips(self, alarm_id: str, clips: tuple[ClipInfo, ...]) -> None:
        """Offer the cameras that saw an alarm; what comes too late is ignored."""
        if alarm_id == self._detail.alarm_id:
            self._detail.show_clips(clips)

    def show_clip(self, alarm_id: str, clip: Clip | None) -> None:
        """Offer what a camera saw around an alarm; one that comes too late is ignored."""
        if alarm_id == self._detail.alarm_id:
            self._detail.show_clip(clip)

    def show_trend(self, alarm_id: str, trend: Trend | None) -> None:
        """Show how traffic went around an alarm; one that comes too late is ignored."""
        if alarm_id == self._detail.alarm_id:
            self._detail.show_trend(trend)

    def show_refused(self, alarm_id: str) -> None:
        """Take "sent…" away from an alarm whose acknowledge was refused."""
        self._model.clear_sent(alarm_id)
        self._refresh_detail()

    def show_flood(self, flood: Flood) -> None:
        """Say that there is a flood, and stand alarms together while it lasts."""
        if flood.is_on is not self._flood.is_on:
            self._with_kept_place(lambda: self._model.group_by(self._site_of if flood.is_on else None))
        self._flood = flood
        self._flood_bar.show_flood(flood, format_clock(flood.since) if flood.since is not None else "")
        self._make_room()

    @property
    def flood_text(self) -> str:
        """What is said about a flood; empty where there is none."""
        return self._flood_bar.text

    def show_stale(self, sentence: str, hint: str = "") -> None:
        """Say that the rows are not from now, as when the node is gone."""
        self._overlay.show_state(PanelState.STALE, sentence, hint)

    def show_current(self) -> None:
        """Take back `show_stale`."""
        self._overlay.clear()
        self._refresh_overlay()

    def select(self, alarm_id: str) -> bool:
        """Select an alarm and scroll to it; clears a filter that hides it. False where it is not open."""
        if self._model.alarm(alarm_id) is None:
            return False
        alarm = self._model.alarm(alarm_id)
        if alarm is not None and self._model.row_of(alarm_id) is None:
            self._search.clear()
            self._choice.setCurrentText(Choice.OPEN.value)
            self.show_tab(tab_of(alarm))
        row = self._model.row_of(alarm_id)
        if row is None:
            return False
        self._go_to_row(row)
        return True

    def select_most_urgent(self) -> None:
        """Select the most urgent alarm that calls, whatever a filter hides, and let the keys go to it."""
        calling = strip_alarms(self._model.alarms)
        if calling:
            self.select(calling[0].alarm_id)
        self._table.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def show_arranged(self, is_arranged: bool) -> None:
        """Offer to put the room back, or no longer."""
        self._detail.show_put_back(self._keymap.text("put_back") if is_arranged else "")

    # -- what the operator does

    def selected_alarms(self) -> tuple[Alarm, ...]:
        """Return the selected alarms from the top."""
        rows = sorted(index.row() for index in self._table.selectionModel().selectedRows())
        return tuple(alarm for row in rows if (alarm := self._model.alarm_at(row)) is not None)

    def acknowledge_selected(self) -> None:
        """Ask for an acknowledge of each selected alarm that calls; a comment goes with a single one."""
        alarms = self.selected_alarms()
        comment = self._detail.comment_draft if len(alarms) == 1 else ""
        if len(alarms) == 1 and not comment and self._needs_comment(alarms[0]):
            # Nothing is asked of the node that it would refuse: the keys go to where the words are missing.
            self._on_comment_wanted()
            self._detail.ask_comment("Say what you found; Enter acknowledges")
            self._acknowledged_by_comment = alarms[0].alarm_id
            return
        self._acknowledge(alarms, comment)
        if comment:
            self._detail.clear_comment()

    def acknowledge_visible(self) -> None:
        """Ask for an acknowledge of what can be seen in the list right now, never of anything else."""
        self._acknowledge(self.visible_alarms(), "")

    def visible_alarms(self) -> tuple[Alarm, ...]:
        """Return the alarms whose rows can be seen as a whole."""
        height = self._table.viewport().height()
        first = self._table.rowAt(0)
        if first < 0:
            return ()
        seen = []
        for row in range(first, self._model.rowCount()):
            rect = self._table.visualRect(self._model.index(row, 0))
            if rect.top() >= height:
                break
            alarm = self._model.alarm_at(row)
            if rect.top() >= 0 and rect.bottom() < height and alarm is not None:
                seen.append(alarm)
        return tuple(seen)

    def begin(self, action: Action) -> None:
        """Do something with the selected alarms that it fits: at once, or after time and reason were given."""
        now = self._clock.now()
        alarms = [alarm for alarm in self.selected_alarms() if action in actions_of(alarm, self._role, now)]
        if not alarms:
            return
        if action is Action.ACKNOWLEDGE:
            self.acknowledge_selected()
        elif action in _ASKS:
            self._action_bar.ask(action, alarms, self._longest_shelving(alarms))
            self._make_room()
        else:
            self._send(alarms, Answer(action=action, comment=self._detail.comment_draft))
            self._detail.clear_comment()

    def _needs_comment(self, alarm: Alarm) -> bool:
        limits = self._limits.get(alarm.alarm_id)
        return alarm.is_calling and limits is not None and limits.is_comment_needed

    def _longest_shelving(self, alarms: Iterable[Alarm]) -> timedelta:
        return min(
            (
                timedelta(seconds=known.longest_shelving_s)
                if (known := self._limits.get(alarm.alarm_id)) is not None
                else longest_shelving(alarm, self._role)
                for alarm in alarms
            ),
            default=timedelta(),
        )

    @property
    def action_text(self) -> str:
        """What the line above the list asks; empty while it asks nothing."""
        return self._action_bar.text

    def _send(self, alarms: Iterable[Alarm], answer: Answer) -> None:
        for alarm in alarms:
            self._model.mark_sent(alarm.alarm_id)
            self.answer_requested.emit(alarm, answer)
        self._refresh_detail()

    def _on_answered(self, answer: Answer) -> None:
        alarms = self._action_bar.alarms
        self._leave_action()
        self._send(alarms, answer)

    def _leave_action(self) -> None:
        focused = QApplication.focusWidget()
        had_keys = focused is not None and self._action_bar.isAncestorOf(focused)
        self._action_bar.hide()
        self._make_room()
        if had_keys:
            self._table.setFocus(Qt.FocusReason.OtherFocusReason)

    def _make_room(self) -> None:
        """Let what is asked be read whole, and two lists: where all is low the line of the flood waits.

        The strip says it too.
        """
        is_crowded = not self._action_bar.isHidden() or self._model.filter.tab is Tab.OUT_OF_SERVICE
        is_low = self.height() < look().sizes.body * _WITH_FLOOD_EM
        self._flood_bar.setVisible(self._flood.is_on and not (is_crowded and is_low))

    def _on_shelve(self) -> None:
        is_shelved = any(alarm.state is AlarmState.SHELVED for alarm in self.selected_alarms())
        self.begin(Action.UNSHELVE if is_shelved else Action.SHELVE)

    def _on_service(self) -> None:
        if self._service.has_keys and self._service.is_chosen:
            self._service.put_back()
            return
        if self._service.has_keys or not self.selected_alarms():
            self.take_out_sources()
            return
        is_out = any(alarm.state is AlarmState.OUT_OF_SERVICE for alarm in self.selected_alarms())
        self.begin(Action.PUT_BACK if is_out else Action.TAKE_OUT)

    def _for_selected(self, signal: SignalInstance) -> None:
        alarms = self.selected_alarms()
        if len(alarms) == 1:
            signal.emit(alarms[0])

    def _acknowledge(self, alarms: Iterable[Alarm], comment: str) -> None:
        for alarm in alarms:
            if not alarm.is_calling or self._model.sent_text(alarm.alarm_id) == "sent…":
                continue
            self._model.mark_sent(alarm.alarm_id)
            self.acknowledge_requested.emit(alarm.alarm_id, alarm.occurrence, alarm.version, comment)
        self._refresh_detail()

    def step_calling(self, step: int) -> None:
        """Select the next unacknowledged alarm, or with -1 the previous one; round the ends."""
        n_rows = self._model.rowCount()
        current = self._table.currentIndex().row()
        start = current if current >= 0 else (-1 if step > 0 else 0)
        for offset in range(1, n_rows + 1):
            row = (start + step * offset) % n_rows
            alarm = self._model.alarm_at(row)
            if alarm is not None and alarm.is_calling:
                self._go_to_row(row)
                return

    def _go_to_row(self, row: int) -> None:
        # Not `selectRow`: it looks at the keyboard, and a Shift or Ctrl still held would change what it does.
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self._table.selectionModel().setCurrentIndex(self._model.index(row, Column.TITLE), flags)
        self._table.scrollTo(self._model.index(row, Column.PRIORITY))

    # -- slots

    def _apply_changes(self) -> None:
        changed, removed = tuple(self._changed.values()), tuple(self._removed)
        self._changed.clear()
        self._removed.clear()
        self._with_kept_place(lambda: self._model.apply(changed, removed))

    def _with_kept_place(self, change: Callable[[], None]) -> None:
        """Change rows without moving the selection to other alarms, or the selected one under the operator's eyes."""
        current = self._model.alarm_at(self._table.currentIndex().row())
        selected = [alarm.alarm_id for alarm in self.selected_alarms()]
        bar = self._table.verticalScrollBar()
        top = self._top_of(current)
        is_seen = top is not None and 0 <= top < self._table.viewport().height()
        self._is_changing = True
        change()
        self._restore_selection(selected, current)
        self._is_changing = False
        now_top = self._top_of(current)
        if is_seen and top is not None and now_top is not None and bar.value() > 0:
            bar.setValue(bar.value() + round((now_top - top) / self._table.verticalHeader().defaultSectionSize()))
        self._after_change()

    def _top_of(self, alarm: Alarm | None) -> int | None:
        row = self._model.row_of(alarm.alarm_id) if alarm is not None else None
        return self._table.visualRect(self._model.index(row, 0)).top() if row is not None else None

    def _restore_selection(self, alarm_ids: Iterable[str], current: Alarm | None) -> None:
        """Select the same alarms as before, wherever they stand now; Qt drops ranges whose rows moved apart."""
        wanted = QItemSelection()
        for alarm_id in alarm_ids:
            row = self._model.row_of(alarm_id)
            if row is not None:
                wanted.select(self._model.index(row, 0), self._model.index(row, len(Column) - 1))
        selection = self._table.selectionModel()
        selection.select(wanted, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        row = self._model.row_of(current.alarm_id) if current is not None else None
        index = self._model.index(row, Column.TITLE) if row is not None else QModelIndex()
        selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)

    def _after_change(self) -> None:
        self._refresh_overlay()
        self._refresh_detail()
        self._service.show_holds(self._services, self._model.alarms, self._clock.now())
        self._show_parts()
        counts = self._model.counts()
        n_calling, in_tabs = sum(counts.values()), self._model.tab_counts()
        n_there, n_shown = in_tabs[self._model.filter.tab], self._model.rowCount()
        hidden = f" · {n_there - n_shown} hidden" if n_there > n_shown else ""
        self._summary.setText(f"{n_calling} unacknowledged{hidden}")
        self._name_tabs()
        self.counts_changed.emit(counts)

    def _name_tabs(self) -> None:
        """Write the counts; where there is no room, what is held goes by the letter of its symbol."""
        counts = self._model.tab_counts()
        counts[Tab.OUT_OF_SERVICE] += len(silent_services(self._services, self._model.alarms))
        width_em = self._list_em
        letters_em = _LETTERS_EM if self._bar_goto.isHidden() else _LETTERS_EM + _BUTTONS_EM
        for index, tab in enumerate(Tab):
            name = tab.value
            if width_em < _LONG_TABS_EM:
                name = HELD_LETTERS.get(tab, tab.value[0] if width_em < letters_em else tab.value)
            text = name if tab is Tab.HISTORY else f"{name} {counts[tab]}"
            if self._tabs.tabText(index) != text:
                self._tabs.setTabText(index, text)
                whole = tab.value if tab is Tab.HISTORY else f"{tab.value}: {counts[tab]}"
                self._tabs.setTabToolTip(index, whole)
                self._tabs.setAccessibleTabName(index, whole)

    def _refresh_overlay(self) -> None:
        if self._overlay.state is PanelState.STALE:
            return
        if self._is_waiting:
            self._overlay.show_state(PanelState.LOADING, "Waiting for the alarms.", "They come from the node.")
        elif self._model.rowCount():
            self._overlay.clear()
        elif self._model.filter.is_narrow:
            self._overlay.show_state(PanelState.EMPTY, "No alarm matches the filter.", "Esc in the filter clears it.")
        else:
            self._overlay.show_state(PanelState.EMPTY, _NOTHING[self._model.filter.tab])

    def _refresh_detail(self) -> None:
        alarms = self.selected_alarms()
        alarm = alarms[0] if len(alarms) == 1 else None
        if alarm is None:
            self._detailed = None
            self._detail.show_none()
        else:
            sent = self._model.sent_text(alarm.alarm_id)
            shown = (alarm, sent, actions_of(alarm, self._role, self._clock.now()))
            # How long it is held runs on by itself.
            if shown != self._detailed or alarm.is_suppressed_or_shelved:
                self._detailed = shown
                self._detail.show_alarm(*shown)
            self._bar_acknowledge.setEnabled(alarm.is_calling and not sent)
        self._arrange()
        alarm_id = alarm.alarm_id if alarm is not None else None
        if alarm_id == self._selected_id:
            return
        self._selected_id = alarm_id
        if alarm is not None and alarm.incident_id:
            self.snapshot_requested.emit(alarm.alarm_id, alarm.incident_id)
        self._limits.clear()
        if alarm is not None:
            self.limits_requested.emit(alarm.alarm_id)
        self.selection_changed.emit(alarm)

    def _on_selection(self, _selected: QItemSelection, _deselected: QItemSelection) -> None:
        if self._is_changing:
            return
        asked = {alarm.alarm_id for alarm in self._action_bar.alarms}
        if not self._action_bar.isHidden() and asked != {alarm.alarm_id for alarm in self.selected_alarms()}:
            # Else it would ask about one alarm beside the detail of another.
            self._leave_action()
        self._refresh_detail()

    def _on_query(self, query: str) -> None:
        self._with_kept_place(lambda: self._model.set_filter(replace(self._model.filter, query=query)))

    def _on_choice(self, text: str) -> None:
        self._with_kept_place(lambda: self._model.set_filter(replace(self._model.filter, choice=Choice(text))))

    def _on_tab(self, index: int) -> None:
        tab = list(Tab)[index]
        if not self._action_bar.isHidden():
            self._leave_action()
        self._choice.setVisible(tab is Tab.ACTIVE and self._has_room_for_choice)
        self._with_kept_place(lambda: self._model.set_filter(replace(self._model.filter, tab=tab)))
        self._show_parts()
        self._make_room()
        self._fit_columns()
        if tab is Tab.HISTORY:
            self.history_requested.emit()

    @property
    def _has_room_for_choice(self) -> bool:
        return self._list_em >= _CHOICE_EM

    @property
    def _list_em(self) -> float:
        """Width there is for the list, in letters: what it has now depends on what is in its bar."""
        width = self.width()
        if self._place is Place.BESIDE and self._detail.alarm_id is not None:
            width -= max(self._detail.minimumWidth(), round(width * _BESIDE_SHARE))
        return width / look().sizes.body

    def _show_parts(self) -> None:
        """Show what is out of service above the alarms that it holds; alone where it holds none, or asks."""
        is_service = self._model.filter.tab is Tab.OUT_OF_SERVICE
        is_listed = not is_service or (not self._service.is_asking and self._model.rowCount() > 0)
        left_table, left_service = self._table.hasFocus() and not is_listed, self._service.has_keys and not is_service
        self._service.setVisible(is_service)
        self._table.setVisible(is_listed)
        if left_table and not self._service.is_asking:
            self._service.setFocus()
        elif left_service:
            self._table.setFocus()

    def _on_goto(self) -> None:
        alarms = self.selected_alarms()
        if alarms:
            self.goto_requested.emit(alarms[0])

    def _on_comment(self, text: str) -> None:
        alarms = self.selected_alarms()
        if len(alarms) == 1 and text:
            alarm = alarms[0]
            if alarm.alarm_id == self._acknowledged_by_comment and alarm.is_calling:
                self._acknowledge(alarms, text)
            else:
                self.comment_requested.emit(alarm.alarm_id, alarm.occurrence, alarm.version, text)
            self._detail.clear_comment()
            self._on_detail_left()

    def _on_comment_wanted(self) -> None:
        self._acknowledged_by_comment = ""
        self._is_commenting = True
        self._arrange()
        self._detail.focus_comment()

    def _on_clip_wanted(self, camera_id: str, occurrence: str) -> None:
        alarm = self.model.alarm(self._detail.alarm_id or "")
        if alarm is not None:
            self.clip_requested.emit(alarm.alarm_id, alarm.incident_id, camera_id, occurrence)

    def _on_tick_wanted(self) -> None:
        if self._detail.isVisible():
            self._detail.focus_step()

    def _on_detail_left(self) -> None:
        self._acknowledged_by_comment = ""
        self._is_commenting = False
        self._arrange()
        self._table.setFocus()

    def _on_tick(self) -> None:
        """Flash the symbols and tell ages, in two columns and only where they can be seen."""
        flash = flash_at(self._clock.monotonic(), look())
        viewport = self._table.viewport()
        if flash != self._priority_delegate.flash:
            self._priority_delegate.flash = flash
            left = self._table.columnViewportPosition(Column.PRIORITY)
            viewport.update(left, 0, self._table.columnWidth(Column.PRIORITY), viewport.height())
        if flash.is_on:
            for column in (Column.TITLE,) if self._has_two_lines else (Column.AGE, Column.STATE):
                left = self._table.columnViewportPosition(column)
                viewport.update(left, 0, self._table.columnWidth(column), viewport.height())

    # -- Qt

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Step out of a selection with Esc."""
        focused = QApplication.focusWidget()
        if event.key() == Qt.Key.Key_Escape and focused is not None and self._detail.isAncestorOf(focused):
            self._on_detail_left()
            return
        if event.key() == Qt.Key.Key_Escape and self._table.selectionModel().hasSelection():
            self._table.selectionModel().clear()
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Find a place for the detail, and leave out columns that do not fit."""
        super().resizeEvent(event)
        self._arrange()

    def changeEvent(self, event: QEvent) -> None:
        """Fit the columns to another text size."""
        if event.type() == QEvent.Type.StyleChange:
            self._arrange()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        """Return a list of a dozen rows with its detail."""
        sizes = look().sizes
        return QSize(sizes.body * 70, sizes.row * 14)

    def showEvent(self, event: QShowEvent) -> None:
        """Flash again."""
        super().showEvent(event)
        self._tick_timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop flashing."""
        super().hideEvent(event)
        self._tick_timer.stop()


_ASKS = frozenset({Action.SHELVE, Action.UNACKNOWLEDGE, Action.TAKE_OUT, Action.CLOSE_UNHEARD})
"""They need a reason."""

_NOTHING = {
    Tab.ACTIVE: "No open alarms.",
    Tab.SHELVED: "Nothing is shelved.",
    Tab.SUPPRESSED: "No rule suppresses anything.",
    Tab.OUT_OF_SERVICE: "Everything is in service.",
    Tab.HISTORY: "No alarms in the last 7 days.",
}

_WIDEST = {
    Column.RAISED: "00-00 00:00",
    Column.AGE: "99 d 00:00",
    Column.SOURCE: "Station 14, Bridge Street",
    Column.STATE: "LATCH-UNACK",
    Column.REPEATS: "Rep. 00",
    Column.PERSON: "operator · desk 00",
    Column.COMMENT: "Unit 12 is on its way",
}
"""What a column must hold without being cut."""

_ONE_LINE_EM = 36.0
"""A narrower table has rows of two lines."""

_LEAST_EM = {
    Column.COMMENT: 78.0,
    Column.PERSON: 64.0,
    Column.REPEATS: 52.0,
    Column.RAISED: 54.0,
    Column.AGE: _ONE_LINE_EM,
    Column.STATE: _ONE_LINE_EM,
    Column.SOURCE: _ONE_LINE_EM,
}
"""A column is left out where the table is narrower than this many times the text size; the detail holds it all."""
