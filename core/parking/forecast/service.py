"""Figures and forecasts of a node's lots: asked by consoles, trained by night, and watched for lots that fill up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from core.access.model import Actor, Role
from core.access.permission import require
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError
from core.kernel.settings import ParkingSettings
from core.parking.figures import figures_of, figures_of_counts, spans_of
from core.parking.figures_model import LotFigures
from core.parking.forecast import events, saved
from core.parking.forecast.boosting import Trees
from core.parking.forecast.history import counts_of_changes, read_bay_changes, read_counts
from core.parking.forecast.holiday import holidays_of
from core.parking.forecast.intervals import ASKED
from core.parking.forecast.model import FullExpected, LotEvent, LotForecast, TrainingState
from core.parking.forecast.predict import Seen, foresee_points, instants_ahead, measured
from core.parking.forecast.process import TrainingDone, TrainingOrder, run_training
from core.parking.forecast.profile import Occasions
from core.parking.forecast.series import Counts, Series, held
from core.parking.forecast.training import FEWEST_DAYS
from core.parking.service import ParkingService
from core.store.engine import Store

log = logging.getLogger(__name__)

SLOT_S = 900
HISTORY = timedelta(days=90)
REACH = timedelta(days=7)
LONGEST_FIGURES = timedelta(days=400)
MOST_POINTS = 2_000
KEPT_S = 300.0
"""A lot's history is read anew so often at most; how full it is right now is always known."""

FIRST_TRAINING_S = 20.0
LOOK_EVERY_S = 60.0
LONGEST_TRAINING_S = 1800.0
STOP_S = 3.0
RELEASE = 0.2
"""A warning is taken back once its probability is so much lower than what raises it."""


@dataclass(frozen=True, slots=True)
class _Known:
    counts: Counts
    read_at_s: float


