"""Congestion of a zone: full and slow, for long enough.

Full alone is a parking row, slow alone is one careful driver, and both for half a minute are a red light. Both are
smoothed over three seconds; a jam begins and ends at different levels and only after these have held, so that it
neither flickers at the limit nor with the signal next door. It is told once it has held for as long as the camera says.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from core.vision.model import Phase, Zone
from core.vision.vehicles import Sighting

BEGIN_DENSITY, END_DENSITY = 0.7, 0.5
FASTER_AT_END = 0.2
"""By so much of free flow a jam is faster when it ends than when it began."""

BEGIN_HOLD_S, END_HOLD_S = 5.0, 8.0
"""Before a jam is one, told or not: whoever stands in it has not broken down."""

SMOOTHING_S = 3.0

N_VEHICLES_TO_LEARN = 20
FREE_FLOW_PERCENTILE = 85
SLOWEST_FREE_FLOW = 1.5
"""Box sizes per second: whatever was seen so far, traffic slower than this never counts as flowing freely."""


class FreeFlow:
    """What speed free flow has in one place, learned from who passed; in box sizes per second."""

    def __init__(self) -> None:
        """Start without having seen anybody."""
        self._passed: deque[float] = deque(maxlen=300)
        self._speeds: dict[int, list[float]] = {}

    @property
    def is_known(self) -> bool:
        """Whether enough vehicles have passed."""
        return len(self._passed) >= N_VEHICLES_TO_LEARN

    @property
    def speed(self) -> float:
        """The speed of free flow; the slowest that can be called so while little is known."""
        if not self.is_known:
            return SLOWEST_FREE_FLOW
        return max(SLOWEST_FREE_FLOW, float(np.percentile(self._passed, FREE_FLOW_PERCENTILE)))

    def learn(self, inside: Sequence[Sighting], gone: frozenset[int], *, is_jammed: bool) -> None:
        """Keep one figure for each vehicle that passed; a jam teaches nothing about free flow."""
        for sighting in inside:
            self._speeds.setdefault(sighting.key, []).append(sighting.speed / sighting.size)
            del self._speeds[sighting.key][:-200]
        for key in gone & self._speeds.keys():
            speeds = self._speeds.pop(key)
            if not is_jammed and len(speeds) >= 3:
                self._passed.append(float(np.median(speeds)))


class CongestionRule:
    """One zone of one camera.

    Speeds are measured in frame heights per second where the operator gave the free-flow speed, else in box sizes per
    second: a distant vehicle is small and its movement is small, so one learned figure holds for the whole zone.
    """

    def __init__(self, zone: Zone, *, hold_s: float, speed_ratio: float) -> None:
        """Start without a condition.

        Args:
            zone: Its capacity fills it.
            hold_s: For so long a jam lasts before it is told.
            speed_ratio: Slower than this part of free flow.
        """
        self._hold_s, self._slow = hold_s, speed_ratio
        self._capacity = zone.congestion_capacity or 1.0
        self._given_speed = zone.free_flow_speed
        self._density = 0.0
        self._ratio = 1.0
        self._held_s = 0.0
        self._jam_s = 0.0
        self._has_begun = self._is_told = False
        self._free_flow = FreeFlow()
        self.values: dict[str, float] = {}

    @property
    def confidence(self) -> float:
        """How sure the rule is: surer where free flow is known, and where the zone is well over its limits."""
        is_known = self._given_speed is not None or self._free_flow.is_known
        clear = min(1.0, max(0.0, (self._slow - self._ratio) / self._slow))
        return (0.85 if is_known else 0.8) + 0.15 * clear

    @property
    def is_congested(self) -> bool:
        """Whether there is a jam now, told or not."""
        return self._has_begun

    def update(self, inside: Sequence[Sighting], dt_s: float, gone: frozenset[int]) -> Phase | None:
        """Take one picture; `values` holds the figures afterwards.

        Args:
            inside: Vehicles in the zone.
            dt_s: Seconds of pictures since the last one, 0 over a gap.
            gone: Keys of vehicles that are forgotten.

        Returns:
            Phase.BEGIN where a jam has lasted for long enough, Phase.END where one ends that was told.
        """
        self._free_flow.learn(inside, gone, is_jammed=self._has_begun)
        keep = math.exp(-dt_s / SMOOTHING_S)
        ratio = self._speed_ratio(inside)
        self._density = keep * self._density + (1 - keep) * len(inside) / self._capacity
        self._ratio = keep * self._ratio + (1 - keep) * ratio
        self.values = {
            "density": round(self._density, 3),
            "speed_ratio": round(self._ratio, 3),
            "n_vehicles": float(len(inside)),
        }
        if self._has_begun:
            # Freely flowing traffic is rarely all as fast as free flow.
            faster = min(self._slow + FASTER_AT_END, (1 + self._slow) / 2)
            wants_change = self._density <= END_DENSITY or self._ratio >= faster
        else:
            wants_change = self._density >= BEGIN_DENSITY and self._ratio <= self._slow
        self._held_s = self._held_s + dt_s if wants_change else 0.0
        if wants_change and self._held_s >= (END_HOLD_S if self._has_begun else min(BEGIN_HOLD_S, self._hold_s)):
            self._has_begun, self._jam_s, self._held_s = not self._has_begun, self._held_s, 0.0
        elif self._has_begun:
            self._jam_s += dt_s
        is_told = self._has_begun and (self._is_told or self._jam_s >= self._hold_s)
        if is_told == self._is_told:
            return None
        self._is_told = is_told
        return Phase.BEGIN if is_told else Phase.END

    def _speed_ratio(self, inside: Sequence[Sighting]) -> float:
        if not inside:
            return 1.0
        if self._given_speed:
            return float(np.mean([sighting.speed for sighting in inside])) / self._given_speed
        return float(np.mean([sighting.speed / sighting.size for sighting in inside])) / self._free_flow.speed
