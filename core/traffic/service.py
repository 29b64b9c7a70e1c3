"""Traffic figures: what stations measure, what cameras count, and when a station sees a jam."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.field.kinds import find_kinds
from core.field.model import Reading
from core.field.service import ReadingReceived
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import UnavailableError
from core.store.counts import upsert_add
from core.store.engine import Store
from core.store.tables import FlowMinuteRow, LineCountRow
from core.traffic.flow import FlowLedger, Key, key_of, read_rows, read_since, whole, write_rows
from core.traffic.flow_spool import Batch, FlowSpool
from core.traffic.model import LineCount
from core.traffic.rules import Change, Congestion, CongestionSettings, Flow, judge, together
from core.vision.flow import FlowMinute
from core.vision.model import Phase, counted_under

STATION = "station"
ROWS_AT_ONCE = 200
"""Rows of one transaction: the writer serves alarms between two of them."""

BATCHES_AT_ONCE = 10
"""Batches from the disk that one call of `store_minutes` stores: after a day's outage there are thousands."""

SPILLED_AFTER = timedelta(minutes=2)
"""A minute that began so long ago is whole, as a rule; while the database is away it goes to the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationCongestion:
    """A jam at a station began or ended.

    Attributes:
        at: Time of the reading that decided it.
        values: Speed, occupancy and intensity over all lanes.
    """

    device_id: str
    phase: Phase
    at: datetime
    values: dict[str, float]

    @property
    def condition_key(self) -> str:
        """The same for the begin and the end of one jam."""
        return f"station/{self.device_id}/congestion"


@dataclass(frozen=True, slots=True)
class FlowMeasured:
    """Minutes that cameras measured went into the database."""

    minutes: tuple[FlowMinute, ...]


class TrafficService:
    """Newest flow of every station, jams, counts over lines, and what cameras measure by the minute.

    Threads: the owner's loop only.
    """

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        settings: CongestionSettings | None = None,
        folder: Path | None = None,
    ) -> None:
        """Listen to the field's readings from now on.

        Args:
            store: Where minutes and counts go.
            bus: Readings come from it.
            clock: Also says which minutes are old.
            settings: When a station sees a jam.
            folder: Where minutes wait while the database is away; None keeps them in memory.
        """
        self._store = store
        self._bus = bus
        self._clock = clock
        self._settings = settings or CongestionSettings()
        self._newest: dict[str, dict[str, tuple[float, Reading]]] = {}
        self._jams: dict[str, Congestion] = {}
        self._ledger = FlowLedger()
        self._spool = None if folder is None else FlowSpool(folder)
        self._is_storing = asyncio.Lock()
        self._unsubscribe = bus.subscribe(ReadingReceived, self._on_reading)

    def close(self) -> None:
        """Listen no more."""
        self._unsubscribe()

    def is_measured(self, device_id: str) -> bool:
        """Tell whether a station's flow is known right now."""
        now_s, kind = self._clock.monotonic(), find_kinds()[STATION]
        lanes = self._newest.get(device_id, {})
        return any(item.is_good and now_s - seen_s <= kind.stale_s(name) for name, (seen_s, item) in lanes.items())

    async def add_counts(self, counts: Sequence[LineCount]) -> None:
        """Add vehicles to their minutes.

        Raises:
            UnavailableError: The database is away; nothing was added.
        """
        if not counts:
            return
        taken = tuple(counts)

        def store(session: Session) -> None:
            for count in taken:
                upsert_add(
                    session,
                    camera_id=count.camera_id,
                    line_key=count.line_key,
                    direction=count.direction,
                    label=count.label,
                    minute=count.minute.replace(second=0, microsecond=0),
                    n_vehicles=count.n_vehicles,
                )

        await self._store.write(store)

    async def totals(self, *, since: datetime) -> dict[str, dict[str, dict[str, int]]]:
        """Return vehicles, and people apart, by camera, line and direction in the minutes from `since` on.

        Raises:
            UnavailableError: The database is away.
        """

        def read(session: Session) -> dict[str, dict[str, dict[str, int]]]:
            place = (LineCountRow.camera_id, LineCountRow.line_key, LineCountRow.direction, LineCountRow.label)
            query = (
                select(*place, func.sum(LineCountRow.n_vehicles)).where(LineCountRow.minute >= since).group_by(*place)
            )
            found: dict[str, dict[str, dict[str, int]]] = {}
            for camera_id, line_key, direction, label, n in session.execute(query):
                counts = found.setdefault(camera_id, {}).setdefault(line_key, {})
                name = counted_under(direction, label)
                counts[name] = counts.get(name, 0) + int(n)
            return found

        return await self._store.read(read)

    async def counted_minutes(self, *, since: datetime) -> list[FlowMinute]:
        """Return how much of each minute from `since` on each camera counted at its lines, one for all its lines.

        Raises:
            UnavailableError: The database is away.
        """

        def read(session: Session) -> list[FlowMinute]:
            place = FlowMinuteRow.camera_id, FlowMinuteRow.minute
            query = (
                select(*place, func.max(FlowMinuteRow.observed_s))
                .where(FlowMinuteRow.subject == "line", FlowMinuteRow.minute >= since)
                .group_by(*place)
            )
            return [
                FlowMinute(camera_id=camera_id, subject="line", key="", minute=minute, observed_s=observed_s)
                for camera_id, minute, observed_s in session.execute(query)
            ]

        return await self._store.read(read)

    def take_minutes(self, minutes: Sequence[FlowMinute]) -> None:
        """Take what a worker measured; `store_minutes` writes it."""
        self._ledger.add(minutes)

    async def store_minutes(self) -> None:
        """Write the minutes that wait; parts of one minute become one row, and writing again changes nothing.

        Raises:
            UnavailableError: The database is away, or the disk where older minutes wait fails; what waits is kept and
                tried again with the next call.
        """
        async with self._is_storing:
            try:
                # What is on the disk is older: what is joined with it must find it in the database.
                if await self._store_spooled():
                    await self._store_ledger()
                else:
                    await self._spill(self._clock.now() - SPILLED_AFTER)
            except UnavailableError:
                await self._spill(self._clock.now() - SPILLED_AFTER)
                raise

    async def keep_waiting(self) -> None:
        """Put on the disk what the database did not take: the node ends."""
        async with self._is_storing:
            await self._spill(None)

    def notices(self) -> tuple[tuple[str, str], ...]:
        """Return what a person should know of minutes that are not stored, each with what to do."""
        found = [(self._ledger.given_up.sentence, "Figures of that time stay without them. Mend the database.")]
        if self._spool is not None:
            found.append((self._spool.given_up.sentence, "Figures of that time stay without them. Mend the database."))
            found.append((self._spool.notice, "Look at that folder and the room on its disk."))
        return tuple((sentence, hint) for sentence, hint in found if sentence)

    async def _store_ledger(self) -> None:
        unread = self._ledger.unread()
        if unread:
            stored = await self._store.read(lambda session: _in_chunks(session, unread))
            self._ledger.take_stored(unread, stored)
        waiting = self._ledger.waiting()
        n_written = 0
        try:
            for first in range(0, len(waiting), ROWS_AT_ONCE):
                chunk = waiting[first : first + ROWS_AT_ONCE]
                await self._store.write(partial(write_rows, minutes=chunk))
                self._ledger.note_written(chunk, self._clock.now())
                n_written += len(chunk)
        finally:
            # Told together: the parts of one minute may lie in two chunks.
            if n_written:
                self._bus.publish(FlowMeasured(waiting[:n_written]))

    async def _store_spooled(self) -> bool:
        """Store what waits on the disk, some of it at a time; returns whether nothing is left there."""
        spool = self._spool
        if spool is None:
            return True
        for _ in range(BATCHES_AT_ONCE):
            entry = await asyncio.to_thread(spool.oldest)
            if entry is None:
                return True
            batch = await asyncio.to_thread(spool.read, entry)
            if batch is None:
                continue
            rows = batch.wholes
            if batch.parts:
                keys = [key_of(minute) for minute in batch.parts]
                rows = whole(batch, await self._store.read(partial(_in_chunks, keys=keys)))
                # Written first, or nothing is stored: who is killed or stopped while storing them counts nobody twice.
                await asyncio.to_thread(spool.replace, entry, Batch(wholes=rows))
            for first in range(0, len(rows), ROWS_AT_ONCE):
                await self._store.write(partial(write_rows, minutes=rows[first : first + ROWS_AT_ONCE]))
            await asyncio.to_thread(spool.remove, entry)
            self._bus.publish(FlowMeasured(rows))
        return await asyncio.to_thread(spool.oldest) is None

    async def _spill(self, before: datetime | None) -> None:
        """Put what waits of the minutes before this one on the disk; what it does not take stays in memory."""
        if self._spool is None:
            return
        batch = self._ledger.take_old(before)
        if (batch.parts or batch.wholes) and not await asyncio.to_thread(self._spool.add, batch):
            self._ledger.give_back(batch)

    async def flow(self, *, since: datetime, camera_id: str = "", n_most: int = 20_000) -> list[FlowMinute]:
        """Return what cameras measured in the minutes from `since` on, oldest first.

        Args:
            since: First minute.
            camera_id: Empty for all cameras.
            n_most: The newest so many.

        Raises:
            UnavailableError: The database is away.
        """
        return await self._store.read(lambda session: read_since(session, since, camera_id, n_most))

    def forget_jam(self, device_id: str) -> None:
        """Somebody closed the jam of a station that was not heard: if it holds it begins anew."""
        self._jams.pop(device_id, None)

    def _on_reading(self, event: ReadingReceived) -> None:
        reading = event.reading
        if event.kind != STATION or not {"averageVehicleSpeed", "occupancy"} <= reading.values.keys():
            return
        now_s = self._clock.monotonic()
        lanes = self._newest.setdefault(reading.device_id, {})
        lanes[reading.stream] = (now_s, reading)
        # What a device doubts itself, and what is too old to be the present, must neither raise nor end a jam.
        stale_s = find_kinds()[STATION].stale_s(reading.stream)
        if not reading.is_good or (self._clock.now() - reading.at).total_seconds() > stale_s:
            return
        flow = together(_flow(item) for seen_s, item in lanes.values() if item.is_good and now_s - seen_s <= stale_s)
        if flow is None:
            return
        jam = self._jams.setdefault(reading.device_id, Congestion())
        change = jam.update(judge(flow, reading.device_id, self._settings), now_s, self._settings)
        if change is Change.NONE:
            return
        self._bus.publish(
            StationCongestion(
                device_id=reading.device_id,
                phase=Phase.BEGIN if change is Change.BEGAN else Phase.END,
                at=reading.at,
                values={
                    "averageVehicleSpeed": flow.speed_kmh,
                    "occupancy": flow.occupancy,
                    "intensity": flow.intensity,
                },
            )
        )


def _in_chunks(session: Session, keys: Sequence[Key]) -> list[FlowMinute]:
    found: list[FlowMinute] = []
    for first in range(0, len(keys), ROWS_AT_ONCE):
        found += read_rows(session, keys[first : first + ROWS_AT_ONCE])
    return found


def _flow(reading: Reading) -> Flow:
    values = reading.values
    return Flow(
        speed_kmh=values["averageVehicleSpeed"],
        occupancy=values["occupancy"],
        intensity=values.get("intensity", 1.0),
        free_flow_kmh=values.get("freeFlowSpeed"),
    )
