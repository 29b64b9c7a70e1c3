"""Long work that is asked for and followed, each run in a process of its own; one at a time, the newest are kept."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import threading
from abc import abstractmethod
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Protocol, TypeVar

from core.kernel.errors import BadInputError, UnavailableError

N_KEPT = 20
STOP_TIMEOUT_S = 3.0


class AnyRun(Protocol):
    """How far a run is, or its result."""

    @property
    def run_id(self) -> str:
        """Its id."""

    @property
    def state(self) -> str:
        """Running until it is "running" no more."""


Run = TypeVar("Run", bound=AnyRun)


class ProcessRuns(Generic[Run]):
    """Starts, stops and remembers runs of one kind.

    Threads: the node's loop; one thread reads what the process says.
    """

    WHAT: str
    """What is run, in a word or two: "dry run"."""

    BUSY_HINT: str

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    @abstractmethod
    def _ended_early(self, run: Run) -> Run:
        """Return a run whose process ended without a result."""

    def state(self, run_id: str) -> Run:
        """Return how far a run is, or its result.

        Raises:
            BadInputError: There is none of that id any more.
        """
        run = self._runs.get(run_id)
        if run is None:
            raise BadInputError(f"There is no such {self.WHAT} any more.", hint="Start it again.")
        return run

    def cancel(self, run_id: str) -> Run:
        """Stop a run; one that is over stays as it is.

        Raises:
            BadInputError: There is none of that id any more.
        """
        run = self.state(run_id)
        if run.state == "running" and self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.send(None)
        return run

    async def stop(self) -> None:
        """End what goes on, within some seconds."""
        process = self._process
        if process is None:
            return
        process.terminate()
        await asyncio.to_thread(process.join, STOP_TIMEOUT_S)
        if process.is_alive():
            process.kill()
            await asyncio.to_thread(process.join, 1.0)

    def _check_free(self) -> None:
        """Refuse a second run.

        Raises:
            UnavailableError: Another one is going on.
        """
        if any(run.state == "running" for run in self._runs.values()):
            raise UnavailableError(f"Another {self.WHAT} is going on.", hint=self.BUSY_HINT)

    def _begin(self, run: Run, target: Callable[..., None], order: Any, take: Callable[[Run], None]) -> None:
        """Start a process that is given a pipe and the order; what it says goes to `take`."""
        name = self.WHAT.replace(" ", "-")
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=target, args=(theirs, order), name=name, daemon=True)
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        self._keep(run)
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=self._read, args=(loop, run.run_id, process, ours, take), name=f"{name}-read", daemon=True
        ).start()

    def _read(
        self,
        loop: asyncio.AbstractEventLoop,
        run_id: str,
        process: BaseProcess,
        pipe: Connection,
        take: Callable[[Run], None],
    ) -> None:
        try:
            while True:
                loop.call_soon_threadsafe(take, pipe.recv())
        except (EOFError, OSError, RuntimeError):
            pass
        process.join(STOP_TIMEOUT_S)
        if process.is_alive():
            process.kill()
            process.join(1.0)
        with contextlib.suppress(RuntimeError):  # The loop may be closed already.
            loop.call_soon_threadsafe(self._on_ended, run_id, process)

    def _on_ended(self, run_id: str, process: BaseProcess) -> None:
        # The next one may have begun once this one had told its result.
        if self._process is process:
            self._process = self._pipe = None
        run = self._runs.get(run_id)
        if run is not None and run.state == "running" and not self._is_settling():
            self._keep(self._ended_early(run))

    def _is_settling(self) -> bool:
        """Tell whether a result is there already and is only being written down."""
        return False

    def _keep(self, run: Run) -> None:
        self._runs[run.run_id] = run
        while len(self._runs) > N_KEPT:
            del self._runs[next(iter(self._runs))]
