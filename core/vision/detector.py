"""The detector process: one engine for the cameras of all workers.

Workers call in over a local socket, name the mapped files of their cameras and ask for looks; boxes go back the same
way. A worker that dies takes only its own cameras along; when this process dies, pictures go on without it and the node
starts it again.

Threads: one accepts workers, two listen to each of them and answer it, one infers, one listens to the node; the main
thread reports once a second and ends the process where an inference hangs in a driver.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import secrets
import signal
import threading
import time
from functools import partial
from multiprocessing.connection import Connection, Listener

import numpy as np
import psutil

from core.kernel.errors import ConsoleError, UnavailableError
from core.kernel.log import start_logging
from core.vision.decode import FloatArray
from core.vision.engine import Engine, open_engine
from core.vision.inference import InferenceLoop, Look
from core.vision.looks import LookReader
from core.vision.messages import (
    CloseLooks,
    DetectorConfig,
    EngineFailed,
    EngineOpened,
    Heartbeat,
    LookAt,
    Looked,
    OpenLooks,
    StopWorker,
    UseDetector,
    UseModel,
)
from core.vision.models import find_model

log = logging.getLogger(__name__)

HUNG_AFTER_S = 10.0
"""No engine takes this long for a few pictures: the driver hangs."""

SLOW_START_S = 30.0
"""The first pictures, for which kernels are chosen or compiled, and all that go over a network may take longer."""

RETRY_S, LATEST_RETRY_S = 5.0, 60.0

MAX_ANSWERS = 256
"""Kept for one worker; that is several for each look its cameras may have under way."""


class _Client:
    """One worker that called in; `listen` and `write` each run on a thread of their own."""

    def __init__(self, connection: Connection, loop: InferenceLoop, input_wh: tuple[int, int]) -> None:
        self._connection = connection
        self._loop = loop
        self._input_wh = input_wh
        self._answers: queue.Queue[object | None] = queue.Queue(MAX_ANSWERS)
        self._readers: dict[str, LookReader] = {}

    def send(self, message: object) -> None:
        """Send an answer soon; inference never waits for a worker that does not take its answers."""
        # It asks and does not listen: what it never hears it asks for again, once it lives.
        with contextlib.suppress(queue.Full):
            self._answers.put_nowait(message)

    def write(self) -> None:
        """Send answers, in order, until the worker is gone."""
        # A worker that is gone is noticed where it is listened to. TypeError: closed there at this moment.
        with contextlib.suppress(OSError, ValueError, TypeError):
            while (message := self._answers.get()) is not None:
                self._connection.send(message)

    def listen(self) -> None:
        """Take what the worker asks for, until it is gone."""
        try:
            while True:
                self._take(self._connection.recv())
        except (EOFError, OSError):
            pass
        except Exception:
            # It is hung up on and calls again; nobody listened to it any more otherwise.
            log.exception("a worker asked for something that cannot be done")
        for camera_id in tuple(self._readers):
            self._loop.forget(camera_id)
        self._readers.clear()
        with contextlib.suppress(queue.Full):
            self._answers.put_nowait(None)
        self._connection.close()

    def _take(self, message: object) -> None:
        if isinstance(message, LookAt):
            reader = self._readers.get(message.camera_id)
            if reader is not None:
                self._loop.offer(self._look(message, reader))
        elif isinstance(message, OpenLooks):
            try:
                reader = LookReader(message.file)
            except ConsoleError as error:
                # Its worker closed the camera meanwhile.
                log.info("camera %s: %s", message.camera_id, error.message)
                return
            if reader.wh != self._input_wh:
                # In one batch with others it would break the engine for all.
                log.error("camera %s sends pictures of %s and not of %s", message.camera_id, reader.wh, self._input_wh)
                return
            self._readers[message.camera_id] = reader
        elif isinstance(message, CloseLooks):
            self._readers.pop(message.camera_id, None)
            self._loop.forget(message.camera_id)

    def _look(self, message: LookAt, reader: LookReader) -> Look:
        return Look(
            camera_id=message.camera_id,
            received_s=message.received_s,
            urgency=message.urgency,
            wanted_per_s=message.wanted_per_s,
            load=partial(reader.read, message.sequence),
            on_seen=partial(self._answer, message),
            on_dropped=partial(self._answer, message, None, 0.0),
        )

    def _answer(self, message: LookAt, found: list[FloatArray] | None, seconds: float) -> None:
        boxes = None if found is None else tuple(np.ascontiguousarray(rows, np.float32).tobytes() for rows in found)
        self.send(
            Looked(
                camera_id=message.camera_id,
                sequence=message.sequence,
                boxes=boxes,
                seconds=seconds,
                share=self._loop.share,
            )
        )


class _Detector:
    """The process; `run` returns when the node says so or is gone."""

    def __init__(self, node: Connection, config: DetectorConfig) -> None:
        self._node = node
        self._config = config
        self._model = config.model
        self._has_model = threading.Event()
        if config.model is not None:
            self._has_model.set()
        self._stopping = threading.Event()
        self._send_lock = threading.Lock()
        self._loop: InferenceLoop | None = None
        self._is_remote = False
        self._failure = ""
        self._me = psutil.Process()

    def run(self) -> None:
        threading.Thread(target=self._listen, name="node", daemon=True).start()
        threading.Thread(target=self._work, name="inference", daemon=True).start()
        self._me.cpu_percent(None)
        while not self._stopping.wait(1.0):
            loop = self._loop
            if loop is not None and loop.stuck_s() > self._patience_s(loop):
                log.error("the detector hangs in an inference since %.0f s and is ended", loop.stuck_s())
                logging.shutdown()
                os._exit(1)
            self._send(
                Heartbeat(
                    streams=(),
                    inside={},
                    cpu_percent=self._me.cpu_percent(None),
                    memory_mb=self._me.memory_info().rss / 1e6,
                )
            )
        if self._loop is not None:
            self._loop.stop()

    def _patience_s(self, loop: InferenceLoop) -> float:
        return SLOW_START_S if self._is_remote or not loop.n_looks else HUNG_AFTER_S

    def _listen(self) -> None:
        try:
            while not self._stopping.is_set():
                message = self._node.recv()
                if isinstance(message, StopWorker):
                    break
                if isinstance(message, UseModel):
                    if self._model not in (None, message.model):
                        break  # Another model is another process: nothing of the old one stays in memory.
                    self._model = message.model
                    self._has_model.set()
        except (EOFError, OSError):
            pass  # The node is gone; so are we.
        self._stopping.set()
        self._has_model.set()

    def _work(self) -> None:
        self._has_model.wait()
        if self._stopping.is_set() or self._model is None:
            return
        try:
            engine = self._open_patiently(self._model)
        except Exception:
            # A driver without memory, a file that vanished: a fresh process is the way back.
            log.exception("the engine could not be opened")
            self._stopping.set()
            return
        if engine is None:
            return
        self._is_remote = engine.info.engine == "triton"
        loop = self._loop = InferenceLoop(engine)
        opened = EngineOpened(engine=engine.info)
        key = secrets.token_bytes(32)
        with Listener(backlog=64, authkey=key) as listener:
            threading.Thread(
                target=_accept, args=(listener, loop, opened, self._stopping), name="accept", daemon=True
            ).start()
            self._send(opened)
            self._send(UseDetector(address=str(listener.address), key=key))
            try:
                loop.run()
            except ConsoleError as error:
                # An inference server went away: the next process calls it until it is back.
                self._fail(error)
                self._stopping.set()
            except Exception:
                # The engine broke in the middle of its work: a fresh process is the way back.
                log.exception("the engine broke")
                self._stopping.set()

    def _open_patiently(self, model: str) -> Engine | None:
        """Open the engine; one that is away is called again soon, one that cannot be used may be mended meanwhile."""
        unusable_s = RETRY_S
        while True:
            try:
                return self._open_engine(model)
            except UnavailableError as error:
                self._fail(error)
                wait_s = RETRY_S
            except ConsoleError as error:
                self._fail(error)
                wait_s, unusable_s = unusable_s, min(2 * unusable_s, LATEST_RETRY_S)
            if self._stopping.wait(wait_s):
                return None

    def _fail(self, error: ConsoleError) -> None:
        if str(error) != self._failure:
            log.error("detection is off: %s", error)
        self._failure = str(error)
        self._send(EngineFailed(message=error.message, hint=error.hint))

    def _open_engine(self, model: str) -> Engine:
        config = self._config
        # A model that has to be fetched or converted first is the node's job; here it must be ready.
        found = find_model(model, folder=config.models, allow_download=False)
        return open_engine(
            found,
            prefer=config.engine,
            n_threads=config.n_threads,
            cache_dir=config.models / "cache",
            confidence=config.confidence,
            iou=config.overlap,
            input_wh=config.input_wh,
        )

    def _send(self, message: object) -> None:
        try:
            with self._send_lock:
                self._node.send(message)
        except (BrokenPipeError, OSError):
            self._stopping.set()
            self._has_model.set()


def _accept(listener: Listener, loop: InferenceLoop, opened: EngineOpened, stopping: threading.Event) -> None:
    while not stopping.is_set():
        try:
            connection = listener.accept()
        except OSError:
            # Closed, or a caller that hung up in the middle of its greeting.
            time.sleep(0.05)
            continue
        except Exception as error:  # noqa: BLE001 - an AuthenticationError of a stranger must not end detection
            log.warning("somebody called the detector and was refused: %s", error)
            continue
        client = _Client(connection, loop, opened.engine.input_wh)
        client.send(opened)
        for step in (client.listen, client.write):
            threading.Thread(target=step, name="worker", daemon=True).start()


def run_detector(connection: Connection, config: DetectorConfig) -> None:
    """Entry point of the process; returns when the node closes the pipe."""
    # The node decides when it ends; Ctrl+C in a terminal reaches the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start_logging(config.logs, "vision-detector")
    if hasattr(os, "nice"):
        # The operator's window and the decoders go first where all want the same core.
        with contextlib.suppress(OSError):
            os.nice(10)
    _Detector(connection, config).run()
    logging.shutdown()
    # An inference that hangs in a driver must not keep the process alive.
    os._exit(0)
