"""Between the field's models and the tables; used inside `Store.read` and `Store.write` only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Executable, Table, and_, bindparam, case, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.field.device_list import NewDevice
from core.field.model import Device, DeviceState, FieldEvent, Reading, calls_operator
from core.field.registry import Tracked
from core.store.rows import position_of, storable
from core.store.tables import Base, DeviceRow, FieldEventRow, ReadingRow

EventKey = tuple[str, int, str]
"""Device, number and start of the device."""

KEYS_AT_ONCE = 100
AHEAD_AT_MOST = timedelta(seconds=60)
"""So far a clock may have been ahead where what was kept of an event's time is when it came."""

NAMED = 2
"""Version of a device that an operator has named: its own description does not overwrite that any more."""


@dataclass(frozen=True, slots=True)
class LastEvent:
    """Up to where a device's events are stored.

    Attributes:
        at, boot: Of that event; None and empty where its row is gone.
    """

    seq: int
    at: datetime | None = None
    boot: str = ""


def load(session: Session) -> tuple[list[tuple[Device, str, dict[str, Any]]], dict[str, LastEvent]]:
    """Return every device with its boot and birth, and the last event of each that ever sent one."""
    # Columns and not rows of the mapper: of ten thousand those take twice as long.
    found = cast(Iterable[DeviceRow], session.execute(select(*DeviceRow.__table__.columns)).all())
    rows, last = [], {}
    for row in found:
        rows.append((device(row), row.boot, row.birth))
        if row.event_seq is not None:
            last[row.device_id] = LastEvent(row.event_seq)
    is_last = and_(FieldEventRow.device_id == DeviceRow.device_id, FieldEventRow.seq == DeviceRow.event_seq)
    # Of two of one number the later one is of the newer start.
    events = session.scalars(select(FieldEventRow).join(DeviceRow, is_last).order_by(FieldEventRow.field_event_id))
    return rows, last | {event.device_id: LastEvent(event.seq, event.at, event.boot) for event in events}


def last_event(session: Session, row: DeviceRow) -> LastEvent | None:
    """Return the last event of one device; None where it never sent one."""
    if row.event_seq is None:
        return None
    query = (
        select(FieldEventRow)
        .where(FieldEventRow.device_id == row.device_id, FieldEventRow.seq == row.event_seq)
        .order_by(FieldEventRow.field_event_id.desc())
        .limit(1)
    )
    event = session.scalars(query).first()
    return LastEvent(row.event_seq) if event is None else LastEvent(event.seq, event.at, event.boot)


def device(row: DeviceRow) -> Device:
    """Return a row as the room sees it."""
    return Device(
        device_id=row.device_id,
        kind=row.kind,
        name=row.name,
        state=DeviceState(row.state),
        is_enabled=row.is_enabled,
        position=position_of(row),
        site=row.site,
        tags=tuple(row.tags),
        last_seen_at=row.last_seen_at,
        state_since=row.state_since,
        firmware=row.firmware,
        skew_s=row.skew_s,
        version=row.version,
    )


def device_values(tracked: Tracked) -> dict[str, Any]:
    """Return what a row of the device holds."""
    device = tracked.device
    return {
        "device_id": device.device_id,
        "kind": device.kind,
        "name": storable(device.name),
        "state": device.state.value,
        "is_enabled": device.is_enabled,
        "lat_deg": None if device.position is None else device.position.lat_deg,
        "lon_deg": None if device.position is None else device.position.lon_deg,
        "site": device.site,
        "tags": list(device.tags),
        "last_seen_at": device.last_seen_at,
        "state_since": device.state_since,
        "firmware": storable(device.firmware),
        "boot": storable(tracked.boot),
        "birth": tracked.birth,
        "skew_s": tracked.clock.skew_s if tracked.clock.is_sure else None,
    }


_OURS = ("kind", "state", "last_seen_at", "state_since", "firmware", "boot", "birth", "skew_s")
_OPERATORS = ("name", "lat_deg", "lon_deg")


def insert_devices(session: Session, rows: Sequence[dict[str, Any]], created_at: datetime) -> None:
    """Add the devices that have no row yet."""
    if not rows:
        return
    known = set(
        session.scalars(select(DeviceRow.device_id).where(DeviceRow.device_id.in_([r["device_id"] for r in rows])))
    )
    new = [{**row, "created_at": created_at, "version": 1} for row in rows if row["device_id"] not in known]
    if new:
        session.execute(insert(DeviceRow), new)


