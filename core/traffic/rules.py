"""When a station sees a jam: pure state over time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class CongestionSettings:
    """When traffic counts as jammed.

    Attributes:
        speed_ratio: Slower than this share of the free-flow speed.
        occupancy: And the detector covered for more than this share of the time.
        free_flow_kmh: Where neither the station says its own nor `free_flow_by_station` holds one.
        speed_deadband_kmh, occupancy_deadband: How far past the limit one of the two must be for the jam to be over.
        on_delay_s, off_delay_s: For how long, before anything is said.
    """

    speed_ratio: float = 0.4
    occupancy: float = 0.25
    free_flow_kmh: float = 50.0
    free_flow_by_station: dict[str, float] = field(default_factory=dict)
    speed_deadband_kmh: float = 5.0
    occupancy_deadband: float = 0.05
    on_delay_s: float = 60.0
    off_delay_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What a station says about one direction or lane, or about all of them together."""

    speed_kmh: float
    occupancy: float
    intensity: float = 1.0
    free_flow_kmh: float | None = None


class Verdict(StrEnum):
    """What the newest flow means."""

    JAMMED = "jammed"
    FREE = "free"
    BETWEEN = "between"
    """Inside the deadband: whatever held, holds."""


class Change(StrEnum):
    """What happened to the condition."""

    NONE = "none"
    BEGAN = "began"
    ENDED = "ended"


@dataclass(slots=True)
class Congestion:
    """One station's condition; silence changes nothing."""

    is_on: bool = False
    _since_s: float | None = None

    def update(self, verdict: Verdict, now_s: float, settings: CongestionSettings) -> Change:
        """Take in a verdict at a monotonic time."""
        is_against = verdict is (Verdict.FREE if self.is_on else Verdict.JAMMED)
        if not is_against:
            self._since_s = None
            return Change.NONE
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s < (settings.off_delay_s if self.is_on else settings.on_delay_s):
            return Change.NONE
        self.is_on = not self.is_on
        self._since_s = None
        return Change.BEGAN if self.is_on else Change.ENDED


def together(flows: Iterable[Flow]) -> Flow | None:
    """Join a station's lanes: speed weighted by the vehicles in each, occupancy as their mean; None without lanes."""
    lanes = list(flows)
    if not lanes:
        return None
    n_vehicles = sum(lane.intensity for lane in lanes)
    weights = [lane.intensity if n_vehicles > 0 else 1.0 for lane in lanes]
    speed = sum(lane.speed_kmh * weight for lane, weight in zip(lanes, weights, strict=True)) / sum(weights)
    free = [lane.free_flow_kmh for lane in lanes if lane.free_flow_kmh is not None]
    return Flow(
        speed_kmh=speed,
        occupancy=sum(lane.occupancy for lane in lanes) / len(lanes),
        intensity=n_vehicles,
        free_flow_kmh=max(free) if free else None,
    )


def judge(flow: Flow, device_id: str, settings: CongestionSettings) -> Verdict:
    """Tell whether a flow is jammed, free, or neither clearly."""
    default = flow.free_flow_kmh or settings.free_flow_kmh
    limit_kmh = settings.speed_ratio * settings.free_flow_by_station.get(device_id, default)
    if flow.speed_kmh < limit_kmh and flow.occupancy > settings.occupancy:
        return Verdict.JAMMED
    is_fast = flow.speed_kmh > limit_kmh + settings.speed_deadband_kmh
    is_open = flow.occupancy < settings.occupancy - settings.occupancy_deadband
    return Verdict.FREE if is_fast or is_open else Verdict.BETWEEN
