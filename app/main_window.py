"""The console's window: header, alarm strip, docks; and the door in front of them."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import PySide6QtAds as QtAds
from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QCloseEvent, QKeySequence, QPaintEvent, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import QMainWindow, QMenu, QStackedWidget, QVBoxLayout, QWidget

from app.panel import Area, HoldsDraft, MadeInParts, Making, PanelInfo, Perspective
from app.room import Room
from core.access.model import Role
from widgets.base.focus import focus_into
from widgets.base.theme import dress_dock_manager

log = logging.getLogger(__name__)

LAYOUT_VERSION = 1
SHARES = {Area.LEFT: 0.19, Area.CENTER: 0.53, Area.RIGHT: 0.28, Area.BOTTOM: 0.33}
"""Of the window's width (bottom: of its height), in the first layout."""

MIN_LEFT_PX = 285

CLOSE_AGAIN_S = 60.0
"""Who closes the window again within this time wants it closed, whatever is not saved."""

_AREAS = {
    Area.LEFT: QtAds.DockWidgetArea.LeftDockWidgetArea,
    Area.RIGHT: QtAds.DockWidgetArea.RightDockWidgetArea,
    Area.BOTTOM: QtAds.DockWidgetArea.BottomDockWidgetArea,
    Area.CENTER: QtAds.DockWidgetArea.CenterDockWidgetArea,
}


class _Place(QWidget):
    """Where a panel stands or will stand.

    Signals:
        shown(): It came to the front.
    """

    shown = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)

    def take(self, panel: QWidget) -> None:
        """Let the panel fill this place."""
        self._column.addWidget(panel)

    def showEvent(self, event: QShowEvent) -> None:
        """Tell that it is seen."""
        super().showEvent(event)
        self.shown.emit()


