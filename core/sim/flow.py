"""What the demo city's sensors measure: traffic through a day with a jam in it, and a lot that fills and empties."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.parking.model import Bay, Lot
from core.sim.city import TrafficStation

CAPACITY_PER_LANE = 30.0
"""Vehicles a minute that one lane carries at most."""

VEHICLE_M = 6.5
"""Length of a vehicle and of the detector under it."""

JAM_SPEED_KMH = 8.0
JAM_OCCUPANCY = 0.78

_DAY = (
    (0, 0.08), (4, 0.06), (6, 0.32), (7.5, 0.80), (8.5, 0.74), (10, 0.52), (12.5, 0.58), (15, 0.62), (17, 0.86),
    (18.5, 0.66), (21, 0.32), (24, 0.08),
)  # fmt: skip
"""Hour of the day, and the share of a road's capacity that wants to drive."""

_LOT_DAY = ((0, 0.30), (6, 0.30), (9, 0.78), (12, 0.88), (15, 0.74), (18, 0.62), (21, 0.40), (24, 0.30))

MIN_SHARE, MAX_SHARE = 0.02, 0.985
"""Of a lot's bays: one is always left behind, and hardly any lot fills to the last."""

STAY_MIN, MIN_STAY_MIN = 95.0, 5.0
"""How long vehicles stay in the mean, and at least."""

SHORT_STAY_SHARE = 0.6
"""Mean stay where it is limited, in the limit: one in five or six overstays."""

BUSY_S, BUSY_PACE = 180.0, 4.0
"""The first minutes, and how much livelier they are."""

CATCH_UP_S = 1800.0
"""In so long a lot that is emptier than it is wanted fills up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens in the city, again and again; times since the fleet's start, in the city's own seconds.

    Attributes:
        jam_stations: Keys of the stations in the jam.
        silent_station: Key of the station that stays connected and says nothing for a while; empty for none.
        cycle_s: After this long everything happens again.
    """

    jam_stations: tuple[str, ...] = ("station-05", "station-06")
    jam_begins_s: float = 20.0
    jam_builds_s: float = 12.0
    jam_lasts_s: float = 80.0
    jam_dissolves_s: float = 30.0
    silent_station: str = "station-09"
    silent_begins_s: float = 60.0
    silent_lasts_s: float = 60.0
    cycle_s: float = 300.0

    def jam(self, key: str, city_s: float) -> float:
        """Return how jammed a station is: 0 free, 1 as bad as it gets."""
        if key not in self.jam_stations:
            return 0.0
        since_s = city_s % self.cycle_s - self.jam_begins_s
        left_s = self.jam_builds_s + self.jam_lasts_s + self.jam_dissolves_s - since_s
        return max(0.0, min(1.0, since_s / self.jam_builds_s, left_s / self.jam_dissolves_s))

    def is_silent(self, key: str, city_s: float) -> bool:
        """Tell whether a station says nothing."""
        return key == self.silent_station and 0 <= city_s % self.cycle_s - self.silent_begins_s < self.silent_lasts_s


QUIET = Scenario(jam_stations=(), silent_station="")
"""Nothing happens but the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One measurement.

    Attributes:
        intensity: Vehicles a minute, all lanes.
        occupancy: Share of time a vehicle stands over the detector, 0..1.
    """

    intensity: float
    occupancy: float
    speed_kmh: float


