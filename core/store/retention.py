"""Forgetting: what was measured and seen is kept for some time; incidents, alarms, counts and the audit stay."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.store.engine import Store
from core.store.tables import (
    Base,
    BayChangeRow,
    CapMessageRow,
    DeviceCommandRow,
    FieldEventRow,
    FlowMinuteRow,
    LotOccupancyRow,
    ObservationRow,
    ReadingRow,
    RemovedDeviceRow,
)

CHUNK = 500
"""Rows of one transaction: the writer serves alarms between two of them."""

_KEPT_FOR_A_WHILE: tuple[tuple[type[Base], Any, Any], ...] = (
    (ReadingRow, ReadingRow.reading_id, ReadingRow.at),
    (LotOccupancyRow, LotOccupancyRow.lot_occupancy_id, LotOccupancyRow.at),
    (BayChangeRow, BayChangeRow.bay_change_id, BayChangeRow.at),
    (ObservationRow, ObservationRow.observation_id, ObservationRow.captured_at),
    (FieldEventRow, FieldEventRow.field_event_id, FieldEventRow.at),
    (DeviceCommandRow, DeviceCommandRow.command_id, DeviceCommandRow.created_at),
    (CapMessageRow, CapMessageRow.cap_message_id, CapMessageRow.sent),
    (RemovedDeviceRow, RemovedDeviceRow.device_id, RemovedDeviceRow.removed_at),
    (FlowMinuteRow, FlowMinuteRow.flow_minute_id, FlowMinuteRow.minute),
)
"""Table, key and the column that tells the age; each of these columns has an index."""


async def forget_before(store: Store, before: datetime) -> int:
    """Delete what was measured, seen and told before an instant: readings, occupancies, bays, events, and the like.

    Returns:
        Rows deleted.

    Raises:
        UnavailableError: The database is away; what was deleted until then stays deleted.
    """
    total = 0
    for table, key, at in _KEPT_FOR_A_WHILE:
        while (n_deleted := await store.write(partial(_delete_some, table, key, at, before))) > 0:
            total += n_deleted
    return total


def _delete_some(table: type[Base], key: Any, at: Any, before: datetime, session: Session) -> int:
    ids = list(session.scalars(select(key).where(at < before).limit(CHUNK)))
    if ids:
        session.execute(delete(table).where(key.in_(ids)))
    return len(ids)
