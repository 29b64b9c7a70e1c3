"""Dry runs of scenes over footage."""

from __future__ import annotations

from dataclasses import replace

from core.node.runs import ProcessRuns
from core.vision.dry_run_model import DryRun, DryRunOrder


class DryRuns(ProcessRuns[DryRun]):
    """Starts, stops and remembers dry runs."""

    WHAT = "dry run"
    BUSY_HINT = "Wait for its end, or stop it; two at a time would slow the wall."

    def start(self, order: DryRunOrder) -> str:
        """Begin a dry run.

        Returns:
            Its id.

        Raises:
            UnavailableError: Another one is going on.
        """
        self._check_free()
        # Imported here: the engine's libraries are no part of the node.
        from core.vision.dry_run import run_dry_run_process

        run = DryRun(run_id=order.run_id, camera_id=order.camera_id)
        self._begin(run, run_dry_run_process, order, self._keep)
        return order.run_id

    def _ended_early(self, run: DryRun) -> DryRun:
        message = "The process of the dry run ended without a result."
        return replace(run, state="failed", message=message, hint="Try it with shorter footage.")
