"""People on foot where only vehicles should be: in a lane, or in a zone that calls for people.

Who rides a bicycle or a motorcycle, or sits in a bus, is no pedestrian; nor is who goes faster than anybody runs. A
zone for people that calls nobody is a crossing: there they may walk, though a lane runs through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.vision.classes import TWO_WHEELERS
from core.vision.geometry import are_inside, scale_points
from core.vision.model import PERSON, VEHICLE_LABELS, BBox, ObservationKind, Phase, PicturePoint, Scene, Track
from core.vision.scene_rule import Moment, Notebook, Place, is_news, place_of
from core.vision.tuning import Tuning
from core.vision.vehicles import Sighting

KIND = ObservationKind.PEDESTRIAN

RUNS_AT = 2.5
"""Body heights per second; 4.3 m/s for somebody of 1.7 m."""

SITS_IN = 0.75
"""Share of a person's box inside a vehicle's box from which they sit in it, or are seen through its windows."""

RIDES = 0.25
N_SIGHTINGS = 4
EMPTY_AFTER_S = 3.0
OUTSIDE_FOR_S = 0.6
"""A foot that leaves the lane for less is still in it: boxes tremble on the kerb."""


@dataclass(slots=True)
class _Walk:
    """One person in one place."""

    sighting: Sighting
    held_s: float = 0.0
    outside_s: float = 0.0
    score: float = 0.0
    n: int = 0


class _Ground:
    """One lane or zone where nobody should walk."""

    def __init__(self, place: Place, condition: str, polygon: Sequence[PicturePoint], aspect: float) -> None:
        self.place = place
        self.condition = condition
        self.polygon = scale_points(polygon, aspect)
        self.walks: dict[int, _Walk] = {}
        self.told: float | None = None
        self.empty_s = 0.0


class PedestrianRule:
    """Every lane and marked zone of one camera; each is one condition, however many people are in it."""

    def __init__(self, scene: Scene, aspect: float) -> None:
        """Lay the lanes and zones."""
        tuning = Tuning(scene)
        self._hold_s = tuning.value(KIND, "hold_s")
        self._call_from = tuning.value(KIND, "call_from")
        self._aspect = aspect
        lanes = scene.lanes if tuning.is_on(KIND) else ()
        self._grounds = [
            *(_Ground(place_of(lane), f"{KIND.value}:lane/{lane.key}", lane.polygon, aspect) for lane in lanes),
            *(
                _Ground(place_of(zone), f"{KIND.value}:{zone.key}", zone.polygon, aspect)
                for zone in scene.zones
                if zone.calls_for_people
            ),
        ]
        self._crossings = [scale_points(zone.polygon, aspect) for zone in scene.zones if zone.is_crossing]

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        walkers = self._walkers(moment.sightings)
        points = np.array([walker.ground for walker in walkers], np.float64).reshape(-1, 2)
        for ground in self._grounds:
            inside = are_inside(points, ground.polygon)
            self._follow(ground, walkers, inside.tolist(), moment)
            self._judge(ground, moment.dt_s, note)

    def _walkers(self, sightings: Sequence[Sighting]) -> list[Sighting]:
        people = [sighting for sighting in sightings if sighting.track.label == PERSON]
        if not people or not self._grounds:
            return []
        vehicles = vehicles_among(sightings)
        # A bus that passes in front of somebody does not give them a seat.
        known = {key for ground in self._grounds for key, walk in ground.walks.items() if walk.held_s >= self._hold_s}
        on_foot = [person for person in people if person.key in known or is_on_foot(person, vehicles)]
        if not on_foot or not self._crossings:
            return on_foot
        points = np.array([person.ground for person in on_foot], np.float64)
        may_walk = np.any([are_inside(points, crossing) for crossing in self._crossings], axis=0)
        return [person for person, is_allowed in zip(on_foot, may_walk, strict=True) if not is_allowed]

    def _follow(self, ground: _Ground, walkers: Sequence[Sighting], inside: Sequence[bool], moment: Moment) -> None:
        here = {walker.key: walker for walker, is_in in zip(walkers, inside, strict=True) if is_in}
        for key, walker in here.items():
            walk = ground.walks.setdefault(key, _Walk(walker))
            if walk.n:
                walk.held_s += moment.dt_s
            walk.sighting, walk.outside_s = walker, 0.0
            walk.score += walker.track.score
            walk.n += 1
        for key, walk in tuple(ground.walks.items()):
            if key in here:
                continue
            walk.outside_s += moment.dt_s
            if walk.outside_s > OUTSIDE_FOR_S or key in moment.gone:
                del ground.walks[key]

    def _judge(self, ground: _Ground, dt_s: float, note: Notebook) -> None:
        held = [walk for walk in ground.walks.values() if walk.held_s >= self._hold_s and walk.n >= N_SIGHTINGS]
        ground.empty_s = 0.0 if held else ground.empty_s + dt_s
        if not held:
            if ground.told is not None and ground.empty_s > EMPTY_AFTER_S:
                note.add(KIND, Phase.END, ground.place, ground.condition, confidence=ground.told)
                ground.told = None
            return
        surest = max(held, key=self._confidence)
        confidence = self._confidence(surest)
        if not is_news(confidence, ground.told, self._call_from):
            return
        ground.told = confidence
        note.add(
            KIND,
            Phase.BEGIN,
            ground.place,
            ground.condition,
            sighting=surest.sighting,
            confidence=confidence,
            values={"n_people": float(len(held)), "held_s": round(surest.held_s, 1)},
        )

    def _confidence(self, walk: _Walk) -> float:
        """Return how sure the rule is: seen clearly, and for longer than it takes."""
        clear = min(1.0, max(0.0, (walk.score / walk.n - 0.3) / 0.25))
        longer = min(1.0, (walk.held_s - self._hold_s) / 10.0)
        return 0.55 + 0.35 * clear + 0.15 * longer


def vehicles_among(sightings: Sequence[Sighting]) -> list[Track]:
    """Return what people may ride or sit in."""
    return [sighting.track for sighting in sightings if sighting.track.label in VEHICLE_LABELS]


def is_on_foot(person: Sighting, vehicles: Sequence[Track]) -> bool:
    """Return whether a person walks or runs, and neither rides nor sits in one of the vehicles of the picture."""
    box = person.track.bbox_xyxy
    return person.speed < RUNS_AT * (box[3] - box[1]) and not any(
        _share_inside(box, vehicle.bbox_xyxy) > (RIDES if vehicle.label in TWO_WHEELERS else SITS_IN)
        for vehicle in vehicles
    )


def _share_inside(person: BBox, vehicle: BBox) -> float:
    width = min(person[2], vehicle[2]) - max(person[0], vehicle[0])
    height = min(person[3], vehicle[3]) - max(person[1], vehicle[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / max(1e-9, (person[2] - person[0]) * (person[3] - person[1]))
