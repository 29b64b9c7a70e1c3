"""The calendar of a site's lots: what operators know of and a weekly rhythm does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import audit
from core.access.model import Actor, Role
from core.access.permission import require
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, StaleWriteError
from core.kernel.ids import new_id
from core.kernel.zone import write_site
from core.parking.forecast.model import LotEvent
from core.parking.forecast.profile import EventSpan
from core.store.engine import Store
from core.store.rows import storable
from core.store.tables import LotEventRow

MAX_NAME = 80
MAX_LENGTH = timedelta(days=31)


async def read_events(store: Store) -> list[LotEvent]:
    """Return all events, the newest first.

    Raises:
        UnavailableError: The database is away.
    """
    return await store.read(
        lambda session: [
            _event(row) for row in session.scalars(select(LotEventRow).order_by(LotEventRow.begins_at.desc()))
        ]
    )


async def save_event(store: Store, clock: Clock, actor: Actor, event: LotEvent) -> LotEvent:
    """Keep an event; its version is the one that was begun on, 0 for a new one.

    Raises:
        NotPermittedError: The actor is no operator.
        BadInputError: Names what is wrong with it.
        StaleWriteError: Somebody else changed or removed it meanwhile.
    """
    require(actor, Role.OPERATOR)
    checked = _checked(event)

    def write(session: Session) -> LotEvent:
        row = session.get(LotEventRow, checked.event_id) if checked.event_id else None
        if checked.version and (row is None or row.version != checked.version):
            raise _raced(checked)
        if row is None:
            row = LotEventRow(event_id=new_id())
            session.add(row)
        row.lot_id, row.name = checked.lot_id, checked.name
        row.begins_at, row.ends_at, row.effect_percent = checked.begins_at, checked.ends_at, checked.effect_percent
        detail = f"{write_site(checked.begins_at)} to {write_site(checked.ends_at)}"
        audit.append(session, actor, action="parking.event", subject=checked.name, detail=detail, at=clock.now())
        session.flush()
        return _event(row)

    return await store.write(write)


async def remove_event(store: Store, clock: Clock, actor: Actor, event: LotEvent) -> None:
    """Forget an event.

    Raises:
        NotPermittedError: The actor is no operator.
        StaleWriteError: Somebody else changed or removed it meanwhile.
    """
    require(actor, Role.OPERATOR)

    def write(session: Session) -> None:
        row = session.get(LotEventRow, event.event_id)
        if row is None or row.version != event.version:
            raise _raced(event)
        audit.append(session, actor, action="parking.event_removed", subject=row.name, at=clock.now())
        session.delete(row)

    await store.write(write)


def spans_at(events: Sequence[LotEvent], lot_id: str) -> tuple[EventSpan, ...]:
    """Return the events of one lot as a forecast takes them."""
    return tuple(
        EventSpan(
            name=event.name,
            begins_s=event.begins_at.timestamp(),
            ends_s=event.ends_at.timestamp(),
            effect=None if event.effect_percent is None else event.effect_percent / 100.0,
        )
        for event in events
        if event.lot_id in ("", lot_id)
    )


def _checked(event: LotEvent) -> LotEvent:
    name = storable(event.name.strip())[:MAX_NAME]
    if not name:
        raise BadInputError("The event has no name.", hint="Events of the same name are taken for alike: name it.")
    if event.ends_at <= event.begins_at:
        raise BadInputError(f"{name} ends before it begins.", hint="Choose a later end.")
    if event.ends_at - event.begins_at > MAX_LENGTH:
        raise BadInputError(f"{name} is longer than {MAX_LENGTH.days} days.", hint="What lasts longer is the usual.")
    effect = event.effect_percent
    if effect is not None and not -100.0 <= effect <= 100.0:
        raise BadInputError(f"{effect:g} % is no share of the bays.", hint="Write -100 to 100, or nothing.")
    return replace(event, name=name)


def _raced(event: LotEvent) -> StaleWriteError:
    return StaleWriteError(f"{event.name} was changed or removed meanwhile.", hint="Look at the calendar again.")


def _event(row: LotEventRow) -> LotEvent:
    return LotEvent(
        event_id=row.event_id,
        lot_id=row.lot_id,
        name=row.name,
        begins_at=row.begins_at,
        ends_at=row.ends_at,
        effect_percent=row.effect_percent,
        version=row.version,
    )
