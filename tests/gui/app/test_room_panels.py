"""What panels ask of the node, and what they make of answers that come late or never."""

import json
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QMenu, QPushButton, QToolButton

from app.connection import NodeConnection
from app.live import LiveModel
from app.main_window import MainWindow
from app.panel import discover_panels
from app.panels.alarms import create as create_alarms
from app.panels.devices import PANEL as DEVICES
from app.panels.review import create as create_review
from app.panels.scene import PANEL as SCENE
from app.panels.wall import create as create_wall
from app.room import Room
from core.access.model import Role
from core.cameras.model import Camera
from core.drones.model import Drone
from core.field.model import Device
from core.incidents.flood import Flood
from core.incidents.model import Incident, IncidentStatus, SourceKind
from core.incidents.review import Outcome, ReviewFilter, ReviewItem, ReviewPage
from core.kernel.errors import ConsoleError
from core.kernel.paths import default_folders
from core.parking.model import Lot
from core.vision.dry_run_model import DryRun
from core.vision.model import Scene
from tests.fixtures.alarms import alarm
from tests.fixtures.panels import made
from tests.gui.alarms.making import NOW
from widgets.alarms.table_model import PLACE_ROLE
from widgets.devices.bulk_page import BulkPage, BulkTask
from widgets.review.queue import ReviewQueue
from widgets.video.tour import Tour, TourStop

CAMERAS = {name: Camera(camera_id=name, name=name.title(), address="x") for name in ("ring", "gate")}


class AskedRoom(Room):
    """A room whose node answers when the test says so."""

    def __init__(self, folder, node=""):
        super().__init__(
            NodeConnection(default_folders(folder), node=node, node_arguments=(), desk="Desk 1"), LiveModel()
        )
        self.asked, self.said = [], []
        self.toast_requested.connect(lambda *words: self.said.append(words))

    def ask(self, verb, kind=None, *, then=None, refused=None, **args):
        self.asked.append((verb, args, then, refused))

    def answer(self, verb, answer):
        then = next(item[2] for item in reversed(self.asked) if item[0] == verb)
        then(answer)

    def refuse(self, verb):
        refused = next(item[3] for item in reversed(self.asked) if item[0] == verb)
        refused(ConsoleError("The node is gone.", hint="Wait."))

    def arguments_of(self, verb):
        return [args for name, args, _, _ in self.asked if name == verb]

    def show_cameras(self):
        self.live.cameras.update(CAMERAS)
        self.live.tell_all()


@pytest.fixture
def room(qtbot, tmp_path):
    import asyncio

    # The connection keeps asyncio events; nothing runs on this loop.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    made = AskedRoom(tmp_path)
    yield made
    made.live.close()
    loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def scene(room, qtbot):
    editor = made(SCENE, room)
    qtbot.addWidget(editor)
    room.show_cameras()
    editor.set_may_edit(True)
    editor.open_camera("ring")
    return editor


def choose(scene, words):
    """Choose from the editor's menu."""
    actions = [action for menu in scene.findChildren(QMenu) for action in menu.actions()]
    action = next(action for action in actions if action.text() == words)
    assert action.isEnabled()
    action.trigger()


def answers(scene):
    return {button.text(): button for button in scene.notice.findChildren(QPushButton)}


def test_footage_of_a_node_elsewhere_is_typed_as_it_lies_there_and_no_file_of_this_desk_is_offered(scene, room, qtbot):
    form = scene.side.dry_run
    scene.resize(1280, 720)
    scene.show()
    qtbot.waitExposed(scene)
    choose(scene, "Dry run over footage")
    button = next(one for one in form.findChildren(QToolButton) if one.accessibleName() == "Choose a file")
    assert button.isVisible()

    room.connection._node, room.connection.is_remote = "node.city.example:7400", True
    room.connection.snapshot_received.emit(None)

    assert not button.isVisible()
    assert any(
        one.isVisible() and "runs on node.city.example: type the file's path" in one.text()
        for one in form.findChildren(QLabel)
    )
    assert form.findChild(QLineEdit).placeholderText() == "this camera's stream, or a path on node.city.example"


