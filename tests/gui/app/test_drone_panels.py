"""Panels of drones: which drone they are about, what they ask of the node, and who is gone is gone everywhere."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPushButton

from app.drone_choice import DroneChoice
from app.panels.drone import create as create_page
from app.panels.drone_track import create as create_track
from app.panels.drones import create as create_fleet
from core.access.model import Role
from core.cameras.model import Camera
from core.drones.model import DroneLink, Landed, LinkKind
from tests.fixtures.drones import NOW, drone, flying, track
from tests.gui.app.test_room_panels import room  # noqa: F401
from widgets.base.hold_button import HoldButton
from widgets.drones.page import DronePage
from widgets.drones.track_view import TrackPage


@pytest.fixture
def fleet(room):  # noqa: F811
    """Three drones: the first by name is on the ground."""
    for number, landed in ((1, Landed.GROUND), (2, Landed.AIR), (3, Landed.AIR)):
        key = f"d{number}"
        room.live.drone_plans[key] = drone(key, name=f"Falcon {number}")
        flight_id = "" if landed is Landed.GROUND else f"f{number}"
        room.live.drones[key] = flying(key, landed=landed, flight_id=flight_id, video_uri="rtsp://10.0.0.4/down")
    room.live.tell_all()
    return room


def remove(room, *drone_ids):  # noqa: F811
    for drone_id in drone_ids:
        del room.live.drones[drone_id], room.live.drone_plans[drone_id]
    room.live.tell_all()


def test_the_first_one_in_the_air_is_shown_until_somebody_selects_another(fleet):
    choice = DroneChoice(fleet)
    assert choice.drone_id == "d2"

    fleet.select("drone", "d1")
    assert choice.drone_id == "d1"

    choice.step(-1)
    assert choice.drone_id == "d3", "around the end"


def test_once_it_is_removed_another_one_is_shown_and_at_last_none(fleet, qtbot):
    panel = create_page(fleet)
    qtbot.addWidget(panel)
    page = panel.findChild(DronePage)
    fleet.select("drone", "d3")
    remove(fleet, "d3")
    assert page.drone_id == "d2"

    remove(fleet, "d1", "d2")
    assert page.drone_id == ""


def test_the_track_in_three_dimensions_begins_with_the_flight_and_ends_with_the_drone(fleet, qtbot, monkeypatch):
    monkeypatch.setattr("app.twin_process.TwinProcess.start", lambda _self: None)
    panel = create_track(fleet)
    qtbot.addWidget(panel)
    panel.show()
    page = panel.findChild(TrackPage)
    assert fleet.arguments_of("drones.history") == [{"flight_id": "f2"}]

    fleet.answer("drones.history", list(track(40)))
    assert page.title == "Falcon 2  this flight"
    assert len(page.lines) > 30, "also what was flown before this console came in"

    remove(fleet, "d2")
    assert page.title == "Falcon 3  this flight"
    remove(fleet, "d1", "d3")
    assert (page.title, page.lines) == ("No drone is known.", ())


def test_a_link_is_asked_to_send_by_its_row_with_reason_and_time(fleet, qtbot):
    panel = create_fleet(fleet)
    qtbot.addWidget(panel)
    fleet.role_changed.emit(Role.SUPERVISOR)
    fleet.live.drone_links = (
        DroneLink(link_id="roof", kind=LinkKind.UDP, address="udp:0.0.0.0:14550", is_open=True, heard_at=NOW),
    )
    fleet.live.tell_all()
    panel.show()
    QTest.mouseClick(next(b for b in panel.findChildren(QPushButton) if b.text() == "Ask…"), Qt.MouseButton.LeftButton)
    QTest.keyClicks(panel.findChild(QLineEdit), "home is missing")
    QTest.keyClick(panel.findChild(HoldButton), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    wanted = {"link_id": "roof", "reason": "home is missing", "minutes": 10}
    assert fleet.arguments_of("drones.activate_link") == [wanted]


def test_a_stream_becomes_a_camera_and_is_called_to_the_wall(fleet, qtbot):
    panel, called = create_page(fleet), []
    qtbot.addWidget(panel)
    fleet.camera_called.connect(lambda camera_id, _is_whole: called.append(camera_id))
    panel.findChild(DronePage).video_wanted.emit("d2")
    fleet.answer("drones.add_video", Camera(camera_id="down", name="Drone Falcon 2", address="rtsp://10.0.0.4/down"))

    assert fleet.arguments_of("drones.add_video") == [{"drone_id": "d2"}]
    assert called == ["down"]
