"""Events that devices must not lose, as they are stored: what people read of them, and which still have to call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from core.field.kinds.base import DeviceKind
from core.field.messages import meaning_of
from core.field.model import UNNUMBERED, FieldEvent, calls_operator
from core.store.tables import FieldEventRow

MAX_EVENTS = 500
"""Shown of one device."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*")
_PARTS = re.compile(r"[A-Z]+[0-9]*(?![a-z])|[A-Z]?[a-z0-9]+")


class EventCall(StrEnum):
    """Whether an event called an operator; what is held is an alarm that calls nobody."""

    NONE = ""
    """It is none that calls."""

    WAITING = "waiting"
    """Its call is not stored yet."""

    CALLED = "called"
    COUNTED = "counted"
    """Its rule calls only once it has come often enough."""

    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"
    NO_DEVICE = "no_device"
    """Its device had been removed."""

    UNKNOWN = "unknown"
    """It is of a version that did not note it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEvent:
    """One stored event of a device.

    Attributes:
        event_number: Of the row; tells two events apart.
        seq: As the device counts.
        title: What the device calls it, in words.
        at: By the device's own clock, never later than `received_at`.
        is_late: It was history when it came: nobody was called.
        is_ahead: It called while earlier ones were missing.
        is_unnumbered: The device gave it no number; `seq` says nothing.
        alarm_id: The alarm that it raised, or that it counts to; empty where there is none.
        meaning: Names and texts of what was read in it.
    """

    event_number: int
    seq: int
    title: str
    at: datetime
    received_at: datetime
    is_late: bool
    is_good: bool
    call: EventCall
    is_ahead: bool = False
    is_unnumbered: bool = False
    alarm_id: str = ""
    meaning: tuple[tuple[str, str], ...] = ()

    @property
    def is_at_arrival(self) -> bool:
        """As of `FieldEvent`."""
        return self.at == self.received_at and not self.is_good


def read_events(
    session: Session, device_id: str, kind: DeviceKind, *, stored_seq: int, n_most: int
) -> list[DeviceEvent]:
    """Return a device's newest events, the newest first.

    Args:
        session: To read by.
        device_id: Of the device.
        kind: How its data are read.
        stored_seq: Number of its last event. A device that counts anew begins below the numbers it had before.
        n_most: So many; at most `MAX_EVENTS`.
    """
    n_most = max(1, min(n_most, MAX_EVENTS))
    mine = select(FieldEventRow).where(FieldEventRow.device_id == device_id)
    of_device = mine.where(FieldEventRow.seq > UNNUMBERED).order_by(FieldEventRow.seq.desc())
    unnumbered = mine.where(FieldEventRow.seq == UNNUMBERED).order_by(FieldEventRow.field_event_id.desc())
    found = session.scalars(of_device.where(FieldEventRow.seq <= stored_seq).limit(2 * n_most)).all()
    before = session.scalars(of_device.where(FieldEventRow.seq > stored_seq).limit(n_most)).all()
    others = session.scalars(unnumbered.limit(n_most)).all()
    newest = sorted((*found, *before, *others), key=lambda row: row.field_event_id, reverse=True)[:n_most]
    return [_shown(row, kind) for row in newest]


def waiting_events(session: Session) -> list[FieldEvent]:
    """Return the events whose call was not stored yet, in the order in which they came."""
    query = select(FieldEventRow).where(FieldEventRow.is_waiting).order_by(FieldEventRow.field_event_id)
    return [_event(row) for row in session.scalars(query)]


def claim(session: Session, events: Sequence[FieldEvent]) -> bool:
    """Note that these are called for; returns whether any of them still waited for that."""
    waiting = session.execute(
        select(FieldEventRow.device_id, FieldEventRow.seq, FieldEventRow.boot).where(FieldEventRow.is_waiting)
    )
    left = {(row.device_id, row.seq, row.boot) for row in waiting} & {_key(one) for one in events}
    if not left:
        return False
    _set(session, sorted(left), is_waiting=False)
    return True


def note_call(session: Session, events: Sequence[FieldEvent], call: EventCall, alarm_id: str = "") -> None:
    """Note what became of the call of these; where that was noted before, it stays."""
    _set(session, sorted(map(_key, events)), call=call.value, alarm_id=alarm_id or None)


def _key(event: FieldEvent) -> tuple[str, int, str]:
    return event.device_id, event.seq, event.boot


def _set(session: Session, keys: Sequence[tuple[str, int, str]], **values: Any) -> None:
    """Set columns of the events of which nothing was noted yet."""
    table = FieldEventRow.__table__
    session.connection().execute(
        update(table)  # type: ignore[arg-type]  # a mapped class gives its table as a FromClause
        .where(
            table.c.device_id == bindparam("b_device_id"),
            table.c.seq == bindparam("b_seq"),
            table.c.boot == bindparam("b_boot"),
            table.c.call == "",
        )
        .values(**values),
        [{"b_device_id": device_id, "b_seq": seq, "b_boot": boot} for device_id, seq, boot in keys],
    )


def in_words(name: str) -> str:
    """Return a name of a payload as people read it: "carStopped" is "Car stopped"; what is no name stays as it is."""
    if not _NAME.fullmatch(name):
        return name
    parts = [part if part.isupper() and len(part) > 1 else part.lower() for part in _PARTS.findall(name)]
    words = " ".join(parts)
    return words[:1].upper() + words[1:]


def _shown(row: FieldEventRow, kind: DeviceKind) -> DeviceEvent:
    event = _event(row)
    meaning = ((in_words(name), in_words(text)) for name, text in meaning_of(kind, event.event_type, event.data))
    return DeviceEvent(
        event_number=row.field_event_id,
        seq=event.seq,
        title=title_of(event),
        at=event.at,
        received_at=event.received_at,
        is_late=event.is_history,
        is_good=event.is_good,
        call=_call_of(row, event),
        is_ahead=event.is_ahead,
        is_unnumbered=event.is_unnumbered,
        alarm_id=row.alarm_id or "",
        meaning=tuple(meaning),
    )


def _call_of(row: FieldEventRow, event: FieldEvent) -> EventCall:
    if row.is_waiting:
        return EventCall.WAITING
    if row.call:
        return EventCall(row.call)
    return EventCall.UNKNOWN if calls_operator(event) else EventCall.NONE


def title_of(event: FieldEvent) -> str:
    """Return what a device calls an event: what it is about, where it says that, or else its type."""
    for key in ("subCategory", "category"):
        said = event.data.get(key)
        if isinstance(said, str) and said.strip():
            return in_words(said.strip()[:64])
    return in_words(event.event_type) or "Event"


def _event(row: FieldEventRow) -> FieldEvent:
    return FieldEvent(
        device_id=row.device_id,
        seq=row.seq,
        event_id=row.event_id,
        event_type=row.event_type,
        at=row.at,
        received_at=row.received_at,
        boot=row.boot,
        is_good=row.is_good,
        is_history=row.is_history,
        is_ahead=row.is_ahead,
        data=row.data,
    )