def measure_flow(station: TrafficStation, *, hour: float, jam: float, seed: int, number: int) -> Flow:
    """Return what a station measures; the same arguments give the same figures.

    Args:
        station: Where.
        hour: Of the day, 0..24.
        jam: As from `Scenario.jam`.
        seed: Of the fleet.
        number: Of the measurement, counted from 0.

    Source: speed falls linearly with density (Greenshields 1935); occupancy is density times vehicle length.
    """
    noise = random.Random(f"{seed}:{station.key}:{number}")
    popularity = 0.75 + 0.35 * random.Random(f"{seed}:{station.key}").random()
    # A slow swing over about a minute keeps neighbouring measurements alike.
    swing = 1 + 0.10 * math.sin(number / 9.0 + 40 * popularity)
    capacity = CAPACITY_PER_LANE * station.n_lanes
    demand = min(0.97, _interpolate(_DAY, hour) * popularity * swing)
    free_intensity = max(0.0, capacity * demand * noise.gauss(1.0, 0.06))
    free_speed_kmh = station.free_flow_kmh * (1 - 0.28 * demand) * noise.gauss(1.0, 0.025)
    speed_kmh = max(3.0, (1 - jam) * free_speed_kmh + jam * JAM_SPEED_KMH * noise.gauss(1.0, 0.18))
    intensity = (1 - 0.55 * jam) * free_intensity
    density_per_km = intensity * 60 / speed_kmh / station.n_lanes
    occupancy = (1 - jam) * density_per_km * VEHICLE_M / 1000 + jam * JAM_OCCUPANCY * noise.gauss(1.0, 0.03)
    return Flow(
        intensity=round(intensity, 1),
        occupancy=round(max(0.0, min(0.98, occupancy)), 3),
        speed_kmh=round(speed_kmh, 1),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkingBefore:
    """What the lots of the city go on from: the wall clock, and how their bays stood.

    Attributes:
        time_zone: In which the city's people get up.
        occupied: Of each bay by lot and bay id, where it is known.
    """

    time_zone: str
    occupied: Mapping[str, Mapping[str, bool]]


class LotModel:
    """Bays of a lot, and who comes and goes: vehicles stay as long as they do in the lot's seeded history.

    The first minutes are busier, as after a train came in, so that who has just opened the twin sees vehicles move.
    """

    def __init__(self, lot: Lot, *, share: float, seed: int, before: Mapping[str, bool] | None = None) -> None:
        """Go on from `before`, whether each bay was occupied; fill the others so that the lot is full to `share`."""
        self._random = random.Random(f"{seed}:{lot.lot_id}")
        self._stay_s = {bay.bay_id: stay_min(bay) * 60.0 for bay in lot.bays}
        filled = {bay_id: self._random.random() < share for bay_id in self._stay_s}
        self.occupied = filled | {key: was for key, was in (before or {}).items() if key in filled}
        self._leaves_s = {key: self._left_s(key) for key, is_taken in self.occupied.items() if is_taken}
        self._now_s = 0.0

    @property
    def n_free(self) -> int:
        """Bays nobody stands in."""
        return sum(not is_occupied for is_occupied in self.occupied.values())

    def go_on(self, now_s: float, *, share: float) -> list[tuple[str, bool]]:
        """Let vehicles come and go until an instant, towards `share` of the bays.

        Args:
            now_s: Since the lot began.
            share: How full it would be by the time of day.

        Returns:
            Each bay that changed and whether it is occupied now, in order.
        """
        changed: list[tuple[str, bool]] = []
        while True:
            rate = self._arrivals_a_second(share)
            comes_s = self._now_s + self._random.expovariate(rate) if rate > 0 else math.inf
            leaver = min(self._leaves_s, key=self._leaves_s.__getitem__, default="")
            goes_s = self._leaves_s.get(leaver, math.inf)
            if min(comes_s, goes_s) > now_s:
                self._now_s = now_s
                return changed
            self._now_s = min(comes_s, goes_s)
            changed.append(self._leave(leaver) if goes_s <= comes_s else self._come())

    def _arrivals_a_second(self, share: float) -> float:
        """Return so many that the lot stays as full as it is wanted, and catches up where it is not."""
        if self.n_free == 0:
            return 0.0
        wanted = share * len(self.occupied)
        mean_s = sum(self._stay_s.values()) / len(self._stay_s)
        pace = BUSY_PACE if self._now_s < BUSY_S else 1.0
        return pace * max(0.0, wanted / mean_s + (wanted - len(self._leaves_s)) / CATCH_UP_S)

    def _come(self) -> tuple[str, bool]:
        bay_id = self._random.choice([key for key, is_occupied in self.occupied.items() if not is_occupied])
        self.occupied[bay_id] = True
        shortest_s = MIN_STAY_MIN * 60.0
        stays_s = shortest_s + self._random.expovariate(1.0 / (self._stay_s[bay_id] - shortest_s))
        self._leaves_s[bay_id] = self._now_s + stays_s
        return bay_id, True

    def _leave(self, bay_id: str) -> tuple[str, bool]:
        del self._leaves_s[bay_id]
        self.occupied[bay_id] = False
        return bay_id, False

    def _left_s(self, bay_id: str) -> float:
        """Return when somebody leaves who stood there before the beginning; more of them in its first minutes."""
        left_s = self._random.expovariate(1.0 / self._stay_s[bay_id])
        return left_s / BUSY_PACE if left_s < BUSY_PACE * BUSY_S else left_s - (BUSY_PACE - 1.0) * BUSY_S


def stay_min(bay: Bay) -> float:
    """Return how long vehicles stay in a bay, in the mean."""
    return STAY_MIN if bay.max_stay_min is None else SHORT_STAY_SHARE * bay.max_stay_min


def share_at(hour: float) -> float:
    """Return how full a lot of a city without weekdays is."""
    return _interpolate(_LOT_DAY, hour)


def usual_share(wall: datetime, *, is_garage: bool) -> float:
    """Return how full a lot usually is, by weekday and time of day.

    A garage has offices on weekdays and shops on Saturday; an open lot commuters by day and the theatre on Friday and
    Saturday evening.
    """
    hour = wall.hour + wall.minute / 60
    share = _garage(wall.weekday(), hour) if is_garage else _open(wall.weekday(), hour)
    return min(max(share, MIN_SHARE), MAX_SHARE)


def _garage(weekday: int, hour: float) -> float:
    if weekday == 6:
        return 0.08 + 0.25 * _bump(hour, 15.0, 4.0)
    if weekday == 5:
        return 0.08 + 0.9 * _bump(hour, 14.5, 3.5)
    return 0.1 + 0.72 * _bump(hour, 11.5, 4.0) + 0.25 * _bump(hour, 18.0, 2.0)


def _open(weekday: int, hour: float) -> float:
    evening = 0.75 if weekday in (4, 5) else 0.2
    day = 0.25 if weekday >= 5 else 0.85
    return 0.08 + day * _bump(hour, 12.5, 4.5) + evening * _bump(hour, 20.5, 1.8)


def _bump(hour: float, middle: float, width: float) -> float:
    return math.exp(-(((hour - middle) / width) ** 2))


def _interpolate(points: tuple[tuple[float, float], ...], at: float) -> float:
    at %= 24
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x0 <= at <= x1:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return points[-1][1]