class ForecastService:
    """What was, and what will be, of lots and zones.

    Threads: the owner's loop; numbers are worked out on threads of their own, training in a process.
    """

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        parking: ParkingService,
        settings: ParkingSettings,
        time_zone: str,
        folder: Path,
        is_simulated: bool = False,
    ) -> None:
        """Prepare; nothing is read before the first question, nothing trained before `work`.

        Args:
            store: Where the history is.
            bus: Hears of lots that fill up.
            clock: Of the node.
            parking: Knows the lots.
            settings: Holidays, training, warnings.
            time_zone: That hours and weekdays are meant in.
            folder: Where models are kept.
            is_simulated: The history is the demonstration's.
        """
        self._store = store
        self._bus = bus
        self._clock = clock
        self._parking = parking
        self._settings = settings
        self._zone = time_zone
        self._file = folder / "forecast" / "training.json"
        self._is_simulated = is_simulated
        self._saved: saved.SavedTraining | None = None
        self._has_loaded = False
        self._known: dict[tuple[str, str], _Known] = {}
        self._warned: set[str] = set()
        self._process: BaseProcess | None = None
        self._is_training = False
        self._wanted: asyncio.Task[None] | None = None
        self._message = ""
        self._holiday_note = ""

    # -- questions ------------------------------------------------------------------------------------------------

    async def figures(self, lot_id: str, zone: str, since: datetime, until: datetime) -> LotFigures:
        """Return what a lot's or a zone's history says of it.

        Raises:
            BadInputError: There is no such lot or zone, or the time makes no sense.
            UnavailableError: The database is away.
        """
        bay_ids = self._bays_of(lot_id, zone)
        until = min(until, self._clock.now())
        if not timedelta(0) < until - since <= LONGEST_FIGURES:
            raise BadInputError("The time must begin before it ends.", hint="Choose a day up to a year.")
        changes = []
        if bay_ids:
            changes = await self._store.read(lambda session: read_bay_changes(session, lot_id, since, until))
        if not changes:
            return await self._figures_of_counts(lot_id, zone, bay_ids, since, until)

        def work() -> LotFigures:
            spans = spans_of(changes, since_s=since.timestamp(), until_s=until.timestamp())
            return figures_of(
                spans,
                lot_id=lot_id,
                zone=zone,
                bay_ids=bay_ids,
                since=since,
                until=until,
                time_zone=self._zone,
            )

        return replace(await asyncio.to_thread(work), is_simulated=self._is_simulated)

    async def forecast(self, lot_id: str, zone: str, instants: Sequence[datetime]) -> LotForecast:
        """Return what is foreseen of a lot or a zone.

        Args:
            lot_id: Drawn, or a device that is a lot of its own.
            zone: Empty for the whole lot.
            instants: From now on, seven days ahead at most.

        Raises:
            BadInputError: There is no such lot or zone, or an instant lies elsewhere.
            UnavailableError: The database is away.
        """
        now = self._clock.now()
        self._check_instants(instants, now)
        self._bays_of(lot_id, zone)
        seen = await self._see(lot_id, zone, now)
        training = self._saved
        made = LotForecast(
            lot_id=lot_id,
            zone=zone,
            made_at=now,
            time_zone=self._zone,
            n_bays=0,
            n_free_now=None,
            asked=ASKED,
            trained_at=None if training is None else training.trained_at,
            is_simulated=self._is_simulated,
            notes=("Not enough history: nothing was ever counted here.",),
        )
        if seen is None:
            return made
        points, notes = await asyncio.to_thread(foresee_points, seen, tuple(instants))
        key = _key(lot_id, zone)
        share_now = float(seen.series.share[-1])
        more = tuple(note for note in (self._holiday_note, training.note if training else "") if note)
        return replace(
            made,
            n_bays=round(seen.series.capacity),
            n_free_now=None if np.isnan(share_now) else (1.0 - share_now) * seen.series.capacity,
            points=points,
            measured=measured(seen.fit, seen.series) if seen.fit is not None else (),
            data_hash=training.lots[key].data_hash if training is not None and key in training.lots else "",
            n_days=seen.series.n_days_known,
            notes=(*notes, *more),
        )

    def state(self) -> TrainingState:
        """Return how training stands."""
        training = self._saved
        return TrainingState(
            is_running=self._is_training,
            trained_at=None if training is None else training.trained_at,
            n_lots=0 if training is None else len(training.lots),
            message=self._message,
        )

    def train(self, actor: Actor) -> TrainingState:
        """Begin to train all lots anew; `state` says how far it is.

        Raises:
            NotPermittedError: The actor is no supervisor.
        """
        require(actor, Role.SUPERVISOR)
        if self._wanted is None or self._wanted.done():
            self._wanted = asyncio.get_running_loop().create_task(self._train())
            self._wanted.add_done_callback(self._on_trained)
        return replace(self.state(), is_running=True)

    async def finish(self) -> TrainingState:
        """Wait for the training that was asked for."""
        if self._wanted is not None:
            await asyncio.wait({self._wanted})
        return self.state()

    async def events(self) -> list[LotEvent]:
        """Return the calendar."""
        return await events.read_events(self._store)

    async def save_event(self, actor: Actor, event: LotEvent) -> LotEvent:
        """Write an event into the calendar; as `events.save_event`."""
        return await events.save_event(self._store, self._clock, actor, event)

    async def remove_event(self, actor: Actor, event: LotEvent) -> None:
        """Take an event out of the calendar; as `events.remove_event`."""
        await events.remove_event(self._store, self._clock, actor, event)

    # -- by itself ------------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Train by night, and watch for lots that fill up, for ever."""
        await self._load()
        await asyncio.sleep(FIRST_TRAINING_S)
        while True:
            with contextlib.suppress(ConsoleError):
                if self._is_due():
                    await self._train()
                await self._warn()
            await asyncio.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        """End a training that goes on."""
        if self._wanted is not None:
            self._wanted.cancel()
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        await asyncio.to_thread(process.join, STOP_S)
        if process.is_alive():
            process.kill()

    def _on_trained(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._message = str(error)
            log.warning("the training of lots failed: %s", error)

    def _is_due(self) -> bool:
        if self._saved is None:
            return not self._message
        local = self._clock.now().astimezone(ZoneInfo(self._zone))
        last = self._saved.trained_at.astimezone(ZoneInfo(self._zone))
        return local.date() > last.date() and local.hour >= self._settings.train_hour

    async def _warn(self) -> None:
        minutes = self._settings.warn_full_min
        if not minutes or self._saved is None:
            return
        for lot in self._parking.lots():
            if _key(lot.lot_id, "") not in self._saved.lots:
                continue
            now = self._clock.now()
            instants = instants_ahead(now, hours=minutes / 60.0 + 0.01, step_min=min(15, minutes))
            found = await self.forecast(lot.lot_id, "", instants)
            self._judge(lot.lot_id, found)

    def forget_expected(self, lot_id: str) -> None:
        """Somebody closed the warning of a lot that nobody watches: if it is expected still it begins anew."""
        self._warned.discard(lot_id)

    def _judge(self, lot_id: str, found: LotForecast) -> None:
        chances = [(point.full_probability or 0.0, point.at) for point in found.points]
        limit = self._settings.warn_full_probability
        above = [(chance, at) for chance, at in chances if chance >= limit]
        if above and lot_id not in self._warned:
            self._warned.add(lot_id)
            self._bus.publish(FullExpected(lot_id, is_begin=True, at=above[0][1], probability=above[0][0]))
        most = max((chance for chance, _ in chances), default=0.0)
        if lot_id in self._warned and most < limit - RELEASE:
            self._warned.discard(lot_id)
            self._bus.publish(FullExpected(lot_id, is_begin=False, at=found.made_at, probability=most))

    async def _train(self) -> None:
        if self._is_training:
            return
        self._is_training = True
        try:
            order = await self._order()
            if not order.series:
                self._message = f"No lot has {FEWEST_DAYS} days of history yet."
                return
            done = await self._run(order)
            self._message = done.message
            if done.is_written:
                await self._load()
        finally:
            self._is_training = False

    async def _order(self) -> TrainingOrder:
        now = self._clock.now()
        series: dict[str, Series] = {}
        hashes: dict[str, str] = {}
        occasions: dict[str, Occasions] = {}
        for lot in self._parking.lots():
            known = await self._read(lot.lot_id, self._zones_of(lot.lot_id), now)
            for zone, counts in known.items():
                if len(counts.at_s) == 0:
                    continue
                one = await asyncio.to_thread(self._series, counts, now)
                if one is None or one.n_days_known < FEWEST_DAYS:
                    continue
                key = _key(lot.lot_id, zone)
                series[key], hashes[key] = one, counts.data_hash
                occasions[key] = await self._occasions(lot.lot_id)
        return TrainingOrder(series=series, occasions=occasions, hashes=hashes, at=now, file=self._file)

    async def _run(self, order: TrainingOrder) -> TrainingDone:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=run_training, args=(theirs,), name="parking-training", daemon=True)
        await asyncio.to_thread(process.start)
        theirs.close()
        self._process = process
        try:
            done = await asyncio.to_thread(_ask, ours, order)
        finally:
            ours.close()
        if self._process is process:
            self._process = None
        await asyncio.to_thread(process.join, STOP_S)
        if process.is_alive():
            process.kill()
        if not done.is_written:
            log.warning("the training of lots ended without a model: %s", done.message)
        return done

    async def _load(self) -> None:
        self._saved = await asyncio.to_thread(saved.read, self._file)
        self._has_loaded = True

    # -- what is known --------------------------------------------------------------------------------------------

    async def _see(self, lot_id: str, zone: str, now: datetime) -> Seen | None:
        if not self._has_loaded:
            await self._load()
        counts = await self._recent(lot_id, zone, now)
        series = None if len(counts.at_s) == 0 else await asyncio.to_thread(self._series, counts, now)
        if series is None:
            return None
        training = self._saved
        lot = None if training is None else training.lots.get(_key(lot_id, zone))
        return Seen(
            series=series,
            fit=None if lot is None else saved.fit_of(lot),
            trees=Trees() if training is None else training.boosting,
            occasions=await self._occasions(lot_id),
        )

    def _series(self, counts: Counts, now: datetime) -> Series | None:
        try:
            return held(counts, slot_s=SLOT_S, time_zone=self._zone, until_s=now.timestamp())
        except ValueError:
            return None

    async def _recent(self, lot_id: str, zone: str, now: datetime) -> Counts:
        """Return the history with how full it is right now, which is never older than the question."""
        known = self._known.get((lot_id, zone))
        if known is None or not 0 <= now.timestamp() - known.read_at_s < KEPT_S:
            # The zones of a lot are read together: each would read the changes of the whole lot again.
            zones = [one for one in self._zones_of(lot_id) if one] if zone else [""]
            for name, counts in (await self._read(lot_id, {zone, *zones}, now)).items():
                self._known[lot_id, name] = _Known(counts, now.timestamp())
            known = self._known[lot_id, zone]
        return _with_now(known.counts, self._now(lot_id, zone), now)

    def _now(self, lot_id: str, zone: str) -> tuple[int, int, int] | None:
        lot = next((one for one in self._parking.lots() if one.lot_id == lot_id), None)
        if lot is None:
            return None
        if not zone:
            return lot.n_bays, lot.n_occupied, lot.n_unknown
        part = next((one for one in lot.zones if one.zone == zone), None)
        return None if part is None else (part.n_bays, part.n_occupied, part.n_unknown)

    async def _read(self, lot_id: str, zones: Collection[str], now: datetime) -> dict[str, Counts]:
        """Return the history of a lot's zones, and with an empty name of the lot itself."""
        since = now - HISTORY
        found: dict[str, Counts] = {}
        if "" in zones:
            found[""] = await self._store.read(lambda session: read_counts(session, lot_id, since, now))
        bay_ids = {zone: self._bays_of(lot_id, zone) for zone in zones if zone}
        if bay_ids:
            changes = await self._store.read(lambda session: read_bay_changes(session, lot_id, since, now))
            for zone, its_own in bay_ids.items():
                found[zone] = await asyncio.to_thread(counts_of_changes, changes, its_own)
        return found

    async def _occasions(self, lot_id: str) -> Occasions:
        now = self._clock.now()
        try:
            days = await asyncio.to_thread(
                holidays_of, self._settings.country, self._settings.region, range(now.year - 1, now.year + 2)
            )
            self._holiday_note = ""
        except BadInputError as error:
            days, self._holiday_note = {}, str(error)
        return Occasions(days=days, events=events.spans_at(await self.events(), lot_id))

    async def _figures_of_counts(
        self, lot_id: str, zone: str, bay_ids: tuple[str, ...], since: datetime, until: datetime
    ) -> LotFigures:
        counts = await self._store.read(lambda session: read_counts(session, lot_id, since, until))
        nothing = figures_of(
            (), lot_id=lot_id, zone=zone, bay_ids=bay_ids, since=since, until=until, time_zone=self._zone
        )
        found = nothing
        if not zone and len(counts.at_s):
            with contextlib.suppress(ValueError):
                found = await asyncio.to_thread(
                    figures_of_counts, counts, lot_id=lot_id, since=since, until=until, time_zone=self._zone
                )
        return replace(found, is_simulated=self._is_simulated)

    def _zones_of(self, lot_id: str) -> list[str]:
        """Return the zones that are foreseen each by itself, after the empty name of the lot as a whole."""
        plan = self._parking.lot_plan(lot_id)
        return ["", *(sorted({bay.zone for bay in plan.bays if bay.zone}) if plan is not None else [])]

    def _bays_of(self, lot_id: str, zone: str) -> tuple[str, ...]:
        """Return the bays that count; none where only the lot as a whole does.

        Raises:
            BadInputError: There is no such lot or zone.
        """
        plan = self._parking.lot_plan(lot_id)
        if plan is None:
            if zone or all(lot.lot_id != lot_id for lot in self._parking.lots()):
                raise BadInputError(f"There is no lot {lot_id[:80]!r}.", hint="It was removed, or has not spoken yet.")
            return ()
        found = tuple(bay.bay_id for bay in plan.bays if not zone or bay.zone == zone)
        if zone and not found:
            raise BadInputError(f"{plan.name} has no zone {zone[:80]!r}.", hint="Look at the lot again.")
        return found

    def _check_instants(self, instants: Sequence[datetime], now: datetime) -> None:
        if len(instants) > MOST_POINTS:
            raise BadInputError(f"At most {MOST_POINTS:,} instants are foreseen at once.", hint="Ask for fewer.")
        if any(at.tzinfo is None for at in instants):
            raise BadInputError("An instant has no UTC offset.", hint="Write it like 2026-03-01T18:00:00Z.")
        if any(at < now - timedelta(minutes=1) for at in instants):
            raise BadInputError("What is over is no forecast.", hint="Choose a time from now on.")
        if any(at > now + REACH for at in instants):
            raise BadInputError("A forecast reaches seven days ahead.", hint="Choose an earlier time.")


def _ask(pipe: Connection, order: TrainingOrder) -> TrainingDone:
    try:
        pipe.send(order)
        if pipe.poll(LONGEST_TRAINING_S):
            done: TrainingDone = pipe.recv()
            return done
    except (EOFError, OSError):
        return TrainingDone(0, is_written=False, message="The training ended without a result.")
    return TrainingDone(0, is_written=False, message="The training took too long and was given up.")


def _with_now(counts: Counts, figures: tuple[int, int, int] | None, now: datetime) -> Counts:
    if figures is None:
        return counts
    # Of two counts at one instant the last one stands.
    at_s = float(int(now.timestamp()) // SLOT_S * SLOT_S)
    n_bays, n_occupied, n_unknown = figures
    return Counts(
        at_s=np.append(counts.at_s[counts.at_s <= at_s], at_s),
        n_bays=np.append(counts.n_bays[counts.at_s <= at_s], float(n_bays)),
        n_occupied=np.append(counts.n_occupied[counts.at_s <= at_s], float(n_occupied)),
        n_unknown=np.append(counts.n_unknown[counts.at_s <= at_s], float(n_unknown)),
    )


def _key(lot_id: str, zone: str) -> str:
    return f"{lot_id}\n{zone}"
