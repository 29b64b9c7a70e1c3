"""Keeps vision running: one process for a group of cameras, one detector for all, back within seconds when they die."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import multiprocessing
import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess

from core.node.model import WorkerReport
from core.vision.detector import run_detector
from core.vision.messages import (
    CameraJob,
    DetectorConfig,
    EngineFailed,
    EngineOpened,
    ForgetView,
    Heartbeat,
    KeepClip,
    SetAttention,
    SetAway,
    SetBayCameras,
    SetCameras,
    SetViews,
    StopWorker,
    UseDetector,
    UseModel,
    ViewForgotten,
    ViewLearned,
    WorkerConfig,
    WorkerStuck,
)
from core.vision.model import EngineInfo
from core.vision.view import LearnedView
from core.vision.worker import run_worker

log = logging.getLogger(__name__)

HEARTBEAT_TIMEOUT_S = 8.0
START_TIMEOUT_S = 45.0
"""Until the first heartbeat: after a cold start of a busy machine the libraries alone may take longer than 8 s."""

HEALTHY_AFTER_S = 30.0
FIRST_DELAY_S = 0.1
MAX_DELAY_S = 10.0
DETECTOR = "detector"


@dataclass(eq=False)
class _Running:
    """One worker process and what is known about it."""

    key: str
    jobs: dict[str, CameraJob] = field(default_factory=dict)
    process: BaseProcess | None = None
    connection: Connection | None = None
    outbox: queue.SimpleQueue[object | None] = field(default_factory=queue.SimpleQueue)
    state: str = "starting"
    reason: str = ""
    n_restarts: int = 0
    n_failures: int = 0
    n_stuck: int = 0
    started_s: float = 0.0
    heard_s: float = 0.0
    engine: EngineInfo | None = None
    heartbeat: Heartbeat | None = None
    restart: asyncio.TimerHandle | None = None
    reader: threading.Thread | None = None


class VisionSupervisor:
    """Spawns workers, spreads cameras over them and restarts what ends.

    Threads: everything on the node's loop; each worker has a thread that reads its pipe and one that writes to it,
    because a worker that hangs must not stop the node.
    """

    def __init__(
        self,
        config: WorkerConfig,
        *,
        cameras_per_worker: int,
        on_message: Callable[[object], None],
        on_worker: Callable[[WorkerReport], None],
    ) -> None:
        """Take `config` as the pattern for every worker.

        Args:
            config: Key and cameras of it are ignored.
            cameras_per_worker: So many share a process.
            on_message: Hears what workers see (`Heartbeat`, `Observed`, `ViewLearned` of what is drawn now).
            on_worker: Hears whenever a worker starts, opens its engine, fails or ends.
        """
        self._pattern = config
        self._per_worker = cameras_per_worker
        self._on_message = on_message
        self._on_worker = on_worker
        self._workers: list[_Running] = []
        self._detector = _Running(key=DETECTOR)
        self._line: UseDetector | None = None
        self._called: frozenset[str] = frozenset()
        self._away: frozenset[str] = frozenset()
        self._views: dict[str, LearnedView] = {}
        self._forgetting: set[str] = set()
        self._bays = SetBayCameras(camera_ids=frozenset(), every_s=0.0)
        self._sizes: dict[str, tuple[int, int]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.Task[None] | None = None
        self._is_stopping = False

    async def start(self) -> None:
        """Begin to watch over workers; the first `set_cameras` starts them."""
        self._loop = asyncio.get_running_loop()
        self._watch = asyncio.create_task(self._watch_heartbeats())

    async def stop(self) -> None:
        """End every worker; one that does not end by itself within 4 s is killed. What they said last was heard."""
        self._is_stopping = True
        if self._watch is not None:
            self._watch.cancel()
        for worker in self._processes():
            if worker.restart is not None:
                worker.restart.cancel()
            worker.outbox.put(StopWorker())
        await asyncio.gather(*(asyncio.to_thread(_end, worker.process, 4.0) for worker in self._processes()))
        readers = [worker.reader for worker in self._processes() if worker.reader is not None]
        await asyncio.gather(*(asyncio.to_thread(reader.join, 1.0) for reader in readers))
        for worker in self._processes():
            worker.outbox.put(None)

    def set_cameras(self, jobs: tuple[CameraJob, ...]) -> None:
        """Spread `jobs` over the workers; a camera stays where it is while its worker has room."""
        wanted = {job.camera_id: job for job in jobs}
        for camera_id, view in tuple(self._views.items()):
            kept = view.kept_for(wanted[camera_id].scene) if camera_id in wanted else view
            if kept is None:
                del self._views[camera_id]
            else:
                self._views[camera_id] = kept
        before = {worker.key: frozenset(worker.jobs) for worker in self._workers}
        for worker in self._workers:
            worker.jobs = {key: wanted.pop(key) for key in worker.jobs if key in wanted}
        for camera_id, job in wanted.items():
            free = [worker for worker in self._workers if len(worker.jobs) < self._per_worker]
            if not free:
                free = [_Running(key=f"{len(self._workers) + 1}")]
                self._workers.append(free[0])
            min(free, key=lambda worker: len(worker.jobs)).jobs[camera_id] = job
        if jobs and self._detector.process is None and self._detector.restart is None:
            self._spawn(self._detector)
        for worker in self._workers:
            if worker.process is None and worker.restart is None and worker.jobs:
                self._spawn(worker)
            elif worker.process is not None:
                come = worker.jobs.keys() - before.get(worker.key, frozenset())
                worker.outbox.put(SetCameras(cameras=tuple(worker.jobs.values()), views=self._views_of(come)))

    def set_views(self, sizes: dict[str, tuple[int, int]]) -> None:
        """Tell the workers which cameras are shown, and how large [px]."""
        if sizes == self._sizes:
            return
        self._sizes = dict(sizes)
        for worker in self._workers:
            worker.outbox.put(SetViews(sizes=self._sizes))

    @property
    def model(self) -> str | None:
        """What detects; None while it is not ready."""
        return self._pattern.model

    def set_model(self, model: str) -> None:
        """Detect with this model, which must be ready; a detector that runs another one is started anew."""
        self._pattern = replace(self._pattern, model=model)
        self._detector.outbox.put(UseModel(model=model))

    def set_attention(self, camera_ids: frozenset[str]) -> None:
        """Look first at the cameras that an operator is being called to."""
        if camera_ids == self._called:
            return
        self._called = camera_ids
        for worker in self._workers:
            worker.outbox.put(SetAttention(camera_ids=camera_ids))

    def set_away(self, camera_ids: frozenset[str]) -> None:
        """Say which cameras are turned away from the view that their scenes are of; before the first picture, too."""
        if camera_ids == self._away:
            return
        self._away = camera_ids
        for worker in self._workers:
            worker.outbox.put(SetAway(camera_ids=camera_ids))

    def know_views(self, views: Mapping[str, LearnedView]) -> None:
        """Take what was learned of cameras before this run; before the first `set_cameras`."""
        self._views |= views

    def forget_view(self, camera_id: str) -> None:
        """What this camera shows now is what its scene is drawn for: it is learned anew."""
        self._views.pop(camera_id, None)
        for worker in self._workers:
            if camera_id in worker.jobs and worker.process is not None:
                self._forgetting.add(camera_id)
                worker.outbox.put(ForgetView(camera_id=camera_id))

    def _views_of(self, camera_ids: Collection[str]) -> dict[str, LearnedView]:
        return {camera_id: self._views[camera_id] for camera_id in camera_ids if camera_id in self._views}

    def set_bay_cameras(self, camera_ids: frozenset[str], *, every_s: float) -> None:
        """Have these cameras send a picture of their bays this often."""
        wanted = SetBayCameras(camera_ids=camera_ids, every_s=every_s)
        if wanted == self._bays:
            return
        self._bays = wanted
        for worker in self._workers:
            worker.outbox.put(wanted)

    def keep_clip(self, camera_id: str, clip_id: str, at: datetime) -> None:
        """Have a camera keep what was ten seconds before `at` and comes in ten after; a `ClipKept` answers."""
        for worker in self._workers:
            if camera_id in worker.jobs:
                worker.outbox.put(KeepClip(camera_id=camera_id, clip_id=clip_id, at_s=at.timestamp()))

    @property
    def n_restarts(self) -> int:
        """Restarts of all workers and the detector since the node started."""
        return sum(worker.n_restarts for worker in self._processes())

    def reports(self) -> tuple[WorkerReport, ...]:
        """How every worker is, and the detector last, once there is anything to detect."""
        has_detector = self._detector.process is not None or self._detector.n_restarts
        return tuple(_report(worker) for worker in (self._processes() if has_detector else self._workers))

    def _spawn(self, worker: _Running) -> None:
        worker.restart = None
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=True)
        process = self._make_process(context, worker, theirs)
        process.start()
        theirs.close()
        worker.process, worker.connection = process, ours
        worker.started_s = worker.heard_s = time.monotonic()
        worker.engine = worker.heartbeat = None
        worker.outbox.put(None)  # The writer of the last process ends here.
        worker.outbox = queue.SimpleQueue()
        if worker is not self._detector:
            worker.outbox.put(SetViews(sizes=self._sizes))
            worker.outbox.put(SetAttention(camera_ids=self._called))
            worker.outbox.put(self._bays)
            if self._line is not None:
                worker.outbox.put(self._line)
        worker.reader = threading.Thread(
            target=self._read, args=(worker, process, ours), name="vision-read", daemon=True
        )
        worker.reader.start()
        threading.Thread(target=_write, args=(ours, worker.outbox), name="vision-write", daemon=True).start()
        log.info("vision worker %s started with %d cameras (pid %s)", worker.key, len(worker.jobs), process.pid)
        self._on_worker(_report(worker))

    def _make_process(self, context: SpawnContext, worker: _Running, theirs: Connection) -> BaseProcess:
        if worker is not self._detector:
            jobs = tuple(worker.jobs.values())
            self._forgetting -= worker.jobs.keys()
            views = self._views_of(worker.jobs)
            config = replace(
                self._pattern, key=worker.key, cameras=jobs, away=self._away, views=views, n_stuck=worker.n_stuck
            )
            return context.Process(target=run_worker, args=(theirs, config), name=f"vision-{worker.key}", daemon=True)
        pattern = self._pattern
        detector = DetectorConfig(
            models=pattern.models,
            logs=pattern.logs,
            model=pattern.model,
            engine=pattern.engine,
            n_threads=pattern.n_threads,
            confidence=pattern.confidence,
            overlap=pattern.overlap,
            input_wh=pattern.input_wh,
        )
        return context.Process(target=run_detector, args=(theirs, detector), name="vision-detector", daemon=True)

    def _processes(self) -> tuple[_Running, ...]:
        return (*self._workers, self._detector)

    def _read(self, worker: _Running, process: BaseProcess, connection: Connection) -> None:
        """Hand everything that the worker says to the loop; runs on its own thread."""
        assert self._loop is not None
        try:
            while True:
                message = connection.recv()
                self._loop.call_soon_threadsafe(self._on_worker_message, worker, process, message)
        except (EOFError, OSError):
            pass
        process.join(2.0)
        with contextlib.suppress(RuntimeError):  # The loop may be closed already.
            self._loop.call_soon_threadsafe(self._on_ended, worker, process)

    def _on_worker_message(self, worker: _Running, process: BaseProcess, message: object) -> None:
        if worker.process is not process:
            return
        worker.heard_s = time.monotonic()
        if isinstance(message, Heartbeat):
            worker.heartbeat = message
            if worker.state != "running":
                if worker.state == "restarting":
                    worker.reason = ""
                worker.state = "running"
                self._on_worker(_report(worker))
            if worker.n_failures and worker.heard_s - worker.started_s > HEALTHY_AFTER_S:
                worker.n_failures = 0
                self._on_worker(_report(worker))
        elif isinstance(message, EngineOpened):
            worker.engine, worker.reason = message.engine, ""
            log.info("detection runs: %s", message.engine.reason)
            self._on_worker(_report(worker))
        elif isinstance(message, EngineFailed):
            worker.reason = f"{message.message} {message.hint}".strip()
            self._on_worker(_report(worker))
        elif isinstance(message, WorkerStuck):
            worker.reason, worker.n_stuck = message.reason, worker.n_stuck + 1
            return
        elif isinstance(message, UseDetector):
            self._line = message
            for other in self._workers:
                other.outbox.put(message)
            return
        elif isinstance(message, ViewForgotten):
            self._forgetting.discard(message.camera_id)
            return
        elif isinstance(message, ViewLearned):
            job = worker.jobs.get(message.camera_id)
            if message.camera_id in self._forgetting or job is None:
                return
            kept = message.view.kept_for(job.scene)
            if kept is None:
                return
            self._views[message.camera_id] = kept
            if kept is not message.view:
                return  # Said of an older drawing, and of no use to anybody but the next worker.
        self._on_message(message)

    def _on_ended(self, worker: _Running, process: BaseProcess) -> None:
        if worker.process is not process or self._is_stopping:
            return
        worker.process = None
        worker.heartbeat = worker.engine = None
        if worker is self._detector:
            self._line = None
        if worker.connection is not None:
            worker.connection.close()
        worker.state = "restarting"
        name = "detector" if worker is self._detector else "worker"
        # What it said of itself before it ended says more than how it ended.
        worker.reason = worker.reason or f"The {name} ended ({_exit_text(process.exitcode)})."
        worker.n_restarts += 1
        # The first restart comes at once: a black wall is worse than a wasted start.
        delay_s = min(MAX_DELAY_S, FIRST_DELAY_S * math.pow(3.0, worker.n_failures))
        worker.n_failures += 1
        log.warning(
            "vision worker %s ended (%s), next start in %.1f s", worker.key, _exit_text(process.exitcode), delay_s
        )
        self._on_worker(_report(worker))
        assert self._loop is not None
        worker.restart = self._loop.call_later(delay_s, self._spawn, worker)

    async def _watch_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now_s = time.monotonic()
            for worker in self._processes():
                patience_s = START_TIMEOUT_S if worker.heartbeat is None else HEARTBEAT_TIMEOUT_S
                if worker.process is not None and now_s - worker.heard_s > patience_s:
                    log.error("vision worker %s is silent for %.0f s and is ended", worker.key, now_s - worker.heard_s)
                    worker.heard_s = now_s
                    worker.process.kill()


def _write(connection: Connection, outbox: queue.SimpleQueue[object | None]) -> None:
    with contextlib.suppress(OSError, ValueError, TypeError):  # TypeError: closed at this moment.
        while (message := outbox.get()) is not None:
            connection.send(message)


def _end(process: BaseProcess | None, timeout_s: float) -> None:
    if process is None:
        return
    process.join(timeout_s)
    if process.is_alive():
        process.kill()
        process.join(2.0)


def _exit_text(code: int | None) -> str:
    if code is None:
        return "no exit code"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _report(worker: _Running) -> WorkerReport:
    beat = worker.heartbeat
    return WorkerReport(
        key=worker.key,
        state=worker.state,
        pid=worker.process.pid if worker.process is not None else None,
        n_restarts=worker.n_restarts,
        n_failures=worker.n_failures,
        cpu_percent=beat.cpu_percent if beat else 0.0,
        memory_mb=beat.memory_mb if beat else 0.0,
        engine=worker.engine,
        reason=worker.reason,
        camera_ids=tuple(worker.jobs),
    )
