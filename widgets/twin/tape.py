"""A past hour of bays: what was known at each instant of it. No Qt, no VTK."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from core.kernel.zone import to_site
from core.parking.model import BayChange, BayStatus
from widgets.twin.scene import BayKey

HOUR = timedelta(hours=1)


class Mode(StrEnum):
    """Which time the scene shows."""

    LIVE = "live"
    REPLAY = "replay"
    FORECAST = "forecast"


@dataclass(frozen=True, slots=True)
class Moment:
    """What the operator wants to see: now, or an instant before or after it."""

    mode: Mode = Mode.LIVE
    at: datetime | None = None


LIVE = Moment()


def moment_of(at: datetime, now: datetime) -> Moment:
    """Return an instant as replay or as forecast."""
    return Moment(Mode.REPLAY if at <= now else Mode.FORECAST, at)


def hour_of(at: datetime) -> datetime:
    """Return the full hour that an instant lies in, by the clock of the site."""
    local = to_site(at)
    return at - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


class Tape:
    """Every change of one lot within an hour, and how its bays stood when it began."""

    def __init__(self, changes: Iterable[BayChange]) -> None:
        self._changes = sorted(changes, key=lambda change: change.at)

    @property
    def n_changes(self) -> int:
        """How many changes are known."""
        return len(self._changes)

    def statuses_at(self, at: datetime) -> list[BayStatus]:
        """Return what was known at an instant; a bay of which nobody had said anything is left out."""
        newest: dict[BayKey, BayStatus] = {}
        for change in self._changes:
            if change.at > at:
                break
            key = (change.lot_id, change.bay_id)
            before = newest.get(key)
            is_same = before is not None and before.state is change.state
            newest[key] = BayStatus(
                lot_id=change.lot_id,
                bay_id=change.bay_id,
                state=change.state,
                # That a state became stale, or was confirmed, is no beginning of it.
                since=before.since if is_same and before is not None else change.at,
                at=change.at,
                confidence=change.confidence,
                source=change.source,
                is_stale=change.is_stale,
            )
        return list(newest.values())
