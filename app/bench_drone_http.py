"""`main.py bench drone-http`: ten drones post states and pictures, and a console with all ten on its wall looks on.

Pictures carry their number in bright and dark blocks, so that their way is timed from before the post to the console's
hands. The cameras detect nothing: what a detector costs is another bench.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import math
import multiprocessing
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
from PySide6.QtWidgets import QApplication

from app.bootstrap import Console
from app.frames import FramePump
from app.window_bench import make_store, measure_apart, measure_in_room, node_of_bench, run_room
from core.cameras.model import Camera
from core.gateway.http.model import GatewayReport, GatewayState, KeyPurpose, KeyWish, NewKey
from core.kernel.bench import BenchResult, Figure, wait_until
from core.media.convert import to_jpeg
from core.media.model import EDGE
from core.node.drone_video import PREFIX
from core.node.health import percentile
from widgets.video.layout import Preset
from widgets.video.model import Picture, Pictures
from widgets.video.wall import VideoWall

N_DRONES = 10
STATES_PER_S, PICTURES_PER_S = 20.0, 10.0
PHASE_S, SETTLE_S, LIMIT_S = 20.0, 6.0, 180.0
N_BITS = 7
N_PICTURES = 1 << N_BITS
SIZE_WH = (1280, 720)
POST_LIMIT_MS, AGE_LIMIT_MS, LAG_LIMIT_MS = 200.0, 250.0, 16.0


def bench_drone_http() -> BenchResult:
    """Run it in a process of its own, since it needs the window's loop.

    Raises:
        BadInputError: It did not end.
    """
    data = measure_apart("app.bench_drone_http", limit_s=LIMIT_S, failed="The drones of the bench did not end.")
    load = f"{data['states_per_s']:.0f} states and {data['pictures_per_s']:.0f} pictures a second"
    return BenchResult(
        bench="drone-http",
        figures={
            "state_p99_ms": Figure(
                value=round(data["state_p99_ms"], 1), unit="ms", reference=f"below {POST_LIMIT_MS:g}; {load}"
            ),
            "picture_p99_ms": Figure(
                value=round(data["picture_p99_ms"], 1), unit="ms", reference=f"below {POST_LIMIT_MS:g}; {load}"
            ),
            "refused": Figure(value=data["n_refused"], unit="posts", reference="none"),
            "age_p95_ms": Figure(
                value=round(data["age_p95_ms"], 1),
                unit="ms",
                reference=f"at most {AGE_LIMIT_MS:g}, from before the post; of {data['n_seen']} pictures",
            ),
            "age_p50_ms": Figure(value=round(data["age_p50_ms"], 1), unit="ms", reference="none"),
            "shown": Figure(
                value=round(data["shown"], 3),
                unit="",
                reference="of the posted pictures; newest wins",
            ),
            "lag_p99_ms": Figure(
                value=round(data["lag_p99_ms"], 1),
                unit="ms",
                reference=f"of the window, at most {LAG_LIMIT_MS:g}; {data['idle_p99_ms']:.1f} before the drones",
            ),
            "node_lag_p99_ms": Figure(
                value=round(data["node_lag_p99_ms"], 1), unit="ms", reference="of the node's loop"
            ),
            "node_core": Figure(
                value=round(data["node_core"], 3), unit="of one core", reference="the node without its workers"
            ),
            "worker_core": Figure(value=round(data["worker_core"], 3), unit="of one core", reference="decoding"),
            "errors": Figure(value=data["n_errors"], unit="errors", reference="console and node"),
        },
    )


async def run(app: QApplication, folder: Path, report: Path) -> None:
    """Open node and console, and write what was measured."""
    data = folder / "data"
    await (await make_store(data)).close()
    pipe, theirs = multiprocessing.Pipe()
    drones = multiprocessing.Process(target=fly, args=(theirs,), daemon=True)
    with node_of_bench(data, "vision.model=demo", "gateway.enabled=true", "gateway.port=0"):
        drones.start()
        theirs.close()
        try:
            result = await measure_in_room(app, data, lambda console: _measure(console, pipe), size=(1920, 1080))
            report.write_text(json.dumps(result), encoding="utf-8")
        finally:
            pipe.close()
            drones.join(5.0)


async def _measure(console: Console, pipe: Connection) -> dict[str, Any]:
    address, keys = await _furnish(console)
    wall = console.window.panel("wall")
    assert isinstance(wall, VideoWall)
    wall.set_preset(Preset.SIXTEEN)
    await wait_until(lambda: pipe.poll(0), "the drones' pictures")
    pipe.recv()
    console.lag.begin_window()
    await asyncio.sleep(SETTLE_S)
    idle_p99_ms = console.lag.overall_p99_ms
    pipe.send((address, keys))
    await asyncio.sleep(SETTLE_S)
    seen: list[tuple[str, int, float]] = []
    pump = FramePump(on_frames=lambda frames: _note(seen, frames), on_tracks=lambda *_: None)
    pump.set_rings(await console.connection.call("room.rings", dict[str, str]))
    pump.set_shown(tuple(f"{PREFIX}{drone_id}" for drone_id in keys))
    node = psutil.Process(int((await console.connection.call("room.health", dict))["node_pid"]))
    before_s = _cpu_s(node)
    console.lag.begin_window()
    await asyncio.sleep(PHASE_S)
    after_s = _cpu_s(node)
    lag_p99_ms = console.lag.overall_p99_ms
    pump.close()
    pipe.send(None)
    await wait_until(lambda: pipe.poll(0), "what the drones noted")
    posted, states_ms, pictures_ms, n_refused = pipe.recv()
    ages_ms = _ages_ms(posted, seen)
    in_phase = [at_s for times in posted.values() for _, at_s in times if at_s >= min(s[2] for s in seen)]
    return {
        "state_p99_ms": percentile(states_ms, 0.99),
        "picture_p99_ms": percentile(pictures_ms, 0.99),
        "n_refused": n_refused,
        "age_p50_ms": percentile(ages_ms, 0.5),
        "age_p95_ms": percentile(ages_ms, 0.95),
        "n_seen": len(ages_ms),
        "shown": len(ages_ms) / max(1, sum(at_s <= max(s[2] for s in seen) for at_s in in_phase)),
        "states_per_s": len(states_ms) / (PHASE_S + SETTLE_S),
        "pictures_per_s": len(pictures_ms) / (PHASE_S + SETTLE_S),
        "node_core": (after_s[0] - before_s[0]) / PHASE_S,
        "worker_core": (after_s[1] - before_s[1]) / PHASE_S,
        "lag_p99_ms": lag_p99_ms,
        "idle_p99_ms": idle_p99_ms,
    }


def _cpu_s(node: psutil.Process) -> tuple[float, float]:
    """Return what the node itself and all below it have used [s]."""
    own = node.cpu_times()
    below = [child.cpu_times() for child in node.children(recursive=True)]
    return own.user + own.system, sum(times.user + times.system for times in below)


async def _furnish(console: Console) -> tuple[str, dict[str, str]]:
    """Make keys and cameras for the drones; returns where the gateway listens, and the keys by drone."""
    keys = {}
    for number in range(N_DRONES):
        drone_id = f"bench-{number}"
        camera = Camera(camera_id=f"{PREFIX}{drone_id}", name=drone_id, address=f"{EDGE}:", detect_fps=0.0)
        await console.connection.call("cameras.add", Camera, camera=camera, password="")
        wish = KeyWish(name=drone_id, purpose=KeyPurpose.DRONE, drone_id=drone_id)
        keys[drone_id] = (await console.connection.call("gateway.add_key", NewKey, wish=wish)).token
    while (found := await console.connection.call("gateway.state", GatewayReport)).state is not GatewayState.OPEN:
        await asyncio.sleep(0.1)
    return found.address, keys


def _note(seen: list[tuple[str, int, float]], frames: Pictures) -> None:
    for camera_id, frame in frames:
        number = read_number(frame)
        if frame.is_intact():
            seen.append((camera_id.removeprefix(PREFIX), number, time.time()))


def _ages_ms(posted: dict[str, list[tuple[int, float]]], seen: list[tuple[str, int, float]]) -> list[float]:
    """Return how old each picture was that was seen; a number stands for its newest post before."""
    by_number: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for drone_id, times in posted.items():
        for number, at_s in times:
            by_number[drone_id, number].append(at_s)
    found = []
    for drone_id, number, seen_s in seen:
        before = [at_s for at_s in by_number[drone_id, number] if at_s <= seen_s]
        if before:
            found.append((seen_s - max(before)) * 1000.0)
    return found


def read_number(frame: Picture) -> int:
    """Return the number that a picture carries in its upper edge."""
    row = frame.height // 24
    number = 0
    for bit in range(N_BITS):
        column = round((bit + 0.5) * frame.width / N_BITS)
        number |= (frame.data[(row * frame.width + column) * 4 + 1] > 127) << bit
    return number


def numbered_pictures() -> list[bytes]:
    """Return pictures with the detail of a camera's, each with its number."""
    width, height = SIZE_WH
    coarse = np.random.default_rng(1).integers(40, 215, (height // 8, width // 8, 3), dtype=np.uint8)
    plain = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    found = []
    for number in range(N_PICTURES):
        pixels = plain.copy()
        for bit in range(N_BITS):
            block = slice(bit * width // N_BITS, (bit + 1) * width // N_BITS)
            pixels[: height // 12, block] = 235 if number >> bit & 1 else 20
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.time_base = Fraction(1, 25)
        found.append(to_jpeg(frame, max_wh=SIZE_WH, quality=70))
    return found


def fly(pipe: Connection) -> None:
    """Entry point of the drones: post until the bench says enough, and tell what was posted when."""
    pictures = numbered_pictures()
    pipe.send("ready")
    try:
        address, keys = pipe.recv()
    except EOFError:
        return
    fleet = _Fleet(address, pictures)
    threads = [
        threading.Thread(target=work, args=(drone_id, key), daemon=True)
        for drone_id, key in keys.items()
        for work in (fleet.post_states, fleet.post_pictures)
    ]
    for thread in threads:
        thread.start()
    with contextlib.suppress(EOFError):
        pipe.recv()
    fleet.ended.set()
    for thread in threads:
        thread.join(5.0)
    with contextlib.suppress(OSError):
        pipe.send((dict(fleet.posted), fleet.states_ms, fleet.pictures_ms, fleet.n_refused))


class _Fleet:
    """Posts; each drone has two threads and two connections."""

    def __init__(self, address: str, pictures: list[bytes]) -> None:
        self._host = address.removeprefix("http://")
        self._pictures = pictures
        self.ended = threading.Event()
        self.posted: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        self.states_ms: list[float] = []
        self.pictures_ms: list[float] = []
        self.n_refused = 0

    def post_states(self, drone_id: str, key: str) -> None:
        """Post a state that is another each time."""

        def make(number: int) -> bytes:
            angle = number / 100.0
            state = {"gpsx": 8.0 + 0.001 * math.sin(angle), "gpsy": 47.0 + 0.001 * math.cos(angle), "gpsz": 450.0}
            return json.dumps({**state, "yaw": math.degrees(angle) % 360.0, "Vx": 3.0, "Vy": 1.0, "Vz": 0.1}).encode()

        self._post("/api/data", key, STATES_PER_S, make, self.states_ms, phase=hash(drone_id) % 100 / 100.0)

    def post_pictures(self, drone_id: str, key: str) -> None:
        """Post the next picture."""

        def make(number: int) -> bytes:
            self.posted[drone_id].append((number % N_PICTURES, time.time()))
            return self._pictures[number % N_PICTURES]

        self._post("/api/video", key, PICTURES_PER_S, make, self.pictures_ms, phase=hash(drone_id) % 97 / 97.0)

    def _post(
        self,
        path: str,
        key: str,
        per_s: float,
        make: Callable[[int], bytes],
        took_ms: list[float],
        *,
        phase: float,
    ) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=10.0)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/octet-stream"}
        due_s = time.monotonic() + phase / per_s
        number = 0
        while not self.ended.wait(max(0.0, due_s - time.monotonic())):
            asked_s = time.monotonic()
            connection.request("POST", path, body=make(number), headers=headers)
            answer = connection.getresponse()
            answer.read()
            took_ms.append((time.monotonic() - asked_s) * 1000.0)
            self.n_refused += answer.status >= 400
            number += 1
            due_s += 1.0 / per_s
        connection.close()


if __name__ == "__main__":
    run_room(run, Path(sys.argv[1]), Path(sys.argv[2]))