def test_that_the_view_is_right_is_asked_before_it_is_said_to_the_node(scene, room):
    choose(scene, "The view is right")
    assert "what Ring shows now" in scene.notice.text
    answers(scene)["Cancel"].click()
    assert room.arguments_of("cameras.accept_view") == []

    choose(scene, "The view is right")
    answers(scene)["The view is right"].click()
    room.answer("cameras.accept_view", None)

    assert room.arguments_of("cameras.accept_view") == [{"camera_id": "ring"}]
    assert room.said[-1][0] == "The view is right."


def test_who_may_not_change_a_scene_cannot_say_that_its_view_is_right(scene):
    scene.set_may_edit(False)

    with pytest.raises(AssertionError):
        choose(scene, "The view is right")


def start_dry_run(scene):
    scene.dry_run_requested.emit("ring", Scene(), "", 60.0)


def test_a_dry_run_that_starts_after_its_form_was_left_is_stopped(scene, room):
    start_dry_run(scene)
    scene.side.dry_run.cancelled.emit()

    room.answer("vision.dry_run", "run-1")

    assert room.arguments_of("vision.dry_run_stop") == [{"run_id": "run-1"}]


def test_a_dry_run_ends_with_its_camera_and_says_nothing_about_the_next_one(scene, room, qtbot):
    start_dry_run(scene)
    room.answer("vision.dry_run", "run-1")
    qtbot.waitUntil(lambda: bool(room.arguments_of("vision.dry_run_state")))

    scene.open_camera("gate")
    room.answer("vision.dry_run_state", DryRun(run_id="run-1", state="done", n_raised={"congestion": 7}))

    assert room.arguments_of("vision.dry_run_stop") == [{"run_id": "run-1"}]
    assert "7" not in scene.side.dry_run.verdict


def test_a_dry_run_that_is_stopped_before_it_started_is_stopped_then_and_tells_what_it_found(scene, room, qtbot):
    start_dry_run(scene)
    scene.side.dry_run.stop_requested.emit()
    room.answer("vision.dry_run", "run-1")
    qtbot.waitUntil(lambda: bool(room.arguments_of("vision.dry_run_state")))

    room.answer("vision.dry_run_state", DryRun(run_id="run-1", state="cancelled"))

    assert room.arguments_of("vision.dry_run_stop") == [{"run_id": "run-1"}]
    assert scene.side.dry_run.verdict.startswith("Stopped.")


def test_a_version_that_cannot_be_had_is_said_in_the_editor(scene, room):
    scene.version_requested.emit("ring", 2)

    room.refuse("cameras.scene_version")

    assert scene.notice.text == "The node is gone. Wait."


def test_where_a_new_camera_keeps_its_pictures_is_asked_once_and_told_to_everybody(room, qtbot):
    room.show_cameras()
    assert len(room.arguments_of("room.rings")) == 1

    with qtbot.waitSignal(room.live.rings_changed):
        room.answer("room.rings", {"ring": "a", "gate": "b"})

    assert room.live.rings == {"ring": "a", "gate": "b"}


@pytest.mark.parametrize("content", ["{half a fi", "[]", '{"saved": 7, "tours": [3]}'])
def test_layouts_that_cannot_be_read_are_kept_beside_and_said(room, qtbot, content):
    file = room.folders.data / "console-wall.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    wall = create_wall(room)
    qtbot.addWidget(wall)

    room.show_cameras()
    room.closing.emit()

    is_readable = content.startswith('{"')
    assert bool(room.said) is not is_readable
    assert is_readable or file.with_suffix(".unreadable.json").read_text() == content


