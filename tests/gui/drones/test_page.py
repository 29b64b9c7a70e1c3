"""The page of one drone: figures with units, what is old is crossed out and named, what is unknown is "--"."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.access.model import Role
from core.drones.model import DroneState, LinkHealth, Measured
from core.kernel.clock import FakeClock
from tests.fixtures.drones import NOW, drone, flying
from widgets.base.hold_button import HoldButton
from widgets.drones.history import QuantityHistory
from widgets.drones.page import DronePage


@pytest.fixture
def clock():
    return FakeClock(NOW)


@pytest.fixture
def history():
    return QuantityHistory()


@pytest.fixture
def page(open_widget, clock, history):
    return open_widget(DronePage(history, clock), 1000, 700)


def pixels(widget):
    """Return the picture of a widget, shape (height, width, 4)."""
    image = widget.grab().toImage().convertToFormat(image_format())
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4).copy()


def image_format():
    from PySide6.QtGui import QImage

    return QImage.Format.Format_ARGB32


def test_the_page_says_how_a_drone_flies(page):
    page.show_drone(drone(), flying())

    assert page.head == ("Falcon 1   Quadrotor  PX4", "Live  0.0 s", "Mission  ·  Armed  ·  in the air")
    assert page.facts["Mission"] == "item 3 of 12  ·  active"
    assert page.facts["GNSS 1"].startswith("RTK fixed  ·  19 satellites")
    assert page.facts["Climb"] == "-1.2 m/s"
    assert [bar.figure for bar in page.batteries.bars] == ["76 %", "14 %"]
    assert page.batteries.bars[1].note == "cell 3 fails, low"
    assert [bar.figure for bar in page.links.bars] == ["Live", "Lost"]
    assert [line.cells[0] for line in page.messages] == ["Strong wind", "Takeoff detected"], "newest first"
    assert page.notice == ""


def test_nothing_is_shown_as_zero_that_is_not_known(page):
    page.show_drone(None, DroneState(drone_id="x", heartbeat_at=NOW, health=LinkHealth.LIVE))

    seen = page.instrument.attitude
    assert {one.text for one in (seen.roll, seen.pitch, seen.heading, seen.speed, seen.height, seen.climb)} == {"--"}
    assert page.facts["Mission"] == "--"
    assert page.facts["Distance to home"] == "--"
    assert page.batteries.bars[0].title == "No battery is known."


def test_an_instrument_that_is_old_is_crossed_out(page, clock):
    page.show_drone(drone(), flying())
    before = pixels(page.instrument)
    clock.advance(seconds=1.5)

    page.refresh()

    seen = page.instrument.attitude
    assert (seen.roll.age, seen.height.age) == ("1.5 s", ""), "attitude is old after a second, height after two"
    assert (before != pixels(page.instrument)).any()


def test_a_lost_drone_is_told_above_its_last_values(page, clock):
    lost = flying(health=LinkHealth.LOST, lost_at=NOW + timedelta(seconds=5))
    clock.advance(seconds=42)

    page.show_drone(drone(), lost)

    assert page.notice.startswith("Falcon 1 is not heard since")
    assert page.notice.endswith("(last word 42 s ago). What is shown is the last known.")
    assert page.batteries.bars[0].age == "42 s"


def test_a_replay_says_so_all_the_time(page, clock):
    clock.advance(seconds=3600)

    page.show_replayed(drone(), flying(), NOW)

    assert page.notice.startswith("REPLAY of ")
    assert page.head[1] == "Replay"
    assert page.instrument.attitude.height.is_present, "ages are those of the moment"


def test_any_quantity_is_charted_and_silence_is_a_gap(page, history, clock):
    for second in (*range(20), *range(40, 60)):
        at = NOW + timedelta(seconds=second)
        history.add([flying(at=at, values={"wind_speed_mps": 3.0 + second})])
    clock.advance(seconds=60)
    page.show_drone(drone(), flying(at=clock.now()))

    page.charts.choose(0, "wind_speed_mps")
    page.charts.show_at(clock.now())

    assert page.charts.said(0) == "Wind 62.0 m/s, 40 values in 5 min"
    at_s, values = history.series("d1", "wind_speed_mps")
    assert np.isnan(values).sum() == 1
    assert (np.diff(at_s) > 0).all()


def test_where_two_charts_could_not_be_read_there_is_one_with_its_time(page):
    charts = page.charts
    charts.resize(600, 300)
    first, second = charts._charts
    assert not second.isHidden()

    charts.resize(600, 100)

    assert second.isHidden()
    assert first.getAxis("bottom").isVisible()


def test_an_old_value_that_comes_late_does_not_turn_the_chart_back(history):
    state = flying(values={"climb_mps": 2.0})
    history.add([state])
    history.add([replace(state, values={"climb_mps": Measured(9.0, NOW - timedelta(seconds=9))})])

    assert history.series("d1", "climb_mps")[1].tolist() == [2.0]


def test_page_up_and_down_go_from_drone_to_drone(page, qtbot):
    page.show_drone(drone(), flying())
    steps = []
    page.step_wanted.connect(steps.append)

    QTest.keyClick(page, Qt.Key.Key_PageDown)
    QTest.keyClick(page, Qt.Key.Key_PageUp)

    assert steps == [1, -1]


def test_a_stream_that_a_drone_tells_of_is_offered_to_supervisors_until_it_has_a_camera(page):
    wanted = []
    page.video_wanted.connect(wanted.append)
    page.show_drone(drone(), flying(video_uri="rtsp://10.0.0.4/down"))
    hold = page.video.findChild(HoldButton)
    assert page.video.facts == {"It says its video is at": "rtsp://10.0.0.4/down"}
    assert not hold.isEnabled()

    page.set_role(Role.SUPERVISOR)
    QTest.keyClick(hold, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert wanted == ["d1"]

    page.show_drone(drone(camera_id="cam"), flying(video_uri="rtsp://10.0.0.4/down"))
    assert page.video.facts == {}


def test_a_drone_that_was_removed_leaves_no_charts(history):
    history.add((flying("d1"), flying("d2")))
    history.keep_only({"d2"})

    assert history.keys("d1") == ()
    assert history.keys("d2")
