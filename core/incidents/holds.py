"""What holds alarms, in rows: out of service, planned works, and the causes that suppress others by design."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, bindparam, exists, or_, select
from sqlalchemy.orm import Session

from core.incidents.events import Service
from core.incidents.model import Alarm, Condition, Shelving, SourceKind
from core.incidents.suppression import Cause, PlannedWorks, Source, SuppressionRule, find_rule, kinds_meant
from core.kernel.errors import BadInputError
from core.kernel.zone import write_site
from core.store.rows import position_of
from core.store.tables import AlarmRow, OutOfServiceRow, PlannedWorksRow

# Asked for every alarm: built once.
_ANYTHING = select(
    exists().where(PlannedWorksRow.until > bindparam("at", type_=PlannedWorksRow.until.type)),
    exists().where(OutOfServiceRow.until > bindparam("at", type_=OutOfServiceRow.until.type)),
    exists().where(AlarmRow.is_open, AlarmRow.is_active, AlarmRow.kind.in_(bindparam("kinds", expanding=True))),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfService:
    """A condition or a whole source that is out of service.

    Attributes:
        condition_key: Empty where the whole source is meant.
    """

    hold_id: str
    condition_key: str
    source_kind: SourceKind
    source_id: str
    source_name: str
    owner: str
    reason: str
    since: datetime
    until: datetime
    version: int = 1

    @property
    def service(self) -> Service:
        """What its alarms say."""
        return Service(by=self.owner, reason=self.reason, until=self.until)

    def covers(self, subject: Condition | Alarm) -> bool:
        """Tell whether a condition, or its source, is meant."""
        if self.condition_key:
            return self.condition_key == subject.condition_key
        return Source(kind=self.source_kind, source_id=self.source_id).is_of(subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """All that somebody keeps from calling on purpose, also where no alarm is there.

    Attributes:
        services: Out of service now, the first to come back first.
        works: Those that go on or are still to come, the first to begin first.
    """

    services: tuple[OutOfService, ...] = ()
    works: tuple[PlannedWorks, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsChanged:
    """Something else is out of service, or works were planned, or ended; published after the commit."""

    holds: Holds


def holds_at(session: Session, at: datetime) -> Holds:
    """Return what is held at an instant."""
    return Holds(services=out_of_service(session, at), works=works(session, at))


def out_of_service(session: Session, at: datetime) -> tuple[OutOfService, ...]:
    """Return all that is out of service, the first to come back first."""
    query = select(OutOfServiceRow).where(OutOfServiceRow.until > at).order_by(OutOfServiceRow.until)
    return tuple(hold_of(row) for row in session.scalars(query))


def covering(session: Session, subject: Condition | Alarm) -> list[OutOfServiceRow]:
    """Return every row that takes a condition out of service."""
    return list(session.scalars(select(OutOfServiceRow).where(_covers(subject))))


def alarms_under(session: Session, hold: OutOfService) -> list[AlarmRow]:
    """Return the open alarms that are meant by a row."""
    query = select(AlarmRow).where(AlarmRow.is_open)
    if hold.condition_key:
        query = query.where(AlarmRow.condition_key == hold.condition_key)
    else:
        kinds = [kind.value for kind in kinds_meant(hold.source_kind)]
        query = query.where(AlarmRow.source_kind.in_(kinds), AlarmRow.source_id == hold.source_id)
    return list(session.scalars(query))


def works(session: Session, at: datetime) -> tuple[PlannedWorks, ...]:
    """Return works that go on or are still to come."""
    query = select(PlannedWorksRow).where(PlannedWorksRow.until > at).order_by(PlannedWorksRow.since)
    return tuple(works_of(row) for row in session.scalars(query))


def past_works(session: Session, at: datetime, *, limit: int) -> tuple[PlannedWorks, ...]:
    """Return works that are over, the last to end first."""
    query = (
        select(PlannedWorksRow).where(PlannedWorksRow.until <= at).order_by(PlannedWorksRow.until.desc()).limit(limit)
    )
    return tuple(works_of(row) for row in session.scalars(query))


def causes(session: Session, rules: Iterable[SuppressionRule]) -> tuple[Cause, ...]:
    """Return the active alarms that may explain others."""
    kinds = frozenset[str]().union(*(rule.causes for rule in rules))
    query = select(AlarmRow).where(AlarmRow.is_open, AlarmRow.is_active, AlarmRow.kind.in_(sorted(kinds)))
    return tuple(
        Cause(
            condition_key=row.condition_key,
            kind=row.kind,
            source_kind=SourceKind(row.source_kind),
            source_id=row.source_id,
            position=position_of(row),
        )
        for row in session.scalars(query)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What holds alarms at one instant, to be asked about many of them.

    Attributes:
        services: Out of service, the one that lasts longest first.
    """

    at: datetime
    rules: tuple[SuppressionRule, ...]
    works: tuple[PlannedWorks, ...] = ()
    services: tuple[OutOfService, ...] = ()
    causes: tuple[Cause, ...] = ()

    def rule_for(self, subject: Condition | Alarm) -> str:
        """Return the rule that suppresses a condition; empty where none does."""
        return find_rule(subject, self.causes, rules=self.rules, works=self.works, now=self.at)

    def service_for(self, subject: Condition | Alarm) -> Service | None:
        """Return who took a condition or its source out of service; None while it is in service."""
        return next((hold.service for hold in self.services if hold.covers(subject)), None)


