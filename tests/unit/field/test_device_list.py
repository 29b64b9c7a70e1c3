"""Lists of devices: the good rows come through, each bad one is named with its line and its reason."""

import json

import pytest

from core.field.device_list import BadRow, NewDevice, read_device_list
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint


def read_csv(*lines):
    return read_device_list("\n".join(lines).encode(), "devices.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_row_becomes_a_device_whatever_separates_its_cells(separator):
    rows = [
        ["name", "device_id", "lat_deg", "lon_deg", "kind", "enabled"],
        ["North bridge", "station/s1", "60.17", "24.94", "station", "no"],
    ]

    found = read_csv(*(separator.join(row) for row in rows))

    assert found.devices == (
        NewDevice(
            device_id="station/s1",
            name="North bridge",
            kind="station",
            position=GeoPoint(60.17, 24.94),
            is_enabled=False,
        ),
    )
    assert (found.lines, found.bad) == ((2,), ())


def test_only_the_id_is_needed_the_group_tells_the_kind():
    (device,) = read_csv("device_id", "station/s1").devices

    assert (device.name, device.kind, device.position, device.is_enabled) == ("s1", "station", None, True)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("Station/S1,,,,", "no device_id"),
        ("s1,,,,", "no device_id"),
        (f"station/{'x' * 33},,,,", "no device_id"),
        ("camera/c1,,,,", "our own cameras"),
        ("station/s1,,toaster,,", "no kind of device"),
        ("station/s1,,,91,0", "no place on the earth"),
        ("station/s1,,,60.1,", "no place on the earth"),
        ("station/s1,,,nan,0", "no place on the earth"),
        (f"station/s1,{'n' * 201},,,", "name"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_its_line_and_the_others_come_through(row, words):
    found = read_csv("device_id,name,kind,lat_deg,lon_deg", "station/s0,,,,", row, "station/s2,,,,")

    assert [device.device_id for device in found.devices] == ["station/s0", "station/s2"]
    assert found.lines == (2, 4)
    (bad,) = found.bad
    assert bad.line == 3
    assert words in bad.reason


def test_of_two_rows_with_one_id_the_second_is_left_out_and_says_where_the_first_stands():
    found = read_csv("device_id", "station/s1", "", "station/s1")

    assert len(found.devices) == 1
    assert found.bad == (BadRow(line=4, text="station/s1", reason="station/s1 stands in line 2 already."),)


def test_a_quotation_mark_that_is_doubled_in_a_cell_is_one():
    (device,) = read_csv("device_id;name", 'station/s1;"The ""Old"" bridge"').devices

    assert device.name == 'The "Old" bridge'


def test_a_cell_over_two_lines_does_not_shift_the_numbers_of_the_rows_behind_it():
    found = read_csv("device_id,remarks", '"station/s1","North', 'bridge"', "nonsense,")

    assert [device.device_id for device in found.devices] == ["station/s1"]
    assert [bad.line for bad in found.bad] == [4]


@pytest.mark.parametrize(
    ("rows", "bad_lines"),
    [
        (['station/s1,"North', "station/s2,South"], [2]),
        (['station/s1,"North" bridge', "station/s2,South"], [2]),
        (['station/s1,"North', "station/s2,South", 'station/s3,"East"'], [2]),
        (['station/s1,"North,', "station/s2,South", 'x",'], [2, 4]),
        (["station/s0,", 'station/s1,"', "station/s2,South"], [3]),
        (['station/s1,"North', *(f"station/s{n}," for n in range(2, 5000))], [2]),
    ],
    ids=["open", "text behind", "closed by a later row", "swallows a row", "last cell", "to the end of the file"],
)
def test_a_stray_quotation_mark_costs_its_own_row_and_no_other(rows, bad_lines):
    found = read_csv("device_id,name", *rows)

    good = {row.partition(",")[0] for number, row in enumerate(rows, start=2) if number not in bad_lines}
    assert {device.device_id for device in found.devices} == good
    assert [bad.line for bad in found.bad] == bad_lines
    assert all("quotation marks" in bad.reason for bad in found.bad[:1])


def test_geojson_points_become_devices_and_other_shapes_are_named():
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [24.94, 60.17]},
            "properties": {"device_id": "station/s1"},
        },
        {
            "type": "Feature",
            "geometry": {"type": "LineString", "coordinates": []},
            "properties": {"device_id": "station/s2"},
        },
        {"type": "Feature", "geometry": None, "properties": {"device_id": "station/s3", "enabled": False}},
        {"type": "Feature", "geometry": None, "properties": None},
        "nonsense",
    ]

    found = read_device_list(json.dumps({"type": "FeatureCollection", "features": features}).encode(), "d.geojson")

    assert [device.device_id for device in found.devices] == ["station/s1", "station/s3"]
    assert found.devices[0].position == GeoPoint(60.17, 24.94)
    assert not found.devices[1].is_enabled
    assert [bad.line for bad in found.bad] == [2, 4, 5]


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"\xff\xfe", "d.csv", "UTF-8"),
        (b"name\nx", "d.csv", "device_id"),
        (b"", "d.csv", "device_id"),
        (b"device_id\n", "d.csv", "no devices"),
        (b'device_id,"name\nstation/s1', "d.csv", "line"),
        (b"{", "d.json", "no JSON"),
        (b"[" * 100_000, "d.json", "no JSON"),
        (b"[]", "d.json", "FeatureCollection"),
        (b'{"features": []}', "d.json", "no devices"),
    ],
)
def test_a_file_that_cannot_be_used_at_all_is_refused_with_its_name_and_the_reason(content, name, words):
    with pytest.raises(BadInputError, match=words) as refused:
        read_device_list(content, name)

    assert name in refused.value.message
