"""What an operator does with a picture: look nearer, see where vehicles came from, choose classes, save it, tour."""

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox

from core.vision.model import Track
from tests.gui.video.test_wall import button_called, is_said
from widgets.video.model import TrackSet
from widgets.video.shot import Shot
from widgets.video.tour import Tour, TourStop
from widgets.video.trails import TRAIL_S, Trails
from widgets.video.zoom import MAX_FACTOR, STEP, WHOLE, Zoom, panned, picture_rect, seen_part, wanted_size, zoomed

ROOM = QRectF(0, 0, 400, 200)


def turn_wheel(tile, at, notches):
    place = QPointF(at)
    event = QWheelEvent(
        place,
        QPointF(tile.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(tile, event)


def seen_by(pts_s, x, label="car", track_id=7):
    return TrackSet.of(
        pts_s, (Track(track_id=track_id, label=label, score=0.9, bbox_xyxy=(x - 0.05, 0.4, x + 0.05, 0.6)),)
    )


# -- the wheel


def test_what_lies_under_the_pointer_stays_there():
    at = QPointF(100, 50)

    nearer = zoomed(WHOLE, 4.0, at, ROOM)

    before, after = picture_rect(WHOLE, ROOM), picture_rect(nearer, ROOM)
    assert (at.x() - after.x()) / after.width() == pytest.approx((at.x() - before.x()) / before.width())
    assert (at.y() - after.y()) / after.height() == pytest.approx((at.y() - before.y()) / before.height())


def test_the_picture_never_leaves_the_tile():
    corner = panned(zoomed(WHOLE, 4.0, QPointF(400, 200), ROOM), QPointF(-5000, -5000), ROOM)

    assert seen_part(corner) == QRectF(0.75, 0.75, 0.25, 0.25)
    assert zoomed(corner, 1e-6, QPointF(0, 0), ROOM) == WHOLE
    assert zoomed(corner, 1e6, QPointF(0, 0), ROOM).factor == MAX_FACTOR


def test_a_nearer_look_wants_a_larger_picture_up_to_what_a_ring_holds():
    assert wanted_size(QSize(400, 200), WHOLE) == QSize(400, 200)
    assert wanted_size(QSize(400, 200), Zoom(factor=2.0)) == QSize(800, 400)
    assert wanted_size(QSize(400, 200), Zoom(factor=12.0)) == QSize(3840, 1920)


def test_the_wheel_asks_the_camera_for_its_main_stream(room, qtbot):
    room.live("c0")
    tile = room.tile("c0")
    width = tile.picture_room().width()

    turn_wheel(tile, QPoint(40, 60), 4)

    assert tile.zoom.factor == pytest.approx(STEP**4)
    qtbot.waitUntil(lambda: room.views != [] and room.views[-1]["c0"][0] > 2 * width)
    QTest.keyClick(tile, Qt.Key.Key_0)
    qtbot.waitUntil(lambda: room.views[-1]["c0"][0] == width)


def test_a_drag_in_a_zoomed_tile_moves_the_picture_and_swaps_no_tiles(room):
    room.live("c0")
    tile = room.tile("c0")
    turn_wheel(tile, tile.rect().center(), 6)
    before, cameras = tile.zoom.center, room.wall.visible_camera_ids

    QTest.mousePress(tile, Qt.MouseButton.LeftButton, pos=tile.rect().center())
    QTest.mouseMove(tile, tile.rect().center() + QPoint(60, 0))
    QTest.mouseRelease(tile, Qt.MouseButton.LeftButton, pos=tile.rect().center() + QPoint(60, 0))

    assert tile.zoom.center[0] < before[0]
    assert room.wall.visible_camera_ids == cameras


def test_a_tile_without_a_picture_does_not_zoom(room):
    turn_wheel(room.tile("c0"), QPoint(40, 60), 4)

    assert room.tile("c0").zoom == WHOLE


# -- trails


def test_a_trail_reaches_five_seconds_of_picture_time_back():
    trails = Trails()
    for second in range(9):
        trails.add(seen_by(float(second), 0.1 * second))

    reach = trails.path(frozenset()).boundingRect()

    assert (reach.left(), reach.right()) == (pytest.approx(0.1 * (8 - TRAIL_S)), pytest.approx(0.8))


def test_a_stream_that_begins_anew_draws_no_line_from_where_it_was():
    trails = Trails()
    trails.add(seen_by(100.0, 0.9))
    trails.add(seen_by(0.0, 0.1))
    trails.add(seen_by(0.2, 0.2))

    assert trails.path(frozenset()).boundingRect().right() == pytest.approx(0.2)


def test_trails_of_classes_that_are_hidden_are_hidden():
    trails = Trails()
    trails.add(seen_by(0.0, 0.1, "bus"))
    trails.add(seen_by(1.0, 0.5, "bus"))

    assert trails.path(frozenset({"bus"})).isEmpty()
    assert not trails.path(frozenset({"car"})).isEmpty()


def test_trails_are_drawn_when_r_is_pressed(room):
    room.tile("c0").setFocus()

    def drawn():
        for step in range(4):
            room.wall.show_tracks("c0", seen_by(1.0 + 0.5 * step, 0.2 + 0.2 * step))
        room.live("c0", color=0x10, pts_s=2.5)
        picture = room.picture("c0")
        fit = room.tile("c0").picture_room()
        column = (picture.width() - fit.width()) // 2 + round(0.6 * fit.width())
        row = (picture.height() - fit.height()) // 2 + round(0.6 * fit.height())
        return max(picture.pixelColor(column, row + by).lightness() for by in range(-20, 40))

    room.wall.show_tracks("c0", seen_by(0.0, 0.2))
    assert drawn() < 40
    QTest.keyClick(room.tile("c0"), Qt.Key.Key_R)
    assert drawn() > 90


# -- what is drawn


def test_a_class_that_is_unticked_loses_its_boxes_and_comes_back(room):
    room.wall.show_tracks("c0", seen_by(1.0, 0.5, "bus"))
    room.live("c0")
    boxed = room.picture("c0")
    tick = next(tick for tick in room.wall.findChildren(QCheckBox) if tick.accessibleName() == "Boxes around every bus")

    tick.click()
    assert room.picture("c0") != boxed
    tick.click()
    assert room.picture("c0") == boxed


# -- saving


def test_s_saves_the_selected_picture_as_it_was_shown_with_its_boxes(room):
    taken = []
    room.wall.shot_taken.connect(taken.append)
    room.wall.show_tracks("c0", seen_by(3.0, 0.5))
    room.live("c0", color=0x55, pts_s=3.0)
    room.tile("c0").setFocus()

    QTest.keyClick(room.tile("c0"), Qt.Key.Key_S)

    (shot,) = taken
    assert isinstance(shot, Shot)
    assert (shot.camera.camera_id, shot.pts_s, set(shot.data)) == ("c0", 3.0, {0x55, 255})
    assert [box.track_id for box in shot.boxes] == [7]


def test_s_on_a_tile_without_a_picture_says_so(room):
    said = []
    room.wall.said.connect(lambda sentence, hint: said.append(sentence))
    room.tile("c0").setFocus()

    QTest.keyClick(room.tile("c0"), Qt.Key.Key_S)

    assert said == ["There is no picture to save on this tile."]


# -- tours


def test_a_tour_goes_from_stop_to_stop_in_its_time_waits_for_the_operator_and_puts_the_wall_back(room, qtbot):
    before = room.wall.visible_camera_ids
    stops = (TourStop(camera_id="c1", dwell_s=10.0), TourStop(camera_id="gone"), TourStop(camera_id="c5", dwell_s=5.0))
    room.wall.keep_tour(Tour(name="Round", stops=stops))
    room.tile("c0").setFocus()

    QTest.keyClick(room.wall, Qt.Key.Key_T)
    assert room.wall.visible_camera_ids == ("c1",)

    for place, camera_id in (("2/3", "c1"), ("3/3", "c5"), ("1/3", "c1")):
        room.clock.advance(seconds=10.0)
        qtbot.waitUntil(lambda at=place: is_said(room.wall, f"Round {at}"))
        assert room.wall.visible_camera_ids == (camera_id,)
    room.live("c1")
    turn_wheel(room.tile("c1"), QPoint(40, 60), 1)
    assert is_said(room.wall, "Round 1/3 paused")
    room.clock.advance(seconds=60.0)

    QTest.mouseClick(button_called(room.wall, "Stop the tour"), Qt.MouseButton.LeftButton)
    assert room.wall.visible_camera_ids == before


# -- how late


def test_the_tile_tells_how_late_its_pictures_are(room):
    room.live("c0", age_s=0.25)
    room.picture("c0")

    assert "250 ms" in room.tile("c0").tip()
