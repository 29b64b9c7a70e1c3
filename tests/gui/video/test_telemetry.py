"""What a drone said stands on its pictures, each by its own time."""

from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from core.drones.model import DroneState
from tests.fixtures.drones import NOW, flying
from widgets.base.theme import picture_look
from widgets.video.telemetry import KEPT_S, TelemetryTape, on_picture, paint_telemetry


@pytest.fixture
def tape():
    tape = TelemetryTape("Falcon 1")
    for second in range(20):
        at = NOW + timedelta(seconds=second)
        tape.add(flying(at=at, values={"altitude_home_m": 10.0 + second, "roll_deg": float(second)}))
    return tape


def captured(second):
    return NOW.timestamp() + second


def test_a_late_picture_wears_what_was_said_when_it_was_taken(tape):
    one = on_picture(tape, captured(7.4))

    assert one.lines[0] == "Falcon 1  Mission"
    assert one.lines[1].startswith("H 17.0 m   8.3 m/s   HDG 87°   BAT 14 %   HOME 340 m")
    assert one.roll_deg == 7.0


def test_where_telemetry_ended_before_the_picture_that_is_said_and_nothing_counts_as_present(tape):
    one = on_picture(tape, captured(25.0))

    assert "telemetry 6 s before the picture" in one.lines[0]
    assert "H 29.0 m, 6.0 s old" in one.lines[1]
    assert (one.roll_deg, one.pitch_deg) == (None, None), "no horizon of another time"


def test_a_picture_from_before_all_telemetry_has_none(tape):
    assert on_picture(tape, captured(-1.0)).lines == ("Falcon 1  no telemetry",)


def test_what_is_older_than_any_picture_is_let_go(tape):
    tape.add(flying(at=NOW + timedelta(seconds=KEPT_S + 10.0)))

    assert tape.at(captured(5.0)) is None
    assert tape.at(captured(15.0)) is not None


def test_a_drone_that_never_spoke_adds_nothing():
    tape = TelemetryTape("x")
    tape.add(DroneState(drone_id="x"))

    assert tape.at(captured(0)) is None


def test_the_horizon_is_drawn_in_the_middle_and_words_at_the_upper_edge(qapp, tape):
    image = QImage(640, 360, QImage.Format.Format_RGB32)
    image.fill(QColor("black"))
    painter = QPainter(image)
    one = replace(on_picture(tape, captured(3.0)), roll_deg=0.0, pitch_deg=0.0)
    paint_telemetry(painter, QRectF(0, 0, 640, 360), QRectF(0, 20, 640, 340), one, picture_look())
    painter.end()

    assert image.pixelColor(320 - 70, 180).lightness() > 150
    assert any(image.pixelColor(x, y).lightness() > 150 for x in range(200, 440) for y in range(24, 70))
    assert not any(image.pixelColor(x, y).lightness() > 20 for x in range(0, 640, 3) for y in range(18))
