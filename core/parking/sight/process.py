"""The process that looks at bays: pictures in, evidence out, one after the other; it ends with its pipe.

It is a process of its own, of low priority: cameras' pictures and the detector of traffic never wait for it.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from core.kernel.errors import ConsoleError
from core.kernel.log import start_logging
from core.parking.model import BayEvidence, BayView, Lot
from core.parking.sight.classifier import BayClassifier
from core.parking.sight.eye import BayEye, Memory, Picture
from core.parking.sight.finder import ModelChoice, VehicleFinder
from core.parking.sight.memory import memory_file, read_memory, write_memory
from core.parking.sight.model import BaysLooked, LookAtBays, Looked, SetLots, SetModel, SightConfig
from core.parking.sight.quality import decode_jpeg
from core.vision.models import find_model

log = logging.getLogger(__name__)

KEEP_EVERY_S = 60.0


class BaySight:
    """Every view of every lot, with one detector and one classifier for all; used from one thread."""

    def __init__(self, config: SightConfig) -> None:
        """Open nothing yet."""
        self._config = config
        self._finder: VehicleFinder | None = None
        self._model: str | None = None
        self._classifier: BayClassifier | None = None
        self._has_tried_classifier = False
        self._eyes: dict[tuple[str, str], BayEye] = {}
        self._kept_s: dict[tuple[str, str], float] = {}

    def set_model(self, model: str | None) -> None:
        """Detect with this model from now on; None leaves detection out.

        Raises:
            BadInputError: It is no usable model.
        """
        if model == self._model:
            return
        found = None if model is None else find_model(model, folder=self._config.models, allow_download=False)
        if self._finder is not None:
            self._finder.close()
        self._model, self._finder = model, None
        if found is not None:
            config = self._config
            self._finder = VehicleFinder(
                ModelChoice(
                    model=found, engine=config.engine, n_threads=config.n_threads, cache=config.models / "cache"
                )
            )
        for eye in self._eyes.values():
            eye.use_finder(self._finder)

    def look(self, lot: Lot, view: BayView, picture_bgr: Picture) -> tuple[BayEvidence, ...]:
        """Say what stands in the bays of one view, now.

        Args:
            lot: As it is drawn.
            view: One of its views.
            picture_bgr: Shape (h, w, 3).
        """
        now = datetime.now(UTC)
        return self.look_at(lot, view, picture_bgr, now, f"camera:{view.camera_id}").evidence

    def look_at(self, lot: Lot, view: BayView, picture_bgr: Picture, at: datetime, source: str) -> Looked:
        """As `look`, with all that the picture says."""
        key = (lot.lot_id, view.camera_id)
        eye = self._eyes.get(key)
        if eye is None or eye.lot != lot or eye.view != view:
            before = eye
            eye = self._eyes[key] = self._open_eye(lot, view, self._memory_of(key))
            if before is not None:
                eye.go_on_from(before)
        looked = eye.look(picture_bgr, at, source)
        if time.monotonic() - self._kept_s.setdefault(key, time.monotonic()) > KEEP_EVERY_S:
            self._kept_s[key] = time.monotonic()
            write_memory(self._file(key), eye.memory)
        return looked

    def look_back(self, lot: Lot, view: BayView, picture_bgr: Picture, at: datetime, source: str) -> Looked:
        """Say what a picture of the past shows, with what is known of the view; the live eye never hears of it."""
        memory = copy.deepcopy(self._memory_of((lot.lot_id, view.camera_id)))
        looked = self._open_eye(lot, view, memory).look(picture_bgr, at, source)
        return replace(looked, sightings=())

    def keep(self) -> None:
        """Write what was learnt."""
        for key, eye in self._eyes.items():
            write_memory(self._file(key), eye.memory)

    def forget(self, views: set[tuple[str, str]]) -> None:
        """Let go of every view that is not among these."""
        for key in set(self._eyes) - views:
            del self._eyes[key]
            with contextlib.suppress(OSError):
                self._file(key).unlink(missing_ok=True)

    def close(self) -> None:
        """Write what was learnt, and free the detector."""
        self.keep()
        if self._finder is not None:
            self._finder.close()

    def _open_eye(self, lot: Lot, view: BayView, memory: Memory) -> BayEye:
        return BayEye(lot, view, finder=self._finder, classifier=self._open_classifier(), memory=memory)

    def _memory_of(self, key: tuple[str, str]) -> Memory:
        eye = self._eyes.get(key)
        return read_memory(self._file(key)) if eye is None else eye.memory

    def _file(self, key: tuple[str, str]) -> Path:
        return memory_file(self._config.memory, *key)

    def _open_classifier(self) -> BayClassifier | None:
        if not self._has_tried_classifier:
            self._has_tried_classifier = True
            try:
                self._classifier = BayClassifier(n_threads=self._config.n_threads)
            except ConsoleError as error:
                log.warning("bays are looked at without the classifier: %s", error)
        return self._classifier


class _Process:
    """Answers what comes through the pipe."""

    def __init__(self, pipe: Connection, config: SightConfig) -> None:
        self._pipe = pipe
        self._sight = BaySight(config)
        self._lots: dict[str, Lot] = {}
        if config.model is not None:
            self._use(config.model)

    def run(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while (message := self._pipe.recv()) is not None:
                if isinstance(message, SetLots):
                    self._set_lots(message)
                elif isinstance(message, SetModel):
                    self._use(message.model)
                elif isinstance(message, LookAtBays):
                    self._pipe.send(self._answer(message))
        self._sight.close()

    def _set_lots(self, message: SetLots) -> None:
        self._lots = {lot.lot_id: lot for lot in message.lots}
        self._sight.forget({(lot.lot_id, view.camera_id) for lot in message.lots for view in lot.views})

    def _use(self, model: str) -> None:
        try:
            self._sight.set_model(model)
        except ConsoleError as error:
            log.error("bays are looked at without a detector: %s", error)

    def _answer(self, ask: LookAtBays) -> BaysLooked:
        lot = self._lots.get(ask.lot_id)
        view = next((one for one in lot.views if one.camera_id == ask.camera_id), None) if lot else None
        if lot is None or view is None:
            return BaysLooked(ticket=ask.ticket, looked=None, message="The lot has no view of this camera any more.")
        try:
            picture = decode_jpeg(ask.jpeg)
            look = self._sight.look_back if ask.is_history else self._sight.look_at
            looked = look(lot, view, picture, ask.at, ask.source)
        except ConsoleError as error:
            return BaysLooked(ticket=ask.ticket, looked=None, message=error.message, hint=error.hint)
        except Exception:
            # One picture that brings out a bug must not blind every other lot.
            log.exception("a picture of %s broke the look at its bays", ask.camera_id)
            message = "This picture could not be looked at; the log says more."
            return BaysLooked(ticket=ask.ticket, looked=None, message=message)
        return BaysLooked(ticket=ask.ticket, looked=looked)


def run_sight_process(pipe: Connection, config: SightConfig) -> None:
    """Entry point of the node's child process; ends when the pipe is closed or None comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start_logging(config.logs, "bays")
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(12)
    _Process(pipe, config).run()
    logging.shutdown()
    # A driver that hangs must not keep the process alive.
    os._exit(0)
