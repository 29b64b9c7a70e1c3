"""Shapes are drawn, moved and removed by mouse and by keyboard."""

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QLineEdit

from core.vision.model import MaskKind
from tests.gui.scene.conftest import SQUARE, near
from widgets.scene.draft import Tool
from widgets.scene.hits import Selection
from widgets.scene.sketch import ShapeKind, ShapeRef

Key = Qt.Key
TRIANGLE = ((0.65, 0.3), (0.9, 0.3), (0.8, 0.7))


def test_a_zone_is_drawn_with_clicks_and_closed_with_enter(desk):
    desk.keys(Key.Key_Z)
    desk.click(*TRIANGLE)
    desk.keys(Key.Key_Return)

    zone = desk.sketch.zones[1]
    assert all(near(point, wanted) for point, wanted in zip(zone.polygon, TRIANGLE, strict=True))
    assert zone.name == "Zone 1"
    assert zone.key.startswith("zone-1-")
    assert desk.canvas.selected.ref == ShapeRef(ShapeKind.ZONE, zone.key)
    assert desk.canvas.tool is Tool.SELECT


def test_a_new_shape_can_be_named_at_once(desk):
    desk.keys(Key.Key_Z)
    desk.click(*TRIANGLE)
    desk.keys(Key.Key_Return)

    field = QApplication.focusWidget()
    assert isinstance(field, QLineEdit)
    assert field.accessibleName() == "Name"
    assert field.selectedText() == "Zone 1"


def test_a_double_click_closes_with_the_corner_it_sets(desk):
    desk.keys(Key.Key_P)
    desk.click(*TRIANGLE[:2])
    desk.double_click(*TRIANGLE[2])

    assert len(desk.sketch.masks[0].polygon) == 3
    assert desk.sketch.masks[0].kind is MaskKind.PRIVACY


def test_a_click_on_the_first_corner_closes(desk):
    desk.keys(Key.Key_I)
    desk.click(*TRIANGLE, TRIANGLE[0])

    assert len(desk.sketch.masks[0].polygon) == 3
    assert desk.sketch.masks[0].kind is MaskKind.IGNORE


def test_a_line_ends_with_its_second_click_and_turns_round(desk):
    desk.keys(Key.Key_L)
    desk.click((0.1, 0.9), (0.7, 0.95))
    line = desk.sketch.lines[1]
    desk.press("Turn round")

    turned = desk.sketch.lines[1]
    assert near(line.start, (0.1, 0.9))
    assert near(line.end, (0.7, 0.95))
    assert (turned.start, turned.end) == (line.end, line.start)
    assert (turned.forward_name, turned.backward_name) == (line.forward_name, line.backward_name)


def test_a_lane_wants_the_way_traffic_drives(desk):
    desk.keys(Key.Key_A)
    desk.click((0.7, 0.9), (0.9, 0.9), (0.8, 0.3), (0.7, 0.3))
    desk.keys(Key.Key_Return)
    assert "enter the lane" in desk.canvas.hint
    assert desk.sketch.lanes == ()
    desk.click((0.8, 0.85), (0.75, 0.35))

    lane = desk.sketch.lanes[0]
    assert len(lane.polygon) == 4
    assert near(lane.start, (0.8, 0.85))
    assert near(lane.end, (0.75, 0.35))


def test_enter_takes_the_arrow_that_is_suggested_along_the_lane(desk):
    desk.keys(Key.Key_A)
    desk.click((0.7, 0.9), (0.9, 0.9), (0.8, 0.3), (0.7, 0.3))
    desk.keys(Key.Key_Return, Key.Key_Return)

    lane = desk.sketch.lanes[0]
    assert lane.start[1] < 0.4 < 0.8 < lane.end[1]


def test_backspace_takes_the_last_point_back_and_escape_gives_up(desk):
    desk.keys(Key.Key_Z)
    desk.click(*TRIANGLE)
    desk.keys(Key.Key_Backspace)
    assert len(desk.canvas.draft.points) == 2
    desk.keys(Key.Key_Escape)
    assert desk.canvas.draft.points == ()
    assert desk.canvas.tool is Tool.ZONE
    desk.keys(Key.Key_Escape)

    assert desk.canvas.tool is Tool.SELECT
    assert not desk.editor.is_dirty


def test_two_corners_do_not_make_an_outline(desk):
    desk.keys(Key.Key_Z)
    desk.click(*TRIANGLE[:2])
    desk.keys(Key.Key_Return)

    assert len(desk.canvas.draft.points) == 2
    assert len(desk.sketch.zones) == 1


def test_a_shape_is_drawn_with_the_keyboard_alone(desk):
    desk.keys(Key.Key_Z, Key.Key_Space)
    desk.keys(Key.Key_Right, Key.Key_Right, modifier=Qt.KeyboardModifier.ShiftModifier)
    desk.keys(Key.Key_Space)
    desk.keys(Key.Key_Down, Key.Key_Down, modifier=Qt.KeyboardModifier.ShiftModifier)
    desk.keys(Key.Key_Space, Key.Key_Return)

    polygon = desk.sketch.zones[1].polygon
    assert polygon == ((0.5, 0.5), (0.6, 0.5), (0.6, 0.6))


def test_a_line_drawn_where_one_was_removed_counts_under_a_key_of_its_own(desk):
    keys = []
    for _ in range(2):
        desk.keys(Key.Key_L)
        desk.click((0.1, 0.9), (0.7, 0.9))
        keys.append((desk.sketch.lines[-1].name, desk.sketch.lines[-1].key))
        desk.keys(Key.Key_Delete)

    (name, key), (next_name, next_key) = keys
    assert (len(desk.sketch.lines), name) == (1, next_name)
    assert key != next_key


