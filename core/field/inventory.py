"""Which devices there are: added by hand or from a list, removed, switched in bulk; each change with its audit row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.field import rows
from core.field.device_list import NewDevice
from core.field.model import Device
from core.field.ports import SUPERVISOR, Actor, AuditHook
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, NotPermittedError
from core.store.engine import Store
from core.store.rows import check_version, storable
from core.store.tables import DeviceRow, DeviceTwinRow

MAX_AT_ONCE = 500
"""Devices in one transaction: as long as nobody else waits for the database noticeably."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOutcome:
    """What became of one device of many.

    Attributes:
        reason: Why nothing was done; empty where it was.
        version: Of the device now; what undoes the change has to name it.
    """

    device_id: str
    reason: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAt:
    """A device as somebody saw it."""

    device_id: str
    version: int


class Inventory:
    """The rows of devices.

    Threads: the owner's loop only.
    """

    def __init__(
        self, *, store: Store, clock: Clock, audit: AuditHook, values_of: Callable[[str], dict[str, Any] | None]
    ) -> None:
        """Prepare; `values_of` gives the row of a device that registered itself and is not stored yet."""
        self._store, self._clock, self._audit, self._values_of = store, clock, audit, values_of

    async def add(
        self, actor: Actor, devices: Sequence[NewDevice], *, source: str = ""
    ) -> tuple[list[Device], list[BulkOutcome]]:
        """Add devices that are not there yet; one that is stays as it is.

        Args:
            actor: Who adds them.
            devices: At most `MAX_AT_ONCE`.
            source: Name of the list, for the audit; empty where it was typed.

        Returns:
            The new devices, and an outcome for each that was asked for.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Too many at once.
            UnavailableError: The database is away; nothing was added.
        """
        _check(actor, len(devices))
        now = self._clock.now()

        def store(session: Session) -> tuple[list[Device], list[BulkOutcome]]:
            known = set(_rows_of(session, [device.device_id for device in devices]))
            fresh: dict[str, NewDevice] = {}
            outcomes = []
            for new in devices:
                if new.device_id in known | fresh.keys() or self._values_of(new.device_id) is not None:
                    reason = "It is there already and stays as it is."
                    outcomes.append(BulkOutcome(device_id=new.device_id, reason=reason))
                    continue
                fresh[new.device_id] = new
                outcomes.append(BulkOutcome(device_id=new.device_id, version=rows.NAMED))
            rows.add_devices(session, tuple(fresh.values()), now)
            added = list(_rows_of(session, list(fresh)).values())
            detail = f"from {storable(source)}" if source else ""
            for row in added:
                subject = f"{row.name} ({row.device_id})"
                self._audit(session, actor, action="device.add", subject=subject, at=now, detail=detail)
            return [rows.device(row) for row in added], outcomes

        return await self._store.write(store)

    async def remove(self, actor: Actor, device: DeviceAt) -> None:
        """Take a device and its twin out of the list; what it said and what was done with it stays.

        Raises:
            NotPermittedError: Below supervisor.
            StaleWriteError: Someone else was faster.
            UnavailableError: The database is away; nothing was removed.
        """
        _check(actor, 1)
        now = self._clock.now()

        def store(session: Session) -> None:
            row = session.get(DeviceRow, device.device_id)
            name = device.device_id
            if row is not None:
                check_version(row.version, expect_version=device.version, what=f"The device {row.name}")
                name = row.name
                session.delete(row)
            twin = session.get(DeviceTwinRow, device.device_id)
            if twin is not None:
                session.delete(twin)
            session.flush()
            self._audit(session, actor, action="device.remove", subject=f"{name} ({device.device_id})", at=now)

        await self._store.write(store)

    async def set_enabled(
        self, actor: Actor, devices: Sequence[DeviceAt], *, is_enabled: bool
    ) -> tuple[list[Device], list[BulkOutcome]]:
        """Listen to devices, or not any more; one that somebody else changed meanwhile is left alone.

        Returns:
            The changed devices, and an outcome for each that was asked for.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Too many at once.
            UnavailableError: The database is away; nothing was changed.
        """
        _check(actor, len(devices))
        now = self._clock.now()
        action = "device.enable" if is_enabled else "device.disable"

        def store(session: Session) -> tuple[list[Device], list[BulkOutcome]]:
            missing = {seen.device_id: self._values_of(seen.device_id) for seen in devices}
            rows.insert_devices(session, [values for values in missing.values() if values is not None], now)
            known = _rows_of(session, list(missing))
            changed, outcomes = [], []
            for seen in devices:
                row = known.get(seen.device_id)
                reason = _why_not(row, seen, is_enabled=is_enabled)
                if row is None or reason:
                    outcomes.append(
                        BulkOutcome(device_id=seen.device_id, reason=reason, version=0 if row is None else row.version)
                    )
                    continue
                row.is_enabled = is_enabled
                changed.append(row)
            session.flush()
            for row in changed:
                outcomes.append(BulkOutcome(device_id=row.device_id, version=row.version))
                subject = f"{row.name} ({row.device_id})"
                self._audit(session, actor, action=action, subject=subject, at=now, detail=f"one of {len(devices)}")
            return [rows.device(row) for row in changed], outcomes

        return await self._store.write(store)


def _check(actor: Actor, n_devices: int) -> None:
    if actor.role < SUPERVISOR:
        raise NotPermittedError("Changing devices needs the role supervisor.")
    if n_devices > MAX_AT_ONCE:
        raise BadInputError(f"{n_devices} devices at once are too many.", hint=f"Send {MAX_AT_ONCE} at a time.")


def _rows_of(session: Session, device_ids: Sequence[str]) -> dict[str, DeviceRow]:
    found = session.scalars(select(DeviceRow).where(DeviceRow.device_id.in_(device_ids)))
    return {row.device_id: row for row in found}


def _why_not(row: DeviceRow | None, seen: DeviceAt, *, is_enabled: bool) -> str:
    if row is None:
        return "There is no such device any more."
    if row.version != seen.version:
        return "Somebody else changed it meanwhile."
    if row.is_enabled == is_enabled:
        return "It is so already."
    return ""
