"""Keeps vision running: one process for a group of cameras, one detector for all, back within seconds when they die."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import multiprocessing
import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess

import psutil

from core.media.model import SourceSpec
from core.node.ends import Ends
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
    MoveIsOver,
    RulesReset,
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
MAX_APART = 8
ROOM_MB = 500.0
"""So many workers are set apart at most, and only while so much memory is free beside theirs: each takes some of it."""

DETECTOR = "detector"
CANNOT_START = (
    "The {what} cannot be started ({why}). It is tried again every few seconds; give this machine memory, "
    "or end other programs on it."
)


_Sources = set[tuple[SourceSpec, SourceSpec | None]]


@dataclass(eq=False)
class _Running:
    """One worker process and what is known about it.

    Attributes:
        is_culprit: Its only camera ends its process again and again.
        is_leaving: It was asked to end; its cameras go to `host` then.
    """

    key: str
    jobs: dict[str, CameraJob] = field(default_factory=dict)
    process: BaseProcess | None = None
    connection: Connection | None = None
    outbox: queue.SimpleQueue[object | None] = field(default_factory=queue.SimpleQueue)
    state: str = "starting"
    reason: str = ""
    n_restarts: int = 0
    ends: Ends = field(default_factory=Ends)
    is_culprit: bool = False
    is_leaving: bool = False
    host: _Running | None = None
    n_stuck: int = 0
    started_s: float = 0.0
    heard_s: float = 0.0
    engine: EngineInfo | None = None
    heartbeat: Heartbeat | None = None
    restart: asyncio.TimerHandle | None = None
    reader: threading.Thread | None = None


class VisionSupervisor:
    """Spawns workers, spreads cameras over them and restarts what ends.

    Where a worker ends again and again its cameras are halved, until the one that ends it is alone; after a calm hour
    they are read together again.

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
            on_message: Hears what workers see (`Heartbeat`, `Observed`, `ViewLearned` of what is drawn now), and
                `MoveIsOver`.
            on_worker: Hears whenever a worker starts, opens its engine, fails or ends.
        """
        self._pattern = config
        self._per_worker = cameras_per_worker
        self._on_message = on_message
        self._on_worker = on_worker
        self._workers: list[_Running] = []
        self._culprits: dict[str, tuple[_Sources, Ends]] = {}
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
        self._n_restarts_gone = 0

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
            kept = self._kept_for(wanted[camera_id], view) if camera_id in wanted else view
            if kept is None:
                del self._views[camera_id]
            else:
                self._views[camera_id] = kept
        before = {worker.key: worker.jobs for worker in self._workers}
        for worker in self._workers:
            if worker.is_culprit and not worker.jobs.keys() & wanted.keys():
                # Whoever switches it off and on again has not mended it.
                self._culprits |= {key: (_sources({key: job}), worker.ends) for key, job in worker.jobs.items()}
            worker.jobs = {key: wanted.pop(key) for key in worker.jobs if key in wanted}
        self._give(wanted)
        for worker in tuple(self._workers):
            if worker.ends.apart_s is not None and not worker.jobs:
                self._take_leave(worker)
            elif worker.is_culprit and _sources(worker.jobs) != _sources(before.get(worker.key, worker.jobs)):
                self._forgive(worker)
        self._tell_cameras(before)

    def _kept_for(self, job: CameraJob, view: LearnedView) -> LearnedView | None:
        """Return what still holds of a view; where it was moved and is not any more, no rule knows of that to end it.

        What is drawn may have been drawn anew in several steps, of which none says that the camera stands right.
        """
        kept = view.kept_for(job.scene)
        if view.is_moved and (kept is None or not kept.is_moved):
            self._on_message(MoveIsOver(camera_id=job.camera_id))
        return kept

    def _give(self, wanted: Mapping[str, CameraJob]) -> None:
        """Put cameras where there is room; never to those that are suspect."""
        for camera_id, job in wanted.items():
            sources, ends = self._culprits.pop(camera_id, (None, Ends()))
            if sources == _sources({camera_id: job}):
                self._workers.append(_Running(key=self._free_key(), jobs={camera_id: job}, is_culprit=True, ends=ends))
                ends.apart_s = time.monotonic()
                continue
            together = [one for one in self._workers if one.ends.apart_s is None and not one.is_leaving]
            free = [worker for worker in together if len(worker.jobs) < self._per_worker]
            if not free:
                free = [_Running(key=self._free_key())]
                self._workers.append(free[0])
            min(free, key=lambda worker: len(worker.jobs)).jobs[camera_id] = job

    def _tell_cameras(self, before: Mapping[str, Collection[str]]) -> None:
        """Start what has cameras and does not run, tell the others theirs; `before` says which they had."""
        if self._is_wanted(self._detector) and self._detector.process is None and self._detector.restart is None:
            self._spawn(self._detector)
        for worker in self._workers:
            if worker.process is None and worker.restart is None and worker.jobs:
                self._spawn(worker)
            elif worker.process is not None:
                come = worker.jobs.keys() - set(before.get(worker.key, ()))
                worker.outbox.put(SetCameras(cameras=tuple(worker.jobs.values()), views=self._views_of(come)))

    def _free_key(self) -> str:
        taken = {worker.key for worker in self._workers}
        return next(key for number in itertools.count(1) if (key := f"{number}") not in taken)

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
        view = self._views.pop(camera_id, None)
        job = next((worker.jobs[camera_id] for worker in self._workers if camera_id in worker.jobs), None)
        if view is not None and job is not None and (kept := view.forgotten_for(job.scene)) is not None:
            self._views[camera_id] = kept
        for worker in self._workers:
            if camera_id in worker.jobs and worker.process is not None:
                self._forgetting.add(camera_id)
                worker.outbox.put(ForgetView(camera_id=camera_id))

    def shapes_of(self, camera_id: str) -> Mapping[str, tuple[int, int]]:
        """Return the sizes of the pictures that things were drawn on [px], as `LearnedView.shapes` has them."""
        view = self._views.get(camera_id)
        return {} if view is None else view.shapes

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
        return self._n_restarts_gone + sum(worker.n_restarts for worker in self._processes())

    @property
    def has_detector(self) -> bool:
        """Whether there was anything to detect yet."""
        return self._detector.process is not None or self._detector.state != "starting"

    def reports(self) -> tuple[WorkerReport, ...]:
        """How every worker is, and the detector last, once there is anything to detect."""
        return tuple(_report(worker) for worker in (self._processes() if self.has_detector else self._workers))

    def _spawn(self, worker: _Running) -> None:
        """Start a process for this worker; one that cannot be started is tried again like one that ended."""
        worker.restart = None
        if self._is_stopping:
            return
        try:
            self._start_process(worker)
        except Exception as error:
            # No memory, no process or no descriptor left, and whatever else: nobody but us would ever try again.
            worker.state = "restarting"
            worker.reason = CANNOT_START.format(what=_name_of(worker), why=error)
            worker.ends.unstarted_s.append(time.monotonic())
            delay_s = self._respawn_later(worker)
            log.error(
                "vision worker %s cannot be started (%s), next try in %.1f s",
                worker.key,
                error,
                delay_s,
                exc_info=worker.ends.n_in_row == 1,
            )
        else:
            log.info("vision worker %s started with %d cameras (pid %s)", worker.key, len(worker.jobs), _pid_of(worker))
        self._on_worker(_report(worker))

    def _start_process(self, worker: _Running) -> None:
        """Start process and threads; what was started of them ends again where one fails."""
        context = multiprocessing.get_context("spawn")
        with contextlib.ExitStack() as begun:
            ours, theirs = context.Pipe(duplex=True)
            begun.callback(ours.close)
            with theirs:
                process = self._make_process(context, worker, theirs)
                process.start()
            begun.callback(process.kill)
            outbox: queue.SimpleQueue[object | None] = queue.SimpleQueue()
            if worker is not self._detector:
                outbox.put(SetViews(sizes=self._sizes))
                outbox.put(SetAttention(camera_ids=self._called))
                outbox.put(self._bays)
                if self._line is not None:
                    outbox.put(self._line)
            threading.Thread(target=_write, args=(ours, outbox), name="vision-write", daemon=True).start()
            begun.callback(outbox.put, None)
            # Last: it waits for the process, and must not find the pipe closed under it.
            reader = threading.Thread(target=self._read, args=(worker, process, ours), name="vision-read", daemon=True)
            reader.start()
            begun.pop_all()
        worker.process, worker.connection, worker.reader = process, ours, reader
        worker.started_s = worker.heard_s = time.monotonic()
        worker.engine = worker.heartbeat = None
        worker.outbox.put(None)  # The writer of the last process ends here.
        worker.outbox = outbox

    def _respawn_later(self, worker: _Running) -> float:
        """Start it again after a while, which is longer each time; returns how long [s]."""
        assert self._loop is not None
        delay_s = worker.ends.delay_alone_s() if worker.is_culprit else worker.ends.delay_s()
        worker.ends.n_in_row += 1
        worker.restart = self._loop.call_later(delay_s, self._spawn, worker)
        return delay_s

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
            if worker.heard_s - worker.started_s > HEALTHY_AFTER_S:
                worker.ends.n_in_row = 0
            if worker.ends.forget_old(worker.heard_s):
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
            kept = self._kept_for(job, message.view)
            if kept is None:
                return
            self._views[message.camera_id] = kept
            if kept is not message.view:
                return  # Said of an older drawing, and of no use to anybody but the next worker.
        self._on_message(message)

    def _on_ended(self, worker: _Running, process: BaseProcess) -> None:
        if worker.process is not process or self._is_stopping:
            return
        freed_mb = worker.heartbeat.memory_mb if worker.heartbeat is not None else 0.0
        worker.process = None
        worker.heartbeat = worker.engine = None
        if worker is self._detector:
            self._line = None
        if worker.connection is not None:
            worker.connection.close()
        worker.reason = worker.reason or f"The {_name_of(worker)} ended ({_exit_text(process.exitcode)})."
        if worker.is_leaving:
            self._drop(worker)
            return
        worker.state = "restarting"
        worker.n_restarts += 1
        worker.ends.ended_s.append(time.monotonic())
        parts = [worker] if worker is self._detector else self._set_apart(worker, freed_mb=freed_mb)
        for part in parts:
            delay_s = self._respawn_later(part)
            log.warning(
                "vision worker %s ended (%s), next start of %s with %d cameras in %.1f s",
                worker.key,
                _exit_text(process.exitcode),
                part.key,
                len(part.jobs),
                delay_s,
            )
            self._on_worker(_report(part))

    def _set_apart(self, worker: _Running, *, freed_mb: float) -> list[_Running]:
        """Halve the cameras of a worker that ended again: the half without the culprit runs on.

        Args:
            worker: It ended.
            freed_mb: So much memory it had, and takes again.

        Returns:
            Its parts.
        """
        now_s = time.monotonic()
        worker.ends.forget_old(now_s)
        if not worker.ends.is_suspect(now_s):
            return [worker]
        if len(worker.jobs) < 2:
            worker.is_culprit = bool(worker.jobs)
            worker.ends.apart_s = now_s
            return [worker]
        n_apart = sum(one.ends.apart_s is not None for one in self._workers)
        if n_apart >= MAX_APART or _free_mb() < ROOM_MB + freed_mb:
            log.error("vision worker %s is not halved: there is no room for another", worker.key)
            return [worker]
        worker.ends.apart_s = now_s
        moved = {camera_id: worker.jobs.pop(camera_id) for camera_id in tuple(worker.jobs)[len(worker.jobs) // 2 :]}
        part = _Running(key=self._free_key(), jobs=moved, state=worker.state, reason=worker.reason)
        part.ends = Ends(apart_s=now_s, n_in_row=worker.ends.n_in_row)
        self._workers.append(part)
        return [worker, part]

    def _forgive(self, worker: _Running) -> None:
        """Its camera is read from elsewhere now: that may be the end of its trouble."""
        worker.is_culprit = False
        worker.ends = Ends(apart_s=worker.ends.apart_s)
        if worker.restart is not None:
            worker.restart.cancel()
            worker.restart = None
        self._on_worker(_report(worker))

    def _rejoin(self, now_s: float) -> None:
        """Give the cameras of one worker that was set apart to another, where both are calm."""
        if any(worker.is_leaving for worker in self._workers):
            return
        calm = [worker for worker in self._workers if worker.state == "running" and worker.ends.is_calm(now_s)]
        calm.sort(key=lambda worker: len(worker.jobs))
        for worker in calm:
            if worker.ends.apart_s is None:
                continue
            room = self._per_worker - len(worker.jobs)
            host = next((one for one in reversed(calm) if one is not worker and len(one.jobs) <= room), None)
            if host is not None:
                worker.host = host
                self._take_leave(worker)
                return
            worker.ends.apart_s, worker.is_culprit = None, False
            self._on_worker(_report(worker))

    def _take_leave(self, worker: _Running) -> None:
        """End this worker for good; its cameras are read elsewhere once it has let go of them."""
        if worker.restart is not None:
            worker.restart.cancel()
            worker.restart = None
        if worker.process is None:
            self._drop(worker)
        elif not worker.is_leaving:
            log.info("vision worker %s leaves its %d cameras to others", worker.key, len(worker.jobs))
            worker.is_leaving = True
            worker.outbox.put(StopWorker())

    def _drop(self, worker: _Running) -> None:
        before = {one.key: frozenset(one.jobs) for one in self._workers}
        self._workers.remove(worker)
        self._n_restarts_gone += worker.n_restarts
        jobs, worker.jobs = worker.jobs, {}
        worker.state, worker.is_culprit, worker.ends = "stopped", False, Ends()
        worker.outbox.put(None)
        self._on_worker(_report(worker))
        for camera_id in jobs:
            # One that crashed while it left could not say so, and no end would ever come of what its rules began.
            self._on_message(RulesReset(camera_id=camera_id))
        if not jobs:
            return
        if worker.host in self._workers:
            worker.host.jobs |= jobs
            if worker.host.is_culprit:
                # It was calm for long, and of several cameras none can be named.
                worker.host.is_culprit = False
                self._on_worker(_report(worker.host))
        else:
            self._give(jobs)
        self._tell_cameras(before)

    async def _watch_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            now_s = time.monotonic()
            looks: list[Callable[[float], None]] = [partial(self._look_after, worker) for worker in self._processes()]
            for step in (self._rejoin, *looks):
                try:
                    step(now_s)
                except Exception:
                    # Nobody else looks after workers that hang: whatever breaks here, this goes on.
                    log.exception("something broke while the vision workers were looked after")

    def _look_after(self, worker: _Running, now_s: float) -> None:
        """End a process that hangs, and start one that nobody else would start."""
        patience_s = START_TIMEOUT_S if worker.heartbeat is None else HEARTBEAT_TIMEOUT_S
        if worker.process is not None and now_s - worker.heard_s > patience_s:
            log.error("vision worker %s is silent for %.0f s and is ended", worker.key, now_s - worker.heard_s)
            worker.heard_s = now_s
            worker.process.kill()
        elif worker.process is None and worker.restart is None and self._is_wanted(worker):
            self._spawn(worker)

    def _is_wanted(self, worker: _Running) -> bool:
        return any(one.jobs for one in (self._workers if worker is self._detector else (worker,)))


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


def _sources(jobs: Mapping[str, CameraJob]) -> _Sources:
    return {(job.source, job.sub_source) for job in jobs.values()}


def _free_mb() -> float:
    """Return how much memory is free; nothing where nobody can tell."""
    try:
        return float(psutil.virtual_memory().available / 1e6)
    except OSError as error:
        log.warning("how much memory is free cannot be read: %s", error)
        return 0.0


def _name_of(worker: _Running) -> str:
    return "detector" if worker.key == DETECTOR else "worker"


def _pid_of(worker: _Running) -> int | None:
    return worker.process.pid if worker.process is not None else None


def _exit_text(code: int | None) -> str:
    if code is None:
        return "no exit code"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _report(worker: _Running) -> WorkerReport:
    beat = worker.heartbeat
    return WorkerReport(
        key=worker.key,
        state=worker.state,
        pid=_pid_of(worker),
        n_restarts=worker.n_restarts,
        n_failures=worker.ends.n_counted,
        is_culprit=worker.is_culprit,
        cpu_percent=beat.cpu_percent if beat else 0.0,
        memory_mb=beat.memory_mb if beat else 0.0,
        engine=worker.engine,
        reason=worker.reason,
        camera_ids=tuple(worker.jobs),
    )
