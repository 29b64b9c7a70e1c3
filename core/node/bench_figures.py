"""The figures of a million journal rows: how long they take, beside a plain recomputation that must say the same.

The recomputation is written apart from `core.incidents.figures`, from the definitions alone: row by row, with
dictionaries and lists, nothing of numpy. Tests compare both on random histories.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from core.incidents.figures import Figures, read_figures
from core.incidents.model import IncidentStatus, SourceKind
from core.kernel.bench import BenchResult, Figure
from core.kernel.clock import SystemClock
from core.store.engine import Store, open_store, sqlite_url
from core.store.tables import AlarmJournalRow, AlarmRow, IncidentRow

N_ROWS = 1_000_000
N_RUNS = 3
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_WAITS = ("UNACK", "RTNUN", "LATCH-UNACK")
_HELD = ("SHLVD", "DSUPR", "OOSRV")


@dataclass(frozen=True, slots=True)
class PlainRow:
    """One row of the journal with the condition of its alarm."""

    at: datetime
    alarm_id: str
    condition_key: str
    event: str
    state: str
    priority: int
    is_call: bool
    desk: str


@dataclass(slots=True)
class _Course:
    """What is known of one alarm while its rows pass."""

    state: str = "NORM"
    called_at: datetime | None = None
    active_since: datetime | None = None
    spans: list[tuple[datetime, datetime | None]] = field(default_factory=list)


def plain_rows(session: Session) -> list[PlainRow]:
    """Return the whole journal in the order in which it was written."""
    keys = {
        row.alarm_id: row.condition_key for row in session.execute(select(AlarmRow.alarm_id, AlarmRow.condition_key))
    }
    table = AlarmJournalRow
    query = select(
        table.at, table.alarm_id, table.event, table.state_after, table.priority, table.is_call, table.desk
    ).order_by(table.alarm_journal_id)
    return [
        PlainRow(at, alarm_id, keys[alarm_id], event, state, priority, is_call, desk)
        for at, alarm_id, event, state, priority, is_call, desk in session.execute(query)
    ]


def plain_figures(rows: list[PlainRow], since: datetime, until: datetime) -> dict[str, Any]:
    """Return the figures by the names of `Figures`, counted row by row."""
    courses: dict[str, _Course] = defaultdict(_Course)
    n_events = n_fleeting = 0
    calls: list[datetime] = []
    by_key: Counter[str] = Counter()
    split = dict.fromkeys((1, 2, 3, 4), 0)
    took: dict[int, list[float]] = defaultdict(list)
    took_at: dict[str, list[float]] = defaultdict(list)
    raises: dict[str, list[datetime]] = defaultdict(list)
    entered = dict.fromkeys(_HELD, 0)
    for row in rows:
        if row.at >= until:
            continue
        course, is_in = courses[row.alarm_id], row.at >= since
        n_events += is_in
        before, course.state = course.state, row.state
        if row.event == "acknowledge" and course.called_at is not None and before in _WAITS and is_in:
            seconds = (row.at - course.called_at).total_seconds()
            took[row.priority].append(seconds)
            took_at[row.desk].append(seconds)
        if before not in _WAITS:
            course.called_at = None
        if row.is_call and row.state in _WAITS and course.called_at is None:
            course.called_at = row.at
        if row.event in ("raise", "raise_again"):
            course.active_since = row.at
            course.spans.append((row.at, None))
            if is_in:
                raises[row.condition_key].append(row.at)
        if row.event == "return" and course.active_since is not None:
            course.spans[-1] = (course.active_since, row.at)
            is_short = 0 < (row.at - course.active_since).total_seconds() < 10
            n_fleeting += is_in and is_short and row.state in _WAITS
            course.active_since = None
        if row.state in entered and before != row.state and is_in:
            entered[row.state] += 1
        if row.is_call and is_in:
            calls.append(row.at)
            by_key[row.condition_key] += 1
            split[row.priority] += 1
    calls.sort()
    bins, hours = _bins(calls, since, until, 600), _bins(calls, since, until, 3600)
    floods = _plain_floods(calls, until)
    spans = [span for course in courses.values() for span in course.spans]
    stale = [_stale_at(spans, at) for at in _midnights(since, until)]
    states = Counter(course.state for course in courses.values())
    top = sorted(by_key.items(), key=lambda pair: (-pair[1], pair[0]))[:10]
    length_s = (until - since).total_seconds()
    return {
        "n_events": n_events,
        "n_calls": len(calls),
        "per_hour": tuple(hours),
        "calls_per_10_min": len(calls) / (length_s / 600),
        "most_in_10_min": max(bins),
        "most_in_hour": max(hours),
        "share_of_busy_bins": sum(n > 10 for n in bins) / len(bins),
        "share_of_busy_hours": sum(n > 30 for n in hours) / len(hours),
        "top": top,
        "top_share": sum(n for _, n in top) / len(calls) if calls else 0.0,
        "split": split,
        "answers": {priority: _percentiles(took[priority]) for priority in (1, 2, 3, 4)},
        "positions": {desk: _percentiles(found) for desk, found in sorted(took_at.items())},
        "n_waiting": sum(states[state] for state in _WAITS),
        "n_standing": states["UNACK"] + states["ACKED"],
        "n_stale": stale[-1],
        "most_stale": max(stale),
        "n_chattering": _n_within(raises, 60),
        "n_repeating": _n_within(raises, 600),
        "n_fleeting": n_fleeting,
        "floods": floods,
        "flood_share": sum((end - begin).total_seconds() for begin, end, _ in floods) / length_s,
        **{
            name: (entered[state], states[state])
            for name, state in zip(("shelved", "suppressed", "out_of_service"), _HELD, strict=True)
        },
    }


def same_figures(figures: Figures, plain: dict[str, Any]) -> list[str]:
    """Return the names of the figures that differ; none where both say the same."""
    ours: dict[str, Any] = {name: getattr(figures, name) for name in plain}
    ours["top"] = [(one.condition_key, one.n_calls) for one in figures.top]
    ours["split"] = {int(priority): n for priority, n in figures.split.items()}
    ours["answers"] = {int(priority): (one.n, one.p50_s, one.p95_s) for priority, one in figures.answers.items()}
    ours["positions"] = {one.desk: (one.answers.n, one.answers.p50_s, one.answers.p95_s) for one in figures.positions}
    ours["floods"] = [(one.began_at, one.ended_at, one.n_calls) for one in figures.floods]
    rounded = {"calls_per_10_min", "share_of_busy_bins", "share_of_busy_hours", "top_share", "flood_share"}
    return [
        name
        for name, value in plain.items()
        if (abs(value - ours[name]) > 1e-9 if name in rounded else value != ours[name])
    ]


def _bins(calls: list[datetime], since: datetime, until: datetime, width_s: int) -> list[int]:
    found = [0] * ceil((until - since) / timedelta(seconds=width_s))
    for at in calls:
        found[(at - since) // timedelta(seconds=width_s)] += 1
    return found


def _plain_floods(calls: list[datetime], until: datetime) -> list[tuple[datetime, datetime, int]]:
    """Walk through time: at each call, and at each instant at which one leaves the window."""
    window = timedelta(minutes=10)
    instants = sorted({*calls, *(at + window for at in calls if at + window < until)})
    inside: deque[datetime] = deque()
    found: list[tuple[datetime, datetime, int]] = []
    began, n_calls, next_call = None, 0, 0
    for now in instants:
        while inside and inside[0] <= now - window:
            inside.popleft()
        while next_call < len(calls) and calls[next_call] <= now:
            inside.append(calls[next_call])
            next_call += 1
            if began is None and len(inside) > 10:
                began, n_calls = now, 0
            n_calls += began is not None
        if began is not None and len(inside) < 5:
            found.append((began, now, n_calls))
            began = None
    if began is not None:
        found.append((began, until, n_calls))
    return found


def _stale_at(spans: list[tuple[datetime, datetime | None]], at: datetime) -> int:
    limit = at - timedelta(hours=24)
    return sum(begin < limit and (end is None or end > at) for begin, end in spans)


def _midnights(since: datetime, until: datetime) -> list[datetime]:
    found, at = [], since.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while at < until:
        found.append(at)
        at += timedelta(days=1)
    return [*found, until]


def _n_within(raises: dict[str, list[datetime]], seconds: float) -> int:
    n = 0
    for times in raises.values():
        times.sort()
        for index, at in enumerate(times):
            first = bisect_right(times, at - timedelta(seconds=seconds, microseconds=1), 0, index)
            n += index - first >= 2
    return n


def _percentiles(found: list[float]) -> tuple[int, float | None, float | None]:
    if not found:
        return (0, None, None)
    ordered = sorted(found)
    return (len(ordered), ordered[ceil(0.5 * len(ordered)) - 1], ordered[ceil(0.95 * len(ordered)) - 1])


# -- a history to count -----------------------------------------------------------------------------------------------


def fill_history(session: Session, *, n_rows: int, seed: int, per_day: int = 20_000) -> datetime:
    """Write a random history of `n_rows` journal rows and return the instant of the last one.

    Alarms are raised, come back, are answered at one of three desks, shelved, suppressed and taken out of service; some
    stay for days, some come in floods and some chatter.
    """
    chance = random.Random(seed)
    at, made, number = BEGIN, 0, 0
    session.add(
        IncidentRow(
            incident_id="I",
            kind="k",
            title="t",
            source_kind=SourceKind.CAMERA.value,
            source_id="c",
            source_name="C",
            status=IncidentStatus.NEW.value,
            began_at=BEGIN,
        )
    )
    session.flush()
    pause_s = 86_400 / per_day * 4
    rows: list[dict[str, Any]] = []
    alarms: list[dict[str, Any]] = []
    while made < n_rows:
        at += timedelta(seconds=chance.expovariate(1 / (pause_s / 20 if number % 500 < 40 else pause_s)))
        key = f"camera/{chance.randrange(60)}/k{chance.randrange(6)}"
        alarm_id, priority = f"A{number:025d}", chance.choice((1, 2, 3, 3, 4, 4, 4, 4))
        course = _course_of(chance, at)[: n_rows - made]
        for sequence, (event, state, when, is_call, desk) in enumerate(course, start=1):
            rows.append(
                {
                    "alarm_id": alarm_id,
                    "sequence": sequence,
                    "at": when,
                    "event": event,
                    "occurrence": alarm_id,
                    "state_before": "",
                    "state_after": state,
                    "actor": "",
                    "desk": desk,
                    "priority": priority,
                    "is_call": is_call,
                    "payload": {},
                }
            )
        made += len(course)
        alarms.append(_alarm_values(alarm_id, key, priority, at, course))
        number += 1
    # As the room writes it: in the order of time.
    rows.sort(key=lambda row: row["at"])
    for begin in range(0, len(alarms), 5000):
        session.execute(insert(AlarmRow), alarms[begin : begin + 5000])
    for begin in range(0, len(rows), 5000):
        session.execute(insert(AlarmJournalRow), rows[begin : begin + 5000])
    last: datetime = rows[-1]["at"]
    return last


def _alarm_values(alarm_id: str, key: str, priority: int, at: datetime, course: list[Any]) -> dict[str, Any]:
    is_open = bool(course) and course[-1][1] != "NORM"
    return {
        "alarm_id": alarm_id,
        # There is one open alarm for each condition.
        "condition_key": f"{key}/{alarm_id}" if is_open else key,
        "occurrence": alarm_id,
        "incident_id": "I",
        "kind": "k",
        "title": f"Title of {key}",
        "detail": "",
        "priority": priority,
        "source_kind": SourceKind.CAMERA.value,
        "source_id": key.split("/")[1],
        "source_name": key,
        "is_active": False,
        "is_acknowledged": True,
        "is_open": is_open,
        "raised_at": at,
        "changed_at": course[-1][2] if course else at,
        "version": len(course),
    }


def _course_of(chance: random.Random, at: datetime) -> list[tuple[str, str, datetime, bool, str]]:
    """Return what becomes of one alarm: event, state after it, when, whether it calls, desk."""

    def later(mean_s: float) -> datetime:
        nonlocal at
        at += timedelta(seconds=round(chance.expovariate(1 / mean_s), 3))
        return at

    desk = f"Desk {chance.randrange(3) + 1}"
    start = chance.choice(("call", "call", "call", "call", "quiet", "held"))
    if start == "held":
        return [("raise", "DSUPR", at, False, ""), ("unsuppress", "UNACK", later(600), True, "")]
    course = [("raise", "UNACK", at, start == "call", "")]
    for _ in range(chance.randrange(3)):
        course.append(("return", "RTNUN", later(chance.choice((3, 90))), False, ""))
        course.append(("raise_again", "UNACK", later(chance.choice((5, 200))), True, ""))
    match chance.randrange(5):
        case 0:
            course.append(("shelve", "SHLVD", later(60), False, desk))
            course.append(("shelving_expired", "UNACK", later(3600), True, ""))
        case 1:
            course.append(("take_out", "OOSRV", later(60), False, desk))
            course.append(("put_back", "ACKED", later(3600), False, desk))
            course.append(("realarm", "UNACK", later(1800), True, ""))
        case 2:
            return course
        case 3:
            course.append(("return", "LATCH-UNACK", later(40), False, ""))
            course.append(("acknowledge", "LATCH-ACKED", later(60), False, desk))
            course.append(("reset", "NORM", later(60), False, desk))
            return course
    course.append(("acknowledge", "ACKED", later(45), False, desk))
    course.append(("return", "NORM", later(chance.choice((300, 200_000))), False, ""))
    return course


# -- the bench --------------------------------------------------------------------------------------------------------


def bench_figures(n_rows: int = N_ROWS) -> BenchResult:
    """Measure `read_figures` over a SQLite journal and the plain recomputation of the same."""
    with tempfile.TemporaryDirectory(prefix="watchfloor-figures-") as folder:
        place = Path(folder)
        store = open_store(sqlite_url(place / "bench.sqlite3"), backups=place / "backups", clock=SystemClock())
        return asyncio.run(_measure(store, n_rows))


async def _measure(store: Store, n_rows: int) -> BenchResult:
    until = await store.write(lambda s: fill_history(s, n_rows=n_rows, seed=4)) + timedelta(seconds=1)
    times_s = []
    for _ in range(N_RUNS):
        begin_s = time.perf_counter()
        figures = await store.read(lambda s: read_figures(s, since=BEGIN, until=until))
        times_s.append(time.perf_counter() - begin_s)
    begin_s = time.perf_counter()
    rows = await store.read(plain_rows)
    plain = plain_figures(rows, BEGIN, until)
    plain_s = time.perf_counter() - begin_s
    differing = same_figures(figures, plain)
    await store.close()
    return BenchResult(
        bench="figures",
        figures={
            "rows": Figure(value=figures.n_events, unit="rows", reference="none"),
            "figures_s": Figure(value=min(times_s), unit="s", reference="none"),
            "plain_s": Figure(value=plain_s, unit="s", reference="none"),
            "ratio": Figure(value=min(times_s) / plain_s, unit="times", reference="the plain recomputation"),
            "differing": Figure(value=len(differing), unit="figures", reference="the plain recomputation"),
        },
    )
