"""Weeks in the life of the demonstration's lots that nobody lived: changes of bays, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.parking.model import BayChange, BayState, Lot, LotOccupancy
from core.sim.flow import MAX_SHARE, MIN_SHARE, MIN_STAY_MIN, stay_min, usual_share

SOURCE = "sim:history"
STEP_S = 300
MIN_STEPS = 1 + int(60 * MIN_STAY_MIN / STEP_S)
"""A vehicle comes and goes somewhere within a step: so many apart it stayed its shortest time."""

OUTAGE_DAYS, OUTAGE_H = (9, 20), 3.0
"""Days before the end on which the sensors of a lot were silent for a while at noon."""


@dataclass(frozen=True, slots=True)
class LotHistory:
    """What was never measured.

    Attributes:
        changes, counts: Oldest first.
    """

    changes: tuple[BayChange, ...]
    counts: tuple[LotOccupancy, ...]


def make_history(lot: Lot, *, until: datetime, days: int, time_zone: str, seed: int = 1) -> LotHistory:
    """Return some weeks of a lot: vehicles come and go by weekday and hour, sensors fail twice.

    The same lot, end and seed give the same history.
    """
    random = np.random.default_rng([seed, *lot.lot_id.encode()])
    begin_s = int(until.timestamp()) - days * 86_400
    steps_s = np.arange(begin_s // STEP_S * STEP_S, int(until.timestamp()) - STEP_S, STEP_S)
    wanted = _wanted(steps_s, time_zone, is_garage=len(lot.levels) > 1, random=random)
    n_bays = len(lot.bays)
    # Bays near the door are taken first.
    appeal = np.linspace(1.25, 0.75, n_bays)
    is_out = _outages(steps_s, until.timestamp())
    occupied, was_out = random.random(n_bays) < wanted[0], True
    changes: list[BayChange] = []
    counts: list[LotOccupancy] = []
    stays = np.array([stay_min(bay) for bay in lot.bays]) * 60.0 / STEP_S
    # Of those that stayed their shortest time so many leave with each step that all stay as long as they should.
    leaves = 1.0 / (stays - MIN_STEPS + 1.0)
    stood = np.full(n_bays, MIN_STEPS)
    for at_s, share, out in zip(steps_s, wanted, is_out, strict=True):
        comes = np.clip(share / max(1.0 - share, 0.02) / stays * appeal, 0.0, 0.95)
        draw = random.random(n_bays)
        turned = np.where(occupied, (draw < leaves) & (stood >= MIN_STEPS), draw < comes)
        occupied = occupied ^ turned
        stood = np.where(turned, 1, stood + 1)
        # When an outage begins or ends, every bay says something new; while it lasts, none does.
        told = np.arange(n_bays) if out != was_out else np.flatnonzero(turned & (not out))
        offsets = random.integers(0, STEP_S, n_bays)
        for bay in sorted(told, key=lambda index: offsets[index]):
            state = BayState.UNKNOWN if out else BayState.OCCUPIED if occupied[bay] else BayState.FREE
            changes.append(_change(lot, int(bay), int(at_s + offsets[bay]), state))
        if len(told):
            counts.append(_count(lot, int(at_s + STEP_S), n_bays, 0 if out else int(occupied.sum()), out=bool(out)))
        was_out = out
    return LotHistory(tuple(changes), tuple(counts))


def _change(lot: Lot, bay: int, at_s: int, state: BayState) -> BayChange:
    return BayChange(
        lot_id=lot.lot_id,
        bay_id=lot.bays[bay].bay_id,
        at=datetime.fromtimestamp(at_s, UTC),
        state=state,
        confidence=1.0,
        source=SOURCE,
    )


def _count(lot: Lot, at_s: int, n_bays: int, n_occupied: int, *, out: bool) -> LotOccupancy:
    return LotOccupancy(
        lot_id=lot.lot_id,
        at=datetime.fromtimestamp(at_s, UTC),
        n_bays=n_bays,
        n_occupied=n_occupied,
        n_unknown=n_bays if out else 0,
    )


def _wanted(
    steps_s: NDArray[np.int64], time_zone: str, *, is_garage: bool, random: np.random.Generator
) -> NDArray[Any]:
    """Return how full the lot would be by weekday and hour, some days busier than others; shape (steps,)."""
    zone = ZoneInfo(time_zone)
    walls = [datetime.fromtimestamp(int(at), zone) for at in steps_s]
    first = walls[0].date().toordinal()
    mood = random.normal(1.0, 0.06, walls[-1].date().toordinal() - first + 1)
    shares = [usual_share(wall, is_garage=is_garage) * mood[wall.date().toordinal() - first] for wall in walls]
    return np.array([min(max(share, MIN_SHARE), MAX_SHARE) for share in shares])


def _outages(steps_s: NDArray[np.int64], until_s: float) -> NDArray[Any]:
    silent = np.zeros(len(steps_s), dtype=bool)
    for day in OUTAGE_DAYS:
        begin_s = (until_s - day * 86_400) // 86_400 * 86_400 + 11 * 3600
        silent |= (steps_s >= begin_s) & (steps_s < begin_s + OUTAGE_H * 3600)
    return silent
