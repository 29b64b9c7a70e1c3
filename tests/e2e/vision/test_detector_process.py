"""The detection service with real processes: workers, one detector, shared pictures, and what happens when one dies."""

import asyncio
import os
import signal
import time

import pytest

from core.media.model import SourceSpec, StreamState
from core.media.ring import FrameRing, RingReader
from core.node.supervisor import DETECTOR, VisionSupervisor
from core.vision.messages import CameraJob, EngineOpened, Heartbeat, WorkerConfig
from core.vision.model import Mask, MaskKind, Scene
from tests.fixtures.clips import make_clip
from tests.unit.vision.toy_model import save_toy_openvino

CLIP_WH = (96, 64)


class Service:
    """Cameras on a supervisor, and everything it says."""

    def __init__(self, folder, model) -> None:
        self.folder = folder
        self.messages: list[object] = []
        self.states: list[tuple[str, str]] = []
        config = WorkerConfig(key="", models=folder, logs=folder, model=str(model), confidence=0.3)
        self.supervisor = VisionSupervisor(
            config,
            cameras_per_worker=2,
            on_message=self.messages.append,
            on_worker=lambda report: self.states.append((report.key, report.state)),
        )

    def job(self, name: str, clip, **changes) -> CameraJob:
        ring = self.folder / f"{name}.ring"
        if not ring.exists():
            FrameRing.create(ring, camera_id=name, max_wh=CLIP_WH).close()
        source = SourceSpec(address=str(clip), loops=True)
        return CameraJob(camera_id=name, source=source, ring=ring, labels=("car",), detect_fps=5.0, **changes)

    def newest(self):
        """The last report of every camera."""
        return {
            report.camera_id: report
            for message in self.messages
            if isinstance(message, Heartbeat)
            for report in message.streams
        }

    def process_of(self, key: str) -> int:
        return next(report.pid for report in self.supervisor.reports() if report.key == key)

    async def until(self, condition, what: str, timeout_s: float = 60.0):
        deadline_s = time.monotonic() + timeout_s
        while not (found := condition()):
            assert time.monotonic() < deadline_s, f"waited in vain for {what}; {self.states} {self.newest()}"
            await asyncio.sleep(0.05)
        return found


@pytest.fixture
def run_service(tmp_path):
    model = save_toy_openvino(tmp_path / "toy_openvino_model")

    def run(scenario) -> None:
        async def whole() -> None:
            service = Service(tmp_path, model)
            await service.supervisor.start()
            try:
                await scenario(service)
            finally:
                await service.supervisor.stop()

        asyncio.run(whole())

    return run


@pytest.fixture
def busy_clip(tmp_path):
    return make_clip(tmp_path / "busy.mp4", width=96, height=64, n_frames=75)


@pytest.mark.timeout(120)
def test_one_detector_serves_the_cameras_of_two_workers(run_service, busy_clip):
    async def scenario(service):
        names = ["a", "b", "c", "d"]
        service.supervisor.set_cameras(tuple(service.job(name, busy_clip) for name in names))

        await service.until(
            lambda: len(newest := service.newest()) == 4 and all(r.n_detections > 3 for r in newest.values()),
            "vehicles on all four cameras",
        )

        keys = [report.key for report in service.supervisor.reports()]
        engines = [report.engine is not None for report in service.supervisor.reports()]
        assert keys == ["1", "2", DETECTOR]
        assert engines == [False, False, True]
        assert sum(isinstance(message, EngineOpened) for message in service.messages) == 1
        tracks = RingReader.open(service.folder / "a.ring").tracks_after(0)
        assert {mark.label for seen in tracks for mark in seen.tracks} == {"car"}

    run_service(scenario)


@pytest.mark.timeout(120)
def test_a_killed_detector_is_back_while_pictures_go_on_and_tiles_say_so(run_service, busy_clip):
    async def scenario(service):
        service.supervisor.set_cameras((service.job("a", busy_clip),))
        service.supervisor.set_views({"a": CLIP_WH})
        await service.until(lambda: service.newest().get("a") and service.newest()["a"].n_detections, "a vehicle")
        before, worker = service.newest()["a"], service.process_of("1")

        os.kill(service.process_of(DETECTOR), signal.SIGKILL)

        await service.until(lambda: "detector is away" in service.newest()["a"].detection_reason, "the tile to say so")
        away = service.newest()["a"]
        assert away.state is StreamState.LIVE
        assert away.n_frames > before.n_frames
        await service.until(lambda: service.newest()["a"].n_detections > away.n_detections, "vehicles again")
        assert service.newest()["a"].detection_reason == ""
        assert service.process_of("1") == worker
        assert not list(service.folder.glob("*.looks")) or len(list(service.folder.glob("*.looks"))) == 1

    run_service(scenario)


@pytest.mark.timeout(120)
def test_a_killed_worker_takes_only_its_own_cameras_along(run_service, busy_clip):
    async def scenario(service):
        service.supervisor.set_cameras(tuple(service.job(name, busy_clip) for name in "abc"))
        await service.until(
            lambda: len(service.newest()) == 3 and all(r.n_detections for r in service.newest().values()), "vehicles"
        )
        detector = service.process_of(DETECTOR)
        others = next(report.camera_ids for report in service.supervisor.reports() if report.key == "2")

        os.kill(service.process_of("1"), signal.SIGKILL)
        service.messages.clear()

        await service.until(
            lambda: len(service.newest()) == 3 and all(r.n_detections for r in service.newest().values()),
            "vehicles on all cameras again",
        )
        assert service.process_of(DETECTOR) == detector
        assert others
        assert service.supervisor.n_restarts == 1

    run_service(scenario)


@pytest.mark.timeout(120)
def test_a_still_scene_rests_and_keeps_the_vehicle_that_stands_in_it(run_service, tmp_path):
    # 32 px at 4 px a picture, one picture long: the square stands where it began.
    clip = make_clip(tmp_path / "still.mp4", width=96, height=64, n_frames=1, fps=10)

    async def scenario(service):
        service.supervisor.set_cameras((service.job("a", clip),))

        await service.until(lambda: service.newest().get("a") and service.newest()["a"].is_quiet, "a quiet scene")
        await service.until(lambda: 0 < service.newest()["a"].detect_fps < 1.5, "fewer looks")

        report = service.newest()["a"]
        assert report.detect_fps_wanted == 5.0
        assert not report.is_detection_reduced
        sets = RingReader.open(service.folder / "a.ring").tracks_after(0)
        assert {mark.track_id for seen in sets[-20:] for mark in seen.tracks} == {1}
        assert all(len(seen.tracks) == 1 for seen in sets[-20:])

    run_service(scenario)


@pytest.mark.timeout(120)
def test_another_scene_of_a_camera_goes_on_with_the_same_detector(run_service, busy_clip):
    async def scenario(service):
        service.supervisor.set_cameras((service.job("a", busy_clip),))
        await service.until(lambda: service.newest().get("a") and service.newest()["a"].n_detections, "a vehicle")
        whole = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
        mask = Mask(key="m", name="M", polygon=whole, kind=MaskKind.PRIVACY)

        service.supervisor.set_cameras((service.job("a", busy_clip, scene=Scene(masks=(mask,))),))
        await asyncio.sleep(0)
        service.messages.clear()

        await service.until(
            lambda: (
                service.newest().get("a") and service.newest()["a"].n_frames > 40 and service.newest()["a"].detect_fps
            ),
            "the new scene to be looked at",
        )
        assert service.newest()["a"].n_detections == 0

    run_service(scenario)
