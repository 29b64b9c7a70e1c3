"""Parking lots: how they are drawn, how every bay stands, how full they are, and how all that was before."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import SYSTEM, Actor, Role
from core.access.permission import require
from core.field.model import FieldEvent, Reading
from core.field.service import DeviceRemoved, FieldEventReceived, LateReading, ReadingReceived
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, ConsoleError
from core.kernel.log import OncePerLoss
from core.parking import history, saves, words
from core.parking.checks import check_lot
from core.parking.conflicts import conflicts_of
from core.parking.drawn import DrawnLot, Heard
from core.parking.fusion import Correction, FusionSettings
from core.parking.history import HistoryWriter
from core.parking.loose import LooseLot, figures, occupancy_of
from core.parking.memory import read_memory, write_memory
from core.parking.model import (
    BayChange,
    BayEvidence,
    BaysChanged,
    BaysSeen,
    BaysSeenLate,
    BayState,
    BayStatus,
    BaysTold,
    Lot,
    LotChanged,
    LotObserved,
    LotOccupancy,
    LotPlanChanged,
    LotPlanRemoved,
    LotVersion,
)
from core.parking.rules import LotCondition
from core.parking.sight.model import SightInterrupted
from core.store.engine import Store
from core.store.rows import storable
from core.store.tables import BayCorrectionRow
from core.vision.model import CameraWatched, LineCrossed

log = logging.getLogger(__name__)

TICK_S = 0.5
COUNT_EVERY_S = 0.1
"""A lot is counted so often at most: bays change hundreds of times a second."""

RECOUNT_S = 2.0
REMEMBER_S = 30.0
MAX_REASON_LENGTH = 400
LEAST_REASON = 3
N_HISTORY = 5000


class ParkingService:
    """Drawn lots with their bays, and devices that are a lot of their own; each change becomes a row.

    Threads: the owner's loop only.
    """

    def __init__(self, *, store: Store, bus: Bus, clock: Clock, settings: FusionSettings | None = None) -> None:
        """Listen to the field and to whoever sees bays from now on."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._settings = settings or FusionSettings()
        self._lots: dict[str, DrawnLot] = {}
        self._by_device: dict[str, tuple[str, ...]] = {}
        self._undivided: set[str] = set()
        self._lines: dict[str, frozenset[str]] | None = None
        self._loose: dict[str, LooseLot] = {}
        self._newest: dict[str, LotOccupancy] = {}
        self._strange_lots: Counter[str] = Counter()
        self._uncounted: set[str] = set()
        self._counting: asyncio.TimerHandle | None = None
        self._recount_at = clock.now()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._once = OncePerLoss(log)
        self._writer = HistoryWriter(store, lambda bays: bus.publish(BaysChanged(bays)))
        self._unsubscribe = (
            bus.subscribe(ReadingReceived, self._on_reading),
            bus.subscribe(FieldEventReceived, self._on_event),
            bus.subscribe(LateReading, self._on_late),
            bus.subscribe(DeviceRemoved, self._on_device_removed),
            bus.subscribe(BaysSeen, lambda event: self.take(event.evidence)),
            bus.subscribe(BaysSeenLate, lambda event: self.take_late(event.evidence)),
            bus.subscribe(LotObserved, self._on_observed),
            bus.subscribe(SightInterrupted, self._on_interrupted),
            bus.subscribe(LineCrossed, self._on_crossed),
            bus.subscribe(CameraWatched, self._on_watched),
        )

    # -- life -----------------------------------------------------------------------------------------------------

    async def restore(self) -> None:
        """Take over what was drawn and what was known last: every state as stale until somebody confirms it.

        Raises:
            UnavailableError: The database is away.
        """
        now = self._clock.now()
        lots = await self._store.read(saves.read_lots)
        changes = await self._store.read(history.read_newest_bays)
        newest = await self._store.read(history.read_newest_lots)
        corrections = await self._store.read(_read_corrections)
        memory = await self._store.read(read_memory)
        for lot in lots:
            self._lots[lot.lot_id] = DrawnLot(lot, now=now, settings=self._settings)
            gates = memory.gates.get(lot.lot_id)
            if gates is not None:
                self._lots[lot.lot_id].gates = gates
        self._map_devices()
        for change in changes:
            drawn = self._lots.get(change.lot_id)
            if drawn is not None:
                seen_until = memory.seen_until or change.at
                self._tell(drawn.restore(history.status_of(change), seen_until=seen_until, now=now))
        for (lot_id, bay_id), correction in corrections.items():
            drawn = self._lots.get(lot_id)
            if drawn is not None and drawn.has_bay(bay_id):
                self._tell(drawn.correct(bay_id, correction, now))
        for occupancy in newest:
            self._newest.setdefault(occupancy.lot_id, occupancy)
            self._loose.setdefault(occupancy.lot_id, LooseLot(occupancy.lot_id)).newest = occupancy
        for lot_id in self._lots:
            self._uncounted.add(lot_id)
        self._count_now()

    async def work(self) -> None:
        """Let time pass, for ever."""
        remember_at = self._clock.now()
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()
            if self._clock.now() >= remember_at:
                remember_at = self._clock.now() + timedelta(seconds=REMEMBER_S)
                await self._remember()

    def tick(self) -> None:
        """Do what is due: settle, become stale, count."""
        now = self._clock.now()
        for drawn in self._lots.values():
            self._take_over(drawn, drawn.tick(now))
        if now >= self._recount_at:
            for drawn in self._lots.values():
                self._publish_all(drawn.judge(now))
            self._recount_at = now + timedelta(seconds=RECOUNT_S)
            self._uncounted.update(self._lots)
        self._count_now()

    async def close(self) -> None:
        """Listen no more, and write what waits."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        if self._counting is not None:
            self._counting.cancel()
        self._count_now()
        await self._writer.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._remember()

    async def _remember(self) -> None:
        """Keep until when the lots were watched, and what the gates counted."""
        gates = {lot_id: drawn.gates for lot_id, drawn in self._lots.items()}
        now = self._clock.now()
        try:
            await self._store.write(lambda session: write_memory(session, gates, now))
        except ConsoleError as error:
            self._once.lost("memory", f"what the gates count waits for the database: {error}")
        else:
            self._once.back("memory", "what the gates count is stored again")

    # -- what is known --------------------------------------------------------------------------------------------

    def lots(self) -> tuple[LotOccupancy, ...]:
        """Return the newest occupancy of every lot."""
        self._count_now()
        return tuple(self._newest[key] for key in sorted(self._newest) if self._is_shown(key))

    def lot_plans(self) -> tuple[Lot, ...]:
        """Return every drawn lot, by name."""
        return tuple(sorted((drawn.lot for drawn in self._lots.values()), key=lambda lot: (lot.name, lot.lot_id)))

    def lot_plan(self, lot_id: str) -> Lot | None:
        """Return one drawn lot."""
        drawn = self._lots.get(lot_id)
        return None if drawn is None else drawn.lot

    def bays(self, lot_id: str) -> tuple[BayStatus, ...]:
        """Return how every bay of a drawn lot stands, in the plan's order."""
        drawn = self._lots.get(lot_id)
        return () if drawn is None else drawn.statuses()

    def forget_condition(self, lot_id: str, rule: str, place: str) -> None:
        """Somebody closed what was called at a place of a lot that nobody watches: if it holds it begins anew."""
        drawn = self._lots.get(lot_id)
        if drawn is not None:
            drawn.watch.forget_closed(rule, place)

    def all_bays(self) -> tuple[BayStatus, ...]:
        """Return how every bay of every drawn lot stands."""
        return tuple(status for drawn in self._lots.values() for status in drawn.statuses())

    @property
    def n_lost_rows(self) -> int:
        """Changes that were not stored, because the database was away for too long."""
        return self._writer.n_lost_rows

    def notices(self) -> tuple[tuple[str, str, str], ...]:
        """Return what a person should mend: key, sentence, way out."""
        found = [
            (f"parking/{occupancy.lot_id}/{index}", sentence, hint)
            for occupancy in self.lots()
            for index, (sentence, hint) in enumerate(_parted(fault) for fault in occupancy.faults)
        ]
        if self._strange_lots:
            names = ", ".join(name for name, _ in self._strange_lots.most_common(5))
            found.append(
                ("parking/unknown", f"Bays of lots that are not drawn are spoken of: {names}.", "Draw the lots.")
            )
        if self.n_lost_rows:
            found.append(
                (
                    "parking/lost",
                    f"{self.n_lost_rows:,} changes of bays were not stored: the database was away for too long.",
                    "The lots' history has a gap there.",
                )
            )
        return tuple(found)

    async def versions(self, lot_id: str) -> tuple[LotVersion, ...]:
        """Return who saved a lot and when, the newest first."""
        return await self._store.read(lambda session: saves.list_versions(session, lot_id))

    async def lot_of_version(self, lot_id: str, number: int) -> Lot:
        """Return a lot as it was drawn in one version.

        Raises:
            BadInputError: There is none of that number.
        """
        return await self._store.read(lambda session: saves.read_version(session, lot_id, number))

    async def history(
        self, lot_id: str, *, since: datetime, until: datetime | None = None, n_most: int = N_HISTORY
    ) -> list[LotOccupancy]:
        """Return how full a lot was from `since` on, oldest first, at most the newest `n_most`.

        Raises:
            UnavailableError: The database is away.
        """
        return await self._store.read(lambda s: history.read_lot_history(s, lot_id, since, until, n_most))

    async def changes(self, lot_id: str, *, since: datetime, until: datetime) -> list[BayChange]:
        """Return the last change of every bay at or before `since`, then every change until `until`, oldest first.

        Raises:
            BadInputError: More changes than one answer may hold.
            UnavailableError: The database is away.
        """
        return await self._store.read(lambda session: history.read_changes(session, lot_id, since, until))

    async def states_at(self, lot_id: str, at: datetime) -> list[BayStatus]:
        """Return how the bays stood at an instant; one of which nothing was known then is not among them.

        Raises:
            UnavailableError: The database is away.
        """
        found = await self._store.read(lambda session: history.read_states_at(session, lot_id, at))
        return [history.status_of(change) for change in found]

    # -- what people do -------------------------------------------------------------------------------------------

    async def save_lot(self, actor: Actor, lot: Lot, *, note: str = "") -> Lot:
        """Keep a lot as it is drawn now; its version is the one that was begun on, 0 for a new lot.

        Returns:
            As stored, with its new version.

        Raises:
            NotPermittedError: The actor is no supervisor.
            BadInputError: Names what is drawn wrong.
            StaleWriteError: Somebody else saved meanwhile; the sentence says who and when.
        """
        require(actor, Role.SUPERVISOR)
        check_lot(lot)
        at = self._clock.now()
        stored = await self._store.write(lambda session: saves.write_lot(session, actor, lot, note=note, at=at))
        self._set_plan(stored)
        return stored

    async def remove_lot(self, actor: Actor, lot_id: str) -> None:
        """Remove a lot; its versions and its history stay.

        Raises:
            NotPermittedError: The actor is no supervisor.
            BadInputError: There is none of that id.
        """
        require(actor, Role.SUPERVISOR)
        at = self._clock.now()
        await self._store.write(lambda session: saves.remove_lot(session, actor, lot_id, at=at))
        drawn = self._lots.pop(lot_id, None)
        if drawn is not None:
            self._publish_all(drawn.watch.end_all(drawn.lot, at))
        self._newest.pop(lot_id, None)
        self._uncounted.discard(lot_id)
        self._map_devices()
        self._bus.publish(LotPlanRemoved(lot_id))

    async def correct(self, actor: Actor, lot_id: str, bay_id: str, state: BayState, reason: str) -> BayStatus:
        """Say how a bay stands, against every camera and sensor.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: There is no such bay, or no reason is given.
        """
        require(actor, Role.OPERATOR)
        drawn = self._require_bay(lot_id, bay_id)
        words_of = storable(reason.strip())[:MAX_REASON_LENGTH]
        if len(words_of) < LEAST_REASON:
            raise BadInputError("A correction needs a reason.", hint="Write what you saw, and how.")
        before, now = drawn.status(bay_id, self._clock.now()), self._clock.now()
        correction = Correction(state=state, at=now, by=actor.name, reason=words_of)

        def run(session: Session) -> None:
            session.merge(
                BayCorrectionRow(
                    lot_id=lot_id, bay_id=bay_id, state=state.value, at=now, actor=actor.name, reason=words_of
                )
            )
            _note(session, actor, drawn.lot, bay_id, "correct", f"{before.state} → {state}: {words_of}", now)

        await self._store.write(run)
        drawn = self._require_bay(lot_id, bay_id)
        self._take_over(drawn, drawn.correct(bay_id, correction, self._clock.now()))
        return drawn.status(bay_id, self._clock.now())

    async def release(self, actor: Actor, lot_id: str, bay_id: str) -> BayStatus:
        """End a correction: what cameras and sensors say counts again.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: There is no such bay, or nothing was corrected.
        """
        require(actor, Role.OPERATOR)
        drawn = self._require_bay(lot_id, bay_id)
        if drawn.correction(bay_id) is None:
            raise BadInputError(f"Bay {bay_id} is not corrected.", hint="It shows what cameras and sensors say.")
        await self._store.write(lambda session: self._end_correction(session, actor, drawn.lot, bay_id, "released"))
        drawn = self._require_bay(lot_id, bay_id)
        self._take_over(drawn, drawn.release(bay_id, self._clock.now()))
        return drawn.status(bay_id, self._clock.now())

    async def set_count(self, actor: Actor, lot_id: str, n_inside: int, reason: str = "") -> LotOccupancy:
        """Say how many vehicles are in a lot right now: entry and exit count on from there.

        Raises:
            NotPermittedError: The actor is no operator.
            BadInputError: There is no such lot, or it has fewer bays.
        """
        require(actor, Role.OPERATOR)
        drawn = self._require(lot_id)
        n_bays = drawn.lot.capacity if drawn.lot.capacity is not None else len(drawn.lot.bays)
        if not 0 <= n_inside <= n_bays:
            raise BadInputError(
                f"{drawn.lot.name} has {n_bays} bays, and {n_inside} vehicles cannot be in it.",
                hint=f"Name 0 to {n_bays}, or change the lot's capacity first.",
            )
        before, now = drawn.gates.n_now, self._clock.now()
        detail = f"{'unknown' if before is None else before} → {n_inside} vehicles. {storable(reason.strip())}"
        await audit.record(
            self._store,
            self._clock,
            actor,
            action="parking.count",
            subject=saves.subject_of(drawn.lot),
            detail=detail[:MAX_REASON_LENGTH].strip(),
        )
        drawn.gates.set_count(n_inside, now)
        await self._remember()
        self._uncounted.add(lot_id)
        self._count_now()
        return self._newest[lot_id]

    # -- what cameras and sensors say -----------------------------------------------------------------------------

    def take(self, evidence: Sequence[BayEvidence]) -> None:
        """Take what cameras, edge devices and sensors say of bays."""
        now = self._clock.now()
        by_lot: dict[str, list[BayEvidence]] = {}
        for word in evidence:
            by_lot.setdefault(word.lot_id, []).append(word)
        for lot_id, said in by_lot.items():
            drawn = self._lots.get(lot_id)
            if drawn is None:
                self._blame_lot(lot_id, len(said))
                continue
            self._take_over(drawn, drawn.take(said, now))

    def take_late(self, evidence: Sequence[BayEvidence]) -> None:
        """Put what pictures of the past show into the history; the present stays as it is."""
        now = self._clock.now()
        drawn = [(self._lots.get(word.lot_id), word) for word in evidence if word.state is not BayState.UNKNOWN]
        self._writer.add(
            late=[lot.late(word, now) for lot, word in drawn if lot is not None and lot.has_bay(word.bay_id)]
        )

    def _on_reading(self, event: ReadingReceived) -> None:
        if event.kind != words.LOT_KIND:
            return
        reading, lots = event.reading, self._by_device.get(event.reading.device_id, ())
        if not lots:
            self._take_loose(reading)
        elif reading.is_history:
            self._take_late(reading, lots)
        else:
            self._take_drawn(reading, lots)

    def _on_late(self, event: LateReading) -> None:
        if event.kind == words.LOT_KIND:
            self._take_late(event.reading, self._by_device.get(event.reading.device_id, ()))

    def _on_event(self, event: FieldEventReceived) -> None:
        if event.kind != words.LOT_KIND:
            return
        found, said = event.event, words.bay_of(event.event)
        if said is None:
            return
        lots = self._by_device.get(found.device_id, ())
        if lots:
            self._hear_bay(found.device_id, lots, (said[0],), said[1], found)
        elif not found.is_history:
            loose = self._loose.setdefault(found.device_id, LooseLot(found.device_id))
            self._tell_loose(loose.take_bay(said[0], said[1], found.at))

    def _take_late(self, reading: Reading, lots: tuple[str, ...]) -> None:
        """Put what a device said while nobody listened into the history, at its own time."""
        state, counted = words.bay_state_of(reading), words.counted_of(reading)
        if state is not None and lots:
            self._hear_bay(reading.device_id, lots, _names_of(reading), state, reading)
        if counted is None or len(lots) > 1:
            return
        # Where bays are drawn, they are what the figures are made of.
        lot_id = lots[0] if lots else reading.device_id
        if lot_id not in self._lots or not self._lots[lot_id].lot.bays:
            self._writer.add(lots=(occupancy_of(lot_id, counted),))

    def _take_drawn(self, reading: Reading, lots: tuple[str, ...]) -> None:
        now = self._clock.now()
        state, counted, gate = words.bay_state_of(reading), words.counted_of(reading), words.gate_of(reading)
        if state is not None:
            self._hear_bay(reading.device_id, lots, _names_of(reading), state, reading)
        if len(lots) != 1:
            if (counted is not None or gate is not None) and reading.device_id not in self._undivided:
                self._undivided.add(reading.device_id)
                self._find_conflicts()
            return
        drawn = self._lots[lots[0]]
        if counted is not None:
            self._take_over(drawn, drawn.take_count(reading.device_id, counted, now))
            self._count_soon(drawn.lot.lot_id)
        if gate is not None:
            name = f"{reading.device_id}/{reading.stream}"
            drawn.gates.take(name, entered=gate[0], left=gate[1], at=reading.at)
            self._count_soon(drawn.lot.lot_id)

    def _hear_bay(
        self,
        device_id: str,
        lots: tuple[str, ...],
        names: tuple[str, ...],
        state: BayState,
        said: Reading | FieldEvent,
    ) -> None:
        now, place = self._clock.now(), self._place_of(lots, names)
        if place is None:
            # What several lots have is said of them already.
            if not any(self._lots[lot_id].find_bay(name) for lot_id in lots for name in names):
                for lot_id in lots:
                    self._lots[lot_id].blame(names[0], now)
                    self._count_soon(lot_id)
            return
        drawn, bay_id = place
        word = BayEvidence(
            lot_id=drawn.lot.lot_id,
            bay_id=bay_id,
            state=state,
            at=said.at,
            confidence=words.SURE if said.is_good else words.DOUBTFUL,
            source=f"sensor:{device_id}",
        )
        if said.is_history:
            self._writer.add(late=(drawn.late(word, now),))
            return
        permit = words.permit_of(said)
        if permit is not None and said.is_good:
            drawn.watch.note_permit(bay_id, is_given=permit, at=now)
        self._take_over(drawn, drawn.take((word,), now))

    def _place_of(self, lots: tuple[str, ...], names: tuple[str, ...]) -> tuple[DrawnLot, str] | None:
        """Return the one bay that is meant; None where there is none, or more than one."""
        for name in names:
            having = [(self._lots[lot_id], bay_id) for lot_id in lots if (bay_id := self._lots[lot_id].find_bay(name))]
            if len(having) == 1:
                return having[0]
        return None

    def set_lines(self, lines: Mapping[str, Collection[str]]) -> None:
        """Take the counting lines that cameras have, by camera: some of them are gates."""
        self._lines = {camera_id: frozenset(keys) for camera_id, keys in lines.items()}
        self._find_gone_gates()

    def _find_gone_gates(self) -> None:
        if self._lines is not None:
            for lot_id, drawn in self._lots.items():
                if drawn.set_lines(self._lines):
                    self._count_soon(lot_id)

    def _on_crossed(self, event: LineCrossed) -> None:
        for lot_id, drawn in self._lots.items():
            if drawn.cross(event):
                self._count_soon(lot_id)

    def _on_watched(self, event: CameraWatched) -> None:
        for lot_id, drawn in self._lots.items():
            is_gate = any(gate.camera_id == event.camera_id for gate in drawn.lot.gates)
            if is_gate and drawn.gates.watch(event.camera_id, event.at):
                self._count_soon(lot_id)

    def _on_observed(self, event: LotObserved) -> None:
        for observation in event.observations:
            drawn = self._lots.get(observation.lot_id)
            if drawn is None:
                self._blame_lot(observation.lot_id, 1)
            else:
                self._publish_all(drawn.watch.observe(drawn.lot, observation))

    def _on_interrupted(self, event: SightInterrupted) -> None:
        for observation in event.observations:
            drawn = self._lots.get(observation.lot_id)
            if drawn is not None:
                drawn.watch.forget(observation)

    def _publish_all(self, conditions: Iterable[LotCondition]) -> None:
        for condition in conditions:
            self._bus.publish(condition)

    def _take_loose(self, reading: Reading) -> None:
        state, counted = words.bay_state_of(reading), words.counted_of(reading)
        if state is None and counted is None:
            return
        loose = self._loose.setdefault(reading.device_id, LooseLot(reading.device_id))
        if counted is not None:
            self._tell_loose(loose.take_count(counted))
        elif state is not None:
            self._tell_loose(loose.take_bay(reading.stream, state, reading.at))

    def _tell_loose(self, occupancy: LotOccupancy | None) -> None:
        if occupancy is None:
            return
        self._newest[occupancy.lot_id] = occupancy
        self._writer.add(lots=(occupancy,))
        self._bus.publish(LotChanged(occupancy))

    def _on_device_removed(self, event: DeviceRemoved) -> None:
        if self._loose.pop(event.device_id, None) is not None and event.device_id not in self._lots:
            self._newest.pop(event.device_id, None)

    # -- what follows ---------------------------------------------------------------------------------------------

    def _take_over(self, drawn: DrawnLot, heard: Heard) -> None:
        self._tell(heard)
        for bay_id in heard.released:
            self._spawn(self._store.write(partial(self._end_by_itself, lot=drawn.lot, bay_id=bay_id)))
        if heard.told:
            self._count_soon(drawn.lot.lot_id)

    def _tell(self, heard: Heard) -> None:
        if heard.changes:
            self._writer.add(heard.changes)
        if heard.told:
            self._bus.publish(BaysTold(heard.told))

    def _count_soon(self, lot_id: str) -> None:
        self._uncounted.add(lot_id)
        if self._counting is None:
            self._counting = asyncio.get_running_loop().call_later(COUNT_EVERY_S, self._count_now)

    def _count_now(self) -> None:
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None
        due, self._uncounted = self._uncounted, set()
        for lot_id in due & self._lots.keys():
            occupancy, known = self._lots[lot_id].occupancy(self._clock.now()), self._newest.get(lot_id)
            self._newest[lot_id] = occupancy
            if known is None or figures(known) != figures(occupancy):
                self._writer.add(lots=(occupancy,))
            if known is None or _shown(known) != _shown(occupancy):
                self._bus.publish(LotChanged(occupancy))

    def _set_plan(self, lot: Lot) -> None:
        now, drawn = self._clock.now(), self._lots.get(lot.lot_id)
        self._strange_lots.pop(lot.lot_id, None)
        if drawn is None:
            drawn = self._lots[lot.lot_id] = DrawnLot(lot, now=now, settings=self._settings)
            heard = Heard(told=drawn.statuses())
        else:
            heard = drawn.set_plan(lot, now)
        self._map_devices()
        self._find_gone_gates()
        self._bus.publish(LotPlanChanged(lot))
        self._take_over(drawn, heard)
        self._uncounted.add(lot.lot_id)
        self._count_now()

    def _map_devices(self) -> None:
        found: dict[str, list[str]] = {}
        for lot_id, drawn in self._lots.items():
            for device_id in drawn.device_ids:
                found.setdefault(device_id, []).append(lot_id)
        self._by_device = {device_id: tuple(lots) for device_id, lots in found.items()}
        self._undivided &= {device_id for device_id, lots in found.items() if len(lots) > 1}
        self._find_conflicts()

    def _find_conflicts(self) -> None:
        plans = {lot_id: drawn.lot for lot_id, drawn in self._lots.items()}
        conflicts = conflicts_of(plans, self._by_device, self._undivided)
        for lot_id, drawn in self._lots.items():
            found = tuple(conflicts.get(lot_id, ()))
            if found != drawn.conflicts:
                drawn.conflicts = found
                self._count_soon(lot_id)

    def _is_shown(self, lot_id: str) -> bool:
        """A device that speaks for a drawn lot is no lot of its own."""
        return lot_id in self._lots or lot_id not in self._by_device

    def _blame_lot(self, lot_id: str, n_words: int) -> None:
        if lot_id in self._strange_lots or len(self._strange_lots) < 100:
            self._strange_lots[lot_id[:80]] += n_words

    def _require(self, lot_id: str) -> DrawnLot:
        drawn = self._lots.get(lot_id)
        if drawn is None:
            raise saves.no_lot(lot_id)
        return drawn

    def _require_bay(self, lot_id: str, bay_id: str) -> DrawnLot:
        drawn = self._require(lot_id)
        if not drawn.has_bay(bay_id):
            raise BadInputError(f"{drawn.lot.name} has no bay {bay_id[:40]!r}.", hint="Look at the lot again.")
        return drawn

    def _end_correction(self, session: Session, actor: Actor, lot: Lot, bay_id: str, why: str) -> None:
        session.execute(
            delete(BayCorrectionRow).where(BayCorrectionRow.lot_id == lot.lot_id, BayCorrectionRow.bay_id == bay_id)
        )
        _note(session, actor, lot, bay_id, "release", why, self._clock.now())

    def _end_by_itself(self, session: Session, *, lot: Lot, bay_id: str) -> None:
        self._end_correction(session, SYSTEM, lot, bay_id, "cameras and sensors saw the bay change twice")

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a correction's end was not stored: %s", error)


