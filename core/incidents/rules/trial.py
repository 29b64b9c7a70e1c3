"""A changed rule tried on what happened: how often it would have raised and called, beside the rule as it is.

What rules saw comes from the stored observations, with every begin and end before any delay. For everything else only
the alarm journal is left: it begins where the rule of that day let the condition through, so a shorter delay than that
cannot be tried on it. Each condition is replayed by itself through `Signals`, as the room does it live.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.incidents import policy
from core.incidents.machine import Trigger
from core.incidents.model import AlarmMark, Condition, Priority, SourceKind
from core.incidents.rules.book import RuleBook
from core.incidents.rules.model import TrialReport, TrialSide
from core.incidents.signals import Signals, Verdict
from core.kernel.errors import BadInputError
from core.store.tables import AlarmJournalRow, AlarmRow, CameraRow, ObservationRow
from core.vision.model import ObservationKind, Phase

MAX_SPAN = timedelta(days=92)
MAX_SIGNALS = 200_000
N_TOP = 5
_SEEN_KINDS = tuple(kind.value for kind in policy.CALLING_KINDS)
_BEGINS = (Trigger.RAISE.value, Trigger.RAISE_AGAIN.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A condition began or ended, as it is stored."""

    at: datetime
    condition: Condition
    is_raise: bool


def read_history(
    session: Session, *, since: datetime, until: datetime, call_from: Callable[[str, ObservationKind], float]
) -> tuple[list[Heard], bool]:
    """Return what began and ended in a span, in order, and whether there was more than can be tried.

    Args:
        session: Of `Store.read`.
        since: Aware.
        until: Aware.
        call_from: Confidence from which a camera's rule calls, by camera and kind.

    Raises:
        BadInputError: The span is empty or too long.
    """
    if not since < until <= since + MAX_SPAN:
        raise BadInputError(f"A trial takes up to {MAX_SPAN.days} days.", hint="Choose a shorter span.")
    seen = list(_observed(session, since, until, call_from))
    seen += _journalled(session, since, until)
    seen.sort(key=lambda heard: heard.at)
    return seen[:MAX_SIGNALS], len(seen) > MAX_SIGNALS


def try_rule(
    rule_id: str,
    history: Iterable[Heard],
    *,
    as_it_is: RuleBook,
    changed: RuleBook,
    since: datetime,
    until: datetime,
    is_cut: bool = False,
) -> TrialReport:
    """Replay history through a rule as it is and as it would be."""
    heard = sorted((_undelayed(one, as_it_is) for one in history), key=lambda one: one.at)
    begins = Counter(
        _is_seen(one.condition)
        for one in heard
        if one.is_raise and rule_id in {_rule_id_of(book, one.condition) for book in (as_it_is, changed)}
    )
    notes = []
    if begins[False]:
        notes.append("What comes from the journal had passed the delays of its day: shorter ones find nothing more.")
    rule = changed.rule(rule_id)
    if rule is not None and rule.suppression.held_while:
        notes.append("Suppression by other conditions is not replayed.")
    if is_cut:
        notes.append(f"Only the first {MAX_SIGNALS:,} begins and ends were replayed.")
    return TrialReport(
        rule_id=rule_id,
        since=since,
        until=until,
        as_it_is=_side(rule_id, heard, as_it_is, since, until),
        changed=_side(rule_id, heard, changed, since, until),
        n_from_observations=begins[True],
        n_from_journal=begins[False],
        note=" ".join(notes),
    )


def _rule_id_of(book: RuleBook, condition: Condition) -> str:
    rule = book.rule_of(condition)
    return "" if rule is None else rule.rule_id


def _undelayed(heard: Heard, book: RuleBook) -> Heard:
    """Return what the journal has at the instant at which the rule saw it, if its delays were those of `book`."""
    if _is_seen(heard.condition):
        return heard
    tuning = book.tuning_of(heard.condition)
    delay_s = tuning.on_delay_s if heard.is_raise else tuning.off_delay_s
    return replace(heard, at=heard.at - timedelta(seconds=delay_s))


def _side(rule_id: str, history: list[Heard], book: RuleBook, since: datetime, until: datetime) -> TrialSide:
    by_key: dict[str, list[Heard]] = defaultdict(list)
    for heard in history:
        by_key[heard.condition.condition_key].append(heard)
    raised: list[tuple[datetime, Condition]] = []
    n_conditions = n_chatter = n_held = 0
    for key, course in by_key.items():
        # The tags come with the begin; an end belongs to whatever began.
        rule = book.rule_of(next((one.condition for one in course if one.is_raise), course[0].condition))
        if rule is None or rule.rule_id != rule_id:
            continue
        n_conditions += sum(one.is_raise for one in course)
        for at, condition, is_chatter in _replay(key, course, book, until):
            raised.append((at, condition))
            is_held = bool(book.window_holding(condition, at))
            n_held += is_held
            n_chatter += is_chatter and not is_held
    days = _days(since, until)
    per_day = Counter(at.astimezone(UTC).date().isoformat() for at, _ in raised)
    return TrialSide(
        n_conditions=n_conditions,
        n_raised=len(raised),
        n_called=len(raised) - n_chatter - n_held,
        n_chatter=n_chatter,
        n_held=n_held,
        raised_per_day={day: per_day[day] for day in days},
        top=tuple(Counter(condition.source_name for _, condition in raised).most_common(N_TOP)),
    )


