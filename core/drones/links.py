"""How a drone is heard: by its autopilot's heartbeats on each link, and on which link best."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from core.drones.model import DEGRADED_S, LOST_S, DroneReport, LinkHealth, LinkStatus, Signing

REGAIN_N, REGAIN_WITHIN_S = 2, 3.0
"""Heartbeats that a lost link needs, within so long, before it counts again."""

AGAIN_WITHIN_S = 15.0
"""A node that begins waits so long for a drone that flew when it ended: links must open, and drones speak."""

HYSTERESIS_S = 3.0
"""A better link is taken once it was better for so long; a lost one is left at once."""

HIGH_LATENCY_LOST_S = 90.0
FORGOTTEN_S = 600.0
"""A way that brought no heartbeat for so long, and is not used, is no longer shown."""

LOSS_STEP = 0.05
"""Links whose losses differ by less are equally good."""

_RANKS = {LinkHealth.LIVE: 0, LinkHealth.DEGRADED: 1, LinkHealth.LOST: 2}

Key = tuple[str, str]
"""Link and path."""


@dataclass(slots=True)
class _Heard:
    health: LinkHealth = LinkHealth.LOST
    heartbeats: deque[datetime] = field(default_factory=lambda: deque(maxlen=REGAIN_N))
    loss: float | None = None
    signing: Signing = Signing.OFF
    is_high_latency: bool = False

    def beat(self, at: datetime) -> None:
        is_first = not self.heartbeats
        self.heartbeats.append(at)
        if self.health is LinkHealth.LOST and not is_first and not self._is_regained():
            return
        self.health = LinkHealth.LIVE

    def _is_regained(self) -> bool:
        if self.is_high_latency:
            return True
        beats = self.heartbeats
        return len(beats) == REGAIN_N and (beats[-1] - beats[0]).total_seconds() <= REGAIN_WITHIN_S

    def watch(self, now: datetime) -> None:
        if self.health is LinkHealth.LOST or not self.heartbeats:
            return
        age_s = (now - self.heartbeats[-1]).total_seconds()
        if age_s >= (HIGH_LATENCY_LOST_S if self.is_high_latency else LOST_S):
            self.health = LinkHealth.LOST
        elif age_s >= DEGRADED_S and not self.is_high_latency:
            self.health = LinkHealth.DEGRADED


class DroneLinks:
    """The links of one drone.

    Threads: the node's loop.
    """

    def __init__(self) -> None:
        """Start unheard."""
        self._heard: dict[Key, _Heard] = {}
        self._used: Key | None = None
        self._better_since: tuple[Key, datetime] | None = None
        self._before: tuple[datetime, datetime] | None = None
        self.lost_at: datetime | None = None

    def remember(self, heartbeat_at: datetime, now: datetime) -> None:
        """Note when it was heard last before the node ended; it has `AGAIN_WITHIN_S` to be heard again."""
        self._before = (heartbeat_at, now)

    @property
    def link_ids(self) -> set[str]:
        """Where it is heard, or was."""
        return {link_id for link_id, _ in self._heard}

    @property
    def health(self) -> LinkHealth:
        """How the drone is heard on the link that is used."""
        return self._heard[self._used].health if self._used is not None else LinkHealth.LOST

    @property
    def heartbeat_at(self) -> datetime | None:
        """When its autopilot spoke last, on whichever link."""
        before = None if self._before is None else self._before[0]
        return max((heard.heartbeats[-1] for heard in self._heard.values() if heard.heartbeats), default=before)

    @property
    def signing(self) -> Signing:
        """What is known of the signatures on the used link."""
        return self._heard[self._used].signing if self._used is not None else Signing.OFF

    def take(self, report: DroneReport, now: datetime) -> bool:
        """Note what came on which link; returns whether the state is made of it."""
        key = (report.link_id, report.path)
        heard = self._heard.setdefault(key, _Heard())
        heard.signing = report.signing
        if report.loss is not None:
            heard.loss = report.loss
        if report.is_heartbeat:
            heard.is_high_latency = report.is_high_latency
            heard.beat(report.at)
        if self._used is None:
            self._used = key
        self.watch(now)
        return key == self._used

    def watch(self, now: datetime) -> bool:
        """Look at the ages; returns whether something is otherwise than before."""
        before = self._shape()
        for heard in self._heard.values():
            heard.watch(now)
        self._choose(now)
        self._forget(now)
        if self.health is LinkHealth.LOST and self.heartbeat_at is not None and not self._may_still_be_heard(now):
            self.lost_at = self.lost_at or now
        else:
            self.lost_at = None
        return self._shape() != before

    def _may_still_be_heard(self, now: datetime) -> bool:
        if self._before is None or any(heard.heartbeats for heard in self._heard.values()):
            return False
        return (now - self._before[1]).total_seconds() < AGAIN_WITHIN_S

    def statuses(self) -> tuple[LinkStatus, ...]:
        """Return every link, the used one marked."""
        return tuple(
            LinkStatus(
                link_id=link_id,
                path=path,
                health=heard.health,
                heartbeat_at=heard.heartbeats[-1] if heard.heartbeats else None,
                loss=heard.loss,
                is_used=(link_id, path) == self._used,
                signing=heard.signing,
            )
            for (link_id, path), heard in self._heard.items()
        )

    def _forget(self, now: datetime) -> None:
        """Drop ways that a drone came by long ago: a modem that calls anew has another port each time."""
        gone = [
            key
            for key, heard in self._heard.items()
            if key != self._used and heard.heartbeats and (now - heard.heartbeats[-1]).total_seconds() > FORGOTTEN_S
        ]
        for key in gone:
            del self._heard[key]

    def _shape(self) -> tuple[object, ...]:
        return (self._used, self.lost_at is None, *(heard.health for heard in self._heard.values()))

    def _choose(self, now: datetime) -> None:
        if self._used is None:
            return
        best = min(self._heard, key=self._rank)
        if self._rank(best) >= self._rank(self._used):
            self._better_since = None
            return
        if self._better_since is None or self._better_since[0] != best:
            self._better_since = (best, now)
        is_settled = (now - self._better_since[1]).total_seconds() >= HYSTERESIS_S
        if is_settled or self.health is LinkHealth.LOST:
            self._used, self._better_since = best, None

    def _rank(self, key: Key) -> tuple[int, int]:
        heard = self._heard[key]
        return _RANKS[heard.health], round((heard.loss or 0.0) / LOSS_STEP)
