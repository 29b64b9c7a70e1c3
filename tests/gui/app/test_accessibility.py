"""What a screen reader finds in the whole console: everything that takes the keys has a name.

Every page of every panel is opened, in front or behind; forms and drawers that wait hidden are looked at as well, and
what a button would let down.
"""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QMenu,
    QPushButton,
    QStackedWidget,
    QTabBar,
    QToolButton,
    QWidget,
    QWidgetAction,
)

from app.panel import Perspective
from core.access.model import Role
from core.node.model import SiteInfo
from tests.gui.app.test_arrange import desk  # noqa: F401
from tests.gui.app.test_panels import PANELS, room  # noqa: F401
from widgets.dialogs.sign_in import SignInPage

ROWS = (QAccessible.Role.Cell, QAccessible.Role.ListItem, QAccessible.Role.TreeItem)
"""Their names are what stands in them; an empty cell is no control."""


def tree_of(interface, path=()):
    """Yield (path, interface) of everything below, outermost first; of long tables the first rows."""
    yield path, interface
    for index in range(min(interface.childCount(), 400)):
        child = interface.child(index)
        if child is not None and child.isValid():
            yield from tree_of(child, (*path, label_of(child)))


def label_of(interface):
    thing = interface.object()
    kind = type(thing).__name__ if thing is not None else interface.role().name
    return f"{kind} {interface.text(QAccessible.Text.Name)!r}"


def unnamed(window):
    found = []
    for path, interface in tree_of(QAccessible.queryAccessibleInterface(window)):
        state = interface.state()
        if interface.role() in ROWS or state.invisible or not state.focusable:
            continue
        if not interface.text(QAccessible.Text.Name).strip():
            found.append(" > ".join(path))
    return found


def is_part_of_another(widget: QWidget) -> bool:
    """Tell whether Qt made it inside a field, which speaks for it."""
    above = widget.parentWidget()
    while above is not None:
        if isinstance(above, QComboBox | QAbstractSpinBox | QTabBar):
            return True
        above = above.parentWidget()
    return widget.objectName().startswith("qt_")


def name_of(widget: QWidget) -> str:
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name).strip() if interface is not None else ""


def path_of(widget: QWidget) -> str:
    parts = []
    above: QWidget | None = widget
    while above is not None and len(parts) < 5:
        parts.append(type(above).__name__)
        above = above.parentWidget()
    return " < ".join(parts)


def takes_keys(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.focusProxy() is None


def hidden_too(root: QWidget) -> Iterator[str]:
    """Yield what takes the keys in `root`, shown or not, and has no name; and what its menus offer without one."""
    for widget in root.findChildren(QWidget):
        if takes_keys(widget) and not is_part_of_another(widget) and not name_of(widget):
            yield path_of(widget)
        if isinstance(widget, QTabBar):
            yield from (path_of(widget) for at in range(widget.count()) if not widget.tabText(at).strip())
        menu = widget.menu() if isinstance(widget, QPushButton | QToolButton) else None
        if menu is not None:
            yield from unnamed_in_menu(menu)


def unnamed_in_menu(menu: QMenu) -> Iterator[str]:
    menu.aboutToShow.emit()
    for action in menu.actions():
        inner = action.menu()
        if isinstance(inner, QMenu):
            yield from unnamed_in_menu(inner)
        if isinstance(action, QWidgetAction):
            yield from hidden_too(action.defaultWidget())
        elif not action.isSeparator() and not action.text().strip():
            yield f"an entry of {path_of(menu)}"


def open_every_page(root: QWidget) -> Iterator[str]:
    """Open each page of each stack, those inside pages as well, and look at what is seen then."""
    for stack in root.findChildren(QStackedWidget):
        before = stack.currentIndex()
        for index in range(stack.count()):
            stack.setCurrentIndex(index)
            QApplication.processEvents()
            yield from unnamed(stack)
        stack.setCurrentIndex(before)


def test_no_focusable_widget_of_any_page_form_menu_or_drawer_is_without_a_name(desk, room, qtbot):  # noqa: F811
    room.role_changed.emit(Role.ADMINISTRATOR)
    found = {}
    for panel in PANELS:
        desk.go_to_panel(panel.key)
        widget = desk.panel(panel.key)
        qtbot.waitUntil(widget.isVisible)
        # The panel as it comes, everything that waits in it, and each of its pages once it is opened.
        found[panel.key] = {*unnamed(desk), *hidden_too(widget), *open_every_page(widget)}
    for bar in desk.bars:
        found[type(bar).__name__] = set(hidden_too(bar))

    lines = [f"{key}: {path}" for key, paths in found.items() for path in sorted(paths)]
    assert not lines, "\n".join(lines)


def test_what_is_asked_in_place_has_names(desk, room, qtbot):  # noqa: F811
    room.role_changed.emit(Role.ADMINISTRATOR)
    alarms = desk.panel("alarms")
    desk.go_to_panel("alarms")
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_F2)
    found = {}
    for key in (Qt.Key.Key_S, Qt.Key.Key_O, Qt.Key.Key_C):
        QTest.keyClick(QApplication.focusWidget(), key)
        found[key.name] = unnamed(alarms)
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    alarms.take_out_sources()
    found["take out"] = unnamed(alarms)
    for name, ask in (
        ("camera form", lambda: room.edit_requested.emit("")),
        ("camera", lambda: room.edit_requested.emit("c0")),
        ("incident form", lambda: room.incident_form_requested.emit("c0")),
        ("scene", lambda: room.scene_requested.emit("c0")),
    ):
        ask()
        QApplication.processEvents()
        found[name] = unnamed(desk)

    assert {name: paths for name, paths in found.items() if paths} == {}


@pytest.mark.parametrize("needs_administrator", [False, True])
def test_the_door_is_without_an_unnamed_control(qtbot, needs_administrator):
    door = SignInPage()
    qtbot.addWidget(door)
    door.resize(900, 700)
    door.show()
    door.show_site(
        SiteInfo(
            name="Marenholm",
            node_id="n",
            version="0.1",
            protocol=1,
            is_demo=False,
            is_ready=True,
            needs_administrator=needs_administrator,
        )
    )

    assert unnamed(door) == []


def test_every_perspective_is_without_an_unnamed_control(desk):  # noqa: F811
    found = {}
    for perspective in Perspective:
        desk.show_perspective(perspective)
        QApplication.processEvents()
        found[perspective.title] = unnamed(desk)

    assert {title: paths for title, paths in found.items() if paths} == {}


def test_an_alarm_is_read_with_priority_state_and_who_holds_it(desk):  # noqa: F811
    table = desk.panel("alarms").table
    interface = QAccessible.queryAccessibleInterface(table)

    spoken = [interface.child(index).text(QAccessible.Text.Name) for index in range(interface.childCount())]

    assert any("Priority 1, critical" in text for text in spoken)
    assert any("Unacknowledged" in text for text in spoken)
