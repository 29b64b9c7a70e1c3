"""docs/alarm-states.md from the machine's table: `python -m core.incidents.states_page > docs/alarm-states.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from core.incidents.machine import TABLE, Row, Trigger
from core.incidents.model import AlarmState, Priority
from core.incidents.rules.book import shipped_book
from core.incidents.tuning import DEFAULT, AlarmTuning

STATES: dict[AlarmState, str] = {
    AlarmState.NORMAL: "nothing is wrong, or it is over and was seen; not in the list",
    AlarmState.UNACKNOWLEDGED: "the condition holds, nobody has seen it: sound and flash",
    AlarmState.ACKNOWLEDGED: "the condition holds, somebody has seen it",
    AlarmState.RETURNED_UNACKNOWLEDGED: "the condition is over, nobody has seen it: an outline that flashes slowly",
    AlarmState.LATCHED_UNACKNOWLEDGED: "the condition is over, its rule latches, nobody has seen it: flash",
    AlarmState.LATCHED_ACKNOWLEDGED: "the condition is over and was seen; it stands until somebody resets it",
    AlarmState.SHELVED: "an operator put it aside for a time",
    AlarmState.SUPPRESSED: "a rule holds it by design, because something else explains it",
    AlarmState.OUT_OF_SERVICE: "a supervisor took it, or its source, out of service",
}

TRIGGERS: dict[Trigger, str] = {
    Trigger.RAISE: "raised, by a rule",
    Trigger.RAISE_AGAIN: "raised again, by a rule",
    Trigger.SEVERITY_UP: "more urgent, by a rule",
    Trigger.RETURN: "returned, by a rule",
    Trigger.ACKNOWLEDGE: "acknowledged, by an operator",
    Trigger.UNACKNOWLEDGE: "acknowledge taken back within 10 min, by the same operator or a supervisor, with a reason",
    Trigger.RESET: "reset, by an operator",
    Trigger.REALARM: "acknowledged for long and still active, by a timer",
    Trigger.ESCALATE: "not acknowledged in time, by a timer",
    Trigger.SHELVE: "shelved, by an operator, with a time and a reason",
    Trigger.UNSHELVE: "unshelved, by an operator",
    Trigger.SHELVING_EXPIRED: "the time of the shelving is over",
    Trigger.SUPPRESS: "suppressed, by a rule or planned works",
    Trigger.UNSUPPRESS: "suppressed no more, 30 s after the cause is over",
    Trigger.TAKE_OUT: "taken out of service, by a supervisor, with a reason and an end",
    Trigger.PUT_BACK: "put back into service, by a supervisor",
    Trigger.SERVICE_EXPIRED: "the end of its time out of service",
    Trigger.QUALITY: "the source is lost, or back",
    Trigger.MARK: "it chatters, repeats, is stale, or no longer",
    Trigger.COMMENT: "a comment, by an operator",
    Trigger.TICK: "a step of the guidance, by an operator",
}


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join([*_head(), *_states(), *_transitions(TABLE), *_figures(), ""])


def _head() -> list[str]:
    text = """# Alarm states

Made from the table in `core/incidents/machine.py` by `python -m core.incidents.states_page`; a test compares both.

The states are those of ISA-18.2 over the flags of OPC UA Part 9; what is latched is ours. Every transition is in the
journal before anybody sees it. Whether the source can be trusted (its quality) is told beside the state and never
changes it. Silence is not here: it is a matter of one desk, and acknowledges nothing.

## States
"""
    return [*text.splitlines(), ""]


def _states() -> list[str]:
    rows = ["| state | meaning |", "|---|---|"]
    return [*rows, *(f"| {state.value} | {words} |" for state, words in STATES.items()), ""]


def _transitions(table: Iterable[Row]) -> list[str]:
    text = """## Transitions

Of the rows that fit, the first one counts. What is not here changes nothing: a closed alarm stays closed, and the next
raise opens another one.

| from | what happens | if | to | and then |
|---|---|---|---|---|"""
    lines = text.splitlines()
    for row in table:
        source = ", ".join(state.value for state in AlarmState if state in row.source)
        target = "(stays)" if row.target is None else row.target.value
        effects = "; ".join(effect.value for effect in row.effects) or "held from the first moment: it does not call"
        lines.append(f"| {source} | {TRIGGERS[row.trigger]} | {row.guard.value} | {target} | {effects} |")
    return [*lines, ""]


def _figures() -> list[str]:
    text = """## Figures

What a rule does not say is as in the first row. Delays and counts come before the machine: a condition must hold for
the on-delay before it is raised, and be over for the off-delay before it has returned. One that was raised three times
within 60 s chatters: it makes no new sound, and has returned only after 60 s of quiet. Every call is heard, also where
the condition was over at once, as with the alert of a device; it is repeated only while the alarm is UNACK.

| rule | on-delay | off-delay | latches | shelved at most (1/2/3/4) | by a supervisor | escalates | calls again |
|---|---|---|---|---|---|---|---|"""
    lines = text.splitlines()
    rows = {"(any)": _figures_of("(any)", DEFAULT)}
    for name, tuning in shipped_book().tunings.items():
        row = _figures_of(name, tuning)
        if row.removeprefix(f"| {name} ") != rows["(any)"].removeprefix("| (any) "):
            rows[name] = row
    return [*lines, *rows.values(), ""]


def _figures_of(name: str, tuning: AlarmTuning) -> str:
    def by_priority(role_max: dict[Priority, float]) -> str:
        return " / ".join(_span(role_max[priority]) for priority in Priority)

    never = "never" if not tuning.can_be_shelved else ""
    latches = "yes" if tuning.is_latching else "no"
    return (
        f"| {name} | {_span(tuning.on_delay_s)} | {_span(tuning.off_delay_s)} | {latches} "
        f"| {never or by_priority(dict(tuning.shelved_max_s))} "
        f"| {never or by_priority(dict(tuning.shelved_max_supervisor_s))} "
        f"| {by_priority(dict(tuning.escalate_s))} | {by_priority(dict(tuning.realarm_s))} |"
    )


def _span(seconds: float) -> str:
    if not seconds:
        return "no"
    if seconds < 120:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 7200 else f"{seconds / 3600:g} h"


if __name__ == "__main__":
    sys.stdout.write(page())
