"""Flights are listed, replayed and handed on; a replay never looks like now."""

from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from core.drones.export import ExportFormat
from core.drones.model import Flight
from core.kernel.clock import FakeClock
from tests.fixtures.drones import NOW, drone
from widgets.drones.flights import FlightsPage


@pytest.fixture
def clock():
    return FakeClock(NOW + timedelta(hours=1))


@pytest.fixture
def page(qtbot, clock):
    page = FlightsPage(clock)
    qtbot.addWidget(page)
    page.resize(900, 400)
    page.show()
    page.show_drones({"d1": drone()})
    return page


def flight(flight_id="f1", *, minutes=0, **changes):
    given = {
        "ended_at": NOW + timedelta(minutes=minutes, seconds=312),
        "distance_m": 2_345.6,
        "max_height_m": 61.2,
        "battery_used_percent": 23.4,
        "n_points": 300,
    } | changes
    return Flight(flight_id=flight_id, drone_id="d1", began_at=NOW + timedelta(minutes=minutes), **given)


def test_flights_are_listed_with_their_figures_the_newest_first(page):
    page.show_flights([flight("old"), flight("new", minutes=30)])

    assert [line.key for line in page.lines] == ["new", "old"]
    name, _began, *figures = page.lines[0].cells
    assert name == "Falcon 1"
    assert figures == ["00:05:12", "2,346 m", "61 m", "23 %", "live"]


def test_what_is_not_known_of_a_flight_is_no_zero(page):
    page.show_flights([flight(max_height_m=None, battery_used_percent=None, ended_at=None)])

    _, _, duration, _, height, used, _ = page.lines[0].cells
    assert (duration, height, used) == ("01:00:00  flying", "--", "--")


def test_a_flight_whose_end_nobody_saw_says_so(page):
    page.show_flights([flight(has_lost_end=True)])

    assert page.lines[0].cells[2] == "00:05:12  end unseen"


def test_enter_replays_the_chosen_flight(page):
    wanted = []
    page.replay_wanted.connect(wanted.append)
    page.show_flights([flight("old"), flight("new", minutes=30)])
    page.choose("old")

    QTest.keyClick(page, Qt.Key.Key_Return)

    assert wanted == ["old"]


def test_a_replay_goes_as_fast_as_it_is_told_and_rests_at_the_end(page, clock):
    moments = []
    page.moment_changed.connect(moments.append)
    page.bar.start("Falcon 1", NOW, 312.0)
    page.bar.speed.setCurrentIndex(page.bar.speed.findData(20))

    clock.advance(seconds=3)
    page.bar.tick()
    assert moments[-1] == NOW + timedelta(seconds=60)
    clock.advance(seconds=60)
    page.bar.tick()

    assert moments[-1] == NOW + timedelta(seconds=312)
    assert not page.bar.is_playing


def test_the_scrubber_goes_to_any_moment_and_escape_ends_the_replay(page):
    moments, ended = [], []
    page.moment_changed.connect(moments.append)
    page.replay_ended.connect(lambda: ended.append(True))
    page.bar.start("Falcon 1", NOW, 312.0)

    page.bar.slider.setValue(1_000)
    QTest.keyClick(page, Qt.Key.Key_Space)
    QTest.keyClick(page, Qt.Key.Key_Escape)

    assert moments[-1] == NOW + timedelta(seconds=100)
    assert ended == [True]
    assert page.bar.at is None
    assert not page.bar.isVisible()


def test_each_format_is_offered_for_the_chosen_flight(page):
    wanted = []
    page.export_wanted.connect(lambda flight_id, form: wanted.append((flight_id, form)))
    page.show_flights([flight()])
    button = next(one for one in page.findChildren(QPushButton) if one.text() == "Export")

    for action in button.menu().actions():
        action.trigger()

    assert wanted == [("f1", form) for form in ExportFormat]


def test_without_flights_there_is_nothing_to_replay_or_export(page):
    page.show_flights([])

    enabled = {one.text(): one.isEnabled() for one in page.findChildren(QPushButton)}
    assert not enabled["Replay"]
    assert not enabled["Export"]
    assert enabled["Import logs"]
