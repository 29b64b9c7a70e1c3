"""What the lots keep over a restart beside their rows: until when they were watched, and what the gates counted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from core.kernel.wire import from_builtins, to_builtins
from core.parking.gates import Gates
from core.store.tables import SettingRow

log = logging.getLogger(__name__)

KEY = "parking.memory"


@dataclass(frozen=True, slots=True)
class Memory:
    """As it was stored last."""

    seen_until: datetime | None = None
    gates: dict[str, Gates] = field(default_factory=dict)


def read_memory(session: Session) -> Memory:
    """Return what was kept; nothing where there is nothing, or nothing that can be read."""
    row = session.get(SettingRow, KEY)
    if row is None:
        return Memory()
    try:
        return from_builtins(row.value, Memory)
    except (msgspec.ValidationError, ValueError) as error:
        log.error("what the lots kept cannot be read (%s): their gates begin anew", error)
        return Memory()


def write_memory(session: Session, gates: Mapping[str, Gates], at: datetime) -> None:
    """Keep it, in place of what was kept before."""
    memory = Memory(seen_until=at, gates=dict(gates))
    session.merge(SettingRow(key=KEY, value=to_builtins(memory), changed_at=at))
