"""What an alarm rule is; every figure has a unit in its name and bounds beside its type.

Source: priorities from consequence and time to respond as in ISA-18.2 and EEMUA 191 (study/control_room.md 3A).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from core.access.model import Role
from core.incidents.model import Condition, Priority, SourceKind
from core.incidents.suppression import Reach, Window

FORMAT = 1
DAY_S = 86_400.0
MAX_RULES = 500
MIN_REASON_LENGTH = 4
MAX_REASON_LENGTH = 500

Seconds = Annotated[float, Field(ge=0, le=7 * DAY_S)]
Words = Annotated[str, Field(max_length=1000)]
Name = Annotated[str, Field(min_length=1, max_length=80)]
RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]

_STRICT = ConfigDict(extra="forbid")


class Consequence(StrEnum):
    """What is at stake if nobody answers."""

    LIFE = "life"
    PROPERTY = "property"
    TRAFFIC = "traffic"
    INFORMATION = "information"


class TimeToRespond(StrEnum):
    """How soon an answer still helps."""

    UNDER_1_MIN = "under_1_min"
    UNDER_5_MIN = "under_5_min"
    UNDER_30_MIN = "under_30_min"
    OVER_30_MIN = "over_30_min"


_TIMES = tuple(TimeToRespond)
_ROWS = {
    Consequence.LIFE: (1, 2, 2, 3),
    Consequence.PROPERTY: (1, 2, 3, 4),
    Consequence.TRAFFIC: (2, 3, 3, 4),
    Consequence.INFORMATION: (3, 4, 4, 4),
}
MATRIX: dict[tuple[Consequence, TimeToRespond], Priority] = {
    (consequence, time): Priority(number)
    for consequence, numbers in _ROWS.items()
    for time, number in zip(_TIMES, numbers, strict=True)
}
"""Priority by consequence and time to respond."""


class RoleName(StrEnum):
    """A role as rules name it."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"

    @property
    def role(self) -> Role:
        """The role."""
        return Role[self.name]


