"""Entry and exit: vehicles that are in a lot, from counters that only ever rise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.parking.model import GateFigures

MAX_STEP = 5000
"""Vehicles between two messages; more is a counter that jumped."""

UNSEEN_AFTER_S = 10.0
"""A camera at a gate that says nothing for so long was not watching."""

MAX_UNSEEN_S = 60.0
"""Time in which nobody watched a gate, after which its count is no figure any more."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Gates:
    """The gates of one lot.

    Counters tell totals since they were switched on, so that a lost message loses nothing. A total that falls begins
    anew: what passed in between is not known, and is said.

    Attributes:
        n_inside: Vehicles in the lot; None until somebody set the count.
        set_at: When the count was set.
        n_restarts: Counters that began anew since then.
        n_jumps: Times that a counter rose by more than can be true.
    """

    n_inside: int | None = None
    set_at: datetime | None = None
    n_entered: int = 0
    n_left: int = 0
    n_restarts: int = 0
    n_jumps: int = 0
    at: datetime | None = None
    unseen_s: float = 0.0
    """Time in which the cameras at the gates were away since the count was set, all together."""

    _seen: dict[str, datetime] = field(default_factory=dict)
    _totals: dict[str, tuple[datetime, int, int]] = field(default_factory=dict)

    def set_count(self, n_inside: int, at: datetime) -> None:
        """Begin with a known count: what passes the gates from now on is added and taken away."""
        self.n_inside, self.set_at, self.at = n_inside, at, at
        self.n_entered = self.n_left = self.n_restarts = self.n_jumps = 0
        self.unseen_s = 0.0

    def cross(self, gate: str, *, is_entry: bool, at: datetime) -> None:
        """Count one vehicle that a camera saw at a gate."""
        _, entered, left = self._totals.get(gate, (at, 0, 0))
        self._totals[gate] = (at, entered + is_entry, left + (not is_entry))
        self.n_entered += is_entry
        self.n_left += not is_entry
        self.at = at if self.at is None else max(self.at, at)

    def watch(self, camera_id: str, at: datetime) -> bool:
        """Note that a camera watches its gates; returns whether it was away before."""
        known = self._seen.get(camera_id)
        self._seen[camera_id] = at
        self.at = at if self.at is None else max(self.at, at)
        away_s = (at - known).total_seconds() if known is not None else 0.0
        if away_s > UNSEEN_AFTER_S:
            self.unseen_s += away_s
        return known is None or away_s > UNSEEN_AFTER_S

    def keep(self, camera_ids: Iterable[str]) -> None:
        """Forget cameras that are no gates of the lot any more."""
        kept = set(camera_ids)
        self._seen = {camera_id: at for camera_id, at in self._seen.items() if camera_id in kept}

    def unwatched(self, camera_ids: Iterable[str], now: datetime) -> list[str]:
        """Return those cameras that do not watch right now."""
        return [one for one in camera_ids if (now - self._seen.get(one, _LONG_AGO)).total_seconds() > UNSEEN_AFTER_S]

    def take(self, gate: str, *, entered: int, left: int, at: datetime) -> bool:
        """Take a gate's totals.

        Returns:
            Whether the count may be another; False also for what came late.
        """
        known = self._totals.get(gate)
        if known is not None and at < known[0]:
            return False
        self._totals[gate] = (at, entered, left)
        self.at = at if self.at is None else max(self.at, at)
        if known is None:
            return False
        came, went = entered - known[1], left - known[2]
        if came < 0 or went < 0:
            self.n_restarts += 1
            came, went = (entered, left) if max(entered, left) <= MAX_STEP else (0, 0)
        if max(came, went) > MAX_STEP:
            self.n_jumps += 1
            return False
        self.n_entered += came
        self.n_left += went
        return bool(came or went)

    @property
    def n_now(self) -> int | None:
        """Vehicles inside by the counters, as they say it: below zero or above the capacity shows their drift."""
        return None if self.n_inside is None else self.n_inside + self.n_entered - self.n_left

    @property
    def figures(self) -> GateFigures | None:
        """What is shown; None where no gate has spoken."""
        if not self._totals and not self._seen:
            return None
        return GateFigures(n_inside=self.n_now, n_entered=self.n_entered, n_left=self.n_left, set_at=self.set_at)

    def faults(self, name: str, capacity: int) -> tuple[str, ...]:
        """Say what cannot be right, each with a way out."""
        found = []
        way_out = "Set the count again, and look at the counters."
        n_now = self.n_now
        if n_now is not None and n_now < 0:
            found.append(f"{-n_now} more vehicles left {name} than were in it. {way_out}")
        if n_now is not None and capacity and n_now > capacity:
            found.append(f"Entry and exit count {n_now} vehicles in {name}, which has {capacity} bays. {way_out}")
        if self.n_restarts:
            found.append(f"A counter of {name} began anew {self.n_restarts} times since the count was set. {way_out}")
        if self.n_jumps:
            found.append(f"A counter of {name} jumped {self.n_jumps} times by more than {MAX_STEP:,}. {way_out}")
        if n_now is not None and self.unseen_s > MAX_UNSEEN_S:
            found.append(
                f"Cameras at the gates of {name} were away for {self.unseen_s / 60.0:.0f} minutes since the count was "
                "set: who passed then is not counted. Set the count again."
            )
        return tuple(found)
