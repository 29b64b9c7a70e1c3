"""Vehicles that drive against the arrow of their lane.

What counts is the distance made good against the arrow, by movement that was seen: a box that trembles goes nowhere, a
box that a passing vehicle cuts in half jumps but does not move, and a car that backs into a bay is there after two
lengths. A vehicle that stands half in the lane beside it, as tall ones seen at an angle seem to, is explained by the
lane whose way it drives. Where most vehicles drive against the arrow, it is the arrow that is wrong: the rule goes on,
and calls nobody.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.vision.lanes import LaneShape, footing
from core.vision.model import ObservationKind, Phase, Scene
from core.vision.scene_rule import Moment, Notebook, is_news
from core.vision.tuning import Tuning
from core.vision.vehicles import Sighting

KIND = ObservationKind.WRONG_WAY
AGAINST, ALONG = -0.75, 0.5
"""Cosines between movement and lane at which a vehicle drives against it, or with it."""

MOVES_AT = 0.3
"""Vehicle sizes per second against the arrow that are movement and no trembling."""

SLOW = 0.5
"""Vehicle sizes per second below which it may be backing up: it has to come twice as far."""

JUMP = 0.8
"""Vehicle sizes beyond what its speed explains: its box changed, or it is another vehicle."""

ENDS_AFTER_S = 2.0
GOES_WITH_S = 1.0
N_AGAINST = 3
"""So many against the arrow, and more than with it: the arrow is drawn wrong, or a diversion leads here."""

WRONG_ARROW = 0.5


@dataclass(slots=True)
class _Course:
    """One vehicle in one lane."""

    sighting: Sighting
    lengths: float = 0.0
    """Vehicle sizes made good against the arrow."""

    against_s: float = 0.0
    with_s: float = 0.0
    alignment: float = 0.0
    footing: float = 0.0
    score: float = 0.0
    n: int = 0
    told: float | None = None
    """Confidence that was told; None before the first time."""

    unseen_s: float = 0.0


@dataclass(slots=True)
class _Habit:
    """How many vehicles drove with and against the arrow of a lane."""

    n_with: int = 0
    n_against: int = 0

    @property
    def is_arrow_doubtful(self) -> bool:
        return self.n_against >= N_AGAINST and self.n_against > self.n_with


class WrongWayRule:
    """Every lane of one camera."""

    def __init__(self, scene: Scene, aspect: float) -> None:
        """Lay the lanes."""
        tuning = Tuning(scene)
        self._hold_s = tuning.value(KIND, "hold_s")
        self._distance = tuning.value(KIND, "distance")
        self._call_from = tuning.value(KIND, "call_from")
        self._aspect = aspect
        self._lanes = [LaneShape(lane, aspect) for lane in scene.lanes]
        self._courses: dict[tuple[str, int], _Course] = {}
        self._habits = {lane.key: _Habit() for lane in scene.lanes}

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        seen: set[tuple[str, int]] = set()
        for lane in self._lanes:
            for sighting in lane.inside_at(moment):
                seen.add((lane.lane.key, sighting.key))
                self._take(lane, sighting, moment.confidence_factor, note)
        for key, course in tuple(self._courses.items()):
            if key in seen:
                continue
            course.unseen_s += moment.dt_s
            if course.unseen_s > ENDS_AFTER_S or key[1] in moment.gone:
                self._drop(key, note)

    def _take(self, lane: LaneShape, sighting: Sighting, confidence_factor: float, note: Notebook) -> None:
        key = (lane.lane.key, sighting.key)
        course = self._courses.get(key)
        if course is None or sighting.previous is None or _has_jumped(sighting):
            if course is None or course.told is None:
                self._courses[key] = _Course(sighting)
            else:
                course.sighting, course.unseen_s = sighting, 0.0
            return
        course.sighting, course.unseen_s = sighting, 0.0
        step = lane.along(sighting.previous) - lane.along(sighting.ground)
        course.lengths = max(0.0, course.lengths + step / sighting.size)
        along, _ = lane.velocity(sighting)
        if self._is_against(lane, sighting):
            course.against_s += sighting.since_s
            course.with_s = 0.0
            course.n += 1
            course.alignment += -lane.agreement(sighting)
            course.footing += self._share_on(lane, sighting)
            course.score += sighting.track.score
        elif along > MOVES_AT * sighting.size:
            course.with_s += sighting.since_s
            if course.told is not None and course.with_s > ENDS_AFTER_S:
                self._drop(key, note)
                return
            if course.told is None:
                self._courses[key] = _Course(sighting, with_s=course.with_s)
                self._habits[key[0]].n_with += course.with_s - sighting.since_s < GOES_WITH_S <= course.with_s
                return
        self._judge(lane, course, confidence_factor, note)

    def _judge(self, lane: LaneShape, course: _Course, confidence_factor: float, note: Notebook) -> None:
        is_slow = course.lengths < SLOW * course.against_s
        distance = self._distance * (2.0 if is_slow else 1.0)
        if course.against_s < self._hold_s or course.lengths < distance:
            return
        habit = self._habits[lane.lane.key]
        confidence = confidence_factor * _confidence(course, course.lengths / self._distance)
        if habit.is_arrow_doubtful:
            confidence *= WRONG_ARROW
        if not is_news(confidence, course.told, self._call_from):
            return
        habit.n_against += course.told is None
        course.told = confidence
        note.add(
            KIND,
            Phase.BEGIN,
            lane.place,
            lane.condition(KIND),
            number=course.sighting.key,
            sighting=course.sighting,
            confidence=confidence,
            values={"lengths": round(course.lengths, 1), "held_s": round(course.against_s, 1)},
        )

    def _is_against(self, lane: LaneShape, sighting: Sighting) -> bool:
        along, _ = lane.velocity(sighting)
        if along > -MOVES_AT * sighting.size or lane.agreement(sighting) > AGAINST:
            return False
        points = footing(sighting, self._aspect)
        return not any(
            other is not lane and other.agreement(sighting) > ALONG and any(other.holds(points))
            for other in self._lanes
        )

    def _share_on(self, lane: LaneShape, sighting: Sighting) -> float:
        return sum(lane.holds(footing(sighting, self._aspect))) / 3

    def _drop(self, key: tuple[str, int], note: Notebook) -> None:
        course = self._courses.pop(key)
        if course.told is None:
            return
        lane = next(shape for shape in self._lanes if shape.lane.key == key[0])
        note.add(
            KIND,
            Phase.END,
            lane.place,
            lane.condition(KIND),
            number=course.sighting.key,
            sighting=course.sighting,
            confidence=course.told,
            values={"held_s": round(course.against_s, 1)},
        )


def _has_jumped(sighting: Sighting) -> bool:
    assert sighting.previous is not None
    step = math.dist(sighting.ground, sighting.previous)
    return step > 1.5 * sighting.speed * sighting.since_s + JUMP * sighting.size


def _confidence(course: _Course, excess: float) -> float:
    """Return how sure the rule is: straight against the arrow, well inside the lane, seen clearly, for longer."""
    straight = (course.alignment / course.n + AGAINST) / (1 + AGAINST)
    clear = min(1.0, max(0.0, (course.score / course.n - 0.25) / 0.3))
    longer = min(1.0, excess - 1.0)
    return 0.3 + 0.3 * course.footing / course.n + 0.15 * straight + 0.15 * clear + 0.1 * longer
