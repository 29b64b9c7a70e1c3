"""The process that draws the twin or another scene: started when somebody looks, ended with its panel."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection

from PySide6.QtCore import QObject, Signal

from widgets.twin.drawing import draw_for
from widgets.twin.model import Answer, Built, End, Failed, Options, Order, Picture, Ready

log = logging.getLogger(__name__)

MAX_STARTS = 3
WITHIN_S = 300.0
"""A drawing process that breaks more often than this is not started again: the table says the same."""

Drawing = Callable[[Connection, Options], None]
END_S = 3.0
GONE = "The 3D view ended: this machine's graphics driver broke."


class TwinProcess(QObject):
    """Carries orders to the drawing process and what it answers back.

    Signals:
        ready(object): `Ready`: it draws.
        built(object): `Built`: the lots as geometry.
        picture(object): `Picture` with its pixels.
        started_again(): Everything has to be said once more.
        failed(str): It cannot draw on this machine, with a sentence.

    Threads: the GUI's; a thread of its own reads the pipe and only emits.
    """

    ready = Signal(object)
    built = Signal(object)
    picture = Signal(object)
    started_again = Signal()
    failed = Signal(str)
    _ended = Signal(object)

    def __init__(self, options: Options, parent: QObject | None = None, draw: Drawing = draw_for) -> None:
        """Prepare; `draw` is what the process does."""
        super().__init__(parent)
        self._options = options
        self._draw = draw
        self._pipe: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self._starts_s: deque[float] = deque(maxlen=MAX_STARTS)
        self._has_drawn = False
        self.ready.connect(self._on_ready)
        self._ended.connect(self._on_ended)

    @property
    def pid(self) -> int | None:
        """Of the drawing process; None while there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def is_running(self) -> bool:
        """Whether there is a process to draw."""
        return self._process is not None

    def start(self) -> None:
        """Start drawing."""
        if self._process is not None:
            return
        self._starts_s.append(time.monotonic())
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=self._draw, args=(theirs, self._options), name="twin", daemon=True)
        process.start()
        theirs.close()
        self._pipe, self._process = ours, process
        threading.Thread(target=self._read, args=(ours,), name="twin pipe", daemon=True).start()

    def send(self, order: Order) -> None:
        """Order something; a process that is gone hears nothing, and is told everything when it is back."""
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.send(order)

    def close(self) -> None:
        """End the process; nothing is heard of it afterwards."""
        self.send(End())
        process, self._pipe, self._process = self._process, None, None
        if process is not None:
            process.join(END_S)
            if process.is_alive():
                process.kill()
                process.join(END_S)
            process.close()

    def _read(self, pipe: Connection) -> None:
        """Wait for answers; on the thread of the pipe."""
        said: Failed | None = None
        try:
            while True:
                answer: Answer = pipe.recv()
                match answer:
                    case Picture():
                        self.picture.emit(replace(answer, pixels=pipe.recv_bytes()))
                    case Built():
                        self.built.emit(answer)
                    case Ready():
                        self.ready.emit(answer)
                    case Failed():
                        said = answer
        except (EOFError, OSError):
            pipe.close()
        with contextlib.suppress(RuntimeError):  # The window is gone already.
            self._ended.emit((pipe, said))

    def _on_ready(self, ready: Ready) -> None:
        self._has_drawn = True
        log.info("the twin is drawn by %s", ready.device or "an unnamed device")

    def _on_ended(self, ended: tuple[Connection, Failed | None]) -> None:
        pipe, said = ended
        if pipe is not self._pipe:
            return
        code = self._process.exitcode if self._process is not None else None
        self.close()
        log.warning("the drawing process of the twin ended (%s)", said.sentence if said else f"exit code {code}")
        is_often = len(self._starts_s) == MAX_STARTS and time.monotonic() - self._starts_s[0] < WITHIN_S
        if said is not None or not self._has_drawn or is_often:
            self.failed.emit(said.sentence if said is not None else GONE)
            return
        self.start()
        self.started_again.emit()
