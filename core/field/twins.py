"""Twins of devices: what each should be set to, what it says it is set to, and who may change that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.field.model import DesiredBy, Device, Twin
from core.field.payloads import MAX_PAYLOAD_BYTES, MAX_TWIN_KEYS, TwinMeta, TwinState, write
from core.field.ports import SUPERVISOR, Actor, AuditHook
from core.field.topics import Channel, device_topic
from core.kernel.bus import Bus
from core.kernel.clock import Clock, format_at, parse_at
from core.kernel.errors import BadInputError, NotPermittedError
from core.store.engine import Store
from core.store.rows import check_version
from core.store.tables import DeviceTwinRow


@dataclass(frozen=True, slots=True)
class TwinChanged:
    """Something else is desired of a device, or it says something else."""

    twin: Twin


class Twins:
    """The twin of every device that has one.

    Threads: the owner's loop only.
    """

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        tenant: str,
        audit: AuditHook,
        publish: Callable[[str, bytes], None],
    ) -> None:
        """Prepare; `publish` puts a retained message on the broker."""
        self._store, self._bus, self._clock = store, bus, clock
        self._tenant, self._audit, self._publish = tenant, audit, publish
        self._twins: dict[str, Twin] = {}
        self._unsaved: set[str] = set()

    def get(self, device_id: str) -> Twin:
        """Return a device's twin; an empty one where nobody has asked for anything and it has said nothing."""
        return self._twins.get(device_id) or Twin(device_id=device_id)

    def all(self) -> tuple[Twin, ...]:
        """Return the twins that hold something."""
        return tuple(self._twins.values())

    async def load(self) -> None:
        """Read what is stored.

        Raises:
            UnavailableError: The database is away.
        """
        found = await self._store.read(lambda session: [_twin(row) for row in session.scalars(select(DeviceTwinRow))])
        self._twins = {twin.device_id: twin for twin in found}

    def forget(self, device_id: str) -> None:
        """Know a removed device's twin no more; its row goes with the device's."""
        self._twins.pop(device_id, None)
        self._unsaved.discard(device_id)

    def take_back(self, twin: Twin) -> None:
        """A removed device was put back with what is desired of it; what it says by now is newer than what is kept."""
        live = self.get(twin.device_id)
        if live.reported_at is not None:
            twin = replace(live, desired=twin.desired, desired_by=twin.desired_by, version=twin.version)
        self._twins[twin.device_id] = twin
        self.publish_desired(twin.device_id)
        self._bus.publish(TwinChanged(twin))

    async def set_desired(
        self, actor: Actor, device: Device, changes: Mapping[str, Any], *, expect_version: int
    ) -> Twin:
        """Ask a device for other settings; a value of None takes a wish back.

        Raises:
            NotPermittedError: Below supervisor.
            BadInputError: The settings cannot be written down.
            StaleWriteError: Someone else was faster; nothing was changed.
            UnavailableError: The database is away; nothing was changed.
        """
        if actor.role < SUPERVISOR:
            raise NotPermittedError("Settings of devices need the role supervisor.")
        _check(changes)
        now = self._clock.now()

        def store(session: Session) -> Twin:
            row = session.get(DeviceTwinRow, device.device_id)
            known = Twin(device_id=device.device_id) if row is None else _twin(row)
            check_version(known.version, expect_version=expect_version, what=f"What is desired of {device.name}")
            twin = _changed(known, changes, DesiredBy(by=actor.name, at=now))
            if len(twin.desired) > MAX_TWIN_KEYS:
                raise BadInputError(f"A twin holds at most {MAX_TWIN_KEYS} settings.")
            session.merge(_row(twin))
            self._audit(
                session,
                actor,
                action="device.set_desired",
                subject=f"{device.name} ({device.device_id})",
                at=now,
                detail=_describe(known, changes),
            )
            return twin

        stored = await self._store.write(store)
        # What the device said meanwhile is newer than what was read with the row.
        live = self.get(device.device_id)
        twin = replace(live, desired=stored.desired, desired_by=stored.desired_by, version=stored.version)
        self._twins[device.device_id] = twin
        self.publish_desired(device.device_id)
        self._bus.publish(TwinChanged(twin))
        return twin

    def publish_desired(self, device_id: str) -> None:
        """Put what is desired of a device on the broker, retained."""
        twin = self.get(device_id)
        if twin.version == 0:
            return
        meta = {key: TwinMeta(ts=asked.at, by=asked.by) for key, asked in twin.desired_by.items()}
        body = write(TwinState(version=twin.version, state=twin.desired, meta=meta))
        self._publish(device_topic(self._tenant, device_id, Channel.TWIN_DESIRED), body)

    def publish_all_desired(self) -> None:
        """The broker may have forgotten them."""
        for device_id in self._twins:
            self.publish_desired(device_id)

    def on_reported(self, device_id: str, said: TwinState, received_at: datetime, *, is_retained: bool) -> None:
        """Take in what a device says it is set to.

        What stood on the broker may be older than what we know. A device itself is believed also where it counts from
        the beginning: it was wiped.
        """
        known = self.get(device_id)
        is_same = said.version == known.reported_version and said.state == known.reported
        if (is_retained and said.version < known.reported_version) or (
            is_same and said.desired <= known.answered_version
        ):
            return
        twin = replace(
            known,
            reported=said.state,
            reported_version=said.version,
            reported_at=received_at,
            answered_version=max(known.answered_version, min(said.desired, known.version)),
        )
        self._twins[device_id] = twin
        self._unsaved.add(device_id)
        self._bus.publish(TwinChanged(twin))

    def take_unsaved(self) -> list[Twin]:
        """Return what devices said and the store does not know yet."""
        unsaved = [self._twins[device_id] for device_id in self._unsaved]
        self._unsaved.clear()
        return unsaved

    def put_back(self, unsaved: list[Twin]) -> None:
        """The store did not take them."""
        self._unsaved |= {twin.device_id for twin in unsaved}


