"""Vehicles over lines by the minute: parts of one minute become one row, and writing it twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.store.counts import upsert_whole
from core.store.tables import LineCountRow
from core.traffic.ledger import Key, Rows
from core.traffic.model import LineCount

_NAMES = tuple(item.name for item in fields(LineCount))


def _key_of(count: LineCount) -> Key:
    return (count.camera_id, count.line_key, count.direction, count.label), count.minute


def _joined(first: LineCount, second: LineCount) -> LineCount:
    return replace(first, n_vehicles=first.n_vehicles + second.n_vehicles)


def _read(session: Session, keys: Iterable[Key]) -> list[LineCount]:
    wanted = set(keys)
    # A little more than is wanted, for a statement that is the same for any number of keys.
    query = select(LineCountRow).where(
        LineCountRow.camera_id.in_({place[0] for place, _ in wanted}),
        LineCountRow.minute.in_({minute for _, minute in wanted}),
    )
    found = (LineCount(**{name: getattr(row, name) for name in _NAMES}) for row in session.scalars(query))
    return [count for count in found if _key_of(count) in wanted]


def _write(session: Session, counts: Iterable[LineCount]) -> None:
    for count in counts:
        upsert_whole(session, **{name: getattr(count, name) for name in _NAMES})


COUNTS = Rows(key_of=_key_of, joined=_joined, read=_read, write=_write)
