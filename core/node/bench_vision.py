"""What vision costs on this machine: one stream, many cameras, memory; with the real workers and the real detector."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
import psutil
from numpy.typing import NDArray

from core.kernel.bench import BenchResult, Figure
from core.kernel.errors import BadInputError, UnavailableError
from core.kernel.paths import memory_folder
from core.media.bench import make_bench_clip
from core.media.convert import TileScaler
from core.media.model import SourceSpec, StreamReport
from core.media.ring import FrameRing
from core.node.supervisor import VisionSupervisor
from core.vision.engine import open_engine
from core.vision.gate import LATE_S
from core.vision.messages import CameraJob, EngineFailed, Heartbeat, WorkerConfig
from core.vision.models import ModelFile, find_model
from core.vision.schedule import FULL_SHARE, GIVEN_SHARE

DETECT_FPS = 5.0
ROAD_WH, ROAD_FPS, ROAD_S = (640, 360), 10, 20
STREAM_WH = (640, 384)
VEHICLES = (0, 1, 5, 10, 20, 30)
SETTLE_S, MEASURE_S = 12.0, 30.0
SIZES = ((640, 384), (512, 288), (320, 192))
DUTIES = {"busy": 1.0, "mixed": 0.3, "quiet": 0.0}
"""Part of the time with vehicles in the picture."""

N_CROWD, MOST_CROWD = 24, 48
CROWD_SETTLE_S, CROWD_S = 15.0, float(ROAD_S)
N_MEMORY = 6

_START_S = 180.0
Rgb = NDArray[np.uint8]


def bench_stream(clip: Path, model: str | Path, *, folder: Path) -> BenchResult:
    """Measure one analysed stream at 5 pictures a second for several numbers of vehicles on a road of ours.

    CPU of worker and detector together, less the CPU of the same worker without detection, which is stated apart. On a
    machine that does other things as well fewer pictures may be looked at: the figures are always for five a second.

    Args:
        clip: Vehicles are cut out of its pictures.
        model: As in `find_model`; looked through at 640x384.
        folder: For converted models and clips.

    Raises:
        BadInputError, UnavailableError: There is no such clip or model, or vision does not start.
    """
    found = find_model(model, folder=folder, allow_download=False)
    sprites = cut_sprites(clip, found, folder)
    road = make_road(folder / "road.mp4", sprites, n_vehicles=5)
    decode = asyncio.run(_measure([road], found, folder, input_wh=STREAM_WH, detect_fps=0.0))
    named = f"{found.name} {STREAM_WH[0]}x{STREAM_WH[1]}, {ROAD_WH[0]}x{ROAD_WH[1]} H.264 at {ROAD_FPS}/s, decode apart"
    figures: dict[str, Figure] = {}
    busy: list[float] = []
    for n_vehicles in VEHICLES:
        road = make_road(folder / f"road-{n_vehicles}.mp4", sprites, n_vehicles=n_vehicles)
        seen = asyncio.run(_measure([road], found, folder, input_wh=STREAM_WH, detect_fps=DETECT_FPS))
        percent = seen.core_percent - decode.core_percent
        text = f"{named}; {seen.looks_per_s:.1f} looks/s, {seen.tracks:.1f} detections/s"
        if n_vehicles and 0 < seen.looks_per_s < DETECT_FPS:
            percent *= DETECT_FPS / seen.looks_per_s
        if n_vehicles == 0:
            figures["quiet_core_percent"] = Figure(value=percent, unit="% of a core", reference=f"{text} (<= 1.5)")
            continue
        busy.append(percent)
        figures[f"busy_core_percent_{n_vehicles}"] = Figure(value=percent, unit="% of a core", reference=text)
    figures["busy_core_percent"] = Figure(
        value=max(busy), unit="% of a core", reference=f"the most of {VEHICLES[1:]} vehicles; {named} (<= 14)"
    )
    figures["engine_core_percent"] = Figure(
        value=_engine_percent(road, found, folder),
        unit="% of a core",
        reference=f"of that, the bare engine on the same pictures, prepared beforehand, {DETECT_FPS:g} a second",
    )
    figures["decode_core_percent"] = Figure(
        value=decode.core_percent, unit="% of a core", reference="the same worker without detection: decode, reports"
    )
    return BenchResult(bench="stream", figures=figures)


def bench_cameras(clip: Path, model: str | Path, *, folder: Path) -> BenchResult:
    """Measure how many cameras this machine analyses at 5 pictures a second before their rate falls.

    More cameras than it can are started, and the share that each gets tells how many would get all of it; once for
    each input size, and for roads that are busy, busy for 30 % of the time, and empty. The same from the CPU time of
    the processes (`…_by_cpu`) holds on a machine that does other things meanwhile; where the engine has nothing to do
    it is the only one.

    Args:
        clip: Vehicles are cut out of its pictures.
        model: As in `find_model`; one that takes any size, else its own size only.
        folder: For converted models and clips.

    Raises:
        BadInputError, UnavailableError: There is no such clip or model, or vision does not start.
    """
    found = find_model(model, folder=folder, allow_download=False)
    sprites = cut_sprites(clip, found, folder)
    figures: dict[str, Figure] = {}
    for name, duty in DUTIES.items():
        roads = [
            make_road(folder / f"{name}-{turn}.mp4", sprites, n_vehicles=6, duty=duty, phase=turn / 5)
            for turn in range(5)
        ]
        for wh in SIZES:
            seen = asyncio.run(_crowd(roads, found, folder, wh))
            named = f"{seen.engine}, {ROAD_WH[0]}x{ROAD_WH[1]} streams at {ROAD_FPS}/s, decode included"
            key = f"{name}_{wh[0]}x{wh[1]}"
            if seen.share < 1.0:
                figures[key] = Figure(
                    value=seen.n_possible,
                    unit="cameras",
                    reference=f"{seen.n_cameras} cameras got {seen.share:.0%} of {DETECT_FPS:g}/s; {named}",
                )
            figures[f"{key}_by_cpu"] = Figure(
                value=seen.n_by_cpu,
                unit="cameras",
                reference=f"a camera took {seen.worker_percent:.1f} % of a core to read and follow, "
                f"{seen.detector_percent:.1f} % to detect; {named}",
            )
    return BenchResult(bench="cameras", figures=figures)


def bench_memory(model: str | Path, *, folder: Path) -> BenchResult:
    """Measure what a camera more costs in memory: 1080p H.264, shown at 480x270 and analysed.

    Raises:
        BadInputError, UnavailableError: There is no such model, or vision does not start.
    """
    found = find_model(model, folder=folder, allow_download=False)
    clip = make_bench_clip(folder / "main.mp4")
    one, many = (
        asyncio.run(
            _measure([clip] * n, found, folder, input_wh=None, detect_fps=DETECT_FPS, view_wh=(480, 270))
        ).memory_mb
        for n in (1, N_MEMORY)
    )
    reference = f"{N_MEMORY} cameras {many:.0f} MB, one {one:.0f} MB; worker and detector, shared pages once (<= 60)"
    return BenchResult(
        bench="memory",
        figures={
            "mb_per_camera": Figure(value=(many - one) / (N_MEMORY - 1), unit="MB", reference=reference),
            "mb_first_camera": Figure(value=one, unit="MB", reference="both processes with one camera"),
        },
    )


def _engine_percent(road: Path, model: ModelFile, folder: Path) -> float:
    """Return what the engine alone takes for five pictures a second, with as many threads as it has in the service."""
    engine = open_engine(model, n_threads=_n_threads(), cache_dir=folder / "cache", input_wh=STREAM_WH)
    scaler = TileScaler()
    with av.open(str(road)) as container:
        frames = itertools.islice(container.decode(video=0), 0, 100, 2)
        pictures = [scaler.to_network_rgb(frame, STREAM_WH)[0][None] for frame in frames]
    for picture in pictures[:5]:
        engine.infer(picture)
    began_s = time.process_time()
    for picture in pictures:
        engine.infer(picture)
    took_s = time.process_time() - began_s
    engine.close()
    return 100.0 * DETECT_FPS * took_s / len(pictures)


# Roads


def cut_sprites(clip: Path, model: ModelFile, folder: Path) -> list[Rgb]:
    """Cut vehicles out of a clip where the model is sure of them; each (h, w, 3).

    Raises:
        BadInputError: The model sees none.
    """
    engine = open_engine(model, n_threads=1, cache_dir=folder / "cache")
    scaler = TileScaler()
    sprites: list[Rgb] = []
    with av.open(str(clip)) as container:
        for frame in itertools.islice(container.decode(video=0), 0, 200, 10):
            rgb, letterbox = scaler.to_network_rgb(frame, engine.info.input_wh)
            boxes = engine.infer(rgb[None])[0]
            whole = frame.to_ndarray(format="rgb24")
            scale = [frame.width, frame.height, frame.width, frame.height]
            found = letterbox.to_fractions(boxes[boxes[:, 4] > 0.5, :4]) * scale
            for x1, y1, x2, y2 in np.rint(found).astype(int).tolist():
                if min(x2 - x1, y2 - y1) >= 24:
                    sprites.append(np.ascontiguousarray(whole[y1:y2, x1:x2]))
    engine.close()
    if not sprites:
        raise BadInputError(f"The model {model.name} sees no vehicle in {clip.name}.", hint="Name another clip.")
    return sorted(sprites, key=lambda sprite: -sprite.size)[:24]


def make_road(path: Path, sprites: list[Rgb], *, n_vehicles: int, duty: float = 1.0, phase: float = 0.0) -> Path:
    """Write a clip of a road on which vehicles drive towards the camera.

    Args:
        path: An MP4.
        sprites: Vehicles.
        n_vehicles: On the road at any time while there are any.
        duty: Part of the clip with vehicles.
        phase: Where in the clip that part begins, 0..1.
    """
    width, height = ROAD_WH
    random = np.random.default_rng(7)
    n_frames = ROAD_FPS * ROAD_S
    empty = _empty_road(random)
    lanes = random.uniform(0.15, 0.85, max(1, n_vehicles))
    starts = random.uniform(0.0, 1.0, max(1, n_vehicles))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=ROAD_FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 800_000
        stream.time_base = Fraction(1, ROAD_FPS)
        stream.options = {"preset": "veryfast", "g": "40", "bf": "0"}
        for number in range(n_frames):
            picture = empty.copy()
            if (number / n_frames - phase) % 1.0 < duty:
                for index in np.argsort((starts[:n_vehicles] + number / (ROAD_FPS * 5.0)) % 1.0):
                    way = float((starts[index] + number / (ROAD_FPS * 5.0)) % 1.0)
                    _paste(picture, sprites[int(index) % len(sprites)], float(lanes[index]), way)
            noisy = np.clip(picture + random.normal(0.0, 1.0, (height, width, 1)), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
        container.mux(stream.encode())
    return path


def _empty_road(random: np.random.Generator) -> NDArray[np.float32]:
    width, height = ROAD_WH
    coarse = random.normal(0.0, 10.0, (height // 8, width // 8, 1)).astype(np.float32)
    ground = np.kron(coarse, np.ones((8, 8, 1), np.float32)) + np.float32(105.0)
    return np.repeat(ground, 3, axis=2)


def _paste(picture: NDArray[np.float32], sprite: Rgb, lane: float, way: float) -> None:
    """Put a vehicle on the road, `way` 0 far away to 1 near; cut off at the picture's edge."""
    height, width = picture.shape[:2]
    sprite_h = 14 + 90 * way * way
    scale = sprite_h / sprite.shape[0]
    rows = (np.arange(int(sprite_h)) / scale).astype(int).clip(0, sprite.shape[0] - 1)
    columns = (np.arange(int(sprite.shape[1] * scale)) / scale).astype(int).clip(0, sprite.shape[1] - 1)
    small = sprite[rows][:, columns]
    centre = width * (0.5 + (lane - 0.5) * (0.35 + 0.65 * way))
    x1, y1 = int(centre - small.shape[1] / 2), int(height * (0.12 + 0.7 * way * way) - sprite_h / 2)
    left, top = max(0, -x1), max(0, -y1)
    part = small[top : max(top, height - y1), left : max(left, width - x1)]
    picture[y1 + top : y1 + top + part.shape[0], x1 + left : x1 + left + part.shape[1]] = part


