"""Which devices there are: added by hand or from a list, edited, removed, put back; each change with its audit row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.field import removals, rows
from core.field.clearing import Remains, store_remains
from core.field.device_list import NewDevice, read_site, read_tags
from core.field.model import Device
from core.field.ports import SUPERVISOR, Actor, AuditHook
from core.field.removals import Restored
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, NotPermittedError
from core.kernel.geo import GeoPoint
from core.kernel.portions import ALREADY, BulkOutcome, check_portion, refused, why_not
from core.store.engine import Store
from core.store.rows import check_version, place, storable
from core.store.tables import DeviceRemovalRow, DeviceRow, DeviceTwinRow


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAt:
    """A device as somebody saw it."""

    device_id: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEdit:
    """What is to be changed of a device as somebody saw it; None leaves a thing as it is."""

    device_id: str
    version: int
    site: str | None = None
    tags: tuple[str, ...] | None = None
    is_enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that somebody changes of a device.

    Attributes:
        action, detail: For the audit.
    """

    action: str
    apply: Callable[[DeviceRow], None]
    detail: str = ""


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
                self._note(session, actor, row, Change(action="device.add", apply=_as_it_is, detail=detail))
            return [rows.device(row) for row in added], outcomes

        return await self._store.write(store)

    async def remove(self, actor: Actor, devices: Sequence[DeviceAt]) -> tuple[list[BulkOutcome], list[Remains]]:
        """Take devices and their twins out of the list; what they said and what was done with them stays.

        What is needed to put a device back is kept: `restore` takes the removal's id.

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
            # What it said in the last half second is kept as well.
            rows.update_devices(session, self._values([seen.device_id for seen in devices]))
            known = self._known(session, [seen.device_id for seen in devices])
            asked = select(DeviceTwinRow).where(DeviceTwinRow.device_id.in_(list(known)))
            twins = {twin.device_id: twin for twin in session.scalars(asked)}
            outcomes, kept = [], []
            for seen in devices:
                row = known.pop(seen.device_id, None)
                if row is None or row.version != seen.version:
                    outcomes.append(
                        refused(seen.device_id, None if row is None else row.version, _why_not(row, seen.version))
                    )
                    continue
                removal = removals.removal_of(row, twins.get(seen.device_id), actor, now)
                kept.append(removal)
                self._note(session, actor, row, Change(action="device.remove", apply=_as_it_is))
                outcomes.append(BulkOutcome(device_id=seen.device_id, removal_id=removal.removal_id))
            # All at once: with one flush for each, 400 devices take the database two seconds.
            removed = {removal.device_id for removal in kept}
            session.add_all(kept)
            session.execute(delete(DeviceTwinRow).where(DeviceTwinRow.device_id.in_(removed)))
            session.execute(delete(DeviceRow).where(DeviceRow.device_id.in_(removed)))
            left = [one for one in remains.values() if one is not None and one.device_id in removed]
            store_remains(session, left, now)
            return outcomes, left

        return await self._store.write(store)

    async def restore(self, actor: Actor, removal_ids: Sequence[str]) -> tuple[list[Restored], list[BulkOutcome]]:
        """Put removed devices back as they were: name, kind, site, tags, place, and what is desired of them.

        One that came back by itself meanwhile gets what it had, as long as nobody has changed it since.

        Returns:
            What was put back, and an outcome for each that was asked for.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Too many at once.
            UnavailableError: The database is away; nothing was put back.
        """
        _check(actor, len(removal_ids))
        now = self._clock.now()

        def store(session: Session) -> tuple[list[Restored], list[BulkOutcome]]:
            query = select(DeviceRemovalRow).where(DeviceRemovalRow.removal_id.in_(removal_ids))
            asked = {row.removal_id: row for row in session.scalars(query)}
            known = self._known(session, [row.device_id for row in asked.values()])
            found, outcomes = [], []
            for removal_id in removal_ids:
                removal = asked.get(removal_id)
                device_id = removal_id if removal is None else removal.device_id
                reason = removals.why_it_stays(removal, known.get(device_id))
                if removal is None or reason:
                    outcomes.append(BulkOutcome(device_id=device_id, reason=reason))
                    continue
                row = removals.put_back(session, removal, known.get(device_id), at=now, by=actor.name)
                known[device_id] = row
                self._note(session, actor, row, Change(action="device.restore", apply=_as_it_is))
                found.append(removals.restored(session, row, removal))
                outcomes.append(BulkOutcome(device_id=device_id, version=row.version))
            return found, outcomes

        return await self._store.write(store)

    async def edit(self, actor: Actor, edits: Sequence[DeviceEdit]) -> tuple[list[Device], list[BulkOutcome]]:
        """Change many devices, each as it says; one that somebody else changed meanwhile is left alone.

        Returns:
            The changed devices, and an outcome for each that was asked for.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Too many at once, or a text cannot be shown; nothing was changed.
            UnavailableError: The database is away; nothing was changed.
        """
        _check(actor, len(edits))
        wanted = [(edit, _changes_of(edit)) for edit in edits]
        detail = f"one of {len(edits)}" if len(edits) > 1 else ""

        def store(session: Session) -> tuple[list[Device], list[BulkOutcome]]:
            known = self._known(session, [edit.device_id for edit in edits])
            changed, outcomes = [], []
            for edit, changes in wanted:
                row = known.get(edit.device_id)
                fresh = [] if row is None else [(done, change) for done, change in changes if not done(row)]
                reason = _why_not(row, edit.version) or ("" if fresh else ALREADY)
                if row is None or reason:
                    outcomes.append(refused(edit.device_id, None if row is None else row.version, reason))
                    continue
                for _, change in fresh:
                    change.apply(row)
                    self._note(session, actor, row, change, more=detail)
                changed.append(row)
            session.flush()
            outcomes += [BulkOutcome(device_id=row.device_id, version=row.version) for row in changed]
            return [rows.device(row) for row in changed], outcomes

        return await self._store.write(store)

    async def change(self, actor: Actor, seen: DeviceAt, change: Change) -> Device:
        """Change one device that is known.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: Nobody knows the device any more.
            StaleWriteError: Someone else was faster.
            UnavailableError: The database is away; nothing was changed.
        """
        _check(actor, 1)

        def store(session: Session) -> Device:
            row = self._known(session, [seen.device_id]).get(seen.device_id)
            if row is None:
                raise BadInputError(f"There is no device {seen.device_id[:80]!r} any more.")
            check_version(row.version, expect_version=seen.version, what=f"The device {row.name}")
            self._note(session, actor, row, change)
            change.apply(row)
            session.flush()
            return rows.device(row)

        return await self._store.write(store)

    def _known(self, session: Session, device_ids: Sequence[str]) -> dict[str, DeviceRow]:
        """Return the rows of these devices; one that registered itself a moment ago gets its own first."""
        rows.insert_devices(session, self._values(device_ids), self._clock.now())
        return _rows_of(session, device_ids)

    def _values(self, device_ids: Sequence[str]) -> list[dict[str, Any]]:
        values = [self._values_of(device_id) for device_id in dict.fromkeys(device_ids)]
        return [value for value in values if value is not None]

    def _note(self, session: Session, actor: Actor, row: DeviceRow, change: Change, *, more: str = "") -> None:
        self._audit(
            session,
            actor,
            action=change.action,
            subject=f"{row.name} ({row.device_id})",
            at=self._clock.now(),
            detail=", ".join(filter(None, (change.detail, more))),
        )


def enabling(is_enabled: bool) -> Change:
    """Listen to a device, or not any more."""
    action = "device.enable" if is_enabled else "device.disable"
    return Change(action=action, apply=lambda row: setattr(row, "is_enabled", is_enabled))


def renaming(name: str) -> Change:
    """Give a device a name that its own description does not overwrite.

    Raises:
        BadInputError: It is empty or longer than 200 characters.
    """
    clean = storable(name).strip()
    if not clean or len(clean) > 200:
        raise BadInputError(f"A device cannot be called {name[:40]!r}.", hint="Use 1 to 200 characters.")
    return Change(action="device.rename", apply=lambda row: setattr(row, "name", clean), detail=clean)


def moving(position: GeoPoint | None) -> Change:
    """Place a device on the map, or take it off."""
    where = "nowhere" if position is None else f"{position.lat_deg:.6f}, {position.lon_deg:.6f}"
    return Change(action="device.move", apply=lambda row: place(row, position), detail=where)


def siting(site: str) -> Change:
    """Say where a device belongs; an empty text takes it out of its site.

    Raises:
        BadInputError: The text cannot be shown.
    """
    clean = read_site(site)
    return Change(action="device.set_site", apply=lambda row: setattr(row, "site", clean), detail=clean or "none")


def tagging(tags: Sequence[str]) -> Change:
    """Say under which words a device is found.

    Raises:
        BadInputError: A tag cannot be used.
    """
    clean = list(read_tags(tags))
    detail = ", ".join(clean) or "none"
    return Change(action="device.set_tags", apply=lambda row: setattr(row, "tags", clean), detail=detail)


_IsDone = Callable[[DeviceRow], bool]


def _changes_of(edit: DeviceEdit) -> list[tuple[_IsDone, Change]]:
    """Return what an edit changes, each with what tells that it is so already."""
    found: list[tuple[_IsDone, Change]] = []
    site, tags, is_enabled = edit.site, edit.tags, edit.is_enabled
    if site is not None:
        found.append((lambda row: row.site == read_site(site), siting(site)))
    if tags is not None:
        found.append((lambda row: tuple(row.tags) == read_tags(tags), tagging(tags)))
    if is_enabled is not None:
        found.append((lambda row: row.is_enabled == is_enabled, enabling(is_enabled)))
    return found


def _as_it_is(_row: DeviceRow) -> None:
    """Change nothing of the row itself."""


def _check(actor: Actor, n_devices: int) -> None:
    if actor.role < SUPERVISOR:
        raise NotPermittedError("Changing devices needs the role supervisor.")
    check_portion(n_devices, "devices")


def _rows_of(session: Session, device_ids: Sequence[str]) -> dict[str, DeviceRow]:
    found = session.scalars(select(DeviceRow).where(DeviceRow.device_id.in_(device_ids)))
    return {row.device_id: row for row in found}


def _why_not(row: DeviceRow | None, seen: int) -> str:
    return why_not(None if row is None else row.version, seen=seen, what="device")
