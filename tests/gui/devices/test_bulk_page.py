"""One thing done with many devices, by keyboard: what it is, what became of each, and the way back."""

from datetime import UTC, datetime

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLineEdit

from core.access.model import Role
from core.field.model import Device, RemovedDevice
from core.field.sheet import OfferedCommand
from widgets.base.conditions import Condition
from widgets.devices.bulk_page import BulkEdit, BulkPage, BulkResult, BulkTask
from widgets.devices.command_fields import CommandWish
from widgets.devices.removed_page import RemovedPage
from widgets.devices.rows import device_row

ROWS = [device_row(Device(device_id=f"station/s{n}", kind="station", name=f"Station {n}"), []) for n in range(3)]
NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


def button(page, words):
    (found,) = [one for one in page.findChildren(QAbstractButton) if words in one.text()]
    return found


def line(page, name):
    (found,) = [one for one in page.findChildren(QLineEdit) if one.accessibleName() == name]
    return found


def type_into(page, name, text):
    field = line(page, name)
    field.setFocus()
    QTest.keyClicks(field, text)
    return field


@pytest.fixture
def page(qtbot):
    made = BulkPage()
    qtbot.addWidget(made)
    made.resize(420, 600)
    made.show_role(Role.SUPERVISOR)
    made.show()
    return made


def test_a_site_and_tags_are_typed_and_enter_changes_all(page, qtbot):
    page.start(BulkTask.EDIT, ROWS, ["Quay"])
    type_into(page, "Site", "Old town")
    type_into(page, "Take tags away", "old")
    with qtbot.waitSignal(page.edit_requested) as asked:
        QTest.keyClick(type_into(page, "Add tags", "Loop, 2026"), Qt.Key.Key_Return)

    assert asked.args == [BulkEdit(site="Old town", added_tags=("2026", "loop"), removed_tags=("old",))]


def test_a_site_that_nobody_wrote_is_left_alone_and_nothing_at_all_is_refused_with_a_sentence(page, qtbot):
    page.start(BulkTask.EDIT, ROWS, [])
    with qtbot.assertNotEmitted(page.edit_requested):
        button(page, "Change them").click()
    assert page.said == "Nothing is to be changed: write a site or a tag."

    with qtbot.waitSignal(page.edit_requested) as asked:
        QTest.keyClick(type_into(page, "Add tags", "loop"), Qt.Key.Key_Return)
    assert asked.args[0].site is None


def test_a_command_that_some_obey_is_sent_after_it_was_held(page, qtbot):
    page.start(BulkTask.COMMAND, ROWS, [])
    assert not button(page, "Hold to send").isEnabled()
    period = {"period_s": {"type": "number", "minimum": 1, "maximum": 60}}
    page.show_offered([OfferedCommand(name="set-period", params=period)])
    type_into(page, "period_s", "5")
    with qtbot.waitSignal(page.send_requested) as asked:
        QTest.keyClick(button(page, "Hold to send"), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    assert asked.args == [CommandWish(name="set-period", args={"period_s": 5}, ttl_s=30.0)]


def test_what_was_not_done_stands_first_with_its_reason(page):
    page.start(BulkTask.EDIT, ROWS, [])
    page.show_results(
        [
            BulkResult(item_id="station/s0", name="Station 0", text="changed", condition=Condition.OK),
            BulkResult(item_id="station/s1", name="Station 1", text="It was changed.", condition=Condition.LOST),
            BulkResult(item_id="station/s2", name="Station 2", text="waits", condition=Condition.WAITING),
        ]
    )

    assert [one.cells[1] for one in page.table.lines] == ["It was changed.", "waits", "changed"]


def test_a_long_reason_is_read_in_full_when_its_line_is_chosen(page):
    reason = "It does not offer restart; it offers identify, set-period."
    page.start(BulkTask.COMMAND, ROWS, [])
    page.show_results(
        [BulkResult(item_id="station/s0", name="Station 0", text=reason, condition=Condition.LOST)],
    )
    page.table.selectRow(0)

    assert page._about.text() == f"Station 0: {reason}"
    assert page._about.isVisible()


def test_escape_stops_what_goes_on_and_leaves_when_it_is_done(page, qtbot):
    page.start(BulkTask.EDIT, ROWS, [])
    page.show_progress(1, 3)
    assert page.said == "1 of 3"
    with qtbot.waitSignal(page.stop_requested), qtbot.assertNotEmitted(page.left):
        QTest.keyClick(page, Qt.Key.Key_Escape)

    page.show_done("1 changed, 2 not.", can_undo=True)
    assert button(page, "Undo").isVisible()
    with qtbot.waitSignal(page.left):
        QTest.keyClick(page, Qt.Key.Key_Escape)


def removed(number, **more):
    return RemovedDevice(
        removal_id=f"R{number}",
        device_id=f"station/s{number}",
        name=f"Station {number}",
        kind="station",
        site="Quay" if number else "Hill",
        removed_at=NOW,
        removed_by="maya",
        **more,
    )


@pytest.fixture
def list_of_removed(qtbot):
    made = RemovedPage()
    qtbot.addWidget(made)
    made.show_role(Role.SUPERVISOR)
    made.show_removed([removed(number) for number in range(3)])
    made.show()
    return made


def test_removed_devices_are_found_by_typing_and_several_are_put_back_with_enter(list_of_removed, qtbot):
    QTest.keyClicks(list_of_removed._search, "quay")
    assert [one.cells[0] for one in list_of_removed.table.lines] == ["Station 1", "Station 2"]

    list_of_removed.table.setFocus()
    QTest.keyClick(list_of_removed.table, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    with qtbot.waitSignal(list_of_removed.restore_requested) as asked:
        QTest.keyClick(list_of_removed, Qt.Key.Key_Return)
    assert [one.removal_id for one in asked.args[0]] == ["R1", "R2"]


def test_an_operator_sees_what_was_removed_and_puts_nothing_back(list_of_removed):
    list_of_removed.show_role(Role.OPERATOR)
    list_of_removed.table.selectAll()

    assert not button(list_of_removed, "Put").isEnabled()
    assert "supervisor" in button(list_of_removed, "Put").toolTip()
