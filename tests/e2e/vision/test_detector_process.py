"""The detection service with real processes: workers, one detector, shared pictures, and what happens when one dies."""

import asyncio
import itertools
import os
import signal
import time
from dataclasses import replace

import av
import numpy as np
import pytest

from core.media.convert import to_jpeg
from core.media.model import SourceSpec, StreamState
from core.media.ring import FrameRing, RingReader
from core.node.supervisor import DETECTOR, VisionSupervisor
from core.sim.kserve import InferenceServer
from core.vision.engine import open_engine
from core.vision.messages import CameraJob, EngineFailed, EngineOpened, Heartbeat, WorkerConfig
from core.vision.model import CountLine, Mask, MaskKind, PlanePoint, RoadPlane, Scene
from core.vision.models import find_model
from tests.fixtures.clips import make_clip
from tests.unit.media.test_pushed import put
from tests.unit.vision.toy_model import save_toy_openvino

CLIP_WH = (96, 64)
CLIP_FPS = 25


class Service:
    """Cameras on a supervisor, and everything it says."""

    def __init__(self, folder, model, *, cameras_per_worker=2) -> None:
        self.model = model
        self.folder = folder
        self.messages: list[object] = []
        self.states: list[tuple[str, str]] = []
        config = WorkerConfig(key="", models=folder, logs=folder, model=str(model), confidence=0.3)
        self.supervisor = VisionSupervisor(
            config,
            cameras_per_worker=cameras_per_worker,
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

    def who_said(self, sentence: str) -> set[str]:
        """The cameras that ever gave this reason."""
        return {
            report.camera_id
            for message in self.messages
            if isinstance(message, Heartbeat)
            for report in message.streams
            if sentence in report.detection_reason
        }

    def failures(self):
        """Why there is no detection, as the operator is told."""
        return [message.message for message in self.messages if isinstance(message, EngineFailed)]

    def process_of(self, key: str) -> int:
        return next(report.pid for report in self.supervisor.reports() if report.key == key)

    async def until(self, condition, what: str, timeout_s: float = 120.0):
        deadline_s = time.monotonic() + timeout_s
        while not (found := condition()):
            assert time.monotonic() < deadline_s, f"waited in vain for {what}; {self.states} {self.newest()}"
            await asyncio.sleep(0.05)
        return found


@pytest.fixture
def run_service(tmp_path):
    toy = save_toy_openvino(tmp_path / "toy_openvino_model")

    def run(scenario, model=toy) -> None:
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
def toy_engine(run_service, tmp_path):
    found = find_model(tmp_path / "toy_openvino_model", folder=tmp_path, allow_download=False)
    engine = open_engine(found, n_threads=1)
    yield engine
    engine.close()


@pytest.fixture
def busy_clip(tmp_path):
    return make_clip(tmp_path / "busy.mp4", width=96, height=64, n_frames=75)


@pytest.mark.timeout(300)
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


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("how", "sentence"), [(signal.SIGKILL, "detector is away"), (signal.SIGSTOP, "detector does not answer")]
)
def test_after_a_detector_died_or_hung_all_cameras_look_again_and_tiles_say_so_meanwhile(
    run_service, busy_clip, how, sentence
):
    async def scenario(service):
        names = ["a", "b", "c", "d"]
        service.supervisor.set_cameras(tuple(service.job(name, busy_clip) for name in names))
        await service.until(
            lambda: len(newest := service.newest()) == 4 and all(r.n_detections for r in newest.values()), "vehicles"
        )
        before, workers = service.newest(), [service.process_of("1"), service.process_of("2")]
        service.messages.clear()

        struck = {service.process_of(DETECTOR)}
        os.kill(*struck, how)

        def all_say_so() -> bool:
            # One that died is back within a second, and tiles are told once a second: strike again, it waits longer.
            detector = next(report for report in service.supervisor.reports() if report.key == DETECTOR)
            if how is signal.SIGKILL and detector.state == "running" and detector.pid not in struck:
                struck.add(detector.pid)
                os.kill(detector.pid, how)
            return service.who_said(sentence) == set(names)

        await service.until(all_say_so, "every tile to say so")
        away = service.newest()
        assert {report.state for report in away.values()} == {StreamState.LIVE}
        assert all(away[name].n_frames > before[name].n_frames for name in names)
        await service.until(
            lambda: all(service.newest()[name].n_detections > away[name].n_detections for name in names),
            "vehicles on every camera again",
        )
        assert not [name for name, report in service.newest().items() if sentence in report.detection_reason]
        assert [service.process_of("1"), service.process_of("2")] == workers
        assert service.supervisor.n_restarts == len(struck)

    run_service(scenario)


