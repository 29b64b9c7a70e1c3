"""`main.py bench gateway`: what a flood of posts costs the node, and what a quiet sender beside it notices."""

from __future__ import annotations

import asyncio
import http.client
import subprocess
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil

from app.bench_recover import enter_node
from app.connection import own_command
from core.cameras.model import Camera
from core.gateway.http.model import GatewayReport, GatewayState, KeyPurpose, KeyWish, NewKey
from core.kernel.bench import BenchResult, Figure
from core.link.client import LinkClient
from core.media.convert import to_jpeg
from core.media.model import EDGE
from core.node.health import percentile
from core.parking.model import Lot

PHASE_S = 10.0
QUIET_PER_S = 4.0
FLOOD_PER_S = 200.0
N_FLOOD_CONNECTIONS = 8
LOT = "bench"
QUIET, LOUD = "quiet", "loud"


@dataclass(slots=True)
class _Posts:
    """What one sender's posts came to."""

    took_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


def bench_gateway() -> BenchResult:
    """Post quietly alone, then beside 2,000 posts in 10 s with another key; all over the loopback."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ["--set", "vision.model=demo", "--set", "gateway.enabled=true", "--set", "gateway.port=0"]
        node = subprocess.Popen([*own_command(), "node", "--data", folder, *settings], stderr=subprocess.DEVNULL)
        try:
            alone, beside, loud, shares, lag_ms = asyncio.run(_measure(Path(folder), node.pid))
        finally:
            node.terminate()
            node.wait(30.0)
    n_loud = sum(loud.statuses.values())
    against_alone = f"{percentile(alone.took_ms, 0.99):.1f} ms alone"
    flood_share = max(0.0, shares[1] - shares[0])
    return BenchResult(
        bench="gateway",
        figures={
            "quiet_p99_ms": Figure(value=percentile(beside.took_ms, 0.99), unit="ms", reference=against_alone),
            "quiet_taken": Figure(
                value=beside.statuses[202] / max(1, sum(beside.statuses.values())), unit="", reference="of its posts"
            ),
            "loud_refused": Figure(value=loud.statuses[429] / n_loud, unit="", reference=f"of {n_loud} posts"),
            "loud_p99_ms": Figure(value=percentile(loud.took_ms, 0.99), unit="ms", reference="none"),
            "flood_core": Figure(
                value=flood_share,
                unit="of one core",
                reference=f"{shares[0]:.3f} of a core with the quiet sender alone",
            ),
            "ms_per_post": Figure(value=1000.0 * flood_share * PHASE_S / n_loud, unit="ms CPU", reference="none"),
            "loop_lag_p99_ms": Figure(value=lag_ms[1], unit="ms", reference=f"{lag_ms[0]:.1f} ms before the flood"),
        },
    )


async def _measure(folder: Path, pid: int) -> tuple[_Posts, _Posts, _Posts, tuple[float, float], tuple[float, float]]:
    client = LinkClient(on_push=lambda _topic, _data: None, on_gone=lambda _reason: None)
    await enter_node(client, folder)
    try:
        address, keys = await _furnish(client)
        process = psutil.Process(pid)
        jpeg = _picture()
        await asyncio.sleep(3.0)
        before_lag_ms = float((await client.call("room.health"))["loop_lag_p99_ms"])
        alone = _Posts()
        cpu_s = _cpu_s(process)
        await asyncio.to_thread(_post, address, keys[QUIET], jpeg, alone, QUIET_PER_S)
        alone_share = (_cpu_s(process) - cpu_s) / PHASE_S
        beside, loud = _Posts(), _Posts()
        cpu_s = _cpu_s(process)
        flood = [
            threading.Thread(
                target=_post, args=(address, keys[LOUD], jpeg, loud, FLOOD_PER_S / N_FLOOD_CONNECTIONS), daemon=True
            )
            for _ in range(N_FLOOD_CONNECTIONS)
        ]
        for thread in flood:
            thread.start()
        await asyncio.to_thread(_post, address, keys[QUIET], jpeg, beside, QUIET_PER_S)
        for thread in flood:
            await asyncio.to_thread(thread.join)
        beside_share = (_cpu_s(process) - cpu_s) / PHASE_S
        lag_ms = float((await client.call("room.health"))["loop_lag_p99_ms"])
    finally:
        await client.close()
    return alone, beside, loud, (alone_share, beside_share), (before_lag_ms, lag_ms)


async def _furnish(client: LinkClient) -> tuple[str, dict[str, str]]:
    """Add a lot without bays, two edge cameras and their keys; returns where the gateway listens, and the keys."""
    await client.call("parking.save_lot", Lot, lot=Lot(lot_id=LOT, name="Bench"))
    keys = {}
    for name in (QUIET, LOUD):
        camera = Camera(camera_id=name, name=name, address=f"{EDGE}:", detect_fps=0.0)
        await client.call("cameras.add", Camera, camera=camera)
        wish = KeyWish(name=name, purpose=KeyPurpose.EDGE, lot_id=LOT, camera_id=name)
        keys[name] = (await client.call("gateway.add_key", NewKey, wish=wish)).token
    while (report := await client.call("gateway.state", GatewayReport)).state is not GatewayState.OPEN:
        await asyncio.sleep(0.1)
    return report.address, keys


def _post(address: str, key: str, jpeg: bytes, posts: _Posts, per_s: float) -> None:
    """Post for one phase over one connection; each picture differs behind its end mark."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30.0)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "image/jpeg"}
    began_s = time.monotonic()
    for number in range(round(PHASE_S * per_s)):
        time.sleep(max(0.0, began_s + number / per_s - time.monotonic()))
        asked_s = time.monotonic()
        connection.request("POST", f"/api/parking/{LOT}/frame", body=jpeg + asked_s.hex().encode(), headers=headers)
        answer = connection.getresponse()
        answer.read()
        posts.took_ms.append((time.monotonic() - asked_s) * 1000.0)
        posts.statuses[answer.status] += 1
    connection.close()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _picture() -> bytes:
    """Return a picture of 1280x720 as large as a camera's."""
    coarse = np.random.default_rng(1).integers(0, 255, (180, 320, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(np.kron(coarse, np.ones((4, 4, 1), np.uint8)), format="rgb24")
    frame.time_base = Fraction(1, 25)
    return to_jpeg(frame, max_wh=(1280, 720), quality=70)
