"""The vision worker process: reads a group of cameras, shows their pictures, detects, tracks and watches the rules.

Threads: one reader per camera (decode, scale, write to the ring), one for inference (engine, tracker, rules), one that
listens to the node, and the main thread, which reports once a second. Newest wins everywhere; what is passed over is
counted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import psutil

from core.kernel.clock import SystemClock
from core.kernel.errors import ConsoleError
from core.kernel.log import start_logging
from core.media.camera_source import CameraSource
from core.media.convert import Letterbox, TileScaler, to_jpeg
from core.media.model import StreamReport, StreamState
from core.media.ring import FrameRing, TrackMark
from core.media.stream import StreamFrame
from core.vision.analyse import CameraAnalyser
from core.vision.messages import (
    CameraJob,
    EngineFailed,
    EngineOpened,
    Heartbeat,
    Observed,
    SetCameras,
    SetViews,
    StopWorker,
    UseModel,
    WorkerConfig,
)
from core.vision.model import MaskKind, Observation, ObservationKind, Phase, Track

if TYPE_CHECKING:
    from core.vision.engine import Engine

log = logging.getLogger(__name__)

MAX_FRAME_AGE_S = 0.4
"""An older picture is not worth an inference: a newer one is on its way."""

SNAPSHOT_WH = (1280, 720)
CALLING_KINDS = (ObservationKind.CONGESTION, ObservationKind.STOPPED_VEHICLE, ObservationKind.VEHICLE_IN_ZONE)
RATE_WINDOW_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A picture in the form that the network takes."""

    frame: StreamFrame
    rgb: Any
    letterbox: Letterbox


class _CameraSlot:
    """One camera inside the worker; `on_frame` runs on the camera's own thread."""

    def __init__(self, job: CameraJob, wake: threading.Condition, network_wh: tuple[int, int] | None) -> None:
        self.job = job
        self.network_wh = network_wh
        self.view_wh: tuple[int, int] | None = None
        self.analyser: CameraAnalyser | None = None
        self.last_inferred_s = 0.0
        self.inference_ms = 0.0
        self.n_detections = 0
        self.n_observations = 0
        self._n_passed_over = 0
        self._inferred: deque[float] = deque(maxlen=256)
        self._next_due_s = 0.0
        self._pending: _Prepared | None = None
        self._wake = wake
        self._scaler = TileScaler()
        self.ring = FrameRing.attach(job.ring)
        self.stream = CameraSource(
            job.camera_id,
            job.source,
            sub_spec=job.sub_source,
            privacy=[mask.polygon for mask in job.scene.masks if mask.kind is MaskKind.PRIVACY],
            on_frame=self._on_frame,
            on_state=self._on_state,
            clock=SystemClock(),
            first_epoch=self.ring.epoch + 1,
        )

    def start(self) -> None:
        self.stream.start()

    def close(self) -> None:
        # A reader that hangs in a driver still owns the ring's memory: leave it to the process's end.
        if self.stream.stop(timeout_s=2.0):
            self.ring.close()

    def show_at(self, view_wh: tuple[int, int] | None) -> None:
        self.view_wh = view_wh
        self.stream.set_view(view_wh)
        self.stream.set_keyframes_only(view_wh is None and self.job.detect_fps <= 0)

    def take_pending(self) -> _Prepared | None:
        pending, self._pending = self._pending, None
        return pending

    @property
    def is_due(self) -> bool:
        return self._pending is not None

    def note_inference(self, seconds: float, at_s: float) -> None:
        self.inference_ms = seconds * 1000.0
        self.last_inferred_s = at_s
        self._inferred.append(at_s)

    def report(self, now_s: float) -> StreamReport:
        rate = sum(1 for at_s in tuple(self._inferred) if now_s - at_s <= RATE_WINDOW_S) / RATE_WINDOW_S
        base = self.stream.report()
        return replace(
            base,
            n_dropped=base.n_dropped + self._n_passed_over,
            n_detections=self.n_detections,
            n_observations=self.n_observations,
            inference_ms=self.inference_ms,
            detect_fps=rate,
        )

    def _on_frame(self, frame: StreamFrame) -> None:
        if self.view_wh is not None:
            self.ring.write_frame(
                self._scaler.to_bgra(frame.frame, self.view_wh),
                pts_s=frame.pts_s,
                received_s=frame.received_s,
                captured_at_s=frame.captured_at.timestamp(),
                epoch=frame.epoch,
            )
        if self.network_wh is None or self.job.detect_fps <= 0 or frame.received_s < self._next_due_s:
            return
        # Keep the rhythm instead of drifting by one frame each time, but never try to catch up.
        period_s = 1.0 / self.job.detect_fps
        self._next_due_s = max(self._next_due_s + period_s, frame.received_s + 0.5 * period_s)
        rgb, letterbox = self._scaler.to_network_rgb(frame.frame, self.network_wh)
        with self._wake:
            if self._pending is not None:
                self._n_passed_over += 1
            self._pending = _Prepared(frame=frame, rgb=rgb, letterbox=letterbox)
            self._wake.notify()

    def _on_state(self, state: StreamState, reason: str, hint: str) -> None:
        if state is StreamState.LIVE:
            log.info("camera %s is live", self.job.camera_id)
        else:
            log.info("camera %s: %s %s %s", self.job.camera_id, state.value, reason, hint)


