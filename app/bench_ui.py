"""The busy room of `main.py bench ui` and `soak`: nine live tiles, 1,000 moving markers, 200 messages a second."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import math
import multiprocessing
import os
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import qasync
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from app.bootstrap import Console, ConsoleOptions, choose_platform, make_application
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

IDLE_S, SETTLE_S = 4.0, 12.0
SAMPLE_S = 10.0
N_MARKERS, MARKERS_EVERY_MS, N_STEPS = 1000, 100, 20
N_TILES = 9
MESSAGES_PER_S, N_DEVICES = 200, 100


async def run(app: QApplication, folder: Path, report: Path, measure_s: float) -> None:
    """Measure the loop idle, then under load for `measure_s`, close everything and write the report."""
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
    result: dict[str, float] = {}
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
        memory = Memory(int(before["node_pid"]))
        while time.monotonic() - began_s < measure_s:
            await asyncio.sleep(min(SAMPLE_S, measure_s))
            memory.sample()
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
            "n_errors": errors.n_errors + after["n_errors"],
            "minutes": took_s / 60.0,
            **memory.figures(),
        }
        markers.stop()
    finally:
        console.window.close()
        await ending
        pipe.close()
        if load.pid is not None:
            load.join(5.0)
        await broker.stop()
    # Daemon threads of libraries end with the process; those of ours must be gone with the window.
    result["n_threads_left"] = sum(1 for thread in threading.enumerate() if thread is not threading.main_thread())
    # Python's own helper of multiprocessing ends with this process.
    left = [
        child for child in psutil.Process().children(recursive=True) if "resource_tracker" not in str(child.cmdline())
    ]
    result["n_processes_left"] = len(left)
    report.write_text(json.dumps(result), encoding="utf-8")


class Memory:
    """Resident memory and open handles of console, node and everything below them, over time."""

    def __init__(self, node_pid: int) -> None:
        self._console = psutil.Process()
        self._node = psutil.Process(node_pid)
        self._began_s = time.monotonic()
        self._samples: list[tuple[float, float, float, int, int]] = []
        self._by_process: dict[str, list[tuple[float, float]]] = {}

    def sample(self) -> None:
        """Take one reading of all processes."""
        hours = (time.monotonic() - self._began_s) / 3600.0
        below = 0.0
        for process in [self._node, *self._node.children(recursive=True)]:
            resident_mb = _resident_mb(process)
            below += resident_mb
            self._by_process.setdefault(_role(process), []).append((hours, resident_mb))
        self._samples.append(
            (
                hours,
                _resident_mb(self._console),
                below,
                self._console.num_fds() if hasattr(self._console, "num_fds") else self._console.num_handles(),
                self._console.num_threads(),
            )
        )

    def figures(self) -> dict[str, float]:
        """Return slopes [MB/h] of the second half, where caches are warm, and first and last readings."""
        half = self._samples[len(self._samples) // 2 :]
        hours = [item[0] for item in half]
        return {
            "console_mb": self._samples[-1][1],
            "node_mb": self._samples[-1][2],
            "console_mb_per_h": slope(hours, [item[1] for item in half]),
            "node_mb_per_h": slope(hours, [item[2] for item in half]),
            "handles_first": float(self._samples[0][3]),
            "handles_last": float(self._samples[-1][3]),
            "threads_first": float(self._samples[0][4]),
            "threads_last": float(self._samples[-1][4]),
            **{
                f"process {role}": round(slope([item[0] for item in tail], [item[1] for item in tail]), 2)
                for role, items in self._by_process.items()
                for tail in [items[len(items) // 2 :]]
            },
        }


def slope(xs: list[float], ys: list[float]) -> float:
    """Return the slope of the least-squares line; 0.0 for fewer than two points."""
    if len(xs) < 2:
        return 0.0
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0


def _role(process: psutil.Process) -> str:
    """Return "node" or "worker" with the id of the process."""
    try:
        name = "node" if "node" in process.cmdline() else "worker"
    except psutil.Error:
        name = "ended"  # Between the list and the reading.
    return f"{name} {process.pid}"


def _resident_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0  # It ended between the list and the reading.


async def _wait_for_room(console: Console) -> None:
    deadline = time.monotonic() + 60.0
    while not console.is_furnished or not console.live.cameras:
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
    """Move every marker ten times a second; the positions are made beforehand, as they come made from the link."""
    panel = console.window.panel("map")
    city = panel.findChild(CityMap) if panel is not None else None
    assert isinstance(city, CityMap)
    center = console.connection.site.center if console.connection.site else None
    lat0, lon0 = center or (0.0, 0.0)
    there = [
        tuple(
            Device(
                device_id=f"unit/{index}",
                kind="unit",
                name=f"Unit {index}",
                state=DeviceState.ONLINE,
                position=GeoPoint(
                    lat0 + 0.015 * math.sin(index * 0.37 + step * 0.005),
                    lon0 + 0.018 * math.cos(index * 0.61 + step * 0.005),
                ),
            )
            for index in range(N_MARKERS)
        )
        for step in range(N_STEPS)
    ]
    steps = itertools.cycle([*there, *reversed(there)])
    gc.collect()
    gc.freeze()
    timer = QTimer(console)
    timer.setInterval(MARKERS_EVERY_MS)
    timer.timeout.connect(lambda: city.show_devices(next(steps)))
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
        loop.run_until_complete(run(application, folder, Path(sys.argv[2]), float(sys.argv[3])))