def _read_corrections(session: Session) -> dict[tuple[str, str], Correction]:
    return {
        (row.lot_id, row.bay_id): Correction(state=BayState(row.state), at=row.at, by=row.actor, reason=row.reason)
        for row in session.scalars(select(BayCorrectionRow))
    }


def _note(session: Session, actor: Actor, lot: Lot, bay_id: str, verb: str, detail: str, at: datetime) -> None:
    subject = f"bay {bay_id} of {saves.subject_of(lot)}"
    audit.append(session, actor, action=f"parking.{verb}", subject=subject, detail=detail, at=at)


def _names_of(reading: Reading) -> tuple[str, ...]:
    """Return what may be the name of the bay that a device's stream speaks of."""
    return reading.stream, reading.device_id.rpartition("/")[2]


def _parted(fault: str) -> tuple[str, str]:
    """Part a sentence from its way out."""
    sentence, _, hint = fault.partition(". ")
    return (f"{sentence}." if hint else sentence, hint)


def _shown(occupancy: LotOccupancy) -> Iterable[object]:
    return (
        *figures(occupancy),
        occupancy.n_stale,
        occupancy.n_closed,
        occupancy.basis,
        occupancy.drift,
        occupancy.gates,
        occupancy.zones,
        occupancy.faults,
    )
