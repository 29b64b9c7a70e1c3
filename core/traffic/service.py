"""Traffic figures: what stations measure, what cameras count, and when a station sees a jam."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
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
from core.store.engine import Store
from core.store.tables import FlowMinuteRow, LineCountRow
from core.traffic.counts import COUNTS
from core.traffic.flow import MINUTES, read_since
from core.traffic.flow_spool import Batch, Entry, FlowSpool, GivenUp, SpoolError
from core.traffic.ledger import Key, Ledger, Rows, RowT
from core.traffic.model import LineCount
from core.traffic.rules import Change, Congestion, CongestionSettings, Flow, judge, together
from core.vision.flow import FlowMinute
from core.vision.model import Phase, counted_under

STATION = "station"
ROWS_AT_ONCE = 200
"""Rows of one transaction: the writer serves alarms between two of them."""

BATCHES_AT_ONCE = 10
"""Batches from the disk that one call of `store_minutes` stores: after a day's outage there are thousands."""

GIVEN_UP_HINT = "Figures of that time stay without it. Look at the database and the room on the node's disk."

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
        self._given_up = GivenUp()
        self._ledger = Ledger(MINUTES, self._given_up)
        self._counts = Ledger(COUNTS, self._given_up)
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

    def take_counts(self, counts: Sequence[LineCount]) -> None:
        """Take vehicles that crossed lines; `store_minutes` adds them to their minutes."""
        self._counts.add(replace(count, minute=count.minute.replace(second=0, microsecond=0)) for count in counts)

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
        """Write the minutes and counts that wait.

        Parts of one minute become one row, and writing again changes nothing.

        Raises:
            UnavailableError: The database is away, or the disk where older minutes wait fails; what waits is kept and
                tried again with the next call.
        """
        async with self._is_storing:
            try:
                # What is on the disk is older: what is joined with it must find it in the database.
                if await self._store_spooled():
                    await self._store_measured(datetime.min.replace(tzinfo=UTC))
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
        found = [(self._given_up.sentence, GIVEN_UP_HINT)]
        if self._spool is not None:
            found.append((self._spool.given_up.sentence, GIVEN_UP_HINT))
            found.append((self._spool.notice, "Look at that folder and the room on its disk."))
        return tuple((sentence, hint) for sentence, hint in found if sentence)

    async def _store_measured(self, after: datetime) -> None:
        """Store what waits in memory of the minutes after this one."""
        # First: whoever finds a minute stored takes its counts for complete.
        await self._store_waiting(self._counts, COUNTS, after, [])
        written: list[FlowMinute] = []
        try:
            await self._store_waiting(self._ledger, MINUTES, after, written)
        finally:
            # Told together: the parts of one minute may lie in two chunks.
            if written:
                self._bus.publish(FlowMeasured(tuple(written)))

    async def _store_waiting(
        self, ledger: Ledger[RowT], rows: Rows[RowT], after: datetime, written: list[RowT]
    ) -> None:
        """Write what waits in memory, and add to `written` what the database has taken."""
        unread = ledger.unread(after)
        if unread:
            ledger.take_stored(unread, await self._read(rows, unread))
        waiting = ledger.waiting(after)
        for first in range(0, len(waiting), ROWS_AT_ONCE):
            chunk = waiting[first : first + ROWS_AT_ONCE]
            await self._store.write(partial(_write, rows=rows, chunk=chunk))
            ledger.note_written(chunk, self._clock.now())
            written += chunk

    async def _read(self, rows: Rows[RowT], keys: Sequence[Key]) -> list[RowT]:
        return await self._store.read(lambda session: _in_chunks(session, rows, keys)) if keys else []

    async def _store_spooled(self) -> bool:
        """Store what waits on the disk, some of it at a time; returns whether nothing is left there."""
        spool = self._spool
        if spool is None:
            return True
        for _ in range(BATCHES_AT_ONCE):
            entry = await asyncio.to_thread(spool.oldest)
            if entry is None:
                return True
            try:
                batch = await asyncio.to_thread(spool.read, entry)
                if batch is None:
                    continue
                batch = await self._whole(spool, entry, batch)
            except SpoolError:
                # What is newer than all on the disk is joined with none of it, and would fill the memory.
                await self._store_measured(spool.newest_minute())
                raise
            # Counts first, as in `store_minutes`.
            await self._write_whole(COUNTS, batch.count_wholes)
            await self._write_whole(MINUTES, batch.wholes)
            await asyncio.to_thread(spool.remove, entry)
            if batch.wholes:
                self._bus.publish(FlowMeasured(batch.wholes))
        return await asyncio.to_thread(spool.oldest) is None

    async def _whole(self, spool: FlowSpool, entry: Entry, batch: Batch) -> Batch:
        """Return a batch as the database is to have it; the disk has that as well."""
        if not batch.parts and not batch.count_parts:
            return batch
        stored = await self._read(MINUTES, [MINUTES.key_of(minute) for minute in batch.parts])
        counted = await self._read(COUNTS, [COUNTS.key_of(count) for count in batch.count_parts])
        whole = Batch(
            wholes=MINUTES.whole(batch.parts, batch.wholes, stored),
            count_wholes=COUNTS.whole(batch.count_parts, batch.count_wholes, counted),
        )
        # Written first, or nothing is stored: who is killed or stopped while storing them counts nobody twice.
        await asyncio.to_thread(spool.replace, entry, whole)
        return whole

    async def _write_whole(self, rows: Rows[RowT], wholes: Sequence[RowT]) -> None:
        for first in range(0, len(wholes), ROWS_AT_ONCE):
            await self._store.write(partial(_write, rows=rows, chunk=wholes[first : first + ROWS_AT_ONCE]))

    async def _spill(self, before: datetime | None) -> None:
        """Put what waits of the minutes before this one on the disk; what it does not take stays in memory."""
        if self._spool is None:
            return
        # In one file: where that is lost, the minutes are missing too, and nobody takes the counts for complete.
        parts, wholes = self._ledger.take_old(before)
        count_parts, count_wholes = self._counts.take_old(before)
        batch = Batch(parts=parts, wholes=wholes, count_parts=count_parts, count_wholes=count_wholes)
        if batch.minutes and not await asyncio.to_thread(self._spool.add, batch):
            self._ledger.give_back(parts, wholes)
            self._counts.give_back(count_parts, count_wholes)

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


def _in_chunks(session: Session, rows: Rows[RowT], keys: Sequence[Key]) -> list[RowT]:
    found: list[RowT] = []
    for first in range(0, len(keys), ROWS_AT_ONCE):
        found += rows.read(session, keys[first : first + ROWS_AT_ONCE])
    return found


def _write(session: Session, rows: Rows[RowT], chunk: Sequence[RowT]) -> None:
    rows.write(session, chunk)


def _flow(reading: Reading) -> Flow:
    values = reading.values
    return Flow(
        speed_kmh=values["averageVehicleSpeed"],
        occupancy=values["occupancy"],
        intensity=values.get("intensity", 1.0),
        free_flow_kmh=values.get("freeFlowSpeed"),
    )
