"""Parking lots: how full they are now, and how full they were."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from core.field.model import Reading
from core.field.service import FieldEventReceived, ReadingReceived
from core.kernel.bus import Bus
from core.kernel.errors import UnavailableError
from core.parking.model import LotOccupancy
from core.store.engine import Store
from core.store.tables import LotOccupancyRow

LOT = "lot"
BAY_STATES = frozenset({"free", "occupied", "unknown", "closed"})
MAX_BAYS = 20_000


@dataclass(frozen=True, slots=True)
class LotChanged:
    """A lot is fuller or emptier than before, or known for the first time."""

    occupancy: LotOccupancy


class ParkingService:
    """Newest occupancy of every lot; each change becomes a row.

    A lot is a device that counts its bays, or one whose bays speak for themselves on streams of their own.

    Threads: the owner's loop only.
    """

    def __init__(self, *, store: Store, bus: Bus) -> None:
        """Listen to the field from now on."""
        self._store = store
        self._bus = bus
        self._newest: dict[str, LotOccupancy] = {}
        self._bays: dict[str, dict[str, tuple[datetime, str]]] = {}
        self._counted: set[str] = set()
        self._waiting: list[LotOccupancy] = []
        self._writing: asyncio.Task[None] | None = None
        self._unsubscribe = (
            bus.subscribe(ReadingReceived, self._on_reading),
            bus.subscribe(FieldEventReceived, self._on_event),
        )
        self.n_lost_rows = 0
        """Rows that were not written, because the database was away."""

    async def restore(self) -> None:
        """Take over the newest occupancy of every lot from the store.

        Raises:
            UnavailableError: The database is away.
        """

        def read(session: Session) -> list[LotOccupancy]:
            lots = session.scalars(select(LotOccupancyRow.lot_id).distinct()).all()
            found = []
            for lot_id in lots:
                query = select(LotOccupancyRow).where(LotOccupancyRow.lot_id == lot_id)
                row = session.scalars(query.order_by(LotOccupancyRow.at.desc()).limit(1)).one()
                found.append(_occupancy(row))
            return found

        for occupancy in await self._store.read(read):
            self._newest.setdefault(occupancy.lot_id, occupancy)

    async def close(self) -> None:
        """Listen no more, and write what waits."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        if self._writing is not None:
            await self._writing
        with contextlib.suppress(UnavailableError):
            await self._write()

    def lots(self) -> tuple[LotOccupancy, ...]:
        """Return the newest occupancy of every lot."""
        return tuple(self._newest[key] for key in sorted(self._newest))

    async def history(self, lot_id: str, *, since: datetime, n_most: int = 5000) -> list[LotOccupancy]:
        """Return how full a lot was from `since` on, oldest first, at most the newest `n_most`.

        Raises:
            UnavailableError: The database is away.
        """

        def read(session: Session) -> list[LotOccupancy]:
            query = (
                select(LotOccupancyRow)
                .where(LotOccupancyRow.lot_id == lot_id, LotOccupancyRow.at >= since)
                .order_by(LotOccupancyRow.at.desc())
                .limit(n_most)
            )
            return [_occupancy(row) for row in session.scalars(query)][::-1]

        return await self._store.read(read)

    def _on_reading(self, event: ReadingReceived) -> None:
        if event.kind != LOT:
            return
        reading = event.reading
        if "totalSpotNumber" in reading.values and "availableSpotNumber" in reading.values:
            self._counted.add(reading.device_id)
            self._take(_counted(reading))
        elif reading.values.keys() & {"occupied", "unknown", "closed"}:
            state = "closed" if "closed" in reading.values else "unknown"
            if "occupied" in reading.values:
                state = "occupied" if reading.values["occupied"] > 0.5 else "free"
            self._on_bay(reading.device_id, reading.stream, reading.at, state)

    def _on_event(self, event: FieldEventReceived) -> None:
        found = event.event
        if event.kind != LOT or found.event_type != "ParkingSpot":
            return
        state, bay = found.data.get("status"), found.data.get("bay") or found.data.get("name")
        if isinstance(bay, str) and 0 < len(bay) <= 64 and state in BAY_STATES:
            self._on_bay(found.device_id, bay, found.at, str(state))

    def _on_bay(self, lot_id: str, bay: str, at: datetime, state: str) -> None:
        bays = self._bays.setdefault(lot_id, {})
        known = bays.get(bay)
        if (known is not None and at < known[0]) or (known is None and len(bays) >= MAX_BAYS):
            return
        bays[bay] = (at, state)
        # A gateway that counts knows of more bays than have spoken.
        if lot_id in self._counted:
            return
        states = [item for _, item in bays.values() if item != "closed"]
        self._take(
            LotOccupancy(
                lot_id=lot_id,
                n_bays=len(states),
                n_occupied=states.count("occupied"),
                n_unknown=states.count("unknown"),
                at=max(seen_at for seen_at, _ in bays.values()),
            )
        )

    def _take(self, occupancy: LotOccupancy) -> None:
        known = self._newest.get(occupancy.lot_id)
        if known is not None and occupancy.at < known.at:
            return
        self._newest[occupancy.lot_id] = occupancy
        if known is not None and _figures(known) == _figures(occupancy):
            return
        self._waiting.append(occupancy)
        self._bus.publish(LotChanged(occupancy))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_soon())

    async def _write_soon(self) -> None:
        with contextlib.suppress(UnavailableError):
            while self._waiting:
                await self._write()

    async def _write(self) -> None:
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        values = [
            {
                "lot_id": row.lot_id,
                "at": row.at,
                "n_bays": row.n_bays,
                "n_occupied": row.n_occupied,
                "n_unknown": row.n_unknown,
            }
            for row in rows
        ]

        def store(session: Session) -> None:
            session.execute(insert(LotOccupancyRow), values)

        try:
            await self._store.write(store)
        except UnavailableError:
            self.n_lost_rows += len(rows)
            raise


def _counted(reading: Reading) -> LotOccupancy:
    values = reading.values
    n_bays, n_unknown = round(values["totalSpotNumber"]), round(values.get("unknownSpotNumber", 0.0))
    return LotOccupancy(
        lot_id=reading.device_id,
        n_bays=n_bays,
        n_occupied=max(0, n_bays - n_unknown - round(values["availableSpotNumber"])),
        n_unknown=n_unknown,
        at=reading.at,
    )


def _figures(occupancy: LotOccupancy) -> tuple[int, int, int]:
    return occupancy.n_bays, occupancy.n_occupied, occupancy.n_unknown


def _occupancy(row: LotOccupancyRow) -> LotOccupancy:
    return LotOccupancy(
        lot_id=row.lot_id, n_bays=row.n_bays, n_occupied=row.n_occupied, n_unknown=row.n_unknown, at=row.at
    )
