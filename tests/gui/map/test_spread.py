"""Markers at one place stand apart, so that every value can be read."""

import pytest

from core.kernel.clock import FakeClock
from tests.gui.map.things import NOW, camera, reading, station
from widgets.map.city_map import CityMap
from widgets.map.spread import Taken, spread

WINDOW = (0.0, 0.0, 400.0, 300.0)


def moved(box, move):
    return box[0] + move[0], box[1] + move[1], box[2] + move[0], box[3] + move[1]


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_what_stands_alone_stays():
    boxes = [(10, 10, 40, 30), (200, 10, 240, 30)]

    assert spread(boxes, 2.0, WINDOW, Taken(4)) == [(0.0, 0.0), (0.0, 0.0)]


def test_a_plate_on_another_goes_below_it():
    first, second = spread([(100, 100, 124, 124), (82, 100, 142, 124)], 2.0, WINDOW, Taken(4))

    assert first == (0.0, 0.0)
    assert second == (0.0, 26.0)


def test_at_the_lower_edge_it_goes_above_it():
    _, second = spread([(100, 276, 124, 300), (82, 276, 142, 300)], 2.0, WINDOW, Taken(4))

    assert second == (0.0, -26.0)


def test_five_plates_at_one_place_do_not_touch():
    boxes = [(170.0, 140.0, 230.0, 164.0)] * 5

    places = [moved(box, move) for box, move in zip(boxes, spread(boxes, 2.0, WINDOW, Taken(10)), strict=True)]

    assert not any(overlap(a, b) for i, a in enumerate(places) for b in places[:i])


@pytest.fixture
def city(qtbot):
    made = CityMap(FakeClock(NOW))
    qtbot.addWidget(made)
    made.resize(500, 400)
    made.show()
    yield made
    made.stop()


def test_a_click_on_a_marker_that_stands_aside_selects_it(city, qtbot):
    city.show_cameras((camera(),))
    city.show_devices((station(lat=36.0, lon=-30.0),))
    city.show_readings({0: reading()})
    city._canvas.repaint()
    marker = city._table.get(("station", "traffic/quay"))
    x, y = city._painter._place(city.view, marker)
    true_x, true_y = city.view.to_px(marker.x_m, marker.y_m)

    assert abs(y - true_y) + abs(x - true_x) > 10
    found = city._painter.marker_at(city.view, city._scene, city._canvas.mapFromScene(x, y).toPointF())
    assert found == marker


def test_the_whole_city_is_shown_also_when_devices_come_after_the_cameras(city):
    city.show_cameras((camera(),))
    city.show_devices((station(lat=36.02, lon=-30.03),))

    rect, marker = city.view.rect, city._table.get(("station", "traffic/quay"))
    assert rect.left < marker.x_m < rect.right
    assert rect.bottom < marker.y_m < rect.top
