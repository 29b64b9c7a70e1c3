"""Calibration runs of lots' cameras: what a run found is saved into its lot before it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from core.kernel.errors import ConsoleError
from core.node.runs import ProcessRuns
from core.parking.sight.model import Calibration, CalibrationOrder

Save = Callable[[Calibration], Awaitable[None]]


class Calibrations(ProcessRuns[Calibration]):
    """Starts, stops and remembers calibration runs."""

    WHAT = "calibration"
    BUSY_HINT = "Wait for its end, or stop it."

    def __init__(self) -> None:
        super().__init__()
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
        self._check_free()
        # Imported here: the engine's libraries are no part of the node.
        from core.parking.sight.calibrate import run_calibration_process

        run = Calibration(
            run_id=order.run_id,
            lot_id=order.lot.lot_id,
            camera_id=order.camera_id,
            step="The pictures are being read.",
            n_pictures=len(order.pictures),
        )
        self._begin(run, run_calibration_process, order, partial(self._take, save=save))
        return order.run_id

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

    def _is_settling(self) -> bool:
        return bool(self._saving)

    def _ended_early(self, run: Calibration) -> Calibration:
        step = "The process of the calibration ended without a result."
        return replace(run, state="failed", step=step, hint="Start it again.")
