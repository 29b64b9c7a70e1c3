"""The keys of a desk: from the settings, each for one thing, and printed."""

import pytest

from core.incidents.machine import TABLE
from core.kernel.settings import KeySettings, load_settings
from widgets.alarms.help_page import HelpPage
from widgets.alarms.keys import COMMANDS, keymap_of

DEFAULTS = KeySettings().model_dump()


def test_every_command_has_a_key_of_its_own_by_default():
    made = keymap_of(DEFAULTS, DEFAULTS)

    assert made.problems == ()
    assert set(made.keys) == set(DEFAULTS) == {command.name for command in COMMANDS}
    assert made.text("acknowledge") == "Space or A"


def test_keys_are_changed_in_the_settings(monkeypatch):
    monkeypatch.setenv("WATCHFLOOR_KEYS__SHELVE", "F5 Ctrl+H")
    settings, faults = load_settings()

    made = keymap_of(settings.keys.model_dump(), DEFAULTS)

    assert faults == ()
    assert made.of("shelve") == ("F5", "Ctrl+H")
    assert made.of("comment") == ("C",)


@pytest.mark.parametrize("keys", [("Foo",), (), ("A, B",), ("Ctrl+",)])
def test_what_is_no_key_is_said_and_the_default_stands_in(keys):
    made = keymap_of({**DEFAULTS, "shelve": keys}, DEFAULTS)

    assert made.of("shelve") == ("S",)
    assert made.problems[0].startswith("Setting keys.shelve is not used: ")


def test_a_key_for_two_things_is_said_and_the_defaults_stand_in():
    made = keymap_of({**DEFAULTS, "shelve": ("a",)}, DEFAULTS)

    assert made.keys == DEFAULTS
    assert made.problems[0].startswith("The key a stands for both keys.acknowledge and keys.shelve.")


def test_the_help_page_prints_the_keys_of_this_desk_and_every_transition(qtbot):
    page = HelpPage(keymap_of({**DEFAULTS, "shelve": ("F5",)}, DEFAULTS), [("Wall", "Ctrl+Shift+W")])
    qtbot.addWidget(page)

    text = page.toPlainText()

    assert "F5\nShelve for a while" in text
    assert "Ctrl+Shift+W" in text
    assert [effect.value for row in TABLE for effect in row.effects if effect.value not in text] == []
    assert "LATCH-ACKED" in text
