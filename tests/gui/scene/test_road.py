"""The road is laid under the picture by points with known places, and the operator sees whether it fits."""

import math

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractSpinBox, QTableWidget

from core.kernel.geo import GeoPoint
from core.vision.plane import offset, solve
from widgets.scene.calibration import fit
from widgets.scene.sketch import RoadPoint, Sketch, plane_of

Key = Qt.Key
CORNERS = ((0.3, 0.9), (0.7, 0.9), (0.58, 0.4), (0.42, 0.4))


def set_points(desk, points=CORNERS):
    desk.keys(Key.Key_R)
    desk.click(*points)


def table(desk) -> QTableWidget:
    return desk.named(QTableWidget, "Road points")


def type_place(desk, row, a, b):
    table(desk).item(row, 0).setText(str(a))
    table(desk).item(row, 1).setText(str(b))


def test_four_points_and_a_rectangle_make_a_road(desk):
    set_points(desk)
    desk.named(QAbstractSpinBox, "Width of the rectangle").setValue(7.0)
    desk.named(QAbstractSpinBox, "Length of the rectangle").setValue(40.0)
    desk.press("Use as rectangle")

    plane = solve(plane_of(desk.sketch), 640 / 360)
    near_edge = plane.ground_of(CORNERS[:2])
    assert np.linalg.norm(near_edge[1] - near_edge[0]) == pytest.approx(7.0, abs=0.1)
    assert "Four points always fit" in desk.editor.side.road.verdict
    desk.save()
    assert desk.saves[-1][1].plane == plane_of(desk.sketch)


def test_a_metre_grid_is_drawn_while_the_road_is_looked_at(desk):
    set_points(desk)
    before = desk.canvas.grab().toImage()
    desk.press("Use as rectangle")
    with_grid = desk.canvas.grab().toImage()
    desk.press("Metre grid on the picture")
    without = desk.canvas.grab().toImage()

    def n_different(a, b):
        return sum(a.pixel(x, y) != b.pixel(x, y) for x in range(0, a.width(), 3) for y in range(0, a.height(), 3))

    assert n_different(before, with_grid) > 200
    assert n_different(with_grid, without) > 200


def test_points_without_a_place_are_not_saved_and_the_sentence_says_which(desk):
    set_points(desk, CORNERS[:2])
    assert desk.editor.side.road.verdict.startswith("2 road points more to set")
    desk.keys(Key.Key_S, modifier=Qt.KeyboardModifier.ControlModifier)

    assert desk.saves == []
    assert "Road point 1 has no distances yet" in desk.editor.notice.text


def test_a_fifth_point_checks_the_others_and_shows_how_far_each_is_off(desk):
    set_points(desk)
    desk.press("Use as rectangle")
    middle = fit(desk.sketch, 640 / 360).plane.picture_of([(1.75, 10.0)])[0]
    desk.keys(Key.Key_R)
    desk.click(tuple(middle))
    type_place(desk, 4, 1.75, 10)
    assert "fit well" in desk.editor.side.road.verdict
    type_place(desk, 4, 1.75, 16)

    assert "m off on average" in desk.editor.side.road.verdict
    assert float(table(desk).item(4, 2).text()) > 0.3


def test_points_on_one_line_give_a_sentence_that_names_them(desk):
    set_points(desk, ((0.2, 0.5), (0.4, 0.5), (0.6, 0.5), (0.8, 0.9)))
    desk.press("Use as rectangle")

    assert "Points 1, 2 and 3 are on one line" in desk.editor.side.road.verdict


def test_what_is_no_number_is_refused_and_the_old_value_stays(desk):
    set_points(desk)
    desk.press("Use as rectangle")
    table(desk).item(1, 0).setText("far")

    assert "is no place for point 2" in desk.editor.notice.text
    assert table(desk).item(1, 0).text() == "3.50"


def test_a_comma_is_a_decimal_point(desk):
    set_points(desk)
    desk.press("Use as rectangle")
    table(desk).item(1, 0).setText("3,75")

    assert desk.sketch.road[1].ground_xy_m == (3.75, 0.0)


def test_points_are_placed_on_the_map(desk):
    set_points(desk)
    desk.editor.side.road._way.setCurrentIndex(1)
    origin = GeoPoint(54.1, 12.1)
    places = [origin, *(offset(origin, *metres) for metres in ((7.0, 0.0), (7.0, 40.0), (0.0, 40.0)))]
    for index, place in enumerate(places):
        table(desk).setCurrentCell(index, 0)
        desk.press(f"Pick point {index + 1} on the map")
        assert desk.asked[-1] == index
        desk.editor.show_position(index, place)

    assert desk.sketch.origin == origin
    assert desk.sketch.road[2].ground_xy_m == pytest.approx((7.0, 40.0), abs=1e-4)
    assert table(desk).item(2, 0).text() == f"{places[2].lat_deg:.6f}"
    assert fit(desk.sketch, 640 / 360).plane is not None


def test_latitude_and_longitude_can_be_typed(desk):
    set_points(desk)
    desk.editor.side.road._way.setCurrentIndex(1)
    type_place(desk, 0, 54.1, 12.1)
    type_place(desk, 1, 54.1, 99912.1)

    assert desk.sketch.origin == GeoPoint(54.1, 12.1)
    assert "is no place" in desk.editor.notice.text


def test_a_position_on_the_map_drops_distances_that_were_typed_before(desk):
    set_points(desk)
    desk.press("Use as rectangle")
    desk.editor.show_position(1, GeoPoint(54.1, 12.1))

    assert [point.ground_xy_m for point in desk.sketch.road] == [None, (0.0, 0.0), None, None]


def test_a_road_point_is_dragged_and_deleted(desk):
    set_points(desk)
    desk.drag(CORNERS[0], (0.25, 0.85))
    assert math.dist(desk.sketch.road[0].picture, (0.25, 0.85)) < 0.005
    desk.keys(Key.Key_Delete)

    assert len(desk.sketch.road) == 3


def test_the_table_and_the_picture_select_the_same_point(desk):
    set_points(desk)
    table(desk).setCurrentCell(1, 0)
    assert desk.canvas.selected.road == 1
    desk.click(CORNERS[2])

    assert table(desk).currentRow() == 2


def test_no_points_say_how_to_begin():
    assert "Choose the tool Road" in fit(Sketch(), 16 / 9).hint
    assert fit(Sketch(road=(RoadPoint(picture=(0.1, 0.1)),)), 16 / 9).sentence == "3 road points more to set."
