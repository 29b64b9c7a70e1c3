from dataclasses import replace

from core.field.model import DeviceState
from core.incidents.model import Priority, SourceKind
from core.kernel.geo import GeoPoint
from core.media.model import StreamState
from core.parking.model import Lot, LotOccupancy
from tests.gui.map.things import NOW, alarm, camera, lot, reading, station, stream
from widgets.base.conditions import Condition
from widgets.map.markers import MAX_SINGLE, MarkerTable
from widgets.map.tile_grid import RectM

EVERYWHERE = RectM(-2e7, -2e7, 2e7, 2e7)


def crowd(n):
    return tuple(
        station(f"traffic/{i}", f"Station {i}", 36 + (i % 100) * 1e-4, -30 + (i // 100) * 1e-4) for i in range(n)
    )


def test_a_camera_without_a_position_is_not_on_the_map():
    table = MarkerTable()

    table.set_cameras([camera("a"), camera("b", position=None)])

    assert [marker.item_id for marker in table.markers] == ["a"]


def test_a_camera_is_as_trustworthy_as_its_stream():
    table = MarkerTable()
    table.set_cameras([camera()])
    assert table.get(("camera", "cam-1")).condition is Condition.UNKNOWN

    table.set_streams({"cam-1": stream(state=StreamState.LOST)})

    assert table.get(("camera", "cam-1")).condition is Condition.LOST


def test_a_station_shows_its_newest_speed_and_dashes_before_it_has_one():
    table = MarkerTable()
    table.set_devices([station()])
    assert table.get(("station", "traffic/quay")).text == "--"

    table.set_readings([reading(averageVehicleSpeed=41.6)])

    assert table.get(("station", "traffic/quay")).text == "42"


def test_single_devices_and_values_are_brought_up_to_date():
    table = MarkerTable()
    table.set_devices([station(), station("traffic/hill", "Hill")])
    table.set_readings([reading(averageVehicleSpeed=41.6)])

    table.update_readings([reading(averageVehicleSpeed=30.0), reading("traffic/hill", averageVehicleSpeed=12.0)])
    table.update_devices([station(position=GeoPoint(36.5, -30.0)), station("traffic/new", "New")])

    assert table.get(("station", "traffic/quay")).text == "30"
    assert table.get(("station", "traffic/hill")).text == "12"
    assert table.get(("station", "traffic/new")).text == "--"
    assert len(table) == 3
    moved = MarkerTable()
    moved.set_devices([station(position=GeoPoint(36.5, -30.0))])
    at = moved.get(("station", "traffic/quay"))
    assert (table.get(("station", "traffic/quay")).x_m, table.get(("station", "traffic/quay")).y_m) == (at.x_m, at.y_m)


def test_a_lot_counts_unknown_bays_as_neither_free_nor_occupied():
    table = MarkerTable()
    table.set_devices([lot()])

    table.set_readings([reading("parking/west", totalSpotNumber=120, availableSpotNumber=70, unknownSpotNumber=10)])

    assert table.get(("lot", "parking/west")).text == "70 free, 10 ?"


def test_what_the_site_counted_goes_before_what_a_gateway_said():
    table = MarkerTable()
    table.set_devices([lot()])
    table.set_readings([reading("parking/west", totalSpotNumber=120, availableSpotNumber=70)])

    table.set_lots([LotOccupancy(lot_id="parking/west", n_bays=100, n_occupied=60, n_unknown=0, at=NOW)])

    assert table.get(("lot", "parking/west")).text == "40 free"


def test_a_drawn_lot_stands_where_it_was_drawn_instead_of_its_device():
    table = MarkerTable()
    table.set_devices([lot(), station()])
    table.set_plans([Lot(lot_id="west", name="West", position=GeoPoint(36.0, -30.0), device_ids=("parking/west",))])

    table.set_lots([LotOccupancy(lot_id="west", n_bays=10, n_occupied=4, n_unknown=1, at=NOW)])
    assert table.get(("lot", "parking/west")) is None
    assert (table.get(("lot", "west")).text, table.get(("lot", "west")).condition) == ("5 free, 1 ?", Condition.OK)

    table.set_lots([LotOccupancy(lot_id="west", n_bays=10, n_occupied=0, n_unknown=10, at=NOW)])
    assert (table.get(("lot", "west")).text, table.get(("lot", "west")).condition) == ("--", Condition.STALE)

    table.set_plans([])
    assert table.get(("lot", "west")) is None
    assert table.get(("lot", "parking/west")) is not None


def test_a_thing_shows_its_most_urgent_alarm_that_still_calls():
    table = MarkerTable()
    table.set_cameras([camera()])

    table.set_alarms([alarm(priority=Priority.LOW), alarm(priority=Priority.CRITICAL, is_acknowledged=True)])

    marker = table.get(("camera", "cam-1"))
    assert marker.priority is Priority.LOW
    assert marker.is_calling


def test_an_alarm_that_is_over_leaves_the_map():
    table = MarkerTable()
    table.set_cameras([camera()])
    table.set_alarms([alarm()])

    table.set_alarms([alarm(is_active=False, is_acknowledged=True)])

    assert table.get(("camera", "cam-1")).priority is None


def test_a_moved_device_is_drawn_at_its_new_place():
    table = MarkerTable()
    devices = list(crowd(10))
    table.set_devices(devices)
    before = table.get(("station", "traffic/3")).x_m

    devices[3] = replace(devices[3], position=GeoPoint(36.0, -29.0))
    table.set_devices(devices)

    assert table.get(("station", "traffic/3")).x_m > before + 100_000


def test_a_device_that_loses_its_position_leaves_and_one_that_gets_it_comes():
    table = MarkerTable()
    table.set_devices([station("a"), station("b", position=None)])

    table.set_devices([station("a", position=None), station("b")])

    assert [marker.item_id for marker in table.markers] == ["b"]


def test_a_crowd_is_gathered_without_losing_anyone():
    table = MarkerTable()
    table.set_devices(crowd(5000))

    scene = table.scene(EVERYWHERE, 100.0)

    assert len(scene.markers) + sum(cluster.n_items for cluster in scene.clusters) == 5000
    assert len(scene.clusters) < 500


def test_few_markers_are_never_gathered():
    table = MarkerTable()
    table.set_devices(crowd(MAX_SINGLE))

    scene = table.scene(EVERYWHERE, 1e6)

    assert not scene.clusters
    assert len(scene.markers) == MAX_SINGLE


def test_what_calls_and_what_is_selected_stand_out_of_every_crowd():
    table = MarkerTable()
    table.set_devices(crowd(1000))
    table.set_alarms([alarm("traffic/7", SourceKind.STATION)])
    table.select(("station", "traffic/9"))

    scene = table.scene(EVERYWHERE, 1e6)

    assert [marker.item_id for marker in scene.markers] == ["traffic/7", "traffic/9"]


def test_a_crowd_says_how_many_of_it_are_in_doubt():
    table = MarkerTable()
    devices = list(crowd(1000))
    devices[5] = replace(devices[5], state=DeviceState.LOST)
    table.set_devices(devices)

    (cluster,) = table.scene(EVERYWHERE, 1e6).clusters

    assert (cluster.n_items, cluster.n_untrusted) == (1000, 1)


def test_only_what_is_in_view_is_drawn():
    table = MarkerTable()
    table.set_cameras([camera("near"), camera("far", lat=50.0, lon=10.0)])
    marker = table.get(("camera", "near"))

    scene = table.scene(RectM(marker.x_m - 10, marker.y_m - 10, marker.x_m + 10, marker.y_m + 10), 100.0)

    assert [one.item_id for one in scene.markers] == ["near"]
