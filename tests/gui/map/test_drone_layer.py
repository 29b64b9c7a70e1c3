"""Drones on the map: where they are or were, where they went, what is drawn around them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.drones.ground import distance_m, moved
from core.drones.model import DroneState, Fence, LinkHealth, Position
from core.field.model import DeviceState
from core.incidents.model import IncidentStatus
from core.incidents.work import Unit
from core.kernel.clock import FakeClock
from core.kernel.geo import GeoPoint, to_mercator
from tests.fixtures.drones import HOME, NOW, drone, flying, track
from tests.gui.map.test_area_layer import incident
from tests.gui.map.things import station
from widgets.base.labels import ElidedLabel
from widgets.base.theme import look
from widgets.map.city_map import CityMap
from widgets.map.drone_bar import DroneBar, nearest
from widgets.map.drone_layer import DroneLayer, Replayed, footprint_of
from widgets.map.ground_tool import Tool
from widgets.map.tile_grid import RectM
from widgets.map.tracks import ColorBy, Track, legend_of, tone_color
from widgets.map.view import MapView


def view_of(point, metres=200.0):
    x_m, y_m = to_mercator(point)
    return MapView(rect=RectM(x_m - metres, y_m - metres, x_m + metres, y_m + metres), width_px=400, height_px=400)


def painted(layer, view, now=NOW):
    image = QImage(400, 400, QImage.Format.Format_RGB32)
    image.fill(QColor("black"))
    painter = QPainter(image)
    layer.paint_ground(painter, view, now)
    layer.paint_drones(painter, view, now)
    painter.end()
    return image


def colors_in(image):
    return {image.pixelColor(x, y).name() for x in range(0, 400, 2) for y in range(0, 400, 2)}


def test_a_drone_is_found_where_it_is():
    layer = DroneLayer()
    layer.set_fleet({}, {"d1": flying()})
    view = view_of(flying().position.point)

    assert layer.drone_at(view, QPointF(203, 198)) == "d1"
    assert layer.drone_at(view, QPointF(300, 300)) == ""


def test_a_drone_without_a_position_is_nowhere(qapp):
    layer = DroneLayer()
    layer.set_fleet({}, {"d1": DroneState(drone_id="d1")})

    assert layer.bounds() is None
    assert colors_in(painted(layer, view_of(GeoPoint(0.0, 0.0)))) == {"#000000"}


def test_a_silent_drone_may_be_farther_away_each_second(qapp):
    layer = DroneLayer()
    lost = flying(health=LinkHealth.LOST, home=None)
    layer.set_fleet({"d1": drone(max_speed_mps=10.0)}, {"d1": lost})
    view = view_of(lost.position.point)

    def reach(age_s):
        image = painted(layer, view, NOW + timedelta(seconds=age_s))
        quality = look().theme.quality.lower()
        return max(
            (x for x in range(200, 400) for y in range(200, 400) if image.pixelColor(x, y).name() == quality), default=0
        )

    early, late = reach(6), reach(12)
    assert 250 < early < late, "10 m/s for 6 and 12 s at 1 px/m of Mercator"


def test_a_track_is_coloured_by_height_with_its_legend(qapp):
    line = Track.of(track(60))
    layer = DroneLayer()
    layer.set_replayed(
        Replayed(drone=drone(), state=DroneState(drone_id="d1"), at=NOW + timedelta(hours=1), track=line)
    )

    legend = layer.legend()
    seen = colors_in(painted(layer, view_of(track(60)[30].point, metres=250.0)))

    assert (legend.title, legend.low, legend.high, legend.unit) == ("Height", 0.0, 59.0, "m")
    assert {tone_color(tone, look()).name() for tone in (0, 3, 7)} <= seen


def test_speed_is_the_other_colour():
    assert legend_of(Track.of(track(60)), ColorBy.SPEED).high == pytest.approx(8.6)
    assert legend_of(Track(), ColorBy.SPEED).low is None


def test_a_live_track_goes_on_with_the_drone_and_never_forgets_its_beginning():
    line, state = Track(), flying()
    for second in range(10_000):
        at = NOW + timedelta(seconds=second)
        line.add(replace(state, position=Position(point=moved(HOME, 2.0 * second, 0.0), at=at)))

    assert 1_000 < len(line.rows) <= 4_000
    assert line.rows[0, 2] == NOW.timestamp()
    assert line.rows[-1, 2] == NOW.timestamp() + 9_999


def test_what_the_camera_sees_is_known_only_with_all_its_angles():
    angles = {"gimbal_pitch_deg": -45.0, "camera_h_fov_deg": 60.0}

    assert footprint_of(flying(), NOW) == ()
    assert len(footprint_of(flying(values=angles), NOW)) == 4
    assert footprint_of(flying(values=angles), NOW + timedelta(seconds=3)) == (), (
        "an old view is not shown as the present"
    )


def test_distances_are_told_to_open_incidents_and_who_is_there():
    here = flying().position.point
    near, far = moved(here, 500.0, 0.0), moved(here, 0.0, 3_000.0)

    def at_work(key, place):
        return incident(incident_id=key, title=key, position=place)

    found = nearest(
        here,
        [at_work("far", far), at_work("crash", near), incident(incident_id="shut", status=IncidentStatus.CLOSED)],
        [Unit(unit_id="u", call_sign="Patrol 1", kind="Patrol", incident_id="crash")],
        [
            station("unit/tow-1", name="Tow 1", position=moved(here, 0, 200)),
            station("unit/silent", name="Silent", position=here, state=DeviceState.LOST),
            station("station/s1", name="No unit", position=here),
        ],
    )

    assert [(one.name, round(one.distance_m, -1)) for one in found] == [
        ("crash (Patrol 1 sent)", 500.0),
        ("far", 3_000.0),
        ("Tow 1", 200.0),
    ]


@pytest.fixture
def city(qtbot):
    city = CityMap(FakeClock(NOW))
    qtbot.addWidget(city)
    city.resize(420, 460)
    city.show()
    city.show_drones(
        {"d1": drone(fence=Fence(corners=(HOME, moved(HOME, 500, 0), moved(HOME, 0, 500))))}, {"d1": flying()}
    )
    city.centre_on(flying().position.point)
    yield city
    city.stop()


def canvas_of(city):
    return city._canvas.viewport()


def at(city, point):
    return QPointF(*city.view.to_px(*to_mercator(point))).toPoint()


def test_a_click_on_a_drone_selects_it(city):
    said = []
    city.item_selected.connect(lambda *item: said.append(item))

    QTest.mouseClick(canvas_of(city), Qt.MouseButton.LeftButton, pos=at(city, flying().position.point))

    assert said == [("drone", "d1")]


def test_a_way_is_measured_by_clicks(city):
    city.start_tool(Tool.MEASURE)
    here = flying().position.point

    for place in (here, moved(here, 200.0, 0.0), moved(here, 200.0, 100.0)):
        QTest.mouseClick(canvas_of(city), Qt.MouseButton.LeftButton, pos=at(city, place))

    assert city.tool.length_m == pytest.approx(300.0, rel=0.02)
    assert f"{city.tool.length_m:,.0f} m" in city.notice
    QTest.keyClick(city.focusProxy(), Qt.Key.Key_Escape)
    assert city.tool.tool is None
    assert city.notice != city.tool.sentence or city.notice == ""


def test_a_fence_is_drawn_corner_by_corner_and_closed_by_enter(city):
    city.start_tool(Tool.FENCE)
    drawn, here = [], flying().position.point
    city.tool.finished.connect(drawn.append)
    corners = [moved(here, 100.0, 0.0), moved(here, 0.0, 100.0), moved(here, -150.0, -150.0), moved(here, 50.0, -50.0)]

    for corner in corners:
        QTest.mouseClick(canvas_of(city), Qt.MouseButton.LeftButton, pos=at(city, corner))
    QTest.keyClick(city.focusProxy(), Qt.Key.Key_Backspace)
    QTest.keyClick(city.focusProxy(), Qt.Key.Key_Return)

    (found,) = drawn
    assert [distance_m(a, b) < 10.0 for a, b in zip(found, corners[:3], strict=True)] == [True] * 3


def test_two_corners_are_no_fence(city):
    city.start_tool(Tool.FENCE)
    drawn = []
    city.tool.finished.connect(drawn.append)
    for place in (HOME, moved(HOME, 100.0, 0.0)):
        city.tool.add(place)

    QTest.keyClick(city.focusProxy(), Qt.Key.Key_Return)

    assert drawn == []
    assert city.tool.tool is Tool.FENCE


def test_a_drone_that_moves_less_than_a_pixel_costs_no_new_picture(city, qtbot):
    states = {"d1": flying()}
    city.show_drones({"d1": drone()}, states)
    n_painted = painted_of(city, qtbot)

    def move(north_m):
        before = n_painted()
        position = Position(at=NOW, point=moved(flying().position.point, north_m, 0.0))
        states["d1"] = replace(flying(), position=position)
        city.update_drones(states.values())
        qtbot.waitUntil(lambda: not city._drawing_drones.isActive())
        QApplication.sendPostedEvents()
        QApplication.processEvents()
        return n_painted() - before

    assert city.view.ground_m > 0.5
    assert move(0.0) == 0
    assert move(60.0) > 0


def painted_of(city, qtbot):
    """Return what counts how often the map was painted, once it is at rest."""

    class Watch(QObject):
        n = 0

        def eventFilter(self, watched, event):
            self.n += event.type() == QEvent.Type.Paint
            return False

    watch = Watch(city)
    canvas_of(city).installEventFilter(watch)
    qtbot.waitUntil(lambda: watch.n > 0 and not city._drawing_drones.isActive())
    QApplication.processEvents()
    return lambda: watch.n


def test_where_a_drone_was_is_not_told_as_where_it_is(qtbot):
    bar = DroneBar()
    qtbot.addWidget(bar)
    bar.show_near("Falcon 1", 340.0, (), old_at=NOW)
    (label,) = [one for one in bar.findChildren(ElidedLabel) if one.text()]

    assert label.text() == f"Falcon 1, last known at {NOW.astimezone():%H:%M:%S}:  home 340 m"
    bar.show_near("Falcon 1", 340.0, ())
    assert label.text() == "Falcon 1:  home 340 m"
