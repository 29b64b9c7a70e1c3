"""What the detection service makes of an engine: the real detector process beside the bare engine, in turns."""

from __future__ import annotations

import contextlib
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import av
import psutil

from core.kernel.bench import Figure
from core.kernel.errors import UnavailableError
from core.kernel.paths import memory_folder
from core.media.convert import TileScaler
from core.vision.detector import run_detector
from core.vision.detector_link import DetectorLink
from core.vision.engine import Engine, Pictures, open_engine
from core.vision.looks import LookWriter
from core.vision.messages import (
    DetectorConfig,
    EngineFailed,
    LookAt,
    Looked,
    OpenLooks,
    StopWorker,
    UseDetector,
)
from core.vision.model import EngineInfo
from core.vision.models import ModelFile
from core.vision.schedule import MOTION

N_CAMERAS = 8
N_FRAMES = 60
N_ROUNDS = 5
ROUND_S = 4.0
_START_S = 120.0


@dataclass(frozen=True, slots=True)
class _Rate:
    per_s: float
    cpu_ms: float


def measure_service(clip: Path, model: ModelFile, folder: Path, *, n_threads: int) -> dict[str, Figure]:
    """Compare the service with its engine on one clip.

    Eight cameras send a picture as soon as their last was answered: prepared from decoded frames, through shared
    memory, with boxes coming back over the socket. The bare engine gets the same pictures, prepared beforehand, in one
    thread of this process. Both with as many engine threads, in turns.

    Args:
        clip: Its first frames are the pictures.
        model: From `find_model`.
        folder: For compiled models and shared pictures.
        n_threads: Of either engine.

    Returns:
        `ratio_to_engine` (pictures a second), and the same of CPU time, which a busy machine disturbs less.

    Raises:
        UnavailableError: The detector process does not start.
    """
    engine = open_engine(model, n_threads=n_threads, cache_dir=folder / "cache")
    frames = _read_frames(clip)
    prepared = [TileScaler().to_network_rgb(frame, engine.info.input_wh)[0][None] for frame in frames]
    bare: list[_Rate] = []
    served: list[_Rate] = []
    config = DetectorConfig(models=folder, logs=folder, model=model.address, n_threads=n_threads)
    with _service(config, frames) as service:
        for _ in range(N_ROUNDS):
            service.pause()
            bare.append(_run_bare(engine, prepared))
            service.go_on()
            served.append(service.measure())
    engine.close()
    named = f"bare engine, {n_threads} thread(s), {engine.info.precision} {engine.info.input_wh}, {clip.name}"
    ratios = [ours.per_s / theirs.per_s for ours, theirs in zip(served, bare, strict=True)]
    cpu_ratios = [theirs.cpu_ms / ours.cpu_ms for ours, theirs in zip(served, bare, strict=True)]
    return {
        "service_fps": Figure(value=statistics.median(one.per_s for one in served), unit="frames/s", reference=named),
        "ratio_to_engine": Figure(value=statistics.median(ratios), unit="ratio", reference=f"{named} (>= 0.95)"),
        "ratio_to_engine_spread": Figure(
            value=max(ratios) - min(ratios), unit="ratio", reference=f"over {N_ROUNDS} rounds"
        ),
        "cpu_ratio_to_engine": Figure(
            value=statistics.median(cpu_ratios), unit="ratio", reference=f"CPU of the detector process; {named}"
        ),
    }


def _read_frames(clip: Path) -> list[av.VideoFrame]:
    with av.open(str(clip)) as container:
        return [frame for frame, _ in zip(container.decode(video=0), range(N_FRAMES), strict=False)]


def _run_bare(engine: Engine, pictures: Sequence[Pictures]) -> _Rate:
    began_s, began_cpu_s, n = time.perf_counter(), time.process_time(), 0
    while (took_s := time.perf_counter() - began_s) < ROUND_S:
        engine.infer(pictures[n % len(pictures)])
        n += 1
    return _Rate(n / took_s, (time.process_time() - began_cpu_s) * 1000 / n)


class _Service:
    """A detector process with eight cameras that never wait longer than they must."""

    def __init__(self, pid: int, frames: list[av.VideoFrame], folder: Path) -> None:
        self._process = psutil.Process(pid)
        self._frames = frames
        self._folder = folder
        self._scaler = TileScaler()
        self._link = DetectorLink(on_engine=self._open, on_looked=self._take, on_gone=lambda: None)
        self._writers: dict[str, LookWriter] = {}
        self._runs = threading.Event()
        self._next = 0
        self.n_looked = 0

    def call(self, detector: UseDetector) -> None:
        self._link.start()
        self._link.use(detector)

    def pause(self) -> None:
        self._runs.clear()
        time.sleep(0.5)

    def go_on(self) -> None:
        self._runs.set()
        for camera_id in tuple(self._writers):
            self._ask(camera_id)
        time.sleep(0.5)

    def measure(self) -> _Rate:
        began_s, began_n, began_cpu_s = time.perf_counter(), self.n_looked, _cpu_s(self._process)
        time.sleep(ROUND_S)
        n = max(1, self.n_looked - began_n)
        took_s = time.perf_counter() - began_s
        return _Rate(n / took_s, (_cpu_s(self._process) - began_cpu_s) * 1000 / n)

    def close(self) -> None:
        self._runs.clear()
        self._link.stop()
        for writer in self._writers.values():
            writer.close()

    def _open(self, engine: EngineInfo) -> None:
        for number in range(N_CAMERAS):
            writer = LookWriter(self._folder, f"bench-{number}", engine.input_wh)
            self._link.send(OpenLooks(camera_id=f"bench-{number}", file=writer.path))
            self._writers[f"bench-{number}"] = writer

    def _take(self, looked: Looked) -> None:
        self.n_looked += looked.boxes is not None
        if self._runs.is_set():
            self._ask(looked.camera_id)

    def _ask(self, camera_id: str) -> None:
        writer = self._writers[camera_id]
        frame = self._frames[self._next % len(self._frames)]
        self._next += 1
        rgb, _ = self._scaler.to_network_rgb(frame, writer.wh)
        self._link.send(
            LookAt(
                camera_id=camera_id,
                sequence=writer.write([rgb]),
                received_s=time.monotonic(),
                urgency=MOTION,
                wanted_per_s=1.0,
            )
        )


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextlib.contextmanager
def _service(config: DetectorConfig, frames: list[av.VideoFrame]) -> Iterator[_Service]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run_detector, args=(theirs, config), name="bench-detector", daemon=True)
    process.start()
    theirs.close()
    assert process.pid is not None
    with tempfile.TemporaryDirectory(prefix="watchfloor-bench-", dir=memory_folder()) as folder:
        service = _Service(process.pid, frames, Path(folder))
        try:
            deadline_s = time.monotonic() + _START_S
            while True:
                if not ours.poll(max(0.0, deadline_s - time.monotonic())):
                    raise UnavailableError("The detector process does not start.")
                message = ours.recv()
                if isinstance(message, EngineFailed):
                    raise UnavailableError(message.message, hint=message.hint)
                if isinstance(message, UseDetector):
                    break
            # Its reports are read, so that its pipe never fills.
            threading.Thread(target=_drain, args=(ours,), daemon=True).start()
            service.call(message)
            time.sleep(1.0)
            yield service
        finally:
            service.close()
            with contextlib.suppress(OSError):
                ours.send(StopWorker())
            process.join(5.0)
            if process.is_alive():
                process.kill()


def _drain(connection: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.recv()
