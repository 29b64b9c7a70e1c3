"""What is wrong with a drone, from what is known of it; what nobody knows changes nothing: whatever held, holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.drones.ground import distance_m, is_inside
from core.drones.model import (
    BATTERY_STALE_S,
    GNSS_STALE_S,
    POSITION_STALE_S,
    Drone,
    DroneState,
    Fix,
    Landed,
    LinkHealth,
    TextLevel,
    is_stale,
)
from core.kernel.zone import write_site_clock

MISSING_AFTER_S = 30.0
"""A link that is lost in the air for so long is not a gust of radio any more."""

CEILING_BACK_M = 3.0
"""So far below its limit a drone is below it again."""

LOW_PERCENT, CRITICAL_PERCENT = 25.0, 12.0
BACK_PERCENT = 5.0
CRUISE_MPS, SINK_MPS = 8.0, 1.5
"""With which a way home is reckoned, where a drone does not say faster: against the wind, and carefully down."""

RESERVE_S = 60.0
LOW_FACTOR, CRITICAL_FACTOR = 1.6, 1.1
"""Time left against the time that the way home takes."""

SHAKES_MPS2 = 30.0
CALM_MPS2 = 25.0
"""Source: ArduPilot's guide to vibration: below 30 m/s² is acceptable."""

TEXT_HOLDS_S = 60.0
AIRBORNE_M = 2.0
_LOUD = frozenset({TextLevel.EMERGENCY, TextLevel.ALERT, TextLevel.CRITICAL})


