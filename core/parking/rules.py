"""What is wrong at a lot: rules about places and times, never about people; pure state over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from core.parking.model import Bay, BayKind, BayState, BayStatus, Lot, LotObservation, LotObservationKind, LotOccupancy

NEEDS_PERMIT = frozenset({BayKind.ACCESSIBLE, BayKind.EV, BayKind.LOADING, BayKind.RESERVED})
PERMIT_HOLDS = timedelta(minutes=2)
"""A reader speaks of who drives up, a moment before the bay is seen to be taken; so long its word waits for that."""

LEAST_CONFIDENCE = 0.5
"""What a camera is less sure of is not said."""


class LotRule(StrEnum):
    """Kinds of conditions at a lot, as the alarm rules name them."""

    OVERSTAY = "bay_overstay"
    WRONG_KIND = "bay_wrong_kind"
    MISPARKED = "bay_misparked"
    LANE_BLOCKED = "lot_lane_blocked"
    FULL = "lot_full"


_OF_OBSERVATION = {
    LotObservationKind.MISPARKED: LotRule.MISPARKED,
    LotObservationKind.LANE_BLOCKED: LotRule.LANE_BLOCKED,
}


def rule_of(kind: LotObservationKind) -> LotRule:
    """Return the rule that a camera's observation begins or ends."""
    return _OF_OBSERVATION[kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class LotCondition:
    """On the bus: something at a lot is wrong, or right again.

    Attributes:
        place: Bay, bays joined by "+", or lane; with lot and rule it names the condition. Empty for the whole lot.
        where: The place as operators call it; empty for the whole lot.
    """

    rule: LotRule
    lot: Lot
    place: str
    where: str
    is_begin: bool
    at: datetime
    detail: str = ""
    confidence: float = 1.0
    snapshot_jpeg: bytes = b""


@dataclass(slots=True)
class LotWatch:
    """The rules of one lot; what nobody knows changes nothing: whatever held, holds."""

    _open: dict[tuple[LotRule, str], str] = field(default_factory=dict)
    """What is wrong, and the place in the operators' words."""

    _permits: dict[str, tuple[bool, datetime]] = field(default_factory=dict)
    """What a reader said, and when."""

    _taken: set[str] = field(default_factory=set)
    """Bays that were known to be occupied when they were known last."""

    def note_permit(self, bay_id: str, *, is_given: bool, at: datetime) -> None:
        """A charger or reader at a bay says whether the vehicle may stand there."""
        self._permits[bay_id] = (is_given, at)

    def judge(self, lot: Lot, statuses: Mapping[str, BayStatus], now: datetime) -> list[LotCondition]:
        """Return what began or ended."""
        found: list[LotCondition] = []
        for bay in lot.bays:
            status = statuses.get(bay.bay_id)
            if status is None or not status.is_known:
                continue
            permit = self._permit_of(bay.bay_id, status, now)
            for rule, is_wrong, detail in _verdicts(bay, status, permit, now):
                found += self._turn(rule, lot, bay.bay_id, f"bay {bay.label or bay.bay_id}", is_wrong, detail, now)
        drawn = {bay.bay_id for bay in lot.bays}
        for rule, place in [key for key in self._open if key[0] in (LotRule.OVERSTAY, LotRule.WRONG_KIND)]:
            if place not in drawn:
                found += self._turn(rule, lot, place, place, False, "", now)
        return found

    def _permit_of(self, bay_id: str, status: BayStatus, now: datetime) -> bool | None:
        """Return what the reader said of who stands there; its word ends with the stay."""
        said = self._permits.get(bay_id)
        if status.state is BayState.OCCUPIED:
            self._taken.add(bay_id)
        elif bay_id in self._taken:
            self._taken.discard(bay_id)
            self._permits.pop(bay_id, None)
        elif said is not None and now - said[1] > PERMIT_HOLDS:
            del self._permits[bay_id]
        known = self._permits.get(bay_id)
        return None if known is None else known[0]

    def judge_fill(self, lot: Lot, counted: LotOccupancy, now: datetime) -> list[LotCondition]:
        """Return whether the lot became full, or is so no more."""
        if counted.n_free == 0 and counted.n_unknown > 0:
            return []
        detail = f"All {counted.n_bays} bays are occupied."
        # A lot whose bays are all closed has none that could be taken.
        is_full = counted.n_bays > 0 and counted.n_free == 0
        return self._turn(LotRule.FULL, lot, "", "", is_full, detail, now)

    def observe(self, lot: Lot, observation: LotObservation) -> list[LotCondition]:
        """Take what a camera saw begin or end."""
        if observation.is_begin and observation.confidence < LEAST_CONFIDENCE:
            return []
        rule, is_wrong = rule_of(observation.kind), observation.is_begin
        key, where = (rule, observation.place), _where(lot, observation)
        if is_wrong == (key in self._open):
            return []
        if is_wrong:
            self._open[key] = where
        else:
            where = self._open.pop(key)
        return [
            LotCondition(
                rule=rule,
                lot=lot,
                place=observation.place,
                where=where,
                is_begin=is_wrong,
                at=observation.at,
                detail=f"{observation.confidence:.0%} sure",
                confidence=observation.confidence,
                snapshot_jpeg=observation.snapshot_jpeg,
            )
        ]

    def forget(self, observation: LotObservation) -> None:
        """Take what a camera saw begin as never told: whoever looks now begins anew, and tells it again."""
        self._open.pop((rule_of(observation.kind), observation.place), None)

    def forget_closed(self, rule: str, place: str) -> None:
        """Somebody closed what was called: if it holds it begins anew."""
        self._open = {key: where for key, where in self._open.items() if key != (rule, place)}

    def end_all(self, lot: Lot, now: datetime) -> list[LotCondition]:
        """Return the end of everything: the lot is gone."""
        ended = [_condition(rule, lot, place, where, False, "", now) for (rule, place), where in self._open.items()]
        self._open.clear()
        return ended

    def _turn(
        self, rule: LotRule, lot: Lot, place: str, where: str, is_wrong: bool, detail: str, now: datetime
    ) -> list[LotCondition]:
        key = (rule, place)
        if is_wrong == (key in self._open):
            return []
        if is_wrong:
            self._open[key] = where
        else:
            where = self._open.pop(key)
        return [_condition(rule, lot, place, where, is_wrong, detail, now)]


def _verdicts(bay: Bay, status: BayStatus, permit: bool | None, now: datetime) -> Iterable[tuple[LotRule, bool, str]]:
    is_taken = status.state is BayState.OCCUPIED
    stay = now - status.since
    if bay.max_stay_min is not None:
        limit = timedelta(minutes=bay.max_stay_min)
        detail = f"Occupied for {stay.total_seconds() / 60:.0f} minutes; {bay.max_stay_min} are allowed."
        yield LotRule.OVERSTAY, is_taken and stay > limit, detail
    if bay.kind in NEEDS_PERMIT:
        detail = f"The bay is for {bay.kind.value} only, and its reader says that nothing permits it."
        yield LotRule.WRONG_KIND, is_taken and permit is False, detail


def _condition(
    rule: LotRule, lot: Lot, place: str, where: str, is_begin: bool, detail: str, at: datetime
) -> LotCondition:
    return LotCondition(rule=rule, lot=lot, place=place, where=where, is_begin=is_begin, at=at, detail=detail)


def _where(lot: Lot, observation: LotObservation) -> str:
    if observation.kind is LotObservationKind.LANE_BLOCKED:
        return f"lane {observation.place}"
    labels = {bay.bay_id: bay.label or bay.bay_id for bay in lot.bays}
    return "bays " + " and ".join(labels.get(bay_id, bay_id) for bay_id in observation.place.split("+"))
