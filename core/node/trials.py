"""Trials of alarm rules on what is stored; one at a time, off the loop, with progress and an end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from core.field.model import Device
from core.incidents.rules.book import RuleBook
from core.incidents.rules.model import TrialReport, TrialRun, TrialState
from core.incidents.rules.readings import ReadingReplay, subjects_of
from core.incidents.rules.trial import count_put_aside, read_history, read_works, try_rule
from core.kernel.errors import BadInputError, ConsoleError, UnavailableError
from core.kernel.ids import new_id
from core.store.engine import Store
from core.vision.model import ObservationKind

log = logging.getLogger(__name__)

N_KEPT = 20
_READ_SHARE = 0.95
"""Of the whole, what the readings take; the rest is the comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOrder:
    """What is to be tried.

    Attributes:
        devices: Whose readings may be replayed.
        call_from: Confidence from which a camera's rule calls, by camera and kind.
    """

    rule_id: str
    as_it_is: RuleBook
    changed: RuleBook
    since: datetime
    until: datetime
    devices: tuple[Device, ...]
    call_from: Callable[[str, ObservationKind], float]


class Trials:
    """Starts, stops and remembers trials.

    Threads: the node's loop.
    """

    def __init__(self) -> None:
        self._runs: dict[str, TrialRun] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self, store: Store, order: TrialOrder) -> str:
        """Begin a trial.

        Returns:
            Its id.

        Raises:
            UnavailableError: Another one is going on.
        """
        if self._task is not None and not self._task.done():
            raise UnavailableError("Another trial is going on.", hint="Wait for its end, or stop it.")
        run = TrialRun(trial_id=new_id())
        self._keep(run)
        self._task = asyncio.create_task(self._work(run, store, order), name="rule-trial")
        return run.trial_id

    def state(self, trial_id: str) -> TrialRun:
        """Return how far a trial is, and its report once it is done.

        Raises:
            BadInputError: There is none of that id any more.
        """
        run = self._runs.get(trial_id)
        if run is None:
            raise BadInputError("There is no such trial any more.", hint="Start it again.")
        return run

    def cancel(self, trial_id: str) -> TrialRun:
        """Stop a trial; one that is over stays as it is.

        Raises:
            BadInputError: There is none of that id any more.
        """
        if self.state(trial_id).state is TrialState.RUNNING and self._task is not None:
            self._keep(replace(self._runs[trial_id], state=TrialState.CANCELLED))
            self._task.cancel()
        return self._runs[trial_id]

    async def stop(self) -> None:
        """End what goes on."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _work(self, run: TrialRun, store: Store, order: TrialOrder) -> None:
        try:
            self._keep(replace(run, state=TrialState.DONE, fraction=1.0, report=await self._try(run, store, order)))
        except ConsoleError as error:
            self._keep(replace(run, state=TrialState.FAILED, message=error.message, hint=error.hint))
        except Exception:
            # Supervisor: whoever asked has to hear that it ended.
            log.exception("a trial of alarm rules failed")
            self._keep(replace(run, state=TrialState.FAILED, message="The trial broke off; the log says where."))

    async def _try(self, run: TrialRun, store: Store, order: TrialOrder) -> TrialReport:
        since, until = order.since, order.until
        heard, is_cut = await store.read(
            lambda session: read_history(session, since=since, until=until, call_from=order.call_from)
        )
        subjects = await asyncio.to_thread(
            subjects_of, order.rule_id, order.devices, as_it_is=order.as_it_is, changed=order.changed
        )
        replay = ReadingReplay(subjects, since=since, until=until)
        while not replay.is_over:
            began_s = time.perf_counter()
            piece = await store.read(replay.read)
            await asyncio.to_thread(replay.take, piece)
            self._keep(replace(run, fraction=_READ_SHARE * replay.fraction, n_readings=replay.n_readings))
            # Nobody waits for it as for an alarm: the room has the interpreter for as long as this had it.
            await asyncio.sleep(time.perf_counter() - began_s)
        return await asyncio.to_thread(
            try_rule,
            order.rule_id,
            heard,
            as_it_is=order.as_it_is,
            changed=order.changed,
            since=since,
            until=until,
            is_cut=is_cut,
            measured=replay,
            works=await store.read(lambda session: read_works(session, since=since, until=until)),
            n_put_aside=await store.read(
                lambda session: count_put_aside(session, order.rule_id, since=since, until=until)
            ),
        )

    def _keep(self, run: TrialRun) -> None:
        known = self._runs.get(run.trial_id)
        if known is not None and known.state is not TrialState.RUNNING:
            return
        self._runs[run.trial_id] = run
        while len(self._runs) > N_KEPT:
            del self._runs[next(iter(self._runs))]
