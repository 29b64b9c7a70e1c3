"""The badge of a picture that stands still is there within a second of it, whenever the wall looked last."""

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from core.cameras.model import Camera
from core.kernel.clock import FakeClock
from core.media.model import StreamReport, StreamState
from widgets.video.model import VideoFrame
from widgets.video.wall import VideoWall


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def wall(qtbot, clock):
    wall = VideoWall(clock)
    qtbot.addWidget(wall)
    wall.resize(640, 480)
    wall.show_cameras((Camera(camera_id="a", name="Gate", address="synthetic:a"),))
    wall.show()
    qtbot.waitExposed(wall)
    # The test looks when the wall would, and never in between.
    wall._status_timer.stop()
    return wall


def picture_at(clock, *, age_s=0.0):
    return VideoFrame(
        sequence=1,
        pts_s=1.0,
        received_s=clock.monotonic() - age_s,
        captured_at_s=0.0,
        width=4,
        height=2,
        data=bytes(32),
    )


def show_picture(wall, clock, *, age_s, fps=25.0):
    wall.show_report(StreamReport(camera_id="a", state=StreamState.LIVE, fps=fps))
    wall.show_frames([("a", picture_at(clock, age_s=age_s))])


def paints_in_a_second(wall, clock, *, ages_s):
    """Show 25 pictures in a second, of these ages by turns; returns how often the tile was painted."""
    tile = wall.tile_of("a")
    painted = []
    paint = tile.paint_picture
    tile.paint_picture = lambda painter: (painted.append(clock.monotonic()), paint(painter))
    QApplication.processEvents()
    painted.clear()
    for number in range(25):
        clock.advance(seconds=0.04)
        wall.show_frames([("a", picture_at(clock, age_s=ages_s[number % len(ages_s)]))])
        QApplication.processEvents()
    return len(painted)


def test_a_picture_that_grows_stale_between_two_looks_of_the_wall_is_marked_on_time(wall, clock, qtbot):
    show_picture(wall, clock, age_s=0.8)
    wall._on_status_tick()
    assert wall.tile_of("a").status.is_good

    clock.advance(seconds=0.11)
    qtbot.waitUntil(lambda: not wall.tile_of("a").status.is_good)

    assert wall.tile_of("a").status.word == "STALE 0.9 s"


def test_pictures_of_a_stream_that_nobody_reports_are_renewed_four_times_a_second_and_live_with_its_report(
    wall, clock, qtbot
):
    n_painted = paints_in_a_second(wall, clock, ages_s=(0.0,))

    assert not wall.tile_of("a").status.is_good
    assert 3 <= n_painted <= 5

    wall.show_report(StreamReport(camera_id="a", state=StreamState.LIVE, fps=25.0))
    wall.show_frames([("a", picture_at(clock))])
    assert wall.tile_of("a").status.is_good


def test_pictures_that_come_a_little_late_by_turns_are_renewed_no_more_often_while_nobody_reports(wall, clock):
    n_painted = paints_in_a_second(wall, clock, ages_s=(0.02, 0.07))

    assert not wall.tile_of("a").status.is_good
    assert 3 <= n_painted <= 5


def test_a_picture_that_is_followed_by_another_one_stays_live(wall, clock, qtbot):
    late = QTimer(wall)
    late.setSingleShot(True)
    show_picture(wall, clock, age_s=0.8)
    wall._on_status_tick()
    clock.advance(seconds=0.05)
    show_picture(wall, clock, age_s=0.0)
    clock.advance(seconds=0.11)

    with qtbot.waitSignal(late.timeout):
        late.start(150)

    assert wall.tile_of("a").status.is_good


def test_a_camera_of_few_pictures_is_not_stale_for_being_slow(wall, clock):
    show_picture(wall, clock, age_s=1.2, fps=2.0)
    wall._on_status_tick()

    assert wall.tile_of("a").status.is_good


def test_an_edge_camera_is_live_for_as_long_as_it_may_take(wall, clock):
    show_picture(wall, clock, age_s=4.0)
    wall.show_report(StreamReport(camera_id="a", state=StreamState.LIVE, fps=0.3, patience_s=6.0))
    wall._on_status_tick()
    assert wall.tile_of("a").status.word == "LIVE 4.0 s"

    clock.advance(seconds=7.0)
    wall.show_report(StreamReport(camera_id="a", state=StreamState.LIVE, fps=0.3, patience_s=6.0))
    wall._on_status_tick()

    assert wall.tile_of("a").status.word.startswith("LOST")


def test_a_wall_that_is_opened_again_waits_for_pictures_and_calls_no_live_camera_lost(wall, clock):
    show_picture(wall, clock, age_s=0.1)
    wall.hide()
    clock.advance(seconds=40.0)
    wall.show()
    wall._status_timer.stop()
    clock.advance(seconds=1.0)
    wall.show_report(StreamReport(camera_id="a", state=StreamState.LIVE, fps=25.0))
    wall._on_status_tick()
    waiting = wall.tile_of("a").status.word
    clock.advance(seconds=20.0)
    wall.show_report(StreamReport(camera_id="a", state=StreamState.LIVE, fps=25.0))
    wall._on_status_tick()

    assert waiting.startswith("WAITING")
    assert wall.tile_of("a").status.word.startswith("LOST")