def save_reported(session: Session, twins: Sequence[Twin]) -> None:
    """Write what devices said; within `Store.write`."""
    for twin in twins:
        row = session.get(DeviceTwinRow, twin.device_id)
        if row is None:
            session.add(_row(twin))
            continue
        row.reported, row.reported_version = twin.reported, twin.reported_version
        row.reported_at, row.answered_version = twin.reported_at, twin.answered_version


def _check(changes: Mapping[str, Any]) -> None:
    if not changes or len(changes) > MAX_TWIN_KEYS or any(not key or len(key) > 64 for key in changes):
        raise BadInputError(f"Settings need 1 to {MAX_TWIN_KEYS} names of 1 to 64 characters.")
    try:
        body = msgspec.json.encode(dict(changes))
    except (TypeError, ValueError) as error:
        raise BadInputError(f"These settings cannot be written as JSON: {error}.") from error
    if len(body) > MAX_PAYLOAD_BYTES // 4 or b"\\u0000" in body:
        raise BadInputError("These settings are too long for a message, or hold a NUL character.")


def _changed(known: Twin, changes: Mapping[str, Any], asked: DesiredBy) -> Twin:
    desired, desired_by = dict(known.desired), dict(known.desired_by)
    for key, value in changes.items():
        if value is None:
            desired.pop(key, None)
            desired_by.pop(key, None)
        else:
            desired[key], desired_by[key] = value, asked
    return replace(known, desired=desired, desired_by=desired_by, version=known.version + 1)


def _describe(known: Twin, changes: Mapping[str, Any]) -> str:
    return "; ".join(f"{key}: {known.desired.get(key)} → {value}" for key, value in sorted(changes.items()))


def _twin(row: DeviceTwinRow) -> Twin:
    return Twin(
        device_id=row.device_id,
        desired=row.desired,
        desired_by=_asked(row.desired_by),
        version=row.desired_version,
        reported=row.reported,
        reported_version=row.reported_version,
        reported_at=row.reported_at,
        answered_version=row.answered_version,
    )


def _asked(values: Mapping[str, Any]) -> dict[str, DesiredBy]:
    return {key: DesiredBy(by=str(item["by"]), at=parse_at(str(item["at"]))) for key, item in values.items()}


def twin_values(row: DeviceTwinRow) -> dict[str, Any]:
    """Return what is desired of a device as plain data, for a removal that may be undone."""
    return {"desired": row.desired, "desired_by": row.desired_by, "desired_version": row.desired_version}


def twin_of_values(device_id: str, values: Mapping[str, Any]) -> Twin:
    """Return what was desired of a device when it was removed."""
    return Twin(
        device_id=device_id,
        desired=dict(values["desired"]),
        desired_by=_asked(values["desired_by"]),
        # A device that has looked at this version already looks again.
        version=int(values["desired_version"]) + 1,
    )


def store_twin(session: Session, twin: Twin) -> None:
    """Write what is desired of a device that was put back; within `Store.write`."""
    row = session.get(DeviceTwinRow, twin.device_id)
    wanted = _row(twin)
    if row is None:
        session.add(wanted)
        return
    row.desired, row.desired_by, row.desired_version = wanted.desired, wanted.desired_by, wanted.desired_version


def _row(twin: Twin) -> DeviceTwinRow:
    return DeviceTwinRow(
        device_id=twin.device_id,
        desired=twin.desired,
        desired_by={key: {"by": asked.by, "at": format_at(asked.at)} for key, asked in twin.desired_by.items()},
        desired_version=twin.version,
        reported=twin.reported,
        reported_version=twin.reported_version,
        reported_at=twin.reported_at,
        answered_version=twin.answered_version,
    )
