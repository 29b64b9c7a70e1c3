"""The vision worker process: reads a group of cameras, shows their pictures, tracks, watches the rules.

Threads: one reader per camera (decode, scale, write to the ring), one per camera that is being closed, one that hears
the detector (tracker, rules), one that listens to the node, and the main thread, which reports once a second. Newest
wins everywhere; what is passed over is counted. The engine runs in a process of its own (`core.vision.detector`): when
it ends, pictures go on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

import psutil

from core.kernel.clock import SystemClock
from core.kernel.errors import ConsoleError
from core.kernel.log import start_logging
from core.media.model import StreamReport, StreamState
from core.vision.detector_link import DetectorLink
from core.vision.look_back import LookBack
from core.vision.messages import (
    CameraJob,
    ClipKept,
    ForgetView,
    Heartbeat,
    KeepClip,
    Looked,
    SetAttention,
    SetAway,
    SetBayCameras,
    SetCameras,
    SetViews,
    StopWorker,
    UseDetector,
    ViewForgotten,
    WorkerConfig,
    WorkerStuck,
)
from core.vision.model import EngineInfo
from core.vision.schedule import watched_cameras
from core.vision.slot import CameraSlot

log = logging.getLogger(__name__)

_ONE_THREAD = {"OPENCV_FOR_THREADS_NUM": "1"}
"""OpenCV's other threads spin while they wait: for the few corners of a vehicle they burn more than they do."""

CLOSED_WITHIN_S = 3.0
"""Before the node loses patience with a worker that it asked to end."""

AGAIN_S = 10.0
"""A camera that could not be opened is tried again this often."""


STUCK_FOR_S = 600.0
"""A process whose cameras hang for good lives so long at least; twice as long each time that it did not help."""

MAX_DOUBLED = 5


def stuck_reason(streams: Sequence[StreamReport], *, ran_s: float, n_before: int) -> str:
    """Return why the process has to begin anew; empty where it has not, or not yet: the other cameras stop for it."""
    if ran_s < STUCK_FOR_S * 2.0 ** min(n_before, MAX_DOUBLED):
        return ""
    stuck = sorted(stream.camera_id for stream in streams if stream.is_stuck)
    return f"Every call of {', '.join(stuck)} hangs; a new process is the way out." if stuck else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    """A camera that could not be opened.

    Attributes:
        since_s, tried_s: Monotonic time of the first and of the last try.
    """

    reason: str
    since_s: float
    tried_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Closing:
    """A slot that is letting go of its camera.

    Attributes:
        job: What was wanted next when it began to close; None where nothing was.
        look_back: What is kept of the picture for that job; clips may be asked of it meanwhile.
    """

    thread: threading.Thread
    job: CameraJob | None
    look_back: LookBack | None


