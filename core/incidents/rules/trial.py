"""A changed rule tried on what happened: how often it would have raised and called, beside the rule as it is.

What rules saw comes from the stored observations, with every begin and end before any delay; what devices measured from
the stored readings (`readings.py`). For everything else only the alarm journal is left: it begins where the rule of
that day let the condition through, so a shorter delay than that cannot be tried on it. Each condition is replayed by
itself through `Signals`, as the room does it live; then what the causes and planned works of that time would have held
is left out of what calls.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.incidents import holds, policy
from core.incidents.machine import Trigger
from core.incidents.model import MOMENTS, AlarmMark, Condition, Priority, SourceKind
from core.incidents.rules.book import RuleBook
from core.incidents.rules.heard import Heard
from core.incidents.rules.model import TrialReport, TrialSide
from core.incidents.rules.readings import ReadingReplay
from core.incidents.signals import Signals, Verdict
from core.incidents.suppression import Cause, PlannedWorks, SuppressionRule, find_rule
from core.kernel.errors import BadInputError
from core.kernel.geo import GeoPoint
from core.store import rows
from core.store.tables import AlarmJournalRow, AlarmRow, CameraRow, IncidentRow, ObservationRow
from core.vision.model import ObservationKind, Phase

MAX_SPAN = timedelta(days=92)
MAX_SIGNALS = 200_000
N_TOP = 5
_SEEN_KINDS = tuple(kind.value for kind in policy.CALLING_KINDS)
_BEGINS = (Trigger.RAISE.value, Trigger.RAISE_AGAIN.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """An alarm as it would have been.

    Attributes:
        until: It was over, or the trial is.
    """

    at: datetime
    until: datetime
    condition: Condition
    is_chatter: bool


class _Causes:
    """What explains alarms: others, by the hours in which they were active, works, and hours of the day."""

    def __init__(
        self,
        alarms: Iterable[Replayed],
        rules: tuple[SuppressionRule, ...],
        works: tuple[PlannedWorks, ...],
        book: RuleBook,
    ) -> None:
        self._book = book
        self._rules = rules
        self._works = works
        self._by_hour: dict[int, list[Replayed]] = defaultdict(list)
        for alarm in alarms:
            for hour in range(_hour(alarm.at), _hour(alarm.until) + 1):
                self._by_hour[hour].append(alarm)

    def hold(self, alarm: Replayed) -> bool:
        """Tell whether an alarm was held as long as it was active: what outlives its cause calls after all."""
        at = alarm.at
        while (until := self._held_until(alarm.condition, at)) is not None:
            if until >= alarm.until:
                return True
            at = until
        return False

    def _held_until(self, condition: Condition, at: datetime) -> datetime | None:
        ends = [
            cause.until
            for cause in self._by_hour.get(_hour(at), ())
            if cause.at <= at < cause.until
            and find_rule(condition, (_cause(cause.condition),), rules=self._rules, works=(), now=at)
        ]
        ends += (one.until for one in self._works if find_rule(condition, (), rules=(), works=(one,), now=at))
        hours_end = self._book.held_until(condition, at)
        ends += () if hours_end is None else (hours_end,)
        return max(ends, default=None)


def _hour(at: datetime) -> int:
    return int(at.timestamp() // 3600)


def _cause(condition: Condition) -> Cause:
    return Cause(
        condition_key=condition.condition_key,
        kind=condition.kind,
        source_kind=condition.source_kind,
        source_id=condition.source_id,
        position=condition.position,
    )


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


def read_works(session: Session, *, since: datetime, until: datetime) -> tuple[PlannedWorks, ...]:
    """Return the works that went on in a span; those that were ended early ended then."""
    return tuple(one for one in holds.works(session, since) if one.since < until)


def count_put_aside(session: Session, rule_id: str, *, since: datetime, until: datetime) -> int:
    """Return how often alarms of a rule were shelved or taken out of service in a span."""
    query = (
        select(func.count())
        .select_from(AlarmJournalRow)
        .join(AlarmRow, AlarmRow.alarm_id == AlarmJournalRow.alarm_id)
        .where(AlarmJournalRow.at >= since, AlarmJournalRow.at < until, AlarmRow.rule_id == rule_id)
        .where(AlarmJournalRow.event.in_((Trigger.SHELVE.value, Trigger.TAKE_OUT.value)))
    )
    return session.scalar(query) or 0


def try_rule(
    rule_id: str,
    history: Iterable[Heard],
    *,
    as_it_is: RuleBook,
    changed: RuleBook,
    since: datetime,
    until: datetime,
    is_cut: bool = False,
    measured: ReadingReplay | None = None,
    works: tuple[PlannedWorks, ...] = (),
    n_put_aside: int = 0,
) -> TrialReport:
    """Replay history through a rule as it is and as it would be.

    Args:
        rule_id: The rule.
        history: Of `read_history`.
        as_it_is: The rules in force.
        changed: The rules with the change.
        since: Aware.
        until: Aware.
        is_cut: There was more history than that.
        measured: Of the devices whose readings were replayed; None where the rule judges no numbers.
        works: That went on in the span, as `read_works` has them.
        n_put_aside: Of `count_put_aside`.
    """
    measured = measured or ReadingReplay((), since=since, until=until)
    heard = sorted((_undelayed(one, as_it_is) for one in history), key=lambda one: one.at)
    books = (as_it_is, changed)
    heard = [one for one in heard if not _is_replayed(one, rule_id, books, measured)]
    begins = Counter(
        _is_seen(one.condition)
        for one in heard
        if one.is_raise and rule_id in {_rule_id_of(book, one.condition) for book in books}
    )
    return TrialReport(
        rule_id=rule_id,
        since=since,
        until=until,
        as_it_is=_side(rule_id, heard + measured.as_it_is, as_it_is, works, since, until),
        changed=_side(rule_id, heard + measured.changed, changed, works, since, until),
        n_from_observations=begins[True],
        n_from_journal=begins[False],
        n_readings=measured.n_readings,
        n_devices=len(measured.first_at),
        note=" ".join(_notes(measured, is_from_journal=bool(begins[False]), is_cut=is_cut, n_put_aside=n_put_aside)),
    )


def _notes(measured: ReadingReplay, *, is_from_journal: bool, is_cut: bool, n_put_aside: int) -> Iterator[str]:
    if is_from_journal:
        yield "What comes from the journal had passed the delays of its day: shorter ones find nothing more."
    if n_put_aside:
        times = "once" if n_put_aside == 1 else f"{n_put_aside} times"
        yield f"Its alarms were shelved or taken out of service {times} then; they are counted as calling all the same."
    if is_cut:
        yield f"Only the first {MAX_SIGNALS:,} begins and ends were replayed."
    if measured.is_cut:
        yield f"Only {measured.n_devices:,} devices were replayed, then {measured.n_readings:,} readings were enough."


def _is_replayed(heard: Heard, rule_id: str, books: tuple[RuleBook, ...], measured: ReadingReplay) -> bool:
    """Tell whether readings say the same as this entry of the journal."""
    condition = heard.condition
    first_at = measured.first_at.get(condition.source_id) if condition.quantity else None
    if first_at is None or heard.at < first_at:
        return False
    return rule_id in {_rule_id_of(book, condition) for book in books}


def _rule_id_of(book: RuleBook, condition: Condition) -> str:
    rule = book.rule_of(condition)
    return "" if rule is None else rule.rule_id


def _undelayed(heard: Heard, book: RuleBook) -> Heard:
    """Return what the journal has at the instant at which the rule saw it, if its delays were those of `book`."""
    if _is_seen(heard.condition) or heard.is_measured or heard.condition.kind in MOMENTS:
        return heard
    tuning = book.tuning_of(heard.condition)
    delay_s = tuning.on_delay_s if heard.is_raise else tuning.off_delay_s
    return replace(heard, at=heard.at - timedelta(seconds=delay_s))


def _side(
    rule_id: str,
    history: list[Heard],
    book: RuleBook,
    works: tuple[PlannedWorks, ...],
    since: datetime,
    until: datetime,
) -> TrialSide:
    by_key: dict[str, list[Heard]] = defaultdict(list)
    for heard in history:
        by_key[heard.condition.condition_key].append(heard)
    n_conditions = 0
    raised: list[Replayed] = []
    explaining: list[Replayed] = []
    rules = book.suppressions()
    causes = frozenset[str]().union(*(rule.causes for rule in rules))
    for key, course in by_key.items():
        # The tags come with the begin; an end belongs to whatever began.
        course.sort(key=lambda one: one.at)
        condition = next((one.condition for one in course if one.is_raise), course[0].condition)
        rule = book.rule_of(condition)
        is_of_rule = rule is not None and rule.rule_id == rule_id
        alarms = list(replay(key, course, book, until)) if is_of_rule or condition.kind in causes else []
        if condition.kind in causes:
            explaining += alarms
        if is_of_rule:
            n_conditions += sum(one.is_raise and one.at >= since for one in course)
            own = (replace(one, condition=replace(one.condition, rule_id=rule_id)) for one in alarms)
            raised += (one for one in own if one.at >= since)
    known = _Causes(explaining, rules, works, book)
    is_held = [known.hold(one) for one in raised]
    n_chatter = sum(one.is_chatter and not held for one, held in zip(raised, is_held, strict=True))
    per_day = Counter(one.at.astimezone(book.zone).date().isoformat() for one in raised)
    return TrialSide(
        n_conditions=n_conditions,
        n_raised=len(raised),
        n_called=len(raised) - n_chatter - sum(is_held),
        n_chatter=n_chatter,
        n_held=sum(is_held),
        raised_per_day={day: per_day[day] for day in _days(since, until, book.zone)},
        top=tuple(Counter(one.condition.source_name for one in raised).most_common(N_TOP)),
    )


def replay(key: str, course: list[Heard], book: RuleBook, until: datetime) -> Iterable[Replayed]:
    """Yield the alarms of one condition, each when it is over."""
    if course[0].condition.kind in MOMENTS:
        yield from _replay_moments(key, course, book)
        return
    signals = Signals()
    waiting: tuple[float, Condition] | None = None
    active: Replayed | None = None
    end = Heard(at=until, condition=course[-1].condition, is_raise=False)
    for number, heard in enumerate((*course, end)):
        now_s = heard.at.timestamp()
        if waiting is not None and signals.due_raises(now_s):
            active, waiting = _begun(signals, key, *waiting, until), None
        if signals.due_returns(now_s) and active is not None:
            yield active
            active = None
        if number == len(course):
            break
        tuning = book.tuning_of(heard.condition)
        if heard.is_raise:
            verdict = signals.raised(key, tuning, now_s)
            if verdict is Verdict.WAIT and waiting is None:
                waiting = now_s + tuning.on_delay_s, heard.condition
            elif verdict is Verdict.PASS and active is None:
                active = _begun(signals, key, now_s, heard.condition, until)
            elif active is not None:
                active = replace(active, until=until)
            continue
        verdict = signals.returned(key, now_s)
        if verdict is Verdict.DROP:
            waiting = None
        elif active is not None:
            off_delay_s = tuning.off_delay_s if verdict is Verdict.WAIT else 0.0
            active = replace(active, until=min(until, heard.at + timedelta(seconds=off_delay_s)))
            if verdict is Verdict.PASS:
                yield active
                active = None
    if active is not None:
        yield active


def _replay_moments(key: str, course: list[Heard], book: RuleBook) -> Iterable[Replayed]:
    signals = Signals()
    for heard in course:
        if not heard.is_raise:
            continue
        tuning, now_s = book.tuning_of(heard.condition), heard.at.timestamp()
        verdict = signals.moment(key, tuning, now_s)
        signals.note(key, now_s, tuning)
        if verdict is Verdict.PASS:
            yield _begun(signals, key, now_s, heard.condition, heard.at)


def _begun(signals: Signals, key: str, at_s: float, condition: Condition, until: datetime) -> Replayed:
    return Replayed(
        at=datetime.fromtimestamp(at_s, UTC),
        until=until,
        condition=condition,
        is_chatter=AlarmMark.CHATTERING in signals.marks(key, at_s),
    )


def _observed(
    session: Session, since: datetime, until: datetime, call_from: Callable[[str, ObservationKind], float]
) -> Iterable[Heard]:
    cameras = select(CameraRow.camera_id, CameraRow.name, CameraRow.lat_deg, CameraRow.lon_deg)
    known = {row.camera_id: (row.name, rows.position_of(row)) for row in session.execute(cameras)}
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
        name, position = known.get(camera_id, (camera_id, None))
        condition = _condition(
            f"camera/{camera_id}/{key}",
            kind,
            SourceKind.CAMERA,
            camera_id,
            name,
            frozenset({policy.WAS_PARKED} if values.get(policy.WAS_PARKED) else ()),
            position,
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
            IncidentRow.lat_deg,
            IncidentRow.lon_deg,
        )
        .join(AlarmRow, AlarmRow.alarm_id == AlarmJournalRow.alarm_id)
        .join(IncidentRow, IncidentRow.incident_id == AlarmRow.incident_id)
        .where(AlarmJournalRow.at >= since, AlarmJournalRow.at < until)
        .where(AlarmJournalRow.event.in_((*_BEGINS, Trigger.RETURN.value)), AlarmRow.kind.not_in(_SEEN_KINDS))
        .order_by(AlarmJournalRow.alarm_journal_id)
        .limit(MAX_SIGNALS + 1)
    )
    for row in session.execute(query):
        said = row.payload["event"].get("condition", {})
        tags, quantity = frozenset(said.get("tags", ())), said.get("quantity", "")
        source_kind = SourceKind(row.source_kind)
        position = rows.position_of(row)
        condition = _condition(row.condition_key, row.kind, source_kind, row.source_id, row.source_name, tags, position)
        condition = replace(condition, quantity=quantity or _measured_in(row.condition_key))
        yield Heard(at=row.at, condition=condition, is_raise=row.event in _BEGINS)


def _condition(
    key: str,
    kind: str,
    source_kind: SourceKind,
    source_id: str,
    source_name: str,
    tags: frozenset[str],
    position: GeoPoint | None,
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
        position=position,
    )


def _measured_in(condition_key: str) -> str:
    """Return the number that a device's condition is about, `…:{stream}/{quantity}`; empty where it is about none."""
    source, _, place = condition_key.partition(":")
    return place.partition("/")[2] if source.startswith(f"{SourceKind.DEVICE}/") else ""


def _is_seen(condition: Condition) -> bool:
    return condition.kind in _SEEN_KINDS


def _days(since: datetime, until: datetime, zone: tzinfo | None) -> list[str]:
    first, last = since.astimezone(zone).date(), (until - timedelta(microseconds=1)).astimezone(zone).date()
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
