"""The scene editor on real parts: a node that is gone, a second desk that was faster, a viewer."""

import asyncio

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.connection import ConnectionState
from core.access.model import Role
from core.cameras.model import Camera
from core.vision.model import CountLine, Scene
from tests.e2e.room.test_main_job import PASSWORD, create_administrator, sign_in
from tests.fixtures.console import act, fields_of, press, type_into, until
from widgets.scene.editor import SceneEditor

Key = Qt.Key
LINE = CountLine(key="gate", name="Gate", start=(0.2, 0.5), end=(0.8, 0.5))


async def add_camera(console) -> Camera:
    camera = Camera(camera_id="", name="Gate 1", address="synthetic:street", scene=Scene(lines=(LINE,)))
    return await console.connection.call("cameras.add", Camera, camera=camera, password="")


async def open_scene(console, camera: Camera) -> SceneEditor:
    await until(lambda: camera.camera_id in console.live.cameras, "the camera")
    console.room.scene_requested.emit(camera.camera_id)
    editor = console.window.panel("scene")
    assert isinstance(editor, SceneEditor)
    await until(lambda: editor.camera_id == camera.camera_id and editor.isVisible(), "the editor")
    return editor


async def move_line(editor: SceneEditor, key: Qt.Key) -> float:
    """Move the line by keyboard; return the height at which it begins now."""
    for pressed in (Key.Key_Escape, Key.Key_PageDown, key):
        await act(QTest.keyClick, editor.canvas, pressed)
    return editor.document.sketch.lines[0].start[1]


async def save(editor: SceneEditor) -> None:
    await act(press, editor, "Save")


@pytest.mark.timeout(120)
def test_what_is_drawn_survives_a_node_that_is_gone_and_is_saved_at_the_next_one(start_node, in_room):
    node = start_node("vision.model=demo")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1")
        await create_administrator(console)
        camera = await add_camera(console)
        editor = await open_scene(console, camera)
        drawn = await move_line(editor, Key.Key_Down)
        children = psutil.Process(node.process.pid).children(recursive=True)

        node.process.kill()
        await until(lambda: console.frame.banner.text, "the red bar")
        await save(editor)
        await until(lambda: "not connected" in editor.notice.text or not editor.is_dirty, "a sentence, or a new node")
        await asyncio.to_thread(psutil.wait_procs, children, 15)
        await until(lambda: console.connection.state is ConnectionState.SIGNED_IN, "the console to be back")
        assert editor.document.sketch.lines[0].start[1] == drawn

        if editor.is_dirty:
            await save(editor)
        await until(lambda: not editor.is_dirty, "the scene to be saved")
        await until(lambda: console.live.cameras[camera.camera_id].scene.lines[0].start[1] == drawn, "the stored scene")

    in_room(scenario)


@pytest.mark.timeout(120)
def test_what_is_not_saved_keeps_the_window_open_once_and_is_taken_up_at_the_next_start(start_node, in_room):
    node = start_node("vision.model=demo")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1")
        await create_administrator(console)
        camera = await add_camera(console)
        editor = await open_scene(console, camera)
        drawn = await move_line(editor, Key.Key_Down)
        console.window.bring_panel("help")

        await act(console.window.close)
        assert "Close again to leave them" in editor.notice.text
        assert console.window.isVisible()
        assert editor.isVisible()
        await act(console.window.close)
        await until(lambda: not console.window.isVisible(), "the window to close")

        again = open_console(node.folder, desk="Desk 1")
        await sign_in(again)
        editor = await open_scene(again, camera)
        assert "A draft of " in editor.notice.text
        await act(press, editor, "Take it up")
        await save(editor)
        await until(lambda: not editor.is_dirty, "the scene to be saved")
        await until(lambda: again.live.cameras[camera.camera_id].scene.lines[0].start[1] == drawn, "the stored scene")
        await until(lambda: not list(node.folder.glob("drafts/scenes/*")), "the draft to be gone")

    in_room(scenario)


@pytest.mark.timeout(120)
def test_of_two_desks_the_slower_one_chooses_and_both_versions_are_kept(start_node, in_room):
    node = start_node("vision.model=demo")

    async def scenario(open_console):
        first = open_console(node.folder, desk="Desk 1")
        await create_administrator(first)
        camera = await add_camera(first)
        second = open_console(node.folder, desk="Desk 2")
        await sign_in(second)
        ours, theirs = await open_scene(first, camera), await open_scene(second, camera)
        drawn_here = await move_line(ours, Key.Key_Down)
        drawn_there = await move_line(theirs, Key.Key_Up)

        await save(theirs)
        await until(lambda: not theirs.is_dirty, "the second desk to have saved")
        await until(lambda: ours.notice.text, "a sentence at the first desk")
        assert "was changed at another desk" in ours.notice.text
        assert ours.document.sketch.lines[0].start[1] == drawn_here

        await act(press, ours, "Load theirs")
        assert ours.document.sketch.lines[0].start[1] == drawn_there
        await act(press, ours, "Undo")
        assert ours.document.sketch.lines[0].start[1] == drawn_here
        await save(ours)
        await until(lambda: not ours.is_dirty, "the first desk to have saved")

        versions = await first.connection.call("cameras.scene_versions", list, camera_id=camera.camera_id)
        kept = set()
        for number in range(1, len(versions) + 1):
            scene = await first.connection.call(
                "cameras.scene_version", Scene, camera_id=camera.camera_id, number=number
            )
            kept.add(scene.lines[0].start[1])
        assert {LINE.start[1], drawn_here, drawn_there} <= kept

    in_room(scenario)


@pytest.mark.timeout(120)
def test_a_viewer_sees_the_scene_and_cannot_change_it(start_node, in_room):
    node = start_node("vision.model=demo")

    async def scenario(open_console):
        chief = open_console(node.folder, desk="Desk 1")
        await create_administrator(chief)
        camera = await add_camera(chief)
        await chief.connection.call("users.add", name="vera", password=PASSWORD, role=Role.VIEWER)
        console = open_console(node.folder, desk="Desk 2")
        await until(lambda: console.connection.state is ConnectionState.SIGNED_OUT, "the sign-in page")
        name, password = await until(lambda: f if len(f := fields_of(console.door)) == 2 else None, "two fields")
        await act(type_into, name, "vera")
        await act(type_into, password, PASSWORD)
        await act(QTest.keyClick, password, Key.Key_Return)
        await until(lambda: console.is_open, "the room")

        editor = await open_scene(console, camera)
        before = editor.document.sketch
        await move_line(editor, Key.Key_Down)
        await act(QTest.keyClick, editor.canvas, Key.Key_Delete)
        await act(QTest.keyClick, editor.canvas, Key.Key_S, Qt.KeyboardModifier.ControlModifier)

        assert editor.document.sketch == before
        assert [line.name for line in before.lines] == ["Gate"]
        assert not editor.is_dirty
        assert chief.live.cameras[camera.camera_id].version == camera.version

    in_room(scenario)
