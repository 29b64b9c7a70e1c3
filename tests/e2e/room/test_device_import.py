"""A list of 5,000 devices with 37 bad rows, through a real console, node and database."""

import sqlite3

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog, QLineEdit

from core.sim.device_list import device_list
from tests.e2e.room.test_main_job import create_administrator
from tests.fixtures.console import act, press, until

N_ROWS, N_BAD = 5000, 37


def choose_in_dialog(form, path):
    """Type the file's name into the dialog, as an operator does, and press Open."""
    (dialog,) = form.findChildren(QFileDialog)
    name = dialog.findChild(QLineEdit, "fileNameEdit")
    name.setFocus()
    QTest.keyClicks(name, str(path))
    # Enter may go to the names that are offered for what is typed.
    name.completer().popup().hide()
    button = dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Open)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", [(1920, 1080), (1280, 800)])
def test_five_thousand_devices_with_37_bad_rows_are_added_found_and_taken_back(
    size, start_node, mosquitto, in_room, tmp_path
):
    node = start_node(f"broker.host={mosquitto.host}", f"broker.port={mosquitto.port}", "site.tenant=e2e")
    path = tmp_path / "junctions.csv"
    path.write_text(device_list(N_ROWS), encoding="utf-8")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1", size=size)
        await create_administrator(console)
        devices = console.window.panel("devices")
        await act(press, devices, "Add devices from a list")
        form = devices.currentWidget()
        await act(press, form, "Choose a file")
        await act(choose_in_dialog, form, path)
        await until(lambda: f"{N_ROWS - N_BAD:,} rows can be used, {N_BAD} cannot." in form._said.text(), "the report")
        assert len(form._table.lines) == N_BAD
        await act(press, form, f"Add {N_ROWS - N_BAD:,} devices")
        await until(lambda: f"{N_ROWS - N_BAD:,} devices added" in form._said.text(), "all to be added", timeout_s=90)
        await until(lambda: len(console.live.devices) == N_ROWS - N_BAD, "all to be listed")
        assert all(line.tip and line.cells[0] for line in form._table.lines), "every row that was left out says why"
        with sqlite3.connect(node.folder / "watchfloor.sqlite3") as database:
            (n_audited,) = database.execute("select count(*) from audit where action = 'device.add'").fetchone()
        assert n_audited == N_ROWS - N_BAD
        await act(press, form, "Take them back")
        await until(lambda: "taken back" in form._said.text(), "the way back", timeout_s=90)
        await until(lambda: not console.live.devices, "an empty list")

    in_room(scenario, timeout_s=240)
