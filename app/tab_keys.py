"""Keys that go from panel to panel and from tab to tab, wherever the keys are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QTabBar, QTabWidget, QWidget

from app.main_window import MainWindow
from widgets.alarms.help_page import N_TAB_KEYS
from widgets.base.focus import focus_into, stops_in


class TabKeys(QObject):
    """Ctrl+Tab goes round what is seen, Alt+Page through what stands behind it, Alt+number to the tabs in a panel."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        acts: dict[str, Callable[[], object]] = {
            "Ctrl+Tab": partial(self._go_round, 1),
            "Ctrl+Shift+Tab": partial(self._go_round, -1),
            "Alt+PgDown": partial(self._step_stack, 1),
            "Alt+PgUp": partial(self._step_stack, -1),
        }
        acts |= {f"Alt+{number}": partial(self._choose_tab, number - 1) for number in range(1, N_TAB_KEYS + 1)}
        for keys, act in acts.items():
            shortcut = QShortcut(QKeySequence(keys), window)
            shortcut.setContext(Qt.ShortcutContext.ApplicationShortcut)
            shortcut.activated.connect(act)

    def _go_round(self, step: int) -> None:
        """Let the keys go to the next panel that is seen, or to a bar above them: by columns, each from the top."""
        window = self._window
        stops: list[QWidget] = [bar for bar in window.bars if bar.isVisible()]
        panels = [panel for key in window.fronts() if (panel := window.panel(key)) is not None and panel.isVisible()]
        panels.sort(key=lambda panel: panel.mapTo(window, QPoint()).toTuple())
        stops = [stop for stop in (*stops, *panels) if stops_in(stop)]
        here = QApplication.focusWidget()
        at = next((at for at, stop in enumerate(stops) if here is not None and stop.isAncestorOf(here)), -1)
        if stops:
            focus_into(stops[(at + step) % len(stops) if at >= 0 or step > 0 else -1])

    def _step_stack(self, step: int) -> None:
        """Bring the next panel of the same tabs to the front, and let the keys go to it."""
        key = self._window.panel_with_keys
        stack = self._window.stack_of(key)
        if len(stack) > 1:
            self._window.go_to_panel(stack[(stack.index(key) + step) % len(stack)])

    def _choose_tab(self, number: int) -> None:
        """Choose a tab of the panel that has the keys; those of several rows of tabs are counted on."""
        panel = self._window.panel(self._window.panel_with_keys)
        if panel is None:
            return
        bars = [bar for bar in panel.findChildren(QTabBar) if bar.isVisible()]
        bars.sort(key=lambda bar: bar.mapTo(panel, QPoint()).toTuple()[::-1])
        tabs = [(bar, at) for bar in bars for at in range(bar.count()) if bar.isTabVisible(at)]
        if number >= len(tabs):
            return
        bar, at = tabs[number]
        bar.setCurrentIndex(at)
        pages = bar.parent()
        page = pages.currentWidget() if isinstance(pages, QTabWidget) else None
        if page is not None and stops_in(page):
            focus_into(page)
        elif (focused := QApplication.focusWidget()) is None or not focused.isVisible() or focused is bar:
            focus_into(panel)
