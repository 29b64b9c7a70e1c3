"""Vehicles that stand in a lane while nothing says that they wait.

A queue at a light, a bus stop and a breakdown look alike for the first seconds. What tells them apart: in a queue the
neighbours stand too; where vehicles stand every few minutes, standing is usual; and past a breakdown others drive on.
The head of a queue counts after a longer time, because behind a breakdown a queue grows as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.vision.lanes import LaneShape
from core.vision.model import ObservationKind, Phase, Scene
from core.vision.scene_rule import Moment, Notebook, is_news
from core.vision.stopped import StoppedChange, StoppedRule
from core.vision.tuning import Tuning
from core.vision.vehicles import STANDING_SPEED, Sighting

KIND = ObservationKind.STOPPED_VEHICLE
STANDS_AFTER_S = 3.0
QUEUE_GAP = 4.0
"""Box sizes between two vehicles of one queue."""

SAME_STOP = 1.5
"""Box sizes around a place where vehicles use to stand."""

N_STOPS_USUAL = 3
USUAL_MARGIN = 1.5
STOPS_REMEMBERED_S = 3600.0
N_THROUGH_KNOWN = 10
MOVES_AT = 0.8
"""Box sizes per second of a vehicle that drives past."""

SURE_AFTER_S = 100.0


@dataclass(slots=True)
class _Stand:
    """One vehicle that stands."""

    sighting: Sighting
    since_s: float
    was_parked: bool
    behind: set[int] = field(default_factory=set)
    n_passed: int = 0
    told: float | None = None


@dataclass(frozen=True, slots=True)
class _Stop:
    """Where a vehicle stood and drove on."""

    along: float
    at_s: float
    stood_s: float


class _LaneStops:
    """One lane: who stands in it, and where standing is usual."""

    def __init__(self, shape: LaneShape) -> None:
        self.shape = shape
        self.rule = StoppedRule(STANDS_AFTER_S)
        self.stands: dict[int, _Stand] = {}
        self.visits: dict[int, int] = {}
        self.n_through = 0
        self.n_stood = 0
        self._stops: deque[_Stop] = deque(maxlen=60)

    def take_changes(self, changes: Iterable[StoppedChange], now_s: float) -> list[_Stand]:
        """Keep who stands from now on; return those who stand no more."""
        ended = []
        for change in changes:
            key = change.sighting.key
            if change.phase is Phase.BEGIN:
                self.stands[key] = _Stand(change.sighting, now_s - change.standing_s, change.was_parked)
                continue
            stand = self.stands.pop(key, None)
            if stand is None:
                continue
            ended.append(stand)
            if not stand.was_parked:
                self.n_stood += 1
                self._stops.append(_Stop(self.shape.along(stand.sighting.ground), now_s, change.standing_s))
        return ended

    def note_visits(self, inside: Sequence[Sighting], gone: frozenset[int]) -> None:
        for sighting in inside:
            self.visits[sighting.key] = self.visits.get(sighting.key, 0) + 1
        for key in gone & self.visits.keys():
            self.n_through += self.visits.pop(key) >= 3

    def usual_s(self, sighting: Sighting, now_s: float) -> float:
        """Return how long vehicles use to stand at a place; 0 where they do not."""
        here = self.shape.along(sighting.ground)
        stood = [
            stop.stood_s
            for stop in self._stops
            if now_s - stop.at_s <= STOPS_REMEMBERED_S and abs(stop.along - here) <= SAME_STOP * sighting.size
        ]
        return float(np.percentile(stood, 90)) if len(stood) >= N_STOPS_USUAL else 0.0

    @property
    def runs_free(self) -> bool:
        """Vehicles have driven through, and hardly one of them stood."""
        return self.n_through >= N_THROUGH_KNOWN and self.n_stood <= 0.1 * self.n_through


class LaneStoppedRule:
    """Every lane of one camera."""

    def __init__(self, scene: Scene, aspect: float) -> None:
        """Lay the lanes."""
        tuning = Tuning(scene)
        self._after_s = tuning.value(KIND, "after_s")
        self._queue_after_s = tuning.value(KIND, "queue_after_s")
        self._call_from = tuning.value(KIND, "call_from")
        self._lanes = [_LaneStops(LaneShape(lane, aspect)) for lane in scene.lanes]

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        inside = [lane.shape.inside_at(moment) for lane in self._lanes]
        for lane, vehicles in zip(self._lanes, inside, strict=True):
            lane.note_visits(vehicles, moment.gone)
            changes = lane.rule.update(moment.sightings, vehicles, now_s=moment.now_s, is_congested=False)
            changes += lane.rule.forget(moment.gone, moment.now_s)
            for stand in lane.take_changes(changes, moment.now_s):
                self._end(lane, stand, moment.now_s, note)
            if not lane.stands:
                continue
            slow = [s for s in vehicles if s.speed < STANDING_SPEED * s.size]
            movers = self._movers(lane, inside)
            for stand in lane.stands.values():
                stand.sighting = next((s for s in vehicles if s.key == stand.sighting.key), stand.sighting)
                stand.behind -= moment.gone
                if stand.sighting.key in moment.unseen:
                    continue  # Who is not seen for long grows no surer of standing there.
                _watch_passing(lane.shape, stand, movers)
                self._judge(lane, stand, slow, moment, note)

    @property
    def told(self) -> frozenset[int]:
        """Keys of vehicles that were said to stand, and not to have left."""
        return frozenset(key for lane in self._lanes for key, stand in lane.stands.items() if stand.told is not None)

    def _movers(self, lane: _LaneStops, inside: Sequence[Sequence[Sighting]]) -> list[Sighting]:
        """Return who drives in this lane or one that leads the same way."""
        ux, uy = lane.shape.unit
        return [
            sighting
            for other, vehicles in zip(self._lanes, inside, strict=True)
            if ux * other.shape.unit[0] + uy * other.shape.unit[1] > 0.7
            for sighting in vehicles
            if sighting.speed > MOVES_AT * sighting.size
        ]

    def _judge(self, lane: _LaneStops, stand: _Stand, slow: Sequence[Sighting], moment: Moment, note: Notebook) -> None:
        if stand.told is not None and stand.told >= self._call_from:
            return
        standing_s = moment.now_s - stand.since_s
        after_s = self._patience_s(lane, stand, slow, moment)
        if after_s is None or standing_s < after_s:
            return
        confidence = _confidence(lane, stand, standing_s - after_s)
        if not is_news(confidence, stand.told, self._call_from):
            return
        stand.told = confidence
        self._write(lane, stand, Phase.BEGIN, standing_s, note)

    def _patience_s(self, lane: _LaneStops, stand: _Stand, slow: Sequence[Sighting], moment: Moment) -> float | None:
        """Return how long it may stand; None while it waits behind another one."""
        here = lane.shape.along(stand.sighting.ground)
        reach = QUEUE_GAP * stand.sighting.size
        # Who stands is there although the detector may miss it in this picture.
        standing = [other.sighting for key, other in lane.stands.items() if key not in moment.unseen]
        neighbours = {s.key: s for s in (*standing, *slow)}
        gaps = [lane.shape.along(s.ground) - here for key, s in neighbours.items() if key != stand.sighting.key]
        if any(0 < gap < reach for gap in gaps):
            return None
        usual_s = USUAL_MARGIN * lane.usual_s(stand.sighting, moment.now_s)
        is_head = any(-reach < gap <= 0 for gap in gaps)
        return max(self._queue_after_s if is_head else self._after_s, usual_s)

    def _end(self, lane: _LaneStops, stand: _Stand, now_s: float, note: Notebook) -> None:
        if stand.told is not None:
            self._write(lane, stand, Phase.END, now_s - stand.since_s, note)

    def _write(self, lane: _LaneStops, stand: _Stand, phase: Phase, standing_s: float, note: Notebook) -> None:
        note.add(
            KIND,
            phase,
            lane.shape.place,
            lane.shape.condition(KIND),
            number=stand.sighting.key,
            sighting=stand.sighting,
            confidence=stand.told or 0.0,
            values={
                "standing_s": round(standing_s, 1),
                "was_parked": float(stand.was_parked),
                "n_passed": float(stand.n_passed),
            },
        )


def _watch_passing(shape: LaneShape, stand: _Stand, movers: Sequence[Sighting]) -> None:
    here = shape.along(stand.sighting.ground)
    for mover in movers:
        gap = (shape.along(mover.ground) - here) / stand.sighting.size
        if gap < -0.5:
            stand.behind.add(mover.key)
        elif gap > 0.5 and mover.key in stand.behind:
            stand.behind.discard(mover.key)
            stand.n_passed += 1


def _confidence(lane: _LaneStops, stand: _Stand, longer_s: float) -> float:
    """Return how sure the rule is: nobody stands here, others drive past, and it goes on standing."""
    free = 0.25 if lane.runs_free else 0.0
    passed = 0.25 if stand.n_passed >= 2 else 0.1 * stand.n_passed
    return min(0.97, 0.62 + free + passed + 0.25 * min(1.0, longer_s / SURE_AFTER_S))
