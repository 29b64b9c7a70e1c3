"""What an edge camera calls an event reaches an operator: from its outbox over a real broker and node to the list."""

import sqlite3

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.field.client.device import Access, DeviceInfo
from core.field.client.runner import FieldRunner
from core.field.client.simulate import SimulatedDevice
from core.field.kinds import find_kinds
from core.field.payloads import Location
from core.field.settings import BrokerSettings
from core.incidents.model import Priority
from tests.e2e.room.test_main_job import create_administrator
from tests.fixtures.console import act, press, until
from widgets.devices.device_panel import DevicePanel

TENANT, DEVICE_ID = "e2e", "edge-camera/mast-1"
STOPPED = {"category": "traffic", "subCategory": "carStopped", "severity": "high"}
SLIPPERY = {"category": "traffic", "subCategory": "slipperyRoad", "severity": "informational"}


@pytest.fixture
def edge(mosquitto):
    """A simulated edge camera, and how to let it say something."""
    access = Access(broker=BrokerSettings(host=mosquitto.host, port=mosquitto.port, tenant=TENANT))
    info = DeviceInfo(group="edge-camera", device="mast-1", name="Mast 1", location=Location(lat=36.0, lon=-30.0))
    device = SimulatedDevice(find_kinds()["edge-camera"], info, access, period_s=3600.0, seed="1")
    runner = FieldRunner([device])
    runner.start()
    yield lambda data: runner.call_soon(lambda: device.report("Alert", data))
    runner.stop()


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("size", [(1920, 1080), (1280, 800)])
def test_an_alert_of_a_camera_at_the_edge_is_an_alarm_and_stands_among_its_events(
    size, start_node, mosquitto, in_room, edge, tmp_path
):
    node = start_node(f"broker.host={mosquitto.host}", f"broker.port={mosquitto.port}", f"site.tenant={TENANT}")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1", size=size)
        await create_administrator(console)
        live, panel = console.live, console.window.panel("devices")
        await until(lambda: DEVICE_ID in live.devices, "the edge camera")

        for data in (SLIPPERY, STOPPED, STOPPED):
            edge(data)
        await until(lambda: live.open_alarms(), "the alarm")
        (alarm,) = live.open_alarms()
        assert (alarm.title, alarm.priority, alarm.source_id) == ("Car stopped: Mast 1", Priority.HIGH, DEVICE_ID)

        tree = panel.findChild(DevicePanel)
        await act(tree.select, "device", DEVICE_ID)
        await act(QTest.keyClick, tree, Qt.Key.Key_Return, Qt.KeyboardModifier.AltModifier)
        await act(press, panel.currentWidget(), "Events")
        events = panel.currentWidget().events
        await until(lambda: len(events.table.lines) == 3, "the events")
        said = [(line.cells[0], line.cells[3]) for line in events.table.lines]
        assert said == [("Car stopped", "called"), ("Car stopped", "called"), ("Slippery road", "stored")]
        assert "Severity: High" in events.text
        assert console.window.grab().save(str(tmp_path / f"events-{size[0]}x{size[1]}.png"))

    in_room(scenario)
    with sqlite3.connect(node.folder / "watchfloor.sqlite3") as database:
        (n_waiting,) = database.execute("select count(*) from field_event where is_waiting").fetchone()
    assert n_waiting == 0
