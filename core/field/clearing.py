"""What is still to be taken away from the broker, and devices that are gone; kept over restarts until it is done.

A broker that was away, froze, or lost its last minutes brings back what stood on it. What a removed device left there
does not make the device known again; the device itself does, by what it says afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.field.mqtt_link import SESSION_EXPIRY_S
from core.kernel.clock import Clock
from core.store.tables import DeviceRow, RemovedDeviceRow, RetainedClearRow

MAX_GONE = 50_000
AGAIN_AFTER_S = 60.0
"""What the broker did not confirm for so long is handed over once more: another message may have taken its place."""

MAX_AT_ONCE = 500
"""Topics that are handed to the link in one go, so that it has room for what else is to be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What a device that is removed leaves behind.

    Attributes:
        gone_at: The removal, by the device's own clock.
        topics: Where something of it may stand on the broker.
    """

    device_id: str
    gone_at: datetime
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearingChanges:
    """What the store does not know yet: topics that are to be cleared, those that are not any more, who came back."""

    wanted: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    back: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.wanted or self.done or self.back)


class Send(Protocol):
    """Take away what is retained on a topic; False where the link has no room for it now."""

    def __call__(self, topic: str, on_done: Callable[[], None]) -> bool:
        """Call `on_done` once the broker confirmed it."""
        ...


class Clearing:
    """Follows what is to be cleared and who is gone.

    Threads: the owner's loop only.
    """

    def __init__(self, send: Send, clock: Clock) -> None:
        """Start with nothing to do."""
        self._send = send
        self._clock = clock
        self._waiting: dict[str, None] = {}
        self._sent: dict[str, float] = {}
        self._gone: dict[str, datetime] = {}
        self._topics_of: dict[str, tuple[str, ...]] = {}
        self._wanted: dict[str, None] = {}
        self._done: dict[str, None] = {}
        self._back: dict[str, None] = {}

    def load(self, session: Session) -> None:
        """Take over what an earlier run left undone; within `Store.read`, before anything else is called."""
        left = list(session.execute(select(RetainedClearRow.topic, RetainedClearRow.device_id)))
        by_age = select(RemovedDeviceRow.device_id, RemovedDeviceRow.gone_at).order_by(
            RemovedDeviceRow.removed_at.desc()
        )
        self._gone = {row.device_id: row.gone_at for row in session.execute(by_age.limit(MAX_GONE))}
        self._waiting = dict.fromkeys(row.topic for row in left)
        self._topics_of = {}
        for row in left:
            self._topics_of[row.device_id] = (*self._topics_of.get(row.device_id, ()), row.topic)
        known = select(DeviceRow.device_id).join(RemovedDeviceRow, RemovedDeviceRow.device_id == DeviceRow.device_id)
        for device_id in session.scalars(known):
            self.come_back(device_id)

    def add(self, remains: Remains) -> None:
        """A device was removed, and the store knows it; see `store_remains`."""
        self._gone[remains.device_id] = remains.gone_at
        self._topics_of[remains.device_id] = remains.topics
        self._back.pop(remains.device_id, None)
        for topic in remains.topics:
            self._done.pop(topic, None)
            self._waiting[topic] = None
        self.send_some()

    def want(self, topic: str) -> None:
        """Something of ours has to be taken away from the broker."""
        self._done.pop(topic, None)
        self._wanted[topic] = self._waiting[topic] = None
        self.send_some()

    def drop(self, topic: str) -> None:
        """Something stands there again that has to stay."""
        if topic in self._waiting or topic in self._sent:
            self._waiting.pop(topic, None)
            self._sent.pop(topic, None)
            self._note_done(topic)

    def come_back(self, device_id: str) -> None:
        """A removed device was added again, or speaks."""
        if self._gone.pop(device_id, None) is None:
            return
        self._back[device_id] = None
        for topic in self._topics_of.pop(device_id, ()):
            self.drop(topic)

    def gone_at(self, device_id: str) -> datetime | None:
        """Return when a device was removed, by its own clock; None where it was not."""
        return self._gone.get(device_id)

    def send_some(self) -> None:
        """Hand the next topics to the link; call it once a second and where something is new."""
        now_s = self._clock.monotonic()
        for topic in [topic for topic, sent_s in self._sent.items() if now_s - sent_s >= AGAIN_AFTER_S]:
            del self._sent[topic]
            self._waiting[topic] = None
        for topic in list(self._waiting)[: max(0, MAX_AT_ONCE - len(self._sent))]:
            if not self._send(topic, partial(self._on_done, topic)):
                return
            del self._waiting[topic]
            self._sent[topic] = now_s

    def take_unsaved(self) -> ClearingChanges:
        """Return what the store does not know yet."""
        changes = ClearingChanges(wanted=tuple(self._wanted), done=tuple(self._done), back=tuple(self._back))
        self._wanted, self._done, self._back = {}, {}, {}
        return changes

    def put_back(self, changes: ClearingChanges) -> None:
        """The store did not take them."""
        self._wanted = {**dict.fromkeys(t for t in changes.wanted if t not in self._done), **self._wanted}
        self._done = {**dict.fromkeys(t for t in changes.done if t not in self._wanted), **self._done}
        self._back = {**dict.fromkeys(d for d in changes.back if d not in self._gone), **self._back}

    def _on_done(self, topic: str) -> None:
        if self._sent.pop(topic, None) is not None:
            self._note_done(topic)

    def _note_done(self, topic: str) -> None:
        self._wanted.pop(topic, None)
        self._done[topic] = None


def gone_by_its_clock(now: datetime, skew_s: float | None) -> datetime:
    """Return the present as a device's own clock has it."""
    try:
        return now + timedelta(seconds=skew_s or 0.0)
    except OverflowError:
        return now


def is_from_before(ts: datetime | None, gone_at: datetime, *, is_retained: bool) -> bool:
    """Tell whether a message is older than the removal of its device.

    Args:
        ts: When it was said, by the device's clock; None where the message does not tell.
        gone_at: The removal, by the same clock.
        is_retained: It stood on the broker. What did not may have waited there, as long as a session is kept.
    """
    if ts is None:
        return is_retained
    return ts <= gone_at and (is_retained or gone_at - ts <= timedelta(seconds=SESSION_EXPIRY_S))


def store_remains(session: Session, remains: Iterable[Remains], at: datetime) -> None:
    """Keep who was removed and what is to be cleared; in the transaction that removes them."""
    gone = {one.device_id: one for one in remains}
    topics = {topic: one.device_id for one in gone.values() for topic in one.topics}
    if not gone:
        return
    _delete(session, RemovedDeviceRow.device_id, tuple(gone))
    _delete(session, RetainedClearRow.topic, tuple(topics))
    session.execute(
        insert(RemovedDeviceRow),
        [{"device_id": one.device_id, "gone_at": one.gone_at, "removed_at": at} for one in gone.values()],
    )
    if topics:
        session.execute(
            insert(RetainedClearRow), [{"topic": topic, "device_id": device_id} for topic, device_id in topics.items()]
        )


def save_clearing(session: Session, changes: ClearingChanges) -> None:
    """Write what changed; within `Store.write`."""
    _delete(session, RetainedClearRow.topic, changes.done)
    _delete(session, RemovedDeviceRow.device_id, changes.back)
    for topic in changes.wanted:
        session.merge(RetainedClearRow(topic=topic, device_id=""))


def _delete(session: Session, column: InstrumentedAttribute[str], keys: Sequence[str]) -> None:
    for begin in range(0, len(keys), MAX_AT_ONCE):
        session.execute(delete(column.class_).where(column.in_(keys[begin : begin + MAX_AT_ONCE])))
