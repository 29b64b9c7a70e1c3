"""The editor without a mouse: where the keys go, and where they come back to."""

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QTableWidget, QToolButton

from core.kernel.geo import GeoPoint
from tests.gui.scene.conftest import GATE, RING
from widgets.base.focus import focus_order
from widgets.scene.canvas import Tool

Key = Qt.Key
CORNERS = ((0.3, 0.9), (0.7, 0.9), (0.58, 0.4), (0.42, 0.4))
FOOTAGE = "Footage: a file or address on the node's machine"


def activate(desk, qtbot):
    desk.editor.activateWindow()
    qtbot.waitUntil(desk.editor.isActiveWindow)


def set_points(desk):
    desk.keys(Key.Key_R)
    desk.click(*CORNERS)


def test_tab_goes_from_the_camera_over_the_tools_and_the_picture_to_the_forms_and_the_save_button(desk):
    names = [part.accessibleName() or part.text() for part in focus_order(desk.editor) if part.isVisible()]
    wanted = ["Camera", "Select", "Picture of", "Forms of", "What is drawn", "What was changed", "Save"]

    places = [next(i for i, name in enumerate(names) if name.startswith(word)) for word in wanted]
    assert places == sorted(places)


def test_the_letter_of_a_tool_works_from_the_buttons_as_well_and_brings_the_keys_to_the_picture(desk, qtbot):
    activate(desk, qtbot)
    freeze = desk.named(QToolButton, "Hold the picture (F)")
    freeze.setFocus()
    QTest.keyClick(freeze, Key.Key_L)

    assert desk.canvas.tool is Tool.LINE
    assert desk.canvas.hasFocus()


def test_a_letter_that_is_written_into_a_field_is_no_tool(desk, qtbot):
    activate(desk, qtbot)
    note = desk.named(QLineEdit, "What was changed, and why")
    note.setFocus()
    QTest.keyClicks(note, "zebra")

    assert note.text() == "zebra"
    assert desk.canvas.tool is Tool.SELECT


def test_enter_in_the_name_of_a_new_shape_goes_back_to_the_picture(desk, qtbot):
    activate(desk, qtbot)
    desk.keys(Key.Key_L)
    desk.click((0.1, 0.3), (0.8, 0.3))
    name = desk.named(QLineEdit, "Name")
    assert name.hasFocus()
    QTest.keyClicks(name, "Stop line")
    QTest.keyClick(name, Key.Key_Return)

    assert [line.name for line in desk.sketch.lines] == ["Gate", "Stop line"]
    assert desk.canvas.hasFocus()


def test_the_dry_run_begins_in_its_first_field_and_esc_comes_back_to_the_picture(desk, qtbot):
    activate(desk, qtbot)
    desk.editor._dry_run.trigger()
    footage = desk.named(QLineEdit, FOOTAGE)
    assert footage.hasFocus()
    reached = []
    for _ in range(4):
        QTest.keyClick(desk.editor.focusWidget(), Key.Key_Tab)
        focused = desk.editor.focusWidget()
        reached.append(focused.accessibleName() or focused.text())
    assert reached == ["Choose a file", "Minutes to look at", "Start", "Back"]
    QTest.keyClick(desk.editor.focusWidget(), Key.Key_Escape)

    assert not footage.isVisible()
    assert desk.canvas.hasFocus()


def test_delete_in_the_table_removes_that_road_point(desk, qtbot):
    activate(desk, qtbot)
    set_points(desk)
    table = desk.named(QTableWidget, "Road points")
    table.setFocus()
    table.setCurrentCell(1, 0)
    QTest.keyClick(table, Key.Key_Delete)

    assert len(desk.sketch.road) == 3
    assert desk.sketch.road[1].picture[0] < 0.6


def test_a_road_point_without_a_place_can_be_removed_where_the_sentence_stands(desk):
    set_points(desk)
    desk.press("Use as rectangle")
    desk.keys(Key.Key_R)
    desk.click((0.5, 0.6))
    desk.keys(Key.Key_S, modifier=Qt.KeyboardModifier.ControlModifier)
    assert "Road point 5 has no distances yet" in desk.editor.notice.text
    desk.press("Remove the point")
    desk.keys(Key.Key_S, modifier=Qt.KeyboardModifier.ControlModifier)

    assert len(desk.saves[-1][1].plane.points) == 4


def test_while_the_map_is_asked_the_editor_says_what_to_do_and_it_can_be_left(desk):
    set_points(desk)
    desk.editor.side.road._way.setCurrentIndex(1)
    left = []
    desk.editor.position_left.connect(lambda: left.append(True))
    desk.press("on the map")
    assert "Click the place of road point 4 on the map" in desk.editor.notice.text
    desk.press("Do not pick")

    assert left == [True]
    assert desk.editor.notice.text == ""


def test_after_a_click_on_the_map_the_next_point_without_a_place_is_chosen(desk):
    set_points(desk)
    desk.editor.side.road._way.setCurrentIndex(1)
    desk.editor.show_position(3, GeoPoint(54.1, 12.1))

    assert desk.canvas.selected.road == 0
    assert desk.is_offered("Pick point 1 on the map")


def test_another_sentence_stays_when_the_map_was_clicked(desk):
    desk.keys(Key.Key_Escape, Key.Key_PageDown, Key.Key_Down)
    desk.editor.show_cameras((RING.__class__(camera_id="ring", name="Ring", address="x", version=9), GATE))
    desk.editor.end_picking()

    assert "another desk" in desk.editor.notice.text
