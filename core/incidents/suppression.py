"""Suppression by design: what need not call while something else explains it.

A rule is data: while its cause is active, alarms of the named kinds are held, with the rule beside them. They are
stored, listed and counted all the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from core.incidents.model import Alarm, Condition, SourceKind
from core.kernel.geo import GeoPoint
from core.vision.plane import east_north_m

NEARBY_M = 150.0
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Reach(StrEnum):
    """Which sources a cause explains."""

    SAME_SOURCE = "same_source"
    SAME_GROUP = "same_group"
    """Devices of the group that the cause's device belongs to: what lies behind a gateway."""

    NEARBY = "nearby"
    """What stands within `NEARBY_M` of the cause: where one has no power, neither has the other."""

    EVERYWHERE = "everywhere"


class Weekday(StrEnum):
    """In the order of `datetime.weekday`."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time of day, at the site; an end before its begin is on the next day.

    Attributes:
        weekdays: On which it begins; none means every day.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    begin: TimeOfDay
    end: TimeOfDay
    weekdays: tuple[Weekday, ...] = ()

    def holds(self, at: datetime) -> bool:
        """Tell whether an instant of local time lies in it."""
        now = f"{at.hour:02}:{at.minute:02}"
        is_night = self.end <= self.begin
        is_in = (now >= self.begin or now < self.end) if is_night else self.begin <= now < self.end
        # What began yesterday counts with yesterday's day.
        began = at.weekday() - (1 if is_night and now < self.end else 0)
        return is_in and (not self.weekdays or tuple(Weekday)[began % 7] in self.weekdays)

    def ends(self, at: datetime) -> datetime:
        """Return when it ends that holds at an instant of local time."""
        hour, minute = map(int, self.end.split(":"))
        end = at.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return end if end > at else end + timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionRule:
    """While an alarm of `causes` is active, alarms of `kinds` within `reach` of it are held; or at hours of the day.

    Attributes:
        causes, kinds: Kinds of conditions.
        source_kinds, sources: Whose alarms are held; empty means everyone's.
        is_only_own: Held is what follows the alarm rule `of_rule`, and nothing else of the same kinds.
        windows: Hours, by the clock of `zone`, in which alarms of the alarm rule `of_rule` are held.
        zone: None is this machine's.
    """

    rule_id: str
    title: str
    causes: frozenset[str]
    kinds: frozenset[str]
    reach: Reach
    source_kinds: frozenset[SourceKind] = frozenset()
    sources: frozenset[str] = frozenset()
    windows: tuple[Window, ...] = ()
    of_rule: str = ""
    is_only_own: bool = False
    zone: tzinfo | None = None

    def is_hour(self, now: datetime) -> bool:
        """Tell whether one of its windows holds at an aware instant."""
        local = now.astimezone(self.zone)
        return any(window.holds(local) for window in self.windows)


_OF_DEVICES = (SourceKind.DEVICE, SourceKind.STATION, SourceKind.LOT)


def kinds_meant(kind: SourceKind) -> tuple[SourceKind, ...]:
    """Return the kinds of which one thing may raise alarms: a station that jams is the device that is lost."""
    return _OF_DEVICES if kind in _OF_DEVICES else (kind,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an alarm may come from."""

    kind: SourceKind
    source_id: str

    def is_of(self, subject: Condition | Alarm) -> bool:
        """Tell whether a condition comes from it."""
        return self.source_id == subject.source_id and subject.source_kind in kinds_meant(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWorks:
    """Works that somebody announced: from one instant to another, alarms of some sources are expected.

    Attributes:
        kinds: Kinds of conditions; empty means all.
        ended_by: Who ended them before their time; `until` is that instant then, before `since` where they were
            called off.
    """

    works_id: str
    title: str
    sources: frozenset[Source]
    kinds: frozenset[str] = frozenset()
    since: datetime
    until: datetime
    by: str
    reason: str = ""
    ended_by: str = ""
    version: int = 1

    @property
    def rule_id(self) -> str:
        """What an alarm says that is held by it."""
        return f"works: {self.title}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """An active alarm that may explain others."""

    condition_key: str
    kind: str
    source_kind: SourceKind
    source_id: str
    position: GeoPoint | None = None


def find_rule(
    subject: Condition | Alarm,
    causes: Iterable[Cause],
    *,
    rules: Iterable[SuppressionRule],
    works: Iterable[PlannedWorks],
    now: datetime,
) -> str:
    """Return the id of the rule that holds a condition right now; empty where none does."""
    for announced in works:
        if announced.since <= now < announced.until and _is_expected(subject, announced):
            return announced.rule_id
    known = tuple(causes)
    for rule in rules:
        if rule.windows and subject.rule_id == rule.of_rule and rule.is_hour(now):
            return rule.rule_id
        if not _is_meant(subject, rule):
            continue
        if any(cause.kind in rule.causes and _reaches(rule.reach, cause, subject) for cause in known):
            return rule.rule_id
    return ""


def _is_meant(subject: Condition | Alarm, rule: SuppressionRule) -> bool:
    return (
        subject.kind in rule.kinds
        and (not rule.source_kinds or subject.source_kind in rule.source_kinds)
        and (not rule.sources or subject.source_id in rule.sources)
        # Tags and numbers are not kept with an alarm; which rule it follows, because of them, is.
        and (not rule.is_only_own or (subject.rule_id or subject.kind) == rule.of_rule)
    )


def _is_expected(subject: Condition | Alarm, works: PlannedWorks) -> bool:
    is_of_kind = not works.kinds or subject.kind in works.kinds
    meant = (Source(kind=kind, source_id=subject.source_id) for kind in kinds_meant(subject.source_kind))
    return is_of_kind and any(source in works.sources for source in meant)


def _reaches(reach: Reach, cause: Cause, subject: Condition | Alarm) -> bool:
    if cause.condition_key == subject.condition_key:
        return False
    if reach is Reach.EVERYWHERE:
        return True
    if reach is Reach.SAME_SOURCE:
        return (cause.source_kind, cause.source_id) == (subject.source_kind, subject.source_id)
    if reach is Reach.NEARBY:
        if cause.position is None or subject.position is None:
            return False
        return math.hypot(*east_north_m(cause.position, subject.position)) <= NEARBY_M
    group, _, _ = cause.source_id.partition("/")
    return subject.source_id.startswith(f"{group}/")
