"""Devices that were removed: what is kept of each, so that a person can put it back later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from core.field import rows
from core.field.model import Device, DeviceState, RemovedDevice, Twin
from core.field.ports import Actor
from core.field.rows import LastEvent
from core.field.twins import store_twin, twin_of_values, twin_values
from core.kernel.clock import format_at, parse_at
from core.kernel.ids import new_id
from core.store.rows import storable
from core.store.tables import DeviceRemovalRow, DeviceRow, DeviceTwinRow

MAX_LISTED = 5000

_KEPT = ("lat_deg", "lon_deg", "tags", "is_enabled", "firmware", "boot", "birth", "event_seq", "version")
_PEOPLES = ("lat_deg", "lon_deg", "tags", "is_enabled")
"""Of what is kept: what people decided, beside name and site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A device that was put back, with what the field has to know of it.

    Attributes:
        last_event: None where it never sent one.
        twin: What is desired of it; None where nobody had asked for anything.
    """

    device: Device
    boot: str
    birth: Mapping[str, Any]
    last_event: LastEvent | None
    twin: Twin | None


def removal_of(row: DeviceRow, twin: DeviceTwinRow | None, actor: Actor, at: datetime) -> DeviceRemovalRow:
    """Return what is kept of a device that is being removed."""
    times = {"created_at": row.created_at, "last_seen_at": row.last_seen_at}
    return DeviceRemovalRow(
        removal_id=new_id(),
        device_id=row.device_id,
        name=row.name,
        kind=row.kind,
        site=row.site,
        kept={key: getattr(row, key) for key in _KEPT}
        | {key: format_at(value) for key, value in times.items() if value is not None},
        twin={} if twin is None else twin_values(twin),
        removed_at=at,
        removed_by=storable(actor.name),
    )


def load_removed(session: Session) -> list[RemovedDevice]:
    """Return the removed devices that nobody put back, the newest first; within `Store.read`."""
    query = (
        select(DeviceRemovalRow)
        .where(DeviceRemovalRow.restored_at.is_(None))
        .order_by(DeviceRemovalRow.removal_id.desc())
        .limit(MAX_LISTED)
    )
    newest: dict[str, RemovedDevice] = {}
    for row in session.scalars(query):
        newest.setdefault(
            row.device_id,
            RemovedDevice(
                removal_id=row.removal_id,
                device_id=row.device_id,
                name=row.name,
                kind=row.kind,
                site=row.site,
                removed_at=row.removed_at,
                removed_by=row.removed_by,
            ),
        )
    return list(newest.values())


def why_it_stays(removal: DeviceRemovalRow | None, row: DeviceRow | None) -> str:
    """Return why a device cannot be put back; empty where it can."""
    if removal is None:
        return "Nobody knows this removal."
    if removal.restored_at is not None:
        return "It was put back already."
    if row is not None and row.version != 1:
        return "It is there again, and somebody has changed it."
    return ""


def put_back(session: Session, removal: DeviceRemovalRow, row: DeviceRow | None, *, at: datetime, by: str) -> DeviceRow:
    """Write a device as it was; `row` is that of one which came back by itself. Returns its row."""
    kept = removal.kept
    if row is None:
        values = {
            **{key: kept[key] for key in _KEPT},
            "device_id": removal.device_id,
            "kind": removal.kind,
            "name": removal.name,
            "site": removal.site,
            "state": DeviceState.UNKNOWN.value,
            "state_since": at,
            "created_at": parse_at(str(kept["created_at"])),
            "last_seen_at": parse_at(str(kept["last_seen_at"])) if "last_seen_at" in kept else None,
            # Who looks at the device as it was before has to look again.
            "version": max(rows.NAMED, int(kept["version"]) + 1),
        }
        # By the table: the mapper would begin with version 1.
        session.execute(insert(cast(Table, DeviceRow.__table__)), [values])
        row = session.get_one(DeviceRow, removal.device_id)
    else:
        row.name, row.site = removal.name, removal.site
        for key in _PEOPLES:
            setattr(row, key, kept[key])
    if removal.twin:
        store_twin(session, twin_of_values(removal.device_id, removal.twin))
    removal.restored_at, removal.restored_by = at, storable(by)
    session.flush()
    return row


def restored(session: Session, row: DeviceRow, removal: DeviceRemovalRow) -> Restored:
    """Return what the field has to know of a device that is back."""
    return Restored(
        device=rows.device(row),
        boot=row.boot,
        birth=row.birth,
        last_event=rows.last_event(session, row),
        twin=twin_of_values(removal.device_id, removal.twin) if removal.twin else None,
    )
