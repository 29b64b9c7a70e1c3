"""Areas of warnings and places of incidents on the map."""

from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QImage, QPainter, QPolygonF

from core.incidents import cap
from core.incidents.model import Incident, IncidentStatus, Priority, SourceKind
from core.incidents.warnings import RegionalWarning
from core.kernel.geo import GeoPoint, to_mercator
from tests.fixtures.testdata import testdata
from widgets.base.theme import look
from widgets.map.area_layer import AreaLayer
from widgets.map.tile_grid import RectM
from widgets.map.view import MapView

AT = datetime(2026, 1, 1, tzinfo=UTC)
RING = tuple(GeoPoint(*point) for point in ((51.9, 7.9), (52.1, 7.9), (52.1, 8.1), (51.9, 8.1), (51.9, 7.9)))
SIDE_PX = 400


def warning(**changes):
    return RegionalWarning(
        **{
            "warning_id": "W",
            "title": "Flood",
            "sender_name": "Office",
            "priority": Priority.HIGH,
            "expires_at": AT + timedelta(hours=1),
            "polygons": (RING,),
        }
        | changes
    )


def incident(**changes):
    return Incident(
        **{
            "incident_id": "I",
            "kind": "fire",
            "title": "Smoke",
            "source_kind": SourceKind.HAND,
            "source_id": "hand",
            "source_name": "By hand",
            "status": IncidentStatus.NEW,
            "began_at": AT,
            "position": GeoPoint(52.0, 8.0),
            "taken_up_by": "olga",
        }
        | changes
    )


@pytest.fixture
def view():
    x_m, y_m = to_mercator(GeoPoint(52.0, 8.0))
    return MapView(
        rect=RectM(x_m - 40_000, y_m - 40_000, x_m + 40_000, y_m + 40_000), width_px=SIDE_PX, height_px=SIDE_PX
    )


def paint(layer, view):
    image = QImage(SIDE_PX, SIDE_PX, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.black)
    painter = QPainter(image)
    layer.paint_areas(painter, view)
    layer.paint_labels(painter, view)
    painter.end()
    return image


def has_color(image, color):
    return any(image.pixelColor(x, y) == color for x in range(SIDE_PX) for y in range(SIDE_PX))


def test_an_area_is_tinted_where_it_is_and_wears_the_hue_of_its_priority(qapp, view):
    layer = AreaLayer()
    layer.set_warnings((warning(),))

    image = paint(layer, view)

    assert image.pixelColor(200, 200) != image.pixelColor(5, 395)
    assert has_color(image, look().color("high"))


def test_a_circle_becomes_an_area_and_a_warning_without_shape_none(qapp):
    layer = AreaLayer()
    layer.set_warnings(
        (warning(polygons=(), circles=((GeoPoint(52.0, 8.0), 5.0),)), warning(warning_id="V", polygons=()))
    )

    assert [area.title for area in layer.areas] == ["Flood"]


def test_the_most_urgent_area_is_painted_last(qapp):
    layer = AreaLayer()
    layer.set_warnings(
        (warning(priority=Priority.CRITICAL, title="now"), warning(priority=Priority.LOW, title="later"))
    )

    assert [area.title for area in layer.areas] == ["later", "now"]


def test_an_area_at_the_pole_is_cut_where_the_map_ends(qapp, view):
    layer = AreaLayer()
    layer.set_warnings(
        (warning(polygons=(tuple(GeoPoint(lat, lon) for lat, lon in ((90, 0), (80, 0), (80, 9), (90, 0))),)),)
    )

    paint(layer, view)

    assert len(layer.areas) == 1


@pytest.mark.parametrize(
    "changes",
    [{"status": IncidentStatus.CLOSED}, {"position": None}, {"taken_up_by": ""}],
)
def test_only_open_incidents_that_somebody_works_on_have_a_mark(qapp, changes):
    layer = AreaLayer()
    layer.set_incidents((incident(**changes),))

    assert layer.spots == ()


def test_an_incident_is_found_under_the_pointer(qapp, view):
    layer = AreaLayer()
    layer.set_incidents((incident(),))

    assert layer.spot_at(view, QPointF(205, 197)).incident_id == "I"
    assert layer.spot_at(view, QPointF(300, 300)) is None
    assert has_color(paint(layer, view), look().color("medium"))


@pytest.mark.testdata
def test_the_polygon_of_a_real_warning_is_tinted_where_it_is_and_nowhere_else(qapp):
    (polygon,) = cap.parse(testdata("messages/cap/thunderstorm.cap").read_bytes()).infos[0].areas[0].polygons
    corners = [to_mercator(point) for point in polygon]
    middle_x, middle_y = (sum(axis[:-1]) / len(axis[:-1]) for axis in zip(*corners, strict=True))
    half_m = 2 * max(abs(x - middle_x) for x, _ in corners)
    around = MapView(
        rect=RectM(middle_x - half_m, middle_y - half_m, middle_x + half_m, middle_y + half_m),
        width_px=SIDE_PX,
        height_px=SIDE_PX,
    )
    layer = AreaLayer()
    layer.set_warnings((warning(title="", polygons=(polygon,)),))

    image = paint(layer, around)
    outline = QPolygonF([QPointF(*around.to_px(*corner)) for corner in corners])
    inside = [
        outline.containsPoint(QPointF(x, y), Qt.FillRule.OddEvenFill)
        for x in range(0, 400, 8)
        for y in range(0, 400, 8)
    ]
    tinted = [image.pixelColor(x, y) != Qt.GlobalColor.black for x in range(0, 400, 8) for y in range(0, 400, 8)]

    n_wrong = sum(a is not b for a, b in zip(inside, tinted, strict=True))
    assert 100 < sum(inside) < 2000
    assert n_wrong < 0.05 * len(inside), "only the outline and the name lie across its edge"
