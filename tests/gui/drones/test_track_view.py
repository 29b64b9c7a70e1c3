"""A flight in three dimensions: the table says the same, heights that are not known are left out, never zero."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtTest import QTest

from tests.fixtures.drones import NOW, track
from widgets.drones.track_model import ShowTrack, local_points
from widgets.drones.track_view import TrackPage, kept_inside
from widgets.map.tracks import Track
from widgets.twin.model import Detail, Look, Options, Picture
from widgets.twin.palette import NIGHT_THEME, palette_for
from widgets.twin.pose import Pose, framing, project


@pytest.fixture
def page(qtbot):
    page = TrackPage()
    qtbot.addWidget(page)
    page.resize(800, 400)
    page.ordered_all = []
    page.ordered.connect(page.ordered_all.append)
    page.show()
    return page


def newest(page, kind):
    return [order for order in page.ordered_all if isinstance(order, kind)][-1]


def test_the_track_is_drawn_in_metres_and_its_table_says_the_same(page):
    page.show_track("Falcon 1", Track.of(track(60)), None)

    drawn = newest(page, ShowTrack)
    east, north, height = drawn.points[-1]
    assert (round(north), round(height)) == (pytest.approx(328, abs=2), 59)
    assert east == pytest.approx(328 * np.cos(np.radians(36.0)), abs=2)
    assert drawn.marker == pytest.approx((east, north, height))
    assert len(page.lines) == 60
    assert page.lines[0].cells[1] == "59.0 m", "newest first"


def test_a_replay_ends_at_its_moment(page):
    page.show_track("REPLAY", Track.of(track(60)), NOW + timedelta(seconds=29.5))

    assert len(newest(page, ShowTrack).points) == 30
    assert page.title == "REPLAY"


def test_points_without_a_height_are_left_out_of_the_picture_and_unknown_in_the_table(page):
    points = [replace(point, altitude_home_m=None) if at % 2 else point for at, point in enumerate(track(10))]

    page.show_track("Falcon 1", Track.of(points), None)

    assert len(newest(page, ShowTrack).points) == 5
    assert page.lines[0].cells[1] == "--"


def test_nothing_known_is_drawn_as_nothing(page):
    page.show_track("Falcon 1", Track(), None)

    assert newest(page, ShowTrack).marker is None
    assert local_points(Track().rows).shape == (0, 3)


def test_the_view_turns_by_keys(page):
    page.show_track("Falcon 1", Track.of(track(60)), None)
    page.view.setFocus()
    before = newest(page, Look).pose

    QTest.keyClick(page.view, Qt.Key.Key_Right)
    QTest.keyClick(page.view, Qt.Key.Key_Plus)

    after = newest(page, Look).pose
    assert after.azimuth_deg == pytest.approx(before.azimuth_deg + 7.5)
    assert after.distance_m < before.distance_m


def test_where_nothing_can_be_drawn_the_table_stands_alone(page):
    page.show_track("Falcon 1", Track.of(track(5)), None)
    page.show_failed("There is no OpenGL.")

    assert page.title == "There is no OpenGL. The table has the same content."
    assert not page.view.isVisible()
    assert len(page.lines) == 5


@pytest.mark.parametrize(("left", "top"), [(-30.0, 20.0), (380.0, -9.0), (100.0, 295.0), (100.0, 100.0)])
def test_a_label_never_reaches_over_the_border(left, top):
    box = kept_inside(QRectF(left, top, 90.0, 20.0), 400, 300)

    assert QRectF(0, 0, 400, 300).contains(box)
    assert box.size() == QRectF(left, top, 90.0, 20.0).size()


def test_the_height_of_a_point_at_the_border_is_read_whole(page):
    page.show_track("Falcon 1", Track.of(track(60)), None)
    view = page.view
    order = newest(page, Look)
    # The end of the track is brought to the left border of the picture.
    for shift_m in range(0, 400, 4):
        pose = Pose(x_m=order.pose.x_m + shift_m, y_m=order.pose.y_m, distance_m=order.pose.distance_m)
        at, depth = project(pose, view.track.points[-1:].astype(float), view.width(), view.height())
        if 0 < at[0][0] < 12 and depth[0] > 0:
            break
    white = b"\xff" * (4 * view.width() * view.height())
    view.show_picture(Picture(pose, view.width(), view.height(), Detail.FINE, 0.0, white))

    image = view.grab().toImage()

    dark = [x for x in range(200) for y in range(view.height()) if image.pixelColor(x, y).lightness() < 60]
    assert min(dark) >= 4, "the plate begins inside"


def test_a_track_is_drawn_in_its_own_colours():
    from widgets.drones.track_renderer import TrackRenderer

    points = np.array([(0.0, 0.0, 30.0), (80.0, 0.0, 30.0)], np.float32)
    drawn = ShowTrack(
        points=points,
        colors=np.array([(250, 60, 10)] * 2, np.uint8),
        marker=None,
        heading_deg=float("nan"),
        ink=(90, 90, 90),
    )
    renderer = TrackRenderer(Options(palette=palette_for(NIGHT_THEME)))
    renderer.show_track(drawn)
    pose = framing(drawn.low, drawn.high, 1.5, Pose(elevation_deg=30.0))

    picture = renderer.draw(pose, 300, 200, Detail.QUICK)[..., 2::-1].copy()
    renderer.close()

    assert (np.abs(picture.astype(int) - (250, 60, 10)).max(axis=-1) < 4).sum() > 50
    assert (picture[0, 0] == palette_for(NIGHT_THEME).sky).all()
