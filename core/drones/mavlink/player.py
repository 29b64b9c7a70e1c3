"""A log played without waiting: the same intake as a link, by the log's own times."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from core.drones.mavlink.intake import Intake
from core.drones.model import DroneReport

FLUSH = timedelta(seconds=0.1)


def reports_of(entries: Iterable[tuple[datetime, bytes]], link_id: str) -> Iterator[DroneReport]:
    """Yield what a log says of each drone, ten times a second of its own time."""
    intake = Intake(link_id, max_messages_per_s=math.inf)
    due: datetime | None = None
    for at, data in entries:
        # A clock that steps back begins anew.
        if due is None or at >= due or due - at > 2 * FLUSH:
            yield from intake.flush()
            due = at + FLUSH
        intake.feed(data, at)
    yield from intake.flush()
