"""The rules in force, ready to be asked: which one a condition follows, and the figures of its alarms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo

from core.incidents.model import Alarm, Condition, Priority
from core.incidents.rules.model import AlarmRule, RulesInForce
from core.incidents.rules.text import shipped_rules
from core.incidents.suppression import Reach, SuppressionRule
from core.incidents.tuning import DEFAULT, AlarmTuning, Tunings


def tuning_of_rule(rule: AlarmRule) -> AlarmTuning:
    """Return the figures of a rule; what it leaves open is as by default for each priority."""
    limits, escalation = rule.limits, rule.escalation
    return replace(
        DEFAULT,
        on_delay_s=limits.on_delay_s,
        off_delay_s=limits.off_delay_s,
        n_raises=limits.n_raises,
        window_s=limits.window_s,
        limit=limits.limit,
        deadband=limits.deadband,
        is_below=limits.is_below,
        is_latching=limits.is_latching,
        reset_role=limits.reset_role.role,
        can_be_shelved=limits.can_be_shelved,
        is_comment_needed=limits.is_comment_needed,
        fleeting_s=limits.fleeting_s,
        shelved_max_s=_for_all(limits.shelve_max_s, DEFAULT.shelved_max_s),
        shelved_max_supervisor_s=_for_all(limits.shelve_max_s, DEFAULT.shelved_max_supervisor_s),
        realarm_s=_for_all(limits.realarm_s, DEFAULT.realarm_s),
        escalate_s=_for_all(escalation.after_s, DEFAULT.escalate_s),
        max_escalation=max(len(escalation.recipients), len(escalation.roles)) or DEFAULT.max_escalation,
        escalation_roles=tuple(one.role for one in escalation.roles) or DEFAULT.escalation_roles,
        escalation_names=escalation.recipients,
    )


class RuleBook:
    """One set of rules; never changes."""

    def __init__(self, in_force: RulesInForce, zone: tzinfo | None = None) -> None:
        """Take the rules as they are; hours of the day are meant in `zone`, and in this machine's where it is None."""
        self.in_force = in_force
        self.zone = zone
        self._by_id = {rule.rule_id: rule for rule in in_force.rules}
        self._by_kind: dict[str, tuple[AlarmRule, ...]] = {}
        self.tunings: Mapping[str, AlarmTuning] = {
            rule_id: tuning_of_rule(rule) for rule_id, rule in self._by_id.items()
        }
        self.limited_quantities: tuple[str, ...] = tuple(
            dict.fromkeys(
                quantity
                for rule in in_force.rules
                if rule.limits.limit is not None
                for quantity in rule.applies_to.quantities
            )
        )
        """Numbers of devices that rules name together with a limit."""

    def rule(self, rule_id: str) -> AlarmRule | None:
        """Return a rule by its id."""
        return self._by_id.get(rule_id)

    def rule_of(self, condition: Condition) -> AlarmRule | None:
        """Return the first rule that fits; None only where the document has no rule for everything."""
        return next(self._fitting(condition), None)

    def rule_of_alarm(self, alarm: Alarm) -> AlarmRule | None:
        """Return the rule that an alarm follows; of one from before the rules, the rule of its kind."""
        return self._by_id.get(alarm.rule_id) or next(
            (rule for rule in self._of_kind(alarm.kind) if not rule.applies_to.tags), None
        )

    def tuning_of(self, condition: Condition) -> AlarmTuning:
        """Return the figures that a condition's alarm follows."""
        rule = self.rule_of(condition)
        return DEFAULT if rule is None else self.tunings[rule.rule_id]

    def applied(self, condition: Condition) -> Condition:
        """Return the condition with its rule's id, title and priority."""
        fitting = tuple(self._fitting(condition))
        if not fitting:
            return condition
        rule, title = fitting[0], next((rule.title for rule in fitting if rule.title), "")
        return replace(
            condition,
            rule_id=rule.rule_id,
            priority=rule.priority or condition.priority,
            title=title.format(where=condition.where or condition.source_name) if title else condition.title,
        )

    def suppressions(self) -> tuple[SuppressionRule, ...]:
        """Return what is held while something else explains it."""
        by_hour = tuple(
            SuppressionRule(
                rule_id=f"{rule.rule_id}: hours",
                title="Hours of the day",
                causes=frozenset(),
                kinds=frozenset(),
                reach=Reach.SAME_SOURCE,
                windows=rule.suppression.windows,
                of_rule=rule.rule_id,
                zone=self.zone,
            )
            for rule in self.in_force.rules
            if rule.suppression.windows
        )
        return by_hour + tuple(
            SuppressionRule(
                rule_id=held.name,
                title=held.name,
                causes=frozenset(held.causes),
                kinds=frozenset(rule.applies_to.kinds),
                reach=held.reach,
                source_kinds=frozenset(rule.applies_to.source_kinds),
                sources=frozenset(rule.applies_to.sources),
                of_rule=rule.rule_id,
                is_only_own=self._shares_kinds(number),
            )
            for number, rule in enumerate(self.in_force.rules)
            for held in rule.suppression.held_while
        )

    def _shares_kinds(self, number: int) -> bool:
        """Tell whether not all conditions of a rule's kinds and sources follow it: some follow another one."""
        rules = tuple(self.in_force.rules)
        applies = rules[number].applies_to
        before = (other.applies_to.kinds for other in rules[:number])
        return bool(applies.tags or applies.quantities) or any(
            not kinds or set(kinds) & set(applies.kinds) for kinds in before
        )

    def held_until(self, condition: Condition | Alarm, at: datetime) -> datetime | None:
        """Return until when the hours of its rule hold a condition, or its alarm, at an instant; None where none do."""
        rule = self.rule_of_alarm(condition) if isinstance(condition, Alarm) else self.rule_of(condition)
        if rule is None or not rule.suppression.windows:
            return None
        local = at.astimezone(self.zone)
        return max((window.ends(local) for window in rule.suppression.windows if window.holds(local)), default=None)

    def _of_kind(self, kind: str) -> tuple[AlarmRule, ...]:
        if kind not in self._by_kind:
            found = tuple(rule for rule in self.in_force.rules if kind in (rule.applies_to.kinds or (kind,)))
            if len(self._by_kind) > 1000:
                return found
            self._by_kind[kind] = found
        return self._by_kind[kind]

    def _fitting(self, condition: Condition) -> Iterator[AlarmRule]:
        return (rule for rule in self._of_kind(condition.kind) if rule.applies_to.fits(condition))


def shipped_book(zone: tzinfo | None = None) -> RuleBook:
    """Return the book of the rules that the program brings."""
    return RuleBook(RulesInForce(rules=shipped_rules(), version=0), zone)


def shipped_tunings() -> Tunings:
    """Return the figures and suppressions of the rules that the program brings."""
    book = shipped_book()
    return Tunings(book.tunings, suppression=book.suppressions())


def _for_all(seconds: float | None, by_default: Mapping[Priority, float]) -> Mapping[Priority, float]:
    return by_default if seconds is None else dict.fromkeys(Priority, seconds)
