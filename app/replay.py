"""A moment of a flight that is replayed, as the panels share it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.drones.model import Drone, DroneState, TrackPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What every panel shows as long as a flight is replayed, plainly marked.

    Attributes:
        state: As it was at that moment; its ages count from `at`, not from now.
        track: Of the whole flight, oldest first.
    """

    drone: Drone
    state: DroneState
    at: datetime
    track: tuple[TrackPoint, ...]