def test_tours_are_on_disk_when_the_window_closes(room, qtbot):
    wall = create_wall(room)
    qtbot.addWidget(wall)
    room.show_cameras()
    wall.keep_tour(Tour(name="Round", stops=(TourStop(camera_id="ring"),)))

    room.closing.emit()

    kept = json.loads((room.folders.data / "console-wall.json").read_text())
    assert [tour["name"] for tour in kept["tours"]] == ["Round"]


@pytest.mark.parametrize(
    ("key", "modifier", "panel"),
    [
        (Qt.Key.Key_F4, Qt.KeyboardModifier.NoModifier, "wall"),
        (Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier, "ptz"),
    ],
)
def test_keys_from_anywhere_bring_the_panel_up_that_they_are_for(room, qtbot, tmp_path, key, modifier, panel):
    window = MainWindow(QLabel("door"), tmp_path / "layout.json")
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show_room()
    panels = discover_panels()
    window.divide(panels, room)
    list(window.furnish(panel.key for panel in panels))
    room.panel_requested.connect(window.bring_panel)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window._docks[panel].toggleView(False)
    assert not window.panel(panel).isVisible()

    QTest.keyClick(window.panel("alarms"), key, modifier)

    qtbot.waitUntil(window.panel(panel).isVisible)
    room.closing.emit()


SITED = {
    "gate": ("North", SourceKind.CAMERA),
    "ring": ("South", SourceKind.CAMERA),
    "north/mast": ("North", SourceKind.DEVICE),
    "city/a": ("North", SourceKind.DEVICE),
    "city/b": ("South", SourceKind.DEVICE),
    "city/c": ("", SourceKind.DEVICE),
    "city/d": ("", SourceKind.DEVICE),
    "city/loop": ("South", SourceKind.STATION),
    "market": ("North", SourceKind.LOT),
    "city/garage": ("South", SourceKind.LOT),
    "hawk": ("North", SourceKind.DRONE),
    "kite": ("", SourceKind.DRONE),
}


@pytest.fixture
def flooded(room, qtbot):
    """The alarm list of a flood: one alarm of the same kind at each thing of the city."""
    live = room.live
    for thing_id, (site, kind) in SITED.items():
        if kind is SourceKind.CAMERA:
            live.cameras[thing_id] = replace(CAMERAS[thing_id], site=site)
        elif kind is SourceKind.DRONE:
            live.drone_plans[thing_id] = Drone(drone_id=thing_id, name=thing_id, site=site)
        elif thing_id == "market":
            live.lot_plans[thing_id] = Lot(lot_id=thing_id, name=thing_id, site=site)
        else:
            live.devices[thing_id] = Device(device_id=thing_id, kind="station", name=thing_id, site=site)
        live.alarms[thing_id] = alarm(alarm_id=thing_id, source_id=thing_id, source_kind=kind, source_name=thing_id)
    alarms = create_alarms(room)
    qtbot.addWidget(alarms)
    live.tell_all()
    alarms.show_flood(Flood(calls={}, since=NOW))
    return alarms


def groups_of(alarms):
    model, found = alarms.model, []
    for row in range(model.rowCount()):
        place = model.index(row, 0).data(PLACE_ROLE)
        if place.number == 1:
            found.append(set())
        found[-1].add(model.alarm_at(row).source_id)
    return found


def test_in_a_flood_alarms_stand_by_the_site_of_their_source_and_by_its_topic_where_it_has_none(flooded):
    assert sorted(map(sorted, groups_of(flooded))) == [
        ["city/a", "gate", "hawk", "market", "north/mast"],
        ["city/b", "city/garage", "city/loop", "ring"],
        ["city/c", "city/d"],
        ["kite"],
    ]


def test_a_device_that_was_removed_stands_by_its_topic(room, flooded):
    del room.live.devices["city/a"]
    room.live.alarms["city/a"] = replace(room.live.alarms["city/a"], version=9)
    room.live.tell_all()

    assert {"city/a", "city/c", "city/d"} in groups_of(flooded)