def add_devices(session: Session, devices: Sequence[NewDevice], created_at: datetime) -> None:
    """Add devices that somebody named and that have said nothing yet; none of them may have a row."""
    if not devices:
        return
    values: list[dict[str, Any]] = [
        {
            "device_id": device.device_id,
            "kind": device.kind,
            "name": storable(device.name),
            "state": DeviceState.UNKNOWN.value,
            "is_enabled": device.is_enabled,
            "lat_deg": None if device.position is None else device.position.lat_deg,
            "lon_deg": None if device.position is None else device.position.lon_deg,
            "site": device.site,
            "tags": list(device.tags),
            "firmware": "",
            "boot": "",
            "birth": {},
            "created_at": created_at,
            "version": NAMED,
        }
        for device in devices
    ]
    # By the table: the mapper would begin with version 1.
    session.execute(insert(cast(Table, DeviceRow.__table__)), values)


def update_devices(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Write what the field decides; name and place only while no operator has touched the row."""
    if not rows:
        return
    table = DeviceRow.__table__
    by_id = table.c.device_id == bindparam("b_device_id")
    ours: dict[str, Any] = {key: bindparam(f"b_{key}") for key in _OURS}
    theirs = {
        key: case((table.c.version == 1, bindparam(f"b_{key}", type_=table.c[key].type)), else_=table.c[key])
        for key in _OPERATORS
    }
    session.execute(
        update(table).where(by_id).values(ours | theirs),  # type: ignore[arg-type]
        [{"b_device_id": row["device_id"], **{f"b_{key}": row[key] for key in (*_OURS, *_OPERATORS)}} for row in rows],
    )


def insert_events(session: Session, events: Sequence[FieldEvent]) -> None:
    """Add events; one that is there already stays as it is."""
    if events:
        session.connection().execute(_insert_once(session, FieldEventRow), [event_values(event) for event in events])


def find_events(session: Session, keys: Sequence[EventKey]) -> set[EventKey]:
    """Return which of these events are stored."""
    found: set[EventKey] = set()
    columns = (FieldEventRow.device_id, FieldEventRow.seq, FieldEventRow.boot)
    for begin in range(0, len(keys), KEYS_AT_ONCE):
        some = [
            and_(*(column == part for column, part in zip(columns, key, strict=True)))
            for key in keys[begin : begin + KEYS_AT_ONCE]
        ]
        found.update((row.device_id, row.seq, row.boot) for row in session.execute(select(*columns).where(or_(*some))))
    return found


def find_reused(session: Session, events: Sequence[FieldEvent]) -> list[FieldEvent]:
    """Return of these those whose number another event has; of a number that is not stored any more, too."""
    found: list[FieldEvent] = []
    for event in events:
        query = select(FieldEventRow).where(
            FieldEventRow.device_id == event.device_id,
            FieldEventRow.seq == event.seq,
            FieldEventRow.boot == event.boot,
        )
        row = session.scalars(query).first()
        if row is None or not _is_same(row, event):
            found.append(event)
    return found


def _is_same(row: FieldEventRow, event: FieldEvent) -> bool:
    if row.event_id and event.event_id:
        return row.event_id == event.event_id
    if row.at == row.received_at and row.at <= event.at <= row.at + AHEAD_AT_MOST:
        # Its clock was ahead of ours: what was kept of the time is when it came first.
        return row.event_type == event.event_type and row.data == event.data
    if row.at == row.received_at and event.at == event.received_at:
        # It is ahead still: what it says of the time does not tell two events apart.
        return row.event_type == event.event_type and row.data == event.data
    return row.at == event.at


def insert_readings(session: Session, readings: Sequence[Reading]) -> None:
    """Add readings; one of the same stream and instant stays as it is."""
    if readings:
        session.connection().execute(_insert_once(session, ReadingRow), [reading_values(one) for one in readings])


def _insert_once(session: Session, table: type[Base]) -> Executable:
    # The table and not the class: past the unit of work, which takes longer than the database.
    rows = Base.metadata.tables[table.__tablename__]
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(rows).on_conflict_do_nothing()
    return sqlite.insert(rows).on_conflict_do_nothing()


def event_values(event: FieldEvent) -> dict[str, Any]:
    """Return what a row of the event holds, by column."""
    return {
        "device_id": event.device_id,
        "seq": event.seq,
        "event_id": event.event_id,
        "event_type": event.event_type,
        "at": event.at,
        "received_at": event.received_at,
        "boot": event.boot,
        "is_good": event.is_good,
        "is_history": event.is_history,
        "is_ahead": event.is_ahead,
        "data": event.data,
        "is_waiting": calls_operator(event),
    }


def reading_values(reading: Reading) -> dict[str, Any]:
    """Return what a row of the reading holds, by column."""
    return {
        "device_id": reading.device_id,
        "stream": reading.stream,
        "at": reading.at,
        "quantities": reading.values,
        "is_good": reading.is_good,
        "is_history": reading.is_history,
    }