def _replay(
    key: str, course: list[Heard], book: RuleBook, until: datetime
) -> Iterable[tuple[datetime, Condition, bool]]:
    """Yield when the alarm of one condition is raised, with the condition and whether it chatters by then."""
    signals, is_on = Signals(), False
    waiting: tuple[float, Condition] | None = None
    end = Heard(at=until, condition=course[-1].condition, is_raise=False)
    for number, heard in enumerate((*course, end)):
        now_s = heard.at.timestamp()
        if waiting is not None and signals.due_raises(now_s):
            yield _raised(signals, key, *waiting)
            waiting, is_on = None, True
        if signals.due_returns(now_s):
            is_on = False
        if number == len(course):
            return
        if not heard.is_raise:
            verdict = signals.returned(key, now_s)
            waiting = None if verdict is Verdict.DROP else waiting
            is_on = is_on and verdict is not Verdict.PASS
            continue
        tuning = book.tuning_of(heard.condition)
        verdict = signals.raised(key, tuning, now_s)
        if verdict is Verdict.WAIT and waiting is None:
            waiting = (now_s + tuning.on_delay_s, heard.condition)
        elif verdict is Verdict.PASS and not is_on:
            is_on = True
            yield _raised(signals, key, now_s, heard.condition)


def _raised(signals: Signals, key: str, at_s: float, condition: Condition) -> tuple[datetime, Condition, bool]:
    return datetime.fromtimestamp(at_s, UTC), condition, AlarmMark.CHATTERING in signals.marks(key, at_s)


def _observed(
    session: Session, since: datetime, until: datetime, call_from: Callable[[str, ObservationKind], float]
) -> Iterable[Heard]:
    names = {row.camera_id: row.name for row in session.execute(select(CameraRow.camera_id, CameraRow.name))}
    query = (
        select(
            ObservationRow.captured_at,
            ObservationRow.camera_id,
            ObservationRow.kind,
            ObservationRow.phase,
            ObservationRow.condition_key,
            ObservationRow.confidence,
            ObservationRow.values,
        )
        .where(ObservationRow.captured_at >= since, ObservationRow.captured_at < until)
        .where(ObservationRow.kind.in_(_SEEN_KINDS))
        .order_by(ObservationRow.captured_at)
        .limit(MAX_SIGNALS + 1)
    )
    for at, camera_id, kind, phase, key, confidence, values in session.execute(query):
        if phase != Phase.END and confidence < call_from(camera_id, ObservationKind(kind)):
            continue
        condition = _condition(
            f"camera/{camera_id}/{key}",
            kind,
            SourceKind.CAMERA,
            camera_id,
            names.get(camera_id, camera_id),
            frozenset({policy.WAS_PARKED} if values.get(policy.WAS_PARKED) else ()),
        )
        if phase != Phase.END:
            yield Heard(at=at, condition=condition, is_raise=True)
        if phase != Phase.BEGIN:
            yield Heard(at=at, condition=condition, is_raise=False)


def _journalled(session: Session, since: datetime, until: datetime) -> Iterable[Heard]:
    query = (
        select(
            AlarmJournalRow.at,
            AlarmJournalRow.event,
            AlarmJournalRow.payload,
            AlarmRow.condition_key,
            AlarmRow.kind,
            AlarmRow.source_kind,
            AlarmRow.source_id,
            AlarmRow.source_name,
        )
        .join(AlarmRow, AlarmRow.alarm_id == AlarmJournalRow.alarm_id)
        .where(AlarmJournalRow.at >= since, AlarmJournalRow.at < until)
        .where(AlarmJournalRow.event.in_((*_BEGINS, Trigger.RETURN.value)), AlarmRow.kind.not_in(_SEEN_KINDS))
        .order_by(AlarmJournalRow.alarm_journal_id)
        .limit(MAX_SIGNALS + 1)
    )
    for at, event, payload, key, kind, source_kind, source_id, source_name in session.execute(query):
        tags = frozenset(payload["event"].get("condition", {}).get("tags", ()))
        condition = _condition(key, kind, SourceKind(source_kind), source_id, source_name, tags)
        yield Heard(at=at, condition=condition, is_raise=event in _BEGINS)


def _condition(
    key: str, kind: str, source_kind: SourceKind, source_id: str, source_name: str, tags: frozenset[str]
) -> Condition:
    return Condition(
        condition_key=key,
        kind=kind,
        title=kind,
        priority=Priority.MEDIUM,
        source_kind=source_kind,
        source_id=source_id,
        source_name=source_name,
        tags=tags,
    )


def _is_seen(condition: Condition) -> bool:
    return condition.kind in _SEEN_KINDS


def _days(since: datetime, until: datetime) -> list[str]:
    first, last = since.astimezone(UTC).date(), (until - timedelta(microseconds=1)).astimezone(UTC).date()
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
