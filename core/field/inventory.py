"""Which devices there are: added by hand or from a list, removed, switched in bulk; each change with its audit row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.field import rows
from core.field.clearing import Remains, store_remains
from core.field.device_list import NewDevice
from core.field.model import Device
from core.field.ports import SUPERVISOR, Actor, AuditHook
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, NotPermittedError
from core.store.engine import Store
from core.store.rows import storable
from core.store.tables import DeviceRow, DeviceTwinRow

MAX_AT_ONCE = 500
"""Devices in one transaction: as long as nobody else waits for the database noticeably."""


MEANWHILE = "Somebody else changed it meanwhile."


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
        self,
        *,
        store: Store,
        clock: Clock,
        audit: AuditHook,
        values_of: Callable[[str], dict[str, Any] | None],
        remains_of: Callable[[str], Remains | None],
    ) -> None:
        """Prepare.

        Args:
            store: Where the rows are.
            clock: For times in rows.
            audit: Adds the audit row of each change.
            values_of: Gives the row of a device that registered itself and is not stored yet.
            remains_of: Gives what a device leaves behind when it is removed; None where nobody knows it.
        """
        self._store, self._clock, self._audit = store, clock, audit
        self._values_of, self._remains_of = values_of, remains_of

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

    async def remove(self, actor: Actor, devices: Sequence[DeviceAt]) -> tuple[list[BulkOutcome], list[Remains]]:
        """Take devices and their twins out of the list; what they said and what was done with them stays.

        Returns:
            An outcome for each, and what those that are gone left on the broker; one that somebody else changed
            meanwhile stays.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Too many at once.
            UnavailableError: The database is away; nothing was removed.
        """
        _check(actor, len(devices))
        now = self._clock.now()
        remains = {seen.device_id: self._remains_of(seen.device_id) for seen in devices}

        def store(session: Session) -> tuple[list[BulkOutcome], list[Remains]]:
            known = _rows_of(session, [seen.device_id for seen in devices])
            outcomes = []
            for seen in devices:
                row = known.get(seen.device_id)
                name = seen.device_id if row is None else row.name
                if row is not None and row.version != seen.version:
                    outcomes.append(BulkOutcome(device_id=seen.device_id, reason=MEANWHILE, version=row.version))
                    continue
                # One that registered itself a moment ago has no row yet.
                twin = session.get(DeviceTwinRow, seen.device_id)
                for gone in (row, twin):
                    if gone is not None:
                        session.delete(gone)
                self._audit(session, actor, action="device.remove", subject=f"{name} ({seen.device_id})", at=now)
                outcomes.append(BulkOutcome(device_id=seen.device_id))
            removed = {outcome.device_id for outcome in outcomes if not outcome.reason}
            left = [one for one in remains.values() if one is not None and one.device_id in removed]
            store_remains(session, left, now)
            return outcomes, left

        return await self._store.write(store)

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
        return MEANWHILE
    if row.is_enabled == is_enabled:
        return "It is so already."
    return ""
