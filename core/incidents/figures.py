"""How the alarm system itself does, counted from the journal; nothing is kept in memory between two questions.

What counts, and how:
    call: a row of the journal in the span that called the operator.
    10 minutes, hours: counted from the span's begin, the last one as far as it goes.
    flood: begins with the call that makes more than 10 in 10 minutes, ends when fewer than 5 are left (`flood`).
    time to acknowledge: from the first call since the alarm was last answered or held, to the acknowledge.
    chattering, repeating: the third raise of a condition within 60 s, within 10 min, and every further one.
    fleeting: over within 10 s, and not acknowledged by then.
    stale: active for more than 24 h.

Every position of this room is called by every alarm, so its load is the room's; what differs is who answered.

Source of the targets: ISA-18.2, IEC 62682 and EEMUA 191 as several secondary copies agree (study/control_room.md 1A).
They are shown for comparison; nothing here claims conformance.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Executable, Float, String, cast, exists, extract, or_, select, type_coerce
from sqlalchemy.orm import Session, aliased

from core.incidents import flood
from core.incidents.machine import Trigger
from core.incidents.model import AlarmState, Priority
from core.incidents.signals import CHATTER_S, N_NUISANCE, REPEAT_S
from core.incidents.timers import STALE_AFTER
from core.kernel.errors import BadInputError
from core.store.tables import AlarmJournalRow, AlarmRow

MAX_SPAN = timedelta(days=400)
BIN_S = 600
HOUR_S = 3600
BUSY_BIN = 10
BUSY_HOUR = 30
FLEETING_S = 10.0
N_TOP = 10
CHUNK = 50_000
MAX_IDS = 500
RECOMMENDED_SPLIT = {Priority.CRITICAL: 1.0, Priority.HIGH: 5.0, Priority.MEDIUM: 15.0, Priority.LOW: 80.0}
"""Per cent of what is annunciated, with four levels; the highest less than that."""

_US = 1_000_000
_WAITING = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED, AlarmState.LATCHED_UNACKNOWLEDGED})
_STATES = tuple(AlarmState)
_EVENTS = tuple(Trigger)
_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopAlarm:
    """One of the conditions that call most; `share` of all calls, 0..1."""

    condition_key: str
    title: str
    source_name: str
    n_calls: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How soon alarms were acknowledged; None without any."""

    n: int
    p50_s: float | None
    p95_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What was answered at one desk."""

    desk: str
    answers: Answers


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodTime:
    """One flood, as far as it lies in the span."""

    began_at: datetime
    ended_at: datetime
    n_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the journal says of a span.

    Attributes:
        n_events: Rows of the journal.
        per_hour: Calls in each hour from `since`.
        most_in_10_min, most_in_hour: The busiest of each.
        share_of_busy_bins, share_of_busy_hours: With more than 10, with more than 30 calls.
        top_share: Of the ten conditions that call most, together.
        split: Calls by priority.
        answers: By priority.
        n_waiting, n_standing: Not answered, and active, at the end of the span; what is held is in neither.
        n_stale, most_stale: At the end; on the worst day.
        n_chattering, n_repeating: Raises that were one too many.
        shelved, suppressed, out_of_service: How often in the span, and how many at its end.
    """

    since: datetime
    until: datetime
    n_events: int
    n_calls: int
    per_hour: tuple[int, ...]
    calls_per_10_min: float
    most_in_10_min: int
    most_in_hour: int
    share_of_busy_bins: float
    share_of_busy_hours: float
    top: tuple[TopAlarm, ...]
    top_share: float
    split: dict[Priority, int]
    answers: dict[Priority, Answers]
    positions: tuple[Position, ...]
    n_waiting: int
    n_standing: int
    n_stale: int
    most_stale: int
    n_chattering: int
    n_repeating: int
    n_fleeting: int
    floods: tuple[FloodTime, ...]
    flood_share: float
    shelved: tuple[int, int]
    suppressed: tuple[int, int]
    out_of_service: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The journal as columns, ordered by alarm and then as it was written; shape (n,) each.

    Attributes:
        at_us: Since 1970 [µs].
        alarm, condition, desk: Numbers; `keys` and `desks` have their names.
        in_span: False for what came before and is still needed.
    """

    at_us: _Ints
    alarm: _Ints
    condition: _Ints
    event: _Ints
    state: _Ints
    priority: _Ints
    is_call: _Bools
    desk: _Ints
    in_span: _Bools
    keys: tuple[str, ...]
    desks: tuple[str, ...]


def read_figures(session: Session, *, since: datetime, until: datetime) -> Figures:
    """Return the figures of a span.

    Args:
        session: Of `Store.read`.
        since: Aware.
        until: Aware; not itself part of the span.

    Raises:
        BadInputError: The span is empty or too long.
    """
    if not since < until <= since + MAX_SPAN:
        raise BadInputError(f"Figures are for up to {MAX_SPAN.days} days.", hint="Choose a shorter span.")
    rows = _read(session, since, until)
    top = _top(session, rows)
    return _figures(rows, since, until, top)


# -- reading ----------------------------------------------------------------------------------------------------------


def _read(session: Session, since: datetime, until: datetime) -> _Rows:
    conditions, alarms, of_condition = _Numbers(), _Numbers(), list[int]()

    def learn(wanted: ColumnElement[bool]) -> None:
        for alarm_id, key in session.connection().execute(
            select(AlarmRow.alarm_id, AlarmRow.condition_key).where(wanted)
        ):
            alarms.number(alarm_id)
            of_condition.append(conditions.number(key))

    learn(or_(AlarmRow.is_open, AlarmRow.changed_at >= since))
    events = {trigger.value: number for number, trigger in enumerate(_EVENTS)}
    states = {state.value: number for number, state in enumerate(_STATES)}
    desks = _Numbers()
    parts: list[tuple[npt.NDArray[np.int64], ...]] = []
    for at_us, ids, sequence, names, after, priorities, calls, places in _chunks(session, since, until):
        for place in set(places):
            desks.number(place)
        for name in set(names):
            events.setdefault(name, -1)
        # A clock that was set back leaves alarms that were changed before their last row.
        unknown = sorted(set(ids).difference(alarms.known))
        for begin in range(0, len(unknown), MAX_IDS):
            learn(AlarmRow.alarm_id.in_(unknown[begin : begin + MAX_IDS]))
        alarm = _looked_up(alarms.known, ids)
        columns = (
            at_us,
            alarm,
            np.array(sequence, np.int64),
            _looked_up(events, names),
            _looked_up(states, after),
            np.array(priorities, np.int64),
            np.array(calls, np.int64),
            _looked_up(desks.known, places),
        )
        parts.append(columns)
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)] or [np.zeros(0, np.int64)] * 8
    order = np.lexsort((joined[2], joined[1]))
    at, alarm, _, event, state, priority, is_call, desk = (column[order] for column in joined)
    return _Rows(
        at,
        alarm,
        np.array(of_condition, np.int64)[alarm],
        event,
        state,
        priority,
        is_call.astype(np.bool_),
        desk,
        at >= _us(since),
        conditions.names,
        desks.names,
    )


def _chunks(session: Session, since: datetime, until: datetime) -> Iterator[tuple[Any, ...]]:
    """Yield columns of what came before the span of alarms that it still concerns, and of the span itself."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    at: ColumnElement[object] = (
        type_coerce(AlarmJournalRow.at, String) if is_sqlite else cast(extract("epoch", AlarmJournalRow.at), Float)
    )
    first = aliased(AlarmJournalRow)
    began_before = exists().where(first.alarm_id == AlarmRow.alarm_id, first.sequence == 1, first.at < since)
    concerned = select(AlarmRow.alarm_id).where(or_(AlarmRow.is_open, AlarmRow.changed_at >= since), began_before)
    query = select(
        at,
        AlarmJournalRow.alarm_id,
        AlarmJournalRow.sequence,
        AlarmJournalRow.event,
        AlarmJournalRow.state_after,
        AlarmJournalRow.priority,
        AlarmJournalRow.is_call,
        AlarmJournalRow.desk,
    )
    before = query.where(AlarmJournalRow.at < since, AlarmJournalRow.alarm_id.in_(concerned))
    within = query.where(AlarmJournalRow.at >= since, AlarmJournalRow.at < until)
    for part in itertools.chain.from_iterable(_parts(session, one, is_sqlite=is_sqlite) for one in (before, within)):
        at_column, *others = zip(*part, strict=True)
        if is_sqlite:
            at_us = np.array(at_column, dtype="datetime64[us]").astype(np.int64)
        else:
            at_us = np.round(np.array(at_column, dtype=np.float64) * _US).astype(np.int64)
        yield (at_us, *others)