def in_force(session: Session, rules: tuple[SuppressionRule, ...], at: datetime) -> InForce:
    """Return what holds alarms at an instant; in one statement where nothing does."""
    kinds = sorted(frozenset[str]().union(*(rule.causes for rule in rules)))
    has_works, has_services, has_causes = session.connection().execute(_ANYTHING, {"at": at, "kinds": kinds}).one()
    return InForce(
        at=at,
        rules=rules,
        works=works(session, at) if has_works else (),
        services=out_of_service(session, at)[::-1] if has_services else (),
        causes=causes(session, rules) if has_causes else (),
    )


def describe_hold(alarm: Alarm) -> str:
    """Say who or what holds an alarm, and until when; empty where nothing does."""
    if alarm.out_of_service_by:
        until = "" if alarm.out_of_service_until is None else f" until {write_site(alarm.out_of_service_until)}"
        return f"{alarm.out_of_service_by} took it out of service{until}: {alarm.out_of_service_reason}."
    if alarm.suppressed_by:
        return f"{alarm.suppressed_by} suppresses it by design."
    if alarm.shelving is not Shelving.UNSHELVED:
        until = "" if alarm.shelved_until is None else f" until {write_site(alarm.shelved_until)}"
        return f"{alarm.shelved_by} shelved it{until}: {alarm.shelve_reason}."
    return ""


def held_error(alarm: Alarm) -> BadInputError:
    """Return the refusal of what may not be done with an alarm while something holds it."""
    return BadInputError(f"{alarm.title} is held and does not call: {describe_hold(alarm)}", hint="Look at its tab.")


def hold_of(row: OutOfServiceRow) -> OutOfService:
    """Return the frozen value of a row."""
    return OutOfService(
        hold_id=row.hold_id,
        condition_key=row.condition_key,
        source_kind=SourceKind(row.source_kind),
        source_id=row.source_id,
        source_name=row.source_name,
        owner=row.owner,
        reason=row.reason,
        since=row.since,
        until=row.until,
        version=row.version,
    )


def works_of(row: PlannedWorksRow) -> PlannedWorks:
    """Return the frozen value of a row."""
    return PlannedWorks(
        works_id=row.works_id,
        title=row.title,
        sources=frozenset(Source(kind=SourceKind(kind), source_id=source_id) for kind, source_id in row.sources),
        kinds=frozenset(row.kinds),
        since=row.since,
        until=row.until,
        by=row.owner,
        reason=row.reason,
        ended_by=row.ended_by,
        version=row.version,
    )


def _covers(subject: Condition | Alarm) -> ColumnElement[bool]:
    return or_(
        OutOfServiceRow.condition_key == subject.condition_key,
        and_(
            OutOfServiceRow.condition_key == "",
            OutOfServiceRow.source_kind.in_([kind.value for kind in kinds_meant(subject.source_kind)]),
            OutOfServiceRow.source_id == subject.source_id,
        ),
    )
