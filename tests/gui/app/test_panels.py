"""Every panel that is discovered is built, filled and closed, whatever it is."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel

from app.connection import NodeConnection
from app.live import LiveModel
from app.main_window import MainWindow
from app.panel import Area, Perspective, discover_panels
from app.room import Room
from core.cameras.model import Camera
from core.kernel.paths import default_folders
from tests.fixtures.panels import made

PANELS = discover_panels()


@pytest.fixture
def room(qtbot, tmp_path):
    import asyncio

    # The connection keeps asyncio events; nothing runs on this loop.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    connection = NodeConnection(default_folders(tmp_path), node="", node_arguments=(), desk="Desk 1")
    room = Room(connection, LiveModel())
    yield room
    room.live.close()
    room.cancel_all()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    asyncio.set_event_loop(None)


def test_keys_titles_and_shortcuts_are_unique():
    for values in ([p.key for p in PANELS], [p.title for p in PANELS], [p.shortcut for p in PANELS]):
        assert len(set(values)) == len(values)


def test_the_panels_of_the_main_job_are_there():
    assert {"wall", "map", "alarms", "devices", "health", "stations"} <= {panel.key for panel in PANELS}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.key)
def test_a_panel_is_built_and_shown(panel, room, qtbot):
    widget = made(panel, room)
    qtbot.addWidget(widget)
    widget.resize(480, 360)
    widget.show()

    assert widget.isVisible()
    room.closing.emit()


def test_the_window_stacks_the_panels_as_designed_and_keeps_a_changed_layout(room, qtbot, tmp_path):
    window = furnished(room, qtbot, tmp_path)

    wall, alarms = window.panel("wall"), window.panel("alarms")

    def top_of(widget):
        return widget.mapTo(window, widget.rect().topLeft())

    qtbot.waitUntil(lambda: wall.height() > alarms.height())
    assert top_of(alarms).y() > top_of(wall).y()
    assert top_of(window.panel("devices")).x() < top_of(wall).x() < top_of(window.panel("map")).x()

    window.save_layout()
    assert window.restore_layout()
    room.closing.emit()


def test_a_panel_behind_another_is_made_when_it_comes_to_the_front(room, qtbot, tmp_path):
    made = []

    def watched(panel):
        def create(room):
            made.append(panel.key)
            return panel.create(room)

        return replace(panel, create=create)

    panels = tuple(watched(panel) for panel in PANELS)
    window = opened(qtbot, tmp_path / "layout.json")
    window.divide(panels, room)
    list(window.furnish(window.fronts()))
    window.is_furnished_on_sight = True
    in_front = window.fronts()
    assert sorted(made) == sorted(in_front)

    window._docks["review"].setAsCurrentTab()

    qtbot.waitUntil(lambda: made[len(in_front) :] == ["review"])
    assert window.panel("review").isVisible()
    room.closing.emit()


def test_what_is_asked_of_a_panel_before_it_is_made_is_not_missed(room, qtbot, tmp_path):
    window = opened(qtbot, tmp_path / "layout.json")
    room.live.cameras["gate"] = Camera(camera_id="gate", name="Gate", address="x")
    window.divide(PANELS, room)
    list(window.furnish(window.fronts()))

    room.scene_requested.emit("gate")

    assert window.panel("scene").camera_id == "gate"
    room.closing.emit()


def test_keys_and_an_end_while_the_docks_are_made_lose_no_panel_and_no_layout(room, qtbot, tmp_path):
    file = tmp_path / "layout.json"
    window = opened(qtbot, file)
    making = window.divide_in_turns(PANELS, room)
    next(making)

    for panel in PANELS:
        window.go_to_panel(panel.key)
    window.show_perspective(Perspective.OVERVIEW)
    window.restore_first_layout()
    window.resize(1200, 800)
    window.save_layout()
    is_saved = file.exists()
    list(making)
    list(window.furnish(panel.key for panel in PANELS))

    assert not is_saved
    assert all(window._places[panel.key].isAncestorOf(window.panel(panel.key)) for panel in PANELS)
    room.closing.emit()


def test_a_panel_that_is_asked_for_while_its_parts_are_made_is_made_once(room, qtbot, tmp_path):
    made_parts = []

    def create(room):
        made_parts.append("forms")
        yield
        made_parts.append("editor")
        return QLabel("editor")

    panels = tuple(replace(panel, create=create) if panel.key == "scene" else panel for panel in PANELS)
    window = MainWindow(QLabel("door"), tmp_path / "layout.json")
    qtbot.addWidget(window)
    window.divide(panels, room)
    making = window.furnish(["scene"])
    next(making)
    assert made_parts == ["forms"]

    asked = window.panel("scene")
    list(making)

    assert asked.text() == "editor"
    assert made_parts == ["forms", "editor"]
    room.closing.emit()


def test_panels_that_are_made_take_no_keys_from_who_types(room, qtbot, tmp_path):
    window = opened(qtbot, tmp_path / "layout.json")
    window.divide(PANELS, room)
    list(window.furnish(window.fronts(), is_whole=False))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.go_to_panel("wall")
    assert window.panel("wall").isAncestorOf(QApplication.focusWidget())

    for panel in PANELS:
        with qtbot.assertNotEmitted(QApplication.instance().focusChanged):
            list(window.furnish([panel.key]))
    room.closing.emit()


@pytest.mark.parametrize("perspective", Perspective, ids=lambda perspective: perspective.name.lower())
def test_a_key_arranges_the_room_for_a_job_and_another_one_for_the_next(room, qtbot, tmp_path, perspective):
    window = furnished(room, qtbot, tmp_path)
    wanted = {panel.key for panel in PANELS if perspective in panel.perspectives and panel.role <= room.role}

    QTest.keySequence(window, QKeySequence(perspective.shortcut))

    assert {key for key, dock in window._docks.items() if not dock.isClosed()} == wanted
    leading = {panel.key for panel in PANELS if perspective in panel.leads}
    assert leading <= set(window.fronts())
    window.bring_panel("help")
    assert window.panel("help").isVisible()
    room.closing.emit()


def test_a_layout_that_broke_the_last_start_is_not_tried_again(room, qtbot, tmp_path):
    import json

    file = tmp_path / "layout.json"
    window = MainWindow(QLabel("door"), file)
    qtbot.addWidget(window)
    window.show_room()
    window.divide(PANELS, room)
    list(window.furnish(panel.key for panel in PANELS))
    window.save_layout()
    saved = json.loads(file.read_text())
    file.write_text(json.dumps({**saved, "restoring": True}))

    assert not window.restore_layout()
    room.closing.emit()


def test_areas_are_divided_from_the_centre_outwards():
    assert next(iter(Area)) is Area.CENTER


def test_an_alarm_of_a_station_is_watched_by_the_nearest_camera(room):
    from core.cameras.watching import Watchers
    from core.incidents.model import SourceKind
    from core.kernel.geo import GeoPoint
    from tests.fixtures.alarms import alarm

    for name, lon in (("near", 0.001), ("far", 0.004), ("away", 1.0)):
        room.live.cameras[name] = Camera(camera_id=name, name=name, address="x", position=GeoPoint(0.0, lon))
    jam = replace(alarm(), source_kind=SourceKind.STATION, source_id="s", position=GeoPoint(0.0, 0.0))

    watchers = Watchers(room.live.cameras.values())
    assert watchers.nearest(jam) == "near"
    assert watchers.nearest(replace(jam, position=GeoPoint(5.0, 0.0))) is None
    assert watchers.nearest(replace(jam, source_kind=SourceKind.CAMERA, source_id="c")) == "c"


def controls_of(widget):
    """Return what Tab reaches, in the order in which it is reached."""
    parts = [widget]
    while (part := parts[-1].nextInFocusChain()) is not widget:
        parts.append(part)
    reached = []
    for part in parts:
        takes_tab = part.focusPolicy() & Qt.FocusPolicy.TabFocus and part.isVisible() and part.isEnabled()
        if (part is widget or widget.isAncestorOf(part)) and takes_tab and part.focusProxy() is None:
            reached.append(part)
    return reached


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.key)
def test_every_control_of_a_panel_has_a_name_and_tab_goes_down_once(panel, room, qtbot):
    widget = made(panel, room)
    qtbot.addWidget(widget)
    widget.resize(700, 700)
    widget.show()

    controls = controls_of(widget)
    tops = [control.mapTo(widget, control.rect().topLeft()).y() for control in controls]
    bottoms = [top + control.height() for top, control in zip(tops, controls, strict=True)]
    n_ups = sum(top + 1 < before for top, before in zip(bottoms[1:], tops[:-1], strict=True))
    unnamed = [c for c in controls if not (c.accessibleName() or getattr(c, "text", str)())]

    assert controls
    assert unnamed == []
    assert n_ups <= 1, "more than the one way back to the top"
    room.closing.emit()


def opened(qtbot, layout):
    """Return a window behind its door, without docks."""
    window = MainWindow(QLabel("door"), layout)
    qtbot.addWidget(window)
    window.resize(1600, 900)
    window.show()
    window.show_room()
    return window


def furnished(room, qtbot, tmp_path):
    window = opened(qtbot, tmp_path / "layout.json")
    window.divide(PANELS, room)
    list(window.furnish(panel.key for panel in PANELS))
    window.share_space()
    window.make_menu(PANELS)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return window


def test_the_shortcut_of_a_panel_lets_the_keys_go_to_it(room, qtbot, tmp_path):
    window = furnished(room, qtbot, tmp_path)
    reached = {}
    for panel in PANELS:
        QTest.keySequence(window, QKeySequence(panel.shortcut))
        focused = QApplication.focusWidget()
        reached[panel.key] = focused is not None and window.panel(panel.key).isAncestorOf(focused)

    assert reached == {panel.key: True for panel in PANELS}
    room.closing.emit()


def is_whole_offered(scene):
    """Whether the editor's button still has to be pressed for the whole window."""
    enlarge = next(b for b in scene.findChildren(QAbstractButton) if "whole window" in b.accessibleName())
    return not enlarge.isChecked()


