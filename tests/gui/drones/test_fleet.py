"""The fleet says of every drone what is known, how old it is, and never more than that."""

from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.drones.model import DroneState, LinkHealth
from core.kernel.clock import FakeClock
from tests.fixtures.drones import NOW, drone, flying
from widgets.base.conditions import Condition
from widgets.drones.strip import FleetStrip


@pytest.fixture
def clock():
    return FakeClock(NOW)


@pytest.fixture
def strip(open_widget, clock):
    return open_widget(FleetStrip(clock), 360, 600)


def test_a_card_says_what_matters_of_a_drone(strip):
    strip.show_fleet({"d1": drone()}, {"d1": flying()})

    (card,) = strip.cards
    battery, height, speed, home = card.figures
    assert (card.name, card.link, card.mode, card.armed) == ("Falcon 1", "Live  0.0 s", "Mission", "Armed")
    assert (battery.sentence, height.sentence) == ("14 %", "42.1 m"), "the emptiest pack counts"
    assert (speed.sentence, home.sentence) == ("8.3 m/s", "340 m")
    assert card.condition is Condition.OK


def test_what_nobody_said_is_no_zero(strip):
    strip.show_fleet({}, {"new": DroneState(drone_id="new")})

    (card,) = strip.cards
    assert [one.text for one in card.figures] == ["--", "--", "--", "--"]
    assert (card.name, card.link, card.mode, card.armed) == ("new", "Not heard yet", "--", "--")


def test_each_value_ages_by_itself(strip, clock):
    strip.show_fleet({"d1": drone()}, {"d1": flying()})

    clock.advance(seconds=4)
    strip.refresh()

    battery, height, speed, home = strip.cards[0].figures
    assert battery.is_present, "a battery speaks every few seconds"
    assert (height.sentence, speed.age, home.age) == ("42.1 m, 4.0 s old", "4.0 s", "4.0 s")


def test_a_lost_drone_is_told_in_words_and_nothing_of_it_counts_as_present(strip, clock):
    lost = flying(health=LinkHealth.LOST, lost_at=NOW + timedelta(seconds=5))
    clock.advance(seconds=50)

    strip.show_fleet({"d1": drone()}, {"d1": lost})

    (card,) = strip.cards
    assert card.link == "Lost  50 s"
    assert card.is_lost
    assert card.condition is Condition.LOST
    assert (card.armed, card.landed) == ("was armed", "was in the air 50 s ago")
    assert not any(one.is_present for one in card.figures)


def test_arrows_go_from_drone_to_drone_and_enter_opens_one(strip, qtbot):
    names = {key: drone(key, name) for key, name in (("b", "Beta"), ("a", "Alpha"))}
    strip.show_fleet(names, {key: flying(key) for key in names})
    said, opened = [], []
    strip.drone_chosen.connect(said.append)
    strip.drone_opened.connect(opened.append)
    strip.setFocus()
    keys = strip.focusProxy()

    QTest.keyClick(keys, Qt.Key.Key_Down)
    QTest.keyClick(keys, Qt.Key.Key_Down)
    QTest.keyClick(keys, Qt.Key.Key_Return)

    assert said == ["a", "b"], "by name"
    assert opened == ["b"]
    assert "Beta" in keys.accessibleDescription()


def test_a_drone_that_is_renamed_or_removed_is_shown_so(strip):
    states = {"a": flying("a"), "b": flying("b")}
    strip.show_fleet({}, states)

    strip.show_fleet({"a": drone("a", "Zeta")}, states)
    assert [card.name for card in strip.cards] == ["b", "Zeta"]
    strip.show_fleet({"a": drone("a", "Zeta")}, {"a": states["a"]})

    assert [card.name for card in strip.cards] == ["Zeta"]


def test_a_fault_is_said_on_the_card(strip):
    sentence = "Two drones go by this name."
    strip.show_fleet({"d1": drone()}, {"d1": replace(flying(), faults=(sentence,))})

    assert strip.cards[0].fault == sentence
    assert sentence in strip.cards[0].sentence
