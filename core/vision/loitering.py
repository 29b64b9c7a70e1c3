"""Somebody, or a vehicle, that stays in a zone for longer than there is a reason to.

Zones that name classes watch these; a zone that names none watches people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.vision.geometry import are_inside, scale_points
from core.vision.model import PERSON, ObservationKind, Phase, Scene, Zone
from core.vision.scene_rule import Moment, Notebook, is_news, place_of
from core.vision.tuning import Tuning
from core.vision.vehicles import Sighting

KIND = ObservationKind.LOITERING
AWAY_FOR_S = 8.0
"""Steps out of the zone, or out of sight, for less are part of the stay."""

HAND_OVER = 1.5
"""Box sizes: who appears this near to where somebody was lost is the same one to this rule."""


@dataclass(slots=True)
class _Stay:
    """One that is in the zone."""

    sighting: Sighting
    since_s: float
    seen_at_s: float
    seen_s: float = 0.0
    score: float = 0.0
    n: int = 0
    told: float | None = None
    key_told: int = 0
    """The key it had then: begin and end name the same one."""


class _LoiterZone:
    def __init__(self, zone: Zone, aspect: float) -> None:
        self.place = place_of(zone)
        self.polygon = scale_points(zone.polygon, aspect)
        self.labels = frozenset(zone.labels or (PERSON,))
        self.stays: dict[int, _Stay] = {}

    def inside(self, moment: Moment) -> list[Sighting]:
        chosen = [sighting for sighting in moment.sightings if sighting.track.label in self.labels]
        points = np.array([sighting.ground for sighting in chosen], np.float64).reshape(-1, 2)
        return [s for s, is_in in zip(chosen, are_inside(points, self.polygon), strict=True) if is_in]

    def continues(self, sighting: Sighting, now_s: float) -> _Stay | None:
        """Return the stay of one who was lost near here a moment ago."""
        for key, stay in self.stays.items():
            if stay.seen_at_s == now_s or stay.sighting.track.label != sighting.track.label:
                continue
            if math.dist(stay.sighting.ground, sighting.ground) < HAND_OVER * stay.sighting.size:
                return self.stays.pop(key)
        return None


class LoiteringRule:
    """Every zone of one camera."""

    def __init__(self, scene: Scene, aspect: float) -> None:
        """Lay the zones."""
        tuning = Tuning(scene)
        self._after_s = tuning.value(KIND, "after_s")
        self._call_from = tuning.value(KIND, "call_from")
        self._zones = [_LoiterZone(zone, aspect) for zone in scene.zones]

    def update(self, moment: Moment, note: Notebook) -> None:
        """Take one picture."""
        for zone in self._zones:
            inside = zone.inside(moment)
            for sighting in inside:
                if sighting.key in zone.stays:
                    zone.stays[sighting.key].seen_at_s = moment.now_s
            for sighting in inside:
                self._take(zone, sighting, moment, note)
            for key, stay in tuple(zone.stays.items()):
                if moment.now_s - stay.seen_at_s > AWAY_FOR_S:
                    del zone.stays[key]
                    self._end(zone, stay, note)

    def _take(self, zone: _LoiterZone, sighting: Sighting, moment: Moment, note: Notebook) -> None:
        stay = zone.stays.get(sighting.key)
        if stay is None:
            stay = zone.continues(sighting, moment.now_s) or _Stay(sighting, moment.now_s, moment.now_s)
            zone.stays[sighting.key] = stay
        stay.sighting, stay.seen_at_s = sighting, moment.now_s
        stay.seen_s += moment.dt_s
        stay.score += sighting.track.score
        stay.n += 1
        stayed_s = moment.now_s - stay.since_s
        if stayed_s < self._after_s:
            return
        confidence = _confidence(stay, stayed_s)
        if not is_news(confidence, stay.told, self._call_from):
            return
        if stay.told is None:
            stay.key_told = sighting.key
        stay.told = confidence
        self._write(zone, stay, Phase.BEGIN, note)

    def _end(self, zone: _LoiterZone, stay: _Stay, note: Notebook) -> None:
        if stay.told is not None:
            self._write(zone, stay, Phase.END, note)

    def _write(self, zone: _LoiterZone, stay: _Stay, phase: Phase, note: Notebook) -> None:
        note.add(
            KIND,
            phase,
            zone.place,
            f"{KIND.value}:{zone.place.key}",
            number=stay.key_told,
            sighting=stay.sighting,
            confidence=stay.told or 0.0,
            values={"dwell_s": round(stay.seen_at_s - stay.since_s, 1)},
        )


def _confidence(stay: _Stay, stayed_s: float) -> float:
    """Return how sure the rule is: seen for most of the time, and clearly."""
    share = min(1.0, stay.seen_s / stayed_s)
    clear = min(1.0, max(0.0, (stay.score / stay.n - 0.25) / 0.25))
    return 0.4 + 0.35 * share + 0.25 * clear
