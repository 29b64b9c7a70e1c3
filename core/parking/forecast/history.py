"""Counts of lots and zones, and every change of their bays, read from the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.kernel.errors import BadInputError
from core.parking.figures import Change
from core.parking.forecast.series import Counts
from core.parking.history import read_states_at
from core.parking.model import BayState
from core.store.tables import BayChangeRow, LotOccupancyRow

MOST_CHANGES = 400_000
"""Changes that are looked at for one answer: more would keep the machine busy for too long."""

_KNOWN = {BayState.OCCUPIED.value: True, BayState.FREE.value: False}


def read_counts(session: Session, lot_id: str, since: datetime, until: datetime) -> Counts:
    """Return what was counted at a lot."""
    query = (
        select(LotOccupancyRow.at, LotOccupancyRow.n_bays, LotOccupancyRow.n_occupied, LotOccupancyRow.n_unknown)
        .where(LotOccupancyRow.lot_id == lot_id, LotOccupancyRow.at >= since, LotOccupancyRow.at <= until)
        .order_by(LotOccupancyRow.at, LotOccupancyRow.lot_occupancy_id)
    )
    rows = [
        (at.timestamp(), n_bays, n_occupied, n_unknown) for at, n_bays, n_occupied, n_unknown in session.execute(query)
    ]
    return _counts(rows)


def read_bay_changes(session: Session, lot_id: str, since: datetime, until: datetime) -> list[Change]:
    """Return the last change of every bay before `since`, then every one until `until`, oldest first.

    Raises:
        BadInputError: More changes than can be looked at.
    """
    query = (
        select(BayChangeRow.bay_id, BayChangeRow.at, BayChangeRow.state, BayChangeRow.is_stale)
        .where(BayChangeRow.lot_id == lot_id, BayChangeRow.at > since, BayChangeRow.at <= until)
        .order_by(BayChangeRow.at, BayChangeRow.bay_change_id)
        .limit(MOST_CHANGES + 1)
    )
    before = [
        Change(one.bay_id, one.at.timestamp(), _is_occupied(one.state.value, is_stale=one.is_stale))
        for one in read_states_at(session, lot_id, since)
    ]
    after = [
        Change(bay_id, at.timestamp(), _is_occupied(state, is_stale=is_stale))
        for bay_id, at, state, is_stale in session.execute(query)
    ]
    if len(after) > MOST_CHANGES:
        raise BadInputError(f"The bays changed more than {MOST_CHANGES:,} times then.", hint="Choose a shorter time.")
    return [*before, *after]


def counts_of_changes(changes: list[Change], bay_ids: tuple[str, ...]) -> Counts:
    """Return how full some bays were after each change, the last one of each minute."""
    states: dict[str, bool | None] = dict.fromkeys(bay_ids)
    n_occupied, n_unknown = 0, len(states)
    by_minute: dict[int, tuple[float, float, float, float]] = {}
    for change in changes:
        if change.bay_id not in states:
            continue
        was = states[change.bay_id]
        states[change.bay_id] = change.is_occupied
        n_occupied += (change.is_occupied is True) - (was is True)
        n_unknown += (change.is_occupied is None) - (was is None)
        by_minute[int(change.at_s // 60)] = (change.at_s, len(states), n_occupied, n_unknown)
    return _counts(list(by_minute.values()))


def _counts(rows: Sequence[tuple[float, float, float, float]]) -> Counts:
    table = np.asarray(rows, dtype=np.float64).reshape(-1, 4)
    return Counts(at_s=table[:, 0], n_bays=table[:, 1], n_occupied=table[:, 2], n_unknown=table[:, 3])


def _is_occupied(state: str, *, is_stale: bool) -> bool | None:
    return None if is_stale else _KNOWN.get(state)
