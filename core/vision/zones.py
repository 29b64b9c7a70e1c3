"""Who is in a zone: entries, exits and how many are inside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from core.vision.geometry import are_inside, distance_to_outline, scale_points
from core.vision.model import PERSON, VEHICLE_LABELS, Track, Zone
from core.vision.pedestrian import is_on_foot, vehicles_among
from core.vision.vehicles import PictureClock, Sighting

N_SIGHTINGS_TO_ENTER = 2
LEAVES_AFTER_S = 0.5
"""Outside this long is out; a box that trembles on the border neither leaves nor enters again."""

UNSEEN_AFTER_S = 2.0
"""Not seen this long is out as well."""

OUT_AFTER_RARE_LOOKS = 3
"""As much where every step is a gap: who is missed in one look is not yet known again in the next."""

AT_THE_BORDER = 0.5
"""Of a vehicle's size: who is first seen this close to the zone's border may just have come over it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneChange:
    """What happened in one picture.

    Attributes:
        entered: Vehicles that came in.
        found: Vehicles that were inside when the camera began to see again: they stood there, or came unseen.
        left: Last sighting and seconds inside of those that had entered and went.
    """

    entered: tuple[Sighting, ...]
    found: tuple[Sighting, ...]
    left: tuple[tuple[Sighting, float], ...]


@dataclass(slots=True)
class _Visit:
    sighting: Sighting
    since_s: float
    inside_at_s: float
    seen_at_s: float
    n_rare_looks_out: int = 0
    n_sightings: int = 1
    was_there: bool = False
    is_inside: bool = False


class ZonePresence:
    """One zone of one camera."""

    def __init__(self, zone: Zone, aspect: float) -> None:
        """Lay the polygon."""
        self._polygon = scale_points(zone.polygon, aspect)
        self._labels = zone.labels or VEHICLE_LABELS
        self._visits: dict[int, _Visit] = {}

    @property
    def n_inside(self) -> int:
        """How many are inside now of the classes that count."""
        return sum(visit.is_inside for visit in self._visits.values())

    @property
    def n_vehicles(self) -> int:
        """How many of them are no people on foot."""
        return sum(visit.is_inside and visit.sighting.track.label != PERSON for visit in self._visits.values())

    def inside(self, sightings: Sequence[Sighting]) -> tuple[Sighting, ...]:
        """Return those whose ground point lies in the zone and whose class counts here; who rides is not on foot."""
        chosen = [sighting for sighting in sightings if sighting.track.label in self._labels]
        if any(sighting.track.label == PERSON for sighting in chosen):
            vehicles = vehicles_among(sightings)
            chosen = [who for who in chosen if who.track.label != PERSON or self._is_on_foot(who, vehicles)]
        points = np.array([sighting.ground for sighting in chosen], np.float64).reshape(-1, 2)
        return tuple(
            sighting for sighting, is_in in zip(chosen, are_inside(points, self._polygon), strict=True) if is_in
        )

    def update(
        self, sightings: Sequence[Sighting], inside: Sequence[Sighting], clock: PictureClock, *, saw_nothing: bool
    ) -> ZoneChange:
        """Take one picture.

        Args:
            sightings: Every vehicle in the picture.
            inside: What `inside` returned for them.
            clock: At this picture.
            saw_nothing: The camera sees nothing now, or did not a moment ago: who is new may have been there.
        """
        now_s = clock.now_s
        entered: list[Sighting] = []
        found: list[Sighting] = []
        for known in self._visits.values():
            known.n_rare_looks_out += clock.is_rare
        for sighting in inside:
            visit = self._visits.get(sighting.key)
            if visit is None:
                was_there = saw_nothing and not self._is_at_the_border(sighting)
                self._visits[sighting.key] = _Visit(sighting, now_s, now_s, now_s, was_there=was_there)
                continue
            visit.sighting, visit.inside_at_s, visit.seen_at_s = sighting, now_s, now_s
            visit.n_rare_looks_out = 0
            visit.n_sightings += 1
            if not visit.is_inside and visit.n_sightings >= N_SIGHTINGS_TO_ENTER:
                visit.is_inside = True
                (found if visit.was_there else entered).append(sighting)
        for sighting in sightings:
            if sighting.key in self._visits:
                self._visits[sighting.key].seen_at_s = now_s
        return ZoneChange(entered=tuple(entered), found=tuple(found), left=self._collect_left(now_s))

    def forget(self, keys: Iterable[int]) -> None:
        """Let vehicles that are gone for good count as unseen."""
        for key in keys:
            if key in self._visits:
                self._visits[key].seen_at_s = -math.inf

    def _is_on_foot(self, person: Sighting, vehicles: Sequence[Track]) -> bool:
        # A bus that passes in front of somebody who is inside does not give them a seat.
        visit = self._visits.get(person.key)
        return (visit is not None and visit.is_inside) or is_on_foot(person, vehicles)

    def _is_at_the_border(self, sighting: Sighting) -> bool:
        return distance_to_outline(sighting.ground, self._polygon) <= AT_THE_BORDER * sighting.size

    def _collect_left(self, now_s: float) -> tuple[tuple[Sighting, float], ...]:
        left = []
        for key, visit in tuple(self._visits.items()):
            is_outside = visit.seen_at_s > visit.inside_at_s and now_s - visit.inside_at_s > LEAVES_AFTER_S
            is_outside |= visit.n_rare_looks_out >= OUT_AFTER_RARE_LOOKS
            if is_outside or now_s - visit.seen_at_s > UNSEEN_AFTER_S:
                del self._visits[key]
                if visit.is_inside and not visit.was_there:
                    left.append((visit.sighting, visit.inside_at_s - visit.since_s))
        return tuple(left)
