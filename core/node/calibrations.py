"""Calibration runs of lots' cameras, each in a process of its own; one at a time, the newest few are remembered."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.parking.sight.model import Calibration, CalibrationOrder

N_KEPT = 20
STOP_TIMEOUT_S = 3.0

Save = Callable[[Calibration], Awaitable[None]]


class Calibrations:
    """Starts, stops and remembers calibration runs.

    Threads: the node's loop; one thread reads what the process says.
    """

    def __init__(self) -> None:
        self._runs: dict[str, Calibration] = {}
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._saving: set[asyncio.Task[None]] = set()

    def start(self, order: CalibrationOrder, *, save: Save) -> str:
        """Begin a run.

        Args:
            order: What to try.
            save: Writes the result into the lot; what it refuses becomes the run's own sentence.

        Returns:
            Its id.

        Raises:
            UnavailableError: Another one is going on.
        """
        if any(run.state == "running" for run in self._runs.values()):
            raise UnavailableError("Another calibration is going on.", hint="Wait for its end, or stop it.")
        # Imported here: the engine's libraries are no part of the node.
        from core.parking.sight.calibrate import run_calibration_process

        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=run_calibration_process, args=(theirs, order), name="bays-calibration", daemon=True
        )
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        self._keep(
            Calibration(
                run_id=order.run_id,
                lot_id=order.lot.lot_id,
                camera_id=order.camera_id,
                step="The pictures are being read.",
                n_pictures=len(order.pictures),
            )
        )
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=self._read, args=(loop, order.run_id, process, ours, save), name="calibration-read", daemon=True
        ).start()
        return order.run_id

    def state(self, run_id: str) -> Calibration:
        """Return how far a run is, or its result.

        Raises:
            BadInputError: There is none of that id any more.
        """
        run = self._runs.get(run_id)
        if run is None:
            raise BadInputError("There is no such calibration any more.", hint="Start it again.")
        return run

    def cancel(self, run_id: str) -> Calibration:
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

    def _read(
        self, loop: asyncio.AbstractEventLoop, run_id: str, process: BaseProcess, pipe: Connection, save: Save
    ) -> None:
        try:
            while True:
                loop.call_soon_threadsafe(self._take, pipe.recv(), save)
        except (EOFError, OSError, RuntimeError):
            pass
        process.join(STOP_TIMEOUT_S)
        if process.is_alive():
            process.kill()
            process.join(1.0)
        with contextlib.suppress(RuntimeError):  # The loop may be closed already.
            loop.call_soon_threadsafe(self._on_ended, run_id, process)

    def _take(self, run: Calibration, save: Save) -> None:
        if run.state != "done":
            self._keep(run)
            return
        # It is not done before it is saved: who sees the result may draw the lot anew at once.
        self._keep(replace(run, state="running", fraction=1.0, step="The result is being saved."))
        task = asyncio.ensure_future(self._save(run, save))
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)

    async def _save(self, run: Calibration, save: Save) -> None:
        try:
            await save(run)
        except ConsoleError as error:
            self._keep(
                replace(run, state="failed", step=f"{run.step} It was not saved: {error.message}", hint=error.hint)
            )
            return
        self._keep(run)

    def _on_ended(self, run_id: str, process: BaseProcess) -> None:
        # The next one may have begun once this one had told its result.
        if self._process is process:
            self._process = self._pipe = None
        run = self._runs.get(run_id)
        if run is not None and run.state == "running" and not self._saving:
            step = "The process of the calibration ended without a result."
            self._keep(replace(run, state="failed", step=step, hint="Start it again."))

    def _keep(self, run: Calibration) -> None:
        self._runs[run.run_id] = run
        while len(self._runs) > N_KEPT:
            del self._runs[next(iter(self._runs))]
