"""The minutes that cameras measure: parts of one minute become one row, and writing it twice changes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import datetime
from typing import cast

from sqlalchemy import Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.store.tables import FlowMinuteRow
from core.traffic.ledger import Key, Rows
from core.vision.flow import FlowMinute

_KEY_NAMES = ("camera_id", "subject", "key", "direction", "label", "minute")
_NAMES = tuple(item.name for item in fields(FlowMinute))


def key_of(minute: FlowMinute) -> Key:
    """Return what one row stands for."""
    return (minute.camera_id, minute.subject, minute.key, minute.direction, minute.label), minute.minute


def joined(first: FlowMinute, second: FlowMinute) -> FlowMinute:
    """Return two parts of one minute as one; what one of them does not know, the other says."""
    n_first, n_second = first.n_vehicles or 0, second.n_vehicles or 0
    by_vehicles = (float(n_first), float(n_second)) if n_first and n_second else (first.observed_s, second.observed_s)
    by_time = (first.observed_s, second.observed_s)
    has_count = first.n_vehicles is not None or second.n_vehicles is not None
    return replace(
        first,
        observed_s=min(60.0, round(first.observed_s + second.observed_s, 1)),
        n_vehicles=n_first + n_second if has_count else None,
        speed_kmh=_mean(first.speed_kmh, second.speed_kmh, by_vehicles, 1),
        speed_error_kmh=_error(first.speed_error_kmh, second.speed_error_kmh, by_vehicles),
        occupancy=_mean(first.occupancy, second.occupancy, by_time, 4),
        density_per_km=_mean(first.density_per_km, second.density_per_km, by_time, 2),
        queue_m=max((queue for queue in (first.queue_m, second.queue_m) if queue is not None), default=None),
    )


def _mean(first: float | None, second: float | None, weights: tuple[float, float], decimals: int) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    total = sum(weights)
    if total <= 0:
        return round((first + second) / 2, decimals)
    return round((first * weights[0] + second * weights[1]) / total, decimals)


def _error(first: float | None, second: float | None, weights: tuple[float, float]) -> float | None:
    if first is None or second is None:
        return second if first is None else first
    total = sum(weights) or 2.0
    shares = (weights[0] / total, weights[1] / total) if sum(weights) else (0.5, 0.5)
    return round(math.hypot(first * shares[0], second * shares[1]), 1)


def read_rows(session: Session, keys: Iterable[Key]) -> list[FlowMinute]:
    """Return what the database has of these rows."""
    wanted = set(keys)
    # A little more than is wanted, for a statement that is the same for any number of keys.
    query = select(FlowMinuteRow).where(
        FlowMinuteRow.camera_id.in_({place[0] for place, _ in wanted}),
        FlowMinuteRow.minute.in_({minute for _, minute in wanted}),
    )
    return [found for row in session.scalars(query) if key_of(found := _from_row(row)) in wanted]


def write_rows(session: Session, minutes: Iterable[FlowMinute]) -> None:
    """Write whole rows over what is there, but for rows that are newer there: a row only ever grows."""
    table = cast(Table, FlowMinuteRow.__table__)
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    for minute in minutes:
        statement = insert(table).values(**{name: getattr(minute, name) for name in _NAMES})
        new = statement.excluded
        session.execute(
            statement.on_conflict_do_update(
                index_elements=list(_KEY_NAMES),
                set_={name: new[name] for name in _NAMES if name not in _KEY_NAMES},
                where=(table.c.observed_s <= new.observed_s)
                & (func.coalesce(table.c.n_vehicles, 0) <= func.coalesce(new.n_vehicles, 0)),
            )
        )


def read_since(session: Session, since: datetime, camera_id: str, n_most: int) -> list[FlowMinute]:
    """Return minutes from `since` on, oldest first; of one camera, or of all where `camera_id` is empty.

    A class that came in one part of a minute only was watched for in all of it: each row says what its minute says, but
    for what nobody looked for.
    """
    query = select(FlowMinuteRow).where(FlowMinuteRow.minute >= since)
    if camera_id:
        query = query.where(FlowMinuteRow.camera_id == camera_id)
    # The newest are wanted where there are more than fit.
    query = query.order_by(FlowMinuteRow.minute.desc(), FlowMinuteRow.flow_minute_id.desc()).limit(n_most)
    found = [_from_row(row) for row in session.scalars(query)][::-1]
    seen_s: dict[tuple[str, datetime], float] = {}
    for minute in found:
        place = minute.camera_id, minute.minute
        seen_s[place] = max(minute.observed_s, seen_s.get(place, 0.0))
    return [
        minute
        if minute.n_vehicles is None and not minute.observed_s
        else replace(minute, observed_s=seen_s[minute.camera_id, minute.minute])
        for minute in found
    ]


def _from_row(row: FlowMinuteRow) -> FlowMinute:
    return FlowMinute(**{name: getattr(row, name) for name in _NAMES})


MINUTES = Rows(key_of=key_of, joined=joined, read=read_rows, write=write_rows)
