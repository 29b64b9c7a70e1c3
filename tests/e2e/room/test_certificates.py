"""A device's certificate, issued on its page, used against a broker that `main.py broker-config` made."""

import os

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLineEdit, QPushButton

from app.cli import main
from core.field.device_list import NewDevice
from core.field.model import DeviceState
from core.kernel.portions import BulkOutcome
from tests.e2e.field.test_broker_config import ROOT, Client, GeneratedBroker
from tests.e2e.room.test_main_job import create_administrator
from tests.fixtures.console import act, press, until
from tests.fixtures.processes import end_process, free_port
from widgets.devices.certificate_form import CertificateForm
from widgets.devices.device_panel import DevicePanel

CTRL = Qt.KeyboardModifier.ControlModifier


class CommandedBroker(GeneratedBroker):
    """A Mosquitto on a folder that the command made."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, free_port(), None
        user = ["--user", "root"] if os.geteuid() == 0 else []
        made = ["--out", str(folder), "--host", "127.0.0.1", "--port", str(self.port), "--devices", "station/s2"]
        assert main(["broker-config", *made, *user]) == 0

    @property
    def settings(self):
        """What the command tells to write into the node's settings."""
        core = self.folder / "clients" / "core"
        return (
            "broker.host=127.0.0.1",
            f"broker.port={self.port}",
            "broker.tls=true",
            f"broker.ca_file={self.folder / 'ca.crt'}",
            f"broker.certificate_file={core}.crt",
            f"broker.key_file={core}.key",
            f"broker.folder={self.folder}",
        )


@pytest.fixture
def broker(tmp_path):
    made = CommandedBroker(tmp_path / "broker")
    made.start()
    yield made
    end_process(made.process)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_device_enters_the_broker_with_what_its_page_issued_and_speaks_for_nobody_else(
    start_node, in_room, broker, tmp_path
):
    node = start_node(*broker.settings, "vision.model=demo")
    place = tmp_path / "stick"
    place.mkdir()

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1")
        await create_administrator(console)
        devices = console.window.panel("devices")
        form = await add_device(devices, console)

        await act(press, form, "Issue a certificate")
        await choose_folder(form, place)
        await until(lambda: "Saved in" in form.said, "the files", timeout_s=30)
        assert sorted(file.name for file in place.iterdir()) == ["ca.crt", "station.s1.crt", "station.s1.key"]
        assert (place / "station.s1.key").stat().st_mode & 0o077 == 0

        await act(broker.reload)
        device = Client(broker, place / "station.s1.crt", place / "station.s1.key")
        assert device.connect() == "Success"
        assert device.may_write(f"{ROOT}/station/s1/birth", retain=True)
        assert not device.may_write(f"{ROOT}/station/s2/evt")
        assert not device.may_write(f"{ROOT}/_alarm/1")
        await until(lambda: console.live.devices["station/s1"].state is DeviceState.ONLINE, "the device in the console")

        take_back = next(button for button in form.findChildren(QPushButton) if "take it back" in button.text())
        await act(take_back.setFocus)
        await act(QTest.keyClick, take_back, Qt.Key.Key_Return, CTRL)
        await until(lambda: "Taken back" in form.said, "the certificate to be taken back")
        device.close()
        await act(broker.reload)
        again = Client(broker, place / "station.s1.crt", place / "station.s1.key")
        assert again.connect() != "Success" or not again.may_write(f"{ROOT}/station/s1/evt")
        again.close()

    in_room(scenario, timeout_s=200)


async def add_device(devices, console):
    """Add the device, open its page and its tab, and return the form of certificates."""
    wanted = [NewDevice(device_id="station/s1", name="Bridge", kind="station")]
    await console.connection.call("devices.add", list[BulkOutcome], devices=wanted)
    await until(lambda: "station/s1" in console.live.devices, "the device in the list")
    panel = devices.findChild(DevicePanel)
    await act(panel.select, "device", "station/s1")
    await act(QTest.keyClick, panel, Qt.Key.Key_Return, Qt.KeyboardModifier.AltModifier)
    await act(press, devices.currentWidget(), "Certificate")
    return await until(lambda: next((f for f in devices.findChildren(CertificateForm) if f.isVisible()), None), "it")


async def choose_folder(form, place):
    """Answer the dialog that stands beside the room."""
    dialog = await until(lambda: form.findChild(QFileDialog), "the dialog")
    assert not dialog.isModal()
    name = dialog.findChild(QLineEdit)
    await act(name.setText, str(place))
    await act(QTest.keyClick, name, Qt.Key.Key_Return)
