"""Many devices at once, through a real console, node, broker and database, by mouse and keys."""

import asyncio
import json
import sqlite3

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit

from core.cameras.model import Camera
from core.field.client.device import Access, DeviceInfo
from core.field.client.runner import FieldRunner
from core.field.client.simulate import SimulatedDevice
from core.field.kinds import find_kinds
from core.field.model import DeviceState
from core.field.settings import BrokerSettings
from tests.e2e.room.test_main_job import create_administrator
from tests.fixtures.console import act, press, until
from widgets.base.hold_button import HoldButton

N_DEVICES, N_CAMERAS = 4, 2
N_ALL = N_DEVICES + 1 + N_CAMERAS
TENANT = "e2e"


@pytest.fixture
def posts(mosquitto):
    """Simulated gateways that obey commands."""
    access = Access(broker=BrokerSettings(host=mosquitto.host, port=mosquitto.port, tenant=TENANT))
    runner = FieldRunner(
        [
            SimulatedDevice(
                find_kinds()["gateway"],
                DeviceInfo(group="gateway", device=f"g{n}", name=f"Cabinet {n}"),
                access,
                period_s=1.0,
                seed=str(n),
            )
            for n in range(N_DEVICES)
        ]
    )
    runner.start()
    yield runner
    runner.stop()


def audited(folder, what="device"):
    with sqlite3.connect(folder / "watchfloor.sqlite3") as database:
        query = "select action, count(*) from audit where action like ? group by action"
        return dict(database.execute(query, (f"{what}.%",)).fetchall())


def key(widget, code, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(widget, code, modifier)


def hold(page, words):
    (found,) = [one for one in page.findChildren(HoldButton) if words in one.text() and one.isVisible()]
    QTest.keyClick(found, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)


def write(page, name, text):
    (found,) = [one for one in page.findChildren(QLineEdit) if one.accessibleName() == name and one.isVisible()]
    found.setFocus()
    QTest.keyClicks(found, text)


def speak_of_nothing(broker):
    """A device that obeys no command, and is gone already."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect(broker.host, broker.port)
    client.loop_start()
    birth = json.dumps({"boot": "1", "name": "Dumb post", "streams": [], "commands": []})
    client.publish(f"watchfloor/v1/{TENANT}/gateway/dumb/birth", birth, 1, True).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_many_devices_are_edited_commanded_removed_and_put_back_each_with_its_result(
    start_node, mosquitto, in_room, posts
):
    node = start_node(f"broker.host={mosquitto.host}", f"broker.port={mosquitto.port}", f"site.tenant={TENANT}")
    speak_of_nothing(mosquitto)

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1", size=(1600, 900))
        await create_administrator(console)
        live, panel = console.live, console.window.panel("devices")
        await until(
            lambda: (
                len(live.devices) == N_DEVICES + 1
                and sum(bool(device.commands) for device in live.devices.values()) == N_DEVICES
            ),
            "all devices to say what they obey",
        )
        for n in range(N_CAMERAS):
            camera = Camera(camera_id="", name=f"Camera {n}", address="synthetic:a")
            await console.connection.call("cameras.add", Camera, camera=camera, password="")
        await until(lambda: len(live.cameras) == N_CAMERAS, "the cameras")
        names_of_cameras = {one.camera_id for one in live.cameras.values()}

        def sources():
            return (*live.devices.values(), *live.cameras.values())

        tree = panel.currentWidget().tree
        bar = panel.currentWidget().bulk

        async def choose_all():
            await until(lambda: panel.currentWidget().n_shown == N_ALL, "the tree to show all")
            await act(tree.setFocus)
            await act(key, tree, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
            await until(lambda: bar._chosen.text() == f"{N_ALL} chosen", "all to be chosen")

        await choose_all()
        await act(press, bar, "Edit")
        page = panel.currentWidget()
        await act(write, page, "Site", "Harbour")
        await act(write, page, "Add tags", "night")
        await act(press, page, "Change them")
        await until(lambda: page.said.startswith("7 changed"), "the edit")
        await until(lambda: {one.site for one in sources()} == {"Harbour"}, "the new site")
        await act(press, page, "Undo")
        await until(lambda: page.said.startswith("7 as before"), "the way back")
        await until(lambda: {(one.site, one.tags) for one in live.devices.values()} == {("", ())}, "what was before")
        await until(lambda: {one.site for one in live.cameras.values()} == {""}, "the cameras as before")
        await act(key, page, Qt.Key.Key_Escape)

        await choose_all()
        await act(press, bar, "Command")
        await until(lambda: page._command._fields.has_offer, "the commands they obey")
        await act(hold, page, "Hold to send")
        await until(lambda: "4 done" in page.said, "every answer")
        results = {line.key: line.tip for line in page.table.lines}
        assert "does not offer" in results["gateway/dumb"]
        assert all("obeys no commands" in results[camera_id] for camera_id in names_of_cameras)
        assert all("done" in results[f"gateway/g{n}"] for n in range(N_DEVICES))
        await act(key, page, Qt.Key.Key_Escape)

        # What is removed and still out there comes back by its next word.
        await asyncio.to_thread(posts.stop)
        await until(lambda: not any(one.state is DeviceState.ONLINE for one in live.devices.values()), "their goodbye")
        await choose_all()
        await act(press, bar, "Disable")
        await until(lambda: not any(one.is_enabled for one in sources()), "all to be disabled")
        await until(lambda: bar._said.text().startswith("7 disabled"), "the count of those that are disabled")
        await choose_all()
        await act(hold, bar, "Hold to remove")
        await until(lambda: not sources(), "an empty tree")
        await until(lambda: bar._said.text().startswith("7 removed"), "the count of those that are gone")
        await act(press, bar, "Undo")
        await until(lambda: len(sources()) == N_ALL, "all to be back")
        await until(lambda: bar._said.text().startswith("7 put back"), "the count of those that are back")
        assert not any(one.is_enabled for one in sources())
        assert {one.camera_id for one in live.cameras.values()} == names_of_cameras

        await choose_all()
        await act(hold, bar, "Hold to remove")
        await until(lambda: not sources(), "an empty tree again")
        await until(lambda: bar._said.text().startswith("7 removed"), "the count of those that are gone again")
        await act(press, bar, "Put away")
        await act(press, panel, "Removed")
        removed = panel.currentWidget()
        await until(lambda: len(removed.table.lines) == N_DEVICES + 1, "the list of what was removed")
        await act(removed.table.setFocus)
        await act(key, removed.table, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        await act(press, removed, "Put 5 back")
        await until(lambda: len(live.devices) == N_DEVICES + 1, "all to be back from the list")
        names = {one.name for one in live.devices.values()}
        assert names == {"Dumb post", *(f"Cabinet {n}" for n in range(N_DEVICES))}
        counted = audited(node.folder)
        assert counted == {
            "device.set_site": 10,
            "device.set_tags": 10,
            "device.command": 4,
            "device.disable": 5,
            "device.remove": 10,
            "device.restore": 10,
        }
        assert audited(node.folder, "camera") == {
            "camera.add": 2 * N_CAMERAS,
            "camera.change": 2 * N_CAMERAS,
            "camera.disable": N_CAMERAS,
            "camera.remove": 2 * N_CAMERAS,
        }

    in_room(scenario, timeout_s=240)
