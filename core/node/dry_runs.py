"""Dry runs of scenes over footage, each in a process of its own; one at a time, the newest few are remembered."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import threading
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from core.kernel.errors import BadInputError, UnavailableError
from core.vision.dry_run_model import DryRun, DryRunOrder

N_KEPT = 20
STOP_TIMEOUT_S = 3.0


class DryRuns:
    """Starts, stops and remembers dry runs.

    Threads: the node's loop; one thread reads what the process says.
    """

    def __init__(self) -> None:
        self._runs: dict[str, DryRun] = {}
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def start(self, order: DryRunOrder) -> str:
        """Begin a dry run.

        Returns:
            Its id.

        Raises:
            UnavailableError: Another one is going on.
        """
        if any(run.state == "running" for run in self._runs.values()):
            raise UnavailableError(
                "Another dry run is going on.", hint="Wait for its end, or stop it; two at a time would slow the wall."
            )
        # Imported here: the engine's libraries are no part of the node.
        from core.vision.dry_run import run_dry_run_process

        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=run_dry_run_process, args=(theirs, order), name="vision-dry-run", daemon=True)
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        self._keep(DryRun(run_id=order.run_id, camera_id=order.camera_id))
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=self._read, args=(loop, order.run_id, process, ours), name="dry-run-read", daemon=True
        ).start()
        return order.run_id

    def state(self, run_id: str) -> DryRun:
        """Return how far a dry run is, and what was raised.

        Raises:
            BadInputError: There is none of that id any more.
        """
        run = self._runs.get(run_id)
        if run is None:
            raise BadInputError("There is no such dry run any more.", hint="Start it again.")
        return run

    def cancel(self, run_id: str) -> DryRun:
        """Stop a dry run; one that is over stays as it is.

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

    def _read(self, loop: asyncio.AbstractEventLoop, run_id: str, process: BaseProcess, pipe: Connection) -> None:
        try:
            while True:
                loop.call_soon_threadsafe(self._keep, pipe.recv())
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
        if run is not None and run.state == "running":
            message = "The process of the dry run ended without a result."
            self._keep(replace(run, state="failed", message=message, hint="Try it with shorter footage."))

    def _keep(self, run: DryRun) -> None:
        self._runs[run.run_id] = run
        while len(self._runs) > N_KEPT:
            del self._runs[next(iter(self._runs))]