def test_what_is_asked_of_several_devices_before_the_rest_of_the_panel_stands_is_not_missed(room, qtbot):
    devices = made(DEVICES, room)
    qtbot.addWidget(devices)
    devices.show()
    for name in ("a", "b"):
        room.live.devices[f"city/{name}"] = Device(device_id=f"city/{name}", kind="station", name=name)
    room.live.tell_all()
    tree = devices.currentWidget()
    tree.show_role(Role.SUPERVISOR)
    tree.tree.selectAll()
    edit = next(button for button in tree.bulk.findChildren(QPushButton) if button.text() == BulkTask.EDIT.value)
    qtbot.waitUntil(edit.isVisible)

    QTest.mouseClick(edit, Qt.MouseButton.LeftButton)

    assert isinstance(devices.currentWidget(), BulkPage)


def stopped_vehicle() -> Incident:
    return Incident(
        incident_id="I1",
        kind="stopped_vehicle",
        title="Stopped vehicle",
        source_kind=SourceKind.CAMERA,
        source_id="ring",
        source_name="Ring",
        status=IncidentStatus.NEW,
        began_at=NOW,
    )


def test_an_answer_of_the_review_names_the_rule_that_it_is_about(room, qtbot):
    panel = create_review(room)
    qtbot.addWidget(panel)
    queue = panel.findChild(ReviewQueue)
    queue.show_role(Role.OPERATOR)
    queue.show_page(ReviewFilter(), "", ReviewPage(items=(ReviewItem(incident=stopped_vehicle(), version=3),)))

    queue.decide(Outcome.TRUE)

    (asked,) = room.arguments_of("review.decide")
    assert (asked["incident_id"], asked["shown_kind"], asked["version"]) == ("I1", "stopped_vehicle", 3)


def test_an_incident_that_is_named_after_another_rule_is_asked_for_again(room, qtbot):
    panel = create_review(room)
    qtbot.addWidget(panel)
    room.live.incidents["I1"] = stopped_vehicle()
    room.live.incidents_changed.emit()
    panel._news.stop()

    room.live.incidents_changed.emit()
    assert not panel._news.isActive()

    room.live.incidents["I1"] = replace(stopped_vehicle(), kind="collision", version=2)
    room.live.incidents_changed.emit()
    assert panel._news.isActive()


def test_an_incident_that_has_a_newer_picture_is_asked_for_again(room, qtbot):
    panel = create_review(room)
    qtbot.addWidget(panel)
    room.live.incidents["I1"] = replace(stopped_vehicle(), snapshot_path="a.jpg")
    room.live.incidents_changed.emit()
    panel._news.stop()

    room.live.incidents["I1"] = replace(stopped_vehicle(), snapshot_path="b.jpg", version=2)
    room.live.incidents_changed.emit()

    assert panel._news.isActive()


def test_the_picture_of_the_former_name_does_not_come_under_the_new_one(room, qtbot):
    panel = create_review(room)
    qtbot.addWidget(panel)
    queue = panel.findChild(ReviewQueue)
    queue.show_role(Role.OPERATOR)
    shown = replace(stopped_vehicle(), snapshot_path="a.jpg")
    queue.show_page(ReviewFilter(), "", ReviewPage(items=(ReviewItem(incident=shown, picture_id="I1"),)))
    qtbot.waitUntil(lambda: room.arguments_of("incidents.snapshot") == [{"incident_id": "I1"}])

    crash = replace(shown, kind="collision", snapshot_path="b.jpg", version=2)
    queue.show_reviews([ReviewItem(incident=crash, picture_id="I1")])
    room.answer("incidents.snapshot", b"")
    queue.decide(Outcome.TRUE)
    assert room.arguments_of("review.decide") == []

    qtbot.waitUntil(lambda: len(room.arguments_of("incidents.snapshot")) == 2)
    room.answer("incidents.snapshot", b"")
    queue.decide(Outcome.TRUE)
    assert [asked["shown_kind"] for asked in room.arguments_of("review.decide")] == ["collision"]
