"""The shift in two tabs: its log, and the hand-over."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from core.access.model import Role
from core.kernel.clock import Clock
from widgets.base.focus import order_focus
from widgets.shift.hand_over import HandOverView
from widgets.shift.log import ShiftLog


class ShiftPanel(QWidget):
    """Log and hand-over; H and L go to them."""

    def __init__(self, clock: Clock | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.log = ShiftLog(self)
        self.hand_over = HandOverView(clock, self)
        self._tabs = QTabWidget(self)
        self._tabs.setAccessibleName("Parts of the shift")
        self._tabs.tabBar().setAccessibleName("Log and hand-over")
        self._tabs.addTab(self.log, "Log  L")
        self._tabs.addTab(self.hand_over, "Hand-over  H")
        self._tabs.currentChanged.connect(self._on_tab)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._tabs)
        order_focus(self)
        self.setFocusProxy(self.log)
        for key, page in (("H", self.hand_over), ("L", self.log)):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(partial(self._go_to, page))

    def show_role(self, role: Role) -> None:
        """Offer what this role may do; the node decides."""
        self.log.show_role(role)
        self.hand_over.show_role(role)

    def show_hand_over(self) -> None:
        """Bring the hand-over to the front."""
        self._tabs.setCurrentWidget(self.hand_over)

    def _go_to(self, page: QWidget) -> None:
        self._tabs.setCurrentWidget(page)
        page.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _on_tab(self, _index: int) -> None:
        if self._tabs.currentWidget() is self.hand_over and self.hand_over.selected is None:
            self.hand_over.ask_preview()
