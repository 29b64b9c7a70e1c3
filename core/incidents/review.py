"""What operators make of incidents that rules raised, and how far each rule can be trusted by it.

An answer is about an incident under the rule that it was named after just then. Where a more urgent sighting gives it
another name, it waits again, and both answers count, each for its own rule. What else joined an incident is not judged:
the figures are of the rules that name incidents.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.access import audit
from core.access.model import Actor, Role
from core.access.permission import require
from core.incidents import ledger
from core.incidents.model import Incident, SourceKind
from core.incidents.work import Disposition, Step
from core.kernel.bus import Bus
from core.kernel.clock import Clock
from core.kernel.errors import BadInputError, StaleWriteError
from core.store.engine import Store
from core.store.rows import storable
from core.store.tables import IncidentRow, IncidentStepRow, ReviewRow
from core.vision.model import ObservationKind

MAX_PAGE = 200
MAX_CANDIDATES = 20
MAX_NOTE_LENGTH = 500
NEAR = timedelta(minutes=15)
"""Two sightings of one event are hardly further apart."""

BIN_EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_Z_95 = 1.959964
_RULE_KINDS = tuple(kind.value for kind in ObservationKind)


class Outcome(StrEnum):
    """What an incident turned out to be."""

    TRUE = "true"
    FALSE = "false"
    DUPLICATE = "duplicate"
    """True, and told by another incident already; counts neither for nor against a rule."""


class Waiting(StrEnum):
    """Which incidents are asked for."""

    WAITING = "waiting"
    REVIEWED = "reviewed"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewItem:
    """One incident in the queue.

    Attributes:
        confidence: Of the rule that it is named after.
        outcome: None while it waits.
        duplicate_of: Incident that tells the same event.
        version: 0 before the first review under this rule; guards against two operators racing.
        picture_id: Of a call of that rule, for `IncidentService.snapshot_bytes`; empty where there is none.
    """

    incident: Incident
    confidence: float = 1.0
    outcome: Outcome | None = None
    duplicate_of: str = ""
    note: str = ""
    reviewed_by: str = ""
    reviewed_at: datetime | None = None
    version: int = 0
    picture_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFilter:
    """Which incidents are asked for; empty texts mean every one."""

    kind: str = ""
    source_id: str = ""
    waiting: Waiting = Waiting.WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPage:
    """A part of the queue, newest first.

    Attributes:
        n_matching: Incidents that fit the filter; None on pages after the first.
        has_more: There are older ones.
    """

    items: tuple[ReviewItem, ...]
    n_matching: int | None = None
    has_more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePrecision:
    """How often a rule was right about the incidents that were named after it, as far as operators said.

    Attributes:
        source_id: Of the camera that saw the incident first; empty for the rule on all cameras.
        precision: n_true / (n_true + n_false); None before anybody said either.
        low, high: Wilson interval of it at 95 %.
    """

    kind: str
    source_id: str = ""
    source_name: str = ""
    n_true: int = 0
    n_false: int = 0
    n_duplicate: int = 0
    n_waiting: int = 0
    precision: float | None = None
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceBin:
    """How often a rule was right when it was so sure; `low` <= confidence < `high`, the last one with its end."""

    kind: str
    low: float
    high: float
    n_true: int = 0
    n_false: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionReport:
    """What the reviews say of the rules: every rule on all cameras, then on each; and by confidence."""

    rules: tuple[RulePrecision, ...] = ()
    bins: tuple[ConfidenceBin, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewChanged:
    """Incidents were reviewed, or a review was taken back; published after the commit."""

    items: tuple[ReviewItem, ...]


class ReviewService:
    """The queue of what rules raised.

    Threads: all calls come from the owner's loop.
    """

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        """Read nothing yet."""
        self._store = store
        self._bus = bus
        self._clock = clock

    async def page(self, actor: Actor, wanted: ReviewFilter, *, before: str = "", limit: int = 50) -> ReviewPage:
        """Return incidents that fit, newest first.

        Args:
            actor: Anybody who is signed in.
            wanted: The filter.
            before: Id of the last incident of the page before; empty for the first page.
            limit: At most this many, up to `MAX_PAGE`.
        """
        require(actor, Role.VIEWER)
        kept = max(1, min(limit, MAX_PAGE))
        query = _filtered(select(IncidentRow, ReviewRow), wanted)
        if before:
            query = query.where(IncidentRow.incident_id < before)
        query = query.order_by(IncidentRow.incident_id.desc()).limit(kept + 1)

        def run(session: Session) -> ReviewPage:
            rows = session.execute(query).all()
            n_matching = None
            if not before:
                n_matching = session.scalar(_filtered(select(func.count(IncidentRow.incident_id)), wanted))
            items = tuple(_item(session, incident, review) for incident, review in rows[:kept])
            return ReviewPage(items=items, n_matching=n_matching, has_more=len(rows) > kept)

        return await self._store.read(run)

    async def candidates(self, actor: Actor, incident_id: str) -> tuple[ReviewItem, ...]:
        """Return incidents that may tell the same event: near in time, those of the same camera and kind first.

        Raises:
            BadInputError: There is no such incident.
        """
        require(actor, Role.VIEWER)

        def run(session: Session) -> tuple[ReviewItem, ...]:
            incident = _find(session, incident_id)
            query = (
                select(IncidentRow, ReviewRow)
                .outerjoin(ReviewRow, _is_its_review())
                .where(
                    _is_of_rule(),
                    IncidentRow.incident_id != incident_id,
                    IncidentRow.began_at.between(incident.began_at - NEAR, incident.began_at + NEAR),
                    or_(ReviewRow.incident_id.is_(None), ReviewRow.outcome != Outcome.DUPLICATE.value),
                )
                .limit(500)
            )
            found = [(row, review) for row, review in session.execute(query)]

            def rank(pair: tuple[IncidentRow, ReviewRow | None]) -> tuple[bool, bool, float]:
                row = pair[0]
                apart_s = abs((row.began_at - incident.began_at).total_seconds())
                return row.source_id != incident.source_id, row.kind != incident.kind, apart_s

            return tuple(_item(session, row, review) for row, review in sorted(found, key=rank)[:MAX_CANDIDATES])

        return await self._store.read(run)

    async def take_disposition(self, actor: Actor, incident: Incident, *, note: str = "") -> ReviewItem | None:
        """Let what became of an incident answer its review, where nobody has answered it: one answer is enough.

        Args:
            actor: Who closed it.
            incident: As it was closed.
            note: For those who tune the rule.

        Returns:
            The review; None where the disposition says nothing of the rule, no rule raised it, or it is answered.
        """
        outcome = _OUTCOMES.get(incident.disposition)
        if outcome is None:
            return None
        try:
            return await self.decide(
                actor,
                incident.incident_id,
                outcome,
                shown_kind=incident.kind,
                expect_version=0,
                duplicate_of=incident.merged_into if outcome is Outcome.DUPLICATE else "",
                note=note,
            )
        except (BadInputError, StaleWriteError):
            return None

    async def decide(
        self,
        actor: Actor,
        incident_id: str,
        outcome: Outcome,
        *,
        shown_kind: str,
        expect_version: int,
        duplicate_of: str = "",
        note: str = "",
    ) -> ReviewItem:
        """Say what an incident turned out to be; said again, the last word counts.

        Args:
            actor: An operator.
            incident_id: Of the incident.
            outcome: What it was.
            shown_kind: Of the incident as it was shown: the rule that the answer is about.
            expect_version: Of the item that was shown.
            duplicate_of: The other incident, where it is a duplicate; where that is one itself, its original is taken.
            note: For those who tune the rule.

        Raises:
            NotPermittedError: The actor is no operator.
            StaleWriteError: Somebody else was faster, or the incident is named after another rule by now.
            BadInputError: There is no such incident, or a duplicate names no other one.
        """
        require(actor, Role.OPERATOR)
        note = storable(note).strip()[:MAX_NOTE_LENGTH]
        at = self._clock.now()

        def run(session: Session) -> tuple[ReviewItem, ...]:
            incident = _find(session, incident_id)
            if incident.kind != shown_kind:
                raise StaleWriteError(f"It became {incident.title} meanwhile.", hint="Look at it once more.")
            row = _checked(session, incident, shown_kind, expect_version)
            original = _original(session, incident_id, duplicate_of) if outcome is Outcome.DUPLICATE else None
            if row is None:
                row = ReviewRow(incident_id=incident_id, kind=shown_kind)
                session.add(row)
            row.confidence = incident.confidence
            row.outcome, row.duplicate_of, row.note = outcome.value, original, note
            row.reviewed_by, row.reviewed_at = actor.name, at
            session.flush()
            moved = _follow(session, incident_id, original)
            detail = outcome.value + (f" of {original}" if original else "") + (f": {note}" if note else "")
            subject = f"{incident.title} ({incident_id})"
            audit.append(session, actor, action="incident.review", subject=subject, detail=detail, at=at)
            return (_item(session, incident, row), *moved)

        try:
            return self._published(await self._store.write(run))
        except StaleWriteError:
            # Who answered still sees what was: nothing else tells that desk of a new name.
            self._published(await self._store.read(lambda session: (_item_now(session, incident_id),)))
            raise

    async def undo(self, actor: Actor, incident_id: str, *, shown_kind: str, expect_version: int) -> ReviewItem:
        """Take an answer back.

        Args:
            actor: An operator.
            incident_id: Of the incident.
            shown_kind: The rule that the answer was about; the incident may be named after another one by now.
            expect_version: Of the item that was shown.

        Raises:
            NotPermittedError: The actor is no operator.
            StaleWriteError: It was reviewed anew meanwhile.
            BadInputError: There is no such review.
        """
        require(actor, Role.OPERATOR)
        at = self._clock.now()

        def run(session: Session) -> tuple[ReviewItem, ...]:
            incident = _find(session, incident_id)
            row = _checked(session, incident, shown_kind, expect_version)
            if row is None or not row.outcome:
                raise BadInputError("This incident was not reviewed.", hint="There is nothing to take back.")
            detail = f"taken back (was {row.outcome})"
            # The row stays, so that its version goes on: a third console may still hold the old one.
            row.outcome, row.duplicate_of, row.note = "", None, ""
            row.reviewed_by, row.reviewed_at = actor.name, at
            session.flush()
            subject = f"{incident.title} ({incident_id})"
            audit.append(session, actor, action="incident.review", subject=subject, detail=detail, at=at)
            return (_item_now(session, incident_id),)

        return self._published(await self._store.write(run))

    async def precision(self, actor: Actor, *, since: datetime | None = None) -> PrecisionReport:
        """Return how often each rule was right, on all cameras and on each, of the incidents since then."""
        require(actor, Role.VIEWER)
        answered = (
            _counted(ReviewRow.kind, ReviewRow.confidence, ReviewRow.outcome)
            .join(ReviewRow, ReviewRow.incident_id == IncidentRow.incident_id)
            .where(ReviewRow.outcome != "", ReviewRow.kind.in_(_RULE_KINDS))
        )
        waiting = (
            _counted(IncidentRow.kind, IncidentRow.confidence, literal(""))
            .outerjoin(ReviewRow, _is_its_review())
            .where(_is_waiting())
        )

        def run(session: Session) -> PrecisionReport:
            queries = (
                query if since is None else query.where(IncidentRow.began_at >= since) for query in (answered, waiting)
            )
            return _report([tuple(row) for query in queries for row in session.execute(query)])

        return await self._store.read(run)

    def _published(self, items: tuple[ReviewItem, ...]) -> ReviewItem:
        self._bus.publish(ReviewChanged(items=items))
        return items[0]


def wilson_interval(n_true: int, n: int) -> tuple[float, float]:
    """Return the interval that holds a share with 95 %, given `n_true` of `n`; (0, 1) where n is 0.

    Source: Wilson (1927); unlike the normal approximation it is right for few cases and near 0 and 1.
    """
    if n <= 0:
        return 0.0, 1.0
    share, z2 = n_true / n, _Z_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def _report(rows: Iterable[tuple[Any, ...]]) -> PrecisionReport:
    counts: dict[tuple[str, str], dict[str, int]] = {}
    bins: dict[tuple[str, int], dict[str, int]] = {}
    names: dict[str, str] = {}
    for kind, source_id, outcome, bin_index, name, n in rows:
        names[source_id] = name
        for key in ((kind, ""), (kind, source_id)):
            of_rule = counts.setdefault(key, {})
            of_rule[outcome] = of_rule.get(outcome, 0) + n
        of_bin = bins.setdefault((kind, int(bin_index)), {})
        of_bin[outcome] = of_bin.get(outcome, 0) + n
    rules = [_precision(kind, source, names.get(source, ""), found) for (kind, source), found in counts.items()]
    rules.sort(key=lambda rule: (rule.kind, rule.source_id != "", rule.source_name.casefold(), rule.source_id))
    return PrecisionReport(
        rules=tuple(rules),
        bins=tuple(
            ConfidenceBin(
                kind=kind,
                low=BIN_EDGES[index],
                high=BIN_EDGES[index + 1],
                n_true=found.get(Outcome.TRUE.value, 0),
                n_false=found.get(Outcome.FALSE.value, 0),
            )
            for (kind, index), found in sorted(bins.items())
        ),
    )


def _precision(kind: str, source_id: str, name: str, found: dict[str, int]) -> RulePrecision:
    n_true, n_false = found.get(Outcome.TRUE.value, 0), found.get(Outcome.FALSE.value, 0)
    low, high = wilson_interval(n_true, n_true + n_false)
    return RulePrecision(
        kind=kind,
        source_id=source_id,
        source_name=name,
        n_true=n_true,
        n_false=n_false,
        n_duplicate=found.get(Outcome.DUPLICATE.value, 0),
        n_waiting=found.get("", 0),
        precision=n_true / (n_true + n_false) if n_true + n_false else None,
        low=low,
        high=high,
    )


def _counted(
    kind: InstrumentedAttribute[str],
    confidence: InstrumentedAttribute[float],
    outcome: ColumnElement[str] | InstrumentedAttribute[str],
) -> Select[*tuple[Any, ...]]:
    """Return a query that counts incidents by rule, camera, outcome and bin of the confidence."""
    bin_of = case(*((confidence < edge, index) for index, edge in enumerate(BIN_EDGES[1:-1])), else_=len(BIN_EDGES) - 2)
    columns = (kind, IncidentRow.source_id, outcome, bin_of)
    query = select(*columns, func.max(IncidentRow.source_name), func.count()).select_from(IncidentRow)
    return query.where(_is_of_rule()).group_by(*columns)


def _is_of_rule() -> ColumnElement[bool]:
    # A lost camera is an incident as well, but nobody's judgement; and what an operator wrote down, no rule saw.
    by_hand = exists().where(
        IncidentStepRow.incident_id == IncidentRow.incident_id, IncidentStepRow.step == Step.OPEN.value
    )
    return and_(IncidentRow.source_kind == SourceKind.CAMERA.value, IncidentRow.kind.in_(_RULE_KINDS), ~by_hand)


def _is_its_review() -> ColumnElement[bool]:
    """The review of an incident under the rule that it is named after now."""
    return and_(ReviewRow.incident_id == IncidentRow.incident_id, ReviewRow.kind == IncidentRow.kind)


def _is_waiting() -> ColumnElement[bool]:
    return or_(ReviewRow.incident_id.is_(None), ReviewRow.outcome == "")


def _filtered(query: Select[*tuple[Any, ...]], wanted: ReviewFilter) -> Select[*tuple[Any, ...]]:
    query = query.outerjoin(ReviewRow, _is_its_review()).where(_is_of_rule())
    if wanted.kind:
        query = query.where(IncidentRow.kind == wanted.kind)
    if wanted.source_id:
        query = query.where(IncidentRow.source_id == wanted.source_id)
    if wanted.waiting is Waiting.WAITING:
        query = query.where(_is_waiting())
    elif wanted.waiting is Waiting.REVIEWED:
        query = query.where(~_is_waiting())
    return query


def _find(session: Session, incident_id: str) -> IncidentRow:
    row = session.scalar(select(IncidentRow).where(IncidentRow.incident_id == incident_id, _is_of_rule()))
    if row is None:
        raise BadInputError("There is no such incident of a rule.", hint="Look at the list again.")
    return row


def _checked(session: Session, incident: IncidentRow, kind: str, expect_version: int) -> ReviewRow | None:
    row = session.get(ReviewRow, (incident.incident_id, kind))
    if (0 if row is None else row.version) != expect_version:
        who = f"{row.reviewed_by} reviewed" if row is not None else "Somebody reviewed"
        raise StaleWriteError(f"{who} {incident.title} meanwhile.", hint="Look at it once more.")
    return row


def _original(session: Session, incident_id: str, other_id: str) -> str:
    """Return the incident that a duplicate is to name."""
    if not other_id or other_id == incident_id:
        raise BadInputError("A duplicate needs the incident that it repeats.", hint="Choose another incident.")
    review = session.get(ReviewRow, (other_id, _find(session, other_id).kind))
    original = review.duplicate_of if review is not None and review.duplicate_of else other_id
    if original == incident_id:
        raise BadInputError("That incident is a duplicate of this one.", hint="Take that review back first.")
    return original


def _follow(session: Session, incident_id: str, original: str | None) -> list[ReviewItem]:
    """What repeats an incident that is a duplicate now repeats its original."""
    if original is None:
        return []
    repeats = select(ReviewRow).where(ReviewRow.duplicate_of == incident_id, ReviewRow.incident_id != original)
    rows = session.scalars(repeats).all()
    for row in rows:
        row.duplicate_of = original
    session.flush()
    return [_item_now(session, row.incident_id) for row in rows]


def _item_now(session: Session, incident_id: str) -> ReviewItem:
    incident = session.get_one(IncidentRow, incident_id)
    return _item(session, incident, session.get(ReviewRow, (incident_id, incident.kind)))


def _item(session: Session, incident: IncidentRow, review: ReviewRow | None) -> ReviewItem:
    shown, picture_id = ledger.incident_of(incident), ledger.picture_of_rule(session, incident)
    if review is None:
        return ReviewItem(incident=shown, confidence=incident.confidence, picture_id=picture_id)
    return ReviewItem(
        incident=shown,
        confidence=incident.confidence,
        outcome=Outcome(review.outcome) if review.outcome else None,
        duplicate_of=review.duplicate_of or "",
        note=review.note,
        reviewed_by=review.reviewed_by if review.outcome else "",
        reviewed_at=review.reviewed_at if review.outcome else None,
        version=review.version,
        picture_id=picture_id,
    )


_OUTCOMES = {
    Disposition.TRUE.value: Outcome.TRUE,
    Disposition.FALSE_ALARM.value: Outcome.FALSE,
    Disposition.DUPLICATE.value: Outcome.DUPLICATE,
}