class _Worker:
    """The process; `run` returns when the node says so or is gone."""

    def __init__(self, connection: Connection, config: WorkerConfig) -> None:
        self._connection = connection
        self._config = config
        self._send_lock = threading.Lock()
        self._slots_lock = threading.Lock()
        self._stopping = threading.Event()
        self._slots: dict[str, CameraSlot] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._called: frozenset[str] = frozenset()
        self._away = config.away
        self._views = dict(config.views)
        self._bays = SetBayCameras(camera_ids=frozenset(), every_s=0.0)
        self._engine: EngineInfo | None = None
        self._detector = DetectorLink(
            on_engine=self._use_engine, on_looked=self._take_looked, on_gone=self._lose_engine
        )
        self._me = psutil.Process()
        self._jobs: tuple[CameraJob, ...] = ()
        self._failed: dict[str, _Failed] = {}
        self._closing: dict[str, _Closing] = {}
        self._setting = threading.RLock()

    def run(self) -> None:
        self._set_cameras(self._config.cameras)
        self._detector.start()
        threading.Thread(target=self._listen, name="node", daemon=True).start()
        self._me.cpu_percent(None)
        began_s = time.monotonic()
        while not self._stopping.wait(1.0):
            self._try_again()
            beat = self._heartbeat()
            self._send(beat)
            ran_s = time.monotonic() - began_s
            if reason := stuck_reason(beat.streams, ran_s=ran_s, n_before=self._config.n_stuck):
                log.error("this worker ends: %s", reason)
                self._send(WorkerStuck(reason=reason))
                # Nothing that the node asks for meanwhile may open a camera here any more.
                self._stopping.set()
                break
            now = SystemClock().now()
            for slot in tuple(self._slots.values()):
                slot.tell_minutes(now)
                slot.tell_view(now)
                slot.tell_clips(time.monotonic())
        self._detector.stop()
        # First of all: a camera that does not let go must not cost the others what they measured.
        for slot in tuple(self._slots.values()):
            slot.tell_last_minutes()
        self._close_all()

    def _close_all(self) -> None:
        with self._setting:
            self._set_cameras(())
            threads = [closing.thread for closing in self._closing.values()]
        deadline_s = time.monotonic() + CLOSED_WITHIN_S
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    def _heartbeat(self) -> Heartbeat:
        now_s = time.monotonic()
        slots = tuple(self._slots.values())
        failed = tuple(
            StreamReport(
                camera_id=camera_id,
                state=StreamState.UNUSABLE,
                reason=one.reason,
                hint="It is tried again every few seconds.",
                since_s=now_s - one.since_s,
            )
            for camera_id, one in tuple(self._failed.items())
        )
        return Heartbeat(
            streams=tuple(slot.report(now_s) for slot in slots) + failed,
            inside={slot.job.camera_id: slot.n_inside() for slot in slots if slot.is_detecting},
            cpu_percent=self._me.cpu_percent(None),
            memory_mb=self._me.memory_info().rss / 1e6,
        )

    def _listen(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                if isinstance(message, StopWorker) or self._stopping.is_set():
                    break
                self._take(message)
        except (EOFError, OSError):
            pass  # The node is gone; so are we.
        except Exception:
            # Deaf it would go on for ever; a fresh worker is the way back.
            log.exception("the node asked for something that cannot be done")
        finally:
            self._stopping.set()

    def _take(self, message: object) -> None:
        if isinstance(message, UseDetector):
            self._detector.use(message)
            return
        # Slots are opened on other threads, too: none may miss that its camera is turned away.
        with self._setting:
            self._take_for_slots(message)

    def _take_for_slots(self, message: object) -> None:
        if isinstance(message, SetViews):
            self._sizes = message.sizes
            for camera_id, slot in tuple(self._slots.items()):
                slot.show_at(self._sizes.get(camera_id))
            self._share_attention()
        elif isinstance(message, SetAttention):
            self._called = message.camera_ids
            self._share_attention()
        elif isinstance(message, SetAway):
            self._away = message.camera_ids
            for slot in tuple(self._slots.values()):
                self._share_away(slot)
        elif isinstance(message, SetBayCameras):
            self._bays = message
            for slot in tuple(self._slots.values()):
                self._share_bays(slot)
        elif isinstance(message, SetCameras):
            self._views |= message.views
            self._set_cameras(message.cameras)
        elif isinstance(message, ForgetView):
            self._views.pop(message.camera_id, None)
            told = self._slots.get(message.camera_id)
            if told is not None:
                told.forget_view()
                if told.view is not None:
                    self._views[message.camera_id] = told.view
            self._send(ViewForgotten(camera_id=message.camera_id))
        elif isinstance(message, KeepClip):
            self._keep_clip(message)

    def _send(self, message: object) -> None:
        try:
            with self._send_lock:
                self._connection.send(message)
        except (BrokenPipeError, OSError):
            self._stopping.set()

    def _try_again(self) -> None:
        """Open anew what could not be opened: memory that was full may be free now."""
        now_s = time.monotonic()
        if any(now_s - one.tried_s >= AGAIN_S for one in tuple(self._failed.values())):
            self._set_cameras(None)

    def _set_cameras(self, jobs: tuple[CameraJob, ...] | None) -> None:
        """Show exactly these cameras; None for the same ones again."""
        with self._setting:
            self._jobs = self._jobs if jobs is None else jobs
            self._open_slots(self._jobs)

    def _open_slots(self, jobs: tuple[CameraJob, ...]) -> None:
        wanted = {job.camera_id: job for job in jobs}
        self._failed = {camera_id: one for camera_id, one in self._failed.items() if camera_id in wanted}
        for camera_id, slot in tuple(self._slots.items()):
            job = wanted.get(camera_id)
            if job != slot.job:
                self._begin_close(slot, job)
        self._views = {camera_id: view for camera_id, view in self._views.items() if camera_id in wanted}
        for camera_id, job in wanted.items():
            if camera_id not in self._slots and camera_id not in self._closing:
                self._open_slot(job, None)
        self._share_attention()

    def _begin_close(self, slot: CameraSlot, job: CameraJob | None) -> None:
        """Close a slot on a thread of its own: a reader that waits for a dead camera lets go after seconds only."""
        camera_id = slot.job.camera_id
        with self._slots_lock:
            del self._slots[camera_id]
        slot.tell_view(SystemClock().now())
        self._views.pop(camera_id, None)
        if slot.view is not None:
            self._views[camera_id] = slot.view
        look_back = None if job is None else slot.leave_look_back(job) or LookBack()
        thread = threading.Thread(target=self._close_slot, args=(slot,), name=f"close {camera_id}", daemon=True)
        self._closing[camera_id] = _Closing(thread=thread, job=job, look_back=look_back)
        try:
            thread.start()
        except RuntimeError:
            log.warning("camera %s is closed here: no thread can be started for it", camera_id)
            self._close_slot(slot)

    def _close_slot(self, slot: CameraSlot) -> None:
        """Close it, then open the next one of its camera."""
        camera_id = slot.job.camera_id
        try:
            slot.close()
        except Exception:
            # The next one must come in any case.
            log.exception("camera %s was not closed well", camera_id)
        with self._setting:
            closed = self._closing.pop(camera_id)
            job = next((job for job in self._jobs if job.camera_id == camera_id), None)
            if job is None:
                self._break_off(camera_id, closed.look_back)
                return
            self._open_slot(job, closed)
            self._share_attention()

    def _open_slot(self, job: CameraJob, closed: _Closing | None) -> None:
        """Read a camera; goes on with what was kept of its picture where `closed` showed the same."""
        camera_id = job.camera_id
        look_back = None if closed is None else closed.look_back
        if closed is not None and (closed.job is None or not closed.job.shows_as(job)):
            self._break_off(camera_id, look_back)
            look_back = None
        slot: CameraSlot | None = None
        try:
            slot = CameraSlot(
                job, asks=self._detector, send=self._send, look_back=look_back, view=self._views.get(camera_id)
            )
            slot.show_at(self._sizes.get(camera_id))
            self._share_bays(slot)
            self._share_away(slot)
            with self._slots_lock:
                self._slots[camera_id] = slot
                if self._engine is not None:
                    slot.use_detector(self._engine)
            slot.start()
        except Exception as error:
            # Whatever it is, no thread or no memory: nobody but us would ever try this camera again.
            log.error("camera %s cannot be shown: %s", camera_id, error, exc_info=not _is_foreseen(error))
            self._give_up(camera_id, slot, look_back)
            self._note_failure(camera_id, str(error) or type(error).__name__)
            return
        self._failed.pop(camera_id, None)

    def _give_up(self, camera_id: str, slot: CameraSlot | None, look_back: LookBack | None) -> None:
        """Take back what was begun of a camera that could not be opened."""
        with self._slots_lock:
            self._slots.pop(camera_id, None)
        try:
            if slot is not None:
                slot.close()
        except Exception:
            log.exception("camera %s was not closed well", camera_id)
        # Empty where the slot that had them sent them.
        self._break_off(camera_id, look_back)

    def _break_off(self, camera_id: str, look_back: LookBack | None) -> None:
        """Send the clips that nobody goes on with, as far as they are."""
        for clip_id, pictures in () if look_back is None else look_back.broken_off():
            self._send(ClipKept(camera_id=camera_id, clip_id=clip_id, pictures=pictures))

    def _keep_clip(self, asked: KeepClip) -> None:
        slot, closing = self._slots.get(asked.camera_id), self._closing.get(asked.camera_id)
        look_back = slot.look_back if slot is not None else closing.look_back if closing is not None else None
        ago_s = max(0.0, time.time() - asked.at_s)
        if look_back is None or not look_back.begin(asked.clip_id, time.monotonic(), ago_s=ago_s):
            self._send(ClipKept(camera_id=asked.camera_id, clip_id=asked.clip_id, pictures=()))

    def _note_failure(self, camera_id: str, reason: str) -> None:
        now_s = time.monotonic()
        before = self._failed.get(camera_id)
        since_s = now_s if before is None else before.since_s
        self._failed[camera_id] = _Failed(reason=reason, since_s=since_s, tried_s=now_s)

    def _share_bays(self, slot: CameraSlot) -> None:
        slot.show_bays_every(self._bays.every_s if slot.job.camera_id in self._bays.camera_ids else None)

    def _share_away(self, slot: CameraSlot) -> None:
        if slot.job.camera_id in self._away:
            slot.leave_home()
        else:
            slot.come_home()

    def _share_attention(self) -> None:
        attended = self._called | watched_cameras(self._sizes)
        for camera_id, slot in tuple(self._slots.items()):
            slot.is_attended = camera_id in attended

    def _use_engine(self, engine: EngineInfo) -> None:
        with self._slots_lock:
            self._engine = engine
            for slot in self._slots.values():
                slot.use_detector(engine)

    def _lose_engine(self) -> None:
        log.warning("the detector is gone; pictures go on")
        with self._slots_lock:
            self._engine = None
            for slot in self._slots.values():
                slot.lose_detector()

    def _take_looked(self, looked: Looked) -> None:
        slot = self._slots.get(looked.camera_id)
        if slot is not None:
            slot.take(looked)


def _is_foreseen(error: Exception) -> bool:
    return isinstance(error, OSError | ConsoleError)


def run_worker(connection: Connection, config: WorkerConfig) -> None:
    """Entry point of the process; returns when the node closes the pipe."""
    # The node decides when a worker ends; Ctrl+C in a terminal reaches the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start_logging(config.logs, f"vision-{config.key}")
    # OpenCV reads it when it is imported, which is with the first vehicle that is followed.
    os.environ.update(_ONE_THREAD)
    if hasattr(os, "nice"):
        # The operator's window goes first where both want the same core.
        with contextlib.suppress(OSError):
            os.nice(10)
    _Worker(connection, config).run()
    logging.shutdown()
    # A reader that hangs in a driver must not keep the process alive.
    os._exit(0)