@pytest.mark.timeout(300)
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
        # What the killed worker mapped is gone: megabytes for each camera, at each crash.
        assert len(list(service.folder.glob("*.looks"))) == 3

    run_service(scenario)


@pytest.mark.timeout(300)
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


@pytest.mark.timeout(300)
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


@pytest.mark.timeout(400)
def test_overload_lowers_every_rate_evenly_says_so_and_no_picture_waits_in_a_queue(run_service, toy_engine, busy_clip):
    with InferenceServer(toy_engine, n_batch=1) as server:
        server.cost_s = 0.1  # Ten looks a second at most, for six cameras that want thirty.

        async def scenario(service):
            names = list("abcdef")
            service.supervisor.set_views(dict.fromkeys(names, CLIP_WH))
            service.supervisor.set_cameras(tuple(service.job(name, busy_clip) for name in names))
            await service.until(
                lambda: (
                    len(newest := service.newest()) == 6
                    and all(r.is_detection_reduced and 0 < r.detect_fps < 3 for r in newest.values())
                ),
                "every camera to be looked at less often",
            )
            watched = [Watched(RingReader.open(service.folder / f"{name}.ring")) for name in names]
            for _ in range(80):
                await asyncio.sleep(0.1)
                for camera in watched:
                    camera.take()

            reports = service.newest()
            assert len({round(report.detection_share, 3) for report in reports.values()}) <= 2
            assert all("every camera gets" in report.detection_reason for report in reports.values())
            n_looks = [camera.n_looks for camera in watched]
            assert min(n_looks) >= 5
            assert max(n_looks) <= 1.5 * min(n_looks)
            # Two of three pictures are not looked at: a queue would keep back more with every second.
            assert max(camera.n_behind for camera in watched) < 60
            assert min(camera.n_shown for camera in watched) > 2 * 60

        run_service(scenario, server.url)


@pytest.mark.timeout(400)
def test_a_server_that_stalls_refuses_goes_away_and_comes_back_is_found_again(run_service, toy_engine, busy_clip):
    async def scenario(service):
        server = servers[0]
        service.supervisor.set_cameras((service.job("a", busy_clip),))

        async def until_detecting():
            known = service.newest()["a"].n_detections if "a" in service.newest() else 0
            await service.until(
                lambda: (report := service.newest().get("a")) and report.n_detections > known + 2, "vehicles"
            )

        def reason_of_detector():
            return next(report.reason for report in service.supervisor.reports() if report.key == DETECTOR)

        async def until_told(words):
            await service.until(lambda: any(words in text for text in service.failures()), f"{words!r} to be told")

        await until_detecting()

        server.hang.clear()
        await until_told("does not answer in time")
        assert "does not answer in time" in reason_of_detector()
        server.hang.set()
        await until_detecting()
        assert reason_of_detector() == ""

        server.is_broken = True
        await until_told("the card fell off the bus")
        server.is_broken = False
        await until_detecting()

        server.__exit__()
        await until_told("cannot be reached")
        with InferenceServer(toy_engine, port=server.port):
            await until_detecting()
        assert service.newest()["a"].state is StreamState.LIVE

    servers = [InferenceServer(toy_engine).__enter__()]
    run_service(scenario, servers[0].url)


@pytest.mark.timeout(300)
def test_a_model_that_is_put_right_is_used_without_a_restart_of_the_node(run_service, busy_clip, tmp_path):
    async def scenario(service):
        service.supervisor.set_cameras((service.job("a", busy_clip),))
        await service.until(service.failures, "a sentence about the missing model")
        assert "late_openvino_model" in service.failures()[0]

        save_toy_openvino(tmp_path / "late_openvino_model")

        await service.until(lambda: (report := service.newest().get("a")) and report.n_detections, "vehicles")
        assert service.supervisor.n_restarts == 0

    run_service(scenario, tmp_path / "late_openvino_model")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_other_classes_and_a_road_on_one_line_are_said_and_the_neighbour_loses_no_picture(run_service, busy_clip):
    on_a_line = RoadPlane(
        points=tuple(PlanePoint(picture=(0.2 * n, 0.2 * n), ground_xy_m=(0.0, 5.0 * n)) for n in range(1, 5))
    )

    async def scenario(service):
        service.supervisor.set_cameras(
            (
                service.job("good", busy_clip),
                replace(service.job("other", busy_clip), labels=("giraffe",)),
                service.job("road", busy_clip, scene=Scene(plane=on_a_line)),
            )
        )

        await service.until(
            lambda: (
                len(newest := service.newest()) == 3 and newest["good"].n_detections and newest["road"].n_detections
            ),
            "vehicles on the cameras that can see them",
        )
        await service.until(lambda: service.who_said("giraffe") == {"other"}, "the other classes to be said")
        await service.until(lambda: service.who_said("on one line") == {"road"}, "the bad road to be said")

        before = service.newest()["good"]
        await service.until(lambda: service.newest()["good"].n_frames > before.n_frames + 3 * CLIP_FPS, "three seconds")
        after = service.newest()["good"]
        assert (after.detection_reason, after.n_dropped, after.n_damaged) == ("", before.n_dropped, 0)
        assert service.newest()["other"].n_detections == 0

    run_service(scenario)


