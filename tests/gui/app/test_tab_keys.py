"""Every panel and every tab is reached by keys."""

from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from tests.gui.app.test_arrange import desk  # noqa: F401
from tests.gui.app.test_panels import room  # noqa: F401
from widgets.alarms.order import Tab
from widgets.shift.panel import ShiftPanel


def press(desk, keys):  # noqa: F811
    QTest.keySequence(QApplication.focusWidget() or desk, QKeySequence(keys))


def test_ctrl_tab_goes_once_round_everything_that_is_seen_and_back(desk):  # noqa: F811
    desk.go_to_panel("alarms")
    begun = QApplication.focusWidget()
    passed = []
    for _ in range(20):
        press(desk, "Ctrl+Tab")
        passed.append(desk.panel_with_keys)
        if passed[-1] == "alarms":
            break

    assert {key for key in passed if key} == set(desk.fronts())
    assert "" in passed, "the bars above are on the way"
    assert QApplication.focusWidget() is begun, "the keys are where they were"

    for _ in passed:
        press(desk, "Ctrl+Shift+Tab")
    assert QApplication.focusWidget() is begun


def test_every_tab_is_reached_by_alt_and_a_key_which_f1_prints(desk):  # noqa: F811
    stack = desk.stack_of("wall")
    desk.go_to_panel("wall")
    assert len(stack) > 3
    seen = []
    for _ in stack:
        seen.append(desk.panel_with_keys)
        press(desk, "Alt+PgDown")
    assert sorted(seen) == sorted(stack), "what stands behind the same tabs"
    assert desk.panel_with_keys == "wall"
    press(desk, "Alt+PgUp")
    assert desk.panel_with_keys == stack[stack.index("wall") - 1]

    desk.go_to_panel("shift")
    shift = desk.panel("shift").findChild(ShiftPanel)
    for number, page in ((2, shift.hand_over), (1, shift.log), (9, shift.log)):
        press(desk, f"Alt+{number}")
        assert page.isAncestorOf(QApplication.focusWidget()), "into the tab; there is no ninth one"

    press(desk, "F1")
    text = desk.panel("help").toPlainText()
    assert all(keys in text for keys in ("Ctrl+Tab", "Alt+Page Down", "Alt+1 to Alt+9"))

    alarms = desk.panel("alarms")
    press(desk, "F2")
    for number, tab in enumerate(Tab, 1):
        press(desk, f"Alt+{number}")
        assert alarms.model.filter.tab is tab
        keys = QApplication.focusWidget()
        assert alarms.service.isAncestorOf(keys) if tab is Tab.OUT_OF_SERVICE else keys is alarms.table
    press(desk, "Alt+1")

    chosen = alarms.selected_alarms()
    for key in ("T", "C", "Esc"):
        press(desk, key)
    assert (alarms.selected_alarms(), alarms.table.hasFocus()) == (chosen, True), "Esc lets go of the detail first"
