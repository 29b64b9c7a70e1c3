"""The rules as a document: YAML in and out, its JSON schema, what is wrong line by line, and what two differ in."""

from __future__ import annotations

import string
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from core.incidents.model import MOMENTS
from core.incidents.rules.model import (
    FORMAT,
    AlarmRule,
    Difference,
    RoleName,
    RuleProblem,
    RuleReport,
    RuleSet,
)
from core.kernel.errors import BadInputError
from core.kernel.wire import to_builtins
from core.kernel.yaml_text import Node, YamlError, read, write
from resources import path as resource_path

SHIPPED = "alarm_rules.yaml"
_SETS, _RULES = TypeAdapter(RuleSet), TypeAdapter(AlarmRule)
_NEW = object()


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of the document, for editors that check while one types."""
    schema = _SETS.json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Alarm rules of Watchfloor"}


@cache
def shipped_rules() -> RuleSet:
    """Return the rules that the program brings."""
    return rules_of_text(resource_path(SHIPPED).read_text(encoding="utf-8"))


def rules_of_text(text: str) -> RuleSet:
    """Return the rules of a document that is known to be right.

    Raises:
        BadInputError: It is not; with the first thing that is wrong.
    """
    report = check_text(text)
    if report.rules is None:
        first = next(problem for problem in report.problems if not problem.is_warning)
        raise BadInputError(
            f"Line {first.line} of the alarm rules: {first.sentence}", hint="Import them to see all that is wrong."
        )
    return report.rules


def rules_as_saved(text: str) -> RuleSet:
    """Return what a document says, whether or not rules may be like that.

    Raises:
        BadInputError: It is no document of rules.
    """
    try:
        return _SETS.validate_python(read(text).plain())
    except YamlError as error:
        raise BadInputError(f"Line {error.line} of the alarm rules: {error.sentence}") from error
    except ValidationError as error:
        raise BadInputError(f"The alarm rules: {_sentence_of(error.errors()[0])}") from error


def text_of_rules(rules: RuleSet) -> str:
    """Return the document; what is as by default is left out."""
    plain = to_builtins(rules)
    defaults = to_builtins(AlarmRule(rule_id="x"))
    del defaults["rule_id"]
    plain["rules"] = [_without(rule, defaults) for rule in plain["rules"]]
    return "# Alarm rules of Watchfloor. Of the rules that fit a condition, the first one counts.\n" + write(
        {key: value for key, value in plain.items() if value or key == "rules"}
    )


def check_text(text: str) -> RuleReport:
    """Read a document and tell everything that is wrong in it, by line."""
    try:
        root = read(text)
    except YamlError as error:
        return RuleReport(problems=(RuleProblem(line=error.line, rule_id="", sentence=error.sentence),))
    if not isinstance(root.value, dict):
        return _refused(root.line, 'The document begins with "rules:".')
    unknown = [key for key in root.value if key not in ("format", "expected_for", "rules")]
    if unknown:
        return _refused(root.value[unknown[0]].line, f'"{unknown[0]}" is not known here.')
    version = root.value.get("format", Node(FORMAT, 1))
    if version.value != FORMAT:
        return _refused(version.line, f"This program reads format {FORMAT}, and the document says {version.value}.")
    items = root.value.get("rules", Node(None, root.line))
    if not isinstance(items.value, list):
        return _refused(items.line, '"rules:" is followed by a list: each rule begins with "- rule_id:".')
    problems: list[RuleProblem] = []
    rules: list[tuple[AlarmRule, Node]] = []
    for item in items.value:
        rule = _checked(item, problems)
        if rule is not None:
            rules.append((rule, item))
    problems += _problems_between(rules)
    problems.sort(key=lambda one: one.line)
    made: RuleSet | None = None
    if all(problem.is_warning for problem in problems):
        words = root.value.get("expected_for", Node("", 1)).value
        made = RuleSet(expected_for=str(words or ""), rules=tuple(rule for rule, _ in rules))
    return RuleReport(problems=tuple(problems), rules=made, n_read=len(items.value))


def check_rules(rules: RuleSet) -> tuple[RuleProblem, ...]:
    """Tell what is wrong in rules that were made in a form; lines are 0."""
    try:
        _SETS.validate_python(_SETS.dump_python(rules))
    except ValidationError as error:
        return tuple(
            RuleProblem(line=0, rule_id=_rule_id_at(rules, fault["loc"]), sentence=_sentence_of(fault))
            for fault in error.errors()
        )
    nowhere = Node({}, 0)
    pairs = [(rule, nowhere) for rule in rules]
    return (*(problem for rule, _ in pairs for problem in _problems_within(rule, nowhere)), *_problems_between(pairs))


def differences(before: RuleSet, after: RuleSet) -> tuple[Difference, ...]:
    """Return what became of each field of each rule, in the order of the later document."""
    found: list[Difference] = []
    old = {rule.rule_id: dict(_flat(to_builtins(rule))) for rule in before}
    new = {rule.rule_id: dict(_flat(to_builtins(rule))) for rule in after}
    for rule_id in (*new, *(key for key in old if key not in new)):
        left, right = old.get(rule_id), new.get(rule_id)
        if left is None or right is None:
            words = ("", "added") if left is None else ("removed", "")
            found.append(Difference(rule_id=rule_id, path="rule", before=words[0], after=words[1]))
        left, right = left or _default_fields(), right or _default_fields()
        found += [
            Difference(rule_id=rule_id, path=path, before=left.get(path, ""), after=right.get(path, ""))
            for path in dict.fromkeys((*left, *right))
            if left.get(path, "") != right.get(path, "") and path != "rule_id"
        ]
    kept_before = [rule_id for rule_id in old if rule_id in new]
    kept_after = [rule_id for rule_id in new if rule_id in old]
    if kept_before != kept_after:
        found.append(Difference(rule_id="", path="order", before=", ".join(kept_before), after=", ".join(kept_after)))
    return tuple(found)


def _refused(line: int, sentence: str) -> RuleReport:
    return RuleReport(problems=(RuleProblem(line=line, rule_id="", sentence=sentence),))


def _checked(item: Node, problems: list[RuleProblem]) -> AlarmRule | None:
    plain = item.plain()
    rule_id = str(plain.get("rule_id", "")) if isinstance(plain, dict) else ""
    try:
        rule = _RULES.validate_python(plain)
    except ValidationError as error:
        problems += [
            RuleProblem(line=_line_of(item, fault["loc"]), rule_id=rule_id, sentence=_sentence_of(fault))
            for fault in error.errors()
        ]
        return None
    found = _problems_within(rule, item)
    problems += found
    return None if any(not problem.is_warning for problem in found) else rule


def _problems_within(rule: AlarmRule, item: Node) -> list[RuleProblem]:
    found: list[RuleProblem] = []

    def say(sentence: str, *path: str, is_warning: bool = False) -> None:
        line = item.line_at(path) if item.line else 0
        found.append(RuleProblem(line=line, rule_id=rule.rule_id, sentence=sentence, is_warning=is_warning))

    try:
        fields = {name for _, name, _, _ in string.Formatter().parse(rule.title) if name is not None}
    except ValueError:
        fields = {"?"}
    if fields - {"where"}:
        say("The title may hold {where} and no other name in braces.", "title")
    if (rule.consequence is None) is not (rule.time_to_respond is None):
        say("Consequence and time to respond give the priority together: state both or neither.", "consequence")
    if not rule.guidance.action.strip():
        say("The guidance has no action: nobody could say what to do about this alarm.", "guidance")
    limits = rule.limits
    if limits.deadband and limits.limit is None:
        say("A deadband needs a limit.", "limits", "deadband")
    if limits.reset_role is not RoleName.OPERATOR and not limits.is_latching:
        say("It says who may reset it, and does not latch.", "limits", "reset_role")
    if limits.shelve_max_s and not limits.can_be_shelved:
        say("It cannot be shelved, and says for how long.", "limits", "shelve_max_s")
    moments = [kind for kind in rule.applies_to.kinds if kind in MOMENTS]
    for name, delay_s in (("on-delay", limits.on_delay_s), ("off-delay", limits.off_delay_s)):
        if moments and delay_s:
            sentence = f'"{moments[0]}" happens at one moment: no {name} can wait for it. A count can.'
            say(sentence, "limits", f"{name.replace('-', '_')}_s")
    if limits.n_raises > 1 and limits.on_delay_s > limits.window_s:
        say(
            "It waits longer than the window in which it counts: it would hardly ever be raised.",
            "limits",
            is_warning=True,
        )
    if len(set(rule.guidance.checklist)) < len(rule.guidance.checklist):
        say("Two steps of the checklist have the same words: a tick could not be told apart.", "guidance", "checklist")
    if any(set(held.causes) & set(rule.applies_to.kinds) for held in rule.suppression.held_while):
        say("It would be suppressed by its own kind.", "suppression", "held_while")
    if rule.suppression.held_while and not rule.applies_to.kinds:
        say("Suppression by a cause needs the kinds that are held.", "suppression", "held_while")
    return found


def _problems_between(rules: list[tuple[AlarmRule, Node]]) -> list[RuleProblem]:
    found: list[RuleProblem] = []
    seen: dict[str, AlarmRule] = {}
    for rule, item in rules:
        if rule.rule_id in seen:
            sentence = f'Another rule has the id "{rule.rule_id}".'
            found.append(RuleProblem(line=item.line, rule_id=rule.rule_id, sentence=sentence))
            continue
        before = next((one for one in seen.values() if one.applies_to.covers(rule.applies_to)), None)
        if before is not None:
            sentence = f'It never counts: "{before.rule_id}" stands before it and is for the same.'
            found.append(RuleProblem(line=item.line, rule_id=rule.rule_id, sentence=sentence, is_warning=True))
        seen[rule.rule_id] = rule
    return found


def _line_of(item: Node, loc: tuple[int | str, ...]) -> int:
    return item.line_at(tuple(step for step in loc if isinstance(step, int | str)))


def _rule_id_at(rules: RuleSet, loc: tuple[int | str, ...]) -> str:
    if len(loc) > 1 and loc[0] == "rules" and isinstance(loc[1], int):
        return rules.rules[loc[1]].rule_id
    return ""


def _sentence_of(fault: Any) -> str:
    steps = [str(step) for step in fault["loc"] if not isinstance(step, int) and step != "rules"]
    name = steps[-1] if steps else "This"
    match fault["type"]:
        case "missing":
            return f'"{name}" is missing.'
        case "unexpected_keyword_argument" | "extra_forbidden":
            return f'"{name}" is not known here.'
        case "enum":
            return f'"{fault["input"]}" is none of {fault["ctx"]["expected"]}.'
        case "string_pattern_mismatch" if name == "rule_id":
            return f'"{fault["input"]}" is no id: small letters, digits, and - _ . between them.'
        case "dataclass_type" | "dict_type" | "dataclass_exact_type":
            return f'"{name}" is followed by names and values.'
        case _:
            return f"{name}: {fault['msg'][0].lower()}{fault['msg'][1:]}, and it is {fault['input']!r}."


def _without(value: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, inner in value.items():
        default = defaults.get(key, _NEW)
        if isinstance(inner, dict) and isinstance(default, dict):
            inner = _without(inner, default)
            if inner:
                kept[key] = inner
        elif inner != default:
            kept[key] = inner
    return kept


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        yield path, "; ".join(_item(inner) for inner in value)
    elif value is not None:
        yield path, {True: "yes", False: "no"}[value] if isinstance(value, bool) else _number(value)


@cache
def _default_fields() -> dict[str, str]:
    return dict(_flat(to_builtins(AlarmRule(rule_id="x"))))


def _item(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(part for part in (_item(inner) for inner in value.values()) if part)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
