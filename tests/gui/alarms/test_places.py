"""Where the detail stands, and how many rows can be read, in the sizes the list gets on real screens."""

from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.access.model import Role
from core.incidents.flood import Flood
from core.incidents.holds import OutOfService
from core.incidents.model import Priority, SourceKind
from core.kernel.clock import FakeClock
from tests.gui.alarms.making import NOW, make_alarm
from widgets.alarms.actions import Action
from widgets.alarms.list import AlarmList
from widgets.alarms.order import Tab
from widgets.alarms.table_model import Column
from widgets.base.theme import DARK, apply_theme

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


@pytest.fixture
def small_text(qapp):
    """The text of a screen of 1280 by 800."""
    apply_theme(qapp, DARK, base_px=13)
    yield
    apply_theme(qapp, DARK, base_px=16)


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


def in_a_flood(alarms):
    alarms.show_flood(Flood(calls={("a0", "o", number): NOW for number in range(20)}, since=NOW))


def is_whole(widget, inside):
    corner = widget.mapTo(inside, widget.rect().bottomRight())
    return widget.isVisible() and corner.y() < inside.height() and corner.x() < inside.width()


@pytest.mark.usefixtures("small_text")
def test_a_title_is_read_whole_beside_its_source_in_a_small_list(alarms):
    alarms.show_alarms([make_alarm("a", title="Stopped vehicle in Junction")])
    alarms.resize(*DOCK_1280)

    index = alarms.model.index(0, Column.TITLE)
    assert alarms.table.columnWidth(Column.TITLE) >= alarms.table.sizeHintForIndex(index).width()


@pytest.mark.usefixtures("small_text")
def test_shelving_is_asked_in_two_lines_of_a_small_list_and_nothing_is_cut(alarms, qtbot):
    alarms.show_role(Role.SUPERVISOR)
    alarms.show_alarms([make_alarm(f"a{n}", Priority.MEDIUM) for n in range(12)])
    alarms.resize(*DOCK_1280)
    in_a_flood(alarms)
    alarms.select("a0")
    alarms.begin(Action.SHELVE)
    bar = alarms._action_bar
    controls = [control for control in bar._controls if control.isVisible()]
    qtbot.waitUntil(lambda: len({control.y() for control in controls}) == 2)

    assert len(controls) == 6
    assert all(is_whole(control, bar) for control in controls)
    assert bar._reason.width() >= bar._reason.sizeHint().width()
    qtbot.waitUntil(lambda: bool(alarms.visible_alarms()))


@pytest.mark.usefixtures("small_text")
def test_what_is_out_of_service_and_its_alarms_are_both_read_in_a_small_list(alarms, qtbot):
    hold = OutOfService(
        hold_id="h",
        condition_key="",
        source_kind=SourceKind.CAMERA,
        source_id="c1",
        source_name="Harbour Road",
        owner="susi",
        reason="Lens is replaced",
        since=NOW,
        until=NOW + timedelta(hours=3),
    )
    alarms.show_alarms([make_alarm("a", out_of_service_by="susi"), make_alarm("b", out_of_service_by="susi")])
    alarms.show_services([hold])
    in_a_flood(alarms)
    alarms.resize(*DOCK_1280)
    alarms.show_tab(Tab.OUT_OF_SERVICE)

    qtbot.waitUntil(lambda: is_whole(alarms.service._take_out, alarms))
    qtbot.waitUntil(lambda: bool(alarms.visible_alarms()))
    assert alarms.height() == DOCK_1280[1], "the dock gives no more"
    assert alarms.flood_text == ""
    alarms.show_tab(Tab.ACTIVE)
    assert alarms.flood_text
