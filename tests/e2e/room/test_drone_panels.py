"""Drones by MAVLink, HTTP and MQTT in a real window: seen, fenced in, called, replayed and handed on."""

from xml.etree import ElementTree as ET

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QFileDialog, QLineEdit

from app.panel import Perspective
from core.drones.ground import moved
from core.drones.model import LinkHealth
from core.kernel.geo import to_mercator
from tests.fixtures.console import act, press, until
from widgets.base.hold_button import HoldButton
from widgets.drones.flights import FlightsPage
from widgets.drones.page import DronePage
from widgets.drones.strip import FleetStrip
from widgets.drones.track_view import TrackPage
from widgets.map.city_map import CityMap

LARGE, SMALL = (1920, 1080), (1280, 800)
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
    # As somebody types it: a name that is being edited is not replaced by a selection.
    await act(dialog.findChild(QLineEdit).setText, str(file))
    await act(dialog.accept)
    await until(file.exists, "the file")


async def shoot(console, folder, name):
    """Keep what is seen, in the sizes of a large and of a small screen."""
    for width, height in (SMALL, LARGE):
        console.window.resize(width, height)
        await until(lambda wide=width: console.window.width() == wide, "the size")
        for _ in range(3):
            # Panels, what is in them, and what those put elsewhere for want of room.
            await act(QApplication.processEvents)
        console.window.grab().save(str(folder / f"{name}-{width}.png"))


async def ask_on(console, link_id):
    """Let a link ask by its row: a reason, and the button held; then have it only listen again."""
    fleet, live = console.window.panel("drones"), console.live

    def link():
        return next(one for one in live.drone_links if one.link_id == link_id)

    await until(lambda: live.drone_links, "the links")
    assert link().n_bytes_sent == 0
    await act(press, fleet, "Ask…")
    await act(QTest.keyClicks, fleet.findChild(QLineEdit), "home is missing")
    hold = fleet.findChild(HoldButton)
    await act(QTest.keyClick, hold, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    await until(lambda: link().is_active and link().n_bytes_sent > 0, "bytes that are counted")
    await until(lambda: console.frame.sending.isVisible(), "the red bar")


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_drones_of_every_kind_are_seen_a_breach_calls_and_the_flight_is_replayed_and_exported(
    start_node, in_room, tmp_path
):
    node = start_node(demo=True)

    async def scenario(open_console):
        console = open_console(node.folder, desk="Drones", size=LARGE)
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
        await shoot(console, tmp_path, "fence")

        # A link that is let ask is red in the whole window until it only listens again.
        await ask_on(console, "demo")
        await until(lambda: page.sending, "the red sentence on the page")
        await shoot(console, tmp_path, "asking")
        await act(press, console.window.panel("drones"), "Only listen")
        await until(lambda: not live.drone_links[0].is_active and not page.sending, "silence")

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
        await shoot(console, tmp_path, "replay")
        await act(press, flights, "End replay")
        await until(lambda: not page.notice.startswith("REPLAY"), "now again")

        file = tmp_path / "flight.gpx"
        await export(console, flights, file)
        places = ET.parse(file).getroot().findall(f"{GPX}trk/{GPX}trkseg/{GPX}trkpt")
        assert len(places) > 3

    in_room(scenario, timeout_s=400.0)
