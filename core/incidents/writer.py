"""The one way in which alarms change: written with their journal in one transaction, published after its commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.incidents.model import Alarm, AlarmChanged, CallMoved, Incident, IncidentChanged
from core.kernel.bus import Bus
from core.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a transaction changed, to be published after its commit.

    Attributes:
        answer: The alarm that was asked about, changed or not.
        followed: The incident that a sighting joined without a call of its own.
        moved: The closed incident that a call left, and the one that it calls in now.
        is_known: It was stored before, by a try whose answer got lost.
    """

    answer: Alarm | None = None
    alarms: tuple[Alarm, ...] = ()
    incidents: tuple[Incident, ...] = ()
    used_evidence: bool = False
    followed: str = ""
    moved: tuple[CallMoved, ...] = ()
    is_known: bool = False


class AlarmWriter:
    """Commits, then tells.

    Threads: the owner's loop.
    """

    def __init__(self, store: Store, bus: Bus) -> None:
        """Write to this store and tell on this bus."""
        self._store = store
        self._bus = bus

    async def commit(self, run: Callable[[Session], Changed]) -> Changed:
        """Write, and publish what was written; whatever fails publishes nothing."""
        return (await self.commit_all(lambda session: (run(session),)))[0]

    async def commit_all(self, run: Callable[[Session], tuple[Changed, ...]]) -> tuple[Changed, ...]:
        """Write several changes in one go, and publish them in their order; whatever fails publishes nothing."""
        changes = await self._store.write(run)
        for changed in changes:
            for move in changed.moved:
                self._bus.publish(move)
            for incident in changed.incidents:
                self._bus.publish(IncidentChanged(incident=incident))
            for alarm in changed.alarms:
                self._bus.publish(AlarmChanged(alarm=alarm))
        return changes


def joined(changes: Iterable[Changed]) -> Changed:
    """Return several changes of one transaction as one; of an alarm that changed twice the last state counts."""
    parts = list(changes)
    alarms = {alarm.alarm_id: alarm for part in parts for alarm in part.alarms}
    incidents = {incident.incident_id: incident for part in parts for incident in part.incidents}
    moved = tuple(move for part in parts for move in part.moved)
    return Changed(alarms=tuple(alarms.values()), incidents=tuple(incidents.values()), moved=moved)
