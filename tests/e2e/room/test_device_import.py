"""A list of 5,000 devices with 37 bad rows, through a real console, node and database."""

import os
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.room.test_main_job import create_administrator
from tests.fixtures.console import act, press, until

N_ROWS, N_BAD = 5000, 37


def write_list(path: Path) -> None:
    rows = ["device_id;name;kind;lat_deg;lon_deg"]
    for number in range(N_ROWS):
        place = f"{60 + number / 50_000:.6f};{24 + number / 50_000:.6f}"
        row = f"station/s{number};Junction {number};station;{place}"
        # Every 135th row has one of the faults that lists from elsewhere have.
        faults = (row.replace("station/", "Station "), row.replace(";60.", ";160."), "station/s0;Twice;;;")
        rows.append(faults[number // 135 % 3] if number % 135 == 134 else row)
    path.write_text("\n".join(rows), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", [(1920, 1080), (1280, 800)])
def test_five_thousand_devices_with_37_bad_rows_are_added_found_and_taken_back(
    size, start_node, mosquitto, in_room, tmp_path
):
    node = start_node(f"broker.host={mosquitto.host}", f"broker.port={mosquitto.port}", "site.tenant=e2e")
    path = tmp_path / "junctions.csv"
    write_list(path)

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1", size=size)
        await create_administrator(console)
        devices = console.window.panel("devices")
        await act(press, devices, "Add devices from a list")
        form = devices.currentWidget()
        form.file_chosen.emit(path)
        await until(lambda: f"{N_ROWS - N_BAD:,} rows can be used, {N_BAD} cannot." in form._said.text(), "the report")
        assert len(form._table.lines) == N_BAD
        await act(press, form, f"Add {N_ROWS - N_BAD:,} devices")
        await until(lambda: f"{N_ROWS - N_BAD:,} devices added" in form._said.text(), "all to be added", timeout_s=90)
        await until(lambda: len(console.live.devices) == N_ROWS - N_BAD, "all to be listed")
        if folder := os.environ.get("WATCHFLOOR_SHOTS"):
            console.window.grab().save(f"{folder}/device-import-{size[0]}x{size[1]}.png")
        with sqlite3.connect(node.folder / "watchfloor.sqlite3") as database:
            (n_audited,) = database.execute("select count(*) from audit where action = 'device.add'").fetchone()
        assert n_audited == N_ROWS - N_BAD
        await act(press, form, "Take them back")
        await until(lambda: "taken back" in form._said.text(), "the way back", timeout_s=90)
        await until(lambda: not console.live.devices, "an empty list")

    in_room(scenario, timeout_s=240)
