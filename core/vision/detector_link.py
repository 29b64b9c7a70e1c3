"""A worker's line to the detector process: calls it, asks for looks, hears what was seen, and calls again."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection
from typing import Protocol

from core.vision.messages import CloseLooks, EngineOpened, LookAt, Looked, OpenLooks, UseDetector
from core.vision.model import EngineInfo

log = logging.getLogger(__name__)

RETRY_S = 0.2


class Asks(Protocol):
    """Where a camera sends its looks."""

    def send(self, message: OpenLooks | CloseLooks | LookAt) -> None:
        """Send, or drop it where nobody is there: who comes next is told anew what is open."""
        ...


class DetectorLink:
    """The line; `on_*` run on its own thread, one after the other.

    Threads: every method from any thread.
    """

    def __init__(
        self,
        *,
        on_engine: Callable[[EngineInfo], None],
        on_looked: Callable[[Looked], None],
        on_gone: Callable[[], None],
    ) -> None:
        """Call nobody yet."""
        self._on_engine = on_engine
        self._on_looked = on_looked
        self._on_gone = on_gone
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._wanted: UseDetector | None = None
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="detector", daemon=True)

    def start(self) -> None:
        """Begin; the first `use` says whom to call."""
        self._thread.start()

    def use(self, detector: UseDetector) -> None:
        """Call this one from now on; it takes the place of one that ended."""
        self._wanted = detector
        self._changed.set()

    def send(self, message: OpenLooks | CloseLooks | LookAt) -> None:
        """Send; where the line is down the message is lost."""
        connection = self._connection
        if connection is None:
            return
        try:
            with self._lock:
                connection.send(message)
        except (OSError, ValueError, TypeError):
            pass  # The listening side notices and calls again. TypeError: closed by it at this moment.

    def stop(self) -> None:
        """Hang up."""
        self._stopping.set()
        self._changed.set()
        connection = self._connection
        if connection is not None:
            connection.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._changed.wait()
            self._changed.clear()
            while not self._stopping.is_set() and self._wanted is not None and not self._changed.is_set():
                self._call(self._wanted)
                # Back soon: the same detector after a broken line, or the node's next address.
                self._changed.wait(RETRY_S)

    def _call(self, detector: UseDetector) -> None:
        try:
            connection = Client(detector.address, authkey=detector.key)
        except (OSError, EOFError):
            return
        except Exception as error:  # noqa: BLE001 - AuthenticationError has no better base
            log.warning("the detector refused this worker: %s", error)
            return
        self._connection = connection
        try:
            while True:
                message = connection.recv()
                if isinstance(message, Looked):
                    self._on_looked(message)
                elif isinstance(message, EngineOpened):
                    self._on_engine(message.engine)
        except (EOFError, OSError, TypeError):
            pass  # TypeError: closed by `stop` between two reads.
        except Exception:
            # This thread is the only one that hears the detector: it calls again instead of ending in silence.
            log.exception("an answer of the detector broke something; it is called again")
        self._connection = None
        with contextlib.suppress(OSError):  # `stop` may be closing it at this moment.
            connection.close()
        if not self._stopping.is_set():
            self._on_gone()
