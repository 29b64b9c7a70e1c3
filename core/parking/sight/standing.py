"""Vehicles that stand where they must not: across two bays, or in a lane that must stay clear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.parking.model import BayView
from core.parking.sight.model import Sighting, SightingKind
from core.vision.bays import BayMatch, ground_part
from core.vision.geometry import are_inside

FloatArray = NDArray[np.floating[Any]]

MISPARKED_AFTER_S = 30.0
BLOCKED_AFTER_S = 30.0
OVER_AFTER_S = 10.0
"""A condition that was not seen for so long is over: someone may walk past the lens."""

MIN_SCORE = 0.25
_SAME_PLACE = 0.25
"""Of its own size: a vehicle that moved less has not moved."""


@dataclass(slots=True)
class _Case:
    sighting: Sighting
    since: datetime
    seen_at: datetime
    place: FloatArray
    is_told: bool = False


class Standing:
    """Remembers who stands where, and tells what lasts."""

    def __init__(self, lot_id: str, view: BayView) -> None:
        """Begin with nothing standing."""
        self._lot_id, self._view = lot_id, view
        self._cases: dict[str, _Case] = {}

    def take(
        self,
        match: BayMatch | None,
        boxes: FloatArray,
        bay_ids: Sequence[str],
        wh: tuple[int, int],
        at: datetime,
    ) -> tuple[Sighting, ...]:
        """Take one picture's boxes [px]; return what began or ended."""
        if match is None:
            return self._over(at)
        for bay, beside, box in match.straddles:
            names = tuple(sorted((bay_ids[bay], bay_ids[beside])))
            self._see(SightingKind.MISPARKED, boxes[box], at, bay_ids=names)
        for name, outline in self._view.lanes.items():
            lane = np.asarray(outline, np.float64) * np.array(wh)
            taken = set(match.box_of.tolist())
            for index, box in enumerate(boxes):
                if index not in taken and box[4] >= MIN_SCORE and _stands_in(box, lane):
                    self._see(SightingKind.BLOCKED_LANE, box, at, lane=name)
        return self._settle(at)

    def hold(self, at: datetime) -> tuple[Sighting, ...]:
        """Nothing changed since the last picture: what stood there stands there still."""
        for case in self._cases.values():
            case.seen_at = at
        return self._settle(at)

    def end_all(self) -> tuple[Sighting, ...]:
        """Forget everything; return the end of what was told."""
        told = [_ended(case.sighting, case.seen_at) for case in self._cases.values() if case.is_told]
        self._cases.clear()
        return tuple(told)

    def _settle(self, at: datetime) -> tuple[Sighting, ...]:
        began = []
        for case in self._cases.values():
            if (at - case.seen_at).total_seconds() < OVER_AFTER_S and not case.is_told:
                least_s = MISPARKED_AFTER_S if case.sighting.kind is SightingKind.MISPARKED else BLOCKED_AFTER_S
                if (at - case.since).total_seconds() >= least_s:
                    case.is_told = True
                    began.append(case.sighting)
        return (*began, *self._over(at))

    def _over(self, at: datetime) -> tuple[Sighting, ...]:
        ended = []
        for key, case in list(self._cases.items()):
            if (at - case.seen_at).total_seconds() >= OVER_AFTER_S:
                del self._cases[key]
                if case.is_told:
                    ended.append(_ended(case.sighting, at))
        return tuple(ended)

    def _see(
        self, kind: SightingKind, box: FloatArray, at: datetime, *, bay_ids: tuple[str, ...] = (), lane: str = ""
    ) -> None:
        place = np.asarray(box[:4], np.float64)
        sighting = Sighting(
            lot_id=self._lot_id,
            camera_id=self._view.camera_id,
            kind=kind,
            at=at,
            bay_ids=bay_ids,
            lane=lane,
            message=_sentence(kind, bay_ids, lane),
            confidence=round(min(0.95, 0.5 + float(box[4]) / 2), 3),
        )
        case = self._cases.get(sighting.condition_key)
        if case is None or (not case.is_told and _moved(case.place, place)):
            self._cases[sighting.condition_key] = _Case(sighting=sighting, since=at, seen_at=at, place=place)
        else:
            case.seen_at = at


def _sentence(kind: SightingKind, bay_ids: tuple[str, ...], lane: str) -> str:
    if kind is SightingKind.MISPARKED:
        return f"A vehicle stands across bays {' and '.join(bay_ids)}."
    return f"A vehicle stands in the lane {lane}."


def _ended(sighting: Sighting, at: datetime) -> Sighting:
    return Sighting(
        lot_id=sighting.lot_id,
        camera_id=sighting.camera_id,
        kind=sighting.kind,
        at=at,
        bay_ids=sighting.bay_ids,
        lane=sighting.lane,
        holds=False,
    )


def _moved(before: FloatArray, now: FloatArray) -> bool:
    size = max(float((before[2:] - before[:2]).max()), 1.0)
    return bool(np.abs(now - before).max() > _SAME_PLACE * size)


def _stands_in(box: FloatArray, lane: FloatArray) -> bool:
    """Whether the middle of what a vehicle stands on lies in a lane."""
    x1, y1, x2, y2 = ground_part(box, 0.5 * float(box[3] - box[1]))
    return bool(are_inside(np.array([[(x1 + x2) / 2, (y1 + y2) / 2]]), np.asarray(lane, np.float64))[0])
