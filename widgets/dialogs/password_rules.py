"""What a new password must be, as lines that are ticked while one types; the node checks again and knows more."""

from __future__ import annotations

from dataclasses import dataclass

MIN_LENGTH = 10
MIN_DIFFERENT = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """One line."""

    text: str
    is_met: bool


def rules_for(name: str, password: str, again: str) -> tuple[Rule, ...]:
    """Return the rules, met or not yet."""
    folded, key = password.casefold(), name.strip().casefold()
    return (
        Rule(f"at least {MIN_LENGTH} characters", len(password) >= MIN_LENGTH),
        Rule(f"at least {MIN_DIFFERENT} different characters", len(set(folded)) >= MIN_DIFFERENT),
        Rule("not your name", bool(password) and folded != key),
        Rule("typed the same twice", bool(password) and password == again),
    )