class MainWindow(QMainWindow):
    """Holds what is always visible and the docks of the panels.

    Signals:
        closing: The operator closes the window; everything else ends after it.
        first_painted: The window is on the screen.
        whole_window_given(str): This panel has the whole window now, by its key; empty where none has.
    """

    closing = Signal()
    first_painted = Signal()
    whole_window_given = Signal(str)

    def __init__(self, door: QWidget, layout_file: Path) -> None:
        super().__init__()
        self.setWindowTitle("Watchfloor")
        self.setMinimumSize(QSize(1024, 640))
        self._layout_file = layout_file
        self._docks: dict[str, Any] = {}
        self._widgets: dict[str, QWidget] = {}
        self._making: dict[str, Making] = {}
        self._places: dict[str, _Place] = {}
        self._panels: dict[str, PanelInfo] = {}
        self._room: Room | None = None
        self._actions: dict[str, QAction] = {}
        self._manager: Any = None
        self._top = QVBoxLayout()
        self._top.setContentsMargins(0, 0, 0, 0)
        self._top.setSpacing(0)
        self._room_page = QWidget()
        page = QVBoxLayout(self._room_page)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(0)
        page.addLayout(self._top)
        self._page = page
        self._pages = QStackedWidget()
        self._pages.addWidget(door)
        self._pages.addWidget(self._room_page)
        self.setCentralWidget(self._pages)
        self._first_layout = QByteArray()
        self._divided: QByteArray | None = None
        self._aside: list[Any] = []
        self._parts: dict[Any, tuple[list[int], int]] = {}
        self._is_painted = False
        self._asked_s: float | None = None
        """When it was asked last what becomes of drafts [s], or the system said that it ends the session."""

        self.is_furnished_on_sight = False
        """A panel that comes to the front is made then; until the first ones stand, they are made one by one."""

    @property
    def has_panels(self) -> bool:
        """The room behind the door has its docks."""
        return self._manager is not None

    @property
    def is_divided(self) -> bool:
        """Every panel has its dock."""
        return bool(self._panels)

    def add_fixed(self, widget: QWidget) -> None:
        """Put a bar above the docks; it cannot be closed."""
        self._top.addWidget(widget)

    def divide(self, panels: tuple[PanelInfo, ...], room: Room) -> None:
        """Give every panel its dock, before any saved layout is restored; the panels themselves are made later."""
        for _ in self.divide_in_turns(panels, room):
            pass

    def divide_in_turns(self, panels: tuple[PanelInfo, ...], room: Room) -> Iterator[None]:
        """`divide`, and yield after each dock, so that the loop can run."""
        QtAds.CDockManager.setConfigFlag(QtAds.CDockManager.eConfigFlag.OpaqueSplitterResize, True)
        QtAds.CDockManager.setConfigFlag(QtAds.CDockManager.eConfigFlag.FocusHighlighting, True)
        QtAds.CDockManager.setConfigFlag(QtAds.CDockManager.eConfigFlag.DockAreaHasUndockButton, True)
        QtAds.CDockManager.setConfigFlag(QtAds.CDockManager.eConfigFlag.DockAreaHasTabsMenuButton, False)
        QtAds.CDockManager.setConfigFlag(QtAds.CDockManager.eConfigFlag.DockAreaHasCloseButton, False)
        QtAds.CDockManager.setConfigFlag(QtAds.CDockManager.eConfigFlag.ActiveTabHasCloseButton, False)
        self._manager = QtAds.CDockManager(self._room_page)
        dress_dock_manager(self._manager)
        self._page.addWidget(self._manager, 1)
        areas: dict[tuple[Area, int], Any] = {}
        previous: dict[Area, Any] = {}
        self._room = room
        for panel in panels:
            dock = self._make_dock(panel)
            stack = (panel.area, panel.stack)
            if stack in areas:
                self._manager.addDockWidgetTabToArea(dock, areas[stack])
                yield
                continue
            if panel.area in previous:
                inner = QtAds.DockWidgetArea.BottomDockWidgetArea
                if panel.area is Area.BOTTOM:
                    inner = QtAds.DockWidgetArea.RightDockWidgetArea
                areas[stack] = self._manager.addDockWidget(inner, dock, previous[panel.area])
            else:
                areas[stack] = self._manager.addDockWidget(_AREAS[panel.area], dock)
            previous[panel.area] = areas[stack]
            yield
        for area in areas.values():
            area.setCurrentIndex(0)
        self._first_layout = self._manager.saveState(LAYOUT_VERSION)
        # Not before: keys and the window's size ask for panels, and a panel without its dock would be lost.
        self._panels = {panel.key: panel for panel in panels}
        room.key_wanted.connect(self._add_key)
        for panel in panels:
            for name in panel.answers:
                getattr(room, name).connect(partial(self._on_asked, panel.key, name))

    def furnish(self, keys: Iterable[str], *, is_whole: bool = True) -> Iterator[None]:
        """Make these panels, where they are not there yet; yields after each, so that the loop can run.

        Args:
            keys: In their order; unknown ones are passed over.
            is_whole: Also what stands behind their fronts, see `MadeInParts`.
        """
        for key in keys:
            while key in self._panels and key not in self._widgets:
                self._make_some(key)
                yield
            widget = self._widgets.get(key)
            if is_whole and isinstance(widget, MadeInParts):
                yield from widget.make_rest()

    def show_perspective(self, perspective: Perspective) -> None:
        """Open the panels of this perspective and close the others; what they hold stays, and sizes stay."""
        if self._divided is not None:
            self._divide_again()
            self.whole_window_given.emit("")
        focused = self.focusWidget()
        self.setUpdatesEnabled(False)
        try:
            fronts: dict[tuple[Area, int], str] = {}
            for key, panel in self._panels.items():
                is_wanted = perspective in panel.perspectives and self._is_allowed(panel)
                if self._docks[key].isClosed() == is_wanted:
                    self._docks[key].toggleView(is_wanted)
                stack = panel.area, panel.stack
                if is_wanted and (stack not in fronts or perspective in panel.leads):
                    fronts[stack] = key
            for key in fronts.values():
                self._docks[key].setAsCurrentTab()
        finally:
            self.setUpdatesEnabled(True)
        if focused is not None and focused.isVisible():
            focused.setFocus(Qt.FocusReason.OtherFocusReason)

    def _is_allowed(self, panel: PanelInfo) -> bool:
        return self._room is None or self._room.role >= panel.role

    def show_door(self) -> None:
        """Nobody is signed in, or the node is not there yet."""
        self._pages.setCurrentIndex(0)

    def show_room(self) -> None:
        """Open the room."""
        self._pages.setCurrentIndex(1)

    def bring_panel(self, key: str) -> None:
        """Show a panel and put it in front of its tabs."""
        dock = self._docks.get(key)
        if dock is None:
            return
        self.panel(key)
        if dock.isClosed():
            dock.toggleView(True)
        dock.setAsCurrentTab()
        dock.raise_()

    def go_to_panel(self, key: str) -> None:
        """Show a panel and let the keys go to it: to where they were in it, else to what it is about."""
        self.bring_panel(key)
        panel = self.panel(key)
        if panel is None:
            return
        focus_into(panel)

    def enlarge_panel(self, key: str, is_enlarged: bool) -> None:
        """Give one panel the room of all docks, or divide the window again as it was; the bars above stay."""
        if self._manager is None or key not in self._docks:
            return
        focused = self.focusWidget()
        if is_enlarged and self._divided is None:
            self._put_aside(self._docks[key].dockAreaWidget())
        elif not is_enlarged and self._divided is not None:
            self._divide_again()
        self.bring_panel(key)
        if focused is not None and self._places[key].isAncestorOf(focused):
            focused.setFocus(Qt.FocusReason.OtherFocusReason)
        self.whole_window_given.emit(key if self._divided is not None else "")

    @property
    def has_whole_panel(self) -> bool:
        """Whether one panel has the whole window."""
        return self._divided is not None

    def fronts(self) -> tuple[str, ...]:
        """Return the keys of the panels that stand in front of their tabs."""
        return tuple(key for key, dock in self._docks.items() if not dock.isClosed() and dock.isCurrentTab())

    @property
    def panel_with_keys(self) -> str:
        """Key of the panel that the keys go to; empty where they go to none."""
        focused = self.focusWidget()
        here = (key for key, panel in self._widgets.items() if focused is not None and panel.isAncestorOf(focused))
        return next(here, "")

    @property
    def bars(self) -> tuple[QWidget, ...]:
        """What stands above the docks."""
        items = (self._top.itemAt(at) for at in range(self._top.count()))
        return tuple(bar for item in items if item is not None and (bar := item.widget()) is not None)

    def stack_of(self, key: str) -> tuple[str, ...]:
        """Return the keys of the panels that share their tabs with this one, in their order, itself among them."""
        area = self._docks[key].dockAreaWidget() if key in self._docks else None
        return () if area is None else tuple(dock.objectName() for dock in area.openedDockWidgets())

    def bring_panels(self, keys: Iterable[str]) -> None:
        """Put these panels in front of their tabs, and let the keys stay where they are."""
        focused = self.focusWidget()
        for key in keys:
            self.bring_panel(key)
        if focused is not None and focused.isVisible():
            focused.setFocus(Qt.FocusReason.OtherFocusReason)

    def toggle_whole_window(self) -> None:
        """Give the panel that has the keys the whole window, or divide it again."""
        key = self.panel_with_keys
        if key:
            self.enlarge_panel(key, self._divided is None)

    def _put_aside(self, kept: Any) -> None:
        """Close the docks of all other areas, and remember how the window was divided."""
        self._divided = self._manager.saveState(LAYOUT_VERSION)
        areas = {dock.dockAreaWidget() for dock in self._docks.values()} - {None}
        self._parts = {area: (self._manager.splitterSizes(area), area.currentIndex()) for area in areas}
        docks = self._docks.values()
        self._aside = [dock for dock in docks if dock.dockAreaWidget() is not kept and not dock.isClosed()]
        for dock in self._aside:
            dock.toggleView(False)

    def _divide_again(self) -> None:
        # A restored state would polish every widget anew: a second without pictures.
        for dock in self._aside:
            dock.toggleView(True)
        for area, (sizes, index) in self._parts.items():
            if area.isVisible():
                area.setCurrentIndex(index)
                self._share(area, sizes)
        self._divided, self._aside, self._parts = None, [], {}

    def show_role(self, role: Role) -> None:
        """Take away the panels that need a higher role."""
        for key, panel in self._panels.items():
            is_allowed = role >= panel.role
            if not is_allowed:
                self._docks[key].toggleView(False)
            if key in self._actions:
                self._actions[key].setEnabled(is_allowed)

    def is_made(self, key: str) -> bool:
        """Return whether a panel stands."""
        return key in self._widgets

    def panel(self, key: str) -> QWidget | None:
        """Return a panel's widget; who asks first makes it."""
        while key in self._panels and key not in self._widgets:
            self._make_some(key)
        return self._widgets.get(key)

    def _make_some(self, key: str) -> None:
        """Make the next part of a panel; the last one brings it to its place."""
        assert self._room is not None
        making = self._making.pop(key, None) or self._panels[key].make(self._room)
        try:
            next(making)
        except StopIteration as made:
            widget = made.value
        else:
            self._making[key] = making
            return
        self._widgets[key] = widget
        self._places[key].take(widget)
        self._room.live.tell_newcomers()

    def share_space(self) -> None:
        """Give each area of the first layout its share of the window."""
        columns = [area for area in (Area.LEFT, Area.CENTER, Area.RIGHT) if self._first_of(area) is not None]
        shares = {area: SHARES[area] for area in columns}
        if Area.LEFT in shares and Area.CENTER in shares:
            # Names of cameras need so much; the wall has the most to give.
            wider = max(0.0, MIN_LEFT_PX / self.width() - shares[Area.LEFT])
            shares[Area.LEFT] += wider
            shares[Area.CENTER] -= wider
        self._share(self._first_of(Area.LEFT), [int(self.width() * share) for share in shares.values()])
        upper = 1.0 - SHARES[Area.BOTTOM]
        self._share(self._first_of(Area.CENTER), [int(self.height() * share) for share in (upper, SHARES[Area.BOTTOM])])
        self._share(self._first_of(Area.RIGHT), [int(self.height() * share) for share in (0.62, 0.38)])

    def _first_of(self, area: Area) -> Any:
        docks = [self._docks[key] for key, panel in self._panels.items() if panel.area is area]
        return docks[0].dockAreaWidget() if docks else None

    def _share(self, area: Any, sizes: list[int]) -> None:
        """Set the sizes [px] of the splitter that `area` stands in, where it has that many parts."""
        if area is not None and len(self._manager.splitterSizes(area)) == len(sizes):
            self._manager.setSplitterSizes(area, sizes)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the left column as wide as its names need where the window becomes narrower."""
        super().resizeEvent(event)
        if event.size().width() < event.oldSize().width():
            # The splitter takes its share of the new width first.
            QTimer.singleShot(0, self, self._widen_left)

    def _widen_left(self) -> None:
        area = self._first_of(Area.LEFT)
        sizes = list(self._manager.splitterSizes(area)) if area is not None else []
        missing = MIN_LEFT_PX - sizes[0] if len(sizes) > 1 and sizes[0] == area.width() else 0
        widest = max(range(1, len(sizes)), key=sizes.__getitem__, default=0)
        if missing > 0 and sizes[widest] - missing >= MIN_LEFT_PX:
            sizes[0], sizes[widest] = MIN_LEFT_PX, sizes[widest] - missing
            self._share(area, sizes)

    def make_menu(self, panels: tuple[PanelInfo, ...]) -> QMenu:
        """Return the menu of panels and perspectives, with their keys, which work even while the menu is closed."""
        menu = QMenu("Panels", self)
        for panel in panels:
            action = QAction(panel.title, self)
            action.setShortcut(QKeySequence(panel.shortcut))
            action.setShortcutContext(Qt.ShortcutContext.ApplicationShortcut)
            action.triggered.connect(lambda _checked=False, key=panel.key: self.go_to_panel(key))
            self._actions[panel.key] = action
            self.addAction(action)
            menu.addAction(action)
        menu.addSeparator()
        for perspective in Perspective:
            action = QAction(perspective.title, self)
            action.setShortcut(QKeySequence(perspective.shortcut))
            action.setShortcutContext(Qt.ShortcutContext.ApplicationShortcut)
            action.triggered.connect(lambda _checked=False, wanted=perspective: self.show_perspective(wanted))
            self.addAction(action)
            menu.addAction(action)
        menu.addSeparator()
        whole = QAction("Whole window for this panel, or divide it again", self)
        whole.setShortcut(QKeySequence("F11"))
        whole.triggered.connect(self.toggle_whole_window)
        self.addAction(whole)
        menu.addAction(whole)
        reset = QAction("Restore the first layout", self)
        reset.setShortcut(QKeySequence("Ctrl+Shift+F5"))
        reset.triggered.connect(self.restore_first_layout)
        self.addAction(reset)
        menu.addAction(reset)
        return menu

    def restore_first_layout(self) -> None:
        """Go back to the layout that the program came with."""
        if self._panels:
            focused = self.focusWidget()
            self._divided, self._aside, self._parts = None, [], {}
            self._manager.restoreState(self._first_layout, LAYOUT_VERSION)
            self.show_perspective(Perspective.OVERVIEW)
            self.share_space()
            if focused is not None and focused.isVisible():
                focused.setFocus(Qt.FocusReason.OtherFocusReason)
            self.whole_window_given.emit("")

    def restore_layout(self) -> bool:
        """Restore the saved layout; returns whether there was one.

        A restore that ended the program last time is not tried again: the file carries a mark while it is being used.
        """
        try:
            saved = json.loads(self._layout_file.read_text(encoding="utf-8"))
            if (
                saved.get("restoring")
                or saved.get("version") != LAYOUT_VERSION
                or set(saved["docks"]) != set(self._docks)
            ):
                return False
            self._write_layout({**saved, "restoring": True})
            self.restoreGeometry(QByteArray(base64.b64decode(saved["geometry"])))
            done = self._manager.restoreState(QByteArray(base64.b64decode(saved["state"])), LAYOUT_VERSION)
            self._write_layout(saved)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.info("no layout is restored: %s", error)
            return False
        return bool(done)

    def save_layout(self) -> None:
        """Keep the layout for the next start; one that is not whole yet is none."""
        if not self._panels:
            return
        self._write_layout(
            {
                "version": LAYOUT_VERSION,
                "docks": sorted(self._docks),
                "geometry": base64.b64encode(self.saveGeometry().data()).decode(),
                "state": base64.b64encode((self._divided or self._manager.saveState(LAYOUT_VERSION)).data()).decode(),
            }
        )

    def _add_key(self, keys: str, act: Callable[[], None]) -> None:
        # A shortcut sleeps with the widget it belongs to; a panel is hidden behind its neighbours, the window is not.
        shortcut = QShortcut(QKeySequence(keys), self)
        shortcut.setContext(Qt.ShortcutContext.ApplicationShortcut)
        shortcut.setAutoRepeat(False)
        shortcut.activated.connect(act)

    def _make_dock(self, panel: PanelInfo) -> Any:
        place = _Place()
        place.shown.connect(lambda key=panel.key: self._on_place_shown(key))
        dock = QtAds.CDockWidget(self._manager, panel.title)
        dock.setObjectName(panel.key)
        dock.setAccessibleName(panel.title)
        dock.setWidget(place, QtAds.CDockWidget.eInsertMode.ForceNoScrollArea)
        dock.setFeature(QtAds.CDockWidget.DockWidgetFeature.DockWidgetClosable, True)
        dock.setFeature(QtAds.CDockWidget.DockWidgetFeature.DockWidgetDeleteOnClose, False)
        self._docks[panel.key] = dock
        self._places[panel.key] = place
        return dock

    def _on_asked(self, key: str, name: str, *question: object) -> None:
        if key not in self._widgets:
            self.panel(key)
            getattr(self._room, name).emit(*question)

    def _on_place_shown(self, key: str) -> None:
        if self.is_furnished_on_sight:
            self.panel(key)

    def _write_layout(self, saved: dict[str, Any]) -> None:
        try:
            self._layout_file.write_text(json.dumps(saved), encoding="utf-8")
        except OSError as error:
            log.warning("the layout is not saved: %s", error)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint, and tell of the first time."""
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            self.first_painted.emit()

    def end(self) -> None:
        """Close without asking: nobody is there to answer."""
        self.expect_close()
        self.close()

    def expect_close(self) -> None:
        """The system is about to close the window, and waits for no answer."""
        self._asked_s = time.monotonic()

    def _asks_first(self) -> bool:
        """Ask in their panels what becomes of drafts; returns whether the window stays until that is answered."""
        keys = [key for key, widget in self._widgets.items() if isinstance(widget, HoldsDraft) and widget.is_dirty]
        is_asked = self._asked_s is not None and time.monotonic() - self._asked_s <= CLOSE_AGAIN_S
        # Who is signed out cannot see the panels; drafts are on the disk.
        if not keys or is_asked or self._pages.currentWidget() is not self._room_page:
            return False
        self._asked_s = time.monotonic()
        if self._divided is not None and self._docks[keys[0]].isClosed():
            self.enlarge_panel(keys[0], False)
        for key in reversed(keys):
            self.bring_panel(key)
            widget = self._widgets[key]
            assert isinstance(widget, HoldsDraft)
            widget.ask_before_closing(self._on_closing_answered)
        if self.isMinimized():
            self.showNormal()
        self.raise_()
        return True

    def _on_closing_answered(self, is_to_close: bool) -> None:
        # There may be drafts in other panels: they are asked for by themselves.
        self._asked_s = None
        if is_to_close:
            self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save the layout and let the program end, once it is clear what becomes of what is not saved."""
        if self._asks_first():
            event.ignore()
            return
        self.save_layout()
        self.closing.emit()
        event.accept()
