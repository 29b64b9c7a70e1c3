"""A list of 5,000 devices with 37 bad rows, through a real console, node and database."""

import json
import sqlite3

import pytest

from core.kernel.geo import GeoPoint
from core.sim.device_list import FAULT_EVERY, device_list
from tests.e2e.room.test_main_job import create_administrator
from tests.fixtures.console import act, choose_in_dialog, press, until

N_ROWS, N_BAD = 5000, 37
REASONS = ("is no device_id", "no place on the earth", "stands in line 2 already")
"""Of the rows with a fault, in turn."""

BAD_LINES = [2 + number for number in range(FAULT_EVERY - 1, N_ROWS, FAULT_EVERY)]
"""The header is line 1."""


def geojson(n_points):
    """Points of stations, every tenth of them on no place of the earth."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [24.0 + n / 1000, 160.0 if n % 10 == 9 else 60.0]},
            "properties": {"device_id": f"station/p{n}", "name": f"Post {n}", "site": "Harbour"},
        }
        for n in range(n_points)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def rows_of(form):
    """What stands in the form of the rows that were left out: line and reason."""
    return [(int(line.cells[1]), line.tip or line.cells[0]) for line in form._table.lines]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", [(1920, 1080), (1280, 800)])
def test_five_thousand_devices_with_37_bad_rows_are_added_found_and_taken_back(
    size, start_node, mosquitto, in_room, tmp_path
):
    node = start_node(f"broker.host={mosquitto.host}", f"broker.port={mosquitto.port}", "site.tenant=e2e")
    path = tmp_path / "junctions.csv"
    path.write_text(device_list(N_ROWS), encoding="utf-8")
    points = tmp_path / "posts.geojson"
    points.write_text(geojson(30), encoding="utf-8")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1", size=size)
        await create_administrator(console)
        devices = console.window.panel("devices")
        await act(press, devices, "Add devices from a list")
        form = devices.currentWidget()
        await act(press, form, "Choose a file")
        await choose_in_dialog(form, path)
        await until(lambda: f"{N_ROWS - N_BAD:,} rows can be used, {N_BAD} cannot." in form._said.text(), "the report")
        left_out = rows_of(form)
        assert [line for line, _ in left_out] == BAD_LINES
        assert all(REASONS[n % 3] in reason for n, (_, reason) in enumerate(left_out))
        assert console.window.grab().save(str(tmp_path / f"import-report-{size[0]}x{size[1]}.png"))
        await act(press, form, f"Add {N_ROWS - N_BAD:,} devices")
        await until(lambda: f"{N_ROWS - N_BAD:,} devices added" in form._said.text(), "all to be added", timeout_s=90)
        await until(lambda: len(console.live.devices) == N_ROWS - N_BAD, "all to be listed")
        assert rows_of(form) == left_out
        assert console.window.grab().save(str(tmp_path / f"import-done-{size[0]}x{size[1]}.png"))
        with sqlite3.connect(node.folder / "watchfloor.sqlite3") as database:
            (n_audited,) = database.execute("select count(*) from audit where action = 'device.add'").fetchone()
        assert n_audited == N_ROWS - N_BAD
        await act(press, form, "Take them back")
        await until(lambda: "taken back" in form._said.text(), "the way back", timeout_s=90)
        await until(lambda: not console.live.devices, "an empty list")

        await act(press, form, "Choose a file")
        await choose_in_dialog(form, points)
        await until(lambda: "27 rows can be used, 3 cannot." in form._said.text(), "the report on the points")
        assert [line for line, _ in rows_of(form)] == [10, 20, 30]
        await act(press, form, "Add 27 devices")
        await until(lambda: len(console.live.devices) == 27, "the points to be listed")
        assert console.live.devices["station/p1"].position == GeoPoint(60.0, 24.001)
        assert {device.site for device in console.live.devices.values()} == {"Harbour"}

    in_room(scenario, timeout_s=240)
    node.stop()
    said = (node.folder / "logs" / "node.log").read_text()
    assert "broker link connected" in said
    assert "could not be stored" not in said
