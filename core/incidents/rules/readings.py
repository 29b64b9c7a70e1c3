"""Stored readings replayed through the limits of a rule as it is and as it would be, piece by piece.

A piece is read by a reader of the store and replayed off the loop, so that a week of many devices holds nobody up and
never stands in memory as a whole: what is kept is where a number went beyond its limit and came back.

As in the room, what is doubtful or late neither begins nor ends anything, and neither does what an earlier message was
overtaken by. The room tells a stream ten times a second at most; what comes faster is replayed completely.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.field.kinds.base import AlarmDefault
from core.field.limits import LimitWatch
from core.field.model import Device, Reading
from core.field.registry import LATE_S
from core.incidents.model import Condition
from core.incidents.rules.book import RuleBook
from core.incidents.rules.heard import Heard
from core.incidents.rules.values import condition_of_limit, limits_of, value_condition
from core.store.tables import ReadingRow

PIECE = 1000
MAX_READINGS = 5_000_000
MAX_CHANGES = 100_000
"""Times that numbers went beyond their limits or came back; more of it is a rule that nobody wants."""

LEAD = timedelta(hours=1)
"""Replayed before the span: what stands at its begin was raised before it."""

_LATE = timedelta(seconds=LATE_S)
Course = list[Heard]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A device and those of its limits that follow the rule, before and after the change."""

    device: Device
    as_it_is: tuple[AlarmDefault, ...]
    changed: tuple[AlarmDefault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The next readings of one stream; without a stream, the device has no more."""

    stream: str | None = None
    rows: tuple[tuple[int, datetime, dict[str, float], bool, bool], ...] = ()


@dataclass(slots=True)
class _Waiting:
    """A reading that may have been overtaken."""

    number: int
    reading: Reading
    is_overtaken: bool = False


def subjects_of(
    rule_id: str, devices: Iterable[Device], *, as_it_is: RuleBook, changed: RuleBook
) -> tuple[Subject, ...]:
    """Return the devices whose numbers a rule judges, by either book."""
    found = (
        Subject(
            device=device,
            as_it_is=_limits_of_rule(rule_id, device, as_it_is),
            changed=_limits_of_rule(rule_id, device, changed),
        )
        for device in devices
    )
    return tuple(subject for subject in found if subject.as_it_is or subject.changed)


def _limits_of_rule(rule_id: str, device: Device, book: RuleBook) -> tuple[AlarmDefault, ...]:
    def is_of_rule(default: AlarmDefault) -> bool:
        rule = book.rule_of(condition_of_limit(device, default))
        return rule is not None and rule.rule_id == rule_id

    return tuple(default for default in limits_of(device, book) if is_of_rule(default))


class ReadingReplay:
    """Goes through devices, streams and readings in order; `read` and `take` in turn until `is_over`.

    Threads: one call at a time, from any.
    """

    def __init__(
        self, subjects: tuple[Subject, ...], *, since: datetime, until: datetime, n_most: int = MAX_READINGS
    ) -> None:
        """Prepare; at most `n_most` readings are replayed."""
        self._subjects = subjects
        self._since, self._until, self._n_most = since - LEAD, until, n_most
        self._at = 0
        self._stream: str | None = None
        self._last_stream = ""
        self._after: datetime | None = None
        self._waiting: deque[_Waiting] = deque()
        self._watches = (LimitWatch(), LimitWatch())
        self._conditions: dict[tuple[str, AlarmDefault], Condition] = {}
        self.as_it_is: Course = []
        self.changed: Course = []
        self.first_at: dict[str, datetime] = {}
        """By device: its first reading. Before it only the journal knows."""

        self.n_readings = 0

    @property
    def is_over(self) -> bool:
        """Nothing is left, or as much was replayed as may be."""
        return self._at >= len(self._subjects) or self.is_cut

    @property
    def is_cut(self) -> bool:
        """There is more than may be replayed."""
        n_changes = max(len(self.as_it_is), len(self.changed))
        return self._at < len(self._subjects) and (self.n_readings >= self._n_most or n_changes >= MAX_CHANGES)

    @property
    def n_devices(self) -> int:
        """Devices that were replayed completely."""
        return self._at

    @property
    def fraction(self) -> float:
        """How far it is, 0 to 1; time counts within a device, with the streams that nobody has counted as one."""
        if not self._subjects:
            return 1.0
        span_s = (self._until - self._since).total_seconds()
        within = 0.0 if self._after is None else (self._after - self._since).total_seconds() / span_s
        return min(1.0, (self._at + 0.9 * within) / len(self._subjects))

    def read(self, session: Session) -> Piece:
        """Read the next piece; within `Store.read`, changes nothing here."""
        device_id = self._subjects[self._at].device.device_id
        stream = self._stream
        if stream is None:
            stream = session.scalar(
                select(func.min(ReadingRow.stream)).where(
                    ReadingRow.device_id == device_id, ReadingRow.stream > self._last_stream
                )
            )
        if stream is None:
            return Piece()
        begin = ReadingRow.at >= self._since if self._after is None else ReadingRow.at > self._after
        query = (
            select(ReadingRow.reading_id, ReadingRow.at, ReadingRow.values, ReadingRow.is_good, ReadingRow.is_history)
            .where(ReadingRow.device_id == device_id, ReadingRow.stream == stream, begin, ReadingRow.at < self._until)
            .order_by(ReadingRow.at)
            .limit(PIECE)
        )
        return Piece(stream=stream, rows=tuple((*row,) for row in session.execute(query)))

    def take(self, piece: Piece) -> None:
        """Replay a piece and go on to what comes after it."""
        subject = self._subjects[self._at]
        if piece.stream is None:
            self._at += 1
            self._last_stream = ""
            self._watches = (LimitWatch(), LimitWatch())
            self._conditions.clear()
            return
        for number, at, values, is_good, is_history in piece.rows:
            self._add(number, _reading(subject.device.device_id, piece.stream, at, values, is_good, is_history))
            self._pass_on(subject, until=at - _LATE)
        self.n_readings += len(piece.rows)
        if len(piece.rows) == PIECE:
            self._stream, self._after = piece.stream, piece.rows[-1][1]
            return
        self._pass_on(subject, until=self._until)
        self._stream, self._after, self._last_stream = None, None, piece.stream

    def _add(self, number: int, reading: Reading) -> None:
        if reading.is_history:
            return
        for waiting in self._waiting:
            waiting.is_overtaken |= waiting.number > number
        self._waiting.append(_Waiting(number, reading))

    def _pass_on(self, subject: Subject, *, until: datetime) -> None:
        while self._waiting and self._waiting[0].reading.at <= until:
            waiting = self._waiting.popleft()
            if waiting.is_overtaken:
                # A newer value was known already when it came.
                continue
            self.first_at.setdefault(subject.device.device_id, waiting.reading.at)
            self._judge(subject, waiting.reading)

    def _judge(self, subject: Subject, reading: Reading) -> None:
        before, after = self._watches
        self.as_it_is += self._heard(subject.device, before, subject.as_it_is, reading)
        self.changed += self._heard(subject.device, after, subject.changed, reading)

    def _heard(
        self, device: Device, watch: LimitWatch, limits: tuple[AlarmDefault, ...], reading: Reading
    ) -> Iterator[Heard]:
        for passed in watch.take(reading, limits, reading.at.timestamp()):
            key = passed.stream, passed.default
            if key not in self._conditions:
                # One for all times: what was measured each time is of no interest here.
                self._conditions[key] = value_condition(device, passed)
            yield Heard(at=reading.at, condition=self._conditions[key], is_raise=passed.is_beyond, is_measured=True)


def _reading(
    device_id: str, stream: str, at: datetime, values: dict[str, Any], is_good: bool, is_history: bool
) -> Reading:
    return Reading(device_id=device_id, stream=stream, at=at, values=values, is_good=is_good, is_history=is_history)