def _parts(session: Session, query: Executable, *, is_sqlite: bool) -> Iterator[Sequence[Any]]:
    if not is_sqlite:
        yield from session.connection().execute(query, execution_options={"yield_per": CHUNK}).partitions()
        return
    # Straight from the driver: to make a row object of plain values costs more than to read them.
    with session.connection().execute(query) as result:
        assert result.cursor is not None
        while part := result.cursor.fetchmany(CHUNK):
            yield part


class _Numbers:
    """Gives names numbers in the order in which they come."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def number(self, name: str) -> int:
        return self.known.setdefault(name, len(self.known))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.known)


def _looked_up(numbers: dict[str, int], names: Sequence[str]) -> _Ints:
    return np.fromiter(map(numbers.__getitem__, names), np.int64, len(names))


def _top(session: Session, rows: _Rows) -> tuple[TopAlarm, ...]:
    calls = rows.condition[rows.is_call & rows.in_span]
    if not calls.size:
        return ()
    counts = np.bincount(calls, minlength=len(rows.keys))
    found = sorted((-int(n), rows.keys[number]) for number, n in enumerate(counts) if n)[:N_TOP]
    query = (
        select(AlarmRow.condition_key, AlarmRow.title, AlarmRow.source_name)
        .where(AlarmRow.condition_key.in_([key for _, key in found]))
        .order_by(AlarmRow.raised_at)
    )
    words = {key: (title, source_name) for key, title, source_name in session.execute(query)}
    return tuple(
        TopAlarm(
            condition_key=key,
            title=words[key][0],
            source_name=words[key][1],
            n_calls=-n,
            share=-n / calls.size,
        )
        for n, key in found
    )


# -- counting ---------------------------------------------------------------------------------------------------------


def _figures(rows: _Rows, since: datetime, until: datetime, top: tuple[TopAlarm, ...]) -> Figures:
    begin_us, end_us = _us(since), _us(until)
    calls_us = np.sort(rows.at_us[rows.is_call & rows.in_span])
    per_bin = _binned(calls_us, begin_us, end_us, BIN_S)
    per_hour = _binned(calls_us, begin_us, end_us, HOUR_S)
    floods = _floods(calls_us, end_us)
    split = np.bincount(rows.priority[rows.is_call & rows.in_span], minlength=len(Priority) + 1)
    answers, positions = _answers(rows)
    begins_us, ends_us, is_unseen = _activity(rows)
    stale = [_n_stale(begins_us, ends_us, at_us) for at_us in _ends_of_days(begin_us, end_us)]
    last = _last_of_each(rows.alarm)
    return Figures(
        since=since,
        until=until,
        n_events=int(rows.in_span.sum()),
        n_calls=calls_us.size,
        per_hour=tuple(per_hour.tolist()),
        calls_per_10_min=calls_us.size / ((end_us - begin_us) / _US / BIN_S),
        most_in_10_min=int(per_bin.max()),
        most_in_hour=int(per_hour.max()),
        share_of_busy_bins=float((per_bin > BUSY_BIN).mean()),
        share_of_busy_hours=float((per_hour > BUSY_HOUR).mean()),
        top=top,
        top_share=sum(one.n_calls for one in top) / calls_us.size if top else 0.0,
        split={priority: int(split[priority]) for priority in Priority},
        answers=answers,
        positions=positions,
        n_waiting=int(_is_state(rows.state[last], _WAITING).sum()),
        n_standing=int(_is_state(rows.state[last], {AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED}).sum()),
        n_stale=stale[-1],
        most_stale=max(stale),
        n_chattering=_n_too_many(rows, CHATTER_S),
        n_repeating=_n_too_many(rows, REPEAT_S),
        n_fleeting=int((_is_short(begins_us, ends_us) & is_unseen & (ends_us >= begin_us)).sum()),
        floods=floods,
        flood_share=sum((one.ended_at - one.began_at).total_seconds() for one in floods) / ((end_us - begin_us) / _US),
        shelved=_held(rows, last, AlarmState.SHELVED),
        suppressed=_held(rows, last, AlarmState.SUPPRESSED),
        out_of_service=_held(rows, last, AlarmState.OUT_OF_SERVICE),
    )


def _binned(calls_us: _Ints, begin_us: int, end_us: int, width_s: int) -> _Ints:
    n_bins = math.ceil((end_us - begin_us) / (width_s * _US))
    return np.bincount((calls_us - begin_us) // (width_s * _US), minlength=n_bins).astype(np.int64)


def _floods(calls_us: _Ints, end_us: int) -> tuple[FloodTime, ...]:
    """Return the floods; between two calls the window only empties, so each call tells when it would be over."""
    window_us = int(flood.WINDOW.total_seconds()) * _US
    calls = calls_us.tolist()
    oldest = np.searchsorted(calls_us, calls_us - window_us, side="right").tolist()
    found: list[FloodTime] = []
    began: int | None = None
    for index in range(len(calls)):
        if began is None and index - oldest[index] + 1 > flood.BEGINS_ABOVE:
            began = index
        if began is None:
            continue
        # The fifth newest leaves the window, unless another one comes before.
        over_us = calls[index - flood.ENDS_BELOW + 1] + window_us
        if index + 1 < len(calls) and calls[index + 1] <= over_us:
            continue
        ends_us = min(over_us, end_us)
        found.append(FloodTime(began_at=_at(calls[began]), ended_at=_at(ends_us), n_calls=index - began + 1))
        began = None
    return tuple(found)


def _answers(rows: _Rows) -> tuple[dict[Priority, Answers], tuple[Position, ...]]:
    is_new = _is_first_of_each(rows.alarm)
    is_waiting = _is_state(rows.state, _WAITING)
    # A stretch of waiting goes on while the row before left the alarm waiting.
    goes_on = np.zeros(rows.alarm.size, np.bool_)
    goes_on[1:] = is_waiting[:-1]
    goes_on &= ~is_new
    stretch = np.cumsum(~goes_on)
    called = np.flatnonzero(rows.is_call & is_waiting)
    stretches, firsts = np.unique(stretch[called], return_index=True)
    called_us = rows.at_us[called[firsts]]
    answered = np.flatnonzero((rows.event == _EVENTS.index(Trigger.ACKNOWLEDGE)) & rows.in_span & goes_on)
    place = np.searchsorted(stretches, stretch[answered])
    is_known = place < stretches.size
    is_known[is_known] = stretches[place[is_known]] == stretch[answered[is_known]]
    answered, place = answered[is_known], place[is_known]
    took_s = (rows.at_us[answered] - called_us[place]) / _US
    by_priority = {priority: _summary(took_s[rows.priority[answered] == priority]) for priority in Priority}
    positions = tuple(
        Position(desk=name, answers=_summary(took_s[rows.desk[answered] == number]))
        for number, name in sorted(enumerate(rows.desks), key=lambda pair: pair[1])
        if (rows.desk[answered] == number).any()
    )
    return by_priority, positions


def _summary(took_s: npt.NDArray[np.float64]) -> Answers:
    if not took_s.size:
        return Answers(n=0, p50_s=None, p95_s=None)
    ordered = np.sort(took_s)
    return Answers(n=ordered.size, p50_s=_rank(ordered, 0.5), p95_s=_rank(ordered, 0.95))


def _rank(ordered: npt.NDArray[np.float64], share: float) -> float:
    """Return the nearest rank: a time that was really measured."""
    return float(ordered[math.ceil(share * ordered.size) - 1])


def _activity(rows: _Rows) -> tuple[_Ints, _Ints, _Bools]:
    """Return begin and end of each activation [µs], the largest number while it lasts; and whether nobody saw it."""
    begins = (rows.event == _EVENTS.index(Trigger.RAISE)) | (rows.event == _EVENTS.index(Trigger.RAISE_AGAIN))
    returns = rows.event == _EVENTS.index(Trigger.RETURN)
    turns = np.flatnonzero(begins | returns)
    at = np.flatnonzero(begins[turns])
    following = turns[np.minimum(at + 1, max(0, turns.size - 1))] if turns.size else turns
    begun = turns[at]
    is_over = (at + 1 < turns.size) & (rows.alarm[following] == rows.alarm[begun]) & returns[following]
    ends_us = np.where(is_over, rows.at_us[following], np.iinfo(np.int64).max)
    is_unseen = is_over & _is_state(rows.state[following], _WAITING)
    return rows.at_us[begun], ends_us, is_unseen


def _is_short(begins_us: _Ints, ends_us: _Ints) -> _Bools:
    """Tell of each activation whether it was over before anybody could act; a moment has no length to be short."""
    return (ends_us > begins_us) & (ends_us - begins_us < FLEETING_S * _US)


def _n_stale(begins_us: _Ints, ends_us: _Ints, at_us: int) -> int:
    return int(((begins_us < at_us - STALE_AFTER.total_seconds() * _US) & (ends_us > at_us)).sum())


def _ends_of_days(begin_us: int, end_us: int) -> list[int]:
    day_us = 86_400 * _US
    first = (begin_us // day_us + 1) * day_us
    return [*range(first, end_us, day_us), end_us]


def _n_too_many(rows: _Rows, window_s: float) -> int:
    is_raise = (rows.event == _EVENTS.index(Trigger.RAISE)) | (rows.event == _EVENTS.index(Trigger.RAISE_AGAIN))
    mine = is_raise & rows.in_span
    condition, at_us = rows.condition[mine], rows.at_us[mine]
    order = np.lexsort((at_us, condition))
    condition, at_us = condition[order], at_us[order]
    back = N_NUISANCE - 1
    is_same = condition[back:] == condition[: condition.size - back] if condition.size > back else np.zeros(0, np.bool_)
    return int((is_same & (at_us[back:] - at_us[: at_us.size - back] <= window_s * _US)).sum()) if is_same.size else 0


def _held(rows: _Rows, last: _Ints, state: AlarmState) -> tuple[int, int]:
    number = _STATES.index(state)
    is_held = rows.state == number
    was_held = np.zeros(rows.state.size, np.bool_)
    was_held[1:] = is_held[:-1]
    was_held &= ~_is_first_of_each(rows.alarm)
    return int((is_held & ~was_held & rows.in_span).sum()), int(is_held[last].sum())


def _is_state(states: _Ints, wanted: frozenset[AlarmState] | set[AlarmState]) -> _Bools:
    return np.isin(states, [_STATES.index(state) for state in wanted])


def _is_first_of_each(alarm: _Ints) -> _Bools:
    first = np.ones(alarm.size, np.bool_)
    first[1:] = alarm[1:] != alarm[:-1]
    return first


def _last_of_each(alarm: _Ints) -> _Ints:
    last = np.ones(alarm.size, np.bool_)
    last[:-1] = alarm[1:] != alarm[:-1]
    return np.flatnonzero(last)


def _us(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _at(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