def test_f11_gives_a_panel_the_whole_window_and_divides_it_again_as_it_was(room, qtbot, tmp_path):
    window = furnished(room, qtbot, tmp_path)
    window.whole_window_given.connect(room.whole_window_given)
    scene, wall, city = (window.panel(key) for key in ("scene", "wall", "map"))
    window.go_to_panel("scene")
    before = [part.width() for part in (scene, city)]
    focused = QApplication.focusWidget()

    QTest.keySequence(window, QKeySequence("F11"))
    qtbot.waitUntil(lambda: scene.width() > 1500)
    assert not city.isVisible()
    assert not is_whole_offered(scene)
    QTest.keySequence(window, QKeySequence("F11"))

    qtbot.waitUntil(lambda: [part.width() for part in (scene, city)] == before)
    assert city.isVisible()
    assert is_whole_offered(scene)
    assert QApplication.focusWidget() is focused
    assert not wall.isVisible(), "what was in front stays in front"
    room.closing.emit()


def test_a_window_that_ends_undivided_is_divided_at_the_next_start(room, qtbot, tmp_path):
    window = furnished(room, qtbot, tmp_path)
    window.enlarge_panel("scene", True)
    window.save_layout()

    assert window.restore_layout()
    assert window.panel("map").isVisible()
    room.closing.emit()


