"""Drones by MAVLink, HTTP and MQTT in a real window: seen, fenced in, called, replayed and handed on."""

from xml.etree import ElementTree as ET

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QFileDialog

from app.panel import Perspective
from core.drones.ground import moved
from core.drones.model import LinkHealth
from core.kernel.geo import to_mercator
from tests.fixtures.console import act, press, until
from widgets.drones.flights import FlightsPage
from widgets.drones.page import DronePage
from widgets.drones.strip import FleetStrip
from widgets.drones.track_view import TrackPage
from widgets.map.city_map import CityMap

SIZES = ((1920, 1080), (1280, 800))
GPX = "{http://www.topografix.com/GPX/1/1}"


def part(console, key, kind):
    """Return the widget of a panel that the operator works with."""
    panel = console.window.panel(key)
    return panel if isinstance(panel, kind) else panel.findChild(kind)


def flying(console, *, prefix="mav-"):
    """Return a drone in the air that came by MAVLink."""
    for drone_id, state in console.live.drones.items():
        if drone_id.startswith(prefix) and state.is_in_air and state.flight_id and state.position is not None:
            return drone_id
    return None


async def click_map(city, point):
    place = QPointF(*city.view.to_px(*to_mercator(point))).toPoint()
    await act(lambda: QTest.mouseClick(city._canvas.viewport(), Qt.MouseButton.LeftButton, pos=place))


async def fence_out(console, drone_id):
    """Draw a fence on the map that the drone is outside of, by the bar and three clicks."""
    city, panel = part(console, "map", CityMap), console.window.panel("map")
    place = console.live.drones[drone_id].position.point
    city.centre_on(place)
    await act(press, panel, "Fence")
    for corner in (moved(place, 150.0, 150.0), moved(place, 250.0, 150.0), moved(place, 200.0, 250.0)):
        await click_map(city, corner)
    await act(press, panel, "Close the fence")
    await until(lambda: console.live.drone_plans[drone_id].fence is not None, "the fence")


async def export(console, page, file):
    """Write the chosen flight by the menu and the dialog."""
    button = next(one for one in page.findChildren(QAbstractButton) if one.text() == "Export")
    next(action for action in button.menu().actions() if "GPX" in action.text()).trigger()
    dialog = await until(lambda: next(iter(console.window.findChildren(QFileDialog)), None), "the dialog")
    await until(dialog.isVisible, "the dialog on the screen")
    dialog.selectFile(str(file))
    await act(dialog.accept)
    await until(file.exists, "the file")


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_drones_of_every_kind_are_seen_a_breach_calls_and_the_flight_is_replayed_and_exported(
    start_node, in_room, tmp_path, size
):
    node = start_node(demo=True)

    async def scenario(open_console):
        console = open_console(node.folder, desk="Drones", size=size)
        await until(lambda: console.is_open, "the room")
        console.window.show_perspective(Perspective.DRONES)
        strip = await until(lambda: part(console, "drones", FleetStrip), "the fleet")
        live = console.live

        # By MAVLink over UDP, by HTTP and by MQTT: each is there, heard, and has what it says.
        await until(lambda: len(live.drones) >= 5, "all drones", timeout_s=60)
        await until(lambda: all(s.health is LinkHealth.LIVE for s in live.drones.values()), "all heard", timeout_s=60)
        await until(lambda: len(strip.cards) == len(live.drones), "a card for each")
        drone_id = await until(lambda: flying(console), "a drone in the air", timeout_s=90)

        # The one that is selected has its page; nothing old counts as present.
        console.room.select("drone", drone_id)
        page = part(console, "drone", DronePage)
        await until(lambda: page.drone_id == drone_id, "its page")
        await until(lambda: page.instrument.attitude.height.is_present, "its height")
        await until(lambda: page.batteries.bars[0].figure.endswith("%"), "its battery")
        assert page.notice == ""

        # A fence that it is outside of calls.
        await fence_out(console, drone_id)
        await until(
            lambda: [a for a in live.alarms.values() if a.kind == "drone_fence" and a.source_id == drone_id],
            "the alarm of the fence",
            timeout_s=30,
        )
        console.window.grab().save(str(tmp_path / f"fence-{size[0]}.png"))

        # The flight is listed, replayed as what it is, and ends with what was known then.
        console.window.bring_panel("flights")
        flights = part(console, "flights", FlightsPage)
        flight_id = live.drones[drone_id].flight_id
        await until(lambda: any(line.key == flight_id for line in flights.lines), "the flight in the list")
        flights.choose(flight_id)
        await act(press, flights, "Replay")
        await until(lambda: page.notice.startswith("REPLAY"), "the replay")
        flights.bar.play.setChecked(False)
        flights.bar.go_to(3.0)
        await until(lambda: page.instrument.attitude.height.value is not None, "a height of the replay")
        early_m = page.instrument.attitude.height.value
        flights.bar.go_to(12.0)
        await until(lambda: page.instrument.attitude.height.value > early_m, "the climb once more")
        assert page.head[1] == "Replay"

        # In three dimensions too, or as a table where nothing can be drawn.
        console.window.bring_panel("drone_track")
        solid = part(console, "drone_track", TrackPage)
        await until(lambda: solid.title.startswith("REPLAY") or "OpenGL" in solid.title, "the flight in 3D")
        await until(lambda: solid.view.has_picture or not solid.view.isVisible(), "a picture of it")
        console.window.grab().save(str(tmp_path / f"replay-{size[0]}.png"))
        await act(press, flights, "End replay")
        await until(lambda: not page.notice.startswith("REPLAY"), "now again")

        file = tmp_path / "flight.gpx"
        await export(console, flights, file)
        places = ET.parse(file).getroot().findall(f"{GPX}trk/{GPX}trkseg/{GPX}trkpt")
        assert len(places) > 3

    in_room(scenario, timeout_s=280.0)