@pytest.mark.timeout(300)
def test_another_model_under_the_same_name_is_taken_with_its_own_classes_at_the_next_start(
    run_service, busy_clip, tmp_path
):
    async def scenario(service):
        service.supervisor.set_cameras((service.job("a", busy_clip),))
        reader = RingReader.open(service.folder / "a.ring")
        await service.until(lambda: _labels(reader) == {"car"}, "cars")
        described = tmp_path / "toy_openvino_model" / "metadata.yaml"
        described.write_text(described.read_text("utf-8").replace("0: car", "0: truck"), "utf-8")

        os.kill(service.process_of(DETECTOR), signal.SIGKILL)

        opened = await service.until(
            lambda: [m.engine.labels for m in service.messages if isinstance(m, EngineOpened)][1:], "the next engine"
        )
        assert opened == [("truck", "bus")]
        # The camera asks for cars only: trucks must not go on under the name that they had.
        await service.until(lambda: _newest_tracks(reader) == (), "no car any more")

    run_service(scenario)


def test_a_line_that_is_moved_bares_nothing_of_a_reshaped_camera_nor_does_a_worker_that_dies_then(
    run_service, tmp_path
):
    posted = tmp_path / "posted.jpg"
    corner = Mask(key="m", name="M", polygon=((0.0, 0.0), (0.2, 0.0), (0.2, 0.2)), kind=MaskKind.PRIVACY)
    elsewhere = replace(corner, polygon=((0.8, 0.8), (1.0, 0.8), (1.0, 1.0)))
    line = CountLine(key="gate", name="Gate", start=(0.1, 0.5), end=(0.9, 0.5))
    levels = itertools.cycle(range(100, 200))

    def post(wh):
        rgb = np.full((wh[1], wh[0], 3), next(levels), np.uint8)
        put(posted, to_jpeg(av.VideoFrame.from_ndarray(rgb, format="rgb24"), max_wh=wh, quality=90))

    async def scenario(service):
        whole = replace(service.job("a", posted), source=SourceSpec(address=f"edge:{posted}"))

        async def report_of(wh, scene):
            """Go on posting; return a report of pictures of this shape under this scene."""
            if scene is not None:
                service.supervisor.set_cameras((replace(whole, scene=scene),))
                # What the worker said of the scene before is out of the way.
                await asyncio.sleep(2.0)
            service.messages.clear()

            def shown():
                post(wh)
                report = service.newest().get("a")
                return report if report and (report.width, report.height) == wh and report.n_frames > 5 else None

            return await service.until(shown, f"{wh} under {scene}")

        masked = Scene(masks=(corner,))
        post((320, 180))
        assert not (await report_of((320, 180), masked)).is_hidden
        assert (await report_of((240, 180), None)).is_hidden
        assert (await report_of((240, 180), replace(masked, lines=(line,)))).is_hidden

        killed = service.process_of("1")
        os.kill(killed, signal.SIGKILL)
        await service.until(lambda: service.process_of("1") not in (killed, None), "another worker")
        assert (await report_of((240, 180), None)).is_hidden

        assert not (await report_of((240, 180), Scene(masks=(elsewhere,)))).is_hidden

    run_service(scenario)


class Watched:
    """One camera's ring, read again and again: how many looks came, and how far the last is behind the picture."""

    def __init__(self, reader):
        self._reader = reader
        self._last = reader.tracks_after(0)[-1]
        self._first_frame = reader.newest_frame(0).sequence
        self.n_looks = self.n_shown = 0
        self.n_behind = 0.0

    def take(self):
        seen = self._reader.tracks_after(self._last.sequence)
        self.n_looks += len(seen)
        self._last = seen[-1] if seen else self._last
        frame = self._reader.newest_frame(0)
        self.n_shown = frame.sequence - self._first_frame
        self.n_behind = max(self.n_behind, (frame.pts_s - self._last.pts_s) * CLIP_FPS)


def _newest_tracks(reader):
    sets = reader.tracks_after(0)
    return tuple(sets[-1].tracks) if sets else None


def _labels(reader):
    return {mark.label for seen in reader.tracks_after(0)[-3:] for mark in seen.tracks}
