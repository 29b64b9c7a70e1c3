"""What is out of service: whose, why and until when; also where no alarm says so."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.access.model import Role
from core.incidents.holds import OutOfService
from core.incidents.model import Alarm
from core.incidents.suppression import Source
from widgets.alarms.action_bar import SERVICE_SPANS, span_words
from widgets.alarms.sources import KIND_WORDS, NamedSource, SourcePicker
from widgets.base.flow import FlowLayout
from widgets.base.focus import order_focus
from widgets.base.state_overlay import PanelState, StateOverlay
from widgets.base.table import Column, Line, TextTable
from widgets.base.theme import look, set_role
from widgets.base.times import format_raised

_COLUMNS = (
    Column(title="Out of service"),
    Column(title="Owner"),
    Column(title="Until"),
    Column(title="Reason", rank=1),
    Column(title="Alarms", is_figure=True, rank=2),
)
_ONLY_SUPERVISOR = "Taking sources out of service needs the role supervisor."


class ServiceForm(QWidget):
    """Which sources, why and for how long; Ctrl+Enter takes them out, Esc leaves.

    Signals:
        take_out_requested(object, str, timedelta): `list[tuple[Source, str]]` with names, reason, how long.
        left()
    """

    take_out_requested = Signal(object, str, object)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        gap = look().sizes.gap
        title = QLabel(
            "Take sources out of service. You are noted as owner; their alarms do not call until the end.", self
        )
        title.setWordWrap(True)
        self.sources = SourcePicker(self, self)
        self.sources.changed.connect(self._refresh)
        self._span, self._reason = QComboBox(self), QLineEdit(self)
        self._span.setAccessibleName("For how long")
        for span in SERVICE_SPANS:
            self._span.addItem(span_words(span), span)
        self._reason.setAccessibleName("Reason")
        self._reason.setPlaceholderText("Reason")
        self._reason.setMaxLength(500)
        self._reason.setMinimumWidth(look().sizes.body * 12)
        self._reason.textChanged.connect(self._refresh)
        self._do = QPushButton("Take out  Ctrl+Enter", self)
        self._do.setAccessibleName("Take these sources out of service")
        set_role(self._do, "primary")
        self._do.clicked.connect(self._on_done)
        leave = QPushButton("Leave  Esc", self)
        set_role(leave, "quiet")
        leave.clicked.connect(self.left)
        controls = FlowLayout(gap * 2)
        for control in (self._span, self._reason, self._do, leave):
            controls.addWidget(control)
        column = QVBoxLayout(self)
        column.setContentsMargins(gap * 3, gap, gap * 3, gap)
        column.setSpacing(gap)
        column.addWidget(title)
        column.addWidget(self.sources, 1)
        column.addLayout(controls)
        self.setFocusProxy(self.sources)
        order_focus(self)

    def begin(self, chosen: Iterable[Source] = ()) -> None:
        """Start anew, with these sources ticked."""
        ticked = frozenset(chosen)
        self.sources.choose(ticked)
        self._reason.clear()
        self._span.setCurrentIndex(0)
        self._refresh()
        (self._reason if ticked else self.sources).setFocus(Qt.FocusReason.OtherFocusReason)

    def _refresh(self) -> None:
        self._do.setEnabled(bool(self.sources.chosen) and bool(self._reason.text().strip()))

    def _on_done(self) -> None:
        span = self._span.currentData()
        if self._do.isEnabled() and isinstance(span, timedelta):
            self.take_out_requested.emit(self.sources.chosen_names, self._reason.text().strip(), span)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take out with Ctrl+Enter, leave with Esc."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif is_enter and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._on_done()
        else:
            super().keyPressEvent(event)


class ServiceView(QWidget):
    """The list of what is out of service, or the form to take more of it out.

    Signals:
        take_out_requested(object, str, timedelta): As of `ServiceForm`.
        put_back_requested(OutOfService)
        page_changed(): List or form came to the front.
    """

    take_out_requested = Signal(object, str, object)
    put_back_requested = Signal(object)
    page_changed = Signal()

    def __init__(self, keys: str, parent: QWidget | None = None) -> None:
        """Say in buttons that these `keys` take out and put back."""
        super().__init__(parent)
        self._holds: tuple[OutOfService, ...] = ()
        self._role = Role.VIEWER
        self._table = TextTable("What is out of service", _COLUMNS, self)
        self._table.selectionModel().currentChanged.connect(lambda _now, _before: self._refresh())
        self._table.model().modelReset.connect(self._refresh)
        self._overlay = StateOverlay(self._table.viewport())
        self._take_out = QPushButton(f"Take sources out  {keys}", self)
        self._take_out.setAccessibleName("Take sources out of service")
        self._take_out.clicked.connect(lambda: self.begin())
        self._put_back = QPushButton(f"Put back  {keys}", self)
        self._put_back.setAccessibleName("Put back into service")
        self._put_back.clicked.connect(self.put_back)
        self._form = ServiceForm(self)
        self._form.left.connect(self.leave_form)
        self._form.take_out_requested.connect(self._on_take_out)
        gap = look().sizes.gap
        self._page = QWidget(self)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(gap * 2, gap, gap * 2, gap)
        buttons.setSpacing(gap * 2)
        buttons.addWidget(self._put_back)
        buttons.addWidget(self._take_out)
        buttons.addStretch(1)
        column = QVBoxLayout(self._page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._table, 1)
        column.addLayout(buttons)
        self._pages = QStackedWidget(self)
        self._pages.addWidget(self._page)
        self._pages.addWidget(self._form)
        self._hold_only(self._page)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._pages)
        self.setFocusProxy(self._table)
        self._refresh()

    @property
    def lines(self) -> tuple[Line, ...]:
        """What the operator reads."""
        return self._table.lines

    @property
    def form(self) -> ServiceForm:
        """What asks for sources, reason and time."""
        return self._form

    @property
    def is_asking(self) -> bool:
        """Whether the form is in front."""
        return self._pages.currentWidget() is self._form

    @property
    def is_chosen(self) -> bool:
        """Whether one of the list is selected."""
        return bool(self._table.current_key)

    @property
    def has_keys(self) -> bool:
        """Whether the keys go to the list."""
        return self._table.hasFocus()

    def show_holds(self, holds: Iterable[OutOfService], alarms: Iterable[Alarm], now: datetime) -> None:
        """Show what is out of service, and how many alarms of it stand now."""
        self._holds = tuple(holds)
        standing = tuple(alarms)
        self._table.show_lines([_line(hold, standing, now) for hold in self._holds])
        if self._holds:
            self._overlay.clear()
        else:
            self._overlay.show_state(PanelState.EMPTY, "Everything is in service.")
        self._refresh()

    def show_sources(self, sources: Iterable[NamedSource]) -> None:
        """Take over what can be taken out."""
        self._form.sources.show_sources(sources)

    def show_role(self, role: Role) -> None:
        """Offer what this role may do; the node decides."""
        self._role = role
        if role < Role.SUPERVISOR:
            self.leave_form()
        self._refresh()

    def begin(self, chosen: Iterable[Source] = ()) -> None:
        """Open the form, with these sources ticked."""
        if self._role >= Role.SUPERVISOR:
            self._turn_to(self._form)
            self._form.begin(chosen)

    def put_back(self) -> None:
        """Put the selected one back into service."""
        hold = next((one for one in self._holds if one.hold_id == self._table.current_key), None)
        if hold is not None and self._put_back.isEnabled():
            self.put_back_requested.emit(hold)

    def leave_form(self) -> None:
        """Show the list again."""
        if self.is_asking:
            self._turn_to(self._page)
            self._table.setFocus(Qt.FocusReason.OtherFocusReason)

    def _turn_to(self, page: QWidget) -> None:
        self._pages.setCurrentWidget(page)
        self._hold_only(page)
        self.page_changed.emit()

    def _hold_only(self, page: QWidget) -> None:
        """Let the height of a page that is not seen take no room from the list of alarms."""
        for one in (self._page, self._form):
            policy = one.sizePolicy()
            policy.setVerticalPolicy(QSizePolicy.Policy.Preferred if one is page else QSizePolicy.Policy.Ignored)
            one.setSizePolicy(policy)

    def _on_take_out(self, named: list[tuple[Source, str]], reason: str, span: timedelta) -> None:
        self.leave_form()
        self.take_out_requested.emit(named, reason, span)

    def _refresh(self) -> None:
        may = self._role >= Role.SUPERVISOR
        self._take_out.setEnabled(may)
        self._put_back.setEnabled(may and bool(self._table.current_key))
        for button in (self._take_out, self._put_back):
            button.setToolTip("" if may else _ONLY_SUPERVISOR)


def _line(hold: OutOfService, alarms: tuple[Alarm, ...], now: datetime) -> Line:
    n_alarms = sum(hold.covers(alarm) for alarm in alarms)
    kind = "One condition" if hold.condition_key else KIND_WORDS.get(hold.source_kind, hold.source_kind.value)
    until = format_raised(hold.until, now)
    cells = (f"{hold.source_name} · {kind}", hold.owner, until, hold.reason, str(n_alarms) if n_alarms else "--")
    return Line(key=hold.hold_id, cells=cells, tip=f"Since {format_raised(hold.since, now)}")
