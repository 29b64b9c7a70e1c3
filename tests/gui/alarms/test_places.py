"""Where the detail stands, and how many rows can be read, in the sizes the list gets on real screens."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.kernel.clock import FakeClock
from tests.gui.alarms.making import make_alarm
from widgets.alarms.list import AlarmList
from widgets.alarms.table_model import Column

DOCK_1920 = (1013, 293)
DOCK_1280 = (640, 203)


@pytest.fixture
def alarms(qtbot):
    made = AlarmList(FakeClock())
    qtbot.addWidget(made)
    made.show_alarms([make_alarm(f"a{n}") for n in range(12)])
    made.show()
    made.activateWindow()
    return made


@pytest.mark.parametrize(("size", "n_rows"), [(DOCK_1920, 5), (DOCK_1280, 3)])
@pytest.mark.parametrize("is_selected", [False, True])
def test_enough_rows_can_be_read(alarms, size, n_rows, is_selected):
    alarms.resize(*size)
    if is_selected:
        alarms.select("a0")

    assert len(alarms.visible_alarms()) >= n_rows


@pytest.mark.parametrize("size", [DOCK_1920, DOCK_1280, (360, 700)])
def test_no_heading_is_cut_and_the_title_gets_the_most_room(alarms, size):
    alarms.resize(*size)
    alarms.select("a0")
    header = alarms.table.horizontalHeader()
    shown = [column for column in Column if not header.isSectionHidden(column)]

    assert all(header.sectionSize(column) >= header.sectionSizeHint(column) for column in shown)
    assert max(shown, key=header.sectionSize) is Column.TITLE
    assert header.length() <= alarms.table.viewport().width()


def test_without_a_selection_the_list_has_all_the_room(alarms):
    alarms.resize(*DOCK_1920)

    assert alarms.detail.isHidden()
    alarms.select("a0")
    assert alarms.detail.isVisible()
    assert alarms.detail.x() > alarms.table.width() * 0.9


def test_a_high_and_narrow_list_has_the_detail_below(alarms):
    alarms.resize(500, 900)
    alarms.select("a0")

    assert alarms.detail.isVisible()
    assert alarms._splitter.orientation() is Qt.Orientation.Vertical


def test_a_small_list_offers_to_acknowledge_in_its_bar(alarms, qtbot):
    alarms.resize(*DOCK_1280)
    alarms.select("a0")

    assert alarms.detail.isHidden()
    with qtbot.waitSignal(alarms.acknowledge_requested) as asked:
        qtbot.mouseClick(alarms._bar_acknowledge, Qt.MouseButton.LeftButton)
    assert asked.args[0] == "a0"


def test_a_small_list_brings_a_line_for_a_comment_and_takes_it_away_again(alarms, qtbot):
    alarms.resize(*DOCK_1280)
    alarms.select("a0")
    alarms.table.setFocus()
    qtbot.waitUntil(alarms.table.hasFocus)

    QTest.keyClick(alarms.table, Qt.Key.Key_C)
    field = alarms.detail._comment
    qtbot.waitUntil(field.hasFocus)
    QTest.keyClicks(field, "seen")
    with qtbot.waitSignal(alarms.comment_requested) as asked:
        QTest.keyClick(field, Qt.Key.Key_Return)

    assert asked.args[3] == "seen"
    assert alarms.detail.isHidden()
    assert alarms.table.hasFocus()
