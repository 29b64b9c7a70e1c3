"""A camera that is turned, from the head to the tile: real node, real worker, an ONVIF head and an RTSP stream."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from core.access.model import Actor, Role
from core.cameras.model import Camera
from core.cameras.onvif.model import Velocity
from core.incidents.model import Condition, Priority, Quality, SourceKind
from core.kernel.errors import NotPermittedError, UnavailableError
from core.kernel.paths import Folders
from core.kernel.settings import Settings, VisionSettings
from core.media.model import StreamState
from core.media.ring import RingReader
from core.node.node import Node
from core.sim.onvif import OnvifSimulator
from core.vision.model import CountLine, Mask, Scene
from tests.e2e.field.rig import until

SUSI = Actor(name="susi", role=Role.SUPERVISOR, desk="Desk 3")
LINE = CountLine(key="gate", name="Gate", start=(0.1, 0.5), end=(0.9, 0.5))
WINDOW = Mask(key="window", name="Window", polygon=((0.0, 0.0), (0.1, 0.0), (0.1, 0.1)))
VIEW_WH = (320, 180)
STOPPED = Condition(
    condition_key="camera/bridge/stopped_vehicle:yard:1",
    kind="stopped_vehicle",
    title="Stopped vehicle",
    priority=Priority.HIGH,
    source_kind=SourceKind.CAMERA,
    source_id="bridge",
    source_name="Bridge",
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Seen:
    """What a node says of its only camera, and the brightest pixel of its newest picture."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._reader: RingReader | None = None
        self._sequence = 0

    @property
    def report(self):
        return next(iter(self._node._sight.streams.values()), None)

    @property
    def is_live(self) -> bool:
        return self.report is not None and self.report.state is StreamState.LIVE

    async def brightness(self) -> int:
        """Of a picture that came after this was asked; there is one as soon as somebody looks at the camera."""
        self._node._supervisor.set_views({"bridge": VIEW_WH})
        if self._reader is None:
            self._reader = RingReader.open(Path(self._node._sight.ring_files["bridge"]))
        found = self._reader.newest_frame(0)
        sequence = 0 if found is None else found.sequence
        newer = []
        await until(
            lambda: (frame := self._reader.newest_frame(sequence + 1)) and newer.append(frame) is None,
            what="two newer pictures",
        )
        picture = np.frombuffer(newer[-1].data, np.uint8).reshape(-1, 4)
        return int(picture[:, :3].max())


@asynccontextmanager
async def running(tmp_path):
    folders = Folders(data=tmp_path / "data", runtime=tmp_path / "run")
    node = Node(Settings(vision=VisionSettings(model="demo")), folders)
    working = asyncio.create_task(node.run())
    await until(lambda: node.services is not None and node._sight is not None, what="the room to be open")
    yield node, Seen(node)
    node.stop_soon()
    await working


def test_a_turned_camera_is_not_believed_until_it_is_home_also_after_worker_and_node_ended(tmp_path, start_camera):
    stream = start_camera()

    async def first(head):
        async with running(tmp_path) as (node, seen):
            ptz = node.services.ptz
            camera = await node.services.cameras.add(
                SUSI,
                Camera(
                    camera_id="bridge",
                    name="Bridge",
                    address=stream.url,
                    onvif_address=head.address,
                    scene=Scene(lines=(LINE,)),
                ),
            )
            await until(lambda: seen.is_live and seen.report.detect_fps > 0, what="a camera that is watched")
            assert not seen.report.is_blind
            await node.services.incidents.raise_condition(STOPPED)

            await ptz.step(SUSI, "desk-3", "bridge", Velocity(pan=0.5))
            await until(lambda: seen.report.is_away and not seen.report.detect_fps, what="rules that rest")
            assert "Away from home" in seen.report.detection_reason
            (alarm,) = await node.services.incidents.open_alarms()
            assert (alarm.is_active, alarm.quality) == (True, Quality.STALE)
            with pytest.raises(UnavailableError, match="is turned away"):
                node.start_dry_run("bridge", scene=Scene(), source=None, limit_s=1.0)
            bright = await seen.brightness()

            await node.services.cameras.save_scene(
                SUSI, "bridge", Scene(masks=(WINDOW,)), expect_version=camera.version
            )
            await until(lambda: seen.is_live and "all is black" in seen.report.detection_reason, what="the black")
            with pytest.raises(NotPermittedError, match="privacy masks"):
                await ptz.step(SUSI, "desk-3", "bridge", Velocity(pan=0.1))
            black = await seen.brightness()

            worker = next(report for report in node._supervisor.reports() if report.camera_ids)
            os.kill(worker.pid, signal.SIGKILL)
            await until(lambda: seen.report.state is StreamState.RESTARTING, what="the end of the worker")
            await until(lambda: seen.is_live, what="the next worker")
            assert seen.report.is_blind
            return bright, black, await seen.brightness()

    async def second(head):
        async with running(tmp_path) as (node, seen):
            await until(lambda: seen.is_live, what="the camera")
            black = await seen.brightness()
            assert seen.report.is_blind

            await node.services.ptz.go_to_preset(SUSI, "desk-3", "bridge", "")
            await until(lambda: not seen.report.is_blind, what="the way home")
            return black, await seen.brightness()

    with OnvifSimulator() as head:
        bright, black, still_black = asyncio.run(first(head))
        black_after_start, bright_at_home = asyncio.run(second(head))

    assert min(bright, bright_at_home) > 100
    assert max(black, still_black, black_after_start) < 12
