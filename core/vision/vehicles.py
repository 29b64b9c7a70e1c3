"""Who is who for the rules: a vehicle keeps its key when the tracker loses it and finds it again under a new id.

The tracker forgets after a second and a half, because on the road something else is there by then. A vehicle that
stands does not go away while a bus hides it, so it is remembered for longer, by its place. Numbers are believed as long
as they fit the way: two vehicles that exchange theirs keep their keys, and one without a number (-1, as some trackers
say) is known by where it drives.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Sequence, Set
from dataclasses import dataclass

from core.vision.geometry import Point
from core.vision.model import Track

GAP_S = 3.0
"""A longer pause between two pictures is a gap: what happened in it is not known and is not made up."""

N_STEPS = 9
"""Looks from which their rate is taken: a machine that is too slow for all its cameras looks at each less often."""

MOVING_MEMORY_S = 2.0
STANDING_MEMORY_S = 30.0
STANDING_SPEED = 0.25
"""Box sizes per second below which a vehicle counts as standing for this memory."""

_SAME_PLACE = 0.4
_SAME_PATH = 0.7
_MAX_GROWTH = 1.6
_STRAYED = 0.75
"""Box sizes from where a vehicle has to be, from which on its number may be somebody else's."""

_FITS_BETTER = 0.5
"""Somebody else's number is taken for the own one where its place is off by less than this share."""

_TOP_SPEED = 10.0
"""Box sizes per second; what is faster did not drive there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One vehicle in one picture; lengths in picture heights.

    Attributes:
        key: Stays the same when the tracker changes the id.
        ground: Bottom centre of its box.
        size: Side of a square of the box's area.
        speed: Of the ground point, per second.
        previous: Ground point of the sighting before; None for a new vehicle and after a gap.
        since_s: Seconds of pictures since that sighting.
    """

    key: int
    track: Track
    ground: Point
    size: float
    speed: float
    previous: Point | None
    since_s: float


@dataclass(slots=True)
class _Vehicle:
    sighting: Sighting
    velocity: Point
    seen_at_s: float
    track_id: int
    is_cut_off: bool = False

    def strays(self, ground: Point, now_s: float) -> float:
        """Return how far a place is from where the vehicle has to be by now, in its own sizes."""
        lost_s, last = now_s - self.seen_at_s, self.sighting
        expected = (last.ground[0] + self.velocity[0] * lost_s, last.ground[1] + self.velocity[1] * lost_s)
        return math.dist(ground, expected) / last.size

    def cannot_reach(self, ground: Point, now_s: float) -> bool:
        """Return whether nobody drives that far in the time."""
        if self.is_cut_off:
            return False
        last = self.sighting
        return math.dist(ground, last.ground) > (1.0 + _TOP_SPEED * (now_s - self.seen_at_s)) * last.size


class PictureClock:
    """Seconds of pictures that were really there; gaps and steps back do not count.

    Attributes:
        now_s: Of these, since the first picture.
        dt_s: Of these, since the last picture; 0 over a gap.
        is_gap: Whether this picture came after a gap, or time stepped back.
    """

    def __init__(self) -> None:
        """Start at 0."""
        self.now_s = 0.0
        self.dt_s = 0.0
        self.is_gap = False
        self._last_pts_s: float | None = None
        self._steps_s: deque[float] = deque(maxlen=N_STEPS)

    def advance(self, pts_s: float) -> None:
        """Take the time of the next picture."""
        last, self._last_pts_s = self._last_pts_s, pts_s
        step_s = 0.0 if last is None else pts_s - last
        self.is_gap = last is not None and not 0 <= step_s <= GAP_S
        self.dt_s = 0.0 if self.is_gap else step_s
        self.now_s += self.dt_s
        # A gap is a step as well: of one alone the median takes no notice.
        if step_s > 0:
            self._steps_s.append(step_s)

    @property
    def looks_per_s(self) -> float:
        """How often the camera was looked at lately; infinite as long as that is not known."""
        return 1.0 / statistics.median(self._steps_s) if self._steps_s else math.inf

    @property
    def is_rare(self) -> bool:
        """Whether this picture came after a gap, as most of them do: no second of such a camera is ever counted."""
        return self.is_gap and self.looks_per_s * GAP_S < 1.0

    @property
    def looked_s(self) -> float:
        """For how long this look and the last one speak: as `dt_s`, and of rare ones each for as long as a gap."""
        return GAP_S if self.is_rare else self.dt_s


