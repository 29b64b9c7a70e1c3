"""The figures that an alarm follows: delays, latching, shelving, escalation; one frozen value for each rule.

Source: study/control_room.md 3A, "Defaults when nothing is configured".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from core.access.model import Role
from core.incidents.model import Alarm, Priority
from core.incidents.suppression import SuppressionRule

MINUTE_S = 60.0
HOUR_S = 3600.0

SHELVE_REASONS = (
    "Known fault, is being mended",
    "Maintenance",
    "Planned event",
    "Nuisance, chatters",
    "Weather",
    "Waits for somebody else",
)
"""Why an alarm may be put aside; what else is to be said goes into the comment."""


def _by_priority(critical: float, high: float, medium: float, low: float) -> dict[Priority, float]:
    return {
        Priority.CRITICAL: critical,
        Priority.HIGH: high,
        Priority.MEDIUM: medium,
        Priority.LOW: low,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmTuning:
    """How the alarms of one rule behave; every figure has a default.

    Attributes:
        on_delay_s: The condition must hold so long before it is raised.
        off_delay_s: It must be over so long before it has returned.
        n_raises, window_s: It is raised with the n-th time within the window; 1 means at once.
        limit, deadband: Of a device's number, instead of what its kind declares: it calls above the limit and is over
            below `limit - deadband`; where `is_below`, it calls below it and is over above `limit + deadband`.
        is_latching: The alarm stands until it is reset, also when the condition is over.
        can_be_shelved: False for what says that nothing is recorded.
        shelved_max_s: Longest shelving by an operator, by priority; 0 means that an operator may not.
        shelved_max_supervisor_s: The same for a supervisor.
        reset_role: Who may reset a latched alarm.
        is_comment_needed: An acknowledge says something.
        escalate_s: Without an acknowledge the next level is called after so long, by priority; 0 means never.
        max_escalation: The last level.
        escalation_roles: Whose desks each level calls, at least; the last one counts for the levels after it.
        escalation_names: Who is meant at each level, in the site's words; may be fewer than there are levels.
        realarm_s: What is acknowledged and still active calls again after so long, by priority; 0 means never.
        fleeting_s: What was over sooner, unacknowledged, is marked as fleeting.
    """

    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    n_raises: int = 1
    window_s: float = 60.0
    limit: float | None = None
    deadband: float = 0.0
    is_below: bool = False
    is_latching: bool = False
    can_be_shelved: bool = True
    shelved_max_s: Mapping[Priority, float] = field(
        default_factory=lambda: _by_priority(0.0, HOUR_S, 8 * HOUR_S, 24 * HOUR_S)
    )
    shelved_max_supervisor_s: Mapping[Priority, float] = field(
        default_factory=lambda: _by_priority(15 * MINUTE_S, HOUR_S, 8 * HOUR_S, 24 * HOUR_S)
    )
    reset_role: Role = Role.OPERATOR
    is_comment_needed: bool = False
    escalate_s: Mapping[Priority, float] = field(default_factory=lambda: _by_priority(60.0, 5 * MINUTE_S, 0.0, 0.0))
    max_escalation: int = 3
    escalation_roles: tuple[Role, ...] = (Role.SUPERVISOR,)
    escalation_names: tuple[str, ...] = ()
    realarm_s: Mapping[Priority, float] = field(
        default_factory=lambda: _by_priority(30 * MINUTE_S, 2 * HOUR_S, 0.0, 0.0)
    )
    fleeting_s: float = 10.0

    def escalated_to(self, level: int) -> Role | None:
        """Return whose desks a level calls, at least; None below the first one."""
        if level < 1:
            return None
        return self.escalation_roles[min(level, len(self.escalation_roles)) - 1]

    def escalation_words(self, level: int) -> str:
        """Return who a level calls, for the journal: the role, and the name where the site has one."""
        role = self.escalated_to(level)
        name = self.escalation_names[level - 1] if 0 < level <= len(self.escalation_names) else ""
        words = "" if role is None else role.name.lower()
        return f"{words}, {name}" if name and name.lower() != words else words

    def longest_shelving(self, priority: Priority, role: Role) -> timedelta:
        """Return how long this role may shelve such an alarm; nothing where it may not."""
        if not self.can_be_shelved:
            return timedelta()
        longest = self.shelved_max_s if role < Role.SUPERVISOR else self.shelved_max_supervisor_s
        return timedelta(seconds=longest[priority])


DEFAULT = AlarmTuning()
"""What a rule does not say."""


class Tunings:
    """The figures in force.

    Threads: the node's loop; the mapping is replaced as a whole.
    """

    def __init__(self, by_rule: Mapping[str, AlarmTuning], *, suppression: tuple[SuppressionRule, ...]) -> None:
        """Take the figures of rules by their id; what has no rule keeps the default."""
        self._by_rule = dict(by_rule)
        self.suppression = suppression
        """What is suppressed by design."""

    def replace(self, by_rule: Mapping[str, AlarmTuning]) -> None:
        """Put other figures in force; alarms that stand follow them from now on."""
        self._by_rule = dict(by_rule)

    @property
    def longest_window_s(self) -> float:
        """Over how long raises are counted at most."""
        return max((tuning.window_s for tuning in self._by_rule.values() if tuning.n_raises > 1), default=0.0)

    def of(self, rule_id: str, kind: str) -> AlarmTuning:
        """Return the figures of a rule; of what has none, those of the rule that is called as its kind."""
        return self._by_rule.get(rule_id) or self._by_rule.get(kind, DEFAULT)

    def of_alarm(self, alarm: Alarm) -> AlarmTuning:
        """Return the figures that an alarm follows."""
        return self.of(alarm.rule_id, alarm.kind)
