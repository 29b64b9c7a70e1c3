"""Vehicles that stand where they must not: across two bays, or in a lane that must stay clear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A vehicle on one picture that stands across two bays, or in a lane.

    Attributes:
        box: x1, y1, x2, y2 [px].
        score: That a vehicle is there, 0..1.
        bay_ids: Of the two bays; empty in a lane.
        lane: Its name; empty across bays.
    """

    box: tuple[float, float, float, float]
    score: float
    bay_ids: tuple[str, ...] = ()
    lane: str = ""

    @property
    def kind(self) -> SightingKind:
        """What is wrong with it."""
        return SightingKind.BLOCKED_LANE if self.lane else SightingKind.MISPARKED


@dataclass(slots=True)
class _Stand:
    """One vehicle that has not moved."""

    place: FloatArray
    since: datetime
    seen_at: datetime


@dataclass(slots=True)
class _Case:
    """One condition: whoever stands there, one or several after each other."""

    sighting: Sighting
    stands: list[_Stand]
    is_told: bool = False


class Standing:
    """Remembers who stands where, and tells what lasts."""

    def __init__(self, lot_id: str, view: BayView) -> None:
        """Begin with nothing standing."""
        self._lot_id, self._view = lot_id, view
        self._cases: dict[str, _Case] = {}
        self._looked_at: datetime | None = None

    def take(self, strays: Iterable[Stray], at: datetime) -> tuple[Sighting, ...]:
        """Take what one picture shows; return what began or ended."""
        for stray in strays:
            self._see(stray, at)
        self._looked_at = at
        return self._settle(at)

    def hold(self, at: datetime) -> tuple[Sighting, ...]:
        """Nothing changed since the last picture: what stood there stands there still, what was gone is gone."""
        for case in self._cases.values():
            for stand in case.stands:
                stand.seen_at = at if stand.seen_at == self._looked_at else stand.seen_at
        self._looked_at = at
        return self._settle(at)

    def end_all(self) -> tuple[Sighting, ...]:
        """Forget everything; return the end of what was told."""
        told = [
            _ended(case.sighting, max(stand.seen_at for stand in case.stands))
            for case in self._cases.values()
            if case.is_told
        ]
        self._cases.clear()
        return tuple(told)

    def _settle(self, at: datetime) -> tuple[Sighting, ...]:
        began, ended = [], []
        for key, case in list(self._cases.items()):
            case.stands = [stand for stand in case.stands if (at - stand.seen_at).total_seconds() < OVER_AFTER_S]
            if not case.stands:
                del self._cases[key]
                ended += [_ended(case.sighting, at)] if case.is_told else []
                continue
            least_s = MISPARKED_AFTER_S if case.sighting.kind is SightingKind.MISPARKED else BLOCKED_AFTER_S
            if not case.is_told and any((at - stand.since).total_seconds() >= least_s for stand in case.stands):
                case.is_told = True
                began.append(case.sighting)
        return (*began, *ended)

    def _see(self, stray: Stray, at: datetime) -> None:
        place = np.asarray(stray.box, np.float64)
        sighting = Sighting(
            lot_id=self._lot_id,
            camera_id=self._view.camera_id,
            kind=stray.kind,
            at=at,
            bay_ids=stray.bay_ids,
            lane=stray.lane,
            message=_sentence(stray),
            confidence=round(min(0.95, 0.5 + stray.score / 2), 3),
        )
        case = self._cases.setdefault(sighting.condition_key, _Case(sighting=sighting, stands=[]))
        if not case.is_told:
            case.sighting = sighting
        known = next((stand for stand in case.stands if not _moved(stand.place, place)), None)
        if known is None:
            case.stands.append(_Stand(place=place, since=at, seen_at=at))
        else:
            known.seen_at = at


def strays_of_boxes(
    match: BayMatch, boxes: FloatArray, bay_ids: Sequence[str], lanes: Mapping[str, FloatArray]
) -> list[Stray]:
    """Return which of a detector's boxes stand where they must not.

    Args:
        match: Of the boxes and the bays.
        boxes: x1, y1, x2, y2 [px] and score, shape (k, 5).
        bay_ids: In the order of `match`.
        lanes: Outlines by name [px].
    """
    found = [
        _stray(boxes[box], bay_ids=tuple(sorted((bay_ids[bay], bay_ids[beside]))))
        for bay, beside, box in match.straddles
    ]
    taken = set(match.box_of.tolist())
    for name, lane in lanes.items():
        found += [
            _stray(box, lane=name)
            for index, box in enumerate(boxes)
            if index not in taken and box[4] >= MIN_SCORE and _stands_in(box, lane)
        ]
    return found


def _stray(box: FloatArray, *, bay_ids: tuple[str, ...] = (), lane: str = "") -> Stray:
    x1, y1, x2, y2, score = (float(value) for value in box[:5])
    return Stray(box=(x1, y1, x2, y2), score=score, bay_ids=bay_ids, lane=lane)


def _sentence(stray: Stray) -> str:
    if stray.lane:
        return f"A vehicle stands in the lane {stray.lane}."
    return f"A vehicle stands across bays {' and '.join(stray.bay_ids)}."


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