class DroneRule(StrEnum):
    """Kinds of conditions of a drone, as the alarm rules name them."""

    FENCE = "drone_fence"
    ALTITUDE = "drone_altitude"
    BATTERY = "drone_battery"
    BATTERY_CRITICAL = "drone_battery_critical"
    LINK_LOST = "drone_link_lost"
    MISSING = "drone_missing"
    GNSS = "drone_gnss"
    VIBRATION = "drone_vibration"
    TEXT = "drone_text"
    TWO = "drone_duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class DroneCondition:
    """On the bus: something is wrong with a drone, or right again."""

    rule: DroneRule
    drone: Drone
    state: DroneState
    is_begin: bool
    at: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a rule says now: it holds with these words, it does not, or (None) nobody knows."""

    holds: bool | None
    detail: str = ""


_UNKNOWN = _Judged(None)
_FINE = _Judged(False)


@dataclass(slots=True)
class DroneWatch:
    """The rules of one drone."""

    _open: dict[DroneRule, str] = field(default_factory=dict)

    def look(
        self, drone: Drone, state: DroneState, now: datetime, *, max_height_m: float | None
    ) -> Iterator[DroneCondition]:
        """Yield what began and what ended.

        Args:
            drone: As it is set up.
            state: What is known of it.
            now: Ages are against it.
            max_height_m: Above home, where its fence says no other; None for no limit.
        """
        for rule, judged in self._judge(drone, state, now, max_height_m):
            is_open = rule in self._open
            if judged.holds is None or judged.holds == is_open:
                continue
            if judged.holds:
                self._open[rule] = judged.detail
            else:
                del self._open[rule]
            yield DroneCondition(
                rule=rule, drone=drone, state=state, is_begin=judged.holds, at=now, detail=judged.detail
            )

    def forget(self, rule: str) -> None:
        """Somebody closed what was called: if it holds it begins anew."""
        self._open = {one: detail for one, detail in self._open.items() if one != rule}

    def end_all(self, drone: Drone, state: DroneState, now: datetime) -> Iterable[DroneCondition]:
        """Return the end of everything that holds: the drone is removed."""
        rules = tuple(self._open)
        self._open.clear()
        return tuple(DroneCondition(rule=rule, drone=drone, state=state, is_begin=False, at=now) for rule in rules)

    def _judge(
        self, drone: Drone, state: DroneState, now: datetime, max_height_m: float | None
    ) -> Iterator[tuple[DroneRule, _Judged]]:
        flies = is_airborne(state)
        yield DroneRule.LINK_LOST, _link_lost(state, now, flies, 0.0)
        yield DroneRule.MISSING, _link_lost(state, now, flies, MISSING_AFTER_S)
        # Who is not heard takes nothing back.
        unless_said = _UNKNOWN if state.health is LinkHealth.LOST else _FINE
        yield DroneRule.TEXT, _text(state, now) or unless_said
        yield DroneRule.TWO, _Judged(True, state.namesake) if state.namesake else unless_said
        if state.health is LinkHealth.LOST:
            return
        yield DroneRule.FENCE, _fence(drone, state, now, flies)
        ceiling_m = drone.fence.max_height_m if drone.fence is not None else None
        yield DroneRule.ALTITUDE, self._altitude(state, now, flies, ceiling_m or max_height_m)
        yield DroneRule.BATTERY, self._battery(state, now, flies, LOW_PERCENT, LOW_FACTOR, DroneRule.BATTERY)
        critical = DroneRule.BATTERY_CRITICAL
        yield critical, self._battery(state, now, flies, CRITICAL_PERCENT, CRITICAL_FACTOR, critical)
        yield DroneRule.GNSS, _gnss(state, now, flies)
        yield DroneRule.VIBRATION, self._vibration(state, now, flies)

    def _altitude(self, state: DroneState, now: datetime, flies: bool | None, ceiling_m: float | None) -> _Judged:
        height_m = state.fresh("altitude_home_m", now)
        if ceiling_m is None or flies is False:
            return _FINE
        if height_m is None:
            return _UNKNOWN
        limit_m = ceiling_m - (CEILING_BACK_M if DroneRule.ALTITUDE in self._open else 0.0)
        return _Judged(height_m > limit_m, f"{height_m:.0f} m above home, {ceiling_m:.0f} m allowed.")

    def _battery(
        self, state: DroneState, now: datetime, flies: bool | None, limit_percent: float, factor: float, rule: DroneRule
    ) -> _Judged:
        if flies is not True:
            return _FINE if flies is False else _UNKNOWN
        packs = [pack for pack in state.batteries if not is_stale(pack.at, now, BATTERY_STALE_S)]
        percents = [pack.remaining_percent for pack in packs if pack.remaining_percent is not None]
        lefts_s = [pack.time_left_s for pack in packs if pack.time_left_s is not None]
        way_s = way_home_s(state)
        if not percents and not lefts_s:
            return _UNKNOWN
        words = [f"{min(percents):.0f} % left" if percents else f"{min(lefts_s) / 60.0:.0f} min left"]
        is_low = bool(percents) and min(percents) < limit_percent + (BACK_PERCENT if rule in self._open else 0.0)
        if lefts_s and way_s is not None:
            is_low = is_low or min(lefts_s) < factor * (way_s + RESERVE_S)
            words.append(f"{min(lefts_s) / 60.0:.1f} min, and the way home takes {way_s / 60.0:.1f} min")
        elif (way_m := state.value("home_distance_m")) is not None:
            words.append(f"{way_m:,.0f} m from home")
        return _Judged(is_low, f"{', '.join(words)}.")

    def _vibration(self, state: DroneState, now: datetime, flies: bool | None) -> _Judged:
        if flies is False:
            return _FINE
        axes = [state.fresh(f"vibration_{axis}_mps2", now) for axis in "xyz"]
        known = [value for value in axes if value is not None]
        if not known:
            return _UNKNOWN
        limit = CALM_MPS2 if DroneRule.VIBRATION in self._open else SHAKES_MPS2
        return _Judged(max(known) > limit, f"{max(known):.0f} m/s², 30 are acceptable.")


def is_airborne(state: DroneState) -> bool | None:
    """Return whether a drone flies, by its own word, or where it has none, by its motors and its height."""
    if state.landed is not None:
        return state.landed is not Landed.GROUND
    if state.is_armed is False:
        return False
    height_m = state.value("altitude_home_m")
    if state.is_armed is None or height_m is None:
        return None
    return height_m > AIRBORNE_M


def way_home_s(state: DroneState) -> float | None:
    """Return how long the way home and down takes [s]; None where home or position is unknown."""
    if state.position is None or state.home is None:
        return None
    height_m = max(0.0, state.value("altitude_home_m") or 0.0)
    return distance_m(state.position.point, state.home.point) / CRUISE_MPS + height_m / SINK_MPS


def _link_lost(state: DroneState, now: datetime, flies: bool | None, after_s: float) -> _Judged:
    if state.health is not LinkHealth.LOST:
        return _FINE
    # Of a drone that was never heard since the start nobody knows whether it flies.
    if flies is not True or state.lost_at is None or state.heartbeat_at is None:
        return _UNKNOWN
    silent_s = (now - state.heartbeat_at).total_seconds()
    words = f"Last heard at {write_site_clock(state.heartbeat_at)}, in the air."
    return _Judged(silent_s >= after_s, words) if silent_s >= after_s else _UNKNOWN


def _fence(drone: Drone, state: DroneState, now: datetime, flies: bool | None) -> _Judged:
    if flies is False:
        return _FINE
    if state.is_fence_breached:
        return _Judged(True, "The drone says that it left its own fence.")
    corners = drone.fence.corners if drone.fence is not None else ()
    if not corners:
        return _FINE
    if state.position is None or is_stale(state.position.at, now, POSITION_STALE_S):
        return _UNKNOWN
    point = state.position.point
    return _Judged(not is_inside(point, corners), f"At {point.lat_deg:.5f}, {point.lon_deg:.5f}, outside its fence.")


def _gnss(state: DroneState, now: datetime, flies: bool | None) -> _Judged:
    if flies is not True:
        return _FINE if flies is False else _UNKNOWN
    fresh = [one for one in state.gnss if not is_stale(one.at, now, GNSS_STALE_S)]
    # Who says nothing of a fix, and sees satellites, may well have one.
    telling = [one for one in fresh if one.fix is not None or one.n_satellites == 0]
    if not telling:
        return _UNKNOWN
    has_fix = any(one.fix not in (None, Fix.NONE, Fix.TWO_D) for one in telling)
    n_satellites = max((one.n_satellites or 0 for one in fresh), default=0)
    return _Judged(not has_fix, f"No fix in three dimensions, {n_satellites} satellites.")


def _text(state: DroneState, now: datetime) -> _Judged | None:
    loud = [one for one in state.texts if one.level in _LOUD and not is_stale(one.at, now, TEXT_HOLDS_S)]
    return _Judged(True, f"It says: {loud[-1].text}") if loud else None