def test_restoring_the_first_layout_says_that_no_panel_has_the_whole_window(room, qtbot, tmp_path):
    window = furnished(room, qtbot, tmp_path)
    window.whole_window_given.connect(room.whole_window_given)
    scene = window.panel("scene")
    window.enlarge_panel("scene", True)
    assert not is_whole_offered(scene)
    window.go_to_panel("alarms")
    focused = QApplication.focusWidget()

    QTest.keySequence(window, QKeySequence("Ctrl+Shift+F5"))

    assert is_whole_offered(scene)
    assert QApplication.focusWidget() is focused
    assert window.panel("map").isVisible()
    room.closing.emit()


def test_a_scene_that_is_asked_for_before_its_camera_was_told_opens_with_it(room, qtbot, tmp_path):
    window = furnished(room, qtbot, tmp_path)
    room.panel_requested.connect(window.bring_panel)
    scene = window.panel("scene")
    room.live.cameras["known"] = Camera(camera_id="known", name="Known", address="x")

    room.scene_requested.emit("known")
    assert scene.camera_id == "known"
    room.scene_requested.emit("new")
    room.live.cameras["new"] = Camera(camera_id="new", name="New", address="x")
    room.live.tell_all()

    qtbot.waitUntil(lambda: scene.camera_id == "new")
    room.closing.emit()