def test_points_near_the_border_snap_to_it_unless_alt_is_held(desk):
    desk.keys(Key.Key_L)
    desk.click((0.005, 0.9), (0.7, 0.95))
    desk.keys(Key.Key_L)
    desk.click((0.005, 0.7), (0.7, 0.75), modifier=Qt.KeyboardModifier.AltModifier)

    assert desk.sketch.lines[1].start[0] == 0.0
    assert desk.sketch.lines[2].start[0] > 0.0


def test_a_point_snaps_to_another_shapes_corner(desk):
    desk.keys(Key.Key_L)
    desk.click((0.603, 0.603), (0.8, 0.9))

    assert desk.sketch.lines[1].start == (0.6, 0.6)


def test_a_corner_is_dragged_and_that_is_one_step_back(desk):
    desk.click((0.4, 0.4))
    desk.drag((0.6, 0.6), (0.7, 0.7))

    assert near(desk.sketch.zones[0].polygon[2], (0.7, 0.7))
    desk.press("Undo")
    assert desk.sketch.zones[0].polygon == SQUARE
    assert not desk.editor.is_dirty


def test_a_shape_is_dragged_as_a_whole_and_stops_at_the_border(desk):
    desk.click((0.4, 0.4))
    desk.drag((0.4, 0.4), (0.5, 0.45))
    assert near(desk.sketch.zones[0].polygon[0], (0.3, 0.25))
    desk.drag((0.5, 0.45), (0.99, 0.45))

    polygon = desk.sketch.zones[0].polygon
    assert max(x for x, _ in polygon) == 1.0
    assert polygon[1][0] - polygon[0][0] == pytest.approx(0.4, abs=1e-5)


def test_dragging_the_dot_on_a_side_adds_a_corner_in_one_or_two_steps(desk):
    desk.click((0.4, 0.4))
    desk.drag((0.4, 0.2), (0.4, 0.1))

    assert len(desk.sketch.zones[0].polygon) == 5
    assert near(desk.sketch.zones[0].polygon[1], (0.4, 0.1))


def test_a_double_click_on_a_side_adds_a_corner(desk):
    desk.click((0.4, 0.4))
    desk.double_click(0.6, 0.3)

    assert len(desk.sketch.zones[0].polygon) == 5


def test_delete_removes_the_selected_corner_then_keeps_three(desk):
    desk.click((0.4, 0.4))
    desk.keys(Key.Key_Period, Key.Key_Delete)
    assert desk.sketch.zones[0].polygon == SQUARE[1:]
    desk.keys(Key.Key_Period, Key.Key_Delete)
    assert len(desk.sketch.zones[0].polygon) == 3
    assert "three corners" in desk.canvas.accessibleDescription()
    desk.keys(Key.Key_Delete)

    assert desk.sketch.zones == ()


def test_keys_choose_move_and_add(desk):
    desk.keys(Key.Key_PageDown)
    assert desk.canvas.selected.ref == ShapeRef(ShapeKind.ZONE, "zone-1")
    desk.keys(Key.Key_Period, Key.Key_Right, Key.Key_Right)
    assert near(desk.sketch.zones[0].polygon[0], (0.22, 0.2), by=1e-6)
    desk.keys(Key.Key_Insert)
    assert len(desk.sketch.zones[0].polygon) == 5
    desk.keys(Key.Key_PageDown)

    assert desk.canvas.selected == Selection(ref=ShapeRef(ShapeKind.LINE, "gate"))


def test_steps_of_one_key_are_undone_together(desk):
    desk.keys(Key.Key_PageDown, Key.Key_Right, Key.Key_Right, Key.Key_Right)
    desk.keys(Key.Key_Z, modifier=Qt.KeyboardModifier.ControlModifier)

    assert desk.sketch.zones[0].polygon == SQUARE


def test_the_wheel_zooms_towards_the_pointer_and_zero_shows_all(desk):
    at = desk.at(0.8, 0.3)
    turn = QWheelEvent(
        QPointF(at),
        QPointF(desk.canvas.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 360),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(desk.canvas, turn)

    assert desk.canvas.view.zoom > 1.5
    assert near(desk.canvas.view.to_point(QPointF(at)), (0.8, 0.3), by=0.01)
    desk.keys(Key.Key_0)
    assert desk.canvas.view.zoom == 1.0


def test_points_are_set_exactly_where_the_pointer_is_while_zoomed(desk):
    desk.keys(Key.Key_Plus, Key.Key_Plus, Key.Key_Plus)
    desk.keys(Key.Key_L)
    desk.click((0.45, 0.45), (0.62, 0.55))

    assert near(desk.sketch.lines[1].start, (0.45, 0.45), by=0.002)


def test_who_may_not_change_looks_only(desk):
    desk.editor.set_may_edit(False)
    desk.keys(Key.Key_Z)
    desk.click((0.4, 0.4))
    desk.drag((0.4, 0.4), (0.5, 0.5))
    desk.keys(Key.Key_Delete)

    assert desk.canvas.tool is Tool.SELECT
    assert desk.canvas.selected.ref == ShapeRef(ShapeKind.ZONE, "zone-1")
    assert desk.sketch.zones[0].polygon == SQUARE
    assert not desk.is_offered("Draw a zone")
    assert not desk.is_offered("Save")
