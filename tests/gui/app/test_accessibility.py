"""What a screen reader finds in the whole console: everything that takes the keys has a name."""

from PySide6.QtGui import QAccessible

from tests.gui.app.test_arrange import desk  # noqa: F401
from tests.gui.app.test_panels import PANELS, room  # noqa: F401

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


def test_no_focusable_widget_of_the_console_is_without_a_name(desk, qtbot):  # noqa: F811
    found = {}
    for panel in PANELS:
        desk.go_to_panel(panel.key)
        qtbot.waitUntil(desk.panel(panel.key).isVisible)
        found[panel.key] = unnamed(desk)

    assert {key: paths for key, paths in found.items() if paths} == {}


def test_an_alarm_is_read_with_priority_state_and_who_holds_it(desk):  # noqa: F811
    table = desk.panel("alarms").table
    interface = QAccessible.queryAccessibleInterface(table)

    spoken = [interface.child(index).text(QAccessible.Text.Name) for index in range(interface.childCount())]

    assert any("Priority 1, critical" in text for text in spoken)
    assert any("Unacknowledged" in text for text in spoken)
