"""The page about alarm states is what the machine does."""

from pathlib import Path

from core.incidents.machine import TABLE, Trigger
from core.incidents.states_page import STATES, TRIGGERS, page

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_made_from_the_table_of_today() -> None:
    written = (ROOT / "docs" / "alarm-states.md").read_text(encoding="utf-8")

    assert written == page(), "run: python -m core.incidents.states_page > docs/alarm-states.md"


def test_every_trigger_and_state_of_the_table_has_words() -> None:
    assert {row.trigger for row in TABLE} == set(TRIGGERS) == set(Trigger)
    assert frozenset().union(*(row.source for row in TABLE)) == set(STATES)
