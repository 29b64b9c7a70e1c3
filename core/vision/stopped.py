"""Vehicles that stand in a zone for too long.

A vehicle stands while its ground point stays within a quarter of its size of where it came to rest. Keys come from
`VehicleMemory`, so a bus that hides it, or a new track id at the same place, does not start the clock again. What stood
there from the first minute was parked before anybody looked: it is reported once, and not again after every flicker.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.vision.geometry import Point
from core.vision.model import Phase
from core.vision.vehicles import Sighting

STANDS_WITHIN = 0.25
"""Box sizes around the place of rest."""

HAS_LEFT_AT = 1.0
"""Box sizes: this far away it has driven off, whatever the box's edges did."""

MOVES_AFTER_S = 1.0
FIRST_LOOK_S = 60.0
HIDDEN_CREDIT_S = 5.0
PARKED_MEMORY_S = 600.0
"""A parked car that the detector loses is the same car for this long."""

MIN_LOOKS = 10
"""So often it was seen standing: at a look in two seconds, cars that follow each other look like one that stands."""

_SAME_PLACE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedChange:
    """A vehicle that has stood too long, or stands no more.

    Attributes:
        was_parked: It stood there when the camera was first looked at.
    """

    phase: Phase
    sighting: Sighting
    standing_s: float
    was_parked: bool


@dataclass(slots=True)
class _Stand:
    sighting: Sighting
    place: Point
    size: float
    was_parked: bool
    standing_s: float = 0.0
    n_looks: int = 0
    away_s: float = 0.0
    is_reported: bool = False
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class _Parked:
    place: Point
    size: float
    until_s: float


class StoppedRule:
    """One zone of one camera."""

    def __init__(self, stopped_after_s: float) -> None:
        """Start with an empty zone."""
        self._after_s = stopped_after_s
        self._stands: dict[int, _Stand] = {}
        self._parked: list[_Parked] = []

    def update(
        self, sightings: Sequence[Sighting], inside: Sequence[Sighting], *, now_s: float, is_congested: bool
    ) -> list[StoppedChange]:
        """Take one picture.

        Args:
            sightings: Every vehicle in the picture.
            inside: Those in the zone.
            now_s: Of the picture clock.
            is_congested: A jam is reported as one condition, not as one for each vehicle in it.
        """
        changes = []
        inside_keys = {sighting.key for sighting in inside}
        for sighting in inside:
            changes += self._take(sighting, now_s, is_congested)
        for sighting in sightings:
            stand = self._stands.get(sighting.key)
            if stand is None or sighting.key in inside_keys:
                continue
            stand.away_s += sighting.since_s
            if stand.away_s > MOVES_AFTER_S:
                del self._stands[sighting.key]
                changes += _end(stand)
        return changes

    @property
    def told(self) -> frozenset[int]:
        """Keys of vehicles that were said to stand, and not to have left."""
        return frozenset(key for key, stand in self._stands.items() if stand.is_reported and not stand.is_silent)

    def forget(self, keys: Iterable[int], now_s: float) -> list[StoppedChange]:
        """Let go of vehicles that were not seen for so long that they must be gone."""
        changes = []
        for key in keys:
            stand = self._stands.pop(key, None)
            if stand is None:
                continue
            if stand.was_parked and stand.is_reported:
                self._parked.append(_Parked(stand.place, stand.size, now_s + PARKED_MEMORY_S))
            changes += _end(stand)
        return changes

    def _take(self, sighting: Sighting, now_s: float, is_congested: bool) -> list[StoppedChange]:
        stand = self._stands.get(sighting.key)
        if stand is None:
            self._stands[sighting.key] = self._begin(sighting, now_s)
            return []
        if _has_moved(stand, sighting):
            self._stands[sighting.key] = _Stand(sighting, sighting.ground, sighting.size, was_parked=False)
            return _end(stand)
        stand.sighting = sighting
        # A vehicle that was hidden for a while stood there in the meantime, as its place shows. After longer it may be
        # another one at the same place.
        stand.standing_s += min(sighting.since_s, HIDDEN_CREDIT_S)
        stand.n_looks += 1
        is_long = stand.standing_s >= self._after_s and stand.n_looks >= MIN_LOOKS
        if not is_long or stand.is_reported or is_congested:
            return []
        stand.is_reported = True
        return [] if stand.is_silent else [_change(Phase.BEGIN, stand)]

    def _begin(self, sighting: Sighting, now_s: float) -> _Stand:
        stand = _Stand(sighting, sighting.ground, sighting.size, was_parked=now_s <= FIRST_LOOK_S)
        self._parked = [parked for parked in self._parked if parked.until_s >= now_s]
        for parked in self._parked:
            if math.dist(parked.place, sighting.ground) < _SAME_PLACE * parked.size:
                self._parked.remove(parked)
                stand.was_parked = stand.is_silent = True
                break
        return stand


def _has_moved(stand: _Stand, sighting: Sighting) -> bool:
    distance = math.dist(sighting.ground, stand.place) / stand.size
    if not stand.standing_s:
        # Nothing to hold on to yet: the place is wherever a moving vehicle is now.
        return distance > STANDS_WITHIN
    stand.away_s = stand.away_s + sighting.since_s if distance > STANDS_WITHIN else 0.0
    return distance > HAS_LEFT_AT or stand.away_s > MOVES_AFTER_S


def _end(stand: _Stand) -> list[StoppedChange]:
    return [_change(Phase.END, stand)] if stand.is_reported and not stand.is_silent else []


def _change(phase: Phase, stand: _Stand) -> StoppedChange:
    return StoppedChange(phase=phase, sighting=stand.sighting, standing_s=stand.standing_s, was_parked=stand.was_parked)
