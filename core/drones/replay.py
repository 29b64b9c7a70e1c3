"""A flight once more: its log played up to any instant, with the state that was known then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from core.drones.merge import LiveDrone
from core.drones.model import DroneReport, DroneState, Flight, TrackPoint

BEFORE = timedelta(seconds=60)
"""What a drone said so long before its flight still counts: home, mission and mode come rarely."""


class Replay:
    """Plays one log forwards, from the beginning again where somebody goes back.

    Every report is taken in its order, however fast it is played: the state at an instant is always the same.
    """

    def __init__(self, drone_id: str, reports: Callable[[], Iterator[DroneReport]]) -> None:
        """Play what `reports` yields; it is called once more for each way back."""
        self._drone_id = drone_id
        self._reports = reports
        self._rewind()

    def _rewind(self) -> None:
        self._live = LiveDrone(self._drone_id)
        self._coming = self._reports()
        self._next = next(self._coming, None)
        self._at: datetime | None = None

    def state_at(self, at: datetime) -> DroneState:
        """Return what was known at an instant."""
        if self._at is not None and at < self._at:
            self._rewind()
        while self._next is not None and self._next.at <= at:
            self._live.take(self._next, self._next.at)
            self._next = next(self._coming, None)
        self._at = at
        self._live.watch(at)
        return self._live.state


def reports_of_track(flight: Flight, track: tuple[TrackPoint, ...]) -> Iterator[DroneReport]:
    """Yield what a stored track says, for flights whose bytes are not kept."""
    for point in track:
        figures = {
            key: value
            for key in ("altitude_amsl_m", "altitude_home_m", "ground_speed_mps", "heading_deg")
            if (value := getattr(point, key)) is not None
        }
        yield DroneReport(drone_id=flight.drone_id, link_id="track", at=point.at, position=point.point, values=figures)