class _Worker:
    """The process; `run` returns when the node says so or is gone."""

    def __init__(self, connection: Connection, config: WorkerConfig) -> None:
        self._connection = connection
        self._config = config
        self._send_lock = threading.Lock()
        self._wake = threading.Condition()
        self._stopping = threading.Event()
        self._slots: dict[str, _CameraSlot] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._network_wh: tuple[int, int] | None = None
        self._model = config.model
        self._has_model = threading.Event()
        if config.model is not None:
            self._has_model.set()
        self._me = psutil.Process()

    def run(self) -> None:
        self._set_cameras(self._config.cameras)
        threading.Thread(target=self._infer_forever, name="inference", daemon=True).start()
        threading.Thread(target=self._listen, name="node", daemon=True).start()
        self._me.cpu_percent(None)
        while not self._stopping.wait(1.0):
            self._send(self._heartbeat())
        for slot in tuple(self._slots.values()):
            slot.close()

    def _heartbeat(self) -> Heartbeat:
        now_s = time.monotonic()
        slots = tuple(self._slots.values())
        return Heartbeat(
            streams=tuple(slot.report(now_s) for slot in slots),
            inside={
                slot.job.camera_id: {zone.key: slot.analyser.n_inside(zone.key) for zone in slot.job.scene.zones}
                for slot in slots
                if slot.analyser is not None
            },
            cpu_percent=self._me.cpu_percent(None),
            memory_mb=self._me.memory_info().rss / 1e6,
        )

    def _listen(self) -> None:
        try:
            while not self._stopping.is_set():
                message = self._connection.recv()
                if isinstance(message, SetViews):
                    self._sizes = message.sizes
                    for camera_id, slot in tuple(self._slots.items()):
                        slot.show_at(self._sizes.get(camera_id))
                elif isinstance(message, SetCameras):
                    self._set_cameras(message.cameras)
                elif (isinstance(message, UseModel) and not self._use_model(message.model)) or isinstance(
                    message, StopWorker
                ):
                    break
        except (EOFError, OSError):
            pass  # The node is gone; so are we.
        self._stop()

    def _use_model(self, model: str) -> bool:
        """Open `model`; False where another one runs already and the process has to begin again."""
        if self._model is None:
            self._model = model
            self._has_model.set()
        return self._model == model

    def _stop(self) -> None:
        self._stopping.set()
        self._has_model.set()
        with self._wake:
            self._wake.notify_all()

    def _send(self, message: object) -> None:
        try:
            with self._send_lock:
                self._connection.send(message)
        except (BrokenPipeError, OSError):
            self._stop()

    def _set_cameras(self, jobs: tuple[CameraJob, ...]) -> None:
        wanted = {job.camera_id: job for job in jobs}
        for camera_id, slot in tuple(self._slots.items()):
            if wanted.get(camera_id) != slot.job:
                del self._slots[camera_id]
                slot.close()
        for camera_id, job in wanted.items():
            if camera_id in self._slots:
                continue
            try:
                slot = _CameraSlot(job, self._wake, self._network_wh)
            except (OSError, ConsoleError) as error:
                log.error("camera %s cannot be shown: %s", camera_id, error)
                continue
            slot.show_at(self._sizes.get(camera_id))
            self._slots[camera_id] = slot
            slot.start()

    def _infer_forever(self) -> None:
        engine = self._open_engine()
        if engine is None:
            return
        try:
            while not self._stopping.is_set():
                slot, prepared = self._next_picture()
                if slot is not None and prepared is not None:
                    self._analyse(engine, slot, prepared)
        finally:
            engine.close()

    def _open_engine(self) -> Engine | None:
        # Imported here: the pictures are on the wall while the engine's libraries are still loading.
        from core.vision.engine import open_engine
        from core.vision.models import find_model

        self._has_model.wait()
        if self._stopping.is_set() or self._model is None:
            return None
        try:
            # A model that has to be fetched or converted first is the node's job; here it must be ready.
            model = find_model(self._model, folder=self._config.models, allow_download=False)
            engine = open_engine(
                model,
                prefer=self._config.engine,
                n_threads=self._config.n_threads,
                cache_dir=self._config.models / "cache",
                confidence=self._config.confidence,
                iou=self._config.overlap,
            )
        except ConsoleError as error:
            log.error("detection is off: %s", error)
            self._send(EngineFailed(message=error.message, hint=error.hint))
            return None
        self._network_wh = engine.info.input_wh
        for slot in tuple(self._slots.values()):
            slot.network_wh = self._network_wh
        self._send(EngineOpened(engine=engine.info))
        return engine

    def _next_picture(self) -> tuple[_CameraSlot | None, _Prepared | None]:
        """Wait for a camera that is due, the one that waited longest first."""
        with self._wake:
            due = [slot for slot in self._slots.values() if slot.is_due]
            if not due:
                self._wake.wait(0.5)
                due = [slot for slot in self._slots.values() if slot.is_due]
            if not due or self._stopping.is_set():
                return None, None
            slot = min(due, key=lambda candidate: candidate.last_inferred_s)
            return slot, slot.take_pending()

    def _analyse(self, engine: Engine, slot: _CameraSlot, prepared: _Prepared) -> None:
        frame = prepared.frame
        began_s = time.monotonic()
        if began_s - frame.received_s > MAX_FRAME_AGE_S:
            return
        boxes = engine.infer(prepared.rgb[None])[0]
        now_s = time.monotonic()
        slot.note_inference(now_s - began_s, now_s)
        if slot.analyser is None:
            job = slot.job
            slot.analyser = CameraAnalyser(
                job.camera_id,
                job.scene,
                job.labels,
                job.tracker,
                aspect=prepared.letterbox.frame_w / prepared.letterbox.frame_h,
                engine_labels=engine.info.labels,
            )
        seen = slot.analyser.update(boxes, prepared.letterbox, frame.pts_s, frame.captured_at, picture=prepared.rgb)
        slot.n_detections += len(seen.detections)
        slot.ring.write_tracks(frame.pts_s, [_mark(track) for track in seen.tracks], epoch=frame.epoch)
        for observation in seen.observations:
            slot.n_observations += 1
            self._send(Observed(observation=observation, snapshot_jpeg=_snapshot(observation, frame)))


def _mark(track: Track) -> TrackMark:
    return TrackMark(
        track_id=track.track_id,
        label=track.label,
        score=track.score,
        bbox_xyxy=track.bbox_xyxy,
        velocity_xy=track.velocity_xy,
    )


def _snapshot(observation: Observation, frame: StreamFrame) -> bytes:
    if observation.kind not in CALLING_KINDS or observation.phase is Phase.END:
        return b""
    return to_jpeg(frame.frame, max_wh=SNAPSHOT_WH, quality=85)


def run_worker(connection: Connection, config: WorkerConfig) -> None:
    """Entry point of the process; returns when the node closes the pipe."""
    # The node decides when a worker ends; Ctrl+C in a terminal reaches the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start_logging(config.logs, f"vision-{config.key}")
    if hasattr(os, "nice"):
        # The operator's window goes first where both want the same core.
        with contextlib.suppress(OSError):
            os.nice(10)
    _Worker(connection, config).run()
    logging.shutdown()
    # A reader that hangs in a driver must not keep the process alive.
    os._exit(0)
