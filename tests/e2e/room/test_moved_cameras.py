"""A camera that somebody pushed stays one, whoever restarts: real node and workers, two streams as its two views."""

import asyncio
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from core.cameras.model import Camera
from core.cameras.views import load_views
from core.media.model import StreamState
from core.vision.model import Mask, Scene, Zone
from tests.e2e.field import rig
from tests.e2e.room.test_turned_cameras import SUSI, running
from tests.unit.vision.pictures import scaled, street

WINDOW = Mask(key="window", name="Window", polygon=((0.0, 0.0), (0.1, 0.0), (0.1, 0.1)))
YARD = Zone(key="yard", name="Yard", polygon=((0.2, 0.5), (0.8, 0.5), (0.8, 0.9), (0.2, 0.9)))
SCENE = Scene(masks=(WINDOW,), zones=(YARD,))

PATIENCE_S = 60.0
"""For what takes processes to start and rules to look; how soon they do is measured elsewhere."""

LEARNED_AFTER = 150
"""Pictures, ten a second: in fewer a rule would have learned what it sees."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


def film(path: Path, *, pushed_px: int) -> Path:
    """Write a clip of a street as a camera sees it that was pushed so far to the side."""
    random = np.random.default_rng(1)
    picture = np.roll(street(), pushed_px, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.options = {"g": "10", "bf": "0", "preset": "ultrafast", "sc_threshold": "0"}
        for _ in range(40):
            noisy = np.clip(picture + random.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(scaled(noisy, (640, 360)), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


async def until(condition, *, what):
    await rig.until(condition, timeout_s=PATIENCE_S, what=what)


async def until_true(ask, *, what):
    """Wait for what has to be asked of the database."""
    began_s = time.monotonic()
    while not await ask():
        assert time.monotonic() - began_s < PATIENCE_S, f"no {what}"
        await asyncio.sleep(0.1)


def test_a_camera_that_was_pushed_calls_and_hides_until_it_is_put_right_whoever_is_killed_meanwhile(
    tmp_path, start_camera
):
    right = start_camera(film(tmp_path / "right.mp4", pushed_px=0))
    pushed = start_camera(film(tmp_path / "pushed.mp4", pushed_px=60))

    async def see_through(node, address):
        camera = await node.services.cameras.get("bridge")
        await node.services.cameras.update(SUSI, replace(camera, address=address), expect_version=camera.version)

    async def moved_alarm(node):
        return [one for one in await node.services.incidents.open_alarms() if one.kind == "camera_moved"]

    async def kill_worker(node, seen):
        worker = next(report for report in node._supervisor.reports() if report.camera_ids)
        os.kill(worker.pid, signal.SIGKILL)
        await until(lambda: seen.report.state is StreamState.RESTARTING, what="the end of the worker")
        await until(lambda: seen.is_live, what="the next worker")

    async def first():
        async with running(tmp_path) as (node, seen):
            await node.services.cameras.add(
                SUSI, Camera(camera_id="bridge", name="Bridge", address=right.url, scene=SCENE)
            )
            await until(lambda: seen.is_live and seen.report.detect_fps > 0, what="a camera that is watched")
            await until(
                lambda: any(view.lit for view in node._supervisor._views.values()), what="a view that is learned"
            )
            bright = await seen.brightness()

            await see_through(node, pushed.url)
            await until(lambda: seen.report.is_moved and seen.report.is_blind, what="the call")
            assert "all is black" in seen.report.detection_reason
            black = await seen.brightness()

            await until(lambda: node._supervisor._views["bridge"].is_moved, what="the word of it")
            await kill_worker(node, seen)
            assert seen.report.is_moved
            still_black = await seen.brightness()
            await until(lambda: seen.report.detect_fps > 0, what="rules that look again")
            n_seen = seen.report.n_frames
            await until(lambda: seen.report.n_frames - n_seen > LEARNED_AFTER, what="pictures enough to learn from")
            assert seen.report.is_moved
            (alarm,) = await moved_alarm(node)
            assert alarm.is_active
            return bright, black, still_black

    async def second():
        async with running(tmp_path) as (node, seen):
            await until(lambda: seen.is_live, what="the camera")
            assert seen.report.is_moved
            black = await seen.brightness()

            await see_through(node, right.url)
            await until(lambda: seen.is_live and not seen.report.is_moved, what="a camera put right")
            bright = await seen.brightness()
            await until_true(lambda: moved_is_over(node), what="the end of the call")

            await see_through(node, pushed.url)
            await until(lambda: seen.report.is_moved, what="the next call")
            await node.services.cameras.accept_view(SUSI, "bridge")
            await until(lambda: not seen.report.is_moved, what="a view that is right")
            await until_true(lambda: moved_is_over(node), what="the end of the next call")
            accepted = await seen.brightness()
            await until(lambda: node._supervisor._views, what="the new view")
            await until_true(lambda: has_row(node), what="its row")
            assert not (await load_views(node.services.store))["bridge"].is_moved
            assert not seen.report.is_moved
            return black, bright, accepted

    async def moved_is_over(node):
        return not any(alarm.is_active for alarm in await moved_alarm(node))

    async def has_row(node):
        return "bridge" in await load_views(node.services.store)

    bright, black, still_black = asyncio.run(first())
    black_after_start, bright_again, bright_accepted = asyncio.run(second())

    assert min(bright, bright_again, bright_accepted) > 100
    assert max(black, still_black, black_after_start) < 12