# Runs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    core_percent: float
    memory_mb: float
    looks_per_s: float
    tracks: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crowd:
    n_cameras: int
    n_possible: int
    n_by_cpu: int
    share: float
    worker_percent: float
    detector_percent: float
    engine: str


class Vision:
    """Workers and detector on a supervisor of their own; used as an async context manager."""

    def __init__(self, folder: Path, model: ModelFile, input_wh: tuple[int, int] | None) -> None:
        """Begin with no camera; models lie in `folder`."""
        # As in a node: pictures lie in memory.
        self._scratch = tempfile.TemporaryDirectory(prefix="watchfloor-bench-", dir=memory_folder())
        self._folder = Path(self._scratch.name)
        self._reports: dict[str, StreamReport] = {}
        self.on_message: Callable[[object], None] = lambda _message: None
        """Hears what the workers send beside their reports."""

        self._failure: EngineFailed | None = None
        config = WorkerConfig(
            key="",
            models=folder,
            logs=self._folder,
            model=model.address,
            n_threads=_n_threads(),
            input_wh=input_wh,
        )
        self.supervisor = VisionSupervisor(
            config, cameras_per_worker=16, on_message=self._take, on_worker=lambda _report: None
        )

    async def __aenter__(self) -> Vision:
        """Start the processes."""
        await self.supervisor.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them."""
        await self.supervisor.stop()
        self._scratch.cleanup()

    def read(self, clips: list[Path], *, detect_fps: float, view_wh: tuple[int, int]) -> None:
        """Play each clip as a camera, again and again."""
        jobs = []
        for number, clip in enumerate(clips):
            ring = self._folder / f"bench-{number}.ring"
            FrameRing.create(ring, camera_id=f"bench-{number}").close()
            source = SourceSpec(address=str(clip), loops=True)
            jobs.append(CameraJob(camera_id=f"bench-{number}", source=source, ring=ring, detect_fps=detect_fps))
        self.supervisor.set_views(dict.fromkeys((job.camera_id for job in jobs), view_wh))
        self.supervisor.set_cameras(tuple(jobs))

    async def until_live(self, n_cameras: int, *, is_detecting: bool) -> None:
        """Wait for every camera's pictures.

        Raises:
            UnavailableError: They do not come.
        """
        deadline_s = time.monotonic() + _START_S
        while time.monotonic() < deadline_s:
            if self._failure is not None:
                raise UnavailableError(self._failure.message, hint=self._failure.hint)
            live = [report for report in self._reports.values() if report.n_frames]
            if len(live) == n_cameras and (not is_detecting or all(report.detect_fps for report in live)):
                return
            await asyncio.sleep(0.2)
        raise UnavailableError("The cameras of the bench do not come.", hint="The log of the worker says more.")

    @property
    def reports(self) -> tuple[StreamReport, ...]:
        """How every camera is, by its newest report."""
        return tuple(self._reports.values())

    def processes(self) -> list[psutil.Process]:
        """Return the workers, and the detector last."""
        pids = [report.pid for report in self.supervisor.reports() if report.pid is not None]
        return [psutil.Process(pid) for pid in pids]

    def engine(self) -> str:
        """Return what detects, in words."""
        engines = [report.engine for report in self.supervisor.reports() if report.engine is not None]
        return f"{engines[0].model_name} {engines[0].engine} {engines[0].precision}" if engines else "no engine"

    def _take(self, message: object) -> None:
        if isinstance(message, Heartbeat):
            self._reports.update({report.camera_id: report for report in message.streams})
        elif isinstance(message, EngineFailed):
            self._failure = message
        else:
            self.on_message(message)


async def _measure(
    clips: list[Path],
    model: ModelFile,
    folder: Path,
    *,
    input_wh: tuple[int, int] | None,
    detect_fps: float,
    view_wh: tuple[int, int] = (32, 18),
) -> _Measured:
    """Run cameras and take CPU time and memory; a tiny view keeps every picture decoded."""
    async with Vision(folder, model, input_wh) as vision:
        vision.read(clips, detect_fps=detect_fps, view_wh=view_wh)
        await vision.until_live(len(clips), is_detecting=detect_fps > 0)
        await asyncio.sleep(SETTLE_S)
        processes = vision.processes()
        began_s, began_cpu_s = time.monotonic(), sum(map(_cpu_s, processes))
        n_before = sum(report.n_detections for report in vision.reports)
        rates = []
        while time.monotonic() - began_s < MEASURE_S:
            await asyncio.sleep(1.0)
            rates.append(sum(report.detect_fps for report in vision.reports))
        took_s = time.monotonic() - began_s
        return _Measured(
            core_percent=100.0 * (sum(map(_cpu_s, processes)) - began_cpu_s) / took_s,
            memory_mb=sum(map(_memory_mb, processes)),
            looks_per_s=statistics.mean(rates),
            tracks=(sum(report.n_detections for report in vision.reports) - n_before) / took_s,
        )


async def _crowd(roads: list[Path], model: ModelFile, folder: Path, wh: tuple[int, int]) -> _Crowd:
    """Let more cameras than can be ask for looks, and see which share they get; double them once where all get all."""
    n_cameras = N_CROWD
    while True:
        async with Vision(folder, model, wh) as vision:
            clips = [roads[number % len(roads)] for number in range(n_cameras)]
            vision.read(clips, detect_fps=DETECT_FPS, view_wh=(32, 18))
            await vision.until_live(n_cameras, is_detecting=False)
            await asyncio.sleep(CROWD_SETTLE_S)
            *workers, detector = vision.processes()
            began_s, began_cpu_s = time.monotonic(), (sum(map(_cpu_s, workers)), _cpu_s(detector))
            shares, looks, wanted = [], [], []
            for _ in range(int(CROWD_S)):
                await asyncio.sleep(1.0)
                shares.append(statistics.mean(_share_of(report) for report in vision.reports))
                looks.append(statistics.mean(report.detect_fps for report in vision.reports))
                wanted.append(statistics.mean(_wanted_of(report) for report in vision.reports))
            share = statistics.median(shares)
            per_camera = 100.0 / (time.monotonic() - began_s) / n_cameras
            worker_percent = (sum(map(_cpu_s, workers)) - began_cpu_s[0]) * per_camera
            # Who is looked at less often costs less: as if everybody was looked at as often as they want.
            detector_percent = (_cpu_s(detector) - began_cpu_s[1]) * per_camera * sum(wanted) / max(1e-3, sum(looks))
            # At the share's own limit the engine is busy to 97 %; the rate begins to fall at 90 %.
            crowd = _Crowd(
                n_cameras=n_cameras,
                n_possible=int(n_cameras * share * FULL_SHARE / GIVEN_SHARE),
                n_by_cpu=_n_by_cpu(worker_percent, detector_percent),
                share=share,
                worker_percent=worker_percent,
                detector_percent=detector_percent,
                engine=vision.engine(),
            )
            if share < 1.0 or n_cameras >= 2 * crowd.n_by_cpu or n_cameras >= MOST_CROWD:
                return crowd
        n_cameras *= 2


def _n_by_cpu(worker_percent: float, detector_percent: float) -> int:
    """Return for how many cameras neither the engine's threads nor the machine's cores are busy above 90 %."""
    by_engine = 100.0 * _n_threads() / detector_percent if detector_percent else math.inf
    by_machine = 100.0 * (os.cpu_count() or 2) / (worker_percent + detector_percent)
    return int(FULL_SHARE * min(by_engine, by_machine))


def _wanted_of(report: StreamReport) -> float:
    return 1.0 / LATE_S if report.is_quiet else report.detect_fps_wanted


def _share_of(report: StreamReport) -> float:
    return report.detection_share if report.is_detection_reduced else 1.0


def _n_threads() -> int:
    return max(1, (os.cpu_count() or 2) - 1)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _memory_mb(process: psutil.Process) -> float:
    info: Any = process.memory_full_info()
    return float(getattr(info, "pss", info.uss)) / 1e6
