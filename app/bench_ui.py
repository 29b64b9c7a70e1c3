"""The busy room of `main.py bench ui`: nine live tiles, a thousand moving markers, two hundred messages a second."""

from __future__ import annotations

import asyncio
import json
import math
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import qasync
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from app.bootstrap import Console, ConsoleOptions, choose_platform, make_application
from app.connection import ConnectionState
from app.lag import UiLag
from app.report import ErrorDoor
from core.cameras.model import Camera
from core.field.broker import EmbeddedBroker
from core.field.model import Device, DeviceState
from core.kernel.geo import GeoPoint
from core.kernel.paths import default_folders
from core.kernel.settings import load_settings
from widgets.map.city_map import CityMap
from widgets.video.layout import Preset
from widgets.video.wall import VideoWall

IDLE_S, SETTLE_S, MEASURE_S = 4.0, 12.0, 30.0
N_MARKERS, MARKERS_EVERY_MS = 1000, 100
N_TILES = 9
MESSAGES_PER_S, N_DEVICES = 200, 100


async def run(app: QApplication, folder: Path, report: Path) -> None:
    """Measure the loop idle, then under load, and write the report."""
    loop_idle = UiLag()
    loop_idle.start()
    await asyncio.sleep(1.0)
    loop_idle.begin_window()
    await asyncio.sleep(IDLE_S)
    idle_p99_ms = loop_idle.overall_p99_ms
    loop_idle.stop()

    broker = EmbeddedBroker(folder / "broker")
    (folder / "broker").mkdir()
    address = await broker.start()
    os.environ["WATCHFLOOR_SECRET_BROKER"] = address.passwords["core"]
    settings, _ = load_settings()
    options = ConsoleOptions(
        settings=settings,
        faults=(),
        folders=default_folders(folder / "data"),
        node_arguments=(
            "--demo",
            *("--set", f"broker.host={address.host}", "--set", f"broker.port={address.port}"),
            *("--set", "broker.username=core", "--set", f"broker.protocol={address.protocol}"),
        ),
        size=(1920, 1080),
    )
    pipe, theirs = multiprocessing.Pipe()
    load = multiprocessing.Process(
        target=publish_load, args=(theirs, address.host, address.port, address.passwords["field"]), daemon=True
    )
    errors = ErrorDoor()
    errors.open(asyncio.get_event_loop())
    console = Console(app, options, errors, time.perf_counter())
    ending = asyncio.get_event_loop().create_task(console.run())
    try:
        await _wait_for_room(console)
        load.start()
        theirs.close()
        await _fill_wall(console)
        markers = _move_markers(console)
        await asyncio.sleep(SETTLE_S)
        before = await console.connection.call("room.health", dict)
        frames_before = console.room.frames.n_frames if console.room.frames else 0
        console.lag.begin_window()
        began_s = time.monotonic()
        await asyncio.sleep(MEASURE_S)
        took_s = time.monotonic() - began_s
        after = await console.connection.call("room.health", dict)
        frames = console.room.frames
        assert frames is not None
        ages = sorted(frames.ages_s)
        live = [item for item in console.live.streams.values() if item.state.value == "live"]
        result = {
            "idle_p99_ms": idle_p99_ms,
            "p99_ms": console.lag.overall_p99_ms,
            "max_ms": console.lag.overall_max_ms,
            "frames_per_s": (frames.n_frames - frames_before) / took_s,
            "age_p50_ms": ages[len(ages) // 2] * 1000.0 if ages else math.nan,
            "messages_per_s": (after["n_messages"] - before["n_messages"]) / took_s,
            "n_live": min(len(live), N_TILES),
            "n_errors": errors.n_errors,
        }
        markers.stop()
        report.write_text(json.dumps(result), encoding="utf-8")
    finally:
        console.window.close()
        await ending
        pipe.close()
        if load.pid is not None:
            load.join(5.0)
        await broker.stop()


async def _wait_for_room(console: Console) -> None:
    deadline = time.monotonic() + 60.0
    while console.connection.state is not ConnectionState.SIGNED_IN or not console.live.cameras:
        if time.monotonic() > deadline:
            raise SystemExit("the room did not open")
        await asyncio.sleep(0.05)


async def _fill_wall(console: Console) -> None:
    wall = console.window.panel("wall")
    assert isinstance(wall, VideoWall)
    for index in range(N_TILES - len(console.live.cameras)):
        await console.connection.call(
            "cameras.add",
            Camera,
            camera=Camera(camera_id="", name=f"Extra {index + 1}", address=f"synthetic:extra-{index}"),
            password="",
        )
    wall.set_preset(Preset.NINE)


def _move_markers(console: Console) -> QTimer:
    city = console.window.panel("map")
    assert isinstance(city, CityMap)
    center = console.connection.site.center if console.connection.site else None
    lat0, lon0 = center or (0.0, 0.0)
    began_s = time.monotonic()

    def move() -> None:
        t = time.monotonic() - began_s
        city.show_devices(
            tuple(
                Device(
                    device_id=f"unit/{index}",
                    kind="unit",
                    name=f"Unit {index}",
                    state=DeviceState.ONLINE,
                    position=GeoPoint(
                        lat0 + 0.015 * math.sin(index * 0.37 + t * 0.05),
                        lon0 + 0.018 * math.cos(index * 0.61 + t * 0.05),
                    ),
                )
                for index in range(N_MARKERS)
            )
        )

    timer = QTimer(console)
    timer.setInterval(MARKERS_EVERY_MS)
    timer.timeout.connect(move)
    timer.start()
    return timer


def publish_load(pipe: Connection, host: str, port: int, password: str) -> None:
    """Entry point of the load: a hundred stations that say two things a second each; ends with the pipe."""
    from paho.mqtt import client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench-load", protocol=MQTTProtocolVersion.MQTTv311)
    client.username_pw_set("field", password)
    client.connect(host, port)
    client.loop_start()
    sequence = 0
    due_s = time.monotonic()
    while not pipe.poll(0):
        index = sequence % N_DEVICES
        body = {
            "v": 1,
            "id": f"{sequence:026d}",
            "type": "TrafficFlowObserved",
            "ts": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{int(time.time() * 1000) % 1000:03d}Z",
            "boot": "bench",
            "seq": sequence,
            "q": "good",
            "hist": False,
            "data": {"intensity": 20, "occupancy": 0.1, "averageVehicleSpeed": 50.0 + sequence % 7},
        }
        client.publish(f"watchfloor/v1/city/bench/load-{index:03d}/tele/flow", json.dumps(body), qos=0)
        sequence += 1
        due_s += 1.0 / MESSAGES_PER_S
        time.sleep(max(0.0, due_s - time.monotonic()))
    client.loop_stop()


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    choose_platform()
    folder = Path(sys.argv[1])
    application = make_application(
        ConsoleOptions(settings=load_settings()[0], faults=(), folders=default_folders(folder / "data"))
    )
    loop = qasync.QEventLoop(application)
    asyncio.set_event_loop(loop)
    with loop:
        loop.run_until_complete(run(application, folder, Path(sys.argv[2])))
