"""What a camera measures by the minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

COMPLETE_S = 57.0
"""Of a minute that was seen as a whole, but for a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowMinute:
    """What one lane, line or zone of a camera measured in one minute, or how many went from one zone to another.

    None means not known, which is not zero.

    Attributes:
        subject: "lane", "line", "zone" or "od" (origin to destination).
        key: Of the lane, line or zone; "FROM>TO" for an origin and destination.
        direction: The line's direction name; empty otherwise.
        label: Class of the vehicles, or "person" of people on foot; empty for figures over all classes of vehicles.
        observed_s: Seconds of the minute that were really seen; a camera that was away for a half says 30.
        n_vehicles: That passed or were counted; people where `label` is "person".
        speed_kmh: Mean over vehicles.
        speed_error_kmh: One standard deviation of that mean, from the road plane and the boxes.
        occupancy: Share of the time that the lane's middle was covered, 0..1.
        density_per_km: Vehicles on a kilometre of the lane.
        queue_m: Longest queue in the minute.
    """

    camera_id: str
    subject: str
    key: str
    minute: datetime
    direction: str = ""
    label: str = ""
    observed_s: float = 60.0
    n_vehicles: int | None = None
    speed_kmh: float | None = None
    speed_error_kmh: float | None = None
    occupancy: float | None = None
    density_per_km: float | None = None
    queue_m: float | None = None

    @property
    def is_complete(self) -> bool:
        """The camera was seen for the whole minute, but for a moment."""
        return self.observed_s >= COMPLETE_S
