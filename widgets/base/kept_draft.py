"""What was drawn or written at this desk and not saved: kept on its disk, and offered again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from widgets.base.times import format_day_minute

Drawn = TypeVar("Drawn")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDraft(Generic[Drawn]):
    """One draft.

    Attributes:
        at: When it was changed last.
        by: Name of who was signed in then.
        base: What was saved when it was drawn.
    """

    at: datetime
    by: str
    base: Drawn
    drawn: Drawn


def offer_words(kept: KeptDraft[Drawn], name: str, saved: Drawn) -> str:
    """Return how a draft is offered to who opens what it was drawn for.

    Args:
        kept: The draft.
        name: What it was drawn for.
        saved: What is saved of that now.
    """
    of_whom = f" of {kept.by}" if kept.by else ""
    said = f"A draft{of_whom} for {name}, of {format_day_minute(kept.at)}, was not saved."
    if kept.base == saved:
        return said
    return (
        f"{said} What is saved was changed since: the draft stands in place of that where you take it up and save it."
    )


def changed_meanwhile_words(name: str) -> str:
    """Return how a draft is offered again, where what it was drawn for was saved since."""
    return (
        f"What is saved of {name} was changed while the draft was offered. "
        "The draft stands in place of that where you take it up and save it."
    )


def closing_words(name: str, fault: str) -> str:
    """Return what is said where the window is to be closed; `fault` is why the draft cannot be kept."""
    after = (
        f"Close again and they are lost: {fault}"
        if fault
        else "Close again to leave them: the draft is kept at this desk and offered when it is opened next."
    )
    return f"{name} has changes that are not saved. {after}"
