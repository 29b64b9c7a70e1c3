"""What an earlier version let a site save and this one refuses: mended where it is read, and said so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from core.incidents.model import MOMENTS
from core.incidents.rules.model import AlarmRule, RuleSet
from core.incidents.rules.text import check_rules, rules_as_saved
from core.kernel.errors import BadInputError

REASON = "A delay cannot wait for what happens at one moment: this version of the program leaves it out."


def mend(text: str) -> tuple[RuleSet, RuleSet]:
    """Return the rules of a saved document as they stand there, and as this program can follow them.

    Raises:
        BadInputError: Something else is wrong in it.
    """
    saved = rules_as_saved(text)
    mended = without_delays_of_moments(saved)
    wrong = next((problem for problem in check_rules(mended) if not problem.is_warning), None)
    if wrong is not None:
        raise BadInputError(f"{wrong.rule_id}: {wrong.sentence}", hint="Import them to see all that is wrong.")
    return saved, mended


def without_delays_of_moments(rules: RuleSet) -> RuleSet:
    """Return the rules with no delay for what happens at one moment; what else a rule is for keeps its own."""
    taken = {rule.rule_id for rule in rules}
    return replace(rules, rules=tuple(one for rule in rules for one in _mended(rule, taken)))


def _mended(rule: AlarmRule, taken: set[str]) -> Iterator[AlarmRule]:
    kinds = rule.applies_to.kinds
    moments = tuple(kind for kind in kinds if kind in MOMENTS)
    if not moments or not (rule.limits.on_delay_s or rule.limits.off_delay_s):
        yield rule
        return
    at_once = replace(rule, limits=replace(rule.limits, on_delay_s=0.0, off_delay_s=0.0))
    lasting = tuple(kind for kind in kinds if kind not in MOMENTS)
    if not lasting:
        yield at_once
        return
    yield replace(rule, applies_to=replace(rule.applies_to, kinds=lasting))
    yield replace(
        at_once,
        rule_id=_free_id(rule.rule_id, taken),
        applies_to=replace(rule.applies_to, kinds=moments),
        # What is expected is stated once, by the rule that keeps the name.
        expected_per_week=0.0,
    )


def _free_id(rule_id: str, taken: set[str]) -> str:
    number, found = 1, f"{rule_id[:50]}.moments"
    while found in taken:
        number += 1
        found = f"{rule_id[:50]}.moments{number}"
    taken.add(found)
    return found
