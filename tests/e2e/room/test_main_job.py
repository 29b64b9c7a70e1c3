"""The main job on real parts: Mosquitto, RTSP, a node process, two windows, mouse and keyboard."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from paho.mqtt import subscribe
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

import resources
from app.connection import ConnectionState
from core.cameras.model import Camera
from core.incidents.model import AlarmState
from core.media.model import StreamState
from core.vision.model import CountLine, Scene, Zone
from tests.fixtures.console import act, fields_of, press, type_into, until
from tests.fixtures.testdata import ROOT, testdata
from widgets.alarms.list import AlarmList
from widgets.video.wall import VideoWall

PASSWORD = "twelve grey herons"


def demo_scene() -> tuple[Path, str, Scene]:
    data = json.loads(resources.path("demo/cameras.json").read_text(encoding="utf-8"))["cam-ring-road"]
    line = data["scene"]["lines"][0]
    zone = data["scene"]["zones"][0]
    scene = Scene(
        lines=(CountLine(key="line", name="Line", start=tuple(line["start"]), end=tuple(line["end"])),),
        zones=(
            Zone(
                key="closed",
                name="Closed road",
                polygon=tuple(tuple(point) for point in zone["polygon"]),
                alarms_presence=True,
            ),
        ),
    )
    return resources.path(f"demo/{data['clip']}"), "demo", scene


def real_scene() -> tuple[Path, str, Scene]:
    scene = Scene(
        lines=(CountLine(key="line", name="Line", start=(0.19, 0.55), end=(0.9, 0.55)),),
        zones=(
            Zone(
                key="closed",
                name="Closed road",
                polygon=((0.2, 0.45), (0.9, 0.45), (1.0, 0.95), (0.0, 0.95)),
                alarms_presence=True,
            ),
        ),
    )
    weights = testdata("weights/yolo11n.pt")
    return testdata("video/traffic_shenzhen_road_buses.mp4"), str(weights), scene


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "make_scene", [demo_scene, pytest.param(real_scene, marks=[pytest.mark.testdata, pytest.mark.slow])]
)
def test_a_vehicle_is_seen_counted_alarmed_and_acknowledged_on_every_console(
    make_scene, start_node, start_camera, mosquitto, in_room
):
    clip, model, scene = make_scene()
    camera = start_camera(clip)
    node = start_node(
        f"broker.host={mosquitto.host}", f"broker.port={mosquitto.port}", f"vision.model={model}", "site.tenant=e2e"
    )

    async def scenario(open_console):
        first = open_console(node.folder, desk="Desk 1")
        await create_administrator(first)
        added = await add_camera_by_form(first, camera.url)
        await draw_scene(first, added, scene)
        wall = first.window.panel("wall")
        assert isinstance(wall, VideoWall)

        tile = await until(lambda: wall.tile_of(added.camera_id), "a tile")
        await until(lambda: tile.status.is_good, "a live tile")
        await until(lambda: tile.boxes, "boxed vehicles", timeout_s=90)
        assert {box.label for box in tile.boxes} <= {"car", "bus", "truck", "motorcycle"}
        await until(lambda: sum(counted(first, added)) > 0, "a counted vehicle", timeout_s=60)

        alarm = await until(lambda: calling(first, "vehicle_in_zone"), "an alarm")
        second = open_console(node.folder, desk="Desk 2", size=(1280, 800))
        await sign_in(second)
        await until(lambda: alarm.alarm_id in second.live.alarms, "the same alarm on the second console")

        await acknowledge_by_keyboard(first, alarm.alarm_id)
        for console in (first, second):
            await until(
                lambda console=console: is_settled(console, alarm.alarm_id), f"the acknowledge on {console.room}"
            )
        assert_database_agrees(node.folder, alarm.alarm_id)
        await asyncio.to_thread(assert_broker_agrees, mosquitto, alarm.alarm_id)

        camera.refuse()
        camera.drop_clients()
        await until(lambda: state_of(first, added) is StreamState.LOST, "the tile to say lost")
        assert not tile.status.is_good
        await until(lambda: calling(second, "camera_lost"), "an alarm about the lost camera", timeout_s=30)
        camera.accept()
        await until(lambda: state_of(first, added) is StreamState.LIVE, "the camera to be back")
        await until(lambda: tile.status.is_good, "a live tile again")
        await until(
            lambda: not any(a.kind == "camera_lost" and a.is_active for a in first.live.open_alarms()),
            "the lost camera's alarm to return",
        )

    in_room(scenario, timeout_s=240)
    audit = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "audit", "verify", "--data", str(node.folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert audit.returncode == 0, audit.stdout + audit.stderr


@pytest.mark.timeout(180)
def test_a_killed_worker_is_back_and_its_tiles_say_so_meanwhile(start_node, in_room, start_camera):
    camera = start_camera(demo_scene()[0])
    node = start_node("vision.model=demo")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1")
        await create_administrator(console)
        added = await add_camera_by_form(console, camera.url)
        await until(lambda: state_of(console, added) is StreamState.LIVE, "a live camera")
        states = []
        console.live.streams_changed.connect(lambda: states.append(state_of(console, added)))

        worker, _ = await until(lambda: console.live.health and console.live.health.workers, "worker and detector")
        os.kill(psutil.Process(worker.pid).pid, signal.SIGKILL)

        await until(lambda: StreamState.RESTARTING in states, "the tile to say that its worker restarts")
        await until(
            lambda: states[-1] is StreamState.LIVE and StreamState.RESTARTING in states, "the camera to be live again"
        )
        await until(lambda: console.live.health.n_worker_restarts == 1, "the restart to be counted")
        wall = console.window.panel("wall")
        await until(lambda: wall.tile_of(added.camera_id).status.is_good, "a live tile")

    in_room(scenario)


@pytest.mark.timeout(120)
def test_a_node_that_was_killed_is_said_to_be_gone_and_a_new_one_takes_over(start_node, in_room):
    node = start_node("vision.model=demo")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1")
        await create_administrator(console)
        children = psutil.Process(node.process.pid).children(recursive=True)

        node.process.kill()
        await until(lambda: console.frame.banner.text, "the red bar")
        await asyncio.to_thread(psutil.wait_procs, children, 15)
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]

        # The console starts a node of its own on the same folder, and its session goes on.
        await until(lambda: console.connection.state is ConnectionState.SIGNED_IN, "the console to be back")
        assert console.frame.banner.text == ""

    in_room(scenario)


async def create_administrator(console):
    await until(lambda: console.connection.state is ConnectionState.FIRST_RUN, "the first-run page")
    name, password, again = await until(lambda: f if len(f := fields_of(console.door)) == 3 else None, "three fields")
    await act(type_into, name, "dana")
    await act(type_into, password, PASSWORD)
    await act(type_into, again, PASSWORD)
    await act(QTest.keyClick, again, Qt.Key.Key_Return)
    await until(lambda: console.is_open, "the room")
    assert console.connection.session.user.name == "dana"


async def sign_in(console, user="dana"):
    await until(lambda: console.connection.state is ConnectionState.SIGNED_OUT, "the sign-in page")
    name, password = await until(lambda: f if len(f := fields_of(console.door)) == 2 else None, "two fields")
    await act(type_into, name, user)
    await act(type_into, password, PASSWORD)
    await act(QTest.keyClick, password, Qt.Key.Key_Return)
    await until(lambda: console.is_open, "the room")


async def add_camera_by_form(console, url) -> Camera:
    devices = console.window.panel("devices")
    await act(press, devices, "Add camera")
    name, address = fields_of(devices)[:2]
    await act(type_into, name, "Gate 1")
    await act(type_into, address, url)
    await act(press, devices, "Test address")
    save = await until(lambda: enabled_button(devices, "Save"), "the tested address")
    await act(QTest.mouseClick, save, Qt.MouseButton.LeftButton)
    return await until(lambda: next(iter(console.live.cameras.values()), None), "the camera")


def enabled_button(page, words):
    from PySide6.QtWidgets import QPushButton

    found = [b for b in page.findChildren(QPushButton) if b.isVisible() and b.isEnabled() and b.text() == words]
    return found[0] if found else None


async def draw_scene(console, camera, scene):
    await console.connection.call(
        "cameras.update", Camera, camera=replace(camera, scene=scene), version=camera.version, password=None
    )
    await until(lambda: console.live.cameras[camera.camera_id].scene == scene, "the scene")


async def acknowledge_by_keyboard(console, alarm_id):
    alarms = console.window.panel("alarms")
    assert isinstance(alarms, AlarmList)
    console.window.activateWindow()
    await until(console.window.isActiveWindow, "the console in front")
    console.window.go_to_panel("alarms")
    await until(lambda: alarms.select(alarm_id), "the alarm in the list")
    await act(QTest.keyClick, alarms.table, Qt.Key.Key_Space)


def state_of(console, camera):
    report = console.live.streams.get(camera.camera_id)
    return report.state if report else None


def counted(console, camera) -> list[int]:
    lines = console.live.line_totals.get(camera.camera_id, {})
    return [n for directions in lines.values() for n in directions.values()]


def calling(console, kind):
    return next((a for a in console.live.open_alarms() if a.kind == kind and a.is_calling), None)


def is_settled(console, alarm_id) -> bool:
    """Acknowledged, or acknowledged and over and therefore gone from the list."""
    alarm = console.live.alarms.get(alarm_id)
    return alarm is None or (alarm.is_acknowledged and alarm.acknowledged_by == "dana")


def assert_database_agrees(folder, alarm_id):
    with sqlite3.connect(f"file:{folder / 'watchfloor.sqlite3'}?mode=ro", uri=True) as database:
        row = database.execute(
            "SELECT acknowledged_by, acknowledged_desk FROM alarm WHERE alarm_id = ?", (alarm_id,)
        ).fetchone()
        events = [
            event
            for (event,) in database.execute(
                "SELECT event FROM alarm_journal WHERE alarm_id = ? ORDER BY sequence", (alarm_id,)
            )
        ]
    assert row == ("dana", "Desk 1")
    assert events[0] == "raise"
    assert "acknowledge" in events


def assert_broker_agrees(mosquitto, alarm_id):
    message = subscribe.simple(
        f"watchfloor/v1/e2e/_alarm/{alarm_id}", hostname=mosquitto.host, port=mosquitto.port, keepalive=10
    )
    state = json.loads(message.payload)
    assert state["acknowledged_by"] == "dana"
    assert state["state"] in (AlarmState.ACKNOWLEDGED, AlarmState.NORMAL)


@pytest.mark.timeout(120)
def test_a_console_on_another_machine_gets_its_pictures_over_the_link(start_node, in_room):
    from app.remote_frames import RemotePump

    node = start_node("vision.model=demo")

    async def scenario(open_console):
        console = open_console(node.folder, desk="Desk 1")
        await create_administrator(console)
        added = await console.connection.call(
            "cameras.add", Camera, camera=Camera(camera_id="", name="Test", address="synthetic:test"), password=""
        )
        wall = console.window.panel("wall")
        await until(lambda: wall.tile_of(added.camera_id) and wall.tile_of(added.camera_id).status.is_good, "a tile")
        frames = []
        # As on another machine: nothing but the link.
        pump = RemotePump(console.connection.call, on_frames=frames.extend, on_tracks=lambda *_: None)
        pump.set_shown((added.camera_id,))

        await until(lambda: len(frames) >= 3, "three pictures")
        pump.close()
        (key, first), (_, second) = frames[:2]
        assert key == added.camera_id
        assert second.sequence > first.sequence
        assert len(first.data) == first.width * first.height * 4
        assert len(set(first.data[::97])) > 10, "a picture, not a black square"

    in_room(scenario)
