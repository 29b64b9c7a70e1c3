"""One engine for the newest pictures of many cameras: waits, picks, fills a batch, infers, answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.vision.decode import FloatArray
from core.vision.engine import Engine, Pictures
from core.vision.schedule import Load, Schedule

FILL_S = 0.005
"""A batch waits this long for more cameras; one picture at a time waits for nobody."""

_IDLE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The newest picture of one camera, asked to be looked at.

    Attributes:
        received_s: Monotonic time of its arrival.
        urgency, wanted_per_s: As `Schedule.offer` takes them.
        load: Fetches the pictures, shape (n, h, w, 3); None where they are gone.
        on_seen: Takes the boxes of each picture and the seconds that it took.
        on_dropped: Nobody looked: a newer one came, or it grew old.
    """

    camera_id: str
    received_s: float
    urgency: float
    wanted_per_s: float
    load: Callable[[], Pictures | None]
    on_seen: Callable[[list[FloatArray], float], None]
    on_dropped: Callable[[], None]


class InferenceLoop:
    """Runs an engine over looks.

    Threads: `offer` and `forget` from any; `run` has its own, and calls back from it.
    """

    def __init__(self, engine: Engine) -> None:
        """Take an engine over; `run` closes it."""
        self._engine = engine
        self._n_batch = engine.n_batch
        self._wake = threading.Condition()
        self._schedule = Schedule()
        self._load = Load(self._n_batch)
        self._n_missed = 0
        self._looks: dict[str, Look] = {}
        self._is_stopping = False
        self._began_s: float | None = None
        self.n_looks = 0

    @property
    def share(self) -> float:
        """Of the wanted rate, what every camera gets."""
        return self._load.share

    def stuck_s(self) -> float:
        """Return how long the present inference has been running [s]; 0 where none is."""
        began_s = self._began_s
        return 0.0 if began_s is None else time.monotonic() - began_s

    def offer(self, look: Look) -> None:
        """Put a camera's newest picture in place of its last."""
        with self._wake:
            self._schedule.offer(look.camera_id, look.received_s, urgency=look.urgency, wanted_per_s=look.wanted_per_s)
            passed_over = self._looks.pop(look.camera_id, None)
            self._looks[look.camera_id] = look
            self._wake.notify()
        if passed_over is not None:
            passed_over.on_dropped()

    def forget(self, camera_id: str) -> None:
        """The camera is gone; what waits of it is not answered."""
        with self._wake:
            self._looks.pop(camera_id, None)
            self._schedule.forget(camera_id)

    def stop(self) -> None:
        """Let `run` return."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify_all()

    def run(self) -> None:
        """Look, until told to stop; then close the engine."""
        try:
            while not self._is_stopping:
                looks, old = self._next_looks()
                for look in old:
                    look.on_dropped()
                if looks:
                    self._infer(looks)
                with self._wake:
                    now_s = time.monotonic()
                    self._load.update(now_s, self._schedule.wanted_per_s(now_s))
        finally:
            self._engine.close()

    def _next_looks(self) -> tuple[list[Look], list[Look]]:
        """Wait for pictures; return those to look at, and those that grew old."""
        with self._wake:
            if not self._schedule.n_waiting and not self._is_stopping:
                self._wake.wait(_IDLE_S)
            deadline_s = time.monotonic() + FILL_S
            while 0 < self._schedule.n_waiting < self._n_batch and not self._is_stopping:
                wait_s = deadline_s - time.monotonic()
                if wait_s <= 0 or not self._wake.wait(wait_s):
                    break
            now_s = time.monotonic()
            old = [self._looks.pop(camera_id) for camera_id in self._schedule.drop_old(now_s)]
            return [self._looks.pop(camera_id) for camera_id in self._schedule.pick(now_s, self._n_batch)], old

    def _infer(self, looks: list[Look]) -> None:
        began_s = self._began_s = time.monotonic()
        loaded: list[tuple[Look, Pictures]] = []
        for look in looks:
            pictures = look.load()
            if pictures is None:
                look.on_dropped()
            else:
                loaded.append((look, pictures))
        found: list[FloatArray] = []
        batch = [pictures for _, pictures in loaded]
        together = batch[0] if len(batch) == 1 else np.concatenate(batch) if batch else None
        if together is not None:
            for first in range(0, len(together), self._n_batch):
                found += self._engine.infer(together[first : first + self._n_batch])
        ended_s = time.monotonic()
        self._began_s = None
        if not loaded:
            return
        with self._wake:
            n_missed, self._n_missed = self._schedule.n_missed - self._n_missed, self._schedule.n_missed
        self._load.note(began_s, ended_s, len(loaded), n_missed)
        self.n_looks += len(loaded)
        for look, pictures in loaded:
            boxes, found = found[: len(pictures)], found[len(pictures) :]
            look.on_seen(boxes, ended_s - began_s)
