"""Everything about one device in one place: what it is, what it says, how it is set, what it is told to do."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.access.model import Role
from core.field.model import Device, Reading
from core.field.sheet import DeviceSheet
from core.kernel.clock import Clock, SystemClock
from widgets.base.conditions import ConditionSymbol
from widgets.base.facts import FactList
from widgets.base.flow import FlowLayout
from widgets.base.focus import order_focus
from widgets.base.labels import ElidedLabel
from widgets.base.theme import look, set_role
from widgets.devices.certificate_form import CertificateForm
from widgets.devices.command_form import CommandForm
from widgets.devices.details import device_facts
from widgets.devices.event_list import EventList
from widgets.devices.history_chart import HistoryView
from widgets.devices.identity_form import IdentityForm
from widgets.devices.message_list import MessageList
from widgets.devices.rows import device_row
from widgets.devices.twin_form import TwinForm

REFRESH_S = 2.0
"""So often the page in front asks anew."""


class DevicePage(QWidget):
    """The page of one device.

    Signals:
        left(): Back to the tree.
        refresh_requested(): The events, messages or the sheet in front should be asked for anew.
    """

    left = Signal()
    refresh_requested = Signal()

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clock = clock or SystemClock()
        self._device: Device | None = None
        self._readings: tuple[Reading, ...] = ()
        self._sheet: DeviceSheet | None = None
        self.identity = IdentityForm(self)
        self.messages = MessageList(self)
        self.events = EventList(self)
        self.twin = TwinForm(self._clock, self)
        self.commands = CommandForm(self)
        self.history = HistoryView(self)
        self.certificate = CertificateForm(self)
        self._build()
        order_focus(self)
        self._timer = QTimer(self)
        self._timer.setInterval(round(REFRESH_S * 1000))
        self._timer.timeout.connect(self._on_timer)

    @property
    def device_id(self) -> str:
        """Of the device that is shown; empty before the first."""
        return "" if self._device is None else self._device.device_id

    @property
    def facts(self) -> dict[str, str]:
        """What stands in the overview."""
        return self._facts.facts

    @property
    def tab(self) -> str:
        """Name of the part in front."""
        return list(self._tabs)[self._pages.currentIndex()]

    def show_tab(self, name: str) -> None:
        """Bring a part to the front."""
        self._tabs[name].setChecked(True)
        self._pages.setCurrentIndex(list(self._tabs).index(name))

    def focus_tab(self) -> None:
        """Let the keys choose a part."""
        self._tabs[self.tab].setFocus(Qt.FocusReason.OtherFocusReason)

    def show_role(self, role: Role | None) -> None:
        """Offer what this role may do; the node decides."""
        for part in (self.identity, self.twin, self.commands, self.certificate):
            part.show_role(role)

    def show_device(self, device: Device, readings: Iterable[Reading]) -> None:
        """Show another device, or how the same one is now."""
        is_other = device.device_id != self.device_id
        self._device, self._readings = device, tuple(readings)
        if is_other:
            self._sheet = None
            for part in (self.twin, self.commands, self.history, self.certificate):
                part.start()
            self.messages.show_messages(())
            self.events.show_events(())
        self.identity.show_device(device)
        self._refresh()

    def show_sheet(self, sheet: DeviceSheet) -> None:
        """Show what the device says about itself."""
        self._sheet = sheet
        self.commands.show_offered(sheet.commands)
        had_none = not self.history.has_quantities
        self.history.show_quantities(sheet.quantities)
        if had_none and self.tab == "History":
            self.history.ask()
        self._refresh()

    def _build(self) -> None:
        gap = look().sizes.gap
        self._back = QPushButton("Back", self)
        self._back.setToolTip("To all devices (Esc)")
        self._back.clicked.connect(self.left)
        self._title = ElidedLabel("", self)
        set_role(self._title, "title")
        self._symbol = ConditionSymbol(self)
        self._state = QLabel(self)
        set_role(self._state, "secondary")
        self._state.setWordWrap(True)
        head = QHBoxLayout()
        head.setSpacing(gap * 2)
        head.addWidget(self._back)
        head.addWidget(self._title, 1)
        line = QHBoxLayout()
        line.setSpacing(gap * 2)
        line.addWidget(self._symbol, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self._state, 1)
        self._pages = QStackedWidget(self)
        self._tabs: dict[str, QToolButton] = {}
        choice, group = FlowLayout(gap), QButtonGroup(self)
        for page, title in (
            (self._build_overview(), "Overview"),
            (self.events, "Events"),
            (self.messages, "Messages"),
            (self.twin, "Settings"),
            (self.commands, "Commands"),
            (self.history, "History"),
            (self.certificate, "Certificate"),
        ):
            self._pages.addWidget(page)
            self._tabs[title] = button = QToolButton(self)
            button.setText(title)
            button.setAccessibleName(title)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setCheckable(True)
            set_role(button, "quiet")
            button.clicked.connect(lambda _checked=False, title=title: self.show_tab(title))
            group.addButton(button)
            choice.addWidget(button)
        self._tabs["Overview"].setChecked(True)
        self._pages.currentChanged.connect(lambda _index: self._on_tab())
        rows = QVBoxLayout(self)
        rows.setContentsMargins(gap * 3, gap * 3, gap * 3, gap * 2)
        rows.setSpacing(gap * 2)
        rows.addLayout(head)
        rows.addLayout(line)
        rows.addLayout(choice)
        rows.addWidget(self._pages, 1)
        for key, step in (("Ctrl+PgDown", 1), ("Ctrl+PgUp", -1)):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(lambda step=step: self._on_step(step))

    def _build_overview(self) -> QWidget:
        gap = look().sizes.gap
        self._facts = FactList(self)
        inner = QWidget(self)
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(0, gap * 2, gap, gap * 2)
        rows.setSpacing(gap * 4)
        rows.addWidget(self.identity)
        rows.addWidget(self._facts)
        rows.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return scroll

    def _refresh(self) -> None:
        device = self._device
        if device is None:
            return
        row = device_row(device, self._readings)
        self._title.setText(device.name)
        self._symbol.show_condition(row.condition)
        trouble = f". {device.last_error}" if device.last_error else ""
        self._state.setText(f"{row.state.capitalize()}{trouble}")
        self._facts.show_facts(device_facts(device, self._readings, self._clock, self._sheet))

    def _on_tab(self) -> None:
        if self.tab == "History":
            self.history.ask()
        self.refresh_requested.emit()

    def _on_step(self, step: int) -> None:
        names = list(self._tabs)
        self.show_tab(names[(names.index(self.tab) + step) % len(names)])

    def _on_timer(self) -> None:
        self._refresh()
        if self.tab in ("Overview", "Events", "Messages"):
            self.refresh_requested.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc goes back to the tree."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            return
        super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """Stay up to date only while someone reads."""
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Ask no more."""
        super().hideEvent(event)
        self._timer.stop()
