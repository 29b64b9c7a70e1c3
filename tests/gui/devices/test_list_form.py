"""The form for lists of devices, and what can be done with many devices at once."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QProgressBar, QPushButton

from core.access.model import Role
from core.field.device_list import read_device_list
from core.field.model import Device, DeviceState
from core.kernel.portions import BulkOutcome
from widgets.devices.device_panel import DevicePanel
from widgets.devices.list_form import DeviceListForm

LIST = b"device_id,name\nstation/s1,North\nnonsense,\nstation/s2,South\n"


@pytest.fixture
def form(qtbot):
    form = DeviceListForm()
    qtbot.addWidget(form)
    form.resize(700, 500)
    form.show()
    return form


def button(widget, words):
    return next(found for found in widget.findChildren(QPushButton) if found.text() == words)


def shown(form):
    return [line.cells[:2] for line in form._table.lines]


def test_a_list_says_what_can_be_used_and_lists_the_rest_with_line_and_reason(form):
    form.show_list(read_device_list(LIST, "city.csv"), "city.csv")

    assert form._said.text() == "city.csv: 2 rows can be used, 1 cannot."
    ((reason, line),) = shown(form)
    assert (line, "no device_id" in reason) == ("3", True)


def test_one_button_adds_them_and_the_way_back_stands_beside(form, qtbot):
    form.show_list(read_device_list(LIST, "city.csv"), "city.csv")

    with qtbot.waitSignal(form.add_requested) as asked:
        button(form, "Add 2 devices").click()
    form.show_progress(1, 2)
    assert form.findChild(QProgressBar).isVisible()
    there = BulkOutcome(device_id="station/s1", reason="It is there already and stays as it is.", version=4)
    new = BulkOutcome(device_id="station/s2", version=2)
    form.show_outcomes([there, new])

    assert [device.device_id for device in asked.args[0]] == ["station/s1", "station/s2"]
    assert form._said.text() == "1 device added, 2 left out."
    assert [line for _, line in shown(form)] == ["2", "3"]
    with qtbot.waitSignal(form.undo_requested) as undone:
        button(form, "Take them back").click()
    assert undone.args[0] == (new,)
    form.show_taken_back(1, 0)
    assert not [
        found for found in form.findChildren(QPushButton) if found.text() == "Take them back" and found.isVisible()
    ]


def test_what_was_sent_counts_where_the_node_refuses_the_rest(form):
    form.show_list(read_device_list(LIST, "city.csv"), "city.csv")

    form.show_outcomes([BulkOutcome(device_id="station/s1", version=2)], refused="The database is away.")

    assert form._said.text() == "1 device added, 1 left out. The database is away."


def test_escape_stops_what_goes_on_and_leaves_only_then(form, qtbot):
    form.show_progress(500, 5000)
    with qtbot.waitSignal(form.stop_requested), qtbot.assertNotEmitted(form.left):
        QTest.keyClick(form, Qt.Key.Key_Escape)
    form.show_outcomes([])
    with qtbot.waitSignal(form.left):
        QTest.keyClick(form, Qt.Key.Key_Escape)


@pytest.fixture
def panel(qtbot):
    panel = DevicePanel()
    qtbot.addWidget(panel)
    panel.resize(1000, 600)
    panel.show()
    panel.show_devices(
        tuple(
            Device(device_id=f"station/s{number}", kind="station", name=f"Station {number}", state=DeviceState.ONLINE)
            for number in range(3)
        )
    )
    panel.show_role(Role.SUPERVISOR)
    return panel


def test_with_several_rows_chosen_by_keyboard_all_of_them_are_switched(panel, qtbot):
    tree = panel.tree
    panel.select("station", "station/s0")
    tree.setFocus()
    assert not panel.bulk.isVisible()

    QTest.keyClick(tree, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    with qtbot.waitSignal(panel.bulk.enable_requested) as asked:
        button(panel.bulk, "Disable").click()

    rows, is_enabled = asked.args
    assert ([row.item_id for row in rows], is_enabled) == (["station/s0", "station/s1"], False)


def test_what_was_done_with_many_can_be_undone_also_after_others_are_chosen_until_it_is_put_away(panel, qtbot):
    panel.bulk.show_progress(1, 2)
    assert button(panel.bulk, "Stop").isVisible()
    panel.bulk.show_done("2 disabled.", can_undo=True)
    panel.tree.selectAll()
    panel.tree.clearSelection()
    with qtbot.waitSignal(panel.bulk.undo_requested):
        button(panel.bulk, "Undo").click()

    button(panel.bulk, "Put away").click()
    assert not panel.bulk.isVisible()


def test_an_operator_commands_many_and_changes_none(panel):
    panel.show_role(Role.OPERATOR)
    panel.tree.selectAll()

    offered = {words: button(panel.bulk, words).isEnabled() for words in ("Command", "Edit", "Certificates", "Disable")}
    assert offered == {"Command": True, "Edit": False, "Certificates": False, "Disable": False}


def test_below_supervisor_nothing_can_be_done_with_many(panel):
    panel.show_role(Role.OPERATOR)
    panel.tree.selectAll()

    assert not button(panel.bulk, "Enable").isEnabled()
    assert "supervisor" in button(panel.bulk, "Hold to remove").toolTip()


def test_what_was_chosen_and_is_gone_is_not_offered_any_more(panel):
    panel.tree.selectAll()
    assert panel.bulk.isVisible()

    panel.show_devices(())

    assert not panel.bulk.isVisible()