class VehicleMemory:
    """Gives every track of one camera the key of its vehicle."""

    def __init__(self, aspect: float) -> None:
        """Start with an empty road."""
        self._aspect = aspect
        self._vehicles: dict[int, _Vehicle] = {}
        self._key_of: dict[int, int] = {}
        self._next_key = 1

    def update(
        self, tracks: Sequence[Track], clock: PictureClock, kept: Set[int] = frozenset()
    ) -> tuple[tuple[Sighting, ...], frozenset[int]]:
        """Take the tracks of a picture.

        Args:
            tracks: As the tracker returned them.
            clock: At this picture.
            kept: Keys that are not forgotten however long they are not seen.

        Returns:
            The sightings, and the keys of vehicles that are forgotten from now on.
        """
        gone = self._cut_off(kept) if clock.is_gap else frozenset()
        keys = self._known_keys(tracks, clock.now_s)
        present = {key for key in keys if key}
        sightings = []
        for track, known in zip(tracks, keys, strict=True):
            key = known or self._find_lost(track, clock.now_s, present)
            if not key:
                continue
            present.add(key)
            sightings.append(self._see(key, track, clock.now_s))
        return tuple(sightings), gone | self._forget(clock.now_s, kept)

    def _cut_off(self, kept: Set[int]) -> frozenset[int]:
        """Begin after a gap; who was not seen since the gap before is forgotten, for the clock did not run."""
        gone = frozenset(key for key, vehicle in self._vehicles.items() if vehicle.is_cut_off and key not in kept)
        for vehicle in self._vehicles.values():
            vehicle.is_cut_off = True
        self._drop(gone)
        return gone

    def _known_keys(self, tracks: Sequence[Track], now_s: float) -> list[int]:
        """Return the keys that the tracks' numbers stand for; 0 for those that are new, or plainly somebody else."""
        keys = [self._key_of.get(track.track_id, 0) if track.track_id >= 0 else 0 for track in tracks]
        off = {}
        for row, key in enumerate(keys):
            if key and not self._vehicles[key].is_cut_off:
                strays = self._vehicles[key].strays(self._measure(tracks[row])[0], now_s)
                if strays > _STRAYED:
                    off[row] = strays
        if off:
            self._give_back(tracks, keys, off, now_s)
        return keys

    def _give_back(self, tracks: Sequence[Track], keys: list[int], off: dict[int, float], now_s: float) -> None:
        """Take numbers from vehicles that are where somebody else has to be, or where they cannot have come to."""
        strayed = {row: keys[row] for row in off}
        taken = {key for row, key in enumerate(keys) if key and row not in off}
        free = [key for key in self._vehicles if key not in taken]
        for row in sorted(off, key=lambda row: -off[row]):
            ground, own = self._measure(tracks[row])[0], strayed[row]
            others = [(self._vehicles[key].strays(ground, now_s), key) for key in free if key != own]
            nearest, other = min(others, default=(math.inf, 0))
            if nearest < min(_SAME_PATH, _FITS_BETTER * off[row]):
                keys[row] = other
            elif own not in free or self._vehicles[own].cannot_reach(ground, now_s):
                keys[row] = 0
            if keys[row] in free:
                free.remove(keys[row])
        changed = [row for row in off if keys[row] != strayed[row]]
        for row in changed:
            self._key_of.pop(tracks[row].track_id, None)
            if keys[row]:
                self._key_of.pop(self._vehicles[keys[row]].track_id, None)
        for row in changed:
            if keys[row]:
                self._key_of[tracks[row].track_id] = keys[row]

    def _see(self, key: int, track: Track, now_s: float) -> Sighting:
        ground, size = self._measure(track)
        velocity = (track.velocity_xy[0] * self._aspect, track.velocity_xy[1])
        before = self._vehicles.get(key)
        sighting = Sighting(
            key=key,
            track=track,
            ground=ground,
            size=size,
            speed=math.hypot(*velocity),
            previous=None if before is None or before.is_cut_off else before.sighting.ground,
            since_s=0.0 if before is None else now_s - before.seen_at_s,
        )
        number = track.track_id
        if number < 0 and before is not None:
            number = before.track_id
        self._vehicles[key] = _Vehicle(sighting, velocity, now_s, number)
        return sighting

    def _measure(self, track: Track) -> tuple[Point, float]:
        x1, y1, x2, y2 = track.bbox_xyxy
        size = math.sqrt(max((x2 - x1) * self._aspect * (y2 - y1), 1e-8))
        return ((x1 + x2) / 2 * self._aspect, y2), size

    def _find_lost(self, track: Track, now_s: float, present: set[int]) -> int:
        """Return the key of the lost vehicle that this new track continues, or a new key.

        Without a number a vehicle that nobody lost gets 0: there is nothing to know it by in the next picture.
        """
        ground, size = self._measure(track)
        best_key, best_distance = 0, math.inf
        for key, vehicle in self._vehicles.items():
            if key in present:
                continue
            lost_s = now_s - vehicle.seen_at_s
            last = vehicle.sighting
            is_standing = last.speed < STANDING_SPEED * last.size
            if not is_standing and lost_s > MOVING_MEMORY_S:
                continue
            reach = _SAME_PLACE if is_standing else _SAME_PATH
            distance = math.dist(ground, last.ground) / last.size if is_standing else vehicle.strays(ground, now_s)
            growth = max(size / last.size, last.size / size)
            if distance < min(reach, best_distance) and growth < _MAX_GROWTH:
                best_key, best_distance = key, distance
        if track.track_id < 0:
            return best_key
        if best_key:
            # Should the tracker find the old id again after all, it is another vehicle by now: no key is held twice.
            self._key_of.pop(self._vehicles[best_key].track_id, None)
        else:
            best_key, self._next_key = self._next_key, self._next_key + 1
        self._key_of[track.track_id] = best_key
        return best_key

    def _forget(self, now_s: float, kept: Set[int]) -> frozenset[int]:
        gone = set()
        for key, vehicle in self._vehicles.items():
            if key in kept:
                continue
            is_standing = vehicle.sighting.speed < STANDING_SPEED * vehicle.sighting.size
            if now_s - vehicle.seen_at_s > (STANDING_MEMORY_S if is_standing else MOVING_MEMORY_S):
                gone.add(key)
        self._drop(gone)
        return frozenset(gone)

    def _drop(self, gone: Set[int]) -> None:
        for key in gone:
            del self._vehicles[key]
        if gone:
            self._key_of = {track_id: key for track_id, key in self._key_of.items() if key not in gone}