class Link(StrEnum):
    """What the console can show beside an alarm."""

    CAMERA = "camera"
    MAP = "map"
    TREND = "trend"
    PAGE = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliesTo:
    """Which conditions a rule is for; what is empty excludes nothing.

    Attributes:
        kinds: Kinds of conditions, e.g. "congestion".
        source_kinds: Cameras, stations, lots, devices, the system.
        sources: Ids of single sources.
        tags: The condition carries all of these, e.g. "was_parked"; what a device measures carries its kind and group.
        quantities: Numbers of devices by key, e.g. "batteryLevel"; with a limit, of devices of every kind.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    kinds: tuple[Name, ...] = ()
    source_kinds: tuple[SourceKind, ...] = ()
    sources: tuple[Name, ...] = ()
    tags: tuple[Name, ...] = ()
    quantities: tuple[Name, ...] = ()

    def fits(self, condition: Condition) -> bool:
        """Tell whether a condition is meant."""
        return (
            (not self.kinds or condition.kind in self.kinds)
            and (not self.source_kinds or condition.source_kind in self.source_kinds)
            and (not self.sources or condition.source_id in self.sources)
            and condition.tags.issuperset(self.tags)
            and (not self.quantities or condition.quantity in self.quantities)
        )

    def covers(self, other: AppliesTo) -> bool:
        """Tell whether every condition that `other` is for is one of this rule as well."""
        return (
            (not self.kinds or (bool(other.kinds) and set(other.kinds) <= set(self.kinds)))
            and (
                not self.source_kinds
                or (bool(other.source_kinds) and set(other.source_kinds) <= set(self.source_kinds))
            )
            and (not self.sources or (bool(other.sources) and set(other.sources) <= set(self.sources)))
            and set(self.tags) <= set(other.tags)
            and (not self.quantities or (bool(other.quantities) and set(other.quantities) <= set(self.quantities)))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The figures of `AlarmTuning` that a site may set.

    Attributes:
        reset_role: Who may reset what latches, at least.
        realarm_s, shelve_max_s: None means what `AlarmTuning` has for the priority.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    on_delay_s: Seconds = 0.0
    off_delay_s: Seconds = 0.0
    n_raises: Annotated[int, Field(ge=1, le=20)] = 1
    window_s: Annotated[float, Field(ge=1, le=DAY_S)] = 60.0
    limit: float | None = None
    deadband: Annotated[float, Field(ge=0)] = 0.0
    is_below: bool = False
    is_latching: bool = False
    reset_role: RoleName = RoleName.OPERATOR
    is_comment_needed: bool = False
    can_be_shelved: bool = True
    shelve_max_s: Seconds | None = None
    realarm_s: Seconds | None = None
    fleeting_s: Seconds = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Who else is called while nobody acknowledges.

    Attributes:
        after_s: Per level; None means what `AlarmTuning` has for the priority, 0 never.
        roles: Whose desks are called at each level, at least; the last one counts for those after it, none means
            supervisors.
        recipients: One name for each level; without roles and names there are three levels.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    after_s: Seconds | None = None
    roles: Annotated[tuple[RoleName, ...], Field(max_length=5)] = ()
    recipients: Annotated[tuple[Name, ...], Field(max_length=5)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldWhile:
    """While a condition of `causes` holds within `reach`, alarms of the rule need not call.

    Attributes:
        name: What a held alarm shows.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: Name
    causes: Annotated[tuple[Name, ...], Field(min_length=1)]
    reach: Reach = Reach.SAME_SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """When alarms of the rule are held by design: while another condition holds, or at times."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    held_while: tuple[HeldWhile, ...] = ()
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """What an operator reads who never had this alarm.

    Attributes:
        time_allowed_s: Until the first action; None means as the time to respond says.
        links: What to look at, the first one first.
        camera: Name or id of the camera that is looked at before the nearest one; empty leaves it to the place.
        page: Address of a page that says more, e.g. in the site's handbook.
        checklist: Steps; each tick goes to the journal.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    cause: Words = ""
    action: Words = ""
    time_allowed_s: Seconds | None = None
    links: tuple[Link, ...] = ()
    camera: Annotated[str, Field(max_length=80)] = ""
    page: Annotated[str, Field(max_length=500, pattern=r"^(https?://\S+)?$")] = ""
    checklist: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=20)] = ()

    @property
    def shown(self) -> tuple[Link, ...]:
        """What the console can show, in the rule's order: what is named is shown also where no link says so."""
        named = ((Link.CAMERA, self.camera), (Link.PAGE, self.page))
        links = (*self.links, *(link for link, value in named if value and link not in self.links))
        return tuple(link for link in links if link is not Link.PAGE or self.page)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRule:
    """One rule; of those that fit a condition, the first in the document counts.

    Attributes:
        title: May name {where}, the zone or the source; empty leaves the title that the next fitting rule gives.
        consequence, time_to_respond: Together they give the priority; without them the source says it.
        expected_per_week: How often it is expected to call at the site of `RuleSet.expected_for`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    rule_id: RuleId
    title: Annotated[str, Field(max_length=120)] = ""
    applies_to: AppliesTo = AppliesTo()
    consequence: Consequence | None = None
    time_to_respond: TimeToRespond | None = None
    limits: Limits = Limits()
    escalation: Escalation = Escalation()
    suppression: Suppression = Suppression()
    guidance: Guidance = Guidance()
    expected_per_week: Annotated[float, Field(ge=0)] = 0.0

    @property
    def priority(self) -> Priority | None:
        """What the matrix says; None where the source says it."""
        if self.consequence is None or self.time_to_respond is None:
            return None
        return MATRIX[self.consequence, self.time_to_respond]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The document: all rules in their order.

    Attributes:
        format: Of the document, not of its content.
        expected_for: The site that the expected frequencies are for.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    format: Annotated[int, Field(ge=1, le=FORMAT)] = FORMAT
    expected_for: Words = ""
    rules: Annotated[tuple[AlarmRule, ...], Field(max_length=MAX_RULES)] = ()

    def __iter__(self) -> Iterator[AlarmRule]:
        return iter(self.rules)

    def find(self, rule_id: str) -> AlarmRule | None:
        """Return a rule by its id."""
        return next((rule for rule in self.rules if rule.rule_id == rule_id), None)

    def with_rule(self, rule: AlarmRule) -> RuleSet:
        """Return the set with a rule in place of the one of its id, or before all others where there is none."""
        if self.find(rule.rule_id) is None:
            return replace(self, rules=(rule, *self.rules))
        return replace(self, rules=tuple(rule if one.rule_id == rule.rule_id else one for one in self.rules))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field of one rule before and after; what was not there is empty."""

    rule_id: str
    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleProblem:
    """What is wrong in a document.

    Attributes:
        line: 1 for the first one; 0 where it was not read from text.
        rule_id: Empty where it is about the document.
        is_warning: It can be used all the same.
    """

    line: int
    rule_id: str
    sentence: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """What was read from a text.

    Attributes:
        rules: None where something is wrong.
        n_read: Rules that were looked at.
        differences: Against the rules in force.
    """

    problems: tuple[RuleProblem, ...] = ()
    rules: RuleSet | None = None
    n_read: int = 0
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVersion:
    """One saved state of the rules: by whom, when, why, and what it changed.

    Attributes:
        version: 1, 2, 3, …; 0 is what the program ships.
    """

    version: int
    at: datetime
    author: str
    desk: str
    reason: str
    n_rules: int
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesInForce:
    """What the room follows now; `version` guards against two supervisors racing."""

    rules: RuleSet
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesChanged:
    """Other rules are in force; published after the commit."""

    in_force: RulesInForce


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSide:
    """What one set of rules makes of it.

    Attributes:
        n_conditions: Begins that the rule is for.
        n_raised: Alarms that it raises, after delays and count.
        n_called: Of them, those that make a sound: not chattering, not held at that hour.
        raised_per_day: By the day of the site as ISO text; days without any are 0.
        top: Sources that raise most.
    """

    n_conditions: int = 0
    n_raised: int = 0
    n_called: int = 0
    n_chatter: int = 0
    n_held: int = 0
    raised_per_day: dict[str, int]
    top: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialReport:
    """Both sides of the comparison.

    Attributes:
        n_from_observations, n_from_journal: Begins that were replayed, by where they are stored.
        n_readings, n_devices: Readings that were replayed, and of how many devices.
        note: What this trial cannot say; empty where there is nothing.
    """

    rule_id: str
    since: datetime
    until: datetime
    as_it_is: TrialSide
    changed: TrialSide
    n_from_observations: int
    n_from_journal: int
    n_readings: int = 0
    n_devices: int = 0
    note: str = ""


class TrialState(StrEnum):
    """What became of a trial."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRun:
    """A trial, going on or over.

    Attributes:
        fraction: How far it is, 0 to 1.
        n_readings: Replayed so far.
        report: Once it is done.
        message, hint: Why it failed.
    """

    trial_id: str
    state: TrialState = TrialState.RUNNING
    fraction: float = 0.0
    n_readings: int = 0
    report: TrialReport | None = None
    message: str = ""
    hint: str = ""
