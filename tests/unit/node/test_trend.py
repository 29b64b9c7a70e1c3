"""How traffic went around an alarm."""

from datetime import UTC, datetime, timedelta

from core.field.model import Device, Reading
from core.kernel.geo import GeoPoint
from core.node.trend import station_of, trend_of_minutes, trend_of_readings
from core.vision.flow import FlowMinute

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
HERE = GeoPoint(52.0, 4.0)


def minute(number, **measured):
    return FlowMinute(
        camera_id="c", minute=AT + timedelta(minutes=number), **{"subject": "lane", "key": "a", **measured}
    )


def station(name, lon_deg):
    return Device(device_id=f"station/{name}", kind="station", name=name, position=GeoPoint(52.0, lon_deg))


def test_the_speed_of_a_camera_is_the_mean_of_its_lanes_by_vehicles():
    trend = trend_of_minutes(
        [
            minute(0, speed_kmh=60.0, n_vehicles=3),
            minute(0, key="b", speed_kmh=20.0, n_vehicles=1),
            minute(2, speed_kmh=30.0, n_vehicles=2),
        ]
    )

    assert (trend.title, trend.unit) == ("Speed, this camera", "km/h")
    assert [(point.at, point.value) for point in trend.points] == [(AT, 50.0), (AT + timedelta(minutes=2), 30.0)]


def test_without_speeds_the_vehicles_over_the_lines_are_counted():
    trend = trend_of_minutes(
        [
            minute(0, subject="line", label="car", n_vehicles=4),
            minute(0, subject="line", label="bus", n_vehicles=1),
            minute(0, subject="line", label="person", n_vehicles=9),
            minute(0, subject="line", n_vehicles=5),
        ]
    )

    assert [(point.value, trend.unit) for point in trend.points] == [(5.0, "a minute")]


def test_a_minute_that_was_counted_in_part_is_a_gap_and_one_without_vehicles_is_none():
    trend = trend_of_minutes(
        [
            minute(0, subject="line", n_vehicles=5),
            minute(1, subject="line", n_vehicles=1, observed_s=12.0),
            minute(2, subject="line", n_vehicles=0),
        ]
    )

    assert [(point.at, point.value) for point in trend.points] == [(AT, 5.0), (AT + timedelta(minutes=2), 0.0)]


def test_where_nothing_is_measured_there_is_no_trend():
    assert trend_of_minutes([minute(0)]) is None
    assert trend_of_readings(station("a", 4.0), []) is None


def test_the_nearest_station_speaks_for_a_place_and_a_far_one_does_not():
    near, far = station("near", 4.005), station("far", 4.5)

    assert station_of([far, near], "cam", HERE) is near
    assert station_of([far], "cam", HERE) is None
    assert station_of([far, near], "station/far", HERE) is far
    assert station_of([near], "cam", None) is None


def test_doubtful_readings_are_left_out():
    readings = [
        Reading(device_id="s", stream="flow", at=AT, values={"averageVehicleSpeed": 48.0}),
        Reading(
            device_id="s",
            stream="flow",
            at=AT + timedelta(minutes=1),
            values={"averageVehicleSpeed": 1.0},
            is_good=False,
        ),
        Reading(device_id="s", stream="flow", at=AT + timedelta(minutes=2), values={"occupancy": 0.2}),
    ]

    trend = trend_of_readings(station("Mill Road", 4.0), readings)

    assert trend.title == "Speed, Mill Road"
    assert [point.value for point in trend.points] == [48.0]
