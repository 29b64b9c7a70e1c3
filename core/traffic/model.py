"""Traffic figures as stored: counts over lines, and what stations measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCount:
    """Vehicles over one line in one minute; how much of it was watched, the line's `FlowMinute` says."""

    camera_id: str
    line_key: str
    direction: str
    label: str
    minute: datetime
    n_vehicles: int
